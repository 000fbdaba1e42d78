"""Layered layout of an acyclic graph: where to draw each box and how to lead each edge.

The steps are Sugiyama's: ranks, an order within each rank, coordinates, routes. Every step is
iterative and deterministic, and takes nearly linear time. It knows boxes and edges only, nothing of
tensors, so the same function can lay out the inside of a module and then the module itself as one
box.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

Point = tuple[float, float]

# How much an edge wants to be straight: on a main path, in a trunk, from an operator, from a leaf.
_MAIN, _CHAIN, _SIDE, _LEAF = 32, 8, 2, 1

_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Box:
    """A placed node: its top left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """An edge's curve: a start, then three points for each cubic Bézier piece.

    `label` is the top left corner of the edge's text. The curve starts at its box or, if `branch`,
    on the line of an earlier edge from the same box.
    """

    points: tuple[Point, ...]
    label: Point | None = None
    branch: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


def layout(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    labels: Sequence[tuple[float, float] | None] | None = None,
    *,
    direction: str = "TB",
    gap: float = 28,
    rank_gap: float = 34,
) -> Layout:
    """Lay out boxes of the given (width, height), with edges as (from, to) pairs of their indices.

    `labels` gives, for each edge, the size of the text that stands right of its line (below it for
    "LR"), or None. `direction` is "TB" (top to bottom) or "LR". `gap` separates neighbours in a
    rank, `rank_gap` ranks. Edges must not form a cycle. The result does not depend on anything but
    the arguments.
    """
    if direction not in ("TB", "LR"):
        raise ValueError(f"direction must be 'TB' or 'LR', not {direction!r}")
    turned = direction == "LR"
    if turned:
        sizes = [(h, w) for w, h in sizes]
        labels = labels and [size and (size[1], size[0]) for size in labels]
    grid = _Grid(sizes, edges, labels, gap)
    _order(grid)
    x = _coordinates(grid)
    result = _draw(grid, x, edges, labels, rank_gap)
    return _turn(result) if turned else result


def _topological(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    waiting = [0] * count
    below: list[list[int]] = [[] for _ in range(count)]
    for u, v in edges:
        waiting[v] += 1
        below[u].append(v)
    order = [v for v in range(count) if not waiting[v]]
    for u in order:  # grows while we walk it
        for v in below[u]:
            waiting[v] -= 1
            if not waiting[v]:
                order.append(v)
    if len(order) < count:
        raise ValueError("the graph has a cycle: a layered layout needs an acyclic graph")
    return order


def _ranks(count: int, edges: Sequence[tuple[int, int]], step: int) -> tuple[list[int], list[int]]:
    """Each node's rank, and how much each edge wants to be straight."""
    order = _topological(count, edges)
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for u, v in edges:
        above[v].append(u)
        below[u].append(v)
    # The longest path to each node, and from it.
    depth, height = [0] * count, [0] * count
    for v in order:
        depth[v] = max((depth[u] + 1 for u in above[v]), default=0)
    for u in reversed(order):
        height[u] = max((height[v] + 1 for v in below[u]), default=0)
    # As late as possible puts every operand beside what uses it.
    bottom = max(depth, default=0) * step
    rank = [bottom - h * step for h in height]
    # A node with more operands than users costs less line if it stands close to its operands.
    for v in order:
        if len(above[v]) > len(below[v]) > 0:
            rank[v] = max(rank[u] for u in above[v]) + step
    for u in reversed(order):
        if not above[u] and below[u]:
            rank[u] = min(rank[v] for v in below[u]) - step
    top = min(rank, default=0)
    # A main path goes on where the operand has the longest history and its user the longest future.
    operand = [_only_largest(group, depth) for group in above]
    user = [_only_largest(group, height) for group in below]
    weights = [
        _MAIN if operand[v] == u and user[u] == v else _SIDE if above[u] else _LEAF
        for u, v in edges
    ]
    return [r - top for r in rank], weights


def _only_largest(group: list[int], measure: list[int]) -> int:
    """The member with the largest measure, -1 if there is none or two tie."""
    largest = max((measure[v] for v in group), default=0)
    found = {v for v in group if measure[v] == largest}
    return found.pop() if len(found) == 1 else -1


class _Grid:
    """The graph with every edge cut into pieces from one rank to the next.

    Vertices 0..n-1 are the nodes; the others are points where a long edge passes a rank, or hold an
    edge's label. Edges from the same node share such points: they run as one line, the trunk, until
    they part, and only one of them has the trunk in its path. So a value used a thousand times
    costs one long line.
    """

    def __init__(
        self,
        sizes: Sequence[tuple[float, float]],
        edges: Sequence[tuple[int, int]],
        labels: Sequence[tuple[float, float] | None] | None,
        gap: float,
    ) -> None:
        self.count = len(sizes)
        self.gap = gap
        self.step = 2 if labels and any(labels) else 1  # with labels, every second rank is theirs
        self.rank, weights = _ranks(self.count, edges, self.step)
        self.left = [w / 2 for w, _ in sizes]
        self.right = [w / 2 for w, _ in sizes]
        self.height = [h for _, h in sizes]
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        self.weight: dict[tuple[int, int], int] = {}
        self.paths: list[
            list[int]
        ] = []  # per edge, the vertices it passes, from where it leaves the trunk
        trunks: list[list[int]] = [[u] for u in range(self.count)]
        for i, (u, v) in enumerate(edges):
            label = labels[i] if labels else None
            last = self.rank[v] - (1 if label else 0)
            trunk, length = trunks[u], last - self.rank[u]
            path = [trunk[min(length, len(trunk)) - 1]]
            while len(trunk) < length:
                trunk.append(self._vertex(self.rank[u] + len(trunk), 4, 4, 0))
                path.append(trunk[-1])
            if label:
                # The line runs at the left end of its label, which keeps the text off the line.
                path.append(self._vertex(last, 4, label[0] + 4, label[1]))
            path.append(v)
            self.paths.append(path)
            self._join(path, weights[i])
        ranks = max(self.rank, default=-1) + 1
        self.layers: list[list[int]] = [[] for _ in range(ranks)]

    def apart(self, a: int, b: int) -> float:
        """The smallest distance from a to its right neighbour b; lines may be close together."""
        lines = (a >= self.count) + (b >= self.count)
        return self.right[a] + self.gap / (1 + lines / 2) + self.left[b]

    def _vertex(self, rank: int, left: float, right: float, height: float) -> int:
        self.rank.append(rank)
        self.left.append(left)
        self.right.append(right)
        self.height.append(height)
        self.above.append([])
        self.below.append([])
        return len(self.rank) - 1

    def _join(self, path: list[int], weight: int) -> None:
        for a, b in pairwise(path):
            inner = a >= self.count and b >= self.count
            if (a, b) not in self.weight:
                self.below[a].append(b)
                self.above[b].append(a)
            here = max(weight, _CHAIN) if inner else weight
            self.weight[a, b] = max(here, self.weight.get((a, b), 0))


# ---- the order within each rank


def _order(grid: _Grid) -> None:
    """Order each rank so that few edges cross: barycentre sweeps, then swaps of neighbours."""
    _first_order(grid)
    layers = grid.layers
    position = [0] * len(grid.rank)
    for layer in layers:
        for i, v in enumerate(layer):
            position[v] = i
    best, fewest = [list(layer) for layer in layers], _crossings(grid, position)
    stale = 0
    for sweep in range(_SWEEPS):
        if not fewest or stale == 4:
            break
        down = sweep % 2 == 0
        for layer in layers[1:] if down else reversed(layers[:-1]):
            _sort_by_neighbours(layer, grid.above if down else grid.below, position)
        _swap_neighbours(grid, position)
        crossings = _crossings(grid, position)
        stale += 1
        if crossings < fewest:
            best, fewest, stale = [list(layer) for layer in layers], crossings, 0
    grid.layers = best


def _first_order(grid: _Grid) -> None:
    """Depth first from the bottom, first operand first: a tree comes out without a crossing."""
    seen = [False] * len(grid.rank)
    ends = [v for v in range(len(grid.rank)) if not grid.below[v]]
    stack = ends[::-1]
    while stack:
        v = stack.pop()
        if seen[v]:
            continue
        seen[v] = True
        grid.layers[grid.rank[v]].append(v)
        stack.extend(u for u in reversed(grid.above[v]) if not seen[u])


def _sort_by_neighbours(layer: list[int], neighbours: list[list[int]], position: list[int]) -> None:
    """Sort by the mean position of the neighbours; vertices that have none keep their place."""
    movable = [v for v in layer if neighbours[v]]
    if len(movable) < 2 and len(layer) == len(movable):
        return
    mean = {v: sum(position[u] for u in neighbours[v]) / len(neighbours[v]) for v in movable}
    movable.sort(key=mean.__getitem__)
    following = iter(movable)
    for i, v in enumerate(layer):
        layer[i] = next(following) if neighbours[v] else v
    for i, v in enumerate(layer):
        position[v] = i


def _swap_neighbours(grid: _Grid, position: list[int]) -> None:
    for _ in range(3):
        improved = False
        for layer in grid.layers:
            for i in range(len(layer) - 1):
                a, b = layer[i], layer[i + 1]
                gain = _gain(grid.above[a], grid.above[b], position)
                gain += _gain(grid.below[a], grid.below[b], position)
                if gain > 0:
                    layer[i], layer[i + 1] = b, a
                    position[a], position[b] = i + 1, i
                    improved = True
        if not improved:
            return


def _gain(of_a: list[int], of_b: list[int], position: list[int]) -> int:
    """How many crossings fewer if b stood left of a, where a stands left of b now."""
    gain = 0
    for u in of_a:
        p = position[u]
        for v in of_b:
            q = position[v]
            gain += (p > q) - (p < q)
    return gain


def _crossings(grid: _Grid, position: list[int]) -> int:
    total = 0
    for layer in grid.layers:
        seen: list[int] = []
        for v in layer:
            ends = sorted(position[u] for u in grid.below[v])
            for p in ends:
                total += len(seen) - bisect_right(seen, p)
            for p in ends:
                insort(seen, p)
    return total


# ---- coordinates


def _coordinates(grid: _Grid) -> list[float]:
    """An x for each vertex (a box's middle, an edge's line).

    Each vertex wants to stand at the weighted median of its neighbours. A rank takes the positions
    nearest to those wishes that keep its order and its gaps, which is an isotonic regression.
    Medians, unlike means, keep a path of heavy edges exactly straight however much hangs on its
    side.
    """
    x = [0.0] * len(grid.rank)
    offsets = []
    for layer in grid.layers:
        offset = [0.0]
        for a, b in pairwise(layer):
            offset.append(offset[-1] + grid.apart(a, b))
        offsets.append(offset)
        for v, o in zip(layer, offset, strict=True):
            x[v] = o - offset[-1] / 2
    rows = list(zip(grid.layers, offsets, strict=True))
    before: list[float] = []
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        if down:
            if x == before:
                break
            before = list(x)
        first, second = (grid.above, grid.below) if down else (grid.below, grid.above)
        for layer, offset in rows if down else reversed(rows):
            wishes, weights = [], []
            for v in layer:
                wish, weight = _wish(grid, x, v, first[v] or second[v])
                wishes.append(wish)
                weights.append(weight)
            for v, new in zip(layer, _fit(wishes, weights, offset), strict=True):
                x[v] = new
    return x


def _wish(grid: _Grid, x: list[float], v: int, neighbours: list[int]) -> tuple[float, int]:
    weight = grid.weight
    pairs = [(x[u], weight.get((u, v)) or weight[v, u]) for u in neighbours]
    if len(pairs) == 1:
        return pairs[0]
    if not pairs:
        return x[v], _LEAF
    return _median(pairs), max(w for _, w in pairs)


def _median(pairs: list[tuple[float, int]]) -> float:
    """The weighted median; the middle of the interval where it is not unique."""
    pairs = sorted(pairs)
    half = sum(w for _, w in pairs) / 2
    total = 0
    for i, (value, weight) in enumerate(pairs):
        total += weight
        if total > half:
            return value
        if total == half:
            return (value + pairs[i + 1][0]) / 2
    raise AssertionError("weights are positive")


def _fit(wishes: list[float], weights: list[int], offset: list[float]) -> list[float]:
    """Positions at least `offset` apart, with the smallest weighted distance to the wishes."""
    if len(wishes) == 1:
        return wishes
    blocks: list[_Block] = []
    for wish, weight, o in zip(wishes, weights, offset, strict=True):
        block = _Block(wish - o, weight)
        while blocks and blocks[-1].median > block.median:
            block = blocks.pop().merge(block)
        blocks.append(block)
    shifts = [block.median for block in blocks for _ in range(block.size)]
    return [s + o for s, o in zip(shifts, offset, strict=True)]


class _Block:
    """Vertices that touch, and the weighted median of their wishes, kept in two heaps around it."""

    __slots__ = ("balance", "high", "low", "median", "size")

    def __init__(self, wish: float, weight: int) -> None:
        self.low = [(-wish, weight)]  # the wishes up to the median, largest first
        self.high: list[tuple[float, int]] = []  # the others, smallest first
        self.balance = weight  # the weight of `low` less that of `high`
        self.median = wish
        self.size = 1

    def merge(self, other: _Block) -> _Block:
        if other.size > self.size:
            self, other = other, self
        for wish, weight in other.low:
            self._add(-wish, weight)
        for wish, weight in other.high:
            self._add(wish, weight)
        self.size += other.size
        self.median = -self.low[0][0]
        if not self.balance:
            self.median = (self.median + self.high[0][0]) / 2
        return self

    def _add(self, wish: float, weight: int) -> None:
        if wish <= -self.low[0][0]:
            heappush(self.low, (-wish, weight))
            self.balance += weight
            while self.balance - 2 * self.low[0][1] >= 0:
                wish, weight = heappop(self.low)
                heappush(self.high, (-wish, weight))
                self.balance -= 2 * weight
        else:
            heappush(self.high, (wish, weight))
            self.balance -= weight
            while self.balance < 0:
                wish, weight = heappop(self.high)
                heappush(self.low, (-wish, weight))
                self.balance += 2 * weight


# ---- routes


def _draw(
    grid: _Grid,
    x: list[float],
    edges: Sequence[tuple[int, int]],
    labels: Sequence[tuple[float, float] | None] | None,
    rank_gap: float,
) -> Layout:
    if not grid.layers:
        return Layout((), (), 0.0, 0.0)
    left = min(x[v] - grid.left[v] for v in range(len(x)))
    x = [value - left for value in x]
    ports = _ports(grid, x, edges)
    _straighten(grid, x, ports)
    # A line that goes aside needs room to bend.
    aside = [0.0] * len(grid.layers)
    for path, port in zip(grid.paths, ports, strict=True):
        for v, w in pairwise(path):
            rank = grid.rank[v]
            aside[rank] = max(aside[rank], abs(x[v] - (port if w == path[-1] else x[w])))
    tops, bottoms, y = [], [], 0.0
    for rank, layer in enumerate(grid.layers):
        tops.append(y)
        y += max(grid.height[v] for v in layer)
        bottoms.append(y)
        # Two gaps, before and after the rank of labels, are little more than one.
        share = 1.0 if grid.step == 1 else 0.7 if rank % 2 == 0 else 0.45
        y += rank_gap * share + min(0.5 * aside[rank], 14) + min(0.05 * aside[rank], 26)
    boxes = []
    for v in range(grid.count):
        top = (tops[grid.rank[v]] + bottoms[grid.rank[v]] - grid.height[v]) / 2
        boxes.append(Box(x[v] - grid.left[v], top, 2 * grid.left[v], grid.height[v]))
    routes = []
    for i, path in enumerate(grid.paths):
        u, v = path[0], path[-1]
        pen = _Pen(
            (x[u], boxes[u].y + boxes[u].height if u < grid.count else bottoms[grid.rank[u]])
        )
        label = None
        for w in path[1:-1]:
            rank = grid.rank[w]
            pen.bend(bottoms[rank - 1], (x[w], tops[rank]))
            pen.line(bottoms[rank])
            if w == path[-2] and labels and (size := labels[i]):
                label = (x[w] + 4, (tops[rank] + bottoms[rank] - size[1]) / 2)
        pen.bend(bottoms[grid.rank[v] - 1], (ports[i], tops[grid.rank[v]]))
        pen.line(boxes[v].y)
        routes.append(Route(tuple(pen.points), label, u >= grid.count))
    width = max(x[v] + grid.right[v] for v in range(len(x)))
    return Layout(tuple(boxes), tuple(routes), width, bottoms[-1])


class _Pen:
    def __init__(self, start: Point) -> None:
        self.points = [start]

    def line(self, y: float) -> None:
        """Straight down to y."""
        x0, y0 = self.points[-1]
        if y > y0:
            third = (y - y0) / 3
            self.points += [(x0, y0 + third), (x0, y - third), (x0, y)]

    def bend(self, y: float, end: Point) -> None:
        """Straight down to y, then a curve to `end` that leaves and arrives upright."""
        self.line(y)
        x0, y0 = self.points[-1]
        middle = (y0 + end[1]) / 2
        self.points += [(x0, middle), (end[0], middle), end]


def _ports(grid: _Grid, x: list[float], edges: Sequence[tuple[int, int]]) -> list[float]:
    """Where each edge enters its target: as straight as the box is wide, no two at one point."""
    entering: list[list[int]] = [[] for _ in range(grid.count)]
    for i, (_, v) in enumerate(edges):
        entering[v].append(i)
    ports = [0.0] * len(edges)
    for v, group in enumerate(entering):
        if not group:
            continue
        coming = [x[grid.paths[i][-2]] for i in group]
        order = sorted(range(len(group)), key=lambda k: coming[k])
        room = max(grid.left[v] - 14, grid.left[v] * 0.6)
        apart = min(18.0, 2 * room / max(len(group) - 1, 1))
        offset = [k * apart for k in range(len(group))]
        wishes = [min(max(coming[k], x[v] - room), x[v] + room) for k in order]
        weights = [grid.weight[grid.paths[group[k]][-2], v] for k in order]
        fitted = _fit(wishes, weights, offset)
        for k, port, o in zip(order, fitted, offset, strict=True):
            first, last = x[v] - room + o, x[v] + room - (offset[-1] - o)
            ports[group[k]] = min(max(port, first), last)
    return ports


def _straighten(grid: _Grid, x: list[float], ports: list[float]) -> None:
    """Move the last point of each edge right above its port where its neighbours leave room."""
    place = {v: (layer, i) for layer in grid.layers for i, v in enumerate(layer)}
    for path, port in zip(grid.paths, ports, strict=True):
        v = path[-2]
        if v < grid.count or len(grid.below[v]) > 1:
            continue
        layer, i = place[v]
        if i and port < x[layer[i - 1]] + grid.apart(layer[i - 1], v):
            continue
        if i + 1 < len(layer) and port > x[layer[i + 1]] - grid.apart(v, layer[i + 1]):
            continue
        x[v] = port


def _turn(result: Layout) -> Layout:
    """Mirror at the diagonal: top to bottom becomes left to right."""
    return Layout(
        tuple(Box(b.y, b.x, b.height, b.width) for b in result.boxes),
        tuple(
            Route(
                tuple((y, x) for x, y in r.points),
                r.label and (r.label[1], r.label[0]),
                r.branch,
            )
            for r in result.routes
        ),
        result.height,
        result.width,
    )
