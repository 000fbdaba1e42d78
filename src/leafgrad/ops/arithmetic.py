"""Arithmetic: + - * / // % ** and their relatives, elementwise with broadcasting and promotion.

PyTorch has overloads by what is a tensor and what a number (`x ** 2`, `x ** y`, `2 ** x`), each
with a graph node of its own; those are separate operators here. The functions of the public surface
choose among them.
"""

from __future__ import annotations

import cmath
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import BY_NAME, F32, F64, from_numpy_dtype
from ..duck import whole
from ..graph.inplace import in_place, write
from ..graph.modes import OFF, ON, current
from ..graph.operator import EXACT_OUT, NUMBERS, dunder, op, result_dtype, write_out
from ..graph.quiet import enter, leave, quietly
from ..graph.saved import bump
from ..graph.source import fail, here
from ..tensor import TENSORS, Tensor, as_array
from .casting import cast

__all__ = [
    "add", "addcdiv", "addcmul", "div", "float_power", "floor_divide", "fmod", "lerp", "mul", "pow",
    "reciprocal", "remainder", "rsub", "square", "square_", "sub", "true_divide",
]  # fmt: skip
METHODS = (
    "add", "add_", "addcdiv", "addcmul", "div", "div_", "float_power",
    "float_power_", "floor_divide", "fmod", "fmod_", "lerp", "lerp_", "mul", "mul_", "pow", "pow_",
    "reciprocal", "remainder", "remainder_", "square", "square_", "sub", "sub_", "true_divide",
    "true_divide_",
)  # fmt: skip
NUMBER_OPERANDS = {"float_power": "either, but not both", "fmod": "the second",
                   "remainder": "either, but not both", "rsub": "the second"}  # fmt: skip
IN_PLACE = ("addcdiv", "addcmul", "floor_divide", "reciprocal")
ALIASES = {
    "divide": "div", "divide_": "div_", "multiply": "mul", "multiply_": "mul_",
    "subtract": "sub", "subtract_": "sub_",
}  # fmt: skip


# What the forwards share


_CATEGORY = {"b": "b", "i": "i", "u": "i", "f": "f", "V": "f", "c": "c"}
_OF_NUMBER = {bool: "b", int: "i", float: "f", complex: "c"}


def category(*operands: Any) -> str:
    """The highest category among arrays and numbers: "b", "i", "f" or "c"."""
    found = ""
    for value in operands:
        if value is not None:
            kind = _OF_NUMBER.get(value.__class__) or _CATEGORY[value.dtype.kind]
            if found in ("", "b") or kind == "c" or (found == "i" and kind == "f"):
                found = kind
    return found


def holds_complex(x: Any) -> bool:
    """Whether an array or a tensor is complex."""
    return (x._array if isinstance(x, Tensor) else x).dtype.kind == "c"


def refuse(kinds: str, message: str, error: type[Exception] = NotImplementedError) -> Any:
    """A check for `op`: no operands of these categories. `message` is PyTorch's sentence, or the
    name of its kernel."""

    def check(*operands: Any) -> None:
        if category(*operands) in kinds:
            sentence = message
            if " " not in message:
                sentence = f"\"{message}\" not implemented for '{result_dtype(operands).legacy}'"
            fail(error, sentence)

    return check


def widely(function: Callable[..., Any]) -> Callable[..., Any]:
    """A forward that computes in float32 what is stored in 16 bits: half and bfloat16."""

    @functools.wraps(function)
    def wrapped(*args: Any) -> Any:
        kind = args[0].dtype
        if kind.itemsize > 2 or kind.kind not in "fV":
            return function(*args)
        wide = [a.astype(np.float32) if getattr(a, "dtype", None) == kind else a for a in args]
        return as_array(function(*wide)).astype(kind)

    return wrapped


def without_derivative(call: Any) -> Any:
    """Let the backward pass through an operator raise, as in PyTorch where it has no formula."""
    name = call.op.name

    def rule(g: Any) -> Any:
        fail(RuntimeError, f"derivative for aten::{name} is not implemented")

    call.op.node.name = lambda self: "torch::autograd::NotImplemented"
    return call.vjp(**dict.fromkeys(call.op.tensors, rule))


def number(value: Any, name: str) -> Any:
    """A parameter that must be a number: Python's, NumPy's, or a tensor of one element."""
    if isinstance(value, NUMBERS):
        return value
    if isinstance(value, (np.generic, Tensor)) and value.ndim == 0:
        return value.item()
    return fail(TypeError, f"argument '{name}' must be Number, not {type(value).__name__}")


# Sums


@op(name="add", promote="same")
@quietly
def plain_add(input, other):
    """input + other, elementwise."""
    return np.add(input, other)


plain_add.vjp(input=lambda g: g, other=lambda g: g)


def _scaled(array: Any, alpha: Any) -> Any:
    """alpha · array in the array's dtype."""
    kind = category(array)
    if isinstance(alpha, bool) and kind != "b":
        fail(RuntimeError, "Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and kind in "bi":
        fail(RuntimeError, "For integral input tensors, argument alpha must not be a floating "
                           "point number.")  # fmt: skip
    if isinstance(alpha, complex) and kind != "c":
        fail(RuntimeError, "For non-complex input tensors, argument alpha must not be a complex "
                           "number.")  # fmt: skip
    return np.multiply(array, np.asarray(alpha).astype(array.dtype))


@op(node="AddBackward0", promote="same")
@quietly
def add_scaled(input, other, /, alpha):
    """input + alpha · other, elementwise."""
    return np.add(input, _scaled(other, alpha))


add_scaled.vjp(input=lambda g: g, other=lambda g, alpha: g * alpha)


def _check_sub(input: Any, other: Any) -> None:
    bools = [category(v) == "b" for v in (input, other)]
    if all(bools):
        fail(RuntimeError, "Subtraction, the `-` operator, with two bool tensors is not supported. "
                           "Use the `^` or `logical_xor()` operator instead.")  # fmt: skip
    if any(bools):
        fail(RuntimeError, "Subtraction, the `-` operator, with a bool tensor is not supported. If "
                           "you are trying to invert a mask, use the `~` or `logical_not()` "
                           "operator instead.")  # fmt: skip


@op(name="sub", promote="same", check=_check_sub)
@quietly
def plain_sub(input, other):
    """input - other, elementwise."""
    return np.subtract(input, other)


plain_sub.vjp(input=lambda g: g, other=lambda g: -g)


@op(node="SubBackward0", promote="same", check=_check_sub)
@quietly
def sub_scaled(input, other, /, alpha):
    """input - alpha · other, elementwise."""
    return np.subtract(input, _scaled(other, alpha))


sub_scaled.vjp(input=lambda g: g, other=lambda g, alpha: g * -alpha)


@op(name="rsub", node="RsubBackward1", promote="same", check=_check_sub)
@quietly
def rsub_number(input, other):
    """other - input, elementwise, where `other` is a number."""
    return np.subtract(other, input)


rsub_number.vjp(input=lambda g: -g, other=lambda g: g)


@op(node="RsubBackward0", promote="same", check=_check_sub)
@quietly
def rsub_scaled(input, other, /, alpha):
    """other - alpha · input, elementwise."""
    return np.subtract(other, _scaled(input, alpha))


rsub_scaled.vjp(input=lambda g, alpha: g * -alpha, other=lambda g: g)


def add(input: Any, other: Any, *, alpha: Any = 1, out: Tensor | None = None) -> Tensor:
    """input + alpha · other, elementwise."""
    if out is not None:
        return write_out("add", out, add, (input, other), {"alpha": alpha})
    if alpha.__class__ is int and alpha == 1:
        return plain_add(input, other)
    return add_scaled(input, other, number(alpha, "alpha"))


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Tensor | None = None) -> Tensor:
    """input - alpha · other, elementwise."""
    if out is not None:
        return write_out("sub", out, sub, (input, other), {"alpha": alpha})
    if alpha.__class__ is int and alpha == 1:
        return plain_sub(input, other)
    return sub_scaled(input, other, number(alpha, "alpha"))


def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha · input, elementwise."""
    if alpha.__class__ is int and alpha == 1 and not isinstance(other, Tensor):
        return rsub_number(input, other)
    return rsub_scaled(input, other, number(alpha, "alpha"))


def _updating(call: Any, ufunc: Any) -> Any:
    """The in-place twin of an operator that one ufunc computes. Where nothing is recorded and the
    dtypes agree, as in a step of gradient descent, the ufunc writes to the memory itself."""
    general = in_place(call)

    def update(self: Tensor, other: Any) -> Any:
        mode = current()
        x, sort = self._array, other.__class__
        y = other._array if sort in TENSORS else other
        if (
            (mode is OFF or (mode is ON and self._edge is None))
            and x.__class__ is np.ndarray
            and (x.dtype is F32 or x.dtype is F64)
            and (
                sort is float or sort is int
                or (y.__class__ is np.ndarray and sort in TENSORS and y.dtype is x.dtype
                    and (mode is OFF or other._edge is None)
                    and ((x.base is None and y.base is None) or not np.may_share_memory(x, y)))
            )
            and not self._inference
            and 0 not in x.strides
        ):  # fmt: skip
            token = enter()
            try:
                ufunc(x, y, out=x)
            except ValueError:  # the shapes do not fit: explained below
                return general(self, other)
            finally:
                leave(token)
            bump(self, here())
            return self
        return general(self, other)

    update.__name__ = update.__qualname__ = f"{call.__name__}_"
    update.__doc__ = f"In-place version of {call.__name__}: writes the result into this tensor."
    return update


_plain_add_, _plain_sub_ = _updating(plain_add, np.add), _updating(plain_sub, np.subtract)


def add_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In-place version of `add`."""
    if alpha.__class__ is int and alpha == 1:
        return _plain_add_(self, other)
    return write(add_scaled.op, self, (other,), (number(alpha, "alpha"),))


def sub_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In-place version of `sub`."""
    if alpha.__class__ is int and alpha == 1:
        return _plain_sub_(self, other)
    return write(sub_scaled.op, self, (other,), (number(alpha, "alpha"),))


# Products and quotients


@op(promote="same")
@quietly
def mul(input, other):
    """input · other, elementwise."""
    return np.multiply(input, other)


def _times(g: Any, factor: Any, shape: Any) -> Any:
    """g · factor. For a 0-dim argument the sum of it too, in one pass over the memory: of large
    arrays, a fit's `theta[0] * X`, that is a third of the time."""
    if (
        not shape and g.__class__ is factor.__class__ is np.ndarray and g.dtype is factor.dtype
        and (g.dtype.char == "d" or (g.dtype.char == "f" and g.size <= 4096)) and g.ndim
        and g.shape == factor.shape
        and g.flags.c_contiguous and factor.flags.c_contiguous
    ):  # fmt: skip
        return np.dot(g.reshape(-1), factor.reshape(-1))
    return g * factor


mul.vjp(
    input=lambda g, other, input_shape: _times(g, other, input_shape),
    other=lambda g, input, other_shape: _times(g, input, other_shape),
)
mul_ = _updating(mul, np.multiply)


@op(name="div", promote="float")
@quietly
def plain_div(input, other):
    """input / other, elementwise; of integers in the default float dtype."""
    return np.divide(input, other)


plain_div.vjp(
    input=lambda g, other: g / other,
    other=lambda g, input, other: -g * ((input / other) / other),
)
true_divide_ = _updating(plain_div, np.divide)


def _check_divisor(input: Any, other: Any) -> None:
    kind = getattr(input, "dtype", None)  # a rule may pass a number
    if kind is not None and kind.kind in "iu" and not np.all(whole(other)):
        fail(RuntimeError, "ZeroDivisionError", "an integer was divided by zero")


def _floor(input: Any, other: Any) -> Any:
    _check_divisor(input, other)
    return np.floor_divide(input, other)


@op(node="DivBackward2", promote="same", check=refuse("bc", "div_floor_cpu"))
@quietly
def div_floor(input, other):
    """input / other, rounded towards minus infinity."""
    return _floor(input, other)


@op(node="DivBackward2", promote="same", check=refuse("bc", "div_trunc_cpu"))
@quietly
def div_trunc(input, other):
    """input / other, rounded towards zero."""
    if input.dtype.kind not in "iu":
        return np.trunc(np.divide(input, other))
    inexact = np.remainder(input, other) != 0
    return _floor(input, other) + (inexact & ((input < 0) != (other < 0)))


for _rounded in (div_floor, div_trunc):
    _rounded.vjp(input=lambda g: np.zeros_like(g), other=lambda g: np.zeros_like(g))


@without_derivative
@op(node="NotImplemented", promote="same", check=refuse("bc", "div_floor_cpu"))
@quietly
def floor_divide(input, other):
    """input / other, rounded towards minus infinity; PyTorch has no derivative of this one."""
    return _floor(input, other)


_DIVISIONS = {None: plain_div, "floor": div_floor, "trunc": div_trunc}


def _division(rounding_mode: str | None) -> Any:
    if rounding_mode not in _DIVISIONS:
        fail(RuntimeError, "div expected rounding_mode to be one of None, 'trunc', or 'floor' but "
                           f"found '{rounding_mode}'")  # fmt: skip
    return _DIVISIONS[rounding_mode]


def div(input: Any, other: Any, *, rounding_mode: str | None = None,
        out: Tensor | None = None) -> Tensor:  # fmt: skip
    """input / other, elementwise; with a rounding mode "floor" or "trunc", integers stay so."""
    return _division(rounding_mode)(input, other, out=out)


def div_(self: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """In-place version of `div`."""
    if rounding_mode is None:
        return true_divide_(self, other)
    return write(_division(rounding_mode).op, self, (other,), ())


def true_divide(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """input / other, elementwise."""
    return plain_div(input, other, out=out)


@op(promote="float")
@quietly
def reciprocal(input):
    """1 / input, elementwise."""
    return np.reciprocal(input)


reciprocal.vjp(input=lambda g, out: -g * (out * out))


# Remainders: of the quotient rounded down (`%`), or towards zero (`fmod`)


def _remainder(input: Any, other: Any) -> Any:
    _check_divisor(input, other)
    if input.dtype.kind in "iu":
        return np.remainder(input, other)
    rest = np.fmod(input, other)  # a zero keeps its sign, other than in NumPy's remainder
    return np.where((rest != 0) & ((rest < 0) != (other < 0)), rest + other, rest)


def _fmod(input: Any, other: Any) -> Any:
    _check_divisor(input, other)
    return np.fmod(input, other)


@op(name="remainder", node="RemainderBackward1", promote="same",
    check=refuse("bc", "remainder_cpu"))  # fmt: skip
@quietly
def remainder_tensor(input, other):
    """input - other · floor(input / other), elementwise: it has the sign of `other`."""
    return _remainder(input, other)


remainder_tensor.vjp(input=lambda g: g, other=lambda g, input, other: -g * div_floor(input, other))


@op(node="RemainderBackward0", promote="same", check=refuse("bc", "remainder_cpu"))
@quietly
def remainder_number(input, other):
    """`remainder_tensor` by a number."""
    return _remainder(input, other)


remainder_number.vjp(input=lambda g: g)


@op(name="fmod", node="FmodBackward1", promote="same", check=refuse("bc", "fmod_cpu"))
@quietly
def fmod_tensor(input, other):
    """input - other · trunc(input / other), elementwise: it has the sign of `input`."""
    return _fmod(input, other)


fmod_tensor.vjp(input=lambda g: g, other=lambda g, input, other: -g * div_trunc(input, other))


@op(node="FmodBackward0", promote="same", check=refuse("bc", "fmod_cpu"))
@quietly
def fmod_number(input, other):
    """`fmod_tensor` by a number."""
    return _fmod(input, other)


fmod_number.vjp(input=lambda g: g)


def remainder(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """Python's `input % other`, elementwise: it has the sign of `other`."""
    call = remainder_number if isinstance(other, NUMBERS) else remainder_tensor
    return call(input, other, out=out)


def remainder_(self: Tensor, other: Any) -> Tensor:
    """In-place version of `remainder`."""
    call = remainder_number if isinstance(other, NUMBERS) else remainder_tensor
    return write(call.op, self, (other,), ())


def fmod(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """C's remainder, elementwise: it has the sign of `input`."""
    call = fmod_number if isinstance(other, NUMBERS) else fmod_tensor
    return call(input, other, out=out)


def fmod_(self: Tensor, other: Any) -> Tensor:
    """In-place version of `fmod`."""
    call = fmod_number if isinstance(other, NUMBERS) else fmod_tensor
    return write(call.op, self, (other,), ())


# Powers


# Exponents for which PyTorch does not call the C library; the results differ in the last digit.
_POWERS: dict[Any, Callable[[Any], Any]] = {
    0: np.ones_like,
    1: np.copy,
    2: np.square,
    3: lambda x: np.square(x) * x,
    0.5: np.sqrt,
    -0.5: lambda x: np.reciprocal(np.sqrt(x)),
    -1: np.reciprocal,
    -2: lambda x: np.reciprocal(np.square(x)),
}


def _check_pow(input: Any, exponent: Any) -> None:
    if isinstance(exponent, int) and exponent < 0 and category(input) in "bi":
        fail(RuntimeError, "Integers to negative integer powers are not allowed.",
             "to do: make the base a floating tensor, or write a float: x ** -1.0")  # fmt: skip


@op(name="pow", promote="same", check=_check_pow)
@quietly
def pow_number(input, exponent):
    """input to the power of a number, elementwise."""
    given = exponent if exponent.__class__ in _OF_NUMBER else exponent.item()
    special = _POWERS.get(given)
    return np.power(input, exponent) if special is None else special(input)


def _pow_number_vjp_input(g: Any, input: Any, exponent: Any) -> Any:
    if exponent == 2:
        return g * (input + input)
    if exponent == 0:
        return np.zeros_like(g)
    return g * (exponent * input ** (exponent - 1))


pow_number.vjp(input=_pow_number_vjp_input)


def _power(base: Any, exponent: Any) -> Any:
    """base ** exponent; of integers with a negative exponent the integer part."""
    if exponent.dtype.kind != "i" or np.all(whole(exponent) >= 0):
        return np.power(base, exponent)
    odd = np.where(exponent % 2 == 0, 1, base)
    inverse = np.where(np.abs(base) == 1, odd, 0)
    return np.where(exponent < 0, inverse, np.power(base, np.maximum(exponent, 0))).astype(
        base.dtype
    )


@op(node="PowBackward1", promote="same", check=refuse("b", "pow"))
@quietly
def pow_tensor(input, exponent):
    """input to the power of a tensor, elementwise."""
    return _power(input, exponent)


def _pow_tensor_vjp_exponent(g: Any, input: Any, exponent: Any, out: Any) -> Any:
    flat = (input == 0) & (np.real(exponent) >= 0)
    base = input + 0j if holds_complex(exponent) else input  # log(-1) is complex, then
    return g * np.where(flat, 0, out * np.log(base))


pow_tensor.vjp(
    input=lambda g, input, exponent: np.where(
        exponent == 0, 0, g * (exponent * input ** (exponent - 1))
    ),
    exponent=_pow_tensor_vjp_exponent,
)


@op(node="PowBackward2", promote="same", check=refuse("b", "pow"))
@quietly
def pow_base(exponent, base):
    """A number to the power of a tensor, elementwise."""
    if exponent.dtype.kind == "i":
        return _power(base, exponent)
    return np.power(base, exponent)


def _pow_base_vjp_exponent(g: Any, exponent: Any, base: Any, out: Any) -> Any:
    if base == 0:
        return g * np.where(np.real(exponent) >= 0, 0, out * -math.inf)
    if isinstance(base, complex):
        return g * (out * cmath.log(base))
    return g * (out * (math.log(base) if base > 0 else math.nan))


pow_base.vjp(exponent=_pow_base_vjp_exponent)


def pow(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """input to the power of exponent, elementwise; one of the two may be a number."""
    if isinstance(exponent, NUMBERS):
        if not hasattr(input, "ndim"):
            raise TypeError("pow() received an invalid combination of arguments - got "
                            f"({type(input).__name__}, {type(exponent).__name__}): one of them "
                            "must be a Tensor")  # fmt: skip
        return pow_number(input, exponent, out=out)
    if isinstance(input, NUMBERS):
        return pow_base(exponent, input, out=out)
    return pow_tensor(input, exponent, out=out)


def pow_(self: Tensor, exponent: Any) -> Tensor:
    """In-place version of `pow`."""
    call = pow_number if isinstance(exponent, NUMBERS) else pow_tensor
    return write(call.op, self, (exponent,), ())


def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input², elementwise."""
    return pow_number(input, 2, out=out)


def square_(self: Tensor) -> Tensor:
    """In-place version of `square`."""
    return write(pow_number.op, self, (2,), ())


def _double(value: Any, whole: bool) -> Any:
    """A tensor or a number in complex128, if `whole`, or float64."""
    if isinstance(value, Tensor):
        return cast(value, BY_NAME["complex128" if whole else "float64"])
    return complex(value) if whole else float(value)


def _is_complex(*values: Any) -> bool:
    return category(*(v._array if isinstance(v, Tensor) else v for v in values)) == "c"


def float_power(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """input to the power of exponent, computed in float64 or complex128."""
    if out is not None:
        return write_out("float_power", out, float_power, (input, exponent), {})
    whole = _is_complex(input, exponent)
    return pow(_double(input, whole), _double(exponent, whole))


def float_power_(self: Tensor, exponent: Any) -> Tensor:
    """In-place version of `float_power`."""
    wanted = BY_NAME["complex128" if _is_complex(self, exponent) else "float64"]
    if self.dtype is not wanted:
        fail(RuntimeError, f"the base given to float_power_ has dtype {self.dtype.legacy} but the "
                           f"operation's result requires dtype {wanted.legacy}")  # fmt: skip
    return pow_(self, _double(exponent, wanted.is_complex))


# Fused with a product or a mean


@op(promote="same", check=refuse("b", "addcmul_cpu_out"))
@quietly
@widely
def addcmul(input, tensor1, tensor2, /, value=1):
    """input + value · tensor1 · tensor2, elementwise."""
    return np.add(input, np.multiply(np.multiply(_cast_as(value, input), tensor1), tensor2))


def _cast_as(value: Any, like: Any) -> Any:
    return np.asarray(value).astype(like.dtype)


addcmul.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (tensor2 * value),
    tensor2=lambda g, tensor1, value: g * (tensor1 * value),
)


def _check_addcdiv(input: Any, tensor1: Any, tensor2: Any) -> None:
    if category(tensor1, tensor2) in "bi":
        fail(
            RuntimeError,
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / "
            "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter "
            "implementation: (input + value * tensor1 / tensor2), for all dtypes.",
        )


@op(promote="same", check=_check_addcdiv)
@quietly
@widely
def addcdiv(input, tensor1, tensor2, /, value=1):
    """input + value · tensor1 / tensor2, elementwise."""
    return np.add(input, np.divide(np.multiply(_cast_as(value, input), tensor1), tensor2))


addcdiv.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (value / tensor2),
    tensor2=lambda g, tensor1, tensor2, value: -g * (value * tensor1 / (tensor2 * tensor2)),
)


def _between(input: Any, end: Any, weight: Any) -> Any:
    # From the nearer end, so that the ends are met exactly.
    gap = end - input
    return np.where(np.abs(weight) < 0.5, input + weight * gap, end - gap * (1 - weight))


_NAMES_IN_C = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>", "bool": "bool",
    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int",
}  # fmt: skip


def _check_lerp(input: Any, end: Any, weight: Any = None) -> None:
    for name, value in (("end", end), ("weight", weight)):
        if value is not None and value.dtype != input.dtype and (name == "end" or value.ndim):
            have, want = (from_numpy_dtype(v.dtype).name for v in (value, input))
            fail(RuntimeError, f"expected dtype {_NAMES_IN_C.get(want, want)} for `{name}` but got "
                               f"dtype {_NAMES_IN_C.get(have, have)}")  # fmt: skip
    refuse("bi", f"lerp_kernel_{'scalar' if weight is None else 'tensor'}")(input)


@op(name="lerp", promote="same", check=_check_lerp)
@quietly
@widely
def lerp_number(input, end, /, weight):
    """input + weight · (end - input), elementwise, with one weight for all."""
    return _between(input, end, np.asarray(weight).astype(input.dtype))


lerp_number.vjp(
    input=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
)


@op(node="LerpBackward1", promote="same", check=_check_lerp)
@quietly
@widely
def lerp_tensor(input, end, weight):
    """input + weight · (end - input), elementwise."""
    return _between(input, end, weight)


lerp_tensor.vjp(
    input=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
    weight=lambda g, input, end: g * (end - input),
)


def lerp(input: Tensor, end: Tensor, weight: Any, *, out: Tensor | None = None) -> Tensor:
    """input + weight · (end - input), elementwise; weight: a number or a tensor."""
    call = lerp_tensor if isinstance(weight, Tensor) else lerp_number
    return call(input, end, weight, out=out)


def lerp_(self: Tensor, end: Tensor, weight: Any) -> Tensor:
    """In-place version of `lerp`."""
    if isinstance(weight, Tensor):
        return write(lerp_tensor.op, self, (end, weight), ())
    return write(lerp_number.op, self, (end,), (weight,))


# Python's operators


_OPERANDS = (Tensor, *NUMBERS, np.ndarray, np.generic)


def assigning(function: Callable[..., Any]) -> Callable[..., Any]:
    """An in-place function as Python's `__iadd__` and so on: not for foreign operands."""

    def operator(self: Tensor, other: Any) -> Any:
        return function(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    operator.__name__ = operator.__qualname__ = function.__name__
    operator.__doc__ = function.__doc__
    return operator


_add, _mul, _truediv = dunder(plain_add), dunder(mul), dunder(plain_div)
_sub, _rsub, _floordiv = dunder(plain_sub), dunder(rsub_number), dunder(floor_divide)
_mod, _mod_number = dunder(remainder_tensor), dunder(remainder_number)
_pow, _pow_number, _pow_base = dunder(pow_tensor), dunder(pow_number), dunder(pow_base)


def _rtruediv(self: Tensor, other: Any) -> Any:
    return _mul(reciprocal(self), other)  # as PyTorch computes it: it differs in the last digit


def _rfloordiv(self: Tensor, other: Any) -> Any:
    return floor_divide(other, self) if isinstance(other, _OPERANDS) else NotImplemented


def _remainder_of(self: Tensor, other: Any) -> Any:
    return _mod_number(self, other) if isinstance(other, NUMBERS) else _mod(self, other)


def _rmod(self: Tensor, other: Any) -> Any:
    return remainder_tensor(other, self) if isinstance(other, _OPERANDS) else NotImplemented


def _rpow(self: Tensor, other: Any) -> Any:
    return pow_tensor(other, self) if isinstance(other, Tensor) else _pow_base(self, other)


def _power_of(self: Tensor, exponent: Any) -> Any:
    kind = exponent.__class__
    if kind is int or kind is float or isinstance(exponent, NUMBERS):
        return _pow_number(self, exponent)
    return _pow(self, exponent)


OPERATORS = {
    "add": _add, "radd": _add, "sub": _sub, "rsub": _rsub, "mul": _mul, "rmul": _mul,
    "truediv": _truediv, "rtruediv": _rtruediv, "div": _truediv, "rdiv": _rtruediv,
    "floordiv": _floordiv, "rfloordiv": _rfloordiv,
    "mod": _remainder_of, "rmod": _rmod, "pow": _power_of, "rpow": _rpow,
    "iadd": assigning(_plain_add_), "isub": assigning(_plain_sub_), "imul": assigning(mul_),
    "itruediv": assigning(true_divide_), "idiv": assigning(true_divide_),
    "ifloordiv": assigning(in_place(floor_divide)), "imod": assigning(remainder_),
    "ipow": assigning(pow_),
}  # fmt: skip
for _name, _function in OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _function)

EXACT_OUT["lerp"] = EXACT_OUT["lerp_tensor"] = "Found dtype {have} but expected {want}"
EXACT_OUT["float_power"] = (
    "the output given to float_power has dtype {have} but the operation's result requires dtype "
    "{want}"
)

NUMPY = {
    np.add: plain_add, np.subtract: plain_sub, np.multiply: mul, np.divide: plain_div,
    np.floor_divide: floor_divide, np.remainder: remainder, np.fmod: fmod, np.power: pow,
    np.float_power: float_power, np.square: square, np.reciprocal: reciprocal,
}  # fmt: skip
