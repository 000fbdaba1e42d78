"""Plans: programs made ready to run, by machine code where it can, by NumPy where it must.

A plan gives lines of Python for the replay of a trace: `run` computes, `commit` writes to memory
that was there before. `NumPyPlan` is the program as NumPy calls. `NativePlan` makes kernels of the
loops that `loops` found, calls of BLAS, and one table with the addresses of all memory; a whole
step is mostly one call of a native function.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np

from ..duck import strided
from ..graph import quiet
from ..parallel import get_num_threads
from . import blas, llvm, threads
from .emit import write
from .loops import Buffer, Host, Loop, Memory, Product, order_of, resolved
from .lowering import Lowering
from .program import Input, Mismatch, Program, Text, Value

__all__ = ["NativePlan", "NumPyPlan"]


class NumPyPlan:
    """A program run by NumPy: the lines of Python that do it, for a replay.

    run: lines that compute the outputs `r0`, `r1`... and what guards look at, `g0`, `g1`..., from
    inputs given as expressions; write: at most one line that computes the rest, and writes to the
    memory of inputs: it cannot fail; commit: lines that write there too, and may run again
    """

    def __init__(self, program: Program, inputs: dict[Any, str], space: dict[str, Any],
                 name: str = "p", pooled: bool = True) -> None:  # fmt: skip
        self.write: list[str] = []
        given = ", ".join(inputs[i] for i in program.inputs)
        outs = [f"r{n}" for n in range(len(program.outputs))]
        outs += [f"g{n}" for n in range(len(program.guards))]
        space.update({f"{name}run": program.compiled()}, copyto=np.copyto, enter=quiet.enter,
                     leave=quiet.leave)  # fmt: skip
        left = f"[{', '.join(outs)}] = " if outs else ""
        self.run = [
            "token = enter()",
            "try:",
            f"    {left}{name}run({given})",
            "finally: leave(token)",
        ]
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


def _pool(shape: Any, strides: Any, dtype: Any, table: Any, slot: int, most: int) -> Any:
    """A function that gives an array for a result and enters its address: one that it gave before
    if nobody holds it any more, else a new one."""
    kept: list[tuple[Any, int]] = []
    count = sys.getrefcount
    order = order_of(shape, strides)
    packed, back = tuple(shape[d] for d in order), np.argsort(order)
    plain = order == list(range(len(shape)))

    def fresh() -> Any:
        array = np.empty(shape, dtype) if plain else np.transpose(np.empty(packed, dtype), back)
        table[slot] = address_of(array)
        return array

    def take() -> Any:
        for array, address in kept:
            if count(array) == alone:
                table[slot] = address
                return array
        array = fresh()
        if len(kept) < most:
            kept.append((array, table[slot]))
        return array

    if not most:
        return fresh
    kept.append((fresh(), table[slot]))
    for array, _ in kept:  # so many references has an array that is free
        alone = count(array)
    del array
    return take


class NativePlan:
    """A program run by machine code. See the module, and `NumPyPlan` for what it offers."""

    def __init__(self, program: Program, inputs: dict[Any, str], space: dict[str, Any],
                 name: str = "p", pooled: bool = True) -> None:  # fmt: skip
        self.program, self.inputs, self.space, self.name = program, inputs, space, name
        self._pooled = pooled
        self.lowered = Lowering(program)
        self._slots: dict[Any, int] = {}
        self._kept: list[Any] = []  # arrays whose addresses are in the table
        self._blas = blas.find()
        self._text = Text(program, prefix=f"{name}_")
        self._made: dict[Value, str] = {}  # what NumPy computes -> its name
        self._allocate()
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
            memory, buffer = resolved(thing)
            offset += memory
            key = (buffer, offset)
        found = self._slots.get(key)
        if found is None:
            found = self._slots[key] = len(self._slots) + 1
        return found

    # The lines

    def _write(self) -> None:
        lowered, program = self.lowered, self.program
        natives: list[Any] = []
        lines: list[str] = []
        batch: list[Any] = []

        def flush() -> None:
            if batch:
                natives.append(list(batch))
                lines.append(f"{self.name}call{len(natives) - 1}({self.name}at)")
                batch.clear()

        for n, step in enumerate(lowered.steps):
            if n == lowered.commit:  # from here on nothing fails, and memory of before is written
                flush()
            if isinstance(step, Loop):
                if step.size:
                    batch.append(write(self, step))
            elif isinstance(step, Product):
                batch += self._product(step)
            else:
                flush()
                lines += self._host(step)
        early = len(lines) if len(lowered.steps) > lowered.commit else None
        flush()
        self.write = lines[early:] if early is not None else []
        lines, more = lines[:early], self._by_numpy()
        lines += [line for line in more if not line.startswith("copyto")]
        self.commit = [line for line in more if line.startswith("copyto")]
        lines = [*self._bindings(), *lines]
        if any(isinstance(s, Host) for s in lowered.steps):
            self.space.update(enter=quiet.enter, leave=quiet.leave)
            lines = ["token = enter()", "try:", *[f"    {line}" for line in lines],
                     "finally: leave(token)"]  # fmt: skip
        self.run = lines
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
                take = _pool(place.shape, place.strides, buffer.dtype, self.words, slot,
                             3 if self._pooled else 0)  # fmt: skip
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
            if resolved(self.lowered.memory[result])[1].kind != "odd":
                lines.append(f"copyto({self._expression(result)}, {name})")
        return lines

    def _expression(self, value: Value) -> str:
        """A value as an array, for NumPy."""
        if isinstance(value, Input):
            return self.inputs[value]
        memory = self.lowered.memory[value]
        offset, buffer = resolved(memory)
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
