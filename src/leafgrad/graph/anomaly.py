"""Anomaly detection: backward looks for NaN, and failures name the forward expression."""

from __future__ import annotations

import traceback
import warnings
from typing import Any

import numpy as np

from .modes import ModeContext, current, switch
from .source import fail, where

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled",
           "set_detect_anomaly"]  # fmt: skip


def remember(node: Any) -> None:
    """Keep the whole traceback of the forward call with its node."""
    node.metadata["traceback_"] = traceback.format_stack()[:-1]


def tell(node: Any) -> None:
    """Warn which forward expression belongs to the node that failed."""
    stack = node.metadata.get("traceback_")
    if stack is None:
        text = ("No forward pass information available. Enable detect anomaly during forward pass "
                "for more information.")  # fmt: skip
    else:
        text = "Traceback of forward call that caused the error:\n" + "".join(stack)
    warnings.warn(f"Error detected in {node.name()}. {text}", stacklevel=2)


def look(node: Any, grads: Any) -> None:
    """Raise PyTorch's error if a node returned NaN."""
    for number, g in enumerate(grads):
        if g is None:
            continue
        array = getattr(g, "_array", g)
        if np.isnan(array).any():
            tell(node)
            fail(
                RuntimeError,
                f"Function '{node.name()}' returned nan values in its {number}th output.",
                f"the derivative of: {where(node.mark)}",
            )


class _Anomaly(ModeContext):
    def __init__(self, mode: bool, check_nan: bool) -> None:
        super().__init__()
        self.mode, self.check_nan = mode, check_nan

    def changes(self) -> dict[str, Any]:
        return {"anomaly": self.check_nan if self.mode else None}


class detect_anomaly(_Anomaly):
    """Inside, backward raises at the first NaN (with `check_nan`), naming the forward expression."""

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)
        warnings.warn("Anomaly Detection has been enabled. This mode will increase the runtime and "
                      "should only be enabled for debugging.", stacklevel=2)  # fmt: skip

    def clone(self) -> Any:
        return _Anomaly(True, self.check_nan)


class set_detect_anomaly(_Anomaly):
    """Set anomaly detection on or off: at once as a function, or for a `with` block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(mode, check_nan)
        self._before = current()
        switch(self._before.but(**self.changes()))

    def clone(self) -> Any:
        return _Anomaly(self.mode, self.check_nan)

    def __enter__(self) -> None:
        self._previous.append(self._before)


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return current().anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN (True also while it is off, as in PyTorch)."""
    return current().anomaly is not False
