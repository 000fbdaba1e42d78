"""The Kullback-Leibler divergence: a table of formulas by pairs of classes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ..ops.comparison import where
from ..ops.creation import full_like
from .choices import Categorical, OneHotCategorical
from .combined import Independent, TransformedDistribution
from .counts import Bernoulli, Binomial, Geometric, Poisson
from .distribution import EULER, Distribution, ExponentialFamily, sum_rightmost
from .multivariate import (
    LowRankMultivariateNormal,
    MultivariateNormal,
    low_rank_log_det,
    low_rank_mahalanobis,
    mahalanobis,
)
from .positive import Exponential, Gamma, HalfNormal, Pareto
from .real_line import Cauchy, Gumbel, Laplace, Normal, Uniform
from .unit import Beta, ContinuousBernoulli, Dirichlet

__all__ = ["kl_divergence", "register_kl"]

_TABLE: dict[tuple[type, type], Callable[..., Any]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[..., Any]:
    """Note a function of p and q as the divergence of two classes; a decorator."""
    if not isinstance(type_p, type) and issubclass(type_p, Distribution):
        raise TypeError(f"Expected type_p to be a Distribution subclass but got {type_p}")
    if not isinstance(type_q, type) and issubclass(type_q, Distribution):
        raise TypeError(f"Expected type_q to be a Distribution subclass but got {type_q}")

    def note(function: Any) -> Any:
        _TABLE[type_p, type_q] = function
        _found.cache_clear()
        return function

    return note


@functools.cache
def _found(type_p: type, type_q: type) -> Any:
    """The formula of the nearest classes: those of p come first."""
    for p in type_p.__mro__:
        for q in type_q.__mro__:
            if (p, q) in _TABLE:
                return _TABLE[p, q]
    return None


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """KL(p ‖ q), the mean over p of log p - log q. NotImplementedError without a formula."""
    formula = _found(type(p), type(q))
    if formula is None:
        raise NotImplementedError("No KL(p || q) is implemented for p type "
                                  f"{type(p).__name__} and q type {type(q).__name__}")  # fmt: skip
    return formula(p, q)


def _everywhere(value: Any) -> Any:
    return full_like(value, math.inf)


# Of one class each


@register_kl(ExponentialFamily, ExponentialFamily)
def _(p: Any, q: Any) -> Any:
    """Bregman's divergence of the normalisers."""
    from ..graph.engine import grad

    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot "
            "                            be computed using Bregman divergences"
        )
    mine = [n.detach().requires_grad_() for n in p._natural_params]
    others = q._natural_params
    normaliser = p._log_normalizer(*mine)
    slopes = grad(normaliser.sum(), mine, create_graph=True)
    result = q._log_normalizer(*others) - normaliser
    for a, b, slope in zip(mine, others, slopes, strict=True):
        result = result - sum_rightmost((b - a) * slope, len(q.event_shape))
    return result


@register_kl(Bernoulli, Bernoulli)
def _(p: Any, q: Any) -> Any:
    from ..ops.activations import softplus

    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    one = where(q.probs == 0, math.inf, one)
    one = where(p.probs == 0, 0.0, one)
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    zero = where(q.probs == 1, math.inf, zero)
    return one + where(p.probs == 1, 0.0, zero)


@register_kl(Beta, Beta)
def _(p: Any, q: Any) -> Any:
    total_p = p.concentration1 + p.concentration0
    total_q = q.concentration1 + q.concentration0
    t1 = q.concentration1.lgamma() + q.concentration0.lgamma() + total_p.lgamma()
    t2 = p.concentration1.lgamma() + p.concentration0.lgamma() + total_q.lgamma()
    t3 = (p.concentration1 - q.concentration1) * p.concentration1.digamma()
    t4 = (p.concentration0 - q.concentration0) * p.concentration0.digamma()
    return t1 - t2 + t3 + t4 + (total_q - total_p) * total_p.digamma()


@register_kl(Binomial, Binomial)
def _(p: Any, q: Any) -> Any:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    found = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p()
                             - (-q.probs).log1p())  # fmt: skip
    return where(p.total_count > q.total_count, math.inf, found)


@register_kl(Categorical, Categorical)
def _(p: Any, q: Any) -> Any:
    t = p.probs * (p.logits - q.logits)
    t = where((q.probs == 0).expand(t.shape), math.inf, t)
    return where((p.probs == 0).expand(t.shape), 0.0, t).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _(p: Any, q: Any) -> Any:
    return kl_divergence(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _(p: Any, q: Any) -> Any:
    t1 = p.mean * (p.logits - q.logits)
    t2 = p._cont_bern_log_norm() + (-p.probs).log1p()
    return t1 + t2 - q._cont_bern_log_norm() - (-q.probs).log1p()


@register_kl(Dirichlet, Dirichlet)
def _(p: Any, q: Any) -> Any:
    total_p, total_q = p.concentration.sum(-1), q.concentration.sum(-1)
    t1 = total_p.lgamma() - total_q.lgamma()
    t2 = (p.concentration.lgamma() - q.concentration.lgamma()).sum(-1)
    t3 = p.concentration - q.concentration
    t4 = p.concentration.digamma() - total_p.digamma().unsqueeze(-1)
    return t1 - t2 + (t3 * t4).sum(-1)


@register_kl(Exponential, Exponential)
def _(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _(p: Any, q: Any) -> Any:
    return (
        q.concentration * (p.rate / q.rate).log() + q.concentration.lgamma()
        - p.concentration.lgamma() + (p.concentration - q.concentration) * p.concentration.digamma()
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )  # fmt: skip


@register_kl(Gumbel, Gumbel)
def _(p: Any, q: Any) -> Any:
    ratio, p_loc, q_loc = p.scale / q.scale, p.loc / q.scale, q.loc / q.scale
    t1 = -ratio.log() - q_loc + p_loc
    return t1 + ratio * EULER + (q_loc + (1 + ratio).lgamma() - p_loc).exp() - (1 + EULER)


@register_kl(Geometric, Geometric)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _(p: Any, q: Any) -> Any:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _(p: Any, q: Any) -> Any:
    ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * (-away / p.scale).exp() - 1


def _trace(tril: Any, other: Any, n: int) -> Any:
    """The trace of (q's covariance)⁻¹ · (p's), from q's factor and a root of p's."""
    from ..ops.shape import broadcast_shapes
    from ..ops.triangular import solve_triangular

    batch = broadcast_shapes(tril.shape[:-2], other.shape[:-2])
    a, b = tril.expand((*batch, n, n)), other.expand((*batch, n, other.shape[-1]))
    return solve_triangular(a, b, upper=False).pow(2).sum((-2, -1))


def _same_size(p: Any, q: Any, what: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(f"KL-divergence between two {what} with\n"
                         "                          different event shapes cannot be computed")  # fmt: skip


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _(p: Any, q: Any) -> Any:
    _same_size(p, q, "Low Rank Multivariate Normals")
    term1 = q._log_det() - p._log_det()
    term2 = _low_rank_square(q, q.loc - p.loc)
    weighted = q._unbroadcasted_cov_factor.mT / q._unbroadcasted_cov_diag.unsqueeze(-2)
    k = weighted.shape[-2]
    root = p._unbroadcasted_cov_diag.sqrt()
    t31 = (p._unbroadcasted_cov_diag / q._unbroadcasted_cov_diag).sum(-1)
    t32 = (p._unbroadcasted_cov_factor
           / q._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)).pow(2).sum((-2, -1))  # fmt: skip
    t33 = _trace(q._capacitance_tril, weighted * root.unsqueeze(-2), k)
    t34 = _trace(q._capacitance_tril, weighted @ p._unbroadcasted_cov_factor, k)
    return 0.5 * (term1 + term2 + t31 + t32 - t33 - t34 - p.event_shape[0])


def _low_rank_square(q: Any, x: Any) -> Any:
    return low_rank_mahalanobis(q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag, x,
                                q._capacitance_tril)  # fmt: skip


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _(p: Any, q: Any) -> Any:
    _same_size(p, q, "(Low Rank) Multivariate Normals")
    tril = p._unbroadcasted_scale_tril
    term1 = low_rank_log_det(q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag,
                             q._capacitance_tril)  # fmt: skip
    term1 = term1 - 2 * tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    weighted = q._unbroadcasted_cov_factor.mT / q._unbroadcasted_cov_diag.unsqueeze(-2)
    t31 = (tril / q._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)).pow(2).sum((-2, -1))
    t32 = _trace(q._capacitance_tril, weighted @ tril, weighted.shape[-2])
    square = _low_rank_square(q, q.loc - p.loc)
    return 0.5 * (term1 + square + t31 - t32 - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _(p: Any, q: Any) -> Any:
    _same_size(p, q, "(Low Rank) Multivariate Normals")
    tril, n = q._unbroadcasted_scale_tril, p.event_shape[0]
    term1 = 2 * tril.diagonal(dim1=-2, dim2=-1).log().sum(-1) - p._log_det()
    square = mahalanobis(tril, q.loc - p.loc)
    t31 = _trace(tril, p._unbroadcasted_cov_factor, n)
    t32 = _trace(tril, p._unbroadcasted_cov_diag.sqrt().diag_embed(), n)
    return 0.5 * (term1 + square + t31 + t32 - n)


@register_kl(MultivariateNormal, MultivariateNormal)
def _(p: Any, q: Any) -> Any:
    _same_size(p, q, "Multivariate Normals")
    a, b = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    half = b.diagonal(dim1=-2, dim2=-1).log().sum(-1) - a.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    n = p.event_shape[0]
    return half + 0.5 * (_trace(b, a, n) + mahalanobis(b, q.loc - p.loc) - n)


@register_kl(Normal, Normal)
def _(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _(p: Any, q: Any) -> Any:
    ratio = q.alpha / p.alpha
    found = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.support.lower_bound < q.support.lower_bound, math.inf, found)


@register_kl(Poisson, Poisson)
def _(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _(p: Any, q: Any) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(Independent, Independent)
def _(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Cauchy, Cauchy)
def _(p: Any, q: Any) -> Any:
    t1 = ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log()
    return t1 - (4 * p.scale * q.scale).log()


# Of different classes: infinite where p has values that q has not


def _infinite(kind_p: type, parameter: str, *kinds_q: type) -> None:
    for kind_q in kinds_q:
        register_kl(kind_p, kind_q)(lambda p, q: _everywhere(getattr(p, parameter)))


_infinite(Beta, "concentration1", Pareto)
_infinite(ContinuousBernoulli, "probs", Pareto)
_infinite(Exponential, "rate", Beta, ContinuousBernoulli, Pareto, Uniform)
_infinite(Gamma, "concentration", Beta, ContinuousBernoulli, Pareto, Uniform)
_infinite(Gumbel, "loc", Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_infinite(Laplace, "loc", Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_infinite(Normal, "loc", Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_infinite(Pareto, "scale", Beta, ContinuousBernoulli, Uniform)
_infinite(Poisson, "rate", Bernoulli, Binomial)


@register_kl(Bernoulli, Poisson)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _(p: Any, q: Any) -> Any:
    return (-p.entropy() - p.mean * q.logits - (-q.probs).log1p()
            - q._cont_bern_log_norm())  # fmt: skip


@register_kl(Beta, Exponential)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _(p: Any, q: Any) -> Any:
    log_mean = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    t2 = q.concentration * q.rate.log() - q.concentration.lgamma()
    return -p.entropy() - t2 - (q.concentration - 1) * log_mean + q.rate * p.mean


def _normal_energy(p: Any, q: Any) -> Any:
    """The mean over p of q's quadratic term."""
    spread = q.scale.square() * 2
    return (p.variance + p.mean.square() - 2 * p.mean * q.loc + q.loc.square()) / spread


@register_kl(Beta, Normal)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() + 0.5 * (q.scale.square() * 2 * math.pi).log() + _normal_energy(p, q)


@register_kl(Beta, Uniform)
def _(p: Any, q: Any) -> Any:
    found = -p.entropy() + (q.high - q.low).log()
    return where((q.low > 0) | (q.high < 1), math.inf, found)


@register_kl(ContinuousBernoulli, Exponential)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(ContinuousBernoulli, Normal)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() + 0.5 * (q.scale.square() * 2 * math.pi).log() + _normal_energy(p, q)


@register_kl(ContinuousBernoulli, Uniform)
def _(p: Any, q: Any) -> Any:
    found = -p.entropy() + (q.high - q.low).log()
    return where((q.low >= 0) | (q.high <= 1), math.inf, found)


@register_kl(Exponential, Gamma)
def _(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    t1 = -q.concentration * ratio.log()
    return t1 + ratio + q.concentration.lgamma() + q.concentration * EULER - (1 + EULER)


@register_kl(Exponential, Gumbel)
def _(p: Any, q: Any) -> Any:
    scaled, at = p.rate * q.scale, q.loc / q.scale
    return scaled.log() - 1 + at.exp() * scaled / (scaled + 1) - at + scaled.reciprocal()


@register_kl(Exponential, Normal)
def _(p: Any, q: Any) -> Any:
    spread, square = q.scale.square(), p.rate.square()
    t1 = 0.5 * (square * spread * 2 * math.pi).log()
    return t1 - 1 + (square.reciprocal() - q.loc / p.rate + q.loc.square() / 2) / spread


@register_kl(Gamma, Exponential)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Gamma, Gumbel)
def _(p: Any, q: Any) -> Any:
    scaled, at = p.rate * q.scale, q.loc / q.scale
    t1 = (p.concentration - 1) * p.concentration.digamma() - p.concentration.lgamma()
    t2 = scaled.log() - p.concentration + p.concentration / scaled
    return t1 + t2 + at.exp() * (1 + scaled.reciprocal()).pow(-p.concentration) - at


@register_kl(Gamma, Normal)
def _(p: Any, q: Any) -> Any:
    spread, square, c = q.scale.square(), p.rate.square(), p.concentration
    t1 = 0.5 * (square * spread * 2 * math.pi).log() - c - c.lgamma()
    t2 = 0.5 * (c.square() + c) / square - q.loc * c / p.rate + 0.5 * q.loc.square()
    return t1 + (c - 1) * c.digamma() + t2 / spread


@register_kl(Gumbel, Normal)
def _(p: Any, q: Any) -> Any:
    return -p.entropy() + 0.5 * (q.scale.square() * 2 * math.pi).log() + _normal_energy(p, q)


@register_kl(Laplace, Normal)
def _(p: Any, q: Any) -> Any:
    spread = q.scale.square()
    ratio = p.scale.square() / spread
    t2 = 0.5 * (p.loc.square() + q.loc.square()) / spread - p.loc * q.loc / spread
    return -0.5 * (2 * ratio / math.pi).log() + ratio + t2 - 1


@register_kl(Normal, Gumbel)
def _(p: Any, q: Any) -> Any:
    ratio, square = p.loc / q.scale, (p.scale / q.scale).square()
    at = q.loc / q.scale
    t1 = -square.log() * 0.5
    return t1 + ratio - at + (-ratio + 0.5 * square + at).exp() - 0.5 * (1 + math.log(2 * math.pi))


@register_kl(Normal, Laplace)
def _(p: Any, q: Any) -> Any:
    off = p.loc - q.loc
    scaled = off / p.scale
    near = math.sqrt(2 / math.pi) * p.scale * (-0.5 * scaled.pow(2)).exp()
    mean = near + off * (math.sqrt(0.5) * scaled).erf()
    return -p.scale.log() + mean / q.scale + math.log(2) - 0.5 * (1 + math.log(2 * math.pi)) \
        + q.scale.log()  # fmt: skip


@register_kl(Pareto, Exponential)
def _(p: Any, q: Any) -> Any:
    scaled = p.scale * q.rate
    found = (p.alpha / scaled).log() - p.alpha.reciprocal() + p.alpha * scaled / (p.alpha - 1) - 1
    return where(p.alpha <= 1, math.inf, found)


@register_kl(Pareto, Gamma)
def _(p: Any, q: Any) -> Any:
    common = p.scale.log() + p.alpha.reciprocal()
    t1 = p.alpha.log() - common + q.concentration.lgamma() - q.concentration * q.rate.log()
    t2 = (1 - q.concentration) * common + q.rate * p.alpha * p.scale / (p.alpha - 1)
    return where(p.alpha <= 1, math.inf, t1 + t2 - 1)


@register_kl(Pareto, Normal)
def _(p: Any, q: Any) -> Any:
    spread, common = 2 * q.scale.square(), p.scale / (p.alpha - 1)
    t1 = (math.sqrt(2 * math.pi) * q.scale * p.alpha / p.scale).log() - p.alpha.reciprocal()
    t2 = p.alpha * common.square() / (p.alpha - 2)
    t3 = (p.alpha * common - q.loc).square()
    return where(p.alpha <= 2, math.inf, t1 + (t2 + t3) / spread - 1)


@register_kl(Uniform, Beta)
def _(p: Any, q: Any) -> Any:
    width = p.high - p.low
    t2 = (q.concentration1 - 1) * (_xlogx(p.high) - _xlogx(p.low) - width) / width
    t3 = (q.concentration0 - 1) * (_xlogx(1 - p.high) - _xlogx(1 - p.low) + width) / width
    t4 = q.concentration1.lgamma() + q.concentration0.lgamma() \
        - (q.concentration1 + q.concentration0).lgamma()  # fmt: skip
    found = t3 + t4 - width.log() - t2
    return where((p.high > 1) | (p.low < 0), math.inf, found)


def _xlogx(x: Any) -> Any:
    return x.xlogy(x)


@register_kl(Uniform, ContinuousBernoulli)
def _(p: Any, q: Any) -> Any:
    found = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()
    return where((p.high > 1) | (p.low < 0), math.inf, found)


@register_kl(Uniform, Exponential)
def _(p: Any, q: Any) -> Any:
    found = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return where(p.low < 0, math.inf, found)


@register_kl(Uniform, Gamma)
def _(p: Any, q: Any) -> Any:
    width = p.high - p.low
    t2 = q.concentration.lgamma() - q.concentration * q.rate.log()
    t3 = (1 - q.concentration) * (_xlogx(p.high) - _xlogx(p.low) - width) / width
    found = -width.log() + t2 + t3 + q.rate * (p.high + p.low) / 2
    return where(p.low < 0, math.inf, found)


@register_kl(Uniform, Gumbel)
def _(p: Any, q: Any) -> Any:
    width = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return width.log() + 0.5 * (high + low) - width * ((-high).exp() - (-low).exp())


@register_kl(Uniform, Normal)
def _(p: Any, q: Any) -> Any:
    width = p.high - p.low
    t1 = (math.sqrt(2 * math.pi) * q.scale / width).log()
    t3 = ((p.high + p.low - 2 * q.loc) / 2).square()
    return t1 + 0.5 * (width.square() / 12 + t3) / q.scale.square()


@register_kl(Uniform, Pareto)
def _(p: Any, q: Any) -> Any:
    width = p.high - p.low
    t1 = (q.alpha * q.scale.pow(q.alpha) * width).log()
    t2 = (_xlogx(p.high) - _xlogx(p.low) - width) / width
    return where(p.low < q.support.lower_bound, math.inf, t2 * (q.alpha + 1) - t1)
