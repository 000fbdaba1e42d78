"""Measures the functions of leafgrad.compile.math and writes docs/math.md.

    python tools/math_table.py            # some minutes; needs llvmlite and mpmath

Errors against NumPy's longdouble functions and mpmath, times beside NumPy's on this machine.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "compile")]

from math_reference import TWO, exact, samples, ulps  # noqa: E402

from leafgrad.compile import kernels, llvm, threads  # noqa: E402
from leafgrad.compile.math import FUNCTIONS  # noqa: E402

MANY, FEW = 2_000_000, 60_000  # samples; where mpmath is the reference
TIMED = ("sin", "cos", "exp", "log", "tanh", "sigmoid", "erf")
HEAD = """\
# The functions of compiled code

`leafgrad.compile` computes `exp`, `log`, `sin`... with polynomials of its own, written into the
loop as vector instructions. Their results are at most 2 units in the last place (ulp) from the true
ones, over the whole range of float32 and float64; infinities, NaN, -0 and subnormal numbers are as
C99 says (`gelu` and `silu` of minus infinity are NaN, as in PyTorch). All other operations (`+`,
`sqrt`, comparisons, casts...) give what NumPy gives, bit for bit.

How: range reduction (Cody and Waite; Payne and Hanek, one number at a time, for sin, cos and tan
beyond 10^8), a minimax polynomial, and the parts put together, some in pairs of numbers whose sum
has twice the precision. `tools/minimax.py` derives the polynomials; `tools/math_table.py` writes
this page.
"""


def best(size: int, f: Callable[..., object], *args: Any, **options: Any) -> float:
    """ns per element of a call, the best of many: others may use the machine as well."""
    found, until = float("inf"), time.perf_counter() + 0.4 * options.get("threads", 1) ** 2
    while (start := time.perf_counter()) < until:
        f(*args, **options)
        found = min(found, time.perf_counter() - start)
    return found / size * 1e9


def arguments(name: str, dtype: str, size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=size) * 2
    if name in ("log", "log2", "log10", "log1p", "power"):
        x = np.abs(x) + 1e-3
    if name in ("arcsin", "arccos", "arctanh"):
        x = rng.uniform(-1, 1, size)
    if name == "arccosh":
        x = np.abs(x) + 1
    return [x.astype(dtype), (x / 3).astype(dtype)][: 1 + (name in TWO)]


def of_two(name: str, dtype: str, count: int) -> list[np.ndarray]:
    """Pairs of arguments of all magnitudes; of pow, such that most results are finite."""
    rng = np.random.default_rng(0)
    d = np.dtype(dtype)
    bits = np.dtype(f"u{d.itemsize}")
    x, y = (rng.integers(0, np.iinfo(bits).max, count, dtype=bits).view(d) for _ in range(2))
    if name == "power":
        with np.errstate(all="ignore"):
            most = 740 if dtype == "float64" else 100
            log = np.log(np.abs(x.astype(np.float64)))
            x = np.abs(x)
            y = (rng.uniform(-1, 1, count) * most / np.maximum(np.abs(log), 1e-9)).astype(d)
    near = rng.normal(size=(2, count)).astype(d)
    x, y = np.concatenate([x, np.abs(near[0])]), np.concatenate([y, near[1]])
    finite = np.isfinite(x) & np.isfinite(y)
    return [x[finite], y[finite]]


def compiled(name: str, dtype: str) -> Callable[..., None]:
    """A native function of arrays: (inputs..., output)."""
    k = llvm.Kernel(name)
    count = 1 + (name in TWO)
    ins = [k.array(i + 1, dtype) for i in range(count)]
    out = k.array(count + 1, dtype)
    with k.loop(k.scalar(count + 2, "int64")) as i:
        k.store(out, k.op(name, *(k.load(a, {i: 1}) for a in ins)), {i: 1})
    native = llvm.build([k])

    def run(*arrays: np.ndarray) -> None:
        table = np.array([0, *(a.ctypes.data for a in arrays), arrays[0].size], np.uint64)
        native.call(table.ctypes.data)

    return run


def row(name: str, dtype: str) -> str:
    run = compiled(name, dtype)
    slow = name.startswith(("erf", "gelu")) and not (dtype == "float32" and name[:3] == "erf")
    count = FEW if slow else MANY
    x = of_two(name, dtype, count) if name in TWO else [samples(name, dtype, count)]
    y = np.empty_like(x[0])
    run(*x, y)
    error = ulps(y, exact(name, *x))
    worst = [f"{a[error.argmax()]:.9g}" for a in x]
    timed = arguments(name, dtype, 65_536)
    out = np.empty_like(timed[0])
    mine = best(out.size, run, *timed, out)
    ufunc = getattr(np, name, None)
    theirs = f"{best(out.size, ufunc, *timed, out):.2f}" if ufunc else "–"
    print(f"{name:12}{dtype:9}{error.max():.3f} ulp  {mine:.2f} ns, NumPy {theirs}")
    return (
        f"| `{name}` | {error.max():.2f} | {error.mean():.2f} | {', '.join(worst)} | {y.size:,} "
        f"| {mine:.2f} | {theirs} |"
    )


def numpys_sigmoid(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.divide(1, 1 + np.exp(-x), out=out)


def eager_rows() -> list[str]:
    rows = []
    for dtype in ("float64", "float32"):
        for name in TIMED:
            cells = []
            for size in (65_536, 1_000_000):
                (x,) = arguments(name, dtype, size)
                out = np.empty_like(x)
                if name == "erf":
                    import scipy.special as module
                else:
                    module = np
                other = numpys_sigmoid if name == "sigmoid" else getattr(module, name)
                cells.append(best(size, other, x, out))
                for n in (1, 2):
                    cells.append(best(size, kernels.unary(name, dtype), x, out, threads=n))
            times = " | ".join(f"{c:.2f}" for c in cells)
            rows.append(f"| `{name}` | {dtype} | {times} |")
            print(rows[-1])
    return rows


def main() -> None:
    host = llvm.host()
    lines = [HEAD]
    about = (
        f"{host.cpu} ({host.vector_bits}-bit vectors), NumPy {np.__version__}, "
        f"LLVM {'.'.join(map(str, llvm.llvm_version()))}, Python {platform.python_version()}"
    )
    for dtype in ("float64", "float32"):
        lines += [
            f"## {dtype}",
            "",
            "The largest and the mean error, where the largest was seen, and ns per element beside"
            " NumPy's, for 65,536 elements on one thread.",
            f"Measured on {about}.",
            "",
            "| function | max ulp | mean | at | samples | ns | NumPy |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        with np.errstate(all="ignore"):
            lines += [row(name, dtype) for name in FUNCTIONS]
        lines.append("")
    threads.address(2)
    lines += [
        "## In eager mode",
        "",
        "ns per element of `compile.kernels.unary` on one and two threads, beside NumPy on one"
        " (SciPy for `erf`, `1 / (1 + np.exp(-x))` for `sigmoid`).",
        "",
        "| function | dtype | 65,536: NumPy | 1 thread | 2 threads "
        "| 1,000,000: NumPy | 1 thread | 2 threads |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *eager_rows(),
        "",
    ]
    (ROOT / "docs" / "math.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
