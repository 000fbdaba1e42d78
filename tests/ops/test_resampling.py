"""Interpolation, sampling at given places, pixels and channels."""

from __future__ import annotations

import math

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.nn import functional as F
from leafgrad.ops.resampling import Taps
from ops.helpers import check_gradients

rng = np.random.default_rng(4)


def normal(*shape):
    return rng.standard_normal(shape)


# Interpolation

MODES = [(1, "nearest"), (1, "nearest-exact"), (1, "linear"), (2, "nearest"), (2, "bilinear"),
         (2, "bicubic"), (2, "area"), (3, "trilinear"), (3, "nearest"), (1, "area")]  # fmt: skip
SHAPES = {1: (2, 2, 5), 2: (2, 2, 5, 4), 3: (1, 2, 3, 4, 3)}


@pytest.mark.parametrize(("dims", "mode"), MODES)
@pytest.mark.parametrize("factor", [0.6, 1.0, 2.0, 2.7])
def test_constants_stay_and_gradients_are_right(dims, mode, factor):
    shape = SHAPES[dims]
    found = F.interpolate(torch.full(shape, 1.5), scale_factor=factor, mode=mode)
    assert found.shape[2:] == tuple(int(n * factor) for n in shape[2:])
    np.testing.assert_allclose(found.numpy(), 1.5, rtol=1e-6)
    check_gradients(lambda t: F.interpolate(t, scale_factor=factor, mode=mode), normal(*shape))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(3, 2), (8, 9), (1, 5)])
def test_smooth(mode, size):
    x = normal(2, 1, 7, 5)
    options = {"size": size, "mode": mode, "antialias": True}
    constant = F.interpolate(torch.ones(1, 1, 7, 5), **options).numpy()
    np.testing.assert_allclose(constant, 1, rtol=1e-6)
    check_gradients(lambda t: F.interpolate(t, **options), x)


def test_linear_is_numpys():
    x = normal(6)
    found = F.interpolate(torch.tensor(x)[None, None], 17, mode="linear", align_corners=True)
    np.testing.assert_allclose(found[0, 0].numpy(), np.interp(np.linspace(0, 5, 17), range(6), x))
    found = F.interpolate(torch.tensor(x)[None, None], 9, mode="linear")
    places = (np.arange(9) + 0.5) * 6 / 9 - 0.5
    np.testing.assert_allclose(found[0, 0].numpy(), np.interp(places, range(6), x))


def test_cubic_goes_through_the_elements():
    x = normal(1, 1, 5, 4)
    found = F.interpolate(torch.tensor(x), (9, 7), mode="bicubic", align_corners=True).numpy()
    np.testing.assert_allclose(found[..., ::2, ::2], x, atol=1e-12)


def test_nearest():
    x = torch.arange(5)[None, None].float()
    assert F.interpolate(x, 8).tolist() == [[[0, 0, 1, 1, 2, 3, 3, 4]]]
    assert F.interpolate(x, 8, mode="nearest-exact").tolist() == [[[0, 0, 1, 2, 2, 3, 4, 4]]]
    assert F.interpolate(x.to(torch.uint8), 10).dtype is torch.uint8


def test_bytes_are_rounded():
    x = torch.tensor([[[[0, 255], [10, 20]]]], dtype=torch.uint8)
    found = F.interpolate(x, (2, 3), mode="bilinear", align_corners=True)
    assert found.tolist() == [[[[0, 128, 255], [10, 15, 20]]]]


@pytest.mark.parametrize("count", [3, 40])
def test_taps_and_their_transpose(count):
    places, weights = rng.integers(0, 50, (count, 3)), normal(count, 3)
    taps = Taps(places, weights, 50)
    x, y = normal(2, 50, 4), normal(2, count, 4)
    there, back = taps.along(x, -2), taps.transposed.along(y, -2)
    np.testing.assert_allclose((there * y).sum(), (back * x).sum())
    np.testing.assert_allclose(there, np.einsum("oi,bik->bok", taps.matrix, x))


# Samples at places

WHERE = [(mode, padding, align) for mode in ("bilinear", "nearest", "bicubic")
         for padding in ("zeros", "border", "reflection") for align in (True, False)]  # fmt: skip


def mirrored(p, low, high):
    """A place folded back until it lies between two edges."""
    while not low <= p <= high:
        p = 2 * low - p if p < low else 2 * high - p
    return p


def sampled(image, x, y, mode, padding, align):
    """One sample of an image f[h, w]."""
    found = []
    for at, n in ((x, image.shape[1]), (y, image.shape[0])):
        p = (at + 1) / 2 * (n - 1) if align else ((at + 1) * n - 1) / 2

        def fold(q, n=n):
            if padding == "zeros":
                return q
            if padding == "reflection":
                q = mirrored(q, *((0, n - 1) if align else (-0.5, n - 0.5)))
            return min(max(q, 0), n - 1)

        if mode == "nearest":
            found.append([(round(fold(p)), 1.0)])
        elif mode == "bilinear":
            p = fold(p)
            low = math.floor(p)
            found.append([(low, 1 - p + low), (low + 1, p - low)])
        else:
            low = math.floor(p)
            taps = []
            for i in range(-1, 3):
                d = abs(p - low - i)
                a = -0.75
                weight = ((a + 2) * d - (a + 3)) * d * d + 1 if d <= 1 else (
                    ((d - 5) * d + 8) * d - 4) * a  # fmt: skip
                taps.append((round(fold(low + i)), weight))
            found.append(taps)
    h, w = image.shape
    return sum(
        image[j, i] * u * v for i, u in found[0] for j, v in found[1] if 0 <= i < w and 0 <= j < h
    )


@pytest.mark.parametrize(("mode", "padding", "align"), WHERE)
def test_grid_sample(mode, padding, align):
    image, grid = normal(2, 3, 5, 4), rng.uniform(-1.6, 1.6, (2, 3, 4, 2))
    options = {"mode": mode, "padding_mode": padding, "align_corners": align}
    found = F.grid_sample(torch.tensor(image), torch.tensor(grid), **options).numpy()
    for n, c, i, j in np.ndindex(*found.shape):
        wanted = sampled(image[n, c], *grid[n, i, j], mode, padding, align)
        assert found[n, c, i, j] == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    check_gradients(lambda a, b: F.grid_sample(a, b, **options), image, grid)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_volumes(mode):
    volume, grid = normal(1, 2, 3, 4, 5), rng.uniform(-1.3, 1.3, (1, 2, 2, 3, 3))
    options = {"mode": mode, "padding_mode": "reflection", "align_corners": False}
    check_gradients(lambda a, b: F.grid_sample(a, b, **options), volume, grid)
    identity = F.affine_grid(torch.eye(3, 4).double()[None], volume.shape, align_corners=False)
    same = F.grid_sample(torch.tensor(volume), identity, mode=mode, align_corners=False)
    np.testing.assert_allclose(same.numpy(), volume, atol=1e-12)


def test_what_is_outside_does_not_count():
    image = torch.full((1, 1, 3, 3), math.nan)
    image[..., 1, 1] = 2.0
    grid = torch.tensor([[[[0.0, 0.0], [5.0, 5.0]]]])
    found = F.grid_sample(image, grid, mode="nearest", align_corners=True)
    assert found.tolist() == [[[[2, 0]]]]


@pytest.mark.parametrize("align", [True, False])
def test_affine_grid(align):
    theta = normal(2, 2, 3)
    found = F.affine_grid(torch.tensor(theta), (2, 1, 3, 4), align_corners=align).numpy()
    ends = [1, 1] if align else [3 / 4, 2 / 3]
    for i, j in np.ndindex(3, 4):
        x, y = -ends[0] + 2 * ends[0] * j / 3, -ends[1] + 2 * ends[1] * i / 2
        np.testing.assert_allclose(found[:, i, j], theta @ [x, y, 1])
    check_gradients(lambda t: F.affine_grid(t, (2, 1, 3, 4), align_corners=align), theta)


# Pixels and channels


def test_pixels_and_channels():
    x = normal(2, 12, 3, 2)
    large = F.pixel_shuffle(torch.tensor(x), 2)
    assert large.shape == (2, 3, 6, 4)
    np.testing.assert_array_equal(large.numpy()[:, 1, 1::2, ::2], x[:, 6])
    np.testing.assert_array_equal(F.pixel_unshuffle(large, 2).numpy(), x)
    dealt = F.channel_shuffle(torch.tensor(x), 3)
    np.testing.assert_array_equal(dealt.numpy()[:, :3], x[:, [0, 4, 8]])
    np.testing.assert_array_equal(F.channel_shuffle(dealt, 4).numpy(), x)
    for f in (lambda t: F.pixel_shuffle(t, 2), lambda t: F.channel_shuffle(t, 3)):
        check_gradients(f, x)
    check_gradients(lambda t: F.pixel_unshuffle(t, 2), normal(2, 4, 6))
    leaf = torch.tensor(x)
    for same in (F.pixel_shuffle(leaf, 1), F.pixel_unshuffle(leaf, 1), F.channel_shuffle(leaf, 1)):
        assert not np.shares_memory(same.numpy(), leaf.numpy())
