"""The questions, in their order: does it require grad, is it a leaf, was it reached, by what?"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..graph.anomaly import described, first_flaw, flawed, nan_causes
from ..graph.cut import cut_of, end_of, exits
from ..graph.node import edge_of
from ..graph.operator import FREEABLE
from ..graph.source import Source, here, where
from ..graph.why import Living, constant, reachable, unreached
from ..see import symbols
from ..see.names import Names, op_name
from ..tensor import COUNT, MARK, Tensor
from .answer import Explanation, Path, Step, Unused, number, plural
from .kept import freed_by, kept
from .walk import Walk, _norm

HUGE = 1e6
"""A gradient whose norm is above this is called huge."""

_Reasons = tuple[str, list[str], list[str]]  # cause, reasons, advice


def explain(tensor: Tensor, loss: Tensor | None, names: Any) -> Explanation:
    """See `leafgrad.explain`."""
    for value, what in ((tensor, "a tensor"), (loss, "loss a tensor or None")):
        if not isinstance(value, Tensor) and not (value is None and what != "a tensor"):
            raise TypeError(f"explain() takes {what}, not {type(value).__name__}")
    return _Question(tensor, loss, names, here()).answer()


class _Question:
    def __init__(self, tensor: Any, loss: Any, names: Any, mark: Any) -> None:
        self.tensor, self.loss = tensor, loss
        if hasattr(names, "named_parameters"):
            names = dict(names.named_parameters())
        self.given = {id(t): n for n, t in (names or {}).items()}
        called, loss_called = _arguments(mark)
        if called:
            self.given.setdefault(id(tensor), called)
        if loss is not None and loss_called:
            self.given.setdefault(id(loss), loss_called)
        self.end = end_of(tensor)
        self.functions: list[Any] = []
        self.names = Names([], Tensor)

    # What things are called

    def _look_at(self, root: Any) -> None:
        """Take the names from the graph behind a node."""
        nodes, _ = reachable(root)
        self.functions = sorted(nodes.values(), key=lambda n: n._sequence_nr())
        self.names = Names(self.functions, Tensor)

    def name(self, tensor: Any) -> str:
        """What a leaf, or the tensor in question, is called."""
        known = self.given.get(id(tensor)) or self.names.leaf(tensor)
        if known:
            return known
        return "loss" if tensor is self.loss else "the tensor"

    def place(self, node: Any) -> str:
        return where(node.mark)

    def called(self, end: Any) -> str:
        """A node or a leaf, for the middle of a sentence."""
        if isinstance(end, Tensor):
            return self.given.get(id(end)) or self.names.leaf(end) or f"a leaf {_type(end)}"
        return self.place(end)

    # The answer

    def answer(self) -> Explanation:
        tensor = self.tensor
        if self.loss is not None and end_of(self.loss) is not None:
            self._look_at(end_of(self.loss))
        elif self.end is not None and self.end is not tensor:
            self._look_at(self.end)
        grad = tensor._grad
        subject = f"{self.name(tensor)}, {self._what()}"
        if grad is None and self.loss is None and self.end is not None and self.end is not tensor:
            return self._result(subject)
        if grad is None:
            cause, reasons, advice = self._why_none()
            return Explanation(subject, "None", cause, tuple(reasons), tuple(advice))
        return self._why_such(subject, grad._array)

    def _what(self) -> str:
        tensor = self.tensor
        node = tensor.grad_fn
        if node is not None:
            return f"the result of {self.place(node)}, {_type(tensor)}"
        kind = "a leaf" if tensor.requires_grad else "a tensor that does not require grad"
        return f"{kind}, {_type(tensor)}"

    # Why it is None

    def _why_none(self) -> _Reasons:
        tensor = self.tensor
        if not tensor.requires_grad:
            return self._why_constant(tensor)
        if self.end is None:
            return "no_grad", ["it is a view, taken under no_grad, of a tensor that requires grad: "
                               "no gradient finds the way to it"], [
                "take the view outside the no_grad block"]  # fmt: skip
        if not tensor.is_leaf and not tensor._retains:
            return self._why_not_leaf()
        loss = self.loss
        if loss is not None and not loss.requires_grad:
            _, reasons, advice = self._why_constant(loss)
            name = self.name(loss)
            return "no graph", [f"{name} itself does not require grad: {reasons[0]}",
                                *reasons[1:], *self._exits()], advice  # fmt: skip
        if loss is not None and Walk(edge_of(loss), self.end).reaches:
            return self._why_not_filled(end_of(loss), self.name(loss))
        living = Living()
        if loss is not None:
            return self._why_not_reached(living)
        if tensor._cleared is not None:
            return "cleared", [_cleared(tensor._cleared)], []
        roots = living.roots(self.end)
        if not roots:
            return self._why_unused()
        self._look_at(roots[0])
        name = self.names.result(roots[0])
        place = self.place(roots[0])
        return self._why_not_filled(roots[0], f"{name}, made by {place}," if name else
                                    f"the result of {place}")  # fmt: skip

    def _why_constant(self, tensor: Any) -> _Reasons:
        """Why a tensor does not require grad, and what it was before it was cut off."""
        kind, lines, advice = constant(tensor)
        cut = cut_of(tensor)
        origin = None if cut is None else cut.origin
        if origin is not None and not isinstance(origin, Tensor):
            if not self.functions:
                self._look_at(origin)
            _, leaves = reachable(origin)
            names = ", ".join(self.called(leaf) for leaf in list(leaves.values())[:6])
            lines.append(f"which depends on {names}")
        elif cut is not None and origin is None and cut.kind in ("detach", "data"):
            lines.append("which is gone: what it depended on is unknown")
        return kind, lines, advice

    def _why_not_leaf(self) -> _Reasons:
        _, leaves = reachable(self.end)
        names = [self.called(leaf) for leaf in leaves.values()]
        lines = ["it is not a leaf: backward() fills the .grad of leaves only"]
        if names:
            lines.append(f"the leaves it was computed from: {', '.join(names[:8])}"
                         + (f" and {len(names) - 8} more" if len(names) > 8 else ""))  # fmt: skip
        name = self.name(self.tensor)
        name = name if _is_place(name) else "it"
        return "not leaf", lines, [f"call {name}.retain_grad() before backward(), or ask for the "
                                   ".grad of a leaf"]  # fmt: skip

    def _why_not_filled(self, root: Any, name: str) -> _Reasons:
        """The graph of `root` leads here, and still there is no gradient."""
        walk = Walk(root, self.end)
        reached = f"{name} depends on it"
        if walk.count > 1:
            reached += f", by {plural(walk.count, 'path')}"
        freed = freed_by(walk.nodes)
        cleared = self.tensor._cleared
        if cleared is not None:
            return "cleared", [_cleared(cleared), reached], []
        if freed is not None:
            return (
                "not filled",
                [
                    reached,
                    f"the graph was walked by {where(freed)}, which did not fill this .grad: "
                    "autograd.grad() returns gradients instead, and backward(inputs=...) fills those "
                    "of its inputs only",
                ],
                [],
            )
        if not any(n.saved.__class__ in FREEABLE for n in walk.nodes):
            return "unknown", [reached, "whether backward() was called is unknown: nothing in "
                               "this graph would have been freed by it"], [
                "call backward() on it"]  # fmt: skip
        return "not called", [reached, "backward() has not been called on it"], []

    def _why_unused(self) -> _Reasons:
        lines = ["no recorded operation that still lives uses it"]
        return "unused", [*lines, "whether an earlier one did is unknown", *self._own_leaf()], []

    def _own_leaf(self) -> list[str]:
        cut = self.tensor._cut
        return [] if cut is None else [f"it was {cut}; since then it is a leaf of its own, which "
                                       "gets the gradients of what is computed from it"]  # fmt: skip

    def _why_not_reached(self, living: Living) -> _Reasons:
        """The loss has a graph, and it does not lead to the tensor."""
        name = self.name(self.loss)
        lines = [f"{name} does not depend on it: no path leads from {name} to it"]
        cause, more = unreached(self.end, end_of(self.loss), living, self.name(self.tensor))
        return cause, lines + more + self._own_leaf() + self._exits(), []

    def _exits(self) -> list[str]:
        """Values computed from the tensor that left the graph as numbers."""
        lines: list[str] = []
        if self.end is None:
            return lines
        for code, offset, held in list(exits.values()):
            origin = None if held is None else held()
            if isinstance(origin, Tensor) and origin is not self.tensor:
                origin = end_of(origin)
            if origin is None:
                continue
            nodes, leaves = reachable(origin)
            if id(self.end) in nodes or id(self.end) in leaves:
                text = f"values computed from it left the graph at {where((code, offset))}"
                if text not in lines:
                    lines.append(text)
        return lines[:3]

    # A tensor that has a graph and is no leaf

    def _result(self, subject: str) -> Explanation:
        cause, reasons, advice = self._why_none()
        freed = freed_by(self.functions)
        if freed is not None:
            reasons.append(f"what its graph kept for backward was freed by {where(freed)}")
        rows = kept(self.functions, self.names)
        return Explanation(subject, "None", cause, tuple(reasons), tuple(advice), kept=rows)

    # Why it is as it is

    def _why_such(self, subject: str, grad: Any) -> Explanation:
        cause, reasons = _judged(grad)
        advice: list[str] = []
        seen, whole, walk = self._flow(reasons)
        paths: tuple[Path, ...] = ()
        if walk is not None and seen is not None:
            self._accumulated(grad, whole, reasons)
            cause, more, advice = _traced(cause, seen, whole)
            reasons += more
            if cause == "zero" and whole is not None and whole.any():
                reasons += self._written()
            paths = self._paths(walk, whole)
        elif cause == "zero":
            reasons += self._written()
        rows = () if self.tensor.is_leaf else kept(self.functions, self.names)
        return Explanation(subject, described(grad), cause, tuple(reasons), tuple(advice), paths,
                           0 if walk is None else walk.count, rows)  # fmt: skip

    def _written(self) -> list[str]:
        """The last write to the gradient's memory."""
        versions = self.tensor._grad._versions
        return [f"its .grad was last written by {where(versions[MARK])}"] if versions[COUNT] else []

    def _flow(self, reasons: list[str]) -> tuple[Any, Any, Any]:
        """A walk from the loss to the tensor; says in `reasons` why there can be none."""
        edge = None if self.loss is None else edge_of(self.loss)
        if edge is None:
            roots = Living().roots(self.end)
            edge = roots[0] if roots else None
            if edge is not None:
                self._look_at(edge)
        if edge is None:
            reasons.append("what made it is unknown: no graph that leads to it lives; "
                           "call backward(retain_graph=True) and explain it then")  # fmt: skip
            return None, None, None
        walk = Walk(edge, self.end)
        if not walk.reaches:
            reasons.append(f"{self.name(self.loss)} does not depend on it: another loss made it")
            return None, None, None
        freed = freed_by(walk.nodes)
        if freed is not None:
            reasons.append(f"what made it: {plural(walk.count, 'path')} from "
                           f"{self.place(getattr(edge, 'node', edge))}; the graph was freed by "
                           f"{where(freed)}, so contributions cannot be told; explain before, or "
                           "with backward(retain_graph=True)")  # fmt: skip
            return None, None, None
        try:
            seen, whole = walk.merged()
        except Exception as error:
            reasons.append(f"what made it cannot be told: {str(error).splitlines()[0]}")
            return None, None, None
        return seen, whole, walk

    def _accumulated(self, grad: Any, whole: Any, reasons: list[str]) -> None:
        """Whether `.grad` is the sum of several backward passes."""
        whole = np.conj(whole) if np.iscomplexobj(whole) else whole
        base = _norm(whole)
        times = round(_norm(grad) / base) if 0 < base < math.inf and _norm(grad) < math.inf else 0
        if times > 1 and np.allclose(grad, times * whole, rtol=1e-3):
            reasons.append(f"it is {times} times the gradient of this loss: .grad adds up until "
                           "zero_grad()")  # fmt: skip
        elif times and not np.allclose(grad, whole, rtol=1e-3, atol=1e-3 * base):
            reasons.append(f"it is not the gradient of this loss alone (norm {number(base)}): "
                           "other passes, hooks or writes changed it")  # fmt: skip

    def _paths(self, walk: Walk, whole: Any) -> tuple[Path, ...]:
        total = _norm(whole)
        made = []
        for norm, trail, _ in walk.paths()[:4]:
            steps = [Step(self._step(n), symbols.symbol(op_name(n), n.name()), _short(n), size)
                     for n, size in trail]  # fmt: skip
            steps.append(Step(self.called(self.tensor) if self.tensor.is_leaf
                              else self._step(self.end), "", "", norm))  # fmt: skip
            share = norm / total if total and math.isfinite(total) else math.nan
            made.append(Path(tuple(steps), norm, share))
        return tuple(made)

    def _step(self, node: Any) -> str:
        return self.names.result(node) or self.names.text(node) or Source(*node.mark).expression \
            or node.name()  # fmt: skip


def _judged(grad: Any) -> tuple[str, list[str]]:
    """One word for a gradient, and the figures behind it."""
    if grad.dtype.kind in "fc":
        for name, test in (("nan", np.isnan), ("inf", np.isinf)):
            count = int(test(grad).sum())
            if count:
                return name, [f"{count} of {plural(grad.size, 'element')} "
                              f"{'is' if count == 1 else 'are'} {name}"]  # fmt: skip
    norm = _norm(grad)
    zeros = int((grad == 0).sum())
    if zeros == grad.size:
        return "zero", []
    lines = [f"its norm is {number(norm)}"]
    if zeros:
        lines.append(f"{zeros} of {plural(grad.size, 'element')} {'is' if zeros == 1 else 'are'} 0")
    return ("huge" if norm > HUGE else "fine"), lines


def _traced(cause: str, seen: Any, whole: Any) -> _Reasons:
    """Which node made a gradient zero, NaN, infinite or huge."""
    if cause == "nan":
        for node, (_, grads) in seen.nodes.items():
            for index, g in enumerate(grads):
                if g is not None and np.isnan(g).any():
                    lines = nan_causes(seen, node, index)
                    advice = [n[7:] for n in lines if n.startswith("to do: ")]
                    lines = [n for n in lines if not n.startswith("to do: ")]
                    return cause, [f"nan first came from the derivative of {where(node.mark)}",
                                   *lines], advice  # fmt: skip
        return cause, ["this loss gives no nan: it was there before, or a hook made it"], []
    if cause == "inf":
        for node, (_, grads) in seen.nodes.items():
            if any(g is not None and flawed(g) for g in grads):
                return cause, [f"it became infinite in the derivative of {where(node.mark)}",
                               *first_flaw(node)], []  # fmt: skip
        return cause, ["this loss gives no infinity: other passes added up to it"], []
    if cause == "zero":
        return _traced_zero(seen, whole)
    if cause == "huge":
        return _traced_huge(seen)
    return cause, [], []


def _traced_zero(seen: Any, whole: Any) -> _Reasons:
    if whole is not None and whole.any():
        return "zero", ["this loss gives a gradient that is not zero: it was set to zero since, or "
                        "other passes cancelled it"], []  # fmt: skip
    for node, (arrived, grads) in seen.nodes.items():
        came = any(a is not None and np.any(a) for a in arrived)
        gave = [g for g in grads if g is not None]
        if came and gave and not any(g.any() for g in gave):
            lines = [f"it became zero in the derivative of {where(node.mark)}"]
            hint = _flat(node)
            return "zero", lines + ([hint] if hint else []), []
    return "zero", ["the contributions of its paths cancel"], []


def _flat(node: Any) -> str:
    """Why the derivative of an operator is zero everywhere, for those that have flat parts."""
    name = "" if node.op is None else node.op.name
    flat = {
        "relu": "relu passes no gradient where its input is not positive, and here it is nowhere",
        "clamp": "clamp passes no gradient where its input is out of bounds, here everywhere",
        "where": "where passes a gradient to the selected branch only, and that is the other one",
        "mul": "the other factor is 0",
        "round": "round is flat", "floor": "floor is flat", "ceil": "ceil is flat",
        "sign": "sign is flat", "trunc": "trunc is flat",
        "tanh": "tanh is flat where its input is large: it is saturated",
        "sigmoid": "sigmoid is flat where its input is large: it is saturated",
    }  # fmt: skip
    return flat.get(name, "")


def _traced_huge(seen: Any) -> _Reasons:
    most: tuple[float, Any] = (0.0, None)
    for node, (arrived, grads) in seen.nodes.items():
        before = max((_norm(a) for a in arrived if a is not None), default=0.0)
        after = max((_norm(g) for g in grads if g is not None), default=0.0)
        if before and after / before > most[0]:
            most = after / before, node
    if most[1] is None:
        return "huge", [], []
    return "huge", [f"the largest growth, {number(most[0])} times, is in the derivative of "
                    f"{where(most[1].mark)}"], []  # fmt: skip


# What a loss does not depend on


def unused(loss: Any, parameters: Any) -> Unused:
    """See `leafgrad.unused`."""
    if not isinstance(loss, Tensor):
        raise TypeError(f"unused() takes the loss, a tensor, not {type(loss).__name__}")
    if hasattr(parameters, "named_parameters"):
        parameters = dict(parameters.named_parameters())
    if not isinstance(parameters, Mapping):
        raise TypeError("unused() takes a Module, or a mapping of names to tensors, not "
                        f"{type(parameters).__name__}")  # fmt: skip
    root = end_of(loss)
    _, leaves = reachable(root)
    missing = {n: p for n, p in parameters.items() if p.requires_grad and id(p) not in leaves}
    if not missing:
        return Unused()
    if root is None:
        _, reasons, _ = constant(loss)
        return Unused(dict.fromkeys(missing, f"the loss does not require grad: {reasons[0]}"))
    living = Living()
    found = Unused()
    for name, parameter in missing.items():
        _, lines = unreached(end_of(parameter), root, living, name)
        found[name] = lines[0]
    return found


def _arguments(mark: Any) -> tuple[str, str]:
    """The names with which `explain(x, loss=loss)` was called, "" where they are no names."""
    expression = Source(*mark).expression or ""
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return "", ""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "print":
        tree = tree.args[0] if tree.args else tree
    if not isinstance(tree, ast.Call) or not tree.args:
        return "", ""
    first = ast.unparse(tree.args[0])
    loss = next((ast.unparse(k.value) for k in tree.keywords if k.arg == "loss"), "")
    return (first if _is_place(first) else ""), (loss if _is_place(loss) else "")


def _is_place(text: str) -> bool:
    """A variable, an attribute or an element: `w`, `net.weight`, `params[0]`."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    return isinstance(tree, (ast.Name, ast.Attribute, ast.Subscript))


def _type(tensor: Any) -> str:
    return f"{tensor.dtype.name}{list(tensor._array.shape)}"


def _cleared(mark: Any) -> str:
    source = Source(*mark)
    text = str(source)
    if source.expression and source.expression.endswith(".grad"):  # an assignment
        line = source.line.strip()
        assigned = f"{source.expression} = None" if ";" in line else line
        text = text.replace(source.expression, assigned, 1)
    return f"it was set to None by {text}, and no backward() has filled it since"


def _short(node: Any) -> str:
    source = node.source()
    name = source.filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{name}:{source.lineno}"
