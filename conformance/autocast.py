"""Which operators autocast lowers or widens: the dtypes of their results, in both libraries, for
the samples of PyTorch's own tests, of float32 and of bfloat16.

    python conformance/autocast.py [-v]

The exit code is the number of operators that differ and are not known to, or the other way round.
Needs torch.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_map

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import leafgrad

SAMPLES = 6
# Operators that differ, and why.
KNOWN = {
    "linalg.lstsq.grad_oriented": "the wrapper of PyTorch's tests gives two of four results",
    "linalg.pinv": "one operator here; PyTorch composes it and its last product is in 16 bits",
    "linalg.pinv.singular": "the same; PyTorch fails",
    "linalg.pinv.hermitian": "the same",
    "masked.prod": "reduces by itself, not by prod",
    "nn.functional.linear_cross_entropy.chunked": "its loss is widened as a whole",
    "nn.functional.linear_cross_entropy.chunked_none": "the same",
    "tensordot": "a result of one element is a sum of products in PyTorch, in float32",
}


def carried(value: Any) -> Any:
    """Tensors and dtypes of PyTorch as leafgrad's."""
    if isinstance(value, torch.Tensor):
        kind = getattr(leafgrad, str(value.dtype).removeprefix("torch."))
        return leafgrad.tensor(value.double().tolist() if value.is_floating_point()
                               else value.tolist(), dtype=kind).reshape(tuple(value.shape))  # fmt: skip
    if isinstance(value, torch.dtype):
        return getattr(leafgrad, str(value).removeprefix("torch."))
    return value


def function(name: str) -> Any:
    """leafgrad's function of an OpInfo's name."""
    found: Any = leafgrad
    for part in name.split("."):
        found = getattr(found, part, None)
    return found or getattr(leafgrad.Tensor, name, None)


def tensors(value: Any, kind: Any) -> list[Any]:
    """All tensors in a nest of sequences."""
    if isinstance(value, kind):
        return [value]
    return [t for v in value for t in tensors(v, kind)] if isinstance(value, (list, tuple)) else []


def dtypes(call: Any, library: Any, on: bool, tensor: Any) -> Any:
    """The dtypes of the tensors in what a call gives, or None if it fails."""
    try:
        with library.autocast("cpu", enabled=on):
            result = call()
    except Exception:
        return None
    return [str(t.dtype).removeprefix("torch.") for t in tensors(result, tensor)]


def main() -> int:
    warnings.simplefilter("ignore")
    checked = lacking = 0
    wrong: dict[str, str] = {}
    for op in op_db:
        ours = function(op.name)
        if ours is None:
            lacking += 1
            continue
        checked += 1
        for dtype in (torch.float32, torch.bfloat16):
            if dtype not in op.dtypes:
                continue
            samples = op.sample_inputs("cpu", dtype, requires_grad=False)
            for s in itertools.islice(samples, SAMPLES):
                given = (s.input, s.args, s.kwargs)
                mine = tree_map(carried, given)
                plain = dtypes(lambda m=mine: ours(m[0], *m[1], **m[2]), leafgrad, False,
                               leafgrad.Tensor)  # fmt: skip
                if plain is None:
                    continue  # leafgrad does not do this sample, see opinfo.py
                expected = dtypes(lambda g=given, op=op: op(g[0], *g[1], **g[2]), torch, True,
                                  torch.Tensor)  # fmt: skip
                mine = tree_map(carried, given)
                found = dtypes(lambda m=mine: ours(m[0], *m[1], **m[2]), leafgrad, True,
                               leafgrad.Tensor)  # fmt: skip
                if found != expected:
                    name = f"{op.name}.{op.variant_test_name}".rstrip(".")
                    wrong[name] = f"of {dtype}: {found}, in PyTorch {expected}"
    for name, text in wrong.items():
        print(f"{name} {text}{f' (known: {KNOWN[name]})' if name in KNOWN else ''}")
    for name in KNOWN.keys() - wrong.keys():
        print(f"{name} no longer differs: take it off the list")
    surprises = len(wrong.keys() ^ KNOWN.keys())
    print(f"{checked} operators, {len(wrong)} with other dtypes, of which {len(KNOWN)} are known; "
          f"{lacking} that leafgrad lacks")  # fmt: skip
    return surprises


if __name__ == "__main__":
    sys.exit(main())
