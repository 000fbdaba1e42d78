"""`leafgrad.watch`: the graphs of several iterations, where they differ, and how gradients fare.

Each backward pass is preceded by one of the watcher's own, which finds the gradient at every node;
it changes nothing. Graphs of one structure are kept once, with every iteration's figures.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .capture import Capture
from .listen import before_backward
from .names import op_name
from .page import Writer, written
from .recorder import Thinned
from .snapshot import GNode, Graph
from .symbols import words

VANISHING = 1e-6
"""An element's gradient is called vanishing below this share of the largest among parameters."""
EXPLODING = 1e3
"""An element's gradient is called exploding above this."""

_MOST_WORDS = 12


@dataclass
class Iteration:
    """One backward pass: which of the graphs it had, its loss, and a figure for every node.

    `grads` and `values` are norms, None where they are not known; `notes` says in words what is
    wrong; `new` are the nodes that the iteration before had not, `changes` says so in words.
    """

    number: int
    graph: int
    loss: float
    grads: list[float | None]
    values: list[float | None]
    notes: list[str] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    changes: str = ""


class Watcher:
    """What `leafgrad.watch` gives: it records until its block ends, then writes the page.

        with leafgrad.watch("watch.html"):
            for x, y in data:
                loss = loss_fn(model(x), y)
                loss.backward()
                optimizer.step()

    `every` looks at each so manieth backward pass only; at most `most` evenly spread ones are kept.
    """

    def __init__(
        self, path: str | os.PathLike[str] = "leafgrad-watch.html", *, every: int = 1,
        most: int = 60, title: str = "",
    ) -> None:  # fmt: skip
        self.path, self.every, self.title = Path(path), every, title
        self.graphs: list[Graph] = []
        self._known: dict[object, int] = {}  # structure -> index of its graph
        self._kept = Thinned(most)
        self._count = 0
        self._stack = ExitStack()

    def __enter__(self) -> Watcher:
        self._stack.enter_context(before_backward(self.look))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        if self._kept.newest is not None:
            self.write()

    def look(self, root: Any) -> None:
        """Record the graph behind a tensor, as every backward pass inside the block does."""
        number, self._count = self._count, self._count + 1
        if number % self.every or not root.requires_grad:
            return
        try:
            found = Capture(root, {}, True)
            graph = found.graph()
        except RuntimeError:  # it was freed, or written to: backward itself will say so
            return
        keys = [_key(node) for node in graph.nodes]
        structure = tuple(keys), tuple((e.src, e.dst) for e in graph.edges)
        index = self._known.setdefault(structure, len(self.graphs))
        if index == len(self.graphs):
            self.graphs.append(graph)
        grads = [_array(found.gradient(node.id)) for node in graph.nodes]
        array = root._array
        self._kept.add(number // self.every, Iteration(
            number, index, float(array) if array.size == 1 else math.nan,
            [_norm(g) for g in grads],
            [_norm(_array(found.values[node.id])) for node in graph.nodes],
            _health(found, graph.nodes, grads),
        ))  # fmt: skip

    @property
    def iterations(self) -> list[Iteration]:
        """What was recorded, each with how it differs from the one before."""
        found = [entry for _, entry in self._kept.all()]
        for before, after in pairwise(found):
            after.new, after.changes = [], ""
            if before.graph != after.graph:
                after.new, after.changes = differences(
                    self.graphs[before.graph], self.graphs[after.graph], before.number
                )
        return found

    def write(self) -> Path:
        """Write the page."""
        used = sorted({iteration.graph for iteration in self.iterations})
        graphs = [self.graphs[i] for i in used]
        writer = Writer()
        data = writer.data([writer.graph(graph) for graph in graphs])
        ids: dict[object, int] = {}
        for graph, made in zip(graphs, data["graphs"], strict=True):
            seen: dict[object, int] = {}
            for node, entry in zip(graph.nodes, made["nodes"], strict=True):
                key = _key(node)
                seen[key] = seen.get(key, 0) + 1
                entry["id"] = ids.setdefault((key, seen[key]), len(ids))
        data["iterations"] = [
            {"n": i.number, "graph": used.index(i.graph), "loss": _figure(i.loss),
             "g": [_figure(v) for v in i.grads], "v": [_figure(v) for v in i.values],
             "notes": i.notes, "new": i.new, "changes": i.changes}
            for i in self.iterations
        ]  # fmt: skip
        title = self.title or f"{len(self.iterations)} iterations"
        self.path.write_text(written(title, data), encoding="utf-8", newline="\n")
        return self.path


def differences(before: Graph, after: Graph, number: int) -> tuple[list[int], str]:
    """The nodes of `after` that `before` has not, and what is more and less, in words."""
    old, new = [_key(n) for n in before.nodes], [_key(n) for n in after.nodes]
    matcher = SequenceMatcher(None, old, new, autojunk=len(new) > 2000)
    more: list[int] = []
    less: list[int] = []
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            less += range(i, j)
            more += range(k, m)
    parts = []
    for ids, word, graph in ((more, "more", after), (less, "fewer", before)):
        found = [_words(graph.nodes[v]) for v in ids if graph.nodes[v].is_op]
        if found:
            what = "operation" if len(found) == 1 else "operations"
            parts.append(f"{len(found)} {what} {word}: {_listed(found)}")
    return more, f"compared with iteration {number}, " + "; ".join(parts or ["other operands"])


def _listed(texts: list[str]) -> str:
    unique: dict[str, int] = {}
    for text in texts:
        unique[text] = unique.get(text, 0) + 1
    shown = [f"{t} × {n}" if n > 1 else t for t, n in list(unique.items())[:4]]
    return ", ".join(shown) + (", …" if len(unique) > 4 else "")


def _words(node: GNode) -> str:
    if node.name and not node.is_op:
        return node.name
    place = f" ({node.source.place})" if node.source and node.source.place else ""
    expression = node.source.expression if node.source else ""
    return f"{node.name or expression or node.label}{place}"


def _key(node: GNode) -> object:
    s = node.source
    place = (s.file, s.line, s.column, s.expression) if s else None
    return node.kind, node.op, node.name, place, node.module, node.dtype


def _health(found: Capture, nodes: Sequence[GNode], grads: list[Any]) -> list[str]:
    """What is wrong with the values and the gradients of an iteration, in words."""
    notes: list[str] = []
    for node in nodes:  # the first, in the order of computation, is the cause
        array = _array(found.values[node.id])
        if array is not None and array.dtype.kind in "fc" and not np.isfinite(array).all():
            wrong = int((~np.isfinite(array)).sum())
            notes.append(f"not finite: {wrong} of {array.size} elements of {_words(node)}")
            break
    sizes = {
        n.id: float(np.sqrt(np.mean(np.abs(g) ** 2)))
        for n, g in zip(nodes, grads, strict=True)
        if n.kind in ("parameter", "leaf") and g is not None and g.size
    }
    most = max((s for s in sizes.values() if math.isfinite(s)), default=0.0)
    for v, size in sizes.items():
        if not math.isfinite(size):
            notes.append(f"not finite: the gradient of {_words(nodes[v])}")
        elif size > EXPLODING:
            notes.append(f"exploding: an element of the gradient of {_words(nodes[v])} is "
                         f"{size:.2g} on average")  # fmt: skip
        elif size == 0.0:
            notes.append(f"dead: the gradient of {_words(nodes[v])} is 0")
        elif size < VANISHING * most:
            notes.append(f"vanishing: the gradient of {_words(nodes[v])} is {size / most:.1g} of "
                         "the largest")  # fmt: skip
    for node, fn in zip(nodes, found.kept, strict=True):
        array = _array(found.values[node.id])
        if node.is_op and array is not None and array.size:
            notes += _stuck(op_name(fn), node, array)
    hidden = len(notes) - _MOST_WORDS
    return notes if hidden <= 0 else [*notes[:_MOST_WORDS], f"and {hidden} more"]


def _stuck(op: str, node: GNode, array: Any) -> list[str]:
    """Units of an activation that give the same for every sample."""
    name = words(op)
    if array.ndim < 2:
        return []
    units = array if array.ndim < 4 else np.moveaxis(array, 1, -1)  # channels
    units = units.reshape(-1, units.shape[-1])
    if len(units) < 2:
        return []
    if name in ("relu", "hardtanh", "threshold"):
        count = int((units == 0).all(0).sum())
        if count:
            return [f"dead: {count} of {units.shape[1]} units of {_words(node)} give 0 for all "
                    f"{len(units)} samples"]  # fmt: skip
    elif name in ("tanh", "sigmoid"):
        far = np.abs(units) if name == "tanh" else np.abs(2 * units - 1)
        count = int((far > 0.99).all(0).sum())
        if count:
            return [f"saturated: {count} of {units.shape[1]} units of {_words(node)} are flat for "
                    f"all {len(units)} samples"]  # fmt: skip
    return []


def _array(value: Any) -> Any:
    return None if value is None else np.asarray(getattr(value, "_array", value))


def _norm(array: Any) -> float | None:
    if array is None or array.dtype.kind not in "biufc":
        return None
    return float(np.linalg.norm(array if array.dtype.kind == "c" else array.astype(np.float64)))


def _figure(value: float | None) -> Any:
    if value is None:
        return None
    return float(f"{value:.4g}") if math.isfinite(value) else str(value)
