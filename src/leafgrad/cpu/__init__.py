"""torch.cpu: the device that there is."""

from __future__ import annotations

from typing import Any

from . import amp

__all__ = ["amp", "current_device", "device_count", "is_available", "synchronize"]


def is_available() -> bool:
    """Whether there is a CPU: yes."""
    return True


def device_count() -> int:
    """How many CPUs PyTorch counts: one."""
    return 1


def current_device() -> str:
    """The device that is used: "cpu"."""
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Nothing to wait for."""
