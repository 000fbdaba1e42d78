"""Activation functions, softmax among them.

The derivatives at kinks, and of what lies beyond, are PyTorch's: a NaN goes through where no
comparison holds.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..dtypes import F32, F64, dtype, finfo, from_numpy_dtype
from ..generator import default_generator
from ..graph.inplace import write
from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.quiet import enter, leave
from ..graph.source import fail
from ..tensor import Tensor, normal_dim, wrap
from .arithmetic import refuse, widely
from .casting import cast
from .comparison import _BITS, kept
from .elementwise import erf, sigmoid
from .erf import erf_of
from .reductions import _expect
from .sampling import per_example, template

__all__ = ["celu", "celu_", "hardshrink", "log_softmax", "prelu", "rrelu", "rrelu_", "selu",
           "selu_", "softmax", "threshold", "threshold_"]  # fmt: skip
METHODS = ("hardshrink", "log_softmax", "prelu", "softmax")


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A forward as PyTorch's kernels compute: without warnings, 16-bit floats in float32."""
    wide = widely(function)

    @functools.wraps(function)
    def wrapped(*args: Any) -> Any:
        kind = args[0].dtype
        token = enter()
        try:
            return (function if kind is F32 or kind is F64 else wide)(*args)
        finally:
            leave(token)

    wrapped.noisy = function  # type: ignore[attr-defined]  # see quiet.quietly
    return wrapped


def floating(kernel: str, kinds: str = "fV") -> Any:
    """A check for `op`: the first operand is of floats, unless other kinds of dtype are given.

    kernel: PyTorch's name for what refuses others
    """

    def check(input: Any, *rest: Any) -> None:
        if input.dtype.kind not in kinds:
            kind = from_numpy_dtype(input.dtype).legacy
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind}'")

    return check


def logistic(x: Any) -> Any:
    """The sigmoid, for rules: of arrays without a detour."""
    return 1 / (1 + np.exp(-x)) if x.__class__ is np.ndarray else sigmoid(x)


_LARGE = 2000  # elements from which on `select` by bits is faster


def select(mask: Any, x: Any, y: Any) -> Any:
    """np.where(mask, x, y). That does not vectorise: large arrays are combined by their bits."""
    if x.__class__ is np.ndarray and x.size > _LARGE:
        bits = _BITS.get(x.dtype)
        same = getattr(y, "dtype", None) == x.dtype and mask.shape == x.shape == y.shape
        if same and bits is not None:
            found = np.multiply(mask, x.view(bits)) | np.multiply(~mask, y.view(bits))
            return found.view(x.dtype)
    return np.where(mask, x, y)


def _short_rows(x: Any, axis: Any) -> bool:
    return (
        x.__class__ is np.ndarray and x.size > _LARGE and axis in (-1, x.ndim - 1)
        and (x.dtype is F32 or x.dtype is F64) and x.shape[-1] <= 4096 and x.flags.c_contiguous
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def _ones(size: int, kind: Any) -> Any:
    return np.ones(size, kind)


def total(x: Any, axis: Any) -> Any:
    """The sum along an axis or several, which stay with size 1."""
    if _short_rows(x, axis):  # BLAS sums these five times as fast as np.add.reduce
        return np.matmul(x, _ones(x.shape[-1], x.dtype))[..., None]
    if x.__class__ is np.ndarray and x.dtype.itemsize == 2:
        x = x.astype(F32)
    return np.add.reduce(x, axis=axis, keepdims=True) if x.ndim else x


def total_product(x: Any, y: Any, axis: Any) -> Any:
    """The sum of x · y along an axis or several, which stay with size 1."""
    if _short_rows(x, axis) and y.__class__ is np.ndarray and y.dtype is x.dtype:
        return np.vecdot(x, y)[..., None]
    if x.__class__ is np.ndarray and x.dtype.itemsize == 2:
        x = x.astype(F32)
    return total(x * y, axis)


def either(call: Any, input: Tensor, inplace: bool, *params: Any) -> Tensor:
    """An operator, or its in-place twin."""
    return write(call.op, input, (), params) if inplace else call(input, *params)


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with `inplace=True`, under its name with an underscore."""

    def twin(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(input, *args, **kwargs, inplace=True)

    twin.__name__ = twin.__qualname__ = f"{function.__name__}_"
    twin.__doc__ = f"In-place version of {function.__name__}."
    return twin


# Straight pieces


@op(name="hardtanh", promote="same", check=refuse("c", "clamp is not supported for complex types"))
@kernel
def _hardtanh(input, /, min_val, max_val):
    """The elements, none below `min_val` or above `max_val`."""
    return np.minimum(np.maximum(input, min_val), max_val)


_hardtanh.vjp(
    input=lambda g, input, min_val, max_val: kept(g, (input > min_val) & (input < max_val))
)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0,
             inplace: bool = False) -> Tensor:  # fmt: skip
    """The elements, none below `min_val` or above `max_val`."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    category = input.dtype.category
    if category == 0:
        fail(RuntimeError, "Bool inputs not supported for hardtanh")
    if category == 1:
        min_val, max_val = int(min_val), int(max_val)
        if not input.dtype.is_signed and min(min_val, max_val) < 0:
            fail(RuntimeError, "cannot do hardtanh on an unsigned type with negative limits")
    return either(_hardtanh, input, inplace, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """The elements, none below 0 or above 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


@op(name="leaky_relu", check=floating("leaky_relu_cpu"))
@kernel
def _leaky_relu(input, /, negative_slope):
    """x where it is positive, else negative_slope · x."""
    low = input * negative_slope
    return np.maximum(input, low) if 0 < negative_slope < 1 else select(input > 0, input, low)


_leaky_relu.vjp(input=lambda g, input, negative_slope: select(input > 0, g, g * negative_slope))


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is positive, else negative_slope · x."""
    return either(_leaky_relu, input, inplace, negative_slope)


@op(name="prelu", node="PreluKernelBackward0", check=floating("prelu_cpu"))
@kernel
def _prelu(input, weight):
    """x where it is positive, else weight · x; a weight for all, or for each of dimension 1."""
    return select(input > 0, input, input * _by_channel(weight, input.ndim))


def _by_channel(weight: Any, ndim: int) -> Any:
    """A vector over dimension 1, as it broadcasts."""
    shape = tuple(weight.shape)
    if shape in ((), (1,)):
        return np.reshape(weight, ())
    return np.reshape(weight, (1, *shape, *(1,) * (ndim - 2)))


def _prelu_weight(g: Any, input: Any, weight_shape: Any) -> Any:
    found = kept(g * input, ~(input > 0))
    if weight_shape in ((), (1,)):
        return np.reshape(np.add.reduce(found, axis=None), weight_shape)
    return np.add.reduce(found, axis=tuple(d for d in range(input.ndim) if d != 1))


_prelu.vjp(
    input=lambda g, input, weight: select(input > 0, g, g * _by_channel(weight, input.ndim)),
    weight=_prelu_weight,
)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where it is positive, else weight · x; one weight for all, or one for each channel."""
    if input.dtype != weight.dtype:
        fail(RuntimeError, "prelu: Type promoting not supported. Got "
                           f"{input.dtype.legacy} and {weight.dtype.legacy}")  # fmt: skip
    if weight.ndim > 1:
        fail(RuntimeError, "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
                           f"{weight.ndim}")  # fmt: skip
    count = weight.numel()
    if count != 1:
        if not input.ndim:
            fail(RuntimeError, "Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if count != channels:
            fail(RuntimeError, "Mismatch of parameter numbers and input channel size. Found "
                               f"parameter numbers = {count} and channel size = "
                               f"{channels}.")  # fmt: skip
    return _prelu(input, weight)


@op(name="rrelu_with_noise", node="RreluWithNoiseBackward0")
@kernel
def _rrelu(input, /, slopes):
    """slopes · x, the slopes being 1 where x is positive."""
    return input * slopes


_rrelu.vjp(input=lambda g, slopes: g * slopes)


def rrelu(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
          inplace: bool = False) -> Tensor:  # fmt: skip
    """x where it is positive, else x times a random slope between `lower` and `upper`.

    When not training, the slope is the middle between the two.
    """
    if lower > upper:
        fail(RuntimeError, "Lower bound should be less than or equal to the upper bound")
    if input.dtype.category != 2:
        fail(NotImplementedError, f"\"leaky_relu_cpu\" not implemented for '{input.dtype.legacy}'")
    array = input._array

    def slopes_for(x: Any) -> Any:
        low = x <= 0 if training else ~(x > 0)
        slopes = np.ones(x.shape, F64 if x.dtype is F64 else F32)
        middle = (lower + upper) / 2
        slopes[low] = (
            default_generator.uniform(np.count_nonzero(low), F64, lower, upper)
            if training else middle
        )  # fmt: skip
        return slopes.astype(x.dtype)

    slopes = per_example(slopes_for, template(array, values=True) if training else array)
    return either(_rrelu, input, inplace, slopes)


rrelu_ = in_place(rrelu)


@op(name="threshold", check=floating("threshold_cpu", "fViu"))
@kernel
def _threshold(input, /, threshold, value):
    """x where it is greater than `threshold`, else `value`."""
    return np.where(input <= threshold, value, input)


_threshold.vjp(input=lambda g, input, threshold: kept(g, ~(input <= threshold)))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is greater than `threshold`, else `value`."""
    if input.dtype.category == 1:
        threshold, value = int(threshold), int(value)
    return either(_threshold, input, inplace, threshold, value)


threshold_ = in_place(threshold)


@op(name="hardsigmoid", check=floating("hardsigmoid_cpu"))
@kernel
def _hardsigmoid(input):
    """x/6 + 1/2, not below 0 nor above 1."""
    return np.minimum(np.maximum(input + 3, 0), 6) / 6


_hardsigmoid.vjp(input=lambda g, input: kept(g / 6, (input > -3) & (input < 3)))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x/6 + 1/2, not below 0 nor above 1."""
    return either(_hardsigmoid, input, inplace)


@op(name="hardswish", check=floating("hardswish_cpu"))
@kernel
def _hardswish(input):
    """x times its hardsigmoid."""
    return input * np.minimum(np.maximum(input + 3, 0), 6) / 6


_hardswish.vjp(
    input=lambda g, input: kept(select(input >= 3, g, g * (input / 3 + 0.5)), ~(input <= -3))
)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x times its hardsigmoid."""
    return either(_hardswish, input, inplace)


@op(name="softshrink", check=floating("softshrink_check"))
@kernel
def _softshrink(input, /, lambd):
    """x brought nearer to 0 by `lambd`, and 0 where it is as near as that."""
    low = select(input < -lambd, input + lambd, input * 0)
    return select(input > lambd, input - lambd, low)


_softshrink.vjp(input=lambda g, input, lambd: kept(g, (input < -lambd) | (input > lambd)))


def softshrink(input: Tensor, lambd: float = 0.5, *, out: Any = None) -> Tensor:
    """x brought nearer to 0 by `lambd`, and 0 where it is as near as that."""
    if lambd < 0 and input.dtype.category == 2:
        fail(RuntimeError, f"lambda must be in range [0, {finfo(input.dtype).max:g}] for input "
                           f"dtype {input.dtype.legacy}, but found {lambd:g}")  # fmt: skip
    return _softshrink(input, lambd, out=out)


@op(name="hardshrink", check=floating("hardshrink_cpu"))
@kernel
def _hardshrink(input, /, lambd):
    """x, but 0 where it is not farther from 0 than `lambd`."""
    return kept(input, ~((input >= -lambd) & (input <= lambd)))


_hardshrink.vjp(input=lambda g, input, lambd: kept(g, (input < -lambd) | (input > lambd)))


def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Any = None) -> Tensor:
    """x, but 0 where it is not farther from 0 than `lambd`."""
    return _hardshrink(input, lambd, out=out)


# Exponential pieces


def _times(x: Any, factor: float) -> Any:
    return x if factor == 1 else x * factor


def _elu_forward(input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    low = _times(np.expm1(_times(np.minimum(input, 0), input_scale)), alpha * scale)
    return select(input > 0, _times(input, scale), low)


def _elu_rule(g: Any, input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    up = input > 0
    low = np.exp(_times(kept(input, ~up), input_scale))
    return select(up, _times(g, scale), g * _times(low, alpha * scale * input_scale))


@op(name="elu", check=floating("elu_cpu"))
@kernel
def _elu(input, /, alpha, scale, input_scale):
    """scale · x where x is positive, else scale · alpha · (e^(input_scale · x) - 1)."""
    return _elu_forward(input, alpha, scale, input_scale)


_elu.vjp(input=_elu_rule)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, else alpha · (e^x - 1)."""
    return either(_elu, input, inplace, alpha, 1.0, 1.0)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu with the alpha and the scale that keep mean and variance."""
    return either(_elu, input, inplace, _SELU_ALPHA, _SELU_SCALE, 1.0)


selu_ = in_place(selu)


@op(name="celu", check=floating("elu_cpu"))
@kernel
def _celu(input, /, alpha):
    """x where it is positive, else alpha · (e^(x / alpha) - 1)."""
    return _elu_forward(input, alpha, 1.0, 1.0 / alpha)


_celu.vjp(input=lambda g, input, alpha: _elu_rule(g, input, alpha, 1.0, 1.0 / alpha))


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, else alpha · (e^(x / alpha) - 1)."""
    if alpha == 0:
        fail(RuntimeError, "ZeroDivisionError: alpha cannot be 0 for CELU")
    return either(_celu, input, inplace, alpha)


celu_ = in_place(celu)


@op(name="softplus", check=floating("softplus_cpu"))
@kernel
def _softplus(input, /, beta, threshold):
    """log(1 + e^(beta · x)) / beta; x itself where beta · x is greater than `threshold`."""
    z = _times(input, beta)
    return select(z > threshold, input, _times(np.log1p(np.exp(z)), 1 / beta))


def _softplus_rule(g: Any, input: Any, beta: float, threshold: float) -> Any:
    z = _times(input, beta)
    return select(z > threshold, g, g * logistic(z))


_softplus.vjp(input=_softplus_rule)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0, *,
             out: Any = None) -> Tensor:  # fmt: skip
    """log(1 + e^(beta · x)) / beta; x itself where beta · x is greater than `threshold`."""
    return _softplus(input, beta, threshold, out=out)


@op(name="log_sigmoid", promote="float", check=floating("log_sigmoid_cpu"))
@kernel
def logsigmoid(input):
    """log(1 / (1 + e^-x)), elementwise."""
    return np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input)))


logsigmoid.vjp(input=lambda g, input: g * logistic(-input))


@op(name="silu", promote="float", check=floating("silu_cpu", "fVc"))
@kernel
def _silu(input):
    """x · sigmoid(x), elementwise."""
    return input / (1 + np.exp(-input))


def _silu_rule(g: Any, input: Any) -> Any:
    rate = logistic(input)
    return g * (rate * (1 + input * (1 - rate)))


_silu.vjp(input=_silu_rule)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x · sigmoid(x), elementwise."""
    return either(_silu, input, inplace)


@op(name="mish", promote="float", check=floating("mish_cpu"))
@kernel
def _mish(input):
    """x · tanh(log(1 + e^x)), elementwise."""
    return input * np.tanh(np.log1p(np.exp(input)))


def _mish_rule(g: Any, input: Any) -> Any:
    bent = np.tanh(_softplus(input, 1.0, 20.0))
    return g * (bent + input * logistic(input) * (1 - bent * bent))


_mish.vjp(input=_mish_rule)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(log(1 + e^x)), elementwise."""
    return either(_mish, input, inplace)


_HALF_ROOT = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_TANH_SCALE, _TANH_CUBIC = math.sqrt(2 / math.pi), 0.044715

# For float32: the probability that a normal sample is above x >= 0 is e^(-x²/2) times a polynomial
# of t = 1 / (1 + 0.3 x), fitted to a relative error of 1.7e-7. Highest power first, t's own last.
_UPPER_TAIL = (
    0.0354237208, -0.1561583931, 0.2045566998, -0.0520339476, 0.1276917399, 0.1001759562,
    0.1207121350, 0.1196320073,
)  # fmt: skip


def _above(size: Any) -> tuple[Any, Any]:
    """Of a float32 array of no negative numbers: e^(-x²/2), and the probability above x."""
    t = 1 / (1 + 0.3 * size)
    total = _UPPER_TAIL[0] * t
    for coefficient in _UPPER_TAIL[1:]:
        total += coefficient
        total *= t
    decay = np.exp(size * size * -0.5)
    total *= decay
    return decay, total


@op(name="gelu", promote="float", check=floating("GeluKernelImpl"))
@kernel
def _gelu(input):
    """x times the probability that a normal sample is below x."""
    if input.dtype == F32:
        size = np.abs(input)
        return np.maximum(input, 0) - size * _above(size)[1]
    return input * (0.5 * (1 + erf_of(input * _HALF_ROOT)))


def _gelu_rule(g: Any, input: Any) -> Any:
    if input.__class__ is np.ndarray and input.dtype == F32:
        decay, above = _above(np.abs(input))
        below = (input > 0) + np.copysign(above, -input)
        return g * (below + input * decay * _DENSITY)
    scaled = input * _HALF_ROOT
    below = 0.5 * (1 + (erf_of(scaled) if input.__class__ is np.ndarray else erf(scaled)))
    return g * (below + input * np.exp(input * input * -0.5) * _DENSITY)


_gelu.vjp(input=_gelu_rule)


@op(name="gelu", node="GeluBackward0", promote="float", check=floating("GeluKernelImpl"))
@kernel
def _gelu_tanh(input):
    """gelu by tanh: x/2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))."""
    inner = _TANH_SCALE * (input + _TANH_CUBIC * (input * input * input))
    return 0.5 * input * (1 + np.tanh(inner))


def _gelu_tanh_rule(g: Any, input: Any) -> Any:
    square = input * input
    bent = np.tanh(_TANH_SCALE * (input * (1 + _TANH_CUBIC * square)))
    slope = (_TANH_SCALE * 0.5) * input * (1 - bent * bent) * (1 + 3 * _TANH_CUBIC * square)
    return g * (0.5 * (1 + bent) + slope)


_gelu_tanh.vjp(input=_gelu_tanh_rule)


def gelu(input: Tensor, approximate: str = "none", *, out: Any = None) -> Tensor:
    """x times the probability that a normal sample is below x; by tanh if so wanted."""
    if approximate == "none":
        return _gelu(input, out=out)
    if approximate != "tanh":
        fail(RuntimeError, "approximate argument must be either none or tanh.")
    return _gelu_tanh(input, out=out)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|), elementwise."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x), elementwise."""
    return input - input.tanh()


def _halves(x: Any, dim: int) -> tuple[Any, Any]:
    half = x.shape[dim] // 2
    before = (slice(None),) * dim
    return x[(*before, slice(half))], x[(*before, slice(half, None))]


@op(name="glu", check=floating("glu_cpu"))
@kernel
def _glu(input, /, dim):
    """Of the halves a and b of a dimension: a · sigmoid(b)."""
    a, b = _halves(input, dim)
    return a / (1 + np.exp(-b))


def _glu_rule(g: Any, input: Any, dim: int) -> Any:
    a, b = _halves(input, dim)
    rate = logistic(b)
    kept = g * rate
    return np.concatenate((kept, kept * (1 - rate) * a), axis=dim)


_glu.vjp(input=_glu_rule)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of a dimension, times the sigmoid of the second."""
    if not input.ndim:
        fail(RuntimeError, "glu does not support scalars because halving size must be even")
    axis = normal_dim(dim, input.ndim)
    if input.shape[axis] % 2:
        fail(RuntimeError, f"Halving dimension must be even, but dimension {axis} is size "
                           f"{input.shape[axis]}")  # fmt: skip
    return _glu(input, axis)


# Softmax


def _below_top(x: Any, dim: int) -> Any:
    """x less its greatest element along a dimension."""
    return x - np.maximum.reduce(x, axis=dim, keepdims=True) if x.ndim and x.size else x - x


def _fail_softmax(name: str, x: Any, dim: int) -> NoReturn:
    floating(f"{name}_{'lastdim_' if dim in (-1, x.ndim - 1) else ''}kernel_impl")(x)
    raise AssertionError


def _softmax_rule(g: Any, out: Any, dim: int) -> Any:
    return out * (g - total_product(g, out, dim))


@op(name="softmax")
@kernel
def _softmax(input, /, dim):
    """e to the power of each element, scaled to the sum 1 along a dimension."""
    if input.dtype.kind not in "fV":
        _fail_softmax("softmax", input, dim)
    powers = np.exp(_below_top(input, dim))
    return powers / total(powers, dim)


_softmax.vjp(input=_softmax_rule)


@op(name="safe_softmax", check=floating("softmax_lastdim_kernel_impl"))
@kernel
def safe_softmax(input, /, dim):
    """The softmax, but 0 where all elements along the dimension are -inf."""
    powers = np.exp(_below_top(input, dim))
    empty = np.logical_and.reduce(np.equal(input, -math.inf), axis=dim, keepdims=True)
    return np.where(empty, 0, powers / total(powers, dim))


safe_softmax.vjp(input=_softmax_rule)


@op(name="log_softmax")
@kernel
def _log_softmax(input, /, dim):
    """The logarithm of the softmax, without its loss of accuracy."""
    if input.dtype.kind not in "fV":
        _fail_softmax("log_softmax", input, dim)
    below = _below_top(input, dim)
    return below - np.log(total(np.exp(below), dim))


_log_softmax.vjp(input=lambda g, out, dim: g - np.exp(out) * total(g, dim))


def _softmax_call(call: Any, input: Tensor, dim: int, kind: dtype | None) -> Tensor:
    dim = normal_dim(dim, input.ndim)
    return call(input if kind is None else cast(input, kind), dim)


def softmax(input: Tensor, dim: int, dtype: dtype | None = None, *, out: Any = None) -> Tensor:
    """e to the power of each element, scaled to the sum 1 along `dim`.

    dtype: what to cast to before
    """
    if out is not None:
        _expect(out, dtype or input.dtype)
        return write_out("softmax", out, softmax, (input, dim, dtype), {})
    return _softmax_call(_softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: dtype | None = None, *, out: Any = None) -> Tensor:
    """The logarithm of the softmax along `dim`, without its loss of accuracy.

    dtype: what to cast to before
    """
    if out is not None:
        _expect(out, dtype or input.dtype)
        return write_out("log_softmax", out, log_softmax, (input, dim, dtype), {})
    return _softmax_call(_log_softmax, input, dim, dtype)


def implicit_dim(name: str, ndim: int) -> int:
    """The dimension that softmax took when none was given, with PyTorch's warning."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if ndim in (0, 1, 3) else 1


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10,
                   dim: int = -1) -> Tensor:  # fmt: skip
    """A random sample of categories with these logits, by the softmax of them and Gumbel noise.

    hard: a one-hot vector, with the derivative of the softmax
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    array = logits._array
    samples = per_example(
        lambda a: default_generator.exponential(a.size, a.dtype).reshape(a.shape), template(array)
    )
    soft = softmax((logits + wrap(-np.log(samples))) / tau, dim)
    if not hard:
        return soft
    values = soft._array
    top = np.argmax(values, axis=dim, keepdims=True)
    one_hot = np.zeros_like(values)
    np.put_along_axis(one_hot, top, 1, axis=dim)
    return wrap(one_hot) - soft.detach() + soft


EXACT_OUT.update(dict.fromkeys(
    ("gelu", "hardshrink", "softplus", "softshrink"), "Found dtype {have} but expected {want}"
))  # fmt: skip
EXACT_OUT["log_sigmoid"] = "expected scalar type {want} but found {have}"
