"""Run a PyTorch script on leafgrad: `import torch` and all below it mean leafgrad.

An entry at the front of `sys.meta_path` answers for `torch` and `torch.*` with leafgrad's own
modules, so the real torch is never imported, whether installed or not.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import Any

__all__ = ["as_torch", "run_script"]


class _Alias(importlib.abc.Loader):
    """Loads `torch.x` by handing out the module `leafgrad.x`."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: Any) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has put the alias's there


class _Finder(importlib.abc.MetaPathFinder):
    """Answers for `torch` and everything below it."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        top, _, rest = fullname.partition(".")
        if top != "torch":
            return None
        ours = f"leafgrad.{rest}" if rest else "leafgrad"
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as missing:
            if missing.name is None or not ours.startswith(missing.name):
                raise
            raise ModuleNotFoundError(
                f"No module named '{fullname}': leafgrad, which stands in for torch here, does not "
                f"have it",
                name=fullname,
            ) from None
        loader = _Alias(module)
        spec = importlib.machinery.ModuleSpec(fullname, loader)
        spec.submodule_search_locations = getattr(module, "__path__", None)
        return spec


def as_torch() -> None:
    """From now on, `import torch` gives leafgrad in this process.

    RuntimeError if the real torch has been imported already.
    """
    import leafgrad

    loaded = sys.modules.get("torch")
    if loaded is leafgrad:
        return
    if loaded is not None:
        raise RuntimeError("the real torch is imported already; call this first")
    sys.meta_path.insert(0, _Finder())
    importlib.import_module("torch")


def run_script(path: str, argv: Sequence[str] = (), module: bool = False) -> int:
    """Run a script (or with `module`, a module) as `python` would, with leafgrad as torch.

    Returns the exit status: 0, that of SystemExit, or 1 after an exception, whose traceback is
    printed as from the script's own first line.
    """
    as_torch()
    sys.argv = [path, *argv]
    try:
        if module:
            sys.path.insert(0, os.getcwd())
            runpy.run_module(path, run_name="__main__", alter_sys=True)
        else:
            if not os.path.exists(path):
                print(f"leafgrad run: can't open file '{path}'", file=sys.stderr)
                return 2
            sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
            runpy.run_path(path, run_name="__main__")
    except SystemExit as exit_:
        if exit_.code is None or isinstance(exit_.code, int):
            return exit_.code or 0
        print(exit_.code, file=sys.stderr)
        return 1
    except BaseException as error:
        _print_from_script(error, path, module)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _print_from_script(error: BaseException, path: str, module: bool) -> None:
    """Print a traceback without the frames that led to the script."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        name = frames.tb_frame.f_code.co_filename
        if name == path or (module and name not in (__file__, runpy.__file__)
                            and not name.startswith("<frozen")):  # fmt: skip
            break
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)
