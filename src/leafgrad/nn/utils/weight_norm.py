"""Weight normalisation by a hook before `forward`: w = g · v / |v| (Salimans and Kingma)."""

from __future__ import annotations

import warnings
from typing import Any

from ...graph.source import fail
from ...ops.norms import vector_norm
from ..module import Module
from ..parameter import Parameter, is_lazy

__all__ = ["WeightNorm", "norm_except_dim", "remove_weight_norm", "weight_norm", "weighted"]


def norm_except_dim(v: Any, dim: int) -> Any:
    """The norms over all dimensions but one, which are kept as ones; with -1 that of the whole."""
    if dim == -1:
        return vector_norm(v)
    others = [d for d in range(v.ndim) if d != dim]
    return vector_norm(v, dim=others, keepdim=True) if others else abs(v)


def weighted(v: Any, g: Any, dim: int) -> Any:
    """The direction v with the length g along a dimension (-1: as a whole)."""
    return v * (g / norm_except_dim(v, dim))


class WeightNorm:
    """The hook: before `forward`, sets the weight from its two parameters."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Any:
        """The weight that the parameters give now."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return weighted(v, g, self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Split a parameter of a module into length and direction."""
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm) and hook.name == name:
                raise RuntimeError("Cannot register two weight_norm hooks on the same parameter "
                                   f"{name}")  # fmt: skip
        made = WeightNorm(name, dim)
        weight = getattr(module, name)
        if is_lazy(weight):
            fail(ValueError, "The module passed to `WeightNorm` can't have uninitialized "
                             "parameters. Make sure to run the dummy forward before applying "
                             "weight normalization")  # fmt: skip
        del module._parameters[name]
        lengths = norm_except_dim(weight.detach(), made.dim)
        module.register_parameter(f"{name}_g", Parameter(lengths))
        module.register_parameter(f"{name}_v", Parameter(weight.detach()))
        setattr(module, name, made.compute_weight(module))
        module.register_forward_pre_hook(made)
        return made

    def remove(self, module: Module) -> None:
        """Make the weight as it is now the parameter."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        for end in "gv":
            del module._parameters[f"{self.name}_{end}"]
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Replace a parameter by `name_g`, its lengths along a dimension (None: as a whole), and
    `name_v`, its direction. Deprecated in PyTorch: `parametrizations.weight_norm`."""
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of "
        "`torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo `weight_norm`: the weight as it is becomes the parameter."""
    for number, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            return module
    raise ValueError(f"weight_norm of '{name}' not found in {module}")
