"""Reductions: sums, means, variances, extremes, log Σ exp, over all or some dimensions.

In here `dim` is None for all dimensions, else an int or a tuple of ints counted from the front.
"""

from __future__ import annotations

import builtins
import functools
import math
import warnings
from collections.abc import Callable
from operator import index as as_index
from typing import Any

import numpy as np

from .. import return_types
from ..dtypes import F32, F64, bool_, from_numpy_dtype, get_default_dtype, int64, uint8
from ..duck import item, zeros
from ..graph.operator import op, write_out
from ..graph.quiet import quietly
from ..graph.source import fail
from ..protocols import METHODS as UFUNC_METHODS
from ..sums import total
from ..tensor import TENSORS, Tensor, normal_dim

__all__ = [
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero",
    "logsumexp", "max", "mean", "min", "nanmean", "nansum", "std", "std_mean", "sum", "var",
    "var_mean",
]  # fmt: skip
METHODS = (
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero",
    "logsumexp", "max", "mean", "min", "nanmean", "nansum", "std", "sum", "sum_to_size", "var",
)  # fmt: skip

_ndarray = np.ndarray
_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def torch_arguments(function: Callable[..., Any] | None = None, *, out: Any = None) -> Any:
    """A public function with what all of PyTorch's have: a first argument that must be a tensor,
    `out=`, and NumPy's names for `dim` and `keepdim`.

    out: called with the name, the first argument, the output and the keywords of a call with
    `out=`, before it: it checks their dtypes
    """
    if function is None:
        return functools.partial(torch_arguments, out=out)
    name = function.__name__
    names = function.__code__.co_varnames
    first_name = names[0]
    keepdim = names.index("keepdim") if "keepdim" in names else len(names)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {_NUMPY_NAMES.get(k, k): v for k, v in kwargs.items()}
        first = args[0] if args else kwargs.get(first_name)
        if first.__class__ not in TENSORS and not isinstance(first, Tensor):
            kind = type(first).__name__
            if name in ("max", "min") and len(args) > 1:
                given = ", ".join([kind, *("Tensor" if isinstance(a, Tensor) else type(a).__name__
                                           for a in args[1:])])  # fmt: skip
                fail(TypeError, f"{name}() received an invalid combination of arguments - got "
                                f"({given})")  # fmt: skip
            fail(TypeError, f"{name}(): argument '{first_name}' (position 1) must be Tensor, not "
                            f"{kind}")  # fmt: skip
        if "out" in kwargs:
            target = kwargs.pop("out")
            if target is not None:
                if out is not None:
                    out(name, first, target, kwargs)
                written = write_out(name, target, call, args, kwargs)
                several = isinstance(target, (tuple, list))
                return getattr(return_types, f"{name}_out")(written) if several else written
        if len(args) > keepdim and args[keepdim].__class__ is not bool:
            fail(TypeError, f"{name}(): argument 'keepdim' (position {keepdim}) must be bool, not "
                            f"{type(args[keepdim]).__name__}",
                 "several dimensions are a tuple: dim=(0, 1)")  # fmt: skip
        return function(*args, **kwargs)

    return call


def _as_input(name: str, input: Tensor, out: Tensor, kwargs: dict[str, Any]) -> None:
    if out.dtype is not input.dtype:
        fail(RuntimeError, "Expected the dtype for input and out to match, but got "
                           f"{input.dtype.legacy} for input's dtype and {out.dtype.legacy} for "
                           "out's dtype")  # fmt: skip


def _as_truth(name: str, input: Tensor, out: Tensor, kwargs: dict[str, Any]) -> None:
    if out.dtype not in (bool_, uint8):
        fail(RuntimeError, f"{name} only supports bool tensor for result, got: {out.dtype.legacy}")


def _as_index(name: str, input: Tensor, out: Tensor, kwargs: dict[str, Any]) -> None:
    _expect(out, int64)


def as_values(name: str, input: Tensor, out: Any, kwargs: dict[str, Any]) -> None:
    """Values come in the input's dtype (its real one, of norms), with them indices as int64."""
    if isinstance(out, Tensor) and name in ("max", "min"):
        return  # of all elements, or elementwise: what can be cast is
    values = input.dtype.to_real() if name == "norm" else input.dtype
    for target, dtype in zip(out if isinstance(out, (tuple, list)) else (out,), (values, int64),
                             strict=False):  # fmt: skip
        _expect(target, dtype)


def into_dtype(name: str, input: Tensor, out: Tensor, kwargs: dict[str, Any]) -> None:
    """Sums and products are computed in the output's dtype."""
    if kwargs.get("dtype") is not None:
        _expect(out, kwargs["dtype"])
    kwargs["dtype"] = out.dtype


def _expect(out: Tensor, dtype: Any) -> None:
    """Raise PyTorch's error for an `out=` of another dtype."""
    if out.dtype is not dtype:
        have, got = (_C_NAMES.get(d.name, d.name) for d in (dtype, out.dtype))
        fail(RuntimeError, f"Expected out tensor to have dtype {have}, but got {got} instead")


_C_NAMES = {
    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float",
    "float64": "double", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


# Dimensions


def dims_of(dim: Any, ndim: int, name: str) -> Any:
    """`dim` of a call as the primitives want it: None, an int or a tuple, counted from 0."""
    if dim.__class__ is int and -ndim <= dim < ndim:
        return dim if dim >= 0 else dim + ndim
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        found: list[int] = []
        for each in dim:
            d = normal_dim(as_index(each), ndim)
            if d in found:
                fail(RuntimeError, f"dim {d} appears multiple times in the list of dims")
            found.append(d)
        return tuple(found) if found and ndim else None
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        fail(TypeError, f"{name}() received an invalid combination of arguments - got "
                        f"({type(dim).__name__})", "dim: an int, or a tuple of them")  # fmt: skip
    found_one = one_dim(dim, ndim, name)
    return found_one if ndim else None


def one_dim(dim: Any, ndim: int, name: str) -> int:
    """A single dimension counted from 0. A 0-dim tensor has one dimension, as in PyTorch."""
    if dim.__class__ is not int:
        if isinstance(dim, bool) or not hasattr(dim, "__index__"):
            fail(TypeError, f"{name}(): argument 'dim' (position 1) must be int, not "
                            f"{type(dim).__name__}")  # fmt: skip
        dim = as_index(dim)
    return normal_dim(dim, ndim)


def kept(shape: Any, dim: Any) -> Any:
    """The shape of a reduction's result with its reduced dimensions kept."""
    if dim is None:
        return (1,) * len(shape)
    if dim.__class__ is int:
        return (*shape[:dim], 1, *shape[dim + 1 :])
    return tuple(1 if i in dim else n for i, n in enumerate(shape))


def count(shape: Any, dim: Any) -> int:
    """How many elements go into one element of a reduction's result."""
    if dim is None:
        return math.prod(shape)
    return shape[dim] if dim.__class__ is int else math.prod(shape[d] for d in dim)


def raised(value: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """A reduction's result (or its gradient) with the reduced dimensions, of size 1, put back."""
    return value if keepdim or not shape else np.reshape(value, kept(shape, dim))


def spread(g: Any, shape: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The transpose of a sum: `g` repeated along the dimensions that were summed, as a view."""
    if dim is not None and not keepdim:
        g = np.reshape(g, kept(shape, dim))
    if g.__class__ is not _ndarray or (g.dtype is not F32 and g.dtype is not F64):
        return np.broadcast_to(g, shape)
    if not g.size or not g.flags.c_contiguous:
        return np.broadcast_to(g, shape)
    # The same at a tenth of the cost.
    strides = tuple([s if n != 1 else 0 for s, n in zip(g.strides, g.shape, strict=True)])
    return _ndarray(shape, g.dtype, g, 0, (0,) * (len(shape) - g.ndim) + strides)


def conj(x: Any) -> Any:
    """The complex conjugate, of what is complex."""
    kind = x.dtype
    is_complex = kind.is_complex if isinstance(x, Tensor) else kind.kind == "c"
    return np.conj(x) if is_complex else x


# Sums


def cast(x: Any, dtype: Any) -> Any:
    return x if dtype is None else x.astype(dtype.numpy, copy=False)


@op(name="sum", node="SumBackward0", linear=True)
def sum_all(input, /, dtype):
    """The sum of all elements: f[...] -> f[]."""
    if dtype is None:
        return total(input)
    return total(cast(input, dtype)).astype(dtype.numpy, copy=False)


sum_all.vjp(input=lambda g, input_shape: spread(g, input_shape))


@op(name="sum", node="SumBackward1", linear=True)
def sum_dim(input, /, dim, keepdim, dtype):
    """The sum over the dimensions `dim`."""
    if dtype is None:
        return total(input, dim, keepdim)
    return total(cast(input, dtype), dim, keepdim).astype(dtype.numpy, copy=False)


sum_dim.vjp(input=lambda g, input_shape, dim, keepdim: spread(g, input_shape, dim, keepdim))


@op(name="nansum")
def nan_sum(input, /, dim, keepdim, dtype):
    """The sum over the dimensions `dim` of what is not NaN."""
    x = cast(input, dtype)
    return total(x if x.dtype.kind in "bui" else np.where(np.isnan(x), x.dtype.type(0), x),
                 dim, keepdim)  # fmt: skip


nan_sum.vjp(
    input=lambda g, input, dim, keepdim: (
        spread(g, input.shape, dim, keepdim) * np.logical_not(np.isnan(input))
    )
)


@quietly
def average(x: Any, dim: Any = None, keepdim: Any = False) -> Any:
    """The mean; of nothing, NaN."""
    n = count(x.shape, dim)
    if x.dtype.itemsize == 2:
        return (np.add.reduce(x, axis=dim, dtype=F32, keepdims=keepdim) / n).astype(x.dtype)
    return np.true_divide(total(x, dim, keepdim), n)


@op(name="mean", node="MeanBackward0", linear=True)
def mean_all(input, /, dtype):
    """The mean of all elements: f[...] -> f[]."""
    return average(cast(input, dtype))


mean_all.vjp(input=lambda g, input_shape: spread(g / math.prod(input_shape), input_shape))


@op(name="mean", node="MeanBackward1", linear=True)
def mean_dim(input, /, dim, keepdim, dtype):
    """The mean over the dimensions `dim`."""
    return average(cast(input, dtype), dim, keepdim)


mean_dim.vjp(
    input=lambda g, input_shape, dim, keepdim: spread(
        g / count(input_shape, dim), input_shape, dim, keepdim
    )
)


# Variances


@quietly
def _moments(x: Any, dim: Any, correction: float, keepdim: bool) -> tuple[Any, Any]:
    """Variance and mean."""
    kind = x.dtype
    if kind.itemsize == 2:
        x = x.astype(F32)
    mean = average(x, dim, True)
    d = x - mean
    squares = total(np.real(d * np.conj(d)) if kind.kind == "c" else d * d, dim, keepdim)
    n = count(x.shape, dim)
    variance = squares / (n - correction if n > correction else 0)
    mean = mean if keepdim else np.reshape(mean, squares.shape)
    return (variance.astype(kind), mean.astype(kind)) if kind.itemsize == 2 else (variance, mean)


@op(name="var", node="VarBackward0")
def variance(input, /, dim, correction, keepdim):
    """Σ|x − mean|² / (n − correction) over the dimensions `dim`."""
    return _moments(input, dim, correction, keepdim)[0]


def _variance_vjp(g, input, dim, correction, keepdim):
    g = raised(g, input.shape, dim, keepdim)
    centred = conj(input - mean_dim(input, dim, True, None))
    freedom = count(input.shape, dim) - correction
    if freedom <= 0:
        return g * np.where(centred == 0, math.nan, math.inf)
    return (g * (2.0 / freedom)) * centred


variance.vjp(input=_variance_vjp)


@op(name="std", node="StdBackward0")
@quietly
def deviation(input, /, dim, correction, keepdim):
    """The square root of the variance."""
    return np.sqrt(_moments(input, dim, correction, keepdim)[0])


def _deviation_vjp(g, input, out, dim, correction, keepdim):
    return _variance_vjp(_through_root(g, out), input, dim, correction, keepdim)


def _through_root(g: Any, root: Any) -> Any:
    """The gradient before a square root; 0 where that is 0."""
    zero = root == 0
    return np.where(zero, 0, g / (2 * np.where(zero, 1, root)))


deviation.vjp(input=_deviation_vjp)


@op(name="var_mean", node="VarMeanBackward0")
def variance_mean(input, /, dim, correction, keepdim):
    """Variance and mean over the dimensions `dim`."""
    return _moments(input, dim, correction, keepdim)


def _both(g_first: Any, g_mean: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """The sum of a gradient and that of a mean, either of which may be None."""
    if g_mean is None:
        return g_first
    through_mean = spread(g_mean / count(shape, dim), shape, dim, keepdim)
    return through_mean if g_first is None else g_first + through_mean


def _variance_mean_vjp(g, input, dim, correction, keepdim):
    first = None if g[0] is None else _variance_vjp(g[0], input, dim, correction, keepdim)
    return (_both(first, g[1], input.shape, dim, keepdim),)


variance_mean.vjp(_variance_mean_vjp)


@op(name="std_mean", node="StdMeanBackward0")
@quietly
def deviation_mean(input, /, dim, correction, keepdim):
    """Standard deviation and mean over the dimensions `dim`."""
    variance, mean = _moments(input, dim, correction, keepdim)
    return np.sqrt(variance), mean


def _deviation_mean_vjp(g, input, out, dim, correction, keepdim):
    first = None
    if g[0] is not None:
        first = _deviation_vjp(g[0], input, out[0], dim, correction, keepdim)
    return (_both(first, g[1], input.shape, dim, keepdim),)


deviation_mean.vjp(_deviation_mean_vjp)


# Extremes


@op
@quietly
def tie_weights(input, value, /, dim, nans):
    """Which elements equal a reduction's result (given with its dimensions kept): those weigh 1,
    shared evenly where there are several. f[...], f[kept] -> f[...]. A constant: no derivative.

    nans: whether NaN equals NaN
    """
    mask = input == value
    if nans:
        mask = mask | (np.isnan(input) & np.isnan(value))
    kind = input.dtype
    weights = np.true_divide(mask, np.add.reduce(mask, axis=dim, keepdims=True),
                             dtype=F32 if kind.itemsize == 2 else kind)  # fmt: skip
    return weights.astype(kind, copy=False)


def _extreme_vjp(g, input, out, dim, keepdim):
    shape = input.shape
    weights = tie_weights(input, raised(out, shape, dim, keepdim), dim, False)
    return raised(g, shape, dim, keepdim) * weights


@op(name="amax")
@quietly
def largest(input, /, dim, keepdim):
    """The largest value over the dimensions `dim`; NaN if there is one."""
    return np.maximum.reduce(input, axis=dim, keepdims=keepdim)


@op(name="amin")
@quietly
def smallest(input, /, dim, keepdim):
    """The smallest value over the dimensions `dim`; NaN if there is one."""
    return np.minimum.reduce(input, axis=dim, keepdims=keepdim)


largest.vjp(input=_extreme_vjp)
smallest.vjp(input=_extreme_vjp)


@op(name="aminmax")
@quietly
def smallest_largest(input, /, dim, keepdim):
    """The smallest and the largest value over the dimensions `dim`."""
    return (np.minimum.reduce(input, axis=dim, keepdims=keepdim),
            np.maximum.reduce(input, axis=dim, keepdims=keepdim))  # fmt: skip


def _smallest_largest_vjp(g, input, out, dim, keepdim):
    parts = [_extreme_vjp(each, input, value, dim, keepdim)
             for each, value in zip(g, out, strict=True) if each is not None]  # fmt: skip
    return (parts[0] if len(parts) == 1 else parts[0] + parts[1],)


smallest_largest.vjp(_smallest_largest_vjp)


@op(name="max", node="MaxBackward1")
@quietly
def max_all(input):
    """The largest of all elements; NaN if there is one: f[...] -> f[]."""
    return np.maximum.reduce(input, axis=None)


@op(name="min", node="MinBackward1")
@quietly
def min_all(input):
    """The smallest of all elements; NaN if there is one: f[...] -> f[]."""
    return np.minimum.reduce(input, axis=None)


def evenly(g, input, out):
    """The gradient of one value out of all, shared by the elements that equal it."""
    return g * tie_weights(input, out, None, True)


max_all.vjp(input=evenly)
min_all.vjp(input=evenly)


@op(name="argmax")
def largest_index(input, /, dim, keepdim):
    """The index of the (first) largest value, NaN counting as the largest."""
    return input.argmax(axis=dim, keepdims=keepdim)


@op(name="argmin")
def smallest_index(input, /, dim, keepdim):
    """The index of the (first) smallest value, NaN counting as the smallest."""
    return input.argmin(axis=dim, keepdims=keepdim)


# Picking elements along a dimension: what max(dim), sort, topk, median(dim)... have in common


@functools.lru_cache(maxsize=256)
def _grid(shape: tuple[int, ...]) -> tuple[Any, ...]:
    return np.indices(shape, sparse=True)


def places(index: Any, dim: int, keepdim: bool) -> tuple[Any, ...]:
    """NumPy's index of the elements at `index` along a dimension, which `index` has or (not
    `keepdim`) lacks."""
    grid = _grid(index.shape)
    return (*grid[:dim], index, *grid[dim + keepdim :])


@op(node="GatherBackward0")
def take_along(input, index, /, dim, keepdim):
    """The elements of `input` at `index` along a dimension: f[n], int[m] -> f[m]."""
    return item(input, places(index, dim, keepdim))


@op(node="ScatterAddBackward0")
def put_along(input, index, /, dim, keepdim, size, once):
    """The transpose of `take_along`: zeros of `size` along the dimension, to which elements of
    `input` are added at `index`. once: no place is named twice."""
    shape = input.shape
    whole = zeros((input, index), (*shape[:dim], size, *shape[dim + keepdim :]))
    if once:
        whole[places(index, dim, keepdim)] = input
    else:
        np.add.at(whole, places(index, dim, keepdim), input)
    return whole


take_along.vjp(
    input=lambda g, index, input_shape, dim, keepdim: put_along(
        g, index, dim, keepdim, input_shape[dim], False
    )
)
put_along.vjp(input=lambda g, index, dim, keepdim: take_along(g, index, dim, keepdim))


def picker(name: str, node: str, once: bool = True) -> Any:
    """`take_along` for the graph node that PyTorch gives an operator. once: the index names no
    element twice."""

    @op(name=name, node=node)
    def pick(input, index, /, dim, keepdim):
        return item(input, places(index, dim, keepdim)) if input.ndim else np.copy(input)

    def pick_vjp(g, index, input_shape, dim, keepdim):
        return put_along(g, index, dim, keepdim, input_shape[dim], once) if input_shape else g

    pick.__doc__ = "The elements of `input` at `index` along a dimension."
    pick.vjp(input=pick_vjp)
    return pick


_pick_max = picker("max_dim", "MaxBackward0")
_pick_min = picker("min_dim", "MinBackward0")


# log Σ exp


@op(name="logsumexp")
@quietly
def log_sum_exp(input, /, dim, keepdim):
    """log Σ exp(x) over the dimensions `dim`, without overflow on the way."""
    kind = get_default_dtype().numpy if input.dtype.kind in "bui" else input.dtype
    x = input.astype(F32 if kind.itemsize == 2 else kind, copy=False)
    top = np.maximum.reduce(np.real(x), axis=dim, keepdims=True, initial=-math.inf)
    top = np.where(np.isinf(top), top.dtype.type(0), top)
    logs = np.log(total(np.exp(x - top), dim, keepdim))
    return (logs + (top if keepdim else np.reshape(top, logs.shape))).astype(kind, copy=False)


def _log_sum_exp_vjp(g, input, out, dim, keepdim):
    shape = input.shape
    return raised(g, shape, dim, keepdim) * np.exp(input - raised(out, shape, dim, keepdim))


log_sum_exp.vjp(input=_log_sum_exp_vjp)


# Truth and counts


def _truth(name: str, reduce: Any, doc: str) -> Any:
    def forward(input, /, dim, keepdim):
        found = reduce(input, axis=dim, keepdims=keepdim)
        return np.asarray(found).astype(np.uint8) if input.dtype == np.uint8 else found

    forward.__doc__ = doc
    return op(forward, name=name)


all_of = _truth("all", np.logical_and.reduce, "Whether all elements are true (not 0).")
any_of = _truth("any", np.logical_or.reduce, "Whether some element is true (not 0).")


@op(name="count_nonzero")
def nonzeros(input, /, dim):
    """How many elements are not 0, over the dimensions `dim`."""
    return np.add.reduce(np.not_equal(input, 0), axis=dim, dtype=np.int64)


# The public functions


def _refuse(name: str, kind: Any) -> None:
    fail(NotImplementedError, f"\"{name}\" not implemented for '{from_numpy_dtype(kind).legacy}'")


def not_empty(input: Tensor, dim: Any, name: str) -> None:
    """Raise PyTorch's error for a dimension of size 0 that must not be."""
    shape = input._array.shape
    for d in (dim,) if isinstance(dim, int) else range(len(shape)) if dim is None else dim:
        if shape and shape[d] == 0:
            fail(IndexError, f"{name}(): Expected reduction dim {d} to have non-zero size.")


@torch_arguments(out=into_dtype)
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of all elements, or over the dimensions `dim` (an int or several).

    keepdim: keep those dimensions, with size 1; dtype: convert to it first (integers and bools add
    up as int64 otherwise)
    """
    if dim is None and not keepdim:
        return sum_all(input, dtype)
    return sum_dim(input, dims_of(dim, input._array.ndim, "sum"), keepdim, dtype)


@torch_arguments(out=into_dtype)
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum with NaNs counting as 0; see `sum`."""
    if input._array.dtype.kind == "c":
        fail(RuntimeError, "nansum on CPU does not support complex inputs")
    return nan_sum(input, dims_of(dim, input._array.ndim, "nansum"), keepdim, dtype)


@torch_arguments
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of all elements, or over the dimensions `dim`. See `sum`; integers have none."""
    if dtype is not None:
        if dtype.category < 2:
            _no_mean("Optional", dtype)
    elif input._array.dtype.kind in "bui":
        _no_mean("Input", input.dtype)
    if dim is None and not keepdim:
        return mean_all(input, dtype)
    return mean_dim(input, dims_of(dim, input._array.ndim, "mean"), keepdim, dtype)


def _no_mean(which: str, dtype: Any) -> None:
    fail(RuntimeError, f"mean(): could not infer output dtype. {which} dtype must be either a "
                       f"floating point or complex dtype. Got: {dtype.legacy}",
         "to do: convert first, x.float().mean() or x.mean(dtype=torch.float32)")  # fmt: skip


@torch_arguments(out=into_dtype)
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *,
            dtype: Any = None) -> Tensor:  # fmt: skip
    """The mean of what is not NaN."""
    if input._array.dtype.kind in "bui":
        fail(RuntimeError, "nanmean(): expected input to have floating point or complex dtype but "
                           f"got {input.dtype.legacy}")  # fmt: skip
    there = sum(input.isnan().logical_not(), dim, keepdim)  # type: ignore[attr-defined]
    return nansum(input, dim, keepdim, dtype=dtype) / there


def _moment_arguments(name: str, input: Tensor, dim: Any, unbiased: Any, correction: Any) -> Any:
    """dim and correction of `var` and its relatives, checked."""
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    array = input._array
    if array.dtype.kind in "bui":
        fail(RuntimeError, f"{name if name.endswith('_mean') else 'std and var'} only support "
                           "floating point and complex dtypes")  # fmt: skip
    d = dims_of(dim, array.ndim, name)
    if count(array.shape, d) - correction <= 0 or 0 in array.shape:
        warnings.warn(f"{name}(): degrees of freedom is <= 0. Correction should be strictly less "
                      "than the reduction factor (input numel divided by output numel).",
                      UserWarning, stacklevel=4)  # fmt: skip
    return d, correction


@torch_arguments
def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Tensor:  # fmt: skip
    """The variance Σ|x − mean|² / (n − correction) of all elements, or over the dimensions `dim`.

    correction: 1 unless given (`unbiased=False` is 0); also called as `var(input, unbiased)`
    """
    return variance(input, *_moment_arguments("var", input, dim, unbiased, correction), keepdim)


@torch_arguments
def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Tensor:  # fmt: skip
    """The standard deviation: the square root of `var`."""
    return deviation(input, *_moment_arguments("std", input, dim, unbiased, correction), keepdim)


@torch_arguments
def var_mean(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False,
             *, correction: float | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The variance (see `var`) and the mean."""
    checked = _moment_arguments("var_mean", input, dim, unbiased, correction)
    return variance_mean(input, *checked, keepdim)


@torch_arguments
def std_mean(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False,
             *, correction: float | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The standard deviation (see `var`) and the mean."""
    checked = _moment_arguments("std_mean", input, dim, unbiased, correction)
    return deviation_mean(input, *checked, keepdim)


def _extreme(name: str, primitive: Any, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    array = input._array
    if array.dtype.kind == "c":
        _refuse(f"{name[1:]}_values_cpu", array.dtype)
    d = dims_of(dim, array.ndim, name)
    if not array.size:
        _needs_dim(name, d)
        not_empty(input, d, name)
    return primitive(input, d, keepdim)


def _needs_dim(name: str, dim: Any) -> None:
    if dim is None:
        fail(RuntimeError, f"{name}(): Expected reduction dim to be specified for input.numel() == "
                           "0. Specify the reduction dim with the 'dim' argument.")  # fmt: skip


@torch_arguments(out=_as_input)
def amax(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The largest element, or that over the dimensions `dim`. Ties share the gradient."""
    return _extreme("amax", largest, input, dim, keepdim)


@torch_arguments(out=_as_input)
def amin(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The smallest element, or that over the dimensions `dim`. Ties share the gradient."""
    return _extreme("amin", smallest, input, dim, keepdim)


def _same_out(name: str, input: Tensor, out: Any, kwargs: dict[str, Any]) -> None:
    for target in out:
        _expect(target, input.dtype)


@torch_arguments(out=_same_out)
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Smallest and largest element, or those over one dimension: a named tuple (min, max)."""
    array = input._array
    if array.dtype.kind == "c":
        _refuse("aminmax_cpu", array.dtype)
    d = dims_of(dim, array.ndim, "aminmax")
    if not array.size and d is None:
        fail(RuntimeError, "aminmax(): cannot compute aminmax over an empty dimension as the "
                           "operation has no identity.")  # fmt: skip
    if not array.size and array.shape[d] == 0:
        fail(IndexError, f"aminmax: Expected reduction dim {d} to have non-zero size.")
    return return_types.aminmax(smallest_largest(input, d, keepdim))


def _extreme_of(name: str, input: Tensor, dim: Any, keepdim: bool, other: Any) -> Any:
    """The three meanings of max and min."""
    if other is not None or isinstance(dim, Tensor):
        binary = input.maximum if name == "max" else input.minimum  # type: ignore[attr-defined]
        return binary(dim if other is None else other)
    array = input._array
    if dim is None:
        if not array.size:
            _needs_dim(name, None)
        if array.dtype.kind == "c":
            _refuse(f"{name}_all", array.dtype)
        return max_all(input) if name == "max" else min_all(input)
    d = one_dim(dim, array.ndim, name)
    if array.dtype.kind == "c":
        fail(RuntimeError, f"{name}(): does not support complex input")
    if not array.size:
        not_empty(input, d, name)
    where = d if array.ndim else None
    if name == "max":
        index = largest_index(input, where, keepdim)
        return return_types.max((_pick_max(input, index, d, keepdim), index))
    index = smallest_index(input, where, keepdim)
    return return_types.min((_pick_min(input, index, d, keepdim), index))


@torch_arguments(out=as_values)
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; or, over one dimension, a named tuple of the largest values and their
    indices; or, with another tensor, the elementwise maximum."""
    return _extreme_of("max", input, dim, keepdim, other)


@torch_arguments(out=as_values)
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; or, over one dimension, a named tuple of the smallest values and their
    indices; or, with another tensor, the elementwise minimum."""
    return _extreme_of("min", input, dim, keepdim, other)


def _index_of(name: str, primitive: Any, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    array = input._array
    for kind, called in (("b", "bool"), ("c", "complex")):
        if array.dtype.kind == kind:
            fail(RuntimeError, f"{name}(): does not support {called} input")
    d = None if dim is None else one_dim(dim, array.ndim, name)
    if not array.size:
        if d is None:
            fail(IndexError, f"{name}(): Expected reduction dim to be specified for input.numel() "
                             "== 0.")  # fmt: skip
        not_empty(input, d, name)
    return primitive(input, d if array.ndim else None, keepdim)


@torch_arguments(out=_as_index)
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest element (of the flattened tensor, or along one dimension)."""
    return _index_of("argmax", largest_index, input, dim, keepdim)


@torch_arguments(out=_as_index)
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest element (of the flattened tensor, or along one dimension)."""
    return _index_of("argmin", smallest_index, input, dim, keepdim)


def _as_inexact(name: str, input: Tensor, out: Tensor, kwargs: dict[str, Any]) -> None:
    if out.dtype.category < 2:
        fail(RuntimeError, "logsumexp(): Expected floating point type for result tensor, but got: "
                           f"{out.dtype.legacy}")  # fmt: skip


@torch_arguments(out=_as_inexact)
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log Σ exp(x) over the dimensions `dim`, without overflow on the way."""
    return log_sum_exp(input, dims_of(dim, input._array.ndim, "logsumexp"), keepdim)


def _truth_dims(name: str, input: Tensor, dim: Any) -> Any:
    return () if dim == () or dim == [] else dims_of(dim, input._array.ndim, name)


@torch_arguments(out=_as_truth)
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether all elements (over the dimensions `dim`) are true: not 0."""
    return all_of(input, _truth_dims("all", input, dim), keepdim)


@torch_arguments(out=_as_truth)
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether some element (over the dimensions `dim`) is true: not 0."""
    return any_of(input, _truth_dims("any", input, dim), keepdim)


@torch_arguments
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements (over the dimensions `dim`) are not 0."""
    return nonzeros(input, dims_of(dim, input._array.ndim, "count_nonzero"))


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """The sum over the dimensions along which `size` would be broadcast to this shape."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = self._array.shape
    extra = len(shape) - len(size)
    if extra < 0 or builtins.any(
        m != n and m != 1 for m, n in zip(size, shape[extra:], strict=True)
    ):
        fail(RuntimeError, f"size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    if not size:
        return sum(self)
    dims = tuple(d for d, n in enumerate(shape) if d < extra or size[d - extra] != n)
    if not dims:
        return self
    summed = sum_dim(self, dims, True, None)
    return summed.reshape(size) if extra else summed


# NumPy's names


def as_numpy(function: Any, default: int | None = None) -> Any:
    """A reduction or scan as NumPy calls it: a(axis, dtype, out, keepdims). `default` is the axis
    when none is given (ufunc methods have 0)."""

    def call(a: Any, axis: Any = default, dtype: Any = None, out: Any = None,
             keepdims: bool = False) -> Any:  # fmt: skip
        given: dict[str, Any] = {"keepdim": True} if keepdims else {}
        if dtype is not None:
            given["dtype"] = from_numpy_dtype(np.dtype(dtype))
        if out is not None:
            given["out"] = out
        return function(a, axis, **given)

    return call


def _numpy_moment(function: Any) -> Any:
    def call(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0,
             keepdims: bool = False, *, correction: float | None = None) -> Any:  # fmt: skip
        cast = a if dtype is None else a.to(from_numpy_dtype(np.dtype(dtype)))
        return function(cast, axis, keepdim=bool(keepdims), out=out,
                        correction=ddof if correction is None else correction)  # fmt: skip

    return call


NUMPY = {
    np.sum: as_numpy(sum),
    np.nansum: as_numpy(nansum),
    np.mean: as_numpy(mean),
    np.nanmean: as_numpy(nanmean),
    np.var: _numpy_moment(var),
    np.std: _numpy_moment(std),
    np.max: as_numpy(amax),
    np.amax: as_numpy(amax),
    np.min: as_numpy(amin),
    np.amin: as_numpy(amin),
    np.argmax: lambda a, axis=None, out=None, *, keepdims=False: argmax(a, axis, bool(keepdims)),
    np.argmin: lambda a, axis=None, out=None, *, keepdims=False: argmin(a, axis, bool(keepdims)),
    np.all: as_numpy(all),
    np.any: as_numpy(any),
    np.count_nonzero: lambda a, axis=None, *, keepdims=False: sum(a != 0, axis, bool(keepdims)),
}
for _ufunc, _function in (
    (np.add, sum),
    (np.maximum, amax),
    (np.minimum, amin),
    (np.logical_and, all),
    (np.logical_or, any),
    (np.logaddexp, logsumexp),
):
    UFUNC_METHODS[_ufunc, "reduce"] = as_numpy(_function, 0)
