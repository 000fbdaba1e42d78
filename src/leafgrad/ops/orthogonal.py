"""A = QR, and orthogonal matrices as products of Householder's reflections."""

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
    castable,
    check_inexact,
    check_kernel,
    check_matrix,
    deprecated,
    diagonal,
    eye_like,
    in_conjugates,
    joined,
    matmul,
    matrix_function,
    mH,
    must_be_tensor,
    padded,
    scaled_rows,
)
from .triangular import triangular_solution

__all__ = ["geqrf", "orgqr", "ormqr", "qr"]
METHODS = __all__


# QR


@op(name="linalg_qr")
@quietly
def _qr(A, /, mode):
    """Q and R with A = QR: f[..., n, m] -> f[..., n, k], f[..., k, m], k = min(n, m); of all n
    columns if `mode` is "complete"."""
    if mode == "r":
        return np.zeros_like(A, shape=(0,)), np.linalg.qr(A, "r")
    return tuple(np.linalg.qr(A, mode))


@in_conjugates
def _qr_rule(g, out, A_shape, mode):
    rows, columns = A_shape[-2:]
    if mode == "r":
        fail(RuntimeError, "The derivative of linalg.qr depends on Q, which is not computed when "
                           "mode='r'. Please use linalg.qr(A, mode='reduced') if you are going to "
                           "differentiate through linalg.qr.")  # fmt: skip
    if mode == "complete" and rows > columns:
        fail(RuntimeError, "The QR decomposition is not differentiable when mode='complete' and "
                           "nrows > ncols.")  # fmt: skip
    g_q, g_r = g
    q, r = out
    if rows >= columns:
        return _square_qr_rule(g_q, g_r, q, r)
    # A = [X | Y] with X = QU square and Y = QV.
    u, v, g_u = r[..., :rows], r[..., rows:], None
    of_y = None
    if g_r is not None:
        g_u, g_v = g_r[..., :rows], g_r[..., rows:]
        g_q = joined(g_q, matmul(matmul(q, v), mH(g_v)))
        of_y = matmul(q, g_v)
    of_x = _square_qr_rule(g_q, g_u, q, u)
    return np.concatenate([of_x, np.zeros_like(matmul(q, v)) if of_y is None else of_y], -1)


def _square_qr_rule(g_q: Any, g_r: Any, q: Any, r: Any) -> Any:
    # With S = dR R⁻¹, upper triangular with a real diagonal: dQ = dA R⁻¹ - QS, and S + Sᴴ is
    # N + Nᴴ for N = Qᴴ dA R⁻¹. So S is the upper triangle of N + Nᴴ, with half of its diagonal.
    w = joined(
        None if g_r is None else matmul(g_r, mH(r)), None if g_q is None else -matmul(mH(q), g_q)
    )
    upper = np.triu(w) * (1 - eye_like(w, w.shape[-1]) / 2)
    total = joined(g_q, matmul(q, upper + mH(upper)))
    return triangular_solution(mH(r), total, False, False, False)


_qr.vjp(A=_qr_rule)


@matrix_function("linalg_qr")
def linalg_qr(A: Tensor, mode: str = "reduced") -> Any:
    """(Q, R) with A = QR: the columns of Q are orthonormal, R is upper triangular.

    mode: "reduced": min(n, m) columns of Q; "complete": Q square; "r": R alone, Q is empty
    """
    _check_qr(A)
    if mode not in ("reduced", "complete", "r"):
        fail(RuntimeError, f"qr received unrecognized mode '{mode}' but expected one of 'reduced' "
                           "(default), 'r', or 'complete'")  # fmt: skip
    return return_types.linalg_qr(_qr(A, mode))


def _check_qr(a: Tensor) -> None:
    check_matrix("linalg.qr", a)
    check_inexact("linalg.qr", a, "geqrf_cpu")


@matrix_function("qr", "input")
def qr(input: Tensor, some: bool = True) -> Any:
    """(Q, R) with A = QR; deprecated in PyTorch for `linalg.qr`."""
    deprecated("qr", "qr", "some=True is mode='reduced', some=False is mode='complete'")
    _check_qr(input)
    return return_types.qr(_qr(input, "reduced" if some else "complete"))


# Householder's reflections: H = 1 - τ v vᴴ, where v stands in a column below a 1 on the diagonal


@op(name="geqrf")
@quietly
def _geqrf(input):
    """R, with the reflections that make Q below it, and their factors τ: f[..., n, m]."""
    turned, tau = np.linalg.qr(input, "raw")
    return np.array(np.swapaxes(turned, -1, -2)), tau


def _geqrf_rule(g):
    fail(NotImplementedError, "the derivative for 'geqrf' is not implemented.")


_geqrf.vjp(input=_geqrf_rule)


@matrix_function("geqrf", "input", castable("torch.geqrf", "a", "tau"))
def geqrf(input: Tensor) -> Any:
    """(a, tau): the QR decomposition as LAPACK keeps it. R is the upper triangle of `a`; the
    reflections whose product is Q stand below it, their factors in `tau`."""
    if input.ndim < 2:
        fail(RuntimeError, "torch.geqrf: input must have at least 2 dimensions.")
    check_kernel("geqrf_cpu", input)
    return return_types.geqrf(_geqrf(input))


def _reflectors(input: Any, count: int) -> Any:
    """V: the vectors of the first reflections as columns."""
    rows = input.shape[-2]
    return np.tril(input[..., :count], -1) + eye_like(input, rows)[:, :count]


def _mixing(v: Any, tau: Any) -> Any:
    """T, upper triangular, with H₁H₂⋯ = 1 - V T Vᴴ: (1 + diag(τ) S)⁻¹ diag(τ), where S is what
    stands above the diagonal of VᴴV."""
    eye = eye_like(v, v.shape[-1])
    coupling = scaled_rows(tau, np.triu(matmul(mH(v), v), 1))
    return triangular_solution(coupling, scaled_rows(tau, eye), True, True, True)


def _mixing_rule(of_t: Any, v: Any, tau: Any, t: Any) -> tuple[Any, Any]:
    """The gradients for V and τ from that for T = _mixing(V, τ), given T itself."""
    strict = np.triu(matmul(mH(v), v), 1)
    of_right = triangular_solution(mH(scaled_rows(tau, strict)), of_t, False, True, True)
    of_coupling = -np.triu(matmul(of_right, mH(t)), 1)
    of_tau = diagonal(of_right) + np.sum(of_coupling * np.conj(strict), -1)
    of_strict = scaled_rows(np.conj(tau), of_coupling)
    return matmul(v, of_strict + mH(of_strict)), of_tau


@op(name="linalg_householder_product")
@quietly
def _product(input, tau):
    """The first columns of the product of reflections: f[..., n, m], f[..., k] -> f[..., n, m]."""
    columns = input.shape[-1]
    v = _reflectors(input, tau.shape[-1])
    first = mH(v[..., :columns, :])
    return eye_like(v, v.shape[-2])[:, :columns] - matmul(matmul(v, _mixing(v, tau)), first)


@in_conjugates
def _product_rule(g, input, tau):
    # Q = E - V T Wᴴ, where W is the first rows of V.
    rows, columns = input.shape[-2:]
    count = tau.shape[-1]
    v = _reflectors(input, count)
    w = v[..., :columns, :]
    t = _mixing(v, tau)
    g_w = matmul(g, w)
    of_v, of_tau = _mixing_rule(-matmul(mH(v), g_w), v, tau, t)
    of_w = matmul(mH(g), matmul(v, t))
    of_v = of_v - matmul(g_w, mH(t)) - padded(of_w, rows - columns, 0)
    return np.tril(padded(of_v, 0, columns - count), -1), of_tau


_product.vjp(_product_rule)


@matrix_function(
    "linalg_householder_product", "input", castable("torch.linalg.householder_product")
)
def householder_product(input: Tensor, tau: Tensor) -> Tensor:
    """The first columns of the product of the reflections 1 - τ v vᴴ that `geqrf` gives."""
    name = "torch.linalg.householder_product"
    must_be_tensor("linalg_householder_product", tau, "tau", 2)
    check_two(name, "input", input)
    rows, columns = input.shape[-2:]
    if rows < columns:
        fail(RuntimeError, f"{name}: input.shape[-2] must be greater than or equal to "
                           "input.shape[-1]")  # fmt: skip
    if not tau.ndim:
        fail(IndexError, "Dimension specified as -1 but tensor has no dimensions")
    if columns < tau.shape[-1]:
        fail(RuntimeError, f"{name}: input.shape[-1] must be greater than or equal to "
                           "tau.shape[-1]")  # fmt: skip
    check_tau(name, input, tau)
    if tau.dtype is not input.dtype:
        fail(RuntimeError, f"{name}: tau dtype {tau.dtype.legacy} does not match input dtype "
                           f"{input.dtype.legacy}")  # fmt: skip
    check_kernel("orgqr_cpu", input)
    return _product(input, tau)


def check_two(name: str, what: str, x: Tensor) -> None:
    """PyTorch's error for a tensor without two dimensions."""
    if x.ndim < 2:
        fail(RuntimeError, f"{name}: {what} must have at least 2 dimensions.")


def check_tau(name: str, input: Tensor, tau: Tensor) -> None:
    """PyTorch's errors for factors that do not go with their reflections."""
    if tau.ndim != input.ndim - 1:
        fail(RuntimeError, f"{name}: Expected tau to have one dimension less than input, but got "
                           f"tau.ndim equal to {tau.ndim} and input.ndim is equal to "
                           f"{input.ndim}")  # fmt: skip
    if tuple(tau.shape[:-1]) != tuple(input.shape[:-2]):
        fail(RuntimeError, f"{name}: Expected batch dimensions of tau to be equal to "
                           f"input.shape[:-2], but got {list(tau.shape[:-1])}")  # fmt: skip


@matrix_function("orgqr", "input", castable("torch.linalg.householder_product"))
def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    """`linalg.householder_product` by its LAPACK name."""
    return householder_product(input, input2)


@op(name="ormqr")
@quietly
def _times_q(self, input2, input3, /, left, transpose):
    """QC, QᴴC, CQ or CQᴴ, where the reflections give Q: f[..., n, m], f[..., k], f[..., n, l]."""
    return _with_q(self, input2, input3, left, transpose)


def _with_q(input: Any, tau: Any, other: Any, left: bool, transpose: bool) -> Any:
    v = _reflectors(input, tau.shape[-1])
    t = _mixing(v, tau)
    t = mH(t) if transpose else t
    if left:
        return other - matmul(v, matmul(t, matmul(mH(v), other)))
    return other - matmul(matmul(matmul(other, v), t), mH(v))


@in_conjugates
def _times_q_rule(g, self, input2, input3, left, transpose):
    of_other = _times_q(self, input2, g, left, not transpose)
    v = _reflectors(self, input2.shape[-1])
    t = _mixing(v, input2)
    used = mH(t) if transpose else t
    # The gradient for P = 1 - V T Vᴴ; of the arguments, only T and V depend on the reflections.
    of_p = matmul(g, mH(input3)) if left else matmul(mH(input3), g)
    of_used = -matmul(mH(v), matmul(of_p, v))
    of_v = -matmul(of_p, matmul(v, mH(used))) - matmul(mH(of_p), matmul(v, used))
    through, of_tau = _mixing_rule(mH(of_used) if transpose else of_used, v, input2, t)
    columns = self.shape[-1] - input2.shape[-1]
    return np.tril(padded(of_v + through, 0, columns), -1), of_tau, of_other


_times_q.vjp(_times_q_rule)


_ORMQR_OUT = agreeing(
    "torch.ormqr: Expected input and result to have the same dtype, but input has dtype{want} and "
    "result has dtype {have}"
)


@matrix_function("ormqr", "input", _ORMQR_OUT)
def ormqr(input: Tensor, input2: Tensor, input3: Tensor, left: bool = True,
          transpose: bool = False) -> Tensor:  # fmt: skip
    """Q @ input3, where `input` and `input2` are the reflections of Q and their τ, of `geqrf`.

    left: else input3 @ Q; transpose: Qᴴ in the place of Q
    """
    name = "torch.ormqr"
    for position, (what, x) in enumerate((("input2", input2), ("input3", input3)), 2):
        must_be_tensor("ormqr", x, what, position)
    check_two(name, "input", input)
    check_two(name, "other", input3)
    side = -2 if left else -1
    rows, columns = input.shape[-2:]
    if input3.shape[side] < (input2.shape[-1] if input2.ndim else 1):
        fail(RuntimeError, f"{name}: other.shape[{side}] must be greater than or equal to "
                           "tau.shape[-1]")  # fmt: skip
    if input3.shape[side] != rows:
        fail(RuntimeError, f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    if input2.ndim and input2.shape[-1] != min(rows, columns):
        fail(RuntimeError, f"{name}: tau.shape[-1] must be equal to min(other.shape[{side}], "
                           "input.shape[-1])")  # fmt: skip
    check_tau(name, input, input2)
    if input3.ndim != input.ndim:
        fail(RuntimeError, f"{name}: Expected other to have the same number of dimensions as "
                           f"input, but got other.ndim equal to {input3.ndim} and input.ndim is "
                           f"equal to {input.ndim}")  # fmt: skip
    if tuple(input3.shape[:-2]) != tuple(input.shape[:-2]):
        fail(RuntimeError, f"{name}: Expected batch dimensions of other to be equal to "
                           f"input.shape[:-2], but got {list(input3.shape[:-2])}")  # fmt: skip
    for what, x in (("tau", input2), ("other", input3)):
        if x.dtype is not input.dtype:
            fail(RuntimeError, f"{name}: Expected input and {what} to have the same dtype, but "
                               f"input has dtype{input.dtype.legacy} and {what} has dtype "
                               f"{x.dtype.legacy}")  # fmt: skip
    check_kernel("ormqr_cpu", input)
    return _times_q(input, input2, input3, left, transpose)


NUMPY = {np.linalg.qr: linalg_qr}
