"""autocast for users: as a context, a decorator, and inside a `Function`."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from ..dtypes import bfloat16, dtype, float16
from .state import (
    Lowering,
    active,
    cast_nested,
    eligible,
    get_autocast_dtype,
    is_autocast_available,
    is_autocast_cache_enabled,
    is_autocast_enabled,
    known,
    put,
)

__all__ = ["autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


class autocast:
    """Compute products in 16 bits, for a `with` block or a decorated function.

    device_type: "cpu"; for "cuda" PyTorch's warning of a machine without one, and no effect
    dtype: bfloat16 (the default) or float16; enabled=False: off, inside another autocast
    cache_enabled: convert each weight once only
    """

    def __init__(self, device_type: str, dtype: dtype | None = None, enabled: bool = True,
                 cache_enabled: bool | None = None) -> None:  # fmt: skip
        if not isinstance(device_type, str):
            raise ValueError("Expected `device_type` of type `str`, got: "
                             f"`{type(device_type)}`")  # fmt: skip
        self.device = known(device_type)
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        if cache_enabled is None:
            cache_enabled = is_autocast_cache_enabled()
        if device_type == "cuda" and enabled:
            warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.",
                          stacklevel=2)  # fmt: skip
            enabled = False
        elif device_type == "cpu" and enabled and self.fast_dtype not in (bfloat16, float16):
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU "
                "Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                stacklevel=2,
            )
            enabled = False
        self._enabled, self._cache_enabled = enabled, cache_enabled
        self._before: list[Lowering | None] = []

    def __enter__(self) -> autocast:
        if self.device == "cpu":
            before = active()
            self._before.append(before)
            if not self._enabled:
                put(None)
            else:  # inside another one, the weights that it has converted
                shared = self._cache_enabled
                if shared and before is not None and before.cache is not None:
                    shared = before.cache
                put(Lowering(self.fast_dtype, shared))
        return self

    def __exit__(self, *exc: object) -> None:
        if self.device == "cpu":
            put(self._before.pop())

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapped


def _checked_device(device_type: Any) -> None:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: dtype | None = None) -> Any:
    """For the `forward` of a `Function`: with `cast_inputs`, float tensors get that dtype and
    autocast is off inside; `custom_bwd` will find autocast as it is now."""
    _checked_device(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        args[0]._dtype = get_autocast_dtype(device_type)
        on = is_autocast_enabled(device_type)
        args[0]._fwd_used_autocast = on
        if cast_inputs is None:
            return fwd(*args, **kwargs)
        args[0]._fwd_used_autocast = False
        if not on:
            return fwd(*args, **kwargs)
        args, kwargs = cast_nested((args, kwargs),
                             lambda t: t.to(cast_inputs) if eligible(t) else t)  # fmt: skip
        with autocast(device_type, enabled=False):
            return fwd(*args, **kwargs)

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """For the `backward` of a `Function` whose `forward` has `custom_fwd`: autocast is as it was
    there."""
    _checked_device(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(*args, **kwargs)

    return backward
