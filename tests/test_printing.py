"""leafgrad.printing against texts recorded from PyTorch (conformance/record_printing.py)."""

from __future__ import annotations

import base64
import doctest
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafgrad import printing
from leafgrad.printing import format_array, get_printoptions, printoptions, set_printoptions

CASES = json.loads((Path(__file__).parent / "data" / "printing.json").read_text())["cases"]
DEFAULT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


@pytest.fixture(autouse=True)
def _default_options() -> Iterator[None]:
    set_printoptions(profile="default")
    yield
    set_printoptions(profile="default")


def rebuild(dtype: str, shape: list[int], data: str) -> np.ndarray:
    """The array that was recorded, bit for bit."""
    if dtype == "bfloat16" or dtype.startswith("float8"):
        stored = np.dtype(getattr(pytest.importorskip("ml_dtypes"), dtype))
    else:
        stored = np.dtype(dtype)
    return np.frombuffer(base64.b64decode(data), stored).reshape(shape)


def text_of(tensor: dict[str, Any], defaults: list[str] | None) -> str:
    words = dict(tensor)
    array = rebuild(words["dtype"], words.pop("shape"), words.pop("data"))
    if defaults:
        words["default_dtype_names"] = tuple(defaults)
    return format_array(array, words.pop("dtype"), **words)


@pytest.mark.parametrize("name", CASES)
def test_prints_as_pytorch(name: str) -> None:
    case = CASES[name]
    set_printoptions(**case.get("options", {}))
    texts = [text_of(tensor, case.get("defaults")) for tensor in case["tensors"]]
    assert case.get("around", "{}").format(*texts) == case["text"]


def test_the_order_of_elements_in_memory_does_not_matter() -> None:
    array = np.arange(60.0).reshape(3, 4, 5)
    turned = np.asfortranarray(array)[::-1]
    assert format_array(turned, "float64") == format_array(turned.copy("C"), "float64")


def test_reads_only_what_is_shown() -> None:
    # 10**15 elements that share one: reading them all would take weeks, copying them petabytes.
    array = np.broadcast_to(np.float32(0.5), (10**5, 10**5, 10**5))
    lines = format_array(array, "float32").splitlines()
    assert lines[0] == "tensor([[[0.5000, 0.5000, 0.5000,  ..., 0.5000, 0.5000, 0.5000],"
    # Six blocks of seven lines and a line between two blocks; "...," and its blank line.
    assert len(lines) == 6 * 8 + 2 - 1


def test_many_axes() -> None:
    array = np.zeros((1,) * 20, np.int64)
    assert format_array(array, "int64") == "tensor(" + "[" * 20 + "0" + "]" * 20 + ")"


def test_a_line_without_end() -> None:
    # PyTorch raises OverflowError here; NumPy's printing takes it.
    with printoptions(linewidth=float("inf"), profile="full"):
        text = format_array(np.arange(2000), "int64", requires_grad=True)
    assert text == f"tensor([{', '.join(f'{n:4}' for n in range(2000))}], requires_grad=True)"


def test_options_start_as_pytorch_s() -> None:
    assert get_printoptions() == DEFAULT


def test_options_given_are_set_and_the_rest_stay() -> None:
    set_printoptions(precision=2, linewidth=100)
    set_printoptions(edgeitems=5, threshold=7)
    assert get_printoptions() == {
        "precision": 2,
        "threshold": 7,
        "edgeitems": 5,
        "linewidth": 100,
        "sci_mode": None,
    }


def test_a_profile_sets_all_but_what_is_given() -> None:
    set_printoptions(linewidth=100)
    set_printoptions(profile="short", precision=6)
    assert get_printoptions() == {**DEFAULT, "precision": 6, "edgeitems": 2}
    set_printoptions(profile="full")
    assert get_printoptions() == {**DEFAULT, "threshold": float("inf")}


def test_an_unknown_profile_changes_nothing() -> None:
    set_printoptions(precision=2)
    set_printoptions(profile="Short")
    assert get_printoptions() == {**DEFAULT, "precision": 2}


def test_sci_mode_is_unset_by_a_call_without_it() -> None:
    set_printoptions(sci_mode=True)
    assert get_printoptions()["sci_mode"] is True
    set_printoptions(precision=3)
    assert get_printoptions()["sci_mode"] is None


def test_options_are_a_copy() -> None:
    get_printoptions()["precision"] = 9
    assert get_printoptions() == DEFAULT


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        set_printoptions(width=3)  # type: ignore[call-arg]


def test_printoptions_hold_within_the_block() -> None:
    set_printoptions(precision=2, sci_mode=False)
    with pytest.raises(ZeroDivisionError), printoptions(profile="short", precision=1):
        assert get_printoptions() == {**DEFAULT, "precision": 1, "edgeitems": 2}
        _ = 1 / 0
    assert get_printoptions() == {**DEFAULT, "precision": 2, "sci_mode": False}


def test_the_examples_in_the_documentation() -> None:
    result = doctest.testmod(printing)
    assert result.attempted
    assert not result.failed
