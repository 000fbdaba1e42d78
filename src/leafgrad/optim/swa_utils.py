"""Averages of a model's weights over its training: equal (SWA) or fading (EMA)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import chain
from typing import Any

from ..graph.modes import no_grad
from ..nn.module import Module
from ..tensor import Tensor
from .lr_scheduler import LRScheduler
from .optimizer import Optimizer

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
           "get_swa_multi_avg_fn", "swap_in_optimizer_params_and_state", "update_bn"]  # fmt: skip


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[..., None]:
    """A function for `AveragedModel` that keeps this share of the averages and adds the new
    weights with the rest, in place."""
    one = get_ema_avg_fn(decay)

    @no_grad()
    def ema_update(ema_param_list: Any, current_param_list: Any, _: Any) -> None:
        for mine, other in zip(ema_param_list, current_param_list, strict=True):
            mine.copy_(one(mine, other, _))

    return ema_update


def get_swa_multi_avg_fn() -> Callable[..., None]:
    """A function for `AveragedModel` that keeps equal averages, in place."""
    one = get_swa_avg_fn()

    @no_grad()
    def swa_update(averaged_param_list: Any, current_param_list: Any,
                   num_averaged: Any) -> None:  # fmt: skip
        for mine, other in zip(averaged_param_list, current_param_list, strict=True):
            mine.copy_(one(mine, other, num_averaged))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[..., Tensor]:
    """The same as `get_ema_multi_avg_fn` for one parameter, returning the new average."""
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] "
                         "range.")  # fmt: skip

    @no_grad()
    def ema_update(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable[..., Tensor]:
    """The same as `get_swa_multi_avg_fn` for one parameter, returning the new average."""

    @no_grad()
    def swa_update(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages over what `update_parameters` was given.

    avg_fn: of the average, the new parameter and the number of models so far, the new average;
    multi_avg_fn: the same for lists of them, in place; use_buffers: average buffers too, instead of
    taking the model's
    """

    n_averaged: Tensor

    def __init__(self, model: Module, device: Any = None,
                 avg_fn: Callable[..., Tensor] | None = None,
                 multi_avg_fn: Callable[..., None] | None = None,
                 use_buffers: bool = False) -> None:  # fmt: skip
        from ..ops.creation import tensor

        super().__init__()
        assert avg_fn is None or multi_avg_fn is None, (
            "Only one of avg_fn and multi_avg_fn should be provided"
        )
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the model of averages computes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the parameters of a model into the averages; of the first one, a copy."""
        mine, others = list(self.module.parameters()), list(model.parameters())
        if self.use_buffers:
            mine += self.module.buffers()
            others += model.buffers()
        pairs = [(a.detach(), b.detach()) for a, b in zip(mine, others, strict=True)]
        if self.n_averaged == 0:
            for a, b in pairs:
                a.copy_(b)
        elif self.multi_avg_fn is not None:
            self.multi_avg_fn([a for a, _ in pairs], [b for _, b in pairs], self.n_averaged)
        else:
            average = self.avg_fn or get_swa_avg_fn()
            for a, b in pairs:
                a.copy_(average(a, b, self.n_averaged))
        if not self.use_buffers:
            for a, b in zip(self.module.buffers(), model.buffers(), strict=True):
                a.detach().copy_(b.detach())
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running means and variances of a model's batch norms anew, over a loader.

    A batch is a tensor, or a list or tuple that begins with one.
    """
    from ..nn.modules.batchnorm import _BatchNorm

    momenta = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.momentum = None  # the mean of all batches
    for batch in loader:
        if isinstance(batch, (list, tuple)):
            batch = batch[0]
        model(batch if device is None else batch.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the optimizer's rate to `swa_lr` (one, or one a group) in `anneal_epochs` epochs, along
    a cosine ("cos") or a line ("linear"); from then on it stays."""

    def __init__(self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10,
                 anneal_strategy: str = "cos", last_epoch: int = -1) -> None:  # fmt: skip
        groups = optimizer.param_groups
        rates = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(groups)
        if len(rates) != len(groups):
            raise ValueError(
                "swa_lr must have the same length as optimizer.param_groups. swa_lr has "
                f"{len(rates)} values, param_groups has {len(groups)}."
            )
        for rate, group in zip(rates, groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("anneal_strategy must be one of 'cos' or 'linear', instead got "
                             f"{anneal_strategy}")  # fmt: skip
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError("anneal_epochs must be equal or greater than 0, got "
                             f"{anneal_epochs}")  # fmt: skip
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, epoch: int) -> float:
        """How much of the way has been gone."""
        way = max(0.0, min(1.0, epoch / max(1, self.anneal_epochs)))
        return way if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * way)) / 2

    def get_lr(self) -> list[Any]:
        """The rates of `last_epoch`."""
        self._warn_outside_step()
        # `_step_count` is one more than the number of epochs annealed, before which it was 1.
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group, rate in zip(self.optimizer.param_groups, self._rates(), strict=True):
            aim = group["swa_lr"]
            start = aim if before == 1 else (rate - before * aim) / (1 - before)
            rates.append(aim * now + start * (1 - now))
        return rates


@contextmanager
def swap_in_optimizer_params_and_state(optimizer: Optimizer,
                                       swapin_parameters: dict[str, Tensor],
                                       swapin_optim_state: dict[str, Any]) -> Iterator[None]:  # fmt: skip
    """An optimizer with other parameters and another state, for a `with` block.

    swapin_parameters: in the order of the optimizer's; swapin_optim_state: as `state_dict()` gives
    it. Writes to its tensors stay, everything else of the optimizer is as before at the end.
    """
    groups, state = optimizer.param_groups, optimizer.state
    if not state:
        raise RuntimeError("swap_in_optimizer_params_and_state requires initialized optimizer "
                           "state.")  # fmt: skip
    given, others = list(swapin_parameters.values()), swapin_optim_state["param_groups"]
    if len(others) != len(groups) or len(given) != sum(len(g["params"]) for g in groups):
        raise RuntimeError("swap_in_optimizer_params_and_state requires the explicit parameter "
                           "state to match optimizer.param_groups ordering.")  # fmt: skip
    for index, (mine, other) in enumerate(zip(groups, others, strict=True)):
        if len(mine["params"]) != len(other["params"]):
            raise RuntimeError(f"swapin_optim_state param group {index} has a different number of "
                               "params than the live optimizer param group.")  # fmt: skip
    params = dict(zip(chain.from_iterable(g["params"] for g in others), given, strict=True))
    try:
        optimizer.param_groups = [
            {**group, "params": [params[n] for n in group["params"]]} for group in others
        ]
        optimizer.state = type(state)(dict)
        for key, kept in swapin_optim_state["state"].items():
            optimizer.state[params.get(key, key)] = dict(kept)
        yield
    finally:
        optimizer.param_groups, optimizer.state = groups, state
