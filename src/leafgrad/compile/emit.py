"""From a loop of `loops` to a kernel of `llvm`: which axes become loops, in what order, and what
stands in them.

Axes of size 1 are left out, and neighbours made one where all memory allows. The axis along which
most memory lies without gaps runs over vector lanes. Reductions stand innermost, so that a kernel
over columns goes down them, many columns at a time.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from . import llvm
from .loops import Loop, Memory, Point, resolved
from .program import Value

__all__ = ["write"]


def write(plan: Any, loop: Loop) -> llvm.Kernel:
    """The kernel of a loop; slots are asked for from the plan."""
    return Writer(plan, loop).kernel


class Writer:
    """Writes the kernel of one loop: which axes become loops, in what order, and their bodies."""

    def __init__(self, plan: Any, loop: Loop) -> None:
        self.plan, self.loop = plan, loop
        self.memory = plan.lowered.memory
        self.kernel = llvm.Kernel()
        self._values: dict[Any, Any] = {}
        self._loops: dict[int, llvm.Loop] = {}  # axis (after merging) -> its loop
        domain = loop.domain
        reads = [self.memory[v] for v in loop.read() if v not in loop.points]
        reads += [self.memory[o] for _, _, o, _, _ in loop.reduces if o not in loop.points]
        reads += [self.memory[v] for v, _ in loop.stores if v not in loop.points]
        reads += [m for m, _ in loop.copies]
        reads += [self.memory[v] for value, _, _, some in loop.scatters for v in (value, *some)]
        writes = [to for _, to in (*loop.stores, *loop.copies)]
        writes += [self.memory[v] for v in loop.points if v in self.memory]
        self._strides = {id(m): self._aligned(m.shape, m.strides) for m in (*reads, *writes)}
        reduced: set[int] = set()
        for value, _, _, axes, _ in loop.reduces:
            if len(axes) == len(domain):
                if loop.axes is None:
                    reduced = set(range(len(domain)))
            else:
                reduced = set(axes)
            memory = self.memory[value]
            strides = memory.strides
            if len(strides) != len(domain):
                kept = iter(strides)
                strides = tuple(0 if d in axes else next(kept) for d in range(len(domain)))
            self._strides[id(memory)] = tuple(0 if d in axes else s for d, s in enumerate(strides))
        # What is read or written at indices has strides along the rest of its axes.
        for value, point in loop.points.items():
            if point.source is not None:
                source = self.memory[point.source]
                self._strides["at", value] = self._along(source, point.places)
        for value, to, places, _ in loop.scatters:
            self._strides["to", value] = self._along(to, places)
        self._axes(domain, reduced)
        with ExitStack() as stack:
            self._open(stack)

    def _aligned(self, shape: Any, strides: Any) -> tuple[int, ...]:
        """Strides along the axes of the domain, 0 where a place is broadcast."""
        extra = len(self.loop.domain) - len(shape)
        return (0,) * extra + tuple(0 if n == 1 else s for n, s in zip(shape, strides, strict=True))

    def _along(self, memory: Memory, places: Any) -> tuple[int, ...]:
        strides = [0] * len(self.loop.domain)
        for (kind, number), stride in zip(places, memory.strides, strict=True):
            if kind == "axis":
                strides[number] = stride
        return tuple(strides)

    def _axes(self, domain: tuple[int, ...], reduced: set[int]) -> None:
        """The loops, outermost first: (extent, whether reduced, strides by memory, whether vector).
        Axes of size 1 are left out, neighbours made one where all memory allows."""
        axes: list[list[Any]] = []
        for d, n in enumerate(domain):
            if n == 1:
                continue
            strides = {key: s[d] for key, s in self._strides.items()}
            if (
                axes
                and axes[-1][1] is (d in reduced)
                and all(axes[-1][2][key] == s * n for key, s in strides.items())
            ):
                axes[-1][0] *= n
                axes[-1][2] = strides
            else:
                axes.append([n, d in reduced, strides, None])
        best = max(range(len(axes)), key=lambda i: _worth(axes[i], i), default=None)
        kept = [i for i, a in enumerate(axes) if not a[1]]
        inner = [i for i, a in enumerate(axes) if a[1]]
        if best is not None:
            for group in (kept, inner):
                if best in group:
                    group.remove(best)
                    group.append(best)
            if best in kept and inner:
                axes[best][3] = True
        self._order = [axes[i] for i in (*kept, *inner)]
        self._kept = len(kept)

    def _open(self, stack: ExitStack) -> None:
        """Open the loops and write what stands in them."""
        kernel, loop = self.kernel, self.loop
        outer = ExitStack()
        opened: list[llvm.Loop] = []
        for extent, _, _, vector in self._order[: self._kept]:
            opened.append(outer.enter_context(kernel.loop(extent, vector=vector)))
        inner = ExitStack()
        for extent, _, _, vector in self._order[self._kept :]:
            opened.append(inner.enter_context(kernel.loop(extent, vector=vector)))
        self._opened = opened
        for value, point in loop.points.items():
            self._values[value] = self._computed(point) if point.source is None else \
                self._gathered(value, point)  # fmt: skip
            if value in self.memory:
                self._put(self.memory[value], self._values[value], opened)
        for value, to in loop.stores:
            self._put(to, self._get(value, value.dtype), opened)
        for source, to in loop.copies:
            self._put(to, kernel.cast(self._load(source), to.dtype.name), opened)
        for value, to, places, indices in loop.scatters:
            at, inside = self._index(to, places, indices)
            offset, buffer = resolved(to)
            array = kernel.array(self.plan.slot(Memory(buffer, (), ())), buffer.dtype.name)
            kernel.store(array, self._get(value, buffer.dtype), self._steps("to", opened, value),
                         offset, at, inside, True)  # fmt: skip
        sums: list[tuple[Value, Any, bool]] = []
        for value, kind, operand, axes, dtype in loop.reduces:
            every = len(axes) == len(loop.domain)
            x = self._get(operand, dtype)
            alone = not opened or (not every and self._kept == len(opened))
            if alone:  # axes of size 1
                sums.append((value, x, every))
                continue
            over = opened[0] if every else opened[self._kept]
            sums.append((value, kernel.reduce(kind, x, over), every))
        inner.close()
        for value, total, every in sums:
            if not every:
                self._put(self.memory[value], total, opened[: self._kept])
        outer.close()
        for value, total, every in sums:
            if every:
                self._put(self.memory[value], total, [])

    def _index(self, memory: Memory, places: Any, indices: Any) -> tuple[Any, Any]:
        """Where indices lead in memory, in elements, and whether that is inside."""
        kernel = self.kernel
        zero = kernel.const(0, "int64")
        at = inside = None
        for (kind, number), stride, n in zip(places, memory.strides, memory.shape, strict=True):
            if kind != "index":
                continue
            size = kernel.const(n, "int64")
            index = self._get(indices[number], np.dtype(np.int64))
            index = kernel.op("where", kernel.op("less", index, zero),
                              kernel.op("add", index, size), index)  # fmt: skip
            fits = kernel.op("logical_and", kernel.op("greater_equal", index, zero),
                             kernel.op("less", index, size))  # fmt: skip
            inside = fits if inside is None else kernel.op("logical_and", inside, fits)
            step = kernel.op("multiply", index, kernel.const(stride, "int64"))
            at = step if at is None else kernel.op("add", at, step)
        return at, inside

    def _gathered(self, value: Value, point: Point) -> Any:
        """Elements at indices; those out of bounds, which a guard refuses, are not touched."""
        memory = self.memory[point.source]
        at, inside = self._index(memory, point.places, point.operands)
        offset, buffer = resolved(memory)
        array = self.kernel.array(self.plan.slot(Memory(buffer, (), ())), buffer.dtype.name)
        steps = self._steps("at", self._opened, value)
        return self.kernel.load(array, steps, offset, at, inside)

    def _computed(self, point: Point) -> Any:
        kernel = self.kernel
        operands = [self._get(o, k) for o, k in zip(point.operands, point.kinds, strict=True)]
        return operands[0] if point.op == "copy" else kernel.op(point.op, *operands)

    def _get(self, operand: Any, dtype: Any) -> Any:
        """An operand in a dtype."""
        kernel = self.kernel
        if not isinstance(operand, Value):
            if isinstance(operand, np.generic):
                operand = operand.item()
            if dtype.kind == "f":
                operand = float(operand)
            elif dtype.kind in "iu":
                operand = int(operand)
            return kernel.const(operand, dtype.name)
        found = self._values.get(operand)
        if found is None:
            found = self._values[operand] = self._load(self.memory[operand])
        return kernel.cast(found, dtype.name)

    def _load(self, memory: Memory) -> Any:
        offset, buffer = resolved(memory)
        kernel = self.kernel
        if buffer.kind == "const" and buffer.size == 1:
            return kernel.const(buffer.value.array.item(), buffer.dtype.name)
        if buffer.kind == "input" and self.plan.inputs[buffer.value].startswith("float64("):
            return kernel.scalar(self.plan.slot(memory), "float64")
        array = kernel.array(self.plan.slot(Memory(buffer, (), ())), buffer.dtype.name)
        return kernel.load(array, self._steps(memory, self._opened), offset)

    def _put(self, memory: Memory, value: Any, opened: Any) -> None:
        offset, buffer = resolved(memory)
        array = self.kernel.array(self.plan.slot(Memory(buffer, (), ())), buffer.dtype.name)
        value = self.kernel.cast(value, buffer.dtype.name)
        self.kernel.store(array, value, self._steps(memory, opened), offset)

    def _steps(self, memory: Any, opened: Any, value: Any = None) -> dict[Any, int]:
        """The strides of a place along the loops; "at" or "to": of what a value is gathered from,
        or added to."""
        key: Any = id(memory) if value is None else (memory, value)
        return {loop: axis[2][key] for loop, axis in zip(opened, self._order, strict=False)}


def _worth(axis: list[Any], position: int) -> tuple[int, int]:
    """How good an axis is for vectors: how much memory lies along it without gaps."""
    plain = sum(1 for s in axis[2].values() if s == 1)
    gathers = sum(1 for s in axis[2].values() if s not in (0, 1))
    return (plain * 2 - gathers) * min(axis[0], 16), position
