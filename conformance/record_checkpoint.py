"""Write tests/data/checkpoint.pt with PyTorch, for the tests that read it without PyTorch."""

from pathlib import Path

import torch

NAMES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
         "complex64", "complex128", "uint16", "uint32", "uint64")  # fmt: skip


def main() -> None:
    """Record."""
    base = torch.arange(6.0).reshape(2, 3)
    torch.manual_seed(7)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    model(base).sum().backward()
    optimizer.step()
    value = {
        "base": base,
        "turned": base.t(),
        "dtypes": {f"torch.{n}": torch.tensor([1, 0, 1]).to(getattr(torch, n)) for n in NAMES},
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "values": [1, 2.5, "text", None, (True, b"ab"), {1}, torch.Size([2])],
    }
    torch.save(value, Path(__file__).parent.parent / "tests" / "data" / "checkpoint.pt")


if __name__ == "__main__":
    main()
