"""Sums of products by labelled dimensions: `einsum`, `tensordot`, `inner`."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.operator import EXACT_OUT, op, write_out
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, normal_dim
from .matrix_products import dot, legacy, matmul, plain_dot, plain_matmul

__all__ = ["einsum", "inner", "tensordot"]
METHODS = ("inner",)


# A label is an integer, one for each dimension


@functools.lru_cache(maxsize=1024)
def _plan(left: tuple[int, ...], right: tuple[int, ...], output: tuple[int, ...]) -> Any:
    """How `contract` is a batched product: the order of each operand's dimensions, how many of
    them are the batch's, the sum's, the left's own, and the order of the result's."""
    shared = [n for n in left if n in right]
    batch = [n for n in shared if n in output]
    summed = [n for n in shared if n not in output]
    mine = [n for n in left if n not in right]
    other = [n for n in right if n not in left]
    found = batch + mine + other
    return (
        tuple(left.index(n) for n in batch + mine + summed),
        tuple(right.index(n) for n in batch + summed + other),
        len(batch), len(summed), len(mine),
        tuple(found.index(n) for n in output),
    )  # fmt: skip


@op(node="ViewBackward0")
@quietly
def contract(input, other, /, left, right, output):
    """Products over two labelled tensors, summed over the labels that are not in `output`.

    left, right: the labels of the operands. None stands twice in one; each stands in the other
    operand or in the output.
    """
    if input.dtype != other.dtype:
        raise RuntimeError(f"expected scalar type {legacy(input)} but found {legacy(other)}")
    order, other_order, batch, summed, mine, result = _plan(left, right, output)
    x, y = np.transpose(input, order), np.transpose(other, other_order)
    b, rows = x.shape[:batch], x.shape[batch : batch + mine]
    columns, k = y.shape[batch + summed :], math.prod(y.shape[batch : batch + summed])
    n, m = math.prod(rows), math.prod(columns)
    if not summed:
        found = np.reshape(x, (*b, n, 1)) * np.reshape(y, (*b, 1, m))
    elif not batch:
        found = plain_dot(np.reshape(x, (n, k)), np.reshape(y, (k, m)), "bmm")
    else:
        found = plain_matmul(np.reshape(x, (*b, n, k)), np.reshape(y, (*b, k, m)))
    return np.transpose(np.reshape(found, (*b, *rows, *columns)), result)


contract.vjp(
    input=lambda g, other, left, right, output: contract(g, other, output, right, left),
    other=lambda g, input, left, right, output: contract(input, g, left, output, right),
)


@op(node="SumBackward1")
@quietly
def rearrange(input, /, labels, output):
    """Dimensions in another order: of those with one label the diagonal, of those that are not in
    `output` the sum. Dimensions labelled None have size 1, and go."""
    found = input
    if None in labels:
        found = np.reshape(found, tuple(s for s, n in zip(found.shape, labels, strict=True)
                                        if n is not None))  # fmt: skip
        labels = tuple(n for n in labels if n is not None)
    kept = list(dict.fromkeys(labels))
    if len(kept) < len(labels):
        names = [kept.index(n) for n in labels]
        found = np.einsum(found, names, list(range(len(kept))))
    axes = tuple(i for i, n in enumerate(kept) if n not in output)
    if axes:
        kind = np.int64 if found.dtype.kind in "biu" else None
        found = np.add.reduce(found, axis=axes, dtype=kind)
        kept = [n for n in kept if n in output]
    # A copy: this is no view in the graph.
    return np.copy(np.transpose(found, [kept.index(n) for n in output]))


def _rearrange_input(g: Any, input_shape: Any, labels: Any, output: Any) -> Any:
    # Each of the input's dimensions has its label's own dimension of g, or one of size 1.
    again = [n in labels[:i] for i, n in enumerate(labels)]
    own = [n in output and not a for n, a in zip(labels, again, strict=True)]
    g = np.transpose(g, [output.index(n) for n, o in zip(labels, own, strict=True) if o])
    g = np.reshape(g, [s if o else 1 for s, o in zip(input_shape, own, strict=True)])
    on_diagonal: Any = None
    for i, n in enumerate(labels):
        if n is not None and again[i]:
            here = _places(input_shape, i) == _places(input_shape, labels.index(n))
            on_diagonal = here if on_diagonal is None else on_diagonal & here
    if on_diagonal is not None:
        g = np.where(on_diagonal, g, 0)
    return np.broadcast_to(g, input_shape)


def _places(shape: Any, dim: int) -> Any:
    """The positions along one dimension, as an array that broadcasts to the shape."""
    return np.reshape(np.arange(shape[dim]), [-1 if d == dim else 1 for d in range(len(shape))])


rearrange.vjp(input=_rearrange_input)


def _letters(text: str, operand: int | None, start: int) -> list[int | None]:
    """The labels of one part of an equation, the place of an ellipsis as None."""
    labels: list[int | None] = []
    i = 0
    while i < len(text):
        letter = text[i]
        if text.startswith("...", i):
            if None in labels:
                whose = "the output" if operand is None else f"operand {operand}"
                fail(RuntimeError, f"einsum(): found '.' for {whose} for which an ellipsis was "
                                   "already found")  # fmt: skip
            labels.append(None)
            i += 2
        elif letter == ".":
            whose = "output" if operand is None else f"operand {operand}"
            fail(RuntimeError, f"einsum(): found '.' for {whose} that is not part of any ellipsis")
        elif letter.isascii() and letter.isalpha():
            labels.append(ord(letter) - ord("A") if letter < "a" else ord(letter) - ord("a") + 26)
        elif letter != " ":
            fail(RuntimeError, f"einsum(): invalid subscript given at index {start + i} in the "
                               "equation string, subscripts must be in [a-zA-Z]")  # fmt: skip
        i += 1
    return labels


def _label_text(label: int) -> str:
    return chr(label + ord("A")) if label < 26 else chr(label - 26 + ord("a"))


def _parsed(equation: str) -> tuple[list[list[int | None]], list[int | None] | None]:
    """The labels of each operand and, where the equation gives them, of the output."""
    left, arrow, right = equation.partition("->")
    parts, start = [], 0
    for operand, part in enumerate(left.split(",")):
        parts.append(_letters(part, operand, start))
        start += len(part) + 1
    return parts, _letters(right, None, start + 1) if arrow else None


def _listed(args: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[int | None] | None]:
    """Operands, labels and output labels of the form einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    output = args[-1] if len(args) % 2 else None
    pairs = args[: len(args) // 2 * 2]

    def labels(given: Sequence[Any]) -> list[int | None]:
        for n in given:
            if n is not Ellipsis and not 0 <= n < 52:
                fail(ValueError, f"einsum(): expected subscript {n} to be within the range "
                                 "[0, 52), but got " + str(n))  # fmt: skip
        return [None if n is Ellipsis else int(n) for n in given]

    return (list(pairs[::2]), [labels(given) for given in pairs[1::2]],
            None if output is None else labels(output))  # fmt: skip


def einsum(*args: Any) -> Any:
    """Sums of products of the operands' elements, by Einstein's convention.

    `einsum("ij,jk->ik", a, b)`, or with lists of integers for the letters,
    `einsum(a, [0, 1], b, [1, 2], [0, 2])`. Dimensions of one letter are multiplied elementwise, and
    summed if the output does not have it; a letter twice in one operand takes the diagonal; `...`
    stands for dimensions that broadcast. Operands are multiplied from the left to the right.
    """
    if isinstance(args[0], str):
        operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) \
            else list(args[1:])  # fmt: skip
        parts, wanted = _parsed(args[0])
    else:
        operands, parts, wanted = _listed(args)
    if not operands:
        fail(ValueError, "einsum(): must provide at least one operand")
    if len(parts) != len(operands):
        more = "more" if len(parts) < len(operands) else "fewer"
        fail(RuntimeError, f"einsum(): {more} operands were provided than specified in the "
                           "equation")  # fmt: skip
    labels = [_completed(part, operands[i], i) for i, part in enumerate(parts)]
    sizes = _label_sizes(labels, operands)
    output = _output(wanted, labels)
    # Dimensions of size 1 that others broadcast take no part.
    labels = [[None if x.shape[i] == 1 != sizes[n] else n for i, n in enumerate(row)]
              for row, x in zip(labels, operands, strict=True)]  # fmt: skip
    found, mine = operands[0], labels[0]
    for i, (x, row) in enumerate(zip(operands[1:], labels[1:], strict=True), 1):
        kept = {n for later in labels[i + 1 :] for n in later} | set(output)
        found, mine = _tidied(found, mine, kept | set(row))
        x, row = _tidied(x, row, kept | set(mine))
        both = tuple(n for n in dict.fromkeys([*mine, *row]) if n in kept)
        found, mine = contract(found, x, tuple(mine), tuple(row), both), list(both)
    if tuple(mine) != output or len(operands) == 1:
        found = rearrange(found, tuple(mine), output)
    return found


def _completed(part: list[int | None], x: Any, operand: int) -> list[int]:
    """An operand's labels with those of an ellipsis: -1 for its last dimension, -2 before it..."""
    extra = x.ndim - (len(part) - (None in part))
    if None in part:
        if extra < 0:
            fail(RuntimeError, "einsum(): the number of subscripts in the equation "
                               f"({len(part) - 1}) is more than the number of dimensions "
                               f"({x.ndim}) for operand {operand}")  # fmt: skip
        at = part.index(None)
        return [*part[:at], *range(-extra, 0), *part[at + 1 :]]  # type: ignore[list-item]
    if extra:
        fail(RuntimeError, f"einsum(): the number of subscripts in the equation ({len(part)}) does "
                           f"not match the number of dimensions ({x.ndim}) for operand {operand} "
                           "and no ellipsis was given")  # fmt: skip
    return part  # type: ignore[return-value]


def _label_sizes(labels: list[list[int]], operands: list[Any]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for operand, (row, x) in enumerate(zip(labels, operands, strict=True)):
        own: dict[int, int] = {}
        for n, size in zip(row, x.shape, strict=True):
            if own.setdefault(n, size) != size:
                fail(RuntimeError, f"einsum(): subscript {_label_text(n)} is repeated for "
                                   f"operand {operand} but the sizes don't match, {size} != "
                                   f"{own[n]}")  # fmt: skip
        for n, size in own.items():
            have = sizes.get(n, 1)
            if size != 1 and have not in (1, size):
                name = "from the ellipsis" if n < 0 else _label_text(n)
                fail(RuntimeError, f"einsum(): subscript {name} has size {size} for operand "
                                   f"{operand} which does not broadcast with previously seen "
                                   f"size {have}")  # fmt: skip
            sizes[n] = size if have == 1 else have
    return sizes


def _output(wanted: list[int | None] | None, labels: list[list[int]]) -> tuple[int, ...]:
    """The output's labels: as given, or the ellipsis and then those that stand once, sorted."""
    every = [n for row in labels for n in row]
    dots = sorted({n for n in every if n < 0})
    if wanted is None:
        return (*dots, *sorted(n for n in set(every) if n >= 0 and every.count(n) == 1))
    found: list[int] = []
    for n in wanted:
        if n is None:
            found += dots
            continue
        if n in found:
            fail(RuntimeError, f"einsum(): output subscript {_label_text(n)} appears more than "
                               "once in the output")  # fmt: skip
        if n not in every:
            fail(RuntimeError, f"einsum(): output subscript {_label_text(n)} does not appear in "
                               "the equation for any input operand")  # fmt: skip
        found.append(n)
    return tuple(found)


def _tidied(x: Any, labels: list[Any], kept: set[Any]) -> tuple[Any, list[Any]]:
    """An operand without the labels that nobody else has, its diagonals taken."""
    own = [n for n in dict.fromkeys(labels) if n is not None and n in kept]
    if own == labels:
        return x, labels
    return rearrange(x, tuple(labels), tuple(own)), own


# Two operands


def tensordot(a: Any, b: Any, dims: Any = 2, out: Any = None) -> Any:
    """Products summed over dimensions of both: the last `dims` of `a` and the first of `b`, or
    those of two lists, `dims=([...], [...])`."""
    if out is not None:
        return write_out("tensordot", out, tensordot, (a, b), {"dims": dims})
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, (list, tuple)):
        one, two = ([d] if isinstance(d, int) else list(d) for d in dims)
        if len(one) != len(two):
            fail(RuntimeError, "both dimension lists should have same length")
        one = [normal_dim(d, a.ndim) for d in one]
        two = [normal_dim(d, b.ndim) for d in two]
        names = list(zip(one, two, strict=True))
    else:
        if dims < 0:
            fail(RuntimeError, f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            fail(RuntimeError, f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        one, two = list(range(a.ndim - dims, a.ndim)), list(range(dims))
        names = [(d - a.ndim, e) for d, e in zip(one, two, strict=True)]
    broadcast = False
    for (d, e), i, j in zip(names, one, two, strict=True):
        if a.shape[i] != b.shape[j]:
            broadcast = 1 in (a.shape[i], b.shape[j])
            if broadcast:
                continue
            fail(RuntimeError, f"contracted dimensions need to match, but first has size "
                               f"{a.shape[i]} in dim {d} and second has size {b.shape[j]} in dim "
                               f"{e}")  # fmt: skip
    if a.dtype != b.dtype:
        fail(RuntimeError, "both inputs should have same dtype")
    left = tuple(range(a.ndim))
    right = tuple(one[two.index(d)] if d in two else a.ndim + d for d in range(b.ndim))
    output = tuple(n for n in (*left, *right) if (n in left) != (n in right))
    if broadcast:
        return einsum(a, left, b, right, output)
    return contract(a, b, left, right, output)


def inner(input: Any, other: Any, *, out: Any = None) -> Any:
    """Products summed over the last dimension of both: f[..., k], f[*, k] -> f[..., *]."""
    scalar = not input.ndim or not other.ndim
    if out is not None:
        return write_out("mul" if scalar else "inner", out, inner, (input, other), {})
    if scalar:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        fail(RuntimeError, "inner() the last dimension must match on both input tensors but got "
                           f"shapes {list(input.shape)} and {list(other.shape)}")  # fmt: skip
    if input.ndim == other.ndim == 1:
        return dot(input, other)
    return tensordot(input, other, dims=([-1], [-1]))


# As NumPy calls them


def _numpy_dot(a: Any, b: Any) -> Any:
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    if b.ndim < 3:
        return matmul(a, b)
    return tensordot(a, b, dims=([-1], [-2]))


def _numpy_einsum(*operands: Any, optimize: Any = None) -> Any:
    return einsum(*operands)


def _numpy_tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    return tensordot(a, b, dims=axes)


_TENSORDOT = ("tensordot: Expected the output tensor to have dtype {want}, but got an output "
              "tensor with dtype {have}")  # fmt: skip
EXACT_OUT.update({"inner": _TENSORDOT, "tensordot": _TENSORDOT})
NUMPY = {
    np.dot: _numpy_dot, np.inner: inner, np.einsum: _numpy_einsum, np.tensordot: _numpy_tensordot,
}  # fmt: skip
