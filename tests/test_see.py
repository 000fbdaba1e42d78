"""Drawing: layout, SVG, text, snapshots, the report. Browsers come in test_see_browser."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import leafgrad
from leafgrad.see import symbols
from leafgrad.see.capture import capture
from leafgrad.see.layout import Box, Layout, Route, layout
from leafgrad.see.report import Moment, to_html, write_report
from leafgrad.see.snapshot import GEdge, GNode, Graph, Source, Summary
from leafgrad.see.svg import brief, to_svg
from leafgrad.see.text import to_dot, to_mermaid, to_text
from see_samples import CURVE, NEURON, curve, dag, neuron, run, source

HOSTILE = "<script>alert('1')</script>\"&]]>\x1b[31m\x00"


# ---- layout


def overlap(a: Box, b: Box) -> bool:
    return (
        a.x < b.x + b.width - 0.01
        and b.x < a.x + a.width - 0.01
        and a.y < b.y + b.height - 0.01
        and b.y < a.y + a.height - 0.01
    )


def samples(route: Route, count: int = 12) -> list[tuple[float, float]]:
    """Points along a route's Bézier pieces."""
    found = [route.points[0]]
    for i in range(0, len(route.points) - 1, 3):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = route.points[i : i + 4]
        for k in range(1, count + 1):
            t = k / count
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            found.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return found


def check(result: Layout, sizes, edges, labels=None, direction="TB") -> None:
    """What every layout has to satisfy."""
    assert np.allclose([(b.width, b.height) for b in result.boxes], np.reshape(sizes, (-1, 2)))
    boxes = list(result.boxes)
    texts = [
        Box(*route.label, *size)
        for route, size in zip(result.routes, labels or [None] * len(edges), strict=True)
        if size
    ]
    for a, b in combinations(boxes + texts, 2):
        assert not overlap(a, b)
    for box in boxes + texts:
        assert box.x > -0.01 and box.x + box.width < result.width + 0.01
        assert box.y > -0.01 and box.y + box.height < result.height + 0.01
    for (u, v), route in zip(edges, result.routes, strict=True):
        start, end = boxes[u], boxes[v]
        (x0, y0), (x1, y1) = route.points[0], route.points[-1]
        if direction == "TB":
            assert start.y + start.height < end.y
            assert y1 == pytest.approx(end.y) and end.x < x1 < end.x + end.width
            assert route.branch or y0 == pytest.approx(start.y + start.height)
        else:
            assert start.x + start.width < end.x
            assert x1 == pytest.approx(end.x) and end.y < y1 < end.y + end.height
            assert route.branch or x0 == pytest.approx(start.x + start.width)
        for x, y in samples(route):
            for box in boxes + texts:
                inside_x = box.x + 0.1 < x < box.x + box.width - 0.1
                assert not (inside_x and box.y + 0.1 < y < box.y + box.height - 0.1)
    for v in range(len(sizes)):
        ends = [r.points[-1] for (_, w), r in zip(edges, result.routes, strict=True) if w == v]
        assert len(set(ends)) == len(ends)


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_layout_keeps_everything_apart(seed, labelled, direction):
    sizes, edges = dag(40, seed)
    labels = [(30.0 + i % 50, 14.0) if i % 3 else None for i in range(len(edges))]
    labels = labels if labelled else None
    check(layout(sizes, edges, labels, direction=direction), sizes, edges, labels, direction)


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    sizes = [
        (draw(st.integers(20, 200)) * 1.0, draw(st.integers(10, 90)) * 1.0) for _ in range(count)
    ]
    edges = [
        (u, v) for v in range(1, count) for u in draw(st.lists(st.integers(0, v - 1), max_size=3))
    ]
    return sizes, edges


@given(graphs(), st.booleans(), st.sampled_from(["TB", "LR"]))
@settings(max_examples=60, deadline=None)
def test_layout_of_any_graph(graph, labelled, direction):
    sizes, edges = graph
    labels = [(40.0, 12.0)] * len(edges) if labelled else None
    check(layout(sizes, edges, labels, direction=direction), sizes, edges, labels, direction)


def test_layout_is_the_same_in_every_process():
    program = (
        f"import sys; sys.path[:0] = {[os.path.dirname(__file__)]!r}\n"
        "from see_samples import dag\nfrom leafgrad.see.layout import layout\n"
        "print(layout(*dag(120, 7)))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert texts == {f"{layout(*dag(120, 7))}\n"}


def test_layout_draws_a_chain_as_a_straight_line():
    count = 5000  # far beyond Python's recursion limit
    sizes = [(60.0 + i % 7 * 20, 30.0) for i in range(count)]
    result = layout(sizes, [(i, i + 1) for i in range(count - 1)])
    assert len({round(box.x + box.width / 2, 6) for box in result.boxes}) == 1
    assert all(len({x for x, _ in route.points}) == 1 for route in result.routes)


def test_layout_keeps_the_main_path_straight_past_leaves_and_skips():
    sizes, edges, main = [(90.0, 30.0)], [], [0]
    for _ in range(30):
        last, skip = main[-1], main[-1]
        for _ in range(3):  # three operators with two leaves each, then what skipped them is added
            leaf = len(sizes)
            sizes += [(120.0, 40.0), (70.0, 40.0), (160.0, 46.0)]
            edges += [(last, leaf + 2), (leaf, leaf + 2), (leaf + 1, leaf + 2)]
            last = leaf + 2
            main.append(last)
        sizes.append((50.0, 30.0))
        edges += [(skip, len(sizes) - 1), (last, len(sizes) - 1)]
        main.append(len(sizes) - 1)
    result = layout(sizes, edges)
    middles = {round(result.boxes[v].x + result.boxes[v].width / 2, 6) for v in main[1:]}
    assert len(middles) == 1
    assert result.width < 600  # and nothing drifts aside


def test_layout_shares_the_line_of_a_value_that_is_used_everywhere():
    count = 400
    edges = [(i, i + 1) for i in range(1, count)] + [(0, i) for i in range(1, count + 1)]
    result = layout([(50.0, 20.0)] * (count + 1), edges)
    points = sum(len(route.points) for route in result.routes)
    assert points < 30 * len(edges)  # a line of its own for each use would take 300 points an edge


def test_layout_puts_operands_in_order_and_beside_their_user():
    #  0 -> 1 -> 2 -> 5 <- 4,   3 -> 1
    result = layout([(80.0, 30.0)] * 6, [(0, 1), (3, 1), (1, 2), (2, 5), (4, 5)])
    x, y = [b.x for b in result.boxes], [b.y for b in result.boxes]
    assert x[0] < x[3] and x[2] < x[4]
    assert y[0] == y[3] and y[4] == y[2]
    assert x[1] + 40 == pytest.approx((x[0] + x[3]) / 2 + 40)  # a pair stands evenly above


def test_layout_of_little_and_of_nonsense():
    assert layout([], []) == Layout((), (), 0.0, 0.0)
    assert layout([(40.0, 20.0)], []).boxes == (Box(0.0, 0.0, 40.0, 20.0),)
    with pytest.raises(ValueError, match="acyclic"):
        layout([(9.0, 9.0)] * 3, [(0, 1), (1, 2), (2, 1)])
    with pytest.raises(ValueError, match="'TB' or 'LR', not 'XY'"):
        layout([], [], direction="XY")


# ---- SVG

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def texts(element: ET.Element) -> list[str]:
    return [t.text or "" for t in element.iter(f"{SVG}text")]


def node_groups(svg: ET.Element) -> dict[int, ET.Element]:
    return {int(g.get("data-node", "")): g for g in svg.iter(f"{SVG}g") if g.get("data-node")}


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("make", [neuron, curve])
def test_svg_shows_names_symbols_shapes_and_expressions(make, values, direction):
    graph = make()
    svg = parsed(to_svg(graph, values=values, direction=direction))
    groups = node_groups(svg)
    assert set(groups) == {node.id for node in graph.nodes}
    for node in graph.nodes:
        shown = texts(groups[node.id])
        assert node.type in shown
        if node.name:
            assert node.name in shown
        if node.is_op:
            assert node.symbol in shown and node.source
            wanted = symbols.short(node.source.expression)
            assert any(t in (wanted, node.source.expression) or t.endswith("…") for t in shown)
        assert (f"= {brief(node.value)}" in shown) is values
        assert any(t.startswith("∇") for t in shown) is (values and node.grad is not None)
    factors = [e.factor for e in graph.edges if e.factor]
    drawn = [t.text or "" for t in svg.iter(f"{SVG}text") if t.get("class") == "lg-factor"]
    assert sorted(t.removeprefix("× ") for t in drawn) == sorted(factors)


def test_svg_kinds_differ_without_colour():
    nodes = tuple(
        GNode(i, kind, "v", "AddBackward0" if kind in ("op", "root") else "", "+", (2,), "float32")
        for i, kind in enumerate(["input", "leaf", "parameter", "op", "root"])
    )
    groups = node_groups(parsed(to_svg(Graph(nodes, ()), legend=False)))
    outlines = []
    for group in groups.values():
        shapes = [
            (e.tag.removeprefix(SVG), (e.get("class") or "").removeprefix("lg-"))
            for e in group
            if e.tag not in (f"{SVG}title", f"{SVG}text")
        ]
        outlines.append(tuple(shapes))
    assert outlines == [
        (("rect", "card"),),
        (("path", "card"),),
        (("path", "card"), ("path", "inner")),
        (("rect", "card"), ("path", "cell")),
        (("rect", "ring"), ("rect", "card"), ("path", "cell")),
    ]
    assert ".lg-input .lg-card{fill:var(--lg-input);" in to_svg(Graph(nodes, ()))
    assert "stroke-dasharray:4 3}" in to_svg(Graph(nodes, ()))


def test_svg_text_stays_inside_its_card():
    long = GNode(0, "op", "名前" * 30, "AddBackward0", "log softmax", (2,), "float32",
                 Source("f(" + "x, " * 60 + "y)"))  # fmt: skip
    for graph in (neuron(), curve(), Graph((long,), ())):
        for group in node_groups(parsed(to_svg(graph, values=True))).values():
            card = next(e for e in group if e.get("class") == "lg-card")
            box = card.get("d") or ""
            if box:  # a leaf: M left top H ... a r r 0 0 1 r r V ...
                x, _, h, r = (float(n) for n in re.match(
                    r"M([\d.]+) ([\d.]+)H([\d.]+)a([\d.]+)", box).groups())  # fmt: skip
                left, right = x, h + r
            else:
                left = float(card.get("x", ""))
                right = left + float(card.get("width", ""))
            for text in group.iter(f"{SVG}text"):
                size = {"lg-name": 13, "lg-expr": 11.5, "lg-symbol": 14}.get(
                    text.get("class"), 10.5
                )
                cells = sum(2 if c in "名前" else 1 for c in text.text or "")
                start = float(text.get("x", ""))
                width = cells * size * 0.602
                if text.get("class") == "lg-symbol":
                    start -= width / 2
                assert left < start and start + width < right


def test_svg_edges_go_back_only_where_gradients_flow():
    graph = neuron()
    svg = parsed(to_svg(graph))
    for edge in graph.edges:
        group = next(
            g for g in svg.iter(f"{SVG}g") if g.get("data-edge") == f"{edge.src} {edge.dst}"
        )
        kinds = [p.get("class") for p in group.iter(f"{SVG}path")]
        assert kinds.count("lg-forward") == 1 and kinds.count("lg-head") == 1
        assert kinds.count("lg-backward") == kinds.count("lg-backhead") == edge.differentiable
    plain = parsed(to_svg(graph, backward=False, legend=False))
    classes = {p.get("class") for p in plain.iter(f"{SVG}path")}
    assert "lg-backward" not in classes and "lg-forward" in classes


def hostile() -> Graph:
    leaf = GNode(0, "leaf", HOSTILE, shape=(1,), dtype=HOSTILE, value=Summary((), HOSTILE, HOSTILE))
    op = GNode(1, "root", HOSTILE, HOSTILE, HOSTILE, (1,), HOSTILE,
               Source(HOSTILE, HOSTILE, 1, HOSTILE, 0, 1, 3))  # fmt: skip
    return Graph((leaf, op), (GEdge(0, 1, HOSTILE, HOSTILE, True),))


def test_svg_escapes_whatever_the_program_is_called():
    svg = to_svg(hostile(), values=True, interactive=True)
    assert "<script" not in svg and "\x00" not in svg and "\x1b" not in svg
    root = parsed(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert any(t.startswith("<script>alert('1')</script>\"&]]>") for t in texts(root))


def test_svg_themes():
    assert "prefers-color-scheme" in to_svg(neuron())
    light, dark = to_svg(neuron(), theme="light"), to_svg(neuron(), theme="dark")
    assert light != dark and "prefers-color-scheme" not in light + dark
    assert "<style" not in to_svg(neuron(), theme="inherit")
    with pytest.raises(ValueError, match="not 'blue'"):
        to_svg(neuron(), theme="blue")


def test_svg_of_a_single_value_and_of_nothing():
    one = Graph((GNode(0, "leaf", "w", shape=(), dtype="float32"),), ())
    assert "w" in texts(parsed(to_svg(one)))
    assert parsed(to_svg(Graph((), ()))).tag == f"{SVG}svg"


# ---- text, DOT, Mermaid


def test_text_of_the_neuron():
    assert to_text(neuron()) == (
        "◉ loss  bce  float32[]      "
        "torch.nn.functional.binary_cross_entropy_with_logits(z, y)  program.py:8\n"
        "├─○ y        float32[3]     constant\n"
        "● z     +    float32[3]     "
        "torch.matmul(x, w) + b                                      program.py:7\n"
        "├─◆ b        float32[3]     leaf\n"
        "●       @    float32[3]     "
        "torch.matmul(x, w)                                          program.py:7\n"
        "├─○ x        float32[5]     constant\n"
        "◆ w          float32[5, 3]  leaf\n"
    )


def test_text_of_the_curve_nests_branches_and_names_what_was_shown():
    lines = to_text(curve()).splitlines()
    assert [re.split(r"  +", line)[0] for line in lines] == [
        "◉ loss", "├─○ y", "●", "├─●", "│ ├─○ torch.cos(X / 4)", "│ ●", "│ ↓ theta", "●", "├─●",
        "│ ├─○ torch.sin(X)", "│ ●", "│ ↓ theta", "●", "├─○ X", "●", "◆ theta",
    ]  # fmt: skip


def test_text_of_a_long_chain():
    count = 3000
    nodes = [
        GNode(i, "op" if i else "leaf", f"h{i}", "AddBackward0" if i else "", "+")
        for i in range(count)
    ]
    edges = [GEdge(i, i + 1) for i in range(count - 1)]
    lines = to_text(Graph(tuple(nodes), tuple(edges))).splitlines()
    assert len(lines) == count
    assert lines[0].startswith("● h2999") and lines[-1].startswith("◆ h0")


def test_text_does_not_nest_what_skips_ahead():
    # h1 = f(h0) + h0, h2 = f(h1) + h1, ...: as in a residual network
    nodes, edges = [GNode(0, "leaf", "h0")], []
    for i in range(1, 101):
        last = len(nodes) - 1
        nodes.append(GNode(last + 1, "op", f"f{i}", "TanhBackward0", "tanh"))
        nodes.append(GNode(last + 2, "op", f"h{i}", "AddBackward0", "+"))
        edges += [GEdge(last, last + 1), GEdge(last + 1, last + 2), GEdge(last, last + 2)]
    lines = to_text(Graph(tuple(nodes), tuple(edges))).splitlines()
    assert len(lines) == 301 and not any("│" in line for line in lines)
    assert [re.split("  +", line)[0] for line in lines[:4]] == [
        "● h100",
        "├─↓ h99",
        "● f100",
        "● h99",
    ]


def test_text_has_no_control_characters():
    for text in (to_text(hostile()), to_dot(hostile()), to_mermaid(hostile())):
        assert all(c.isprintable() for c in text.replace("\n", ""))


def test_dot():
    text = to_dot(neuron())
    assert 'n2 [label="@\\ntorch.matmul(x, w)\\nfloat32[3]", shape=box, style="rounded"];' in text
    assert "  n0 -> n2;\n" in text
    assert [line for line in text.splitlines() if "n0 [" in line] == [
        '  n0 [label="x\\nfloat32[5]", shape=box, style="dashed"];'
    ]
    quoted = Graph((GNode(0, "leaf", 'a"b\\n'),), ())
    assert 'label="a\\"b\\\\n"' in to_dot(quoted)


def test_mermaid():
    text = to_mermaid(neuron())
    assert text.startswith("flowchart TD\n")
    assert '  n4("+ z<br>torch.matmul(x, w) + b<br>float32[3]")\n' in text
    assert "  n0 --> n2\n" in text
    assert "<script>" not in to_mermaid(hostile()) and "#60;script#62;" in to_mermaid(hostile())
    nodes = tuple(GNode(i, "leaf", "w") for i in range(502))
    edges = tuple(GEdge(i, 501) for i in range(501))
    with pytest.raises(ValueError, match="501 edges"):
        to_mermaid(Graph(nodes, edges))


# ---- the snapshot


def test_a_graph_prints_and_shows_itself():
    assert str(neuron()) == to_text(neuron())
    assert neuron()._repr_svg_() == to_svg(neuron())


def test_graph_to_json_and_back():
    for graph in (neuron(), curve(), hostile(), Graph((), ())):
        assert Graph.from_json(graph.to_json()) == graph
    assert neuron() != curve() and neuron() == neuron() and hash(neuron()) == hash(neuron())
    changed = replace(neuron().nodes[0], name="other")
    assert Graph((changed, *neuron().nodes[1:]), neuron().edges) != neuron()


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (np.float32(0.1), 0.1),
        (np.array([[1, 2], [3, 4]]), ((1, 2), (3, 4))),
        (np.array([True, False]), (True, False)),
        (np.array([np.nan, -np.inf, 1.5]), ("nan", "-inf", 1.5)),
        (np.array([1 + 2j]), ("1+2j",)),
        (np.zeros((0, 3)), ()),
        (np.array([0.1], np.float16), (0.1,)),
    ],
)
def test_small_arrays_are_kept_whole(array, values):
    summary = Summary.of(array)
    assert summary.values == values and summary.shape == np.shape(array)
    graph = Graph((GNode(0, "leaf", value=summary),), ())
    assert Graph.from_json(graph.to_json()) == graph


def test_large_arrays_are_summarised():
    a = np.random.default_rng(0).normal(3, 2, (50, 40))
    a[0, 0], a[1, 1] = np.nan, np.inf
    finite = a[np.isfinite(a)]
    summary = Summary.of(a)
    assert summary.values is None and summary.nonfinite == 2
    assert summary.minimum == finite.min() and summary.maximum == finite.max()
    assert summary.mean == pytest.approx(finite.mean()) and summary.std == pytest.approx(
        finite.std()
    )
    assert list(summary.histogram) == np.histogram(finite, 24)[0].tolist()


@pytest.mark.parametrize(
    "array",
    [
        np.full(100, np.nan),
        np.full(100, 7.0),
        np.tile([-1.7e308, 1.7e308], 50),
        np.linspace(1e-320, 5e-320, 100),
        np.full(100, 1e16) + np.arange(100) % 2 * 2,
        np.zeros(100),
        np.exp(1j * np.arange(100)),
        np.arange(100, dtype=np.uint8),
    ],
)
def test_summaries_of_extreme_arrays(array):
    with np.errstate(all="raise", under="ignore"):
        summary = Summary.of(array)
    graph = Graph((GNode(0, "leaf", value=summary),), ())
    assert Graph.from_json(graph.to_json()) == graph
    assert sum(summary.histogram) + summary.nonfinite == 100
    assert isinstance(brief(summary), str)


# ---- symbols


@pytest.mark.parametrize(
    ("op", "argument", "operands", "out", "count", "expected"),
    [
        ("MulBackward0", 0, ["a", "torch.sin(X)"], "p", 3, "sin(X)"),
        ("DivBackward0", 1, ["a + b", "c"], "p", 3, "−(a + b)/c²"),
        ("ExpBackward0", 0, ["x"], "exp(x)", 3, "exp(x)"),
        ("SigmoidBackward0", 0, ["x"], "s", 3, "s·(1 − s)"),
        ("MeanBackward0", 0, ["x"], "m", 12, "1/12"),
        ("MeanBackward0", 0, ["x"], "m", 1, "1"),
        ("MseLossBackward0", 1, ["y", "f" * 40], "l", 9, "2·(b − a)/9"),
        ("SelectBackward0", 0, ["theta"], "theta[2]", 3, "1 at [2]"),
        ("MulBackward0", 0, ["a", ""], "p", 3, "b"),
        ("NoSuchBackward0", 0, ["a"], "p", 3, None),
        ("AddBackward0", 2, ["a", "b"], "p", 3, None),
        ("MeanBackward0", 0, ["x"], "m", None, None),
        ("add_scaled", 0, ["a", "b"], "c", 1, None),
    ],
)
def test_local_derivatives(op, argument, operands, out, count, expected):
    assert symbols.derivative(op, argument, operands, out, count) == expected


def test_symbols():
    names = ("MulBackward0", "LeakyReluBackward1", "MyFnBackward")
    assert [symbols.symbol(name) for name in names] == ["×", "leaky relu", "my fn"]


class Methods:
    """Stands for the class of tensors."""

    matmul = view = sum = None


@pytest.mark.parametrize(
    ("expression", "count", "expected"),
    [
        ("a * (b + c)", 2, ["a", "b + c"]),
        ("x ** 2", 1, ["x"]),
        ("-x", 1, ["x"]),
        ("theta[0]", 1, ["theta"]),
        ("torch.matmul(x, w)", 2, ["x", "w"]),
        ("x.matmul(w)", 2, ["x", "w"]),
        ("x.sum(0)", 1, ["x"]),
        ("x.view(n, -1)", 1, ["x"]),
        ("torch.sum(x, 0)", 1, ["x"]),
        ("self.loss(p, target=t)", 2, ["p", "t"]),
        ("self.loss(input=p, target=t)", 2, ["p", "t"]),
        ("self.loss(target=t, input=p)", 2, []),
        ("x += y", 2, ["x", "y"]),
        ("naïve * ß", 2, ["naïve", "ß"]),
        ("f(a, b, c)", 2, []),
        ("lambda: 0", 1, []),
        ("no python", 1, []),
        ("(" * 500 + ")" * 500, 1, []),
    ],
)
def test_operands_of_an_expression(expression, count, expected):
    found = symbols.operands(expression, count, Methods, ("input", "target")[:count])
    assert [o.text for o in found] == expected
    assert all(expression[o.column : o.end_column] == o.text for o in found)


# ---- capture: from a graph that was really recorded


def test_capture_reads_names_expressions_values_and_gradients():
    x = leafgrad.tensor([1.0, 2.0, 3.0])
    w = leafgrad.tensor([0.5, -1.0, 2.0], requires_grad=True)
    h = leafgrad.sin(w) * x
    loss = (h * leafgrad.exp(w)).sum()
    graph = capture(loss, gradients=True)
    assert w.grad is None
    named = {node.name: node for node in graph.nodes if node.name}
    assert set(named) == {"x", "w", "h", "loss"}
    assert named["w"].kind == "leaf" and named["x"].kind == "input"
    assert named["loss"].kind == "root" and graph.nodes[-1] is named["loss"]
    assert [n.op for n in graph.nodes if n.is_op] == [
        "SinBackward0", "MulBackward0", "ExpBackward0", "MulBackward0", "SumBackward0",
    ]  # fmt: skip
    assert named["h"].source and named["h"].source.expression == "leafgrad.sin(w) * x"
    with open(__file__, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for node in graph.nodes:  # every expression stands where its node says, leaves' first use too
        s = node.source
        assert s and lines[s.line - 1][s.column : s.end_column] == s.expression
    a, b = np.array([1.0, 2, 3]), np.array([0.5, -1, 2])
    product, total = np.sin(b) * a * np.exp(b), a * np.exp(b) * (np.cos(b) + np.sin(b))
    assert named["h"].value.values == pytest.approx(np.sin(b) * a, rel=1e-6)
    assert graph.nodes[-2].value.values == pytest.approx(product, rel=1e-6)
    assert named["loss"].value.values == pytest.approx(product.sum(), rel=1e-6)
    assert named["w"].grad.values == pytest.approx(total, rel=1e-5)
    assert named["h"].grad.values == pytest.approx(np.exp(b), rel=1e-6)
    assert named["loss"].grad.values == 1.0
    factors = {(graph.nodes[e.src].label, e.dst): e.factor for e in graph.edges}
    assert factors["h", graph.nodes[-2].id] == "exp(w)"
    assert factors["x", named["h"].id] is None
    assert not next(e for e in graph.edges if e.src == named["x"].id).differentiable
    assert {s.name for s in named["h"].saved} >= {"other"}
    loss.backward()  # what capture did has freed nothing and changed nothing
    assert w.grad.tolist() == pytest.approx(total, rel=1e-5)
    freed = capture(loss)
    assert [(n.op, n.name) for n in freed.nodes] == [(n.op, n.name) for n in graph.nodes]
    lost = {n.name for n in freed.nodes if n.name and not n.value}
    assert lost == {"x", "h"}  # x was freed, so h is not known either


def test_capture_of_tensors_without_a_graph():
    w = leafgrad.tensor([1.0, 2.0], requires_grad=True)
    assert [(n.kind, n.type) for n in capture(w).nodes] == [("leaf", "float32[2]")]
    assert [n.kind for n in capture(w.detach()).nodes] == ["input"]
    assert capture(w, names={"weight": w}).nodes[0].name == "weight"


def test_capture_never_shows_a_value_that_was_not_there():
    w = leafgrad.tensor([1.0, 2.0], requires_grad=True)
    y = w + 1.0
    z = y.sum()
    with leafgrad.no_grad():
        w.mul_(10.0)
    nodes = {n.name: n for n in capture(z).nodes if n.name}
    assert nodes["y"].value is None  # 11, 21 would be computed from the changed leaf
    assert nodes["w"].value.values == (10.0, 20.0)


def named_operands(tensor) -> list[tuple[str, str, str | None]]:
    """(operand, user, factor) of every edge."""
    graph = capture(tensor)
    texts = [n.name or (n.source.expression if n.source else n.kind) for n in graph.nodes]
    return [(texts[e.src], graph.nodes[e.dst].symbol, e.factor) for e in graph.edges]


def test_capture_tells_operands_apart_on_both_sides_of_an_operator():
    w = leafgrad.tensor([1.0, 2.0], requires_grad=True)
    scale, shift = 3.0, leafgrad.tensor([5.0, 6.0])
    assert named_operands(scale * w) == [("w", "×", "scale"), ("scale", "×", None)]
    assert named_operands(w * scale) == [("w", "×", "scale"), ("scale", "×", None)]
    assert named_operands(2 * w) == [("w", "×", "2"), ("2", "×", None)]
    assert named_operands(w + shift) == [("w", "+", "1"), ("shift", "+", None)]
    assert named_operands(shift * w) == [("shift", "×", None), ("w", "×", "shift")]
    assert named_operands(2 - w) == [("w", "−", "−1"), ("2", "−", None)]
    assert named_operands(w**3) == [("w", "xⁿ", "3·w^2"), ("3", "xⁿ", None)]
    y = 2 * w
    assert named_operands(scale * y)[2:] == [("y", "×", "scale"), ("scale", "×", None)]
    m = leafgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert named_operands(leafgrad.matmul(m, w))[1] == ("w", "@", "mᵀ·")
    assert named_operands(1 / w)[0] == ("w", "1/x", "−1/w²")  # one expression, two nodes

    def unknown(a, b):
        return a * b  # which of them is the number cannot be seen

    assert [n for n, _, _ in named_operands(unknown(scale, w))] == ["leaf", "3.0"]


def test_capture_does_not_lend_a_modules_parameters_the_names_of_its_inputs():
    layer = leafgrad.nn.Linear(3, 2)
    x = leafgrad.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    out = leafgrad.nn.functional.relu(layer(x))
    plain = capture(out)
    assert [n.name for n in plain.nodes if n.kind == "parameter"] == ["weight", "bias"]
    assert plain.nodes[-1].name == "out"
    named = capture(out, names=dict(layer.named_parameters()))
    assert {n.name for n in named.nodes if n.kind == "parameter"} == {"weight", "bias"}


def test_capture_of_losses_knows_their_reduction_and_weights():
    functional = leafgrad.nn.functional
    w, y = leafgrad.tensor([1.0, 2.0], requires_grad=True), leafgrad.zeros(2)

    def factors(tensor):
        return [e.factor for e in capture(tensor).edges if e.differentiable]

    assert factors(functional.mse_loss(w, y)) == ["2·(w − y)/2"]
    assert factors(functional.mse_loss(w, y, reduction="sum")) == ["2·(w − y)"]
    assert factors(functional.mse_loss(w, y, reduction="none").sum()) == ["2·(w − y)", "1"]
    assert factors(functional.binary_cross_entropy_with_logits(w, y)) == ["(σ(w) − y)/2"]
    weighted = functional.binary_cross_entropy_with_logits(w, y, pos_weight=leafgrad.ones(2))
    assert factors(weighted) == [None]


def test_capture_of_a_value_used_twice_and_of_a_loop():
    w = leafgrad.tensor(2.0, requires_grad=True)
    h = w * w
    for _ in range(300):
        h = h + w
    graph = capture(h)
    assert [n.kind for n in graph.nodes].count("leaf") == 1
    assert sum(n.name == "h" for n in graph.nodes) == 301
    assert [(e.src, e.dst) for e in graph.edges[:2]] == [(0, 1), (0, 1)]
    assert all(e.src < e.dst for e in graph.edges)


# ---- the report


def embedded(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_report_needs_nothing_else(tmp_path):
    path = write_report(tmp_path / "report.html", run())
    assert path.stat().st_size < 400_000
    html = path.read_text(encoding="utf-8")
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert not re.search(
        r"\b(src|href|srcset)\s*=|@import|url\((?!#)|fetch\(|XMLHttp", html.split('id="data"')[0]
    )
    assert "default-src 'none'" in html
    assert to_html(run()) == html
    assert not re.search(r"\{\{\w+\}\}", html)


def test_report_embeds_what_was_measured():
    given = run()
    data = embedded(to_html(given))
    assert len(data["points"]["x"]) == 1000 and data["losses"]["epoch"][-1] == 499
    assert [m["epoch"] for m in data["moments"]] == [m.epoch for m in given.moments]
    assert [m["loss"] for m in data["moments"]] == [m.loss for m in given.moments]
    assert [p["name"] for p in data["parameters"]] == ["theta[0]", "theta[1]", "theta[2]"]
    assert [p["true"] for p in data["parameters"]] == [0.0, 1.5, 1.2]
    assert data["parameters"][1]["values"] == pytest.approx(
        given.parameters["theta"][:, 1], abs=1e-4
    )
    codes = np.frombuffer(base64.b64decode(data["fits"]["data"]), "<i2").reshape(
        len(given.moments), -1
    )
    fits = data["fits"]["middle"] + codes * data["fits"]["unit"]
    x = np.array(data["line"])
    for fit, moment in zip(fits, given.moments, strict=True):
        assert np.interp(x, given.x, moment.fit) == pytest.approx(fit, abs=2e-3)
    assert Graph.from_dict(data["graph"]) == curve()
    text = ["".join(piece for _, piece in line) for line in data["source"]]
    assert text == CURVE.rstrip("\n").split("\n")
    assert ["k", "import"] in data["source"][0] and ["n", "1000"] in data["source"][4]


def test_report_of_a_large_run_stays_small(tmp_path):
    count, epochs = 300_000, 40_000
    x = np.random.default_rng(0).uniform(-1, 1, count)
    moments = [
        Moment(e * 40, np.sin(9 * x) * e, 1.0 / (e + 1), {"w": np.full((40, 5), e)})
        for e in range(60)
    ]
    given = run(
        x=x, y=np.sin(9 * x), truth=None, moments=moments * 1, losses=np.arange(epochs, 0, -1.0),
        parameters={"w": np.zeros((epochs, 40, 5))}, true_parameters={},
    )  # fmt: skip
    path = write_report(tmp_path / "report.html", given)
    assert path.stat().st_size < 1_000_000
    data = embedded(path.read_text(encoding="utf-8"))
    assert data["points"]["total"] == count and data["hidden"] == 200 - 12
    assert data["line"] == sorted(data["line"])
    assert data["moments"][0]["epoch"] == 0 and data["moments"][-1]["epoch"] == 59 * 40
    assert data["losses"]["value"][0] == epochs and data["losses"]["value"][-1] == 1


def test_report_keeps_the_peaks_of_a_long_loss_curve():
    losses = np.ones(30_000)
    losses[12_345] = 99.0
    data = embedded(to_html(run(losses=losses, parameters={})))
    assert len(data["losses"]["value"]) < 5000
    assert [12_345, 99.0] in [
        list(p) for p in zip(data["losses"]["epoch"], data["losses"]["value"], strict=True)
    ]


def test_report_of_a_run_that_diverged():
    given = run()
    wild = [
        replace(given.moments[0], fit=np.full(1000, v), loss=v, parameters={"theta": [v] * 3})
        for v in (1.0, 1e300, math.inf, math.nan)
    ]
    data = embedded(
        to_html(run(moments=wild, losses=[1.0, 1e300, math.inf, math.nan], parameters={}))
    )
    assert [m["loss"] for m in data["moments"]] == [1.0, 1e300, None, None]
    assert data["losses"]["value"] == [1.0, 1e300, None, None]
    codes = np.frombuffer(base64.b64decode(data["fits"]["data"]), "<i2").reshape(4, -1)
    assert (codes[2:] == -32768).all() and (codes[:2] != -32768).all()
    assert data["fits"]["high"] - data["fits"]["low"] < 3 * (given.y.max() - given.y.min())


def test_report_escapes_the_users_texts():
    title = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    html = to_html(run(title=title, source=f"x = '{title}'\n", graph=hostile(), filename=title))
    assert html.count("<script") == 2 and html.count("</script") == 2  # the data and the page's own
    assert "<img" not in html
    data = embedded(html)
    assert data["title"] == title and "".join(t for _, t in data["source"][0]) == f"x = '{title}'"


def test_report_does_not_tell_the_folders_of_its_machine():
    graph = curve()
    secret = replace(
        graph.nodes[-1], source=replace(graph.nodes[-1].source, file="/home/ada/fit/program.py")
    )
    html = to_html(
        run(
            graph=Graph((*graph.nodes[:-1], secret), graph.edges),
            filename="/home/ada/fit/program.py",
        )
    )
    assert "/home/ada" not in html and embedded(html)["filename"] == "program.py"


def test_report_colours_only_python():
    assert embedded(to_html(run(source="def f(:\n  'open\n")))["source"][0][0] == ["k", "def"]
    text = "a\u2028b = '''\n  x\n'''  # c\r\nf = 1"
    lines = embedded(to_html(run(source=text)))["source"]
    assert ["".join(t for _, t in line) for line in lines] == [
        "a\u2028b = '''",
        "  x",
        "'''  # c",
        "f = 1",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.zeros(7)}, "x has 1000 elements but y has 7"),
        ({"truth": np.zeros(7)}, "x has 1000 elements but truth has 7"),
        (
            {"x": np.zeros((10, 100))},
            r"x must be one-dimensional and not empty, not of shape \(10, 100\)",
        ),
        ({"moments": []}, "at least one moment"),
        ({"epochs": [1, 2]}, "2 epochs but 500 losses"),
        ({"parameters": {"w": np.zeros(3)}}, "500 epochs but 3 values of w"),
    ],
)
def test_report_refuses_data_that_do_not_fit(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path / "report.html", run(**changes))
    assert not list(tmp_path.iterdir())


def test_the_samples_programs_contain_what_their_nodes_say():
    for program, graph in ((NEURON, neuron()), (CURVE, curve())):
        lines = program.split("\n")
        for node in graph.nodes:
            if node.is_op:
                s = node.source
                assert s and lines[s.line - 1][s.column : s.end_column] == s.expression
    assert source(NEURON, "torch.ones(5)").line == 3
