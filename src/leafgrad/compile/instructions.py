"""What kernels compute with: dtypes, ops and reductions, and the instructions they become.

`OPS` maps names (NumPy's, of ufuncs) to an `Op`: the dtypes it takes, and a function that writes
it as LLVM IR over `ir.V` values. Values in registers are of a dtype's `kind`; in memory, of its
`memory`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import math as functions
from .ir import V, absolute, copysign, fma, is_nan, sqrt, where

if TYPE_CHECKING:
    from .kernel import Value


# Dtypes: how they lie in memory, and what they are in registers


class Dtype(NamedTuple):
    memory: str  # LLVM's type of an element in memory
    kind: str  # and in registers
    signed: bool = True
    is_float: bool = False


DTYPES = {
    "bool": Dtype("i8", "i1", False),
    "int8": Dtype("i8", "i8"),
    "int16": Dtype("i16", "i16"),
    "int32": Dtype("i32", "i32"),
    "int64": Dtype("i64", "i64"),
    "uint8": Dtype("i8", "i8", False),
    "uint16": Dtype("i16", "i16", False),
    "uint32": Dtype("i32", "i32", False),
    "uint64": Dtype("i64", "i64", False),
    "float16": Dtype("i16", "float", True, True),
    "bfloat16": Dtype("i16", "float", True, True),
    "float32": Dtype("float", "float", True, True),
    "float64": Dtype("double", "double", True, True),
}
SIZES = {"i8": 1, "i16": 2, "i32": 4, "float": 4, "i64": 8, "double": 8}


# Ops: which dtypes they take, and the instructions they become


class Op(NamedTuple):
    """One op: how many operands, of which dtypes, and how it is written."""

    arity: int
    takes: str  # float, number (not bool), bits (integers and bool), any
    gives: str  # same, bool
    write: Callable[..., V]  # (dtype of the first operand, *values) -> value

    def result(self, name: str, operands: Sequence[Value]) -> str:
        """The dtype of the result; TypeError for operands that it does not take."""
        dtypes = [v.dtype for v in operands]
        if len(dtypes) != self.arity:
            raise TypeError(f"{name} takes {self.arity} operands, not {len(dtypes)}")
        if name == "where":
            if dtypes[0] != "bool":
                raise TypeError(f"the condition of where must be bool, not {dtypes[0]}")
            dtypes = dtypes[1:]
        if len(set(dtypes)) > 1:
            raise TypeError(f"{name} of {' and '.join(dtypes)}: cast them to one dtype")
        if not self.allows(dtypes[0]):
            raise TypeError(f"{name} does not take {dtypes[0]}")
        return "bool" if self.gives == "bool" else dtypes[0]

    def allows(self, dtype: str) -> bool:
        d = DTYPES.get(dtype)
        if d is None:
            return False
        return {
            "float": d.is_float,
            "number": dtype != "bool",
            "integer": not d.is_float and dtype != "bool",
            "bits": not d.is_float,
            "any": True,
        }[self.takes]


OPS: dict[str, Op] = {}


def _op(
    name: str, arity: int, takes: str, gives: str = "same"
) -> Callable[[Callable[..., V]], Callable[..., V]]:
    def enter(write: Callable[..., V]) -> Callable[..., V]:
        OPS[name] = Op(arity, takes, gives, write)
        return write

    return enter


def supported(name: str, dtype: str) -> bool:
    """Whether `Kernel.op` takes operands of this dtype (NumPy's name of it)."""
    return name in OPS and OPS[name].allows(dtype)


_op("add", 2, "number")(lambda d, a, b: a + b)
_op("subtract", 2, "number")(lambda d, a, b: a - b)
_op("multiply", 2, "number")(lambda d, a, b: a * b)
_op("divide", 2, "float")(lambda d, a, b: a / b)
_op("negative", 1, "number")(lambda d, a: -a)
_op("positive", 1, "number")(lambda d, a: a)
_op("square", 1, "number")(lambda d, a: a * a)
_op("reciprocal", 1, "float")(lambda d, a: 1.0 / a)
_op("sqrt", 1, "float")(lambda d, a: sqrt(a))
_op("rsqrt", 1, "float")(lambda d, a: 1.0 / sqrt(a))
_op("fabs", 1, "float")(lambda d, a: absolute(a))
for _name in ("deg2rad", "radians"):
    _op(_name, 1, "float")(lambda d, a: a * (math.pi / 180.0))
for _name in ("rad2deg", "degrees"):
    _op(_name, 1, "float")(lambda d, a: a * (180.0 / math.pi))
_op("fma", 3, "float")(lambda d, a, b, c: fma(a, b, c))
_op("copysign", 2, "float")(lambda d, a, b: copysign(a, b))
_op("isnan", 1, "float", "bool")(lambda d, a: is_nan(a))
_op("isinf", 1, "float", "bool")(lambda d, a: absolute(a).same(functions.INF))
_op("isfinite", 1, "float", "bool")(lambda d, a: absolute(a) < functions.INF)
_op("signbit", 1, "float", "bool")(lambda d, a: a.bits() < 0)
_op("where", 3, "any")(lambda d, c, a, b: where(c, a, b))
_op("bitwise_and", 2, "bits")(lambda d, a, b: a & b)
_op("bitwise_or", 2, "bits")(lambda d, a, b: a | b)
_op("bitwise_xor", 2, "bits")(lambda d, a, b: a ^ b)
_op("invert", 1, "bits")(lambda d, a: ~a)


def _truth(a: V) -> V:
    return a if a.type.kind == "i1" else a.differs(0)


_op("logical_and", 2, "any", "bool")(lambda d, a, b: _truth(a) & _truth(b))
_op("logical_or", 2, "any", "bool")(lambda d, a, b: _truth(a) | _truth(b))
_op("logical_xor", 2, "any", "bool")(lambda d, a, b: _truth(a) ^ _truth(b))
_op("logical_not", 1, "any", "bool")(lambda d, a: ~_truth(a))


def _comparisons() -> None:
    for name, ordered, signed, unsigned in (
        ("less", "olt", "slt", "ult"), ("less_equal", "ole", "sle", "ule"),
        ("greater", "ogt", "sgt", "ugt"), ("greater_equal", "oge", "sge", "uge"),
        ("equal", "oeq", "eq", "eq"), ("not_equal", "une", "ne", "ne"),
    ):  # fmt: skip

        def write(
            d: Dtype, a: V, b: V, how: tuple[str, str, str] = (ordered, signed, unsigned)
        ) -> V:
            return a.compare(how[0] if d.is_float else how[1] if d.signed else how[2], b)

        _op(name, 2, "any", "bool")(write)
    for name in ("floor", "ceil", "trunc", "rint"):
        _op(name, 1, "float")(lambda d, a, name=name: a.out.intrinsic(name, a))
    for name, f in functions.FUNCTIONS.items():
        arity = f.__code__.co_argcount
        _op(name, arity, "float")(lambda d, *v, name=name: functions.call(name, *v))


_comparisons()


@_op("absolute", 1, "number")
def _absolute(d: Dtype, a: V) -> V:
    if d.is_float:
        return absolute(a)
    return where(a < 0, -a, a) if d.signed else a


@_op("sign", 1, "number")
def _sign(d: Dtype, a: V) -> V:
    positive = a.compare("ogt" if d.is_float else "sgt" if d.signed else "ugt", 0)
    y = where(positive, a.like(1), a.like(0))
    if d.signed:
        y = where(a < 0, a.like(-1), y)
    return where(is_nan(a), a, y) if d.is_float else y


def _extreme(d: Dtype, a: V, b: V, how: str, nan: bool = True) -> V:
    """The larger ("g") or smaller ("l") of two; NaN wins, or with nan=False loses."""
    if not d.is_float:
        return where(a.compare(("s" if d.signed else "u") + how + "e", b), a, b)
    return where(a.compare("o" + how + "e", b) | is_nan(a if nan else b), a, b)


_op("maximum", 2, "any")(lambda d, a, b: _extreme(d, a, b, "g"))
_op("minimum", 2, "any")(lambda d, a, b: _extreme(d, a, b, "l"))
_op("fmax", 2, "any")(lambda d, a, b: _extreme(d, a, b, "g", nan=False))
_op("fmin", 2, "any")(lambda d, a, b: _extreme(d, a, b, "l", nan=False))
_op("relu", 1, "number")(lambda d, a: _extreme(d, a, a.like(0), "g"))


@_op("clip", 3, "number")
def _clip(d: Dtype, a: V, low: V, high: V) -> V:
    return _extreme(d, _extreme(d, a, low, "g"), high, "l")


@_op("logaddexp", 2, "float")
def _logaddexp(d: Dtype, a: V, b: V) -> V:
    apart = a - b
    near = functions.call("log1p", functions.call("exp", -absolute(apart)))
    y = where(apart > 0.0, a, b) + near
    y = where(is_nan(apart), apart, y)
    return where(a.same(b), a + math.log(2.0), y)


@_op("left_shift", 2, "integer")
def _left_shift(d: Dtype, a: V, b: V) -> V:
    fits = b.compare("ult", a.type.bits)
    return where(fits, a << where(fits, b, 0), 0)


@_op("right_shift", 2, "integer")
def _right_shift(d: Dtype, a: V, b: V) -> V:
    fits = b.compare("ult", a.type.bits)
    if d.signed:
        return a >> where(fits, b, a.type.bits - 1)
    return where(fits, a.shifted_down(where(fits, b, 0)), 0)


def _integer_division(d: Dtype, a: V, b: V) -> tuple[V, V]:
    """Quotient and remainder of NumPy: rounded down; 0 where b is 0; no trap for the least / -1."""
    zero = b.same(0)
    if not d.signed:
        safe = where(zero, 1, b)
        q, r = (
            a.out.value(a.type, f"{how} {a.type.text} {a.text}, {safe.text}")
            for how in ("udiv", "urem")
        )
        return where(zero, 0, q), where(zero, 0, r)
    minus = b.same(-1)
    safe = where(zero | minus, 1, b)
    q, r = (
        a.out.value(a.type, f"{how} {a.type.text} {a.text}, {safe.text}")
        for how in ("sdiv", "srem")
    )
    down = r.differs(0) & ((r ^ safe) < 0)
    q, r = where(down, q - 1, q), where(down, r + safe, r)
    return where(zero, 0, where(minus, -a, q)), where(zero | minus, 0, r)


def _float_division(a: V, b: V) -> tuple[V, V]:
    """Quotient and remainder as NumPy's divmod has them."""
    r = a.out.value(a.type, f"frem {a.type.text} {a.text}, {b.text}")
    other = (b < 0.0) ^ (r < 0.0)
    nonzero = r.differs(0.0)
    q = (a - r) / b
    q = where(nonzero & other, q - 1.0, q)
    floor = q.out.intrinsic("floor", q)
    floor = where(q - floor > 0.5, floor + 1.0, floor)
    floor = where(q.same(0.0), copysign(q.like(0.0), a / b), floor)
    r = where(nonzero, where(other, r + b, r), copysign(r.like(0.0), b))
    zero = b.same(0.0)
    return where(zero, a / b, floor), where(zero, functions.NAN, r)


@_op("floor_divide", 2, "number")
def _floor_divide(d: Dtype, a: V, b: V) -> V:
    return (_float_division(a, b) if d.is_float else _integer_division(d, a, b))[0]


@_op("remainder", 2, "number")
def _remainder(d: Dtype, a: V, b: V) -> V:
    return (_float_division(a, b) if d.is_float else _integer_division(d, a, b))[1]


@_op("fmod", 2, "float")
def _fmod(d: Dtype, a: V, b: V) -> V:
    return a.out.value(a.type, f"frem {a.type.text} {a.text}, {b.text}")


def cast(value: V, old: str, new: str) -> V:
    """NumPy's astype."""
    a, b = DTYPES[old], DTYPES[new]
    if new == "bool":
        return _truth(value)
    if a.kind == "i1":
        if b.is_float:
            return value.convert("uitofp", b.kind)
        return value.convert("zext", b.kind)
    if a.is_float and b.is_float:
        if a.kind != b.kind:
            value = value.convert("fpext" if b.kind == "double" else "fptrunc", b.kind)
        return rounded(value, new)
    if b.is_float:
        return rounded(value.convert("sitofp" if a.signed else "uitofp", b.kind), new)
    if a.is_float:
        if new == "uint64":
            return value.convert("fptoui", "i64")
        wide = "i64" if new in ("int64", "uint32") else "i32"
        whole = value.convert("fptosi", wide)
        return whole if wide == b.kind else whole.convert("trunc", b.kind)
    if a.kind == b.kind:
        return V(value.text, value.type, value.out)
    if SIZES[b.kind] < SIZES[a.kind]:
        return value.convert("trunc", b.kind)
    return value.convert("sext" if a.signed else "zext", b.kind)


def rounded(value: V, dtype: str) -> V:
    """A result as it is when it has been through memory: float16 and bfloat16 round."""
    if dtype in ("float16", "bfloat16"):
        return from_memory(to_memory(value, dtype), dtype)
    return value


def from_memory(value: V, dtype: str) -> V:
    """An element as it is read, as it is in registers."""
    if dtype == "bool":
        return value.differs(0)
    if dtype == "bfloat16":
        return (value.convert("zext", "i32") << 16).floating()
    if dtype == "float16":
        if value.out.module.target.half:
            return value.convert("bitcast", "half").convert("fpext", "float")
        bits = value.convert("zext", "i32")
        size = (bits & 0x7FFF) << 13
        # A shift of the exponent by a product: it takes care of subnormal numbers.
        finite = (size.floating() * 2.0**112).bits()
        size = where(size.compare("uge", 0x7C00 << 13), size | 0x7F800000, finite)
        return (size | ((bits & 0x8000) << 16)).floating()
    return value


def to_memory(value: V, dtype: str) -> V:
    """A value in registers, as it is written."""
    if dtype == "bool":
        return value.convert("zext", "i8")
    if dtype == "bfloat16":
        bits = value.bits()
        near = (bits + 0x7FFF + (bits.shifted_down(16) & 1)).shifted_down(16)
        near = where(is_nan(value), bits.shifted_down(16) | 0x40, near)
        return near.convert("trunc", "i16")
    if dtype == "float16":
        if value.out.module.target.half:
            return value.convert("fptrunc", "half").convert("bitcast", "i16")
        size = absolute(value)
        bits = size.bits()
        near = (bits + (((15 - 127) << 23) + 0xFFF) + (bits.shifted_down(13) & 1)).shifted_down(13)
        # Adding 1/2 rounds what is subnormal in float16 to its last place.
        small = (size + 0.5).bits() - 0x3F000000
        near = where(size < 2.0**-14, small, near)
        near = where(size < 65520.0, near, where(is_nan(value), near.like(0x7E00), 0x7C00))
        return (near | (value.bits().shifted_down(16) & 0x8000)).convert("trunc", "i16")
    return value


# Reductions: (where they start, how two are joined)


class Reduction(NamedTuple):
    start: Callable[[Dtype, str], float | int | bool]
    join: Callable[[Dtype, V, V], V]


def _lowest(d: Dtype, dtype: str) -> float | int | bool:
    if d.is_float:
        return -functions.INF
    return -(1 << (SIZES[d.memory] * 8 - 1)) if d.signed else 0


def _highest(d: Dtype, dtype: str) -> float | int | bool:
    if d.is_float:
        return functions.INF
    if dtype == "bool":
        return True
    return (1 << (SIZES[d.memory] * 8 - d.signed)) - 1


REDUCTIONS = {
    # -0.0 + x is x for every x; 0.0 + -0.0 is not -0.0, but NumPy's sums start at 0.0
    "sum": Reduction(lambda d, dtype: 0, lambda d, a, b: a + b),
    "prod": Reduction(lambda d, dtype: 1, lambda d, a, b: a * b),
    "max": Reduction(_lowest, lambda d, a, b: _extreme(d, a, b, "g")),
    "min": Reduction(_highest, lambda d, a, b: _extreme(d, a, b, "l")),
    "any": Reduction(lambda d, dtype: False, lambda d, a, b: a | b),
    "all": Reduction(lambda d, dtype: True, lambda d, a, b: a & b),
}
