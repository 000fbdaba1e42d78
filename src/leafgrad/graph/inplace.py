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
import warnings
from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np

from ..dtypes import can_cast, from_numpy_dtype, is_differentiable
from ..duck import Duck, address
from ..tensor import COUNT, Tensor, wrap
from .modes import current
from .node import (
    LEAF,
    NOWHERE,
    Fixed,
    Freed,
    Node,
    Output,
    clock,
    edge_of,
    fail_freed,
    function_of,
    has_edge,
)
from .saved import bump, check_inference, forward_name
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

    node: the edge of that node; LEAF where the view itself was made to require grad; or None
    count: the version that `node` belongs to; origin: how the view came about; mark: where, if no
    node tells
    """

    __slots__ = ("count", "mark", "node", "origin")
    plain = False

    def __init__(self, node: Any, count: int, origin: str, mark: Any) -> None:
        self.node, self.count, self.origin, self.mark = node, count, origin, mark

    def resolve(self, tensor: Any) -> Any:
        if tensor._versions[COUNT] != self.count:
            self.renew(tensor)
        return self.peek(tensor)

    def peek(self, tensor: Any) -> Any:
        """The edge as it is known, without the error for a view whose history cannot be told."""
        node = self.node
        if node is not None:
            return tensor if node is LEAF else node
        # Taken in `no_grad` of a tensor that requires grad, the view does so too; but nothing
        # tells how its gradient would get there.
        base = tensor._base
        return NOWHERE if base is not None and has_edge(base) else None

    def renew(self, tensor: Any) -> None:
        """Make the history of a view whose memory was written: that of the base, seen through the
        view's strides."""
        below = edge_of(tensor._base)
        if below is None and self.node in (None, LEAF):
            return
        if self.origin != NORMAL:
            fail_view(self, indirect=True)
        self.count = tensor._versions[COUNT]
        from .operator import Numbers
        from .strided import complexes, in_pairs, pairs, strided_part

        # A node of `strided_part`, without computing it: the memory is there already.
        array, base = tensor._array, tensor._base._array
        array, levels = peeled(array, base)
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
        for level in reversed(levels):
            from .vmap import enter

            node, whole = enter.op.node(), part
            part = enter.op.forward(whole, level, 0)
            node.next, node.seq, node.extra = (below,), clock(), None
            node.out_shape, node.out_dtype = part.shape, part.dtype
            node.fix = ((whole.shape, whole.dtype),)
            node.saved = Numbers(level=level, axis=0)
            node.code, node.offset = here()
            below = node
        if tensor._retains:
            move_retained(tensor, self.node, below)
        self.node = below


def peeled(array: Any, base: Any) -> tuple[Any, list[Any]]:
    """A view without the levels of `vmap` that its base has not, and these, the innermost first:
    of each the batch axis becomes the first dimension."""
    if isinstance(array, Duck) and array.rank:
        from .batched import peeled

        return peeled(array, base)
    return array, []


def geometry(array: Any, base: Any) -> tuple[Any, Any, int, Any]:
    """Where a view lies in its base's memory: size, stride, offset, and the base's own strides.

    All in elements; the offset from the base's first element. Of a real view of complex numbers
    and the other way round: with the complex ones in pairs of real ones.
    """
    if (array.dtype.kind == "c") != (base.dtype.kind == "c"):
        from .strided import in_pairs

        array, base = in_pairs(array), in_pairs(base)
    item = array.itemsize
    offset = (address(array) - address(base)) // item
    stride = tuple(s // item for s in array.strides)
    layout = tuple(s // item for s in base.strides)
    reach = sum(s * (n - 1) for s, n in zip(layout, base.shape, strict=True))
    span = sum(s * (n - 1) for s, n in zip(stride, array.shape, strict=True))
    if array.size and not 0 <= offset <= reach - span:
        # Another memory, by `.data =` or `set_`: the place in that one counts, as in PyTorch.
        from .strided import memory_of

        starts = [(address(a) - address(memory_of(a))) // item for a in (array, base)]
        offset = starts[0] - starts[1]
        if not 0 <= offset <= reach - span:
            fail(
                RuntimeError,
                f"setStorage: sizes {list(array.shape)}, strides {list(stride)}, storage offset "
                f"{offset}, and itemsize {item} are out of bounds for storage of size "
                f"{(reach + 1) * item}",
                "a view's memory is not that of the tensor any more of which it was taken: its "
                "data were replaced",
            )
    return array.shape, stride, offset, layout


def view_of(source: Any, outs: Any, node: Any, mode: Any) -> Any:
    """Make results that share `source`'s memory into views of it."""
    several = outs.__class__ is tuple
    parent = source._edge
    if mode.inference and not source._inference:
        origin = INFERENCE
    elif not mode.grad:
        origin = NO_GRAD
    else:
        origin = parent.origin if parent.__class__ is ViewEdge else NORMAL
        if several and origin != INFERENCE:
            origin = MULTIPLE
    base = source._base if source._base is not None else source
    for number, t in enumerate(outs if several else (outs,)):
        if source._inference:
            t._inference = True
            continue
        t._base = base
        t._versions = versions = base._versions
        edge: Any = Output(node, number) if several and node is not None else node
        t._edge = ViewEdge(edge, versions[COUNT], origin, None if node is not None else here())
    return outs


def fail_view(edge: ViewEdge, indirect: bool) -> None:
    """Raise PyTorch's error for writing to a view whose history could not be kept right."""
    node = edge.node
    known, mark = node is not None and node is not LEAF, edge.mark
    start = "A view"
    if known:
        node, number = function_of(node)
        start, mark = f"Output {number} of {forward_name(node)} is a view", node.mark
    changed = "its base or another view of its base has been" if indirect else "is being"
    if known and edge.origin in (MULTIPLE, CUSTOM):
        start += f" and {changed} modified inplace"
    else:
        start += " of a view which was created in" if known else " was created in"
        inference = edge.origin == INFERENCE
        start += f" {'inference' if inference else 'no_grad'} mode and {changed} modified inplace "
        start += "in normal mode" if inference else "with grad mode enabled"
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
    advice = ["to do: make new tensors, torch.stack([2 * part for part in parts]), or write to an "
              "indexed part: x[0].mul_(2)"] if edge.origin == MULTIPLE else []  # fmt: skip
    fail(RuntimeError, f"{start}. {reason}", f"the view was taken by: {where(mark)}", *advice)


# Which operators may write to memory where several elements of a tensor are one: those that write
# the same to all of them. Of some PyTorch warns.
_IDEMPOTENT = frozenset({"fill", "set_", "tril", "triu", "zero"})
_DEPRECATED = frozenset({"index_fill", "index_fill_tensor", "index_put", "masked_fill",
                         "masked_fill_tensor"})  # fmt: skip
# Which operators read and write in an order of their own, and so share no memory with an operand;
# and which look at that in no way. All others work elementwise: the same place may be read.
APART = frozenset({"cat", "gather", "index_add", "index_copy", "index_put", "index_reduce",
                    "index_select", "kthvalue", "masked_select", "put", "scatter", "scatter_add",
                    "scatter_reduce", "stack", "take"})  # fmt: skip
_FREE = _IDEMPOTENT | (_DEPRECATED - {"index_put"}) | {"fill_tensor", "masked_scatter"}


def check_writable(tensor: Any, recording: bool, name: str = "", others: Any = ()) -> None:
    """Raise PyTorch's error if a tensor may not be written to now by the operator of that name,
    which reads the tensors and numbers `others`."""
    mode = current()
    if mode.hooks is not None and len(mode.hooks) > 2:
        mode.hooks[2](tensor)  # of allow_mutation_on_saved_tensors
    if recording:
        check_leaf(tensor)
    array = tensor._array
    if array.__class__ is np.ndarray:
        if (
            0 in array.strides and array.size and name not in _IDEMPOTENT
            and not (name == "copy" and same_memory(tensor, others[0]))
        ):  # fmt: skip
            check_expanded(array, name)
        for t in others:
            if isinstance(t, Tensor) and t._array.__class__ is np.ndarray:
                check_overlap(array, t._array, name)
    if tensor._inference is True and not mode.inference:
        fail(
            RuntimeError,
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make "
            "a clone to get a normal tensor before doing inplace update.See "
            "https://github.com/pytorch/rfcs/pull/17 for more details.",
        )


def same_memory(one: Tensor, other: Any) -> bool:
    """Whether two tensors are the same elements, so that to copy one to the other writes nothing."""
    if one is other:
        return True
    a, b = one._array, other._array if isinstance(other, Tensor) else None
    return (
        b.__class__ is np.ndarray and a.dtype == b.dtype and address(a) == address(b)
        and a.shape == b.shape and a.strides == b.strides
    )  # fmt: skip


def check_expanded(array: Any, name: str) -> None:
    """Raise PyTorch's error if several elements of an array are one in memory."""
    if not array.size or not any(
        s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True)
    ):
        return
    if name not in _DEPRECATED:
        fail(
            RuntimeError,
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation.",
        )
    warnings.warn(
        f"Use of {name.removesuffix('_tensor')}_ on expanded tensors is deprecated. Please "
        "clone() the tensor before performing this operation. This also applies to "
        "advanced indexing e.g. tensor[indices] = tensor",
        stacklevel=5,
    )


def check_leaf(tensor: Any) -> None:
    """Raise PyTorch's error if a tensor's history forbids that a change of it is recorded."""
    edge = tensor._edge
    if edge.__class__ is ViewEdge:
        if edge.origin != NORMAL:
            fail_view(edge, indirect=False)
        below = edge_of(tensor._base)
        if has_edge(tensor) and (below is None or below is tensor._base):
            fail(
                RuntimeError,
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation.",
                "to do: write under torch.no_grad(), or to a .clone() of the leaf",
            )
        found = edge.peek(tensor)
        if found is NOWHERE or found is tensor:
            edge = LEAF
    if edge is LEAF:
        fail(
            RuntimeError,
            "a leaf Variable that requires grad is being used in an in-place operation.",
            "to do: write under torch.no_grad() (as an optimizer does), or make a new tensor: "
            "w = w - lr * w.grad",
        )


def check_overlap(array: Any, operand: Any, name: str = "") -> None:
    """Raise PyTorch's error if an array is to be written whose memory an operand of the operator of
    that name shares in part, so that what is read might have been written already."""
    if (
        (array.base is None and operand.base is None and array is not operand)
        or not np.may_share_memory(array, operand)
        or name in _FREE
    ):
        return
    apart = name in APART
    if array is operand and not apart:
        return
    mine, other = extent_of(array), extent_of(operand)
    if (array is not operand and (mine is None or other is None)) or (mine == other and not apart):
        return
    fail(
        RuntimeError,
        "unsupported operation: some elements of the input tensor and the written-to tensor refer "
        "to a single memory location. Please clone() the tensor before performing the operation.",
    )


def extent_of(array: Any) -> tuple[Any, ...] | None:
    """Where a dense array lies in memory, and in which order; None for one with gaps."""
    item = step = array.itemsize
    if not array.size:
        return address(array), 0, array.ndim, []
    for stride, n in sorted(zip(array.strides, array.shape, strict=True)):
        if n > 1:
            if stride != step:
                return None
            step *= n
    strides = [s for s, n in zip(array.strides, array.shape, strict=True) if n > 1]
    return address(array), array.size * item, array.ndim, strides


_C_NAMES = {"float16": "c10::Half", "float32": "float", "float64": "double", "int16": "short",
            "int32": "int", "int64": "long int", "int8": "signed char",
            "uint8": "unsigned char"}  # fmt: skip


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
            wanted = want.legacy
            if name.startswith("clamp"):  # PyTorch has the name of the type in C++ there
                wanted = _C_NAMES.get(want.name, want.name)
            fail(RuntimeError, f"result type {have.legacy} can't be cast to the desired output "
                               f"type {wanted}")  # fmt: skip
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
    from .operator import apply, lifted

    mode = current()
    others = lifted(made, (self, *others))[1:]
    recording = mode.grad and (
        self.requires_grad
        or (
            (made.name != "copy" or is_differentiable(self._array.dtype))
            and any(isinstance(t, Tensor) and t.requires_grad for t in others)
        )
    )
    if recording:
        check_leaf(self)
        need = 0
        for bit, t in enumerate((self, *others)):
            if isinstance(t, Tensor) and edge_of(t) is not None:
                need |= 1 << bit
        for _, kind, place in made.plan(need):  # what will be saved must allow it
            if kind == "tensor" and place and isinstance(others[place - 1], Tensor):
                check_inference(others[place - 1])
    elif mode.grad and made.name == "copy" and others[0].requires_grad:
        others = (wrap(others[0]._array),)  # into integers: whatever its history is
    check_writable(self, False, made.name, others)
    before = self
    if recording or mode.transforms is not None:
        # What `self` was: the node's first input. Its values are copied only if a rule wants them.
        wanted = {n for rule in made.rules.values() for n in rule.names}
        copies = made.tensors[0] in wanted or mode.transforms is not None
        before = wrap(self._array.copy(order="K") if copies else self._array)
        before._edge = Fixed(edge_of(self)) if recording else None
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


def rebase(tensor: Any, node: Any) -> None:
    """Make `node`, which computed a tensor's new values, the tensor's history."""
    base = tensor._base
    if base is None:
        if tensor._retains:
            move_retained(tensor, tensor._edge, node)
        tensor._edge = node
        return
    slices = CopySlices()
    rest = [place for place in node.places if place]
    slices.next = (edge_of(base), *[node.next[place] for place in rest])
    slices.seq, slices.extra = clock(), None
    slices.out_shape, slices.out_dtype = base._array.shape, base._array.dtype
    slices.fix = (
        (base._array.shape, base._array.dtype),
        *[node.fix and node.fix[place] for place in rest],
    )
    array, levels = peeled(tensor._array, base._array)
    slices.saved = (node, geometry(array, base._array), levels)
    slices.code, slices.offset = node.code, node.offset
    if base._retains:
        move_retained(base, base._edge, slices)
    base._edge = slices
    tensor._edge.renew(tensor)


def move_retained(tensor: Any, old: Any, node: Any) -> None:
    """Retain a tensor's gradient at its new node, no longer at the old one."""
    if old is not None and old.plain:
        before, number = function_of(old)
        if before is not None and before.extra is not None:
            before.extra.retained.pop(number, None)
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
        inner, place, levels = self.saved
        of_complex = self.out_dtype.kind == "c"  # the base
        mixed = of_complex != (inner.out_dtype.kind == "c")
        expanded = any(s == 0 and n > 1 for s, n in zip(place[1], place[0], strict=True))
        if expanded and 0 not in place[0]:
            fail(
                RuntimeError,
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location. Please clone() the tensor before performing the "
                "operation.",
                f"an expanded tensor was written to by: {where(self.mark)}",
            )
        whole = pairs(np.conj(g)) if mixed and of_complex else g
        part = strided_part(whole, *place)
        if mixed and not of_complex:
            part = np.conj(complexes(part))
        if levels:
            from .vmap import enter, leave_any

            for level in reversed(levels):
                part = enter(part, level, 0)
        rest = [n for n in inner.places if n]
        wanted = [False] * len(inner.next)
        for n, need in zip((0, *rest), needs, strict=True):
            wanted[n] = need
        below = fixed(inner, inner.differentiate(part, wanted, recorded))
        below = (below[0], *[below[n] if n < len(below) else None for n in rest])
        if not needs[0]:
            return below
        written = np.zeros_like(part) if below[0] is None else below[0]
        for level in levels:
            written = leave_any(written, level, 0)
        if mixed and not of_complex:
            written = pairs(np.conj(written))
        whole = strided_fill(whole, written, *place)
        if mixed and of_complex:
            whole = np.conj(complexes(whole))
        return (whole, *below[1:])
