"""Reverse mode as functions of functions: grad, vjp, jacrev.

The inputs are replaced by leaves of their own, so the graph that the function records ends there:
nested derivatives cannot be confused. An input that requires grad outside, to an outer transform or
to the user, is instead replaced by the result of a recorded copy. The derivatives are recorded only
where something outside could ask for it: what depends on nothing but our leaves comes back plain.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import is_differentiable
from ..graph import engine
from ..graph.engine import GradientEdge, end_of
from ..graph.modes import current, enable_grad, inference_mode, transforming
from ..graph.node import NODE, edge_of, function_of
from ..graph.operator import op
from ..graph.source import fail
from ..tensor import Tensor, set_requires_grad, wrap
from ..utils._pytree import TreeSpec, pretty, tree_flatten, tree_map
from .mapping import vmap

__all__ = ["grad", "grad_and_value", "jacrev", "vjp"]


# Arguments


def chosen(args: tuple[Any, ...], argnums: Any) -> Any:
    """The arguments to differentiate by: one, or a tuple of them."""
    if not isinstance(argnums, (int, tuple)):
        fail(RuntimeError, f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if isinstance(argnums, int):
        return args[_place(argnums, len(args))]
    places = tuple(_place(n, len(args)) for n in argnums)
    if not places:
        fail(RuntimeError, "argnums must be non-empty")
    if len(set(places)) != len(places):
        fail(RuntimeError, f"argnums elements must be unique, got {places}")
    return tuple(args[n] for n in places)


def _place(argnum: Any, count: int) -> int:
    if not isinstance(argnum, int):
        fail(RuntimeError, f"argnum must be int, got: {type(argnum)}")
    if not -count <= argnum < count:
        fail(RuntimeError, f"Got argnum={argnum}, but only {count} positional inputs")
    return argnum % count


def replaced(args: tuple[Any, ...], argnums: Any, new: Any) -> tuple[Any, ...]:
    """The arguments with those that `chosen` names exchanged."""
    found = list(args)
    several = isinstance(argnums, tuple)
    for n, value in zip(argnums if several else (argnums,), new if several else (new,),
                        strict=True):  # fmt: skip
        found[n] = value
    return tuple(found)


def only_tensors(outs: list[Any], api: str) -> None:
    """Raise PyTorch's error unless a function returned tensors, and some."""
    if not outs or (len(outs) == 1 and outs[0] is None):
        fail(RuntimeError, f"{api}: Expected f to be a function that has non-empty output (got "
                           f"output = {outs})")  # fmt: skip
    for out in outs:
        if not isinstance(out, Tensor):
            fail(RuntimeError, f"{api}: expected f(*primals) to return only tensors, got "
                               f"unsupported type {type(out)}")  # fmt: skip


def with_aux(outs: Any, has_aux: bool, api: str) -> tuple[Any, Any]:
    """Output and auxiliary output of a function."""
    if not has_aux:
        return outs, None
    if not (isinstance(outs, tuple) and len(outs) == 2):
        fail(RuntimeError, f"{api}: output of function f should be a tuple: (output, aux) if "
                           "has_aux is True")  # fmt: skip
    return outs


def real(func_name: str, values: Any, kind: str) -> None:
    """Raise PyTorch's error for complex tensors."""
    for index, value in enumerate(tree_flatten(values)[0]):
        if isinstance(value, Tensor) and value._array.dtype.kind == "c":
            fail(RuntimeError, f"{func_name}: Expected all {kind} to be real but received complex "
                               f"tensor at flattened input idx: {index}")  # fmt: skip


# The inputs of a derivative


@op(name="alias", node="AliasBackward0", linear=True)
def _copied_edge(input, /):
    """The same elements, as an input of a function that is differentiated."""
    return input


_copied_edge.vjp(input=lambda g: g)


class Tracked:
    """Inputs to differentiate by. tree: them, replaced; leaves: the new ones, in a row; edges: where
    their gradients arrive; own: those that are leaves of the graph; recording: whether there is
    an outside that may ask for derivatives of the results
    """

    def __init__(self, tree: Any) -> None:
        self.recording = current().grad
        self.own: set[Any] = set()
        self.edges: list[Any] = []
        given, self.spec = tree_flatten(tree)
        self.leaves = [self.replace(x) for x in given]
        self.tree = self.spec.unflatten(self.leaves)

    def replace(self, x: Any) -> Tensor:
        if not isinstance(x, Tensor):
            fail(ValueError, f"Thing passed to transform API must be Tensor, got {type(x)}")
        made = _copied_edge(x)
        made._versions = x._versions
        edge = edge_of(made)
        if edge is None:
            made._edge = None
            set_requires_grad(made, True, "floating point")
            self.own.add(made)
            self.edges.append(made)
        else:
            self.edges.append(GradientEdge(*function_of(edge)))
        return made  # type: ignore[no-any-return]

    def outside(self, tensors: Any) -> bool:
        """Whether something that depends on more than our own leaves could be differentiated."""
        return self.recording and any(reaches(t, self.own) for t in tensors)

    def released(self, tensor: Any) -> Any:
        """A result as the outside sees it: without the graph, if that ends at our own leaves."""
        if not isinstance(tensor, Tensor):
            return tensor
        free = tensor
        if tensor.requires_grad and not self.outside([tensor]):
            free = wrap(tensor._array)
            free._versions = tensor._versions
        if tensor._tangents:
            free._tangents = {k: self.released(t) for k, t in tensor._tangents.items()}
        return free

    def gradients(self, outs: list[Tensor], grads: Any, create_graph: bool, keep: bool) -> Any:
        """The gradients of outputs for the inputs; zeros where they do not depend on them."""
        pairs = [(o, g) for o, g in zip(outs, grads, strict=True) if o.requires_grad]
        found: Any = [None] * len(self.leaves)
        if pairs:
            outs, grads = zip(*pairs, strict=True)  # type: ignore[assignment]
            found = engine.grad(outs, self.edges, grads, retain_graph=keep,
                                create_graph=create_graph, allow_unused=True)  # fmt: skip
        return [
            wrap(np.zeros_like(x._array)) if g is None else g
            for g, x in zip(found, self.leaves, strict=True)
        ]


def reaches(tensor: Tensor, own: set[Any]) -> bool:
    """Whether a tensor's graph, or that of its tangents, leads anywhere but to the leaves `own`."""
    edge = edge_of(tensor)
    seen: set[Any] = set()
    stack = [] if edge is None else [end_of(edge)]
    while stack:
        node = stack.pop()
        if node in seen or node in own:
            continue
        if node._kind != NODE or not node.next:
            return True
        seen.add(node)
        stack.extend(end_of(e) for e in node.next if e is not None)
    return any(reaches(t, own) for t in (tensor._tangents or {}).values())


def recording_inside() -> Any:
    """The mode in which a function to be differentiated runs."""
    return inference_mode(False) if current().inference else enable_grad()


# grad


def grad_and_value(func: Callable[..., Any], argnums: Any = 0,
                   has_aux: bool = False) -> Callable[..., Any]:  # fmt: skip
    """A function that returns the gradient of `func`, and its value: see `grad`.

    With `has_aux` the value is a pair of the output and the auxiliary output.
    """
    api = "grad_and_value(f)(*args)"

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        inputs = Tracked(chosen(args, argnums))
        with transforming(), recording_inside():
            outs = func(*replaced(args, argnums, inputs.tree), **kwargs)
            output, aux = with_aux(outs, has_aux, api)
            if not isinstance(output, Tensor):
                fail(RuntimeError, f"{api}: Expected f(*args) to return a Tensor, got "
                                   f"{type(output)}")  # fmt: skip
            if output.ndim:
                fail(RuntimeError, f"{api}: Expected f(*args) to return a scalar Tensor, got tensor"
                                   f" with {output.ndim} dims. Maybe you wanted to use the vjp or "
                                   "jacrev APIs instead?")  # fmt: skip
            again = inputs.outside([output, *inputs.leaves])
            found = inputs.gradients([output], [None], again, again)
        grads = inputs.spec.unflatten([inputs.released(g) for g in found])
        value = inputs.released(output)
        return (grads, (value, _released_aux(aux, inputs))) if has_aux else (grads, value)

    return wrapped


def _released_aux(aux: Any, inputs: Tracked) -> Any:
    def one(x: Any) -> Any:
        if not isinstance(x, Tensor):
            fail(RuntimeError, f"Expected tensors, got unsupported type {type(x)}")
        return inputs.released(x)

    return tree_map(one, aux)


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of `func`, whose output is a tensor of one element.

    argnums: by which arguments, an int or a tuple of them; each may be a tree of tensors
    has_aux: `func` returns a pair of the output and what is to be handed through

    >>> leafgrad.func.grad(leafgrad.sin)(leafgrad.tensor(0.0))
    tensor(1.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        grads, value = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return wrapped


# vjp


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`func(*primals)`, and a function from cotangents of its outputs to those of its inputs.

    Returns (output, vjp_fn), with `has_aux` (output, vjp_fn, aux). `vjp_fn` returns a tuple, one
    for each primal.
    """
    return vjp_by(func, primals, None, has_aux)


def vjp_by(func: Callable[..., Any], primals: tuple[Any, ...], argnums: Any,
           has_aux: bool) -> Any:  # fmt: skip
    """`vjp` with respect to some of the arguments; None: all."""
    inputs = Tracked(primals if argnums is None else chosen(primals, argnums))
    args = inputs.tree if argnums is None else replaced(primals, argnums, inputs.tree)
    with transforming(), recording_inside():
        outs, aux = with_aux(func(*args), has_aux, "vjp(f, *primals)")
        leaves, spec = tree_flatten(outs)
        only_tensors(leaves, "vjp(f, *primals)")
        for out in leaves:
            if not is_differentiable(out._array.dtype):
                fail(RuntimeError, "vjp(f, ...): All outputs of f must be floating-point or complex "
                                   f"Tensors, got Tensor with dtype {out.dtype}")  # fmt: skip
    again = inputs.outside([*leaves, *inputs.leaves])
    results = spec.unflatten([inputs.released(out) for out in leaves])
    pull = _Pull(inputs, leaves, spec, again)
    return (results, pull, _released_aux(aux, inputs)) if has_aux else (results, pull)


class _Pull:
    """What `vjp` returns as a function: from cotangents of the outputs to those of the inputs."""

    def __init__(self, inputs: Tracked, outs: list[Any], spec: TreeSpec, outside: bool) -> None:
        self.inputs, self.outs, self.spec, self.outside = inputs, outs, spec, outside

    __name__ = "vjp_fn"

    def __call__(self, cotangents: Any, retain_graph: bool = True,
                 create_graph: bool | None = None) -> Any:  # fmt: skip
        given, spec = tree_flatten(cotangents)
        if spec != self.spec:
            fail(RuntimeError, "Expected pytree structure of cotangents to be the same as pytree "
                 f"structure of outputs to the function. cotangents: {pretty(spec)}, primal "
                 f"output: {pretty(self.spec)}")  # fmt: skip
        if create_graph is None:
            asked = self.outside or any(reaches(g, set()) for g in given)
            create_graph = current().grad and asked
        with inference_mode(False) if current().inference else _AS_IT_IS:
            found = self.inputs.gradients(self.outs, given, create_graph, retain_graph)
        return self.inputs.spec.unflatten(found)


class _AsItIs:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


_AS_IT_IS = _AsItIs()


# jacrev


def jacrev(func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False,
           chunk_size: int | None = None, _preallocate_and_copy: bool = False,
           ) -> Callable[..., Any]:  # fmt: skip
    """A function that returns the Jacobian of `func` by reverse mode, a row at a time, all at once.

    A tree of the outputs' structure, in it the inputs' (of `argnums`): each of shape output +
    input. chunk_size: at most so many rows at a time.
    """
    if chunk_size is not None and chunk_size <= 0:
        fail(ValueError, "jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapped(*args: Any) -> Any:
        real("jacrev", args, "inputs")
        output, pull, *aux = vjp_by(func, args, argnums, has_aux)
        outs, out_spec = tree_flatten(output)
        real("jacrev", outs, "outputs")
        inputs, in_spec = tree_flatten(chosen(args, argnums))
        sizes = [out.numel() for out in outs]
        rows = [
            _rows(pull, out_spec.unflatten(basis), chunk_size)
            for basis in standard_basis(outs, chunk_size)
        ]
        whole = [_joined(column) for column in zip(*rows, strict=True)]
        found = []
        start = 0
        for out, size in zip(outs, sizes, strict=True):
            parts = [
                part[start : start + size].reshape((*out.shape, *x.shape))
                for part, x in zip(whole, inputs, strict=True)
            ]
            found.append(in_spec.unflatten(parts))
            start += size
        jacobian = out_spec.unflatten(found)
        return (jacobian, aux[0]) if has_aux else jacobian

    return wrapped


def _rows(pull: Any, basis: Any, chunk_size: int | None) -> list[Any]:
    """Some rows of the Jacobian for each input. One at a time it goes without vmap."""
    if chunk_size == 1:
        one = pull(tree_map(lambda t: t[0], basis))
        return [t.unsqueeze(0) for t in tree_flatten(one)[0]]
    return tree_flatten(vmap(pull)(basis))[0]


def _joined(parts: tuple[Any, ...]) -> Any:
    from ..ops.joining import cat

    return parts[0] if len(parts) == 1 else cat(parts, 0)


def standard_basis(tensors: list[Tensor], chunk_size: int | None = None) -> Any:
    """The standard basis of the space of these tensors, so many vectors at a time: for each tensor
    its part, f[vectors, ...]."""
    total = sum(t.numel() for t in tensors)
    step = min(chunk_size or total, total) or 1
    for begin in range(0, max(total, 1), step):
        parts = []
        start = 0
        for t in tensors:
            size = t.numel()
            part = np.zeros((min(step, total - begin), size), t._array.dtype)
            rows = np.arange(max(start, begin), min(start + size, begin + step))
            part[rows - begin, rows - start] = 1
            parts.append(wrap(part.reshape((-1, *t._array.shape) if size else
                              (part.shape[0], *t._array.shape))))  # fmt: skip
            start += size
        yield parts
