"""vmap: a function transform under which tensors hold batches (`batched.py`).

Nothing in the graph is special about it. Two views with rules bring a tensor into a level and out
of it; in between, operators record nodes whose arrays are batched, and their rules run on batched
gradients. A tensor that is the same for all examples and requires grad is lifted into the level by
a third operator before it meets a batch: its rule sums the gradient over the examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..duck import Opaque, ducks
from ..tensor import COUNT, Tensor, wrap
from . import batched
from .batched import Batched, Level, is_batched
from .forward import tangent_of
from .inplace import NORMAL, ViewEdge
from .modes import Transform, current, functional
from .operator import apply, op
from .source import fail

__all__ = ["Vmap"]


# Into a level, out of it, and what is the same for all examples


@op(name="add_batch_dim", node="AddBatchDimBackward0", view=True)
def enter(input, /, level, axis):
    """An example of a batch that lies along `axis`: f[..., N, ...] -> f[...]."""
    return batched.enter(input, level, axis)


@op(name="remove_batch_dim", node="RemoveBatchDimBackward0")
def leave(input, /, level, axis):
    """The batch of an example, along `axis`: f[...] -> f[..., N, ...]."""
    return batched.leave(input, level, axis)


@op(name="lift_to_batch", node="LiftToBatchBackward0")
def lift(input, /, level):
    """What is the same for all examples, as an example of a batch: f[...] -> f[...]."""
    return batched.lift(input, level)


@op(name="sum_of_batch", node="SumOfBatchBackward0")
def unlift(input, /, level):
    """The sum over the examples: f[...] -> f[...]."""
    return batched.unlift(input, level)


def array_of(x: Any) -> Any:
    return x._array if isinstance(x, Tensor) else x


def leave_any(x: Any, level: Level, axis: int) -> Any:
    """`leave`, also of what has no batch axis."""
    return leave(lift_any(x, level), level, axis)


def unlift_any(x: Any, level: Level) -> Any:
    """`unlift`, also of what has no batch axis: it counts for every example.

    While the level runs, a gradient is asked for by the function that is mapped, and is that of an
    example: then it stays as it is.
    """
    if any(each.level is level for each in levels()):
        return x
    return unlift(x, level) if is_batched(array_of(x), level) else x * level.size


def lift_any(x: Any, level: Level) -> Any:
    """`lift`, also of what has a batch axis: that as it is."""
    return x if is_batched(array_of(x), level) else lift(x, level)


# Of a value and its tangent, one may be the same for all examples and the other not.
enter.vjp(input=lambda g, level, axis: leave_any(g, level, axis))
leave.vjp(input=lambda g, level, axis: enter(g, level, axis)).jvp(
    input=lambda t, level, axis: leave_any(t, level, axis)
)
lift.vjp(input=lambda g, level: unlift_any(g, level)).jvp(input=lambda t, level: lift_any(t, level))
unlift.vjp(input=lambda g, level: lift_any(g, level)).jvp(
    input=lambda t, level: unlift_any(t, level)
)


# The transform


class Vmap(Transform):
    """A level of vmap, inside its `with` block. size: how many examples.

    randomness: "error", or whether the examples' random numbers are the "same" or "different"
    """

    def __init__(self, size: int, randomness: str = "error") -> None:
        self.randomness = randomness
        self.level = Level(size, 1 + functional.get())

    def call(self, made: Any, tensors: tuple[Any, ...], params: tuple[Any, ...],
             into: Any) -> Any:  # fmt: skip
        level = self.level
        inside = [isinstance(t, Tensor) and is_batched(t._array, level) for t in tensors]
        if not any(inside) and not any(is_batched(d, level) for d in ducks(params)):
            return apply(made, tensors, params, into)
        if made.name in DYNAMIC:
            refuse_dynamic(made.name, tensors, inside)
        if into is None:
            outs = apply(made, self.lifted(tensors, inside), params, None)
            if made.view:
                check_view(made, tensors[0]._array, outs)
            return outs
        if not inside[0]:
            refuse_write(made, tensors, level)
        try:
            return apply(made, self.lifted(tensors, inside), params, into)
        except Opaque:  # the tensor written to has one example for all
            refuse_write(made, tensors, level)

    def lifted(self, tensors: tuple[Any, ...], inside: list[bool]) -> tuple[Any, ...]:
        """Operands of which some are batched: the others lifted, if a gradient flows to them."""
        return tuple(
            t if found else lifted(t, self.level) for t, found in zip(tensors, inside, strict=True)
        )

    def into(self, tensor: Tensor, axis: int = 0) -> Tensor:
        """A tensor whose `axis` has the examples, as one example."""
        return enter(tensor, self.level, axis)  # type: ignore[no-any-return]

    def out_of(self, tensor: Tensor, axis: int = 0) -> Tensor:
        """One example, as a tensor whose `axis` has all of them. Outside of the `with` block."""
        found = leave_any(tensor, self.level, axis)
        # What shares memory shares its history: of a view of what lies outside it is one too.
        found._versions = tensor._versions
        base = tensor._base
        if base is not None and not is_batched(base._array, self.level):
            edge = None if found._edge is None or not found._edge.plain else found._edge
            found._base = base
            found._edge = ViewEdge(edge, base._versions[COUNT], NORMAL, None)
        return found  # type: ignore[no-any-return]


def check_view(made: Any, source: Any, outs: Any) -> None:
    """Raise an error if a view is none, as of an operator without a rule for batches: what is
    written to it would not reach its base."""
    for out in outs if outs.__class__ is tuple else (outs,):
        if out._array.size and not np.may_share_memory(out._array, source):
            fail(RuntimeError, f"Batching rule not implemented for aten::{made.name}; the fallback "
                               "path doesn't work on out= or view ops.")  # fmt: skip


# Operators whose result has a shape that depends on values, or does so where an index is a mask.
DYNAMIC = frozenset({"_unique2", "index", "index_put", "masked_select", "unique_consecutive",
                     "unique_dim"})  # fmt: skip


def refuse_dynamic(name: str, tensors: tuple[Any, ...], inside: list[bool]) -> None:
    """Raise PyTorch's error for an operator whose result would differ in shape by the example."""
    last = tensors[-1]._array
    if name.startswith("index"):
        if inside[-1] and last.dtype.kind == "b":
            last.refuse("mask")
    elif inside[-1]:
        last.refuse(name)


def lifted(value: Any, level: Level) -> Any:
    """An operand that is the same for all examples: lifted, if it requires grad or has a tangent."""
    if not isinstance(value, Tensor):
        return value
    base = value._base
    pushed = {*(value._tangents or ()), *(() if base is None else base._tangents or ())}
    if not pushed and not value.requires_grad:
        return value
    found = lift(value, level)
    for number in pushed.difference(found._tangents or ()):
        # Of forward mode inside of this level, which has had the call: the backward pass asks.
        if found._tangents is None:
            found._tangents = {}
        found._tangents[number] = lift_any(tangent_of(value, number), level)
    return found


def refuse_write(made: Any, tensors: tuple[Any, ...], level: Level) -> None:
    """Raise PyTorch's error for a write of all examples into what is one tensor for all."""
    name = made.name
    advice = (
        "the tensor written to is the same for all examples of the vmap, what is written is not",
        "to do: write to a tensor made inside of it, as by x.new_zeros(...), or out of place",
    )
    if name == "add" and len(tensors) > 1:
        mine = tensors[0]._array.shape
        both = np.broadcast_shapes(mine, *[np.shape(array_of(t)) for t in tensors[1:]])
        fail(RuntimeError, f"output with shape {list(mine)} doesn't match the broadcast shape "
                           f"{[level.size, *both]}", *advice)  # fmt: skip
    fail(
        RuntimeError,
        "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor "
        "`other` in extra_args that has more elements than `self`. This happened due to `other` "
        "being vmapped over but `self` not being vmapped over in a vmap. Please try to use "
        "out-of-place operators instead of inplace arithmetic. If said operator is being called "
        "inside the PyTorch framework, please file a bug report instead.",
        *advice,
    )


def levels() -> list[Vmap]:
    """The levels of vmap that run now, the outermost first."""
    return [t for t in current().transforms or () if isinstance(t, Vmap)]


# Random numbers


def sampled(array: Any, fresh: bool = True, values: bool = False) -> Any:
    """The array to draw random numbers for, where an operator wants them for `array`.

    fresh: the operator makes a tensor; else it writes into one; values: what it draws depends on
    those in the array
    """
    for each in levels():
        if each.randomness == "error":
            fail(RuntimeError, "vmap: called random operation while in randomness error mode. "
                 "Please either use the 'same' or 'different' randomness flags on vmap or perform "
                 "the randomness operation out of vmap")  # fmt: skip
        inside = is_batched(array, each.level)
        if each.randomness == "same":
            if inside and values:
                fail(RuntimeError, "Vmap does not currently support same randomness with a batched "
                                   "tensor input. Please file an issue with functorch")  # fmt: skip
            if inside:
                array = first_example(array, each.level)
        elif not inside:
            if not fresh:
                fail(
                    RuntimeError,
                    "vmap: Cannot ask for different inplace randomness on an unbatched tensor. "
                    "This will appear like same randomness. If this is necessary for your usage, "
                    "please file an issue with functorch.",
                )
            array = np.copy(batched.lift(array, each.level))
    return array


def first_example(array: Any, level: Level) -> Any:
    """An array without its batch axis of a level."""
    if array.level is level:
        return array.data[0, ...]
    return Batched(first_example(array.data, level), array.level)


def fill(draw: Any, array: Any) -> Any:
    """`draw(array)`, on the data of a batch."""
    if array.__class__ is Batched:
        return Batched(fill(draw, array.data), array.level)
    return draw(array)


def unwrapped(tensor: Tensor, recurse: bool = True) -> Tensor:
    """The tensor of all examples behind a batched one, for debugging."""
    array = tensor._array
    while array.__class__ is Batched:
        array = array.data
        if not recurse:
            break
    return tensor if array is tensor._array else wrap(array)
