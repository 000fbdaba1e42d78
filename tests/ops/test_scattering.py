"""Gathering and scattering by index tensors and masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import check_gradients

import leafgrad as torch

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((3, 4))
SOURCE = GENERATOR.standard_normal((2, 4))
CUBE = GENERATOR.standard_normal((2, 3, 4))
NUMBER = np.array(0.5)
INDEX = torch.tensor([[0, 2, 1, 2], [2, 2, 0, 1]])  # along dimension 0 of X
ROWS = torch.tensor([2, 0])
TWICE = torch.tensor([2, 2])
MASK = X > 0


def scattered(combine: Callable[[float, float], float], start: Any = X) -> Any:
    """SOURCE combined into a copy of X along dimension 0, an element at a time."""
    found = start.copy()
    for i, j in np.ndindex(2, 4):
        place = INDEX[i, j].item(), j
        found[place] = combine(found[place], SOURCE[i, j])
    return found


def test_gather() -> None:
    expected = np.take_along_axis(X, INDEX.numpy(), 0)
    np.testing.assert_array_equal(torch.tensor(X).gather(0, INDEX), expected)
    part = torch.tensor([[3], [0]])  # smaller than X along every dimension
    np.testing.assert_array_equal(torch.gather(torch.tensor(X), 1, part), [[X[0, 3]], [X[1, 0]]])
    for dim, index in ((0, INDEX), (1, part), (-1, torch.zeros(0, 2, dtype=torch.int64))):
        check_gradients(lambda x, d=dim, i=index: x.gather(d, i) ** 3, X)
    check_gradients(lambda x: x.gather(0, torch.tensor([0, 0])) ** 3, NUMBER)
    check_gradients(lambda x: x.gather(0, torch.tensor(2)) ** 3, X[0])


def test_scatter() -> None:
    x, source = torch.tensor(X), torch.tensor(SOURCE)
    for result, expected in [
        (x.scatter(0, INDEX, source), scattered(lambda have, new: new)),
        (x.scatter(0, INDEX, 7.0), scattered(lambda have, new: 7.0)),
        (x.scatter(0, INDEX, value=7), scattered(lambda have, new: 7.0)),
        (x.scatter_add(0, INDEX, source), scattered(lambda have, new: have + new)),
        (x.scatter(0, INDEX, 2.0, reduce="multiply"), scattered(lambda have, new: have * 2)),
    ]:
        np.testing.assert_allclose(result, expected, rtol=1e-15)
    np.testing.assert_array_equal(x, X)
    assert x.scatter_(0, INDEX, source) is x and x._version == 1
    np.testing.assert_array_equal(x, scattered(lambda have, new: new))
    x.scatter_add_(0, INDEX, source)
    assert x._version == 2
    with pytest.warns(UserWarning, match="The reduce argument of torch.scatter with Tensor src is"):
        summed = torch.tensor(X).scatter_(0, INDEX, source, reduce="add")
    np.testing.assert_allclose(summed, scattered(lambda have, new: have + new), rtol=1e-15)


def test_gradients_of_scatter() -> None:
    single = torch.tensor([[0, 2, 1, 2], [2, 1, 0, 1]])  # names no element twice
    check_gradients(lambda x, s: x.scatter(0, single, s) ** 3, X, SOURCE)
    check_gradients(lambda x: x.scatter(0, INDEX, 2.0) ** 3, X)
    check_gradients(lambda x, s: x.scatter_add(0, INDEX, s) ** 3, X, SOURCE)
    # A source larger than the index: the rest gets no gradient.
    check_gradients(lambda x, s: x.scatter(1, torch.tensor([[3, 1]]), s) ** 3, X, SOURCE)
    check_gradients(lambda x, s: x.scatter_add(0, torch.tensor(0), s) ** 3, NUMBER, NUMBER)
    check_gradients(lambda x, s: (x * 1).t().scatter_(1, single.t(), s.t()) ** 3, X, SOURCE)


REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": sum, "mean": lambda v: sum(v) / len(v), "amax": max, "amin": min,
    "prod": lambda v: float(np.prod(v)),
}  # fmt: skip


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_scatter_reduce(reduce: str, include_self: bool) -> None:
    groups: Any = [[[X[i, j]] if include_self else [] for j in range(4)] for i in range(3)]
    for i, j in np.ndindex(2, 4):
        groups[INDEX[i, j].item()][j].append(SOURCE[i, j])
    expected = [[REDUCTIONS[reduce](g) if g else X[i, j] for j, g in enumerate(row)]
                for i, row in enumerate(groups)]  # fmt: skip

    def f(x: Any, s: Any) -> Any:
        return x.scatter_reduce(0, INDEX, s, reduce, include_self=include_self)

    np.testing.assert_allclose(f(torch.tensor(X), torch.tensor(SOURCE)), expected, rtol=1e-14)
    check_gradients(lambda x, s: f(x, s) ** 2, X, SOURCE)
    in_place = torch.tensor(X)
    in_place.scatter_reduce_(0, INDEX, torch.tensor(SOURCE), reduce, include_self=include_self)
    np.testing.assert_allclose(in_place, expected, rtol=1e-14)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
@pytest.mark.filterwarnings("ignore:index_reduce")
def test_index_reduce(reduce: str, include_self: bool) -> None:
    groups = [[X[2]] if include_self else [], SOURCE]
    stacked = np.concatenate([np.asarray(g).reshape(-1, 4) for g in groups])
    expected = X.copy()
    expected[2] = [REDUCTIONS[reduce](list(column)) for column in stacked.T]

    def f(x: Any, s: Any) -> Any:
        return x.index_reduce(0, TWICE, s, reduce, include_self=include_self)

    np.testing.assert_allclose(f(torch.tensor(X), torch.tensor(SOURCE)), expected, rtol=1e-14)
    check_gradients(lambda x, s: f(x, s) ** 2, X, SOURCE)


def test_ties_and_zeros_in_reductions() -> None:
    """PyTorch's values: ties share the gradient; the factor that is alone zero gets the others'
    product, and two zeros make all gradients zero."""
    index = torch.tensor([0, 0])

    def gradients(reduce: str, *values: float) -> list[float]:
        s = torch.tensor(values, requires_grad=True)
        torch.ones(1).scatter_reduce(0, index, s, reduce, include_self=False).sum().backward()
        return s.grad.tolist()  # type: ignore[no-any-return]

    assert gradients("amax", 1.0, 1.0) == [0.5, 0.5]
    assert gradients("prod", 0.0, 3.0) == [3.0, 0.0]
    assert gradients("prod", 0.0, 0.0) == [0.0, 0.0]
    zeros = np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
    many = torch.zeros(2, 3, dtype=torch.int64)
    for start in (np.array([[1.5, 0.0, 2.0]]), np.array([[0.0, 2.0, 3.0]])):
        check_gradients(lambda x, s: x.scatter_reduce(0, many, s, "prod") ** 2, start, zeros)


def test_integer_means_round_down() -> None:
    x, s = torch.tensor([-5, 1]), torch.tensor([-5, -4])
    index = torch.tensor([0, 0])
    assert x.scatter_reduce(0, index, s, "mean").tolist() == [-5, 1]
    assert x.scatter_reduce(0, index, s, "amax", include_self=False).tolist() == [-4, 1]


def test_slices() -> None:
    x, source = torch.tensor(X), torch.tensor(SOURCE)
    added, copied, filled = X.copy(), X.copy(), X.copy()
    np.add.at(added, [2, 2], 2 * SOURCE)
    copied[[2, 0]], filled[[2, 0]] = SOURCE, 7.0
    for result, expected in [
        (x.index_select(0, TWICE), X[[2, 2]]),
        (x.index_select(1, torch.tensor(1, dtype=torch.int32)), X[:, [1]]),
        (x.index_add(0, TWICE, source, alpha=2), added),
        (x.index_copy(0, ROWS, source), copied),
        (x.index_fill(0, ROWS, 7.0), filled),
        (x.t().index_add(1, TWICE, source.t(), alpha=2), added.T),
    ]:
        np.testing.assert_array_equal(result, expected, strict=True)
    for in_place, expected in [
        (x.clone().index_add_(0, TWICE, source, alpha=2), added),
        (x.clone().index_copy_(0, ROWS, source), copied),
        (x.clone().index_fill_(0, ROWS, torch.tensor(7)), filled),
    ]:
        np.testing.assert_array_equal(in_place, expected, strict=True)
        assert in_place._version == 1


def test_gradients_of_slices() -> None:
    check_gradients(lambda x: x.index_select(1, torch.tensor([3, 0, 3])) ** 3, X)
    check_gradients(lambda x: x.index_select(0, torch.tensor(0)) ** 3, NUMBER)
    check_gradients(lambda x, s: x.index_add(0, TWICE, s, alpha=-0.5) ** 3, X, SOURCE)
    check_gradients(lambda x, s: x.index_copy(0, ROWS, s) ** 3, X, SOURCE)
    check_gradients(lambda x: x.index_fill(1, torch.tensor([1, 1]), 2.0) ** 3, X)
    check_gradients(lambda x, n: x.index_fill(1, torch.tensor([1, 1]), n) ** 3, X, NUMBER)
    check_gradients(lambda x, s: (x * 1).index_add_(1, TWICE, s) ** 3, X, X[:, :2])


def test_numbers_of_elements() -> None:
    x = torch.tensor(X).t()  # counted in its own order, not in memory's
    index = torch.tensor([[1, -1], [5, 1]])
    np.testing.assert_array_equal(x.take(index), X.T.take(index), strict=True)
    values = torch.tensor(SOURCE[:, :2])
    expected = X.T.copy()
    np.put(expected, index.numpy(), values.numpy())
    np.testing.assert_array_equal(x.put(index, values), expected)
    expected = X.T.copy()
    np.add.at(expected.reshape(-1), index.numpy(), values.numpy())
    np.testing.assert_array_equal(x.put(index, values, accumulate=True), expected)
    np.testing.assert_array_equal(x.clone().put_(index, values, True), expected)
    check_gradients(lambda x: x.t().take(index) ** 3, X)
    single = torch.tensor([[1, -1], [5, 2]])
    check_gradients(lambda x, s: x.t().put(single, s) ** 3, X, SOURCE[:, :2])
    check_gradients(lambda x, s: x.put(index, s, accumulate=True) ** 3, X, SOURCE[:, :2])


def test_take_along_dim() -> None:
    order = X.argsort(1)
    x = torch.tensor(X)
    np.testing.assert_array_equal(
        torch.take_along_dim(x, torch.tensor(order), 1), np.sort(X, 1), strict=True
    )
    assert torch.take_along_dim(x, torch.tensor([5])).tolist() == [X[1, 1]]
    check_gradients(lambda x: torch.take_along_dim(x, torch.tensor([[1, -1]]), 1) ** 3, X)
    check_gradients(lambda x: torch.take_along_dim(x[:1], torch.tensor([[1], [0]]), 1) ** 3, X)


def test_masks() -> None:
    x, mask, source = torch.tensor(X), torch.tensor(MASK), torch.tensor(CUBE)
    replaced = X.copy()
    replaced[MASK] = CUBE.ravel()[: MASK.sum()]
    row = mask[0]
    for result, expected in [
        (x.masked_fill(mask, 2.0), np.where(MASK, 2.0, X)),
        (x.masked_fill(row, torch.tensor(2)), np.where(MASK[0], 2.0, X)),
        (x[0].masked_fill(mask, 2.0), np.where(MASK, 2.0, X[0])),
        (x.masked_select(mask), X[MASK]),
        (x.masked_select(row), X[:, MASK[0]].reshape(-1)),
        (x[0].masked_select(mask), np.broadcast_to(X[0], X.shape)[MASK]),
        (x.masked_scatter(mask, source), replaced),
        (x.clone().masked_fill_(mask, 2.0), np.where(MASK, 2.0, X)),
        (x.clone().masked_scatter_(mask, source), replaced),
        (torch.tensor(NUMBER).masked_select(torch.tensor(True)), [0.5]),
    ]:
        np.testing.assert_array_equal(result, expected)


def test_gradients_of_masks() -> None:
    mask = torch.tensor(MASK)
    check_gradients(lambda x: x.masked_fill(mask[0], 2.0) ** 3, X)
    check_gradients(lambda x: x[0].masked_fill(mask, 2.0) ** 3, X)
    check_gradients(lambda x, n: x.masked_fill(mask, n) ** 3, X, NUMBER)
    check_gradients(lambda x: x.masked_select(mask) ** 3, X)
    check_gradients(lambda x: x[0].masked_select(mask) ** 3, X)
    check_gradients(lambda x, s: x.masked_scatter(mask, s) ** 3, X, CUBE)
    check_gradients(lambda x, s: (x * 1).masked_scatter_(mask[0], s) ** 3, X, X.T)
    # A masked element passes no gradient on, whatever it is.
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    (1 / x).masked_fill(torch.tensor([True, False]), 0.0).sum().backward()
    assert x.grad[1] == -0.0625


def test_complex_gradients() -> None:
    z, s = X + 1j * X[::-1], SOURCE * (1 - 2j)
    check_gradients(lambda x: x.gather(0, INDEX) ** 2, z)
    check_gradients(lambda x, s: x.scatter_add(0, INDEX, s) ** 2, z, s)
    check_gradients(lambda x, s: x.index_add(0, TWICE, s, alpha=2j) ** 2, z, s)
    check_gradients(lambda x: x.masked_select(torch.tensor(MASK)) ** 2, z)


def test_nodes() -> None:
    x, mask = torch.tensor(X, requires_grad=True), torch.tensor(MASK)
    n = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    for result, name in [
        (x.gather(0, INDEX), "GatherBackward0"),
        (x.scatter(0, INDEX, x), "ScatterBackward0"),
        (x.scatter(0, INDEX, 1.0), "ScatterBackward1"),
        (x.index_fill(0, ROWS, 1.0), "IndexFillBackward0"),
        (x.index_fill(0, ROWS, n), "IndexFillBackward1"),
        (x.masked_fill(mask, 1.0), "MaskedFillBackward0"),
        (x.masked_fill(mask, n), "MaskedFillBackward1"),
        (x.take(ROWS), "TakeBackward0"),
        (torch.take_along_dim(x, INDEX, 0), "GatherBackward0"),
    ]:
        assert result.grad_fn.name() == name
    # gather saves its input although its derivative needs it not: so does PyTorch.
    y = x.gather(0, INDEX)
    x.detach().zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_wrong_calls() -> None:
    x, y = torch.tensor(X, dtype=torch.float32), torch.arange(4.0)
    i, m, long = ROWS, torch.tensor(MASK), torch.int64
    for call, kind, message in [
        (lambda: x.gather(1, y[:, None]), RuntimeError, "gather(): Expected dtype int32/int64 for"),
        (lambda: x.gather(1, i), RuntimeError, "Index tensor must have the same number of dimens"),
        (lambda: x.gather(1, torch.full((3, 1), 4)), RuntimeError, "index 4 is out of bounds for"),
        (lambda: x.gather(1, torch.full((3, 1), -1)), RuntimeError, "index -1 is out of bounds f"),
        (lambda: x.gather(1, torch.zeros(4, 1, dtype=long)), RuntimeError, "Size does not match a"),
        (lambda: x.scatter(0, INDEX, x.double()), RuntimeError, "scatter(): Expected self.dtype t"),
        (lambda: x.scatter(1, torch.zeros(3, 5, dtype=long), x), RuntimeError, "Expected index ["),
        (lambda: x.scatter(0, INDEX, 1, reduce="max"), RuntimeError, "reduce argument must be ei"),
        (lambda: x.scatter_reduce(0, INDEX, x, "max"), RuntimeError, "reduce argument must be ei"),
        (lambda: x.index_select(0, torch.tensor([3])), IndexError, "index out of range in self"),
        (lambda: x.index_select(0, torch.tensor([-1])), IndexError, "index out of range in self"),
        (lambda: x.index_select(0, y), RuntimeError, "index_select(): Expected dtype int32 or int"),
        (lambda: x.index_add(0, i, x), RuntimeError, "index_add_(): Number of indices (2) should"),
        (lambda: x.index_add(0, i, x[:2, :2]), RuntimeError, "source tensor shape must match self"),
        (lambda: x.index_copy(0, i, x), IndexError, "index_copy_(): Number of indices (2) should"),
        (lambda: x.index_fill(0, i + 1, 1.0), IndexError, "index 3 is out of bounds for dimension"),
        (lambda: x.index_fill(0, i, x), RuntimeError, "index_fill_ only supports a 0-dimensional"),
        (lambda: x.take(torch.tensor([12])), IndexError, "out of range: tried to access index 12"),
        (lambda: x.take(y), RuntimeError, "take(): Expected a long tensor for index, but got Flo"),
        (lambda: x.put(i, y), IndexError, "put_(): Expected source and index to have the same nu"),
        (lambda: x.masked_fill(x, 0), RuntimeError, "masked_fill_ only supports boolean masks, b"),
        (lambda: x.masked_fill(m[:2], 0), RuntimeError, "The size of tensor a (3) must match the"
         if False else "The size of tensor a (2) must match the"),
        (lambda: x.masked_fill(m, x), RuntimeError, "masked_fill_ only supports a 0-dimensional v"),
        (lambda: x[0].masked_fill_(m, 0), RuntimeError, "output with shape [4] doesn't match the"),
        (lambda: x.masked_select(x), RuntimeError, "masked_select: expected BoolTensor for mask"),
        (lambda: x.masked_scatter(m, y[:1]), RuntimeError, "Number of elements of source < numbe"),
    ]:  # fmt: skip
        with pytest.raises(kind) as caught:
            call()
        assert str(caught.value).startswith(message)


def test_out() -> None:
    x, out = torch.tensor(X), torch.empty(0, dtype=torch.float64)
    for call, expected in [
        (lambda: torch.gather(x, 0, INDEX, out=out), np.take_along_axis(X, INDEX.numpy(), 0)),
        (lambda: torch.index_select(x, 0, ROWS, out=out), X[[2, 0]]),
        (lambda: torch.take(x, ROWS, out=out), X.take([2, 0])),
    ]:
        assert call() is out
        np.testing.assert_array_equal(out, expected)
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype double, but got lo"):
        torch.gather(x, 0, INDEX, out=torch.empty(0, dtype=torch.int64))


def test_numpy_functions_on_tensors() -> None:
    x = torch.tensor(X, requires_grad=True)
    for result, expected in [
        (np.take(x, [2, 0], axis=1), X.take([2, 0], axis=1)),
        (np.take(x, [5, 0]), X.take([5, 0])),
        (np.take_along_axis(x, X.argsort(1), 1), np.sort(X, 1)),
    ]:
        assert isinstance(result, torch.Tensor) and result.requires_grad
        np.testing.assert_array_equal(result.detach(), expected, strict=True)


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "complex64", "int32", "uint8", "bool"])
def test_other_dtypes(kind: str) -> None:
    x = torch.tensor([0.0, 1.0, 1.0]).to(getattr(torch, kind))
    i = torch.tensor([2, 0])
    for y in [
        x.gather(0, i), x.scatter(0, i, x), x.scatter_add(0, i, x), x.index_select(0, i), x.take(i),
        x.index_add(0, i, x[:2]), x.index_copy(0, i, x[:2]), x.index_fill(0, i, True), x.put(i, x[:2]),
        x.masked_fill(x == 1, 0), x.masked_select(x == 1), x.masked_scatter(x == 1, x),
    ]:  # fmt: skip
        assert y.dtype is x.dtype
