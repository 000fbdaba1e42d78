"""Padding: more around the last dimensions.

padding: one number for all sides, or before and after each dimension, the last one first
"""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ..module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d",
    "ConstantPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d",
    "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    _dims = 0
    _mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        sides = 2 * self._dims
        self.padding = (padding,) * sides if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """The input with more around it."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """How much."""
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The input with the value around it."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """How much, and what."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """A value before and after the last dimension."""

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """A value around the last two dimensions."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """A value around the last three dimensions."""

    _dims = 3


class _ZeroPad(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """How much."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Zeros before and after the last dimension."""

    _dims = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two dimensions."""

    _dims = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three dimensions."""

    _dims = 3


class ReflectionPad1d(_Pad):
    """The input mirrored at its edge elements: f[n, c, l] or f[c, l]."""

    _dims, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The input mirrored at its edge elements: f[n, c, h, w] or f[c, h, w]."""

    _dims, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """The input mirrored at its edge elements: f[n, c, d, h, w] or f[c, d, h, w]."""

    _dims, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """The edge elements repeated: f[n, c, l] or f[c, l]."""

    _dims, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The edge elements repeated: f[n, c, h, w] or f[c, h, w]."""

    _dims, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """The edge elements repeated: f[n, c, d, h, w] or f[c, d, h, w]."""

    _dims, _mode = 3, "replicate"


class _CircularPad(_Pad):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """The input with more around it."""
        dims = self._dims
        if input.dim() not in (dims + 1, dims + 2):
            raise ValueError(f"expected {dims + 1}D or {dims + 2}D input (got {input.dim()}D "
                             "input)")  # fmt: skip
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """The other end of the input: f[n, c, l] or f[c, l]."""

    _dims = 1


class CircularPad2d(_CircularPad):
    """The other ends of the input: f[n, c, h, w] or f[c, h, w]."""

    _dims = 2


class CircularPad3d(_CircularPad):
    """The other ends of the input: f[n, c, d, h, w] or f[c, d, h, w]."""

    _dims = 3
