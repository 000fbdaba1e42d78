"""Pooling by windows that are not all alike: adaptive and fractional pooling; and `max_unpool`,
the way back from the places that pooling found; and pooling by a p-norm.

Each axis has a table of the places that each of its windows sees. The pooled axes are the last.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import F32, F64
from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor
from .activations import floating, kernel
from .convolution import Sizes, listed
from .pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    check_dims,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    one_int,
)
from .resampling import averages, resample
from .sampling import rand

__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d"]


# The largest element, by tables


def _sought(x: Any, tables: Sequence[Any]) -> tuple[Any, Any]:
    """The largest element of each window, and its place in the flattened axes: the first such, or
    the last NaN.

    tables: for each axis i[..., windows, places], with or without the leading axes of `x`
    """
    dims = len(tables)
    lead, size = x.shape[: x.ndim - dims], x.shape[x.ndim - dims :]
    places: Any = 0
    for axis, table in enumerate(tables):
        one = [1] * (2 * dims)
        one[axis], one[dims + axis] = table.shape[-2:]
        step = math.prod(size[axis + 1 :])
        places = places + table.reshape(*table.shape[:-2], *one) * step
    count = places.shape[places.ndim - 2 * dims : places.ndim - dims]
    every = math.prod(places.shape[places.ndim - dims :])
    places = np.broadcast_to(places, (*lead, *places.shape[places.ndim - 2 * dims :]))
    places = places.reshape(*lead, math.prod(count) * every)
    flat = x.reshape(*lead, math.prod(size))
    seen = np.take_along_axis(flat, places, -1).reshape(*lead, *count, every)
    best = np.argmax(seen, -1)
    bad = np.isnan(seen)
    if bad.any():
        best = np.where(bad.any(-1), every - 1 - np.argmax(bad[..., ::-1], -1), best)
    at = np.expand_dims(best, -1)
    found = np.take_along_axis(places.reshape(*lead, *count, every), at, -1)[..., 0]
    return np.take_along_axis(seen, at, -1)[..., 0], found


def scattered(x: Any, indices: Any, size: Sizes) -> Any:
    """The sums of elements at their places in planes: f[..., *count], i[..., *count] ->
    f[..., *size]."""
    dims = len(size)
    lead, plane = x.shape[: x.ndim - dims], math.prod(size)
    planes = np.arange(math.prod(lead)).reshape(*lead, *(1,) * dims) * plane
    sums = np.bincount((indices + planes).ravel(), x.ravel(), math.prod(lead) * plane)
    return sums.reshape(*lead, *size).astype(x.dtype)


def _picked(x: Any, places: Any, dims: int) -> Any:
    """The elements at the places of each plane: f[..., *size], i[..., *count] -> f[..., *count]."""
    first = x.ndim - dims
    flat = x.reshape(*x.shape[:first], math.prod(x.shape[first:]))
    at = places.reshape(*x.shape[:first], math.prod(places.shape[first:]))
    return np.take_along_axis(flat, at, -1).reshape(places.shape)


def _adaptive_tables(size: Sizes, count: Sizes) -> list[Any]:
    """Windows that divide each axis, from the rounded down start to the rounded up end."""
    tables = []
    for n, m in zip(size, count, strict=True):
        starts = np.arange(m) * n // max(m, 1)
        ends = -(-(np.arange(m) + 1) * n // max(m, 1))
        longest = int((ends - starts).max()) if m else 1
        # A shorter window sees its last place more than once: that changes no maximum.
        table = np.minimum(starts[:, None] + np.arange(longest), ends[:, None] - 1)
        tables.append(table)
    return tables


def _fractional_tables(size: Sizes, count: Sizes, samples: Any, kernel: Sizes) -> list[Any]:
    """Windows at pseudo-random starts, by the samples of each plane."""
    tables = []
    for axis, (n, m, k) in enumerate(zip(size, count, kernel, strict=True)):
        sample = samples[..., axis, None]
        kind = sample.dtype.type
        starts = np.full_like(sample, n - k, shape=(*sample.shape[:-1], m), dtype=np.int64)
        if m > 1:
            step = kind(n - k) / kind(m - 1)
            along = (np.arange(m - 1).astype(sample.dtype) + sample) * step
            starts[..., :-1] = along.astype(np.int64) - (sample * step).astype(np.int64)
        tables.append(starts[..., None] + np.arange(max(k, 1)))
    return tables


@op(name="max_pool_to_places", node="MaxPoolBackwardBackward0")
@kernel
def _to_places(grad, input, /, find, given, count):
    """Each window's gradient to its largest element."""
    size = input.shape[input.ndim - len(count) :]
    return scattered(grad, _sought(input, find(size, count, *given))[1], size)


@op(name="max_pool_of_places", node="GatherBackward0")
@kernel
def _of_places(values, input, /, find, given, count):
    """The values where `input` is the largest in each window."""
    size = input.shape[input.ndim - len(count) :]
    places = _sought(input, find(size, count, *given))[1]
    return _picked(values, places, len(size))


_to_places.vjp(grad=lambda g, input, find, given, count: _of_places(g, input, find, given, count))
_of_places.vjp(values=lambda g, input, find, given, count: _to_places(g, input, find, given, count))


def _seeking(name: str, node: str) -> Any:
    @op(name=name, node=node, differentiable=(0,), check=floating(name))
    def max_pool(input, /, find, given, count):
        """The largest element of each window, and its place in the flattened pooled axes."""
        size = input.shape[input.ndim - len(count) :]
        return _sought(input, find(size, count, *given))

    return max_pool.vjp(
        input=lambda g, input, find, given, count: _to_places(g, input, find, given, count)
    )


_ADAPTIVE_MAX = {n: _seeking(f"adaptive_max_pool{n}d", f"AdaptiveMaxPool{n}DBackward0")
                 for n in (2, 3)}  # fmt: skip
_FRACTIONAL_MAX = {n: _seeking(f"fractional_max_pool{n}d", f"FractionalMaxPool{n}DBackward0")
                   for n in (2, 3)}  # fmt: skip


# Adaptive pooling


def _output_size(input: Any, output_size: Any, dims: int) -> Sizes:
    """The sizes asked for; None stands for the input's."""
    if isinstance(output_size, int):
        return (output_size,) * dims
    sizes = tuple(output_size)
    if len(sizes) >= input.ndim:
        raise ValueError(f"Input dimension should be at least {len(sizes) + 1}")
    last = tuple(input.shape)[-len(sizes) :] if sizes else ()
    return tuple(n if s is None else s for s, n in zip(sizes, last, strict=True))


def _check_adaptive(name: str, input: Any, dims: int, colon: str) -> None:
    shape = tuple(input.shape)
    if len(shape) not in (dims + 1, dims + 2):
        fail(RuntimeError, f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got{colon} "
                           f"{list(shape)}")  # fmt: skip
    for axis in range(len(shape) - dims, len(shape)):
        if not shape[axis]:
            fail(RuntimeError, f"{name}(): Expected input to have non-zero size for non-batch "
                               f"dimensions, but input has sizes {list(shape)} with dimension "
                               f"{axis} being empty")  # fmt: skip


def _pair_shown(sizes: Sizes) -> str:
    first, *rest = map(str, sizes)
    return f"{{{first}, {','.join(rest)}}}"


@functools.lru_cache(maxsize=256)
def _averages(size: Sizes, count: Sizes) -> Any:
    return tuple((axis - len(size), averages(n, m))
                 for axis, (n, m) in enumerate(zip(size, count, strict=True)) if n != m)  # fmt: skip


def _adaptive_avg(dims: int, input: Any, sizes: Sizes) -> Tensor:
    name = f"adaptive_avg_pool{dims}d"
    if len(sizes) != dims:
        fail(RuntimeError, f"{name}: output_size must be {dims}")
    if min(sizes) < 0:
        fail(RuntimeError, f"{name}: elements of output_size must be greater than or equal to 0 "
                           f"but received {_pair_shown(sizes)}")  # fmt: skip
    if all(n == 1 for n in sizes) and input.ndim > dims:
        return input.mean(tuple(range(-dims, 0)), keepdim=True)  # type: ignore[no-any-return]
    _check_adaptive(name, input, dims, "")
    if input._array.dtype.kind not in "fV":
        fail(NotImplementedError, f"\"{name}\" not implemented for '{input.dtype.legacy}'")
    maps = _averages(tuple(input.shape)[-dims:], sizes)
    return resample(f"AdaptiveAvgPool{dims}DBackward0", input, maps)


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """The means of as many windows as asked for, over the last dimension: f[n, c, l] or f[c, l]."""
    size = one_int("adaptive_avg_pool1d", "output_size", output_size)
    check_dims("adaptive_avg_pool1d", input)
    return _adaptive_avg(2, input.unsqueeze(-2), (1, *size)).squeeze(-2)  # type: ignore


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """The means of as many windows as asked for, over the last two dimensions.

    output_size: for both, or for each; None stands for the input's size
    """
    return _adaptive_avg(2, input, _output_size(input, output_size, 2))


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Tensor:
    """The means of as many windows as asked for, over the last three dimensions.

    output_size: for all, or for each; None stands for the input's size
    """
    return _adaptive_avg(3, input, _output_size(input, output_size, 3))


def _adaptive_max(dims: int, input: Any, sizes: Sizes) -> tuple[Tensor, Tensor]:
    name = f"adaptive_max_pool{dims}d"
    if len(sizes) != dims:
        fail(RuntimeError, f"{name}(): internal error: output_size.size() must be {dims}")
    _check_adaptive(name, input, dims, ":")
    if min(sizes) < 0:
        shape = [*input.shape[:-dims], *sizes]
        least = min(sizes)
        fail(RuntimeError, f"Trying to create tensor with negative dimension {least}: {shape}")
    return _ADAPTIVE_MAX[dims](input, _adaptive_tables, (), sizes)  # type: ignore[no-any-return]


def adaptive_max_pool1d(input: Any, output_size: Any) -> tuple[Tensor, Tensor]:
    """The largest elements of as many windows as asked for, over the last dimension; and where each
    lies."""
    size = one_int("adaptive_max_pool1d", "output_size", output_size)
    check_dims("adaptive_max_pool1d", input)
    found = _adaptive_max(2, input.unsqueeze(-2), (1, *size))
    return tuple(t.squeeze(-2) for t in found)  # type: ignore


def adaptive_max_pool2d_with_indices(input: Any, output_size: Any,
                                     return_indices: bool = False) -> Any:  # fmt: skip
    """`adaptive_max_pool2d`, and where in the plane each largest element lies."""
    return _adaptive_max(2, input, _output_size(input, output_size, 2))


def adaptive_max_pool3d_with_indices(input: Any, output_size: Any,
                                     return_indices: bool = False) -> Any:  # fmt: skip
    """`adaptive_max_pool3d`, and where in the volume each largest element lies."""
    return _adaptive_max(3, input, _output_size(input, output_size, 3))


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of as many windows as asked for, over the last two dimensions.

    output_size: for both, or for each; None stands for the input's size
    """
    found = adaptive_max_pool2d_with_indices(input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of as many windows as asked for, over the last three dimensions.

    output_size: for all, or for each; None stands for the input's size
    """
    found = adaptive_max_pool3d_with_indices(input, output_size)
    return found if return_indices else found[0]


# Fractional pooling


def _fractional(dims: int, input: Any, kernel_size: Any, output_size: Any, output_ratio: Any,
                samples: Any) -> tuple[Tensor, Tensor]:  # fmt: skip
    name = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        if len(output_ratio) > dims:
            raise ValueError(f"{name} requires output_ratio to either be a single Int or tuple of "
                             "Ints.")  # fmt: skip
        ratios = listed(output_ratio, dims)
        output_size = [int(n * r) for n, r in zip(input.shape[-dims:], ratios, strict=True)]
    if input.ndim < dims + 1:
        input.size(-dims - 1)
    if samples is None:
        batch = 1 if input.ndim == dims + 1 else input.shape[0]
        samples = rand(batch, input.shape[-dims - 1], dims, dtype=input.dtype)
    kernel, count = listed(kernel_size, dims), listed(output_size, dims)
    for word, sizes in (("kernel_size", kernel), ("output_size", count)):
        if len(sizes) != dims:
            fail(RuntimeError, f"{name}: {word} must either be a single Int or tuple of Ints")
    size = tuple(input.shape)[-dims:]
    where = f"{name}()" if dims == 2 else f"{name}_out()"
    for word, n, m, k in zip(("time", "height", "width")[-dims:], size, count, kernel, strict=True):
        if m + k - 1 > n:
            fail(RuntimeError, f"{where}: pool {word} {k} too large relative to input {word} {n}")
    if samples.dtype is not input.dtype:
        fail(RuntimeError, "Expect _random_samples to have the same dtype as input")
    if samples.ndim != 3:
        fail(RuntimeError, "Expect _random samples to have 3 dimensions got ", str(samples.ndim))
    if samples.shape[1] != input.shape[-dims - 1]:
        fail(RuntimeError, "Expect _random_samples.size(1) equals to input channel size.")
    if samples.shape[2] != dims:
        fail(RuntimeError, f"Expect _random_samples.size(2) equals to {dims} got "
                           f"{samples.shape[2]}.")  # fmt: skip
    drawn = samples._array[: input.shape[0]] if input.ndim == dims + 2 else samples._array[0]
    if drawn.dtype is not F32 and drawn.dtype is not F64:
        drawn = drawn.astype(F32)
    if dims == 2:  # the first sample is for the width
        drawn = drawn[..., ::-1]
    given = (drawn, kernel)
    return _FRACTIONAL_MAX[dims](input, _fractional_tables, given, count)  # type: ignore


def fractional_max_pool2d_with_indices(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """`fractional_max_pool2d`, and where in the plane each largest element lies."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest elements of windows at random starts (Graham), over the last two dimensions.

    output_size: how many windows along each; or output_ratio: what part of the input's size
    """
    found = _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


def fractional_max_pool3d_with_indices(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """`fractional_max_pool3d`, and where in the volume each largest element lies."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest elements of windows at random starts (Graham), over the last three dimensions.

    output_size: how many windows along each; or output_ratio: what part of the input's size
    """
    found = _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


# Back from pooling


@op(name="max_unpool_backward", node="GatherBackward0")
def _regathered(grad, indices, /, dims):
    """The elements at the places of each plane: f[..., *size], i[..., *count] -> f[..., *count]."""
    return _picked(grad, indices, dims)


@op(name="max_unpool_double_backward", node="ScatterAddBackward0")
@kernel
def _summed_up(grad, indices, /, size):
    """The sums of the elements at their places in each plane."""
    return scattered(grad, indices, size)


_regathered.vjp(
    grad=lambda g, indices, grad_shape, dims: _summed_up(
        g, indices, grad_shape[len(grad_shape) - dims :]
    )
)
_summed_up.vjp(grad=lambda g, indices, size: _regathered(g, indices, len(size)))


def _unpooling(dims: int) -> Any:
    @op(name=f"max_unpool{dims}d", node=f"MaxUnpool{dims}DBackward0", linear=True)
    def max_unpool(input, indices, /, size):
        """Each element at its place in a plane of zeros: f[..., *count], i[..., *count] ->
        f[..., *size]."""
        lead, plane = input.shape[: input.ndim - dims], math.prod(size)
        made = np.zeros_like(input, shape=(*lead, plane), order="C")
        wrong = indices[(indices < 0) | (indices >= plane)]
        if wrong.size:
            volumes = "x".join(map(str, size))
            raise RuntimeError(f"Found an invalid max index: {wrong.ravel()[0]} (output volumes "
                               f"are of size {volumes})")  # fmt: skip
        flat = (*lead, math.prod(input.shape[input.ndim - dims :]))
        np.put_along_axis(made, indices.reshape(flat), input.reshape(flat), -1)
        return made.reshape(*lead, *size)

    return max_unpool.vjp(input=lambda g, indices: _regathered(g, indices, dims))


_UNPOOL = {dims: _unpooling(dims) for dims in (2, 3)}


def _unpooled_size(input: Any, kernel: Sizes, stride: Sizes, padding: Sizes,
                   output_size: Any) -> Sizes:  # fmt: skip
    """The size before pooling: as given, if pooling could have made the input of it."""
    dims = len(kernel)
    usual = tuple((n - 1) * s + k - 2 * p for n, s, k, p
                  in zip(input.shape[-dims:], stride, kernel, padding, strict=True))  # fmt: skip
    if output_size is None:
        found = usual
    else:
        found = tuple(output_size)
        if len(found) == dims + 2:
            found = found[2:]
        if len(found) != dims:
            raise ValueError(f"output_size should be a sequence containing {dims} or {dims + 2} "
                             f"elements, but it has a length of '{len(found)}'")  # fmt: skip
        for axis, (n, u, s) in enumerate(zip(found, usual, stride, strict=True)):
            if not u - s < n < u + s:
                shown = output_size if len(output_size) == dims else output_size[2:]
                raise ValueError(f'invalid output_size "{shown}" (dim {axis} must be between '
                                 f"{u - s} and {u + s})")  # fmt: skip
    for axis, n in enumerate(found):
        if n < 0:
            raise ValueError("max_unpooling: output_size must contain non-negative spatial "
                             f"dimensions, but got output_size[{axis}]={n}")  # fmt: skip
    return found


def _unpool(dims: int, input: Any, indices: Any, size: Sizes) -> Any:
    if indices._array.dtype != np.int64:
        fail(RuntimeError, "elements in indices should be type int64 but got: "
                           f"{indices.dtype.legacy}")  # fmt: skip
    shape = tuple(input.shape)
    if len(shape) not in (dims + 1, dims + 2):
        fail(RuntimeError, f"Input to max_unpooling{dims}d should be a {dims + 1}d or {dims + 2}d "
                           f"Tensor, but got a tensor with {len(shape)} dimensions.")  # fmt: skip
    if tuple(indices.shape) != shape:
        fail(RuntimeError, "Expected shape of indices to be same as that of the input tensor "
                           f"({list(shape)}) but got indices tensor with shape: "
                           f"{list(indices.shape)}")  # fmt: skip
    for axis in range(len(shape) == dims + 2, len(shape)):
        if not shape[axis]:
            fail(RuntimeError, f"max_unpooling{dims}d_forward_out_cpu(): Expected input to have "
                               "non-zero size for non-batch dimensions, but got "
                               f"{list(shape)} with dimension {axis} being empty.")  # fmt: skip
    return _UNPOOL[dims](input, indices, size)


def max_unpool1d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:  # fmt: skip
    """The elements back at the places that `max_pool1d` took them from, among zeros.

    output_size: the size before pooling, where the kernel and stride leave it open
    """
    kernel, padding = listed(kernel_size, 1), listed(padding, 1)
    stride = kernel if stride is None else listed(stride, 1)
    size = _unpooled_size(input, kernel, stride, padding, output_size)
    return _unpool(2, input.unsqueeze(-1), indices.unsqueeze(-1), (*size, 1)).squeeze(-1)  # type: ignore


def max_unpool2d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:  # fmt: skip
    """The elements back at the places that `max_pool2d` took them from, among zeros.

    output_size: the size before pooling, where the kernel and stride leave it open
    """
    kernel, padding = listed(kernel_size, 2), listed(padding, 2)
    stride = kernel if stride is None else listed(stride, 2)
    size = _unpooled_size(input, kernel, stride, padding, output_size)
    return _unpool(2, input, indices, size)  # type: ignore[no-any-return]


def max_unpool3d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:  # fmt: skip
    """The elements back at the places that `max_pool3d` took them from, among zeros.

    output_size: the size before pooling, where the kernel and stride leave it open
    """
    kernel, padding = listed(kernel_size, 3), listed(padding, 3)
    stride = kernel if stride is None else listed(stride, 3)
    size = _unpooled_size(input, kernel, stride, padding, output_size)
    if input.ndim in (4, 5) and min(stride) <= 0:
        fail(RuntimeError, f"strides should be greater than zero, but got stride: {list(stride)}")
    return _unpool(3, input, indices, size)  # type: ignore[no-any-return]


# Pooling by a norm


def _lp_pool(dims: int, input: Any, norm_type: float, kernel_size: Any, stride: Any,
             ceil_mode: bool) -> Any:  # fmt: skip
    average = (avg_pool1d, avg_pool2d, avg_pool3d)[dims - 1]
    largest = (max_pool1d, max_pool2d, max_pool3d)[dims - 1]
    if norm_type == math.inf:
        return largest(input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    if norm_type == -math.inf:
        return -largest(-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    mean: Any = average(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    total = (mean.sign() * mean.abs().relu()) * math.prod(listed(kernel_size, dims))
    return total.pow(1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Tensor:  # fmt: skip
    """The p-norm of each window along the last dimension, p being `norm_type`."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)  # type: ignore


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Tensor:  # fmt: skip
    """The p-norm of each window over the last two dimensions, p being `norm_type`."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)  # type: ignore


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Tensor:  # fmt: skip
    """The p-norm of each window over the last three dimensions, p being `norm_type`."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)  # type: ignore
