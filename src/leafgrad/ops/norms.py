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
from .eigen import svdvals
from .matrices import (
    agreeing,
    check_inexact,
    check_matrix,
    check_wide,
    matrix_function,
    must_be_tensor,
)
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

__all__ = ["dist", "frobenius_norm", "norm", "nuclear_norm", "renorm"]
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


@matrix_function("linalg_vector_norm", "input")
def vector_norm(input: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *,
                dtype: Any = None) -> Tensor:  # fmt: skip
    """The vector norm (Σ|x|^ord)^(1/ord) of all elements, or over the dimensions `dim`.

    ord: any number, inf for the largest, -inf for the smallest magnitude, 0 for the number of
    elements that are not 0; dtype: convert to it first
    """
    name, array = "linalg.vector_norm", input._array
    if isinstance(ord, Tensor):
        ord = ord.item()
    if not isinstance(ord, (int, float)):
        fail(TypeError, f"linalg_vector_norm(): argument 'ord' must be Number, not "
                        f"{type(ord).__name__}")  # fmt: skip
    if array.dtype.kind in "bui":
        fail(RuntimeError, f"{name}: Expected a floating point or complex tensor as input. Got "
                           f"{input.dtype.legacy}")  # fmt: skip
    if dtype is not None:
        _check_norm_dtype(name, input.dtype, dtype)
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
    return linalg_vector_norm(input, float(ord), d, keepdim, dtype)


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


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None,
         dtype: Any = None) -> Tensor:  # fmt: skip
    """The p-norm of all elements, or over the dimensions `dim`; see `linalg.vector_norm`.

    p: a number, "fro" (the 2-norm of all elements) or "nuc" (the sum of the singular values)
    """
    must_be_tensor("norm", input, "input", 1)
    if not isinstance(p, str):
        return vector_norm(input, 2 if p is None else p, dim, keepdim, dtype=dtype, out=out)
    if p == "fro" and (dim is None or isinstance(dim, int) or len(dim) <= 2):
        return vector_norm(input, 2, dim, keepdim, dtype=dtype, out=out)
    dims = tuple(range(input._array.ndim)) if dim is None else dim
    return matrix_norm(input, p, dims, keepdim, dtype=dtype, out=out)


_OUT = "linalg.{name} expected out tensor dtype {{want}} but got: {{have}}"


@matrix_function("linalg_matrix_norm", "input", agreeing(_OUT.format(name="matrix_norm")))
def matrix_norm(input: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
                dtype: Any = None) -> Tensor:  # fmt: skip
    """A norm of the matrices over two dimensions.

    ord: "fro", the 2-norm of all elements; "nuc", the sum of the singular values; 2 and -2, the
    largest and the smallest one; 1 and -1, the largest and smallest sum of magnitudes of a column;
    inf and -inf, of a row. dtype: convert to it first
    """
    name = "linalg.matrix_norm"
    check_inexact(name, input)
    check_matrix(name, input)
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) != 2:
        fail(RuntimeError, f"{name}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    known = ord in ("fro", "nuc") if isinstance(ord, str) else abs(ord) in (1, 2, math.inf)
    if not known:
        fail(RuntimeError, f"{name}: Order {ord if isinstance(ord, str) else f'{ord:g}'} not "
                           "supported.")  # fmt: skip
    row, column = (one_dim(d, input.ndim, "norm") for d in dims)
    if row == column:
        fail(RuntimeError, f"{name}: dims must be different. Got ({row}, {column})")
    if dtype is not None:
        _check_norm_dtype(name, input.dtype, dtype)
    if ord == "fro":
        return vector_norm(input, 2, (row, column), keepdim, dtype=dtype)
    if ord == "nuc" or abs(ord) == 2:
        check_wide(name, input)
        x = input if dtype is None else input.to(dtype)
        rest = [d for d in range(x.ndim) if d not in (row, column)]
        values = svdvals(x.permute(*rest, row, column))
        found = _sum_or_extreme(values, ord, -1, False)
        return found.reshape(kept(input.shape, (row, column))) if keepdim else found
    if math.isinf(ord):
        row, column = column, row
    sums = vector_norm(input, 1, row, keepdim, dtype=dtype)
    return _sum_or_extreme(sums, ord, column - (row < column and not keepdim), keepdim)


def _sum_or_extreme(values: Tensor, ord: Any, dim: int, keepdim: bool) -> Tensor:
    if ord == "nuc":
        return values.sum(dim, keepdim)
    return values.amax(dim, keepdim) if ord > 0 else values.amin(dim, keepdim)


@matrix_function("linalg_norm", "input", agreeing(_OUT.format(name="norm")))
def linalg_norm(input: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *,
                dtype: Any = None) -> Tensor:  # fmt: skip
    """A norm of a vector or a matrix: `matrix_norm` of two dimensions, else `vector_norm`.

    Without `ord` the 2-norm of all elements over the dimensions `dim`.
    """
    dims = (dim,) if isinstance(dim, int) else None if dim is None else tuple(dim)
    if dims is not None and len(dims) not in (1, 2):
        fail(RuntimeError, "linalg.norm: If dim is specified, it must be of length 1 or 2. Got "
                           f"{list(dims)}")  # fmt: skip
    if dims is None and ord is not None and input.ndim not in (1, 2):
        fail(RuntimeError, "linalg.norm: If dim is not specified but ord is, the input must be 1D "
                           f"or 2D. Got {input.ndim}D.")  # fmt: skip
    of_matrix = isinstance(ord, str) or (
        ord is not None and (input.ndim == 2 if dims is None else len(dims) == 2)
    )
    if of_matrix:
        return matrix_norm(input, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype)
    return vector_norm(input, 2 if ord is None else ord, dims, keepdim, dtype=dtype)


@matrix_function("nuclear_norm", "input")
def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False) -> Tensor:
    """The sum of the singular values of matrices."""
    return matrix_norm(input, "nuc", dim, keepdim)


@matrix_function("frobenius_norm", "input")
def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """The 2-norm over at most two dimensions."""
    if input.dtype.category < 2:
        fail(RuntimeError, "norm(): input dtype should be either floating point or complex. Got "
                           f"{input.dtype.legacy} instead.")  # fmt: skip
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) > 2:
        fail(RuntimeError, f"Expected at most 2 dimensions, but got {len(dims)} dimensions "
                           "instead.")  # fmt: skip
    return norm(input, 2, dims, keepdim)


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


NUMPY = {np.linalg.norm: linalg_norm}
