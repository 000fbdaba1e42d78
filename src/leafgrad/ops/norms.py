"""Norms of vectors, distances, and scaling down to a norm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F32, promote_types
from ..graph.inplace import write
from ..graph.operator import op, result_dtype
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor
from .reductions import (
    as_values,
    cast,
    conj,
    dims_of,
    kept,
    one_dim,
    raised,
    sum_dim,
    tie_weights,
    torch_arguments,
    total,
)

__all__ = ["dist", "norm", "renorm"]
METHODS = ("dist", "norm", "renorm", "renorm_")


@quietly
def _norm(x: Any, ord: float, dim: Any, keepdim: Any) -> Any:
    kind = x.dtype
    if kind.itemsize == 2:
        return _norm(x.astype(F32), ord, dim, keepdim).astype(kind)
    if ord == 2:
        squares = np.real(x * np.conj(x)) if kind.kind == "c" else x * x
        return np.sqrt(total(squares, dim, keepdim))
    if ord == 0:
        return total(np.not_equal(x, 0), dim, keepdim).astype(np.real(x).dtype)
    size = np.abs(x)
    if ord == 1:
        return total(size, dim, keepdim)
    if ord == math.inf:
        return np.maximum.reduce(size, axis=dim, keepdims=keepdim, initial=0)
    if ord == -math.inf:
        return np.minimum.reduce(size, axis=dim, keepdims=keepdim)
    return total(size**ord, dim, keepdim) ** (1.0 / ord)


def _norm_vjp(g: Any, x: Any, out: Any, ord: float, dim: Any, keepdim: bool) -> Any:
    """PyTorch's subgradients: the shortest one at 0, ties share; none at all of the 0-norm."""
    if ord == 0:
        return None
    shape = x.shape
    g, out = raised(g, shape, dim, keepdim), raised(out, shape, dim, keepdim)
    x = conj(x)
    if ord == 1:
        return g * np.sign(x)
    if math.isinf(ord):
        return np.sign(x) * (g * tie_weights(np.abs(x), out, dim, True))
    zero = out == 0
    norm = np.where(zero, 1, out)
    if ord == 2:
        return np.where(zero, 0, g / norm) * x
    size = np.abs(np.where(x == 0, 1, x))
    return np.where(zero, 0, g * norm ** (1.0 - ord)) * (np.sign(x) * size ** (ord - 1.0))


@op
def linalg_vector_norm(input, /, ord, dim, keepdim, dtype):
    """(Σ|x|^ord)^(1/ord) over the dimensions `dim`; a count, a maximum or a minimum for the orders
    0, inf and -inf."""
    return _norm(cast(input, dtype), ord, dim, keepdim)


linalg_vector_norm.vjp(
    input=lambda g, input, out, ord, dim, keepdim: _norm_vjp(g, input, out, ord, dim, keepdim)
)


@op(name="dist", promote="same", elementwise=False)
def distance(input, other, /, p):
    """The p-norm of input − other."""
    return _norm(np.subtract(input, other), p, None, False)


def _opposite(g: Any) -> Any:
    return None if g is None else -g


distance.vjp(
    input=lambda g, input, other, out, p: _norm_vjp(g, input - other, out, p, None, False),
    other=lambda g, input, other, out, p: _opposite(
        _norm_vjp(g, input - other, out, p, None, False)
    ),
)


_TINY = 1e-7  # keeps renorm's quotient finite, as in PyTorch


@op(name="renorm")
@quietly
def renormed(input, /, p, dim, maxnorm):
    """Every slice along a dimension scaled down to p-norm `maxnorm` where it exceeds that."""
    rest = tuple(d for d in range(input.ndim) if d != dim)
    norm = _norm(input.astype(F32) if input.dtype.itemsize == 2 else input, p, rest, True)
    scale = np.where(norm > maxnorm, maxnorm / (norm + _TINY), 1)
    return (input * scale).astype(input.dtype, copy=False)


def _renormed_vjp(g, input, p, dim, maxnorm):
    rest = tuple(d for d in range(input.ndim) if d != dim)
    norm = linalg_vector_norm(input, p, rest, True, None)
    along = np.real(sum_dim(input * g, rest, True, None))
    inverse = 1.0 / (norm + _TINY)
    shrunk = maxnorm * inverse * (g - inverse * _norm_vjp(along, input, norm, p, rest, True))
    return np.where(norm > maxnorm, shrunk, g)


renormed.vjp(input=_renormed_vjp)


# The public functions


@torch_arguments
def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *,
                dtype: Any = None) -> Tensor:  # fmt: skip
    """The vector norm (Σ|x|^ord)^(1/ord) of all elements, or over the dimensions `dim`.

    ord: any number, inf for the largest, -inf for the smallest magnitude, 0 for the number of
    elements that are not 0; dtype: convert to it first
    """
    name, array = "linalg.vector_norm", x._array
    if isinstance(ord, Tensor):
        ord = ord.item()
    if not isinstance(ord, (int, float)):
        fail(TypeError, f"linalg_vector_norm(): argument 'ord' must be Number, not "
                        f"{type(ord).__name__}")  # fmt: skip
    if array.dtype.kind in "bui":
        fail(RuntimeError, f"{name}: Expected a floating point or complex tensor as input. Got "
                           f"{x.dtype.legacy}")  # fmt: skip
    if dtype is not None:
        _check_norm_dtype(name, x.dtype, dtype)
    d = dims_of(dim, array.ndim, name)
    if not array.size and (ord < 0 or ord == math.inf):
        shape, order = array.shape, f"{ord:g}"
        if d is None:
            fail(RuntimeError, f"{name} cannot compute the {order} norm on an empty tensor because "
                               "the operation does not have an identity")  # fmt: skip
        for each in (d,) if isinstance(d, int) else d:
            if shape[each] == 0:
                fail(RuntimeError, f"{name} cannot compute the {order} norm on the dimension "
                                   f"{each}because this dimension is empty and the operation does "
                                   "not have an identity")  # fmt: skip
    return linalg_vector_norm(x, float(ord), d, keepdim, dtype)


def _check_norm_dtype(name: str, have: Any, dtype: Any) -> None:
    if dtype.category < 2:
        fail(RuntimeError, f"{name}: dtype should be floating point or complex, but got "
                           f"{dtype.legacy}")  # fmt: skip
    if have.is_complex != dtype.is_complex:
        kind = "complex" if have.is_complex else "real"
        fail(RuntimeError, f"{name}: dtype should be {kind} for {kind} inputs, but got "
                           f"{dtype.legacy}")  # fmt: skip
    if promote_types(have, dtype) is not dtype:
        fail(RuntimeError, f"{name}: the dtype of the input ({have.legacy}) should be "
                           "convertible without narrowing to the specified dtype "
                           f"({dtype.legacy})")  # fmt: skip


@torch_arguments(out=as_values)
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False,
         dtype: Any = None) -> Tensor:  # fmt: skip
    """The p-norm of all elements, or over the dimensions `dim`; see `linalg.vector_norm`.

    p: a number, "fro" (the 2-norm of all elements) or "nuc" (the sum of the singular values)
    """
    if not isinstance(p, str):
        return vector_norm(input, 2 if p is None else p, dim, keepdim, dtype=dtype)
    if p == "fro" and (dim is None or isinstance(dim, int) or len(dim) <= 2):
        return vector_norm(input, 2, dim, keepdim, dtype=dtype)
    dims = tuple(range(input._array.ndim)) if dim is None else dim
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(dims) != 2:
        fail(RuntimeError, "linalg.matrix_norm: dim must be a 2-tuple. Got "
                           f"{' '.join(map(str, dims))}")  # fmt: skip
    if p not in ("fro", "nuc"):
        fail(RuntimeError, f"linalg.matrix_norm: Order {p} not supported.")
    return _nuclear_norm(input, dims, keepdim, dtype)


def _nuclear_norm(input: Any, dims: tuple[int, ...], keepdim: bool, dtype: Any) -> Tensor:
    """The sum of the singular values of the matrices over two dimensions."""
    rows, columns = (one_dim(d, input.ndim, "norm") for d in dims)
    if rows == columns:
        fail(RuntimeError, f"dim {rows} appears multiple times in the list of dims")
    matrices = input.movedim((rows, columns), (-2, -1))
    total = (matrices if dtype is None else matrices.to(dtype)).svd()[1].sum(-1)
    return total.reshape(kept(input.shape, (rows, columns))) if keepdim else total


@torch_arguments
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input − other (broadcast)."""
    common = result_dtype((input._array, other._array))
    if common.category < 2:
        fail(RuntimeError, "norm(): input dtype should be either floating point or complex. Got "
                           f"{common.legacy} instead.")  # fmt: skip
    return distance(input, other, float(p))


def _renorm_arguments(input: Tensor, p: Any, dim: int, maxnorm: Any) -> tuple[Any, ...]:
    array = input._array
    if p <= 0:
        fail(RuntimeError, "renorm: non-positive-norm not supported")
    if maxnorm < 0:
        fail(RuntimeError, f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if array.ndim < 2:
        fail(RuntimeError, "renorm: input needs at least 2 dimensions, got "
                           f"{array.ndim} dimensions")  # fmt: skip
    if array.dtype.kind in "bui":
        fail(RuntimeError, "linalg.vector_norm: Expected a floating point or complex tensor as "
                           f"input. Got {input.dtype.legacy}")  # fmt: skip
    return float(p), one_dim(dim, array.ndim, "renorm"), float(maxnorm)


@torch_arguments(out=as_values)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each slice along `dim` scaled down to p-norm `maxnorm` where it exceeds that."""
    return renormed(input, *_renorm_arguments(input, p, dim, maxnorm))


def renorm_(self: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """In-place version of renorm."""
    return write(renormed.op, self, (), _renorm_arguments(self, p, dim, maxnorm))
