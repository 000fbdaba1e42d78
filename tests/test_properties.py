"""Random expression graphs against finite differences: reuse, broadcasting, views, in-place."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import leafgrad as torch

UNARY = {
    "sin": torch.sin,
    "tanh": torch.tanh,
    "exp": lambda t: torch.exp(t * 0.3),
    "square": lambda t: t * t,
    "neg": lambda t: -t,
    "scale": lambda t: t * 1.5 - 0.25,
    "sigmoid": torch.sigmoid,
    "rational": lambda t: t / (t * t + 1.0),
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1.0),
    "maximum": lambda a, b: torch.maximum(a, b + 0.123),
}
SHAPES = [(2, 3), (1, 3), (2, 1), (3,), ()]


@st.composite
def programs(draw):
    """A list of steps over a growing list of values; each step names earlier values by number."""
    steps = []
    count = 3
    for _ in range(draw(st.integers(2, 12))):
        kind = draw(st.sampled_from(
            ["unary", "unary", "binary", "binary", "binary", "view", "inplace", "reduce"]))  # fmt: skip
        a = draw(st.integers(0, count - 1))
        b = draw(st.integers(0, count - 1))
        if kind == "unary":
            steps.append(("unary", draw(st.sampled_from(sorted(UNARY))), a))
        elif kind == "binary":
            steps.append(("binary", draw(st.sampled_from(sorted(BINARY))), a, b))
        elif kind == "view":
            steps.append(("view", draw(st.integers(0, 3)), a))
        elif kind == "reduce":
            steps.append(("reduce", draw(st.booleans()), a))
        else:
            steps.append(("inplace", draw(st.sampled_from(["add", "mul", "part", "view"])), a, b))
        count += 1
    return steps


def run(steps, leaves):
    """The value of a program: a number. In-place steps work on copies made in the program."""
    values = [leaf * 1.0 for leaf in leaves]
    for step in steps:
        a = values[step[2]]
        if step[0] == "unary":
            values.append(UNARY[step[1]](a))
        elif step[0] == "binary":
            b = values[step[3]]
            try:
                np.broadcast_shapes(a.shape, b.shape)
            except ValueError:
                b = b.mean()
            values.append(BINARY[step[1]](a, b))
        elif step[0] == "reduce":
            values.append(a.sum(-1, keepdim=True) * 0.3 if step[1] and a.ndim else a.mean())
        elif step[0] == "view":
            views = [
                lambda t: t.reshape(-1), lambda t: t.unsqueeze(0), lambda t: t.transpose(0, -1)
                if t.ndim else t.unsqueeze(0), lambda t: t[..., :1] if t.ndim else t * 2.0,
            ]  # fmt: skip
            values.append(views[step[1]](a))
        else:
            target = a.clone()
            other = values[step[3]].mean()
            if step[1] == "add":
                target.add_(other)
            elif step[1] == "mul":
                target.mul_(torch.tanh(other))
            elif step[1] == "part" and target.ndim:
                target[..., 0] = other
            elif target.ndim:
                target.transpose(0, -1).mul_(other + 2.0)
            values.append(target)
    return sum(torch.tanh(v).sum() for v in values[3:]) + values[0].sum()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st.lists(st.sampled_from(SHAPES), min_size=3, max_size=3), st.integers(0, 9))
def test_gradients_of_random_programs(steps, shapes, seed):
    rng = np.random.RandomState(seed)
    arrays = [rng.uniform(-1, 1, s) for s in shapes]
    directions = [rng.uniform(-1, 1, s) for s in shapes]

    def value(step):
        moved = [torch.tensor(a + step * d) for a, d in zip(arrays, directions, strict=True)]
        with torch.no_grad():
            return run(steps, moved).item()

    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    run(steps, leaves).backward()
    along = sum(
        float((leaf.grad.numpy() * d).sum())
        for leaf, d in zip(leaves, directions, strict=True) if leaf.grad is not None
    )  # fmt: skip
    h = 1e-4
    # fourth order, so that a kink of `maximum` is the only thing that can disturb it
    numeric = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)
    coarse = (value(h / 8) - value(-h / 8)) / (h / 4)
    if abs(numeric - coarse) < 1e-5 * (1 + abs(numeric)):  # no kink within reach
        assert abs(along - numeric) < 1e-6 * (1 + abs(numeric))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st.integers(0, 9))
def test_second_derivatives_of_random_programs(steps, seed):
    steps = [s for s in steps if s[0] != "inplace" and s[1] != "maximum"]
    steps = [(*s[:2], min(s[2], 2), *(min(i, 2) for i in s[3:])) for s in steps]
    rng = np.random.RandomState(seed)
    arrays = [rng.uniform(-1, 1, (2, 2)) for _ in range(3)]
    directions = [rng.uniform(-1, 1, (2, 2)) for _ in range(3)]

    def slope(step, create=False):
        leaves = [
            torch.tensor(a + step * d, requires_grad=True)
            for a, d in zip(arrays, directions, strict=True)
        ]
        grads = torch.autograd.grad(
            run(steps, leaves), leaves, create_graph=create, allow_unused=True
        )
        total = sum(
            (g * torch.tensor(d)).sum() for g, d in zip(grads, directions, strict=True)
            if g is not None
        )  # fmt: skip
        return total, leaves

    total, leaves = slope(0.0, create=True)
    if not total.requires_grad:
        return
    seconds = torch.autograd.grad(total, leaves, allow_unused=True)
    along = sum(
        float((g.numpy() * d).sum())
        for g, d in zip(seconds, directions, strict=True) if g is not None
    )  # fmt: skip
    h = 1e-5
    numeric = (slope(h)[0].item() - slope(-h)[0].item()) / (2 * h)
    assert abs(along - numeric) < 1e-5 * (1 + abs(numeric))
