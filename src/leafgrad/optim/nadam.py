"""NAdam: Adam with Nesterov's momentum (Dozat)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import (
    Optimizer,
    check_options,
    count,
    each_block,
    in_kind,
    like,
    number,
    penalised,
    scalar,
    square_root,
    value_of,
)

__all__ = ["NAdam"]


class NAdam(Optimizer):
    """Adam whose step mixes the mean of the gradient with the gradient itself, by a momentum that
    grows towards beta1 as `momentum_decay` says.

    weight_decay: added to the gradient or, when decoupled, p *= 1 - lr · weight_decay first;
    maximize: ascend instead
    """

    def __init__(self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, momentum_decay: float = 4e-3,
                 decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:  # fmt: skip
        check_options(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay,
                      differentiable=differentiable)  # fmt: skip
        if not momentum_decay >= 0.0:
            raise ValueError(f"Invalid momentum_decay value: {momentum_decay}")
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, and means of zero."""
        return {"step": scalar(0), "mu_product": scalar(1), "exp_avg": like(param),
                "exp_avg_sq": like(param)}  # fmt: skip

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        lr, decay, shrink = number(group["lr"]), group["weight_decay"], None
        if group["decoupled_weight_decay"]:
            decay, shrink = None, 1 - lr * decay
        beta1, beta2 = group["betas"]
        steps = count(state)
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (steps * group["momentum_decay"]))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((steps + 1) * group["momentum_decay"]))
        product = state["mu_product"]._array
        product *= in_kind(mu, product.dtype)
        now = value_of(product)
        of_gradient = lr * (1.0 - mu) / (1.0 - now)
        of_mean = lr * mu_next / (1.0 - now * mu_next)
        arrays = (p, g, state["exp_avg"]._array, state["exp_avg_sq"]._array)
        numbers = (of_gradient, of_mean, 1 - beta1, beta2, 1 - beta2, square_root(1 - beta2**steps),
                   group["eps"], decay or None, shrink)  # fmt: skip
        each_block(_nadam, arrays, numbers, group["maximize"])


def _nadam(p: Any, g: Any, m: Any, v: Any, s: Any, t: Any, of_gradient: Any, of_mean: Any,
           new1: Any, beta2: Any, new2: Any, root: Any, eps: Any, decay: Any, shrink: Any,
           maximize: bool) -> None:  # fmt: skip
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
    d = np.sqrt(v)
    np.divide(d, root, d)
    np.add(d, eps, d)
    for weight, direction in ((of_gradient, g), (of_mean, m)):
        np.divide(direction, d, t)
        np.multiply(t, weight, t)
        np.subtract(p, t, p)
