"""What the operators of linear algebra share: transposes, checks, errors, `out=`.

All of them work on the last two dimensions; the dimensions before are a batch of matrices.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import return_types
from ..dtypes import can_cast, dtype
from ..duck import whole
from ..graph.modes import current
from ..graph.operator import write_out
from ..graph.source import fail
from ..tensor import TENSORS, Tensor
from .matrix_products import batched_product as matmul
from .reductions import _expect as exact
from .reductions import conj


class _LinAlgError(RuntimeError):
    """A matrix for which the computation has no result: singular, not positive definite, or one
    whose eigenvalues or singular values the algorithm does not find."""


LinAlgError = _LinAlgError  # the public name of what PyTorch prints as _LinAlgError


# Transposes


def mT(x: Any) -> Any:
    """The matrices transposed."""
    return np.swapaxes(x, -1, -2)


def mH(x: Any) -> Any:
    """The matrices transposed and conjugated."""
    return conj(np.swapaxes(x, -1, -2))


def in_conjugates(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule as textbooks and PyTorch write it, with Aᴴ where the engine's plain transposes have
    Aᵀ: what was saved is conjugated before (see docs/decisions/0002-plain-transposes.md)."""

    @functools.wraps(rule)
    def conjugated(g: Any, *saved: Any) -> Any:
        return rule(g, *map(_conjugated, saved))

    return conjugated


def _conjugated(value: Any) -> Any:
    if value.__class__ is tuple:
        return tuple(map(_conjugated, value))
    return conj(value) if hasattr(value, "dtype") else value


def diagonal(x: Any) -> Any:
    """The diagonals of matrices."""
    return np.diagonal(x, 0, -2, -1)


def numpy_dtype(x: Any) -> Any:
    """The NumPy dtype of an array or tensor."""
    return x._array.dtype if isinstance(x, Tensor) else x.dtype


def eye_like(x: Any, n: int) -> Any:
    """The n-by-n identity in the dtype of an array or tensor."""
    return np.eye(n, dtype=numpy_dtype(x))


def scaled_columns(x: Any, d: Any) -> Any:
    """X · diag(d)"""
    return x * np.expand_dims(d, -2)


def scaled_rows(d: Any, x: Any) -> Any:
    """diag(d) · X"""
    return np.expand_dims(d, -1) * x


def padded(x: Any, rows: int, columns: int) -> Any:
    """Zeros below and to the right of matrices."""
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, rows), (0, columns)]) if rows or columns else x


def joined(*terms: Any) -> Any:
    """The sum of those terms that are not None."""
    found = None
    for term in terms:
        if term is not None:
            found = term if found is None else found + term
    return found


# What is asked of the arguments


def check_matrix(name: str, x: Any, what: str = "A") -> None:
    """Raise PyTorch's error for a tensor without two dimensions."""
    if x.ndim < 2:
        fail(RuntimeError, f"{name}: The input tensor {what} must have at least 2 dimensions.")


def check_square(name: str, x: Any, what: str = "A") -> None:
    """Raise PyTorch's error for matrices that are not square."""
    check_matrix(name, x, what)
    rows, columns = x.shape[-2:]
    if rows != columns:
        fail(RuntimeError, f"{name}: {what} must be batches of square matrices, but they are "
                           f"{rows} by {columns} matrices")  # fmt: skip


def check_inexact(name: str, x: Tensor, kernel: str | None = None) -> None:
    """Raise PyTorch's error for integers and bools; with `kernel`, its name in PyTorch, also for
    floats of 16 bits."""
    if x.dtype.category < 2:
        fail(RuntimeError, f"{name}: Expected a floating point or complex tensor as input. Got "
                           f"{x.dtype.legacy}")  # fmt: skip
    if kernel is not None:
        check_kernel(kernel, x)


def check_wide(name: str, x: Tensor) -> None:
    """Raise PyTorch's errors for integers, bools and floats of 16 bits."""
    check_inexact(name, x)
    if x.dtype.itemsize < 4:
        fail(RuntimeError, f"{name}: Low precision dtypes not supported. Got {x.dtype.legacy}")


def check_kernel(kernel: str, x: Tensor) -> None:
    """Raise PyTorch's error of a kernel that is there for float32, float64 and complex only."""
    if x.dtype.category < 2 or x.dtype.itemsize < 4:
        fail(NotImplementedError, f"\"{kernel}\" not implemented for '{x.dtype.legacy}'")


def check_same_dtype(name: str, a: Tensor, b: Tensor, first: str = "A", second: str = "B") -> None:
    """Raise PyTorch's error for a system whose sides differ in dtype."""
    if a.dtype is not b.dtype:
        fail(RuntimeError, f"{name}: Expected {first} and {second} to have the same dtype, but "
                           f"found {first} of type {a.dtype.legacy} and {second} of type "
                           f"{b.dtype.legacy} instead")  # fmt: skip


def check_system(name: str, a: Any, b: Any, left: bool) -> None:
    """Raise PyTorch's error if AX = B (or XA = B) does not fit, or the batches do not broadcast."""
    n = a.shape[-1]
    if b.shape[-2 if left else -1] != n:
        fail(RuntimeError, f"{name}: Incompatible shapes of A and B for the equation "
                           f"{'AX' if left else 'XA'} = B ({a.shape[-2]}x{n} and "
                           f"{b.shape[-2]}x{b.shape[-1]})")  # fmt: skip
    check_batches(b, a)


def check_batches(one: Any, other: Any) -> None:
    """Raise PyTorch's error if two batches of matrices do not broadcast."""
    m, n = one.shape[:-2], other.shape[:-2]
    for back in range(1, min(len(m), len(n)) + 1):
        if m[-back] != n[-back] and 1 not in (m[-back], n[-back]):
            fail(RuntimeError, f"The size of tensor a ({m[-back]}) must match the size of tensor b "
                               f"({n[-back]}) at non-singleton dimension "
                               f"{max(len(m), len(n)) - back}")  # fmt: skip


def first_failure(info: Any) -> tuple[str, int]:
    """Of LAPACK's codes of a batch, the first that is not 0, and where: "(Batch element 1): "."""
    info = whole(info)
    flat = np.ravel(info)
    at = int(np.flatnonzero(flat)[0])
    return f"(Batch element {at}): " if np.ndim(info) else "", int(flat[at])


def wants_derivative(x: Tensor) -> bool:
    """Whether a derivative of something computed from `x` now may be asked for."""
    mode = current()
    return (mode.grad and x.requires_grad) or mode.transforms is not None or bool(x._tangents)


# The public functions


def castable(name: str, *nouns: str) -> Callable[..., None]:
    """The check of an `out=` into which the result must be castable. `nouns`: what PyTorch calls
    the results."""

    def check(out: Tensor, kind: dtype, number: int) -> None:
        noun = nouns[number] if nouns else "result"
        if not can_cast(kind, out.dtype):
            fail(RuntimeError, f"{name}: Expected {noun} to be safely castable from {kind.legacy} "
                               f"dtype, but got {noun} with dtype {out.dtype.legacy}")  # fmt: skip

    return check


def agreeing(sentence: str) -> Callable[..., None]:
    """The check of an `out=` that must have the dtype of the result: PyTorch's sentence with
    `{have}` and `{want}`."""

    def check(out: Tensor, kind: dtype, number: int) -> None:
        if out.dtype is not kind:
            fail(RuntimeError, sentence.format(have=out.dtype.legacy, want=kind.legacy))

    return check


_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def matrix_function(name: str, first: str = "A", out: Callable[..., None] | None = None,
                    last_first: bool = False) -> Any:  # fmt: skip
    """A public function whose first argument must be a tensor, and which takes `out=`, and NumPy's
    names for `dim` and `keepdim`.

    name: PyTorch's, of the function and of the type of several results; first: that argument's
    name; out: checks an output tensor against a result's dtype, by default for the same;
    last_first: several outputs are checked from the last to the first
    """

    def make(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if kwargs:
                kwargs = {_NUMPY_NAMES.get(k, k): v for k, v in kwargs.items()}
            if not args and first not in kwargs:
                fail(TypeError, f'{name}() missing 1 required positional arguments: "{first}"')
            given = args[0] if args else kwargs[first]
            if given.__class__ not in TENSORS and not isinstance(given, Tensor):
                fail(TypeError, f"{name}(): argument '{first}' (position 1) must be Tensor, not "
                                f"{type(given).__name__}")  # fmt: skip
            target = kwargs.pop("out", None)
            if target is None:
                return function(*args, **kwargs)
            return _written(name, function, (out, last_first), target, args, kwargs)

        return call

    return make


def _written(name: str, function: Callable[..., Any], checks: Any, target: Any, args: Any,
             kwargs: Any) -> Any:  # fmt: skip
    check, last_first = checks
    several = isinstance(target, (tuple, list))

    def computed(*args: Any, **kwargs: Any) -> Any:
        results = function(*args, **kwargs)
        pairs = list(zip(target, results, strict=True)) if several else [(target, results)]
        for number, (into, result) in list(enumerate(pairs))[:: -1 if last_first else 1]:
            if check is None:
                exact(into, result.dtype)
            else:
                check(into, result.dtype, number)
        return results

    written = write_out(name, target, computed, args, kwargs)
    return getattr(return_types, f"{name}_out")(written) if several else written


def must_be_tensor(name: str, value: Any, argument: str, position: int) -> None:
    """Raise PyTorch's error for an argument that is not a tensor."""
    if not isinstance(value, Tensor):
        fail(TypeError, f"{name}(): argument '{argument}' (position {position}) must be Tensor, "
                        f"not {type(value).__name__}")  # fmt: skip


def deprecated(name: str, better: str, difference: str) -> None:
    """PyTorch's warning that `linalg.<better>` took the place of a function."""
    warnings.warn(
        f"torch.{name} is deprecated in favor of torch.linalg.{better} and will be removed in a "
        f"future PyTorch release.\n  {difference}",
        stacklevel=4,
    )


__all__ = ["LinAlgError", "matmul"]
