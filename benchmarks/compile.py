"""Compiled training steps: PyTorch, torch.compile, jax.jit and leafgrad.compile. Prints Markdown.

    python benchmarks/compile.py [--seconds 4] [--only curve_1000,gpt] [--without torch.compile,jax]

The same text runs on PyTorch and on leafgrad, as a whole step: forward, backward, update. For
torch.compile the better of two ways counts: the whole step compiled, or the forward pass alone. For
jax.jit value, gradient and update are one function, and the result is waited for. Times are medians
of alternating blocks in one process; the first call is that of a fresh function with an empty cache.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from measure import by_turns, shown

Step = Callable[[], Any]


def same(function: Any) -> Any:
    return function


# Each workload: (make(torch, compile), make_jax(jax)). `compile` goes around the forward pass.


def linear_neuron(torch: Any, compile: Any) -> Step:
    """linear neuron + BCE, SGD"""
    torch.manual_seed(0)
    x, y = torch.ones(5), torch.zeros(3)
    w = torch.randn(5, 3, requires_grad=True)
    b = torch.randn(3, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], lr=0.1)
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    @compile
    def forward() -> Any:
        return bce(torch.matmul(x, w) + b, y)

    def step() -> Any:
        loss = forward()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def linear_neuron_jax(jax: Any) -> Step:
    jnp = jax.numpy
    x, y = jnp.ones(5, "float32"), jnp.zeros(3, "float32")
    state = [jnp.ones((5, 3), "float32"), jnp.ones(3, "float32")]

    def loss(params: Any) -> Any:
        z = x @ params[0] + params[1]
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))

    return _sgd(jax, loss, state, 0.1)


def _sgd(jax: Any, loss: Any, params: Any, lr: float) -> Step:
    """A step of gradient descent."""

    @jax.jit
    def update(params: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params)
        return value, jax.tree_util.tree_map(lambda p, g: p - p.dtype.type(lr) * g, params, grads)

    def step() -> Any:
        nonlocal params
        value, params = update(params)
        return jax.block_until_ready((value, params))[0]

    return step


def _adam(jax: Any, loss: Any, params: Any, lr: float) -> Step:
    """A step of Adam."""
    jnp, tree = jax.numpy, jax.tree_util.tree_map
    state = (params, tree(jnp.zeros_like, params), tree(jnp.zeros_like, params),
             jnp.zeros((), "float32"))  # fmt: skip

    @jax.jit
    def update(state: Any) -> Any:
        params, m, v, t = state
        value, g = jax.value_and_grad(loss)(params)
        t = t + 1
        m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        size = lr * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        params = tree(lambda p, m, v: p - size * m / (jnp.sqrt(v) + 1e-8), params, m, v)
        return value, (params, m, v, t)

    def step() -> Any:
        nonlocal state
        value, state = update(state)
        return jax.block_until_ready((value, state))[0]

    return step


def _curve(torch: Any, compile: Any, points: int) -> Step:
    torch.manual_seed(0)
    X = torch.tensor(np.linspace(-10, 10, points))
    noise = np.random.RandomState(0).normal(0, 1, points)
    y = 1.5 * torch.sin(X) + 1.2 * torch.cos(X / 4) + torch.from_numpy(noise)
    theta = torch.randn(3, requires_grad=True)
    loss_fn = torch.nn.MSELoss()
    optimizer = torch.optim.SGD([theta], lr=0.01)

    @compile
    def forward() -> Any:
        y_pred = theta[0] * X + theta[1] * torch.sin(X) + theta[2] * torch.cos(X / 4)
        return loss_fn(y_pred, y)

    def step() -> Any:
        loss = forward()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def _curve_jax(jax: Any, points: int) -> Step:
    jnp = jax.numpy
    X = jnp.linspace(-10, 10, points, dtype="float64")
    y = 1.5 * jnp.sin(X) + 1.2 * jnp.cos(X / 4)

    def loss(params: Any) -> Any:
        (theta,) = params
        away = theta[0] * X + theta[1] * jnp.sin(X) + theta[2] * jnp.cos(X / 4) - y
        return jnp.mean(away * away)

    return _sgd(jax, loss, [jnp.ones(3, "float32")], 0.01)


def curve_1000(torch: Any, compile: Any) -> Step:
    """curve fit, 1,000 points, float64"""
    return _curve(torch, compile, 1000)


def curve_1000_jax(jax: Any) -> Step:
    return _curve_jax(jax, 1000)


def curve_1000000(torch: Any, compile: Any) -> Step:
    """curve fit, 1,000,000 points"""
    return _curve(torch, compile, 1_000_000)


def curve_1000000_jax(jax: Any) -> Step:
    return _curve_jax(jax, 1_000_000)


def chain_600(torch: Any, compile: Any) -> Step:
    """chain of 600 tiny operators"""
    x = torch.ones(8, requires_grad=True)

    @compile
    def forward() -> Any:
        y = x
        for _ in range(200):
            y = y * 1.01
            y = y + 0.01
            y = torch.sin(y)
        return y

    def step() -> Any:
        x.grad = None  # so that the gradient is a result of the step
        y = forward()
        y.sum().backward()
        return y

    return step


def chain_600_jax(jax: Any) -> Step:
    jnp = jax.numpy
    x = jnp.ones(8, "float32")

    def loss(x: Any) -> Any:
        y = x
        for _ in range(200):
            y = y * 1.01
            y = y + 0.01
            y = jnp.sin(y)
        return y.sum(), y

    update = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return lambda: jax.block_until_ready(update(x))


def _trained(torch: Any, compile: Any, model: Any, optimizer: Any, loss: Any) -> Step:
    """A step: the gradient reset, forward, backward, update."""
    forward = compile(lambda: loss(model))

    def step() -> Any:
        optimizer.zero_grad()
        value = forward()
        value.backward()
        optimizer.step()
        return value

    return step


def mlp_tiny(torch: Any, compile: Any) -> Step:
    """MLP 2-16-16-1 on 100 points, SGD"""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
    )
    x = torch.randn(100, 2)
    y = (x * x).sum(1, keepdim=True)
    mse = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    return _trained(torch, compile, model, optimizer, lambda m: mse(m(x), y))


def _dense(jax: Any, sizes: Any) -> Any:
    rng = np.random.RandomState(0)
    return [
        (jax.numpy.asarray(rng.randn(n, m).astype("float32") / math.sqrt(n)),
         jax.numpy.zeros(m, "float32"))
        for n, m in itertools.pairwise(sizes)
    ]  # fmt: skip


def mlp_tiny_jax(jax: Any) -> Step:
    jnp = jax.numpy
    x = jnp.asarray(np.random.RandomState(0).randn(100, 2).astype("float32"))
    y = (x * x).sum(1, keepdims=True)

    def loss(params: Any) -> Any:
        h = x
        for w, b in params[:-1]:
            h = jnp.tanh(h @ w + b)
        w, b = params[-1]
        return jnp.mean((h @ w + b - y) ** 2)

    return _sgd(jax, loss, _dense(jax, (2, 16, 16, 1)), 0.05)


def mlp_mnist(torch: Any, compile: Any) -> Step:
    """MLP 784-256-256-10, batch 64, Adam"""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )
    x, y = torch.randn(64, 784), torch.randint(0, 10, (64,))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return _trained(torch, compile, model, optimizer, lambda m: loss_fn(m(x), y))


def _cross_entropy(jax: Any, z: Any, y: Any) -> Any:
    jnp = jax.numpy
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))


def mlp_mnist_jax(jax: Any) -> Step:
    jnp, rng = jax.numpy, np.random.RandomState(0)
    x = jnp.asarray(rng.randn(64, 784).astype("float32"))
    y = jnp.asarray(rng.randint(0, 10, 64))

    def loss(params: Any) -> Any:
        h = x
        for w, b in params[:-1]:
            h = jnp.maximum(h @ w + b, 0)
        w, b = params[-1]
        return _cross_entropy(jax, h @ w + b, y)

    return _adam(jax, loss, _dense(jax, (784, 256, 256, 10)), 1e-3)


def cnn(torch: Any, compile: Any) -> Step:
    """small CNN, batch 32, Adam"""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(32 * 49, 10),
    )  # fmt: skip
    x, y = torch.randn(32, 1, 28, 28), torch.randint(0, 10, (32,))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return _trained(torch, compile, model, optimizer, lambda m: loss_fn(m(x), y))


def cnn_jax(jax: Any) -> Step:
    jnp, rng = jax.numpy, np.random.RandomState(0)
    x = jnp.asarray(rng.randn(32, 1, 28, 28).astype("float32"))
    y = jnp.asarray(rng.randint(0, 10, 32))

    def normal(*shape: int) -> Any:
        return jnp.asarray(rng.randn(*shape).astype("float32") / math.sqrt(shape[-1] * 9))

    params = {"a": normal(16, 1, 3, 3), "p": jnp.zeros(16, "float32"),
              "b": normal(32, 16, 3, 3), "q": jnp.zeros(32, "float32"),
              "w": normal(32 * 49, 10), "r": jnp.zeros(10, "float32")}  # fmt: skip

    def block(h: Any, w: Any, b: Any) -> Any:
        h = jax.lax.conv(h, w, (1, 1), "SAME") + b[:, None, None]
        return jax.lax.reduce_window(jnp.maximum(h, 0), -jnp.inf, jax.lax.max, (1, 1, 2, 2),
                                     (1, 1, 2, 2), "VALID")  # fmt: skip

    def loss(p: Any) -> Any:
        h = block(block(x, p["a"], p["p"]), p["b"], p["q"])
        return _cross_entropy(jax, h.reshape(32, -1) @ p["w"] + p["r"], y)

    return _adam(jax, loss, params, 1e-3)


def gpt(torch: Any, compile: Any) -> Step:
    """GPT 4 layers x 128, 8 x 64 tokens, AdamW"""
    nn, F = torch.nn, torch.nn.functional
    torch.manual_seed(0)
    width, heads, layers, words, length = 128, 4, 4, 65, 64

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = self.qkv(self.before(x)).split(width, dim=2)
            q, k, v = (z.view(b, t, heads, c // heads).transpose(1, 2) for z in (q, k, v))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(a.transpose(1, 2).reshape(b, t, c))
            return x + self.down(F.gelu(self.up(self.between(x))))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(words, width), nn.Embedding(length, width)
            self.blocks = nn.ModuleList([Block() for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.token(tokens) + self.place(torch.arange(tokens.shape[1]))
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    model = Model()
    tokens, targets = (torch.randint(0, words, (8, length)) for _ in range(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)

    def loss(m: Any) -> Any:
        return F.cross_entropy(m(tokens).view(-1, words), targets.view(-1))

    return _trained(torch, compile, model, optimizer, loss)


def gpt_jax(jax: Any) -> Step:
    jnp, rng = jax.numpy, np.random.RandomState(0)
    width, heads, layers, words, length = 128, 4, 4, 65, 64

    def normal(*shape: int) -> Any:
        return jnp.asarray(rng.randn(*shape).astype("float32") * 0.02)

    def zeros(n: int) -> Any:
        return jnp.zeros(n, "float32")

    def ones(n: int) -> Any:
        return jnp.ones(n, "float32")

    params = {
        "token": normal(words, width), "place": normal(length, width),
        "norm": (ones(width), zeros(width)), "head": normal(width, words),
        "blocks": [
            {"before": (ones(width), zeros(width)), "between": (ones(width), zeros(width)),
             "qkv": (normal(width, 3 * width), zeros(3 * width)),
             "out": (normal(width, width), zeros(width)),
             "up": (normal(width, 4 * width), zeros(4 * width)),
             "down": (normal(4 * width, width), zeros(width))}
            for _ in range(layers)
        ],
    }  # fmt: skip
    tokens, targets = (jnp.asarray(rng.randint(0, words, (8, length))) for _ in range(2))
    mask = jnp.tril(jnp.ones((length, length), bool))

    def norm(x: Any, p: Any) -> Any:
        mean = x.mean(-1, keepdims=True)
        var = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) / jnp.sqrt(var + 1e-5) * p[0] + p[1]

    def dense(x: Any, p: Any) -> Any:
        return x @ p[0] + p[1]

    def block(x: Any, p: Any) -> Any:
        b, t, c = x.shape
        q, k, v = jnp.split(dense(norm(x, p["before"]), p["qkv"]), 3, axis=2)
        q, k, v = (z.reshape(b, t, heads, c // heads).transpose(0, 2, 1, 3) for z in (q, k, v))
        a = q @ k.transpose(0, 1, 3, 2) / math.sqrt(c // heads)
        a = jax.nn.softmax(jnp.where(mask, a, -jnp.inf)) @ v
        x = x + dense(a.transpose(0, 2, 1, 3).reshape(b, t, c), p["out"])
        hidden = jax.nn.gelu(dense(norm(x, p["between"]), p["up"]), approximate=False)
        return x + dense(hidden, p["down"])

    def loss(p: Any) -> Any:
        x = p["token"][tokens] + p["place"]
        for b in p["blocks"]:
            x = block(x, b)
        z = norm(x, p["norm"]) @ p["head"]
        return _cross_entropy(jax, z.reshape(-1, words), targets.reshape(-1))

    return _adam(jax, loss, params, 3e-4)


def gru(torch: Any, compile: Any) -> Step:
    """GRU cell by hand, 32 steps, Adam"""
    torch.manual_seed(0)
    batch, inputs, hidden, steps = 32, 16, 64, 32
    x, y = torch.randn(steps, batch, inputs), torch.randn(batch, 1)
    shapes = [(inputs, 3 * hidden), (hidden, 3 * hidden), (3 * hidden,), (hidden, 1), (1,)]
    params = [(torch.randn(*s) * 0.1).requires_grad_() for s in shapes]
    wx, wh, b, out, bias = params
    optimizer = torch.optim.Adam(params, lr=1e-3)

    @compile
    def forward() -> Any:
        h = torch.zeros(batch, hidden)
        for t in range(steps):
            gx, gh = x[t] @ wx + b, h @ wh
            r = torch.sigmoid(gx[:, :hidden] + gh[:, :hidden])
            z = torch.sigmoid(gx[:, hidden : 2 * hidden] + gh[:, hidden : 2 * hidden])
            n = torch.tanh(gx[:, 2 * hidden :] + r * gh[:, 2 * hidden :])
            h = (1 - z) * n + z * h
        return ((h @ out + bias - y) ** 2).mean()

    def step() -> Any:
        optimizer.zero_grad()
        loss = forward()
        loss.backward()
        optimizer.step()
        return loss

    return step


def gru_jax(jax: Any) -> Step:
    jnp, rng = jax.numpy, np.random.RandomState(0)
    batch, inputs, hidden, steps = 32, 16, 64, 32
    x = jnp.asarray(rng.randn(steps, batch, inputs).astype("float32"))
    y = jnp.asarray(rng.randn(batch, 1).astype("float32"))
    shapes = [(inputs, 3 * hidden), (hidden, 3 * hidden), (3 * hidden,), (hidden, 1), (1,)]
    params = [jnp.asarray(rng.randn(*s).astype("float32") * 0.1) for s in shapes]

    def loss(params: Any) -> Any:
        wx, wh, b, out, bias = params
        h = jnp.zeros((batch, hidden), "float32")
        for t in range(steps):
            gx, gh = x[t] @ wx + b, h @ wh
            r = jax.nn.sigmoid(gx[:, :hidden] + gh[:, :hidden])
            z = jax.nn.sigmoid(gx[:, hidden : 2 * hidden] + gh[:, hidden : 2 * hidden])
            n = jnp.tanh(gx[:, 2 * hidden :] + r * gh[:, 2 * hidden :])
            h = (1 - z) * n + z * h
        return jnp.mean((h @ out + bias - y) ** 2)

    return _adam(jax, loss, params, 1e-3)


# workload -> what to reach: PyTorch eager, torch.compile, jax.jit over ours; first call in seconds
GOALS: dict[Any, tuple[float, float, float, float]] = {
    linear_neuron: (30, 35, 1.5, 0.3),
    curve_1000: (60, 55, 30, 0.3),
    curve_1000000: (4, 2, 8, 0.3),
    chain_600: (200, 12, 1.5, 2),
    mlp_tiny: (15, 15, 4, 0.5),
    mlp_mnist: (1.75, 1.8, 1.0, 1),
    cnn: (1.3, 1.5, 1.4, 2),
    gpt: (1.25, 1.1, 1.9, 4),
    gru: (5, 2.1, 1.0, 3),
}


def first_calls(step: Step, why: Any) -> float:
    """The time from the first call to the first replay by machine code."""
    total = 0.0
    for _ in range(6):
        start = time.perf_counter()
        step()
        total += time.perf_counter() - start
        if why().startswith("replayed"):
            break
    return total


def measured(make: Any, seconds: float, without: set[str]) -> list[float | None]:
    """Seconds a step: PyTorch eager, torch.compile, jax.jit, ours; and our first calls'."""
    import leafgrad

    steps: list[Any] = [None, None, None, None]
    others: list[Any] = []
    if "torch" not in without:
        import torch

        steps[0] = make(torch, same)
        if "torch.compile" not in without:
            others = [make(torch, torch.compile), torch.compile(make(torch, same))]
            torch._dynamo.reset()
    if "jax" not in without:
        try:
            import jax
        except ImportError:
            pass
        else:
            jax.config.update("jax_enable_x64", True)
            steps[2] = globals()[f"{make.__name__}_jax"](jax)
    steps[3] = leafgrad.compile(make(leafgrad, same))
    first = first_calls(steps[3], steps[3].why)
    times = by_turns([s for s in (*steps, *others) if s is not None], seconds)
    found: list[float | None] = [None if s is None else times.pop(0) for s in steps]
    if times:
        found[1] = min(times)
    return [*found, first]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="per workload")
    parser.add_argument("--only", default="")
    parser.add_argument("--without", default="")
    given = parser.parse_args()
    chosen = [m for m in GOALS if not given.only or m.__name__ in given.only.split(",")]
    with tempfile.TemporaryDirectory() as cache:
        os.environ.setdefault("LEAFGRAD_CACHE", cache)
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
        print("| training step | PyTorch | torch.compile | jax.jit | leafgrad.compile | "
              "ratios (to reach) | first calls |\n| --- | --- | --- | --- | --- | --- | --- |")  # fmt: skip
        for make in chosen:
            *times, first = measured(make, given.seconds, set(given.without.split(",")))
            ours = times[3] or 1.0
            ratios = ", ".join(
                "–" if t is None else f"{t / ours:.3g} ({goal:g})"
                for t, goal in zip(times[:3], GOALS[make], strict=False)
            )
            shown_times = ["–" if t is None else shown(t) for t in times]
            print(f"| {make.__doc__} | {' | '.join(shown_times)} | {ratios} | {first or 0:.2f} s "
                  f"({GOALS[make][3]:g}) |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
