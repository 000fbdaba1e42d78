"""Hooks: a dictionary of functions, and the handle that takes one out again."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from typing import Any

__all__ = ["RemovableHandle", "Watched", "add_hook"]


class Watched:
    """How many leaves have hooks: while none has, walks need not tell when a leaf is complete."""

    leaves = 0


_numbers = itertools.count()


class RemovableHandle:
    """Takes a hook out again: `handle.remove()`, or at the end of a `with` block."""

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.id = next(_numbers)
        # A plain dict cannot be referenced weakly; its hooks live as long as their owner anyway.
        weak = isinstance(hooks_dict, OrderedDict)
        self._hooks = weakref.ref(hooks_dict) if weak else (lambda: hooks_dict)
        extras = extra_dict if isinstance(extra_dict, (list, tuple)) else [extra_dict]
        self._extra = [d for d in extras if d is not None]

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        hooks = self._hooks()
        for each in (hooks, *self._extra):
            if each is not None:
                each.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def add_hook(hooks: dict[int, Any], hook: Any) -> RemovableHandle:
    """Put a hook last in `hooks`."""
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle
