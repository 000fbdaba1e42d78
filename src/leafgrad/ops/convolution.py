"""Convolutions and their transposes, over one, two or three dimensions; `unfold` and `fold`.

A convolution is a matrix product: the weights with the columns of the input, each column what one
position of the kernel sees. Three operators are closed under differentiation, as each is linear in
both operands and its derivatives are the other two: the convolution, its transpose (the gradient
of the input) and the gradient of the weights.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from ..duck import strided
from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor
from .activations import floating, kernel, total
from .matrix_products import c_name, legacy
from .shape import constant_pad_nd

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "convolution",
]  # fmt: skip

Sizes = tuple[int, ...]

# The columns are made for so many elements at a time, which the cache can hold.
_ROOM = 1 << 20


# Windows: what a kernel sees at each of its positions


def windows(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, count: Sizes) -> Any:
    """What each element of a kernel sees, without a copy: f[n, c, *size] -> f[c, *kernel, n,
    *count], `count` positions along each axis."""
    shape = (x.shape[1], *kernel, x.shape[0], *count)
    channel, batch, *steps = x.strides[1], x.strides[0], *x.strides[2:]
    along = [s * d for s, d in zip(steps, dilation, strict=True)]
    across = [s * d for s, d in zip(steps, stride, strict=True)]
    strides = (channel, *along, batch, *across)
    plain = x.__class__ is np.ndarray and x.dtype.kind != "V"
    if plain and x.flags.c_contiguous and 0 not in shape:  # three times as quick
        return np.ndarray(shape, x.dtype, x, 0, strides)
    return strided(x, shape, strides)


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


def _parts(batch: int, lines: int, each: int) -> Iterator[tuple[slice, slice]]:
    """Parts of a batch, and of the first axis of positions, that find room: `each` elements a line
    of positions."""
    lines_a_time = max(1, min(lines, _ROOM // max(each, 1)))
    examples = max(1, _ROOM // max(each * lines, 1))
    for i in range(0, batch, examples):
        for j in range(0, lines, lines_a_time):
            yield slice(i, min(i + examples, batch)), slice(j, min(j + lines_a_time, lines))


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
    batch, out, shape = input.shape[0], weight.shape[0], weight.shape[2:]
    made = np.empty_like(input, shape=(batch, out, *size), order="C")
    rows = _by_group(weight, groups)
    seen = windows(padded(input, padding), shape, stride, dilation, size)
    dims, high, row = len(size), rows.shape[2], math.prod(size[1:])
    for part, lines in _parts(batch, size[0], groups * high * row):
        cols = seen[(slice(None),) * (dims + 1) + (part, lines)]
        many = math.prod(cols.shape[dims + 1 :])
        found = np.matmul(rows, cols.reshape(groups, high, many))
        found = found.reshape(out, *cols.shape[dims + 1 :])
        _with_bias(found, bias, made[part, :, lines])
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
    if all(s == 1 for s in stride) and (rows.shape[2] == 1 or 2 * rows.shape[2] <= weight.shape[1]):
        turned = _turned(weight, shape, count, whole, padding, dilation, groups)
        if turned is not None:  # few channels: their columns are quickly made
            return _convolution(input, turned[0], bias, stride, turned[1], dilation, groups, size)
    made = np.empty_like(input, shape=(batch, channels, *size), order="C")
    dense = all(s == 1 for s in stride) and math.prod(whole) < 1.5 * math.prod(count)
    places = math.prod(whole if dense else count)
    for part, _ in _parts(batch, 1, channels * math.prod(shape) * places):
        x = np.swapaxes(input[part], 0, 1)
        some = x.shape[1]
        if dense:  # zeros where no kernel starts: then the sums are of runs in memory
            placed = np.zeros_like(x, shape=(*x.shape[:2], *whole), order="C")
            placed[_inner(count, (0,) * len(count))] = x
            x = placed
        x = np.ascontiguousarray(x.reshape(groups, rows.shape[2], some * places))
        if dense:
            found = _shifted_sum(rows, x, channels, shape, dilation, whole)
            found = found.reshape(channels, some, *whole)
        else:
            cols = np.matmul(rows, x)
            found = folded(cols.reshape(channels, *shape, some, *count), stride, dilation, whole)
            found = np.swapaxes(found, 0, 1)
        _with_bias(found[_inner(size, padding)], bias, made[part])
    return made


def _turned(weight: Any, kernel: Sizes, count: Sizes, whole: Sizes, padding: Sizes, dilation: Sizes,
            groups: int) -> Any:  # fmt: skip
    """Weights and padding by which a convolution is the transpose of another of stride 1; None
    where none is."""
    spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    around = tuple(s - p for s, p in zip(spans, padding, strict=True))
    if min(around) < 0 or any(n + s != m for n, s, m in zip(count, spans, whole, strict=True)):
        return None
    out, each = weight.shape[:2]
    parts = np.swapaxes(weight.reshape(groups, out // groups, each, *kernel), 1, 2)
    parts = parts.reshape(groups * each, out // groups, *kernel)
    return np.flip(parts, axis=tuple(range(2, parts.ndim))).copy(), around


def _shifted_sum(rows: Any, x: Any, channels: int, kernel: Sizes, dilation: Sizes,
                 whole: Sizes) -> Any:  # fmt: skip
    """The products of the weights with f[groups, o / groups, :], each shifted in memory to the
    place of its element of the kernel, and summed."""
    steps = [math.prod(whole[i + 1 :]) for i in range(len(whole))]
    every, many = math.prod(kernel), x.shape[2]
    apart = channels * every * many > 8 * _ROOM  # too much to hold at once
    cols = None if apart else np.matmul(rows, x).reshape(channels, every, many)
    sums: Any = None
    for number, place in enumerate(positions(kernel, dilation)):
        if cols is None:
            each = np.matmul(np.ascontiguousarray(rows[:, number::every]), x)
            each = each.reshape(channels, many)
        else:
            each = cols[:, number]
        shift = sum(p * s for p, s in zip(place, steps, strict=True))
        if sums is None:
            sums = each
        else:
            sums[:, shift:] += each[:, : many - shift]
    return sums


@op(name="convolution_backward", node="ConvolutionBackwardBackward0")
@kernel
def _weight_gradient(grad, input, /, stride, padding, dilation, groups, size):
    """The convolution's transpose by its weights:
    f[n, o, *], f[n, c, *] -> f[o, c / groups, *size]."""
    batch, out, count = *grad.shape[:2], grad.shape[2:]
    dims, per, wide = len(size), out // groups, input.shape[1] // groups * math.prod(size)
    seen = windows(padded(input, padding), size, stride, dilation, count)
    made = np.zeros_like(grad, shape=(groups, per, wide), order="C")
    for part, lines in _parts(batch, count[0], groups * wide * math.prod(count[1:])):
        cols = seen[(slice(None),) * (dims + 1) + (part, lines)]
        some, places = cols.shape[dims + 1], math.prod(cols.shape[dims + 2 :])
        one = np.ascontiguousarray(grad[part, :, lines])
        if per <= places:  # small: a product for each example, then their sum
            one = one.reshape(some, groups, per, places)
            two = np.transpose(cols.reshape(groups, wide, some, places), (2, 0, 3, 1))
            made += np.add.reduce(np.matmul(one, two), axis=0)
        else:
            one = np.swapaxes(one, 0, 1).reshape(groups, per, some * places)
            two = cols.reshape(groups, wide, some * places)
            made += np.matmul(one, np.swapaxes(two, 1, 2))
    return made.reshape(out, input.shape[1] // groups, *size)


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


# What a call asks for


def listed(value: Any, dims: int) -> Sizes:
    """A parameter given for all dimensions, or for each."""
    if value.__class__ is int:
        return (value,) * dims
    value = (value,) if isinstance(value, int) else tuple(value)
    return value * dims if len(value) == 1 else value


def shown(values: Sequence[int]) -> str:
    """Sizes as PyTorch's errors print them: "3 x 4"."""
    return " x ".join(map(str, values))


def _each(name: str, value: Any, dims: int, call: str) -> Sizes:
    found = listed(value, dims) if isinstance(value, (int, tuple)) else ("",)
    if not all(isinstance(n, int) for n in found):
        _refuse(call, **{name: value})
    if len(found) != dims:
        fail(RuntimeError, f"expected {name} to be a single integer value or a list of {dims} "
                           "values to match the convolution dimensions, but got "
                           f"{name}={list(found)}")  # fmt: skip
    return found


@functools.lru_cache(maxsize=1024)
def _planned(shape: Sizes, weight: Sizes, bias: Sizes | None, stride: Any, padding: Any,
             dilation: Any, groups: int, transposed: bool, output_padding: Any) -> Any:  # fmt: skip
    """Stride, padding and dilation for each dimension, and the size of the result."""
    dims = len(weight) - 2
    if dims < 1:
        fail(RuntimeError, "weight should have at least three dimensions")
    if groups <= 0:
        fail(RuntimeError, "non-positive groups is not supported")
    call = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
    stride, padding = _each("stride", stride, dims, call), _each("padding", padding, dims, call)
    dilation = _each("dilation", dilation, dims, call)
    more = _each("output_padding", output_padding, dims, call)
    if min(padding) < 0:
        fail(RuntimeError, "negative padding is not supported")
    if min(more) < 0:
        fail(RuntimeError, "negative output_padding is not supported")
    if min(stride) <= 0:
        fail(RuntimeError, "non-positive stride is not supported")
    if min(dilation) <= 0:
        fail(RuntimeError, f"dilation should be greater than zero, but got {list(dilation)}")
    if len(shape) != dims + 2:
        fail(RuntimeError, f"Expected {dims + 2}-dimensional input for {dims + 2}-dimensional "
                           f"weight {list(weight)}, but got {len(shape)}-dimensional input of "
                           f"size {list(shape)} instead")  # fmt: skip
    if weight[0] < groups:
        fail(RuntimeError, f"Given groups={groups}, expected weight to be at least {groups} at "
                           "dimension 0, but got weight of size "
                           f"{list(weight)} instead")  # fmt: skip
    if weight[0] % groups:
        fail(RuntimeError, f"Given groups={groups}, expected weight to be divisible by {groups} at "
                           f"dimension 0, but got weight of size [{list(weight)}] "
                           "instead")  # fmt: skip
    channels = weight[0] if transposed else weight[1] * groups
    given = f"Given transposed={int(transposed)}" if transposed else f"Given groups={groups}"
    if shape[1] != channels:
        fail(RuntimeError, f"{given}, weight of size {list(weight)}, expected input{list(shape)} "
                           f"to have {channels} channels, but got {shape[1]} channels "
                           "instead")  # fmt: skip
    out = weight[1] * groups if transposed else weight[0]
    if bias is not None and bias != (out,):
        given = f"{given}, weight" if transposed else "Given weight"
        fail(RuntimeError, f"{given} of size {list(weight)}, expected bias to be 1-dimensional "
                           f"with {out} elements, but got bias of size {list(bias)} "
                           "instead")  # fmt: skip
    kernel, size = weight[2:], shape[2:]
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if min(kernel) <= 0:
        fail(RuntimeError, "kernel size should be greater than zero, but got "
                           f"{by_axis('kernel', kernel)}")  # fmt: skip
    if transposed:
        made = tuple((n - 1) * s - 2 * p + span + m for n, s, p, span, m
                     in zip(size, stride, padding, spans, more, strict=True))  # fmt: skip
        if any(m >= s and m >= d for m, s, d in zip(more, stride, dilation, strict=True)):
            fail(RuntimeError, "output padding must be smaller than either stride or dilation, "
                               f"but got {by_axis('output_padding', more)} "
                               f"{by_axis('stride', stride)} "
                               f"{by_axis('dilation', dilation)}")  # fmt: skip
        if min(made) < 1:
            fail(RuntimeError, f"Given input size per channel: ({shown(size)}). Calculated output "
                               f"size per channel: ({shown(made)}). Output size is too "
                               "small")  # fmt: skip
        return stride, padding, dilation, made
    whole = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    if any(n < span for n, span in zip(whole, spans, strict=True)):
        fail(RuntimeError, f"Calculated padded input size per channel: ({shown(whole)}). Kernel "
                           f"size: ({shown(spans)}). Kernel size can't be greater than actual "
                           "input size")  # fmt: skip
    if not min(size):
        fail(RuntimeError, "Only zero batch or zero channel inputs are supported, but got input "
                           f"shape: {list(shape)}")  # fmt: skip
    made = tuple((n - span) // s + 1 for n, span, s in zip(whole, spans, stride, strict=True))
    return stride, padding, dilation, made


def by_axis(name: str, values: Sequence[int], by: str = " ") -> str:
    """Values as PyTorch's errors name them: "stride_height: 1 stride_width: 2"."""
    axes = ("depth", "height", "width")[-len(values) :] if len(values) < 4 else ()
    return by.join(f"{name}_{a}: {v}" for a, v in zip(axes, values, strict=False))


def _check_dtypes(input: Any, weight: Any) -> None:
    if input.dtype != weight.dtype:
        raise RuntimeError(f"expected scalar type {legacy(input)} but found {legacy(weight)}")
    if input.dtype.kind == "b":
        raise NotImplementedError("\"slow_conv2d_cpu\" not implemented for 'Bool'")


def convolution(input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any,
                dilation: Any, transposed: bool, output_padding: Any,
                groups: int) -> Tensor:  # fmt: skip
    """A convolution over the dimensions after batch and channels; or its transpose.

    f[n, c, *], f[o, c / groups, *kernel], f[o] -> f[n, o, *]; transposed: f[n, o, *],
    f[o, c / groups, *kernel], f[c] -> f[n, c, *]
    """
    one, two = input._array, weight._array
    stride, padding, dilation, size = _planned(
        one.shape, two.shape, None if bias is None else bias._array.shape,
        *(tuple(v) if v.__class__ is list else v for v in (stride, padding, dilation)),
        groups, transposed,
        tuple(output_padding) if output_padding.__class__ is list else output_padding,
    )  # fmt: skip
    if one.dtype is not two.dtype or one.dtype.kind == "b":
        _check_dtypes(one, two)
    apply = _transposed if transposed else _convolution
    return apply(input, weight, bias, stride, padding, dilation, groups, size)


def input_gradient(dims: int, size: Sizes, weight: Tensor, grad: Tensor, stride: Any, padding: Any,
                   dilation: Any, groups: int) -> Tensor:  # fmt: skip
    """The gradient of a convolution by its input, of shape `size`."""
    numbers = (listed(v, dims) for v in (stride, padding, dilation))
    return _transposed(grad, weight, None, *numbers, groups, size[2:])  # type: ignore


def weight_gradient(dims: int, input: Tensor, size: Sizes, grad: Tensor, stride: Any, padding: Any,
                    dilation: Any, groups: int) -> Tensor:  # fmt: skip
    """The gradient of a convolution by its weights, of shape `size`."""
    numbers = (listed(v, dims) for v in (stride, padding, dilation))
    return _weight_gradient(grad, input, *numbers, groups, size[2:])  # type: ignore


def _refuse(name: str, *tensors: Any, **numbers: Any) -> NoReturn:
    """PyTorch's error for arguments of wrong types."""
    kinds = [type(t).__name__ for t in tensors if t is not None]
    kinds += ["Tensor", "Tensor"] * (not tensors)
    kinds += [f"{k}={type(v).__name__}" for k, v in numbers.items()]
    fail(TypeError, f"{name}() received an invalid combination of arguments - got "
                    f"({', '.join(kinds)}), but expected one of:\n * (Tensor input, Tensor weight, "
                    "Tensor bias, ints stride, ints or str padding, ints dilation, int "
                    "groups)")  # fmt: skip


def _batched(name: str, dims: int, input: Any, weight: Any, bias: Any) -> bool:
    """Whether the input has a batch dimension; PyTorch's errors for what no convolution takes."""
    if not (isinstance(input, Tensor) and isinstance(weight, Tensor)) or not (
        bias is None or isinstance(bias, Tensor)
    ):
        _refuse(name, input, weight, bias)
    x = input._array
    if bias is not None and bias._array.dtype is not x.dtype and "_" not in name:
        if bias._array.dtype != x.dtype:
            fail(RuntimeError, f"Input type ({c_name(x)}) and bias type ({c_name(bias._array)}) "
                               "should be the same")  # fmt: skip
    if x.ndim != dims + 2 and x.ndim != dims + 1:
        fail(RuntimeError, f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to "
                           f"{name}, but got input of size: {list(x.shape)}")  # fmt: skip
    return x.ndim == dims + 2  # type: ignore[no-any-return]


def _same(input: Any, weight: Any, bias: Any, stride: Any, dilation: Any,
          groups: int) -> Tensor:  # fmt: skip
    """A convolution with as much padding as keeps the size; what is odd goes after the input."""
    shape = weight.shape
    dims = len(shape) - 2
    if groups <= 0:
        fail(RuntimeError, "non-positive groups is not supported")
    if dims < 1:
        fail(RuntimeError, "weight should have at least three dimensions")
    if input.ndim != dims + 2:
        fail(RuntimeError, f"Expected {dims + 2}-dimensional input for {dims + 2}-dimensional "
                           f"weight{list(shape)}, but got {input.ndim}-dimensional input of size "
                           f"{list(input.shape)} instead")  # fmt: skip
    for name, value in (("stride", stride), ("dilation", dilation)):
        if len(listed(value, dims)) != dims:
            fail(RuntimeError, f"{name} cannot broadcast to {dims} dimensions")
    if any(s != 1 for s in listed(stride, dims)):
        fail(RuntimeError, "padding='same' is not supported for strided convolutions")
    wide = [d * (k - 1) for d, k in zip(listed(dilation, dims), shape[2:], strict=True)]
    if any(w % 2 for w in wide):
        input = constant_pad_nd(input, [n for w in reversed(wide) for n in (0, w % 2)])
    half = tuple(w // 2 for w in wide)
    return convolution(input, weight, bias, 1, half, dilation, False, 0, groups)


def _conv(name: str, dims: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any,
          dilation: Any, groups: int) -> Any:  # fmt: skip
    batched = _batched(name, dims, input, weight, bias)
    if not batched:
        input = input.unsqueeze(0)
    if padding.__class__ is str:
        if padding == "same":
            found = _same(input, weight, bias, stride, dilation, groups)
        elif padding == "valid":
            found = convolution(input, weight, bias, stride, 0, dilation, False, 0, groups)
        else:
            fail(RuntimeError, f"Invalid padding string: '{padding}'")
    else:
        found = convolution(input, weight, bias, stride, padding, dilation, False, 0, groups)
    return found if batched else found.squeeze(0)  # type: ignore[attr-defined]


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
           padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:  # fmt: skip
    """A convolution: f[n, c, l], f[o, c / groups, k], f[o] -> f[n, o, *]; the batch may lack.

    padding: zeros around the input; or "valid" for none, "same" for a result of the input's size
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
           padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:  # fmt: skip
    """A convolution: f[n, c, h, w], f[o, c / groups, j, k], f[o] -> f[n, o, *, *]; the batch may
    lack.

    padding: zeros around the input; or "valid" for none, "same" for a result of the input's size
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
           padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:  # fmt: skip
    """A convolution: f[n, c, d, h, w], f[o, c / groups, i, j, k], f[o] -> f[n, o, *, *, *]; the
    batch may lack.

    padding: zeros around the input; or "valid" for none, "same" for a result of the input's size
    """
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(name: str, dims: int, input: Any, weight: Any, bias: Any, stride: Any,
                    padding: Any, output_padding: Any, groups: int,
                    dilation: Any) -> Any:  # fmt: skip
    batched = _batched(name, dims, input, weight, bias)
    if not batched:
        input = input.unsqueeze(0)
    found: Any = convolution(
        input, weight, bias, stride, padding, dilation, True, output_padding, groups
    )
    return found if batched else found.squeeze(0)


def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1,
                     dilation: Any = 1) -> Tensor:  # fmt: skip
    """The gradient of `conv1d` as a layer: f[n, c, l], f[c, o / groups, k], f[o] -> f[n, o, *].

    padding: what the convolution would pad; output_padding: what it would leave over at the end
    """
    return _conv_transpose("conv_transpose1d", 1, input, weight, bias, stride, padding,
                           output_padding, groups, dilation)  # fmt: skip


def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1,
                     dilation: Any = 1) -> Tensor:  # fmt: skip
    """The gradient of `conv2d` as a layer: f[n, c, h, w], f[c, o / groups, j, k], f[o] ->
    f[n, o, *, *].

    padding: what the convolution would pad; output_padding: what it would leave over at the end
    """
    return _conv_transpose("conv_transpose2d", 2, input, weight, bias, stride, padding,
                           output_padding, groups, dilation)  # fmt: skip


def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1,
                     dilation: Any = 1) -> Tensor:  # fmt: skip
    """The gradient of `conv3d` as a layer: f[n, c, d, h, w], f[c, o / groups, i, j, k], f[o] ->
    f[n, o, *, *, *].

    padding: what the convolution would pad; output_padding: what it would leave over at the end
    """
    return _conv_transpose("conv_transpose3d", 3, input, weight, bias, stride, padding,
                           output_padding, groups, dilation)  # fmt: skip


def conv_tbc(input: Any, weight: Any, bias: Tensor, pad: int = 0) -> Tensor:
    """A convolution with the batch in the middle: f[t, n, c], f[k, c, o], f[o] -> f[*, n, o]."""
    found: Any = convolution(
        input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad, 1, False, 0, 1
    )
    return found.permute(2, 0, 1)  # type: ignore[no-any-return]


# Unfold and fold


@op(name="im2col", check=floating("im2col_out_cpu", "fVcb"), linear=True)
def _unfold(input, /, kernel, dilation, padding, stride, count):
    """The windows of images as columns: f[n, c, *size] -> f[n, c * kernel, count]."""
    x = padded(input, padding)
    seen = windows(x, kernel, stride, dilation, count)
    dims = len(kernel)
    seen = np.transpose(seen, (dims + 1, *range(dims + 1), *range(dims + 2, 2 * dims + 2)))
    cols = seen.reshape(input.shape[0], input.shape[1] * math.prod(kernel), math.prod(count))
    return np.array(cols) if math.prod(kernel) == 1 else cols


@op(name="col2im", check=floating("col2im_out_cpu", "fVcb"), linear=True)
@kernel
def _fold(input, /, kernel, dilation, padding, stride, count, size):
    """The sums of windows where they overlap: f[n, c * kernel, count] -> f[n, c, *size]."""
    n = input.shape[0]
    cols = input.reshape(n, input.shape[1] // math.prod(kernel), *kernel, *count)
    cols = np.moveaxis(cols, 0, len(kernel) + 1)
    whole = tuple(s + 2 * p for s, p in zip(size, padding, strict=True))
    return np.array(folded(cols, stride, dilation, whole)[_inner(size, padding)], order="C")


_unfold.vjp(
    input=lambda g, input_shape, kernel, dilation, padding, stride, count: _fold(
        g, kernel, dilation, padding, stride, count, input_shape[2:]
    )
)
_fold.vjp(
    input=lambda g, kernel, dilation, padding, stride, count: _unfold(
        g, kernel, dilation, padding, stride, count
    )
)


def _pair(name: str, value: Any) -> Sizes:
    found = listed(value, 2)
    if len(found) != 2:
        fail(RuntimeError, f"It is expected {name} equals to 2, but got size {len(found)}")
    return found


def _blocks(size: Sizes, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Sizes:
    """How many windows there are along each axis; PyTorch's errors for numbers not positive."""
    if min(kernel) <= 0:
        fail(RuntimeError, "kernel size should be greater than zero, but got "
                           f"{by_axis('kernel', kernel)}")  # fmt: skip
    if min(dilation) <= 0:
        fail(RuntimeError, "dilation should be greater than zero, but got "
                           f"{by_axis('dilation', dilation)}")  # fmt: skip
    if min(padding) < 0:
        fail(RuntimeError, f"padding should be non-negative, but got {by_axis('pad', padding)}")
    if min(stride) <= 0:
        fail(RuntimeError, f"stride should be greater than zero, but got "
                           f"{by_axis('stride', stride)}")  # fmt: skip
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s
                 in zip(size, padding, dilation, kernel, stride, strict=True))  # fmt: skip


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
           stride: Any = 1) -> Tensor:  # fmt: skip
    """What each position of a window sees, as columns: f[n, c, h, w] -> f[n, c * j * k, positions];
    the batch may lack."""
    kernel, dilation = _pair("kernel_size", kernel_size), _pair("dilation", dilation)
    padding, stride = _pair("padding", padding), _pair("stride", stride)
    shape = tuple(input.shape)
    if len(shape) not in (3, 4):
        input.size(2)  # PyTorch asks for it, before it looks at the number of dimensions
    count = _blocks(shape[-2:], kernel, dilation, padding, stride)
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        fail(RuntimeError, "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and "
                           "other non-zero dimensions for input, but got: "
                           f"{list(shape)}")  # fmt: skip
    if min(count) < 1:
        fail(RuntimeError, f"Given input with spatial size {shape[-2:]}, kernel_size={kernel}, "
                           f"dilation={dilation}, padding={padding}, calculated shape of the array "
                           f"of sliding blocks as {count}, but its components must be at least "
                           "one.")  # fmt: skip
    batched = len(shape) == 4
    found: Any = _unfold(input if batched else input.unsqueeze(0), kernel, dilation, padding,
                         stride, count)  # fmt: skip
    return found if batched else found.squeeze(0)  # type: ignore[no-any-return]


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
         stride: Any = 1) -> Tensor:  # fmt: skip
    """The transpose of `unfold`, the sums of the windows where they overlap:
    f[n, c * j * k, positions] -> f[n, c, h, w]; the batch may lack."""
    size, kernel = _pair("output_size", output_size), _pair("kernel_size", kernel_size)
    dilation, padding = _pair("dilation", dilation), _pair("padding", padding)
    stride = _pair("stride", stride)
    shape = tuple(input.shape)
    count = _blocks(size, kernel, dilation, padding, stride)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        fail(RuntimeError, "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch "
                           "size and non-zero dimensions for input, but got: "
                           f"{list(shape)}")  # fmt: skip
    axis = len(shape) - 2
    if shape[axis] % math.prod(kernel):
        fail(RuntimeError, f"Expected size of input's dimension {axis} to be divisible by the "
                           f"product of kernel_size, but got input.size({axis})={shape[axis]} and "
                           f"kernel_size={kernel}.")  # fmt: skip
    given = (f"Given output_size={size}, kernel_size={kernel}, dilation={dilation}, "
             f"padding={padding}, stride={stride}, ")  # fmt: skip
    if shape[-1] != math.prod(count) and min(count) >= 0:
        fail(RuntimeError, f"{given}expected size of input's dimension {axis + 1} to match the "
                           f"calculated number of sliding blocks {' * '.join(map(str, count))} = "
                           f"{math.prod(count)}, but got "
                           f"input.size({axis + 1})={shape[-1]}.")  # fmt: skip
    if min(count) < 1:
        fail(RuntimeError, f"{given}calculated shape of the array of sliding blocks as {count}, "
                           "which is too small (non-positive)")  # fmt: skip
    batched = len(shape) == 3
    found: Any = _fold(input if batched else input.unsqueeze(0), kernel, dilation, padding, stride,
                       count, size)  # fmt: skip
    return found if batched else found.squeeze(0)  # type: ignore[no-any-return]
