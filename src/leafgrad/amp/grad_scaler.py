"""GradScaler: losses multiplied so that 16-bit gradients do not vanish, and steps left out where
they have overflown."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..graph.quiet import quietly
from ..graph.saved import bump
from ..graph.source import here
from ..tensor import Tensor, wrap

__all__ = ["GradScaler"]

_READY, _UNSCALED, _STEPPED = 0, 1, 2


def _fresh() -> dict[str, Any]:
    return {"stage": _READY, "found_inf": []}


class GradScaler:
    """Scale the loss, unscale the gradients, and skip a step whose gradients are not finite.

        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    The scale begins at `init_scale`; `update` multiplies it by `backoff_factor` after a skipped
    step, and by `growth_factor` after `growth_interval` good ones in a row. Enabled on "cpu"; for
    "cuda", PyTorch's warning of a machine without one, and no effect.
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16,
                 growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:  # fmt: skip
        self._device, self._enabled = device, enabled
        if device == "cuda" and enabled:
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  "
                          "Disabling.", stacklevel=2)  # fmt: skip
            self._enabled = False
        if not self._enabled:
            return
        assert growth_factor > 1.0, "The growth factor must be > 1.0."
        assert backoff_factor < 1.0, "The backoff factor must be < 1.0."
        self._init_scale, self._init_growth_tracker = init_scale, 0
        self._scale: Tensor | None = None
        self._growth_tracker: Tensor | None = None
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._per_optimizer_states: defaultdict[int, dict[str, Any]] = defaultdict(_fresh)

    def _begun(self, name: str) -> Any:
        """The scale, which `scale` makes when it is first called."""
        assert self._scale is not None, (
            f"Attempted {name} but _scale is None.  This may indicate your script did not use "
            "scaler.scale(loss or outputs) earlier in the iteration."
        )
        return self._scale._array

    def scale(self, outputs: Any) -> Any:
        """A tensor, or an iterable of tensors, times the scale."""
        if not self._enabled:
            return outputs
        if self._scale is None:
            self._scale = wrap(np.array(self._init_scale, np.float32))
            self._growth_tracker = wrap(np.array(self._init_growth_tracker, np.int32))
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, Iterable):
            parts = map(self.scale, outputs)
            return type(outputs)(parts) if isinstance(outputs, (list, tuple)) else parts
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, in place. `step` does it,
        unless it has been done before: to clip them, for instance."""
        if not self._enabled:
            return
        scale = self._begun("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is _UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the "
                               "last update().")  # fmt: skip
        if state["stage"] is _STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        self._unscale(optimizer, scale, state)
        state["stage"] = _UNSCALED

    @quietly
    def _unscale(self, optimizer: Any, scale: Any, state: dict[str, Any]) -> None:
        inverse = np.float32(1.0 / scale.astype(np.float64))
        mark = here()
        for group in optimizer.param_groups:
            for param in group["params"]:
                grad = param._grad
                if grad is None:
                    continue
                array = grad._array
                if array.dtype == np.float16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                finite = np.isfinite(array).all()
                state["found_inf"].append(0.0 if finite else 1.0)
                array[...] = array * inverse.astype(array.dtype)
                bump(grad, mark)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(*args, **kwargs)` with unscaled gradients, unless they are not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._begun("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is _STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] is _READY:
            self.unscale_(optimizer)
        assert state["found_inf"], "No inf checks were recorded for this optimizer."
        result = None if any(state["found_inf"]) else optimizer.step(*args, **kwargs)
        state["stage"] = _STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Change the scale by what the steps since the last `update` have met, or to a new one."""
        if not self._enabled:
            return
        scale = self._begun("update")
        if new_scale is not None:
            if isinstance(new_scale, float):
                scale[...] = new_scale
            else:
                reason = ("new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
                          "torch.FloatTensor with requires_grad=False.")  # fmt: skip
                assert isinstance(new_scale, Tensor), reason
                assert new_scale.numel() == 1 and not new_scale.requires_grad, reason
                scale[...] = new_scale.item()
        else:
            found = [f for s in self._per_optimizer_states.values() for f in s["found_inf"]]
            assert found, "No inf checks were recorded prior to update."
            good = self._growth_tracker._array
            if any(found):
                scale *= np.float32(self._backoff_factor)
                good[...] = 0
            elif good + 1 == self._growth_interval:
                with np.errstate(over="ignore"):
                    grown = np.float32(scale * np.float32(self._growth_factor))
                if np.isfinite(grown):
                    scale[...] = grown
                good[...] = 0
            else:
                good += 1
        self._per_optimizer_states.clear()

    # What is set

    def get_scale(self) -> float:
        """The scale; 1 when disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale._array)

    def get_growth_factor(self) -> float:
        """By what the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set by what the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By what the scale shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set by what the scale shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many good steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many good steps the scale grows."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        tracker = self._growth_tracker
        return self._init_growth_tracker if tracker is None else int(tracker._array)

    def is_enabled(self) -> bool:
        """Whether this scaler does anything."""
        return self._enabled

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:
        """The scale and the options; empty when disabled."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor,
                "backoff_factor": self._backoff_factor, "growth_interval": self._growth_interval,
                "_growth_tracker": self._get_growth_tracker()}  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale._array[...] = self._init_scale
            self._growth_tracker._array[...] = self._init_growth_tracker

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            assert not self._per_optimizer_states, (
                "A GradScaler instance may only be pickled at the beginning of an iteration, or "
                "at the end after scaler.update()."
            )
            state.update(_init_scale=self.get_scale(), _scale=None, _growth_tracker=None,
                         _init_growth_tracker=self._get_growth_tracker())  # fmt: skip
        return state
