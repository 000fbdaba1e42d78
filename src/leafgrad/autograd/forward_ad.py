"""Forward mode by dual numbers: derivatives that travel with the values.

    with forward_ad.dual_level():
        x = forward_ad.make_dual(primal, tangent)
        y = f(x)
        forward_ad.unpack_dual(y).tangent        # the directional derivative of f along `tangent`

`func.jvp` does the same in one call, to any order. The names and errors are those of
torch.autograd.forward_ad.
"""

from __future__ import annotations

from typing import NamedTuple

from ..graph.forward import Dual, dual, tangent_of
from ..graph.modes import ModeContext, current
from ..graph.operator import OPS, apply
from ..graph.source import fail
from ..tensor import Tensor

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual",
           "unpack_dual"]  # fmt: skip


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns: the value, and its tangent or None."""

    primal: Tensor
    tangent: Tensor | None


_entered: list[Dual] = []


def _level(level: int | None) -> Dual | None:
    if not _entered or (level is not None and level < 0):
        return None
    return _entered[-1]


def enter_dual_level() -> int:
    """Begin a level of forward mode; `dual_level` does it for a block."""
    if _entered:
        fail(RuntimeError, "Nested forward mode AD is not supported at the moment",
             "to do: leafgrad.func.jvp nests to any order")  # fmt: skip
    level = Dual()
    level.__enter__()
    _entered.append(level)
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level. The tangents of all its dual tensors are gone."""
    if not _entered:
        fail(RuntimeError, "Trying to exit a forward AD level that was not entered")
    if level not in (None, 0):
        fail(RuntimeError, "Trying to exit a forward AD level that was not the last one that was "
                           "created. This is not supported.")  # fmt: skip
    _entered.pop().__exit__()


class dual_level(ModeContext):
    """A level of forward mode for a `with` block or a decorated function."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level(level=0)


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A view of `tensor` that has a tangent of the same shape and dtype."""
    found = _level(level)
    if found is None:
        fail(RuntimeError, "Trying to create a dual Tensor for forward AD but no level exists, make "
                           "sure to enter_dual_level() first.")  # fmt: skip
    return checked_dual(tensor, tangent, found)


def checked_dual(tensor: Tensor, tangent: Tensor, level: Dual) -> Tensor:
    """`make_dual` at a level that is known."""
    for name, value in (("primal", tensor), ("tangent", tangent)):
        if not (value.is_floating_point() or value.is_complex()):
            fail(ValueError, f"Expected {name} to be floating point or complex, but got: "
                             f"{value.dtype}")  # fmt: skip
    if tensor._array.shape != tangent._array.shape:
        fail(
            RuntimeError,
            "Trying to set a forward gradient that has a different size than that of the original "
            "Tensor, this is not supported. Tensor is of size "
            f"{list(tensor._array.shape)} while the given forward gradient is of size "
            f"{list(tangent._array.shape)}.",
        )
    if tensor._array.dtype != tangent._array.dtype:
        tangent = tangent.to(tensor.dtype)  # type: ignore[attr-defined]
    return dual(tensor, tangent, level)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value of a dual tensor (a view), and its tangent; None if it has none."""
    found = _level(level)
    if found is None:
        return UnpackedDualTensor(tensor, None)
    tangent = tangent_of(tensor, found.level)
    stripped = (
        apply(OPS["alias"], (tensor,), (), None) if tangent is None else _primal(tensor, found)
    )
    return UnpackedDualTensor(stripped, tangent)


def _primal(tensor: Tensor, level: Dual) -> Tensor:
    """A view of a tensor without its tangent at a level."""
    out = apply(OPS["alias"], (tensor,), (), None)
    out._tangents = {k: t for k, t in (out._tangents or {}).items() if k != level.level}
    out._base = None
    return out  # type: ignore[no-any-return]


def _is_fwd_grad_enabled() -> bool:
    return not current().inference
