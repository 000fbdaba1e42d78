"""Handwritten digits by logistic regression, an MLP and a small CNN: 1,797 pictures of 8 by 8.

    leafgrad run examples/digits.py [epochs]

It prints the accuracy on a fifth of the pictures, which training never sees. Needs scikit-learn, for its
pictures alone.
"""

import sys

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 12


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm = nn.BatchNorm2d(32)
        self.drop = nn.Dropout(0.25)
        self.out = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.norm(self.conv2(x))), 2)
        return self.out(self.drop(x.flatten(1)))


MODELS = {
    "logistic regression": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
    "MLP": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)),
    "CNN": CNN,
}

pictures, labels = load_digits(return_X_y=True)
data = TensorDataset(
    torch.tensor(pictures / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(labels)
)

for name, build in MODELS.items():
    torch.manual_seed(0)
    seen, unseen = random_split(data, [0.8, 0.2])
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        model.train()
        for x, y in DataLoader(seen, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        x, y = unseen[:]
        right = (model(x).argmax(1) == y).float().mean().item()
    print(f"{name}: last loss {loss.item():.3f}, {right:.1%} of the unseen digits right")
