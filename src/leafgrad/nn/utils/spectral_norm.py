"""Spectral normalisation by a hook before `forward`: the weight over its largest singular value."""

from __future__ import annotations

from typing import Any

from ...graph.modes import no_grad
from ...ops.matrix_products import mv, vdot
from .. import functional as F
from ..module import Module
from ..parameter import Parameter

__all__ = ["SpectralNorm", "iterate", "output_dim", "remove_spectral_norm", "spectral_norm",
           "unfolded"]  # fmt: skip


def output_dim(module: Module) -> int:
    """The dimension of a module's weight that counts its outputs."""
    from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

    transposed = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
    return 1 if isinstance(module, transposed) else 0


def check_iterations(count: int) -> None:
    """PyTorch's error unless there is at least one iteration."""
    if count <= 0:
        raise ValueError("Expected n_power_iterations to be positive, but got "
                         f"n_power_iterations={count}")  # fmt: skip


def unfolded(weight: Any, dim: int) -> Any:
    """A weight as a matrix, of which one dimension of the weight is the rows."""
    return weight.movedim(dim, 0).flatten(1)


@no_grad()
def iterate(matrix: Any, u: Any, v: Any, times: int, eps: float, rows_first: bool) -> None:
    """The power method: bring u and v nearer to the first pair of singular vectors, in place."""
    turned = matrix.mH
    for _ in range(times):
        if rows_first:
            u.copy_(F.normalize(mv(matrix, v), dim=0, eps=eps))
        v.copy_(F.normalize(mv(turned, u), dim=0, eps=eps))
        if not rows_first:
            u.copy_(F.normalize(mv(matrix, v), dim=0, eps=eps))


def largest(matrix: Any, u: Any, v: Any) -> Any:
    """The largest singular value, for its vectors u and v as they are now."""
    return vdot(u.clone(), mv(matrix, v.clone()))


class SpectralNorm:
    """The hook: before `forward`, sets the weight from its parameter `name_orig`."""

    _version = 1

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0,
                 eps: float = 1e-12) -> None:  # fmt: skip
        check_iterations(n_power_iterations)
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """The weight over its largest singular value."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = unfolded(weight, self.dim)
        if do_power_iteration:
            iterate(matrix, u, v, self.n_power_iterations, self.eps, rows_first=False)
        return weight / largest(matrix, u, v)

    @staticmethod
    def apply(module: Module, name: str, n_power_iterations: int, dim: int,
              eps: float) -> SpectralNorm:  # fmt: skip
        """Normalise a parameter of a module from now on."""
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm) and hook.name == name:
                raise RuntimeError("Cannot register two spectral_norm hooks on the same parameter "
                                   f"{name}")  # fmt: skip
        made = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        matrix = unfolded(weight.detach(), dim)
        u, v = (F.normalize(matrix.new_empty(size).normal_(0, 1), dim=0, eps=eps)
                for size in matrix.shape)  # fmt: skip
        del module._parameters[name]
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.detach())  # no parameter, until the first forward
        module.register_buffer(f"{name}_u", u)
        module.register_buffer(f"{name}_v", v)
        module.register_forward_pre_hook(made)
        module._register_state_dict_hook(_NoteVersion(made))
        return made

    def remove(self, module: Module) -> None:
        """Make the weight as it is now the parameter."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for end in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + end)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


class _NoteVersion:
    """A hook on `state_dict`: PyTorch reads there how to load what was saved."""

    def __init__(self, hook: SpectralNorm) -> None:
        self.hook = hook

    def __call__(self, module: Module, state_dict: Any, prefix: str, local_metadata: Any) -> None:
        noted = local_metadata.setdefault("spectral_norm", {})
        key = f"{self.hook.name}.version"
        if key in noted:
            raise RuntimeError(f"Unexpected key in metadata['spectral_norm']: {key}")
        noted[key] = self.hook._version


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Module:  # fmt: skip
    """Divide a parameter by its largest singular value, which the power method finds: some
    iterations at each `forward` in training mode.

    dim: the dimension of the outputs, by default 1 for transposed convolutions, else 0
    """
    dim = output_dim(module) if dim is None else dim
    SpectralNorm.apply(module, name, n_power_iterations, dim, eps)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo `spectral_norm`: the weight as it is becomes the parameter."""
    for number, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            break
    else:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    for number, hook in list(module._state_dict_hooks.items()):
        if isinstance(hook, _NoteVersion) and hook.hook.name == name:
            del module._state_dict_hooks[number]
    return module
