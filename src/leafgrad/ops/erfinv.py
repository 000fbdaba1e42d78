"""Relatives of the error function, of arrays: exp(x²) erfc(x), and the inverses of erf and of the
normal distribution function.

The inverses start from an approximation with an error of 0.2 % and take Newton's or Halley's
steps. Errors are a few units in the last place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .erf import _HEAD, _TAIL, erf_of
from .series import in_double, power_series

_NEAR, _FAR = _HEAD[64][::-1], _TAIL[64][::-1]
_HALF_ROOT_PI = math.sqrt(math.pi) / 2


def _right_erfcx(x: Any) -> Any:
    """exp(x²) erfc(x) of numbers from sqrt(1/2) on."""
    return power_series(_FAR, 1.0 - 4.0 / (x + 2.0)) / (1.0 + 2.0 * x)


def erfcx_of(x: Any) -> Any:
    """exp(x²) erfc(x) of a float64 array: that which neither overflows nor vanishes."""
    size = np.abs(x)
    right = _right_erfcx(size)
    left = np.minimum(size, 30.0)
    coarse = np.trunc(left * 16.0) * 0.0625  # its square is exact: exp(x²) loses nothing
    growth = np.exp(coarse * coarse) * np.exp((left - coarse) * (left + coarse))
    close = np.minimum(size, 1.0)
    near = growth * (1.0 - x * power_series(_NEAR, close * close))
    return np.where(left * left < 0.5, near, np.where(x < 0, 2.0 * growth - right, right))


_START = 0.147  # the constant of Winitzki's approximation


def _coarse_erfinv(log_rest: Any) -> Any:
    """erfinv(y) about, of log(1 - y²)."""
    b = 2 / (math.pi * _START) + log_rest / 2
    ratio = -log_rest / _START
    return np.sqrt(ratio / (np.sqrt(b * b + ratio) + b))


def _erfcinv(q: Any) -> Any:
    """The inverse of erfc, of numbers from 0 to 0.3. Newton's steps on log erfc, which is nearly a
    parabola, so that the smallest numbers are no harder than others."""
    target = np.log(q)
    x = _coarse_erfinv(target + np.log(2 - q))
    for _ in range(3):
        scaled = _right_erfcx(x)
        x = x + (np.log(scaled) - x * x - target) * scaled * _HALF_ROOT_PI
    return np.where(q == 0, math.inf, x)


def _central_erfinv(y: Any) -> Any:
    """The inverse of erf, of numbers from -0.7 to 0.7, by Halley's steps."""
    x = np.copysign(_coarse_erfinv(np.log1p(-y * y)), y)
    for _ in range(2):
        step = (erf_of(x) - y) * np.exp(x * x) * _HALF_ROOT_PI
        x = x - step / (1 + x * step)
    return np.where(y == 0, y, x)


@in_double
def erfinv_of(y: Any) -> Any:
    """The inverse of erf of an array: NaN beyond ±1."""
    size = np.abs(y)
    near = size <= 0.7
    central = _central_erfinv(np.where(near, y, 0))
    tail = np.copysign(_erfcinv(np.where(near, 0.3, 1 - size)), y)
    return np.where(near, central, np.where(size <= 1, tail, math.nan))


@in_double
def ndtri_of(p: Any) -> Any:
    """The inverse of the normal distribution function of an array: NaN beyond 0 and 1."""
    rest = np.minimum(p, 1 - p)
    near = rest >= 0.15
    central = _central_erfinv(np.where(near, 2 * p - 1, 0))
    tail = np.copysign(_erfcinv(np.where(near, 0.3, 2 * rest)), p - 0.5)
    found = math.sqrt(2) * np.where(near, central, tail)
    return np.where((p >= 0) & (p <= 1), found, math.nan)
