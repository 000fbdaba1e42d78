"""Resampling: each element along an axis becomes a weighted sum of a few of the old ones.

One linear operator serves every mode of `interpolate` and adaptive average pooling: what differs is
a table, for each axis, of the places and weights that make a new element. The derivative is the
same operator with the tables transposed.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype
from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor
from .activations import kernel

Sizes = tuple[int, ...]


class Taps:
    """What the elements along an axis are made of: `places` i[new, taps] among `size` old ones,
    with `weights` f[new, taps]."""

    def __init__(self, places: Any, weights: Any, size: int) -> None:
        self.places, self.weights, self.size = places, weights, size

    @functools.cached_property
    def transposed(self) -> Taps:
        """For each old element, the new ones that it went into."""
        new = np.repeat(np.arange(len(self.places)), self.places.shape[1])
        old, weights = self.places.ravel(), self.weights.ravel()
        used = weights != 0
        new, old, weights = new[used], old[used], weights[used]
        order = np.argsort(old, kind="stable")
        new, old, weights = new[order], old[order], weights[order]
        counts = np.bincount(old, minlength=self.size)
        column = np.arange(len(old)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = (self.size, max(int(counts.max(initial=0)), 1))
        table, amounts = np.zeros(shape, np.int64), np.zeros(shape)
        table[old, column], amounts[old, column] = new, weights
        return Taps(table, amounts, len(self.places))

    @functools.cached_property
    def matrix(self) -> Any:
        """The map as a matrix f[new, old]."""
        made = np.zeros((len(self.places), self.size))
        rows = np.arange(len(self.places))[:, None]
        np.add.at(made, (np.broadcast_to(rows, self.places.shape), self.places), self.weights)
        return made

    @functools.cached_property
    def dense(self) -> bool:
        """Whether a matrix product is quicker than to take the elements one by one."""
        return self.places.shape[1] > 1 and 16 * self.places.shape[1] > self.size

    def along(self, x: Any, axis: int) -> Any:
        """The new elements along one of the last axes (counted from the end)."""
        if self.dense:
            matrix = self.matrix.astype(x.dtype)
            if axis == -1:
                return np.matmul(x, matrix.T)
            if axis == -2:
                return np.matmul(matrix, x)
            rest = x.shape[axis + 1 :]
            flat = x.reshape(*x.shape[: axis + 1], math.prod(rest))
            found = np.matmul(matrix, flat)
            return found.reshape(*found.shape[:-1], *rest)
        weights = self.weights.astype(x.dtype).reshape(*self.weights.shape, *(1,) * (-1 - axis))
        found: Any = None
        for tap in range(self.places.shape[1]):
            part = np.take(x, self.places[:, tap], axis=axis)
            if not (weights[:, tap] == 1).all():
                part = part * weights[:, tap]
            found = part if found is None else found + part
        return found


def _mapped(x: Any, maps: Any) -> Any:
    for axis, taps in maps:
        x = taps.along(x, axis)
    return x


@functools.cache
def _resampler(node: str) -> Any:
    """The operator, for each name of PyTorch's."""
    name = node.removesuffix("Backward0")

    @op(name=name, node=node, linear=True)
    @kernel
    def resampled(input, /, maps):
        """Weighted sums along axes: maps of (axis, counted from the end; taps)."""
        if input.dtype.kind == "u" and any(t.places.shape[1] > 1 for _, t in maps):
            wide = np.round(_mapped(input.astype(np.float32), maps))
            return np.minimum(np.maximum(wide, 0), 255).astype(input.dtype)
        return _mapped(input, maps) if maps else np.copy(input)

    @op(name=f"{name}_backward", node=f"{name}BackwardBackward0", linear=True)
    @kernel
    def transposed(input, /, maps):
        """The transpose: each element's shares back to what it was made of."""
        found = _mapped(input, [(axis, taps.transposed) for axis, taps in reversed(maps)])
        return found if maps else np.copy(input)

    transposed.vjp(input=lambda g, maps: resampled(g, maps))
    return resampled.vjp(input=lambda g, maps: transposed(g, maps))


def resample(node: str, input: Tensor, maps: Any) -> Tensor:
    """The input with the maps applied along its axes; `node` is PyTorch's name of the graph node."""
    return _resampler(node)(input, maps)  # type: ignore[no-any-return]


# Tables of taps, for an axis of `size` elements and `count` new ones. `scale` is how far apart the
# new ones lie, measured in old ones; `single` says that PyTorch computes places in float32.


def averages(size: int, count: int) -> Taps:
    """The means of parts that divide the axis, from rounded down start to rounded up end."""
    starts = np.arange(count) * size // max(count, 1)
    ends = -(-(np.arange(count) + 1) * size // max(count, 1))
    longest = int((ends - starts).max()) if count else 1
    places = starts[:, None] + np.arange(longest)
    weights = (places < ends[:, None]) / (ends - starts)[:, None]
    return Taps(np.minimum(places, size - 1), weights, size)


def _nearest(size: int, count: int, given: float | None, offset: float) -> Taps:
    """The old element at or before each new one; offset 0.5: the one whose middle is nearest."""
    if not offset and count in (size, 2 * size):
        places = np.arange(count) * size // count
    else:
        scale = np.float32(1 / given if given else np.float32(size) / np.float32(count))
        places = np.floor((np.arange(count, dtype=np.float32) + np.float32(offset)) * scale)
    places = np.minimum(places.astype(np.int64), size - 1)[:, None]
    return Taps(places, np.ones(places.shape), size)


def _scale(size: int, count: int, given: float | None, align: bool, kind: Any) -> Any:
    if align:
        return kind(size - 1) / kind(count - 1) if count > 1 else kind(0)
    return kind(1 / given) if given else kind(size) / kind(count)


def _linear(size: int, count: int, given: float | None, align: bool, kind: Any) -> Taps:
    """Between the two nearest, by distance."""
    if size == count:
        places = np.arange(count)[:, None]
        return Taps(places, np.ones(places.shape), size)
    scale = _scale(size, count, given, align, kind)
    at = np.arange(count).astype(kind)
    at = scale * at if align else np.maximum(scale * (at + kind(0.5)) - kind(0.5), 0)
    low = np.minimum(at.astype(np.int64), size - 1)
    part = np.minimum(np.maximum(at - low, 0), 1)
    places = np.stack([low, np.minimum(low + 1, size - 1)], 1)
    return Taps(places, np.stack([1 - part, part], 1), size)


def _cubic_weight(x: Any, a: float) -> Any:
    """Keys's cubic convolution at a distance."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _cubic(size: int, count: int, given: float | None, align: bool, kind: Any) -> Taps:
    """Of the four nearest; at the ends, the last one stands for what is missing."""
    scale = _scale(size, count, given, align, kind)
    at = np.arange(count).astype(kind)
    at = scale * at if align else scale * (at + kind(0.5)) - kind(0.5)
    low = np.floor(at)
    offsets = np.arange(-1, 3)
    weights = _cubic_weight((at - low)[:, None] - offsets, -0.75)
    places = np.minimum(np.maximum(low.astype(np.int64)[:, None] + offsets, 0), size - 1)
    return Taps(places, weights, size)


def _triangle(x: Any) -> Any:
    return np.maximum(1 - np.abs(x), 0)


def _lanczos(x: Any) -> Any:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_FILTERS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "bilinear": (_triangle, 1), "bicubic": (lambda x: _cubic_weight(x, -0.5), 2),
    "lanczos": (_lanczos, 3),
}  # fmt: skip


def _smooth(mode: str, size: int, count: int, given: float | None, align: bool, kind: Any) -> Taps:
    """A filter as wide as the new elements lie apart, so that nothing is left out."""
    weight, radius = _FILTERS[mode]
    scale = _scale(size, count, given, align, kind)
    wide = max(scale, kind(1))
    support = radius * wide
    centers = scale * (np.arange(count).astype(kind) + kind(0.5))
    starts = np.maximum((centers - support + kind(0.5)).astype(np.int64), 0)
    ends = np.minimum((centers + support + kind(0.5)).astype(np.int64), size)
    places = starts[:, None] + np.arange(int((ends - starts).max()))
    weights = weight((places - centers[:, None] + kind(0.5)) / wide)
    weights = np.where(places < ends[:, None], weights, 0)
    total = weights.sum(1, keepdims=True)
    return Taps(np.minimum(places, size - 1), weights / np.where(total == 0, 1, total), size)


@functools.lru_cache(maxsize=256)
def _taps(mode: str, size: int, count: int, given: float | None, align: bool, smooth: bool,
          kind: Any) -> Taps:  # fmt: skip
    if mode.startswith("nearest"):
        return _nearest(size, count, given, 0.5 if mode == "nearest-exact" else 0.0)
    if smooth:
        return _smooth(mode, size, count, given, align, kind)
    if mode == "bicubic":
        return _cubic(size, count, given, align, kind)
    return _linear(size, count, given, align, kind)


# Interpolation

_NAMES = {"nearest": "UpsampleNearest", "nearest-exact": "UpsampleNearestExact",
          "linear": "UpsampleLinear", "bilinear": "UpsampleBilinear", "bicubic": "UpsampleBicubic",
          "lanczos": "UpsampleLanczos", "trilinear": "UpsampleTrilinear"}  # fmt: skip
_DIMS = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}
_LETTERS = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}


def upsampled(input: Any, mode: str, size: Sequence[int] | None, factors: Any, align: bool,
              smooth: bool = False) -> Tensor:  # fmt: skip
    """The last dimensions interpolated: to a size, or by factors."""
    shape = tuple(input.shape)
    old = shape[2:]
    dims = len(old)
    name = f"{_NAMES[mode]}{dims}D{'Aa' if smooth else ''}"
    if size is None:
        size = [int(n * f) for n, f in zip(old, factors, strict=True)]
    if not all(isinstance(n, int) for n in size):
        called = f"upsample_{mode.removeprefix('bi').removeprefix('tri')}{dims}d"
        fail(TypeError, f"{called}() received an invalid combination of arguments - got (Tensor, "
                        "list, NoneType), but expected one of:\n * (Tensor input, ints "
                        "output_size, floats scale_factors)")  # fmt: skip
    if min(size) < 1 or min(old) < 1:
        have, want = (
            ", ".join(f"{a}: {n}" for a, n in zip(_LETTERS[dims], sizes, strict=True))
            for sizes in (old, size)
        )
        fail(RuntimeError, "Input and output sizes should be greater than 0, but got input "
                           f"({have}) output ({want})")  # fmt: skip
    if not shape[1]:
        fail(RuntimeError, f"Non-empty {dims + 2}D data tensor expected but got a tensor with "
                           f"sizes {list(shape)}")  # fmt: skip
    kind = input._array.dtype
    if kind.kind not in "fV" and (kind != np.uint8 or mode in ("linear", "trilinear")):
        kernel = f"upsample_{mode.replace('-', '_')}{dims}d"
        if dims == 2 and not smooth:
            kernel += "_channels_last"
        fail(NotImplementedError,
             f"\"{kernel}\" not implemented for '{from_numpy_dtype(kind).legacy}'")  # fmt: skip
    places = np.float64 if kind == np.float64 else np.float32
    maps = []
    for axis, (n, m) in enumerate(zip(old, size, strict=True)):
        factor = None if factors is None else float(factors[axis])
        if n != m or factor is not None:
            taps = _taps(mode, n, m, factor, bool(align), smooth, places)
            maps.append((axis - dims, taps))
    return resample(f"{name}Backward0", input, tuple(maps))


def interpolate(input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Tensor:  # fmt: skip
    """The input, larger or smaller along its last dimensions: f[n, c, *] -> f[n, c, *].

    size: the new one; or scale_factor: by how much larger
    mode: nearest, nearest-exact, linear (3-D input), bilinear, bicubic, lanczos (4-D), trilinear
    (5-D) or area
    align_corners: the middles of the corner elements stay where they are, not their edges
    recompute_scale_factor: take the factor anew from the sizes, which are rounded down
    antialias: average over all that a new element covers (bilinear, bicubic, lanczos)
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError("align_corners option can only be set with the interpolating modes: "
                             "linear | bilinear | bicubic | trilinear")  # fmt: skip
    shape = list(input.shape)
    dims = len(shape) - 2
    factors = None
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if isinstance(size, (tuple, list)):
            _check_lengths(size, "output size", f"output size of {size}", "o", shape)
            if not all(isinstance(n, int) for n in size):
                raise TypeError("expected size to be one of int or Tuple[int] or Tuple[int, int] "
                                "or Tuple[int, int, int], but got size with types "
                                f"{[type(n) for n in size]}")  # fmt: skip
        size = list(size) if isinstance(size, (tuple, list)) else [size] * dims
    elif scale_factor is not None:
        if isinstance(scale_factor, (tuple, list)):
            _check_lengths(scale_factor, "scale_factor", f"scale_factor of shape {scale_factor}",
                           "s", shape)  # fmt: skip
            factors = scale_factor
        else:
            factors = [scale_factor] * dims
    else:
        raise ValueError("either size or scale_factor should be defined")
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if factors is not None and (recompute_scale_factor or mode == "area"):
        size = [int(n * f) for n, f in zip(shape[2:], factors, strict=True)]
        factors = None
    if antialias and not (mode in _FILTERS and dims == 2):
        raise ValueError("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes "
                         "and requires a 4-D tensor as input")  # fmt: skip
    if dims in (1, 2, 3) and mode == "area":
        from . import adaptive

        pool = getattr(adaptive, f"adaptive_avg_pool{dims}d")
        return pool(input, size)  # type: ignore[no-any-return]
    if dims in (1, 2, 3) and (mode in ("nearest", "nearest-exact") or _DIMS.get(mode) == dims):
        if mode == "lanczos" and align_corners:
            raise ValueError("Lanczos mode does not support align_corners=True")
        if mode == "lanczos" and not antialias:
            raise ValueError("Lanczos mode requires antialias=True")
        return upsampled(input, mode, size, factors, bool(align_corners), antialias)
    if dims in (1, 2, 3) and mode in ("linear", "bilinear", "trilinear"):
        raise NotImplementedError(
            f"Got {dims + 2}D input, but {mode} mode needs {_DIMS[mode] + 2}D input"
        )
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {dims + 2}D) for the modes: "
        "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact "
        f"(got {mode})"
    )


def _check_lengths(values: Any, what: str, shown: str, letter: str, shape: list[int]) -> None:
    if len(values) != len(shape) - 2:
        first = "Input and output" if letter == "o" else "Input and scale_factor"
        raise ValueError(
            f"{first} must have the same number of spatial dimensions, but got input with spatial "
            f"dimensions of {shape[2:]} and {shown}. Please provide input tensor in (N, C, d1, d2, "
            f"...,dK) format and {what} in ({letter}1, {letter}2, ...,{letter}K) format."
        )


def upsample(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
             align_corners: bool | None = None) -> Tensor:  # fmt: skip
    """Deprecated: `interpolate`."""
    _deprecated("upsample", "interpolate")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Deprecated: `interpolate`."""
    _deprecated("upsample_nearest", "interpolate")
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Deprecated: `interpolate(mode="bilinear", align_corners=True)`."""
    _deprecated("upsample_bilinear", "interpolate")
    return interpolate(input, size, scale_factor, "bilinear", True)


def _deprecated(name: str, other: str) -> None:
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.{other}` instead.", stacklevel=3
    )


def _upsample_bilinear2d_aa(input: Tensor, output_size: Any, align_corners: bool,
                            scale_factors: Any = None, *, scales_h: float | None = None,
                            scales_w: float | None = None) -> Tensor:  # fmt: skip
    """`interpolate(mode="bilinear", antialias=True)` under PyTorch's inner name."""
    if scales_h is not None and scales_w is not None:
        scale_factors = (scales_h, scales_w)
    size = None if output_size is None else list(output_size)
    return upsampled(input, "bilinear", size, scale_factors, align_corners, True)
