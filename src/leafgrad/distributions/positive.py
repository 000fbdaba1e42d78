"""Distributions over positive numbers: exponential, gamma and its relatives, Weibull, Pareto, and
what is left of others by a logarithm or an absolute value."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..dtypes import finfo
from ..ops.comparison import where
from ..ops.creation import full_like, ones_like, zeros_like
from ..ops.sampling import rand
from . import constraints
from .combined import TransformedDistribution
from .distribution import EULER, Distribution, ExponentialFamily, broadcast_all
from .gamma_samples import standard_gamma
from .real_line import Cauchy, Normal
from .transforms import AbsTransform, AffineTransform, ExpTransform, PowerTransform

__all__ = ["Chi2", "Exponential", "FisherSnedecor", "Gamma", "GeneralizedPareto", "HalfCauchy",
           "HalfNormal", "InverseGamma", "LogNormal", "Pareto", "Weibull"]  # fmt: skip


class Exponential(ExponentialFamily):
    """The exponential distribution of a rate."""

    arg_constraints: ClassVar[Any] = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, rate=self.rate.expand(batch_shape))

    @property
    def mean(self) -> Any:
        """1 / rate."""
        return self.rate.reciprocal()

    @property
    def mode(self) -> Any:
        """Zero."""
        return zeros_like(self.rate)

    @property
    def stddev(self) -> Any:
        """1 / rate."""
        return self.rate.reciprocal()

    @property
    def variance(self) -> Any:
        """1 / rate²."""
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        shape = self._extended_shape(sample_shape)
        return self.rate.new_empty(shape).detach().exponential_() / self.rate

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Any) -> Any:
        """The probability of being at most `value`."""
        self._checked(value)
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Any) -> Any:
        """The quantile of a probability."""
        return -(-value).log1p() / self.rate

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return 1.0 - self.rate.log()

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (-self.rate,)

    def _log_normalizer(self, x: Any) -> Any:
        return -(-x).log()


class Gamma(ExponentialFamily):
    """The gamma distribution of a concentration and a rate."""

    arg_constraints: ClassVar[Any] = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, rate=self.rate.expand(batch_shape),
                              concentration=self.concentration.expand(batch_shape))  # fmt: skip

    @property
    def mean(self) -> Any:
        """concentration / rate."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        """concentration / rate²."""
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        shape = self._extended_shape(sample_shape)
        value = standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        value.detach().clamp_(min=finfo(value.dtype).tiny)  # do not record
        return value

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        c = self.concentration
        return c.xlogy(self.rate) + (c - 1).xlogy(value) - self.rate * value - c.lgamma()

    def cdf(self, value: Any) -> Any:
        """The probability of being at most `value`."""
        self._checked(value)
        return self.concentration.igamma(self.rate * value)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        c = self.concentration
        return c - self.rate.log() + c.lgamma() + (1.0 - c) * c.digamma()

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.concentration - 1, -self.rate)

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return (x + 1).lgamma() + (x + 1) * (-y.reciprocal()).log()


class Chi2(Gamma):
    """The sum of the squares of `df` normal numbers."""

    arg_constraints: ClassVar[Any] = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Any:
        """The degrees of freedom."""
        return self.concentration * 2


class FisherSnedecor(Distribution):
    """Fisher's and Snedecor's F distribution, of the ratio of two mean squares."""

    arg_constraints: ClassVar[Any] = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(self.df1 * 0.5, self.df1)
        self._gamma2 = Gamma(self.df2 * 0.5, self.df2)
        super().__init__(self.df1.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        names = ("df1", "df2", "_gamma1", "_gamma2")
        values = {name: getattr(self, name).expand(batch_shape) for name in names}
        return self._expanded(_instance, batch_shape, **values)

    @property
    def mean(self) -> Any:
        """The mean; NaN up to two lower degrees of freedom."""
        df2 = self.df2.masked_fill(self.df2 <= 2, math.nan)
        return df2 / (df2 - 2)

    @property
    def mode(self) -> Any:
        """The likeliest value; NaN up to two upper degrees of freedom."""
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return found.masked_fill(self.df1 <= 2, math.nan)

    @property
    def variance(self) -> Any:
        """The variance; NaN up to four lower degrees of freedom."""
        df2 = self.df2.masked_fill(self.df2 <= 4, math.nan)
        return (
            2 * df2.pow(2) * (self.df1 + df2 - 2)
            / (self.df1 * (df2 - 2).pow(2) * (df2 - 4))
        )  # fmt: skip

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        shape = self._extended_shape(sample_shape)
        x1 = self._gamma1.rsample(sample_shape).view(shape)
        x2 = self._gamma2.rsample(sample_shape).view(shape)
        tiny = finfo(x2.dtype).tiny
        y = x1 / x2.clamp(min=tiny)
        return y.clamp(min=tiny)

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        a, b = self.df1 * 0.5, self.df2 * 0.5
        ratio = self.df1 / self.df2
        return (
            (a + b).lgamma() - a.lgamma() - b.lgamma()
            + a * ratio.log() + (a - 1) * value.log() - (a + b) * (ratio * value).log1p()
        )  # fmt: skip


class _Of(TransformedDistribution):
    """Transformed from a base whose parameters stand there."""

    has_rsample = True  # type: ignore[assignment]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        made = self._get_checked_instance(type(self), _instance)
        return super().expand(batch_shape, _instance=made)


class InverseGamma(_Of):
    """Of the reciprocals of gamma samples."""

    arg_constraints: ClassVar[Any] = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(-base.rate.new_ones(())), validate_args=validate_args)

    @property
    def concentration(self) -> Any:
        """The concentration."""
        return self.base_dist.concentration

    @property
    def rate(self) -> Any:
        """The rate."""
        return self.base_dist.rate

    @property
    def mean(self) -> Any:
        """The mean; infinite up to a concentration of one."""
        c = self.concentration
        return where(c > 1, self.rate / (c - 1), full_like(c, math.inf))

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Any:
        """The variance; infinite up to a concentration of two."""
        c = self.concentration
        found = self.rate.square() / ((c - 1).square() * (c - 2))
        return where(c > 2, found, full_like(c, math.inf))

    def entropy(self) -> Any:
        """The entropy, in nats."""
        c = self.concentration
        return c + self.rate.log() + c.lgamma() - (1 + c) * c.digamma()


class LogNormal(_Of):
    """Of numbers whose logarithms are normal."""

    arg_constraints: ClassVar[Any] = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale, validate_args=validate_args), ExpTransform(),
                         validate_args=validate_args)  # fmt: skip

    @property
    def loc(self) -> Any:
        """The mean of the logarithm."""
        return self.base_dist.loc

    @property
    def scale(self) -> Any:
        """The deviation of the logarithm."""
        return self.base_dist.scale

    @property
    def mean(self) -> Any:
        """The mean."""
        return (self.loc + self.scale.pow(2) / 2).exp()

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        return (self.loc - self.scale.square()).exp()

    @property
    def variance(self) -> Any:
        """The variance."""
        square = self.scale.pow(2)
        return square.expm1() * (2 * self.loc + square).exp()

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return self.base_dist.entropy() + self.loc


class _Half(_Of):
    """Of absolute values of a distribution symmetric about zero."""

    arg_constraints: ClassVar[Any] = {"scale": constraints.positive}
    support = constraints.nonnegative  # type: ignore[assignment]

    @property
    def scale(self) -> Any:
        """The scale."""
        return self.base_dist.scale

    @property
    def mode(self) -> Any:
        """Zero."""
        return zeros_like(self.scale)

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        found = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, found, -math.inf)

    def cdf(self, value: Any) -> Any:
        """The probability of being at most `value`."""
        self._checked(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Any) -> Any:
        """The quantile of a probability."""
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return self.base_dist.entropy() - math.log(2)


class HalfNormal(_Half):
    """Of absolute values of normal numbers of mean zero."""

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(0, scale, validate_args=False), AbsTransform(),
                         validate_args=validate_args)  # fmt: skip

    @property
    def mean(self) -> Any:
        """scale · sqrt(2 / π)."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Any:
        """scale² · (1 - 2 / π)."""
        return self.scale.pow(2) * (1 - 2 / math.pi)


class HalfCauchy(_Half):
    """Of absolute values of Cauchy's numbers about zero."""

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Cauchy(0, scale, validate_args=False), AbsTransform(),
                         validate_args=validate_args)  # fmt: skip

    @property
    def mean(self) -> Any:
        """Infinite."""
        return full_like(self.scale, math.inf).expand(self._extended_shape())

    @property
    def variance(self) -> Any:
        """Infinite."""
        return self.base_dist.variance


class Weibull(TransformedDistribution):
    """Weibull's distribution: exponential numbers to the power of 1 / concentration, scaled."""

    arg_constraints: ClassVar[Any] = {
        "scale": constraints.positive,
        "concentration": constraints.positive,
    }
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        self.concentration_reciprocal = self.concentration.reciprocal()
        base = Exponential(ones_like(self.scale), validate_args=validate_args)
        super().__init__(base, self._steps(), validate_args=validate_args)

    def _steps(self) -> list[Any]:
        return [PowerTransform(self.concentration_reciprocal), AffineTransform(0, self.scale)]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        made = self._get_checked_instance(Weibull, _instance)
        made.scale = self.scale.expand(batch_shape)
        made.concentration = self.concentration.expand(batch_shape)
        made.concentration_reciprocal = made.concentration.reciprocal()
        TransformedDistribution.__init__(made, self.base_dist.expand(batch_shape), made._steps(),
                                         validate_args=False)  # fmt: skip
        made._validate_args = self._validate_args
        return made

    def _moment(self, n: int) -> Any:
        return (1 + n * self.concentration_reciprocal).lgamma()

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.scale * self._moment(1).exp()

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        return self.scale * ((self.concentration - 1) / self.concentration) ** (
            self.concentration.reciprocal()
        )

    @property
    def variance(self) -> Any:
        """The variance."""
        return self.scale.pow(2) * (self._moment(2).exp() - (2 * self._moment(1)).exp())

    def entropy(self) -> Any:
        """The entropy, in nats."""
        share = self.concentration_reciprocal
        return EULER * (1 - share) + (self.scale * share).log() + 1


class Pareto(TransformedDistribution):
    """Pareto's distribution: of numbers above `scale` whose logarithms are exponential."""

    arg_constraints: ClassVar[Any] = {"alpha": constraints.positive, "scale": constraints.positive}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        super().__init__(base, [ExpTransform(), AffineTransform(0, self.scale)],
                         validate_args=validate_args)  # fmt: skip

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        made = self._get_checked_instance(Pareto, _instance)
        made.scale, made.alpha = self.scale.expand(batch_shape), self.alpha.expand(batch_shape)
        return super().expand(batch_shape, _instance=made)

    @property
    def mean(self) -> Any:
        """The mean; infinite up to an alpha of one."""
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Any:
        """The scale."""
        return self.scale

    @property
    def variance(self) -> Any:
        """The variance; infinite up to an alpha of two."""
        a = self.alpha.clamp(min=2)
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """From the scale on."""
        return constraints.greater_than_eq(self.scale)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class GeneralizedPareto(Distribution):
    """The generalised Pareto distribution, of what exceeds a threshold; exponential where the
    concentration is zero."""

    arg_constraints: ClassVar[Any] = {"loc": constraints.real, "scale": constraints.positive,
                            "concentration": constraints.real}  # fmt: skip
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        names = ("loc", "scale", "concentration")
        return self._expanded(_instance, batch_shape,
                              **{n: getattr(self, n).expand(batch_shape) for n in names})  # fmt: skip

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """From the location on; bounded above where the concentration is negative."""
        bound = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, where(self.concentration < 0, bound, math.inf))

    def _flat(self) -> tuple[Any, Any]:
        """Where the concentration counts as zero, and one that is not there."""
        near = self.concentration.abs() <= finfo(self.concentration.dtype).eps
        return near, where(near, ones_like(self.concentration), self.concentration)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples that depend on the parameters differentiably."""
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        z = (value - self.loc) / self.scale
        near, c = self._flat()
        bent = -(1 / c + 1) * (c * z).log1p()
        return where(near, -z, bent) - self.scale.log()

    def log_survival_function(self, value: Any) -> Any:
        """The logarithm of the probability of being above `value`."""
        self._checked(value)
        z = (value - self.loc) / self.scale
        near, c = self._flat()
        return where(near, -z, -(c * z).log1p() / c)

    def log_cdf(self, value: Any) -> Any:
        """The logarithm of the probability of being at most `value`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Any) -> Any:
        """The probability of being at most `value`."""
        return self.log_cdf(value).exp()

    def icdf(self, value: Any) -> Any:
        """The quantile of a probability."""
        near, c = self._flat()
        low = (-value).log1p()
        return self.loc + self.scale * where(near, -low, (-c * low).expm1() / c)

    @property
    def mean(self) -> Any:
        """The mean; infinite from a concentration of one on."""
        c = self.concentration
        fine = c < 1
        return where(fine, self.loc + self.scale / (1 - where(fine, c, 0.5)), math.inf)

    @property
    def variance(self) -> Any:
        """The variance; infinite from a concentration of a half on."""
        fine = self.concentration < 0.5
        c = where(fine, self.concentration, 0.25)
        return where(fine, self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c)), math.inf)

    @property
    def mode(self) -> Any:
        """The location."""
        return self.loc

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return self.scale.log() + self.concentration + 1
