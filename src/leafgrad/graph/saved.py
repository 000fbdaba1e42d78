"""Saved tensors: the check that nobody wrote to them, and the hooks that pack and unpack them."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import os
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..dtypes import from_numpy_dtype, is_differentiable, of_scalar
from ..duck import whole
from ..tensor import COUNT, MARK, RECENT, TICK, Tensor, wrap
from .modes import ModeContext, current, no_grad
from .node import TENSOR, Fixed, Freed, Node, Output, clock, edge_of, fail_freed, has_edge
from .source import fail, where

__all__ = ["SavedTensor", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks",
           "save_on_cpu", "saved_tensors_hooks"]  # fmt: skip

_KEPT_TICKS = 64


def bump(tensor: Any, mark: Any) -> None:
    """Count a write to a tensor's memory, and remember when and by which expression."""
    versions = tensor._versions
    versions[COUNT] += 1
    versions[TICK] = tick = clock()
    versions[MARK] = mark
    recent = versions[RECENT]
    if recent is None:
        versions[RECENT] = [tick]
    else:
        recent.append(tick)
        if len(recent) > 2 * _KEPT_TICKS:
            del recent[:_KEPT_TICKS]


def version_at(versions: list[Any], tick: int) -> int:
    """What the version was at a tick of the clock."""
    return versions[COUNT] - sum(t > tick for t in versions[RECENT] or ())  # type: ignore[no-any-return]


def forward_name(node: Any) -> str:
    """A node's name in messages about its result: "Add" of AddBackward0, "Pow1" of PowBackward1."""
    name: str = node.name()
    if name.endswith("Backward0"):
        return name.removesuffix("Backward0")
    start, _, end = name.rpartition("Backward")
    return start + end


def fail_modified(node: Any, name: str, kept: Any, number: int = 0,
                  tick: int | None = None) -> None:  # fmt: skip
    """Raise PyTorch's error for a saved tensor that was written to before backward.

    `detach_()` counts as no write, but looks like one: of that this function returns, unless it
    was the saved tensor itself that was detached. tick: when a Function saved it
    """
    if isinstance(kept, Tensor):
        array, versions, tick = kept._array, kept._versions, node.seq if tick is None else tick
        fail_detached(node, name, kept)
    else:
        array, versions, tick = kept[:3]
    if version_at(versions, tick) == versions[COUNT]:
        return
    maker = node
    if isinstance(kept, Tensor):
        maker, number = kept.grad_fn, kept.output_nr
    origin = ""
    if maker is not None:
        origin = f", which is output {number} of {forward_name(maker)},"
    kind = from_numpy_dtype(array.dtype).legacy
    anomaly = current().anomaly is not None
    fail(
        RuntimeError,
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{kind}Tensor {list(whole(array).shape)}]{origin} is at version "
        f"{versions[COUNT]}; expected version {version_at(versions, tick)} instead. Hint: "
        + (
            "the backtrace further above shows the operation that failed to compute its gradient. "
            "The variable in question was changed in there or anywhere later. Good luck!"
            if anomaly
            else "enable anomaly detection to find the operation that failed to compute its "
            "gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False)."
        ),
        f"needed by: {where(node.mark)}, whose derivative uses its "
        + ("result" if name == "out" else f"argument {name!r}"),
        f"written by: {where(versions[MARK])}",
        "to do: make that write out of place (y = y + 1 instead of y += 1), or write to a .clone()",
    )


def fail_detached(node: Any, name: str, tensor: Tensor) -> None:
    """Raise PyTorch's error for an operand that was detached in place."""
    op = node.op
    edge = node.next[op.tensors.index(name)] if op and name in op.tensors else None
    if node.name() in ("UnsafeViewBackward0", "SqueezeBackward4"):
        return  # a product of matrices: it saved views of its operands
    if edge is not None and edge._kind != TENSOR and not has_edge(tensor):
        fail(
            RuntimeError,
            "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()."
            "This is not supported, please use out-of-place `.detach()` instead",
            f"needed by: {where(node.mark)}",
        )


def check_inference(tensor: Any) -> None:
    """Raise PyTorch's error if a tensor made in inference mode is to be saved for backward."""
    if tensor._inference:
        fail(
            RuntimeError,
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
            "inference mode in computation tracked by autograd. To work around this, you can make "
            "a clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` "
            "instead of `torch.inference_mode()`.",
            f"the inference tensor has shape {list(tensor._array.shape)}",
        )


class Packed:
    """A saved tensor as a pack hook returned it. number: of the output, if it is the node's own;
    edge: where its gradient goes otherwise."""

    __slots__ = ("edge", "number", "unpack", "value")

    def __init__(self, tensor: Tensor, hooks: Any, number: int | None = None) -> None:
        pack, self.unpack = hooks[:2]
        self.number, self.edge = number, edge_of(tensor) if number is None else None
        version = tensor._versions[COUNT]
        with no_grad():
            self.value = pack(tensor)
        if tensor._versions[COUNT] != version:
            fail(
                RuntimeError,
                "A saved tensor pack hook is modifying its input in place. Tensors provided as "
                "input to pack hook cannot be modified by in-place operations as this can lead to "
                "unexpected side-effects. Please open an issue if you need to perform in-place "
                "operations on the input to a pack hook.",
            )

    def tensor(self, node: Any) -> Tensor:
        """The tensor again, through the unpack hook."""
        found = self.unpack(self.value)
        if not isinstance(found, Tensor):
            fail(TypeError, "Output of saved tensor unpack_hook expected to be a Tensor but got "
                            f"result of type {type(found).__name__}")  # fmt: skip
        edge = self.edge
        if self.number is not None and is_differentiable(found._array.dtype):
            edge = Output(node, self.number) if isinstance(node.out_dtype, tuple) else node
        if edge is None:
            return found.detach() if found.requires_grad else found
        again = wrap(found._array)
        again._versions, again._edge = found._versions, Fixed(edge)
        return again


class Packs(dict[str, Any]):
    """What a node saved while hooks were set: the tensors are Packed."""

    @staticmethod
    def of(node: Any, saved: dict[str, Any], hooks: Any) -> Packs:
        """`saved` after the pack hook."""
        made = Packs(saved)
        for name, value in saved.items():
            if isinstance(value, Tensor):
                made[name] = Packed(value, hooks)
            elif name == "out" and isinstance(value[0], tuple):
                made[name] = tuple(Packed(_result(node, v, n), hooks, n)
                                   for n, v in enumerate(value))  # fmt: skip
            elif name == "out":
                made[name] = Packed(_result(node, value, 0), hooks, 0)
            elif isinstance(value, tuple) and value and isinstance(value[0], Tensor):
                made[name] = tuple(Packed(v, hooks) for v in value)
        return made

    def opened(self, node: Any, recorded: bool) -> dict[str, Any]:
        """The values again, through the unpack hook: arrays, or tensors when `recorded`."""
        from .operator import checked

        def value(packed: Packed) -> Any:
            found = packed.tensor(node)
            return found if recorded else found._array

        rest, values = {}, {}
        for name, kept in self.items():
            if kept.__class__ is Packed:
                values[name] = value(kept)
            elif kept.__class__ is tuple and kept and kept[0].__class__ is Packed:
                values[name] = tuple(value(k) for k in kept)
            else:
                rest[name] = kept
        values.update(checked(node, rest, recorded))
        return values


def _result(node: Any, kept: Any, number: int) -> Tensor:
    """A node's own result, from what it keeps of it."""
    made = wrap(kept[0])
    made._versions = kept[1]
    if is_differentiable(kept[0].dtype):
        made._edge = Output(node, number) if isinstance(node.out_dtype, tuple) else node
    return made


# Contexts


class saved_tensors_hooks(ModeContext):
    """Inside, every tensor saved for backward goes through `pack_hook(tensor)`, and comes back
    through `unpack_hook(packed)`, which must return a tensor of the same content."""

    def __init__(self, pack_hook: Any, unpack_hook: Any) -> None:
        super().__init__()
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def changes(self) -> dict[str, Any]:
        return {"hooks": (self.pack_hook, self.unpack_hook)}

    def clone(self) -> Any:
        return saved_tensors_hooks(self.pack_hook, self.unpack_hook)

    def __enter__(self) -> Any:
        for hook in (self.pack_hook, self.unpack_hook):
            if not callable(hook):
                fail(TypeError, "_push_saved_tensors_default_hooks(): incompatible function "
                                "arguments.", f"a hook must be callable, not {hook!r}")  # fmt: skip
        refused = current().hooks_off
        if refused is not None:
            raise RuntimeError(refused)
        return super().__enter__()


class save_on_cpu(saved_tensors_hooks):
    """Inside, tensors are kept for backward in main memory; here they lie there anyway."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: tensor, lambda packed: packed)


class disable_saved_tensors_hooks(ModeContext):
    """Inside, setting saved-tensor hooks raises RuntimeError with this message."""

    def __init__(self, error_message: str) -> None:
        super().__init__()
        self.error_message = error_message

    def changes(self) -> dict[str, Any]:
        return {"hooks_off": self.error_message}

    def clone(self) -> Any:
        return disable_saved_tensors_hooks(self.error_message)

    def __enter__(self) -> Any:
        if current().hooks is not None:
            raise RuntimeError(self.error_message)
        return super().__enter__()


class allow_mutation_on_saved_tensors(ModeContext):
    """Inside, tensors saved for backward may be changed in place: they are copied before.

    The backward pass must run inside as well. `with ... as ctx`: `ctx.original` has the saved
    tensors that nobody wrote to, `ctx.cloned` the copies of the others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.original: WeakKeyDictionary[Any, Tensor] = WeakKeyDictionary()
        self.cloned: WeakKeyDictionary[Any, Tensor] = WeakKeyDictionary()

    def changes(self) -> dict[str, Any]:
        return {"hooks": (self._pack, self._unpack, self._before_write)}

    def clone(self) -> Any:
        return allow_mutation_on_saved_tensors()

    def __enter__(self) -> Any:
        if len(current().hooks or ()) > 2:
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        super().__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.original.clear()
        self.cloned.clear()
        super().__exit__(*exc)

    def _pack(self, tensor: Tensor) -> Any:
        for handle, kept in self.original.items():
            if kept._array is tensor._array:
                return handle
        handle = _Handle()
        self.original[handle] = tensor.detach()
        return handle

    def _unpack(self, handle: Any) -> Tensor:
        found = self.cloned.get(handle)
        if found is None:
            found = self.original.get(handle)
        if found is None:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"
                "in which the graph was originally recorded."
            )
        return found

    def _before_write(self, tensor: Tensor) -> None:
        for handle, kept in list(self.original.items()):
            if np.may_share_memory(kept._array, tensor._array):
                self.cloned[handle] = wrap(kept._array.copy(order="K"))
                del self.original[handle]


class _Handle:
    """Stands for a saved tensor inside `allow_mutation_on_saved_tensors`."""

    __slots__ = ("__weakref__",)


# What a node saved, under PyTorch's names


class SavedTensor:
    """One tensor that a node saved: `node._raw_saved_<name>`, which does not unpack it."""

    __slots__ = ("_key", "_node", "_place")

    def __new__(cls) -> SavedTensor:
        raise RuntimeError("Trying to create a SavedTensor object from Python is forbidden.")

    @classmethod
    def _at(cls, node: Any, key: Any, place: int | None = None) -> SavedTensor:
        made = object.__new__(cls)
        made._node, made._key, made._place = node, key, place
        return made

    def _kept(self) -> Any:
        saved = self._node.saved
        if saved.__class__ is Freed:
            return saved
        kept = entries(self._node).get(self._key)
        return kept if self._place is None or kept is None else kept[self._place]

    def unpack(self) -> Any:
        """The tensor, checked to be unchanged, or through its unpack hook."""
        if self._kept().__class__ is Freed:
            fail_freed(self._node)
        return opened_entry(self._node, self._key, self._place)

    @property
    def data(self) -> Any:
        """The tensor, or what its pack hook returned."""
        kept = self._kept()
        return kept.value if kept.__class__ is Packed else self.unpack()

    @property
    def unpack_hook(self) -> Any:
        """The hook that `register_hooks` or a context has set, or None."""
        kept = self._kept()
        return kept.unpack if kept.__class__ is Packed else None

    def register_hooks(self, pack_hook: Any, unpack_hook: Any) -> None:
        """Keep the tensor as `pack_hook(tensor)`, and get it back by `unpack_hook(packed)`."""
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise TypeError("register_hooks(): incompatible function arguments. Both must be "
                            "callable.")  # fmt: skip
        kept, node = self._kept(), self._node
        if kept.__class__ is Freed:
            fail(
                RuntimeError,
                "Calling register_hooks on a saved tensor after it has been freed. Saved "
                "intermediate values of the graph are freed when you call .backward() or "
                "autograd.grad(). Specify retain_graph=True if you need to backward through the "
                "graph a second time or if you need to access saved variables after calling "
                "backward.",
            )
        if kept is None:
            fail(RuntimeError, "Calling register_hooks on a saved tensor with value None is "
                               "forbidden")  # fmt: skip
        if kept.__class__ is Packed:
            fail(RuntimeError, "Calling register_hooks on a saved tensor whose hooks have already "
                               "been set. Hint: only one pair of hooks is allowed at a time.")  # fmt: skip
        own = self._key == "out" or getattr(kept, "number", None) is not None
        number = getattr(kept, "number", self._place) or 0
        packed = Packed(self.unpack(), (pack_hook, unpack_hook), number if own else None)
        saved = entries(node)
        if self._place is None:
            saved[self._key] = packed
        else:
            several = list(saved[self._key])
            several[self._place] = packed
            saved[self._key] = tuple(several)
        node.saved = saved["tensors"] if node.op is None else Packs(saved)


def entries(node: Any) -> dict[str, Any]:
    """What a node saved, by leafgrad's own names; of a Function's, all as "tensors"."""
    saved = node.saved
    if saved.__class__ is Freed:
        fail_freed(node)
    if node.op is None:
        return {"tensors": saved or ()}
    from .operator import named

    return {} if saved is None else named(node)


def opened_entry(node: Any, key: str, place: int | None) -> Any:
    """One saved value, as a tensor where it is one."""
    from .operator import checked

    kept = entries(node)[key]
    one = kept if place is None else kept[place]
    if one.__class__ is Packed:
        return one.tensor(node)
    if node.op is None:
        return one.get(node)
    found = checked(node, {key: kept}, True)[key]
    return found if place is None else found[place]


# Where PyTorch's name of a saved value is not leafgrad's: `=name` or `=out.number`; a value; or a
# function of the node.
_INDICES = {"indices": "=index"}
_OURS: dict[str, dict[str, Any]] = {
    "AddBackward0": {"alpha": 1},
    "AddmmBackward0": {"mat1": "=input", "alpha": 1, "beta": 1},
    "AminmaxBackward0": {"min": "=out.0", "max": "=out.1"},
    "AsStridedBackward0": {"storage_offset": "=offset"},
    "ConstantPadNdBackward0": {"pad": "=widths"},
    "CummaxBackward0": _INDICES,
    "CumminBackward0": _INDICES,
    "FrexpBackward0": {"exponent": "=out.1"},
    "IndexBackward0": _INDICES,
    "IndexPutBackward0": _INDICES,
    "KthvalueBackward0": _INDICES,
    "LinalgCholeskyExBackward0": {"L": "=out.0"},
    "LinalgEigBackward0": {"eigenvalues": "=out.0", "eigenvectors": "=out.1"},
    "LinalgEighBackward0": {"eigenvalues": "=out.0", "eigenvectors": "=out.1"},
    "LinalgInvExBackward0": {"inverse": "=out.0"},
    "LinalgQrBackward0": {"Q": "=out.0", "R": "=out.1"},
    "LinalgSlogdetBackward0": {"sign": "=out.0"},
    "LinalgSvdBackward0": {"U": "=out.0", "S": "=out.1", "Vh": "=out.2"},
    "MaxBackward0": _INDICES,
    "MedianBackward1": _INDICES,
    "MinBackward0": _INDICES,
    "ModeBackward0": _INDICES,
    "NanmedianBackward1": _INDICES,
    "RsubBackward1": {"alpha": 1},
    "SortBackward0": _INDICES,
    "StdMeanBackward0": {"result0": "=out.0"},
    "SubBackward0": {"alpha": 1},
    "TopkBackward0": _INDICES,
}
_DEFAULTS = {"start": 0, "end": 2**63 - 1, "step": 1}  # of a slice, where they are None


@functools.cache
def saved_names() -> dict[str, tuple[list[str], list[str]]]:
    """By PyTorch's name of a node: the names of the tensors that it saves, and of the rest."""
    found = {}
    with open(os.path.join(os.path.dirname(__file__), "saved_names.txt")) as lines:
        for line in lines:
            left, _, right = line.partition("|")
            name, *tensors = left.split()
            found[name] = tensors, right.split()
    return found


def saved_attribute(node: Any, name: str) -> Any:
    """`grad_fn._saved_self` and the like: PyTorch's names over leafgrad's own."""
    raw = name.startswith("_raw")
    wanted = name.removeprefix("_raw").removeprefix("_saved_")
    tensors, _ = saved_names().get(type(node).__name__, ([], []))
    ours = _ours(node, wanted)
    if ours is None or (raw and wanted not in tensors):
        raise AttributeError(f"'{type(node).__name__}' object has no attribute '{name}'")
    if wanted == "indices" and "dims" in node.op.params:
        return _indices(node, raw)
    if ours.__class__ is not str:
        return ours
    if wanted not in tensors:
        return _plain(node, wanted, ours, name)
    key, _, number = ours.partition(".")
    place = int(number) if number else None
    kept = entries(node).get(key)
    if raw:
        return SavedTensor._at(node, key, place)
    if kept is None:
        return None
    if place is None and kept.__class__ in _NUMBERS:
        return wrap(np.asarray(kept, of_scalar(kept).numpy))
    return opened_entry(node, key, place)


_NUMBERS = (bool, int, float, complex)


def _ours(node: Any, wanted: str) -> Any:
    """Leafgrad's name of a value that PyTorch shows, or the value itself; None if it is not kept."""
    made, cls = node.op, type(node).__name__
    tensors, others = saved_names().get(cls, ([], []))
    if made is None or wanted not in (*tensors, *others):
        return None
    found = _OURS.get(cls, {}).get(wanted)
    if found is not None and wanted not in made.params:
        return found.removeprefix("=") if found.__class__ is str else found
    name = {"self": made.tensors[0], "result": "out"}.get(wanted, wanted)
    if name == "out" or name in made.tensors or name in made.params or "_sym_" in name:
        return name
    return None


def _plain(node: Any, wanted: str, key: str, name: str) -> Any:
    """A saved value that is no tensor."""
    part, mark, more = wanted.partition("_sym_")
    if mark:
        shape = _shape(node, {"self": node.op.tensors[0]}.get(part, part))
        if more == "sizes":
            return tuple(shape)
        if more == "numel":
            return math.prod(shape)
        if more == "strides":
            steps = itertools.accumulate(reversed(shape[1:]), operator.mul, initial=1)
            return tuple(reversed(list(steps))) if shape else ()
        place = more.removeprefix("argsize_")
        return shape[-int(place[6:]) if place.startswith("minus_") else int(place)]
    saved = entries(node)
    if key not in saved:
        raise AttributeError(f"'{type(node).__name__}' object has no attribute '{name}'")
    found = saved[key]
    if found is None and type(node).__name__ == "SliceBackward0":
        return _DEFAULTS[wanted]
    return found


def _shape(node: Any, argument: str) -> tuple[int, ...]:
    """The shape of a tensor argument."""
    saved = entries(node)
    if f"{argument}_shape" in saved:
        return tuple(saved[f"{argument}_shape"])
    kept = saved.get(argument)
    if isinstance(kept, Tensor):
        return kept._array.shape  # type: ignore[no-any-return]
    place = node.op.tensors.index(argument)
    if node.fix is not None and node.fix[place] is not None:
        return node.fix[place][0]  # type: ignore[no-any-return]
    return node.shape  # type: ignore[no-any-return]


def _indices(node: Any, raw: bool) -> tuple[Any, ...]:
    """The index tensors of x[...], None for the dimensions between them."""
    saved = entries(node)
    dims = saved["dims"]
    if raw:
        return (SavedTensor._at(node, "index"),)
    found = opened_entry(node, "index", None)
    places: list[Any] = [None] * (max(dims) + 1)
    for n, dim in enumerate(dims):
        places[dim] = found if len(dims) == 1 else found[n]
    return tuple(places)


def _node_attribute(node: Any, name: str) -> Any:
    if name.startswith(("_saved_", "_raw_saved_")):
        return saved_attribute(node, name)
    raise AttributeError(f"'{type(node).__name__}' object has no attribute '{name}'")


def _node_dir(node: Any) -> list[str]:
    tensors, others = saved_names().get(type(node).__name__, ([], []))
    known = [n for n in (*tensors, *others) if _ours(node, n) is not None]
    raw = [f"_raw_saved_{n}" for n in known if n in tensors]
    return [*object.__dir__(node), *(f"_saved_{n}" for n in known), *raw]


Node.__getattr__ = _node_attribute  # type: ignore[attr-defined]
Node.__dir__ = _node_dir  # type: ignore[method-assign, assignment]
