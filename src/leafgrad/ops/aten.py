"""`torch.ops.aten`: PyTorch's operators by their inner names.

As there, a name has overloads, `aten.add.Tensor`; here they are all one function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor, normal_dim
from . import FAMILIES, resampling
from .activations import kernel, safe_softmax
from .adaptive import _regathered, scattered


class Packet:
    """An operator; its overloads are attributes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs:
            fail(RuntimeError, "Overloaded torch operator invoked from Python failed to match any "
                               "schema:")  # fmt: skip
        return self._function(*args, **kwargs)

    def __getattr__(self, overload: str) -> Any:
        if overload.startswith("_"):
            raise AttributeError(overload)
        return self


@op(name="max_pool2d_with_indices_backward", node="MaxPool2DWithIndicesBackwardBackward0")
@kernel
def _to_indices(grad_output, input, indices, /):
    """The elements at the places that their indices name: f[..., *count], f[..., *size],
    i[..., *count] -> f[..., *size]."""
    return scattered(grad_output, indices, input.shape[-2:])


_to_indices.vjp(
    grad_output=lambda g, indices: _regathered(g, indices, 2),
    input=lambda g, input: np.zeros_like(input),
)


def _max_pool_backward(grad_output: Tensor, self: Tensor, kernel_size: Any, stride: Any,
                       padding: Any, dilation: Any, ceil_mode: bool,
                       indices: Tensor) -> Tensor:  # fmt: skip
    return _to_indices(grad_output, self, indices)  # type: ignore[no-any-return]


def _softmax_or_zero(self: Tensor, dim: int, dtype: Any = None) -> Tensor:
    given: Any = self if dtype is None else self.to(dtype)  # type: ignore[attr-defined]
    return safe_softmax(given, normal_dim(dim, given.ndim))  # type: ignore[no-any-return]


# Those that `torch` itself has not, or has with other arguments.
_OWN: dict[str, Callable[..., Any]] = {
    "_safe_softmax": _softmax_or_zero,
    "_upsample_bilinear2d_aa": resampling._upsample_bilinear2d_aa,
    "max_pool2d_with_indices_backward": _max_pool_backward,
}  # fmt: skip


def __getattr__(name: str) -> Packet:
    if name in _OWN:
        return Packet(_OWN[name])
    for family in FAMILIES:
        if name in family.__all__:
            return Packet(getattr(family, name))
    raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'")
