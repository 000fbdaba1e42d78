"""Being told of backward passes and of optimizers' steps, while a `with` block runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..tensor import Tensor


@contextmanager
def before_backward(tell: Callable[[Any], None]) -> Iterator[None]:
    """Call `tell(tensor)` before every `tensor.backward()`.

    The method is replaced for the time of the block, and put back also if an error ends it.
    """
    method: Any = Tensor.backward

    def backward(self: Any, *args: Any, **kwargs: Any) -> Any:
        tell(self)
        return method(self, *args, **kwargs)

    backward.__doc__ = method.__doc__
    Tensor.backward = backward
    try:
        yield
    finally:
        Tensor.backward = method


@contextmanager
def after_step(tell: Callable[[Any], None]) -> Iterator[None]:
    """Call `tell(optimizer)` after every `optimizer.step()`."""
    from ..optim.optimizer import register_optimizer_step_post_hook

    handle = register_optimizer_step_post_hook(lambda optimizer, args, kwargs: tell(optimizer))
    try:
        yield
    finally:
        handle.remove()
