"""Adadelta: steps in proportion to those before them (Zeiler)."""

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

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """v = rho · v + (1 - rho) · g²; d = sqrt(u + eps) / sqrt(v + eps) · g; u likewise a running
    mean of d²; p -= lr · d.

    weight_decay: added to the gradient; maximize: ascend instead
    """

    def __init__(self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0, foreach: bool | None = None, *,
                 capturable: bool = False, maximize: bool = False,
                 differentiable: bool = False) -> None:  # fmt: skip
        check_options(lr=lr, weight_decay=weight_decay, eps=eps,
                      differentiable=differentiable)  # fmt: skip
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, and means of zero."""
        return {"step": scalar(0), "square_avg": like(param), "acc_delta": like(param)}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        count(state)
        rho = group["rho"]
        arrays = (p, g, state["square_avg"]._array, state["acc_delta"]._array)
        numbers = (number(group["lr"]), rho, 1 - rho, group["eps"], group["weight_decay"] or None)
        each_block(_adadelta, arrays, numbers, group["maximize"])


def _adadelta(p: Any, g: Any, v: Any, u: Any, s: Any, t: Any, lr: Any, rho: Any, new: Any,
              eps: Any, decay: Any, maximize: bool) -> None:  # fmt: skip
    g = penalised(p, g, s, decay, maximize)
    t = np.multiply(g, g, t)
    np.multiply(t, new, t)
    np.multiply(v, rho, v)
    np.add(v, t, v)
    np.add(v, eps, t)
    np.sqrt(t, t)
    d = np.add(u, eps)
    np.sqrt(d, d)
    np.divide(d, t, d)
    np.multiply(d, g, d)
    np.multiply(d, d, t)
    np.multiply(t, new, t)
    np.multiply(u, rho, u)
    np.add(u, t, u)
    np.multiply(d, lr, t)
    np.subtract(p, t, p)
