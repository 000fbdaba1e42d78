"""A variational autoencoder: digits as points of a plane, and new digits from such points.

    leafgrad run examples/vae.py [epochs]

The encoder gives a mean and a spread; a sample of it is differentiable because the noise is drawn
apart (the reparametrisation trick). Needs scikit-learn, for its pictures alone.
"""

import sys

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
pictures = torch.tensor(load_digits().data / 16, dtype=torch.float32)


class VAE(nn.Module):
    def __init__(self, latent=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(z), mean, log_variance


torch.manual_seed(0)
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(epochs):
    total = 0.0
    for batch in pictures[torch.randperm(len(pictures))].split(128):
        logits, mean, log_variance = model(batch)
        likeness = F.binary_cross_entropy_with_logits(logits, batch, reduction="sum")
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        loss = (likeness + divergence) / len(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 10 == 0 or epoch == epochs - 1:
        print(f"epoch {epoch}: {total / len(pictures):.2f} nats a picture")

with torch.no_grad():
    picture = torch.sigmoid(model.decoder(torch.tensor([[0.5, -0.5]]))).reshape(8, 8)
for row in picture.tolist():
    print("".join(" .:-=+*#%@"[min(9, int(10 * v))] * 2 for v in row).rstrip())
