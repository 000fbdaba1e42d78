"""Changing dtype and device: `to` and its shorthands."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..device import device, require_cpu
from ..dtypes import dtype, from_numpy_dtype, is_differentiable
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor

__all__ = ["can_cast", "result_type"]
METHODS = ("cpu", "cuda", "is_pinned", "pin_memory", "to", "type_as")


@op(node="ToCopyBackward0", linear=True)
@quietly
def to_copy(input, /, kind):
    """The elements in another dtype; of complex ones for a real dtype, the real parts."""
    if input.dtype.kind == "c" and kind.kind != "c" and kind.kind != "b":
        input = input.real
    expanded = input.__class__ is np.ndarray and 0 in input.strides  # NumPy's order is another
    return input.astype(kind, order="C") if expanded else input.astype(kind)


to_copy.vjp(input=lambda g: g)


def cast(self: Tensor, wanted: dtype, copy: bool = False) -> Tensor:
    """The tensor in a dtype; itself if it has that dtype, unless `copy`."""
    kind = wanted.numpy
    if self._array.dtype == kind and not copy:
        return self
    if self._base is not None and not is_differentiable(kind):
        self = self.detach()  # of a view, what was written to its base does not matter here
    return to_copy(self, kind)


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype or on another device: `to(dtype)`, `to(device)`,
    `to(device, dtype)`, `to(other_tensor)`; itself where nothing changes, unless `copy=True`."""
    wanted = kwargs.pop("dtype", None)
    place = kwargs.pop("device", None)
    copy = kwargs.pop("copy", False)
    kwargs.pop("non_blocking", None)
    kwargs.pop("memory_format", None)
    other = kwargs.pop("other", None)
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
    flags = []
    for value in args:
        if isinstance(value, dtype):
            wanted = value
        elif isinstance(value, Tensor):
            other = value
        elif isinstance(value, bool):
            flags.append(value)
        elif isinstance(value, (str, int, device)):
            place = value
        elif value is not None:
            raise TypeError(
                "to() received an invalid combination of arguments - got "
                f"({', '.join(type(a).__name__ for a in args)})"
            )
    if len(flags) > 1:
        copy = flags[1]
    if other is not None:
        wanted = other.dtype
    if place is not None:
        require_cpu(place)
    return cast(self, wanted or self.dtype, copy)


def _shorthand(name: str, wanted: dtype) -> Any:
    def method(self: Tensor, memory_format: Any = None) -> Tensor:
        return cast(self, wanted)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The tensor as {wanted.name}."
    return method


_NAMES = {
    "bfloat16": dtypes.bfloat16, "bool": dtypes.bool_, "byte": dtypes.uint8,
    "cdouble": dtypes.complex128, "cfloat": dtypes.complex64, "char": dtypes.int8,
    "double": dtypes.float64, "float": dtypes.float32, "half": dtypes.float16,
    "int": dtypes.int32, "long": dtypes.int64, "short": dtypes.int16,
}  # fmt: skip
for _name, _wanted in _NAMES.items():
    setattr(Tensor, _name, _shorthand(_name, _wanted))


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU: itself."""
    return self


def cuda(self: Tensor, device: Any = None, non_blocking: Any = False,
         memory_format: Any = None) -> Tensor:  # fmt: skip
    """PyTorch's error of a build without CUDA."""
    require_cpu("cuda")
    return self


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Accepted for compatibility: the tensor itself."""
    return self


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether the memory is pinned: never."""
    return False


def _type(self: Tensor, dtype: Any = None, non_blocking: Any = False) -> Any:
    """The legacy name of the tensor's type ("torch.FloatTensor"), or the tensor cast to one."""
    if dtype is None:
        return f"torch.{self.dtype.legacy}Tensor"
    if isinstance(dtype, str):
        name = dtype.removeprefix("torch.").removesuffix("Tensor")
        found = next((d for d in dtypes.ALL if d.legacy == name), None)
        if found is None:
            fail(ValueError, f"invalid type: '{dtype}'")
        dtype = found
    return cast(self, getattr(dtype, "wanted", dtype))


_type.__name__ = "type"
Tensor.type = _type  # type: ignore[attr-defined]


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype of another."""
    return cast(self, other.dtype)


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype in which two operands (tensors or numbers) are computed with."""
    from ..graph.operator import result_dtype

    return result_dtype([t._array if isinstance(t, Tensor) else t for t in (tensor1, tensor2)])


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether PyTorch's casting rules let a value of `from_` be stored as `to`."""
    return dtypes.can_cast(from_, to)


def _astype(x: Tensor, kind: Any, **_: Any) -> Tensor:
    return cast(x, from_numpy_dtype(np.dtype(kind)))


NUMPY = {np.astype: _astype} if hasattr(np, "astype") else {}
