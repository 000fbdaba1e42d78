"""Triangular factors of Hermitian matrices, and what solves with them: Cholesky's A = LLᴴ, of
positive definite ones, and LDLᴴ.

A = PLU is in `lu`, QR in `orthogonal`, eigenvalues and singular values in `eigen`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..duck import whole
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, normal_dim
from .arithmetic import without_derivative
from .matrices import (
    LinAlgError,
    castable,
    check_inexact,
    check_kernel,
    check_square,
    deprecated,
    diagonal,
    eye_like,
    first_failure,
    in_conjugates,
    matmul,
    matrix_function,
    mH,
    mT,
    must_be_tensor,
)
from .triangular import check_old_system, substituted, triangular_solution

__all__ = ["cholesky", "cholesky_inverse", "cholesky_solve"]
METHODS = ("cholesky", "cholesky_inverse", "cholesky_solve")


# Cholesky


def _cholesky(a: Any, upper: bool) -> tuple[Any, Any]:
    """The triangular factor of each matrix, and LAPACK's code: 0, or the order of the first
    leading minor that is not positive."""
    try:
        factor = np.linalg.cholesky(a, upper=upper)
        if not np.any(np.isnan(diagonal(factor))):
            return factor, np.zeros_like(a, np.int32, shape=a.shape[:-2])
    except np.linalg.LinAlgError:
        pass
    factor = np.triu(a) if upper else np.tril(a)
    info = np.zeros(a.shape[:-2], np.int32)
    for place in np.ndindex(a.shape[:-2]):
        info[place] = _cholesky_rows(mH(factor[place]) if upper else factor[place])
    return factor, info


def _cholesky_rows(x: Any) -> int:
    """Cholesky's factor of one matrix in its place, column by column, until that fails."""
    for j in range(x.shape[0]):
        row = x[j, :j]
        x[j, j] = pivot = (x[j, j] - np.dot(row, np.conj(row))).real
        if not pivot > 0:
            return j + 1
        x[j, j] = pivot**0.5
        x[j + 1 :, j] = (x[j + 1 :, j] - np.dot(x[j + 1 :, :j], np.conj(row))) / x[j, j]
    return 0


def _cholesky_op(name: str, node: str) -> Any:
    @op(name=name, node=node, differentiable=(0,))
    @quietly
    def cholesky(A, /, upper, caller):
        """The factor L of A = LLᴴ, or U of A = UᴴU if `upper`, and codes: f[..., n, n].

        caller: the function that fails, where there is none, by name; None: none does
        """
        factor, info = _cholesky(A, upper)
        if caller is not None and np.any(info):
            where, order = first_failure(info)
            fail(LinAlgError, f"{caller}: {where}The factorization could not be completed because "
                              "the input is not positive-definite (the leading minor of order "
                              f"{order} is not positive-definite).")  # fmt: skip
        return factor, info

    return cholesky.vjp(A=_cholesky_rule)


@in_conjugates
def _cholesky_rule(g, out, upper):
    # dL = L·Φ(L⁻¹ dA L⁻ᴴ), where Φ takes the lower triangle and half of the diagonal.
    factor = mH(out[0]) if upper else out[0]
    lower = np.tril(matmul(mH(factor), mH(g) if upper else g))
    middle = (lower + mH(np.tril(lower, -1))) / 2
    left = triangular_solution(mH(factor), middle, True, True, False)
    return triangular_solution(factor, left, False, False, False)


_factor = _cholesky_op("linalg_cholesky_ex", "LinalgCholeskyExBackward0")
_old_factor = _cholesky_op("cholesky", "CholeskyBackward0")


@matrix_function("linalg_cholesky_ex", "input")
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """(L, info) with A = LLᴴ, L lower triangular; A = LᴴL, L upper triangular, if `upper`.

    Only that triangle of A is read. info: 0, or the order of the first leading minor of A that is
    not positive; the factor is then not complete. check_errors: raise LinAlgError instead
    """
    _check_cholesky(input)
    caller = "linalg.cholesky_ex" if check_errors else None
    return return_types.linalg_cholesky_ex(_factor(input, upper, caller))


def _check_cholesky(input: Tensor) -> None:
    check_square("linalg.cholesky", input)
    check_inexact("linalg.cholesky", input, "cholesky_cpu")


@matrix_function("linalg_cholesky", "input")
def linalg_cholesky(input: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = LLᴴ, or the upper one with A = LᴴL.

    Only that triangle of A is read. LinAlgError if A is not positive definite.
    """
    _check_cholesky(input)
    return _factor(input, upper, "linalg.cholesky")[0]


@matrix_function("cholesky", "input", castable("cholesky"))
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """Cholesky's factor; deprecated in PyTorch for `linalg.cholesky`."""
    deprecated("cholesky", "cholesky", "for upper=True use linalg.cholesky(A).mH")
    check_square("cholesky", input)
    check_kernel("cholesky_cpu", input)
    return _old_factor(input, upper, "cholesky")[0]


@op(name="cholesky_solve", node="CholeskySolveBackward0")
@quietly
def _cholesky_solution(self, input2, /, upper):
    """X with AX = B, A = LLᴴ or A = LᴴL if `upper`: f[..., n, k], f[..., n, n] -> f[..., n, k]."""
    factor = mH(input2) if upper else input2
    return substituted(mH(factor), substituted(factor, self, False), True)


@in_conjugates
def _cholesky_solution_rule(g, input2, out, upper):
    of_b = _cholesky_solution(g, input2, upper)
    both = matmul(of_b, mH(out))
    both = both + mH(both)
    return of_b, -matmul(input2, both) if upper else -matmul(both, input2)


_cholesky_solution.vjp(_cholesky_solution_rule)


@matrix_function("cholesky_solve", "input", castable("cholesky_solve"))
def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    """X with AX = input, from Cholesky's factor L = input2: A = LLᴴ, or A = LᴴL if `upper`."""
    must_be_tensor("cholesky_solve", input2, "input2", 2)
    for what, x in (("b", input), ("u", input2)):
        if x.ndim < 2:
            fail(RuntimeError, f"{what} should have at least 2 dimensions, but has {x.ndim} "
                               "dimensions instead")  # fmt: skip
    check_old_system("cholesky_solve", input2, input)
    check_kernel("cholesky_solve_cpu", input2)
    return _cholesky_solution(input, input2, upper)


def fail_singular(name: str, info: Any) -> None:
    """Raise PyTorch's error for the inverse of a singular matrix, if there is one."""
    if np.any(whole(info)):
        where, element = first_failure(info)
        fail(LinAlgError, f"{name}: {where}The diagonal element {element} is zero, the inversion "
                          "could not be completed because the input matrix is "
                          "singular.")  # fmt: skip


@op(name="cholesky_inverse", node="CholeskyInverseBackward0")
@quietly
def _cholesky_inverse(self, /, upper):
    """The inverse of LLᴴ, or of LᴴL if `upper`: f[..., n, n] -> f[..., n, n]."""
    zero = diagonal(self) == 0
    if np.any(zero):
        info = np.where(np.any(zero, -1), np.argmax(zero, -1) + 1, 0)
        fail_singular("cholesky_inverse", info)
    eye = np.broadcast_to(eye_like(self, self.shape[-1]), self.shape)
    inverse = substituted(mH(self) if upper else self, eye, False)
    return np.matmul(mH(inverse), inverse)


@in_conjugates
def _cholesky_inverse_rule(g, self, out, upper):
    both = matmul(matmul(out, g + mH(g)), out)
    return -matmul(self, both) if upper else -matmul(both, self)


_cholesky_inverse.vjp(self=_cholesky_inverse_rule)


@matrix_function("cholesky_inverse", "input", castable("cholesky_inverse"))
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, from Cholesky's factor L = input: A = LLᴴ, or A = LᴴL if `upper`."""
    check_square("cholesky_inverse", input)
    check_kernel("cholesky_inverse_out_cpu", input)
    return _cholesky_inverse(input, upper)


# LDLᴴ


def _sytrf(a: Any, hermitian: bool) -> Any:
    """SciPy's LDL decomposition of a symmetric or Hermitian matrix: (factors, pivots, code)."""
    try:
        from scipy.linalg import lapack
    except ImportError:
        raise ModuleNotFoundError(
            "the LDL decomposition needs SciPy: pip install 'leafgrad[special]'"
        ) from None
    kind = a.dtype.char
    name = {"f": "s", "d": "d", "F": "c", "D": "z"}[kind] + (
        "hetrf" if hermitian and kind in "FD" else "sytrf"
    )
    lwork = getattr(lapack, f"{name}_lwork")(a.shape[0], lower=1)[0]
    return getattr(lapack, name)(a, lower=1, lwork=int(lwork.real))


@op(name="linalg_ldl_factor_ex")
def _ldl_factor(A, /, hermitian, caller):
    """The factors L and D of A = LDLᴴ in one matrix, the pivots, and codes: f[..., n, n]."""
    factors, info = np.tril(A), np.zeros(A.shape[:-2], np.int32)
    pivots = np.zeros(A.shape[:-1], np.int32)
    for place in np.ndindex(A.shape[:-2] if A.size else (0,)):
        factors[place], pivots[place], info[place] = _sytrf(A[place], hermitian)
    if caller is not None and np.any(info):
        where, element = first_failure(info)
        fail(LinAlgError, f"{caller}: {where}The factor D is singular, its diagonal element "
                          f"{element} is zero.")  # fmt: skip
    return np.tril(factors), pivots, info


without_derivative(_ldl_factor)


@matrix_function("linalg_ldl_factor_ex", "input")
def ldl_factor_ex(input: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """(LD, pivots, info): A = LDLᵀ, or A = LDLᴴ if `hermitian`, with L and D in one matrix.

    Only the lower triangle of A is read. D has blocks of size 1 or 2 on its diagonal; pivots and
    info are LAPACK's of `sytrf`. check_errors: raise LinAlgError where D is singular
    """
    return return_types.linalg_ldl_factor_ex(
        _ldl(input, hermitian, "torch.linalg.ldl_factor_ex" if check_errors else None)
    )


@matrix_function("linalg_ldl_factor", "input")
def ldl_factor(input: Tensor, *, hermitian: bool = False) -> Any:
    """(LD, pivots): A = LDLᵀ, or A = LDLᴴ if `hermitian`; LinAlgError where D is singular."""
    return return_types.linalg_ldl_factor(_ldl(input, hermitian, "torch.linalg.ldl_factor")[:2])


def _ldl(input: Tensor, hermitian: bool, caller: str | None) -> Any:
    name = "torch.linalg.ldl_factor_ex"
    check_square(name, input)
    check_inexact(name, input, "ldl_factor_kernel_cpu")
    return _ldl_factor(input, hermitian, caller)


@op(name="linalg_ldl_solve")
@quietly
def _ldl_solution(LD, pivots, B, /, hermitian):
    """X with AX = B, from the factors of A: f[..., n, n], i[..., n], f[..., n, k]."""
    batch = np.broadcast_shapes(LD.shape[:-2], B.shape[:-2])
    found = np.array(np.broadcast_to(B, (*batch, *B.shape[-2:])))
    factors = np.broadcast_to(LD, (*batch, *LD.shape[-2:]))
    pivots = np.broadcast_to(pivots, (*batch, pivots.shape[-1]))
    for place in np.ndindex(batch):
        _solve_ldl(factors[place], pivots[place].tolist(), found[place], hermitian)
    return found


def _solve_ldl(factors: Any, pivots: list[int], x: Any, hermitian: bool) -> None:
    """LDLᴴx = b in place of b. Blocks of D have size 1, or 2 where a pivot is negative; a pivot is
    the row (from 1) with which a block's last row was exchanged."""
    turned = mH if hermitian else mT
    blocks = []
    k = 0
    while k < len(pivots):
        last = k if pivots[k] > 0 else k + 1
        exchange = [last, abs(pivots[k]) - 1]
        block, below = slice(k, last + 1), slice(last + 1, None)
        x[exchange] = x[exchange[::-1]]
        x[below] -= factors[below, block] @ x[block]
        d = factors[block, block]
        if last == k:
            x[k] /= d[0, 0].real if hermitian else d[0, 0]
        else:
            x[block] = np.linalg.solve(np.tril(d, -1) + turned(np.tril(d)), x[block])
        blocks.append((block, below, exchange))
        k = last + 1
    for block, below, exchange in reversed(blocks):
        x[block] -= turned(factors[below, block]) @ x[below]
        x[exchange] = x[exchange[::-1]]


without_derivative(_ldl_solution)


@matrix_function("linalg_ldl_solve", "LD")
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """X with AX = B, from the factors that `ldl_factor` gives."""
    name = "torch.linalg.ldl_solve"
    must_be_tensor("linalg_ldl_solve", pivots, "pivots", 2)
    must_be_tensor("linalg_ldl_solve", B, "B", 3)
    check_square(name, LD)
    normal_dim(-2, B.ndim)
    check_old_system(name, LD, B)
    if tuple(LD.shape[:-1]) != tuple(pivots.shape):
        fail(RuntimeError, f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but "
                           f"got pivots with shape {list(pivots.shape)} instead")  # fmt: skip
    if pivots.dtype.category != 1:
        fail(RuntimeError, f"{name}: Expected pivots to be integers. Got {pivots.dtype.legacy}")
    check_inexact(name, LD, "ldl_solve_kernel_cpu")
    return _ldl_solution(LD, pivots, B, hermitian)


NUMPY = {np.linalg.cholesky: linalg_cholesky}
