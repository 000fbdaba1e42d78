"""A neural ODE: from points of a damped spiral, learn the law of motion dx/dt = f(x).

    leafgrad run examples/neural_ode.py [steps]

The solver is four lines of Runge-Kutta; backward() goes through all its steps.
"""

import sys

import torch
from torch import nn

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 120
TRUTH = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])


def solve(f, x, times, h):
    path = [x]
    for _ in range(times - 1):
        k1 = f(x)
        k2 = f(x + h / 2 * k1)
        k3 = f(x + h / 2 * k2)
        k4 = f(x + h * k3)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(x)
    return torch.stack(path)


torch.manual_seed(0)
law = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(law.parameters(), lr=0.01)
with torch.no_grad():
    truth = solve(lambda x: x @ TRUTH.T, torch.tensor([[2.0, 0.0]]), 101, 0.05)
for step in range(steps):
    starts = torch.randint(0, 90, (32,))
    pieces = torch.stack([truth[i : i + 10, 0] for i in starts], dim=1)
    loss = (solve(law, pieces[0], 10, 0.05) - pieces).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0 or step == steps - 1:
        print(f"step {step}: mean distance {loss.item():.4f}")

with torch.no_grad():
    path = solve(law, truth[0], 101, 0.05)
print(f"after 5 seconds on its own: {path[-1, 0].tolist()}, true {truth[-1, 0].tolist()}")
