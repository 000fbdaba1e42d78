"""Functions of matrices: exponential, powers, condition; Vandermonde's and covariance matrices."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..dtypes import F32
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, wrap
from .eigen import svdvals
from .elementwise import complex as make_complex
from .joining import cat
from .matrices import (
    castable,
    check_inexact,
    check_square,
    eye_like,
    in_conjugates,
    matrix_function,
    mH,
)
from .norms import matrix_norm
from .solving import inv, inv_ex

__all__ = ["corrcoef", "cov", "matrix_exp", "matrix_power"]
METHODS = __all__


# The exponential

# The coefficients of the numerator of Padé's approximation [13/13], and the largest norm for which
# it has the accuracy of float64 (Higham 2005). The denominator has every other sign changed.
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_LARGEST = 5.371920351148152


def _exponential(a: Any) -> Any:
    """e^A by scaling and squaring, each matrix as often as its norm wants."""
    if a.dtype.itemsize == 2:
        return _exponential(a.astype(F32)).astype(a.dtype)
    if not a.size:
        return a.copy()
    norm = np.max(np.sum(np.abs(a), -2), -1)
    halvings = np.ceil(np.log2(np.maximum(norm, _LARGEST) / _LARGEST))
    halvings = np.where(np.isfinite(halvings), halvings, 0)[..., None, None]
    a = a * np.exp2(-halvings).astype(a.real.dtype)
    eye = np.eye(a.shape[-1], dtype=a.dtype)
    c = [float(x) for x in _PADE]
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    odd = a @ (a6 @ (c[13] * a6 + c[11] * a4 + c[9] * a2)
               + c[7] * a6 + c[5] * a4 + c[3] * a2 + c[1] * eye)  # fmt: skip
    even = (a6 @ (c[12] * a6 + c[10] * a4 + c[8] * a2)
            + c[6] * a6 + c[4] * a4 + c[2] * a2 + c[0] * eye)  # fmt: skip
    try:
        found = np.linalg.solve(even - odd, even + odd)
    except np.linalg.LinAlgError:  # of matrices with NaN
        return np.full_like(a, math.nan)
    for done in range(int(np.max(halvings))):
        found = np.where(done < halvings, found @ found, found)
    return found


@op(name="linalg_matrix_exp")
@quietly
def _matrix_exp(input, /):
    """e^A = 1 + A + A²/2 + ...: f[..., n, n] -> f[..., n, n]."""
    return _exponential(input)


@in_conjugates
def _matrix_exp_rule(g, input):
    # The derivative of a function of matrices in a direction stands beside it in a block matrix:
    # f([A E; 0 A]) = [f(A) Df(A)·E; 0 f(A)].
    n = input.shape[-1]
    a = mH(input)
    above = np.concatenate([a, g], -1)
    below = np.concatenate([np.zeros_like(a), a], -1)
    return _matrix_exp(np.concatenate([above, below], -2))[..., :n, n:]


_matrix_exp.vjp(input=_matrix_exp_rule)


@matrix_function("linalg_matrix_exp", "input")
def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices, e^A = 1 + A + A²/2 + A³/6 + ..."""
    name = "linalg.matrix_exp"
    check_inexact(name, input)
    check_square(name, input)
    return _matrix_exp(input)


# Powers


def _power(a: Tensor, n: Any) -> Tensor:
    if not isinstance(n, int):
        fail(TypeError, f"linalg_matrix_power(): argument 'n' (position 2) must be int, not "
                        f"{type(n).__name__}")  # fmt: skip
    check_square("linalg.matrix_power", a)
    if n == 0:
        return a.clone().copy_(wrap(np.array(np.broadcast_to(eye_like(a, a.shape[-1]), a.shape))))
    if n < 0:
        a, n = inv(a), -n
    if n == 1:
        return a.clone()
    if n == 3:
        return (a @ a) @ a
    found = None
    while n:
        if n & 1:
            found = a if found is None else found @ a
        n >>= 1
        if n:
            a = a @ a
    return found


@matrix_function("linalg_matrix_power", "input", castable("matrix_power"))
def linalg_matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices: a product of n, of inverses where n is negative."""
    return _power(input, n)


@matrix_function("matrix_power", "input", castable("matrix_power"))
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices: a product of n, of inverses where n is negative."""
    return _power(input, n)


# Condition


@matrix_function("linalg_cond", "input", castable("linalg.cond"))
def cond(input: Tensor, p: Any = None) -> Tensor:
    """The condition number ‖A‖ · ‖A⁻¹‖ in the matrix norm `p`; infinite for a singular matrix.

    p: as of `matrix_norm`; None or 2: the largest by the smallest singular value; -2: its inverse
    """
    if input.ndim < 2:
        fail(RuntimeError, "linalg.cond: The input tensor must have at least 2 dimensions.")
    p = 2 if p is None else p
    known = p in ("fro", "nuc") if isinstance(p, str) else abs(p) in (1, 2, math.inf)
    if not known:
        fail(RuntimeError, f"linalg.cond got an invalid norm type: {_text(p)}")
    if p in (2, -2):
        if not math.prod(input.shape[-2:]):
            return input.new_zeros(input.shape[:-2], dtype=input.dtype.to_real())
        values = svdvals(input)
        largest, smallest = values[..., :1], values[..., -1:]
        return (smallest / largest if p == -2 else largest / smallest).squeeze(-1)
    check_square(f"linalg.cond(ord={_text(p)})", input)
    if not input.shape[-1]:
        return input.new_zeros(input.shape[:-2], dtype=input.dtype.to_real())
    if p == "nuc":
        values = svdvals(input)
        return values.sum(-1) * (1 / values).sum(-1)
    inverse = inv_ex(input)[0]
    return (matrix_norm(input, p) * matrix_norm(inverse, p)).nan_to_num(math.inf, math.inf,
                                                                       -math.inf)  # fmt: skip


def _text(p: Any) -> str:
    return p if isinstance(p, str) else f"{p:g}"


# Matrices with a pattern


@matrix_function("linalg_vander", "x")
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Vandermonde's matrix: row i is xᵢ to the powers 0 to N - 1: f[..., n] -> f[..., n, N]."""
    if x.dtype.category == 0 or (x.dtype.itemsize == 2 and x.dtype.is_floating_point):
        fail(RuntimeError, "linalg.vander supports floating point, complex, and integer tensors, "
                           f"but got {x.dtype.legacy}")  # fmt: skip
    x = x if x.ndim else x.unsqueeze(0)
    count = N if N is not None else x.shape[-1]
    if count <= 1:
        fail(RuntimeError, "N must be greater than 1.")
    rest = x.unsqueeze(-1).expand(*x.shape, count - 1).cumprod(-1)
    return cat([rest.new_ones((*x.shape, 1)), rest], -1)


@matrix_function("cov", "input")
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
        aweights: Tensor | None = None) -> Tensor:  # fmt: skip
    """The covariance of variables, the rows, from observations, the columns.

    correction: is taken off the number of observations by which the sum is divided; fweights: how
    often each observation counts; aweights: how reliable it is
    """
    if input.ndim > 2:
        fail(RuntimeError, "cov(): expected input to have two or fewer dimensions but got an input "
                           f"with {input.ndim} dimensions")  # fmt: skip
    if input.dtype.category == 0:
        fail(RuntimeError, "cov(): bool dtype is not supported for input")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    count = x.shape[1]
    weights = None
    if fweights is not None:
        _check_weights("fweights", "integral", fweights, fweights.dtype.category == 1, count)
        weights = fweights
    if aweights is not None:
        _check_weights("aweights", "floating point", aweights, aweights.is_floating_point(), count)
        weights = aweights if weights is None else weights * aweights
    total: Any = count if weights is None else weights.sum()
    if weights is not None and not total.item():
        fail(ZeroDivisionError, "cov(): weights sum to zero, can't be normalized")
    mean = (x if weights is None else x * weights).sum(1) / total
    if aweights is not None and correction != 0:
        divisor = total - correction * (weights * aweights).sum() / total
    else:
        divisor = total - correction
    if (divisor.item() if isinstance(divisor, Tensor) else divisor) <= 0:
        warnings.warn("cov(): degrees of freedom is <= 0. Correction should be strictly less than "
                      "the number of observations.", stacklevel=3)  # fmt: skip
        divisor = 0.0
    x = x - mean.unsqueeze(1)
    other = x if weights is None else x * weights
    other = other.t().conj() if other.is_complex() else other.t()
    return ((x @ other) / divisor).squeeze()


def _check_weights(name: str, kind: str, weights: Tensor, right: bool, count: int) -> None:
    if weights.ndim > 1:
        fail(RuntimeError, f"cov(): expected {name} to have one or fewer dimensions but got {name} "
                           f"with {weights.ndim} dimensions")  # fmt: skip
    if not right:
        fail(RuntimeError, f"cov(): expected {name} to have {kind} dtype but got {name} with "
                           f"{weights.dtype.legacy} dtype")  # fmt: skip
    if weights.numel() != count:
        fail(RuntimeError, f"cov(): expected {name} to have the same numel as there are "
                           "observations in the input but got "
                           f"{weights.numel()} != {count}")  # fmt: skip
    if count and weights.min().item() < 0:
        fail(RuntimeError, f"cov(): {name} cannot be negative")


@matrix_function("corrcoef", "input")
def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation coefficients of variables, the rows, from observations, the columns."""
    if input.ndim > 2:
        fail(RuntimeError, "corrcoef(): expected input to have two or fewer dimensions but got an "
                           f"input with {input.ndim} dimensions")  # fmt: skip
    found = cov(input)
    if not found.ndim:
        return found / found
    variances = found.diag()
    deviations = (variances.real if found.is_complex() else variances).sqrt()
    found = found / deviations.unsqueeze(1) / deviations
    if found.is_complex():
        return make_complex(found.real.clamp(-1, 1), found.imag.clamp(-1, 1))
    return found.clamp(-1, 1)


NUMPY = {np.linalg.cond: cond, np.linalg.matrix_power: linalg_matrix_power}
