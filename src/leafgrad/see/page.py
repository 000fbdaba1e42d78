"""The interactive page of a graph: one HTML file that needs nothing else, and no network.

The page is `page.html`, `page.css` and `page.js`, beside this file; this module brings the graph
into a form that is small and safe to embed. Layouts are made here, one for the inside of each
group; the page only stretches them around what is open (`docs/decisions/0009-folds.md`).
"""

from __future__ import annotations

import json
import linecache
import math
import re
from collections.abc import Iterable
from html import escape
from importlib import resources
from typing import Any

from . import formula
from .folding import Group, fold, inner_name, opened, port_text
from .layout import Layout
from .simpler import without_views
from .snapshot import GNode, Graph, Summary, base_name
from .svg import DARK, LIGHT, STYLE, card_of, factor_text

# What larger graphs leave out, so that the page stays small.
_VALUES = 150  # nodes: cards show values and gradients
_FORMULAS = 1200  # nodes: the chain rule is written out with their own names
_WHOLE = 400  # nodes: small arrays are kept whole
_AROUND = 3  # lines of the program before and after an expression


def to_html(graph: Graph, *, title: str = "") -> str:
    """The interactive page as the text of one HTML file.

    Drawn, searched, folded and stepped through by the page's own script. Everything that comes
    from the program is data in it, never markup.
    """
    writer = Writer()
    graphs = [writer.graph(graph)]
    plain, kept = without_views(graph)
    if len(kept) < len(graph.nodes) <= _FORMULAS:  # a second graph, for the page's switch
        graphs.append(writer.graph(plain) | {"nodes": kept})
    return written(title or _title(graph), writer.data(graphs))


def framed(graph: Graph) -> str:
    """The page in a frame: a notebook's own page cannot touch it, nor it the notebook's."""
    return (
        f'<iframe sandbox="allow-scripts" style="width:100%;height:640px;border:0" '
        f'title="{escape(_title(graph))}" srcdoc="{escape(to_html(graph))}"></iframe>'
    )


def written(title: str, data: dict[str, Any]) -> str:
    """The page's template with its parts in place."""
    here = resources.files(__package__)
    parts = {
        "title": escape(title),
        "style": here.joinpath("page.css").read_text(encoding="utf-8")
        + f"\n:root{{{both(LIGHT, DARK)}}}\n{STYLE}",
        "data": embedded({"title": title, **data}),
        "script": here.joinpath("page.js").read_text(encoding="utf-8"),
    }
    template = here.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def both(light: str, dark: str) -> str:
    """Two palettes as one that follows the page's colour scheme."""
    colours = dict(entry.strip().split(":") for entry in dark.split(";"))
    pairs = (entry.strip().split(":") for entry in light.split(";"))
    return ";".join(f"{name}:light-dark({value},{colours[name]})" for name, value in pairs)


def embedded(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return re.sub("[\ud800-\udfff]", "�", text)  # a file cannot hold half a character


def _title(graph: Graph) -> str:
    names = [node.label for node in graph.nodes if node.kind == "root"]
    return f"Computational graph of {names[0]}" if names else "Computational graph"


class Writer:
    """Graphs as the page's data. What repeats, formulas, layouts, lines of source, is kept once."""

    def __init__(self) -> None:
        self.maths: dict[str, int] = {}
        self.places: dict[int, int] = {}  # id of a Layout -> its index
        self.layouts: list[Layout] = []
        self.shapes: list[Any] = []
        self.files: dict[str, int] = {}
        self.lines: list[dict[int, str]] = []

    def data(self, graphs: list[dict[str, Any]]) -> dict[str, Any]:
        """All that the page needs, with the graphs that `graph` made."""
        files = [
            {"name": base_name(name), "lines": self.lines[i]} for name, i in self.files.items()
        ]
        return {
            "graphs": graphs, "maths": list(self.maths), "shapes": self.shapes, "files": files,
        }  # fmt: skip

    def graph(self, graph: Graph) -> dict[str, Any]:
        """One graph: its nodes, edges and groups."""
        values = len(graph.nodes) <= _VALUES
        groups = fold(graph, values)
        texts = [_text(node) for node in graph.nodes]
        root = next((_text(n) for n in graph.nodes if n.kind == "root"), "out")
        named = len(graph.nodes) <= _FORMULAS
        nodes = [self._node(node, len(graph.nodes), values, named) for node in graph.nodes]
        edges = [
            [e.src, e.dst, e.label, int(e.differentiable), e.factor or "",
             *(self._chain(texts[e.src], texts[e.dst], root, e.factor)
               if named and e.factor and e.differentiable else ())]
            for e in graph.edges
        ]  # fmt: skip
        return {
            "nodes": nodes,
            "edges": edges,
            "groups": [self._group(graph, group) for group in groups],
            "open": opened(groups),
        }

    def _node(self, node: GNode, total: int, values: bool, named: bool) -> dict[str, Any]:
        card = card_of(inner_name(node), values)
        made: dict[str, Any] = {
            "k": node.kind, "n": node.name, "o": node.op, "s": node.symbol, "t": node.type,
            "m": node.module, "c": round(card.cell), "l": card.lines, "q": node.seq,
            "size": math.prod(node.shape) if node.shape is not None else 1,
        }  # fmt: skip
        if node.source:
            s = node.source
            made["src"] = [self._file(s.file, s.line, s.end_line), s.line, s.column,
                           s.end_line or s.line, s.end_column, s.expression, s.function]  # fmt: skip
        if node.value:
            made["v"] = _summary(node.value, total)
        if node.grad:
            made["g"] = _summary(node.grad, total)
        if node.saved:
            made["kept"] = [[s.name, list(s.shape), s.dtype, s.bytes] for s in node.saved]
        if node.formula and named:
            left = ("name", node.name) if node.name else ("name", "out")
            made["f"] = self._math(("=", left, formula.parse(node.formula)))
        return {key: value for key, value in made.items() if value not in ("", None)}

    def _chain(self, src: str, dst: str, root: str, factor: str | None) -> list[int]:
        """The local derivative, and what it makes of the gradient that arrives."""
        local = formula.parse(factor or "")
        above = ("d", formula.parse(root), formula.parse(dst))
        below = ("d", formula.parse(root), formula.parse(src))
        return [
            self._math(("=", ("d", formula.parse(dst), formula.parse(src)), local)),
            self._math(("=", below, formula.chained(local, above))),
        ]

    def _math(self, tree: formula.Tree) -> int:
        text = formula.mathml(tree)
        return self.maths.setdefault(text, len(self.maths))

    def _group(self, graph: Graph, group: Group) -> dict[str, Any]:
        made: dict[str, Any] = {
            "p": group.parent, "t": group.title, "n": group.note, "m": group.path,
            "count": group.count, "shape": self._shape(group),
            "items": [[kind[0], number] for kind, number in group.items],
            "lines": group.lines, "edges": group.edges,
        }  # fmt: skip
        ports = {k: port_text(graph, n) for k, (kind, n) in enumerate(group.items)
                 if kind in ("in", "out")}  # fmt: skip
        if ports:
            made["ports"] = ports
        factors = {}
        assert group.placed is not None
        for k, (edges, route) in enumerate(zip(group.edges, group.placed.routes, strict=True)):
            if route.label is not None:
                factors[k] = factor_text(graph.edges[edges[0]].factor)
        if factors:
            made["factors"] = factors
        return made

    def _shape(self, group: Group) -> int:
        """Where the layout of a group's inside stands in the page's data."""
        placed = group.placed
        assert placed is not None
        if id(placed) not in self.places:
            self.places[id(placed)] = len(self.shapes)
            self.layouts.append(placed)
            # Each piece of a route is upright at its ends: these are enough to draw it.
            self.shapes.append({
                "w": round(placed.width), "h": round(placed.height),
                "boxes": [round(v) for b in placed.boxes for v in (b.x, b.y, b.width, b.height)],
                "routes": [
                    [[round(v) for p in r.points[::3] for v in p], int(r.branch),
                     *(map(round, r.label) if r.label else ())]
                    for r in placed.routes
                ],
            })  # fmt: skip
        return self.places[id(placed)]

    def _file(self, name: str, line: int, end: int) -> int:
        """Where a file's lines stand in the page's data; keeps those around an expression."""
        if not name:
            return -1
        index = self.files.setdefault(name, len(self.files))
        if index == len(self.lines):
            self.lines.append({})
        try:
            text = linecache.getlines(name)
        except ValueError:  # not a name that a file can have
            text = []
        for n in range(max(line - _AROUND, 1), min(max(end, line) + _AROUND, len(text)) + 1):
            self.lines[index][n] = text[n - 1].rstrip("\r\n")
        return index


def _text(node: GNode) -> str:
    """What to write for a value in a formula."""
    expression = node.source.expression if node.source else ""
    text = node.name or expression
    return text if text and len(text) <= 26 and "\n" not in text else node.name or "out"


def _summary(summary: Summary, total: int) -> dict[str, Any]:
    """A value's statistics; of many nodes, without the elements of arrays that are not tiny."""
    made: dict[str, Any] = {"shape": list(summary.shape), "dtype": summary.dtype}
    values = summary.values
    if values is not None:
        flat = list(_flat(values))
        if total <= _WHOLE or len(flat) <= 4:
            made["values"] = values
            return made
        finite = [v for v in flat if not isinstance(v, str)]
        if finite:
            mean = sum(finite) / len(finite)
            spread = math.sqrt(sum((v - mean) ** 2 for v in finite) / len(finite))
            made |= _figures(min(finite), max(finite), mean, spread)
        made["nonfinite"] = len(flat) - len(finite)
        return made
    made |= _figures(summary.minimum, summary.maximum, summary.mean, summary.std)
    if summary.nonfinite:
        made["nonfinite"] = summary.nonfinite
    if total <= _FORMULAS and summary.histogram:
        made["bars"] = list(summary.histogram)
    return made


def _figures(*figures: float | None) -> dict[str, Any]:
    names = ("min", "max", "mean", "std")
    return {
        name: float(f"{value:.5g}")
        for name, value in zip(names, figures, strict=True)
        if value is not None and math.isfinite(value)
    }


def _flat(values: Any) -> Iterable[Any]:
    if isinstance(values, tuple):
        for part in values:
            yield from _flat(part)
    else:
        yield values
