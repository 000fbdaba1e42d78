"""A graph as text: for a terminal, for Graphviz (DOT), for Mermaid."""

from __future__ import annotations

from .snapshot import GNode, Graph

_MARKS = {"root": "◉", "op": "●", "leaf": "◆", "parameter": "◆", "input": "○"}
_NOTES = {"leaf": "leaf", "parameter": "parameter", "input": "constant"}

MERMAID_CHARACTERS = 50_000
MERMAID_EDGES = 500


def to_text(graph: Graph) -> str:
    """The graph from its root to its leaves, a line a value, like `git log --graph`.

    The operand with the longest history goes on below its user, at the same indentation; the others
    branch off before it. What is shown elsewhere is only named, with an arrow to where: up or down.
    """
    operands: list[list[int]] = [[] for _ in graph.nodes]
    used = [False] * len(graph.nodes)
    for edge in graph.edges:
        if edge.src not in operands[edge.dst]:
            operands[edge.dst].append(edge.src)
        used[edge.src] = True
    depth, main = [0] * len(graph.nodes), [-1] * len(graph.nodes)
    for node in graph.nodes:
        following = operands[node.id]
        depth[node.id] = max((depth[u] + 1 for u in following), default=0)
        main[node.id] = max(
            following, key=lambda u: (depth[u], graph.nodes[u].kind != "input"), default=-1
        )
    rows: list[tuple[str, ...]] = []
    shown: set[int] = set()
    branch = [-1] * len(graph.nodes)  # of each node, the first node of the branch it is shown in
    # (node, does it begin a branch, what stands before its mark and before what follows it)
    stack = [(node.id, True, "", "") for node in reversed(graph.nodes) if not used[node.id]]
    while stack:
        v, begins, before, after = stack.pop()
        node = graph.nodes[v]
        if begins and branch[v] >= 0:
            arrow = "↑" if v in shown else "↓"
            name = node.name or _expression(node) or node.label
            rows.append((f"{before}{arrow} {name}", "", "", "", ""))
            continue
        if begins:
            u = v
            while u >= 0 and branch[u] < 0:
                branch[u] = v
                u = main[u]
        shown.add(v)
        rows.append((f"{before}{_MARKS.get(node.kind, '●')} {node.name}".rstrip(), *_columns(node)))
        if (u := main[v]) >= 0:
            stack.append((u, branch[u] != branch[v], after, after))
        for u in reversed(operands[v]):
            if u != main[v]:
                stack.append((u, True, f"{after}├─", f"{after}│ "))
    return _align(rows)


def _columns(node: GNode) -> tuple[str, ...]:
    place = node.source.place if node.source else ""
    return node.symbol, node.type, _expression(node) or _NOTES.get(node.kind, ""), place


def _expression(node: GNode) -> str:
    return " ".join(node.source.expression.split()) if node.source else ""


def _align(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest entry, up to a limit."""
    limits = (40, 16, 24, 60, 0)
    widths = [
        max((len(row[i]) for row in rows if len(row[i]) <= limit), default=0)
        for i, limit in enumerate(limits)
    ]
    lines = []
    for row in rows:
        cells = [_printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(c for c, w in zip(cells, widths, strict=True) if w or c).rstrip())
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    """Without control characters: a terminal would obey them."""
    return "".join(c if c.isprintable() else "�" for c in text)


def to_dot(graph: Graph) -> str:
    """The graph in Graphviz's language."""
    shapes = {
        "input": 'shape=box, style="dashed"',
        "leaf": 'shape=note, style="filled", fillcolor="#e5f6ea"',
        "parameter": 'shape=note, style="filled", fillcolor="#e5f6ea", peripheries=2',
        "root": 'shape=box, style="rounded", peripheries=2',
    }
    lines = ["digraph leafgrad {", '  node [fontname="monospace", fontsize=11];']
    for node in graph.nodes:
        label = "\n".join(_label_lines(node)).replace("\\", "\\\\").replace('"', '\\"')
        label = label.replace("\n", "\\n")
        style = shapes.get(node.kind, 'shape=box, style="rounded"')
        lines.append(f'  n{node.id} [label="{label}", {style}];')
    lines += [f"  n{edge.src} -> n{edge.dst};" for edge in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(graph: Graph) -> str:
    """The graph in Mermaid's language, which GitHub draws.

    Mermaid refuses more than 50,000 characters or 500 edges, so this raises ValueError for larger
    graphs.
    """
    marks = {
        "input": ("[", "]"),
        "leaf": ("([", "])"),
        "parameter": ("([", "])"),
        "root": ("[[", "]]"),
    }
    lines = ["flowchart TD"]
    for node in graph.nodes:
        label = "<br>".join(_entities(line) for line in _label_lines(node))
        left, right = marks.get(node.kind, ("(", ")"))
        lines.append(f'  n{node.id}{left}"{label}"{right}')
    lines += [f"  n{edge.src} --> n{edge.dst}" for edge in graph.edges]
    text = "\n".join(lines) + "\n"
    if len(graph.edges) > MERMAID_EDGES or len(text) > MERMAID_CHARACTERS:
        raise ValueError(
            f"this graph is too large for Mermaid: {len(graph.edges)} edges and {len(text)} "
            f"characters, where Mermaid takes {MERMAID_EDGES} edges and {MERMAID_CHARACTERS} "
            "characters. Draw it as SVG instead."
        )
    return text


def _label_lines(node: GNode) -> list[str]:
    first = " ".join(filter(None, (node.symbol, node.name))) or node.kind
    return [_printable(line) for line in (first, _expression(node), node.type) if line]


def _entities(text: str) -> str:
    """Mermaid's entity codes for whatever its grammar, or HTML, could take for its own."""
    return "".join(
        c if c.isalnum() or c in " _.,:()[]+-" or ord(c) > 127 else f"#{ord(c)};" for c in text
    )
