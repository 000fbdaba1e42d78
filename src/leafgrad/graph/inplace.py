"""Views and in-place operations: versions, PyTorch's rules, and the rebasing of history.

A view shares its base's memory and version counter. Its edge, a ViewEdge, remembers the version it
was made at: when the memory has been written since, the history of the view is that of the base,
seen through the view's strides, and the edge is made anew at its next use.

An in-place operation computes like its out-of-place twin on what the tensor was before, writes the
result, and makes the new node the tensor's history. If the tensor is a view, the base gets the
node instead, wrapped in CopySlices, and all views follow from there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import can_cast, from_numpy_dtype
from ..tensor import COUNT, Tensor, wrap
from .modes import current
from .node import LEAF, Freed, Node, Output, clock, edge_of, fail_freed
from .saved import bump
from .source import fail, here, where

# How a view came about, where that forbids writing to it while recording.
NORMAL, NO_GRAD, INFERENCE, MULTIPLE, CUSTOM = (
    "normal",
    "no_grad",
    "inference",
    "multiple",
    "custom",
)


class ViewEdge:
    """The edge of a view: the node that took it, as long as the memory was not written since.

    node: the edge of that node, or None; leaf: whether the view itself was made to require grad;
    count: the version that `node` belongs to; origin: how the view came about; mark: where, if no
    node tells
    """

    __slots__ = ("count", "leaf", "mark", "node", "origin")
    plain = False

    def __init__(self, node: Any, count: int, origin: str, mark: Any, leaf: bool = False) -> None:
        self.node, self.count, self.origin, self.mark, self.leaf = node, count, origin, mark, leaf

    def resolve(self, tensor: Any) -> Any:
        if tensor._versions[COUNT] != self.count:
            self.renew(tensor)
        return self.peek(tensor)

    def peek(self, tensor: Any) -> Any:
        """The edge as it is known, without the error for a view whose history cannot be told."""
        if self.node is not None:
            return self.node
        if self.leaf:
            return tensor
        # Taken in `no_grad` of a tensor that requires grad, the view does so too; but nothing
        # tells how its gradient would get there.
        base = tensor._base
        edge = base._edge
        return NOWHERE if edge is not None and (edge.plain or edge.peek(base)) is not None else None

    def renew(self, tensor: Any) -> None:
        """Make the history of a view whose memory was written: that of the base, seen through the
        view's strides."""
        below = edge_of(tensor._base)
        if below is None and self.node is None:
            return
        if self.origin != NORMAL:
            fail_view(self, indirect=True)
        self.count = tensor._versions[COUNT]
        from .operator import Numbers
        from .strided import complexes, in_pairs, pairs, strided_part

        # A node of `strided_part`, without computing it: the memory is there already.
        array, base = tensor._array, tensor._base._array
        place = geometry(array, base)
        if (array.dtype.kind == "c") == (base.dtype.kind == "c"):
            views = [(strided_part, base, array)]
        elif base.dtype.kind == "c":
            views = [(pairs, base, in_pairs(base)), (strided_part, in_pairs(base), array)]
        else:
            views = [(strided_part, base, in_pairs(array)), (complexes, in_pairs(array), array)]
        for call, whole, part in views:
            node = call.op.node()
            node.next, node.seq, node.extra = (below,), clock(), None
            node.out_shape, node.out_dtype = part.shape, part.dtype
            node.fix = ((whole.shape, whole.dtype),)
            node.saved = None
            if call is strided_part:
                named = zip(strided_part.op.params, place, strict=True)
                node.saved = Numbers(input_shape=whole.shape, **dict(named))
            node.code, node.offset = here()
            below = node
        if tensor._retains:
            move_retained(tensor, self.node, below)
        self.node = below


def geometry(array: Any, base: Any) -> tuple[Any, Any, int, Any]:
    """Where a view lies in its base's memory: size, stride, offset, and the base's own strides.

    All in elements; the offset from the base's first element. Of a real view of complex numbers
    and the other way round: with the complex ones in pairs of real ones.
    """
    if (array.dtype.kind == "c") != (base.dtype.kind == "c"):
        from .strided import in_pairs

        array, base = in_pairs(array), in_pairs(base)
    item = array.itemsize
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    stride = tuple(s // item for s in array.strides)
    return array.shape, stride, start // item, tuple(s // item for s in base.strides)


def view_of(source: Any, outs: Any, node: Any, mode: Any) -> Any:
    """Make results that share `source`'s memory into views of it."""
    several = outs.__class__ is tuple
    parent = source._edge
    origin = NORMAL
    if parent.__class__ is ViewEdge:
        origin = parent.origin
    if origin == NORMAL:
        if mode.inference and not source._inference:
            origin = INFERENCE
        elif not mode.grad:
            origin = NO_GRAD
        elif several:
            origin = MULTIPLE
    base = source._base if source._base is not None else source
    for number, t in enumerate(outs if several else (outs,)):
        if source._inference:
            t._inference = True
            continue
        t._base = base
        t._versions = versions = base._versions
        edge: Any = Output(node, number) if several and node is not None else node
        if edge is None and not mode.grad and source.requires_grad:
            edge = LEAF
        t._edge = ViewEdge(edge, versions[COUNT], origin, None if node is not None else here())
    return outs


def fail_view(edge: ViewEdge, indirect: bool) -> None:
    """Raise PyTorch's error for writing to a view whose history could not be kept right."""
    node = edge.node
    made = None
    if edge.origin in (MULTIPLE, CUSTOM) and node is not None and node is not LEAF:
        number = node.number if node.__class__ is Output else 0
        owner = node.node if node.__class__ is Output else node
        name = owner.name().removesuffix("Backward").rstrip("0123456789").removesuffix("Backward")
        start = f"Output {number} of {name} is a view"
        made = owner.mark
    elif edge.origin == INFERENCE:
        start = "A view was created in inference mode"
    else:
        start = "A view was created in no_grad mode"
    start += " and its base or another view of its base has been" if indirect else " and is being"
    start += " modified inplace"
    if edge.origin == INFERENCE:
        start += " in normal mode"
    elif made is None:
        start += " with grad mode enabled"
    reasons = {
        MULTIPLE: "This view is the output of a function that returns multiple views. Such "
        "functions do not allow the output views to be modified inplace. You should replace the "
        "inplace operation by an out-of-place one.",
        CUSTOM: "This view was created inside a custom Function (or because an input was returned "
        "as-is) and the autograd logic to handle view+inplace would override the custom backward "
        "associated with the custom Function, leading to incorrect gradients. This behavior is "
        "forbidden. You can fix this by cloning the output of the custom Function.",
    }
    block = "inference_mode" if edge.origin == INFERENCE else "no_grad"
    reason = reasons.get(
        edge.origin,
        "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify "
        f"your code by moving both the view and the inplace either both inside the {block} block "
        "(if you don't want the inplace to be tracked) or both outside (if you want the inplace "
        "to be tracked).",
    )
    fail(RuntimeError, f"{start}. {reason}", f"the view was taken by: {where(made or edge.mark)}")


def check_writable(tensor: Any, recording: bool) -> None:
    """Raise PyTorch's error if a tensor may not be written to now."""
    mode = current()
    if tensor._inference and not mode.inference:
        fail(
            RuntimeError,
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make "
            "a clone to get a normal tensor before doing inplace update.See "
            "https://github.com/pytorch/rfcs/pull/17 for more details.",
        )
    if recording:
        edge = tensor._edge
        if edge.__class__ is ViewEdge:
            if edge.origin != NORMAL:
                fail_view(edge, indirect=False)
            if edge_of(tensor._base) is tensor._base:
                fail(
                    RuntimeError,
                    "a view of a leaf Variable that requires grad is being used in an in-place "
                    "operation.",
                    "to do: write under torch.no_grad(), or to a .clone() of the leaf",
                )
        elif edge is LEAF:
            fail(
                RuntimeError,
                "a leaf Variable that requires grad is being used in an in-place operation.",
                "to do: write under torch.no_grad() (as an optimizer does), or make a new tensor: "
                "w = w - lr * w.grad",
            )
    array = tensor._array
    if (
        0 in array.strides
        and array.size
        and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True))
    ):
        fail(
            RuntimeError,
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation.",
        )


def store(tensor: Any, result: Any, name: str = "") -> None:
    """Write an operator's result into a tensor's memory: PyTorch's rules for shape and dtype."""
    array = tensor._array
    if (
        result.shape != array.shape
        and np.broadcast_shapes(result.shape, array.shape) != array.shape
    ):
        fail(RuntimeError, f"output with shape {list(array.shape)} doesn't match the broadcast "
                           f"shape {list(result.shape)}")  # fmt: skip
    if result.dtype is not array.dtype:
        have, want = from_numpy_dtype(result.dtype), from_numpy_dtype(array.dtype)
        if not can_cast(have, want):
            fail(RuntimeError, f"result type {have.legacy} can't be cast to the desired output "
                               f"type {want.legacy}")  # fmt: skip
    np.copyto(array, result, casting="unsafe")


def in_place(call: Any) -> Callable[..., Any]:
    """The in-place twin of an operator: `mul_` of `mul`. Returns its tensor."""
    made = call.op
    count = len(made.tensors)

    @functools.wraps(call)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != count - 1 + len(made.params):
            bound = made.signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            args = tuple(bound.arguments.values())[1:]
        return write(made, self, args[: count - 1], args[count - 1 :])

    method.__name__ = method.__qualname__ = f"{call.__name__}_"
    method.__doc__ = f"In-place version of {call.__name__}: writes the result into this tensor."
    return method


def write(made: Any, self: Any, others: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """Compute an operator on `self` and others, and write the result into `self`."""
    from .operator import _lift, apply

    mode = current()
    others = _lift(made, (self, *others), params, False)[1:]
    recording = mode.grad and (
        self.requires_grad or any(isinstance(t, Tensor) and t.requires_grad for t in others)
    )
    check_writable(self, recording)
    before = self
    if recording or mode.transforms is not None:
        # What `self` was: the node's first input. Its values are copied only if a rule wants them.
        wanted = {n for rule in made.rules.values() for n in rule.names}
        copies = made.tensors[0] in wanted or mode.transforms is not None
        before = wrap(self._array.copy(order="K") if copies else self._array)
        before._edge = _Fixed(edge_of(self)) if recording else None
        before._tangents = self._tangents and dict(self._tangents)

    def into(result: Any, node: Any) -> Any:
        several = result.__class__ is tuple
        store(self, result[0] if several else result, made.name)
        bump(self, here())
        if node is not None:
            node.out_shape, node.out_dtype = self._array.shape, self._array.dtype
            rebase(self, node)
        return self

    apply(made, (before, *others), params, into)
    return self


class _Fixed:
    """An edge as it was at one moment."""

    __slots__ = ("edge",)
    plain = False

    def __init__(self, edge: Any) -> None:
        self.edge = edge

    def resolve(self, tensor: Any) -> Any:
        return self.edge

    peek = resolve


def rebase(tensor: Any, node: Any) -> None:
    """Make `node`, which computed a tensor's new values, the tensor's history."""
    base = tensor._base
    if base is None:
        if tensor._retains:
            _move_retained(tensor, node)
        tensor._edge = node
        return
    slices = CopySlices()
    slices.next = (edge_of(base), *node.next[1:])
    slices.seq, slices.extra = clock(), None
    slices.out_shape, slices.out_dtype = base._array.shape, base._array.dtype
    slices.fix = (
        (base._array.shape, base._array.dtype),
        *(node.fix or (None,) * len(node.next))[1:],
    )
    slices.saved = (node, geometry(tensor._array, base._array))
    slices.code, slices.offset = node.code, node.offset
    if base._retains:
        _move_retained(base, slices)
    base._edge = slices
    tensor._edge = ViewEdge(None, -1, NORMAL, None)  # made anew at the next use


def _move_retained(tensor: Any, node: Any) -> None:
    old = tensor.grad_fn
    if old is not None and old.extra is not None:
        old.extra.retained.pop(tensor.output_nr, None)
    from weakref import ref

    node.more().retained[0] = ref(tensor)


class CopySlices(Node):
    """The node of a base one of whose views was written: the written part's gradient goes
    through the operation that wrote it, the rest passes by."""

    __slots__ = ()

    def name(self) -> str:
        return "torch::autograd::CopySlices"

    @staticmethod
    def backward(node: Any, g: Any) -> tuple[Any, ...]:
        return node.differentiate(g, [e is not None for e in node.next], False)

    def differentiate(self, g: Any, needs: Any, recorded: bool) -> tuple[Any, ...]:
        from .engine import fixed
        from .strided import complexes, pairs, strided_fill, strided_part

        if self.saved.__class__ is Freed:
            fail_freed(self)
        inner, place = self.saved
        of_complex = self.out_dtype.kind == "c"  # the base
        mixed = of_complex != (inner.out_dtype.kind == "c")
        whole = pairs(np.conj(g)) if mixed and of_complex else g
        part = strided_part(whole, *place)
        if mixed and not of_complex:
            part = np.conj(complexes(part))
        below = fixed(inner, inner.differentiate(part, needs, recorded))
        if not needs[0]:
            return below
        written = np.zeros_like(part) if below[0] is None else below[0]
        if mixed and not of_complex:
            written = pairs(np.conj(written))
        whole = strided_fill(whole, written, *place)
        if mixed and of_complex:
            whole = np.conj(complexes(whole))
        return (whole, *below[1:])
