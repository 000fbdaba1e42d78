"""The operators, a file a family. Each is a NumPy forward and its derivative.

A family says what it adds to the public surface by module variables, read here once:

    __all__     functions of the `leafgrad` namespace
    METHODS     those that are also methods of Tensor
    IN_PLACE    those with an in-place twin: `exp_`, as a method and as a function
    ALIASES     other names of PyTorch's for the same function: {"multiply": "mul"}
    NUMPY       NumPy functions that accept tensors through it: {np.exp: exp}
"""

from __future__ import annotations

from typing import Any

from ..graph.inplace import in_place
from ..protocols import FUNCTIONS
from ..tensor import Tensor
from . import (
    activations,
    arithmetic,
    casting,
    comparison,
    convolution,
    creation,
    elementwise,
    indexing,
    joining,
    layers,
    norms,
    ordering,
    products,
    reductions,
    sampling,
    scans,
    scattering,
    shape,
    spectral,
    storage,
)

FAMILIES = (
    arithmetic, casting, comparison, creation, elementwise, products, sampling, norms, ordering,
    reductions, scans, indexing, joining, scattering, shape, storage, activations, layers,
    spectral, convolution,
)  # fmt: skip


def install(namespace: dict[str, Any]) -> list[str]:
    """Put every family's functions into `namespace`, its methods on Tensor. Returns the names."""
    names: list[str] = []
    for family in FAMILIES:
        aliases: dict[str, str] = getattr(family, "ALIASES", {})
        methods = set(getattr(family, "METHODS", ()))
        in_places = getattr(family, "IN_PLACE", ())
        other_names: dict[str, list[str]] = {}
        for alias, name in aliases.items():
            other_names.setdefault(name, []).append(alias)
        for name in dict.fromkeys([*family.__all__, *methods]):
            function = getattr(family, name)
            for each in (name, *other_names.get(name, ())):
                if name in family.__all__:
                    namespace[each] = function
                    names.append(each)
                if name in methods:
                    setattr(Tensor, each, function)
        for name in in_places:
            twin = in_place(getattr(family, name))
            for each in (name, *other_names.get(name, ())):
                setattr(Tensor, f"{each}_", twin)
                namespace[f"{each}_"] = twin
                names.append(f"{each}_")
        FUNCTIONS.update(getattr(family, "NUMPY", {}))
    return names
