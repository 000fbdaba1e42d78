"""Window functions: weights of the points of a signal that fall off towards its ends.

PyTorch has two sets of them. Those of the top level (`hann_window`, ...) are periodic unless
`periodic=False`; those of `signal.windows` (`hann`, ...) are symmetric unless `sym=False`. A
periodic window is a symmetric one of one more point, without its last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..device import require_cpu
from ..dtypes import F32, F64, get_default_dtype
from ..graph.source import fail
from ..tensor import Tensor
from .bessel import i0e_of
from .creation import made

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _cosines(phase: Any, coefficients: Iterable[float]) -> Any:
    """Σ (-1)^k a[k] cos(k · phase)."""
    total: Any = 0.0
    for k, a in enumerate(coefficients):
        total = total + (-1) ** k * a * np.cos(k * phase)
    return total


def _kaiser(x: Any, beta: float) -> Any:
    """I0(beta sqrt(1 - x²)) / I0(beta), without overflow on the way."""
    z = beta * np.sqrt(np.maximum(1 - x * x, 0))
    return np.exp(z - beta) * i0e_of(z) / float(i0e_of(np.asarray(float(beta))))


# The top level


def _window(name: str, length: int, periodic: bool, values: Callable[[Any, int], Any], dtype: Any,
            device: Any, requires_grad: bool) -> Tensor:  # fmt: skip
    """values: from 0, 1, ... and the last of them to the window"""
    require_cpu(device)
    kind = dtype or get_default_dtype()
    if kind.category < 2:
        fail(RuntimeError, f"{name} expects floating point dtypes, got: {kind.legacy}")
    if length < 0:
        fail(RuntimeError, f"{name} requires non-negative window_length, got "
                           f"window_length={length}")  # fmt: skip
    if kind.is_complex:
        fail(NotImplementedError, f"\"arange_cpu\" not implemented for '{kind.legacy}'")
    if length <= 1:
        return made(np.ones(length, kind.numpy), requires_grad)
    last = length if periodic else length - 1
    points = np.arange(length).astype(F32 if kind.itemsize < 4 else kind.numpy)
    return made(values(points, last).astype(kind.numpy), requires_grad)


def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                layout: Any = None, device: Any = None, pin_memory: bool = False,
                requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Hann's window: 1/2 - 1/2 cos(2πj/n)."""
    return _window(
        "hann_window", window_length, periodic,
        lambda j, n: _cosines(j * (2 * math.pi / n), (0.5, 0.5)),
        dtype, device, requires_grad,
    )  # fmt: skip


def hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54,
                   beta: float = 0.46, *, dtype: Any = None, layout: Any = None,
                   device: Any = None, pin_memory: bool = False,
                   requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Hamming's window: alpha - beta cos(2πj/n)."""
    return _window(
        "hamming_window", window_length, periodic,
        lambda j, n: _cosines(j * (2 * math.pi / n), (alpha, beta)),
        dtype, device, requires_grad,
    )  # fmt: skip


def blackman_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                    layout: Any = None, device: Any = None, pin_memory: bool = False,
                    requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Blackman's window: 0.42 - 0.5 cos(2πj/n) + 0.08 cos(4πj/n)."""
    return _window(
        "blackman_window", window_length, periodic,
        lambda j, n: _cosines(j * (2 * math.pi / n), (0.42, 0.5, 0.08)),
        dtype, device, requires_grad,
    )  # fmt: skip


def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                    layout: Any = None, device: Any = None, pin_memory: bool = False,
                    requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Bartlett's window, a triangle: 1 - |2j/n - 1|."""
    return _window(
        "bartlett_window", window_length, periodic,
        lambda j, n: 1 - np.abs(j * (2 / n) - 1),
        dtype, device, requires_grad,
    )  # fmt: skip


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *,
                  dtype: Any = None, layout: Any = None, device: Any = None,
                  pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Kaiser's window: I0(beta sqrt(1 - (2j/n - 1)²)) / I0(beta)."""
    return _window(
        "kaiser_window", window_length, periodic, lambda j, n: _kaiser(j * (2 / n) - 1, beta),
        dtype, device, requires_grad,
    )  # fmt: skip


# torch.signal.windows


def _signal_points(name: str, M: int, dtype: Any, device: Any) -> Any:
    """0, 1, ..., M - 1 in the window's dtype, after PyTorch's checks."""
    require_cpu(device)
    kind = dtype or get_default_dtype()
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if kind.numpy not in (F32, F64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {kind}")
    return np.arange(M).astype(kind.numpy)


def _span(M: int, sym: bool) -> int:
    """The distance from the window's first point to its last, or to where it repeats."""
    return M - 1 if sym or M <= 1 else M


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True,
                dtype: Any = None, layout: Any = None, device: Any = None,
                requires_grad: bool = False) -> Tensor:  # fmt: skip
    """exp(-|j - center| / tau) for j = 0 ... M - 1."""
    j = _signal_points("exponential", M, dtype, device)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    middle = _span(M, sym) / 2 if center is None else center
    return made(np.exp(-np.abs((j - middle) / tau)), requires_grad)


def cosine(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """sin(π(j + 1/2) / M) for j = 0 ... M - 1."""
    j = _signal_points("cosine", M, dtype, device)
    step = math.pi / max(_span(M, sym) + 1, 1)
    return made(np.sin((j + 0.5) * step), requires_grad)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None,
             device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """exp(-(j - middle)² / 2std²) for j = 0 ... M - 1."""
    j = _signal_points("gaussian", M, dtype, device)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    k = (j - _span(M, sym) / 2) * (1 / (std * math.sqrt(2)))
    return made(np.exp(-k * k), requires_grad)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, layout: Any = None,
           device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """I0(beta sqrt(1 - (2j/n - 1)²)) / I0(beta) for j = 0 ... M - 1, where n is M - 1, or M if not
    `sym`."""
    j = _signal_points("kaiser", M, dtype, device)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M <= 1:
        return made(np.ones_like(j), requires_grad)
    return made(_kaiser(j * (2 / _span(M, sym)) - 1, beta), requires_grad)


def bartlett(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """1 - |2j/n - 1| for j = 0 ... M - 1, where n is M - 1, or M if not `sym`."""
    j = _signal_points("bartlett", M, dtype, device)
    if M <= 1:
        return made(np.ones_like(j), requires_grad)
    return made(1 - np.abs(j * (2 / _span(M, sym)) - 1), requires_grad)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, dtype: Any = None,
                   layout: Any = None, device: Any = None,
                   requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Σ (-1)^k a[k] cos(2πkj/n) for j = 0 ... M - 1, where n is M - 1, or M if not `sym`."""
    j = _signal_points("general_cosine", M, dtype, device)
    if M <= 1:
        return made(np.ones_like(j), requires_grad)
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return made(_cosines(j * (2 * math.pi / _span(M, sym)), a), requires_grad)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None,
                    layout: Any = None, device: Any = None,
                    requires_grad: bool = False) -> Tensor:  # fmt: skip
    """alpha - (1 - alpha) cos(2πj/n) for j = 0 ... M - 1; see `general_cosine`."""
    return general_cosine(M, a=(alpha, 1 - alpha), sym=sym, dtype=dtype, layout=layout,
                          device=device, requires_grad=requires_grad)  # fmt: skip


def hamming(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Hamming's window: `general_hamming` with alpha 0.54."""
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device,
                           requires_grad=requires_grad)  # fmt: skip


def hann(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Hann's window: `general_hamming` with alpha 0.5."""
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device,
                           requires_grad=requires_grad)  # fmt: skip


def blackman(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Blackman's window: `general_cosine` with 0.42, 0.5, 0.08."""
    _signal_points("blackman", M, dtype, device)
    return general_cosine(M, a=(0.42, 0.5, 0.08), sym=sym, dtype=dtype, layout=layout,
                          device=device, requires_grad=requires_grad)  # fmt: skip


def nuttall(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Nuttall's window: `general_cosine` with 0.3635819, 0.4891775, 0.1365995, 0.0106411."""
    return general_cosine(M, a=(0.3635819, 0.4891775, 0.1365995, 0.0106411), sym=sym, dtype=dtype,
                          layout=layout, device=device, requires_grad=requires_grad)  # fmt: skip
