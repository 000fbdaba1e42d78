"""Functions that PyTorch has for its own use, and programs that were taken apart by its tools."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import F64, float32, uint64
from ..dtypes import dtype as Dtype
from ..graph.operator import op, write_out
from ..graph.source import fail
from ..tensor import Tensor, normal_dim, wrap
from .casting import cast
from .comparison import where
from .indexing import index_put
from .joining import cat
from .reductions import dims_of, not_empty
from .shape import constant_pad_nd

__all__ = [
    "_chunk_cat", "_softmax_backward_data", "_unsafe_masked_index",
    "_unsafe_masked_index_put_accumulate", "hash_tensor",
]  # fmt: skip
METHODS = ("hash_tensor",)


# A number for all values


@op(name="hash_tensor")
def xor_of_bits(input, /, dim, keepdim):
    """The exclusive or of the elements' bits, as float64 or int64, over the dimensions `dim`."""
    wide = input.astype(F64 if input.dtype.kind in "fV" else np.int64)
    return np.bitwise_xor.reduce(wide.view(np.uint64), axis=dim, keepdims=keepdim)


def hash_tensor(input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0,
                out: Tensor | None = None) -> Tensor:  # fmt: skip
    """A number (uint64) that tells whether values differ: the exclusive or of the bits of all, or
    over the dimensions `dim`. Their order does not count."""
    if mode != 0:
        fail(RuntimeError, f"Unknown hash_tensor mode: {mode}")
    if out is not None:
        if out.dtype is not uint64:
            fail(RuntimeError, f"Expected result to be of dtype uint64, but got {out.dtype.legacy}")
        return write_out("hash_tensor", out, hash_tensor, (input, dim), {"keepdim": keepdim})
    array = input._array
    if array.dtype.kind == "c":
        fail(NotImplementedError, f"\"xor_sum_cpu\" not implemented for '{input.dtype.legacy}'")
    d = dims_of(dim, array.ndim, "hash_tensor")
    if not array.size:
        if d is None:
            fail(RuntimeError, "hash_tensor: Expected reduction dim to be specified for "
                               "input.numel() == 0. Specify the reduction dim with the 'dim' "
                               "argument.")  # fmt: skip
        not_empty(input, d, "hash_tensor")
    return xor_of_bits(input, d, keepdim)


# Pieces


def _chunk_cat(tensors: Sequence[Tensor], dim: int, num_chunks: int, *,
               out: Tensor | None = None) -> Tensor:  # fmt: skip
    """Tensors cut along a dimension into equally many chunks, zeros filling the last ones, and
    the chunks of each number joined: chunk i of the result has all that comes i-th."""
    name = "_chunk_cat"
    if not tensors:
        fail(RuntimeError, f"{name} expects a non-empty input tensor list")
    first = tensors[0]
    if num_chunks < 1:
        fail(RuntimeError, f"{name} expects positive num_chunks")
    for t in tensors:
        if not t.numel():
            fail(RuntimeError, f"{name} expects non-empty tensor")
        if t.dtype is not first.dtype:
            fail(RuntimeError, f"{name} expects all input tensors with the same dtype")
    if dim < 0:
        if any(t.ndim != first.ndim for t in tensors):
            fail(RuntimeError, f"{name} expects non-negative dim when input tensors have different "
                               "ndims")  # fmt: skip
        dim = normal_dim(dim, first.ndim)
    for t in tensors:
        if dim >= t.ndim:
            fail(RuntimeError, f"{name} expects dim < ndim for all input tensors")
        if t.shape[:dim] != first.shape[:dim]:
            fail(RuntimeError, f"{name} expects same sizes of 0,...,dim-1 dimensions for all "
                               "tensors")  # fmt: skip
    chunks = []
    for t in tensors:
        missing = -t.shape[dim] % num_chunks
        padded = constant_pad_nd(t, (0, 0) * (t.ndim - 1 - dim) + (0, missing))
        width = math.prod(padded.shape[dim:]) // num_chunks
        chunks.append(padded.reshape((*t.shape[:dim], num_chunks, width)))
    return cat(chunks, dim + 1, out=out)


def _limited(input: Tensor, indices: Sequence[Tensor]) -> list[Tensor]:
    """Indices, those beyond an end moved to it; negative ones count from the end."""
    return [
        wrap(np.clip(index._array, -size, size - 1))
        for index, size in zip(indices, input.shape, strict=False)
    ]


def _unsafe_masked_index(self: Tensor, mask: Tensor, indices: Sequence[Tensor],
                         fill: float) -> Tensor:  # fmt: skip
    """The elements at indices where the mask holds, `fill` elsewhere. No index is checked."""
    found = self[tuple(_limited(self, indices))]
    return where(mask, found, fill)


def _unsafe_masked_index_put_accumulate(self: Tensor, mask: Tensor, indices: Sequence[Tensor],
                                        values: Tensor) -> Tensor:  # fmt: skip
    """A copy with values added at indices where the mask holds. No index is checked."""
    masked = values.masked_fill(mask.logical_not(), 0)
    return index_put(self, _limited(self, indices), masked, True)


def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: Dtype, *,
                           grad_input: Tensor | None = None) -> Tensor:  # fmt: skip
    """The gradient for the input of a softmax, of its result and the gradient of that."""
    if grad_input is not None:
        return write_out("_softmax_backward_data", grad_input, _softmax_backward_data,
                         (grad_output, output, dim, input_dtype), {})  # fmt: skip
    dim = normal_dim(dim, output.ndim)
    for tensor in (output, grad_output):
        if tensor.dtype is not input_dtype:
            fail(RuntimeError, f"expected scalar type {input_dtype.legacy} but found "
                               f"{tensor.dtype.legacy}")  # fmt: skip
    wide = float32 if input_dtype.itemsize == 2 else input_dtype
    g, out = cast(grad_output, wide), cast(output, wide)
    return cast(out * (g - (g * out).sum(dim, keepdim=True)), input_dtype)
