"""Function: an operator of the user's own, with a forward and a backward in Python.

`ctx`, the first argument of both, is the graph node itself, as in PyTorch.
"""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from typing import Any

import numpy as np

from ..dtypes import is_differentiable
from ..tensor import COUNT, TICK, Tensor, known_edge, wrap
from . import anomaly
from .cut import Cut, cut_by
from .inplace import CUSTOM, MULTIPLE, ViewEdge, check_leaf, rebase, view_of
from .modes import current, functional, no_grad
from .node import NOWHERE, Freed, Node, Output, clock, edge_of, fail_freed
from .saved import Packed, SavedTensor, bump, check_inference, fail_modified
from .source import fail, here, user_frame, where

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "InplaceFunction",
           "NestedIOFunction", "once_differentiable"]  # fmt: skip


class _Kept:
    """A tensor given to `save_for_backward`. Of an own output only what makes it again is kept:
    holding the tensor, whose edge is this node, would be a reference cycle."""

    __slots__ = ("array", "number", "tensor", "tick", "versions")

    def __init__(self, tensor: Tensor, number: int | None) -> None:
        self.tensor = tensor if number is None else None
        self.number = number
        self.array, self.versions = tensor._array, tensor._versions
        self.tick = tensor._versions[TICK]

    def get(self, node: Any) -> Tensor:
        if self.versions[TICK] > self.tick:
            kept = (self.array, self.versions, self.tick)
            fail_modified(node, "", kept if self.tensor is None else self.tensor,
                          self.number or 0, self.tick)  # fmt: skip
        if self.tensor is not None:
            return self.tensor
        again = wrap(self.array)
        again._versions = self.versions
        again._edge = Output(node, self.number) if node.outputs > 1 else node  # type: ignore[arg-type]
        return again


class FunctionCtx(Node):
    """The context of one call of a Function: what forward leaves for backward."""

    _forward_cls: Any = None
    fills = True
    _materialize_non_diff_grads = True

    def __init__(self) -> None:
        self.next = ()
        self.seq = 0
        self.saved: Any = ()
        self.extra = None
        self.fix: Any = None
        self.out_shape: Any = ()
        self.out_dtype: Any = None
        self.needs_input_grad: tuple[bool, ...] = ()
        self.materialize_grads = True
        self.to_save: tuple[Any, ...] | None = None
        self.dirty_tensors: tuple[Any, ...] | None = None
        self.non_differentiable: tuple[Any, ...] | None = None
        self.saved_for_forward: tuple[Any, ...] | None = None
        self._positions: list[int] = []  # of the tensors among the arguments
        self._plain: frozenset[int] = frozenset()  # the outputs that carry no gradient
        self._cleared = False

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (inputs, outputs or others; None allowed) for backward."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for the forward-mode derivative."""
        for t in tensors:
            assert t is None or isinstance(t, Tensor), (
                "save_for_forward expects all arguments to be tensors; you should save "
                "non-tensors as attributes on ctx."
            )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which inputs forward changed in place; they must be returned."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which outputs carry no gradient."""
        self.non_differentiable = args

    def mark_shared_storage(self, *pairs: Any) -> None:
        """Deprecated: views are known without it."""
        warnings.warn(
            "mark_shared_storage is deprecated. Tensors with shared storages are automatically "
            "tracked. Note that calls to `set_()` are not tracked",
            FutureWarning,
            stacklevel=2,
        )

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (True) or None for outputs without a gradient."""
        self.materialize_grads = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept. RuntimeError once freed, or if it was written to."""
        if self.saved.__class__ is Freed:
            fail_freed(self)
        if self._cleared:
            fail(RuntimeError, "saved_tensors can only be accessed once when "
                 "clear_saved_tensors_on_access=True is set on the autograd.Function. Either "
                 "access saved_tensors only once, or set clear_saved_tensors_on_access=False.")  # fmt: skip
        found = tuple(
            k if k is None else k.tensor(self) if k.__class__ is Packed else k.get(self)
            for k in self.saved
        )
        if self._forward_cls.clear_saved_tensors_on_access and self.saved:
            self.saved, self._cleared = (), True
        return found

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'",
                      DeprecationWarning, stacklevel=2)  # fmt: skip
        return self.saved_tensors

    @property
    def _raw_saved_tensors(self) -> tuple[SavedTensor, ...]:
        if self.saved.__class__ is Freed:
            fail_freed(self)
        return tuple(SavedTensor._at(self, "tensors", n) for n in range(len(self.saved)))

    @staticmethod
    def backward(node: Any, g: Any) -> tuple[Any, ...]:
        return node.differentiate(g, [e is not None for e in node.next], False)

    def differentiate(self, g: Any, needs: Any, recorded: bool) -> tuple[Any, ...]:
        from .engine import hidden, shown

        several = isinstance(self.out_dtype, tuple)
        grads = [shown(x, recorded) for x in (g if several else (g,))]
        if self.materialize_grads:
            shapes = self.out_shape if several else (self.out_shape,)
            kinds = self.out_dtype if several else (self.out_dtype,)
            for i, (x, shape, kind) in enumerate(zip(grads, shapes, kinds, strict=True)):
                if x is None and kind is not None:
                    if self._materialize_non_diff_grads or i not in self._plain:
                        grads[i] = wrap(np.zeros(shape, kind))
        user = self._user_backward()
        found = user(self, grads) if self._forward_cls.boxed_grads_call else user(self, *grads)
        return tuple(hidden(x, recorded) for x in self._checked(found))

    def _user_backward(self) -> Any:
        cls = self._forward_cls
        if cls.vjp is not Function.vjp:
            if cls.backward is not Function.backward:
                raise RuntimeError(
                    "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
                    "You should only implement one of them."
                )
            return cls.vjp
        return cls.backward

    def _checked(self, found: Any) -> tuple[Any, ...]:
        """What the user's backward returned: one gradient per argument of forward."""
        grads = found if isinstance(found, tuple) else (found,)
        count, name = len(self.needs_input_grad), self.name()
        if (len(grads) > count and any(x is not None for x in grads[count:])) or len(grads) < count:
            fail(RuntimeError, f"function {name} returned an incorrect number of gradients "
                               f"(expected {count}, got {len(grads)})",
                 f"it was applied by: {where(self.mark)}",
                 f"to do: return one for each of forward's {count} arguments: a gradient, or None "
                 "where there is none")  # fmt: skip
        kept = []
        for index, x in enumerate(grads[:count]):
            if index not in self._positions and x is not None:
                fail(RuntimeError, f"function {name} returned a gradient different than None at "
                                   f"position {index + 1}, but the corresponding forward input "
                                   "was not a Variable")  # fmt: skip
            if x is not None and not isinstance(x, Tensor):
                fail(RuntimeError, f"expected Variable or None (got {type(x).__name__})")
            if index in self._positions:
                kept.append(x)
        for x, want, edge in zip(kept, self.fix or (), self.next, strict=False):
            if x is None or edge is None:
                continue
            if (x._array.dtype.kind == "c") > (want[1].kind == "c"):
                fail(RuntimeError, "Expected isFloatingType(grad.scalar_type()) || "
                     "(input_is_complex == grad_is_complex) to be true, but got false.  (Could "
                     "this error message be improved?  If so, please report an enhancement "
                     "request to PyTorch.)",
                     f"{name} returned a complex gradient for a real input")  # fmt: skip
        return tuple(kept)

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{type(self).__name__} object at {id(self):#x}>"


class _FunctionBase(FunctionCtx):
    """One of the bases that PyTorch's contexts have."""


class _HookMixin:
    """One of the bases that PyTorch's contexts have."""


class BackwardCFunction(_FunctionBase, FunctionCtx, _HookMixin):
    """The class of all contexts: the nodes of Functions."""


class FunctionMeta(type):
    """Gives every Function subclass its node class, `<Name>Backward`."""

    def __init__(cls, name: str, bases: Any, namespace: Any) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(
            f"{name}Backward", (BackwardCFunction,), {"_forward_cls": cls,
                                                      "__module__": "torch.autograd.function"}
        )  # fmt: skip


class Function(metaclass=FunctionMeta):
    """Subclass it to define an operator: `forward` and `backward`, both static methods.

    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    y = Cube.apply(x)

    clear_saved_tensors_on_access: free what is saved as soon as backward has it
    boxed_grads_call: backward gets the gradients as one list
    generate_vmap_rule: under `vmap`, run forward and backward on batches as they are
    """

    _backward_cls: Any
    clear_saved_tensors_on_access = False
    boxed_grads_call = False
    generate_vmap_rule = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"{cls} should not be instantiated. Methods on autograd functions are all static, so "
            "you should invoke them on the class itself. Instantiating an autograd function will "
            "raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )
        return super().__new__(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute: `forward(ctx, *args)`, or `forward(*args)` where there is a setup_context."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Leave on ctx what backward needs, if forward does not take ctx itself."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """From the gradients of the outputs, one gradient (or None) per argument of forward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """From the tangents of the arguments, the tangents of the outputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """The function on batches: returns the outputs and their batch dimensions."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or "
            "set generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the function, and record it."""
        separate = cls.setup_context is not Function.setup_context
        if separate or kwargs:
            skip = () if separate else (None,)
            bound = inspect.signature(cls.forward).bind(*skip, *args, **kwargs)
            bound.apply_defaults()
            args = bound.args if separate else bound.args[1:]
        if current().transforms is not None or functional.get():
            from . import custom

            return custom.call(cls, args, separate)
        return cls._record(args, separate)

    @classmethod
    def _record(cls, args: tuple[Any, ...], separate: bool, node: Any = None) -> Any:
        """`apply`, below all transforms. node: the context to use, if it is to be looked at."""
        node = cls._backward_cls() if node is None else node
        frame = user_frame(sys._getframe(1))
        node.code, node.offset = frame.f_code, frame.f_lasti
        node.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        node._positions = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        inputs = [args[i] for i in node._positions]
        recording = current().grad and any(node.needs_input_grad)
        if recording:
            edges = [edge_of(t) for t in inputs]
            node.next = tuple(None if e is NOWHERE else e for e in edges)
        node.fix = tuple((t._array.shape, t._array.dtype) for t in inputs)
        node.seq = clock()
        if recording and current().anomaly is not None:
            anomaly.remember(node)
        with no_grad():
            if separate:
                result = cls.forward(*args)
                cls.setup_context(node, args, result)
            else:
                result = cls.forward(node, *args)
        outs = result if isinstance(result, tuple) else (result,)
        done = _outputs(node, inputs, outs, recording, separate)
        return done if isinstance(result, tuple) else done[0]


_RETURNED_AND_SAVED = (
    "An input that has been returned as-is as output is being saved for backward. This is not "
    "supported if you override setup_context. You should return and save a view of the input "
    "instead, e.g. with x.view_as(x) or setup ctx inside the forward function itself."
)


def _outputs(node: Any, inputs: Any, outs: Any, recording: bool, separate: bool) -> tuple[Any, ...]:
    """Turn what forward returned into outputs of `node`, and save what it asked for."""
    first = outs[0] if len(outs) == 1 else None
    if (
        recording
        and isinstance(first, Tensor)
        and node.dirty_tensors is None
        and node.non_differentiable is None
        and is_differentiable(first._array.dtype)
        and not any(first is t for t in inputs)
    ):  # as most Functions are
        node.out_shape, node.out_dtype = first._array.shape, first._array.dtype
        _give_edge(first, node)
        if first._edge.__class__ is ViewEdge:
            first._edge.origin = CUSTOM
        node.saved = _saved(node.to_save or (), {id(first): 0})
        node.to_save = None
        return (first,)
    given, dirty = {id(t) for t in inputs}, {id(t) for t in node.dirty_tensors or ()}
    plain = {id(t) for t in node.non_differentiable or ()}
    returned = {id(o) for o in outs}
    kept = {id(t) for t in node.to_save or ()} if separate else set()
    for t in node.dirty_tensors or ():
        bump(t, here())
    several = len(outs) > 1
    if recording:
        places = [(o._array.shape, o._array.dtype) if isinstance(o, Tensor) else (None, None)
                  for o in outs]  # fmt: skip
        node.out_shape = tuple(s for s, _ in places) if several else places[0][0]
        node.out_dtype = tuple(k for _, k in places) if several else places[0][1]
    done: list[Any] = []
    numbers: dict[int, int] = {}
    carrying = 0
    without = set()
    for number, out in enumerate(outs):
        if not isinstance(out, Tensor):
            done.append(out)
            continue
        is_input, modified = id(out) in given, id(out) in dirty
        carries = recording and id(out) not in plain and is_differentiable(out._array.dtype)
        carrying += carries
        if is_input and not modified and id(out) in kept and (carries or not out.requires_grad):
            fail(RuntimeError, _RETURNED_AND_SAVED)
        t = out
        if not carries:
            without.add(number)
            t = _uncarried(out, is_input, modified)
        elif modified:
            _check_dirty(out, is_input, several)
            out._grad = None
            if several:
                out._edge = Output(node, number)
            else:
                rebase(out, node)
        else:
            if is_input:
                t = _as_itself(out)
            _give_edge(t, Output(node, number) if several else node)
        if not (is_input and modified) and t._edge.__class__ is ViewEdge:
            t._edge.origin = CUSTOM
        numbers[id(out)] = number
        done.append(t)
    if carrying > 1:
        for t in done:
            if isinstance(t, Tensor) and t._edge.__class__ is ViewEdge:
                t._edge.origin = MULTIPLE
    for t in node.dirty_tensors or ():
        if id(t) not in returned:
            fail(RuntimeError, "Some elements marked as dirty during the forward method were not "
                               "returned as output. The inputs that are modified inplace must all "
                               "be outputs of the Function.")  # fmt: skip
    node._plain = frozenset(without)
    if recording:
        own = {k: n for k, n in numbers.items() if n not in without
               and (k not in given or k in dirty)}  # fmt: skip
        node.saved = _saved(node.to_save or (), own)
    node.to_save = node.dirty_tensors = node.non_differentiable = None
    return tuple(done)


def _uncarried(out: Tensor, is_input: bool, modified: bool) -> Tensor:
    """An output that carries no gradient."""
    if not out.requires_grad:
        return _as_itself(out) if is_input and not modified else out
    if is_input:
        return out.detach()
    if out._base is None:
        out._edge = cut_by("detach", out)
    return out  # a view of something that requires grad does so, too: as in `no_grad`


def _as_itself(tensor: Tensor) -> Tensor:
    """A view of all of a tensor."""
    made = wrap(tensor._array)
    with no_grad():
        return view_of(tensor, made, None, current())  # type: ignore[no-any-return]


def _give_edge(tensor: Tensor, edge: Any) -> None:
    """Make a node a tensor's history, whatever it was before."""
    held = tensor._edge
    if held.__class__ is ViewEdge:
        held.node, held.count = edge, tensor._versions[COUNT]
    else:
        if held.__class__ is Cut:
            tensor._cut = held
        tensor._edge = edge


def _check_dirty(tensor: Tensor, is_input: bool, several: bool) -> None:
    edge = known_edge(tensor)
    if edge is tensor or edge is NOWHERE:
        fail(RuntimeError, "a leaf Variable that requires grad has been used in an in-place "
                           "operation.")  # fmt: skip
    if not is_input:
        warnings.warn(
            "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that "
            "have been mutated should be passed to ctx.mark_dirty().",
            stacklevel=4,
        )
    if tensor._base is not None and several:
        fail(
            RuntimeError,
            "If your Function modifies inplace an input that is a view of another Tensor, your "
            "Function cannot return more than one Tensor. This is not supported by the current "
            "autograd engine. You should either make sure the input is not a view (using .clone() "
            "for example) or make your Function only return one Tensor (potentially splitting it "
            "into two Functions: one doing the inplace that returns a single Tensor and a second "
            "one that does the other operations). You can ask on the forum "
            "https://discuss.pytorch.org/ if you need help to do this change.",
        )
    check_leaf(tensor)


def _saved(tensors: tuple[Any, ...], own: dict[int, int]) -> tuple[Any, ...]:
    """What a node keeps of the tensors given to `save_for_backward`; own: its outputs' numbers."""
    hooks = current().hooks
    kept: list[Any] = []
    for index, t in enumerate(tensors):
        if t is None:
            kept.append(None)
            continue
        if not isinstance(t, Tensor):
            raise TypeError("save_for_backward can only save variables, but argument "
                            f"{index} is of type {type(t).__name__}")  # fmt: skip
        check_inference(t)
        number = own.get(id(t))
        kept.append(_Kept(t, number) if hooks is None else Packed(t, hooks, number))
    return tuple(kept)


def once_differentiable(function: Any) -> Any:
    """Decorate a `backward` whose own derivative is not known: differentiating it is an error."""

    @functools.wraps(function)
    def wrapped(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            found = function(ctx, *grads)
        if not current().grad or not any(isinstance(g, Tensor) and g.requires_grad for g in grads):
            return found
        outs = found if isinstance(found, tuple) else (found,)
        outs = tuple(_refusing(o) if isinstance(o, Tensor) else o for o in outs)
        return outs if isinstance(found, tuple) else outs[0]

    return wrapped


class Error(Node):
    """The node of a result that cannot be differentiated again."""

    __slots__ = ()

    def name(self) -> str:
        return "torch::autograd::Error"

    def differentiate(self, g: Any, needs: Any, recorded: bool) -> Any:
        fail(RuntimeError, "trying to differentiate twice a function that was marked with "
                           "@once_differentiable")  # fmt: skip

    @staticmethod
    def backward(node: Any, g: Any) -> Any:
        node.differentiate(g, (), False)


def _refusing(tensor: Tensor) -> Tensor:
    node = Error()
    node.next, node.seq, node.saved, node.extra, node.fix = (), clock(), None, None, None
    node.out_shape, node.out_dtype = tensor._array.shape, tensor._array.dtype
    node.code, node.offset = here()
    t = wrap(tensor._array)
    t._edge = node
    return t


class InplaceFunction(Function):
    """A Function with an `inplace` flag, from the time when they had instances."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class NestedIOFunction(Function):
    """A Function of nested arguments, from the time when they had instances: as those, it cannot
    be called any more. Use `Function`, with tensors as arguments."""
