"""Small programs run on both libraries: values, printed text, warnings, exceptions.

python conformance/programs.py -k 'errors/backward' -v
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import inspect
import io
import re
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import harness
import torch
from carry import Absent, Different, Skip, lacking, load
from harness import Result

SECONDS = 20.0  # one case

Case = Callable[[Any], Any]


class Outcome(NamedTuple):
    """What running a case came to."""

    value: Any
    error: Exception | None
    printed: str
    warned: list[tuple[str, str]]  # category and first sentence


def load_cases() -> dict[str, dict[str, Case]]:
    """The cases of every file: {file: {name: function}}."""
    files = {}
    for path in sorted((harness.HERE / "programs").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"programs_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases: dict[str, Case] = dict(getattr(module, "CASES", {}))
        for name, value in vars(module).items():
            if isinstance(value, types.FunctionType) and not name.startswith("_"):
                if list(inspect.signature(value).parameters) == ["torch"]:
                    cases[name] = value
        files[path.stem] = cases
    return files


def run_case(case: Case, library: types.ModuleType) -> Outcome:
    """Run one case on one library, from a fixed seed."""
    library.manual_seed(0)
    printed = io.StringIO()
    value, error = None, None
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            value = case(library)
        except Exception as raised:
            error = raised
    warned = [
        (w.category.__name__, harness.first_sentence(str(w.message)))
        for w in caught
        if w.category is not ResourceWarning and "torch.jit" not in str(w.message)
    ]
    return Outcome(value, error, printed.getvalue(), warned)


def compare_outcomes(
    theirs: Outcome, ours: Outcome, library: types.ModuleType, warned_before: set[tuple[str, str]]
) -> None:
    """Raise Different or Absent where leafgrad's outcome is not PyTorch's."""
    if ours.error is not None and theirs.error is None:
        if name := lacking(ours.error, library):
            raise Absent(name)
        raise Different("raised " + harness.describe(ours.error)) from ours.error
    if theirs.error is not None:
        if ours.error is None:
            sentence = harness.first_sentence(str(theirs.error))
            raise Different(
                f"{type(theirs.error).__name__}: {sentence}\n"
                f"  expected, got {harness.short(ours.value)}"
            )
        try:
            harness.compare_errors(theirs.error, ours.error, library)
        except Different:
            if name := lacking(ours.error, library):
                raise Absent(name) from None
            raise
        return
    harness.compare(theirs.value, ours.value, library, history=True)
    if theirs.printed != ours.printed:
        raise Different(f"printed\n{theirs.printed}  expected, got\n{ours.printed}")
    # A library may give a warning once a process only: one that it gave before may be missing here.
    missing = [w for w in theirs.warned if w not in ours.warned and w not in warned_before]
    extra = [w for w in ours.warned if w not in theirs.warned]
    warned_before.update(ours.warned)
    if missing:
        raise Different(f"warning expected: {missing[0][0]}: {missing[0][1]}")
    if extra:
        raise Different(f"warning not expected: {extra[0][0]}: {extra[0][1]}")


def run_file(
    file: str, cases: dict[str, Case], library: types.ModuleType, pattern: re.Pattern[str]
) -> list[Result]:
    torch.set_warn_always(True)
    results = []
    warned_before: set[tuple[str, str]] = set()
    for name, case in cases.items():
        full = f"{file}/{name}"
        if not pattern.search(full):
            continue
        status, detail = "passed", ""
        try:
            with harness.time_limit(SECONDS):
                theirs = run_case(case, torch)
                ours = run_case(case, library)
                compare_outcomes(theirs, ours, library, warned_before)
        except Skip:
            continue
        except Absent as lacks:
            status, detail = "absent", str(lacks)
        except (Different, harness.TimeLimit) as difference:
            status, detail = "failed", str(difference)
        except Exception as error:
            status, detail = "failed", f"in the harness: {harness.describe(error)}"
        results.append(Result(full, "-", "program", status, detail, 1, status == "failed"))
    return results


def arguments(parser: argparse.ArgumentParser) -> None:
    harness.common_options(parser)


def run(options: argparse.Namespace) -> list[Result]:
    library = load(options.self_test)
    files = load_cases()
    names = list(files)
    pattern = re.compile(options.k)
    results: list[Result] = []
    for found in harness.in_parallel(
        lambda index: run_file(names[index], files[names[index]], library, pattern),
        names,
        options.jobs,
        600,
    ):
        results.extend(found)
    results.sort(key=lambda r: r.key)
    print(f"{'programs':20}{'passed/run':>11}{'absent':>9}")
    for name in names:
        row = [r for r in results if r.name.startswith(name + "/")]
        present = [r for r in row if r.status != "absent"]
        if row:
            good = sum(r.status == "passed" for r in row)
            print(f"{name:20}{f'{good}/{len(present)}':>11}{len(row) - len(present):>9}")
    return results


def covers(options: argparse.Namespace) -> harness.Covers:
    """Whether a run with these options runs every case; their names have a file and a slash."""
    return lambda name: not options.k and "/" in name


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments(parser)
    options = parser.parse_args(argv)
    return harness.finish(run(options), options, covers(options))


if __name__ == "__main__":
    raise SystemExit(main())
