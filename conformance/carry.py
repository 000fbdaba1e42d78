"""The library under comparison: loading it, finding names in it, carrying values over to it."""

from __future__ import annotations

import functools
import importlib
import re
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _one_thread  # noqa: F401
import numpy as np
import torch

SOURCE = Path(__file__).resolve().parent.parent / "src"


class Absent(Exception):
    """leafgrad lacks a name that the case needs."""


class Different(Exception):
    """leafgrad's outcome is not PyTorch's."""


class Skip(Exception):
    """The case says nothing: PyTorch itself does not do it."""


# ------------------------------------------------------------------------------------ the library


def load(self_test: bool = False) -> types.ModuleType:
    """leafgrad, or PyTorch itself in its place: then every comparison must find nothing."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if self_test:
        return torch
    try:
        return importlib.import_module("leafgrad")
    except ModuleNotFoundError as error:
        if error.name != "leafgrad":
            raise
    sys.path.insert(0, str(SOURCE))
    return importlib.import_module("leafgrad")


def resolve(library: types.ModuleType, dotted: str) -> Any:
    """`nn.functional.relu` in the library, importing submodules on the way, or Absent."""
    value: Any = library
    path = library.__name__
    for name in dotted.split("."):
        path += "." + name
        try:
            value = getattr(value, name)
        except AttributeError:
            if not isinstance(value, types.ModuleType):
                raise Absent(path) from None
            try:
                value = importlib.import_module(path)
            except ImportError:
                raise Absent(path) from None
    return value


_LACKS = re.compile(
    r"has no attribute '(\w+)'|No module named '([\w.]+)'|cannot import name '(\w+)'"
)


def lacking(error: BaseException, library: types.ModuleType) -> str | None:
    """The name that leafgrad lacks, if the error says just that, of the case's own line.

    An AttributeError from within leafgrad's code is a fault of leafgrad, and no absence.
    """
    if not isinstance(error, AttributeError | ImportError) or library is torch:
        return None
    match = _LACKS.search(str(error))
    if match is None:
        return None
    trace = [frame for frame, _ in frames(error)]
    package = str(Path(library.__file__ or "").resolve().parent)
    while trace and trace[-1].f_code.co_name == "__getattr__":
        trace.pop()
    if trace and trace[-1].f_code.co_filename.startswith(package):
        return None
    name = next(group for group in match.groups() if group)
    if isinstance(error, AttributeError):
        # Of NumPy, of a number, of None: that is a wrong value, and no absence.
        owner = error.obj
        ours = isinstance(owner, types.ModuleType) and owner.__name__.startswith(library.__name__)
        cls = owner if isinstance(owner, type) else type(owner)
        if not ours and not cls.__module__.startswith(library.__name__):
            return None
    return name


def frames(error: BaseException) -> Iterator[tuple[types.FrameType, int]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


# ---------------------------------------------------------------------------------- carrying over


class Carrier:
    """Copies of one sample for both libraries: same values, strides, offsets and shared storage."""

    def __init__(self, library: types.ModuleType, requires_grad: bool = True) -> None:
        self.library = library
        self.requires_grad = requires_grad
        # Storages and tensors met before, by address: what shared memory goes on sharing it. The
        # originals are kept alive, so that no address comes back for another tensor.
        self._storages: dict[tuple[int, torch.dtype], tuple[torch.Tensor, Any]] = {}
        self._tensors: dict[int, tuple[torch.Tensor, Any]] = {}
        self._originals: list[torch.Tensor] = []

    def both(self, value: Any) -> tuple[Any, Any]:
        """(value for PyTorch, value for leafgrad)."""
        if isinstance(value, torch.Tensor):
            if id(value) not in self._tensors:
                self._originals.append(value)
                self._tensors[id(value)] = self._tensor(value)
            return self._tensors[id(value)]
        if isinstance(value, torch.Size):
            return value, resolve(self.library, "Size")(tuple(value))
        if isinstance(value, tuple | list):
            pairs = [self.both(item) for item in value]
            ours = [b for _, b in pairs]
            return (
                type(value)([a for a, _ in pairs]) if type(value) in (tuple, list) else value,
                tuple(ours) if isinstance(value, tuple) else ours,
            )
        if isinstance(value, dict):
            pairs_of = {key: self.both(item) for key, item in value.items()}
            return {k: a for k, (a, _) in pairs_of.items()}, {
                k: b for k, (_, b) in pairs_of.items()
            }
        if isinstance(value, slice):
            start, stop, step = (self.both(x) for x in (value.start, value.stop, value.step))
            return slice(start[0], stop[0], step[0]), slice(start[1], stop[1], step[1])
        return value, self.ours(value)

    def ours(self, value: Any) -> Any:
        """leafgrad's counterpart of a value that holds no tensor."""
        if (
            value is None
            or value is Ellipsis
            or isinstance(value, bool | int | float | complex | str)
        ):
            return value
        if isinstance(value, np.ndarray | np.generic):
            return value.copy()
        if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
            return resolve(self.library, str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return resolve(self.library, "device")(str(value))
        if isinstance(value, torch.Generator):
            generator = resolve(self.library, "Generator")()
            generator.manual_seed(value.initial_seed())
            return generator
        if self.library is torch:
            return value
        if isinstance(value, torch.nn.PairwiseDistance):
            kind = resolve(self.library, "nn.PairwiseDistance")
            return kind(p=value.norm, eps=value.eps, keepdim=value.keepdim)
        if callable(value):
            return rebind(value, self.library)
        raise Absent(f"{type(value).__module__}.{type(value).__name__}")

    def _tensor(self, tensor: torch.Tensor) -> tuple[torch.Tensor, Any]:
        if tensor.layout is not torch.strided or tensor.device.type != "cpu":
            raise Skip("not a strided tensor on the CPU")
        if tensor.ndim > 64:
            raise Skip("more dimensions than NumPy has")
        if tensor.is_conj():
            theirs, ours = self._tensor(tensor.detach().conj())
            theirs, ours = theirs.conj(), ours.conj()
        else:
            if tensor.is_neg() or tensor._is_zerotensor():
                tensor = tensor.detach().resolve_neg().clone().requires_grad_(tensor.requires_grad)
                self._originals.append(tensor)
            window = tuple(tensor.shape), tensor.stride(), tensor.storage_offset()
            theirs, ours = (flat.as_strided(*window).detach() for flat in self._storage(tensor))
        if tensor.requires_grad and self.requires_grad:
            theirs.requires_grad_()
            ours.requires_grad_()
        return theirs, ours

    def _storage(self, tensor: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """The whole storage as flat tensors, each owned by its library."""
        storage = tensor.untyped_storage()
        key = (storage.data_ptr() if storage.nbytes() else -id(tensor)), tensor.dtype
        if key not in self._storages:
            flat = torch.empty(0, dtype=tensor.dtype).set_(storage).detach().clone()
            from_numpy = resolve(self.library, "from_numpy")
            if flat.dtype in (torch.bfloat16, torch.complex32):
                wide = torch.float32 if flat.dtype is torch.bfloat16 else torch.complex64
                name = str(flat.dtype).removeprefix("torch.")
                ours = from_numpy(flat.to(wide).numpy()).to(resolve(self.library, name))
                flat = flat.to(wide).to(
                    flat.dtype
                )  # a NaN may lose its sign on the way: on both sides
            else:
                ours = from_numpy(flat.clone().numpy()).clone()
            self._storages[key] = flat, ours
        return self._storages[key]


# Helpers of torch.testing that save and restore PyTorch's own state: here they seed leafgrad.
def _override(library: types.ModuleType) -> dict[str, Any]:
    def wrapper_set_seed(op: Any, *args: Any, **kwargs: Any) -> Any:
        library.manual_seed(42)
        return op(*args, **kwargs)

    return {"wrapper_set_seed": wrapper_set_seed}


def rebind(value: Any, library: types.ModuleType) -> Any:
    """A function of torch.testing with `torch` bound to the library; one of PyTorch by its name."""
    if isinstance(value, types.ModuleType) and value.__name__.split(".")[0] == "torch":
        rest = value.__name__.partition(".")[2]
        return resolve(library, rest) if rest else library
    if isinstance(value, types.MethodDescriptorType | types.WrapperDescriptorType):
        return resolve(library, "Tensor." + value.__name__)
    if isinstance(value, functools.partial):
        return functools.partial(rebind(value.func, library), *value.args, **value.keywords)
    if isinstance(value, types.FunctionType):
        if value.__module__.startswith("torch.testing") or not value.__module__.startswith(
            "torch."
        ):
            return _clone(value, library)
        module = value.__module__.removeprefix("torch.")
        if module == "_tensor":
            return resolve(library, "Tensor." + value.__name__)
        return resolve(library, f"{module}.{value.__name__}".removeprefix("functional."))
    if isinstance(value, types.BuiltinFunctionType) and (value.__module__ or "").startswith(
        "torch"
    ):
        return resolve(library, value.__name__)
    return value


def _clone(function: types.FunctionType, library: types.ModuleType) -> types.FunctionType:
    names: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
    override = _override(library)
    space: dict[str, Any] = {"__builtins__": __builtins__, "__name__": function.__module__}
    for name in names & function.__globals__.keys():
        space[name] = override.get(name) or rebind(function.__globals__[name], library)
    cells = tuple(
        types.CellType(rebind(c.cell_contents, library)) for c in function.__closure__ or ()
    )
    clone = types.FunctionType(
        function.__code__, space, function.__name__, function.__defaults__, cells
    )
    clone.__kwdefaults__ = function.__kwdefaults__
    return clone
