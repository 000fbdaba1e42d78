"""`segment_reduce`: sums, products, extremes or means of runs of elements along a dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F32
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, wrap
from .arithmetic import without_derivative

__all__ = ["segment_reduce"]
ALIASES = {"_segment_reduce": "segment_reduce"}

# Of each reduction: the ufunc that adds an element, and what an empty segment gives.
_REDUCTIONS = {
    "sum": (np.add, 0.0), "mean": (np.add, 0.0), "prod": (np.multiply, 1.0),
    "max": (np.maximum, -math.inf), "min": (np.minimum, math.inf),
}  # fmt: skip


def _places(starts: Any, ends: Any, size: int) -> tuple[Any, Any]:
    """Of segments given by rows of starts and ends: the place of every element that is in one, in
    the flattened data, and the number of its segment."""
    counts = np.maximum(ends - starts, 0)
    rows = np.reshape(np.arange(starts.size // max(starts.shape[-1], 1)), (*starts.shape[:-1], 1))
    first = np.repeat((rows * size + starts).ravel(), counts.ravel())
    segment = np.repeat(np.arange(counts.size), counts.ravel())
    before = np.repeat(np.cumsum(counts.ravel()) - counts.ravel(), counts.ravel())
    return first + np.arange(first.size) - before, segment


def _flat(data: Any, axis: int) -> Any:
    """The data with all dimensions up to the segmented one as one, and all after it as one."""
    return data.reshape((math.prod(data.shape[: axis + 1]), math.prod(data.shape[axis + 1 :])))


def _wide(data: Any) -> Any:
    return data.astype(F32) if data.dtype.itemsize == 2 else data


@op(name="segment_reduce", node="SegmentReduceBackward0")
@quietly
def segments(data, starts, ends, /, reduce, axis, initial):
    """Runs of elements along a dimension, each reduced to one: f[b, n, m], i[b, s], i[b, s] ->
    f[b, s, m]. initial: what a segment starts from, None for nothing."""
    ufunc, empty = _REDUCTIONS[reduce]
    values = _wide(_flat(data, axis))
    places, segment = _places(starts, ends, data.shape[axis])
    found = np.full_like(values, empty if initial is None else initial,
                         shape=(starts.size, values.shape[1]))  # fmt: skip
    ufunc.at(found, segment, values[places])
    if reduce == "mean":
        counts = np.maximum(ends - starts, 0).reshape((-1, 1)).astype(found.dtype)
        unless_empty = found if initial is not None else np.full_like(found, math.nan)
        found = np.where(counts > 0, found / np.maximum(counts, 1), unless_empty)
    shape = (*starts.shape, *data.shape[axis + 1 :])
    return found.reshape(shape).astype(data.dtype, copy=False)


@without_derivative
@op(name="_segment_reduce_backward", node="NotImplemented")
@quietly
def segments_backward(g, out, data, starts, ends, /, reduce, axis, initial):
    """The gradient of `segments` for its data. Elements that tie for an extreme share it."""
    values = _wide(_flat(data, axis))
    places, segment = _places(starts, ends, data.shape[axis])
    g = _wide(g.reshape((starts.size, values.shape[1])))[segment]
    chosen = values[places]
    if reduce == "mean":
        g = g / np.maximum(ends - starts, 1).ravel()[segment][:, None].astype(g.dtype)
    elif reduce in ("max", "min"):
        reached = _wide(out.reshape((starts.size, values.shape[1])))[segment]
        ties = (chosen == reached) | (np.isnan(chosen) & np.isnan(reached))
        counts = np.zeros_like(values, shape=(starts.size, values.shape[1]))
        np.add.at(counts, segment, ties)
        g = np.where(ties, g / np.maximum(counts[segment], 1), 0)
    elif reduce == "prod":
        start = 1.0 if initial is None else initial
        g = g * _product_of_others(chosen, segment, starts.size, start)
    found = np.zeros_like(values)
    np.add.at(found, places, g)
    return found.reshape(data.shape).astype(data.dtype, copy=False)


def _product_of_others(values: Any, segment: Any, count: int, initial: float) -> Any:
    """For every element the product of the others in its segment, and of `initial`: also where
    the element, or another, is zero or NaN."""
    shape = (count, values.shape[1])
    zero, nan = values == 0, np.isnan(values)
    usual = np.where(zero | nan, 1, values)
    product = np.full_like(values, initial, shape=shape)
    np.multiply.at(product, segment, usual)
    others = []
    for odd in (zero, nan):
        counts = np.zeros_like(values, shape=shape)
        np.add.at(counts, segment, odd)
        others.append(counts[segment] > odd)
    found = np.where(others[0], 0, product[segment] / usual)
    return np.where(others[1], math.nan, found)


segments.vjp(
    data=lambda g, data, out, starts, ends, reduce, axis, initial: segments_backward(
        g, out, data, starts, ends, reduce, axis, initial
    )
)


def segment_reduce(data: Tensor, reduce: str, *, lengths: Tensor | None = None,
                   indices: Tensor | None = None, offsets: Tensor | None = None, axis: int = 0,
                   unsafe: bool = False, initial: float | None = None) -> Tensor:  # fmt: skip
    """Runs of elements along `axis`, each reduced to one: by "sum", "mean", "prod", "max", "min".

    lengths: how long each run is, or offsets: where they start, and where the last one ends; one
    row of them for each element of the dimensions before `axis`, which is the last one of theirs
    unsafe: do not check that the lengths add up; initial: what each reduction starts from
    """
    if not isinstance(data, Tensor):
        fail(TypeError, "segment_reduce(): argument 'data' (position 1) must be Tensor, not "
                        f"{type(data).__name__}")  # fmt: skip
    reduce = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    if reduce not in _REDUCTIONS:
        fail(RuntimeError, "reduce argument must be either sum, prod, mean, amax or amin, got "
                           f"{reduce}")  # fmt: skip
    if indices is not None:
        fail(RuntimeError, "segment_reduce(): indices based reduction is not supported yet.")
    given = lengths if lengths is not None else offsets
    if given is None:
        fail(RuntimeError, "segment_reduce(): Either lengths or offsets must be defined.")
    axis = axis + data.ndim if axis < 0 else axis
    name = "lengths" if lengths is not None else "offsets"
    if axis != given.ndim - 1:
        fail(RuntimeError, f"segment_reduce(): Expected axis to be the last dimension of {name} "
                           f"but got {axis}.")  # fmt: skip
    kernel = f"_segment_reduce_{name}_cpu_kernel1"
    for value, where in ((given, kernel), (data, "_segment_reduce_cpu")):
        if (value.dtype.category == 1) != (value is given):
            fail(NotImplementedError, f"\"{where}\" not implemented for '{value.dtype.legacy}'")
    numbers = given._array.astype(np.int64)
    if numbers.shape[:-1] != data.shape[:axis]:
        fail(RuntimeError, f"segment_reduce(): Expected the leading dimensions of {name} to be "
                           f"those of data: {list(numbers.shape[:-1])} is not "
                           f"{list(data.shape[:axis])}")  # fmt: skip
    if lengths is not None:
        if np.any(numbers < 0) and not unsafe:
            fail(RuntimeError, "lengths contains negative value!")
        if not unsafe and np.any(np.sum(numbers, axis=-1) != data.shape[axis]):
            fail(RuntimeError, "segment_reduce(): Expected all rows of lengths along axis to sum "
                               "to data.size(lengths.dim()-1) when !unsafe.")  # fmt: skip
        ends = np.cumsum(numbers, axis=-1)
        starts = ends - numbers
    else:
        starts, ends = numbers[..., :-1], numbers[..., 1:]
    if ends.size and (np.max(ends) > data.shape[axis] or np.min(starts) < 0):
        fail(IndexError, f"segment_reduce(): {name} reach beyond the {data.shape[axis]} elements "
                         "of the dimension")  # fmt: skip
    return segments(data, wrap(starts), wrap(ends), reduce, axis, initial)
