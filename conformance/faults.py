"""Faults on purpose: PyTorch with one thing wrong in leafgrad's place; each must be reported.

A comparison that finds nothing proves something only when it does find what is there.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_graphs
import opinfo
import programs
import torch
from harness import Ledger, Result
from torch.testing._internal.common_methods_invocations import op_db


def faulty(name: str, function: Any) -> types.ModuleType:
    """PyTorch, but for one function."""

    class Faulty(types.ModuleType):
        def __getattr__(self, other: str) -> Any:
            return getattr(torch, other)

    library = Faulty("torch")
    library.__file__ = torch.__file__
    setattr(library, name, function)
    return library


class _SinOnce(torch.autograd.Function):
    """sin with the right derivative, and no further one."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return g * torch.cos(ctx.saved_tensors[0].detach())


def _raise(error: Exception) -> Any:
    raise error


def _nan_as_zero(x: torch.Tensor) -> torch.Tensor:
    return torch.where(torch.isnan(x), torch.zeros_like(x), torch.sin(x))


# check, function, what stands in its place, a part of the report
FAULTS: list[tuple[str, str, Callable[..., Any], str]] = [
    ("value", "sin", torch.cos, "elements differ"),
    ("value", "sin", lambda x: torch.sin(x) * (1 + 1e-8), "elements differ"),
    ("value", "sin", lambda x: torch.sin(x).float(), "dtype torch.float64 expected"),
    ("value", "sin", lambda x: torch.sin(x)[None], "shape"),
    ("value", "sin", lambda x: torch.sin(x).numpy(force=True), "a Tensor expected"),
    ("value", "sin", lambda x: _raise(ValueError("no")), "raised ValueError: no"),
    ("value", "sin", lambda x: time.sleep(60), "took more than"),
    ("edges", "sin", _nan_as_zero, "nan"),
    ("view", "reshape", lambda x, shape: x.reshape(shape).clone(), "shares the input's memory"),
    ("view", "sin", lambda x: x, "shares the input's memory"),
    ("noncontig", "sin", lambda x: torch.sin(x.as_strided(x.shape, x.stride()[::-1])), "differ"),
    ("out", "sin", lambda x, out=None: torch.sin(x), "out="),
    ("grad", "sin", lambda x: torch.sin(x.detach()) + 0 * x, "gradient of input"),
    ("grad", "sin", lambda x: torch.sin(x.detach()), "outputs that require grad"),
    ("gradgrad", "sin", _SinOnce.apply, "second gradient"),
    ("errors", "cat", lambda *a, **k: _raise(KeyError("no")), "KeyError"),
    ("errors", "cat", lambda *a, **k: torch.ones(1), "expected, got no error"),
]
# case, function, what stands in its place, a part of the report
PROGRAMS: list[tuple[str, str, Callable[..., Any], str]] = [
    ("errors/cat_of_nothing", "cat", lambda *a: _raise(ValueError("nothing")), "expected, got"),
    (
        "errors/cat_of_nothing",
        "cat",
        lambda *a: _raise(RuntimeError(_CAT)),
        "ValueError: torch.cat",
    ),
    ("errors/stack_of_nothing", "stack", lambda *a: torch.ones(1), "expected, got"),
    (
        "errors/tensor_from_tensor_requiring_grad",
        "tensor",
        lambda x: x.detach(),
        "warning expected",
    ),
    (
        "graph/linear_neuron",
        "matmul",
        lambda a, b: torch.matmul(a, b.detach()),
        "raised|printed|Tensor",
    ),
    ("graph/random_numbers", "randperm", lambda n: torch.arange(n), "elements differ"),
    ("creation/like", "zeros_like", lambda x, **k: torch.zeros(x.shape, **k), "expected, got"),
]
_CAT = "torch.cat(): expected a non-empty list of Tensors"


COUNT = len(FAULTS) + len(PROGRAMS) + 2


def _lists() -> list[str]:
    """The lists: a pass lost, one that did not run, a difference that passes, a known one."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        ran = [Result(name, "float64", "value", "passed") for name in ("a", "b", "c")]
        ledger.update(ran)
        ledger.differences_file.write_text(
            "c float64 value : a reason\nd float64 value,grad : another\n"
        )
        again = Ledger(Path(folder))
        verdict = again.judge(
            [
                Result("a", "float64", "value", "failed"),
                Result("c", "float64", "value", "passed"),
                Result("d", "float64", "grad", "failed"),
                Result("e", "float64", "grad", "absent"),
                Result("f", "float64", "grad", "failed"),
            ],
            covers=lambda name: True,
        )
    found = [
        [result.name for result in group]
        for group in (
            verdict.failed,
            verdict.lost,
            verdict.surprising,
            verdict.known,
            verdict.absent,
        )
    ]
    if found != [["f"], ["b", "a"], ["c"], ["d"], ["e"]] or not verdict.wrong:
        return [f"the lists: {found}"]
    return []


def unseen() -> list[str]:
    """The faults that no check reported."""
    missed = _lists()
    before, opinfo.SECONDS = opinfo.SECONDS, 2.0
    for check, name, function, words in FAULTS:
        op = next(op for op in op_db if op.full_name == name)
        options = argparse.Namespace(dtypes=("float64",), chosen=(check,), quick=False)
        results = opinfo.run_operator(op, faulty(name, function), options)
        found = " ".join(result.detail for result in results if result.status == "failed")
        if words not in found:
            missed.append(f"{check} of {name}: {words!r} is not in {found[:200]!r}")
    opinfo.SECONDS = before
    files = programs.load_cases()
    for full, name, function, words in PROGRAMS:
        file, case = full.split("/")
        cases = {case: files[file][case]}
        (result,) = programs.run_file(file, cases, faulty(name, function), re.compile(""))
        if result.status != "failed" or not re.search(words, result.detail):
            missed.append(f"{full}: {words!r} is not in {result.detail[:200]!r}")
    # At a tie each argument has half of the gradient: this gives the first one all of it.
    wrong_ties = faulty("maximum", lambda a, b: torch.where(a >= b, a, b))
    program = [
        "x = torch.ones(2, requires_grad=True)",
        "y = x * 2",
        "torch.maximum(x, torch.ones(2)).sum().backward()",
    ]
    if fuzz_graphs.difference(program, wrong_ties) is None:
        missed.append("fuzz_graphs: a wrong gradient at a tie")
    elif fuzz_graphs.shrink(program, wrong_ties) != [program[0], program[2]]:
        missed.append("fuzz_graphs: a statement that does not matter stays")
    return missed
