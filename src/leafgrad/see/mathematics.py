"""`leafgrad.latex` and `leafgrad.sympy`: what a small graph computes, as mathematics.

LaTeX is written from the whole tensors, as people do. SymPy gets an expression for each element,
so that it can differentiate: its derivatives are an independent check of the recorded ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import formula, symbols
from .capture import Capture
from .names import op_name

_LARGEST_TREE = 600  # pieces of a formula; nobody reads more
_LARGEST = 400  # elements of an array

_SHAPES = frozenset(
    ("view", "unsafe view", "reshape alias", "squeeze", "squeeze dim", "squeeze dims", "unsqueeze",
     "expand", "clone", "to copy", "alias")
)  # fmt: skip


def latex(tensor: Any, wrt: Any, names: Any) -> str:
    """See `leafgrad.latex`."""
    if wrt is not None:
        return _derivative_latex(tensor, wrt, names)
    found = Capture(tensor, names or {}, False)
    graph = found.graph()
    if not graph.edges:
        return formula.latex(formula.parse(graph.nodes[0].name or "x"))
    trees: dict[int, Any] = {}
    sizes: dict[int, int] = {}
    operands: list[list[int]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        operands[edge.dst].append(edge.src)
    for node, fn in zip(graph.nodes, found.kept, strict=True):
        if not node.is_op:
            value = node.value.values if node.value is not None else None
            number = isinstance(value, float | int) and not node.name and node.shape in ((), None)
            expression = node.source.expression if node.source else ""
            text = node.name or (f"{value:g}" if number else expression) or f"x_{node.id}"
            trees[node.id], sizes[node.id] = formula.parse(text), 1
            continue
        parts = operands[node.id]
        sizes[node.id] = 3 + sum(sizes[u] for u in parts)
        if sizes[node.id] > _LARGEST_TREE:
            raise ValueError("this graph is too large to be written as one formula; "
                             "leafgrad.graph(tensor) draws it")  # fmt: skip
        trees[node.id] = _tree(node, fn, [trees[u] for u in parts], found)
    return formula.latex(trees[graph.nodes[-1].id])


def _tree(node: Any, fn: Any, parts: list[Any], found: Capture) -> Any:
    """An operator's formula with its operands' formulas in it."""
    marks = [f"operand{i}" for i in range(len(parts))]
    given = [True] * len(parts) + [False] * (len(fn.next) - len(parts))
    rule = symbols.rule(op_name(fn), given)
    text = symbols.formula(rule, marks, found.shares.get(id(fn))) if rule else None
    if text is None:
        return ("call", symbols.words(node.op), tuple(parts))
    return _filled(formula.parse(text), dict(zip(marks, parts, strict=True)))


# What has to stand in parentheses, by what it is an operand of.
_LOOSE = frozenset(("+", "-", "neg", "="))
_TIGHT = frozenset((*_LOOSE, "·", "@", "⊗", "/", "pow"))
_NEEDS = {"·": _LOOSE, "@": _LOOSE, "⊗": _LOOSE, "neg": _LOOSE, "-": _LOOSE, "pow": _TIGHT,
          "T": _TIGHT, "sub": _TIGHT}  # fmt: skip


def _filled(tree: Any, parts: dict[str, Any], around: str = "") -> Any:
    if tree[0] == "name" and tree[1] in parts:
        part = parts[tree[1]]
        return ("group", part) if part[0] in _NEEDS.get(around, ()) else part
    if tree[0] == "group" and tree[1][0] == "name":
        return _filled(tree[1], parts, around)
    if tree[0] == "call":
        return (tree[0], tree[1], tuple(_filled(argument, parts) for argument in tree[2]))
    return (
        tree[0], *(_filled(t, parts, tree[0]) if isinstance(t, tuple) else t for t in tree[1:])
    )  # fmt: skip


# ---- SymPy


def sympy(tensor: Any, names: Any = None) -> Any:
    """See `leafgrad.sympy`."""
    return Symbolic(tensor, names).result


class Symbolic:
    """The elements of every node of a graph as SymPy's expressions."""

    def __init__(self, tensor: Any, names: Any) -> None:
        import sympy

        self.sympy = sympy
        found = Capture(tensor, names or {}, False)
        graph = found.graph()
        given = set() if names is None or hasattr(names, "parameters") else set(names)
        self.leaves: dict[int, Any] = {}  # id of a leaf -> its symbols
        self.arrays: list[Any] = []
        operands: list[dict[str, Any]] = [{} for _ in graph.nodes]
        for edge in graph.edges:
            operands[edge.dst].setdefault(edge.label, []).append(edge.src)
        taken: set[str] = set()
        for node, key in zip(graph.nodes, found.kept, strict=True):
            size = math.prod(node.shape or ())
            if size > _LARGEST:
                raise ValueError(f"{node.type} is too large for symbols: at most {_LARGEST} "
                                 "elements")  # fmt: skip
            if node.is_op:
                parts = [self.arrays[u] for us in operands[node.id].values() for u in us]
                array = self._apply(node, key, parts, found)
            elif node.kind == "input" and node.name not in given:
                array = self._constant(node, found.values[node.id])
            else:
                array = self._symbols(node, taken)
                self.leaves[id(key)] = array
            self.arrays.append(array)
        last = self.arrays[-1]
        self.result = last[()] if last.ndim == 0 else last

    def _symbols(self, node: Any, taken: set[str]) -> Any:
        name = (node.name or f"x{node.id}").replace(".", "_")
        name = name if name[0].isalpha() else f"p{name}"
        while name in taken:
            name += "'"
        taken.add(name)
        array = np.empty(tuple(node.shape or ()), object)
        for index in np.ndindex(*array.shape):
            text = "_".join([name, *map(str, index)])
            array[index] = self.sympy.Symbol(text, real=True)
        return array

    def _constant(self, node: Any, value: Any) -> Any:
        if value is None:
            raise ValueError(f"the value of {node.name or node.type} is not known any more; call "
                             "sympy() before backward(), or name it with `names`")  # fmt: skip
        array = np.empty(np.shape(value), object)
        for index in np.ndindex(*array.shape):
            number = np.asarray(value)[index].item()
            whole = isinstance(number, float) and number.is_integer()
            array[index] = self.sympy.sympify(int(number) if whole else number)
        return array

    def _each(self, function: Any, *arrays: Any) -> Any:
        return np.frompyfunc(function, len(arrays), 1)(*arrays)

    def _apply(self, node: Any, fn: Any, parts: list[Any], found: Capture) -> Any:
        """The operator on arrays of expressions."""
        name = op_name(fn)
        saved = found.names.saved(fn)
        a: Any = parts[0] if parts else None
        b: Any = parts[1] if len(parts) > 1 else None
        made: Any = None
        if symbols.words(name) in _SHAPES:
            made = np.broadcast_to(a, fn.shape) if name == "expand" else a.reshape(fn.shape)
        elif name in ("add", "sub", "mul", "div", "pow", "pow_tensor", "matmul", "mm", "mv", "dot",
                      "bmm", "outer", "rsub", "pow_base") and b is not None:  # fmt: skip
            made = {
                "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide,
                "outer": np.multiply.outer, "rsub": lambda x, y: y - x,
                "pow": np.power, "pow_tensor": np.power, "pow_base": lambda x, y: y**x,
            }.get(name, np.matmul)(a, b)  # fmt: skip
        elif name == "linear":
            made = np.matmul(a, b.T)
            made = made + parts[2] if len(parts) > 2 else made
        elif name in ("addmm", "addmv") and {saved.get("beta", 1), saved.get("alpha", 1)} == {1}:
            made = a + np.matmul(b, parts[2])
        elif name in ("sum", "mean"):
            axes: Any = saved.get("dim")  # not there where the operator is over all dimensions
            axes = tuple(axes) or None if isinstance(axes, tuple | list) else axes
            made = np.sum(a, axes, keepdims=bool(saved.get("keepdim")))
            made = np.asarray(made, object)
            if name == "mean":
                made = made / self.sympy.Integer(a.size // max(made.size, 1))
        elif name in ("mse_loss", "binary_cross_entropy_with_logits") and len(parts) == 2:
            logits = name != "mse_loss"
            log, exp = self.sympy.log, self.sympy.exp
            made = self._each(lambda x: log(1 + exp(x)), a) - a * b if logits else (a - b) ** 2
            if saved.get("reduction") in ("mean", "sum"):
                count = made.size if saved["reduction"] == "mean" else 1
                made = np.asarray(made.sum() / self.sympy.Integer(count), object)
            elif saved.get("reduction") != "none":
                made = None
        elif (function := self._function(name)) is not None and len(parts) == 1:
            made = self._each(function, a)
        elif fn.op is not None and all(p in saved for p in fn.op.params) and name in (
            "t", "transpose", "permute", "select", "slice", "cat", "stack"
        ):  # fmt: skip
            made = fn.op.forward(*parts, **{p: saved[p] for p in fn.op.params})
        if made is None or np.shape(made) != tuple(fn.shape):
            where = f" ({node.source.expression})" if node.source else ""
            raise ValueError(f"there is no symbolic form of {node.op}{where}")
        return np.asarray(made, object)

    def _function(self, name: str) -> Any:
        s = self.sympy
        own = {
            "neg": lambda x: -x, "reciprocal": lambda x: 1 / x, "abs": s.Abs,
            "sigmoid": lambda x: 1 / (1 + s.exp(-x)), "relu": lambda x: s.Max(0, x),
            "log1p": lambda x: s.log(1 + x), "expm1": lambda x: s.exp(x) - 1,
            "rsqrt": lambda x: 1 / s.sqrt(x), "silu": lambda x: x / (1 + s.exp(-x)),
            "log_sigmoid": lambda x: -s.log(1 + s.exp(-x)),
        }  # fmt: skip
        same = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos",
                "atan", "erf", "sign")  # fmt: skip
        return getattr(s, name) if name in same else own.get(name)


def _derivative_latex(tensor: Any, wrt: Any, names: Any) -> str:
    """The derivatives of a scalar by the elements of a leaf, in LaTeX."""
    found = Symbolic(tensor, names)
    if id(wrt) not in found.leaves:
        raise ValueError("this graph does not depend on the tensor given as `wrt`, or it is no "
                         "leaf of it")  # fmt: skip
    if isinstance(found.result, np.ndarray):
        raise ValueError("the derivative of a scalar can be written, not that of an array")
    by = found.leaves[id(wrt)]
    grads = np.frompyfunc(lambda x: found.sympy.diff(found.result, x), 1, 1)(by)
    if by.ndim == 0:
        return str(found.sympy.latex(grads))
    return str(found.sympy.latex(found.sympy.Array(np.asarray(grads).tolist())))
