"""Parameter: a tensor that a module learns. Buffer: one that it keeps without learning it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import get_default_dtype, is_differentiable
from ..graph.node import LEAF
from ..graph.source import fail
from ..tensor import TENSORS, Tensor

__all__ = ["Buffer", "Parameter"]

_new = object.__new__


class Parameter(Tensor):
    """A leaf tensor that a Module registers as its own when it is assigned to an attribute.

    It shares the memory of `data`. What is computed from it are plain tensors.
    """

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        made = _new(cls)
        if data is None:
            made._array = np.empty(0, get_default_dtype().numpy)
            made._versions = [0, 0, None, None]
        elif isinstance(data, Tensor):
            made._array, made._versions = data._array, data._versions
            if data._inference:
                made._inference = True
        else:
            fail(AttributeError, f"'{type(data).__name__}' object has no attribute 'detach'",
                 "to do: nn.Parameter(torch.tensor(...))")  # fmt: skip
        if requires_grad and not is_differentiable(made._array.dtype):
            fail(RuntimeError, "Only Tensors of floating point and complex dtype can require "
                               "gradients", f"this one has dtype {made.dtype}",
                 "to do: make it from floats ([1.0, 2.0]), pass dtype=torch.float32, or .float()")  # fmt: skip
        made._base = None
        made._edge = LEAF if requires_grad else None
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return "Parameter containing:\n" + super().__repr__(tensor_contents=tensor_contents)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:  # without the gradient, as in PyTorch
            made = type(self)(self.detach(), self.requires_grad)
            made._array = self._array.copy(order="K")
            made._versions = [0, 0, None, None]
            memo[id(self)] = made
        return memo[id(self)]


TENSORS.add(Parameter)


class _BufferMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """`Buffer(data)` is a plain tensor marked so that a Module registers it as a buffer.

    persistent: whether it is part of the module's state_dict
    """

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = Tensor(0)
        made = data.detach().requires_grad_(data.requires_grad)
        made.persistent = persistent
        made._is_buffer = True
        return made
