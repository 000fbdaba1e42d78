"""Saved tensors: the check that nobody wrote to them, and the hooks that pack and unpack them."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import numpy as np

from ..dtypes import from_numpy_dtype
from ..tensor import COUNT, MARK, RECENT, TICK, Tensor, wrap
from .modes import ModeContext, current
from .node import Freed, Node, clock, edge_of, fail_freed
from .source import fail, where

__all__ = ["disable_saved_tensors_hooks", "saved_tensors_hooks"]

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


def fail_modified(node: Any, name: str, kept: Any) -> NoReturn:
    """Raise PyTorch's error for a saved tensor that was written to before backward."""
    if isinstance(kept, Tensor):
        array, versions, tick = kept._array, kept._versions, node.seq
        maker, number = kept.grad_fn, kept.output_nr
    else:
        (array, versions, tick), maker, number = kept[:3], node, 0
    origin = ""
    if maker is not None:
        origin = f", which is output {number} of {re.sub(r'Backward[0-9]*$', '', maker.name())},"
    kind = from_numpy_dtype(array.dtype).legacy
    anomaly = current().anomaly is not None
    fail(
        RuntimeError,
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{kind}Tensor {list(array.shape)}]{origin} is at version "
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


class SavedTensor:
    """What a node saved while hooks were set: each tensor as the pack hook returned it."""

    __slots__ = ("packed_values", "unpack")

    def __init__(self, packed_values: dict[str, Any], unpack: Any) -> None:
        self.packed_values, self.unpack = packed_values, unpack

    @staticmethod
    def packed(node: Any, saved: dict[str, Any], mode: Any) -> Any:
        """`saved` after the pack hook, or as it is when no hooks are set."""
        if mode.hooks is None:
            return saved
        pack, unpack = mode.hooks
        values: dict[str, Any] = {}
        for name, value in saved.items():
            if isinstance(value, Tensor):
                values[name] = _Packed(_pack(pack, value), edge_of(value))
            elif name == "out" and not isinstance(value[0], tuple):
                alone = wrap(value[0])
                alone._versions = value[1]
                values[name] = _Packed(_pack(pack, alone), node.seq)
            else:
                values[name] = value
        return SavedTensor(values, unpack)

    def unpacked(self, node: Any, recorded: bool) -> dict[str, Any]:
        """The values again, through the unpack hook."""
        values: dict[str, Any] = {}
        for name, value in self.packed_values.items():
            if isinstance(value, _Packed):
                found = self.unpack(value.value)
                if not isinstance(found, Tensor):
                    fail(TypeError, "Output of saved tensor unpack_hook expected to be a Tensor "
                                    f"but got result of type {type(found).__name__}")  # fmt: skip
                if recorded:
                    alone = wrap(found._array)
                    alone._edge = node if name == "out" else value.edge
                    values[name] = alone
                else:
                    values[name] = found._array
            elif isinstance(value, tuple) and value and isinstance(value[0], Tensor):
                values[name] = tuple(v if recorded else v._array for v in value)
            else:
                values[name] = value
        return values


class _Packed:
    __slots__ = ("edge", "value")

    def __init__(self, value: Any, edge: Any) -> None:
        self.value, self.edge = value, edge


def _pack(pack: Any, tensor: Tensor) -> Any:
    alone = tensor.detach()
    version = alone._versions[COUNT]
    from .modes import no_grad

    with no_grad():
        packed = pack(tensor)
    if alone._versions[COUNT] != version:
        fail(
            RuntimeError,
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input "
            "to pack hook cannot be modified by in-place operations as this can lead to unexpected "
            "side-effects. Please open an issue if you need to perform in-place operations on the "
            "input to a pack hook.",
        )
    return packed


class saved_tensors_hooks(ModeContext):
    """Inside, every tensor saved for backward goes through `pack_hook(tensor)`, and comes back
    through `unpack_hook(packed)`, which must return a tensor of the same content."""

    def __init__(self, pack_hook: Any, unpack_hook: Any) -> None:
        super().__init__()
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                fail(TypeError, "_push_saved_tensors_default_hooks(): incompatible function "
                                "arguments.", f"a hook must be callable, not {hook!r}")  # fmt: skip
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def changes(self) -> dict[str, Any]:
        return {"hooks": (self.pack_hook, self.unpack_hook)}

    def clone(self) -> Any:
        return saved_tensors_hooks(self.pack_hook, self.unpack_hook)

    def __enter__(self) -> Any:
        refused = current().hooks_off
        if refused is not None:
            raise RuntimeError(refused)
        return super().__enter__()


class disable_saved_tensors_hooks(ModeContext):
    """Inside, setting saved-tensor hooks raises RuntimeError with this message."""

    def __init__(self, error_message: str) -> None:
        super().__init__()
        self.error_message = error_message

    def changes(self) -> dict[str, Any]:
        return {"hooks_off": self.error_message}

    def clone(self) -> Any:
        return disable_saved_tensors_hooks(self.error_message)


def saved_attribute(node: Node, name: str) -> Any:
    """`grad_fn._saved_self` and the like: PyTorch's names over the rule's own."""
    wanted = name.removeprefix("_raw").removeprefix("_saved_")
    op = node.op
    if op is None:
        raise AttributeError(f"'{type(node).__name__}' object has no attribute '{name}'")
    if node.saved.__class__ is Freed:
        fail_freed(node)
    from .operator import _values

    values = _values(node, True) if node.saved is not None else {}
    names = {"self": op.tensors[0], "result": "out"}
    ours = names.get(wanted, wanted)
    if wanted.endswith("_sym_sizes"):
        ours = names.get(wanted.removesuffix("_sym_sizes"), wanted) + "_shape"
    if ours in values:
        found = values[ours]
        return wrap(np.asarray(found)) if isinstance(found, np.generic) else found
    if ours in op.tensors:
        return None
    raise AttributeError(f"'{type(node).__name__}' object has no attribute '{name}'")


def _node_attribute(node: Node, name: str) -> Any:
    if name.startswith(("_saved_", "_raw_saved_")):
        return saved_attribute(node, name)
    raise AttributeError(f"'{type(node).__name__}' object has no attribute '{name}'")


Node.__getattr__ = _node_attribute  # type: ignore[attr-defined]
