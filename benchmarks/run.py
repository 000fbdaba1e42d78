"""leafgrad beside PyTorch on the CPU: steps, operators, import, size, memory. Prints Markdown.

    python benchmarks/run.py [--seconds 4] [--only steps,operators,import,memory,leak]

Needs PyTorch (`make bench` installs it into an environment of its own). Exit status 1 if a figure
falls short of what the project holds itself to.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable
from typing import Any

from measure import by_turns, in_fresh_process, shown
from workloads import STEPS


def steps(seconds: float) -> bool:
    """Training steps: PyTorch and leafgrad by turns in one process."""
    import torch

    import leafgrad

    print("\n| training step | PyTorch eager | leafgrad | ratio | at least |")
    print("| --- | --- | --- | --- | --- |")
    fine = True
    for name, (make, least) in STEPS.items():
        theirs, ours = by_turns([make(torch), make(leafgrad)], seconds)
        ratio = theirs / ours
        fine &= ratio >= least
        print(f"| {name} | {shown(theirs)} | {shown(ours)} | {ratio:.2f} | {least} |", flush=True)
    return fine


def operators(seconds: float) -> bool:
    """An operator, forward and backward, over the bare NumPy call, and beside PyTorch."""
    import numpy as np
    import torch

    import leafgrad

    print("\n| operator, 8 float32 | NumPy | leafgrad | with backward | PyTorch | with backward |")
    print("| --- | --- | --- | --- | --- | --- |")
    value = np.linspace(0.1, 1, 8, dtype=np.float32)

    def forward(lib: Any, call: Callable[[Any], Any]) -> Callable[[], Any]:
        x = lib.from_numpy(value.copy())
        return lambda: call(x)

    def both(lib: Any, call: Callable[[Any], Any]) -> Callable[[], Any]:
        x = lib.from_numpy(value.copy()).requires_grad_()
        ones = lib.ones(8)

        def run() -> None:
            y = call(x)
            y.backward(ones if y.ndim else None)
            x.grad = None

        return run

    cases: dict[str, tuple[Callable[[], Any], Callable[[Any], Callable[[Any], Any]]]] = {
        "x * x": (lambda: value * value, lambda lib: lambda x: x * x),
        "x + 1": (lambda: value + 1, lambda lib: lambda x: x + 1),
        "x / 2": (lambda: value / 2, lambda lib: lambda x: x / 2),
        "sin": (lambda: np.sin(value), lambda lib: lib.sin),
        "exp": (lambda: np.exp(value), lambda lib: lib.exp),
        "tanh": (lambda: np.tanh(value), lambda lib: lib.tanh),
        "relu": (lambda: np.maximum(value, 0), lambda lib: lib.relu),
        "sum": (lambda: np.add.reduce(value), lambda lib: lambda x: x.sum()),
        "x[2:5]": (lambda: value[2:5], lambda lib: lambda x: x[2:5].sum()),
        "reshape": (lambda: value.reshape(2, 4), lambda lib: lambda x: x.reshape(2, 4).sum()),
    }
    for name, (plain, make) in cases.items():
        times = by_turns(
            [plain, forward(leafgrad, make(leafgrad)), both(leafgrad, make(leafgrad)),
             forward(torch, make(torch)), both(torch, make(torch))],
            seconds / 2,
        )  # fmt: skip
        print(f"| {name} | " + " | ".join(map(shown, times)) + " |", flush=True)
    return True


def importing(_: float) -> bool:
    """Import time (fresh processes, by turns) and installed size."""
    code = ("import time, json; t = time.perf_counter(); import {}; "
            "print(json.dumps(time.perf_counter() - t))")  # fmt: skip
    names = ("torch", "leafgrad", "numpy")
    rounds: list[list[float]] = [[in_fresh_process(code.format(n)) for n in names]
                                 for _ in range(7)]  # fmt: skip
    theirs, ours, numpy = (statistics.median(column) for column in zip(*rounds, strict=True))
    size = {n: _size(n) for n in names[:2]}
    print("\n| | PyTorch | leafgrad | ratio | at least |\n| --- | --- | --- | --- | --- |")
    print(f"| import | {shown(theirs)} | {shown(ours)} (NumPy alone {shown(numpy)}) | "
          f"{theirs / ours:.1f} | 8 |")  # fmt: skip
    print(f"| installed size | {size['torch'] / 1e6:,.0f} MB | {size['leafgrad'] / 1e6:.1f} MB | "
          f"{size['torch'] / size['leafgrad']:,.0f} | |", flush=True)  # fmt: skip
    return theirs / ours >= 8


def _size(package: str) -> int:
    import importlib.util

    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    return sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(spec.submodule_search_locations[0])
        for name in names
        if "__pycache__" not in folder
    )


# The kernel's high-water mark of resident memory, set back just before the measured steps.
_PEAK = """
import json, workloads, {lib} as torch
step = getattr(workloads, {name!r})(torch)
step(); step()
def status(key):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(key)) / 1024
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
for _ in range(5): step()
print(json.dumps([status("VmHWM"), status("VmHWM") - before]))
"""


def memory(_: float) -> bool:
    """Peak resident memory of a training step, in a process of its own."""
    if not os.path.exists("/proc/self/clear_refs"):
        print("\n(peak memory is measured on Linux only)")
        return True
    print("\n| peak memory of a step | PyTorch | leafgrad | ours / PyTorch's | at most |")
    print("| --- | --- | --- | --- | --- |")
    fine = True
    for name in ("linear_neuron", "curve_1000000", "mlp_mnist"):
        theirs = in_fresh_process(_PEAK.format(lib="torch", name=name))
        ours = in_fresh_process(_PEAK.format(lib="leafgrad", name=name))
        fine &= ours[0] <= theirs[0]
        print(f"| {name}: whole process | {theirs[0]:,.0f} MB | {ours[0]:,.0f} MB | "
              f"{ours[0] / theirs[0]:.2f} | 1.0 |")  # fmt: skip
        print(f"| {name}: above the level between steps | {theirs[1]:,.1f} MB | {ours[1]:,.1f} MB "
              "| | |", flush=True)  # fmt: skip
    return fine


_LEAK = """
import gc, json, workloads, leafgrad as torch
step = getattr(workloads, {name!r})(torch)
def resident():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmRSS"))
def objects():
    gc.collect()
    return len(gc.get_objects())
gc.disable()
for _ in range(1000): step()
early = resident(), objects()
for _ in range(99000): step()
late = resident(), objects()
print(json.dumps([early, late]))
"""


def leak(_: float) -> bool:
    """Memory and objects after 1,000 and after 100,000 steps, with the garbage collector off."""
    print("\n| after 1,000 and 100,000 steps | resident memory | objects |\n| --- | --- | --- |")
    fine = True
    for name in ("linear_neuron", "curve_1000", "mlp_tiny"):
        early, late = in_fresh_process(_LEAK.format(name=name))
        fine &= late[0] - early[0] < 512 and late[1] - early[1] < 100
        print(f"| {name} | {early[0]:,} kB, {late[0]:,} kB | {early[1]:,}, {late[1]:,} |",
              flush=True)  # fmt: skip
    return fine


PARTS = {"steps": steps, "operators": operators, "import": importing, "memory": memory,
         "leak": leak}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="per comparison")
    parser.add_argument("--only", default="steps,operators,import,memory")
    given = parser.parse_args()
    import torch

    print(f"PyTorch {torch.__version__} ({torch.get_num_threads()} threads), Python "
          f"{platform.python_version()}, {os.cpu_count()} cores")  # fmt: skip
    short = [name for name in given.only.split(",") if not PARTS[name](given.seconds)]
    if short:
        print(f"\nbelow what it should be: {', '.join(short)}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
