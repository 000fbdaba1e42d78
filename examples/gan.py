"""A GAN in two dimensions: a generator learns to put points on a ring, against a critic.

leafgrad run examples/gan.py [steps]
"""

import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1500


def ring(count):
    angle = 2 * math.pi * torch.rand(count)
    radius = 1 + 0.05 * torch.randn(count)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def network(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2),
        nn.Linear(32, outputs),
    )  # fmt: skip


torch.manual_seed(0)
generator, critic = network(4, 2), network(2, 1)
of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
of_critic = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.99))
for step in range(steps):
    real, fake = ring(128), generator(torch.randn(128, 4))
    # The critic: real points up, made ones down. `detach`: the generator is not to help it.
    loss_critic = F.softplus(-critic(real)).mean() + F.softplus(critic(fake.detach())).mean()
    of_critic.zero_grad()
    loss_critic.backward()
    of_critic.step()
    # The generator: made points up.
    loss_generator = F.softplus(-critic(fake)).mean()
    of_generator.zero_grad()
    loss_generator.backward()
    of_generator.step()
    if step % 500 == 0 or step == steps - 1:
        radius = fake.detach().norm(dim=1)
        print(f"step {step}: critic {loss_critic.item():.3f}, generator "
              f"{loss_generator.item():.3f}, radius {radius.mean().item():.2f} "
              f"± {radius.std().item():.2f}")  # fmt: skip
