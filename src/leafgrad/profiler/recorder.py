"""The transform to which operators and the engine report while a profile runs."""

from __future__ import annotations

import time
from typing import Any

from ..graph.modes import Transform, current, switch
from ..graph.source import here
from ..tensor import Tensor
from .events import NODE, OPERATOR, RANGE, FunctionEvent

_now = time.perf_counter_ns


class Recorder(Transform):
    """Times every operator, every derivative and every named range of this thread.

    The outermost transform: what it times is the work itself. Events nest as calls do.
    """

    watches = True

    def __init__(self, shapes: bool, memory: bool) -> None:
        self.shapes, self.memory = shapes, memory
        self.events: list[FunctionEvent] = []
        self.begun = _now()
        self.around: FunctionEvent | None = None  # the event that is going on

    # Beginning and end

    def start(self) -> None:
        """Operators report from now on."""
        mode = current()
        switch(mode.but(transforms=(self, *(mode.transforms or ()))))

    def stop(self) -> None:
        """Operators no longer report; ranges that are still open end here."""
        while self.around is not None:
            self.close(self.around)
        self.__exit__()

    def open(self, name: str, kind: str = RANGE, mark: Any = None) -> FunctionEvent:
        """An event begins."""
        event = FunctionEvent(len(self.events), name, kind, 0, mark, self.around)
        if self.around is not None:
            self.around.cpu_children.append(event)
        self.events.append(event)
        self.around = event
        event.start_ns = event.end_ns = _now() - self.begun
        return event

    def close(self, event: FunctionEvent) -> None:
        """An event ends."""
        event.end_ns = _now() - self.begun
        self.around = event.cpu_parent

    def range(self, name: str) -> Any:
        """A named range begins; what to call at its end."""
        event = self.open(name)
        return lambda: self.close(event)

    # What reports

    def call(self, made: Any, tensors: tuple[Any, ...], params: tuple[Any, ...],
             into: Any) -> Any:  # fmt: skip
        from ..graph.operator import apply

        event = self.open(f"aten::{made.name}", OPERATOR, here())
        try:
            outs = apply(made, tensors, params, into)
        finally:
            self.close(event)
        if self.shapes:
            event.input_shapes = [list(t.shape) if isinstance(t, Tensor) else [] for t in tensors]
        if self.memory and into is None and not made.view:
            event.memory = sum(t.nbytes for t in (outs if outs.__class__ is tuple else (outs,)))
        return outs

    def node(self, node: Any) -> Any:
        """A node's derivative, for the engine to call."""

        def differentiate(value: Any, needs: Any, recorded: bool) -> Any:
            event = self.open(node.name(), NODE, node.mark)
            event.sequence_nr = node._sequence_nr()
            try:
                grads = node.differentiate(value, needs, recorded)
            finally:
                self.close(event)
            if self.shapes:
                values = value if value.__class__ is tuple else (value,)
                event.input_shapes = [list(getattr(g, "shape", ())) for g in values]
            if self.memory:
                event.memory = sum(getattr(g, "nbytes", 0) for g in grads)
            return grads

        return differentiate

    def leaf(self, finish: Any) -> Any:
        """The arrival of a gradient at a leaf, for the engine to call."""

        def accumulate(leaf: Any, g: Any, task: Any) -> None:
            event = self.open("torch::autograd::AccumulateGrad", NODE)
            try:
                finish(leaf, g, task)
            finally:
                self.close(event)

        return accumulate


def recorders() -> list[Recorder]:
    """The recorders of the profiles that run."""
    return [t for t in current().transforms or () if isinstance(t, Recorder)]
