"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from .optimizer import Optimizer, check_options, each_block, number, penalised

__all__ = ["SGD"]


class SGD(Optimizer):
    """p -= lr · g, g the gradient plus weight_decay · p.

    With momentum: b = momentum · b + (1 - dampening) · g, and p -= lr · b; with nesterov,
    p -= lr · (g + momentum · b). The first step begins with b = g.

    maximize: ascend instead; foreach, fused: accepted, without effect
    """

    def __init__(self, params: Any, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: Any = 0, nesterov: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, differentiable: bool = False,
                 fused: bool | None = None) -> None:  # fmt: skip
        check_options(lr=lr, weight_decay=weight_decay, foreach=foreach, fused=fused,
                      differentiable=differentiable)  # fmt: skip
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """Nothing, or the momentum that the first update will fill."""
        return {"momentum_buffer": None} if group["momentum"] else {}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One parameter."""
        lr, decay = number(group["lr"]), number(group["weight_decay"]) or None
        momentum, dampening, maximize = group["momentum"], group["dampening"], group["maximize"]
        if not momentum:
            each_block(_plain, (p, g), (lr, decay), maximize)
            return
        buffer = state.get("momentum_buffer")
        first = buffer is None
        if first:
            buffer = state["momentum_buffer"] = wrap(np.empty_like(p, subok=False))
        numbers = (lr, decay, momentum, 1 - dampening if dampening else None)
        each_block(_with_momentum, (p, g, buffer._array), numbers, maximize, group["nesterov"],
                   first)  # fmt: skip


def _plain(p: Any, g: Any, s: Any, t: Any, lr: Any, decay: Any, maximize: bool) -> None:
    g = penalised(p, g, s, decay, maximize)
    np.subtract(p, np.multiply(g, lr, t), p)


def _with_momentum(p: Any, g: Any, b: Any, s: Any, t: Any, lr: Any, decay: Any, momentum: Any,
                   share: Any, maximize: bool, nesterov: bool, first: bool) -> None:  # fmt: skip
    g = penalised(p, g, s, decay, maximize)
    if first:
        np.copyto(b, g)
    else:
        np.multiply(b, momentum, b)
        np.add(b, g if share is None else np.multiply(g, share, t), b)
    if nesterov:
        t = np.multiply(b, momentum, t)
        g = np.add(g, t, t)
    else:
        g = b
    np.subtract(p, np.multiply(g, lr, t), p)
