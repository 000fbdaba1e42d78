"""Pickles of checkpoints: written under PyTorch's names, read without running anything.

The reader is a machine of its own for the few instructions that such pickles need. A global name in
the file is looked up in a table and nowhere else, nothing is imported, and only the functions in
that table are called. Python's own unpickler cannot be held to that: its BUILD sets
attributes on whatever it is given.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, ClassVar


class Global:
    """A name in a pickle, module and all, of something that need not exist here."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *args: Any) -> Any:
        raise TypeError("only a name")

    def __repr__(self) -> str:
        return f"{self.module}.{self.name}"


_PythonPickler: Any = pickle._Pickler  # type: ignore[attr-defined]  # the one that can be told names


class Writer(_PythonPickler):  # type: ignore[misc]
    """Pickles under names that the reader's side knows.

    rename: a class or function -> its Global, or None for its own; reduce: an object -> (Global,
    arguments) or NotImplemented; persistent: an object -> its persistent id or None
    """

    dispatch: ClassVar[dict[Any, Any]] = dict(_PythonPickler.dispatch)

    def __init__(self, file: Any, protocol: int, rename: Callable[[Any], Global | None],
                 reduce: Callable[[Any], Any], persistent: Callable[[Any], Any]) -> None:  # fmt: skip
        super().__init__(file, protocol)
        self.rename = rename
        self.reducer_override = reduce
        self.persistent_id = persistent

    def save_name(self, value: Global) -> None:
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        self.memoize(value)

    dispatch[Global] = save_name

    def save_global(self, obj: Any, name: str | None = None) -> None:
        renamed = self.rename(obj)
        if renamed is None:
            super().save_global(obj, name)
        else:
            self.write(pickle.GLOBAL + f"{renamed.module}\n{renamed.name}\n".encode())
            self.memoize(obj)

    def save_type(self, obj: Any) -> None:
        special = {type(None): (None,), type(NotImplemented): (NotImplemented,), type(...): (...,)}
        if obj in special:
            self.save_reduce(type, special[obj], obj=obj)
        else:
            self.save_global(obj)

    dispatch[type] = save_type


class Table:
    """What a pickle may name.

    find: module and name -> the object, or an error; may_call: whether REDUCE may call an object;
    setter: an object -> the function (object, state) for its BUILD, None if it has none
    """

    def __init__(self, find: Callable[[str, str], Any], may_call: Callable[[Any], bool],
                 setter: Callable[[Any], Any]) -> None:  # fmt: skip
        self.find, self.may_call, self.setter = find, may_call, setter


_MARK = object()


def read(data: bytes, table: Table, persistent: Callable[[Any], Any]) -> Any:
    """The object of a pickle. UnpicklingError for anything out of the ordinary."""
    try:
        return _Machine(data, table, persistent).run()
    except pickle.UnpicklingError:
        raise
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, struct.error, EOFError,
            OverflowError, RecursionError, MemoryError) as error:  # fmt: skip
        raise pickle.UnpicklingError(
            f"Weights only load failed. The pickle is damaged: {type(error).__name__}: {error}"
        ) from error


class _Machine:
    def __init__(self, data: bytes, table: Table, persistent: Callable[[Any], Any]) -> None:
        self.file, self.table, self.persistent = io.BytesIO(data), table, persistent
        self.size = len(data)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        file, steps = self.file, _STEPS
        while True:
            code = file.read(1)
            if not code:
                raise EOFError("it ends too early")
            if code == pickle.STOP:
                return self.stack.pop()
            step = steps.get(code)
            if step is None:
                raise pickle.UnpicklingError(
                    f"Weights only load failed. Unsupported operand {code[0]}"
                )
            step(self)

    def bytes(self, count: int) -> bytes:
        if count < 0 or count > self.size:
            raise ValueError(f"a length of {count} in a pickle of {self.size} bytes")
        found = self.file.read(count)
        if len(found) != count:
            raise EOFError("it ends too early")
        return found

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.bytes(struct.calcsize(layout)))[0]

    def line(self) -> str:
        found = self.file.readline()
        if not found.endswith(b"\n"):
            raise EOFError("it ends too early")
        return found[:-1].decode()

    def to_mark(self) -> list[Any]:
        stack = self.stack
        place = len(stack) - 1
        while stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError("no mark")
        found = stack[place + 1 :]
        del stack[place:]
        return found

    def push(self, value: Any) -> None:
        self.stack.append(value)

    # Instructions

    def name(self) -> None:
        module, name = self.line(), self.line()
        self.push(self.table.find(module, name))

    def stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (type(name) is str and type(module) is str):
            raise TypeError("a global name that is not text")
        self.push(self.table.find(module, name))

    def reduce(self) -> None:
        args, function = self.stack.pop(), self.stack[-1]
        if type(args) is not tuple or not self.table.may_call(function):
            raise pickle.UnpicklingError(
                f"Weights only load failed. Trying to call reduce for unrecognized function "
                f"{function!r}"
            )
        self.stack[-1] = function(*args)

    def new_object(self) -> None:
        args, cls = self.stack.pop(), self.stack.pop()
        if type(args) is not tuple or not self.table.may_call(cls):
            raise pickle.UnpicklingError(
                f"Weights only load failed. Trying to call __new__ of unrecognized class {cls!r}"
            )
        self.push(cls.__new__(cls, *args))

    def build(self) -> None:
        state, value = self.stack.pop(), self.stack[-1]
        setter = self.table.setter(value)
        if setter is None:
            raise pickle.UnpicklingError(
                f"Weights only load failed. Can only build Tensor, Parameter, OrderedDict or types "
                f"allowlisted via `add_safe_globals`, but got {type(value)}"
            )
        setter(value, state)

    def dictionary(self) -> None:
        items = self.to_mark()
        self.push(dict(zip(items[::2], items[1::2], strict=True)))

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.target(dict)[key] = value

    def set_items(self) -> None:
        items = self.to_mark()
        target = self.target(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[key] = value

    def append(self) -> None:
        value = self.stack.pop()
        self.target(list).append(value)

    def appends(self) -> None:
        items = self.to_mark()
        self.target(list).extend(items)

    def add_items(self) -> None:
        items = self.to_mark()
        self.target(set).update(items)

    def target(self, kind: type) -> Any:
        """The container on top of the stack, which must be one."""
        if not isinstance(self.stack[-1], kind):
            raise TypeError(f"{type(self.stack[-1]).__name__} where a {kind.__name__} should be")
        return self.stack[-1]

    def put(self, index: int) -> None:
        if not self.stack:
            raise IndexError("nothing to remember")
        self.memo[index] = self.stack[-1]

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("too few items")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.push(items)

    def text(self, layout: str) -> None:
        self.push(self.bytes(self.number(layout)).decode("utf-8", "surrogatepass"))

    def frame(self) -> None:
        self.number("<Q")

    def protocol(self) -> None:
        if self.number("<B") > 5:
            raise ValueError("a protocol of the future")


_P = pickle
_STEPS: dict[bytes, Callable[[_Machine], Any]] = {
    _P.PROTO: _Machine.protocol,
    _P.FRAME: _Machine.frame,
    _P.GLOBAL: _Machine.name,
    _P.STACK_GLOBAL: _Machine.stack_name,
    _P.REDUCE: _Machine.reduce,
    _P.NEWOBJ: _Machine.new_object,
    _P.BUILD: _Machine.build,
    _P.MARK: lambda m: m.push(_MARK),
    _P.POP: lambda m: m.stack.pop(),
    _P.NONE: lambda m: m.push(None),
    _P.NEWTRUE: lambda m: m.push(True),
    _P.NEWFALSE: lambda m: m.push(False),
    _P.BININT: lambda m: m.push(m.number("<i")),
    _P.BININT1: lambda m: m.push(m.number("<B")),
    _P.BININT2: lambda m: m.push(m.number("<H")),
    _P.LONG1: lambda m: m.push(int.from_bytes(m.bytes(m.number("<B")), "little", signed=True)),
    _P.BINFLOAT: lambda m: m.push(m.number(">d")),
    _P.BINUNICODE: lambda m: m.text("<I"),
    _P.SHORT_BINUNICODE: lambda m: m.text("<B"),
    _P.BINUNICODE8: lambda m: m.text("<Q"),
    _P.BINBYTES: lambda m: m.push(m.bytes(m.number("<I"))),
    _P.SHORT_BINBYTES: lambda m: m.push(m.bytes(m.number("<B"))),
    _P.EMPTY_DICT: lambda m: m.push({}),
    _P.EMPTY_LIST: lambda m: m.push([]),
    _P.EMPTY_TUPLE: lambda m: m.push(()),
    _P.EMPTY_SET: lambda m: m.push(set()),
    _P.DICT: _Machine.dictionary,
    _P.LIST: lambda m: m.push(m.to_mark()),
    _P.TUPLE: lambda m: m.push(tuple(m.to_mark())),
    _P.FROZENSET: lambda m: m.push(frozenset(m.to_mark())),
    _P.TUPLE1: lambda m: m.tuple_of(1),
    _P.TUPLE2: lambda m: m.tuple_of(2),
    _P.TUPLE3: lambda m: m.tuple_of(3),
    _P.SETITEM: _Machine.set_item,
    _P.SETITEMS: _Machine.set_items,
    _P.APPEND: _Machine.append,
    _P.APPENDS: _Machine.appends,
    _P.ADDITEMS: _Machine.add_items,
    _P.BINPUT: lambda m: m.put(m.number("<B")),
    _P.LONG_BINPUT: lambda m: m.put(m.number("<I")),
    _P.MEMOIZE: lambda m: m.put(len(m.memo)),
    _P.BINGET: lambda m: m.push(m.memo[m.number("<B")]),
    _P.LONG_BINGET: lambda m: m.push(m.memo[m.number("<I")]),
    _P.BINPERSID: lambda m: m.push(m.persistent(m.stack.pop())),
}
