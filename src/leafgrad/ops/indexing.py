"""Indexing: x[...] and x[...] = value, slices, filling and copying.

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
from ..duck import Duck, copied, item, refuse, zeros
from ..graph.inplace import check_writable, write
from ..graph.modes import OFF, ON, current
from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.quiet import quietly
from ..graph.saved import bump
from ..graph.source import fail, here
from ..tensor import TENSORS, Tensor, normal_dim, wrap
from .shape import (
    _alias,
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
    "argwhere", "fill", "index_put", "narrow", "narrow_copy", "nonzero", "nonzero_static", "select",
    "select_copy", "select_scatter", "slice_copy", "slice_scatter", "unravel_index",
]  # fmt: skip
METHODS = (
    "argwhere", "copy_", "fill_", "fill_diagonal_", "index_put", "index_put_", "narrow",
    "narrow_copy", "nonzero", "nonzero_static", "select", "select_scatter", "slice_scatter",
    "zero_",
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
            return act(copied(input, *rest), *rest)

        forward.__wrapped__ = act
        forward.__dict__.pop("noisy", None)  # of `quietly`: that one would write into the input
        call = op(forward, **options)
        made = copy.copy(call.op)
        made.forward = act
        if in_place_node:
            made.node = type(in_place_node, (made.node,), {"__slots__": (), "op": made})

        def into(self: Any, others: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
            mode = current()
            if mode is OFF or (mode is ON and not any(t.requires_grad for t in (self, *others))):
                check_writable(self, False, made.name, others)
                act(self._array, *[t._array for t in others], *params)
                bump(self, here())
                return self
            return write(made, self, others, params)

        call.into = into
        return call

    return make


def on_arrays(call: Any, g: Any, *rest: Any) -> Any:
    """An operator on a gradient; on an array, quickly, its forward alone."""
    return call(g, *rest) if isinstance(g, Tensor) else call.op.forward(g, *rest)


# x[i], x[i:j]


@view_op(name="select")
def _select(input, /, dim, index):
    """The slice at an index of a dimension, without that dimension."""
    return input[(*(_ALL,) * dim, index, ...)] if dim else input[index, ...]


@op
def select_backward(g, /, input_shape, dim, index):
    """Zeros with `g` at an index of a dimension."""
    whole = zeros(g, input_shape)
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
    whole = zeros(g, input_shape)
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
        return value
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
    return viewed(*_select_params(input, dim, index))


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
    return viewed(*_slice_params(input, dim, start, end, step))


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
    return viewed(*_narrow_params(input, dim, start, length))


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
    return _select_scatter(input, src, *_select_params(input, dim, index)[2:])


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
    return _slice_scatter(input, src, *params, out=out)


# x[indices], x[mask]: the indexed dimensions, `dims`, are each indexed by an index tensor. For one
# dimension `index` is that tensor, or a mask from that dimension on; for several it has their
# tensors, broadcast, along its first dimension.


def add_at(into: Any, key: Any, values: Any, ufunc: Any = np.add) -> None:
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


def places(shape: tuple[int, ...], index: Any, dims: tuple[int, ...]) -> Any:
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
        found = item(input, _key(index, dims))
    except IndexError as error:
        raise _explained(error, input, index, dims) from None
    return _laid_out(found, input, index, dims) if input.__class__ is np.ndarray else found


def _laid_out(found: Any, input: Any, index: Any, dims: tuple[int, ...]) -> Any:
    """What an index gave, in PyTorch's order in memory: NumPy puts the indexed dimensions first.

    Dimensions are sorted as the input has them, those of the index as the index has them.
    """
    if found.flags.c_contiguous and input.flags.c_contiguous:
        return found
    if input.flags.c_contiguous:
        return np.ascontiguousarray(found)
    if index.dtype.kind == "b":  # as the positions of its elements that are true
        dims = tuple(range(dims[0], dims[0] + index.ndim))
        index = np.empty((len(dims), 1), np.int64)
    count = index.ndim if len(dims) == 1 else index.ndim - 1
    rest = [dim for dim in range(input.ndim) if dim not in dims]
    adjacent = dims == tuple(range(dims[0], dims[0] + len(dims)))
    front = dims[0] if adjacent else 0
    own = [input.strides[dim] for dim in rest]
    kept = [*own[:front], *[0] * count, *own[front:]]
    steps = index.strides[-count:] if count else ()
    picked = [*[0] * front, *steps, *[0] * (len(own) - front)]

    def after(one: int, other: int) -> int:
        for strides in (kept, picked):
            a, b = strides[one], strides[other]
            if a and b and a != b:
                return 1 if a > b else -1
            if a and b and found.shape[one] > found.shape[other]:
                return 1
        return 0

    order = list(range(found.ndim - 1, -1, -1))  # the innermost first
    for i in range(1, found.ndim):
        place = i
        for j in range(i - 1, -1, -1):
            compared = after(order[j], order[place])
            if compared > 0:
                order[j], order[place] = order[place], order[j]
                place = j
            elif compared < 0:
                break
    order.reverse()
    dense = np.ascontiguousarray(np.transpose(found, order))
    return np.transpose(dense, np.argsort(order))


@op
def index_backward(g, index, /, input_shape, dims):
    """Zeros with `g` added at an index."""
    whole = zeros(g, input_shape)
    if index.dtype.kind == "b":
        whole[_key(index, dims)] = g
    else:
        # In one dimension `np.add.at` is several times as fast as in many.
        np.add.at(whole.reshape(-1), places(input_shape, index, dims).ravel(), np.ravel(g))
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
            add_at(input, key, values)
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
        return index
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
        fail(IndexError, "tensors used as indices must be long, int, byte or bool tensors",
             f"this index is {item.dtype}", "to do: index.long()")  # fmt: skip
    if array.dtype == np.uint8:
        warnings.warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype "
                      "torch.bool instead.", stacklevel=4)  # fmt: skip
        item = wrap(array.astype(bool))
    if not array.ndim:
        if isinstance(array, Duck) and array.rank:  # an index for each example of a batch
            return item
        return bool(array) if item._array.dtype.kind == "b" else int(array)
    return item


def _start(self: Tensor, items: tuple[Any, ...]) -> Any:
    """The views of a basic index, and what index tensors there are for which dimensions of them."""
    items = tuple([_simplified(item) for item in items])
    named = 0
    for item in items:  # noqa: F402
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
            found = _between(found, dim, item, True)
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


def _combined(tensors: list[tuple[int, Any]]) -> tuple[Any, tuple[int, ...]]:
    """Index tensors and masks as one `index`, and the dimensions that it indexes."""
    if len(tensors) == 1:
        dim, index = tensors[0]
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
            return viewed(_select.op, self, 0, index)
        except IndexError:
            _start(self, (index,))  # explains
            raise
    if kind is slice:
        return _between(self, 0, index, False)
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
    elif kind in TENSORS and self._array.ndim:
        place = index._array
        if place.ndim and place.dtype == np.int64:
            return _index(self, index, (0,))
    found, tensors = _start(self, _items(index))
    if not tensors:
        return viewed(_alias.op, self) if found is self else found
    place, dims = _combined(tensors)
    return _index(found, place, dims)


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
        if value.dtype != array.dtype or value is array or (
            (value.base is not None or array.base is not None)
            and np.may_share_memory(array, value)
        ):  # fmt: skip
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
    found, tensors = _start(self, items)
    array = value._array
    if not tensors:
        shape = found._array.shape
        if array.ndim and array.shape != shape:
            value = _without_ones(value)
            copy_(found, value if value._array.shape == shape else expand(value, shape))
        elif array.shape == shape:
            copy_(found, value)
        else:
            fill_(found, value)
        return
    place, dims = _combined(tensors)
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
    return bool((element == self).any().item())


def _backwards(self: Tensor) -> Tensor:
    return flip(self, 0) if self._array.ndim else self


Tensor.__getitem__ = _getitem
Tensor.__setitem__ = _setitem
Tensor.__contains__ = _contains
Tensor.__reversed__ = _backwards


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of the tensor with values put (or added) where x[indices] would take them."""
    return _index_put(input, *_put_params(input, indices, values), accumulate)


def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Put (or add) values where self[indices] would take them."""
    values, place, dims = _put_params(self, indices, values)
    return _index_put.into(self, (values, place), (dims, accumulate))


def _put_params(input: Tensor, indices: Any, values: Tensor) -> tuple[Any, ...]:
    named = 0
    tensors: list[tuple[int, Any]] = []
    for position, item in enumerate(indices):  # noqa: F402
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
    return _without_ones(values), *_combined(tensors)


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


_fill.vjp(input=lambda g: np.zeros_like(g))
_fill_tensor.vjp(input=lambda g: np.zeros_like(g), value=lambda g: np.sum(g))
_zero.vjp(input=lambda g: np.zeros_like(g))


def _fill_value(call: str, value: Any) -> None:
    if value._array.ndim:
        fail(RuntimeError, f"{call} only supports 0-dimension value tensor but got tensor with "
                           f"{value._array.ndim} dimensions.")  # fmt: skip


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input` with all elements one number (or that of a 0-dim tensor)."""
    if isinstance(value, Tensor):
        _fill_value("fill", value)
        return _fill_tensor(input, value)
    return _fill(input, scalar_for(value, input._array.dtype))


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set all elements to one number (or to that of a 0-dim tensor)."""
    if isinstance(value, Tensor):
        _fill_value("fill_", value)
        return _fill_tensor.into(self, (value,), ())
    if not isinstance(value, (bool, int, float, complex, np.generic)):
        raise TypeError("fill_() received an invalid combination of arguments - got "
                        f"({type(value).__name__}), but expected one of:\n * (Tensor value)\n * "
                        "(Number value)")  # fmt: skip
    return _fill.into(self, (), (scalar_for(value, self._array.dtype),))


def zero_(self: Tensor) -> Tensor:
    """Set all elements to zero."""
    return _zero.into(self, (), ())


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


_copy.vjp(input=lambda g: np.zeros_like(g), source=lambda g: g)


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
    return _copy.into(self, (src,), ())


# Where elements are not zero


def nonzero(input: Tensor, *, as_tuple: bool = False, out: Any = None) -> Any:
    """The indices of the elements that are not zero: i[count, dimensions], or with `as_tuple` an
    index vector for each dimension."""
    refuse(input._array, "nonzero")
    if as_tuple and out is not None:
        raise TypeError(f"nonzero(): argument 'out' must be Tensor, not {type(out).__name__}")
    if as_tuple:
        return tuple(map(wrap, np.nonzero(np.atleast_1d(input._array))))
    result = _rows_of_nonzero(input._array)
    if out is not None:
        return write_out("nonzero", out, lambda: wrap(result), (), {})
    return wrap(result)


def _rows_of_nonzero(array: Any) -> Any:
    found = np.nonzero(np.atleast_1d(array))
    if not array.ndim:
        return np.zeros((found[0].size, 0), np.int64)
    return np.stack(found, axis=1) if array.ndim > 1 else found[0][:, None]


def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not zero: i[count, dimensions]."""
    return wrap(_rows_of_nonzero(input._array))


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1,
                   out: Any = None) -> Tensor:  # fmt: skip
    """`nonzero` with `size` rows: the first of them, or `fill_value` where there are fewer."""
    found = _rows_of_nonzero(input._array)[:size]
    result = np.full((size, found.shape[1]), fill_value, np.int64)
    result[: len(found)] = found
    if out is not None:
        return write_out("nonzero_static", out, lambda: wrap(result), (), {})
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


EXACT_OUT["nonzero"] = (
    "nonzero: Expected out tensor to have scalar type {want} but got scalar type{have}"
)
NUMPY = {
    np.argwhere: lambda a: argwhere(a),
    np.nonzero: lambda a: nonzero(a, as_tuple=True),
}
