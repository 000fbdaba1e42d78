"""Adamax: Adam with the largest recent gradient in place of the root mean square."""

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
)

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """m: running mean of the gradient; u = max(beta2 · u, abs(g) + eps);
    p -= lr / (1 - beta1**steps) · m / u.

    weight_decay: added to the gradient; maximize: ascend instead
    """

    def __init__(self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, foreach: bool | None = None, *,
                 maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False) -> None:  # fmt: skip
        check_options(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay,
                      differentiable=differentiable)  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, a mean of zero and a largest gradient of zero."""
        return {"step": scalar(0), "exp_avg": like(param), "exp_inf": like(param)}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        beta1, beta2 = group["betas"]
        rate = number(group["lr"]) / (1 - beta1 ** count(state))
        arrays = (p, g, state["exp_avg"]._array, state["exp_inf"]._array)
        numbers = (rate, 1 - beta1, beta2, group["eps"], group["weight_decay"] or None)
        each_block(_adamax, arrays, numbers, group["maximize"])


def _adamax(p: Any, g: Any, m: Any, u: Any, s: Any, t: Any, rate: Any, new: Any, beta2: Any,
            eps: Any, decay: Any, maximize: bool) -> None:  # fmt: skip
    g = penalised(p, g, s, decay, maximize)
    t = np.subtract(g, m, t)
    np.multiply(t, new, t)
    np.add(m, t, m)
    np.multiply(u, beta2, u)
    np.abs(g, t)
    np.add(t, eps, t)
    np.maximum(u, t, out=u)
    np.divide(m, u, t)
    np.multiply(t, rate, t)
    np.subtract(p, t, p)
