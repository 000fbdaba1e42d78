"""Comparison, logic and bits, and what selects by them: where, clamp, maximum and minimum."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype
from ..duck import refuse as refuse_duck
from ..graph.inplace import in_place, write
from ..graph.operator import EXACT_OUT, NUMBERS, dunder, op, result_dtype, write_out
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, as_array, wrap
from .arithmetic import assigning, category, number, refuse
from .casting import cast

__all__ = [
    "allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "clamp", "clamp_", "clamp_max", "clamp_max_", "clamp_min",
    "clamp_min_", "eq", "equal", "fmax", "fmin", "ge", "gt", "isclose", "isfinite", "isin",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "le", "logical_and", "logical_not",
    "logical_or", "logical_xor", "lt", "maximum", "minimum", "ne", "signbit", "where",
]  # fmt: skip
METHODS = (
    *(name for name in __all__ if name not in ("isin", "where")),
    "eq_", "ge_", "gt_", "le_", "logical_and_", "logical_not_", "logical_or_", "logical_xor_",
    "lt_", "ne_",
)  # fmt: skip
NUMBER_OPERANDS = {
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "clamp_min", "clamp_max"), "the second"),
    **dict.fromkeys(("fmax", "fmin", "isclose", "logical_and", "logical_or", "logical_xor",
                     "maximum", "minimum"), "neither"),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift",
                     "bitwise_right_shift"), "either, but not both"),
}  # fmt: skip
IN_PLACE = (
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor",
)  # fmt: skip
ALIASES = {
    "clip": "clamp", "clip_": "clamp_", "greater": "gt", "greater_": "gt_", "greater_equal": "ge",
    "greater_equal_": "ge_", "less": "lt", "less_": "lt_", "less_equal": "le",
    "less_equal_": "le_", "not_equal": "ne", "not_equal_": "ne_",
}  # fmt: skip


# Comparison


@op(promote="same")
def eq(input, other):
    """Whether input == other, elementwise."""
    return np.equal(input, other)


@op(promote="same")
def ne(input, other):
    """Whether input != other, elementwise."""
    return np.not_equal(input, other)


@op(promote="same", check=refuse("c", "lt_cpu"))
def lt(input, other):
    """Whether input < other, elementwise."""
    return np.less(input, other)


@op(promote="same", check=refuse("c", "le_cpu"))
def le(input, other):
    """Whether input <= other, elementwise."""
    return np.less_equal(input, other)


@op(promote="same", check=refuse("c", "gt_cpu"))
def gt(input, other):
    """Whether input > other, elementwise."""
    return np.greater(input, other)


@op(promote="same", check=refuse("c", "ge_cpu"))
def ge(input, other):
    """Whether input >= other, elementwise."""
    return np.greater_equal(input, other)


@op(promote="same")
def logical_not(input):
    """Whether input is zero, elementwise."""
    return np.logical_not(input)


@op(promote="same")
def logical_and(input, other):
    """Whether both are nonzero, elementwise."""
    return np.logical_and(input, other)


@op(promote="same")
def logical_or(input, other):
    """Whether any of the two is nonzero, elementwise."""
    return np.logical_or(input, other)


@op(promote="same")
def logical_xor(input, other):
    """Whether exactly one of the two is nonzero, elementwise."""
    return np.logical_xor(input, other)


def _overwriting(call: Any) -> Any:
    """The in-place twin of an operator with a bool result: it writes zeros and ones of the
    tensor's own dtype, and no gradient goes further back."""
    name = call.op.name
    node = call.op.node.__name__.removesuffix("0")

    def overwrite(input, /, values):
        return values.astype(input.dtype)

    with_number = op(overwrite, name=f"{name}_", node=f"{node}0")
    with_tensor = op(overwrite, name=f"{name}_", node=f"{node}1")
    for made in (with_number, with_tensor):
        made.vjp(input=lambda g: np.zeros_like(g))

    def method(self: Tensor, *others: Any) -> Tensor:
        values = call(self.detach(), *others)._array
        made = with_tensor if others and isinstance(others[0], Tensor) else with_number
        return write(made.op, self, (), (values,))

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"In-place version of {name}: writes zeros and ones into this tensor."
    return method


eq_, ne_, lt_, le_, gt_, ge_ = map(_overwriting, (eq, ne, lt, le, gt, ge))
logical_not_, logical_and_, logical_or_, logical_xor_ = map(
    _overwriting, (logical_not, logical_and, logical_or, logical_xor)
)


def _check_alike(input: Any, other: Any) -> None:
    if input.dtype != other.dtype:
        have, want = (from_numpy_dtype(v.dtype).legacy for v in (input, other))
        fail(RuntimeError, f"{have} did not match {want}")


@op(name="isclose", check=_check_alike)
@quietly
def close(input, other, /, rtol, atol, equal_nan):
    """Whether |input - other| <= atol + rtol · |other|, elementwise."""
    same = input == other
    if equal_nan:
        same = same | (np.isnan(input) & np.isnan(other))
    if category(input) == "b":
        return same
    allowed = atol + np.abs(rtol * other)
    gap = np.abs(input - other)
    return same | (np.isfinite(gap) & (gap <= allowed))


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Tensor:  # fmt: skip
    """Whether |input - other| <= atol + rtol · |other|, elementwise.

    Infinities are close to themselves, and NaN to NaN if `equal_nan`. The dtypes must agree.
    """
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            fail(RuntimeError, f"{name} must be greater than or equal to zero, but got {value}")
    return close(input, other, rtol, atol, equal_nan)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08,
             equal_nan: bool = False) -> bool:  # fmt: skip
    """Whether all elements are close: see `isclose`."""
    found = isclose(input, other, rtol, atol, equal_nan)._array
    refuse_duck(found, "allclose")
    return bool(found.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements."""
    for position, value in enumerate((input, other), 1):
        if not isinstance(value, Tensor):
            fail(TypeError, f"equal(): argument '{('input', 'other')[position - 1]}' (position "
                            f"{position}) must be Tensor, not {type(value).__name__}")  # fmt: skip
    if input._array.shape != other._array.shape:
        return False
    found = eq(input, other)._array
    refuse_duck(found, "equal")
    return bool(found.all())


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False,
         invert: bool = False, out: Tensor | None = None) -> Tensor:  # fmt: skip
    """Whether each element is among the test elements."""
    if out is not None:
        options = {"assume_unique": assume_unique, "invert": invert}
        return write_out("isin", out, isin, (elements, test_elements), options)
    a, b = (v._array if isinstance(v, Tensor) else v for v in (elements, test_elements))
    return wrap(as_array(np.isin(a, b, assume_unique=assume_unique, invert=invert)))


# Kinds of values


@op(promote="same")
def isnan(input):
    """Whether each element is NaN."""
    return np.isnan(input)


@op(promote="same")
def isinf(input):
    """Whether each element is infinite."""
    return np.isinf(input)


@op(promote="same")
def isfinite(input):
    """Whether each element is neither infinite nor NaN."""
    return np.isfinite(input)


@op(promote="same", check=refuse("c", "isposinf does not support complex inputs.", RuntimeError))
def isposinf(input):
    """Whether each element is positive infinity."""
    return np.equal(input, math.inf)


@op(promote="same", check=refuse("c", "isneginf does not support complex inputs.", RuntimeError))
def isneginf(input):
    """Whether each element is negative infinity."""
    return np.equal(input, -math.inf)


@op(promote="same")
def isreal(input):
    """Whether the imaginary part of each element is zero."""
    return np.isreal(input)


@op(promote="same", check=refuse("c", "signbit is not implemented for complex tensors."))
def signbit(input):
    """Whether the sign bit of each element is set: of negative numbers and -0.0."""
    return np.signbit(input)


EXACT_OUT.update({
    name: f"{name} does not support non-boolean outputs"
    for name in ("isneginf", "isposinf", "signbit")
})  # fmt: skip
EXACT_OUT["bitwise_not"] = "Found dtype {have} but expected {want}"
EXACT_OUT["where"] = "Expected out type to be {want} but got {have}"


# Bits


@op(promote="same", check=refuse("fc", "bitwise_not_cpu"))
def bitwise_not(input):
    """The bits of integers inverted; of bool the logical not."""
    return np.bitwise_not(input)


@op(promote="same", check=refuse("fc", "bitwise_and_cpu"))
def bitwise_and(input, other):
    """The bits set in both integers; of bool the logical and."""
    return np.bitwise_and(input, other)


@op(promote="same", check=refuse("fc", "bitwise_or_cpu"))
def bitwise_or(input, other):
    """The bits set in any of both integers; of bool the logical or."""
    return np.bitwise_or(input, other)


@op(promote="same", check=refuse("fc", "bitwise_xor_cpu"))
def bitwise_xor(input, other):
    """The bits set in one of both integers; of bool the exclusive or."""
    return np.bitwise_xor(input, other)


@op(promote="same", check=refuse("bfc", "lshift_cpu"))
def bitwise_left_shift(input, other):
    """input · 2^other of integers."""
    return np.left_shift(input, other)


@op(promote="same", check=refuse("bfc", "rshift_cpu"))
def bitwise_right_shift(input, other):
    """input / 2^other of integers, rounded down."""
    return np.right_shift(input, other)


# Selection


# Integers of the same width: multiplying the bits of a float by False or True gives zero or the
# float itself, whatever it is. `np.where` does not vectorise: on masks without a pattern it takes
# ten times as long.
_BITS = {np.dtype(f"float{n}"): np.dtype(f"int{n}") for n in (16, 32, 64)}


def kept(g: Any, mask: Any) -> Any:
    """`g` where `mask` holds, zero elsewhere, also where `g` is infinite or NaN."""
    if g.__class__ is np.ndarray and mask.__class__ is np.ndarray:
        bits = _BITS.get(g.dtype)
        if bits is not None:
            return np.multiply(mask, g.view(bits)).view(g.dtype)
    return np.where(mask, g, 0)


def _check_where(condition: Any, input: Any, other: Any) -> None:
    kind = condition.dtype
    if kind == np.uint8:
        warnings.warn(
            "where received a uint8 condition tensor. This behavior is deprecated and will be "
            "removed in a future version of PyTorch. Use a boolean condition instead.",
            stacklevel=4,
        )
    elif kind.kind != "b":
        fail(RuntimeError, "where expected condition to be a boolean tensor, but got a tensor with "
                           f"dtype {from_numpy_dtype(kind).legacy}")  # fmt: skip


@op(name="where", check=_check_where)
def choose(condition, input, other):
    """input where condition holds, other elsewhere; the three broadcast."""
    x, y = input, other
    if x.__class__ is not np.ndarray or y.__class__ is not np.ndarray or x.dtype is not y.dtype:
        kind = result_dtype((x, y)).numpy
        x, y = (
            np.asarray(v).astype(kind) if isinstance(v, NUMBERS) else v.astype(kind, copy=False)
            for v in (x, y)
        )
    bits = _BITS.get(x.dtype) if x.__class__ is np.ndarray and condition.size > 4096 else None
    if bits is None or condition.dtype.kind != "b":
        return np.where(condition, x, y)
    a, b = x.view(bits), y.view(bits)
    return np.bitwise_xor(np.multiply(np.bitwise_xor(a, b), condition), b).view(x.dtype)


choose.vjp(
    input=lambda g, condition: kept(g, condition),
    other=lambda g, condition: kept(g, np.logical_not(condition)),
)


def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """input where condition holds, other elsewhere; the three broadcast.

    With the condition alone: the indices where it holds, one tensor a dimension.
    """
    if input is None and other is None:
        refuse_duck(condition._array, "where")
        return tuple(wrap(index) for index in np.nonzero(condition._array))
    return choose(condition, input, other, out=out)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """This tensor where condition holds, other elsewhere."""
    return choose(condition, self, other)


def _one_dtype(input: Any, other: Any) -> Any:
    """Operands in the dtype in which they were compared. (NumPy's is another for float32[n] and
    float64[].)"""
    if (
        isinstance(input, np.ndarray)
        and isinstance(other, np.ndarray)
        and input.dtype != other.dtype
    ):
        kind = result_dtype((input, other)).numpy
        return input.astype(kind), other.astype(kind)
    return input, other


def _first(wins: Any, input: Any, other: Any) -> Any:
    """Where the first operand was taken, because it wins or the second is NaN."""
    input, other = _one_dtype(input, other)
    return wins(input, other) | np.isnan(other)


def _halved(g: Any, loses: Any, input: Any, other: Any) -> Any:
    """The gradient where an operand does not lose; half of it where both are equal."""
    return np.where(input == other, g / 2, kept(g, ~loses(input, other)))


@op(promote="same", check=refuse("c", "maximum not implemented for complex tensors.", RuntimeError))
def maximum(input, other):
    """The larger of two, elementwise; NaN where one is NaN. Where both are equal each gets half of
    the gradient."""
    return np.maximum(input, other)


maximum.vjp(
    input=lambda g, input, other: _halved(g, np.less, *_one_dtype(input, other)),
    other=lambda g, input, other: _halved(g, np.greater, *_one_dtype(input, other)),
)


@op(promote="same", check=refuse("c", "minimum not implemented for complex tensors.", RuntimeError))
def minimum(input, other):
    """The smaller of two, elementwise; NaN where one is NaN. Where both are equal each gets half of
    the gradient."""
    return np.minimum(input, other)


minimum.vjp(
    input=lambda g, input, other: _halved(g, np.greater, *_one_dtype(input, other)),
    other=lambda g, input, other: _halved(g, np.less, *_one_dtype(input, other)),
)


@op(promote="same", check=refuse("c", "fmax not implemented for complex tensors.", RuntimeError))
def fmax(input, other):
    """The larger of two, elementwise; where one is NaN, the other. The first wins ties."""
    return np.fmax(input, other)


fmax.vjp(
    input=lambda g, input, other: kept(g, _first(np.greater_equal, input, other)),
    other=lambda g, input, other: kept(g, ~_first(np.greater_equal, input, other)),
)


@op(promote="same", check=refuse("c", "fmin not implemented for complex tensors.", RuntimeError))
def fmin(input, other):
    """The smaller of two, elementwise; where one is NaN, the other. The first wins ties."""
    return np.fmin(input, other)


fmin.vjp(
    input=lambda g, input, other: kept(g, _first(np.less_equal, input, other)),
    other=lambda g, input, other: kept(g, ~_first(np.less_equal, input, other)),
)


# Limits. At a limit the gradient goes to the input, beyond it to the limit


_FLOATS = {np.dtype(f"float{n}") for n in (16, 32, 64)}
_REALS: set[Any] = {float, int, type(None)}


def _limited(input: Any, low: Any, high: Any) -> Any:
    """An array between numbers (or None), in the dtype of all three."""
    if input.dtype in _FLOATS and low.__class__ in _REALS and high.__class__ in _REALS:
        found = input if low is None else np.maximum(low, input)
        return found if high is None else np.minimum(high, found)
    kind = result_dtype((input, low, high)).numpy
    _check_clamp(input, low, high)
    found = input.astype(kind) if input.dtype != kind else input
    if low is not None:
        found = np.maximum(np.asarray(low).astype(kind), found)
    if high is not None:
        found = np.minimum(np.asarray(high).astype(kind), found)
    return found


def _inside(input: Any, low: Any, high: Any) -> Any:
    if low is None:
        return input <= high
    return input >= low if high is None else (input >= low) & (input <= high)


_check_clamp = refuse("c", "clamp is not supported for complex types")


@op(name="clamp", node="ClampBackward1")
def clamp_numbers(input, /, min, max):
    """input limited to numbers, elementwise."""
    return _limited(input, min, max)


clamp_numbers.vjp(input=lambda g, input, min, max: kept(g, _inside(input, min, max)))


@op(node="ClampBackward0", promote="same", check=_check_clamp)
def clamp_tensors(input, min, max):
    """input limited to tensors (or None), elementwise; where min > max, to max."""
    found = input if min is None else np.maximum(input, min)
    return found if max is None else np.minimum(found, max)


def _clamp_vjp_min(g: Any, input: Any, min: Any, max: Any) -> Any:
    below = input < min
    return kept(g, below if max is None else below & (min < max))


def _clamp_vjp_max(g: Any, input: Any, min: Any, max: Any) -> Any:
    above = input > max
    return kept(g, above if min is None else above | (max < min))


clamp_tensors.vjp(
    input=lambda g, input, min, max: kept(g, _inside(input, min, max)),
    min=_clamp_vjp_min,
    max=_clamp_vjp_max,
)


@op(name="clamp_min")
def clamp_min_number(input, /, min):
    """input, at least a number, elementwise."""
    return _limited(input, min, None)


clamp_min_number.vjp(input=lambda g, input, min: kept(g, input >= min))


@op(node="ClampMinBackward1", promote="same", check=refuse("c", "maximum_cpu"))
def clamp_min_tensor(input, min):
    """input, at least min, elementwise."""
    return np.maximum(input, min)


clamp_min_tensor.vjp(
    input=lambda g, input, min: kept(g, input >= min),
    min=lambda g, input, min: kept(g, input < min),
)


@op(name="clamp_max")
def clamp_max_number(input, /, max):
    """input, at most a number, elementwise."""
    return _limited(input, None, max)


clamp_max_number.vjp(input=lambda g, input, max: kept(g, input <= max))


@op(node="ClampMaxBackward1", promote="same", check=refuse("c", "minimum_cpu"))
def clamp_max_tensor(input, max):
    """input, at most max, elementwise."""
    return np.minimum(input, max)


clamp_max_tensor.vjp(
    input=lambda g, input, max: kept(g, input <= max),
    max=lambda g, input, max: kept(g, input > max),
)


def _clamp(min: Any, max: Any) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """The operator for these limits, its further tensors and its parameters."""
    if min is None and max is None:
        fail(RuntimeError, "torch.clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        return clamp_tensors, (min, max), ()
    limits = [v if v is None else number(v, name) for v, name in ((min, "min"), (max, "max"))]
    return clamp_numbers, (), tuple(limits)


def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Tensor | None = None) -> Tensor:
    """input limited to [min, max], elementwise: numbers or tensors; where min > max, to max."""
    call, tensors, params = _clamp(min, max)
    return call(input, *tensors, *params, out=out)


def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """In-place version of `clamp`."""
    call, tensors, params = _clamp(min, max)
    return write(call.op, self, tensors, params)


def clamp_min(input: Tensor, min: Any, *, out: Tensor | None = None) -> Tensor:
    """input, at least min (a number or a tensor), elementwise."""
    call = clamp_min_tensor if isinstance(min, Tensor) else clamp_min_number
    return call(input, min, out=out)


def clamp_min_(self: Tensor, min: Any) -> Tensor:
    """In-place version of `clamp_min`."""
    if isinstance(min, Tensor):
        return write(clamp_min_tensor.op, self, (min,), ())
    return write(clamp_min_number.op, self, (), (min,))


def clamp_max(input: Tensor, max: Any, *, out: Tensor | None = None) -> Tensor:
    """input, at most max (a number or a tensor), elementwise."""
    call = clamp_max_tensor if isinstance(max, Tensor) else clamp_max_number
    return call(input, max, out=out)


def clamp_max_(self: Tensor, max: Any) -> Tensor:
    """In-place version of `clamp_max`."""
    if isinstance(max, Tensor):
        return write(clamp_max_tensor.op, self, (max,), ())
    return write(clamp_max_number.op, self, (), (max,))


# Python's operators


def _invert(self: Tensor) -> Tensor:
    if self._array.dtype.kind not in "iub":
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return bitwise_not(self)


def _rlshift(self: Tensor, other: Any) -> Any:
    return bitwise_left_shift(other, self) if isinstance(other, NUMBERS) else NotImplemented


def _rrshift(self: Tensor, other: Any) -> Any:
    return bitwise_right_shift(other, self) if isinstance(other, NUMBERS) else NotImplemented


OPERATORS = {
    "eq": dunder(eq), "ne": dunder(ne), "lt": dunder(lt), "le": dunder(le), "gt": dunder(gt),
    "ge": dunder(ge), "invert": _invert, "and": dunder(bitwise_and),
    "rand": dunder(bitwise_and), "or": dunder(bitwise_or), "ror": dunder(bitwise_or),
    "xor": dunder(bitwise_xor), "rxor": dunder(bitwise_xor), "lshift": dunder(bitwise_left_shift),
    "rlshift": _rlshift, "rshift": dunder(bitwise_right_shift), "rrshift": _rrshift,
    "iand": assigning(in_place(bitwise_and)), "ior": assigning(in_place(bitwise_or)),
    "ixor": assigning(in_place(bitwise_xor)), "ilshift": assigning(in_place(bitwise_left_shift)),
    "irshift": assigning(in_place(bitwise_right_shift)),
}  # fmt: skip
for _name, _function in OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _function)
Tensor.where = _where_method  # type: ignore[attr-defined]


# As NumPy calls them


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else wrap(np.asarray(value))


def _np_isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08,
                equal_nan: bool = False) -> Tensor:  # fmt: skip
    a, b = _tensor(a), _tensor(b)
    wanted = result_dtype((a._array, b._array))
    return isclose(cast(a, wanted), cast(b, wanted), rtol, atol, equal_nan)


def _np_allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08,
                 equal_nan: bool = False) -> bool:  # fmt: skip
    return bool(_np_isclose(a, b, rtol, atol, equal_nan)._array.all())


def _np_array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    first, second = (_tensor(a)._array for a in (a1, a2))
    return np.array_equal(first, second, equal_nan=equal_nan)


def _np_clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None,
             max: Any = None) -> Tensor:  # fmt: skip
    low, high = a_min if min is None else min, a_max if max is None else max
    return _tensor(a) if low is None and high is None else clamp(_tensor(a), low, high)


def _np_where(condition: Any, x: Any = None, y: Any = None) -> Any:
    return where(_tensor(condition), x, y)


NUMPY = {
    np.equal: eq, np.not_equal: ne, np.less: lt, np.less_equal: le, np.greater: gt,
    np.greater_equal: ge, np.logical_not: logical_not, np.logical_and: logical_and,
    np.logical_or: logical_or, np.logical_xor: logical_xor, np.isnan: isnan, np.isinf: isinf,
    np.isfinite: isfinite, np.isposinf: isposinf, np.isneginf: isneginf, np.isreal: isreal,
    np.signbit: signbit, np.invert: bitwise_not, np.bitwise_and: bitwise_and,
    np.bitwise_or: bitwise_or, np.bitwise_xor: bitwise_xor, np.left_shift: bitwise_left_shift,
    np.right_shift: bitwise_right_shift, np.maximum: maximum, np.minimum: minimum, np.fmax: fmax,
    np.fmin: fmin, np.where: _np_where, np.clip: _np_clip, np.isclose: _np_isclose,
    np.allclose: _np_allclose, np.array_equal: _np_array_equal,
}  # fmt: skip
