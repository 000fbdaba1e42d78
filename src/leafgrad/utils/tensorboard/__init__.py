"""torch.utils.tensorboard: SummaryWriter, through the package tensorboardX."""

from __future__ import annotations

from typing import Any

__all__ = ["SummaryWriter"]


def __getattr__(name: str) -> Any:
    if name == "SummaryWriter":
        from .writer import SummaryWriter

        globals()[name] = SummaryWriter
        return SummaryWriter
    raise AttributeError(f"module 'torch.utils.tensorboard' has no attribute '{name}'")
