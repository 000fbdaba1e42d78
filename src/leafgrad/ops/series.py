"""What the special functions of arrays share: series, and how they are evaluated."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import F64


def chebyshev(coefficients: Any, t: Any) -> Any:
    """The sum of c[k] T[k](t), by Clenshaw's recurrence."""
    twice = t + t
    ahead: Any = 0.0
    value = coefficients[-1]
    for c in coefficients[-2:0:-1]:
        value, ahead = twice * value - ahead + c, value
    return t * value - ahead + coefficients[0]


def power_series(coefficients: Any, x: Any) -> Any:
    """The sum of c[k] x^k, by Horner's scheme."""
    value: Any = 0.0
    for c in reversed(coefficients):
        value = value * x + c
    return value


_BLOCK = 8192  # elements at a time, so that intermediate results stay in the cache


def in_double(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of an array that computes in float64, whatever the array's floating dtype."""

    @functools.wraps(function)
    def wrapped(x: Any) -> Any:
        if x.__class__ is not np.ndarray or x.size <= _BLOCK:
            return function(x.astype(F64)).astype(x.dtype)
        flat = np.ravel(x)
        found = np.empty_like(flat)
        for start in range(0, flat.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            found[part] = function(flat[part].astype(F64))
        return found.reshape(x.shape)

    return wrapped
