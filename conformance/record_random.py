"""Record random numbers that PyTorch makes on the CPU, for tests/test_generator.py.

    python conformance/record_random.py

writes tests/data/random.json. Needs torch. A run is a seed, the calls made one after the other on
one generator, and the checksum of the state that is left. A call is a method of
leafgrad.generator.Generator with its arguments (p and dtype stand for an array, and order for its
layout), and what PyTorch returned for it: the checksum of the bytes (CRC-32) and, for one seed,
the values where they are few.
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

OUT = Path(__file__).parent.parent / "tests" / "data" / "random.json"

SEEDS = [0, 1, -1, 42, 2**40 + 5, 2**63]
SIZES = [0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 1000, 100003]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]
SHOWN = 33  # arrays up to this size are recorded in full, in the runs of one seed

Call = tuple[str, dict[str, Any]]


def _empty(n: int, dtype: str) -> torch.Tensor:
    return torch.empty(n, dtype=getattr(torch, dtype))


def _normal(
    g: torch.Generator,
    n: int,
    dtype: str,
    mean: float = 0.0,
    std: float = 1.0,
    contiguous: bool = True,
) -> torch.Tensor:
    # Every second element: memory that is not contiguous.
    out = _empty(n, dtype) if contiguous else _empty(2 * n, dtype)[::2]
    return out.normal_(mean, std, generator=g)


def _weights(p: list[Any], dtype: str, order: str = "C") -> torch.Tensor:
    weights = torch.tensor(p, dtype=getattr(torch, dtype))
    return weights.T.contiguous().T if order == "F" else weights


METHODS: dict[str, Callable[..., torch.Tensor]] = {
    "uniform": lambda g, n, dtype, low=0.0, high=1.0: _empty(n, dtype).uniform_(
        low, high, generator=g
    ),
    "normal": _normal,
    "integers": lambda g, n, low, high, dtype: _empty(n, dtype).random_(low, high, generator=g),
    "random": lambda g, n, dtype: _empty(n, dtype).random_(generator=g),
    "permutation": lambda g, n: torch.randperm(n, generator=g),
    "bernoulli": lambda g, n, p: _empty(n, "bool").bernoulli_(p, generator=g),
    "bernoulli_tensor": lambda g, p, dtype: torch.bernoulli(_weights(p, dtype), generator=g).bool(),
    "exponential": lambda g, n, dtype, lambd: _empty(n, dtype).exponential_(lambd, generator=g),
    "log_normal": lambda g, n, dtype, mean, std: _empty(n, dtype).log_normal_(
        mean, std, generator=g
    ),
    "cauchy": lambda g, n, dtype, median, sigma: _empty(n, dtype).cauchy_(
        median, sigma, generator=g
    ),
    "geometric": lambda g, n, dtype, p: _empty(n, dtype).geometric_(p, generator=g),
    "multinomial": lambda g, p, dtype, num_samples, replacement, order="C": torch.multinomial(
        _weights(p, dtype, order), num_samples, replacement, generator=g
    ),
}


def _floats() -> Iterator[tuple[str, list[Call]]]:
    """Uniform and normal samples of every floating type and size."""
    for dtype in FLOATS:
        sizes = [{"n": n, "dtype": dtype} for n in SIZES]
        yield f"uniform {dtype}", [("uniform", size) for size in sizes]
        yield f"normal {dtype}", [("normal", size) for size in sizes]
        strided = [size | {"contiguous": False} for size in sizes[:-1]]
        yield f"strided normal {dtype}", [("normal", size) for size in strided]


def _mixed() -> Iterator[Call]:
    """All methods, interleaved so that a spare normal sample passes from call to call."""
    for dtype in FLOATS:
        for n in (3, 16, 21, 1000):
            yield "uniform", {"n": n, "dtype": dtype, "low": -0.3, "high": 2.1}
            yield "normal", {"n": n, "dtype": dtype, "mean": 1.5, "std": 0.7}
            yield "exponential", {"n": n, "dtype": dtype, "lambd": 1.3}
            yield "normal", {"n": 5, "dtype": dtype, "mean": -2.0, "std": 3.0}
            yield "log_normal", {"n": n, "dtype": dtype, "mean": 0.4, "std": 0.9}
            yield "cauchy", {"n": n, "dtype": dtype, "median": 0.2, "sigma": 1.7}
            yield "bernoulli", {"n": n, "p": 0.3}
            yield "permutation", {"n": n}
        p = [i / 16 for i in range(17)] * 3
        yield "bernoulli_tensor", {"p": p, "dtype": dtype}
        yield "bernoulli_tensor", {"p": [p[:5], p[5:10]], "dtype": dtype}
        yield "random", {"n": 100, "dtype": dtype}
        yield "integers", {"n": 100, "low": -7, "high": 9, "dtype": dtype}
        yield "integers", {"n": 100, "low": 3, "high": None, "dtype": dtype}
        # Bounds that the dtype cannot hold.
        bound = {"float16": 4103, "bfloat16": 4151, "float32": 2**26 + 7, "float64": 2**55 + 7}
        for low, high in ((-bound[dtype], 0), (0, bound[dtype]), (-bound[dtype], bound[dtype])):
            yield "integers", {"n": 100, "low": low, "high": high, "dtype": dtype}
        p = [[0.1, 0.0, 0.4, 0.3], [2.0, 1.0, 3.0, 0.5], [0.0, 0.0, 1.0, 0.0]]
        for num_samples, replacement in ((1, False), (1, True), (2, True), (50, True)):
            options = {"num_samples": num_samples, "replacement": replacement}
            yield "multinomial", {"p": p, "dtype": dtype} | options
    for dtype in ("float32", "float64"):
        options = {"num_samples": 3, "replacement": False}
        for order in "CF":
            yield "multinomial", {"p": p[:2], "dtype": dtype, "order": order} | options
    for dtype in [*INTEGERS, *FLOATS]:
        yield "geometric", {"n": 100, "dtype": dtype, "p": 0.2}
    for dtype in ["bool", *INTEGERS]:
        yield "random", {"n": 100, "dtype": dtype}
        yield "integers", {"n": 100, "low": 0, "high": 2, "dtype": dtype}
        yield "integers", {"n": 100, "low": 1, "high": None, "dtype": dtype}
    # Around the ranges from which on 64 bits are drawn, and where signs wrap around.
    for low, high in (
        (0, 2**28 - 1),
        (0, 2**28),
        (-5, 2**28 - 5),
        (0, 2**32),
        (-(2**63), 2**63 - 1),
        (-(2**62), 2**62 + 3),
        (-(2**63) + 1, None),
        (-(2**63), None),
    ):
        yield "integers", {"n": 20, "low": low, "high": high, "dtype": "int64"}
    for dtype in ("float32", "float64", "bfloat16"):
        yield "integers", {"n": 20, "low": -(2**63), "high": None, "dtype": dtype}
        yield "integers", {"n": 20, "low": 0, "high": 2**63 - 1, "dtype": dtype}
    yield "permutation", {"n": 0}
    yield "permutation", {"n": 1}
    yield "permutation", {"n": 2}
    yield "permutation", {"n": 100003}
    yield "normal", {"n": 3, "dtype": "float64"}


def _bytes(tensor: torch.Tensor) -> bytes:
    dense = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor)
    return dense.view(torch.uint8).numpy().tobytes()


def _run(name: str, seed: int, calls: Iterable[Call]) -> dict[str, Any]:
    g = torch.Generator()
    g.manual_seed(seed)
    records = []
    for method, arguments in calls:
        out = METHODS[method](g, **arguments)
        record = {"method": method, "arguments": arguments, "crc": zlib.crc32(_bytes(out))}
        if seed == 42 and out.numel() <= SHOWN:
            record["values"] = out.flatten().tolist()
        records.append(record)
    state = zlib.crc32(np.asarray(g.get_state()).tobytes())
    return {"name": name, "seed": seed, "calls": records, "state": state}


def main() -> None:
    # PyTorch warns of integers that a floating type cannot tell apart. They are wanted here.
    warnings.filterwarnings("ignore", "(from|to - 1) is out of bounds")
    runs = [_run(name, seed, calls) for seed in SEEDS for name, calls in _floats()]
    runs += [_run("mixed", seed, _mixed()) for seed in (0, 42)]
    # One run a line: readable enough, and a change shows where it is.
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(f'{{"torch": "{torch.__version__}", "runs": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
