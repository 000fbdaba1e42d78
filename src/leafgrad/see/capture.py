"""From a recorded graph to a `Graph`: names, expressions, values, gradients.

Recording keeps little: nodes, edges, what derivatives need, and a place in the source. Values are
taken from what is saved; what cannot be known for sure is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..duck import Duck
from ..graph import quiet
from ..graph.engine import fixed, gathered
from ..graph.modes import no_grad
from ..graph.node import OUTPUT, edge_of
from . import symbols
from .modules import Modules, living
from .names import Names, arguments, inputs, is_name, is_parameter, op_name
from .snapshot import GEdge, GNode, Graph, Saved, Source, Summary

# Values that nobody saved are computed again from the operands, for operators that give the same
# result whenever they are called: no random numbers, no state.
_REPEATABLE = frozenset(
    (
        "add", "sub", "rsub", "mul", "div", "neg", "pow", "pow_tensor", "reciprocal",
        "exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sigmoid", "relu", "abs", "sum", "mean",
        "mm", "mv", "matmul", "bmm", "dot", "outer", "addmm", "linear", "select", "slice", "view",
        "unsafe_view", "squeeze", "unsqueeze", "expand", "t", "transpose", "permute", "to_copy",
    )
)  # fmt: skip


def capture(tensor: Any, *, gradients: bool = False, names: Any = None) -> Graph:
    """The graph behind `tensor`: what its gradient flows through, and the constants beside that.

    `names` gives tensors names of their own: a mapping such as `dict(model.named_parameters())`, or
    a Module. Parameters of living modules have their dotted names anyway; others are named as the
    program's text names them. With `gradients`, a backward pass of its own finds the gradient of
    `tensor` (of its sum, if it is no scalar) at every node: it changes no `.grad`, frees nothing
    and runs no hooks. Values are known while the graph has not been freed by a backward pass.
    """
    return Capture(tensor, names or {}, gradients).graph()


class Capture:
    def __init__(self, root: Any, names: Any, gradients: bool) -> None:
        self.root = root
        self.functions = _functions(root.grad_fn)
        self.names = Names(self.functions, type(root))
        self.leaves = _leaves(self.functions)
        model = hasattr(names, "named_parameters")
        roots = {"": names} if model else living([t for t in self.leaves if is_parameter(t)])
        self.modules = Modules(self.functions, self.names, roots)
        self.given = dict(self.modules.parameters)
        for name, tensor in {} if model else names.items():
            self.given[id(tensor if tensor.grad_fn is None else tensor.grad_fn)] = name
        self.grads = _gradients(root, self.functions) if gradients else {}
        self.nodes: list[GNode] = []
        self.edges: list[GEdge] = []
        self.index: dict[int, int] = {}  # id of a Node or of a tensor -> id of its GNode
        self.texts: list[str] = []  # per GNode, what to call it in a formula
        self.values: list[Any] = []  # per GNode, its value when it was used, or None
        self.shares: dict[int, int | None] = {}  # by id of a Node, see _share
        self.kept: list[Any] = []  # objects whose id() is in use

    def graph(self) -> Graph:
        root = self.root
        if not self.functions:
            kind = _leaf_kind(root) if root.requires_grad else "input"
            grad = root.grad if root.requires_grad else None
            self._add(root, kind, self.given.get(id(root), ""), None, root._array, grad)
        for fn in self.functions:
            self._operation(fn)
        used = {node.module for node in self.nodes}
        modules = tuple(
            (path, kind)
            for path, kind in self.modules.classes().items()
            if any(u == path or u.startswith(path + ".") for u in used)
        )
        return Graph(tuple(self.nodes), tuple(self.edges), modules)

    def gradient(self, place: int) -> Any:
        """The gradient of the root by a node's value, None if there is none or it was not asked."""
        return _known(self.grads.get(id(self.kept[place])))

    def _operation(self, fn: Any) -> None:
        source = self.names.source(fn)
        following = inputs(fn)
        names = arguments(fn)
        saved = self.names.saved(fn)
        sources: list[int | None] = []
        operands = self.names.operands(fn)
        for (other, _), operand, argument in zip(following, operands, names, strict=True):
            if other is None:
                sources.append(self._constant(saved.get(argument), _part(source, operand)))
            elif hasattr(other, "variable"):
                sources.append(self._leaf(other.variable, _part(source, operand), fn))
            else:
                sources.append(self.index[id(other)])
        kind = "root" if fn is self.root.grad_fn else "op"
        name = self.given.get(id(fn)) or self.names.result(fn)
        value = self._value(fn, sources, saved)
        grad = self.grads.get(id(fn))
        texts = [
            operand.text if operand else "" if s is None else self.texts[s]
            for s, operand in zip(sources, operands, strict=True)
        ]
        rule = op_name(fn)
        if (
            rule == "matmul"
            and sources[0] is not None
            and len(self.nodes[sources[0]].shape or ()) == 1
        ):
            rule = "vector matmul"
        rule = symbols.rule(rule, [s is not None for s in sources])
        share = self.shares[id(fn)] = self._share(fn, sources, saved)
        formula = symbols.formula(rule, texts, share) or ""
        made = self._add(fn, kind, name, source, value, grad, fn, saved, formula)
        for i, ((other, _), place) in enumerate(zip(following, sources, strict=True)):
            if place is not None:
                factor = None
                if other is not None:
                    factor = symbols.derivative(rule, i, texts, self.texts[made], share)
                self.edges.append(GEdge(place, made, names[i], factor, other is not None))

    def _home(self, leaf: Any) -> str:
        """The module that has a parameter."""
        return self.modules.parameters.get(id(leaf), "").rpartition(".")[0]

    def _share(self, fn: Any, sources: list[int | None], saved: Mapping[str, Any]) -> int | None:
        """How many elements of the first operand make one of the result; None if unknown."""
        if not sources or sources[0] is None or (shape := self.nodes[sources[0]].shape) is None:
            return None
        if "reduction" in getattr(getattr(fn, "op", None), "params", ()):
            if saved.get("reduction") == "sum":
                return 1
            if saved.get("reduction") not in ("mean", "none"):
                return None
        if op_name(fn) == "nll_loss":  # the mean is over the targets that count
            target = None if len(sources) < 2 or sources[1] is None else self.values[sources[1]]
            ignored = saved.get("ignore_index")
            return None if target is None else int((np.asarray(target) != ignored).sum())
        return math.prod(shape) // max(math.prod(fn.shape), 1)

    def _leaf(self, leaf: Any, source: Source | None, fn: Any) -> int:
        if id(leaf) in self.index:
            return self.index[id(leaf)]
        name = self.given.get(id(leaf)) or self.names.leaf(leaf)
        grad = self.grads.get(id(leaf), leaf.grad)
        place = self._add(leaf, _leaf_kind(leaf), name, source, leaf._array, grad)
        if _changed_since(leaf, fn):
            self.values[place] = None  # its value now is shown, but it is not what was used
        return place

    def _constant(self, saved: Any, source: Source | None) -> int | None:
        """A tensor without gradient, or a number; None if nothing shows that there is one."""
        if source is None and saved is None:
            return None
        is_tensor = hasattr(saved, "_array")
        if is_tensor and id(saved) in self.index:
            return self.index[id(saved)]
        text = source.expression if source else "" if is_tensor else repr(saved)
        value = saved._array if is_tensor else saved
        if value is None:
            value = symbols.number(text)
        key = saved if is_tensor else object()
        return self._add(
            key, "input", text if source is None or is_name(text) else "", source, value, None
        )

    def _value(self, fn: Any, sources: list[int | None], saved: dict[str, Any]) -> Any:
        """A node's output: the root's own, a saved one, or computed again from its operands."""
        if fn is self.root.grad_fn:
            return self.root._array
        if getattr(fn, "outputs", 1) > 1:
            return None
        if "out" in saved:
            return getattr(saved["out"], "_array", None)
        for user, i in self.names.users.get(id(fn), ()):
            found = self.names.saved(user).get(arguments(user)[i])
            if found is not None and getattr(found, "grad_fn", None) is fn:
                return found._array
        op: Any = getattr(fn, "op", None)
        if op is None or op.name not in _REPEATABLE:
            return None
        operands = [None if s is None else self.values[s] for s in sources]
        if any(value is None for value in operands):
            return None
        saved = {"dtype": None, **saved}  # what a dtype would change is checked by the result
        if any(name not in saved for name in op.params):
            return None
        return _repeated(fn, operands, [saved[n] for n in op.params])

    def _add(
        self,
        key: Any,
        kind: str,
        name: str,
        source: Source | None,
        value: Any,
        grad: Any,
        fn: Any = None,
        saved: Mapping[str, Any] | None = None,
        formula: str = "",
    ) -> int:
        """Append a node for the tensor or Node `key`, and return its id."""
        place = len(self.nodes)
        value, grad = _known(value), _known(getattr(grad, "_array", grad))
        array = None if value is None else np.asarray(value)
        shape: Any = None
        dtype: Any = ""
        if fn is not None:
            shape, dtype = fn.shape, fn.dtype
        elif isinstance(value, bool | int | float | complex):
            dtype = type(value).__name__
        elif array is not None:
            shape, dtype = array.shape, array.dtype
        self.index[id(key)] = place
        self.kept.append(key)
        self.values.append(value)
        text = (source.expression if source else "") if fn is None else self.names.text(fn)
        self.texts.append(name or text)
        self.nodes.append(
            GNode(
                id=place,
                kind=kind,
                name=name,
                op="" if fn is None else fn.name(),
                symbol="" if fn is None else symbols.symbol(op_name(fn), fn.name()),
                shape=None if shape is None else tuple(int(n) for n in shape),
                dtype=_plain(dtype),
                source=source,
                seq=-1 if fn is None else fn._sequence_nr(),
                saved=tuple(
                    Saved(n, tuple(t.shape), _plain(t.dtype), t._array.nbytes)
                    for n, t in (saved or {}).items()
                    if hasattr(t, "_array")
                ),
                value=None if array is None else Summary.of(array),
                grad=None if grad is None else Summary.of(grad),
                module=self.modules.path(key) if fn is not None else self._home(key),
                formula=formula,
            )
        )
        return place


def _functions(root: Any) -> list[Any]:
    """All operations that lead to `root`, in the order in which they were recorded."""
    if root is None:
        return []
    found = {id(root): root}
    stack = [root]
    while stack:
        for other, _ in inputs(stack.pop()):
            if other is not None and id(other) not in found and not hasattr(other, "variable"):
                found[id(other)] = other
                stack.append(other)
    return sorted(found.values(), key=lambda fn: fn._sequence_nr())


def _leaves(functions: list[Any]) -> list[Any]:
    """The tensors at the ends of a graph, each once."""
    found = {
        id(other.variable): other.variable
        for fn in functions
        for other, _ in inputs(fn)
        if hasattr(other, "variable")
    }
    return list(found.values())


def _gradients(root: Any, functions: list[Any]) -> dict[int, Any]:
    """The gradient of `root` (of its sum) by each node's output and by each leaf, by their id().

    The nodes' own derivatives run, but no hooks: looking must not change what a program does.
    """
    at: dict[int, dict[int, Any]] = {}

    def arrive(edge: Any, g: Any) -> None:
        end, number = (edge.node, edge.number) if edge._kind == OUTPUT else (edge, 0)
        waiting = at.setdefault(id(end), {})
        waiting[number] = waiting[number] + g if number in waiting else g

    if root.requires_grad:
        arrive(edge_of(root), np.ones(root._array.shape, root._array.dtype))
    for node in reversed(functions):
        arrived = [at.get(id(node), {}).get(i) for i in range(node.outputs)]
        if all(g is None for g in arrived):
            continue
        value = gathered(node, arrived) if node.outputs > 1 else arrived[0]
        needs = tuple(edge is not None for edge in node.next)
        token = quiet.enter()
        try:
            with no_grad():
                grads = fixed(node, node.differentiate(value, needs, False))
        finally:
            quiet.leave(token)
        for edge, g in zip(node.next, grads, strict=False):
            if edge is not None and g is not None:
                arrive(edge, g)
    found = {end: next(iter(waiting.values())) for end, waiting in at.items()}
    return {end: g.conj() if np.iscomplexobj(g) else g for end, g in found.items()}


def _known(value: Any) -> Any:
    """The value, or None for what stands for many arrays at once, or for none: inside a vmap."""
    return None if isinstance(value, Duck) else value


def _part(source: Source | None, operand: symbols.Operand | None) -> Source | None:
    """Where an operand of an expression stands."""
    if source is None or operand is None:
        return None
    if source.column < 0 or source.line != source.end_line:
        return Source(operand.text, source.file, source.line, source.function)
    return Source(
        operand.text,
        source.file,
        source.line,
        source.function,
        source.column + operand.column,
        source.line,
        source.column + operand.end_column,
    )


def _plain(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _leaf_kind(leaf: Any) -> str:
    return "parameter" if is_parameter(leaf) else "leaf"


def _changed_since(leaf: Any, fn: Any) -> bool:
    from ..tensor import TICK

    return bool(leaf._versions[TICK] > fn._sequence_nr())


def _repeated(fn: Any, operands: list[Any], params: list[Any]) -> Any:
    """The operator applied to the same operands again, if that gives what was recorded."""
    from ..graph.operator import promoted

    try:
        arrays = operands if fn.op.promote is None else promoted(fn.op, operands)
        with np.errstate(all="ignore"):
            result = np.asarray(fn.op.forward(*arrays, *params))
    except Exception:
        return None
    same = result.shape == tuple(fn.out_shape) and result.dtype == fn.out_dtype
    return result if same else None
