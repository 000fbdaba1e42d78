"""The interactive page, folding, modules, formulas, recording and watching; browsers come in
test_see_browser."""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import leafgrad
from doc_pages import blocks, run
from leafgrad import nn
from leafgrad.nn import functional as F
from leafgrad.see import formula, symbols
from leafgrad.see.capture import capture
from leafgrad.see.folding import fold, opened
from leafgrad.see.page import to_html
from leafgrad.see.recorder import Thinned
from leafgrad.see.snapshot import GEdge, GNode, Graph, Saved, Source, Summary
from leafgrad.see.text import to_dot, to_mermaid
from leafgrad.see.watching import differences
from see_samples import curve, dag, neuron

HOSTILE = "<script>alert('1')</script>\"&]]>\x1b[31m\x00"


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.mlp = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 4))

    def forward(self, x):
        x = x * 0.5
        return x + self.mlp(self.norm(x))


class Net(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 4)
        self.blocks = nn.ModuleList([Block() for _ in range(blocks)])

    def forward(self, tokens):
        x = self.table(tokens)
        for block in self.blocks:
            x = block(x)
        return F.linear(x, self.table.weight)


def net(blocks: int = 2):
    """A model with repeated blocks and a tied weight, and its loss."""
    leafgrad.manual_seed(0)
    model = Net(blocks)
    tokens = leafgrad.tensor([[0, 1, 2], [3, 4, 5]])
    return model, model(tokens).square().mean()


# ---- modules


def test_every_operation_is_found_in_its_module():
    model, loss = net()
    graph = capture(loss)
    ops = [(n.module, symbols.words(n.op)) for n in graph.nodes if n.is_op]
    block = [("", "mul"), (".norm", "native layer norm"), (".mlp.0", "view"), (".mlp.1", "relu"),
             (".mlp.3", "view"), ("", "add")]  # fmt: skip
    inside = [(f"blocks.{k}{m}", op) for k in range(2) for m, op in block]
    assert [o for o in ops if "dropout" not in o[1]][: 1 + len(inside)] == [
        ("table", "embedding"), *inside,
    ]  # fmt: skip
    assert all(module == "" for module, _ in ops[-3:])  # the tied weight is not the table's call
    names = {n.name for n in graph.nodes if n.kind == "parameter"}
    assert names == {name for name, _ in model.named_parameters()}
    assert dict(graph.modules)["blocks.1"] == "Block"
    assert Graph.from_json(graph.to_json()) == graph


def test_a_module_can_be_given_for_the_names():
    layer, other = nn.Linear(2, 2), nn.Linear(2, 2)
    loss = (layer(leafgrad.ones(2)) + other(leafgrad.ones(2))).sum()
    mine = leafgrad.graph(loss, names=layer)
    assert {n.name for n in mine.nodes if n.kind == "parameter"} == {"weight", "bias", ""}
    both = leafgrad.graph(loss)
    assert {n.name for n in both.nodes if n.kind == "parameter"} == {
        "Linear.weight", "Linear.bias", "Linear'.weight", "Linear'.bias",
    }  # fmt: skip


# ---- folding


def check_folds(graph: Graph) -> None:
    """Every node and edge is there once, at every level, and no level has a cycle."""
    groups = fold(graph)
    homes = {n: g.id for g in groups for kind, n in g.items if kind == "node"}
    assert sorted(homes) == [node.id for node in graph.nodes]
    inner = [n for g in groups for kind, n in g.items if kind == "group"]
    assert sorted(inner) == [g.id for g in groups[1:]]
    passed: dict[int, int] = {}
    for group in groups:
        assert len(set(group.lines)) == len(group.lines)
        waiting = {k: 0 for k in range(len(group.items))}
        for (a, b), edges in zip(group.lines, group.edges, strict=True):
            waiting[b] += 1
            for e in edges:
                passed[e] = passed.get(e, 0) + 1
            kinds = group.items[a][0], group.items[b][0]
            assert kinds[0] != "out" and kinds[1] != "in"
        ready = [k for k, n in waiting.items() if not n]
        for k in ready:
            for a, b in group.lines:
                if a == k:
                    waiting[b] -= 1
                    if not waiting[b]:
                        ready.append(b)
        assert len(ready) == len(group.items)
        assert group.placed is not None and len(group.placed.boxes) == len(group.items)

    def above(g: int) -> list[int]:
        found = []
        while g >= 0:
            found.append(g)
            g = groups[g].parent
        return found

    for number, edge in enumerate(graph.edges):
        a, b = above(homes[edge.src]), above(homes[edge.dst])
        assert passed[number] == len(set(a) ^ set(b)) + 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_folds_of_random_graphs_are_whole_and_without_cycles(seed, count):
    rng = random.Random(seed)
    _, edges = dag(count, seed)
    into = {v for _, v in edges}
    modules = ["", "a", "a.0", "a.1", "b", "a.0.x"]
    nodes = [
        GNode(v, "op", f"h{v}", "Mul", "×", module=rng.choice(modules)) if v in into
        else GNode(v, "leaf", f"w{v}")
        for v in range(count)
    ]  # fmt: skip
    check_folds(Graph(tuple(nodes), tuple(GEdge(u, v) for u, v in edges)))


def test_a_model_folds_into_its_modules_and_opens_as_a_few_boxes():
    _, loss = net(8)
    graph = capture(loss)
    check_folds(graph)
    groups = fold(graph)
    assert opened(groups) == [0]
    outer = [groups[n].title for kind, n in groups[0].items if kind == "group"]
    assert outer == ["table", "blocks"]
    blocks = next(g for g in groups if g.path == "blocks")
    assert blocks.subtitle == "8 × Block" and len(groups[0].items) < 10
    assert len({id(g.placed) for g in groups if re.fullmatch(r"blocks\.[1-7]", g.path)}) == 1
    _, small = net(1)
    assert len(opened(fold(capture(small)))) == len(fold(capture(small)))


def test_a_folded_graph_is_a_graph_of_its_groups():
    _, loss = net(8)
    graph = capture(loss, gradients=True)
    small = graph.folded()
    assert [n.name or n.symbol for n in small.nodes if n.is_op] == [
        "table", "blocks", "@+", "xⁿ", "mean",
    ]  # fmt: skip
    blocks = next(n for n in small.nodes if n.name == "blocks")
    assert blocks.type == "float32[2, 3, 4]" and blocks.op.startswith("8 × Block")
    assert all(e.src < e.dst for e in small.edges)
    assert [n.name for n in graph.folded(1).nodes if n.name.startswith("blocks.")] == [
        f"blocks.{k}" for k in range(8)
    ]
    assert graph.folded(99) == replace(graph, edges=graph.folded(99).edges)
    assert set(graph.folded(99).edges) == set(graph.edges)
    for text in (str(small), small.to_dot(), small.to_mermaid(), small.to_svg()):
        assert "8 × Block" in text
    assert graph._repr_svg_() == small.to_svg()
    assert Graph.from_json(small.to_json()) == small


def test_a_loop_folds_into_its_iterations():
    w = leafgrad.tensor([0.5, 0.6], requires_grad=True)
    h = w
    for _ in range(200):
        h = leafgrad.tanh(h * w)
        h = h + 1.0
    graph = capture(h.sum())
    check_folds(graph)
    groups = fold(graph)
    loop = groups[next(n for kind, n in groups[0].items if kind == "group")]
    assert loop.title == "× 200" and loop.subtitle.startswith("repeated, lines ")
    assert max(len(g.items) for g in groups) <= 40
    parts = [g for g in groups if re.fullmatch(r"\d+ of 200", g.title)]
    assert [g.title for g in parts] == [f"{k} of 200" for k in range(1, 201)]


def test_a_long_graph_without_any_order_is_cut_into_sections():
    nodes = [GNode(0, "leaf", "w")]
    nodes += [GNode(v, "op", f"h{v}", f"F{v * 7919 % 1013}", "f") for v in range(1, 1000)]
    graph = Graph(tuple(nodes), tuple(GEdge(v - 1, v) for v in range(1, 1000)))
    check_folds(graph)
    assert max(len(g.items) for g in fold(graph)) < 160


# ---- formulas


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("2·(w − y)/3", r"\frac{2 \cdot \left(w - y\right)}{3}"),
        ("1/(2·√x)", r"\frac{1}{2 \cdot \sqrt{x}}"),
        ("−a/b²", r"\frac{-a}{{b}^{2}}"),
        ("3·w^2", r"3 \cdot {w}^{2}"),
        ("−x^2", r"-{x}^{2}"),
        ("a - b - c", r"a - b - c"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        ("a / b * c", r"\frac{a}{b} \cdot c"),
        ("((x))", r"\left(x\right)"),
        ("torch.matmul(x, w) + b_1", r"\operatorname{matmul}\left(x, w\right) + b_{1}"),
        ("theta[0] * torch.sin(X)", r"{\theta}_{0} \cdot \sin\left(X\right)"),
        ("x[:, 1]", r"{x}_{:, 1}"),
        ("xᵀ @ y", r"{x}^{\top} \, y"),
        ("|x| + 1e-6", r"\left|x\right| + 1 \cdot 10^{-6}"),
        ("1 where x > 0", r"1 \text{ where } x > 0"),
        ("y_pred", r"y_{\mathrm{pred}}"),
        ("theta_2 * my_name", r"\theta_{2} \cdot \mathrm{my\_name}"),
        ("f'(x)", r"\text{f'(x)}"),
        ("lambda: {0}", r"\text{lambda: \{0\}}"),
        ("", r"\text{}"),
        ("(" * 300 + "x" + ")" * 300, None),
    ],
)
def test_formulas(text, tex):
    tree = formula.parse(text)
    assert tex is None or formula.latex(tree) == tex
    assert formula.mathml(tree).startswith("<math")


def test_every_short_form_can_be_read():
    for op, form in symbols._FORMULAS.items():
        text = symbols.formula(op, ["x", "y", "z"], 5)
        assert text and formula.parse(text)[0] != "text", (op, form)
    for op, forms in symbols._DERIVATIVES.items():
        for i in range(len(forms)):
            text = symbols.derivative(op, i, ["x", "y", "z"], "out", 5)
            assert text and formula.parse(text)[0] != "text", (op, text)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [("1", "g"), ("cos x", r"g \cdot \cos\left(x\right)"), ("·xᵀ", r"g \cdot {x}^{\top}"),
     ("x ⊗", r"x \otimes g"), ("ᵀ·w", r"{g}^{\top} \cdot w"), ("−1", r"g \cdot \left(-1\right)"),
     ("1 − y²", r"g \cdot \left(1 - {y}^{2}\right)")],
)  # fmt: skip
def test_the_chain_rule_is_written_out(factor, expected):
    assert formula.latex(formula.chained(formula.parse(factor), ("name", "g"))) == expected


def test_formulas_escape_the_users_texts():
    evil = "<img src=x onerror=alert(1)>"
    for text in (evil, f"x[{evil}]", f"1 at {evil}", f"f({evil})", "a<b", "a & b"):
        found = formula.mathml(formula.parse(text))
        assert "<img" not in found and not re.search(r"&(?!\w+;|#)", found)


# ---- the page


def embedded(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_a_page_needs_nothing_else(tmp_path):
    html = neuron().to_html(tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text(encoding="utf-8") == html == neuron().to_html()
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    outside = html.split('id="data"')[0]
    assert not re.search(r"\b(src|href|srcset)\s*=|@import|url\((?!#)|fetch\(|XMLHttp", outside)
    assert "default-src 'none'" in html and not re.search(r"\{\{\w+\}\}", html)


def test_pages_stay_small():
    assert len(neuron().to_html().encode()) < 80_000
    _, loss = net(8)
    graph = capture(loss, gradients=True)
    assert len(graph.nodes) > 95 and len(graph.to_html().encode()) < 600_000
    assert len(large().to_html().encode()) < 5_000_000


def large(count: int = 5000) -> Graph:
    """A graph without modules or repetitions, every node with values and gradients."""
    _, edges = dag(count, 1)
    into = {v for _, v in edges}
    rng = np.random.default_rng(0)
    nodes = []
    for v in range(count):
        value = Summary.of(rng.normal(size=(4, 4)).astype(np.float32))
        grad = Summary.of(rng.normal(size=(40, 4)).astype(np.float32))
        place = Source(f"a{v} * b{v}", "x.py", v + 1, "f", 4, v + 1, 12)
        kept = (Saved("other", (4, 4), "float32", 64),)
        nodes.append(
            GNode(v, "root" if v == count - 1 else "op", f"h{v}", "MulBackward0", "×", (4, 4),
                  "float32", place, v, kept, value, grad) if v in into
            else GNode(v, "leaf", f"w{v}", shape=(4, 4), dtype="float32", value=value, grad=grad)
        )  # fmt: skip
    return Graph(tuple(nodes), tuple(GEdge(u, v, "self", "1", True) for u, v in edges))


def hostile() -> Graph:
    """Everything that a program can name is a try to break out."""
    place = Source(HOSTILE, HOSTILE, 1, HOSTILE, 0, 1, 5)
    nodes = tuple(
        GNode(v, kind, HOSTILE, HOSTILE if kind == "root" else "", HOSTILE, (1,), HOSTILE, place,
              module=HOSTILE.replace(".", ""), formula=HOSTILE,
              value=Summary((), HOSTILE, HOSTILE), saved=(Saved(HOSTILE, (1,), HOSTILE, 4),))
        for v, kind in enumerate(("leaf", "root"))
    )  # fmt: skip
    edges = (GEdge(0, 1, HOSTILE, HOSTILE, True),)
    return Graph(nodes, edges, ((HOSTILE, HOSTILE),))


def test_a_page_escapes_the_users_texts():
    html = to_html(hostile(), title=HOSTILE)
    assert html.count("<script") == 2 and html.count("</script") == 2  # the data and the page's own
    maths = embedded(html)["maths"]
    assert maths and not any("<script" in text for text in maths)
    assert "<script" not in hostile()._repr_html_().split("srcdoc=")[1]


def test_a_page_does_not_tell_the_folders_of_its_machine():
    last = neuron().nodes[-1]
    secret = replace(last, source=replace(last.source, file="/home/ada/fit/program.py"))
    html = Graph((*neuron().nodes[:-1], secret), neuron().edges).to_html()
    assert "/home/ada" not in html and "program.py" in html


def test_notebooks_get_every_form():
    graph = neuron()
    bundle = graph._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/svg+xml"}
    assert bundle["text/plain"] == str(graph) and bundle["image/svg+xml"] == graph.to_svg()
    assert bundle["text/html"].startswith('<iframe sandbox="allow-scripts"')
    assert set(graph._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert "text/html" not in graph._repr_mimebundle_(exclude=["text/html"])


def test_views_can_be_left_out():
    w = leafgrad.ones(2, 3, requires_grad=True)
    y = (w.t().reshape(6) * 2.0).view(2, 3).sum()
    graph = capture(y)
    plain = graph.without_views()
    assert [n.op for n in plain.nodes if n.is_op] == ["MulBackward0", "SumBackward0"]
    assert [n.name for n in plain.nodes if n.kind == "leaf"] == ["w"]
    assert [n.id for n in plain.nodes] == list(range(len(plain.nodes)))
    assert (0, [n.op for n in plain.nodes].index("MulBackward0")) in [
        (e.src, e.dst) for e in plain.edges
    ]
    assert neuron().without_views() == neuron()
    x = leafgrad.ones(2)
    layers = capture((F.linear(leafgrad.ones(3, 2, 2), w[:, :2], None) @ x).matmul(w).sum())
    assert [n.symbol for n in layers.without_views().nodes if n.is_op].count("@") == 2
    _, loss = net()
    symbols_left = [n.symbol for n in capture(loss).without_views().nodes if n.is_op]
    assert symbols_left.count("@+") == 5 and "view" not in symbols_left


# ---- golden drawings


def test_golden_dot_of_the_neuron():
    bce = "torch.nn.functional.binary_cross_entropy_with_logits(z, y)"
    leaf = 'shape=note, style="filled", fillcolor="#e5f6ea"'
    assert to_dot(neuron()) == (
        "digraph leafgrad {\n"
        '  node [fontname="monospace", fontsize=11];\n'
        '  n0 [label="x\\nfloat32[5]", shape=box, style="dashed"];\n'
        f'  n1 [label="w\\nfloat32[5, 3]", {leaf}];\n'
        '  n2 [label="@\\ntorch.matmul(x, w)\\nfloat32[3]", shape=box, style="rounded"];\n'
        f'  n3 [label="b\\nfloat32[3]", {leaf}];\n'
        '  n4 [label="+ z\\ntorch.matmul(x, w) + b\\nfloat32[3]", shape=box, style="rounded"];\n'
        '  n5 [label="y\\nfloat32[3]", shape=box, style="dashed"];\n'
        f'  n6 [label="bce loss\\n{bce}\\nfloat32[]", shape=box, style="rounded", peripheries=2];\n'
        "  n0 -> n2;\n  n1 -> n2;\n  n2 -> n4;\n  n3 -> n4;\n  n4 -> n6;\n  n5 -> n6;\n}\n"
    )


def test_golden_mermaid_of_the_neuron():
    bce = "torch.nn.functional.binary_cross_entropy_with_logits(z, y)".replace("_", "_")
    assert to_mermaid(neuron()) == (
        "flowchart TD\n"
        '  n0["x<br>float32[5]"]\n'
        '  n1(["w<br>float32[5, 3]"])\n'
        '  n2("#64;<br>torch.matmul(x, w)<br>float32[3]")\n'
        '  n3(["b<br>float32[3]"])\n'
        '  n4("+ z<br>torch.matmul(x, w) + b<br>float32[3]")\n'
        '  n5["y<br>float32[3]"]\n'
        f'  n6[["bce loss<br>{bce}<br>float32[]"]]\n'
        "  n0 --> n2\n  n1 --> n2\n  n2 --> n4\n  n3 --> n4\n  n4 --> n6\n  n5 --> n6\n"
    )


def test_golden_text_of_a_recorded_model():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    x, y = leafgrad.ones(4, 3), leafgrad.zeros(4, 2)
    loss = F.mse_loss(model(x), y)
    assert re.sub(r"\.py:\d+", ".py:1", str(capture(loss))) == (
        "◉ loss      mse   float32[]      F.mse_loss(model(x), y)  test_see_page.py:1\n"
        "├─○ y             float32[4, 2]  y                        test_see_page.py:1\n"
        "●           tanh  float32[4, 2]  model(x)                 test_see_page.py:1\n"
        "●           @+    float32[4, 2]  model(x)                 test_see_page.py:1\n"
        "├─○               float32[4, 3]  constant\n"
        "├─◆ 0.bias        float32[2]     parameter\n"
        "◆ 0.weight        float32[2, 3]  parameter\n"
    )


# ---- gradients for the eye change nothing


def test_capturing_gradients_runs_no_hooks_and_changes_nothing():
    w = leafgrad.tensor([1.0, 2.0], requires_grad=True)
    told = []
    h = w * w
    h.register_hook(told.append)
    w.register_hook(told.append)
    loss = h.sum()
    graph = capture(loss, gradients=True)
    assert not told and w.grad is None
    assert {n.name: n.grad.values for n in graph.nodes if n.name} == {
        "w": (2.0, 4.0), "h": (1.0, 1.0), "loss": 1.0,
    }  # fmt: skip
    loss.backward()
    assert len(told) == 2 and w.grad.tolist() == [2.0, 4.0]


def test_captured_gradients_agree_with_backward():
    model, loss = net()
    graph = capture(loss, gradients=True)
    loss.backward()
    for name, parameter in model.named_parameters():
        grad = next(n.grad for n in graph.nodes if n.name == name)
        whole = Summary.of(parameter.grad.numpy())
        assert grad.shape == whole.shape
        if grad.values is None:
            assert grad.mean == pytest.approx(whole.mean, rel=1e-4, abs=1e-9)
        else:
            assert np.allclose(grad.values, whole.values, rtol=1e-5, atol=1e-8)
    z = leafgrad.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    total = (z * z.conj()).real.sum()
    shown = next(n for n in capture(total, gradients=True).nodes if n.name == "z")
    total.backward()
    assert [complex(v.replace("i", "j")) for v in shown.grad.values] == z.grad.tolist()


# ---- the recorder


def train(steps: int = 30, each=lambda loss, out: None):
    """A small classifier's training; its losses, and its parameters at the end."""
    leafgrad.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))
    x, y = leafgrad.randn(16, 3), leafgrad.randint(0, 2, (16,))
    optimizer = leafgrad.optim.SGD(model.parameters(), lr=0.5)
    schedule = leafgrad.optim.lr_scheduler.StepLR(optimizer, 10, 0.1)
    losses = []
    for _ in range(steps):
        out = model(x)
        loss = F.cross_entropy(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        each(loss, out)
    return losses, [p.detach().clone().tolist() for p in model.parameters()]


def test_a_report_records_a_training_that_says_nothing(tmp_path):
    plain = train()
    method = leafgrad.Tensor.backward
    with leafgrad.report(tmp_path / "run.html") as r:
        recorded = train(each=lambda loss, out: r.log(size=out.abs().max().item()))
    assert recorded == plain  # recording changes no number, dropout's included
    assert leafgrad.Tensor.backward is method
    data = embedded((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert data["unit"] == "step" and data["epochs"] == 30
    assert data["losses"]["value"] == pytest.approx(plain[0], rel=1e-6)
    series = {s["title"]: s for s in data["series"]}
    rate = dict(zip(series["Learning rate"]["epoch"], series["Learning rate"]["lines"][0]["values"],
                    strict=True))  # fmt: skip
    assert (rate[0], rate[9], rate[10], rate[29]) == pytest.approx((0.5, 0.5, 0.05, 0.005))
    assert len(series["size"]["lines"][0]["values"]) == 30
    names = {"0.weight", "0.bias", "3.weight", "3.bias"}
    for title in ("Norms of the gradients", "Norms of the parameters"):
        assert {line["name"] for line in series[title]["lines"]} == names
    assert all(v >= 0 for line in series["Time per step in milliseconds"]["lines"]
               for v in line["values"])  # fmt: skip
    assert {n["name"] for n in data["graph"]["nodes"] if n["kind"] == "parameter"} == names
    assert data["filename"] == "test_see_page.py"
    with leafgrad.report(tmp_path / "nothing.html"):
        pass
    assert not (tmp_path / "nothing.html").exists()


def test_a_report_of_a_fit_has_its_curve_and_its_parameters(tmp_path):
    x = leafgrad.linspace(-1, 1, 50)
    w = leafgrad.zeros(2, requires_grad=True)
    y = 2.0 * x + 1.0
    optimizer = leafgrad.optim.SGD([w], lr=0.1)
    path = []
    with leafgrad.report(tmp_path / "fit.html", title="A line") as r:
        for _ in range(20):
            prediction = w[0] * x + w[1]
            loss = F.mse_loss(prediction, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            r.fit(x, y, prediction.detach(), truth=y)
            path.append(w.tolist())
    data = embedded((tmp_path / "fit.html").read_text(encoding="utf-8"))
    assert data["title"] == "A line" and len(data["moments"]) == 20
    assert [p["name"] for p in data["parameters"]] == ["w[0]", "w[1]"]
    assert all(m["parameters"] == pytest.approx(path[m["epoch"]], rel=1e-6)
               for m in data["moments"])  # fmt: skip
    for step, w0, w1 in zip(data["steps"], *(p["values"] for p in data["parameters"]), strict=True):
        assert (w0, w1) == pytest.approx(path[step], rel=1e-4)
    assert data["truth"] == pytest.approx(y.tolist(), rel=1e-4)


def test_a_report_is_written_when_the_training_fails(tmp_path):
    def fail(loss, out):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"), leafgrad.report(tmp_path / "run.html"):
        train(each=fail)
    assert embedded((tmp_path / "run.html").read_text(encoding="utf-8"))["epochs"] == 1


def test_thinned_lists_stay_short_and_even():
    kept = Thinned(10)
    for step in range(1001):
        kept.add(step, step)
    steps = [step for step, _ in kept.all()]
    assert len(steps) <= 11 and steps[0] == 0 and steps[-1] == 1000
    assert len({b - a for a, b in pairwise(steps[:-1])}) == 1


# ---- the watcher


def test_watching_tells_where_graphs_differ(tmp_path):
    plain = train(6)
    w = leafgrad.tensor([0.5, 0.7], requires_grad=True)
    with leafgrad.watch(tmp_path / "watch.html") as watcher:
        assert train(6) == plain
        for times in (1, 1, 3, 2):
            h = w
            for _ in range(times):
                h = leafgrad.tanh(h)
            h.sum().backward()
    found = watcher.iterations
    assert len(found) == 10 and {i.graph for i in found[:6]} == {0}
    a, b, c, d = found[6:]
    assert a.graph == b.graph != c.graph and not b.changes
    assert "2 operations more: h (test_see_page.py:" in c.changes and len(c.new) == 2
    assert "1 operation fewer: h (test_see_page.py:" in d.changes and not d.new
    data = embedded((tmp_path / "watch.html").read_text(encoding="utf-8"))
    assert [i["graph"] for i in data["iterations"]] == [i.graph for i in found]
    assert [i["loss"] for i in data["iterations"][:6]] == pytest.approx(plain[0], rel=1e-3)
    for iteration in data["iterations"]:
        assert len(iteration["g"]) == len(data["graphs"][iteration["graph"]]["nodes"])


def test_watching_says_what_is_wrong_in_words(tmp_path):
    def notes(make):
        with leafgrad.watch(tmp_path / "w.html") as watcher:
            make().backward()
        return watcher.iterations[0].notes

    w = leafgrad.tensor([0.5, 0.7], requires_grad=True)
    v = leafgrad.tensor([1.0, 1.0], requires_grad=True)
    assert notes(lambda: (w * v).sum()) == []
    assert notes(lambda: (w * 1e-9 + v).sum()) == ["vanishing: the gradient of w is 1e-09 of "
                                                   "the largest"]  # fmt: skip
    assert notes(lambda: (w * 1e6).sum()) == ["exploding: an element of the gradient of w is 1e+06 "
                                              "on average"]  # fmt: skip
    assert notes(lambda: (w * 0.0 + v).sum()) == ["dead: the gradient of w is 0"]
    broken = notes(lambda: leafgrad.log(w - 0.5).sum())
    assert broken[0].startswith("not finite: 1 of 2 elements of leafgrad.log(w - 0.5)")
    assert broken[1] == "not finite: the gradient of w"
    x = leafgrad.tensor([[1.0, -1.0], [2.0, -2.0]])
    dead = notes(lambda: leafgrad.relu(x * w).sum())
    assert dead[-1].startswith("dead: 1 of 2 units of leafgrad.relu(x * w) ")
    flat = notes(lambda: leafgrad.tanh(x * 50 * w).sum())
    assert flat[-1].startswith("saturated: 2 of 2 units of leafgrad.tanh(x * 50 * w) ")


def test_watching_keeps_as_many_iterations_as_it_was_told(tmp_path):
    w = leafgrad.tensor(1.0, requires_grad=True)
    with leafgrad.watch(tmp_path / "w.html", every=3, most=5) as watcher:
        for _ in range(100):
            (w * 2.0).backward()
    numbers = [i.number for i in watcher.iterations]
    assert numbers[0] == 0 and numbers[-1] == 99 and len(numbers) <= 6
    assert all(n % 3 == 0 for n in numbers)


def test_graphs_that_differ_in_nothing_have_no_new_nodes():
    assert differences(neuron(), neuron(), 1)[0] == []
    more, words = differences(neuron(), curve(), 4)
    assert len(more) > 5 and words.startswith("compared with iteration 4, ")


# ---- mathematics


def test_latex_of_a_neuron_and_of_scalars():
    x, y = leafgrad.ones(5), leafgrad.zeros(3)
    w, b = leafgrad.randn(5, 3, requires_grad=True), leafgrad.randn(3, requires_grad=True)
    z = leafgrad.matmul(x, w) + b
    loss = F.binary_cross_entropy_with_logits(z, y)
    assert leafgrad.latex(loss) == (
        r"\frac{\sum\left(\log\left(1 + \exp\left(x \, w + b\right)\right) - "
        r"\left(x \, w + b\right) \cdot y\right)}{3}"
    )
    a = leafgrad.tensor(2.0, requires_grad=True)
    c = leafgrad.tensor(3.0, requires_grad=True)
    assert leafgrad.latex(leafgrad.sin(a * c) / (a + c) ** 2) == (
        r"\frac{\sin\left(a \cdot c\right)}{{\left(a + c\right)}^{2}}"
    )
    assert leafgrad.latex(a - (c - a)) == r"a - \left(c - a\right)"
    assert leafgrad.latex(a) == "x"
    h = a
    for _ in range(30):
        h = h * h
    with pytest.raises(ValueError, match="too large"):
        leafgrad.latex(h)


def symbolic_gradient(loss, *tensors):
    """The leaves of a loss among `tensors`; its value and SymPy's derivatives, as numbers."""
    sympy = pytest.importorskip("sympy")
    from leafgrad.see.mathematics import Symbolic

    found = Symbolic(loss, None)
    leaves = [t for t in tensors if id(t) in found.leaves]
    at = {}
    for leaf in leaves:
        at.update(zip(found.leaves[id(leaf)].ravel(), np.ravel(leaf.tolist()), strict=True))
    grads = [
        np.array([float(sympy.diff(found.result, s).subs(at))
                  for s in found.leaves[id(leaf)].ravel()]).reshape(leaf.shape)
        for leaf in leaves
    ]  # fmt: skip
    return leaves, float(found.result.subs(at)), grads


f64 = leafgrad.float64


@pytest.mark.parametrize(
    "program",
    [
        lambda a, b, m: (leafgrad.sin(a * b) / (1 + b**2) + leafgrad.exp(-a)).sum(),
        lambda a, b, m: F.mse_loss(m @ a, b) + leafgrad.tanh(a).mean(),
        lambda a, b, m: F.binary_cross_entropy_with_logits(leafgrad.matmul(m, a) + b,
                                                           leafgrad.tensor([0.0, 1.0], dtype=f64)),
        lambda a, b, m: (a[0] * b + a[1] * leafgrad.cos(b / 4)).square().sum(),
        lambda a, b, m: F.linear(a, m, b).sigmoid().sum() + (m.t().reshape(4) ** 3).sum(),
        lambda a, b, m: leafgrad.sqrt(a**2 + b**2).log().sum() * (2.0 - b[0]) / m[0, 1].abs(),
        lambda a, b, m: (m * a).mean(1).sum() + m.sum((0, 1), keepdim=True).mean() * b.sum(),
        lambda a, b, m: (2.0**a).sum() + (a ** (b + 2)).sum() + F.silu(m).mean() - leafgrad.dot(a, b),
        lambda a, b, m: (leafgrad.stack([a, b]) * m.transpose(0, 1)).sum(0)[1].exp() + leafgrad.log1p(a).sum(),
    ],
)  # fmt: skip
def test_sympys_derivative_agrees_with_autograd(program):
    a = leafgrad.tensor([0.7, 1.3], dtype=f64, requires_grad=True)
    b = leafgrad.tensor([0.4, 0.9], dtype=f64, requires_grad=True)
    m = leafgrad.tensor([[0.3, -0.2], [1.1, 0.8]], dtype=f64, requires_grad=True)
    loss = program(a, b, m)
    leaves, value, grads = symbolic_gradient(loss, a, b, m)
    assert len(leaves) >= 2
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-12)
    for leaf, grad in zip(leaves, grads, strict=True):
        assert np.allclose(leaf.grad.numpy(), grad, rtol=1e-10, atol=1e-12)


def test_sympy_and_its_latex():
    sympy = pytest.importorskip("sympy")
    w = leafgrad.tensor([2.0, 3.0], requires_grad=True)
    a = leafgrad.tensor(2.0, requires_grad=True)
    found = leafgrad.sympy((w * a).sum())
    w0, w1, x = (sympy.Symbol(n, real=True) for n in ("w_0", "w_1", "a"))
    assert sympy.simplify(found - x * (w0 + w1)) == 0
    assert leafgrad.sympy(w * a).shape == (2,)
    assert leafgrad.latex(a**3, wrt=a) == "3 a^{2}"
    with pytest.raises(ValueError, match="no symbolic form of CumsumBackward0"):
        leafgrad.sympy(w.cumsum(0))
    with pytest.raises(ValueError, match="too large for symbols"):
        leafgrad.sympy(leafgrad.ones(30, 30, requires_grad=True) * 2.0)
    with pytest.raises(ValueError, match="does not depend"):
        leafgrad.latex(a * 2.0, wrt=w)
    assert math.isclose(float(leafgrad.sympy(a * 0.5).subs({x: 2})), 1.0)


# ---- the command line


def test_the_command_line_draws_a_training_script(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nfrom torch import nn\n"
        "model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for step in range(3):\n"
        "    loss = model(torch.ones(4, 2)).square().mean()\n"
        "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n"
    )

    def graph(*arguments):
        command = [sys.executable, "-m", "leafgrad", "graph", *arguments, str(script)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path,
                              env=environment)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    graph("-o", "g.html")
    html = (tmp_path / "g.html").read_text(encoding="utf-8")
    nodes = embedded(html)["graphs"][0]["nodes"]
    weight = next(n for n in nodes if n.get("n") == "0.weight")
    assert weight["m"] == "0" and np.array(weight["g"]["values"]).any()  # of the first step
    assert str(tmp_path) not in html
    assert "▸" in graph("--depth", "0") and "relu" in graph("--depth", "1", "--hide-views")
    graph("-o", "g.dot")
    assert (tmp_path / "g.dot").read_text(encoding="utf-8").startswith("digraph")


# ---- the page of documentation


def test_the_documentation_prints_what_it_says(tmp_path, monkeypatch):
    pytest.importorskip("sympy")
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[1] / "docs" / "see.md").read_text(encoding="utf-8")
    programs = blocks(text, "python", "text")
    assert [kind for kind, _ in programs] == ["python", "text"] * 3
    for (_, program), (_, output) in zip(programs[::2], programs[1::2], strict=True):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        assert run(program, folder) == (output, "")


# ---- listening does not get in the way


def test_a_report_can_be_looked_at_while_the_training_runs(tmp_path):
    seen = []
    page = tmp_path / "run.html"

    def look(loss, out):
        if page.exists():
            seen.append('http-equiv="refresh"' in page.read_text(encoding="utf-8"))

    with leafgrad.report(page, every=1e-9):
        train(3, each=look)
    assert seen == [True] * 3
    assert 'http-equiv="refresh"' not in page.read_text(encoding="utf-8")


def test_a_training_with_two_optimizers_is_recorded(tmp_path):
    a, b = leafgrad.ones(2, requires_grad=True), leafgrad.ones(20, requires_grad=True)
    first, second = leafgrad.optim.SGD([a], lr=0.1), leafgrad.optim.Adam([b], lr=0.2)
    with leafgrad.report(tmp_path / "run.html"):
        for _ in range(4):
            for optimizer, leaf in ((first, a), (second, b)):
                loss = (leaf * leaf).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    data = embedded((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert data["epochs"] == 8
    rates = next(s for s in data["series"] if s["title"] == "Learning rate")["lines"][0]["values"]
    assert rates[:4] == [0.1, 0.2, 0.1, 0.2]


def test_a_backward_pass_that_fails_fails_as_without_listening(tmp_path):
    w = leafgrad.ones(2, requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError) as alone:
        loss.backward()
    for listen in (leafgrad.watch, leafgrad.report):
        with pytest.raises(RuntimeError) as heard, listen(tmp_path / "page.html"):
            loss.backward()
        assert str(heard.value).splitlines()[0] == str(alone.value).splitlines()[0]
    assert not list(tmp_path.iterdir())


def test_graphs_of_every_kind_have_pages():
    w = leafgrad.tensor([1.0, 2.0, 3.0], requires_grad=True)

    class Square(leafgrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    changed = (w * 2).clone()
    changed[0] = 5.0
    changed.mul_(w)
    a, b = leafgrad.split(w * 2, [1, 2])
    twice = leafgrad.autograd.grad((w**3).sum(), w, create_graph=True)[0]
    rows = leafgrad.func.vmap(lambda z: (z * w).sum())(leafgrad.ones(4, 3))
    numbers = leafgrad.ones(2, dtype=leafgrad.complex64, requires_grad=True)
    for tensor in (w, w.detach(), leafgrad.tensor(3), w[:0] * 2, w * 2, (w * math.nan).sum(),
                   Square.apply(w), changed, a.sum() + b.prod(), twice, rows,
                   (numbers * 1j).abs()):  # fmt: skip
        graph = capture(tensor, gradients=True)
        check_folds(graph)
        data = embedded(graph.to_html())["graphs"][0]
        assert len(data["nodes"]) == len(graph.nodes) >= 1
        for form in (graph.folded(), graph.without_views()):
            assert form.to_svg() and str(form) and form.to_dot()
