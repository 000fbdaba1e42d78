"""Losses: how far predictions are from targets. All have PyTorch's three reductions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..duck import take, whole
from ..graph.modes import no_grad
from ..graph.operator import op
from ..graph.source import fail, failure
from ..tensor import Size, Tensor, as_array, wrap
from .activations import floating, kernel, log_softmax, logistic, logsigmoid
from .casting import cast
from .comparison import minimum, where
from .elementwise import xlogy
from .layers import pairwise_distance
from .products import legacy

# Reductions


def chosen(reduction: str, size_average: Any, reduce: Any) -> str:
    """The reduction, also of the arguments that came before it, with PyTorch's warning."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        found = "none"
    else:
        found = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{found}' instead.",
        stacklevel=3,
    )
    return found


def check_reduction(reduction: str) -> None:
    """Raise for what is no reduction."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def _reduced(values: Any, reduction: str) -> Any:
    """An array's elements, or their sum or mean."""
    if reduction == "none":
        return values
    total = np.add.reduce(values, axis=None)
    return total / values.size if reduction == "mean" else total


def reduced(values: Tensor, reduction: str) -> Tensor:
    """A tensor's elements, or their sum or mean, as operators of their own."""
    if reduction == "mean":
        return values.mean()  # type: ignore[attr-defined]
    return values.sum() if reduction == "sum" else values  # type: ignore[attr-defined]


def _each(g: Any, values: Any, reduction: str) -> Any:
    """The gradient of each of the values that were reduced, from that of the result."""
    return g / math.prod(values.shape) if reduction == "mean" else g


# Regression


@op(name="mse_loss", promote="same", elementwise=False, check=floating("mse_cpu"))
@kernel
def _mse_loss(input, target, /, reduction):
    """The squared differences between input and target, reduced."""
    away = input - target
    return _reduced(away * away, reduction)


def _mse_rule(g: Any, input: Any, target: Any, reduction: str) -> Any:
    away = input - target
    return away * (g * (2 / math.prod(away.shape)) if reduction == "mean" else g * 2)


_mse_loss.vjp(
    input=_mse_rule,
    target=lambda g, input, target, reduction: _mse_rule(g, target, input, reduction),
)


def mse_loss(input: Tensor, target: Tensor, size_average: bool | None = None,
             reduce: bool | None = None, reduction: str = "mean",
             weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of the squared differences between input and target."""
    reduction = chosen(reduction, size_average, reduce)
    return _of_differences(_mse_loss, (), input, target, reduction, weight)


def _of_differences(call: Any, params: tuple[Any, ...], input: Tensor, target: Tensor,
                    reduction: str, weight: Any) -> Tensor:  # fmt: skip
    """What the losses by differences share: a warning, the reduction, weights."""
    if input._array.shape != target._array.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )
    if weight is None:
        check_reduction(reduction)
        return call(input, target, reduction, *params)
    loss = call(input, target, "none", *params)
    if weight.shape != loss.shape:
        raise ValueError("Weights and input must have the same size.")
    total = loss * weight
    return total.sum() / weight.sum() if reduction == "mean" else reduced(total, reduction)


def _absolute(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    return reduced((input - target).abs(), reduction)  # type: ignore[attr-defined]


def l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None,
            reduce: bool | None = None, reduction: str = "mean",
            weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of the absolute differences between input and target."""
    reduction = chosen(reduction, size_average, reduce)
    return _of_differences(_absolute, (), input, target, reduction, weight)


@op(name="smooth_l1_loss", node="SmoothL1LossBackward0", promote="same", elementwise=False,
    check=floating("smooth_l1_cpu"))  # fmt: skip
@kernel
def _smooth_l1_loss(input, target, /, reduction, beta):
    """d²/2beta of the differences d below `beta`, |d| - beta/2 of the others, reduced."""
    size = np.abs(input - target)
    return _reduced(np.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta), reduction)


def _smooth_l1_rule(g: Any, input: Any, target: Any, reduction: str, beta: float) -> Any:
    away = input - target
    slope = np.where(np.abs(away) < beta, away / beta, np.sign(away))
    return slope * _each(g, away, reduction)


_smooth_l1_loss.vjp(
    input=_smooth_l1_rule,
    target=lambda g, input, target, reduction, beta: _smooth_l1_rule(
        g, target, input, reduction, beta
    ),
)


def smooth_l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None,
                   reduce: bool | None = None, reduction: str = "mean",
                   beta: float = 1.0) -> Tensor:  # fmt: skip
    """The mean of d²/2beta for differences d below `beta`, of |d| - beta/2 for others."""
    if beta < 0:
        fail(RuntimeError, "smooth_l1_loss does not support negative values for beta.")
    call, params = (_smooth_l1_loss, (beta,)) if beta else (_absolute, ())
    reduction = chosen(reduction, size_average, reduce)
    return _of_differences(call, params, input, target, reduction, None)


@op(name="huber_loss", promote="same", elementwise=False, check=floating("huber_cpu"))
@kernel
def _huber_loss(input, target, /, reduction, delta):
    """d²/2 of the differences d up to `delta`, delta · (|d| - delta/2) of the others, reduced."""
    size = np.abs(input - target)
    far = delta * (size - 0.5 * delta)
    return _reduced(np.where(size <= delta, 0.5 * size * size, far), reduction)


def _huber_rule(g: Any, input: Any, target: Any, reduction: str, delta: float) -> Any:
    away = input - target
    slope = np.where(np.abs(away) < delta, away, np.sign(away) * delta)
    return slope * _each(g, away, reduction)


_huber_loss.vjp(
    input=_huber_rule,
    target=lambda g, input, target, reduction, delta: _huber_rule(
        g, target, input, reduction, delta
    ),
)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
               weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of d²/2 for differences d up to `delta`, of delta · (|d| - delta/2) for others."""
    if delta <= 0:
        fail(RuntimeError, "huber_loss does not support non-positive values for delta.")
    if input.dtype.category == target.dtype.category == 2:
        target = cast(target, input.dtype)
    return _of_differences(_huber_loss, (delta,), input, target, reduction, weight)


# Two classes, by probability or by logit


def _loss_shape(input: Any, weight: Any) -> Any:
    """Something of the shape of a loss that a weight may have broadcast."""
    return input if weight is None else input * weight


_LEAST = float(np.float32(1e-12))  # also for doubles


@op(name="binary_cross_entropy", check=floating("binary_cross_entropy"))
@kernel
def _binary_cross_entropy(input, target, weight, /, reduction):
    """-target · log(input) - (1 - target) · log(1 - input), logarithms not below -100, reduced."""
    if input.__class__ is np.ndarray:
        for name, each in (("input", input), ("target", target)):
            if not np.logical_and.reduce((each >= 0) & (each <= 1), axis=None):
                raise RuntimeError(f"all elements of {name} should be between 0 and 1")
    loss = (target - 1) * np.maximum(np.log1p(-input), -100)
    loss = loss - target * np.maximum(np.log(input), -100)
    return _reduced(loss if weight is None else loss * weight, reduction)


def _bce_input(g: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
    slope = (input - target) / np.maximum(input * (1 - input), _LEAST)
    slope = _loss_shape(slope, weight)
    return slope * _each(g, slope, reduction)


def _bce_target(g: Any, input: Any, weight: Any, reduction: str) -> Any:
    slope = _loss_shape(np.log1p(-input) - np.log(input), weight)
    return slope * _each(g, slope, reduction)


_binary_cross_entropy.vjp(input=_bce_input, target=_bce_target)


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None,
                         size_average: bool | None = None, reduce: bool | None = None,
                         reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of -target · log(input) - (1 - target) · log(1 - input), of probabilities."""
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    if target.dtype is not input.dtype:
        fail(RuntimeError, f"Found dtype {target.dtype.legacy} but expected {input.dtype.legacy}")
    if weight is not None:
        _check_broadcast(tuple(weight.shape), tuple(input.shape))
        weight = cast(weight, input.dtype)
    return _binary_cross_entropy(input, target, weight, reduction)


def _check_broadcast(have: tuple[int, ...], want: tuple[int, ...]) -> None:
    for back in range(1, len(have) + 1):
        size = have[-back]
        if size != 1 and (back > len(want) or size != want[-back]):
            fail(RuntimeError, f"Attempting to broadcast a dimension of length {size} at -{back}! "
                               f"Mismatching argument at index 1 had {Size(have)}; but expected "
                               f"shape should be broadcastable to {list(want)}")  # fmt: skip


def _check_logits(input: Any, target: Any, *weights: Any) -> None:
    if input.dtype.kind in "biuc":
        raise NotImplementedError(f"\"log_sigmoid_cpu\" not implemented for '{legacy(input)}'")
    if target.dtype.kind in "biu":
        raise RuntimeError(f"result type {legacy(input)} can't be cast to the desired output type "
                           f"{legacy(target)}")  # fmt: skip


@op(name="binary_cross_entropy_with_logits", promote="same", elementwise=False, check=_check_logits)
@kernel
def _binary_cross_entropy_with_logits(input, target, weight, pos_weight, /, reduction):
    """The binary cross entropy of the sigmoid of the input, without its loss of accuracy."""
    rest = np.log1p(np.exp(-np.abs(input)))  # of -log(sigmoid(x)), beyond max(-x, 0)
    if pos_weight is None:
        loss = np.maximum(input, 0) - input * target + rest
    else:
        scale = (pos_weight - 1) * target + 1
        loss = (1 - target) * input + scale * (np.maximum(-input, 0) + rest)
    return _reduced(loss if weight is None else loss * weight, reduction)


def _bce_logits_input(g: Any, input: Any, target: Any, weight: Any, pos_weight: Any,
                      reduction: str) -> Any:  # fmt: skip
    if pos_weight is None:
        slope = logistic(input) - target
    else:
        positive = pos_weight * target
        slope = (positive + 1 - target) * logistic(input) - positive
    slope = _loss_shape(slope, weight)
    return slope * _each(g, slope, reduction)


def _bce_logits_target(g: Any, input: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    slope = -input if pos_weight is None else logsigmoid(-input) - pos_weight * logsigmoid(input)
    slope = _loss_shape(slope, weight)
    return slope * _each(g, slope, reduction)


_binary_cross_entropy_with_logits.vjp(input=_bce_logits_input, target=_bce_logits_target)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The mean binary cross entropy of the sigmoid of the input, and of target probabilities.

    pos_weight: what the positive examples weigh
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if input._array.shape != target._array.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size "
                         f"({input.shape})")  # fmt: skip
    return _binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)


# Classes

_INT64 = np.dtype(np.int64)


def _rows(x: Any) -> Any:
    """Examples by classes: the classes are dimension 1, of vectors the only one."""
    if x.ndim == 2:
        return x
    if x.ndim < 2:
        return np.reshape(x, (1, -1))
    return np.reshape(np.moveaxis(x, 1, -1), (-1, x.shape[1]))


def _flat(target: Any) -> Any:
    return target if target.ndim == 1 else np.reshape(target, (-1,))


def _counted(target: Any, weight: Any, ignore_index: int) -> tuple[Any, Any]:
    """Where targets count, and what each weighs; None for everywhere and for 1."""
    kept = None
    if ignore_index >= 0 or target.__class__ is not np.ndarray or (
        target.size and np.minimum.reduce(target) < 0
    ):  # fmt: skip
        kept = target != ignore_index
    if weight is None:
        return kept, None
    if kept is None:
        return None, take(weight, target)
    return kept, np.where(kept, take(weight, np.where(kept, target, 0)), 0)


def _weight_sum(target: Any, kept: Any, share: Any, like: Any) -> Any:
    """The sum of the weights, in the dtype of `like`."""
    if share is not None:
        return np.add.reduce(share, axis=None)
    return target.size if kept is None else np.add.reduce(kept, axis=None, dtype=like.dtype)


def _fail_target(wrong: Any, classes: int) -> NoReturn:
    raise failure(IndexError, f"Target {wrong} is out of bounds.",
                  f"the input has {classes} classes: targets go from 0 to {classes - 1}",
                  "to do: count classes from 0, give the last layer more outputs, or leave targets out "
                  "with ignore_index") from None  # fmt: skip


def _nll_forward(input, target, weight, /, ignore_index, reduction):
    """Less the input at each target class, reduced; the mean is over the weights."""
    rows, flat = _rows(input), _flat(target)
    try:
        kept, share = _counted(flat, weight, ignore_index)
        places = flat if kept is None else np.where(kept, flat, 0)
        if kept is not None and flat.__class__ is np.ndarray and places.size:
            if np.minimum.reduce(places) < 0:
                raise IndexError
        values = -rows[np.arange(rows.shape[0]), places]
    except IndexError:
        outside = (flat != ignore_index) & ((flat < 0) | (flat >= rows.shape[1]))
        _fail_target(flat[outside][0], rows.shape[1])
    if share is not None:
        values = values * share
    if kept is not None:
        values = np.where(kept, values, 0)
    if reduction == "none":
        return np.reshape(values, target.shape if input.ndim > 1 else ())
    found = np.add.reduce(values, axis=None)
    return found / _weight_sum(flat, kept, share, values) if reduction == "mean" else found


@op
@kernel
def nll_loss_backward(input, target, weight, /, shape, ignore_index, reduction):
    """The gradient of `nll_loss` for an input of a shape, from that of its result."""
    classes = shape[1] if len(shape) > 1 else shape[0]
    flat = _flat(target)
    each = -input
    if weight is not None or reduction == "mean":
        kept, share = _counted(flat, weight, ignore_index)
        if reduction == "mean":
            each = each / _weight_sum(flat, kept, share, input)
        if share is not None:
            each = (_flat(each) if reduction == "none" else each) * share
    if each.ndim:
        each = np.reshape(each, (-1, 1))
    hot = flat[:, None] == np.arange(classes)
    if ignore_index >= 0:
        hot = hot & (flat != ignore_index)[:, None]
    found = np.where(hot, each, 0)
    if len(shape) == 2:
        return found
    if len(shape) < 2:
        return np.reshape(found, shape)
    return np.moveaxis(np.reshape(found, (shape[0], *shape[2:], classes)), -1, 1)


def _nll_op(node: str) -> Any:
    call = op(name="nll_loss", node=node, check=floating("nll_loss_out_frame"))(
        kernel(_nll_forward)
    )
    return call.vjp(
        input=lambda g, target, weight, input_shape, ignore_index, reduction: nll_loss_backward(
            g, target, weight, input_shape, ignore_index, reduction
        )
    )


_nll_loss, _nll_loss_2d = _nll_op("NllLossBackward0"), _nll_op("NllLoss2DBackward0")
nll_loss_backward.vjp(
    input=lambda g, target, weight, ignore_index, reduction: _nll_loss(
        g, target, weight, ignore_index, reduction
    )
)


def _nll(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int,
         reduction: str) -> Tensor:  # fmt: skip
    """`nll_loss` of checked arguments."""
    shape, aim = input._array.shape, target._array.shape
    if len(shape) > 2 or len(aim) > 1 or (len(shape) > 1 and shape[:1] != aim):
        _check_targets(shape, aim)
    kind = target._array.dtype
    if kind is not _INT64 and kind not in (_INT64, np.dtype(np.uint8)):
        fail(RuntimeError, "expected target dtype to be Long or Byte, but got "
                           f"{target.dtype.legacy}",
             f"a target of shape {list(aim)} for an input of shape {list(shape)} is class indices",
             "to do: target.long(); probabilities need the input's shape")  # fmt: skip
    if weight is not None:
        classes = shape[1] if len(shape) > 1 else shape[0]
        if weight._array.shape != (classes,):
            fail(RuntimeError, f"weight tensor should be defined either for all {classes} classes "
                               f"or no classes but got weight tensor of shape: "
                               f"{list(weight.shape)}")  # fmt: skip
        if weight.dtype is not input.dtype:
            fail(RuntimeError, f"expected scalar type {input.dtype.legacy} but found "
                               f"{weight.dtype.legacy}")  # fmt: skip
    call = _nll_loss if len(shape) <= 2 else _nll_loss_2d
    return call(input, target, weight, ignore_index, reduction)


def _check_targets(shape: tuple[int, ...], aim: tuple[int, ...]) -> None:
    if len(shape) > 1 and (not aim or shape[0] != aim[0]):
        batch = aim[0] if aim else 1
        fail(ValueError, f"Expected input batch_size ({shape[0]}) to match target batch_size "
                         f"({batch}).")  # fmt: skip
    if len(shape) <= 2 and len(aim) > 1:
        fail(RuntimeError, "0D or 1D target tensor expected, multi-target not supported")
    if len(shape) == 4 and len(aim) != 3:
        fail(RuntimeError, "only batches of spatial targets supported (3D tensors) but got targets "
                           f"of dimension: {len(aim)}")  # fmt: skip
    if len(shape) == 4 and aim[1:] != shape[2:]:
        fail(RuntimeError, f"size mismatch (got input: {list(shape)} , target: {list(aim)}")
    if len(shape) > 2 and aim[1:] != shape[2:]:
        wanted = [shape[0], *shape[2:]]
        fail(RuntimeError, f"Expected target size {wanted}, got {list(aim)}")


def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None,
             size_average: bool | None = None, ignore_index: int = -100,
             reduce: bool | None = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of -input at the target class; input of log-probabilities, classes in dimension 1.

    weight: of each class; ignore_index: a target that does not count
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if not input.ndim:
        fail(ValueError, "Expected 1 or more dimensions (got 0)")
    return _nll(input, target, weight, ignore_index, reduction)


def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None,
                  size_average: bool | None = None, ignore_index: int = -100,
                  reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:  # fmt: skip
    """The mean of -log(softmax(input)) at the target class, or over target probabilities.

    input: logits, classes in dimension 1; target: a class for each, or a probability for each
    class; weight: of each class; ignore_index: a target class that does not count;
    label_smoothing: what part of the target is spread over all classes
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if label_smoothing and not 0 <= label_smoothing <= 1:
        fail(RuntimeError, "label_smoothing must be between 0.0 and 1.0. Got: "
                           f"{label_smoothing:g}")  # fmt: skip
    axis = 0 if input.ndim == 1 else 1
    if input._array.shape == target._array.shape:
        return _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing,
                                 axis)  # fmt: skip
    logs = log_softmax(input, axis)
    found = _nll(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return found
    part = label_smoothing / input.shape[axis]
    return found * (1 - label_smoothing) + _smooth(logs, target, weight, ignore_index, reduction,
                                                   axis) * part  # fmt: skip


def _by_class(weight: Any, ndim: int) -> Any:
    return weight if ndim == 1 else weight.reshape(1, -1, *(1,) * (ndim - 2))


def _smooth(logs: Any, target: Tensor, weight: Any, ignore_index: int, reduction: str,
            axis: int) -> Any:  # fmt: skip
    """The loss of targets that are spread over all classes."""
    loss = -(logs if weight is None else logs * _by_class(weight, logs.ndim)).sum(axis)
    array = target._array.reshape(loss._array.shape)
    ignored = array == ignore_index
    loss = loss.masked_fill(wrap(ignored), 0)
    if reduction != "mean":
        return reduced(loss, reduction)
    if weight is None:
        return loss.sum() / np.count_nonzero(~ignored) if ignored.any() else loss.mean()
    shares = np.where(ignored, 0, weight._array[np.where(ignored, 0, array)])
    return loss.sum() / wrap(as_array(shares.sum(dtype=shares.dtype)))


def _of_probabilities(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str,
                      label_smoothing: float, axis: int) -> Tensor:  # fmt: skip
    """The cross entropy with a probability for each class as target."""
    if target.dtype.category != 2:
        fail(RuntimeError, "Expected floating point type for target with class probabilities, got "
                           f"{target.dtype.legacy}")  # fmt: skip
    if ignore_index >= 0:
        fail(RuntimeError, "ignore_index is not supported for floating point target")
    classes = input.shape[axis]
    if weight is not None and tuple(weight.shape) != (classes,):
        fail(RuntimeError, "cross_entropy: weight tensor should be defined either for all "
                           f"{classes} classes or no classes but got weight tensor of shape: "
                           f"{list(weight.shape)}")  # fmt: skip
    logs = log_softmax(input, axis)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    products = logs * target
    if weight is not None:
        products = products * _by_class(weight, input.ndim)
    if reduction == "none":
        return -products.sum(axis)
    loss = -products.sum()
    return loss / (input.numel() / classes) if reduction == "mean" else loss


def kl_div(input: Tensor, target: Tensor, size_average: bool | None = None,
           reduce: bool | None = None, reduction: str = "mean",
           log_target: bool = False) -> Tensor:  # fmt: skip
    """The Kullback-Leibler divergence, target · (log(target) - input), of log-probabilities.

    reduction: also "batchmean", the sum over the size of dimension 0
    log_target: the target is of log-probabilities too
    """
    if size_average is not None or reduce is not None:
        reduction = chosen(reduction, size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=2,
        )
    if reduction != "batchmean":
        check_reduction(reduction)
    for t in (input, target):
        if t.dtype.category != 2:
            what = "Complex" if t.is_complex() else "Integral"
            fail(RuntimeError, f"kl_div: {what} inputs not supported.")
    if log_target:
        loss = target.exp() * (target - input)  # type: ignore[attr-defined]
    else:
        loss = xlogy(target, target) - target * input
    if reduction == "batchmean":
        total = loss.sum()
        return total / input.shape[0] if input.ndim else total
    return reduced(loss, reduction)


def soft_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None,
                     reduce: bool | None = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of log(1 + e^(-target · input)), targets 1 and -1."""
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    return _soft_margin_loss(input, target, reduction)


def _check_soft_margin(input: Any, target: Any) -> None:
    if input.dtype.kind in "biu":
        raise RuntimeError("result type Float can't be cast to the desired output type "
                           f"{legacy(input)}")  # fmt: skip


@op(name="soft_margin_loss", promote="same", elementwise=False, check=_check_soft_margin)
@kernel
def _soft_margin_loss(input, target, /, reduction):
    """log(1 + e^(-target · input)), reduced."""
    z = -target * input
    if z.shape != input.shape:
        raise RuntimeError(f"output with shape {list(input.shape)} doesn't match the broadcast "
                           f"shape {list(z.shape)}")  # fmt: skip
    return _reduced(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), reduction)


def _soft_margin_rule(g: Any, input: Any, target: Any, reduction: str) -> Any:
    slope = -target * logistic(-target * input)
    return slope * _each(g, slope, reduction)


_soft_margin_loss.vjp(input=_soft_margin_rule)


def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None,
                                size_average: bool | None = None, reduce: bool | None = None,
                                reduction: str = "mean") -> Tensor:  # fmt: skip
    """The binary cross entropy of each label, by logits; the mean over labels and examples."""
    reduction = chosen(reduction, size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    classes = input.shape[input.ndim - 1]
    return reduced(loss.sum(input.ndim - 1) / classes, reduction)


@op(name="multi_margin_loss", check=floating("multi_margin_loss_cpu_kernel"))
@kernel
def _multi_margin_loss(input, target, weight, /, p, margin, reduction):
    """By how much each other class comes within a margin of the target's, to the power of p."""
    gaps, _, scale = _margins(input, target, weight, margin)
    loss = np.add.reduce(gaps**p * scale, axis=1) / gaps.shape[1]
    return _reduced(np.reshape(loss, target.shape), reduction)


def _margins(input: Any, target: Any, weight: Any, margin: float) -> tuple[Any, Any, Any]:
    """How far each class comes within the margin; where it is the target's; the weights."""
    rows = np.reshape(input, (-1, input.shape[-1] if input.ndim else 1))
    flat = np.reshape(target, (-1,))
    own = np.equal(np.arange(rows.shape[1]), np.expand_dims(flat, 1))
    right = np.add.reduce(np.where(own, rows, 0), axis=1, keepdims=True)
    gaps = np.where(own, 0, np.maximum(margin - right + rows, 0))
    return gaps, own, 1 if weight is None else np.expand_dims(take(weight, flat), 1)


def _multi_margin_rule(g, input, target, weight, p, margin, reduction):
    gaps, own, scale = _margins(input, target, weight, margin)
    slope = np.where(gaps > 0, 1 if p == 1 else 2 * gaps, 0) * scale / gaps.shape[1]
    slope = np.where(own, -np.add.reduce(slope, axis=1, keepdims=True), slope)
    each = np.reshape(g, (-1, 1)) if reduction == "none" else g
    return np.reshape(slope * (each / gaps.shape[0] if reduction == "mean" else each), input.shape)


_multi_margin_loss.vjp(input=_multi_margin_rule)


def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0,
                      weight: Tensor | None = None, size_average: bool | None = None,
                      reduce: bool | None = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean over classes of max(0, margin - input at target + input)^p, f[n, c] and i[n].

    p: 1 or 2; weight: of each class
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _check_rows(input)
    count, classes = input.shape if input.ndim == 2 else (1, input.numel())
    if target.ndim > 1 or target.numel() != count:
        fail(RuntimeError, "multi_margin_loss: target tensor should be 1-D with size equal to the "
                           "number of input samples (batch size). Expected target size "
                           f"[{count}], but got {list(target.shape)}. Input has shape "
                           f"{list(input.shape)}.")  # fmt: skip
    if weight is not None and weight.numel() != classes:
        fail(RuntimeError, f"inconsistent weight size, expected {classes} but got "
                           f"{list(weight.shape)}")  # fmt: skip
    if target._array.dtype != _INT64:
        fail(RuntimeError, f"expected scalar type Long but found {target.dtype.legacy}")
    _check_classes(target, 0, classes, "target out of range")
    return _multi_margin_loss(input, target, weight, p, margin, reduction)


def _check_rows(input: Tensor) -> None:
    if input.ndim > 2 or (input.ndim and not input.shape[-1]):
        fail(RuntimeError, "Expected non-empty vector or matrix with optional 0-dim batch size, "
                           f"but got: {list(input.shape)}")  # fmt: skip


def _check_classes(target: Tensor, low: int, classes: int, message: str) -> None:
    array = whole(target._array)
    if array.size and not low <= array.min() <= array.max() < classes:
        fail(RuntimeError, message)


@op(name="multilabel_margin_loss", check=floating("multilabel_margin_loss_forward_out_frame"))
@kernel
def _multilabel_margin_loss(input, target, /, reduction):
    """By how much each class that is no target comes within 1 of each that is one."""
    gaps = _label_gaps(input, target)[0]
    loss = np.add.reduce(gaps, axis=(1, 2)) / gaps.shape[2]
    return _reduced(np.reshape(loss, () if input.ndim < 2 else (-1,)), reduction)


def _label_gaps(input: Any, target: Any) -> tuple[Any, Any]:
    """For each example, target place and class: how far the class comes within 1 of the target's
    (0 if it is a target itself), and whether it is this target."""
    classes = input.shape[-1] if input.ndim else 1
    rows, labels = np.reshape(input, (-1, classes)), np.reshape(target, (-1, classes))
    # A row of labels ends at the first negative one.
    valid = np.expand_dims(np.logical_and.accumulate(labels >= 0, axis=1), 2)
    own = valid & np.equal(np.arange(classes), np.expand_dims(labels, 2))
    others = np.expand_dims(rows, 1)
    right = np.add.reduce(np.where(own, others, 0), axis=2, keepdims=True)
    counted = valid & ~np.logical_or.reduce(own, axis=1, keepdims=True)
    return np.where(counted, np.maximum(1 - right + others, 0), 0), own


def _multilabel_margin_rule(g, input, target, reduction):
    gaps, own = _label_gaps(input, target)
    near = np.where(gaps > 0, 1 / gaps.shape[2], 0)
    near = near - np.where(own, np.add.reduce(near, axis=2, keepdims=True), 0)
    slope = np.add.reduce(near, axis=1)
    each = np.reshape(g, (-1, 1)) if reduction == "none" else g
    return np.reshape(slope * (each / gaps.shape[0] if reduction == "mean" else each), input.shape)


_multilabel_margin_loss.vjp(input=_multilabel_margin_rule)


def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None,
                           reduce: bool | None = None,
                           reduction: str = "mean") -> Tensor:  # fmt: skip
    """By how much each class that is no target comes within 1 of each that is one.

    target: for each example the classes that are targets, then -1
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    _check_rows(input)
    if input.shape != target.shape:
        fail(RuntimeError, f"inconsistent target size: {list(target.shape)} for input of size: "
                           f"{list(input.shape)}")  # fmt: skip
    if target._array.dtype != _INT64:
        fail(RuntimeError, f"expected scalar type Long but found {target.dtype.legacy}")
    classes = input.shape[-1] if input.ndim else 1
    _check_classes(target, -1, classes, "argument #2 'target' is out of range")
    return _multilabel_margin_loss(input, target, reduction)


# Distributions


def poisson_nll_loss(input: Any, target: Any, log_input: bool = True, full: bool = False,
                     size_average: bool | None = None, eps: float = 1e-8,
                     reduce: bool | None = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of e^input - target · input: of a Poisson distribution with mean e^input.

    log_input: False if the input is the mean itself; full: add Stirling's approximation of the term
    that depends on the target alone
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of (log(var) + (input - target)² / var) / 2, a variance counting as `eps` at least.

    full: add the constant log(2π) / 2
    """
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = wrap(np.full(input._array.shape, var, input._array.dtype))
    elif (whole(var._array) < 0).any():
        raise ValueError("var has negative entry/entries")
    have, want = tuple(var.shape), tuple(input.shape)
    if have != want:
        if want[:-1] == have:
            var = var.unsqueeze(-1)
        elif sum(n for m, n in zip(want, have, strict=False) if m != n) != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)


# Pairs and triples


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0,
                         size_average: bool | None = None, reduce: bool | None = None,
                         reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of the input where the target is 1, of max(0, margin - input) where it is -1."""
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    near = where(target != 1, (margin - input).clamp_min(0), 0)
    return reduced(near + where(target != -1, input, 0), reduction)


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of max(0, -target · (input1 - input2) + margin), targets 1 and -1."""
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        fail(RuntimeError, "margin_ranking_loss : All input tensors should have same dimension but "
                           f"got sizes: input1: {input1.shape}, input2: {input2.shape}, target: "
                           f"{target.shape} ")  # fmt: skip
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0,
                          size_average: bool | None = None, reduce: bool | None = None,
                          reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of 1 - cos(input1, input2) where the target is 1, of max(0, cos - margin) where -1.

    f[n, m] and targets i[n], or f[m] and one target
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)
    if target.ndim > 1:
        fail(RuntimeError, "0D or 1D target tensor expected, multi-target not supported")
    dim = target.ndim
    if not input1.ndim == input2.ndim == dim + 1:
        fail(RuntimeError, f"{dim}D target tensor expects {dim + 1}D input tensors, but found "
                           f"inputs with sizes {list(input1.shape)} and "
                           f"{list(input2.shape)}.")  # fmt: skip
    one = (input1 * input1).sum(dim) + 1e-12
    two = (input2 * input2).sum(dim) + 1e-12
    cosine = (input1 * input2).sum(dim) / (one * two).sqrt()
    loss = where(target == 1, 1 - cosine, 0)
    return reduced(loss + where(target == -1, (cosine - margin).clamp_min(0), 0), reduction)


def triplet_margin_loss(anchor: Any, positive: Any, negative: Any, margin: float = 1.0,
                        p: float = 2, eps: float = 1e-6, swap: bool = False,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean of max(0, margin + distance to the positive - distance to the negative).

    swap: the distance from the positive to the negative counts if it is smaller
    """
    reduction = chosen(reduction, size_average, reduce)
    check_reduction(reduction)

    def distance(x1: Any, x2: Any) -> Any:
        return pairwise_distance(x1, x2, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(anchor: Any, positive: Any, negative: Any, distance: Callable[[Any, Any], Any],
             margin: float, swap: bool, reduction: str) -> Tensor:  # fmt: skip
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        fail(RuntimeError, "The anchor, positive, and negative tensors are expected to have the "
                           f"same number of dimensions, but got: anchor {anchor.ndim}D, positive "
                           f"{positive.ndim}D, and negative {negative.ndim}D inputs")  # fmt: skip
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced((near + margin - far).clamp_min(0), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """`triplet_margin_loss` with a distance of one's own."""
    check_reduction(reduction)
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin,
                    swap, reduction)  # fmt: skip
