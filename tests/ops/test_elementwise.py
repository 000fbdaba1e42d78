"""Elementwise operators: values, derivatives, special points, dtypes, errors, in place."""

from __future__ import annotations

import cmath
import math
import sys

import numpy as np
import pytest

import leafgrad as torch
from ops.helpers import check_gradients

INF, NAN = math.inf, math.nan
EULER = 0.5772156649015329


def t(values, dtype=torch.float64, grad=False):
    made = torch.tensor(values, dtype=dtype)
    return made.requires_grad_() if grad else made


def gradients(f, *values):
    """The result of f on float64 leaves, and the gradients of its sum."""
    leaves = [t(v, grad=True) for v in values]
    out = f(*leaves)
    found = torch.autograd.grad(out, leaves, torch.ones_like(out), materialize_grads=True)
    return out.tolist(), [g.tolist() for g in found]


# Values, by functions of the standard library

WIDE = [-2.5, -0.75, -1e-3, 0.25, 1.0, 3.5]
UNIT = [-0.9, -0.3, 1e-4, 0.5, 0.8]
POSITIVE = [1e-3, 0.4, 1.0, 2.5, 30.0]
UNARY = {
    "abs": (abs, WIDE), "neg": (lambda x: -x, WIDE), "exp": (math.exp, WIDE),
    "exp2": (lambda x: 2.0**x, WIDE), "expm1": (math.expm1, WIDE), "log": (math.log, POSITIVE),
    "log2": (math.log2, POSITIVE), "log10": (math.log10, POSITIVE), "log1p": (math.log1p, UNIT),
    "sqrt": (math.sqrt, POSITIVE), "rsqrt": (lambda x: 1 / math.sqrt(x), POSITIVE),
    "square": (lambda x: x * x, WIDE), "reciprocal": (lambda x: 1 / x, WIDE),
    "sin": (math.sin, WIDE), "cos": (math.cos, WIDE), "tan": (math.tan, UNIT),
    "asin": (math.asin, UNIT), "acos": (math.acos, UNIT), "atan": (math.atan, WIDE),
    "sinh": (math.sinh, WIDE), "cosh": (math.cosh, WIDE), "tanh": (math.tanh, WIDE),
    "asinh": (math.asinh, WIDE), "acosh": (math.acosh, [1.5, 2.0, 7.0]),
    "atanh": (math.atanh, UNIT), "sinc": (lambda x: math.sin(math.pi * x) / (math.pi * x), WIDE),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), WIDE),
    "logit": (lambda x: math.log(x / (1 - x)), [0.01, 0.4, 0.9]),
    "relu": (lambda x: max(x, 0.0), WIDE), "erf": (math.erf, WIDE), "erfc": (math.erfc, WIDE),
    "deg2rad": (math.radians, WIDE), "rad2deg": (math.degrees, WIDE),
    "frac": (lambda x: x - math.trunc(x), [-2.5, -0.3, 0.25, 3.75]),
    "sign": (lambda x: math.copysign(1, x), WIDE),
    "floor": (math.floor, WIDE), "ceil": (math.ceil, WIDE), "trunc": (math.trunc, WIDE),
    "round": (round, WIDE), "positive": (float, WIDE),
}  # fmt: skip


def bessel(x):
    return sum((x / 2) ** (2 * k) / math.factorial(k) ** 2 for k in range(30))


SPECIAL = {"lgamma": (math.lgamma, POSITIVE), "i0": (bessel, WIDE)}
STEPS = {"sign", "floor", "ceil", "trunc", "round"}


@pytest.mark.parametrize("name", [*UNARY, *SPECIAL])
def test_unary_values(name):
    if name in SPECIAL:
        pytest.importorskip("scipy")
    reference, points = {**UNARY, **SPECIAL}[name]
    expected = np.array([reference(x) for x in points])
    function = getattr(torch, name)
    for kind, rtol in ((torch.float64, 1e-14), (torch.float32, 2e-6), (torch.float16, 5e-3)):
        x = t(points, kind)
        given = [reference(v) for v in x.tolist()] if kind is not torch.float64 else expected
        out = function(x)
        assert out.dtype is kind
        np.testing.assert_allclose(out.tolist(), given, rtol=rtol, atol=rtol)
        assert getattr(x, name)().tolist() == out.tolist()
    assert function(t(points[1])).shape == ()
    assert function(t([])).shape == (0,)
    gaps = torch.from_numpy(np.repeat(points, 2))
    apart = torch.from_numpy(np.stack([points, points], 1)).detach()
    np.testing.assert_allclose(function(gaps).numpy()[::2], expected, rtol=1e-14)
    np.testing.assert_allclose(
        function(torch.from_numpy(apart.numpy()[:, 0])).numpy(), expected, rtol=1e-14
    )


@pytest.mark.parametrize("name", [*UNARY, *SPECIAL])
def test_unary_gradients(name):
    if name in SPECIAL:
        pytest.importorskip("scipy")
    _, points = {**UNARY, **SPECIAL}[name]
    function = getattr(torch, name)
    if name in STEPS:
        assert gradients(function, points)[1] == [[0.0] * len(points)]
        return
    away = [x for x in points if abs(x) > 0.01]
    check_gradients(function, np.array(away))
    check_gradients(function, np.array(away[1]))


APART = [-2.5, -0.75, 0.4, 1.0, 3.6]
BINARY = {
    "add": (lambda x, y: x + y, WIDE), "sub": (lambda x, y: x - y, WIDE),
    "mul": (lambda x, y: x * y, WIDE), "div": (lambda x, y: x / y, WIDE),
    "pow": (lambda x, y: x**y, POSITIVE[:4]), "atan2": (math.atan2, WIDE),
    "hypot": (math.hypot, WIDE), "remainder": (lambda x, y: x % y, APART),
    "fmod": (math.fmod, APART),
    "copysign": (math.copysign, WIDE), "ldexp": (lambda x, y: x * 2**y, WIDE),
    "logaddexp": (lambda x, y: math.log(math.exp(x) + math.exp(y)), WIDE),
    "logaddexp2": (lambda x, y: math.log2(2**x + 2**y), WIDE),
    "xlogy": (lambda x, y: x * math.log(y), POSITIVE), "maximum": (max, WIDE),
    "minimum": (min, WIDE), "fmax": (max, WIDE), "fmin": (min, WIDE),
    "nextafter": (math.nextafter, WIDE),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    reference, points = BINARY[name]
    function = getattr(torch, name)
    a = np.array(points)
    b = a[::-1].copy() * (1 if name == "pow" else 1.3)
    expected = [reference(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_allclose(function(t(a), t(b)).tolist(), expected, rtol=1e-14)
    x, y = t(a, torch.float32), t(b, torch.float32)
    low = function(x, y)
    assert low.dtype is torch.float32
    given = [reference(u, v) for u, v in zip(x.tolist(), y.tolist(), strict=True)]
    np.testing.assert_allclose(low.tolist(), given, rtol=2e-6)
    table = function(t(a[:, None]), t(b[None, :2]))
    assert table.shape == (len(points), 2)
    np.testing.assert_allclose(table.tolist()[1][0], reference(float(a[1]), float(b[0])))
    assert function(t(a), t(b[1])).shape == a.shape
    assert function(t([]), t(b[1])).shape == (0,)
    if name not in ("copysign", "nextafter"):
        check_gradients(function, a, b)
        check_gradients(function, np.stack([a, a + 0.1]), b)
        check_gradients(function, a[:, None], b[:2])


COMPLEX = [0.3 + 1j, -0.5 - 2j, 2.5 + 0.1j]
OTHER = [1.3 - 1j, 0.5 + 2j, -2.5 + 0.4j]
COMPLEX_UNARY = {
    "exp": cmath.exp, "log": cmath.log, "sqrt": cmath.sqrt, "sin": cmath.sin, "cos": cmath.cos,
    "tan": cmath.tan, "asin": cmath.asin, "acos": cmath.acos, "atan": cmath.atan,
    "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh, "asinh": cmath.asinh,
    "acosh": cmath.acosh, "atanh": cmath.atanh, "log10": cmath.log10, "abs": abs,
    "conj": lambda z: z.conjugate(), "angle": cmath.phase, "neg": lambda z: -z,
    "reciprocal": lambda z: 1 / z, "square": lambda z: z * z, "sgn": lambda z: z / abs(z),
    "real": lambda z: z.real, "imag": lambda z: z.imag, "exp2": lambda z: 2**z,
    "sigmoid": lambda z: 1 / (1 + cmath.exp(-z)), "rsqrt": lambda z: 1 / cmath.sqrt(z),
    "log2": lambda z: cmath.log(z) / math.log(2), "log1p": lambda z: cmath.log(1 + z),
    "expm1": lambda z: cmath.exp(z) - 1,
    "sinc": lambda z: cmath.sin(math.pi * z) / (math.pi * z),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLEX_UNARY)
def test_complex_unary(name):
    function = getattr(torch, name)
    expected = [COMPLEX_UNARY[name](z) for z in COMPLEX]
    out = function(t(COMPLEX, torch.complex128))
    np.testing.assert_allclose(out.tolist(), expected, rtol=1e-12)
    assert function(t(COMPLEX, torch.complex64)).dtype in (torch.complex64, torch.float32)
    check_gradients(function, np.array(COMPLEX))


@pytest.mark.parametrize("f", [
    torch.add, torch.sub, torch.mul, torch.div, torch.pow, torch.logaddexp,
    lambda z, w: torch.lerp(z, w, 0.3), lambda z, w: z**2 * w.conj(), lambda z, w: z**w.real,
    lambda z, w: torch.complex(z.real, w.imag), lambda z, w: torch.polar(z.abs(), w.angle()),
    lambda z, w: torch.view_as_real(z * w), lambda z, w: torch.where(z.real > 0, z, w),
    lambda z, w: torch.addcdiv(z, w, z.conj(), value=2), lambda z, w: (2 - 1j) ** z / w,
    lambda z, w: torch.view_as_complex(torch.view_as_real(z) * 2.0) * w,
])  # fmt: skip
def test_complex_gradients(f):
    check_gradients(f, np.array(COMPLEX), np.array(OTHER))


@pytest.mark.parametrize("f", [
    torch.mul, torch.div, torch.sub, lambda z, x: x**z, lambda z, x: z**x, lambda z, x: x / z,
    lambda z, x: torch.lerp(z, z * 2, 0.7) + x,
])  # fmt: skip
def test_complex_with_real(f):
    check_gradients(f, np.array(COMPLEX), np.array([0.5, 1.5, 2.5]))


X = np.array([0.3, -0.6, 2.5])
Y = np.array([1.7, 0.4, -2.5])
P = np.array([1.3, 2.6, 0.7])


@pytest.mark.parametrize("f", [
    lambda x, y: torch.add(x, y, alpha=2.5), lambda x, y: torch.sub(x, y, alpha=2.5),
    lambda x, y: torch.rsub(x, y, alpha=2), lambda x, y: 1 - x * y, lambda x, y: 2 / (x * y),
    lambda x, y: x**3 * y, lambda x, y: x**2 + y, lambda x, y: (x * x + 1) ** -1.5 * y,
    lambda x, y: 2 ** (x * y), lambda x, y: (x * x + 1) ** y, lambda x, y: 3 % (x + 4) + y,
    lambda x, y: x % 2 + y, lambda x, y: torch.fmod(x, 2) * y, lambda x, y: x.clamp(-0.5, 1) * y,
    lambda x, y: x.clamp(y, y + 1), lambda x, y: x.clamp_min(0.2) + y.clamp_max(0.2),
    lambda x, y: torch.clamp_min(x, y) * torch.clamp_max(x, y * 2),
    lambda x, y: torch.where(x > 0, x * y, y), lambda x, y: x.where(y > 0, 3.0) * y,
    lambda x, y: torch.addcmul(x, y, x, value=0.5), lambda x, y: torch.addcdiv(x, y, x, value=3),
    lambda x, y: torch.lerp(x, y, 0.2) * torch.lerp(x, y, 0.8),
    lambda x, y: torch.lerp(x, y, x * y), lambda x, y: torch.float_power(x * x, 1.5) * y,
    lambda x, y: torch.copysign(x, -1) * y, lambda x, y: x.logit(0.1) + y.nan_to_num(),
    lambda x, y: torch.frexp(x)[0] * y, lambda x, y: torch.xlogy(x, 2) + torch.xlogy(2, y * y),
    lambda x, y: -x + abs(y) * +x,
])  # fmt: skip
def test_composed_gradients(f):
    check_gradients(f, X, Y)


def test_special_function_gradients():
    pytest.importorskip("scipy")
    check_gradients(torch.digamma, P)
    check_gradients(lambda x: torch.polygamma(1, x), np.array([-0.5, 0.3, 2.5]))
    check_gradients(lambda x: x.polygamma(2), P)
    check_gradients(lambda x: torch.mvlgamma(x, 3), P + 2)
    check_gradients(torch.erfinv, np.array([-0.9, 0.1, 0.5]))
    check_gradients(lambda x: torch.igamma(t([1.5, 2.0, 0.5]), x), P)
    check_gradients(lambda x: torch.igammac(t([1.5, 2.0, 0.5]), x), P)
    with pytest.raises(NotImplementedError, match="'igamma: input' is not implemented"):
        torch.igamma(t(P, grad=True), t(P)).backward(torch.ones(3, dtype=torch.float64))
    np.testing.assert_allclose(torch.digamma(t([1.0])).tolist(), [-EULER])
    np.testing.assert_allclose(torch.polygamma(1, t([1.0])).tolist(), [math.pi**2 / 6])
    assert torch.digamma(t([0.0, -0.0])).tolist() == [-INF, INF]
    assert torch.lgamma(t([0.0, -1.0, -INF])).tolist() == [INF, INF, INF]
    with pytest.raises(RuntimeError, match="does not support negative n"):
        torch.polygamma(-1, t(P))


def test_without_scipy(monkeypatch):
    from leafgrad.ops import elementwise

    monkeypatch.setitem(sys.modules, "scipy", None)
    elementwise._scipy.cache_clear()
    assert torch.erf(t([0.5])).item() == math.erf(0.5)
    assert torch.lgamma(t([0.5])).item() == pytest.approx(math.lgamma(0.5))
    with pytest.raises(ModuleNotFoundError, match="needs SciPy: pip install"):
        torch.igamma(t([0.5]), t([0.5]))


def test_erf_is_accurate_in_blocks():
    generator = np.random.default_rng(0)
    x = np.concatenate([
        generator.normal(size=20_000) * 2, 10.0 ** generator.uniform(-12, 1, 3000),
        [0.0, INF, -INF, NAN],
    ])  # fmt: skip
    for kind, rtol in ((np.float64, 1e-15), (np.float32, 6e-7)):
        values = x.astype(kind)
        for f, reference in ((torch.erf, math.erf), (torch.erfc, math.erfc)):
            out = f(torch.from_numpy(values)).numpy()
            expected = np.array([reference(v) for v in values.tolist()])
            smallest = np.finfo(kind).tiny
            np.testing.assert_allclose(out, expected, rtol=rtol, atol=smallest)
    assert math.copysign(1, torch.erf(t(-0.0)).item()) == -1


# Special points, as PyTorch has them (float64, gradients of the sum)

POINTS = [
    (torch.abs, ([0.0, -0.0, NAN],), [0.0, 0.0, NAN], [[0.0, 0.0, 0.0]]),
    (torch.sqrt, ([0.0, -1.0],), [0.0, NAN], [[INF, NAN]]),
    (torch.rsqrt, ([0.0, -1.0],), [INF, NAN], [[-INF, NAN]]),
    (torch.relu, ([0.0, -0.0, NAN, 1.0],), [0.0, -0.0, NAN, 1.0], [[0.0, 0.0, 1.0, 1.0]]),
    (torch.sign, ([0.0, 2.0, NAN],), [0.0, 1.0, 0.0], [[0.0, 0.0, 0.0]]),
    (torch.sgn, ([0.0, -2.0],), [0.0, -1.0], [[0.0, 0.0]]),
    (torch.round, ([0.5, 1.5, -2.5],), [0.0, 2.0, -2.0], [[0.0, 0.0, 0.0]]),
    (torch.frac, ([0.5, -0.5],), [0.5, -0.5], [[1.0, 1.0]]),
    (torch.nan_to_num, ([NAN, INF, 1.0],), [0.0, np.finfo(float).max, 1.0], [[0.0, 0.0, 1.0]]),
    (torch.maximum, ([1.0, 2.0, NAN], [1.0, 1.0, 1.0]), [1.0, 2.0, NAN],
     [[0.5, 1.0, 1.0], [0.5, 0.0, 1.0]]),
    (torch.minimum, ([1.0, 2.0], [1.0, 1.0]), [1.0, 1.0], [[0.5, 0.0], [0.5, 1.0]]),
    (torch.fmax, ([1.0, NAN], [1.0, 1.0]), [1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]),
    (torch.fmin, ([1.0, NAN], [1.0, 1.0]), [1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]),
    (lambda x: x.clamp(0, 1), ([0.0, 1.0, 0.5, -1.0, 2.0, NAN],), [0.0, 1.0, 0.5, 0.0, 1.0, NAN],
     [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]]),
    (lambda x: x.clamp(min=0), ([0.0, -1.0],), [0.0, 0.0], [[1.0, 0.0]]),
    (lambda x: x.clamp(2, 1), ([1.5, 3.0, 0.0],), [1.0, 1.0, 1.0], [[0.0, 0.0, 0.0]]),
    (torch.clamp, ([0.0, 1.0, 0.5, 2.0, -1.0], [0.0] * 5, [1.0] * 5), [0.0, 1.0, 0.5, 1.0, 0.0],
     [[1.0, 1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0, 0.0]]),
    (torch.clamp, ([0.0, 1.0, 2.0], [1.0] * 3, [1.0] * 3), [1.0, 1.0, 1.0],
     [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    (torch.clamp_min, ([0.0], [0.0]), [0.0], [[1.0], [0.0]]),
    (lambda x: torch.where(x > 0, torch.sqrt(x), 0.0), ([0.0, -1.0, 4.0],), [0.0, 0.0, 2.0],
     [[NAN, NAN, 0.25]]),
    (lambda x: torch.relu(x).sqrt(), ([0.0, 4.0],), [0.0, 2.0], [[0.0, 0.25]]),
    (lambda x: x**0, ([0.0],), [1.0], [[0.0]]),
    (lambda x: x**0.5, ([0.0],), [0.0], [[INF]]),
    (torch.pow, ([0.0, 0.0, -2.0], [2.0, 0.0, 2.0]), [0.0, 1.0, 4.0],
     [[0.0, 0.0, -4.0], [0.0, 0.0, NAN]]),
    (lambda x: 0**x, ([0.0, 1.0],), [1.0, 0.0], [[0.0, 0.0]]),
    (torch.xlogy, ([0.0, 0.0], [0.0, 1.0]), [0.0, 0.0], [[0.0, 0.0], [NAN, 0.0]]),
    (torch.xlogy, ([0.0], [NAN]), [NAN], [[NAN], [NAN]]),
    (torch.log, ([0.0, -1.0],), [-INF, NAN], [[INF, -1.0]]),
    (torch.log1p, ([-1.0],), [-INF], [[INF]]),
    (torch.div, ([1.0], [0.0]), [INF], [[INF], [-INF]]),
    (torch.reciprocal, ([0.0],), [INF], [[-INF]]),
    (torch.atan2, ([0.0], [0.0]), [0.0], [[0.0], [0.0]]),
    (torch.hypot, ([0.0], [0.0]), [0.0], [[NAN], [NAN]]),
    (torch.fmod, ([5.0, -5.0], [3.0, 3.0]), [2.0, -2.0], [[1.0, 1.0], [-1.0, 1.0]]),
    (torch.remainder, ([5.0, -5.0], [3.0, 3.0]), [2.0, 1.0], [[1.0, 1.0], [-1.0, 2.0]]),
    (lambda x, y: torch.div(x, y, rounding_mode="floor"), ([5.0, -5.0], [3.0, 3.0]), [1.0, -2.0],
     [[0.0, 0.0], [0.0, 0.0]]),
    (lambda x, y: torch.div(x, y, rounding_mode="trunc"), ([5.0, -5.0], [3.0, 3.0]), [1.0, -1.0],
     [[0.0, 0.0], [0.0, 0.0]]),
    (torch.copysign, ([0.0, 2.0], [-1.0, -1.0]), [-0.0, -2.0], [[0.0, -1.0], [0.0, 0.0]]),
    (torch.sinc, ([0.0],), [1.0], [[0.0]]),
    (torch.asin, ([1.0, -1.0],), [math.pi / 2, -math.pi / 2], [[INF, INF]]),
    (torch.acosh, ([1.0],), [0.0], [[INF]]),
    (torch.atanh, ([1.0],), [INF], [[INF]]),
    (torch.logit, ([0.0, 1.0, -1.0],), [-INF, INF, NAN], [[INF, INF, NAN]]),
    (lambda x: torch.logit(x, 0.1), ([0.0, 0.1, 0.5],), [-math.log(9), -math.log(9), 0.0],
     [[0.0, 1 / 0.09, 4.0]]),
    (torch.logaddexp, ([-INF], [-INF]), [-INF], [[NAN], [NAN]]),
    (torch.nextafter, ([1.0, 1.0], [2.0, 1.0]), [1 + 2**-52, 1.0], [[1.0, 0.0], [0.0, 0.0]]),
    (lambda x: torch.lerp(x, t([2.0]), 0.3), ([1.0],), [1.3], [[0.7]]),
    (torch.addcdiv, ([0.0], [1.0], [0.0]), [INF], [[1.0], [INF], [-INF]]),
    (lambda x: torch.frexp(x)[0], ([2.0, INF],), [0.5, INF], [[0.25, 1.0]]),
    (torch.angle, ([0.0, -1.0, 1.0],), [0.0, math.pi, 0.0], [[0.0, 0.0, 0.0]]),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(POINTS)))
def test_special_points(index):
    f, values, expected, slopes = POINTS[index]
    out, found = gradients(f, *values)
    np.testing.assert_allclose(out, expected, rtol=1e-14)
    assert [math.copysign(1, v) for v in out if v == 0] == [
        math.copysign(1, v) for v in expected if v == 0
    ]
    for g, wanted in zip(found, slopes, strict=True):
        np.testing.assert_allclose(g, wanted, rtol=1e-14, atol=1e-16)


def test_complex_points():
    z = t([0j, 3 + 4j], torch.complex128, grad=True)
    for f, expected in ((torch.abs, [0, 0.6 + 0.8j]), (torch.angle, [0, -0.16 + 0.12j])):
        out = f(z)
        (g,) = torch.autograd.grad(out, z, torch.ones_like(out))
        np.testing.assert_allclose(g.tolist(), expected, rtol=1e-14)
    np.testing.assert_allclose(torch.sgn(z).tolist(), [0, 0.6 + 0.8j], rtol=1e-14)
    # The gradient of a real loss is dL/dx + i dL/dy.
    for f, expected in (
        (lambda z: (z * z.conj()).real, 2 + 4j), (lambda z: (z * z).real, 2 - 4j),
        (lambda z: z.imag, 1j), (lambda z: z.real, 1), (lambda z: z.abs() ** 2, 2 + 4j),
    ):  # fmt: skip
        z = t(1 + 2j, torch.complex128, grad=True)
        f(z).backward()
        np.testing.assert_allclose(z.grad.item(), expected, rtol=1e-14)


# The graph


NODES = {
    "Add": lambda x, y: x + y, "Add ": lambda x, y: 1 + x, "Sub": lambda x, y: x - y,
    "Rsub1": lambda x, y: 1 - x, "Rsub0": lambda x, y: torch.rsub(x, y, alpha=1),
    "Mul": lambda x, y: x * y, "Mul ": lambda x, y: 2 / x, "Div": lambda x, y: x / y,
    "Div2": lambda x, y: x.div(y, rounding_mode="floor"), "Neg": lambda x, y: -x,
    "Pow0": lambda x, y: x**2, "Pow1": lambda x, y: x**y, "Pow2": lambda x, y: 2**x,
    "Pow0 ": lambda x, y: x.square(), "Remainder0": lambda x, y: x % 2,
    "Remainder1": lambda x, y: x % y, "Fmod0": lambda x, y: torch.fmod(x, 2),
    "Clamp1": lambda x, y: x.clamp(0, 1), "Clamp0": lambda x, y: x.clamp(min=y),
    "ClampMin0": lambda x, y: x.clamp_min(0), "ClampMin1": lambda x, y: x.clamp_min(y),
    "Where": lambda x, y: torch.where(x > y, x, y), "Round1": lambda x, y: x.round(decimals=1),
    "Log1P": lambda x, y: x.log1p(), "Deg2Rad": lambda x, y: x.deg2rad(),
    "Copysign1": lambda x, y: x.copysign(2), "Xlogy1": lambda x, y: torch.xlogy(2, x),
    "Xlogy2": lambda x, y: torch.xlogy(x, 2), "Lerp0": lambda x, y: x.lerp(y, 0.1),
    "Lerp1": lambda x, y: x.lerp(y, x), "Complex": lambda x, y: torch.complex(x, y),
    "Relu": lambda x, y: x.relu(), "Sigmoid": lambda x, y: torch.sigmoid(x),
    "Maximum": lambda x, y: torch.maximum(x, y), "Add  ": lambda x, y: x.add(y, alpha=2),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_names_of_nodes(name):
    out = NODES[name](t(X, grad=True), t(Y, grad=True))
    wanted = name.strip()
    number = wanted[-1] if wanted[-1].isdigit() else "0"
    assert out.grad_fn.name() == f"{wanted.rstrip('0123456789')}Backward{number}"


def test_what_is_saved():
    """A result that the rule needs may not be overwritten, an input that it does not may."""
    for f in (torch.exp, torch.tanh, torch.sigmoid, torch.relu, torch.sqrt, torch.reciprocal):
        x = t([0.5, 1.0], grad=True) * 1
        out = f(x)
        x.add_(1)
        out.backward(torch.ones_like(out), retain_graph=True)
        out.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.backward(torch.ones_like(out))
    for f in (torch.sin, torch.log, lambda x: x**2, lambda x: x * x, torch.abs):
        x = t([0.5, 1.0], grad=True) * 1
        out = f(x)
        out.mul_(2)
        out.backward(torch.ones_like(out), retain_graph=True)
        x.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.backward(torch.ones_like(out))
    x, y = t([1.0], grad=True) * 1, t([2.0], grad=True) * 1
    out = x + y - x
    x.add_(1), y.mul_(3)
    out.backward()


def test_no_formula():
    x, y = t([5.0], grad=True), t([3.0], grad=True)
    for f, name in ((torch.floor_divide, "floor_divide"), (torch.heaviside, "heaviside")):
        out = f(x, y)
        assert out.requires_grad and type(out.grad_fn).__name__ == "NotImplemented"
        with pytest.raises(RuntimeError, match=f"derivative for aten::{name} is not implemented"):
            out.backward()


# Dtypes


def test_number_operands():
    i, f, h = torch.tensor([1, 2]), torch.ones(2), torch.ones(2, dtype=torch.float16)
    d, b = torch.ones(2, dtype=torch.float64), torch.tensor([True, False])
    i32, u8 = torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2], dtype=torch.uint8)
    bf = torch.ones(2, dtype=torch.bfloat16)
    expected = [
        (i + 1, torch.int64), (i32 + 1, torch.int32), (i + 1.0, torch.float32),
        (i32 + True, torch.int32), (f + 1j, torch.complex64), (d + 1j, torch.complex128),
        (b + 1, torch.int64), (b + 1.0, torch.float32), (u8 + 300, torch.uint8),
        (f + d[0], torch.float32), (i + d[0], torch.float64), (i + h[0], torch.float16),
        (b + i[0], torch.int64), (h + bf, torch.float32), (d[0] + f, torch.float32),
        (i[0] + 1.0, torch.float32), (i / 2, torch.float32), (i // 2, torch.int64),
        (i**2, torch.int64), (i**2.0, torch.float32), (i % 2, torch.int64), (2 / i, torch.float32),
        (h * 2.5, torch.float16), (bf * 2.5, torch.bfloat16), (b * b, torch.bool),
        (torch.sin(i), torch.float32), (torch.sqrt(b), torch.float32), (abs(i32), torch.int32),
        (torch.square(u8), torch.uint8), (torch.where(b, 1, 2.0), torch.float32),
        (torch.where(b, i, 2.5), torch.float32), (torch.where(b, h, 1.5), torch.float16),
        (torch.clamp(i, min=0.5), torch.float32), (torch.float_power(i, 2), torch.float64),
        (torch.div(i, 2, rounding_mode="floor"), torch.int64), (i == 1.5, torch.bool),
        (torch.atan2(i, i), torch.float32), (torch.ldexp(f, i), torch.float32),
        (torch.angle(torch.ones(1, dtype=torch.complex64)), torch.float32),
        (u8 * 1.5, torch.float32), (torch.relu(i), torch.int64), (torch.sign(b), torch.bool),
    ]  # fmt: skip
    for out, kind in expected:
        assert out.dtype is kind
    assert (u8 + 300).tolist() == [45, 46] and (1 - u8).tolist() == [0, 255]
    assert (np.float64(2) * f).dtype is torch.float32
    assert (f * np.ones(2)).dtype is torch.float64


def test_integers():
    i, j = torch.tensor([7, -7, 6]), torch.tensor([2, 2, -4])
    assert (i // j).tolist() == [3, -4, -2]
    assert torch.div(i, j, rounding_mode="trunc").tolist() == [3, -3, -1]
    assert (i % j).tolist() == [1, 1, -2] and torch.fmod(i, j).tolist() == [1, -1, 2]
    assert (i / j).tolist() == [3.5, -3.5, -1.5]
    assert (torch.tensor([2, 1, -1, -1, 5]) ** torch.tensor([-1, -3, -3, -2, 3])).tolist() == [
        0, 1, -1, 1, 125,
    ]  # fmt: skip
    assert (2 ** torch.tensor([-1, 5])).tolist() == [0, 32] and (7 // j).tolist() == [3, 3, -2]
    assert (i & 3).tolist() == [3, 1, 2] and (1 | j).tolist() == [3, 3, -3]
    assert (i ^ j).tolist() == [5, -5, -6] and (~i).tolist() == [-8, 6, -7]
    assert (i << 2).tolist() == [28, -28, 24] and (i >> 1).tolist() == [3, -4, 3]
    assert (1 << torch.tensor([3, 70, -1])).tolist() == [8, 0, 0]
    assert torch.gcd(i, torch.tensor([21, 0, 4])).tolist() == [7, 7, 2]
    assert torch.lcm(i, torch.tensor([2, 3, 4])).tolist() == [14, 21, 12]
    b = torch.tensor([True, False])
    assert (~b).tolist() == [False, True] and (b & True).tolist() == [True, False]
    assert (b ^ b).tolist() == [False, False] and (b | ~b).tolist() == [True, True]
    assert torch.floor(i).tolist() == [7, -7, 6] and torch.floor(i).dtype is torch.int64
    assert torch.frexp(t([8.0, -3.0, 0.0, NAN]))[1].tolist() == [4, 2, 0, 0]


def test_comparisons():
    x, y = torch.tensor([1.0, 2.0, NAN]), torch.tensor([1.0, 1.0, 1.0])
    assert (x == y).tolist() == [True, False, False] and (x != y).tolist() == [False, True, True]
    assert (x < y).tolist() == [False] * 3 and (x >= y).tolist() == [True, True, False]
    assert (x > 1).tolist() == [False, True, False] and torch.le(x, 1.5).tolist() == [
        True, False, False,
    ]  # fmt: skip
    assert torch.greater_equal(x, y).tolist() == [True, True, False]
    assert not (x == y).requires_grad and (x == y).dtype is torch.bool
    assert (x == None) is False and (x != None) is True and (x == "a") is False  # noqa: E711
    assert (torch.tensor([44], dtype=torch.uint8) == 300).item()  # as in PyTorch: 300 wraps
    special = torch.tensor([0.0, -0.0, INF, -INF, NAN])
    assert torch.isnan(special).tolist() == [False] * 4 + [True]
    assert torch.isinf(special).tolist() == [False, False, True, True, False]
    assert torch.isfinite(special).tolist() == [True, True, False, False, False]
    assert torch.isposinf(special).tolist() == [False, False, True, False, False]
    assert torch.isneginf(special).tolist() == [False, False, False, True, False]
    assert torch.signbit(special).tolist()[:4] == [False, True, False, True]
    assert torch.isreal(torch.tensor([1 + 0j, 1j])).tolist() == [True, False]
    assert torch.isfinite(torch.tensor([1, 2])).tolist() == [True, True]
    assert torch.logical_and(special, special).tolist() == [False, False, True, True, True]
    assert torch.logical_xor(torch.tensor([1, 0]), torch.tensor([2.0, 0])).tolist() == [False] * 2
    assert torch.logical_not(torch.tensor([0, 3])).tolist() == [True, False]
    assert torch.isclose(special, special, equal_nan=True).tolist() == [True] * 5
    assert torch.isclose(torch.tensor([1, 3]), torch.tensor([1, 4])).tolist() == [True, False]
    assert torch.allclose(t([1.0]), t([1.0 + 1e-9])) and not torch.allclose(t([1.0]), t([1.1]))
    assert torch.equal(t([1.0]), torch.tensor([1])) and not torch.equal(t([1.0]), t([1.0, 1.0]))
    assert torch.isin(torch.tensor([1, 2, 3]), torch.tensor([3, 1])).tolist() == [True, False, True]
    rows, columns = torch.where(torch.tensor([[0, 1], [1, 0]]) == 1)
    assert rows.tolist() == [0, 1] and columns.tolist() == [1, 0]


def test_selection_of_infinite_gradients():
    """What is not selected gets zero, not 0 times infinity: also on large arrays."""
    for kind in (torch.float16, torch.float32, torch.float64):
        size = 10_000
        x = torch.from_numpy(np.arange(size) % 3 - 1.0).to(kind).requires_grad_()
        mask = x > 0
        out = torch.where(mask, x, -x)
        g = torch.full((size,), INF, dtype=kind)
        (found,) = torch.autograd.grad(torch.where(mask, x, 2.0), x, g)
        assert found.tolist() == [INF if m else 0.0 for m in mask.tolist()]
        assert out.tolist() == [abs(v) for v in x.tolist()]
        (found,) = torch.autograd.grad(torch.relu(x), x, g)
        assert found.tolist() == [INF if m else 0.0 for m in mask.tolist()]


ERRORS = [
    (lambda: torch.ones(2) - torch.tensor([True, False]), RuntimeError, "with a bool tensor"),
    (lambda: torch.tensor([True]) - torch.tensor([True]), RuntimeError, "with two bool tensors"),
    (lambda: 1 - torch.tensor([True]), RuntimeError, "with a bool tensor"),
    (lambda: -torch.tensor([True]), RuntimeError, "Negation, the `-` operator"),
    (lambda: +torch.tensor([True]), RuntimeError, "The `\\+` operator, on a bool"),
    (lambda: torch.tensor([2]) ** -1, RuntimeError, "Integers to negative integer powers"),
    (lambda: torch.tensor([1]) // 0, RuntimeError, "ZeroDivisionError"),
    (lambda: torch.tensor([1]) % torch.tensor([0]), RuntimeError, "ZeroDivisionError"),
    (lambda: torch.fmod(torch.tensor([1]), 0), RuntimeError, "ZeroDivisionError"),
    (lambda: torch.div(torch.ones(1), 1, rounding_mode="up"), RuntimeError, "found 'up'"),
    (lambda: torch.ones(2) & 1, NotImplementedError, '"bitwise_and_cpu" not implemented for \'Fl'),
    (lambda: ~torch.ones(2), TypeError, "only implemented on integer and Boolean"),
    (lambda: torch.ones(2) << 1, NotImplementedError, '"lshift_cpu" not implemented for \'Float\''),
    (lambda: torch.ones(2) + torch.ones(3), RuntimeError, r"tensor a \(2\) must match the size"),
    (lambda: torch.where(torch.ones(2) > 0, 1.0, torch.ones(3)), RuntimeError, r"a \(2\) must"),
    (lambda: torch.ones(2) - [1, 2], TypeError, "unsupported operand type"),
    (lambda: torch.ones(2) + None, TypeError, "unsupported operand type"),
    (lambda: torch.ones(2) < None, TypeError, "not supported between instances"),
    (lambda: torch.ones(2) ** "a", TypeError, "unsupported operand type"),
    (lambda: torch.ones(2).add([1]), TypeError, "must be Tensor, not list"),
    (lambda: torch.tensor([1j]) < 1, NotImplementedError, '"lt_cpu" not implemented for \'Complex'),
    (lambda: torch.maximum(torch.tensor([1j]), torch.ones(1)), RuntimeError, "maximum not impl"),
    (lambda: torch.sign(torch.tensor([1j])), NotImplementedError, "use torch.sgn instead"),
    (lambda: torch.floor(torch.tensor([1j])), NotImplementedError, "floor is not supported for c"),
    (lambda: torch.relu(torch.tensor([True])), RuntimeError, "Boolean inputs not supported"),
    (lambda: torch.abs(torch.tensor([True])), NotImplementedError, '"abs_cpu" not implemented'),
    (lambda: torch.frac(torch.tensor([1])), NotImplementedError, '"frac_cpu" not implemented'),
    (lambda: torch.hypot(torch.tensor([1]), torch.tensor([1])), NotImplementedError, "hypot_cpu"),
    (lambda: torch.imag(torch.ones(1)), RuntimeError, "imag is not implemented"),
    (lambda: torch.complex(torch.ones(1), t([1.0])), RuntimeError, "Expected object of scalar"),
    (lambda: torch.view_as_real(torch.ones(2)), RuntimeError, "only supported for complex"),
    (lambda: torch.view_as_complex(torch.ones(3)), RuntimeError, "last dimension of size 2"),
    (lambda: torch.add(torch.tensor([1]), 1, alpha=0.5), RuntimeError, "must not be a floating"),
    (lambda: torch.add(torch.ones(1), 1, alpha=True), RuntimeError, "Boolean alpha only"),
    (lambda: torch.lerp(torch.ones(1), t([1.0]), 0.5), RuntimeError, "expected dtype float for"),
    (lambda: torch.addcdiv(*[torch.tensor([1])] * 3), RuntimeError, "Integer division with addc"),
    (lambda: torch.clamp(torch.ones(1)), RuntimeError, "At least one of 'min' or 'max'"),
    (lambda: torch.where(torch.ones(1), torch.ones(1), torch.ones(1)), RuntimeError, "type Float"),
    (lambda: torch.isclose(torch.ones(1), t([1.0])), RuntimeError, "Float did not match Double"),
    (lambda: torch.heaviside(torch.ones(1), t([1.0])), RuntimeError, "with different dtypes"),
    (lambda: torch.frexp(torch.tensor([1])), RuntimeError, "only supports floating-point"),
    (lambda: torch.ones(2).float_power_(2), RuntimeError, "requires dtype Double"),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(ERRORS)))
def test_errors(index):
    f, kind, sentence = ERRORS[index]
    with pytest.raises(kind, match=sentence):
        f()


# In place


def test_in_place():
    leaf = t(X, grad=True)
    for name, args in [
        ("add_", (Y,)), ("sub_", (2.0,)), ("mul_", (Y,)), ("div_", (Y,)), ("pow_", (2,)),
        ("exp_", ()), ("sin_", ()), ("neg_", ()), ("relu_", ()), ("clamp_", (-0.5, 1)),
        ("square_", ()), ("sigmoid_", ()), ("abs_", ()), ("lerp_", (Y, 0.3)), ("remainder_", (2,)),
        ("addcmul_", (Y, Y)), ("clamp_min_", (Y,)), ("copysign_", (-1,)), ("atan2_", (Y,)),
        ("round_", ()), ("reciprocal_", ()), ("tanh_", ()), ("xlogy_", (2,)), ("logit_", (0.1,)),
    ]:  # fmt: skip
        given = [t(a) if isinstance(a, np.ndarray) else a for a in args]
        wanted = getattr(leaf * 1, name[:-1])(*given)
        out = leaf * 1
        same = getattr(out, name)(*given)
        assert same is out and out._version == 1
        assert out.tolist() == wanted.tolist()
        (g,) = torch.autograd.grad(out, leaf, torch.ones_like(out))
        (h,) = torch.autograd.grad(wanted, leaf, torch.ones_like(out))
        assert g.tolist() == h.tolist()


def test_in_place_operators():
    x = t([4.0, 9.0])
    start = x
    x += 1
    x -= t([1.0, 2.0])
    x *= 2
    x /= 4
    x **= 2
    x //= 1
    x %= 3
    assert x is start and x.tolist() == [1.0, 1.0] and x._version == 7
    i = torch.tensor([6, 3])
    first = i
    i &= 5
    i |= 8
    i ^= 1
    i <<= 2
    i >>= 1
    assert i is first and i.tolist() == [26, 16]
    leaf = t([1.0], grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        leaf += 1
    with torch.no_grad():
        leaf -= 0.5
    assert leaf.tolist() == [0.5] and leaf._version == 1 and leaf.requires_grad
    with pytest.raises(RuntimeError, match=r"result type Float can't be cast to .* Long"):
        i += 0.5
    with pytest.raises(RuntimeError, match=r"output with shape \[2\] doesn't match"):
        x += torch.ones(3, 2, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="must match the size of tensor b"):
        x += torch.ones(3, dtype=torch.float64)
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+="):
        x += [1]


def test_a_write_that_records_nothing_is_counted():
    w = t([1.0, 2.0], grad=True)
    out = w * w
    with torch.no_grad():
        w -= t([0.1, 0.1])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward(torch.ones_like(out))


def test_comparisons_in_place_end_the_gradient():
    leaf = t([1.0, 2.0], grad=True)
    out = leaf * 3
    out.gt_(4)
    assert out.tolist() == [0.0, 1.0] and out.dtype is torch.float64
    out.backward(torch.ones_like(out))
    assert leaf.grad.tolist() == [0.0, 0.0]
    out = leaf * 3
    out.logical_not_().add_(leaf)
    out.backward(torch.ones_like(out))
    assert leaf.grad.tolist() == [1.0, 1.0]


# NumPy's functions, `out=`, views of complex numbers


def test_numpy_functions_take_tensors():
    x = t([0.5, -1.5], grad=True)
    y = t([2.0, 3.0])
    pairs = [
        (np.sin(x), torch.sin(x)), (np.add(x, y), x + y), (np.add(np.ones(2), x), x + 1),
        (np.power(x, 2), x**2), (np.power(2, x), 2**x), (np.negative(x), -x),
        (np.maximum(x, 0.0), torch.relu(x)), (np.where(x > 0, x, 0.0), torch.relu(x)),
        (np.sign(x), torch.sign(x)), (np.abs(x), abs(x)), (np.clip(x, -1, 1), x.clamp(-1, 1)),
        (np.real(x), x), (np.conj(x), x), (np.imag(x), x * 0), (np.ones_like(x), x * 0 + 1),
        (np.zeros_like(x), x * 0), (np.arctan2(x, y), torch.atan2(x, y)), (np.floor(x), x.floor()),
        (np.divide(x, y), x / y), (np.remainder(x, y), x % y), (np.exp(x), x.exp()),
        (np.square(x), x * x), (np.sqrt(y), y.sqrt()), (np.logaddexp(x, y), torch.logaddexp(x, y)),
        (np.hypot(x, y), torch.hypot(x, y)), (np.round(x, 1), x.round(decimals=1)),
        (np.nan_to_num(x), x), (np.deg2rad(x), x.deg2rad()), (np.float64(2) * x, 2 * x),
    ]  # fmt: skip
    for got, wanted in pairs:
        assert isinstance(got, torch.Tensor)
        assert np.allclose(got.tolist(), wanted.tolist(), atol=0)
    assert np.sin(x).grad_fn.name() == "SinBackward0"
    assert np.add(np.ones(2, np.float32), x).grad_fn.name() == "AddBackward0"
    assert np.less(x, y).tolist() == [True, True] and np.isnan(x).tolist() == [False, False]
    assert np.allclose(x, x) and np.array_equal(x, x) and not np.array_equal(x, y)
    z = t([1 + 2j], torch.complex128)
    assert np.conj(z).tolist() == [1 - 2j] and np.imag(z).tolist() == [2.0]
    assert np.sign(z).tolist() == torch.sgn(z).tolist()
    assert np.angle(z, deg=True).tolist() == pytest.approx([math.degrees(cmath.phase(1 + 2j))])


def test_out():
    x = torch.tensor([1.0, 4.0])
    out = torch.empty(2)
    assert torch.add(x, 1, out=out) is out and out.tolist() == [2.0, 5.0]
    assert torch.sqrt(x, out=out) is out and out.tolist() == [1.0, 2.0]
    torch.add(x, x, alpha=2, out=out)
    assert out.tolist() == [3.0, 12.0]
    torch.clamp(x, 2, 3, out=out)
    assert out.tolist() == [2.0, 3.0]
    torch.where(x > 2, x, 0.0, out=out)
    assert out.tolist() == [0.0, 4.0]
    torch.pow(x, 2, out=out)
    assert out.tolist() == [1.0, 16.0]
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        torch.add(x, t([1.0, 1.0], torch.float32, grad=True), out=out)
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type Long"):
        torch.sin(x, out=torch.empty(2, dtype=torch.int64))


def test_views_of_complex_numbers():
    z = torch.tensor([1 + 2j, 3 - 4j])
    z.real.mul_(10)
    z.imag.add_(1)
    assert z.tolist() == [10 + 3j, 30 - 3j]
    torch.view_as_real(z).mul_(2)
    assert z.tolist() == [20 + 6j, 60 - 6j]
    pairs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.view_as_complex(pairs).mul_(1j)
    assert pairs.tolist() == [[-2.0, 1.0], [-4.0, 3.0]]
    x = torch.ones(2)
    assert x.real is x and x.conj() is x and torch.resolve_conj(z) is z and not z.is_conj()
    z.real = torch.zeros(2)
    assert z.tolist() == [6j, -6j]


def write_real(z, w):
    z = z * 1
    z.real.mul_(w.imag)
    return z * w


def write_pairs(z, w):
    z = z * 1
    torch.view_as_real(z).mul_(torch.view_as_real(w))
    return z * z


def write_through_complex(z, w):
    x = torch.view_as_real(z) * 1
    torch.view_as_complex(x).mul_(w)
    return x * x


def write_under_view(z, w):
    z = z * 1
    part = z.imag
    z.mul_(w)
    return part * part


@pytest.mark.parametrize(
    "f",
    [write_real, write_pairs, write_through_complex, write_under_view],
    ids=lambda f: f.__name__,
)
def test_gradients_of_writes_to_views_of_complex_numbers(f):
    check_gradients(f, np.array(COMPLEX), np.array(OTHER))
