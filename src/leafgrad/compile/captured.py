"""The array that a tensor shows while a step is captured: real numbers, and a name for them.

A `Captured` holds the real array, and knows which `Value` of the program it is. Every NumPy call on
it goes to the recorder (`capture`), which makes it on the real arrays and notes it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..duck import Duck, Opaque, address, strided
from ..graph import engine
from ..graph.source import INTERNAL
from ..tensor import Tensor
from .program import Input, Value

__all__ = ["Captured", "Storage", "plain", "same_elements", "same_place"]

_OPERATORS = os.path.join(os.path.dirname(engine.__file__), "operator.py")
_NUMPY = os.path.dirname(np.__file__) + os.sep
_MOST_LEARNT = 4096


class Storage:
    """Memory, and the value that it has now. `strides`: how its whole lies; input: if it was there
    before; before: a copy of its content, once it was written; epoch: the number of writes"""

    __slots__ = ("array", "before", "epoch", "input", "value")

    def __init__(self, array: Any, value: Value) -> None:
        self.array, self.value, self.epoch = array, value, 0
        self.input = value if isinstance(value, Input) else None
        self.before: Any = None


class Captured(Duck):
    """A real array, and which value of the program it is.

    held: the array; a view has a parent and the call (`link`) that takes it from there; seen: its
    own value, as of an epoch of its storage
    """

    __slots__ = ("_epoch", "_link", "_parent", "_recorder", "_seen", "_storage", "held")
    rank = 0

    def __init__(self, recorder: Any, held: Any, storage: Storage, parent: Any = None,
                 link: Any = None, seen: Any = None) -> None:  # fmt: skip
        self.held, self._recorder, self._storage = held, recorder, storage
        self._parent, self._link = parent, link
        self._seen, self._epoch = seen, storage.epoch

    # What an array shows of itself without its numbers

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return self.held.shape

    @property
    def dtype(self) -> Any:  # type: ignore[override]
        return self.held.dtype

    @property
    def strides(self) -> Any:
        return self.held.strides

    @property
    def flags(self) -> Any:
        return self.held.flags

    @property
    def base(self) -> Any:
        """The whole memory of a view; None for what is no view."""
        whole = self._storage.array
        if same_place(whole, self.held):
            return None
        return Captured(self._recorder, whole, self._storage)

    @property
    def whole(self) -> Any:
        """Itself: it holds one example."""
        return self

    @property
    def address(self) -> int:
        """Where the array lies: places of views are told by differences of these."""
        return address(self.held)

    def strided(self, shape: Any, strides: Any, start: int) -> Any:
        """A window on its memory: see `duck.strided`."""
        if self._recorder.done:
            return strided(self.held, shape, strides, start)
        return self._recorder.window(self, shape, strides, start)

    def window(self, memory: Any, shape: Any, strides: Any, start: int) -> Any:
        """Likewise, on memory that is given."""
        return strided(memory, shape, strides, start)

    def _get_real(self) -> Any:
        return np.real(self)

    def _get_imag(self) -> Any:
        return np.imag(self)

    def _set_real(self, value: Any) -> None:
        np.real(self)[...] = value

    def _set_imag(self, value: Any) -> None:
        np.imag(self)[...] = value

    real = property(_get_real, _set_real)
    imag = property(_get_imag, _set_imag)

    # Calls

    def value(self) -> Value:
        """The value that it has now."""
        storage = self._storage
        if self._parent is None:
            return storage.value
        if self._epoch != storage.epoch:
            function, args, kwargs = self._link
            whole = self._parent.value()
            self._seen = self._recorder.emit(function, (whole, *args), kwargs, self.held)
            self._epoch = storage.epoch
        return self._seen  # type: ignore[no-any-return]

    def call(self, function: Callable[..., Any], args: tuple[Any, ...],
             kwargs: dict[str, Any]) -> Any:  # fmt: skip
        recorder = self._recorder
        if recorder.done or threading.get_ident() != recorder.thread:
            return function(*plain(args), **plain(kwargs))
        if _has_tensor(args):
            return NotImplemented
        return recorder.call(function, args, kwargs)

    def opaque(self, function: Callable[..., Any], args: tuple[Any, ...],
               kwargs: dict[str, Any]) -> Any:  # fmt: skip
        recorder = self._recorder
        if recorder.done or threading.get_ident() != recorder.thread:
            return function(*plain(args), **plain(kwargs))
        return recorder.opaque(function, args, kwargs)

    # Where Python learns numbers

    def item(self, *place: Any) -> Any:
        if not self._recorder.done and _opaque_is_caught():
            raise Opaque("a captured array gives no number")  # NumPy asks when it is assigned
        self._learn()
        return self.held.item(*place)

    def tolist(self) -> Any:
        self._learn()
        return self.held.tolist()

    def __bool__(self) -> bool:
        found = bool(self.held)  # ValueError unless of one element
        if not self._recorder.done:
            self._recorder.guard(self.value(), "bool", found)
        return found

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self._recorder.done:
            return np.array(self.held, dtype=dtype, copy=copy)
        if _opaque_is_caught():
            raise Opaque("a captured array gives no memory")
        self._recorder.fail("a NumPy array is made of a tensor's values, which what follows it "
                            "may change")  # fmt: skip
        return np.array(self.held, dtype=dtype)

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._recorder.fail("a tensor is pickled")
        return self.held.__reduce_ex__(protocol)

    def __repr__(self) -> str:
        self._learn()
        return repr(self.held)

    def _learn(self) -> None:
        if not self._recorder.done:
            if self.held.size > _MOST_LEARNT:
                self._recorder.fail("many numbers of a tensor are read")
            else:
                self._recorder.guard(self.value(), "value", self.held.copy())


def plain(tree: Any) -> Any:
    """Arguments with the real arrays in place of captured ones."""
    kind = tree.__class__
    if kind is Captured:
        return tree.held
    if kind is tuple or kind is list:
        return kind(map(plain, tree))
    if kind is dict:
        return {k: plain(v) for k, v in tree.items()}
    if kind is slice:
        return slice(plain(tree.start), plain(tree.stop), plain(tree.step))
    return tree


def _has_tensor(args: Any) -> bool:
    return any(isinstance(a, Tensor) or (a.__class__ in (tuple, list) and _has_tensor(a))
               for a in args)  # fmt: skip


def _opaque_is_caught() -> bool:
    """Whether an operator is at work, which will do its computation as a whole."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name == _OPERATORS or (name.endswith("duck.py") and INTERNAL[name]):
            return True
        if not INTERNAL[name] and not name.startswith(_NUMPY):
            return False
        frame = frame.f_back
    return False


def same_place(x: Any, y: Any) -> bool:
    """Whether two arrays are the same elements in the same order."""
    return x.shape == y.shape and x.strides == y.strides and same_elements(x, y, False)


def same_elements(x: Any, y: Any, dense: bool = True) -> bool:
    """Whether two arrays begin at one place and, if `dense`, both lie there without gaps."""
    if x.dtype != y.dtype or x.size != y.size:
        return False
    if dense and not (x.flags.c_contiguous and y.flags.c_contiguous):
        return False
    return address(x) == address(y)
