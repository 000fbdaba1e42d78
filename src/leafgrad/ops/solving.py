"""Determinants, inverses, systems of linear equations, least squares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import return_types
from ..duck import whole
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, as_array
from .decompositions import fail_singular
from .eigen import hermitian_parts, singular_parts, singular_values
from .lu import factored, solved
from .matrices import (
    LinAlgError,
    castable,
    check_batches,
    check_inexact,
    check_kernel,
    check_matrix,
    check_same_dtype,
    check_square,
    check_system,
    check_wide,
    conj,
    diagonal,
    eye_like,
    first_failure,
    in_conjugates,
    joined,
    matmul,
    matrix_function,
    mH,
    mT,
    must_be_tensor,
    numpy_dtype,
    scaled_columns,
)
from .triangular import substituted

__all__ = ["det", "inverse", "logdet", "pinverse", "slogdet"]
METHODS = __all__


# Systems of equations


def _solution(a: Any, b: Any) -> tuple[Any, Any]:
    """X with AX = B, and codes: 0, or the first zero on the diagonal of U in A = PLU, from 1. Of a
    singular matrix come infinities."""
    try:
        return np.linalg.solve(a, b), np.zeros_like(a, np.int32, shape=a.shape[:-2])
    except np.linalg.LinAlgError:
        lu, pivots, info = factored(a)
        return solved(lu, pivots, b, True, False), info


@op(name="linalg_solve_ex", differentiable=(0,))
@quietly
def _solution_and_codes(A, B, /, vector, left, caller):
    """X with AX = B or XA = B, and codes: f[..., n, n], f[..., n, k] -> f[..., n, k], i[...].

    vector: B is a batch of vectors, f[..., n]; caller: the function that fails, where A is
    singular, by name; None: none does
    """
    b = B[..., None] if vector else B
    x, info = _solution(A, b) if left else _solution(mT(A), mT(b))
    if caller is not None and np.any(info):
        where = first_failure(info)[0]
        fail(LinAlgError, f"{caller}: {where}The solver failed because the input matrix is "
                          "singular.")  # fmt: skip
    x = x if left else mT(x)
    return x[..., 0] if vector else x, info


@op(name="linalg_solve", node="LinalgSolveExBackward0")
@quietly
def solution(A, B, /, left):
    """X with AX = B or XA = B; infinities where A is singular."""
    return _solution(A, B)[0] if left else mT(_solution(mT(A), mT(B))[0])


def _solution_gradients(g: Any, a: Any, x: Any, left: bool) -> tuple[Any, Any]:
    of_b = solution(mH(a), g, left)
    return -matmul(of_b, mH(x)) if left else -matmul(mH(x), of_b), of_b


@in_conjugates
def _solution_and_codes_rule(g, A, out, vector, left):
    if not vector:
        return _solution_gradients(g, A, out[0], left)
    of_a, of_b = _solution_gradients(np.expand_dims(g, -1), A, np.expand_dims(out[0], -1), left)
    return of_a, of_b[..., 0]


_solution_and_codes.vjp(_solution_and_codes_rule)
solution.vjp(in_conjugates(lambda g, A, out, left: _solution_gradients(g, A, out, left)))


def _solve(name: str, a: Tensor, b: Tensor, left: bool, caller: str | None) -> tuple[Any, Any]:
    must_be_tensor(name, b, "B", 2)
    name = "linalg.solve"
    check_inexact(name, a)
    check_square(name, a)
    check_same_dtype(name, a, b)
    # PyTorch's rule for what is a vector: one dimension, or the shape of a batch of them.
    vector = b.ndim == 1 or (a.ndim - 1 == b.ndim and tuple(b.shape) == tuple(a.shape[:-1]))
    if not vector:
        check_matrix(name, b, "B")
    if vector and not left:
        fail(RuntimeError, f"{name}: Incompatible shapes of A and B for the equation XA = B "
                           f"({a.shape[-2]}x{a.shape[-1]} and {b.shape[-1]}x1)")  # fmt: skip
    check_system(name, a, b.unsqueeze(-1) if vector else b, left)
    check_kernel("lu_cpu", a)
    return _solution_and_codes(a, b, vector, left, caller)


@matrix_function("linalg_solve_ex")
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """(result, info): `solve` without its error. info: 0 where A is regular; else the first zero on
    the diagonal of its LU decomposition, from 1. check_errors: raise LinAlgError there"""
    caller = "torch.linalg.solve_ex" if check_errors else None
    return return_types.linalg_solve_ex(_solve("linalg_solve_ex", A, B, left, caller))


@matrix_function("linalg_solve")
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with AX = B, or XA = B if not `left`. B is a matrix, or a vector; batches broadcast.

    LinAlgError where A is singular.
    """
    return _solve("linalg_solve", A, B, left, "torch.linalg.solve")[0]


# Inverses


@op(name="linalg_inv_ex", differentiable=(0,))
@quietly
def _inverse(A, /, caller):
    """The inverse, and codes: f[..., n, n] -> f[..., n, n], i[...]. For `caller` see above."""
    inverse, info = _solution(A, np.broadcast_to(eye_like(A, A.shape[-1]), A.shape))
    if caller is not None:
        fail_singular(caller, info)
    return inverse, info


@in_conjugates
def _inverse_rule(g, out):
    turned = mH(out[0])
    return -matmul(matmul(turned, g), turned)


_inverse.vjp(A=_inverse_rule)


def _inv(a: Tensor, caller: str | None) -> tuple[Any, Any]:
    check_wide("linalg.inv", a)
    check_square("linalg.inv", a)
    return _inverse(a, caller)


@matrix_function("linalg_inv_ex")
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """(inverse, info): `inv` without its error, see `solve_ex`."""
    return return_types.linalg_inv_ex(_inv(A, "linalg.inv_ex" if check_errors else None))


@matrix_function("linalg_inv")
def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices; LinAlgError where there is none."""
    return _inv(A, "linalg.inv")[0]


@matrix_function("inverse", "input")
def inverse(input: Tensor) -> Tensor:
    """The inverse of square matrices; LinAlgError where there is none."""
    return _inv(input, "linalg.inv")[0]


@matrix_function("linalg_tensorinv", "input", castable("tensorinv"))
def tensorinv(input: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the linear map that `tensordot` with a tensor is: from the dimensions after
    the first `ind` to those."""
    if ind <= 0:
        fail(RuntimeError, f"Expected a strictly positive integer for 'ind', but got {ind}")
    if ind > input.ndim:
        fail(RuntimeError, f"ArrayRef: invalid slice, N = {ind}; size = {input.ndim}")
    front, back = input.shape[:ind], input.shape[ind:]
    rows, columns = math.prod(front), math.prod(back)
    if rows != columns:
        fail(RuntimeError, "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
                           f"prod(self.shape[:ind]), but got {columns} != {rows}")  # fmt: skip
    return _inv(input.reshape(rows, columns), "inv")[0].reshape(*back, *front)


@matrix_function("linalg_tensorsolve", "input", castable("tensorsolve"))
def tensorsolve(input: Tensor, other: Tensor, dims: Any = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = other. dims: dimensions of A to bring to its end before."""
    must_be_tensor("linalg_tensorsolve", other, "other", 2)
    if dims is not None:
        ends = range(input.ndim - len(dims), input.ndim)
        input = input.movedim(tuple(dims), tuple(ends))
    shape = input.shape[other.ndim :]
    columns, rows = math.prod(shape), math.prod(input.shape[: other.ndim])
    if rows != columns:
        fail(RuntimeError, "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) "
                           "== prod(self.shape[:other.ndim]), but got "
                           f"{columns} != {rows}")  # fmt: skip
    return solve(input.reshape(columns, columns), other.flatten()).reshape(shape)


# Determinants


@op(name="linalg_det")
@quietly
def _determinant(A, /):
    """The determinant: f[..., n, n] -> f[...]."""
    return as_array(np.linalg.det(A))


@in_conjugates
def _determinant_rule(g, A, out):
    # d det(A) = tr(adj(A) dA), where adj(A) is det(A)·A⁻¹, which a singular matrix has not.
    g = np.expand_dims(g, (-1, -2))
    n = A.shape[-1]
    if n == 1:
        return g
    limit = 100 * np.finfo(numpy_dtype(out)).eps
    singular = np.expand_dims(np.abs(out) < limit, (-1, -2))
    if not np.any(whole(singular)):
        return _regular(g, A, out)
    if np.all(whole(singular)):
        return g * _cofactors(A)
    # Each formula where it holds; elsewhere it gets a matrix on which it is well defined.
    eye = eye_like(A, n)
    spread = eye * np.arange(1, n + 1)
    return np.where(singular, g * _cofactors(np.where(singular, A, spread.astype(eye.dtype))),
                    _regular(g, np.where(singular, eye, A), out))  # fmt: skip


def _regular(g: Any, a: Any, determinant: Any) -> Any:
    right = g * np.expand_dims(conj(determinant), (-1, -2)) * eye_like(a, a.shape[-1])
    return solution(mH(a), right, True)


def _cofactors(a: Any) -> Any:
    """adj(A)ᴴ of any matrix, by singular values: adj(diag(S)) has the products of all others."""
    u, s, vh = np.linalg.svd(a)
    n = a.shape[-1]
    others = np.prod(np.where(np.eye(n, dtype=bool), 1, np.expand_dims(s, -2)), -1)
    turn = np.expand_dims(conj(np.linalg.det(u) * np.linalg.det(vh)), (-1, -2))
    return turn * matmul(scaled_columns(u, others), vh)


_determinant.vjp(A=_determinant_rule)


@matrix_function("linalg_det")
def linalg_det(A: Tensor) -> Tensor:
    """The determinant of square matrices."""
    check_square("linalg.det", A)
    check_inexact("linalg.det", A, "lu_cpu")
    return _determinant(A)


@matrix_function("det", "input")
def det(input: Tensor) -> Tensor:
    """The determinant of square matrices."""
    return linalg_det(input)


@op(name="linalg_slogdet")
@quietly
def _sign_and_log(A, /):
    """Sign (or phase) and logarithm of the magnitude of the determinant: f[..., n, n] -> f[...]."""
    sign, log = np.linalg.slogdet(A)
    return as_array(sign), as_array(log)


@in_conjugates
def _sign_and_log_rule(g, A, out):
    # d log|det A| = Re tr(A⁻¹ dA), and d sign = i · sign · Im tr(A⁻¹ dA).
    g_sign, g_log = g
    if g_sign is not None and numpy_dtype(out[0]).kind == "c":
        turn = conj(out[0]) * g_sign
        turn = (turn - conj(turn)) / 2
        g_log = turn if g_log is None else g_log + turn
    if g_log is None:
        return np.zeros_like(A)
    eye = eye_like(A, A.shape[-1])
    return solution(mH(A), np.expand_dims(g_log, (-1, -2)) * eye, True)


_sign_and_log.vjp(A=_sign_and_log_rule)


def _slogdet(name: str, a: Tensor) -> tuple[Any, Any]:
    check_wide(name, a)
    check_square(name, a)
    return _sign_and_log(a)


@matrix_function("linalg_slogdet")
def linalg_slogdet(A: Tensor) -> Any:
    """(sign, logabsdet) of square matrices: det A = sign · exp(logabsdet)."""
    return return_types.linalg_slogdet(_slogdet("linalg.slogdet", A))


@matrix_function("slogdet", "input")
def slogdet(input: Tensor) -> Any:
    """(sign, logabsdet) of square matrices: det A = sign · exp(logabsdet)."""
    return return_types.slogdet(_slogdet("linalg.slogdet", input))


@matrix_function("logdet", "input")
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant of square matrices; NaN where that is negative."""
    sign, log = _slogdet("logdet", input)
    if input.is_complex():
        return log + sign.log()
    return np.where(sign == -1, math.nan, log)


# Pseudo-inverses


def _tolerances(name: str, x: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """How large a singular value must be to count, absolutely and relative to the largest one:
    numbers, or arrays with an element a matrix."""
    found = []
    for what, value in (("atol", atol), ("rtol", rtol)):
        if isinstance(value, Tensor):
            if value.is_complex():
                fail(RuntimeError, f"torch.linalg.{name}: {what} tensor of complex type is not "
                                   f"supported. Got {value.dtype.legacy}")  # fmt: skip
            value = value._array
            check_batches(value[..., None, None], x)
        found.append(value)
    absolute, relative = found
    if relative is None:
        # By default only relative, unless there is an absolute one.
        default = _default_rtol(x)
        relative = default if absolute is None else np.where(np.greater(absolute, 0), 0, default)
    return 0.0 if absolute is None else absolute, relative


def counted(s: Any, atol: Any, rtol: Any) -> Any:
    """Which singular values (or magnitudes of eigenvalues) of each matrix are above both bounds."""
    if not s.shape[-1]:
        return np.zeros(s.shape, bool)
    largest = np.max(s, -1)
    if isinstance(rtol, float):  # exactly, as PyTorch
        largest = largest.astype(np.float64)
    bound = np.maximum(atol, rtol * largest)
    return s > np.expand_dims(bound, -1)


@op(name="linalg_pinv")
@quietly
def _pseudo_inverse(A, /, atol, rtol, hermitian):
    """The pseudo-inverse: f[..., n, m] -> f[..., m, n]."""
    if not A.size:
        return np.zeros_like(mT(A))
    if hermitian:
        values, vectors = hermitian_parts(A)
        kept = counted(np.abs(values), atol, rtol)
        inverse = np.where(kept, 1 / np.where(kept, values, 1), 0)
        return np.matmul(scaled_columns(vectors, inverse.astype(values.dtype)), mH(vectors))
    u, s, vh = singular_parts(A, False)
    kept = counted(s, atol, rtol)
    inverse = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(s.dtype)
    return np.matmul(scaled_columns(mH(vh), inverse), mH(u))


def _pseudo_inverse_gradient(g: Any, a: Any, p: Any) -> Any:
    # dP = -P dA P + PPᴴ dAᴴ (1 - AP) + (1 - PA) dAᴴ PᴴP
    ph, gh = mH(p), mH(g)
    first = matmul(gh, matmul(p, ph))
    second = matmul(matmul(ph, p), gh)
    return (
        -matmul(matmul(ph, g), ph)
        + (first - matmul(a, matmul(p, first)))
        + (second - matmul(matmul(second, p), a))
    )


_pseudo_inverse.vjp(A=in_conjugates(lambda g, A, out: _pseudo_inverse_gradient(g, A, out)))


@matrix_function("linalg_pinv", "input", castable("linalg.pinv"))
def pinv(input: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None,
         rtol: Any = None) -> Tensor:  # fmt: skip
    """The pseudo-inverse (Moore–Penrose) of matrices.

    Singular values up to max(atol, rtol · the largest one) count as 0; numbers, or tensors with an
    element a matrix. By default rtol is eps · max(n, m), or 0 where atol is given. hermitian: A is
    Hermitian, and its eigenvalues are used; rcond: rtol, by its older name
    """
    if input.ndim < 2 or input.dtype.category < 2 or input.dtype.itemsize < 4:
        fail(RuntimeError, f"linalg.pinv({input.dtype.legacy}{{{list(input.shape)}}}): expected a "
                           "tensor with 2 or more dimensions of float, double, cfloat or cdouble "
                           "types")  # fmt: skip
    if rcond is not None:
        atol, rtol = 0.0, rcond
    if hermitian:
        check_square("linalg.eigh", input)
    return _pseudo_inverse(input, *_tolerances("pinv", input, atol, rtol), hermitian)


@matrix_function("pinverse", "input", castable("linalg.pinv"))
def pinverse(input: Tensor, rcond: Any = 1e-15) -> Tensor:
    """The pseudo-inverse of matrices, see `linalg.pinv`."""
    return pinv(input, rcond)


@op(name="linalg_matrix_rank")
@quietly
def _rank(input, /, atol, rtol, hermitian):
    """How many singular values count: f[..., n, m] -> i[...]."""
    if not input.size:
        return np.zeros_like(input, np.int64, shape=input.shape[:-2])
    values = np.abs(hermitian_parts(input)[0]) if hermitian else singular_values(input)
    return np.sum(counted(values, atol, rtol), -1)


@matrix_function("linalg_matrix_rank", "input", castable("torch.linalg.matrix_rank"))
def matrix_rank(input: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None,
                rtol: Any = None) -> Tensor:  # fmt: skip
    """How many singular values are above max(atol, rtol · the largest one), as in `pinv`.

    tol: atol, with rtol = 0, by its older name
    """
    check_matrix("torch.linalg.matrix_rank", input, "input")
    if input.dtype.category < 2 or input.dtype.itemsize < 4:
        fail(RuntimeError, "This function doesn't handle types other than float and double")
    if tol is not None:
        atol, rtol = tol, 0.0
    if hermitian:
        check_square("linalg.eigh", input)
    return _rank(input, *_tolerances("matrix_rank", input, atol, rtol), hermitian)


# Least squares


@op(name="linalg_lstsq", differentiable=(0, 1))
@quietly
def _least_squares(A, B, /, vector, rcond, driver):
    """X that minimises |AX - B|, the smallest one, with what the LAPACK routine of the name tells:
    the squared residuals, the rank and the singular values, else empty."""
    b = B[..., None] if vector else B
    rows, columns = A.shape[-2:]
    real = np.real(A).dtype
    sums, rank = np.zeros_like(A, real, shape=(0,)), np.zeros_like(A, np.int64, shape=(0,))
    values = np.zeros_like(A, real, shape=(0,))
    full = True
    if driver == "gels" and A.size:
        x = _of_full_rank(A, b)
    elif driver == "gels":
        batch = np.broadcast_shapes(A.shape[:-2], b.shape[:-2])
        x = np.zeros_like(b, shape=(*batch, columns, b.shape[-1]))
    else:
        u, s, vh = singular_parts(A, False)
        kept = counted(s, 0.0, rcond)
        rank = np.asarray(np.sum(kept, -1))
        inverse = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(s.dtype)
        x = np.matmul(mH(vh), inverse[..., None] * np.matmul(mH(u), b))
        if driver != "gelsy":
            values, full = s, bool(np.all(rank == columns))
    if driver != "gelsy" and rows > columns and full and A.size:
        size = np.abs(np.matmul(A, x) - b)
        sums = np.sum(size * size, -2)
    return (x[..., 0] if vector else x), sums, rank, values


def _of_full_rank(a: Any, b: Any) -> Any:
    rows, columns = a.shape[-2:]
    wide = rows < columns
    q, r = np.linalg.qr(mH(a) if wide else a)
    zero = diagonal(r) == 0
    if np.any(zero):
        where, element = first_failure(np.where(np.any(zero, -1), np.argmax(zero, -1) + 1, 0))
        fail(LinAlgError, f"torch.linalg.lstsq: {where}The least squares solution could not be "
                          "computed because the input matrix does not have full rank (error code: "
                          f"{element}).")  # fmt: skip
    if wide:
        return np.matmul(q, substituted(mH(r), b, upper=False))
    return substituted(r, np.matmul(mH(q), b), upper=True)


@in_conjugates
def _least_squares_rule(g, A, B, out, vector):
    g_x, g_sums = g[:2]
    x, b = out[0], B
    if vector:
        x, b = np.expand_dims(x, -1), np.expand_dims(B, -1)
        g_x = None if g_x is None else np.expand_dims(g_x, -1)
    of_a = of_b = None
    if g_x is not None:
        p = _pseudo_inverse(A, 0.0, _default_rtol(A), False)
        of_b = matmul(mH(p), g_x)
        of_a = _pseudo_inverse_gradient(matmul(g_x, mH(b)), A, p)
    if g_sums is not None and 0 not in g_sums.shape:
        # The residual is orthogonal to what a change of X changes.
        r = 2 * np.expand_dims(g_sums, -2) * (matmul(A, x) - b)
        of_a, of_b = joined(of_a, matmul(r, mH(x))), joined(of_b, -r)
    return of_a, of_b[..., 0] if vector and of_b is not None else of_b


_least_squares.vjp(_least_squares_rule)


def _default_rtol(x: Any) -> float:
    return float(np.finfo(numpy_dtype(x)).eps) * max(x.shape[-2:])


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@matrix_function(
    "linalg_lstsq",
    "input",
    castable("torch.linalg.lstsq", "solution", "solution", "rank", "singular_values"),
)
def lstsq(input: Tensor, b: Tensor, rcond: float | None = None, *,
          driver: str | None = None) -> Any:  # fmt: skip
    """(solution, residuals, rank, singular_values): the smallest X of those that minimise |AX - B|.

    driver: LAPACK's routines, which say which results there are: "gelsy" (rank), "gels" (for
    matrices of full rank; residuals), "gelsd" and "gelss" (all). Residuals are the squared ones,
    where A has more rows than columns and full rank. rcond: singular values up to rcond · the
    largest one count as 0, by default eps · max(n, m)
    """
    name = "torch.linalg.lstsq"
    must_be_tensor("linalg_lstsq", b, "b", 2)
    if input.ndim < 2:
        fail(RuntimeError, f"{name}: input must have at least 2 dimensions.")
    if b.ndim < 1:
        fail(RuntimeError, f"{name}: other must have at least 1 dimension.")
    if not 0 <= input.ndim - b.ndim <= 1:
        fail(RuntimeError, f"{name}: input.dim() must be greater or equal to other.dim() and "
                           "(input.dim() - other.dim()) <= 1")  # fmt: skip
    vector = b.ndim == input.ndim - 1 and tuple(b.shape) == tuple(input.shape[:-1])
    if not vector and b.shape[-2] != input.shape[-2]:
        fail(RuntimeError, f"{name}: input.size(-2) should match other.size(-2)")
    if vector and b.shape[-1] != input.shape[-2]:
        fail(RuntimeError, f"{name}: input.size(-2) should match other.size(-1)")
    if not vector:
        check_batches(b, input)
    if input.dtype is not b.dtype:
        fail(RuntimeError, f"{name}: Expected input and other to have the same dtype, but got "
                           f"input's dtype {input.dtype.legacy} and other's dtype "
                           f"{b.dtype.legacy}")  # fmt: skip
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        fail(RuntimeError, f"{name}: parameter `driver` should be one of ({', '.join(_DRIVERS)})")
    if input.dtype.category < 2 or input.dtype.itemsize < 4:
        fail(RuntimeError, "This function doesn't handle types other than float and double")
    rtol = _default_rtol(input) if rcond is None else float(rcond)
    return return_types.linalg_lstsq(_least_squares(input, b, vector, rtol, driver))


# As NumPy calls them


def _numpy_solve(a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return solve(a, b)
    return _solution_and_codes(a, b, False, True, "torch.linalg.solve")[0]


def _numpy_lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    return lstsq(a, b, rcond, driver="gelsd")


def _numpy_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return matrix_rank(A, tol, hermitian) if rtol is None else \
        matrix_rank(A, hermitian=hermitian, rtol=rtol)  # fmt: skip


NUMPY = {
    np.linalg.det: linalg_det, np.linalg.inv: inv, np.linalg.lstsq: _numpy_lstsq,
    np.linalg.matrix_rank: _numpy_rank, np.linalg.pinv: pinv, np.linalg.slogdet: linalg_slogdet,
    np.linalg.solve: _numpy_solve, np.linalg.tensorinv: tensorinv,
    np.linalg.tensorsolve: tensorsolve,
}  # fmt: skip
