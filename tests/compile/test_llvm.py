"""Loop descriptions as machine code: against an interpreter, and against NumPy."""

import ctypes
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from loop_kernels import RandomKernel, both, dtype_of, native, targets

from leafgrad.compile import llvm, threads
from leafgrad.compile.llvm import Call, Const, Kernel, Number, Ref, Slot, build

TARGETS = targets()


@pytest.mark.parametrize("seed", range(60))
def test_random_kernels(seed):
    RandomKernel(seed).check()


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"host"}))
@pytest.mark.parametrize("seed", range(100, 125))
def test_random_kernels_on_lesser_processors(seed, target):
    RandomKernel(seed).check(TARGETS[target])


def test_the_example_of_the_module():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 1000))
    G, loss = np.zeros(1000), np.zeros(1)
    k = Kernel("mse")
    x, y = k.array(1, "float64"), k.array(2, "float64")
    gradient, out = k.array(3, "float64"), k.array(4, "float64")
    with k.loop(1000) as i:
        d = k.op("subtract", k.load(x, {i: 1}), k.load(y, {i: 1}))
        k.store(gradient, k.op("multiply", d, k.const(2 / 1000, "float64")), {i: 1})
        total = k.reduce("sum", k.op("multiply", d, d))
    k.store(out, k.op("divide", total, k.const(1000.0, "float64")))
    native(k, {1: X, 2: Y, 3: G, 4: loss})
    assert np.array_equal(G, (X - Y) * (2 / 1000))
    assert np.isclose(loss[0], np.mean((X - Y) ** 2), rtol=1e-14)
    assert str(k).splitlines() == [
        "mse(a0: float64 @1, a1: float64 @2, a2: float64 @3, a3: float64 @4)",
        "    v4 = 0.002: float64",
        "    for i1 in range(1000):",
        "        v1 = a0[i1]",
        "        v2 = a1[i1]",
        "        v3 = subtract(v1, v2): float64",
        "        v5 = multiply(v3, v4): float64",
        "        a2[i1] = v5",
        "        v7 = multiply(v3, v3): float64",
        "        v8 = sum(v7, over i1): float64",
        "    v9 = 1000.0: float64",
        "    v10 = divide(v8, v9): float64",
        "    a3[0] = v10",
    ]


def test_softmax_is_three_loops_in_one():
    x = np.random.default_rng(0).normal(size=(13, 37)).astype(np.float32)
    y = np.zeros_like(x)
    k = Kernel("softmax")
    source, target = k.array(1, "float32"), k.array(2, "float32")
    with k.loop(13) as i:
        with k.loop(37) as j:
            top = k.reduce("max", k.load(source, {i: 37, j: 1}))
        with k.loop(37) as j:
            e = k.op("exp", k.op("subtract", k.load(source, {i: 37, j: 1}), top))
            k.store(target, e, {i: 37, j: 1})
            total = k.reduce("sum", e)
        with k.loop(37) as j:
            k.store(target, k.op("divide", k.load(target, {i: 37, j: 1}), total), {i: 37, j: 1})
    native(k, {1: x, 2: y})
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    assert np.allclose(y, e / e.sum(1, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize("columns", [1, 3, 16, 50, 133])
def test_sums_of_columns(columns):
    x = np.random.default_rng(0).normal(size=(77, columns))
    out = np.zeros(columns)
    k = Kernel("columns")
    a, b = k.array(1, "float64"), k.array(2, "float64")
    with k.loop(columns, vector=True) as j:
        with k.loop(77) as i:
            s = k.reduce("sum", k.load(a, {i: columns, j: 1}))
        k.store(b, s, {j: 1})
    native(k, {1: x.reshape(-1), 2: out})
    assert np.allclose(out, x.sum(0), rtol=1e-13)


def test_a_small_matrix_product():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(5, 7)), rng.normal(size=(7, 19)), np.zeros((5, 19))
    k = Kernel("product")
    p, q, r = (k.array(i, "float64") for i in (1, 2, 3))
    with k.loop(5) as i, k.loop(19, vector=True) as j:
        with k.loop(7) as m:
            product = k.op("multiply", k.load(p, {i: 7, m: 1}), k.load(q, {m: 19, j: 1}))
            s = k.reduce("sum", product)
        k.store(r, s, {i: 19, j: 1})
    native(k, {1: a.reshape(-1), 2: b.reshape(-1), 3: c.reshape(-1)})
    assert np.allclose(c, a @ b, rtol=1e-13)


def test_sums_over_all_axes_keep_their_lanes():
    x = np.random.default_rng(0).normal(size=(6, 11, 23))
    out = np.zeros(2)
    k = Kernel("all")
    a, b = k.array(1, "float64"), k.array(2, "float64")
    with k.loop(6) as i, k.loop(11) as j, k.loop(23) as m:
        v = k.load(a, {i: 253, j: 23, m: 1})
        s, top = k.reduce("sum", v, over=i), k.reduce("max", v, over=i)
    k.store(b, s)
    k.store(b, top, offset=1)
    native(k, {1: x.reshape(-1), 2: out})
    assert np.isclose(out[0], x.sum(), rtol=1e-14) and out[1] == x.max()


@pytest.mark.parametrize("rows, columns", [(33, 70), (8, 8), (1, 40), (40, 1)])
def test_transposed_and_reversed_reads(rows, columns):
    x = np.random.default_rng(0).normal(size=(rows, columns))
    k = Kernel("turned")
    a, b = k.array(1, "float64"), k.array(2, "float64")
    with k.loop(columns) as i, k.loop(rows) as j:
        v = k.load(a, {j: -columns, i: 1}, offset=(rows - 1) * columns)
        k.store(b, v, {i: rows, j: 1})
    mine, _ = both(k, {1: x.reshape(-1), 2: np.zeros(x.size)})
    assert np.array_equal(mine[2].reshape(columns, rows), x[::-1].T)


def test_rows_by_index_and_back():
    rng = np.random.default_rng(0)
    weight, index = rng.normal(size=(10, 24)), rng.integers(0, 10, 50)
    out, gradient = np.zeros((50, 24)), np.zeros((10, 24))
    k = Kernel("embedding")
    w, at, y, g = (k.array(i, d) for i, d in enumerate(["float64", "int64"] + ["float64"] * 2, 1))
    with k.loop(50) as i:
        row = k.op("multiply", k.load(at, {i: 1}), k.const(24, "int64"))
        with k.loop(24) as j:
            v = k.load(w, {j: 1}, at=row)
            k.store(y, v, {i: 24, j: 1})
            k.store(g, v, {j: 1}, at=row, add=True)
    native(k, {1: weight.reshape(-1), 2: index, 3: out.reshape(-1), 4: gradient.reshape(-1)})
    assert np.array_equal(out, weight[index])
    wanted = np.zeros_like(weight)
    np.add.at(wanted, index, weight[index])
    assert np.array_equal(gradient, wanted)


def test_an_index_of_its_own_in_every_lane():
    rng = np.random.default_rng(0)
    x, index = rng.normal(size=100), rng.permutation(100)
    k = Kernel("gather")
    a, at, b, c = (
        k.array(i, d) for i, d in enumerate(["float64", "int64", "float64", "float64"], 1)
    )
    with k.loop(100) as i:
        where = k.load(at, {i: 1})
        k.store(b, k.load(a, at=where), {i: 1})
        k.store(c, k.load(a, {i: 1}), at=where)
    out, back = np.zeros(100), np.zeros(100)
    native(k, {1: x, 2: index, 3: out, 4: back})
    wanted = np.zeros(100)
    wanted[index] = x
    assert np.array_equal(out, x[index]) and np.array_equal(back, wanted)


def test_additions_to_one_place_do_not_meet():
    index = np.random.default_rng(0).integers(0, 4, 200)
    k = Kernel("histogram")
    at, count = k.array(1, "int64"), k.array(2, "float64")
    with k.loop(200) as i:
        k.store(count, k.const(1.0, "float64"), at=k.load(at, {i: 1}), add=True)
    out = np.zeros(4)
    native(k, {1: index, 2: out})
    assert np.array_equal(out, np.bincount(index, minlength=4))


def test_guarded_reads_do_not_touch_memory():
    # The array is shorter than the loop: what lies behind it must not be read or written.
    page = np.arange(16.0)
    k = Kernel("guarded")
    a, b = k.array(1, "float64"), k.array(2, "float64")
    with k.loop(100) as i:
        inside = k.op("less", k.index(i), k.const(16, "int64"))
        v = k.load(a, {i: 1}, where=inside)
        k.store(a, k.op("negative", v), {i: 1}, where=inside)
        k.store(b, v, {i: 1})
    memory = np.concatenate([page, np.full(84, 7.0)])
    out = np.full(100, 5.0)
    native(k, {1: memory, 2: out})
    assert np.array_equal(out, np.where(np.arange(100) < 16, np.arange(100), 0))
    assert np.array_equal(memory, np.concatenate([-page, np.full(84, 7.0)]))


def test_nothing_is_written_behind_the_end():
    for dtype in ("int8", "int16", "bfloat16", "float16", "float32", "float64", "bool"):
        if dtype == "bfloat16":
            pytest.importorskip("ml_dtypes")
        kind = dtype_of(dtype)
        for n in (*range(1, 20), 31, 33, 63, 65, 97, 129):
            k = Kernel("copy")
            a, b = k.array(1, "int32"), k.array(2, dtype)
            with k.loop(n) as i:
                k.store(b, k.cast(k.load(a, {i: 1}), dtype), {i: 1})
            x = (np.arange(n + 70) % 2).astype(np.int32)
            out = np.ones(n + 70, np.int8).view(np.int8).astype(kind)
            native(k, {1: x, 2: out})
            assert np.array_equal(out[:n].astype(np.float32), x[:n].astype(np.float32))
            assert (out[n:].astype(np.float32) == 1).all(), (dtype, n)


@pytest.mark.parametrize("old", sorted(llvm.DTYPES))
@pytest.mark.parametrize("new", sorted(llvm.DTYPES))
def test_casts_are_numpys(old, new):
    if "bfloat16" in (old, new):
        pytest.importorskip("ml_dtypes")
    x = np.array([0, 1, 2, 3, 100, 120, 77, 5, 0.5, 1.25, 2.75, 99.99, 1e-8]).astype(dtype_of(old))
    if llvm.DTYPES[old].signed and (llvm.DTYPES[new].signed or new == "bool"):
        x = np.concatenate([x, -x])
    if old[:5] == new[:5] == "float":
        odd = np.array([np.inf, -np.inf, np.nan, -0.0, 65519.9, 65520.0, 6e-8, 3e-8, 2.9e-8, 1e300])
        with np.errstate(all="ignore"):
            x = np.concatenate([x, odd.astype(x.dtype)])
    if new == "bool" and old[:5] == "float":
        x = np.concatenate([x, np.array([np.nan, np.inf], x.dtype)])
    for target in TARGETS.values():
        k = Kernel("cast")
        a, b = k.array(1, old), k.array(2, new)
        with k.loop(len(x)) as i:
            k.store(b, k.cast(k.load(a, {i: 1}), new), {i: 1})
        out = np.zeros(len(x), dtype_of(new))
        native(k, {1: x, 2: out}, target=target)
        with np.errstate(all="ignore"):
            wanted = x.astype(out.dtype)
        equal = (out == wanted) | ((out != out) & (wanted != wanted))
        assert equal.all(), (x[~equal], out[~equal], wanted[~equal])


def test_every_float16_number():
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for target in TARGETS.values():
        k = Kernel("halves")
        a, b, c = k.array(1, "float16"), k.array(2, "float32"), k.array(3, "float16")
        with k.loop(x.size) as i:
            v = k.load(a, {i: 1})
            k.store(b, k.cast(v, "float32"), {i: 1})
            k.store(c, k.op("add", v, k.const(0.1, "float16")), {i: 1})
        wide, sums = np.zeros(x.size, np.float32), np.zeros_like(x)
        native(k, {1: x, 2: wide, 3: sums}, target=target)
        with np.errstate(all="ignore"):
            assert np.array_equal(wide, x.astype(np.float32), equal_nan=True)
            assert np.array_equal(sums, x + np.float16(0.1), equal_nan=True)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64"])
def test_integer_division(dtype):
    info = np.iinfo(dtype)
    some = np.array([info.min, info.max, 0, 1, 2, 7, 5, info.max // 2], dtype)
    if info.min:
        some = np.concatenate([some, np.array([-1, -2, -7, info.min + 1], dtype)])
    x, y = (a.ravel().copy() for a in np.meshgrid(some, some))
    k = Kernel("division")
    a, b, q, r = (k.array(i, dtype) for i in (1, 2, 3, 4))
    with k.loop(x.size) as i:
        v, w = k.load(a, {i: 1}), k.load(b, {i: 1})
        k.store(q, k.op("floor_divide", v, w), {i: 1})
        k.store(r, k.op("remainder", v, w), {i: 1})
    out, rest = np.zeros_like(x), np.zeros_like(x)
    native(k, {1: x, 2: y, 3: out, 4: rest})
    with np.errstate(all="ignore"):
        assert np.array_equal(out, x // y) and np.array_equal(rest, x % y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [100, 10_000, 1_000_003])
def test_sums_are_as_accurate_as_pairwise_ones(n, dtype):
    x = np.random.default_rng(0).uniform(0, 1, n).astype(dtype)
    k = Kernel("sum")
    a, b = k.array(1, dtype), k.array(2, dtype)
    with k.loop(n) as i:
        s = k.reduce("sum", k.load(a, {i: 1}))
    k.store(b, s)
    out = np.zeros(1, dtype)
    native(k, {1: x, 2: out})
    true = np.sum(x, dtype=np.longdouble)
    # One by one, float32 would be off by thousands of eps.
    assert abs(out[0] - true) <= 4 * np.finfo(dtype).eps * true


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_and_extremes(dtype):
    x = np.random.default_rng(0).uniform(0.9, 1.1, 777).astype(dtype)
    for special in ((), (np.nan,), (np.inf,), (-np.inf, np.nan), (-0.0,)):
        x[5 : 5 + len(special)] = special
        k = Kernel("ends")
        a, b = k.array(1, dtype), k.array(2, dtype)
        with k.loop(777) as i:
            v = k.load(a, {i: 1})
            found = [k.reduce(kind, v) for kind in ("prod", "max", "min")]
        for n, r in enumerate(found):
            k.store(b, r, offset=n)
        out = np.zeros(3, dtype)
        native(k, {1: x, 2: out})
        with np.errstate(all="ignore"):
            assert np.allclose(out[0], x.prod(), rtol=1e-4, equal_nan=True)
        assert np.array_equal(out[1:], [x.max(), x.min()], equal_nan=True)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 1000, 40_000, 1_000_001])
def test_symbolic_extents(n):
    x = np.random.default_rng(0).normal(size=max(n, 1))
    k = Kernel("any length")
    a, b, c = (k.array(i, "float64") for i in (1, 2, 3))
    with k.loop(k.scalar(4, "int64")) as i:
        v = k.op("multiply", k.load(a, {i: 1}), k.scalar(5, "float64"))
        k.store(b, v, {i: 1})
        s, top = k.reduce("sum", v), k.reduce("max", v)
    k.store(c, s)
    k.store(c, top, offset=1)
    results = []
    for team in (0, threads.address(2), threads.address(3)):
        y, out = np.zeros_like(x), np.zeros(2)
        native(k, {1: x, 2: y, 3: out, 4: np.array([n]), 5: np.array([2.5])}, team=team)
        assert np.array_equal(y[:n], x[:n] * 2.5) and not y[n:].any()
        assert np.isclose(out[0], (x[:n] * 2.5).sum(), rtol=1e-12, atol=1e-300)
        assert out[1] == (x[:n] * 2.5).max(initial=-np.inf)
        results.append(out.tobytes())
    assert len(set(results)) == 1  # the number of threads makes no difference


def test_values_from_outside_a_shared_loop():
    rng = np.random.default_rng(0)
    x, row = rng.normal(size=(3000, 64)), rng.normal(size=64)
    k = Kernel("shared")
    a, b, c, d = (k.array(i, "float64") for i in (1, 2, 3, 4))
    with k.loop(64) as j:
        s = k.reduce("sum", k.load(b, {j: 1}))
    flag = k.op("greater", s, k.const(1e9, "float64"))
    with k.loop(3000) as i, k.loop(64) as j:
        v = k.op("add", k.load(a, {i: 64, j: 1}), s)
        v = k.op("where", flag, k.const(0.0, "float64"), v)
        k.store(c, v, {i: 64, j: 1})
        total, best = k.reduce("sum", v, over=i), k.reduce("min", v, over=i)
    k.store(d, k.op("add", total, best))
    wanted = x + row.sum()
    for team in (0, threads.address(2)):
        y, out = np.zeros_like(x), np.zeros(1)
        f = native(k, {1: x.reshape(-1), 2: row, 3: y.reshape(-1), 4: out}, team=team)
        assert "@lg_parts" in f.ir  # it is one that threads share
        assert np.allclose(y, wanted, rtol=1e-13)
        assert np.isclose(out[0], y.sum() + y.min(), rtol=1e-12)


def test_a_team_used_by_two_callers_at_once():
    n = 300_000
    x = np.random.default_rng(0).normal(size=n)
    k = Kernel("squares")
    a, b = k.array(1, "float64"), k.array(2, "float64")
    with k.loop(n) as i:
        v = k.load(a, {i: 1})
        k.store(b, k.op("sin", v), {i: 1})
    f, wanted = build([k]), []
    team = threads.address(2)

    def caller(out):
        table = np.array([team, x.ctypes.data, out.ctypes.data], np.uint64)
        for _ in range(50):
            f(table.ctypes.data)

    outs = [np.zeros(n) for _ in range(4)]
    callers = [threading.Thread(target=caller, args=(out,)) for out in outs]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    wanted = np.sin(x)
    assert all(np.allclose(out, wanted, rtol=1e-15, atol=1e-16) for out in outs)


@pytest.mark.skipif(not hasattr(threads.os, "fork"), reason="no fork here")
def test_compiled_code_in_a_child_process():
    script = """
import os, sys
import numpy as np
from leafgrad.compile import kernels
x = np.linspace(0, 9, 500_000)
out = np.empty_like(x)
kernels.unary("sin", "float64")(x, out, threads=2)
child = os.fork()
again = np.empty_like(x)
kernels.unary("sin", "float64")(x, again, threads=2)
good = np.array_equal(out, again)
if child == 0:
    os._exit(0 if good else 1)
_, status = os.waitpid(child, 0)
sys.exit(0 if good and status == 0 else 1)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], timeout=60)
    assert done.returncode == 0


# Calls


def test_calls_between_kernels():
    seen = []

    @ctypes.CFUNCTYPE(
        None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int32),
        ctypes.c_double, ctypes.c_int64,
    )  # fmt: skip
    def note(address, ref, constant, number, integer):
        seen.append((address, ref[0], constant[0], number, integer))

    k = Kernel("double")
    a = k.array(1, "float64")
    with k.loop(5) as i:
        k.store(a, k.op("multiply", k.load(a, {i: 1}), k.const(2.0, "float64")), {i: 1})
    call = Call(2, Slot(1), Ref(3), Const("int32", -7), Number("float64", 0.1), Number("int64", 9))
    f = build([k, call, k])
    x = np.arange(5.0)
    table = np.zeros(f.slots, np.uint64)
    assert f.slots == 4
    table[1], table[2] = x.ctypes.data, ctypes.cast(note, ctypes.c_void_p).value
    table[3:4].view(np.float64)[0] = 6.5
    assert f(table.ctypes.data) == 0
    assert seen == [(x.ctypes.data, 6.5, -7, 0.1, 9)]
    assert np.array_equal(x, np.arange(5.0) * 4)


def test_a_checked_call_ends_the_step():
    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64)
    def status(value):
        return value

    k = Kernel("one more")
    a = k.array(1, "int64")
    k.store(a, k.op("add", k.load(a), k.const(1, "int64")))
    x = np.zeros(1, np.int64)
    table = np.array([0, x.ctypes.data, ctypes.cast(status, ctypes.c_void_p).value], np.uint64)
    address = table.ctypes.data
    good, bad = (Call(2, Number("int64", n), check=True) for n in (0, -3))
    assert build([k, good, k])(address) == 0 and x[0] == 2
    assert build([k, bad, k])(address) == -3 and x[0] == 3


def test_blas_through_scipys_pointers():
    blas = pytest.importorskip("scipy.linalg.cython_blas")
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = blas.__pyx_capi__["dgemm"]
    dgemm = pointer(capsule, name(capsule))
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(4, 6)), rng.normal(size=(6, 5)), np.zeros((4, 5))
    # c = a @ b in C's order is c' = b' a' in Fortran's.
    no, one, zero = Const("int8", ord("N")), Const("float64", 1.0), Const("float64", 0.0)
    m, n, k = (Const("int32", size) for size in (5, 4, 6))
    call = Call(1, no, no, m, n, k, one, Slot(3), m, Slot(2), k, zero, Slot(4), m)
    table = np.array([0, dgemm, a.ctypes.data, b.ctypes.data, c.ctypes.data], np.uint64)
    assert build([call])(table.ctypes.data) == 0
    assert np.allclose(c, a @ b, rtol=1e-14)


# What the builder refuses


def test_values_do_not_leave_their_loop():
    k = Kernel()
    a = k.array(1, "float64")
    with k.loop(4) as i:
        v = k.load(a, {i: 1})
        total = k.reduce("sum", v)
        with pytest.raises(ValueError, match="has not ended"):
            k.op("negative", total)
    with pytest.raises(ValueError, match="has ended: reduce it, or store it"):
        k.op("negative", v)
    with pytest.raises(ValueError, match="is not open here"):
        k.load(a, {i: 1})
    with pytest.raises(ValueError, match="inside the loops that it goes over"):
        k.reduce("sum", total)


def test_dtypes_are_checked():
    k = Kernel()
    a = k.const(1.0, "float64")
    b = k.const(1, "int32")
    with pytest.raises(TypeError, match="add of float64 and int32: cast them to one dtype"):
        k.op("add", a, b)
    with pytest.raises(TypeError, match="sin does not take int32"):
        k.op("sin", b)
    with pytest.raises(TypeError, match="where must be bool, not int32"):
        k.op("where", b, a, a)
    with pytest.raises(TypeError, match="no machine code for complex128"):
        k.cast(a, "complex128")
    with pytest.raises(TypeError, match="add takes 2 operands, not 1"):
        k.op("add", a)
    with pytest.raises(KeyError, match="no op 'frobnicate'"):
        k.op("frobnicate", a)
    assert llvm.supported("add", "float16") and not llvm.supported("add", "bool")
    assert not llvm.supported("add", "complex64") and not llvm.supported("frobnicate", "float32")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_constants_are_rounded_to_their_dtype(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    kind = dtype_of(dtype)
    some = [0.1, 1 / 3, -2.7, 65519.0, 65520.0, 3e-8, 2.9e-8, 6.1e-5, 1e-40, 1e38, 3.39e38, 3.4e38]
    for value in (*some, -0.0, np.inf, -np.inf, 1e300, 257.0, 259.0, 2049.0, 2051.0):
        with np.errstate(all="ignore"):
            wanted = float(np.float64(value).astype(kind))
        got = Kernel().const(value, dtype).extra[1]
        assert got == wanted and np.signbit(got) == np.signbit(wanted), (value, got, wanted)


def test_constants_out_of_bounds():
    with pytest.raises(OverflowError, match="300 out of bounds for uint8"):
        Kernel().const(300, "uint8")
    k = Kernel()
    a = k.array(1, "uint64")
    k.store(a, k.const(2**64 - 1, "uint64"))
    x = np.zeros(1, np.uint64)
    native(k, {1: x})
    assert x[0] == 2**64 - 1


def test_equal_values_are_one():
    k = Kernel()
    a = k.array(1, "float64")
    with k.loop(4) as i:
        v = k.load(a, {i: 1})
        assert k.op("add", v, v) is k.op("add", v, v)
        assert k.const(1.0, "float64") is k.const(1.0, "float64")
        assert k.const(0.0, "float64") is not k.const(-0.0, "float64")
        assert k.const(1.0, "float64") is not k.const(1.0, "float32")


# What is kept


def test_a_second_build_does_not_compile(monkeypatch):
    def sums(n):
        k = Kernel("twice")
        a, b = k.array(1, "float64"), k.array(2, "float64")
        with k.loop(n) as i:
            s = k.reduce("sum", k.load(a, {i: 1}))
        k.store(b, s)
        return k

    x, out = np.arange(123.0), np.zeros(1)
    native(sums(123), {1: x, 2: out})

    def refuse(*_):
        raise AssertionError("compiled again")

    monkeypatch.setattr(llvm, "_optimised", refuse)
    out[:] = 0
    native(sums(123), {1: x, 2: out})
    assert out[0] == x.sum()
    with pytest.raises(AssertionError, match="compiled again"):
        build([sums(124)])


@pytest.mark.parametrize(
    "version, good",
    [("0.44.0", False), ("0.45.0", True), ("0.50.0rc1", True), ("1.0.0", True), ("odd", False)],
)
def test_old_versions_of_llvmlite_do_not_count(monkeypatch, version, good):
    from importlib import metadata

    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert llvm.available.__wrapped__() is good


def test_llvmlite_is_not_imported_before_it_is_used():
    script = (
        "import sys, leafgrad; from leafgrad.compile import llvm, kernels, threads; "
        "llvm.available(); llvm.Kernel(); assert 'llvmlite' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
