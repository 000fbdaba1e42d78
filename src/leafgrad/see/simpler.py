"""Graphs with less in them."""

from __future__ import annotations

from dataclasses import replace

from .snapshot import GEdge, GNode, Graph

# By their signs: PyTorch's names of nodes are coarser, a linear layer records a ViewBackward0.
_VIEWS = frozenset(
    ("view", "unsafe view", "reshape alias", "squeeze", "squeeze dim", "squeeze dims", "unsqueeze",
     "expand", "ᵀ", "to", "clone", "alias", "conj", "view as real", "view as complex")
)  # fmt: skip


def without_views(graph: Graph) -> tuple[Graph, list[int]]:
    """The graph without the operators that only change shape, layout or dtype, and which nodes stay.

    What used such a value is drawn as using what it was made of, which keeps the value's name.
    """
    origin = list(range(len(graph.nodes)))  # a node, or what it is a view of
    for edge in graph.edges:  # operands come before their users
        node = graph.nodes[edge.dst]
        if node.kind == "op" and node.symbol in _VIEWS and edge.differentiable:
            origin[edge.dst] = origin[edge.src]
    kept = [v for v in range(len(graph.nodes)) if origin[v] == v]
    used = {origin[edge.src] for edge in graph.edges if origin[edge.dst] == edge.dst}
    place: dict[int, int] = {}
    nodes: list[GNode] = []
    for v in kept:
        node = graph.nodes[v]
        if node.kind in ("input", "leaf", "parameter") and v not in used:
            continue  # it was an operand of views alone
        place[v] = len(nodes)
        nodes.append(replace(node, id=len(nodes)))
    edges = [
        GEdge(place[origin[e.src]], place[e.dst], e.label, e.factor, e.differentiable)
        for e in graph.edges
        if e.dst in place and origin[e.src] in place
    ]
    return Graph(tuple(nodes), tuple(edges), graph.modules), list(place)
