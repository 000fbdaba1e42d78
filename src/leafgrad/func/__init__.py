"""torch.func: derivatives and batches as functions of functions, which compose.

    grad(f)        the gradient of f            vmap(f)    f on a batch, all examples at once
    vjp, jvp       products with the Jacobian   jacrev, jacfwd, hessian    all of it
    linearize      f's derivative at a point    functional_call    a module of other parameters

`vmap(grad(loss), in_dims=(None, 0))` has the gradient of every example. See docs/func.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..graph.source import fail
from ..graph.vmap import unwrapped
from ..tensor import Tensor
from .forward import hessian, jacfwd, jvp, linearize
from .gradients import grad, grad_and_value, jacrev, vjp
from .mapping import vmap
from .modules import functional_call, stack_module_state

__all__ = [
    "debug_unwrap", "functional_call", "functionalize", "grad", "grad_and_value", "hessian",
    "jacfwd", "jacrev", "jvp", "linearize", "stack_module_state", "vjp", "vmap",
]  # fmt: skip


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The tensor of all examples behind one inside of `vmap`, to look at while debugging."""
    return unwrapped(tensor, recurse)


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """The function itself, as a function that computes the same.

    PyTorch rewrites in-place operations for its compilers here; leafgrad's needs no such form.
    """
    if remove not in ("mutations", "mutations_and_views"):
        fail(
            RuntimeError,
            "functionalize(f, remove='mutations'): received invalid argument for remove="
            f"{remove}. Valid options are:\n     remove='mutations': all inplace and out= "
            "operators will be removed from the program, and replaced with their out-of-place "
            "equivalents.\n     remove='mutations_and_views': In addition to the above, all "
            "aliasing operators {view} will be replaced with their non-aliasing counterparts, "
            "{view}_copy.\n",
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapped
