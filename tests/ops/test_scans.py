"""Scans along a dimension, products, differences, the trapezoid rule: values and gradients."""

import math

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.ops.scans import recurrence, shifted
from ops.helpers import check_gradients

INF, NAN = math.inf, math.nan
F64 = torch.float64
generator = np.random.default_rng(6)
MATRIX = generator.standard_normal((3, 5))
CUBE = generator.standard_normal((2, 3, 4))
COMPLEX = MATRIX + 1j * generator.standard_normal((3, 5))
ZEROS = np.array([[0.0, 2.0, 3.0, 1.0], [0.0, 0.0, 3.0, 2.0], [1.5, -2.0, 0.0, 1.0]])
STRIDED = generator.standard_normal((4, 6))[::2, ::2].T


def numpy(t):
    return t.detach().numpy()


SCANS = {
    "cumsum": (lambda x, d: x.cumsum(d), np.cumsum),
    "cumprod": (lambda x, d: x.cumprod(d), np.cumprod),
    "logcumsumexp": (lambda x, d: x.logcumsumexp(d), lambda x, d: np.log(np.cumsum(np.exp(x), d))),
    "cummax": (lambda x, d: x.cummax(d).values, np.maximum.accumulate),
    "cummin": (lambda x, d: x.cummin(d).values, np.minimum.accumulate),
    "diff": (lambda x, d: x.diff(dim=d), lambda x, d: np.diff(x, axis=d)),
    "second diff": (lambda x, d: x.diff(2, d), lambda x, d: np.diff(x, 2, d)),
    "trapezoid": (lambda x, d: torch.trapezoid(x, dx=0.5, dim=d),
                  lambda x, d: np.trapezoid(x, dx=0.5, axis=d)),
    "trapezoid of x": (lambda x, d: torch.trapezoid(x, x.exp(), dim=d),
                       lambda x, d: np.trapezoid(x, np.exp(x), axis=d)),
    "cumulative_trapezoid": (
        lambda x, d: torch.cumulative_trapezoid(x, dx=2, dim=d).select(d, -1),
        lambda x, d: np.trapezoid(x, dx=2, axis=d)),
    "prod": (lambda x, d: x.prod(d), np.prod),
}  # fmt: skip


@pytest.mark.parametrize("array", [MATRIX, CUBE, STRIDED], ids=["matrix", "cube", "strided"])
@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("name", SCANS)
def test_values_and_gradients(name, dim, array):
    ours, reference = SCANS[name]
    np.testing.assert_allclose(
        numpy(ours(torch.from_numpy(array), dim)), reference(array, dim), rtol=1e-12, atol=1e-14
    )
    single = numpy(ours(torch.from_numpy(array).float(), dim))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, reference(array, dim), rtol=1e-4, atol=1e-5)
    check_gradients(lambda x: ours(x, dim), array)


@pytest.mark.parametrize(
    "name", ["cumsum", "cumprod", "logcumsumexp", "diff", "trapezoid", "trapezoid of x", "prod"]
)
def test_complex_values_and_gradients(name):
    ours, reference = SCANS[name]
    found, expected = numpy(ours(torch.tensor(COMPLEX), 1)), reference(COMPLEX, 1)
    if name == "logcumsumexp":
        found, expected = np.exp(found), np.exp(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    check_gradients(lambda x: ours(x, 1), COMPLEX)


@pytest.mark.parametrize("dim", [0, 1])
def test_products_with_zeros_are_exact_to_second_order(dim):
    check_gradients(lambda x: x.cumprod(dim), ZEROS)
    check_gradients(lambda x: x.prod(dim), ZEROS)
    check_gradients(lambda x: x[0, 1:].prod() * x[1].prod(), ZEROS)


def test_third_derivative_of_a_product_with_zeros():
    x = torch.tensor([0.0, 0.0, 0.0, 5.0], dtype=F64, requires_grad=True)
    g = x.prod()
    for i in range(3):
        (g,) = torch.autograd.grad(g, x, create_graph=True)
        g = g[i]
    assert g.item() == 5.0


# PyTorch 2.13's values and gradients of the sum.
SPECIAL = {
    "cumprod zero": (lambda x: x.cumprod(0).sum(), [2.0, 0.0, 3.0], 2.0, [1.0, 8.0, 0.0]),
    "last of cumprod": (lambda x: x.cumprod(0)[2], [2.0, 0.0, 3.0], 0.0, [0.0, 6.0, 0.0]),
    "cummax tie": (lambda x: x.cummax(0)[0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [1.0, 2.0, 0.0]),
    "cummin tie": (lambda x: x.cummin(0)[0], [1.0, 1.0, 2.0], [1.0, 1.0, 1.0], [1.0, 2.0, 0.0]),
    "cummax nan": (lambda x: x.cummax(0)[0], [1.0, NAN, 3.0], [1.0, NAN, NAN], [1.0, 2.0, 0.0]),
    "logcumsumexp -inf": (lambda x: x.logcumsumexp(0), [-INF, 0.0], [-INF, 0.0], [NAN, 1.0]),
    "logcumsumexp inf": (lambda x: x.logcumsumexp(0), [1.0, INF, 2.0], [1.0, INF, INF],
                         [1.0, NAN, 0.0]),
    "trapezoid": (lambda x: torch.trapezoid(x), [1.0, 2.0, 3.0], 4.0, [0.5, 1.0, 0.5]),
    "diff": (lambda x: x.diff(), [1.0, 2.0, 4.0], [1.0, 2.0], [-1.0, 0.0, 1.0]),
    "of nothing": (lambda x: x.cumprod(0), [], [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
def test_special_points(name):
    f, point, value, gradient = SPECIAL[name]
    x = torch.tensor(point, dtype=F64, requires_grad=True)
    out = f(x)
    np.testing.assert_array_equal(numpy(out), value)
    out.sum().backward()
    np.testing.assert_array_equal(numpy(x.grad), np.array(gradient))


def test_logcumsumexp_does_not_overflow():
    x = torch.tensor([1e4, 0.0, -1e4, 1e4], dtype=F64, requires_grad=True)
    y = x.logcumsumexp(0)
    np.testing.assert_allclose(numpy(y), [1e4, 1e4, 1e4, 1e4 + math.log(2)])
    y.sum().backward()
    np.testing.assert_allclose(numpy(x.grad), [3.5, 0.0, 0.0, 0.5], atol=1e-12)


def test_indices_of_running_extremes():
    x = torch.tensor([2.0, 2.0, 1.0, NAN, NAN, 3.0])
    assert x.cummax(0).indices.tolist() == [0, 1, 1, 3, 4, 4]
    assert torch.tensor([2, 2, 1, 3, 1]).cummin(0)[1].tolist() == [0, 1, 2, 2, 4]


def test_0_dim_tensors():
    for f in (lambda x: x.cumsum(0), lambda x: x.cumprod(-1), lambda x: x.logcumsumexp(0),
              lambda x: x.cummax(0)[0], lambda x: x.cummin(0)[0], lambda x: x.prod(0)):  # fmt: skip
        x = torch.tensor(1.5, requires_grad=True)
        y = f(x)
        y.backward()
        assert (y.shape, y.item(), x.grad.item()) == ((), 1.5, 1.0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 13])
def test_recurrence_is_that_of_a_loop(n, reverse):
    values, factors = generator.standard_normal((2, n, 2))
    s, expected = np.zeros(2), np.zeros((n, 2))
    for i in reversed(range(n)) if reverse else range(n):
        s = expected[i] = values[i] + factors[i] * s
    np.testing.assert_allclose(recurrence(values, factors, 0, reverse), expected, rtol=1e-12)
    if n:
        check_gradients(lambda a, b: recurrence(a, b, 0, reverse), values, factors)


def test_shifted():
    x = np.arange(6.0).reshape(2, 3)
    assert shifted(x, 1, 1, 9.0).tolist() == [[9, 0, 1], [9, 3, 4]]
    assert shifted(x, 0, -1, 0.0).tolist() == [[3, 4, 5], [0, 0, 0]]
    check_gradients(lambda t: shifted(t, 1, -1, 2.0) ** 2, x)


def test_dtypes():
    assert torch.tensor([True, True]).cumsum(0).tolist() == [1, 2]
    wrapped = torch.tensor([200, 100], dtype=torch.uint8).cumsum(0, dtype=torch.uint8)
    assert wrapped.tolist() == [200, 44]
    assert torch.tensor([2, 3], dtype=torch.int32).prod().dtype is torch.int64
    assert torch.tensor([2.0, 3.0]).cumprod(0, dtype=F64).dtype is F64
    for kind in (torch.float16, torch.bfloat16):
        x = torch.ones(300, dtype=kind)
        assert x.cumsum(0)[-1].item() == 300.0
        assert x.logcumsumexp(0).dtype is kind
    into = torch.empty(2, dtype=F64)
    assert torch.cumsum(torch.tensor([0.5, 1.0]), 0, out=into).tolist() == [0.5, 1.5]


def test_running_sums_of_float32_are_exact_to_float32():
    x = np.random.default_rng(0).random(200_000, dtype=np.float32)
    exact = np.cumsum(x, dtype=np.float64)
    np.testing.assert_allclose(torch.from_numpy(x).cumsum(0).numpy(), exact, rtol=1e-7)


def test_in_place():
    leaf = torch.tensor(MATRIX, requires_grad=True)
    for name in ("cumsum", "cumprod"):
        x = leaf * 1.0
        assert getattr(x, f"{name}_")(1) is x
        np.testing.assert_array_equal(numpy(x), numpy(getattr(leaf, name)(1)))
        assert x.grad_fn.name() == f"{name.capitalize()}Backward0"
        check_gradients(lambda t, name=name: getattr(t * 2.0, f"{name}_")(0), MATRIX)
    integers = torch.tensor([2, 3], dtype=torch.int32)
    assert integers.cumprod_(0).dtype is torch.int32


def test_what_is_saved():
    x = torch.tensor([1.0, 2.0], requires_grad=True) * 1.0
    y = x.cumsum(0)
    x.add_(1.0)
    y.sum().backward()
    x = torch.tensor([1.0, 2.0], requires_grad=True) * 1.0
    y = x.cumprod(0)
    y.add_(1.0)
    with pytest.raises(RuntimeError, match="output 0 of Cumprod"):
        y.sum().backward()


def test_diff_of_bools_and_with_neighbours():
    assert torch.tensor([True, False, False]).diff().tolist() == [True, False]
    x = torch.tensor([1.0, 4.0])
    assert x.diff(prepend=torch.tensor([0.0]), append=torch.tensor([9.0])).tolist() == [1, 3, 5]
    assert x.diff(n=0) is not x
    assert x.diff(n=5).shape == (0,)


X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
ERRORS = [
    (lambda: X.cumsum(2), IndexError,
     "Dimension out of range (expected to be in range of [-2, 1], but got 2)"),
    (lambda: X.cumsum(None), TypeError,
     "cumsum(): argument 'dim' (position 1) must be int, not NoneType"),
    (lambda: torch.tensor([1]).logcumsumexp(0), NotImplementedError,
     "\"logcumsumexp_out_cpu\" not implemented for 'Long'"),
    (lambda: X.to(torch.complex64).cummax(0), NotImplementedError,
     "\"cummax_cpu\" not implemented for 'ComplexFloat'"),
    (lambda: torch.tensor([True]).cumsum_(0), NotImplementedError,
     "\"cumsum_out_cpu\" not implemented for 'Bool'"),
    (lambda: X.clone().cumsum_(0, dtype=F64), RuntimeError, "Bad in-place call: input tensor dtype "
     "float and output tensor dtype double should match"),
    (lambda: X.diff(n=-1), RuntimeError, "order must be non-negative but got -1"),
    (lambda: torch.tensor(1.0).diff(), RuntimeError,
     "diff expects input to be at least one-dimensional"),
    (lambda: X.diff(prepend=torch.tensor(1.0)), RuntimeError,
     "diff expects prepend or append to be the same dimension as input"),
    (lambda: torch.trapezoid(X > 1), RuntimeError,
     "trapezoid: received a bool input for `y`, but bool is not supported"),
    (lambda: torch.trapezoid(X, torch.ones(2)), RuntimeError,
     "trapezoid: There must be one `x` value for each sample point"),
    (lambda: torch.trapezoid(torch.tensor(1.0)), IndexError,
     "Dimension specified as -1 but tensor has no dimensions"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number):
    f, kind, sentence = ERRORS[number]
    with pytest.raises(kind) as caught:
        f()
    assert str(caught.value).split("\n")[0] == sentence


NUMPYS = {
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "cumsum of all": lambda x: np.cumsum(x),
    "cumprod": lambda x: np.cumprod(x, axis=0),
    "diff": lambda x: np.diff(x, axis=0),
    "trapezoid": lambda x: np.trapezoid(x, dx=0.5),
    "prod": lambda x: np.prod(x),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, axis=1),
    "logaddexp.accumulate": lambda x: np.logaddexp.accumulate(x, axis=1),
    "multiply.reduce": lambda x: np.multiply.reduce(x),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_numpy_functions_take_tensors(name):
    found = NUMPYS[name](torch.tensor(MATRIX, requires_grad=True))
    assert found.requires_grad
    np.testing.assert_allclose(numpy(found), NUMPYS[name](MATRIX))
