"""Sequences of several lengths: padded to one, or packed without padding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ...dtypes import int64
from ...ops.creation import as_tensor, full
from ...ops.joining import cat, stack
from ...ops.recurrent import pack, unpack
from ...tensor import Tensor

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
    "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Packed):
    """The rows of several sequences, time step after time step, the longest sequence first.

    data: f[rows, ...]; batch_sizes: how many sequences have a row at each time step;
    sorted_indices: the order in which the sequences were taken; unsorted_indices: its inverse.
    Made by `pack_padded_sequence` and `pack_sequence`, not by hand.
    """

    def __new__(cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None,
                unsorted_indices: Any = None) -> Any:  # fmt: skip
        if batch_sizes is None:
            assert isinstance(data, (list, tuple)) and len(data) == 2, (
                "Expected data to be a list or tuple of length 2"
            )
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """The rows in another dtype or on another device; itself where nothing changes."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self, *args: Any, **kwargs: Any) -> Any:
        """On the CPU: itself."""
        return self.to(*args, device="cpu", **kwargs)

    def cuda(self, *args: Any, **kwargs: Any) -> Any:
        """PyTorch's error of a build without CUDA."""
        return self.to(*args, device="cuda", **kwargs)

    def pin_memory(self) -> Any:
        """Accepted for compatibility: itself."""
        return self

    def is_pinned(self) -> bool:
        """Whether the memory is pinned: never."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the rows are on a GPU: never."""
        return False


def _caster(name: str) -> Any:
    def method(self: Any) -> Any:
        cast = getattr(self.data, name)()
        return self if cast is self.data else type(self)(cast, *self[1:])

    method.__name__ = name
    method.__doc__ = f"The rows cast by `Tensor.{name}`."
    return method


for _name in ("double", "float", "half", "long", "int", "short", "char", "byte"):
    setattr(PackedSequence, _name, _caster(_name))


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes another; None for None."""
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(input: Any, lengths: Any, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:  # fmt: skip
    """Padded sequences f[t, n, ...] (f[n, t, ...] with batch_first) as a PackedSequence.

    lengths: of the sequences; enforce_sorted: they must fall; otherwise the sequences are sorted
    """
    lengths = as_tensor(lengths).to(int64)
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    return PackedSequence(*pack(input, lengths, batch_first), order)


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False,
                        padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A PackedSequence as padded sequences f[t, n, ...] (f[n, t, ...] with batch_first), and their
    lengths.

    total_length: pad to this length instead of that of the longest
    """
    longest = sequence.batch_sizes.size(0)
    if total_length is not None and total_length < longest:
        raise ValueError("Expected total_length to be at least the length of the longest sequence "
                         f"in input, but got total_length={total_length} and max sequence length "
                         f"being {longest}")  # fmt: skip
    padded: Any
    padded, lengths = unpack(sequence.data, sequence.batch_sizes, batch_first, padding_value,
                             total_length or longest)  # fmt: skip
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths[order]  # type: ignore


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Tensor:  # fmt: skip
    """Sequences f[length, ...] in one tensor f[t, n, ...] (f[n, t, ...] with batch_first).

    padding_side: where what is missing is filled up, "right" or "left"
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError("pad_sequence: Expected iterable for input sequences, but got arg of "
                           f"type: {type(sequences)}")  # fmt: skip
    given: list[Any] = list(sequences)
    if padding_side not in ("left", "right"):
        raise RuntimeError("Expected padding_side to be one of left or right, but got "
                           f"{padding_side}.")  # fmt: skip
    if not given:
        raise RuntimeError("received an empty list of sequences")
    longest = max(each.size(0) for each in given)
    rest = given[0].shape[1:]
    padded = []
    for each in given:
        if each.size(0) < longest:
            more = full((longest - each.size(0), *rest), padding_value, dtype=each.dtype)
            both = (more, each) if padding_side == "left" else (each, more)
            each = cat(both)
        padded.append(each)
    return stack(padded, 0 if batch_first else 1)  # type: ignore[no-any-return]


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences without their padding."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[:n] for row, n in zip(padded_sequences, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Sequences f[length, ...] as a PackedSequence.

    enforce_sorted: the longest must come first; otherwise they are sorted
    """
    lengths = as_tensor([each.size(0) for each in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a PackedSequence, in the order in which they were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
