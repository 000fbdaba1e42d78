"""Constraints: where a parameter or a sample may lie. `constraint.check(value)` says of each event
whether it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.creation import tensor
from ..ops.decompositions import cholesky_ex
from ..ops.joining import cat as _join
from ..ops.joining import stack as _pile

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval",
    "interval", "is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial",
    "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite",
    "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square",
    "stack", "symmetric", "unit_interval",
]  # fmt: skip


class Constraint:
    """A region of values. is_discrete: of separate values; event_dim: the dimensions of one."""

    is_discrete: Any = False
    event_dim: Any = 0

    def check(self, value: Any) -> Any:
        """Of each event in `value`, whether it lies inside."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return type(self).__name__[1:] + "()"


class _Dependent(Constraint):
    """Of a value that other parameters bound."""

    def __init__(
        self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented
    ) -> None:
        self._is_discrete, self._event_dim = is_discrete, event_dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether it is of separate values, where that is known."""
        if self._is_discrete is NotImplemented:
            raise NotImplementedError(".is_discrete cannot be determined statically")
        return self._is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The dimensions of an event, where they are known."""
        if self._event_dim is NotImplemented:
            raise NotImplementedError(".event_dim cannot be determined statically")
        return self._event_dim

    def __call__(
        self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented
    ) -> Any:
        """The same with more that is known."""
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, x: Any) -> Any:
        """ValueError: of what it depends on is not known here."""
        raise ValueError("Cannot determine validity of dependent constraint")


class _DependentProperty(property, _Dependent):
    """A property that gives a constraint; of the class, a dependent one."""

    def __init__(self, fn: Any = None, *, is_discrete: Any = NotImplemented,
                 event_dim: Any = NotImplemented) -> None:  # fmt: skip
        super().__init__(fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn: Any) -> Any:  # type: ignore[override]
        """As a decorator with options."""
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)

    def __repr__(self) -> str:
        return "DependentProperty()"


class _IndependentConstraint(Constraint):
    """One whose last `reinterpreted_batch_ndims` dimensions are of one event."""

    def __init__(self, base_constraint: Any, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """As the constraint that it is made from."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The dimensions of an event."""
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value: Any) -> Any:
        """Whether all of an event lie inside."""
        result = self.base_constraint.check(value)
        count = self.reinterpreted_batch_ndims
        if result.dim() < count:
            expected = self.base_constraint.event_dim + count
            raise ValueError(f"Expected value.dim() >= {expected} but got {value.dim()}")
        return result.reshape((*result.shape[: result.dim() - count], -1)).all(-1)

    def __repr__(self) -> str:
        return (f"IndependentConstraint({self.base_constraint!r}, "
                f"{self.reinterpreted_batch_ndims})")  # fmt: skip


class MixtureSameFamilyConstraint(Constraint):
    """That of the components, for values of the mixture."""

    def __init__(self, base_constraint: Any) -> None:
        self.base_constraint = base_constraint

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """As that of the components."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """As that of the components."""
        return self.base_constraint.event_dim

    def check(self, value: Any) -> Any:
        """Whether a value lies inside for every component."""
        events = self.event_dim
        found = self.base_constraint.check(value.unsqueeze(-1 - events))
        kept = value.dim() - events + 1
        return found.reshape((*found.shape[:kept], -1)).all(-1).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


def _simple(name: str, inside: Callable[[Any], Any], doc: str, **more: Any) -> Constraint:
    """A constraint without options."""
    kind = type(f"_{name}", (Constraint,),
                {"check": lambda self, value: inside(value), "__doc__": doc, **more})  # fmt: skip
    return kind()  # type: ignore[no-any-return]


class _Bounded(Constraint):
    """One with bounds; subclasses name them."""

    bounds: tuple[str, ...] = ()

    def __init__(self, *bounds: Any) -> None:
        for name, value in zip(self.bounds, bounds, strict=True):
            setattr(self, name, value)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)}" for name in self.bounds)
        return f"{type(self).__name__[1:]}({given})"


class _IntegerInterval(_Bounded):
    """Integers, both bounds included."""

    is_discrete = True
    bounds = ("lower_bound", "upper_bound")

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return (value % 1 == 0) & (self.lower_bound <= value) & (value <= self.upper_bound)


class _IntegerLessThan(_Bounded):
    """Integers up to a bound."""

    is_discrete = True
    bounds = ("upper_bound",)

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return (value % 1 == 0) & (value <= self.upper_bound)


class _IntegerGreaterThan(_Bounded):
    """Integers from a bound on."""

    is_discrete = True
    bounds = ("lower_bound",)

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return (value % 1 == 0) & (value >= self.lower_bound)


class _GreaterThan(_Bounded):
    """Above a bound."""

    bounds = ("lower_bound",)

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return self.lower_bound < value


class _GreaterThanEq(_Bounded):
    """From a bound on."""

    bounds = ("lower_bound",)

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return self.lower_bound <= value


class _LessThan(_Bounded):
    """Below a bound."""

    bounds = ("upper_bound",)

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return value < self.upper_bound


class _Interval(_Bounded):
    """Between two bounds, which are included."""

    bounds = ("lower_bound", "upper_bound")

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(_Bounded):
    """Between two bounds, of which the upper one is excluded."""

    bounds = ("lower_bound", "upper_bound")

    def check(self, value: Any) -> Any:
        """Whether values are such."""
        return (self.lower_bound <= value) & (value < self.upper_bound)


class _Multinomial(Constraint):
    """Counts that sum up to at most a number."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, x: Any) -> Any:
        """Whether events are such."""
        return (x >= 0).all(dim=-1) & (x.sum(dim=-1) <= self.upper_bound)


def _one_hot(value: Any) -> Any:
    return ((value == 0) | (value == 1)).all(-1) & value.sum(-1).eq(1)


def _simplex(value: Any) -> Any:
    return (value >= 0).all(dim=-1) & ((value.sum(-1) - 1).abs() < 1e-6)


def _lower_triangular(value: Any) -> Any:
    equal = value.tril() == value
    return equal.reshape((*value.shape[:-2], -1)).all(-1)


def _lower_cholesky(value: Any) -> Any:
    return _lower_triangular(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


def _corr_cholesky(value: Any) -> Any:
    from ..dtypes import finfo

    tolerance = finfo(value.dtype).eps * value.size(-1) * 10
    norms = (value.detach() ** 2).sum(-1)
    return _lower_cholesky(value) & ((norms - 1.0).abs() < tolerance).all(-1)


def _square(value: Any) -> Any:
    found = tensor(value.shape[-2] == value.shape[-1])
    return found.expand(value.shape[:-2])


def _symmetric(value: Any) -> Any:
    square = _square(value)
    if not square.all():
        return square
    close = (value - value.mT).abs() <= 1e-6 + 1e-5 * value.mT.abs()
    return close.all(-2).all(-1)


def _positive_semidefinite(value: Any) -> Any:
    from ..ops.eigen import eigvalsh

    fine = _symmetric(value)
    if not fine.all():
        return fine
    return eigvalsh(value).ge(0).all(-1)


def _positive_definite(value: Any) -> Any:
    fine = _symmetric(value)
    if not fine.all():
        return fine
    return cholesky_ex(value).info.eq(0)


class _Several(Constraint):
    """Constraints of parts along a dimension."""

    def __init__(self, cseq: Any, dim: int) -> None:
        assert all(isinstance(c, Constraint) for c in cseq)
        self.cseq, self.dim = list(cseq), dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether any part is of separate values."""
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The most dimensions that a part has."""
        return max(c.event_dim for c in self.cseq)


class _Cat(_Several):
    """Constraints of parts of some length, one after the other along a dimension."""

    def __init__(self, cseq: Any, dim: int = 0, lengths: Any = None) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        assert len(self.lengths) == len(self.cseq)

    def check(self, value: Any) -> Any:
        """Of each part's events, whether they lie inside."""
        assert -value.dim() <= self.dim < value.dim()
        start, checks = 0, []
        for constraint, length in zip(self.cseq, self.lengths, strict=True):
            checks.append(constraint.check(value.narrow(self.dim, start, length)))
            start += length
        return _join(checks, self.dim)


class _Stack(_Several):
    """Constraints of the slices along a dimension."""

    def __init__(self, cseq: Any, dim: int = 0) -> None:
        super().__init__(cseq, dim)

    def check(self, value: Any) -> Any:
        """Of each slice's events, whether they lie inside."""
        assert -value.dim() <= self.dim < value.dim()
        parts = value.unbind(self.dim)
        return _pile([c.check(v) for v, c in zip(parts, self.cseq, strict=True)], self.dim)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _simple("Boolean", lambda v: (v == 0) | (v == 1), "Zero or one.", is_discrete=True)
one_hot = _simple("OneHot", _one_hot, "A one among zeros.", is_discrete=True, event_dim=1)
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _simple("Real", lambda v: v == v, "Any number that is not NaN.")
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _simple("Simplex", _simplex, "Numbers not below zero of sum one.", event_dim=1)
lower_triangular = _simple("LowerTriangular", _lower_triangular,
                           "Matrices that are zero above the diagonal.", event_dim=2)  # fmt: skip
lower_cholesky = _simple("LowerCholesky", _lower_cholesky,
                         "Such with a positive diagonal.", event_dim=2)  # fmt: skip
corr_cholesky = _simple("CorrCholesky", _corr_cholesky,
                        "Such with rows of length one.", event_dim=2)  # fmt: skip
square = _simple("Square", _square, "Square matrices.", event_dim=2)
symmetric = _simple("Symmetric", _symmetric, "Symmetric matrices.", event_dim=2)
positive_semidefinite = _simple("PositiveSemidefinite", _positive_semidefinite,
                                "Such without negative eigenvalues.", event_dim=2)  # fmt: skip
positive_definite = _simple("PositiveDefinite", _positive_definite,
                            "Such with positive eigenvalues.", event_dim=2)  # fmt: skip
cat = _Cat
stack = _Stack


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)
