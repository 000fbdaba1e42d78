"""Indexing: x[...], and the operators that read, write or add at indices and masks.

An index like x[0, :, None] is a chain of views, a node each, as in PyTorch; index tensors, lists
and masks gather a copy. Assignment copies into such a view, or puts values at the indices.
"""

from __future__ import annotations

import copy
import functools
import operator
import warnings
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype
from ..graph.inplace import check_writable, write
from ..graph.modes import OFF, ON, current
from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.quiet import quietly
from ..graph.saved import bump
from ..graph.source import fail, here
from ..tensor import TENSORS, Tensor, normal_dim, wrap
from .shape import (
    _alias,
    _constant_pad_nd,
    _unsqueeze,
    check_part,
    copying,
    expand,
    expect_out,
    flip,
    reshape,
    type_name,
    view_op,
    viewed,
)

__all__ = [
    "argwhere", "fill", "gather", "index_add", "index_copy", "index_fill", "index_put",
    "index_reduce", "index_select", "masked_fill", "masked_scatter", "masked_select", "narrow",
    "narrow_copy", "nonzero", "nonzero_static", "put", "scatter", "scatter_add", "scatter_reduce",
    "select", "select_copy", "select_scatter", "slice_copy", "slice_scatter", "take",
    "take_along_dim", "unravel_index",
]  # fmt: skip
METHODS = (
    "argwhere", "copy_", "fill_", "fill_diagonal_", "gather", "index_add", "index_add_",
    "index_copy", "index_copy_", "index_fill", "index_fill_", "index_put", "index_put_",
    "index_reduce", "index_reduce_", "index_select", "masked_fill", "masked_fill_",
    "masked_scatter", "masked_scatter_", "masked_select", "narrow", "narrow_copy", "nonzero",
    "nonzero_static", "put", "put_", "scatter", "scatter_", "scatter_add", "scatter_add_",
    "scatter_reduce", "scatter_reduce_", "select", "select_scatter", "slice_scatter", "take",
    "take_along_dim", "zero_",
)  # fmt: skip

_ALL = slice(None)


# Operators that change a part of their first argument


def part_op(**options: Any) -> Any:
    """Make an operator of a function that writes into its first argument, an array, and returns it.

    Called, the operator writes into a copy; `call.into(tensor, others, params)` writes into the
    tensor's own memory, so that the cost is that of the part. in_place_node: its node's name there,
    where PyTorch has another.
    """
    in_place_node = options.pop("in_place_node", None)

    def make(act: Any) -> Any:
        @functools.wraps(act)
        def forward(input: Any, *rest: Any) -> Any:
            return act(np.copy(input), *rest)

        forward.__wrapped__ = act  # type: ignore[attr-defined]
        call = op(forward, **options)
        made = copy.copy(call.op)
        made.forward = act
        if in_place_node:
            made.node = type(in_place_node, (made.node,), {"__slots__": (), "op": made})

        def into(self: Any, others: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
            mode = current()
            if mode is OFF or (mode is ON and not any(t.requires_grad for t in (self, *others))):
                check_writable(self, False)
                act(self._array, *[t._array for t in others], *params)
                bump(self, here())
                return self
            return write(made, self, others, params)

        call.into = into
        return call

    return make


def on_arrays(call: Any, g: Any, *rest: Any) -> Any:
    """An operator on a gradient; on an array, quickly, its forward alone."""
    return call.op.forward(g, *rest) if g.__class__ is np.ndarray else call(g, *rest)


# x[i], x[i:j]


@view_op(name="select")
def _select(input, /, dim, index):
    """The slice at an index of a dimension, without that dimension."""
    return input[(*(_ALL,) * dim, index, ...)] if dim else input[index, ...]


@op
def select_backward(g, /, input_shape, dim, index):
    """Zeros with `g` at an index of a dimension."""
    whole = np.zeros(input_shape, dtype=g.dtype)
    whole[(*(_ALL,) * dim, index)] = g
    return whole


_select.vjp(
    input=lambda g, input_shape, dim, index: on_arrays(select_backward, g, input_shape, dim, index)
)
select_backward.vjp(g=lambda g, dim, index: g[(*(_ALL,) * dim, index, ...)])


@view_op(name="slice")
def _slice(input, /, dim, start, end, step):
    """The slices from `start` to `end`, exclusive, of a dimension."""
    place = slice(start, end, step)
    return input[(*(_ALL,) * dim, place)] if dim else input[place]


@op
def slice_backward(g, /, input_shape, dim, start, end, step):
    """Zeros with `g` at a slice of a dimension."""
    whole = np.zeros(input_shape, dtype=g.dtype)
    whole[(*(_ALL,) * dim, slice(start, end, step))] = g
    return whole


_slice.vjp(
    input=lambda g, input_shape, dim, start, end, step: on_arrays(
        slice_backward, g, input_shape, dim, start, end, step
    )
)
slice_backward.vjp(
    g=lambda g, dim, start, end, step: g[(*(_ALL,) * dim, slice(start, end, step), ...)]
)


def _whole(value: Any, call: str, name: str, position: int) -> int:
    """An integer argument; a tensor of one will do."""
    if value.__class__ is int:
        return value  # type: ignore[no-any-return]
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{call}(): argument '{name}' (position {position}) must be int, not "
                        f"{type(value).__name__}")  # fmt: skip
    return operator.index(value)


def _select_params(input: Tensor, dim: int, index: Any) -> tuple[Any, ...]:
    dim, index = _whole(dim, "select", "dim", 1), _whole(index, "select", "index", 2)
    shape = input._array.shape
    if not shape:
        fail(IndexError, "select() cannot be applied to a 0-dim tensor.")
    dim = normal_dim(dim, len(shape))
    if not -shape[dim] <= index < shape[dim]:
        fail(IndexError, f"select(): index {index} out of range for tensor of size {list(shape)} "
                         f"at dimension {dim}")  # fmt: skip
    return _select.op, input, dim, index


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """A view of the slice at an index of a dimension, without that dimension."""
    return viewed(*_select_params(input, dim, index))  # type: ignore[no-any-return]


def _bound(value: Any) -> Any:
    return value if value is None or value.__class__ is int else operator.index(value)


def _slice_params(input: Tensor, dim: int = 0, start: Any = None, end: Any = None,
                  step: int = 1) -> tuple[Any, ...]:  # fmt: skip
    if step <= 0:
        fail(RuntimeError, "slice step must be positive")
    dim = normal_dim(dim, input._array.ndim)
    return _slice.op, input, dim, _bound(start), _bound(end), step


def slice_dim(input: Tensor, dim: int, start: Any = None, end: Any = None,
              step: int = 1) -> Tensor:  # fmt: skip
    """A view of the slices from `start` to `end` of a dimension."""
    return viewed(*_slice_params(input, dim, start, end, step))  # type: ignore[no-any-return]


def _narrow_params(input: Tensor, dim: int, start: Any, length: int) -> tuple[Any, ...]:
    shape = input._array.shape
    if not shape:
        fail(RuntimeError, "narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        fail(RuntimeError, "narrow(): length must be non-negative.")
    dim = normal_dim(dim, len(shape))
    if isinstance(start, Tensor) and (start.ndim or start._array.dtype.kind not in "iu"):
        fail(RuntimeError, "start must be an 0-dim integral Tensor.")
    start, size = _bound(start), shape[dim]
    if not -size <= start <= size:
        fail(IndexError, f"start out of range (expected to be in range of [{-size}, {size}], but "
                         f"got {start})")  # fmt: skip
    if start < 0:
        start += size
    if start + length > size:
        fail(RuntimeError, f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return _slice.op, input, dim, start, start + length, 1


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """A view of `length` slices of a dimension, from `start`."""
    return viewed(*_narrow_params(input, dim, start, length))  # type: ignore[no-any-return]


select_copy = copying(_select_params, "`select` as a copy.")
slice_copy = copying(_slice_params, "x[start:end:step] along a dimension, as a copy.")
narrow_copy = copying(_narrow_params, "`narrow` as a copy.", "NarrowCopyBackward0")


@part_op(name="select_scatter")
def _select_scatter(input, src, /, dim, index):
    """A copy of `input` with `src` at an index of a dimension."""
    place = input[(*(_ALL,) * dim, index, ...)]
    check_part(place, src)
    place[...] = src
    return input


_select_scatter.vjp(
    input=lambda g, dim, index: _select_scatter(g, 0, dim, index),
    src=lambda g, dim, index: g[(*(_ALL,) * dim, index, ...)],
)


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of the tensor with `src` as the slice at an index of a dimension."""
    return _select_scatter(input, src, *_select_params(input, dim, index)[2:])  # type: ignore[no-any-return]


@part_op(name="slice_scatter")
def _slice_scatter(input, src, /, dim, start, end, step):
    """A copy of `input` with `src` at a slice of a dimension."""
    place = input[(*(_ALL,) * dim, slice(start, end, step))]
    check_part(place, src)
    place[...] = src
    return input


_slice_scatter.vjp(
    input=lambda g, dim, start, end, step: _slice_scatter(g, 0, dim, start, end, step),
    src=lambda g, dim, start, end, step: g[(*(_ALL,) * dim, slice(start, end, step), ...)],
)


def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: Any = None, end: Any = None,
                  step: int = 1, *, out: Any = None) -> Tensor:  # fmt: skip
    """A copy of the tensor with `src` as the slices from `start` to `end` of a dimension."""
    params = _slice_params(input, dim, start, end, step)[2:]
    expect_out(out, input._array.dtype)
    return _slice_scatter(input, src, *params, out=out)  # type: ignore[no-any-return]


# x[indices], x[mask]: the indexed dimensions, `dims`, are each indexed by an index tensor. For one
# dimension `index` is that tensor, or a mask from that dimension on; for several it has their
# tensors, broadcast, along its first dimension.


def _add_at(into: Any, key: Any, values: Any, ufunc: Any = np.add) -> None:
    """Add (or multiply...) values at an index, as often as it names an element."""
    if isinstance(values, np.ndarray) and np.may_share_memory(into, values):
        values = values.copy()
    ufunc.at(into, key, values)


def _key(index: Any, dims: tuple[int, ...]) -> tuple[Any, ...]:
    """The index in NumPy's form."""
    if len(dims) == 1:
        return (*(_ALL,) * dims[0], index)
    parts: list[Any] = [_ALL] * (max(dims) + 1)
    for n, dim in enumerate(dims):
        parts[dim] = index[n]
    return tuple(parts)


def _places(shape: tuple[int, ...], index: Any, dims: tuple[int, ...]) -> Any:
    """Where in an array of a shape, all elements in one row, each element at an index is."""
    steps = [1] * len(shape)
    for dim in range(len(shape) - 2, -1, -1):
        steps[dim] = steps[dim + 1] * shape[dim + 1]
    parts = (index,) if len(dims) == 1 else index
    place: Any = 0
    for part, dim in zip(parts, dims, strict=True):
        place = place + np.where(part < 0, part + shape[dim], part) * steps[dim]
    rest = [dim for dim in range(len(shape)) if dim not in dims]
    adjacent = dims == tuple(range(dims[0], dims[0] + len(dims)))
    front = dims[0] if adjacent else 0  # NumPy puts the index's dimensions here
    place = place.reshape((1,) * front + place.shape + (1,) * (len(rest) - front))
    for axis, dim in enumerate(rest):
        after = len(rest) - 1 - axis + (place.ndim - len(rest) if axis < front else 0)
        place = place + (np.arange(shape[dim]) * steps[dim]).reshape((-1, *(1,) * after))
    return place


def _explained(error: IndexError, array: Any, index: Any, dims: tuple[int, ...]) -> IndexError:
    """PyTorch's words for an index that is out of bounds."""
    parts = (index,) if len(dims) == 1 else index
    for n, (part, dim) in enumerate(zip(parts, dims, strict=True)):
        size = array.shape[dim]
        wrong = part[(part < -size) | (part >= size)]
        if wrong.size:
            return IndexError(f"index {wrong.flat[0]} is out of bounds for dimension {n} with size "
                              f"{size}")  # fmt: skip
    return error


@op(name="index")
def _index(input, index, /, dims):
    """The elements at an index."""
    try:
        return input[_key(index, dims)]
    except IndexError as error:
        raise _explained(error, input, index, dims) from None


@op
def index_backward(g, index, /, input_shape, dims):
    """Zeros with `g` added at an index."""
    whole = np.zeros(input_shape, dtype=g.dtype)
    if index.dtype.kind == "b":
        whole[_key(index, dims)] = g
    else:
        # In one dimension `np.add.at` is several times as fast as in many.
        np.add.at(whole.reshape(-1), _places(input_shape, index, dims).ravel(), np.ravel(g))
    return whole


_index.vjp(
    input=lambda g, index, input_shape, dims: index_backward(g, index, tuple(input_shape), dims)
)
index_backward.vjp(g=lambda g, index, dims: _index(g, index, dims))


@part_op(name="index_put")
def _index_put(input, values, index, /, dims, accumulate):
    """A copy of `input` with values put at an index, or added."""
    key = _key(index, dims)
    try:
        if not accumulate:
            input[key] = values
        elif index.dtype.kind == "b":
            input[key] += values
        else:
            _add_at(input, key, values)
    except IndexError as error:
        raise _explained(error, input, index, dims) from None
    except ValueError:
        fail(RuntimeError, f"shape mismatch: value tensor of shape {list(values.shape)} cannot be "
                           f"broadcast to indexing result of shape {list(input[key].shape)}")  # fmt: skip
    return input


_index_put.vjp(
    input=lambda g, index, dims, accumulate: (
        g if accumulate else _index_put(g, 0, index, dims, False)
    ),
    values=lambda g, index, dims: _index(g, index, dims),
)


def _too_many(self: Tensor, more: str = "") -> None:
    fail(IndexError, f"too many indices for tensor of dimension {self._array.ndim}{more}")


def _as_index(item: Any) -> Any:
    """A list or an array as an index tensor: masks as masks, all else as integers."""
    if isinstance(item, (list, tuple)) and _strings(item):
        raise TypeError("new(): invalid data type 'str'")
    try:
        array = (
            np.asarray(item) if not isinstance(item, (list, tuple)) or len(item) else np.empty(0)
        )
    except ValueError:
        raise ValueError("expected sequences of one length in an index") from None
    if array.dtype.kind not in "biu":
        if array.dtype.kind not in "f":
            raise TypeError(f"an index of {array.dtype} is none")
        array = array.astype(np.int64)
    return wrap(array)


def _strings(item: Any) -> bool:
    return any(isinstance(e, str) or (isinstance(e, (list, tuple)) and _strings(e)) for e in item)


def _invalid(item: Any) -> None:
    fail(IndexError, "only integers, slices (`:`), ellipsis (`...`), None and long or byte "
                     f"Variables are valid indices (got {type(item).__name__})")  # fmt: skip


def _items(index: Any) -> tuple[Any, ...]:
    """An index that is neither an integer nor a slice, as a tuple of indices."""
    if index.__class__ is tuple:
        return index  # type: ignore[no-any-return]
    if isinstance(index, str):
        raise TypeError("new(): invalid data type 'str'")
    if not isinstance(index, list):
        return (index,)
    nested = (Tensor, list, tuple, np.ndarray, slice, type(None), type(Ellipsis))
    if len(index) < 32 and any(isinstance(e, nested) for e in index):
        if _strings(index):
            raise TypeError("new(): invalid data type 'str'")
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be "
            "changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will "
            "be interpreted as tensor index, x[torch.tensor(seq)], which will result either in an "
            "error or a different result",
            stacklevel=3,
        )
        return tuple(index)
    return (index,)


def _simplified(item: Any) -> Any:
    """One index as one of: int, bool, slice, None, Ellipsis, a tensor that is no number."""
    kind = item.__class__
    if kind is int or kind is slice or item is None or item is Ellipsis or kind is bool:
        return item
    if not isinstance(item, Tensor):
        if isinstance(item, np.bool_):
            return bool(item)
        if isinstance(item, (np.ndarray, list, tuple, range)):
            item = _as_index(item)
        elif hasattr(item, "__index__"):
            return operator.index(item)
        else:
            _invalid(item)
    array = item._array
    if (
        array.dtype.kind not in "biu"
        or array.dtype.itemsize == 2
        or (array.dtype.kind == "i" and (array.dtype.itemsize == 1))
    ):
        fail(IndexError, "tensors used as indices must be long, int, byte or bool tensors")
    if array.dtype == np.uint8:
        warnings.warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype "
                      "torch.bool instead.", stacklevel=4)  # fmt: skip
        item = wrap(array.astype(bool))
    if not array.ndim:
        return bool(array) if item._array.dtype.kind == "b" else int(array)
    return item


def _start(self: Tensor, items: tuple[Any, ...], assigning: bool) -> Any:
    """The views of a basic index, and what index tensors there are for which dimensions of them."""
    items = tuple([_simplified(item) for item in items])
    named = 0
    for item in items:
        if item.__class__ is int or item.__class__ is slice:
            named += 1
        elif isinstance(item, Tensor):
            named += item._array.ndim if item._array.dtype.kind == "b" else 1
    shape = self._array.shape
    if named > len(shape):
        if not shape and items[0].__class__ is int:
            fail(
                IndexError,
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number",
            )
        _too_many(self)
    found: Any = self
    tensors: list[tuple[int, Any]] = []
    dim = 0  # of the views so far
    own = 0  # of `self`
    for item in items:
        kind = item.__class__
        if kind is int:
            found = _at(found, dim, item, own)
            own += 1
        elif kind is slice:
            found = _between(found, dim, item, len(items) > 1 or assigning)
            dim += 1
            own += 1
        elif item is None:
            found = viewed(_unsqueeze.op, found, dim)
            dim += 1
        elif item is Ellipsis:
            dim += len(shape) - named
            own += len(shape) - named
        elif kind is bool:
            found = viewed(_unsqueeze.op, found, dim)
            tensors.append((dim, wrap(np.zeros(1 if item else 0, np.int64))))
            dim += 1
        else:
            mask = item._array.dtype.kind == "b"
            if mask:
                _check_mask(found._array, dim, item._array)
            tensors.append((dim, item))
            dim += item._array.ndim if mask else 1
            own += item._array.ndim if mask else 1
    return found, tensors


def _at(found: Any, dim: int, index: int, own: int) -> Any:
    try:
        return viewed(_select.op, found, dim, index)
    except IndexError:
        if dim >= found._array.ndim:
            _too_many(found)
        fail(IndexError, f"index {index} is out of bounds for dimension {own} with size "
                         f"{found._array.shape[dim]}")  # fmt: skip


def _between(found: Any, dim: int, item: slice, skip: bool) -> Any:
    """A slice of a dimension; with `skip`, the tensor itself where that is all of it."""
    start, end, step = item.start, item.stop, item.step
    if step is not None and step.__class__ is not int:
        step = operator.index(step)
    if step is not None and step <= 0:
        fail(ValueError, "step must be greater than zero" if step else "slice step cannot be zero")
    for bound in (start, end):
        if bound is not None and not hasattr(bound, "__index__"):
            raise TypeError("slice indices must be integers or None or have an __index__ method")
    start, end = _bound(start), _bound(end)
    if not found._array.ndim:
        fail(IndexError, "slice() cannot be applied to a 0-dim tensor.")
    if skip and (step is None or step == 1) and not start:
        if end is None or end >= found._array.shape[dim]:
            return found
    return viewed(_slice.op, found, dim, start, end, step)


def _check_mask(array: Any, dim: int, mask: Any) -> None:
    for n, size in enumerate(mask.shape):
        if array.shape[dim + n] != size:
            fail(
                IndexError,
                f"The shape of the mask {list(mask.shape)} at index {n} does not match the shape "
                f"of the indexed tensor {list(array.shape)} at index {dim + n}",
            )


def _combined(tensors: list[tuple[int, Any]], recording: bool) -> tuple[Any, tuple[int, ...]]:
    """Index tensors and masks as one `index`, and the dimensions that it indexes."""
    if len(tensors) == 1:
        dim, index = tensors[0]
        if recording and index._array.dtype.kind == "b":
            index = wrap(index._array.copy())  # as in PyTorch, masks may change before backward
        return index, (dim,)
    dims: list[int] = []
    arrays: list[Any] = []
    for dim, index in tensors:
        array = index._array
        found = np.nonzero(array) if array.dtype.kind == "b" else (array,)
        dims.extend(range(dim, dim + len(found)))
        arrays.extend(found)
    try:
        arrays = np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = ", ".join(str(list(a.shape)) for a in arrays)
        fail(IndexError, "shape mismatch: indexing tensors could not be broadcast together with "
                         f"shapes {shapes}")  # fmt: skip
    return wrap(np.stack(arrays).astype(np.int64, copy=False)), tuple(dims)


def _getitem(self: Tensor, index: Any) -> Tensor:
    """x[index]: integers, slices, None, ... give views; index tensors, lists and masks copies."""
    kind = index.__class__
    if kind is int:
        try:
            return viewed(_select.op, self, 0, index)  # type: ignore[no-any-return]
        except IndexError:
            _start(self, (index,), False)  # explains
            raise
    if kind is slice:
        return _between(self, 0, index, False)  # type: ignore[no-any-return]
    if kind is tuple:
        found, dim = self, 0
        try:
            for item in index:
                if item.__class__ is int:
                    found = viewed(_select.op, found, dim, item)
                elif item.__class__ is slice:
                    found = _between(found, dim, item, True)
                    dim += 1
                else:
                    break
            else:
                if found is not self:
                    return found
        except IndexError:
            pass  # explained below
    found, tensors = _start(self, _items(index), False)
    if not tensors:
        return viewed(_alias.op, self) if found is self else found  # type: ignore[no-any-return]
    place, dims = _combined(tensors, current().grad and found.requires_grad)
    return _index(found, place, dims)  # type: ignore[no-any-return]


def _plain_key(index: Any) -> Any:
    """An index that means the same to NumPy, as NumPy has it; None for any other."""
    kind = index.__class__
    if kind is int or index is Ellipsis:
        return index
    if kind is slice:
        return (
            index
            if index.step is None or (index.step.__class__ is int and index.step > 0)
            else None
        )
    if kind is tuple:
        return index if all(e.__class__ is int or (e.__class__ is slice and _plain_key(e) is not None)
                            for e in index) else None  # fmt: skip
    if kind in TENSORS:
        array = index._array
        return (
            array if array.ndim and (array.dtype == np.int64 or array.dtype.kind == "b") else None
        )
    return None


def _written(self: Tensor, index: Any, value: Any) -> bool:
    """Write x[index] = value at once, if nothing is to be recorded and NumPy means the same."""
    mode = current()
    array = self._array
    if (mode is not OFF and (mode is not ON or self.requires_grad)) or self._inference:
        return False
    if isinstance(value, Tensor):
        if mode is ON and value.requires_grad:
            return False
        value = value._array
        if value.dtype != array.dtype:
            return False
    key = _plain_key(index)
    if key is None or 0 in array.strides:
        return False
    try:
        array[key] = value
    except (IndexError, ValueError, TypeError):
        return False
    bump(self, here())
    return True


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """x[index] = value, in place."""
    tensor = isinstance(value, Tensor)
    if not tensor:
        if not isinstance(value, (bool, int, float, complex, np.generic)):
            fail(TypeError, f"can't assign a {_full_name(value)} to a "
                            f"{type_name(self._array)}", "to do: torch.tensor(value)")  # fmt: skip
        value = scalar_for(value, self._array.dtype)
    if _written(self, index, value):
        return
    if not tensor:
        value = wrap(np.asarray(value, dtype=self._array.dtype))
    if index.__class__ is bool and not index:
        return
    if index.__class__ is bool:
        index = None
    items = (index,) if index.__class__ is int or index.__class__ is slice else _items(index)
    found, tensors = _start(self, items, True)
    array = value._array
    if not tensors:
        if not array.ndim:
            fill_(found, value)
        else:
            if array.shape != found._array.shape:
                value = expand(_without_ones(value), found._array.shape)
            copy_(found, value)
        return
    place, dims = _combined(tensors, True)
    if place._array.dtype.kind == "b" and not array.ndim:
        value = _cast(value, found._array.dtype)
    elif array.dtype != found._array.dtype:
        _fail_put(found, value)
    _index_put.into(found, (_without_ones(value), place), (dims, False))


def _full_name(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _without_ones(value: Tensor) -> Tensor:
    """A tensor without its leading dimensions of size 1."""
    shape = value._array.shape
    lead = next((n for n, size in enumerate(shape) if size != 1), len(shape))
    return reshape(value, shape[lead:]) if lead else value


def _cast(value: Tensor, kind: Any) -> Tensor:
    from .casting import cast

    return cast(value, from_numpy_dtype(kind))


def _fail_put(found: Tensor, value: Tensor) -> None:
    fail(
        RuntimeError,
        "Index put requires the source and destination dtypes match, got "
        f"{found.dtype.legacy} for the destination and {value.dtype.legacy} for the source.",
        f"to do: value.to({found.dtype})",
    )


def _contains(self: Tensor, element: Any) -> bool:
    if not isinstance(element, (Tensor, bool, int, float, complex)):
        fail(RuntimeError, "Tensor.__contains__ only supports Tensor or scalar, but you passed in "
                           f"a {type(element)}.")  # fmt: skip
    return bool((element == self).any().item())  # type: ignore[attr-defined]


def _backwards(self: Tensor) -> Tensor:
    return flip(self, 0) if self._array.ndim else self


Tensor.__getitem__ = _getitem  # type: ignore[attr-defined]
Tensor.__setitem__ = _setitem  # type: ignore[attr-defined]
Tensor.__contains__ = _contains  # type: ignore[attr-defined]
Tensor.__reversed__ = _backwards  # type: ignore[attr-defined]


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of the tensor with values put (or added) where x[indices] would take them."""
    return _index_put(input, *_put_params(input, indices, values), accumulate)  # type: ignore[no-any-return]


def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Put (or add) values where self[indices] would take them."""
    values, place, dims = _put_params(self, indices, values)
    return _index_put.into(self, (values, place), (dims, accumulate))  # type: ignore[no-any-return]


def _put_params(input: Tensor, indices: Any, values: Tensor) -> tuple[Any, ...]:
    named = 0
    tensors: list[tuple[int, Any]] = []
    for position, item in enumerate(indices):
        if not isinstance(item, Tensor):
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got "
                            f"{type(item).__name__}")  # fmt: skip
        array = item._array
        if array.ndim:
            item = _simplified(item)
        elif array.dtype.kind not in "biu":
            _simplified(item)
        elif array.dtype.kind == "b":
            fail(IndexError, "index_put: a mask must have a dimension")
        mask = item._array.dtype.kind == "b"
        tensors.append((named, item))
        named += array.ndim if mask else 1
    if named > input._array.ndim:
        _too_many(input, f" (got {named})")
    for dim, item in tensors:
        if item._array.dtype.kind == "b":
            _check_mask(input._array, dim, item._array)
    if values._array.dtype != input._array.dtype:
        _fail_put(input, values)
    return _without_ones(values), *_combined(tensors, True)


# Filling and copying


_C_NAMES = {"uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int",
            "int64": "int64_t", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
            "float32": "float", "float64": "double"}  # fmt: skip


def scalar_for(value: Any, kind: Any) -> Any:
    """A Python number as an element of a dtype; PyTorch's error where it does not fit."""
    if isinstance(value, np.generic):
        value = value.item()
    sort = kind.kind
    fits = True
    if sort == "b":
        return bool(value)
    if sort == "c":
        return value
    if value.__class__ is complex:
        fits, value = value.imag == 0, value.real
    if sort in "iu":
        fits = fits and value == value and abs(value) != float("inf")
        if fits:
            value, limits = int(value), np.iinfo(kind)
            low = -limits.max - 1 if sort == "u" else limits.min  # negative numbers wrap around
            fits = low <= value <= limits.max
            if fits and sort == "u" and value < 0:
                value += limits.max + 1
    elif value.__class__ is float and kind.itemsize < 8:
        limit = from_numpy_dtype(kind)
        if abs(value) > 1e4 and abs(value) != float("inf"):
            from ..dtypes import finfo

            fits = fits and abs(value) <= finfo(limit).max
    if not fits:
        name = from_numpy_dtype(kind).name
        fail(RuntimeError, f"value cannot be converted to type {_C_NAMES.get(name, name)} without "
                           "overflow")  # fmt: skip
    return value


def _set_all(input: Any, value: Any) -> Any:
    input[...] = value
    return input


@part_op(name="fill", in_place_node="FillBackward2")
def _fill(input, /, value):
    """A tensor like `input` with all elements one number."""
    return _set_all(input, value)


@part_op(name="fill_tensor", node="FillBackward1", in_place_node="FillBackward3")
@quietly
def _fill_tensor(input, value, /):
    """A tensor like `input` with all elements that of a 0-dim tensor."""
    return _set_all(input, _real_for(input, value))


@part_op(name="zero")
def _zero(input, /):
    """A tensor like `input` of zeros."""
    return _set_all(input, 0)


def _real_for(into: Any, values: Any) -> Any:
    if values.dtype.kind == "c" and into.dtype.kind != "c":
        warnings.warn("Casting complex values to real discards the imaginary part", stacklevel=2)
        return values.real
    return values


_fill.vjp(input=lambda g: _zero(g))
_fill_tensor.vjp(input=lambda g: _zero(g), value=lambda g: np.sum(g))
_zero.vjp(input=lambda g: _zero(g))


def _fill_value(call: str, value: Any) -> None:
    if value._array.ndim:
        fail(RuntimeError, f"{call} only supports 0-dimension value tensor but got tensor with "
                           f"{value._array.ndim} dimensions.")  # fmt: skip


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input` with all elements one number (or that of a 0-dim tensor)."""
    if isinstance(value, Tensor):
        _fill_value("fill", value)
        return _fill_tensor(input, value)  # type: ignore[no-any-return]
    return _fill(input, scalar_for(value, input._array.dtype))  # type: ignore[no-any-return]


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set all elements to one number (or to that of a 0-dim tensor)."""
    if isinstance(value, Tensor):
        _fill_value("fill_", value)
        return _fill_tensor.into(self, (value,), ())  # type: ignore[no-any-return]
    if not isinstance(value, (bool, int, float, complex, np.generic)):
        raise TypeError("fill_() received an invalid combination of arguments - got "
                        f"({type(value).__name__}), but expected one of:\n * (Tensor value)\n * "
                        "(Number value)")  # fmt: skip
    return _fill.into(self, (), (scalar_for(value, self._array.dtype),))  # type: ignore[no-any-return]


def zero_(self: Tensor) -> Tensor:
    """Set all elements to zero."""
    return _zero.into(self, (), ())  # type: ignore[no-any-return]


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Set the elements whose indices are all equal; with `wrap`, go on below in a tall matrix."""
    from .storage import as_strided, stride

    shape = self._array.shape
    if len(shape) < 2:
        fail(RuntimeError, "dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        fail(RuntimeError, "all dimensions of input must be of equal length")
    steps = stride(self)
    fill_(as_strided(self, (min(shape),), (sum(steps),)), fill_value)
    if wrap and len(shape) == 2 and shape[0] > shape[1] + 1:
        rows, columns = shape
        begin = columns + 1  # a row is left out between the diagonals
        while begin < rows:
            part = narrow(self, 0, begin, min(columns, rows - begin))
            fill_(as_strided(part, (min(part._array.shape),), (sum(steps),)), fill_value)
            begin += columns + 1
    return self


@part_op(name="copy", node="CopyBackwards")
@quietly
def _copy(input, source, /):
    """A tensor like `input` with the elements of `source`."""
    np.copyto(input, _real_for(input, source), casting="unsafe")
    return input


_copy.vjp(input=lambda g: _zero(g), source=lambda g: g)


def _qualified(node: Any) -> str:
    return "torch::autograd::CopyBackwards"


_copy.op.node.name = _qualified


def check_broadcast(shape: tuple[int, ...], onto: tuple[int, ...]) -> None:
    """Raise PyTorch's error unless `shape` broadcasts to `onto`."""
    for back in range(1, min(len(shape), len(onto)) + 1):
        m, n = onto[-back], shape[-back]
        if m != n and m != 1 and n != 1:
            fail(RuntimeError, f"The size of tensor a ({m}) must match the size of tensor b ({n}) "
                               f"at non-singleton dimension {max(len(shape), len(onto)) - back}")  # fmt: skip
    both = np.broadcast_shapes(shape, onto)
    if both != onto:
        fail(RuntimeError, f"output with shape {list(onto)} doesn't match the broadcast shape "
                           f"{list(both)}")  # fmt: skip


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Copy the elements of another tensor into this one, cast to its dtype."""
    if not isinstance(src, Tensor):
        if not isinstance(src, (bool, int, float, complex)):
            raise TypeError("copy_(): argument 'other' (position 1) must be Tensor, not "
                            f"{_full_name(src)}")  # fmt: skip
        src = wrap(np.asarray(src))
    if src._array.shape != self._array.shape:
        check_broadcast(src._array.shape, self._array.shape)
    if src is self:
        return self
    return _copy.into(self, (src,), ())  # type: ignore[no-any-return]


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
    return np.reshape(input[_along(np.atleast_1d(index), dim)], index.shape)


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
    return _gather(input, index, dim, out=out)  # type: ignore[no-any-return]


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
            _add_at(place.reshape(-1), flat.ravel(), values.ravel(), ufunc)
        else:
            _add_at(place, key, _part(src, index), ufunc)
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
        return _scatter_reduce(input, what, index, dim, _REDUCTIONS[reduce], True, out=out)  # type: ignore[no-any-return]
    if isinstance(what, Tensor):
        return _scatter(input, what, index, dim, out=out)  # type: ignore[no-any-return]
    return _scatter_value(input, index, dim, what, out=out)  # type: ignore[no-any-return]


def scatter_(self: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
             reduce: str | None = None) -> Tensor:  # fmt: skip
    """In-place `scatter`."""
    what, dim = _scatter_params("scatter", self, dim, index, src, value, reduce)
    if reduce is not None:
        return write(_scatter_reduce.op, self, (what, index), (dim, _REDUCTIONS[reduce], True))  # type: ignore[no-any-return]
    if isinstance(what, Tensor):
        return _scatter.into(self, (what, index), (dim,))  # type: ignore[no-any-return]
    return _scatter_value.into(self, (index,), (dim, what))  # type: ignore[no-any-return]


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *,
                out: Any = None) -> Tensor:  # fmt: skip
    """A copy of the tensor in which, for dim 0, src[i, j] is added at [index[i, j], j]."""
    what, dim = _scatter_params("scatter_add", input, dim, index, src, None, None)
    expect_out(out, input._array.dtype)
    return _scatter_add(input, what, index, dim, out=out)  # type: ignore[no-any-return]


def scatter_add_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """In-place `scatter_add`."""
    what, dim = _scatter_params("scatter_add", self, dim, index, src, None, None)
    return _scatter_add.into(self, (what, index), (dim,))  # type: ignore[no-any-return]


# Reductions of what is scattered

_UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum,
           "amin": np.minimum}  # fmt: skip


def _reduce_at(input: Any, key: Any, src: Any, reduce: str, include_self: bool) -> Any:
    """A copy of an array with values combined with, or in place of, what is at an index."""
    made = np.copy(input, order="C")
    place = np.atleast_1d(made)
    if not include_self:
        place[key] = _identity(reduce, made.dtype)
    _UFUNCS[reduce].at(place, key, src)
    if reduce == "mean":
        count = np.full(place.shape, int(include_self), np.int64)
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
        zero, zeros = (np.asarray(_raw(x) == 0) for x in (input, src))
        if not include_self:
            zero = np.zeros_like(zero)
        safe, safes = _masked_fill(input, zero, 1), _masked_fill(src, zeros, 1)
        product = g * again(safe, safes)  # the zeros left out
        if not zero.any() and not zeros.any():
            mine, theirs = product / safe, take(product) / safes
        else:
            mine, theirs = _zeros_in_product(product, (input, safe, zero), (src, safes, zeros),
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
    not_zero, not_zeros = np.asarray(~zero), np.asarray(~zeros)
    count = np.asarray(add(zeros.astype(np.int64)) + zero)
    nil, nils = _masked_fill(input, not_zero, 0), _masked_fill(src, not_zeros, 0)
    total = add(nils) + nil  # the zeros themselves, which is zero but not constant
    none, one, two = (_masked_fill(product, np.asarray(count != n), 0) for n in range(3))
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
    return _scatter_reduce(input, src, index, dim, reduce, include_self, out=out)  # type: ignore[no-any-return]


def scatter_reduce_(self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *,
                    include_self: bool = True) -> Tensor:  # fmt: skip
    """In-place `scatter_reduce`."""
    src, dim = _reduce_params(self, dim, index, src, reduce)
    return write(_scatter_reduce.op, self, (src, index), (dim, reduce, include_self))  # type: ignore[no-any-return]


# Slices along a dimension, by an index vector


def _rows(index: Any, dim: int) -> tuple[Any, ...]:
    return (*(_ALL,) * dim, np.atleast_1d(index))


@op(name="index_select")
def _index_select(input, index, /, dim):
    """The slices of a dimension that an index vector names: f[n, ...], i[k] -> f[k, ...]."""
    return np.take(input, np.atleast_1d(index), axis=dim) if input.ndim else np.copy(input)


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
    if array.size and (array.min() < 0 or array.max() >= (shape[dim] if shape else 1)):
        wrong = array[(array < 0) | (array >= (shape[dim] if shape else 1))].flat[0]
        fail(IndexError, "index out of range in self",
             f"index {wrong}, dimension {dim} of shape {list(shape)}")  # fmt: skip
    return _index_select(input, index, dim, out=out)  # type: ignore[no-any-return]


@part_op(name="index_add")
def _index_add(input, source, index, /, dim, alpha):
    """A copy of `input` with alpha · source added to the slices that an index vector names."""
    place = np.atleast_1d(input)
    if alpha != 1:
        source = source * alpha
    if place.flags.c_contiguous:
        flat = _places(place.shape, np.atleast_1d(index), (dim,))
        _add_at(place.reshape(-1), flat.ravel(), np.broadcast_to(source, flat.shape).ravel())
    else:
        _add_at(place, _rows(index, dim), source)
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
    return _index_add(input, *others, *params, out=out)  # type: ignore[no-any-return]


def index_add_(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """In-place `index_add`."""
    return _index_add.into(self, *_add_params(self, dim, index, source, alpha))  # type: ignore[no-any-return]


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
    return _index_copy(input, *others, *params, out=out)  # type: ignore[no-any-return]


def index_copy_(self: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """In-place `index_copy`."""
    return _index_copy.into(self, *_copy_params(self, dim, index, source))  # type: ignore[no-any-return]


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
    if place.size and (place.min() < -size or place.max() >= size):
        wrong = place[(place < -size) | (place >= size)].flat[0]
        fail(IndexError, f"index {wrong} is out of bounds for dimension 0 with size {size}")
    if isinstance(value, Tensor):
        return _index_fill_tensor, (value, index), (dim,)
    return _index_fill, (index,), (dim, scalar_for(value, mine.dtype))


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy with one number in the slices of a dimension that an index vector names."""
    call, others, params = _fill_params(input, dim, index, value)
    return call(input, *others, *params)  # type: ignore[no-any-return]


def index_fill_(self: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """In-place `index_fill`."""
    call, others, params = _fill_params(self, dim, index, value)
    return call.into(self, others, params)  # type: ignore[no-any-return]


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
    size, place = (input._array.shape or (1,))[dim], index._array
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
    return _index_reduce(input, *others, dim, reduce, include_self, out=out)  # type: ignore[no-any-return]


def index_reduce_(self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
                  include_self: bool = True) -> Tensor:  # fmt: skip
    """In-place `index_reduce`."""
    others, dim = _index_reduce_params(self, dim, index, source, reduce)
    return write(_index_reduce.op, self, others, (dim, reduce, include_self))  # type: ignore[no-any-return]


# By the number of an element, all in one row


@op(name="take")
def _take(input, index, /):
    """The elements of these numbers, counted through all dimensions."""
    return np.take(input, index) if index.size else np.empty(index.shape, input.dtype)


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
        _add_at(input.reshape(-1), flat, values)
    else:
        _add_at(input, np.unravel_index(flat, input.shape), values)
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
    if index.size and (index.min() < -count or index.max() >= count):
        wrong = index[(index < -count) | (index >= count)].flat[0]
        fail(IndexError, f"out of range: tried to access index {wrong} on a tensor of {count} "
                         "elements.")  # fmt: skip


def take(input: Tensor, index: Tensor, *, out: Any = None) -> Tensor:
    """The elements of these numbers, counted through all dimensions, in the index's shape."""
    _check_numbers("take", index._array, input._array.size)
    return _take(input, index, out=out)  # type: ignore[no-any-return]


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
    return _put(input, *_numbers(input, index, source), accumulate)  # type: ignore[no-any-return]


def put_(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """In-place `put`."""
    return _put.into(self, _numbers(self, index, source), (accumulate,))  # type: ignore[no-any-return]


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
    return wrap(np.remainder(array, size)) if array.size and array.min() < 0 else indices


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
    return call(_to_mask(input, mask), *others, *params)  # type: ignore[no-any-return]


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
    return call.into(self, others, params)  # type: ignore[no-any-return]


@op(name="masked_select")
def _masked_select(input, mask, /):
    """The elements where a mask is true, in one dimension; input and mask broadcast."""
    if input.shape != mask.shape:
        input, mask = np.broadcast_arrays(input, mask)
    return input[mask] if input.ndim else input[None][mask[None]]


@op
def masked_select_backward(g, mask, /, shape):
    """Zeros of a shape with the elements of `g` where a mask is true."""
    whole = np.zeros(shape, dtype=g.dtype)
    whole[np.broadcast_to(mask, shape)] = g
    return whole


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
    return _masked_select(input, mask, out=out)  # type: ignore[no-any-return]


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
    made = np.zeros(source_shape, dtype=g.dtype)
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
    if source._array.size < np.count_nonzero(wide):
        fail(RuntimeError, "Number of elements of source < number of ones in mask")


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the first elements of `source`, in order, where a mask is true."""
    _scatter_masked(input, mask, source)
    return _masked_scatter(_to_mask(input, mask), mask, source)  # type: ignore[no-any-return]


def masked_scatter_(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """In-place `masked_scatter`."""
    if mask._array.shape != self._array.shape:
        mask = expand(mask, self._array.shape)
    _scatter_masked(self, mask, source)
    return _masked_scatter.into(self, (mask, source), ())  # type: ignore[no-any-return]


# Where elements are not zero


def nonzero(input: Tensor, *, as_tuple: bool = False, out: Any = None) -> Any:
    """The indices of the elements that are not zero: i[count, dimensions], or with `as_tuple` an
    index vector for each dimension."""
    array = input._array
    found = np.nonzero(np.atleast_1d(array))
    if as_tuple and out is not None:
        raise TypeError(f"nonzero(): argument 'out' must be Tensor, not {type(out).__name__}")
    if as_tuple:
        return tuple(map(wrap, found))
    if not array.ndim:
        result = np.zeros((found[0].size, 0), np.int64)
    else:
        result = np.stack(found, axis=1) if array.ndim > 1 else found[0][:, None]
    if out is not None:
        return write_out("nonzero", out, lambda: wrap(result), (), {})
    return wrap(result)


def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not zero: i[count, dimensions]."""
    return nonzero(input)  # type: ignore[no-any-return]


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1,
                   out: Any = None) -> Tensor:  # fmt: skip
    """`nonzero` with `size` rows: the first of them, or `fill_value` where there are fewer."""
    found = nonzero(input)._array[:size]
    result = np.full((size, found.shape[1]), fill_value, np.int64)
    result[: len(found)] = found
    if out is not None:
        return write_out("nonzero_static", out, lambda: wrap(result), (), {})  # type: ignore[no-any-return]
    return wrap(result)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """For numbers of elements, counted through all dimensions of a shape, their indices."""
    if indices._array.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),)
    if any(n < 0 for n in sizes):
        fail(ValueError, f"'shape' cannot have negative values, but got {sizes}")
    left, found = indices._array, []
    for n in reversed(sizes):
        found.append(wrap(np.asarray(left % n)))
        left = left // n
    return tuple(reversed(found))


EXACT_OUT.update({
    "index_select": "index_select(): self and result must have the same scalar type",
    "masked_select": "masked_select(): self and result must have the same scalar type",
    "nonzero": "nonzero: Expected out tensor to have scalar type {want} but got scalar type{have}",
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
    np.argwhere: lambda a: argwhere(a),
    np.nonzero: lambda a: nonzero(a, as_tuple=True),
    np.take: _numpy_take,
    np.take_along_axis: _numpy_take_along_axis,
}
