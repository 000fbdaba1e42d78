"""Matrix products: from `dot` to `einsum`, and the product of a linear layer.

The dtypes of the operands must agree: these operators do not promote. Products of 16-bit floats
are summed in float32.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ..dtypes import F32, F64, from_numpy_dtype
from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.quiet import quietly
from ..graph.source import fail, failure
from ..tensor import TENSORS, Tensor, as_array, normal_dim

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bilinear", "bmm", "chain_matmul", "cross",
    "dot", "einsum", "inner", "kron", "matmul", "mm", "mv", "outer", "tensordot", "vdot",
]  # fmt: skip
METHODS = (
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "cross", "dot", "inner", "kron",
    "matmul", "mm", "mv", "outer", "vdot",
)  # fmt: skip
IN_PLACE = ("addbmm", "addmm", "addmv", "addr", "baddbmm")
ALIASES = {"ger": "outer"}


# The product of two arrays


def _dot(x: Any, y: Any, kernel: str = "addmm_impl_cpu_") -> Any:
    """np.dot of arrays of one dtype, in that dtype. `kernel` is PyTorch's name of it."""
    kind = x.dtype
    if kind is F32 or kind is F64:
        return np.dot(x, y)
    return _in_kind(np.dot, x, y, kernel)


def _batched(x: Any, y: Any) -> Any:
    """np.matmul of arrays of one dtype, in that dtype."""
    kind = x.dtype
    if kind is F32 or kind is F64:
        return np.matmul(x, y)
    return _in_kind(np.matmul, x, y, "bmm")


def _in_kind(product: Any, x: Any, y: Any, kernel: str) -> Any:
    kind = x.dtype
    if kind.itemsize == 2 and kind.kind not in "iu":
        return as_array(product(x.astype(F32), y.astype(F32))).astype(kind)
    if kind.kind == "b":
        raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")
    return product(x, y)


def product(a: Any, b: Any) -> Any:
    """a @ b for rules: of arrays, of one or two dimensions each, without a detour."""
    if a.__class__ is np.ndarray and b.__class__ is np.ndarray:
        return _dot(a, b)
    return matmul(a, b)


def _rows(x: Any) -> Any:
    """All leading dimensions as one."""
    shape = tuple(x.shape)
    return x if len(shape) == 2 else np.reshape(x, (math.prod(shape[:-1]), shape[-1]))


def _scaled(g: Any, factor: Any) -> Any:
    return g if factor == 1 else g * factor


# What is wrong with the operands


_C_NAMES = {
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>", "bool": "bool",
    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int",
}  # fmt: skip


def c_name(x: Any) -> str:
    """A dtype as PyTorch's errors sometimes name it: "double"."""
    return _C_NAMES.get(x.dtype.name, x.dtype.name)


def legacy(x: Any) -> str:
    """A dtype as PyTorch's errors mostly name it: "Double"."""
    return from_numpy_dtype(x.dtype).legacy


def _shapes(x: Any, y: Any) -> str:
    return f"({x.shape[0]}x{x.shape[1]} and {y.shape[0]}x{y.shape[1]})"


def _check_matrices(x: Any, y: Any) -> None:
    for name, each in (("self", x), ("mat2", y)):
        if each.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix")
    if x.dtype != y.dtype:
        fail(
            RuntimeError,
            f"expected m1 and m2 to have the same dtype, but got: {c_name(x)} != {c_name(y)}",
            *_dtype_lines(x, y),
        )


def _dtype_lines(x: Any, y: Any) -> tuple[str, str]:
    names = from_numpy_dtype(x.dtype), from_numpy_dtype(y.dtype)
    return (f"the first is {names[0]}, the second {names[1]}; arrays from NumPy are mostly float64",
            f"to do: convert one of them: .to({names[1]}) or .to({names[0]})")  # fmt: skip


def _fail_shapes(x: Any, y: Any, *more: str) -> NoReturn:
    if not more:
        more = (f"the first has {x.shape[1]} columns, the second {y.shape[0]} rows: these must be "
                "equal",)  # fmt: skip
        if x.shape[1] == y.shape[1]:
            more = (*more, "to do: transpose the second: a @ b.T")
        elif x.shape[0] == y.shape[0]:
            more = (*more, "to do: transpose the first: a.T @ b")
    raise failure(RuntimeError, f"mat1 and mat2 shapes cannot be multiplied {_shapes(x, y)}", *more) from None


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


# Vectors and matrices


@op
@quietly
def mm(input, mat2):
    """The product of two matrices: f[n, k], f[k, m] -> f[n, m]."""
    if input.dtype is not mat2.dtype or input.ndim != 2 or mat2.ndim != 2:
        _check_matrices(input, mat2)
    try:
        return _dot(input, mat2)
    except ValueError:
        _fail_shapes(input, mat2)


mm.vjp(
    input=lambda g, mat2: product(g, np.transpose(mat2)),
    mat2=lambda g, input: product(np.transpose(input), g),
)


@op
@quietly
def mv(input, vec):
    """The product of a matrix and a vector: f[n, k], f[k] -> f[n]."""
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input.ndim}, {vec.ndim}")
    if input.dtype != vec.dtype:
        raise RuntimeError("addmv input tensors must have the same dtype, but got "
                           f"{legacy(vec)}, {legacy(input)}, and {legacy(vec)}")  # fmt: skip
    n, k = input.shape
    if k != vec.shape[0]:
        raise RuntimeError(f"size mismatch, got input ({n}), mat ({n}x{k}), vec ({vec.shape[0]})")
    return _dot(input, vec, "addmv_impl_cpu")


mv.vjp(
    input=lambda g, vec: np.outer(g, vec),
    vec=lambda g, input: product(np.transpose(input), g),
)


@op(name="matmul", node="SqueezeBackward4")
@quietly
def vector_matrix(input, other):
    """The product of a vector and a matrix: f[k], f[k, m] -> f[m]."""
    if input.dtype != other.dtype or input.shape[0] != other.shape[0]:
        row = np.expand_dims(input, 0)
        _check_matrices(row, other)
        _fail_shapes(row, other)
    return _dot(input, other)


vector_matrix.vjp(
    input=lambda g, other: product(other, g),
    other=lambda g, input: np.outer(input, g),
)


def _check_vectors(x: Any, y: Any) -> None:
    if x.ndim != 1 or y.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {x.ndim}D and {y.ndim}D tensors")
    if x.dtype != y.dtype:
        raise RuntimeError("dot : expected both vectors to have same dtype, but found "
                           f"{legacy(x)} and {legacy(y)}")  # fmt: skip
    if x.shape != y.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{x.size}] and src [{y.size}] to have the "
            f"same number of elements, but got {x.size} and {y.size} elements respectively"
        )
    if x.dtype.kind == "b":
        raise NotImplementedError("\"dot\" not implemented for 'Bool'")


@op
@quietly
def dot(input, tensor):
    """The inner product of two vectors: f[n], f[n] -> f[]."""
    _check_vectors(input, tensor)
    return _dot(input, tensor)


dot.vjp(input=lambda g, tensor: g * tensor, tensor=lambda g, input: g * input)


@op
@quietly
def vdot(input, other):
    """The inner product of two vectors, of the first its conjugate: f[n], f[n] -> f[]."""
    _check_vectors(input, other)
    return _dot(np.conj(input), other)


vdot.vjp(
    input=lambda g, other: np.conj(g * other),
    other=lambda g, input: g * np.conj(input),
)


@op(node="MulBackward0", promote="same", elementwise=False)
@quietly
def outer(input, vec2):
    """All products of the elements of two vectors: f[n], f[m] -> f[n, m]."""
    for name, each in (("self", input), ("vec2", vec2)):
        if np.ndim(each) != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {np.ndim(each)}-D")
    return np.expand_dims(input, 1) * vec2


outer.vjp(
    input=lambda g, vec2: product(g, vec2),
    vec2=lambda g, input: product(input, g),
)


# Batches


@op
@quietly
def bmm(input, mat2):
    """The products of two batches of matrices: f[b, n, k], f[b, k, m] -> f[b, n, m]."""
    for name, each in (("batch1", input), ("batch2", mat2)):
        if each.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    _check_batches(input, mat2, input.shape[0], mat2.shape[0])
    return _batched(input, mat2)


def _check_batches(x: Any, y: Any, batch: int, other: int) -> None:
    if x.dtype != y.dtype:
        raise RuntimeError(f"expected scalar type {legacy(x)} but found {legacy(y)}")
    if batch != other or x.shape[-1] != y.shape[-2]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{batch}, {x.shape[-1]}] but got: [{other}, {y.shape[-2]}]."
        )


def batched_product(a: Any, b: Any) -> Any:
    """a @ b for rules: of arrays without a detour."""
    if a.__class__ is np.ndarray and b.__class__ is np.ndarray:
        return _batched(a, b)
    return matmul(a, b)


def _swapped(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


BATCH_RULES: dict[str, Any] = {
    "input": lambda g, other: batched_product(g, _swapped(other)),
    "other": lambda g, input: batched_product(_swapped(input), g),
}
bmm.vjp(
    input=lambda g, mat2: batched_product(g, _swapped(mat2)),
    mat2=lambda g, input: batched_product(_swapped(input), g),
)


@quietly
def _matmul_batches(input, other):
    """Products of matrices, batches broadcast: f[..., n, k], f[..., k, m] -> f[..., n, m]."""
    try:
        if input.dtype is other.dtype and input.shape[-1] == other.shape[-2]:
            return _batched(input, other)
    except ValueError:
        pass
    return _fail_batches(input, other)


def _fail_batches(x: Any, y: Any) -> Any:
    one, two = x.shape[:-2], y.shape[:-2]
    for back in range(1, min(len(one), len(two)) + 1):
        m, n = one[-back], two[-back]
        if m != n and m != 1 and n != 1:
            raise RuntimeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at "
                f"non-singleton dimension {max(len(one), len(two)) - back}"
            )
    batch = math.prod(np.broadcast_shapes(one, two))
    _check_batches(x, y, batch, batch)
    return _batched(x, y)


matmul_batches = op(name="matmul", node="UnsafeViewBackward0")(_matmul_batches).vjp(**BATCH_RULES)
matrix_batches = op(name="matmul", node="CloneBackward0")(_matmul_batches).vjp(**BATCH_RULES)
# PyTorch transposes the result of such a product, which of one row or column needs no copy.
row_batches = op(name="matmul", node="TransposeBackward0")(_matmul_batches).vjp(**BATCH_RULES)


@op(name="matmul", node="UnsafeViewBackward0")
@quietly
def batch_matrix(input, other):
    """One matrix or vector for a whole batch: f[..., k], f[k, m] -> f[..., m], or f[k] -> f[...].

    One product of the batch's rows, and likewise in the derivatives.
    """
    rows = _rows(input)
    if input.dtype != other.dtype or rows.shape[1] != other.shape[0]:
        (mm if other.ndim == 2 else mv)(rows, other)  # raises what is wrong
    return np.reshape(_dot(rows, other), (*input.shape[:-1], *other.shape[1:]))


def _batch_matrix_input(g: Any, other: Any) -> Any:
    if other.ndim == 1:
        return np.expand_dims(g, -1) * other
    found = product(_rows(g), np.transpose(other))
    return np.reshape(found, (*g.shape[:-1], other.shape[0]))


def _batch_matrix_other(g: Any, input: Any, other_shape: Any) -> Any:
    rows = _rows(input)
    return product(np.transpose(rows), np.reshape(g, (rows.shape[0], *other_shape[1:])))


batch_matrix.vjp(input=_batch_matrix_input, other=_batch_matrix_other)


@op(name="matmul", node="UnsafeViewBackward0")
@quietly
def vector_batches(input, other):
    """The products of a vector with a batch of matrices: f[k], f[..., k, m] -> f[..., m]."""
    if input.dtype != other.dtype or input.shape[0] != other.shape[-2]:
        _fail_batches(np.expand_dims(input, 0), other)
    return _batched(input, other)


vector_batches.vjp(
    input=lambda g, other: batched_product(other, np.expand_dims(g, -1))[..., 0],
    other=lambda g, input: np.expand_dims(input, -1) * np.expand_dims(g, -2),
)


# The operator by the two ranks, of which 3 stands for all from there on.
_BY_RANKS = {
    (1, 1): dot, (2, 1): mv, (1, 2): vector_matrix, (2, 2): mm, (3, 1): batch_matrix,
    (3, 2): batch_matrix, (1, 3): vector_batches, (2, 3): matrix_batches, (3, 3): matmul_batches,
}  # fmt: skip


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """The matrix product of two tensors.

    Vectors count as a row on the left, as a column on the right. Of more than two dimensions, the
    last two are the matrices'; those before broadcast.
    """
    if out is not None:
        return write_out("matmul", out, matmul, (input, other), {})
    for position, value in enumerate((input, other), 1):
        if value.__class__ not in TENSORS and not hasattr(value, "__array_ufunc__"):
            fail(TypeError, f"matmul(): argument '{('input', 'other')[position - 1]}' (position "
                            f"{position}) must be Tensor, not {type(value).__name__}")  # fmt: skip
    m, n = input.ndim, other.ndim
    call = _BY_RANKS.get((m if m < 3 else 3, n if n < 3 else 3))
    if call is None:
        fail(RuntimeError, "both arguments to matmul need to be at least 1D, but they are "
                           f"{m}D and {n}D")  # fmt: skip
    if call is matrix_batches and (input.shape[0] == 1 or other.shape[-1] == 1):
        call = row_batches
    return call(input, other)


def _matmul_operator(self: Any, other: Any) -> Any:
    if other.__class__ not in TENSORS and not hasattr(other, "__array_ufunc__"):
        return NotImplemented
    return matmul(self, other)


def _matmul_reflected(self: Any, other: Any) -> Any:
    return matmul(other, self) if hasattr(other, "__array_ufunc__") else NotImplemented


Tensor.__matmul__ = _matmul_operator  # type: ignore[attr-defined]
Tensor.__rmatmul__ = _matmul_reflected  # type: ignore[attr-defined]


# A product and a sum


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
        _fail_shapes(mat1, mat2)


@op
@quietly
def addmm(input, mat1, mat2, /, beta=1, alpha=1):
    """beta · input + alpha · (mat1 @ mat2): f[n, m], f[n, k], f[k, m] -> f[n, m]."""
    _check_addmm(input, mat1, mat2)
    return _total(_dot(mat1, mat2), alpha, input, beta)


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
    return _total(_dot(mat, vec), alpha, input, beta)


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
    return _total(_dot(left, np.reshape(batch2, (b * k, m))), alpha, input, beta)


addbmm.vjp(
    input=lambda g, beta: _scaled(g, beta),
    batch1=lambda g, batch2, alpha: _scaled(batched_product(g, _swapped(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _scaled(batched_product(_swapped(batch1), g), alpha),
)


@op
@quietly
def baddbmm(input, batch1, batch2, /, beta=1, alpha=1):
    """beta · input + alpha · (batch1 @ batch2): f[b, n, m], f[b, n, k], f[b, k, m]."""
    _check_batch_ranks(batch1, batch2)
    if not input.dtype == batch1.dtype == batch2.dtype:
        raise RuntimeError(f"Input dtypes must be the same, got: input {c_name(input)}, batch1: "
                           f"{c_name(batch1)}, batch2: {c_name(batch2)}")  # fmt: skip
    _check_batches(batch1, batch2, batch1.shape[0], batch2.shape[0])
    return _total(_batched(batch1, batch2), alpha, input, beta)


baddbmm.vjp(
    input=lambda g, beta: _scaled(g, beta),
    batch1=lambda g, batch2, alpha: _scaled(batched_product(g, _swapped(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _scaled(batched_product(_swapped(batch1), g), alpha),
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
    rows = _rows(input)
    if rows.dtype is not weight.dtype or (bias is not None and bias.dtype is not weight.dtype):
        _check_linear(rows, weight, bias)
    columns = np.transpose(weight)
    try:
        found = _dot(rows, columns)
    except ValueError:
        _fail_shapes(
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
        _check_matrices(rows, weight)
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
    return np.reshape(product(_rows(g), weight), (*g.shape[:-1], weight.shape[1]))


_LINEAR_RULES = {
    "input": _linear_input,
    "weight": lambda g, input: product(np.transpose(_rows(g)), _rows(input)),
}


def _linear_op(node: str) -> Any:
    @op(name="linear", node=node)
    @quietly
    def linear(input, weight):
        """input @ weight.T: f[..., k], f[m, k] -> f[..., m]."""
        return _linear(input, weight, None)

    return linear.vjp(**_LINEAR_RULES)


def _linear_bias_op(node: str) -> Any:
    @op(name="linear", node=node)
    @quietly
    def linear(input, weight, bias):
        """input @ weight.T + bias: f[..., k], f[m, k], f[m] -> f[..., m]."""
        return _linear(input, weight, bias)

    return linear.vjp(**_LINEAR_RULES, bias=lambda g: _rows(g))


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


# Sums of products by labelled dimensions: a label is an integer, one for each dimension


@functools.lru_cache(maxsize=1024)
def _plan(left: tuple[int, ...], right: tuple[int, ...], output: tuple[int, ...]) -> Any:
    """How `contract` is a batched product: the order of each operand's dimensions, how many of
    them are the batch's, the sum's, the left's own, and the order of the result's."""
    shared = [n for n in left if n in right]
    batch = [n for n in shared if n in output]
    summed = [n for n in shared if n not in output]
    mine = [n for n in left if n not in right]
    other = [n for n in right if n not in left]
    found = batch + mine + other
    return (
        tuple(left.index(n) for n in batch + mine + summed),
        tuple(right.index(n) for n in batch + summed + other),
        len(batch), len(summed), len(mine),
        tuple(found.index(n) for n in output),
    )  # fmt: skip


@op(node="ViewBackward0")
@quietly
def contract(input, other, /, left, right, output):
    """Products over two labelled tensors, summed over the labels that are not in `output`.

    left, right: the labels of the operands. None stands twice in one; each stands in the other
    operand or in the output.
    """
    if input.dtype != other.dtype:
        raise RuntimeError(f"expected scalar type {legacy(input)} but found {legacy(other)}")
    order, other_order, batch, summed, mine, result = _plan(left, right, output)
    x, y = np.transpose(input, order), np.transpose(other, other_order)
    b, rows = x.shape[:batch], x.shape[batch : batch + mine]
    columns, k = y.shape[batch + summed :], math.prod(y.shape[batch : batch + summed])
    n, m = math.prod(rows), math.prod(columns)
    if not summed:
        found = np.reshape(x, (*b, n, 1)) * np.reshape(y, (*b, 1, m))
    elif not batch:
        found = _dot(np.reshape(x, (n, k)), np.reshape(y, (k, m)), "bmm")
    else:
        found = _batched(np.reshape(x, (*b, n, k)), np.reshape(y, (*b, k, m)))
    return np.transpose(np.reshape(found, (*b, *rows, *columns)), result)


contract.vjp(
    input=lambda g, other, left, right, output: contract(g, other, output, right, left),
    other=lambda g, input, left, right, output: contract(input, g, left, output, right),
)


@op(node="SumBackward1")
@quietly
def rearrange(input, /, labels, output):
    """Dimensions in another order: of those with one label the diagonal, of those that are not in
    `output` the sum. Dimensions labelled None have size 1, and go."""
    found = input
    if None in labels:
        found = np.reshape(found, tuple(s for s, n in zip(found.shape, labels, strict=True)
                                        if n is not None))  # fmt: skip
        labels = tuple(n for n in labels if n is not None)
    kept = list(dict.fromkeys(labels))
    if len(kept) < len(labels):
        names = [kept.index(n) for n in labels]
        found = np.einsum(found, names, list(range(len(kept))))
    axes = tuple(i for i, n in enumerate(kept) if n not in output)
    if axes:
        kind = np.int64 if found.dtype.kind in "biu" else None
        found = np.add.reduce(found, axis=axes, dtype=kind)
        kept = [n for n in kept if n in output]
    # A copy: this is no view in the graph.
    return np.array(np.transpose(found, [kept.index(n) for n in output]))


def _rearrange_input(g: Any, input_shape: Any, labels: Any, output: Any) -> Any:
    # Each of the input's dimensions has its label's own dimension of g, or one of size 1.
    again = [n in labels[:i] for i, n in enumerate(labels)]
    own = [n in output and not a for n, a in zip(labels, again, strict=True)]
    g = np.transpose(g, [output.index(n) for n, o in zip(labels, own, strict=True) if o])
    g = np.reshape(g, [s if o else 1 for s, o in zip(input_shape, own, strict=True)])
    on_diagonal: Any = None
    for i, n in enumerate(labels):
        if n is not None and again[i]:
            here = _places(input_shape, i) == _places(input_shape, labels.index(n))
            on_diagonal = here if on_diagonal is None else on_diagonal & here
    if on_diagonal is not None:
        g = np.where(on_diagonal, g, 0)
    return np.broadcast_to(g, input_shape)


def _places(shape: Any, dim: int) -> Any:
    """The positions along one dimension, as an array that broadcasts to the shape."""
    return np.reshape(np.arange(shape[dim]), [-1 if d == dim else 1 for d in range(len(shape))])


rearrange.vjp(input=_rearrange_input)


def _letters(text: str, operand: int | None, start: int) -> list[int | None]:
    """The labels of one part of an equation, the place of an ellipsis as None."""
    labels: list[int | None] = []
    i = 0
    while i < len(text):
        letter = text[i]
        if text.startswith("...", i):
            if None in labels:
                whose = "the output" if operand is None else f"operand {operand}"
                fail(RuntimeError, f"einsum(): found '.' for {whose} for which an ellipsis was "
                                   "already found")  # fmt: skip
            labels.append(None)
            i += 2
        elif letter == ".":
            whose = "output" if operand is None else f"operand {operand}"
            fail(RuntimeError, f"einsum(): found '.' for {whose} that is not part of any ellipsis")
        elif letter.isascii() and letter.isalpha():
            labels.append(ord(letter) - ord("A") if letter < "a" else ord(letter) - ord("a") + 26)
        elif letter != " ":
            fail(RuntimeError, f"einsum(): invalid subscript given at index {start + i} in the "
                               "equation string, subscripts must be in [a-zA-Z]")  # fmt: skip
        i += 1
    return labels


def _label_text(label: int) -> str:
    return chr(label + ord("A")) if label < 26 else chr(label - 26 + ord("a"))


def _parsed(equation: str) -> tuple[list[list[int | None]], list[int | None] | None]:
    """The labels of each operand and, where the equation gives them, of the output."""
    left, arrow, right = equation.partition("->")
    parts, start = [], 0
    for operand, part in enumerate(left.split(",")):
        parts.append(_letters(part, operand, start))
        start += len(part) + 1
    return parts, _letters(right, None, start + 1) if arrow else None


def _listed(args: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[int | None] | None]:
    """Operands, labels and output labels of the form einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    output = args[-1] if len(args) % 2 else None
    pairs = args[: len(args) // 2 * 2]

    def labels(given: Sequence[Any]) -> list[int | None]:
        for n in given:
            if n is not Ellipsis and not 0 <= n < 52:
                fail(ValueError, f"einsum(): expected subscript {n} to be within the range "
                                 "[0, 52), but got " + str(n))  # fmt: skip
        return [None if n is Ellipsis else int(n) for n in given]

    return (list(pairs[::2]), [labels(given) for given in pairs[1::2]],
            None if output is None else labels(output))  # fmt: skip


def einsum(*args: Any) -> Any:
    """Sums of products of the operands' elements, by Einstein's convention.

    `einsum("ij,jk->ik", a, b)`, or with lists of integers for the letters,
    `einsum(a, [0, 1], b, [1, 2], [0, 2])`. Dimensions of one letter are multiplied elementwise, and
    summed if the output does not have it; a letter twice in one operand takes the diagonal; `...`
    stands for dimensions that broadcast. Operands are multiplied from the left to the right.
    """
    if isinstance(args[0], str):
        operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) \
            else list(args[1:])  # fmt: skip
        parts, wanted = _parsed(args[0])
    else:
        operands, parts, wanted = _listed(args)
    if not operands:
        fail(ValueError, "einsum(): must provide at least one operand")
    if len(parts) != len(operands):
        more = "more" if len(parts) < len(operands) else "fewer"
        fail(RuntimeError, f"einsum(): {more} operands were provided than specified in the "
                           "equation")  # fmt: skip
    labels = [_completed(part, operands[i], i) for i, part in enumerate(parts)]
    sizes = _label_sizes(labels, operands)
    output = _output(wanted, labels)
    # Dimensions of size 1 that others broadcast take no part.
    labels = [[None if x.shape[i] == 1 != sizes[n] else n for i, n in enumerate(row)]
              for row, x in zip(labels, operands, strict=True)]  # fmt: skip
    found, mine = operands[0], labels[0]
    for i, (x, row) in enumerate(zip(operands[1:], labels[1:], strict=True), 1):
        kept = {n for later in labels[i + 1 :] for n in later} | set(output)
        found, mine = _tidied(found, mine, kept | set(row))
        x, row = _tidied(x, row, kept | set(mine))
        both = tuple(n for n in dict.fromkeys([*mine, *row]) if n in kept)
        found, mine = contract(found, x, tuple(mine), tuple(row), both), list(both)
    if tuple(mine) != output or len(operands) == 1:
        found = rearrange(found, tuple(mine), output)
    return found


def _completed(part: list[int | None], x: Any, operand: int) -> list[int]:
    """An operand's labels with those of an ellipsis: -1 for its last dimension, -2 before it..."""
    extra = x.ndim - (len(part) - (None in part))
    if None in part:
        if extra < 0:
            fail(RuntimeError, "einsum(): the number of subscripts in the equation "
                               f"({len(part) - 1}) is more than the number of dimensions "
                               f"({x.ndim}) for operand {operand}")  # fmt: skip
        at = part.index(None)
        return [*part[:at], *range(-extra, 0), *part[at + 1 :]]  # type: ignore[list-item]
    if extra:
        fail(RuntimeError, f"einsum(): the number of subscripts in the equation ({len(part)}) does "
                           f"not match the number of dimensions ({x.ndim}) for operand {operand} "
                           "and no ellipsis was given")  # fmt: skip
    return part  # type: ignore[return-value]


def _label_sizes(labels: list[list[int]], operands: list[Any]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for operand, (row, x) in enumerate(zip(labels, operands, strict=True)):
        own: dict[int, int] = {}
        for n, size in zip(row, x.shape, strict=True):
            if own.setdefault(n, size) != size:
                fail(RuntimeError, f"einsum(): subscript {_label_text(n)} is repeated for "
                                   f"operand {operand} but the sizes don't match, {size} != "
                                   f"{own[n]}")  # fmt: skip
        for n, size in own.items():
            have = sizes.get(n, 1)
            if size != 1 and have not in (1, size):
                name = "from the ellipsis" if n < 0 else _label_text(n)
                fail(RuntimeError, f"einsum(): subscript {name} has size {size} for operand "
                                   f"{operand} which does not broadcast with previously seen "
                                   f"size {have}")  # fmt: skip
            sizes[n] = size if have == 1 else have
    return sizes


def _output(wanted: list[int | None] | None, labels: list[list[int]]) -> tuple[int, ...]:
    """The output's labels: as given, or the ellipsis and then those that stand once, sorted."""
    every = [n for row in labels for n in row]
    dots = sorted({n for n in every if n < 0})
    if wanted is None:
        return (*dots, *sorted(n for n in set(every) if n >= 0 and every.count(n) == 1))
    found: list[int] = []
    for n in wanted:
        if n is None:
            found += dots
            continue
        if n in found:
            fail(RuntimeError, f"einsum(): output subscript {_label_text(n)} appears more than "
                               "once in the output")  # fmt: skip
        if n not in every:
            fail(RuntimeError, f"einsum(): output subscript {_label_text(n)} does not appear in "
                               "the equation for any input operand")  # fmt: skip
        found.append(n)
    return tuple(found)


def _tidied(x: Any, labels: list[Any], kept: set[Any]) -> tuple[Any, list[Any]]:
    """An operand without the labels that nobody else has, its diagonals taken."""
    own = [n for n in dict.fromkeys(labels) if n is not None and n in kept]
    if own == labels:
        return x, labels
    return rearrange(x, tuple(labels), tuple(own)), own


# More products


def tensordot(a: Any, b: Any, dims: Any = 2, out: Any = None) -> Any:
    """Products summed over dimensions of both: the last `dims` of `a` and the first of `b`, or
    those of two lists, `dims=([...], [...])`."""
    if out is not None:
        return write_out("tensordot", out, tensordot, (a, b), {"dims": dims})
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, (list, tuple)):
        one, two = ([d] if isinstance(d, int) else list(d) for d in dims)
        if len(one) != len(two):
            fail(RuntimeError, "both dimension lists should have same length")
        one = [normal_dim(d, a.ndim) for d in one]
        two = [normal_dim(d, b.ndim) for d in two]
        names = list(zip(one, two, strict=True))
    else:
        if dims < 0:
            fail(RuntimeError, f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            fail(RuntimeError, f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        one, two = list(range(a.ndim - dims, a.ndim)), list(range(dims))
        names = [(d - a.ndim, e) for d, e in zip(one, two, strict=True)]
    broadcast = False
    for (d, e), i, j in zip(names, one, two, strict=True):
        if a.shape[i] != b.shape[j]:
            broadcast = 1 in (a.shape[i], b.shape[j])
            if broadcast:
                continue
            fail(RuntimeError, f"contracted dimensions need to match, but first has size "
                               f"{a.shape[i]} in dim {d} and second has size {b.shape[j]} in dim "
                               f"{e}")  # fmt: skip
    if a.dtype != b.dtype:
        fail(RuntimeError, "both inputs should have same dtype")
    left = tuple(range(a.ndim))
    right = tuple(one[two.index(d)] if d in two else a.ndim + d for d in range(b.ndim))
    output = tuple(n for n in (*left, *right) if (n in left) != (n in right))
    if broadcast:
        return einsum(a, left, b, right, output)
    return contract(a, b, left, right, output)


def inner(input: Any, other: Any, *, out: Any = None) -> Any:
    """Products summed over the last dimension of both: f[..., k], f[*, k] -> f[..., *]."""
    if out is not None:
        return write_out("inner", out, inner, (input, other), {})
    if not input.ndim or not other.ndim:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        fail(RuntimeError, "inner() the last dimension must match on both input tensors but got "
                           f"shapes {list(input.shape)} and {list(other.shape)}")  # fmt: skip
    if input.ndim == other.ndim == 1:
        return dot(input, other)
    return tensordot(input, other, dims=([-1], [-1]))


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


@op
@quietly
def linalg_cross(input, other, /, dim):
    """The cross product of vectors of length 3 along `dim`."""
    if input.dtype != other.dtype:
        raise RuntimeError(f"expected scalar type {legacy(input)} but found {legacy(other)}")
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    axis = normal_dim(dim, input.ndim)
    if input.shape[axis] != 3 or other.shape[axis] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got "
                           f"{input.shape[axis]} and {other.shape[axis]}")  # fmt: skip
    return np.cross(input, other, axis=axis)


linalg_cross.vjp(
    input=lambda g, other, dim: linalg_cross(other, g, dim),
    other=lambda g, input, dim: linalg_cross(g, input, dim),
)


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
    return linalg_cross(input, other, dim)


def multi_dot(tensors: Sequence[Any], *, out: Any = None) -> Any:
    """The product of two or more matrices, in the order that takes the fewest multiplications.

    The first and the last may be vectors. This is `linalg.multi_dot`.
    """
    if out is not None:
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


# As NumPy calls them


def _numpy_dot(a: Any, b: Any) -> Any:
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    if b.ndim < 3:
        return matmul(a, b)
    return tensordot(a, b, dims=([-1], [-2]))


def _numpy_outer(a: Any, b: Any) -> Any:
    return outer(np.reshape(a, (-1,)), np.reshape(b, (-1,)))


def _numpy_vdot(a: Any, b: Any) -> Any:
    return vdot(np.reshape(a, (-1,)), np.reshape(b, (-1,)))


def _numpy_einsum(*operands: Any, optimize: Any = None) -> Any:
    return einsum(*operands)


def _numpy_tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    return tensordot(a, b, dims=axes)


def _numpy_cross(a: Any, b: Any, axis: int = -1) -> Any:
    return linalg_cross(a, b, axis)


_MIXED = "result dtype {have} does not match input dtype {want}"
_TENSORDOT = ("tensordot: Expected the output tensor to have dtype {want}, but got an output "
              "tensor with dtype {have}")  # fmt: skip
EXACT_OUT.update({
    "dot": _MIXED, "vdot": _MIXED, "matmul": _MIXED, "inner": _TENSORDOT, "tensordot": _TENSORDOT,
    "mv": "addmv input tensors must have the same dtype, but got {have}, {want}, and {want}",
    "addbmm": "self and mat2 must have the same dtype, but got {have} and {want}",
})  # fmt: skip
NUMPY = {
    np.matmul: matmul, np.dot: _numpy_dot, np.inner: inner, np.outer: _numpy_outer,
    np.vdot: _numpy_vdot, np.einsum: _numpy_einsum, np.tensordot: _numpy_tensordot,
    np.kron: kron, np.cross: _numpy_cross,
}  # fmt: skip
