"""`save` and `load`: PyTorch's checkpoint files, both ways, without PyTorch.

A file holds a pickle of the object and, apart from it, the memory of its tensors. Tensors that share
memory share it again after loading. Reading runs nothing that the file says: see `pickles.py`. The
table of what a file may name is `_values`; `add_safe_globals` adds the user's own types.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..device import CPU, device
from ..dtypes import ALL, BY_NAME, dtype
from ..nn.module import Module
from ..nn.parameter import Buffer, Parameter
from ..ops.storage import UntypedStorage, address, memory_of
from ..tensor import Size, Tensor, wrap
from .archive import ArchiveReader, ArchiveWriter, replacing
from .pickles import Global, Table, Writer, read

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals",
           "save"]  # fmt: skip

_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # of files from before PyTorch 1.6

# PyTorch names a storage by its dtype; those of newer dtypes are bytes.
_STORAGES = {f"{kind.legacy}Storage": kind for kind in ALL
             if kind.name in ("float64", "float32", "float16", "bfloat16", "int64", "int32",
                              "int16", "int8", "uint8", "bool", "complex64", "complex128")}  # fmt: skip
_STORAGE_NAMES = {kind: name for name, kind in _STORAGES.items()}


# Writing


class _Memory:
    """A piece of memory that tensors of a file share: its persistent id."""

    __slots__ = ("id",)

    def __init__(self, id: tuple[Any, ...]) -> None:
        self.id = id


class _Saving:
    """The memory met while an object is pickled."""

    def __init__(self) -> None:
        self.memories: list[Any] = []
        self.known: dict[int, tuple[str, dtype]] = {}

    def reduce(self, value: Any) -> Any:
        """PyTorch's way of pickling a value; NotImplemented for Python's own."""
        if isinstance(value, Parameter) and type(value) in (Parameter, Buffer):
            parts: Any = (value.detach(), value.requires_grad, OrderedDict())
            return Global("torch._utils", "_rebuild_parameter"), parts
        if isinstance(value, Tensor):
            return self.tensor(value)
        if isinstance(value, Size):
            return Global("torch", "Size"), (tuple(value),)
        if isinstance(value, device):
            return Global("torch", "device"), (value.type,)
        if isinstance(value, UntypedStorage):
            raise pickle.PicklingError("save the tensor, not its storage")
        return NotImplemented

    def tensor(self, tensor: Tensor) -> Any:
        array = tensor._array
        memory = memory_of(array)
        kind = tensor.dtype
        key, first = self.known.setdefault(id(memory), (str(len(self.memories)), kind))
        if len(self.known) > len(self.memories):
            self.memories.append(memory)
        if first is not kind:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                "types"
            )
        offset = (address(array) - address(memory)) // array.itemsize if array.size else 0
        parts: Any = (
            offset,
            tuple(array.shape),
            tensor.stride(),
            tensor.requires_grad,
            OrderedDict(),
        )
        name = _STORAGE_NAMES.get(kind)
        if name is None:
            held = Global("torch.storage", "UntypedStorage")
            place = _Memory(("storage", held, key, "cpu", memory.nbytes))
            return Global("torch._utils", "_rebuild_tensor_v3"), (place, *parts, kind)
        place = _Memory(("storage", Global("torch", name), key, "cpu", memory.size))
        return Global("torch._utils", "_rebuild_tensor_v2"), (place, *parts)

    @staticmethod
    def persistent(value: Any) -> Any:
        return value.id if value.__class__ is _Memory else None


def _renamed(value: Any) -> Global | None:
    """Our own classes and functions under PyTorch's names, so that PyTorch finds its own."""
    if isinstance(value, dtype):
        return Global("torch", value.name)
    module = getattr(value, "__module__", None) or ""
    if module == "leafgrad" or module.startswith("leafgrad."):
        return Global("torch" + module[len("leafgrad") :], value.__qualname__)
    return None


class _Pickler(Writer):
    dispatch: ClassVar[dict[Any, Any]] = dict(Writer.dispatch)

    def save_dtype(self, value: dtype) -> None:
        self.save_global(value)

    dispatch[dtype] = save_dtype


def save(obj: Any, f: Any, pickle_module: Any = pickle, pickle_protocol: int = 2,
         _use_new_zipfile_serialization: bool = True) -> None:  # fmt: skip
    """Write an object to a file that PyTorch reads too.

    obj: tensors, modules' and optimizers' `state_dict()`, and containers and plain values around
    them; whole modules as well, though a `state_dict` outlives changes of the code
    f: a path (replaced only when all is written), or an open binary file
    """
    if not _use_new_zipfile_serialization:
        raise NotImplementedError("only the zip format, PyTorch's since 1.6, is written")
    if isinstance(f, (str, os.PathLike)):
        folder = os.path.splitext(os.path.basename(os.fspath(f)))[0] or "archive"
        with replacing(f) as file:
            _write(obj, file, folder, pickle_protocol)
    else:
        _write(obj, f, "archive", pickle_protocol)


def _write(obj: Any, file: Any, folder: str, protocol: int) -> None:
    saving = _Saving()
    out = io.BytesIO()

    _Pickler(out, protocol, _renamed, saving.reduce, saving.persistent).dump(obj)
    archive = ArchiveWriter(file, folder)
    archive.add("data.pkl", out.getvalue())
    archive.add("byteorder", sys.byteorder.encode())
    for key, memory in enumerate(saving.memories):
        archive.add(f"data/{key}", memory.view(np.uint8) if memory.size else b"")
    archive.add("version", b"3\n")
    archive.close()


# Reading


class _Loaded:
    """The memory of a storage of the file: bytes, and the dtype that its type names, if any."""

    __slots__ = ("bytes", "kind")

    def __init__(self, data: Any, kind: dtype | None) -> None:
        self.bytes, self.kind = data, kind


class _StorageType:
    """A storage's type in a pickle: only a name."""

    def __init__(self, kind: dtype | None) -> None:
        self.kind = kind


def _rebuild_tensor_v2(storage: Any, storage_offset: Any, size: Any, stride: Any,
                       requires_grad: Any = False, backward_hooks: Any = None,
                       metadata: Any = None) -> Tensor:  # fmt: skip
    return _rebuild_tensor_v3(storage, storage_offset, size, stride, requires_grad, None,
                              storage.kind)  # fmt: skip


def _rebuild_tensor_v3(storage: Any, storage_offset: Any, size: Any, stride: Any,
                       requires_grad: Any, backward_hooks: Any, kind: Any,
                       metadata: Any = None) -> Tensor:  # fmt: skip
    """A tensor on a storage. A place that reaches beyond the storage is refused."""
    if storage.__class__ is not _Loaded or not isinstance(kind, dtype):
        raise TypeError("a tensor needs a storage and a dtype")
    size, stride = tuple(size), tuple(stride)
    numbers = (storage_offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"no place in a storage: {storage_offset}, {size}, {stride}")
    stored = kind.numpy
    usable = len(storage.bytes) // stored.itemsize * stored.itemsize
    elements = storage.bytes[:usable].view(stored)
    last = storage_offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and last >= len(elements):
        raise ValueError(f"a tensor of size {list(size)} reaches beyond its storage")
    steps = tuple(s * stored.itemsize for s in stride)
    start = storage_offset if 0 not in size else 0
    made = wrap(np.ndarray(size, stored, elements, start * stored.itemsize, steps))
    return made.requires_grad_() if requires_grad is True else made


def _rebuild_parameter(data: Any, requires_grad: Any, backward_hooks: Any) -> Any:
    return Parameter(data, requires_grad=bool(requires_grad))


def _rebuild_parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Any:
    made = _rebuild_parameter(data, requires_grad, hooks)
    _set_attributes(made, state)
    return made


def _rebuild_from_type_v2(function: Any, kind: Any, args: Any, state: Any) -> Any:
    if function not in (_rebuild_tensor_v2, _rebuild_tensor_v3) or kind is not Tensor:
        raise TypeError("only a tensor may be rebuilt so")
    made = function(*args)
    _set_attributes(made, state)
    return made


def _set_attributes(tensor: Any, state: Any) -> None:
    """A tensor's own attributes, as far as they are the user's."""
    if state.__class__ is tuple and len(state) == 2:
        state = state[0]
    for name, value in dict(state or {}).items():
        if not hasattr(Tensor, name) and not name.startswith("_"):
            tensor.__dict__[name] = value


def _encode(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding != "latin1":
        raise TypeError("only latin1 text may be encoded")
    return text.encode("latin1")


def _make_device(kind: Any, index: Any = None) -> device:
    return device(kind) if index is None else device(kind, index)


def _make_set(items: Any = ()) -> set[Any]:
    return set(items)


def _make_complex(real: Any, imag: Any) -> complex:
    return complex(float(real), float(imag))


def _make_size(items: Any = ()) -> Size:
    return Size(int(n) for n in items)


_values: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): defaultdict,
    ("collections", "Counter"): Counter,
    ("_codecs", "encode"): _encode,
    ("torch", "Size"): _make_size,
    ("torch", "device"): _make_device,
    ("torch", "Tensor"): Tensor,
    ("torch.nn.parameter", "Parameter"): Parameter,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_tensor_v3,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter_with_state,
    ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_from_type_v2,
    ("torch.storage", "UntypedStorage"): _StorageType(None),
}
for _module in ("builtins", "__builtin__"):
    _values |= {(_module, "set"): _make_set, (_module, "complex"): _make_complex}
    # As the factory of a defaultdict, never to be called by the pickle.
    _values |= {(_module, kind.__name__): kind for kind in (list, dict, int, float, str, tuple)}
_values |= {("torch", name): _StorageType(kind) for name, kind in _STORAGES.items()}
_values |= {("torch", name): kind for name, kind in BY_NAME.items()}
_CALLED = {OrderedDict, defaultdict, Counter, _encode, _make_size, _make_device, _make_set,
           _make_complex, _rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter,
           _rebuild_parameter_with_state, _rebuild_from_type_v2}  # fmt: skip

_safe: dict[tuple[str, str], Any] = {}


def add_safe_globals(safe_globals: Sequence[Any]) -> None:
    """Let `load` make these classes, and call these functions, where a file names them.

    An entry is the class or function, or a pair of it and its full name in the file.
    """
    for entry in safe_globals:
        if isinstance(entry, tuple):
            value, full = entry
            module, _, name = full.rpartition(".")
        else:
            value, module, name = entry, entry.__module__, entry.__qualname__
        _safe[module, name] = value


def get_safe_globals() -> list[Any]:
    """What was added."""
    return list(_safe.values())


def clear_safe_globals() -> None:
    """Forget what was added."""
    _safe.clear()


class safe_globals:
    """`add_safe_globals` for a `with` block."""

    def __init__(self, safe_globals: Sequence[Any]) -> None:
        self._added = list(safe_globals)

    def __enter__(self) -> None:
        self._before = dict(_safe)
        add_safe_globals(self._added)

    def __exit__(self, *exc: object) -> None:
        clear_safe_globals()
        _safe.update(self._before)


def _table(whole_modules: bool) -> Table:
    """What a file may name and do; with `whole_modules` also make modules."""

    def may_call(value: Any) -> bool:
        if isinstance(value, type) and issubclass(value, Module):
            return whole_modules or value in _safe.values()
        known = type(value).__hash__ is not None and value in _CALLED
        return known or any(value is safe for safe in _safe.values())

    def find(module: str, name: str) -> Any:
        for table in (_values, _safe):
            if (module, name) in table:
                return table[module, name]
        if whole_modules:
            found = _module_class(module, name)
            if found is not None:
                return found
        raise pickle.UnpicklingError(
            "Weights only load failed. This file can still be loaded, if you trust the source of "
            f"the checkpoint: WeightsUnpickler error: Unsupported global: GLOBAL {module}.{name} "
            "was not an allowed global by default. Please use "
            f"`torch.serialization.add_safe_globals([{name}])` or the "
            f"`torch.serialization.safe_globals([{name}])` context manager to allowlist this "
            "global if you trust this class/function."
        )

    return Table(find, may_call, _setter)


def _module_class(module: str, name: str) -> Any:
    """A subclass of nn.Module that is already loaded; nothing is imported for it."""
    for place in (
        module,
        "leafgrad" + module[len("torch") :] if module.startswith("torch") else "",
    ):
        found: Any = sys.modules.get(place)
        for part in name.split("."):
            found = found.__dict__.get(part) if hasattr(found, "__dict__") else None
        if isinstance(found, type) and issubclass(found, Module):
            return found
    if module.startswith("torch.nn.modules."):
        from .. import nn

        found = getattr(nn, name, None)
        if isinstance(found, type) and issubclass(found, Module):
            return found
    return None


def _setter(value: Any) -> Any:
    """How BUILD sets an object's state; None where it may not."""
    kind = type(value)
    if kind in (OrderedDict, defaultdict, Counter):
        return lambda target, state: target.__dict__.update(_texted(state))
    if kind in (Tensor, Parameter):
        return _set_attributes
    if issubclass(kind, Module):
        return _set_module
    if kind in _safe.values():
        return _set_state
    return None


def _texted(state: Any) -> dict[str, Any]:
    if type(state) is not dict or not all(type(name) is str for name in state):
        raise TypeError("an object's state must be a dictionary of its attributes")
    return state


def _set_module(module: Any, state: Any) -> None:
    fresh = Module()
    for name, value in fresh.__dict__.items():
        module.__dict__.setdefault(name, value)
    module.__setstate__(_texted(state))


def _set_state(value: Any, state: Any) -> None:
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
    else:
        value.__dict__.update(_texted(state))


def load(f: Any, map_location: Any = None, pickle_module: Any = None, *,
         weights_only: bool | None = None, mmap: bool | None = None,
         **pickle_load_args: Any) -> Any:  # fmt: skip
    """Read what `save`, of leafgrad or of PyTorch, wrote. Nothing in the file is run.

    f: a path, or an open binary file
    map_location: where tensors go that lay on another device: "cpu", a device, a dictionary or a
    function, as in PyTorch; without it such a file is refused
    weights_only: False also makes whole modules, of classes that are already imported. Other
    types need `torch.serialization.add_safe_globals`, here whatever weights_only says
    mmap: leave the memory of tensors in the file until it is used (changes do not reach the file)

    Errors: FileNotFoundError; RuntimeError for a damaged archive; pickle.UnpicklingError for a
    pickle that is damaged or names what is not allowed
    """
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return _read(file, os.fspath(f), map_location, weights_only is False, bool(mmap))
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    if not hasattr(f, "read") or not hasattr(f, "seek"):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'seek'. You can only torch.load from a "
            "file that is seekable. Please pre-load the data into a buffer like io.BytesIO and try "
            "to load from it instead."
        )
    return _read(f, None, map_location, weights_only is False, False)


def _read(file: Any, path: Any, map_location: Any, whole: bool, mapped: bool) -> Any:
    start = file.tell()
    head = file.read(len(_LEGACY_MAGIC))
    file.seek(start)
    if not head:
        raise EOFError("Ran out of input")
    if head == _LEGACY_MAGIC:
        raise RuntimeError("This file has PyTorch's format from before 1.6: load and save it once "
                           "with a newer PyTorch")  # fmt: skip
    if start:
        file = io.BytesIO(file.read())
    archive = ArchiveReader(file, path)
    swapped = archive.has("byteorder") and archive.read("byteorder") != sys.byteorder.encode()
    memories: dict[str, Any] = {}

    def persistent(id: Any) -> Any:
        if type(id) is not tuple or len(id) != 5 or id[0] != "storage":
            raise pickle.UnpicklingError("Weights only load failed. Only persistent_load of storage "
                                         "is allowed")  # fmt: skip
        _, kind, key, location, count = id
        if not isinstance(kind, _StorageType) or type(key) is not str or type(count) is not int:
            raise TypeError("no storage")
        if key not in memories:
            place(location)
            data = archive.array(f"data/{key}", mapped)
            width = 1 if kind.kind is None else kind.kind.numpy.itemsize
            if len(data) != count * width:
                raise ValueError(f"storage {key} has {len(data)} bytes, not {count * width}")
            if swapped and width > 1 and kind.kind is not None:
                data = _native(data, kind.kind)
            memories[key] = data
        return _Loaded(memories[key], kind.kind)

    def place(location: Any) -> None:
        wanted = map_location
        if isinstance(wanted, dict):
            wanted = wanted.get(location, location)
        elif callable(wanted):
            wanted = CPU
        wanted = location if wanted is None else wanted
        _check_device(wanted if isinstance(wanted, device) else _device(wanted))

    return read(archive.read("data.pkl"), _table(whole), persistent)


def _native(data: Any, kind: dtype) -> Any:
    """The bytes of a machine with the other byte order."""
    part = kind.to_real().numpy if kind.is_complex else kind.numpy
    return data.view(f"u{part.itemsize}").byteswap().view(np.uint8)


def _device(name: Any) -> device:
    kind, _, index = str(name).partition(":")
    return device(kind, int(index)) if index else device(kind)


def _check_device(wanted: device) -> None:
    if wanted.type != "cpu":
        raise RuntimeError(
            f"Attempting to deserialize object on a {wanted.type.upper()} device but "
            f"torch.{wanted.type}.is_available() is False. If you are running on a CPU-only "
            "machine, please use torch.load with map_location=torch.device('cpu') to map your "
            "storages to the CPU."
        )
