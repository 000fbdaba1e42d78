"""The examples run, in a short form, and print the figures that PyTorch printed for the same seed."""

import json
import re
from pathlib import Path

import pytest

from leafgrad import cli

ROOT = Path(__file__).parent.parent
# Recorded by conformance/record_examples.py: an example's argument, and what PyTorch prints then.
RECORDED = json.loads((ROOT / "tests" / "data" / "examples.json").read_text())
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?%?")
ONE_PICTURE = 100 / 359 + 0.1  # in percent: a digit on the border between two classes
NEEDS = {"digits": "sklearn", "vae": "sklearn"}


def test_every_example_is_recorded() -> None:
    apart = {"curve_fit", "linear_neuron", "twenty_lines"}  # tests/test_cli.py has these
    assert {p.stem for p in (ROOT / "examples").glob("*.py")} == set(RECORDED) | apart


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    argument, expected = RECORDED[name]
    assert cli.main(["run", str(ROOT / "examples" / f"{name}.py"), argument]) in (0, None)
    printed = capsys.readouterr().out
    # The words are the same, and the numbers but for rounding in their last printed digit.
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
    for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
        if theirs.endswith("%"):
            assert abs(float(ours[:-1]) - float(theirs[:-1])) <= ONE_PICTURE, printed
            continue
        digits = len(theirs.partition("e")[0].partition(".")[2])
        unit = 10.0**-digits * 10.0 ** int(theirs.partition("e")[2] or 0)
        assert abs(float(ours) - float(theirs)) <= 1.01 * unit + 1e-4 * abs(float(theirs)), printed
