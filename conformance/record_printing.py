"""Record PyTorch's printed tensors for tests/test_printing.py.

    PYTHONPATH=src python conformance/record_printing.py

Needs torch and ml_dtypes. Writes tests/data/printing.json: named cases, each with the print
options, the default dtypes, the tensors (dtype, shape, bytes, and the other arguments of
`format_array`), the text around them, and what PyTorch prints.
"""

from __future__ import annotations

import base64
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_printing import draw_array, draw_options, numpy_dtype, to_torch, with_history
from torch.autograd import forward_ad

_TARGET = Path(__file__).parents[1] / "tests" / "data" / "printing.json"
_DEFAULTS = {
    "float32": ("float32", "complex64"),
    "float64": ("float64", "complex128"),
    "bfloat16": ("bfloat16", "complex64"),
}
_REALS = ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
_INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
_ALL = (*_REALS, *_INTEGERS, "bool", "complex64", "complex128")
nan, inf = math.nan, math.inf

cases: dict[str, dict[str, Any]] = {}


def stored(array: np.ndarray, name: str, **words: Any) -> dict[str, Any]:
    """A tensor as the file has it."""
    data = base64.b64encode(np.array(array, order="C").tobytes()).decode()
    return {"dtype": name, "shape": array.shape, "data": data, **words}


def record(
    case: str,
    values: Any,
    name: str = "float32",
    *,
    default: str = "float32",
    node: str | None = None,
    subclass: str | None = None,
    requires_grad: bool = False,
    device: str | None = None,
    tangent: Any = None,
    **options: Any,
) -> None:
    """Add a case of one tensor."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        array = np.asarray(values).astype(numpy_dtype(name))
    tensor = to_torch(array, name)
    words: dict[str, Any] = {}
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**options)
    torch.set_default_dtype(getattr(torch, default))
    with forward_ad.dual_level():
        if device is not None:
            words["device"] = device
            tensor = tensor.to(device)
        if requires_grad:
            words["requires_grad"] = True
            tensor = tensor.requires_grad_()
        if tangent is not None:
            rate = to_torch(np.asarray(tangent).astype(array.dtype), name)
            words["tangent"] = format(rate)
            tensor = forward_ad.make_dual(tensor, rate)
        if subclass is not None:
            words["prefix"] = subclass + "("
            tensor = tensor.as_subclass(type(subclass, (torch.Tensor,), {}))
        if node is not None:
            tensor = with_history(tensor, node)
        if tensor.grad_fn is not None:
            words["grad_fn_name"] = type(tensor.grad_fn).__name__
        add(case, "{}", [stored(array, name, **words)], repr(tensor), default, options)


def add(
    case: str,
    around: str,
    tensors: list[dict[str, Any]],
    text: str,
    default: str = "float32",
    options: dict[str, Any] | None = None,
) -> None:
    """Add a case: the texts of `tensors`, put in the places of `around`, make `text`."""
    if case in cases:
        raise ValueError(f"two cases are named {case!r}")
    cases[case] = {"tensors": tensors, "text": text}
    if around != "{}":
        cases[case]["around"] = around
    if options:
        cases[case]["options"] = options
    if default != "float32":
        cases[case]["defaults"] = _DEFAULTS[default]
    torch.set_default_dtype(torch.float32)


def record_dtypes() -> None:
    for name in _ALL:
        record(f"scalar {name}", 1, name)
        record(f"vector {name}", [0, 1, 3, 100], name)
        record(f"empty {name}", np.zeros(0), name)
        record(f"empty matrix {name}", np.zeros((2, 0)), name)
    for name in _INTEGERS:
        bounds = np.iinfo(name)
        record(f"bounds {name}", np.array([bounds.min, bounds.max, 7], name), name)
    for name in _REALS:
        record(f"a third {name}", 1 / 3, name)
        record(f"thirds {name}", np.arange(-4, 4) / 3, name)
        record(f"not finite {name}", [1.0, nan, inf, -inf, -0.0, 2.5], name)
    record("bool matrix", [[True, False], [False, False]], "bool")
    for default in _DEFAULTS:
        for name in ("float32", "float64", "float16", "bfloat16", "complex64", "complex128"):
            record(f"default {default}, {name}", [1.5], name, default=default)
            record(f"default {default}, no {name}", np.zeros((0, 1)), name, default=default)


def record_reals() -> None:
    vectors = {
        "zeros": [0.0, -0.0, 0.0],
        "nothing finite": [nan, inf, -inf],
        "whole": [1.0, -20.0, 300.0],
        "whole with the rest": [1.0, nan, -inf, -0.0],
        "whole, ratio 1000": [1.0, 1000.0],
        "whole, ratio over 1000": [1.0, 1001.0, nan],
        "ratio 1000": [0.5, 500.0],
        "ratio over 1000": [0.5, 500.5],
        "1e8": [1e8],
        "over 1e8": [100000001.0],
        "over 1e8, float32": [100000008.0],
        "1e-4": [1e-4],
        "under 1e-4": [0.00009, 0.0],
        "rounds up a digit": [9.99995, 0.99996],
        "rounds to zero": [0.00012, -0.00012],
        "negative is longest": [-99.5, 100.0],
        "three digits of exponent": [1e100, -1e99],
        "small exponents": [1e-100, -1e-99, 5e-324],
        "extremes": [1.7976931348623157e308, 5e-324],
    }
    for label, values in vectors.items():
        name = "float32" if label.endswith("float32") else "float64"
        for sci_mode in (None, True, False):
            record(f"{label}, sci_mode {sci_mode}", values, name, sci_mode=sci_mode)
    record("1e-4 in float32 is less", [1e-4], "float32")
    record("float32 digits", [0.1, 0.2], precision=12)
    for value in (0.0, -0.0, 1.0, 3.14159, 1e9, 1e-5, 123456.789, nan, inf, -inf):
        record(f"scalar {value}", value)
    for precision in (0, 1, 8):
        record(f"precision {precision}", [0.5, 1.25, -3.0], precision=precision)
        record(f"precision {precision}, sci", [0.5, 1e9], precision=precision)


def record_complex() -> None:
    vectors = {
        "zeros": [0j, complex(-0.0, -0.0)],
        "whole": [1 + 2j, -3 - 40j],
        "fractions": [0.5 - 1j, 100 + 0.25j],
        "not finite": [complex(nan, inf), complex(-inf, nan), complex(1, -inf), complex(0, -nan)],
        "one part sci": [1e-9j, 1 + 0j, -2 - 1e-5j],
        "both parts sci": [1e-9j + 1e9, 1 - 1j],
    }
    for label, values in vectors.items():
        for sci_mode in (None, True, False):
            record(f"complex {label}, sci_mode {sci_mode}", values, "complex64", sci_mode=sci_mode)
        for at, value in enumerate(values):
            record(f"complex {label}, scalar {at}", value, "complex128")
    record("complex lines", np.arange(14) * (0.5 - 1.25j), "complex64")
    record("complex cut", np.arange(30).reshape(5, 6) * (1 - 2j), "complex64", threshold=9)


def record_layout() -> None:
    for count in (13, 14, 25):
        record(f"line of {count} whole", np.arange(count))
    for count in (8, 9, 10, 20):
        record(f"line of {count}", np.arange(count) / 3)
    record("line of zeros", np.zeros(30))
    record("line of ints", np.arange(-20, 20), "int64")
    record("matrix of long rows", np.arange(24.0).reshape(2, 12) / 7)
    record("three axes", np.arange(12.0).reshape(2, 2, 3))
    record("four axes", np.arange(16).reshape(2, 2, 2, 2), "int64")
    record("five axes", np.arange(4).reshape(1, 2, 1, 2, 1), "uint8")
    for shape in ((0,), (0, 3), (3, 0), (2, 0, 4)):
        record(f"empty {shape}", np.zeros(shape), requires_grad=True)
    record("1000 are shown", np.arange(1000) % 10, "uint8")
    record("1001 are cut", np.arange(1001) % 10, "uint8")
    record("matrix cut", np.arange(1001).reshape(77, 13) % 100, "int8")
    record("cut in two of three axes", np.arange(1400).reshape(10, 2, 70) % 100, "uint8")
    record("layout from what is shown", [1, 2, 3, 1e9, 0.5, 6, 7, 8], threshold=7)
    record("only the outer axis is cut", np.arange(1200).reshape(300, 4) % 50, "uint8")
    for edgeitems in (0, 1, 2):
        for shape in ((), (7,), (4, 5), (3, 5, 4)):
            values = np.arange(math.prod(shape)).reshape(shape)
            label = f"{edgeitems} edge items of {shape}"
            record(label, values, "int32", edgeitems=edgeitems, threshold=3)
            record(f"{label}, all shown", values / 2, edgeitems=edgeitems)
    for linewidth in (1, 20, 79, 81, 120):
        record(f"linewidth {linewidth}", np.arange(16.0).reshape(1, 16), linewidth=linewidth)
    for linewidth in range(18, 26):
        values = np.arange(5).reshape(1, 1, 1, 5)
        record(f"four axes, linewidth {linewidth}", values, "int8", linewidth=linewidth)
    for threshold in (0, 1):
        record(f"scalar, threshold {threshold}", 0.5, threshold=threshold)
        record(f"scalar, no edge, threshold {threshold}", 0.5, threshold=threshold, edgeitems=0)
    for profile in ("default", "short", "full", "unknown"):
        record(f"profile {profile}", np.arange(1001) % 3, "uint8", profile=profile)
        record(f"profile {profile}, float", [1 / 3, 2 / 3], profile=profile)
    record("profile and more", [1 / 3, 2 / 3], profile="short", precision=3)


def record_notes() -> None:
    record("requires grad", [1.0, 2.0], requires_grad=True)
    record("history", [1.0, 2.0], node="MulBackward")
    record("dtype and history", [1.0, 2.5], "float64", node="MulBackward")
    # The last columns, where a note moves to the next line: the first note of a text, the second,
    # and the second when the first has moved.
    values = np.arange(5.0)
    for count in range(29, 34):
        record(f"first note of {count}", values, node="N" * count + "Backward")
    for count in range(8, 13):
        record(f"second note of {count}", values, "float64", node="N" * count + "Backward")
    for count in range(32, 37):
        node = "N" * count + "Backward"
        record(f"note on a line of notes, of {count}", np.arange(14.0), "float64", node=node)
    for count in range(7, 12):
        record(f"note after {count}", np.arange(float(count)), requires_grad=True)
    record("note after a matrix", np.arange(18.0).reshape(2, 9), "float64", requires_grad=True)
    record("two long notes", np.arange(9.0), "float64", node="N" * 70 + "Backward")
    record("subclass", np.arange(20.0).reshape(1, 20), "float64", subclass="MyTensor")
    record("subclass with history", np.arange(9.0), "float64", subclass="T", requires_grad=True)
    record("tangent", [1.0, 2.0], tangent=[0.5, 0.25])
    record("tangent of a scalar", 1.5, tangent=0.1)
    record("long tangent", np.ones((2, 9)), "float64", tangent=np.ones((2, 9)) / 3)
    for name in ("float32", "float64", "int64", "complex64"):
        for shape in ((), (2,), (0, 3)):
            record(f"meta {name} {shape}", np.zeros(shape), name, device="meta")
    record("meta requires grad", np.zeros(3), "float64", device="meta", requires_grad=True)


def record_composed() -> None:
    """Texts of which a printed tensor is a part."""
    torch.set_printoptions(profile="default")
    values = np.arange(24.0, dtype=np.float32).reshape(2, 12) / 5
    weight = torch.nn.Parameter(to_torch(values, "float32"))
    stored_weight = stored(values, "float32", requires_grad=True)
    add("parameter", "Parameter containing:\n{}", [stored_weight], repr(weight))
    found = weight.max(0)
    add(
        "return type",
        "torch.return_types.max(\nvalues={},\nindices={})",
        [
            stored(found.values.detach().numpy(), "float32", grad_fn_name="MaxBackward0"),
            stored(found.indices.numpy(), "int64"),
        ],
        repr(found),
    )


def record_random() -> None:
    """A few of the fuzzer's tensors."""
    rng = np.random.default_rng(2013)
    for at in range(90):
        name = str(rng.choice([*_ALL, "float32", "float64"]))
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(0, 4)))
        record(f"random {at}", draw_array(rng, name, shape), name, **draw_options(rng))


def main() -> None:
    record_dtypes()
    record_reals()
    record_complex()
    record_layout()
    record_notes()
    record_composed()
    record_random()
    lines = [f"{json.dumps(label)}: {json.dumps(case)}" for label, case in cases.items()]
    version = json.dumps(torch.__version__.partition("+")[0])
    body = ",\n".join(lines)
    _TARGET.write_text(f'{{"torch": {version}, "cases": {{\n{body}\n}}}}\n')
    print(f"{len(cases)} cases, {_TARGET.stat().st_size} bytes: {_TARGET}")


if __name__ == "__main__":
    main()
