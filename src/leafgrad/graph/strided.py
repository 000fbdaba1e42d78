"""Parts of memory by strides: what views and writes through views mean for gradients.

Places are given in elements: size, stride, offset from the first element, and `layout`, the strides
of the whole to which they refer. A gradient may lie in memory in another order than the tensor it
belongs to; it is laid out like that first.

Where a view is real and its whole complex, or the other way round (`z.real`, `view_as_complex`),
the complex one counts as one of pairs of real numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..duck import Duck, strided, zeros
from ..tensor import as_array
from .operator import op


def in_pairs(array: Any) -> Any:
    """Complex numbers as pairs of real ones, in the same memory: f[...] -> f[..., 2]. Others as
    they are."""
    if array.dtype.kind != "c":
        return array
    array = as_array(array)  # a NumPy scalar's parts do not lie side by side
    parts = array.real
    return strided(parts, (*array.shape, 2), (*array.strides, parts.itemsize))


@op(name="view_as_real", view=True)
def pairs(input):
    """Complex numbers as pairs of real and imaginary part: f[...] -> f[..., 2]."""
    return in_pairs(input)


@op(name="view_as_complex", view=True)
def complexes(input):
    """Pairs of real and imaginary part as complex numbers: f[..., 2] -> f[...]."""
    item = input.itemsize
    if input.strides[-1] != item or any(s % (2 * item) for s in input.strides[:-1]):
        input = np.copy(input, order="C")  # a gradient; the public function refuses it
    return input.view(f"complex{16 * item}")[..., 0]


# Gradients are carried conjugated: see graph/operator.py.
pairs.vjp(input=lambda g: np.conj(complexes(g)))
complexes.vjp(input=lambda g: pairs(np.conj(g)))


def _laid_out(whole: Any, layout: tuple[int, ...], fresh: bool) -> Any:
    """`whole` with the strides `layout`: itself where it has them, unless `fresh`."""
    item = whole.itemsize
    strides = tuple(s * item for s in layout)
    if not fresh and whole.strides == strides:
        return whole
    if whole.size == 0:
        return np.empty_like(whole)
    reach = 1 + sum(s * (n - 1) for s, n in zip(layout, whole.shape, strict=True))
    made = strided(zeros(whole, (reach,)), whole.shape, strides)
    np.copyto(made, whole)
    return made


def _window(whole: Any, size: Any, stride: Any, offset: int) -> Any:
    """The part of an array's memory at a place."""
    if 0 in size:
        return zeros(whole, size)
    item = whole.itemsize
    return strided(whole, size, tuple(s * item for s in stride), offset * item)


def _overlaps(size: Any, stride: Any) -> bool:
    """Whether several indices of a place may name one element."""
    reach = 0
    for step, count in sorted((s, n) for s, n in zip(stride, size, strict=True) if n > 1):
        if step <= reach:
            return True
        reach += step * (count - 1)
    return False


@op(node="AsStridedBackward0")
def strided_part(input, /, size, stride, offset, layout):
    """The part at a place: input of any shape -> f[size]."""
    return _window(_laid_out(input, layout, False), size, stride, offset).copy()


@op(node="AsStridedBackwardBackward0")
def strided_spread(input, /, input_shape_, size, stride, offset, layout):
    """Zeros with `input` added at a place, the transpose of `strided_part`."""
    whole = _laid_out(zeros(input, input_shape_), layout, True)
    part = _window(whole, size, stride, offset)
    if _overlaps(size, stride):
        reach = offset + 1 + sum(s * (n - 1) for s, n in zip(stride, size, strict=True))
        places = strided(np.arange(reach), size, tuple(s * 8 for s in stride), offset * 8)
        memory = strided(whole, (reach,), (whole.itemsize,))
        np.add.at(memory, places, input)
    else:
        np.copyto(part, input)
    return whole


@op(node="AsStridedScatterBackward0")
def strided_fill(input, part, /, size, stride, offset, layout):
    """A copy of `input` in which the part at a place is `part`."""
    whole = _laid_out(input, layout, True)
    np.copyto(_window(whole, size, stride, offset), part)
    return whole


strided_part.vjp(
    input=lambda g, input_shape, size, stride, offset, layout: strided_spread(
        g, input_shape, size, stride, offset, layout
    )
)
strided_spread.vjp(
    input=lambda g, size, stride, offset, layout: strided_part(g, size, stride, offset, layout)
)


def _fill_vjp_input(g: Any, size: Any, stride: Any, offset: Any, layout: Any) -> Any:
    nothing = strided_part(g, size, stride, offset, layout) * 0
    return strided_fill(g, nothing, size, stride, offset, layout)


strided_fill.vjp(
    input=_fill_vjp_input,
    part=lambda g, size, stride, offset, layout: strided_part(g, size, stride, offset, layout),
)


def memory_of(array: Any) -> Any:
    """All elements of the memory that an array shares with others, in one dimension."""
    if isinstance(array, Duck):
        array = array.whole
    while (base := array.base) is not None:
        while base is not None and not isinstance(base, np.ndarray):
            base = getattr(base, "base", None)  # NumPy's `as_strided` puts an object in between
        if base is None:
            break
        array = base
    if array.ndim == 1 and array.flags.c_contiguous:
        return array
    dims = sorted(range(array.ndim), key=lambda dim: -array.strides[dim])
    dense = np.transpose(array, dims)
    if dense.flags.c_contiguous:
        return dense.reshape(-1)
    # A view of memory that NumPy does not own: as far as its elements reach.
    item = array.itemsize
    reach = 1 + sum(s // item * (n - 1) for s, n in zip(array.strides, array.shape, strict=True))
    return np.lib.stride_tricks.as_strided(array, (reach,), (item,))
