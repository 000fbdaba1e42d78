"""MAML: weights from which one gradient step learns a sine wave out of ten points.

    leafgrad run examples/maml.py [steps]

The outer loss is taken after the inner step, so its gradient goes through a gradient: torch.func's
functional_call and create_graph=True.
"""

import math
import sys

import torch
from torch import nn
from torch.func import functional_call

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 150


def task():
    amplitude, phase = 0.5 + 4 * torch.rand(1), math.pi * torch.rand(1)

    def points(count):
        x = 10 * torch.rand(count, 1) - 5
        return x, amplitude * torch.sin(x + phase)

    return points


def adapted(model, weights, x, y):
    """The weights after one step on these points."""
    loss = nn.functional.mse_loss(functional_call(model, weights, (x,)), y)
    grads = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    return {name: w - 0.01 * g for (name, w), g in zip(weights.items(), grads, strict=True)}


def error_after_a_step(model, points):
    weights = adapted(model, dict(model.named_parameters()), *points(10))
    x, y = points(20)
    return nn.functional.mse_loss(functional_call(model, weights, (x,)), y)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(steps):
    loss = torch.stack([error_after_a_step(model, task()) for _ in range(4)]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == steps - 1:
        print(f"step {step}: error after one inner step {loss.item():.3f}")
