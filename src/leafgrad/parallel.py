"""Large arrays over the cores: NumPy's loops use one, but release the interpreter lock.

An elementwise function is computed block by block, each block small enough for the cache, by a few
threads. That pays where an element costs more than its way through memory: sin, exp, log, tanh...
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable
from typing import Any

import numpy as np

SPLIT = 1 << 16  # elements from which on the work is shared
_BLOCK = 1 << 16  # elements at a time: smaller blocks lose to handing over the lock

# Allocated, never touched, freed: from then on glibc keeps what is freed for the next large array,
# rather than to have the system map and clear it anew (docs/decisions/0011).
del [np.empty((32 << 20) - (64 << 10), np.uint8)][:]

_threads = os.cpu_count() or 1
_pool: Any = None


def get_num_threads() -> int:
    """How many threads large operations may use."""
    return _threads


def set_num_threads(n: int) -> None:
    """Set how many threads large operations may use."""
    global _threads, _pool
    if n < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    _threads, _pool = n, None


def spread(function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """`function` of arrays of one shape, elementwise, over the cores. Same result, same dtype."""
    arrays = (first, *others)
    if _threads == 1 or not all(
        a.__class__ is np.ndarray and a.shape == first.shape and a.flags.c_contiguous
        for a in arrays
    ):
        return function(*arrays)
    flat = [a.reshape(-1) for a in arrays]
    out = np.empty(first.shape, function(*[a[:1] for a in flat]).dtype)
    target = out.reshape(-1)
    size = first.size
    share = -(-size // _threads)

    def part(begin: int, end: int) -> None:
        for i in range(begin, end, _BLOCK):
            j = min(i + _BLOCK, end)
            target[i:j] = function(*[a[i:j] for a in flat])

    waiting = [
        _workers().submit(contextvars.copy_context().run, part, i, min(i + share, size))
        for i in range(share, size, share)
    ]
    part(0, share)
    for each in waiting:
        each.result()
    return out


def _workers() -> Any:
    global _pool
    if _pool is None:
        from concurrent.futures import ThreadPoolExecutor

        _pool = ThreadPoolExecutor(max(1, _threads - 1), thread_name_prefix="leafgrad")
    return _pool
