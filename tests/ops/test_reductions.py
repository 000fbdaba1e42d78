"""Reductions and norms: values, gradients to second order, PyTorch's special points and errors."""

import math
import pickle
import warnings

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.ops.norms import vector_norm
from ops.helpers import check_gradients

INF, NAN = math.inf, math.nan
F64 = torch.float64
generator = np.random.default_rng(5)
MATRIX = generator.standard_normal((3, 4))
CUBE = generator.standard_normal((2, 3, 4))
COMPLEX = MATRIX + 1j * generator.standard_normal((3, 4))
ZEROS = np.array([[0.0, 2.0, 3.0, 1.0], [0.0, 0.0, 3.0, 2.0], [1.5, -2.0, 0.5, 1.0]])
SCALAR = np.array(1.3)
EMPTY = np.zeros((0, 3))
STRIDED = generator.standard_normal((4, 6))[::2, ::2].T
ARRAYS = {
    "matrix": MATRIX, "cube": CUBE, "scalar": SCALAR, "empty": EMPTY, "strided": STRIDED,
}  # fmt: skip


def numpy(t):
    return t.detach().numpy()


def quietly(f, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f(*args)


def norm_of(order, axis=None, keepdims=False):
    def norm(x):
        size = np.abs(x)
        if order == 0:
            return np.sum(size != 0, axis=axis, keepdims=keepdims).astype(float)
        if math.isinf(order):
            reduce = np.max if order > 0 else np.min
            return reduce(size, axis=axis, keepdims=keepdims)
        return np.sum(size**order, axis=axis, keepdims=keepdims) ** (1 / order)

    return norm


def log_sum_exp(axis, keepdims=False):
    return lambda x: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


VALUES = {
    "sum": (lambda x: x.sum(), np.sum),
    "sum all dims": (lambda x: x.sum(()), np.sum),
    "sum last": (lambda x: x.sum(-1), lambda x: x.sum(-1) if x.ndim else x),
    "mean": (lambda x: x.mean(), np.mean),
    "mean kept": (
        lambda x: x.mean(0, True), lambda x: np.mean(x, 0, keepdims=True) if x.ndim else x,
    ),
    "nansum": (lambda x: x.nansum(-1), lambda x: np.nansum(x, -1) if x.ndim else x),
    "nanmean": (lambda x: x.nanmean(), np.nanmean),
    "prod": (lambda x: x.prod(), np.prod),
    "prod first": (lambda x: x.prod(0), lambda x: np.prod(x, 0) if x.ndim else x),
    "var": (lambda x: x.var(correction=0), np.var),
    "std last": (
        lambda x: x.std(-1, correction=0), lambda x: np.std(x, -1) if x.ndim else np.array(0.0),
    ),
    "logsumexp": (lambda x: x.logsumexp(-1), lambda x: log_sum_exp(-1)(x) if x.ndim else x),
    "norm": (lambda x: x.norm(), norm_of(2)),
    "norm 1": (lambda x: x.norm(1), norm_of(1)),
    "norm 3": (lambda x: x.norm(3), norm_of(3)),
    "norm 0": (lambda x: x.norm(0), norm_of(0)),
    "count": (lambda x: x.count_nonzero(), np.count_nonzero),
    "all": (lambda x: (x < 9.0).all(), lambda x: np.all(x < 9)),
    "any": (lambda x: (x > 1.0).any(), lambda x: np.any(x > 1)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("name", VALUES)
def test_values(name, kind):
    ours, reference = VALUES[name]
    array = ARRAYS[kind]
    found = numpy(quietly(ours, torch.from_numpy(array)))
    np.testing.assert_allclose(found, quietly(reference, array), rtol=1e-13)
    single = numpy(quietly(ours, torch.tensor(array).float()))
    np.testing.assert_allclose(single, quietly(reference, array), rtol=2e-5, atol=1e-6)


EXTREMES = {
    "amax": (lambda x: x.amax(0), lambda x: np.max(x, 0)),
    "amax two": (lambda x: x.amax((0, 1), True), lambda x: np.max(x, (0, 1), keepdims=True)),
    "amin": (lambda x: x.amin(-1), lambda x: np.min(x, -1)),
    "max": (lambda x: x.max(), np.max),
    "min": (lambda x: x.min(), np.min),
    "max 0": (lambda x: x.max(0)[0], lambda x: np.max(x, 0)),
    "max 0 index": (lambda x: x.max(0).indices, lambda x: np.argmax(x, 0)),
    "min 1": (lambda x: x.min(1, True).values, lambda x: np.min(x, 1, keepdims=True)),
    "min 1 index": (lambda x: x.min(1, keepdim=True)[1], lambda x: np.argmin(x, 1, keepdims=True)),
    "aminmax": (lambda x: x.aminmax().max - x.aminmax().min, np.ptp),
    "aminmax 1": (lambda x: x.aminmax(dim=1).min, lambda x: np.min(x, 1)),
    "argmax": (lambda x: x.argmax(), np.argmax),
    "argmin 1": (lambda x: x.argmin(1, True), lambda x: np.argmin(x, 1, keepdims=True)),
    "norm inf": (lambda x: x.norm(INF, 1), norm_of(INF, 1)),
    "norm -inf": (lambda x: x.norm(-INF), norm_of(-INF)),
    "norm -1": (lambda x: x.norm(-1, 0, True), norm_of(-1, 0, True)),
    "vector norm": (lambda x: vector_norm(x, 0.5, dim=-1), norm_of(0.5, -1)),
    "dist": (lambda x: torch.dist(x, x * x, 3), lambda x: norm_of(3)(x - x * x)),
    "max of two": (lambda x: torch.max(x, -x), np.abs),
    "min of two": (lambda x: x.min(other=-x), lambda x: -np.abs(x)),
    "sum_to_size": (lambda x: x.sum_to_size(1, x.shape[-1]), lambda x: x.reshape(
        -1, x.shape[-1]).sum(0, keepdims=True)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["matrix", "cube", "strided"])
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes(name, kind):
    ours, reference = EXTREMES[name]
    found = numpy(ours(torch.from_numpy(ARRAYS[kind])))
    np.testing.assert_allclose(found, reference(ARRAYS[kind]), rtol=1e-13)
    assert found.dtype == np.asarray(reference(ARRAYS[kind])).dtype


def both(pair):
    return pair[0] * 2.0 + pair[1].exp()


DIFFERENTIABLE = {
    "sum": lambda x: x.sum(),
    "sum dims": lambda x: x.sum((0, -1)) ** 2,
    "sum kept": lambda x: x.sum(1, True) * x,
    "nansum": lambda x: x.nansum(0) ** 2,
    "mean": lambda x: x.mean() ** 2,
    "mean kept": lambda x: x.mean(-1, keepdim=True) * x,
    "nanmean": lambda x: x.nanmean(1) ** 2,
    "prod": lambda x: x.prod(),
    "prod 1": lambda x: x.prod(1, True),
    "var": lambda x: x.var(0),
    "var two": lambda x: x.var((0, 1), correction=0.5, keepdim=True),
    "std": lambda x: x.std(1, unbiased=False),
    "var_mean": lambda x: both(torch.var_mean(x, 1)),
    "std_mean": lambda x: both(torch.std_mean(x, 0, keepdim=True)),
    "mean of var_mean": lambda x: torch.var_mean(x)[1] ** 2,
    "logsumexp": lambda x: x.logsumexp((0, 1)),
    "logsumexp kept": lambda x: x.logsumexp(1, keepdim=True) * x,
    "norm": lambda x: x.norm(),
    "norm 1": lambda x: x.norm(1, 0) ** 2,
    "norm inf": lambda x: x.norm(INF, 1) ** 2,
    "norm -inf": lambda x: x.norm(-INF) ** 2,
    "norm 3": lambda x: x.norm(3, 1, True),
    "norm 1.5": lambda x: x.norm(1.5),
    "norm 0.5": lambda x: x.norm(0.5, 0),
    "norm -1": lambda x: x.norm(-1),
    "dist": lambda x: torch.dist(x, x * x, 3),
    "renorm": lambda x: x.renorm(2, 0, 0.7),
    "renorm inf": lambda x: x.renorm(INF, -1, 0.6),
}
REAL_ONLY = {
    "amax": lambda x: x.amax(0) ** 2,
    "amin": lambda x: x.amin() ** 2,
    "max": lambda x: x.max() ** 2,
    "max 1": lambda x: x.max(1)[0] ** 2,
    "min 0": lambda x: x.min(0, True)[0] * x,
    "aminmax": lambda x: both(x.aminmax(dim=1)),
    "least of aminmax": lambda x: x.aminmax()[0] ** 2,
}


@pytest.mark.parametrize("name", [*DIFFERENTIABLE, *REAL_ONLY])
def test_gradients(name):
    f = {**DIFFERENTIABLE, **REAL_ONLY}[name]
    check_gradients(f, MATRIX)
    check_gradients(lambda x: f(x.transpose(0, 1)), MATRIX, order=1)


@pytest.mark.parametrize("name", set(DIFFERENTIABLE) - {"nansum", "nanmean"})
def test_gradients_of_complex_values(name):
    f = DIFFERENTIABLE[name]
    check_gradients(lambda x: abs(f(x)) ** 2 if f(x).is_complex() else f(x), COMPLEX, rtol=2e-5)


@pytest.mark.parametrize("name", ["prod", "prod 1"])
def test_products_with_zeros_are_exact_to_second_order(name):
    check_gradients(DIFFERENTIABLE[name], ZEROS)


def test_dist_broadcasts_and_differentiates_both():
    check_gradients(lambda x, y: torch.dist(x, y), MATRIX, MATRIX[0] + 1.0)
    check_gradients(lambda x, y: torch.dist(x, y, 1) ** 2, MATRIX, SCALAR)


def test_gradients_in_float32_and_of_empty_and_0_dim_tensors():
    for f in (lambda x: x.sum(0), lambda x: x.mean(0), lambda x: x.norm(), lambda x: x.prod(0),
              lambda x: x.logsumexp(0), lambda x: x.var(0, correction=0)):  # fmt: skip
        x = torch.tensor(MATRIX, dtype=torch.float32, requires_grad=True)
        f(x).sum().backward()
        assert x.grad.dtype is torch.float32
        for array in (EMPTY, SCALAR):
            x = torch.tensor(array, requires_grad=True)
            quietly(f, x).sum().backward()
            assert x.grad.shape == x.shape


# PyTorch 2.13's values and gradients where a function has no derivative (gradients of the sum).
SPECIAL = {
    "max tie": (lambda x: x.max(), [1.0, 1.0, 0.0], 1.0, [0.5, 0.5, 0.0]),
    "min tie": (lambda x: x.min(), [1.0, 1.0, 2.0], 1.0, [0.5, 0.5, 0.0]),
    "max dim tie": (lambda x: x.max(0)[0], [1.0, 1.0, 0.0], 1.0, [1.0, 0.0, 0.0]),
    "amax tie": (lambda x: x.amax(), [1.0, 1.0, 0.0], 1.0, [0.5, 0.5, 0.0]),
    "amin tie": (lambda x: x.amin(0), [0.0, 0.0, 1.0], 0.0, [0.5, 0.5, 0.0]),
    "aminmax tie": (lambda x: x.aminmax()[1], [1.0, 1.0, 0.0], 1.0, [0.5, 0.5, 0.0]),
    "max nan": (lambda x: x.max(), [1.0, NAN, 3.0], NAN, [0.0, 1.0, 0.0]),
    "amax nan": (lambda x: x.amax(), [1.0, NAN], NAN, [NAN, NAN]),
    "max dim nan": (lambda x: x.max(0)[0], [1.0, NAN, NAN], NAN, [0.0, 1.0, 0.0]),
    "norm at 0": (lambda x: x.norm(), [0.0, 0.0], 0.0, [0.0, 0.0]),
    "norm 1 at 0": (lambda x: x.norm(1), [0.0, 2.0], 2.0, [0.0, 1.0]),
    "norm inf tie": (lambda x: x.norm(INF), [2.0, -2.0, 1.0], 2.0, [0.5, -0.5, 0.0]),
    "norm inf at 0": (lambda x: x.norm(INF), [0.0, 0.0], 0.0, [0.0, 0.0]),
    "norm -inf tie": (lambda x: x.norm(-INF), [2.0, -2.0, 3.0], 2.0, [0.5, -0.5, 0.0]),
    "norm 3 at 0": (lambda x: x.norm(3), [0.0, 0.0], 0.0, [0.0, 0.0]),
    "norm .5 at 0": (lambda x: x.norm(0.5), [0.0, 1.0], 1.0, [0.0, 1.0]),
    "norm -1 at 0": (lambda x: x.norm(-1), [0.0, 2.0], 0.0, [0.0, 0.0]),
    "dist of equals": (lambda x: torch.dist(x, x.detach()), [1.0, 1.0], 0.0, [0.0, 0.0]),
    "std of one": (lambda x: x.std(), [1.0], NAN, [NAN]),
    "var of one": (lambda x: x.var(), [1.0], NAN, [NAN]),
    "var of one, all": (lambda x: x.var(correction=0), [1.0], 0.0, [0.0]),
    "var, no freedom": (lambda x: x.var(correction=3), [1.0, 2.0, 3.0], INF, [INF, NAN, INF]),
    "std of constants": (lambda x: x.std(), [1.0, 1.0], 0.0, [0.0, 0.0]),
    "var of constants": (lambda x: x.var(), [1.0, 1.0], 0.0, [0.0, 0.0]),
    "logsumexp -inf": (lambda x: x.logsumexp(0), [-INF, -INF], -INF, [NAN, NAN]),
    "logsumexp inf": (lambda x: x.logsumexp(0), [INF, 1.0], INF, [NAN, 0.0]),
    "logsumexp big": (lambda x: x.logsumexp(0), [1000.0, 1000.0], 1000 + math.log(2), [0.5, 0.5]),
    "prod one zero": (lambda x: x.prod(), [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0]),
    "prod two zeros": (lambda x: x.prod(0), [0.0, 0.0, 3.0], 0.0, [0.0, 0.0, 0.0]),
    "nansum": (lambda x: x.nansum(), [NAN, 1.0], 1.0, [0.0, 1.0]),
    "nanmean": (lambda x: x.nanmean(), [NAN, 1.0], 1.0, [0.0, 1.0]),
    "mean of nothing": (lambda x: x.mean(), [], NAN, []),
    "prod of nothing": (lambda x: x.prod(), [], 1.0, []),
    "norm of nothing": (lambda x: x.norm(), [], 0.0, []),
    "logsumexp of nothing": (lambda x: x.logsumexp(0), [], -INF, []),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_points(name):
    f, point, value, gradient = SPECIAL[name]
    x = torch.tensor(point, dtype=F64, requires_grad=True)
    out = quietly(f, x)
    np.testing.assert_array_equal(numpy(out), value)
    out.sum().backward()
    np.testing.assert_allclose(numpy(x.grad), np.array(gradient), rtol=1e-12)


def test_the_0_norm_has_no_gradient():
    x = torch.tensor([2.0, 0.0], requires_grad=True)
    x.norm(0).backward()
    assert x.norm(0).grad_fn.name() == "LinalgVectorNormBackward0"
    assert x.grad is None


def test_renorm_at_the_values_of_pytorch():
    x = torch.tensor([[3.0, 4.0]], dtype=F64, requires_grad=True)
    y = x.renorm(2, 0, 1.0)
    np.testing.assert_allclose(numpy(y), [[0.6, 0.8]], rtol=1e-6)
    y.backward(torch.tensor([[1.0, 0.0]], dtype=F64))
    np.testing.assert_allclose(numpy(x.grad), [[0.128, -0.096]], rtol=1e-6)


NODES = {
    "SumBackward0": lambda x: x.sum(),
    "SumBackward1": lambda x: x.sum(0),
    "NansumBackward0": lambda x: x.nansum(),
    "MeanBackward0": lambda x: x.mean(),
    "MeanBackward1": lambda x: x.mean((0, 1)),
    "DivBackward0": lambda x: x.nanmean(),
    "ProdBackward0": lambda x: x.prod(),
    "ProdBackward1": lambda x: x.prod(0),
    "VarBackward0": lambda x: x.var(),
    "StdBackward0": lambda x: x.std(0),
    "VarMeanBackward0": lambda x: torch.var_mean(x)[1],
    "StdMeanBackward0": lambda x: torch.std_mean(x)[0],
    "AmaxBackward0": lambda x: x.amax(),
    "AminBackward0": lambda x: x.amin(0),
    "AminmaxBackward0": lambda x: x.aminmax()[0],
    "MaxBackward0": lambda x: x.max(0)[0],
    "MaxBackward1": lambda x: x.max(),
    "MinBackward0": lambda x: x.min(0)[0],
    "MinBackward1": lambda x: x.min(),
    "MaximumBackward0": lambda x: x.max(x),
    "LinalgVectorNormBackward0": lambda x: x.norm(),
    "DistBackward0": lambda x: torch.dist(x, x),
    "RenormBackward0": lambda x: x.renorm(2, 0, 1.0),
    "LogsumexpBackward0": lambda x: x.logsumexp(0),
}


@pytest.mark.parametrize("node", NODES)
def test_nodes_have_pytorchs_names(node):
    assert NODES[node](torch.ones(2, 3, requires_grad=True)).grad_fn.name() == node


def test_what_is_not_saved_may_be_overwritten():
    leaf = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = leaf * 1.0
    total, mean, largest = x.sum(0), x.mean(), x.max(0).values
    x.zero_()
    largest.mul_(2.0)
    (total.sum() + mean + largest.sum()).backward()
    assert leaf.grad.tolist() == [[1.25, 1.25], [3.25, 3.25]]


@pytest.mark.parametrize(
    "f", [lambda x: x.amax(), lambda x: x.max(), lambda x: x.var(), lambda x: x.norm(),
          lambda x: x.logsumexp(0), lambda x: x.prod(), lambda x: torch.nansum(x)]
)  # fmt: skip
def test_what_is_saved_may_not(f):
    x = torch.tensor([1.0, 2.0], requires_grad=True) * 1.0
    y = f(x)
    x.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_indices_are_saved():
    value, index = torch.tensor([1.0, 2.0], requires_grad=True).max(0)
    index.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


# dtypes


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [("sum", "bool", "int64"), ("sum", "uint8", "int64"), ("sum", "float16", "float16"),
     ("prod", "int32", "int64"), ("amax", "int32", "int32"), ("max", "bool", "bool"),
     ("all", "float32", "bool"), ("any", "uint8", "uint8"), ("count_nonzero", "bool", "int64"),
     ("argmax", "float32", "int64"), ("var", "complex64", "float32"),
     ("norm", "complex128", "float64"), ("mean", "bfloat16", "bfloat16"),
     ("nansum", "int16", "int64")],
)  # fmt: skip
def test_result_dtypes(name, kind, expected):
    x = torch.ones(3, dtype=getattr(torch, kind))
    assert getattr(x, name)().dtype is getattr(torch, expected)


def test_dtype_argument():
    x = torch.tensor([1.5, 2.5], requires_grad=True)
    assert x.sum(dtype=torch.int64).item() == 3
    y = x.mean(0, dtype=F64)
    assert y.dtype is F64
    y.backward()
    assert x.grad.dtype is torch.float32
    assert torch.ones(2).logsumexp(0).dtype is torch.ones(2, dtype=torch.int64).logsumexp(0).dtype
    assert x.norm(dtype=F64).dtype is F64
    assert torch.tensor([True, True]).sum(dtype=torch.bool).item() is True


def test_halves_add_up_in_float32():
    for kind in (torch.float16, torch.bfloat16):
        x = torch.full((4096,), 1.0, dtype=kind)
        assert x.sum().item() == 4096.0
        assert x.mean().item() == 1.0
        assert x.reshape(2048, 2).sum(0).tolist() == [2048.0, 2048.0]
        assert x.norm().item() == 64.0


# Shapes for every way through long sums: rows, columns, narrow columns, several dimensions.
@pytest.mark.parametrize(
    ("shape", "dim"),
    [((100_000, 3), 0), ((100_003, 8), 0), ((5000, 300), 0), ((8, 5000, 100), 1),
     ((300, 300, 10), (0, 1)), ((300, 300, 10), (0, 2)), ((64, 32, 20, 20), (0, 2, 3)),
     ((200_000, 1), 0), ((3, 100_000), 1)],
)  # fmt: skip
def test_long_sums_are_exact_to_float32(shape, dim):
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    for array in (x, np.asfortranarray(x)):
        t = torch.from_numpy(array)
        exact = np.sum(array, axis=dim, dtype=np.float64)
        np.testing.assert_allclose(t.sum(dim).numpy(), exact, rtol=1e-6)
        kept = t.sum(dim, keepdim=True)
        assert kept.shape == np.sum(array, axis=dim, keepdims=True).shape


# Errors


def raises(kind, sentence, f, *args, **kwargs):
    with pytest.raises(kind) as caught:
        f(*args, **kwargs)
    assert str(caught.value).split("\n")[0] == sentence


X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
NOTHING = torch.empty(0)
NO_ROWS = torch.empty(0, 3)
INTEGERS = torch.tensor([1, 2])
RANGE = "Dimension out of range (expected to be in range of [-2, 1], but got 2)"
ERRORS = [
    (lambda: X.sum(2), IndexError, RANGE),
    (lambda: X.max(2), IndexError, RANGE),
    (lambda: X.logsumexp(2), IndexError, RANGE),
    (lambda: X.sum(1).sum(1), IndexError,
     "Dimension out of range (expected to be in range of [-1, 0], but got 1)"),
    (lambda: X.sum().sum(-2), IndexError,
     "Dimension out of range (expected to be in range of [-1, 0], but got -2)"),
    (lambda: X.sum((0, 0)), RuntimeError, "dim 0 appears multiple times in the list of dims"),
    (lambda: X.var((0, -2)), RuntimeError, "dim 0 appears multiple times in the list of dims"),
    (lambda: X.sum(0.5), TypeError,
     "sum() received an invalid combination of arguments - got (float)"),
    (lambda: X.argmax((0, 1)), TypeError,
     "argmax(): argument 'dim' (position 1) must be int, not tuple"),
    (lambda: X.sum(0, 1), TypeError,
     "sum(): argument 'keepdim' (position 2) must be bool, not int"),
    (lambda: torch.sum([1, 2]), TypeError,
     "sum(): argument 'input' (position 1) must be Tensor, not list"),
    (lambda: INTEGERS.mean(), RuntimeError,
     "mean(): could not infer output dtype. Input dtype must be either a floating point or complex "
     "dtype. Got: Long"),
    (lambda: X.mean(dtype=torch.int32), RuntimeError,
     "mean(): could not infer output dtype. Optional dtype must be either a floating point or "
     "complex dtype. Got: Int"),
    (lambda: INTEGERS.nanmean(), RuntimeError,
     "nanmean(): expected input to have floating point or complex dtype but got Long"),
    (lambda: torch.ones(1, dtype=torch.complex64).nansum(), RuntimeError,
     "nansum on CPU does not support complex inputs"),
    (lambda: INTEGERS.std(), RuntimeError,
     "std and var only support floating point and complex dtypes"),
    (lambda: torch.var_mean(INTEGERS), RuntimeError,
     "var_mean only support floating point and complex dtypes"),
    (lambda: NOTHING.max(), RuntimeError,
     "max(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
     "dim with the 'dim' argument."),
    (lambda: NO_ROWS.max(0), IndexError, "max(): Expected reduction dim 0 to have non-zero size."),
    (lambda: NO_ROWS.amin((0, 1)), IndexError,
     "amin(): Expected reduction dim 0 to have non-zero size."),
    (lambda: NOTHING.aminmax(), RuntimeError,
     "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."),
    (lambda: NOTHING.argmin(), IndexError,
     "argmin(): Expected reduction dim to be specified for input.numel() == 0."),
    (lambda: torch.tensor([True]).argmax(), RuntimeError, "argmax(): does not support bool input"),
    (lambda: X.to(torch.complex64).max(), NotImplementedError,
     "\"max_all\" not implemented for 'ComplexFloat'"),
    (lambda: X.to(torch.complex64).amax(), NotImplementedError,
     "\"max_values_cpu\" not implemented for 'ComplexFloat'"),
    (lambda: INTEGERS.norm(), RuntimeError, "linalg.vector_norm: Expected a floating point or "
     "complex tensor as input. Got Long"),
    (lambda: NOTHING.norm(-1), RuntimeError, "linalg.vector_norm cannot compute the -1 norm on an "
     "empty tensor because the operation does not have an identity"),
    (lambda: X.norm(dtype=torch.float16), RuntimeError, "linalg.vector_norm: the dtype of the "
     "input (Float) should be convertible without narrowing to the specified dtype (Half)"),
    (lambda: X.norm("nuc", dim=0), RuntimeError,
     "linalg.matrix_norm: dim must be a 2-tuple. Got 0"),
    (lambda: X.norm("rms"), RuntimeError, "linalg.matrix_norm: Order rms not supported."),
    (lambda: torch.dist(INTEGERS, INTEGERS), RuntimeError,
     "norm(): input dtype should be either floating point or complex. Got Long instead."),
    (lambda: X.renorm(0, 0, 1.0), RuntimeError, "renorm: non-positive-norm not supported"),
    (lambda: X.renorm(2, 0, -1.0), RuntimeError, "renorm: expected maxnorm to be >= 0 but got -1"),
    (lambda: X[0].renorm(2, 0, 1.0), RuntimeError,
     "renorm: input needs at least 2 dimensions, got 1 dimensions"),
    (lambda: X.sum_to_size(3, 3), RuntimeError,
     "size {[3, 3]} is not expandable to size {[2, 3]}."),
    (lambda: torch.amax(X, out=torch.ones((), dtype=F64)), RuntimeError,
     "Expected the dtype for input and out to match, but got Float for input's dtype and Double "
     "for out's dtype"),
    (lambda: torch.argmax(X, out=torch.ones(())), RuntimeError,
     "Expected out tensor to have dtype long int, but got float instead"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number):
    f, kind, sentence = ERRORS[number]
    raises(kind, sentence, f)


def test_too_few_degrees_of_freedom_warn():
    with pytest.warns(UserWarning, match=r"std\(\): degrees of freedom is <= 0"):
        torch.ones(1).std()


# Ways of calling


def test_arguments_of_variances():
    x = torch.tensor(MATRIX)
    for call, ddof, axis in (
        (lambda: x.var(False), 0, None), (lambda: x.var(0, False), 0, 0), (lambda: x.var(1), 1, 1),
        (lambda: x.var((0, 1), correction=2), 2, (0, 1)), (lambda: torch.var(x, True), 1, None),
        (lambda: x.var(axis=0, keepdims=True).squeeze(0), 1, 0),
    ):  # fmt: skip
        np.testing.assert_allclose(numpy(call()), np.var(MATRIX, axis=axis, ddof=ddof))


def test_dimensions_of_truth():
    x = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    assert x.all(()).tolist() == [[True, False], [True, True]]
    assert x.any(dim=None, keepdim=True).tolist() == [[True]]
    assert x.all((0, 1)).item() is False
    assert torch.tensor([NAN]).any().item() is True


def test_out():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    total = torch.empty(0, dtype=F64)
    assert torch.sum(x, 0, out=total) is total
    assert total.dtype is F64
    assert total.tolist() == [4.0, 6.0]
    values, indices = torch.empty(2), torch.empty(2, dtype=torch.int64)
    found = torch.max(x, 1, out=(values, indices))
    assert type(found).__name__ == "max_out"
    assert found.values is values
    assert indices.tolist() == [1, 1]


def test_renorm_in_place():
    leaf = torch.tensor(MATRIX, requires_grad=True)
    x = leaf * 1.0
    assert x.renorm_(2, 0, 0.5) is x
    np.testing.assert_allclose(numpy(x), numpy(leaf.renorm(2, 0, 0.5)))
    check_gradients(lambda x: (x * 2.0).renorm_(2, 0, 0.5), MATRIX)


def test_named_results_print_as_pytorchs():
    found = torch.tensor([3.0, 7.0], requires_grad=True).max(0)
    text = ("torch.return_types.max(\nvalues=tensor(7., grad_fn=<MaxBackward0>),\n"
            "indices=tensor(1))")  # fmt: skip
    assert repr(found) == text
    assert found.values is found[0]
    assert found.n_fields == 2
    with pytest.raises(AttributeError):
        found.values = 1


def test_named_results_are_tuples_of_a_known_length():
    from leafgrad import return_types

    found = return_types.sort((1, 2))
    assert pickle.loads(pickle.dumps(found)) == (1, 2)
    assert repr(return_types.svd_out("abc")).startswith("torch.return_types.svd_out(\nU='a',")
    with pytest.raises(TypeError, match="takes a 2-sequence"):
        return_types.max((1, 2, 3))
    with pytest.raises(AttributeError):
        return_types.nothing_out


NUMPYS = {
    "sum": lambda x: np.sum(x, axis=0, keepdims=True),
    "mean": lambda x: np.mean(x),
    "prod": lambda x: np.prod(x, axis=1),
    "max": lambda x: np.max(x, axis=(0, 1)),
    "amin": lambda x: np.amin(x, 0),
    "var": lambda x: np.var(x, axis=0),
    "std": lambda x: np.std(x, ddof=1),
    "any": lambda x: np.any(x > 1),
    "all": lambda x: np.all(x > -9, axis=0),
    "argmax": lambda x: np.argmax(x, axis=1),
    "count": lambda x: np.count_nonzero(x),
    "add.reduce": lambda x: np.add.reduce(x),
    "add.reduce two": lambda x: np.add.reduce(x, axis=(0, 1)),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=None),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1, keepdims=True),
    "minimum.reduce": lambda x: np.minimum.reduce(x),
    "logical_or.reduce": lambda x: np.logical_or.reduce(x),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_numpy_functions_take_tensors(name):
    found = NUMPYS[name](torch.tensor(MATRIX, requires_grad=True))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(numpy(found), NUMPYS[name](MATRIX))
    assert found.requires_grad == (found.dtype is F64)
