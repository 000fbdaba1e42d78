"""A physics-informed network: it solves u'' = -u, u(0) = 0, u'(0) = 1 without ever seeing sin(x).

    leafgrad run examples/pinn.py [steps]

The loss is the equation itself: it needs the network's second derivative by x, and training
differentiates that once more.
"""

import sys

import torch
from torch import nn

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1500

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))


def u(x):
    return x + x**2 / 10 * network(
        x / 3 - 1
    )  # has u(0) = 0 and u'(0) = 1, whatever the network does


def derivative(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
for step in range(steps):
    x = (6 * torch.rand(64, 1)).requires_grad_()
    y = u(x)
    residual = derivative(derivative(y, x), x) + y
    loss = (residual**2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    if step % 500 == 0 or step == steps - 1:
        print(f"step {step}: mean squared residual {loss.item():.2e}")

x = torch.linspace(0, 6, 61)[:, None]
with torch.no_grad():
    error = (u(x) - torch.sin(x)).abs().max().item()
print(f"largest difference from sin(x) on [0, 6]: {error:.4f}")
