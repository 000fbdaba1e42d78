"""torch.autograd.graph: nodes, edges, saved tensors, hooks of several tensors."""

from __future__ import annotations

import functools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from ..graph.engine import GradientEdge, as_edge, end_of, get_gradient_edge, walk_number, will_run
from ..graph.hooks import RemovableHandle, Watched
from ..graph.node import AccumulateGrad, Node
from ..graph.saved import (
    allow_mutation_on_saved_tensors,
    bump,
    disable_saved_tensors_hooks,
    save_on_cpu,
    saved_tensors_hooks,
)
from ..graph.source import here
from ..tensor import Tensor

__all__ = [
    "AccumulateGrad",
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "region_activation_memory_budget",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
    "set_override_stale_capture_stream",
    "set_warn_on_accumulate_grad_stream_mismatch",
]


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a write to the memory of a tensor, or of several, that PyTorch could not see."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        bump(t, here())


class _MultiHandle(RemovableHandle):
    """Removes the hooks of several tensors."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[..., Any], *,
                             mode: str = "all") -> RemovableHandle:  # fmt: skip
    """Call a function when the gradients of several tensors were computed.

    mode "all": once all of them were that a backward pass computes, with a list of them, None for
    the others; mode "any": with the first gradient alone
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    lock = threading.Lock()
    if mode == "any":
        done: set[int] = set()

        @functools.wraps(fn)
        def first(grad: Tensor) -> None:
            number = walk_number()
            with lock:
                before, _ = number in done, done.add(number)  # type: ignore[func-returns-value]
            if not before:
                fn(grad)

        return _MultiHandle([t.register_hook(first) for t in tensors if t.requires_grad])  # type: ignore[attr-defined]

    edges = [as_edge(t) for t in tensors]
    if any(edge is None for edge in edges):
        raise AssertionError("Expected gradient function to be set")
    ends = [end_of(edge) for edge in edges]
    counts: dict[int, int] = defaultdict(int)
    wanted: dict[int, int] = {}
    found: dict[int, list[Any]] = defaultdict(lambda: [None] * len(tensors))
    Watched.leaves += 1  # then a walk looks over the graph first

    def hook_of(index: int) -> Callable[[Any], None]:
        def hook(grad: Any) -> None:
            number = walk_number()
            with lock:
                if number not in wanted:
                    wanted[number] = sum(map(will_run, ends))
                counts[number] += 1
                complete = counts[number] == wanted[number]
            found[number][index] = grad
            if complete:
                grads = found.pop(number)
                del counts[number], wanted[number]
                fn(grads)

        return hook

    return _MultiHandle([t.register_hook(hook_of(i)) for i, t in enumerate(tensors)])  # type: ignore[attr-defined]


def set_warn_on_accumulate_grad_stream_mismatch(enabled: bool) -> None:
    """Accepted: there are no streams on a CPU."""


def set_override_stale_capture_stream(enabled: bool) -> None:
    """Accepted: there are no streams on a CPU."""


def region_activation_memory_budget(budget: float) -> NoReturn:
    """RuntimeError: this is for PyTorch's compiler alone."""
    name = "torch.autograd.graph.region_activation_memory_budget"
    if isinstance(budget, bool) or not isinstance(budget, (int, float)):
        raise TypeError(f"{name}: expects a float, got {type(budget).__name__}")
    if not 0.0 <= budget <= 1.0:
        raise ValueError(f"{name}: must be in [0, 1], got {budget}")
    raise RuntimeError(f"{name} can only be used inside a torch.compile region; it has no effect "
                       "in eager mode.")  # fmt: skip
