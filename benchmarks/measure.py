"""Timing on a noisy machine: two things in one process, by turns, medians."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


def by_turns(functions: Sequence[Callable[[], Any]], seconds: float = 4.0) -> list[float]:
    """The median time of one call of each, in seconds, measured in alternating short blocks."""
    blocks: list[list[float]] = [[] for _ in functions]
    counts = []
    for function in functions:  # warm up, and see how many calls make a block of 20 ms
        for _ in range(3):
            function()
        start = time.perf_counter()
        function()
        counts.append(max(1, int(0.02 / max(time.perf_counter() - start, 1e-7))))
    end = time.perf_counter() + seconds
    gc.collect()
    while time.perf_counter() < end or len(blocks[0]) < 5:
        for function, count, times in zip(functions, counts, blocks, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                function()
            times.append((time.perf_counter() - start) / count)
    return [statistics.median(times) for times in blocks]


def shown(seconds: float) -> str:
    """A time in a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:,.3g} {unit}" if seconds / size < 1000 else (
                f"{seconds / size:,.0f} {unit}")  # fmt: skip
    return f"{seconds * 1e9:.0f} ns"


def in_fresh_process(code: str) -> Any:
    """Run Python code in a process of its own; it prints one JSON value last."""
    here = os.path.dirname(os.path.abspath(__file__))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])
