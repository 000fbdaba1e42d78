"""Pruning: weights multiplied by masks of ones and zeros, which a hook before `forward` applies.

A pruned parameter `weight` becomes the parameter `weight_orig` and the buffer `weight_mask`.
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from ...ops.creation import ones_like, zeros_like
from ...ops.norms import norm
from ...ops.ordering import kthvalue, topk
from ...ops.sampling import rand, rand_like
from ..module import Module
from .convert_parameters import parameters_to_vector

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
    "PruningContainer", "RandomStructured", "RandomUnstructured", "custom_from_mask",
    "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
    "random_structured", "random_unstructured", "remove",
]  # fmt: skip


class BasePruningMethod(ABC):
    """A way to prune: subclasses say in `compute_mask` what stays, and in PRUNING_TYPE of what:
    "unstructured" (single elements), "structured" (along `self.dim`) or "global" (anything)."""

    _tensor_name: str
    PRUNING_TYPE: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask for the importances t, where `default_mask` is the one so far."""

    def apply_mask(self, module: Module) -> Any:
        """The tensor with its mask applied."""
        assert self._tensor_name is not None, f"Module {module} has to be pruned"
        original = getattr(module, f"{self._tensor_name}_orig")
        return getattr(module, f"{self._tensor_name}_mask").to(dtype=original.dtype) * original

    @classmethod
    def apply(cls, module: Module, name: str, *args: Any, importance_scores: Any = None,
              **kwargs: Any) -> Any:  # fmt: skip
        """Prune a parameter of a module in this way, on top of how it has been pruned before."""
        found = [(number, hook) for number, hook in module._forward_pre_hooks.items()
                 if isinstance(hook, BasePruningMethod) and hook._tensor_name == name]  # fmt: skip
        assert len(found) <= 1, (
            f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. "
            "Use a PruningContainer."
        )
        method: Any = cls(*args, **kwargs)
        method._tensor_name = name
        for number, before in found:
            del module._forward_pre_hooks[number]
            container = before
            if not isinstance(before, PruningContainer):
                container = PruningContainer(before)
            container.add_pruning_method(method)
            method = container
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        assert scores.shape == original.shape, (
            f"importance_scores should have the same shape as parameter {name} of {module}, got "
            f"{scores.shape} vs {original.shape}"
        )
        first = not isinstance(method, PruningContainer)
        if first:
            module.register_parameter(f"{name}_orig", original)
            del module._parameters[name]
            mask = ones_like(original).detach()
        else:
            mask = getattr(module, f"{name}_mask").detach().clone()
        try:
            module.register_buffer(f"{name}_mask", method.compute_mask(scores, mask))
            setattr(module, name, method.apply_mask(module))
            module.register_forward_pre_hook(method)
        except Exception:
            if first:
                module.register_parameter(name, original)
                del module._parameters[f"{name}_orig"]
            raise
        return method

    def prune(self, t: Any, default_mask: Any = None, importance_scores: Any = None) -> Any:
        """A tensor times the mask for it, or for other importances."""
        scores = t if importance_scores is None else importance_scores
        assert scores.shape == t.shape, (
            f"importance_scores should have the same shape as tensor t, got {scores.shape} vs "
            f"{t.shape}"
        )
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=mask)

    def remove(self, module: Module) -> None:
        """Make the pruned tensor as it is now the parameter."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters[f"{name}_orig"]
        original.data = weight.detach()
        del module._parameters[f"{name}_orig"], module._buffers[f"{name}_mask"]
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Several ways to prune one tensor, one after the other, each what the others have left."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        if not isinstance(args, Iterable) or len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """One more, for the same tensor."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}."
                f" Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, index: Any) -> Any:
        return self._pruning_methods[index]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far, with what the last method takes away of what it left."""
        method = self._pruning_methods[-1]
        kind, mask = method.PRUNING_TYPE, default_mask.to(dtype=t.dtype).clone()
        part: Any
        if kind == "unstructured":
            part = mask == 1
        elif kind == "structured":
            if not hasattr(method, "dim"):
                raise AttributeError("Pruning methods of PRUNING_TYPE 'structured' need to have "
                                     "the attribute `dim` defined.")  # fmt: skip
            dim = method.dim + t.ndim if method.dim < 0 else method.dim
            if dim >= t.ndim:
                raise IndexError(f"Index is out of bounds for tensor with dimensions {t.ndim}")
            kept = mask.sum(dim=[d for d in range(t.ndim) if d != dim]) != 0
            part = (slice(None),) * dim + (kept,)
        elif kind == "global":
            part = (slice(None),) * t.ndim
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {kind}")
        mask[part] = method.compute_mask(t[part], default_mask=mask[part]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing: a mask of ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far."""
        return default_mask

    @classmethod
    def apply(cls, module: Module, name: str) -> Any:  # type: ignore[override]
        """Prune a parameter of a module in this way."""
        return super().apply(module, name)


class _Some(BasePruningMethod):
    """Prunes an amount: a number of units, or with a float the share of them."""

    def __init__(self, amount: Any) -> None:
        _check_amount(amount)
        self.amount = amount

    def _count(self, size: int) -> int:
        """How many of so many units to prune."""
        if isinstance(self.amount, numbers.Integral) and self.amount > size:
            raise ValueError(f"amount={self.amount} should be smaller than the number of "
                             f"parameters to prune={size}")  # fmt: skip
        whole = isinstance(self.amount, numbers.Integral)
        return self.amount if whole else round(self.amount * size)


class RandomUnstructured(_Some):
    """Prunes any elements, at random."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far without as many elements."""
        count = self._count(t.nelement())
        mask = default_mask.clone()
        if count:
            chances = rand_like(t)
            mask.view(-1)[topk(chances.view(-1), k=count).indices] = 0
        return mask


class L1Unstructured(_Some):
    """Prunes the elements nearest to zero."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far without as many elements."""
        count = self._count(t.nelement())
        mask = default_mask.clone()
        if count:
            sizes = abs(t).view(-1)
            mask.view(-1)[topk(sizes, k=count, largest=False).indices] = 0
        return mask

    @classmethod
    def apply(cls, module: Module, name: str, amount: Any,  # type: ignore[override]
              importance_scores: Any = None) -> Any:  # fmt: skip
        """Prune a parameter of a module in this way."""
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


class _Channels(_Some):
    """Prunes whole channels along a dimension."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _check(self, t: Any) -> int:
        """How many channels to prune."""
        if t.ndim <= 1:
            raise ValueError("Structured pruning can only be applied to multidimensional tensors. "
                             f"Found tensor of shape {t.shape} with {t.ndim} dims")  # fmt: skip
        if self.dim >= t.ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        return self._count(t.shape[self.dim])

    def _only(self, t: Any, channels: Any) -> Any:
        """A mask of ones for these channels, zeros for the others."""
        mask = zeros_like(t).detach()
        part: list[Any] = [slice(None)] * t.ndim
        part[self.dim] = channels
        mask[tuple(part)] = 1
        return mask


class RandomStructured(_Channels):
    """Prunes channels at random."""

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far without as many channels."""
        count = self._check(t)
        if not count:
            return default_mask
        chances = rand(t.shape[self.dim])
        kept = chances > kthvalue(chances, k=count).values
        return default_mask * self._only(t, kept).to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module: Module, name: str, amount: Any,  # type: ignore[override]
              dim: int = -1) -> Any:  # fmt: skip
        """Prune a parameter of a module in this way."""
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(_Channels):
    """Prunes the channels of the smallest norm."""

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far without as many channels."""
        count = self._check(t)
        if not count:
            return default_mask
        others = [d for d in range(t.ndim) if d != self.dim % t.ndim]
        norms = norm(t, p=self.n, dim=others)
        kept = topk(norms, k=t.shape[self.dim] - count, largest=True)
        return default_mask * self._only(t, kept.indices)

    @classmethod
    def apply(cls, module: Module, name: str, amount: Any, n: Any,  # type: ignore[override]
              dim: int, importance_scores: Any = None) -> Any:  # fmt: skip
        """Prune a parameter of a module in this way."""
        return super().apply(module, name, amount=amount, n=n, dim=dim,
                             importance_scores=importance_scores)  # fmt: skip


class CustomFromMask(BasePruningMethod):
    """Prunes by a mask that is given."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far times the one given."""
        assert default_mask.shape == self.mask.shape, (
            f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}"
        )
        return default_mask * self.mask.to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module: Module, name: str, mask: Any) -> Any:  # type: ignore[override]
        """Prune a parameter of a module in this way."""
        return super().apply(module, name, mask=mask)


# The same as functions, which return the module


def identity(module: Module, name: str) -> Module:
    """Make a parameter pruned, of nothing."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Any) -> Module:
    """Prune any elements of a parameter, at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: Any,
                    importance_scores: Any = None) -> Module:  # fmt: skip
    """Prune the elements of a parameter that are nearest to zero, or of the least importance."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Any, dim: int) -> Module:
    """Prune channels of a parameter at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: Module, name: str, amount: Any, n: Any, dim: int,
                  importance_scores: Any = None) -> Module:  # fmt: skip
    """Prune the channels of a parameter with the smallest n-norms."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Any) -> Module:
    """Prune a parameter by a mask."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters: Any, pruning_method: Any, importance_scores: Any = None,
                        **kwargs: Any) -> None:  # fmt: skip
    """Prune elements of several parameters together.

    parameters: (module, name) pairs; pruning_method: a class for single elements, which gets
    `kwargs`; importance_scores: from such pairs to tensors
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    parameters = list(parameters)
    importances = parameters_to_vector(
        [scores.get((module, name), getattr(module, name)) for module, name in parameters]
    )
    before = parameters_to_vector(
        [getattr(module, f"{name}_mask", ones_like(getattr(module, name)))
         for module, name in parameters]
    )  # fmt: skip
    container = PruningContainer()
    container._tensor_name = "temp"
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    container.add_pruning_method(method)
    mask = container.compute_mask(importances, before)
    start = 0
    for module, name in parameters:
        param = getattr(module, name)
        end = start + param.numel()
        custom_from_mask(module, name, mask=mask[start:end].view_as(param))
        start = end


def remove(module: Module, name: str) -> Module:
    """Make pruning permanent: the pruned tensor becomes the parameter again."""
    for number, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can "
                     "be removed")  # fmt: skip


def is_pruned(module: Module) -> bool:
    """Whether a parameter of a module, or of one below it, is pruned."""
    return any(isinstance(hook, BasePruningMethod)
               for each in module.modules() for hook in each._forward_pre_hooks.values())  # fmt: skip


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    whole = isinstance(amount, numbers.Integral)
    if (whole and amount < 0) or (not whole and not 0.0 <= float(amount) <= 1.0):
        raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a "
                         "non-negative integer")  # fmt: skip
