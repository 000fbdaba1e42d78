"""Modules as functions of their parameters: functional_call, stack_module_state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..graph.source import fail
from ..tensor import Tensor

__all__ = ["functional_call", "stack_module_state"]

_MISSING: Any = object()


def functional_call(module: Any, parameter_and_buffer_dicts: Any, args: Any = None,
                    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True,
                    strict: bool = False) -> Any:  # fmt: skip
    """Call a module with other parameters and buffers than its own, which stay as they are.

    parameter_and_buffer_dicts: from names, as `named_parameters()` has them, to tensors; one such
    dictionary or several. What is not named is the module's own.
    tie_weights: a value given for one of several names of a parameter counts for all of them
    strict: an error unless all parameters and buffers are named, and nothing else
    """
    named: dict[str, Any] = {}
    if isinstance(parameter_and_buffer_dicts, dict):
        named = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        if not all(isinstance(d, dict) for d in parameter_and_buffer_dicts):
            fail(ValueError, "Expected all elements of parameter_and_buffer_dicts to be "
                             "dictionaries")  # fmt: skip
        names = [name for d in parameter_and_buffer_dicts for name in d]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            fail(ValueError, f"{twice} appeared in multiple dictionaries; behavior of functional "
                             "call is ambiguous")  # fmt: skip
        for d in parameter_and_buffer_dicts:
            named.update(d)
    else:
        fail(ValueError, "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of "
                         f"dicts, but got {type(parameter_and_buffer_dicts)}")  # fmt: skip
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _exchanged(module, named, tie_weights, strict):
        return module(*args, **(kwargs or {}))


@contextmanager
def _exchanged(
    module: Any, named: dict[str, Any], tie_weights: bool, strict: bool
) -> Iterator[None]:
    """A module with other tensors, for a `with` block."""
    given = _tied(module, named) if tie_weights else named
    if strict:
        _check_names(module, given)
    before: dict[str, Any] = {}
    try:
        for name, tensor in given.items():
            before[name] = _swap(module, name, tensor)
        yield
    finally:
        after = {name: _swap(module, name, tensor) for name, tensor in before.items()}
        # What the module exchanged by itself, as a running mean.
        named.update({name: after[name] for name in named if name in after})


def _tied(module: Any, named: dict[str, Any]) -> dict[str, Any]:
    """The dictionary with a value for each name that a given tensor of the module has."""
    known = dict(module.named_parameters(remove_duplicate=False))
    known.update(module.named_buffers(remove_duplicate=False))
    names: dict[int, list[str]] = {}
    for name, tensor in known.items():
        names.setdefault(id(tensor), []).append(name)
    given = dict(named)
    for group in names.values():
        mine = [name for name in group if name in named]
        if len(group) > 1 and mine:
            if len({id(named[name]) for name in mine}) > 1:
                fail(ValueError, f"functional_call got multiple values for keys {sorted(group)}, "
                     "which are tied. Consider using tie_weights=False")  # fmt: skip
            given.update(dict.fromkeys(group, named[mine[0]]))
    return given


def _check_names(module: Any, given: dict[str, Any]) -> None:
    known = dict(module.named_parameters(remove_duplicate=False))
    known.update(module.named_buffers(remove_duplicate=False))
    lines = []
    for what, names in (("Unexpected", [n for n in given if n not in known]),
                        ("Missing", [n for n in known if n not in given])):  # fmt: skip
        if names:
            lines.append(f"{what} key(s): {', '.join(map(repr, names))}.")
    if lines:
        fail(RuntimeError, f"Error(s) in reparametrizing for {module._get_name()}:\n\t"
                           + "\n\t".join(lines))  # fmt: skip


def _swap(module: Any, path: str, tensor: Any) -> Any:
    """Put a tensor in the place of another; returns that one, or _MISSING."""
    prefix, _, name = path.rpartition(".")
    owner = module.get_submodule(prefix)
    if tensor is not _MISSING and tensor is not None and not isinstance(tensor, Tensor):
        raise TypeError(f"{tensor} is not an instance of torch.Tensor")
    for table in (owner._parameters, owner._buffers):
        if name in table:
            before = table[name]
            table[name] = tensor
            return before
    before = getattr(owner, name, _MISSING)
    if before is not _MISSING and before is not None and not isinstance(before, Tensor):
        raise TypeError(f"attribute `{name}`: {before} is not an instance of torch.Tensor")
    if tensor is not _MISSING:
        setattr(owner, name, tensor)
    elif before is not _MISSING:
        delattr(owner, name)
    return before


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of several models of one kind, stacked by name.

    Returns two dictionaries for `functional_call` under `vmap`: an ensemble in one call.
    """
    models = list(models)
    if not models:
        fail(RuntimeError, "stack_module_state: Expected at least one model, got 0.")
    if len({bool(m.training) for m in models}) > 1:
        fail(RuntimeError, "stack_module_state: Expected all models to have the same training/eval "
                           "mode.")  # fmt: skip
    if any(type(m) is not type(models[0]) for m in models):
        fail(RuntimeError, "stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return (
        {name: _stacked([p[name] for p in parameters], name) for name in parameters[0]},
        {name: _stacked([b[name] for b in buffers], name) for name in buffers[0]},
    )


def _stacked(tensors: list[Any], name: str) -> Any:
    from ..ops.joining import stack

    flags = {t.requires_grad for t in tensors}
    if len(flags) > 1:
        fail(RuntimeError, f"Expected {name} from each model to have the same .requires_grad")
    whole = stack(tensors)
    return whole.detach().requires_grad_() if True in flags else whole
