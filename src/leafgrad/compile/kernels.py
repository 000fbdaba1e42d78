"""Functions of one array, compiled: what eager operators use where NumPy's are slow.

    f = unary("sin", "float64")       # None where there is no such kernel, or no llvmlite
    f(x, out)                         # x and out: contiguous arrays of that dtype, of one size
    f(x, out, threads=2)

Nothing is loaded before the first call of `unary`. What it made is kept, and kept on disk as well.
Whether a kernel is quicker than NumPy is for `pays` to say.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Protocol

import numpy as np

_DTYPES = ("float64", "float32")


class Unary(Protocol):
    """Fills `out` with the function of each element of x (which may be the same array)."""

    def __call__(self, x: np.ndarray, out: np.ndarray, threads: int = 1) -> None: ...


@functools.cache
def unary(name: str, dtype: str) -> Unary | None:
    """The kernel of a function, by NumPy's name of it or by one of `compile.math`'s own."""
    from . import llvm
    from .threads import address

    if dtype not in _DTYPES or not llvm.available():
        return None
    op = llvm.OPS.get(name)
    if op is None or op.arity != 1 or op.gives != "same" or not op.allows(dtype):
        return None
    kernel = llvm.Kernel(name)
    source, target = kernel.array(1, dtype), kernel.array(2, dtype)
    with kernel.loop(kernel.scalar(3, "int64")) as i:
        kernel.store(target, kernel.op(name, kernel.load(source, {i: 1})), {i: 1})
    native = llvm.build([kernel])
    kind = np.dtype(dtype)

    def run(x: np.ndarray, out: np.ndarray, threads: int = 1) -> None:
        if not (
            x.dtype == out.dtype == kind
            and x.size == out.size
            and x.flags.c_contiguous
            and out.flags.c_contiguous
        ):
            raise ValueError(f"{name} needs contiguous arrays of {dtype}, of one size")
        table = (ctypes.c_int64 * 4)(address(threads), x.ctypes.data, out.ctypes.data, x.size)
        native.call(ctypes.addressof(table))

    return run


@functools.cache
def pays(name: str, dtype: str) -> bool:
    """Whether a kernel is quicker than NumPy here: docs/math.md has the times behind this rule.

    NumPy has vector code for most functions where there is AVX-512 (on Linux), but not for sin and
    cos of float64, which it computes one by one everywhere."""
    from . import llvm

    if not llvm.available() or unary(name, dtype) is None:
        return False
    if not hasattr(np, name) or name in ("sin", "cos"):
        return True
    return not (sys.platform == "linux" and llvm.host().vector_bits == 512)
