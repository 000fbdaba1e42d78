"""RMSprop: steps divided by the root of a running mean of squared gradients (Hinton)."""

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

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """v = alpha · v + (1 - alpha) · g²; p -= lr · g / (sqrt(v) + eps).

    momentum: b = momentum · b + g / (...), and p -= lr · b; centered: v less the square of the
    gradient's running mean; weight_decay: added to the gradient; maximize: ascend instead
    """

    def __init__(self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0, momentum: float = 0, centered: bool = False,
                 capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False) -> None:  # fmt: skip
        check_options(lr=lr, eps=eps, weight_decay=weight_decay,
                      differentiable=differentiable)  # fmt: skip
        if not momentum >= 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if not alpha >= 0.0:
            raise ValueError(f"Invalid alpha value: {alpha}")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, and means of zero."""
        state = {"step": scalar(0), "square_avg": like(param)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = like(param)
        if group["centered"]:
            state["grad_avg"] = like(param)
        return state

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        count(state)
        momentum, decay = group["momentum"] or None, group["weight_decay"] or None
        arrays = [p, g, state["square_avg"]._array]
        if group["centered"]:
            arrays.append(state["grad_avg"]._array)
        if momentum:
            arrays.append(state["momentum_buffer"]._array)
        alpha = group["alpha"]
        numbers = (number(group["lr"]), alpha, 1 - alpha, group["eps"], decay, momentum)
        each_block(_rmsprop, tuple(arrays), numbers, group["maximize"], group["centered"])


def _rmsprop(p: Any, g: Any, v: Any, *rest: Any) -> None:
    *states, s, t, lr, alpha, new, eps, decay, momentum, maximize, centered = rest
    g = penalised(p, g, s, decay, maximize)
    t = np.multiply(g, g, t)
    np.multiply(t, new, t)
    np.multiply(v, alpha, v)
    np.add(v, t, v)
    if centered:
        mean = states[0]
        np.subtract(g, mean, t)
        np.multiply(t, new, t)
        np.add(mean, t, mean)
        np.multiply(mean, mean, t)
        np.subtract(v, t, t)
        np.sqrt(t, t)
    else:
        np.sqrt(v, t)
    np.add(t, eps, t)
    np.divide(g, t, t)
    if momentum is not None:
        b = states[-1]
        np.multiply(b, momentum, b)
        np.add(b, t, b)
        np.multiply(b, lr, t)
    else:
        np.multiply(t, lr, t)
    np.subtract(p, t, p)
