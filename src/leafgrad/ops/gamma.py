"""The logarithm of the gamma function, its derivatives, and Hurwitz' zeta function, of arrays.

Far from zero all of them are asymptotic series in 1/x, with Bernoulli numbers; nearer, recurrences
lead there. Left of zero stand reflections. All is computed in float64; errors are a few units in
the last place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .series import chebyshev, in_double, power_series, steps

# lgamma(x) / (x - 2) from 1.5 to 2.5, in 2(x - 2): Chebyshev coefficients, fitted at 50 digits.
_LGAMMA = (
    0.41418612492156676, 0.16322170068760064, -0.008658972394126285, 0.0006727515726001485,
    -6.139556963628233e-05, 6.110065797003576e-06, -6.410003033826223e-07, 6.962242692768951e-08,
    -7.747248733788217e-09, 8.774075140687239e-10, -1.0070266869830198e-10, 1.1678602130652374e-11,
    -1.3656871334744932e-12, 1.6079351149711552e-13, -1.9039501088488732e-14,
    2.2653768767833064e-15, -2.706656814831896e-16, 3.245660731626191e-17,
)  # fmt: skip
# The Bernoulli numbers B2, B4, ...
_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798,
    -174611 / 330, 854513 / 138, -236364091 / 2730,
)  # fmt: skip
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_FAR = 8.0  # from here on, Stirling's series

_STIRLING = tuple(b / (2 * j * (2 * j - 1)) for j, b in enumerate(_BERNOULLI[:9], 1))
_LOG_SLOPE = tuple(b / (2 * j) for j, b in enumerate(_BERNOULLI[:9], 1))


def _from_integer(x: Any) -> Any:
    """x less the nearest integer, exactly: what a sine of πx needs of it."""
    return x - np.rint(x)


def _lgamma_right(x: Any) -> Any:
    """lgamma of positive numbers."""
    # Near: Γ(2 + t) with t in [-0.5, 0.5], exactly the distance of x from an integer, times
    # 2 + t, 3 + t, ... or over x, x + 1.
    near = np.minimum(x, _FAR)
    whole = np.floor(near + 0.5)
    t = near - whole
    factor = np.where(whole < 2, near, 1) * np.where(whole < 1, near + 1, 1)
    small = t * chebyshev(_LGAMMA, 2 * t) - np.log(factor)
    n = steps(2, int(_FAR) - 2, x)
    small = small + np.log(np.prod(np.where(whole > n, t + n, 1), axis=0))
    far = np.maximum(x, _FAR)
    inverse = 1 / far
    large = (far - 0.5) * np.log(far) - far + _HALF_LOG_TWO_PI
    large = large + inverse * power_series(_STIRLING, inverse * inverse)
    return np.where(x < _FAR, small, np.where(x == math.inf, math.inf, large))


@in_double
def lgamma_of(x: Any) -> Any:
    """log |Γ(x)| of an array: infinite at the poles, and at both infinities."""
    left = x <= 0
    mirrored = np.where(left, 1 - x, x)
    right = _lgamma_right(mirrored)
    sine = np.abs(np.sin(math.pi * _from_integer(x)))
    reflected = math.log(math.pi) - np.log(np.where(left, sine, 1)) - right
    return np.where(x == -math.inf, math.inf, np.where(left, reflected, right))


@in_double
def digamma_of(x: Any) -> Any:
    """Γ'/Γ of an array: NaN at the negative integers, infinite at zero against its sign."""
    left = x < 0
    y = np.where(left, 1 - x, x)
    moved = np.sum(1 / (y + steps(0, 10, y)), axis=0)
    y = y + 10
    inverse = 1 / y
    value = np.log(y) - 0.5 * inverse - moved
    square = inverse * inverse
    value = value - square * power_series(_LOG_SLOPE, square)
    offset = _from_integer(x)
    angle = math.pi * np.where(left, offset, 0.25)
    value = np.where(left, value - math.pi / np.tan(angle), value)
    value = np.where(left & (offset == 0), math.nan, value)
    return np.where(x == 0, -np.copysign(math.inf, x), value)


_ZETA = [b / math.factorial(2 * j) for j, b in enumerate(_BERNOULLI, 1)]
_DIRECT = 10  # terms that are added up before the Euler-Maclaurin formula takes over


def _zeta_right(x: Any, q: Any) -> Any:
    """Σ (q + k)^-x over k >= 0, of x > 1 and q > 0."""
    end = q + _DIRECT
    total = np.sum((q + steps(0, _DIRECT, end + x)) ** -x, axis=0)
    last = end**-x
    total = total + end ** (1 - x) / (x - 1) + last / 2
    # x (x + 1) ... (x + 2j) / end^(2j + 1), times `last`, for j from 0 on
    j = steps(1, len(_ZETA) - 1, end + x)
    first = np.expand_dims(x / end * last, 0)
    rising = np.cumprod(
        np.concatenate([first, (x + 2 * j - 1) * (x + 2 * j) / (end * end)]), axis=0
    )
    weights = np.reshape(np.array(_ZETA), (len(_ZETA), *j.shape[1:]))
    return total + np.sum(weights * np.where(np.isfinite(rising), rising, 0), axis=0)


def zeta_of(x: Any, q: Any) -> Any:
    """Hurwitz' zeta function of arrays, Σ (q + k)^-x over k >= 0: infinite at the poles, NaN
    where a power of a negative number is none."""
    kind = np.result_type(x.dtype, q.dtype)
    x, q = x.astype(np.float64), q.astype(np.float64)
    left = q < 0
    rest = np.where(left, q - np.floor(q), q)
    value = _zeta_right(x, np.where(rest == 0, 1, rest))
    if left.__class__ is not np.ndarray or left.any():
        # For integers x, besides: the terms from q to that remainder, up to their sign.
        ends = (np.where(left, 1 - end, 1) for end in (rest, q))
        more = np.subtract(*(_zeta_right(x, end) for end in ends))
        value = np.where(left, value + np.where(x % 2 == 0, more, -more), value)
    value = np.where(left & (x != np.floor(x)), math.nan, value)
    value = np.where((q <= 0) & (q == np.floor(q)), math.inf, value)
    value = np.where(x == 1, math.inf, np.where(x < 1, math.nan, value))
    undefined = np.isnan(x) | np.isinf(x) | np.isnan(q) | (q == math.inf)
    return np.where(undefined, math.nan, value).astype(kind)
