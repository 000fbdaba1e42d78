"""Parameters computed from others: `module.weight` as a function of what is learned.

A parametrized module gets a class of its own, in which the tensor's name is a property.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any

from ...graph.modes import no_grad
from ...tensor import Tensor
from ..module import Module
from ..modules.container import ModuleDict, ModuleList
from ..parameter import Parameter

__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization",
           "remove_parametrizations", "transfer_parametrizations_and_params",
           "type_before_parametrizations"]  # fmt: skip

_caching = 0  # how many `cached` blocks the program is inside of
_cache: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once only, for a `with` block."""
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _tensors_expected(value: Any) -> str:
    return ("'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got "
            + value)  # fmt: skip


class ParametrizationList(ModuleList):
    """The functions of one tensor, the first one innermost, and the original tensors they begin
    with: `original`, or `original0`, `original1`... where the first one takes several."""

    original: Any

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with no_grad():
            begin: Any = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        begin = module.right_inverse(begin)
        if not isinstance(begin, (Tensor, Sequence)):
            raise ValueError(_tensors_expected(type(begin).__name__))
        self.is_tensor = isinstance(begin, Tensor)
        self.ntensors = 1 if self.is_tensor else len(begin)
        if self.is_tensor:
            if begin.dtype is not dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {dtype}\nright_inverse(original).dtype: {begin.dtype}"
                )
            with no_grad():
                _place(original, begin)
            _register(self, "original", original)
        else:
            for i, part in enumerate(begin):
                if not isinstance(part, Tensor):
                    raise ValueError(_tensors_expected(
                        f"element {i} of the sequence with type {type(part).__name__}."
                    ))  # fmt: skip
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                part.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", part)
        if unsafe:
            return
        made = self()
        if not isinstance(made, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
        for what, ours, theirs in (("dtype", made.dtype, dtype), ("shape", made.shape, shape)):
            if ours != theirs:
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, "
                    f"unless `unsafe` flag is enabled.\nunparametrized {what}: {theirs}\n"
                    f"parametrized {what}: {ours}"
                )

    def _originals(self) -> list[Any]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    @no_grad()
    def right_inverse(self, value: Any) -> None:
        """Set the original tensors so that the parametrized one becomes `value`."""
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(f"parametrization {type(module).__name__} does not implement "
                                   "right_inverse.")  # fmt: skip
            value = module.right_inverse(value)
        if self.is_tensor:
            if not isinstance(value, Tensor):
                raise ValueError("`right_inverse` should return a tensor. Got "
                                 f"{type(value).__name__}")  # fmt: skip
            if value.dtype is not self.original.dtype:
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {value.dtype} while "
                    f"`original` has dtype {self.original.dtype}"
                )
            _place(self.original, value)
            return
        if not isinstance(value, Sequence):
            raise ValueError("'right_inverse' must return a sequence of tensors. Got "
                             f"{type(value)}.")  # fmt: skip
        if len(value) != self.ntensors:
            raise ValueError(
                "'right_inverse' must return a sequence of tensors of length "
                f"{self.ntensors}. Got a sequence of length {len(value)}."
            )
        for i, (part, original) in enumerate(zip(value, self._originals(), strict=True)):
            if not isinstance(part, Tensor):
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors or reference-type opaques. "
                    f"Got element {i} of type {type(part).__name__}."
                )
            if part.dtype is not original.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {part.dtype} while "
                    f"`original{i}` has dtype {original.dtype}"
                )
            _place(original, part)

    def forward(self) -> Tensor:  # type: ignore[override]
        """The parametrized tensor."""
        first, *others = self
        x = first(*self._originals())
        for module in others:
            x = module(x)
        return x


def _place(tensor: Tensor, value: Tensor) -> None:
    """Give a tensor the memory of another, whatever its shape."""
    if value is not tensor:
        tensor.data = value.detach()


# The class of a module with parametrizations


def _no_state(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _copied(self: Any, memo: dict[int, Any]) -> Any:
    made = memo.get(id(self))
    if made is None:
        made = memo[id(self)] = type(self).__new__(type(self))
        made.__dict__.update(deepcopy(self.__dict__, memo))
    return made


def _new_class(module: Module) -> None:
    kind = type(module)
    own = {"__getstate__": _no_state}
    if not hasattr(kind, "__deepcopy__"):
        own["__deepcopy__"] = _copied
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), own)


def _new_property(module: Module, name: str) -> None:
    def get(self: Any) -> Any:
        if not _caching:
            return self.parametrizations[name]()
        key = (id(module), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def put(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


# For users


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *,
                             unsafe: bool = False) -> Module:  # fmt: skip
    """Make a parameter or buffer of a module the output of `parametrization`, a module.

    What it has been becomes the original tensor, by `parametrization.right_inverse` if there is
    one. Several parametrizations apply one after the other.

    unsafe: do not check that shape and dtype stay what they were
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        listed = module.parametrizations[tensor_name]
        if not unsafe:
            _check_another(getattr(module, tensor_name), parametrization)
        listed.append(parametrization)
        listed.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        listed = ParametrizationList([parametrization], original, unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _new_class(module)
            module.parametrizations = ModuleDict()
        _new_property(module, tensor_name)
        module.parametrizations[tensor_name] = listed
    else:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a "
                         f"parametrized element with name '{tensor_name}'")  # fmt: skip
    return module


def _check_another(now: Tensor, parametrization: Module) -> None:
    """That one more parametrization leaves shape and dtype as they are, there and back."""
    made = parametrization(now)
    if not isinstance(made, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
    for what in ("dtype", "shape"):
        if getattr(made, what) != getattr(now, what):
            raise ValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless "
                f"the `unsafe` flag is enabled.\nmodule.weight.{what}: {getattr(now, what)}\n"
                f"parametrization(module.weight).{what}: {getattr(made, what)}"
            )
    if not hasattr(parametrization, "right_inverse"):
        return
    back = parametrization.right_inverse(made)
    if not isinstance(back, Tensor):
        raise ValueError("parametrization.right_inverse must return a tensor. Got: "
                         f"{type(back).__name__}")  # fmt: skip
    for what in ("dtype", "shape"):
        if getattr(back, what) != getattr(now, what):
            raise ValueError(
                f"The tensor returned by parametrization.right_inverse must have the same {what} "
                f"as module.weight, unless the `unsafe` flag is enabled.\nmodule.weight.{what}: "
                f"{getattr(now, what)}\nreturned {what}: {getattr(back, what)}"
            )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of a module is parametrized; without a name, whether any is."""
    listed = module._modules.get("parametrizations")
    if not isinstance(listed, ModuleDict):
        return False
    return len(listed) > 0 if tensor_name is None else tensor_name in listed


def remove_parametrizations(module: Module, tensor_name: str,
                            leave_parametrized: bool = True) -> Module:  # fmt: skip
    """Make a parametrized tensor a parameter or buffer again: of the value it has now, or with
    leave_parametrized=False of the original's."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    listed = module.parametrizations[tensor_name]
    original = listed._originals()[0]
    if listed.is_tensor:
        if leave_parametrized:
            with no_grad():
                value = getattr(module, tensor_name)
            if value.dtype is not original.dtype:
                raise RuntimeError(
                    "Calling remove_parametrizations() with leave_parametrized=True for a "
                    "parameter of which the parametrization changes the dtype, from "
                    f"{original.dtype} to {value.dtype}: set leave_parametrized=False"
                )
            _place(original, value)
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError("Cannot leave unparametrized (`leave_parametrized=False`) a tensor that "
                         "is parametrized in terms of a sequence of tensors.")  # fmt: skip
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had without its parametrizations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Module, to_module: Module,
                                         tensor_name: str | None = None) -> Module:  # fmt: skip
    """Register the parametrizations of a module on another one, with the same originals: all of
    them, or those of one tensor."""
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        theirs = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in theirs:
            register_parametrization(to_module, name, parametrization)
        mine = to_module.parametrizations[name]
        ends = [""] if theirs.is_tensor else range(theirs.ntensors)
        for end in ends:
            setattr(mine, f"original{end}", getattr(theirs, f"original{end}"))
    return to_module
