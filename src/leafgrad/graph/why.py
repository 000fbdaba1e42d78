"""Why gradients do not arrive: looked for after the fact, by `explain` and by errors.

A graph's edges lead from results to operands. The other direction (which expressions used `w`?) is
stored nowhere and costs nothing while a program runs: here it is asked of the garbage collector.
"""

from __future__ import annotations

import ast
import gc
import re
from typing import Any

from ..dtypes import is_differentiable
from ..tensor import Tensor
from .cut import Cut, cut_of, cuts, end_of
from .node import NODE, Freed, Node
from .source import Source, where

_ADVICE = {
    "detach": "leave out .detach() where gradients shall flow",
    "data": "use the tensor itself, not its .data",
    "no_grad": "compute it outside the no_grad block",
    "inference": "compute it outside the inference_mode block",
    "rule": "use an operation that has a derivative (softmax for argmax, sigmoid for >)",
    "dtype": "stay with floating point up to the loss",
}


def constant(tensor: Any) -> tuple[str, list[str], list[str]]:
    """Why a tensor does not require grad: one word, the reasons, and what to do."""
    if not is_differentiable(tensor._array.dtype):
        return "dtype", [f"its dtype is {tensor.dtype}: only floating point and complex tensors "
                         "carry gradients"], ["make it from floats, or convert with .float() "
                         "before requires_grad_()"]  # fmt: skip
    cut = cut_of(tensor)
    if cut is not None:
        lines = [f"it was {cut}"]
        if cut.made is not None and cut.made != cut.mark:
            lines.append(f"from the result of {where(cut.made)}")
        return cut.kind, lines, [_ADVICE[cut.kind]]
    if tensor._inference:
        return "inference", ["it was made in inference mode; where is unknown"], [
            "use torch.no_grad(), or .clone() it outside"]  # fmt: skip
    return "constant", ["neither it nor anything that it is known to be computed from has "
                        "requires_grad=True"], [
        "make what it depends on with requires_grad=True; numbers (.item()) and arrays (.numpy(), "
        "torch.tensor(...)) carry no gradients"]  # fmt: skip


class Living:
    """The nodes, tensors and cuts that live now."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.cuts: list[Any] = []
        found = {Node: self.nodes, Tensor: self.tensors, Cut: self.cuts}
        kinds: dict[type, Any] = {}
        for thing in gc.get_objects():
            kind = type(thing)
            if kind not in kinds:
                kinds[kind] = next((v for k, v in found.items() if issubclass(kind, k)), None)
            if kinds[kind] is not None:
                kinds[kind].append(thing)
        self.users: dict[int, list[Any]] = {}
        for node in self.nodes:
            for end in ends(node):
                self.users.setdefault(id(end), []).append(node)

    def dependents(self, start: Any) -> dict[int, Any]:
        """All nodes that were computed from a node or leaf, by their id()."""
        found: dict[int, Any] = {}
        stack = [start]
        while stack:
            for user in self.users.get(id(stack.pop()), ()):
                if id(user) not in found:
                    found[id(user)] = user
                    stack.append(user)
        return found

    def roots(self, start: Any) -> list[Any]:
        """The last results computed from a node or leaf, newest first: nodes that no other uses."""
        last = [n for n in self.dependents(start).values() if id(n) not in self.users]
        return sorted(last, key=lambda n: -n._sequence_nr())

    def tensor_of(self, node: Any) -> Any:
        """A living tensor that is a node's result, if there is one."""
        return next((t for t in self.tensors if t._edge is not None and end_of(t) is node), None)


def ends(node: Any) -> list[Any]:
    """The nodes and leaves whose results a node used."""
    edges = getattr(node, "next", ())
    return [getattr(edge, "node", edge) for edge in edges if edge is not None]


def reachable(root: Any) -> tuple[dict[int, Any], dict[int, Any]]:
    """The nodes and the leaves behind a node or leaf, by their id()."""
    nodes: dict[int, Any] = {}
    leaves: dict[int, Any] = {}
    stack = [] if root is None else [root]
    while stack:
        one = stack.pop()
        into = nodes if one._kind == NODE else leaves
        if id(one) not in into:
            into[id(one)] = one
            if into is nodes:
                stack.extend(ends(one))
    return nodes, leaves


def unreached(end: Any, root: Any, living: Living, name: str) -> tuple[str, list[str]]:
    """Why no path leads from `root` to a node or leaf called `name`, as far as that is known."""
    dependents = living.dependents(end)
    in_loss, _ = reachable(root)
    lines: list[str] = []
    for cut in living.cuts:
        origin = cut.origin
        if origin is not None and (origin is end or id(origin) in dependents):
            what = "it" if origin is end else f"the result of {where(origin.mark)}, which uses it,"
            text = f"{what} was {cut}"
            used = _use_of(cut, in_loss.values())
            if used:
                text += f", and used so in {used}"
            if text not in lines:
                lines.append(text)
    if lines:
        return "detach", lines[:3]
    last = [n for n in dependents.values() if id(n) not in living.users]
    if last:
        newest = max(last, key=lambda n: n._sequence_nr())
        first = min(dependents.values(), key=lambda n: n._sequence_nr())
        lines.append(f"it was used by {where(first.mark)}"
                     + ("" if first is newest else f", which led to {where(newest.mark)}")
                     + "; the loss does not use that")  # fmt: skip
        return "not reached", lines
    # What is gone cannot be asked any more. A cut still knows which expression it cut off, and
    # that may name the tensor, or the module that has it.
    words = set(re.findall(r"[^\W\d]\w*", name))
    for cut in [*_constants(in_loss.values()), *cuts.values()]:
        made = None if cut.made is None else Source(*cut.made)
        if made is not None and words & _words(made.expression):
            return "detach", [f"the result of {made}, which seems to use it, was {cut}"]
        if cut.kind in ("no_grad", "inference"):
            lines.append(f"perhaps it was used so: the loss uses a value {cut}")
    return "not reached", ["no recorded operation that still lives uses it", *lines[:1]]


def _words(expression: str | None) -> set[str]:
    """The names in an expression, but not those of every method and module."""
    return set(re.findall(r"[^\W\d]\w*", expression or "")) - {"self"}


def _use_of(cut: Cut, nodes: Any) -> str:
    """The expression in which a node of the loss uses a tensor that was cut off."""
    for node in nodes:
        if any(cut_of(t) is cut for t in _saved_tensors(node)):
            return where(node.mark)
    texts = _texts(cut)
    for node in nodes:
        source = node.source()
        if source is None or not source.expression or not any(e is None for e in node.next):
            continue
        if cut.mark is not None and source.filename == cut.mark[0].co_filename:
            if texts & _parts(source.expression):
                return str(source)
    return ""


def _parts(expression: str) -> set[str]:
    """The names, calls and other parts of an expression, as text."""
    try:
        tree = ast.parse(expression)
    except (SyntaxError, ValueError):
        return set()
    return {ast.unparse(part) for part in ast.walk(tree) if isinstance(part, ast.expr)}


def _texts(cut: Cut) -> set[str]:
    """What the program calls the result of a cut: its expression, or the names it is given."""
    if cut.mark is None or cut.kind not in ("detach", "data", "rule", "dtype"):
        return set()
    source = Source(*cut.mark)
    return {source.expression or "", *source.targets} - {""}


def _saved_tensors(node: Any) -> list[Any]:
    saved = node.saved
    values = saved.values() if isinstance(saved, dict) else saved
    if not isinstance(saved, (dict, tuple, list)) or saved.__class__ is Freed:
        return []
    return [v for v in values if isinstance(v, Tensor)]


def _constants(nodes: Any) -> list[Cut]:
    """The cuts of constants that nodes use and whose origin is unknown."""
    found: list[Cut] = []
    for node in nodes:
        for tensor in _saved_tensors(node):
            cut = cut_of(tensor)
            if cut is not None and cut.origin is None and cut not in found:
                found.append(cut)
    return found
