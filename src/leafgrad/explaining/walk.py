"""A backward pass of an explanation's own: the gradient at every node, and along every path.

It runs the nodes' own derivatives without hooks, frees nothing and changes no `.grad`.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from ..graph import quiet
from ..graph.anomaly import Seen
from ..graph.engine import fixed, gathered
from ..graph.modes import no_grad
from ..graph.node import NODE, OUTPUT
from ..graph.why import ends

BEAM = 16
"""At every node so many paths, the strongest so far, go on."""


class Walk:
    """The part of a graph that leads from a root to a target, and what flows through it.

    root: an edge (a Node or Output); target: a leaf, or the Node of a result
    """

    def __init__(self, root: Any, target: Any) -> None:
        self.root, self.target = root, target
        top = root.node if root._kind == OUTPUT else root
        order: dict[int, Any] = {}
        stack = [top]
        while stack:
            one = stack.pop()
            if id(one) not in order and one._kind == NODE:
                order[id(one)] = one
                stack.extend(ends(one))
        newest_first = sorted(order.values(), key=lambda n: -n.seq)
        # How many paths lead from each node to the target; those without any are left aside.
        self.counts: dict[int, int] = {id(target): 1}
        for node in reversed(newest_first):
            if node is not target:
                count = sum(self.counts.get(id(end), 0) for end in ends(node))
                if count:
                    self.counts[id(node)] = count
        self.nodes = [n for n in newest_first if id(n) in self.counts and n is not target]
        self.reaches = id(top) in self.counts
        self.count = self.counts.get(id(top), 0)

    def merged(self) -> tuple[Seen, Any]:
        """What arrives at and leaves every node, and the whole gradient at the target."""
        seen = Seen()
        at: dict[int, dict[int, Any]] = {}
        self._begin(at, lambda have, g: g)
        for node in self.nodes:
            arrived = [at.get(id(node), {}).get(i) for i in range(node.outputs)]
            if all(g is None for g in arrived):
                continue
            grads = self.derivative(node, arrived)
            seen.add(node, arrived, grads)
            for edge, g in zip(node.next, grads, strict=True):
                if g is not None:
                    _arrive(at, edge, lambda have, g=g: g if have is None else have + g)
        at_target = at.get(id(self.target), {})
        return seen, next(iter(at_target.values()), None)

    def paths(self) -> list[tuple[float, list[tuple[Any, float]], Any]]:
        """The strongest paths: (norm, [(node, norm on arrival)...], contribution)."""
        at: dict[int, dict[int, Any]] = {}
        self._begin(at, lambda have, g: [(_norm(g), g, None)])
        for node in self.nodes:
            arrived = at.pop(id(node), {})
            going = [(n, g, trail, i) for i, some in arrived.items() for n, g, trail in some]
            for norm, g, trail, number in heapq.nlargest(BEAM, going, key=lambda e: _rank(e[0])):
                alone = [g if i == number else None for i in range(node.outputs)]
                for edge, d in zip(node.next, self.derivative(node, alone), strict=True):
                    if d is not None:
                        step = (_norm(d), d, (node, norm, trail))
                        _arrive(at, edge, lambda have, step=step: [*(have or ()), step])
        found = [e for some in at.get(id(self.target), {}).values() for e in some]
        found = heapq.nlargest(BEAM, found, key=lambda e: _rank(e[0]))
        return [(norm, _steps(trail), g) for norm, g, trail in found]

    def _begin(self, at: dict[int, dict[int, Any]], make: Any) -> None:
        root = self.root
        node, number = (root.node, root.number) if root._kind == OUTPUT else (root, 0)
        shape, kind = node.out_shape, node.out_dtype
        if node.outputs > 1:
            shape, kind = shape[number], kind[number]
        _arrive(at, root, lambda have: make(have, np.ones(shape, kind)))

    def derivative(self, node: Any, arrived: list[Any]) -> list[Any]:
        """A node's gradients for the inputs that lead to the target."""
        needs = tuple(e is not None and id(getattr(e, "node", e)) in self.counts for e in node.next)
        value = gathered(node, arrived) if node.outputs > 1 else arrived[0]
        token = quiet.enter()
        try:
            with no_grad():
                grads = fixed(node, node.differentiate(value, needs, False))
        finally:
            quiet.leave(token)
        grads = (*grads, *[None] * (len(node.next) - len(grads)))
        return [g if need else None for g, need in zip(grads, needs, strict=True)]


def _steps(trail: Any) -> list[tuple[Any, float]]:
    """A path, kept as (node, norm, what came before), from the root on."""
    steps = []
    while trail is not None:
        node, norm, trail = trail
        steps.append((node, norm))
    return steps[::-1]


def _arrive(at: dict[int, dict[int, Any]], edge: Any, change: Any) -> None:
    """Change what waits at an edge: at its node or leaf, by the number of the output."""
    end, number = (edge.node, edge.number) if edge._kind == OUTPUT else (edge, 0)
    waiting = at.setdefault(id(end), {})
    waiting[number] = change(waiting.get(number))


def _norm(g: Any) -> float:
    return float(np.sqrt(np.sum(np.abs(np.asarray(g, np.complex128)) ** 2)))


def _rank(norm: float) -> float:
    return np.inf if np.isnan(norm) else norm
