"""A Hamiltonian network: it learns a pendulum's energy from its motion, and so conserves it.

    leafgrad run examples/hamiltonian.py [steps]

The network gives one number, the energy H(q, p); motion is dq/dt = ∂H/∂p, dp/dt = -∂H/∂q, by autograd.
"""

import sys

import torch
from torch import nn

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400

torch.manual_seed(0)
energy = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))


def motion(state):
    """(dq/dt, dp/dt) of every row (q, p)."""
    if not state.requires_grad:
        state = state.detach().requires_grad_()
    (slope,) = torch.autograd.grad(energy(state).sum(), state, create_graph=True)
    return torch.stack([slope[:, 1], -slope[:, 0]], dim=1)


def pendulum(state):
    return torch.stack([state[:, 1], -torch.sin(state[:, 0])], dim=1)


optimizer = torch.optim.Adam(energy.parameters(), lr=3e-3)
for step in range(steps):
    state = 4 * torch.rand(128, 2) - 2
    loss = ((motion(state) - pendulum(state)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == steps - 1:
        print(f"step {step}: mean squared error of the motion {loss.item():.2e}")

state = torch.tensor([[1.0, 0.0]])
first = (1 - torch.cos(state[0, 0]) + state[0, 1] ** 2 / 2).item()
for _ in range(400):  # 20 seconds, by the midpoint rule
    middle = state + 0.025 * motion(state).detach()
    state = state + 0.05 * motion(middle).detach()
last = (1 - torch.cos(state[0, 0]) + state[0, 1] ** 2 / 2).item()
print(f"true energy at the start {first:.3f}, after 20 seconds {last:.3f}")
