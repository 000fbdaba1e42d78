"""Capture: run a step once, for real, and note down what is done to arrays.

While a step is captured, every tensor that is read shows a `Captured` in place of its array: a duck
that holds the real array, and knows which `Value` of the program it is. A NumPy call on it is made
on the real arrays at once, so Python sees real shapes and numbers, and becomes an instruction.

Where memory is written, the program stays in SSA form: a `Storage` says which value its memory has
now, a view how it is taken from there. Writing to a view makes a new value of the whole.

What Python learns of a number (`item()`, `if`, an index) becomes a guard. What cannot be followed
marks the capture as failed, with the reason; the step itself goes on, with the right results.
"""

from __future__ import annotations

import operator
import os
import sys
import threading
import weakref
from typing import Any

import numpy as np

from ..duck import Duck, Opaque, address, strided
from ..graph import engine
from ..graph.node import clock
from ..graph.source import INTERNAL
from ..tensor import COUNT, Tensor
from . import watch
from .captured import Captured, Storage, plain, same_elements, same_place
from .program import (
    Const,
    Guard,
    Input,
    Program,
    Value,
    assign,
    changed,
    diagonal,
    recast,
    restrided,
    ufunc_of,
)

__all__ = ["Recorder", "Seen"]

_NUMPY = os.path.dirname(np.__file__) + os.sep
_WALK = engine.walk.__code__
_LARGE = 1024  # bytes from which on a constant array is looked at more closely


def _root(array: Any) -> Any:
    """Whatever owns an array's memory."""
    while True:
        below = getattr(array, "base", None)
        if below is None:
            return array
        array = below


class Seen:
    """A tensor that was there before the step, as it was then."""

    __slots__ = ("array", "cleared", "count", "edge", "extra", "grad", "tensor", "versions")

    def __init__(self, tensor: Any) -> None:
        self.tensor, self.array, self.edge = tensor, watch.get(tensor), tensor._edge
        own = tensor.__dict__
        self.grad, self.cleared = own.get("_grad"), own.get("_cleared")
        self.extra = tuple(own.get(name) for name in _KEPT)
        self.versions, self.count = tensor._versions, tensor._versions[COUNT]

    def restore(self) -> None:
        """Put the tensor back to what it was, but for the content of its memory."""
        t = self.tensor
        watch.put(t, self.array)
        t._edge, t._versions = self.edge, self.versions
        self.versions[COUNT] = self.count
        for name, value in (("_grad", self.grad), ("_cleared", self.cleared)):
            if value is not None:
                t.__dict__[name] = value
            else:
                t.__dict__.pop(name, None)

    def changed(self) -> bool:
        """Whether something changed about it that a replay cannot do again."""
        own = self.tensor.__dict__
        return self.extra != tuple(own.get(name) for name in _KEPT)


_KEPT = ("_extra", "_retains", "_inference", "_accumulator", "_grad_dtype")


class Recorder:
    """One capture: use it as `with recorder: result = step()`.

    program: the instructions so far; seen: the tensors of before, by id; arrays: tensors' plain
    arrays as captured, by the id of the array; scalars: numbers that are read anew at each run: (owner, key,
    Input); failed: why the capture cannot be used, and where
    """

    def __init__(self, name: str = "step") -> None:
        self.program = Program(name)
        self.thread = threading.get_ident()
        self.start = clock()
        self.done = False
        self.failed: tuple[str, Any] | None = None
        self.seen: dict[int, Seen] = {}
        self.arrays: dict[int, Captured] = {}
        self.scalars: list[tuple[Any, Any, Input]] = []
        self.generators: dict[int, tuple[Any, Any]] = {}  # id -> (generator, state before)
        self._scalars: dict[Any, Captured] = {}
        self._made: dict[int, Any] = {}  # id -> weak reference to a tensor made in the step
        self._holders: list[Any] = []  # weak references to tensors that may hold captured arrays
        self._constants: dict[Any, Const] = {}
        self._depth = 0

    # The watch over tensors, generators and optimizers

    def __enter__(self) -> Recorder:
        watch.start(self)
        return self

    def __exit__(self, *exc: object) -> None:
        watch.stop()
        self.done = True
        for seen in self.seen.values():
            self._release(seen.tensor)
        for held in self._holders:
            tensor = held()
            if tensor is not None:
                self._release(tensor)

    def _release(self, tensor: Any) -> None:
        array = watch.get(tensor)
        if array.__class__ is Captured:
            watch.put(tensor, array.held)

    def undo(self) -> None:
        """After a failed step: put everything back to what it was before."""
        for captured in self.arrays.values():
            storage = captured._storage
            if storage.before is not None:
                np.copyto(storage.array, storage.before)
        for seen in self.seen.values():
            seen.restore()
        for generator, state in self.generators.values():
            watch.set_state(generator, state)

    def fail(self, reason: str, mark: Any = None) -> None:
        """The capture cannot be used. The first reason counts."""
        if self.failed is None:
            self.failed = reason, mark if mark is not None else where()[0]

    def note(self, tensor: Any) -> Seen | None:
        """Remember what a tensor of before is like; None for one that was made in the step."""
        key = id(tensor)
        found = self.seen.get(key)
        if found is None and not self.is_new(tensor):
            self.seen[key] = found = Seen(tensor)
        return found

    def is_new(self, tensor: Any) -> bool:
        """Whether a tensor was made in the step."""
        made = self._made.get(id(tensor))
        return made is not None and made() is tensor

    def tensor_read(self, tensor: Any, array: Any) -> Any:
        """What a tensor shows whose own array was not yet captured."""
        if array.__class__ is not np.ndarray:
            if isinstance(array, np.ndarray):
                self.fail(f"a tensor holds an array of {type(array).__name__}")
            return array
        seen = self.note(tensor)
        found = self.arrays.get(id(array))
        if found is None:
            value = self.constant(array) if seen is None else self._input(array)
            found = self.arrays[id(array)] = Captured(self, array, Storage(array, value))
        watch.put(tensor, found)
        self._holders.append(weakref.ref(tensor))
        return found

    def _input(self, array: Any) -> Input:
        value = Input(array)
        self.program.inputs.append(value)
        return value

    def tensor_write(self, tensor: Any, array: Any) -> None:
        """A tensor gets an array: a new one its first, or another takes its place."""
        try:
            watch.get(tensor)
        except AttributeError:
            self._made[id(tensor)] = weakref.ref(tensor)
        else:
            self.note(tensor)
        watch.put(tensor, array)
        if array.__class__ is Captured:
            self._holders.append(weakref.ref(tensor))

    def scalar(self, owner: Any, key: Any, number: float) -> Captured:
        """A number of Python's that is read anew at each run, from `owner[key]`."""
        name = id(owner), key
        found = self._scalars.get(name)
        if found is None:
            array = np.array(number, np.float64)
            value = self._input(array)
            self.scalars.append((owner, key, value))
            found = self._scalars[name] = Captured(self, array, Storage(array, value))
        return found

    # Instructions

    def emit(self, function: Any, args: Any, kwargs: Any, arrays: Any, effect: bool = False) -> Any:
        """Append an instruction."""
        mark, backward, node = where()
        if node is not None and node.seq < self.start and self.failed is None:
            self.fail("a backward pass goes on into a graph from before the step")
        return self.program.emit(function, args, kwargs, arrays, mark=mark, backward=backward,
                                 effect=effect)  # fmt: skip

    def guard(self, value: Value, kind: str, expected: Any) -> None:
        """Python learnt something of a value."""
        if isinstance(value, Const):
            return
        self.program.guards.append(Guard(value, kind, expected, where()[0]))

    def constant(self, array: Any) -> Value:
        """A plain array among the operands: always the same."""
        array = np.asarray(array)
        if array.nbytes <= _LARGE:
            key = array.dtype.str, array.dtype.name, array.shape, array.tobytes()
            found = self._constants.get(key)
            if found is None:
                found = self._constants[key] = Const(array.copy())
            return found
        if not array.dtype.hasobject and not np.any(array.reshape(-1).view(np.uint8)):
            return self.emit(np.zeros, (array.shape, array.dtype), {}, array)  # type: ignore[no-any-return]
        return Const(array.copy())

    def read(self, tree: Any) -> Any:
        """Arguments as the program has them."""
        kind = tree.__class__
        if kind is Captured:
            return tree.value() if tree._recorder is self else self.constant(tree.held)
        if kind is tuple:
            return tuple([self.read(each) for each in tree])
        if kind is list:
            return [self.read(each) for each in tree]
        if kind is dict:
            return {k: self.read(v) for k, v in tree.items()}
        if kind is slice:
            return slice(self.read(tree.start), self.read(tree.stop), self.read(tree.step))
        if isinstance(tree, np.ndarray):
            return self.constant(tree)
        if isinstance(tree, (Tensor, Duck)):
            raise Opaque("another kind of array")
        if isinstance(tree, tuple):
            return tuple([self.read(each) for each in tree])
        return tree

    def call(self, function: Any, args: Any, kwargs: Any) -> Any:
        """A NumPy function on captured arrays."""
        if function in _INFO:
            return function(*plain(args), **plain(kwargs))
        special = _SPECIAL.get(function)
        if special is not None:
            return special(self, *args, **kwargs)
        if kwargs.get("out") is not None:
            return self._into(function, args, dict(kwargs))
        if ufunc_of(function)[1] == "at":
            return self._mutate(function, args, kwargs)
        return self._apply(function, args, kwargs)

    def opaque(self, function: Any, args: Any, kwargs: Any) -> Any:
        """A function that needs real arrays, as one instruction. It must not write to them."""
        real = _locked(args), _locked(kwargs)
        try:
            found = function(*real[0], **real[1])
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            self.fail(f"{_name(function)} writes to its arguments")
            return self._wrapped(None, function(*plain(args), **plain(kwargs)), args)
        arrays = [a for a in _arrays((args, kwargs))]
        if any(_root(f) is _root(a.held) for f in _listed(found) for a in arrays
               if isinstance(f, np.ndarray)):  # fmt: skip
            found = function(*plain(args), **plain(kwargs))  # a view, of arrays not locked
        value = self.emit(function, self.read(args), self.read(kwargs), _as_arrays(found))
        return self._wrapped(value, found, args, (function, args, kwargs))

    def draw(self, generator: Any, method: Any, args: Any, kwargs: Any) -> Any:
        """Random numbers, which each run draws anew."""
        if id(generator) not in self.generators:
            self.generators[id(generator)] = generator, watch.get_state(generator)
        found = method(generator, *plain(args), **plain(kwargs))
        given = self.read(args), self.read(kwargs)
        drawn = isinstance(found, (np.ndarray, np.generic))
        result = np.asarray(found if drawn else 0)
        value = self.emit(method, (generator, *given[0]), given[1], result, effect=True)
        return Captured(self, result, Storage(result, value)) if drawn else found

    def _apply(self, function: Any, args: Any, kwargs: Any) -> Any:
        given = self.read(args), self.read(kwargs)
        found = function(*plain(args), **plain(kwargs))
        if found.__class__ is np.ndarray:
            for each in args:
                if each.__class__ is Captured and each.held is found:
                    return each
        if found is None:
            self.fail(f"{_name(function)} returns nothing")
            return None
        value = self.emit(function, *given, _as_arrays(found))
        return self._wrapped(value, found, args, (function, args, kwargs))

    def _wrapped(self, value: Any, found: Any, args: Any, call: Any = None) -> Any:
        """What a function returned, captured."""
        if isinstance(found, (tuple, list)):
            values = value or (None,) * len(found)
            parts = [
                self._one(v, f, args, call, i)
                for i, (v, f) in enumerate(zip(values, found, strict=True))
            ]
            kind = type(found)
            return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
        return self._one(value, found, args, call, None)

    def _one(self, value: Any, found: Any, args: Any, call: Any, number: int | None) -> Any:
        if not isinstance(found, (np.ndarray, np.generic)):
            if value is not None:
                self.guard(value, "value", np.asarray(found))
            return found
        array = np.asarray(found)
        if value is None:  # of a capture that failed
            value = Const(array)
        owner = _root(array)
        if owner is not array and call is not None:
            for place, each in enumerate(args):
                if each.__class__ is Captured and _root(each.held) is owner:
                    link = self._link(place, number, *call)
                    return Captured(self, array, each._storage, each, link, value)
        return Captured(self, array, Storage(array, value))

    def _link(self, place: int, number: int | None, function: Any, args: Any, kwargs: Any) -> Any:
        """How a view is taken from one of the arguments of the call that made it."""
        if place == 0 and number is None:
            return function, self.read(args[1:]), self.read(kwargs)
        rest = self.read((*args[:place], None, *args[place + 1 :]))
        return picked, (function, place, number, rest, self.read(kwargs)), {}

    # Writes

    def write(self, target: Captured, value: Value) -> None:
        """The memory of `target`, already written for real, has a new value."""
        storage = target._storage
        whole = storage.array
        if target._parent is None or same_place(target.held, whole):
            storage.value = value
        elif same_elements(target.held, whole):
            storage.value = self.emit(np.reshape, (value, whole.shape), {}, whole)
        else:
            path: list[Any] = []
            link = target
            while link._parent is not None:
                path.append(link._link)
                link = link._parent
            args = (storage.value, tuple(path[::-1]), whole.strides, value)
            storage.value = self.emit(assign, args, {}, whole)
        storage.epoch += 1
        target._seen, target._epoch = value, storage.epoch

    def _before(self, target: Any) -> Captured:
        """Make sure that memory can be put back to what it was, before it is written."""
        if target.__class__ is not Captured:
            raise Opaque("a captured array is written to one that is not")
        if any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape, strict=True)):
            self.fail("an expanded tensor is written to")
        storage = target._storage
        if storage.input is not None and storage.before is None:
            storage.before = storage.array.copy()
        return target  # type: ignore[no-any-return]

    def _fitted(self, value: Value, like: Any) -> Value:
        """A value cast and broadcast to what takes it."""
        if value.dtype != like.dtype:
            shape = np.broadcast_to(np.empty((), like.dtype), value.shape)
            value = self.emit(np.ndarray.astype, (value, like.dtype), {}, shape)
        if value.shape != like.shape:
            if value.ndim > like.ndim:  # leading dimensions of size 1
                shape = np.empty(value.shape[value.ndim - like.ndim :], value.dtype)
                value = self.emit(np.reshape, (value, shape.shape), {}, shape)
            if value.shape != like.shape:
                value = self.emit(np.broadcast_to, (value, like.shape), {}, like)
        return value

    def copyto(self, dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
        """np.copyto."""
        target = self._before(dst)
        value = self.read(src)
        if not isinstance(value, Value):
            value = self.constant(np.asarray(src, target.dtype))
        if where is not True:
            self._copy_where(target, value, where, casting, src)
            return
        np.copyto(target.held, plain(src), casting=casting)  # type: ignore[arg-type]
        self.write(target, self._fitted(value, target.held))

    def _copy_where(self, target: Captured, value: Value, mask: Any, casting: Any,
                    src: Any) -> None:  # fmt: skip
        """Write a value where a mask holds."""
        old, given = target.value(), self.read(mask)
        np.copyto(target.held, plain(src), casting=casting, where=plain(mask))
        if value.dtype != old.dtype:
            like = np.broadcast_to(np.empty((), old.dtype), value.shape)
            value = self.emit(np.ndarray.astype, (value, old.dtype), {}, like)
        self.write(target, self.emit(np.where, (given, value, old), {}, target.held))

    def setitem(self, target: Any, index: Any, value: Any) -> None:
        """target[index] = value"""
        self._before(target)
        parts = index if index.__class__ is tuple else (index,)
        basic = all(
            p is None or p is Ellipsis or p.__class__ in (int, slice) or isinstance(p, np.integer)
            for p in parts
        )
        if not basic:
            mask = self._mask(target, index)
            if mask is not None and np.ndim(plain(value)) == 0:
                self.copyto(target, value, "unsafe", mask)
            else:
                self._mutate(operator.setitem, (target, index, value), {})
            return
        if Ellipsis not in parts:
            index = (*parts, Ellipsis)  # a view also of one element
        place = target[index]
        if value.__class__ is Captured and value._storage is place._storage and (
            same_place(value.held, place.held)
        ):  # fmt: skip
            return  # as `x[i] += y` does after it has written there
        self.copyto(place, value, casting="unsafe")

    def _mask(self, target: Captured, index: Any) -> Any:
        """An index that is one mask, as it broadcasts to the target; None for any other."""
        held = plain(index)
        if not isinstance(held, np.ndarray) or held.dtype.kind != "b" or not held.ndim:
            return None
        if held.shape != target.shape[: held.ndim]:
            return None
        return np.reshape(index, (*held.shape, *(1,) * (len(target.shape) - held.ndim)))

    def _mutate(self, function: Any, args: Any, kwargs: Any) -> None:
        """A function that writes to its first argument."""
        target = self._before(args[0])
        given = self.read(args), self.read(kwargs)
        function(*plain(args), **plain(kwargs))
        self.write(target, self.emit(changed, (function, *given[0]), given[1], target.held))

    def _into(self, function: Any, args: Any, kwargs: Any) -> Any:
        """A call with `out`: computed, then written there, which is the same."""
        outs = kwargs.pop("out")
        targets = [self._before(t) for t in (outs if isinstance(outs, tuple) else (outs,))
                   if t is not None]  # fmt: skip
        casting = kwargs.get("casting", "same_kind")
        where = kwargs.pop("where", True)
        if where is not True and ufunc_of(function)[1] != "__call__":
            kwargs["where"], where = where, True
        found = self._apply(function, args, kwargs)
        for target, result in zip(targets, found if isinstance(found, tuple) else (found,),
                                  strict=True):  # fmt: skip
            self.copyto(target, result, casting, where)
        return outs[0] if isinstance(outs, tuple) and len(outs) == 1 else outs

    def as_strided(self, x: Any, shape: Any = None, strides: Any = None, **kwargs: Any) -> Any:
        """np.lib.stride_tricks.as_strided."""
        shape = x.held.shape if shape is None else shape
        return self.window(x, shape, x.held.strides if strides is None else strides, 0)

    def window(self, x: Any, shape: Any, strides: Any, start: int) -> Any:
        """Other places of the memory of an array, laid out as it is now: a view."""
        held, shape, strides = x.held, tuple(shape), tuple(strides)
        if not _within(held, shape, strides, start):
            whole = x._storage.array
            if held.dtype != whole.dtype:
                self.fail("memory is read beyond a tensor's own")
            else:  # seen from all of the memory
                start += x.address - address(whole)
                held, x = whole, Captured(self, whole, x._storage)
                if not _within(held, shape, strides, start):
                    self.fail("memory is read beyond a tensor's own")
        found = strided(held, shape, strides, start)
        args = held.strides, shape, strides, start
        value = self.emit(restrided, (x.value(), *args), {}, found)
        return Captured(self, found, x._storage, x, (restrided, args, {}), value)

    def broadcast_to(self, x: Any, shape: Any, subok: bool = False) -> Any:
        """np.broadcast_to, as a view that can be written to: so are expanded tensors."""
        found = np.broadcast_to(x.held, shape)
        found = np.lib.stride_tricks.as_strided(x.held, found.shape, found.strides)
        value = self.emit(np.broadcast_to, (x.value(), found.shape), {}, found)
        link = np.broadcast_to, (found.shape,), {}  # type: ignore[var-annotated]
        return Captured(self, found, x._storage, x, link, value)

    def transpose(self, x: Any, axes: Any = None) -> Any:
        """np.transpose, its axes as integers."""
        given = () if axes is None else (tuple(operator.index(a) for a in axes),)
        return self._apply(np.transpose, (x, *given), {})

    def view(self, x: Any, dtype: Any = None, **kwargs: Any) -> Any:
        """ndarray.view: of another dtype, or the same."""
        if dtype is None or (isinstance(dtype, type) and issubclass(dtype, np.ndarray)):
            return x[...]
        return self._apply(recast, (x, np.dtype(dtype)), {})


def picked(x: Any, function: Any, position: int, number: int | None, args: Any, kwargs: Any) -> Any:
    """A function of several arguments as one of the argument at a position, and one result."""
    found = function(*args[:position], x, *args[position + 1 :], **kwargs)
    return found if number is None else found[number]


def _within(array: Any, shape: Any, strides: Any, start: int) -> bool:
    """Whether places of memory lie where the array's own do."""

    def reach(shape: Any, strides: Any) -> tuple[int, int]:
        steps = [s * (n - 1) for s, n in zip(strides, shape, strict=True)]
        return sum(s for s in steps if s < 0), sum(s for s in steps if s > 0)

    if 0 in shape:
        return True
    mine, asked = reach(array.shape, array.strides), reach(shape, strides)
    return mine[0] <= asked[0] + start and asked[1] + start <= mine[1]


def _listed(found: Any) -> Any:
    return found if isinstance(found, (tuple, list)) else (found,)


def _as_arrays(found: Any) -> Any:
    """Results as arrays: what is none counts as a 0-dim one."""
    if isinstance(found, (tuple, list)):
        return tuple(np.asarray(f) for f in found)
    return np.asarray(found)


def _arrays(tree: Any) -> Any:
    kind = tree.__class__
    if kind is Captured:
        yield tree
    elif kind is dict:
        yield from _arrays(list(tree.values()))
    elif kind is tuple or kind is list:
        for each in tree:
            yield from _arrays(each)


def _locked(tree: Any) -> Any:
    """Arguments with arrays that cannot be written."""
    kind = tree.__class__
    if kind is Captured:
        held = tree.held.view()
        held.flags.writeable = False
        return held
    if kind is tuple or kind is list:
        return kind(map(_locked, tree))
    if kind is dict:
        return {k: _locked(v) for k, v in tree.items()}
    return tree


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def where() -> tuple[Any, bool, Any]:
    """The user's expression at work, whether its derivative is, and of which node."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code is _WALK:
            node = frame.f_locals.get("node")
            mark = getattr(node, "mark", None)
            if mark is not None and mark[0] is not None:
                return mark, True, node
        elif not INTERNAL[code.co_filename] and not code.co_filename.startswith(_NUMPY):
            return (code, frame.f_lasti), False, None
        frame = frame.f_back
    return None, False, None


# What asks about arrays, but not for their numbers
_INFO: set[Any] = {np.shape, np.ndim, np.size, np.may_share_memory, np.shares_memory,
                   np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj, np.min_scalar_type,
                   np.common_type}  # fmt: skip


def _ordered(function: Any) -> Any:
    """A function whose `order` may depend on how the memory lies: by C's or Fortran's."""

    def call(self: Recorder, x: Any, *args: Any, **kwargs: Any) -> Any:
        order = kwargs.get("order")
        if order in ("K", "A") and x.__class__ is Captured:
            flags = x.held.flags
            if not (flags.c_contiguous or flags.f_contiguous):
                self.fail("a reshape in the order of memory")
            kwargs["order"] = "C" if flags.c_contiguous else "F"
        return self._apply(function, (x, *args), kwargs)

    return call


def _mutating(function: Any) -> Any:
    """A function that writes to its first argument."""
    return lambda self, *args, **kwargs: self._mutate(function, args, kwargs)


_SPECIAL: dict[Any, Any] = {
    np.copyto: Recorder.copyto,
    operator.setitem: Recorder.setitem,
    np.lib.stride_tricks.as_strided: Recorder.as_strided,
    np.ndarray.view: Recorder.view,
    np.transpose: Recorder.transpose,
    np.broadcast_to: Recorder.broadcast_to,
    np.diagonal: lambda self, x, *args, **kw: self._apply(diagonal, (x, *args), kw),
    np.ndarray.diagonal: lambda self, x, *args, **kw: self._apply(diagonal, (x, *args), kw),
    np.ndarray.fill: lambda self, x, value: self.copyto(x, value, casting="unsafe"),
    np.ndarray.sort: lambda self, x, *args, **kw: self._mutate(np.ndarray.sort, (x, *args), kw),
    **{
        f: _mutating(f) for f in (np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis)
    },
    **{f: _ordered(f) for f in (np.ravel, np.reshape, np.ndarray.ravel, np.ndarray.flatten)},
}
