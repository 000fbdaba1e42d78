"""Neural networks: modules, their parameters and how they begin, losses."""

from __future__ import annotations

from . import functional, init, modules, parameter, utils
from .module import Module
from .modules import *  # noqa: F403
from .parameter import Buffer, Parameter

__all__ = ["Buffer", "Module", "Parameter", "functional", "init", "modules", "parameter", "utils"]
__all__ += modules.__all__
