"""ASGD: gradient descent that also keeps the average of its way (Polyak and Juditsky)."""

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
    value_of,
)

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """p *= 1 - lambd · eta; p -= eta · g, eta = lr / (1 + lambd · lr · steps)**alpha.

    The average is in the state "ax"; it begins at step `t0`. weight_decay: added to the gradient;
    maximize: ascend instead
    """

    def __init__(self, params: Any, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
                 t0: float = 1e6, weight_decay: float = 0, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False) -> None:  # fmt: skip
        check_options(lr=lr, weight_decay=weight_decay,
                      differentiable=differentiable)  # fmt: skip
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, the first rate, and an average of weight one."""
        return {"step": scalar(0), "eta": scalar(number(group["lr"])), "mu": scalar(1),
                "ax": like(param)}  # fmt: skip

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        lr, lambd = number(group["lr"]), group["lambd"]
        steps = count(state)
        eta, mu = state["eta"]._array, state["mu"]._array
        now, weight = value_of(eta), value_of(mu)
        numbers = (now, 1 - lambd * now, group["weight_decay"] or None,
                   weight if weight != 1 else None)  # fmt: skip
        each_block(_asgd, (p, g, state["ax"]._array), numbers, group["maximize"])
        eta[()] = lr / (1 + lambd * lr * steps) ** group["alpha"]
        mu[()] = 1 / max(1, steps - group["t0"])


def _asgd(p: Any, g: Any, average: Any, s: Any, t: Any, eta: Any, shrink: Any, decay: Any,
          weight: Any, maximize: bool) -> None:  # fmt: skip
    g = penalised(p, g, s, decay, maximize)
    np.multiply(p, shrink, p)
    t = np.multiply(g, eta, t)
    np.subtract(p, t, p)
    if weight is None:
        np.copyto(average, p)
    else:
        np.subtract(p, average, t)
        np.multiply(t, weight, t)
        np.add(average, t, average)
