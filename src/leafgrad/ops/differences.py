"""`gradient`: derivatives of samples on a grid, by differences of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.source import fail
from ..tensor import Tensor, normal_dim, wrap
from .joining import cat

__all__ = ["gradient"]


def _part(x: Tensor, dim: int, start: int, end: int) -> Tensor:
    return x.narrow(dim, start, end - start)


def _evenly(x: Tensor, h: Any, dim: int, edge_order: int) -> Tensor:
    """The derivative along a dimension whose points are a distance `h` apart."""
    n = x.shape[dim]
    f = [_part(x, dim, i, i + 1) for i in (0, 1, n - 2, n - 1)]
    if edge_order == 1:
        first, last = (f[1] - f[0]) / h, (f[3] - f[2]) / h
    else:
        second, third_last = _part(x, dim, 2, 3), _part(x, dim, n - 3, n - 2)
        first = (-1.5 * f[0] + 2 * f[1] - 0.5 * second) / h
        last = (0.5 * third_last - 2 * f[2] + 1.5 * f[3]) / h
    middle = (_part(x, dim, 2, n) - _part(x, dim, 0, n - 2)) / (2 * h)
    return cat([first, middle, last], dim)


def _unevenly(x: Tensor, points: Tensor, dim: int, edge_order: int) -> Tensor:
    """The derivative along a dimension, of the parabolas through three neighbours each."""
    n = x.shape[dim]
    widths = points.diff()
    widths = widths.reshape((n - 1,) + (1,) * (x.ndim - 1 - dim))
    h, k = _part(widths, 0, 0, n - 2), _part(widths, 0, 1, n - 1)  # before and after a point
    one, two, three = (_part(x, dim, i, n - 2 + i) for i in range(3))
    middle = one * (-k / (h * (h + k))) + two * ((k - h) / (h * k)) + three * (h / (k * (h + k)))
    if edge_order == 1:
        first = (_part(x, dim, 1, 2) - _part(x, dim, 0, 1)) / _part(widths, 0, 0, 1)
        last = _part(x, dim, n - 1, n) - _part(x, dim, n - 2, n - 1)
        last = last / _part(widths, 0, n - 2, n - 1)
        return cat([first, middle, last], dim)
    edges = []
    for inner in ((0, 1, 2), (n - 1, n - 2, n - 3)):  # from the edge on
        f = [_part(x, dim, i, i + 1) for i in inner]
        h, k = (_part(widths, 0, i, i + 1) for i in map(min, inner, inner[1:]))
        slope = f[1] * ((h + k) / (h * k)) - f[0] * ((2 * h + k) / (h * (h + k)))
        edges.append(slope - f[2] * (h / (k * (h + k))))
    return cat([edges[0], middle, -edges[1]], dim)


def _explicit(spacing: Any) -> bool:
    """Whether spacing is coordinates, not distances."""
    return isinstance(spacing, (tuple, list)) and any(isinstance(s, Tensor) for s in spacing)


def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None,
             edge_order: int = 1) -> tuple[Tensor, ...]:  # fmt: skip
    """The partial derivatives of a function by its samples, along all dimensions or some.

    spacing: the distance of the samples (1), one for each dimension, or for each a 1-D tensor of
    coordinates; dim: an int or several; edge_order: 1 or 2, the accuracy at the edges
    """
    if not isinstance(input, Tensor):
        fail(TypeError, "gradient(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")  # fmt: skip
    if isinstance(spacing, Tensor):
        if spacing.ndim:
            fail(TypeError, "gradient() received an invalid combination of arguments - got "
                            "(Tensor, spacing=Tensor)", "several tensors are a tuple")  # fmt: skip
        spacing = spacing.item()
    ndim = input._array.ndim
    several = isinstance(spacing, (tuple, list))
    if input._array.dtype == np.uint8:
        fail(RuntimeError, "torch.gradient does not support uint8 input.")
    if dim is None:
        if several and len(spacing) != ndim:
            fail(RuntimeError, "torch.gradient expected spacing to be unspecified, a scalar, or a "
                               f"list of length equal to 'self.dim() = {ndim}', since dim argument "
                               f"was not given, but got a list of length "
                               f"{len(spacing)}")  # fmt: skip
        dims = list(range(ndim))
    else:
        dims = [normal_dim(d, ndim) for d in ((dim,) if isinstance(dim, int) else dim)]
        if several and len(spacing) != len(dims):
            fail(RuntimeError, "torch.gradient expected spacing to be unspecified, a scalar or "
                               "it's spacing and dim arguments to have the same length, but got a "
                               f"spacing argument of length {len(spacing)} and a dim argument of "
                               f"length {len(dims)}.")  # fmt: skip
    for i, d in enumerate(dims):
        if d in dims[:i]:
            fail(RuntimeError, f"dim {d} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        fail(RuntimeError, "torch.gradient only supports edge_order=1 and edge_order=2.")
    if any(input.shape[d] < edge_order + 1 for d in dims):
        fail(RuntimeError, "torch.gradient expected each dimension size to be at least "
                           "edge_order+1")  # fmt: skip
    distances = list(spacing) if several else [1 if spacing is None else spacing] * len(dims)
    found = []
    for d, h in zip(dims, distances, strict=True):
        if not _explicit(spacing):
            found.append(_evenly(input, h, d, edge_order))
            continue
        points = h if isinstance(h, Tensor) else wrap(np.asarray(h))
        if points.ndim != 1:
            fail(RuntimeError, "torch.gradient expected each element of spacing to have one "
                               f"dimension, but got an element with {points.ndim} "
                               "dimensions!")  # fmt: skip
        if points.shape[0] != input.shape[d]:
            fail(RuntimeError, "torch.gradient expected each element of spacing to have as many "
                               f"elements as the dimension has, but got {points.shape[0]} for "
                               f"{input.shape[d]}")  # fmt: skip
        found.append(_unevenly(input, points, d, edge_order))
    return tuple(found)
