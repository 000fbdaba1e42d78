"""Names that PyTorch programs mention and that mean little on a CPU: accepted, with their meaning.

Memory formats and layouts, thread counts, determinism switches, the typed constructors of old.
"""

from __future__ import annotations

from typing import Any

from . import dtypes
from .graph.source import Warnings
from .layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from .ops.creation import legacy_tensor
from .parallel import get_num_threads, set_num_threads
from .tensor import Tensor

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "are_deterministic_algorithms_enabled",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_complex",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_floating_point",
    "is_storage",
    "is_warn_always_enabled",
    "layout",
    "memory_format",
    "numel",
    "preserve_format",
    "set_default_tensor_type",
    "set_float32_matmul_precision",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "strided",
    "use_deterministic_algorithms",
]  # fmt: skip


Tensor.layout = strided  # type: ignore[attr-defined]


class _TypedMeta(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype is cls.wanted  # type: ignore[attr-defined]


def _typed(name: str, wanted: dtypes.dtype) -> Any:
    def new(cls: Any, *args: Any, **kwargs: Any) -> Tensor:
        return legacy_tensor(Tensor, args, kwargs, wanted)

    doc = (
        f"The legacy constructor of {wanted.name} tensors: from data, or uninitialised from sizes."
    )
    return _TypedMeta(name, (), {"__new__": new, "wanted": wanted, "__doc__": doc,
                                 "dtype": wanted, "__module__": "torch"})  # fmt: skip


BoolTensor = _typed("BoolTensor", dtypes.bool_)
ByteTensor = _typed("ByteTensor", dtypes.uint8)
CharTensor = _typed("CharTensor", dtypes.int8)
ShortTensor = _typed("ShortTensor", dtypes.int16)
IntTensor = _typed("IntTensor", dtypes.int32)
LongTensor = _typed("LongTensor", dtypes.int64)
HalfTensor = _typed("HalfTensor", dtypes.float16)
FloatTensor = _typed("FloatTensor", dtypes.float32)
DoubleTensor = _typed("DoubleTensor", dtypes.float64)


def set_default_tensor_type(t: Any, /) -> None:
    """Set the default dtype by the name of a legacy type: "torch.DoubleTensor"."""
    if isinstance(t, str):
        t = next(d for d in dtypes.ALL if f"torch.{d.legacy}Tensor" == t)
    dtypes.set_default_dtype(getattr(t, "wanted", t))


def is_floating_point(input: Tensor) -> bool:
    """Whether a tensor's dtype is floating."""
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Whether a tensor's dtype is complex."""
    return input.is_complex()


def is_storage(obj: Any) -> bool:
    """Whether an object is a storage."""
    return type(obj).__name__ in ("UntypedStorage", "TypedStorage")


def numel(input: Tensor) -> int:
    """The number of elements of a tensor."""
    return input.numel()


def set_warn_always(b: bool, /) -> None:
    """Whether warnings that are given once a process are given every time."""
    Warnings.always = b


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told."""
    return Warnings.always


_deterministic = [False, False]
_precision = "highest"


def get_num_interop_threads() -> int:
    """How many operations run at once: one."""
    return 1


def set_num_interop_threads(n: int) -> None:
    """Accepted: operations run one at a time."""


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted: every operation here is deterministic."""
    _deterministic[:] = mode, warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was told."""
    return _deterministic[0]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """What `use_deterministic_algorithms` was told."""
    return _deterministic[1]


def set_float32_matmul_precision(precision: str) -> None:
    """Accepted: products of float32 matrices are computed in float32."""
    global _precision
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told."""
    return _precision
