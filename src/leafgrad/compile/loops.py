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

from . import llvm
from .program import (
    Const,
    Input,
    Instr,
    Output,
    Program,
    Value,
    assign,
    diagonal,
    place,
    restrided,
    ufunc_of,
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
    axes, dtype); stores: (value, where to)"""

    def __init__(self, domain: tuple[int, ...]) -> None:
        self.domain = domain
        self.points: dict[Value, Point] = {}
        self.reduces: list[tuple[Value, str, Any, tuple[int, ...], Any]] = []
        self.stores: list[tuple[Value, Memory]] = []
        self.axes: tuple[int, ...] | None = None  # of the reductions, but for those of all

    @property
    def size(self) -> int:
        count = 1
        for n in self.domain:
            count *= n
        return count


class Product:
    """`out = a @ b`, of two matrices, a matrix and a vector, or likewise for a batch."""

    def __init__(self, result: Value, a: Value, b: Value) -> None:
        self.result, self.a, self.b = result, a, b


class Host:
    """An instruction that NumPy runs. copies: its results that loops or products read"""

    def __init__(self, instr: Instr) -> None:
        self.instr = instr
        self.copies: list[Value] = []


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
        found = ufunc.resolve_dtypes((*kinds, None), signature=(
            None if wanted is None else (None,) * len(kinds) + (np.dtype(wanted),)))  # fmt: skip
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
    """A program as steps. steps: in order; memory: where values lie that have memory; outputs: per
    output of the program its memory; guards: per guard its value's
    """

    def __init__(self, program: Program, late: frozenset[Value] = frozenset()) -> None:
        self.program = program
        self.steps: list[Any] = []
        self.memory: dict[Value, Memory] = {}
        self.buffers: list[Buffer] = []
        self._makers = program.makers()
        self._points: dict[Value, Point] = {}
        self._reductions: dict[Value, Any] = {}
        self._at: dict[Value, int] = {}  # the step that computes a value
        self._wanted: set[Value] = set()  # values that need memory
        for instr in program.instrs:
            self._classify(instr)
        for instr in program.instrs:
            self._root(instr)
        for value in program.wanted():
            self._demand(value)
        self._commit_point = len(self.steps)
        self.places = [self._output(o) for o in program.outputs]
        self._lay_out()

    # What instructions are

    def _classify(self, instr: Instr) -> None:
        if instr.effect:
            return
        point = point_of(instr)
        if point is not None:
            self._points[instr.results[0]] = point
            return
        reduction = reduction_of(instr)
        if reduction is not None:
            self._reductions[instr.results[0]] = reduction

    def _root(self, instr: Instr) -> None:
        """Make steps of the instructions that are not elementwise, in order."""
        result = instr.results[0] if instr.results else None
        if instr.effect:
            self._host(instr)
        elif result in self._points or result in self._reductions or is_view(instr):
            return
        elif is_product(instr):
            return
        elif instr.function is assign and self._assignable(instr):
            return

    # Where values are computed

    def _ready(self, value: Value) -> int:
        """The first step that can read a value's memory; the value is computed, if it is not."""
        if isinstance(value, (Input, Const)):
            return 0
        self._demand(value)
        return self._at[value] + 1

    def _demand(self, value: Value) -> None:
        """Let a value be computed, into memory."""
        if isinstance(value, (Input, Const)):
            return
        self._wanted.add(value)
        self._compute(value)

    def _compute(self, value: Value) -> None:
        """Find the step for a value."""
        stack = [value]  # operands first, without recursion: chains are long
        while stack:
            top = stack[-1]
            if top in self._at or isinstance(top, (Input, Const)):
                stack.pop()
                continue
            missing = [v for v in self._needs(top) if v not in self._at
                       and not isinstance(v, (Input, Const))]  # fmt: skip
            if missing:
                stack += missing
                continue
            stack.pop()
            self._place(top)

    def _needs(self, value: Value) -> list[Value]:
        """What must be computed before a value can be placed. A point's own operands that are
        points of the same domain are placed with it."""
        point = self._points.get(value)
        if point is not None:
            return self._leaves(value)
        reduction = self._reductions.get(value)
        if reduction is not None:
            operand = reduction[1]
            return self._leaves(operand) if self._floats(operand) else [operand]
        return list(self._makers[value].values())

    def _floats(self, value: Any) -> bool:
        """Whether a value is a point that has no step yet."""
        return value in self._points and value not in self._at

    def _leaves(self, value: Value) -> list[Value]:
        """The values that a tree of points not yet placed, of one domain, begins with."""
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
                continue
            if top in seen:
                continue
            seen.add(top)
            stack.append((top, True))
            for each in self._points[top].operands:
                if isinstance(each, Value) and self._floats(each) and each.shape == value.shape:
                    stack.append((each, False))
        return order

    def _place(self, value: Value) -> None:
        if value in self._points:
            self._into_loop(value, value.shape)
        elif value in self._reductions:
            self._reduce(value)
        else:
            instr = self._makers[value]
            if is_view(instr) and self._view(instr):
                return
            if is_product(instr):
                for operand in instr.args:
                    self._wanted.add(operand)
                self.steps.append(Product(value, *instr.args))
                self._at[value] = len(self.steps) - 1
                self._wanted.add(value)
            elif instr.function is assign and self._assignable(instr):
                self._assign(instr)
            else:
                self._host(instr)

    def _into_loop(self, value: Value, domain: tuple[int, ...],
                   axes: tuple[int, ...] | None = None) -> int:  # fmt: skip
        """Put a tree of points into a loop; returns which step that is."""
        floating = self._floats(value)
        leaves = self._leaves(value) if floating else [value]
        low = 0
        joined = False
        for leaf in leaves:
            if isinstance(leaf, (Input, Const)):
                continue
            step = self._at[leaf]
            inside = self._inside(leaf, step, domain)
            if step + (not inside) > low or (inside and step == low):
                low, joined = step + (not inside), inside
        at = self._loop_for(low, joined, domain, axes, leaves)
        loop = self.steps[at]
        for leaf in leaves:
            if isinstance(leaf, Value) and not isinstance(leaf, (Input, Const)):
                if self._at[leaf] != at or not self._inside(leaf, at, domain):
                    self._wanted.add(leaf)
        if floating:
            for each in self._tree(value):
                loop.points[each] = self._points[each]
                self._at[each] = at
        if axes is not None and len(axes) < len(domain):
            loop.axes = axes
        return at

    def _inside(self, value: Value, step: int, domain: tuple[int, ...]) -> bool:
        """Whether a value is a point of a loop with this domain, to be used there as it is."""
        loop = self.steps[step]
        return isinstance(loop, Loop) and value in loop.points and loop.domain == domain

    def _loop_for(self, low: int, joined: bool, domain: tuple[int, ...],
                  axes: tuple[int, ...] | None, leaves: list[Value]) -> int:  # fmt: skip
        """The step from `low` on that a tree over a domain can be put into; a new one if none."""
        size = 1
        for n in domain:
            size *= n
        for at in range(low, len(self.steps)):
            loop = self.steps[at]
            if not isinstance(loop, Loop) or loop.domain != domain:
                continue
            if axes is not None and len(axes) < len(domain) and loop.axes not in (None, axes):
                continue
            if (joined and at == low) or size <= _SMALL or self._shares(loop, leaves):
                return at
        self.steps.append(Loop(domain))
        return len(self.steps) - 1

    def _shares(self, loop: Loop, leaves: list[Value]) -> bool:
        """Whether a loop reads, or makes, one of these values over its whole domain."""
        mine = {o for p in loop.points.values() for o in p.operands if isinstance(o, Value)}
        mine.update(loop.points)
        return any(v in mine and v.shape == loop.domain for v in leaves)

    def _reduce(self, value: Value) -> None:
        kind, operand, axes, dtype = self._reductions[value]
        at = self._into_loop(operand, operand.shape, axes)
        self.steps[at].reduces.append((value, kind, operand, axes, dtype))
        self._at[value] = at
        self._wanted.add(value)

    def _view(self, instr: Instr) -> bool:
        """Another look at memory; False if it has to be a copy."""
        source = instr.args[0]
        function = instr.function
        if source.size and source.strides != () and function in (np.reshape, np.ravel,
            np.ndarray.reshape, np.ndarray.ravel):  # fmt: skip
            pass
        self._wanted.add(source)
        at = self._at.get(source, -1)
        for result in instr.results:
            if result is not None:
                self._at[result] = at
                self._wanted.add(result)
        return True

    def _assignable(self, instr: Instr) -> bool:
        """Whether writing to a part can be done by loops."""
        whole, path, strides, value = instr.args
        if not _known(whole.dtype) or not _known(value.dtype):
            return False
        if any(True for _ in _values(path)):
            return False
        return all(
            f is operator.getitem or f in _VIEWS for f, _, _ in path
        ) and not any(f is restrided for f, _, _ in path)

    def _assign(self, instr: Instr) -> None:
        """A copy of the whole, then the part: two loops into the same memory."""
        result = instr.results[0]
        whole, path, _, value = instr.args
        buffer = self._new("own", result)
        target = Memory(buffer, result.shape, dense(result.shape))
        part = target.seen(lambda x: place(x, path), (), {})
        if part is None:
            self._host(instr)
            return
        for source, to in ((whole, target), (value, part)):
            low = self._ready(source) if not self._floats(source) else 0
            del low
            self._store(source, to)
        self.memory[result] = target
        self._at[result] = len(self.steps) - 1
        self._wanted.add(result)

    def _store(self, source: Value, target: Memory) -> int:
        """Write a value to memory, in a loop of its own at the end."""
        leaves = self._leaves(source) if self._floats(source) else [source]
        loop = Loop(target.shape)
        at = len(self.steps)
        self.steps.append(loop)
        if self._floats(source) and source.shape == target.shape:
            for each in self._tree(source):
                loop.points[each] = self._points[each]
                self._at[each] = at
        for leaf in leaves:
            if not isinstance(leaf, (Input, Const)):
                self._wanted.add(leaf)
        loop.stores.append((source, target))
        return at

    def _host(self, instr: Instr) -> None:
        for value in instr.values():
            self._demand(value)
        self.steps.append(Host(instr))
        for result in instr.results:
            if result is not None:
                self._at[result] = len(self.steps) - 1
                self._wanted.add(result)

    # Outputs

    def _output(self, output: Output) -> Memory:
        raise NotImplementedError

    def _new(self, kind: str, value: Value) -> Buffer:
        buffer = Buffer(kind, value.dtype, max(value.size, 1), value)
        self.buffers.append(buffer)
        return buffer

    def _lay_out(self) -> None:
        raise NotImplementedError


def _values(tree: Any) -> Any:
    from .program import values_in

    return values_in(tree)
