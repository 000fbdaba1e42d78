"""The functions of compile.math: their errors, what they do at special values, and that loops of
them are vector code."""

import re

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("mpmath")

from loop_kernels import targets
from math_reference import TWO, exact, samples, ulps

from leafgrad.compile import kernels, llvm
from leafgrad.compile.math import FUNCTIONS

TARGETS = targets()
ONE = sorted(set(FUNCTIONS) - TWO)
INF, NAN = np.inf, np.nan


def apply(name, *x, target=None):
    """A function of `llvm.OPS` of whole arrays."""
    dtype = x[0].dtype
    k = llvm.Kernel(name)
    ins = [k.array(i + 1, dtype.name) for i in range(len(x))]
    out = k.array(len(x) + 1, dtype.name)
    with k.loop(k.scalar(len(x) + 2, "int64")) as i:
        k.store(out, k.op(name, *(k.load(a, {i: 1}) for a in ins)), {i: 1})
    y = np.empty_like(x[0])
    table = np.array([0, *(a.ctypes.data for a in (*x, y)), y.size], np.uint64)
    llvm.build([k], target)(table.ctypes.data)
    return y


@pytest.mark.parametrize("target", [t for t in ("host", "sse2") if t in TARGETS])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ONE)
def test_error_is_at_most_two_ulp(name, dtype, target):
    slow = name.startswith(("erf", "gelu")) and not (dtype == "float32" and name[:3] == "erf")
    x = samples(name, dtype, 1600 if slow else 40_000)
    y = apply(name, x, target=TARGETS[target])
    error = ulps(y, exact(name, x))
    worst = error.argmax()
    assert error[worst] <= 2.0, f"{name}({x[worst]!r}) = {y[worst]!r}: {error[worst]:.2f} ulp"


def pairs(name, dtype, count=20_000):
    rng = np.random.default_rng(1)
    d = np.dtype(dtype)
    bits = np.dtype(f"u{d.itemsize}")

    def anything():
        return rng.integers(0, np.iinfo(bits).max, count, dtype=bits).view(d)

    with np.errstate(all="ignore"):
        if name == "power":
            x = np.abs(anything())
            most = 700 if dtype == "float64" else 87
            y = rng.uniform(-1, 1, count) * most / np.maximum(np.abs(np.log(x)), 1e-3)
            x = np.concatenate([x, 1 + rng.normal(size=count) * 1e-3, -rng.integers(1, 50, count)])
            y = np.concatenate([y, rng.uniform(-900, 900, count), rng.integers(-20, 20, count)])
        else:
            x = np.concatenate([anything(), rng.normal(size=count)])
            y = np.concatenate([anything(), rng.normal(size=count)])
        x, y = x.astype(d), y.astype(d)
    finite = np.isfinite(x) & np.isfinite(y)
    return x[finite], y[finite]


@pytest.mark.parametrize("target", [t for t in ("host", "sse2") if t in TARGETS])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(TWO & set(FUNCTIONS)))
def test_error_of_functions_of_two(name, dtype, target):
    x, y = pairs(name, dtype)
    z = apply(name, x, y, target=TARGETS[target])
    error = ulps(z, exact(name, x, y))
    worst = error.argmax()
    assert error[worst] <= 2.0, f"{name}({x[worst]}, {y[worst]}) = {z[worst]}: {error[worst]:.2f}"


SPECIAL = {
    "exp": [(INF, INF), (-INF, 0.0), (0.0, 1.0), (-0.0, 1.0), (1e5, INF), (-1e5, 0.0)],
    "exp2": [(INF, INF), (-INF, 0.0), (0.0, 1.0), (3.0, 8.0), (-4.0, 0.0625), (1e5, INF)],
    "expm1": [(INF, INF), (-INF, -1.0), (0.0, 0.0), (-0.0, -0.0), (1e5, INF), (-1e5, -1.0)],
    "log": [(INF, INF), (0.0, -INF), (-0.0, -INF), (1.0, 0.0), (-1.0, NAN), (-INF, NAN)],
    "log2": [(INF, INF), (0.0, -INF), (8.0, 3.0), (0.125, -3.0), (-1.0, NAN)],
    "log10": [(INF, INF), (0.0, -INF), (1.0, 0.0), (1000.0, 3.0), (-1.0, NAN)],
    "log1p": [(INF, INF), (-1.0, -INF), (0.0, 0.0), (-0.0, -0.0), (-2.0, NAN), (-INF, NAN)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e5, INF)],
    "cosh": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (-1e5, INF)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (50.0, 1.0)],
    "arcsin": [(0.0, 0.0), (-0.0, -0.0), (1.5, NAN), (INF, NAN)],
    "arccos": [(1.0, 0.0), (1.5, NAN), (-INF, NAN)],
    "arctan": [(0.0, 0.0), (-0.0, -0.0)],
    "arcsinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)],
    "arccosh": [(1.0, 0.0), (0.5, NAN), (INF, INF), (-INF, NAN)],
    "arctanh": [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (2.0, NAN), (INF, NAN)],
    "sigmoid": [(0.0, 0.5), (INF, 1.0), (-INF, 0.0)],
    "logsigmoid": [(INF, 0.0), (-INF, -INF)],
    "softplus": [(INF, INF), (-INF, 0.0)],
    "silu": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, NAN)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0)],
    "gelu": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, NAN)],
    "gelu_tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, NAN)],
}


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ONE)
def test_special_values(name, dtype, target):
    x, wanted = np.array([*SPECIAL[name], (NAN, NAN)], dtype).T.copy()
    y = apply(name, x, target=TARGETS[target])
    for value, got, want in zip(x, y, wanted, strict=True):
        same = got == want and np.signbit(got) == np.signbit(want)
        assert same or (np.isnan(got) and np.isnan(want)), f"{name}({value}) = {got}, not {want}"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(TWO & set(FUNCTIONS)))
def test_special_values_of_functions_of_two(name, dtype):
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    some = [0.0, 1.0, 2.0, 0.5, 3.0, 1.5, INF, tiny, huge, 1e16, 9007199254740991.0]
    values = np.array([NAN, *some, *(-v for v in some)], dtype)
    x, y = (a.ravel().copy() for a in np.meshgrid(values, values))
    z = apply(name, x, y)
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(x, y)  # C99's, in NumPy's hands
        near = np.abs(z - wanted) <= 2 * np.spacing(np.abs(wanted))
    same = (z == wanted) & (np.signbit(z) == np.signbit(wanted))
    same |= (np.isnan(z) & np.isnan(wanted)) | near
    assert same.all(), list(zip(x[~same], y[~same], z[~same], wanted[~same], strict=True))


def test_every_lane_of_huge_arguments():
    # Some lanes of a vector take the scalar path, the others do not.
    x = np.where(np.arange(257) % 3 == 1, 1e22, np.linspace(-50, 50, 257))
    for name in ("sin", "cos", "tan"):
        assert (ulps(apply(name, x), exact(name, x)) <= 2).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ONE)
def test_loops_are_vector_code(name, dtype):
    k = llvm.Kernel(name)
    x, y = k.array(1, dtype), k.array(2, dtype)
    with k.loop(1024) as i:
        k.store(y, k.op(name, k.load(x, {i: 1})), {i: 1})
    native = llvm.build([k])
    kind = {"float64": "double", "float32": "float"}[dtype]
    lanes = llvm.host().vector_bits // (64 if dtype == "float64" else 32)
    found = re.findall(rf"f(?:mul|sub|add) <(\d+) x {kind}>", native.ir)
    assert found and all(int(n) >= lanes for n in found)
    text = native.assembly()
    if llvm.host().triple.startswith("x86_64"):
        suffix = "pd" if dtype == "float64" else "ps"
        assert re.search(rf"\bv?(mul|add|fmadd\w*|fnmadd\w*){suffix}\b", text)
    calls = set(re.findall(r"call\w*\s+\*?([\w.]+)", text))
    assert not calls & {name, name + "f", "fma", "floor", "rint"}, calls


@pytest.mark.parametrize("size", [1, 7, 8, 1000, 100_003])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_unary_kernels(dtype, size):
    x = np.linspace(-3, 3, size).astype(dtype)
    out = np.full_like(x, 7)
    kernels.unary("tanh", dtype)(x, out)
    assert (ulps(out, exact("tanh", x)) <= 2).all()
    again = np.empty_like(x)
    kernels.unary("tanh", dtype)(x, again, threads=2)
    assert np.array_equal(out, again)
    kernels.unary("tanh", dtype)(x, x)
    assert np.array_equal(out, x)


def test_unary_kernels_that_are_not_there():
    assert kernels.unary("sin", "int64") is None
    assert kernels.unary("add", "float64") is None
    assert kernels.unary("isnan", "float64") is None
    assert kernels.unary("lgamma", "float64") is None
    assert kernels.pays("sin", "float64")
    assert not kernels.pays("lgamma", "float64")


def test_unary_kernels_refuse_other_arrays():
    sin = kernels.unary("sin", "float64")
    x = np.zeros((4, 4))
    for other in (np.zeros(4), np.zeros((4, 4), np.float32), np.zeros((8, 4))[::2]):
        with pytest.raises(ValueError, match="contiguous arrays of float64"):
            sin(x, other)
