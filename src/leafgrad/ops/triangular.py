"""Systems with a triangular matrix, solved by substitution."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor
from .matrices import (
    agreeing,
    check_batches,
    check_kernel,
    check_matrix,
    check_same_dtype,
    check_square,
    check_system,
    conj,
    deprecated,
    in_conjugates,
    joined,
    matmul,
    matrix_function,
    mH,
    mT,
    must_be_tensor,
)

__all__ = ["triangular_solve"]
METHODS = ("triangular_solve",)

_LEAF = 64  # size up to which one call of LAPACK is quicker than two halves


def substituted(a: Any, b: Any, upper: bool, unit: bool = False) -> Any:
    """X with AX = B, where A is triangular: its other half is not read, its diagonal neither where
    it is known to be 1. A zero on the diagonal gives infinities."""
    if not upper:  # in reverse order it is an upper triangle
        return substituted(a[..., ::-1, ::-1], b[..., ::-1, :], True, unit)[..., ::-1, :]
    if unit:
        a = np.where(np.eye(a.shape[-1], dtype=bool), 1, a).astype(a.dtype, copy=False)
    return _back_substituted(a, b)


def _back_substituted(a: Any, b: Any) -> Any:
    n = a.shape[-1]
    if n > _LEAF:
        half = n // 2
        below = _back_substituted(a[..., half:, half:], b[..., half:, :])
        rest = b[..., :half, :] - np.matmul(a[..., :half, half:], below)
        return np.concatenate([_back_substituted(a[..., :half, :half], rest), below], -2)
    try:
        # Of a triangle LAPACK's general solver does just the substitution, and whole batches.
        return np.linalg.solve(np.triu(a), b)
    except np.linalg.LinAlgError:
        return _by_rows(a, b)


def _by_rows(a: Any, b: Any) -> Any:
    n, k = a.shape[-1], b.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, (*batch, n, k)))
    for i in reversed(range(n)):
        done = np.matmul(a[..., i : i + 1, i + 1 :], x[..., i + 1 :, :])
        x[..., i, :] = (x[..., i, :] - done[..., 0, :]) / a[..., i, i, None]
    return x


@op(name="linalg_solve_triangular")
@quietly
def triangular_solution(A, B, /, upper, left, unitriangular):
    """X with AX = B, or XA = B if not `left`: f[..., n, n], f[..., n, k] -> f[..., n, k]."""
    if left:
        return substituted(A, B, upper, unitriangular)
    return mT(substituted(mT(A), mT(B), not upper, unitriangular))


@in_conjugates
def _triangular_rule(g, A, out, upper, left, unitriangular):
    of_b = triangular_solution(mH(A), g, not upper, left, unitriangular)
    of_a = matmul(of_b, mH(out)) if left else matmul(mH(out), of_b)
    return _triangle(-of_a, upper, unitriangular), of_b


def _triangle(x, upper, unitriangular):
    """The part of a gradient whose elements of the matrix were read."""
    edge = 1 if unitriangular else 0
    return np.triu(x, edge) if upper else np.tril(x, -edge)


triangular_solution.vjp(_triangular_rule)


@matrix_function(
    "linalg_solve_triangular",
    "input",
    agreeing("expected scalar type {want} but found {have}"),
)
def solve_triangular(input: Tensor, B: Tensor, *, upper: bool, left: bool = True,
                     unitriangular: bool = False) -> Tensor:  # fmt: skip
    """X with AX = B, or XA = B if not `left`, where A is triangular.

    Only that triangle of A is read. unitriangular: its diagonal counts as ones and is not read
    """
    name = "linalg.solve_triangular"
    must_be_tensor("linalg_solve_triangular", B, "B", 2)
    check_square(name, input)
    check_matrix(name, B, "B")
    check_system(name, input, B, left)
    check_kernel("triangular_solve_cpu", input)
    check_same_dtype(name, input, B)
    return triangular_solution(input, B, upper, left, unitriangular)


# The older function, whose second result is a copy of the matrix


@op(name="triangular_solve", node="TriangularSolveBackward0")
@quietly
def old_triangular_solution(self, A, /, upper, transpose, unitriangular):
    """X with AX = B (or AᵀX = B), and a copy of A: f[..., n, k], f[..., n, n]."""
    batch = np.broadcast_shapes(self.shape[:-2], A.shape[:-2])
    copy = np.array(np.broadcast_to(A, (*batch, *A.shape[-2:])))
    matrix = mT(A) if transpose else A
    return substituted(matrix, self, upper != transpose, unitriangular), copy


@in_conjugates
def _old_triangular_rule(g, A, out, upper, transpose, unitriangular):
    g_solution, g_copy = g
    of_a = of_b = None
    if g_solution is not None:
        back = conj(A) if transpose else mH(A)
        of_b = triangular_solution(back, g_solution, upper == transpose, True, unitriangular)
        x = out[0]
        of_a = matmul(conj(x), mT(of_b)) if transpose else matmul(of_b, mH(x))
        of_a = _triangle(-of_a, upper, unitriangular)
    return of_b, joined(of_a, g_copy)


old_triangular_solution.vjp(_old_triangular_rule)


@matrix_function("triangular_solve", "input")
def triangular_solve(input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False,
                     unitriangular: bool = False) -> Any:  # fmt: skip
    """(X, a copy of A) with AX = input, or AᵀX = input if `transpose`; deprecated in PyTorch for
    `linalg.solve_triangular`."""
    deprecated("triangular_solve", "solve_triangular", "its arguments are reversed, and it does "
               "not return a copy of the matrix")  # fmt: skip
    must_be_tensor("triangular_solve", A, "A", 2)
    for what, x in (("b", input), ("A", A)):
        if x.ndim < 2:
            fail(RuntimeError, f"torch.triangular_solve: Expected {what} to have at least 2 "
                               f"dimensions, but it has {x.ndim} dimensions instead")  # fmt: skip
    check_old_system("triangular_solve", A, input)
    check_kernel("triangular_solve_cpu", A)
    return return_types.triangular_solve(
        old_triangular_solution(input, A, upper, transpose, unitriangular)
    )


def check_old_system(name: str, a: Tensor, b: Tensor) -> None:
    """The errors of the older functions for a system that does not fit."""
    if a.dtype is not b.dtype:
        fail(RuntimeError, f"Expected b and A to have the same dtype, but found b of type "
                           f"{b.dtype.legacy} and A of type {a.dtype.legacy} instead.")  # fmt: skip
    rows, columns = a.shape[-2:]
    if rows != columns:
        fail(RuntimeError, "A must be batches of square matrices, but they are "
                           f"{rows} by {columns} matrices")  # fmt: skip
    if rows != b.shape[-2]:
        fail(RuntimeError, f"Incompatible matrix sizes for {name}: each A matrix is {rows} by "
                           f"{columns} but each b matrix is {b.shape[-2]} by "
                           f"{b.shape[-1]}")  # fmt: skip
    check_batches(b, a)
