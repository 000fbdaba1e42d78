"""Where a tensor lies in memory: strides, storages, `as_strided`, and `resize_` and `set_`.

NumPy knows an array's strides and the array that owns its memory; PyTorch's storage is the memory
of that owner. Counts are of elements, as in PyTorch, not of bytes.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..dtypes import dtype, from_numpy_dtype
from ..duck import Duck, address, zeros
from ..graph.inplace import check_writable, rebase
from ..graph.modes import current
from ..graph.node import Fixed, edge_of
from ..graph.operator import op
from ..graph.saved import bump
from ..graph.source import fail, here
from ..graph.strided import memory_of
from ..tensor import Tensor, normal_dim, wrap
from .shape import check_part, copying, reshaping, view_op, viewed

__all__ = ["as_strided", "as_strided_copy", "as_strided_scatter", "is_same_size"]
METHODS = (
    "as_strided", "as_strided_", "as_strided_scatter", "data_ptr", "is_contiguous", "is_same_size",
    "is_set_to", "resize", "resize_", "resize_as", "resize_as_", "set_", "storage",
    "storage_offset", "stride", "untyped_storage",
)  # fmt: skip


def strides_of(array: Any) -> tuple[int, ...]:
    """An array's strides as PyTorch counts them."""
    if not array.size:  # NumPy leaves strides at 0 where nothing is reached by them
        found, step = [], 1
        for n in reversed(array.shape):
            found.append(step)
            step *= max(n, 1)
        return tuple(reversed(found))
    item = array.itemsize
    found = [s // item for s in array.strides]
    for dim in range(len(found) - 1, -1, -1):  # likewise for a new dimension of size 1
        if found[dim] == 0 and array.shape[dim] == 1:
            last = dim + 1 == len(found)
            found[dim] = 1 if last else found[dim + 1] * array.shape[dim + 1]
    return tuple(found)


def _memory(tensor: Tensor) -> Any:
    """The memory of a tensor in elements of its dtype."""
    array = tensor._array
    memory = memory_of(array)
    return memory if memory.dtype == array.dtype else memory.view(array.dtype)


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements lie between neighbours along each dimension, or along one."""
    found = strides_of(self._array)
    return found if dim is None else found[normal_dim(dim, len(found))]


def storage_offset(self: Tensor) -> int:
    """How many elements of the storage come before the first element."""
    array = self._array
    if array.base is None or not array.size:
        return 0
    return (address(array) - address(memory_of(array))) // array.itemsize


def data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    return address(self._array) if self._array.size else 0


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in order, without gaps, in memory."""
    array = self._array
    order = {"channels_last": (0, 2, 3, 1), "channels_last_3d": (0, 2, 3, 4, 1)}.get(
        getattr(memory_format, "name", "")
    )
    if order is None:
        return array.flags.c_contiguous
    return array.ndim == len(order) and np.transpose(array, order).flags.c_contiguous


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape."""
    return self._array.shape == other._array.shape


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether two tensors are the same memory in the same shape and strides."""
    mine, other = self._array, tensor._array
    return (
        address(mine) == address(other)
        and mine.shape == other.shape
        and strides_of(mine) == strides_of(other)
    )


# Storages


class UntypedStorage:
    """The memory of a tensor and of all its views, as bytes."""

    def __init__(self, memory: Any) -> None:
        self._elements = memory

    def nbytes(self) -> int:
        """The size in bytes."""
        return self._elements.nbytes

    def size(self) -> int:
        """The number of elements."""
        return self._elements.size

    __len__ = size

    def element_size(self) -> int:
        """Bytes per element."""
        return self._elements.itemsize

    def data_ptr(self) -> int:
        """The address of the first element."""
        return address(self._elements) if self._elements.size else 0

    def tolist(self) -> list[Any]:
        """The elements as a list."""
        return self._elements.tolist()

    def __getitem__(self, index: Any) -> Any:
        found = self._elements[index]
        return type(self)(found) if isinstance(index, slice) else found.item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._elements[index] = value

    def __repr__(self) -> str:
        lines = [f" {value}" for value in self.tolist()]
        name = type(self).__name__
        return "\n".join([*lines, f"[torch.storage.{name}(device=cpu) of size {self.size()}]"])


class TypedStorage(UntypedStorage):
    """The memory of a tensor and of all its views, as elements of the tensor's dtype."""

    @property
    def dtype(self) -> dtype:
        """The type of the elements."""
        return from_numpy_dtype(self._elements.dtype)

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._elements.view(np.uint8))


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this tensor shares with its views, as bytes."""
    return UntypedStorage(_memory(self).view(np.uint8))


def storage(self: Tensor) -> TypedStorage:
    """The memory that this tensor shares with its views, as elements."""
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be "
        "the only storage class. This should only matter to you if you are using storages "
        "directly.  To access UntypedStorage directly, use tensor.untyped_storage() instead of "
        "tensor.storage()",
        stacklevel=2,
    )
    return TypedStorage(_memory(self))


# A window on the storage. A place is (size, stride, offset).


def _positions(place: Any) -> Any:
    """For each index of a place the element of the storage that it names."""
    size, stride, offset = place
    found = np.array(offset)
    for dim, (n, step) in enumerate(zip(size, stride, strict=True)):
        found = found + (np.arange(n) * step).reshape((-1, *(1,) * (len(size) - 1 - dim)))
    return found


def _window(memory: Any, place: Any) -> Any:
    """The elements at a place of a one-dimensional memory, as a view."""
    size, stride, offset = place
    item = memory.itemsize
    strides = tuple([s * item for s in stride])
    if 0 in size:
        return np.empty(size, memory.dtype)
    return np.ndarray(size, memory.dtype, memory.view(np.uint8), offset * item, strides)


@view_op(name="as_strided")
def _as_strided(input, /, size, stride, storage_offset, origin):
    """The elements of the input's storage at a place. origin: the input's own place."""
    memory = memory_of(input)
    if memory.dtype != input.dtype:
        memory = memory.view(input.dtype)
    if isinstance(input, Duck):
        item = memory.itemsize
        return input.window(memory, size, tuple([s * item for s in stride]), storage_offset * item)
    return _window(memory, (size, stride, storage_offset))


@op(name="strided_move")
def _strided_move(values, /, source, target):
    """Values laid out at one place of a storage of zeros, added where they meet; read at another
    place. Transposed, the places change roles."""
    begin, end = _positions(source), _positions(target)
    reach = 1 + max(begin.max(initial=-1), end.max(initial=-1))
    memory = zeros(values, (reach,))
    np.add.at(memory, begin.ravel(), np.ravel(values))
    return np.reshape(memory[end.ravel()], end.shape)


_strided_move.vjp(values=lambda g, source, target: _strided_move(g, target, source))


def _as_strided_vjp(g: Any, size: Any, stride: Any, storage_offset: int, origin: Any) -> Any:
    found = _strided_move(g, (size, stride, storage_offset), origin)
    return found / _sharing(g, origin) if 0 in origin[1] else found


def _as_strided_jvp(t: Any, size: Any, stride: Any, storage_offset: int, origin: Any) -> Any:
    # The tangent may lie in memory in another way than the input does: moved, not viewed.
    if 0 in origin[1]:
        t = t / _sharing(t, origin)
    return _strided_move(t, origin, (size, stride, storage_offset))


def _sharing(like: Any, origin: Any) -> Any:
    """How many elements of the input are one in memory with each, in the dtype of `like`: they
    share their gradient."""
    places = _positions(origin)
    count = np.bincount(places.ravel())[places]
    return count.astype(like._array.dtype if isinstance(like, Tensor) else like.dtype)


_as_strided.vjp(input=_as_strided_vjp).jvp(input=_as_strided_jvp)


def _place(input: Tensor, size: Any, stride: Any, storage_offset: int | None) -> tuple[Any, ...]:
    """The place that a user names, checked; and the input's own place."""
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    if len(size) != len(stride):
        fail(RuntimeError, "mismatch in length of strides and shape")
    if stride and min(stride) < 0:
        fail(RuntimeError, "as_strided: Negative strides are not supported at the moment, got "
                           f"strides: {list(stride)}")  # fmt: skip
    array = input._array
    memory = _memory(input)
    here_at = (address(array) - address(memory)) // array.itemsize if array.size else 0
    offset = here_at if storage_offset is None else int(storage_offset)
    if offset < 0:
        fail(RuntimeError, f"Tensor: invalid storage offset {offset}")
    reach = 0
    if 0 not in size:
        reach = offset + 1 + sum(s * (n - 1) for s, n in zip(stride, size, strict=True))
    if reach > memory.size:
        fail(
            RuntimeError,
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and "
            f"itemsize {array.itemsize} requiring a storage size of {reach * array.itemsize} are "
            f"out of bounds for storage of size {memory.nbytes}",
        )
    return size, stride, offset, (array.shape, strides_of(array), here_at)


def _as_strided_params(input: Tensor, size: Any, stride: Any,
                       storage_offset: int | None = None) -> tuple[Any, ...]:  # fmt: skip
    return _as_strided.op, input, *_place(input, size, stride, storage_offset)


def as_strided(input: Tensor, size: Any, stride: Any,
               storage_offset: int | None = None) -> Tensor:  # fmt: skip
    """A view of any elements of the tensor's storage, named by strides and the first's offset."""
    return viewed(*_as_strided_params(input, size, stride, storage_offset))


as_strided_copy = copying(_as_strided_params, "`as_strided` as a copy.")
as_strided_ = reshaping(_as_strided_params, "In-place `as_strided`.")


@op(name="as_strided_scatter")
def _as_strided_scatter(input, src, /, size, stride, storage_offset, origin):
    """The input with `src` for those of its elements that lie at a place of its storage."""
    own, place = _positions(origin), _positions((size, stride, storage_offset))
    memory = zeros(input, (1 + max(own.max(initial=-1), place.max(initial=-1)),))
    memory[own] = input
    memory[place] = src
    return np.reshape(memory[own.ravel()], own.shape)


_as_strided_scatter.vjp(
    input=lambda g, size, stride, storage_offset, origin: _as_strided_scatter(
        g, 0, size, stride, storage_offset, origin
    ),
    src=lambda g, size, stride, storage_offset, origin: _strided_move(
        g, origin, (size, stride, storage_offset)
    ),
)


def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any,
                       storage_offset: int | None = None) -> Tensor:  # fmt: skip
    """A copy of the tensor in which the elements that `as_strided` would give are `src`."""
    place = _place(input, size, stride, storage_offset)
    check_part(np.broadcast_to(np.empty(()), place[0]), src._array)
    return _as_strided_scatter(input, src, *place)


# Another size, another memory


def _check_resize(self: Tensor) -> None:
    if self.requires_grad:
        fail(RuntimeError, "cannot resize variables that require grad")


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Give the tensor another shape, keeping the elements of its storage in their order; what is
    new is uninitialised. A storage that is too small is replaced by a larger one."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    _check_resize(self)
    if self._array.shape == sizes:
        return self
    if self._inference:
        check_writable(self, False)
    memory, offset = _memory(self), storage_offset(self)
    count = int(np.prod(sizes, dtype=np.int64))
    if offset + count > memory.size:
        larger = np.empty(offset + count, memory.dtype)
        larger[: memory.size] = memory
        memory = larger
    self._array = memory[offset : offset + count].reshape(sizes)
    bump(self, here())
    return self


def resize_as_(self: Tensor, other: Tensor, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(self, other._array.shape)


def resize(self: Tensor, *sizes: Any) -> Tensor:
    """The tensor in another shape of as many elements. Deprecated in PyTorch: use `reshape`."""
    from .shape import reshape

    warnings.warn("non-inplace resize is deprecated", stacklevel=2)
    return reshape(self, *sizes)


def resize_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the shape of another. Deprecated in PyTorch: use `reshape_as`."""
    return resize(self, other._array.shape)


def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None,
         stride: Any = None) -> Tensor:  # fmt: skip
    """Make this tensor see the memory of another tensor, or of a storage; none: no memory."""
    recording = current().grad and self.requires_grad
    before = None
    if self._inference or recording:
        check_writable(self, recording, "set_")
        before = Fixed(edge_of(self)) if recording else None
    kind = self._array.dtype
    if source is None:
        self._array = np.empty(0, kind)
    elif isinstance(source, Tensor) and size is None:
        self._array = source._array
    else:
        if isinstance(source, Tensor):
            memory = _memory(source)
        else:
            memory = source._elements if isinstance(source, UntypedStorage) else memory_of(source)
        memory = memory.view(kind)
        shape = (memory.size - storage_offset,) if size is None else tuple(size)
        whole = wrap(memory)
        steps = strides_of(np.empty(shape, np.uint8)) if stride is None else stride
        self._array = _window(memory, _place(whole, shape, steps, storage_offset)[:3])
    bump(self, here())
    if before is not None:
        passed = wrap(self._array)
        passed._edge = before
        rebase(self, _other_memory(passed)._edge)
    return self


@op(name="set_", node="NotImplemented")
def _other_memory(input):
    """A tensor after `set_`, whose gradient has nowhere to go."""
    return input


def _no_derivative(g: Any) -> Any:
    fail(RuntimeError, "derivative for set_ is not implemented")


_other_memory.vjp(input=_no_derivative)
_other_memory.op.node.name = lambda self: "torch::autograd::NotImplemented"
