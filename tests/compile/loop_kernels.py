"""Kernels of tests: run by plain Python, step by step, and natively."""

from __future__ import annotations

import contextlib
import math
import random

import numpy as np

from leafgrad.compile import llvm
from leafgrad.compile.math import FUNCTIONS

UFUNCS = {
    name: getattr(np, name)
    for name in llvm.OPS
    if hasattr(np, name) and isinstance(getattr(np, name), np.ufunc)
}
OTHERS = {
    "where": np.where,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "relu": lambda a: np.maximum(a, a.dtype.type(0)),
    "clip": lambda a, low, high: np.minimum(np.maximum(a, low), high),
    "fma": lambda a, b, c: a * b + c,
}
JOIN = {
    "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
    "any": np.logical_or, "all": np.logical_and,
}  # fmt: skip


def dtype_of(name: str) -> np.dtype:
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


class Interpreter:
    """What a kernel does, said in the plainest way: one element at a time, sums with fsum."""

    def __init__(self, kernel: llvm.Kernel, memory: dict[int, np.ndarray]) -> None:
        self.kernel, self.memory = kernel, memory
        self.values: dict[llvm.Value, object] = {}
        self.counters: dict[llvm.Loop, int] = {}
        self.sums: dict[llvm.Value, list] = {}

    def run(self) -> None:
        with np.errstate(all="ignore"):
            self.body(self.kernel.body)

    def body(self, nodes) -> None:
        for node in nodes:
            if isinstance(node, llvm.Loop):
                self.loop(node)
            else:
                self.node(node)

    def loop(self, loop) -> None:
        ending = [n for n in _nodes(loop.body) if n.op == "reduce" and n.extra[1] is loop]
        for r in ending:
            self.sums[r] = []
        extent = loop.extent if isinstance(loop.extent, int) else int(self.values[loop.extent])
        for i in range(extent):
            self.counters[loop] = i
            self.body(loop.body)
        for r in ending:
            self.values[r] = self.total(r)

    def total(self, r):
        dtype, items = dtype_of(r.dtype), self.sums[r]
        if r.extra[0] == "sum" and dtype.kind not in "iub":
            if all(math.isfinite(x) for x in items):
                return dtype.type(math.fsum(items))
        with np.errstate(all="ignore"):
            start = {"sum": 0, "prod": 1, "any": False, "all": True}.get(r.extra[0])
            if not items:
                return dtype.type(start)
            total = items[0]
            for x in items[1:]:
                total = JOIN[r.extra[0]](total, x)
            return dtype.type(total)

    def element(self, access) -> int:
        at = 0 if access.at is None else int(self.values[access.at])
        return access.offset + at + sum(s * self.counters[loop] for loop, s in access.strides)

    def node(self, n) -> None:
        v = [self.values[x] for x in n.operands]
        dtype = dtype_of(n.dtype)
        if n.op == "const":
            self.values[n] = dtype.type(n.extra[1])
        elif n.op == "scalar":
            kind = np.float64 if dtype.kind not in "iub" else np.int64
            self.values[n] = self.memory[n.extra[0]].view(kind)[0].astype(dtype)
        elif n.op == "index":
            self.values[n] = np.int64(self.counters[n.extra[0]])
        elif n.op == "cast":
            self.values[n] = np.asarray(v[0]).astype(dtype)[()]
        elif n.op == "load":
            a = n.extra
            if a.where is not None and not self.values[a.where]:
                self.values[n] = dtype.type(0)
            else:
                self.values[n] = self.memory[a.array.slot][self.element(a)]
        elif n.op == "store":
            a = n.extra
            if a.where is None or self.values[a.where]:
                place = self.element(a)
                memory = self.memory[a.array.slot]
                memory[place] = memory[place] + v[0] if a.add else v[0]
        elif n.op == "reduce":
            self.sums[n].append(v[0])
        else:
            f = UFUNCS.get(n.op) or OTHERS[n.op]
            self.values[n] = np.asarray(f(*v)).astype(dtype)[()]


def _nodes(body):
    for node in body:
        if isinstance(node, llvm.Loop):
            yield from _nodes(node.body)
        else:
            yield node


def native(kernels, memory: dict[int, np.ndarray], team: int = 0, target=None) -> llvm.Native:
    """Runs kernels on arrays, by slot (an array of one int64 or float64 for a scalar's slot)."""
    kernels = kernels if isinstance(kernels, list) else [kernels]
    f = llvm.build(kernels, target)
    scalars = {
        n.extra[0]
        for k in kernels
        if isinstance(k, llvm.Kernel)
        for n in _nodes(k.body)
        if n.op == "scalar"
    }
    table = np.zeros(max(f.slots, 1), np.uint64)
    table[0] = team
    for slot, array in memory.items():
        table[slot] = array.view(np.uint64)[0] if slot in scalars else array.ctypes.data
    assert f(table.ctypes.data) == 0
    return f


def both(kernel, memory: dict[int, np.ndarray], **options):
    """The memory as native code leaves it, and as the interpreter does."""
    mine = {slot: a.copy() for slot, a in memory.items()}
    plain = {slot: a.copy() for slot, a in memory.items()}
    Interpreter(kernel, plain).run()  # first: the native way may reorder the description
    native(kernel, mine, **options)
    return mine, plain


def targets() -> dict[str, llvm.Target]:
    """This processor, and lesser ones whose code it runs as well."""
    here = llvm.host()
    found = {"host": here}
    if here.triple.startswith("x86_64"):
        found["sse2"] = llvm.target_of(here.triple, "x86-64", "", {})
        found["avx"] = llvm.target_of(here.triple, "sandybridge", "", {"avx": True})
        if here.fma and here.vector_bits >= 256:
            has = {"avx": True, "avx2": True, "fma": True, "f16c": True}
            found["avx2"] = llvm.target_of(here.triple, "haswell", "", has)
    return found


class RandomKernel:
    """A kernel of random loops, loads, ops, reductions and stores, with the memory it works on."""

    DTYPES = (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64",
    )  # fmt: skip
    EXTENTS = (1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 33, 40)

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.kernel = llvm.Kernel(f"random{seed}")
        self.memory: dict[int, np.ndarray] = {}
        self.sums: set[int] = set()  # slots of what was added up: equal but for rounding
        # Computed by our own formulas, or rounded differently on the way
        rough = {*FUNCTIONS, "logaddexp", "fma", "rsqrt"}
        self.ops = [n for n in llvm.OPS if (n in UFUNCS or n in OTHERS) and n not in rough]
        self._write()

    def array(self, dtype: str, size: int) -> llvm.Array:
        slot, kind = len(self.memory) + 1, dtype_of(dtype)
        if dtype == "bool":
            a = self.numbers.integers(0, 2, size).astype(kind)
        elif kind.kind in "iu":
            a = self.numbers.integers(0 if kind.kind == "u" else -20, 20, size).astype(kind)
        else:
            a = (self.numbers.normal(size=size) * 4).astype(kind)
            odd = self.choose.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0])
            a[self.numbers.integers(0, size, max(1, size // 9))] = odd
        self.memory[slot] = a
        return self.kernel.array(slot, dtype)

    def value(self, pool: list, dtype: str, depth: int) -> llvm.Value:
        k, choose = self.kernel, self.choose
        known = [v for v in pool if v.dtype == dtype]
        if depth <= 0 or (known and choose.random() < 0.35):
            if known and choose.random() < 0.9:
                return choose.choice(known)
            numbers = [0, 1] if dtype == "bool" else [0, 1, 5] if dtype[0] == "u" else [0, 1, 2, -1]
            return k.const(choose.choice(numbers), dtype)
        while True:
            name = choose.choice(self.ops)
            op = llvm.OPS[name]
            if op.gives == "bool" and dtype == "bool":
                other = choose.choice(self.DTYPES)
                if op.allows(other):
                    return k.op(
                        name, *(self.value(pool, other, depth - 1) for _ in range(op.arity))
                    )
            elif op.gives == "same" and op.allows(dtype):
                kinds = ["bool", dtype, dtype] if name == "where" else [dtype] * op.arity
                return k.op(name, *(self.value(pool, kind, depth - 1) for kind in kinds))
            elif choose.random() < 0.3:
                return self.cast(pool, dtype, depth)

    def cast(self, pool: list, dtype: str, depth: int) -> llvm.Value:
        k = self.kernel
        other = self.choose.choice(self.DTYPES)
        v = self.value(pool, other, depth - 1)
        if llvm.DTYPES[other].is_float and not llvm.DTYPES[dtype].is_float and dtype != "bool":
            # What does not fit is undefined in C
            v = k.op("where", k.op("isfinite", v), v, k.const(1, other))
            v = k.op("clip", v, k.const(0, other), k.const(100, other))
        return k.cast(v, dtype)

    def _write(self) -> None:
        k, choose = self.kernel, self.choose
        extents = [choose.choice(self.EXTENTS) for _ in range(choose.randint(1, 3))]
        vector = choose.randrange(len(extents)) if choose.random() < 0.4 else None
        pool: list[llvm.Value] = []
        loops: list[llvm.Loop] = []
        ends = []
        with contextlib.ExitStack() as stack:
            if choose.random() < 0.5:
                slot = len(self.memory) + 1
                self.memory[slot] = np.array([1.5])
                pool.append(k.scalar(slot, choose.choice(["float32", "float64"])))
            for depth, extent in enumerate(extents):
                loop = k.loop(extent, vector=True if depth == vector else None)
                loops.append(stack.enter_context(loop))
                for _ in range(choose.randint(depth == len(extents) - 1, 2)):
                    pool.append(self.load(loops, pool))
                if choose.random() < 0.3:
                    pool.append(k.index(loops[-1]))
            for _ in range(choose.randint(1, 3)):
                pool.append(self.value(pool, choose.choice(self.DTYPES), choose.randint(1, 4)))
            for _ in range(choose.randint(1, 3)):
                v = choose.choice(pool)
                if choose.random() < 0.5:
                    strides, size = self.strides(loops[::-1], choose.random() < 0.3)
                    add = choose.random() < 0.2 and v.dtype != "bool"
                    k.store(self.array(v.dtype, size), v, strides, add=add)
                else:
                    kinds = ["max", "min", "any", "all"] + ["sum"] * (v.dtype != "bool")
                    # Products of floats overflow, or not, depending on their order.
                    kinds += ["prod"] * (v.dtype[0] in "iu")
                    over = choose.choice(loops)
                    ends.append((k.reduce(choose.choice(kinds), v, over), over))
        for r, over in ends:
            if over.parent is None:
                out = self.array(r.dtype, 1)
                k.store(out, r)
                if r.extra[0] in ("sum", "prod"):
                    self.sums.add(out.slot)

    def strides(self, loops: list, shuffled: bool) -> tuple[dict[llvm.Loop, int], int]:
        order = list(loops)
        if shuffled:
            self.choose.shuffle(order)
        found, step = {}, 1
        for loop in order:
            found[loop] = step
            step *= loop.extent
        return found, step

    def load(self, loops: list, pool: list) -> llvm.Value:
        choose = self.choose
        some = [loop for loop in loops[::-1] if choose.random() < 0.8]
        strides, size = self.strides(some, choose.random() < 0.3)
        bools = [v for v in pool if v.dtype == "bool"]
        guard = choose.choice(bools) if bools and choose.random() < 0.2 else None
        array = self.array(choose.choice(self.DTYPES), size + 3)
        return self.kernel.load(array, strides, choose.randint(0, 3), where=guard)

    def check(self, target: llvm.Target | None = None) -> None:
        """Native code and the interpreter leave the same in memory."""
        text = str(self.kernel)
        mine, plain = both(self.kernel, self.memory, target=target)
        for slot, a in mine.items():
            b = plain[slot]
            if slot in self.sums and a.dtype.kind == "f":
                near = 1e3 * np.finfo(a.dtype).eps
                same = np.allclose(a.astype(float), b.astype(float), near, near, equal_nan=True)
            else:
                same = np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            assert same, f"slot {slot} of\n{text}\n{a}\n{b}"
