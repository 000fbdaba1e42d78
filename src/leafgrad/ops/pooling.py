"""Pooling: the largest element, or the mean, of what a window sees at each of its positions.

A window is walked through element by element: what its first element sees at all positions is one
strided slice of the input, and so for the next. The pooled dimensions are the last ones.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..dtypes import from_numpy_dtype, iinfo
from ..duck import Duck, zeros
from ..graph.operator import op, write_out
from ..graph.source import fail
from ..tensor import Tensor
from .activations import floating, kernel
from .comparison import kept
from .convolution import Sizes, listed, positions
from .matrix_products import c_name

__all__ = [
    "avg_pool1d", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool3d",
]  # fmt: skip

_AXES = {1: ("W",), 2: ("H", "W"), 3: ("T", "H", "W")}
_WORDS = {1: "one int", 2: "two ints", 3: "three ints"}


# What each element of a window sees


def _reach(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes,
           count: Sizes) -> list[tuple[int, int]]:  # fmt: skip
    """The padding before and after each axis that the windows reach into."""
    ends = [(n - 1) * s + d * (k - 1) + 1 for n, s, k, d
            in zip(count, stride, kernel, dilation, strict=True)]  # fmt: skip
    return [(p, max(e - p - n, 0)) for e, p, n in zip(ends, padding, size, strict=True)]


def _widened(x: Any, reach: Any, value: Any) -> Any:
    """The array with `value` around its last axes."""
    if not any(a or b for a, b in reach):
        return x
    first = x.ndim - len(reach)
    shape = [n + a + b for n, (a, b) in zip(x.shape[first:], reach, strict=True)]
    made = np.full_like(x, value, shape=(*x.shape[:first], *shape), order="C")
    made[_middle(x.shape[first:], reach)] = x
    return made


def _middle(size: Sizes, reach: Any) -> tuple[Any, ...]:
    return (..., *(slice(a, a + n) for n, (a, _) in zip(size, reach, strict=True)))


def _slices(kernel: Sizes, stride: Sizes, dilation: Sizes, count: Sizes) -> Iterator[Any]:
    """For each element of a window, what it sees at all positions, as an index."""
    for place in positions(kernel, dilation):
        yield (..., *(slice(p, p + s * (n - 1) + 1, s)
                      for p, s, n in zip(place, stride, count, strict=True)))  # fmt: skip


def _apart(kernel: Sizes, stride: Sizes, dilation: Sizes) -> bool:
    """Whether no two windows share an element."""
    return all(s > d * (k - 1) for s, k, d in zip(stride, kernel, dilation, strict=True))


# The largest element


def _lowest(x: Any) -> Any:
    return iinfo(from_numpy_dtype(x.dtype)).min if x.dtype.kind in "iu" else -math.inf


def _largest(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, count: Sizes) -> Any:
    """The largest element of each window, one axis after the other."""
    for axis in range(len(kernel)):
        before, after = (slice(None),) * axis, (slice(None),) * (len(kernel) - axis - 1)
        k, s, d, n = kernel[axis], stride[axis], dilation[axis], count[axis]
        x = functools.reduce(np.maximum, [
            x[(..., *before, slice(i * d, i * d + s * (n - 1) + 1, s), *after)] for i in range(k)
        ])  # fmt: skip
    return x


def _first_largest(x: Any, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes,
                   count: Sizes) -> Any:  # fmt: skip
    """Which element of each window is the largest: the first such, or the last NaN."""
    size = x.shape[x.ndim - len(kernel) :]
    reach = _reach(size, kernel, stride, padding, dilation, count)
    inside: Any = _widened(np.ones(size, bool), reach, False)
    x = _widened(x, reach, _lowest(x))
    best = _largest(x, kernel, stride, dilation, count)
    every = math.prod(kernel)
    kind = np.uint8 if every <= 256 else np.uint32
    none: Any = ~zeros(best, best.shape, bool)  # none so far; their count is the first's place
    found = zeros(best, best.shape, kind)
    seen = list(_slices(kernel, stride, dilation, count))
    for at in seen[:-1]:
        missed = x[at] != best
        none &= missed | ~inside[at] if any(padding) else missed
        found += none.view(np.uint8)
    if x.dtype.kind == "f" and (isinstance(best, Duck) or np.isnan(best).any()):
        for number, at in enumerate(seen):
            np.copyto(found, kind(number), where=np.isnan(x[at]))
    return found


@op(name="max_pool_backward", node="MaxPoolWithIndicesBackwardBackward0")
@kernel
def _to_largest(grad, input, /, kernel, stride, padding, dilation, count):
    """Each window's gradient to its largest element."""
    size = input.shape[input.ndim - len(kernel) :]
    reach = _reach(size, kernel, stride, padding, dilation, count)
    chosen = _first_largest(input, kernel, stride, padding, dilation, count)
    shape = [n + a + b for n, (a, b) in zip(size, reach, strict=True)]
    made = np.zeros_like(grad, shape=(*input.shape[: -len(kernel)], *shape), order="C")
    apart = _apart(kernel, stride, dilation)
    for number, at in enumerate(_slices(kernel, stride, dilation, count)):
        part = kept(grad, chosen == number)
        if apart:
            made[at] = part
        else:
            made[at] += part
    return np.array(made[_middle(size, reach)], order="C") if any(map(any, reach)) else made


@op(name="max_pool_double_backward", node="GatherBackward0")
@kernel
def _of_largest(values, input, /, kernel, stride, padding, dilation, count):
    """The values where `input` is the largest in each window."""
    size = input.shape[input.ndim - len(kernel) :]
    reach = _reach(size, kernel, stride, padding, dilation, count)
    chosen = _first_largest(input, kernel, stride, padding, dilation, count)
    values = _widened(values, reach, 0)
    made = np.zeros_like(values, shape=chosen.shape)
    for number, at in enumerate(_slices(kernel, stride, dilation, count)):
        made = made + kept(values[at], chosen == number)
    return made


_to_largest.vjp(
    grad=lambda g, input, kernel, stride, padding, dilation, count: _of_largest(
        g, input, kernel, stride, padding, dilation, count
    )
)
_of_largest.vjp(
    values=lambda g, input, kernel, stride, padding, dilation, count: _to_largest(
        g, input, kernel, stride, padding, dilation, count
    )
)


def _flat_indices(x: Any, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes,
                  count: Sizes) -> Any:  # fmt: skip
    """Where the largest element of each window lies, counted through the pooled axes."""
    size = x.shape[x.ndim - len(kernel) :]
    steps = [math.prod(size[i + 1 :]) for i in range(len(size))]
    offsets = [sum(p * t for p, t in zip(place, steps, strict=True))
               for place in positions(kernel, dilation)]  # fmt: skip
    starts: Any = 0
    for axis, (n, s, p, t) in enumerate(zip(count, stride, padding, steps, strict=True)):
        along = (np.arange(n) * s - p) * t
        starts = starts + along.reshape(-1, *(1,) * (len(count) - axis - 1))
    chosen = _first_largest(x, kernel, stride, padding, dilation, count)
    return np.take(np.array(offsets), chosen) + starts


def _max_pools(dims: int) -> tuple[Any, Any]:
    """Max pooling over so many dimensions: alone, and with the indices."""
    node = f"MaxPool{dims}DWithIndicesBackward0"
    check = floating(f"max_pool{dims}d", "fViu")

    def to_largest(g, input, kernel, stride, padding, dilation, count):
        return _to_largest(g, input, kernel, stride, padding, dilation, count)

    @op(name=f"max_pool{dims}d_with_indices", node=node, check=check)
    @kernel
    def max_pool(input, /, kernel, stride, padding, dilation, count):
        """The largest element of each window: f[..., *size] -> f[..., *count]."""
        size = input.shape[input.ndim - dims :]
        reach = _reach(size, kernel, stride, padding, dilation, count)
        x = _widened(input, reach, _lowest(input))
        best = _largest(x, kernel, stride, dilation, count)
        return np.array(best) if math.prod(kernel) == 1 else best

    @op(name=f"max_pool{dims}d_with_indices", node=node, check=check, differentiable=(0,))
    def max_pool_with_indices(input, /, kernel, stride, padding, dilation, count):
        """The largest element of each window, and where it lies in the pooled dimensions."""
        indices = _flat_indices(input, kernel, stride, padding, dilation, count)
        first = input.ndim - dims
        flat = input.reshape(*input.shape[:first], math.prod(input.shape[first:]))
        picked = np.take_along_axis(flat, indices.reshape(*flat.shape[:-1], math.prod(count)), -1)
        return picked.reshape(indices.shape), indices

    return max_pool.vjp(input=to_largest), max_pool_with_indices.vjp(input=to_largest)


_MAX_POOLS = {dims: _max_pools(dims) for dims in (2, 3)}


# What a call asks for


def _sizes(name: str, dims: int, **given: Any) -> list[Sizes]:
    """Kernel size, stride and so on, for each dimension."""
    found = []
    for each, value in given.items():
        sizes = listed(value, dims)
        if len(sizes) != dims:
            may = "either be omitted, a" if each == "stride" else "either be a"
            if each == "dilation":
                may = "be either a"
            fail(RuntimeError, f"{name}: {each} must {may} single int, or a tuple of "
                               f"{_WORDS[dims]}")  # fmt: skip
        found.append(sizes)
    return found


def _count(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    """How many positions a window has along an axis."""
    if stride == 0:
        fail(RuntimeError, "stride should not be zero")
    if padding < 0:
        fail(RuntimeError, f"pad must be non-negative, but got pad: {padding}")
    if padding > ((kernel - 1) * dilation + 1) // 2:
        fail(RuntimeError, "pad should be at most half of effective kernel size, but got "
                           f"pad={padding}, kernel_size={kernel} and "
                           f"dilation={dilation}")  # fmt: skip
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (room + (stride - 1 if ceil else 0)) // stride + 1
    # The last window has to start inside the input or the padding before it.
    return count - 1 if ceil and (count - 1) * stride >= size + padding else count


def _named(name: str, letter: str, values: Sizes) -> str:
    each = zip(_AXES[len(values)], values, strict=True)
    return f"{name} should be greater than zero, but got " + " ".join(
        f"{letter}{axis}: {value}" for axis, value in each
    )


@functools.lru_cache(maxsize=1024)
def _planned(name: str, shape: Sizes, kernel: Any, stride: Any, padding: Any, dilation: Any,
             ceil: bool, dims: int) -> Any:  # fmt: skip
    """Kernel, stride, padding and dilation by dimension, and the number of windows; or PyTorch's
    error for what does not fit."""
    (kernel,) = _sizes(name, dims, kernel_size=kernel)
    stride = kernel if stride is None or stride == () else _sizes(name, dims, stride=stride)[0]
    padding, dilation = _sizes(name, dims, padding=padding, dilation=dilation)
    if len(shape) not in (dims + 1, dims + 2) and (dims == 3 or name.startswith("max")):
        fail(RuntimeError, f"non-empty {dims + 1}D or {dims + 2}D (batch mode) tensor expected for "
                           "input")  # fmt: skip
    if len(shape) < dims + 1:
        fail(IndexError, f"Dimension out of range (expected to be in range of [-{len(shape)}, "
                         f"{len(shape) - 1}], but got -{dims + 1})")  # fmt: skip
    size = shape[-dims:]
    count = tuple(_count(*each, ceil) for each
                  in zip(size, kernel, stride, padding, dilation, strict=True))  # fmt: skip
    for word, letter, values in (("kernel size", "k", kernel), ("stride", "d", stride),
                                 ("dilation", "dilation", dilation)):  # fmt: skip
        if min(values) <= 0:
            fail(RuntimeError, _named(word, letter, values))
    rest = shape if len(shape) == dims + 1 else shape[1:]
    if dims == 3 and 0 in rest:
        fail(RuntimeError, f"{name}_with_indices_out_cpu_template(): Expected input's non-batch "
                           "dimensions to have positive length, but input has a shape of "
                           f"{list(shape)} and non-batch dimension 0 has length "
                           "zero!")  # fmt: skip
    if 0 in rest or len(shape) > dims + 2:
        fail(RuntimeError, f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional "
                           f"0 dim batch size for input, but got:{list(shape)}")  # fmt: skip
    if (
        dims == 3
        and name.startswith("avg")
        and any(n + 2 * p < k for n, p, k in zip(size, padding, kernel, strict=True))
    ):
        have = " ".join(f"{a}: {n}" for a, n in zip(_AXES[3], size, strict=True))
        want = " ".join(f"k{a}: {n}" for a, n in zip(_AXES[3], kernel, strict=True))
        fail(RuntimeError, f"input image ({have}) smaller than kernel size ({want})")
    if min(count) < 1:
        plane = shape[-dims - 1]
        fail(RuntimeError, f"Given input size: ({_by(plane, size)}). Calculated output size: "
                           f"({_by(plane, count)}). Output size is too small")  # fmt: skip
    return kernel, stride, padding, dilation, count


def _by(plane: int, sizes: Sequence[int]) -> str:
    return "x".join(map(str, (plane, *sizes)))


def _hashable(*values: Any) -> tuple[Any, ...]:
    return tuple(tuple(v) if v.__class__ is list else v for v in values)


def _max_pool(name: str, dims: int, input: Tensor, kernel: Any, stride: Any, padding: Any,
              dilation: Any, ceil: bool, indices: bool) -> Any:  # fmt: skip
    sizes = _hashable(kernel, stride, padding, dilation)
    plan = _planned(name, input._array.shape, *sizes, bool(ceil), dims)
    return _MAX_POOLS[dims][indices](input, *plan)


def _checked_1d(input: Any, given: tuple[Any, ...], ceil: bool) -> None:
    """PyTorch's errors of its own way of pooling one dimension."""
    shape = tuple(input.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        fail(RuntimeError, "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim "
                           f"batch size for input, but got:{list(shape)}")  # fmt: skip
    names = ("kernel_size", "stride", "padding", "dilation")
    for name, sizes in zip(names, given, strict=True):
        if len(sizes) != 1:
            may = "None, an int" if name == "stride" else "an int"
            fail(RuntimeError, f"max_pool1d() {name} must be {may}, list of ints or tuple of ints "
                               f"of size 1 but got size {len(sizes)}")  # fmt: skip
    (kernel,), (stride,), (padding,), (dilation,) = given
    for name, value in (("kernel_size", kernel), ("stride", stride)):
        if value <= 0:
            fail(RuntimeError, f"max_pool1d() {name} must be greater than zero, but got {value}")
    if padding < 0:
        fail(RuntimeError, f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > kernel // 2:
        fail(RuntimeError, "max_pool1d() padding should be at most half of kernel size, but got "
                           f"padding={padding} and kernel_size={kernel}")  # fmt: skip
    if dilation <= 0:
        fail(RuntimeError, f"max_pool1d() dilation must be greater than zero, but got {dilation}")
    count = _count(shape[-1], kernel, stride, padding, dilation, ceil)
    if count <= 0:
        fail(RuntimeError, f"max_pool1d() Invalid computed output size: {count}")
    if input._array.dtype.kind not in "fV":
        fail(NotImplementedError,
             f"\"max_pool1d_impl\" not implemented for '{input.dtype.legacy}'")  # fmt: skip


def max_pool1d_with_indices(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                            dilation: Any = 1, ceil_mode: bool = False,
                            return_indices: bool = False) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The largest element of each window along the last dimension, and its index."""
    kernel, padding, dilation = (listed(v, 1) for v in (kernel_size, padding, dilation))
    stride = kernel if stride is None or stride == () else listed(stride, 1)
    found = _max_pool("max_pool2d", 2, input.unsqueeze(-2), (1, *kernel), (1, *stride),
                      (0, *padding), (1, *dilation), ceil_mode, True)  # fmt: skip
    return tuple(t.squeeze(-2) for t in found)  # type: ignore[return-value]


def max_pool1d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False,
               return_indices: bool = False) -> Any:  # fmt: skip
    """The largest element of each window along the last dimension: f[n, c, l] or f[c, l].

    stride: of the kernel's size if None; padding: by as much on both sides, none of it is ever the
    largest; ceil_mode: also windows that reach over the end; return_indices: also where it lies
    """
    if return_indices:
        return max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    kernel, padding, dilation = (listed(v, 1) for v in (kernel_size, padding, dilation))
    stride = kernel if stride is None or stride == () else listed(stride, 1)
    _checked_1d(input, (kernel, stride, padding, dilation), ceil_mode)
    found = _max_pool("max_pool2d", 2, input.unsqueeze(-2), (1, *kernel), (1, *stride),
                      (0, *padding), (1, *dilation), ceil_mode, False)  # fmt: skip
    return found.squeeze(-2)


def max_pool2d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                            dilation: Any = 1, ceil_mode: bool = False,
                            return_indices: bool = False) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool2d`, and where in the plane each largest element lies."""
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode,
                     True)  # type: ignore[no-any-return] # fmt: skip


def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False,
               return_indices: bool = False) -> Any:  # fmt: skip
    """The largest element of each window over the last two dimensions: f[n, c, h, w] or f[c, h, w].

    stride: of the kernel's size if None; padding: by as much on both sides, none of it is ever the
    largest; ceil_mode: also windows that reach over the end; return_indices: also where it lies
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode,
                     return_indices)  # fmt: skip


def max_pool3d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                            dilation: Any = 1, ceil_mode: bool = False,
                            return_indices: bool = False) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool3d`, and where in the volume each largest element lies."""
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode,
                     True)  # type: ignore[no-any-return] # fmt: skip


def max_pool3d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False,
               return_indices: bool = False) -> Any:  # fmt: skip
    """The largest element of each window over the last three dimensions: f[n, c, d, h, w] or
    f[c, d, h, w].

    stride: of the kernel's size if None; padding: by as much on both sides, none of it is ever the
    largest; ceil_mode: also windows that reach over the end; return_indices: also where it lies
    """
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode,
                     return_indices)  # fmt: skip


# The mean


def _along(x: Any, axis: int, index: slice) -> Any:
    """What an index along one of the last axes (counted from the end) takes."""
    return x[(..., index, *(slice(None),) * (-1 - axis))]


def _scale(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, count: Sizes,
           include: bool, divisor: int | None) -> Any:  # fmt: skip
    """What the sums of the windows are divided by: the numbers of their elements."""
    if divisor is not None:
        return divisor
    counts: Any = 1
    for axis, (n, k, s, p, m) in enumerate(zip(size, kernel, stride, padding, count, strict=True)):
        starts = np.arange(m) * s - p
        ends = np.minimum(starts + k, n + p)
        inside = ends - starts if include else np.minimum(ends, n) - np.maximum(starts, 0)
        counts = counts * inside.reshape(-1, *(1,) * (len(count) - axis - 1))
    same = counts.ravel()[0] if counts.size else 1
    return int(same) if (counts == same).all() else counts


def _divided(x: Any, scale: Any) -> Any:
    if scale.__class__ is not int:
        scale = scale.astype(x.dtype)
    if x.dtype.kind == "i":  # towards zero
        return np.sign(x) * np.sign(scale) * (np.abs(x) // np.abs(scale))
    return x / scale


def _mean_pools(dims: int) -> Any:
    @op(name=f"avg_pool{dims}d", node=f"AvgPool{dims}DBackward0", linear=True,
        check=_mean_kinds(dims))  # fmt: skip
    @kernel
    def avg_pool(input, /, kernel, stride, padding, count, include, divisor):
        """The mean of each window: f[..., *size] -> f[..., *count]."""
        size, ones = input.shape[input.ndim - dims :], (1,) * dims
        x = _widened(input, _reach(size, kernel, stride, padding, ones, count), 0)
        for axis in range(-dims, 0):
            k, s, n = kernel[axis], stride[axis], count[axis]
            x = functools.reduce(np.add, [
                _along(x, axis, slice(i, i + s * (n - 1) + 1, s)) for i in range(k)
            ])  # fmt: skip
        return _divided(x, _scale(size, kernel, stride, padding, count, include, divisor))

    @op(name=f"avg_pool{dims}d_backward", node=f"AvgPool{dims}DBackwardBackward0", linear=True)
    @kernel
    def spread(input, /, kernel, stride, padding, count, include, divisor, size):
        """Each window's share to all its elements: f[..., *count] -> f[..., *size]."""
        x = _divided(input, _scale(size, kernel, stride, padding, count, include, divisor))
        reach = _reach(size, kernel, stride, padding, (1,) * dims, count)
        for axis in range(-dims, 0):
            k, s, n = kernel[axis], stride[axis], count[axis]
            shape = list(x.shape)
            shape[axis] = size[axis] + sum(reach[axis])
            made = np.zeros_like(x, shape=tuple(shape), order="C")
            for i in range(k):
                place = _along(made, axis, slice(i, i + s * (n - 1) + 1, s))
                if s >= k:
                    place[...] = x
                else:
                    place += x
            x = made
        return np.array(x[_middle(size, reach)], order="C") if any(map(any, reach)) else x

    spread.vjp(
        input=lambda g, kernel, stride, padding, count, include, divisor: avg_pool(
            g, kernel, stride, padding, count, include, divisor
        )
    )
    return avg_pool.vjp(
        input=lambda g, input, kernel, stride, padding, count, include, divisor: spread(
            g, kernel, stride, padding, count, include, divisor, input.shape[input.ndim - dims :]
        )
    )


def _mean_kinds(dims: int) -> Any:
    def check(input: Any) -> None:
        if input.dtype.kind not in "fV" and input.dtype != np.int64:
            kind = from_numpy_dtype(input.dtype).legacy
            raise NotImplementedError(f"\"avg_pool{dims}d\" not implemented for '{kind}'")

    return check


_MEAN_POOLS = {dims: _mean_pools(dims) for dims in (2, 3)}


def _avg_pool(name: str, dims: int, input: Tensor, kernel: Any, stride: Any, padding: Any,
              ceil: bool, include: bool, divisor: int | None) -> Any:  # fmt: skip
    if divisor == 0:
        fail(RuntimeError, "divisor must be not zero")
    sizes = _hashable(kernel, stride, padding)
    plan = _planned(name, input._array.shape, *sizes, 1, bool(ceil), dims)
    kernel, stride, padding, _, count = plan
    return _MEAN_POOLS[dims](input, kernel, stride, padding, count, include, divisor)


def _check_out(input: Tensor, out: Tensor) -> None:
    if out.dtype is not input.dtype:
        fail(RuntimeError, f"Expected out tensor to have dtype {c_name(input._array)}, but got "
                           f"{c_name(out._array)} instead")  # fmt: skip


def one_int(name: str, argument: str, value: Any) -> Sizes:
    """A parameter of a function over one dimension."""
    found = listed(value, 1)
    if len(found) != 1:
        fail(RuntimeError, f"{name}() argument '{argument}' should contain one int (got "
                           f"{len(found)})")  # fmt: skip
    return found


def check_dims(name: str, input: Any) -> None:
    """PyTorch's error for an input of other than two or three dimensions."""
    if input.ndim not in (2, 3):
        fail(RuntimeError, f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor "
                           "for argument #1 'self' (while checking arguments for "
                           f"{name})")  # fmt: skip


def avg_pool1d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True) -> Tensor:  # fmt: skip
    """The mean of each window along the last dimension: f[n, c, l] or f[c, l].

    stride: of the kernel's size if None; ceil_mode: also windows that reach over the end;
    count_include_pad: the zeros around count as elements
    """
    name = "avg_pool1d"
    kernel, padding = (
        one_int(name, n, v) for n, v in (("kernel_size", kernel_size), ("padding", padding))
    )
    stride = kernel if stride is None or stride == () else one_int(name, "stride", stride)
    check_dims(name, input)
    found = _avg_pool("avg_pool2d", 2, input.unsqueeze(-2), (1, *kernel), (1, *stride),
                      (0, *padding), ceil_mode, count_include_pad, None)  # fmt: skip
    return found.squeeze(-2)  # type: ignore[no-any-return]


def avg_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None, *, out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of each window over the last two dimensions: f[n, c, h, w] or f[c, h, w].

    stride: of the kernel's size if None; ceil_mode: also windows that reach over the end;
    count_include_pad: the zeros around count as elements; divisor_override: what to divide by
    """
    given = (input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    if out is not None:
        _check_out(input, out)
        return write_out("avg_pool2d", out, avg_pool2d, given, {})  # type: ignore
    return _avg_pool("avg_pool2d", 2, *given)  # type: ignore[no-any-return]


def avg_pool3d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None, *, out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of each window over the last three dimensions: f[n, c, d, h, w] or f[c, d, h, w].

    stride: of the kernel's size if None; ceil_mode: also windows that reach over the end;
    count_include_pad: the zeros around count as elements; divisor_override: what to divide by
    """
    given = (input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    if out is not None:
        _check_out(input, out)
        return write_out("avg_pool3d", out, avg_pool3d, given, {})  # type: ignore
    return _avg_pool("avg_pool3d", 3, *given)  # type: ignore[no-any-return]
