"""Functions of one array, compiled: what eager operators use where NumPy's are slow.

    f = unary("sin", "float64")       # None where there is no such kernel, or no llvmlite
    f(x, out)                         # x and out: contiguous arrays of that dtype, of one size
    f(x, out, threads=2)

Nothing is loaded before the first call of `unary`. What it made is kept, and kept on disk as well.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Protocol

import numpy as np

_DTYPES = ("float64", "float32")


class Unary(Protocol):
    """Fills `out` with the function of each element of x."""

    def __call__(self, x: np.ndarray, out: np.ndarray, threads: int = 1) -> None: ...


@functools.cache
def unary(name: str, dtype: str) -> Unary | None:
    """The kernel of a function of `compile.math`, by NumPy's name of it."""
    from . import llvm, threads

    if dtype not in _DTYPES or not llvm.available():
        return None
    op = llvm.OPS.get(name)
    if op is None or op.arity != 1 or op.gives != "same" or not op.allows(dtype):
        return None
    kernel = llvm.Kernel(name)
    x, y = kernel.array(1, dtype), kernel.array(2, dtype)
    with kernel.loop(kernel.scalar(3, "int64")) as i:
        kernel.store(y, kernel.op(name, kernel.load(x, {i: 1})), {i: 1})
    native = llvm.build([kernel])
    kind = np.dtype(dtype)

    def run(x: np.ndarray, out: np.ndarray, threads_: int = 1) -> None:
        if not (
            x.dtype == out.dtype == kind
            and x.size == out.size
            and x.flags.c_contiguous
            and out.flags.c_contiguous
        ):
            raise ValueError(f"{name} needs contiguous arrays of {dtype}, of one size")
        team = threads.address(threads_) if threads_ > 1 else 0
        table = (ctypes.c_int64 * 4)(team, x.ctypes.data, out.ctypes.data, x.size)
        native.call(ctypes.addressof(table))

    return run
