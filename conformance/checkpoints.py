"""Checkpoints through the other library: what one writes, the other reads.

python conformance/checkpoints.py
"""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import torch
from carry import load as load_leafgrad

KINDS = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
         "complex64", "complex128", "uint16", "uint32", "uint64")  # fmt: skip


def made(library: Any) -> dict[str, Any]:
    """What a checkpoint may hold, made by one library."""
    library.manual_seed(0)
    base = library.arange(24.0).reshape(2, 3, 4)
    model = library.nn.Sequential(
        library.nn.Linear(4, 5),
        library.nn.BatchNorm1d(5),
        library.nn.ReLU(),
        library.nn.Linear(5, 1),
    )
    optimizer = library.optim.AdamW(model.parameters(), lr=0.01)
    model(base[0]).sum().backward()
    optimizer.step()
    return {
        "kinds": {n: library.tensor([[1, 0], [1, 1]]).to(getattr(library, n)) for n in KINDS},
        "shared": [base, base[1], base.permute(2, 0, 1), base[:, ::2, 1], base.expand(2, 2, 3, 4)],
        "leaves": [library.ones(2, requires_grad=True), library.nn.Parameter(base[0].t())],
        "shapes": [library.zeros(0, 3), library.tensor(3.0), library.ones(1, 1, 1)],
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "values": [1, -5, 2**40, 2**100, 1.5, "é", None, True, (1, (), [2]), b"\x00\xff", {1, 2}, 1j],
        "names": [library.float32, library.Size([1, 2]), library.device("cpu")],
    }  # fmt: skip


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Where two loaded values differ, one of either library."""
    if hasattr(a, "untyped_storage") and hasattr(b, "untyped_storage"):
        same = (
            tuple(a.shape) == tuple(b.shape) and str(a.dtype) == str(b.dtype)
            and a.requires_grad == b.requires_grad and a.stride() == b.stride()
            and type(a).__name__ == type(b).__name__
            and a.detach().reshape(-1).tolist() == b.detach().reshape(-1).tolist()
        )  # fmt: skip
        return [] if same else [f"{path}: {a!r} and {b!r}"]
    if isinstance(a, dict) and type(a) is type(b) and list(a) == list(b):
        return [d for k in a for d in differences(a[k], b[k], f"{path}.{k}")]
    if isinstance(a, (list, tuple)) and len(a) == len(b):
        return [d for i in range(len(a)) for d in differences(a[i], b[i], f"{path}[{i}]")]
    return (
        []
        if type(a).__name__ == type(b).__name__ and str(a) == str(b)
        else [f"{path}: {a} and {b}"]
    )


def through(write: Any, read: Any, value: Any) -> Any:
    """A value written and read."""
    file = io.BytesIO()
    write(value, file)
    file.seek(0)
    return read(file)


def check(leafgrad: Any) -> list[str]:
    """All differences."""
    theirs, ours = made(torch), made(leafgrad)
    found = differences(theirs, through(torch.save, leafgrad.load, theirs), "PyTorch to leafgrad")
    found += differences(ours, through(leafgrad.save, torch.load, ours), "leafgrad to PyTorch")
    found += differences(ours, through(leafgrad.save, leafgrad.load, ours), "leafgrad to leafgrad")
    for source, target in ((torch, leafgrad), (leafgrad, torch)):
        model = source.nn.Sequential(source.nn.Linear(2, 3), source.nn.Tanh())
        other = through(source.save, lambda f, t=target: t.load(f, weights_only=False), model)
        x, y = source.ones(1, 2), target.ones(1, 2)
        close = np.allclose(model(x).tolist(), other(y).tolist(), rtol=1e-6)
        if repr(model) != repr(other) or not close:
            found.append(f"a whole module from {source.__name__}: {other}")
    import safetensors.torch
    from leafgrad.io import safetensors as own

    flat = {name: t for name, t in theirs["kinds"].items() if name != "complex128"}
    flat |= {"turned": theirs["shared"][2].contiguous()}
    data = safetensors.torch.save(flat)
    found += differences(flat, dict(sorted_like(own.load(data), flat)), "safetensors to leafgrad")
    flat = {name: t for name, t in ours["kinds"].items() if name != "complex128"}
    flat |= {"turned": ours["shared"][2], "part": ours["shared"][3]}
    back = safetensors.torch.load(own.save(flat))
    for name, t in flat.items():
        if t.tolist() != back[name].tolist() or str(t.dtype) != str(back[name].dtype):
            found.append(f"leafgrad to safetensors: {name}")
    return found


def sorted_like(found: Any, like: Any) -> Any:
    """Entries in another dictionary's order."""
    return [(name, found[name]) for name in like]


def main() -> int:
    """Print the differences; their number is the exit code."""
    found = check(load_leafgrad())
    print(*found, sep="\n")
    print(f"checkpoints: {len(found)} differences")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
