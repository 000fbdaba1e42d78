"""Fit a curve by gradient descent: three parameters, a thousand noisy points.

The data are 1.5 sin(x) + 1.2 cos(x/4) with noise; the model also has a linear term, whose
parameter should come out as zero.
"""

import numpy as np

import leafgrad as torch
from leafgrad import nn

TRUE = (0.0, 1.5, 1.2)


def curve(X, theta):
    return theta[0] * X + theta[1] * torch.sin(X) + theta[2] * torch.cos(X / 4)


def data(seed=0):
    X = torch.tensor(np.linspace(-10, 10, 1000))
    truth = curve(X, TRUE)
    noise = np.random.RandomState(seed).normal(0, 1, 1000)
    return X, truth, truth + noise


def train(X, y, epochs, seed=0):
    """Yield (epoch, loss, theta, y_pred) after every forward pass, before the step."""
    torch.manual_seed(seed)
    theta = torch.randn(3, requires_grad=True)
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.SGD([theta], lr=0.01)

    for epoch in epochs:
        y_pred = curve(X, theta)
        loss = loss_fn(y_pred, y)
        yield epoch, loss, theta, y_pred

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
