"""SparseAdam: Adam for gradients that store only some of their elements."""

from __future__ import annotations

from typing import Any, NoReturn

from ..graph.source import fail
from .optimizer import Optimizer, check_one_element

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that changes only what a sparse gradient has elements for.

    leafgrad's gradients are dense, and for those PyTorch too refuses to step and names Adam.
    """

    def __init__(self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, maximize: bool = False) -> None:  # fmt: skip
        check_one_element(lr)
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        for index, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        places = [[i, j] for i, group in enumerate(self.param_groups)
                  for j, param in enumerate(group["params"]) if param.is_complex()]  # fmt: skip
        if places:
            raise ValueError(f"Complex params at indices {places}: SparseAdam does not support "
                             "complex parameters")  # fmt: skip

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> NoReturn:
        """RuntimeError: there are no sparse gradients here."""
        fail(RuntimeError, "SparseAdam does not support dense gradients, please consider Adam "
                           "instead", "leafgrad's gradients are always dense")  # fmt: skip
