"""Batched: many examples in one array, which shows the shape of a single one.

Under `func.vmap` tensors hold such arrays. A NumPy call on one is the same call on all examples at
once: the batch axis stands first in `data`, so ufuncs broadcast over it, axes count from behind it,
and an index gets one more part. `batching.py` has the functions that need a word more than that.

An array that is not batched counts as the same for all examples, and so does one whose batch axis
has size 1. Levels nest: the data of an inner `vmap`'s array may itself be batched, by an outer one.
"""

from __future__ import annotations

import itertools
import operator
import sys
import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..duck import BATCH_RULES, Duck, Opaque, address, computed, item, strided
from .source import fail, user_frame

__all__ = ["Batched", "Level", "enter", "is_batched", "leave", "lift", "unlift"]

_ranks = itertools.count(1)


class Level:
    """One `vmap` while it runs: the number of examples. Inner levels rank above outer ones.

    number: PyTorch's number of the level, for printing
    """

    __slots__ = ("number", "rank", "size")

    def __init__(self, size: int, number: int = 1) -> None:
        self.rank, self.size, self.number = next(_ranks), size, number


class Batched(Duck):
    """Examples of one shape. data: an array of all of them, or another duck: [N or 1, ...]."""

    __slots__ = ("data", "level")

    def __init__(self, data: Any, level: Level) -> None:
        self.data, self.level = data, level

    @property
    def rank(self) -> int:  # type: ignore[override]
        return self.level.rank

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.data.shape[1:]  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:  # type: ignore[override]
        return self.data.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        return self.data.strides[1:]  # type: ignore[no-any-return]

    @property
    def flags(self) -> Any:
        """Those of a single example."""
        return (self.data[0, ...] if len(self.data) else np.empty(self.shape)).flags

    @property
    def base(self) -> Any:
        return self.data.base

    @property
    def address(self) -> int:
        return address(self.data)

    @property
    def whole(self) -> Any:
        """The NumPy array of all examples of all levels."""
        return self.data.whole if isinstance(self.data, Duck) else self.data

    def strided(self, shape: Any, strides: Any, start: int = 0) -> Batched:
        """The same window on every example's memory."""
        n, step = len(self.data), self.data.strides[0]
        return Batched(strided(self.data, (n, *shape), (step, *strides), start), self.level)

    def window(self, memory: Any, shape: Any, strides: Any, start: int) -> Batched:
        """Likewise, with the memory given and `start` counted from its beginning."""
        shape, strides = (len(self.data), *shape), (self.data.strides[0], *strides)
        if isinstance(self.data, Batched):
            return Batched(self.data.window(memory, shape, strides, start), self.level)
        view = np.ndarray(shape, memory.dtype, memory.view(np.uint8), start, strides)
        return Batched(view, self.level)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...],
             kwargs: dict[str, Any]) -> Any:  # fmt: skip
        rule = RULES.get(function)
        if rule is not None:
            return rule(self.level, *args, **kwargs)
        if isinstance(function, np.ufunc) and function.signature is None:
            return elementwise(self.level, function, args, kwargs)
        ufunc = getattr(function, "__self__", None)
        if isinstance(ufunc, np.ufunc) and function.__name__ in METHODS:
            return METHODS[function.__name__](self.level, ufunc, *args, **kwargs)
        raise Opaque(f"{getattr(function, '__name__', function)} does not batch")

    def opaque(self, function: Callable[..., Any], args: tuple[Any, ...],
               kwargs: dict[str, Any]) -> Any:  # fmt: skip
        """The function by its own rule for batches, else example after example."""
        rule = BATCH_RULES.get(function)
        if rule is not None:
            return rule(self.level, *args, **kwargs)
        return looped(self.level, function, args, kwargs)

    def item(self, *place: Any) -> Any:
        raise Opaque("a batch has not one value")

    def refuse(self, what: str) -> None:
        """PyTorch's error for a tensor that was asked for what only its values tell."""
        fail(RuntimeError, REFUSALS.get(what, REFUSALS["shape"].format(what)),
             "this tensor stands for all examples of a vmap at once")  # fmt: skip

    def printed(self, show: Callable[[Any], str]) -> str:
        inside = textwrap.indent(show(self.data), "    ")
        return f"BatchedTensor(lvl={self.level.number}, bdim=0, value=\n{inside}\n)"

    def __repr__(self) -> str:
        return f"Batched({self.data!r})"


REFUSALS = {
    "item": "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over "
    "calling .item() on a Tensor, please try to rewrite what you're doing with other operations. "
    "If error is occurring somewhere inside PyTorch internals, please file a bug report.",
    "bool": "vmap: It looks like you're attempting to use a Tensor in some data-dependent control "
    "flow. We don't support that yet, please file an issue at "
    "https://github.com/pytorch/pytorch/issues .",
    "statistics": "Batch norm got a batched tensor as input while the running_mean or running_var, "
    "which will be updated in place, were not batched.",
    "mask": "vmap: We do not support batching operators that can support dynamic shape. Attempting "
    "to batch over indexing with a boolean mask.",
    "masked_select": "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We "
    "cannot support this because for each batch this would return a differently shaped Tensor. "
    "Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature.",
    "equal": "Batching rule not implemented for aten::equal. We could not generate a fallback.",
    "allclose": "vmap over torch.allclose isn't supported yet. Please file an issue at "
    "https://github.com/pytorch/pytorch/issues if you need this feature.",
    "shape": "vmap: We do not support batching operators that can output dynamic shape. Attempted "
    "to vmap over aten::{}. Please file an issue at https://github.com/pytorch/pytorch/issues if "
    "you need this feature.",
    "memory": "Cannot access data pointer of Tensor that doesn't have storage",
}


# Levels: entering and leaving one


def is_batched(array: Any, level: Level) -> bool:
    """Whether an array has a batch axis of this level."""
    while array.__class__ is Batched:
        if array.level is level:
            return True
        array = array.data
    return False


def _above(array: Any, level: Level) -> bool:
    return array.__class__ is Batched and array.level.rank > level.rank


def enter(array: Any, level: Level, axis: int) -> Any:
    """An array whose `axis` becomes the batch axis: f[..., N, ...] -> f[...]."""
    if _above(array, level):
        return Batched(enter(array.data, level, axis + 1), array.level)
    return Batched(np.moveaxis(array, axis, 0) if axis else array, level)


def leave(array: Any, level: Level, axis: int) -> Any:
    """The inverse of `enter`: f[...] -> f[..., N, ...]."""
    if _above(array, level):
        return Batched(leave(array.data, level, axis + 1), array.level)
    data = array.data
    if len(data) != level.size:
        data = np.broadcast_to(data, (level.size, *data.shape[1:]))
    return np.moveaxis(data, 0, axis) if axis else data


def lift(array: Any, level: Level) -> Any:
    """An array that is the same for all examples, as one of theirs."""
    if _above(array, level):
        return Batched(lift(array.data, level), array.level)
    return Batched(np.expand_dims(array, 0), level)


def unlift(array: Any, level: Level) -> Any:
    """The transpose of `lift`: the sum over the examples."""
    if _above(array, level):
        return Batched(unlift(array.data, level), array.level)
    if array.__class__ is not Batched or array.level is not level:
        return array * level.size
    data = array.data
    if len(data) != level.size:
        return data[0, ...] * level.size
    return np.add.reduce(data, axis=0)


def peeled(array: Any, base: Any) -> tuple[Any, list[Level]]:
    """An array in terms of the levels that `base` has, and its other levels, the innermost first:
    of each the batch axis becomes the first dimension."""
    known, levels = [], []
    while base.__class__ is Batched:
        known.append(base.level)
        base = base.data
    while array.__class__ is Batched and array.level not in known:
        levels.append(array.level)
        array = array.data
    return array, levels


# What the rules are made of


def here(x: Any, level: Level) -> bool:
    """Whether an argument is batched at a level."""
    return x.__class__ is Batched and x.level is level


def aligned(x: Any, level: Level, ndim: int) -> Any:
    """An argument as an array of 1 + ndim axes, the batch axis (1, if it has none) in front."""
    data = x.data if here(x, level) else np.expand_dims(x, 0)
    missing = 1 + ndim - data.ndim
    if missing <= 0:
        return data
    return np.reshape(data, (data.shape[0], *(1,) * missing, *data.shape[1:]))


def widened(data: Any, size: int) -> Any:
    """Data with a batch axis of this size, as a view."""
    return data if len(data) == size else np.broadcast_to(data, (size, *data.shape[1:]))


def batched(result: Any, level: Level) -> Any:
    """What a call on the data returned, as arrays of examples."""
    if result.__class__ is tuple or result.__class__ is list:
        return result.__class__([batched(each, level) for each in result])
    if isinstance(result, tuple):  # named, as of np.linalg
        return result.__class__(*[batched(each, level) for each in result])
    return Batched(result, level)


def axis_of(axis: Any, ndim: int) -> Any:
    """An axis (or several) of an example, as one of the data."""
    if isinstance(axis, (tuple, list)):
        return tuple([axis_of(a, ndim) for a in axis])
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim + 1


def every_axis(ndim: int) -> tuple[int, ...]:
    return tuple(range(1, ndim + 1))


def rank_of(x: Any) -> int:
    """The dimensions of an argument: an array, a duck or a number."""
    return getattr(x, "ndim", 0) if not isinstance(x, (list, tuple)) else np.ndim(x)


def write(target: Any, level: Level, data: Any) -> None:
    """Copy data, aligned with the target's, into a batched array."""
    if not here(target, level) or len(data) > len(target.data):
        raise Opaque("a batch cannot be written into one example")
    np.copyto(target.data, data, casting="unsafe")


# Example after example


told: set[str] = set()


def looped(level: Level, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """A function on one example after the other, the results stacked."""
    name = getattr(function, "__name__", "")
    tell(name.strip("_") if name != "<lambda>" else f"a derivative in {function.__module__}")
    results = [
        computed(function, *_example(args, level, i), **_example(kwargs, level, i))
        for i in range(level.size)
    ]
    if not results:
        raise Opaque("vmap over no examples needs a batching rule")
    return _stacked(results, level)


def tell(name: str) -> None:
    """Warn once for each operator that has no rule for batches."""
    if name not in told:
        told.add(name)
        frame = user_frame(sys._getframe(1))
        warnings.warn_explicit(
            "There is a performance drop because we have not yet implemented the batching rule "
            f"for aten::{name}. It runs on one example after the other.",
            UserWarning,
            frame.f_code.co_filename,
            frame.f_lineno,
        )


def _example(value: Any, level: Level, i: int) -> Any:
    """Arguments for one example."""
    if value.__class__ is Batched:
        if value.level is level:
            return value.data[i if len(value.data) > 1 else 0, ...]
        return value
    if value.__class__ in (tuple, list):
        return value.__class__([_example(each, level, i) for each in value])
    if value.__class__ is dict:
        return {name: _example(each, level, i) for name, each in value.items()}
    return value


def _stacked(results: list[Any], level: Level) -> Any:
    first = results[0]
    if isinstance(first, (tuple, list)):
        parts = [_stacked(list(each), level) for each in zip(*results, strict=True)]
        return first.__class__(*parts) if hasattr(first, "_fields") else first.__class__(parts)
    if first is None:
        return None
    if any(r.shape != first.shape for r in results):
        shapes = dict.fromkeys(str(list(r.shape)) for r in results)
        fail(RuntimeError, "vmap: We do not support batching operators that can output dynamic "
                           "shape.", "the examples' results have the shapes "
             f"{', '.join(list(shapes)[:4])}")  # fmt: skip
    return Batched(np.stack(results), level)


# Ufuncs


def elementwise(level: Level, function: Any, args: Any, kwargs: Any) -> Any:
    """A ufunc, or any function that works element by element and broadcasts."""
    extra = dict(kwargs)
    out = extra.pop("out", None)
    ndim = max(rank_of(a) for a in (*args, *extra.values()))
    for name, value in extra.items():
        if here(value, level):
            extra[name] = aligned(value, level, ndim)
    data = [aligned(a, level, ndim) if here(a, level) else a for a in args]
    result = batched(function(*data, **extra), level)
    if out is None:
        return result
    outs = out if isinstance(out, tuple) else (out,)
    for target, value in zip(outs, result if isinstance(result, tuple) else (result,), strict=True):
        write(target, level, aligned(value, level, target.ndim))
    return outs if len(outs) > 1 else outs[0]


def reduce(level: Level, ufunc: Any, array: Any, axis: Any = 0, dtype: Any = None,
           out: Any = None, keepdims: bool = False, **kwargs: Any) -> Any:  # fmt: skip
    """`np.add.reduce` and the like."""
    data = aligned(array, level, 0)
    ndim = data.ndim - 1
    where = kwargs.get("where", True)
    if here(where, level):
        kwargs["where"] = aligned(where, level, ndim)
    axes = every_axis(ndim) if axis is None else axis_of(axis, ndim)
    if out is not None or here(kwargs.get("initial"), level):
        raise Opaque("a reduction into an array")
    return Batched(ufunc.reduce(data, axis=axes, dtype=dtype, keepdims=keepdims, **kwargs), level)


def accumulate(level: Level, ufunc: Any, array: Any, axis: int = 0, dtype: Any = None,
               out: Any = None) -> Any:  # fmt: skip
    """`np.maximum.accumulate` and the like."""
    if out is not None:
        raise Opaque("a scan into an array")
    return Batched(ufunc.accumulate(array.data, axis_of(axis, array.ndim), dtype), level)


def reduceat(level: Level, ufunc: Any, array: Any, indices: Any, axis: int = 0, dtype: Any = None,
             out: Any = None) -> Any:  # fmt: skip
    """`np.add.reduceat` and the like."""
    if out is not None or isinstance(indices, Duck):
        raise Opaque("sums of parts that differ")
    return Batched(ufunc.reduceat(array.data, indices, axis_of(axis, array.ndim), dtype), level)


def outer(level: Level, ufunc: Any, a: Any, b: Any, **kwargs: Any) -> Any:
    """`np.multiply.outer` and the like."""
    return ufunc(np.reshape(a, (*a.shape, *(1,) * rank_of(b))), b, **kwargs)


def at(level: Level, ufunc: Any, array: Any, index: Any, *values: Any) -> None:
    """`np.add.at` and the like: values added at an index, as often as it names an element."""
    data, key, arranged = _writable(level, array, index, values)
    ufunc.at(data, key, *arranged)


METHODS: dict[str, Any] = {"reduce": reduce, "accumulate": accumulate, "reduceat": reduceat,
                           "outer": outer, "at": at}  # fmt: skip


# Indices


class Place:
    """An index of an example, as one of the data.

    key: the index; moves: (source, destination) axes that bring what NumPy makes of it, batch axis
    somewhere, into the order batch axis, then as without a batch; ndim: of the result
    """

    __slots__ = ("key", "moves", "ndim")

    def __init__(self, level: Level, array: Any, index: Any) -> None:
        items, advanced = _items(index, rank_of(array), level)
        axes = sum(item is None or isinstance(item, slice) for item in items)
        whole = here(array, level)
        if not advanced:
            self.key, self.moves, self.ndim = (slice(None), *items), None, axes
            return
        first, last = advanced[0], advanced[-1]
        adjacent = last - first + 1 == len(advanced)
        before = sum(item is None or isinstance(item, slice) for item in items[:first])
        width = max(rank_of(items[i]) for i in advanced)
        self.ndim = axes + width
        front = list(range(1, width + 1))
        moves: Any = None
        if not any(here(items[i], level) for i in advanced):
            if not adjacent:  # NumPy puts the dimensions of such an index before all others
                moves = ([width], [0])
            self.key, self.moves = (slice(None), *items), moves
            return
        for i in advanced:
            if here(items[i], level):
                items[i] = aligned(items[i], level, width)
        if whole:
            size = len(array.data)
            rows = np.reshape(np.arange(size), (size, *(1,) * width))
            if adjacent and before:
                moves = (front, list(range(before + 1, before + width + 1)))
            self.key = (rows, *items)
        else:
            if adjacent and before:
                moves = ([before], [0])
            self.key = tuple(items)
        self.moves = moves

    def arrange(self, result: Any) -> Any:
        return result if self.moves is None else np.moveaxis(result, *self.moves)

    def disarrange(self, value: Any) -> Any:
        return value if self.moves is None else np.moveaxis(value, self.moves[1], self.moves[0])


def _items(index: Any, ndim: int, level: Level) -> tuple[list[Any], list[int]]:
    """An index part by part, one for each dimension, and where index arrays stand among them."""
    given = list(index) if isinstance(index, tuple) else [index]
    items: list[Any] = []
    used = 0
    for item in given:  # noqa: F402
        if isinstance(item, (list, bool, np.bool_)):
            item = np.asarray(item)
        elif isinstance(item, np.integer):
            item = int(item)
        if isinstance(item, (np.ndarray, Duck)) and item.dtype.kind == "b":
            if isinstance(item, Duck) or not item.ndim:
                raise Opaque("a mask of a batch selects differently many elements")
            used += item.ndim
            items.extend(np.nonzero(item))
            continue
        used += item is not None and item is not Ellipsis
        items.append(item)
    rest = [slice(None)] * (ndim - used)
    for position, item in enumerate(items):
        if item is Ellipsis:
            items[position : position + 1] = rest
            break
    else:
        items += rest
    advanced = [i for i, item in enumerate(items) if isinstance(item, (np.ndarray, Duck))]
    if advanced:  # beside index arrays, integers count as such
        advanced = [i for i, item in enumerate(items)
                    if item is not None and not isinstance(item, slice)]  # fmt: skip
        for i in advanced:
            if not isinstance(items[i], (np.ndarray, Duck)):
                items[i] = np.asarray(items[i])
    return items, advanced


def _getitem(level: Level, array: Any, index: Any) -> Any:
    place = Place(level, array, index)
    data = array.data if here(array, level) else array
    return Batched(place.arrange(item(data, place.key)), level)


def _writable(level: Level, array: Any, index: Any, values: Any) -> tuple[Any, Any, list[Any]]:
    """The data of an array to write to, the place in it, and values arranged for there."""
    parts = index if isinstance(index, tuple) else (index,)
    size = max([len(v.data) for v in (*values, *parts) if here(v, level)], default=1)
    if not here(array, level) or size > len(array.data):
        raise Opaque("a batch cannot be written into one example")
    place = Place(level, array, index)
    arranged = [place.disarrange(aligned(v, level, place.ndim)) if hasattr(v, "ndim") else v
                for v in values]  # fmt: skip
    return array.data, place.key, arranged


def _setitem(level: Level, array: Any, index: Any, value: Any) -> None:
    if index.__class__ is Batched and index.dtype.kind == "b" and rank_of(value) == 0:
        _set_where(level, array, index, value)
        return
    data, key, (value,) = _writable(level, array, index, (value,))
    data[key] = value


def _set_where(level: Level, array: Any, mask: Any, value: Any) -> None:
    """array[mask] = value, with a mask per example and one value for each."""
    if not here(array, level):
        raise Opaque("a batch cannot be written into one example")
    where = np.reshape(mask.data, (*mask.data.shape, *(1,) * (array.ndim - mask.ndim)))
    size = len(where)
    if here(value, level):
        size = max(size, len(value.data))
        value = aligned(value, level, array.ndim)
    if size > len(array.data):
        raise Opaque("a batch cannot be written into one example")
    np.copyto(array.data, value, where=where, casting="unsafe")


# function -> rule(level, *args, **kwargs); `batching.py` has most of them
RULES: dict[Any, Callable[..., Any]] = {
    operator.getitem: _getitem,
    operator.setitem: _setitem,
}

from . import batching  # noqa: E402, F401 - fills RULES
