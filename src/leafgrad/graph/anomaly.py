"""Anomaly detection: where NaN comes from, in the backward pass and in the forward pass.

While it is on, every operator's result is looked over (`Watch`) and remembers the first NaN or
infinity it goes back to; every node keeps the traceback of its forward call and, if it was made in
a backward pass, the node that was being differentiated. Backward raises at the first gradient that
is NaN, and then says what made it: the operands there, the first bad value of the forward pass, or
a zero gradient that met an infinite derivative, as in the branch that a `where` did not select.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from typing import Any

import numpy as np

from . import quiet
from .modes import ModeContext, Transform, current, switch
from .node import NODE, TENSOR
from .saved import entries, opened_entry
from .source import fail, here, user_frame, where

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled",
           "set_detect_anomaly"]  # fmt: skip

WHOLE = 12  # arrays of at most so many elements are shown in full
_DEPTH = 10_000  # how many nodes a search for a cause looks at, at most


# The forward pass


class Origin:
    """The first NaN or infinity that a value goes back to.

    mark: the expression; tick: its place in time; made: whether the expression made it (else one
    of its operands brought it along from outside); lines: what it was computed from, as text
    """

    __slots__ = ("lines", "made", "mark", "tick")

    def __init__(self, mark: Any, tick: int, made: bool, lines: list[str]) -> None:
        self.mark, self.tick, self.made, self.lines = mark, tick, made, lines

    def text(self) -> list[str]:
        verb = "made by" if self.made else "brought in by an operand of"
        return [f"the first of the forward pass was {verb}: {where(self.mark)}", *self.lines]


class Watch(Transform):
    """Looks over every operator's result. The outermost transform: it sees real arrays."""

    def call(self, made: Any, tensors: tuple[Any, ...], params: tuple[Any, ...],
             into: Any) -> Any:  # fmt: skip
        from .operator import apply

        shown = {n: described(a) for n, a in _operands(made, tensors)} if into is not None else None
        outs = apply(made, tensors, params, into)
        for t in outs if outs.__class__ is tuple else (outs,):
            _note(made, tensors, t, shown)
        return outs


WATCH = Watch()


def _operands(made: Any, tensors: tuple[Any, ...]) -> list[tuple[str, Any]]:
    names = made.tensors * len(tensors) if made.variadic else made.tensors
    pairs = zip(names, tensors, strict=False)
    return [(n, getattr(t, "_array", t)) for n, t in pairs if t is not None]


def _note(made: Any, tensors: tuple[Any, ...], out: Any, shown: dict[str, str] | None) -> None:
    """Remember on a result which NaN or infinity it goes back to."""
    if not flawed(out._array):
        if "_nonfinite" in out.__dict__:
            del out._nonfinite
        return
    known = [o for t in tensors if (o := getattr(t, "_nonfinite", None)) is not None]
    node = out.grad_fn
    if known:
        found = min(known, key=lambda o: o.tick)
    else:
        operands = _operands(made, tensors)
        brought = any(flawed(a) for _, a in operands)
        texts = shown or {n: described(a) for n, a in operands}
        lines = [f"  from {name} = {text}" for name, text in texts.items()]
        lines.append(f"  result = {described(out._array)}")
        found = Origin(here(), 0 if node is None else node.seq, not brought, lines)
    out._nonfinite = found
    if node is not None:
        node.metadata["nonfinite_"] = found


def flawed(array: Any) -> bool:
    """Whether an array has a NaN or an infinity."""
    if not isinstance(array, (np.ndarray, np.generic)):
        return isinstance(array, (float, complex)) and not np.isfinite(array)
    return array.dtype.kind in "fc" and not np.isfinite(array).all()


def described(array: Any) -> str:
    """An array for a message: small ones in full, others by shape and statistics."""
    if not isinstance(array, (np.ndarray, np.generic)):
        return repr(array)
    if array.size <= WHOLE:
        return _listed(array.tolist())
    text = f"{array.dtype}{list(array.shape)}"
    if array.dtype.kind not in "fciu":
        return text
    size = np.abs(array) if array.dtype.kind == "c" else array
    fine = size[np.isfinite(size)]
    if fine.size:
        text += f" from {fine.min():.4g} to {fine.max():.4g}, mean {fine.mean():.4g}"
    bad = array.size - fine.size
    return text + (f", {counted(array)}" if bad else "")


def _listed(values: Any) -> str:
    if isinstance(values, list):
        return f"[{', '.join(map(_listed, values))}]"
    return f"{values:.5g}" if isinstance(values, (float, complex)) else str(values)


def counted(array: Any) -> str:
    """How many NaN and infinities: "2 nan and 1 inf of 6"."""
    nan, inf = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    parts = [f"{n} {name}" for n, name in ((nan, "nan"), (inf, "inf")) if n]
    return f"{' and '.join(parts)} of {array.size}"


# The backward pass


def remember(node: Any) -> None:
    """Keep with a node the traceback of its forward call, and the node whose backward made it."""
    from .engine import _walk

    frame = user_frame(sys._getframe(1))
    node.metadata["traceback_"] = traceback.format_stack(frame)
    task = _walk.get()
    if task is not None and task.current is not None:
        node.metadata["parent_"] = task.current


def tell(node: Any) -> None:
    """Warn which forward expression belongs to the node that failed, and what led to that one."""
    start = f"Error detected in {node.name()}. "
    reason = "caused the error"
    while node is not None:
        notes = node.metadata
        stack = notes.get("traceback_")
        if stack is None:
            text = ("No forward pass information available. Enable detect anomaly during forward "
                    "pass for more information.")  # fmt: skip
        else:
            text = f"Traceback of forward call that {reason}:\n" + "".join(stack)
        warnings.warn(start + text, stacklevel=2)
        node = notes.get("parent_")
        if node is not None:
            start = f"\n\nPrevious calculation was induced by {node.name()}. "
            reason = "induced the previous calculation"


class Seen:
    """What a walk came past, newest first: nodes, what arrived there and what they gave on.

    The arrays are those of the walk: they live as long as this does.
    """

    def __init__(self) -> None:
        self.nodes: dict[Any, tuple[list[Any], Any]] = {}
        self.users: dict[Any, list[tuple[Any, int]]] = {}

    def add(self, node: Any, arrived: list[Any], grads: Any) -> None:
        self.nodes[node] = arrived, grads
        for index, edge in enumerate(node.next):
            if edge is not None:
                end = edge if edge._kind in (NODE, TENSOR) else edge.node
                self.users.setdefault(end, []).append((node, index))


def look(task: Any, node: Any, arrived: list[Any], grads: Any) -> None:
    """Raise PyTorch's error if a node returned NaN."""
    if task.anomaly is True:
        task.anomaly = Seen()
    seen = task.anomaly
    seen.add(node, arrived, grads)
    for number, g in enumerate(grads):
        if g is not None and np.isnan(array_of(g)).any():
            tell(node)
            fail(
                RuntimeError,
                f"Function '{node.name()}' returned nan values in its {number}th output.",
                f"the derivative of: {where(node.mark)}",
                *nan_causes(seen, node, number),
            )


def array_of(g: Any) -> Any:
    return getattr(g, "_array", g)


def nan_causes(seen: Seen, node: Any, number: int) -> list[str]:
    """Why a node's gradient for its input `number` is NaN, as lines of text; advice comes last."""
    return sorted(_nan_causes(seen, node, number), key=lambda line: line.startswith("to do: "))


def _nan_causes(seen: Seen, node: Any, number: int) -> list[str]:
    arrived, grads = seen.nodes[node]
    g = array_of(grads[number])
    bad = np.isnan(g)
    lines = [f"that gradient is {described(g)}"]
    came = array_of(arrived[0]) if len(arrived) == 1 else None
    if came is None or came.shape != g.shape:
        lines += _infinite_arrival(seen, node, arrived)
        return lines + first_flaw(node)
    local = _local(node, came, number)
    values = _values_there(node, number, bad)
    if local is not None and bool(((came == 0) & np.isinf(local))[bad].any()):
        lines.append(f"0 · inf = nan: the gradient that arrives is 0 where the derivative is "
                     f"infinite{values}")  # fmt: skip
        lines += _zero_came_from(seen, node, (came == 0) & bad)
    elif local is not None and bool(np.isnan(local)[bad].any()):
        lines.append(f"the derivative itself is nan{values}")
    elif bool(np.isinf(came)[bad].any()):
        lines.append(f"inf · 0 = nan: the gradient that arrives is infinite{values}")
        lines += _infinite_arrival(seen, node, arrived)
    return lines + first_flaw(node)


def _local(node: Any, came: Any, number: int) -> Any:
    """The derivative element by element: what comes of a gradient of ones."""
    needs = tuple(i == number for i in range(len(node.next)))
    token = quiet.enter()
    try:
        found = array_of(node.differentiate(np.ones_like(came), needs, False)[number])
    except Exception:  # a rule of the user's that takes nothing but its own gradients
        return None
    finally:
        quiet.leave(token)
    return found if found is not None and found.shape == came.shape else None


def _values_there(node: Any, number: int, bad: Any) -> str:
    """What a node's input, or else its result, was at the bad places."""
    if node.op is None or node.op.variadic:
        return ""
    for name in (node.op.tensors[number], "out"):
        try:
            saved = array_of(opened_entry(node, name, None)) if name in entries(node) else None
        except RuntimeError:  # written to since
            return ""
        if isinstance(saved, np.ndarray) and saved.shape == bad.shape:
            values = np.unique(saved[bad])
            shown = ", ".join(f"{v:.4g}" for v in values[:4]) + (", ..." if values.size > 4 else "")
            what = "its result" if name == "out" else name
            return f" ({what} is {shown} there)"
    return ""


def _zero_came_from(seen: Seen, node: Any, zero: Any) -> list[str]:
    """Which node made the zero gradients that arrive at `node`, if one can be named."""
    below, count = node, 0
    while count < _DEPTH:
        users = seen.users.get(below, [])
        if len(users) != 1:
            return []
        user, index = users[0]
        arrived, grads = seen.nodes[user]
        came = array_of(arrived[0]) if len(arrived) == 1 else None
        gave = array_of(grads[index])
        if came is None or gave is None:
            return []
        if came.shape != gave.shape or gave.shape != zero.shape:
            if not came.size or (came != 0).all():
                return [f"the zeros come from the derivative of: {where(user.mark)}"]
        elif ((came != 0) & (gave == 0) & zero).any():
            return _selector(user, index)
        elif not ((came == 0) & zero).any():
            return []
        below, count = user, count + 1
    return []


def _selector(user: Any, index: int) -> list[str]:
    """What to say of the node that turned a gradient into zeros."""
    place = where(user.mark)
    name = "" if user.op is None else user.op.name
    if name == "where":
        return [
            f"the zeros come from the branch that was not selected by: {place}",
            "to do: gradients flow through both branches, so keep the bad values out of this one: "
            "choose a harmless input first, as in torch.where(mask, f(torch.where(mask, x, 1)), 0)",
        ]
    if name == "mul":
        return [
            f"the zeros come from the factor 0 in: {place}",
            "to do: multiplying by 0 hides a value, not its derivative: choose a harmless input "
            "first, as in mask * f(torch.where(mask, x, 1))",
        ]
    return [f"the zeros come from the derivative of: {place}"]


def _infinite_arrival(seen: Seen, node: Any, arrived: list[Any]) -> list[str]:
    """Where a gradient became infinite, if it is so when it arrives."""
    if not any(a is not None and np.isinf(array_of(a)).any() for a in arrived):
        return []
    for other, (came, gave) in seen.nodes.items():
        if any(g is not None and np.isinf(array_of(g)).any() for g in gave) and not any(
            a is not None and np.isinf(array_of(a)).any() for a in came
        ):
            return [f"the gradient became infinite in the derivative of: {where(other.mark)}"]
    return []


def first_flaw(node: Any) -> list[str]:
    """The first NaN or infinity of the forward pass below a node, if it was watched."""
    found: Origin | None = None
    watched = True
    stack, known = [node], {node}
    while stack and len(known) < _DEPTH:
        one = stack.pop()
        notes = one.extra.metadata if one.extra is not None else None
        watched &= notes is not None and "traceback_" in notes
        origin = (notes or {}).get("nonfinite_")
        if origin is not None and (found is None or origin.tick < found.tick):
            found = origin
        for edge in one.next:
            end = None if edge is None else getattr(edge, "node", edge)
            if end is not None and end._kind == NODE and end not in known:
                known.add(end)
                stack.append(end)
    if found is not None:
        return found.text()
    return ["every value of the forward pass up to there is finite"] if watched else []


# Switching it on


class _Anomaly(ModeContext):
    def __init__(self, mode: bool, check_nan: bool) -> None:
        super().__init__()
        self.mode, self.check_nan = mode, check_nan

    def changes(self) -> dict[str, Any]:
        others = tuple(t for t in current().transforms or () if t is not WATCH)
        if self.mode and self.check_nan:
            others = (WATCH, *others)
        return {"anomaly": self.check_nan if self.mode else None, "transforms": others or None}


class detect_anomaly(_Anomaly):
    """Inside, backward raises at the first NaN (with `check_nan`) and names what made it."""

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
