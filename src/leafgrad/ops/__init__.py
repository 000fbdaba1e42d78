"""The operators, a file a family. Each is a NumPy forward and its derivative.

A family says what it adds to the public surface by module variables, read here once:

    __all__     functions of the `leafgrad` namespace
    METHODS     those that are also methods of Tensor
    IN_PLACE    those with an in-place twin: `exp_`, as a method and as a function
    ALIASES     other names of PyTorch's for the same function: {"multiply": "mul"}
    NUMPY       NumPy functions that accept tensors through it: {np.exp: exp}
    NUMBER_OPERANDS  of functions of two operands: which may be a Python number, where not both:
                {"maximum": "neither", "eq": "the second", "xlogy": "either, but not both"}
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..graph.inplace import in_place
from ..graph.source import fail
from ..protocols import FUNCTIONS
from ..tensor import Tensor
from . import (
    activations,
    adaptive,
    arithmetic,
    bags,
    casting,
    comparison,
    contractions,
    convolution,
    creation,
    ctc,
    decompositions,
    differences,
    distances,
    eigen,
    elementwise,
    grids,
    indexing,
    internals,
    joining,
    layers,
    lu,
    mapped,  # noqa: F401 - registers rules
    matrix_functions,
    matrix_products,
    native,
    norms,
    ordering,
    orthogonal,
    pooling,
    products,
    recurrent,
    reductions,
    sampling,
    scans,
    scattering,
    segments,
    shape,
    solving,
    spectral,
    storage,
    triangular,
    windows,
)

FAMILIES = (
    arithmetic, casting, comparison, creation, elementwise, products, sampling, norms, ordering,
    reductions, scans, indexing, joining, scattering, shape, storage, activations, layers,
    spectral, windows, differences, distances, segments, internals,
    convolution, pooling, adaptive, grids,
    bags, ctc, recurrent, native,
    contractions, decompositions, eigen, lu, matrix_functions, matrix_products, orthogonal,
    solving, triangular,
)  # fmt: skip


# Of two operands: where a Python number may stand for a tensor.
NO, SECOND = "neither", "the second"  # else: either, but not both
_NUMBERS = {bool, int, float, complex}


def checked(function: Callable[..., Any], numbers: str, first: int) -> Callable[..., Any]:
    """A function that refuses numbers where PyTorch's does: in its own words, which say nothing of
    the sort to NumPy's functions and to rules, since those call the operator itself.

    first: how PyTorch counts the first operand in messages: 1 in a function, 0 in a method
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        pair = args[:2]
        if len(pair) == 2 and (pair[0].__class__ in _NUMBERS or pair[1].__class__ in _NUMBERS):
            refuse(function.__name__, pair, numbers, first)
        return function(*args, **kwargs)

    return call


def refuse(name: str, pair: tuple[Any, ...], numbers: str, first: int) -> None:
    """Raise PyTorch's error for operands of which one is a number that may not be one."""
    given = [value.__class__ in _NUMBERS for value in pair]
    if numbers == NO:
        place = given.index(True)
        kind = type(pair[place]).__name__
        argument = OPERANDS.get(name, ("input", "other"))[place]
        fail(TypeError, f"{name}(): argument '{argument}' (position {first + place}) must be "
                        f"Tensor, not {kind}")  # fmt: skip
    if given[0] and (numbers == SECOND or given[1]):
        kinds = [type(v).__name__ if n else "Tensor" for v, n in zip(pair, given, strict=True)]
        fail(TypeError, f"{name}() received an invalid combination of arguments - got "
                        f"({', '.join(kinds)}), where {numbers} may be a number")  # fmt: skip


# PyTorch's names of the operands that are not "input" and "other".
OPERANDS = {"complex": ("real", "imag"), "heaviside": ("input", "values"),
            "polar": ("abs", "angle")}  # fmt: skip


def install(namespace: dict[str, Any]) -> list[str]:
    """Put every family's functions into `namespace`, its methods on Tensor. Returns the names."""
    names: list[str] = []
    for family in FAMILIES:
        aliases: dict[str, str] = getattr(family, "ALIASES", {})
        methods = set(getattr(family, "METHODS", ()))
        numbers: dict[str, str] = getattr(family, "NUMBER_OPERANDS", {})
        in_places = getattr(family, "IN_PLACE", ())
        other_names: dict[str, list[str]] = {}
        for alias, name in aliases.items():
            other_names.setdefault(name, []).append(alias)
        for name in dict.fromkeys([*family.__all__, *methods]):
            function = method = getattr(family, name)
            if name in numbers:
                function = checked(function, numbers[name], first=1)
                method = checked(method, numbers[name], first=0)
            for each in (name, *other_names.get(name, ())):
                if name in family.__all__:
                    namespace[each] = function
                    names.append(each)
                if name in methods:
                    setattr(Tensor, each, method)
        for name in in_places:
            twin = in_place(getattr(family, name))
            for each in (name, *other_names.get(name, ())):
                setattr(Tensor, f"{each}_", twin)
                namespace[f"{each}_"] = twin
                names.append(f"{each}_")
        FUNCTIONS.update(getattr(family, "NUMPY", {}))
    return names
