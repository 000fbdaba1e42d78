"""Kernels of tests: run by plain Python, step by step, and natively."""

from __future__ import annotations

import math

import numpy as np

from leafgrad.compile import llvm

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
    f = llvm.build(kernels) if target is None else llvm.build(kernels, target)
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
