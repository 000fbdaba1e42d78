"""An LSTM that continues a sum of two sine waves which it never saw whole.

leafgrad run examples/lstm.py [steps]
"""

import sys

import torch
from torch import nn

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300


def wave(t):
    return torch.sin(t / 5) + 0.5 * torch.sin(t / 2 + 1)


class Predictor(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x, state=None):
        hidden, state = self.lstm(x, state)
        return self.out(hidden), state


torch.manual_seed(0)
model = Predictor()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
for step in range(steps):
    starts = torch.rand(16, 1) * 100
    series = wave(starts + torch.arange(41.0))[:, :, None]
    predicted, _ = model(series[:, :-1])
    loss = nn.functional.mse_loss(predicted, series[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    if step % 50 == 0 or step == steps - 1:
        print(f"step {step}: mean squared error {loss.item():.4f}")

# From 40 given values on its own predictions are what it goes on from.
t = torch.arange(500.0, 560.0)
true = wave(t)
with torch.no_grad():
    out, state = model(true[None, :40, None])
    value, continued = out[:, -1:], []
    for _ in range(20):
        continued.append(value.item())
        value, state = model(value, state)
error = (torch.tensor(continued) - true[40:]).abs().mean().item()
print(f"20 values on its own: off by {error:.3f} on average")
