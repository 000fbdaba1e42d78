"""Choices from a finite number: Categorical, one-hot, Multinomial, and the relaxed one-hot."""

from __future__ import annotations

from typing import Any, ClassVar

from ..dtypes import finfo
from ..graph.modes import no_grad
from ..ops.creation import arange, eye, ones_like, tensor
from ..ops.layers import one_hot
from ..ops.sampling import multinomial, rand
from ..ops.shape import broadcast_tensors
from ..tensor import Size
from . import constraints
from .combined import TransformedDistribution
from .distribution import (
    Distribution,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    normalised,
    probs_to_logits,
)
from .transforms import ExpTransform

__all__ = ["Categorical", "ExpRelaxedCategorical", "Multinomial", "OneHotCategorical",
           "OneHotCategoricalStraightThrough", "RelaxedOneHotCategorical"]  # fmt: skip

_EITHER = "Either `probs` or `logits` must be specified, but not both."


class Categorical(Distribution):
    """One of n, by their probabilities (or weights), or by their logarithms."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        if (probs is None) == (logits is None):
            raise ValueError(_EITHER)
        given = "probs" if probs is not None else "logits"
        value = probs if probs is not None else logits
        if value.dim() < 1:
            raise ValueError(f"`{given}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._param = getattr(self, given)
        self._num_events = self._param.size()[-1]
        super().__init__(self._param.size()[:-1], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        shape = Size((*batch_shape, self._num_events))
        values = {n: self.__dict__[n].expand(shape) for n in ("probs", "logits")
                  if n in self.__dict__}  # fmt: skip
        param = values["probs" if "probs" in values else "logits"]
        return self._expanded(_instance, batch_shape, **values, _param=param,
                              _num_events=self._num_events)  # fmt: skip

    def _new(self, *args: Any, **kwargs: Any) -> Any:
        return self._param.new(*args, **kwargs)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """The integers from 0 to n - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Any:
        """Logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Any:
        """The probabilities."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._param.size()

    @property
    def mean(self) -> Any:
        """NaN: choices have no mean."""
        return self.probs.new_full(self._extended_shape(), float("nan"))

    @property
    def mode(self) -> Any:
        """The likeliest choice."""
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Any:
        """NaN: choices have no variance."""
        return self.probs.new_full(self._extended_shape(), float("nan"))

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        with no_grad():
            shape = Size(sample_shape)
            rows = self.probs.reshape((-1, self._num_events))
            found = multinomial(rows, shape.numel(), True).T
            return found.reshape(self._extended_shape(shape))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of a choice's probability."""
        self._checked(value)
        value, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, value[..., :1]).squeeze(-1)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        """All choices, along a new first dimension."""
        values = arange(self._num_events).view((-1, *(1,) * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values


class _OfCategorical(Distribution):
    """What is made of a Categorical's choices."""

    _categorical: Any

    @property
    def _param(self) -> Any:
        return self._categorical._param

    @property
    def probs(self) -> Any:
        """The probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """Their logarithms."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._categorical.param_shape


class OneHotCategorical(_OfCategorical):
    """A choice as a vector of zeros with a one."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        self._categorical = Categorical(probs, logits)
        shape = self._categorical.param_shape
        super().__init__(self._categorical.batch_shape, shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape,
                              _categorical=self._categorical.expand(batch_shape))  # fmt: skip

    @property
    def mean(self) -> Any:
        """The probabilities."""
        return self.probs

    @property
    def mode(self) -> Any:
        """The likeliest choice."""
        found = self.probs.argmax(dim=-1)
        return one_hot(found, self.probs.shape[-1]).to(self.probs.dtype)

    @property
    def variance(self) -> Any:
        """p · (1 - p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        with no_grad():
            chosen = self._categorical.sample(sample_shape)
            return one_hot(chosen, self._categorical._num_events).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Any:
        """The logarithm of a choice's probability."""
        self._checked(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        """All choices, along a new first dimension."""
        n = self.event_shape[0]
        values = eye(n, dtype=self._param.dtype)
        values = values.view((n, *(1,) * len(self.batch_shape), n))
        return values.expand((n, *self.batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose samples pass gradients on to the probabilities as they are."""

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples, with the gradients of the probabilities."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(_OfCategorical):
    """How often each of n is chosen in `total_count` choices."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        from .counts import Binomial

        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        self._binomial = Binomial(total_count=total_count, probs=self.probs)
        shape = self._categorical.param_shape
        super().__init__(self._categorical.batch_shape, shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, total_count=self.total_count,
                              _binomial=self._binomial,
                              _categorical=self._categorical.expand(batch_shape))  # fmt: skip

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Counts."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Any:
        """The expected counts."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        """The variance of each count."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples."""
        with no_grad():
            shape = Size(sample_shape)
            chosen = self._categorical.sample(Size((self.total_count, *shape)))
            chosen = chosen.movedim(0, -1)
            counts = self._param.new_zeros(self._extended_shape(shape))
            counts.scatter_add_(-1, chosen, ones_like(chosen).to(counts.dtype))
            return counts.to(self.probs.dtype)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        n = tensor(float(self.total_count), dtype=self.probs.dtype)
        chosen = self._categorical.entropy()
        support = self._binomial.enumerate_support(expand=False)[1:]
        weights = self._binomial.log_prob(support).exp()
        term = (weights * (support + 1).lgamma()).sum((0, -1))
        return n * chosen - (n + 1).lgamma() + term

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the probability of such counts."""
        self._checked(value)
        logits, value = broadcast_tensors(self.logits, value)
        orders = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        logits = logits.masked_fill((value == 0) & (logits == -float("inf")), 0)
        return orders + (logits * value).sum(-1)


class ExpRelaxedCategorical(_OfCategorical):
    """The logarithms of a RelaxedOneHotCategorical's samples."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        shape = self._categorical.param_shape
        super().__init__(self._categorical.batch_shape, shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        return self._expanded(_instance, batch_shape, temperature=self.temperature,
                              _categorical=self._categorical.expand(batch_shape))  # fmt: skip

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples: logits with Gumbel noise, over the temperature, normalised."""
        shape = self._extended_shape(sample_shape)
        uniforms = clamp_probs(rand(shape, dtype=self.logits.dtype))
        scores = (self.logits - (-(uniforms.log())).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density."""
        k = self._categorical._num_events
        self._checked(value)
        logits, value = broadcast_tensors(self.logits, value)
        scale = self.temperature.log() * (k - 1) + tensor(float(k), dtype=logits.dtype).lgamma()
        score = normalised(logits - value * self.temperature).sum(-1)
        return score + scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """Points of a simplex near its corners, the nearer the lower the temperature, differentiable
    by the probabilities (Maddison and others; Jang and others)."""

    arg_constraints: ClassVar[Any] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.simplex  # type: ignore[assignment]
    has_rsample = True  # type: ignore[assignment]

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:  # fmt: skip
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        made = self._get_checked_instance(RelaxedOneHotCategorical, _instance)
        return super().expand(batch_shape, _instance=made)

    @property
    def temperature(self) -> Any:
        """The temperature."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Any:
        """Logarithms of the probabilities."""
        return self.base_dist.logits

    @property
    def probs(self) -> Any:
        """The probabilities."""
        return self.base_dist.probs
