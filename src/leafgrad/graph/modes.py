"""Grad modes: whether operators record, and how. Each is a context manager and a decorator.

The mode is one immutable value in a ContextVar, so that every thread (and every asyncio task) has
its own. Operators compare it by identity with ON and OFF; whatever asks for more (inference mode,
anomaly detection, hooks on saved tensors) is another value and takes the general path.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from .cut import turn, turn_back, turned_off

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled",
           "no_grad", "set_grad_enabled"]  # fmt: skip


class Mode:
    """What operators do beside computing.

    grad: record a graph; inference: results are inference tensors; anomaly: None, or whether
    backward looks for NaN; hooks: (pack, unpack) for saved tensors, or None; hooks_off: the
    message with which setting such hooks fails, or None; transforms: the function transforms that
    operators run under (`Transform`), the innermost last, or None
    """

    __slots__ = ("anomaly", "grad", "hooks", "hooks_off", "inference", "transforms")

    def __init__(self, grad: bool = True, inference: bool = False, anomaly: bool | None = None,
                 hooks: Any = None, hooks_off: str | None = None,
                 transforms: tuple[Transform, ...] | None = None) -> None:  # fmt: skip
        self.grad, self.inference, self.anomaly = grad, inference, anomaly
        self.hooks, self.hooks_off, self.transforms = hooks, hooks_off, transforms

    def but(self, **changes: Any) -> Mode:
        """This mode with some fields changed."""
        values = {name: changes.get(name, getattr(self, name)) for name in Mode.__slots__}
        if not values["inference"] and all(
            values[name] is None for name in ("anomaly", "hooks", "hooks_off", "transforms")
        ):
            return ON if values["grad"] else OFF
        return Mode(**values)

    def recording(self, grad: bool) -> Mode:
        """This mode with recording on or off."""
        if self is ON or self is OFF:
            return ON if grad else OFF
        return self if self.grad is grad else self.but(grad=grad)


class Transform:
    """Another meaning of the operators, inside a block: batched, with tangents, captured.

    The innermost transform gets an operator's call first; while it works, those outside it are the
    mode, so calling `operator.apply` again hands the call down to them.
    """

    # Whether a backward pass inside runs its rules on tensors, so that this transform sees them.
    sees_backward = False
    # Whether the engine hands it every node and leaf (`node`, `leaf`): a profiler.
    watches = False

    def call(self, made: Any, tensors: tuple[Any, ...], params: tuple[Any, ...],
             into: Any) -> Any:  # fmt: skip
        """An operator's call, as `operator.apply` gets it."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        mode = current()
        switch(mode.but(transforms=(*(mode.transforms or ()), self)))
        return self

    def __exit__(self, *exc: object) -> None:
        mode = current()
        rest = tuple(t for t in mode.transforms or () if t is not self)
        switch(mode.but(transforms=rest or None))


def span(name: str, owner: Any) -> Callable[[], Any] | None:
    """Begin a named range where profilers watch: what to call at its end. Else None."""
    transforms = current().transforms
    if transforms is None:
        return None
    ranges = [t.range(name.format(type(owner).__name__)) for t in transforms if t.watches]
    return lambda: [end() for end in ranges]


# How many transforms of `leafgrad.func` the running code is inside of.
functional: contextvars.ContextVar[int] = contextvars.ContextVar("functional", default=0)


@contextlib.contextmanager
def transforming() -> Iterator[int]:
    """One more transform of `leafgrad.func`, for a `with` block: which one, counted from 1."""
    level = functional.get() + 1
    token = functional.set(level)
    try:
        yield level
    finally:
        functional.reset(token)


ON, OFF = Mode(True), Mode(False)
_mode: contextvars.ContextVar[Mode] = contextvars.ContextVar("mode", default=ON)
current: Callable[[], Mode] = _mode.get
switch = _mode.set


def is_grad_enabled() -> bool:
    """Whether operators record now."""
    return current().grad


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on now."""
    return current().inference


class ModeContext:
    """A change of mode for a `with` block or a decorated function; subclasses say which."""

    def __init__(self) -> None:
        self._previous: list[Any] = []

    def changes(self) -> dict[str, Any]:
        """The fields of Mode that this context sets."""
        raise NotImplementedError

    def clone(self) -> Any:
        """A context like this one: a decorated function enters a fresh one at every call."""
        return self.__class__()

    def __enter__(self) -> Any:
        before = current()
        self._previous.append(before)
        switch(before.but(**self.changes()))
        return None

    def __exit__(self, *exc: object) -> None:
        # Only this context's own fields go back: others may have been set inside the block.
        before = self._previous.pop()
        switch(current().but(**{name: getattr(before, name) for name in self.changes()}))

    def __call__(self, function: Any) -> Any:
        if inspect.isclass(function):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You "
                "should only decorate functions or methods. To preserve the current behavior of "
                "class decoration, you can directly decorate the `__init__` method and nothing "
                "else.",
                FutureWarning,
                stacklevel=2,
            )
            function.__init__ = self(function.__init__)
            return function
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapped

    def _wrap_generator(self, function: Any) -> Any:
        """The mode holds while the generator runs, not while its caller does."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            try:
                with self.clone():
                    item = generator.send(None)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException as error:
                        with self.clone():
                            item = generator.throw(error)
                    else:
                        with self.clone():
                            item = generator.send(sent)
            except StopIteration as stop:
                return stop.value

        return wrapped


class _Switch(ModeContext):
    """A context usable without parentheses: `@no_grad`."""

    def __new__(cls, function: Any = None) -> Any:
        made = super().__new__(cls)
        if function is None:
            return made
        made.__init__()  # type: ignore[misc]
        return made(function)

    grad: bool

    def changes(self) -> dict[str, Any]:
        return {"grad": self.grad}

    def __enter__(self) -> None:
        before = current()
        self._previous.append((before, turned_off()))
        if before.grad is not self.grad:
            turn(None if self.grad else "no_grad")
        switch(before.recording(self.grad))

    def __exit__(self, *exc: object) -> None:
        before, off = self._previous.pop()
        turn_back(off)
        switch(current().recording(before.grad))


class no_grad(_Switch):
    """Operators inside record nothing; results do not require grad. As in PyTorch."""

    grad = False


class enable_grad(_Switch):
    """Operators inside record again, within a `no_grad` block. As in PyTorch."""

    grad = True


class set_grad_enabled(ModeContext):
    """Set recording on or off: at once when called as a function, or for a `with` block."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = mode
        self._before, self._off = current(), turned_off()
        if self._before.grad is not mode:
            turn(None if mode else "no_grad")
        switch(self._before.but(grad=mode))

    def changes(self) -> dict[str, Any]:
        return {"grad": self.mode}

    def clone(self) -> set_grad_enabled:
        return self.__class__(self.mode)

    def __enter__(self) -> None:
        self._previous.append(self._before)

    def __exit__(self, *exc: object) -> None:
        turn_back(self._off)
        super().__exit__(*exc)

    def __call__(self, function: Any) -> Any:
        turn_back(self._off)
        switch(self._before)
        return super().__call__(function)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"


class inference_mode(ModeContext):
    """Like `no_grad`, and tensors made inside can never take part in a recorded graph."""

    def __new__(cls, mode: Any = True) -> Any:
        made = super().__new__(cls)
        if isinstance(mode, bool):
            return made
        made.__init__()  # type: ignore[misc]
        return made(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = mode

    def changes(self) -> dict[str, Any]:
        return {"grad": not self.mode, "inference": self.mode}

    def clone(self) -> inference_mode:
        return self.__class__(self.mode)

    def __enter__(self) -> None:
        self._off = turned_off()
        if self.mode:
            turn("inference")
        super().__enter__()

    def __exit__(self, *exc: object) -> None:
        turn_back(self._off)
        super().__exit__(*exc)
