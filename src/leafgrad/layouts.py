"""Layouts and memory formats: constants that PyTorch programs mention. Every tensor is strided."""

from __future__ import annotations

__all__ = ["channels_last", "channels_last_3d", "contiguous_format", "layout", "memory_format",
           "preserve_format", "strided"]  # fmt: skip


class _Named:
    """A constant that prints as PyTorch's does."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(_Named):
    """How a tensor lies in memory: always `strided`."""


class memory_format(_Named):
    """The order of dimensions in memory, accepted where PyTorch takes it."""


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
