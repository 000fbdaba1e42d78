"""Programs: what a captured step computes, as NumPy calls in SSA form.

A program has inputs, instructions and outputs. Every array in it is a `Value`, made once: a write
to memory is an instruction whose result is the memory's new content (`assign`). So passes can move,
merge and drop instructions without asking what else looks at the same memory; what is written
to tensors is written at the very end.

`print(program)` shows it as NumPy code, each line with the expression of the user's that made it;
`program.run(...)` runs that code.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..duck import strided
from ..graph import quiet
from ..graph.source import Source

__all__ = ["Const", "Guard", "Input", "Instr", "Output", "Program", "Value", "assign", "changed",
           "diagonal", "gathered", "laid",
           "place", "recast", "restrided", "scattered", "ufunc_of"]  # fmt: skip


class Value:
    """One array of a program. `strides`: as they were when it was captured."""

    __slots__ = ("dtype", "shape", "strides")

    def __init__(self, array: Any) -> None:
        self.shape, self.dtype, self.strides = array.shape, array.dtype, array.strides

    @property
    def size(self) -> int:
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Input(Value):
    """An array that is given at each run. `label` says which."""

    __slots__ = ("label",)

    def __init__(self, array: Any, label: str = "") -> None:
        super().__init__(array)
        self.label = label


class Const(Value):
    """An array that is always the same."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        super().__init__(array)
        self.array = array


class Instr:
    """A call: `results = function(*args, **kwargs)`. Values may stand in args, also in sequences.

    results: its arrays, None for results that are no arrays; several: whether the function returns
    a tuple; effect: it also draws random numbers, so it is neither dropped nor moved across another
    mark, backward: the user's expression, and whether this is a part of its derivative
    """

    __slots__ = ("args", "backward", "effect", "function", "kwargs", "mark", "results", "several")

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...],
                 kwargs: dict[str, Any], mark: Any = None, backward: bool = False,
                 effect: bool = False) -> None:  # fmt: skip
        self.function, self.args, self.kwargs = function, args, kwargs
        self.mark, self.backward, self.effect = mark, backward, effect
        self.results: tuple[Any, ...] = ()
        self.several = False

    def returns(self, arrays: Any) -> Any:
        """Make the results, like these arrays; returns the Value, or a tuple of Values."""
        self.several = isinstance(arrays, (tuple, list))
        self.results = tuple(
            Value(a) if isinstance(a, np.ndarray) else None
            for a in (arrays if self.several else (arrays,))
        )
        return self.results if self.several else self.results[0]

    def again(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Instr:
        """The same call of other values, for the same results."""
        made = Instr(self.function, args, kwargs, self.mark, self.backward, self.effect)
        made.results, made.several = self.results, self.several
        return made

    def values(self) -> Iterator[Value]:
        """The values that the call reads."""
        yield from values_in(self.args)
        if self.kwargs:
            yield from values_in(self.kwargs)

    def source(self) -> Source | None:
        return None if self.mark is None else Source(*self.mark)


class Output:
    """A value that a run gives back. target: the input whose memory takes it, or None; strides: how
    a new array lies, as in the capture"""

    __slots__ = ("label", "strides", "target", "value")

    def __init__(self, value: Value, label: str, target: Input | None = None,
                 strides: Any = None) -> None:  # fmt: skip
        self.value, self.label, self.target = value, label, target
        self.strides = value.strides if strides is None else strides

    def of(self, value: Value) -> Output:
        """The same output of another value."""
        return Output(value, self.label, self.target, self.strides)


class Guard:
    """What a Python program learnt of a value: the run holds only if it is the same again.

    kind: "bool" for its truth, "value" for all of its elements; expected: a bool or an array
    """

    __slots__ = ("expected", "kind", "mark", "value")

    def __init__(self, value: Value, kind: str, expected: Any, mark: Any) -> None:
        self.value, self.kind, self.expected, self.mark = value, kind, expected, mark

    def holds(self, array: Any) -> bool:
        if self.kind == "bool":
            return bool(array) is self.expected
        if array.dtype.kind in "fc":
            return np.array_equal(array, self.expected, equal_nan=True)
        return np.array_equal(array, self.expected)

    def told(self, array: Any) -> str:
        """That it does not hold, in words."""
        found = bool(array) if self.kind == "bool" else np.asarray(array).tolist()
        return f"{self}, now it is {found}"

    def __str__(self) -> str:
        where = "" if self.mark is None else f" at {Source(*self.mark)}"
        found = self.expected if self.kind == "bool" else np.asarray(self.expected).tolist()
        return f"a value was {found}{where}"


def values_in(tree: Any) -> Iterator[Value]:
    """The values in nested arguments."""
    kind = tree.__class__
    if isinstance(tree, Value):
        yield tree
    elif kind is tuple or kind is list:
        for each in tree:
            yield from values_in(each)
    elif kind is dict:
        for each in tree.values():
            yield from values_in(each)
    elif kind is slice:
        yield from values_in((tree.start, tree.stop, tree.step))


def replaced(tree: Any, by: Callable[[Value], Any]) -> Any:
    """Nested arguments with every value replaced."""
    kind = tree.__class__
    if isinstance(tree, Value):
        return by(tree)
    if kind is tuple:
        return tuple([replaced(each, by) for each in tree])
    if kind is list:
        return [replaced(each, by) for each in tree]
    if kind is dict:
        return {k: replaced(v, by) for k, v in tree.items()}
    if kind is slice:
        return slice(*[replaced(p, by) for p in (tree.start, tree.stop, tree.step)])
    return tree


# Functions of programs, besides NumPy's


def laid(whole: Any, strides: tuple[int, ...]) -> Any:
    """A copy of an array whose elements lie in memory by these strides."""
    if whole.size == 0 or any(s < 0 for s in strides):
        return whole.copy()
    item = whole.itemsize
    reach = item + sum(s * (n - 1) for s, n in zip(strides, whole.shape, strict=True))
    made: Any = np.ndarray(whole.shape, whole.dtype, np.empty(-(-reach // 16) * 2), 0, strides)
    np.copyto(made, whole)
    return made


def restrided(array: Any, strides: tuple[int, ...], shape: tuple[int, ...], to: tuple[int, ...],
              offset: int = 0) -> Any:  # fmt: skip
    """Other places of the memory of an array that lies by `strides`: `offset` bytes on, a shape
    and the strides `to`. A view if the array lies so, else of a copy."""
    if array.strides != strides:
        array = laid(array, strides)
    return strided(array, shape, to, offset)


def recast(array: Any, dtype: Any) -> Any:
    """The memory of an array as another dtype: its last dimension lies without gaps."""
    if array.ndim and array.strides[-1] != array.itemsize and array.itemsize != dtype.itemsize:
        array = np.ascontiguousarray(array)
    return array.view(dtype)


def _key(places: Any, shape: tuple[int, ...], indices: Any) -> tuple[Any, ...]:
    """The index that `gathered` and `scattered` mean."""
    key = []
    for kind, number in places:
        if kind == "index":
            key.append(indices[number])
        else:
            n = shape[number]
            key.append(np.arange(n).reshape((n, *(1,) * (len(shape) - 1 - number))))
    return tuple(key)


def gathered(array: Any, shape: tuple[int, ...], places: Any, *indices: Any) -> Any:
    """Elements of an array at indices: result[r] = array[i0, i1...] where, by `places`, each i is
    an element of an index at r ("index", which) or a part of r itself ("axis", which)."""
    return np.broadcast_to(array[_key(places, shape, indices)], shape)


def scattered(array: Any, places: Any, values: Any, *indices: Any) -> Any:
    """`array` with values added at indices, as `gathered` reads them."""
    made = np.array(array)
    np.add.at(made, _key(places, values.shape, indices), values)
    return made


def diagonal(array: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """np.diagonal, as a view that can be written to."""
    found = np.diagonal(array, offset, axis1, axis2)
    if isinstance(array, np.ndarray) and array.flags.writeable:
        found.flags.writeable = True
    return found


def place(whole: Any, path: Any) -> Any:
    """The view at the end of a path: (function, args, kwargs) one after the other."""
    for function, args, kwargs in path:
        whole = function(whole, *args, **kwargs)
    return whole


def assign(whole: Any, path: Any, strides: tuple[int, ...], value: Any) -> Any:
    """`whole` with `value` written to the view at the end of a path."""
    made = laid(whole, strides)
    np.copyto(place(made, path), value, casting="unsafe")
    return made


def changed(function: Callable[..., Any], target: Any, *args: Any, **kwargs: Any) -> Any:
    """`target` after a function has written to it."""
    made = np.array(target)
    function(made, *args, **kwargs)
    return made


# Programs


class Program:
    """Inputs, instructions in order, outputs, and the guards that a run must meet.

    constants are inside the instructions; `name` is that of the captured function
    """

    def __init__(self, name: str = "step") -> None:
        self.name = name
        self.inputs: list[Input] = []
        self.instrs: list[Instr] = []
        self.outputs: list[Output] = []
        self.guards: list[Guard] = []
        self._function: Any = None

    def but(self, instrs: Iterable[Instr], outputs: Any = None, guards: Any = None) -> Program:
        """The program with other instructions."""
        made = Program(self.name)
        made.inputs, made.instrs = list(self.inputs), list(instrs)
        made.outputs = self.outputs if outputs is None else outputs
        made.guards = self.guards if guards is None else guards
        return made

    def emit(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
             arrays: Any, **more: Any) -> Any:  # fmt: skip
        """Append a call whose results are like `arrays`; returns its Value or Values."""
        instr = Instr(function, args, kwargs, **more)
        self.instrs.append(instr)
        return instr.returns(arrays)

    def wanted(self) -> list[Value]:
        """What a run has to compute: the outputs, then what guards look at."""
        return [o.value for o in self.outputs] + [g.value for g in self.guards]

    def makers(self) -> dict[Value, Instr]:
        """The instruction that makes each value."""
        return {r: instr for instr in self.instrs for r in instr.results if r is not None}

    def constants(self) -> list[Const]:
        """The constant arrays, each once."""
        found: dict[Const, None] = {}
        for instr in self.instrs:
            found.update((v, None) for v in instr.values() if isinstance(v, Const))
        found.update((v, None) for v in self.wanted() if isinstance(v, Const))
        return list(found)

    def run(self, *arrays: Any) -> tuple[list[Any], list[Any]]:
        """The outputs and what guards look at, computed by NumPy from arrays for the inputs."""
        if self._function is None:
            self._function = self.compiled()
        token = quiet.enter()
        try:
            found = self._function(*arrays)
        finally:
            quiet.leave(token)
        count = len(self.outputs)
        return found[:count], found[count:]

    def compiled(self) -> Callable[..., Any]:
        """The program as a Python function of its inputs; it returns a list of all it computes."""
        text = Text(self)
        lines = [f"def run({', '.join(text.names[i] for i in self.inputs)}):"]
        last = self._last_uses()
        for index, instr in enumerate(self.instrs):
            lines.append(f"    {text.line(instr)}")
            for value, name in text.checked(instr):
                lines.append(f"    if {name}.shape != {value.shape!r}: raise Mismatch")
            dead = [text.names[v] for v in last.get(index, ()) if v.nbytes > 4096]
            if dead:
                lines.append(f"    del {', '.join(dead)}")
        wanted = self.wanted()
        made = self.makers()
        given = [_own(v, text, made.get(v), wanted[:n]) for n, v in enumerate(wanted)]
        lines.append(f"    return [{', '.join(given)}]")
        space: dict[str, Any] = {**text.space, "Mismatch": Mismatch}
        exec(compile("\n".join(lines), f"<{self.name}>", "exec"), space)
        return space["run"]  # type: ignore[no-any-return]

    def _last_uses(self) -> dict[int, list[Value]]:
        """Instruction number -> the results of earlier ones that it is the last to read."""
        last: dict[Value, int] = {}
        for index, instr in enumerate(self.instrs):
            for value in (*instr.values(), *(r for r in instr.results if r is not None)):
                last[value] = index
        for value in (*self.wanted(), *self.inputs, *self.constants()):
            last.pop(value, None)
        found: dict[int, list[Value]] = {}
        for value, index in last.items():
            found.setdefault(index, []).append(value)
        return found

    def __str__(self) -> str:
        text = Text(self, readable=True)
        lines = [f"def {self.name}({', '.join(text.names[i] for i in self.inputs)}):"]
        for value in self.inputs:
            lines.append(f"    # {text.names[value]}: {described(value)}  {value.label}")
        for const in self.constants():
            if const in text.names:
                lines.append(f"    # {text.names[const]}: {described(const)}  constant")
        before = None
        for instr in self.instrs:
            comment = _comment(instr)
            shown = "" if comment == before else comment
            before = comment
            line = f"    {text.line(instr)}"
            lines.append(f"{line:<58}  # {shown}" if shown else line)
        for guard in self.guards:
            lines.append(f"    assert {text.guard(guard)}")
        outs = [text.of(o.value) for o in self.outputs]
        lines.append(f"    return {', '.join(outs) or None}")
        for output, name in zip(self.outputs, outs, strict=True):
            lines.append(f"    # {name}: {output.label}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Program {self.name}: {len(self.inputs)} inputs, {len(self.instrs)} instructions>"


def _own(value: Value, text: Text, instr: Instr | None, before: list[Value]) -> str:
    """A result as an array that shares memory with nothing."""
    name = text.of(value)
    if instr is None or not fresh(instr) or value in before:
        return f"np.array({name})"
    return name if value.ndim else f"np.asarray({name})"


def fresh(instr: Instr) -> bool:
    """Whether an instruction's results are surely memory of their own."""
    function = instr.function
    if ufunc_of(function)[0] is not None:
        return True
    return function in _FRESH and instr.kwargs.get("copy", True)


class Mismatch(Exception):
    """A run found an array of another shape than the capture: it does not hold."""


def described(value: Value) -> str:
    """A value's dtype and shape: f32[64, 784]."""
    return f"{value.dtype.name}[{', '.join(map(str, value.shape))}]"


def _comment(instr: Instr) -> str:
    source = instr.source()
    if source is None:
        return ""
    return f"{'backward of ' if instr.backward else ''}{source}"


# Functions whose results have shapes that follow from those of their arguments.
STEADY = {
    np.where, np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.broadcast_to, np.concatenate,
    np.stack, np.expand_dims, np.squeeze, np.copy, np.zeros_like, np.ones_like, np.empty_like,
    np.full_like, np.dot, np.sum, np.prod, np.mean, np.ravel, np.flip, np.roll, np.clip, np.einsum,
    np.cumsum, np.cumprod, np.argmax, np.argmin, np.argsort, np.sort, np.take_along_axis, np.pad,
    np.real, np.imag, np.split, np.outer, np.tensordot, np.diagonal, np.tril, np.triu, np.isclose,
    np.isfinite, np.isnan, np.full, np.zeros, np.ones, np.arange, assign, restrided, laid,
    diagonal, gathered, scattered, recast, np.ndarray.astype, np.ndarray.copy, np.ndarray.view,
}  # fmt: skip


_FRESH = {assign, changed, laid, np.where, np.concatenate, np.stack, np.copy, np.zeros, np.ones,
          np.full, np.zeros_like, np.ones_like, np.full_like, np.dot, np.outer, np.ndarray.astype,
          np.ndarray.copy}  # fmt: skip


def ufunc_of(function: Any) -> tuple[Any, str]:
    """The ufunc of a function that is one or a method of one, and the method; else (None, "")."""
    if isinstance(function, np.ufunc):
        return function, "__call__"
    owner = getattr(function, "__self__", None)
    return (owner, function.__name__) if isinstance(owner, np.ufunc) else (None, "")


def steady(instr: Instr) -> bool:
    """Whether the shapes of the results follow from shapes and Python values alone."""
    function = instr.function
    if function in STEADY or ufunc_of(function)[0] is not None or function is changed:
        return True
    if function is operator.getitem:
        index = instr.args[1]
        parts = index if index.__class__ is tuple else (index,)
        return not any(isinstance(p, Value) and p.dtype.kind == "b" for p in parts)
    return instr.effect and function.__name__ != "permutation"


class Text:
    """A program's names, and its instructions as lines of Python.

    readable: constants of no dimensions as they are written, for people; else all are names;
    prefix: before the names of what is bound for the run
    """

    def __init__(self, program: Program, readable: bool = False, prefix: str = "") -> None:
        self.readable, self._prefix = readable, prefix
        self.space: dict[str, Any] = {"np": np}
        self.names: dict[Value, str] = {}
        self._objects: dict[int, str] = {}
        taken: set[str] = set()
        for number, value in enumerate(program.inputs):
            name = _identifier(value.label) or f"i{number}"
            while name in taken:
                name = f"{name}_{number}"
            taken.add(name)
            self.names[value] = name
        for const in program.constants():
            if not readable or const.ndim:
                self.names[const] = name = f"{prefix}c{len(self.space)}"
                self.space[name] = const.array
        number = 0
        for instr in program.instrs:
            for value in instr.results:
                if value is not None:
                    self.names[value] = f"v{number}"
                    number += 1

    def line(self, instr: Instr) -> str:
        """An instruction as a statement."""
        names = [self.names.get(v, "_") if v is not None else "_" for v in instr.results]
        left = f"{', '.join(names)}{',' if len(names) == 1 else ''}" if instr.several else names[0]
        return f"{left} = {self.call(instr)}"

    def checked(self, instr: Instr) -> list[tuple[Value, str]]:
        """The results whose shapes must be looked at."""
        if steady(instr):
            return []
        return [(v, self.names[v]) for v in instr.results if v is not None]

    def call(self, instr: Instr) -> str:
        """The right side of an instruction."""
        function, args = instr.function, instr.args
        if function is operator.getitem:
            return f"{self.of(args[0])}[{self.index(args[1])}]"
        owner = getattr(function, "__objclass__", None)
        if owner is np.ndarray:
            rest = self.listed(args[1:], instr.kwargs)
            return f"{self.of(args[0])}.{function.__name__}({rest})"
        if self.readable and function is assign:
            whole, path, _, value = args
            return f"assign({self.of(whole)}, {self.path(path)!r}, {self.of(value)})"
        if (name := _SYMBOLS.get(function)) and self.readable and not instr.kwargs:
            shown = [self.of(a) for a in args]
            return f"{name}{shown[0]}" if len(shown) == 1 else f" {name} ".join(shown)
        return f"{self.function(function)}({self.listed(args, instr.kwargs)})"

    def listed(self, args: Any, kwargs: Any) -> str:
        return ", ".join([*map(self.of, args), *(f"{k}={self.of(v)}" for k, v in kwargs.items())])

    def path(self, path: Any) -> str:
        """A path as the indexing and the methods that it stands for: `[2:5].transpose()`."""
        parts = []
        for function, args, kwargs in path:
            if function is operator.getitem:
                parts.append(f"[{self.index(args[0])}]")
            else:
                parts.append(f".{function.__name__}({self.listed(args, kwargs)})")
        return "".join(parts)

    def index(self, tree: Any) -> str:
        """An index as it is written in brackets."""
        if tree.__class__ is tuple and tree:
            return ", ".join(map(self._part, tree)) + ("," if len(tree) == 1 else "")
        return self._part(tree)

    def _part(self, part: Any) -> str:
        if part.__class__ is slice:
            ends = ["" if e is None else self.of(e) for e in (part.start, part.stop)]
            return ":".join(ends) + (f":{self.of(part.step)}" if part.step is not None else "")
        return self.of(part)

    def of(self, tree: Any) -> str:
        """A value's name, or a literal."""
        kind = tree.__class__
        if isinstance(tree, Value):
            if tree in self.names:
                return self.names[tree]
            assert isinstance(tree, Const)
            return f"{tree.dtype.name}({tree.array.item()!r})"
        if kind is tuple:
            return f"({', '.join(map(self.of, tree))}{',' if len(tree) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(map(self.of, tree))}]"
        if kind is dict:
            return "{" + ", ".join(f"{k!r}: {self.of(v)}" for k, v in tree.items()) + "}"
        if kind is slice:
            return f"slice({self.of(tree.start)}, {self.of(tree.stop)}, {self.of(tree.step)})"
        if tree is None or tree is Ellipsis or kind in (bool, int, str):
            return "..." if tree is Ellipsis else repr(tree)
        if kind is float and tree == tree and tree not in (float("inf"), float("-inf")):
            return repr(tree)
        if self.readable and isinstance(tree, np.dtype):
            return f"np.{tree.name}"
        if self.readable and isinstance(tree, type) and issubclass(tree, np.generic):
            return f"np.{tree.__name__}"
        if self.readable and isinstance(tree, (float, complex, np.generic)):
            return repr(tree)
        return self.function(tree)

    def function(self, thing: Any) -> str:
        """The name of a function, or of any other object: NumPy's own, or one bound for the run."""
        ufunc, method = ufunc_of(thing)
        if ufunc is not None and getattr(np, ufunc.__name__, None) is ufunc:
            return f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        name = getattr(thing, "__name__", None)
        if name and getattr(np, name, None) is thing:
            return f"np.{name}"
        if name and getattr(thing, "__module__", "") == "numpy.linalg":
            return f"np.linalg.{name}"
        found = self._objects.get(id(thing))
        if found is None:
            stem = _identifier(name or thing.__class__.__name__.lower()) or "thing"
            found = stem = self._prefix + stem
            while found in self.space or found in _BUILTINS:
                found = f"{stem}_{len(self.space)}"
            self._objects[id(thing)] = found
            self.space[found] = thing
        return found

    def guard(self, guard: Guard) -> str:
        """A guard as an assertion."""
        name = self.of(guard.value)
        where = "" if guard.mark is None else f"  # {Source(*guard.mark)}"
        if guard.kind == "bool":
            return f"{'' if guard.expected else 'not '}{name}{where}"
        return f"{name} == {np.asarray(guard.expected).tolist()}{where}"


_BUILTINS = frozenset(dir(builtins))

_SYMBOLS: dict[Any, str] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.matmul: "@",
    np.power: "**", np.negative: "-", np.equal: "==", np.not_equal: "!=", np.less: "<",
    np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.bitwise_and: "&",
    np.bitwise_or: "|", np.bitwise_xor: "^", np.invert: "~",
}  # fmt: skip


def _identifier(label: str) -> str:
    """A label as a Python name: `model.0.weight` -> model_0_weight."""
    parts: list[str] = []
    for c in label:
        parts.append(c if c.isalnum() and c.isascii() else "_")
    name = "_".join(p for p in "".join(parts).split("_") if p)
    return name if name.isidentifier() and name not in ("np", "run") else ""
