"""The recorded graph: a Node an operation, and the edges between them.

A tensor knows where its gradient goes; that is its *edge* (`tensor._edge`), one of

    None         nowhere: the tensor does not require grad
    a Node       the operation that made it
    an Output    one of several outputs of an operation
    LEAF         the tensor itself: a leaf that requires grad, into whose `.grad` gradients go
    a ViewEdge   the operation that took the view, checked for freshness at every use

A Node's `next` holds the edges of its inputs. There a leaf stands as the tensor itself, so that
no object is made for it and no reference cycle arises; `next_functions` shows it as PyTorch's
AccumulateGrad.

Time is one clock: every node and every write to memory takes a tick. A tensor that a node saved is
unchanged if its memory's last write is older than the node (see `graph/inplace.py`).
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from types import CodeType
from typing import Any

from ..dtypes import dtype, from_numpy_dtype
from .hooks import Watched, add_hook
from .source import Source, fail, where

clock: Callable[[], int] = itertools.count(1).__next__

# What an edge is, for the engine: cheaper to compare than classes.
NODE, OUTPUT, TENSOR, NONE = 0, 1, 2, 3


class Node:
    """One recorded operation. Each operator has a subclass, named as PyTorch names it.

    next: the edges of its tensor inputs; saved: what its derivative needs (None, or `Freed`)
    seq: its tick of the clock; out_shape, out_dtype: of its output (tuples where there are several)
    fix: per input the (shape, NumPy dtype) that its gradient must have, or None when that is sure
    code, offset: the user's expression; extra: hooks and the like, or None
    """

    __slots__ = ("__weakref__", "code", "extra", "fix", "next", "offset", "out_dtype",
                 "out_shape", "saved", "seq")  # fmt: skip
    _kind = NODE
    plain = True  # an edge that can be used as it is
    op: Any = None
    fills = False  # whether it also runs if no gradient came, with zeros

    next: tuple[Any, ...]
    saved: Any
    seq: int
    out_shape: Any
    out_dtype: Any
    fix: tuple[Any, ...] | None
    code: CodeType
    offset: int
    extra: Extra | None

    @staticmethod
    def backward(node: Any, g: Any) -> tuple[Any, ...]:
        """The gradients of the inputs from the gradient of the output, as arrays."""
        raise NotImplementedError

    def differentiate(self, g: Any, needs: tuple[bool, ...], recorded: bool) -> tuple[Any, ...]:
        """Like `backward`, for the inputs that `needs` names; on tensors when `recorded`."""
        raise NotImplementedError

    def name(self) -> str:
        """PyTorch's name of the operation, such as "MulBackward0"."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """For each tensor input: the node its gradient goes to, and which output of that node."""
        edges = self.next
        return tuple(function_of(edges[place]) for place in self.places)

    @property
    def places(self) -> Any:
        """Which of `next` belong to arguments that can have a gradient at all."""
        ruled = () if self.op is None else self.op.ruled
        if ruled.__class__ is not list or all(ruled):
            return range(len(self.next))
        return [place for place, has_rule in enumerate(ruled) if has_rule]

    @property
    def _input_metadata(self) -> tuple[InputMetadata, ...]:
        """What is known of each output, which for a backward pass is an input."""
        if self.outputs == 1:
            return (InputMetadata(self.shape, self.dtype),)
        places = zip(self.out_shape, self.out_dtype, strict=True)
        return tuple(
            InputMetadata(() if shape is None else shape, kind and from_numpy_dtype(kind))
            for shape, kind in places
        )

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's own notes; it lives as long as the node."""
        extra = self.more()
        if extra.metadata is None:
            extra.metadata = {}
        return extra.metadata

    @property
    def shape(self) -> Any:
        """The shape of the output (of the first, where there are several)."""
        several = self.out_shape and isinstance(self.out_shape[0], tuple)
        return self.out_shape[0] if several else self.out_shape

    @property
    def dtype(self) -> dtype:
        """The dtype of the output (of the first, where there are several)."""
        several = isinstance(self.out_dtype, tuple)
        return from_numpy_dtype(self.out_dtype[0] if several else self.out_dtype)

    @property
    def outputs(self) -> int:
        """How many outputs the operation has."""
        return len(self.out_dtype) if isinstance(self.out_dtype, tuple) else 1

    @property
    def requires_grad(self) -> bool:
        return True

    def source(self) -> Source:
        """The user's expression that made this node."""
        return Source(self.code, self.offset)

    @property
    def mark(self) -> tuple[CodeType, int]:
        return self.code, self.offset

    def more(self) -> Extra:
        """The node's `extra`, made when first wanted."""
        if self.extra is None:
            self.extra = Extra()
        return self.extra

    def _sequence_nr(self) -> int:
        return self.seq

    def _set_sequence_nr(self, number: int) -> None:
        self.seq = number

    def register_hook(self, fn: Callable[..., Any]) -> Any:
        """Call `fn(grad_inputs, grad_outputs)` after the node ran; it may return other grads."""
        return add_hook(self.more().hooks, fn)

    def register_prehook(self, fn: Callable[..., Any]) -> Any:
        """Call `fn(grad_outputs)` before the node runs; it may return other gradients."""
        return add_hook(self.more().prehooks, fn)

    def _register_hook_dict(self, hooks: Any) -> None:
        """Call the functions of a dictionary as hooks of the output's tensor, as they are then."""
        self.more().tensor_hooks[0] = hooks

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"


class InputMetadata:
    """Shape, dtype and device of a node's output: `node._input_metadata[n]`."""

    __slots__ = ("dtype", "shape")
    is_nested_tensor = False

    def __init__(self, shape: tuple[int, ...], dtype: dtype | None) -> None:
        self.shape, self.dtype = list(shape), dtype

    @property
    def device(self) -> Any:
        from ..device import CPU

        return CPU


class Extra:
    """What few nodes or leaves have: hooks, notes, tensors that retain their gradient."""

    __slots__ = ("hooks", "metadata", "parent", "post", "prehooks", "retained", "tensor_hooks")

    def __init__(self) -> None:
        self.hooks: dict[int, Any] = {}
        self.prehooks: dict[int, Any] = {}
        self.post: dict[int, Any] = {}  # after a leaf's `.grad` was updated
        self.tensor_hooks: dict[int, dict[int, Any]] = {}  # output number -> hooks
        self.retained: dict[int, weakref.ref[Any]] = {}  # output number -> tensor
        self.metadata: dict[Any, Any] | None = None
        self.parent: Any = None


class Output:
    """The edge of one of several outputs of an operation."""

    __slots__ = ("node", "number")
    _kind = OUTPUT
    plain = True

    def __init__(self, node: Node, number: int) -> None:
        self.node, self.number = node, number

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Output and self.node is other.node and self.number == other.number

    def __hash__(self) -> int:
        return hash((self.node, self.number))


class _Leaf:
    """The edge of a leaf that requires grad: the tensor itself."""

    __slots__ = ()
    plain = False

    def resolve(self, tensor: Any) -> Any:
        return tensor

    peek = resolve

    def __repr__(self) -> str:
        return "LEAF"


LEAF = _Leaf()


class Fixed:
    """An edge as it was at one moment."""

    __slots__ = ("edge",)
    plain = False

    def __init__(self, edge: Any) -> None:
        self.edge = edge

    def resolve(self, tensor: Any) -> Any:
        return self.edge

    peek = resolve


class _Nowhere(Node):
    """The edge of a tensor that requires grad although no gradient can get to it: see ViewEdge."""

    __slots__ = ()
    _kind = NONE


NOWHERE = _Nowhere()
NOWHERE.next, NOWHERE.saved, NOWHERE.seq, NOWHERE.fix, NOWHERE.extra = (), None, 0, None, None
NOWHERE.out_shape, NOWHERE.out_dtype = (), None
NOWHERE.code, NOWHERE.offset = Node.backward.__code__, -1


def edge_of(tensor: Any) -> Any:
    """Where a tensor's gradient goes: None, a Node, an Output or the leaf itself."""
    edge = tensor._edge
    return edge if edge is None or edge.plain else edge.resolve(tensor)


def has_edge(tensor: Any) -> bool:
    """Whether a tensor requires grad."""
    edge = tensor._edge
    return edge is not None and (edge.plain or edge.peek(tensor) is not None)


def function_of(edge: Any) -> tuple[Any, int]:
    """An edge in PyTorch's terms: the node, and the number of its output."""
    if edge is None or edge is NOWHERE:
        return None, 0
    if edge._kind == NODE:
        return edge, 0
    if edge._kind == OUTPUT:
        return edge.node, edge.number
    return accumulator(edge), 0


class AccumulateGrad(Node):
    """PyTorch's node of a leaf: what comes here is added to `variable.grad`."""

    __slots__ = ("variable",)

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.next, self.saved = (), None

    code = offset = None  # type: ignore[assignment]
    outputs = 1  # type: ignore[assignment]

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    @property
    def shape(self) -> Any:
        return self.variable._array.shape

    @property
    def dtype(self) -> dtype:
        return from_numpy_dtype(self.variable._array.dtype)

    @property
    def metadata(self) -> dict[Any, Any]:
        extra = leaf_extra(self.variable)
        if extra.metadata is None:
            extra.metadata = {}
        return extra.metadata

    def source(self) -> None:  # type: ignore[override]
        return None

    def _sequence_nr(self) -> int:
        return 2**64 - 1

    def register_hook(self, fn: Callable[..., Any]) -> Any:
        Watched.leaves += 1
        return add_hook(leaf_extra(self.variable).hooks, fn)

    def register_prehook(self, fn: Callable[..., Any]) -> Any:
        Watched.leaves += 1
        return add_hook(leaf_extra(self.variable).prehooks, fn)

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"


def accumulator(leaf: Any) -> AccumulateGrad:
    """The AccumulateGrad of a leaf: the same object as long as anyone holds it."""
    held = leaf.__dict__.get("_accumulator")
    found = held() if held is not None else None
    if found is None:
        found = AccumulateGrad(leaf)
        leaf._accumulator = weakref.ref(found)
    return found


def leaf_extra(leaf: Any) -> Extra:
    """Hooks and the like of a leaf, made when first wanted."""
    extra: Extra | None = leaf.__dict__.get("_extra")
    if extra is None:
        extra = leaf._extra = Extra()
    return extra


class Freed:
    """Stands where a node's saved tensors were, and remembers who freed them."""

    __slots__ = ("mark",)

    def __init__(self, mark: tuple[CodeType, int]) -> None:
        self.mark = mark


def fail_freed(node: Any) -> None:
    """Raise PyTorch's error for a second walk through a freed graph."""
    fail(
        RuntimeError,
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
        "backward through the graph a second time or if you need to access saved tensors after "
        "calling backward.",
        f"the values saved by: {where(node.mark)}",
        f"were freed by: {where(node.saved.mark)}",
        "to do: pass retain_graph=True there, or compute that expression anew; a tensor carried "
        "over from an earlier iteration needs .detach().",
    )


def shape_dtype(arrays: Any) -> tuple[Any, Any]:
    """out_shape and out_dtype of a node, from its output or outputs."""
    if isinstance(arrays, tuple):
        return tuple(a.shape for a in arrays), tuple(a.dtype for a in arrays)
    return arrays.shape, arrays.dtype
