"""Orthogonal polynomials of a degree that is a tensor, too: Chebyshev's four kinds, also shifted to
[0, 1], Hermite's two, Laguerre's and Legendre's.

All follow from a recurrence of three terms. Inside [-1, 1] Chebyshev's are also quotients of sines
and cosines, which are quicker for high degrees. A degree below zero gives zero; its fraction is cut
off. PyTorch has no derivatives of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import F32, F64
from ..duck import whole
from ..graph.operator import NUMBERS, op
from ..graph.quiet import quietly
from ..tensor import Tensor
from .bessel import no_tensor, refuse_narrow

__all__: list[str] = []


def _degrees(n: Any, limit: float = math.inf) -> Any:
    """Degrees without their fraction; -1 for what is none. Those above a limit are cut to it."""
    return np.minimum(np.trunc(np.where(np.abs(n) < 2.0**63, n, -1)), limit)


def _recurrence(first: Any, step: Callable[[int, Any, Any], Any], n: Any) -> Any:
    """The polynomials of degrees `n` of a sequence that starts with 1 and `first`.

    step: from k and the polynomials of degrees k - 1 and k - 2 to that of degree k
    """
    first = np.broadcast_to(first, np.broadcast_shapes(first.shape, n.shape))
    before, here = np.ones_like(first), first
    value = np.where(n == 0, before, np.where(n == 1, here, 0))
    for k in range(2, int(np.max(whole(n), initial=0)) + 1):
        before, here = here, step(k, here, before)
        value = np.where(n == k, here, value)
        if np.all(whole((n <= k) | np.isnan(here))):  # NaN stays NaN
            return np.where(n > k, here, value)
    return value


# Chebyshev's: P[k] = 2x P[k-1] - P[k-2]. With x = cos θ the kinds are
# t: cos nθ; u: sin (n+1)θ / sin θ; v: cos (n+½)θ / cos θ/2; w: sin (n+½)θ / sin θ/2


def _first(kind: str, x: Any) -> Any:
    return {"t": x, "u": x + x, "v": x + x - 1, "w": x + x + 1}[kind]


def _by_angle(kind: str, x: Any, n: Any) -> Any:
    angle = np.arccos(x)
    if kind == "t":
        return np.cos(n * angle)
    if kind == "u":
        return np.sin((n + 1) * angle) / np.sin(angle)
    if kind == "v":
        return np.cos((n + 0.5) * angle) / np.cos(angle / 2)
    return np.sin((n + 0.5) * angle) / np.sin(angle / 2)


def _at_end(kind: str, positive: bool, n: Any) -> Any:
    """The value at 1 or -1."""
    size = {"t": 1, "u": n + 1, "v": 1 if positive else n + n + 1,
            "w": n + n + 1 if positive else 1}[kind]  # fmt: skip
    return size if positive else np.where(n % 2 == 0, size, -size)


_BY_RECURRENCE = {"t": 6, "u": 8, "v": 8, "w": 8}  # the degrees up to which it is as accurate


def _chebyshev(kind: str, x: Any, n: Any) -> Any:
    n = _degrees(n)
    inside = np.abs(x) < 1
    by_angle = inside & (n > _BY_RECURRENCE[kind])
    ends = np.abs(x) == 1
    stepwise = np.where(by_angle | ends, 0, n)
    value = _recurrence(_first(kind, x), lambda k, p, q: (x + x) * p - q, stepwise)
    value = np.where(by_angle, _by_angle(kind, np.where(inside, x, 0), n), value)
    value = np.where(x == 1, _at_end(kind, True, n), value)
    value = np.where(x == -1, _at_end(kind, False, n), value)
    return np.where(n < 0, 0, value)


# The others


def _hermite_limit(x: Any) -> float:
    # PyTorch has none of higher degree: they overflow.
    return 128 if x.dtype == F32 else 512


def _hermite(x: Any, n: Any, scale: int) -> Any:
    """Physicists' (scale 2) or probabilists' (1): P[k] = scale (x P[k-1] - (k-1) P[k-2])."""
    limit = _hermite_limit(x)
    n = _degrees(n, limit + 1)
    value = _recurrence(scale * x, lambda k, p, q: scale * (x * p - (k - 1) * q),
                        np.minimum(n, limit))  # fmt: skip
    return np.where(n > limit, math.nan, value)


def _laguerre(x: Any, n: Any) -> Any:
    n = _degrees(n)
    value = _recurrence(
        1 - x,
        lambda k, p, q: ((2 * k - 1 - x) * p - (k - 1) * q) / k,
        np.where(x == 0, 0, n),
    )
    return np.where(n < 0, 0, np.where(x == 0, 1, value))


def _legendre(x: Any, n: Any) -> Any:
    n = _degrees(n)
    ends = np.abs(x) == 1
    value = _recurrence(
        x,
        lambda k, p, q: ((2 * k - 1) * x * p - (k - 1) * q) / k,
        np.where(ends, 0, n),
    )
    value = np.where(ends, np.where((x > 0) | (n % 2 == 0), 1, -1), value)
    return np.where(n < 0, 0, value)


# The operators


def _operator(name: str, values: Callable[[Any, Any], Any], doc: str) -> Any:
    def forward(x, n):
        kind = np.result_type(x.dtype, n.dtype)
        return values(x.astype(kind), n.astype(F64)).astype(kind)

    forward.__doc__ = doc
    made = op(quietly(forward), name=f"special_{name}", promote="float", check=refuse_narrow(name))

    def polynomial(x: Any, n: Any, *, out: Tensor | None = None) -> Tensor:
        if isinstance(x, NUMBERS) and isinstance(n, NUMBERS):
            no_tensor(f"special_{name}", x, n)
        return made(x, n, out=out)

    polynomial.__name__ = polynomial.__qualname__ = name
    polynomial.__doc__ = doc
    return polynomial


def _chebyshev_operators(kind: str, ordinal: str) -> tuple[Any, Any]:
    name = f"chebyshev_polynomial_{kind}"
    doc = f"Chebyshev's polynomial of the {ordinal} kind of degree n, elementwise."
    return (
        _operator(name, lambda x, n: _chebyshev(kind, x, n), doc),
        _operator(f"shifted_{name}", lambda x, n: _chebyshev(kind, x + x - 1, n),
                  f"`{name}` of 2x - 1."),
    )  # fmt: skip


chebyshev_polynomial_t, shifted_chebyshev_polynomial_t = _chebyshev_operators("t", "first")
chebyshev_polynomial_u, shifted_chebyshev_polynomial_u = _chebyshev_operators("u", "second")
chebyshev_polynomial_v, shifted_chebyshev_polynomial_v = _chebyshev_operators("v", "third")
chebyshev_polynomial_w, shifted_chebyshev_polynomial_w = _chebyshev_operators("w", "fourth")
hermite_polynomial_h = _operator(
    "hermite_polynomial_h", lambda x, n: _hermite(x, n, 2),
    "The physicists' Hermite polynomial of degree n, elementwise.",
)  # fmt: skip
hermite_polynomial_he = _operator(
    "hermite_polynomial_he", lambda x, n: _hermite(x, n, 1),
    "The probabilists' Hermite polynomial of degree n, elementwise.",
)  # fmt: skip
laguerre_polynomial_l = _operator(
    "laguerre_polynomial_l", _laguerre, "Laguerre's polynomial of degree n, elementwise."
)
legendre_polynomial_p = _operator(
    "legendre_polynomial_p", _legendre, "Legendre's polynomial of degree n, elementwise."
)
