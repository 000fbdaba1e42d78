"""torch.fft: discrete Fourier transforms. They are in ops/spectral.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .ops.spectral import (
    fft,
    fft2,
    fftfreq,
    fftn,
    fftshift,
    hfft,
    hfft2,
    hfftn,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    ihfft2,
    ihfftn,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftfreq,
    rfftn,
)
from .protocols import FUNCTIONS

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft",
    "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


# NumPy's names for the same on tensors. Here, because `import leafgrad` does not load numpy.fft.


def _numpy_one(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
        return function(a, n, axis, norm, out=out)

    return call


def _numpy_several(function: Callable[..., Any], over: Any) -> Callable[..., Any]:
    def call(a: Any, s: Any = None, axes: Any = over, norm: Any = None, out: Any = None) -> Any:
        return function(a, s, axes, norm, out=out)

    return call


for _function in (fft, ifft, rfft, irfft, hfft, ihfft):
    FUNCTIONS[getattr(np.fft, _function.__name__)] = _numpy_one(_function)
for _function in (fftn, ifftn, rfftn, irfftn):
    FUNCTIONS[getattr(np.fft, _function.__name__)] = _numpy_several(_function, None)
for _function in (fft2, ifft2, rfft2, irfft2):
    FUNCTIONS[getattr(np.fft, _function.__name__)] = _numpy_several(_function, (-2, -1))
FUNCTIONS[np.fft.fftshift] = lambda x, axes=None: fftshift(x, axes)
FUNCTIONS[np.fft.ifftshift] = lambda x, axes=None: ifftshift(x, axes)
