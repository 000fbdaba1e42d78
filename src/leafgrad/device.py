"""Devices: leafgrad computes on the CPU; the rest of PyTorch's device names get its errors."""

from __future__ import annotations

import contextvars
from typing import Any

__all__ = ["device", "get_default_device", "set_default_device"]

_TYPES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga",
    "maia", "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class device:
    """Where a tensor lives: `device("cpu")`, `device("cuda", 0)`, `device("cuda:0")`.

    Any of PyTorch's names can be written down; only the CPU can hold a tensor. Usable as a
    context manager that sets the default device.
    """

    __slots__ = ("_previous", "index", "type")
    type: Any
    index: Any

    def __init__(self, type: Any, index: Any = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = "cuda", type
        elif ":" in type:
            type, _, number = type.partition(":")
            if index is not None:
                raise RuntimeError("type (string) must not include an index because index was "
                                   f"passed explicitly: {type}:{number}")  # fmt: skip
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}:{number}'")
            index = int(number)
        if type not in _TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {type}"
            )
        self.type = type
        self.index = index
        self._previous: Any = None

    def __repr__(self) -> str:
        where = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{where})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        self._previous = _default.get()
        set_default_device(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _default.set(self._previous)

    def __reduce__(self) -> tuple[Any, ...]:
        return (device, (self.type,) if self.index is None else (self.type, self.index))


CPU = device("cpu")
_default: contextvars.ContextVar[device] = contextvars.ContextVar("device", default=CPU)


def get_default_device() -> device:
    """The device on which tensors are made when none is named: the CPU unless set otherwise."""
    return _default.get()


def set_default_device(device_: device | str | None, /) -> None:
    """Set the default device. A device that cannot hold a tensor fails when one is made."""
    _default.set(CPU if device_ is None else device(device_))


def require_cpu(wanted: Any = None) -> None:
    """Raise PyTorch's error unless `wanted` (or else the default device) can hold a tensor."""
    place = _default.get() if wanted is None else wanted
    if place is CPU:
        return
    place = device(place)
    if place.type == "cpu":
        if place.index not in (None, 0, -1):
            raise RuntimeError(f"CPU device index must be -1 or zero, got {place.index}")
        return
    advice = (
        "\n  leafgrad computes on the CPU"
        "\n  to do: leave the device out, or ask first: "
        "device = 'cuda' if torch.cuda.is_available() else 'cpu'"
    )
    if place.type == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled" + advice)
    raise RuntimeError(f"PyTorch is not linked with support for {place.type} devices" + advice)
