"""Why a tensor carries no gradient: what cut it off from the graph, and where.

A tensor outside every graph has no edge (None). One that would have had an edge, were it not for
`detach()`, `.data`, `no_grad` or an operator without a derivative, has a Cut there: for the engine
it is the same as None, for an error or `explain` it is the answer. Results computed from it inherit
it. Nothing is made for tensors that had no graph to lose, so data costs nothing; on the recorded
way an edge is looked at as before.
"""

from __future__ import annotations

import contextvars
import sys
from typing import Any
from weakref import ref

from .node import NODE, NOWHERE, OUTPUT
from .source import INTERNAL, user_frame, where

_TEXTS = {
    "detach": "detached by {}",
    "data": "taken out of the graph by {}",
    "no_grad": "computed under no_grad, which begins at {}",
    "inference": "computed in inference_mode, which begins at {}",
    "rule": "made by {}, which has no derivative",
    "dtype": "made by {}, whose result has a dtype that carries no gradient",
}

_frame = sys._getframe


class Cut(tuple[Any, ...]):
    """The edge of a tensor that was cut off from its graph: (kind, code, offset, origin, made).

    kind: a key of `_TEXTS`; code, offset: the expression that cut, or where recording was turned
    off (None if unknown); origin: a weak reference to the node or leaf whose result it was, or
    None; made: the mark of the expression that made that result, or None
    """

    # A tuple, because one is made at every `detach()` and `no_grad`: a third of an object's price.
    __slots__ = ()
    plain = False

    def resolve(self, tensor: Any) -> None:
        return None

    peek = resolve

    @property
    def kind(self) -> str:
        return self[0]  # type: ignore[no-any-return]

    @property
    def mark(self) -> Any:
        return None if self[1] is None else self[1:3]

    @property
    def origin(self) -> Any:
        """The node or leaf that was cut off, if it still lives and is known."""
        return None if self[3] is None else self[3]()

    @property
    def made(self) -> Any:
        """The mark of the expression whose result was cut off; it may be known when that is gone."""
        return self[4]

    def __str__(self) -> str:
        if self[1] is None:
            return "computed while recording was off; where that began is unknown"
        return _TEXTS[self[0]].format(where(self.mark))


# By place in the program, the last cut made there, and the last value that left its graph there as
# a number or an array (`.item()`, `.numpy()`): a weak reference to its node or to the tensor. These
# are clues for an explanation, not records: a place that is passed a million times is one entry.
# The key is the code's id(), as hashing code takes a microsecond; the entry keeps it alive.
cuts: dict[tuple[int, int], Cut] = {}
exits: dict[tuple[int, int], tuple[Any, int, Any]] = {}
_PLACES = 500

UNKNOWN = Cut(("no_grad", None, 0, None, None))

# Where recording was turned off, for the tensors computed from there on.
_off: contextvars.ContextVar[Cut | None] = contextvars.ContextVar("off", default=None)
turned_off = _off.get
turn_back = _off.set


def cut_here(kind: str, end: Any = None) -> Cut:
    """A cut at the user's expression that is being computed now, from the node or leaf `end`."""
    frame = _frame(3)  # mostly the user's: the caller of `detach`, of an operator, of `__enter__`
    code = frame.f_code
    if INTERNAL[code.co_filename]:
        frame = user_frame(frame)
        code = frame.f_code
    if end is None:
        return Cut((kind, code, frame.f_lasti, None, None))
    made = (end.code, end.offset) if end._kind == NODE else None
    offset = frame.f_lasti
    cuts[id(code), offset] = found = Cut((kind, code, offset, ref(end), made))
    if len(cuts) > _PLACES:
        cuts.clear()
    return found


def turn(kind: str | None) -> None:
    """Remember that recording is turned off here (or on: None)."""
    _off.set(None if kind is None else cut_here(kind))


def end_of(tensor: Any) -> Any:
    """The node or leaf at which a tensor's gradient arrives; None if nowhere."""
    edge = tensor._edge
    if edge is None or (not edge.plain and (edge := edge.peek(tensor)) is None):
        return None
    if edge._kind == OUTPUT:
        return edge.node
    return None if edge is NOWHERE else edge


def cut_of(tensor: Any) -> Cut | None:
    """What cut a tensor off, its own or that of the tensor whose view it is."""
    edge = tensor._edge
    if edge.__class__ is Cut:
        return edge  # type: ignore[no-any-return]
    base = tensor._base
    if base is not None and base._edge.__class__ is Cut:
        return base._edge  # type: ignore[no-any-return]
    return None


def cut_by(kind: str, tensor: Any) -> Cut | None:
    """The edge of what `detach()` or `.data` makes of a tensor that has an edge itself."""
    edge = tensor._edge
    if edge.__class__ is Cut:
        return edge  # type: ignore[no-any-return]
    end = edge if edge.plain and edge._kind == NODE else end_of(tensor)
    return cut_of(tensor) if end is None else cut_here(kind, end)


def lost(operands: Any, mode: Any, kind: str = "rule") -> Cut | None:
    """The edge of a result that nothing was recorded for, although an operand has an edge."""
    inherited = None
    if not mode.grad:  # the usual case, made quick: all of them were computed here
        off = turned_off()
        for t in operands:
            if off is not None and getattr(t, "_edge", None) is off:
                return off
    for t in operands:
        edge = getattr(t, "_edge", None)
        if edge is None:
            continue
        if edge.__class__ is Cut:
            inherited = inherited or edge
        elif (end := end_of(t)) is not None:
            return cut_here(kind, end) if mode.grad else turned_off() or UNKNOWN
        elif not edge.plain and edge.peek(t) is NOWHERE and not mode.grad:
            return turned_off() or UNKNOWN
        elif inherited is None:
            inherited = cut_of(t)
    return inherited


def constant_lines(tensor: Any) -> list[str]:
    """Why a tensor does not require grad and what to do, as the last lines of an error."""
    from .why import constant

    _, reasons, advice = constant(tensor)
    return [*reasons, *(f"to do: {line}" for line in advice)]


def note_exit(tensor: Any) -> None:
    """Remember that a tensor with an edge gave its values to the world outside."""
    frame = _frame(2)
    edge = tensor._edge
    if edge.__class__ is Cut:  # as in `x.detach().numpy()`
        held = edge[3]
    elif edge.plain and edge._kind == NODE:
        held = ref(edge)
    elif edge.plain or edge.peek(tensor) is not None:
        held = ref(tensor)
    else:
        return
    code, offset = frame.f_code, frame.f_lasti
    exits[id(code), offset] = code, offset, held
    if len(exits) > _PLACES:
        exits.clear()
