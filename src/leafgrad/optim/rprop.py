"""Rprop: steps by the sign of the gradient alone (Riedmiller and Braun)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import Optimizer, check_options, count, each_block, like, number, scalar

__all__ = ["Rprop"]


class Rprop(Optimizer):
    """Each element has a step size, which grows while the gradient keeps its sign and shrinks when
    that changes; p -= size · sign(g). After a change of sign there is no step.

    etas: the factors to shrink and to grow; step_sizes: the smallest and the largest; maximize:
    ascend instead
    """

    def __init__(self, params: Any, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False) -> None:  # fmt: skip
        check_options(lr=lr, differentiable=differentiable)  # fmt: skip
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """No step yet, no gradient before, and steps of the size lr."""
        return {"step": scalar(0), "prev": like(param),
                "step_size": like(param, number(group["lr"]))}  # fmt: skip

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        count(state)
        arrays = (p, g, state["prev"]._array, state["step_size"]._array)
        each_block(_rprop, arrays, (*group["etas"], *group["step_sizes"]), group["maximize"])


def _rprop(p: Any, g: Any, before: Any, size: Any, s: Any, t: Any, shrink: Any, grow: Any,
           smallest: Any, largest: Any, maximize: bool) -> None:  # fmt: skip
    if maximize:
        g = np.negative(g, s)
    t = np.multiply(g, before, t)
    turned = t < 0
    np.multiply(size, grow, size, where=t > 0)
    np.multiply(size, shrink, size, where=turned)
    np.maximum(size, smallest, out=size)
    np.minimum(size, largest, out=size)
    np.copyto(before, g)
    before[turned] = 0
    np.sign(before, t)
    np.multiply(t, size, t)
    np.subtract(p, t, p)
