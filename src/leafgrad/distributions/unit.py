"""Distributions over the numbers from 0 to 1, and over simplexes: Beta, Dirichlet, Kumaraswamy,
continuous Bernoulli, logistic normal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..dtypes import finfo
from ..ops.comparison import where
from ..ops.creation import full_like, ones_like, zeros_like
from ..ops.joining import stack
from ..ops.layers import one_hot
from ..ops.losses import binary_cross_entropy_with_logits
from ..ops.sampling import rand
from . import constraints
from .combined import TransformedDistribution
from .counts import _Odds
from .distribution import EULER, ExponentialFamily, broadcast_all, clamp_probs
from .gamma_samples import standard_gamma
from .positive import _Of
from .real_line import Normal, Uniform
from .transforms import AffineTransform, PowerTransform, StickBreakingTransform

__all__ = ["Beta", "ContinuousBernoulli", "Dirichlet", "Kumaraswamy", "LogisticNormal"]


class Dirichlet(ExponentialFamily):
    """Points of a simplex; samples are gamma numbers over their sum, with their gradients."""

    arg_constraints: ClassVar[Any] = {
        "concentration": constraints.independent(constraints.positive, 1)
    }
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        shape = (*batch_shape, *self.event_shape)
        return self._expanded(_instance, batch_shape,
                              concentration=self.concentration.expand(shape))  # fmt: skip

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        parts = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        found = parts / parts.sum(-1, keepdim=True)
        return found.clamp(min=finfo(found.dtype).tiny)

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        c = self.concentration
        return (c - 1.0).xlogy(value).sum(-1) + c.sum(-1).lgamma() - c.lgamma().sum(-1)

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Any:
        """The likeliest point; a corner, where all concentrations are below one."""
        c = self.concentration
        above = (c - 1).clamp(min=0.0)
        found = above / above.sum(-1, True)
        corner = (c < 1).all(dim=-1, keepdim=True)
        chosen = one_hot(found.nan_to_num(0.0).argmax(dim=-1), c.shape[-1]).to(found.dtype)
        return where(corner, chosen, found)

    @property
    def variance(self) -> Any:
        """The variance."""
        c, total = self.concentration, self.concentration.sum(-1, True)
        return c * (total - c) / (total.pow(2) * (total + 1))

    def entropy(self) -> Any:
        """The entropy, in nats."""
        c, k = self.concentration, self.concentration.size(-1)
        total = c.sum(-1)
        return (
            c.lgamma().sum(-1) - total.lgamma() - (k - total) * total.digamma()
            - ((c - 1.0) * c.digamma()).sum(-1)
        )  # fmt: skip

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.concentration,)

    def _log_normalizer(self, x: Any) -> Any:
        return x.lgamma().sum(-1) - x.sum(-1).lgamma()


class Beta(ExponentialFamily):
    """Numbers from 0 to 1: the first of a Dirichlet's two."""

    arg_constraints: ClassVar[Any] = {"concentration1": constraints.positive,
                            "concentration0": constraints.positive}  # fmt: skip
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        both = stack(broadcast_all(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(both, validate_args=validate_args)
        super().__init__(self._dirichlet._batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape,
                              _dirichlet=self._dirichlet.expand(batch_shape))  # fmt: skip

    @property
    def concentration1(self) -> Any:
        """That of the number."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Any:
        """That of what is missing to one."""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Any:
        """The likeliest number."""
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Any:
        """The variance."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        return self._dirichlet.log_prob(stack([value, 1.0 - value], -1))

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return self._dirichlet.entropy()

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.concentration1, self.concentration0)

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return x.lgamma() + y.lgamma() - (x + y).lgamma()


class Kumaraswamy(TransformedDistribution):
    """Kumaraswamy's distribution, much like Beta's."""

    arg_constraints: ClassVar[Any] = {"concentration1": constraints.positive,
                            "concentration0": constraints.positive}  # fmt: skip
    support = constraints.unit_interval  # type: ignore[assignment]
    has_rsample = True  # type: ignore[assignment]

    def __init__(self, concentration1: Any, concentration0: Any,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        zero = full_like(self.concentration0, 0)
        base = Uniform(zero, zero + 1, validate_args=validate_args)
        steps = [PowerTransform(self.concentration0.reciprocal()), AffineTransform(1.0, -1.0),
                 PowerTransform(self.concentration1.reciprocal())]  # fmt: skip
        super().__init__(base, steps, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        made = self._get_checked_instance(Kumaraswamy, _instance)
        made.concentration1 = self.concentration1.expand(batch_shape)
        made.concentration0 = self.concentration0.expand(batch_shape)
        return super().expand(batch_shape, _instance=made)

    def _moment(self, n: int) -> Any:
        a, b = 1 + n / self.concentration1, self.concentration0
        return b * (a.lgamma() + b.lgamma() - (a + b).lgamma()).exp()

    @property
    def mean(self) -> Any:
        """The mean."""
        return self._moment(1)

    @property
    def mode(self) -> Any:
        """The likeliest number; NaN where a concentration is below one."""
        a, b = self.concentration1, self.concentration0
        log_mode = a.reciprocal() * ((a - 1).log() - (a * b - 1).log())
        return log_mode.exp().masked_fill((b < 1) | (a < 1), math.nan)

    @property
    def variance(self) -> Any:
        """The variance."""
        return self._moment(2) - self.mean.pow(2)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        a, b = self.concentration1, self.concentration0
        harmonic = (b + 1).digamma() + EULER
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * harmonic - a.log() - b.log()


class LogisticNormal(_Of):
    """Points of a simplex that stick breaking makes of normal numbers."""

    arg_constraints: ClassVar[Any] = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex  # type: ignore[assignment]

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    @property
    def loc(self) -> Any:
        """The means of the normal numbers."""
        return self.base_dist.base_dist.loc

    @property
    def scale(self) -> Any:
        """Their deviations."""
        return self.base_dist.base_dist.scale


class ContinuousBernoulli(_Odds, ExponentialFamily):
    """Numbers from 0 to 1 with the density that Bernoulli's formula gives between (Loaiza-Ganem and
    Cunningham). lims: between these probabilities, Taylor series are used."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.unit_interval
    _mean_carrier_measure = 0
    has_rsample = True

    def __init__(self, probs: Any = None, logits: Any = None,
                 lims: tuple[float, float] = (0.499, 0.501),
                 validate_args: bool | None = None) -> None:  # fmt: skip
        param = self._take(probs, logits)
        if probs is not None:
            if validate_args is not None and not self.arg_constraints["probs"].check(param).all():
                raise ValueError("The parameter probs has invalid values")
            self.__dict__["probs"] = self._param = param = clamp_probs(param)
        self._lims = lims
        super().__init__(param.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, _lims=self._lims,
                              **self._expanded_odds(batch_shape))  # fmt: skip

    def _far(self) -> Any:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self) -> Any:
        return where(self._far(), self.probs, self._lims[0] * ones_like(self.probs))

    def _cont_bern_log_norm(self) -> Any:
        cut = self._cut()
        low = where(cut <= 0.5, cut, zeros_like(cut))
        high = where(cut >= 0.5, cut, ones_like(cut))
        norm = ((-cut).log1p() - cut.log()).abs().log() - where(
            cut <= 0.5, (-2.0 * low).log1p(), (2.0 * high - 1.0).log()
        )
        x = (self.probs - 0.5).pow(2)
        return where(self._far(), norm, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self) -> Any:
        """The mean."""
        cut, x = self._cut(), self.probs - 0.5
        found = cut / (2.0 * cut - 1.0) + 1.0 / ((-cut).log1p() - cut.log())
        return where(self._far(), found, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x)

    @property
    def variance(self) -> Any:
        """The variance."""
        cut, x = self._cut(), (self.probs - 0.5).pow(2)
        found = cut * (cut - 1.0) / (1.0 - 2.0 * cut).pow(2) \
            + 1.0 / ((-cut).log1p() - cut.log()).pow(2)  # fmt: skip
        return where(self._far(), found, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.probs.dtype))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        logits, value = broadcast_all(self.logits, value)
        return (
            -binary_cross_entropy_with_logits(logits, value, reduction="none")
            + self._cont_bern_log_norm()
        )

    def cdf(self, value: Any) -> Any:
        """The probability of being at most `value`."""
        self._checked(value)
        cut = self._cut()
        found = (cut.pow(value) * (1.0 - cut).pow(1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        found = where(self._far(), found, value)
        found = where(value <= 0.0, zeros_like(value), found)
        return where(value >= 1.0, ones_like(value), found)

    def icdf(self, value: Any) -> Any:
        """The quantile of a probability."""
        cut = self._cut()
        found = (-cut + value * (2.0 * cut - 1.0)).log1p() - (-cut).log1p()
        return where(self._far(), found / (cut.log() - (-cut).log1p()), value)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        zero, one = (-self.probs).log1p(), self.probs.log()
        return self.mean * (zero - one) - self._cont_bern_log_norm() - zero

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Any) -> Any:
        far = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        cut = where(far, x, (self._lims[0] - 0.5) * ones_like(x))
        found = (cut.exp() - 1.0).abs().log() - cut.abs().log()
        return where(far, found, 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0)
