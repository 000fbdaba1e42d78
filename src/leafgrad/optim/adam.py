"""Adam: steps of a size that each element's gradients have shown to fit (Kingma and Ba)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import (
    Optimizer,
    check_options,
    count,
    each_block,
    like,
    number,
    penalised,
    scalar,
    square_root,
)

__all__ = ["Adam"]


class Adam(Optimizer):
    """m, v: running means of the gradient and of its square; p -= lr · m / (sqrt(v) + eps), m and v
    corrected for having begun at zero.

    betas: how much of the old means is kept; amsgrad: divide by the largest v so far;
    weight_decay: added to the gradient as weight_decay · p or, when decoupled, p *= 1 - lr ·
    weight_decay first; maximize: ascend instead; foreach, fused, capturable: accepted, without
    effect
    """

    def __init__(self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False, fused: bool | None = None,
                 decoupled_weight_decay: bool = False) -> None:  # fmt: skip
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        check_options(lr=lr, eps=eps, betas=(betas[0], betas[1]), weight_decay=weight_decay,
                      foreach=foreach, fused=fused, differentiable=differentiable)  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, and means of zero."""
        state = {"step": scalar(0), "exp_avg": like(param), "exp_avg_sq": like(param)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = like(param)
        return state

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        lr, decay, shrink = number(group["lr"]), group["weight_decay"], None
        beta1, beta2 = map(number, group["betas"])
        steps = count(state)
        # The corrections go into two numbers: lr · m / c1 / (sqrt(v / c2) + eps)
        # = (lr · sqrt(c2) / c1) · m / (sqrt(v) + eps · sqrt(c2)).
        root = square_root(1 - beta2**steps)
        size, eps = lr * root / (1 - beta1**steps), group["eps"] * root
        if group["decoupled_weight_decay"]:
            decay, shrink = None, 1 - lr * decay
        numbers = (size, 1 - beta1, beta2, 1 - beta2, eps, decay or None, shrink)
        arrays = (p, g, state["exp_avg"]._array, state["exp_avg_sq"]._array)
        if group["amsgrad"]:
            arrays = (*arrays, state["max_exp_avg_sq"]._array)
        each_block(_amsgrad if group["amsgrad"] else _adam, arrays, numbers, group["maximize"])


def _adam(p: Any, g: Any, m: Any, v: Any, *rest: Any) -> None:
    _amsgrad(p, g, m, v, v, *rest)


def _amsgrad(p: Any, g: Any, m: Any, v: Any, largest: Any, s: Any, t: Any, size: Any, new1: Any,
             beta2: Any, new2: Any, eps: Any, decay: Any, shrink: Any,
             maximize: bool) -> None:  # fmt: skip
    g = penalised(p, g, s, decay, maximize)
    if shrink is not None:
        np.multiply(p, shrink, p)
    t = np.subtract(g, m, t)  # m += (1 - beta1) · (g - m)
    np.multiply(t, new1, t)
    np.add(m, t, m)
    np.multiply(g, g, t)  # v = beta2 · v + (1 - beta2) · g²
    np.multiply(t, new2, t)
    np.multiply(v, beta2, v)
    np.add(v, t, v)
    if largest is not v:
        np.maximum(largest, v, out=largest)
    np.sqrt(largest, t)
    np.add(t, eps, t)
    np.divide(m, t, t)
    np.multiply(t, size, t)
    np.subtract(p, t, p)
