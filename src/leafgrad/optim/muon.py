"""Muon: momentum whose matrices are made orthogonal before each step (Jordan and others)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import F32
from ..tensor import Tensor
from .optimizer import Optimizer, check_one_element, like, number, square_root

__all__ = ["Muon"]

_ADJUSTMENTS = ("original", "match_rms_adamw")


class Muon(Optimizer):
    """b += (1 - momentum) · (g - b); p -= lr · size · orthogonal(b), for matrices.

    With nesterov, the matrix is g + momentum · (b - g). An odd polynomial, applied `ns_steps`
    times in bfloat16's precision, brings its singular values near one.

    weight_decay: p *= 1 - lr · weight_decay first; ns_coefficients: of x, x³ and x⁵; eps: the
    least norm to divide by; adjust_lr_fn: how the step's size follows the matrix's (rows ×
    columns): "original" (the default), sqrt(max(1, rows / columns)), or "match_rms_adamw",
    0.2 · sqrt(max(rows, columns))
    """

    def __init__(self, params: Any, lr: Any = 1e-3, weight_decay: float = 0.1,
                 momentum: float = 0.95, nesterov: bool = True,
                 ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5,
                 adjust_lr_fn: str | None = None) -> None:  # fmt: skip
        check_one_element(lr)
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn is not None and adjust_lr_fn not in _ADJUSTMENTS:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        })  # fmt: skip
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim != 2:
                    raise ValueError("Muon only supports 2D parameters whereas we found a "
                                     f"parameter with size: {param.size()}")  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """Momentum of zero."""
        if param._array.dtype.kind == "c":
            raise RuntimeError("Muon does not support complex parameters")
        return {"momentum_buffer": like(param)}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        lr, momentum = number(group["lr"]), group["momentum"]
        kept, kind = state["momentum_buffer"]._array, p.dtype
        wide = kind if kind.itemsize > 2 else F32
        g, b = np.asarray(g, wide), np.asarray(kept, wide)
        b = b + (g - b) * (1 - momentum)
        np.copyto(kept, b, casting="same_kind")
        aim = g + (b - g) * momentum if group["nesterov"] else b
        u = _orthogonal(aim, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = p.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            size = lr * 0.2 * square_root(max(rows, columns))
        else:
            size = lr * square_root(max(1, rows / columns))
        moved = np.asarray(p, wide) * (1 - lr * group["weight_decay"]) - u * size
        np.copyto(p, moved, casting="same_kind")


def _orthogonal(matrix: Any, coefficients: Any, steps: int, eps: float) -> Any:
    """The matrix with its singular values brought near one: a step is a·x + (b·y + c·y²)·x with
    y = x·xᵀ, as in Newton and Schulz's iteration."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    x = _rounded(np.asarray(matrix, F32))
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    norm = _rounded(np.maximum(_rounded(np.sqrt(np.sum(x * x))), F32.type(eps)))
    x = _rounded(x / norm)
    for _ in range(steps):
        y = _rounded(np.matmul(x, x.T))
        y = _rounded(y * F32.type(b) + np.matmul(y, y) * F32.type(c))
        x = _rounded(x * F32.type(a) + np.matmul(y, x))
    return x.T if tall else x


def _rounded(x: Any) -> Any:
    """float32 numbers, each the nearest of bfloat16; halfway, the even one."""
    bits = np.asarray(x, F32).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    near = (bits + (odd + np.uint32(0x7FFF))) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(x), near.view(F32), x)
