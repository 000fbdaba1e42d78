"""Eigenvalues and singular values, and the vectors that go with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..dtypes import bfloat16, float32
from ..duck import whole
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor
from .matrices import (
    LinAlgError,
    castable,
    check_inexact,
    check_kernel,
    check_matrix,
    check_square,
    diagonal,
    eye_like,
    in_conjugates,
    joined,
    matmul,
    matrix_function,
    mH,
    numpy_dtype,
    scaled_columns,
    scaled_rows,
    wants_derivative,
)
from .orthogonal import linalg_qr
from .sampling import randn

__all__ = ["pca_lowrank", "svd", "svd_lowrank"]
METHODS = ("svd",)


def fail_convergence(name: str, a: Any, values: str) -> None:
    """Raise PyTorch's error for a matrix of which LAPACK finds no eigenvalues (`values`)."""
    finite = np.all(np.isfinite(a), (-2, -1))
    where = ""
    if np.ndim(finite):
        where = f"(Batch element {int(np.argmin(finite.reshape(-1)))}): "
    if name == "linalg.svd" and not np.all(finite):
        fail(LinAlgError, f"{name}: {where}The algorithm failed to converge because the input "
                          "matrix contained non-finite values.")  # fmt: skip
    fail(LinAlgError, f"{name}: {where}The algorithm failed to converge because the input matrix "
                      f"is ill-conditioned or has too many repeated {values} (error code: "
                      f"{a.shape[-1] - 1}).")  # fmt: skip


def _embedded(d: Any) -> Any:
    """Diagonal matrices."""
    return scaled_columns(eye_like(d, d.shape[-1]), d)


def _differences(values: Any) -> Any:
    """E with E[i, j] = λⱼ - λᵢ off the diagonal, and 1 on it."""
    eye = eye_like(values, values.shape[-1])
    return np.expand_dims(values, -2) - np.expand_dims(values, -1) + eye


def _check_gauge(phases: Any, sentence: str) -> None:
    """Raise PyTorch's error for a loss that depends on the phases of complex vectors."""
    if not np.allclose(whole(phases), 0, 1e-2, 1e-2):
        fail(RuntimeError, sentence)


def hermitian_parts(a: Any, uplo: str = "L") -> Any:
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices."""
    try:
        return tuple(np.linalg.eigh(a, uplo))
    except np.linalg.LinAlgError:
        return fail_convergence("linalg.eigh", a, "eigenvalues")


def singular_parts(a: Any, full_matrices: bool) -> Any:
    """U, S, Vᴴ of matrices."""
    try:
        return tuple(np.linalg.svd(a, full_matrices=full_matrices))
    except np.linalg.LinAlgError:
        return fail_convergence("linalg.svd", a, "singular values")


def singular_values(a: Any) -> Any:
    """The singular values of matrices, descending."""
    try:
        return np.linalg.svd(a, compute_uv=False)
    except np.linalg.LinAlgError:
        return fail_convergence("linalg.svd", a, "singular values")


# Eigenvalues


@op(name="linalg_eig")
@quietly
def _eig(A, /):
    """Eigenvalues, and unit eigenvectors as columns, complex: f[..., n, n] -> c[..., n]."""
    _check_finite(A)
    try:
        found = np.linalg.eig(A)
    except np.linalg.LinAlgError:
        fail_convergence("linalg.eig", A, "eigenvalues")
    return tuple(x.astype(_complex(A), copy=False) for x in found)


def _complex(a: Any) -> Any:
    return np.result_type(a.dtype, np.complex64)


def _check_finite(a: Any) -> None:
    if not np.all(np.isfinite(whole(a))):
        fail(RuntimeError, "torch.linalg.eig: input tensor should not contain infs or NaNs.")


@in_conjugates
def _eig_rule(g, out):
    values, vectors = out
    g_values, g_vectors = g
    inner = None
    if g_vectors is not None:
        inner = matmul(mH(vectors), g_vectors)
        along = diagonal(inner)
        _check_gauge(np.imag(along), _GAUGE.format(name="linalg_eig_backward"))
        # Unit length is kept: what would change it is taken out.
        gram = matmul(mH(vectors), vectors)
        inner = inner - scaled_columns(gram, np.real(along))
        inner = inner / np.conj(_differences(values))
        inner = inner - _embedded(diagonal(inner))
    inner = joined(inner, None if g_values is None else _embedded(g_values))
    return np.linalg.solve(mH(vectors), matmul(inner, mH(vectors)))


_GAUGE = (
    "{name}: The eigenvectors in the complex case are specified up to multiplication by "
    "e^{{i phi}}. The specified loss function depends on this quantity, so it is ill-defined."
)
_eig.vjp(A=_eig_rule)


@op(name="linalg_eigvals", node="LinalgEigBackward0")
@quietly
def _eigenvalues(A, /):
    """Eigenvalues alone, complex: f[..., n, n] -> c[..., n]."""
    _check_finite(A)
    try:
        return np.linalg.eigvals(A).astype(_complex(A), copy=False)
    except np.linalg.LinAlgError:
        return fail_convergence("linalg.eig", A, "eigenvalues")


@matrix_function("linalg_eig", "input", castable("torch.linalg.eig", "eigenvalues", "eigenvectors"))
def eig(input: Tensor) -> Any:
    """(eigenvalues, eigenvectors) of square matrices, complex: the vectors are columns of length 1.

    A vector is determined up to its phase; derivatives exist for losses that do not depend on it,
    and where the eigenvalues differ.
    """
    _check_eig("linalg.eig", input)
    return return_types.linalg_eig(_eig(input))


def _check_eig(name: str, a: Tensor) -> None:
    check_square(name, a)
    if a.dtype.category < 2:
        fail(RuntimeError, f"Unknown Complex ScalarType for {a.dtype.legacy}")
    check_kernel("linalg_eig_out_cpu", a)


@matrix_function("linalg_eigvals", "input", castable("torch.linalg.eigvals", "eigenvalues"))
def eigvals(input: Tensor) -> Tensor:
    """The eigenvalues of square matrices, complex, in no particular order."""
    _check_eig("linalg.eigvals", input)
    return _eig(input)[0] if wants_derivative(input) else _eigenvalues(input)


@op(name="linalg_eigh")
@quietly
def _eigh(A, /, UPLO):
    """Eigenvalues of Hermitian matrices, ascending, and unit eigenvectors as columns."""
    return hermitian_parts(A, UPLO)


@in_conjugates
def _eigh_rule(g, out):
    values, vectors = out
    g_values, g_vectors = g
    if g_vectors is None:
        return matmul(scaled_columns(vectors, g_values), mH(vectors))
    # The gradient of a function of Hermitian matrices, and so Hermitian itself.
    inner = matmul(mH(vectors), g_vectors)
    if numpy_dtype(inner).kind == "c":
        _check_gauge(np.imag(diagonal(inner)), _GAUGE.format(name="linalg_eigh_backward"))
    inner = (inner - mH(inner)) / (2 * _differences(values))
    inner = inner - _embedded(diagonal(inner))
    if g_values is not None:
        inner = inner + _embedded(g_values)
    return matmul(vectors, matmul(inner, mH(vectors)))


_eigh.vjp(A=_eigh_rule)


@op(name="linalg_eigvalsh", node="LinalgEighBackward0")
@quietly
def _hermitian_eigenvalues(A, /, UPLO):
    """Eigenvalues of Hermitian matrices alone, ascending: f[..., n, n] -> f[..., n]."""
    try:
        return np.linalg.eigvalsh(A, UPLO)
    except np.linalg.LinAlgError:
        return fail_convergence("linalg.eigh", A, "eigenvalues")


def _check_eigh(a: Tensor, uplo: str) -> str:
    check_square("linalg.eigh", a)
    letter = uplo.upper()
    if letter not in ("L", "U"):
        fail(RuntimeError, f"Expected UPLO argument to be 'L' or 'U', but got {uplo}")
    check_kernel("linalg_eigh_cpu", a)
    return letter


@matrix_function("linalg_eigh", "input", last_first=True)
def eigh(input: Tensor, UPLO: str = "L") -> Any:
    """(eigenvalues, eigenvectors) of Hermitian matrices: real, ascending; orthonormal columns.

    UPLO: which triangle of A is read. A vector is determined up to its sign or phase; derivatives
    exist for losses that do not depend on it, and where the eigenvalues differ.
    """
    return return_types.linalg_eigh(_eigh(input, _check_eigh(input, UPLO)))


@matrix_function("linalg_eigvalsh", "input")
def eigvalsh(input: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of Hermitian matrices, ascending. UPLO: which triangle of A is read."""
    letter = _check_eigh(input, UPLO)
    if wants_derivative(input):
        return _eigh(input, letter)[0]
    return _hermitian_eigenvalues(input, letter)


# Singular values


@op(name="linalg_svd")
@quietly
def _svd(A, /, full_matrices):
    """U, S, Vᴴ with A = U·diag(S)·Vᴴ: f[..., n, m] -> f[..., n, k], f[..., k], f[..., k, m]."""
    return singular_parts(A, full_matrices)


@in_conjugates
def _svd_rule(g, out, full_matrices):
    # With P = Uᴴ dA V: dS is the real diagonal of P, and Uᴴ dU and Vᴴ dV, skew-Hermitian, follow
    # off the diagonal from P S + S Pᴴ and S P + Pᴴ S, divided by E with E[i, j] = sⱼ² - sᵢ².
    g_u, g_s, g_vh = g
    u, s, vh = out
    rows, columns, k = u.shape[-2], vh.shape[-1], s.shape[-1]
    if full_matrices:  # the vectors beyond are determined up to a rotation: no derivative
        u, vh = u[..., :k], vh[..., :k, :]
        g_u = None if g_u is None else g_u[..., :k]
        g_vh = None if g_vh is None else g_vh[..., :k, :]
    inner = None if g_s is None else _embedded(g_s)
    if g_u is None and g_vh is None:
        return matmul(u, scaled_rows(g_s, vh))
    of_u = None if g_u is None else matmul(mH(u), g_u)
    of_v = None if g_vh is None else matmul(vh, mH(g_vh))
    if numpy_dtype(u).kind == "c":
        phases = np.imag(diagonal(joined(of_u, of_v)))
        _check_gauge(phases, "svd_backward: The singular vectors in the complex case are specified "
                             "up to multiplication by e^{i phi}. The specified loss function "
                             "depends on this phase term, making it ill-defined.")  # fmt: skip
        difference = joined(of_u, None if of_v is None else -of_v)
        along = diagonal(difference)
        inner = joined(inner, _embedded((along - np.conj(along)) / (4 * s)))
    gaps = _differences(s * s)
    if of_u is not None:
        skew = (of_u - mH(of_u)) / gaps
        inner = joined(inner, scaled_columns(skew - _embedded(diagonal(skew)), s))
    if of_v is not None:
        skew = (of_v - mH(of_v)) / gaps
        inner = joined(inner, scaled_rows(s, skew - _embedded(diagonal(skew))))
    total = matmul(matmul(u, inner), vh)
    if g_u is not None and rows > k:
        outside = g_u - matmul(u, of_u)
        total = total + matmul(scaled_columns(outside, 1 / s), vh)
    if g_vh is not None and columns > k:
        outside = g_vh - matmul(mH(of_v), vh)
        total = total + matmul(u, scaled_rows(1 / s, outside))
    return total


_svd.vjp(A=_svd_rule)


@op(name="linalg_svdvals", node="LinalgSvdBackward0")
@quietly
def _singular_values(A, /):
    """Singular values alone, descending: f[..., n, m] -> f[..., k]."""
    return singular_values(A)


def _check_svd(a: Tensor, driver: str | None) -> None:
    check_matrix("linalg.svd", a)
    check_inexact("linalg.svd", a)
    if driver is not None:
        fail(RuntimeError, "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA "
                           "inputs with cuSOLVER backend.")  # fmt: skip
    check_kernel("linalg_svd_cpu", a)


@matrix_function("linalg_svd")
def linalg_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """(U, S, Vh) with A = U @ diag(S) @ Vh: U and Vhᴴ have orthonormal columns, S descends.

    full_matrices: U and Vh are square; else they have min(n, m) columns and rows. Singular vectors
    are determined up to a common sign or phase; derivatives exist for losses that do not depend on
    it, and where the singular values differ.
    """
    _check_svd(A, driver)
    return return_types.linalg_svd(_svd(A, full_matrices))


@matrix_function("linalg_svdvals")
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending."""
    _check_svd(A, driver)
    return _svd(A, False)[1] if wants_derivative(A) else _singular_values(A)


@matrix_function("svd", "input")
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """(U, S, V) with A = U @ diag(S) @ V.mH; deprecated in PyTorch for `linalg.svd`.

    some: U and V have min(n, m) columns, else they are square; without compute_uv they are zeros
    """
    if input.ndim < 2:
        fail(RuntimeError, f"linalg.svd: input should have at least 2 dimensions, but has "
                           f"{input.ndim} dimensions instead")  # fmt: skip
    _check_svd(input, None)
    if compute_uv:
        u, s, vh = _svd(input, not some)
        return return_types.svd((u, s, vh.mH))
    *batch, rows, columns = input.shape
    u, v = (input.new_zeros((*batch, n, n)) for n in (rows, columns))
    return return_types.svd((u, svdvals(input), v))


# Of low rank, by random projections (Halko, Martinsson, Tropp 2009)


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2,
                M: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """(U, S, V), the `q` largest singular values and their vectors, nearly: A ≈ U @ diag(S) @ V.mH.

    Of A - M, if M is given. niter: how many times the random subspace is improved
    """
    q = 6 if q is None else q
    niter = 2 if niter is None else niter
    rows, columns = A.shape[-2:]
    if M is not None:
        M = M.broadcast_to(A.shape)
    wide = rows < columns
    if wide:
        A, M = A.mH, None if M is None else M.mH

    def times(x: Any) -> Any:
        return A @ x if M is None else A @ x - M @ x

    def times_adjoint(x: Any) -> Any:
        return A.mH @ x if M is None else A.mH @ x - M.mH @ x

    narrow = A.dtype.category < 2 or A.dtype is bfloat16
    basis = randn(A.shape[-1], q, dtype=float32 if narrow else A.dtype)
    basis = linalg_qr(times(basis))[0]
    for _ in range(niter):
        basis = linalg_qr(times_adjoint(basis))[0]
        basis = linalg_qr(times(basis))[0]
    u, s, vh = linalg_svd(times_adjoint(basis).mH, full_matrices=False)
    u, v = basis @ u, vh.mH
    return (v, s, u) if wide else (u, s, v)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True,
                niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """(U, S, V): the `q` principal components of the rows of A, nearly, by `svd_lowrank`.

    q: by default min(6, n, m); center: of A less the mean of its rows
    """
    rows, columns = A.shape[-2:]
    if q is None:
        q = min(6, rows, columns)
    elif not 0 <= q <= min(rows, columns):
        fail(ValueError, f"q(={q}) must be non-negative integer and not greater than min(m, n)="
                         f"{min(rows, columns)}")  # fmt: skip
    if niter < 0:
        fail(ValueError, f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


# As NumPy calls them


def _numpy_svd(a: Any, full_matrices: bool = True, compute_uv: bool = True,
               hermitian: bool = False) -> Any:  # fmt: skip
    return linalg_svd(a, full_matrices) if compute_uv else svdvals(a)


NUMPY = {
    np.linalg.eig: eig, np.linalg.eigh: eigh, np.linalg.eigvals: eigvals,
    np.linalg.eigvalsh: eigvalsh, np.linalg.svd: _numpy_svd, np.linalg.svdvals: svdvals,
}  # fmt: skip
