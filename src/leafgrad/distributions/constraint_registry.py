"""Which transform leads into which constraint: `biject_to`, one to one, and `transform_to`, which
need not be (and is better for optimizers where it is not)."""

from __future__ import annotations

import numbers
from typing import Any

from . import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """From types of constraints to functions of a constraint, which make a transform."""

    def __init__(self) -> None:
        self._registry: dict[Any, Any] = {}

    def register(self, constraint: Any, factory: Any = None) -> Any:
        """Note a function for a type of constraint; also as a decorator."""
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        if isinstance(constraint, constraints.Constraint):
            constraint = type(constraint)
        if not isinstance(constraint, type) or not issubclass(constraint, constraints.Constraint):
            raise TypeError("Expected constraint to be either a Constraint subclass or instance, "
                            f"but got {constraint}")  # fmt: skip
        self._registry[constraint] = factory
        return factory

    def __call__(self, constraint: Any) -> Any:
        """A transform from all real numbers into a constraint."""
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints")
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _both(constraint: Any) -> Any:
    def register(factory: Any) -> Any:
        biject_to.register(constraint, factory)
        return transform_to.register(constraint, factory)

    return register


_both(constraints.real)(lambda constraint: transforms.identity_transform)


@biject_to.register(constraints.independent)
def _(constraint: Any) -> Any:
    return transforms.IndependentTransform(biject_to(constraint.base_constraint),
                                           constraint.reinterpreted_batch_ndims)  # fmt: skip


@transform_to.register(constraints.independent)
def _(constraint: Any) -> Any:
    return transforms.IndependentTransform(transform_to(constraint.base_constraint),
                                           constraint.reinterpreted_batch_ndims)  # fmt: skip


def _above(constraint: Any) -> Any:
    return transforms.ComposeTransform([
        transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)
    ])  # fmt: skip


_both(constraints.positive)(_above)
_both(constraints.greater_than)(_above)
_both(constraints.greater_than_eq)(_above)


@_both(constraints.less_than)
def _(constraint: Any) -> Any:
    return transforms.ComposeTransform([
        transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)
    ])  # fmt: skip


def _between(constraint: Any) -> Any:
    low, high = constraint.lower_bound, constraint.upper_bound
    plain = isinstance(low, numbers.Number) and low == 0 and isinstance(high, numbers.Number)
    if plain and high == 1:
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([
        transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)
    ])  # fmt: skip


_both(constraints.interval)(_between)
_both(constraints.half_open_interval)(_between)
biject_to.register(constraints.simplex, lambda constraint: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda constraint: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky,
                      lambda constraint: transforms.LowerCholeskyTransform())  # fmt: skip
for _region in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(_region, lambda constraint: transforms.PositiveDefiniteTransform())
_both(constraints.corr_cholesky)(lambda constraint: transforms.CorrCholeskyTransform())


def _parts(to: ConstraintRegistry) -> None:
    to.register(constraints.cat, lambda constraint: transforms.CatTransform(
        [to(c) for c in constraint.cseq], constraint.dim, constraint.lengths))  # fmt: skip
    to.register(constraints.stack, lambda constraint: transforms.StackTransform(
        [to(c) for c in constraint.cseq], constraint.dim))  # fmt: skip


_parts(biject_to)
_parts(transform_to)
