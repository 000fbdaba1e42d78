"""Sums as exact as PyTorch's: of the operators, and of the gradients of what was broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dtypes import F32, F64

_ndarray = np.ndarray


def total(x: Any, dim: Any = None, keepdim: Any = False) -> Any:
    """The sum, as exact as PyTorch's: halves add up in float32, integers in int64, and long
    columns in blocks."""
    kind = x.dtype
    if kind is F32 or kind is F64:
        if x.__class__ is _ndarray and x.size > 16384 and x.ndim > 1 and dim is not None:
            return _long_total(x, (dim,) if dim.__class__ is int else dim, keepdim)
        return np.add.reduce(x, axis=dim, keepdims=keepdim)
    if kind.kind in "bui":
        return np.add.reduce(x, axis=dim, dtype=np.int64, keepdims=keepdim)
    if kind.itemsize == 2:
        return np.add.reduce(x, axis=dim, dtype=F32, keepdims=keepdim).astype(kind)
    return np.add.reduce(x, axis=dim, keepdims=keepdim)


def _long_total(x: Any, dims: tuple[int, ...], keepdim: bool) -> Any:
    """NumPy adds pairwise along rows, but column sums row after row: after a million rows only
    four digits of a float32 are left. Dimension by dimension, and long ones in blocks, all are.
    """
    shape = x.shape
    order = sorted(range(x.ndim), key=lambda d: -x.strides[d])  # as it lies in memory
    whole = x.transpose(order)
    reduced = [i for i, d in enumerate(order) if d in dims]
    last = x.ndim
    while last - 1 in reduced:
        last -= 1
    if last < x.ndim:
        whole = np.add.reduce(whole, axis=tuple(range(last, x.ndim)), keepdims=True)
    for axis in reduced:
        if axis < last:
            whole = _column_totals(whole, axis)
    found = whole.transpose(np.argsort(order))
    return found if keepdim else found.reshape([n for d, n in enumerate(shape) if d not in dims])


_BLOCK = 128


def _column_totals(x: Any, axis: int) -> Any:
    n = x.shape[axis]
    if n <= 2 * _BLOCK:
        return np.add.reduce(x, axis=axis, keepdims=True)
    width, after = x.size // n, x.shape[axis + 1 :]
    if axis == 0 and width < _BLOCK and x.flags.c_contiguous:
        side = 1024 // width  # several short rows side by side as one long row
        whole = n // side * side
        sums = _column_totals(x[:whole].reshape(n // side, side * width), 0)
        sums = np.add.reduce(sums.reshape(side, *after), axis=0, keepdims=True)
        rest = x[whole:]
    else:
        start, whole = (slice(None),) * axis, n // _BLOCK * _BLOCK
        blocks = x[(*start, slice(0, whole))].reshape(*x.shape[:axis], n // _BLOCK, _BLOCK, *after)
        sums = _column_totals(np.add.reduce(blocks, axis=axis + 1), axis)
        rest = x[(*start, slice(whole, n))]
    return sums + np.add.reduce(rest, axis=axis, keepdims=True) if whole < n else sums
