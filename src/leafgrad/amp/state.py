"""What autocast converts, and whether it is on.

It is a transform of the operators: it converts their operands and hands the call on. All others run
in the dtypes that they meet. float64 is never converted. The lists are those of PyTorch on a CPU.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..dtypes import bfloat16, dtype, float16, float32, float64
from ..graph.modes import Transform, current, switch
from ..graph.operator import apply
from ..tensor import Tensor

__all__ = [
    "clear_autocast_cache", "get_autocast_cpu_dtype", "get_autocast_dtype",
    "get_autocast_gpu_dtype", "is_autocast_available", "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled", "is_autocast_enabled", "set_autocast_cache_enabled",
    "set_autocast_cpu_dtype", "set_autocast_cpu_enabled", "set_autocast_dtype",
    "set_autocast_enabled", "set_autocast_gpu_dtype",
]  # fmt: skip

# Operators, and functions made of several, that compute in 16 bits.
LOWER = {
    "addbmm", "addmm", "baddbmm", "bmm", "contract", "convolution", "linear", "matmul",
    "_matmul_batches", "mm", "prelu",
}  # fmt: skip
LOWER_FUNCTIONS = {
    "nn.functional": ("scaled_dot_product_attention",),
    "": ("matmul", "chain_matmul"),
    "linalg": ("matmul", "multi_dot", "vecdot"),
}
# Those that compute in float32.
WIDEN = {
    "adaptive_max_pool3d", "avg_pool3d", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "_cdist_forward", "cholesky", "cholesky_inverse", "cholesky_solve", "_ctc_loss_backward",
    "ctc_loss", "fft_c2c", "fft_c2r", "fft_r2c", "fractional_max_pool2d", "fractional_max_pool3d",
    "geqrf", "grid_sampler_2d", "grid_sampler_3d", "huber_loss", "linalg_cholesky_ex", "linalg_eig",
    "linalg_eigh", "linalg_eigvals", "linalg_eigvalsh", "linalg_householder_product",
    "linalg_inv_ex", "linalg_lstsq", "linalg_lu_factor_ex", "linalg_lu_solve",
    "linalg_matrix_rank", "linalg_qr", "linalg_solve", "linalg_solve_ex", "linalg_svd",
    "linalg_svdvals", "max_unpool2d", "max_unpool3d", "mse_loss",
    "multi_margin_loss", "multilabel_margin_loss", "nll_loss", "ormqr", "polar", "prod", "prod_dim",
    "smooth_l1_loss", "soft_margin_loss", "trace", "triangular_solve", "view_as_complex",
}  # fmt: skip
WIDEN_FUNCTIONS = {
    "nn.functional": ("adaptive_avg_pool3d", "cosine_embedding_loss", "cross_entropy", "ctc_loss",
                      "hinge_embedding_loss", "kl_div", "l1_loss", "margin_ranking_loss",
                      "max_unpool1d", "max_unpool2d", "max_unpool3d",
                      "nll_loss", "poisson_nll_loss", "triplet_margin_loss"),
    "": ("cdist", "cholesky", "inverse", "nanquantile", "pinverse", "qr", "quantile", "stft", "svd",
         "triangular_solve"),
    "linalg": ("cholesky", "cholesky_ex", "cond", "eig", "eigh", "eigvals", "eigvalsh",
               "householder_product", "inv", "inv_ex", "lstsq", "matrix_rank", "qr", "solve", "svd",
               "svdvals", "tensorinv", "tensorsolve"),
}  # fmt: skip
# Those that compute in the widest dtype of their operands.
PROMOTE = {"cat", "index_copy", "stack"}


# What is set


_DEVICES = ("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga",
            "maia", "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone")  # fmt: skip
_dtypes: dict[str, dtype] = {}  # of devices, where set
_enabled: set[str] = set()  # devices other than the CPU for which it was said to be on
_cache_enabled = True


def known(device_type: str) -> str:
    if device_type not in _DEVICES:
        raise RuntimeError(f"Expected one of {', '.join(_DEVICES)} device type at start of device "
                           f"string: {device_type}")  # fmt: skip
    return device_type


def active() -> Lowering | None:
    """The autocast that holds now."""
    transforms = current().transforms
    if transforms is None:
        return None
    return next((t for t in reversed(transforms) if isinstance(t, Lowering)), None)


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows a type of device."""
    return known(device_type) in ("cpu", "cuda", "xpu", "mps", "hpu", "mtia", "maia", "xla", "ipu")


def get_autocast_dtype(device_type: str) -> dtype:
    """The 16-bit dtype of autocast on a type of device."""
    known(device_type)
    now = active() if device_type == "cpu" else None
    if now is not None:
        return now.dtype
    return _dtypes.get(device_type, float16 if device_type in ("cuda", "mps") else bfloat16)


def set_autocast_dtype(device_type: str, dtype: dtype) -> None:
    """Set the 16-bit dtype of autocast on a type of device."""
    _dtypes[known(device_type)] = dtype
    now = active() if device_type == "cpu" else None
    if now is not None:
        put(Lowering(dtype, now.cache))


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on, by default for CUDA, as in PyTorch: name "cpu" for the CPU."""
    known(device_type)
    return active() is not None if device_type == "cpu" else device_type in _enabled


def set_autocast_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
    """Switch autocast on or off, from now on."""
    if isinstance(device_type, bool):
        device_type, enabled = "cuda", device_type
    if known(device_type) == "cpu":
        put(Lowering(get_autocast_dtype("cpu"), _cache_enabled) if enabled else None)
    elif enabled:
        _enabled.add(device_type)
    else:
        _enabled.discard(device_type)


def is_autocast_cache_enabled() -> bool:
    """Whether weights are converted once only."""
    now = active()
    return _cache_enabled if now is None else now.cache is not None


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Set whether weights are converted once only."""
    global _cache_enabled
    _cache_enabled = enabled
    now = active()
    if now is not None:
        now.cache = {} if enabled else None


def clear_autocast_cache() -> None:
    """Forget the converted weights."""
    now = active()
    if now is not None and now.cache is not None:
        now.cache.clear()


def put(to: Lowering | None) -> None:
    """Put an autocast in the place of the one that holds, or after the other transforms."""
    mode = current()
    others = [t for t in mode.transforms or () if not isinstance(t, Lowering)]
    if to is not None:
        _wrap_functions()
        others.append(to)
    switch(mode.but(transforms=tuple(others) or None))


# The names of before there was a `device_type`


def _deprecated(old: str, new: str) -> None:
    warnings.warn(f"torch.{old} is deprecated. Please use torch.{new} instead.",
                  DeprecationWarning, stacklevel=3)  # fmt: skip


def is_autocast_cpu_enabled() -> bool:
    """`is_autocast_enabled("cpu")`."""
    _deprecated("is_autocast_cpu_enabled()", "is_autocast_enabled('cpu')")
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """`set_autocast_enabled("cpu", enabled)`."""
    _deprecated("set_autocast_cpu_enabled(enabled)", "set_autocast_enabled('cpu', enabled)")
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> dtype:
    """`get_autocast_dtype("cpu")`."""
    _deprecated("get_autocast_cpu_dtype()", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: dtype) -> None:
    """`set_autocast_dtype("cpu", dtype)`."""
    _deprecated("set_autocast_cpu_dtype(dtype)", "set_autocast_dtype('cpu', dtype)")
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> dtype:
    """`get_autocast_dtype("cuda")`."""
    _deprecated("get_autocast_gpu_dtype()", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype: dtype) -> None:
    """`set_autocast_dtype("cuda", dtype)`."""
    _deprecated("set_autocast_gpu_dtype(dtype)", "set_autocast_dtype('cuda', dtype)")
    set_autocast_dtype("cuda", dtype)


# What it does


class Lowering(Transform):
    """The conversions, while autocast is on."""

    def __init__(self, dtype: dtype, cache: Any) -> None:
        self.dtype = dtype
        # Of weights: of (tensor, version, whether recording) the tensor and the converted one.
        self.cache: dict[Any, Any] | None = None
        if cache is not None and cache is not False:
            self.cache = cache if isinstance(cache, dict) else {}

    def call(self, made: Any, tensors: tuple[Any, ...], params: tuple[Any, ...],
             into: Any) -> Any:  # fmt: skip
        """The operator, on operands of the dtype that suits it."""
        name = made.name
        if into is None:
            if name in LOWER:
                tensors = tuple(self.converted(t, self.dtype) for t in tensors)
            elif name in WIDEN:
                tensors = tuple(self.converted(t, float32) for t in tensors)
            elif name in PROMOTE:
                kinds = {t.dtype for t in tensors if eligible(t)}
                if len(kinds) > 1:
                    widest = float32 if float32 in kinds or len(kinds) > 1 else kinds.pop()
                    tensors = tuple(self.converted(t, widest) for t in tensors)
        return apply(made, tensors, params, into)

    def converted(self, value: Any, to: dtype) -> Any:
        """A tensor of 16 or 32 bits in another dtype; anything else as it is."""
        if not eligible(value) or value.dtype is to:
            return value
        weight = value.requires_grad and value.is_leaf and value.dtype is float32
        if self.cache is None or not weight or to is float32:
            return value.to(to)
        key = (id(value), value._version, to, current().grad)
        if key not in self.cache:
            self.cache[key] = (value, value.to(to))
        return self.cache[key][1]


def eligible(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype is not float64


# Functions that are converted for as a whole: of those that consist of several operators. They are
# wrapped when autocast is first used, so that nothing asks for it before.
_wrapped = False


def _wrap_functions() -> None:
    global _wrapped
    if _wrapped:
        return
    _wrapped = True
    root = __package__.rpartition(".")[0]
    for table, low in ((LOWER_FUNCTIONS, True), (WIDEN_FUNCTIONS, False)):
        for room, names in table.items():
            module = importlib.import_module(f"{root}.{room}" if room else root)
            for name in names:
                whole = _as_a_whole(getattr(module, name), low)
                setattr(module, name, whole)
                if not room and hasattr(Tensor, name):
                    setattr(Tensor, name, whole)
    functional = importlib.import_module(f"{root}.nn.functional")
    for name, widened in _SOMETIMES.items():
        setattr(functional, name, _as_a_whole(getattr(functional, name), False, widened))
    for name in ("__matmul__", "__rmatmul__"):
        setattr(Tensor, name, _as_a_whole(getattr(Tensor, name), True))


def _argument(args: Any, kwargs: Any, place: int, name: str) -> Any:
    return args[place] if len(args) > place else kwargs.get(name)


# Whether a call of these is converted for.
_SOMETIMES = {
    "pad": lambda *given: _argument(*given, 2, "mode") in ("reflect", "replicate"),
    "max_pool3d": lambda *given: not _argument(*given, 6, "return_indices"),
}


def _as_a_whole(function: Callable[..., Any], low: bool,
                when: Callable[..., bool] | None = None) -> Callable[..., Any]:  # fmt: skip
    @functools.wraps(function)
    def whole(*args: Any, **kwargs: Any) -> Any:
        now = active()
        skipped = when is not None and not when(args, kwargs)
        if now is None or skipped or kwargs.get("out") is not None:
            return function(*args, **kwargs)
        to = now.dtype if low else float32
        args, kwargs = cast_nested((args, kwargs), lambda t: now.converted(t, to))
        put(None)  # inside, nothing is converted
        try:
            return function(*args, **kwargs)
        finally:
            put(now)

    return whole


def cast_nested(value: Any, convert: Callable[[Any], Any]) -> Any:
    """The tensors in a nest of containers, converted."""
    if isinstance(value, Tensor):
        return convert(value)
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, Mapping):
        return {cast_nested(k, convert): cast_nested(v, convert) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [cast_nested(v, convert) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
