"""Modules whose parameters are not initialised."""

from __future__ import annotations

import inspect
from typing import Any

from ..module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Module:
    """A module whose parameters and buffers have any values, and for which no random numbers were
    drawn; its class must take `device`."""
    from ...ops.sampling import get_rng_state, set_rng_state

    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.get("device", "cpu")
    state = get_rng_state()
    try:
        made = module_cls(*args, **kwargs)
    finally:
        set_rng_state(state)
    return made.to_empty(device=device)
