"""Sorting, order statistics, searching and counting: values, gradients, PyTorch's choices."""

import math

import numpy as np
import pytest

import leafgrad as torch
from ops.helpers import check_gradients

INF, NAN = math.inf, math.nan
F64 = torch.float64
generator = np.random.default_rng(7)
MATRIX = generator.standard_normal((3, 5))
CUBE = generator.standard_normal((2, 3, 4))
STRIDED = generator.standard_normal((4, 10))[::2, ::2].T
ARRAYS = {"matrix": MATRIX, "cube": CUBE, "strided": STRIDED}


def numpy(t):
    return t.detach().numpy()


def middle(x, d):
    return np.take(np.sort(x, d), (x.shape[d] - 1) // 2, d)


PICKS = {
    "sort": (lambda x, d: x.sort(d), lambda x, d: np.sort(x, d)),
    "descending": (lambda x, d: x.sort(d, descending=True), lambda x, d: -np.sort(-x, d)),
    "topk": (lambda x, d: x.topk(2, d), lambda x, d: np.take(-np.sort(-x, d), [0, 1], d)),
    "least": (lambda x, d: x.topk(2, d, False), lambda x, d: np.take(np.sort(x, d), [0, 1], d)),
    "kthvalue": (lambda x, d: x.kthvalue(2, d, True), lambda x, d: np.take(np.sort(x, d), [1], d)),
    "median": (lambda x, d: x.median(d, True), lambda x, d: np.expand_dims(middle(x, d), d)),
    "nanmedian": (lambda x, d: x.nanmedian(d, True), lambda x, d: np.expand_dims(middle(x, d), d)),
    "mode": (lambda x, d: x.mode(d, True), lambda x, d: np.min(x, d, keepdims=True)),
}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("name", PICKS)
def test_picked_values_indices_and_gradients(name, dim, kind):
    ours, reference = PICKS[name]
    array = ARRAYS[kind]
    values, indices = ours(torch.from_numpy(array), dim)
    np.testing.assert_array_equal(numpy(values), reference(array, dim))
    np.testing.assert_array_equal(numpy(values), np.take_along_axis(array, numpy(indices), dim))
    check_gradients(lambda x: ours(x, dim)[0] ** 2, array)


@pytest.mark.parametrize("name", ["kthvalue", "median", "nanmedian", "mode"])
def test_dimensions_go_unless_kept(name):
    x = torch.tensor(CUBE, requires_grad=True)
    arguments = (2, 1) if name == "kthvalue" else (1,)
    found = getattr(x, name)(*arguments)
    assert found.values.shape == found.indices.shape == (2, 4)
    assert found.values.grad_fn.name().startswith(name.capitalize())
    found.values.sum().backward()
    assert x.grad.sum().item() == 8.0


QUANTILES = [
    (q, dim, how)
    for q in (0.0, 0.3, 0.5, 1.0)
    for dim in (None, 0, -1)
    for how in ("linear", "lower", "higher", "midpoint", "nearest")
]


@pytest.mark.parametrize(("q", "dim", "how"), QUANTILES)
def test_quantiles(q, dim, how):
    x = torch.tensor(MATRIX)
    expected = np.quantile(MATRIX, q, dim, method=how)
    np.testing.assert_allclose(numpy(x.quantile(q, dim, interpolation=how)), expected)
    np.testing.assert_allclose(numpy(x.nanquantile(q, dim, interpolation=how)), expected)


def test_quantiles_of_several_ranks():
    x, q = torch.tensor(CUBE), torch.tensor([0.1, 0.5, 0.9], dtype=F64)
    found = x.quantile(q, 1, keepdim=True)
    np.testing.assert_allclose(numpy(found), np.quantile(CUBE, q.numpy(), 1, keepdims=True))
    assert x.quantile(q).shape == (3,)
    assert x.quantile(q, keepdim=True).shape == (3, 1, 1, 1)
    assert torch.tensor(2.0).quantile(0.3, 0).item() == 2.0


def test_gradients_of_quantiles():
    check_gradients(lambda x: x.quantile(0.3, 1) ** 2, MATRIX)
    check_gradients(lambda x: x.quantile(0.5), CUBE)
    check_gradients(lambda x, q: x.nanquantile(q, 0, True), MATRIX, np.array([0.2, 0.7]))


# PyTorch 2.13's values and gradients of the sum.
SPECIAL = {
    "median even": (lambda x: x.median(), [1.0, 2.0, 2.0, 3.0], 2.0, [0.0, 0.5, 0.5, 0.0]),
    "median tie": (lambda x: x.median(0)[0], [2.0, 2.0, 2.0], 2.0, [0.0, 1.0, 0.0]),
    "median nan": (lambda x: x.median(), [1.0, NAN, 0.0], NAN, [0.0, 1.0, 0.0]),
    "median dim nan": (lambda x: x.median(0)[0], [1.0, NAN, NAN], NAN, [0.0, 1.0, 0.0]),
    "nanmedian": (lambda x: x.nanmedian(), [NAN, 1.0, 2.0], 1.0, [0.0, 1.0, 0.0]),
    "nanmedian of nans": (lambda x: x.nanmedian(0)[0], [NAN, NAN], NAN, [1.0, 0.0]),
    "median of nothing": (lambda x: x.median(), [], NAN, []),
    "mode": (lambda x: x.mode(0)[0], [1.0, 2.0, 2.0], 2.0, [0.0, 0.0, 1.0]),
    "mode tie": (lambda x: x.mode(0)[0], [3.0, 1.0, 3.0, 1.0], 1.0, [0.0, 0.0, 0.0, 1.0]),
    "kthvalue": (lambda x: x.kthvalue(1)[0], [2.0, 2.0, 2.0], 2.0, [1.0, 0.0, 0.0]),
    "quantile": (lambda x: x.quantile(0.5), [1.0, 2.0, 4.0, 3.0], 2.5, [0.0, 0.5, 0.0, 0.5]),
    "quantile nan": (lambda x: x.quantile(0.5), [1.0, NAN], NAN, [0.0, 1.0]),
    "nanquantile": (lambda x: x.nanquantile(0.5), [1.0, NAN, 3.0], 2.0, [0.5, 0.0, 0.5]),
    "sort": (lambda x: x.sort()[0][0], [2.0, 2.0, 1.0], 1.0, [0.0, 0.0, 1.0]),
    "topk": (lambda x: x.topk(1)[0], [2.0, 2.0, 1.0], [2.0], [1.0, 0.0, 0.0]),
    "topk nan": (lambda x: x.topk(1)[0], [2.0, NAN, 1.0], [NAN], [0.0, 1.0, 0.0]),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_points(name):
    f, point, value, gradient = SPECIAL[name]
    x = torch.tensor(point, dtype=F64, requires_grad=True)
    out = f(x)
    np.testing.assert_array_equal(numpy(out), value)
    out.sum().backward()
    np.testing.assert_array_equal(numpy(x.grad), np.array(gradient))


def test_sorting_is_stable_with_nan_as_the_largest():
    x = torch.tensor([2.0, NAN, 1.0, 2.0, NAN, 1.0])
    assert x.argsort().tolist() == [2, 5, 0, 3, 1, 4]
    assert x.argsort(descending=True).tolist() == [1, 4, 0, 3, 2, 5]
    assert torch.argsort(x, dim=0, stable=True).tolist() == x.sort(stable=True)[1].tolist()
    for kind in (torch.float16, torch.bfloat16):
        assert x.to(kind).argsort().tolist() == [2, 5, 0, 3, 1, 4]
    assert torch.tensor([True, False]).sort().values.tolist() == [False, True]
    assert torch.tensor([[3, 1], [2, 4]]).msort().tolist() == [[2, 1], [3, 4]]


@pytest.mark.parametrize("largest", [True, False])
def test_few_of_many(largest):
    x = generator.integers(0, 500, (3, 5000)).astype(np.float64)
    found = torch.from_numpy(x).topk(7, largest=largest)
    order = -np.sort(-x) if largest else np.sort(x)
    np.testing.assert_array_equal(numpy(found.values), order[:, :7])
    np.testing.assert_array_equal(np.take_along_axis(x, numpy(found.indices), 1), order[:, :7])


def test_0_dim_and_empty_tensors():
    x = torch.tensor(2.0, requires_grad=True)
    for f in (lambda x: x.sort(), lambda x: x.topk(1), lambda x: x.median(0), lambda x: x.mode(),
              lambda x: x.kthvalue(1), lambda x: x.nanmedian(0)):  # fmt: skip
        values, indices = f(x)
        (g,) = torch.autograd.grad(values, x)
        assert (values.shape, values.item(), indices.item(), g.item()) == ((), 2.0, 0, 1.0)
    empty = torch.empty(0, 3)
    assert empty.sort(0)[0].shape == (0, 3)
    assert empty.median(1)[0].shape == (0,)
    assert empty.topk(0, 1)[1].shape == (0, 0)


def test_only_the_indices_are_saved():
    leaf = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, indices = (leaf * 1.0).sort()
    values.mul_(torch.tensor([1.0, 10.0, 100.0]))
    values.sum().backward()
    assert leaf.grad.tolist() == [100.0, 1.0, 10.0]
    values, indices = leaf.topk(1)
    indices.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        values.sum().backward()


# Searching


def test_searchsorted():
    edges = torch.tensor([1.0, 3.0, 5.0])
    values = torch.tensor([0.0, 1.0, 2.0, 3.0, 9.0, NAN])
    assert torch.searchsorted(edges, values).tolist() == [0, 0, 1, 1, 3, 3]
    assert torch.searchsorted(edges, values, right=True).tolist() == [0, 1, 1, 2, 3, 3]
    assert torch.searchsorted(edges, values, side="right").tolist() == [0, 1, 1, 2, 3, 3]
    assert torch.bucketize(values, edges, out_int32=True).dtype is torch.int32
    assert torch.searchsorted(edges, 3.5).item() == 2
    assert torch.bucketize(3, torch.tensor([1, 3, 5]), right=True).item() == 2
    rows = torch.tensor([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])
    assert torch.searchsorted(rows, torch.tensor([[3.0], [6.0]])).tolist() == [[1], [2]]
    order = torch.tensor([1, 2, 0])
    shuffled = torch.tensor([5.0, 1.0, 3.0])
    assert torch.searchsorted(shuffled, torch.tensor([2.0]), sorter=order).tolist() == [1]


# What is there, and how often


def test_unique():
    x = torch.tensor([2.0, 1.0, 2.0, NAN, NAN])
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(numpy(values), [1.0, 2.0, NAN, NAN])
    assert inverse.tolist() == [1, 0, 1, 2, 3]
    assert counts.tolist() == [1, 2, 1, 1]
    rows = torch.tensor([[1, 2], [1, 2], [0, 5]])
    values, inverse = torch.unique(rows, dim=0, return_inverse=True)
    assert (values.tolist(), inverse.tolist()) == ([[0, 5], [1, 2]], [1, 1, 0])
    assert torch.unique(rows.T.contiguous(), dim=1).tolist() == [[0, 1], [5, 2]]
    values, inverse = torch.unique(rows, return_inverse=True)
    assert inverse.shape == (3, 2)
    assert torch.unique(torch.empty(0)).shape == (0,)


def test_unique_consecutive():
    x = torch.tensor([[1, 1, 2], [2, 1, 1]])
    values, inverse, counts = x.unique_consecutive(return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 2, 1]
    assert inverse.tolist() == [[0, 0, 1], [1, 2, 2]]
    assert counts.tolist() == [2, 2, 2]
    assert torch.unique_consecutive(torch.tensor([[1, 2], [1, 2]]), dim=0).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("f", "name", "node"),
    [(lambda x: x.unique(), "_unique2", "Unique2Backward0"),
     (lambda x: x.unique(dim=0), "unique_dim", "UniqueDimBackward0"),
     (lambda x: x.unique_consecutive(), "unique_consecutive", "UniqueConsecutiveBackward0")],
)  # fmt: skip
def test_unique_elements_have_no_derivative(f, name, node):
    y = f(torch.tensor([1.0, 2.0], requires_grad=True))
    assert y.grad_fn.name() == node
    with pytest.raises(NotImplementedError, match=f"the derivative for '{name}' is not"):
        y.sum().backward()


def test_bincount():
    x = torch.tensor([1, 1, 3])
    assert x.bincount().tolist() == [0, 2, 0, 1]
    assert x.bincount(minlength=6).tolist() == [0, 2, 0, 1, 0, 0]
    weighted = torch.bincount(x, torch.tensor([0.5, 0.5, 2.0]))
    assert weighted.tolist() == [0.0, 1.0, 0.0, 2.0]
    assert weighted.dtype is torch.float32
    assert torch.bincount(x, torch.tensor([1, 2, 3])).dtype is F64


def test_histograms():
    x = torch.tensor([1.0, 2.0, 2.5, NAN, 4.0])
    assert torch.histc(x, 3, 1, 4).tolist() == [1.0, 2.0, 1.0]
    assert torch.histc(torch.ones(3), 4).tolist() == [0.0, 0.0, 3.0, 0.0]
    points = torch.tensor(generator.standard_normal(200))
    for options in ({}, {"range": (-1.0, 2.0)}, {"density": True}):
        hist, edges = torch.histogram(points, 7, **options)
        expected, expected_edges = np.histogram(points.numpy(), 7, **options)
        np.testing.assert_allclose(numpy(hist), expected)
        np.testing.assert_allclose(numpy(edges), expected_edges)
    given = torch.tensor([-1.0, 0.0, 2.0], dtype=F64)
    hist = torch.histogram(points, given, weight=points).hist
    np.testing.assert_allclose(
        numpy(hist), np.histogram(points.numpy(), given.numpy(), weights=points.numpy())[0]
    )
    pairs = torch.tensor(generator.standard_normal((100, 2)))
    hist, edges = torch.histogramdd(pairs, [3, 4], density=True)
    expected, expected_edges = np.histogramdd(pairs.numpy(), [3, 4], density=True)
    np.testing.assert_allclose(numpy(hist), expected)
    np.testing.assert_allclose(numpy(edges[1]), expected_edges[1])


X = torch.tensor([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]])
EDGES = torch.tensor([1.0, 3.0])
ERRORS = [
    (lambda: X.sort(2), IndexError,
     "Dimension out of range (expected to be in range of [-2, 1], but got 2)"),
    (lambda: X.to(torch.complex64).sort(), RuntimeError,
     " Sort does not support complex dtypes on CPU"),
    (lambda: X.topk(4), RuntimeError, "selected index k out of range"),
    (lambda: X.topk(-1), RuntimeError, "selected index k out of range"),
    (lambda: (X > 1).topk(1), RuntimeError, "topk does not support bool dtypes on CPU"),
    (lambda: X.kthvalue(4), RuntimeError,
     "kthvalue(): selected number k out of range for dimension 1"),
    (lambda: X.kthvalue(0, 0), RuntimeError,
     "kthvalue(): selected number k out of range for dimension 0"),
    (lambda: torch.empty(0).kthvalue(1), IndexError,
     "kthvalue(): Expected reduction dim 0 to have non-zero size."),
    (lambda: (X > 1).median(), NotImplementedError, "\"median_cpu\" not implemented for 'Bool'"),
    (lambda: torch.empty(0).median(0), IndexError,
     "median(): Expected reduction dim 0 to have non-zero size."),
    (lambda: torch.empty(0).mode(), IndexError,
     "mode(): Expected reduction dim 0 to have non-zero size."),
    (lambda: X.quantile(1.5), RuntimeError, "quantile() q must be in the range [0, 1] but got 1.5"),
    (lambda: X.quantile(torch.tensor([2.0])), RuntimeError,
     "quantile() q values must be in the range [0, 1]"),
    (lambda: X.quantile(torch.tensor(0.5, dtype=F64)), RuntimeError,
     "quantile() q tensor must be same dtype as the input tensor"),
    (lambda: X.quantile(torch.ones(1, 1)), RuntimeError,
     "quantile() q must be a scalar or 1D tensor"),
    (lambda: X.long().quantile(0.5), RuntimeError,
     "quantile() input tensor must be either float or double dtype"),
    (lambda: torch.empty(0).quantile(0.5), RuntimeError,
     "quantile() input tensor must be non-empty"),
    (lambda: X.quantile(0.5, interpolation="cubic"), RuntimeError, "quantile() interpolation must "
     "be one of linear, lower, higher, midpoint or nearest, but got cubic"),
    (lambda: torch.searchsorted(EDGES, X, side="up"), RuntimeError,
     "torch.searchsorted(): side can only be 'left' or 'right' but got up"),
    (lambda: torch.searchsorted(EDGES, X, side="left", right=True), RuntimeError,
     "torch.searchsorted(): side and right can't be set to opposites, got side of left while right "
     "was True"),
    (lambda: torch.searchsorted(X, EDGES), RuntimeError,
     "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
     "boundaries tensor and input value tensor must match, but we got boundaries tensor [2, 3] and "
     "input value tensor [2]"),
    (lambda: torch.searchsorted(EDGES, X, sorter=torch.tensor([0, 7])), RuntimeError,
     "torch.searchsorted(): sorter index out of range"),
    (lambda: torch.bucketize(X, X), RuntimeError,
     "boundaries tensor must be 1 dimension, but got dim(2)"),
    (lambda: torch.unique(torch.ones(3, 0), dim=0), RuntimeError,
     "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"),
    (lambda: torch.bincount(torch.tensor([-1])), RuntimeError,
     "bincount only supports 1-d non-negative integral inputs."),
    (lambda: torch.bincount(EDGES), NotImplementedError,
     "\"bincount_cpu\" not implemented for 'Float'"),
    (lambda: torch.histc(X, 0), RuntimeError,
     "torch.histogram(): bins must be > 0, but got 0 for dimension 0"),
    (lambda: torch.histc(X, 3, 5, 1), RuntimeError, "torch.histc: max must be larger than min"),
    (lambda: torch.histogram(X, 4, weight=EDGES), RuntimeError,
     "torch.histogramdd: if weight tensor is provided it should have the same shape as the input "
     "tensor excluding its innermost dimension, but got input with shape [6, 1] and weight with "
     "shape [2]"),
    (lambda: torch.histogramdd(X, [2, 2]), RuntimeError,
     "histogramdd: The size of bins must be equal to the innermost dimension of the input."),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number):
    f, kind, sentence = ERRORS[number]
    with pytest.raises(kind) as caught:
        f()
    assert str(caught.value).split("\n")[0] == sentence


NUMPYS = {
    "sort": lambda x: np.sort(x, axis=0),
    "sort all": lambda x: np.sort(x, axis=None),
    "argsort": lambda x: np.argsort(x),
    "median": lambda x: np.median(x, axis=1),
    "quantile": lambda x: np.quantile(x, 0.3),
    "percentiles": lambda x: np.percentile(x, [10, 50], axis=1),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_numpy_functions_take_tensors(name):
    found = NUMPYS[name](torch.tensor(MATRIX))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(numpy(found), NUMPYS[name](MATRIX))
