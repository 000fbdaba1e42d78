"""A = PLU: the decomposition with exchanged rows, and systems solved with it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import return_types
from ..dtypes import int32
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor
from .matrices import (
    check_inexact,
    check_kernel,
    check_matrix,
    check_same_dtype,
    check_square,
    check_system,
    deprecated,
    first_failure,
    in_conjugates,
    joined,
    matmul,
    matrix_function,
    mH,
    mT,
    must_be_tensor,
    numpy_dtype,
    padded,
)
from .triangular import substituted, triangular_solution

__all__ = ["lu", "lu_solve", "lu_unpack"]
METHODS = ("lu", "lu_solve")

_PANEL = 16  # columns that are eliminated one by one


def factored(a: Any) -> tuple[Any, Any, Any]:
    """L and U in one matrix, the pivots, and codes, as LAPACK's `getrf` gives them, for batches.

    pivots[j]: the row, from 1, with which row j was exchanged before column j was eliminated; code:
    0, or the first column, from 1, whose pivot is 0
    """
    rows, columns = a.shape[-2:]
    count = min(rows, columns)
    turned = np.array(mT(a), order="C").reshape(math.prod(a.shape[:-2]), columns, rows)
    pivots = np.zeros((turned.shape[0], count), np.int32)
    info = np.zeros(turned.shape[0], np.int32)
    if turned.size:
        _eliminate(turned, pivots, info, 0, count)
        if columns > count:
            _solve_rows(turned, 0, count, columns)
    lu = mT(turned).reshape(a.shape)
    return lu, pivots.reshape(*a.shape[:-2], count), info.reshape(a.shape[:-2])


def _eliminate(x: Any, pivots: Any, info: Any, start: int, stop: int) -> None:
    """Eliminate a range of columns, wide ones by halves: then most of the work are products.

    x: the matrices transposed, so that columns are contiguous
    """
    if stop - start > _PANEL:
        middle = (start + stop) // 2
        _eliminate(x, pivots, info, start, middle)
        _solve_rows(x, start, middle, stop)
        above = x[:, middle:stop, start:middle]
        x[:, middle:stop, middle:] -= np.matmul(above, x[:, start:middle, middle:])
        _eliminate(x, pivots, info, middle, stop)
        return
    batch = np.arange(x.shape[0])
    for j in range(start, stop):
        column = x[:, j, j:]
        size = np.abs(column.real) + np.abs(column.imag) if x.dtype.kind == "c" else np.abs(column)
        chosen = np.argmax(size, axis=1) + j
        pivots[:, j] = chosen + 1
        found = x[batch, :, chosen]
        x[batch, :, chosen] = x[:, :, j]
        x[:, :, j] = found
        pivot = x[:, j, j]
        zero = pivot == 0
        info[zero & (info == 0)] = j + 1
        x[:, j, j + 1 :] /= np.where(zero, 1, pivot)[:, None]
        x[:, j + 1 : stop, j + 1 :] -= x[:, j + 1 : stop, j, None] * x[:, j, None, j + 1 :]


def _solve_rows(x: Any, start: int, middle: int, stop: int) -> None:
    """The rows of U that go with eliminated columns, in the columns from `middle` to `stop`."""
    square, right = x[:, start:middle, start:middle], x[:, middle:stop, start:middle]
    right[...] = mT(substituted(mT(square), mT(right), upper=False, unit=True))


def order(pivots: Any, rows: int) -> Any:
    """The rows of A in the order in which they stand in LU, from the pivots: A[order] = LU."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1]) - 1
    found = np.array(np.broadcast_to(np.arange(rows), (flat.shape[0], rows)))
    batch = np.arange(flat.shape[0])
    for j in range(flat.shape[1]):
        chosen = flat[:, j]
        kept = found[:, j].copy()
        found[:, j] = found[batch, chosen]
        found[batch, chosen] = kept
    return found.reshape(*pivots.shape[:-1], rows)


@op(name="permutation_matrix")
def permutation(pivots, /, rows, kind):
    """The matrix P of A = PLU, from the pivots: i[..., k] -> f[..., rows, rows]."""
    places = order(pivots, rows)
    return (np.arange(rows)[:, None] == places[..., None, :]).astype(kind)


def _lower(lu: Any) -> Any:
    """L of both factors in one matrix, its diagonal the ones that are not stored."""
    rows, columns = lu.shape[-2:]
    count = min(rows, columns)
    return np.tril(lu[..., :count], -1) + np.eye(rows, count, dtype=numpy_dtype(lu))


def _upper(lu: Any) -> Any:
    """U of both factors in one matrix."""
    return np.triu(lu[..., : min(lu.shape[-2:]), :])


# The decomposition


def _lu_rule(g_l: Any, g_u: Any, p: Any, l: Any, u: Any) -> Any:  # noqa: E741
    """The gradient of A = PLU, of any shape.

    The leading square of A gives L₁ and U₁, from dA₁ = P(dL₁ U₁ + L₁ dU₁); from them follow the
    rest of L, A₂ U₁⁻¹, or of U, L₁⁻¹ A₂.
    """
    n = u.shape[-2]
    l1, u1, l2, u2 = l[..., :n, :], u[..., :n], l[..., n:, :], u[..., n:]
    below = above = rest_of_l = rest_of_u = None
    if g_l is not None:
        below = matmul(mH(l1), g_l[..., :n, :])
        rest_of_l = g_l[..., n:, :]
        above = -matmul(mH(l2), rest_of_l) if l2.shape[-2] else None
    if g_u is not None:
        above = joined(above, matmul(g_u[..., :n], mH(u1)))
        rest_of_u = g_u[..., n:]
        below = joined(below, -matmul(rest_of_u, mH(u2)) if u2.shape[-1] else None)
    parts = [np.tril(below, -1) if below is not None else None,
             np.triu(above) if above is not None else None]  # fmt: skip
    first = triangular_solution(mH(u1), joined(*parts), False, False, False)
    first = triangular_solution(mH(l1), first, True, True, True)
    if l2.shape[-2]:
        if rest_of_l is None:
            rest_of_l = np.zeros_like(l2)
        rest = triangular_solution(mH(u1), rest_of_l, False, False, False)
        first = np.concatenate([first, rest], -2)
    elif u2.shape[-1]:
        if rest_of_u is None:
            rest_of_u = np.zeros_like(u2)
        rest = triangular_solution(mH(l1), rest_of_u, True, True, True)
        first = np.concatenate([first, rest], -1)
    return matmul(p, first)


@op(name="linalg_lu_factor_ex", differentiable=(0,))
@quietly
def lu_factors(A, /, caller):
    """L and U in one matrix, pivots and codes: f[..., n, m] -> f[..., n, m], i[..., k], i[...].

    caller: the function that fails, where a pivot is zero, by name; None: none does
    """
    lu, pivots, info = factored(A)
    if caller is not None and np.any(info):
        where, element = first_failure(info)
        fail(RuntimeError, f"{caller}: {where}U[{element},{element}] is zero and using it on "
                           "lu_solve would result in a division by zero. If you still want to "
                           "perform the factorization, consider calling linalg.lu(A, pivot) or "
                           "linalg.lu_factor_ex(A, pivot)")  # fmt: skip
    return lu, pivots, info


@in_conjugates
def _lu_factors_rule(g, out):
    lu, pivots, _ = out
    rows, columns = lu.shape[-2:]
    count = min(rows, columns)
    p = permutation(pivots, rows, numpy_dtype(lu))
    return _lu_rule(np.tril(g[..., :count], -1), np.triu(g[..., :count, :]), p,
                    _lower(lu), _upper(lu))  # fmt: skip


lu_factors.vjp(A=_lu_factors_rule)


@op(name="linalg_lu", differentiable=(1, 2))
@quietly
def _plu(A, /):
    """P, L and U: f[..., n, m] -> f[..., n, n], f[..., n, k], f[..., k, m] with k = min(n, m)."""
    lu, pivots, _ = factored(A)
    return permutation(pivots, A.shape[-2], A.dtype), _lower(lu), _upper(lu)


@in_conjugates
def _plu_rule(g, out):
    return _lu_rule(g[1], g[2], *out)


_plu.vjp(A=_plu_rule)


def _check_lu(name: str, a: Tensor, pivot: bool) -> None:
    if a.ndim < 2:
        fail(RuntimeError, f"{name}: Expected tensor with 2 or more dimensions. Got size: "
                           f"{list(a.shape)} instead")  # fmt: skip
    if not pivot:
        fail(RuntimeError, "linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    check_kernel("lu_cpu", a)


@matrix_function("linalg_lu_factor_ex")
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """(LU, pivots, info) with A = PLU: L, without its diagonal of ones, and U in one matrix.

    pivots: LAPACK's, from 1: see `lu_unpack`; info: 0, or the first row of U with a zero on the
    diagonal. check_errors: raise RuntimeError there
    """
    _check_lu("torch.lu_factor", A, pivot)
    caller = "torch.linalg.lu_factor_ex" if check_errors else None
    return return_types.linalg_lu_factor_ex(lu_factors(A, caller))


@matrix_function("linalg_lu_factor")
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """(LU, pivots) with A = PLU, see `lu_factor_ex`; RuntimeError where U is singular."""
    _check_lu("torch.lu_factor", A, pivot)
    return return_types.linalg_lu_factor(lu_factors(A, "torch.linalg.lu_factor")[:2])


@matrix_function("linalg_lu")
def linalg_lu(A: Tensor, *, pivot: bool = True) -> Any:
    """(P, L, U) with A = PLU: P exchanges rows, L is lower triangular with ones on its diagonal, U
    upper triangular."""
    _check_lu("linalg.lu", A, pivot)
    return return_types.linalg_lu(_plu(A))


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """(LU, pivots), with infos if `get_infos`; deprecated in PyTorch for `linalg.lu_factor`."""
    deprecated("lu", "lu_factor / torch.linalg.lu_factor_ex", "the meaning is the same")
    must_be_tensor("_lu_with_info", A, "input", 1)
    _check_lu("torch.lu_factor", A, pivot)
    if out is not None:
        wanted = 3 if get_infos else 2
        if len(out) != wanted:
            fail(TypeError, f"expected tuple of {wanted} elements but got {len(out)}")
        for target, result in zip(out, lu_factors(A.detach(), None), strict=False):
            target.resize_(result.shape).copy_(result)
        return tuple(out)
    found = lu_factors(A, None)
    return return_types._lu_with_info(found) if get_infos else found[:2]


@op(name="lu_unpack", differentiable=(1, 2))
def _unpacked(LU_data, LU_pivots, /, data, matrix):
    """P, L and U from what `linalg.lu_factor` gives; those not asked for are empty."""
    rows = LU_data.shape[-2]
    none = np.zeros_like(LU_data, shape=(0,))
    fits = LU_pivots.ndim and LU_pivots.shape[-1] == min(rows, LU_data.shape[-1])
    if matrix and (not fits or np.any((LU_pivots < 1) | (LU_pivots > rows))):
        raise RuntimeError("pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive."
                           "Did you properly pass the result of lu_factor?")  # fmt: skip
    if matrix:
        batch = LU_data.shape[:-2]
        LU_pivots = np.broadcast_to(LU_pivots, (*batch, LU_pivots.shape[-1]))
    p = permutation(LU_pivots, rows, LU_data.dtype) if matrix else none
    return p, *((_lower(LU_data), _upper(LU_data)) if data else (none, none))


def _unpacked_rule(g, LU_data_shape):
    rows, columns = LU_data_shape[-2:]
    lower = upper = None
    if g[1] is not None:
        lower = padded(np.tril(g[1], -1), 0, max(columns - rows, 0))
    if g[2] is not None:
        upper = padded(np.triu(g[2]), max(rows - columns, 0), 0)
    return joined(lower, upper)


_unpacked.vjp(LU_data=_unpacked_rule)


@matrix_function("lu_unpack", "LU_data")
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True,
              unpack_pivots: bool = True) -> Any:  # fmt: skip
    """(P, L, U) of A = PLU, from LU and pivots of `linalg.lu_factor`.

    Without unpack_data, L and U are empty; without unpack_pivots, P is.
    """
    if LU_data.ndim < 2:
        fail(RuntimeError, "torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: "
                           f"{list(LU_data.shape)} instead")  # fmt: skip
    must_be_tensor("lu_unpack", LU_pivots, "LU_pivots", 2)
    if unpack_pivots and LU_pivots.dtype is not int32:
        fail(RuntimeError, "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of "
                           "torch.int32 dtype.\nNote: this function is intended to be used with "
                           "the output produced by torch.linalg.lu_factor")  # fmt: skip
    return return_types.lu_unpack(_unpacked(LU_data, LU_pivots, unpack_data, unpack_pivots))


# Systems


def solved(lu: Any, pivots: Any, b: Any, left: bool, adjoint: bool) -> Any:
    """X with AX = B, AᴴX = B (`adjoint`), XA = B or XAᴴ = B (not `left`), from the factors of A."""
    if not left:
        return mH(solved(lu, pivots, mH(b), True, not adjoint))
    rows = lu.shape[-1]
    batch = np.broadcast_shapes(lu.shape[:-2], b.shape[:-2])
    places = np.broadcast_to(order(pivots, rows), (*batch, rows))[..., None]
    b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
    if adjoint:
        x = substituted(mH(lu), substituted(mH(lu), b, upper=False), upper=True, unit=True)
        return np.take_along_axis(x, np.argsort(places, -2), -2)
    x = substituted(lu, np.take_along_axis(b, places, -2), upper=False, unit=True)
    return substituted(lu, x, upper=True)


@op(name="linalg_lu_solve")
@quietly
def lu_solution(LU, pivots, B, /, left, adjoint):
    """X with AX = B from A's factors: f[..., n, n], i[..., n], f[..., n, k] -> f[..., n, k]."""
    return solved(LU, pivots, B, left, adjoint)


@in_conjugates
def _lu_solution_rule(g, LU, pivots, out, left, adjoint):
    of_b = lu_solution(LU, pivots, g, left, not adjoint)
    x = out
    if not left:  # as AᴴXᴴ = Bᴴ
        g, x, adjoint = mH(g), mH(out), not adjoint
    lower, upper = _lower(LU), _upper(LU)
    if adjoint:  # X = P Z, Lᴴ Z = Y, Uᴴ Y = B
        p = mH(permutation(pivots, LU.shape[-1], numpy_dtype(LU)))
        z = matmul(p, x)
        y = matmul(mH(lower), z)
        of_y = triangular_solution(lower, matmul(p, g), False, True, True)
        of_upper = matmul(y, mH(triangular_solution(upper, of_y, True, True, False)))
        of_lower = matmul(z, mH(of_y))
    else:  # U X = Y, L Y = Pᴴ B
        y = matmul(upper, x)
        of_y = triangular_solution(mH(upper), g, False, True, False)
        of_upper = matmul(of_y, mH(x))
        of_lower = matmul(triangular_solution(mH(lower), of_y, True, True, True), mH(y))
    return -(np.triu(of_upper) + np.tril(of_lower, -1)), None, of_b


lu_solution.vjp(_lu_solution_rule)


@matrix_function("linalg_lu_solve", "LU")
def linalg_lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True,
                    adjoint: bool = False) -> Tensor:  # fmt: skip
    """X with AX = B, from LU and pivots that `lu_factor` gives of A.

    XA = B if not `left`; Aᴴ in the place of A if `adjoint`
    """
    must_be_tensor("linalg_lu_solve", pivots, "pivots", 2)
    must_be_tensor("linalg_lu_solve", B, "B", 3)
    name = "linalg.lu_solve"
    check_inexact(f"torch.{name}", LU)
    check_square(f"torch.{name}", LU)
    if pivots.dtype is not int32:
        fail(RuntimeError, f"{name}: pivots should be a Tensor of scalar type torch.int32")
    check_matrix(name, B, "B")
    check_same_dtype(name, LU, B, "LU", "B")
    if not pivots.ndim or pivots.shape[-1] != LU.shape[-1]:
        fail(RuntimeError, f"{name}: Number of pivots per batch should be same as the dimension of "
                           "the matrix")  # fmt: skip
    if tuple(LU.shape[:-1]) != tuple(pivots.shape):
        fail(RuntimeError, f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but "
                           f"got pivots with shape {list(pivots.shape)} instead")  # fmt: skip
    check_system(name, LU, B, left)
    check_kernel("linalg.lu_solve_cpu", LU)
    return lu_solution(LU, pivots, B, left, adjoint)


def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor, *,
             out: Any = None) -> Tensor:  # fmt: skip
    """X with AX = input; deprecated in PyTorch for `linalg.lu_solve`."""
    deprecated("lu_solve", "lu_solve", "its arguments are in another order: LU, pivots, B")
    must_be_tensor("lu_solve", input, "input", 1)
    must_be_tensor("lu_solve", LU_data, "LU_data", 2)
    return linalg_lu_solve(LU_data, LU_pivots, input, out=out)
