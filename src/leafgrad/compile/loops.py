"""From programs to loops: which instructions share a loop, and where their values lie in memory.

A program becomes a list of steps in order:

    Loop     elementwise instructions and reductions over one shape, the domain: one pass over memory
    Product  a matrix product, for BLAS
    Host     any other instruction: a NumPy call

Values are computed where they are wanted. An instruction goes into the loop that makes its operands,
if that has the same domain, else into one after all that it needs; so a chain of elementwise
operations is one loop, with the reductions at its end. Only what another step reads has memory: a
place (`Memory`) in a `Buffer`. Views are other places in the same buffer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import blas, llvm
from .program import (
    Const,
    Instr,
    Output,
    Program,
    Value,
    assign,
    diagonal,
    place,
    restrided,
    ufunc_of,
    values_in,
)

__all__ = ["Buffer", "Host", "Loop", "Lowering", "Memory", "Product"]

_SMALL = 4096  # elements up to which unrelated loops of one shape are joined


class Buffer:
    """Memory of a plan: `kind` is "input", "const", "result", or "own" for what is reused.

    size: its elements; first, last: the steps between which its content is wanted; slot: the place
    of its address in the table; value: what it is the memory of
    """

    __slots__ = ("dtype", "first", "kind", "last", "offset", "size", "slot", "value")

    def __init__(self, kind: str, dtype: Any, size: int, value: Any = None) -> None:
        self.kind, self.dtype, self.size, self.value = kind, dtype, size, value
        self.first, self.last = 1 << 30, -1
        self.slot = self.offset = -1

    def becomes(self, memory: Memory) -> None:
        """Be the memory of something else: every place in it is one there."""
        self.kind, self.value = "same", memory

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize


class Memory:
    """A place in a buffer: shape, and strides and offset in elements."""

    __slots__ = ("buffer", "offset", "shape", "strides")

    def __init__(self, buffer: Buffer, shape: Any, strides: Any, offset: int = 0) -> None:
        self.buffer, self.offset = buffer, offset
        self.shape, self.strides = tuple(shape), tuple(strides)

    @property
    def dtype(self) -> Any:
        return self.buffer.dtype

    def same(self, other: Memory) -> bool:
        """Whether two places are the same elements in the same order."""
        return (self.buffer is other.buffer and self.offset == other.offset
                and self.shape == other.shape and self.strides == other.strides)  # fmt: skip

    def seen(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """The place that a view function makes of this one (a tuple, of several); None if it
        copies. Found out by calling it, on memory that is not touched."""
        item = self.dtype.itemsize
        low = sum(min(0, s * (n - 1)) for s, n in zip(self.strides, self.shape, strict=True))
        high = sum(max(0, s * (n - 1)) for s, n in zip(self.strides, self.shape, strict=True))
        if 0 in self.shape:
            low = high = 0
        raw = np.empty((high - low + 1) * item, np.uint8)
        steps = tuple(s * item for s in self.strides)
        dummy: Any = np.ndarray(self.shape, self.dtype, raw, -low * item, steps)
        begin = dummy.__array_interface__["data"][0]
        found = function(dummy, *args, **kwargs)
        places = []
        for each in found if isinstance(found, (tuple, list)) else (found,):
            if not np.may_share_memory(each, raw) or each.itemsize != item:
                return None
            offset = each.__array_interface__["data"][0] - begin if each.size else 0
            if any(s % item for s in each.strides) or offset % item:
                return None
            strides = tuple(s // item for s in each.strides)
            buffer = self.buffer
            places.append(Memory(buffer, each.shape, strides, self.offset + offset // item))
        return tuple(places) if isinstance(found, (tuple, list)) else places[0]


def order_of(shape: Any, strides: Any) -> list[int]:
    """Axes from the one with the greatest stride on; axes of size 1 where they stand."""
    ranked = iter(sorted((d for d, n in enumerate(shape) if n != 1), key=lambda d: -strides[d]))
    return [d if n == 1 else next(ranked) for d, n in enumerate(shape)]


def dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of C's order, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(strides[::-1])


class Point:
    """An elementwise operation: `op` of the operands, each cast to the dtype beside it.

    op: a name of `llvm.OPS`, or "copy"; operands: values or numbers
    """

    __slots__ = ("kinds", "op", "operands")

    def __init__(self, op: str, operands: Any, kinds: Any) -> None:
        self.op, self.operands, self.kinds = op, operands, kinds


class Loop:
    """One pass over a domain. points: what is computed, in order; reduces: (value, kind, operand,
    axes, dtype); stores: (value, where to), besides those that have memory; copies: (from, to);
    axes: of the reductions, but for those of all elements; closed: nothing more is put into it"""

    __slots__ = ("axes", "closed", "copies", "domain", "points", "reduces", "stores")

    def __init__(self, domain: tuple[int, ...]) -> None:
        self.domain = domain
        self.points: dict[Value, Point] = {}
        self.reduces: list[tuple[Value, str, Any, tuple[int, ...], Any]] = []
        self.stores: list[tuple[Value, Memory]] = []
        self.copies: list[tuple[Memory, Memory]] = []
        self.axes: tuple[int, ...] | None = None
        self.closed = False

    def read(self) -> set[Value]:
        """The values that the points are computed from."""
        return {o for p in self.points.values() for o in p.operands if isinstance(o, Value)}

    def shares(self, values: list[Value]) -> bool:
        """Whether it reads or makes one of these values over its whole domain."""
        mine = self.read() | set(self.points)
        return any(v in mine and v.shape == self.domain for v in values)


class Product:
    """`result = a @ b`, of two matrices, a matrix and a vector, or a batch of matrices; a and b
    are places that BLAS can read."""

    def __init__(self, result: Value, a: Memory, b: Memory) -> None:
        self.result, self.a, self.b = result, a, b


class Host:
    """An instruction that NumPy runs."""

    def __init__(self, instr: Instr) -> None:
        self.instr = instr


# Instructions as elementwise operations


def _dtype(operand: Any) -> Any:
    """What stands for an operand in NumPy's rules for dtypes."""
    if isinstance(operand, Value):
        return operand.dtype
    if isinstance(operand, np.generic):
        return operand.dtype
    return type(operand)


def _known(dtype: Any) -> bool:
    return dtype.name in llvm.DTYPES


_FILLS: dict[Any, Any] = {np.zeros: 0, np.zeros_like: 0, np.ones: 1, np.ones_like: 1}


def point_of(instr: Instr) -> Point | None:
    """An instruction as an elementwise operation, if it is one that loops can do."""
    function, args, kwargs = instr.function, instr.args, instr.kwargs
    if instr.several or instr.results[0] is None:
        return None
    result = instr.results[0]
    if not _known(result.dtype):
        return None
    ufunc, method = ufunc_of(function)
    if ufunc is not None and method == "__call__":
        return _of_ufunc(ufunc, args, kwargs, result)
    if method == "reduce" and isinstance(args[0], Value) and not args[0].shape:
        known = ufunc in _REDUCTIONS and _known(args[0].dtype)
        return Point("copy", (args[0],), (result.dtype,)) if known else None
    if function in _FILLS:
        return Point("copy", (_FILLS[function],), (result.dtype,))
    if function in (np.full, np.full_like) and not isinstance(args[1], (list, tuple)):
        value = args[1]
        if isinstance(value, Value) and value.shape:
            return None
        return Point("copy", (value,), (result.dtype,))
    if function is np.ndarray.astype or function in (np.copy, np.ndarray.copy):
        return Point("copy", (args[0],), (result.dtype,)) if _known(args[0].dtype) else None
    if function is np.broadcast_to:
        return Point("copy", (args[0],), (result.dtype,)) if _known(args[0].dtype) else None
    if function is np.where and len(args) == 3:
        condition = args[0]
        if not isinstance(condition, Value) or condition.dtype.kind != "b":
            return None
        if any(isinstance(a, Value) and not _known(a.dtype) for a in args):
            return None
        return Point("where", args, (condition.dtype, result.dtype, result.dtype))
    if function is np.clip and len(args) == 3 and not kwargs and None not in args[1:]:
        if any(isinstance(a, Value) and a.dtype != result.dtype for a in args):
            return None
        return Point("clip", args, (result.dtype,) * 3) if _supported("clip", result.dtype) else None
    return None


def _supported(name: str, dtype: Any) -> bool:
    return _known(dtype) and llvm.supported(name, dtype.name)


def _of_ufunc(ufunc: Any, args: Any, kwargs: Any, result: Value) -> Point | None:
    given = dict(kwargs)
    wanted = given.pop("dtype", None)
    if given or ufunc.nout != 1 or not all(
        isinstance(a, (Value, np.generic, bool, int, float)) for a in args
    ):  # fmt: skip
        return None
    kinds = [_dtype(a) for a in args]
    try:
        if wanted is None:
            found = ufunc.resolve_dtypes((*kinds, None))
        else:
            signature = (*(None,) * len(kinds), np.dtype(wanted))
            found = ufunc.resolve_dtypes((*kinds, None), signature=signature)
    except TypeError:
        return None
    *kinds, made = found
    if made != result.dtype or not all(map(_known, kinds)):
        return None
    name = ufunc.__name__
    if name in ("positive", "conjugate"):
        return Point("copy", args, kinds)
    if name == "matmul" or ufunc.signature is not None or not _supported(name, kinds[0]):
        return None
    if len(set(kinds)) > 1:
        return None
    return Point(name, args, kinds)


_REDUCTIONS = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min",
    np.logical_and: "all", np.logical_or: "any",
}  # fmt: skip
_METHODS = {np.sum: np.add, np.ndarray.sum: np.add, np.prod: np.multiply, np.all: np.logical_and,
            np.any: np.logical_or, np.amax: np.maximum, np.amin: np.minimum, np.max: np.maximum,
            np.min: np.minimum, np.ndarray.max: np.maximum, np.ndarray.min: np.minimum,
            np.ndarray.all: np.logical_and, np.ndarray.any: np.logical_or,
            np.ndarray.prod: np.multiply}  # fmt: skip


def reduction_of(instr: Instr) -> Any:
    """(kind, operand, axes, dtype) of a reduction that loops can do."""
    function, args, kwargs = instr.function, instr.args, dict(instr.kwargs)
    ufunc, method = ufunc_of(function)
    axis: Any = None
    if method == "reduce":
        axis = 0
    else:
        ufunc = _METHODS.get(function)
    kind = _REDUCTIONS.get(ufunc)
    if kind is None or instr.several or not isinstance(args[0], Value):
        return None
    operand = args[0]
    if len(args) > 1:
        axis = args[1]
    axis = kwargs.pop("axis", axis)
    wanted = kwargs.pop("dtype", None)
    kwargs.pop("keepdims", None)
    if kwargs or len(args) > 2 or operand.size == 0:
        return None
    ndim = operand.ndim
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(sorted(a % max(ndim, 1) for a in axes))
    result = instr.results[0]
    kind_of = np.dtype(wanted) if wanted is not None else result.dtype
    if kind in ("all", "any"):
        kind_of = np.dtype(bool)
    elif kind_of != result.dtype:
        return None
    if not _known(operand.dtype) or not _known(kind_of) or not ndim:
        return None
    if kind in ("max", "min") and operand.dtype != kind_of:
        return None
    return kind, operand, axes, kind_of


# Functions whose result is a view of an array that lies in memory
_VIEWS = {np.transpose, np.reshape, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze,
          np.broadcast_to, np.ravel, np.flip, diagonal, restrided, np.split, np.atleast_1d,
          np.ndarray.reshape, np.ndarray.ravel, np.ndarray.flatten, np.real}  # fmt: skip


def is_view(instr: Instr) -> bool:
    """Whether an instruction only looks at its first argument in another way."""
    function = instr.function
    if function is operator.getitem:
        index = instr.args[1]
        parts = index if index.__class__ is tuple else (index,)
        return all(
            p is None or p is Ellipsis or p.__class__ in (int, slice) or isinstance(p, np.integer)
            for p in parts
        ) and not any(isinstance(e, Value) for p in parts if p.__class__ is slice
                      for e in (p.start, p.stop, p.step))  # fmt: skip
    if function is np.real and instr.args[0].dtype.kind == "c":
        return False
    return function in _VIEWS and isinstance(instr.args[0], Value)


def is_product(instr: Instr) -> bool:
    """Whether an instruction is a matrix product that BLAS can do."""
    if instr.function not in (np.dot, np.matmul) or instr.kwargs:
        return False
    if not all(isinstance(a, Value) for a in instr.args) or len(instr.args) != 2:
        return False
    a, b = instr.args
    result = instr.results[0]
    if result.dtype.name not in ("float32", "float64") or not a.dtype == b.dtype == result.dtype:
        return False
    if 0 in a.shape or 0 in b.shape:
        return False
    if instr.function is np.dot:
        return 1 <= a.ndim <= 2 and 1 <= b.ndim <= 2 and a.ndim + b.ndim > 2
    return a.ndim >= 2 and b.ndim >= 2 and (a.ndim == b.ndim or min(a.ndim, b.ndim) == 2)


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
            for each in self._points[stack.pop()].operands:
                if not isinstance(each, Value) or each in seen:
                    continue
                seen.add(each)
                if self._floats(each) and each.shape == value.shape:
                    stack.append(each)
                else:
                    found[each] = None
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
            elif instr.function is assign and _can_assign(instr) and not self._odd(instr):
                self._assign(instr)
            else:
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
            if not _known(value.dtype):
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
        low, inside = 0, False
        for leaf in leaves:
            step = self._at[leaf]
            if self._is_in(leaf, step, domain):
                if step >= low:
                    low, inside = step, True
            elif step + 1 > low:
                low, inside = step + 1, False
        at = self._loop_for(low, inside, domain, axes, leaves)
        loop = self.steps[at]
        for leaf in leaves:
            if self._at[leaf] != at or leaf not in loop.points:
                self._memory(leaf)
        if self._floats(value):
            for each in self._tree(value):
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
            if (inside and at == low) or size <= _SMALL or loop.shares(leaves):
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
            self._read([source])
            self.steps.append(Host(instr))
            self._done(instr)
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
        """A copy of the whole, then the part: two loops into the same memory."""
        result = instr.results[0]
        whole, path, _, value = instr.args
        buffer = Buffer("own", result.dtype, max(result.size, 1), result)
        target = Memory(buffer, result.shape, dense(result.shape))
        part = target.seen(lambda x: place(x, path), (), {})
        if part is None:
            self._read(instr.values())
            self.steps.append(Host(instr))
            self._done(instr)
            return
        self.buffers.append(buffer)
        self._store(whole, target)
        self._store(value, part)
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
        if not _known(value.dtype) or self.memory.get(value, _NONE).buffer.kind == "odd" or (
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
    if not _known(whole.dtype) or whole.dtype != value.dtype or next(values_in(path), None):
        return False
    return all(f is operator.getitem or (f in _VIEWS and f is not restrided) for f, _, _ in path)
