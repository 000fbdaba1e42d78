"""The watch: while a step is captured, what it does to tensors goes through the recorder.

Reads and writes of tensors' arrays and gradients, random numbers, the options of optimizers, and what
hands out memory: for the time of a capture, the classes have other methods. In eager runs nothing
is in the way.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from ..generator import Generator
from ..tensor import Tensor
from .captured import Captured

__all__ = ["get", "get_state", "put", "recording", "set_state", "start", "stop"]

_ARRAY = Tensor.__dict__["_array"]
get, put = _ARRAY.__get__, _ARRAY.__set__  # the slot itself: reads and writes that nobody notes

# The recorder at work, and the one lock: tensors show their arrays through it, in all threads.
_lock = threading.RLock()
_current: Any = None


def recording() -> Any:
    """The recorder at work in this thread; None if there is none."""
    found = _current
    return found if found is not None and found.thread == threading.get_ident() else None


def start(recorder: Any) -> None:
    """Let a recorder see what this thread does to tensors. Other threads' captures wait."""
    global _current
    _lock.acquire()
    _current = recorder
    _patch()


def stop() -> None:
    """Undo `start`."""
    global _current
    _unpatch()
    _current = None
    _lock.release()


def _read_array(tensor: Any) -> Any:
    array = get(tensor)
    if array.__class__ is Captured:
        return array if threading.get_ident() == array._recorder.thread else array.held
    recorder = recording()
    return array if recorder is None else recorder.tensor_read(tensor, array)


def _write_array(tensor: Any, array: Any) -> None:
    recorder = recording()
    if recorder is None:
        put(tensor, array)
    else:
        recorder.tensor_write(tensor, array)


def _read_grad(tensor: Any) -> Any:
    recorder = recording()
    if recorder is not None:
        recorder.note(tensor)
    return tensor.__dict__.get("_grad")


def _write_grad(tensor: Any, value: Any) -> None:
    recorder = recording()
    if recorder is not None:
        recorder.note(tensor)
    tensor.__dict__["_grad"] = value


def _drawing(name: str) -> Any:
    method = getattr(Generator, name)

    def draw(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = recording()
        if recorder is None or recorder._depth:
            return method(self, *args, **kwargs)
        recorder._depth += 1
        try:
            return recorder.draw(self, method, args, kwargs)
        finally:
            recorder._depth -= 1

    return draw


def _failing(owner: Any, name: str, reason: str) -> Any:
    method = getattr(owner, name)

    def failing(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = recording()
        if recorder is not None and not recorder._depth:
            recorder.fail(reason)
            found = method(self, *args, **kwargs)
            return found.held if found.__class__ is Captured else found
        return method(self, *args, **kwargs)

    return failing


class _Live:
    """An optimizer's group whose floats are inputs of the program, read anew at each run."""

    __slots__ = ("_group", "_recorder")

    def __init__(self, recorder: Any, group: dict[str, Any]) -> None:
        self._recorder, self._group = recorder, group

    def __getitem__(self, key: str) -> Any:
        value = self._group[key]
        if type(value) is float:
            return self._recorder.scalar(self._group, key, value)
        if type(value) is tuple and value and all(type(v) is float for v in value):
            scalar, group = self._recorder.scalar, self._group
            return tuple(scalar(group, (key, i), v) for i, v in enumerate(value))
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._recorder.fail("an optimizer changes its own options")
        self._group[key] = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)

    def __contains__(self, key: str) -> bool:
        return key in self._group

    def __iter__(self) -> Any:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)


def _live_group(group: dict[str, Any]) -> Any:
    recorder = recording()
    return group if recorder is None else _Live(recorder, group)


_DRAWS = ("uniform", "normal", "log_normal", "integers", "random", "permutation", "bernoulli",
          "bernoulli_tensor", "exponential", "cauchy", "geometric", "multinomial", "manual_seed",
          "get_state_bytes", "set_state_bytes")  # fmt: skip
_SEED = "a generator takes a seed that is another each time"
_MEMORY = "numpy() hands a tensor's memory to code that cannot be followed"

_PATCHES: list[tuple[Any, str, Any]] = [
    (Tensor, "_array", property(_read_array, _write_array)),
    (Tensor, "_grad", property(_read_grad, _write_grad)),
    *((Generator, name, _drawing(name)) for name in _DRAWS),
    (Generator, "seed", _failing(Generator, "seed", _SEED)),
    (Generator, "initial_seed", _failing(Generator, "initial_seed", "a generator's seed is read")),
    (Tensor, "numpy", _failing(Tensor, "numpy", _MEMORY)),
    (Tensor, "__dlpack__", _failing(Tensor, "__dlpack__", _MEMORY)),
]
_kept: list[Any] = []


def _patch() -> None:
    optimizers = sys.modules.get("leafgrad.optim.optimizer")
    if optimizers is not None:
        optimizers.live = _live_group  # type: ignore[attr-defined]
    for owner, name, patch in _PATCHES:
        _kept.append(owner.__dict__[name])
        setattr(owner, name, patch)


def _unpatch() -> None:
    for owner, name, _ in reversed(_PATCHES):
        setattr(owner, name, _kept.pop())
    optimizers = sys.modules.get("leafgrad.optim.optimizer")
    if optimizers is not None:
        optimizers.live = None  # type: ignore[attr-defined]


# The state of a generator, quickly


def get_state(generator: Any) -> Any:
    """A generator's state, to be put back by `set_state`."""
    source = generator._source
    own = [(name, getattr(generator, name)) for name in _STATE]
    return own, None if source is None else source.get_state(legacy=False)


def set_state(generator: Any, state: Any) -> None:
    """Put a generator back into a state of `get_state`."""
    own, engine_state = state
    for name, value in own:
        setattr(generator, name, value)
    if engine_state is None:
        generator._source = None  # made anew from the seed: nothing was drawn yet
    else:
        generator._source.set_state(engine_state)


_STATE = ("_block", "_float_spare", "_next", "_seed", "_spare", "_unused")
