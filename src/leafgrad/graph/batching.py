"""What NumPy's functions do to batches: the rules of `batched.py`.

A rule gets the level and then the function's own arguments. Most say only how the arguments name
axes, which count from behind the batch axis; some are written with other NumPy functions.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..duck import Duck, Opaque
from .batched import (
    RULES,
    Batched,
    aligned,
    axis_of,
    batched,
    elementwise,
    every_axis,
    here,
    rank_of,
    widened,
    write,
)

Rule = Callable[..., Any]
_ALL = slice(None)


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Register a rule for NumPy functions; arrays' methods of the same names follow them."""

    def register(found: Rule) -> Rule:
        for function in functions:
            RULES[function] = found
        return found

    return register


def _named(path: str) -> list[Any]:
    """NumPy's functions by names, as far as this NumPy has them."""
    found = []
    for name in path.split():
        value: Any = np
        for part in name.split("."):
            value = getattr(value, part, None)
        if value is not None:
            found.append(value)
    return found


def _plainly(out: Any, *others: Any) -> None:
    if out is not None or any(isinstance(v, Duck) for v in others):
        raise Opaque("a result into an array")


# Element by element: NumPy functions that broadcast but are no ufuncs

for _function in _named(
    "real imag angle isclose nan_to_num around round fix sinc i0 iscomplex isreal isposinf isneginf "
    "clip"
):

    @rule(_function)
    def _elementwise(level: Any, *args: Any, _function: Any = _function, **kwargs: Any) -> Any:
        return elementwise(level, _function, args, kwargs)


@rule(np.where)
def _where(level: Any, condition: Any, *choices: Any) -> Any:
    if not choices:
        raise Opaque("where is true for differently many elements")
    return elementwise(level, np.where, (condition, *choices), {})


# Reductions


def _reduction(function: Any) -> None:
    @rule(function)
    def reduction(level: Any, a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        data = aligned(a, level, 0)
        ndim = data.ndim - 1
        for name in ("where", "mean"):
            if here(kwargs.get(name), level):
                kwargs[name] = aligned(kwargs[name], level, ndim)
        _plainly(kwargs.get("out"), kwargs.get("initial"))
        axis = every_axis(ndim) if axis is None else axis_of(axis, ndim)
        return Batched(function(data, axis, *args, **kwargs), level)


for _function in _named(
    "sum prod mean std var max min amax amin all any nansum nanprod nanmean nanstd nanvar nanmax "
    "nanmin ptp median nanmedian count_nonzero"
):
    _reduction(_function)


def _flat(a: Any, level: Any) -> Any:
    """The elements of each example in a row."""
    data = aligned(a, level, 0)
    return np.reshape(data, (len(data), math.prod(data.shape[1:])))


def _place_reduction(function: Any) -> None:
    @rule(function)
    def reduction(level: Any, a: Any, axis: Any = None, out: Any = None, *,
                  keepdims: bool = False) -> Any:  # fmt: skip
        _plainly(out)
        if axis is not None:
            found = function(aligned(a, level, 0), axis=axis_of(axis, rank_of(a)))
            if keepdims:
                found = np.expand_dims(found, axis_of(axis, rank_of(a)))
        else:
            found = function(_flat(a, level), axis=1)
            if keepdims:
                found = np.reshape(found, (len(found), *(1,) * rank_of(a)))
        return Batched(found, level)


for _function in _named("argmax argmin nanargmax nanargmin"):
    _place_reduction(_function)


@rule(np.average)
def _average(level: Any, a: Any, axis: Any = None, weights: Any = None, **kwargs: Any) -> Any:
    if kwargs:
        raise Opaque("an average with options")
    if weights is None:
        return np.mean(a, axis)
    if rank_of(weights) != rank_of(a):
        shape = [1] * rank_of(a)
        shape[operator.index(axis)] = -1
        weights = np.reshape(weights, shape)
    return np.sum(a * weights, axis) / np.sum(weights + 0 * a, axis)


# Scans, orders, and what else works along one axis; without one, on the elements in a row


def _axis_second(function: Any, default: Any) -> None:
    """A function of an array and an axis, whose result has the array's axes."""

    @rule(function)
    def along(level: Any, a: Any, axis: Any = default, *args: Any, **kwargs: Any) -> Any:
        _plainly(kwargs.get("out"))
        if axis is None:
            return Batched(function(_flat(a, level), 1, *args, **kwargs), level)
        return Batched(
            function(aligned(a, level, 0), axis_of(axis, rank_of(a)), *args, **kwargs), level
        )


for _function in _named("cumsum cumprod nancumsum nancumprod"):
    _axis_second(_function, None)
for _function in _named("sort argsort"):
    _axis_second(_function, -1)


@rule(np.diff)
def _diff(level: Any, a: Any, n: int = 1, axis: int = -1, prepend: Any = None,
          append: Any = None) -> Any:  # fmt: skip
    if prepend is not None or append is not None:
        raise Opaque("differences with edges")
    return Batched(np.diff(a.data, n, axis_of(axis, a.ndim)), level)


@rule(np.lexsort)
def _lexsort(level: Any, keys: Any, axis: int = -1) -> Any:
    shape = np.broadcast_shapes(*[k.shape for k in keys])
    full = [np.broadcast_to(k, shape) for k in keys]
    size = max(len(aligned(k, level, 0)) for k in full)
    data = tuple([widened(aligned(k, level, 0), size) for k in full])
    return Batched(np.lexsort(data, axis_of(axis, len(shape))), level)


@rule(np.flip)
def _flip(level: Any, m: Any, axis: Any = None) -> Any:
    return Batched(np.flip(m.data, every_axis(m.ndim) if axis is None else axis_of(axis, m.ndim)),
                   level)  # fmt: skip


@rule(np.fliplr)
def _fliplr(level: Any, m: Any) -> Any:
    return np.flip(m, 1)


@rule(np.flipud)
def _flipud(level: Any, m: Any) -> Any:
    return np.flip(m, 0)


@rule(np.rot90)
def _rot90(level: Any, m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    return Batched(np.rot90(m.data, k, axis_of(axes, m.ndim)), level)


@rule(np.roll)
def _roll(level: Any, a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.reshape(Batched(np.roll(_flat(a, level), shift, 1), level), a.shape)
    return Batched(np.roll(a.data, shift, axis_of(axis, a.ndim)), level)


@rule(np.repeat)
def _repeat(level: Any, a: Any, repeats: Any, axis: Any = None) -> Any:
    _plainly(None, repeats)
    if axis is None:
        return Batched(np.repeat(_flat(a, level), repeats, 1), level)
    return Batched(np.repeat(a.data, repeats, axis_of(axis, a.ndim)), level)


@rule(np.tile)
def _tile(level: Any, A: Any, reps: Any) -> Any:
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    ndim = max(A.ndim, len(reps))
    reps = (1,) * (1 + ndim - len(reps)) + reps
    return Batched(np.tile(aligned(A, level, ndim), reps), level)


# Shapes


@rule(np.reshape, np.ndarray.reshape)
def _reshape(level: Any, a: Any, shape: Any = None, order: str = "C", *, newshape: Any = None,
             copy: Any = None) -> Any:  # fmt: skip
    shape = newshape if shape is None else shape
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if order != "C":
        raise Opaque("an order of memory")
    if -1 in shape:
        known = -math.prod(shape)
        if shape.count(-1) > 1 or (known and a.size % known) or (not known and a.size):
            raise ValueError(f"cannot reshape array of size {a.size} into shape {shape}")
        shape = tuple(a.size // known if n == -1 and known else 0 if n == -1 else n for n in shape)
    return Batched(np.reshape(a.data, (len(a.data), *shape)), level)


@rule(np.ravel, np.ndarray.flatten)
def _ravel(level: Any, a: Any, order: str = "C") -> Any:
    return _reshape(level, a, (-1,), order)


@rule(np.transpose)
def _transpose(level: Any, a: Any, axes: Any = None) -> Any:
    axes = tuple(range(a.ndim))[::-1] if axes is None else axes
    return Batched(np.transpose(a.data, (0, *axis_of(axes, a.ndim))), level)


@rule(*_named("matrix_transpose linalg.matrix_transpose"))
def _matrix_transpose(level: Any, x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


@rule(np.swapaxes)
def _swapaxes(level: Any, a: Any, axis1: int, axis2: int) -> Any:
    return Batched(np.swapaxes(a.data, *axis_of((axis1, axis2), a.ndim)), level)


@rule(np.moveaxis)
def _moveaxis(level: Any, a: Any, source: Any, destination: Any) -> Any:
    return Batched(
        np.moveaxis(a.data, axis_of(source, a.ndim), axis_of(destination, a.ndim)), level
    )


@rule(np.expand_dims)
def _expand_dims(level: Any, a: Any, axis: Any) -> Any:
    more = len(axis) if isinstance(axis, (tuple, list)) else 1
    return Batched(np.expand_dims(a.data, axis_of(axis, a.ndim + more)), level)


@rule(np.squeeze)
def _squeeze(level: Any, a: Any, axis: Any = None) -> Any:
    if axis is None:
        axes = tuple(i for i, n in enumerate(a.shape, 1) if n == 1)
    else:
        axes = axis_of(axis, a.ndim)
    return Batched(np.squeeze(a.data, axes), level)


@rule(np.broadcast_to)
def _broadcast_to(level: Any, array: Any, shape: Any, subok: bool = False) -> Any:
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    data = aligned(array, level, len(shape))
    return Batched(np.broadcast_to(data, (len(data), *shape)), level)


@rule(np.broadcast_arrays)
def _broadcast_arrays(level: Any, *args: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*[np.shape(a) for a in args])
    return tuple(np.broadcast_to(a, shape) for a in args)


def _at_least(ndim: int, a: Any) -> Any:
    missing = ndim - a.ndim
    if missing <= 0:
        return a
    if ndim == 3 and a.ndim:  # as NumPy has it: [n] -> [1, n, 1], [n, m] -> [n, m, 1]
        return np.reshape(a, (1, *a.shape, 1) if a.ndim == 1 else (*a.shape, 1))
    return np.reshape(a, (*(1,) * missing, *a.shape))


for _ndim, _function in enumerate((np.atleast_1d, np.atleast_2d, np.atleast_3d), 1):

    @rule(_function)
    def _atleast(level: Any, *arrays: Any, _ndim: int = _ndim) -> Any:
        found = tuple(_at_least(_ndim, a) for a in arrays)
        return found if len(found) > 1 else found[0]


@rule(np.diagonal)
def _diagonal(level: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    found = np.diagonal(a.data, offset, *axis_of((axis1, axis2), a.ndim))
    if isinstance(found, np.ndarray) and isinstance(a.data, np.ndarray):
        found.flags.writeable = a.data.flags.writeable  # here it may be written to
    return Batched(found, level)


@rule(np.trace)
def _trace(level: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None,
           out: Any = None) -> Any:  # fmt: skip
    _plainly(out)
    return Batched(np.trace(a.data, offset, *axis_of((axis1, axis2), a.ndim), dtype), level)  # type: ignore[call-overload]


@rule(np.diag)
def _diag(level: Any, v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return np.diagonal(v, k)
    n = v.shape[0]
    made = np.zeros_like(v, shape=(n + abs(k), n + abs(k)))
    rows = np.arange(n)
    made[rows + max(-k, 0), rows + max(k, 0)] = v
    return made


@rule(np.diagflat)
def _diagflat(level: Any, v: Any, k: int = 0) -> Any:
    return np.diag(np.ravel(v), k)


for _function in (np.tril, np.triu):

    @rule(_function)
    def _triangle(level: Any, m: Any, k: int = 0, _function: Any = _function) -> Any:
        if m.ndim < 2:
            raise Opaque("a triangle of a vector")
        return Batched(_function(m.data, k), level)


@rule(np.pad)
def _pad(level: Any, array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    if callable(mode) or any(np.ndim(v) for v in kwargs.values() if not isinstance(v, str)):
        raise Opaque("padding with options for each axis")
    width = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2)).tolist()
    return Batched(np.pad(array.data, [(0, 0), *map(tuple, width)], mode, **kwargs), level)


@rule(np.lib.stride_tricks.sliding_window_view)
def _sliding(level: Any, x: Any, window_shape: Any, axis: Any = None, **kwargs: Any) -> Any:
    shape = window_shape if isinstance(window_shape, (tuple, list)) else (window_shape,)
    axis = tuple(range(x.ndim)) if axis is None else axis
    axes = axis_of(axis if isinstance(axis, (tuple, list)) else (axis,), x.ndim)
    made = np.lib.stride_tricks.sliding_window_view(x.data, tuple(shape), axes, **kwargs)
    return Batched(made, level)


# Joining and splitting


def _joined(level: Any, arrays: Any, function: Any, ndim: int, axis: int, **kwargs: Any) -> Any:
    size = max(len(a.data) if here(a, level) else 1 for a in arrays)
    data = [widened(aligned(_array(a), level, ndim), size) for a in arrays]
    return Batched(function(data, axis=axis, **kwargs), level)


def _array(a: Any) -> Any:
    return a if hasattr(a, "ndim") else np.asarray(a)


@rule(*_named("concatenate concat"))
def _concatenate(level: Any, arrays: Any, axis: Any = 0, out: Any = None, **kwargs: Any) -> Any:
    _plainly(out)
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    ndim = rank_of(arrays[0])
    if any(rank_of(a) != ndim for a in arrays):
        raise ValueError("all the input arrays must have same number of dimensions")
    return _joined(level, arrays, np.concatenate, ndim, axis_of(axis, ndim), **kwargs)


@rule(np.stack)
def _stack(level: Any, arrays: Any, axis: int = 0, out: Any = None, **kwargs: Any) -> Any:
    _plainly(out)
    ndim = rank_of(arrays[0])
    if any(np.shape(a) != np.shape(arrays[0]) for a in arrays):
        raise ValueError("all input arrays must have the same shape")
    return _joined(level, arrays, np.stack, ndim, axis_of(axis, ndim + 1), **kwargs)


@rule(np.hstack)
def _hstack(level: Any, tup: Any) -> Any:
    found = [np.atleast_1d(a) for a in tup]
    return np.concatenate(found, 0 if found[0].ndim == 1 else 1)


@rule(np.vstack)
def _vstack(level: Any, tup: Any) -> Any:
    return np.concatenate([np.atleast_2d(a) for a in tup], 0)


@rule(np.dstack)
def _dstack(level: Any, tup: Any) -> Any:
    return np.concatenate([np.atleast_3d(a) for a in tup], 2)


@rule(np.column_stack)
def _column_stack(level: Any, tup: Any) -> Any:
    columns = [a if rank_of(a) > 1 else np.reshape(a, (-1, 1)) for a in tup]
    return np.concatenate(columns, 1)


@rule(np.append)
def _append(level: Any, arr: Any, values: Any, axis: Any = None) -> Any:
    return np.concatenate((arr, values), axis)


@rule(np.split, np.array_split)
def _split(level: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    parts = np.array_split(ary.data, indices_or_sections, axis_of(axis, ary.ndim))
    return [Batched(part, level) for part in parts]


@rule(np.meshgrid)
def _meshgrid(level: Any, *xi: Any, copy: bool = True, sparse: bool = False,
              indexing: str = "xy") -> Any:  # fmt: skip
    n = len(xi)
    order = list(range(n))
    if indexing == "xy" and n > 1:
        order[:2] = [1, 0]
    found = tuple(
        np.reshape(x, (*(1,) * order[i], -1, *(1,) * (n - 1 - order[i]))) for i, x in enumerate(xi)
    )
    return found if sparse else np.broadcast_arrays(*found)


# Choosing


@rule(np.take)
def _take(level: Any, a: Any, indices: Any, axis: Any = None, out: Any = None,
          mode: str = "raise") -> Any:  # fmt: skip
    _plainly(out)
    if axis is None:
        a, axis = np.ravel(a), 0
    size = a.shape[axis]
    if mode == "clip":
        indices = np.clip(indices, 0, size - 1)
    elif mode == "wrap":
        indices = np.remainder(indices, size)
    axis = axis_of(axis, rank_of(a)) - 1
    return RULES[operator.getitem](level, a, (*(_ALL,) * axis, _array(indices)))


def _both(level: Any, a: Any, b: Any) -> tuple[Any, Any, int]:
    """Two arrays of as many dimensions, aligned."""
    ndim = rank_of(a)
    if rank_of(b) != ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    return aligned(a, level, ndim), aligned(b, level, ndim), ndim


@rule(np.take_along_axis)
def _take_along_axis(level: Any, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        arr, axis = np.ravel(arr), 0
    data, places, ndim = _both(level, arr, indices)
    return Batched(np.take_along_axis(data, places, axis_of(axis, ndim)), level)


@rule(np.put_along_axis)
def _put_along_axis(level: Any, arr: Any, indices: Any, values: Any, axis: Any) -> None:
    if axis is None or not here(arr, level):
        raise Opaque("values put into one example")
    data, places, ndim = _both(level, arr, indices)
    if here(values, level):
        values = aligned(values, level, ndim)
        places = widened(places, max(len(places), len(values)))
    if len(places) > len(data):
        raise Opaque("values put into one example")
    if len(places) < len(data):
        places = widened(places, len(data))
    np.put_along_axis(data, places, values, axis_of(axis, ndim))


@rule(np.searchsorted)
def _searchsorted(level: Any, a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    _plainly(None, a, sorter)
    return Batched(np.searchsorted(a, v.data, side, sorter), level)  # type: ignore[call-overload]


@rule(np.digitize)
def _digitize(level: Any, x: Any, bins: Any, right: bool = False) -> Any:
    _plainly(None, bins)
    return Batched(np.digitize(x.data, bins, right), level)


@rule(np.put)
def _put(level: Any, a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    if mode != "raise" or not here(a, level) or not a.flags.c_contiguous:
        raise Opaque("elements put by number")
    count = math.prod(np.shape(ind))
    values = np.ravel(_array(v))
    if values.shape[0] != count:  # they repeat
        values = np.take(values, np.arange(count) % max(values.shape[0], 1))
    np.reshape(a, (-1,))[np.ravel(_array(ind))] = values


@rule(np.ravel_multi_index)
def _ravel_multi_index(level: Any, multi_index: Any, dims: Any, *args: Any, **kwargs: Any) -> Any:
    ndim = max(rank_of(x) for x in multi_index)
    size = max(len(x.data) if here(x, level) else 1 for x in multi_index)
    data = tuple(widened(aligned(_array(x), level, ndim), size) for x in multi_index)
    return Batched(np.ravel_multi_index(data, dims, *args, **kwargs), level)


@rule(np.isin)
def _isin(level: Any, element: Any, test_elements: Any, assume_unique: bool = False,
          invert: bool = False, **_: Any) -> Any:  # fmt: skip
    same = np.expand_dims(_array(element), -1) == np.ravel(_array(test_elements))
    found = np.any(same, -1)
    return np.logical_not(found) if invert else found


@rule(np.unravel_index)
def _unravel_index(level: Any, indices: Any, shape: Any, order: str = "C") -> Any:
    return batched(np.unravel_index(indices.data, shape, order), level)  # type: ignore[call-overload]


# Products


@rule(np.matmul, *_named("linalg.matmul"))
def _matmul(level: Any, a: Any, b: Any, **kwargs: Any) -> Any:
    if kwargs:
        raise Opaque("a product with options")
    m, n = rank_of(a), rank_of(b)
    if not m or not n:
        raise ValueError("matmul: an operand has no dimensions")
    if here(a, level) and not here(b, level) and n <= 2:
        rows = a.data  # one product with all examples' rows
        if m > 1 and n == 2:
            rows = np.reshape(rows, (math.prod(rows.shape[:-1]), rows.shape[-1]))
            return Batched(np.reshape(np.matmul(rows, b), (*a.data.shape[:-1], b.shape[1])), level)
        return Batched(np.matmul(rows, b), level)
    if not here(a, level) and n == 1 and m <= 2:
        return Batched(np.matmul(b.data, np.swapaxes(a, 0, 1) if m == 2 else a), level)
    if m == 1:
        return np.matmul(np.expand_dims(a, 0), b)[..., 0, :] if n > 1 else np.sum(a * b, -1)
    if n == 1:
        return np.matmul(a, np.expand_dims(b, 1))[..., 0]
    ndim = max(m, n)
    return Batched(np.matmul(aligned(a, level, ndim), aligned(b, level, ndim)), level)


@rule(np.dot, np.ndarray.dot)
def _dot(level: Any, a: Any, b: Any, out: Any = None) -> Any:
    _plainly(out)
    m, n = rank_of(a), rank_of(b)
    if not m or not n:
        return np.multiply(a, b)
    if n <= 2 or m == 1:
        if _array(a).shape[-1] != b.shape[max(n - 2, 0)]:
            raise ValueError(f"shapes {a.shape} and {b.shape} not aligned")
        return np.matmul(a, b)
    return np.tensordot(a, b, (-1, -2))


@rule(np.vdot)
def _vdot(level: Any, a: Any, b: Any) -> Any:
    return np.sum(np.conj(np.ravel(a)) * np.ravel(b))


@rule(np.inner)
def _inner(level: Any, a: Any, b: Any) -> Any:
    if not rank_of(a) or not rank_of(b):
        return np.multiply(a, b)
    return np.tensordot(a, b, (-1, -1))


@rule(np.outer, *_named("linalg.outer"))
def _outer(level: Any, a: Any, b: Any, out: Any = None) -> Any:
    _plainly(out)
    return np.expand_dims(np.ravel(a), 1) * np.expand_dims(np.ravel(b), 0)


@rule(*_named("vecdot linalg.vecdot"))
def _vecdot(level: Any, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.sum(np.conj(x1) * x2, axis)


@rule(np.tensordot, *_named("linalg.tensordot"))
def _tensordot(level: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    m, n = rank_of(a), rank_of(b)
    if isinstance(axes, int):
        left, right = list(range(m - axes, m)), list(range(axes))
    else:
        left, right = [[x] if isinstance(x, int) else list(x) for x in axes]
    left = [x % m for x in left]
    right = [x % n for x in right]
    kept_a = [i for i in range(m) if i not in left]
    kept_b = [i for i in range(n) if i not in right]
    inner = math.prod(a.shape[i] for i in left)
    first = np.reshape(np.transpose(a, kept_a + left), (-1, inner))
    second = np.reshape(np.transpose(b, right + kept_b), (inner, -1))
    shape = tuple(a.shape[i] for i in kept_a) + tuple(b.shape[i] for i in kept_b)
    return np.reshape(np.matmul(first, second), shape)


@rule(np.kron)
def _kron(level: Any, a: Any, b: Any) -> Any:
    ndim = max(rank_of(a), rank_of(b))
    a = np.reshape(a, (*(1,) * (ndim - rank_of(a)), *np.shape(a)))
    b = np.reshape(b, (*(1,) * (ndim - rank_of(b)), *np.shape(b)))
    both = np.expand_dims(a, tuple(range(1, 2 * ndim, 2))) * np.expand_dims(
        b, tuple(range(0, 2 * ndim, 2))
    )
    return np.reshape(both, tuple(x * y for x, y in zip(a.shape, b.shape, strict=True)))


@rule(np.cross)
def _cross(level: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1,
           axis: Any = None) -> Any:  # fmt: skip
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise Opaque("a cross product in the plane")
    parts = [a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return np.moveaxis(np.stack(parts, -1), -1, axisc)


def _lettered(operands: Any) -> tuple[Any, ...]:
    """einsum's arguments with lists of axes, as with letters."""
    arrays, lists = operands[::2], operands[1::2]
    result = None
    if len(operands) % 2:
        arrays, result = operands[:-1:2], operands[-1]
    if any(n is Ellipsis for each in (*lists, result or ()) for n in each):
        raise Opaque("an einsum of unnamed axes")

    def text(axes: Any) -> str:
        return "".join(chr(ord("a") + n) for n in axes)

    terms = ",".join(text(axes) for axes in lists)
    return (terms if result is None else f"{terms}->{text(result)}", *arrays)


@rule(np.einsum)
def _einsum(level: Any, *operands: Any, **kwargs: Any) -> Any:
    if not isinstance(operands[0], str):
        operands = _lettered(operands)
    subscripts, *arrays = operands
    text = subscripts.replace(" ", "")
    unused = next(chr(c) for c in range(ord("A"), ord("z")) if chr(c).isalpha() and
                  chr(c) not in text)  # fmt: skip
    given, arrow, result = text.partition("->")
    terms = given.split(",")
    if not arrow:
        if "." in given:
            raise Opaque("an implicit einsum of unnamed axes")
        result = "".join(sorted(c for c in set(given) - {","} if given.count(c) == 1))
    size = max(len(a.data) if here(a, level) else 1 for a in arrays)
    # An array whose examples are the same goes in once.
    inside = [here(a, level) and (len(a.data) == size) for a in arrays]
    data = [a.data if i else a.data[0] if here(a, level) else a
            for a, i in zip(arrays, inside, strict=True)]  # fmt: skip
    terms = [unused + t if i else t for t, i in zip(terms, inside, strict=True)]
    return Batched(np.einsum(f"{','.join(terms)}->{unused}{result}", *data, **kwargs), level)


# Linear algebra: NumPy's functions take stacks of matrices


def _stacks(function: Any) -> None:
    @rule(function)
    def on_stack(level: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
        _plainly(None, *args, *kwargs.values())
        return batched(function(a.data, *args, **kwargs), level)


for _function in _named(
    "linalg.inv linalg.pinv linalg.det linalg.slogdet linalg.cholesky linalg.qr linalg.svd "
    "linalg.svdvals linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.matrix_rank "
    "linalg.matrix_power linalg.cond linalg.matrix_norm"
):
    _stacks(_function)


@rule(np.linalg.solve)
def _solve(level: Any, a: Any, b: Any) -> Any:
    if rank_of(b) == 1:
        return np.linalg.solve(a, np.expand_dims(b, -1))[..., 0]
    ndim = max(rank_of(a), rank_of(b))
    return Batched(np.linalg.solve(aligned(a, level, ndim), aligned(b, level, ndim)), level)


@rule(np.linalg.norm)
def _norm(level: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None:
        if ord is None:
            found = np.linalg.norm(_flat(x, level), axis=1)
            return Batched(np.reshape(found, (-1, *(1,) * x.ndim)) if keepdims else found, level)
        if x.ndim > 2:
            raise ValueError("Improper number of dimensions to norm.")
        axis = tuple(range(x.ndim))
    axes = axis_of(axis, x.ndim)
    if isinstance(axes, tuple) and len(axes) == 1:
        axes = axes[0]
    return Batched(np.linalg.norm(x.data, ord, axes, keepdims), level)


for _function in _named("linalg.vector_norm"):

    @rule(_function)
    def _vector_norm(level: Any, x: Any, /, *, axis: Any = None, keepdims: bool = False,
                     ord: Any = 2) -> Any:  # fmt: skip
        axes = every_axis(x.ndim) if axis is None else axis_of(axis, x.ndim)
        return Batched(np.linalg.vector_norm(x.data, axis=axes, keepdims=keepdims, ord=ord), level)


# Fourier transforms


def _fourier(function: Any) -> None:
    @rule(function)
    def transform(level: Any, a: Any, n: Any = None, axis: int = -1, norm: Any = None,
                  out: Any = None) -> Any:  # fmt: skip
        _plainly(out)
        return Batched(function(a.data, n, axis_of(axis, a.ndim), norm), level)


def _fourier_axes(function: Any, default: Any) -> None:
    @rule(function)
    def transform(level: Any, a: Any, s: Any = None, axes: Any = default, norm: Any = None,
                  out: Any = None) -> Any:  # fmt: skip
        _plainly(out)
        if axes is None:
            axes = tuple(range(a.ndim) if s is None else range(a.ndim - len(s), a.ndim))
        return Batched(function(a.data, s, axis_of(tuple(axes), a.ndim), norm), level)


def _shift(function: Any) -> None:
    @rule(function)
    def shifted(level: Any, x: Any, axes: Any = None) -> Any:
        axes = every_axis(x.ndim) if axes is None else axis_of(axes, x.ndim)
        return Batched(function(x.data, axes), level)


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    _fourier(getattr(np.fft, _name))
for _name in ("fft2", "ifft2", "rfft2", "irfft2"):
    _fourier_axes(getattr(np.fft, _name), (-2, -1))
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    _fourier_axes(getattr(np.fft, _name), None)
for _name in ("fftshift", "ifftshift"):
    _shift(getattr(np.fft, _name))


# New arrays, copies, dtypes. What is made to be written to has all examples.


def _like(function: Any) -> None:
    @rule(function)
    def made(level: Any, a: Any, dtype: Any = None, order: str = "K", subok: bool = True,
             shape: Any = None, **_: Any) -> Any:  # fmt: skip
        shape = a.shape if shape is None else shape
        shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        data = widened(a.data, level.size)
        if shape == a.shape and len(a.data) == level.size:
            return Batched(function(data, dtype, order, subok), level)
        return Batched(function(data, dtype, "C", subok, shape=(level.size, *shape)), level)


for _function in (np.empty_like, np.zeros_like, np.ones_like):
    _like(_function)


@rule(np.full_like)
def _full_like(level: Any, a: Any, fill_value: Any, dtype: Any = None, order: str = "K",
               subok: bool = True, shape: Any = None, **_: Any) -> Any:  # fmt: skip
    base = a if here(a, level) else Batched(np.expand_dims(a, 0), level)
    made = np.empty_like(base, dtype, order, subok, shape)  # type: ignore[call-overload]
    made[...] = fill_value
    return made


@rule(np.copy, np.ndarray.copy)
def _copy(level: Any, a: Any, order: str = "C", subok: bool = False) -> Any:
    return Batched(np.copy(widened(a.data, level.size), order), level)  # type: ignore[call-overload]


@rule(np.copyto)
def _copyto(level: Any, dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if not here(dst, level):
        raise Opaque("a batch cannot be written into one example")
    ndim = dst.ndim
    if where is not True:
        source = aligned(src, level, ndim) if here(src, level) else src
        mask = aligned(where, level, ndim) if here(where, level) else where
        if max(len(v) for v in (dst.data, *(x.data for x in (src, where) if here(x, level)))) > len(
            dst.data
        ):
            raise Opaque("a batch cannot be written into one example")
        np.copyto(dst.data, source, casting, mask)  # type: ignore[arg-type]
        return
    write(dst, level, aligned(_array(src), level, ndim))


@rule(np.ndarray.fill)
def _fill(level: Any, a: Any, value: Any) -> None:
    a[...] = value


@rule(np.ndarray.astype, *_named("astype"))
def _astype(level: Any, x: Any, dtype: Any, *args: Any, **kwargs: Any) -> Any:
    return Batched(x.data.astype(dtype, *args, **kwargs), level)


@rule(np.ndarray.view)
def _view(level: Any, a: Any, dtype: Any = None) -> Any:
    if dtype is None or dtype is np.ndarray:
        return Batched(a.data[...], level)
    if not a.ndim and np.dtype(dtype).itemsize != a.dtype.itemsize:
        raise ValueError("Changing the dtype of a 0d array is only supported if the itemsize is "
                         "unchanged")  # fmt: skip
    return Batched(a.data.view(dtype), level)


# Questions about an array


@rule(np.ndim)
def _ndim(level: Any, a: Any) -> int:
    return a.ndim  # type: ignore[no-any-return]


@rule(np.shape)
def _shape(level: Any, a: Any) -> Any:
    return a.shape


@rule(np.size)
def _size(level: Any, a: Any, axis: Any = None) -> Any:
    return a.size if axis is None else a.shape[axis]


def _question(function: Any) -> None:
    @rule(function)
    def asked(level: Any, *args: Any, **kwargs: Any) -> Any:
        return function(*[a.data if here(a, level) else a for a in args], **kwargs)


for _function in _named(
    "result_type can_cast common_type iscomplexobj isrealobj min_scalar_type shares_memory "
    "may_share_memory"
):
    _question(_function)


# Methods of arrays: as the functions of the same names

for _name in ("all", "any", "argmax", "argmin", "argsort", "clip", "cumprod", "cumsum", "diagonal",
              "max", "mean", "min", "prod", "ravel", "repeat", "round", "squeeze", "std", "sum",
              "swapaxes", "take", "trace", "transpose", "var"):  # fmt: skip
    RULES[getattr(np.ndarray, _name)] = RULES[getattr(np, _name)]
for _name in ("conj", "conjugate"):
    RULES[getattr(np.ndarray, _name)] = functools.partial(
        lambda level, a: elementwise(level, np.conjugate, (a,), {})
    )
