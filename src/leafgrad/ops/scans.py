"""Products, and scans along a dimension: running sums, products, extremes; differences and the
trapezoid rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import return_types
from ..dtypes import F32, F64
from ..graph.inplace import write
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..protocols import METHODS as UFUNC_METHODS
from ..tensor import Tensor, wrap
from .casting import to_copy
from .reductions import (
    as_numpy,
    cast,
    into_dtype,
    one_dim,
    picker,
    raised,
    sum_dim,
    torch_arguments,
)

__all__ = [
    "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff", "logcumsumexp",
    "prod", "trapezoid",
]  # fmt: skip
METHODS = ("cummax", "cummin", "cumprod", "cumprod_", "cumsum", "cumsum_", "diff", "logcumsumexp",
           "prod")  # fmt: skip
ALIASES = {"trapz": "trapezoid"}


# Two linear operators of which the derivatives of scans are made


@op
def shifted(input, /, dim, by, fill):
    """Every element moved `by` (1 or -1) places along a dimension; `fill` comes in at the edge."""
    if not input.shape[dim]:
        return input
    edge, rest = _cut(input, dim, 0, 1), _cut(input, dim, *((0, -1) if by > 0 else (1, None)))
    edge = np.full_like(edge, fill)
    return np.concatenate([edge, rest] if by > 0 else [rest, edge], axis=dim)


shifted.vjp(input=lambda g, dim, by: shifted(g, dim, -by, 0))


def _cut(x: Any, dim: int, start: int, stop: int | None) -> Any:
    return x[(slice(None),) * dim + (slice(start, stop),)]


@op
@quietly
def recurrence(input, factor, /, dim, reverse):
    """s[i] = input[i] + factor[i] · s[i-1] along a dimension (s[i+1] if `reverse`).

    By doubling: after step k, s[i] takes in the last 2^k inputs and f[i] is the product of their
    factors, so log2(n) passes over the array do.
    """
    step = -1 if reverse else 1
    s = np.copy(np.swapaxes(input, 0, dim)[::step])
    f = np.copy(np.swapaxes(factor, 0, dim)[::step])
    reach, n = 1, s.shape[0]
    while reach < n:
        s[reach:] += f[reach:] * s[:-reach]
        f[reach:] = f[reach:] * f[:-reach]
        reach *= 2
    return np.swapaxes(s[::step], 0, dim)


def _recurrence_vjp(g, factor, out, dim, reverse):
    # The same recurrence in the other direction: what reaches s[i] also reaches s[i+1].
    way = -1 if reverse else 1
    g_input = recurrence(g, shifted(factor, dim, -way, 0), dim, not reverse)
    return g_input, g_input * shifted(out, dim, way, 0)


recurrence.vjp(_recurrence_vjp)


# Running sums and products


def _running(ufunc: Any, x: Any, dim: int) -> Any:
    """ufunc.accumulate, in PyTorch's width: float32 runs in float64, halves in float32."""
    kind = x.dtype
    if not x.ndim:
        return np.copy(x)
    wide = F64 if kind is F32 else F32 if kind.itemsize == 2 and kind.kind in "fV" else None
    if wide is None:
        return ufunc.accumulate(x, axis=dim, dtype=kind)
    return ufunc.accumulate(x, axis=dim, dtype=wide).astype(kind)


def _to(x: Any, kind: Any) -> Any:
    """What a running sum is computed in: `kind` if given, int64 for integers."""
    if kind is None:
        return x.astype(np.int64) if x.dtype.kind in "bui" else x
    return x.astype(kind, copy=False)


@op(name="cumsum", linear=True)
@quietly
def running_sum(input, /, dim, kind):
    """The sums of all elements up to each along a dimension: f[n] -> f[n]."""
    return _running(np.add, _to(input, kind), dim)


def _from_the_end(g: Any, dim: int) -> Any:
    """The sums of all elements from each on."""
    return np.flip(np.cumsum(np.flip(g, dim), axis=dim), dim) if g.ndim else g


running_sum.vjp(input=lambda g, dim: _from_the_end(g, dim))


@op(name="cumprod")
@quietly
def running_product(input, /, dim, kind):
    """The products of all elements up to each along a dimension: f[n] -> f[n]."""
    return _running(np.multiply, _to(input, kind), dim)


def _running_product_vjp(g, input, out, dim):
    """Of out[i] = before · input[i], out[i+1] = before · input[i] · input[i+1], ... the derivative
    is before · (1, input[i+1], ...): no quotient, so it is exact where elements are zero."""
    if not g.ndim:
        return g
    later = recurrence(g, shifted(input, dim, -1, 0), dim, True)
    return shifted(out, dim, 1, 1) * later


running_product.vjp(input=_running_product_vjp)


@op(name="logcumsumexp")
@quietly
def running_log_sum(input, /, dim):
    """log Σ exp of all elements up to each along a dimension, without overflow on the way."""
    if not input.ndim:
        return np.copy(input)
    if input.dtype.kind == "c":
        return _complex_log_sums(input, dim)
    kind = input.dtype
    return np.logaddexp.accumulate(input, axis=dim, dtype=F32 if kind.itemsize == 2 else kind
                                   ).astype(kind, copy=False)  # fmt: skip


def _complex_log_sums(x: Any, dim: int) -> Any:
    out = np.array(np.swapaxes(x, 0, dim))
    for i in range(1, len(out)):
        a, b = out[i - 1], out[i]
        first = a.real >= b.real
        top, low = np.where(first, a, b), np.where(first, b, a)
        infinite = np.isinf(low.real) & (low.real == top.real)
        sums = np.where(low.real > 0, np.log(np.exp(low) + np.exp(top)), low)
        out[i] = np.where(infinite, sums, np.log1p(np.exp(low - top)) + top)
    return np.swapaxes(out, 0, dim)


def _running_log_sum_vjp(g, input, out, dim):
    """Σ g[k] exp(input[i] - out[k]) over k >= i, by factors exp(out[i] - out[i+1]) of at most 1."""
    if not g.ndim:
        return g
    following = shifted(out, dim, -1, math.inf)
    stays = np.isinf(out) & (out == following)  # where inf - inf is to be 0
    step = np.exp(np.where(stays, 0, out - np.where(stays, 0, following)))
    return np.exp(input - out) * recurrence(g, step, dim, True)


running_log_sum.vjp(input=_running_log_sum_vjp)


# Products


def _product(x: Any, dim: Any, keepdim: Any, dtype: Any) -> Any:
    x = cast(x, dtype)
    kind = x.dtype
    wide = np.int64 if kind.kind in "bui" else F32 if kind.itemsize == 2 else None
    if wide is None:
        return np.multiply.reduce(x, axis=dim, keepdims=keepdim)
    product = np.multiply.reduce(x, axis=dim, dtype=wide, keepdims=keepdim)
    return product if wide is not F32 and dtype is None else product.astype(kind)


def _others(x: Any, dim: int) -> Any:
    """For every element the product of all others along a dimension: those before it times those
    after it, which is right, and differentiable, where some are zero."""
    before = np.cumprod(shifted(x, dim, 1, 1), axis=dim)
    after = np.flip(np.cumprod(shifted(np.flip(x, dim), dim, 1, 1), axis=dim), dim)
    return before * after


@op(name="prod", node="ProdBackward0")
@quietly
def prod_all(input, /, dtype):
    """The product of all elements: f[...] -> f[]."""
    return _product(input, None, False, dtype)


def _prod_all_vjp(g, input, dtype):
    if not input.shape:
        return g
    x = input if dtype is None else to_copy(input, dtype.numpy)
    return g * np.reshape(_others(np.reshape(x, (-1,)), 0), input.shape)


prod_all.vjp(input=_prod_all_vjp)
prod_all.op.keeps = ("out",)


@op(name="prod", node="ProdBackward1")
@quietly
def prod_dim(input, /, dim, keepdim, dtype):
    """The product over one dimension."""
    return _product(input, dim, keepdim, dtype)


def _prod_dim_vjp(g, input, dim, keepdim, dtype):
    if dim is None:  # of a 0-dim tensor
        return g
    x = input if dtype is None else to_copy(input, dtype.numpy)
    return raised(g, input.shape, dim, keepdim) * _others(x, dim)


prod_dim.vjp(input=_prod_dim_vjp)
prod_dim.op.keeps = ("out",)


# Running extremes


def _running_index(x: Any, dim: int, ufunc: Any) -> Any:
    """Where the running extreme last stood; NaN is extreme."""
    if not x.ndim:
        return np.zeros((), np.int64)
    there = (x == ufunc.accumulate(x, axis=dim)) | (x != x)
    shape = [1] * x.ndim
    shape[dim] = x.shape[dim]
    places = np.reshape(np.arange(x.shape[dim]), shape)
    return np.maximum.accumulate(np.where(there, places, 0), axis=dim)


@op(name="cummax")
@quietly
def running_largest_index(input, /, dim):
    """The index of the largest element so far along a dimension, the last of several."""
    return _running_index(input, dim, np.maximum)


@op(name="cummin")
@quietly
def running_smallest_index(input, /, dim):
    """The index of the smallest element so far along a dimension, the last of several."""
    return _running_index(input, dim, np.minimum)


_pick_running_max = picker("cummax_values", "CummaxBackward0", once=False)
_pick_running_min = picker("cummin_values", "CumminBackward0", once=False)


# The public functions


@torch_arguments(out=into_dtype)
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *,
         dtype: Any = None) -> Tensor:  # fmt: skip
    """The product of all elements, or over one dimension; see `sum`. Its gradient is exact where
    elements are zero."""
    if dim is None:
        return prod_all(input, dtype)
    ndim = input._array.ndim
    d = one_dim(dim, ndim, "prod")
    return prod_dim(input, d if ndim else None, keepdim, dtype)


@torch_arguments(out=into_dtype)
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running sum along a dimension. Integers and bools add up as int64 unless `dtype` says
    otherwise."""
    kind = None if dtype is None else dtype.numpy
    return running_sum(input, one_dim(dim, input._array.ndim, "cumsum"), kind)


@torch_arguments(out=into_dtype)
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running product along a dimension; see `cumsum`. Its gradient is exact at zeros."""
    kind = None if dtype is None else dtype.numpy
    return running_product(input, one_dim(dim, input._array.ndim, "cumprod"), kind)


def _write_scan(name: str, primitive: Any, self: Tensor, dim: int, dtype: Any) -> Tensor:
    if dtype is not None and dtype is not self.dtype:
        fail(RuntimeError, f"Bad in-place call: input tensor dtype {self.dtype.legacy.lower()} and "
                           f"output tensor dtype {dtype.legacy.lower()} should match")  # fmt: skip
    kind = self._array.dtype
    if kind.kind == "b":
        fail(NotImplementedError, f"\"{name}_out_cpu\" not implemented for 'Bool'")
    return write(primitive.op, self, (), (one_dim(dim, self._array.ndim, name), kind))


def cumsum_(self: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """In-place version of cumsum."""
    return _write_scan("cumsum", running_sum, self, dim, dtype)


def cumprod_(self: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """In-place version of cumprod."""
    return _write_scan("cumprod", running_product, self, dim, dtype)


@torch_arguments
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log Σ exp of the elements up to each along a dimension."""
    if input._array.dtype.kind in "bui":
        fail(NotImplementedError, "\"logcumsumexp_out_cpu\" not implemented for "
                                  f"'{input.dtype.legacy}'")  # fmt: skip
    return running_log_sum(input, one_dim(dim, input._array.ndim, "logcumsumexp"))


def _running_extreme(name: str, locate: Any, pick: Any, input: Tensor, dim: int) -> Any:
    if input._array.dtype.kind == "c":
        fail(NotImplementedError, f"\"{name}_cpu\" not implemented for '{input.dtype.legacy}'")
    d = one_dim(dim, input._array.ndim, name)
    index = locate(input, d)
    return getattr(return_types, name)((pick(input, index, d, True), index))


@torch_arguments
def cummax(input: Tensor, dim: int) -> Any:
    """The largest element so far along a dimension: a named tuple (values, indices). Of equal ones
    the last counts, and gets the gradient."""
    return _running_extreme("cummax", running_largest_index, _pick_running_max, input, dim)


@torch_arguments
def cummin(input: Tensor, dim: int) -> Any:
    """The smallest element so far along a dimension: a named tuple (values, indices). Of equal ones
    the last counts, and gets the gradient."""
    return _running_extreme("cummin", running_smallest_index, _pick_running_min, input, dim)


def _between(x: Any, dim: int) -> tuple[Any, Any]:
    """All elements but the first, and all but the last."""
    n = x.shape[dim]
    return x.narrow(dim, 1, n - 1), x.narrow(dim, 0, n - 1)


@torch_arguments
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
         append: Tensor | None = None) -> Tensor:  # fmt: skip
    """The n-th differences of neighbours along a dimension.

    prepend, append: what to put before and after `input` along that dimension first
    """
    if n < 0:
        fail(RuntimeError, f"order must be non-negative but got {n}")
    array = input._array
    if not array.ndim:
        fail(RuntimeError, "diff expects input to be at least one-dimensional")
    d = one_dim(dim, array.ndim, "diff")
    if not n:
        return input.clone()  # type: ignore[attr-defined]
    parts = [t for t in (prepend, input, append) if t is not None]
    for t in parts:
        if t._array.ndim != array.ndim:
            fail(RuntimeError, "diff expects prepend or append to be the same dimension as input")
    if len(parts) > 1:
        from .joining import cat

        input = cat(parts, d)
    for _ in range(min(n, input.shape[d])):
        later, earlier = _between(input, d)
        input = later.logical_xor(earlier) if array.dtype.kind == "b" else later - earlier
    return input


def _widths(name: str, y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[int, Any]:
    """The dimension, counted from 0, and the distances of neighbouring samples along it."""
    if y._array.dtype.kind == "b":
        fail(RuntimeError, f"{name}: received a bool input for `y`, but bool is not supported")
    ndim = y._array.ndim
    if not ndim:
        fail(IndexError, f"Dimension specified as {dim} but tensor has no dimensions")
    d = one_dim(dim, ndim, name)
    if x is None:
        return d, 1 if dx is None else dx
    if dx is not None:
        fail(TypeError, f"{name}() received an invalid combination of arguments: both x and dx")
    if x._array.dtype.kind == "b":
        fail(RuntimeError, f"{name}: received a bool input for `x`, but bool is not supported")
    if x._array.ndim == 1:
        if x.shape[0] != y.shape[d]:
            fail(RuntimeError, f"{name}: There must be one `x` value for each sample point")
        x = x.reshape((y.shape[d],) + (1,) * (ndim - 1 - d))  # type: ignore[attr-defined]
        later, earlier = _between(x, 0)
    elif not x._array.ndim:
        fail(RuntimeError, f"{name}: There must be one `x` value for each sample point")
    else:
        later, earlier = _between(x, one_dim(d - ndim, x._array.ndim, name))
    return d, later - earlier


@torch_arguments
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of samples `y` along a dimension by the trapezoid rule.

    x: where the samples are; dx: their constant distance (1) otherwise
    """
    d, widths = _widths("trapezoid", y, x, dx, dim)
    n = y.shape[d]
    if not n:
        return wrap(np.zeros(y.shape[:d] + y.shape[d + 1 :], y._array.dtype))
    if x is None:
        ends = y.select(d, 0) + y.select(d, n - 1)  # type: ignore[attr-defined]
        return (sum_dim(y, d, False, None) - ends * 0.5) * widths
    later, earlier = _between(y, d)
    return (widths * (later + earlier)).sum(d) / 2.0


@torch_arguments
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None,
                         dim: int = -1) -> Tensor:  # fmt: skip
    """The running integral of samples `y` along a dimension by the trapezoid rule; see
    `trapezoid`."""
    d, widths = _widths("cumulative_trapezoid", y, x, dx, dim)
    if not y.shape[d]:
        return y.clone()  # type: ignore[attr-defined]
    later, earlier = _between(y, d)
    return (widths / 2.0 * (later + earlier)).cumsum(d)


# NumPy's names


def _flattened(function: Any) -> Any:
    """A scan as NumPy calls it: over the flattened array if no axis is given."""

    def call(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
        whole = a.reshape(-1) if axis is None else a
        return as_numpy(function)(whole, 0 if axis is None else axis, dtype, out)

    return call


NUMPY = {
    np.prod: as_numpy(prod),
    np.cumsum: _flattened(cumsum),
    np.cumprod: _flattened(cumprod),
    np.diff: lambda a, n=1, axis=-1, prepend=None, append=None: diff(a, n, axis, prepend, append),
    np.trapezoid: lambda y, x=None, dx=1.0, axis=-1: trapezoid(
        y, x, dx=None if x is not None else dx, dim=axis
    ),
}
for _ufunc, _function in (
    (np.add, cumsum),
    (np.multiply, cumprod),
    (np.logaddexp, logcumsumexp),
    (np.maximum, lambda a, dim: cummax(a, dim)[0]),
    (np.minimum, lambda a, dim: cummin(a, dim)[0]),
):
    UFUNC_METHODS[_ufunc, "accumulate"] = as_numpy(_function, 0)
UFUNC_METHODS[np.multiply, "reduce"] = as_numpy(prod, 0)
