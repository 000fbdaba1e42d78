"""Plans: programs made ready to run, by machine code where it can, by NumPy where it must.

A plan gives lines of Python for the replay of a trace: `run` computes, `commit` writes to memory
that was there before. `NumPyPlan` is the program as NumPy calls. `NativePlan` makes kernels of the
loops that `loops` found, calls of BLAS, and one table with the addresses of all memory; a whole
step is mostly one call of a native function.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..duck import strided
from ..graph import quiet
from ..parallel import get_num_threads
from . import blas, llvm, threads
from .loops import Buffer, Host, Loop, Memory, Point, Product, order_of
from .lowering import Lowering
from .program import Input, Mismatch, Program, Text, Value

__all__ = ["NativePlan", "NumPyPlan"]


class NumPyPlan:
    """A program run by NumPy: the lines of Python that do it, for a replay.

    run: lines that compute the outputs `r0`, `r1`... and what guards look at, `g0`, `g1`..., from
    inputs given as expressions; commit: lines that write to the memory of inputs
    """

    def __init__(self, program: Program, inputs: dict[Any, str], space: dict[str, Any]) -> None:
        given = ", ".join(inputs[i] for i in program.inputs)
        outs = [f"r{n}" for n in range(len(program.outputs))]
        outs += [f"g{n}" for n in range(len(program.guards))]
        space.update(run=program.compiled(), copyto=np.copyto, enter=quiet.enter,
                     leave=quiet.leave)  # fmt: skip
        left = f"[{', '.join(outs)}] = " if outs else ""
        self.run = ["token = enter()", "try:", f"    {left}run({given})", "finally: leave(token)"]
        self.commit = [
            f"copyto({inputs[o.target]}, r{n})"
            for n, o in enumerate(program.outputs)
            if o.target is not None
        ]

    def rebind(self) -> None:
        """Tensors have other arrays now: nothing to do, they are found by name."""


# Addresses


def _data_offset() -> int | None:
    """Where in an array object the address of its data stands; reading it there costs a tenth of
    what NumPy's own ways do. None if it is not where it always was."""
    for size in (1, 3):
        array = np.empty(size)
        found = ctypes.c_size_t.from_address(id(array) + _PLACE).value
        if found != array.__array_interface__["data"][0]:
            return None
    return _PLACE


_PLACE = object.__basicsize__
_DATA = _data_offset() if sys.implementation.name == "cpython" else None


def address_of(array: Any) -> int:
    """Where an array's first element lies."""
    if _DATA is None:
        return array.__array_interface__["data"][0]  # type: ignore[no-any-return]
    return ctypes.c_size_t.from_address(id(array) + _DATA).value


def _pool(shape: Any, strides: Any, dtype: Any, table: Any, slot: int) -> Any:
    """A function that gives an array for a result and enters its address: one that it gave before
    if nobody holds it any more, else a new one."""
    kept: list[tuple[Any, int]] = []
    count = sys.getrefcount
    order = order_of(shape, strides)
    packed, back = tuple(shape[d] for d in order), np.argsort(order)
    plain = order == list(range(len(shape)))

    def take() -> Any:
        for array, address in kept:
            if count(array) == alone:
                table[slot] = address
                return array
        array = np.empty(shape, dtype) if plain else np.transpose(np.empty(packed, dtype), back)
        table[slot] = address = address_of(array)
        if len(kept) < 3:
            kept.append((array, address))
        return array

    alone = -1
    take()  # the first is held by `kept` alone: so many references has an array that is free
    for array, _ in kept:
        alone = count(array)
    del array
    return take


class NativePlan:
    """A program run by machine code. See the module, and `NumPyPlan` for what it offers."""

    def __init__(self, program: Program, inputs: dict[Any, str], space: dict[str, Any],
                 name: str = "p") -> None:  # fmt: skip
        self.program, self.inputs, self.space, self.name = program, inputs, space, name
        self.lowered = Lowering(program)
        self._slots: dict[Any, int] = {}
        self._kept: list[Any] = []  # arrays whose addresses are in the table
        self._blas = blas.find()
        self._text = Text(program, prefix=f"{name}_")
        self._made: dict[Value, str] = {}  # what NumPy computes -> its name
        self._allocate()
        self.run: list[str] = []
        self.commit: list[str] = []
        self._write()

    # Memory

    def _allocate(self) -> None:
        """Places for the buffers of the plan's own, reused when their content is no longer wanted."""
        free: list[tuple[int, int]] = []  # (offset, size) of gaps, by offset
        top = 0
        ends: list[tuple[int, Buffer]] = []
        own = [b for b in self.lowered.buffers if b.kind == "own" and b.last >= 0]
        for buffer in sorted(own, key=lambda b: b.first):
            for last, done in [e for e in ends if e[0] < buffer.first]:
                ends.remove((last, done))
                free = _merged([*free, (done.offset, _rounded(done.nbytes))])
            size = _rounded(buffer.nbytes)
            best = min((f for f in free if f[1] >= size), key=lambda f: f[1], default=None)
            if best is None:
                buffer.offset, top = top, top + size
            else:
                free.remove(best)
                buffer.offset = best[0]
                if best[1] > size:
                    free.append((best[0] + size, best[1] - size))
            ends.append((buffer.last, buffer))
        self.bytes = top
        self._arena = np.empty(top + 64, np.uint8)
        self._base = -(-address_of(self._arena) // 64) * 64

    def slot(self, thing: Any, offset: int = 0) -> int:
        """The slot for the address of a place, of a function of BLAS by its name, or of a number."""
        if isinstance(thing, str):
            key: Any = thing
        else:
            memory, buffer = _resolved(thing)
            offset += memory
            key = (buffer, offset)
        found = self._slots.get(key)
        if found is None:
            found = self._slots[key] = len(self._slots) + 1
        return found

    # The lines

    def _write(self) -> None:
        lowered, program = self.lowered, self.program
        pieces: list[str] = []
        batch: list[Any] = []
        natives: list[Any] = []

        def flush() -> None:
            if batch:
                natives.append(list(batch))
                pieces.append(f"{self.name}call{len(natives) - 1}({self.name}at)")
                batch.clear()

        split = lowered.commit if program.guards else -1
        late: list[str] | None = None
        for n, step in enumerate([*lowered.steps, None]):
            if n == split and late is None:
                flush()
                late, pieces = pieces, []
            if isinstance(step, Loop):
                if step.size:
                    batch.append(self._kernel(step))
            elif isinstance(step, Product):
                batch += self._product(step)
            elif isinstance(step, Host):
                flush()
                pieces += self._host(step)
        flush()
        pieces += self._by_numpy()
        early = late if late is not None else pieces
        self.run = [*self._bindings(), *early]
        self.commit = pieces if late is not None else []
        if any(isinstance(s, Host) for s in lowered.steps):
            self.space.update(enter=quiet.enter, leave=quiet.leave)
            self.run = ["token = enter()", "try:", *[f"    {line}" for line in self.run],
                        "finally: leave(token)"]  # fmt: skip
        for n, guard in enumerate(program.guards):
            self.run.append(f"g{n} = {self._expression(guard.value)}")
        self._link(natives)

    def _link(self, natives: list[Any]) -> None:
        """Compile the kernels, and fill the table."""
        space, name = self.space, self.name
        size = 1 + len(self._slots)
        compiled = [llvm.build(steps) for steps in natives]
        size = max([size, *(native.slots for native in compiled)])
        self.table = np.zeros(size, np.uint64)
        self.words = memoryview(self.table)  # type: ignore[arg-type]
        space[f"{name}t"] = self.words
        space[f"{name}f"] = memoryview(self.table.view(np.float64))  # type: ignore[arg-type]
        space[f"{name}at"] = ctypes.c_void_p(address_of(self.table))
        space["at"], space["DATA"] = ctypes.c_size_t.from_address, _DATA
        space["Mismatch"], space["copyto"] = Mismatch, np.copyto
        for n, native in enumerate(compiled):
            space[f"{name}call{n}"] = native.call
        self._natives = compiled
        team = threads.team(get_num_threads())
        self._team = team
        self.words[0] = 0 if team is None else team.address
        for key, slot in self._slots.items():
            if isinstance(key, str):
                assert self._blas is not None
                self.words[slot] = self._blas.functions[key]
                continue
            buffer, offset = key
            if buffer.kind == "own":
                self.words[slot] = self._base + buffer.offset + offset * buffer.dtype.itemsize
            elif buffer.kind == "const":
                array = buffer.value.array
                self._kept.append(array)
                self.words[slot] = address_of(array) + offset * buffer.dtype.itemsize
            elif buffer.kind == "result":
                number = buffer.value
                place = self.lowered.places[number]
                take = _pool(place.shape, place.strides, buffer.dtype, self.words, slot)
                space[f"{name}take{number}"] = take
        self.rebind()

    def rebind(self) -> None:
        """Enter the addresses of the arrays that tensors are bound to."""
        for key, slot in self._slots.items():
            if isinstance(key, tuple) and key[0].kind == "input":
                code = self.inputs[key[0].value]
                array = self.space.get(code)
                if isinstance(array, np.ndarray):
                    self.words[slot] = address_of(array) + key[1] * array.itemsize

    def _bindings(self) -> list[str]:
        """Lines that enter what is another at each run: arguments, numbers, new results."""
        lines = []
        name = self.name
        for key, slot in self._slots.items():
            if not isinstance(key, tuple):
                continue
            buffer, offset = key
            if buffer.kind == "input":
                code = self.inputs[buffer.value]
                if code.startswith("float64("):
                    lines.append(f"{name}f[{slot}] = {code[8:-1]}")
                elif not isinstance(self.space.get(code), np.ndarray):
                    more = f" + {offset * buffer.dtype.itemsize}" if offset else ""
                    place = f"at(id({code}) + DATA).value" if _DATA is not None else \
                        f"address_of({code})"  # fmt: skip
                    lines.append(f"{name}t[{slot}] = {place}{more}")
        for buffer in self.lowered.buffers:
            if buffer.kind == "result" and buffer.last >= 0:
                self.slot(Memory(buffer, (), ()))
                lines.append(f"r{buffer.value} = {name}take{buffer.value}()")
        self.space["address_of"] = address_of
        return lines

    # Steps

    def _product(self, step: Product) -> list[Any]:
        out = self.lowered.memory[step.result]
        assert self._blas is not None
        kind = "s" if out.dtype.itemsize == 4 else "d"
        return blas.product(self._blas, kind, self.slot, step.a, step.b, out)

    def _host(self, step: Host) -> list[str]:
        """An instruction as a line of NumPy, and its results to their places."""
        instr = step.instr
        names = self._text.names
        for value in dict.fromkeys(instr.values()):
            names[value] = self._expression(value)
        for result in instr.results:
            if result is not None:
                names[result] = self._made[result] = f"{self.name}v{len(self._made)}"
        lines = [self._text.line(instr)]
        self.space.update(self._text.space)
        for result in instr.results:
            if result is None:
                continue
            name = names[result]
            lines.append(f"if {name}.shape != {result.shape!r}: raise Mismatch")
            if _resolved(self.lowered.memory[result])[1].kind != "odd":
                lines.append(f"copyto({self._expression(result)}, {name})")
        return lines

    def _expression(self, value: Value) -> str:
        """A value as an array, for NumPy."""
        if isinstance(value, Input):
            return self.inputs[value]
        memory = self.lowered.memory[value]
        offset, buffer = _resolved(memory)
        item = buffer.dtype.itemsize
        steps = tuple(s * item for s in memory.strides)
        if buffer.kind == "odd":
            return self._made[value]
        if buffer.kind == "own":
            name = f"{self.name}m{len(self.space)}"
            begin = self._base - address_of(self._arena) + buffer.offset + offset * item
            self.space[name] = np.ndarray(memory.shape, buffer.dtype, self._arena, begin, steps)
            return name
        if buffer.kind == "const":
            name = f"{self.name}c{len(self.space)}"
            self.space[name] = strided(buffer.value.array, memory.shape, steps, offset * item)
            return name
        if buffer.kind == "result" and memory.same(self.lowered.places[buffer.value]):
            return f"r{buffer.value}"
        whole = f"r{buffer.value}" if buffer.kind == "result" else self.inputs[buffer.value]
        self.space["strided"] = strided
        return f"strided({whole}, {memory.shape}, {steps}, {offset * item})"

    def _by_numpy(self) -> list[str]:
        """Outputs of dtypes that loops do not know."""
        lines: list[str] = []
        self.space["array"] = np.array
        for n, (output, place) in enumerate(
            zip(self.program.outputs, self.lowered.places, strict=True)
        ):
            if place is None:
                name = self._expression(output.value)
                if output.target is None:
                    lines.append(f"r{n} = array({name})")
                else:
                    lines.append(f"copyto({self.inputs[output.target]}, {name})")
        return lines

    # Kernels

    def _kernel(self, loop: Loop) -> llvm.Kernel:
        return _Writer(self, loop).kernel


def _resolved(memory: Memory) -> tuple[int, Buffer]:
    """The offset and the buffer of a place, through what became of it."""
    offset, buffer = memory.offset, memory.buffer
    while buffer.kind == "same":
        offset += buffer.value.offset
        buffer = buffer.value.buffer
    return offset, buffer


def _rounded(size: int) -> int:
    return -(-size // 64) * 64


def _merged(gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Gaps with neighbours made one."""
    found: list[tuple[int, int]] = []
    for offset, size in sorted(gaps):
        if found and found[-1][0] + found[-1][1] == offset:
            found[-1] = (found[-1][0], found[-1][1] + size)
        else:
            found.append((offset, size))
    return found


class _Writer:
    """Writes the kernel of one loop: which axes become loops, in what order, and their bodies."""

    def __init__(self, plan: NativePlan, loop: Loop) -> None:
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
            offset, buffer = _resolved(to)
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
        offset, buffer = _resolved(memory)
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
        offset, buffer = _resolved(memory)
        kernel = self.kernel
        if buffer.kind == "const" and buffer.size == 1:
            return kernel.const(buffer.value.array.item(), buffer.dtype.name)
        if buffer.kind == "input" and self.plan.inputs[buffer.value].startswith("float64("):
            return kernel.scalar(self.plan.slot(memory), "float64")
        array = kernel.array(self.plan.slot(Memory(buffer, (), ())), buffer.dtype.name)
        return kernel.load(array, self._steps(memory, self._opened), offset)

    def _put(self, memory: Memory, value: Any, opened: Any) -> None:
        offset, buffer = _resolved(memory)
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
