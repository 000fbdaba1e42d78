"""Compiled functions: capture, check, replay.

A `Trace` is one captured run of a function: facts that must hold, a program, and what to do with
its outputs, all in one generated Python function. `Compiled` keeps the traces of a function, one
for each combination of shapes, flags and branches that it met, and runs the one whose facts hold.
If none does, the function is captured again; if too often, or if it cannot be captured, it runs as
it is.

The second time that a trace fits, the function runs once more for real, next to the replay: the
instructions must be the same, and the results too, or the function is not replayed.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np

from ..graph.modes import OFF, ON, current
from ..graph.source import Source
from .capture import Recorder
from .effects import Effects
from .guards import Reach, unlike, why
from .program import Const, Program, Value
from .trace import MISS, Trace
from .watch import get_state, recording, set_state

__all__ = ["CompileWarning", "Compiled", "Trace"]


class CompileWarning(UserWarning):
    """A function runs eagerly although it was to be compiled; the message says why."""


def plain_mode() -> bool:
    """Whether nothing is on that a replay cannot do: transforms, anomaly detection, hooks."""
    mode = current()
    return mode is ON or mode is OFF or (
        mode.transforms is None and mode.anomaly is None and mode.hooks is None
    )  # fmt: skip


class Compiled:
    """A function that is captured and replayed. See `leafgrad.compile`."""

    def __init__(self, function: Callable[..., Any], *, fullgraph: bool = False,
                 explain: bool = False, native: bool = True,
                 most: int = 8) -> None:  # fmt: skip
        functools.update_wrapper(self, function)
        self._function = function
        self._fullgraph, self._native, self._most = fullgraph, native, most
        self._tell = print if explain else None
        self._traces: list[Trace] = []
        self._given_up: str | None = None
        self._why = "it was not called yet"
        self._unkept = 0  # captures in a row that changed Python's state

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        traces = self._traces
        if traces and traces[0].checked and recording() is None:
            result = traces[0].step(args, kwargs)
            if result is not MISS:
                return result
        return self._slowly(args, kwargs)

    def _slowly(self, args: Any, kwargs: Any) -> Any:
        """A call that the first trace does not serve."""
        if self._given_up is not None or recording() is not None or not plain_mode():
            return self._function(*args, **kwargs)
        reason = "it was not called like this before"
        for trace in list(self._traces):
            if not trace.fits(args, kwargs):
                reason = trace.reason
                continue
            self._traces.remove(trace)
            self._traces.insert(0, trace)
            if not trace.checked:
                return self._check(trace, args, kwargs)
            result = trace.step(args, kwargs)
            if result is not MISS:
                self._why = f"replayed, after another trace: {reason}"
                return result
            reason = trace.reason
        if len(self._traces) >= self._most:
            self._give_up(f"it was captured {len(self._traces)} times already, and now {reason}")
            return self._function(*args, **kwargs)
        self._why = f"captured: {reason}"
        result, trace_ = self._capture(args, kwargs)
        if trace_ is not None:
            self._traces.insert(0, trace_)
        return result

    def _capture(self, args: Any, kwargs: Any) -> tuple[Any, Trace | None]:
        """Run for real and capture."""
        reach = Reach(self._function, args, kwargs)
        if reach.failed is not None:
            self._give_up(reach.failed)
            return self._function(*args, **kwargs), None
        recorder = Recorder(getattr(self._function, "__name__", "step"))
        effects = None
        try:
            with recorder:
                result = self._function(*args, **kwargs)
                if recorder.failed is None:
                    effects = Effects(recorder, reach, result)
        except BaseException:
            recorder.undo()
            raise
        if recorder.failed is not None or effects is None:
            reason, mark = recorder.failed  # type: ignore[misc]
            self._give_up(f"{reason}{f', at {Source(*mark)}' if mark else ''}")
            return result, None
        broken = reach.changed(args, kwargs)
        if broken is not None:
            told = why(reach, broken, args, kwargs)
            self._why = f"captured, but not kept: it changes Python's state: {told}"
            self._unkept += 1
            if self._unkept > 3:
                self._give_up(f"it changes Python's state: {told}")
            return result, None
        self._unkept = 0
        return result, Trace(recorder, reach, effects, self._native, self._tell)

    def _check(self, trace: Trace, args: Any, kwargs: Any) -> Any:
        """The second run of a trace: for real, and compared with a replay."""
        trace.build()
        states = [(g, get_state(g)) for g in trace.generators]
        arrays = trace.arrays(args, kwargs)
        outs = trace.values(args, kwargs)
        backward = trace.effects.backward
        if outs is not MISS and backward is not None:
            outs = [*outs[: trace.count], *trace.gradients(outs, arrays)]
        for generator, state in states:
            set_state(generator, state)
        self._traces.remove(trace)
        result, again = self._capture(args, kwargs)
        if again is None:
            return result
        if outs is MISS:
            self._traces.insert(0, again)
            self._why = f"captured: {trace.reason}"
            return result
        difference = unequal(trace.program, again.program) or self._compared(
            trace, arrays, outs, again, states
        )
        if difference is not None:
            self._give_up(difference)
            return result
        self._traces.insert(0, trace)
        trace.checked = True
        self._why = "replayed, and run for real to compare"
        return result

    def _compared(self, trace: Trace, arrays: Any, mine: Any, again: Trace,
                  states: Any) -> str | None:  # fmt: skip
        """Whether a replay gave the real results, to rounding; where not, in words."""
        program, real = trace.program, list(again.effects.finals)
        if again.effects.backward is not None:
            real += again.effects.backward.finals
            arrays = [*arrays, *(np.ones(v.shape, v.dtype) for v in again.effects.backward.seeds)]
        tolerance = coarsest(program)
        wrong = [n for n, (a, b) in enumerate(zip(mine, real, strict=True))
                 if apart(a, b, tolerance)]  # fmt: skip
        if not wrong:
            return None
        now = [(g, get_state(g)) for g, _ in states]
        for generator, state in states:
            set_state(generator, state)
        try:
            moves = sensitive(program, arrays)
        finally:
            for generator, state in now:
                set_state(generator, state)
        for n in wrong:
            a, b = mine[n], real[n]
            if a.shape != b.shape or a.dtype.kind != "f" or not np.all(
                np.abs(a - b) <= 100 * moves[n] + tolerance * np.max(np.abs(b), initial=1e-3)
            ):  # fmt: skip
                return f"a replay gives other numbers for {program.outputs[n].label}"
        return None

    def _give_up(self, reason: str) -> None:
        self._given_up = reason
        self._traces.clear()
        self._why = f"run eagerly: {reason}"
        name = getattr(self._function, "__qualname__", "the function")
        if self._fullgraph:
            raise RuntimeError(f"{name} cannot be compiled: {reason}")
        warnings.warn(f"{name} runs eagerly, not compiled: {reason}", CompileWarning, stacklevel=5)

    # Asking

    @property
    def program(self) -> Program | None:
        """The program of the trace that ran last; None if there is none."""
        return self._traces[0].program if self._traces else None

    def why(self) -> str:
        """What was done at the last call that was not a plain replay, and why."""
        return self._why


def unequal(one: Program, two: Program) -> str | None:
    """Where two captures of a step differ, in words; None if they are the same program."""
    names: dict[Value, Value] = dict(zip(one.inputs, two.inputs, strict=False))

    def same(a: Any, b: Any) -> bool:
        kind = a.__class__
        if isinstance(a, Const):
            return (isinstance(b, Const) and a.dtype == b.dtype and a.shape == b.shape
                    and a.array.tobytes() == b.array.tobytes())  # fmt: skip
        if isinstance(a, Value):
            return names.get(a) is b
        if kind is not b.__class__:
            return False
        if kind is tuple or kind is list:
            return len(a) == len(b) and all(map(same, a, b))
        if kind is dict:
            return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
        if kind is slice:
            return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
        if a is b or getattr(a, "__code__", 0) == getattr(b, "__code__", 1):
            return True
        return not unlike(a, b)

    for a, b in zip(one.instrs, two.instrs, strict=False):
        where = f" at {b.source()}" if b.mark else ""
        if not same(a.function, b.function) or len(a.results) != len(b.results):
            return f"it does not compute the same each time{where}"
        if not same(a.args, b.args) or not same(a.kwargs, b.kwargs):
            return f"a number or array that it computes with is another each time{where}"
        names.update((x, y) for x, y in zip(a.results, b.results, strict=True) if x is not None)
    sizes = [[len(p.inputs), len(p.instrs), len(p.outputs), len(p.guards)] for p in (one, two)]
    if sizes[0] != sizes[1]:
        return "it does not compute the same each time"
    for g, h in zip(one.guards, two.guards, strict=True):
        if not same(g.value, h.value) or g.kind != h.kind:
            return "it does not look at the same values each time"
    if not all(same(a.value, b.value) for a, b in zip(one.outputs, two.outputs, strict=True)):
        return "it does not leave the same behind each time"
    return None


def coarsest(program: Program) -> float:
    """What rounding may come to in a program, by the least precise of its dtypes."""
    values = [*program.inputs, *(r for i in program.instrs for r in i.results if r is not None)]
    kinds = {v.dtype.itemsize // (2 if v.dtype.kind == "c" else 1) for v in values
             if v.dtype.kind in "fcV"}  # fmt: skip
    return {2: 0.1, 4: 1e-3}.get(min(kinds, default=8), 1e-8)


def apart(mine: Any, real: Any, tolerance: float) -> bool:
    """Whether an array of a replay differs from the real one by more than rounding."""
    if mine.shape != real.shape or mine.dtype != real.dtype:
        return True
    kind = real.dtype
    if kind.kind not in "fcV":
        return not np.array_equal(mine, real)
    if kind.kind == "V":
        mine, real = mine.astype(np.float32), real.astype(np.float32)
    with np.errstate(all="ignore"):
        finite = np.isfinite(real)
        if not np.array_equal(mine[~finite], real[~finite], equal_nan=True):
            return True
        scale = np.max(np.abs(real[finite]), initial=1e-3)
        return bool(np.any(np.abs(mine[finite] - real[finite]) > tolerance * scale))


def sensitive(program: Program, arrays: list[Any]) -> list[Any]:
    """How far outputs move when every input moves by a few units in its last place: what rounding
    alone may do. A sum that should be zero, over its own size, may be anything."""
    rng = np.random.default_rng(0)
    runs = []
    for n in range(5):
        moved = []
        for array in arrays:
            kind = array.dtype
            if n and kind.kind in "fc":
                noise = rng.uniform(-4, 4, array.shape) * np.finfo(kind).eps
                array = (array * (1 + noise)).astype(kind)
            moved.append(array)
        runs.append(program.run(*moved)[0])
    with np.errstate(all="ignore"):
        return [
            np.max([np.abs(np.asarray(r, float) - one[0]) for r in one[1:]], axis=0)
            if one[0].dtype.kind == "f" else 0
            for one in zip(*runs, strict=True)
        ]  # fmt: skip
