"""Parametrizations ready to use: weight and spectral normalisation, orthogonal matrices."""

from __future__ import annotations

from typing import Any

from ...dtypes import finfo
from ...graph.modes import no_grad
from ...ops.comparison import allclose
from ...ops.creation import eye, zeros_like
from ...ops.joining import cat
from ...ops.matrix_functions import matrix_exp
from ...ops.orthogonal import geqrf, householder_product
from ...ops.sampling import randn
from ...ops.solving import solve
from ...tensor import Tensor
from .. import functional as F
from ..module import Module
from .parametrize import register_parametrization
from .spectral_norm import check_iterations, iterate, largest, output_dim, unfolded
from .weight_norm import norm_except_dim, weighted

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_MAPS = ("matrix_exp", "cayley", "householder")


def _tensor_of(module: Module, name: str) -> Any:
    found = getattr(module, name, None)
    if not isinstance(found, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return found


# Orthogonal matrices


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows, where it has more columns), from one without
    constraints. With a `base`, the product of that and of a matrix that begins as the identity."""

    def __init__(self, weight: Any, orthogonal_map: str, *,
                 use_trivialization: bool = True) -> None:  # fmt: skip
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:
        """The orthogonal matrix."""
        wide = X.size(-2) < X.size(-1)
        X = X.mT if wide else X
        Q = _reflected(X) if self.orthogonal_map == "householder" else \
            _rotation(X, self.orthogonal_map)  # fmt: skip
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if wide else Q

    @no_grad()
    def right_inverse(self, Q: Any) -> Any:
        """The matrix that gives Q, or the orthogonal one that QR finds in its place."""
        if Q.shape != self.shape:
            raise ValueError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got "
                             f"a tensor of shape {Q.shape}.")  # fmt: skip
        wide = Q.size(-2) < Q.size(-1)
        tall = Q.mT if wide else Q
        if not hasattr(self, "base"):
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False."
                )
            A, tau = geqrf(tall)
            diagonal = A.diagonal(dim1=-2, dim2=-1)
            diagonal.sign_()
            diagonal[tau == 0.0] *= -1  # no reflection there
            return A.mT if wide else A
        n, k = tall.size(-2), tall.size(-1)
        if n != k:  # the base is square: random columns fill it up
            more = randn((*tall.shape[:-2], n, n - k), dtype=tall.dtype)
            base = _orthonormal(cat([tall, more], dim=-1))
        elif _is_orthogonal(tall):
            base = tall.clone()
        else:
            base = _orthonormal(tall)
        self.base = base
        # Of minus the identity, all of the maps make the identity.
        origin = zeros_like(Q)
        origin.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return origin


def _reflected(X: Any) -> Any:
    """The product of the reflections below the diagonal, columns signed by the diagonal."""
    A = X.tril(diagonal=-1)
    tau = 2.0 / (1.0 + (A * A).sum(dim=-2))
    signs = X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
    return householder_product(A, tau) * signs


def _rotation(X: Any, kind: str) -> Any:
    """The exponential, or Cayley's map, of the part below the diagonal made skew-symmetric."""
    n, k = X.size(-2), X.size(-1)
    A = X.tril()
    if n != k:
        A = cat([A, A.new_zeros((n, n - k)).expand(*A.shape[:-2], -1, -1)], dim=-1)
    A = A - A.mH
    if kind == "matrix_exp":
        Q = matrix_exp(A)
    else:
        one = eye(n, dtype=A.dtype)
        Q = solve(one - 0.5 * A, one + 0.5 * A)
    return Q[..., :k] if n != k else Q


def _orthonormal(A: Any) -> Any:
    """The orthogonal matrix of QR, columns signed so that an orthogonal A gives itself."""
    X, tau = geqrf(A)
    return householder_product(X, tau) * X.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _is_orthogonal(Q: Any) -> bool:
    n, k = Q.size(-2), Q.size(-1)
    eps = 10.0 * n * finfo(Q.dtype).eps
    one = eye(k, dtype=Q.dtype)
    return bool(allclose(Q.mH @ Q, one.expand(*Q.shape[:-2], k, k), atol=eps))


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *,
               use_trivialization: bool = True) -> Module:  # fmt: skip
    """Make a matrix of a module (or a batch of them) orthogonal, unitary if complex.

    orthogonal_map: "matrix_exp" (the default for square and complex ones), "cayley", or
    "householder" (the default for all others); use_trivialization: keep a `base` matrix, so that
    the tensor can be assigned to and begins as it is, if it is orthogonal
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError("Expected a matrix or batch of matrices. Got a tensor of "
                         f"{weight.ndim} dimensions.")  # fmt: skip
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError('orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
                         f"Got: {orthogonal_map}")  # fmt: skip
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


# Weight normalisation


class _WeightNorm(Module):
    """The length and the direction of a weight, as `original0` and `original1`."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        """The weight."""
        return weighted(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Any) -> Any:
        """Its lengths, and itself."""
        return norm_except_dim(weight, self.dim), weight


class _OlderNames:
    """A hook before loading: `name_g` and `name_v` were the names of the older `weight_norm`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        older = [f"{prefix}{self.name}_{end}" for end in "gv"]
        if all(key in state_dict for key in older):
            for number, key in enumerate(older):
                new = f"{prefix}parametrizations.{self.name}.original{number}"
                state_dict[new] = state_dict.pop(key)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Make a weight g · v / |v|, with lengths g along a dimension (None: one as a whole) and
    directions v that are learned apart (Salimans and Kingma)."""
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    module._register_load_state_dict_pre_hook(_OlderNames(name))
    return module


# Spectral normalisation


class _SpectralNorm(Module):
    """A weight over its largest singular value; of a vector, over its norm."""

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0,
                 eps: float = 1e-12) -> None:  # fmt: skip
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError("Dimension out of range (expected to be in range of "
                             f"[-{ndim}, {ndim - 1}] but got {dim})")  # fmt: skip
        check_iterations(n_power_iterations)
        self.dim, self.eps = dim % ndim, eps
        if ndim == 1:
            return
        self.n_power_iterations = n_power_iterations
        matrix = unfolded(weight.detach(), self.dim)
        u, v = (matrix.new_empty(size).normal_(0, 1) for size in matrix.shape)
        self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
        self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
        iterate(matrix, self._u, self._v, 15, eps, rows_first=True)

    def forward(self, weight: Any) -> Any:
        """The weight, normalised."""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = unfolded(weight, self.dim)
        if self.training:
            iterate(matrix, self._u, self._v, self.n_power_iterations, self.eps, rows_first=True)
        return weight / largest(matrix, self._u, self._v)

    def right_inverse(self, value: Any) -> Any:
        """The value itself, taken to be normalised."""
        return value


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Module:  # fmt: skip
    """Divide a weight by its largest singular value, which the power method finds: some
    iterations at each access in training mode (Miyato and others).

    dim: the dimension of the outputs, by default 1 for transposed convolutions, else 0
    """
    weight = _tensor_of(module, name)
    dim = output_dim(module) if dim is None else dim
    made = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, made)
