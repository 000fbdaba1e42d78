"""The inverses of the error function and of the normal distribution function, of arrays.

Both start from an approximation with an error of 0.2 % and take Newton's or Halley's steps. Errors
are a few units in the last place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .erf import erf_of, erfcx_of
from .series import in_double

_HALF_ROOT_PI = math.sqrt(math.pi) / 2

_START = 0.147  # the constant of Winitzki's approximation


def _coarse_erfinv(log_rest: Any) -> Any:
    """erfinv(y) about, of log(1 - y²)."""
    b = 2 / (math.pi * _START) + log_rest / 2
    ratio = -log_rest / _START
    return np.sqrt(ratio / (np.sqrt(b * b + ratio) + b))


def _erfcinv(q: Any) -> Any:
    """The inverse of erfc, of numbers from 0 to 1/2. Newton's steps on log erfc, which is nearly
    a parabola, so that the smallest numbers are no harder than others."""
    target = np.log(q)
    x = _coarse_erfinv(target + np.log(2 - q))
    for _ in range(3):
        scaled = erfcx_of(x)
        x = x + (np.log(scaled) - x * x - target) * scaled * _HALF_ROOT_PI
    return np.where(q == 0, math.inf, x)


def _central_erfinv(y: Any) -> Any:
    """The inverse of erf, of numbers from -1/2 to 1/2, by Halley's steps."""
    x = np.copysign(_coarse_erfinv(np.log1p(-y * y)), y)
    for _ in range(2):
        step = (erf_of(x) - y) * np.exp(x * x) * _HALF_ROOT_PI
        x = x - step / (1 + x * step)
    return np.where(y == 0, y, x)


@in_double
def erfinv_of(y: Any) -> Any:
    """The inverse of erf of an array: NaN beyond ±1."""
    size = np.abs(y)
    central = _central_erfinv(np.where(size <= 0.5, y, 0))
    tail = np.copysign(_erfcinv(np.where(size > 0.5, 1 - size, 0.5)), y)
    return np.where(size <= 0.5, central, np.where(size <= 1, tail, math.nan))


@in_double
def ndtri_of(p: Any) -> Any:
    """The inverse of the normal distribution function of an array: NaN beyond 0 and 1."""
    rest = np.minimum(p, 1 - p)
    tail = np.copysign(_erfcinv(np.where(rest < 0.25, 2 * rest, 0.5)), p - 0.5)
    central = _central_erfinv(np.where(rest >= 0.25, 2 * p - 1, 0))
    found = math.sqrt(2) * np.where(rest >= 0.25, central, tail)
    return np.where((p >= 0) & (p <= 1), found, math.nan)
