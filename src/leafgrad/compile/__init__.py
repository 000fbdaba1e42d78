"""compile: a step, captured and turned into machine code.

    step = leafgrad.compile(step)

This module is the function: calling it compiles. `runtime` says what a compiled function does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .runtime import Compiled, CompileWarning

__all__ = ["CompileWarning", "Compiled"]


def _compile(model: Callable[..., Any] | None = None, *, fullgraph: bool = False,
             dynamic: bool | None = None, backend: Any = "inductor", mode: str | None = None,
             options: dict[str, Any] | None = None, disable: bool = False,
             explain: bool = False) -> Any:  # fmt: skip
    """Compile a function or a module; without one, a decorator that does.

    The first calls run as they are and are captured; later ones are replayed as long as what they
    depend on is the same. `step.why()` says what the last call did, `step.program` shows it.

    fullgraph: raise RuntimeError, where else a warning tells that the function runs eagerly
    backend: "inductor" for machine code, "numpy" for NumPy calls alone, "eager" to do nothing
    explain: print what each pass does
    disable: return the function as it is
    dynamic, mode, options: accepted, without effect
    """
    if model is None:
        return lambda model: _compile(model, fullgraph=fullgraph, dynamic=dynamic, backend=backend,
                                      mode=mode, options=options, disable=disable,
                                      explain=explain)  # fmt: skip
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified "
                           "at the same time.")  # fmt: skip
    if not callable(model):
        raise TypeError(f"expected a function or a module, but got {type(model).__name__}")
    if disable or backend == "eager":
        return model
    return Compiled(model, fullgraph=fullgraph, explain=explain)


class _CompileModule(ModuleType):
    """The module as the function: `leafgrad.compile` is both."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _compile(*args, **kwargs)


sys.modules[__name__].__class__ = _CompileModule
