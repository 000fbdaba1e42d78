"""L-BFGS: steps along directions that the last gradients shape (Nocedal), after minFunc."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import quiet
from ..graph.modes import enable_grad
from ..graph.saved import bump
from ..graph.source import here
from ..tensor import wrap
from .optimizer import Optimizer, number

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Minimises with an approximation of the inverse Hessian from the last `history_size` steps.

    `step(closure)` makes up to `max_iter` iterations and calls the closure, which computes the
    loss and its gradients, up to `max_eval` times (by default max_iter · 5 / 4).

    tolerance_grad, tolerance_change: when to stop: no element of the gradient, or no change of
    the parameters or the loss, is larger; line_search_fn: None (steps of lr) or "strong_wolfe".
    One group of parameters only.
    """

    def __init__(self, params: Any, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9,
                 history_size: int = 100, line_search_fn: str | None = None) -> None:  # fmt: skip
        if not lr >= 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        })  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Any:
        """All gradients as one vector."""
        parts = []
        for param in self._params:
            like = param._array if param._grad is None else param._grad._array
            flat = np.zeros(like.size, like.dtype) if param._grad is None else like.reshape(-1)
            parts.append(flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat)
        return np.concatenate(parts)

    def _move(self, length: float, direction: Any, mark: Any) -> None:
        """Add length · direction to the parameters."""
        start = 0
        for param in self._params:
            p = param._array
            size = p.size * (2 if p.dtype.kind == "c" else 1)
            part = (direction[start : start + size] * length).view(p.dtype)
            np.add(p, part.reshape(p.shape), out=p)
            bump(param, mark)
            start += size

    def _place(self, values: list[Any], mark: Any) -> None:
        for param, value in zip(self._params, values, strict=True):
            np.copyto(param._array, value)
            bump(param, mark)

    def step(self, closure: Callable[[], Any]) -> Any:
        """Iterate; returns the loss at the beginning."""
        mark = here()
        token = quiet.enter()
        try:
            with enable_grad():
                return self._iterate(closure, mark)
        finally:
            quiet.leave(token)

    def _iterate(self, closure: Callable[[], Any], mark: Any) -> Any:
        group = self.param_groups[0]
        lr, tolerance = number(group["lr"]), group["tolerance_change"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, evaluations = float(number(first_loss)), 1
        state["func_evals"] += 1
        g = self._gradient()
        if np.abs(g).max() <= group["tolerance_grad"]:
            return first_loss
        memory = _Memory(state, group["history_size"])
        d, length = memory.direction, memory.length
        g_before, loss_before = memory.gradient, memory.loss
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                d = -g
                memory.forget()
            else:
                memory.learn(g - g_before, d * length)
                d = memory.newton_step(g)
            g_before, loss_before = g.copy(), loss
            length = lr
            if state["n_iter"] == 1:
                length = min(1.0, 1.0 / float(np.abs(g).sum())) * lr
            slope = float(np.dot(g, d))
            if slope > -tolerance:
                break
            evaluated = 0
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                begin = [p._array.copy() for p in self._params]

                def look(t: float, begin: Any = begin, d: Any = d) -> _Point:
                    self._move(t, d, mark)
                    value = float(number(closure()))
                    there = self._gradient()
                    self._place(begin, mark)
                    return _Point(t, value, there, float(np.dot(there, d)))

                found, evaluated = _strong_wolfe(
                    look, _Point(0.0, loss, g, slope), length, float(np.abs(d).max())
                )
                loss, g, length = found.value, found.gradient, found.t
                self._move(length, d, mark)
            else:
                self._move(length, d, mark)
                if iteration != group["max_iter"]:
                    loss, evaluated = float(number(closure())), 1
                    g = self._gradient()
            evaluations += evaluated
            state["func_evals"] += evaluated
            if (
                evaluations >= group["max_eval"]
                or np.abs(g).max() <= group["tolerance_grad"]
                or np.abs(d).max() * abs(length) <= tolerance
                or abs(loss - loss_before) < tolerance
            ):
                break
        memory.direction, memory.length = d, length
        memory.gradient, memory.loss = g_before, loss_before
        memory.keep(state)
        return first_loss


class _Memory:
    """The last steps and what the gradient did along them, by PyTorch's names in the state."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        def array(name: str) -> Any:
            kept = state.get(name)
            return None if kept is None else kept._array

        self.size = size
        self.direction, self.gradient = array("d"), array("prev_flat_grad")
        self.length, self.loss = number(state.get("t")), state.get("prev_loss")
        self.changes = [t._array for t in state.get("old_dirs") or ()]
        self.steps = [t._array for t in state.get("old_stps") or ()]
        self.inverse = [number(r) for r in state.get("ro") or ()]  # 1 / (change · step)
        self.scale = number(state.get("H_diag", 1))

    def forget(self) -> None:
        self.changes, self.steps, self.inverse, self.scale = [], [], [], 1

    def learn(self, change: Any, step: Any) -> None:
        """The gradient changed by `change` along `step`."""
        product = float(np.dot(change, step))
        if product > 1e-10:
            if len(self.changes) == self.size:
                for kept in (self.changes, self.steps, self.inverse):
                    kept.pop(0)
            self.changes.append(change)
            self.steps.append(step)
            self.inverse.append(1.0 / product)
            self.scale = product / float(np.dot(change, change))

    def newton_step(self, g: Any) -> Any:
        """Minus the inverse Hessian times the gradient: the two-loop recursion."""
        d = -g
        weights = []
        pairs = list(zip(self.changes, self.steps, self.inverse, strict=True))
        for change, step, inverse in reversed(pairs):
            weights.append(float(np.dot(step, d)) * inverse)
            d -= weights[-1] * change
        d *= self.scale
        for (change, step, inverse), weight in zip(pairs, reversed(weights), strict=True):
            d += (weight - float(np.dot(change, d)) * inverse) * step
        return d

    def keep(self, state: dict[str, Any]) -> None:
        state.update(
            d=wrap(self.direction), t=self.length, old_dirs=[wrap(a) for a in self.changes],
            old_stps=[wrap(a) for a in self.steps], ro=self.inverse, H_diag=self.scale,
            prev_flat_grad=wrap(self.gradient), prev_loss=self.loss,
        )  # fmt: skip


class _Point:
    """The loss at a distance t along the direction, its gradient, and its slope there."""

    __slots__ = ("gradient", "slope", "t", "value")

    def __init__(self, t: float, value: float, gradient: Any, slope: float) -> None:
        self.t, self.value, self.gradient, self.slope = t, value, gradient, slope


def _lowest(a: _Point, b: _Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes is lowest, within bounds."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    if a.t <= b.t:
        at = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    else:
        at = a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
    return min(max(at, low), high)


def _strong_wolfe(look: Callable[[float], _Point], start: _Point, t: float, reach: float,
                  falls: float = 1e-4, flattens: float = 0.9, tolerance: float = 1e-9,
                  most: int = 25) -> tuple[_Point, int]:  # fmt: skip
    """A point where the loss has fallen enough and the slope has flattened enough, and how often
    the loss was computed. reach: the largest element of the direction."""

    def too_high(point: _Point) -> bool:
        return point.value > start.value + falls * point.t * start.slope

    def flat(point: _Point) -> bool:
        return abs(point.slope) <= -flattens * start.slope

    # Go on until two points have such a point between them.
    before, now = start, look(t)
    looks, tries = 1, 0
    while tries < most:
        if too_high(now) or (tries > 1 and now.value >= before.value):
            break
        if flat(now):
            return now, looks
        if now.slope >= 0:
            break
        bounds = (now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now = now, look(_lowest(before, now, bounds))
        looks += 1
        tries += 1
    if tries == most:
        before = start
    # Close in on it.
    low, high = (before, now) if before.value <= now.value else (now, before)
    first, second = before, now  # in the order in which they were found
    stuck = False
    while tries < most and abs(second.t - first.t) * reach >= tolerance:
        t = _lowest(first, second)
        left, right = min(first.t, second.t), max(first.t, second.t)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # too near an end
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        now = look(t)
        looks += 1
        tries += 1
        if too_high(now) or now.value >= low.value:
            first, second = (first, now) if high is second else (now, second)
            low, high = (first, second) if first.value <= second.value else (second, first)
            continue
        done = flat(now)
        swap = not done and now.slope * (high.t - low.t) >= 0
        at_first = low is first  # the new point takes the place of the low one
        if swap:
            first, second = (first, low) if at_first else (low, second)
            high = low
        first, second = (now, second) if at_first else (first, now)
        low = now
        if done:
            break
    return low, looks
