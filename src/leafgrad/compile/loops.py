"""What programs become: loops, products, NumPy calls, and the memory between them.

    Loop     elementwise instructions and reductions over one shape, the domain: one pass over memory
    Product  a matrix product, for BLAS
    Host     any other instruction: a NumPy call

and which instruction can be what. `lowering` puts a program together from these.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import llvm
from .program import Instr, Value, diagonal, gathered, recast, restrided, ufunc_of

__all__ = ["Buffer", "Host", "Loop", "Memory", "Point", "Product"]


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

    def overlaps(self, other: Memory) -> bool:
        """Whether two places of one buffer have an element in common."""
        reach = [
            [m.offset + sum(f(0, s * (n - 1)) for s, n in zip(m.strides, m.shape, strict=True))
             for f in (min, max)] for m in (self, other)
        ]  # fmt: skip
        low = min(r[0] for r in reach)
        raw = np.empty(max(r[1] for r in reach) - low + 1, np.uint8)
        one, two = (np.ndarray(m.shape, np.uint8, raw, m.offset - low, m.strides)
                    for m in (self, other))  # fmt: skip
        try:
            return bool(np.shares_memory(one, two, max_work=100_000))  # type: ignore[arg-type]
        except np.exceptions.TooHardError:
            return True

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
            if not each.size:
                places.append(Memory(self.buffer, each.shape, dense(each.shape), self.offset))
                continue
            if not np.may_share_memory(each, raw) or each.itemsize != item:
                return None
            offset = each.__array_interface__["data"][0] - begin
            if any(s % item for s in each.strides) or offset % item:
                return None
            strides = tuple(s // item for s in each.strides)
            buffer = self.buffer
            places.append(Memory(buffer, each.shape, strides, self.offset + offset // item))
        return tuple(places) if isinstance(found, (tuple, list)) else places[0]


def resolved(memory: Memory) -> tuple[int, Buffer]:
    """The offset and the buffer of a place, through what became of it."""
    offset, buffer = memory.offset, memory.buffer
    while buffer.kind == "same":
        offset += buffer.value.offset
        buffer = buffer.value.buffer
    return offset, buffer


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

    op: a name of `llvm.OPS`, "copy", or "gather"; operands: values or numbers; of a gather they are
    indices, and it reads `source`, by `places` (`program.gathered`)
    """

    __slots__ = ("kinds", "op", "operands", "places", "source")

    def __init__(self, op: str, operands: Any, kinds: Any, source: Any = None,
                 places: Any = None) -> None:  # fmt: skip
        self.op, self.operands, self.kinds = op, operands, kinds
        self.source, self.places = source, places


class Loop:
    """One pass over a domain.

    points: what is computed, in order; reduces: (value, kind, operand, axes, dtype); stores:
    (value, where to), besides those that have memory; copies: (from, to); scatters: (value, where
    to, places, indices): what is added at indices; axes: of the reductions, but for those of all
    elements; closed: nothing more is put into it
    """

    __slots__ = ("axes", "closed", "copies", "domain", "points", "reduces", "scatters", "stores")

    def __init__(self, domain: tuple[int, ...]) -> None:
        self.domain = domain
        self.points: dict[Value, Point] = {}
        self.reduces: list[tuple[Value, str, Any, tuple[int, ...], Any]] = []
        self.stores: list[tuple[Value, Memory]] = []
        self.copies: list[tuple[Memory, Memory]] = []
        self.scatters: list[tuple[Value, Memory, Any, Any]] = []
        self.axes: tuple[int, ...] | None = None
        self.closed = False

    @property
    def size(self) -> int:
        count = 1
        for n in self.domain:
            count *= n
        return count

    def read(self) -> set[Value]:
        """The values that the points are computed from."""
        return {o for p in self.points.values() for o in p.operands if isinstance(o, Value)}

    def sources(self) -> set[Value]:
        """The values that it gathers from."""
        return {p.source for p in self.points.values() if p.source is not None}

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


def known(dtype: Any) -> bool:
    return dtype.name in llvm.DTYPES


_INT64 = np.dtype(np.int64)
_FILLS: dict[Any, Any] = {np.zeros: 0, np.zeros_like: 0, np.ones: 1, np.ones_like: 1,
                          np.empty_like: 0}  # fmt: skip


def point_of(instr: Instr) -> Point | None:
    """An instruction as an elementwise operation, if it is one that loops can do."""
    function, args, kwargs = instr.function, instr.args, instr.kwargs
    if instr.several or instr.results[0] is None:
        return None
    result = instr.results[0]
    if not known(result.dtype):
        return None
    if function is gathered:
        array, _, places, *indices = args
        return Point("gather", indices, (_INT64,) * len(indices), array, places)
    if function is recast and args[0].dtype.kind == "b" and result.dtype.itemsize == 1:
        return Point("copy", (args[0],), (result.dtype,))
    ufunc, method = ufunc_of(function)
    if ufunc is not None and method == "__call__":
        return _of_ufunc(ufunc, args, kwargs, result)
    if method == "reduce" and isinstance(args[0], Value) and not args[0].shape:
        fits = ufunc in _REDUCTIONS and known(args[0].dtype)
        return Point("copy", (args[0],), (result.dtype,)) if fits else None
    if function in _FILLS:
        return Point("copy", (_FILLS[function],), (result.dtype,))
    if function in (np.full, np.full_like) and not isinstance(args[1], (list, tuple)):
        value = args[1]
        if isinstance(value, Value) and value.shape:
            return None
        return Point("copy", (value,), (result.dtype,))
    if function is np.ndarray.astype or function in (np.copy, np.ndarray.copy):
        return Point("copy", (args[0],), (result.dtype,)) if known(args[0].dtype) else None
    if function is np.broadcast_to:
        return Point("copy", (args[0],), (result.dtype,)) if known(args[0].dtype) else None
    if function is np.where and len(args) == 3:
        condition = args[0]
        if not isinstance(condition, Value) or condition.dtype.kind != "b":
            return None
        if any(isinstance(a, Value) and not known(a.dtype) for a in args):
            return None
        return Point("where", args, (condition.dtype, result.dtype, result.dtype))
    if function is np.clip and len(args) == 3 and not kwargs and None not in args[1:]:
        if any(isinstance(a, Value) and a.dtype != result.dtype for a in args):
            return None
        return (
            Point("clip", args, (result.dtype,) * 3) if _supported("clip", result.dtype) else None
        )
    return None


def _supported(name: str, dtype: Any) -> bool:
    return known(dtype) and llvm.supported(name, dtype.name)


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
    if made != result.dtype or not all(map(known, kinds)):
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
    if not known(operand.dtype) or not known(kind_of) or not ndim:
        return None
    if kind in ("max", "min") and operand.dtype != kind_of:
        return None
    return kind, operand, axes, kind_of


# Functions whose result is a view of an array that lies in memory
VIEWS = {np.transpose, np.reshape, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze,
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
    return function in VIEWS and isinstance(instr.args[0], Value)


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
