"""A linear neuron: one forward pass, one backward pass, the gradients of its weights.

Run it with `leafgrad run examples/linear_neuron.py`.
"""

import torch

torch.manual_seed(0)
x = torch.ones(5)  # what goes in
y = torch.zeros(3)  # what should come out
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)

z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
print("loss:", loss)
print("made by:", z.grad_fn, "and", loss.grad_fn)

loss.backward()
print(w.grad)
print(b.grad)
