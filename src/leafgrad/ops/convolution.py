"""Convolutions and their transposes, over one, two or three dimensions; `unfold` and `fold`.

A convolution is a matrix product: the weights with the columns of the input, each column what one
position of the kernel sees. Three operators are closed under differentiation, as each is linear in
both operands and its derivatives are the other two: the convolution, its transpose (the gradient
of the input) and the gradient of the weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor
from .activations import floating, kernel, total
from .layers import constant_pad_nd
from .products import c_name, legacy

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "convolution",
]  # fmt: skip

Sizes = tuple[int, ...]

# Columns are made for so many elements at a time: larger batches are done in parts.
_ROOM = 1 << 22


# Windows: what a kernel sees at each of its positions


def windows(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, count: Sizes) -> Any:
    """What each element of a kernel sees, without a copy: f[n, c, *size] -> f[c, *kernel, n,
    *count], `count` positions along each axis."""
    shape = (x.shape[1], *kernel, x.shape[0], *count)
    channel, batch, *steps = x.strides[1], x.strides[0], *x.strides[2:]
    along = [s * d for s, d in zip(steps, dilation, strict=True)]
    across = [s * d for s, d in zip(steps, stride, strict=True)]
    return np.lib.stride_tricks.as_strided(x, shape, (channel, *along, batch, *across))


def columns(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, count: Sizes) -> Any:
    """The windows as columns of a matrix: f[n, c, *size] -> f[c * kernel, n * count]."""
    seen = windows(x, kernel, stride, dilation, count)
    return seen.reshape(x.shape[1] * math.prod(kernel), x.shape[0] * math.prod(count))


def padded(x: Any, padding: Sizes, value: Any = 0) -> Any:
    """`value` around an array: f[n, c, *size] -> f[n, c, *(size + 2 * padding)]."""
    if not any(padding):
        return x
    shape = [s + 2 * p for s, p in zip(x.shape[2:], padding, strict=True)]
    made = np.full_like(x, value, shape=(*x.shape[:2], *shape))
    made[_inner(x.shape[2:], padding)] = x
    return made


def _inner(size: Sequence[int], padding: Sizes) -> tuple[Any, ...]:
    """Where the unpadded part lies."""
    return (..., *(slice(p, p + s) for s, p in zip(size, padding, strict=True)))


def positions(kernel: Sizes, dilation: Sizes) -> Iterator[Sizes]:
    """Where the elements of a kernel lie, in row-major order."""
    return itertools.product(*(range(0, k * d, d) for k, d in zip(kernel, dilation, strict=True)))


def folded(cols: Any, stride: Sizes, dilation: Sizes, size: Sizes) -> Any:
    """The sums of the windows where they overlap: f[c, *kernel, n, *count] -> f[n, c, *size]."""
    dims = len(size)
    kernel, batch, count = cols.shape[1 : dims + 1], cols.shape[dims + 1], cols.shape[dims + 2 :]
    made = np.zeros_like(cols, shape=(batch, cols.shape[0], *size))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if all(s >= span for s, span in zip(stride, spans, strict=True)):  # they do not overlap
        windows(made, kernel, stride, dilation, count)[...] = cols
        return made
    target = np.swapaxes(made, 0, 1)
    parts = cols.reshape(cols.shape[0], math.prod(kernel), *cols.shape[dims + 1 :])
    for number, place in enumerate(positions(kernel, dilation)):
        seen = [slice(p, p + s * n, s) for p, s, n in zip(place, stride, count, strict=True)]
        target[(..., *seen)] += parts[:, number]
    return made


def _batches(batch: int, each: int) -> Iterator[slice]:
    """Parts of a batch whose columns, `each` elements an example, find room."""
    step = max(1, _ROOM // max(each, 1))
    return (slice(i, min(i + step, batch)) for i in range(0, batch, step))


# The three operators. `size` is that of the result, without batch and channels.


def _by_group(weight: Any, groups: int) -> Any:
    """The weights as a matrix for each group: f[o, c / groups, *kernel] -> f[groups, o / groups,
    c * kernel / groups]."""
    out = weight.shape[0]
    return weight.reshape(groups, out // groups, math.prod(weight.shape[1:]))


def _with_bias(found: Any, bias: Any, made: Any) -> None:
    """Write f[c, n, ...] into f[n, c, ...], plus a bias by channel."""
    found = np.swapaxes(found, 0, 1)
    if bias is None:
        made[...] = found
    else:
        np.add(found, bias.reshape(-1, *(1,) * (found.ndim - 2)), out=made)


@op(name="convolution", node="ConvolutionBackward0")
@kernel
def _convolution(input, weight, bias, /, stride, padding, dilation, groups, size):
    """The kernel's products with what it sees at each position:
    f[n, c, *], f[o, c / groups, *kernel], f[o] -> f[n, o, *size]."""
    batch, out, channels, shape = input.shape[0], weight.shape[0], input.shape[1], weight.shape[2:]
    made = np.empty_like(input, shape=(batch, out, *size), order="C")
    rows, count = _by_group(weight, groups), math.prod(size)
    each = channels * math.prod(shape) * count
    x = padded(input, padding)
    for part in _batches(batch, each):
        target = made[part]
        some = target.shape[0]
        cols = columns(x[part], shape, stride, dilation, size)
        found = np.matmul(rows, cols.reshape(groups, rows.shape[2], some * count))
        _with_bias(found.reshape(out, some, *size), bias, target)
    return made


@op(name="convolution", node="ConvolutionBackward0")
@kernel
def _transposed(input, weight, bias, /, stride, padding, dilation, groups, size):
    """The convolution's transpose by its input:
    f[n, o, *], f[o, c / groups, *kernel], f[c] -> f[n, c, *size]."""
    batch, channels = input.shape[0], weight.shape[1] * groups
    shape, count = weight.shape[2:], input.shape[2:]
    whole = tuple(s + 2 * p for s, p in zip(size, padding, strict=True))
    rows = np.swapaxes(_by_group(weight, groups), 1, 2)
    made = np.empty_like(input, shape=(batch, channels, *size), order="C")
    dense = all(s == 1 for s in stride)
    places = math.prod(whole if dense else count)
    for part in _batches(batch, channels * math.prod(shape) * places):
        x = np.swapaxes(input[part], 0, 1)
        some = x.shape[1]
        if dense:  # zeros where no kernel starts: then the sums are of runs in memory
            placed = np.zeros_like(x, shape=(*x.shape[:2], *whole), order="C")
            placed[_inner(count, (0,) * len(count))] = x
            x = placed
        x = x.reshape(groups, rows.shape[2], some * places)
        cols = np.matmul(rows, x)
        if dense:
            found = _shifted_sum(cols.reshape(channels, -1, some * places), shape, dilation, whole)
            found = found.reshape(channels, some, *whole)
        else:
            found = folded(cols.reshape(channels, *shape, some, *count), stride, dilation, whole)
            found = np.swapaxes(found, 0, 1)
        _with_bias(found[_inner(size, padding)], bias, made[part])
    return made


def _shifted_sum(cols: Any, kernel: Sizes, dilation: Sizes, whole: Sizes) -> Any:
    """The sum of f[c, kernel, :], each shifted to its element's place in memory."""
    steps = [math.prod(whole[i + 1 :]) for i in range(len(whole))]
    sums = cols[:, 0]
    for number, place in enumerate(positions(kernel, dilation)):
        if number:
            shift = sum(p * s for p, s in zip(place, steps, strict=True))
            sums[:, shift:] += cols[:, number, : sums.shape[1] - shift]
    return sums


@op(name="convolution_backward", node="ConvolutionBackwardBackward0")
@kernel
def _weight_gradient(grad, input, /, stride, padding, dilation, groups, size):
    """The convolution's transpose by its weights:
    f[n, o, *], f[n, c, *] -> f[o, c / groups, *size]."""
    batch, out, channels, count = *grad.shape[:2], input.shape[1], grad.shape[2:]
    places, wide = math.prod(count), channels // groups * math.prod(size)
    x = padded(input, padding)
    made = np.zeros_like(grad, shape=(groups, out // groups, wide), order="C")
    for part in _batches(batch, groups * wide * places):
        cols = columns(x[part], size, stride, dilation, count)
        some = cols.shape[1] // places if places else 0
        if out // groups <= places:  # small: a product for each example, then their sum
            one = grad[part].reshape(some, groups, out // groups, places)
            two = np.transpose(cols.reshape(groups, wide, some, places), (2, 0, 3, 1))
            made += np.add.reduce(np.matmul(one, two), axis=0)
        else:
            one = np.swapaxes(grad[part], 0, 1).reshape(groups, out // groups, some * places)
            two = cols.reshape(groups, wide, some * places)
            made += np.matmul(one, np.swapaxes(two, 1, 2))
    return made.reshape(out, channels // groups, *size)


def _bias_gradient(g):
    n, c, *size = g.shape
    sums = total(np.reshape(g, (n, c, math.prod(size))), -1)
    return np.add.reduce(sums, axis=(0, 2))


def _transposed_of(g, weight, input_shape, stride, padding, dilation, groups):
    return _transposed(g, weight, None, stride, padding, dilation, groups, input_shape[2:])


def _convolution_of(g, weight, input_shape, stride, padding, dilation, groups):
    return _convolution(g, weight, None, stride, padding, dilation, groups, input_shape[2:])


_convolution.vjp(
    input=_transposed_of,
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: _weight_gradient(
        g, input, stride, padding, dilation, groups, weight_shape[2:]
    ),
    bias=_bias_gradient,
)
_transposed.vjp(
    input=_convolution_of,
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: _weight_gradient(
        input, g, stride, padding, dilation, groups, weight_shape[2:]
    ),
    bias=_bias_gradient,
)
_weight_gradient.vjp(
    grad=lambda g, input, grad_shape, stride, padding, dilation, groups: _convolution_of(
        input, g, grad_shape, stride, padding, dilation, groups
    ),
    input=lambda g, grad, input_shape, stride, padding, dilation, groups: _transposed_of(
        grad, g, input_shape, stride, padding, dilation, groups
    ),
)
