"""Module: the base of everything that has parameters, and PyTorch's whole protocol around it."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from ..device import device as Device
from ..device import require_cpu
from ..dtypes import dtype as DType
from ..graph.hooks import RemovableHandle
from ..graph.modes import no_grad
from ..graph.source import fail, here
from ..tensor import Tensor
from .backward_hook import BackwardHook
from .parameter import Buffer, Parameter

__all__ = [
    "Module", "dotted_names", "register_module_forward_hook", "register_module_forward_pre_hook",
    "register_module_full_backward_hook", "register_module_full_backward_pre_hook",
]  # fmt: skip

_EXTRA_STATE = "_extra_state"
_HOOKS = ("_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_pre_hooks",
          "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
          "_forward_pre_hooks_with_kwargs", "_state_dict_hooks", "_state_dict_pre_hooks",
          "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks")  # fmt: skip
# Hooks of all modules, under the names of a module's own.
_global: dict[str, OrderedDict[int, Any]] = {name: OrderedDict() for name in _HOOKS}
_ever_global: list[Any] = []  # not empty once there was a global hook


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class _Registered:
    """The way to a registered attribute, put on the class when an instance first registers it.

    Without it, Python looks everywhere, makes an AttributeError and then calls `__getattr__`, which
    takes five times as long. As it does not define `__set__`, attributes of the instance come
    first; what it does not find, `__getattr__` does, or raises.
    """

    __slots__ = ("name", "registry")

    def __init__(self, name: str, registry: str) -> None:
        self.name, self.registry = name, registry

    def __get__(self, module: Any, owner: Any = None) -> Any:
        if module is None:
            return self
        try:
            return module.__dict__[self.registry][self.name]
        except KeyError:
            raise AttributeError(self.name) from None


def _quicken(module: Any, name: str, registry: str) -> None:
    cls = type(module)
    if not hasattr(cls, name) and name.isidentifier():
        setattr(cls, name, _Registered(name, registry))


class Module:
    """A computation with parameters: subclass it, make the parts in `__init__`, write `forward`.

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(2, 16)
                self.last = nn.Linear(16, 1)

            def forward(self, x):
                return self.last(torch.relu(self.first(x)))

    Parameters, buffers and modules assigned to attributes are registered under the attribute's
    name; `net(x)` runs the hooks around `forward`.
    """

    training: bool
    _version: int = 1
    call_super_init = False
    dump_patches = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            name = f"{type(self).__name__}.__init__()"
            if kwargs:
                raise TypeError(f"{name} got an unexpected keyword argument '{next(iter(kwargs))}'")
            raise TypeError(f"{name} takes 1 positional argument but {len(args) + 1} were given")
        # Straight into the dictionary: __setattr__ would ask what each of them is.
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        own["_is_full_backward_hook"] = None
        own["_hooked"] = False  # whether a call has to look for hooks
        for name in _HOOKS:
            own[name] = OrderedDict()
        own["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *args: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    # The call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooked or _ever_global:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    def _call_with_hooks(self, args: Any, kwargs: Any) -> Any:
        result = None
        done: set[int] = set()  # the always-called hooks that were
        forward_hooks = self._all_hooks("_forward_hooks")
        try:
            for number, hook in self._all_hooks("_forward_pre_hooks"):
                args, kwargs = self._run_pre_hook(number, hook, args, kwargs)
            backward = [h for _, h in self._all_hooks("_backward_hooks")] \
                if self._is_full_backward_hook is not False else \
                list(_global["_backward_hooks"].values())  # fmt: skip
            before = [h for _, h in self._all_hooks("_backward_pre_hooks")]
            watch = BackwardHook(self, backward, before) if backward or before else None
            if watch is not None:
                args = watch.on_inputs(args)
            result = self.forward(*args, **kwargs)
            for number, hook in forward_hooks:
                done.add(number)
                result = self._run_forward_hook(number, hook, args, kwargs, result)
            if watch is not None:
                result = watch.on_outputs(result)
            if self._is_full_backward_hook is False:
                self._watch_last_node(args, result)
            return result
        except Exception:
            for number, hook in forward_hooks:
                if number in done or not self._flagged("_forward_hooks_always_called", number):
                    continue
                try:
                    result = self._run_forward_hook(number, hook, args, kwargs, result)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that "
                        f"was silenced as another error was raised in forward: {error}",
                        stacklevel=2,
                    )
            raise

    def _all_hooks(self, name: str) -> list[tuple[int, Any]]:
        return [*_global[name].items(), *self.__dict__[name].items()]

    def _flagged(self, name: str, number: int) -> bool:
        return number in self.__dict__[name] or number in _global[name]

    def _run_pre_hook(self, number: int, hook: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if self._flagged("_forward_pre_hooks_with_kwargs", number):
            found = hook(self, args, kwargs)
            if found is None:
                return args, kwargs
            if not isinstance(found, tuple) or len(found) != 2:
                raise RuntimeError(
                    "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {found}."
                )
            return found
        found = hook(self, args)
        if found is None:
            return args, kwargs
        return (found if isinstance(found, tuple) else (found,)), kwargs

    def _run_forward_hook(self, number: int, hook: Any, args: Any, kwargs: Any, result: Any) -> Any:
        if self._flagged("_forward_hooks_with_kwargs", number):
            found = hook(self, args, kwargs, result)
        else:
            found = hook(self, args, result)
        return result if found is None else found

    def _watch_last_node(self, args: Any, result: Any) -> None:
        """The old kind of backward hook: on the node of the module's last operation."""
        while not isinstance(result, Tensor):
            values = result.values() if isinstance(result, dict) else result
            result = next(v for v in values if isinstance(v, Tensor))
        node = result.grad_fn
        if node is not None:
            for hook in self._backward_hooks.values():
                node.register_hook(lambda ins, outs, hook=hook: hook(self, ins, outs))

    def _add_hook(self, name: str, hook: Any, prepend: bool, *flags: str) -> RemovableHandle:
        hooks = self.__dict__[name]
        handle = RemovableHandle(hooks, extra_dict=[self.__dict__[flag] for flag in flags])
        hooks[handle.id] = hook
        for flag in flags:
            self.__dict__[flag][handle.id] = True
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        self.__dict__["_hooked"] = True
        return handle

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(module, args)` before `forward`; what it returns replaces the arguments.

        With `with_kwargs`, `hook(module, args, kwargs)` returns None or (args, kwargs).
        """
        flags = ("_forward_pre_hooks_with_kwargs",) if with_kwargs else ()
        return self._add_hook("_forward_pre_hooks", hook, prepend, *flags)

    def register_forward_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                              with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(module, args, output)` after `forward`; what it returns replaces the output.

        With `with_kwargs`, `hook(module, args, kwargs, output)`. With `always_call` it is also
        called when `forward` raised, then with output None.
        """
        flags = []
        if with_kwargs:
            flags.append("_forward_hooks_with_kwargs")
        if always_call:
            flags.append("_forward_hooks_always_called")
        return self._add_hook("_forward_hooks", hook, prepend, *flags)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any],
                                        prepend: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(module, grad_output)` before the gradient goes through the module; what it
        returns replaces `grad_output`."""
        return self._add_hook("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any],
                                    prepend: bool = False) -> RemovableHandle:  # fmt: skip
        """Call `hook(module, grad_input, grad_output)` when the gradients of the module's inputs
        are known; what it returns replaces `grad_input`."""
        self._one_kind_of_backward_hook(True)
        return self._add_hook("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Deprecated in PyTorch: sees the gradients of the module's last operation only.
        Use `register_full_backward_hook`."""
        self._one_kind_of_backward_hook(False)
        return self._add_hook("_backward_hooks", hook, False)

    def _one_kind_of_backward_hook(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self.__dict__["_is_full_backward_hook"] = full

    # Attributes

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for registry in ("_parameters", "_buffers", "_modules"):
            found = own.get(registry)
            if found is not None and name in found:
                return found[name]
        more = "" if "_parameters" in own else \
            "\n  to do: call super().__init__() at the start of __init__"  # fmt: skip
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{more}",
                             name=name, obj=self)  # fmt: skip

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            if "_parameters" not in own:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
            return
        if name in own.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, None)
            return
        modules = own.get("_modules")
        if isinstance(value, Module):
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_modules")
            modules[name] = value
            _quicken(self, name, "_modules")
        elif modules is not None and name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            modules[name] = None
        elif isinstance(value, Buffer):
            self._forget(name, "_buffers")
            self.register_buffer(name, value, value.persistent)
        elif name in own.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            own["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for registry in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(registry, ()):
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def _forget(self, name: str, but: str) -> None:
        """Take a name out of wherever it stands, `but` one registry."""
        own = self.__dict__
        own.pop(name, None)
        for registry in ("_parameters", "_buffers", "_modules"):
            if registry != but and registry in own:
                own[registry].pop(name, None)
        if but != "_buffers" and "_non_persistent_buffers_set" in own:
            own["_non_persistent_buffers_set"].discard(name)

    def __dir__(self) -> list[str]:
        own = self.__dict__
        names = {*dir(type(self)), *own, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[0].isdigit())

    def _check_name(self, name: Any, kind: str, registry: str) -> None:
        if registry not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_typename(name)}")
        if hasattr(self, name) and name not in self.__dict__[registry]:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make `param` a parameter of this module, under a name. None: there is none."""
        self._check_name(name, "parameter", "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                f"created explicitly. To express '{name}' as a function of another Tensor, compute "
                "the value in the forward() method."
            )
        self._parameters[name] = param
        _quicken(self, name, "_parameters")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make a tensor part of this module that is not learned, such as a running mean.

        persistent: whether it is part of the `state_dict`
        """
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        _quicken(self, name, "_buffers")
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make `module` a part of this one, under a name."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        self._check_name(name, "module", "_modules")
        self._modules[name] = module

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    # Finding the parts

    def get_submodule(self, target: str) -> Module:
        """The part with a dotted path; "" is the module itself. AttributeError if there is none."""
        found: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(found, name):
                raise AttributeError(f"{found._get_name()} has no attribute `{name}`")
            found = getattr(found, name)
            if not isinstance(found, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return found

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module in the place of the part with a dotted path."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted path."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        found = getattr(module, name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with a dotted path."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return module._buffers[name]

    def named_modules(self, memo: set[Module] | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:  # fmt: skip
        """This module and all below it, with their dotted paths; each once, unless told not to."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        for _, module in self.named_children():
            yield module

    def _named_members(self, get_members_fn: Callable[[Module], Any], prefix: str = "",
                       recurse: bool = True, remove_duplicate: bool = True) -> Any:  # fmt: skip
        seen: set[Any] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) \
            if recurse else [(prefix, self)]  # fmt: skip
        for path, module in modules:
            for name, member in get_members_fn(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield f"{path}.{name}" if path else name, member

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:  # fmt: skip
        """The parameters with their dotted paths."""
        return self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate
        )

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters: what to give to an optimizer."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:  # fmt: skip
        """The buffers with their dotted paths."""
        return self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # Changing all of them

    def apply(self, fn: Callable[[Module], None]) -> Any:
        """Call `fn` on every module, the parts first. Returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Any:
        """Set training mode (dropout drops, batch norm learns) or, with False, evaluation mode."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Any:
        """Set evaluation mode. It does not turn off gradients: `no_grad` does."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Make all parameters require gradients, or not."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or with False set them to zero."""
        mark = here()
        for param in self.parameters():
            if set_to_none:
                if param._grad is not None:
                    param._grad, param._cleared = None, mark
            elif param._grad is not None:
                param._grad = param._grad.detach().zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        if recurse:
            for module in self.children():
                module._apply(fn, recurse)
        with no_grad():
            for param in self._parameters.values():
                if param is None:
                    continue
                param.data = fn(param)
                if param._grad is not None:
                    param._grad.data = fn(param._grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def _cast(self, dtype: Any) -> Any:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Any:
        """Cast all floating-point parameters and buffers to float32."""
        from ..dtypes import float32

        return self._cast(float32)

    def double(self) -> Any:
        """Cast all floating-point parameters and buffers to float64."""
        from ..dtypes import float64

        return self._cast(float64)

    def half(self) -> Any:
        """Cast all floating-point parameters and buffers to float16."""
        from ..dtypes import float16

        return self._cast(float16)

    def bfloat16(self) -> Any:
        """Cast all floating-point parameters and buffers to bfloat16."""
        from ..dtypes import bfloat16

        return self._cast(bfloat16)

    def type(self, dst_type: Any) -> Any:
        """Cast all parameters and buffers to a dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Any:
        """The module on the CPU: itself."""
        return self

    def cuda(self, device: Any = None) -> Any:
        """PyTorch's error of a build without CUDA."""
        require_cpu(Device("cuda", device) if isinstance(device, int) else device or "cuda")
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Cast floating-point parameters and buffers, in place: `to(dtype)`, `to(device)`,
        `to(device, dtype)`, `to(tensor)`. Returns the module."""
        place, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
        other = kwargs.pop("tensor", None)
        for ignored in ("non_blocking", "memory_format"):
            kwargs.pop(ignored, None)
        if kwargs:
            raise TypeError(f"to() received an invalid keyword argument '{next(iter(kwargs))}'")
        for value in args:
            if isinstance(value, DType):
                dtype = value
            elif isinstance(value, Tensor):
                other = value
            elif isinstance(value, (str, int, Device)) and not isinstance(value, bool):
                place = value
            elif value is not None and not isinstance(value, bool):
                raise TypeError(
                    "to() received an invalid combination of arguments - got "
                    f"({', '.join(type(a).__name__ for a in args)})"
                )
        if other is not None:
            dtype = other.dtype
        if place is not None:
            require_cpu(place)
        if dtype is None:
            return self
        if not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )
        if dtype.is_complex:
            warnings.warn(
                "Complex modules are a new feature under active development whose design may "
                "change, and some modules might not work as expected when using complex tensors "
                "as parameters or buffers.",
                stacklevel=2,
            )
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() or t.is_complex() else t)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Give all parameters and buffers new memory, uninitialised."""
        from ..ops.creation import empty_like

        require_cpu(device)
        return self._apply(lambda t: empty_like(t), recurse=recurse)

    def share_memory(self) -> Any:
        """Accepted for compatibility: threads share memory anyway."""
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted for compatibility: the module runs as it is."""

    # The state

    def get_extra_state(self) -> Any:
        """Anything else to put into `state_dict`; define it together with `set_extra_state`."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called."
        )

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "",
                   keep_vars: bool = False) -> Any:  # fmt: skip
        """All parameters and persistent buffers by their dotted paths.

        The tensors share the module's memory, without its graph (with `keep_vars`: they are the
        parameters themselves).
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            given = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
            destination = given.get("destination", destination)
            prefix, keep_vars = given.get("prefix", prefix), given.get("keep_vars", keep_vars)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.",
                                  keep_vars=keep_vars)  # fmt: skip
        for hook in self._state_dict_hooks.values():
            found = hook(self, destination, prefix, local)
            destination = destination if found is None else found
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in chain(self._parameters.items(), self._buffers.items()):
            if value is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Module.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> Any:  # fmt: skip
        """Copy parameters and buffers from a `state_dict`.

        strict: a missing or unexpected key is a RuntimeError; assign: take the given tensors
        themselves instead of copying. Returns (missing_keys, unexpected_keys). When it raises,
        the module is as it was, unless parts of it load in a way of their own.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        own_way = any(
            not type(m)._load_from_state_dict.__module__.startswith(_OWN)
            or m._load_state_dict_pre_hooks
            or m._load_state_dict_post_hooks
            for m in self.modules()
        )
        for trial in (False,) if own_way else (True, False):
            found, errors = self._load(OrderedDict(state_dict),
                                       getattr(state_dict, "_metadata", None), assign, trial)  # fmt: skip
            if strict:
                for keys, kind in ((found.unexpected_keys, "Unexpected"),
                                   (found.missing_keys, "Missing")):  # fmt: skip
                    if keys:
                        named = ", ".join(f'"{k}"' for k in keys)
                        errors.insert(0, f"{kind} key(s) in state_dict: {named}. ")
            if errors:
                listed = "\n\t".join(errors)
                fail(
                    RuntimeError,
                    f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}",
                    *_likely_names(found.unexpected_keys, found.missing_keys),
                    "to do: rename the keys, load into the model they were saved from, or pass "
                    "strict=False to leave out keys (sizes must fit all the same)",
                )
        return found

    def _load(self, state_dict: Any, metadata: Any, assign: bool, trial: bool) -> Any:
        """Load into all modules: the keys that did not fit, and what went wrong. A trial changes
        nothing."""
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        if metadata is not None:
            state_dict._metadata = metadata

        def load(module: Module, part: Any, prefix: str) -> None:
            local = {} if metadata is None else dict(metadata.get(prefix[:-1], {}))
            if assign:
                local["assign_to_params_buffers"] = True
            if trial:
                local[_TRIAL] = True
            module._load_from_state_dict(part, prefix, local, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    path = f"{prefix}{name}."
                    load(child, {k: v for k, v in part.items() if k.startswith(path)}, path)
            keys = _IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                assert hook(module, keys) is None, (
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected "
                    "to return new values, if incompatible_keys need to be modified, it should be "
                    "done inplace."
                )

        load(self, state_dict, "")
        return _IncompatibleKeys(missing, unexpected), errors

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: dict[str, Any],
                              strict: bool, missing_keys: list[str], unexpected_keys: list[str],
                              error_msgs: list[str]) -> None:  # fmt: skip
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                 error_msgs)  # fmt: skip
        own = {
            name: value
            for name, value in chain(self._parameters.items(), self._buffers.items())
            if value is not None and name not in self._non_persistent_buffers_set
        }
        for name, value in own.items():
            key = prefix + name
            if key in state_dict:
                error = self._load_one(name, key, value, state_dict[key], local_metadata)
                if error:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA_STATE
        if type(self).set_extra_state is not Module.set_extra_state:
            if extra not in state_dict:
                if strict:
                    missing_keys.append(extra)
            elif _TRIAL not in local_metadata:
                self.set_extra_state(state_dict[extra])
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    first, dot, _ = key[len(prefix) :].partition(".")
                    if first not in (self._modules if dot else own):
                        unexpected_keys.append(key)

    def _load_one(self, name: str, key: str, mine: Tensor, given: Any,
                  options: dict[str, Any]) -> str | None:  # fmt: skip
        """Take one value of a state_dict. Returns what is wrong with it."""
        if not isinstance(given, Tensor):
            return (f'While copying the parameter named "{key}", expected torch.Tensor or '
                    f"Tensor-like object from checkpoint but received {type(given)}")  # fmt: skip
        if mine.ndim == 0 and given.shape == (1,):  # checkpoints of PyTorch before 0.4
            given = given[0]
        if given.shape != mine.shape:
            return (f"size mismatch for {key}: copying a param with shape {given.shape} from "
                    f"checkpoint, the shape in current model is {mine.shape}.")  # fmt: skip
        if _TRIAL in options:
            return None
        try:
            with no_grad():
                if not options.get("assign_to_params_buffers"):
                    mine.copy_(given)
                elif not isinstance(mine, Parameter):
                    setattr(self, name, given)
                elif isinstance(given, Parameter):
                    setattr(self, name, given.requires_grad_(mine.requires_grad))
                else:
                    setattr(self, name, Parameter(given, mine.requires_grad))
        except Exception as error:
            return (f'While copying the parameter named "{key}", whose dimensions in the model are '
                    f"{mine.size()} and whose dimensions in the checkpoint are {given.size()}, an "
                    f"exception occurred : {error.args}.")  # fmt: skip
        return None

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        return self._add_quiet_hook("_state_dict_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` when `state_dict` is filled."""
        return self._add_quiet_hook("_state_dict_hooks", _ReturnsNone(hook))

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict` is filled."""
        return self._add_quiet_hook("_state_dict_pre_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before this module loads its part."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., Any],
                                           with_module: bool = False) -> RemovableHandle:  # fmt: skip
        called = _WithModule(hook, self) if with_module else hook
        return self._add_quiet_hook("_load_state_dict_pre_hooks", called)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after this module and its parts have loaded; it
        may change the two lists of keys in place."""
        return self._add_quiet_hook("_load_state_dict_post_hooks", hook)

    def _add_quiet_hook(self, name: str, hook: Any) -> RemovableHandle:
        """A hook that a call of the module does not have to look for."""
        handle = RemovableHandle(self.__dict__[name])
        self.__dict__[name][handle.id] = hook
        return handle

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = self.__dict__
        own.update(state)
        for name in _HOOKS:
            own.setdefault(name, OrderedDict())
        own.setdefault("_non_persistent_buffers_set", set())
        own.setdefault("_is_full_backward_hook", None)
        own.setdefault("_hooked", True)

    # How it is printed

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed module, before its parts."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        parts = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        if not parts and len(lines) == 1:
            return f"{self._get_name()}({extra})"
        body = "".join(f"\n  {line}" for line in lines + parts)
        return f"{self._get_name()}({body}\n)" if body else f"{self._get_name()}()"


# Set in a part's `local_metadata` when a load is only tried.
_TRIAL = "_leafgrad_trial"
# Where the classes are that load in a way which a trial does not disturb: here.
_OWN = __name__.rpartition(".")[0]


# Hooks with something around them are classes, so that a module with hooks can be pickled.


class _ReturnsNone:
    """A hook on `state_dict` that may change it in place only."""

    def __init__(self, hook: Any) -> None:
        self.hook = hook

    def __call__(self, *args: Any) -> None:
        if self.hook(*args) is not None:
            raise RuntimeError("state_dict post-hook must return None")


class _WithModule:
    """A hook that gets the module as its first argument."""

    def __init__(self, hook: Any, module: Module) -> None:
        self.hook, self.module = hook, module

    def __call__(self, *args: Any) -> Any:
        return self.hook(self.module, *args)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _typename(value: Any) -> str:
    """PyTorch's name of a value's type: torch.FloatTensor, int, package.module.Class."""
    if isinstance(value, Tensor):
        return value.type()
    kind = type(value)
    outside = kind.__module__ not in ("builtins", "__builtin__", None)
    return f"{kind.__module__}.{kind.__qualname__}" if outside else kind.__qualname__


def dotted_names(module: Module) -> dict[int, str]:
    """The dotted path of each parameter and buffer of a module, by `id`."""
    members = chain(module.named_parameters(), module.named_buffers())
    return {id(member): name for name, member in members}


def _likely_names(unexpected: list[str], missing: list[str]) -> list[str]:
    """Keys that were perhaps misspelt, or saved from a model inside another."""
    import difflib

    lines = []
    for key in unexpected[:5]:
        close = difflib.get_close_matches(key, missing, 1, 0.8)
        if close:
            lines.append(f'perhaps "{key}" is "{close[0]}"')
    for prefix in {key.partition(".")[0] + "." for key in unexpected}:
        if len(missing) > 1 and {prefix + key for key in missing} <= set(unexpected):
            lines.append(f'all missing keys are there with "{prefix}" in front: it was saved from '
                         "a wrapper, such as DataParallel")  # fmt: skip
    return lines


def _add_global(name: str, hook: Any, *flags: str) -> RemovableHandle:
    hooks = _global[name]
    handle = RemovableHandle(hooks, extra_dict=[_global[flag] for flag in flags])
    hooks[handle.id] = hook
    for flag in flags:
        _global[flag][handle.id] = True
    if not _ever_global:
        _ever_global.append(True)
    return handle


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """`Module.register_forward_pre_hook` for all modules."""
    return _add_global("_forward_pre_hooks", hook)


def register_module_forward_hook(hook: Callable[..., Any], *, with_kwargs: bool = False,
                                 always_call: bool = False) -> RemovableHandle:  # fmt: skip
    """`Module.register_forward_hook` for all modules."""
    flags = []
    if with_kwargs:
        flags.append("_forward_hooks_with_kwargs")
    if always_call:
        flags.append("_forward_hooks_always_called")
    return _add_global("_forward_hooks", hook, *flags)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """`Module.register_full_backward_pre_hook` for all modules."""
    return _add_global("_backward_pre_hooks", hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """`Module.register_full_backward_hook` for all modules."""
    return _add_global("_backward_hooks", hook)
