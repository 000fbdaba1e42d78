"""Write the names under which PyTorch's nodes show what they saved: src/leafgrad/graph/saved_names.txt

A line is a node: its name, the tensors, a bar, what is no tensor. `grad_fn._saved_<name>` shows either,
`_raw_saved_<name>` the tensors alone.

    python conformance/record_saved.py
"""

from __future__ import annotations

import re

import torch
from carry import SOURCE

# Of other devices, and of what leafgrad has not.
_LEFT_OUT = re.compile(
    r"Cudnn|Fbgemm|Foreach|Fused|Miopen|Mkldnn|Mps|Nested|Quantize|Sparse|Triton"
)


def main() -> None:
    lines = []
    for name, node in sorted(vars(torch._C._functions).items()):
        if not hasattr(node, "next_functions") or _LEFT_OUT.search(name):
            continue
        shown = [a.removeprefix("_saved_") for a in dir(node) if a.startswith("_saved_")]
        tensors = [a for a in shown if hasattr(node, f"_raw_saved_{a}")]
        others = [a for a in shown if a not in tensors]
        if shown:
            lines.append(" ".join([name, *tensors, "|", *others]).rstrip())
    path = SOURCE / "leafgrad" / "graph" / "saved_names.txt"
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.name}: {len(lines)} nodes")


if __name__ == "__main__":
    main()
