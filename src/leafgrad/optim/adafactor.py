"""Adafactor: Adam's sizes of steps from means over rows and columns alone (Shazeer and Stern)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import F32
from ..tensor import Tensor, wrap
from .optimizer import Optimizer, check_one_element, count, number, scalar, square_root

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """u = g / sqrt(v), v a running mean of g² of which, for matrices, only the mean over each row
    and each column is kept; p -= a · u / max(1, rms(u) / d), a = max(eps[1], rms(p)) ·
    min(lr, 1 / sqrt(steps)).

    beta2_decay: the running mean keeps 1 - steps ** beta2_decay of itself; eps: the root of the
    least v (None: the dtype's), and the least size of a parameter; d: the clipping threshold;
    weight_decay: p *= 1 - lr · weight_decay first; maximize: ascend instead; foreach: accepted,
    without effect
    """

    def __init__(self, params: Any, lr: Any = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0,
                 weight_decay: float = 0.0, *, foreach: bool | None = None,
                 maximize: bool = False) -> None:  # fmt: skip
        check_one_element(lr)
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(params, {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, and means of zero."""
        array = param._array
        if array.dtype.kind == "c":
            raise RuntimeError("Adafactor does not support complex parameters")
        state = {"step": scalar(0)}
        if array.ndim > 1:
            rows, columns = (*array.shape[:-1], 1), (*array.shape[:-2], 1, array.shape[-1])
            state["row_var"] = wrap(np.zeros(rows, array.dtype))
            state["col_var"] = wrap(np.zeros(columns, array.dtype))
        else:
            state["variance"] = wrap(np.zeros(array.shape, array.dtype))
        return state

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        lr, (least, smallest) = number(group["lr"]), group["eps"]
        steps = count(state)
        fresh = steps ** group["beta2_decay"]
        kind = p.dtype
        if least is None:
            least = 2.0**-7 if kind.name == "bfloat16" else float(np.finfo(kind).eps)
        wide = np.dtype(np.promote_types(kind, F32)) if kind.itemsize > 2 else F32
        g = np.asarray(g, wide)
        if group["maximize"]:
            g = -g
        size = np.maximum(_rms(np.asarray(p, wide)), smallest)
        rate = size * np.minimum(lr, 1 / square_root(steps))
        square = g * g
        if g.ndim > 1:
            rows = _moved(state["row_var"], square.mean(-1, keepdims=True), fresh, wide)
            columns = _moved(state["col_var"], square.mean(-2, keepdims=True), fresh, wide)
            mean = np.maximum(rows.mean(-2, keepdims=True), least)
            square = np.matmul(rows, columns) / mean
        else:
            square = _moved(state["variance"], square, fresh, wide)
        u = g / np.sqrt(np.maximum(square, least * least))
        rate = rate / np.maximum(1.0, _rms(u) / group["d"])
        kept = p * (1 - lr * group["weight_decay"]) if group["weight_decay"] else p
        np.copyto(p, kept - (rate * u).astype(wide), casting="same_kind")


def _rms(array: Any) -> Any:
    """The root of the mean of the squares; of an array without elements, NaN."""
    return np.sqrt(np.mean(array * array, dtype=np.float64))


def _moved(mean: Tensor, value: Any, share: Any, wide: Any) -> Any:
    """Move a running mean this share of the way to a value; what it is now."""
    kept = mean._array
    np.copyto(kept, kept + (value - kept) * share, casting="same_kind")
    return np.asarray(kept, wide)
