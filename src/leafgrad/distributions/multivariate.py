"""Distributions of vectors and matrices: multivariate normal, of low rank, Wishart, LKJ."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..dtypes import finfo
from ..graph.modes import no_grad
from ..ops.creation import arange, eye
from ..ops.decompositions import cholesky_inverse, cholesky_solve, linalg_cholesky
from ..ops.elementwise import mvlgamma
from ..ops.sampling import randn
from ..ops.shape import broadcast_shapes
from ..ops.triangular import solve_triangular
from ..tensor import Size, Tensor
from . import constraints
from .distribution import (
    Distribution,
    ExponentialFamily,
    broadcast_all,
    lazy_property,
    standard_normal,
)
from .positive import Chi2
from .transforms import strictly_lower
from .unit import Beta

__all__ = ["LKJCholesky", "LowRankMultivariateNormal", "MultivariateNormal", "Wishart"]


def _product(matrix: Any, vector: Any) -> Any:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def _log_diagonal(matrix: Any) -> Any:
    return matrix.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def mahalanobis(tril: Any, vector: Any) -> Any:
    """The squared length of a vector in the metric of L · Lᵀ."""
    shape = broadcast_shapes(tril.shape[:-2], vector.shape[:-1])
    n = vector.shape[-1]
    column = vector.expand((*shape, n)).unsqueeze(-1)
    return solve_triangular(tril.expand((*shape, n, n)), column, upper=False).pow(2).sum((-2, -1))


def precision_to_tril(precision: Any) -> Any:
    """The Cholesky factor of the inverse of a matrix."""
    factor = linalg_cholesky(precision.flip((-2, -1)))
    turned = factor.flip((-2, -1)).mT
    one = eye(precision.shape[-1], dtype=precision.dtype)
    return solve_triangular(turned, one.expand(turned.shape), upper=False)


class _OneMatrix(Distribution):
    """With a covariance, given as such, as its inverse, or as its Cholesky factor."""

    _unbroadcasted_scale_tril: Any

    def _take(self, **given: Any) -> tuple[str, Any]:
        named = [(name, value) for name, value in given.items() if value is not None]
        if len(named) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril "
                             "may be specified.")  # fmt: skip
        name, value = named[0]
        if value.dim() < 2:
            what = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(f"{what} must be at least two-dimensional, with optional leading "
                             "batch dimensions")  # fmt: skip
        return name, value

    def _factor(self, name: str, value: Any) -> None:
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = value
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = linalg_cholesky(value)
        else:
            self._unbroadcasted_scale_tril = precision_to_tril(value)

    def _whole(self, matrix: Any) -> Any:
        return matrix.expand((*self._batch_shape, *matrix.shape[-2:]))

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance."""
        tril = self._unbroadcasted_scale_tril
        return self._whole(tril @ tril.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        return self._whole(cholesky_inverse(self._unbroadcasted_scale_tril))

    def _expanded_matrices(self, shape: Any) -> dict[str, Any]:
        names = ("covariance_matrix", "precision_matrix", "scale_tril")
        return {name: self.__dict__[name].expand((*shape, *self.__dict__[name].shape[-2:]))
                for name in names if name in self.__dict__}  # fmt: skip


class MultivariateNormal(_OneMatrix):
    """Normal vectors."""

    arg_constraints: ClassVar[Any] = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Any, covariance_matrix: Any = None, precision_matrix: Any = None,
                 scale_tril: Any = None, validate_args: bool | None = None) -> None:  # fmt: skip
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, value = self._take(scale_tril=scale_tril, covariance_matrix=covariance_matrix,
                                 precision_matrix=precision_matrix)  # fmt: skip
        batch = broadcast_shapes(value.shape[:-2], loc.shape[:-1])
        self.__dict__[name] = value.expand((*batch, *value.shape[-2:]))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._factor(name, value)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(
            _instance, batch_shape, loc=self.loc.expand((*batch_shape, *self.event_shape)),
            _unbroadcasted_scale_tril=self._unbroadcasted_scale_tril,
            **self._expanded_matrices(batch_shape),
        )  # fmt: skip

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.loc

    @property
    def mode(self) -> Any:
        """The mean."""
        return self.loc

    @property
    def variance(self) -> Any:
        """The variance of each element."""
        found = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return found.expand(self._extended_shape())

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        eps = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + _product(self._unbroadcasted_scale_tril, eps)

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        tril = self._unbroadcasted_scale_tril
        square = mahalanobis(tril, value - self.loc)
        n = self._event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + square) - _log_diagonal(tril)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        n = self._event_shape[0]
        found = 0.5 * n * (1.0 + math.log(2 * math.pi)) \
            + _log_diagonal(self._unbroadcasted_scale_tril)  # fmt: skip
        return found.expand(self._batch_shape)


def _capacitance_tril(W: Any, D: Any) -> Any:
    """The Cholesky factor of I + Wᵀ D⁻¹ W."""
    inner = (W.mT / D.unsqueeze(-2)) @ W
    return linalg_cholesky(inner + eye(W.shape[-1], dtype=W.dtype))


def low_rank_log_det(W: Any, D: Any, capacitance: Any) -> Any:
    """The logarithm of the determinant of W Wᵀ + D."""
    return 2 * _log_diagonal(capacitance) + D.log().sum(-1)


def low_rank_mahalanobis(W: Any, D: Any, x: Any, capacitance: Any) -> Any:
    """The squared length of x in the metric of W Wᵀ + D."""
    projected = _product(W.mT / D.unsqueeze(-2), x)
    return (x.pow(2) / D).sum(-1) - mahalanobis(capacitance, projected)


class LowRankMultivariateNormal(Distribution):
    """Normal vectors whose covariance is W Wᵀ + D, of low rank and diagonal."""

    arg_constraints: ClassVar[Any] = {
        "loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading "
                             "batch dimensions")  # fmt: skip
        if cov_factor.shape[-2:-1] != event:
            raise ValueError("cov_factor must be a batch of matrices with shape "
                             f"{event[0]} x m")  # fmt: skip
        if cov_diag.shape[-1:] != event:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        batch = broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self.loc = loc.expand((*batch, *event))
        self.cov_diag = cov_diag.expand((*batch, *event))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        self._capacitance_tril = _capacitance_tril(cov_factor, cov_diag)
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        shape = (*batch_shape, *self.event_shape)
        names = ("_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril")
        return self._expanded(
            _instance, batch_shape, loc=self.loc.expand(shape),
            cov_diag=self.cov_diag.expand(shape),
            cov_factor=self.cov_factor.expand((*shape, self.cov_factor.shape[-1])),
            **{name: getattr(self, name) for name in names},
        )  # fmt: skip

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.loc

    @property
    def mode(self) -> Any:
        """The mean."""
        return self.loc

    @lazy_property
    def variance(self) -> Any:  # type: ignore[override]
        """The variance of each element."""
        found = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return found.expand(self._extended_shape())

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        inner = scaled @ scaled.mT + eye(self._event_shape[0], dtype=scaled.dtype)
        return self._square(root * linalg_cholesky(inner))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance."""
        factor = self._unbroadcasted_cov_factor
        return self._square(factor @ factor.mT + self._unbroadcasted_cov_diag.diag_embed())

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        diagonal = self._unbroadcasted_cov_diag
        weighted = self._unbroadcasted_cov_factor.mT / diagonal.unsqueeze(-2)
        part = solve_triangular(self._capacitance_tril, weighted, upper=False)
        return self._square(diagonal.reciprocal().diag_embed() - part.mT @ part)

    def _square(self, matrix: Any) -> Any:
        n = self._event_shape[0]
        return matrix.expand((*self._batch_shape, n, n))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        shape = self._extended_shape(sample_shape)
        few = (*shape[:-1], self.cov_factor.shape[-1])
        eps_factor = standard_normal(few, self.loc.dtype)
        eps_diagonal = standard_normal(shape, self.loc.dtype)
        return (self.loc + _product(self._unbroadcasted_cov_factor, eps_factor)
                + self._unbroadcasted_cov_diag.sqrt() * eps_diagonal)  # fmt: skip

    def _log_det(self) -> Any:
        return low_rank_log_det(self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag,
                                self._capacitance_tril)  # fmt: skip

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        square = low_rank_mahalanobis(
            self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag, value - self.loc,
            self._capacitance_tril,
        )  # fmt: skip
        n = self._event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + self._log_det() + square)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        n = self._event_shape[0]
        found = 0.5 * (n * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return found.expand(self._batch_shape)


class Wishart(_OneMatrix, ExponentialFamily):
    """Positive definite matrices: sums of outer squares of `df` normal vectors; samples by
    Bartlett's decomposition."""

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, df: Any, covariance_matrix: Any = None, precision_matrix: Any = None,
                 scale_tril: Any = None, validate_args: bool | None = None) -> None:  # fmt: skip
        given = {"scale_tril": scale_tril, "covariance_matrix": covariance_matrix,
                 "precision_matrix": precision_matrix}  # fmt: skip
        if sum(v is not None for v in given.values()) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril "
                             "may be specified.")  # fmt: skip
        name, value = next((n, v) for n, v in given.items() if v is not None)
        if value.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading "
                             "batch dimensions")  # fmt: skip
        if not isinstance(df, Tensor):
            df = value.new_tensor(float(df))
        batch, event = broadcast_shapes(value.shape[:-2], df.shape), value.shape[-2:]
        if bool((df <= event[-1] - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = "
                             f"{event[-1] - 1}.")  # fmt: skip
        self.__dict__[name] = value.expand((*batch, *event))
        self.df = df.expand(batch)
        super().__init__(batch, event, validate_args=validate_args)
        self._factor(name, value)
        self._dist_chi2 = self._chi2()

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """That of `df` by the size of the matrices."""
        return {"covariance_matrix": constraints.positive_definite,
                "precision_matrix": constraints.positive_definite,
                "scale_tril": constraints.lower_cholesky,
                "df": constraints.greater_than(self._event_shape[-1] - 1)}  # fmt: skip

    def _chi2(self) -> Chi2:
        p = self._event_shape[-1]
        steps = arange(p, dtype=self._unbroadcasted_scale_tril.dtype)
        return Chi2(self.df.unsqueeze(-1) - steps.expand((*self._batch_shape, p)))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        p = self._event_shape[-1]
        made = self._expanded(
            _instance, batch_shape, df=self.df.expand(batch_shape),
            _unbroadcasted_scale_tril=self._unbroadcasted_scale_tril.expand((*batch_shape, p, p)),
            **self._expanded_matrices(batch_shape),
        )  # fmt: skip
        made._dist_chi2 = made._chi2()
        return made

    def _df(self) -> Any:
        return self.df.view((*self._batch_shape, 1, 1))

    @property
    def mean(self) -> Any:
        """The mean."""
        return self._df() * self.covariance_matrix

    @property
    def mode(self) -> Any:
        """The likeliest matrix; NaN where there is none."""
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        factor = factor.masked_fill(factor <= 0, math.nan)
        return factor.view((*self._batch_shape, 1, 1)) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        """The variance of each element."""
        covariance = self.covariance_matrix
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._df() * (covariance.pow(2) + outer)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        # PyTorch draws twice and keeps the second: the numbers for a seed are to be the same.
        self._bartlett(Size(sample_shape))
        return self._bartlett(Size(sample_shape))

    def _bartlett(self, shape: Size) -> Any:
        p = self._event_shape[-1]
        noise = self._dist_chi2.rsample(shape).sqrt().diag_embed()
        below = randn((*shape, *self._batch_shape, p * (p - 1) // 2), dtype=noise.dtype)
        if p > 1:
            noise = noise + strictly_lower(below)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        nu, p, tril = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        from ..ops.solving import linalg_slogdet

        shape = broadcast_shapes(value.shape[:-2], tril.shape[:-2])
        whole = (*shape, p, p)
        solved = cholesky_solve(value.expand(whole), tril.expand(whole))
        return (
            -nu * (p * math.log(2) / 2 + _log_diagonal(tril)) - mvlgamma(nu / 2, p)
            + (nu - p - 1) / 2 * linalg_slogdet(value).logabsdet
            - solved.diagonal(dim1=-2, dim2=-1).sum(dim=-1) / 2
        )  # fmt: skip

    def entropy(self) -> Any:
        """The entropy, in nats."""
        nu, p = self.df, self._event_shape[-1]
        steps = arange(p, dtype=nu.dtype).expand((*self._batch_shape, p))
        digammas = ((nu.unsqueeze(-1) - steps) / 2).digamma().sum(-1)
        return (
            (p + 1) * (p * math.log(2) / 2 + _log_diagonal(self._unbroadcasted_scale_tril))
            + mvlgamma(nu / 2, p) - (nu - p - 1) / 2 * (digammas) + nu * p / 2
        )  # fmt: skip

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        p = self._event_shape[-1]
        return -self.precision_matrix / 2, (self.df - p - 1) / 2


class LKJCholesky(Distribution):
    """Cholesky factors of matrices of correlations (Lewandowski, Kurowicka and Joe); of
    concentration 1 uniform over these."""

    arg_constraints: ClassVar[Any] = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        if dim < 2:
            raise ValueError("Expected dim to be an integer greater than or equal to 2. Found "
                             f"dim={dim}.")  # fmt: skip
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        self._beta = self._onion()
        super().__init__(self.concentration.size(), (dim, dim), validate_args)

    def _onion(self) -> Beta:
        """The squared radii of the rows, by the onion method."""
        kind = self.concentration.dtype
        offset = arange(-1, self.dim - 1, dtype=kind).clamp(min=0)
        marginal = self.concentration + 0.5 * (self.dim - 2)
        return Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, dim=self.dim,
                              concentration=self.concentration.expand(batch_shape),
                              _beta=self._beta.expand((*batch_shape, self.dim)))  # fmt: skip

    @no_grad()
    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        y = self._beta.sample(sample_shape).unsqueeze(-1)
        u = randn(self._extended_shape(sample_shape), dtype=y.dtype).tril(-1)
        directions = u / u.norm(dim=-1, keepdim=True)
        directions[..., 0, :].fill_(0.0)
        w = y.sqrt() * directions
        rest = (1 - (w**2).sum(dim=-1)).clamp(min=finfo(w.dtype).tiny)
        return w + rest.sqrt().diag_embed()

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = arange(2, self.dim + 1, dtype=self.concentration.dtype)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        n = self.dim - 1
        alpha = self.concentration + 0.5 * n
        norm = 0.5 * n * math.log(math.pi) + mvlgamma(alpha - 0.5, n) - alpha.lgamma() * n
        return (order * diagonal.log()).sum(-1) - norm
