"""safetensors files: named tensors in a plain format that nothing can be run from.

    save_file(model.state_dict(), "model.safetensors")
    model.load_state_dict(load_file("model.safetensors"))

Eight bytes say how long the header is, a JSON object of names, dtypes, shapes and places; then come the
bytes of the tensors. Described at https://huggingface.co/docs/safetensors. Strided tensors are
written in row-major order; a tensor under several names (tied weights) is written once, the
other names stand in `__metadata__`.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from ..dtypes import BY_NAME, dtype
from ..tensor import Tensor, wrap
from .archive import replacing

__all__ = ["load", "load_file", "metadata_of", "save", "save_file"]

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16",
    "U8": "uint8", "BOOL": "bool", "C64": "complex64", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}  # fmt: skip
_NAMES = {name: code for code, name in _DTYPES.items()}
_LIMIT = 100_000_000  # bytes of a header, as in the reference implementation
_ALIGNMENT = 8


class SafetensorError(ValueError):
    """The file is not one, or is damaged."""


def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a file with these tensors. metadata: texts to go with them."""
    header, parts = _laid_out(tensors, metadata)
    return b"".join([header, *(memoryview(part).cast("B") for part in parts if part.size)])


def save_file(tensors: dict[str, Tensor], filename: Any,
              metadata: dict[str, str] | None = None) -> None:  # fmt: skip
    """Write tensors to a file, which is replaced only when all is written."""
    header, parts = _laid_out(tensors, metadata)
    with replacing(filename) as file:
        file.write(header)
        for part in parts:
            if part.size:
                file.write(memoryview(part).cast("B"))


def _laid_out(tensors: dict[str, Tensor], metadata: Any) -> tuple[bytes, list[Any]]:
    notes = dict(metadata or {})
    for key, value in notes.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise TypeError("metadata must map text to text")
    names: dict[Any, str] = {}  # where a tensor lies -> the name it is stored under
    kept: list[tuple[str, Tensor]] = []
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received "
                             f"{type(tensor)}")  # fmt: skip
        if tensor.dtype.name not in _NAMES:
            raise ValueError(f"Key `{name}` is invalid: the format has no {tensor.dtype}")
        array = tensor._array
        place = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        if array.size and place in names:
            notes[name] = names[place]
        else:
            names[place] = name
            kept.append((name, tensor))
    # Wide elements first, so that each tensor begins at a multiple of its element's width.
    kept.sort(key=lambda item: (-item[1]._array.itemsize, item[0]))
    header: dict[str, Any] = {"__metadata__": notes} if notes else {}
    parts, end = [], 0
    for name, tensor in kept:
        array = np.array(tensor._array, order="C", copy=None)
        begin, end = end, end + array.nbytes
        code = _NAMES[tensor.dtype.name]
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [begin, end]}
        parts.append(array.reshape(-1).view(np.uint8))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, parts


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors in the bytes of a file, in memory of their own."""
    return _tensors(np.frombuffer(bytearray(data), np.uint8))[0]


def load_file(filename: Any, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors of a file. Their memory is read from it when first used; changes stay here."""
    if str(device) != "cpu":
        raise RuntimeError(f"there is no device {device} here: tensors are on the CPU")
    return _tensors(_mapped(filename))[0]


def metadata_of(filename: Any) -> dict[str, str]:
    """The texts that were saved with a file's tensors."""
    return _tensors(_mapped(filename))[1]


def _mapped(filename: Any) -> Any:
    if os.path.getsize(filename) == 0:
        raise SafetensorError("Error while deserializing header: header too small")
    return np.memmap(filename, np.uint8, "c")


def _tensors(data: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    header, body = _header(data)
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise _invalid("the metadata must be texts")
    found: dict[str, Tensor] = {}
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: _begin(item[1])):
        try:
            kind: dtype = BY_NAME[_DTYPES[entry["dtype"]]]
            shape, (begin, after) = tuple(entry["shape"]), entry["data_offsets"]
            whole = all(type(n) is int and n >= 0 for n in (*shape, begin, after))
        except (KeyError, TypeError, ValueError) as error:
            raise _invalid(f"the entry of {name!r}: {error}") from None
        size = kind.itemsize
        for n in shape:
            size *= n
        if not whole or begin != end or after - begin != size or after > len(body):
            raise _invalid(f"the entry of {name!r} does not fit into the file")
        end = after
        part = np.array(body[begin:after], copy=begin % kind.itemsize != 0 or None)
        found[name] = wrap(part.view(kind.numpy).reshape(shape))
    if end != len(body):
        raise _invalid("the file is longer than its tensors")
    for name, other in notes.items():
        if name not in found and other in found:
            found[name] = found[other]
    return {name: found[name] for name in (*header, *notes) if name in found}, notes


def _begin(entry: Any) -> int:
    try:
        return int(entry["data_offsets"][0])
    except (KeyError, TypeError, ValueError, IndexError):
        raise _invalid("an entry has no data_offsets") from None


def _header(data: Any) -> tuple[dict[str, Any], Any]:
    if len(data) < 8:
        raise SafetensorError("Error while deserializing header: header too small")
    size = int.from_bytes(bytes(data[:8]), "little")
    if size > _LIMIT:
        raise SafetensorError("Error while deserializing header: header too large")
    if 8 + size > len(data):
        raise SafetensorError("Error while deserializing header: invalid header length")
    try:
        header = json.loads(bytes(data[8 : 8 + size]).decode(), object_pairs_hook=_once)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _invalid(str(error)) from None
    if not isinstance(header, dict):
        raise _invalid("it is not an object")
    return header, data[8 + size :]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _invalid("a name appears twice")
    return found


def _invalid(why: str) -> SafetensorError:
    return SafetensorError(f"Error while deserializing header: invalid JSON in header: {why}")
