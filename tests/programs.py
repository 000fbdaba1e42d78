"""Running a small program with PyTorch or with leafgrad as `torch`, and comparing what it shows.

For conformance/record_nn.py, which records, and for the tests, which compare.
"""

import importlib
import math
import sys
import warnings

import numpy as np
import pytest


class Shown:
    """What a program shows, as JSON can hold it: a list of [how, value]."""

    def __init__(self, torch):
        self.torch, self.values = torch, []

    def exact(self, value):
        self.values.append(["exact", self.plain(value)])

    def show(self, value):
        self.values.append(["close", self.plain(value)])

    def attempt(self, call, plain=False):
        """The result of a call (not if `plain`), or its error, and its warnings."""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                result = call()
                found = ["gave", None if plain else self.plain(result)]
            except Exception as error:
                found = ["raised", type(error).__name__, str(error)]
        texts = [[w.category.__name__, str(w.message)] for w in warned]
        self.values.append(["attempt", [*found, texts]])

    def plain(self, value):
        torch = self.torch
        if isinstance(value, torch.Tensor):
            kind = str(value.dtype).removeprefix("torch.")
            value = value.detach()
            if kind.startswith("complex"):
                value = torch.view_as_real(value)
            elif kind == "bfloat16":
                value = value.float()
            numbers = value.flatten().tolist()
            if kind != "float64" and kind != "complex128":  # as few digits as tell them apart
                numbers = [float(str(np.float32(n))) if type(n) is float else n for n in numbers]
            return {"dtype": kind, "shape": list(value.shape), "values": numbers}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, dict) or hasattr(value, "items"):
            return [[self.plain(k), self.plain(v)] for k, v in value.items()]
        if isinstance(value, (list, tuple, set)):
            return [self.plain(v) for v in value]
        if isinstance(value, torch.nn.Module):
            return repr(value)
        return type(value).__name__


def run(text, torch):
    """What a program shows with this module as `torch`."""
    shown = Shown(torch)
    there = torch.__name__

    def part(name):
        return importlib.import_module(f"{there}.{name}")

    names = {
        "torch": torch, "nn": part("nn"), "init": part("nn.init"), "optim": part("optim"),
        "lr_scheduler": part("optim.lr_scheduler"), "data": part("utils.data"),
        "show": shown.show, "exact": shown.exact, "attempt": shown.attempt,
        "__name__": "__main__",
    }  # fmt: skip
    text = text.replace("from torch.", f"from {there}.")
    before = sys.modules["__main__"].__dict__.copy()
    state = torch.get_rng_state()
    torch.manual_seed(0)
    try:
        exec(compile(text, "<program>", "exec"), names)
    finally:
        torch.set_rng_state(state)
        sys.modules["__main__"].__dict__.update(before)
    return shown.values


def compare(ours, theirs, where="", exact=False):
    """Whether two shown values are the same, floats to within rounding unless `exact`."""
    if isinstance(theirs, float) or isinstance(ours, float):
        same = ours == theirs or (math.isnan(ours) and math.isnan(theirs))
        assert same or (not exact and ours == pytest.approx(theirs, rel=2e-6, abs=2e-6)), (
            f"{where}: {ours!r}, in PyTorch {theirs!r}"
        )
    elif isinstance(theirs, list):
        assert isinstance(ours, list) and len(ours) == len(theirs), (
            f"{where}: {ours!r}, in PyTorch {theirs!r}"
        )
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            compare(a, b, f"{where}[{index}]", exact)
    elif isinstance(theirs, dict):
        assert isinstance(ours, dict), f"{where}: {ours!r}, in PyTorch {theirs!r}"
        assert ours.keys() == theirs.keys()
        for key in theirs:
            compare(ours[key], theirs[key], f"{where}.{key}", exact)
    else:
        assert ours == theirs, f"{where}: {ours!r}, in PyTorch {theirs!r}"


def compare_attempt(ours, theirs, where):
    """Errors and warnings: the same type, and PyTorch's sentence first."""
    assert ours[0] == theirs[0], f"{where}: {ours!r}, in PyTorch {theirs!r}"
    if theirs[0] == "gave":
        compare(ours[1], theirs[1], where)
    else:
        assert ours[1] == theirs[1], f"{where}: {ours!r}, in PyTorch {theirs!r}"
        text = ours[2].replace("leafgrad.", "torch.")
        assert text.startswith(theirs[2]), f"{where}: {text!r}, in PyTorch {theirs[2]!r}"
    assert len(ours[-1]) == len(theirs[-1]), f"{where}: {ours[-1]!r}, in PyTorch {theirs[-1]!r}"
    for mine, other in zip(ours[-1], theirs[-1], strict=True):
        assert mine[0] == other[0], f"{where}: {mine!r}, in PyTorch {other!r}"
        assert mine[1].startswith(other[1]), f"{where}: {mine!r}, in PyTorch {other!r}"


def check(recorded, torch):
    """Run a recorded program with `torch` and compare all it shows."""
    ours = run(recorded["program"], torch)
    theirs = recorded["shown"]
    assert len(ours) == len(theirs)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        where = f"value {number}"
        assert mine[0] == other[0]
        if mine[0] == "attempt":
            compare_attempt(mine[1], other[1], where)
        else:
            compare(mine[1], other[1], where, exact=mine[0] == "exact")
