"""Gathering and scattering: elements and slices read, put or added by index tensors and masks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype
from ..duck import copied, item, whole, zeros
from ..duck import take as taken
from ..graph.inplace import write
from ..graph.operator import EXACT_OUT, op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, as_array, normal_dim, wrap
from .indexing import add_at, check_broadcast, index_backward, part_op, places, scalar_for
from .shape import _constant_pad_nd, expand, expect_out, reshape

__all__ = [
    "gather", "index_add", "index_copy", "index_fill", "index_reduce", "index_select",
    "masked_fill", "masked_scatter", "masked_select", "put", "scatter", "scatter_add",
    "scatter_reduce", "take", "take_along_dim",
]  # fmt: skip
METHODS = (
    "gather", "index_add", "index_add_", "index_copy", "index_copy_", "index_fill", "index_fill_",
    "index_reduce", "index_reduce_", "index_select", "masked_fill", "masked_fill_",
    "masked_scatter", "masked_scatter_", "masked_select", "put", "put_", "scatter", "scatter_",
    "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_", "take", "take_along_dim",
)  # fmt: skip

_ALL = slice(None)


# Along a dimension: element i, j, k of the index names element index[i, j, k], j, k (dim 0)


def _along(index: Any, dim: int) -> tuple[Any, ...]:
    """An index along a dimension in NumPy's form."""
    count = index.ndim
    return tuple(
        [index if d == dim else np.arange(n).reshape((-1, *(1,) * (count - 1 - d)))
         for d, n in enumerate(index.shape)]
    )  # fmt: skip


def _check_bounds(index: Any, size: int, dim: int, kind: type[Exception] = RuntimeError,
                  call: str = "") -> None:  # fmt: skip
    index = whole(index)
    if index.size and (index.min() < 0 or index.max() >= size):
        wrong = index[(index < 0) | (index >= size)].flat[0]
        fail(kind, f"{call}index {wrong} is out of bounds for dimension {dim} with size {size}")


def _check_along(call: str, input: Any, dim: int, index: Any, src: Any = None) -> int:
    """Check what `gather`, `scatter` and their like are given; the dimension from the front."""
    dim = normal_dim(dim, input.ndim)
    if not index.size:
        return dim
    if index.dtype.kind != "i" or index.dtype.itemsize < 4:
        fail(RuntimeError, f"{call}(): Expected dtype int32/int64 for index")
    name = "input" if call == "gather" else "self"
    if max(index.ndim, 1) != max(input.ndim, 1):
        fail(RuntimeError, "Index tensor must have the same number of dimensions as "
                           f"{name} tensor")  # fmt: skip
    if src is not None and max(src.ndim, 1) != max(index.ndim, 1):
        fail(RuntimeError, "Index tensor must have the same number of dimensions as src tensor")
    sizes = index.shape or (1,)
    mine = input.shape or (1,)
    for d, n in enumerate(sizes):
        if d != dim and n > mine[d] and src is None:
            fail(
                RuntimeError,
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be no "
                f"larger than self {list(input.shape)} apart from dimension {dim}",
            )
        if src is not None and ((d != dim and n > mine[d]) or n > (src.shape or (1,))[d]):
            fail(
                RuntimeError,
                f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} "
                f"apart from dimension {dim} and to be no larger size than src {list(src.shape)}",
            )
    _check_bounds(index, mine[dim], dim)
    return dim


@op(name="gather")
def _gather(input, index, /, dim):
    """The elements that an index names along a dimension."""
    if not index.size:
        return np.empty(index.shape, input.dtype)
    if not input.ndim:
        return np.copy(np.broadcast_to(input, index.shape))
    return np.reshape(item(input, _along(np.atleast_1d(index), dim)), index.shape)


_gather.vjp(
    input=lambda g, input, index, dim: _scatter_add(_nothing(input), g, index, dim),
)


def _nothing(like: Any) -> Any:
    """Zeros of the shape of a value."""
    array = like._array if isinstance(like, Tensor) else like
    return np.zeros_like(array)


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False,
           out: Any = None) -> Tensor:  # fmt: skip
    """The elements that an index names along a dimension: for dim 0, element i, j of the result is
    input[index[i, j], j]."""
    dim = _check_along("gather", input._array, dim, index._array)
    expect_out(out, input._array.dtype)
    return _gather(input, index, dim, out=out)


def _part(values: Any, index: Any) -> Any:
    """The part of values that an index of smaller shape uses; numbers as they are."""
    if not isinstance(values, np.ndarray) or values.shape == index.shape or not values.ndim:
        return values
    return values[tuple([slice(n) for n in index.shape])]


def _scattered(ufunc: Any) -> Any:
    def act(input: Any, src: Any, index: Any, dim: int) -> Any:
        if not index.size:
            return input
        place = np.atleast_1d(input)
        key = _along(np.atleast_1d(index), dim)
        if ufunc is None:
            place[key] = _part(src, index)
        elif place.flags.c_contiguous:
            flat = np.ravel_multi_index(np.broadcast_arrays(*key), place.shape)
            values = np.broadcast_to(_part(src, index), index.shape)
            add_at(place.reshape(-1), flat.ravel(), values.ravel(), ufunc)
        else:
            add_at(place, key, _part(src, index), ufunc)
        return input

    return act


_put_along, _add_along = _scattered(None), _scattered(np.add)


@part_op(name="scatter")
def _scatter(input, src, index, /, dim):
    """A copy of `input` with the elements of `src` put where an index names them."""
    return _put_along(input, src, index, dim)


@part_op(name="scatter_value", node="ScatterBackward1")
def _scatter_value(input, index, /, dim, value):
    """A copy of `input` with one number put where an index names elements."""
    return _put_along(input, value, index, dim)


@part_op(name="scatter_add")
def _scatter_add(input, src, index, /, dim):
    """A copy of `input` with the elements of `src` added where an index names them."""
    return _add_along(input, src, index, dim)


def _gather_as(g: Any, index: Any, dim: int, shape: Any) -> Any:
    """The gradient of what was scattered: zeros for what the index left out."""
    part = _gather(g, index, dim)
    if part.shape == tuple(shape):
        return part
    if not part.ndim or not shape:
        return np.reshape(part, shape)
    pad = [n for d in range(part.ndim - 1, -1, -1) for n in (0, shape[d] - part.shape[d])]
    return _constant_pad_nd(part, tuple(pad), 0)


_scatter.vjp(
    input=lambda g, index, dim: _scatter_value(g, index, dim, 0),
    src=lambda g, index, dim, src_shape: _gather_as(g, index, dim, src_shape),
)
_scatter_value.vjp(input=lambda g, index, dim: _scatter_value(g, index, dim, 0))
_scatter_add.vjp(
    input=lambda g: g,
    src=lambda g, index, dim, src_shape: _gather_as(g, index, dim, src_shape),
)


def _scatter_params(call: str, input: Tensor, dim: int, index: Tensor, src: Any, value: Any,
                    reduce: str | None) -> tuple[Any, int]:  # fmt: skip
    """What to scatter, a tensor or a number, and the dimension."""
    what = value if src is None else src
    array = what._array if isinstance(what, Tensor) else None
    if array is not None and array.dtype != input._array.dtype:
        fail(RuntimeError, "scatter(): Expected self.dtype to be equal to src.dtype")
    dim = _check_along(call, input._array, dim, index._array, array)
    if reduce not in (None, "add", "multiply"):
        fail(RuntimeError, "reduce argument must be either add or multiply.")
    if array is None:
        what = scalar_for(what, input._array.dtype)
        if reduce is not None:
            what = wrap(np.full(index._array.shape, what, input._array.dtype))
    elif reduce is not None:
        warnings.warn(
            "The reduce argument of torch.scatter with Tensor src is deprecated and will be "
            "removed in a future PyTorch release. Use torch.scatter_reduce instead for more "
            "reduction options.",
            stacklevel=3,
        )
    return what, dim


_REDUCTIONS = {"add": "sum", "multiply": "prod"}


def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
            reduce: str | None = None, out: Any = None) -> Tensor:  # fmt: skip
    """A copy of the tensor in which, for dim 0, src[i, j] (or one number) is put at
    [index[i, j], j]; `reduce` ("add", "multiply") combines it with what is there."""
    what, dim = _scatter_params("scatter", input, dim, index, src, value, reduce)
    expect_out(out, input._array.dtype)
    if reduce is not None:
        return _scatter_reduce(input, what, index, dim, _REDUCTIONS[reduce], True, out=out)
    if isinstance(what, Tensor):
        return _scatter(input, what, index, dim, out=out)
    return _scatter_value(input, index, dim, what, out=out)


def scatter_(self: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
             reduce: str | None = None) -> Tensor:  # fmt: skip
    """In-place `scatter`."""
    what, dim = _scatter_params("scatter", self, dim, index, src, value, reduce)
    if reduce is not None:
        return write(_scatter_reduce.op, self, (what, index), (dim, _REDUCTIONS[reduce], True))
    if isinstance(what, Tensor):
        return _scatter.into(self, (what, index), (dim,))
    return _scatter_value.into(self, (index,), (dim, what))


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *,
                out: Any = None) -> Tensor:  # fmt: skip
    """A copy of the tensor in which, for dim 0, src[i, j] is added at [index[i, j], j]."""
    what, dim = _scatter_params("scatter_add", input, dim, index, src, None, None)
    expect_out(out, input._array.dtype)
    return _scatter_add(input, what, index, dim, out=out)


def scatter_add_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """In-place `scatter_add`."""
    what, dim = _scatter_params("scatter_add", self, dim, index, src, None, None)
    return _scatter_add.into(self, (what, index), (dim,))


# Reductions of what is scattered

_UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum,
           "amin": np.minimum}  # fmt: skip


def _reduce_at(input: Any, key: Any, src: Any, reduce: str, include_self: bool) -> Any:
    """A copy of an array with values combined with, or in place of, what is at an index."""
    made = copied(input, src, *key)
    place = np.atleast_1d(made)
    if not include_self:
        place[key] = _identity(reduce, made.dtype)
    _UFUNCS[reduce].at(place, key, src)
    if reduce == "mean":
        count = zeros(place, place.shape, np.int64) + int(include_self)
        np.add.at(count, key, 1)
        np.maximum(count, 1, out=count)
        if made.dtype.kind in "iu":
            np.floor_divide(place, count.astype(made.dtype), out=place)
        else:
            np.divide(place, count.astype(made.dtype), out=place)
    return made


def _identity(reduce: str, kind: Any) -> Any:
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if kind.kind == "b":
        return reduce == "amin"
    if kind.kind in "iu":
        return np.iinfo(kind).min if reduce == "amax" else np.iinfo(kind).max
    return -np.inf if reduce == "amax" else np.inf


def _raw(value: Any) -> Any:
    return value._array if isinstance(value, Tensor) else value


def _reduced_vjp(g: Any, input: Any, src: Any, out: Any, reduce: str, include_self: bool,
                 again: Any, take: Any, add: Any, clear: Any) -> tuple[Any, Any]:  # fmt: skip
    """The gradients of `input` and `src` of a reduction of scattered values.

    again(input, src): the reduction; take(x): for each value of src the element of `x` where it
    went; add(v): the sums of values v of src where they went; clear(x): x with zeros there
    """
    if reduce == "sum":
        mine, theirs = g, take(g)
    elif reduce == "mean":
        kind = _raw(g).dtype
        count = add(np.ones(_raw(src).shape, kind)) + int(include_self)
        mine = g / np.where(count == 0, 1, count).astype(kind)
        theirs = take(mine)
    elif reduce == "prod":
        zero, zeros_ = (as_array(_raw(x) == 0) for x in (input, src))
        if not include_self:
            zero = np.zeros_like(zero)
        safe, safes = _masked_fill(input, zero, 1), _masked_fill(src, zeros_, 1)
        product = g * again(safe, safes)  # the zeros left out
        if not whole(zero).any() and not whole(zeros_).any():
            mine, theirs = product / safe, take(product) / safes
        else:
            mine, theirs = _zeros_in_product(product, (input, safe, zero), (src, safes, zeros_),
                                             take, add)  # fmt: skip
    else:
        kind = _raw(g).dtype
        is_mine = (_raw(input) == _raw(out)).astype(kind)
        is_theirs = (_raw(src) == take(_raw(out))).astype(kind)
        if not include_self:
            is_mine = clear(is_mine)
        share = g / np.maximum(is_mine + add(is_theirs), 1)
        mine, theirs = share * is_mine, take(share) * is_theirs
    return (mine if include_self else clear(g)), theirs


def _zeros_in_product(product: Any, self: Any, others: Any, take: Any, add: Any) -> Any:
    """The gradients of factors some of which are zero, in a way that can be differentiated again:
    the factor that is alone zero has the product of the others; where two are, each has the other
    zero times the rest.

    product: gradient times product of the factors that are not zero; self, others: the factors,
    the factors with 1 for 0, and where they are 0
    """
    (input, safe, zero), (src, safes, zeros) = self, others
    not_zero, not_zeros = as_array(~zero), as_array(~zeros)
    count = as_array(add(zeros.astype(np.int64)) + zero)
    nil, nils = _masked_fill(input, not_zero, 0), _masked_fill(src, not_zeros, 0)
    total = add(nils) + nil  # the zeros themselves, which is zero but not constant
    none, one, two = (_masked_fill(product, as_array(count != n), 0) for n in range(3))
    rest = none + one * total
    mine = _masked_fill(rest, zero, 0) / safe
    theirs = _masked_fill(take(rest), zeros, 0) / safes
    mine = mine + _masked_fill(one + two * (total - nil), not_zero, 0)
    lone = take(one) + take(two) * (take(total) - nils)
    return mine, theirs + _masked_fill(lone, not_zeros, 0)


@op(name="scatter_reduce")
@quietly
def _scatter_reduce(input, src, index, /, dim, reduce, include_self):
    """A copy of `input` in which values are combined where an index names them."""
    if not index.size:
        return np.copy(input)
    key = _along(np.atleast_1d(index), dim)
    return _reduce_at(input, key, np.atleast_1d(_part(src, index)), reduce, include_self)


def _scatter_reduce_vjp(g: Any, input: Any, src: Any, index: Any, out: Any, dim: int, reduce: str,
                        include_self: bool, src_shape: Any) -> tuple[Any, ...]:  # fmt: skip
    whole = tuple(src_shape)
    if whole != tuple(index.shape):
        src = src[tuple([slice(n) for n in index.shape])] if whole else src
    mine, theirs = _reduced_vjp(
        g, input, src, out, reduce, include_self,
        again=lambda a, b: _scatter_reduce(a, b, index, dim, reduce, include_self),
        take=lambda x: _gather(x, _raw(index), dim),
        add=lambda v: _scatter_add(np.zeros(_raw(input).shape, _raw(v).dtype), v, _raw(index), dim),
        clear=lambda x: _scatter_value(x, _raw(index), dim, 0),
    )  # fmt: skip
    if tuple(theirs.shape) != whole:
        pad = [n for d in range(len(whole) - 1, -1, -1) for n in (0, whole[d] - theirs.shape[d])]
        theirs = _constant_pad_nd(theirs, tuple(pad), 0)
    return mine, theirs, None


_scatter_reduce.vjp(_scatter_reduce_vjp)


def _reduce_params(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str) -> Any:
    if reduce not in _UFUNCS:
        fail(RuntimeError, "reduce argument must be either sum, prod, mean, amax or amin, got "
                           f"{reduce}")  # fmt: skip
    return _scatter_params("scatter", input, dim, index, src, None, None)


def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *,
                   include_self: bool = True, out: Any = None) -> Tensor:  # fmt: skip
    """A copy of the tensor in which, for dim 0, src[i, j] is combined at [index[i, j], j] by
    "sum", "prod", "mean", "amax" or "amin", with what is there or only among each other."""
    src, dim = _reduce_params(input, dim, index, src, reduce)
    expect_out(out, input._array.dtype)
    return _scatter_reduce(input, src, index, dim, reduce, include_self, out=out)


def scatter_reduce_(self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *,
                    include_self: bool = True) -> Tensor:  # fmt: skip
    """In-place `scatter_reduce`."""
    src, dim = _reduce_params(self, dim, index, src, reduce)
    return write(_scatter_reduce.op, self, (src, index), (dim, reduce, include_self))


# Slices along a dimension, by an index vector


def _rows(index: Any, dim: int) -> tuple[Any, ...]:
    return (*(_ALL,) * dim, np.atleast_1d(index))


@op(name="index_select")
def _index_select(input, index, /, dim):
    """The slices of a dimension that an index vector names: f[n, ...], i[k] -> f[k, ...]."""
    return taken(input, np.atleast_1d(index), dim) if input.ndim else np.copy(input)


@op
def index_select_backward(g, index, /, input_shape, dim):
    """Zeros with slices added where an index vector names them."""
    if not input_shape:
        return g
    return index_backward(g, np.atleast_1d(index), input_shape, (dim,))


_index_select.vjp(
    input=lambda g, index, input_shape, dim: index_select_backward(
        g, index, tuple(input_shape), dim
    )
)
index_select_backward.vjp(g=lambda g, index, dim: _index_select(g, index, dim))


def _vector(call: str, index: Any, kinds: str) -> None:
    if index.ndim > 1:
        fail(IndexError, f"{call}(): Index is supposed to be a vector")
    long = index.dtype == np.int64
    if not long and (kinds != "int" or index.dtype != np.int32):
        name = from_numpy_dtype(index.dtype).legacy
        fail(RuntimeError, {
            "index_select": "index_select(): Expected dtype int32 or int64 for index",
            "index_add_": f"index_add_(): Expected dtype int32/int64 for index but got: {name}",
        }.get(call, f"{call}(): Expected a long tensor for index, but got {name}"))  # fmt: skip


def index_select(input: Tensor, dim: int, index: Tensor, *, out: Any = None) -> Tensor:
    """The slices of a dimension that an index vector names (a copy)."""
    array, shape = index._array, input._array.shape
    dim = normal_dim(dim, len(shape))
    _vector("index_select", array, "int")
    if not shape and array.size != 1:
        fail(RuntimeError, "index_select(): Index to scalar can have only 1 value, got "
                           f"{array.size} value(s)")  # fmt: skip
    array = whole(array)
    if array.size and (array.min() < 0 or array.max() >= (shape[dim] if shape else 1)):
        wrong = array[(array < 0) | (array >= (shape[dim] if shape else 1))].flat[0]
        fail(IndexError, "index out of range in self",
             f"index {wrong}, dimension {dim} of shape {list(shape)}")  # fmt: skip
    return _index_select(input, index, dim, out=out)


@part_op(name="index_add")
def _index_add(input, source, index, /, dim, alpha):
    """A copy of `input` with alpha · source added to the slices that an index vector names."""
    place = np.atleast_1d(input)
    if alpha != 1:
        source = source * alpha
    if place.flags.c_contiguous:
        flat = places(place.shape, np.atleast_1d(index), (dim,))
        add_at(place.reshape(-1), flat.ravel(), np.broadcast_to(source, flat.shape).ravel())
    else:
        add_at(place, _rows(index, dim), source)
    return input


_index_add.vjp(
    input=lambda g: g,
    source=lambda g, source, index, dim, alpha: np.reshape(
        _index_select(g, index, dim), source.shape) * alpha,
)  # fmt: skip


def _add_params(input: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Any) -> Any:
    mine, shape, place = input._array, source._array.shape, index._array
    dim = normal_dim(dim, mine.ndim)
    _vector("index_add_", place, "int")
    if source._array.dtype != mine.dtype:
        fail(RuntimeError, f"index_add_(): self ({input.dtype.legacy}) and source "
                           f"({source.dtype.legacy}) must have the same scalar type")  # fmt: skip
    count = shape[dim] if dim < len(shape) else 1
    if place.size != count:
        fail(RuntimeError, f"index_add_(): Number of indices ({place.size}) should be equal to "
                           f"source.size(dim): ({count}), for dim: {dim}")  # fmt: skip
    if (
        shape
        and mine.ndim
        and (
            len(shape) != mine.ndim
            or any(
                a != b for d, (a, b) in enumerate(zip(shape, mine.shape, strict=True)) if d != dim
            )
        )
    ):
        fail(
            RuntimeError,
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(mine.shape)} source.shape = {list(shape)}",
        )
    _check_bounds(place, (mine.shape or (1,))[dim], dim)
    return (source, index), (dim, scalar_for(alpha, mine.dtype))


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1,
              out: Any = None) -> Tensor:  # fmt: skip
    """A copy with alpha · source added to the slices of a dimension that an index vector names."""
    others, params = _add_params(input, dim, index, source, alpha)
    expect_out(out, input._array.dtype)
    return _index_add(input, *others, *params, out=out)


def index_add_(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """In-place `index_add`."""
    return _index_add.into(self, *_add_params(self, dim, index, source, alpha))


@part_op(name="index_copy")
def _index_copy(input, source, index, /, dim):
    """A copy of `input` with `source` in place of the slices that an index vector names."""
    np.atleast_1d(input)[_rows(index, dim)] = source
    return input


_index_copy.vjp(
    input=lambda g, index, dim: _index_fill(g, index, dim, 0),
    source=lambda g, source, index, dim: np.reshape(_index_select(g, index, dim), source.shape),
)


def _copy_params(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Any:
    mine, theirs, place = input._array, source._array, index._array
    dim = normal_dim(dim, mine.ndim)
    _vector("index_copy_", place, "long")
    if theirs.dtype != mine.dtype:
        fail(RuntimeError, "index_copy_(): self and source expected to have the same dtype, but got "
                           f"(self) {input.dtype.legacy} and (source) {source.dtype.legacy}")  # fmt: skip
    if mine.ndim and theirs.ndim and mine.ndim != theirs.ndim:
        fail(
            IndexError,
            "index_copy_(): When source and destination are not scalars, their dimensionality "
            f"must match. Source dimensionality ({theirs.ndim}), destination dimensionality "
            f"({mine.ndim})",
        )
    rests = [(*a.shape[:dim], *a.shape[dim + 1 :]) for a in (mine, theirs)]
    if rests[0] != rests[1]:
        fail(
            RuntimeError,
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            f"slice shape: {' '.join(map(str, rests[0]))} at dimension {dim} and source slice "
            f"shape: {' '.join(map(str, rests[1]))} at dimension 0.",
        )
    count = theirs.shape[dim] if theirs.ndim else 1
    if place.size != count:
        fail(IndexError, f"index_copy_(): Number of indices ({place.size}) should be equal to "
                         f"source.size(dim) ({count})")  # fmt: skip
    _check_bounds(place, (mine.shape or (1,))[dim], dim, IndexError, "index_copy_(): ")
    return (source, index), (dim,)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *,
               out: Any = None) -> Tensor:  # fmt: skip
    """A copy with `source` in place of the slices of a dimension that an index vector names."""
    others, params = _copy_params(input, dim, index, source)
    expect_out(out, input._array.dtype)
    return _index_copy(input, *others, *params, out=out)


def index_copy_(self: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """In-place `index_copy`."""
    return _index_copy.into(self, *_copy_params(self, dim, index, source))


@part_op(name="index_fill")
def _index_fill(input, index, /, dim, value):
    """A copy of `input` with one number in the slices that an index vector names."""
    np.atleast_1d(input)[_rows(index, dim)] = value
    return input


@part_op(name="index_fill_tensor", node="IndexFillBackward1")
@quietly
def _index_fill_tensor(input, value, index, /, dim):
    """A copy of `input` with the element of a 0-dim tensor in the slices that an index names."""
    np.atleast_1d(input)[_rows(index, dim)] = value
    return input


_index_fill.vjp(input=lambda g, index, dim: _index_fill(g, index, dim, 0))
_index_fill_tensor.vjp(
    input=lambda g, index, dim: _index_fill(g, index, dim, 0),
    value=lambda g, index, dim: np.sum(_index_select(g, np.unique(_raw(index)), dim)),
)


def _fill_params(input: Tensor, dim: int, index: Tensor, value: Any) -> Any:
    mine, place = input._array, index._array
    dim = normal_dim(dim, mine.ndim)
    if place.dtype != np.int64:
        fail(IndexError, "index_fill_(): Expected dtype int64 for index.")
    if place.ndim > 1:
        fail(IndexError, "Index has to be a vector/scalar")
    if isinstance(value, Tensor):
        if value._array.ndim:
            fail(RuntimeError, "index_fill_ only supports a 0-dimensional value tensor, but got "
                               f"tensor with {value._array.ndim} dimension(s).")  # fmt: skip
        number = value._array.dtype.kind == "c"
    else:
        number = value.__class__ is complex
    if number and mine.dtype.kind != "c":
        fail(RuntimeError, "index_fill_(): Converting complex Scalar to non-complex type is not "
                           "supported")  # fmt: skip
    size = (mine.shape or (1,))[dim]
    place = whole(place)
    if place.size and (place.min() < -size or place.max() >= size):
        wrong = place[(place < -size) | (place >= size)].flat[0]
        fail(IndexError, f"index {wrong} is out of bounds for dimension 0 with size {size}")
    if isinstance(value, Tensor):
        return _index_fill_tensor, (value, index), (dim,)
    return _index_fill, (index,), (dim, scalar_for(value, mine.dtype))


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy with one number in the slices of a dimension that an index vector names."""
    call, others, params = _fill_params(input, dim, index, value)
    return call(input, *others, *params)


def index_fill_(self: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """In-place `index_fill`."""
    call, others, params = _fill_params(self, dim, index, value)
    return call.into(self, others, params)


@op(name="index_reduce")
@quietly
def _index_reduce(input, source, index, /, dim, reduce, include_self):
    """A copy of `input` in which slices are combined where an index vector names them."""
    return _reduce_at(input, _rows(index, dim), source, reduce, include_self)


def _index_reduce_vjp(g: Any, input: Any, source: Any, index: Any, out: Any, dim: int, reduce: str,
                      include_self: bool) -> tuple[Any, ...]:  # fmt: skip
    rows = _raw(index)
    mine, theirs = _reduced_vjp(
        g, input, source, out, reduce, include_self,
        again=lambda a, b: _index_reduce(a, b, index, dim, reduce, include_self),
        take=lambda x: np.reshape(_index_select(x, rows, dim), source.shape),
        add=lambda v: _index_add(np.zeros(_raw(input).shape, _raw(v).dtype), v, rows, dim, 1),
        clear=lambda x: _index_fill(x, rows, dim, 0),
    )  # fmt: skip
    return mine, theirs, None


_index_reduce.vjp(_index_reduce_vjp)


def _index_reduce_params(input: Tensor, dim: int, index: Tensor, source: Tensor,
                         reduce: str) -> Any:  # fmt: skip
    if reduce not in ("prod", "mean", "amax", "amin"):
        fail(RuntimeError, "index_reduce(): Expected reduce to be one of prod, mean, amax or amin "
                           f"but got {reduce}.")  # fmt: skip
    dim = normal_dim(dim, input._array.ndim)
    size, place = (input._array.shape or (1,))[dim], whole(index._array)
    if place.size and (place.min() < 0 or place.max() >= size):
        fail(IndexError, "index out of range in self")
    warnings.warn("index_reduce() is in beta and the API may change at any time.", stacklevel=3)
    return (source, index), dim


def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
                 include_self: bool = True, out: Any = None) -> Tensor:  # fmt: skip
    """A copy in which the slices of `source` are combined, by "prod", "mean", "amax" or "amin",
    with the slices of a dimension that an index vector names."""
    others, dim = _index_reduce_params(input, dim, index, source, reduce)
    expect_out(out, input._array.dtype)
    return _index_reduce(input, *others, dim, reduce, include_self, out=out)


def index_reduce_(self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
                  include_self: bool = True) -> Tensor:  # fmt: skip
    """In-place `index_reduce`."""
    others, dim = _index_reduce_params(self, dim, index, source, reduce)
    return write(_index_reduce.op, self, others, (dim, reduce, include_self))


# By the number of an element, all in one row


@op(name="take")
def _take(input, index, /):
    """The elements of these numbers, counted through all dimensions."""
    return taken(input, index) if index.size else np.empty(index.shape, input.dtype)


_take.vjp(
    input=lambda g, input, index: _put(_nothing(input), g, index, True),
)


@part_op(name="put")
def _put(input, source, index, /, accumulate):
    """A copy of `input` with `source` put at (or added to) the elements of these numbers."""
    if not accumulate:
        np.put(input, index, source)
        return input
    flat = np.where(index < 0, index + input.size, index).ravel()
    values = np.broadcast_to(np.reshape(source, -1), flat.shape)
    if input.flags.c_contiguous:
        add_at(input.reshape(-1), flat, values)
    else:
        add_at(input, np.unravel_index(flat, input.shape), values)
    return input


_put.vjp(
    input=lambda g, index, accumulate: g if accumulate else _put(g, 0, index, False),
    source=lambda g, source, index: np.reshape(_take(g, index), source.shape),
)


def _check_numbers(call: str, index: Any, count: int) -> None:
    if index.dtype != np.int64:
        fail(RuntimeError, f"{call}(): Expected a long tensor for index, but got "
                           f"{from_numpy_dtype(index.dtype).legacy}")  # fmt: skip
    if index.size and not count:
        fail(IndexError, f"{call}(): tried to {call.rstrip('_')} from an empty tensor")
    index = whole(index)
    if index.size and (index.min() < -count or index.max() >= count):
        wrong = index[(index < -count) | (index >= count)].flat[0]
        fail(IndexError, f"out of range: tried to access index {wrong} on a tensor of {count} "
                         "elements.")  # fmt: skip


def take(input: Tensor, index: Tensor, *, out: Any = None) -> Tensor:
    """The elements of these numbers, counted through all dimensions, in the index's shape."""
    _check_numbers("take", index._array, input._array.size)
    return _take(input, index, out=out)


def _numbers(input: Tensor, index: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    if source._array.dtype != input._array.dtype:
        fail(
            RuntimeError,
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype.legacy} and source.dtype = {source.dtype.legacy}",
        )
    if source._array.size != index._array.size:
        fail(
            IndexError,
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source._array.size}, index.numel() = {index._array.size}",
        )
    _check_numbers("put_", index._array, input._array.size)
    return source, index


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `source` put at (or added to) the elements of these numbers."""
    return _put(input, *_numbers(input, index, source), accumulate)


def put_(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """In-place `put`."""
    return _put.into(self, _numbers(self, index, source), (accumulate,))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *,
                   out: Any = None) -> Tensor:  # fmt: skip
    """`gather` whose input and index broadcast; without `dim`, of all elements in one row."""
    if indices._array.dtype != np.int64:
        fail(RuntimeError, "torch.take_along_dim(): dtype of indices should be Long but got "
                           f"{indices.dtype.legacy}")  # fmt: skip
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(_wrapped(indices, input.numel()), -1), out=out)
    mine, theirs = input._array.shape, indices._array.shape
    if len(mine) != len(theirs):
        fail(
            RuntimeError,
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {len(mine)} dimensions for input, and {len(theirs)} dimensions for indices",
        )
    dim = normal_dim(dim, len(mine))
    both = list(np.broadcast_shapes((*mine[:dim], 1, *mine[dim + 1 :]),
                                    (*theirs[:dim], 1, *theirs[dim + 1 :])))  # fmt: skip
    wide = (*both[:dim], mine[dim], *both[dim + 1 :])
    tall = (*both[:dim], theirs[dim], *both[dim + 1 :])
    return gather(expand(input, wide), dim, expand(_wrapped(indices, mine[dim]), tall), out=out)


def _wrapped(indices: Tensor, size: int) -> Tensor:
    """Indices counted from the front."""
    array = indices._array
    some = array.size and whole(array).min() < 0
    return wrap(np.remainder(array, size)) if some else indices


# Masks


@part_op(name="masked_fill")
def _masked_fill(input, mask, /, value):
    """A copy of `input` with one number where a mask is true."""
    np.copyto(input, value, where=mask, casting="unsafe")
    return input


@part_op(name="masked_fill_tensor", node="MaskedFillBackward1")
@quietly
def _masked_fill_tensor(input, mask, value, /):
    """A copy of `input` with the element of a 0-dim tensor where a mask is true."""
    np.copyto(input, value, where=mask, casting="unsafe")
    return input


_masked_fill.vjp(input=lambda g, mask: _masked_fill(g, mask, 0))
_masked_fill_tensor.vjp(
    input=lambda g, mask: _masked_fill(g, mask, 0),
    value=lambda g, mask: np.sum(_masked_fill(g, ~_raw(mask), 0)),
)


def _check_bool(mask: Tensor, sentence: str) -> None:
    if mask._array.dtype.kind != "b":
        fail(RuntimeError, sentence)


_MASK_NAMES = {"Float": "float", "Double": "double", "Long": "long int", "Int": "int",
               "Byte": "unsigned char"}  # fmt: skip


def _masked_fill_params(input: Tensor, mask: Tensor, value: Any) -> Any:
    legacy = mask.dtype.legacy
    _check_bool(mask, "masked_fill_ only supports boolean masks, but got mask with dtype "
                      f"{_MASK_NAMES.get(legacy, legacy)}")  # fmt: skip
    kind = input._array.dtype
    if isinstance(value, Tensor):
        array = value._array
        if array.ndim:
            fail(RuntimeError, "masked_fill_ only supports a 0-dimensional value tensor, but got "
                               f"tensor with {array.ndim} dimension(s).")  # fmt: skip
        if array.dtype.kind == "c" and kind.kind != "c":
            scalar_for(1j, kind)
        return _masked_fill_tensor, (mask, value), ()
    return _masked_fill, (mask,), (scalar_for(value, kind),)


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy with one number (or that of a 0-dim tensor) where a mask is true; they broadcast."""
    call, others, params = _masked_fill_params(input, mask, value)
    return call(_to_mask(input, mask), *others, *params)


def _to_mask(input: Tensor, mask: Tensor) -> Tensor:
    """The input expanded to the common shape with a mask."""
    shape, other = input._array.shape, mask._array.shape
    if shape == other:
        return input
    both = _common(shape, other)
    return input if both == shape else expand(input, both)


def _common(shape: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(shape, other)
    except ValueError:
        check_broadcast(shape, other)
        raise


def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Set the elements where a mask is true to one number (or that of a 0-dim tensor)."""
    call, others, params = _masked_fill_params(self, mask, value)
    if mask._array.shape != self._array.shape:
        check_broadcast(mask._array.shape, self._array.shape)
    return call.into(self, others, params)


@op(name="masked_select")
def _masked_select(input, mask, /):
    """The elements where a mask is true, in one dimension; input and mask broadcast."""
    if input.shape != mask.shape:
        input, mask = np.broadcast_arrays(input, mask)
    return input[mask] if input.ndim else input[None][mask[None]]


@op
def masked_select_backward(g, mask, /, shape):
    """Zeros of a shape with the elements of `g` where a mask is true."""
    made = zeros(g, shape)
    made[np.broadcast_to(mask, shape)] = g
    return made


_masked_select.vjp(
    input=lambda g, input, mask: masked_select_backward(
        g, mask, np.broadcast_shapes(input.shape, mask.shape)
    )
)
masked_select_backward.vjp(g=lambda g, mask: _masked_select(g, mask))


def masked_select(input: Tensor, mask: Tensor, *, out: Any = None) -> Tensor:
    """The elements where a mask is true, in one dimension; input and mask broadcast."""
    _check_bool(mask, "masked_select: expected BoolTensor for mask")
    _common(input._array.shape, mask._array.shape)
    return _masked_select(input, mask, out=out)


@part_op(name="masked_scatter")
def _masked_scatter(input, mask, source, /):
    """A copy of `input` with the first elements of `source` where a mask is true."""
    mask = np.broadcast_to(mask, input.shape)
    input[mask] = np.ravel(source)[: np.count_nonzero(mask)]
    return input


@op
def masked_scatter_backward(g, mask, /, source_shape):
    """The elements of `g` where a mask is true, in order, then zeros, in a shape."""
    values = g[np.broadcast_to(mask, g.shape)]
    made = zeros(g, source_shape)
    made.reshape(-1)[: values.size] = values
    return made


_masked_scatter.vjp(
    input=lambda g, mask: _masked_fill(g, mask, 0),
    source=lambda g, mask, source_shape: masked_scatter_backward(g, mask, tuple(source_shape)),
)
masked_scatter_backward.vjp(
    g=lambda g, mask, g_shape: _masked_scatter(
        np.zeros(tuple(g_shape), dtype=_raw(g).dtype), mask, g
    )
)


def _scatter_masked(input: Tensor, mask: Tensor, source: Tensor) -> None:
    if source._array.dtype != input._array.dtype:
        fail(RuntimeError, "masked_scatter: expected self and source to have same dtypes but got"
                           f"{input.dtype.legacy} and {source.dtype.legacy}")  # fmt: skip
    _check_bool(mask, "masked_scatter_ only supports boolean masks, but got mask with dtype "
                      f"{mask.dtype.legacy}")  # fmt: skip
    wide = np.broadcast_to(mask._array, _common(input._array.shape, mask._array.shape))
    if source._array.size < np.max(whole(np.count_nonzero(wide))):
        fail(RuntimeError, "Number of elements of source < number of ones in mask")


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the first elements of `source`, in order, where a mask is true."""
    _scatter_masked(input, mask, source)
    return _masked_scatter(_to_mask(input, mask), mask, source)


def masked_scatter_(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """In-place `masked_scatter`."""
    if mask._array.shape != self._array.shape:
        mask = expand(mask, self._array.shape)
    _scatter_masked(self, mask, source)
    return _masked_scatter.into(self, (mask, source), ())


EXACT_OUT.update({
    "index_select": "index_select(): self and result must have the same scalar type",
    "masked_select": "masked_select(): self and result must have the same scalar type",
    "take": "take(): self and out expected to have the same dtype, but got self.dtype = {want} and "
            "out.dtype = {have}",
})  # fmt: skip


# NumPy's functions on tensors


def _numpy_take(a: Any, indices: Any, axis: int | None = None, **kwargs: Any) -> Any:
    index = indices if isinstance(indices, Tensor) else wrap(np.asarray(indices, dtype=np.int64))
    if axis is None:
        return take(a, index)
    return a[(*(_ALL,) * (axis % a.ndim), index)]


def _numpy_take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    index = indices if isinstance(indices, Tensor) else wrap(np.asarray(indices, dtype=np.int64))
    return take_along_dim(arr, index, axis)


NUMPY = {
    np.take: _numpy_take,
    np.take_along_axis: _numpy_take_along_axis,
}
