"""From programs to steps: which instructions share a loop, and where their values lie in memory.

Values are computed where they are wanted. An instruction goes into the loop that makes its operands,
if that has the same domain, else into one after all that it needs; so a chain of elementwise
operations is one loop, with the reductions at its end. Only what another step reads has memory: a
place (`Memory`) in a `Buffer`. Views are other places in the same buffer; what is written to a part
of a value that nobody reads any more is written in its place.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from . import blas
from .loops import (
    VIEWS,
    Buffer,
    Host,
    Loop,
    Memory,
    Point,
    Product,
    dense,
    is_product,
    is_view,
    known,
    order_of,
    point_of,
    reduction_of,
)
from .program import (
    Const,
    Instr,
    Output,
    Program,
    Value,
    assign,
    place,
    restrided,
    scattered,
    values_in,
)

__all__ = ["Lowering"]

SMALL = 4096  # elements up to which unrelated loops of one shape are joined


class Lowering:
    """A program as steps.

    steps: in order; memory: where values lie that have memory; buffers: all of it; places: per
    output of the program the memory that takes it; from `commit` on, steps cannot fail
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps: list[Any] = []
        self.memory: dict[Value, Memory] = {}
        self.buffers: list[Buffer] = []
        self._makers = program.makers()
        self._points: dict[Value, Point] = {}
        self._reductions: dict[Value, Any] = {}
        self._at: dict[Value, int] = {}  # the step that computes a value; -1 before all
        self._outputs = set(program.wanted())
        self._number = {instr: n for n, instr in enumerate(program.instrs)}
        self._users: dict[Value, list[Instr]] = {}
        for instr in program.instrs:
            for value in instr.values():
                self._users.setdefault(value, []).append(instr)
        for value in (*program.inputs, *program.constants()):
            self._leaf(value)
        for instr in program.instrs:
            if not instr.effect:
                self._classify(instr)
        for instr in program.instrs:
            if instr.effect or self._is_root(instr):
                self._compute(instr.results[0])
        for value in program.wanted():
            self._compute(value)
            if value not in self._points:
                self._memory(value)
        fails = [n for n, step in enumerate(self.steps) if isinstance(step, Host)]
        fails += [self._at[g.value] for g in program.guards]
        self.commit = max(fails, default=-1) + 1
        for guard in program.guards:
            self._memory(guard.value)
        self._sources = {o.value: self._kept(o.value) for o in program.outputs}
        self.places = [self._take(n, o) for n, o in enumerate(program.outputs)]
        self._lifetimes()

    def _leaf(self, value: Value) -> None:
        item = value.dtype.itemsize
        strides, shape = value.strides, value.shape
        if isinstance(value, Const):
            strides = value.array.strides
        kind = "const" if isinstance(value, Const) else "input"
        buffer = Buffer(kind, value.dtype, max(value.size, 1), value)
        if any(s % item for s in strides):
            buffer.kind = "odd"  # only NumPy can read it
        self.buffers.append(buffer)
        self.memory[value] = Memory(buffer, shape, [s // item for s in strides])
        self._at[value] = -1

    def _classify(self, instr: Instr) -> None:
        result = instr.results[0]
        point = point_of(instr)
        if point is not None and not any(
            isinstance(o, Value) and o in self.memory and self.memory[o].buffer.kind == "odd"
            for o in point.operands
        ):
            self._points[result] = point
            return
        reduction = reduction_of(instr)
        if reduction is not None:
            self._reductions[result] = reduction

    def _is_root(self, instr: Instr) -> bool:
        """Whether an instruction is placed when its turn comes, not when it is first wanted."""
        return instr.results[0] not in self._points and not is_view(instr)

    # Where values are computed

    def _compute(self, value: Value) -> None:
        """Find the steps for a value and all that it needs."""
        stack = [value]  # without recursion: chains are long
        while stack:
            top = stack[-1]
            if top in self._at:
                stack.pop()
                continue
            missing = [v for v in self._needs(top) if v not in self._at]
            if missing:
                stack += missing
            else:
                stack.pop()
                self._place(top)

    def _needs(self, value: Value) -> list[Value]:
        """What must have a step before a value can get one."""
        if value in self._points:
            return self._leaves(value)
        reduction = self._reductions.get(value)
        if reduction is not None:
            return self._leaves(reduction[1])
        instr = self._makers[value]
        if instr.function is assign and _can_assign(instr):
            whole, _, _, part = instr.args
            return [*self._leaves(whole), *self._leaves(part)]
        if instr.function is np.concatenate and _can_join(instr):
            return [leaf for part in instr.args[0] for leaf in self._leaves(part)]
        return list(instr.values())

    def _floats(self, value: Any) -> bool:
        """Whether a value is a point that has no step yet."""
        return value in self._points and value not in self._at

    def _leaves(self, value: Value) -> list[Value]:
        """The values that a tree of points not yet placed, of one domain, begins with."""
        if not self._floats(value):
            return [value]
        found: dict[Value, None] = {}
        seen = {value}
        stack = [value]
        while stack:
            point = self._points[stack.pop()]
            for each in point.operands:
                if not isinstance(each, Value) or each in seen:
                    continue
                seen.add(each)
                if self._floats(each) and each.shape == value.shape:
                    stack.append(each)
                else:
                    found[each] = None
            if point.source is not None:
                found[point.source] = None
        return list(found)

    def _tree(self, value: Value) -> list[Value]:
        """The points not yet placed that a point is made of, operands first."""
        order: list[Value] = []
        seen: set[Value] = set()
        stack = [(value, False)]
        while stack:
            top, done = stack.pop()
            if done:
                order.append(top)
            elif top not in seen:
                seen.add(top)
                stack.append((top, True))
                stack += [
                    (each, False) for each in self._points[top].operands
                    if isinstance(each, Value) and self._floats(each) and each.shape == value.shape
                ]  # fmt: skip
        return order

    def _place(self, value: Value) -> None:
        """Give a value a step; all that it needs has one."""
        if value in self._points:
            self._into_loop(value)
        elif value in self._reductions:
            kind, operand, axes, dtype = self._reductions[value]
            at = self._into_loop(operand, axes)
            self.steps[at].reduces.append((value, kind, operand, axes, dtype))
            self._at[value] = at
            self._memory(value)
        else:
            instr = self._makers[value]
            if is_view(instr) and not self._odd(instr):
                self._view(instr)
            elif is_product(instr) and blas.find() and not self._odd(instr):
                a, b = (self._for_blas(each) for each in instr.args)
                self.steps.append(Product(value, a, b))
                self._done(instr)
            elif self._odd(instr):
                self._host(instr)
            elif instr.function is assign and _can_assign(instr):
                self._assign(instr)
            elif instr.function is np.concatenate and _can_join(instr):
                self._join(instr)
            elif instr.function is scattered and known(value.dtype):
                self._scatter(instr)
            else:
                self._host(instr)

    def _host(self, instr: Instr) -> None:
        for value in instr.values():
            self._compute(value)
        self._read(instr.values())
        self.steps.append(Host(instr))
        self._done(instr)

    def _for_blas(self, value: Value) -> Memory:
        """The memory of a factor, in a copy if BLAS cannot read it as it lies."""
        memory = self._memory(value)
        return memory if blas.fits(memory.shape, memory.strides) else self._copy(value)[1]

    def _odd(self, instr: Instr) -> bool:
        """Whether an instruction reads what only NumPy can."""
        return any(v in self.memory and self.memory[v].buffer.kind == "odd" for v in instr.values())

    def _read(self, values: Any) -> None:
        for value in values:
            self._memory(value)

    def _done(self, instr: Instr) -> None:
        for result in instr.results:
            if result is not None:
                self._at[result] = len(self.steps) - 1
                self._memory(result)

    def _memory(self, value: Value) -> Memory:
        """Where a value lies; from now on it has memory."""
        found = self.memory.get(value)
        if found is None:
            buffer = Buffer("own", value.dtype, max(value.size, 1), value)
            if not known(value.dtype):
                buffer.kind = "odd"
            self.buffers.append(buffer)
            found = self.memory[value] = Memory(buffer, value.shape, dense(value.shape))
        return found

    def _into_loop(self, value: Value, axes: tuple[int, ...] | None = None) -> int:
        """Put a tree of points into a loop, and a reduction over it if axes are given. Returns
        which step that is."""
        domain = value.shape
        if axes is not None and len(axes) == len(domain):
            axes = None  # of all elements: goes with any other
        leaves = self._leaves(value)
        tree = self._tree(value) if self._floats(value) else []
        far = {p.source for p in map(self._points.__getitem__, tree) if p.source is not None}
        low, inside = 0, False
        for leaf in leaves:
            step = self._at[leaf]
            if leaf not in far and self._is_in(leaf, step, domain):
                if step >= low:
                    low, inside = step, True
            elif step + 1 > low:
                low, inside = step + 1, False
        at = self._loop_for(low, inside, domain, axes, leaves)
        loop = self.steps[at]
        for leaf in leaves:
            if self._at[leaf] != at or leaf not in loop.points:
                self._memory(leaf)
        for each in tree:
            loop.points[each] = self._points[each]
            self._at[each] = at
        if axes is not None:
            loop.axes = axes
        return at

    def _is_in(self, value: Value, step: int, domain: tuple[int, ...]) -> bool:
        """Whether a value is a point of a loop over this domain, to be used there as it is."""
        loop = self.steps[step] if step >= 0 else None
        return isinstance(loop, Loop) and value in loop.points and loop.domain == domain

    def _loop_for(self, low: int, inside: bool, domain: tuple[int, ...],
                  axes: tuple[int, ...] | None, leaves: list[Value]) -> int:  # fmt: skip
        """The step, `low` or after it, that a tree over a domain is put into."""
        size = 1
        for n in domain:
            size *= n
        for at in range(low, len(self.steps)):
            loop = self.steps[at]
            if not isinstance(loop, Loop) or loop.domain != domain or loop.closed:
                continue
            if axes is not None and loop.axes not in (None, axes):
                continue
            if (inside and at == low) or size <= SMALL or loop.shares(leaves):
                return at
        self.steps.append(Loop(domain))
        return len(self.steps) - 1

    # Views, and writing to parts

    def _view(self, instr: Instr) -> None:
        """Another look at memory; at a copy in order, where it needs one."""
        source = instr.args[0]
        memory = self._memory(source)
        at = self._at[source]
        if source.size == 1 and not instr.several and instr.results[0].size == 1:
            # NumPy copies a single element where it would make a view of more.
            shape = instr.results[0].shape
            seen: Any = Memory(memory.buffer, shape, dense(shape), memory.offset)
        else:
            seen = memory.seen(instr.function, instr.args[1:], instr.kwargs)
        if seen is None:
            at, memory = self._copy(source)
            seen = memory.seen(instr.function, instr.args[1:], instr.kwargs)
        if seen is None:
            self._host(instr)
            return
        for result, each in zip(instr.results, seen if instr.several else (seen,), strict=True):
            if result is not None:
                self.memory[result] = each
                self._at[result] = at

    def _copy(self, source: Value) -> tuple[int, Memory]:
        """A loop that copies a value to memory of its own."""
        buffer = Buffer("own", source.dtype, max(source.size, 1), source)
        self.buffers.append(buffer)
        target = Memory(buffer, source.shape, dense(source.shape))
        self._store(source, target)
        return len(self.steps) - 1, target

    def _store(self, source: Value, target: Memory) -> None:
        """A loop of its own that writes a value to a place."""
        loop = Loop(target.shape)
        loop.closed = True
        for leaf in self._leaves(source):
            self._memory(leaf)
        self.steps.append(loop)
        if self._floats(source) and source.shape == target.shape:
            for each in self._tree(source):
                loop.points[each] = self._points[each]
                self._at[each] = len(self.steps) - 1
        else:
            self._memory(source)
        loop.stores.append((source, target))

    def _assign(self, instr: Instr) -> None:
        """The whole, then the part: two loops into the same memory; one, if it is there already."""
        result = instr.results[0]
        whole, path, _, value = instr.args
        target = self._place_of(instr, whole)
        fresh = target is None
        if target is None:
            buffer = Buffer("own", result.dtype, max(result.size, 1), result)
            target = Memory(buffer, result.shape, dense(result.shape))
        part = target.seen(lambda x: place(x, path), (), {})
        if part is None:
            self._host(instr)
            return
        if fresh:
            self.buffers.append(target.buffer)
            if not self._is_empty(whole):
                self._store(whole, target)
        if fresh or self._apart(value, part):
            self._store(value, part)
        else:  # it reads what it would overwrite
            source = self._copy(value)[1]
            self._at_end(value, source, part)
        self.memory[result] = target
        self._at[result] = len(self.steps) - 1

    def _is_empty(self, value: Value) -> bool:
        """Whether a value is memory that nobody has written yet."""
        maker = self._makers.get(value)
        return maker is not None and maker.function is np.empty_like and self._floats(value)

    def _place_of(self, instr: Instr, whole: Value) -> Memory | None:
        """The memory of a value, if the instruction may write to it: nothing reads it afterwards."""
        memory = self.memory.get(whole)
        if memory is None or memory.buffer.kind != "own" or memory.buffer.value is not whole:
            maker = self._makers.get(whole)
            again = maker is not None and maker.function in (assign, scattered, np.concatenate)
            if memory is None or memory.buffer.kind != "own" or not again:
                return None
        if memory.offset or memory.strides != dense(whole.shape):
            return None
        now = self._number[instr]
        stack, seen = [whole], {whole}
        while stack:
            value = stack.pop()
            if value in self._outputs:
                return None
            for user in self._users.get(value, ()):
                if user is instr:
                    continue
                if self._number[user] > now:
                    return None
                for result in user.results:
                    if result is None or result in seen:
                        continue
                    seen.add(result)
                    if is_view(user):
                        stack.append(result)
                    elif result not in self._at and not self._within(result, instr):
                        return None  # not computed yet, and not a part of what is written
        return memory

    def _within(self, value: Value, instr: Instr) -> bool:
        """Whether a point that has no step yet is computed in the loop of this instruction."""
        return value in self._tree(instr.args[3]) if instr.function is assign and (
            self._floats(instr.args[3])) else False  # fmt: skip

    def _apart(self, value: Value, part: Memory) -> bool:
        """Whether the loop that writes a value to a place reads that buffer only at the same
        elements, or at other places."""
        tree = self._tree(value) if self._floats(value) else []
        read = {o for v in tree for o in self._points[v].operands if isinstance(o, Value)}
        read |= {self._points[v].source for v in tree if self._points[v].source is not None}
        for each in (read - set(tree)) or {value}:
            memory = self.memory.get(each)
            if memory is None or memory.buffer is not part.buffer or memory.same(part):
                continue
            if memory.overlaps(part):
                return False
        return True

    def _join(self, instr: Instr) -> None:
        """Arrays side by side: a loop for each."""
        result = instr.results[0]
        axis = instr.args[1] if len(instr.args) > 1 else instr.kwargs.get("axis", 0)
        axis %= result.ndim
        memory = self._memory(result)
        begin = 0
        for part in instr.args[0]:
            strides, n = memory.strides, part.shape[axis]
            where = Memory(memory.buffer, part.shape, strides, begin * strides[axis])
            self._store(part, where)
            begin += n
        self._at[result] = len(self.steps) - 1

    def _scatter(self, instr: Instr) -> None:
        """A copy of the array, and a loop that adds to it."""
        result = instr.results[0]
        array, places, values, *indices = instr.args
        target = self._place_of(instr, array)
        if target is None:
            target = self._memory(result)
            self._store(array, target)
        self._read([values, *indices])
        loop = Loop(values.shape)
        loop.closed = True
        loop.scatters.append((values, target, places, indices))
        self.steps.append(loop)
        self.memory[result] = target
        self._at[result] = len(self.steps) - 1

    # Outputs

    def _kept(self, value: Value) -> Memory | None:
        """A copy of an output's value that lies in memory which the program writes to."""
        memory = self.memory.get(value)
        targets = {self.memory[o.target].buffer for o in self.program.outputs if o.target}
        if memory is None or memory.buffer not in targets:
            return None
        return self._copy(value)[1]

    def _take(self, number: int, output: Output) -> Memory | None:
        """The memory that takes an output: what was computed, if it can be computed there, else a
        copy of it, made at the end. None where only NumPy can write."""
        value = output.value
        if not known(value.dtype) or self.memory.get(value, _NONE).buffer.kind == "odd" or (
            output.target is not None and self.memory[output.target].buffer.kind == "odd"
        ):  # fmt: skip
            self._memory(value)
            return None
        kept = self._sources[value]
        if output.target is None:
            return self._result(number, value, kept)
        target = self.memory[output.target]
        at = self._at[value]
        if kept is None and self._can_write(value, at, target):
            if value in self.memory:
                self.memory[value].buffer.becomes(target)
            self.memory[value] = target
        else:
            self._at_end(value, kept or self._memory(value), target)
        return target

    def _can_write(self, value: Value, at: int, target: Memory) -> bool:
        """Whether a loop can write a value straight to the memory of an input: nothing after it
        reads what was there, nor does the loop itself but at the same element."""
        if at < self.commit:
            return False
        loop = self.steps[at]
        if not isinstance(loop, Loop) or value not in loop.points or loop.domain != target.shape:
            return False
        if any(self.memory[v].buffer is target.buffer for v in loop.sources()):
            return False
        own = self.memory.get(value)
        if own is not None and own.buffer.kind != "own":
            return False
        if own is not None and own.strides != target.strides:
            return False
        for n in range(at, len(self.steps)):
            for memory in self._reads(n):
                if memory.buffer is target.buffer and (n > at or not memory.same(target)):
                    return False
            if n > at and any(w.buffer is target.buffer for w in self._writes(n)):
                return False
        return True

    def _at_end(self, value: Value, source: Memory, target: Memory) -> None:
        """A loop at the end that copies from memory to memory."""
        loop = Loop(target.shape)
        loop.closed = True
        loop.copies.append((source, target))
        self.steps.append(loop)

    def _result(self, number: int, value: Value, kept: Memory | None) -> Memory:
        """The memory of an output that is a new array."""
        memory = kept or self.memory.get(value)
        buffer = Buffer("result", value.dtype, max(value.size, 1), number)
        target = Memory(buffer, value.shape, self._strides(self.program.outputs[number]))
        if memory is None:  # made in a loop, which writes it there
            self.memory[value] = target
        elif memory.buffer.kind == "own" and memory.same(
            Memory(memory.buffer, value.shape, target.strides)
        ) and memory.buffer.size == max(value.size, 1):  # fmt: skip
            memory.buffer.kind, memory.buffer.value = "result", number
            return memory
        else:
            self._at_end(value, memory, target)
        self.buffers.append(buffer)
        return target

    def _strides(self, output: Output) -> tuple[int, ...]:
        """How a new array lies: as in the capture, if that is without gaps."""
        shape, item = output.value.shape, output.value.dtype.itemsize
        order = order_of(shape, output.strides)
        packed = dense(tuple(shape[d] for d in order))
        strides = [0] * len(shape)
        for d, s in zip(order, packed, strict=True):
            strides[d] = s
        fits = all(n == 1 or s * item == t
                   for n, s, t in zip(shape, strides, output.strides, strict=True))  # fmt: skip
        return tuple(strides) if fits else dense(shape)

    # What steps read and write

    def _reads(self, n: int) -> list[Memory]:
        step = self.steps[n]
        if isinstance(step, Loop):
            values = [v for v in step.read() if v not in step.points]
            values += [v for v, _ in step.stores if v not in step.points]
            values += [o for _, _, o, _, _ in step.reduces if o not in step.points]
            for value, _, _, indices in step.scatters:
                values += [value, *indices]
            values += step.sources()
            found = [self.memory[v] for v in dict.fromkeys(values)]
            return found + [source for source, _ in step.copies]
        elif isinstance(step, Product):
            return [step.a, step.b]
        else:
            values = list(step.instr.values())
        return [self.memory[v] for v in dict.fromkeys(values)]

    def _writes(self, n: int) -> list[Memory]:
        step = self.steps[n]
        if isinstance(step, Loop):
            found = [to for _, to in (*step.stores, *step.copies)]
            found += [to for _, to, _, _ in step.scatters]
            found += [self.memory[v] for v in step.points if v in self.memory]
            return found + [self.memory[r[0]] for r in step.reduces]
        results = [step.result] if isinstance(step, Product) else step.instr.results
        return [self.memory[r] for r in results if r is not None]

    def _lifetimes(self) -> None:
        """When the content of each buffer is wanted."""
        for n in range(len(self.steps)):
            for memory in (*self._reads(n), *self._writes(n)):
                buffer = memory.buffer
                buffer.first, buffer.last = min(buffer.first, n), max(buffer.last, n)
        for guard in self.program.guards:
            self.memory[guard.value].buffer.last = len(self.steps)


_NONE = Memory(Buffer("none", np.dtype(bool), 0), (), ())


def _can_assign(instr: Instr) -> bool:
    """Whether writing to a part can be done by loops."""
    whole, path, _, value = instr.args
    if not known(whole.dtype) or whole.dtype != value.dtype or next(values_in(path), None):
        return False
    return all(f is operator.getitem or (f in VIEWS and f is not restrided) for f, _, _ in path)


def _can_join(instr: Instr) -> bool:
    """Whether a concatenation can be done by loops."""
    parts, result = instr.args[0], instr.results[0]
    axis = instr.args[1] if len(instr.args) > 1 else instr.kwargs.get("axis", 0)
    if not isinstance(parts, (tuple, list)) or not isinstance(axis, int) or not known(result.dtype):
        return False
    return set(instr.kwargs) <= {"axis"} and all(
        isinstance(p, Value) and known(p.dtype) and p.ndim == result.ndim for p in parts
    )
