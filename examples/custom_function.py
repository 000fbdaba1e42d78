"""A Function of one's own: a step that is flat, but learns as if it were smooth.

    leafgrad run examples/custom_function.py [steps]

sign(x) has the derivative 0 everywhere. This one passes the gradient on where |x| < 1 (a
straight-through estimator), and so a network of ±1 decisions can be trained.
"""

import sys

import torch
from torch import nn

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() < 1)


class Binary(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 16), nn.Linear(16, 1)

    def forward(self, x):
        return self.second(Sign.apply(self.first(x)))


torch.manual_seed(0)
x = torch.randn(200, 2)
y = (x[:, 0] * x[:, 1] > 0).float()  # the two quadrants that XOR tells apart
model = Binary()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(steps):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == steps - 1:
        right = ((model(x)[:, 0] > 0) == (y > 0)).float().mean().item()
        print(f"step {step}: loss {loss.item():.3f}, {right:.0%} right")
