"""The programs behind tests/data/layers.json, for conformance/record_layers.py, which records, and
for tests/test_nn_layers.py.

A tensor is shown as its shape and two numbers: `digest` adds up its elements with weights that
differ, so that no element and no order can be wrong unnoticed.
"""

MODULE = """
def digest(value):
    if isinstance(value, (tuple, list)):
        return [digest(v) for v in value]
    if value is None:
        return None
    flat = value.detach().double().flatten()
    places = torch.arange(flat.numel(), dtype=torch.float64)
    return [list(value.shape), (flat * (places + 1).cos()).sum().item(), flat.abs().sum().item()]

torch.manual_seed(3)
m = {make}
m.train({train})
exact(repr(m))
exact(list(m.state_dict()))
exact([v.flatten()[:3] for v in m.state_dict().values() if {initial}])
m = m.double()
torch.manual_seed(4)
inputs = [x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x
          for x in [{inputs}]]
for x in inputs:
    if isinstance(x, torch.Tensor) and x.is_floating_point():
        x.requires_grad_()
y = {call}
show(digest(y))
outputs = [t for t in (y if isinstance(y, tuple) else (y,)) if t is not None]
outputs = [t for part in outputs for t in (part if isinstance(part, tuple) else (part,))]
loss = sum((t * t.detach().cos()).sum() for t in outputs if t.requires_grad)
if not isinstance(loss, int):
    loss.backward()
    show([digest(x.grad) for x in inputs if getattr(x, "requires_grad", False)])
    show([digest(p.grad) for p in m.parameters()])
"""


def program_of(entry):
    """The text of a recorded program."""
    given = {"train": True, "initial": True, **entry}
    return entry.get("program") or MODULE.format(**given)
