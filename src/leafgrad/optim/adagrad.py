"""Adagrad: steps divided by the root of the sum of all squared gradients (Duchi et al.)."""

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

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """v += g²; p -= lr / (1 + (steps - 1) · lr_decay) · g / (sqrt(v) + eps).

    initial_accumulator_value: what v begins with; weight_decay: added to the gradient;
    maximize: ascend instead
    """

    def __init__(self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 initial_accumulator_value: float = 0, eps: float = 1e-10,
                 foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, fused: bool | None = None) -> None:  # fmt: skip
        check_options(lr=lr, eps=eps, weight_decay=weight_decay, fused=fused, foreach=foreach,
                      differentiable=differentiable)  # fmt: skip
        if not lr_decay >= 0.0:
            raise ValueError(f"Invalid lr_decay value: {lr_decay}")
        if not initial_accumulator_value >= 0.0:
            raise ValueError(
                f"Invalid initial_accumulator_value value: {initial_accumulator_value}"
            )
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused,
        })  # fmt: skip
        for group in self.param_groups:  # PyTorch makes this state at once
            for param in group["params"]:
                self.state[param] = self.init(param, group)

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, and the first value of the sum."""
        return {"step": scalar(0), "sum": like(param, group["initial_accumulator_value"])}

    def share_memory(self) -> None:
        """Accepted for compatibility: threads share memory anyway."""

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        rate = number(group["lr"]) / (1 + (count(state) - 1) * group["lr_decay"])
        numbers = (rate, group["eps"], group["weight_decay"] or None)
        each_block(_adagrad, (p, g, state["sum"]._array), numbers, group["maximize"])


def _adagrad(p: Any, g: Any, v: Any, s: Any, t: Any, rate: Any, eps: Any, decay: Any,
             maximize: bool) -> None:  # fmt: skip
    g = penalised(p, g, s, decay, maximize)
    t = np.multiply(g, g, t)
    np.add(v, t, v)
    np.sqrt(v, t)
    np.add(t, eps, t)
    np.divide(g, t, t)
    np.multiply(t, rate, t)
    np.subtract(p, t, p)
