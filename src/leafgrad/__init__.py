"""leafgrad: PyTorch's define-by-run autograd in Python that you can read.

    import leafgrad as torch
"""

from __future__ import annotations

from . import ops
from .device import device, get_default_device, set_default_device
from .dtypes import (
    ALL as _ALL,
    can_cast,
    dtype,
    finfo,
    get_default_dtype,
    iinfo,
    promote_types,
    set_default_dtype,
)
from .graph import engine
from .graph.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .tensor import Size, Tensor

for _dtype in _ALL:
    globals()[_dtype.name] = _dtype
ops.install(globals())
