"""What layers compute besides products and activations: dropout, normalisation, padding,
embedding, distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ..dtypes import F32, F64, finfo, float32
from ..duck import Duck, take, whole, zeros
from ..generator import default_generator
from ..graph.inplace import store
from ..graph.modes import no_grad
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.saved import bump
from ..graph.source import fail, failure, here
from ..tensor import Tensor, wrap
from .activations import floating, kernel, safe_softmax, softmax, total, total_product
from .arithmetic import mul
from .casting import cast, result_type
from .products import c_name, legacy, matmul
from .sampling import _placed, per_example, template

__all__ = [
    "alpha_dropout", "constant_pad_nd", "cosine_similarity", "dropout", "embedding",
    "feature_alpha_dropout", "feature_dropout", "group_norm", "layer_norm", "pairwise_distance",
    "rms_norm",
]  # fmt: skip


# Dropout: the input times a random mask


def _mask(input: Tensor, p: float, feature: bool) -> Any:
    """True where an element, or a feature (an entry of the first two dimensions), is kept."""
    array = input._array
    kind = input.dtype
    if kind.category == 3:
        fail(NotImplementedError, f"\"bernoulli_scalar_cpu_\" not implemented for '{kind.legacy}'")
    if kind.category < 2:
        fail(RuntimeError, "result type Float can't be cast to the desired output type "
                           f"{kind.legacy}")  # fmt: skip
    if feature:
        if array.ndim < 2:
            fail(RuntimeError, "Feature dropout requires at least 2 dimensions in the input")
        array = array[(slice(None), slice(None), *[slice(1)] * (array.ndim - 2))]
    return per_example(
        lambda a: _placed(default_generator.bernoulli(a.size, 1 - p), a), template(array)
    )


def dropped(input: Tensor, p: float, train: bool, inplace: bool, feature: bool = False,
             alpha: bool = False) -> Tensor:  # fmt: skip
    if p < 0 or p > 1:
        fail(RuntimeError, f"dropout probability has to be between 0 and 1, but got {p:g}")
    array = input._array
    if p == 0 or not train or not array.size:
        return input
    if p == 1:
        zeros = wrap(np.zeros((), array.dtype))
        return input.mul_(zeros) if inplace else mul(input, zeros)  # type: ignore[attr-defined]
    kept = _mask(input, p, feature)
    kind = F64 if array.dtype is F64 else F32
    if not alpha:
        noise = wrap((kept * (kind.type(1) / kind.type(1 - p))).astype(array.dtype, copy=False))
        return input.mul_(noise) if inplace else mul(input, noise)  # type: ignore[attr-defined]
    # What is dropped becomes selu's lower limit; scale and shift restore mean and variance.
    limit = 1.7580993408473766
    scale = 1 / math.sqrt((limit * limit * p + 1) * (1 - p))
    noise = kept.astype(kind)
    shift = wrap(((noise - 1) * (limit * scale) + limit * scale * p).astype(array.dtype))
    noise = wrap((noise * scale).astype(array.dtype))
    if inplace:
        return input.mul_(noise).add_(shift)  # type: ignore[attr-defined]
    return mul(input, noise) + shift


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Each element is 0 with probability p, else divided by 1 - p; as it is if not `train`."""
    return dropped(input, p, train, False)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout to selu's lower limit, which keeps mean and variance."""
    return dropped(input, p, train, False, alpha=True)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout of whole features: the entries of the first two dimensions."""
    return dropped(input, p, train, False, feature=True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout of whole features to selu's lower limit, which keeps mean and variance."""
    return dropped(input, p, train, False, feature=True, alpha=True)


# Normalisation. The statistics are computed before, and handed to the operators, which keep them
# for the backward pass. Where that is itself recorded they are computed again from the input, so
# that second derivatives are right.


def _moments(x: Any, axes: Any, count: int) -> tuple[Any, Any]:
    """Mean and variance along axes, which stay with size 1."""
    mean = total(x, axes) / count
    away = x - mean
    return mean, total_product(away, away, axes) / count


@quietly
def _statistics(x: Any, axes: Any, count: int, eps: float) -> tuple[Any, Any, Any]:
    """Mean, variance and reciprocal deviation of an array; of 16-bit floats in float32."""
    mean, variance = _moments(x.astype(F32) if x.dtype.itemsize == 2 else x, axes, count)
    return mean, variance, 1 / np.sqrt(variance + eps)


def _again(input: Any, axes: Any, count: int, eps: float, mean: Any, rate: Any) -> tuple[Any, Any]:
    """Mean and reciprocal deviation: as saved, or on tensors as functions of the input."""
    if input.__class__ is np.ndarray:
        return mean, rate
    mean, variance = _moments(input, axes, count)
    return mean, 1 / np.sqrt(variance + eps)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def _check_parameters(input: Any, *parameters: Any) -> None:
    """PyTorch's rules for dtypes: the parameters' is the input's, or float32 for 16 bits."""
    for each in parameters:
        if each is not None and each._array.dtype is not input.dtype:
            kind = each._array.dtype
            if kind == input.dtype or (input.dtype.itemsize == 2 and kind == F32):
                continue
            if input.dtype == F64:
                fail(RuntimeError, "mixed dtype (CPU): all inputs must share same datatype.")
            fail(RuntimeError, "mixed dtype (CPU): expect parameter to have scalar type of "
                               f"{legacy(input)}")  # fmt: skip


@op(name="native_layer_norm", check=floating("LayerNormKernelImpl"))
@kernel
def _layer_norm(input, weight, bias, /, axes, count, eps, mean, rate):
    """The input shifted and scaled to mean 0 and variance 1 along axes, times weight, plus bias."""
    return _affine((input - mean) * rate, weight, bias)


def _layer_norm_rule(g, input, weight, axes, count, eps, mean, rate):
    mean, rate = _again(input, axes, count, eps, mean, rate)
    normal = (input - mean) * rate
    to_normal = g if weight is None else g * weight
    shift = total(to_normal, axes) / count
    tilt = total_product(to_normal, normal, axes) / count
    to_input = (to_normal - shift - normal * tilt) * rate
    return to_input, None if weight is None else g * normal, g


_layer_norm.vjp(_layer_norm_rule)


def _last_axes(input: Any, shape: tuple[int, ...], star: str, weight: Any, bias: Any) -> Any:
    """The last axes, if they are of that shape, and if the parameters are."""
    for name, each in (("weight", weight), ("bias", bias)):
        if shape and each is not None and each._array.shape != shape:
            fail(RuntimeError, f"Expected {name} to be of same shape as normalized_shape, but got "
                               f"{name} of shape {list(each.shape)} and normalized_shape = "
                               f"{list(shape)}")  # fmt: skip
    if not shape:
        fail(RuntimeError, "Expected normalized_shape to be at least 1-dimensional, i.e., "
                           "containing at least one element, but got normalized_shape = "
                           "[]")  # fmt: skip
    if input.shape[-len(shape) :] != shape:
        fail(RuntimeError, f"Given normalized_shape={list(shape)}, expected input with shape "
                           f"[*{star}{', '.join(map(str, shape))}], but got input of size"
                           f"{list(input.shape)}")  # fmt: skip
    return -1 if len(shape) == 1 else tuple(range(-len(shape), 0))


def layer_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5,
               cudnn_enable: bool = True) -> Tensor:  # fmt: skip
    """The last dimensions shifted and scaled to mean 0 and variance 1, times weight, plus bias.

    normalized_shape: the sizes of those dimensions, and the shape of weight and bias
    """
    if isinstance(normalized_shape, int):
        fail(TypeError, "layer_norm(): argument 'normalized_shape' (position 2) must be tuple of "
                        "ints, not int")  # fmt: skip
    array, shape = input._array, tuple(normalized_shape)
    axes = _last_axes(array, shape, ", ", weight, bias)
    _check_parameters(array, weight, bias)
    count = math.prod(shape)
    mean, _, rate = _statistics(array, axes, count, eps)
    return _layer_norm(input, weight, bias, axes, count, eps, mean, rate)


@op(name="rms_norm", node="MulBackward0")
@kernel
def _rms_norm(input, weight, /, axes, count, eps, rate):
    """The input scaled to mean square 1 along axes, times weight."""
    return _affine(input * rate, weight, None)


def _rms_rate(x: Any, axes: Any, count: int, eps: float) -> Any:
    return 1 / np.sqrt(total_product(x, x, axes) / count + eps)


@quietly
def _rms_statistic(x: Any, axes: Any, count: int, eps: float) -> Any:
    return _rms_rate(x.astype(F32) if x.dtype.itemsize == 2 else x, axes, count, eps)


def _rms_norm_rule(g, input, weight, axes, count, eps, rate):
    if input.__class__ is not np.ndarray:
        rate = _rms_rate(input, axes, count, eps)
    normal = input * rate
    to_normal = g if weight is None else g * weight
    tilt = total_product(to_normal, normal, axes) / count
    to_input = (to_normal - normal * tilt) * rate
    return to_input, None if weight is None else g * normal


_rms_norm.vjp(_rms_norm_rule)


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
             eps: float | None = None) -> Tensor:  # fmt: skip
    """The last dimensions scaled to mean square 1, times weight.

    eps: added to the mean square; by default the precision of the dtype
    """
    array, shape = input._array, tuple(normalized_shape)
    axes = _last_axes(array, shape, "", weight, None)
    if array.dtype.kind in "biu":
        fail(NotImplementedError, f"\"rms_norm\" not implemented for '{input.dtype.legacy}'")
    if eps is None:
        eps = finfo(input.dtype).eps
    if weight is not None and weight.dtype is not input.dtype:
        weight = cast(weight, input.dtype)
    count = math.prod(shape)
    rate = _rms_statistic(array, axes, count, eps)
    return _rms_norm(input, weight, axes, count, eps, rate)


def _along_channels(x: Any, ndim: int) -> Any:
    """A vector over dimension 1, as it broadcasts."""
    if x is None or ndim < 2:
        return x
    return np.reshape(x, (1, x.shape[0], *(1,) * (ndim - 2)))


@op(name="native_batch_norm", check=floating("batch_norm"))
@kernel
def _batch_norm(input, weight, bias, /, axes, count, eps, mean, rate, training):
    """Each channel (entry of dimension 1) shifted by `mean` and scaled by `rate`, then affine."""
    n = input.ndim
    scale = rate if weight is None else rate * _along_channels(weight, n)
    return _affine(input - mean, scale, _along_channels(bias, n))


def _batch_norm_rule(g, input, weight, axes, count, eps, mean, rate, training):
    if training:
        mean, rate = _again(input, axes, count, eps, mean, rate)
    normal = (input - mean) * rate
    to_bias = np.add.reduce(g, axis=axes, keepdims=True)
    to_weight = np.add.reduce(g * normal, axis=axes, keepdims=True)
    scale = rate if weight is None else rate * _along_channels(weight, input.ndim)
    to_input = g - to_bias / count - normal * (to_weight / count) if training else g
    return to_input * scale, np.reshape(to_weight, (-1,)), np.reshape(to_bias, (-1,))


_batch_norm.vjp(_batch_norm_rule)


def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
               weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Each channel (entry of dimension 1) shifted and scaled to mean 0 and variance 1, then affine.

    training: by the batch's own mean and variance, which move the running ones by `momentum`; else
    by the running ones
    """
    if training and eps <= 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    array = input._array
    channels = array.shape[1] if array.ndim > 1 else 0
    count = array.size // channels if channels else 0
    if training and count == 1:
        raise ValueError("Expected more than 1 value per channel when training, got input size "
                         f"{input.shape}")  # fmt: skip
    return normalised_batch(input, running_mean, running_var, weight, bias, training, momentum, eps)


def normalised_batch(input: Tensor, running_mean: Any, running_var: Any, weight: Any, bias: Any,
                     training: bool, momentum: float, eps: float) -> Tensor:  # fmt: skip
    """`batch_norm`, whatever the number of values."""
    array = input._array
    ndim = array.ndim
    channels = array.shape[1] if ndim > 1 else 0
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight,
             "bias": bias}  # fmt: skip
    if training and (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    for name, each in named.items():
        if each is not None and each._array.size != channels:
            fail(RuntimeError, f"{name} should contain {channels} elements not {each._array.size}")
        if each is None and not training and name.startswith("running"):
            fail(RuntimeError, f"{name} must be defined in evaluation mode")
    if input.dtype.category >= 2:
        _check_parameters(array, *named.values())
    axes = (0, *range(2, ndim))
    count = array.size // channels if channels else 0
    if not training:
        mean = np.copy(_along_channels(running_mean._array, ndim))
        rate = quietly(np.reciprocal)(np.sqrt(_along_channels(running_var._array, ndim) + eps))
    else:
        mean, variance, rate = _statistics(array, axes, count, eps)
        if running_mean is not None and count:
            _move(running_mean, mean.reshape(-1), momentum)
            _move(running_var, variance.reshape(-1) * (count / max(count - 1, 1)), momentum)
    return _batch_norm(input, weight, bias, axes, count, eps, mean, rate, training)


def _move(running: Tensor, new: Any, momentum: float) -> None:
    """Move a running statistic towards a new value."""
    if isinstance(new, Duck) and not isinstance(running._array, Duck):
        new.refuse("statistics")
    store(running, (1 - momentum) * running._array + momentum * new)
    bump(running, here())


def instance_norm(input: Tensor, running_mean: Tensor | None = None,
                  running_var: Tensor | None = None, weight: Tensor | None = None,
                  bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1,
                  eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Each channel of each example shifted and scaled to mean 0 and variance 1, then affine."""
    shape = tuple(input.shape)
    if use_input_stats and math.prod(shape[2:]) == 1:
        raise ValueError("Expected more than 1 spatial element when training, got input size "
                         f"{input.shape}")  # fmt: skip
    if not use_input_stats and (running_mean is None or running_var is None):
        fail(RuntimeError, "Expected running_mean and running_var to be defined when "
                           "use_input_stats is false")  # fmt: skip
    batch, channels = shape[:2]

    def repeated(t: Any) -> Any:
        return None if t is None else t.repeat(batch)

    means, variances = repeated(running_mean), repeated(running_var)
    flat = input.reshape(1, batch * channels, *shape[2:])  # type: ignore[attr-defined]
    found = normalised_batch(flat, means, variances, repeated(weight), repeated(bias),
                             use_input_stats, momentum, eps)  # fmt: skip
    if use_input_stats:
        for running, each in ((running_mean, means), (running_var, variances)):
            if running is not None:
                store(running, np.mean(each._array.reshape(batch, channels), axis=0))
                bump(running, here())
    return found.reshape(shape)  # type: ignore[attr-defined]


@op(name="native_group_norm", check=floating("GroupNormKernelImpl"))
@kernel
def _group_norm(input, weight, bias, /, grouped, eps, mean, rate):
    """Groups of channels shifted and scaled to mean 0 and variance 1, then affine by channel."""
    n = input.ndim
    normal = np.reshape((np.reshape(input, grouped) - mean) * rate, input.shape)
    return _affine(normal, _along_channels(weight, n), _along_channels(bias, n))


def _group_norm_rule(g, input, weight, grouped, eps, mean, rate):
    count, n = grouped[2], input.ndim
    x = np.reshape(input, grouped)
    mean, rate = _again(x, -1, count, eps, mean, rate)
    normal = (x - mean) * rate
    to_normal = np.reshape(_affine(g, _along_channels(weight, n), None), grouped)
    shift = total(to_normal, -1) / count
    tilt = total_product(to_normal, normal, -1) / count
    to_input = np.reshape((to_normal - shift - normal * tilt) * rate, input.shape)
    axes = (0, *range(2, n))
    to_weight = np.add.reduce(g * np.reshape(normal, input.shape), axis=axes)
    return to_input, to_weight, np.add.reduce(g, axis=axes)


_group_norm.vjp(_group_norm_rule)


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5,
               cudnn_enabled: bool = True) -> Tensor:  # fmt: skip
    """Groups of channels shifted and scaled to mean 0 and variance 1, then affine by channel."""
    shape = tuple(input.shape)
    if len(shape) < 2:
        fail(RuntimeError, "Expected at least 2 dimensions for input tensor but received "
                           f"{len(shape)}")  # fmt: skip
    if shape[1] % num_groups:
        fail(RuntimeError, "Expected number of channels in input to be divisible by num_groups, "
                           f"but got input of shape {list(shape)} and num_groups="
                           f"{num_groups}")  # fmt: skip
    for name, each in (("weight", weight), ("bias", bias)):
        if each is not None and tuple(each.shape) != shape[1:2]:
            fail(RuntimeError, f"Expected {name} to be a vector of size equal to the number of "
                               f"channels in input, but got {name} of shape {list(each.shape)} "
                               f"and input of shape {list(shape)}")  # fmt: skip
    array = input._array
    _check_parameters(array, weight, bias)
    count = shape[1] // num_groups * math.prod(shape[2:])
    grouped = (shape[0], num_groups, count)
    mean, _, rate = _statistics(array.reshape(grouped), -1, count, eps)
    return _group_norm(input, weight, bias, grouped, eps, mean, rate)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """The input divided by its norm along a dimension, which counts as `eps` if smaller."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)  # type: ignore[attr-defined]


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75,
                        k: float = 1.0) -> Tensor:  # fmt: skip
    """Each element divided by (k + alpha · mean square of `size` channels around it)^beta."""
    shape = tuple(input.shape)
    if len(shape) < 3:
        raise ValueError("Expected 3D or higher dimensionality                          input "
                         f"(got {len(shape)} dimensions)")  # fmt: skip
    if size <= 0:
        fail(RuntimeError, f"kernel size should be greater than zero, but got kH: {size} kW: 1")
    around = (0, 0) * (len(shape) - 2) + (size // 2, (size - 1) // 2)
    squares = constant_pad_nd(input * input, around)
    total = squares.narrow(1, 0, shape[1])
    for start in range(1, size):
        total = total + squares.narrow(1, start, shape[1])
    return input / (total / size * alpha + k) ** beta


# Padding


@op(name="constant_pad_nd")
@quietly
def _constant_pad(input, /, widths, value):
    """`value` around the input: for each dimension as many before and after; cut off where < 0."""
    if any(w < 0 for pair in widths for w in pair):
        input = input[tuple(
            slice(max(-before, 0), size - max(-after, 0))
            for (before, after), size in zip(widths, input.shape, strict=True)
        )]  # fmt: skip
        widths = tuple((max(before, 0), max(after, 0)) for before, after in widths)
        if not any(w for pair in widths for w in pair):
            return np.copy(input)
    return np.pad(input, widths, constant_values=value)


_constant_pad.vjp(input=lambda g, widths: _constant_pad(g, tuple((-a, -b) for a, b in widths), 0))


def _widths(input: Tensor, pad: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Per dimension what to add before and after; `pad` has that of the last dimension first."""
    if len(pad) % 2:
        fail(RuntimeError, "Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        fail(RuntimeError, "Padding length should be less than or equal to two times the input "
                           f"dimension but got padding length {len(pad)} and input of dimension "
                           f"{input.ndim}")  # fmt: skip
    pairs = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)]
    pairs += [(0, 0)] * (input.ndim - len(pairs))
    for size, (before, after) in zip(reversed(input.shape), pairs, strict=True):
        cut = max(-before, 0) + max(-after, 0)
        if cut > size:
            fail(RuntimeError, "narrow(): length must be non-negative.")
    return tuple(reversed(pairs))


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """The input with `value` around it.

    pad: how much before and after the last dimension, then the one before it, and so on
    """
    if input.dtype.category < 2:
        value = int(value)
    return _constant_pad(input, _widths(input, pad), value)


@op
@kernel
def index_pad_backward(input, /, indexes):
    """The sums of what `index_pad` takes from each place: its transpose."""
    for axis, index, size in indexes:
        order = np.argsort(index, kind="stable")
        taken, starts = np.unique(index[order], return_index=True)
        input = np.add.reduceat(np.take(input, order, axis=axis), starts, axis=axis)
        if len(taken) < size:  # places that were cut off
            places = np.minimum(np.searchsorted(taken, np.arange(size)), len(taken) - 1)
            column = np.reshape(taken[places] == np.arange(size), (-1,) + (1,) * (-1 - axis))
            input = np.where(column, np.take(input, places, axis=axis), 0)
    return input


def _index_pad_op(node: str) -> Any:
    @op(name="index_pad", node=node)
    def index_pad(input, /, indexes):
        """The input with more of itself around it: along each axis, the elements at the index.

        indexes: of (axis, counted from the end; index; size of the input's axis)
        """
        for axis, index, _ in indexes:
            input = np.take(input, index, axis=axis)
        return input

    return index_pad.vjp(input=lambda g, indexes: index_pad_backward(g, indexes))


_PAD_NODES = {"reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": "CircularPad"}
_INDEX_PADS = {(mode, n): _index_pad_op(f"{name}{n}DBackward0")
               for mode, name in _PAD_NODES.items() for n in (1, 2, 3)}  # fmt: skip
index_pad_backward.vjp(input=lambda g, indexes: _INDEX_PADS["reflect", 1](g, indexes))


def _places(mode: str, size: int, before: int, after: int) -> Any:
    """Where along an axis the elements of the padded one come from."""
    if mode == "circular":  # of what a negative padding leaves
        left = np.arange(max(-before, 0), size - max(-after, 0))
        return left[np.arange(min(-before, 0), len(left) + max(after, 0)) % len(left)]
    places = np.arange(-before, size + after)
    if mode == "replicate":
        return np.minimum(np.maximum(places, 0), size - 1)
    return size - 1 - np.abs(size - 1 - np.abs(places))


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant",
        value: float | None = None) -> Tensor:  # fmt: skip
    """The input with more around it.

    pad: how much before and after the last dimension, then the one before it, and so on
    mode: constant (`value`), reflect (mirrored at the edge element), replicate (the edge element)
    or circular
    """
    if mode == "constant":
        return constant_pad_nd(input, pad, 0 if value is None else value)
    if mode not in _PAD_NODES:
        fail(NotImplementedError, f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        fail(RuntimeError, f'Padding mode "{mode}" doesn\'t take in value argument')
    widths = _widths(input, pad)
    dims = len(pad) // 2
    if not 1 <= dims <= 3 or input.ndim not in (dims + 1, dims + 2):
        fail(NotImplementedError,
             f"Padding size {len(pad)} is not supported for {input.ndim}D input tensor.\n"
             "Supported combinations for non-constant padding:\n"
             "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
             "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
             "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)")  # fmt: skip
    indexes = []
    for axis in range(-dims, 0):
        before, after = widths[axis]
        size = input.shape[axis]
        if not size or (mode == "circular" and size + min(before, 0) + min(after, 0) < 1):
            fail(RuntimeError, f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with "
                               "possibly 0 batch size and other non-zero dimensions for input, "
                               f"but got: {list(input.shape)}")  # fmt: skip
        if mode == "reflect" and max(before, after) >= size:
            fail(RuntimeError, f"Argument #{2 - 2 * axis}: Padding size should be less than the "
                               "corresponding input dimension, but got: padding "
                               f"({before}, {after}) at dimension {input.ndim + axis} of input "
                               f"{list(input.shape)}")  # fmt: skip
        if mode == "circular" and max(before, after) > size:
            fail(RuntimeError, "Padding value causes wrapping around more than once.")
        if before or after:
            indexes.append((axis, _places(mode, size, before, after), size))
    return _INDEX_PADS[mode, dims](input, tuple(indexes))


# Embedding: rows of a table

_INDEX_KINDS = (np.dtype(np.int64), np.dtype(np.int32))


def _shares(indices: Any, rows: int, padding_idx: int, scale: bool) -> Any:
    """What part of its gradient each index adds to its row; None where that is all of it."""
    if scale:
        counts = np.bincount(indices.ravel(), minlength=rows)
        shares = 1 / counts[indices]
        return shares if padding_idx < 0 else np.where(indices == padding_idx, 0, shares)
    return None if padding_idx < 0 else np.where(indices == padding_idx, 0, 1)


def _shared(x: Any, indices: Any, rows: int, padding_idx: int, scale: bool) -> Any:
    shares = _shares(indices, rows, padding_idx, scale)
    return x if shares is None else x * np.expand_dims(shares, -1).astype(x.dtype)


@op
@kernel
def embedding_backward(input, indices, /, rows, padding_idx, scale):
    """The sum, for each row of the table, of the gradients where it was taken."""
    width = input.shape[-1]
    g = _shared(input, indices, rows, padding_idx, scale)
    total = zeros((g, indices), (rows * width,))
    places = np.reshape(indices, (-1, 1)) * width + np.arange(width)
    np.add.at(total, np.reshape(places, (-1,)), np.reshape(g, (-1,)))
    return np.reshape(total, (rows, width))


@op
@kernel
def embedding_double_backward(input, indices, /, padding_idx, scale):
    """What `embedding_backward` sends back: the rows, with each index's share."""
    rows = take(input, indices, 0)
    return _shared(rows, indices, input.shape[0], padding_idx, scale)


embedding_backward.vjp(
    input=lambda g, indices, padding_idx, scale: embedding_double_backward(
        g, indices, padding_idx, scale
    )
)
embedding_double_backward.vjp(
    input=lambda g, indices, input_shape, padding_idx, scale: embedding_backward(
        g, indices, input_shape[0], padding_idx, scale
    )
)


def _fail_index(weight: Any, indices: Any) -> NoReturn:
    rows, indices = weight.shape[0], whole(indices)
    wrong = indices[(indices < 0) | (indices >= rows)]
    raise failure(IndexError, "index out of range in self",
                  f"index {wrong.flat[0]}, but the table has {rows} rows: indices go from 0 to "
                  f"{rows - 1}",
                  "to do: make the table larger (num_embeddings), or map unknown indices to one of "
                  "its rows") from None  # fmt: skip


@op(name="embedding")
def _embedding(weight, indices, /, padding_idx, scale):
    """The rows of a table at the indices: f[n, m], i[...] -> f[..., m]."""
    if not isinstance(indices, Tensor) and indices.size:
        if np.minimum.reduce(whole(indices), axis=None) < 0:
            _fail_index(weight, indices)
    try:
        return take(weight, indices, 0)
    except IndexError:
        _fail_index(weight, indices)


_embedding.vjp(
    weight=lambda g, indices, weight_shape, padding_idx, scale: embedding_backward(
        g, indices, weight_shape[0], padding_idx, scale
    )
)


def embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:  # fmt: skip
    """The rows of a table at the indices: f[n, m], i[...] -> f[..., m].

    padding_idx: a row that gets no gradient; scale_grad_by_freq: divide a row's gradient by how
    often it was taken; sparse: accepted, gradients are dense
    """
    if weight.ndim != 2:
        fail(RuntimeError, "'weight' must be 2-D")
    if indices._array.dtype not in _INDEX_KINDS:
        fail(RuntimeError, "Expected tensor for argument #1 'indices' to have one of the following "
                           f"scalar types: Long, Int; but got torch.{indices.dtype.legacy}Tensor "
                           "instead (while checking arguments for embedding)")  # fmt: skip
    return _embedding(weight, indices, padding_idx, scale_grad_by_freq)


def renormed_rows(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale, in place, those rows of a table at the indices whose norm is above `max_norm`."""
    array = weight._array
    rows = np.unique(indices._array)
    taken = array[rows]
    norms = np.linalg.norm(taken, ord=norm_type, axis=1, keepdims=True)
    array[rows] = np.where(norms > max_norm, taken * (max_norm / (norms + 1e-7)), taken)
    bump(weight, here())


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A 1 at the place that each index names, else 0: i[...] -> i[..., num_classes]."""
    array = tensor._array
    if array.dtype != _INDEX_KINDS[0]:
        fail(RuntimeError, "one_hot is only applicable to index tensor of type LongTensor.")
    if not array.size and num_classes <= 0:
        fail(RuntimeError, "Can not infer total number of classes from empty tensor.")
    if array.size:
        if array.min() < 0:
            fail(RuntimeError, "Class values must be non-negative.")
        if num_classes == -1:
            num_classes = int(array.max()) + 1
        elif array.max() >= num_classes:
            fail(RuntimeError, "Class values must be smaller than num_classes.")
    return wrap((array[..., None] == np.arange(num_classes)).astype(np.int64))


# Distances


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The products of two tensors along a dimension, of both divided by their norms.

    eps: what a norm counts as if it is smaller
    """
    common = result_type(x1, x2)
    if common.category < 2:
        fail(RuntimeError, "expected common dtype to be floating point, yet common dtype is "
                           f"{common.legacy}")  # fmt: skip
    both: list[Any] = [cast(x1, common), cast(x2, common)]
    shape = np.broadcast_shapes(*(x._array.shape for x in both))
    units: list[Any] = []
    for x in both:
        x = x if x._array.shape == shape else x.expand(shape)
        norm = x.norm(2, dim, keepdim=True).clone()
        with no_grad():
            norm.clamp_min_(eps)
        units.append(x / norm)
    return (units[0] * units[1]).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6,
                      keepdim: bool = False) -> Tensor:  # fmt: skip
    """The norm of x1 - x2 + eps along the last dimension."""
    return (x1 - x2 + eps).norm(p, -1, keepdim)


# Attention


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(query @ key.T · scale + mask) @ value: f[..., l, e], f[..., s, e], f[..., s, v].

    attn_mask: True where a query may see a key, or numbers to add; is_causal: each query sees the
    keys up to its own place; scale: 1/√e by default; enable_gqa: heads (dimension -3) of key and
    value serve several heads of the query
    """
    if not query.dtype is key.dtype is value.dtype:
        kinds = [c_name(t._array) for t in (query, key, value)]
        fail(RuntimeError, "Expected query, key, and value to have the same dtype, but got "
                           f"query.dtype: {kinds[0]} key.dtype: {kinds[1]} and value.dtype: "
                           f"{kinds[2]} instead.")  # fmt: skip
    if min(query.ndim, key.ndim, value.ndim) < 2:
        fail(RuntimeError, "Expected query, key, and value to all be  at least 2 dimensional, but "
                           f"got query.dim: {query.ndim} key.dim: {key.ndim} and value.dim: "
                           f"{value.ndim} instead.")  # fmt: skip
    if is_causal and attn_mask is not None:
        fail(RuntimeError, "_scaled_dot_product_attention: Explicit attn_mask should not be set "
                           "when is_causal=True")  # fmt: skip
    if attn_mask is not None and attn_mask.dtype.category and attn_mask.dtype is not query.dtype:
        if attn_mask._array.dtype != F32:
            fail(RuntimeError, "Expected attn_mask dtype to be bool or float or to match query "
                               f"dtype, but got attn_mask.dtype: {c_name(attn_mask._array)} and  "
                               f"query.dtype: {c_name(query._array)} instead.")  # fmt: skip
        attn_mask = cast(attn_mask, query.dtype)
    if enable_gqa:
        heads = query.shape[-3]
        if heads % key.shape[-3] or heads % value.shape[-3]:
            fail(RuntimeError, "Number of heads in key and value must divide the number of heads "
                               "in ")  # fmt: skip
        key = key.repeat_interleave(heads // key.shape[-3], -3)  # type: ignore[attr-defined]
        value = value.repeat_interleave(heads // value.shape[-3], -3)  # type: ignore[attr-defined]
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1])
    kind = query.dtype
    if kind.itemsize == 2:
        query, key, value = (cast(t, float32) for t in (query, key, value))
    scores = matmul(query * scale, key.transpose(-2, -1))  # type: ignore[attr-defined]
    if is_causal:
        hidden = ~np.tri(query.shape[-2], key.shape[-2], dtype=bool)
        scores = scores.masked_fill(wrap(hidden), -math.inf)
    elif attn_mask is not None and attn_mask.dtype.category == 0:
        scores = scores.masked_fill(wrap(~attn_mask._array), -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    if attn_mask is None:
        weights = softmax(scores, -1)
    else:
        weights = safe_softmax(scores, scores.ndim - 1)
    return cast(matmul(dropped(weights, dropout_p, True, False), value), kind)
