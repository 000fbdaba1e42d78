"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...graph.source import fail
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after the other."""
    from ...ops.joining import cat

    return cat([p.view(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make each parameter a view of its part of a vector."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    params = list(parameters)
    start = 0
    for p in params:
        left = min(p.numel(), vec.numel() - start)
        if left < p.numel():
            fail(RuntimeError, f"shape '{list(p.shape)}' is invalid for input of size {left}",
                 f"the vector has {vec.numel()} elements, the parameters have "
                 f"{sum(q.numel() for q in params)}")  # fmt: skip
        start += p.numel()
    start = 0
    for p in params:
        p.data = vec[start : start + p.numel()].view_as(p).data
        start += p.numel()
