"""Which module a node was recorded in, and the dotted names of parameters.

Nothing is recorded for this. A parameter's name says where it belongs; a node's place in the source
says whose method ran and, mostly, which module it called; what is left lies, in time, between nodes
whose module is known. Where that leaves a doubt, a node belongs to the module around.
"""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from . import symbols
from .names import Names, inputs, op_name

Path = tuple[str, ...]


def living(leaves: Sequence[Any]) -> dict[str, Any]:
    """The outermost living modules that hold any of these leaves, by a prefix for their names."""
    nn = sys.modules.get(f"{__package__.rpartition('.')[0]}.nn.module")
    if nn is None:
        return {}
    wanted = {id(leaf) for leaf in leaves}
    # By their type: isinstance() would ask proxies for their __class__, and wake them.
    modules = [
        m for m in gc.get_objects() if issubclass(type(m), nn.Module) and "_modules" in m.__dict__
    ]
    inner = {id(child) for m in modules for child in m._modules.values()}
    found = [m for m in modules if id(m) not in inner
             and any(id(p) in wanted for p in m.parameters())]  # fmt: skip
    if len(found) == 1:
        return {"": found[0]}
    prefixes: dict[str, Any] = {}
    for module in found:
        name = type(module).__name__
        while name in prefixes:
            name += "'"
        prefixes[name] = module
    return prefixes


class Modules:
    """The modules around the operations of a graph, given in the order of their recording.

    roots: the outermost modules, by what their paths begin with
    """

    def __init__(self, functions: list[Any], names: Names, roots: Mapping[str, Any]) -> None:
        self.names = names
        self.modules: dict[Path, Any] = {}
        self.parameters: dict[int, str] = {}  # id of a parameter -> its dotted name
        for prefix, root in roots.items():
            for path, module in root.named_modules(prefix=prefix):
                self.modules[_split(path)] = module
            for path, parameter in root.named_parameters(prefix=prefix):
                self.parameters.setdefault(id(parameter), path)
        self.paths: dict[int, Path] = {}  # id of a Node -> path of its module
        if self.modules:
            self._resolve(functions)

    def path(self, fn: Any) -> str:
        """The dotted path of a node's module, "" for none."""
        return ".".join(self.paths.get(id(fn), ()))

    def classes(self) -> dict[str, str]:
        """The class of every module, by its path."""
        return {".".join(p): type(m).__name__ for p, m in self.modules.items() if p}

    def _resolve(self, functions: list[Any]) -> None:
        methods = self._methods()
        anchors = self._anchors(functions)
        frames: list[Path | None] = []  # per node, the module whose method recorded it
        latest: dict[Any, int] = {}  # per code, the offset of its newest node
        following = self._next_anchors(functions, anchors)
        last: Path = ()
        for i, fn in enumerate(functions):
            last = anchors.get(id(fn), last)
            code, offset = fn.mark
            owners = methods.get(code, [])
            goes_on = latest.get(code, -1) <= offset
            latest[code] = offset
            near = (last, following[i]) if goes_on else (following[i], last)
            frames.append(
                next((o for a in near for o in owners if a[: len(o)] == o),
                     owners[0] if owners else None))  # fmt: skip
        runs: list[tuple[int, int]] = []  # stretches of nodes that one expression recorded
        for i, fn in enumerate(functions):
            if i and functions[i - 1].mark == fn.mark and frames[i - 1] == frames[i]:
                runs[-1] = (runs[-1][0], i + 1)
            else:
                runs.append((i, i + 1))
        for start, end in runs:
            self._run(functions[start:end], frames[start], anchors)

    def _run(self, run: list[Any], frame: Path | None, anchors: Mapping[int, Path]) -> None:
        called = self._called(run[0], frame)
        around = frame or ()
        inside = called if called is not None else around
        known = [anchors.get(id(fn)) for fn in run]
        # An anchor counts if its module may have been called: `F.linear(x, self.table.weight)`
        # calls none.
        function = called is None and self._calls_no_module(run[0])
        known = [None if a is None or function or a[: len(inside)] != inside else a for a in known]
        for i, fn in enumerate(run):
            path = known[i]
            if path is None and not function:
                before = next((a for a in reversed(known[:i]) if a is not None), None)
                after = next((a for a in known[i + 1 :] if a is not None), None)
                path = self._between(fn, inside, before, after)
            self.paths[id(fn)] = around if path is None else path

    def _between(
        self, fn: Any, inside: Path, before: Path | None, after: Path | None
    ) -> Path | None:
        """The module of a node without parameters, called between two others."""
        if before == after and before is not None:
            return before
        ends = [a for a in (before, after) if a is not None]
        parent = _common(ends) if len(ends) == 2 else ends[0][:-1] if ends else inside
        if len(parent) < len(inside):
            parent = inside
        module = self.modules.get(parent)
        if type(module).__name__ != "Sequential":
            return before if before is not None and before[: len(inside)] == inside else inside
        children = list(module._modules)
        first = children.index(before[len(parent)]) + 1 if _below(before, parent) else 0
        last = children.index(after[len(parent)]) if _below(after, parent) else len(children)
        free = [c for c in children[first:last] if next(module._modules[c].parameters(), None)
                is None]  # fmt: skip
        if len(free) != 1:
            op = symbols.words(op_name(fn)).replace(" ", "")
            free = [c for c in free if type(module._modules[c]).__name__.lower() in op][:1]
        return (*parent, free[0]) if free else parent

    def _methods(self) -> dict[Any, list[Path]]:
        """The modules that own a piece of code, by the code."""
        found: dict[Any, list[Path]] = {}
        for path, module in self.modules.items():
            for kind in type(module).__mro__:
                for method in vars(kind).values():
                    code = getattr(method, "__code__", None)
                    if code is not None:
                        found.setdefault(code, []).append(path)
        for paths in found.values():
            paths.sort(key=len, reverse=True)
        return found

    def _anchors(self, functions: list[Any]) -> dict[int, Path]:
        """The modules of nodes that use a parameter, or nothing but a module's parameters."""
        found: dict[int, Path] = {}
        alone: set[int] = set()
        for fn in functions:
            ends = [other for other, _ in inputs(fn) if other is not None]
            named = [self.parameters.get(id(getattr(e, "variable", None))) for e in ends]
            own = [_split(n)[:-1] for n in named if n]
            inner = [found[id(e)] for e in ends if id(e) in alone]
            same = len(set(own + inner)) == 1 and len(own) + len(inner) == len(ends)
            if own or same:
                found[id(fn)] = (own + inner)[0]
                if same:
                    alone.add(id(fn))
        return found

    def _next_anchors(self, functions: list[Any], anchors: Mapping[int, Path]) -> list[Path]:
        found: list[Path] = []
        following: Path = ()
        for fn in reversed(functions):
            following = anchors.get(id(fn), following)
            found.append(following)
        return found[::-1]

    def _called(self, fn: Any, frame: Path | None) -> Path | None:
        """The module that an expression such as `self.mlp(x)` calls, if it can be read there."""
        tree = self._tree(fn)
        if frame is None or not isinstance(tree, ast.Call):
            return None
        parts: list[str] = []
        target: ast.expr = tree.func
        while isinstance(target, ast.Attribute | ast.Subscript):
            if isinstance(target, ast.Attribute):
                parts.append(target.attr)
            elif isinstance(target.slice, ast.Constant):
                parts.append(str(target.slice.value))
            else:
                return None
            target = target.value
        path = (*frame, *reversed(parts))
        is_self = isinstance(target, ast.Name) and target.id == "self"
        return path if is_self and parts and path in self.modules else None

    def _calls_no_module(self, fn: Any) -> bool:
        """Whether an expression is an operator, or calls a function or method of tensors."""
        tree = self._tree(fn)
        if not isinstance(tree, ast.Call):
            return tree is not None
        source = self.names.source(fn)
        return source is not None and bool(
            symbols.called(source.expression, self.names.tensor_type)
        )

    def _tree(self, fn: Any) -> ast.expr | None:
        source = self.names.source(fn)
        try:
            return ast.parse(source.expression, mode="eval").body if source else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _split(path: str) -> Path:
    return tuple(path.split(".")) if path else ()


def _common(paths: Sequence[Path]) -> Path:
    shared = 0
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared += 1
    return paths[0][:shared]


def _below(path: Path | None, parent: Path) -> bool:
    return path is not None and len(path) > len(parent) and path[: len(parent)] == parent
