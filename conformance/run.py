"""Every comparison of leafgrad with PyTorch: OpInfo records, programs, fuzzers; one closing line.

python conformance/run.py              # OpInfo quick, a few minutes
python conformance/run.py --full       # every dtype, check and sample
python conformance/run.py --full --update
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence

import carry
import harness
import opinfo
import programs

FUZZ_COUNT = {False: 300, True: 3000}  # programs of each fuzzer: as a rule, with --full
FUZZ_SECONDS = 900.0
# Fuzzers not yet without a difference: theirs are shown and counted, and do not fail the run.
OPEN = {"fuzz_compile.py"}
_CLOSING = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)


def fuzz(count: int, self_test: bool) -> tuple[int, int]:
    """Run each `fuzz_*.py` in a process of its own; (passed, failed) of all."""
    passed = failed = 0
    paths = [str(carry.SOURCE), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    for script in sorted(harness.HERE.glob("fuzz_*.py")):
        if self_test and "--self-test" not in script.read_text():
            continue
        command = [sys.executable, str(script), "--count", str(count)] + ["--self-test"] * self_test
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=FUZZ_SECONDS, env=environment
            )
        except subprocess.TimeoutExpired:
            print(f"{script.name}: no end within {FUZZ_SECONDS:g} s")
            failed += 1
            continue
        counts = _CLOSING.findall(done.stdout)
        good, bad = (int(n) for n in counts[-1]) if counts else (0, 0)
        bad = bad or int(done.returncode != 0)
        passed += good
        if self_test or script.name not in OPEN:
            failed += bad
        print(f"{script.name}: {good} passed, {bad} failed")
        if bad:
            print((done.stdout + done.stderr).rstrip())
    return passed, failed


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    harness.common_options(parser)
    parser.add_argument("--full", action="store_true", help="every dtype, check and sample")
    options = parser.parse_args(argv)
    options.quick = not options.full
    options.dtype = options.checks = ""
    results = opinfo.run(options)
    results += programs.run(options)
    passed, failed = fuzz(FUZZ_COUNT[options.full], options.self_test) if not options.k else (0, 0)
    if not options.k and not options.self_test:
        import checkpoints

        found = checkpoints.check(carry.load())
        print(*found, f"checkpoints: {len(found)} differences", sep="\n")
        failed += len(found)
    if options.self_test:
        import faults

        unseen = faults.unseen()
        print(
            f"faults on purpose: {faults.COUNT - len(unseen)} of {faults.COUNT} reported",
            *unseen,
            sep="\n",
        )
        failed += len(unseen)
    of_opinfo, of_programs = opinfo.covers(options), programs.covers(options)
    verdict = harness.settle(results, options, lambda name: of_opinfo(name) or of_programs(name))
    harness.report(verdict, options.verbose, passed, failed)
    return 1 if verdict.wrong or failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
