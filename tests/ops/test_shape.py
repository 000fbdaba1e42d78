"""Views and rearrangement, and where tensors lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import check_gradients

import leafgrad as torch

GENERATOR = np.random.default_rng(0)
MATRIX = GENERATOR.standard_normal((3, 4))
CUBE = GENERATOR.standard_normal((2, 3, 4))
VECTOR = GENERATOR.standard_normal(4)
NUMBER = np.array(1.5)
SQUARE = GENERATOR.standard_normal((3, 3))
THIN = GENERATOR.standard_normal((1, 3, 1))
EMPTY = np.zeros((0, 3))
FLIPPED = np.asarray(CUBE.transpose(2, 0, 1))  # not in order in memory
SPACED = GENERATOR.standard_normal((4, 8))[::2, 1::2]

# name, on a tensor, the same on an array by NumPy alone, the arrays to try it on
CASES: list[tuple[str, Any, Any, list[Any]]] = [
    ("view", lambda x: x.view(-1), lambda a: a.reshape(-1), [MATRIX, NUMBER, THIN]),
    ("view sizes", lambda x: x.view(2, -1), lambda a: a.reshape(2, -1), [MATRIX, VECTOR]),
    ("reshape", lambda x: x.reshape(-1), lambda a: a.reshape(-1), [MATRIX, FLIPPED, SPACED, EMPTY]),
    ("reshape alias", lambda x: x.reshape(2, 1, 2, 2), lambda a: a.reshape(2, 1, 2, 2), [SPACED]),
    ("flatten", lambda x: x.flatten(1), lambda a: a.reshape(a.shape[0], -1), [CUBE, FLIPPED]),
    ("flatten number", lambda x: x.flatten(), lambda a: a.reshape(1), [NUMBER]),
    ("ravel", torch.ravel, np.ravel, [MATRIX, FLIPPED, NUMBER]),
    (
        "unflatten",
        lambda x: x.unflatten(-1, (2, -1)),
        lambda a: a.reshape(*a.shape[:-1], 2, -1),
        [MATRIX, CUBE],
    ),
    ("squeeze", torch.squeeze, np.squeeze, [THIN, MATRIX, NUMBER]),
    ("squeeze dim", lambda x: x.squeeze(0), lambda a: a[0], [THIN]),
    ("squeeze none", lambda x: x.squeeze(1), lambda a: a, [THIN]),
    ("squeeze dims", lambda x: x.squeeze((0, 2)), lambda a: a[0, :, 0], [THIN]),
    ("unsqueeze", lambda x: x.unsqueeze(-1), lambda a: a[..., None], [MATRIX, NUMBER, EMPTY]),
    ("transpose", lambda x: x.transpose(0, -1), lambda a: a.swapaxes(0, -1), [MATRIX, CUBE]),
    ("t", lambda x: x.t(), np.transpose, [MATRIX, VECTOR, NUMBER]),
    ("T", lambda x: x.T, np.transpose, [MATRIX, EMPTY]),
    ("mT", lambda x: x.mT, lambda a: a.swapaxes(-1, -2), [MATRIX, CUBE]),
    ("H", lambda x: x.H, np.transpose, [MATRIX]),
    ("adjoint", torch.adjoint, lambda a: a.swapaxes(-1, -2), [CUBE]),
    ("permute", lambda x: x.permute(2, 0, 1), lambda a: a.transpose(2, 0, 1), [CUBE, FLIPPED]),
    ("movedim", lambda x: x.movedim((0, 1), (-1, 0)), lambda a: a.transpose(1, 2, 0), [CUBE]),
    ("expand", lambda x: x.expand(2, -1, 3, 4), lambda a: np.tile(a, (2, 1, 1, 4)), [THIN]),
    ("broadcast_to", lambda x: x.broadcast_to((2, 4)), lambda a: np.stack([a, a]), [VECTOR]),
    ("clone", torch.clone, np.copy, [MATRIX, FLIPPED, NUMBER]),
    ("contiguous", lambda x: x.contiguous(), np.copy, [FLIPPED, SPACED]),
    ("repeat", lambda x: x.repeat(2, 1, 3), lambda a: np.tile(a, (2, 1, 3)), [MATRIX, VECTOR]),
    ("repeat none", lambda x: x.repeat(0, 2), lambda a: np.tile(a, (0, 2)), [VECTOR]),
    ("tile", lambda x: x.tile(2), lambda a: np.tile(a, 2), [MATRIX, NUMBER]),
    (
        "repeat_interleave",
        lambda x: x.repeat_interleave(2, -1),
        lambda a: a.repeat(2, -1),
        [MATRIX, CUBE],
    ),
    ("repeat_interleave all", lambda x: x.repeat_interleave(3), lambda a: a.repeat(3), [MATRIX]),
    (
        "repeat_interleave counts",
        lambda x: x.repeat_interleave(torch.tensor([2, 0, 1]), 0),
        lambda a: a.repeat([2, 0, 1], 0),
        [MATRIX],
    ),
    ("flip", lambda x: x.flip(0, -1), lambda a: a[::-1, ..., ::-1], [MATRIX, CUBE]),
    ("fliplr", torch.fliplr, np.fliplr, [MATRIX]),
    ("flipud", torch.flipud, np.flipud, [MATRIX, VECTOR]),
    ("roll", lambda x: x.roll((1, -2), (0, 1)), lambda a: np.roll(a, (1, -2), (0, 1)), [MATRIX]),
    ("roll all", lambda x: x.roll(3), lambda a: np.roll(a, 3), [CUBE, NUMBER]),
    ("rot90", lambda x: x.rot90(-1, (1, 2)), lambda a: np.rot90(a, -1, (1, 2)), [CUBE]),
    ("tril", lambda x: x.tril(1), lambda a: np.tril(a, 1), [MATRIX, CUBE, FLIPPED]),
    ("triu", lambda x: x.triu(-1), lambda a: np.triu(a, -1), [MATRIX, CUBE]),
    ("diagonal", torch.diagonal, np.diagonal, [MATRIX, FLIPPED]),
    (
        "diagonal of planes",
        lambda x: x.diagonal(-1, 1, 2),
        lambda a: np.diagonal(a, -1, 1, 2),
        [CUBE],
    ),
    ("diag of a matrix", lambda x: torch.diag(x, 1), lambda a: np.diag(a, 1), [MATRIX]),
    ("diag of a vector", lambda x: torch.diag(x, -1), lambda a: np.diag(a, -1), [VECTOR]),
    ("diagflat", lambda x: torch.diagflat(x, 2), lambda a: np.diagflat(a, 2), [MATRIX, NUMBER]),
    ("trace", torch.trace, np.trace, [MATRIX, SQUARE, EMPTY]),
    (
        "unfold",
        lambda x: x.unfold(-1, 3, 1),
        lambda a: np.lib.stride_tricks.sliding_window_view(a, 3, -1),
        [MATRIX, VECTOR, FLIPPED],
    ),
    ("unfold steps", lambda x: x.unfold(0, 2, 2), lambda a: a.reshape(2, 2), [VECTOR]),
    ("unfold number", lambda x: x.unfold(0, 1, 1), lambda a: a[None], [NUMBER]),
    (
        "constant_pad_nd",
        lambda x: torch.constant_pad_nd(x, (1, 2, 0, 3), 7.0),
        lambda a: np.pad(a, ((0, 3), (1, 2)), constant_values=7.0),
        [MATRIX],
    ),
    (
        "constant_pad_nd cutting",
        lambda x: torch.constant_pad_nd(x, (-1, 1)),
        lambda a: np.pad(a[..., 1:], [(0, 0)] * (a.ndim - 1) + [(0, 1)]),
        [MATRIX, VECTOR],
    ),
    ("as_strided", lambda x: x.as_strided((2, 3), (1, 2), 1), lambda a: np.array(
        [[a.flat[1 + i + 2 * j] for j in range(3)] for i in range(2)]), [MATRIX]),
    ("atleast_3d", torch.atleast_3d, np.atleast_3d, [NUMBER, VECTOR, MATRIX]),
    ("atleast_2d", torch.atleast_2d, np.atleast_2d, [NUMBER, VECTOR]),
    ("atleast_1d", torch.atleast_1d, np.atleast_1d, [NUMBER]),
]  # fmt: skip
PAIRS = [
    pytest.param(ours, theirs, array, id=f"{name}-{array.shape}")
    for name, ours, theirs, arrays in CASES
    for array in arrays
]
VIEWS = {
    "view", "view sizes", "reshape alias", "unflatten", "squeeze", "squeeze dim", "squeeze none",
    "squeeze dims", "unsqueeze", "transpose", "t", "T", "mT", "H", "adjoint", "permute", "movedim",
    "expand", "broadcast_to", "diagonal", "diagonal of planes", "unfold", "unfold steps",
    "as_strided", "atleast_3d", "atleast_2d", "atleast_1d", "flatten number", "flatten", "reshape",
    "ravel", "unfold number",
}  # fmt: skip


@pytest.mark.parametrize("ours, theirs, array", PAIRS)
def test_values(ours: Any, theirs: Any, array: Any) -> None:
    for kind in (np.float64, np.float32, np.int64, np.complex64):
        typed = array.astype(kind)
        result = ours(torch.from_numpy(typed))
        expected = np.conj(theirs(typed)) if ours is torch.adjoint else theirs(typed)
        assert result.numpy().dtype == kind
        np.testing.assert_array_equal(result.numpy(), expected, strict=True)


@pytest.mark.parametrize("ours, theirs, array", PAIRS)
def test_gradients(ours: Any, theirs: Any, array: Any) -> None:
    check_gradients(lambda x: ours(x) * ours(x), array)


@pytest.mark.parametrize("name, ours, theirs, arrays", CASES)
def test_views_share_memory_and_others_do_not(name: str, ours: Any, theirs: Any, arrays: Any):
    array = arrays[0].copy(order="K")
    x = torch.from_numpy(array)
    result = ours(x)
    shares = np.shares_memory(result.numpy(), array)
    assert shares == (name in VIEWS)
    of_a_copy = name in ("repeat_interleave", "repeat_interleave all")
    assert result._is_view() == (shares or of_a_copy)
    if shares:
        assert result.numpy().flags.writeable
        x.add_(1)
        assert result._version == x._version == 1


def test_complex_gradients() -> None:
    c = MATRIX + 1j * MATRIX[::-1]
    check_gradients(lambda x: x.H.reshape(-1)[2:] * x.repeat(1, 1).flip(0).flatten()[:10], c)


def nodes(t: Any) -> list[str]:
    found, node = [], t.grad_fn
    while node is not None and "Accumulate" not in node.name():
        found.append(node.name().removesuffix("Backward0"))
        node = node.next_functions[0][0]
    return found


@pytest.mark.parametrize(
    "f, names",
    [
        (lambda x: x.reshape(12), ["View"]),
        (lambda x: x.t().reshape(12), ["UnsafeView", "Clone", "T"]),
        (lambda x: x.t().reshape(4, 3, 1), ["ReshapeAlias", "T"]),
        (lambda x: x.T, ["Permute"]),
        (lambda x: x.mT, ["Transpose"]),
        (lambda x: x.movedim(0, 1), ["Permute"]),
        (lambda x: x.squeeze(0), ["SqueezeBackward1"]),
        (lambda x: x.squeeze((0,)), ["SqueezeBackward2"]),
        (lambda x: x.repeat_interleave(2), ["View", "Clone", "Expand", "Unsqueeze", "View"]),
        (lambda x: x.tile(2), ["Repeat"]),
        (lambda x: x.t().contiguous(), ["Clone", "T"]),
        (lambda x: torch.diag(x), ["DiagonalBackward0_copy"]),
        (lambda x: torch.diagflat(x), ["DiagEmbed", "View"]),
        (lambda x: torch.permute_copy(x, (1, 0)), ["PermuteBackward0_copy"]),
        (lambda x: x.unflatten(1, (2, 2)), ["View"]),
        (lambda x: x.as_strided((2,), (1,)), ["AsStrided"]),
        (lambda x: (x * 1).t_(), ["TBackward1", "Mul"]),
        (lambda x: (x * 1).squeeze_(0), ["SqueezeBackward4", "Mul"]),
    ],
)
def test_graph_nodes_have_pytorch_names(f: Any, names: list[str]) -> None:
    assert nodes(f(torch.tensor(MATRIX, requires_grad=True))) == names


def test_same_object_where_nothing_changes() -> None:
    x, v = torch.ones(3, 4), torch.ones(3)
    assert x.contiguous() is x
    assert v.flatten() is v
    for other in (x.reshape(3, 4), x.view(3, 4), x.expand(3, 4), x.squeeze(), v.ravel()):
        assert other is not x and other is not v


def test_wrong_calls() -> None:
    x, cube = torch.tensor(MATRIX), torch.tensor(CUBE)
    for call, kind, message in [
        (lambda: x.view(5), RuntimeError, "shape '[5]' is invalid for input of size 12"),
        (lambda: x.view(5, -1), RuntimeError, "shape '[5, -1]' is invalid for input of size 12"),
        (lambda: x.view(-1, -1), RuntimeError, "only one dimension can be inferred"),
        (lambda: x.view(-2, 3), RuntimeError, "invalid shape dimension -2 at index 0 of shape"),
        (lambda: x.t().view(12), RuntimeError, "view size is not compatible with input tensor's"),
        (lambda: torch.ones(0, 3).view(-1, 0), RuntimeError, "cannot reshape tensor of 0 elements"),
        (lambda: x.t().reshape(5), RuntimeError, "shape '[5]' is invalid for input of size 12"),
        (lambda: x.squeeze(2), IndexError, "Dimension out of range (expected to be in range of"),
        (lambda: x.squeeze((0, 0)), RuntimeError, "dim 0 appears multiple times"),
        (lambda: x.unsqueeze(3), IndexError, "Dimension out of range (expected to be in range of"),
        (lambda: cube.t(), RuntimeError, "t() expects a tensor with <= 2 dimensions, but self is"),
        (lambda: x.permute(0), RuntimeError, "permute(sparse_coo): number of dimensions"),
        (lambda: x.permute(0, 0), RuntimeError, "permute(): duplicate dims are not allowed."),
        (lambda: x.expand(2, 4), RuntimeError, "The expanded size of the tensor (2) must match"),
        (lambda: x.expand(3), RuntimeError, "expand(torch.DoubleTensor{[3, 4]}, size=[3])"),
        (lambda: x.expand(-1, 3, 4), RuntimeError, "The expanded size of the tensor (-1) isn't"),
        (lambda: x.repeat(2), RuntimeError, "Number of dimensions of repeat dims can not be"),
        (lambda: x.flip(0, -2), RuntimeError, "dim 0 appears multiple times"),
        (lambda: x.roll((1, 2), 0), RuntimeError, "shifts and dimensions must align"),
        (lambda: x.rot90(1, (0, -2)), RuntimeError, "expected rotation dims to be different"),
        (lambda: x[0].tril(), RuntimeError, "tril: input tensor must have at least 2 dimensions"),
        (lambda: x.diagonal(0, 1, 1), RuntimeError, "diagonal dimensions cannot be identical 1"),
        (lambda: torch.diag(cube), RuntimeError, "diag(): Supports 1D or 2D tensors. Got 3D"),
        (lambda: torch.trace(cube), RuntimeError, "trace: expected a matrix, but got tensor"),
        (lambda: x.unfold(0, 4, 1), RuntimeError, "maximum size for tensor at dimension 0 is 3"),
        (lambda: x.unflatten(1, (3, -1)), RuntimeError, "unflatten: Provided sizes [3, -1] don't"),
        (lambda: x.movedim((0, 1), 0), RuntimeError, "movedim: Invalid source or destination dim"),
        (lambda: x.as_strided((20,), (1,)), RuntimeError, "setStorage: sizes [20], strides [1]"),
        (lambda: x.as_strided((2,), (-1,)), RuntimeError, "as_strided: Negative strides are not"),
        (lambda: torch.broadcast_shapes((2, 3), (4, 3)), RuntimeError, "Attempting to broadcast a"),
        (lambda: x.repeat_interleave(-1), RuntimeError, "Repeats must be non-negative"),
        (lambda: x.mT.mT[0].mT, RuntimeError, "tensor.mT is only supported on matrices"),
        (lambda: cube.H, RuntimeError, "tensor.H is only supported on matrices (2-D tensors)"),
        (lambda: x.t().view(torch.int16), RuntimeError, "self.stride(-1) must be 1 to view"),
    ]:
        with pytest.raises(kind) as caught:
            call()
        assert str(caught.value).startswith(message)


def test_reversing_other_than_matrices_is_deprecated() -> None:
    with pytest.warns(UserWarning, match="The use of `x.T` on tensors of dimension other than 2"):
        assert torch.ones(2, 3, 4).T.shape == (4, 3, 2)


def test_broadcasting() -> None:
    x, v = torch.tensor(MATRIX, requires_grad=True), torch.tensor(VECTOR, requires_grad=True)
    wide, same = torch.broadcast_tensors(v, x)
    assert wide.shape == (3, 4) and same is x
    wide.sum().backward()
    np.testing.assert_array_equal(v.grad.numpy(), np.full(4, 3.0))
    assert torch.broadcast_shapes((2, 1), 3, (1, 1, 1)) == (1, 2, 3)


def test_scattered_diagonals_and_strides() -> None:
    check_gradients(lambda x, d: torch.diagonal_scatter(x, d, 1) ** 2, MATRIX, VECTOR[:3])
    check_gradients(lambda d: torch.diag_embed(d, -1, 0, 2) ** 2, MATRIX)
    check_gradients(
        lambda x, d: torch.as_strided_scatter(x, d, (2,), (5,), 1) ** 2, MATRIX, VECTOR[:2]
    )
    # Of elements outside of the input's own, the gradient goes nowhere.
    x = torch.tensor(MATRIX, requires_grad=True)
    x[1:].as_strided((2, 2), (4, 1), 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]])
    # Several indices, one element.
    check_gradients(lambda x: x.as_strided((3, 3), (1, 1), 2) ** 2, MATRIX)
    check_gradients(lambda v: v.expand(3, 4).as_strided((2, 2), (0, 1), 1) ** 2, VECTOR)


def test_copies_of_views_are_differentiable() -> None:
    check_gradients(lambda x: torch.permute_copy(x, (1, 0)) ** 2, MATRIX)
    check_gradients(lambda x: torch.expand_copy(x, (3, 4)) ** 2, VECTOR)
    out = torch.empty(4, 3, dtype=torch.float64)
    assert torch.t_copy(torch.tensor(MATRIX), out=out) is out
    np.testing.assert_array_equal(out.numpy(), MATRIX.T)


def test_numpy_functions_on_tensors() -> None:
    x = torch.tensor(CUBE, requires_grad=True)
    for result, expected in [
        (np.reshape(x, (6, 4)), CUBE.reshape(6, 4)),
        (np.transpose(x), CUBE.T),
        (np.transpose(x, (0, 2, 1)), CUBE.transpose(0, 2, 1)),
        (np.swapaxes(x, 0, 2), CUBE.swapaxes(0, 2)),
        (np.moveaxis(x, 0, -1), np.moveaxis(CUBE, 0, -1)),
        (np.expand_dims(x, (0, -1)), CUBE[None, ..., None]),
        (np.squeeze(x[:1]), CUBE[0]),
        (np.broadcast_to(x, (2, 2, 3, 4)), np.broadcast_to(CUBE, (2, 2, 3, 4))),
        (np.ravel(x), CUBE.ravel()),
        (np.matrix_transpose(x), CUBE.swapaxes(1, 2)),
        (np.flip(x), CUBE[::-1, ::-1, ::-1]),
        (np.roll(x, 2, 1), np.roll(CUBE, 2, 1)),
        (np.tile(x, (2, 1)), np.tile(CUBE, (2, 1))),
        (np.repeat(x, 2, axis=1), np.repeat(CUBE, 2, axis=1)),
        (np.diagonal(x, 1, 1, 2), np.diagonal(CUBE, 1, 1, 2)),
        (np.trace(x[0]), np.trace(CUBE[0])),
        (np.tril(x, 1), np.tril(CUBE, 1)),
        (np.copy(x), CUBE),
        (np.pad(x, ((0, 1), (2, 0), (1, 1))), np.pad(CUBE, ((0, 1), (2, 0), (1, 1)))),
    ]:
        assert isinstance(result, torch.Tensor) and result.requires_grad
        np.testing.assert_array_equal(result.detach().numpy(), expected, strict=True)
    assert np.shape(x) == (2, 3, 4) and np.ndim(x) == 3 and np.size(x) == 24


# Memory


def test_strides_and_offsets() -> None:
    x = torch.ones(3, 4)
    assert x.stride() == (4, 1) and x.stride(0) == 4 and x.t().stride() == (1, 4)
    assert x.unsqueeze(1).stride() == (4, 4, 1) and x[None].stride() == (12, 4, 1)
    assert x.expand(2, 3, 4).stride() == (0, 4, 1)
    assert torch.ones(2, 0).stride() == (1, 1) and torch.ones(0, 3, 2).stride() == (6, 2, 1)
    assert x[1:].storage_offset() == 4 and x.t()[1].storage_offset() == 1
    assert x[1, 2].storage_offset() == 6 and x.detach().storage_offset() == 0
    assert x.is_contiguous() and not x.t().is_contiguous() and x[:, :1].t().t()[0].is_contiguous()
    assert x[1].data_ptr() - x.data_ptr() == 16
    assert x.is_set_to(x.detach()) and not x.is_set_to(x.view(12)) and x.is_same_size(x + 1)


def test_memory_formats() -> None:
    images = torch.ones(2, 3, 4, 5)
    last = images.contiguous(memory_format=torch.channels_last)
    assert last.stride() == (60, 1, 15, 3) and not last.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert last.contiguous(memory_format=torch.channels_last) is last
    assert last.clone().stride() == last.stride()
    assert last.clone(memory_format=torch.contiguous_format).stride() == images.stride()
    assert torch.ones(4).expand(3, 4).clone().stride() == (4, 1)
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        torch.ones(2).contiguous(memory_format=torch.channels_last)


def test_storages_are_shared_by_views() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    storage = x[1:].untyped_storage()
    assert storage.nbytes() == 24 and storage.data_ptr() == x.untyped_storage().data_ptr()
    with pytest.warns(UserWarning, match="TypedStorage is deprecated"):
        elements = x.t()[2].storage()
    assert elements.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] and elements[4] == 4.0
    assert elements.dtype is torch.float32 and len(elements) == 6
    elements[0] = 9.0
    assert x[0, 0] == 9.0
    far = x[1].as_strided((2, 2), (3, 1), 1)
    np.testing.assert_array_equal(far.numpy(), [[1, 2], [4, 5]])


def test_view_in_another_dtype() -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    bits = x.view(torch.int32)
    assert bits.tolist() == [0x3F800000, -0x40000000] and not bits.requires_grad
    assert x.view(torch.int16).shape == (4,) and x.view(torch.float64).shape == (1,)
    bits.fill_(0)
    assert x.tolist() == [0.0, 0.0] and x._version == 1


def test_resize_and_set() -> None:
    x = torch.arange(6.0)
    assert x.resize_(2, 2).tolist() == [[0.0, 1.0], [2.0, 3.0]] and x._version == 1
    assert x.resize_(2, 2)._version == 1
    assert x.resize_(3, 2).tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]  # it was kept
    assert x.resize_(10).tolist()[:6] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    other = torch.arange(3.0)
    x.set_(other)
    x[0] = 7.0
    assert other[0] == 7.0
    x.set_(other.untyped_storage(), 1, (2,), (1,))
    assert x.tolist() == [1.0, 2.0] and x.set_().shape == (0,)
    with pytest.raises(RuntimeError, match="cannot resize variables that require grad"):
        torch.ones(2, requires_grad=True).resize_(3)


def test_in_place_views() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        assert y.t_() is y and y.unsqueeze_(0) is y and y.squeeze_(0) is y
        y.swapaxes_(0, 1).transpose_(0, 1).as_strided_((4, 2), (2, 1))
        assert y._version == 6
        return y * torch.arange(8.0, dtype=torch.float64).reshape(4, 2) * y

    check_gradients(f, MATRIX)
    leaf = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used"):
        leaf.t_()


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "bool", "uint8"])
def test_other_dtypes_pass_through(kind: str) -> None:
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).to(getattr(torch, kind))
    for y in (x.t(), x.view(4), x.flip(0), x.tril(), x.repeat(1, 2), x.roll(1), x.unfold(0, 2, 1)):
        assert y.dtype is x.dtype
