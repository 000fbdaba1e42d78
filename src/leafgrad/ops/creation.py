"""Making tensors: from data, from NumPy, filled, ranges; and changing dtype, device or layout."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..device import require_cpu
from ..dtypes import (
    BY_NAME,
    default_complex,
    dtype,
    float32,
    from_numpy_dtype,
    get_default_dtype,
    int64,
    is_differentiable,
)
from ..duck import Duck
from ..graph.node import LEAF
from ..graph.source import fail
from ..tensor import Size, Tensor, as_array, wrap

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "empty_permuted", "empty_strided",
    "eye", "from_dlpack", "from_numpy", "frombuffer", "full", "full_like", "is_tensor", "linspace",
    "logspace", "ones", "ones_like", "range", "scalar_tensor", "tensor", "tril_indices",
    "triu_indices", "zeros", "zeros_like",
]  # fmt: skip
METHODS = ("new_empty", "new_empty_strided", "new_full", "new_ones", "new_tensor", "new_zeros")


def made(array: Any, requires_grad: bool = False) -> Tensor:
    """A new tensor; a leaf that requires grad if wanted (also under no_grad, as in PyTorch)."""
    t = wrap(as_array(array))
    if requires_grad:
        if not is_differentiable(t._array.dtype):
            fail(RuntimeError, "Only Tensors of floating point and complex dtype can require "
                               "gradients", f"this one has dtype {t.dtype}",
                 "to do: make it from floats ([1.0, 2.0]), pass dtype=torch.float32, or .float()")  # fmt: skip
        t._edge = LEAF
    from ..graph.modes import current

    if current().inference:
        t._inference = True
    return t


def _sizes(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given as `ones(2, 3)` or `ones((2, 3))`, checked."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    for position, n in enumerate(size, 1):
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise TypeError(
                "argument 'size' must be tuple of ints, but found element of type "
                f"{type(n).__name__} at pos {position - 1}"
            )
        if int(n) < 0:
            fail(RuntimeError, f"Trying to create tensor with negative dimension {int(n)}: "
                               f"{[int(m) for m in size]}")  # fmt: skip
    return tuple(int(n) for n in size)


def _filled(make: Any, size: Any, kind: Any, device: Any, requires_grad: bool, out: Any) -> Tensor:
    require_cpu(device)
    if out is not None:
        return _into(out, make(size, (kind or out.dtype).numpy))
    return made(make(size, (kind or get_default_dtype()).numpy), requires_grad)


def _into(out: Tensor, array: Any) -> Tensor:
    from ..graph.operator import write_out

    write_out("out", out, lambda: wrap(as_array(array)), (), {})
    return out


def _given_size(size: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    if not size and "size" in kwargs:
        size = (kwargs.pop("size"),)
    if kwargs:
        raise TypeError(f"got an unexpected keyword argument '{next(iter(kwargs))}'")
    return _sizes(size)


def ones(*size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False, pin_memory: bool = False, **kwargs: Any) -> Tensor:  # fmt: skip
    """A tensor of ones: `ones(2, 3)`, `ones((2, 3))`."""
    return _filled(np.ones, _given_size(size, kwargs), dtype, device, requires_grad, out)


def zeros(*size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False, pin_memory: bool = False, **kwargs: Any) -> Tensor:  # fmt: skip
    """A tensor of zeros."""
    return _filled(np.zeros, _given_size(size, kwargs), dtype, device, requires_grad, out)


def empty(*size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False, pin_memory: bool = False, memory_format: Any = None,
          **kwargs: Any) -> Tensor:  # fmt: skip
    """A tensor whose values are whatever was in memory."""
    return _filled(np.empty, _given_size(size, kwargs), dtype, device, requires_grad, out)


def empty_strided(size: Any, stride: Any, *, dtype: Any = None, layout: Any = None,
                  device: Any = None, requires_grad: bool = False,
                  pin_memory: bool = False) -> Tensor:  # fmt: skip
    """An uninitialised tensor with these strides (in elements)."""
    require_cpu(device)
    kind = (dtype or get_default_dtype()).numpy
    size, stride = _sizes((size,)), _sizes((stride,))
    reach = 0 if 0 in size else 1 + sum(s * (n - 1) for s, n in zip(stride, size, strict=True))
    memory = np.empty(reach, kind)
    strides = tuple(s * memory.itemsize for s in stride)
    return made(np.lib.stride_tricks.as_strided(memory, size, strides), requires_grad)


def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None,
                   device: Any = None, requires_grad: bool = False,
                   pin_memory: bool = False) -> Tensor:  # fmt: skip
    """An uninitialised tensor whose dimensions lie in memory in this order, the outermost first."""
    require_cpu(device)
    size, order = _sizes((size,)), [int(d) for d in physical_layout]
    if len(size) != len(order):
        fail(RuntimeError, "Number of dimensions in size does not match the length of the "
                           f"physical_layout; i.e. len(size) = {len(size)} is not equal to "
                           f"len(physical_layout) = {len(order)}")  # fmt: skip
    for i, d in enumerate(order):
        if not 0 <= d < len(size):
            fail(RuntimeError, f"Dimension out of range (expected to be between 0 and "
                               f"{len(size) - 1}, but got {d} at index {i}).  NB: negative dims "
                               "not currently supported; file an issue if you want it.")  # fmt: skip
        if d in order[:i]:
            fail(RuntimeError, "Duplicate dim not allowed")
    memory = np.empty([size[d] for d in order], (dtype or get_default_dtype()).numpy)
    return made(np.transpose(memory, np.argsort(order)) if order else memory, requires_grad)


def full(size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None,
         device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """A tensor filled with one value, whose type gives the dtype unless `dtype` does."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    kind = dtype or (out.dtype if out is not None else _inferred([fill_value]))
    size = _sizes((size,))

    def make(shape: Any, stored: Any) -> Any:
        return np.full(shape, np.asarray(fill_value).astype(stored))

    return _filled(make, size, kind, device, requires_grad, out)


def _like(input: Tensor, fill: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    require_cpu(device)
    like = np.empty_like(input._array, dtype=dtype.numpy if dtype else None, subok=False)
    if fill is not None:
        like.fill(fill)
    return made(like, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """Ones in the shape, dtype and memory order of `input`."""
    return _like(input, 1, dtype, device, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """Zeros in the shape, dtype and memory order of `input`."""
    return _like(input, 0, dtype, device, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None,
               pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Uninitialised memory in the shape, dtype and memory order of `input`."""
    return _like(input, None, dtype, device, requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None,
              device: Any = None, requires_grad: bool = False,
              memory_format: Any = None) -> Tensor:  # fmt: skip
    """One value in the shape, dtype and memory order of `input`."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    kind = dtype or input.dtype
    return _like(input, np.asarray(value).astype(kind.numpy), dtype, device, requires_grad)


def _new(self: Tensor, fill: Any, size: tuple[int, ...], dtype: Any, device: Any,
         requires_grad: bool) -> Tensor:  # fmt: skip
    """A tensor of a size, in this tensor's dtype unless another is given, filled unless with None.
    Of a batch each example gets its own."""
    require_cpu(device)
    kind = (dtype or self.dtype).numpy
    if isinstance(self._array, Duck):
        array = np.empty_like(self._array, dtype=kind, shape=size)
        if fill is not None:
            array[...] = np.asarray(fill).astype(kind)
    elif fill is None:
        array = np.empty(size, kind)
    else:
        array = np.ones(size, kind) if fill else np.zeros(size, kind)
    return made(array, requires_grad)


def new_zeros(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, layout: Any = None,
              pin_memory: bool = False, requires_grad: bool = False, **kwargs: Any) -> Tensor:  # fmt: skip
    """Zeros of this tensor's dtype."""
    return _new(self, 0, _given_size(size, kwargs), dtype, device, requires_grad)


def new_ones(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, layout: Any = None,
             pin_memory: bool = False, requires_grad: bool = False, **kwargs: Any) -> Tensor:  # fmt: skip
    """Ones of this tensor's dtype."""
    return _new(self, 1, _given_size(size, kwargs), dtype, device, requires_grad)


def new_empty(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, layout: Any = None,
              pin_memory: bool = False, requires_grad: bool = False, **kwargs: Any) -> Tensor:  # fmt: skip
    """Uninitialised memory of this tensor's dtype."""
    return _new(self, None, _given_size(size, kwargs), dtype, device, requires_grad)


def new_empty_strided(self: Tensor, size: Any, stride: Any, *, dtype: Any = None,
                      device: Any = None, layout: Any = None, pin_memory: bool = False,
                      requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Uninitialised memory of this tensor's dtype, with these strides (in elements)."""
    return empty_strided(size, stride, dtype=dtype or self.dtype, device=device,
                         requires_grad=requires_grad)  # fmt: skip


def new_full(self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
             layout: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """One value, in this tensor's dtype."""
    if isinstance(self._array, Duck):
        value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
        return _new(self, value, _sizes((size,)), dtype, device, requires_grad)
    return full(size, fill_value, dtype=dtype or self.dtype, device=device,
                requires_grad=requires_grad)  # fmt: skip


def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of the data, in this tensor's dtype."""
    return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


# From data


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:  # fmt: skip
    """A new tensor with a copy of `data`: numbers, nested sequences, arrays or tensors."""
    require_cpu(device)
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or sourceTensor.detach().clone().requires_grad_(True), "
            "rather than torch.tensor(sourceTensor).",
            stacklevel=2,
        )
        data = data._array
    return made(_array_of(data, dtype, copy=True), requires_grad)


def _array_of(data: Any, kind: dtype | None, copy: bool | None) -> Any:
    """The array of some data in a dtype, PyTorch's choice if None."""
    if isinstance(data, (np.ndarray, np.generic)):
        if isinstance(data, np.ndarray):
            _check_strides(data)
        stored = kind.numpy if kind else from_numpy_dtype(data.dtype).numpy
        array = np.asarray(data)
        if array.dtype == stored and not copy:
            return array
        return np.array(array, dtype=stored, order="C") if copy else array.astype(stored)
    if not isinstance(data, (list, tuple, bool, int, float, complex, str, bytes)):
        for attribute in ("__array__", "__array_interface__", "__dlpack__"):
            if hasattr(data, attribute):
                return _array_of(np.asarray(data), kind, copy)
        if isinstance(data, Sequence) or (
            hasattr(data, "__getitem__") and hasattr(data, "__len__")
        ):
            data = list(data)
    shape = _shape_of(data)
    flat: list[Any] = []
    _flatten(data, shape, 0, flat)
    wanted = kind or _inferred(flat)
    stored = wanted.numpy
    if wanted.category == 1 and any(isinstance(v, float) for v in flat):
        flat = [int(v) for v in flat]
    try:
        array = np.array(flat, dtype=stored)
    except OverflowError:
        if wanted.category == 1 and wanted is not int64:
            raise RuntimeError(f"value cannot be converted to type {stored.name}_t without "
                               "overflow") from None  # fmt: skip
        raise RuntimeError("Overflow when unpacking long long") from None
    return array.reshape(shape)


def _shape_of(data: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(data, (list, tuple)) or (
        isinstance(data, (Tensor, np.ndarray)) and data.ndim > 0
    ):
        shape.append(len(data))
        if not len(data):
            break
        data = data[0]  # type: ignore[index]
    if isinstance(data, (str, bytes)):
        raise (ValueError(f"too many dimensions '{type(data).__name__}'") if shape
               else TypeError(f"new(): invalid data type '{type(data).__name__}'"))  # fmt: skip
    return tuple(shape)


def _flatten(data: Any, shape: tuple[int, ...], depth: int, flat: list[Any]) -> None:
    """Append the numbers in nested sequences to `flat`; ValueError where lengths differ."""
    if depth == len(shape):
        if isinstance(data, Tensor):
            data = (
                data.item()
                if data._array.size == 1
                else fail(ValueError, "only one element tensors can be converted to Python scalars")
            )
        elif isinstance(data, (list, tuple)):
            raise ValueError(f"expected sequence of length {len(data)} at dim {depth}")
        flat.append(data)
        return
    if isinstance(data, np.ndarray) and data.dtype != object and data.shape == shape[depth:]:
        flat.extend(data.ravel())
        return
    if isinstance(data, Tensor) and depth and data._array.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    length = len(data) if hasattr(data, "__len__") else None
    if length != shape[depth]:
        got = "a non-sequence" if length is None else length
        if length is None:
            raise TypeError(f"not a sequence: {type(data).__name__}")
        raise ValueError(f"expected sequence of length {shape[depth]} at dim {depth} (got {got})")
    for item in data:
        _flatten(item, shape, depth + 1, flat)


_RANK: dict[type, int] = {bool: 0, int: 1, float: 2, complex: 3}


def _inferred(values: list[Any]) -> dtype:
    """The dtype of a list of numbers: Python's kinds, or those of NumPy scalars among them."""
    best = -1
    kinds: set[Any] = set()
    for value in values:
        rank = _RANK.get(type(value))
        if rank is None:
            if isinstance(value, np.generic):
                kinds.add(from_numpy_dtype(value.dtype))
                continue
            if hasattr(value, "__index__"):
                rank = 1
            elif hasattr(value, "__float__"):
                rank = 2
            else:
                raise RuntimeError(f"Could not infer dtype of {type(value).__name__}")
        best = max(best, rank)
    from ..dtypes import bool_, promote_types

    if best < 0 and not kinds:
        return get_default_dtype()
    by_rank = (bool_, int64, get_default_dtype(), default_complex())
    result = by_rank[best] if best >= 0 else None
    for kind in kinds:
        result = kind if result is None else promote_types(result, kind)
    assert result is not None
    return result


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing its memory where possible; a tensor of the dtype is returned."""
    require_cpu(device)
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype is dtype else data.to(dtype)  # type: ignore[attr-defined,no-any-return]
    return made(_array_of(data, dtype, copy=False))


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: Any = None,
            requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Like `as_tensor`, with `copy=True` (always), `False` (never) or None (if need be)."""
    require_cpu(device)
    if isinstance(obj, Tensor):
        result = obj if dtype is None or obj.dtype is dtype else obj.to(dtype)  # type: ignore[attr-defined]
        if copy and result is obj:
            result = obj.clone()  # type: ignore[attr-defined]
        if requires_grad and not result.requires_grad:
            result = result.detach().requires_grad_()
        elif not requires_grad and result.requires_grad and result is not obj:
            result = result.detach()
    else:
        before = np.asarray(obj) if hasattr(obj, "__array_interface__") else None
        result = made(_array_of(obj, dtype, copy=bool(copy)), requires_grad)
        if copy is False and (before is None or (result._array.base is not before
                              and result._array is not before)):  # fmt: skip
            raise ValueError("can't alias arbitrary sequence into a tensor.")
    return result  # type: ignore[no-any-return]


def _check_strides(array: Any) -> None:
    if any(s < 0 for s in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )


_readonly_told = False


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares a NumPy array's memory."""
    global _readonly_told
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    from_numpy_dtype(ndarray.dtype)
    _check_strides(ndarray)
    if not ndarray.flags.writeable and not _readonly_told:
        _readonly_told = True
        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable "
            "tensors. This means writing to this tensor will result in undefined behavior. You may "
            "want to copy the array to protect its data or make it writable before converting it "
            "to a tensor. This type of warning will be suppressed for the rest of this program.",
            stacklevel=2,
        )
    return made(ndarray.view(np.ndarray))


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: Any = None) -> Tensor:
    """A tensor that shares the memory of another library's (by the DLPack protocol)."""
    return made(np.from_dlpack(ext_tensor))


def frombuffer(buffer: Any, *, dtype: dtype, count: int = -1, offset: int = 0,
               requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A one-dimensional tensor that shares the memory of a Python buffer."""
    return made(np.frombuffer(buffer, dtype.numpy, count, offset), requires_grad)


def scalar_tensor(s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
                  pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A 0-dim tensor of the default dtype."""
    return tensor(s, dtype=dtype or get_default_dtype(), device=device, requires_grad=requires_grad)


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


def legacy_tensor(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any],
                  kind: dtype = float32) -> Tensor:  # fmt: skip
    """`Tensor(data)` and `Tensor(2, 3)`: always float32, the latter uninitialised."""
    require_cpu(kwargs.pop("device", None))
    if len(args) == 1 and not isinstance(args[0], int):
        data = args[0]
        if isinstance(data, Size):
            t = empty(data, dtype=kind)
        elif isinstance(data, Tensor):
            t = data.detach()
        else:
            t = made(_array_of(data, kind, copy=True))
    else:
        t = empty(*args, dtype=kind) if args else made(np.empty(0, kind.numpy))
    if cls is not Tensor:
        plain, t = t, object.__new__(cls)
        t._array, t._edge, t._base, t._versions = (plain._array, plain._edge, plain._base,
                                                   plain._versions)  # fmt: skip
    return t


def _construct(cls: type, *args: Any, **kwargs: Any) -> Tensor:
    return legacy_tensor(cls, args, kwargs)


Tensor.__new__ = _construct  # type: ignore[method-assign,assignment]


# Ranges


def arange(*args: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False, pin_memory: bool = False, **kwargs: Any) -> Tensor:  # fmt: skip
    """Values from start (0) to end, exclusive, by step (1). Integers give int64."""
    require_cpu(device)
    names = {1: ("end",), 2: ("start", "end")}.get(len(args), ("start", "end", "step"))
    given = {**dict(zip(names, args, strict=True)), **kwargs}
    start, end, step = (_number(given.get(n, d)) for n, d in
                        (("start", 0), ("end", None), ("step", 1)))  # fmt: skip
    if step == 0:
        fail(RuntimeError, "step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        fail(RuntimeError, f"unsupported range: {start} -> {end}")
    if (step > 0) != (end >= start) and start != end:
        fail(RuntimeError, "upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(v, int) for v in (start, end, step))
    kind = dtype or (int64 if whole else get_default_dtype())
    if whole:
        count = max(0, -((start - end) // step))
        array = start + np.arange(count) * step
    else:
        count = max(0, int(np.ceil((end - start) / step)))
        array = start + np.arange(count) * np.float64(step)
    result = array.astype(kind.numpy)
    return _into(out, result) if out is not None else made(result, requires_grad)


def range(start: Any = 0, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None,
          layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Values from start to end, inclusive. Deprecated in PyTorch: use `arange`."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        stacklevel=2,
    )
    if end is None:
        start, end = 0, start
    count = int(np.floor((_number(end) - _number(start)) / step)) + 1
    array = (_number(start) + np.arange(count) * step).astype((dtype or get_default_dtype()).numpy)
    return _into(out, array) if out is not None else made(array, requires_grad)


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, (Tensor, np.generic)) else value


def _end(value: Any) -> Any:
    """An end of a range: a number; under `vmap` a 0-dim batch."""
    if isinstance(value, Tensor) and isinstance(value._array, Duck):
        return value._array
    return _number(value)


def _stored(value: Any, kind: Any) -> Any:
    return (value if isinstance(value, Duck) else np.asarray(value)).astype(kind)


def linspace(start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None,
             layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` values evenly spaced from start to end, both included."""
    require_cpu(device)
    start, end = _ends("linspace", start, end)
    _check_steps("linspace", start, end, steps)
    whole = complex in (type(start), type(end))
    kind = dtype or (default_complex() if whole else get_default_dtype())
    array = _linspace(start, end, steps, kind)
    return _into(out, array) if out is not None else made(array, requires_grad)


def _ends(name: str, start: Any, end: Any) -> tuple[Any, Any]:
    dims = [value.ndim if isinstance(value, Tensor) else 0 for value in (start, end)]
    if any(dims):
        fail(RuntimeError, f"{name} only supports 0-dimensional start and end tensors, but got "
                           f"start with {dims[0]} dimension(s) and end with {dims[1]} "
                           "dimension(s).")  # fmt: skip
    return _end(start), _end(end)


def _check_steps(name: str, start: Any, end: Any, steps: Any) -> None:
    if isinstance(steps, float):
        kinds = ", ".join(type(value).__name__ for value in (start, end, steps))
        fail(TypeError, f"{name}() received an invalid combination of arguments - got ({kinds})",
             "steps, a count, is an int")  # fmt: skip
    if steps < 0:
        fail(RuntimeError, "number of steps must be non-negative")


def _linspace(start: Any, end: Any, steps: int, kind: dtype) -> Any:
    # PyTorch computes the first half from the start and the second from the end, in the dtype.
    if steps == 1:
        return np.reshape(_stored(start, kind.numpy), (1,))
    stored = kind.numpy if kind.category >= 2 and kind.itemsize > 2 else np.dtype("float32")
    if kind.category < 2:
        stored = np.dtype("float64")
    first, last = _stored(start, stored), _stored(end, stored)
    step = ((last - first) / np.asarray(max(steps - 1, 1)).astype(stored)).astype(stored)
    index = np.arange(steps).astype(stored)
    ahead = first + step * index
    behind = last - step * (np.asarray(steps - 1).astype(stored) - index)
    return np.where(np.arange(steps) < steps // 2, ahead, behind).astype(kind.numpy)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, out: Any = None,
             dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` values from base**start to base**end, evenly spaced in the exponent."""
    require_cpu(device)
    kind = dtype or get_default_dtype()
    start, end = _ends("logspace", start, end)
    _check_steps("logspace", start, end, steps)
    wide = kind
    if kind.category < 2:
        wide, start, end = BY_NAME["float64"], int(start), int(end)
    powers = _linspace(start, end, steps, wide)
    array = np.power(np.asarray(base).astype(powers.dtype), powers).astype(kind.numpy)
    return _into(out, array) if out is not None else made(array, requires_grad)


def eye(n: int, m: int | None = None, *, out: Any = None, dtype: Any = None, layout: Any = None,
        device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The identity matrix, n by m (n)."""
    require_cpu(device)
    for name, value in (("n", n), ("m", m)):
        if value is not None and value < 0:
            fail(RuntimeError, f"{name} must be greater or equal to 0, got {value}")
    array = np.eye(n, m, dtype=(dtype or get_default_dtype()).numpy)
    return _into(out, array) if out is not None else made(array, requires_grad)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, device: Any = None,
                 layout: Any = None) -> Tensor:  # fmt: skip
    """Indices of the lower triangle of a row-by-col matrix: f[2, count]."""
    return made(np.stack(np.tril_indices(row, offset, col)).astype(dtype.numpy))


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, device: Any = None,
                 layout: Any = None) -> Tensor:  # fmt: skip
    """Indices of the upper triangle of a row-by-col matrix: f[2, count]."""
    return made(np.stack(np.triu_indices(row, offset, col)).astype(dtype.numpy))
