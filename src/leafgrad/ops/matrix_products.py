"""Products of vectors and matrices, from `dot` to `matmul`.

The dtypes of the operands must agree: these operators do not promote. Products of 16-bit floats
are summed in float32.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from ..dtypes import ALL, F32, F64, from_numpy_dtype
from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.quiet import quietly
from ..graph.source import fail, failure
from ..tensor import TENSORS, Tensor, as_array

__all__ = ["bmm", "dot", "matmul", "mm", "mv", "outer", "vdot"]
METHODS = __all__
ALIASES = {"ger": "outer"}


# The product of two arrays


def plain_dot(x: Any, y: Any, kernel: str = "addmm_impl_cpu_") -> Any:
    """np.dot of arrays of one dtype, in that dtype. `kernel` is PyTorch's name of it."""
    kind = x.dtype
    if kind is F32 or kind is F64:
        return np.dot(x, y)
    return _in_kind(np.dot, x, y, kernel)


def plain_matmul(x: Any, y: Any) -> Any:
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
        return plain_dot(a, b)
    return matmul(a, b)


def as_rows(x: Any) -> Any:
    """All leading dimensions as one."""
    shape = tuple(x.shape)
    return x if len(shape) == 2 else np.reshape(x, (math.prod(shape[:-1]), shape[-1]))


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


def check_matrices(x: Any, y: Any) -> None:
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


def fail_shapes(x: Any, y: Any, *more: str) -> NoReturn:
    if not more:
        more = (f"the first has {x.shape[1]} columns, the second {y.shape[0]} rows: these must be "
                "equal",)  # fmt: skip
        if x.shape[1] == y.shape[1]:
            more = (*more, "to do: transpose the second: a @ b.T")
        elif x.shape[0] == y.shape[0]:
            more = (*more, "to do: transpose the first: a.T @ b")
    raise failure(
        RuntimeError, f"mat1 and mat2 shapes cannot be multiplied {_shapes(x, y)}", *more
    ) from None


class NamedInC(str):
    """A sentence about the dtype of `out=` that names dtypes as C++ does."""

    def format(self, *, have: str, want: str) -> str:  # type: ignore[override]
        names = {d.legacy: _C_NAMES.get(d.name, d.name) for d in ALL}
        return super().format(have=names[have], want=names[want])


_MIXED = "result dtype {have} does not match input dtype {want}"
_MV = "addmv input tensors must have the same dtype, but got {have}, {want}, and {want}"
IN_C = NamedInC("Expected out tensor to have dtype {want}, but got {have} instead")
EXACT_OUT.update({"dot": _MIXED, "vdot": _MIXED, "mv": _MV, "mm": IN_C, "bmm": IN_C})


# Vectors and matrices


@op
@quietly
def mm(input, mat2):
    """The product of two matrices: f[n, k], f[k, m] -> f[n, m]."""
    if input.dtype is not mat2.dtype or input.ndim != 2 or mat2.ndim != 2:
        check_matrices(input, mat2)
    try:
        return plain_dot(input, mat2)
    except ValueError:
        fail_shapes(input, mat2)


mm.vjp(
    input=lambda g, mat2: product(g, np.transpose(mat2)),
    mat2=lambda g, input: product(np.transpose(input), g),
).jvp(
    input=lambda t, mat2: product(t, mat2),
    mat2=lambda t, input: product(input, t),
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
    return plain_dot(input, vec, "addmv_impl_cpu")


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
        check_matrices(row, other)
        fail_shapes(row, other)
    return plain_dot(input, other)


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
    return plain_dot(input, tensor)


dot.vjp(input=lambda g, tensor: g * tensor, tensor=lambda g, input: g * input)


@op
@quietly
def vdot(input, other):
    """The inner product of two vectors, of the first its conjugate: f[n], f[n] -> f[]."""
    _check_vectors(input, other)
    return plain_dot(np.conj(input), other)


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
    check_batches(input, mat2, input.shape[0], mat2.shape[0])
    return plain_matmul(input, mat2)


def check_batches(x: Any, y: Any, batch: int, other: int) -> None:
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
        return plain_matmul(a, b)
    return matmul(a, b)


def swapped(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


BATCH_RULES: dict[str, Any] = {
    "input": lambda g, other: batched_product(g, swapped(other)),
    "other": lambda g, input: batched_product(swapped(input), g),
}
bmm.vjp(
    input=lambda g, mat2: batched_product(g, swapped(mat2)),
    mat2=lambda g, input: batched_product(swapped(input), g),
).jvp(
    input=lambda t, mat2: batched_product(t, mat2),
    mat2=lambda t, input: batched_product(input, t),
)


@quietly
def _matmul_batches(input, other):
    """Products of matrices, batches broadcast: f[..., n, k], f[..., k, m] -> f[..., n, m]."""
    try:
        if input.dtype is other.dtype and input.shape[-1] == other.shape[-2]:
            return plain_matmul(input, other)
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
    check_batches(x, y, batch, batch)
    return plain_matmul(x, y)


matmul_batches = op(name="matmul", node="UnsafeViewBackward0")(_matmul_batches).vjp(**BATCH_RULES)
matrix_batches = op(name="matmul", node="CloneBackward0")(_matmul_batches).vjp(**BATCH_RULES)


@op(name="matmul", node="UnsafeViewBackward0")
@quietly
def batch_matrix(input, other):
    """One matrix or vector for a whole batch: f[..., k], f[k, m] -> f[..., m], or f[k] -> f[...].

    One product of the batch's rows, and likewise in the derivatives.
    """
    rows = as_rows(input)
    if input.dtype != other.dtype or rows.shape[1] != other.shape[0]:
        (mm if other.ndim == 2 else mv)(rows, other)  # raises what is wrong
    return np.reshape(plain_dot(rows, other), (*input.shape[:-1], *other.shape[1:]))


def _batch_matrix_input(g: Any, other: Any) -> Any:
    if other.ndim == 1:
        return np.expand_dims(g, -1) * other
    found = product(as_rows(g), np.transpose(other))
    return np.reshape(found, (*g.shape[:-1], other.shape[0]))


def _batch_matrix_other(g: Any, input: Any, other_shape: Any) -> Any:
    rows = as_rows(input)
    return product(np.transpose(rows), np.reshape(g, (rows.shape[0], *other_shape[1:])))


batch_matrix.vjp(input=_batch_matrix_input, other=_batch_matrix_other)


@op(name="matmul", node="UnsafeViewBackward0")
@quietly
def vector_batches(input, other):
    """The products of a vector with a batch of matrices: f[k], f[..., k, m] -> f[..., m]."""
    if input.dtype != other.dtype or input.shape[0] != other.shape[-2]:
        _fail_batches(np.expand_dims(input, 0), other)
    return plain_matmul(input, other)


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
        if isinstance(input, Tensor) and isinstance(other, Tensor) and out.dtype is not input.dtype:
            kind = _MIXED if input.ndim == 1 else _MV
            kind = kind if other.ndim == 1 else IN_C
            fail(RuntimeError, kind.format(have=out.dtype.legacy, want=input.dtype.legacy))
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
    if call is matrix_batches and isinstance(input, Tensor) and isinstance(other, Tensor):
        if not input.requires_grad:
            call = matmul_batches
        else:
            return _row_batches(input, other).contiguous()  # type: ignore[attr-defined,no-any-return]
    if call is vector_batches and isinstance(input, Tensor) and isinstance(other, Tensor):
        return _vector_rows(input, other)
    if (
        call is batch_matrix and isinstance(other, Tensor) and other.requires_grad
        and input._array.__class__ is np.ndarray and not input._array.flags.c_contiguous
    ):  # fmt: skip
        return _copied_rows(input, other)
    return call(input, other)


def _copied_rows(input: Tensor, other: Tensor) -> Tensor:
    """`batch_matrix` of a batch whose rows must be copied first: that copy is saved, as in PyTorch,
    so the batch may be written to."""
    from .shape import _unsafe_view

    *batch, inner = input.shape
    rows = input.reshape(math.prod(batch), inner)  # type: ignore[attr-defined]
    found = (mm if other.ndim == 2 else mv)(rows, other)
    return _unsafe_view(found, (*batch, *other.shape[1:]))  # type: ignore[no-any-return]


def _vector_rows(input: Tensor, other: Tensor) -> Tensor:
    """A vector for a whole batch, from the left: as PyTorch computes it, one product with all the
    columns as rows, where that needs no copy or the vector wants a gradient."""
    swapped: Any = other.transpose(-1, -2)  # type: ignore[attr-defined]
    *batch, rows, inner = swapped.shape
    steps = swapped.stride()
    folds = all(steps[i] == steps[i + 1] * swapped.shape[i + 1] for i in range(len(batch)))
    if not (input.requires_grad or folds or not other.numel()) or input.shape[0] != inner:
        return vector_batches(input, other)  # type: ignore[no-any-return]
    from .shape import _unsafe_view

    found = mv(swapped.reshape(math.prod(batch) * rows, inner), input)
    return _unsafe_view(found, (*batch, rows))  # type: ignore[no-any-return]


def _row_batches(input: Tensor, other: Tensor) -> Tensor:
    """One matrix for a whole batch, from the left, where it has one row or those have one column:
    as PyTorch computes it, a view of the transposed product."""
    swapped: Any = other.transpose(-1, -2)  # type: ignore[attr-defined]
    *batch, rows, inner = swapped.shape
    every = swapped.reshape(math.prod(batch) * rows, inner)
    found = mm(every, input.t())  # type: ignore[attr-defined]
    return found.reshape(*batch, rows, input.shape[0]).transpose(-1, -2)  # type: ignore[no-any-return]


def _matmul_operator(self: Any, other: Any) -> Any:
    if other.__class__ not in TENSORS and not hasattr(other, "__array_ufunc__"):
        return NotImplemented
    return matmul(self, other)


def _matmul_reflected(self: Any, other: Any) -> Any:
    return matmul(other, self) if hasattr(other, "__array_ufunc__") else NotImplemented


Tensor.__matmul__ = _matmul_operator  # type: ignore[attr-defined]
Tensor.__rmatmul__ = _matmul_reflected  # type: ignore[attr-defined]


# As NumPy calls them


def _numpy_outer(a: Any, b: Any) -> Any:
    return outer(np.reshape(a, (-1,)), np.reshape(b, (-1,)))


def _numpy_vdot(a: Any, b: Any) -> Any:
    return vdot(np.reshape(a, (-1,)), np.reshape(b, (-1,)))


NUMPY = {np.matmul: matmul, np.outer: _numpy_outer, np.vdot: _numpy_vdot}
