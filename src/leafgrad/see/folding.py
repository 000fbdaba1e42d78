"""A graph in folds: modules, repetitions and sections, each laid out on its own.

Every group is a stretch of the operations in the order in which they ran, so that a folded graph
has no cycles: edges go from earlier stretches to later ones. A leaf or a constant stands in the
innermost group that holds all its users. What enters or leaves a group passes a port at its rim.
See `docs/decisions/0009-folds.md`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .layout import Layout, layout
from .snapshot import GEdge, GNode, Graph, Source
from .svg import ADVANCE, card_of, cells, elide, factor_text

SMALL = 80
"""Graphs of at most this many nodes open unfolded."""

_LONGEST_GROUP = 150  # items; more are cut into sections
_REPEATS = 3  # this many times the same is a loop
_PORT = 18.0

Item = tuple[str, int]
"""("node", id), ("group", id), or a port: ("in", id of the node outside), ("out", ... inside)."""


@dataclass
class Group:
    """A fold: its items in the order of computation, and where they go.

    `lines` are the pairs of items with an edge between them, and for each pair the graph's edges
    that it stands for.
    """

    id: int
    parent: int
    title: str
    subtitle: str = ""
    path: str = ""
    items: list[Item] = field(default_factory=list)
    count: int = 0
    lines: list[tuple[int, int]] = field(default_factory=list)
    edges: list[list[int]] = field(default_factory=list)
    sizes: list[tuple[float, float]] = field(default_factory=list)
    placed: Layout | None = None

    @property
    def size(self) -> tuple[float, float]:
        """The size of the folded box."""
        widest = max(cells(self.title) * 13 + 26, cells(self.note) * 10.5)
        return widest * ADVANCE + 40, 52.0

    @property
    def note(self) -> str:
        return " · ".join(
            filter(None, (self.subtitle, f"{self.count} node{'s' * (self.count != 1)}"))
        )


def fold(graph: Graph, values: bool = False) -> list[Group]:
    """The groups of a graph, laid out; the first is the whole, parents come before children.

    With `values`, nodes have room for their values and gradients.
    """
    folder = _Folder(graph)
    folder.build()
    folder.connect()
    known: dict[object, Layout] = {}
    for group in folder.groups:
        folder.place(group, values, known)
    return folder.groups


def folded(graph: Graph, depth: int = 0) -> Graph:
    """The graph with groups in place of what is inside them, down to a depth of nested groups.

    A group's node has its title for a name, its kind for an operator, and its value's type where
    only one value leaves it.
    """
    folder = _Folder(graph)
    folder.build()
    groups = folder.groups
    stands: list[Item] = []  # what stands for each node
    for node in graph.nodes:
        item: Item = ("node", node.id)
        group = folder.home[node.id]
        while group > 0:
            if folder.depth[group] > depth:
                item = ("group", group)
            group = groups[group].parent
        stands.append(item)
    ends = {item: v for v, item in enumerate(stands)}  # the last node of each
    leaving: dict[Item, set[int]] = {}
    for edge in graph.edges:
        if stands[edge.src] != stands[edge.dst]:
            leaving.setdefault(stands[edge.src], set()).add(edge.src)
    place: dict[Item, int] = {}
    nodes: list[GNode] = []
    for item, v in sorted(ends.items(), key=lambda entry: entry[1]):
        place[item] = len(nodes)
        node = replace(graph.nodes[v], id=len(nodes))
        if item[0] == "group":
            group_here = groups[item[1]]
            values = leaving.get(item, {v})
            one = graph.nodes[min(values)] if len(values) == 1 else None
            node = GNode(
                len(nodes), "root" if node.kind == "root" else "op",
                group_here.path or group_here.title, group_here.note, "▸",
                one.shape if one else None, one.dtype if one else "", seq=node.seq,
                grad=one.grad if one else None, value=one.value if one else None,
                source=Source(group_here.note), module=graph.nodes[v].module,
            )  # fmt: skip
        nodes.append(node)
    edges: dict[tuple[int, int, str], GEdge] = {}
    for edge in graph.edges:
        a, b = stands[edge.src], stands[edge.dst]
        if a == b:
            continue
        direct = a[0] == b[0] == "node"
        label = edge.label if direct else ""
        key = place[a], place[b], label
        flows = edge.differentiable or (key in edges and edges[key].differentiable)
        edges[key] = GEdge(*key[:2], label, edge.factor if direct else None, flows)
    ordered = sorted(edges.values(), key=lambda e: e.dst)
    return Graph(tuple(nodes), tuple(ordered), graph.modules)


def opened(groups: Sequence[Group]) -> list[int]:
    """The groups that are open at first: all of a small graph, else the outermost."""
    if groups[0].count <= SMALL:
        return [group.id for group in groups]
    found, group = [0], groups[0]
    while len(inner := [i for kind, i in group.items if kind == "group"]) == 1 == len(group.items):
        group = groups[inner[0]]
        found.append(group.id)
    return found


class _Folder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.groups: list[Group] = []
        self.home = [0] * len(graph.nodes)  # the innermost group of each node
        self.depth: list[int] = []
        self.users: list[list[int]] = [[] for _ in graph.nodes]
        self.into: list[list[GEdge]] = [[] for _ in graph.nodes]
        for edge in graph.edges:
            self.users[edge.src].append(edge.dst)
            self.into[edge.dst].append(edge)
        self.classes = dict(graph.modules)

    # ---- which groups

    def build(self) -> None:
        self._group(-1, "")
        ops = [node.id for node in self.graph.nodes if node.is_op]
        self._fill(0, ops, ())
        for node in self.graph.nodes:  # what has no place yet, once its users have theirs
            if not node.is_op:
                homes = [self.home[user] for user in self.users[node.id]]
                self.home[node.id] = self._common(homes) if homes else 0
        # Items in the order of computation, leaves before their first users.
        first: dict[Item, int] = {}
        for node in self.graph.nodes:
            item: Item = ("node", node.id)
            group = self.home[node.id]
            while True:
                if item not in first:
                    first[item] = node.id
                    self.groups[group].items.append(item)
                self.groups[group].count += 1
                if group == 0:
                    break
                item, group = ("group", group), self.groups[group].parent

    def _group(self, parent: int, title: str, subtitle: str = "", path: str = "") -> Group:
        group = Group(len(self.groups), parent, title, subtitle, path)
        self.groups.append(group)
        self.depth.append(self.depth[parent] + 1 if parent >= 0 else 0)
        return group

    def _fill(self, group: int, ops: list[int], path: tuple[str, ...]) -> None:
        """Give a stretch of operations to a group, or to groups within it."""
        pieces: list[tuple[str, list[int]]] = []  # (name of the child module or "", operations)
        for v in ops:
            module = self.graph.nodes[v].module
            parts = tuple(module.split(".")) if module else ()
            inside = parts[: len(path)] == path and len(parts) > len(path)
            name = parts[len(path)] if inside else ""
            if name and pieces and pieces[-1][0] == name:
                pieces[-1][1].append(v)
            else:
                pieces.append((name, [v]))
        self._arrange(group, pieces, path)

    def _arrange(
        self, group: int, pieces: list[tuple[str, list[int]]], path: tuple[str, ...]
    ) -> None:
        keys = [self._key(piece) for piece in pieces]
        i, runs = 0, []
        while i < len(pieces):
            period, times = _repetition(keys, i)
            runs.append((i, period, times))
            i += period * times
        loops = [run for run in runs if run[2] > 1]
        whole = len(loops) == 1 and loops[0][1] * loops[0][2] == len(pieces)
        if not loops or (whole and self._is_loop(group)):
            self._sections(group, pieces, path)
            return
        straight: list[tuple[str, list[int]]] = []
        for start, period, times in runs:
            part = pieces[start : start + period * times]
            if times == 1:
                straight += part
                continue
            self._sections(group, straight, path)
            straight = []
            self._loop(group, part, period, times, path)
        self._sections(group, straight, path)

    def _is_loop(self, group: int) -> bool:
        return self.groups[group].title.startswith("×")

    def _loop(
        self, group: int, pieces: list[tuple[str, list[int]]], period: int, times: int,
        path: tuple[str, ...],
    ) -> None:  # fmt: skip
        ops = [v for _, part in pieces for v in part]
        lines = [s.line for v in ops if (s := self.graph.nodes[v].source) and s.line]
        where = f"line {min(lines)}" if lines else ""
        if lines and max(lines) > min(lines):
            where = f"lines {min(lines)}–{max(lines)}"
        loop = self._group(group, f"× {times}", f"repeated, {where}" if where else "repeated")
        if period == 1:
            self._sections(loop.id, pieces, path)
            return
        chunk = max(1, math.ceil(times / _LONGEST_GROUP))
        if chunk > 1:
            chunk = math.isqrt(times) + 1
        for first in range(0, times, chunk):
            home = loop.id
            last = min(first + chunk, times)
            if chunk > 1:
                home = self._group(loop.id, f"{first + 1} to {last}").id
            for k in range(first, last):
                one = self._group(home, f"{k + 1} of {times}")
                self._sections(one.id, pieces[k * period : (k + 1) * period], path)

    def _sections(
        self, group: int, pieces: list[tuple[str, list[int]]], path: tuple[str, ...]
    ) -> None:
        if len(pieces) <= _LONGEST_GROUP:
            for name, ops in pieces:
                self._piece(group, name, ops, path)
            return
        size = max(math.isqrt(len(pieces)), len(pieces) // _LONGEST_GROUP) + 1
        for start in range(0, len(pieces), size):
            part = pieces[start : start + size]
            title = f"operations {start + 1} to {start + len(part)}"
            section = self._group(group, title)
            for name, ops in part:
                self._piece(section.id, name, ops, path)

    def _piece(self, group: int, name: str, ops: list[int], path: tuple[str, ...]) -> None:
        inner = (*path, name)
        own = {u for v in ops for u in self._operands(v)}
        if not name or len(ops) + len(own) == 1:
            for v in ops:
                self.home[v] = group
            return
        dotted = ".".join(inner)
        child = self._group(group, name, self._class(dotted, ops), dotted)
        self._fill(child.id, ops, inner)

    def _operands(self, v: int) -> list[int]:
        """The parameters of a node's own module."""
        node = self.graph.nodes[v]
        if not node.module:
            return []
        return [e.src for e in self.into[v] if self.graph.nodes[e.src].kind == "parameter"]

    def _class(self, path: str, ops: list[int]) -> str:
        """A module's class, or those of its parts where it is a list of them: "4 × Block"."""
        kind = self.classes.get(path, "")
        if kind not in ("Sequential", "ModuleList", "ModuleDict", ""):
            return kind
        begin = path + "."
        parts = dict.fromkeys(
            begin + m[len(begin) :].split(".")[0]
            for v in ops
            if (m := self.graph.nodes[v].module).startswith(begin)
        )
        names = {self.classes.get(part, "") for part in parts}
        if len(parts) > 1 and len(names) == 1 and "" not in names:
            return f"{len(parts)} × {names.pop()}"
        return kind

    def _key(self, piece: tuple[str, list[int]]) -> object:
        name, ops = piece
        if name:
            return name, *(self.graph.nodes[v].op for v in ops)
        node = self.graph.nodes[ops[0]]
        s = node.source
        return (node.op, s.file, s.line, s.column, s.end_column) if s else node.op

    def _common(self, homes: list[int]) -> int:
        one = homes[0]
        for other in homes[1:]:
            while one != other:
                if self.depth[one] >= self.depth[other]:
                    one = self.groups[one].parent
                else:
                    other = self.groups[other].parent
        return one

    # ---- edges and places

    def connect(self) -> None:
        """Lift every edge to the groups it passes, with a port at each rim."""
        index = [{item: k for k, item in enumerate(g.items)} for g in self.groups]
        lines: list[dict[tuple[int, int], int]] = [{} for _ in self.groups]

        def join(group: int, a: Item, b: Item, edge: int) -> None:
            g = self.groups[group]
            for item in (a, b):
                if item not in index[group]:
                    index[group][item] = len(g.items)
                    g.items.append(item)
            pair = index[group][a], index[group][b]
            if pair not in lines[group]:
                lines[group][pair] = len(g.lines)
                g.lines.append(pair)
                g.edges.append([])
            g.edges[lines[group][pair]].append(edge)

        for number, edge in enumerate(self.graph.edges):
            a: Item = ("node", edge.src)
            b: Item = ("node", edge.dst)
            above, below = self.home[edge.src], self.home[edge.dst]
            while above != below:
                if self.depth[above] >= self.depth[below]:
                    join(above, a, ("out", edge.src), number)
                    a, above = ("group", above), self.groups[above].parent
                else:
                    join(below, ("in", edge.src), b, number)
                    b, below = ("group", below), self.groups[below].parent
            join(above, a, b, number)

    def place(self, group: Group, values: bool, known: dict[object, Layout]) -> None:
        """Lay out a group's inside. What looks alike is laid out once: repeated blocks do."""
        texts: list[tuple[float, float] | None] = []
        for (a, b), edges in zip(group.lines, group.edges, strict=True):
            direct = group.items[a][0] == group.items[b][0] == "node" and len(edges) == 1
            text = factor_text(self.graph.edges[edges[0]].factor) if direct else ""
            texts.append((cells(text) * 11 * ADVANCE + 15, 16.0) if text else None)
        group.sizes = [self._size(item, values) for item in group.items]
        key = tuple(group.sizes), tuple(group.lines), tuple(texts)
        if key not in known:
            known[key] = layout(group.sizes, group.lines, texts)
        group.placed = known[key]

    def _size(self, item: Item, values: bool) -> tuple[float, float]:
        kind, number = item
        if kind == "group":
            return self.groups[number].size
        node = self.graph.nodes[number]
        if kind == "node":
            card = card_of(inner_name(node), values)
            return card.width, card.height
        return cells(port_text(self.graph, number)) * 10.5 * ADVANCE + 34, _PORT


def inner_name(node: GNode) -> GNode:
    """The node as its own module's box shows it: `weight`, not `blocks.0.norm.weight`."""
    if node.module and node.name.startswith(node.module + "."):
        return replace(node, name=node.name[len(node.module) + 1 :])
    return node


def port_text(graph: Graph, number: int) -> str:
    """What a port says: the value that passes it."""
    node = graph.nodes[number]
    expression = node.source.expression if node.source else ""
    return elide(node.name or expression or node.label, 24)


def _repetition(keys: list[object], start: int) -> tuple[int, int]:
    """The period and number of the repetitions that begin at a place: (1, 1) for none."""
    best = 1, 1
    tried = 0
    for period in range(1, (len(keys) - start) // _REPEATS + 1):
        if keys[start + period] != keys[start]:
            continue
        tried += 1
        if tried > 12:
            break
        end = start + period
        while end < len(keys) and keys[end] == keys[end - period]:
            end += 1
        times = (end - start) // period
        if times >= _REPEATS and period * times > best[0] * best[1] * (best[1] > 1):
            best = period, times
    return best
