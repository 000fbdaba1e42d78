"""The error function of arrays, which NumPy has not.

Near zero erf(x) / x is a polynomial in x². Elsewhere erfc(x) = exp(-x²) · f(t) / (1 + 2x), with a
polynomial f of t = (x - 2) / (x + 2), which maps the half line to an interval. Both were fitted by
Chebyshev interpolation at 60 digits. Relative errors: 2 eps of erf, 4 eps of erfc.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# By the bits of a float: coefficients of erf(x) / x in x² below x² = 1/2, and of f, highest first.
_HEAD = {
    64: (
        -1.3072731144638257e-07, 1.6126100583913738e-06, -1.490628284111612e-05,
        0.0001205465287302118, -0.000854831218199197, 0.0052239774278190895,
        -0.02686617062999515, 0.11283791670896198, -0.3761263890318286, 1.1283791670955126,
    ),
    32: (
        0.004269836936146021, -0.02646472305059433, 0.11276762187480927, -0.37612205743789673,
        1.1283791065216064,
    ),
}  # fmt: skip
_TAIL = {
    64: (
        -2.2339043755540725e-07, 7.859277156186637e-07, -7.867903649655512e-08,
        -1.9053173459425583e-06, -2.1535612116897172e-07, 2.063117409992915e-06,
        4.731077890021994e-06, 3.6144569135385916e-06, -1.3291706365313338e-05,
        -3.643683046673079e-05, -1.5543590503615632e-06, 0.0001510475301665884,
        0.00020637302621098326, -0.0004543422915143935, -0.001456814403882398,
        0.001271339092085481, 0.008722653896775017, -0.00803401508791901, -0.05422000099256033,
        0.16405128003354671, -0.16603039761528385, -0.09276382658574657, 1.2769783815525286,
    ),
    32: (
        0.00038396925083361566, -0.0019857550505548716, 0.0010302482405677438,
        0.00901048630475998, -0.008034329861402512, -0.05426701903343201, 0.1640549749135971,
        -0.16602781414985657, -0.0927639752626419, 1.2769783735275269,
    ),
}  # fmt: skip
_SMALL = 400  # up to this size the C library's function, element by element, is faster
_BLOCK = 8192  # elements at a time, so that intermediate results stay in the cache


def _polynomial(coefficients: Any, x: Any) -> Any:
    value = coefficients[0]
    for c in coefficients[1:]:
        value = value * x + c
    return value


def _by_formula(x: Any, complement: bool) -> Any:
    bits = 64 if x.dtype == np.float64 else 32
    size = np.minimum(np.abs(x), 30.0)
    coarse = np.trunc(size * 16.0) * 0.0625  # its square is exact: exp(-x²) loses nothing
    decay = np.exp(-coarse * coarse) * np.exp((coarse - size) * (coarse + size))
    rest = decay * _polynomial(_TAIL[bits], (size - 2.0) / (size + 2.0)) / (1.0 + 2.0 * size)
    near = x * _polynomial(_HEAD[bits], x * x)
    if complement:
        return np.where(size * size < 0.5, 1.0 - near, np.where(x < 0, 2.0 - rest, rest))
    return np.where(size * size < 0.5, near, np.copysign(1.0 - rest, x))


def _values(x: Any, complement: bool) -> Any:
    if x.__class__ is not np.ndarray:
        return _by_formula(x, complement)
    flat = np.ravel(x)
    if flat.size <= _SMALL:
        one = math.erfc if complement else math.erf
        return np.array([one(v) for v in flat.tolist()], x.dtype).reshape(x.shape)
    found = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = _by_formula(flat[part], complement)
    return found.reshape(x.shape)


def erf_of(x: Any) -> Any:
    """The error function of a float32 or float64 array."""
    return _values(x, complement=False)


def erfc_of(x: Any) -> Any:
    """1 - erf of a float32 or float64 array, accurate where it is small."""
    return _values(x, complement=True)
