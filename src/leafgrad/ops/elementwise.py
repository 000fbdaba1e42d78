"""Mathematical functions of each element: of one tensor, and of two."""

from __future__ import annotations

import builtins
import functools
import math
from typing import Any

import numpy as np

from .. import return_types
from ..dtypes import finfo, from_numpy_dtype, get_default_dtype
from ..duck import zeros
from ..graph.inplace import write
from ..graph.operator import EXACT_OUT, NUMBERS, op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..graph.strided import complexes, pairs
from ..tensor import Tensor, wrap
from .arithmetic import category, holds_complex, refuse, widely, without_derivative
from .bessel import i0_of, i1_of
from .comparison import kept
from .erf import erf_of, erfc_of
from .erfinv import erfinv_of
from .gamma import digamma_of, lgamma_of, zeta_of

__all__ = [
    "abs", "abs_", "acos", "acosh", "angle", "asin", "asinh", "atan", "atan2", "atanh", "ceil",
    "complex", "conj", "conj_physical", "conj_physical_", "copysign", "cos", "cosh", "deg2rad",
    "digamma", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "frac", "frexp", "gcd",
    "heaviside", "hypot", "i0", "igamma", "igammac", "imag", "is_conj", "is_neg", "lcm", "ldexp",
    "lgamma", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "logit", "mvlgamma",
    "mvlgamma_",
    "nan_to_num", "neg", "nextafter", "polar", "polygamma", "positive", "rad2deg", "real", "relu",
    "resolve_conj", "resolve_neg", "round", "round_", "rsqrt", "sgn", "sigmoid", "sign", "sin",
    "sinc", "sinh", "sqrt", "tan", "tanh", "trunc", "view_as_complex", "view_as_real", "xlogy",
    "xlogy_",
]  # fmt: skip
_NOT_METHODS = {
    "complex", "imag", "polar", "polygamma", "real", "view_as_complex", "view_as_real",
}  # fmt: skip
METHODS = (
    *(name for name in __all__ if name not in _NOT_METHODS),
    "copysign_",
)  # fmt: skip
NUMBER_OPERANDS = {
    **dict.fromkeys(("atan2", "complex", "gcd", "heaviside", "hypot", "igamma", "igammac", "lcm",
                     "ldexp", "logaddexp", "logaddexp2", "nextafter", "polar"), "neither"),
    "copysign": "the second", "xlogy": "either, but not both",
}  # fmt: skip
IN_PLACE = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh",
    "deg2rad", "digamma", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "frac", "gcd",
    "heaviside", "hypot", "i0", "igamma", "igammac", "lcm", "ldexp", "lgamma", "log", "log10",
    "log1p", "log2", "logit", "nan_to_num", "neg", "nextafter", "rad2deg", "relu",
    "rsqrt", "sgn", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt", "tan", "tanh", "trunc",
)  # fmt: skip
ALIASES = {
    "absolute": "abs", "absolute_": "abs_", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin",
    "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "fix": "trunc",
    "negative": "neg",
}  # fmt: skip


# Exponentials and logarithms


@op(promote="float")
@quietly
def exp(input):
    """e to the power of each element."""
    return np.exp(input)


exp.vjp(input=lambda g, out: g * out)

_LN2, _LN10 = math.log(2), math.log(10)


@op(promote="float")
@quietly
def exp2(input):
    """2 to the power of each element."""
    if input.dtype.kind != "c":
        return np.exp2(input)
    return np.exp(_joined(input.real * _LN2, input.imag * _LN2))  # a product would lose infinities


exp2.vjp(input=lambda g, out: g * (out * _LN2))


@op(promote="float")
@quietly
def expm1(input):
    """exp(input) - 1, accurate near zero."""
    return np.expm1(input)


expm1.vjp(input=lambda g, out: g * (out + 1))


@op(promote="float")
@quietly
def log(input):
    """The natural logarithm of each element."""
    return np.log(input)


log.vjp(input=lambda g, input: g / input)


@op(promote="float")
@quietly
def log2(input):
    """The logarithm to base 2 of each element."""
    return np.log2(input)


log2.vjp(input=lambda g, input: g / (input * _LN2))


@op(promote="float")
@quietly
def log10(input):
    """The logarithm to base 10 of each element."""
    return np.log10(input)


log10.vjp(input=lambda g, input: g / (input * _LN10))


@op(node="Log1PBackward0", promote="float")
@quietly
def log1p(input):
    """log(1 + input), accurate near zero."""
    return np.log1p(input)


log1p.vjp(input=lambda g, input: g / (input + 1))


@op(promote="float")
@quietly
def sqrt(input):
    """The square root of each element."""
    return np.sqrt(input)


sqrt.vjp(input=lambda g, out: g / (out + out))


@op(promote="float")
@quietly
def rsqrt(input):
    """1 / sqrt(input), elementwise."""
    return np.reciprocal(np.sqrt(input))


rsqrt.vjp(input=lambda g, out: -0.5 * g * (out * out * out))


# Trigonometric and hyperbolic functions


@op(promote="float")
@quietly
def sin(input):
    """The sine of each element."""
    return np.sin(input)


sin.vjp(input=lambda g, input: g * np.cos(input))


@op(promote="float")
@quietly
def cos(input):
    """The cosine of each element."""
    return np.cos(input)


cos.vjp(input=lambda g, input: g * -np.sin(input))


@op(promote="float")
@quietly
def tan(input):
    """The tangent of each element."""
    return np.tan(input)


tan.vjp(input=lambda g, out: g * (1 + out * out))


@op(promote="float")
@quietly
def asin(input):
    """The inverse sine of each element."""
    return np.arcsin(input)


asin.vjp(input=lambda g, input: g / np.sqrt(1 - input * input))


@op(promote="float")
@quietly
def acos(input):
    """The inverse cosine of each element."""
    return np.arccos(input)


acos.vjp(input=lambda g, input: -g / np.sqrt(1 - input * input))


@op(promote="float")
@quietly
def atan(input):
    """The inverse tangent of each element."""
    return np.arctan(input)


atan.vjp(input=lambda g, input: g / (1 + input * input))


@op(promote="float")
@quietly
def sinh(input):
    """The hyperbolic sine of each element."""
    return np.sinh(input)


sinh.vjp(input=lambda g, input: g * np.cosh(input))


@op(promote="float")
@quietly
def cosh(input):
    """The hyperbolic cosine of each element."""
    return np.cosh(input)


cosh.vjp(input=lambda g, input: g * np.sinh(input))


@op(promote="float")
@quietly
def tanh(input):
    """The hyperbolic tangent of each element."""
    return np.tanh(input)


tanh.vjp(input=lambda g, out: g * (1 - out * out))


@op(promote="float")
@quietly
def asinh(input):
    """The inverse hyperbolic sine of each element."""
    return np.arcsinh(input)


asinh.vjp(input=lambda g, input: g / np.sqrt(input * input + 1))


@op(promote="float")
@quietly
def acosh(input):
    """The inverse hyperbolic cosine of each element."""
    return np.arccosh(input)


def _acosh_vjp_input(g: Any, input: Any) -> Any:
    if holds_complex(input):  # one root would be on the wrong branch
        return g / (np.sqrt(input - 1) * np.sqrt(input + 1))
    return g / np.sqrt(input * input - 1)


acosh.vjp(input=_acosh_vjp_input)


@op(promote="float")
@quietly
def atanh(input):
    """The inverse hyperbolic tangent of each element."""
    return np.arctanh(input)


atanh.vjp(input=lambda g, input: g / (1 - input * input))


@op(promote="float")
@quietly
@widely
def sinc(input):
    """sin(πx) / (πx) of each element; 1 at zero."""
    x = input * math.pi
    return np.where(x == 0, 1, np.sin(x) / np.where(x == 0, 1, x))


def _sinc_vjp_input(g: Any, input: Any) -> Any:
    x = input * math.pi
    slope = (x * np.cos(x) - np.sin(x)) / (x * input)
    return np.where(x * input == 0, 0, g * slope)


sinc.vjp(input=_sinc_vjp_input)


@op(promote="float", node="Deg2RadBackward0",
    check=refuse("c", "deg2rad is not supported for complex tensors.", RuntimeError))  # fmt: skip
def deg2rad(input):
    """Degrees to radians."""
    return np.deg2rad(input)


deg2rad.vjp(input=lambda g: g * (math.pi / 180))


@op(promote="float", node="Rad2DegBackward0",
    check=refuse("c", "rad2deg is not supported for complex tensors.", RuntimeError))  # fmt: skip
def rad2deg(input):
    """Radians to degrees."""
    return np.rad2deg(input)


rad2deg.vjp(input=lambda g: g * (180 / math.pi))


# Activations


# Numbers in the dtypes of hot loops: NumPy takes twice as long with one of Python's.
_ZEROS = {np.dtype(f"float{n}"): np.zeros((), f"float{n}") for n in (32, 64)}
_ONES = {kind: np.ones((), kind) for kind in _ZEROS}


def _check_relu(input: Any) -> None:
    refuse("c", "clamp is not supported for complex types")(input)
    refuse("b", "Boolean inputs not supported for relu", RuntimeError)(input)


@op(promote="same", check=_check_relu)
def relu(input):
    """Each element, or zero where it is negative."""
    return np.maximum(_ZEROS.get(input.dtype, 0), input)


@op(name="threshold_backward", node="ThresholdBackwardBackward0")
def _relu_backward(g, out):
    """`g` where relu's result is not zero. Its derivative for that result is zero, not none."""
    return kept(g, out != 0)


_relu_backward.vjp(g=lambda g, out: kept(g, out != 0), out=lambda g: np.zeros_like(g))
relu.vjp(
    input=lambda g, out: _relu_backward(g, out) if isinstance(out, Tensor) else kept(g, out != 0)
)


@op(promote="float")
@quietly
def sigmoid(input):
    """1 / (1 + exp(-input)), elementwise."""
    if input.dtype.itemsize < 4:
        return _sigmoid_wide(input)
    return np.reciprocal(np.exp(-input) + _ONES.get(input.dtype, 1))


@widely
def _sigmoid_wide(input: Any) -> Any:
    return np.reciprocal(np.exp(-input) + 1)


sigmoid.vjp(input=lambda g, out: g * (1 - out) * out)


@op(promote="float", check=refuse("c", "logit_cpu"))
@quietly
@widely
def logit(input, /, eps=None):
    """log(x / (1 - x)), the inverse of sigmoid; x is first limited to [eps, 1 - eps] if given."""
    x = input if eps is None else np.minimum(np.maximum(input, eps), 1 - eps)
    return np.log(x / (1 - x))


def _logit_vjp_input(g: Any, input: Any, eps: Any) -> Any:
    low, high = (0, 1) if eps is None else (eps, 1 - eps)
    beyond = math.nan if eps is None else 0
    inside = (input >= low) & (input <= high) | np.isnan(input)
    return np.where(inside, g / np.abs(input * (1 - input)), beyond)


logit.vjp(input=_logit_vjp_input)


# Signs and rounding: steps, whose derivative is zero


def _check_neg(input: Any) -> None:
    refuse("b", "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
                "to invert a mask, use the `~` or `logical_not()` operator instead.",
           RuntimeError)(input)  # fmt: skip


@op(promote="same", check=_check_neg)
def neg(input):
    """-input, elementwise."""
    return np.negative(input)


neg.vjp(input=lambda g: -g)


def positive(input: Tensor) -> Tensor:
    """The tensor itself, as `+input`."""
    if input._array.dtype.kind == "b":
        fail(RuntimeError, "The `+` operator, on a bool tensor is not supported.")
    return input


@op(promote="same", check=refuse("b", "abs_cpu"))
def abs(input):
    """The absolute value of each element. Its derivative at zero is zero."""
    return np.absolute(input)


def _abs_vjp_input(g: Any, input: Any) -> Any:
    direction = np.sign(input)
    if holds_complex(input):
        return g * np.conj(direction)
    return g * kept(direction, input == input)  # zero at NaN, where NumPy's sign is NaN


abs.vjp(input=_abs_vjp_input)


def abs_(self: Tensor) -> Tensor:
    """In-place version of `abs`."""
    if holds_complex(self):
        fail(RuntimeError, "In-place abs is not supported for complex tensors.")
    return write(abs.op, self, (), ())


def _sign(input: Any) -> Any:
    if input.dtype.kind == "b":
        return input.copy()
    return kept(np.sign(input), np.equal(input, input))  # zero at NaN, where NumPy's is NaN


_check_sign = refuse("c", "Unlike NumPy, torch.sign is not intended to support complex numbers. "
                          "Please use torch.sgn instead.")  # fmt: skip


@op(promote="same", check=_check_sign)
def sign(input):
    """-1, 0 or 1 by the sign of each element."""
    return _sign(input)


sign.vjp(input=lambda g: np.zeros_like(g))


@op(promote="same")
@quietly
def sgn(input):
    """input / |input|, elementwise; zero at zero. Of real numbers the sign."""
    if input.dtype.kind != "c":
        return _sign(input)
    size = np.absolute(input)
    return np.where(size == 0, 0, input / size).astype(input.dtype)


def _sgn_vjp_input(g: Any, input: Any, out: Any) -> Any:
    if not holds_complex(input):
        return np.zeros_like(g)
    size = np.abs(input)
    turned = np.conj(g * out) * np.conj(out)
    return np.where(size == 0, 0, (g - turned) / (size + size))


sgn.vjp(input=_sgn_vjp_input)


def _whole(function: Any) -> Any:
    """A rounding function that leaves integers as they are (NumPy 2.0 makes floats of them)."""

    def rounding(input: Any) -> Any:
        return input.copy() if input.dtype.kind in "iu" else function(input)

    return rounding


def _check_rounding(name: str) -> Any:
    def check(input: Any) -> None:
        refuse("b", f"{name}_vml_cpu")(input)
        refuse("c", f"{name} is not supported for complex inputs")(input)

    return check


_floor, _ceil, _trunc, _rint = (_whole(f) for f in (np.floor, np.ceil, np.trunc, np.rint))


@op(promote="same", check=_check_rounding("floor"))
def floor(input):
    """Each element rounded down."""
    return _floor(input)


@op(promote="same", check=_check_rounding("ceil"))
def ceil(input):
    """Each element rounded up."""
    return _ceil(input)


@op(promote="same", check=_check_rounding("trunc"))
def trunc(input):
    """Each element rounded towards zero."""
    return _trunc(input)


@op(name="round", promote="same", check=refuse("bc", "round_vml_cpu"))
def round_plain(input):
    """Each element rounded to the nearest integer, halves to the even one."""
    return _rint(input)


@op(node="RoundBackward1", promote="same", check=refuse("bic", "round_cpu"))
@quietly
@widely
def round_decimals(input, /, decimals):
    """Each element rounded to a number of decimals; of zeros before the point if negative."""
    power = 10.0 ** builtins.abs(decimals)
    if decimals > 0:
        return np.rint(input * power) / power
    return np.rint(input / power) * power


for _step in (floor, ceil, trunc, round_plain, round_decimals):
    _step.vjp(input=lambda g: np.zeros_like(g))


def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:
    """Each element rounded to `decimals` places, halves to the even neighbour."""
    if decimals:
        return round_decimals(input, decimals, out=out)
    return round_plain(input, out=out)


def round_(self: Tensor, *, decimals: int = 0) -> Tensor:
    """In-place version of `round`."""
    if decimals:
        return write(round_decimals.op, self, (), (decimals,))
    return write(round_plain.op, self, (), ())


@op(promote="same", check=refuse("bic", "frac_cpu"))
@quietly
def frac(input):
    """The part of each element behind the point, with its sign."""
    return input - np.trunc(input)


frac.vjp(input=lambda g: g)


@op(promote="same")
def nan_to_num(input, /, nan=None, posinf=None, neginf=None):
    """input with NaN replaced by `nan` (0), infinities by the ends of the dtype, or as given."""
    if input.dtype.kind in "biu":
        return input.copy()
    if input.dtype.kind == "c":
        found = np.empty_like(input)
        found.real = _finite(input.real, nan, posinf, neginf)
        found.imag = _finite(input.imag, nan, posinf, neginf)
        return found
    return _finite(input, nan, posinf, neginf)


def _finite(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    limits = finfo(from_numpy_dtype(x.dtype))
    found = np.where(np.isnan(x), 0 if nan is None else nan, x)
    found = np.where(x == math.inf, limits.max if posinf is None else posinf, found)
    found = np.where(x == -math.inf, limits.min if neginf is None else neginf, found)
    return found.astype(x.dtype)


nan_to_num.vjp(input=lambda g, input: kept(g, np.isfinite(input)))


_check_frexp = refuse("bic", "torch.frexp() only supports floating-point dtypes", RuntimeError)


@op(name="frexp", differentiable=(0,), check=_check_frexp)
def split_exponent(input):
    """mantissa and exponent: input = mantissa · 2^exponent with 0.5 <= |mantissa| < 1."""
    mantissa, exponent = np.frexp(input)
    odd = ~np.isfinite(input)
    return mantissa, np.where(odd, 0, exponent).astype(np.int32)


split_exponent.vjp(input=lambda g, out: g / np.exp2(out[1]))


def frexp(input: Tensor, *, out: Any = None) -> Any:
    """mantissa and exponent: input = mantissa · 2^exponent with 0.5 <= |mantissa| < 1."""
    if out is not None:
        return return_types.frexp_out(split_exponent(input, out=out))
    return return_types.frexp(split_exponent(input))


# Error and gamma functions


@functools.cache
def _scipy() -> Any:
    try:
        from scipy import special
    except ImportError:
        raise ModuleNotFoundError(
            "this special function needs SciPy: pip install 'leafgrad[special]'"
        ) from None
    return special


@op(promote="float", check=refuse("c", "erf_vml_cpu"))
@quietly
@widely
def erf(input):
    """The error function: 2/√π times the integral of exp(-t²) from 0 to each element."""
    return erf_of(input)


_SLOPE = 2 / math.sqrt(math.pi)
erf.vjp(input=lambda g, input: g * (_SLOPE * np.exp(-input * input)))


@op(promote="float", check=refuse("c", "erfc_vml_cpu"))
@quietly
@widely
def erfc(input):
    """1 - erf(input), accurate where it is small."""
    return erfc_of(input)


erfc.vjp(input=lambda g, input: g * (-_SLOPE * np.exp(-input * input)))


@op(promote="float", check=refuse("c", "erfinv_vml_cpu"))
@quietly
def erfinv(input):
    """The inverse of the error function."""
    return erfinv_of(input)


def _erfinv_vjp_input(g: Any, input: Any) -> Any:
    value = erfinv(input)
    return g * (np.exp(value * value) / _SLOPE)


erfinv.vjp(input=_erfinv_vjp_input)


@op(promote="float", check=refuse("c", "lgamma_vml_cpu"))
@quietly
def lgamma(input):
    """The logarithm of the absolute value of the gamma function."""
    return lgamma_of(input)


@op(promote="float", check=refuse("c", "digamma"))
@quietly
def digamma(input):
    """The derivative of lgamma."""
    return digamma_of(input)


@op(name="polygamma", promote="float")
@quietly
@widely
def polygamma_of(input, /, n):
    """The n-th derivative of digamma."""
    refuse("c", ("digamma", "trigamma", "polygamma")[min(n, 2)])(input)
    if n == 0:
        return digamma.op.forward(input)
    if n == 1:  # also left of zero, by reflection
        mirrored = np.where(input < 0.5, 1 - input, input)
        value = zeta_of(np.asarray(2.0), mirrored)
        sine = np.sin(math.pi * input)
        value = np.where(input < 0.5, (math.pi / sine) ** 2 - value, value)
        return np.where(input == math.inf, 0, value).astype(input.dtype)
    sign = (-1.0) ** (n + 1) * math.factorial(n)
    return (sign * zeta_of(np.asarray(n + 1.0), input)).astype(input.dtype)


lgamma.vjp(input=lambda g, input: g * digamma(input))
digamma.vjp(input=lambda g, input: g * polygamma_of(input, 1))
polygamma_of.vjp(input=lambda g, input, n: g * polygamma_of(input, n + 1))


def _check_order(n: Any) -> int:
    if not isinstance(n, int):
        fail(TypeError, "polygamma(): argument 'n' (position 1) must be int, not "
                        f"{type(n).__name__}")  # fmt: skip
    if n < 0:
        fail(RuntimeError, "polygamma(n, x) does not support negative n.")
    return n


def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The n-th derivative of digamma of each element."""
    return polygamma_of(input, _check_order(n), out=out)


def _polygamma(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma of each element."""
    return polygamma_of(self, _check_order(n))


def _polygamma_(self: Tensor, n: int) -> Tensor:
    """In-place version of `polygamma`."""
    return write(polygamma_of.op, self, (), (_check_order(n),))


def _check_mvlgamma(input: Any) -> None:
    refuse("b", "The input tensor may not be a boolean tensor.", RuntimeError)(input)
    refuse("c", "arange_cpu")(input)


@op(name="mvlgamma", promote="float", check=_check_mvlgamma)
@quietly
def mvlgamma_of(input, /, p):
    """The logarithm of the multivariate gamma function of dimension p."""
    if p < 1:
        fail(RuntimeError, "p has to be greater than or equal to 1")
    wide = np.float32 if input.dtype.itemsize == 2 else input.dtype
    parts = [lgamma_of(input - input.dtype.type(j / 2)).astype(wide) for j in range(p)]
    total = sum(parts).astype(input.dtype)
    return (total.astype(wide) + p * (p - 1) / 4 * math.log(math.pi)).astype(input.dtype)


mvlgamma_of.vjp(input=lambda g, input, p: g * sum(digamma(input - j / 2) for j in range(p)))


def _check_mvlgamma_into(input: Tensor, out: Tensor) -> None:
    if out.dtype.category < 2:
        have, want = input.dtype, input.dtype if input.dtype.category > 1 else get_default_dtype()
        fail(RuntimeError, f"mvlgamma: result type {have.legacy} can't be cast to the desired "
                           f"output type {want.legacy}")  # fmt: skip


def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p."""
    if out is not None:
        _check_mvlgamma_into(input, out)
    return mvlgamma_of(input, p, out=out)


def mvlgamma_(self: Tensor, p: int) -> Tensor:
    """In-place version of `mvlgamma`."""
    _check_mvlgamma_into(self, self)
    return write(mvlgamma_of.op, self, (), (p,))


@op(promote="float", check=refuse("c", "i0_vml_cpu"))
@quietly
def i0(input):
    """The modified Bessel function of the first kind of order 0."""
    return i0_of(input)


@op(name="special_i1", promote="float", check=refuse("c", "i1_cpu"))
@quietly
def i1(input):
    """The modified Bessel function of the first kind of order 1."""
    return i1_of(input)


def _i1_vjp_input(g: Any, input: Any) -> Any:
    # At zero i1(x) / x is 1/2; the inner `where` keeps the quotient finite there.
    zero = input == 0
    ratio = i1(input) / np.where(zero, 1, input)
    return g * np.where(zero, 0.5, i0(input) - ratio)


i0.vjp(input=lambda g, input: g * i1(input))
i1.vjp(input=_i1_vjp_input)


@op(promote="same", check=refuse("bic", "igamma_cpu"))
@quietly
@widely
def igamma(input, other):
    """The regularized lower incomplete gamma function P(input, other)."""
    return _scipy().gammainc(input, other)


@op(promote="same", check=refuse("bic", "igammac_cpu"))
@quietly
@widely
def igammac(input, other):
    """The regularized upper incomplete gamma function Q(input, other)."""
    return _scipy().gammaincc(input, other)


def _igamma_density(input: Any, other: Any) -> Any:
    return np.exp((input - 1) * np.log(other) - other - lgamma(input * 1.0))


def _no_derivative(name: str) -> Any:
    def rule(g: Any) -> Any:
        fail(NotImplementedError, f"the derivative for '{name}: input' is not implemented.")

    return rule


igamma.vjp(
    input=_no_derivative("igamma"),
    other=lambda g, input, other: g * _igamma_density(input, other),
)
igammac.vjp(
    input=_no_derivative("igammac"),
    other=lambda g, input, other: -g * _igamma_density(input, other),
)


# Functions of two


@op(node="Atan2Backward0", promote="float", check=refuse("c", "atan2_cpu"))
@quietly
def atan2(input, other):
    """The angle of the point (other, input) from the first axis."""
    return np.arctan2(input, other)


def _atan2_scale(g: Any, input: Any, other: Any) -> Any:
    square = input * input + other * other
    return g * np.where(square == 0, 0, 1 / square)


atan2.vjp(
    input=lambda g, input, other: _atan2_scale(g, input, other) * other,
    other=lambda g, input, other: _atan2_scale(g, input, other) * -input,
)


@op(promote="same", check=refuse("bic", "hypot_cpu"))
@quietly
def hypot(input, other):
    """sqrt(input² + other²), elementwise."""
    return np.hypot(input, other)


hypot.vjp(
    input=lambda g, input, out: g * (input / out),
    other=lambda g, other, out: g * (other / out),
)


@op(name="copysign", promote="float", check=refuse("c", "copysign_cpu"))
def copysign_tensor(input, other):
    """|input| with the sign of other, elementwise."""
    return np.copysign(input, other)


@op(node="CopysignBackward1", promote="float", check=refuse("c", "copysign_cpu"))
def copysign_number(input, other):
    """|input| with the sign of a number."""
    return np.copysign(input, other)


def _copysign_vjp_input(g: Any, input: Any, out: Any) -> Any:
    return np.where(input == 0, 0, g * (out / input))


copysign_tensor.vjp(input=_copysign_vjp_input, other=lambda g: np.zeros_like(g))
copysign_number.vjp(input=_copysign_vjp_input)


def copysign(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """|input| with the sign of other (a tensor or a number), elementwise."""
    call = copysign_number if isinstance(other, NUMBERS) else copysign_tensor
    return call(input, other, out=out)


def copysign_(self: Tensor, other: Any) -> Tensor:
    """In-place version of `copysign`."""
    call = copysign_number if isinstance(other, NUMBERS) else copysign_tensor
    return write(call.op, self, (other,), ())


@op(promote="same", check=refuse("bic", "nextafter_cpu"))
@quietly
def nextafter(input, other):
    """The next number after each element towards other."""
    return np.nextafter(input, other)


nextafter.vjp(
    input=lambda g, input, other: kept(g, input != other),
    other=lambda g: np.zeros_like(g),
)


@op(promote="float")
@quietly
def ldexp(input, other):
    """input · 2^other, elementwise."""
    return np.multiply(input, exp2.op.forward(other))


ldexp.vjp(
    input=lambda g, other: g * exp2(other),
    other=lambda g, out: g * (out * _LN2),
)


@op(promote="same", check=refuse("bi", "logaddexp_cpu"))
@quietly
def logaddexp(input, other):
    """log(exp(input) + exp(other)), without overflow."""
    if input.dtype.kind != "c":
        return np.logaddexp(input, other)
    first = np.real(input) >= np.real(other)
    high, low = np.where(first, input, other), np.where(first, other, input)
    same = ~np.isfinite(high.real) & (high.real == low.real)
    added = np.where(high.real < 0, high, np.log(np.exp(low) + np.exp(high)))
    return np.where(same, added, high + np.log1p(np.exp(low - high)))


logaddexp.vjp(
    input=lambda g, input, other: g / (1 + np.exp(other - input)),
    other=lambda g, input, other: g / (1 + np.exp(input - other)),
)


@op(node="Logaddexp2Backward0", promote="same", check=refuse("bic", "logaddexp2_cpu"))
@quietly
def logaddexp2(input, other):
    """log2(2^input + 2^other), without overflow."""
    return np.logaddexp2(input, other)


logaddexp2.vjp(
    input=lambda g, input, other: g / (1 + np.exp2(other - input)),
    other=lambda g, input, other: g / (1 + np.exp2(input - other)),
)


def _xlogy(input: Any, other: Any) -> Any:
    if isinstance(other, NUMBERS):
        other = np.asarray(other).astype(input.dtype)
    found = np.where(input == 0, 0, input * np.log(other))
    return np.where(np.isnan(other), other, found)


@op(name="xlogy", promote="float", check=refuse("c", "xlogy_cpu"))
@quietly
def xlogy_tensor(input, other):
    """input · log(other), elementwise; 0 where input is 0, unless other is NaN."""
    return _xlogy(input, other)


@op(node="XlogyBackward1", promote="float", check=refuse("c", "xlogy_cpu"))
@quietly
def xlogy_of(other, input):
    """`xlogy_tensor` of a number and a tensor (in this order of arguments: other, input)."""
    return _xlogy(input, other)


@op(node="XlogyBackward2", promote="float", check=refuse("c", "xlogy_cpu"))
@quietly
def xlogy_number(input, other):
    """`xlogy_tensor` of a tensor and a number."""
    return _xlogy(input, other)


def _xlogy_vjp_input(g: Any, input: Any, other: Any) -> Any:
    flat = (input == 0) & (other <= 0)
    return np.where(flat, 0, _xlogy_number_or_tensor(g, other))


def _xlogy_number_or_tensor(g: Any, other: Any) -> Any:
    return xlogy_number(g, other) if isinstance(other, NUMBERS) else xlogy_tensor(g, other)


xlogy_tensor.vjp(input=_xlogy_vjp_input, other=lambda g, input, other: g * input / other)
xlogy_of.vjp(other=lambda g, other, input: g * input / other)
xlogy_number.vjp(input=_xlogy_vjp_input)


def xlogy(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """input · log(other), elementwise; 0 where input is 0, unless other is NaN."""
    if isinstance(input, NUMBERS):
        return xlogy_of(other, input, out=out)
    call = xlogy_number if isinstance(other, NUMBERS) else xlogy_tensor
    return call(input, other, out=out)


def xlogy_(self: Tensor, other: Any) -> Tensor:
    """In-place version of `xlogy`."""
    call = xlogy_number if isinstance(other, NUMBERS) else xlogy_tensor
    return write(call.op, self, (other,), ())


def _check_heaviside(input: Any, values: Any) -> None:
    if "c" in category(input, values):
        fail(RuntimeError, "heaviside is not yet implemented for complex tensors.")
    if input.dtype != values.dtype:
        fail(RuntimeError, "heaviside is not yet implemented for tensors with different dtypes.")


@without_derivative
@op(node="NotImplemented", check=_check_heaviside)
def heaviside(input, values):
    """0 where input is negative, values where it is 0, 1 where it is positive."""
    return np.where(input == 0, values, (input > 0).astype(input.dtype))


@op(promote="same", check=refuse("bfc", "gcd_cpu"))
def gcd(input, other):
    """The greatest common divisor of integers."""
    return np.gcd(input, other)


@op(promote="same", check=refuse("bfc", "lcm_cpu"))
def lcm(input, other):
    """The least common multiple of integers."""
    return np.lcm(input, other)


# Complex numbers. Rules are plain transposes (see graph/operator.py): with w = f(z), dw = a dz +
# b conj(dz), the rule is g·a + conj(g·b)


@op(name="conj")
def conjugate(input):
    """The complex conjugate of each element."""
    return np.conj(input)


conjugate.vjp(input=lambda g: np.conj(g))


@op(name="conj_physical")
def conjugate_copy(input):
    """The complex conjugate of each element."""
    return np.conj(input) if input.dtype.kind == "c" else np.copy(input)


conjugate_copy.vjp(input=lambda g: np.conj(g))


def conj(input: Tensor) -> Tensor:
    """The complex conjugate of each element; a real tensor itself."""
    return conjugate(input) if holds_complex(input) else input


def conj_physical(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complex conjugate of each element; a real tensor itself."""
    if out is None and not holds_complex(input):
        return input
    return conjugate_copy(input, out=out)


def conj_physical_(self: Tensor) -> Tensor:
    """In-place version of `conj_physical`."""
    return write(conjugate_copy.op, self, (), ())


def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugation is never lazy here."""
    return input


def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: negation is never lazy here."""
    return input


def is_conj(input: Tensor) -> bool:
    """False: conjugation is never lazy here."""
    return False


def is_neg(input: Tensor) -> bool:
    """False: negation is never lazy here."""
    return False


def view_as_real(input: Tensor) -> Tensor:
    """A complex tensor as one of pairs of real numbers, in the same memory: f[...] -> f[..., 2]."""
    if not holds_complex(input):
        fail(RuntimeError, "view_as_real is only supported for complex tensors")
    return pairs(input)


def view_as_complex(input: Tensor) -> Tensor:
    """Pairs of real numbers as complex ones, in the same memory: f[..., 2] -> f[...]."""
    array = input._array
    if array.dtype.kind != "f" or array.itemsize < 4:
        fail(RuntimeError, "view_as_complex is only supported for half, float and double tensors, "
                           f"but got a tensor of scalar type: {input.dtype.legacy}")  # fmt: skip
    if array.ndim == 0:
        fail(RuntimeError, "Input tensor must have one or more dimensions")
    if array.shape[-1] != 2:
        fail(RuntimeError, "Tensor must have a last dimension of size 2")
    if array.strides[-1] != array.itemsize:
        fail(RuntimeError, "Tensor must have a last dimension with stride 1")
    if any(s % (2 * array.itemsize) for s in array.strides[:-1]):
        fail(RuntimeError, "Tensor must have a stride divisible by 2 for all but last dimension")
    return complexes(input)


@op(node="SelectBackward0", view=True)
def real_part(input):
    """The real part of each element."""
    return input.real


@op(node="SelectBackward0", view=True)
def imaginary_part(input):
    """The imaginary part of each element."""
    return input.imag


real_part.vjp(input=lambda g: g)
imaginary_part.vjp(input=lambda g: g * -1j)


def real(input: Tensor) -> Tensor:
    """The real part of each element, in the same memory; a real tensor itself."""
    return real_part(input) if holds_complex(input) else input


def imag(input: Tensor) -> Tensor:
    """The imaginary part of each element, in the same memory."""
    if not holds_complex(input):
        fail(RuntimeError, "imag is not implemented for tensors with non-complex dtypes.")
    return imaginary_part(input)


def _check_parts(first: Any, second: Any) -> None:
    kinds = [from_numpy_dtype(v.dtype) for v in (first, second)]
    if any(k.name not in ("float16", "float32", "float64") for k in kinds):
        fail(RuntimeError, "Expected both inputs to be Half, Float or Double tensors but got "
                           f"{kinds[0].legacy} and {kinds[1].legacy}")  # fmt: skip
    if kinds[0] is not kinds[1]:
        fail(RuntimeError, f"Expected object of scalar type {kinds[0].legacy} but got scalar type "
                           f"{kinds[1].legacy} for second argument")  # fmt: skip


def _joined(real: Any, imag: Any) -> Any:
    shape = np.broadcast_shapes(real.shape, imag.shape)
    made = zeros((real, imag), shape, np.dtype(f"complex{16 * real.itemsize}"))
    made.real[...], made.imag[...] = real, imag
    return made


@op(check=_check_parts)
def complex(real, imag):
    """The complex numbers of these parts: real + i · imag."""
    return _joined(real, imag)


complex.vjp(real=lambda g: np.real(g), imag=lambda g: -np.imag(g))


@op(check=_check_parts)
@quietly
def polar(abs, angle):
    """The complex numbers of these absolute values and angles."""
    return _joined(abs * np.cos(angle), abs * np.sin(angle))


polar.vjp(
    abs=lambda g, angle: np.real(g) * np.cos(angle) - np.imag(g) * np.sin(angle),
    angle=lambda g, out: -np.imag(g * out),
)


@op(promote="float")
@quietly
def angle(input):
    """The angle of each element in the complex plane: of real ones 0 or π."""
    if input.dtype.kind == "c":
        return np.arctan2(input.imag, input.real)
    found = np.where(input < 0, math.pi, 0.0)
    return np.where(np.isnan(input), input, found).astype(input.dtype)


def _angle_vjp_input(g: Any, input: Any) -> Any:
    if not holds_complex(input):
        return np.zeros_like(g)
    size = np.abs(input)
    return np.where(size == 0, 0, g * np.conj(input) * -1j / (size * size))


angle.vjp(input=_angle_vjp_input)


# Attributes, Python's operators, and NumPy's names


EXACT_OUT.update(dict.fromkeys(
    ("abs", "ceil", "conj_physical", "floor", "frac", "neg", "round", "round_decimals", "sgn",
     "sign", "trunc"), "Found dtype {have} but expected {want}",
))  # fmt: skip
EXACT_OUT["nan_to_num"] = "nan_to_num: dtype of out: {have} should be same as input: {want}"
EXACT_OUT.update(dict.fromkeys(
    ("complex", "polar"),
    "Expected object of scalar type {want} but got scalar type {have} for argument 'out'",
))  # fmt: skip
EXACT_OUT["heaviside"] = "heaviside is not yet implemented for tensors with different dtypes."


def _set_real(self: Tensor, value: Any) -> None:
    real(self).copy_(value)  # type: ignore[attr-defined]


def _set_imag(self: Tensor, value: Any) -> None:
    imag(self).copy_(value)  # type: ignore[attr-defined]


Tensor.real = property(real, _set_real, doc=real.__doc__)  # type: ignore[attr-defined]
Tensor.imag = property(imag, _set_imag, doc=imag.__doc__)  # type: ignore[attr-defined]
Tensor.polygamma, Tensor.polygamma_ = _polygamma, _polygamma_  # type: ignore[attr-defined]
for _name, _function in {"neg": neg, "pos": positive, "abs": abs}.items():
    setattr(Tensor, f"__{_name}__", _function)


def _np_sign(x: Any) -> Any:
    return sgn(x) if holds_complex(x) else sign(x)


def _np_imag(val: Any) -> Any:
    return imag(val) if holds_complex(val) else np.zeros_like(val)


def _np_angle(z: Any, deg: bool = False) -> Any:
    return rad2deg(angle(z)) if deg else angle(z)


def _np_round(a: Any, decimals: int = 0) -> Any:
    return round(a, decimals=decimals)


def _np_nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None,
                   neginf: Any = None) -> Any:  # fmt: skip
    return nan_to_num(x, nan, posinf, neginf)


def _np_like(name: str) -> Any:
    def like(a: Any, dtype: Any = None, **options: Any) -> Tensor:
        return wrap(getattr(np, name)(a._array, dtype, **options))

    return like


NUMPY = {
    np.exp: exp, np.exp2: exp2, np.expm1: expm1, np.log: log, np.log2: log2, np.log10: log10,
    np.log1p: log1p, np.sqrt: sqrt, np.sin: sin, np.cos: cos, np.tan: tan, np.arcsin: asin,
    np.arccos: acos, np.arctan: atan, np.sinh: sinh, np.cosh: cosh, np.tanh: tanh,
    np.arcsinh: asinh, np.arccosh: acosh, np.arctanh: atanh, np.sinc: sinc, np.deg2rad: deg2rad,
    np.radians: deg2rad, np.rad2deg: rad2deg, np.degrees: rad2deg, np.negative: neg,
    np.positive: positive, np.absolute: abs, np.fabs: abs, np.sign: _np_sign, np.floor: floor,
    np.ceil: ceil, np.trunc: trunc, np.fix: trunc, np.rint: round, np.round: _np_round,
    np.nan_to_num: _np_nan_to_num, np.frexp: frexp, np.i0: i0, np.arctan2: atan2, np.hypot: hypot,
    np.copysign: copysign, np.nextafter: nextafter, np.ldexp: ldexp, np.logaddexp: logaddexp,
    np.logaddexp2: logaddexp2, np.heaviside: heaviside, np.gcd: gcd, np.lcm: lcm,
    np.conjugate: conj, np.real: real, np.imag: _np_imag, np.angle: _np_angle,
    np.zeros_like: _np_like("zeros_like"), np.ones_like: _np_like("ones_like"),
}  # fmt: skip
