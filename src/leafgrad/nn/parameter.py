"""Parameter: a tensor that a module learns. Buffer: one that it keeps without learning it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import dtype as DType
from ..dtypes import get_default_dtype, is_differentiable
from ..graph.node import LEAF
from ..graph.source import fail
from ..tensor import TENSORS, Tensor

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]

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


class _Uninitialized:
    """A tensor whose shape is not known yet. It can be moved, cast and materialized, no more."""

    cls_to_become: type[Tensor]
    __dict__: dict[str, Any]

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary tensor or parameter of this shape, its values not set."""
        kind = (dtype or self.dtype).numpy
        self.__dict__.pop("_wanted")
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self._array = np.empty(shape, kind)

    @property
    def _array(self) -> Any:
        return fail(
            ValueError,
            "Attempted to use an uninitialized parameter in an operation. This error happens when "
            "you are using a `LazyModule` or explicitly manipulating "
            f"`torch.nn.parameter.{type(self).__name__}` objects. When using LazyModules Call "
            "`forward` with a dummy batch to initialize the parameters before calling torch "
            "functions",
        )

    @property
    def shape(self) -> Any:
        """RuntimeError: there is none yet."""
        return fail(
            RuntimeError,
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes.",
        )

    @property
    def dtype(self) -> Any:
        """The dtype that it will have."""
        return self.__dict__["_wanted"]

    @property
    def data(self) -> Any:
        """The tensor itself."""
        return self

    @data.setter
    def data(self, value: Any) -> None:
        pass  # Module._apply assigns what `to` returned, which is the tensor itself

    def detach(self) -> Any:
        """The tensor itself."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Set the dtype that it will have."""
        for value in (*args, *kwargs.values()):
            if isinstance(value, DType):
                self.__dict__["_wanted"] = value
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, dtype=self.dtype)  # type: ignore
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.requires_grad,)  # type: ignore[attr-defined]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"<{type(self).__name__}>"

    @classmethod
    def _made(cls, requires_grad: bool, dtype: Any) -> Any:
        made: Any = _new(cls)
        made._base = None
        made._versions = [0, 0, None, None]
        made._edge = LEAF if requires_grad else None
        made.__dict__["_wanted"] = dtype or get_default_dtype()
        return made


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter of a lazy module, until the first input shows its shape."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return cls._made(requires_grad, dtype)


class UninitializedBuffer(_Uninitialized, Tensor):
    """A buffer of a lazy module, until the first input shows its shape."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None,
                persistent: bool = True) -> Any:  # fmt: skip
        made = cls._made(requires_grad, dtype)
        made.persistent = persistent
        made._is_buffer = True
        return made


def is_lazy(param: Any) -> bool:
    """Whether this is a parameter or buffer without a shape yet."""
    return isinstance(param, _Uninitialized)
