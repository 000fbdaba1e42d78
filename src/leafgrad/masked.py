"""torch.masked: reductions and normalisations of the elements that a mask chooses.

Each is the ordinary function, with the masked-out elements replaced by what does not count in it.
Where `mask` is None, all elements count; it broadcasts to the input otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import dtype as Dtype
from .dtypes import iinfo
from .graph.source import fail
from .ops import activations, comparison, elementwise, ordering, reductions, scans
from .ops.casting import cast
from .ops.norms import linalg_vector_norm
from .tensor import Tensor, wrap

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp",
    "logsumexp", "mean", "median", "norm", "normalize", "prod", "softmax", "softmin", "std", "sum",
    "var",
]  # fmt: skip


# Masks, dimensions, dtypes


def _full_mask(input: Tensor, mask: Tensor) -> Tensor:
    """The mask in the input's shape."""
    if mask.ndim > input.ndim:
        fail(IndexError, "_input_mask expected broadcastable mask (got mask dimensionality higher "
                         "than of the input)")  # fmt: skip
    return cast(mask, dtypes.bool_).broadcast_to(input.shape)


def _filled(input: Tensor, mask: Tensor | None, value: float) -> Tensor:
    """The input with a value where the mask is False."""
    if mask is None:
        return input
    other = wrap(np.asarray(value).astype(input._array.dtype))
    return comparison.where(_full_mask(input, mask), input, other)


def _least(input: Tensor) -> float:
    """What counts least in a maximum."""
    if input.dtype.category == 1:
        return iinfo(input.dtype).min
    return -math.inf if input.dtype.category >= 2 else _no_identity("amax", input)


def _greatest(input: Tensor) -> float:
    """What counts least in a minimum."""
    if input.dtype.category == 1:
        return iinfo(input.dtype).max
    return math.inf if input.dtype.category >= 2 else _no_identity("amin", input)


def _no_identity(name: str, input: Tensor) -> Any:
    fail(NotImplementedError, f"identity of {name} on {input.dtype} input")


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions to reduce, in order; all for None and ()."""
    if dim is None or dim == () or dim == []:
        return tuple(range(ndim))
    ndim = max(ndim, 1)
    dims: list[int] = []
    for d in (dim,) if isinstance(dim, int) else dim:
        if d in dims:
            fail(RuntimeError, f"dim={d} appears multiple times in the list of dims")
        if not -ndim <= d < ndim:
            fail(IndexError, f"Dimension out of range (expected to be in range of [{-ndim}, "
                             f"{ndim - 1}], but got {d})")  # fmt: skip
        dims.append(d % ndim)
    return tuple(sorted(dims))


def _wide(input: Tensor) -> Dtype:
    """The dtype in which sums and products of the input are given: int64 for integers."""
    return dtypes.int64 if input.dtype.category < 2 else input.dtype


# Reductions


def sum(input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Dtype | None = None,
        mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The sum over `dim` (an int, several, or all) of what the mask chooses."""
    return reductions.sum(_filled(input, mask, 0), _dims(dim, input.ndim), bool(keepdim),
                          dtype=dtype or _wide(input))  # fmt: skip


def prod(input: Tensor, dim: Any = None, *, keepdim: bool | None = False,
         dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The product over `dim` of what the mask chooses."""
    found, kind = _filled(input, mask, 1), dtype or _wide(input)
    for d in reversed(_dims(dim, input.ndim)):
        found = scans.prod(found, d, bool(keepdim))
    return cast(found, kind)


def cumsum(input: Tensor, dim: int, *, dtype: Dtype | None = None,
           mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The running sum along a dimension of what the mask chooses."""
    d = _dims(dim, input.ndim)[0]
    return scans.cumsum(_filled(input, mask, 0), d, dtype=dtype or input.dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Dtype | None = None,
            mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The running product along a dimension of what the mask chooses."""
    d = _dims(dim, input.ndim)[0]
    return scans.cumprod(_filled(input, mask, 1), d, dtype=dtype or input.dtype)


def amax(input: Tensor, dim: Any = None, *, keepdim: bool | None = False,
         dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The largest element over `dim` of what the mask chooses."""
    found = reductions.amax(_filled(input, mask, _least(input)), _dims(dim, input.ndim),
                            bool(keepdim))  # fmt: skip
    return cast(found, dtype or input.dtype)


def amin(input: Tensor, dim: Any = None, *, keepdim: bool | None = False,
         dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The smallest element over `dim` of what the mask chooses."""
    found = reductions.amin(_filled(input, mask, _greatest(input)), _dims(dim, input.ndim),
                            bool(keepdim))  # fmt: skip
    return cast(found, dtype or input.dtype)


def argmax(input: Tensor, dim: int | None = None, *, keepdim: bool | None = False,
           dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The index of the largest element that the mask chooses; in the input's dtype, as PyTorch
    has it, unless `dtype` is given."""
    found = reductions.argmax(_filled(input, mask, _least(input)), dim, bool(keepdim))
    return cast(found, dtype or input.dtype)


def argmin(input: Tensor, dim: int | None = None, *, keepdim: bool | None = False,
           dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The index of the smallest element that the mask chooses; see `argmax`."""
    found = reductions.argmin(_filled(input, mask, _greatest(input)), dim, bool(keepdim))
    return cast(found, dtype or input.dtype)


def _count(input: Tensor, dim: Any, keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements the mask chooses."""
    if mask is None:
        mask = wrap(np.ones((), bool))
    return reductions.sum(_full_mask(input, mask), _dims(dim, input.ndim), keepdim)


def mean(input: Tensor, dim: Any = None, *, keepdim: bool | None = False,
         dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean over `dim` of what the mask chooses; NaN where that is nothing."""
    kind = dtype or input.dtype
    if kind.category < 2:
        fail(ValueError, f"mean(): Could not infer output dtype. {'Optional' if dtype else 'Input'}"
                         " dtype must be either a floating point or complex dtype. Got: "
                         f"{kind}")  # fmt: skip
    count = _count(input, dim, bool(keepdim), mask)
    return sum(input, dim, keepdim=keepdim, dtype=kind, mask=mask) / count


def median(input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Dtype | None = None,
           mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The median (of an even number the lower one) along a dimension of what the mask chooses."""
    d, floating = _dims(dim, input.ndim)[0], input.dtype.is_floating_point
    values = input if floating else cast(input, dtypes.float32)
    found = ordering.nanmedian(_filled(values, mask, math.nan), d, keepdim)[0]
    if floating:
        return found
    if np.any(np.isnan(found._array)):
        fail(ValueError, "masked median expects no fully masked out rows if dtype is not floating "
                         "point")  # fmt: skip
    return cast(found, dtype or input.dtype)


def logsumexp(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Dtype | None = None,
              mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """log Σ exp over `dim` of what the mask chooses."""
    found = reductions.logsumexp(_filled(input, mask, _least(input)), _dims(dim, input.ndim),
                                 keepdim)  # fmt: skip
    return cast(found, dtype or input.dtype)


def logaddexp(input: Tensor, other: Tensor, *, dtype: Dtype | None = None,
              input_mask: Tensor | None = None,
              other_mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """log(exp(input) + exp(other)), where each counts only where its mask chooses it."""
    found = elementwise.logaddexp(_filled(input, input_mask, _least(input)),
                                  _filled(other, other_mask, _least(other)))  # fmt: skip
    return cast(found, dtype or input.dtype)


def norm(input: Tensor, ord: float | None = 2.0, dim: Any = None, *, keepdim: bool | None = False,
         dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The norm of some order over `dim` of what the mask chooses."""
    order = 2.0 if ord is None else float(ord)
    filled = _filled(input, mask, math.inf if order == -math.inf else 0)
    dims = _dims(dim, input.ndim) if input.ndim else None
    return linalg_vector_norm(filled, order, dims, bool(keepdim), dtype)


def _variance(input: Tensor, dim: Any, unbiased: bool | None, correction: float | None,
              keepdim: bool | None, dtype: Dtype | None,
              mask: Tensor | None) -> Tensor:  # fmt: skip
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 0 if unbiased is False else 1
    kind = dtype or (input.dtype if input.dtype.category >= 2 else dtypes.float32)
    wide = kind if kind.category >= 2 else dtypes.float32
    count = _count(input, dim, True, mask)
    centred = input - sum(input, dim, keepdim=True, dtype=kind, mask=mask) / count
    squares = centred * centred.conj()
    total = sum(squares, dim, keepdim=keepdim, dtype=wide, mask=mask)
    if not keepdim:
        count = count.reshape(total.shape)
    if correction:
        count = (cast(count, wide.to_real()) - correction).clamp(min=0)
    return cast(total / count, kind)


def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, *,
        correction: float | None = None, keepdim: bool | None = False, dtype: Dtype | None = None,
        mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The variance over `dim` of what the mask chooses. correction: 1 unless given."""
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, *,
        correction: float | None = None, keepdim: bool | None = False, dtype: Dtype | None = None,
        mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The standard deviation: the square root of `var`."""
    variance = _variance(input, dim, unbiased, correction, keepdim, dtype, mask)
    return variance.sqrt()


# Normalisations


def softmax(input: Tensor, dim: int, *, dtype: Dtype | None = None,
            mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The softmax along a dimension of what the mask chooses; 0 elsewhere."""
    d = _dims(dim, input.ndim)[0]
    return activations.softmax(_filled(input, mask, _least(input)), d, dtype=dtype or input.dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Dtype | None = None,
                mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The logarithm of `softmax`."""
    d = _dims(dim, input.ndim)[0]
    filled = _filled(input, mask, _least(input))
    return activations.log_softmax(filled, d, dtype=dtype or input.dtype)


def softmin(input: Tensor, dim: int, *, dtype: Dtype | None = None,
            mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The softmax of -input along a dimension of what the mask chooses."""
    d = _dims(dim, input.ndim)[0]
    filled = _filled(input, mask, _greatest(input))
    return activations.softmax(-filled, d, dtype=dtype or input.dtype)


def normalize(input: Tensor, ord: float, dim: int, *, eps: float = 1e-12,
              dtype: Dtype | None = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """What the mask chooses, over its norm along a dimension (or `eps`, if that is larger)."""
    size = norm(input, ord, dim, keepdim=True, dtype=dtype or input.dtype, mask=mask)
    least = wrap(np.asarray(eps).astype(size._array.dtype))
    return _filled(input, mask, 0) / comparison.maximum(size, least)
