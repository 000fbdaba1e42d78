"""leafgrad: PyTorch's define-by-run autograd in Python that you can read.

    import leafgrad as torch

A forward pass records a graph, `backward()` walks it; `leafgrad.graph(loss)` shows it. Names,
arguments and meanings are PyTorch's; `docs/differences.md` says where they differ on purpose.
"""

from __future__ import annotations

import importlib as _importlib
import math as _math
from typing import Any

from . import generator as _generator
from . import ops as _ops
from . import protocols as _protocols
from .device import device, get_default_device, set_default_device
from .dtypes import ALL as _ALL
from .dtypes import (
    dtype,
    finfo,
    get_default_dtype,
    iinfo,
    promote_types,
    set_default_dtype,
)
from .generator import Generator, default_generator
from .graph import engine as _engine
from .graph.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled
from .graph.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .legacy import *  # noqa: F403
from .legacy import __all__ as _legacy_names
from .printing import set_printoptions
from .tensor import Size, Tensor
from .version import __version__

pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None

_dtypes = {d.name: d for d in _ALL}
_dtypes |= {"half": _dtypes["float16"], "float": _dtypes["float32"], "double": _dtypes["float64"],
            "short": _dtypes["int16"], "int": _dtypes["int32"], "long": _dtypes["int64"],
            "cfloat": _dtypes["complex64"], "cdouble": _dtypes["complex128"]}  # fmt: skip
_operators = _ops.install(globals())
globals().update(_dtypes)  # after the operators: `torch.float` is a dtype

# Namespaces, loaded when first used: `import leafgrad` stays quick.
_NAMESPACES = ("amp", "autograd", "backends", "compile", "cpu", "cuda", "distributions", "fft", "func",
               "linalg", "masked", "nn", "optim", "profiler", "random", "see", "serialization",
               "signal", "special", "utils", "version")  # fmt: skip
# Names that live in one of them.
_ELSEWHERE = {"load": "serialization", "save": "serialization", "vmap": "func",
              "GradScaler": "amp", "autocast": "amp"}  # fmt: skip
_ELSEWHERE |= dict.fromkeys(
    ("clear_autocast_cache", "get_autocast_cpu_dtype", "get_autocast_dtype",
     "get_autocast_gpu_dtype", "is_autocast_cache_enabled", "is_autocast_cpu_enabled",
     "is_autocast_enabled", "set_autocast_cache_enabled", "set_autocast_cpu_dtype",
     "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_enabled",
     "set_autocast_gpu_dtype"), "amp.state",
)  # fmt: skip

__all__ = [
    "Generator", "Size", "Tensor", "default_generator", "device", "dtype", "enable_grad", "finfo",
    "explain", "get_default_device", "get_default_dtype", "graph", "iinfo", "inference_mode",
    "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "is_grad_enabled",
    "is_inference_mode_enabled", "latex", "no_grad", "promote_types", "report", "set_default_device",
    "set_default_dtype", "set_grad_enabled", "set_printoptions", "unused", "watch",
]  # fmt: skip
__all__ = list(dict.fromkeys([*__all__, *_legacy_names, *_operators, *_dtypes]))


def graph(tensor: Tensor, *, gradients: bool = False, names: Any = None) -> Any:
    """The recorded graph behind a tensor, as a value to print, draw and compare.

    `gradients=True` also finds the gradient at every node, by a backward pass that changes no
    `.grad`. `names` maps names to tensors, or is a Module. Prints as text, shows itself in
    notebooks, and has `to_html()`, `to_svg()`, `to_dot()`, `to_mermaid()` and `to_json()`.
    """
    from .see.capture import capture

    return capture(tensor, gradients=gradients, names=names)


def report(path: Any = "leafgrad-report.html", *, title: str = "", every: float = 0.0) -> Any:
    """Record whatever trains inside a `with` block, and write a report of it: one HTML file.

    Loss, parameters, gradients, learning rate and times need no further word; the block's value has
    `log(accuracy=...)` for figures of one's own and `fit(x, y, prediction)` for a plot of a
    one-dimensional fit. With `every`, the page is also written about every so many seconds.
    """
    from .see.recorder import Recorder

    return Recorder(path, title=title, every=every)


def watch(
    path: Any = "leafgrad-watch.html", *, every: int = 1, most: int = 60, title: str = ""
) -> Any:
    """Record the graph of each backward pass inside a `with` block, and write a page of them.

    The page shows where the graphs differ, lets one scrub through the iterations, with the norm of
    the gradient at every node, and says in words what vanishes, explodes or is dead. `every` looks
    at each so manieth pass; at most `most` are kept.
    """
    from .see.watching import Watcher

    return Watcher(path, every=every, most=most, title=title)


def latex(tensor: Tensor, *, wrt: Tensor | None = None, names: Any = None) -> str:
    """The expression that was recorded for a small graph, in LaTeX.

    With `wrt`, a leaf or constant of the graph, the derivative with respect to its elements.
    """
    from .see.mathematics import latex

    return latex(tensor, wrt, names)


def sympy(tensor: Tensor, *, names: Any = None) -> Any:
    """The expression that was recorded for a small graph, as SymPy's; needs sympy installed.

    A scalar gives an expression, an array an object array of them. Leaves become symbols: w, or
    w_0, w_1... for the elements of an array; constants are numbers, unless `names` names them.
    """
    from .see.mathematics import sympy

    return sympy(tensor, names)


def explain(tensor: Tensor, *, loss: Tensor | None = None, names: Any = None) -> Any:
    """Why a tensor's `.grad` is None, zero, NaN or huge, and what made it, as a value to print.

    With `loss`, of that loss: whether and by which paths it depends on the tensor, and what every
    path contributes, as long as the graph has not been freed. Without, of the newest result that
    was computed from the tensor and still lives. Of a tensor that is no leaf also what its graph
    keeps for backward. `names` maps names to tensors, or is a Module. What cannot be known is said
    to be unknown. Changes no `.grad`, frees nothing, runs no hooks.
    """
    from .explaining.ask import explain

    return explain(tensor, loss, names)


def unused(loss: Tensor, parameters: Any) -> Any:
    """The parameters that require grad and that `loss` does not depend on: {name: reason}.

    parameters: a Module, or a mapping of names to tensors
    """
    from .explaining.ask import unused

    return unused(loss, parameters)


def __getattr__(name: str) -> Any:
    if name in _NAMESPACES:
        try:
            return _importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as missing:
            if missing.name != f"{__name__}.{name}":
                raise
    if name in _ELSEWHERE:
        return getattr(_importlib.import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    raise AttributeError(
        f"module 'torch' has no attribute '{name}' (leafgrad {__version__} does not have it)"
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMESPACES, *_ELSEWHERE})
