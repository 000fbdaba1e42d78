"""Optimizer: parameter groups, state, checkpoints, and the loop that updates every parameter.

An optimizer says two things: `init`, the state that a parameter begins with, and `update`, what one
step does to one parameter's array. The arithmetic stands in a function of arrays that works
element by element, in place; `each_block` runs it over large arrays a piece at a time, so that
all of its passes find the piece in the processor's cache.
"""

from __future__ import annotations

import contextvars
import functools
import math
import threading
import types
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from .. import parallel
from ..dtypes import F32, F64, get_default_dtype
from ..duck import Duck
from ..graph import quiet
from ..graph.hooks import RemovableHandle, add_hook
from ..graph.modes import enable_grad, span
from ..graph.operator import number_array
from ..graph.saved import bump
from ..graph.source import fail, here
from ..tensor import Tensor, wrap

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook",
           "required"]  # fmt: skip


class _Required:
    """Stands for an option that has no default."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

# While `compile` captures a step: gives a group whose numbers are read anew at each replay.
live: Callable[[dict[str, Any]], Any] | None = None


class Optimizer:
    """The base of all optimizers.

    params: tensors, (name, tensor) pairs, or dictionaries with "params" and the options of their
    group; defaults: the options of groups that do not say otherwise
    """

    step: Callable[..., Any]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hooks()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {params.type()}"
            )
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            fail(ValueError, "optimizer got an empty parameter list",
                 "modules and parameters in plain lists and dicts are not found, and a generator "
                 "such as model.parameters() can be used once",
                 "to do: keep them in nn.ModuleList, nn.ModuleDict or nn.ParameterList; call "
                 "model.parameters() anew")  # fmt: skip
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hooks(self) -> None:
        if _ever_global:
            _hook_class(type(self))
        self._step_pre_hooks: OrderedDict[int, Any] = OrderedDict()
        self._step_post_hooks: OrderedDict[int, Any] = OrderedDict()
        self._state_dict_pre_hooks: OrderedDict[int, Any] = OrderedDict()
        self._state_dict_post_hooks: OrderedDict[int, Any] = OrderedDict()
        self._load_state_dict_pre_hooks: OrderedDict[int, Any] = OrderedDict()
        self._load_state_dict_post_hooks: OrderedDict[int, Any] = OrderedDict()

    # What a subclass says

    def init(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """The state of a parameter before its first update: tensors by PyTorch's names."""
        return {}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change one parameter's array by its gradient."""
        raise NotImplementedError

    # The loop

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        closure: computes the loss anew, with its gradients; called first, and what it returns is
        returned
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        work = []
        for group in self.param_groups:
            if live is not None:
                group = live(group)
            for param in group["params"]:
                grad = param._grad
                if grad is not None:
                    p, g = param._array, grad._array
                    if p.shape != g.shape or p.dtype != g.dtype:
                        _fail_unlike(param, grad)
                    work.append((param, p, g, group))
        if work:
            mark = here()
            token = quiet.enter()  # as in PyTorch, nothing warns when a training diverges
            end = span("Optimizer.step#{}.step", self)
            try:
                for param, p, g, group in work:
                    state = self.state.get(param)
                    if not state:
                        state = self.init(param, group)
                        if state:
                            self.state[param] = state
                    self.update(p, g, state, group)
                    bump(param, mark)
            finally:
                quiet.leave(token)
                if end is not None:
                    end()
        elif type(self).update is Optimizer.update:
            raise NotImplementedError
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or with False set them to zero."""
        mark = here()
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    if param._grad is not None:
                        param._grad, param._cleared = None, mark
                elif param._grad is not None:
                    if not param._grad.is_leaf:
                        param._grad = param._grad.detach()
                    param._grad.requires_grad_(False).zero_()

    # Groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with options of their own."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        given = group["params"]
        if isinstance(given, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        given = [given] if isinstance(given, Tensor) else list(given)
        named = [isinstance(item, tuple) for item in given]
        if any(named) and not all(named):
            raise ValueError("all optimizer params should be with/without names. Some param names "
                             "are missing")  # fmt: skip
        params = [item[1] if isinstance(item, tuple) else item for item in given]
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError("optimizer can only optimize Tensors, but one of the params is "
                                + _typename(param))  # fmt: skip
            if not (param.is_leaf or param.retains_grad):
                fail(ValueError, "can't optimize a non-leaf Tensor",
                     f"it was made by: {param.grad_fn.source()}",
                     "to do: give the optimizer the leaf itself; to(), view() and arithmetic make "
                     "new tensors")  # fmt: skip
        group["params"] = params
        if any(named):
            group["param_names"] = [item[0] for item in given]
        if self.param_groups and ("param_names" in self.param_groups[0]) != any(named):
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{'with' if any(named) else 'without'} names to the optimizer"
            )
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError("parameter group didn't specify a value of required optimization "
                                 f"parameter {name}")  # fmt: skip
            group.setdefault(name, default)
        ids = {id(p) for p in params}
        if len(ids) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
                stacklevel=3,
            )
        if any(id(p) in ids for other in self.param_groups for p in other["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:
        """The options and the state, parameters by their numbers. The tensors are not copied."""
        for hook in self._state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                numbers.setdefault(id(param), len(numbers))
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        made: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._state_dict_post_hooks.values():
            found = hook(self, made)
            made = made if found is None else found
        return made

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take options and state from a `state_dict`. Tensors of the right dtype are not copied."""
        state_dict = dict(state_dict)
        for hook in self._load_state_dict_pre_hooks.values():
            found = hook(self, state_dict)
            state_dict = state_dict if found is None else found
        saved = deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for mine, other in zip(self.param_groups, saved, strict=True):
            if len(mine["params"]) != len(other["params"]):
                raise ValueError("loaded state dict contains a parameter group that doesn't match "
                                 "the size of optimizer's group")  # fmt: skip
        params = dict(
            zip(
                chain.from_iterable(group["params"] for group in saved),
                chain.from_iterable(group["params"] for group in self.param_groups),
                strict=True,
            )
        )
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            param = params.get(key)
            state[key if param is None else param] = \
                value if param is None else _like_param(value, param)  # fmt: skip
        for mine, other in zip(self.param_groups, saved, strict=True):
            if "param_names" in mine and "param_names" not in other:
                other["param_names"] = mine["param_names"]
            other["params"] = mine["params"]
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_step_pre_hooks" not in self.__dict__:
            self._make_hooks()
        for group in self.param_groups:  # options that older checkpoints lack
            for name, default in self.defaults.items():
                group.setdefault(name, default)
        for kept in self.state.values():  # in theirs, the step is a number
            if "step" in kept and not isinstance(kept["step"], Tensor):
                kept["step"] = scalar(kept["step"])

    def __repr__(self) -> str:
        lines = []
        for number, group in enumerate(self.param_groups):
            lines.append(f"\nParameter Group {number}\n")
            lines += [f"    {k}: {group[k]}\n" for k in sorted(group) if k != "params"]
        return f"{type(self).__name__} ({''.join(lines)})"

    # Hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before `step`; it may return other ones."""
        self._hook_step()
        return add_hook(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after `step`."""
        self._hook_step()
        return add_hook(self._step_post_hooks, hook)

    def _hook_step(self) -> None:
        """From now on, `step` looks for hooks. An optimizer without them does not."""
        if "step" not in self.__dict__ and not hasattr(type(self).step, "hooked"):
            self.step = types.MethodType(_step_with_hooks(type(self).step), self)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any],
                                     prepend: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(optimizer)` before `state_dict`."""
        return _add(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any],
                                      prepend: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another one."""
        return _add(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any],
                                          prepend: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(optimizer, state_dict)` before loading; it may return another one."""
        return _add(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any],
                                           prepend: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(optimizer)` after loading."""
        return _add(self._load_state_dict_post_hooks, hook, prepend)


def _add(hooks: OrderedDict[int, Any], hook: Any, prepend: bool) -> RemovableHandle:
    handle = add_hook(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _step_with_hooks(step: Any) -> Any:
    @functools.wraps(step)
    def stepped(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        args = (self, *args)
        for hook in [*_pre_hooks.values(), *self._step_pre_hooks.values()]:
            found = hook(self, args, kwargs)
            if found is None:
                continue
            if not isinstance(found, tuple) or len(found) != 2:
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), but got {found}."
                )
            args, kwargs = found
        result = step(*args, **kwargs)
        for hook in [*self._step_post_hooks.values(), *_post_hooks.values()]:
            hook(self, args, kwargs)
        return result

    stepped.hooked = True  # type: ignore[attr-defined]
    return stepped


# Hooks of all optimizers. From the first one on, every class of optimizers looks for hooks.
_pre_hooks: OrderedDict[int, Any] = OrderedDict()
_post_hooks: OrderedDict[int, Any] = OrderedDict()
_ever_global: list[Any] = []


def _hook_class(cls: Any) -> None:
    if not hasattr(cls.step, "hooked"):
        cls.step = _step_with_hooks(cls.step)


def _add_global(hooks: OrderedDict[int, Any], hook: Any) -> RemovableHandle:
    if not _ever_global:
        _ever_global.append(True)
        classes: list[Any] = Optimizer.__subclasses__()
        while classes:
            cls = classes.pop()
            classes += cls.__subclasses__()
            if "step" in cls.__dict__:
                _hook_class(cls)
        _hook_class(Optimizer)
    return add_hook(hooks, hook)


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """`Optimizer.register_step_pre_hook` for all optimizers."""
    return _add_global(_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """`Optimizer.register_step_post_hook` for all optimizers."""
    return _add_global(_post_hooks, hook)


def _typename(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _like_param(value: Any, param: Tensor, name: str | None = None) -> Any:
    """A value of a checkpoint in the parameter's dtype; "step" stays as it is."""
    if isinstance(value, Tensor):
        keep = name == "step" or not param.is_floating_point()
        return value if keep else value.to(param.dtype)
    if isinstance(value, dict):
        return {k: _like_param(v, param, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(_like_param(v, param, name) for v in value)
    return value


def _fail_unlike(param: Tensor, grad: Tensor) -> None:
    """Raise for a gradient that does not fit its parameter, before anything has changed."""
    more = (f"a parameter has shape {list(param.shape)} and dtype {param.dtype}, its gradient "
            f"{list(grad.shape)} and {grad.dtype}")  # fmt: skip
    try:
        np.broadcast_shapes(grad._array.shape, param._array.shape)
    except ValueError:
        a, b = param.shape[::-1], grad.shape[::-1]
        at = next(i for i, (m, n) in enumerate(zip(a, b, strict=False)) if m != n)
        fail(
            RuntimeError,
            f"The size of tensor a ({a[at]}) must match the size of tensor b ({b[at]}) at "
            f"non-singleton dimension {param.ndim - 1 - at}",
            more,
        )
    fail(RuntimeError, "the gradient does not fit the parameter", more)


# What the optimizers share


def check_options(*, lr: Any, eps: float = 0.0, betas: Any = (), weight_decay: Any = 0,
                  foreach: Any = None, fused: Any = None,
                  differentiable: bool = False) -> None:  # fmt: skip
    """PyTorch's errors for options that cannot be."""
    check_one_element(lr)
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")
    if not eps >= 0.0:
        raise ValueError(f"Invalid epsilon value: {eps}")
    for index, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
    if not weight_decay >= 0.0:
        raise ValueError(f"Invalid weight_decay value: {weight_decay}")
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if differentiable:
        raise NotImplementedError(
            "differentiable=True: leafgrad's optimizers update arrays in place, outside every "
            "graph\n  to do: write the update with tensors: w = w - lr * grad"
        )


def check_one_element(lr: Any) -> None:
    """PyTorch's error for a rate that is a tensor of several elements."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")


def number(value: Any) -> Any:
    """An option as a Python number, where it may be a tensor of one element."""
    if not isinstance(value, Tensor):
        return value
    array = value._array
    return np.reshape(array, ()).astype(F64) if isinstance(array, Duck) else value.item()


def scalar(value: float) -> Tensor:
    """A number kept in a parameter's state: a 0-dim tensor, float32 unless the default is wider."""
    kind = F64 if get_default_dtype().numpy == F64 else F32
    return wrap(value.astype(kind) if isinstance(value, Duck) else np.array(value, kind))


def like(param: Tensor, value: Any = 0) -> Tensor:
    """A state in the shape, dtype and memory order of a parameter, filled with one value."""
    if param._array.dtype.kind == "c" and value:
        value = complex(value, value)  # the two parts are updated as if each were a parameter
    return wrap(np.full_like(param._array, value, subok=False))


def value_of(array: Any) -> Any:
    """The number that a 0-dim array holds; of a duck, itself in float64."""
    return array.astype(F64) if isinstance(array, Duck) else array.item()


def count(state: dict[str, Any]) -> float:
    """One more step: the number of steps with this one."""
    array = state["step"]._array
    steps: float = value_of(array) + 1
    array[()] = steps
    return steps


def square_root(value: Any) -> Any:
    """The square root of a number, which may be a duck's."""
    return np.sqrt(value) if isinstance(value, Duck) else math.sqrt(value)


def penalised(p: Any, g: Any, out: Any, decay: Any, maximize: bool) -> Any:
    """The gradient to descend: negated to maximise, with weight decay. In `out` if it differs."""
    if decay is not None:
        out = np.multiply(p, decay, out)
        return np.subtract(out, g, out) if maximize else np.add(out, g, out)
    return np.negative(g, out) if maximize else g


# Elements that are updated at a time: with a state or two they fit a core's own cache. Twice as
# many when threads share the work, which take turns at calling NumPy.
BLOCK = 1 << 16
# Elements of all arrays together from which on sharing the work pays.
SHARED = 1 << 19


_kept = threading.local()


def _scratch(size: int, kind: Any) -> Any:
    """Two arrays to write to. A thread keeps them: new memory costs more than a pass over it."""
    found = getattr(_kept, kind.name, None)
    if found is None or found.shape[1] < size:
        found = np.empty((2, size), kind)
        setattr(_kept, kind.name, found)
    return found


def in_kind(number: Any, kind: Any) -> Any:
    """A number that meets an array of this dtype: of a duck's, itself in it."""
    return number.astype(kind) if isinstance(number, Duck) else number


def each_block(function: Callable[..., None], arrays: tuple[Any, ...],
               numbers: tuple[float | None, ...], *flags: Any) -> None:  # fmt: skip
    """Run `function(*arrays, s, t, *numbers, *flags)`, over large arrays piece by piece.

    arrays: parameter, gradient, states, of one shape and dtype; all but the gradient are changed.
    s, t: None, or arrays to write to; NumPy takes both as `out`. The function works element by
    element. It sees complex arrays as their real and imaginary parts, 16-bit ones as float32, and
    numbers as 0-dim arrays, which NumPy takes three times as fast.
    """
    p = arrays[0]
    kind = p.dtype
    if isinstance(p, Duck) and kind.kind != "c" and kind.itemsize > 2:
        function(*arrays, None, None, *[in_kind(n, kind) for n in numbers], *flags)
        return
    if (kind is F32 or kind is F64) and p.size <= BLOCK and p.ndim:
        function(*arrays, None, None,
                 *[None if n is None else number_array(n, kind) for n in numbers], *flags)  # fmt: skip
        return
    if kind.kind == "c":
        each_block(function, tuple(a.real for a in arrays), numbers, *flags)
        each_block(function, tuple(a.imag for a in arrays), numbers, *flags)
        return
    if kind.itemsize == 2:
        wide = tuple(a.astype(F32) for a in arrays)
        each_block(function, wide, numbers, *flags)
        for index, (a, w) in enumerate(zip(arrays, wide, strict=True)):
            if index != 1:
                a[...] = w
        return
    if p.ndim == 0 or all(a.flags.c_contiguous for a in arrays):
        arrays = tuple(a.reshape(-1) for a in arrays)
    constants = [None if n is None else number_array(n, kind) for n in numbers]
    length = arrays[0].shape[0]
    row = p.size // max(length, 1)
    threads = parallel.get_num_threads() if p.size * len(arrays) > SHARED else 1
    rows = max(1, (BLOCK if threads == 1 else 2 * BLOCK) // max(row, 1))

    def part(begin: int, end: int) -> None:
        spare = _scratch(min(end - begin, rows) * row, kind)
        for start in range(begin, end, rows):
            pieces = [a[start : min(start + rows, end)] for a in arrays]
            shape, size = pieces[0].shape, pieces[0].size
            function(*pieces, *[s[:size].reshape(shape) for s in spare], *constants, *flags)

    share = -(-length // threads)
    waiting = [
        parallel._workers().submit(
            contextvars.copy_context().run, part, start, min(start + share, length)
        )
        for start in range(share, length, share)
    ]
    part(0, min(share, length))
    for each in waiting:
        each.result()
