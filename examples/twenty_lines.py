"""The README's example: a graph that is printed, a gradient, and an error that names its cause."""

import leafgrad as torch
from leafgrad import nn

torch.manual_seed(0)
x = torch.ones(5)
y = torch.zeros(3)
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)

z = torch.matmul(x, w) + b
loss = nn.functional.binary_cross_entropy_with_logits(z, y)
print(loss)
print(torch.graph(loss))

loss.backward()
print(b.grad)

try:
    loss.backward()
except RuntimeError as error:
    print(error)
