"""The engine: one walk from the roots of a graph to its leaves.

Nodes are taken newest first, by a heap on their sequence numbers: a node's inputs were made before
it, so when it is taken all of its gradient has arrived. The gradients on the way are plain arrays
(tensors under `create_graph`, so that the walk is itself recorded). Leaves get theirs at the end:
a walk that fails leaves every `.grad` as it was.
"""

from __future__ import annotations

import contextvars
import itertools
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from contextvars import Token
from heapq import heappop, heappush
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import from_numpy_dtype
from ..duck import Duck, refused
from ..layouts import contiguous_format
from ..sums import total
from ..tensor import Tensor, as_array, refuse_transformed, tensor_extra, wrap
from . import anomaly, quiet
from .cut import constant_lines
from .hooks import Watched, add_hook
from .modes import current, functional, switch
from .node import (
    LEAF,
    NODE,
    NOWHERE,
    OUTPUT,
    TENSOR,
    AccumulateGrad,
    Freed,
    Node,
    Output,
    edge_of,
    function_of,
)
from .operator import FREEABLE, _values
from .saved import bump
from .source import fail, here, warn_once, where

__all__ = ["GradientEdge", "backward", "get_gradient_edge", "grad"]


class GradientEdge(NamedTuple):
    """A place in the graph where a gradient can be given or asked for.

    node: an operation, or a leaf's AccumulateGrad; output_nr: which of its outputs;
    ownership_token: unused here, the node alone keeps its graph alive
    """

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor goes."""
    edge = edge_of(tensor)
    if edge is None:
        fail(RuntimeError, "It is not possible to get the gradient edge for a Tensor that does "
                           "not require gradients")  # fmt: skip
    if edge is NOWHERE:
        raise AssertionError("Expected gradient function to be set")
    return GradientEdge(*function_of(edge))


# The walk


class Walk:
    """One call of `backward` or `grad`: its options, and what it found so far.

    keep: the graph's saved tensors; recorded: rules run on tensors; accumulating: leaves get
    their `.grad`; runs, alive: the nodes to run, and all edges' ends that matter (None: all);
    found: requested edges and their gradients; counts: per leaf the gradients yet to come, kept
    only when some leaf has a hook; late: callbacks to run at the end; watch: the profiler that
    gets every node and leaf, or None
    """

    __slots__ = ("accumulating", "alive", "anomaly", "counts", "current", "depth", "found", "keep",
                 "late", "number", "reach", "recorded", "runs", "targets", "watch")  # fmt: skip

    def __init__(self, keep: bool, recorded: bool, accumulating: bool) -> None:
        self.keep = keep or Keeping.always
        self.recorded, self.accumulating = recorded, accumulating
        self.runs: set[Any] | None = None
        self.alive: set[Any] | None = None
        self.found: dict[Any, Any] = {}
        self.counts: dict[Any, int] | None = None
        self.late: list[Any] = []
        self.current: Any = None
        self.depth = 0
        mode = current()
        self.anomaly = mode.anomaly
        self.watch = mode.transforms and next((t for t in mode.transforms if t.watches), None)
        self.number = next(_numbers)


class Keeping:
    """Whether every walk keeps the graph's saved tensors, for whoever looks at it afterwards."""

    always = False


_numbers = itertools.count()
_walk: contextvars.ContextVar[Walk | None] = contextvars.ContextVar("walk", default=None)


def walk(roots: list[tuple[Any, Any]], task: Walk) -> tuple[dict[Any, None], dict[Any, Any]]:
    """Propagate gradients from `roots`, (edge, gradient) pairs.

    Returns the leaves in the order in which they were reached, and the gradients that wait there.
    """
    pending: dict[Any, Any] = {}  # edge -> the sum of gradients that have arrived
    owned: set[Any] = set()  # edges whose sum is an array of our own, so may be added to in place
    heap: list[int] = []
    nodes: dict[int, Any] = {}
    leaves: dict[Any, Any] = {}
    recorded = task.recorded
    keep = task.keep
    simple = task.runs is None and not recorded and task.anomaly is None and task.watch is None
    freed: Freed | None = None

    def arrive(edge: Any, g: Any) -> None:
        """Add a gradient to what waits at an edge."""
        have = pending.get(edge)
        if have is None:
            pending[edge] = g
            kind = edge._kind
            if kind == NODE:
                heappush(heap, -edge.seq)
                nodes[edge.seq] = edge
            elif kind == OUTPUT:
                node = edge.node
                waiting = pending.get(node)
                if waiting is None:
                    pending[node] = {edge.number: edge}
                    heappush(heap, -node.seq)
                    nodes[node.seq] = node
                else:
                    waiting[edge.number] = edge
            elif kind == TENSOR:
                leaves[edge] = None
            else:
                del pending[edge]
        elif edge in owned and g.__class__ is np.ndarray:
            np.add(have, g, out=have)
        elif have.__class__ is dict:  # so far it was only known that none might come
            pending[edge] = g
        else:
            pending[edge] = total = have + g
            if not recorded and total.__class__ is np.ndarray:
                owned.add(edge)

    def absent(edge: Any) -> None:
        """No gradient comes to an edge; but the nodes behind it run, for Functions and hooks."""
        end = end_of(edge)
        if end in pending or end is NOWHERE or (task.alive is not None and end not in task.alive):
            return
        if end._kind == TENSOR:
            pending[end] = leaves[end] = None
        else:
            pending[end] = {}
            heappush(heap, -end.seq)
            nodes[end.seq] = end

    for edge, g in roots:
        arrive(edge, g)
    node = None
    while True:
        if node is None:
            if not heap:
                break
            node = nodes.pop(-heappop(heap))
            g = pending.pop(node)
        if simple and node.extra is None and g.__class__ is not dict:
            try:
                grads = node.backward(node, g)
            except Exception as error:
                if not refused(error):
                    raise
                grads = node.differentiate(g, [e is not None for e in node.next], False)
        else:
            grads = visit(node, g, pending, task)
            if grads is None:
                node = None
                continue
        if not keep and node.saved.__class__ in FREEABLE:
            if freed is None:
                freed = Freed(here())
            node.saved = freed
        if node.fix is not None:
            grads = fixed(node, grads)
        # The first input waits aside: if it is the newest node of all, as in a chain, it is next
        # and need not pass through the heap.
        following = None
        for edge, d in zip(node.next, grads):  # noqa: B905 - a checked `zip` is slower
            if edge is None:
                continue
            if d is None:
                absent(edge)
            elif edge is following:
                g = g + d
            elif following is None and edge._kind == NODE and edge not in pending:
                following, g = edge, d
            else:
                arrive(edge, d)
        if task.counts is not None:
            settle(node, pending, leaves, task)
        node = following
        if node is not None and heap and -heap[0] > node.seq:
            arrive(node, g)
            node = None
    return leaves, pending


def end_of(edge: Any) -> Any:
    """The node or leaf to which an edge leads."""
    return edge.node if edge._kind == OUTPUT else edge


def visit(node: Any, g: Any, pending: dict[Any, Any], task: Walk) -> Any:
    """The general way through a node: several outputs, hooks, requested inputs, recording."""
    several = g.__class__ is dict
    edges = [g.get(n) for n in range(node.outputs)] if several else [node]
    arrived = [pending.pop(e, None) if e is not None else None for e in edges] if several else [g]
    extra = node.extra
    recorded = task.recorded
    runs = task.runs is None or node in task.runs
    if extra is not None and not runs:
        arrived = run_tensor_hooks(extra, arrived, recorded)
    for edge, value in zip(edges, arrived, strict=True):
        if edge is not None and edge in task.found and value is not None:
            task.found[edge] = value
    if not runs:
        return None
    if extra is not None:
        arrived = run_prehooks(extra, run_tensor_hooks(extra, arrived, recorded), recorded)
    alive = task.alive
    needs = [e is not None and (alive is None or end_of(e) in alive) for e in node.next]
    before = task.current
    task.current = node
    try:
        if node.fills or any(g is not None for g in arrived):
            value = gathered(node, arrived) if isinstance(node.out_dtype, tuple) else arrived[0]
            run_node = node.differentiate if task.watch is None else task.watch.node(node)
            grads = run_node(value, needs, recorded)
        else:
            if node.op is not None:
                _values(node, recorded)  # whether what was saved is still unchanged
            grads = ()
    except Exception:
        if task.anomaly is not None:
            anomaly.tell(node)
        raise
    finally:
        task.current = before
    if len(grads) != len(node.next):
        grads = (*grads, *[None] * (len(node.next) - len(grads)))
    given = grads
    grads = tuple(d if n else None for d, n in zip(grads, needs, strict=True))
    if task.anomaly:
        anomaly.look(task, node, arrived, grads)
    if extra is not None and extra.hooks:
        # Hooks see all that a Function gave, also for inputs that want none.
        given = run_hooks(node, extra, fixed(node, given if node.fills else grads), arrived,
                          recorded)  # fmt: skip
        grads = tuple(d if n else None for d, n in zip(given, needs, strict=True))
    return grads


def gathered(node: Any, arrived: list[Any]) -> Any:
    """The gradients of a node's outputs as its rule wants them: alone if only one carries any."""
    made = node.op
    if made is not None and made.differentiable is not None and len(made.differentiable) == 1:
        return arrived[made.differentiable[0]]
    return tuple(arrived)


def fixed(node: Any, grads: Any) -> tuple[Any, ...]:
    """Gradients in the shapes and dtypes of the inputs: broadcast axes summed, dtypes cast."""
    wants = node.fix
    if wants is None:
        return grads  # type: ignore[no-any-return]
    for g, want in zip(grads, wants):  # noqa: B905 - the usual case first: all as they should be
        if g is not None and want is not None and (g.shape != want[0] or g.dtype is not want[1]):
            break
    else:
        return grads  # type: ignore[no-any-return]
    done = []
    for index, (g, want) in enumerate(zip(grads, wants, strict=False)):
        if g is None or want is None:
            done.append(g)
            continue
        shape, kind = want
        if g.shape != shape:
            g = sum_to(g, shape)
            if g is None:
                fail(
                    RuntimeError,
                    f"Function {node.name()} returned an invalid gradient at index {index} - got "
                    f"{list(grads[index].shape)} but expected shape compatible with {list(shape)}",
                )
        have = g._array.dtype if isinstance(g, Tensor) else g.dtype
        if have is not kind and have != kind:
            g = cast(g, kind)
        done.append(g)
    return tuple(done)


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a gradient over the axes along which its input was broadcast; None if it was not."""
    extra = g.ndim - len(shape)
    if extra < 0:
        return None
    axes = tuple(range(extra))
    for axis, (have, want) in enumerate(zip(tuple(g.shape)[extra:], shape, strict=True), extra):
        if have != want:
            if want != 1:
                return None
            axes += (axis,)
    dims = axes if len(axes) < g.ndim else None
    summed = total(g, dims) if g.__class__ is np.ndarray else np.add.reduce(g, axis=dims)
    return np.reshape(summed, shape) if summed.shape != shape else summed


def cast(g: Any, kind: Any) -> Any:
    """A gradient in another dtype: of a complex one for a real input, the real part."""
    if isinstance(g, Tensor):
        if g._array.dtype.kind == "c" and kind.kind != "c":
            g = np.real(g)
        return g.to(from_numpy_dtype(kind))  # type: ignore[attr-defined]
    if g.dtype.kind == "c" and kind.kind != "c":
        g = np.real(g)
    return g.astype(kind)


# Hooks


def shown(g: Any, recorded: bool) -> Any:
    """A gradient as users see it: a tensor, in PyTorch's convention for complex numbers."""
    if g is None:
        return None
    if not recorded:
        return wrap(conjugate(as_array(g)))
    return g.conj() if g._array.dtype.kind == "c" else g


def conjugate(g: Any) -> Any:
    """A gradient in the other convention. What is real keeps the imaginary part 0, not -0."""
    if g.dtype.kind != "c":
        return g
    g = as_array(np.conj(g))
    if g.__class__ is np.ndarray:
        g.imag += 0
    return g


def hidden(g: Any, recorded: bool) -> Any:
    """What a user's function returned, as the walk carries it."""
    if g is None:
        return None
    if g._array.dtype.kind == "c":
        g = g.conj()
    return g if recorded else g._array


def run_tensor_hooks(extra: Any, arrived: list[Any], recorded: bool) -> list[Any]:
    """The hooks of the tensors whose gradients have arrived; then those retain them that should."""
    if not (extra.tensor_hooks or extra.retained):
        return arrived
    grads = [shown(g, recorded) for g in arrived]
    for number, hooks in extra.tensor_hooks.items():
        for hook in list(hooks.values()):
            grads[number] = checked_grad(hook, grads[number], hook(grads[number]))
    for number, held in extra.retained.items():
        tensor, g = held(), grads[number]
        if tensor is not None and g is not None:
            tensor._grad = contiguous_copy(g) if tensor._grad is None else tensor._grad + g
    return [hidden(g, recorded) for g in grads]


def run_prehooks(extra: Any, arrived: list[Any], recorded: bool) -> list[Any]:
    """A node's own prehooks."""
    if not extra.prehooks:
        return arrived
    grads = [shown(g, recorded) for g in arrived]
    for hook in list(extra.prehooks.values()):
        result = hook(tuple(grads))
        if result is not None:
            grads = checked_grads(hook, grads, result)
    return [hidden(g, recorded) for g in grads]


def run_hooks(node: Any, extra: Any, grads: Any, arrived: list[Any], recorded: bool) -> Any:
    """The node's hooks after it ran."""
    places = node.places
    inputs = tuple(shown(grads[place], recorded) for place in places)
    outputs = tuple(shown(g, recorded) for g in arrived)
    for hook in list(extra.hooks.values()):
        result = hook(inputs, outputs)
        if result is not None:
            inputs = tuple(checked_grads(hook, inputs, result))
    found = list(grads)
    for place, g in zip(places, inputs, strict=True):
        found[place] = hidden(g, recorded)
    return tuple(found)


def hook_name(hook: Any) -> str:
    return getattr(hook, "__name__", type(hook).__name__)


def checked_grads(hook: Any, grads: Sequence[Any], result: Any) -> list[Any]:
    """What a node's hook made of gradients, checked as PyTorch does."""
    if not isinstance(result, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(result).__name__}'")
    if len(result) != len(grads):
        raise RuntimeError(
            f"hook '{hook_name(hook)}' has returned an incorrect number of values (got "
            f"{len(result)}, but expected {len(grads)})"
        )
    return [None if r is None else checked_grad(hook, g, r)
            for g, r in zip(grads, result, strict=True)]  # fmt: skip


def checked_grad(hook: Any, g: Any, result: Any) -> Any:
    """What a tensor hook made of a gradient, checked as PyTorch does."""
    if result is None:
        return g
    if g is None:
        raise RuntimeError("can't replace a None gradient with a non-None value")
    if not isinstance(result, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(result).__name__}'")
    if result._array.dtype != g._array.dtype:

        def legacy(t: Tensor) -> str:
            name = t.dtype.legacy
            return f"CPU{name}Type" if t.dtype.is_complex else f"torch.{name}Tensor"

        raise RuntimeError(
            f"hook '{hook_name(hook)}' has changed the type of value (was {legacy(g)} got "
            f"{legacy(result)})"
        )
    if result._array.shape != g._array.shape:
        raise RuntimeError(f"hook '{hook_name(hook)}' has changed the size of value")
    return result


# Leaves


def settle(node: Any, pending: Any, leaves: Any, task: Walk) -> None:
    """Where leaves have hooks: finish a leaf as soon as its last gradient has arrived."""
    for edge in node.next:
        if edge in (task.counts or ()):
            task.counts[edge] -= 1  # type: ignore[index]
            if task.counts[edge] == 0:  # type: ignore[index]
                del task.counts[edge]  # type: ignore[union-attr]
                if edge in pending:
                    leaves.pop(edge, None)
                    done = finish if task.watch is None else task.watch.leaf(finish)
                    done(edge, pending.pop(edge), task)


def finish(leaf: Any, g: Any, task: Walk) -> None:
    """Bring a complete gradient to a leaf: hooks, then `.grad` or the list of requested ones."""
    extra = leaf._extra
    recorded = task.recorded
    if extra is not None:
        g = run_tensor_hooks(extra, [g], recorded)[0]
    if leaf in task.found:
        task.found[leaf] = g
    if not task.accumulating:
        return
    if extra is None:
        if g is not None:
            accumulate(leaf, g, recorded)
        return
    g = run_prehooks(extra, [g], recorded)[0]
    if g is not None:
        seen = shown(g, recorded) if extra.hooks else None
        accumulate(leaf, g, recorded)
    run_post_hooks(leaf, extra)
    for hook in list(extra.hooks.values()):
        result = hook((), (None if g is None else seen,))
        if result is not None:
            checked_grads(hook, (), result)


def run_post_hooks(leaf: Any, extra: Any) -> None:
    """The hooks of a leaf after its `.grad` was updated."""
    for hook in list(extra.post.values()):
        result = hook(leaf)
        if result is not None and result is not leaf:
            checked_grad(hook, leaf, result)
            raise RuntimeError("Tensor post accumulate grad hooks should return None.")


def accumulate(leaf: Any, g: Any, recorded: bool = False) -> None:
    """Add a gradient to a leaf's `.grad`."""
    if leaf._edge is not LEAF and not still_leaf(leaf):
        return
    if leaf._array.dtype.kind == "c":
        g = np.conj(g) if recorded else conjugate(as_array(g))
    if not recorded and g.dtype is not leaf._array.dtype:
        g = g.astype(leaf._array.dtype)
    with _accumulating:
        have = leaf._grad
        if recorded:
            leaf._grad = recorded_copy(g, leaf) if have is None else have + g
        elif have is None:
            # The array becomes the gradient if nothing else holds it.
            if (
                g.__class__ is not np.ndarray or g.base is not None
                or sys.getrefcount(g) > _ALONE or g.strides != leaf._array.strides
            ):  # fmt: skip
                g = dense_copy(g, leaf._array)
            leaf._grad = wrap(g)
        elif have._edge is not None and current().grad:
            leaf._grad = have + wrap(g)
        else:
            np.add(have._array, g, out=have._array, casting="same_kind")
            bump(have, here())


def still_leaf(tensor: Any) -> bool:
    """Whether what was a leaf still gets gradients. RuntimeError if it has got a history."""
    edge = edge_of(tensor)
    if edge is not None and edge is not tensor and edge is not NOWHERE:
        fail(RuntimeError, "leaf variable has been moved into the graph interior",
             f"by: {where(edge.node.mark if edge._kind == OUTPUT else edge.mark)}",
             "to do: leave a tensor whose gradient is wanted as it is, until backward() is done")  # fmt: skip
    return edge is tensor


# Threads may bring gradients to one leaf at once.
_accumulating = threading.RLock()


def references(g: Any) -> int:
    """The references to an array that `finish` holds alone, as `accumulate` counts them."""

    def inner(leaf: Any, g: Any, recorded: bool = False) -> int:
        return sys.getrefcount(g)

    return inner(None, g, False)


_ALONE = references(np.empty(1))  # counted, not assumed: it differs between Python versions


def dense_copy(g: Any, like: Any) -> Any:
    """A copy of a gradient, in the memory order of its leaf."""
    made = np.empty_like(like, subok=False)
    np.copyto(made, g)
    return made


def recorded_copy(g: Tensor, like: Tensor) -> Tensor:
    """A recorded copy of a gradient, in the memory order of its leaf if that is dense."""
    from .inplace import extent_of

    if extent_of(like._array) is None:
        return contiguous_copy(g)
    made = wrap(np.empty_like(like._array, subok=False))
    return made.copy_(g)  # type: ignore[attr-defined,no-any-return]


def contiguous_copy(g: Tensor) -> Tensor:
    """A copy of a gradient, recorded if it is."""
    return g.clone(memory_format=contiguous_format)  # type: ignore[attr-defined,no-any-return]


# backward and grad


def as_edge(place: Any) -> Any:
    """The edge of a tensor or a GradientEdge; None for a tensor that no gradient gets to."""
    if isinstance(place, GradientEdge):
        node = place.node
        if isinstance(node, AccumulateGrad):
            return node.variable
        return node if node.outputs == 1 else Output(node, place.output_nr)
    edge = edge_of(place)
    return None if edge is NOWHERE else edge


def target_edge(place: Any) -> Any:
    """The edge of a tensor or a GradientEdge whose gradient is asked for.

    Of a tensor that no gradient gets to, itself: it is in no graph.
    """
    edge = as_edge(place)
    return place if edge is None else edge


def first_grads(outputs: Sequence[Any], grads: Sequence[Any], recorded: bool) -> list[Any]:
    """The gradients with which a walk begins, checked against their outputs."""
    begun = []
    for index, (out, g) in enumerate(zip(outputs, grads, strict=True)):
        if not isinstance(out, (Tensor, GradientEdge)):
            raise AssertionError("Expected output to be a torch.Tensor")
        edge = as_edge(out)
        if edge is None:
            fail(
                RuntimeError,
                f"element {index} of tensors does not require grad and does not have a grad_fn",
                *constant_lines(out),
            )
        shape, kind = place_of(out, edge)
        if g is None:
            count = int(np.prod(shape)) if shape else 1
            if count != 1:
                fail(
                    RuntimeError,
                    "grad can be implicitly created only for scalar outputs",
                    f"this one has shape {list(shape)}",
                    "to do: reduce it (.sum() or .mean()), or pass the gradient of your loss with "
                    "respect to it: y.backward(gradient)",
                )
            public = from_numpy_dtype(kind)
            if public.category != 2:
                fail(RuntimeError, "grad can be implicitly created only for real scalar outputs "
                                   f"but got {public}")  # fmt: skip
            array = np.ones(shape, kind)
            begun.append((edge, wrap(array) if recorded else array))
            continue
        if not isinstance(g, Tensor):
            fail(TypeError, f"gradients can be either Tensors or None, but got {type(g).__name__}")
        if g._array.shape != shape:
            fail(
                RuntimeError,
                f"Mismatch in shape: grad_output[{index}] has a shape of {g.shape} and "
                f"output[{index}] has a shape of torch.Size({list(shape)}).",
            )
        if (g._array.dtype.kind == "c") != (kind.kind == "c"):
            fail(
                RuntimeError,
                "For complex Tensors, both grad_output and output are required to have the same "
                f"dtype. Mismatch in dtype: grad_output[{index}] has a dtype of {g.dtype} and "
                f"output[{index}] has a dtype of {from_numpy_dtype(kind)}.",
            )
        value = hidden(g, recorded)
        begun.append((edge, value if g._array.dtype == kind else cast(value, kind)))
    return begun


def place_of(out: Any, edge: Any) -> tuple[Any, Any]:
    """Shape and NumPy dtype of the output at an edge."""
    if isinstance(out, Tensor):
        return out._array.shape, out._array.dtype
    node, number = out.node, out.output_nr
    if isinstance(node, AccumulateGrad):
        return node.variable._array.shape, node.variable._array.dtype
    if node.outputs > 1:
        return node.out_shape[number], node.out_dtype[number]
    return node.out_shape, node.out_dtype


def plan(task: Walk, roots: list[Any], targets: list[Any] | None) -> None:
    """Look over the graph before a walk: what leads to the requested edges, how much comes to
    each leaf. Gradients are accumulated where the requested nodes run, so then these do too."""
    seen: set[Any] = set()
    stack = [end_of(e) for e in roots]
    while stack:
        node = stack.pop()
        if node not in seen and node._kind == NODE:
            seen.add(node)
            stack.extend(end_of(e) for e in node.next if e is not None)
    task.reach = seen
    if targets is None:
        runs = seen
    else:
        alive = {end_of(e) for e in targets}
        runs = set()
        for node in sorted(seen, key=lambda n: n.seq):
            if any(e is not None and end_of(e) in alive for e in node.next):
                alive.add(node)
                runs.add(node)
        if task.accumulating:
            runs.update(n for n in alive if n in seen)
        task.alive, task.runs = alive, runs
    if Watched.leaves:
        ends = [e for n in runs for e in n.next if e is not None] + roots
        task.counts = {}
        for edge in ends:
            if edge._kind == TENSOR:
                task.counts[edge] = task.counts.get(edge, 0) + 1
        seen.update(task.counts)


def run(outputs: Sequence[Any], grads: Sequence[Any], keep: bool, create_graph: bool,
        targets: Any, accumulating: bool) -> Walk:  # fmt: skip
    """A whole walk. What it found is in the result; leaves get their `.grad` if `accumulating`.

    targets: the edges whose gradients are asked for, or a function that finds them; None for all
    """
    mode = current()
    if accumulating and functional.get():
        fail(RuntimeError, "backward() called inside a functorch transform. This is not supported, "
             "please use functorch.grad or functorch.vjp instead or call backward() outside of "
             "functorch transforms.")  # fmt: skip
    # Under some transforms the rules run on tensors although nothing is recorded.
    recorded = create_graph or (
        mode.transforms is not None and any(t.sees_backward for t in mode.transforms)
    )
    task = Walk(keep, recorded, accumulating)
    roots = first_grads(outputs, grads, recorded)
    if targets.__class__ is FunctionType:
        task.targets = targets = targets()
    if targets is not None or Watched.leaves:
        plan(task, [e for e, _ in roots], targets)
        if targets is not None:
            task.found = dict.fromkeys(targets)
            roots = [(e, g) for e, g in roots if end_of(e) in (task.alive or ())]
    token = _walk.set(task)
    if mode.grad is not create_graph:
        switch(mode.recording(create_graph))
    state = quiet.enter()
    try:
        outer = token.old_value
        if outer is Token.MISSING or outer is None:
            carried_out(roots, task)
        else:
            task.depth = outer.depth + 1
            if task.depth % _STACK:
                carried_out(roots, task)
            else:
                on_own_stack(carried_out, roots, task)
    finally:
        quiet.leave(state)
        _walk.reset(token)
        if mode.grad is not create_graph:
            switch(current().recording(mode.grad))
    return task


def carried_out(roots: list[tuple[Any, Any]], task: Walk) -> None:
    """A walk, the gradients brought to the leaves, and the callbacks of its end."""
    leaves, pending = walk(roots, task)
    roots.clear()
    done = finish if task.watch is None else task.watch.leaf(finish)
    for leaf in leaves:
        done(leaf, pending.pop(leaf), task)
    while task.late:
        task.late.pop(0)()


# Backward passes within backward passes may be deeper than Python's stack: this many share one.
_STACK = 30


def on_own_stack(function: Any, *args: Any) -> None:
    """Call a function in a thread of its own, which has a fresh stack, and wait for it."""
    context, failed = contextvars.copy_context(), []

    def call() -> None:
        try:
            context.run(function, *args)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def walk_number() -> int:
    """The number of the backward pass that is running. AssertionError outside of one."""
    task = _walk.get()
    assert task is not None, "expected this hook to be called inside a backward call"
    return task.number


def will_run(end: Any) -> bool:
    """Whether a gradient comes to a node or leaf in the backward pass that is running, which has
    been planned."""
    task = _walk.get()
    if task is None or end is None:
        return False
    return end in task.reach and (task.alive is None or end in task.alive)


def queue_callback(callback: Any) -> None:
    """Call a function at the end of the backward pass that is running."""
    task = _walk.get()
    if task is None:
        fail(RuntimeError, "Final callbacks can only be installed during backward pass.")
    task.late.append(callback)


def listed(places: Any) -> tuple[Any, ...]:
    """One tensor or edge, or a sequence of them, as a tuple."""
    return (places,) if isinstance(places, (Tensor, GradientEdge)) else tuple(places)


def listed_inputs(inputs: Any, call: str) -> tuple[Any, ...]:
    """Those of whose gradients a walk is asked: `listed`, or a dictionary's values; checked."""
    if isinstance(inputs, dict):
        places = tuple(inputs.values())
    elif isinstance(inputs, Mapping):
        raise TypeError(f"`inputs` argument to `{call}()` must be a dict, not "
                        f"{type(inputs).__name__}. Other Mapping types are not supported.")  # fmt: skip
    else:
        places = listed(inputs)
    if not places:
        fail(RuntimeError, f"`inputs` argument to `{call}()` cannot be empty.")
    for place in places:
        if not isinstance(place, (Tensor, GradientEdge)):
            fail(RuntimeError, "all inputs have to be Tensors or GradientEdges, but got "
                               f"{type(place).__name__}")  # fmt: skip
    return places


def listed_grads(grads: Any, count: int) -> tuple[Any, ...]:
    if grads is None:
        return (None,) * count
    if isinstance(grads, Tensor):
        grads = (grads,)
    grads = tuple(grads)
    if len(grads) != count:
        fail(RuntimeError, f"got {count} tensors and {len(grads)} gradients")
    return grads


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None,
             create_graph: bool = False, grad_variables: Any = None,
             inputs: Any = None) -> None:  # fmt: skip
    """Add the gradient of `tensors` to the `.grad` of every leaf they were computed from.

    grad_tensors: a gradient per tensor; may be left out for tensors of one element
    retain_graph: keep what the graph saved, so that it can be walked again (default: create_graph)
    create_graph: record the walk, so that gradients can themselves be differentiated
    inputs: only these tensors get a gradient
    """
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.",
                      FutureWarning, stacklevel=2)  # fmt: skip
        if grad_tensors is not None:
            raise RuntimeError("`grad_tensors` and `grad_variables` (deprecated) arguments both "
                               "passed to `backward()`. Please only use `grad_tensors`.")  # fmt: skip
        grad_tensors = grad_variables
    outputs = listed(tensors)
    keep = create_graph if retain_graph is None else retain_graph
    if create_graph:
        warn_cycle()
    if inputs is None:
        run(outputs, listed_grads(grad_tensors, len(outputs)), keep, create_graph, None, True)
        return
    places = listed_inputs(inputs, "backward")

    def targets() -> list[Any]:
        for place in places:
            if isinstance(place, Tensor):
                retain_grad(place)
        return [target_edge(place) for place in places]

    run(outputs, listed_grads(grad_tensors, len(outputs)), keep, create_graph, targets, True)


def warn_cycle() -> None:
    warn_once(
        "Using backward() with create_graph=True will create a reference cycle between the "
        "parameter and its gradient which can cause a memory leak. We recommend using "
        "autograd.grad when creating the graph to avoid this. If you have to use this "
        "function, make sure to reset the .grad fields of your parameters to None after use to "
        "break the cycle and avoid the leak.",
        stacklevel=4,
    )


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
         is_grads_batched: bool = False, materialize_grads: bool = False) -> Any:  # fmt: skip
    """The gradients of `outputs` with respect to `inputs`, as a tuple; no `.grad` changes.

    grad_outputs: a gradient per output; may be left out for outputs of one element
    allow_unused: None, rather than an error, for inputs that the outputs do not depend on
    is_grads_batched: grad_outputs have a leading batch dimension, and so do the results
    materialize_grads: zeros in place of None
    """
    outs, places = listed(outputs), listed_inputs(inputs, "grad")
    if materialize_grads:
        if allow_unused is False:
            raise ValueError("Expected allow_unused to be True or not passed when "
                             f"materialize_grads=True, but got: allow_unused={allow_unused}.")  # fmt: skip
        if any(isinstance(p, GradientEdge) for p in places):
            fail(RuntimeError, "materialize_grads cannot be used when the given input is a "
                               "GradientEdge")  # fmt: skip
    if not only_inputs:
        warnings.warn("only_inputs argument is deprecated and is ignored now (defaults to True). "
                      "To accumulate gradient for other parts of the graph, please use "
                      "torch.autograd.backward.", FutureWarning, stacklevel=2)  # fmt: skip

    def targets() -> list[Any]:
        for place in places:
            if isinstance(place, Tensor) and not place.requires_grad:
                fail(RuntimeError, "One of the differentiated Tensors does not require grad",
                     *constant_lines(place))  # fmt: skip
        return [target_edge(place) for place in places]

    keep = create_graph if retain_graph is None else retain_graph
    given = listed_grads(grad_outputs, len(outs))
    if is_grads_batched:
        found = batched(outs, given, keep, create_graph, targets)
    else:
        task = run(outs, given, keep, create_graph, targets, False)
        found = results(task, task.targets)
    for index, (place, g) in enumerate(zip(places, found, strict=True)):
        if g is None and materialize_grads:
            found[index] = wrap(np.zeros_like(place._array))
            if create_graph:
                found[index].requires_grad_()
        elif g is None and not allow_unused:
            fail(
                RuntimeError,
                f"The differentiated Tensor at index {index} appears to not have been used in the "
                "graph. Set allow_unused=True if this is the desired behavior.",
                *(_unused_lines(place, outs) if outs else ()),
            )
    if isinstance(inputs, dict):
        return dict(zip(inputs, found, strict=True))
    return tuple(found)


def _unused_lines(place: Any, outs: Any) -> list[str]:
    """Why no path leads from the outputs to a place, for the error that says so."""
    from .why import Living, unreached

    end = end_of(target_edge(place))
    root = end_of(target_edge(outs[0]))
    return [*unreached(end, root, Living(), "")[1],
            "to do: leave it out, pass allow_unused=True for None, or materialize_grads=True for "
            "zeros"]  # fmt: skip


def results(task: Walk, edges: list[Any]) -> list[Any]:
    """What a walk found, as tensors that share memory neither with each other nor with saved
    values."""
    out: list[Any] = []
    taken: set[int] = set()
    for edge in edges:
        g = task.found[edge]
        if g.__class__ is np.ndarray and not task.recorded:
            if id(g) in taken or g.base is not None or sys.getrefcount(g) > 3:
                g = np.array(g)
            taken.add(id(g))
        elif isinstance(g, Duck):
            g = np.copy(g)
        out.append(shown(g, task.recorded))
    return out


def batched(outs: Any, given: Any, keep: bool, create_graph: bool, targets: Any) -> list[Any]:
    """A walk with many gradients at once, along the leading dimension of each."""
    from .vmap import Vmap

    sizes = [g._array.shape[0] for g in given if g is not None]
    if len(set(sizes)) != 1:
        fail(ValueError, "vmap: Expected all tensors to have the same size in the mapped "
                         f"dimension, got sizes {sizes} for the mapped dimension")  # fmt: skip
    level = Vmap(sizes[0])
    ones = [None if g is None else level.into(g) for g in given]
    with level:
        task = run(outs, ones, keep, create_graph, targets, False)
        found = results(task, task.targets)
    return [None if g is None else level.out_of(g) for g in found]


def call_node(node: Node, *grads: Any) -> Any:
    """Run one node by hand: `grad_fn(gradient)`. Recorded, unless in `no_grad`."""
    if len(grads) != node.outputs:
        raise TypeError(f"expected {node.outputs} arguments, got {len(grads)} instead")
    recorded = current().grad
    needs = tuple(e is not None for e in node.next)
    if node.fills or any(g is not None for g in grads):
        given = [hidden(g, recorded) for g in grads]
        value = gathered(node, given) if node.outputs > 1 else given[0]
        made = node.differentiate(value, needs, recorded)
    else:
        made = (None,) * len(needs)
    made = (*made, *[None] * (len(needs) - len(made)))
    found = tuple(shown(made[place], recorded) if needs[place] else None for place in node.places)
    return found[0] if len(found) == 1 else found


def call_accumulator(node: AccumulateGrad, g: Tensor | None) -> tuple[Any, ...]:
    """Add a gradient to the leaf by hand."""
    leaf = node.variable
    if g is not None:
        recorded = current().grad and g.requires_grad
        accumulate(leaf, hidden(g, recorded), recorded)
    if leaf._extra is not None:
        run_post_hooks(leaf, leaf._extra)
    return ()


Node.__call__ = call_node  # type: ignore[attr-defined]
AccumulateGrad.__call__ = call_accumulator  # type: ignore[attr-defined]


# On tensors


def _backward(self: Tensor, gradient: Any = None, retain_graph: bool | None = None,
              create_graph: bool = False, inputs: Any = None) -> None:  # fmt: skip
    """Add this tensor's gradient to the `.grad` of the leaves it was computed from.

    See `leafgrad.autograd.backward`; `gradient` may be left out for a tensor of one element.
    """
    if inputs is None and not create_graph:
        alone = gradient is None or isinstance(gradient, Tensor)
        grads = (gradient,) if alone else listed_grads(gradient, 1)
        run((self,), grads, bool(retain_graph), False, None, True)
    else:
        backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def retain_grad(self: Tensor) -> None:
    """Let `backward()` fill `.grad` although this tensor is not a leaf."""
    if functional.get():
        refuse_transformed("retain_grad()")
    if not self.requires_grad:
        fail(RuntimeError, "can't retain_grad on Tensor that has requires_grad=False",
             *constant_lines(self))  # fmt: skip
    if self.is_leaf or self._retains:
        return
    import weakref

    extra, number = tensor_extra(self)
    extra.retained[number] = weakref.ref(self)
    self._retains = True


def register_hook(self: Tensor, hook: Any) -> Any:
    """Call `hook(grad)` whenever a gradient for this tensor was computed; it may return another."""
    if not self.requires_grad:
        fail(RuntimeError, "cannot register a hook on a tensor that doesn't require gradient")
    extra, number = tensor_extra(self)
    if self.is_leaf:
        Watched.leaves += 1
    return add_hook(extra.tensor_hooks.setdefault(number, {}), hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: Any) -> Any:
    """Call `hook(leaf)` after `backward()` has updated this leaf's `.grad`."""
    if not self.requires_grad:
        fail(RuntimeError, "cannot register a hook on a tensor that doesn't require gradient")
    if not self.is_leaf:
        fail(RuntimeError, "post accumulate grad hooks cannot be registered on non-leaf tensors")
    Watched.leaves += 1
    return add_hook(tensor_extra(self)[0].post, hook)


for _method in (retain_grad, register_hook, register_post_accumulate_grad_hook):
    setattr(Tensor, _method.__name__, _method)
_backward.__name__ = "backward"
Tensor.backward = _backward  # type: ignore[attr-defined]
