"""`torch.nn.functional`: layers and losses as functions, with PyTorch's names and arguments."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any

from ..dtypes import dtype as _dtype
from ..graph.inplace import write
from ..graph.modes import no_grad
from ..graph.operator import write_out
from ..graph.source import fail
from ..ops import activations as _activations
from ..ops import adaptive as _adaptive
from ..ops import bags as _bags
from ..ops import ctc as _ctc
from ..ops import elementwise as _elementwise
from ..ops import layers as _layers
from ..ops.activations import (
    celu,
    celu_,
    elu,
    gelu,
    glu,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    prelu,
    relu6,
    rrelu,
    rrelu_,
    selu,
    selu_,
    silu,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
    threshold_,
)
from ..ops.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from ..ops.attention import multi_head_attention_forward
from ..ops.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_tbc,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    fold,
    unfold,
)
from ..ops.distances import pdist
from ..ops.elementwise import sigmoid, tanh
from ..ops.grids import (
    affine_grid,
    channel_shuffle,
    grid_sample,
    native_channel_shuffle,
    pixel_shuffle,
    pixel_unshuffle,
)
from ..ops.layers import (
    batch_norm,
    cosine_similarity,
    instance_norm,
    local_response_norm,
    one_hot,
    pad,
    pairwise_distance,
    rms_norm,
    scaled_dot_product_attention,
)
from ..ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ..ops.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
)
from ..ops.products import bilinear, linear
from ..ops.resampling import interpolate, upsample, upsample_bilinear, upsample_nearest
from ..tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "affine_grid", "alpha_dropout",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "bilinear", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d",
    "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss", "dropout",
    "dropout1d", "dropout2d", "dropout3d", "elu", "elu_", "embedding", "embedding_bag",
    "feature_alpha_dropout", "fold", "fractional_max_pool2d", "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d", "fractional_max_pool3d_with_indices", "gaussian_nll_loss", "gelu",
    "glu", "grid_sample", "group_norm", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hardtanh_", "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate",
    "kl_div", "l1_loss", "layer_norm", "leaky_relu", "leaky_relu_", "linear",
    "linear_cross_entropy", "local_response_norm", "log_softmax", "logsigmoid", "lp_pool1d",
    "lp_pool2d", "lp_pool3d", "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices",
    "max_pool2d", "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices",
    "max_unpool1d", "max_unpool2d", "max_unpool3d", "mish", "mse_loss",
    "multi_head_attention_forward", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "native_channel_shuffle", "nll_loss", "normalize", "one_hot",
    "pad", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss",
    "prelu", "relu", "relu6", "relu_", "rms_norm", "rrelu", "rrelu_",
    "scaled_dot_product_attention", "selu", "selu_", "sigmoid", "silu", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh",
    "tanhshrink", "threshold", "threshold_", "triplet_margin_loss",
    "triplet_margin_with_distance_loss", "unfold", "upsample", "upsample_bilinear",
    "upsample_nearest",
]  # fmt: skip

elu_ = _activations.in_place(elu)
hardtanh_ = _activations.in_place(hardtanh)
leaky_relu_ = _activations.in_place(leaky_relu)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), elementwise."""
    return relu_(input) if inplace else _elementwise.relu(input)


def relu_(input: Tensor) -> Tensor:
    """In-place version of relu."""
    return write(_elementwise.relu.op, input, (), ())


# Softmax


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3,
            dtype: _dtype | None = None) -> Tensor:  # fmt: skip
    """e to the power of each element, scaled to the sum 1 along `dim`.

    dtype: what to cast to before
    """
    if dim is None:
        dim = _activations.implicit_dim("softmax", input.ndim)
    return _activations.softmax(input, dim, dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3,
            dtype: _dtype | None = None) -> Tensor:  # fmt: skip
    """The softmax of -input."""
    if dim is None:
        dim = _activations.implicit_dim("softmin", input.ndim)
    return _activations.softmax(-input, dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3,
                dtype: _dtype | None = None) -> Tensor:  # fmt: skip
    """The logarithm of the softmax along `dim`, without its loss of accuracy.

    dtype: what to cast to before
    """
    if dim is None:
        dim = _activations.implicit_dim("log_softmax", input.ndim)
    return _activations.log_softmax(input, dim, dtype)


# Dropout


def _check_p(p: float) -> None:
    if p < 0 or p > 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element is 0 with probability p, else divided by 1 - p; as it is if not training."""
    _check_p(p)
    return _layers.dropped(input, p, training, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False,
                  inplace: bool = False) -> Tensor:  # fmt: skip
    """Dropout to selu's lower limit, which keeps mean and variance."""
    _check_p(p)
    return _layers.dropped(input, p, training, inplace, alpha=True)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False,
                          inplace: bool = False) -> Tensor:  # fmt: skip
    """Dropout of whole features to selu's lower limit, which keeps mean and variance."""
    _check_p(p)
    return _layers.dropped(input, p, training, inplace, feature=True, alpha=True)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:  # fmt: skip
    """Dropout of whole channels: f[n, c, l], or f[c, l]."""
    _check_p(p)
    if input.ndim not in (2, 3):
        fail(RuntimeError, f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D "
                           "input. Note that dropout1d exists to provide channel-wise dropout on "
                           "inputs with 1 spatial dimension, a channel dimension, and an optional "
                           "batch dimension (i.e. 2D or 3D inputs).")  # fmt: skip
    return _channels_dropped(input, p, training, inplace, input.ndim == 2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:  # fmt: skip
    """Dropout of whole channels: f[n, c, h, w]."""
    _check_p(p)
    if input.ndim not in (3, 4):
        _warn_channels("dropout2d", input.ndim, 2)
    elif input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is the "
            "channel dim. This behavior will change in a future release to interpret the input as "
            "one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _channels_dropped(input, p, training, inplace, False)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:  # fmt: skip
    """Dropout of whole channels: f[n, c, d, h, w], or f[c, d, h, w]."""
    _check_p(p)
    if input.ndim not in (4, 5):
        _warn_channels("dropout3d", input.ndim, 3)
    return _channels_dropped(input, p, training, inplace, input.ndim != 5)


def _warn_channels(name: str, ndim: int, spatial: int) -> None:
    allowed = f"{spatial + 1}D or {spatial + 2}D"
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an "
        "error in a future release. To retain the behavior and silence this warning, please use "
        f"dropout instead. Note that {name} exists to provide channel-wise dropout on inputs with "
        f"{spatial} spatial dimensions, a channel dimension, and an optional batch dimension (i.e. "
        f"{allowed} inputs).",
        stacklevel=3,
    )


def _channels_dropped(input: Any, p: float, training: bool, inplace: bool, single: bool) -> Any:
    """Dropout of the entries of the first two dimensions; of a single example, of the first."""
    if not single:
        return _layers.dropped(input, p, training, inplace, feature=True)
    found = _layers.dropped(input.unsqueeze(0), p, training, inplace, feature=True)
    return input if inplace else found.squeeze(0)


# Normalisation


def layer_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """The last dimensions shifted and scaled to mean 0 and variance 1, times weight, plus bias.

    normalized_shape: the sizes of those dimensions, and the shape of weight and bias
    """
    return _layers.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Groups of channels shifted and scaled to mean 0 and variance 1, then affine by channel."""
    shape = input.shape
    if len(shape) >= 2:
        sizes = [shape[0] * shape[1] // num_groups, num_groups, *shape[2:]]
        if sizes[0] * math.prod(sizes[2:]) == 1:
            raise ValueError("Expected more than 1 value per channel when training, got input size "
                             f"{sizes}")  # fmt: skip
    return _layers.group_norm(input, num_groups, weight, bias, eps)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12,
              out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The input divided by its p-norm along a dimension, which counts as `eps` if smaller."""
    if out is not None:
        return write_out("normalize", out, normalize, (input, p, dim, eps), {})
    return _layers.normalize(input, p, dim, eps)


# Pooling


def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Any,
                                     return_indices: bool = False) -> Any:  # fmt: skip
    """`adaptive_max_pool1d`, and where each largest element lies."""
    return _adaptive.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of as many windows as asked for, over the last dimension."""
    found = _adaptive.adaptive_max_pool1d(input, output_size)
    return found if return_indices else found[0]


# Embedding


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None,
              max_norm: float | None = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:  # fmt: skip
    """The rows of a table at the indices: i[...], f[n, m] -> f[..., m].

    padding_idx: a row that gets no gradient; max_norm: scale down, in place, the rows taken whose
    norm is greater; scale_grad_by_freq: divide a row's gradient by how often it was taken;
    sparse: accepted, gradients are dense
    """
    if padding_idx is None:
        padding_idx = -1
    else:
        rows = weight.shape[0]
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        with no_grad():
            _layers.renormed_rows(weight, input, max_norm, norm_type)
    return _layers.embedding(weight, input, padding_idx, scale_grad_by_freq, sparse)


def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None,
                  max_norm: float | None = None, norm_type: float = 2,
                  scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Tensor:  # fmt: skip
    """Sums, means or maxima of the rows of a table, bag by bag: i[k], f[n, m] -> f[bags, m].

    input: indices, in bags that begin at `offsets`; or i[bags, k] without offsets
    max_norm: scale down, in place, the rows taken whose norm is greater; scale_grad_by_freq: divide
    a row's gradient by how often it was taken; per_sample_weights: factors for the rows (sum);
    include_last_offset: offsets ends with the number of indices; padding_idx: an index that does
    not count; sparse: accepted, gradients are dense
    """
    return _bags.bag(input, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
                     per_sample_weights, include_last_offset, padding_idx)  # fmt: skip


# Alignment


def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any,
             blank: int = 0, reduction: str = "mean",
             zero_infinity: bool = False) -> Tensor:  # fmt: skip
    """The negative log-likelihood that frames spell labels, over all alignments: f[t, n, c] or
    f[t, c], from `log_softmax`.

    targets: i[n, s], or all one after the other; blank: the class between labels; reduction: none,
    mean (each divided by its target's length before) or sum; zero_infinity: an impossible target
    counts as 0
    """
    return _ctc.reduced(  # type: ignore[no-any-return]
        log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity
    )


# A linear layer and its loss


@dataclasses.dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch cuts the batch of `linear_cross_entropy` into parts, to save memory.

    Accepted and checked; the loss is the same, and here it is always computed at once.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: _dtype | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in {"auto", "accurate", "balanced", "compact"}:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        name, colon, factor = (self.chunking_method or "auto").partition(":")
        good = factor.isdigit() and int(factor) > 0 if colon else True
        if not (good and name in ("auto", "aspect_ratio")) or name + colon == "auto:":
            raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype is not None and not self.acc_dtype.is_floating_point:
            raise ValueError("acc_dtype must be one of {None, torch.float16, torch.bfloat16, "
                             f"torch.float32, torch.float64}}, got {self.acc_dtype!r}. Pass "
                             "acc_dtype=None to let the op pick automatically.")  # fmt: skip


def linear_cross_entropy(
    input: Any, linear_weight: Any, target: Any, *, linear_bias: Any = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: LinearCrossEntropyOptions | None = None,
) -> Tensor:  # fmt: skip
    """The cross entropy of `linear(input, linear_weight, linear_bias)`:
    f[n, m], f[c, *k, m], i[n, *k] -> f[].

    target: classes, or probabilities f[n, c, *k]; the other arguments: see `cross_entropy`
    """
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError("expected linear_weight with dimensionality at least 2, got "
                           f"{linear_weight.dim()}")  # fmt: skip
    batch, features = tuple(input.shape[:-1]), input.shape[-1]
    if features != linear_weight.shape[-1]:
        raise RuntimeError("expected equal input and linear_weight last dimensions (in_features), "
                           f"got {features} and {linear_weight.shape[-1]}, "
                           "respectively")  # fmt: skip
    outs = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != outs:
        raise RuntimeError(f"expected linear_bias shape {outs}, got {tuple(linear_bias.shape)}")
    if len(outs) > 1 and not batch:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {features}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )
    shape = (*batch, *outs)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if len(outs) > 1:
        linear_weight = linear_weight.reshape(-1, features)
        linear_bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits: Any = linear(input, linear_weight, linear_bias)
    return cross_entropy(
        logits.reshape(shape), target, weight=weight, reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )  # fmt: skip
