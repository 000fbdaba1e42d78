"""Distances between the rows of matrices: `cdist` of two, `pdist` of one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..duck import zeros
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor

__all__ = ["cdist", "pdist"]

_HELD = 1 << 20  # how many differences are held in memory at a time


def _lengths(difference: Any, p: float) -> Any:
    """The p-norms over the last dimension."""
    if p == 2:
        return np.sqrt(np.sum(difference * difference, axis=-1))
    if p == 0:
        return np.sum(difference != 0, axis=-1).astype(difference.dtype)
    size = np.abs(difference)
    if p == 1:
        return np.sum(size, axis=-1)
    if p == math.inf:
        return np.max(size, axis=-1, initial=0)
    return np.sum(size**p, axis=-1) ** (1 / p)


def _differences(x1: Any, x2: Any) -> Any:
    return np.expand_dims(x1, -2) - np.expand_dims(x2, -3)


@op(name="_cdist_forward", node="CdistBackward0")
@quietly
def distances(x1, x2, /, p, products):
    """The p-norms of the differences of all rows: f[p, m], f[r, m] -> f[p, r].

    products: for p = 2, by |a|² + |b|² - 2ab, which is quicker and less exact
    """
    if products:
        squares = np.sum(x1 * x1, -1)[..., :, None] + np.sum(x2 * x2, -1)[..., None, :]
        return np.sqrt(np.maximum(squares - 2 * np.matmul(x1, np.swapaxes(x2, -1, -2)), 0))
    rows = max(1, _HELD // max(1, x2.size))
    if x1.shape[-2] <= rows:
        return _lengths(_differences(x1, x2), p)
    starts = range(0, x1.shape[-2], rows)
    parts = [_lengths(_differences(x1[..., i : i + rows, :], x2), p) for i in starts]
    return np.concatenate(parts, axis=-2)


def _joint(g: Any, x1: Any, x2: Any, out: Any, p: float) -> tuple[Any, Any]:
    """The gradients of `distances`: nothing comes from rows that are equal."""
    if p == 0:
        return None, None
    if p == 2 and x1.shape[-2] * math.prod(x2.shape) > _HELD:  # as exact, but near equal rows
        weights = np.where(out == 0, 0, g / np.where(out == 0, 1, out))
        across = np.swapaxes(weights, -1, -2)
        return (
            x1 * np.sum(weights, axis=-1, keepdims=True) - np.matmul(weights, x2),
            x2 * np.sum(across, axis=-1, keepdims=True) - np.matmul(across, x1),
        )
    difference = _differences(x1, x2)
    sign, size = np.sign(difference), np.abs(difference)
    g, out = np.expand_dims(g, -1), np.expand_dims(out, -1)
    if p == 2:
        parts = np.where(out == 0, 0, g / np.where(out == 0, 1, out)) * difference
    elif p == 1:
        parts = g * sign
    elif p == math.inf:
        parts = g * sign * (size == out)
    else:
        zero = size == 0
        slope = np.where(zero, 0, np.where(zero, 1, size) ** (p - 1))
        scale = np.where(out == 0, 0, g * np.where(out == 0, 1, out) ** (1 - p))
        parts = scale * (sign * slope)
    return np.sum(parts, axis=-2), -np.sum(parts, axis=-3)


distances.vjp(lambda g, x1, x2, out, p: _joint(g, x1, x2, out, p))


# The pairs of rows of one matrix, as places above the diagonal


@op(node="PutBackward0", linear=True)
def in_triangle(input, /, n):
    """A vector's elements above the diagonal of zeros, row by row: f[n(n-1)/2] -> f[n, n]."""
    made = zeros(input, (n, n))
    made[np.triu_indices(n, 1)] = input
    return made


@op(node="IndexBackward0", linear=True)
def of_triangle(input, /, n):
    """The elements above the diagonal, row by row: f[n, n] -> f[n(n-1)/2]."""
    return input[np.triu_indices(n, 1)]


in_triangle.vjp(input=lambda g, n: of_triangle(g, n))
of_triangle.vjp(input=lambda g, n: in_triangle(g, n))


@op(name="_pdist_forward", node="PdistBackward0")
@quietly
def pair_distances(input, /, p):
    """The p-norms of the differences of all pairs of rows: f[n, m] -> f[n(n-1)/2]."""
    n = input.shape[0]
    if n < 2:
        return np.zeros(0, input.dtype)
    return np.concatenate([_lengths(input[i] - input[i + 1 :], p) for i in range(n - 1)])


def _pair_distances_vjp_input(g: Any, input: Any, out: Any, p: float) -> Any:
    n = input.shape[0]
    first, second = _joint(in_triangle(g, n), input, input, in_triangle(out, n), p)
    return None if first is None else first + second


pair_distances.vjp(input=_pair_distances_vjp_input)


# The public functions


_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
          "donot_use_mm_for_euclid_dist")  # fmt: skip
_MANY = 25  # rows from which on PyTorch takes products
_QUICK = 4096  # differences of so many elements are as quick, and exact


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0,
          compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:  # fmt: skip
    """The distances of all rows of x1 to all of x2: f[..., p, m], f[..., r, m] -> f[..., p, r].

    p: the order of the norm, from 0 (how many elements differ) to infinity
    compute_mode: whether Euclidean distances may come from matrix products: for more than 25 rows,
    always, or never ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist")
    """
    if compute_mode not in _MODES:
        fail(ValueError, f"{compute_mode} is not a valid value for compute_mode")
    for name, x in (("X1", x1), ("X2", x2)):
        if not x.dtype.is_floating_point:
            fail(RuntimeError, "cdist only supports floating-point dtypes, "
                               f"{name} got: {x.dtype.legacy}")  # fmt: skip
    for name, x in (("X1", x1), ("X2", x2)):
        if x.ndim < 2:
            fail(RuntimeError, f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        fail(RuntimeError, "X1 and X2 must have the same number of columns. X1: "
                           f"{x1.shape[-1]} X2: {x2.shape[-1]}")  # fmt: skip
    if not p >= 0:
        fail(RuntimeError, "cdist only supports non-negative p values")
    if x1.dtype is not x2.dtype:
        fail(RuntimeError, f"expected scalar type {x1.dtype.legacy} but found {x2.dtype.legacy}")
    _check_width("cdist", x1)
    many = max(x1.shape[-2], x2.shape[-2]) > _MANY or compute_mode == _MODES[1]
    few = x1.shape[-2] * x2.numel() <= _QUICK
    products = p == 2 and many and not few and compute_mode != _MODES[2]
    return distances(x1, x2, float(p), products)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The distances of all pairs of rows: f[n, m] -> f[n(n-1)/2], of row 0 first."""
    if input.ndim != 2:
        fail(RuntimeError, f"pdist only supports 2D tensors, got: {input.ndim}D")
    if not input.dtype.is_floating_point:
        fail(RuntimeError, "pdist only supports floating-point dtypes")
    if not p >= 0:
        fail(RuntimeError, "pdist only supports non-negative p values")
    _check_width("pdist", input)
    return pair_distances(input, float(p))


def _check_width(name: str, x: Tensor) -> None:
    if x.dtype.itemsize == 2:
        fail(NotImplementedError, f"\"{name}\" not implemented for '{x.dtype.legacy}'")
