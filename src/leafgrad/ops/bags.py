"""`embedding_bag`: sums, means or maxima of rows of a table, bag by bag."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..graph.modes import no_grad
from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor, wrap
from .activations import kernel
from .layers import _INDEX_KINDS, embedding_backward, renormed_rows
from .matrix_products import legacy

__all__ = ["embedding_bag"]

_MODES = ("sum", "mean", "max")


def _by_bag(rows: Any, starts: Any, sizes: Any, add: Any, empty: Any) -> Any:
    """The rows of each bag put together; `empty` where a bag has none."""
    made = np.full_like(rows, empty, shape=(len(starts), rows.shape[1]), order="C")
    full = sizes > 0
    if full.any():
        made[full] = add.reduceat(rows, starts[full], axis=0)
    return made


@op(name="embedding_bag", node="EmbeddingBagBackward0")
@kernel
def _embedding_bag(weight, per_sample, indices, /, starts, sizes, bags, mode, scale):
    """The rows at the indices, put together by bag: f[n, m], f[k], i[k] -> f[bags, m].

    starts, sizes: of the bags among the indices; bags: that of each index
    """
    rows = np.take(weight, indices, axis=0)
    if mode == "max":
        return _by_bag(rows, starts, sizes, np.maximum, 0)
    if per_sample is not None:
        rows = rows * np.expand_dims(per_sample, 1)
    sums = _by_bag(rows, starts, sizes, np.add, 0)
    return sums / np.maximum(sizes, 1)[:, None].astype(sums.dtype) if mode == "mean" else sums


@op(name="embedding_bag_largest")
def _largest_rows(weight, indices, /, starts, sizes, bags):
    """For each bag and column the row of the table that is the largest, the first such; -1 for an
    empty bag."""
    rows = np.take(weight, indices, axis=0)
    best = _by_bag(rows, starts, sizes, np.maximum, 0)
    places = np.where(rows == best[bags], np.arange(len(indices))[:, None], len(indices))
    first = _by_bag(places, starts, sizes, np.minimum, -1)
    return np.where(first < 0, -1, np.append(indices, 0)[first])


@op(name="column_scatter", node="ScatterAddBackward0")
@kernel
def _scattered(grad, places, /, rows):
    """Each element to its row, in its column: f[k, m], i[k, m] -> f[rows, m]. Places of -1 go
    nowhere."""
    width = grad.shape[1]
    at = (places * width + np.arange(width))[places >= 0]
    sums = np.bincount(at, grad[places >= 0], rows * width)
    return sums.reshape(rows, width).astype(grad.dtype)


@op(name="column_gather", node="GatherBackward0")
def _gathered(table, places, /):
    """The elements at the rows, in their columns: f[n, m], i[k, m] -> f[k, m]; zeros at -1."""
    found = np.take_along_axis(table, np.maximum(places, 0), 0)
    return np.where(places < 0, 0, found).astype(table.dtype)


_scattered.vjp(grad=lambda g, places: _gathered(g, places))
_gathered.vjp(table=lambda g, places, table_shape: _scattered(g, places, table_shape[0]))


def _to_weight(g, weight, per_sample, indices, starts, sizes, bags, mode, scale):
    rows = weight.shape[0]
    if mode == "max":
        return _scattered(g, _largest_rows(weight, indices, starts, sizes, bags), rows)
    each = np.take(g, bags, axis=0)
    if mode == "mean":
        each = each * np.expand_dims((1 / np.maximum(sizes, 1))[bags], 1).astype(_kind(g))
    if per_sample is not None:
        each = each * np.expand_dims(per_sample, 1)
    return embedding_backward(each, indices, rows, -1, scale)


def _kind(x: Any) -> Any:
    return (x._array if isinstance(x, Tensor) else x).dtype


_embedding_bag.vjp(
    weight=_to_weight,
    per_sample=lambda g, weight, indices, bags: np.add.reduce(
        np.take(g, bags, axis=0) * np.take(weight, indices, axis=0), axis=1
    ),
)


def _check(weight: Any, indices: Any, offsets: Any, per_sample: Any) -> None:
    for name, each in (("indices", indices), ("indices", offsets)):
        if each._array.dtype not in _INDEX_KINDS:
            _fail_kind(name, "Long, Int", each)
    if weight._array.dtype.kind not in "fV":
        _fail_kind("weight", "Half, BFloat16, Float, Double", weight)
    if per_sample is not None and per_sample.dtype is not weight.dtype:
        fail(RuntimeError, "Expected tensor for argument #1 'weight' to have the same type as "
                           "tensor for argument #1 'per_sample_weights'; but type "
                           f"torch.{legacy(weight._array)}Tensor does not equal "
                           f"torch.{legacy(per_sample._array)}Tensor (while checking arguments "
                           "for embedding_bag)")  # fmt: skip


def _fail_kind(name: str, kinds: str, got: Any) -> None:
    fail(RuntimeError, f"Expected tensor for argument #1 '{name}' to have one of the following "
                       f"scalar types: {kinds}; but got torch.{legacy(got._array)}Tensor instead "
                       "(while checking arguments for embedding_bag)")  # fmt: skip


def _check_places(indices: Any, offsets: Any, rows: int) -> None:
    if len(offsets) and offsets[0] != 0:
        fail(RuntimeError, "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has "
                           f"to start from position 0. However, got {offsets[0]}")  # fmt: skip
    if len(offsets) and offsets[-1] > len(indices):
        fail(RuntimeError, "offsets[-1] can not be greater than input's length "
                           f"{len(indices)} but got offsets[-1] of {offsets[-1]}")  # fmt: skip
    if (offsets[1:] < offsets[:-1]).any():
        fail(RuntimeError, "Expected i < index_size to be true, but got false.",
             "the offsets have to rise")  # fmt: skip
    wrong = np.flatnonzero((indices < 0) | (indices >= rows))
    if wrong.size:
        fail(RuntimeError, f"Index {wrong[0]} of input takes value {indices[wrong[0]]} which is "
                           f"not in the valid range [0, {rows})")  # fmt: skip


def embedding_bag(weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False,
                  mode: int = 0, sparse: bool = False, per_sample_weights: Any = None,
                  include_last_offset: bool = False,
                  padding_idx: int | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """The rows of a table put together by bag, the bag of each index, how many each bag has, and
    for maxima the rows that they come from: f[n, m], i[k], i[bags] -> f[bags, m], ...

    mode: 0 for sums, 1 for means, 2 for maxima; see `nn.functional.embedding_bag`
    """
    _check(weight, indices, offsets, per_sample_weights)
    places, starts, rows = indices._array, offsets._array, weight.shape[0]
    if include_last_offset:
        if not len(starts):
            fail(RuntimeError, "include_last_offset: number of offset should be at least 1")
    _check_places(places, starts, rows)
    if padding_idx is not None and not -rows <= padding_idx < rows:
        fail(RuntimeError, "padding_idx must be within the number of embeddings, "
                           f"-{rows} through {rows - 1}, but got {padding_idx}")  # fmt: skip
    if include_last_offset:
        starts, ends = starts[:-1], starts[1:]
    else:
        ends = np.append(starts[1:], len(places))
    bags = np.repeat(np.arange(len(starts)), ends - starts)
    places = places[: len(bags)].astype(np.int64)
    chosen = wrap(places)
    sample = per_sample_weights
    if sample is not None and len(places) < sample.shape[0]:
        sample = sample[: len(places)]
    if padding_idx is not None:
        kept = np.flatnonzero(places != padding_idx % rows)
        chosen, bags = wrap(places[kept]), bags[kept]
        sample = None if sample is None else sample[wrap(kept)]
    sizes = np.bincount(bags, minlength=len(starts))
    begins = np.cumsum(sizes) - sizes
    given = (begins, sizes, bags, _MODES[mode], bool(scale_grad_by_freq))
    found = _embedding_bag(weight, sample, chosen, *given)
    if mode == 2:
        with no_grad():
            largest = _largest_rows(weight, chosen, begins, sizes, bags)
        largest._array[largest._array < 0] = 0
    else:
        largest = wrap(sizes if mode == 1 else np.zeros_like(sizes))
    return found, wrap(bags), wrap(sizes if mode else np.zeros_like(sizes)), largest


def bag(input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None,
        norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
        padding_idx: int | None = None) -> Tensor:  # fmt: skip
    """`nn.functional.embedding_bag`."""
    if weight.dtype.category == 1 and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=3,
        )
        weight, input = input, weight
    sample = per_sample_weights
    if sample is not None and input.size() != sample.size():
        raise ValueError(f"embedding_bag: If per_sample_weights ({sample.shape}) is not None, then "
                         f"it must have the same shape as the input ({input.shape})")  # fmt: skip
    if weight.dim() != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension "
                         f"{weight.dim()}")  # fmt: skip
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated is "
                             "a mini-batch of fixed length sequences. However, found offsets of "
                             f"type <class 'torch.{type(offsets).__name__}'>")  # fmt: skip
        count, each = input.shape
        offsets, include_last_offset = wrap(np.arange(count, dtype=np.int64) * each), False
        input = input.reshape(-1)
        sample = None if sample is None else sample.reshape(-1)
    elif input.dim() != 1:
        raise ValueError("input has to be 1D or 2D Tensor, but got Tensor of dimension "
                         f"{input.dim()}")  # fmt: skip
    elif offsets is None or offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor" + " but got None" * (offsets is None))
    if mode not in _MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if max_norm is not None:
        with no_grad():
            renormed_rows(weight, input, max_norm, norm_type)
    if sample is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    return embedding_bag(weight, input, offsets, scale_grad_by_freq, _MODES.index(mode), sparse,
                         sample, include_last_offset, padding_idx)[0]  # fmt: skip
