"""Guards: what of the Python world a captured step depends on, checked before each replay.

A `Reach` walks from a function and its arguments over what their code can see: closure cells,
globals by name, attributes by name, containers, modules, optimizers. What it finds becomes facts:
this object is still there, this number is still the same. A fact is a Python condition; all of them
together are compiled into one function, so that a check costs some tens of nanoseconds.

Tensors are places: which objects they are is known, what they must be like is decided when the
capture has shown which of them were read (`runtime`).

The same facts, looked at again after the step was captured, tell whether it changed something in
Python that a replay would not do.
"""

from __future__ import annotations

import dis
import functools
import sys
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from ..device import device
from ..dtypes import dtype
from ..generator import Generator
from ..graph.source import INTERNAL, Source
from ..tensor import Tensor

__all__ = ["Fact", "Place", "Reach"]

_FEW = 64  # elements up to which those of a container are looked at one by one
_MOST = 20_000  # objects
_SMALL = 4096  # elements of NumPy arrays that are compared

_SINGLE = (bool, type(None), type(Ellipsis), dtype)
_PLAIN = (*_SINGLE, int, float, complex, str, bytes, np.generic, np.dtype, device)
# Packages whose code is not looked into: they keep no state that a step could depend on.
_KNOWN = {*sys.stdlib_module_names, "leafgrad", "torch", "numpy", "scipy", "ml_dtypes"} - {
    "__main__"
}
_IMPURE = {"random", "time", "secrets", "uuid", "datetime"}


class Fact:
    """One condition that holds if it is false.

    fails: a Python expression, true if it does not hold; code: the expression that it looks at, for
    messages; label: how the user would write that; mark: where it is read
    """

    __slots__ = ("code", "fails", "label", "mark", "old", "place")

    def __init__(self, fails: str, code: str, label: str, old: Any, mark: Any,
                 place: Place | None = None) -> None:  # fmt: skip
        self.fails, self.code, self.label, self.old = fails, code, label, old
        self.mark, self.place = mark, place

    def __str__(self) -> str:
        return f"{self.label} was {shown(self.old)}"


class Place:
    """Where a tensor was found: `code` gives it at each check. name: what the tensor is bound to in
    the check, None for an argument, which may be another each time"""

    __slots__ = ("code", "label", "mark", "name", "tensor")

    def __init__(self, tensor: Any, code: str, label: str, name: str | None, mark: Any) -> None:
        self.tensor, self.code, self.label, self.name = tensor, code, label, name
        self.mark = mark


def shown(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    if isinstance(value, (types.FunctionType, type)):
        return value.__qualname__
    text = repr(value)
    return text if len(text) < 60 else f"{type(value).__name__}"


def unlike(a: Any, b: Any) -> bool:
    """Whether two plain values differ: also 1 and 1.0, 0.0 and -0.0; not NaN and NaN."""
    return type(a) is not type(b) or (a != b and not (a != a and b != b)) or (
        a == 0 and str(a) != str(b)
    )  # fmt: skip


def unlike_array(a: Any, b: Any) -> bool:
    """Whether two NumPy arrays differ."""
    if not isinstance(a, np.ndarray) or a.dtype != b.dtype or a.strides != b.strides:
        return True
    return not np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


class Reach:
    """What a function and its arguments can see. See the module.

    facts: in an order in which parents come first; tensors: places by the tensor's id; options: the
    facts about numbers in an optimizer's groups, by (id of the group, key); failed: why the
    function cannot be captured; space: the names that facts and places use
    """

    def __init__(self, function: Any, args: Any, kwargs: Any) -> None:
        self.function = function
        self.space: dict[str, Any] = {"unlike": unlike, "unlike_array": unlike_array}
        self.facts: list[Fact] = []
        self.tensors: dict[int, Place] = {}
        self.options: dict[tuple[int, Any], Fact] = {}
        self.failed: str | None = None
        self.names: set[str] = set()
        self._marks: dict[str, Any] = {}  # name -> where the code reads it
        self._bound: dict[int, str] = {}
        self._codes: set[Any] = set()
        self._seen: set[int] = set()
        self._queue: deque[Any] = deque()
        known = -1
        while known != len(self.names) and self.failed is None:  # until no code brings new names
            known = len(self.names)
            self.facts, self.tensors, self.options = [], {}, {}
            self._seen, self._codes = set(), set()
            self._visit(function, "", "the function", None)
            self._arguments(args, kwargs)
            while self._queue:
                self._visit(*self._queue.popleft())
                if len(self._seen) > _MOST:
                    self.failed = f"it can see more than {_MOST:,} objects"
                    self._queue.clear()
        if "param_groups" in self.names:  # the user's own code may read any of them
            self.facts += self.options.values()
            self.options = {}

    def bind(self, thing: Any) -> str:
        """A name for an object in the check."""
        name = self._bound.get(id(thing))
        if name is None:
            name = self._bound[id(thing)] = f"o{len(self.space)}"
            self.space[name] = thing
        return name

    def _fact(self, fails: str, code: str, label: str, old: Any, mark: Any) -> None:
        self.facts.append(Fact(fails, code, label, old, mark))

    def _later(self, thing: Any, code: str, label: str, mark: Any) -> None:
        self._queue.append((thing, code, label, mark))

    # Arguments: other objects at each call, of the same structure

    def _arguments(self, args: Any, kwargs: Any) -> None:
        if args or kwargs:
            self._fact(f"len(args) != {len(args)} or len(kwargs) != {len(kwargs)}", "args",
                       "the number of arguments", (len(args), len(kwargs)), None)  # fmt: skip
        for i, each in enumerate(args):
            self._argument(each, f"args[{i}]", f"argument {i}")
        for name, each in kwargs.items():
            self._argument(each, f"kwargs[{name!r}]", f"argument {name}")

    def _argument(self, thing: Any, code: str, label: str) -> None:
        kind = type(thing)
        if isinstance(thing, Tensor):
            place = Place(thing, code, label, None, None)
            if id(thing) in self.tensors:
                known = self.tensors[id(thing)]
                self._fact(f"{code} is not {known.code}", code, label, thing, None)
            else:
                self.tensors[id(thing)] = place
        elif kind in (tuple, list) or hasattr(thing, "_fields"):
            self._fact(f"type({code}) is not {self.bind(kind)} or len({code}) != {len(thing)}",
                       code, label, thing, None)  # fmt: skip
            for i, each in enumerate(thing):
                self._argument(each, f"{code}[{i}]", f"{label}[{i}]")
        elif kind is dict:
            keys = self.bind(list(thing))
            self._fact(f"type({code}) is not dict or list({code}) != {keys}", code, label, thing,
                       None)  # fmt: skip
            for key, each in thing.items():
                self._argument(each, f"{code}[{self._key(key)}]", f"{label}[{key!r}]")
        else:
            self._visit(thing, code, label, None)

    def _key(self, key: Any) -> str:
        return repr(key) if type(key) in (str, int) else self.bind(key)

    # Everything else

    def _visit(self, thing: Any, code: str, label: str, mark: Any) -> None:
        """Add the facts about an object that `code` gives."""
        kind = type(thing)
        if isinstance(thing, _PLAIN):
            name = self.bind(thing)
            fails = f"{code} is not {name}"
            if not isinstance(thing, _SINGLE):
                fails += f" and unlike({code}, {name})"
            self._fact(fails, code, label, thing, mark)
            return
        if isinstance(thing, Tensor):
            self._tensor(thing, code, label, mark)
            return
        if isinstance(thing, np.ndarray):
            self._array(thing, code, label, mark)
            return
        name = self.bind(thing)
        if code:
            self._fact(f"{code} is not {name}", code, label, thing, mark)
        if id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        if isinstance(thing, types.ModuleType):
            self._module(thing, name, label)
        elif isinstance(thing, types.FunctionType):
            self._function(thing, name)
        elif isinstance(thing, types.MethodType):
            self._later(thing.__self__, f"{name}.__self__", label.rpartition(".")[0] or label, mark)
            self._function(thing.__func__, f"{name}.__func__")
        elif isinstance(thing, functools.partial):
            for part in ("func", "args", "keywords"):
                self._later(getattr(thing, part), f"{name}.{part}", f"{label}.{part}", mark)
        elif kind in (list, tuple, deque):
            self._sequence(thing, name, label, mark)
        elif isinstance(thing, dict):
            self._dict(thing, name, label, mark)
        elif isinstance(thing, (set, frozenset)):
            self._fact(f"{name} != {self.bind(set(thing))}", name, label, thing, mark)
        elif isinstance(thing, type):
            self._class(thing, name, label)
        elif kind.__name__ == "cell":
            self._later(thing.cell_contents, f"{name}.cell_contents", label, mark)
        else:
            self._instance(thing, name, label, mark)

    def _tensor(self, thing: Any, code: str, label: str, mark: Any) -> None:
        known = self.tensors.get(id(thing))
        if known is not None and "param_groups" in known.label and "param_groups" not in label:
            known.label = label  # the name that it has in its module says more
        if known is None:
            place = Place(thing, code, label, self.bind(thing), mark)
            self.tensors[id(thing)] = place
            self.facts.append(Fact(f"{code} is not {place.name}", code, label, thing, mark, place))
        else:
            self._fact(f"{code} is not {known.name or known.code}", code, label, thing, mark)

    def _array(self, thing: Any, code: str, label: str, mark: Any) -> None:
        if thing.size > _SMALL or thing.dtype.hasobject:
            self.failed = self.failed or f"it can see {label}, a NumPy array: make it a tensor"
            return
        self._fact(f"unlike_array({code}, {self.bind(thing.copy())})", code, label, thing, mark)

    def _sequence(self, thing: Any, name: str, label: str, mark: Any) -> None:
        if len(thing) > _FEW and all(isinstance(each, _PLAIN) for each in thing):
            kinds = self.bind([type(each) for each in thing])
            copy = self.bind(type(thing)(thing))
            self._fact(f"{name} != {copy} or [*map(type, {name})] != {kinds}", name, label, thing,
                       mark)  # fmt: skip
            return
        if not isinstance(thing, tuple):
            self._fact(f"len({name}) != {len(thing)}", f"len({name})", f"len({label})", len(thing),
                       mark)  # fmt: skip
        for i, each in enumerate(thing):
            self._later(each, f"{name}[{i}]", f"{label}[{i}]", mark)

    def _dict(self, thing: Any, name: str, label: str, mark: Any) -> None:
        self._fact(f"len({name}) != {len(thing)}", f"len({name})", f"len({label})", len(thing),
                   mark)  # fmt: skip
        for key, each in thing.items():
            self._later(each, f"{name}[{self._key(key)}]", f"{label}[{_named(key)}]", mark)

    def _function(self, thing: Any, name: str) -> None:
        """What a function's code can see, unless it is of a known package."""
        if _root_package(thing.__module__) in _KNOWN and not _is_users(thing):
            return
        self._fact(f"{name}.__code__ is not {self.bind(thing.__code__)}", name,
                   thing.__qualname__, thing, None)  # fmt: skip
        self._code(thing.__code__, thing)
        for variable, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (),
                                  strict=True):  # fmt: skip
            try:
                content = cell.cell_contents
            except ValueError:
                continue
            self._later(content, f"{self.bind(cell)}.cell_contents", variable,
                        self._marks.get(variable))  # fmt: skip
        for part in (thing.__defaults__ or (), thing.__kwdefaults__ or {}):
            if part:
                self._later(part, self.bind(part), "a default", None)

    def _code(self, code: Any, owner: Any) -> None:
        """The names that a code object, and those inside it, read."""
        if code in self._codes:
            return
        self._codes.add(code)
        self.names.update(code.co_names)
        space = owner.__globals__
        bound = self.bind(space)
        read: dict[str, None] = {}
        for instruction in dis.get_instructions(code):
            name = instruction.argval
            if not isinstance(name, str):
                continue
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                read[name] = None
            if instruction.opname.startswith("LOAD"):
                self._marks.setdefault(name, (code, instruction.offset))
        for name in read:
            if name in space:
                self._later(space[name], f"{bound}[{name!r}]", name, self._marks.get(name))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant, owner)

    def _module(self, thing: Any, name: str, label: str) -> None:
        package = _root_package(thing.__name__)
        if package in _IMPURE or (package == "numpy" and "random" in self.names):
            what = "numpy.random" if package == "numpy" else thing.__name__
            self.failed = self.failed or (f"it uses {what}, whose results are others at each call")
        if package in _KNOWN:
            return
        for each in sorted(self.names & set(thing.__dict__)):
            self._later(thing.__dict__[each], f"{name}.__dict__[{each!r}]", f"{label}.{each}",
                        self._marks.get(each))  # fmt: skip

    def _class(self, thing: Any, name: str, label: str) -> None:
        """A class's attributes, and what its methods can see."""
        for part in thing.__mro__:
            if _root_package(part.__module__) in _KNOWN:
                continue
            bound = self.bind(part)
            for key, each in list(part.__dict__.items()):
                each = getattr(each, "__func__", each)  # of a static or class method
                if isinstance(each, property):
                    each = each.fget
                if isinstance(each, types.FunctionType):
                    self._function(each, self.bind(each))
                elif key in self.names and not key.startswith("__"):
                    self._later(each, f"{bound}.__dict__[{key!r}]", f"{label}.{key}",
                                self._marks.get(key))  # fmt: skip

    def _instance(self, thing: Any, name: str, label: str, mark: Any) -> None:
        kind = type(thing)
        if hasattr(kind, "__next__") and not isinstance(thing, Tensor):
            self.failed = self.failed or f"it can see {label}, an iterator, which moves on"
        package = _root_package(kind.__module__)
        self._class(kind, self.bind(kind), kind.__name__)
        own = getattr(thing, "__dict__", None)
        if own is None or isinstance(thing, Generator):
            return
        if "_parameters" in own and "_modules" in own:
            self._nn_module(thing, own, name, label, mark)
        elif "param_groups" in own and "state" in own:
            self._optimizer(thing, own, name, label, mark)
        elif package not in _KNOWN:
            self._attributes(own, self.names, name, label, mark)

    def _attributes(self, own: Any, names: Any, name: str, label: str, mark: Any) -> None:
        space = f"{name}.__dict__"
        for key in sorted(names):
            if key in own:
                at = self._marks.get(key) or mark
                self._later(own[key], f"{space}[{key!r}]", f"{label}.{key}", at)
            elif key == "__missing__":
                continue

    def _nn_module(self, thing: Any, own: Any, name: str, label: str, mark: Any) -> None:
        """A module: its flags, parameters, buffers, parts, and what its `forward` reads."""
        names = (self.names | _names_of(type(thing))) & set(own) - _NOT_READ  # type: ignore[arg-type]
        names |= {"training", "_hooked"} & set(own)
        self._attributes(own, names, name, label, mark)
        for registry in ("_parameters", "_buffers", "_modules"):
            if not own[registry]:
                self._fact(f"{name}.__dict__[{registry!r}]", name, f"{label}.{registry}", {}, mark)
                continue
            there = own[registry]
            bound = self.bind(there)
            self._fact(f"{name}.__dict__[{registry!r}] is not {bound} or len({bound}) != "
                       f"{len(there)}", name, f"{label}.{registry}", there, mark)  # fmt: skip
            for key, each in there.items():
                dotted = f"{label}[{key}]" if key.isdigit() else f"{label}.{key}"
                self._later(each, f"{bound}[{key!r}]", dotted, mark)
        if own.get("_hooked"):
            for key in own:
                if key.endswith("_hooks"):
                    self._later(own[key], f"{name}.__dict__[{key!r}]", f"{label}.{key}", mark)

    def _optimizer(self, thing: Any, own: Any, name: str, label: str, mark: Any) -> None:
        """An optimizer: its groups, parameters and state."""
        self._attributes(own, self.names - {"param_groups", "state", "defaults"}, name, label, mark)
        groups, state = own["param_groups"], own["state"]
        many = self.bind(groups)
        self._fact(f"{name}.param_groups is not {many} or len({many}) != {len(groups)}", name,
                   f"{label}.param_groups", groups, mark)  # fmt: skip
        for i, group in enumerate(groups):
            where = f"{label}.param_groups[{i}]"
            bound = self.bind(group)
            self._fact(f"{many}[{i}] is not {bound} or len({bound}) != {len(group)}",
                       f"{many}[{i}]", where, group, mark)  # fmt: skip
            for key, value in group.items():
                code, text = f"{bound}[{key!r}]", f"{where}[{key!r}]"
                if type(value) is float or (type(value) is tuple and _floats(value)):
                    copy = self.bind(value)
                    fails = f"{code} is not {copy} and {code} != {copy}"
                    self.options[id(group), key] = Fact(fails, code, text, value, mark)
                else:
                    self._later(value, code, text, mark)
        kept = self.bind(state)
        self._fact(f"{name}.state is not {kept} or len({kept}) != {len(state)}", name,
                   f"{label}.state", state, mark)  # fmt: skip
        for param, each in state.items():
            key = self.bind(param)
            self._later(each, f"{kept}.get({key})", f"{label}.state[...]", mark)
        if "step" in own:
            for key in ("_step_pre_hooks", "_step_post_hooks"):
                self._later(own[key], f"{name}.__dict__[{key!r}]", f"{label}.{key}", mark)

    # The check

    def changed(self, args: Any, kwargs: Any) -> Fact | None:
        """The first fact that does not hold, by looking at each; None if all do."""
        for fact in [*self.facts, *self.options.values()]:
            try:
                failed = eval(fact.fails, self.space, {"args": args, "kwargs": kwargs})
            except Exception:
                failed = True
            if failed:
                return fact
        return None

    def now(self, fact: Fact, args: Any, kwargs: Any) -> Any:
        """What a fact's expression gives now."""
        return eval(fact.code, self.space, {"args": args, "kwargs": kwargs})


def why(reach: Reach, fact: Fact, args: Any, kwargs: Any) -> str:
    """Which fact does not hold, in a sentence."""
    try:
        now = f", now it is {shown(reach.now(fact, args, kwargs))}"
    except Exception:
        now = ", now it is gone"
    where = "" if fact.mark is None else f" (read by {Source(*fact.mark)})"
    return f"{fact}{now}{where}"


def _named(key: Any) -> str:
    return repr(key) if isinstance(key, (str, int)) else "..."


def _floats(values: Any) -> bool:
    return bool(values) and all(type(v) is float for v in values)


def _root_package(name: Any) -> str:
    return (name or "").partition(".")[0]


def _is_users(function: Any) -> bool:
    """Whether a function of a known package stands for the user's code: leafgrad's examples."""
    name = function.__code__.co_filename
    return f"{'leafgrad'}/programs/" in name.replace("\\", "/") and not INTERNAL[name]


# Attributes of modules that no call reads.
_NOT_READ = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set",
             "_is_full_backward_hook", "_forward_hooks", "_forward_pre_hooks", "_backward_hooks",
             "_backward_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks",
             "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
             "_forward_pre_hooks_with_kwargs", "_state_dict_pre_hooks",
             "_load_state_dict_post_hooks"}  # fmt: skip


@functools.lru_cache(maxsize=1024)
def _names_of(kind: type) -> frozenset[str]:
    """The names that the methods of a module's class read, but for those of all modules."""
    names: set[str] = set()
    for part in kind.__mro__:
        if part.__name__ == "Module" and part.__module__ == "leafgrad.nn.module":
            break
        for each in part.__dict__.values():
            code = getattr(each, "__code__", None)
            if code is not None:
                _collect(code, names)
    return frozenset(names)


def _collect(code: Any, names: set[str]) -> None:
    names.update(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _collect(constant, names)


Check = Callable[..., Any]
