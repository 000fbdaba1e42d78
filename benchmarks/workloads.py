"""Training steps, each a program over one library: `make(torch)` returns a function of no arguments.

The same text runs on PyTorch and on leafgrad.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]


def linear_neuron(torch: Any) -> Step:
    """A linear neuron with binary cross-entropy: 5 inputs, 3 outputs, SGD."""
    torch.manual_seed(0)
    x, y = torch.ones(5), torch.zeros(3)
    w = torch.randn(5, 3, requires_grad=True)
    b = torch.randn(3, requires_grad=True)
    loss_fn = torch.nn.functional.binary_cross_entropy_with_logits
    optimizer = torch.optim.SGD([w, b], lr=0.1)

    def step() -> Any:
        z = torch.matmul(x, w) + b
        loss = loss_fn(z, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def _curve(torch: Any, points: int) -> Step:
    torch.manual_seed(0)
    X = torch.tensor(np.linspace(-10, 10, points))
    noise = np.random.RandomState(0).normal(0, 1, points)
    y = 1.5 * torch.sin(X) + 1.2 * torch.cos(X / 4) + torch.from_numpy(noise)
    theta = torch.randn(3, requires_grad=True)
    loss_fn = torch.nn.MSELoss()
    optimizer = torch.optim.SGD([theta], lr=0.01)

    def step() -> Any:
        y_pred = theta[0] * X + theta[1] * torch.sin(X) + theta[2] * torch.cos(X / 4)
        loss = loss_fn(y_pred, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def curve_1000(torch: Any) -> Step:
    """The curve fit: 1,000 points in float64, three float32 parameters, SGD."""
    return _curve(torch, 1_000)


def curve_1000000(torch: Any) -> Step:
    """The curve fit with 1,000,000 points."""
    return _curve(torch, 1_000_000)


def chain_600(torch: Any) -> Step:
    """A chain of 600 tiny operators on 8 elements."""
    x = torch.ones(8, requires_grad=True)

    def step() -> Any:
        y = x
        for _ in range(200):
            y = y * 1.01
            y = y + 0.01
            y = torch.sin(y)
        y.sum().backward()
        x.grad = None
        return y

    return step


def mlp_tiny(torch: Any) -> Step:
    """An MLP 2-16-16-1 on 100 points, tanh, mean squared error, SGD."""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
    )
    x = torch.randn(100, 2)
    y = (x * x).sum(1, keepdim=True)
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def mlp_mnist(torch: Any) -> Step:
    """An MLP 784-256-256-10, batch of 64, ReLU, cross-entropy, Adam."""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )
    x = torch.randn(64, 784)
    y = torch.randint(0, 10, (64,))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


# name -> (workload, the least ratio PyTorch's time / ours that the project holds itself to)
STEPS: dict[str, tuple[Callable[[Any], Step], float]] = {
    "linear neuron + BCE (5→3)": (linear_neuron, 1.8),
    "curve fit, 1,000 points, float64": (curve_1000, 1.8),
    "chain of 600 tiny operators": (chain_600, 1.8),
    "MLP 2-16-16-1, 100 points, SGD": (mlp_tiny, 1.8),
    "curve fit, 1,000,000 points": (curve_1000000, 0.6),
    "MLP 784-256-256-10, batch 64, Adam": (mlp_mnist, 1.0),
}
