"""RAdam: Adam that waits until the variance can be trusted (Liu et al.)."""

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

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """Adam with a rectified step: momentum alone in the first steps, then Adam's steps, which are
    weighted by how well the variance is known.

    weight_decay: added to the gradient or, when decoupled, p *= 1 - lr · weight_decay first;
    maximize: ascend instead
    """

    def __init__(self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, decoupled_weight_decay: bool = False,
                 *, foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:  # fmt: skip
        check_options(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay,
                      differentiable=differentiable)  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, and means of zero."""
        return {"step": scalar(0), "exp_avg": like(param), "exp_avg_sq": like(param)}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        lr, decay, shrink = number(group["lr"]), group["weight_decay"], None
        if group["decoupled_weight_decay"]:
            decay, shrink = None, 1 - lr * decay
        beta1, beta2 = group["betas"]
        steps = count(state)
        rate = lr / (1 - beta1**steps)
        known = 1 - beta2**steps
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * steps * beta2**steps / known  # of an average that knows as much
        rectified = length > 5.0
        if rectified:
            rate *= square_root(known) * square_root(
                (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
            )
        arrays = (p, g, state["exp_avg"]._array, state["exp_avg_sq"]._array)
        numbers = (rate, 1 - beta1, beta2, 1 - beta2, group["eps"], decay or None, shrink)
        each_block(_radam, arrays, numbers, group["maximize"], rectified)


def _radam(p: Any, g: Any, m: Any, v: Any, s: Any, t: Any, rate: Any, new1: Any, beta2: Any,
           new2: Any, eps: Any, decay: Any, shrink: Any, maximize: bool,
           rectified: bool) -> None:  # fmt: skip
    g = penalised(p, g, s, decay, maximize)
    if shrink is not None:
        np.multiply(p, shrink, p)
    t = np.subtract(g, m, t)
    np.multiply(t, new1, t)
    np.add(m, t, m)
    np.multiply(g, g, t)
    np.multiply(t, new2, t)
    np.multiply(v, beta2, v)
    np.add(v, t, v)
    if rectified:
        np.sqrt(v, t)
        np.add(t, eps, t)
        np.divide(m, t, t)
        np.multiply(t, rate, t)
    else:
        np.multiply(m, rate, t)
    np.subtract(p, t, p)
