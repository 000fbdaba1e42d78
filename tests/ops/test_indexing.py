"""x[...], x[...] = value, slices, filling and copying."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import check_gradients

import leafgrad as torch

GENERATOR = np.random.default_rng(0)
CUBE = GENERATOR.standard_normal((2, 3, 4))
MATRIX = GENERATOR.standard_normal((3, 4))
VECTOR = GENERATOR.standard_normal(4)
FLIPPED = CUBE.transpose(2, 0, 1).copy().transpose(1, 2, 0)  # not in order in memory
ROWS = np.array([2, 0, 2])
PLACES = np.array([[0, 1], [-1, 1]])
MASK = MATRIX > 0

# Indices that mean the same to NumPy.
INDICES: list[Any] = [
    0, -1, slice(None), slice(1, None), slice(-2, 10), slice(3, 1), slice(None, None, 2), None, ...,
    (), (0, 1), (0, 1, 2), (slice(None), 1), (..., 0), (0, ..., 1), (None, 0, ..., None),
    (slice(None), None, slice(0, 2), slice(1, 4, 2)), (slice(0, 1), slice(2, 3)), True, False,
    (slice(None), ROWS), (..., ROWS), PLACES, (PLACES, slice(1, 3)), (ROWS - 1, ROWS),
    (slice(None), ROWS, ROWS), (PLACES[:, 0, None], slice(None), ROWS), ([0, 1], [2, 2]),
    (slice(None), MASK), (slice(None), MASK[:, 0]), (MASK[:2, 0], slice(0, 2), [1, 0, 3][:1]),
    (slice(1, None), MASK[:, 1], None), np.array([], dtype=np.int64), (slice(None), [], 0),
    np.array(1), np.array(True), (None, PLACES), (PLACES, None),
]  # fmt: skip


def ours(index: Any) -> Any:
    """An index with tensors for its arrays."""
    if isinstance(index, tuple):
        return tuple(ours(i) for i in index)
    return torch.tensor(index) if isinstance(index, np.ndarray) else index


@pytest.mark.parametrize("index", INDICES, ids=repr)
@pytest.mark.parametrize("array", [CUBE, FLIPPED], ids=["in order", "flipped"])
def test_reading(index: Any, array: Any) -> None:
    x = torch.from_numpy(array)
    for each in (index, ours(index)):
        np.testing.assert_array_equal(x[each], np.asarray(array[index]), strict=True)
    check_gradients(lambda x: x[ours(index)] ** 3, array)


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_writing(index: Any) -> None:
    expected = CUBE.copy()
    place = np.asarray(expected[index])
    values = GENERATOR.standard_normal(place.shape)
    for written in (values, values[..., :1] if values.ndim else values, 2.5):
        expected[index] = written
        x = torch.tensor(CUBE)
        x[ours(index)] = torch.tensor(written) if isinstance(written, np.ndarray) else written
        np.testing.assert_array_equal(x, expected)
        assert x._version == (0 if index is False else 1)
        expected = CUBE.copy()

    def f(x: Any, values: Any) -> Any:
        y = x * 1
        y[ours(index)] = values
        return y**3

    expected[index] = np.arange(place.size).reshape(place.shape)
    if np.array_equal(expected[index].ravel(), np.arange(place.size)):  # no element is named twice
        check_gradients(f, CUBE, values)


def test_the_gradient_of_elements_written_twice_goes_to_all_that_was_written() -> None:
    x, values = torch.zeros(3), torch.tensor([1.0, 2.0], requires_grad=True)
    x[torch.tensor([1, 1])] = values
    x.sum().backward()
    assert x.tolist() == [0.0, 2.0, 0.0] and values.grad.tolist() == [1.0, 1.0]


def test_integers_do_not_move_the_dimensions_of_index_tensors() -> None:
    x, rows = torch.tensor(CUBE), torch.tensor(ROWS)
    np.testing.assert_array_equal(x[0, :, rows], CUBE[0][:, ROWS], strict=True)  # NumPy: [3, 3].T
    np.testing.assert_array_equal(x[rows - 1, 1, rows], CUBE[:, 1][ROWS - 1, ROWS])
    np.testing.assert_array_equal(x[:, torch.tensor(1)], CUBE[:, 1])


def test_lists_ranges_and_numpy_scalars() -> None:
    x = torch.tensor(MATRIX)
    np.testing.assert_array_equal(x[[0, 2]], MATRIX[[0, 2]])
    np.testing.assert_array_equal(x[[True, False, True]], MATRIX[[0, 2]])
    np.testing.assert_array_equal(x[range(2)], MATRIX[:2])
    np.testing.assert_array_equal(x[np.int64(1), np.int32(2)], MATRIX[1, 2])
    np.testing.assert_array_equal(x[torch.tensor(1) :], MATRIX[1:])
    np.testing.assert_array_equal(x[torch.tensor([1, 0], dtype=torch.int32)], MATRIX[[1, 0]])
    with pytest.warns(UserWarning, match="Using a non-tuple sequence for multidimensional index"):
        np.testing.assert_array_equal(x[[[0, 1], [2, 3]]], MATRIX[[0, 1], [2, 3]])
    with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated"):
        mask = torch.tensor([1, 0, 1], dtype=torch.uint8)
        np.testing.assert_array_equal(x[mask], MATRIX[[0, 2]])


def names(t: Any) -> list[str]:
    found, node = [], t.grad_fn
    while node is not None and "Accumulate" not in node.name():
        found.append(node.name().removesuffix("Backward0").rpartition("::")[2])
        node = node.next_functions[0][0]
    return found


def test_a_chain_of_views_a_node_each() -> None:
    x = torch.tensor(CUBE, requires_grad=True)
    rows = torch.tensor([0, 1])
    for index, chain in [
        (0, ["Select"]),
        ((0, 1, 2), ["Select"] * 3),
        ((0, slice(1, 2), None, 3), ["Select", "Unsqueeze", "Slice", "Select"]),
        (slice(None), ["Slice"]),
        ((slice(None), slice(None)), ["Alias"]),
        ((slice(None), 0), ["Select"]),
        (..., ["Alias"]),
        (None, ["Unsqueeze"]),
        (rows, ["Index"]),
        ((0, rows), ["Index", "Select"]),
        (torch.tensor(1), ["Select"]),
        (True, ["Index", "Unsqueeze"]),
    ]:
        result = x[index]
        assert names(result) == chain
        assert result._is_view() == ("Index" not in chain)
    assert x[0, 1]._base is x
    assert x[1].grad_fn._saved_dim == 0 and x[1].grad_fn._saved_index == 1
    assert x[1].grad_fn._saved_self_sym_sizes == (2, 3, 4)


def test_nodes_of_writes() -> None:
    rows = torch.tensor([0, 1])
    for index, chain in [
        (0, ["CopySlices"]),
        ((slice(None), rows), ["IndexPut"]),
        ((0, rows), ["CopySlices"]),
        (..., ["FillBackward3"]),
        (torch.tensor(CUBE > 0), ["IndexPut"]),
    ]:
        x = torch.tensor(CUBE, requires_grad=True) * 1
        x[index] = 1.0
        assert names(x) == [*chain, "Mul"]
    x[:] = torch.ones(4, dtype=torch.float64)
    assert x.grad_fn.name() == "torch::autograd::CopyBackwards"


def test_zero_dimensional_results_are_views() -> None:
    x = torch.tensor(VECTOR)
    x[1].fill_(5.0)
    x[2] += 1
    assert x[1] == 5.0 and x[2] == VECTOR[2] + 1 and x[0].shape == ()


def test_gradient_of_an_element_used_twice() -> None:
    x = torch.tensor(VECTOR, requires_grad=True)
    (x[[1, 1, 2]] * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 11, 100, 0])


def test_what_is_written_is_cast_except_at_index_tensors() -> None:
    x = torch.zeros(2, 3)
    x[0] = torch.ones(3, dtype=torch.float64)
    x[x == 0] = torch.tensor(2, dtype=torch.int64)
    assert x.tolist() == [[1.0] * 3, [2.0] * 3] and x.dtype is torch.float32
    with pytest.raises(RuntimeError, match="Index put requires the source and destination dtypes"):
        x[torch.tensor([0])] = torch.ones(3, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.int64)
    counts[0] = 2.9
    counts[torch.tensor([1])] = 3.9
    assert counts.tolist() == [2, 3]
    flags = torch.zeros(2, dtype=torch.bool)
    flags[1] = 7
    assert flags.tolist() == [False, True]


def test_writes_that_overlap() -> None:
    x = torch.arange(6.0)
    for write in (
        lambda: x.__setitem__(slice(1, None), x[:-1]),
        lambda: x.__setitem__(torch.arange(5), x[1:]),
        lambda: x.index_add_(0, torch.tensor([0, 1]), x[1:3]),
    ):
        with pytest.raises(RuntimeError, match="refer to a single memory location"):
            write()
    x[:] = x
    x[::2] = x[1::2]
    assert x.tolist() == [1, 1, 3, 3, 5, 5]
    assert x._version == 2


def test_indices_saved_for_backward_must_not_change() -> None:
    x = torch.tensor(VECTOR, requires_grad=True)
    for index in (torch.tensor([0, 1]), torch.tensor(VECTOR > 0)):
        y = x[index]
        index[0] = 0
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
    y = x[torch.tensor([0, 1])]
    y.sum().backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.sum().backward()
    y = x[1]  # saves nothing
    y.backward()
    y.backward()


def test_wrong_indices() -> None:
    x, number = torch.tensor(MATRIX), torch.tensor(1.0)
    i, wide = torch.tensor([0, 2]), torch.tensor(MASK)
    for index, kind, message in [
        (3, IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
        (-4, IndexError, "index -4 is out of bounds for dimension 0 with size 3"),
        ((0, 4), IndexError, "index 4 is out of bounds for dimension 1 with size 4"),
        ((0, 0, 0), IndexError, "too many indices for tensor of dimension 2"),
        ((i, i, i), IndexError, "too many indices for tensor of dimension 2"),
        ((wide, 0), IndexError, "too many indices for tensor of dimension 2"),
        (slice(None, None, -1), ValueError, "step must be greater than zero"),
        (slice(None, None, 0), ValueError, "slice step cannot be zero"),
        (1.0, IndexError, "only integers, slices (`:`), ellipsis (`...`), None and long or byte"),
        ("a", TypeError, "new(): invalid data type 'str'"),
        (torch.tensor([1.0]), IndexError, "tensors used as indices must be long, int, byte or"),
        (wide[:2], IndexError, "The shape of the mask [2, 4] at index 0 does not match the shape"),
        (wide[:, :2], IndexError, "The shape of the mask [3, 2] at index 1 does not match the"),
        (torch.tensor([0, 3]), IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
        ((i, [0, 1, 2]), IndexError, "shape mismatch: indexing tensors could not be broadcast tog"),
        (slice("a", None), TypeError, "slice indices must be integers or None or have an __index"),
    ]:
        for use in (lambda index: x[index], lambda index: x.__setitem__(index, 0.0)):
            with pytest.raises(kind) as caught:
                use(index)
            assert str(caught.value).startswith(message)
    with pytest.raises(IndexError, match="invalid index of a 0-dim tensor"):
        number[0]
    with pytest.raises(IndexError, match=r"slice\(\) cannot be applied to a 0-dim tensor."):
        number[:]
    assert x.tolist() == MATRIX.tolist() and x._version == 0


def test_wrong_values() -> None:
    x, y = torch.tensor(MATRIX, dtype=torch.float32), torch.arange(4.0)
    for index, value, kind, message in [
        (0, y[:2], RuntimeError, "The expanded size of the tensor (4) must match the existing siz"),
        (0, x, RuntimeError, "expand(torch.FloatTensor{[3, 4]}, size=[4]): the number of sizes p"),
        ([0], y[:2], RuntimeError, "shape mismatch: value tensor of shape [2] cannot be broadcast"),
        (0, "a", TypeError, "can't assign a str to a torch.FloatTensor"),
        (0, [1.0] * 4, TypeError, "can't assign a list to a torch.FloatTensor"),
        (0, VECTOR, TypeError, "can't assign a numpy.ndarray to a torch.FloatTensor"),
        (0, 1j, RuntimeError, "value cannot be converted to type float without overflow"),
        (0, 1e40, RuntimeError, "value cannot be converted to type float without overflow"),
    ]:
        with pytest.raises(kind) as caught:
            x[index] = value
        assert str(caught.value).startswith(message)
    leaf = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad is being"):
        leaf[0] = 1.0
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in"):
        leaf[torch.tensor([0])] = 1.0


def test_select_narrow_and_their_scatters() -> None:
    for f in [
        lambda x: x.select(1, -1),
        lambda x: x.narrow(2, 1, 2),
        lambda x: x.narrow(0, torch.tensor(-1), 1),
        lambda x: torch.select_copy(x, 0, 1),
        lambda x: torch.slice_copy(x, 1, 0, 3, 2),
        lambda x: torch.narrow_copy(x, 2, 0, 3),
    ]:
        check_gradients(lambda x, f=f: f(x) ** 3, CUBE)
    check_gradients(lambda x, s: torch.select_scatter(x, s, 1, 2) ** 3, CUBE, CUBE[:, 0])
    check_gradients(lambda x, s: torch.slice_scatter(x, s, 2, 1, 4, 2) ** 3, CUBE, CUBE[..., :2])
    np.testing.assert_array_equal(torch.tensor(CUBE).select(1, 2), CUBE[:, 2], strict=True)
    np.testing.assert_array_equal(torch.tensor(CUBE).narrow(2, -3, 2), CUBE[..., 1:3], strict=True)
    x = torch.tensor(MATRIX)
    for call, kind, message in [
        (lambda: x.select(0, 3), IndexError, "select(): index 3 out of range for tensor of size"),
        (lambda: x[0, 0].select(0, 0), IndexError, "select() cannot be applied to a 0-dim tensor."),
        (lambda: x.narrow(0, 2, 2), RuntimeError, "start (2) + length (2) exceeds dimension size"),
        (lambda: x.narrow(0, 4, 1), IndexError, "start out of range (expected to be in range of"),
        (lambda: x.narrow(0, 0, -1), RuntimeError, "narrow(): length must be non-negative."),
        (lambda: torch.select_scatter(x, x, 0, 1), RuntimeError, "expected src to have a size equ"),
    ]:
        with pytest.raises(kind) as caught:
            call()
        assert str(caught.value).startswith(message)


def test_filling_and_copying() -> None:
    def f(x: Any, v: Any, n: Any) -> Any:
        y = x * 1
        y[0].fill_(n)
        y[1].copy_(v)
        y[2, :2].zero_()
        y[2, 3:].fill_(2.0)
        return y**3 * torch.fill(x, n)

    check_gradients(f, MATRIX, VECTOR, np.array(0.5))
    x = torch.ones(3, 4)
    assert x.fill_(2) is x and x.zero_() is x and x.copy_(torch.arange(4)) is x
    assert x.tolist() == [[0.0, 1.0, 2.0, 3.0]] * 3 and x._version == 3
    assert torch.zeros(2, dtype=torch.uint8).fill_(-1).tolist() == [255, 255]
    d = x.detach().clone().fill_diagonal_(9.0)
    assert d.tolist() == [[9, 1, 2, 3], [0, 9, 2, 3], [0, 1, 9, 3]]
    tall = torch.zeros(7, 3).fill_diagonal_(1, wrap=True)
    assert tall.nonzero().tolist() == [[0, 0], [1, 1], [2, 2], [4, 0], [5, 1], [6, 2]]
    for call, kind, message in [
        (lambda: x.fill_(x), RuntimeError, "fill_ only supports 0-dimension value tensor but got"),
        (lambda: x.fill_(1j), RuntimeError, "value cannot be converted to type float without ove"),
        (lambda: x.copy_(torch.ones(2, 3, 4)), RuntimeError, "output with shape [3, 4] doesn't m"),
        (lambda: x.copy_(torch.ones(2)), RuntimeError, "The size of tensor a (4) must match the s"),
        (lambda: x.copy_([1.0]), TypeError, "copy_(): argument 'other' (position 1) must be Tens"),
        (lambda: d[0].fill_diagonal_(1), RuntimeError, "dimensions must larger than 1"),
    ]:
        with pytest.raises(kind) as caught:
            call()
        assert str(caught.value).startswith(message)


def test_copying_casts_and_so_does_its_gradient() -> None:
    f = torch.tensor([1.5, 2.5], requires_grad=True)
    y = torch.zeros(2, 2, dtype=torch.float64)
    y.copy_(f)
    y.sum().backward()
    assert f.grad.dtype is torch.float32 and f.grad.tolist() == [2.0, 2.0]
    with pytest.warns(UserWarning, match="Casting complex values to real discards the imaginary"):
        assert torch.zeros(1).copy_(torch.tensor([1 + 2j])).tolist() == [1.0]


def test_index_put() -> None:
    i, j = torch.tensor([0, 0, 2]), torch.tensor([1, 1, 3])
    values = VECTOR[:3]
    for accumulate in (False, True):
        expected = MATRIX.copy()
        if accumulate:
            np.add.at(expected, ([0, 0, 2], [1, 1, 3]), values)
        else:
            expected[[0, 0, 2], [1, 1, 3]] = values
        x, v = torch.tensor(MATRIX), torch.tensor(values)
        np.testing.assert_array_equal(torch.index_put(x, (i, j), v, accumulate), expected)
        x.index_put_((i, j), v, accumulate)
        np.testing.assert_array_equal(x, expected)
    check_gradients(lambda x, v: x.index_put((i, j), v, True) ** 3, MATRIX, values)
    mask = torch.tensor(MASK[0])
    check_gradients(lambda x, v: x.t().index_put((mask,), v, True) ** 3, MATRIX, VECTOR[:3])
    with pytest.raises(IndexError, match=r"too many indices for tensor of dimension 2 \(got 3\)"):
        x.index_put((i, i, i), x)


def test_nonzero() -> None:
    for array in (MATRIX * (MATRIX > 0), np.array([0, 3, 0, 1]), np.zeros((2, 0)), MASK):
        x = torch.tensor(array)
        assert torch.nonzero(x).tolist() == np.argwhere(array).tolist()
        assert torch.argwhere(x).dtype is torch.int64
        for ours_, theirs in zip(x.nonzero(as_tuple=True), np.nonzero(array), strict=True):
            np.testing.assert_array_equal(ours_, theirs)
    assert torch.tensor(5).nonzero().shape == (1, 0) and torch.tensor(0).nonzero().shape == (0, 0)
    assert torch.nonzero_static(torch.tensor([1, 0, 2]), size=3).tolist() == [[0], [2], [-1]]
    found = torch.unravel_index(torch.tensor([5, 11]), (3, 4))
    assert [t.tolist() for t in found] == [[1, 2], [1, 3]]


def test_membership_and_order() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert 3 in x and torch.tensor(4.0) in x and 5 not in x
    assert [row.tolist() for row in reversed(x)] == [[3.0, 4.0], [1.0, 2.0]]
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        "a" in x  # noqa: B015


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "bool", "uint8", "complex64", "int32"])
def test_other_dtypes(kind: str) -> None:
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).to(getattr(torch, kind))
    i = torch.tensor([1, 0])
    assert all(y.dtype is x.dtype for y in (x[0], x[i], x[i, i], x[x == 1], x[..., None]))
    x[0] = x[1]
    x[i] = x.clone()
    x[0, 0] = True
    assert x.to(torch.float32).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    if x.is_floating_point():
        leaf = x.clone().requires_grad_()
        leaf[[0, 0]].sum().backward()
        assert leaf.grad.dtype is x.dtype and leaf.grad.float().tolist() == [[2, 2], [0, 0]]
