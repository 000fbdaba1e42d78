"""How a module's backward hooks get their place in the graph.

The module's inputs and outputs pass through an identity whose node reports the gradients: that of
the outputs is the first of the module's backward pass, that of the inputs the last.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from ..graph.function import Function
from ..graph.modes import current
from ..graph.source import fail
from ..tensor import Tensor


class BackwardHookFunction(Function):
    """The identity on several tensors."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.mark_non_differentiable(*(t for t in tensors if not t.requires_grad))
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        return grads


class BackwardHook:
    """The hooks of one call of a module, and the gradients that wait for them.

    Hooks get (module, grad_input, grad_output), pre-hooks (module, grad_output); each may return
    other gradients in their place.
    """

    def __init__(self, module: Any, hooks: Iterable[Any], pre_hooks: Iterable[Any]) -> None:
        self.module, self.hooks, self.pre_hooks = module, list(hooks), list(pre_hooks)
        self.grad_outputs: tuple[Any, ...] | None = None
        self.inputs = self.outputs = 0  # how many values go in and come out
        self.input_places: list[int] | None = None  # which of them are tensors

        self.output_places: list[int] | None = None

    def on_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The module's arguments, watched."""
        watched, self.input_places, node = _watch(args)
        self.inputs = len(args)
        if node is not None:
            node.register_hook(self._inputs_done)
        return watched

    def on_outputs(self, result: Any) -> Any:
        """What the module returned, watched. It must be a tensor or a tuple."""
        alone = isinstance(result, Tensor)
        if not alone and not isinstance(result, tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
            return result
        args = (result,) if alone else result
        watched, self.output_places, node = _watch(args)
        self.outputs = len(args)
        if node is not None:
            node.register_prehook(self._outputs_arrive)
        return watched[0] if alone else watched

    def _outputs_arrive(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        have = _spread(self.output_places, grads, self.outputs)
        for hook in self.pre_hooks:
            other = hook(self.module, have)
            if other is None:
                continue
            other = other if isinstance(other, tuple) else (other,)
            if len(other) != len(have):
                fail(RuntimeError, "Backward pre hook returned an invalid number of grad_output, "
                                   f"got {len(other)}, but expected {len(have)}")  # fmt: skip
            have = other
        if self.input_places is None:  # no gradient will come to the inputs
            if self.hooks:
                warnings.warn(
                    "Full backward hook is firing when gradients are computed with respect to "
                    "module outputs since no inputs require gradients. See "
                    "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
                    "#torch.nn.Module.register_full_backward_hook for more details.",
                    stacklevel=6,
                )
            for hook in self.hooks:
                other = hook(self.module, (None,) * self.inputs, have)
                if other is not None and not (
                    isinstance(other, tuple) and all(g is None for g in other)
                ):
                    fail(RuntimeError, "Backward hook for Modules where no input requires gradient "
                                       "should always return None or None for all gradients.")  # fmt: skip
        else:
            self.grad_outputs = have
        return tuple(have[i] for i in self.output_places or ())

    def _inputs_done(self, grads: tuple[Any, ...], _: Any) -> tuple[Any, ...]:
        if self.grad_outputs is None:  # the gradient did not come through the outputs
            return grads
        have = _spread(self.input_places, grads, self.inputs)
        for hook in self.hooks:
            other = hook(self.module, have, self.grad_outputs)
            if other is None:
                continue
            other = other if isinstance(other, tuple) else (other,)
            if len(other) != len(have):
                fail(RuntimeError, "Backward hook returned an invalid number of grad_input, "
                                   f"got {len(other)}, but expected {len(have)}")  # fmt: skip
            have = other
        self.grad_outputs = None
        return tuple(have[i] for i in self.input_places or ())


def _watch(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[int] | None, Any]:
    """The values with their tensors through the identity, the tensors' places, and its node."""
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
    if not current().grad or not any(values[i].requires_grad for i in places):
        return values, None, None
    through = BackwardHookFunction.apply(*(values[i] for i in places))
    node = next(t.grad_fn for t in through if t.requires_grad)
    watched = list(values)
    for i, t in zip(places, through, strict=True):
        watched[i] = t
    return tuple(watched), places, node


def _spread(places: list[int] | None, grads: Sequence[Any], count: int) -> tuple[Any, ...]:
    """The gradients at their places among `count` values, None elsewhere."""
    have: list[Any] = [None] * count
    for i, g in zip(places or (), grads, strict=True):
        have[i] = g
    return tuple(have)
