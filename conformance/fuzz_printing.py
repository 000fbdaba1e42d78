"""Random tensors under random print options: leafgrad's printed form against PyTorch's.

    PYTHONPATH=src python conformance/fuzz_printing.py --seed 0 --count 10000

Needs torch and ml_dtypes. Prints the differences and exits with 1 if there are any.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch._tensor_str import get_printoptions as torch_printoptions
from torch.autograd import forward_ad

from leafgrad import printing

_FLOAT8 = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
_FLOATS = ("float32", "float32", "float64", "float16", "bfloat16")
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_COMPLEX = ("complex64", "complex128")
# Where rounding gains a digit, where PyTorch's choice of layout turns, and what is not finite.
_EDGES = [
    *(0.0, -0.0, math.nan, math.inf, -math.inf, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, 9.5, 99.5, -9.5),
    *(9.99995, 9.999949, 99.99995, 999.99995, 0.99995, 0.00005, 0.000049, 1e-4, 0.000101),
    *(1000.0, 1000.5, 1001.0, 999.0, -1000.0, 1e8, 100000001.0, 100000008.0, -1e8, 1e9, 1e16),
    *(9.99995e99, 1e100, 1e-99, 1e-100, 9.99999e-100, 5e-324, 1.7e308, 1.1754944e-38, 6e-8),
]


def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype, or that of ml_dtypes, of a dtype's name."""
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def to_torch(array: np.ndarray, name: str) -> torch.Tensor:
    """The very same bits as a PyTorch tensor."""
    array = np.array(array, order="C")
    if hasattr(ml_dtypes, name):
        bits = array.view(f"uint{array.itemsize * 8}")
        return torch.from_numpy(bits).view(getattr(torch, name))
    return torch.from_numpy(array)


def draw_shape(rng: np.random.Generator) -> tuple[int, ...]:
    """Mostly small, of 0 to 6 axes; now and then long enough to be cut, or empty."""
    kind = rng.integers(8)
    if kind == 0:
        return ()
    if kind <= 2:
        return (int(rng.choice([0, 1, 2, 3, 5, 7, 12, 30, 100, 999, 1000, 1001, 1500])),)
    if kind == 3:
        return (int(rng.integers(1, 60)), int(rng.integers(1, 60)))
    lengths = [0, 1, 1, 2, 2, 3, 4, 6, 7, 8] if kind == 4 else [1, 2, 3, 4, 5, 7, 9]
    shape = tuple(int(n) for n in rng.choice(lengths, rng.integers(2, 7)))
    return shape if math.prod(shape) <= 4000 else shape[:3]


def draw_reals(rng: np.random.Generator, count: int) -> np.ndarray:
    """Float64 values of one of many characters."""
    kind = rng.integers(9)
    if kind == 0:
        values = rng.choice(_EDGES, count)
    elif kind == 1:
        values = rng.choice(rng.choice(_EDGES, rng.integers(1, 5)), count)
    elif kind == 2:
        low, high = -(10 ** int(rng.integers(1, 10))), 10 ** int(rng.integers(1, 10))
        values = rng.integers(low, high, count).astype(np.float64)
    elif kind == 3:
        values = rng.normal(size=count) * 10.0 ** rng.uniform(-5, 9)
    elif kind == 4:
        values = rng.normal(size=count) * 10.0 ** rng.uniform(-320, 300)
    elif kind == 5:
        values = 10.0 ** rng.uniform(-8, 10, count) * rng.choice([-1, 1], count)
    elif kind == 6:
        # Just about the bound of 1000 between largest and smallest.
        values = rng.uniform(1, 10**3.02, count) * 10.0 ** rng.integers(-5, 6)
    elif kind == 7:
        values = np.round(rng.normal(size=count) * 10.0 ** rng.integers(0, 6), rng.integers(0, 4))
    else:
        values = rng.integers(0, 2**64, count, dtype=np.uint64).view(np.float64)
    if rng.integers(3) == 0:
        values = np.where(rng.random(count) < 0.2, rng.choice(_EDGES[:5], count), values)
    return values


def draw_array(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of the dtype of that name."""
    count = math.prod(shape)
    dtype = numpy_dtype(name)
    if name == "bool":
        flat = rng.random(count) < rng.choice([0.0, 0.5, 1.0])
    elif name in _INTEGERS:
        bits = rng.integers(0, 2**64, count, dtype=np.uint64)
        flat = (bits >> np.uint64(rng.integers(0, 64))).astype(dtype)
        if rng.integers(2) and dtype.kind == "i":
            flat = np.where(rng.random(count) < 0.5, flat, -flat).astype(dtype)
        if rng.integers(3) == 0 and count:
            flat[rng.integers(count)] = np.iinfo(dtype).min
            flat[rng.integers(count)] = np.iinfo(dtype).max
    elif name in _COMPLEX:
        flat = np.empty(count, dtype)
        with np.errstate(over="ignore"):
            flat.real, flat.imag = draw_reals(rng, count), draw_reals(rng, count)
    elif rng.integers(8) == 0:
        flat = rng.integers(0, 256, count * dtype.itemsize, dtype=np.uint8).view(dtype)
    else:
        with np.errstate(over="ignore"):
            flat = draw_reals(rng, count).astype(dtype)
    return flat.reshape(shape)


def draw_options(rng: np.random.Generator) -> dict[str, Any]:
    """Arguments of set_printoptions; half the time those of the plain default."""
    if rng.integers(2):
        return {"profile": "default"}
    choices = {
        "profile": ["default", "short", "full"],
        "precision": [0, 1, 2, 3, 6, 8, 17],
        "threshold": [0, 1, 5, 20, 100, 1000],
        "edgeitems": [0, 1, 1, 2, 3, 4, 10],
        "linewidth": [0, 1, 20, 40, 60, 79, 81, 100, 120, 200],
        "sci_mode": [True, False, None],
    }
    options = {key: values[rng.integers(len(values))] for key, values in choices.items()}
    return {key: value for key, value in options.items() if rng.integers(2)}


def with_history(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """The tensor as the result of an operator whose node has the class name `name`."""

    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    operator = type(name.removesuffix("Backward"), (torch.autograd.Function,), members)
    return operator.apply(tensor.detach().requires_grad_())


def draw_case(rng: np.random.Generator) -> tuple[str, str, str]:
    """PyTorch's text of one random tensor, leafgrad's, and what the tensor was."""
    groups = [_FLOATS, _FLOATS, _FLOATS, _FLOATS, _INTEGERS, _INTEGERS, _COMPLEX, _COMPLEX]
    groups += [("bool",), _FLOAT8]
    name = str(rng.choice(groups[rng.integers(len(groups))]))
    shape = draw_shape(rng)
    array = draw_array(rng, name, shape)
    axes = tuple(rng.permutation(array.ndim)) if rng.integers(4) == 0 else tuple(range(array.ndim))
    tensor = to_torch(array, name).permute([int(axis) for axis in axes])
    array = array.transpose(axes)
    words: dict[str, Any] = {}
    rate = None
    if name not in ("bool", *_INTEGERS):
        extra = rng.integers(6)
        if extra == 0:
            words["requires_grad"] = True
            tensor.requires_grad_()
        elif extra == 1:
            node = "N" * int(rng.integers(1, 60)) + "Backward"
            words["grad_fn_name"] = node
            tensor = with_history(tensor, node)
        elif extra == 2 and name not in _FLOAT8:
            rate = to_torch(draw_array(rng, name, array.shape), name)
            tensor = forward_ad.make_dual(tensor, rate)
    if rng.integers(10) == 0:
        words["device"] = "meta"
        tensor = torch.empty(array.shape, dtype=tensor.dtype, device="meta")
        tensor.requires_grad_(words.get("requires_grad", False))
        words.pop("grad_fn_name", None)
        rate = None
    elif rng.integers(10) == 0 and rate is None:
        subclass = type("T" * int(rng.integers(1, 20)), (torch.Tensor,), {})
        words["prefix"] = f"{subclass.__name__}("
        tensor = tensor.as_subclass(subclass)
        if tensor.grad_fn is not None:  # the change of class is an operator too
            words["grad_fn_name"] = type(tensor.grad_fn).__name__
    defaults = [("float32", "complex64")] * 3
    defaults += [("float64", "complex128"), ("bfloat16", "complex64")]
    words["default_dtype_names"] = defaults[rng.integers(len(defaults))]
    torch.set_default_dtype(getattr(torch, words["default_dtype_names"][0]))
    try:
        want = repr(tensor)
        if rate is not None:
            words["tangent"] = format(rate)
    finally:
        torch.set_default_dtype(torch.float32)
    got = printing.format_array(array, name, **words)
    return want, got, f"{name} {array.shape} {words} {printing.get_printoptions()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--show", type=int, default=5, help="differences to show in full")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(arguments.seed)
    differences = 0
    with forward_ad.dual_level():
        for _ in range(arguments.count):
            options = draw_options(rng)
            torch.set_printoptions(**options)
            printing.set_printoptions(**options)
            want, got, label = draw_case(rng)
            same_options = torch_printoptions() == printing.get_printoptions()
            if want != got or not same_options:
                differences += 1
                if differences <= arguments.show:
                    print(f"--- {label}\nPyTorch:  {want}\nleafgrad: {got}")
                    if not same_options:
                        print(f"PyTorch's options: {torch_printoptions()}")
    print(f"seed {arguments.seed}: {arguments.count} tensors, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
