"""Graphs and a training run made by hand, for the tests of drawing: what two programs record."""

from __future__ import annotations

import random

import numpy as np

from leafgrad.see.report import Moment, TrainingRun
from leafgrad.see.snapshot import GEdge, GNode, Graph, Saved, Source, Summary

NEURON = """\
import torch

x = torch.ones(5)
y = torch.zeros(3)
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
loss.backward()
"""

CURVE = """\
import numpy as np
import torch
from torch import nn

X = torch.tensor(np.linspace(-10, 10, 1000))
y = 1.5 * torch.sin(X) + 1.2 * torch.cos(X / 4)
y = y + np.random.normal(0, 1, 1000)


def model(theta=torch.rand(3, requires_grad=True)):
    return theta[0] * X + theta[1] * torch.sin(X) + theta[2] * torch.cos(X / 4)


theta = torch.randn(3, requires_grad=True)
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD([theta], lr=0.01)

for epoch in range(500):
    loss = loss_fn(y, model(theta))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
"""


def source(program: str, expression: str, function: str = "<module>") -> Source:
    """Where `expression` first stands in `program`."""
    at = program.index(expression)
    line = program.count("\n", 0, at)
    column = at - (program.rfind("\n", 0, at) + 1)
    return Source(
        expression, "program.py", line + 1, function, column, line + 1, column + len(expression)
    )


def neuron() -> Graph:
    """The linear neuron: loss = bce(x @ w + b, y)."""
    rng = np.random.default_rng(0)
    x, y = np.ones(5, np.float32), np.zeros(3, np.float32)
    w, b = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    xw = x @ w
    z = xw + b
    loss = np.mean(np.logaddexp(0, z)).astype(np.float32)
    gz = ((1 / (1 + np.exp(-z)) - y) / 3).astype(np.float32)
    bce = "torch.nn.functional.binary_cross_entropy_with_logits(z, y)"
    f32 = "float32"

    def keep(name: str, a: np.ndarray) -> Saved:
        return Saved(name, a.shape, str(a.dtype), a.nbytes)

    def known(value: np.ndarray, grad: np.ndarray | None = None) -> dict[str, Summary]:
        grads = {} if grad is None else {"grad": Summary.of(grad)}
        return {"value": Summary.of(value), **grads}

    nodes = (
        GNode(0, "input", "x", shape=(5,), dtype=f32, **known(x)),
        GNode(1, "leaf", "w", shape=(5, 3), dtype=f32, **known(w, np.outer(x, gz))),
        GNode(
            2, "op", "", "MvBackward0", "@", (3,), f32, source(NEURON, "torch.matmul(x, w)"), 0,
            (keep("self", w), keep("vec", x)), **known(xw, gz),
        ),
        GNode(3, "leaf", "b", shape=(3,), dtype=f32, **known(b, gz)),
        GNode(
            4, "op", "z", "AddBackward0", "+", (3,), f32,
            source(NEURON, "torch.matmul(x, w) + b"), 1, **known(z, gz),
        ),
        GNode(5, "input", "y", shape=(3,), dtype=f32, **known(y)),
        GNode(
            6, "root", "loss", "BinaryCrossEntropyWithLogitsBackward0", "bce", (), f32,
            source(NEURON, bce), 2, (keep("self", z), keep("target", y)),
            **known(loss, np.ones((), np.float32)),
        ),
    )  # fmt: skip
    edges = (
        GEdge(0, 2, "input"),
        GEdge(1, 2, "other", "⊗ x", True),
        GEdge(2, 4, "input", "1", True),
        GEdge(3, 4, "other", "1", True),
        GEdge(4, 6, "input", "(σ(z) − y)/3", True),
        GEdge(5, 6, "target"),
    )
    return Graph(nodes, edges)


def curve(theta: tuple[float, ...] = (0.4, 1.1, 0.7)) -> Graph:
    """One step of the curve fit: mse(theta[0]·X + theta[1]·sin X + theta[2]·cos(X/4), y)."""
    x = np.linspace(-10, 10, 1000)
    y = 1.5 * np.sin(x) + 1.2 * np.cos(x / 4) + np.random.default_rng(0).normal(0, 1, 1000)
    bases = [x, np.sin(x), np.cos(x / 4)]
    texts = ["X", "torch.sin(X)", "torch.cos(X / 4)"]
    terms = [t * base for t, base in zip(theta, bases, strict=True)]
    model = sum(terms)
    gradient = 2 * (model - y) / 1000
    nodes: list[GNode] = []
    edges: list[GEdge] = []
    f64 = "float64"

    def add(
        kind: str, name: str, value: object, grad: object = None, op: str = "", **more: object
    ) -> int:
        value = np.asarray(value)
        symbols = {"Select": "[ ]", "Mul": "×", "Add": "+", "MseLoss": "mse"}
        nodes.append(
            GNode(
                len(nodes), kind, name, f"{op}Backward0" if op else "", symbols.get(op, ""),
                value.shape, str(value.dtype), value=Summary.of(value),
                grad=None if grad is None else Summary.of(grad), **more,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        return len(nodes) - 1

    grads = np.array([(gradient * base).sum() for base in bases], np.float32)
    leaf = add("leaf", "theta", np.array(theta, np.float32), grads)
    total, text = -1, ""
    for k in range(3):
        pick = f"theta[{k}]"
        one = add(
            "op", "", np.float32(theta[k]), grads[k], "Select", seq=4 * k,
            source=source(CURVE, pick, "model"),
        )  # fmt: skip
        edges.append(GEdge(leaf, one, "self", f"1 at [{k}]", True))
        base = add("input", texts[k], bases[k])
        product = f"{pick} * {texts[k]}"
        term = add(
            "op", "", terms[k], gradient, "Mul", seq=4 * k + 1,
            source=source(CURVE, product, "model"),
            saved=(Saved("other", (1000,), f64, 8000),),
        )  # fmt: skip
        edges += [
            GEdge(one, term, "self", texts[k].replace("torch.", ""), True),
            GEdge(base, term, "other"),
        ]
        if total < 0:
            total, text = term, product
        else:
            text = f"{text} + {product}"
            both = add(
                "op", "", sum(terms[: k + 1]), gradient, "Add", seq=4 * k + 2,
                source=source(CURVE, text, "model"),
            )  # fmt: skip
            edges += [GEdge(total, both, "self", "1", True), GEdge(term, both, "other", "1", True)]
            total = both
    target = add("input", "y", y)
    loss = add(
        "root", "loss", np.mean((model - y) ** 2), 1.0, "MseLoss", seq=12,
        source=source(CURVE, "loss_fn(y, model(theta))"),
        saved=(Saved("self", (1000,), f64, 8000), Saved("target", (1000,), f64, 8000)),
    )  # fmt: skip
    edges += [GEdge(target, loss, "self"), GEdge(total, loss, "target", "2·(b − a)/1000", True)]
    return Graph(tuple(nodes), tuple(edges))


def dag(count: int, seed: int = 0) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    """Sizes and edges of a random graph: a long path with leaves, reuse and far-reaching edges."""
    rng = random.Random(seed)
    sizes = [(rng.randint(40, 220), rng.randint(20, 70)) for _ in range(count)]
    edges = []
    for v in range(1, count):
        for _ in range(rng.choice((0, 1, 1, 2, 3)) if v < count - 1 else 2):
            back = 1 + int(rng.expovariate(0.25)) if rng.random() < 0.95 else rng.randint(1, v)
            edges.append((max(0, v - back), v))
    return [(float(w), float(h)) for w, h in sizes], edges


def run(**changes: object) -> TrainingRun:
    """500 epochs of the curve fit, done in NumPy."""
    rng = np.random.default_rng(0)
    x = np.linspace(-10, 10, 1000)
    truth = 1.5 * np.sin(x) + 1.2 * np.cos(x / 4)
    y = truth + rng.normal(0, 1, 1000)
    bases = np.stack([x, np.sin(x), np.cos(x / 4)])
    theta = np.array([0.4, -1.1, 0.7])
    moments, losses, history = [], [], []
    for epoch in range(500):
        fit = theta @ bases
        loss = float(np.mean((fit - y) ** 2))
        if epoch % 10 == 0 or epoch == 499 or epoch < 20:
            moments.append(Moment(epoch, fit, loss, {"theta": theta.copy()}))
        losses.append(loss)
        history.append(theta.copy())
        theta = theta - 0.01 * 2 * bases @ (fit - y) / 1000
    settings = {
        "title": "Fitting a curve by gradient descent",
        "x": x, "y": y, "truth": truth, "moments": moments, "losses": losses,
        "parameters": {"theta": np.array(history)},
        "true_parameters": {"theta": np.array([0.0, 1.5, 1.2])},
        "graph": curve(), "source": CURVE, "filename": "program.py",
    }  # fmt: skip
    return TrainingRun(**{**settings, **changes})  # type: ignore[arg-type]
