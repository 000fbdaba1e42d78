"""Rules for batches, of operators that do not map by their NumPy calls alone.

Under `func.vmap` an operator runs on arrays of examples (`graph/batched.py`). Where it calls
LAPACK, looks at numbers or moves memory about, it has a rule here: most take leading dimensions
anyway, and the examples are one more; convolutions have the examples as more images or groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..duck import BATCH_RULES, computed
from ..graph.operator import OPS
from . import (
    adaptive,
    convolution,
    decompositions,
    eigen,
    grids,
    lu,
    matrix_functions,
    orthogonal,
    pooling,
    solving,
    triangular,
)

# Each rule gets the level, then the arguments. `batched` is loaded where it is used: only `vmap` is.


def _parts(level: Any, arrays: Any, cores: Any = None) -> tuple[list[Any], int]:
    """Arrays with the batch axis in front, all of one size, and that size.

    cores: how many of each array's dimensions are not those of a batch of its own
    """
    from ..graph.batched import aligned, here, rank_of, widened

    size = max(len(a.data) for a in arrays if here(a, level))
    ranks = [rank_of(a) for a in arrays]
    if cores is not None:
        lead = max(n - core for n, core in zip(ranks, cores, strict=True))
        ranks = [lead + core for core in cores]
    return [a if a is None else widened(aligned(a, level, n), size)
            for a, n in zip(arrays, ranks, strict=True)], size  # fmt: skip


def _batched(level: Any, found: Any) -> Any:
    from ..graph.batched import batched

    return batched(found, level)


# Operators that take leading dimensions


def _leading(forward: Any, cores: tuple[int, ...]) -> None:
    """The operator takes batches. cores: how many dimensions of each array are not the batch's."""

    def rule(level: Any, *args: Any) -> Any:
        data, _ = _parts(level, args[: len(cores)], cores)
        return _batched(level, computed(forward, *data, *args[len(cores) :]))

    BATCH_RULES[forward] = rule


def _vectors(forward: Any) -> None:
    """`_leading`, of systems whose right sides may be vectors: their third argument tells."""

    def rule(level: Any, *args: Any) -> Any:
        data, _ = _parts(level, args[:2], (2, 1 if args[2] else 2))
        found = computed(forward, *data, *args[2:])
        # What does not apply is empty, without a batch.
        return _batched(level, tuple(x[None] if x.shape == (0,) else x for x in found))

    BATCH_RULES[forward] = rule


_LEADING = {
    decompositions._factor: (2,), decompositions._old_factor: (2,),
    decompositions._cholesky_solution: (2, 2), decompositions._cholesky_inverse: (2,),
    decompositions._ldl_factor: (2,), decompositions._ldl_solution: (2, 1, 2),
    eigen._eig: (2,), eigen._eigenvalues: (2,),
    lu.permutation: (1,), lu.lu_factors: (2,), lu._plu: (2,), lu._unpacked: (2, 1),
    lu.lu_solution: (2, 1, 2),
    matrix_functions._matrix_exp: (2,),
    orthogonal._geqrf: (2,), orthogonal._product: (2, 1), orthogonal._times_q: (2, 1, 2),
    solving._inverse: (2,), solving.solution: (2, 2),
    triangular.triangular_solution: (2, 2), triangular.old_triangular_solution: (2, 2),
}  # fmt: skip
for _call, _cores in _LEADING.items():
    _leading(_call.op.forward, _cores)
for _call in (solving._solution_and_codes, solving._least_squares):
    _vectors(_call.op.forward)


# Operators on planes: all dimensions before those of the windows are alike


def _planes(forward: Any, count: int) -> None:
    def rule(level: Any, *args: Any) -> Any:
        data, _ = _parts(level, args[:count])
        return _batched(level, computed(forward, *data, *args[count:]))

    BATCH_RULES[forward] = rule


def _windows(forward: Any, count: int) -> None:
    """`_planes`, of pooling whose parameter after the next may begin with random samples."""

    def rule(level: Any, *args: Any) -> Any:
        find, given, *rest = args[count:]
        (*data, first), _ = _parts(level, [*args[:count], given[0] if given else None])
        given = (first, *given[1:]) if given else given
        return _batched(level, computed(forward, *data, find, given, *rest))

    BATCH_RULES[forward] = rule


_PLANES = [
    (pooling._to_largest, 2), (pooling._of_largest, 2), (adaptive._regathered, 2),
    (adaptive._summed_up, 2), *[(call, 2) for call in adaptive._UNPOOL.values()],
    *[(call, 1) for pair in pooling._MAX_POOLS.values() for call in pair],
    *[(call, 1) for call in pooling._MEAN_POOLS.values()],
    (grids._pixel_shuffle, 1), (grids._pixel_unshuffle, 1),
]  # fmt: skip
for _call, _count in _PLANES:
    _planes(_call.op.forward, _count)
for _name in ("avg_pool2d_backward", "avg_pool3d_backward"):
    _planes(OPS[_name].forward, 1)
for _call in (adaptive._to_places, adaptive._of_places):
    _windows(_call.op.forward, 2)
for _call in (*adaptive._ADAPTIVE_MAX.values(), *adaptive._FRACTIONAL_MAX.values()):
    _windows(_call.op.forward, 1)


# Operators on images: the examples are more of them


def _images(forward: Any, count: int) -> None:
    def rule(level: Any, *args: Any) -> Any:
        data, size = _parts(level, args[:count])
        n = data[0].shape[1]
        flat = [np.reshape(x, (size * n, *x.shape[2:])) for x in data]
        found = computed(forward, *flat, *args[count:])
        return _batched(level, np.reshape(found, (size, n, *found.shape[1:])))

    BATCH_RULES[forward] = rule


_images(convolution._unfold.op.forward, 1)
_images(convolution._fold.op.forward, 1)
_images(grids._rows.op.forward, 2)
_images(grids._to_rows.op.forward, 2)
for _call in grids._SAMPLERS.values():
    _images(_call.op.forward, 2)


# Convolutions: of one kernel, of more images; of a kernel for each example, in more groups


def _side_by_side(x: Any) -> Any:
    """The examples' channels one after the other: f[examples, n, c, *] -> f[n, examples * c, *]."""
    examples, n, c, *size = x.shape
    return np.reshape(np.moveaxis(x, 0, 1), (n, examples * c, *size))


def _as_channels(forward: Any) -> None:
    def rule(level: Any, input: Any, weight: Any, bias: Any, stride: Any, padding: Any,
             dilation: Any, groups: int, size: Any) -> Any:  # fmt: skip
        from ..graph.batched import here

        window = (stride, padding, dilation)
        if here(weight, level):
            (x, kernel, shift), examples = _parts(level, (input, weight, bias))
            kernel = np.reshape(kernel, (-1, *kernel.shape[2:]))
            shift = None if shift is None else np.reshape(shift, (-1,))
            found = computed(forward, _side_by_side(x), kernel, shift, *window, groups * examples,
                             size)  # fmt: skip
            n, channels = found.shape[:2]
            found = np.reshape(found, (n, examples, channels // examples, *size))
            return _batched(level, np.moveaxis(found, 1, 0))
        own = here(bias, level)
        (x,), examples = _parts(level, (input,)) if here(input, level) else ((input[None],), 1)
        flat = np.reshape(x, (examples * x.shape[1], *x.shape[2:]))
        found = computed(forward, flat, weight, None if own else bias, *window, groups, size)
        found = _batched(level, np.reshape(found, (*x.shape[:2], *found.shape[1:])))
        return found + np.reshape(bias, (-1, *(1,) * len(size))) if own else found

    BATCH_RULES[forward] = rule


def _kernels(level: Any, grad: Any, input: Any, stride: Any, padding: Any, dilation: Any,
             groups: int, size: Any) -> Any:  # fmt: skip
    """A gradient by the kernel for each example."""
    (g, x), examples = _parts(level, (grad, input))
    forward = convolution._weight_gradient.op.forward
    found = computed(forward, _side_by_side(g), _side_by_side(x), stride, padding, dilation,
                     groups * examples, size)  # fmt: skip
    return _batched(level, np.reshape(found, (examples, g.shape[2], *found.shape[1:])))


_as_channels(convolution._convolution.op.forward)
_as_channels(convolution._transposed.op.forward)
BATCH_RULES[convolution._weight_gradient.op.forward] = _kernels
