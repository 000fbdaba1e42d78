"""torch.autograd.graph: nodes, edges, saved tensors."""

from __future__ import annotations

from typing import Any

from ..graph.engine import GradientEdge, get_gradient_edge
from ..graph.node import AccumulateGrad, Node
from ..graph.saved import bump, disable_saved_tensors_hooks, saved_tensors_hooks
from ..graph.source import here
from ..tensor import Tensor

__all__ = ["AccumulateGrad", "GradientEdge", "Node", "disable_saved_tensors_hooks",
           "get_gradient_edge", "increment_version", "saved_tensors_hooks"]  # fmt: skip


def increment_version(tensor: Any) -> None:
    """Count a write to the memory of a tensor, or of several, that PyTorch could not see."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        bump(t, here())
