"""A graph as an SVG picture.

Kinds of node differ in shape as well as in colour: what has a gradient of its own is leaf-shaped (a
parameter with a second outline), constants are dashed, operators carry their symbol in a cell at
their left, the root has a double frame. Solid lines are the forward pass, dashed lines the backward
pass, with the chain rule's factor beside them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape

from .layout import Box, Point, Route, layout
from .snapshot import GNode, Graph, Summary
from .symbols import short

LIGHT = """\
--lg-bg:#fff;--lg-card:#fff;--lg-text:#1a2230;--lg-muted:#5b6576;--lg-border:#bcc5d3;--lg-line:#7f8a9c;
--lg-op:#eceffc;--lg-op-text:#3646b8;--lg-leaf:#e5f6ea;--lg-leaf-line:#2c9a5b;--lg-leaf-text:#0f4a28;
--lg-input:#f5f6f8;--lg-input-line:#929cad;--lg-root:#fff1d0;--lg-root-line:#cf8a06;--lg-root-text:#734700;
--lg-grad:#c42d57"""

DARK = """\
--lg-bg:#11151c;--lg-card:#1a202a;--lg-text:#e9edf3;--lg-muted:#9ba7b9;--lg-border:#3d4859;--lg-line:#8a96a9;
--lg-op:#262e4d;--lg-op-text:#b3bfff;--lg-leaf:#14301f;--lg-leaf-line:#4cc383;--lg-leaf-text:#cdf3dc;
--lg-input:#161b23;--lg-input-line:#737f92;--lg-root:#4a390f;--lg-root-line:#f0b43c;--lg-root-text:#ffdf9b;
--lg-grad:#ff83a2"""

MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace'

STYLE = f"""
.lg text{{font-family:{MONO};fill:var(--lg-text)}}
.lg-name{{font-size:13px;font-weight:700}}
.lg-expr{{font-size:11.5px}}
.lg .lg-type{{font-size:10.5px;fill:var(--lg-muted)}}
.lg .lg-value{{font-size:10.5px}}
.lg .lg-gradient{{font-size:10.5px;fill:var(--lg-grad)}}
.lg .lg-symbol{{font-size:14px;font-weight:700;fill:var(--lg-op-text);text-anchor:middle}}
.lg .lg-factor{{font-size:11px;fill:var(--lg-grad)}}
.lg-card{{fill:var(--lg-card);stroke:var(--lg-border);stroke-width:1.3}}
.lg-cell{{fill:var(--lg-op)}}
.lg-leaf .lg-card,.lg-parameter .lg-card{{fill:var(--lg-leaf);stroke:var(--lg-leaf-line)}}
.lg-leaf .lg-name,.lg-parameter .lg-name{{fill:var(--lg-leaf-text)}}
.lg-inner{{fill:none;stroke:var(--lg-leaf-line);stroke-width:1}}
.lg-input .lg-card{{fill:var(--lg-input);stroke:var(--lg-input-line);stroke-dasharray:4 3}}
.lg-root .lg-card{{stroke:var(--lg-root-line);stroke-width:1.6}}
.lg-root .lg-ring{{fill:none;stroke:var(--lg-root-line);stroke-width:1.3}}
.lg-root .lg-cell{{fill:var(--lg-root)}}
.lg-root .lg-symbol{{fill:var(--lg-root-text)}}
.lg-forward,.lg-backward{{fill:none;stroke:var(--lg-line);stroke-width:1.5}}
.lg-backward{{stroke:var(--lg-grad);stroke-dasharray:5 3.5}}
.lg-head{{fill:var(--lg-line)}}
.lg-backhead{{fill:var(--lg-grad)}}
"""

KINDS = {"input": "constant", "leaf": "leaf", "parameter": "parameter"}

ADVANCE = 0.602  # of a monospaced character, in ems
_NAME, _EXPR, _TYPE, _FACTOR = 13.0, 11.5, 10.5, 11.0
_LONGEST = 46
_DIGITS = 4
_APART = 4.5  # half the distance between an edge's forward and backward lines
_HEAD = 8.0
_RING = 4.0  # between the two frames of a root


def to_svg(
    graph: Graph,
    *,
    direction: str = "TB",
    backward: bool = True,
    values: bool = False,
    legend: bool = True,
    theme: str = "auto",
    interactive: bool = False,
) -> str:
    """The graph as an SVG document.

    `direction` is "TB" (top to bottom) or "LR" (left to right). `backward` draws the way of the
    gradients with their factors, `values` adds values and gradients where they are known, `legend`
    explains the shapes. `theme` is "light", "dark", "auto" (what the reader prefers) or "inherit"
    (the page around the SVG brings `STYLE` and `LIGHT` or `DARK`). `interactive` makes nodes
    reachable with the keyboard, for a page with a script.
    """
    if theme not in ("auto", "light", "dark", "inherit"):
        raise ValueError(f"theme must be 'auto', 'light', 'dark' or 'inherit', not {theme!r}")
    cards = [card_of(node, values) for node in graph.nodes]
    factors = [factor_text(edge.factor) if backward else "" for edge in graph.edges]
    labels = [(len(f) * _FACTOR * ADVANCE + 2 * _APART + 6, 16.0) if f else None for f in factors]
    placed = layout(
        [(card.width, card.height) for card in cards],
        [(edge.src, edge.dst) for edge in graph.edges],
        labels,
        direction=direction,
    )
    lines, texts = [], []
    for edge, route, factor in zip(graph.edges, placed.routes, factors, strict=True):
        both = backward and edge.differentiable
        ends = graph.nodes[edge.src], graph.nodes[edge.dst]
        title = _edge_title(*ends, edge.label, edge.factor)
        ids = f"{edge.src:d} {edge.dst:d}"
        lines.append(
            f'<g class="lg-edge" data-edge="{ids}">{_edge(route, direction, both, title)}</g>'
        )
        if factor and route.label:
            x, y = route.label
            x, y = (x + _APART + 6, y + 12) if direction == "TB" else (x + 2, y + _APART + 14)
            texts.append(_text("factor", x, y, factor))
    nodes = [
        _node(node, card, box, interactive)
        for node, card, box in zip(graph.nodes, cards, placed.boxes, strict=True)
    ]
    width, height = placed.width, placed.height
    if legend:
        key, key_width, key_height = _legend(graph, backward, height + 26, max(width, 460))
        nodes.append(key)
        width, height = max(width, key_width), height + 26 + key_height
    margin = 20
    view = f"{-margin} {-margin} {_n(width + 2 * margin)} {_n(height + 2 * margin)}"
    names = [node.label for node in graph.nodes if node.kind == "root"]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lg" viewBox="{view}" '
        f'width="{_n(width + 2 * margin)}" height="{_n(height + 2 * margin)}" '
        f'role="{"group" if interactive else "img"}" '
        f'aria-label="{_safe("Computational graph of " + (", ".join(names) or "a value"))}">'
        f"{_style(theme)}"
        f'<rect class="lg-page" x="{-margin}" y="{-margin}" width="{_n(width + 2 * margin)}" '
        f'height="{_n(height + 2 * margin)}" rx="10" fill="var(--lg-bg)"/>'
        f"{''.join(lines)}{''.join(texts)}{''.join(nodes)}</svg>"
    )


def _style(theme: str) -> str:
    if theme == "inherit":
        return ""
    if theme == "auto":
        colours = f".lg{{{LIGHT}}}@media(prefers-color-scheme:dark){{.lg{{{DARK}}}}}"
    else:
        colours = f".lg{{{LIGHT if theme == 'light' else DARK}}}"
    return f"<style>{colours}{STYLE}</style>"


# ---- nodes


@dataclass(frozen=True, slots=True)
class Card:
    """What a node says, line by line as (class, text), and the room that takes."""

    lines: list[tuple[str, str]]
    cell: float  # the width of the symbol's cell, 0 if there is none
    width: float
    height: float


_SIZES = {"name": _NAME, "expr": _EXPR, "type": _TYPE, "value": _TYPE, "gradient": _TYPE}
_LINE = 16.0


def card_of(node: GNode, values: bool) -> Card:
    lines = []
    expression = node.source.expression if node.source else ""
    if node.name:
        lines.append(("name", elide(node.name)))
    if expression and (node.is_op or not node.name) and expression != node.name:
        lines.append(
            ("expr", elide(expression if cells(expression) <= _LONGEST else short(expression)))
        )
    if not lines:
        lines.append(("expr", node.op or KINDS.get(node.kind, node.kind)))
    if node.type:
        lines.append(("type", elide(node.type)))
    if values and node.value:
        lines.append(("value", "= " + brief(node.value)))
    if values and node.grad:
        lines.append(("gradient", "∇ " + brief(node.grad)))
    text = max(cells(line) * _SIZES[kind] * ADVANCE for kind, line in lines)
    cell = max(32.0, cells(node.symbol) * 14 * ADVANCE + 16) if node.is_op else 0.0
    frame = 2 * _RING if node.kind == "root" else 0.0
    width = max(text + cell + 24, 64.0) + frame
    return Card(lines, cell, width, len(lines) * _LINE + 14 + frame)


def _node(node: GNode, card: Card, box: Box, interactive: bool) -> str:
    x, y, w, h = box.x, box.y, box.width, box.height
    parts = [f"<title>{_safe(_node_title(node))}</title>"]
    if node.is_op:
        if node.kind == "root":
            parts.append(_rect("ring", x, y, w, h, 11))
            x, y, w, h = x + _RING, y + _RING, w - 2 * _RING, h - 2 * _RING
        parts.append(_rect("card", x, y, w, h, 8))
        c = card.cell
        parts.append(
            f'<path class="lg-cell" d="M{_n(x + c)} {_n(y + 0.7)}V{_n(y + h - 0.7)}H{_n(x + 8)}'
            f'a7.3 7.3 0 0 1-7.3-7.3V{_n(y + 8)}a7.3 7.3 0 0 1 7.3-7.3z"/>'
        )
        parts.append(_text("symbol", x + c / 2, y + h / 2 + 5, node.symbol))
    elif node.kind == "input":
        parts.append(_rect("card", x, y, w, h, 0))
    else:
        parts.append(_leaf("card", x, y, w, h, min(h * 0.5, 22)))
        if node.kind == "parameter":
            parts.append(_leaf("inner", x + 3.5, y + 3.5, w - 7, h - 7, min(h * 0.5, 22) - 3))
    top = y + 7
    for i, (kind, line) in enumerate(card.lines):
        parts.append(_text(kind, x + card.cell + 12, top + _LINE * i + 12, line))
    extra = ' tabindex="0" role="button"' if interactive else ""
    kind = f"lg-node lg-{_safe(node.kind)}"
    return f'<g class="{kind}" data-node="{node.id:d}"{extra}>{"".join(parts)}</g>'


def _rect(kind: str, x: float, y: float, w: float, h: float, radius: float) -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}"'
    return f'<rect class="lg-{kind}" {place} rx="{_n(radius)}"/>'


def _leaf(kind: str, x: float, y: float, w: float, h: float, r: float) -> str:
    """A leaf: two opposite corners round, two pointed."""
    arc = f"a{_n(r)} {_n(r)} 0 0 1"
    top = f"M{_n(x)} {_n(y)}H{_n(x + w - r)}{arc} {_n(r)} {_n(r)}"
    return f'<path class="lg-{kind}" d="{top}V{_n(y + h)}H{_n(x + r)}{arc}-{_n(r)}-{_n(r)}z"/>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="lg-{kind}" x="{_n(x)}" y="{_n(y)}">{_safe(text)}</text>'


def _node_title(node: GNode) -> str:
    lines = [" ".join(filter(None, (node.name, node.op, node.type)))]
    if node.source and node.source.expression:
        lines.append(node.source.expression)
    if node.source and node.source.file:
        lines.append(f"{node.source.place} {node.source.function}".rstrip())
    if node.value:
        lines.append("value " + brief(node.value))
    if node.grad:
        lines.append("gradient " + brief(node.grad))
    for saved in node.saved:
        shape = ", ".join(map(str, saved.shape))
        lines.append(f"keeps {saved.name} {saved.dtype}[{shape}], {saved.bytes} bytes")
    return "\n".join(lines)


def brief(summary: Summary) -> str:
    """A value in a few characters: small arrays in full, others as mean ± standard deviation."""
    if summary.values is not None:
        text = _numbers(summary.values)
        if cells(text) <= 34:
            return text
        flat = [v for v in _flat(summary.values) if not isinstance(v, str)]
        if not flat:
            return elide(text)
        mean = sum(flat) / len(flat)
        spread = (sum((v - mean) ** 2 for v in flat) / len(flat)) ** 0.5
        return _spread(mean, spread)
    if summary.mean is None or summary.std is None:
        return f"{summary.nonfinite} not finite"
    text = _spread(summary.mean, summary.std)
    return text + (f", {summary.nonfinite} not finite" if summary.nonfinite else "")


def _spread(mean: float, std: float) -> str:
    """A mean that is nothing but rounding is written as 0."""
    return f"{_number(mean if abs(mean) > 1e-12 * std else 0)} ± {_number(std)}"


def _flat(values: object) -> list[float | str]:
    if isinstance(values, tuple):
        return [v for part in values for v in _flat(part)]
    return [values]  # type: ignore[list-item]


def _numbers(values: object) -> str:
    if isinstance(values, tuple):
        return f"[{', '.join(_numbers(v) for v in values)}]"
    return _number(values)


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}".replace("-", "−")
    return str(value).replace("-", "−")


# ---- edges


def _edge(route: Route, direction: str, both: bool, title: str) -> str:
    """The line forward, and back beside it if a gradient flows."""
    down = direction == "TB"
    shift = _APART if both else 0.0
    (x0, y0), (x1, y1) = route.points[0], route.points[-1]
    dx, dy = (shift, 0.0) if down else (0.0, shift)
    forward = [(x - dx, y - dy) for x, y in route.points]
    # A line ends inside its arrow head, so that its end does not show at the tip.
    end = (x1 - dx, y1 - dy - _HEAD + 2) if down else (x1 - dx - _HEAD + 2, y1 - dy)
    parts = [
        f"<title>{_safe(title)}</title>",
        f'<path class="lg-forward" d="{_curve(forward, end=end)}"/>',
        _head("head", x1 - dx, y1 - dy, down, 1),
    ]
    if both:
        back = [(x + dx, y + dy) for x, y in route.points]
        start = back[0]
        if not route.branch:
            start = (x0 + dx, y0 + dy + _HEAD - 2) if down else (x0 + dx + _HEAD - 2, y0 + dy)
            parts.append(_head("backhead", x0 + dx, y0 + dy, down, -1))
        parts.append(f'<path class="lg-backward" d="{_curve(back, start=start)}"/>')
    return "".join(parts)


def _curve(points: list[Point], start: Point | None = None, end: Point | None = None) -> str:
    points = [start or points[0], *points[1:-1], end or points[-1]]
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for i in range(1, len(points), 3):
        (x0, y0), *curve = points[i - 1 : i + 3]
        x, y = curve[-1]
        if all(_n(px) == _n(x0) for px, _ in curve):
            parts.append(f"V{_n(y)}")
        elif all(_n(py) == _n(y0) for _, py in curve):
            parts.append(f"H{_n(x)}")
        else:
            parts.append("C" + " ".join(f"{_n(px)} {_n(py)}" for px, py in curve))
    return "".join(parts)


def _head(kind: str, x: float, y: float, down: bool, sign: int) -> str:
    """An arrow head with its tip at (x, y)."""
    long, wide = -_HEAD * sign, _HEAD * 0.45
    a, b = ((-wide, long), (wide, long)) if down else ((long, -wide), (long, wide))
    return (
        f'<path class="lg-{kind}" d="M{_n(x)} {_n(y)}L{_n(x + a[0])} {_n(y + a[1])}'
        f'L{_n(x + b[0])} {_n(y + b[1])}z"/>'
    )


def _edge_title(src: GNode, dst: GNode, argument: str, factor: str | None) -> str:
    text = f"{src.label} → {dst.label}" + (f" ({argument})" if argument else "")
    return text + (f"\n∂{dst.label}/∂{src.label}: {factor}" if factor else "")


def factor_text(factor: str | None) -> str:
    if not factor:
        return ""
    return factor if factor[0] in "·⊗×ᵀ" or factor[-1] in "·⊗" else f"× {factor}"


# ---- the legend


def _legend(graph: Graph, backward: bool, top: float, room: float) -> tuple[str, float, float]:
    kinds = {node.kind for node in graph.nodes}
    entries = [
        ("input", "constant"),
        ("leaf", "leaf: gets a gradient"),
        ("parameter", "parameter"),
        ("op", "operator"),
        ("root", "result"),
    ]
    arrows = [("forward", "value")]
    if backward and any(edge.differentiable for edge in graph.edges):
        arrows.append(("backward", "gradient × local derivative"))
    x, y, widest, parts = 0.0, top, 0.0, []
    for kind, text in [e for e in entries if e[0] in kinds] + arrows:
        width = 38 + len(text) * _TYPE * ADVANCE
        if x and x + width > room:
            x, y = 0.0, y + 28
        parts.append(_key(kind, x, y) + _text("type", x + 38, y + 15, text))
        x += width + 20
        widest = max(widest, x - 20)
    return f'<g class="lg-legend">{"".join(parts)}</g>', widest, y + 22 - top


def _key(kind: str, x: float, y: float) -> str:
    """One small example for the legend."""
    if kind == "forward":
        return f'<path class="lg-forward" d="M{_n(x)} {_n(y + 11)}H{_n(x + 24)}"/>' + _head(
            "head", x + 30, y + 11, False, 1
        )
    if kind == "backward":
        return f'<path class="lg-backward" d="M{_n(x + 6)} {_n(y + 11)}H{_n(x + 30)}"/>' + _head(
            "backhead", x, y + 11, False, -1
        )
    x, y, w, h = x + 3, y + 3, 26.0, 16.0
    if kind in ("op", "root"):
        ring = _rect("ring", x - 3, y - 3, w + 6, h + 6, 6) if kind == "root" else ""
        cell = (
            f'<rect class="lg-cell" x="{_n(x + 1)}" y="{_n(y + 1)}" width="9" height="14" rx="3"/>'
        )
        shape = ring + _rect("card", x, y, w, h, 4) + cell
    elif kind == "input":
        shape = _rect("card", x, y, w, h, 0)
    else:
        shape = _leaf("card", x, y, w, h, 8)
        if kind == "parameter":
            shape += _leaf("inner", x + 3, y + 3, w - 6, h - 6, 5)
    return f'<g class="lg-{kind}">{shape}</g>'


# ---- text


def elide(text: str, longest: int = _LONGEST) -> str:
    text = " ".join(text.split())
    if cells(text) <= longest:
        return text
    width, end = 1, 0
    while width + cells(text[end]) <= longest:
        width += cells(text[end])
        end += 1
    return text[:end] + "…"


def cells(text: str) -> int:
    """The width in monospaced cells: East Asian wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _safe(text: str) -> str:
    """For XML: escaped, and without the control characters that XML cannot hold."""
    return escape(re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text))


def _n(value: float) -> str:
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text
