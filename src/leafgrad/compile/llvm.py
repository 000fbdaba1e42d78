"""From loop descriptions to machine code.

A `Kernel` describes loops over arrays; a list of kernels and calls becomes one native function.

    k = Kernel("mse")                                  # mean of (x - y)**2, and 2 (x - y) / n
    x, y = k.array(1, "float64"), k.array(2, "float64")
    gradient, loss = k.array(3, "float64"), k.array(4, "float64")
    with k.loop(1000) as i:
        d = k.op("subtract", k.load(x, {i: 1}), k.load(y, {i: 1}))
        k.store(gradient, k.op("multiply", d, k.const(2 / 1000, "float64")), {i: 1})
        total = k.reduce("sum", k.op("multiply", d, d))
    k.store(loss, k.op("divide", total, k.const(1000.0, "float64")))

    step = build([k])                                  # optimised, or taken from the disk cache
    table = np.zeros(step.slots, np.uint64)
    table[1:5] = [a.ctypes.data for a in (X, Y, G, L)]
    step(table.ctypes.data)                            # releases the interpreter lock

**The table.** A native function has one argument, the address of a table of 8-byte slots. A slot
holds the address of an array's first element (`array`), a number (`scalar`: float64 for floating
dtypes, int64 for the others; it is cast to the dtype asked for), or the address of a function
(`Call`). Slot 0 is `threads.address(n)`: the team of n threads that may share
the work, or 0 for the calling thread alone. Rebinding an input is a write to a slot; the code stays. No address is ever part of
the code, so it can be cached on disk.

**Loops.** `with k.loop(n) as i:` opens a loop inside the one that is open; n is a number or an
int64 `Value` (`k.scalar(slot, "int64")`). Loops may follow one another inside a loop: a softmax is
a loop over rows that holds three loops over columns. Everything written inside a loop is computed
for each step of it; what does not depend on the loop is moved out of it on its own. A value can be
used in its loop and in loops inside it. Only reductions leave a loop.

**Vectors.** One loop of every nest runs over vector lanes: the innermost one, or the loop that says
`vector=True`; then the loops inside it run step by step on whole vectors. That is how columns are
summed: `with k.loop(columns, vector=True) as j: with k.loop(rows) as i: k.reduce("sum", ...)`, and
how a small matrix product is written. Strides of 1 and 0 along the vector loop are plain
loads and broadcasts; others are gathered, which is slower. The caller chooses the order of loops
and merges axes where the memory allows; a short innermost loop wastes lanes.

**Addresses.** `k.load(array, {i: 16, j: 1}, offset=0, at=None, where=None)` reads element
`offset + 16 i + j + at`. Strides count elements. `at` is an int64 `Value` for what is not affine (rows of
an embedding); `where` a bool `Value`: other elements are not touched and read as zero.
`k.store(array, value, strides, offset, at, where, add=False)`; with `add` it adds to what is there.
An array that is also written in the kernel must be read at the same element that is written, or in
an earlier loop: lanes do not see each other's stores.

**Values.** `op` names are NumPy's names of ufuncs (`OPS` holds them all), plus

    where(c, a, b)   fma(a, b, c)   clip(x, low, high)   rsqrt   sigmoid   logsigmoid   softplus
    silu   gelu   gelu_tanh   erf   erfc   square   relu

Operands of one op have one dtype (`cast` where they differ; `where` takes a bool first, `power` and
the shifts also take an integer second). Comparisons give bool. The dtypes are NumPy's: bool, int8 to
int64, uint8 to uint64, float16, bfloat16, float32, float64; float16 and bfloat16 compute in float32
and round after each op. Results of everything but the functions of `compile.math` are NumPy's, bit
for bit: nothing is contracted or reassociated. `index(loop)` is the loop's counter as int64.
`supported(name, dtype)` says whether `op` takes it.

**Reductions.** `k.reduce(kind, value, over=None)` with sum, prod, max, min (NaN wins, as in NumPy),
any, all, over the innermost open loop or over all loops up to `over`; the result can be used
after that loop. Sums keep several vectors of partial sums, in three or more levels: as accurate as
pairwise sums. The result depends on the extents and the width of the machine's vectors, not on the
number of threads.

**Threads.** The outermost loops of large kernels are split into chunks that a team of native threads
takes; small kernels are not split. Each chunk leaves its partial results, which are joined in the
order of the chunks.

**Calls.** `Call(slot, *arguments, check=False)` calls the function whose address is in a slot. An
argument is `Slot(n)` (the 8 bytes of a slot, as pointer or int64), `Ref(n)` (the address of a slot),
a `Const(dtype, value)` (the address of a constant: what Fortran wants), or `Number(dtype, value)` (by
value). With `check` the function returns an int; a value other than 0 ends the step, which returns it.

    gemm = Call(7, Const("int8", ord("N")), ..., Slot(1), Const("int32", 64), ...)

`build(steps)` returns a `Native`: `native(address_of_table) -> int` (0 when all went well), `.slots`,
`.ir` (the text that was compiled), `.assembly()`. `available()` says whether llvmlite can be imported.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from . import cache, support
from . import math as functions
from .ir import Block, Module, Type, V, absolute, copysign, fma, is_nan, literal, sqrt, where

__all__ = [
    "DTYPES", "OPS", "Array", "Call", "Const", "Kernel", "Loop", "Native", "Number", "Ref", "Slot",
    "Target", "Value", "available", "build", "host", "supported",
]  # fmt: skip


# Dtypes: how they lie in memory, and what they are in registers


class _Dtype(NamedTuple):
    memory: str  # LLVM's type of an element in memory
    kind: str  # and in registers
    signed: bool = True
    is_float: bool = False


DTYPES = {
    "bool": _Dtype("i8", "i1", False),
    "int8": _Dtype("i8", "i8"),
    "int16": _Dtype("i16", "i16"),
    "int32": _Dtype("i32", "i32"),
    "int64": _Dtype("i64", "i64"),
    "uint8": _Dtype("i8", "i8", False),
    "uint16": _Dtype("i16", "i16", False),
    "uint32": _Dtype("i32", "i32", False),
    "uint64": _Dtype("i64", "i64", False),
    "float16": _Dtype("i16", "float", True, True),
    "bfloat16": _Dtype("i16", "float", True, True),
    "float32": _Dtype("float", "float", True, True),
    "float64": _Dtype("double", "double", True, True),
}
_SIZES = {"i8": 1, "i16": 2, "i32": 4, "float": 4, "i64": 8, "double": 8}


# The description of a kernel


class Array:
    """Elements of one dtype, the first at the address in a slot of the table."""

    def __init__(self, slot: int, dtype: str, number: int) -> None:
        self.slot, self.dtype, self.number = slot, dtype, number
        self.written = False

    def __repr__(self) -> str:
        return f"a{self.number}"


class Value:
    """One value of a kernel: the result of an op, in the loop where it is computed."""

    __slots__ = ("dtype", "extra", "loop", "number", "op", "operands", "varies")

    def __init__(
        self,
        op: str,
        operands: tuple[Value, ...],
        dtype: str,
        loop: Loop | None,
        extra: Any,
        number: int,
    ) -> None:
        self.op, self.operands, self.dtype, self.loop = op, operands, dtype, loop
        self.extra, self.number = extra, number
        self.varies = False  # whether it differs between the lanes of a vector

    def __repr__(self) -> str:
        return f"v{self.number}"


class _Access(NamedTuple):
    """Where a load or a store finds its element; what it stores, and where it may not."""

    array: Array
    strides: tuple[tuple[Loop, int], ...]
    offset: int
    at: Value | None
    where: Value | None
    add: bool = False


class Loop:
    """A counted loop: what is computed in it, in order."""

    def __init__(
        self, kernel: Kernel, extent: int | Value, parent: Loop | None, vector: bool | None
    ) -> None:
        self.kernel, self.extent, self.parent, self.vector = kernel, extent, parent, vector
        self.body: list[Value | Loop] = []
        self.closed = False
        self.depth: int = parent.depth + 1 if parent else 1
        self.number = 0

    def __repr__(self) -> str:
        return f"i{self.number}"


class Kernel:
    """Loops over arrays, as described at the head of this module."""

    def __init__(self, name: str = "kernel") -> None:
        self.name = name
        self.body: list[Value | Loop] = []
        self.arrays: list[Array] = []
        self._open: Loop | None = None
        self._count = 0
        self._loops = 0
        self._same: dict[Any, Value] = {}

    # The builder

    def array(self, slot: int, dtype: str) -> Array:
        """The array whose first element's address is in this slot."""
        for each in self.arrays:
            if each.slot == slot and each.dtype == dtype:
                return each
        if dtype not in DTYPES:
            raise TypeError(f"no machine code for arrays of {dtype}")
        self.arrays.append(Array(slot, dtype, len(self.arrays)))
        return self.arrays[-1]

    @contextmanager
    def loop(self, extent: int | Value, vector: bool | None = None) -> Iterator[Loop]:
        """A loop inside the one that is open now."""
        loop = Loop(self, extent, self._open, vector)
        self._loops += 1
        loop.number = self._loops
        self._open = loop
        yield loop
        loop.closed = True
        self._open = loop.parent
        self._here().append(loop)

    def const(self, value: float | int | bool, dtype: str) -> Value:
        """A number that is known now."""
        if not isinstance(value, bool | int | float):
            value = value.item()
        return self._pure("const", (), dtype, (repr(value), value))

    def scalar(self, slot: int, dtype: str) -> Value:
        """The number in a slot of the table."""
        return self._pure("scalar", (), dtype, (slot,))

    def index(self, loop: Loop) -> Value:
        """How many steps of a loop have gone before, as int64."""
        self._must_be_open(loop)
        return self._pure("index", (), "int64", (loop,), loop)

    def op(self, name: str, *operands: Value) -> Value:
        """An op of `OPS`."""
        op = OPS.get(name)
        if op is None:
            raise KeyError(f"no op {name!r}")
        dtype = op.result(name, operands)
        return self._pure(name, operands, dtype, ())

    def cast(self, value: Value, dtype: str) -> Value:
        """The value in another dtype, as NumPy's `astype` has it."""
        if value.dtype == dtype:
            return value
        return self._pure("cast", (value,), dtype, ())

    def load(
        self,
        array: Array,
        strides: Mapping[Loop, int] | None = None,
        offset: int = 0,
        at: Value | None = None,
        where: Value | None = None,
    ) -> Value:
        """An element: `offset` + the sum of stride times loop counter + `at`."""
        access = self._access(array, strides, offset, at, where, False)
        operands = tuple(v for v in (at, where) if v is not None)
        self._must_be_visible(operands)
        value = Value("load", operands, array.dtype, self._open, access, self._next())
        self._here().append(value)
        return value

    def store(
        self,
        array: Array,
        value: Value,
        strides: Mapping[Loop, int] | None = None,
        offset: int = 0,
        at: Value | None = None,
        where: Value | None = None,
        add: bool = False,
    ) -> None:
        """Writes an element, or adds to it."""
        if value.dtype != array.dtype:
            raise TypeError(f"a {value.dtype} cannot be stored in an array of {array.dtype}")
        access = self._access(array, strides, offset, at, where, add)
        array.written = True
        operands = (value, *(v for v in (at, where) if v is not None))
        self._must_be_visible(operands)
        node = Value("store", operands, array.dtype, self._open, access, self._next())
        self._here().append(node)

    def reduce(self, kind: str, value: Value, over: Loop | None = None) -> Value:
        """What all steps of the loops up to `over` come to; to be used after that loop."""
        if kind not in _REDUCTIONS:
            raise KeyError(f"no reduction {kind!r}")
        if self._open is None:
            raise ValueError("a reduction is written inside the loops that it goes over")
        over = over or self._open
        self._must_be_open(over)
        self._must_be_visible((value,))
        if kind in ("any", "all"):
            value = self.cast(value, "bool")
        node = Value("reduce", (value,), value.dtype, self._open, (kind, over), self._next())
        self._here().append(node)
        return node

    # What the builder checks

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _here(self) -> list[Value | Loop]:
        return self.body if self._open is None else self._open.body

    def _must_be_open(self, loop: Loop) -> None:
        if loop.closed or loop.kernel is not self:
            raise ValueError(f"loop {loop} is not open here")

    def _must_be_visible(self, operands: Sequence[Value]) -> None:
        for v in operands:
            loop = v.loop
            if v.op == "reduce":
                over = v.extra[1]
                if not over.closed:
                    raise ValueError(f"{v} is a reduction over {over}, which has not ended")
                loop = over.parent
            if loop is not None and loop.closed:
                raise ValueError(f"{v} is computed in {loop}, which has ended: reduce it, or store it")

    def _access(
        self,
        array: Array,
        strides: Mapping[Loop, int] | None,
        offset: int,
        at: Value | None,
        where: Value | None,
        add: bool,
    ) -> _Access:
        for loop in strides or ():
            self._must_be_open(loop)
        if at is not None and at.dtype != "int64":
            raise TypeError(f"`at` must be int64, not {at.dtype}")
        if where is not None and where.dtype != "bool":
            raise TypeError(f"`where` must be bool, not {where.dtype}")
        steps = tuple((loop, int(s)) for loop, s in (strides or {}).items() if s != 0)
        return _Access(array, steps, int(offset), at, where, add)

    def _pure(
        self, op: str, operands: tuple[Value, ...], dtype: str, extra: tuple[Any, ...],
        loop: Loop | None = None,
    ) -> Value:  # fmt: skip
        """A value without side effects: computed once, in the outermost loop that has its operands."""
        if dtype not in DTYPES:
            raise TypeError(f"no machine code for {dtype}")
        key = (op, operands, dtype, extra)
        found = self._same.get(key)
        if found is not None:
            self._must_be_visible(operands)
            return found
        self._must_be_visible(operands)
        for v in operands:
            home = _home(v)
            if home is not None and (loop is None or home.depth > loop.depth):
                loop = home
        value = Value(op, operands, dtype, loop, extra, self._next())
        self._same[key] = value
        (self.body if loop is None else loop.body).append(value)
        return value

    def highest_slot(self) -> int:
        """The last slot of the table that is used."""
        scalars = [v.extra[0] for v in _nodes(self.body) if v.op == "scalar"]
        return max([0, *(a.slot for a in self.arrays), *scalars])

    # As text

    def __str__(self) -> str:
        lines = [f"{self.name}({', '.join(f'{a}: {a.dtype} @{a.slot}' for a in self.arrays)})"]
        _describe(self.body, "    ", lines)
        return "\n".join(lines)


def _home(v: Value) -> Loop | None:
    """The loop whose steps each have their own value of v."""
    return v.extra[1].parent if v.op == "reduce" else v.loop


def _describe(body: list[Value | Loop], indent: str, lines: list[str]) -> None:
    for each in body:
        if isinstance(each, Loop):
            mark = ", vector" if each.vector else ""
            lines.append(f"{indent}for {each} in range({each.extent}){mark}:")
            _describe(each.body, indent + "    ", lines)
            continue
        if each.op in ("load", "store"):
            a: _Access = each.extra
            place = " + ".join(
                [str(a.offset)] * bool(a.offset or not (a.strides or a.at))
                + [f"{s}*{loop}" if s != 1 else f"{loop}" for loop, s in a.strides]
                + ([str(a.at)] if a.at else [])
            )
            guard = f" where {a.where}" if a.where else ""
            if each.op == "load":
                lines.append(f"{indent}{each} = {a.array}[{place}]{guard}")
            else:
                sign = "+=" if a.add else "="
                lines.append(f"{indent}{a.array}[{place}] {sign} {each.operands[0]}{guard}")
            continue
        if each.op == "reduce":
            kind, over = each.extra
            right = f"{kind}({each.operands[0]}, over {over})"
        elif each.op == "const":
            right = each.extra[0]
        elif each.op in ("scalar", "index"):
            right = f"{each.op}({each.extra[0]})"
        else:
            right = f"{each.op}({', '.join(map(str, each.operands))})"
        lines.append(f"{indent}{each} = {right}: {each.dtype}")


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

        def write(d: _Dtype, a: V, b: V, how: tuple[str, str, str] = (ordered, signed, unsigned)) -> V:
            return a.compare(how[0] if d.is_float else how[1] if d.signed else how[2], b)

        _op(name, 2, "any", "bool")(write)
    for name in ("floor", "ceil", "trunc", "rint"):
        _op(name, 1, "float")(lambda d, a, name=name: a.out.intrinsic(name, a))
    for name, f in functions.FUNCTIONS.items():
        arity = f.__code__.co_argcount
        _op(name, arity, "float")(lambda d, *v, name=name: functions.call(name, *v))


_comparisons()


@_op("absolute", 1, "number")
def _absolute(d: _Dtype, a: V) -> V:
    if d.is_float:
        return absolute(a)
    return where(a < 0, -a, a) if d.signed else a


@_op("sign", 1, "number")
def _sign(d: _Dtype, a: V) -> V:
    positive = a.compare("ogt" if d.is_float else "sgt" if d.signed else "ugt", 0)
    y = where(positive, a.like(1), a.like(0))
    if d.signed:
        y = where(a < 0, a.like(-1), y)
    return where(is_nan(a), a, y) if d.is_float else y


def _extreme(d: _Dtype, a: V, b: V, how: str, nan: bool = True) -> V:
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
def _clip(d: _Dtype, a: V, low: V, high: V) -> V:
    return _extreme(d, _extreme(d, a, low, "g"), high, "l")


@_op("logaddexp", 2, "float")
def _logaddexp(d: _Dtype, a: V, b: V) -> V:
    apart = a - b
    near = functions.call("log1p", functions.call("exp", -absolute(apart)))
    y = where(apart > 0.0, a, b) + near
    y = where(is_nan(apart), apart, y)
    return where(a.same(b), a + math.log(2.0), y)


@_op("left_shift", 2, "integer")
def _left_shift(d: _Dtype, a: V, b: V) -> V:
    fits = b.compare("ult", a.type.bits)
    return where(fits, a << where(fits, b, 0), 0)


@_op("right_shift", 2, "integer")
def _right_shift(d: _Dtype, a: V, b: V) -> V:
    fits = b.compare("ult", a.type.bits)
    if d.signed:
        return a >> where(fits, b, a.type.bits - 1)
    return where(fits, a.shifted_down(where(fits, b, 0)), 0)


def _integer_division(d: _Dtype, a: V, b: V) -> tuple[V, V]:
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
        a.out.value(a.type, f"{how} {a.type.text} {a.text}, {safe.text}") for how in ("sdiv", "srem")
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
def _floor_divide(d: _Dtype, a: V, b: V) -> V:
    return (_float_division(a, b) if d.is_float else _integer_division(d, a, b))[0]


@_op("remainder", 2, "number")
def _remainder(d: _Dtype, a: V, b: V) -> V:
    return (_float_division(a, b) if d.is_float else _integer_division(d, a, b))[1]


@_op("fmod", 2, "float")
def _fmod(d: _Dtype, a: V, b: V) -> V:
    return a.out.value(a.type, f"frem {a.type.text} {a.text}, {b.text}")


def _cast(value: V, old: str, new: str) -> V:
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
        return _rounded(value, new)
    if b.is_float:
        return _rounded(value.convert("sitofp" if a.signed else "uitofp", b.kind), new)
    if a.is_float:
        if new == "uint64":
            return value.convert("fptoui", "i64")
        wide = "i64" if new in ("int64", "uint32") else "i32"
        whole = value.convert("fptosi", wide)
        return whole if wide == b.kind else whole.convert("trunc", b.kind)
    if a.kind == b.kind:
        return V(value.text, value.type, value.out)
    if _SIZES[b.kind] < _SIZES[a.kind]:
        return value.convert("trunc", b.kind)
    return value.convert("sext" if a.signed else "zext", b.kind)


def _rounded(value: V, dtype: str) -> V:
    """A result as it is when it has been through memory: float16 and bfloat16 round."""
    if dtype in ("float16", "bfloat16"):
        return _from_memory(_to_memory(value, dtype), dtype)
    return value


def _from_memory(value: V, dtype: str) -> V:
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


def _to_memory(value: V, dtype: str) -> V:
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


class _Reduction(NamedTuple):
    start: Callable[[_Dtype, str], float | int | bool]
    join: Callable[[_Dtype, V, V], V]


def _lowest(d: _Dtype, dtype: str) -> float | int | bool:
    if d.is_float:
        return -functions.INF
    return -(1 << (_SIZES[d.memory] * 8 - 1)) if d.signed else 0


def _highest(d: _Dtype, dtype: str) -> float | int | bool:
    if d.is_float:
        return functions.INF
    if dtype == "bool":
        return True
    return (1 << (_SIZES[d.memory] * 8 - d.signed)) - 1


_REDUCTIONS = {
    # -0.0 + x is x for every x; 0.0 + -0.0 is not -0.0, but NumPy's sums start at 0.0
    "sum": _Reduction(lambda d, dtype: 0, lambda d, a, b: a + b),
    "prod": _Reduction(lambda d, dtype: 1, lambda d, a, b: a * b),
    "max": _Reduction(_lowest, lambda d, a, b: _extreme(d, a, b, "g")),
    "min": _Reduction(_highest, lambda d, a, b: _extreme(d, a, b, "l")),
    "any": _Reduction(lambda d, dtype: False, lambda d, a, b: a | b),
    "all": _Reduction(lambda d, dtype: True, lambda d, a, b: a & b),
}


# From the description to LLVM IR


_WORTH_SHARING = 30_000.0  # estimated ns from which on a loop is cut into chunks for threads
_CHUNK = 15_000.0  # and how long a chunk shall take
_MOST_PARTS = 256
_LONG = 0.8  # ns of a body from which on it is not written twice
_BLOCK = 32  # steps of a sum that are added up on their own


def _arrange(kernel: Kernel) -> None:
    """Moves loads of what the kernel does not write, and all that follows, out of loops."""

    def place(body: list[Value | Loop], here: Loop | None, bodies: dict[Any, list[Any]]) -> None:
        new: list[Value | Loop] = []
        bodies[here] = new
        for node in body:
            if isinstance(node, Loop):
                place(node.body, node, bodies)
                new.append(node)
                continue
            if node.op in ("store", "reduce"):
                new.append(node)
                continue
            home: Loop | None = None
            if node.op == "index":
                home = node.extra[0]
            elif node.op == "load":
                access: _Access = node.extra
                if access.array.written or access.where is not None:
                    home = here
                for loop, _ in access.strides:
                    home = loop if home is None or loop.depth > home.depth else home
            for v in node.operands:
                theirs = _home(v)
                if theirs is not None and (home is None or theirs.depth > home.depth):
                    home = theirs
            node.loop = home
            bodies[home].append(node)
        if here is None:
            kernel.body = new
        else:
            here.body = new

    place(kernel.body, None, {})


def _loops(body: list[Value | Loop]) -> Iterator[Loop]:
    for node in body:
        if isinstance(node, Loop):
            yield node
            yield from _loops(node.body)


def _nodes(body: list[Value | Loop]) -> Iterator[Value]:
    for node in body:
        if isinstance(node, Loop):
            yield from _nodes(node.body)
        else:
            yield node


def _independent(loop: Loop) -> bool:
    """Whether neighbouring steps of a loop are independent of each other."""
    if loop.extent == 1:
        return False
    for node in _nodes(loop.body):
        if node.op == "store":
            access: _Access = node.extra
            if loop not in dict(access.strides) or (access.add and access.at is not None):
                return False
    return True


def _choose_vectors(body: list[Value | Loop], chosen: set[Loop]) -> None:
    for node in body:
        if not isinstance(node, Loop):
            continue
        if node.vector and _independent(node):
            chosen.add(node)
        elif any(isinstance(inner, Loop) for inner in node.body):
            _choose_vectors(node.body, chosen)
        elif node.vector is not False and _independent(node):
            chosen.add(node)


class _Writer:
    """Writes the function of one kernel."""

    def __init__(self, module: Module, kernel: Kernel, symbol: str) -> None:
        self.module, self.kernel, self.symbol = module, kernel, symbol
        self.target: Target = module.target
        self.out = Block(module)
        self.lanes = 1
        self.mask: V | None = None
        self.env: dict[Value, V] = {}
        self.counters: dict[Loop, V | int] = {}
        self.caches: list[dict[Any, V]] = [{}]
        self.vectors: set[Loop] = set()
        self.width: dict[Loop, int] = {}
        self.over: dict[Value, Loop | None] = {}  # reduction -> the vector loop around its values
        self.entry: list[str] = []  # what stands first in the function: memory on the stack
        self.others: list[str] = []  # the functions of loops that threads share
        self.active: dict[Loop, list[Value]] = {}

    # Before writing

    def prepare(self) -> None:
        _arrange(self.kernel)
        _choose_vectors(self.kernel.body, self.vectors)
        self._spread(self.kernel.body, None)
        for loop in self.vectors:
            self.width[loop] = self._choose_width(loop)

    def _spread(self, body: list[Value | Loop], vector: Loop | None) -> None:
        """Which values vary between lanes; which reductions pass through which loop."""
        for node in body:
            if isinstance(node, Loop):
                self.active.setdefault(node, [])
                self._spread(node.body, node if node in self.vectors else vector)
                continue
            varies = any(v.varies for v in node.operands)
            if node.op == "index":
                varies = node.extra[0] is vector
            elif node.op in ("load", "store"):
                varies = varies or vector in dict(node.extra.strides)
            elif node.op == "reduce":
                over: Loop = node.extra[1]
                self.over[node] = vector
                inside = vector is not None and over.depth > vector.depth
                varies = varies and inside
                at: Loop | None = node.loop
                while at is not None:
                    self.active.setdefault(at, []).append(node)
                    if at is over:
                        break
                    at = at.parent
            node.varies = varies

    def _choose_width(self, loop: Loop) -> int:
        """Lanes of a vector loop: several registers where the body is short."""
        sizes, work, sums = [4], 0.0, False
        for node in _nodes(loop.body):
            kind = DTYPES[node.dtype].kind
            if kind != "i1":
                sizes.append(_SIZES[kind] if node.op != "index" else 8)
            work += _cost(node)
            sums = sums or node.op == "reduce"
        one = self.target.vector_bits // 8 // max(sizes)
        most = 1 if work > 1.5 else 2 if work > 0.6 else 4
        n = loop.extent
        if not isinstance(n, int):
            return one * most
        if n <= one:
            return max(2, 1 << (n - 1).bit_length())
        best, cheapest = one, float("inf")
        for times in (1, 2, 4):
            if times > most:
                break
            steps = n // (one * times) * times + (times if n % (one * times) else 0)
            cost = steps + n // (one * times) * 0.3
            if cost < cheapest:
                best, cheapest = one * times, cost
        return best

    # Functions

    def write(self) -> str:
        """The kernel as a function of the table."""
        self.prepare()
        self.body(self.kernel.body, {})
        return "\n".join(
            [
                *self.others,
                f"define internal void @{self.symbol}(ptr noundef %table) noinline nounwind {{",
                "entry:",
                *self.entry,
                *self._heads(),
                *self.out.lines,
                "  ret void",
                "}",
            ]
        )

    def _heads(self) -> list[str]:
        """The addresses of the arrays, read from the table."""
        lines = []
        for array in self.kernel.arrays:
            lines += [
                f"  %slot.{array.number} = getelementptr inbounds i64, ptr %table, i64 {array.slot}",
                f"  %a.{array.number} = load ptr, ptr %slot.{array.number}, !invariant.load !1",
            ]
        return lines

    # Values

    def cached(self, key: Any, make: Callable[[], V]) -> V:
        for cache in self.caches:
            if key in cache:
                return cache[key]
        found = self.caches[-1][key] = make()
        return found

    def wide(self, value: V) -> V:
        """A value with all the lanes of the current vector."""
        if value.type.lanes == self.lanes:
            return value
        type = value.type.of(value.type.kind)._replace(lanes=self.lanes)
        return self.cached((value.text, type), lambda: _splat(value, type))

    def get(self, v: Value, wide: bool = False) -> V:
        if v.op == "const":
            lanes = self.lanes if wide else 1
            return self.out.const(Type(DTYPES[v.dtype].kind, lanes), v.extra[1])
        found = self.env[v]
        return self.wide(found) if wide else found

    def body(self, nodes: list[Value | Loop], sums: dict[Value, V]) -> dict[Value, V]:
        """Everything in a body, in order; `sums` are the reductions that pass through."""
        for node in nodes:
            if isinstance(node, Loop):
                for r, total in self.loop(node).items():
                    if r.extra[1] is node:
                        self.env[r] = self.finished(r, total)
                    else:
                        sums[r] = self.join(r, sums[r], total)
            elif node.op == "reduce":
                sums[node] = self.join(node, sums[node], self.reduced(node))
            elif node.op == "load":
                self.env[node] = self.load(node)
            elif node.op == "store":
                self.store(node)
            elif node.op != "const":
                self.env[node] = self.compute(node)
        return sums

    def compute(self, node: Value) -> V:
        d = DTYPES[node.dtype]
        if node.op == "scalar":
            return self.scalar(node)
        if node.op == "index":
            at = self.number(self.counters[node.extra[0]])
            if not node.varies or self.lanes == 1:
                return at
            return self.wide(at) + self.steps()
        operands = [self.get(v) for v in node.operands]
        if any(v.type.lanes > 1 for v in operands):
            operands = [self.get(v, wide=True) for v in node.operands]
        if node.op == "cast":
            return _cast(operands[0], node.operands[0].dtype, node.dtype)
        first = DTYPES[node.operands[-1].dtype]
        result = OPS[node.op].write(first, *operands)
        return _rounded(result, node.dtype) if d.is_float else result

    def scalar(self, node: Value) -> V:
        d = DTYPES[node.dtype]
        slot = self.out.value(
            Type("ptr"), f"getelementptr inbounds i64, ptr %table, i64 {node.extra[0]}"
        )
        source = "float64" if d.is_float else "int64"
        kind = DTYPES[source].kind
        loaded = self.out.value(Type(kind), f"load {kind}, ptr {slot.text}")
        return _cast(loaded, source, node.dtype)

    def number(self, value: V | int) -> V:
        return value if isinstance(value, V) else self.out.const(Type("i64"), value)

    def steps(self) -> V:
        """0, 1, 2... in the lanes, as int64."""
        lanes = ", ".join(f"i64 {i}" for i in range(self.lanes))
        return V(f"<{lanes}>", Type("i64", self.lanes), self.out)

    # Memory

    def address(self, access: _Access) -> tuple[V, str]:
        """The address of an element; and how lanes go on: same, next or each (its own address)."""
        out, lanes = self.out, self.lanes
        index: V | int = access.offset
        step = 0
        for loop, stride in access.strides:
            if lanes > 1 and loop in self.vectors:
                step = stride
            at = self.counters[loop]
            if isinstance(at, int):
                part: V | int = at * stride
            elif stride == 1:
                part = at
            else:
                part = self.cached(("x", at.text, stride), lambda a=at, s=stride: a * s)
            if isinstance(index, int) and isinstance(part, int):
                index += part
            elif index == 0 and isinstance(index, int):
                index = part
            else:
                index = self.number(part) + index if isinstance(index, int) else index + part
        at_lanes: V | None = None
        if access.at is not None:
            at_value = self.get(access.at)
            if at_value.type.lanes > 1:
                at_lanes = at_value
            else:
                index = at_value + index
        base = f"%a.{access.array.number}"
        memory = DTYPES[access.array.dtype].memory
        index = self.number(index)
        if step in (0, 1) and at_lanes is None:
            pointer = out.value(
                Type("ptr"), f"getelementptr inbounds {memory}, ptr {base}, i64 {index.text}"
            )
            return pointer, "next" if step else "same"
        where_to = self.wide(index)
        if step:
            offsets = ", ".join(f"i64 {i * step}" for i in range(lanes))
            where_to = where_to + V(f"<{offsets}>", Type("i64", lanes), out)
        if at_lanes is not None:
            where_to = where_to + at_lanes
        pointer = out.value(
            Type("ptr", lanes),
            f"getelementptr inbounds {memory}, ptr {base}, {where_to.type.text} {where_to.text}",
        )
        return pointer, "each"

    def guard(self, access: _Access) -> V | None:
        """Which lanes may touch memory."""
        if access.where is None:
            return self.mask if self.lanes > 1 else None
        condition = self.get(access.where)
        if self.lanes > 1 and condition.type.lanes == 1:
            condition = self.wide(condition)
        return condition & self.mask if self.mask is not None and self.lanes > 1 else condition

    def load(self, node: Value) -> V:
        access: _Access = node.extra
        pointer, how = self.address(access)
        memory = DTYPES[access.array.dtype].memory
        guard = self.guard(access)
        if how == "same" and (access.where is None or self.get(access.where).type.lanes == 1):
            guard = None if access.where is None else self.get(access.where)
            return _from_memory(self.load_one(pointer, memory, guard), access.array.dtype)
        if self.lanes == 1:
            return _from_memory(self.load_one(pointer, memory, guard), access.array.dtype)
        if how == "same":
            pointer, how = self.wide(pointer), "each"
        type = Type(memory, self.lanes)
        return _from_memory(self.read(pointer, how, type, guard), access.array.dtype)

    def load_one(self, pointer: V, memory: str, guard: V | None) -> V:
        type = Type(memory)
        text = f"load {memory}, ptr {pointer.text}, align {_SIZES[memory]}"
        if guard is None:
            return self.out.value(type, text)
        out = self.out
        yes, done, before = out.new_label("read"), out.new_label("done"), out.label
        out.line(f"br i1 {guard.text}, label %{yes}, label %{done}")
        out.start(yes)
        loaded = out.value(type, text)
        out.line(f"br label %{done}")
        out.start(done)
        zero = literal(type, 0)
        return out.value(type, f"phi {memory} [{loaded.text}, %{yes}], [{zero}, %{before}]")

    def read(self, pointer: V, how: str, type: Type, guard: V | None) -> V:
        out, align = self.out, _SIZES[type.kind]
        if how == "next" and guard is None:
            return out.value(type, f"load {type.text}, ptr {pointer.text}, align {align}")
        mask = Type("i1", type.lanes)
        guard_text = literal(mask, True) if guard is None else guard.text
        if how == "next":
            name, place = f"llvm.masked.load.{type.mark}.p0", "ptr"
        else:
            name, place = f"llvm.masked.gather.{type.mark}.v{type.lanes}p0", f"<{type.lanes} x ptr>"
        self.module.declare(
            f"declare {type.text} @{name}({place}, i32, {mask.text}, {type.text})"
        )
        return out.value(
            type,
            f"call {type.text} @{name}({place} {pointer.text}, i32 {align}, "
            f"{mask.text} {guard_text}, {type.text} zeroinitializer)",
        )

    def store(self, node: Value) -> None:
        access: _Access = node.extra
        dtype = access.array.dtype
        pointer, how = self.address(access)
        memory, guard = DTYPES[dtype].memory, self.guard(access)
        out, align = self.out, _SIZES[memory]
        lanes = self.lanes if how != "same" else 1
        value = self.get(node.operands[0], wide=lanes > 1)
        if lanes == 1:
            skip = ""
            if access.where is not None:
                condition = self.get(access.where)
                do, skip = out.new_label("write"), out.new_label("done")
                out.line(f"br i1 {condition.text}, label %{do}, label %{skip}")
                out.start(do)
            if access.add:
                old = _from_memory(self.load_one(pointer, memory, None), dtype)
                value = _rounded(_plus(old, value), dtype)
            stored = _to_memory(value, dtype)
            out.line(f"store {memory} {stored.text}, ptr {pointer.text}, align {align}")
            if skip:
                out.line(f"br label %{skip}")
                out.start(skip)
            return
        type = Type(memory, lanes)
        if access.add:
            old = _from_memory(self.read(pointer, how, type, guard), dtype)
            value = _rounded(_plus(old, value), dtype)
        stored = _to_memory(value, dtype)
        if how == "next" and guard is None:
            out.line(f"store {type.text} {stored.text}, ptr {pointer.text}, align {align}")
            return
        mask = Type("i1", lanes)
        guard_text = literal(mask, True) if guard is None else guard.text
        if how == "next":
            name, place = f"llvm.masked.store.{type.mark}.p0", "ptr"
        else:
            name, place = f"llvm.masked.scatter.{type.mark}.v{lanes}p0", f"<{lanes} x ptr>"
        self.module.declare(f"declare void @{name}({type.text}, {place}, i32, {mask.text})")
        out.line(
            f"call void @{name}({type.text} {stored.text}, {place} {pointer.text}, "
            f"i32 {align}, {mask.text} {guard_text})"
        )

    # Reductions

    def sum_type(self, r: Value, inside: bool) -> Type:
        """The type of the running total of a reduction; inside: in its vector loop."""
        kind = DTYPES[r.dtype].kind
        vector = self.over[r]
        if vector is None:
            return Type(kind)
        if r.extra[1].depth > vector.depth:  # ends inside the vector loop: one total a lane
            return Type(kind, self.lanes if r.operands[0].varies else 1)
        return Type(kind, self.lanes if inside else self.width[vector])

    def start_of(self, r: Value, type: Type) -> V:
        return self.out.const(type, _REDUCTIONS[r.extra[0]].start(DTYPES[r.dtype], r.dtype))

    def join(self, r: Value, a: V, b: V) -> V:
        return _REDUCTIONS[r.extra[0]].join(DTYPES[r.dtype], a, b)

    def reduced(self, r: Value) -> V:
        """What this step adds to a reduction."""
        type = self.sum_type(r, True)
        value = self.get(r.operands[0], wide=type.lanes > 1)
        vector = self.over[r]
        if self.mask is not None and vector is not None and r.extra[1].depth <= vector.depth:
            value = where(self.mask, value, self.start_of(r, type))
        return value

    def finished(self, r: Value, total: V) -> V:
        """The result of a reduction: its lanes joined, halves on halves."""
        vector = self.over[r]
        if vector is not None and r.extra[1].depth <= vector.depth:
            total = self.across(r, total)
        return _rounded(total, r.dtype)

    def across(self, r: Value, total: V) -> V:
        while total.type.lanes > 1:
            half = total.type.lanes // 2
            total = self.join(r, _lanes(total, 0, half), _lanes(total, half, half))
        return total

    # Loops

    def loop(self, node: Loop) -> dict[Value, V]:
        """A whole loop; the totals of the reductions that pass through it."""
        extent = node.extent if isinstance(node.extent, int) else self.get(node.extent)
        if node.parent is None and _independent(node):
            time = _time(node)
            if not isinstance(extent, int) or time * extent > _WORTH_SHARING:
                return self.shared(node, extent, time)
        return self.range(node, 0, extent)

    def shared(self, node: Loop, extent: int | V, time: float) -> dict[Value, V]:
        """A loop that threads share: its steps become a function of a range of them."""
        active = self.active[node]
        width = self.width.get(node, 1)
        grain = max(1, round(_CHUNK / time / width)) * width
        used = {
            v: None
            for n in _nodes(node.body)
            for v in n.operands
            if _home(v) is None and v.op != "const"
        }
        if isinstance(node.extent, Value):
            used.pop(node.extent, None)
        symbol = f"{self.symbol}.{node.number}"
        table = {v: i for i, v in enumerate(used)}
        self.others.append(self.chunk(node, symbol, table))

        out = self.out
        size = len(used) + 1 + _MOST_PARTS * len(active)
        frame = V(f"%frame.{node.number}", Type("ptr"), out)
        self.entry.append(f"  {frame.text} = alloca [{size} x i64], align 64")
        for v, i in table.items():
            stored = _to_memory(self.get(v), v.dtype)
            memory = DTYPES[v.dtype].memory
            out.line(f"store {memory} {stored.text}, ptr {self.word(frame, i).text}")
        totals = [self.word(frame, len(used) + 1 + _MOST_PARTS * i) for i in range(len(active))]
        for r, first in zip(active, totals, strict=True):
            kind = DTYPES[r.dtype].kind
            start = self.start_of(r, Type(kind))
            out.line(f"store {kind} {start.text}, ptr {first.text}")
        self.module.functions.setdefault("lg.parts", _PARTS)
        n = self.number(extent)
        parts = out.value(
            Type("i64"),
            f"call i64 @lg.parts(ptr %table, ptr @{symbol}, ptr {frame.text}, i64 {n.text}, "
            f"i64 {grain})",
        )
        results = {}
        for r, first in zip(active, totals, strict=True):
            results[r] = self.joined(r, first, parts)
        return results

    def chunk(self, node: Loop, symbol: str, table: dict[Value, int]) -> str:
        """The function of some steps of a loop; `table` says where in the frame values are."""
        before = self.out, self.env, self.caches, self.counters
        self.out, self.env, self.caches, self.counters = Block(self.module), {}, [{}], {}
        out, frame = self.out, V("%frame", Type("ptr"), self.out)
        for v, i in table.items():
            memory = DTYPES[v.dtype].memory
            word = self.word(frame, i)
            loaded = out.value(Type(memory), f"load {memory}, ptr {word.text}")
            self.env[v] = _from_memory(loaded, v.dtype)
        begin, end, part = (V(f"%{name}", Type("i64"), out) for name in ("begin", "end", "part"))
        for i, (r, total) in enumerate(self.range(node, begin, end).items()):
            done = self.finished(r, total)
            index = part + (len(table) + 1 + _MOST_PARTS * i)
            kind = done.type.kind
            place = out.value(
                Type("ptr"), f"getelementptr inbounds i64, ptr %frame, i64 {index.text}"
            )
            out.line(f"store {kind} {done.text}, ptr {place.text}")
        text = "\n".join(
            [
                f"define internal void @{symbol}(ptr noundef %table, ptr noundef %frame, "
                "i64 noundef %begin, i64 noundef %end, i64 noundef %part) noinline nounwind {",
                "entry:",
                *self._heads(),
                *out.lines,
                "  ret void",
                "}",
            ]
        )
        self.out, self.env, self.caches, self.counters = before
        return text

    def word(self, frame: V, i: int) -> V:
        return self.out.value(
            Type("ptr"), f"getelementptr inbounds i64, ptr {frame.text}, i64 {i}"
        )

    def joined(self, r: Value, first: V, parts: V) -> V:
        """What the chunks left behind, joined: the lower half with the upper half, again and again."""
        kind = DTYPES[r.dtype].kind
        name = f"lg.join.{r.extra[0]}.{r.dtype}"
        if name not in self.module.functions:
            out = Block(self.module)
            a, b = (
                out.value(Type(kind), f"load {kind}, ptr %{which}") for which in ("left", "right")
            )
            total = _REDUCTIONS[r.extra[0]].join(DTYPES[r.dtype], a, b)
            self.module.functions[name] = (
                _JOIN.replace("NAME", name)
                .replace("KIND", kind)
                .replace("  BODY", "\n".join(out.lines))
                .replace("TOTAL", total.text)
            )
        return self.out.value(
            Type(kind), f"call {kind} @{name}(ptr {first.text}, i64 {parts.text})"
        )

    def range(self, node: Loop, begin: int | V, end: int | V) -> dict[Value, V]:
        """The steps of a loop from begin to end."""
        inside = node in self.vectors
        if not inside:
            start = {r: self.start_of(r, self.sum_type(r, self.lanes > 1 or self.inside(node)))
                     for r in self.active[node]}  # fmt: skip
            return self.counted(node, begin, end, 1, start)
        width = self.width[node]
        self.lanes = width
        start = {r: self.start_of(r, self.sum_type(r, True)) for r in self.active[node]}
        known = isinstance(node.extent, int) and node.extent % width == 0
        if not known and self.can_mask(node) and _time(node) > _LONG:
            # one copy of a long body: every step under a mask
            sums = self.counted(node, begin, end, width, start, self.under_mask)
            self.lanes = 1
            return sums
        whole: int | V
        rest: V | bool
        if isinstance(begin, int) and isinstance(end, int):
            whole = begin + (end - begin) // width * width
            rest = whole < end
        elif known:
            whole, rest = end, False
        else:
            low, high = self.number(begin), self.number(end)
            whole = low + ((high - low) & -width)
            rest = whole < high
        sums = self.counted(node, begin, whole, width, start)
        if rest is not False:
            tail = self.under_mask if self.can_mask(node) else self.scalar_tail
            if isinstance(rest, V):
                sums = self.branch(rest, sums, lambda s: tail(node, whole, end, s))
            elif self.can_mask(node) or end - whole == 1:
                sums = self.short_tail(node, whole, end, sums)
            else:
                sums = self.scalar_tail(node, whole, end, sums)
        self.lanes = 1
        return sums

    def inside(self, node: Loop) -> bool:
        """Whether a loop lies inside a vector loop."""
        at = node.parent
        while at is not None:
            if at in self.vectors:
                return True
            at = at.parent
        return False

    def can_mask(self, node: Loop) -> bool:
        if self.target.masks == "all":
            return True
        return self.target.masks == "wide" and all(
            _SIZES[DTYPES[v.extra.array.dtype].memory] >= 4
            for v in _nodes(node.body)
            if v.op in ("load", "store")
        )

    def under_mask(
        self, node: Loop, begin: int | V, end: int | V, sums: dict[Value, V]
    ) -> dict[Value, V]:
        """One step of a vector loop, of the lanes before the end."""
        left = self.number(end) - self.number(begin)
        self.mask = self.steps() < self.wide(left)
        sums = self.step(node, begin, sums)
        self.mask = None
        return sums

    def short_tail(
        self, node: Loop, begin: int, end: int, sums: dict[Value, V]
    ) -> dict[Value, V]:
        """The last steps, their number known: a shorter vector, under a mask if need be.

        A single lane is not masked: LLVM 22 writes too many bytes for a mask of one lane."""
        left = end - begin
        lanes = 1 << (left - 1).bit_length()

        def one(start: dict[Value, V]) -> dict[Value, V]:
            if left < lanes:
                bits = ", ".join(f"i1 {str(i < left).lower()}" for i in range(lanes))
                self.mask = V(f"<{bits}>", Type("i1", lanes), self.out)
            rest = self.step(node, begin, start)
            self.mask = None
            return rest

        return self.tail(sums, lanes, one)

    def scalar_tail(
        self, node: Loop, begin: int | V, end: int | V, sums: dict[Value, V]
    ) -> dict[Value, V]:
        """The last steps, one by one."""
        return self.tail(sums, 1, lambda start: self.counted(node, begin, end, 1, start))

    def tail(
        self,
        sums: dict[Value, V],
        lanes: int,
        do: Callable[[dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        """Last steps in fewer lanes: their totals join the first lanes."""
        width, self.lanes = self.lanes, lanes
        rest = do({r: self.start_of(r, self.sum_type(r, True)) for r in sums})
        self.lanes = width
        joined = {}
        for r, total in sums.items():
            few, type = rest[r], total.type
            if few.type.lanes < type.lanes:
                empty = self.start_of(r, few.type)
                if few.type.lanes == 1:
                    few = self.out.value(
                        type,
                        f"insertelement {type.text} {self.start_of(r, type).text}, "
                        f"{type.kind} {few.text}, i32 0",
                    )
                else:
                    order = ", ".join(f"i32 {min(i, lanes)}" for i in range(type.lanes))
                    few = self.out.value(
                        type,
                        f"shufflevector {few.type.text} {few.text}, "
                        f"{few.type.text} {empty.text}, <{type.lanes} x i32> <{order}>",
                    )
            joined[r] = self.join(r, total, few)
        return joined

    def step(self, node: Loop, at: int | V, sums: dict[Value, V]) -> dict[Value, V]:
        """One step of a loop (of all lanes, if it is the vector loop)."""
        self.counters[node] = at
        self.caches.append({})
        sums = self.body(node.body, dict(sums))
        self.caches.pop()
        return sums

    def counted(
        self,
        node: Loop,
        begin: int | V,
        end: int | V,
        step: int,
        start: dict[Value, V],
        last: Callable[[Loop, int | V, int | V, dict[Value, V]], dict[Value, V]] | None = None,
    ) -> dict[Value, V]:
        """Steps from begin to end, long sums in blocks of blocks. `last` takes all the steps, if any
        may be the last and have fewer lanes than the others."""
        blocked = [
            r for r in start if r.extra[0] == "sum" and DTYPES[r.dtype].is_float
        ]
        levels = 0
        if blocked:
            if isinstance(begin, int) and isinstance(end, int):
                trips = -(-(end - begin) // step)
                while trips > 2 * _BLOCK:
                    trips = -(-trips // _BLOCK)
                    levels += 1
            else:
                levels = 2

        def go(level: int, low: int | V, high: int | V, sums: dict[Value, V]) -> dict[Value, V]:
            if level == 0:
                if last is not None:
                    return self.simple(low, high, step, sums, lambda i, s: last(node, i, end, s))
                return self.simple(low, high, step, sums, lambda i, s: self.step(node, i, s))
            size = step * _BLOCK**level

            def block(i: int | V, s: dict[Value, V]) -> dict[Value, V]:
                stop: int | V
                if isinstance(i, int) and isinstance(high, int):
                    stop = min(i + size, high)
                else:
                    stop = self.number(i) + size
                    if not (
                        isinstance(low, int) and isinstance(high, int) and (high - low) % size == 0
                    ):
                        most = self.number(high)
                        stop = where(stop < most, stop, most)
                inner = {r: self.start_of(r, v.type) if r in blocked else v for r, v in s.items()}
                inner = go(level - 1, i, stop, inner)
                return {r: self.join(r, s[r], v) if r in blocked else v for r, v in inner.items()}

            return self.simple(low, high, size, sums, block)

        return go(levels, begin, end, start)

    def simple(
        self,
        begin: int | V,
        end: int | V,
        step: int,
        sums: dict[Value, V],
        one: Callable[[int | V, dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        """`one` for begin, begin + step... below end."""
        if isinstance(begin, int) and isinstance(end, int):
            if begin >= end:
                return sums
            if begin + step >= end:
                return one(begin, sums)
        else:
            some = self.number(begin) < self.number(end)
            return self.branch(some, sums, lambda s: self._repeat(begin, end, step, s, one))
        return self._repeat(begin, end, step, sums, one)

    def _repeat(
        self,
        begin: int | V,
        end: int | V,
        step: int,
        sums: dict[Value, V],
        one: Callable[[int | V, dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        out = self.out
        head, before = out.new_label("loop"), out.label
        out.line(f"br label %{head}")
        out.start(head)
        at = V(out.name(), Type("i64"), out)
        names = {r: V(out.name(), v.type, out) for r, v in sums.items()}
        place = len(out.lines)
        out.lines += [""] * (1 + len(sums))
        self.caches.append({})
        after = one(at, dict(names))
        self.caches.pop()
        following = out.value(Type("i64"), f"add nuw nsw i64 {at.text}, {step}")
        last = self.number(end)
        more = following < last
        latch = out.label
        end_label = out.new_label("end")
        out.line(f"br i1 {more.text}, label %{head}, label %{end_label}")
        first = self.number(begin).text
        out.lines[place] = (
            f"  {at.text} = phi i64 [{first}, %{before}], [{following.text}, %{latch}]"
        )
        for i, (r, v) in enumerate(names.items()):
            out.lines[place + 1 + i] = (
                f"  {v.text} = phi {v.type.text} [{sums[r].text}, %{before}], "
                f"[{after[r].text}, %{latch}]"
            )
        out.start(end_label)
        return after

    def branch(
        self,
        condition: V,
        sums: dict[Value, V],
        then: Callable[[dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        """`then` if the condition holds."""
        out = self.out
        yes, done, before = out.new_label("then"), out.new_label("else"), out.label
        out.line(f"br i1 {condition.text}, label %{yes}, label %{done}")
        out.start(yes)
        self.caches.append({})
        after = then(sums)
        self.caches.pop()
        last = out.label
        out.line(f"br label %{done}")
        out.start(done)
        return {
            r: out.value(
                v.type,
                f"phi {v.type.text} [{after[r].text}, %{last}], [{v.text}, %{before}]",
            )
            for r, v in sums.items()
        }


def _splat(value: V, type: Type) -> V:
    out = value.out
    if value.text[0] != "%":
        return V(f"splat ({value.type.kind} {value.text})", type, out)
    one = out.value(
        type, f"insertelement {type.text} poison, {value.type.text} {value.text}, i32 0"
    )
    return out.value(
        type,
        f"shufflevector {type.text} {one.text}, {type.text} poison, "
        f"<{type.lanes} x i32> zeroinitializer",
    )


def _lanes(value: V, first: int, count: int) -> V:
    """Some neighbouring lanes of a vector."""
    type = Type(value.type.kind, count)
    if count == 1:
        right = f"extractelement {value.type.text} {value.text}, i32 {first}"
    else:
        order = ", ".join(f"i32 {first + i}" for i in range(count))
        right = (
            f"shufflevector {value.type.text} {value.text}, {value.type.text} poison, "
            f"<{count} x i32> <{order}>"
        )
    return value.out.value(type, right)


def _plus(a: V, b: V) -> V:
    return a | b if a.type.kind == "i1" else a + b


# Calls a chunk's function for every part of a loop: through the team of threads, if there is one.
# A loop has at most 256 parts.
_PARTS = """\
define internal i64 @lg.parts(ptr %table, ptr %chunk, ptr %frame, i64 %n, i64 %least) noinline {
entry:
  %up = add i64 %n, 65535
  %share = lshr i64 %up, 16
  %even = shl i64 %share, 8
  %large = icmp ugt i64 %even, %least
  %grain = select i1 %large, i64 %even, i64 %least
  %almost = add i64 %n, %grain
  %last = sub i64 %almost, 1
  %parts = udiv i64 %last, %grain
  %team = load ptr, ptr %table
  %none = icmp eq ptr %team, null
  %single = icmp ult i64 %parts, 2
  %alone = or i1 %none, %single
  br i1 %alone, label %begin, label %together
begin:
  %some = icmp ugt i64 %parts, 0
  br i1 %some, label %loop, label %done
loop:
  %part = phi i64 [0, %begin], [%next, %loop]
  %from = mul i64 %part, %grain
  %to = add i64 %from, %grain
  %within = icmp ult i64 %to, %n
  %end = select i1 %within, i64 %to, i64 %n
  call void %chunk(ptr %table, ptr %frame, i64 %from, i64 %end, i64 %part)
  %next = add i64 %part, 1
  %more = icmp ult i64 %next, %parts
  br i1 %more, label %loop, label %done
together:
  %share.out = load ptr, ptr %team
  call void %share.out(ptr %team, ptr %chunk, ptr %table, ptr %frame, i64 %n, i64 %grain)
  br label %done
done:
  ret i64 %parts
}"""

_JOIN = """\
define internal KIND @NAME(ptr %first, i64 %parts) noinline {
entry:
  br label %round
round:
  %count = phi i64 [%parts, %entry], [%half, %ended]
  %odd = add i64 %count, 1
  %half = lshr i64 %odd, 1
  %more = icmp ugt i64 %count, 1
  br i1 %more, label %pairs, label %done
pairs:
  %i = phi i64 [0, %round], [%next, %pairs]
  %other = add i64 %i, %half
  %left = getelementptr i64, ptr %first, i64 %i
  %right = getelementptr i64, ptr %first, i64 %other
  BODY
  store KIND TOTAL, ptr %left
  %next = add i64 %i, 1
  %after = add i64 %other, 1
  %again = icmp ult i64 %after, %count
  br i1 %again, label %pairs, label %ended
ended:
  br label %round
done:
  %result = load KIND, ptr %first
  ret KIND %result
}"""

_CHEAP = 0.03


def _time(loop: Loop) -> float:
    """About how many ns a step of a loop takes."""
    total = 0.0
    for node in loop.body:
        if isinstance(node, Loop):
            steps = node.extent if isinstance(node.extent, int) else 64
            total += _time(node) * steps
        else:
            total += _cost(node)
    return total


def _cost(node: Value) -> float:
    """About how many ns one element of a node takes."""
    if node.op in functions.FUNCTIONS:
        return 1.0 if node.dtype == "float64" else 0.5
    if node.op in ("divide", "sqrt", "remainder", "floor_divide", "reciprocal", "rsqrt"):
        return 0.3
    if node.op in ("const", "scalar"):
        return 0.0
    return 0.1 if node.op in ("load", "store") else _CHEAP


# Calls of functions whose addresses are in the table


class Slot(NamedTuple):
    """An argument of a call: the 8 bytes in a slot, an address or an int64."""

    slot: int


class Ref(NamedTuple):
    """An argument of a call: the address of a slot."""

    slot: int


class Const(NamedTuple):
    """An argument of a call: the address of a constant."""

    dtype: str
    value: float | int


class Number(NamedTuple):
    """An argument of a call: a number by value."""

    dtype: str
    value: float | int


class Call:
    """A call of the function whose address is in a slot."""

    def __init__(
        self, slot: int, *arguments: Slot | Ref | Const | Number, check: bool = False
    ) -> None:
        self.slot, self.arguments, self.check = slot, arguments, check

    def __str__(self) -> str:
        return f"@{self.slot}({', '.join(map(str, self.arguments))})"

    def slots(self) -> int:
        """How many slots a table must have for this."""
        used = [a.slot for a in self.arguments if isinstance(a, Slot | Ref)]
        return max(self.slot, *used) + 1 if used else self.slot + 1

    def write(self, out: Block, constants: dict[str, str]) -> None:
        """The call; its constants are entered into `constants`: definition -> name."""
        texts = []
        for a in self.arguments:
            if isinstance(a, Slot | Ref):
                address = _slot_address(out, a.slot)
                if isinstance(a, Slot):
                    address = out.value(Type("ptr"), f"load ptr, ptr {address.text}")
                texts.append(f"ptr {address.text}")
                continue
            memory = DTYPES[a.dtype].memory
            one = f"{memory} {literal(Type(memory), a.value)}"
            if isinstance(a, Const):
                name = constants.setdefault(one, f"@const.{len(constants)}")
                texts.append(f"ptr {name}")
            else:
                texts.append(one)
        slot = _slot_address(out, self.slot)
        function = out.value(Type("ptr"), f"load ptr, ptr {slot.text}")
        arguments = ", ".join(texts)
        if not self.check:
            out.line(f"call void {function.text}({arguments})")
            return
        status = out.value(Type("i32"), f"call i32 {function.text}({arguments})")
        fine, stop = out.new_label("fine"), out.new_label("stop")
        out.line(f"br i1 {status.same(0).text}, label %{fine}, label %{stop}")
        out.start(stop)
        out.line(f"ret i64 {status.convert('sext', 'i64').text}")
        out.start(fine)


def _slot_address(out: Block, slot: int) -> V:
    return out.value(Type("ptr"), f"getelementptr inbounds i64, ptr %table, i64 {slot}")


# Machine code


class Target(NamedTuple):
    """A processor: what code is made for."""

    triple: str
    cpu: str
    features: str
    vector_bits: int
    fma: bool
    half: bool  # whether it converts float16
    masks: str  # which loads and stores can leave out lanes: all, wide (4 and 8 bytes), none


@functools.cache
def host() -> Target:
    """The processor this runs on."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features()
    return target_of(
        llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten(), features
    )


def target_of(triple: str, cpu: str, features: str, has: Mapping[str, bool]) -> Target:
    """The target with these features (a feature that is not named is not there)."""
    wide = all(has.get(f"avx512{part}") for part in ("f", "vl", "bw", "dq"))
    arm = triple.startswith(("aarch64", "arm64"))
    return Target(
        triple,
        cpu,
        features,
        512 if wide else 256 if has.get("avx") else 128,
        arm or bool(has.get("fma")),
        arm or bool(has.get("f16c")),
        "all" if wide else "wide" if has.get("avx2") else "none",
    )


@functools.cache
def available() -> bool:
    """Whether llvmlite is installed (it is not imported here)."""
    from importlib.util import find_spec

    return find_spec("llvmlite") is not None


@functools.cache
def _llvm() -> Any:
    """llvmlite's binding, made ready on first use."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def _machine(target: Target) -> Any:
    llvm = _llvm()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="small"
    )


@functools.cache
def _jit() -> Any:
    return _llvm().create_lljit_compiler(_machine(host()))


def write(steps: Sequence[Kernel | Call], target: Target) -> tuple[str, set[str]]:
    """The LLVM IR of `@run`, and the functions of `support` that it calls."""
    module = Module(target)
    out = Block(module)
    kernels: list[str] = []
    constants: dict[str, str] = {}
    for step in steps:
        if isinstance(step, Call):
            step.write(out, constants)
        else:
            symbol = f"kernel.{len(kernels)}"
            kernels.append(_Writer(module, step, symbol).write())
            out.line(f"call void @{symbol}(ptr %table)")
    text = "\n".join(
        [
            module.text(),
            *(f"{name} = internal constant {one}" for one, name in constants.items()),
            *kernels,
            "define i64 @run(ptr noundef %table) nounwind {",
            "entry:",
            *out.lines,
            "  ret i64 0",
            "}",
            "",
        ]
    )
    return text, module.support


def machine_code(text: str, target: Target) -> bytes:
    """The object file of a module: from the disk cache, or made (and put there)."""
    key = cache.key(text, target, _llvm_version())
    found = cache.get(key)
    if found is None:
        found = _machine(target).emit_object(_optimised(text, target))
        cache.put(key, found)
    return found


def _llvm_version() -> str:
    import llvmlite

    return f"{llvmlite.__version__} {_llvm().llvm_version_info}"


def _optimised(text: str, target: Target) -> Any:
    """The module after LLVM's passes: only functions inlined, for loops are written as vectors."""
    llvm = _llvm()
    module = llvm.parse_assembly(text)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_instruction_combine_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    passes.run(module, llvm.create_pass_builder(_machine(target), options))
    return module


class Native:
    """A native function of one argument, the address of its table.

    `call(address)` is the bare ctypes function, which releases the interpreter lock."""

    def __init__(
        self, text: str, slots: int, target: Target, code: bytes, needs: Mapping[str, int]
    ) -> None:
        self.ir, self.slots, self.target = text, slots, target
        # The code lives as long as its tracker.
        self._tracker, (self.address,) = link(code, ["run"], needs)
        self.call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self.address)

    def __call__(self, table: int) -> int:
        return self.call(table)

    def assembly(self) -> str:
        """What the processor runs, for reading."""
        return _machine(self.target).emit_assembly(_optimised(self.ir, self.target))


_linked = itertools.count()


def link(code: bytes, symbols: list[str], needs: Mapping[str, int]) -> tuple[Any, list[int]]:
    """Puts an object file into memory: what keeps it there, and the addresses of symbols."""
    builder = _llvm().JITLibraryBuilder().add_object_img(code).add_current_process()
    for name in symbols:
        builder.export_symbol(name)
    for name, address in needs.items():
        builder.import_symbol(name, address)
    tracker = builder.link(_jit(), f"leafgrad.{next(_linked)}")
    return tracker, [tracker[name] for name in symbols]


def build(steps: Sequence[Kernel | Call], target: Target | None = None) -> Native:
    """Kernels and calls, in order, as one native function."""
    target = target or host()
    text, needs = write(steps, target)
    slots = 1 + max(
        (
            step.slots() - 1 if isinstance(step, Call) else step.highest_slot()
            for step in steps
        ),
        default=0,
    )
    return Native(text, slots, target, machine_code(text, target), support.addresses(needs))
