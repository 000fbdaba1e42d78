"""Memory formats: accepted, without effect, as leafgrad's convolutions have one way."""

from __future__ import annotations

from typing import Any

from ..module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Accepted for compatibility: the module as it is."""
    return module


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Accepted for compatibility: the module as it is."""
    return module
