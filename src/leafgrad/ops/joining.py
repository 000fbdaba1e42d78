"""Joining tensors and taking them apart: cat, stack, split, unbind and their relatives."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from ..dtypes import can_cast
from ..duck import zeros
from ..graph.operator import op, result_dtype, write_out
from ..graph.source import fail
from ..tensor import Tensor, normal_dim, wrap
from .indexing import slice_dim
from .scattering import masked_select
from .shape import atleast_1d, atleast_2d, atleast_3d, copying, expand, reshape, view

__all__ = [
    "block_diag", "cartesian_prod", "cat", "chunk", "column_stack", "combinations", "dsplit",
    "dstack", "hsplit", "hstack", "meshgrid", "split", "split_copy", "split_with_sizes",
    "split_with_sizes_copy", "stack", "tensor_split", "unbind", "unbind_copy", "unsafe_chunk",
    "unsafe_split", "unsafe_split_with_sizes", "vsplit", "vstack",
]  # fmt: skip
METHODS = (
    "chunk", "dsplit", "hsplit", "split", "split_with_sizes", "tensor_split", "unbind",
    "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "vsplit",
)  # fmt: skip
ALIASES = {"concat": "cat", "concatenate": "cat", "row_stack": "vstack"}

_ALL = slice(None)


# Joining


def _alike(tensors: Any) -> Any:
    """Arrays in their common dtype."""
    kind = tensors[0].dtype
    if all(x.dtype == kind for x in tensors):
        return tensors
    kind = result_dtype(tensors).numpy
    return [x.astype(kind) for x in tensors]


@op(name="cat", linear=True)
def _cat(*tensors, dim):
    """Tensors one after the other along a dimension: f[n, ...], f[m, ...] -> f[n + m, ...]."""
    return np.concatenate(_alike(tensors), axis=dim)


def _cat_vjp(g: Any, tensors_shape: Any, dim: int) -> tuple[Any, ...]:
    before, start, parts = (_ALL,) * dim, 0, []
    for shape in tensors_shape:
        parts.append(g[(*before, slice(start, start + shape[dim]))])
        start += shape[dim]
    return tuple(parts)


_cat.vjp(tensors=_cat_vjp)


def _listed(tensors: Any, call: str) -> tuple[Tensor, ...]:
    """The tensors of a sequence, checked to be such."""
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{call}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
                        f"{type(tensors).__name__}")  # fmt: skip
    for position, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got "
                            f"{type(x).__name__}")  # fmt: skip
    return tuple(tensors)


def _check_out(out: Tensor, tensors: tuple[Tensor, ...]) -> None:
    if tensors and not can_cast(result_dtype([x._array for x in tensors]), out.dtype):
        fail(TypeError, "torch.cat(): input types can't be cast to the desired output type "
                        f"{out.dtype.legacy}")  # fmt: skip


def cat(tensors: Any, dim: int = 0, *, axis: int | None = None, out: Any = None) -> Tensor:
    """Tensors one after the other along a dimension, in their common dtype.

    Their other sizes must be equal; tensors of shape (0,) are passed over.
    """
    tensors = _listed(tensors, "cat")
    if out is not None:
        _check_out(out, tensors)
        return write_out(
            "cat", out, lambda *all: cat(all, dim if axis is None else axis), tensors, {}
        )
    if not tensors:
        fail(ValueError, "torch.cat(): expected a non-empty list of Tensors")
    shapes = [x._array.shape for x in tensors]
    first = next((s for s in shapes if s != (0,)), shapes[0])
    dim = dim if axis is None else axis
    where = dim + len(first) if dim < 0 else dim
    rest = None
    for shape in shapes:
        # One size differs at most, and that along `where`.
        other = (*shape[:where], *shape[where + 1 :])
        if len(shape) != len(first) or not shape or (rest is not None and other != rest):
            tensors = _passed_over(tensors, dim)
            break
        rest = other
    return _cat(*tensors, dim=normal_dim(dim, len(first)))


def _differ_in_one(shapes: list[Any], d: int) -> bool:
    return len({(*s[:d], *s[d + 1 :]) for s in shapes}) == 1


def _passed_over(tensors: tuple[Tensor, ...], dim: int) -> tuple[Tensor, ...]:
    """Tensors of shape (0,) made to fit the others, which are checked to fit each other."""
    shapes = [x._array.shape for x in tensors]
    first = next((s for s in shapes if s != (0,)), shapes[0])
    for position, shape in enumerate(shapes):
        if not shape:
            fail(RuntimeError, f"zero-dimensional tensor (at position {position}) cannot be "
                               "concatenated")  # fmt: skip
    dim = normal_dim(dim, len(first))
    done = []
    for position, (x, shape) in enumerate(zip(tensors, shapes, strict=True)):
        if shape == (0,) and len(first) != 1:
            x = reshape(x, (*first[:dim], 0, *first[dim + 1 :]))
        elif len(shape) != len(first):
            fail(RuntimeError, "Tensors must have same number of dimensions: got "
                               f"{len(first)} and {len(shape)}")  # fmt: skip
        for d, (want, have) in enumerate(zip(first, x._array.shape, strict=True)):
            if have != want and d != dim:
                fail(
                    RuntimeError,
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {want} "
                    f"but got size {have} for tensor number {position} in the list.",
                    f"the shapes are {', '.join(str(list(s)) for s in shapes[:6])}; they differ in "
                    f"dimension {d}",
                    *([f"to do: join along that one: dim={d}"] if _differ_in_one(shapes, d) else
                      ["to do: bring them to one size first"]),
                )  # fmt: skip
        done.append(x)
    return tuple(done)


@op(name="stack", linear=True)
def _stack(*tensors, dim):
    """Tensors of one shape side by side along a new dimension: k times f[n] -> f[k, n]."""
    return np.stack(_alike(tensors), axis=dim)


_stack.vjp(
    tensors=lambda g, tensors_shape, dim: tuple(
        [g[(*(_ALL,) * dim, i, ...)] for i in range(len(tensors_shape))]
    )
)


def stack(tensors: Any, dim: int = 0, *, out: Any = None) -> Tensor:
    """Tensors of one shape side by side along a new dimension, in their common dtype."""
    tensors = _listed(tensors, "stack")
    if out is not None:
        _check_out(out, tensors)
        return write_out("stack", out, lambda *all: stack(all, dim), tensors, {})
    if not tensors:
        fail(RuntimeError, "stack expects a non-empty TensorList")
    first = tensors[0]._array.shape
    for position, x in enumerate(tensors):
        if x._array.shape != first:
            fail(RuntimeError, f"stack expects each tensor to be equal size, but got {list(first)} "
                               f"at entry 0 and {list(x._array.shape)} at entry {position}")  # fmt: skip
    return _stack(*tensors, dim=normal_dim(dim, len(first) + 1))


def _joined(call: str, tensors: Any, lift: Any, dim: Any, out: Any) -> Tensor:
    tensors = _listed(tensors, call)
    if not tensors:
        fail(RuntimeError, f"{call} expects a non-empty TensorList")
    lifted = [lift(x) for x in tensors]
    return cat(lifted, dim if dim is not None else min(1, lifted[0].ndim - 1), out=out)


def hstack(tensors: Any, *, out: Any = None) -> Tensor:
    """Tensors one after the other along the second dimension (vectors: the first)."""
    return _joined("hstack", tensors, atleast_1d, None, out)


def vstack(tensors: Any, *, out: Any = None) -> Tensor:
    """Tensors one below the other; vectors are rows."""
    return _joined("vstack", tensors, atleast_2d, 0, out)


def dstack(tensors: Any, *, out: Any = None) -> Tensor:
    """Tensors one behind the other along the third dimension."""
    return _joined("dstack", tensors, atleast_3d, 2, out)


def column_stack(tensors: Any, *, out: Any = None) -> Tensor:
    """Tensors side by side; vectors are columns."""

    def lift(x: Tensor) -> Tensor:
        return x if x.ndim >= 2 else reshape(x, (x.numel(), 1))

    return _joined("column_stack", tensors, lift, 1, out)


@op(name="block_diag")
def _block_diag(*tensors):
    """Matrices one after the other on the diagonal of a matrix of zeros."""
    tensors = _alike(tensors)
    sizes = [(1,) * (2 - x.ndim) + x.shape for x in tensors]
    made = zeros(tuple(tensors), tuple(map(sum, zip(*sizes, strict=True))))
    for x, place in zip(tensors, _blocks(sizes), strict=True):
        made[place] = x
    return made


def _blocks(sizes: Any) -> list[tuple[slice, slice]]:
    row = column = 0
    places = []
    for n, m in sizes:
        places.append((slice(row, row + n), slice(column, column + m)))
        row, column = row + n, column + m
    return places


def _block_diag_vjp(g: Any, tensors_shape: Any) -> tuple[Any, ...]:
    sizes = [(1,) * (2 - len(shape)) + shape for shape in tensors_shape]
    return tuple(
        [np.reshape(g[place], shape)
         for place, shape in zip(_blocks(sizes), tensors_shape, strict=True)]
    )  # fmt: skip


_block_diag.vjp(tensors=_block_diag_vjp)


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices one after the other on the diagonal of a matrix of zeros; vectors are rows."""
    for position, x in enumerate(tensors):
        if x.ndim > 2:
            fail(RuntimeError, "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                               f"Input {position} has {x.ndim} dimensions")  # fmt: skip
    if not tensors:
        from ..dtypes import get_default_dtype

        return wrap(np.zeros((1, 0), get_default_dtype().numpy))
    return _block_diag(*tensors)


# Taking apart. The parts are views that may not be written to while recording: each would have
# to share one node with the others.


@op(name="split", view=True)
def _split(input, /, split_size, dim):
    """Parts of one size along a dimension, the last one maybe smaller."""
    return _parts(input, _starts(input.shape[dim], split_size), dim)


@op(name="split_with_sizes", view=True)
def _split_with_sizes(input, /, split_sizes, dim):
    """Parts of given sizes along a dimension."""
    return _parts(input, [0, *itertools.accumulate(split_sizes)], dim)


@op(name="unsafe_split")
def _unsafe_split(input, /, split_size, dim):
    """`split` whose parts do not count as views."""
    return _parts(input, _starts(input.shape[dim], split_size), dim)


@op(name="unsafe_split_with_sizes")
def _unsafe_split_with_sizes(input, /, split_sizes, dim):
    """`split_with_sizes` whose parts do not count as views."""
    return _parts(input, [0, *itertools.accumulate(split_sizes)], dim)


def _starts(size: int, step: int) -> list[int]:
    """Where parts of a size begin, and the last one ends."""
    return [*range(0, max(size, 1), max(step, 1)), size]


def _parts(array: Any, starts: list[int], dim: int) -> tuple[Any, ...]:
    before = (_ALL,) * dim
    return tuple([array[(*before, slice(a, b))] for a, b in itertools.pairwise(starts)])


def _split_vjp(g: Any, input_shape: Any, split_size: int, dim: int) -> Any:
    starts = _starts(input_shape[dim], split_size)
    return _split_sizes_vjp(g, input_shape, [b - a for a, b in itertools.pairwise(starts)], dim)


def _split_sizes_vjp(g: Any, input_shape: Any, split_sizes: Any, dim: int) -> Any:
    """The parts' gradients one after the other; zeros for parts that have none."""
    some = next(part for part in g if part is not None)
    parts = []
    for part, size in zip(g, split_sizes, strict=True):
        if part is None:
            shape = (*input_shape[:dim], size, *input_shape[dim + 1 :])
            part = np.zeros(shape, dtype=_numpy_dtype(some))
        parts.append(part)
    return np.concatenate(parts, axis=dim)


def _numpy_dtype(g: Any) -> Any:
    return g._array.dtype if isinstance(g, Tensor) else g.dtype


for _each, _rule in ((_split, _split_vjp), (_split_with_sizes, _split_sizes_vjp),
                     (_unsafe_split, _split_vjp),
                     (_unsafe_split_with_sizes, _split_sizes_vjp)):  # fmt: skip
    _each.vjp(input=_rule)


def _split_params(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Any, ...]:
    if not input.ndim:
        fail(RuntimeError, "split expects at least a 1-dimensional tensor")
    size, step, dim = input.size(dim), int(split_size), normal_dim(dim, input.ndim)
    if step < 0:
        fail(RuntimeError, f"split expects split_size be non-negative, but got split_size={step}")
    if step == 0 and size:
        fail(RuntimeError, "split_size can only be 0 if dimension size is 0, but got dimension "
                           f"size of {size}")  # fmt: skip
    return _split.op, input, step, dim


def _sizes_params(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    if not input.ndim:
        fail(RuntimeError, "split_with_sizes expects at least a 1-dimensional tensor")
    sizes, size = [int(n) for n in split_sizes], input.size(dim)
    dim = normal_dim(dim, input.ndim)
    if sizes and min(sizes) < 0:
        fail(RuntimeError, "split_with_sizes expects split_sizes have only non-negative entries, "
                           f"but got split_sizes={sizes}")  # fmt: skip
    if sum(sizes) != size:
        fail(
            RuntimeError,
            f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size "
            f"at dimension {dim}), but got split_sizes={sizes}",
        )
    return _split_with_sizes.op, input, tuple(sizes), dim


def split(input: Tensor, split_size_or_sections: Any = None, dim: int = 0, *,
          split_size: Any = None) -> tuple[Tensor, ...]:  # fmt: skip
    """Parts of one size along a dimension (the last maybe smaller), or of a list of sizes."""
    size = split_size_or_sections if split_size is None else split_size
    if isinstance(size, (tuple, list)):
        return split_with_sizes(input, size, dim)
    _, _, step, place = _split_params(input, size, dim)
    return _split(input, step, place)


def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of given sizes along a dimension."""
    _, _, sizes, place = _sizes_params(input, split_sizes, dim)
    return _split_with_sizes(input, sizes, place)


def unsafe_split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`split` whose parts may be written to, at the user's own risk."""
    _, _, step, place = _split_params(input, split_size, dim)
    return _unsafe_split(input, step, place)


def unsafe_split_with_sizes(input: Tensor, split_sizes: Any,
                            dim: int = 0) -> tuple[Tensor, ...]:  # fmt: skip
    """`split_with_sizes` whose parts may be written to, at the user's own risk."""
    _, _, sizes, place = _sizes_params(input, split_sizes, dim)
    return _unsafe_split_with_sizes(input, sizes, place)


def _chunks(input: Tensor, chunks: int, dim: int, by_size: Any, by_sizes: Any) -> Any:
    if not input.ndim:
        fail(RuntimeError, "chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        fail(RuntimeError, f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = input.size(dim)
    if not size:
        return by_sizes(input, [0] * chunks, dim)
    return by_size(input, -(-size // chunks), dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of one size along a dimension, the last maybe smaller."""
    return _chunks(input, chunks, dim, split, split_with_sizes)


def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`chunk` whose parts may be written to, at the user's own risk."""
    return _chunks(input, chunks, dim, unsafe_split, unsafe_split_with_sizes)


def _first(*values: Any) -> Any:
    return next((v for v in values if v is not None), None)


def tensor_split(input: Tensor, indices_or_sections: Any = None, dim: int = 0, *,
                 indices: Any = None, sections: Any = None) -> tuple[Tensor, ...]:  # fmt: skip
    """Parts along a dimension: a number of nearly equal ones, or those between given indices."""
    where = _first(indices_or_sections, indices, sections)
    if not input.ndim:
        fail(RuntimeError, "tensor_split expected at least a 1-dimensional tensor, but got a "
                           "tensor with 0 dims")  # fmt: skip
    if isinstance(where, Tensor):
        if where._array.dtype != np.int64:
            fail(RuntimeError, "tensor_split expected tensor_indices_or_sections to have dtype of "
                               f"long, but got {where.dtype.legacy}")  # fmt: skip
        where = where.tolist()
    place = normal_dim(dim, input.ndim)
    size = input._array.shape[place]
    if isinstance(where, (tuple, list)):
        ends = [*map(int, where), size]
    else:
        if where <= 0:
            fail(RuntimeError, f"number of sections must be larger than 0, got {where}")
        small, more = divmod(size, where)
        ends = [*itertools.accumulate(small + (i < more) for i in range(where))]
    starts = [0, *ends[:-1]]
    return tuple([slice_dim(input, place, a, b) for a, b in zip(starts, ends, strict=True)])


def _sides(call: str, input: Tensor, where: Any, least: int, dim: int) -> tuple[Tensor, ...]:
    if input.ndim < least:
        fail(RuntimeError, f"torch.{call} requires a tensor with at least {least} dimension, but "
                           f"got a tensor with {input.ndim} dimensions!")  # fmt: skip
    if not isinstance(where, (tuple, list)):
        if not hasattr(where, "__index__"):
            raise TypeError(f"{call}() received an invalid combination of arguments - got (Tensor, "
                            f"{type(where).__name__})")  # fmt: skip
        size = input._array.shape[dim]
        if where <= 0 or size % where:
            fail(
                RuntimeError,
                f"torch.{call} attempted to split along dimension {dim}, but the size of the "
                f"dimension {size} is not divisible by the split_size {where}!",
            )
    return tensor_split(input, where, dim)


def hsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
           sections: Any = None) -> tuple[Tensor, ...]:  # fmt: skip
    """`tensor_split` into equal parts along the second dimension (of a vector: the first)."""
    where = _first(indices_or_sections, indices, sections)
    return _sides("hsplit", input, where, 1, 1 if input.ndim > 1 else 0)


def vsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
           sections: Any = None) -> tuple[Tensor, ...]:  # fmt: skip
    """`tensor_split` into equal parts along the first dimension."""
    where = _first(indices_or_sections, indices, sections)
    return _sides("vsplit", input, where, 2, 0)


def dsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
           sections: Any = None) -> tuple[Tensor, ...]:  # fmt: skip
    """`tensor_split` into equal parts along the third dimension."""
    where = _first(indices_or_sections, indices, sections)
    return _sides("dsplit", input, where, 3, 2)


@op(name="unbind", view=True)
def _unbind(input, /, dim):
    """The slices along a dimension, without it: f[k, n] -> k times f[n]."""
    before = (_ALL,) * dim
    return tuple([input[(*before, i, ...)] for i in range(input.shape[dim])])


def _unbind_vjp(g: Any, dim: int) -> Any:
    some = next(part for part in g if part is not None)
    nothing = None
    if any(part is None for part in g):
        nothing = np.zeros(some.shape, dtype=_numpy_dtype(some))
    return np.stack([nothing if part is None else part for part in g], axis=dim)


_unbind.vjp(input=_unbind_vjp)


def _unbind_params(input: Tensor, dim: int = 0) -> tuple[Any, ...]:
    if not input.ndim:
        normal_dim(dim, 0)
        fail(IndexError, f"Dimension specified as {dim} but tensor has no dimensions")
    return _unbind.op, input, normal_dim(dim, input.ndim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension, without it."""
    _, _, place = _unbind_params(input, dim)
    return _unbind(input, place)


split_copy = copying(_split_params, "`split` as copies.")
split_with_sizes_copy = copying(_sizes_params, "`split_with_sizes` as copies.")
unbind_copy = copying(_unbind_params, "`unbind` as copies.")


def _iterate(self: Tensor) -> Any:
    if not self._array.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self))


Tensor.__iter__ = _iterate


# Grids


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Vectors expanded over the grid that they span: element i, j, ... of output k is element
    i, j, ... of input k. indexing "xy" swaps the first two dimensions."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if not tensors:
        fail(RuntimeError, "meshgrid expects a non-empty TensorList")
    if indexing is None:
        warnings.warn("torch.meshgrid: in an upcoming release, it will be required to pass the "
                      "indexing argument.", stacklevel=2)  # fmt: skip
    for x in tensors:
        if x._array.dtype != tensors[0]._array.dtype:
            fail(RuntimeError, "meshgrid expects all tensors to have the same dtype")
        if x.ndim > 1:
            fail(RuntimeError, "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but "
                               f"got: {x}")  # fmt: skip
    if indexing not in (None, "ij", "xy"):
        fail(RuntimeError, 'torch.meshgrid: indexing must be one of "xy" or "ij", but received: '
                           f"{indexing}")  # fmt: skip
    if indexing == "xy" and len(tensors) >= 2:
        first, second, *rest = tensors
        second, first, *rest = meshgrid(second, first, *rest, indexing="ij")
        return first, second, *rest
    sizes = tuple([x.numel() for x in tensors])
    grids = []
    for dim, x in enumerate(tensors):
        shape = (1,) * dim + (sizes[dim],) + (1,) * (len(sizes) - 1 - dim)
        grids.append(expand(view(x, shape), sizes))
    return tuple(grids)


def _vector(x: Tensor) -> None:
    if x.ndim != 1:
        fail(RuntimeError, f"Expect a 1D vector, but got shape {list(x._array.shape)}")


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All ways to take one element from each vector, a row each: f[n], f[m] -> f[n · m, 2]."""
    for x in tensors:
        _vector(x)
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors, indexing="ij")
    return stack([g.flatten() for g in grids], dim=1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take `r` elements of a vector in order, a row each."""
    _vector(input)
    if r < 0:
        fail(RuntimeError, f"Expect a non-negative number, but got {r}")
    if r == 0:
        return wrap(np.empty(0, input._array.dtype))
    n = input.numel()
    places = np.indices((n,) * r)
    pairs = itertools.pairwise(places)
    rising = [a <= b if with_replacement else a < b for a, b in pairs]
    mask = wrap(np.logical_and.reduce(rising) if rising else np.ones((n,) * r, bool))
    return stack([masked_select(g, mask) for g in meshgrid(*[input] * r, indexing="ij")], dim=1)


# NumPy's functions on tensors


def _mixed(arrays: Any) -> list[Tensor]:
    """Arrays among tensors as tensors."""
    return [x if isinstance(x, Tensor) else wrap(np.asarray(x)) for x in arrays]


def _numpy_concatenate(arrays: Any, /, axis: Any = 0, out: Any = None) -> Any:
    arrays = _mixed(arrays)
    if axis is None:
        arrays, axis = [x.flatten() for x in arrays], 0
    return cat(arrays, axis, out=out)


def _numpy_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return list(tensor_split(ary, indices_or_sections, axis))


NUMPY = {
    np.array_split: lambda ary, indices_or_sections, axis=0: list(
        tensor_split(ary, indices_or_sections, axis)
    ),
    np.column_stack: lambda tup: column_stack(_mixed(tup)),
    np.concatenate: _numpy_concatenate,
    np.dstack: lambda tup: dstack(_mixed(tup)),
    np.hstack: lambda tup: hstack(_mixed(tup)),
    np.split: _numpy_split,
    np.stack: lambda arrays, axis=0, out=None: stack(_mixed(arrays), axis, out=out),
    np.vstack: lambda tup: vstack(_mixed(tup)),
}
