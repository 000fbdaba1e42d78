"""Forward mode as functions of functions: jvp, jacfwd, hessian, linearize."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.forward_ad import checked_dual
from ..graph import engine
from ..graph.forward import Dual, tangent_of
from ..graph.modes import transforming
from ..graph.node import LEAF
from ..graph.operator import OPS, apply
from ..graph.source import fail
from ..tensor import Tensor, wrap
from ..utils._pytree import tree_flatten
from .gradients import (
    Tracked,
    chosen,
    jacrev,
    only_tensors,
    reaches,
    real,
    recording_inside,
    replaced,
    standard_basis,
    with_aux,
)
from .mapping import vmap

__all__ = ["hessian", "jacfwd", "jvp", "linearize"]

_API = "jvp(f, primals, tangents)"


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False,
        has_aux: bool = False) -> Any:  # fmt: skip
    """`func(*primals)`, and its derivative in the direction of the tangents, by forward mode.

    Returns (output, tangent), with `has_aux` (output, tangent, aux).
    strict: an error, rather than zeros, for outputs that do not depend on the inputs
    """
    return jvp_by(func, primals, tangents, None, strict, has_aux)


def jvp_by(func: Callable[..., Any], primals: Any, tangents: Any, argnums: Any, strict: bool,
           has_aux: bool) -> Any:  # fmt: skip
    """`jvp` with respect to some of the arguments; None: all."""
    if not isinstance(primals, tuple):
        fail(RuntimeError, f"{_API}: Expected primals to be a tuple. E.g. it should be valid to "
                           "call f(*primals).")  # fmt: skip
    chosen_primals = primals if argnums is None else chosen(primals, argnums)
    values, spec = tree_flatten(chosen_primals)
    directions, own = tree_flatten(tangents)
    if own != spec:
        fail(RuntimeError, f"{_API}: Expected primals and tangents to have the same python "
             "structure. For example, if primals is a tuple of 3 tensors, tangents also must be. "
             f"Got primals with structure {spec} and tangents with structure {own}")  # fmt: skip
    for name, leaves in (("primals", values), ("tangents", directions)):
        if not leaves:
            fail(RuntimeError, f"{_API}: Expected {name} to contain at least one Tensor.")
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                fail(RuntimeError, f"{_API}: Expected {name} to only contain Tensors, got "
                                   f"{type(leaf)}")  # fmt: skip
    level = Dual()
    with transforming(), level:
        duals = spec.unflatten(
            [checked_dual(x, t, level) for x, t in zip(values, directions, strict=True)]
        )
        args = duals if argnums is None else replaced(primals, argnums, duals)
        outs, aux = with_aux(func(*args), has_aux, _API)
        leaves, out_spec = tree_flatten(outs)
        only_tensors(leaves, _API)
        found = [tangent_of(out, level.level) for out in leaves]
        if strict and None in found:
            fail(RuntimeError, "jvp(f, primals, tangents, strict=True): The output of f is "
                               "independent of the inputs. This is not allowed with "
                               "strict=True.")  # fmt: skip
        found = [wrap(np.zeros_like(out._array)) if t is None else t
                 for t, out in zip(found, leaves, strict=True)]  # fmt: skip
    for out in (*leaves, *(tree_flatten(aux)[0] if has_aux else ())):
        if not isinstance(out, Tensor):
            fail(RuntimeError, f"Expected tensors, got unsupported type {type(out)}")
        if out._tangents:
            out._tangents.pop(level.level, None)
    output = out_spec.unflatten([apply(OPS["alias"], (out,), (), None) for out in leaves])
    tangent = out_spec.unflatten(found)
    return (output, tangent, aux) if has_aux else (output, tangent)


def jacfwd(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *,
           randomness: str = "error") -> Callable[..., Any]:  # fmt: skip
    """A function that returns the Jacobian of `func` by forward mode, all columns at once.

    The structure is that of `jacrev`. It pays where there are fewer inputs than outputs.
    """

    @functools.wraps(func)
    def wrapped(*args: Any) -> Any:
        real("jacfwd", args, "inputs")
        inputs, in_spec = tree_flatten(args if argnums is None else chosen(args, argnums))
        sizes = [x.numel() for x in inputs]
        basis = in_spec.unflatten(next(standard_basis(inputs)))

        def push(direction: Any) -> Any:
            output, *found = jvp_by(func, args, direction, argnums, False, has_aux)
            real("jacfwd", output, "outputs")
            return tuple(found) if has_aux else found[0]

        columns = vmap(push, randomness=randomness)(basis)
        if has_aux:
            columns, aux = columns
        outs, out_spec = tree_flatten(columns)
        jacobian = []
        for out in outs:
            by_input = out.movedim(0, -1).split(sizes, dim=-1)
            parts = [
                part.reshape((*out.shape[1:], *x.shape))
                for part, x in zip(by_input, inputs, strict=True)
            ]
            jacobian.append(in_spec.unflatten(parts))
        if not has_aux:
            return out_spec.unflatten(jacobian)
        aux_leaves, aux_spec = tree_flatten(aux)
        return out_spec.unflatten(jacobian), aux_spec.unflatten([x[0] for x in aux_leaves])

    return wrapped


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """A function that returns the Hessian of `func`: forward mode over reverse mode."""
    return jacfwd(jacrev(func, argnums), argnums)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """`func(*primals)`, and a function from tangents of the inputs to those of the outputs.

    The function runs once. What its derivative depends on is kept, so that many tangents cost
    little: the derivative is the transpose of the recorded backward pass.
    """
    inputs = Tracked(primals)
    with transforming(), recording_inside():
        outs, out_spec = tree_flatten(func(*inputs.tree))
        only_tensors(outs, "linearize(f, *primals)")
        # The backward pass is linear in these, whatever they are.
        seeds = [wrap(np.zeros_like(out._array)) for out in outs]
        for seed in seeds:
            seed._edge = LEAF
        pulled = inputs.gradients(outs, seeds, True, True)
    outside = inputs.outside([*outs, *inputs.leaves])

    def jvp_fn(*tangents: Any) -> Any:
        given, spec = tree_flatten(tangents)
        if spec != inputs.spec:
            fail(RuntimeError, f"Expected the tangents {spec} to have the same argspec as the "
                               f"primals {inputs.spec}")  # fmt: skip
        for i, (t, x) in enumerate(zip(given, inputs.leaves, strict=True)):
            for what in ("shape", "dtype"):
                have, want = getattr(t, what), getattr(x, what)
                if have != want:
                    fail(RuntimeError, f"tangent:{i} with {what} {have} in flattened pytree "
                         f"doesn't match the {what} {want} of the corresponding primal.")  # fmt: skip
        pairs = [(g, t) for g, t in zip(pulled, given, strict=True) if g.requires_grad]
        found: Any = [None] * len(seeds)
        if pairs:
            again = outside or any(reaches(t, set()) for t in given)
            found = engine.grad([g for g, _ in pairs], seeds, [t for _, t in pairs],
                                retain_graph=True, create_graph=again, allow_unused=True)  # fmt: skip
        return out_spec.unflatten(
            [wrap(np.zeros_like(s._array)) if t is None else t
             for t, s in zip(found, seeds, strict=True)]
        )  # fmt: skip

    return out_spec.unflatten([inputs.released(out) for out in outs]), jvp_fn
