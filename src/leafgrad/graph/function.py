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
from ..tensor import COUNT, TICK, Tensor, wrap
from . import anomaly
from .cut import Cut
from .inplace import CUSTOM, MULTIPLE, ViewEdge, check_writable, rebase, view_of
from .modes import current, no_grad
from .node import LEAF, Freed, Node, Output, clock, edge_of, fail_freed
from .saved import bump, check_inference, fail_modified
from .source import fail, here, user_frame, where

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


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
            fail_modified(node, "out", kept if self.tensor is None else self.tensor)
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

    def __init__(self) -> None:
        self.next = ()
        self.seq = 0
        self.saved = self.extra = None
        self.fix: Any = None
        self.out_shape: Any = ()
        self.out_dtype: Any = None
        self.needs_input_grad: tuple[bool, ...] = ()
        self.materialize_grads = True
        self._to_save: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._non_differentiable: tuple[Any, ...] = ()
        self.saved_for_forward: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (inputs, outputs or others; None allowed) for backward."""
        for index, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError("save_for_backward can only save variables, but argument "
                                f"{index} is of type {type(t).__name__}")  # fmt: skip
        self._to_save = tensors

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
        self._dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which outputs carry no gradient."""
        self._non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (True) or None for outputs without a gradient."""
        self.materialize_grads = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept. RuntimeError once freed, or if it was written to."""
        if self.saved.__class__ is Freed:
            fail_freed(self)
        return tuple(k if k is None else k.get(self) for k in self.saved or ())

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'",
                      DeprecationWarning, stacklevel=2)  # fmt: skip
        return self.saved_tensors

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
                if x is None:
                    grads[i] = wrap(np.zeros(shape, kind))
        found = self._user_backward()(self, *grads)
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
            if x is not None and not isinstance(x, Tensor):
                fail(RuntimeError, f"expected Variable or None (got {type(x).__name__})")
            if index in self._positions:
                kept.append(x)
            elif x is not None:
                fail(RuntimeError, f"function {name} returned a gradient different than None at "
                                   f"position {index + 1}, but the corresponding forward input "
                                   "was not a Variable")  # fmt: skip
        for x, want in zip(kept, self.fix or (), strict=False):
            if x is not None and want and (x._array.dtype.kind == "c") > (want[1].kind == "c"):
                fail(RuntimeError, "Expected isFloatingType(grad.scalar_type()) || "
                     "(input_is_complex == grad_is_complex) to be true, but got false.  (Could "
                     "this error message be improved?  If so, please report an enhancement "
                     "request to PyTorch.)",
                     f"{name} returned a complex gradient for a real input")  # fmt: skip
        return tuple(kept)


class _FunctionMeta(type):
    """Gives every Function subclass its node class, `<Name>Backward`."""

    def __init__(cls, name: str, bases: Any, namespace: Any) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(
            f"{name}Backward", (FunctionCtx,), {"_forward_cls": cls,
                                                "__module__": "torch.autograd.function"}
        )  # fmt: skip


class Function(metaclass=_FunctionMeta):
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
    """

    _backward_cls: Any
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

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the function, and record it."""
        separate = cls.setup_context is not Function.setup_context
        if separate or kwargs:
            skip = () if separate else (None,)
            bound = inspect.signature(cls.forward).bind(*skip, *args, **kwargs)
            bound.apply_defaults()
            args = bound.args if separate else bound.args[1:]
        node = cls._backward_cls()
        frame = user_frame(sys._getframe(1))
        node.code, node.offset = frame.f_code, frame.f_lasti
        node.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        node._positions = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        inputs = [args[i] for i in node._positions]
        recording = current().grad and any(node.needs_input_grad)
        edges = tuple(edge_of(t) if recording else None for t in inputs)
        places = tuple((t._array.shape, t._array.dtype) for t in inputs)
        before = {id(t): t._versions[COUNT] for t in inputs}
        with no_grad():
            if separate:
                result = cls.forward(*args)
                cls.setup_context(node, args, result)
            else:
                result = cls.forward(node, *args)
        outs = result if isinstance(result, tuple) else (result,)
        node.next = edges if recording else ()
        if recording and current().anomaly is not None:
            anomaly.remember(node)
        node.fix = places
        node.seq = clock()
        done = _outputs(node, inputs, outs, recording, before)
        if not recording:
            node._to_save = ()
        return done if isinstance(result, tuple) else done[0]


def _outputs(node: Any, inputs: Any, outs: Any, recording: bool, before: Any) -> tuple[Any, ...]:
    """Turn what forward returned into outputs of `node`, and save what it asked for."""
    tensors = [o for o in outs if isinstance(o, Tensor)]
    dirty = {id(t) for t in node._dirty}
    _check_dirty(node, inputs, tensors, dirty, recording)
    for t in node._dirty:
        if t._versions[COUNT] == before.get(id(t), -1):
            bump(t, here())
    if not recording:
        return tuple(outs)
    plain = {id(t) for t in node._non_differentiable}
    several = len(tensors) > 1
    shapes = tuple(t._array.shape for t in tensors)
    kinds = tuple(t._array.dtype for t in tensors)
    node.out_shape, node.out_dtype = (shapes, kinds) if several else (
        shapes[0] if shapes else (), kinds[0] if kinds else None)  # fmt: skip
    numbers: dict[int, int] = {}
    given = {id(t) for t in inputs}
    done: list[Any] = []
    made: dict[int, Any] = {}
    number = 0
    for out in outs:
        if not isinstance(out, Tensor):
            done.append(out)
            continue
        numbers[id(out)] = number
        edge: Any = Output(node, number) if several else node
        number += 1
        if id(out) in made:
            done.append(made[id(out)])
            continue
        if id(out) in dirty:
            t = out
            rebase(t, node) if not several else setattr(t, "_edge", edge)
        elif id(out) in plain or not is_differentiable(out._array.dtype):
            t = out if id(out) not in given else out.detach()
        elif id(out) in given or (out._base is not None and id(out._base) in given | set(made)):
            t = wrap(out._array)  # an input as it is, or a view of one: a view with this history
            view_of(out if id(out) in given else out._base, t, node, current())
            t._edge = ViewEdge(edge, t._versions[COUNT], MULTIPLE if several else CUSTOM, None)
        else:
            t = out
            if t._base is None and (t._edge in (None, LEAF) or t._edge.__class__ is Cut):
                t._edge = edge
            else:
                t = wrap(out._array)
                t._versions, t._edge = out._versions, edge
        made[id(out)] = t
        done.append(t)
    kept = []
    for t in node._to_save:
        if t is not None:
            check_inference(t)
        kept.append(None if t is None else _Kept(t, numbers.get(id(t))
                    if id(t) not in given or id(t) in dirty else None))  # fmt: skip
    node.saved = tuple(kept) or None
    node._to_save = node._dirty = node._non_differentiable = ()
    return tuple(done)


def _check_dirty(node: Any, inputs: Any, outs: Any, dirty: set[int], recording: bool) -> None:
    returned = {id(t) for t in outs}
    given = {id(t) for t in inputs}
    for t in node._dirty:
        if id(t) not in given:
            warnings.warn(
                "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that "
                "have been mutated should be passed to ctx.mark_dirty().",
                stacklevel=4,
            )
            continue
        if id(t) not in returned:
            fail(RuntimeError, "Some elements marked as dirty during the forward method were not "
                               "returned as output. The inputs that are modified inplace must all "
                               "be outputs of the Function.")  # fmt: skip
        if recording:
            if edge_of(t) is t:
                fail(RuntimeError, "a leaf Variable that requires grad has been used in an "
                                   "in-place operation.")  # fmt: skip
            if t._base is not None and len(outs) > 1:
                fail(
                    RuntimeError,
                    "If your Function modifies inplace an input that is a view of another Tensor, "
                    "your Function cannot return more than one Tensor. This is not supported by "
                    "the current autograd engine. You should either make sure the input is not a "
                    "view (using .clone() for example) or make your Function only return one "
                    "Tensor (potentially splitting it into two Functions: one doing the inplace "
                    "that returns a single Tensor and a second one that does the other "
                    "operations). You can ask on the forum https://discuss.pytorch.org/ if you "
                    "need help to do this change.",
                )
            check_writable(t, True)


def once_differentiable(function: Any) -> Any:
    """Decorate a `backward` whose own derivative is not known: differentiating it is an error."""

    @functools.wraps(function)
    def wrapped(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            found = function(ctx, *grads)
        if not current().grad or not any(isinstance(g, Tensor) and g.requires_grad for g in grads):
            return found
        outs = found if isinstance(found, tuple) else (found,)
        outs = tuple(_refusing(o, grads) if isinstance(o, Tensor) else o for o in outs)
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


def _refusing(tensor: Tensor, grads: Any) -> Tensor:
    node = Error()
    node.next = tuple(edge_of(g) for g in grads if isinstance(g, Tensor))
    node.seq, node.saved, node.extra, node.fix = clock(), None, None, None
    node.out_shape, node.out_dtype = tensor._array.shape, tensor._array.dtype
    node.code, node.offset = here()
    t = wrap(tensor._array)
    t._edge = node
    return t
