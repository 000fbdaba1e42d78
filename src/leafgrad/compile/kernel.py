"""The description of a kernel: loops over arrays, in SSA form. `llvm` says what it means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from .instructions import DTYPES, OPS, REDUCTIONS, SIZES


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


class Access(NamedTuple):
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
        value = _exact(value, dtype)
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
        if kind not in REDUCTIONS:
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
                raise ValueError(
                    f"{v} is computed in {loop}, which has ended: reduce it, or store it"
                )

    def _access(
        self,
        array: Array,
        strides: Mapping[Loop, int] | None,
        offset: int,
        at: Value | None,
        where: Value | None,
        add: bool,
    ) -> Access:
        for loop in strides or ():
            self._must_be_open(loop)
        if at is not None and at.dtype != "int64":
            raise TypeError(f"`at` must be int64, not {at.dtype}")
        if where is not None and where.dtype != "bool":
            raise TypeError(f"`where` must be bool, not {where.dtype}")
        steps = tuple((loop, int(s)) for loop, s in (strides or {}).items() if s != 0)
        return Access(array, steps, int(offset), at, where, add)

    def _pure(
        self, op: str, operands: tuple[Value, ...], dtype: str, extra: tuple[Any, ...],
        loop: Loop | None = None,
    ) -> Value:  # fmt: skip
        """A value without side effects, computed in the outermost loop that has its operands."""
        if dtype not in DTYPES:
            raise TypeError(f"no machine code for {dtype}")
        key = (op, operands, dtype, extra)
        found = self._same.get(key)
        if found is not None:
            self._must_be_visible(operands)
            return found
        self._must_be_visible(operands)
        for v in operands:
            theirs = home(v)
            if theirs is not None and (loop is None or theirs.depth > loop.depth):
                loop = theirs
        value = Value(op, operands, dtype, loop, extra, self._next())
        self._same[key] = value
        (self.body if loop is None else loop.body).append(value)
        return value

    def highest_slot(self) -> int:
        """The last slot of the table that is used."""
        scalars = [v.extra[0] for v in nodes(self.body) if v.op == "scalar"]
        return max([0, *(a.slot for a in self.arrays), *scalars])

    # As text

    def __str__(self) -> str:
        lines = [f"{self.name}({', '.join(f'{a}: {a.dtype} @{a.slot}' for a in self.arrays)})"]
        _describe(self.body, "    ", lines)
        return "\n".join(lines)


def home(v: Value) -> Loop | None:
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
            a: Access = each.extra
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


def nodes(body: list[Value | Loop]) -> Iterator[Value]:
    for node in body:
        if isinstance(node, Loop):
            yield from nodes(node.body)
        else:
            yield node


def _exact(value: Any, dtype: str) -> float | int | bool:
    """A number as a Python number that the dtype can hold."""
    d = DTYPES.get(dtype)
    if d is None:
        raise TypeError(f"no machine code for {dtype}")
    if not isinstance(value, bool | int | float):
        value = value.item()
    if dtype == "bool":
        return bool(value)
    if not d.is_float:
        value, bits = int(value), 8 * SIZES[d.memory]
        low = -(1 << (bits - 1)) if d.signed else 0
        if not low <= value < low + (1 << bits):
            raise OverflowError(f"{value} out of bounds for {dtype}")
        return value
    value = float(value)
    if dtype in ("float16", "bfloat16") and math.isfinite(value):
        # to nearest, ties to even, at the last bit that the dtype has for this exponent
        digits, least, most = (11, -24, 65504.0) if dtype == "float16" else (8, -133, 2.0**128)
        step = 2.0 ** max(math.frexp(value)[1] - digits, least)
        near = round(abs(value) / step) * step
        if near > most or (dtype == "bfloat16" and near == most):
            near = math.inf
        value = math.copysign(near, value)
    return value
