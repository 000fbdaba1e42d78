"""torch.autograd.grad_mode."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ..graph.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from ..tensor import Tensor

__all__ = ["enable_grad", "enforce_grad_layout_policy", "inference_mode", "no_grad",
           "set_grad_enabled", "set_multithreading_enabled"]  # fmt: skip

_multithreading: ContextVar[bool] = ContextVar("multithreading", default=True)


class set_multithreading_enabled:
    """Accepted, at once or for a `with` block: a backward pass runs in the thread that called it."""

    def __init__(self, mode: bool) -> None:
        self.mode, self._before = mode, _multithreading.get()
        _multithreading.set(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _multithreading.set(self._before)


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` was told."""
    return _multithreading.get()


class enforce_grad_layout_policy:
    """Accepted, at once or for a `with` block: a new gradient always lies in memory as its leaf."""

    def __init__(self, enable: bool = True) -> None:
        self.mode = enable

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


class _unsafe_preserve_version_counter:
    """Writes inside the block are not counted: what was saved before may be changed unseen."""

    def __init__(self, tensors: Tensor | tuple[Tensor, ...]) -> None:
        self._tensors = (tensors,) if isinstance(tensors, Tensor) else tensors
        self._before: list[Any] = [_copied(t._versions) for t in self._tensors]

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        for tensor, before in zip(self._tensors, self._before, strict=True):
            tensor._versions[:] = before


def _copied(versions: list[Any]) -> list[Any]:
    return [list(v) if isinstance(v, list) else v for v in versions]
