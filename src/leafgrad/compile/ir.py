"""LLVM IR as text, written through values with operators.

A `Block` collects the lines of one function; a `V` is one SSA value (or a constant) of a type, a
scalar or a vector of lanes. `x * y + 1.0` on `V`s writes an `fmul` and an `fadd` and is the `V` of
the sum; numbers become constants of the other operand's type. Text is five times quicker to make
than objects for every instruction, and it is what the disk cache is keyed by.
"""

from __future__ import annotations

import functools
import math
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

Number = float | int | bool

BITS = {
    "double": 64, "float": 32, "half": 16, "i64": 64, "i32": 32, "i16": 16, "i8": 8, "i1": 1,
    "ptr": 64, "i128": 128, "i256": 256,
}  # fmt: skip


class Type(NamedTuple):
    """An LLVM type: `<8 x double>` is Type("double", 8), a scalar has 1 lane."""

    kind: str
    lanes: int = 1

    @property
    def text(self) -> str:
        return _text(self)

    @property
    def mark(self) -> str:
        """How names of intrinsics end: v8f64, f32, i64."""
        kind = {"double": "f64", "float": "f32", "half": "f16"}.get(self.kind, self.kind)
        return f"v{self.lanes}{kind}" if self.lanes > 1 else kind

    @property
    def bits(self) -> int:
        return BITS[self.kind]

    @property
    def is_float(self) -> bool:
        return self.kind in ("double", "float", "half")

    def of(self, kind: str) -> Type:
        """The same number of lanes of another kind."""
        return Type(kind, self.lanes)

    @property
    def integer(self) -> Type:
        """Integers of the same width."""
        return Type(f"i{BITS[self.kind]}", self.lanes)


@functools.cache
def _text(type: Type) -> str:
    return type.kind if type.lanes == 1 else f"<{type.lanes} x {type.kind}>"


def literal(type: Type, value: Number) -> str:
    """A constant as it stands in the text: every lane of a vector holds it."""
    one = _one(type.kind, value)
    return one if type.lanes == 1 else f"splat ({type.kind} {one})"


def _one(kind: str, value: Number) -> str:
    if kind in ("double", "float"):
        value = float(value)
        if kind == "float" and math.isfinite(value):
            try:
                value = struct.unpack("<f", struct.pack("<f", value))[0]
            except OverflowError:
                value = math.copysign(math.inf, value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if kind == "half":
        return f"0xH{struct.unpack('<H', struct.pack('<e', value))[0]:04X}"
    if kind == "i1":
        return "true" if value else "false"
    return str(int(value))


class Block:
    """The lines of one function, as they are written."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self.names = 0
        self.label = "entry"
        # Whether a call of a function of `math` is worth a copy of it
        self.inline: Callable[[str], bool] = lambda name: True

    def name(self) -> str:
        self.names += 1
        return f"%v{self.names}"

    def value(self, type: Type, right: str) -> V:
        """A new value: the right-hand side of an instruction."""
        self.names += 1
        name = f"%v{self.names}"
        self.lines.append(f"  {name} = {right}")
        return V(name, type, self)

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def new_label(self, hint: str) -> str:
        self.names += 1
        return f"{hint}{self.names}"

    def start(self, label: str) -> None:
        """The instructions that follow stand under this label."""
        self.lines.append(f"{label}:")
        self.label = label

    def const(self, type: Type, value: Number) -> V:
        return V(literal(type, value), type, self)

    def call(self, type: Type, name: str, *operands: V) -> V:
        arguments = ", ".join(f"{v.type.text} {v.text}" for v in operands)
        return self.value(type, f"call {type.text} @{name}({arguments})")

    def intrinsic(self, stem: str, *operands: V, type: Type | None = None) -> V:
        """An overloaded LLVM intrinsic: its name ends in the type of its operands."""
        type = type or operands[0].type
        name = f"llvm.{stem}.{operands[0].type.mark}"
        self.module.declare(
            f"declare {type.text} @{name}({', '.join(v.type.text for v in operands)})"
        )
        return self.call(type, name, *operands)


class Module:
    """Declarations, constants and functions of one module; each is written once."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self._declared: dict[str, None] = {}
        self.functions: dict[str, str] = {}
        self.used: set[str] = set()  # functions of `support` that are called
        self.is_support = False
        self.inlined: Counter[Any] = Counter()  # how often functions were

    def use(self, name: str, result: str, *types: str) -> None:
        """A function of `support` is called."""
        self.used.add(name)
        pure = " willreturn memory(none)" if "ptr" not in types else ""
        self.declare(f"declare {result} @{name}({', '.join(types)}) nounwind{pure}")

    def declare(self, line: str) -> None:
        self._declared[line] = None

    def text(self) -> str:
        return "\n".join(
            [
                f'target triple = "{self.target.triple}"',
                *self._declared,
                *self.functions.values(),
                '!0 = !{!"branch_weights", i32 1, i32 100000}',
                "!1 = !{}",
                "",
            ]
        )


class V:
    """One SSA value."""

    __slots__ = ("out", "text", "type")

    def __init__(self, text: str, type: Type, out: Block) -> None:
        self.text, self.type, self.out = text, type, out

    def like(self, value: Number) -> V:
        """A constant of this value's type."""
        return V(literal(self.type, value), self.type, self.out)

    def _two(self, names: tuple[str, str], other: V | Number, swap: bool = False) -> V:
        right = other.text if isinstance(other, V) else literal(self.type, other)
        left = self.text
        if swap:
            left, right = right, left
        name = names[0] if self.type.is_float else names[1]
        return self.out.value(self.type, f"{name} {self.type.text} {left}, {right}")

    def __add__(self, other: V | Number) -> V:
        return self._two(("fadd", "add"), other)

    def __radd__(self, other: Number) -> V:
        return self._two(("fadd", "add"), other, True)

    def __sub__(self, other: V | Number) -> V:
        return self._two(("fsub", "sub"), other)

    def __rsub__(self, other: Number) -> V:
        return self._two(("fsub", "sub"), other, True)

    def __mul__(self, other: V | Number) -> V:
        return self._two(("fmul", "mul"), other)

    def __rmul__(self, other: Number) -> V:
        return self._two(("fmul", "mul"), other, True)

    def __truediv__(self, other: V | Number) -> V:
        return self._two(("fdiv", "sdiv"), other)

    def __rtruediv__(self, other: Number) -> V:
        return self._two(("fdiv", "sdiv"), other, True)

    def __and__(self, other: V | Number) -> V:
        return self._two(("and", "and"), other)

    def __or__(self, other: V | Number) -> V:
        return self._two(("or", "or"), other)

    def __xor__(self, other: V | Number) -> V:
        return self._two(("xor", "xor"), other)

    def __lshift__(self, other: V | Number) -> V:
        return self._two(("shl", "shl"), other)

    def __rshift__(self, other: V | Number) -> V:
        """Arithmetic: the sign is kept."""
        return self._two(("ashr", "ashr"), other)

    def shifted_down(self, other: V | Number) -> V:
        """Logical: zeros come in."""
        return self._two(("lshr", "lshr"), other)

    def __invert__(self) -> V:
        return self ^ (True if self.type.kind == "i1" else -1)

    def __neg__(self) -> V:
        if self.type.is_float:
            return self.out.value(self.type, f"fneg {self.type.text} {self.text}")
        return 0 - self

    def compare(self, how: str, other: V | Number) -> V:
        right = other.text if isinstance(other, V) else literal(self.type, other)
        name = "fcmp" if self.type.is_float else "icmp"
        return self.out.value(
            self.type.of("i1"), f"{name} {how} {self.type.text} {self.text}, {right}"
        )

    def __lt__(self, other: V | Number) -> V:
        return self.compare("olt" if self.type.is_float else "slt", other)

    def __le__(self, other: V | Number) -> V:
        return self.compare("ole" if self.type.is_float else "sle", other)

    def __gt__(self, other: V | Number) -> V:
        return self.compare("ogt" if self.type.is_float else "sgt", other)

    def __ge__(self, other: V | Number) -> V:
        return self.compare("oge" if self.type.is_float else "sge", other)

    def same(self, other: V | Number) -> V:
        return self.compare("oeq" if self.type.is_float else "eq", other)

    def differs(self, other: V | Number) -> V:
        return self.compare("une" if self.type.is_float else "ne", other)

    def convert(self, how: str, kind: str) -> V:
        """A conversion instruction (`sitofp`, `trunc`, `bitcast`...) to lanes of another kind."""
        type = self.type.of(kind)
        return self.out.value(type, f"{how} {self.type.text} {self.text} to {type.text}")

    def bits(self) -> V:
        return self.convert("bitcast", self.type.integer.kind)

    def floating(self) -> V:
        return self.convert("bitcast", {64: "double", 32: "float", 16: "half"}[self.type.bits])


def where(condition: V, a: V | Number, b: V | Number) -> V:
    """a where the condition holds, else b."""
    if not isinstance(a, V):
        a = b.like(a)  # type: ignore[union-attr]
    if not isinstance(b, V):
        b = a.like(b)
    return condition.out.value(
        a.type,
        f"select {condition.type.text} {condition.text}, "
        f"{a.type.text} {a.text}, {b.type.text} {b.text}",
    )


def fma(a: V, b: V | Number, c: V | Number) -> V:
    """a * b + c, in one rounding where the processor has it (else in two)."""
    b = b if isinstance(b, V) else a.like(b)
    c = c if isinstance(c, V) else a.like(c)
    if a.out.module.target.fma:
        return a.out.intrinsic("fma", a, b, c)
    return a * b + c


def absolute(x: V) -> V:
    return x.out.intrinsic("fabs", x)


def copysign(x: V, sign: V | Number) -> V:
    """x with the sign of the other."""
    return x.out.intrinsic("copysign", x, sign if isinstance(sign, V) else x.like(sign))


def sqrt(x: V) -> V:
    return x.out.intrinsic("sqrt", x)


def is_nan(x: V) -> V:
    return x.compare("uno", x)


def any_of(mask: V) -> V:
    """Whether any lane of a bool holds."""
    if mask.type.lanes == 1:
        return mask
    return mask.out.intrinsic("vector.reduce.or", mask, type=Type("i1"))
