"""compile: a step, captured and turned into machine code."""

from .runtime import Compiled, CompileWarning

__all__ = ["CompileWarning", "Compiled"]
