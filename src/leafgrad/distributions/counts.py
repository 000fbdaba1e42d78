"""Counts: Bernoulli, Binomial, Geometric, negative binomial, Poisson, and the relaxed Bernoulli."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..dtypes import finfo
from ..generator import default_generator
from ..graph.modes import no_grad
from ..ops.creation import arange
from ..ops.losses import binary_cross_entropy_with_logits
from ..ops.sampling import bernoulli, per_example, poisson, rand
from ..ops.shape import broadcast_tensors
from ..tensor import Size, wrap
from . import constraints
from .choices import _EITHER
from .combined import TransformedDistribution
from .distribution import (
    Distribution,
    ExponentialFamily,
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)
from .transforms import SigmoidTransform

__all__ = ["Bernoulli", "Binomial", "Geometric", "LogitRelaxedBernoulli", "NegativeBinomial",
           "Poisson", "RelaxedBernoulli"]  # fmt: skip


class _Odds:
    """A probability, given as `probs` or as the log-odds `logits`."""

    probs: Any
    logits: Any

    @lazy_property
    def logits(self) -> Any:  # type: ignore[no-redef]
        """The log-odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:  # type: ignore[no-redef]
        """The probability."""
        return logits_to_probs(self.logits, is_binary=True)

    def _take(self, probs: Any, logits: Any) -> Any:
        """Keep the one that is given, as a tensor."""
        if (probs is None) == (logits is None):
            raise ValueError(_EITHER)
        name, value = ("probs", probs) if probs is not None else ("logits", logits)
        (tensor,) = broadcast_all(value)
        self.__dict__[name] = self._param = tensor
        return tensor

    def _take_with(self, count: Any, probs: Any, logits: Any) -> Any:
        """The same together with a count, which broadcasts."""
        if (probs is None) == (logits is None):
            raise ValueError(_EITHER)
        name, value = ("probs", probs) if probs is not None else ("logits", logits)
        count, tensor = broadcast_all(count, value)
        self.__dict__[name] = self._param = tensor
        self.total_count = count.type_as(tensor)
        return tensor

    def _expanded_odds(self, shape: Any) -> dict[str, Any]:
        values = {n: self.__dict__[n].expand(shape) for n in ("probs", "logits")
                  if n in self.__dict__}  # fmt: skip
        values["_param"] = values["probs" if "probs" in values else "logits"]
        return values

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._param.size()


class Bernoulli(_Odds, ExponentialFamily):
    """One with a probability, else zero."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(self, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        super().__init__(self._take(probs, logits).size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, **self._expanded_odds(batch_shape))

    @property
    def mean(self) -> Any:
        """The probability."""
        return self.probs

    @property
    def mode(self) -> Any:
        """The likelier one; NaN where neither is."""
        found = (self.probs >= 0.5).to(self.probs.dtype)
        return found.masked_fill(self.probs == 0.5, float("nan"))

    @property
    def variance(self) -> Any:
        """p · (1 - p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of a value's probability."""
        self._checked(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        """Zero and one, along a new first dimension."""
        values = arange(2, dtype=self._param.dtype)
        values = values.view((-1, *(1,) * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.probs.logit(),)

    def _log_normalizer(self, x: Any) -> Any:
        return x.exp().log1p()


def _positive_part(x: Any) -> Any:
    """x where it is above zero, by halves, so that the gradient at zero is a half."""
    return (x.clamp(min=0) + x - x.clamp(max=0)) / 2


class Binomial(_Odds, Distribution):
    """How many of `total_count` trials succeed. The numbers for a seed are not PyTorch's."""

    arg_constraints: ClassVar[Any] = {"total_count": constraints.nonnegative_integer,
                            "probs": constraints.unit_interval, "logits": constraints.real}  # fmt: skip
    has_enumerate_support = True

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        param = self._take_with(total_count, probs, logits)
        super().__init__(param.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, **self._expanded_odds(batch_shape),
                              total_count=self.total_count.expand(batch_shape))  # fmt: skip

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """Counts up to `total_count`."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        """The likeliest count."""
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Any:
        """The variance."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            counts = self.total_count.expand(shape)._array
            random = np.random.Generator(np.random.PCG64(int(default_generator.words64(1)[0])))

            def draw(p: Any) -> Any:
                return random.binomial(counts.astype(np.int64), p).astype(p.dtype)

            return wrap(per_example(draw, self.probs.expand(shape)._array))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of a count's probability."""
        self._checked(value)
        n = self.total_count
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        logits = self.logits
        return ways + value * logits - n * _positive_part(logits) - n * (
            (-logits.abs()).exp().log1p()
        )  # fmt: skip

    def entropy(self) -> Any:
        """The entropy, in nats, where all counts are the same."""
        n = int(self.total_count.max())
        if not self.total_count.min() == n:
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        found = self.log_prob(self.enumerate_support(False))
        return -(found.exp() * found).sum(0)

    def enumerate_support(self, expand: bool = True) -> Any:
        """All counts, along a new first dimension."""
        n = int(self.total_count.max())
        if not self.total_count.min() == n:
            raise NotImplementedError(
                "Inhomogeneous total count not supported by `enumerate_support`."
            )
        values = arange(1 + n, dtype=self._param.dtype)
        values = values.view((-1, *(1,) * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values


class Geometric(_Odds, Distribution):
    """How many trials fail before one succeeds."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        param = self._take(probs, logits)
        super().__init__(param.size(), validate_args=validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            value = self.probs
            raise ValueError(
                f"Expected parameter probs (Tensor of shape {tuple(value.shape)}) of distribution "
                f"{self!r} to be positive but found invalid values:\n{value[~(value > 0)]}"
            )

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, **self._expanded_odds(batch_shape))

    @property
    def mean(self) -> Any:
        """The mean."""
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        """Zero."""
        return self.probs * 0

    @property
    def variance(self) -> Any:
        """The variance."""
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            u = self.probs.new_empty(shape).uniform_(finfo(self.probs.dtype).tiny, 1)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Any) -> Any:
        """The logarithm of a count's probability."""
        self._checked(value)
        value, probs = broadcast_all(value, self.probs)
        probs = probs.masked_fill((probs == 1) & (value == 0), 0)
        return value * (-probs).log1p() + self.probs.log()

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return (
            binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
        )


class NegativeBinomial(_Odds, Distribution):
    """How many trials succeed before `total_count` have failed. Samples are those of a Poisson
    distribution, whose numbers for a seed are not PyTorch's."""

    arg_constraints: ClassVar[Any] = {"total_count": constraints.greater_than_eq(0),
                            "probs": constraints.half_open_interval(0.0, 1.0),
                            "logits": constraints.real}  # fmt: skip
    support = constraints.nonnegative_integer

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        param = self._take_with(total_count, probs, logits)
        super().__init__(param.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, **self._expanded_odds(batch_shape),
                              total_count=self.total_count.expand(batch_shape))  # fmt: skip

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Any:
        """The likeliest count."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Any:
        """The variance."""
        return self.mean * (1 + self.logits.exp())

    @lazy_property
    def _gamma(self) -> Any:
        from .positive import Gamma

        return Gamma(self.total_count, (-self.logits).exp(), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        with no_grad():
            return poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of a count's probability."""
        self._checked(value)
        n, logits = self.total_count, self.logits
        found = n * _log_sigmoid(-logits) + value * _log_sigmoid(logits)
        ways = -(n + value).lgamma() + (1.0 + value).lgamma() + n.lgamma()
        ways = ways.masked_fill(n + value == 0.0, 0.0)
        return found - ways


def _log_sigmoid(x: Any) -> Any:
    from ..ops.activations import logsigmoid

    return logsigmoid(x)


class Poisson(ExponentialFamily):
    """Counts of what happens at a rate. The numbers for a seed are not PyTorch's."""

    arg_constraints: ClassVar[Any] = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, rate=self.rate.expand(batch_shape))

    @property
    def mean(self) -> Any:
        """The rate."""
        return self.rate

    @property
    def mode(self) -> Any:
        """The likeliest count."""
        return self.rate.floor()

    @property
    def variance(self) -> Any:
        """The rate."""
        return self.rate

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        with no_grad():
            return poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of a count's probability."""
        self._checked(value)
        rate, value = broadcast_all(self.rate, value)
        return value.xlogy(rate) - rate - (value + 1).lgamma()

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.rate.log(),)

    def _log_normalizer(self, x: Any) -> Any:
        return x.exp()


class LogitRelaxedBernoulli(_Odds, Distribution):
    """The log-odds of a RelaxedBernoulli's samples."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.real
    has_rsample = True

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        self.temperature = temperature
        super().__init__(self._take(probs, logits).size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, temperature=self.temperature,
                              **self._expanded_odds(batch_shape))  # fmt: skip

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples: log-odds with logistic noise, over the temperature."""
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        uniforms = clamp_probs(rand(Size(shape), dtype=probs.dtype))
        noise = uniforms.log() - (-uniforms).log1p()
        return (noise + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        self._checked(value)
        logits, value = broadcast_tensors(self.logits, value)
        diff = logits - value * self.temperature
        return self.temperature.log() + diff - 2 * diff.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """Numbers near 0 or 1, the nearer the lower the temperature, differentiable by the probability
    (Maddison and others; Jang and others)."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.unit_interval  # type: ignore[assignment]
    has_rsample = True  # type: ignore[assignment]

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        made = self._get_checked_instance(RelaxedBernoulli, _instance)
        return super().expand(batch_shape, _instance=made)

    @property
    def temperature(self) -> Any:
        """The temperature."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Any:
        """The log-odds."""
        return self.base_dist.logits

    @property
    def probs(self) -> Any:
        """The probability."""
        return self.base_dist.probs
