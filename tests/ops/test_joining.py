"""Joining tensors and taking them apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import check_gradients

import leafgrad as torch

GENERATOR = np.random.default_rng(0)
A, B = GENERATOR.standard_normal((2, 3, 4))
CUBE = GENERATOR.standard_normal((2, 3, 4))
V, W = GENERATOR.standard_normal((2, 3))
NUMBER = np.array(0.5)

JOINS: list[tuple[str, Any, Any, tuple[Any, ...]]] = [
    ("cat", lambda *t: torch.cat(t), lambda *a: np.concatenate(a), (A, B[:1])),
    ("cat last", lambda *t: torch.cat(t, -1), lambda *a: np.concatenate(a, 1), (A, B[:, :2], A)),
    ("cat one", lambda *t: torch.cat(t), lambda *a: a[0], (A,)),
    ("cat empty", lambda *t: torch.cat(t, 1), lambda *a: a[1], (np.zeros(0), A)),
    ("stack", lambda *t: torch.stack(t, 1), lambda *a: np.stack(a, 1), (A, B)),
    ("stack last", lambda *t: torch.stack(t, -1), lambda *a: np.stack(a, -1), (A, A)),
    ("stack numbers", lambda *t: torch.stack(t), lambda *a: np.stack(a), (NUMBER, NUMBER)),
    ("hstack", lambda *t: torch.hstack(t), lambda *a: np.hstack(a), (A, B)),
    ("hstack vectors", lambda *t: torch.hstack(t), lambda *a: np.hstack(a), (V, NUMBER)),
    ("vstack", lambda *t: torch.vstack(t), lambda *a: np.vstack(a), (V, A[:, :3])),
    ("dstack", lambda *t: torch.dstack(t), lambda *a: np.dstack(a), (V, W)),
    ("column_stack", lambda *t: torch.column_stack(t), lambda *a: np.column_stack(a), (V, A)),
    ("block_diag", torch.block_diag, lambda a, v, n: np.block([
        [a, np.zeros((3, 4))], [np.zeros((1, 4)), v[None], np.zeros((1, 1))],
        [np.zeros((1, 7)), n.reshape(1, 1)]]), (A, V, NUMBER)),
    ("cartesian_prod", torch.cartesian_prod,
     lambda a, b: np.array([[p, q] for p in a for q in b]), (V, W[:2])),
    ("combinations", lambda v: torch.combinations(v, 2),
     lambda v: np.array([[v[0], v[1]], [v[0], v[2]], [v[1], v[2]]]), (V,)),
    ("combinations again", lambda v: torch.combinations(v, 2, True),
     lambda v: np.array([[v[i], v[j]] for i in range(3) for j in range(i, 3)]), (V,)),
]  # fmt: skip
PARTS: list[tuple[str, Any, Any]] = [
    ("split", lambda x: x.split(2, 1), lambda a: np.split(a, [2], 1)),
    ("split sizes", lambda x: x.split([1, 2], -2), lambda a: np.split(a, [1], 1)),
    ("split with nothing", lambda x: x.split([0, 4], 2), lambda a: np.split(a, [0], 2)),
    ("chunk", lambda x: x.chunk(3, 2), lambda a: np.split(a, [2], 2)),
    ("tensor_split", lambda x: x.tensor_split(3, 2), lambda a: np.array_split(a, 3, 2)),
    ("tensor_split at", lambda x: x.tensor_split((1, 7), 1), lambda a: np.split(a, [1, 7], 1)),
    ("hsplit", lambda x: x.hsplit(3), lambda a: np.hsplit(a, 3)),
    ("vsplit", lambda x: x.vsplit([1]), lambda a: np.vsplit(a, [1])),
    ("dsplit", lambda x: x.dsplit(2), lambda a: np.dsplit(a, 2)),
    ("unbind", lambda x: x.unbind(1), lambda a: list(a.swapaxes(0, 1))),
    ("iteration", tuple, list),
    ("unsafe_split", lambda x: x.unsafe_split(2, 2), lambda a: np.split(a, [2], 2)),
    ("unsafe_chunk", lambda x: x.unsafe_chunk(2), lambda a: np.split(a, 2)),
    ("unsafe sizes", lambda x: x.unsafe_split_with_sizes([3, 1], 2), lambda a: np.split(a, [3], 2)),
    ("unbind_copy", torch.unbind_copy, list),
    ("split_copy", lambda x: torch.split_copy(x, 1), lambda a: np.split(a, 2)),
    ("sizes copy", lambda x: torch.split_with_sizes_copy(x, [2]), lambda a: [a]),
]


@pytest.mark.parametrize("name, ours, theirs, arrays", JOINS, ids=[j[0] for j in JOINS])
def test_joining(name: str, ours: Any, theirs: Any, arrays: Any) -> None:
    for kind in (np.float64, np.float32, np.int64):
        typed = [a.astype(kind) for a in arrays]
        expected = theirs(*typed).astype(kind)
        np.testing.assert_array_equal(ours(*map(torch.tensor, typed)), expected, strict=True)
    check_gradients(lambda *t: ours(*t) * ours(*t), *arrays)


@pytest.mark.parametrize("name, ours, theirs", PARTS, ids=[p[0] for p in PARTS])
def test_taking_apart(name: str, ours: Any, theirs: Any) -> None:
    x = torch.tensor(CUBE)
    parts = ours(x)
    assert isinstance(parts, tuple)
    for part, expected in zip(parts, theirs(CUBE), strict=True):
        np.testing.assert_array_equal(part, expected, strict=True)
        assert np.shares_memory(part.numpy(), x.numpy()) == (
            "copy" not in name and part.numel() > 0
        )
    # The first part alone, all of them, and all but the first.
    check_gradients(lambda x: ours(x)[0] ** 3, CUBE)
    for begin in (0, 1):
        check_gradients(
            lambda x, b=begin: torch.cat([(p**3 * i).flatten() for i, p in enumerate(ours(x))][b:])
            if len(ours(x)) > b else x * 2,
            CUBE,
        )  # fmt: skip


def test_parts_are_views_that_may_not_be_written_to() -> None:
    x = torch.tensor(CUBE, requires_grad=True) * 1
    for parts, name in ((x.split(1), "Split"), (x.unbind(), "Unbind"), (x.chunk(2), "Split")):
        with pytest.raises(RuntimeError, match=f"Output 0 of {name} is a view and is being mod"):
            parts[0].mul_(2)
    with pytest.raises(RuntimeError, match="Output 1 of SplitWithSizes is a view and is being"):
        x.split([1, 1])[1].mul_(2)
    x.tensor_split(2)[0].mul_(2)
    x.unsafe_chunk(2)[0].mul_(2)
    assert x._version == 1  # the parts of unsafe_chunk do not count as views


def test_dtypes_are_promoted_and_gradients_cast_back() -> None:
    f = torch.tensor([1.0, 2.0], requires_grad=True)
    d = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    joined = torch.cat([f, torch.tensor([7]), d])
    assert joined.dtype is torch.float64
    joined.sum().backward()
    assert f.grad.dtype is torch.float32 and d.grad.dtype is torch.float64
    assert torch.stack([torch.tensor([1]), torch.tensor([True])]).dtype is torch.int64
    assert torch.block_diag(torch.tensor([1]), f).dtype is torch.float32


def test_nodes() -> None:
    x = torch.tensor(A, requires_grad=True)
    for result, names in [
        (torch.cat([x, x]), ["CatBackward0"]),
        (torch.vstack([x[0], x[0]]), ["CatBackward0", "UnsqueezeBackward0", "SelectBackward0"]),
        (torch.stack([x]), ["StackBackward0"]),
        (x.split(2)[1], ["SplitBackward0"]),
        (x.split([1, 2])[1], ["SplitWithSizesBackward0"]),
        (x.tensor_split(2)[1], ["SliceBackward0"]),
        (next(iter(x)), ["UnbindBackward0"]),
        (torch.meshgrid(x[0], x[0], indexing="ij")[1], ["ExpandBackward0", "ViewBackward0"]),
    ]:
        node = result.grad_fn
        for name in names:
            assert node.name() == name
            node = node.next_functions[0][0]
    assert len(torch.cat([x, x]).grad_fn.next_functions) == 2
    assert x.unbind()[2].output_nr == 2


def test_meshgrid() -> None:
    for indexing in ("ij", "xy"):
        ours = torch.meshgrid(torch.tensor(V), torch.tensor(W[:2]), indexing=indexing)
        theirs = np.meshgrid(V, W[:2], indexing=indexing)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    check_gradients(lambda v, w: torch.meshgrid(v, w, indexing="xy")[0] * w[:, None], V, W)
    with pytest.warns(UserWarning, match="it will be required to pass the indexing argument"):
        torch.meshgrid(torch.ones(2))


def test_wrong_calls() -> None:
    x, v, n = torch.tensor(A), torch.tensor(V), torch.tensor(NUMBER)
    for call, kind, message in [
        (lambda: torch.cat([]), ValueError, "torch.cat(): expected a non-empty list of Tensors"),
        (lambda: torch.cat([x, v]), RuntimeError, "Tensors must have same number of dimensions: g"),
        (lambda: torch.cat([x, x[:, :2]]), RuntimeError, "Sizes of tensors must match except in d"),
        (lambda: torch.cat([n]), RuntimeError, "zero-dimensional tensor (at position 0) cannot be"),
        (lambda: torch.cat([x], 2), IndexError, "Dimension out of range (expected to be in range"),
        (lambda: torch.cat(x), TypeError, "cat(): argument 'tensors' (position 1) must be tuple o"),
        (lambda: torch.cat([x, 1]), TypeError, "expected Tensor as element 1 in argument 0, but g"),
        (lambda: torch.stack([]), RuntimeError, "stack expects a non-empty TensorList"),
        (lambda: torch.stack([x, v]), RuntimeError, "stack expects each tensor to be equal size,"),
        (lambda: x.split(0), RuntimeError, "split_size can only be 0 if dimension size is 0, but"),
        (lambda: x.split([1, 1]), RuntimeError, "split_with_sizes expects split_sizes to sum exa"),
        (lambda: x.chunk(0), RuntimeError, "chunk expects `chunks` to be greater than 0, got: 0"),
        (lambda: n.unbind(), IndexError, "Dimension specified as 0 but tensor has no dimensions"),
        (lambda: iter(n), TypeError, "iteration over a 0-d tensor"),
        (lambda: x.hsplit(3), RuntimeError, "torch.hsplit attempted to split along dimension 1, b"),
        (lambda: v.vsplit(3), RuntimeError, "torch.vsplit requires a tensor with at least 2 dime"),
        (lambda: x.tensor_split(0), RuntimeError, "number of sections must be larger than 0, got"),
        (lambda: torch.block_diag(torch.ones(1, 1, 1)), RuntimeError, "torch.block_diag: Input te"),
        (lambda: torch.cartesian_prod(x), RuntimeError, "Expect a 1D vector, but got shape [3, 4"),
        (lambda: torch.combinations(v, -1), RuntimeError, "Expect a non-negative number, but got"),
    ]:
        with pytest.raises(kind) as caught:
            call()
        assert str(caught.value).startswith(message)


def test_out() -> None:
    out = torch.empty(0, dtype=torch.float64)
    assert torch.cat([torch.tensor(A), torch.tensor(B)], 1, out=out) is out
    np.testing.assert_array_equal(out, np.concatenate([A, B], 1))
    with pytest.raises(TypeError, match="input types can't be cast to the desired output type Lo"):
        torch.stack([torch.tensor(A)], out=torch.empty(0, dtype=torch.int64))


def test_numpy_functions_on_tensors() -> None:
    x = torch.tensor(A, requires_grad=True)
    for result, expected in [
        (np.concatenate([x, B]), np.concatenate([A, B])),
        (np.concatenate([x, B], axis=None), np.concatenate([A, B], axis=None)),
        (np.stack([x, x], axis=1), np.stack([A, A], axis=1)),
        (np.vstack([x, B]), np.vstack([A, B])),
        (np.split(x, 2, axis=1)[1], np.split(A, 2, axis=1)[1]),
        (np.array_split(x, 2)[0], np.array_split(A, 2)[0]),
    ]:
        assert isinstance(result, torch.Tensor) and result.requires_grad
        np.testing.assert_array_equal(result.detach(), expected, strict=True)
