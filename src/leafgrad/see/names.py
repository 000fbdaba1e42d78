"""What the program's text calls the values of a graph.

A recorded node knows its expression, nothing more. Which variable holds its result, and which text
belongs to which operand, follows from the syntax; where that leaves a doubt, there is no name.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from typing import Any

from ..graph.node import function_of
from ..graph.saved import entries, opened_entry
from . import symbols
from .snapshot import Source


class Names:
    """The names around some operations of a graph, given in the order of their recording."""

    def __init__(self, functions: list[Any], tensor_type: type) -> None:
        self.functions, self.tensor_type = functions, tensor_type
        self.users: dict[int, list[tuple[Any, int]]] = {}  # by id(): who uses it, as which operand
        for fn in functions:
            for i, (other, _) in enumerate(inputs(fn)):
                if other is not None:
                    self.users.setdefault(id(other), []).append((fn, i))
        # Loops record the same expression many times: what is read from it is kept by its place.
        self._places: dict[Any, tuple[Source | None, tuple[str, ...]]] = {}
        self._syntax: dict[tuple[str, int, tuple[str, ...]], list[symbols.Operand]] = {}
        self._saved: dict[int, dict[str, Any]] = {}
        self._wanted: dict[str, frozenset[str]] = {}
        self._leaves: dict[int, str] = {}
        for fn in functions:
            for (other, _), operand in zip(inputs(fn), self.operands(fn), strict=True):
                if operand and hasattr(other, "variable") and is_name(operand.text):
                    self._leaves.setdefault(id(other.variable), operand.text)

    def source(self, fn: Any) -> Source | None:
        """The expression that recorded a node."""
        return self._place(fn)[0]

    def leaf(self, tensor: Any) -> str:
        """What a leaf is called where it is first used."""
        return self._leaves.get(id(tensor), "")

    def text(self, fn: Any) -> str:
        """What to write for a node's result in a formula; "" if the program has no text for it."""
        source = self.source(fn)
        if source is None or self._is_passing(fn):
            return ""
        return self.result(fn) or source.expression

    def result(self, fn: Any) -> str:
        """The variable that holds a node's result: what is assigned, or what its users call it."""
        if self._is_passing(fn):
            return ""
        users = self.users.get(id(fn), ())
        for target in self._place(fn)[1]:
            if "," not in target:
                return target
        called = {operand.text if (operand := self.operands(user)[i]) else "" for user, i in users}
        name = min(called) if len(called) == 1 and is_name(min(called)) else ""
        source = self.source(fn)
        return "" if source is not None and source.expression == name else name  # such as `w.T`

    def operands(self, fn: Any) -> list[symbols.Operand | None]:
        """The texts of a node's operands, each None where the expression does not tell."""
        following = inputs(fn)
        source = self.source(fn)
        none: list[symbols.Operand | None] = [None] * len(following)
        if source is None:
            return none
        function = symbols.called(source.expression, self.tensor_type)
        if self._is_part(fn):
            # Of several nodes recorded by one expression, those that take something from outside
            # take the expression's only tensor; but a module has tensors of its own.
            owned = not function and symbols.syntax(source.expression) != "BinOp"
            only = [] if owned else self._parsed(source.expression, 1)
            return [
                only[0]
                if only and other is not None and not self._is_inside(other, fn, i)
                else None
                for i, (other, _) in enumerate(following)
            ]
        found = self._parsed_for(fn, source)
        if len(found) > 1 and function and not _is_same(function, fn, source):
            return none  # `F.linear(x, w, b)` records addmm(b, x, w.T)
        operands = [*self._in_order(fn, source, found), *none][: len(none)]
        if not function and symbols.syntax(source.expression) == "Call":
            for i, (other, _) in enumerate(following):
                if is_parameter(getattr(other, "variable", None)):
                    operands[i] = None  # the module's own, not what it was called with
        return operands

    def _parsed_for(self, fn: Any, source: Source) -> list[symbols.Operand]:
        """The expression's operands, if there are as many as the node's; optional ones may lack."""
        names = arguments(fn)
        count = len(names)
        found = self._parsed(source.expression, count, names)
        while not found and count > 1 and symbols.syntax(source.expression) != "BinOp":
            count -= 1
            if inputs(fn)[count][0] is not None or self.saved(fn).get(names[count]) is not None:
                break
            found = self._parsed(source.expression, count, names)
        return found

    def saved(self, fn: Any) -> dict[str, Any]:
        """What a node saved, by its operator's names; nothing if it was freed or written to."""
        if id(fn) not in self._saved:
            self._saved[id(fn)] = _saved_values(fn)
        return self._saved[id(fn)]

    def _in_order(
        self, fn: Any, source: Source, found: list[symbols.Operand]
    ) -> list[symbols.Operand]:
        """Operands in the node's order: `c - x` and `c * x` with a number c record x first."""
        if len(found) != 2 or symbols.syntax(source.expression) != "BinOp":
            return found
        name = op_name(fn)
        if name in ("rsub", "rsub_scaled", "pow_base"):
            return found[::-1]
        (first, _), (second, _) = inputs(fn)
        if name not in ("add", "add_scaled", "mul") or first is None or second is not None:
            return found
        # A number has no shape of its own, and is not saved as a tensor.
        if hasattr(self.saved(fn).get("other"), "_array") or tuple(fn.shape) != tuple(first.shape):
            return found
        for order in (found, found[::-1]):
            if symbols.number(order[1].text) is not None or order[0].text in self._known(first):
                return order
        wanted = self._wanting(source.file)
        given = [operand.text in wanted for operand in found]
        return found[:: 1 if given[0] else -1] if given[0] != given[1] else []

    def _known(self, fn: Any) -> tuple[str, ...]:
        """What a node's result or a leaf is called, by other places than this use of it."""
        if hasattr(fn, "variable"):
            return (self.leaf(fn.variable),)
        source, targets = self._place(fn)
        return (*targets, source.expression if source else "")

    def _is_passing(self, fn: Any) -> bool:
        """Whether its result is only a step on the way to that of its expression."""
        return any(self._is_inside(fn, user, i) for user, i in self.users.get(id(fn), ()))

    def _is_part(self, fn: Any) -> bool:
        """Whether its expression recorded other nodes, too."""
        return any(
            self._is_inside(other, fn, i)
            for i, (other, _) in enumerate(inputs(fn))
            if other is not None and not hasattr(other, "variable")
        ) or self._is_passing(fn)

    def _is_inside(self, fn: Any, user: Any, i: int) -> bool:
        """Whether `user` computes on with `fn` within one expression.

        In a loop an expression takes up its own last result, but then by the variable's name.
        """
        if hasattr(fn, "variable"):
            return False
        source, targets = self._place(fn)
        if source is None or source != self.source(user):
            return False
        operands = self._parsed_for(user, source)
        return i >= len(operands) or operands[i].text not in targets

    def _parsed(
        self, expression: str, count: int, names: tuple[str, ...] = ()
    ) -> list[symbols.Operand]:
        key = expression, count, names
        if key not in self._syntax:
            self._syntax[key] = symbols.operands(expression, count, self.tensor_type, names)
        return self._syntax[key]

    def _place(self, fn: Any) -> tuple[Source | None, tuple[str, ...]]:
        """A node's source, and the names that its statement assigns."""
        key = getattr(fn, "mark", id(fn))
        if key not in self._places:
            found = fn.source()
            self._places[key] = (_source(found), found.targets) if found is not None else (None, ())
        return self._places[key]

    def _wanting(self, file: str) -> frozenset[str]:
        """The variables of a file that are made to want a gradient."""
        if file not in self._wanted:
            try:
                tree = ast.parse("".join(linecache.getlines(file)))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                tree = ast.Module([], [])
            self._wanted[file] = frozenset(_made_to_want(tree))
        return self._wanted[file]


def _made_to_want(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and _wants(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (ast.unparse(target) for target in targets)
        elif isinstance(node, ast.arguments):
            both = [*node.posonlyargs, *node.args]
            defaults = zip(both[len(both) - len(node.defaults) :], node.defaults, strict=True)
            for argument, default in (
                *defaults,
                *zip(node.kwonlyargs, node.kw_defaults, strict=True),
            ):
                if default is not None and _wants(default):
                    yield argument.arg


def _wants(value: ast.expr) -> bool:
    """Whether an expression says `requires_grad` or makes a Parameter."""
    for node in ast.walk(value):
        if isinstance(node, ast.keyword) and node.arg == "requires_grad":
            return True
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if name in ("requires_grad_", "Parameter"):
            return True
    return False


def _source(found: Any) -> Source | None:
    if not found.expression:
        return None
    return Source(
        found.expression,
        found.filename,
        found.lineno,
        found.function,
        -1 if found.col_offset is None else found.col_offset,
        found.end_lineno,
        -1 if found.end_col_offset is None else found.end_col_offset,
    )


def is_name(text: str) -> bool:
    """A variable or an attribute: `w`, `self.weight`."""
    return bool(text) and all(part.isidentifier() for part in text.split("."))


# What else a function may record with its arguments in their order.
_RECORDS = {
    "matmul": ("mm", "mv", "dot", "bmm"),
    "multiply": ("mul",),
    "subtract": ("sub",),
    "divide": ("div",),
    "true_divide": ("div",),
}


def _is_same(function: str, fn: Any, source: Source) -> bool:
    """Whether a function records a node whose operands are its own arguments in their order."""
    name = function.rstrip("_")
    if name == "where" and symbols.short(source.expression) == source.expression:
        return False  # x.where(condition, y)
    known = {symbols.words(op_name(fn)), symbols.words(fn.name())}
    return symbols.words(name) in known or op_name(fn) in _RECORDS.get(name, ())


def inputs(fn: Any) -> tuple[tuple[Any, int], ...]:
    """For each tensor argument of a node: the node its gradient goes to, and which output of that.

    `next_functions` leaves out, as PyTorch does, arguments that never have a gradient.
    """
    return tuple(function_of(edge) for edge in fn.next)


def arguments(fn: Any) -> tuple[str, ...]:
    """The names of a node's operands, "" where they have none."""
    op, count = getattr(fn, "op", None), len(inputs(fn))
    if op is None or op.variadic:
        return ("",) * count
    return (*op.tensors, *("",) * count)[:count]


def is_parameter(tensor: Any) -> bool:
    return any(kind.__name__ == "Parameter" for kind in type(tensor).__mro__)


def op_name(fn: Any) -> str:
    """The operator's own name, else the node's."""
    op = getattr(fn, "op", None)
    return fn.name() if op is None else op.name


def _saved_values(fn: Any) -> dict[str, Any]:
    op: Any = getattr(fn, "op", None)
    if op is None:
        return {}
    known = (*op.tensors, *op.params, "out")
    try:
        kept = entries(fn)
        return {
            name: opened_entry(fn, name, None)
            for name in known
            if name in kept and (kept[name] is not None or name in op.params)
        }
    except RuntimeError:  # freed, or written to since
        return {}
