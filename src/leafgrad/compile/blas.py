"""BLAS: the matrix products of compiled steps, from the library that NumPy itself is built with.

NumPy's wheels bring OpenBLAS, whose functions are found by name in the library that is already
loaded; so there is one team of BLAS threads in the process, not two. Where it is not found, SciPy
exports the same functions (`scipy.linalg.cython_blas`), in Fortran's convention; without both,
products stay NumPy calls.
"""

from __future__ import annotations

import ctypes
import functools
import glob
import os
from typing import Any, NamedTuple

import numpy as np

from .llvm import Call, Number, Slot

__all__ = ["Blas", "find", "fits", "product"]

_PREFIXES = ("scipy_cblas_", "cblas_")
_ROWS, _PLAIN, _TRANSPOSED = 101, 111, 112  # of CBLAS


class Blas(NamedTuple):
    """Addresses of functions by name (sgemm, dgemm, sgemv, dgemv), and their type of integers."""

    functions: dict[str, int]
    integer: str


@functools.cache
def find() -> Blas | None:
    """The functions of NumPy's own library, None if they are not found."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for prefix in _PREFIXES:
            for suffix, integer in (("64_", "int64"), ("", "int32")):
                found = {}
                for name in ("sgemm", "dgemm", "sgemv", "dgemv"):
                    function = getattr(library, f"{prefix}{name}{suffix}", None)
                    if function is not None:
                        found[name] = ctypes.cast(function, ctypes.c_void_p).value or 0
                if len(found) == 4:
                    return Blas(found, integer)
    return None


def _libraries() -> list[str]:
    """Files that may be the BLAS of this NumPy: beside it, as wheels have it."""
    folder = os.path.dirname(np.__file__)
    places = (os.path.join(folder, os.pardir, "numpy.libs"), os.path.join(folder, ".dylibs"))
    return [
        path for place in places for path in sorted(glob.glob(os.path.join(place, "*openblas*")))
    ]


def _lead(shape: tuple[int, int], strides: tuple[int, int]) -> tuple[bool, int] | None:
    """(whether transposed, leading dimension) of a matrix as BLAS can read it; None if it cannot."""
    (n, k), (s, t) = shape, strides
    if t == 1 or k == 1:
        lead = s if n > 1 else max(k, 1)
        if lead >= max(k, 1) and (t == 1 or k == 1):
            return False, lead
    if s == 1 or n == 1:
        lead = t if k > 1 else max(n, 1)
        if lead >= max(n, 1):
            return True, lead
    return None


def fits(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether BLAS can read the matrices, or the vector, that lie so."""
    if len(shape) == 1:
        return strides[0] > 0
    return _lead(shape[-2:], strides[-2:]) is not None  # type: ignore[arg-type]


def product(blas: Blas, kind: str, slots: Any, a: Any, b: Any, out: Any) -> list[Call]:
    """The calls for `out = a @ b`.

    kind: "s" or "d"; slots(memory, offset): the slot that will hold the address of a place, offset
    elements on; slots of functions are asked for by their name
    """
    if a.shape.__len__() == 1:  # a row times a matrix: the transposed matrix times a column
        return [_vector(blas, kind, slots, b, a, out, True)]
    if len(b.shape) == 1:
        return [_vector(blas, kind, slots, a, b, out, False)]
    calls = []
    for place in np.ndindex(*out.shape[:-2]):
        calls.append(_matrices(blas, kind, slots, a, b, out, place))
    return calls


def _offset(memory: Any, place: tuple[int, ...]) -> int:
    """Where in a batch a matrix begins; a batch of fewer dimensions is broadcast."""
    batch = len(memory.shape) - 2
    own = place[len(place) - batch :]
    return sum(i * s for i, s, n in zip(own, memory.strides, memory.shape, strict=False) if n > 1)


def _matrices(blas: Blas, kind: str, slots: Any, a: Any, b: Any, out: Any,
              place: tuple[int, ...]) -> Call:  # fmt: skip
    n, k = a.shape[-2:]
    m = b.shape[-1]
    turned_a, lead_a = _lead((n, k), a.strides[-2:])  # type: ignore[misc]
    turned_b, lead_b = _lead((k, m), b.strides[-2:])  # type: ignore[misc]
    number = "float32" if kind == "s" else "float64"
    size = blas.integer
    return Call(
        slots(f"{kind}gemm"), Number("int32", _ROWS),
        Number("int32", _TRANSPOSED if turned_a else _PLAIN),
        Number("int32", _TRANSPOSED if turned_b else _PLAIN),
        Number(size, n), Number(size, m), Number(size, k), Number(number, 1.0),
        Slot(slots(a, _offset(a, place))), Number(size, lead_a),
        Slot(slots(b, _offset(b, place))), Number(size, lead_b), Number(number, 0.0),
        Slot(slots(out, _offset(out, place))), Number(size, max(m, 1)),
    )  # fmt: skip


def _vector(blas: Blas, kind: str, slots: Any, matrix: Any, vector: Any, out: Any,
            turned: bool) -> Call:  # fmt: skip
    n, k = matrix.shape
    flipped, lead = _lead((n, k), matrix.strides)  # type: ignore[misc]
    if flipped:
        n, k = k, n
    number = "float32" if kind == "s" else "float64"
    size = blas.integer
    return Call(
        slots(f"{kind}gemv"), Number("int32", _ROWS),
        Number("int32", _TRANSPOSED if flipped != turned else _PLAIN),
        Number(size, n), Number(size, k), Number(number, 1.0),
        Slot(slots(matrix, 0)), Number(size, lead), Slot(slots(vector, 0)),
        Number(size, vector.strides[0]), Number(number, 0.0), Slot(slots(out, 0)),
        Number(size, 1),
    )  # fmt: skip
