"""torch.autograd: gradients, grad modes, Function, and the parts of the graph."""

from __future__ import annotations

import importlib
from typing import Any

from ..graph.anomaly import detect_anomaly, set_detect_anomaly
from ..graph.engine import backward, grad, queue_callback
from ..graph.function import Function, NestedIOFunction
from ..graph.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from ..graph.saved import SavedTensor
from ..tensor import Tensor
from . import function, grad_mode, graph
from .grad_mode import (
    _unsafe_preserve_version_counter as _unsafe_preserve_version_counter,
)
from .grad_mode import (
    enforce_grad_layout_policy,
    is_multithreading_enabled,
    set_multithreading_enabled,
)
from .gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["Function", "GradcheckError", "NestedIOFunction", "SavedTensor", "Variable", "backward",
           "detect_anomaly", "enable_grad", "enforce_grad_layout_policy", "function", "grad",
           "grad_mode", "gradcheck", "gradgradcheck", "graph", "inference_mode",
           "is_grad_enabled", "is_multithreading_enabled", "no_grad", "set_detect_anomaly",
           "set_grad_enabled", "set_multithreading_enabled", "variable"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("forward_ad", "functional", "profiler"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'torch.autograd' has no attribute '{name}'")


class _VariableMeta(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor)


class _Engine:
    """What programs ask of PyTorch's engine."""

    queue_callback = staticmethod(queue_callback)


class Variable(metaclass=_VariableMeta):
    """The old name of Tensor: `Variable(data, requires_grad=False)` is a tensor on that memory."""

    _execution_engine = _Engine()

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: bool = False) -> Any:
        made = Tensor() if data is None else data.detach()
        return made.requires_grad_() if requires_grad else made


def variable(*args: Any, **kwargs: Any) -> Any:
    """RuntimeError: use `torch.tensor`."""
    raise RuntimeError("torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead")
