"""Arrays as PyTorch prints tensors: `tensor([1.0000, 2.5000], dtype=torch.float64)`.

The text is PyTorch's to the last character, its oddities included; each is named where it is
done. This module knows arrays and names of dtypes, nothing of tensors: who made a tensor and
whether it wants a gradient come in as words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf, isfinite
from typing import Any

import numpy as np

__all__ = ["format_array", "get_printoptions", "printoptions", "set_printoptions"]

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": inf, "edgeitems": 3, "linewidth": 80},
}
_options: dict[str, Any] = {**_PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed, from now on.

    Args:
        precision: digits after the decimal point (4).
        threshold: a tensor of more elements than this is shown by its edges (1000).
        edgeitems: how many elements an edge has, at both ends of every dimension (3).
        linewidth: characters a line may have (80).
        profile: "default", "short" or "full": a set of the four above, which those that are
            given override. Another name changes nothing, as in PyTorch.
        sci_mode: True for scientific notation, False for none, None to let the values decide.
            Unlike the others it is set by every call: a call that does not give it sets None.

    >>> set_printoptions(precision=2)
    >>> format_array(np.array([1.12345], np.float32), "float32")
    'tensor([1.12])'
    >>> set_printoptions(profile="default")
    """
    _options.update(_PROFILES.get(profile, {}) if profile is not None else {})
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    _options.update({name: value for name, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options now in force: precision, threshold, edgeitems, linewidth, sci_mode."""
    return dict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """`set_printoptions(**options)` for the length of a `with` block.

    >>> with printoptions(sci_mode=True):
    ...     format_array(np.array([1.5], np.float32), "float32")
    'tensor([1.5000e+00])'
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        _options.update(before)


def format_array(
    array: np.ndarray,
    dtype_name: str,
    *,
    prefix: str = "tensor(",
    default_dtype_names: tuple[str, ...] = ("float32", "complex64"),
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    device: str | None = None,
    tangent: str | None = None,
) -> str:
    """The printed form of the tensor whose values are `array`.

    Args:
        array: the values, of any shape. Only those that are shown are read.
        dtype_name: the tensor's dtype, such as "bfloat16", without "torch.".
        prefix: what stands before the values. Its length is the indent of the lines that follow,
            so a subclass passes `"MyTensor("`. Text on a line of its own is put before the
            result by the caller: `"Parameter containing:\\n" + format_array(...)`.
        default_dtype_names: the default floating dtype and its complex partner, which go
            without saying.
        requires_grad: whether to say `requires_grad=True`, when there is no `grad_fn_name`.
        grad_fn_name: the class name of the node that made the tensor, such as "MulBackward0".
        device: a device worth a word; None for the default one. On "meta" there are no values
            and the shape is shown in their place.
        tangent: the forward-mode tangent, as `format(tangent)` gives it, if the tensor has one.

    >>> format_array(np.array([1.0, 2.5]), "float64", grad_fn_name="MulBackward0")
    'tensor([1.0000, 2.5000], dtype=torch.float64, grad_fn=<MulBackward0>)'
    """
    size = ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
    notes = [] if device is None else [f"device='{device}'"]
    # With no value to tell them by, int64, bool and the complex default are named as well.
    unsaid = default_dtype_names[:1]
    if device == "meta":
        body = "..."
        notes.append(f"size=({size})")
    elif array.size == 0:
        body = "[]"
        if array.ndim != 1:
            notes.append(f"size=({size})")
    else:
        body = _format_values(array, dtype_name, len(prefix))
        # PyTorch takes a tensor whose edges hold nothing for an empty one.
        if _options["edgeitems"] == 0:
            notes.append(f"size=({size})")
        unsaid = (*default_dtype_names, "int64", "bool")
    if dtype_name not in unsaid:
        notes.append(f"dtype=torch.{dtype_name}")
    if grad_fn_name is not None:
        notes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        notes.append("requires_grad=True")
    if tangent is not None:
        notes.append(f"tangent={tangent}")
    return _append_notes(prefix + body, notes, len(prefix)) + ")"


def _append_notes(text: str, notes: list[str], indent: int) -> str:
    """`text, note, note`, with a new line before each note that would not fit on its line."""
    # PyTorch takes the text for two characters longer than it is, but not the lines of notes.
    column = len(text) - (text.rfind("\n") + 1) + 2
    for note in notes:
        if column + len(note) + 2 > _options["linewidth"]:
            text += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            text += ", " + note
            column += len(note) + 2
    return text


def _format_values(array: np.ndarray, dtype_name: str, indent: int) -> str:
    """The values in their brackets, without what stands before and after."""
    edge = _options["edgeitems"]
    cut = [False] * array.ndim
    if array.size > _options["threshold"] and array.ndim:
        if edge == 0:
            return "[...]"
        cut = [length > 2 * edge for length in array.shape]
        shown = [
            np.r_[:edge, length - edge : length] if long else np.arange(length)
            for length, long in zip(array.shape, cut, strict=True)
        ]
        array = array[np.ix_(*shown)]

    width, cells = _format_cells(array.reshape(-1), dtype_name)

    # From the innermost brackets outwards: the last axis becomes lines of numbers, each axis
    # before it a stack of the blocks that its successor made.
    blocks = cells
    for axis in reversed(range(array.ndim)):
        length, depth = array.shape[axis], array.ndim - 1 - axis
        margin = " " * (indent + axis + 1)
        if depth == 0:
            # `width` and ", " a number, as if the brackets took no room.
            room = (_options["linewidth"] - indent - axis) / (width + 2)
            per_line = int(max(1, min(room, length + 1)))
            gap = " ..."
        else:
            per_line = 1
            gap = "..."
        line_break = "," + "\n" * max(depth, 1) + margin
        rows = []
        for start in range(0, len(blocks), length):
            items = blocks[start : start + length]
            if cut[axis]:
                items.insert(edge, gap)
            lines = [", ".join(items[at : at + per_line]) for at in range(0, len(items), per_line)]
            rows.append("[" + line_break.join(lines) + "]")
        blocks = rows
    return blocks[0]


def _format_cells(values: np.ndarray, dtype_name: str) -> tuple[int, list[str]]:
    """The text of each of some values, and the width that lines are laid out for."""
    if dtype_name == "bool" or dtype_name.startswith(("int", "uint")):
        # The longest of some whole numbers is one of the two ends. False, the lower end of the
        # booleans, is longer than True.
        width = max(len(str(values.min())), len(str(values.max())))
        return width, [str(value).rjust(width) for value in values.tolist()]
    if dtype_name.startswith("complex"):
        # The parts are laid out apart from each other; only the imaginary one loses its padding.
        real_width, write_real = _float_writer(values.real)
        imag_width, write_imag = _float_writer(values.imag)
        cells = []
        for value in values.tolist():
            imag = write_imag(value.imag).lstrip()
            sign = "" if imag.startswith("-") else "+"
            cells.append(f"{write_real(value.real)}{sign}{imag}j")
        return real_width + imag_width + 1, cells
    width, write = _float_writer(values)
    return width, [write(value) for value in values.astype(np.float64).tolist()]


def _float_writer(values: np.ndarray) -> tuple[int, Callable[[float], str]]:
    """One layout for some floating-point values: its width, and what writes a value in it.

    Only the values that are finite and not zero have a say; zeros, NaNs and infinities take
    what comes, and may be wider than the width.
    """
    values = values.astype(np.float64)  # every narrower one is printed by its exact value
    precision = _options["precision"]
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0:
        return 1, _whole_writer(1)

    sizes = np.abs(values)
    smallest, largest = float(sizes.min()), float(sizes.max())
    whole = bool((values == np.ceil(values)).all())
    scientific = _options["sci_mode"]
    if scientific is None:
        scientific = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4

    # A number's length grows with its size, or, with an exponent, towards both ends; so the
    # longest is one of the extremes of its sign.
    extremes = []
    for signed in (values[values > 0], values[values < 0]):
        if signed.size:
            extremes += [float(signed.min()), float(signed.max())]
    if scientific:
        width = max(len(f"{value:.{precision}e}") for value in extremes)
    elif whole:
        width = max(len(f"{value:.0f}") for value in extremes) + 1
    else:
        width = max(len(f"{value:.{precision}f}") for value in extremes)

    if scientific:
        return width, f"{{:{width}.{precision}e}}".format
    if whole:
        return width, _whole_writer(width)
    return width, f"{{:{width}.{precision}f}}".format


def _whole_writer(width: int) -> Callable[[float], str]:
    """Writes whole numbers as `2.`; `inf` and `nan` go without the point."""

    def write(value: float) -> str:
        return (f"{value:.0f}." if isfinite(value) else str(value)).rjust(width)

    return write
