"""Neural networks: modules, their parameters and how they begin, losses."""

from __future__ import annotations

from . import functional, grad, init, modules, parallel, parameter, utils
from .module import Module
from .modules import *  # noqa: F403
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer", "DataParallel", "Module", "Parameter", "UninitializedBuffer",
    "UninitializedParameter", "functional", "grad", "init", "modules", "parallel", "parameter",
    "utils",
]  # fmt: skip
__all__ += modules.__all__
