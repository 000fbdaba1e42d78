"""PyTorch's inner names of layers, as `torch` has them: normalisations that also give their
statistics, dropout with its mask, losses whose reduction is a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import get_default_dtype, uint8
from ..generator import default_generator
from ..graph.modes import no_grad
from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.source import fail
from ..tensor import Tensor, wrap
from . import layers
from .layers import dropped, normalised_batch, renormed_rows

__all__ = [
    "_batch_norm_with_update", "_native_batch_norm_legit", "alpha_dropout_", "batch_norm",
    "binary_cross_entropy_with_logits", "cosine_embedding_loss", "dropout_", "embedding_renorm_",
    "feature_alpha_dropout_", "feature_dropout_", "hinge_embedding_loss", "instance_norm",
    "kl_div", "margin_ranking_loss", "native_batch_norm", "native_dropout",
    "native_dropout_backward", "native_group_norm", "native_layer_norm", "poisson_nll_loss",
    "triplet_margin_loss",
]  # fmt: skip


# Normalisation


def batch_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any,
               training: bool, momentum: float, eps: float,
               cudnn_enabled: bool) -> Tensor:  # fmt: skip
    """`nn.functional.batch_norm`, its arguments in another order."""
    return normalised_batch(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any,
                  use_input_stats: bool, momentum: float, eps: float,
                  cudnn_enabled: bool) -> Tensor:  # fmt: skip
    """`nn.functional.instance_norm`, its arguments in another order."""
    return layers.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats,
                                momentum, eps)  # fmt: skip


def _statistics(x: Any, axes: Any, eps: float) -> tuple[Any, Any]:
    """Mean and reciprocal deviation along axes; of 16-bit floats in float32."""
    count = math.prod(x.shape[a] for a in axes)
    mean, _, rate = layers._statistics(x, axes, max(count, 1), eps)
    return mean, rate


def native_batch_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any,
                      training: bool, momentum: float, eps: float, *,
                      out: Any = None) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`batch_norm`, and the mean and reciprocal deviation of each channel of the batch; of no
    channel if not training."""
    given = (input, weight, bias, running_mean, running_var, training, momentum, eps)
    if out is not None:
        return write_out("native_batch_norm", out, native_batch_norm, given, {})  # type: ignore
    array = input._array
    kind = next(
        (t._array.dtype for t in (weight, bias, running_mean) if t is not None), array.dtype
    )
    mean = rate = np.empty(0, kind)
    if training:
        axes = (0, *range(2, array.ndim))
        mean, rate = (s.reshape(-1).astype(kind) for s in _statistics(array, axes, eps))
    found = normalised_batch(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )
    return found, wrap(mean), wrap(rate)


def _native_batch_norm_legit(input: Tensor, weight: Any, bias: Any, *rest: Any,
                             out: Any = None) -> Any:  # fmt: skip
    """`native_batch_norm`, with running statistics or without: (input, weight, bias,
    [running_mean, running_var,] training, momentum, eps)."""
    if len(rest) == 3:
        rest = (None, None, *rest)
    return native_batch_norm(input, weight, bias, *rest, out=out)


def _batch_norm_with_update(input: Tensor, weight: Any, bias: Any, running_mean: Any,
                            running_var: Any, momentum: float, eps: float) -> Any:  # fmt: skip
    """`native_batch_norm` in training, and an empty tensor."""
    found = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return *found, wrap(np.empty(0, uint8.numpy))


def native_layer_norm(input: Tensor, normalized_shape: Sequence[int], weight: Any, bias: Any,
                      eps: float) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`layer_norm`, and the mean and reciprocal deviation that it took, with dimensions of size 1
    for those taken together."""
    found = layers.layer_norm(input, normalized_shape, weight, bias, eps)
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    kind = next((t._array.dtype for t in (weight, bias) if t is not None), input._array.dtype)
    mean, rate = (s.astype(kind) for s in _statistics(input._array, axes, eps))
    return found, wrap(mean), wrap(rate)


def native_group_norm(input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int,
                      group: int, eps: float) -> tuple[Any, Any, Any]:  # fmt: skip
    """`group_norm`, and the mean and reciprocal deviation of each group: f[n, group]."""
    if C % group:
        fail(RuntimeError, "Expected number of channels in input to be divisible by num_groups, "
                           f"but got input of shape {list(input.shape)} and num_groups="
                           f"{group}")  # fmt: skip
    found = layers.group_norm(input, group, weight, bias, eps)
    x = input.reshape(N, group, C // group * HxW)
    x = x.float() if input.dtype.itemsize == 2 else x
    mean = x.mean(2)
    variance = ((x - mean.unsqueeze(2)) ** 2).mean(2)
    return found, mean.to(input.dtype), (variance + eps).rsqrt().to(input.dtype)


EXACT_OUT["native_batch_norm"] = "expected scalar type {want} but found {have}"


# Dropout


def _in_place(name: str, **options: bool) -> Any:
    def twin(input: Tensor, p: float, train: bool) -> Tensor:
        return dropped(input, p, train, True, **options)

    twin.__name__ = twin.__qualname__ = name
    twin.__doc__ = f"In-place version of {name.removesuffix('_')}."
    return twin


dropout_ = _in_place("dropout_")
feature_dropout_ = _in_place("feature_dropout_", feature=True)
alpha_dropout_ = _in_place("alpha_dropout_", alpha=True)
feature_alpha_dropout_ = _in_place("feature_alpha_dropout_", feature=True, alpha=True)


@op(name="native_dropout_backward", node="NativeDropoutBackwardBackward0")
def native_dropout_backward(grad_output, mask, /, scale):
    """grad_output · scale where the mask holds, else zero."""
    kind = grad_output.dtype if grad_output.dtype.kind in "fV" else get_default_dtype().numpy
    return (grad_output.astype(kind) * mask * scale).astype(kind)


native_dropout_backward.vjp(
    grad_output=lambda g, mask, scale: native_dropout_backward(g, mask, scale)
)


@op(name="native_dropout", node="NativeDropoutBackward0")
def _masked(input, mask, /, scale):
    """input · scale where the mask holds, else zero."""
    return (input * mask * scale).astype(input.dtype)


_masked.vjp(input=lambda g, mask, scale: native_dropout_backward(g, mask, scale))


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """`dropout`, and the mask of what is kept."""
    array = input._array
    if train is False or not array.size:
        return input.clone(), wrap(np.ones(array.shape, bool))  # type: ignore[attr-defined]
    kept = default_generator.bernoulli(array.size, 1 - p).reshape(array.shape).astype(bool)
    mask = wrap(kept)
    return _masked(input, mask, 0.0 if p == 1 else 1 / (1 - p)), mask


# Embedding


def embedding_renorm_(weight: Tensor, indices: Tensor, max_norm: float,
                      norm_type: float) -> Tensor:  # fmt: skip
    """Scale, in place, those rows of a table at the indices whose norm is above `max_norm`."""
    with no_grad():
        renormed_rows(weight, indices, max_norm, norm_type)
    return weight


# Losses: 0 stands for no reduction, 1 for the mean, 2 for the sum

_REDUCTIONS = ("none", "mean", "sum")


def _losses() -> Any:
    """The losses, which an import of leafgrad alone does not load."""
    from . import losses

    return losses


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Any = None,
                                     pos_weight: Any = None, reduction: int = 1) -> Tensor:  # fmt: skip
    """`nn.functional.binary_cross_entropy_with_logits`, its reduction a number."""
    return _losses().binary_cross_entropy_with_logits(  # type: ignore[no-any-return]
        input, target, weight, reduction=_REDUCTIONS[reduction], pos_weight=pos_weight
    )


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
                          reduction: int = 1) -> Tensor:  # fmt: skip
    """`nn.functional.cosine_embedding_loss`, its reduction a number."""
    return _losses().cosine_embedding_loss(  # type: ignore[no-any-return]
        input1, input2, target, margin, reduction=_REDUCTIONS[reduction]
    )


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0,
                         reduction: int = 1) -> Tensor:  # fmt: skip
    """`nn.functional.hinge_embedding_loss`, its reduction a number."""
    return _losses().hinge_embedding_loss(  # type: ignore[no-any-return]
        input, target, margin, reduction=_REDUCTIONS[reduction]
    )


def kl_div(input: Tensor, target: Tensor, reduction: int = 1, log_target: bool = False) -> Tensor:
    """`nn.functional.kl_div`, its reduction a number."""
    return _losses().kl_div(  # type: ignore[no-any-return]
        input, target, reduction=_REDUCTIONS[reduction], log_target=log_target
    )


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
                        reduction: int = 1) -> Tensor:  # fmt: skip
    """`nn.functional.margin_ranking_loss`, its reduction a number."""
    return _losses().margin_ranking_loss(  # type: ignore[no-any-return]
        input1, input2, target, margin, reduction=_REDUCTIONS[reduction]
    )


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float,
                     reduction: int) -> Tensor:  # fmt: skip
    """`nn.functional.poisson_nll_loss`, its reduction a number."""
    return _losses().poisson_nll_loss(  # type: ignore[no-any-return]
        input, target, log_input, full, eps=eps, reduction=_REDUCTIONS[reduction]
    )


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0,
                        p: float = 2, eps: float = 1e-6, swap: bool = False,
                        reduction: int = 1) -> Tensor:  # fmt: skip
    """`nn.functional.triplet_margin_loss`, its reduction a number."""
    return _losses().triplet_margin_loss(  # type: ignore[no-any-return]
        anchor, positive, negative, margin, p, eps, swap, reduction=_REDUCTIONS[reduction]
    )
