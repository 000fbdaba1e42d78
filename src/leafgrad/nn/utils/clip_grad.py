"""Keeping gradients from exploding: clipping them by norm or by value, in place."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...graph.quiet import quietly
from ...graph.saved import bump
from ...graph.source import fail, here
from ...tensor import Tensor, as_array, wrap

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_",
           "get_total_norm"]  # fmt: skip


def _listed(tensors: Any) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Any) -> list[Tensor]:
    return [p._grad for p in _listed(parameters) if p._grad is not None]


def _wide(array: Any) -> Any:
    """16-bit floats as float32: PyTorch computes in it and rounds the result."""
    return array.astype(np.float32) if array.itemsize == 2 else array


def _norm(array: Any, p: float) -> Any:
    """The p-norm of all elements, as a 0-dim array."""
    flat = array.ravel(order="K")
    if p == 2:
        square = np.vdot(flat, flat).real
        return np.sqrt(square)
    sizes = np.abs(flat)
    if p == np.inf:
        return sizes.max()
    if p == -np.inf:
        return sizes.min()
    if p == 0:
        return np.count_nonzero(sizes) * np.ones((), sizes.dtype)
    if p == 1:
        return sizes.sum()
    return (sizes**p).sum() ** (1.0 / p)


@quietly
def _total_norm(arrays: list[Any], p: float) -> Any:
    if not arrays:
        return np.zeros((), np.float32)
    norms = [_norm(_wide(a), p).astype(a.real.dtype) for a in arrays]
    stacked = np.stack(np.broadcast_arrays(*norms)) if len(norms) > 1 else np.stack(norms)
    return as_array(_norm(_wide(stacked), p).astype(stacked.dtype))


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0,
                   error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:  # fmt: skip
    """The norm of all elements of several tensors together.

    RuntimeError if it is not finite and `error_if_nonfinite`.
    """
    p = float(norm_type)
    total = _total_norm([t._array for t in _listed(tensors)], p)
    if error_if_nonfinite and not np.isfinite(total):
        fail(
            RuntimeError,
            f"The total norm of order {p} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite "
            "norm anyway, set `error_if_nonfinite=False`",
        )
    return wrap(total)


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                          total_norm: Tensor, foreach: bool | None = None) -> None:  # fmt: skip
    """Scale the gradients by max_norm / total_norm, where that is less than one."""
    coefficient = _coefficient(total_norm._array, float(max_norm))
    mark = here()
    for grad in _grads(parameters):
        array = grad._array
        if array.itemsize == 2:
            array[...] = _wide(array) * np.float32(coefficient)
        else:
            np.multiply(array, coefficient.astype(array.real.dtype), out=array)
        bump(grad, mark)


@quietly
def _coefficient(total: Any, max_norm: float) -> Any:
    found = max_norm / (total + 1e-6)
    return np.minimum(found, 1.0)


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                    norm_type: float = 2.0, error_if_nonfinite: bool = False,
                    foreach: bool | None = None) -> Tensor:  # fmt: skip
    """Scale the gradients of `parameters` so that their norm together is at most `max_norm`.

    Returns the norm before. With `error_if_nonfinite`, a norm that is NaN or infinite is a
    RuntimeError, and no gradient has changed.
    """
    if not isinstance(parameters, (Tensor, list, tuple)):
        given, parameters = parameters, list(parameters)
        if not parameters and iter(given) is given:
            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
                stacklevel=2,
            )
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


@functools.wraps(clip_grad_norm_)
def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    warnings.warn(
        "torch.nn.utils.clip_grad_norm is now deprecated in favor of "
        "torch.nn.utils.clip_grad_norm_.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float,
                     foreach: bool | None = None) -> None:  # fmt: skip
    """Clip each element of the gradients of `parameters` to ±clip_value."""
    limit = float(clip_value)
    mark = here()
    for grad in _grads(parameters):
        np.minimum(grad._array, limit, out=grad._array)
        np.maximum(grad._array, -limit, out=grad._array)
        bump(grad, mark)
