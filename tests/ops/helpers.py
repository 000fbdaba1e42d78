"""What the tests of operators share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import leafgrad as torch

STEP = 1e-6


def random_like(array: Any, generator: Any) -> Any:
    """Standard normal numbers in an array's shape and dtype."""
    values = generator.standard_normal(array.shape)
    if array.dtype.kind == "c":
        values = values + 1j * generator.standard_normal(array.shape)
    return np.asarray(values, array.dtype)


def check_gradients(
    f: Callable[..., Any], *arrays: Any, order: int = 2, rtol: float = 1e-5
) -> None:
    """Compare the derivatives of `f` (tensors to a tensor) with finite differences.

    Arrays of float64 or complex128 are differentiated, along one random direction; others are
    passed on. The second order differentiates the first, so that the rules of rules are tested.
    """
    generator = np.random.default_rng(0)
    chosen = [i for i, a in enumerate(arrays) if np.asarray(a).dtype.kind in "fc"]
    points = [np.asarray(arrays[i]) for i in chosen]
    assert all(p.dtype in (np.float64, np.complex128) for p in points)

    def call(values: list[Any], requires_grad: bool) -> tuple[Any, list[Any]]:
        leaves = [torch.tensor(v, requires_grad=requires_grad) for v in values]
        inputs = [a if np.isscalar(a) else torch.tensor(a) for a in arrays]
        for i, leaf in zip(chosen, leaves, strict=True):
            inputs[i] = leaf
        return f(*inputs), leaves

    def inner(a: Any, b: Any) -> float:
        return float(np.real(np.sum(np.conj(a) * b)))

    out, _ = call(points, requires_grad=False)
    cotangent = random_like(out.numpy(), generator)
    first = [random_like(p, generator) for p in points]
    second = [random_like(p, generator) for p in points]

    def value(values: list[Any]) -> float:
        return inner(cotangent, call(values, requires_grad=False)[0].numpy())

    def gradients(values: list[Any], create_graph: bool = False) -> tuple[list[Any], list[Any]]:
        out, leaves = call(values, requires_grad=True)
        seed = torch.tensor(cotangent)
        found = torch.autograd.grad(
            out, leaves, seed, create_graph=create_graph, materialize_grads=True
        )
        return list(found), leaves

    def slope(function: Callable[[list[Any]], float], along: list[Any]) -> float:
        ahead, behind = (
            [p + sign * STEP * d for p, d in zip(points, along, strict=True)] for sign in (1, -1)
        )
        return (function(ahead) - function(behind)) / (2 * STEP)

    def directional(values: list[Any]) -> float:
        found, _ = gradients(values)
        return sum(inner(g.numpy(), d) for g, d in zip(found, first, strict=True))

    np.testing.assert_allclose(directional(points), slope(value, first), rtol=rtol, atol=1e-6)
    if order < 2:
        return
    found, leaves = gradients(points, create_graph=True)
    seeds = [torch.tensor(d) for d in first]
    pairs = [(g, s) for g, s in zip(found, seeds, strict=True) if g.grad_fn is not None]
    analytic = 0.0
    if pairs:
        again = torch.autograd.grad(
            [g for g, _ in pairs], leaves, [s for _, s in pairs], materialize_grads=True
        )
        analytic = sum(inner(g.numpy(), d) for g, d in zip(again, second, strict=True))
    np.testing.assert_allclose(analytic, slope(directional, second), rtol=rtol, atol=1e-5)
