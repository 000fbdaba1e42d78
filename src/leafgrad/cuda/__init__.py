"""torch.cuda on a machine without one: what asks says no, what needs it raises PyTorch's error."""

from __future__ import annotations

from typing import Any

from ..device import require_cpu
from . import amp

__all__ = ["amp", "current_device", "device_count", "empty_cache", "get_device_name",
           "is_available", "is_initialized", "manual_seed", "manual_seed_all", "synchronize"]  # fmt: skip


def is_available() -> bool:
    """Whether CUDA can be used: no."""
    return False


def is_initialized() -> bool:
    """Whether CUDA is in use: no."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether bfloat16 works on the GPU: there is none."""
    return False


def device_count() -> int:
    """How many GPUs there are: none."""
    return 0


def current_device() -> int:
    """AssertionError, as without CUDA in PyTorch."""
    require_cpu("cuda")
    return 0


def get_device_name(device: Any = None) -> str:
    """AssertionError, as without CUDA in PyTorch."""
    require_cpu("cuda")
    return ""


def synchronize(device: Any = None) -> None:
    """AssertionError, as without CUDA in PyTorch."""
    require_cpu("cuda")


def empty_cache() -> None:
    """Nothing to empty."""


def manual_seed(seed: int) -> None:
    """Ignored without CUDA, as in PyTorch."""


def manual_seed_all(seed: int) -> None:
    """Ignored without CUDA, as in PyTorch."""
