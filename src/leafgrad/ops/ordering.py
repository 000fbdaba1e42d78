"""Order statistics: sorting, the k-th, medians, quantiles, modes; searching, counting.

Of equal elements PyTorch leaves the order of indices open (except under `stable=True`); here it is
always that of the input.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import return_types
from ..dtypes import F32, F64
from ..duck import BATCH_RULES, whole
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, as_array, wrap
from .reductions import (
    as_values,
    evenly,
    not_empty,
    one_dim,
    picker,
    places,
    take_along,
    torch_arguments,
)

__all__ = [
    "argsort", "bincount", "bucketize", "histc", "histogram", "histogramdd", "kthvalue", "median",
    "mode", "msort", "nanmedian", "nanquantile", "quantile", "searchsorted", "sort", "topk",
    "unique", "unique_consecutive",
]  # fmt: skip
METHODS = (
    "argsort", "bincount", "histc", "histogram", "kthvalue", "median", "mode", "msort",
    "nanmedian", "nanquantile", "quantile", "sort", "topk", "unique", "unique_consecutive",
)  # fmt: skip


def _comparable(x: Any) -> Any:
    """What NumPy sorts with NaN last: bfloat16 as float32."""
    return x.astype(F32) if x.dtype.kind == "V" else x


def _refuse(input: Tensor, name: str, kinds: str) -> None:
    if input._array.dtype.kind in kinds:
        fail(NotImplementedError, f"\"{name}\" not implemented for '{input.dtype.legacy}'")


# Sorting


@op(name="argsort")
def order(input, /, dim, descending):
    """The indices that sort a dimension, stably; NaN counts as the largest."""
    x = _comparable(input)
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    backwards = (slice(None),) * dim + (slice(None, None, -1),)
    return x.shape[dim] - 1 - np.argsort(x[backwards], axis=dim, kind="stable")[backwards]


_pick_sorted = picker("sort", "SortBackward0")
_pick_top = picker("topk", "TopkBackward0")
_pick_kth = picker("kthvalue", "KthvalueBackward0")
_pick_median = picker("median_dim", "MedianBackward1")
_pick_nanmedian = picker("nanmedian_dim", "NanmedianBackward1")
_pick_mode = picker("mode", "ModeBackward0")


@torch_arguments(out=as_values)
def sort(input: Tensor, dim: int = -1, descending: bool = False, *,
         stable: bool | None = None) -> Any:  # fmt: skip
    """The elements sorted along a dimension: a named tuple (values, indices). NaN is largest."""
    index = argsort(input, dim, descending)
    d = one_dim(dim, input._array.ndim, "sort")
    return return_types.sort((_pick_sorted(input, index, d, True), index))


@torch_arguments
def argsort(input: Tensor, dim: int = -1, descending: bool = False, *,
            stable: bool = False) -> Tensor:  # fmt: skip
    """The indices that sort a dimension. NaN is the largest."""
    if input._array.dtype.kind == "c":
        fail(RuntimeError, " Sort does not support complex dtypes on CPU")
    return order(input, one_dim(dim, input._array.ndim, "sort"), bool(descending))


@torch_arguments(out=as_values)
def msort(input: Tensor) -> Tensor:
    """The elements sorted along the first dimension."""
    return sort(input, 0)[0]


@op(name="topk")
def top_order(input, /, k, dim, largest):
    """The indices of the k largest (or smallest) elements along a dimension, in order."""
    n = input.shape[dim] if input.ndim else 1
    if n < 1024 or 4 * k > n or not k:
        return order(input, dim, largest)[(slice(None),) * dim + (slice(k),)] if input.ndim else \
            np.zeros((), np.int64)  # fmt: skip
    # Few of many: part them off first, then sort those, in the order of the input if equal.
    x = _comparable(input)
    there = np.argpartition(x, n - k if largest else k - 1, axis=dim)
    there = np.take(there, np.arange(n - k, n) if largest else np.arange(k), axis=dim)
    there = np.sort(there, axis=dim)
    index = order(take_along(x, there, dim, True), dim, largest)
    return take_along(there, index, dim, True)


@torch_arguments(out=as_values)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) elements along a dimension, in order: a named tuple
    (values, indices). NaN is the largest."""
    array = input._array
    d = one_dim(dim, array.ndim, "topk")
    if array.dtype.kind == "b":
        fail(RuntimeError, "topk does not support bool dtypes on CPU")
    if array.dtype.kind == "c":
        fail(RuntimeError, " topk does not support complex dtypes on CPU")
    if not 0 <= k <= (array.shape[d] if array.ndim else 1):
        fail(RuntimeError, "selected index k out of range")
    index = top_order(input, k, d, bool(largest))
    return return_types.topk((_pick_top(input, index, d, True), index))


# The k-th, the middle, the most frequent


@op(name="kthvalue")
def kth_index(input, /, k, dim, keepdim):
    """The index of the k-th smallest element along a dimension, NaN being the largest."""
    if not input.ndim:
        return np.zeros((), np.int64)
    place = slice(k - 1, k) if keepdim else k - 1
    return order(input, dim, False)[(*(slice(None),) * dim, place)]


@torch_arguments
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along a dimension: a named tuple (values, indices)."""
    array = input._array
    d = one_dim(dim, array.ndim, "kthvalue")
    _refuse(input, "kthvalue_cpu", "bc")
    not_empty(input, d, "kthvalue")
    if not 1 <= k <= (array.shape[d] if array.ndim else 1):
        fail(RuntimeError, f"kthvalue(): selected number k out of range for dimension {d}")
    index = kth_index(input, k, d, keepdim)
    return return_types.kthvalue((_pick_kth(input, index, d, keepdim), index))


@op(name="median")
@quietly
def middle_index(input, /, dim, keepdim, ignore_nan):
    """The index of the (lower) middle element along a dimension: of the first NaN if there is one,
    or of the middle of what is not NaN."""
    if not input.ndim:
        return np.zeros((), np.int64)
    x = _comparable(input)
    n = x.shape[dim]
    numbers = n - np.add.reduce(x != x, axis=dim, keepdims=keepdim, dtype=np.int64)
    # In order, the NaNs come last.
    if ignore_nan:
        rank = np.maximum(numbers - 1, 0) // 2
    else:
        rank = np.where(numbers < n, numbers, (n - 1) // 2)
    return order(x, dim, False)[places(rank, dim, keepdim)]


def _middle(x: Any, ignore_nan: bool) -> Any:
    """The (lower) median of all elements."""
    if not x.size:
        return np.array(np.iinfo(x.dtype).min if x.dtype.kind in "iu" else math.nan, x.dtype)
    flat = np.reshape(x, (-1,))
    return flat[middle_index(flat, 0, False, ignore_nan)]


@op(name="median")
def median_all(input):
    """The (lower) median of all elements: f[...] -> f[]."""
    return _middle(input, False)


@op(name="nanmedian")
def nanmedian_all(input):
    """The (lower) median of all elements that are not NaN: f[...] -> f[]."""
    return _middle(input, True)


median_all.vjp(input=evenly)
nanmedian_all.vjp(input=evenly)


def _median(name: str, input: Tensor, dim: int | None, keepdim: bool) -> Any:
    _refuse(input, "median_cpu" if dim is None else "median_out", "bc")
    ignore = name == "nanmedian"
    if dim is None:
        return nanmedian_all(input) if ignore else median_all(input)
    d = one_dim(dim, input._array.ndim, name)
    not_empty(input, d, "median")
    index = middle_index(input, d, keepdim, ignore)
    pick = _pick_nanmedian if ignore else _pick_median
    return getattr(return_types, name)((pick(input, index, d, keepdim), index))


@torch_arguments
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median (of an even number the lower middle one) of all elements; or, over one dimension,
    a named tuple (values, indices). NaN if there is one."""
    return _median("median", input, dim, keepdim)


@torch_arguments
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of what is not NaN; see `median`."""
    return _median("nanmedian", input, dim, keepdim)


@op(name="mode")
def mode_index(input, /, dim, keepdim):
    """The index of the (last of the) most frequent element along a dimension, of the smallest one
    among equally frequent ones."""
    if not input.ndim:
        return np.zeros((), np.int64)
    x = np.swapaxes(_comparable(input), dim, -1)
    index = np.argsort(x, axis=-1, kind="stable")
    ordered = np.take_along_axis(x, index, -1)
    n = x.shape[-1]
    place = np.arange(n)
    first = np.ones_like(ordered[..., :1], dtype=np.bool_)
    starts = np.concatenate([first, ordered[..., 1:] != ordered[..., :-1]], -1)
    start = np.maximum.accumulate(np.where(starts, place, 0), axis=-1)
    end = np.argmax(place - start, axis=-1, keepdims=True)  # of the first longest run
    found = np.swapaxes(np.take_along_axis(index, end, -1), dim, -1)
    return found if keepdim else np.squeeze(found, dim)


@torch_arguments
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along a dimension (the smallest of several): a named tuple
    (values, indices)."""
    d = one_dim(dim, input._array.ndim, "mode")
    _refuse(input, "mode_cpu", "c")
    not_empty(input, d, "mode")
    index = mode_index(input, d, keepdim)
    return return_types.mode((_pick_mode(input, index, d, keepdim), index))


# Quantiles


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str,
              ignore_nan: bool) -> Tensor:  # fmt: skip
    array = input._array
    if not array.size:
        fail(RuntimeError, "quantile() input tensor must be non-empty")
    if array.dtype.kind != "f" or array.dtype.itemsize < 4:
        fail(RuntimeError, "quantile() input tensor must be either float or double dtype")
    if interpolation not in _INTERPOLATIONS:
        fail(RuntimeError, "quantile() interpolation must be one of linear, lower, higher, "
                           f"midpoint or nearest, but got {interpolation}")  # fmt: skip
    d = 0 if dim is None else one_dim(dim, array.ndim, "quantile")
    ranks, several = _ranks(input, q)
    whole = input
    if dim is None or not array.ndim:
        whole = input.reshape(-1)  # type: ignore[attr-defined]
    values = sort(whole.movedim(d, -1) if dim is not None and array.ndim else whole)[0]  # type: ignore[attr-defined]
    n = values.shape[-1]
    nan = np.isnan(values._array)
    if ignore_nan:
        last = np.maximum(n - 1 - np.add.reduce(nan, axis=-1, keepdims=True, dtype=np.int64), 0)
        ranks = ranks * wrap(last.astype(array.dtype))
    else:
        ranks = ranks * (n - 1)
        ranks = ranks.masked_fill(wrap(nan[..., -1:]), n - 1)  # NaN, where there is one
    found = _at_rank(values, ranks, interpolation)
    if several:
        found = found.movedim(-1, 0)
    else:
        found = found.squeeze(-1)
    if keepdim:
        shape = [1] * array.ndim if dim is None else list(array.shape)
        if dim is not None and array.ndim:
            shape[d] = 1
        found = found.reshape(([found.shape[0]] if several else []) + shape)
    return found


def _ranks(input: Tensor, q: Any) -> tuple[Any, bool]:
    """q as a tensor of one dimension, checked, and whether there may be several."""
    kind = input._array.dtype
    if not isinstance(q, Tensor):
        if isinstance(q, bool) or not isinstance(q, (int, float)):
            fail(TypeError, "quantile(): argument 'q' must be Tensor or float, not "
                            f"{type(q).__name__}")  # fmt: skip
        if not 0 <= q <= 1:
            fail(RuntimeError, f"quantile() q must be in the range [0, 1] but got {q:g}")
        return wrap(np.array([q], kind)), False
    values = q._array
    if values.ndim > 1:
        fail(RuntimeError, "quantile() q must be a scalar or 1D tensor")
    if values.dtype != kind:
        fail(RuntimeError, "quantile() q tensor must be same dtype as the input tensor")
    every = whole(values)
    if not np.all((every >= 0) & (every <= 1)):
        fail(RuntimeError, "quantile() q values must be in the range [0, 1]")
    return (q, True) if values.ndim else (q.reshape(1), False)  # type: ignore[attr-defined]


def _at_rank(values: Tensor, ranks: Any, interpolation: str) -> Any:
    """Sorted values at fractional ranks along the last dimension."""
    at = ranks._array
    if interpolation in ("lower", "higher", "nearest"):
        rounded = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}[interpolation](at)
        return take_along(values, _index(rounded, values), values.ndim - 1, True)
    below = np.floor(at)
    low = take_along(values, _index(below, values), values.ndim - 1, True)
    high = take_along(values, _index(np.ceil(at), values), values.ndim - 1, True)
    if interpolation == "midpoint":
        return low.lerp(high, 0.5)
    return low.lerp(high, ranks - wrap(below))


def _index(rank: Any, values: Tensor) -> Tensor:
    return wrap(np.broadcast_to(rank.astype(np.int64), (*values.shape[:-1], rank.shape[-1])))


@torch_arguments
def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
             interpolation: str = "linear") -> Tensor:  # fmt: skip
    """The q-th quantiles of all elements, or along a dimension; NaN if there is one.

    q: a number between 0 and 1, or a tensor of such, which then come first in the result's shape
    interpolation: between neighbours: "linear", "lower", "higher", "midpoint" or "nearest"
    """
    return _quantile(input, q, dim, keepdim, interpolation, False)


@torch_arguments
def nanquantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
                interpolation: str = "linear") -> Tensor:  # fmt: skip
    """The q-th quantiles of what is not NaN; see `quantile`."""
    return _quantile(input, q, dim, keepdim, interpolation, True)


# Searching in sorted sequences


def _side(name: str, right: bool, side: str | None) -> str:
    if side not in (None, "left", "right"):
        fail(RuntimeError, f"torch.{name}(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        fail(RuntimeError, f"torch.{name}(): side and right can't be set to opposites, got side of "
                           "left while right was True")  # fmt: skip
    return side or ("right" if right else "left")


@op(name="searchsorted")
def insertion_places(sequence, values, /, side, kind):
    """Where `values` would be inserted in a sorted sequence; row by row if that has several."""
    x = _comparable(sequence)
    v = _comparable(as_array(values))
    if x.ndim == 1:
        return np.asarray(np.searchsorted(x, v, side=side)).astype(kind)
    count = math.prod(x.shape[:-1])
    rows = zip(x.reshape(count, x.shape[-1]), v.reshape(count, v.shape[-1]), strict=True)
    found = [np.searchsorted(row, value, side=side) for row, value in rows]
    return np.array(found, kind).reshape(v.shape)


def _places_of_batch(level: Any, sequence: Any, values: Any, side: str, kind: Any) -> Any:
    """The rule of `insertion_places` for a batch: the examples are rows."""
    from ..graph.batched import Batched, aligned, widened

    size = level.size
    rows = widened(aligned(sequence, level, sequence.ndim), size)
    wanted = widened(aligned(values, level, values.ndim), size)
    shape = wanted.shape
    if sequence.ndim == 1:
        wanted = np.reshape(wanted, (size, math.prod(shape[1:])))
    found = insertion_places.op.forward(rows, wanted, side, kind)
    return Batched(np.reshape(found, shape), level)


BATCH_RULES[insertion_places.op.forward] = _places_of_batch


@torch_arguments
def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: bool = False,
                 right: bool = False, side: str | None = None,
                 sorter: Tensor | None = None) -> Tensor:  # fmt: skip
    """Where to insert values into a sorted sequence so that it stays sorted.

    sorted_sequence: one sequence, or one a row, with as many rows of values
    right (side="right"): after equal elements rather than before; sorter: the indices that sort it
    """
    name = "torch.searchsorted()"
    side = _side("searchsorted", right, side)
    sequence = sorted_sequence._array
    if not sequence.ndim:
        fail(RuntimeError, f"{name}: boundaries tensor should have positive dimension, but got 0 "
                           "dimension")  # fmt: skip
    values = input._array if isinstance(input, Tensor) else np.asarray(input)
    if sequence.ndim > 1 and not isinstance(input, Tensor):
        fail(RuntimeError, f"{name}: input value can be a scalar only when boundaries tensor "
                           f"dimension is 1, but we got boundaries tensor dim({sequence.ndim}) and "
                           "input value's dim(0) numel(1)")  # fmt: skip
    if sequence.ndim > 1 and values.shape[:-1] != sequence.shape[:-1]:
        fail(RuntimeError, f"{name}: boundaries tensor should be 1 dimension or the first N-1 "
                           "dimensions of boundaries tensor and input value tensor must match, but "
                           f"we got boundaries tensor {list(sequence.shape)} and input value "
                           f"tensor {list(values.shape)}")  # fmt: skip
    if sorter is not None:
        sorted_sequence = _sorted_by(name, sorted_sequence, sorter)
    kind = np.int32 if out_int32 else np.int64
    return insertion_places(sorted_sequence, wrap(values), side, kind)


def _sorted_by(name: str, sequence: Tensor, sorter: Tensor) -> Tensor:
    index, shape = sorter._array, sequence._array.shape
    if index.shape != shape:
        fail(RuntimeError, f"{name}: boundary and sorter must have the same size, but got "
                           f"boundary tensor {list(shape)}and got sorter tensor "
                           f"{list(index.shape)}")  # fmt: skip
    if index.dtype != np.int64:
        fail(RuntimeError, f"{name}: sorter must be a tensor of long dtype but got dtype "
                           f"{sorter.dtype.legacy}")  # fmt: skip
    every = whole(index)
    if every.size and (every.min() < 0 or every.max() >= shape[-1]):
        fail(RuntimeError, f"{name}: sorter index out of range")
    return wrap(np.take_along_axis(sequence._array, index, -1))


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False,
              out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The index of the bucket each value falls into: boundaries[i-1] < value <= boundaries[i]
    (with `right`, the ≤ and < change places)."""
    if boundaries._array.ndim != 1:
        fail(RuntimeError, "boundaries tensor must be 1 dimension, but got "
                           f"dim({boundaries._array.ndim})")  # fmt: skip
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


# What is there, and how often


def _unique_results(found: tuple[Any, ...], inverse: bool, counts: bool) -> Any:
    kept = [found[0]] + [found[1]] * inverse + [found[2]] * counts
    return kept[0] if len(kept) == 1 else tuple(kept)


def _runs(changed: Any) -> tuple[Any, Any, Any]:
    """Of marks where runs of equal elements start: the starts, each element's run, run lengths."""
    starts = np.flatnonzero(changed)
    return starts, np.cumsum(changed) - 1, np.diff(np.append(starts, len(changed)))


def _different(rows: Any) -> Any:
    """For every row, or element, whether it is another than the one before."""
    changed = np.ones(len(rows), np.bool_)
    unlike = rows[1:] != rows[:-1]
    changed[1:] = unlike.any(axis=tuple(range(1, rows.ndim)))
    return changed


def _uniques(x: Any, dim: int | None, consecutive: bool) -> tuple[Any, Any, Any]:
    """Unique elements (or slices along a dimension), each one's place among them, and counts."""
    rows = x.reshape(-1) if dim is None else np.moveaxis(x, dim, 0)
    if consecutive:
        starts, inverse, counts = _runs(_different(rows))
        first = rows[starts]
    else:
        flat = _comparable(rows.reshape(len(rows), math.prod(rows.shape[1:])))
        index = np.lexsort(flat.T[::-1]) if flat.size else np.arange(len(rows))
        starts, run, counts = _runs(_different(rows[index]))
        inverse = np.empty(len(rows), np.int64)
        inverse[index] = run
        first = rows[index[starts]]
    if dim is None:
        return first, inverse.reshape(x.shape), counts
    return np.ascontiguousarray(np.moveaxis(first, 0, dim)), inverse, counts


def _unique_op(name: str, node: str, consecutive: bool) -> Any:
    @op(name=name, node=node, differentiable=(0,))
    def unique_of(input, /, dim):
        return _uniques(input, dim, consecutive)

    def no_derivative(g):
        raise NotImplementedError(f"the derivative for '{name}' is not implemented.")

    unique_of.__doc__ = "Unique elements or slices along a dimension, their places, their counts."
    unique_of.vjp(input=no_derivative)
    return unique_of


_unique = _unique_op("_unique2", "Unique2Backward0", False)
_unique_dim = _unique_op("unique_dim", "UniqueDimBackward0", False)
_unique_runs = _unique_op("unique_consecutive", "UniqueConsecutiveBackward0", True)


@torch_arguments
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: int | None = None) -> Any:  # fmt: skip
    """The different elements, sorted; or the different slices along a dimension.

    return_inverse: also the place of every element among them; return_counts: also how often
    each occurs
    """
    _refuse(input, "unique", "c")
    if dim is None:
        return _unique_results(_unique(input, None), return_inverse, return_counts)
    d = _unique_dimension(input, dim)
    return _unique_results(_unique_dim(input, d), return_inverse, return_counts)


def _unique_dimension(input: Tensor, dim: int) -> int:
    shape = input._array.shape
    d = one_dim(dim, len(shape), "unique")
    if 0 in shape[:d] + shape[d + 1 :]:
        fail(RuntimeError, "There are 0 sized dimensions, and they aren't selected, so unique "
                           "cannot be applied")  # fmt: skip
    return d


@torch_arguments
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None) -> Any:  # fmt: skip
    """One of each run of equal elements (or of equal slices along a dimension); see `unique`."""
    d = None if dim is None else _unique_dimension(input, dim)
    return _unique_results(_unique_runs(input, d), return_inverse, return_counts)


@torch_arguments
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer occurs, or the sum of the weights where it does."""
    array = input._array
    _refuse(input, "bincount_cpu", "bfcV")
    if array.ndim != 1 or (array.size and array.min() < 0):
        fail(RuntimeError, "bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        fail(RuntimeError, "minlength should be >= 0")
    if weights is None:
        return wrap(np.bincount(array, minlength=minlength).astype(np.int64, copy=False))
    values = weights._array
    if values.shape != array.shape:
        fail(RuntimeError, "weights should be 1-d and have the same length as input")
    if not array.size:
        return wrap(np.zeros(minlength, np.int64))
    kind = F32 if values.dtype == F32 else F64
    return wrap(np.bincount(array, values, minlength).astype(kind, copy=False))


# Histograms


def _range_of(name: str, x: Any, low: float, high: float, dim: str = "") -> tuple[float, float]:
    """The range of a histogram: as given, or of the data if that is empty."""
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        fail(RuntimeError, f"{name}: {dim}range of [{low:g}, {high:g}] is not finite")
    return low, high


def _check_bins(bins: int, dim: int) -> int:
    if bins <= 0:
        fail(RuntimeError, f"torch.histogram(): bins must be > 0, but got {bins} for dimension "
                           f"{dim}")  # fmt: skip
    return bins


@torch_arguments
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` equal parts of [min, max], or of the range of the
    elements if those are equal. NaN and what is outside count nowhere."""
    array = input._array
    _refuse(input, "histogram_cpu", "biuc")
    _check_bins(bins, 0)
    if min > max:
        fail(RuntimeError, "torch.histc: max must be larger than min")
    low, high = _range_of("torch.histc", array, float(min), float(max))
    if low == high:
        low, high = low - 1, high + 1
    x = array.reshape(-1)
    number = array.dtype.type  # in this precision, as PyTorch: it decides on which side edges fall
    low_, width = number(low), number(number(high) - number(low))
    x = x[(x >= low_) & (x <= number(high))]
    where = (x - low_) * number(bins) / width
    where = np.minimum(where.astype(np.int64), bins - 1)
    return wrap(np.bincount(where, minlength=bins).astype(array.dtype))


def _edges(x: Any, bins: Any, given: Any, dim: int) -> Any:
    """The edges of one dimension's bins."""
    from .creation import linspace

    if isinstance(bins, Tensor):
        if bins._array.ndim != 1:
            fail(RuntimeError, "torch.histogramdd: bins tensor should have one dimension, but got "
                               f"{bins._array.ndim} dimensions in the bins tensor for dimension "
                               f"{dim}")  # fmt: skip
        return bins.detach()
    _check_bins(bins, dim)
    name = "torch.histogramdd"
    if given is not None:
        low, high = given
        if low > high:
            fail(RuntimeError, f"{name}: min should not exceed max, but got min {low:g} max "
                               f"{high:g} for dimension {dim}")  # fmt: skip
    elif x.size:
        low, high = float(x.min()), float(x.max())
    else:
        low, high = 0.0, 1.0
    _range_of(name, x[:0], low, high, f"dimension {dim}'s ")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return linspace(low, high, bins + 1, dtype=wrap(x).dtype)


def _histogram(rows: Any, edges: list[Any], weight: Any, density: bool) -> Tensor:
    """The histogram of points, the rows of f[m, n], over a grid of n dimensions."""
    sizes = [len(e) - 1 for e in edges]
    inside = np.ones(len(rows), np.bool_)
    cell = np.zeros(len(rows), np.int64)
    for x, edge, size in zip(rows.T, edges, sizes, strict=True):
        inside &= (x >= edge[0]) & (x <= edge[-1])
        at = np.minimum(np.searchsorted(edge, x, side="right") - 1, size - 1)
        cell = cell * size + at
    weights = None if weight is None else weight.reshape(-1)[inside]
    found = np.bincount(cell[inside], weights, math.prod(sizes)).reshape(sizes).astype(F64)
    if density:
        found /= found.sum()
        for d, edge in enumerate(edges):
            found /= np.diff(edge.astype(F64)).reshape([-1 if i == d else 1
                                                         for i in range(len(edges))])  # fmt: skip
    return wrap(found.astype(rows.dtype))


def _check_weight(input: Any, shape: tuple[int, ...], weight: Tensor | None) -> None:
    if weight is not None and weight._array.shape != shape[:-1]:
        fail(RuntimeError, "torch.histogramdd: if weight tensor is provided it should have the "
                           "same shape as the input tensor excluding its innermost dimension, but "
                           f"got input with shape {list(shape)} and weight with shape "
                           f"{list(weight._array.shape)}")  # fmt: skip


@torch_arguments
def histogram(input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None,
              density: bool = False) -> Any:  # fmt: skip
    """How many elements (or what weight) each bin holds: a named tuple (hist, bin_edges).

    bins: how many equal ones, or a tensor of their edges; range: (low, high), else that of the
    elements; density: scaled so that the integral is 1
    """
    _refuse(input, "histogramdd", "biuc")
    x = input._array.reshape(-1)
    if weight is not None:
        if weight._array.size != x.size:
            _check_weight(input, (x.size, 1), weight)
    edges = _edges(x, bins, range, 0)
    hist = _histogram(x[:, None], [edges._array], None if weight is None else weight._array,
                      density)  # fmt: skip
    return return_types.histogram((hist, edges))


@torch_arguments
def histogramdd(input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None,
                density: bool = False) -> Any:  # fmt: skip
    """How many points, the rows of `input`, each cell of a grid holds: a named tuple
    (hist, bin_edges). See `histogram`.

    bins: a number, or for each dimension a number or a tensor of edges; range: low and high of
    every dimension, in one sequence
    """
    _refuse(input, "histogramdd", "biuc")
    array = input._array
    n = array.shape[-1]
    if isinstance(bins, int):
        bins = [bins] * n
    if len(bins) != n:
        fail(RuntimeError, "histogramdd: The size of bins must be equal to the innermost dimension "
                           "of the input.")  # fmt: skip
    _check_weight(input, array.shape, weight)
    rows = array.reshape(-1, n)
    edges = [
        _edges(rows[:, d], each, None if range is None else range[2 * d : 2 * d + 2], d)
        for d, each in enumerate(bins)
    ]
    hist = _histogram(rows, [e._array for e in edges],
                      None if weight is None else weight._array, density)  # fmt: skip
    return return_types.histogramdd((hist, tuple(edges)))


# NumPy's names


def _numpy_quantile(scale: float) -> Any:
    def call(a: Any, q: Any, axis: int | None = None, out: Any = None,
             overwrite_input: bool = False, method: str = "linear",
             keepdims: bool = False) -> Any:  # fmt: skip
        if not isinstance(q, Tensor):
            q = np.asarray(q, a._array.dtype) / scale
            q = wrap(q) if q.ndim else q.item()
        return quantile(a, q, axis, bool(keepdims), interpolation=method)

    return call


def _numpy_median(a: Any, axis: int | None = None, out: Any = None, overwrite_input: bool = False,
                  keepdims: bool = False) -> Any:  # fmt: skip
    return quantile(a, 0.5, axis, bool(keepdims))


def _whole(a: Any, axis: int | None) -> tuple[Any, int]:
    return (a.reshape(-1), 0) if axis is None else (a, axis)


NUMPY = {
    np.sort: lambda a, axis=-1, kind=None, order=None, *, stable=None: sort(*_whole(a, axis))[0],
    np.argsort: lambda a, axis=-1, kind=None, order=None, *, stable=None: argsort(*_whole(a, axis)),
    np.median: _numpy_median,
    np.quantile: _numpy_quantile(1.0),
    np.percentile: _numpy_quantile(100.0),
}
