"""What a graph keeps for the backward pass, node by node."""

from __future__ import annotations

from typing import Any

from ..graph.inplace import CopySlices
from ..graph.node import Freed
from ..graph.saved import Packs
from ..see.names import Names
from .answer import Kept


def kept(functions: list[Any], names: Names) -> tuple[Kept, ...]:
    """What some nodes keep, newest first. Memory that several nodes hold counts once, with the
    newest."""
    rows = []
    counted: set[int] = set()
    for fn in reversed(functions):
        saved = fn.saved
        if saved is None or saved.__class__ in (Freed, Packs):
            continue
        values, total, leaves = [], 0, 0
        for name, tensor in _tensors(fn, names):
            array = tensor._array
            values.append((name, f"{tensor.dtype.name}{list(array.shape)}"))
            owner = memory_of(array)
            if id(owner) in counted:
                continue
            counted.add(id(owner))
            total += getattr(owner, "nbytes", array.nbytes)
            if tensor.grad_fn is None:
                leaves += getattr(owner, "nbytes", array.nbytes)
        if values:
            rows.append(Kept(fn.name(), str(fn.source()), tuple(values), total, leaves))
    return tuple(rows)


def _tensors(fn: Any, names: Names) -> list[tuple[str, Any]]:
    """The tensors that a node keeps, with what its rule calls them."""
    if getattr(fn, "op", None) is not None:
        saved = names.saved(fn)
    elif hasattr(fn, "saved_tensors"):
        saved = {f"saved_tensors[{i}]": t for i, t in enumerate(_of_function(fn))}
    elif isinstance(fn, CopySlices):
        saved = names.saved(fn.saved[0])
    else:
        saved = {}
    found = []
    for name, value in saved.items():
        if isinstance(value, tuple):
            found += [(f"{name}[{i}]", v) for i, v in enumerate(value) if hasattr(v, "_array")]
        elif hasattr(value, "_array"):
            found.append((name, value))
    return found


def _of_function(fn: Any) -> tuple[Any, ...]:
    try:
        return fn.saved_tensors  # type: ignore[no-any-return]
    except RuntimeError:  # written to since
        return ()


def memory_of(array: Any) -> Any:
    """The object that owns an array's memory."""
    while getattr(array, "base", None) is not None and hasattr(array.base, "nbytes"):
        array = array.base
    return array


def freed_by(functions: list[Any]) -> Any:
    """The mark of what freed a graph, if something did."""
    return next((fn.saved.mark for fn in functions if fn.saved.__class__ is Freed), None)
