"""Fit a curve by gradient descent, with a Plotly figure every fifty epochs.

The data are made in float64, the parameters in float32: the promotion of dtypes is part of the
example. Run it with `leafgrad run examples/curve_fit.py`; it writes curve_fit.html.
"""

import sys

import numpy as np
import plotly.graph_objects as go
import torch
from torch import nn

np.random.seed(0)
torch.manual_seed(0)

X = torch.tensor(np.linspace(-10, 10, 1000))
clean = 1.5 * torch.sin(X) + 1.2 * torch.cos(X / 4)
y = clean + np.random.normal(0, 1, 1000)


def model(X, theta=torch.rand(3, requires_grad=True)):  # noqa: B008 - as people write it
    return theta[0] * X + theta[1] * torch.sin(X) + theta[2] * torch.cos(X / 4)


theta = torch.randn(3, requires_grad=True)
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD([theta], lr=0.01)
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
figures = []

for epoch in range(epochs):
    y_pred = model(X, theta)
    loss = loss_fn(y_pred, y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

    if epoch % 50 == 0:
        with torch.no_grad():
            figure = go.Figure()
            figure.add_trace(go.Scatter(x=X, y=y, mode="markers", name="data"))
            figure.add_trace(go.Scatter(x=X, y=model(X, theta), name="fit"))
            rounded = theta.detach().numpy().round(3)
            figure.update_layout(title=f"epoch {epoch}: loss {loss.item():>7f}, theta {rounded}")
            figures.append(figure)
            print(f"epoch {epoch:4d}  loss {loss.item():>7f}  theta {rounded}")

print("theta:", theta)
if "--no-html" not in sys.argv:
    figures[-1].write_html("curve_fit.html")
