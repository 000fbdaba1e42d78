"""vmap: a function of one example, called on all examples of a batch at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..duck import Opaque
from ..generator import default_generator
from ..graph.batched import is_batched, tell
from ..graph.modes import transforming
from ..graph.source import fail
from ..graph.vmap import Vmap
from ..tensor import COUNT, Tensor, normal_dim
from ..utils._pytree import (
    TreeSpec,
    broadcast_to_tree,
    tree_flatten,
    tree_leaves,
    tree_structure,
)

__all__ = ["vmap"]


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error",
         *, chunk_size: int | None = None) -> Callable[..., Any]:  # fmt: skip
    """A function that maps `func` over a dimension of its inputs, all examples at once.

    in_dims: which dimension of each input has the examples, None for inputs that are the same for
    all; an int for all inputs, or a tree of the inputs' structure
    out_dims: which dimension of each output is to have them
    randomness: what random operators do: "error", "same" numbers for all examples, or "different"
    chunk_size: at most so many examples at a time

    >>> dot = leafgrad.func.vmap(leafgrad.dot)              # [n, k], [n, k] -> [n]
    """
    if randomness not in ("error", "different", "same"):
        fail(RuntimeError, "Only allowed values for randomness are 'error', 'different', or 'same'."
                           f" Got {randomness}")  # fmt: skip
    if chunk_size is not None and chunk_size <= 0:
        fail(ValueError, "vmap: chunk_size should be None or greater than 0. (got "
                         f"{chunk_size})")  # fmt: skip

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(func, out_dims)
        size, dims, leaves, spec = _inputs(func, in_dims, args)
        call = _Call(func, kwargs, spec, out_dims, randomness)
        if chunk_size is None or size <= chunk_size:
            return call.on(leaves, dims, size)
        return call.in_chunks(leaves, dims, size, chunk_size)

    return wrapped


def name_of(func: Any) -> str:
    return getattr(func, "__name__", None) or repr(func)


# Arguments


def _inputs(func: Any, in_dims: Any, args: Any) -> tuple[int, list[Any], list[Any], TreeSpec]:
    """How many examples there are, and along which dimension of each leaf of the arguments."""
    call = f"vmap({name_of(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        fail(ValueError, f"{call}expected `in_dims` to be int or a (potentially nested) tuple "
                         f"matching the structure of inputs, got: {type(in_dims)}.")  # fmt: skip
    if not args:
        fail(ValueError, f"vmap({name_of(func)})(<inputs>): got no inputs. Maybe you forgot to add "
                         "inputs, or you are trying to vmap over a function with no inputs. The "
                         "latter is unsupported.")  # fmt: skip
    leaves, spec = tree_flatten(args)
    dims = broadcast_to_tree(in_dims, spec)
    if dims is None:
        fail(ValueError, f"{call}in_dims is not compatible with the structure of `inputs`. in_dims "
                         f"has structure {tree_structure(in_dims)} but inputs has structure "
                         f"{spec}.")  # fmt: skip
    sizes = []
    for i, (leaf, dim) in enumerate(zip(leaves, dims, strict=True)):
        if dim is None:
            continue
        if not isinstance(dim, int):
            fail(ValueError, f"{call}Got in_dim={dim} for an input but in_dim must be either an "
                             "integer dimension or None.")  # fmt: skip
        if not isinstance(leaf, Tensor):
            fail(ValueError, f"{call}Got in_dim={dim} for an input but the input is of type "
                             f"{type(leaf)}. We cannot vmap over non-Tensor arguments, please use "
                             "None as the respective in_dim")  # fmt: skip
        ndim = leaf.ndim
        if not -ndim <= dim < ndim:
            fail(ValueError, f"{call}Got in_dim={dim} for some input, but that input is a Tensor "
                             f"of dimensionality {ndim} so expected in_dim to satisfy "
                             f"-{ndim} <= in_dim < {ndim}.")  # fmt: skip
        dims[i] = dim % ndim
        sizes.append(leaf._array.shape[dims[i]])
    if not sizes:
        fail(ValueError, "vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        fail(ValueError, "vmap: Expected all tensors to have the same size in the mapped "
                         f"dimension, got sizes {sizes} for the mapped dimension")  # fmt: skip
    return sizes[0], dims, leaves, spec


def _check_out_dims(func: Any, out_dims: Any) -> None:
    if not all(isinstance(d, int) or d is None for d in tree_leaves(out_dims)):
        fail(ValueError, f"vmap({name_of(func)}, ..., out_dims={out_dims}): `out_dims` must be an "
                         "int, None or a python collection of ints representing where in the "
                         "outputs the vmapped dimension should appear.")  # fmt: skip


# The call


class _Call:
    """One call of a mapped function."""

    def __init__(self, func: Any, kwargs: Any, spec: TreeSpec, out_dims: Any,
                 randomness: str) -> None:  # fmt: skip
        self.func, self.kwargs, self.spec = func, kwargs, spec
        self.out_dims, self.randomness = out_dims, randomness

    def on(self, leaves: list[Any], dims: list[Any], size: int) -> Any:
        """The outputs for all examples."""
        level = Vmap(size, self.randomness)
        state = None if self.randomness == "error" else default_generator.get_state_bytes()
        before = [x._versions[COUNT] for x in leaves if isinstance(x, Tensor)]
        inside = [
            x if dim is None else level.into(x, dim) for x, dim in zip(leaves, dims, strict=True)
        ]
        try:
            with transforming(), level:
                outs = self.func(*self.spec.unflatten(inside), **self.kwargs)
        except Opaque as refusal:
            now = [x._versions[COUNT] for x in leaves if isinstance(x, Tensor)]
            if now != before or not size:
                raise
            tell(_where(refusal))
            return self.one_by_one(leaves, dims, size, level, state)
        return self.outputs(outs, size, level)

    def outputs(self, outs: Any, size: int, level: Vmap) -> Any:
        """What the function returned, with the examples along a dimension."""
        found, spec, dims = self.out_leaves(outs)
        name, seen = name_of(self.func), {}  # type: ignore[var-annotated]
        for i, (out, dim) in enumerate(zip(found, dims, strict=True)):
            if dim is None:
                if isinstance(out, Tensor) and is_batched(out._array, level.level):
                    fail(ValueError, f"vmap({name}, ...): `{name}` can not return a BatchedTensor "
                                     "when out_dim is None")  # fmt: skip
                continue
            self.check_output(out, dim)
            dim = normal_dim(dim, out.ndim + 1)
            if id(out) in seen:  # returned twice: a view of what it became the first time
                first, other = seen[id(out)]
                found[i] = first.movedim(other, dim)
            else:
                found[i] = level.out_of(out, dim)
                seen[id(out)] = found[i], dim
        return spec.unflatten(found)

    def check_output(self, out: Any, dim: int | None) -> None:
        name = name_of(self.func)
        if dim is not None and not isinstance(out, Tensor):
            fail(ValueError, f"vmap({name}, ...): `{name}` must only return Tensors, got type "
                             f"{type(out)}. Did you mean to set out_dims= to None for "
                             "output?")  # fmt: skip

    def out_leaves(self, outs: Any) -> tuple[list[Any], TreeSpec, list[Any]]:
        """The leaves of the outputs, their structure, and an `out_dim` for each."""
        found, spec = tree_flatten(outs)
        out_dims = self.out_dims
        if isinstance(outs, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
            dims: Any = list(out_dims)
        else:
            dims = broadcast_to_tree(out_dims, spec)
        if dims is None:
            fail(ValueError, f"vmap({name_of(self.func)}, ..., out_dims={out_dims})(<inputs>): "
                             "out_dims is not compatible with the structure of `outputs`. out_dims "
                             f"has structure {tree_structure(out_dims)} but outputs has structure "
                             f"{spec}.")  # fmt: skip
        return found, spec, dims

    def one_by_one(self, leaves: list[Any], dims: list[Any], size: int, level: Vmap,
                   state: Any) -> Any:  # fmt: skip
        """Likewise, example after example, where an operator needs the numbers themselves."""
        from ..ops.joining import stack

        rows = []
        if state is not None:
            default_generator.set_state_bytes(state)
        for i in range(size):
            if self.randomness == "same":
                default_generator.set_state_bytes(state)
            one = [
                x if dim is None else x.select(dim, i) for x, dim in zip(leaves, dims, strict=True)
            ]
            if self.randomness == "error":
                with transforming(), level:
                    rows.append(self.func(*self.spec.unflatten(one), **self.kwargs))
            else:
                with transforming():
                    rows.append(self.func(*self.spec.unflatten(one), **self.kwargs))
        found, spec, dims = self.out_leaves(rows[0])
        for out, dim in zip(found, dims, strict=True):
            self.check_output(out, dim)
        columns = zip(*[tree_leaves(row) for row in rows], strict=True)
        return spec.unflatten(
            [c[0] if d is None else stack(c, d) for c, d in zip(columns, dims, strict=True)]
        )

    def in_chunks(self, leaves: list[Any], dims: list[Any], size: int, most: int) -> Any:
        """Likewise, some examples at a time."""
        from ..ops.joining import cat

        state = default_generator.get_state_bytes() if self.randomness == "same" else None
        rows = []
        for start in range(0, size, most):
            count = min(most, size - start)
            part = [
                x if dim is None else x.narrow(dim, start, count)
                for x, dim in zip(leaves, dims, strict=True)
            ]
            if state is not None:
                default_generator.set_state_bytes(state)
            rows.append(self.on(part, dims, count))
        _, spec, dims = self.out_leaves(rows[0])
        columns = zip(*[tree_leaves(row) for row in rows], strict=True)
        return spec.unflatten(
            [c[0] if d is None else cat(c, d) for c, d in zip(columns, dims, strict=True)]
        )


_WRAPPERS = ("call", "wrapped")


def _where(error: Exception) -> str:
    """The function of ours that an error comes out of: what the user called."""
    trace = error.__traceback__
    found = "an operator"
    while trace is not None:
        code = trace.tb_frame.f_code
        if "/ops/" in code.co_filename.replace("\\", "/") and code.co_name not in _WRAPPERS:
            return code.co_name.strip("_")
        trace = trace.tb_next
    return found
