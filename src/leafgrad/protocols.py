"""NumPy's own protocols (NEP 13, NEP 18): NumPy functions accept tensors.

They are also how one rule serves arrays and tensors: a derivative written with `np.matmul` runs on
arrays in an ordinary backward pass, and through here on tensors when the pass is recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph.source import fail
from .tensor import Tensor, as_array, wrap

# NumPy function -> the leafgrad function that does it on tensors, NumPy's arguments.
# The operator families fill it.
FUNCTIONS: dict[Any, Any] = {}
# (ufunc, method) -> likewise, for `np.add.reduce` and the like.
METHODS: dict[tuple[Any, str], Any] = {}


def array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """A NumPy ufunc among whose operands is a tensor."""
    handler = FUNCTIONS.get(ufunc) if method == "__call__" else METHODS.get((ufunc, method))
    out = kwargs.pop("out", None)
    if out is not None:
        target = out[0]
        result = (handler or _plain(ufunc, method))(*inputs, **kwargs)
        values = result.detach().numpy() if isinstance(result, Tensor) else result
        if isinstance(target, Tensor):
            return target.copy_(values if isinstance(values, Tensor) else wrap(as_array(values)))  # type: ignore[attr-defined]
        np.copyto(target, values, casting="same_kind")
        return target
    if handler is None:
        return _plain(ufunc, method)(*inputs, **kwargs)
    if method == "__call__" and not isinstance(inputs[0], Tensor):
        first = inputs[0]
        if isinstance(first, np.ndarray) and first.ndim:
            first = wrap(first)
        elif isinstance(first, (np.generic, np.ndarray)) and first.dtype.kind != "V":
            first = first.item()  # NumPy's scalars count as Python's
        inputs = (first, *inputs[1:])
    return handler(*inputs, **kwargs)


def array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """A NumPy function among whose arguments is a tensor."""
    handler = FUNCTIONS.get(function)
    return (handler or _plain(function, "__call__"))(*args, **kwargs)


def _plain(function: Any, method: str) -> Any:
    """A NumPy function that leafgrad has no derivative for, on the tensors' values."""
    call = function if method == "__call__" else getattr(function, method)

    def run(*args: Any, **kwargs: Any) -> Any:
        def value(x: Any) -> Any:
            if isinstance(x, Tensor):
                if x.requires_grad:
                    fail(TypeError, f"np.{function.__name__} has no derivative here",
                         "to do: use leafgrad's function, or tensor.detach()")  # fmt: skip
                return x._array
            if isinstance(x, (list, tuple)):
                return type(x)(value(y) for y in x)
            return x

        result = call(*map(value, args), **{k: value(v) for k, v in kwargs.items()})
        if isinstance(result, tuple):
            return tuple(wrap(as_array(r)) if isinstance(r, (np.ndarray, np.generic)) else r
                         for r in result)  # fmt: skip
        return wrap(as_array(result)) if isinstance(result, (np.ndarray, np.generic)) else result

    return run


Tensor.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
Tensor.__array_function__ = array_function  # type: ignore[attr-defined]
Tensor.__array_priority__ = 1000  # type: ignore[attr-defined]
