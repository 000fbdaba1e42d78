"""`leafgrad.report`: records whatever trains inside a `with` block, and writes a report of it.

What is cheap is recorded at every step: loss, learning rate, times. Parameters and gradients are
looked at as often as a fiftieth of the training's own time allows; of long runs, evenly spread
moments are kept.
"""

from __future__ import annotations

import linecache
import math
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .capture import Capture
from .listen import after_step, before_backward
from .report import Moment, Series, TrainingRun, write_report
from .snapshot import Graph

_SHARE = 0.02  # of the time, for looking at parameters and gradients
_KEPT = 240  # moments
_SCALARS = 12  # as many elements as are drawn one by one; more are drawn as norms


class Thinned:
    """A growing list of moments that stays short: when it is full, every second one goes."""

    def __init__(self, most: int) -> None:
        self.most, self.stride, self.items = most, 1, list[tuple[int, Any]]()
        self.newest: tuple[int, Any] | None = None

    def wants(self, step: int) -> bool:
        return step % self.stride == 0

    def add(self, step: int, item: Any) -> None:
        self.newest = step, item
        if self.wants(step):
            self.items.append(self.newest)
        if len(self.items) > self.most:
            self.stride *= 2
            self.items = [entry for entry in self.items if self.wants(entry[0])]

    def all(self) -> list[tuple[int, Any]]:
        """What was kept, and the newest."""
        last = [self.newest] if self.newest and self.items[-1:] != [self.newest] else []
        return self.items + last


class Recorder:
    """What `leafgrad.report` gives: it listens until its block ends, then writes the page.

        with leafgrad.report("run.html") as r:
            for x, y in data:
                loss = loss_fn(model(x), y)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()

    Nothing has to be told to it. `r.log(accuracy=...)` adds figures of one's own, `r.fit(x, y,
    prediction)` a plot of a one-dimensional fit. With `every`, the page is also written while the
    training runs, about so many seconds apart, and a browser that shows it loads it anew.
    """

    def __init__(
        self, path: str | os.PathLike[str] = "leafgrad-report.html", *, title: str = "",
        every: float = 0.0,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self.title = title
        self.every = every
        self.steps = 0
        self.losses: list[float] = []
        self.rates: list[tuple[int, list[float]]] = []  # from which step on
        self._rates: list[float] = []
        self.forward: list[float] = []
        self.backward: list[float] = []
        self.logged: dict[str, list[tuple[int, float]]] = {}
        self.samples = Thinned(2 * _KEPT)
        self.values = Thinned(2 * _KEPT)  # of parameters, where they are few
        self.few: list[tuple[str, Any]] = []
        self.fits = Thinned(_KEPT)
        self.data: tuple[Any, Any, Any] | None = None
        self.graph: Graph | None = None
        self.names: dict[int, str] = {}
        self.file = ""
        self.overhead = 0.0
        self._quickest = math.inf
        self._root: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> Recorder:
        self.file = sys._getframe(1).f_code.co_filename
        self._stack.enter_context(before_backward(self._backward_begins))
        self._stack.enter_context(after_step(self._stepped))
        self._begun = self._mark = self._written = perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        if self.losses:
            self.write()

    def _backward_begins(self, root: Any) -> None:
        now = perf_counter()
        if self.graph is None:
            self._look(root)
            now += perf_counter() - now
            self._begun = self._mark = now  # the look at the graph is no part of the training
        self._root, self._at = root, now

    def _look(self, root: Any) -> None:
        """The graph of the first step, and what its leaves are called."""
        try:
            found = Capture(root, {}, True)
            self.graph = found.graph()
        except RuntimeError:  # it was freed, or written to: backward itself will say so
            return
        for leaf in found.leaves:
            self.names[id(leaf)] = found.given.get(id(leaf)) or found.names.leaf(leaf)

    def _stepped(self, optimizer: Any) -> None:
        now = perf_counter()
        root, self._root = self._root, None
        if root is None:  # a second optimizer of the same step, or one without a backward pass
            return
        array = root._array
        self.losses.append(float(array) if array.size == 1 else math.nan)
        rates = [group["lr"] for group in optimizer.param_groups]
        if rates != self._rates:  # most schedules change it seldom
            self._rates = rates
            self.rates.append((self.steps, rates))
        self.forward.append(self._at - self._mark)
        self.backward.append(now - self._at)
        if self.few and self.values.wants(self.steps):
            self.values.add(self.steps, self._values())
        if self.overhead <= _SHARE * (now - self._begun) and self.samples.wants(self.steps):
            self._sample(optimizer)
            cost = perf_counter() - now
            self._quickest = min(cost, self._quickest)
            # Much longer than the quickest, and it was another program that took the time.
            self.overhead += min(cost, 3 * self._quickest)
        self.steps += 1
        if self.every and now - self._written > self.every:
            self.write(running=True)
            self._written = perf_counter()
        self._mark = perf_counter()

    def _sample(self, optimizer: Any) -> None:
        norms, grads = {}, {}
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        names = [self.names.get(id(p)) or f"parameter {k}" for k, p in enumerate(parameters)]
        if not self.steps and sum(p._array.size for p in parameters) <= _SCALARS:
            self.few = list(zip(names, parameters, strict=True))
            self.values.add(0, self._values())
        for name, p in zip(names, parameters, strict=True):
            if not self.few:
                norms[name] = _norm(p._array)
            if p._grad is not None:
                grads[name] = _norm(p._grad._array)
        self.samples.add(self.steps, (norms, grads))

    def _values(self) -> dict[str, Any]:
        return {name: p._array.astype(np.float64) for name, p in self.few}

    def log(self, **figures: Any) -> None:
        """Figures of this step, a plot each: `r.log(accuracy=0.9)`."""
        for name, value in figures.items():
            self.logged.setdefault(name, []).append((max(self.steps - 1, 0), float(value)))

    def fit(self, x: Any, y: Any, prediction: Any, truth: Any = None) -> None:
        """The model's curve now: one-dimensional `x`, the data `y`, and what the model makes of x.

        `truth` is the curve without noise, where it is known. The prediction is kept as it is.
        """
        step = max(self.steps - 1, 0)
        if self.data is None:
            self.data = _vector(x), _vector(y), None if truth is None else _vector(truth)
        self.fits.add(step, prediction)

    def write(self, running: bool = False) -> Path:
        """Write the page as far as the training went."""
        return write_report(self.path, self.run(), refresh=self.every if running else 0.0)

    def run(self) -> TrainingRun:
        """What was recorded, as the report takes it."""
        samples = self.samples.all()
        last = self.steps - 1
        values = list(self.values.items)
        if self.few and values[-1][0] != last:
            values.append((last, self._values()))
        names = values[0][1] if values else {}
        at = dict(values)
        source = "".join(linecache.getlines(self.file))
        x, y, truth = self.data or (None, None, None)
        fits: list[tuple[int, Any]] = [(s, _vector(fit)) for s, fit in self.fits.all()]
        if not self.data:
            fits = [(s, None) for s in _spread(range(self.steps), _KEPT)]
        moments = [Moment(s, fit, self._loss(s), at.get(s, {})) for s, fit in fits]
        return TrainingRun(
            title=self.title or f"Training of {Path(self.file).name}",
            x=x, y=y, truth=truth, moments=moments, losses=self.losses,
            parameters={n: np.array([v[n] for _, v in values]) for n in names},
            steps=[step for step, _ in values], unit="step", series=self._series(samples),
            graph=self.graph, source=source, filename=self.file if source else "",
        )  # fmt: skip

    def _loss(self, step: int) -> float:
        return self.losses[min(step, len(self.losses) - 1)]

    def _series(self, samples: list[tuple[int, Any]]) -> list[Series]:
        steps = [step for step, _ in samples]
        every = list(range(len(self.losses)))
        found = []
        for title, place in (("Norms of the gradients", 1), ("Norms of the parameters", 0)):
            names = dict.fromkeys(n for _, sample in samples for n in sample[place])
            lines = {n: [sample[place].get(n, math.nan) for _, sample in samples] for n in names}
            if lines:
                found.append(Series(title, steps, lines, log=place == 1))
        for name, entries in self.logged.items():
            found.append(Series(name, [s for s, _ in entries], {name: [v for _, v in entries]}))
        groups = max((len(rates) for _, rates in self.rates), default=0)
        steps = sorted({s for at, _ in self.rates for s in (at - 1, at) if s >= 0} | {every[-1]})
        lines = {}
        for g in range(groups):
            known = [(at, float(r[g])) for at, r in self.rates if g < len(r)]
            lines[f"group {g}" if groups > 1 else "learning rate"] = _held(known, steps)
        if lines:
            found.append(Series("Learning rate", steps, lines))
        times = {"forward, and between steps": [1e3 * t for t in self.forward],
                 "backward and update": [1e3 * t for t in self.backward]}  # fmt: skip
        found.append(Series("Time per step in milliseconds", every, times, log=True))
        return found


def _held(known: list[tuple[int, float]], steps: list[int]) -> list[float]:
    """At each step the value that was known last."""
    found, following, now = [], iter([*known, (sys.maxsize, math.nan)]), math.nan
    at, value = next(following)
    for step in steps:
        while at <= step:
            now = value
            at, value = next(following)
        found.append(now)
    return found


def _spread(steps: Sequence[int], most: int) -> list[int]:
    """Every so manieth, and the last."""
    stride = -(-len(steps) // most)
    return sorted({*steps[::stride], steps[-1]})


def _norm(array: Any) -> float:
    flat = array.ravel()
    if flat.dtype.kind == "c":
        return float(np.linalg.norm(flat))
    return math.sqrt(float(np.dot(flat, flat)))


def _vector(values: Any) -> Any:
    values = getattr(values, "_array", values)
    return np.array(values, np.float64).reshape(-1)
