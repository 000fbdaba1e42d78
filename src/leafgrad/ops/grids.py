"""Images sampled at given places (`grid_sample`), the places of an affine map, and pixels that
become channels and back.

A sample is a weighted sum of the elements around its place. Along each axis a few taps contribute,
each with a place, a weight and the weight's derivative; in several dimensions their products do.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype
from ..duck import take
from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor, wrap
from .activations import kernel
from .matrix_products import legacy

__all__ = [
    "affine_grid_generator", "channel_shuffle", "grid_sampler", "grid_sampler_2d",
    "grid_sampler_3d", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle",
]  # fmt: skip

Sizes = tuple[int, ...]
_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


# Rows: what stands at a place in all channels


@op(name="grid_rows", node="IndexBackward0")
def _rows(input, places, /):
    """All channels at the places: f[n, c, *size], i[n, *out] -> f[n, *out, c]."""
    n, c, *size = input.shape
    flat = np.moveaxis(input, 1, -1).reshape(n * math.prod(size), c)
    starts = np.arange(n).reshape(n, *(1,) * (places.ndim - 1)) * math.prod(size)
    return take(flat, places + starts, 0)


@op(name="grid_rows_backward", node="IndexPutBackward0")
@kernel
def _to_rows(grad, places, /, size):
    """The sums of what goes to each place: f[n, *out, c], i[n, *out] -> f[n, c, *size]."""
    n, c, plane = grad.shape[0], grad.shape[-1], math.prod(size)
    starts = np.arange(n).reshape(n, *(1,) * (places.ndim - 1)) * plane
    at = np.expand_dims((places + starts) * c, -1) + np.arange(c)
    sums = np.bincount(at.ravel(), grad.ravel(), n * plane * c)
    return np.moveaxis(sums.astype(grad.dtype).reshape(n, *size, c), -1, 1)


_rows.vjp(input=lambda g, places, input_shape: _to_rows(g, places, input_shape[2:]))
_to_rows.vjp(grad=lambda g, places: _rows(g, places))


# Taps along an axis. The functions run on arrays and, where a backward pass is recorded, on tensors.


@op(name="grid_padding")
@kernel
def _folded(at, /, size, padding, align):
    """A place brought into the image as slope · at + offset: the two, stacked."""
    if padding == "reflection":
        low = 0.0 if align else -0.5
        span = size - 1 if align else size
        if not span:
            return np.stack([np.zeros_like(at)] * 2)
        away = np.abs(at - low)
        flips = np.floor(away / span)
        odd = np.fmod(flips, 2) == 1
        slope = np.where(odd ^ (at < low), -1, 1).astype(at.dtype)
        rest = away - flips * span
        found = np.where(odd, span - rest, rest) + low
    else:
        slope, found = np.ones_like(at), at
    inside = (found > 0) & (found < size - 1)
    slope = np.where(inside, slope, 0)
    found = np.minimum(np.maximum(found, 0), size - 1)
    return np.stack([slope, np.where(inside, found - slope * at, found)])


@op(name="grid_place")
def _whole(at, /, size):
    """The integer at a place, inside the image."""
    found = np.minimum(np.maximum(at, 0), size - 1)
    return np.where(np.isnan(found), 0, found).astype(np.int64)


def _inside(at, size, padding):
    """The place that a padding mode gives."""
    if padding == "zeros":
        return at
    folded = _folded(at, size, padding[0], padding[1])
    return at * folded[0] + folded[1]


def _cubic_weights(t):
    """Keys's weights of the four taps around, at a distance t from the second; their derivatives."""
    a = -0.75
    one, far, back = t + 1, 2 - t, 1 - t
    weights = (
        ((one - 5) * one + 8) * one * a - 4 * a,
        ((a + 2) * t - (a + 3)) * t * t + 1,
        ((a + 2) * back - (a + 3)) * back * back + 1,
        ((far - 5) * far + 8) * far * a - 4 * a,
    )
    slopes = (
        ((3 * one - 10) * one + 8) * a,
        (3 * (a + 2) * t - 2 * (a + 3)) * t,
        -(3 * (a + 2) * back - 2 * (a + 3)) * back,
        -((3 * far - 10) * far + 8) * a,
    )
    return weights, slopes


def _taps(x, size, mode, padding, align):
    """The taps along an axis for coordinates from -1 to 1: (place, weight, its slope) of each."""
    factor = (size - 1) / 2 if align else size / 2
    at = (x + 1) * factor if align else (x + 1) * factor - 0.5
    fold = padding if padding == "zeros" else (padding, align)
    if mode != "bicubic" and padding != "zeros":
        folded = _folded(at, size, padding, align)
        at, factor = at * folded[0] + folded[1], folded[0] * factor
    if mode == "nearest":
        places, weights, slopes = [np.rint(at)], [1.0], [0.0]
    else:
        low = np.floor(at)
        t = at - low
        if mode == "bilinear":
            places, weights, slopes = [low, low + 1], [1 - t, t], [-1.0, 1.0]
        else:
            places = [_inside(low + i, size, fold) for i in range(-1, 3)]
            weights, slopes = _cubic_weights(t)
    found = []
    for place, weight, slope in zip(places, weights, slopes, strict=True):
        inside = (place >= 0) & (place <= size - 1)
        found.append((_whole(place, size), inside, weight, slope * factor))
    return found


def _corners(grid, size, mode, padding, align):
    """For each product of taps: where it stands, whether inside, its weights and their slopes."""
    axes = [_taps(grid[..., len(size) - 1 - axis], n, mode, padding, align)
            for axis, n in enumerate(size)]  # fmt: skip
    for taps in itertools.product(*axes):
        place, inside = taps[0][0], taps[0][1]
        for n, (next_place, next_inside, _, _) in zip(size[1:], taps[1:], strict=True):
            place, inside = place * n + next_place, inside & next_inside
        yield place, inside, [tap[2] for tap in taps], [tap[3] for tap in taps]


def _product(factors):
    found = factors[0]
    for factor in factors[1:]:
        found = found * factor
    return found


def _seen(input, place, inside):
    """The channels at a place: zeros outside."""
    return np.where(np.expand_dims(inside, -1), _rows(input, place), 0)


def _sampled(input, grid, mode, padding, align):
    found = 0
    for place, inside, weights, _ in _corners(grid, input.shape[2:], mode, padding, align):
        weight = np.expand_dims(_product(weights) + np.zeros_like(grid[..., 0]), -1)
        found = found + _seen(input, place, inside) * weight
    return np.ascontiguousarray(np.moveaxis(found, -1, 1)).astype(input.dtype)


def _sampled_rule(g, input, grid, mode, padding, align):
    size, last = input.shape[2:], input.ndim - 1
    g = np.transpose(g, (0, *range(2, last + 1), 1))
    to_input, slopes_of = 0, [0] * len(size)
    for place, inside, weights, slopes in _corners(grid, size, mode, padding, align):
        shown = np.where(inside, _product(weights), 0)
        to_input = to_input + _to_rows(g * np.expand_dims(shown, -1), place, size)
        if mode != "nearest":
            value = np.add.reduce(g * _seen(input, place, inside), axis=-1)
            for axis, slope in enumerate(slopes):
                rest = [w for other, w in enumerate(weights) if other != axis]
                slopes_of[axis] = slopes_of[axis] + value * _product([slope, *rest])
    if mode == "nearest":
        return to_input, np.zeros_like(grid)
    return to_input, np.stack(slopes_of[::-1], axis=-1)


def _check_kinds(dims: int) -> Any:
    def check(input: Any, grid: Any) -> None:
        if input.dtype.kind not in "fV":
            kind = from_numpy_dtype(input.dtype).legacy
            kernel = f"grid_sampler_{dims}d_cpu" + ("_kernel_impl" if dims == 2 else "")
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind}'")
        if input.dtype != grid.dtype:
            raise RuntimeError(f"expected scalar type {legacy(input)} but found {legacy(grid)}")

    return check


def _sampler(dims: int) -> Any:
    @op(name=f"grid_sampler_{dims}d", node=f"GridSampler{dims}DBackward0", check=_check_kinds(dims))
    @kernel
    def sample(input, grid, /, mode, padding, align):
        """The image at the places: f[n, c, *size], f[n, *out, dims] -> f[n, c, *out]."""
        return _sampled(input, grid, mode, padding, align)

    return sample.vjp(_sampled_rule)


_SAMPLERS = {dims: _sampler(dims) for dims in (2, 3)}


def grid_sampler(input: Any, grid: Any, interpolation_mode: int, padding_mode: int,
                 align_corners: bool) -> Tensor:  # fmt: skip
    """`grid_sample` with numbers for its modes: 0, 1, 2."""
    shape, places = tuple(input.shape), tuple(grid.shape)
    if shape[0] != places[0]:
        fail(RuntimeError, "grid_sampler(): expected grid and input to have same batch size, but "
                           f"got input with sizes {list(shape)} and grid with sizes "
                           f"{list(places)}")  # fmt: skip
    if places[-1] != len(shape) - 2:
        fail(RuntimeError, f"grid_sampler(): expected grid to have size {len(shape) - 2} in last "
                           f"dimension, but got grid with sizes {list(places)}")  # fmt: skip
    for axis, n in enumerate(shape[2:], 2):
        if not n:
            fail(RuntimeError, "grid_sampler(): expected input to have non-empty spatial "
                               f"dimensions, but input has sizes {list(shape)} with dimension "
                               f"{axis} being empty")  # fmt: skip
    if len(shape) not in (4, 5) or len(places) != len(shape):
        fail(RuntimeError, f"grid_sampler(): expected {len(shape) if len(shape) == 5 else 4}D "
                           "input and grid with same number of dimensions, but got input with "
                           f"sizes {list(shape)} and grid with sizes {list(places)}")  # fmt: skip
    if len(shape) == 5 and interpolation_mode == 2:
        fail(RuntimeError, "grid_sampler(): bicubic interpolation only supports 4D input")
    return _SAMPLERS[len(shape) - 2](  # type: ignore[no-any-return]
        input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], bool(align_corners)
    )


def grid_sampler_2d(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int,
                    align_corners: bool) -> Tensor:  # fmt: skip
    """`grid_sampler` of images: f[n, c, h, w], f[n, *, *, 2] -> f[n, c, *, *]."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int,
                    align_corners: bool) -> Tensor:  # fmt: skip
    """`grid_sampler` of volumes: f[n, c, d, h, w], f[n, *, *, *, 3] -> f[n, c, *, *, *]."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def _aligned(align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
            stacklevel=3,
        )
    return bool(align_corners)


def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Tensor:  # fmt: skip
    """The image at the places of a grid: f[n, c, h, w], f[n, *, *, 2] -> f[n, c, *, *]; or a volume.

    grid: (x, y) or (x, y, z) of each sample, from -1 to 1 across the image
    mode: bilinear, nearest or bicubic; padding_mode: what is outside: zeros, border, reflection
    align_corners: -1 and 1 are the middles of the corner elements, not their edges
    """
    if mode not in _MODES:
        raise ValueError("nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' "
                         f"or 'bicubic', but got: '{mode}'")  # fmt: skip
    if padding_mode not in _PADDINGS:
        raise ValueError("nn.functional.grid_sample(): expected padding_mode to be 'zeros', "
                         f"'border', or 'reflection', but got: '{padding_mode}'")  # fmt: skip
    return grid_sampler(input, grid, _MODES.index(mode), _PADDINGS.index(padding_mode),
                        _aligned(align_corners))  # fmt: skip


# The places of an affine map


@op(name="affine_grid_generator")
@kernel
def _affine_grid(theta, points, /):
    """The points mapped by each matrix: f[n, d, d + 1], f[*out, d + 1] -> f[n, *out, d]."""
    flat = points.reshape(-1, points.shape[-1])
    found = np.matmul(flat, np.swapaxes(theta, 1, 2))
    return found.reshape(theta.shape[0], *points.shape[:-1], theta.shape[1])


def _affine_rule(g, points, theta_shape):
    flat = np.reshape(points, (-1, points.shape[-1]))
    g = np.reshape(g, (theta_shape[0], flat.shape[0], theta_shape[1]))
    return np.matmul(np.swapaxes(g, 1, 2), flat)


_affine_grid.vjp(theta=_affine_rule)


def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Tensor:
    """The places that an affine map gives for each pixel of an image of a size, for `grid_sample`:
    f[n, 2, 3] -> f[n, h, w, 2], or f[n, 3, 4] -> f[n, d, h, w, 3]."""
    shape = tuple(size)[2:]
    if theta.shape[0] != size[0]:
        rows = len(shape) + 1
        fail(RuntimeError, "Expected size for first two dimensions of batch2 tensor to be: "
                           f"[{size[0]}, {rows}] but got: [{theta.shape[0]}, {rows}].")  # fmt: skip
    axes = []
    for n in reversed(shape):
        along = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        axes.append(along if align_corners else along * (n - 1) / n)
    points = np.meshgrid(*axes[::-1], indexing="ij")[::-1]
    table = np.stack([*points, np.ones(shape)], axis=-1).astype(theta._array.dtype)
    return _affine_grid(theta, wrap(table))  # type: ignore[no-any-return]


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Tensor:
    """The places that an affine map gives for each pixel of an image of a size, for `grid_sample`.

    theta: f[n, 2, 3] with size (n, c, h, w), or f[n, 3, 4] with (n, c, d, h, w)
    align_corners: -1 and 1 are the middles of the corner pixels, not their edges
    """
    align = _aligned(align_corners)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError("affine_grid only supports 4D and 5D sizes, for 2D and 3D affine "
                                  f"transforms, respectively. Got size {size}.")  # fmt: skip
    dims = len(size) - 2
    if theta.dim() != 3 or theta.shape[-2:] != (dims, dims + 1):
        raise ValueError(f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x"
                         f"{dims + 1} for size {size}. Got {theta.shape}.")  # fmt: skip
    if align and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
            stacklevel=2,
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    return affine_grid_generator(theta, size, align)


# Pixels and channels


def _own(x: Any, parts: int) -> Any:
    """In memory of its own: where there is one part, nothing was moved."""
    return np.array(x) if parts == 1 else x


@op(name="pixel_shuffle", linear=True)
def _pixel_shuffle(input, /, factor):
    """Channels to pixels: f[..., c · r², h, w] -> f[..., c, h · r, w · r], r being the factor."""
    *lead, c, h, w = input.shape
    parts = input.reshape(*lead, c // factor**2, factor, factor, h, w)
    n = len(lead)
    turned = np.transpose(parts, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return _own(turned.reshape(*lead, c // factor**2, h * factor, w * factor), factor)


@op(name="pixel_unshuffle", linear=True)
def _pixel_unshuffle(input, /, factor):
    """Pixels to channels: f[..., c, h · r, w · r] -> f[..., c · r², h, w], r being the factor."""
    *lead, c, h, w = input.shape
    parts = input.reshape(*lead, c, h // factor, factor, w // factor, factor)
    n = len(lead)
    turned = np.transpose(parts, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    return _own(turned.reshape(*lead, c * factor**2, h // factor, w // factor), factor)


_pixel_shuffle.vjp(input=lambda g, factor: _pixel_unshuffle(g, factor))
_pixel_unshuffle.vjp(input=lambda g, factor: _pixel_shuffle(g, factor))


def _check_pixels(name: str, input: Any, word: str, factor: int) -> None:
    if input.ndim < 3:
        fail(RuntimeError, f"{name} expects input to have at least 3 dimensions, but got input "
                           f"with {input.ndim} dimension(s)")  # fmt: skip
    if factor <= 0:
        fail(RuntimeError, f"{name} expects a positive {word}, but got {factor}")


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels to pixels: f[..., c · r², h, w] -> f[..., c, h · r, w · r]."""
    _check_pixels("pixel_shuffle", input, "upscale_factor", upscale_factor)
    square = upscale_factor**2
    if input.shape[-3] % square:
        fail(RuntimeError, "pixel_shuffle expects its input's 'channel' dimension to be divisible "
                           f"by the square of upscale_factor, but input.size(-3)={input.shape[-3]} "
                           f"is not divisible by {square}")  # fmt: skip
    return _pixel_shuffle(input, upscale_factor)  # type: ignore[no-any-return]


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels to channels: f[..., c, h · r, w · r] -> f[..., c · r², h, w]."""
    _check_pixels("pixel_unshuffle", input, "downscale_factor", downscale_factor)
    for axis, word in ((-2, "height"), (-1, "width")):
        if input.shape[axis] % downscale_factor:
            fail(RuntimeError, f"pixel_unshuffle expects {word} to be divisible by "
                               f"downscale_factor, but input.size({axis})={input.shape[axis]} is "
                               f"not divisible by {downscale_factor}")  # fmt: skip
    return _pixel_unshuffle(input, downscale_factor)  # type: ignore[no-any-return]


@op(name="channel_shuffle", linear=True)
def _channel_shuffle(input, /, groups):
    """The channels, dealt out: the first of each group, then the second of each: f[n, c, ...]."""
    n, c, *size = input.shape
    parts = input.reshape(n, groups, c // groups, *size)
    return _own(np.swapaxes(parts, 1, 2).reshape(input.shape), min(groups, c // groups))


_channel_shuffle.vjp(
    input=lambda g, groups: _channel_shuffle(g, g.shape[1] // groups) if g.shape[1] else g
)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels (dimension 1), dealt out: the first of each group, then the second of each."""
    shape = tuple(input.shape)
    if len(shape) < 3:
        fail(RuntimeError, "channel_shuffle expects input with > 2 dims, but got input with sizes "
                           f"{list(shape)}")  # fmt: skip
    if groups <= 0:
        fail(RuntimeError, "Number of groups to divide channels in must be positive. Value of "
                           f"groups:{groups}")  # fmt: skip
    if shape[1] % groups:
        fail(RuntimeError, "Number of channels must be divisible by groups. Got "
                           f"{shape[1]} channels and {groups} groups.")  # fmt: skip
    return _channel_shuffle(input, groups)  # type: ignore[no-any-return]


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """`channel_shuffle` under PyTorch's inner name."""
    return channel_shuffle(input, groups)
