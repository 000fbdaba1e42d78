"""More products: with a sum (`addmm` and its like), of a linear layer, of several matrices, of
Kronecker, of vectors in space.

The plain ones are in `matrix_products`, those by labelled dimensions in `contractions`.
"""

from __future__ import annotations

import itertools
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype
from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, normal_dim
from .contractions import contract, einsum
from .matrices import agreeing, check_inexact, matrix_function, must_be_tensor
from .matrix_products import (
    IN_C,
    as_rows,
    batched_product,
    c_name,
    check_batches,
    check_matrices,
    fail_shapes,
    legacy,
    matmul,
    plain_dot,
    plain_matmul,
    product,
    swapped,
    vdot,
)
from .shape import diagonal

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bilinear", "chain_matmul", "cross", "kron",
]  # fmt: skip
METHODS = ("addbmm", "addmm", "addmv", "addr", "baddbmm", "cross", "kron")
IN_PLACE = ("addbmm", "addmm", "addmv", "addr", "baddbmm")


# A product and a sum


def _scaled(g: Any, factor: Any) -> Any:
    return g if factor == 1 else g * factor


def _expanded(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` if it broadcasts to `shape`, else PyTorch's error."""
    extra = len(shape) - x.ndim
    if extra < 0:
        raise RuntimeError(
            f"The number of sizes provided ({len(shape)}) must be greater or equal to the number "
            f"of dimensions in the tensor ({x.ndim})"
        )
    for back in range(1, x.ndim + 1):
        have, want = x.shape[-back], shape[-back]
        if have != want and have != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({want}) must match the existing size ({have}) "
                f"at non-singleton dimension {len(shape) - back}.  Target sizes: {list(shape)}.  "
                f"Tensor sizes: {list(x.shape)}"
            )
    return x


def _total(product: Any, alpha: Any, addend: Any, beta: Any) -> Any:
    """beta · addend + alpha · product, in the dtype and shape of the product."""
    kind = product.dtype
    if kind.kind in "iu":
        alpha, beta = int(alpha), int(beta)
    _expanded(addend, product.shape)
    found = _scaled(product, alpha)
    if beta != 0:  # 0 · nan counts as 0
        found = found + _scaled(addend, beta)
    return found if found.dtype == kind else found.astype(kind)


def _check_addend(addend: Any, mat2: Any) -> None:
    if addend.dtype != mat2.dtype:
        raise RuntimeError("self and mat2 must have the same dtype, but got "
                           f"{legacy(addend)} and {legacy(mat2)}")  # fmt: skip


def _check_addmm(addend: Any, mat1: Any, mat2: Any) -> None:
    _check_addend(addend, mat2)
    for name, each in (("mat1", mat1), ("mat2", mat2)):
        if each.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {each.ndim}-D tensor")
    if mat1.dtype != mat2.dtype:
        raise RuntimeError("mat1 and mat2 must have the same dtype, but got "
                           f"{legacy(mat1)} and {legacy(mat2)}")  # fmt: skip
    if mat1.shape[1] != mat2.shape[0]:
        fail_shapes(mat1, mat2)


@op
@quietly
def addmm(input, mat1, mat2, /, beta=1, alpha=1):
    """beta · input + alpha · (mat1 @ mat2): f[n, m], f[n, k], f[k, m] -> f[n, m]."""
    _check_addmm(input, mat1, mat2)
    return _total(plain_dot(mat1, mat2), alpha, input, beta)


addmm.vjp(
    input=lambda g, beta: _scaled(g, beta),
    mat1=lambda g, mat2, alpha: _scaled(product(g, np.transpose(mat2)), alpha),
    mat2=lambda g, mat1, alpha: _scaled(product(np.transpose(mat1), g), alpha),
)


@op
@quietly
def addmv(input, mat, vec, /, beta=1, alpha=1):
    """beta · input + alpha · (mat @ vec): f[n], f[n, k], f[k] -> f[n]."""
    if mat.ndim != 2 or vec.ndim != 1 or input.ndim > 1:
        raise RuntimeError("vector + matrix @ vector expected, got "
                           f"{max(input.ndim, 1)}, {mat.ndim}, {vec.ndim}")  # fmt: skip
    n, k = mat.shape
    if k != vec.shape[0] or input.size not in (1, n):
        raise RuntimeError(f"size mismatch, got input ({input.size}), mat ({n}x{k}), vec "
                           f"({vec.shape[0]})")  # fmt: skip
    if not input.dtype == mat.dtype == vec.dtype:
        raise RuntimeError("addmv input tensors must have the same dtype, but got "
                           f"{legacy(input)}, {legacy(mat)}, and {legacy(vec)}")  # fmt: skip
    return _total(plain_dot(mat, vec), alpha, input, beta)


addmv.vjp(
    input=lambda g, beta: _scaled(g, beta),
    mat=lambda g, vec, alpha: _scaled(np.outer(g, vec), alpha),
    vec=lambda g, mat, alpha: _scaled(product(np.transpose(mat), g), alpha),
)


def _check_batch_ranks(batch1: Any, batch2: Any) -> None:
    for each in (batch1, batch2):
        if each.ndim != 3:
            normal_dim(2, each.ndim)
            raise RuntimeError(f"batch tensors must be 3D, got {each.ndim}D")


@op
@quietly
def addbmm(input, batch1, batch2, /, beta=1, alpha=1):
    """beta · input + alpha · the sum of a batch's products: f[n, m], f[b, n, k], f[b, k, m]."""
    _check_batch_ranks(batch1, batch2)
    (b, n, k), m = batch1.shape, batch2.shape[2]
    if b != batch2.shape[0]:
        raise RuntimeError("batch1 and batch2 must have same number of batches, got "
                           f"{b} and {batch2.shape[0]}")  # fmt: skip
    if k != batch2.shape[1]:
        raise RuntimeError("Incompatible matrix sizes for bmm "
                           f"({n}x{k} and {batch2.shape[1]}x{m})")  # fmt: skip
    _check_addend(input, batch2)
    # All products and their sum as one: the batch joins the dimension that is summed.
    left = np.reshape(np.swapaxes(batch1, 0, 1), (n, b * k))
    return _total(plain_dot(left, np.reshape(batch2, (b * k, m))), alpha, input, beta)


addbmm.vjp(
    input=lambda g, beta: _scaled(g, beta),
    batch1=lambda g, batch2, alpha: _scaled(batched_product(g, swapped(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _scaled(batched_product(swapped(batch1), g), alpha),
)


@op
@quietly
def baddbmm(input, batch1, batch2, /, beta=1, alpha=1):
    """beta · input + alpha · (batch1 @ batch2): f[b, n, m], f[b, n, k], f[b, k, m]."""
    _check_batch_ranks(batch1, batch2)
    if not input.dtype == batch1.dtype == batch2.dtype:
        raise RuntimeError(f"Input dtypes must be the same, got: input {c_name(input)}, batch1: "
                           f"{c_name(batch1)}, batch2: {c_name(batch2)}")  # fmt: skip
    check_batches(batch1, batch2, batch1.shape[0], batch2.shape[0])
    return _total(plain_matmul(batch1, batch2), alpha, input, beta)


baddbmm.vjp(
    input=lambda g, beta: _scaled(g, beta),
    batch1=lambda g, batch2, alpha: _scaled(batched_product(g, swapped(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _scaled(batched_product(swapped(batch1), g), alpha),
)


@op(promote="same", elementwise=False)
@quietly
def addr(input, vec1, vec2, /, beta=1, alpha=1):
    """beta · input + alpha · outer(vec1, vec2): f[n, m], f[n], f[m] -> f[n, m]."""
    for name, each in (("vec1", vec1), ("vec2", vec2)):
        if each.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {each.ndim}-D")
    for name, number in (("beta", beta), ("alpha", alpha)):
        if vec1.dtype.kind in "iu" and isinstance(number, float):
            raise RuntimeError(f"For integral input tensors, argument {name} must not be a "
                               "floating point number.")  # fmt: skip
    return _total(np.expand_dims(vec1, 1) * vec2, alpha, input, beta)


addr.vjp(
    input=lambda g, beta: _scaled(g, beta),
    vec1=lambda g, vec2, alpha: _scaled(product(g, vec2), alpha),
    vec2=lambda g, vec1, alpha: _scaled(product(vec1, g), alpha),
)


# A linear layer: one operator for the product with the transposed weight and the bias


def _linear(input: Any, weight: Any, bias: Any) -> Any:
    rows = as_rows(input)
    if rows.dtype is not weight.dtype or (bias is not None and bias.dtype is not weight.dtype):
        _check_linear(rows, weight, bias)
    columns = np.transpose(weight)
    try:
        found = plain_dot(rows, columns)
    except ValueError:
        fail_shapes(
            rows, columns,
            f"the weight takes {weight.shape[1]} features, the input's last dimension is "
            f"{input.shape[-1]}: its shape is {list(input.shape)}",
            "to do: bring the features into the last dimension: input.flatten(1), .reshape(...)",
        )  # fmt: skip
    if bias is not None:
        if bias.shape != weight.shape[:1]:
            _expanded(bias, found.shape)
        found = np.add(found, bias)
    return found if rows is input else np.reshape(found, (*input.shape[:-1], weight.shape[0]))


def _check_linear(rows: Any, weight: Any, bias: Any) -> None:
    if bias is None:
        check_matrices(rows, weight)
    elif rows.dtype != weight.dtype:
        fail(RuntimeError, "mat1 and mat2 must have the same dtype, but got "
                           f"{legacy(rows)} and {legacy(weight)}",
             f"the input is {from_numpy_dtype(rows.dtype)}, the weight "
             f"{from_numpy_dtype(weight.dtype)}; arrays from NumPy are mostly float64",
             "to do: convert the input (.float()), or the layer (.double())")  # fmt: skip
    else:
        _check_addend(bias, weight)


def _linear_input(g: Any, weight: Any) -> Any:
    if g.ndim == 2:
        return product(g, weight)
    return np.reshape(product(as_rows(g), weight), (*g.shape[:-1], weight.shape[1]))


_LINEAR_RULES = {
    "input": _linear_input,
    "weight": lambda g, input: product(np.transpose(as_rows(g)), as_rows(input)),
}
_LINEAR_FORWARD: dict[str, Any] = {
    "input": lambda t, weight: np.matmul(t, np.transpose(weight)),
    "weight": lambda t, input: np.matmul(input, np.transpose(t)),
}


def _linear_op(node: str) -> Any:
    @op(name="linear", node=node)
    @quietly
    def linear(input, weight):
        """input @ weight.T: f[..., k], f[m, k] -> f[..., m]."""
        return _linear(input, weight, None)

    return linear.vjp(**_LINEAR_RULES).jvp(**_LINEAR_FORWARD)


def _linear_bias_op(node: str) -> Any:
    @op(name="linear", node=node)
    @quietly
    def linear(input, weight, bias):
        """input @ weight.T + bias: f[..., k], f[m, k], f[m] -> f[..., m]."""
        return _linear(input, weight, bias)

    linear.vjp(**_LINEAR_RULES, bias=lambda g: as_rows(g))
    return linear.jvp(**_LINEAR_FORWARD, bias=lambda t: t)


_linear_matrix = _linear_op("MmBackward0")
_linear_vector = _linear_op("SqueezeBackward4")
_linear_batch = _linear_op("UnsafeViewBackward0")
_linear_matrix_bias = _linear_bias_op("AddmmBackward0")
_linear_batch_bias = _linear_bias_op("ViewBackward0")


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None, *,
           out: Any = None) -> Tensor:  # fmt: skip
    """input @ weight.T + bias: f[..., k], f[m, k], f[m] -> f[..., m].

    A weight of one dimension, f[k], gives f[...].
    """
    if out is not None:
        return write_out("linear", out, linear, (input, weight, bias), {})
    m, n = input.ndim, weight.ndim
    if n == 2 and m == 2:
        if bias is None:
            return _linear_matrix(input, weight)
        return _linear_matrix_bias(input, weight, bias)
    if not m or not n:
        fail(RuntimeError, "both arguments to linear need to be at least 1D, but they are "
                           f"{m}D and {n}D")  # fmt: skip
    if n == 1 and m == 2 and bias is not None:
        fail(RuntimeError, "mat2 must be a matrix, got 1-D tensor")
    if n == 1:
        found = matmul(input, weight)
        return found if bias is None else found + bias
    if bias is not None:
        return _linear_batch_bias(input, weight, bias)
    return _linear_vector(input, weight) if m == 1 else _linear_batch(input, weight)


# Of more than two, and more


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input1 @ weight[o] @ input2, for each o: f[..., i], f[..., j], f[o, i, j] -> f[..., o]."""
    for d, (m, n) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=False)):
        if m != n:
            fail(RuntimeError, "bilinear(): input batch dimensions do not match at dim "
                               f"{d}: got {m} and {n}")  # fmt: skip
    for name, x, size in (("input1", input1, weight.shape[1]), ("input2", input2, weight.shape[2])):
        if x.shape[-1] != size:
            fail(RuntimeError, f"bilinear(): {name} size does not match weight size: got "
                               f"{x.shape[-1]} but expected {size}")  # fmt: skip
    found = einsum("...i,oij,...j->...o", input1, weight, input2)
    return found if bias is None else found + bias


@op(promote="same", node="UnsafeViewBackward0", elementwise=False)
@quietly
def kron(input, other):
    """Kronecker's product: every element of `input`, times all of `other` in its place."""
    one, two = _same_ranks(np.shape(input), np.shape(other))
    found = np.reshape(input, [n for size in one for n in (size, 1)])
    found = found * np.reshape(other, [n for size in two for n in (1, size)])
    return np.reshape(found, tuple(map(operator.mul, one, two)))


def _same_ranks(*shapes: Any) -> list[tuple[int, ...]]:
    """Shapes with leading ones, as many as the longest has dimensions more."""
    most = max(map(len, shapes))
    return [(1,) * (most - len(shape)) + tuple(shape) for shape in shapes]


def _kron_rule(g: Any, factor: Any, shape: Any, first: bool) -> Any:
    """The gradient for the first or second factor, from the other one: a sum over its places."""
    mine, other = _same_ranks(shape, factor.shape)
    pairs = zip(mine, other, strict=True) if first else zip(other, mine, strict=True)
    whole = np.reshape(g, [size for pair in pairs for size in pair])
    every = tuple(range(whole.ndim))
    places, rest = (every[::2], every[1::2]) if first else (every[1::2], every[::2])
    return np.reshape(contract(whole, np.reshape(factor, other), every, rest, places), shape)


kron.vjp(
    input=lambda g, input, other: _kron_rule(g, other, input.shape, True),
    other=lambda g, input, other: _kron_rule(g, input, other.shape, False),
)


@op(name="linalg_cross")
@quietly
def cross_product(input, other, /, dim):
    """The cross product of vectors of length 3 along `dim`."""
    if input.dtype != other.dtype:
        raise RuntimeError(f"expected scalar type {legacy(input)} but found {legacy(other)}")
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if not input.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = normal_dim(dim, input.ndim)
    if input.shape[axis] != 3 or other.shape[axis] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got "
                           f"{input.shape[axis]} and {other.shape[axis]}")  # fmt: skip
    return np.cross(input, other, axis=axis)


cross_product.vjp(
    input=lambda g, other, dim: cross_product(other, g, dim),
    other=lambda g, input, dim: cross_product(g, input, dim),
)


@matrix_function("linalg_cross", "input")
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of length 3 along `dim`; the other dimensions broadcast."""
    must_be_tensor("linalg_cross", other, "other", 2)
    return cross_product(input, other, dim)


def cross(input: Any, other: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """The cross product of vectors of length 3 along `dim`, by default the first of size 3."""
    if out is not None:
        return write_out("cross", out, cross, (input, other, dim), {})
    if dim is None:
        warnings.warn(
            "Using torch.cross without specifying the dim arg is deprecated.\nPlease either pass "
            "the dim explicitly or simply use torch.linalg.cross.\nThe default value of dim will "
            "change to agree with that of linalg.cross in a future release.",
            stacklevel=2,
        )
        dim = next((d for d, size in enumerate(input.shape) if size == 3), None)
        if dim is None:
            fail(RuntimeError, "no dimension of size 3 in input")
    return cross_product(input, other, dim)


def multi_dot(tensors: Sequence[Any], *, out: Any = None) -> Any:
    """The product of two or more matrices, in the order that takes the fewest multiplications.

    The first and the last may be vectors.
    """
    if out is not None:
        first = next((t for t in tensors if t.dtype is not out.dtype), None)
        if first is not None:
            fail(RuntimeError, "multi_dot(): expected out tensor to have dtype "
                               f"{c_name(first._array)} but got {c_name(out._array)}")  # fmt: skip
        return write_out("linalg_multi_dot", out, multi_dot, (tensors,), {})
    tensors = list(tensors)
    if len(tensors) < 2:
        fail(RuntimeError, f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, last = tensors[0], tensors[-1]
    for i, x in enumerate(tensors):
        if x.ndim != 2 and not (x.ndim == 1 and (x is first or x is last)):
            allowed = "1D or 2D" if i in (0, len(tensors) - 1) else "2D"
            place = f"tensor {i}" if 0 < i < len(tensors) - 1 else (
                "the first tensor" if not i else "the last tensor")  # fmt: skip
            fail(RuntimeError, f"multi_dot(): {place} must be {allowed} but got {x.ndim}D")
        if x.dtype != first.dtype:
            kinds = f"{c_name(first._array)} and tensor {i} {c_name(x._array)}"
            fail(RuntimeError, "multi_dot(): all tensors must have be the same dtype but tensor 0 "
                               f"is {kinds}")  # fmt: skip
    for i, (x, y) in enumerate(itertools.pairwise(tensors)):
        if x.shape[-1] != y.shape[0]:
            fail(RuntimeError, f"multi_dot(): tensors {i} and {i + 1} with shapes {list(x.shape)} "
                               f"and {list(y.shape)} cannot be multiplied")  # fmt: skip
    rows = 1 if first.ndim == 1 else first.shape[0]
    columns = 1 if last.ndim == 1 else last.shape[1]
    return _chain(tensors, [rows, *(x.shape[-1] for x in tensors[:-1]), columns])


def _chain(tensors: list[Any], sizes: list[int]) -> Any:
    """The product in the best order; tensor i is of sizes[i] by sizes[i + 1]."""
    count = len(tensors)
    cost = [[0] * count for _ in range(count)]
    cut = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i][j], cut[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )

    def multiplied(i: int, j: int) -> Any:
        if i == j:
            return tensors[i]
        return matmul(multiplied(i, cut[i][j]), multiplied(cut[i][j] + 1, j))

    return multiplied(0, count - 1)


def chain_matmul(*matrices: Any, out: Any = None) -> Any:
    """The product of matrices; deprecated in PyTorch for `linalg.multi_dot`."""
    if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)):
        matrices = tuple(matrices[0])
    if not matrices:
        fail(RuntimeError, "chain_matmul(): Expected one or more matrices")
    warnings.warn(
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use "
        "torch.linalg.multi_dot instead, which accepts a list of two or more tensors rather than "
        "multiple parameters.",
        stacklevel=2,
    )
    if len(matrices) == 1:
        return matrices[0]
    return multi_dot(matrices, out=out)


@matrix_function(
    "linalg_vecdot", "x", agreeing("linalg.vecdot: Expected out of dtype{want} but found {have}")
)
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of the vectors along `dim`, of `x` their conjugates; batches broadcast."""
    must_be_tensor("linalg_vecdot", y, "y", 2)
    check_inexact("linalg.vecdot", x)
    if x.dtype is not y.dtype:
        fail(RuntimeError, "linalg.vecdot: Expected x and y to have the same dtype, but found x of "
                           f"type {x.dtype.legacy} and y of type {y.dtype.legacy} "
                           "instead")  # fmt: skip
    if x.ndim == y.ndim == 1:
        normal_dim(dim, 1)
        return vdot(x, y)
    return ((x.conj() if x.is_complex() else x) * y).sum(dim)


def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals of matrices, as the last dimension."""
    return diagonal(A, offset, dim1, dim2)


# As NumPy calls them


def _numpy_cross(a: Any, b: Any, axis: int = -1) -> Any:
    return cross_product(a, b, axis)


EXACT_OUT.update(dict.fromkeys(("addmm", "addmv", "baddbmm", "cross"), IN_C))
EXACT_OUT["addbmm"] = "self and mat2 must have the same dtype, but got {have} and {want}"
NUMPY = {np.kron: kron, np.cross: _numpy_cross}
