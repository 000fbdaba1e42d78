"""Pooling of all kinds: values against loops, where gradients go, special values, the way back."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.nn import functional as F
from ops.helpers import check_gradients

rng = np.random.default_rng(3)
MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
UNPOOL = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}
SIZES = {1: (2, 3, 9), 2: (2, 3, 8, 7), 3: (1, 2, 6, 5, 7)}


def normal(*shape):
    return rng.standard_normal(shape)


def places(size, kernel, stride, padding, dilation, ceil):
    """For each position of a window along an axis, the places that it sees."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (math.ceil if ceil else math.floor)(room / stride) + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1
    return [[stride * i - padding + dilation * k for k in range(kernel)] for i in range(count)]


def windows(x, dims, *options):
    """(position, [(element, flat index)]) for each window of the last dimensions."""
    size = x.shape[-dims:]
    axes = [places(n, *options) for n in size]
    for at in itertools.product(*(range(len(a)) for a in axes)):
        seen = [
            p
            for p in itertools.product(*(a[i] for a, i in zip(axes, at, strict=True)))
            if all(0 <= q < n for q, n in zip(p, size, strict=True))
        ]
        yield at, seen


OPTIONS = [(2, 2, 0, 1, False), (3, 2, 1, 1, False), (3, 2, 1, 2, True), (2, 3, 1, 1, True),
           (3, 1, 0, 1, False), (1, 2, 0, 1, False)]  # fmt: skip


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_max_pool(dims, options):
    x = np.rint(2 * normal(*SIZES[dims]))  # with many ties
    found, indices = MAX[dims](torch.tensor(x), *options, return_indices=True)
    size = x.shape[-dims:]
    leaf = torch.tensor(x, requires_grad=True)
    out = MAX[dims](leaf, *options)
    weights = normal(*out.shape)
    (out * torch.tensor(weights)).sum().backward()
    grads = np.zeros_like(x)
    for at, seen in windows(x, dims, *options):
        values = np.stack([x[(..., *p)] for p in seen], -1)
        np.testing.assert_array_equal(found.numpy()[(..., *at)], values.max(-1))
        flat = np.array([np.ravel_multi_index(p, size) for p in seen])
        first = flat[values.argmax(-1)]
        np.testing.assert_array_equal(indices.numpy()[(..., *at)], first)
        plane = grads.reshape(*x.shape[:-dims], -1)
        np.put_along_axis(
            plane, first[..., None],
            np.take_along_axis(plane, first[..., None], -1) + weights[(..., *at)][..., None], -1,
        )  # fmt: skip
    np.testing.assert_array_equal(out.detach().numpy(), found.numpy())
    np.testing.assert_allclose(leaf.grad.numpy(), grads, atol=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_derivatives_of_max_pool(dims):
    x = rng.permutation(math.prod(SIZES[dims])).reshape(SIZES[dims]) / 7.0  # no ties
    for options in OPTIONS[:4]:
        check_gradients(lambda t, o=options: MAX[dims](t, *o), x)
    check_gradients(lambda t: MAX[dims](t * t, 3, 2, 1, return_indices=True)[0], x)


def test_special_values_of_max_pool():
    nan, inf = math.nan, math.inf
    x = torch.tensor([[[1.0, nan, 3.0, nan], [-inf, -inf, inf, 2.0]]], requires_grad=True)
    found, indices = F.max_pool1d(x, 2, return_indices=True)
    np.testing.assert_array_equal(found.detach().numpy(), [[[nan, nan], [-inf, inf]]])
    assert indices.tolist() == [[[1, 3], [0, 2]]]
    found.sum().backward()
    assert x.grad.tolist() == [[[0, 1, 0, 1], [1, 0, 1, 0]]]
    low = torch.full((1, 1, 3), -inf, requires_grad=True)  # nothing is larger than the padding
    F.max_pool1d(low, 3, 1, 1).sum().backward()
    assert low.grad.tolist() == [[[2, 1, 0]]]
    large = torch.tensor([[[5, -7, -128]]], dtype=torch.int8)
    assert F.max_pool2d(large[None], (1, 2), 1).tolist() == [[[[5, -7]]]]


def test_gradients_that_are_not_finite_stay_where_they_belong():
    x = torch.tensor([[[1.0, 2.0, 4.0, 3.0]]], requires_grad=True)
    F.max_pool1d(x, 2).backward(torch.tensor([[[math.inf, math.nan]]]))
    np.testing.assert_array_equal(x.grad.numpy(), [[[0, math.inf, math.nan, 0]]])


def test_many_elements_in_a_window():
    x = normal(2, 3, 40, 30)
    leaf = torch.tensor(x, requires_grad=True)
    F.max_pool2d(leaf, (40, 30)).sum().backward()
    wanted = x == x.max((2, 3), keepdims=True)
    np.testing.assert_array_equal(leaf.grad.numpy(), wanted)


def test_a_pooled_tensor_can_be_written_to():
    x = torch.tensor(normal(1, 2, 4, 4), requires_grad=True)
    F.max_pool2d(x, 2).relu_().sum().backward()
    y = F.max_pool2d(x.detach(), 1)
    y.zero_()
    assert x.any()


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("options", [(2, 2, 0, False), (3, 2, 1, False), (3, 2, 1, True),
                                     (2, 1, 0, False), (2, 3, 1, True)], ids=str)  # fmt: skip
@pytest.mark.parametrize("include", [True, False])
def test_avg_pool(dims, options, include):
    x = normal(*SIZES[dims])
    kernel, stride, padding, ceil = options
    found = AVG[dims](torch.tensor(x), *options, include).numpy()
    size = x.shape[-dims:]
    for at, seen in windows(x, dims, kernel, stride, padding, 1, ceil):
        total = sum(x[(..., *p)] for p in seen)
        count = len(seen)
        if include:  # padding counts, what is beyond it does not
            count = math.prod(
                min(stride * a - padding + kernel, n + padding) - (stride * a - padding)
                for a, n in zip(at, size, strict=True)
            )
        np.testing.assert_allclose(found[(..., *at)], total / count)
    check_gradients(lambda t: AVG[dims](t, *options, include), x)


def test_divisors_and_integers():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert F.avg_pool2d(x, 2, divisor_override=2).tolist() == [[[[5, 9], [21, 25]]]]
    whole = torch.tensor([[[-3, -4, 3, 4]]])
    assert F.avg_pool1d(whole, 2).tolist() == [[[-3, 3]]]  # towards zero
    out = torch.empty(0)
    assert F.avg_pool2d(x, 4, out=out) is out and out.tolist() == [[[[7.5]]]]


# Windows that are not all alike


@pytest.mark.parametrize(("size", "count"), [((7, 5), (3, 2)), ((4, 6), (2, 3)), ((3, 4), (5, 4)),
                                             ((5, 5), (1, 1)), ((6, 4), (6, 4))])  # fmt: skip
def test_adaptive_pooling(size, count):
    x = np.rint(2 * normal(2, 3, *size))
    mean = F.adaptive_avg_pool2d(torch.tensor(x), count).numpy()
    best, indices = F.adaptive_max_pool2d(torch.tensor(x), count, return_indices=True)
    for i, j in itertools.product(*map(range, count)):
        rows = slice(i * size[0] // count[0], -(-(i + 1) * size[0] // count[0]))
        columns = slice(j * size[1] // count[1], -(-(j + 1) * size[1] // count[1]))
        seen = x[..., rows, columns]
        np.testing.assert_allclose(mean[..., i, j], seen.mean((2, 3)), atol=1e-12)
        np.testing.assert_array_equal(best.numpy()[..., i, j], seen.max((2, 3)))
        flat = np.ravel_multi_index(np.ix_(range(size[0])[rows], range(size[1])[columns]), size)
        first = flat.reshape(-1)[seen.reshape(2, 3, -1).argmax(-1)]
        np.testing.assert_array_equal(indices.numpy()[..., i, j], first)
    distinct = rng.permutation(x.size).reshape(x.shape) / 5.0
    check_gradients(lambda t: F.adaptive_avg_pool2d(t, count), distinct)
    check_gradients(lambda t: F.adaptive_max_pool2d(t, count), distinct)


def test_adaptive_pooling_in_other_dimensions():
    x = torch.tensor(normal(2, 3, 6))
    np.testing.assert_allclose(F.adaptive_avg_pool1d(x, 3).numpy(), F.avg_pool1d(x, 2).numpy())
    np.testing.assert_array_equal(F.adaptive_max_pool1d(x, 2).numpy(), F.max_pool1d(x, 3).numpy())
    volume = torch.tensor(normal(2, 4, 6, 2))
    wanted = F.avg_pool3d(volume, (2, 3, 1)).numpy()
    np.testing.assert_allclose(F.adaptive_avg_pool3d(volume, (2, 2, None)).numpy(), wanted)
    wanted = F.max_pool3d(volume, (2, 3, 2)).numpy()
    np.testing.assert_array_equal(F.adaptive_max_pool3d(volume, (2, 2, 1)).numpy(), wanted)


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_max_pool(dims):
    x = rng.permutation(2 * 3 * 7**dims).reshape(2, 3, *(7,) * dims) / 3.0
    pool = F.fractional_max_pool2d if dims == 2 else F.fractional_max_pool3d
    samples = torch.tensor(rng.random((2, 3, dims)))
    found, indices = pool(torch.tensor(x), 2, 4, return_indices=True, _random_samples=samples)
    np.testing.assert_array_equal(
        found.numpy().ravel(),
        np.take_along_axis(x.reshape(2, 3, -1), indices.numpy().reshape(2, 3, -1), -1).ravel(),
    )
    last = np.stack(np.unravel_index(indices.numpy()[(..., *(-1,) * dims)], (7,) * dims))
    assert (last >= 5).all()  # the last windows reach the end
    check_gradients(lambda t: pool(t, 2, 4, _random_samples=samples), x)
    torch.manual_seed(3)
    first = pool(torch.tensor(x), 2, output_ratio=(0.6,) * dims)
    torch.manual_seed(3)
    assert first.shape[2:] == (4,) * dims
    assert (pool(torch.tensor(x), 2, 4) == first).all()


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unpooling(dims):
    x = rng.permutation(math.prod(SIZES[dims])).reshape(SIZES[dims]) + 1.0
    pooled, indices = MAX[dims](torch.tensor(x), 2, return_indices=True)
    back = UNPOOL[dims](pooled, indices, 2, output_size=x.shape).numpy()
    kept = back != 0
    assert kept.sum() == pooled.numel()
    np.testing.assert_array_equal(back[kept], x[kept])
    check_gradients(lambda t: UNPOOL[dims](t, indices, 2, output_size=x.shape), pooled.numpy())


def test_norm_pooling():
    x = np.abs(normal(2, 3, 6, 4))
    found = F.lp_pool2d(torch.tensor(x), 3, 2).numpy()
    wanted = (x**3).reshape(2, 3, 3, 2, 2, 2).sum((3, 5)) ** (1 / 3)
    np.testing.assert_allclose(found, wanted)
    largest = F.lp_pool2d(torch.tensor(-x), math.inf, 2).numpy()
    np.testing.assert_array_equal(largest, F.max_pool2d(torch.tensor(x), 2).numpy())
