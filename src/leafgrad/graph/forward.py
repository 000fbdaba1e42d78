"""Forward mode: tangents that travel with the values.

A level of forward mode is a Transform. An operator under it computes as ever, then the tangent of
its result from those of its operands, by one of four ways that need no rule of their own:

    elementwise     the derivative rule itself: the Jacobian is diagonal, so its own transpose
    linear          the operator itself, on the tangents (views too: the tangent is then a view)
    `op.jvp(...)`   a rule for this, per argument, where one is measurably needed
    all others      the transpose of the derivative rule, which is linear in `g`: record the rule
                    on some `g`, and pull the tangents back through that recording

The tangents are tensors, so they are themselves recorded, batched or given tangents. Each level
keeps its own (`tensor._tangents`), so levels nest without confusion.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype, is_differentiable
from ..duck import zeros
from ..tensor import Tensor, as_array, wrap
from .engine import cast, run, sum_to
from .inplace import geometry
from .modes import Transform, current, switch
from .node import Node, Output, edge_of
from .operator import OPS, apply, ruled
from .source import fail

__all__ = ["Dual", "dual", "tangent_of"]

_levels = itertools.count(1)


class Dual(Transform):
    """One level of forward mode, inside its `with` block."""

    sees_backward = True

    def __init__(self) -> None:
        self.level = next(_levels)

    def call(self, made: Any, tensors: tuple[Any, ...], params: tuple[Any, ...],
             into: Any) -> Any:  # fmt: skip
        outs = apply(made, tensors, params, into)
        if current().inference:
            return outs
        tangents = [tangent_of(t, self.level) for t in tensors]
        if all(t is None for t in tangents):
            return outs
        several = outs.__class__ is tuple
        listed = outs if several else (outs,)
        found = pushed(made, tensors, tangents, params, outs, bool(into))
        for out, tangent in zip(listed, found if several else (found,), strict=True):
            if tangent is not None:
                self.attach(out, tangent, in_place=into is not None)
        if into is None:
            remember(listed)
        return outs

    def attach(self, out: Tensor, tangent: Tensor, in_place: bool = False) -> None:
        """Make a tensor's tangent; of one written in place, write it there, for its views."""
        if out._tangents is None:
            out._tangents = {}
        if in_place:
            place = tangent_of(out, self.level)
            if place is None and out._base is not None:
                base = out._base
                self.attach(base, wrap(_zeros_for(tangent, base)))
                place = tangent_of(out, self.level)
            if place is not None:
                place.copy_(tangent)  # type: ignore[attr-defined]
                return
        out._tangents[self.level] = tangent


def _zeros_for(tangent: Tensor, base: Tensor) -> Any:
    """Zeros for the tangent of a tensor, a part of which is to be `tangent`."""
    if tangent._array.__class__ is np.ndarray:
        return np.zeros_like(base._array)
    return zeros(tangent._array, base._array.shape)


def tangent_of(tensor: Any, level: int) -> Any:
    """The tangent that a tensor has at a level, or None. A view's is a view of its base's."""
    if not isinstance(tensor, Tensor):
        return None
    own = tensor._tangents
    if own is not None and level in own:
        return own[level]
    base = tensor._base
    if base is None or base._tangents is None or level not in base._tangents:
        return None
    size, stride, offset, own = geometry(tensor._array, base._array)
    whole = base._tangents[level]
    if whole.stride() != own:
        fail(RuntimeError, "the tangent of a tensor is laid out in memory in another way than the "
                           "tensor, so a view of it has none",
             "to do: give make_dual() a tangent of the same strides")  # fmt: skip
    tangent = whole.as_strided(size, stride, offset + whole.storage_offset())
    if tensor._tangents is None:
        tensor._tangents = {}
    tensor._tangents[level] = tangent
    return tangent


def remember(outs: Any) -> None:
    """Let the node that saved its own results know their tangents, which came after it."""
    for out in outs:
        edge = out._edge
        node = edge.node if edge.__class__ is Output else edge
        if not isinstance(node, Node) or node.saved.__class__ is not dict:
            continue
        kept = node.saved.get("out")
        if kept is None:
            continue
        if kept[0].__class__ is tuple:
            node.saved["out"] = tuple(
                (*k[:3], out._tangents) if k[0] is out._array else k for k in kept
            )
        elif kept[0] is out._array:
            node.saved["out"] = (*kept[:3], out._tangents)


# The tangents of an operator's results


def pushed(made: Any, tensors: Any, tangents: Any, params: Any, outs: Any,
           in_place: bool) -> Any:  # fmt: skip
    """The tangents of the results: one, or a tuple with None for outputs that have none."""
    if made.jvp:
        return by_rules(made, made.jvp, tensors, tangents, params, outs)
    if made.view and not in_place:
        return apply(made, (tangents[0], *tensors[1:]), params, None)
    if made.linear:
        own = [
            np.zeros_like(x) if t is None and _carries(x) else x if t is None else t
            for x, t in zip(tensors, tangents, strict=True)
        ]
        return _fitted(apply(made, tuple(own), params, None), outs)
    if made.elementwise and not any(_complex(t) for t in (*tensors, outs)):
        return by_rules(made, made.rules, tensors, tangents, params, outs)
    return transposed(made, tensors, tangents, params, outs)


def _carries(value: Any) -> bool:
    return isinstance(value, Tensor) and is_differentiable(value._array.dtype)


def _complex(value: Any) -> bool:
    return isinstance(value, Tensor) and value._array.dtype.kind == "c"


def _fitted(tangent: Any, out: Any) -> Any:
    """A tangent in its tensor's shape and dtype."""
    if tangent._array.shape != out._array.shape:
        tangent = np.broadcast_to(tangent, out._array.shape)
    if tangent._array.dtype != out._array.dtype:
        tangent = tangent.to(from_numpy_dtype(out._array.dtype))
    return tangent


def named_values(made: Any, tensors: Any, params: Any, outs: Any) -> dict[str, Any]:
    """Everything that a rule may name."""
    values: dict[str, Any] = dict(zip(made.params, params, strict=True))
    values["out"] = outs
    if made.variadic:
        name = made.tensors[0]
        values[name] = tensors
        values[f"{name}_shape"] = tuple(t._array.shape for t in tensors)
        return values
    for name, t in zip(made.tensors, tensors, strict=True):
        values[name] = t
        values[f"{name}_shape"] = t._array.shape if isinstance(t, Tensor) else np.shape(t)
    return values


def by_rules(made: Any, rules: Any, tensors: Any, tangents: Any, params: Any, out: Any) -> Any:
    """The sum over the arguments of what a rule makes of each one's tangent."""
    values = named_values(made, tensors, params, out)
    total = None
    for name, tangent in zip(made.tensors, tangents, strict=True):
        rule = rules.get(name)
        if tangent is None or rule is None:
            continue
        if rules is made.rules:  # a rule for gradients takes one of the result's shape
            tangent = _fitted(tangent, out)
        part = rule.function(tangent, *[values[n] for n in rule.names])
        total = part if total is None else total + part
    return None if total is None else _fitted(total, out)


def transposed(made: Any, tensors: Any, tangents: Any, params: Any, outs: Any) -> Any:
    """The tangents through the transpose of the derivative rules."""
    several = outs.__class__ is tuple
    listed = outs if several else (outs,)
    chosen = made.differentiable if several else None
    carrying = [
        i for i, out in enumerate(listed)
        if (chosen is None or i in chosen) and is_differentiable(out._array.dtype)
    ]  # fmt: skip
    if not carrying or not made.rules:
        return tuple([None] * len(listed)) if several else None
    mode = current()
    switch(mode.recording(True))
    try:
        seeds: list[Any] = [None] * len(listed)
        for i in carrying:
            seeds[i] = wrap(np.zeros_like(listed[i]._array))
            seeds[i].requires_grad = True
        alone = chosen is not None and len(chosen) == 1
        g = tuple(seeds) if several and not alone else seeds[carrying[0]]
        needs = [t is not None for t in tangents]
        pulled = ruled(made, g, named_values(made, tensors, params, outs), needs)
        pairs = []
        for v, x, t in zip(pulled, tensors, tangents, strict=False):
            if v is None or t is None or not isinstance(v, Tensor):
                continue
            if v._array.shape != x._array.shape:
                v = sum_to(v, x._array.shape)
            if v._array.dtype != x._array.dtype:
                v = cast(v, x._array.dtype)
            if v.requires_grad:
                pairs.append((v, t))
    finally:
        switch(mode)
    found: list[Any] = [None] * len(listed)
    edges = [edge_of(seeds[i]) for i in carrying]
    if pairs:
        # Rules are plain transposes: conjugates only at the ends of a walk, here undone.
        task = run(
            [v for v, _ in pairs], [_conj(t) for _, t in pairs], True, mode.grad, edges, False
        )
        for i, edge in zip(carrying, edges, strict=True):
            g = task.found[edge]
            if g is not None:
                found[i] = g if isinstance(g, Tensor) else wrap(as_array(g))
    for i in carrying:
        if found[i] is None:
            found[i] = wrap(np.zeros_like(listed[i]._array))
    return tuple(found) if several else found[0]


def _conj(tangent: Any) -> Any:
    return np.conj(tangent) if tangent._array.dtype.kind == "c" else tangent


# Dual tensors


def dual(tensor: Tensor, tangent: Tensor, level: Dual) -> Tensor:
    """A view of a tensor that has a tangent at a level."""
    out = apply(OPS["alias"], (tensor,), (), None)
    level.attach(out, tangent)
    return out  # type: ignore[no-any-return]
