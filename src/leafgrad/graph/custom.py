"""Functions of the user's own under function transforms: what `Function.apply` does there.

The innermost transform has the call first, as with operators. Under `vmap` a Function runs on
batches as it is (`generate_vmap_rule`), or by its `vmap` staticmethod on what lies below; under
forward mode its `jvp` staticmethod gives the tangents of its results.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dtypes import is_differentiable
from ..tensor import Tensor, wrap
from .batched import is_batched
from .forward import Dual, tangent_of
from .modes import Transform, current, functional, switch
from .source import fail
from .vmap import Vmap, leave_any, lifted

__all__ = ["VmapInfo", "call"]

_SEE = "For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"


class VmapInfo(NamedTuple):
    """What a Function's `vmap` staticmethod is told."""

    batch_size: int
    randomness: str


def call(
    cls: Any, args: tuple[Any, ...], separate: bool, inside: tuple[Transform, ...] = ()
) -> Any:
    """A call of a Function under the transforms of the mode. separate: it has a setup_context;
    inside: transforms that its own code sees besides, as the innermost"""
    if functional.get() and not separate:
        fail(RuntimeError, "In order to use an autograd.Function with functorch transforms (vmap, "
             "grad, jvp, jacrev, ...), it must override the setup_context staticmethod. "
             + _SEE)  # fmt: skip
    mode = current()
    transforms = mode.transforms or ()
    found = [i for i, t in enumerate(transforms) if isinstance(t, (Vmap, Dual))]
    if not found:
        switch(mode.but(transforms=(*transforms, *inside) or None))
        try:
            return cls._record(args, separate)
        finally:
            switch(mode)
    innermost = transforms[found[-1]]
    outer = tuple(t for t in transforms if t is not innermost)
    switch(mode.but(transforms=outer or None))
    try:
        handle = _mapped if isinstance(innermost, Vmap) else _pushed
        return handle(innermost, cls, args, separate, inside)
    finally:
        switch(mode)


def _mapped(level: Any, cls: Any, args: tuple[Any, ...], separate: bool, inside: Any) -> Any:
    """The call under `vmap`."""
    from .function import Function

    own, name = cls.vmap is not Function.vmap, cls.__name__
    if not own and not cls.generate_vmap_rule:
        fail(RuntimeError, f"You tried to vmap over {name}, but it does not have vmap support. "
             "Please override and implement the vmap staticmethod or set generate_vmap_rule=True. "
             + _SEE)  # fmt: skip
    batched = [isinstance(a, Tensor) and is_batched(a._array, level.level) for a in args]
    if cls.generate_vmap_rule:
        if own:
            fail(RuntimeError, f"You tried to vmap over {name}, but it has both "
                 "generate_vmap_rule=True and an overridden vmap staticmethod. Please set "
                 "generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid "
                 f"ambiguity. {_SEE}")  # fmt: skip
        given = tuple(
            a if found or not any(batched) else lifted(a, level.level)
            for a, found in zip(args, batched, strict=True)
        )
        return call(cls, given, separate, (level, *inside))
    if not any(batched):
        return call(cls, args, separate, inside)
    whole = [leave_any(a, level.level, 0) if found else a
             for a, found in zip(args, batched, strict=True)]  # fmt: skip
    dims = tuple(0 if found else None for found in batched)
    result = cls.vmap(VmapInfo(level.level.size, level.randomness), dims, *whole)
    if not isinstance(result, tuple) or len(result) != 2:
        got = f"Got {len(result)} returns instead" if isinstance(result, tuple) else \
            f"Got a {type(result)} instead"  # fmt: skip
        fail(RuntimeError, "Expected the vmap staticmethod to have two returns, an output and "
             f"out_dims with pytree structure compatible with the output. {got}")  # fmt: skip
    return _entered(*result, level)


def _entered(out: Any, dim: Any, level: Any) -> Any:
    """Outputs of a `vmap` staticmethod as examples, by their dimensions."""
    if isinstance(out, (tuple, list)):
        dims = dim if isinstance(dim, (tuple, list)) else [dim] * len(out)
        if len(dims) != len(out):
            fail(RuntimeError, "The autograd.Function's vmap staticmethod returned an incompatible "
                 f"(output, out_dims) tuple. Expected out_dims={dim} to be compatible with the "
                 "structure of `output`.")  # fmt: skip
        return type(out)([_entered(o, d, level) for o, d in zip(out, dims, strict=True)])
    if dim is None or not isinstance(out, Tensor):
        return out
    return level.into(out, dim % out.ndim)


def _pushed(level: Any, cls: Any, args: tuple[Any, ...], separate: bool, inside: Any) -> Any:
    """The call in forward mode."""
    from .function import _saved

    tangents = [tangent_of(a, level.level) for a in args]
    if all(t is None for t in tangents):
        return call(cls, args, separate, inside)
    ctx = cls._backward_cls()
    if separate:  # each level has a context of its own
        outs = call(cls, args, separate, inside)
        cls.setup_context(ctx, args, outs)
        ctx.needs_input_grad = tuple(t is not None for t in tangents)
    else:
        outs = cls._record(args, separate, ctx)
    kept = ctx.to_save if ctx.saved_for_forward is None else ctx.saved_for_forward
    if kept is not None:
        ctx.saved = _saved(kept, {})
    given = [
        t if t is not None or not ctx.materialize_grads or not _carries(a)
        else wrap(np.zeros_like(a._array))
        for a, t in zip(args, tangents, strict=True)
    ]  # fmt: skip
    found = cls.jvp(ctx, *given)
    several = isinstance(outs, tuple)
    listed, pushed = (outs if several else (outs,)), found if isinstance(found, tuple) else (found,)
    if len(listed) != len(pushed):
        fail(RuntimeError, "Function's jvp returned an invalid number of forward gradients "
                           f"(expected {len(listed)} but got {len(pushed)})")  # fmt: skip
    for out, t in zip(listed, pushed, strict=True):
        if isinstance(out, Tensor) and t is not None:
            level.attach(out, t, in_place=any(out is a for a in args))
    return outs


def _carries(value: Any) -> bool:
    return isinstance(value, Tensor) and is_differentiable(value._array.dtype)
