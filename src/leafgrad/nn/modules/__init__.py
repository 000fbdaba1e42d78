"""The layers, a file a family, under the names of PyTorch's files."""
# ruff: noqa: F403 - the families' __all__ are put together below

from __future__ import annotations

from ..module import Module
from . import (
    activation,
    batchnorm,
    container,
    distance,
    dropout,
    flatten,
    instancenorm,
    linear,
    loss,
    normalization,
    sparse,
)
from .activation import *
from .batchnorm import *
from .container import *
from .distance import *
from .dropout import *
from .flatten import *
from .instancenorm import *
from .linear import *
from .loss import *
from .normalization import *
from .sparse import *

__all__ = ["Module"]
__all__ += activation.__all__
__all__ += batchnorm.__all__
__all__ += container.__all__
__all__ += distance.__all__
__all__ += dropout.__all__
__all__ += flatten.__all__
__all__ += instancenorm.__all__
__all__ += linear.__all__
__all__ += loss.__all__
__all__ += normalization.__all__
__all__ += sparse.__all__
