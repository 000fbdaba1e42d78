"""Functions of statistics and others that `leafgrad.special` has beyond the elementwise family: of
the normal distribution, entropy, Hurwitz' zeta, and the inverse of the error function.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph.operator import NUMBERS, op, write_out
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor
from .arithmetic import widely
from .bessel import no_tensor, refuse_complex, refuse_narrow
from .elementwise import erfc
from .erf import erfc_of
from .erfinv import erfcx_of, ndtri_of
from .gamma import zeta_of
from .series import in_double

__all__: list[str] = []

_ROOT_HALF = math.sqrt(0.5)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


# The normal distribution


@op(name="special_erfcx", promote="float", check=refuse_narrow("erfcx"))
@quietly
def erfcx(input):
    """exp(input²) erfc(input), which neither overflows nor vanishes right of zero."""
    return in_double(erfcx_of)(input)


erfcx.vjp(input=lambda g, input, out: g * (2 * input * out - _TWO_OVER_ROOT_PI))


def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The normal distribution function: the integral of its density up to each element."""
    if out is not None:
        return write_out("special_ndtr", out, ndtr, (input,), {})
    if not isinstance(input, Tensor):
        fail(TypeError, "special_ndtr(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")  # fmt: skip
    return erfc(input * -_ROOT_HALF) * 0.5


@in_double
def _log_ndtr(x: Any) -> Any:
    scaled = x * _ROOT_HALF
    left = np.log(erfcx_of(-np.minimum(scaled, 0)) / 2) - scaled * scaled
    return np.where(x < -1, left, np.log1p(-erfc_of(np.maximum(scaled, -1)) / 2))


@op(name="special_log_ndtr", promote="float", check=refuse_narrow("log_ndtr"))
@quietly
def log_ndtr(input):
    """The logarithm of `ndtr`, accurate where that vanishes."""
    return _log_ndtr(input)


log_ndtr.vjp(input=lambda g, input: g * (math.sqrt(2 / math.pi) / erfcx(input * -_ROOT_HALF)))


@op(name="special_ndtri", promote="float", check=refuse_narrow("ndtri"))
@quietly
def ndtri(input):
    """The inverse of `ndtr`."""
    return ndtri_of(input)


ndtri.vjp(input=lambda g, out: g * (math.sqrt(2 * math.pi) * np.exp(out * out / 2)))


# Entropy, logarithms


@op(name="special_entr", promote="float", check=refuse_complex("entr"))
@quietly
@widely
def entr(input):
    """-input · log(input): the summands of an entropy; 0 at zero, minus infinity left of it."""
    found = np.where(input == 0, 0, -input * np.log(input))
    return np.where(input < 0, -math.inf, found).astype(input.dtype)


entr.vjp(input=lambda g, input: g * (-1 - np.log(input)))


def _xlog1py(input: Any, other: Any) -> Any:
    if isinstance(other, NUMBERS):
        other = np.asarray(other).astype(input.dtype)
    found = np.where(input == 0, 0, input * np.log1p(other))
    return np.where(np.isnan(other), other, found)


@op(name="special_xlog1py", node="SpecialXlog1PyBackward0", promote="float",
    check=refuse_complex("xlog1py"))  # fmt: skip
@quietly
def xlog1py_tensor(input, other):
    """input · log(1 + other), elementwise; 0 where input is 0, unless other is NaN."""
    return _xlog1py(input, other)


@op(node="SpecialXlog1PyBackward1", promote="float", check=refuse_complex("xlog1py"))
@quietly
def xlog1py_of(other, input):
    """`xlog1py_tensor` of a number and a tensor (in this order of arguments: other, input)."""
    return _xlog1py(input, other)


@op(node="SpecialXlog1PyBackward2", promote="float", check=refuse_complex("xlog1py"))
@quietly
def xlog1py_number(input, other):
    """`xlog1py_tensor` of a tensor and a number."""
    return _xlog1py(input, other)


def _xlog1py_vjp_input(g: Any, input: Any, other: Any) -> Any:
    flat = (input == 0) & (other <= -1)
    call = xlog1py_number if isinstance(other, NUMBERS) else xlog1py_tensor
    return np.where(flat, 0, call(g, other))


xlog1py_tensor.vjp(
    input=_xlog1py_vjp_input,
    other=lambda g, input, other: g * input / (other + 1),
)
xlog1py_of.vjp(other=lambda g, other, input: g * input / (other + 1))
xlog1py_number.vjp(input=_xlog1py_vjp_input)


def xlog1py(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """input · log(1 + other), elementwise, of tensors or a number; 0 where input is 0, unless
    other is NaN."""
    if isinstance(input, NUMBERS):
        if isinstance(other, NUMBERS):
            no_tensor("special_xlog1py", input, other)
        return xlog1py_of(other, input, out=out)
    call = xlog1py_number if isinstance(other, NUMBERS) else xlog1py_tensor
    return call(input, other, out=out)


# Hurwitz' zeta function


@op(name="special_zeta", promote="float", check=refuse_narrow("zeta"))
@quietly
def zeta_tensor(input, other):
    """Σ (k + other)^-input over all k >= 0, elementwise."""
    return zeta_of(input, other)


@op(node="SpecialZetaBackward1", promote="float", check=refuse_narrow("zeta"))
@quietly
def zeta_from(other, input):
    """`zeta_tensor` of a number and a tensor (in this order of arguments: other, input)."""
    return zeta_of(np.asarray(input).astype(other.dtype), other)


@op(node="SpecialZetaBackward2", promote="float", check=refuse_narrow("zeta"))
@quietly
def zeta_number(input, other):
    """`zeta_tensor` of a tensor and a number."""
    return zeta_of(input, np.asarray(other).astype(input.dtype))


def _no_derivative(g: Any) -> Any:
    fail(NotImplementedError, "the derivative for 'zeta' is not implemented.")


zeta_tensor.vjp(
    input=_no_derivative,
    other=lambda g, input, other: g * (-input * zeta_tensor(input + 1, other)),
)
zeta_from.vjp(other=lambda g, other, input: g * (-input * zeta_from(other, input + 1)))
zeta_number.vjp(input=_no_derivative)


def zeta(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """Hurwitz' zeta function Σ (k + other)^-input over all k >= 0, of tensors or a number."""
    if isinstance(input, NUMBERS):
        if isinstance(other, NUMBERS):
            no_tensor("special_zeta", input, other)
        return zeta_from(other, input, out=out)
    call = zeta_number if isinstance(other, NUMBERS) else zeta_tensor
    return call(input, other, out=out)
