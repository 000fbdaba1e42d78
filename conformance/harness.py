"""What the conformance programs share.

Two libraries in one process, PyTorch and leafgrad: values are carried from the first to the second,
outcomes are compared under tolerances stated here and nowhere else, and results are judged against
two reviewed lists, `passes.txt` and `differences.txt`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import multiprocessing.connection
import re
import signal
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import _one_thread  # noqa: F401
import numpy as np
import torch
from carry import Different, Skip, frames

HERE = Path(__file__).resolve().parent

# ------------------------------------------------------------------------------------- tolerances

# |expected - actual| <= rtol * |expected| + atol * max(1, largest finite |expected|), by element.
# NaN equals NaN, an infinity only itself. Integers and bool are exact. There are no others.
TOLERANCES: dict[str, tuple[float, float]] = {
    "float64": (1e-10, 1e-10),
    "complex128": (1e-10, 1e-10),
    "float32": (1e-5, 1e-5),
    "complex64": (1e-5, 1e-5),
    "float16": (2e-3, 2e-3),
    "complex32": (2e-3, 2e-3),
    "bfloat16": (1e-2, 1e-2),
}


class TimeLimit(BaseException):
    """The alarm of `time_limit`; not an Exception, so that no case swallows it."""


# -------------------------------------------------------------------------------------- comparing


def is_tensor(value: Any) -> bool:
    # Of the class: to read an attribute of a tensor can raise, when its history is not valid.
    return hasattr(type(value), "requires_grad") and hasattr(type(value), "detach")


def array(tensor: Any) -> np.ndarray:
    """The elements of a tensor of either library; bfloat16 widened to float32."""
    if isinstance(tensor, torch.Tensor) and tensor._is_zerotensor():
        tensor = torch.zeros(tensor.shape, dtype=tensor.dtype)
    tensor = tensor.detach()
    for method in ("resolve_conj", "resolve_neg"):
        tensor = getattr(tensor, method, lambda same=tensor: same)()
    name = str(tensor.dtype)
    if name == "torch.bfloat16":
        tensor = tensor.float()
    elif name == "torch.complex32":
        tensor = tensor.cfloat()
    return np.asarray(tensor.numpy())


def compare_arrays(expected: np.ndarray, actual: np.ndarray, dtype: str) -> None:
    """Raise Different at the first element out of tolerance."""
    if expected.size == 0:
        return
    rtol, atol = TOLERANCES.get(dtype, (0.0, 0.0))
    if expected.dtype.kind not in "fc":
        wrong = expected != actual
    else:
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        a, b = np.asarray(expected, wide), np.asarray(actual, wide)
        with np.errstate(all="ignore"):
            size = np.abs(a)
            finite = size[np.isfinite(size)]
            scale = max(1.0, float(finite.max())) if finite.size else 1.0
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            if wide is np.complex128:
                same |= _same_parts(a, b)
            close = np.abs(a - b) <= rtol * size + atol * scale
            wrong = ~(same | (close & np.isfinite(size)))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0]) if expected.ndim else ()
        count = int(np.count_nonzero(wrong))
        raise Different(
            f"{count} of {expected.size} elements differ, first at {list(at)}: "
            f"{expected[at]!r} expected, got {actual[at]!r}"
        )


def _same_parts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Complex numbers with an infinite or NaN part: equal part by part."""
    parts = [(a.real, b.real), (a.imag, b.imag)]
    equal = [(x == y) | (np.isnan(x) & np.isnan(y)) for x, y in parts]
    return equal[0] & equal[1]


def compare(
    expected: Any, actual: Any, library: types.ModuleType, where: str = "", **options: Any
) -> None:
    """Raise Different where leafgrad's value is not PyTorch's; the options are Comparison's."""
    try:
        Comparison(library, **options).walk(expected, actual)
    except _At as inner:
        raise Different(f"{where}{inner.path}: {inner.text}".lstrip(": ")) from None


class _At(Exception):
    """A difference, with the path to it inside a nested value."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.path = ""


@dataclass
class Comparison:
    """Walks two values side by side; raises _At at the first difference."""

    library: types.ModuleType
    values: bool = True  # otherwise dtypes, shapes and structure alone
    history: bool = False  # `requires_grad` and `is_leaf` as well
    as_dtype: str = ""  # a dtype of coarser tolerance, where the way to a value passes through it

    def walk(self, expected: Any, actual: Any) -> None:
        if isinstance(expected, torch.Tensor):
            self.tensors(expected, actual)
        elif isinstance(expected, dict):
            self.dicts(expected, actual)
        elif isinstance(expected, tuple | list):
            self.sequences(expected, actual)
        elif isinstance(expected, np.ndarray | np.generic):
            self.arrays(expected, actual)
        elif isinstance(expected, float | complex):
            self.same(type(expected).__name__, type(actual).__name__)
            self.elements(np.asarray(expected), np.asarray(actual), "float64")
        elif expected is None or isinstance(expected, bool | int | str | bytes):
            if type(expected) is not type(actual) or expected != actual:
                raise _At(f"{expected!r} expected, got {short(actual)}")
        elif isinstance(expected, torch.dtype | torch.device | torch.layout | torch.memory_format):
            self.same(str(expected), str(actual))
        elif isinstance(expected, type):
            self.same(expected.__name__, getattr(actual, "__name__", short(actual)))
        else:
            self.same(f"a {type(expected).__name__}", f"a {type(actual).__name__}")

    def same(self, expected: Any, actual: Any, what: str = "") -> None:
        if expected != actual:
            raise _At(f"{what} {expected} expected, got {actual}".lstrip())

    def tensors(self, expected: torch.Tensor, actual: Any) -> None:
        if not isinstance(actual, self.library.Tensor):
            raise _At(f"a Tensor expected, got {type(actual).__name__} {short(actual)}")
        self.same(str(expected.dtype), str(actual.dtype), "dtype")
        self.same(tuple(expected.shape), tuple(actual.shape), "shape")
        if self.history:
            self.same(expected.requires_grad, actual.requires_grad, "requires_grad")
            self.same(expected.is_leaf, actual.is_leaf, "is_leaf")
        if self.values:
            name = str(expected.dtype).removeprefix("torch.")
            self.elements(array(expected), array(actual), name)

    def dicts(self, expected: dict[Any, Any], actual: Any) -> None:
        if not isinstance(actual, dict) or list(expected) != list(actual):
            raise _At(f"keys {list(expected)} expected, got {short(actual)}")
        wrong = []
        for key in expected:
            try:
                with _inside(f"[{key!r}]"):
                    self.walk(expected[key], actual[key])
            except _At as inner:
                wrong.append(inner)
        if len(wrong) > 1:
            shown = "; ".join(f"{inner.path}: {inner.text}" for inner in wrong[:6])
            raise _At(f"{len(wrong)} of {len(expected)} differ: {shown}")
        if wrong:
            raise wrong[0]

    def sequences(self, expected: Sequence[Any], actual: Any) -> None:
        kind = list if isinstance(expected, list) else tuple
        if not isinstance(actual, kind):
            raise _At(f"a {kind.__name__} expected, got {type(actual).__name__} {short(actual)}")
        self.same(f"{len(expected)} items", f"{len(actual)} items")
        if type(expected) not in (tuple, list):
            names = getattr(type(expected), "__match_args__", ())
            missing = [name for name in names if not hasattr(actual, name)]
            if type(expected).__name__ != type(actual).__name__ or missing:
                raise _At(f"a {type(expected).__name__} expected, got a {type(actual).__name__}")
        for index, (one, two) in enumerate(zip(expected, actual, strict=True)):
            with _inside(f"[{index}]"):
                self.walk(one, two)

    def arrays(self, expected: Any, actual: Any) -> None:
        if not isinstance(actual, np.ndarray | np.generic):
            raise _At(f"a NumPy array expected, got {type(actual).__name__}")
        self.same(f"{expected.dtype}{expected.shape}", f"{actual.dtype}{actual.shape}")
        if expected.dtype.kind == "O":
            raise Skip("an array of objects")
        self.elements(np.asarray(expected), np.asarray(actual), str(expected.dtype))

    def elements(self, expected: np.ndarray, actual: np.ndarray, dtype: str) -> None:
        if self.as_dtype and expected.dtype.kind in "fc":
            dtype = self.as_dtype
        try:
            compare_arrays(expected, actual, dtype)
        except Different as difference:
            raise _At(str(difference)) from None


@contextlib.contextmanager
def _inside(step: str) -> Iterator[None]:
    try:
        yield
    except _At as inner:
        inner.path = step + inner.path
        raise


def short(value: Any, limit: int = 120) -> str:
    """One line about a value."""
    if is_tensor(value):
        text = f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
        if tuple(value.stride()) != _dense(tuple(value.shape)):
            text += f" strides {list(value.stride())}"
        return text
    if isinstance(value, tuple | list):
        text = "[" + ", ".join(short(item) for item in value) + "]"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {short(item)}" for key, item in value.items()) + "}"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(step)
        step *= max(n, 1)
    return tuple(reversed(steps))


# ------------------------------------------------------------------------------------- exceptions

# The end of a sentence or line, and where PyTorch goes on to list the signatures of a function.
_END = re.compile(r"(?<=[.!?])\s|\n|, but expected one of:")


def first_sentence(message: str) -> str:
    """What stands before the first end."""
    return _END.split(message.strip(), maxsplit=1)[0].rstrip(". ")


def compare_errors(
    expected: BaseException, actual: BaseException, library: types.ModuleType
) -> None:
    """Same type (or leafgrad's own subclass of it), and PyTorch's first sentence first."""
    wanted, got = type(expected), type(actual)
    own = got.__module__.split(".")[0] == library.__name__
    named = any(base.__name__ == wanted.__name__ for base in (got.__mro__ if own else (got,)))
    sentence = first_sentence(str(expected))
    if not named or not str(actual).strip().startswith(sentence):
        raise Different(
            f"{wanted.__name__}: {sentence}\n  expected, got\n{got.__name__}: "
            + str(actual).strip().split("\n")[0]
        )


def describe(error: BaseException) -> str:
    """An exception in one line, with the innermost place."""
    trace = list(frames(error))
    place = ""
    if trace:
        frame, line = trace[-1]
        place = f" ({Path(frame.f_code.co_filename).name}:{line})"
    return (
        f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}{place}"
    )


# ---------------------------------------------------------------------------------------- results


class Result(NamedTuple):
    """What became of one entry: a (name, dtype, check)."""

    name: str
    dtype: str
    check: str
    status: str  # "passed", "failed" or "absent"
    detail: str = ""
    samples: int = 0
    failing: int = 0
    noted: str = ""
    complete: bool = True  # every sample was run that a full run would run

    @property
    def key(self) -> tuple[str, str, str]:
        return self.name, self.dtype, self.check


@dataclass
class Verdict:
    """Results set against the two reviewed lists."""

    passed: list[Result] = field(default_factory=list)
    failed: list[Result] = field(default_factory=list)  # in neither list: still to be mended
    absent: list[Result] = field(default_factory=list)
    known: list[Result] = field(default_factory=list)  # listed differences
    lost: list[Result] = field(default_factory=list)  # listed passes that did not pass
    surprising: list[Result] = field(default_factory=list)  # listed differences that passed
    strict: bool = False  # what is in neither list fails the run, too

    @property
    def wrong(self) -> int:
        """How many entries fail the run: what passed and no longer does, or passes unexpectedly."""
        return len(self.lost) + len(self.surprising) + (len(self.failed) if self.strict else 0)


Covers = Callable[[str], bool]


def nothing(name: str) -> bool:
    """A run of chosen entries covers no name whole."""
    return False


class Ledger:
    """`passes.txt` and `differences.txt`.

    passes.txt        `name check: dtype dtype`, written by --update, reviewed as a diff.
    differences.txt   `name dtype check : reason`, written by hand; several dtypes or checks are
                      separated by commas.
    """

    def __init__(self, folder: Path | None = HERE) -> None:
        folder = folder or Path("no such folder")  # a self-test knows no lists
        self.passes_file = folder / "passes.txt"
        self.differences_file = folder / "differences.txt"
        self.passes: set[tuple[str, str, str]] = set()
        self.differences: dict[tuple[str, str, str], str] = {}
        for line in _lines(self.passes_file):
            left, _, dtypes = line.rpartition(":")
            name, check = left.split()
            self.passes.update((name, dtype, check) for dtype in dtypes.split())
        for line in _lines(self.differences_file):
            left, mark, reason = line.partition(" : ")
            if not mark or not reason.strip() or len(left.split()) != 3:
                raise SystemExit(
                    f"{self.differences_file.name}: not `name dtype check : reason`: {line}"
                )
            name, dtypes, checks = left.split()
            for dtype in dtypes.split(","):
                for check in checks.split(","):
                    self.differences[name, dtype, check] = reason.strip()

    def judge(self, results: Sequence[Result], covers: Covers = nothing) -> Verdict:
        """`covers(name)`: the run has all entries of the name: one that did not run is lost."""
        verdict = Verdict()
        ran = {result.key for result in results}
        for key in sorted(self.passes - ran):
            if covers(key[0]):
                verdict.lost.append(Result(*key, "absent", "did not run"))
        for result in results:
            if result.status == "passed":
                verdict.passed.append(result)
                if result.key in self.differences and result.complete:
                    verdict.surprising.append(result)
                continue
            if result.key in self.passes:
                verdict.lost.append(result)
            elif result.status == "absent":
                verdict.absent.append(result)
            elif result.key in self.differences:
                verdict.known.append(result)
            else:
                verdict.failed.append(result)
        return verdict

    def update(self, results: Sequence[Result], covers: Covers = nothing) -> None:
        """Rewrite passes.txt: what ran is as it ran, what the run does not cover stays."""
        ran = {result.key for result in results}
        kept = {key for key in self.passes if key not in ran and not covers(key[0])}
        kept |= {result.key for result in results if result.status == "passed"}
        lines: dict[tuple[str, str], list[str]] = {}
        for name, dtype, check in sorted(kept):
            lines.setdefault((name, check), []).append(dtype)
        text = "# Entries that pass: `name check: dtypes`. Written by --update.\n"
        for (name, check), dtypes in sorted(lines.items()):
            text += f"{name} {check}: {' '.join(dtypes)}\n"
        self.passes_file.write_text(text)
        self.passes = kept


def _lines(file: Path) -> Iterator[str]:
    if file.exists():
        for line in file.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                yield line.strip()


def report(verdict: Verdict, verbose: bool, passed: int = 0, failed: int = 0) -> None:
    """What needs a look, and the closing line; `passed` and `failed` count what else ran."""
    shown = verdict.failed if verbose else verdict.failed[:40]
    for result in shown:
        print(f"OPEN {' '.join(result.key)}: {result.detail if verbose else _brief(result.detail)}")
    if len(shown) < len(verdict.failed):
        print(f"... and {len(verdict.failed) - len(shown)} more (-v shows all)")
    for result in verdict.lost:
        print(f"NO LONGER PASSES {' '.join(result.key)}: {result.status}: {_brief(result.detail)}")
    for result in verdict.surprising:
        print(f"UNEXPECTED PASS {' '.join(result.key)}: take it out of differences.txt")
    if verbose:
        for result in verdict.known:
            print(f"known difference {' '.join(result.key)}: {_brief(result.detail)}")
    notes = [note for result in verdict.passed for note in result.noted.split(", ") if note]
    for note in sorted(set(notes)):
        print(f"{notes.count(note)} entries pass with {note}")
    print(
        f"{len(verdict.absent)} absent, {len(verdict.known)} known differences, "
        f"{len(verdict.failed)} open (differing, in neither list)"
    )
    print(f"{len(verdict.passed) + passed} passed, {verdict.wrong + failed} failed")


def _brief(detail: str) -> str:
    text = " | ".join(line.strip() for line in detail.splitlines() if line.strip())
    return text if len(text) <= 300 else text[:297] + "..."


def write_json(file: str, results: Sequence[Result]) -> None:
    Path(file).write_text(json.dumps([result._asdict() for result in results], indent=0) + "\n")


# ---------------------------------------------------------------------------------------- running


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimit in the block when it runs longer."""

    def ring(*_: Any) -> None:
        raise TimeLimit(f"took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def in_parallel(
    work: Callable[[int], list[Result]], tasks: Sequence[str], jobs: int, limit: float
) -> Iterator[list[Result]]:
    """Results of `work(0)`, `work(1)`, ... from forked processes that share what is imported.

    A process that dies, or does not answer within `limit` seconds, costs its task alone.
    """
    context = multiprocessing.get_context("fork")
    pending = list(range(len(tasks)))[::-1]
    workers: dict[Any, tuple[Any, int, float]] = {}

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(work, theirs, ours), daemon=True)
        process.start()
        theirs.close()
        hand_out(ours, process)

    def hand_out(pipe: Any, process: Any) -> None:
        if pending:
            index = pending.pop()
            workers[pipe] = process, index, time.monotonic()
            pipe.send(index)
        else:
            with contextlib.suppress(OSError):
                pipe.send(None)
            process.join()
            pipe.close()

    for _ in range(max(1, min(jobs, len(tasks)))):
        start()
    while workers:
        ready = multiprocessing.connection.wait(list(workers), timeout=1.0)
        for pipe in ready:
            process, index, _began = workers.pop(pipe)
            try:
                results = pipe.recv()
            except (EOFError, OSError):
                process.join()
                pipe.close()
                yield [
                    Result(
                        tasks[index], "-", "run", "failed", f"the process died ({process.exitcode})"
                    )
                ]
                if pending:
                    start()
            else:
                hand_out(pipe, process)
                yield results
        for pipe, (process, index, began) in list(workers.items()):
            if time.monotonic() - began > limit:
                del workers[pipe]
                process.kill()
                process.join()
                pipe.close()
                yield [Result(tasks[index], "-", "run", "failed", f"no answer within {limit:g} s")]
                if pending:
                    start()


def _serve(work: Callable[[int], list[Result]], pipe: Any, others: Any) -> None:
    others.close()
    while (index := pipe.recv()) is not None:
        pipe.send(work(index))


def common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-k", metavar="PATTERN", default="", help="only names in which this regex is found"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show the first difference of each failure"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--update", action="store_true", help="rewrite passes.txt from this run")
    parser.add_argument("--strict", action="store_true", help="open differences fail the run, too")
    parser.add_argument("--json", metavar="FILE", help="write every result to FILE")
    parser.add_argument(
        "--self-test", action="store_true", help="PyTorch against itself: nothing may fail"
    )


def finish(results: Sequence[Result], options: argparse.Namespace, covers: Covers = nothing) -> int:
    """Judge, report, write what was asked for; the exit status."""
    verdict = settle(results, options, covers)
    report(verdict, options.verbose)
    return 1 if verdict.wrong else 0


def settle(
    results: Sequence[Result], options: argparse.Namespace, covers: Covers = nothing
) -> Verdict:
    """The verdict, with the files that the options ask for written."""
    if options.json:
        write_json(options.json, results)
    ledger = Ledger(None if options.self_test else HERE)
    if options.self_test:
        # Against itself PyTorch lacks nothing.
        results = [r._replace(status="failed") if r.status == "absent" else r for r in results]
    elif options.update:
        ledger.update(results, covers)
    verdict = ledger.judge(results, covers)
    verdict.strict = options.strict or options.self_test
    return verdict
