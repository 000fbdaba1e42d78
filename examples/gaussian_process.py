"""A Gaussian process, its three hyperparameters fitted by gradient descent on the likelihood.

    leafgrad run examples/gaussian_process.py [steps]

The gradient goes through a Cholesky factorisation.
"""

import math
import sys

import torch

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 120

torch.manual_seed(0)
x = torch.linspace(0, 6, 40, dtype=torch.float64)
y = torch.sin(2 * x) + 0.1 * torch.randn(40, dtype=torch.float64)
# Logarithms of length scale, signal and noise: whatever they are, the three are positive.
theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)


def kernel(a, b):
    length, signal, _ = theta.exp()
    return signal**2 * torch.exp(-0.5 * ((a[:, None] - b[None, :]) / length) ** 2)


def cholesky():
    noise = theta[2].exp()
    return torch.linalg.cholesky(kernel(x, x) + noise**2 * torch.eye(len(x), dtype=x.dtype))


optimizer = torch.optim.Adam([theta], lr=0.05)
for step in range(steps):
    factor = cholesky()
    alpha = torch.cholesky_solve(y[:, None], factor)
    loss = 0.5 * (y @ alpha[:, 0]) + factor.diagonal().log().sum() + 20 * math.log(2 * math.pi)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0 or step == steps - 1:
        length, signal, noise = theta.exp().tolist()
        print(f"step {step}: -log likelihood {loss.item():.2f}, length {length:.3f}, "
              f"signal {signal:.3f}, noise {noise:.3f}")  # fmt: skip

with torch.no_grad():
    new = torch.tensor([1.23, 4.56], dtype=torch.float64)
    mean = kernel(new, x) @ torch.cholesky_solve(y[:, None], cholesky())
for at, value in zip(new.tolist(), mean[:, 0].tolist(), strict=True):
    print(f"f({at}) is about {value:.3f}; sin(2 · {at}) = {math.sin(2 * at):.3f}")
