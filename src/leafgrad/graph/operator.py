"""The table of operators, and the way of a call: compute, and record if a gradient is wanted.

    @op
    def mul(input, other):
        return np.multiply(input, other)

    mul.vjp(
        input=lambda g, other: g * other,
        other=lambda g, input: g * input,
    )

The forward and the rules are NumPy functions and operators on whatever values they are given:
arrays in an eager pass, tensors under `create_graph`, other kinds of array under `compile` and
`func`. A rule maps the gradient `g` of the output to that of the argument it is named for. What
else it names is what gets saved: tensor arguments, parameters, `out`, or `<argument>_shape` for an
argument's shape alone. The engine sums over broadcast axes and casts; a rule never does.

Rules are plain transposes: no conjugates. PyTorch's convention for complex gradients follows by
conjugating where gradients enter the engine and where they leave it.

Tensor arguments come first; after a `/` come parameters, which rules may name too. Calls have three
ways of one meaning: `_unary` and `_binary`, the fast ways of elementwise operators on float32 and
float64, and `_general`, for everything.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import (
    F32,
    F64,
    dtype,
    from_numpy_dtype,
    get_default_dtype,
    is_differentiable,
    of_scalar,
    promote_types,
)
from ..duck import Opaque, computed, refused
from ..parallel import SPLIT, spread
from ..tensor import TENSORS, TICK, Tensor, as_array, wrap
from . import anomaly
from .cut import lost
from .inplace import APART, check_expanded, check_overlap, store, view_of
from .modes import OFF, ON, current, switch
from .node import (
    NOWHERE,
    TENSOR,
    Fixed,
    Freed,
    Node,
    Output,
    clock,
    fail_freed,
    has_edge,
    shape_dtype,
)
from .quiet import enter, leave
from .saved import Packs, bump, check_inference, fail_modified
from .source import INTERNAL, fail, failure, here, user_frame

_frame = sys._getframe
_new = object.__new__
_ndarray = np.ndarray

OPS: dict[str, Op] = {}

NUMBERS = (bool, int, float, complex)


def argument_names(function: Any) -> tuple[tuple[str, ...], int, bool]:
    """A function's argument names; how many are tensors; whether the first is a sequence of them.

    Tensors are those before a `/`, or all where there is none. Read off the code object: at
    import, `inspect.signature` would take as long as all the rest.
    """
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    if code.co_flags & inspect.CO_VARARGS:
        return (code.co_varnames[count], *names), 1, True
    return names, code.co_posonlyargcount or count, False


# Operators whose results lie in memory in the order of their indices. PyTorch's views depend on it.
_DENSE = frozenset([
    "all", "amax", "amin", "any", "bernoulli", "cat", "cummax_values", "cummin_values",
    "cumprod", "cumsum", "index_add", "index_copy", "kthvalue", "linalg_vector_norm",
    "log_softmax", "logcumsumexp", "logsumexp", "masked_fill", "masked_fill_tensor", "max_dim",
    "mean", "median_dim", "min_dim", "mode", "nanmean", "nansum", "native_layer_norm", "norm",
    "pow_base", "prod", "renorm", "roll", "scatter", "scatter_add", "scatter_reduce", "softmax",
    "stack", "std", "sum", "tril", "triu", "var",
])  # fmt: skip

JOINT = "*"  # stands for all arguments in an operator's table of rules


class Rule:
    """The derivative for one argument: a function, and the names of what it needs besides `g`."""

    __slots__ = ("function", "names")

    def __init__(self, function: Callable[..., Any], known: set[str], op: str) -> None:
        names = argument_names(function)[0]
        if not names or names[0] not in "gt":
            raise TypeError(f"{op}: a rule's first argument is g, the gradient of the output (t, "
                            "the tangent of the argument, in a forward rule)")  # fmt: skip
        unknown = [n for n in names[1:] if n not in known]
        if unknown:
            raise TypeError(f"{op}: a rule names {unknown}, which the operator has not")
        self.function, self.names = function, names[1:]


class Op:
    """One operator: name, forward, rules, and how its arguments and results behave.

    tensors, params: names of the tensor arguments and of the parameters; variadic: the one tensor
    argument is a sequence; promote: None (dtypes as they are), "same" (to the common dtype) or
    "float" (the same, integers to the default float); view: the result shares the first argument's
    memory; differentiable: which outputs carry gradients, where there are several; linear: in all
    tensor arguments together; elementwise: each element of the result depends on those at its place
    """

    def __init__(self, forward: Callable[..., Any], name: str, node: str, promote: str | None,
                 view: bool, differentiable: tuple[int, ...] | None, linear: bool,
                 elementwise: bool) -> None:  # fmt: skip
        self.forward, self.name, self.promote, self.view = forward, name, promote, view
        self.differentiable = differentiable
        names, leading, self.variadic = argument_names(forward)
        self.tensors, self.params = names[:leading], names[leading:]
        self.rules: dict[str, Rule] = {}
        self.check: Callable[..., None] | None = None  # raises for dtypes that PyTorch refuses
        self.jvp: dict[str, Rule] = {}  # forward rules, of the few operators that need any
        self.linear = linear
        self.elementwise = promote is not None and elementwise and not (self.variadic or view)
        self.node: type[Node] = type(
            node, (Node,), {"__slots__": (), "op": self, "differentiate": _differentiate,
                            "backward": staticmethod(_backward), "__module__": "torch.autograd"}
        )  # fmt: skip
        # Whether results lie in memory in order, whatever the operands' order; others keep that.
        self.dense = name in _DENSE
        self._plans: dict[int, list[tuple[str, str, int]]] = {}
        # What PyTorch saves though no rule here needs it: whether it was written to is checked.
        self.keeps: tuple[str, ...] = ()
        # Per tensor argument, whether a gradient can flow to it.
        self.ruled: Any = itertools.repeat(True) if self.variadic else [False] * len(self.tensors)

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.forward)

    def always(self) -> list[str]:
        """What is saved whichever arguments want gradients: as in PyTorch, the result if any rule
        wants it, and a tensor that the rules of two arguments want."""
        wanted = [n for t, rule in self.rules.items() if t != JOINT for n in set(rule.names)]
        return [n for n in dict.fromkeys([*wanted, *self.keeps])
                if n == "out" or n in self.keeps or (n in self.tensors and wanted.count(n) > 1)]  # fmt: skip

    def plan(self, need: int) -> list[tuple[str, str, int]]:
        """What to save when the arguments of the bits in `need` want gradients."""
        found = self._plans.get(need)
        if found is not None:
            return found
        names: dict[str, None] = {}
        if JOINT in self.rules:
            names.update(dict.fromkeys(self.rules[JOINT].names))
        for index, tensor in enumerate(self.tensors):
            if need >> index & 1 and tensor in self.rules:
                names.update(dict.fromkeys(self.rules[tensor].names))
        names.update(dict.fromkeys(self.always()))
        plan = []
        for name in names:
            if name == "out":
                plan.append((name, "out", 0))
            elif name in self.tensors:
                plan.append((name, "tensor", self.tensors.index(name)))
            elif name in self.params:
                plan.append((name, "param", self.params.index(name)))
            else:
                plan.append((name, "shape", self.tensors.index(name.removesuffix("_shape"))))
        self._plans[need] = plan
        return plan


class Numbers(dict[str, Any]):
    """Saved values among which is no tensor: nothing to free."""


# What holds saved tensors, and so is freed by a backward pass. A Numbers holds none.
FREEABLE = {tuple, dict, Packs}


def op(forward: Callable[..., Any] | None = None, *, name: str | None = None,
       node: str | None = None, promote: str | None = None, view: bool = False,
       differentiable: tuple[int, ...] | None = None, linear: bool = False,
       elementwise: bool = True, check: Callable[..., None] | None = None) -> Any:  # fmt: skip
    """Make an operator of a NumPy function. `node` is PyTorch's name of its graph node.

    elementwise: whether an operator that promotes is one (as nearly all are); linear: whether it
    is linear in its tensors taken together, so that it maps their tangents as it maps them

    check: called with the operands as given (arrays and numbers) before they are promoted, except
    on the fast ways: it raises for dtypes that the operator does not take
    """

    def make(forward: Callable[..., Any]) -> Any:
        called = name or forward.__name__.rstrip("_")
        camel = "".join(part.capitalize() for part in called.split("_"))
        made = Op(forward, called, node or f"{camel}Backward0", promote, view, differentiable,
                  linear, elementwise)  # fmt: skip
        made.check = check
        call = _call_for(made, dunder=False)
        call.__name__ = call.__qualname__ = called
        call.__doc__ = forward.__doc__
        call.__module__ = forward.__module__
        call.__wrapped__ = forward  # what `help` shows
        call.op = made

        def vjp(_joint: Callable[..., Any] | None = None, **rules: Callable[..., Any]) -> Any:
            known = {"out", *made.tensors, *made.params, *(f"{t}_shape" for t in made.tensors)}
            if _joint is not None:
                made.rules[JOINT] = Rule(_joint, known, called)
                if not made.variadic:
                    made.ruled[:] = [True] * len(made.tensors)
            for argument, function in rules.items():
                if argument not in made.tensors:
                    raise TypeError(f"{called}: no tensor argument {argument!r}")
                made.rules[argument] = Rule(function, known, called)
                if not made.variadic:
                    made.ruled[made.tensors.index(argument)] = True
            if getattr(call, "prepare", None) is not None:
                call.prepare()
            return call

        def jvp(**rules: Callable[..., Any]) -> Any:
            known = {"out", *made.tensors, *made.params}
            made.jvp = {name: Rule(rule, known, called) for name, rule in rules.items()}
            if not set(rules) <= set(made.tensors):
                raise TypeError(f"{called}: a forward rule for an argument that it has not")
            return call

        call.vjp, call.jvp = vjp, jvp
        OPS[called if called not in OPS else forward.__name__] = made
        return call

    return make if forward is None else make(forward)


def dunder(call: Any) -> Any:
    """The operator as Python's own `__add__` and so on: NotImplemented for foreign operands."""
    made = _call_for(call.op, dunder=True)
    made.__name__ = made.__qualname__ = call.__name__
    made.__doc__ = call.__doc__
    if getattr(made, "prepare", None) is not None:
        made.prepare()
    return made


def _call_for(made: Op, dunder: bool) -> Any:
    fast = made.promote is not None and not made.params and not made.variadic and not made.view
    if fast and len(made.tensors) == 1:
        return _unary(made)
    if fast and len(made.tensors) == 2:
        return _binary(made, dunder)
    return _general(made) if made.variadic or made.view else _usual(made)


# The fast ways

_numbers: dict[Any, dict[Any, Any]] = {F32: {}, F64: {}}


def number_array(value: Any, kind: Any) -> Any:
    """A Python number as a 0-dim array. NumPy needs 0.2 µs to convert one; programs use few, so
    they are kept."""
    known = _numbers[kind]
    found = known.get(value)
    if found is None or not value:  # 0.0 and -0.0 are the same key
        found = np.array(value, kind)
        if len(known) > 1000:
            known.clear()
        known[value] = found
    return found


def _unary(made: Op) -> Any:
    forward, cls = getattr(made.forward, "noisy", made.forward), made.node
    guarded = forward is not made.forward
    costly = made.promote == "float"  # sin, exp and their like: worth several cores
    general = _general(made)
    keeps_input = keeps_out = False
    differentiable = False

    def call(input: Any, *, out: Any = None) -> Any:
        a = input
        mode = current()
        if (
            (a.__class__ is not Tensor and a.__class__ not in TENSORS)
            or (mode is not ON and mode is not OFF)
            or out is not None
        ):
            return general(a, out=out)
        x = a._array
        kind = x.dtype
        if kind is not F32 and kind is not F64:
            return general(a)
        try:
            if costly and x.size >= SPLIT:
                r = spread(made.forward, x)
            elif guarded:  # `quietly`, without its call
                token = enter()
                try:
                    r = forward(x)
                finally:
                    leave(token)
            else:
                r = forward(x)
        except Opaque:
            return general(a)
        except Exception as error:
            raise explained(made, (a,), error) from None
        if r.__class__ is not _ndarray:
            r = as_array(r)
        t = _new(Tensor)
        t._array = r
        t._base = None
        t._versions = versions = [0, 0, None, None]
        edge = a._edge
        if edge is not None and mode is ON and differentiable:
            if not edge.plain:
                edge = edge.resolve(a)
                if edge is None:
                    t._edge = lost((a,), mode)
                    return t
            t._edge = node = cls()
            node.next = (edge,)
            node.seq = seq = clock()
            node.out_shape = r.shape
            node.out_dtype = kind
            node.fix = node.extra = None
            if keeps_input:
                if a._inference:
                    check_inference(a)
                node.saved = (a, (r, versions, seq) if keeps_out else None)
            else:
                node.saved = (None, (r, versions, seq)) if keeps_out else None
            frame = _frame(1)
            code = frame.f_code
            if INTERNAL[code.co_filename]:
                frame = user_frame(frame)
                code = frame.f_code
            node.code = code
            node.offset = frame.f_lasti
        else:
            t._edge = None if edge is None else lost((a,), mode)
        return t

    def prepare() -> None:
        nonlocal keeps_input, keeps_out, differentiable
        rule = made.rules.get(made.tensors[0])
        if rule is None:
            return
        differentiable = True
        keeps_input = made.tensors[0] in rule.names
        keeps_out = "out" in rule.names
        if set(rule.names) <= {made.tensors[0], "out"}:
            cls.backward = staticmethod(_unary_backward(rule, made.tensors[0], costly))

    call.prepare = prepare  # type: ignore[attr-defined]
    return call


def _unary_backward(rule: Rule, name: str, costly: bool) -> Any:
    function, names = rule.function, rule.names

    if not names:

        def backward(node: Any, g: Any) -> Any:
            return (function(g),)

    elif names == ("out",):

        def backward(node: Any, g: Any) -> Any:
            saved = node.saved
            if saved.__class__ is not tuple:
                return _backward(node, g)
            out, versions, tick = saved[1]
            if versions[TICK] > tick:
                fail_modified(node, "out", saved[1])
            return (function(g, out),)

    elif names == (name,):

        def backward(node: Any, g: Any) -> Any:
            saved = node.saved
            if saved.__class__ is not tuple:
                return _backward(node, g)
            a = saved[0]
            if a._versions[TICK] > node.seq:
                fail_modified(node, name, a)
            if costly and a._array.size >= SPLIT:
                return (spread(function, np.ascontiguousarray(g), a._array),)
            return (function(g, a._array),)

    else:
        backward = _backward
    return backward


def _binary(made: Op, dunder: bool) -> Any:
    forward, cls = getattr(made.forward, "noisy", made.forward), made.node
    guarded = forward is not made.forward
    general = _general(made, dunder)
    first, second = made.tensors
    # What to keep of (first, second, out), by which of the two wants a gradient: bits 1 and 2.
    keeps: list[tuple[bool, bool, bool]] = [(False, False, False)] * 4
    differentiable = False

    def call(input: Any, other: Any, *, out: Any = None) -> Any:
        a, b = input, other
        mode = current()
        if (
            (a.__class__ is not Tensor and a.__class__ not in TENSORS)
            or (mode is not ON and mode is not OFF)
            or out is not None
        ):
            return general(a, b, out=out)
        x = a._array
        kind = x.dtype
        if kind is not F32 and kind is not F64:
            return general(a, b)
        sort = b.__class__
        if sort is Tensor or sort in TENSORS:
            y = b._array
            eb = b._edge
            other_kind = y.dtype
            if other_kind is not kind:  # one float32, one float64: dimensions win over none
                if other_kind is not F32 and other_kind is not F64:
                    return general(a, b)
                if not y.ndim and x.ndim:
                    y = y.astype(kind)
                elif not x.ndim and y.ndim:
                    kind = other_kind
                    x = x.astype(kind)
                else:
                    kind = F64
        elif sort is float or sort is int:
            y = number_array(b, kind)
            eb = None
        else:
            return general(a, b)
        try:
            if guarded:  # `quietly`, without its call
                token = enter()
                try:
                    r = forward(x, y)
                finally:
                    leave(token)
            else:
                r = forward(x, y)
        except Opaque:
            return general(a, b)
        except Exception as error:
            raise explained(made, (a, b), error) from None
        if r.__class__ is not _ndarray:
            r = as_array(r)
        t = _new(Tensor)
        t._array = r
        t._base = None
        t._versions = versions = [0, 0, None, None]
        ea = a._edge
        if ea is None and eb is None:
            t._edge = None
            return t
        if mode is OFF or not differentiable:
            t._edge = lost((a, b), mode)
            return t
        if ea is not None and not ea.plain:
            ea = ea.resolve(a)
            if ea is NOWHERE:
                return general(a, b)
        if eb is not None and not eb.plain:
            eb = eb.resolve(b)
            if eb is NOWHERE:
                return general(a, b)
        need = (ea is not None) + 2 * (eb is not None)
        if not need:
            t._edge = lost((a, b), mode)
            return t
        t._edge = node = cls()
        node.next = (ea, eb)
        node.seq = seq = clock()
        node.out_shape = shape = r.shape
        node.out_dtype = kind
        node.extra = None
        keep_a, keep_b, keep_out = keeps[need]
        if sort is float or sort is int:
            node.fix = None
            if keep_a or keep_out:
                node.saved = (a if keep_a else None, b, (r, versions, seq) if keep_out else None)
            else:
                node.saved = (None, b, None) if keep_b else None
        else:
            if x.shape == shape and y.shape == shape and a._array.dtype is b._array.dtype:
                node.fix = None
            else:
                node.fix = ((x.shape, a._array.dtype), (y.shape, b._array.dtype))
            if keep_a or keep_b or keep_out:
                if (keep_b and b._inference) or (keep_a and a._inference):
                    return general(a, b)  # which looks more closely
                node.saved = (a if keep_a else None, b if keep_b else None,
                              (r, versions, seq) if keep_out else None)  # fmt: skip
            else:
                node.saved = None
        frame = _frame(1)
        code = frame.f_code
        if INTERNAL[code.co_filename]:
            frame = user_frame(frame)
            code = frame.f_code
        node.code = code
        node.offset = frame.f_lasti
        return t

    def prepare() -> None:
        nonlocal differentiable
        if not made.rules or JOINT in made.rules:
            return
        differentiable = True
        for need in range(4):
            names: set[str] = set(made.always())
            for bit, argument in ((1, first), (2, second)):
                if need & bit and argument in made.rules:
                    names.update(made.rules[argument].names)
            keeps[need] = (first in names, second in names, "out" in names)
        cls.backward = staticmethod(_binary_backward(made, first, second))

    call.prepare = prepare  # type: ignore[attr-defined]
    return call


_NO_RULE = Rule(lambda g: None, set(), "an operator")


def _binary_backward(made: Op, first: str, second: str) -> Any:
    rule_a, rule_b = made.rules.get(first, _NO_RULE), made.rules.get(second, _NO_RULE)
    fa, fb = rule_a.function, rule_b.function
    first_shape, second_shape = f"{first}_shape", f"{second}_shape"

    if rule_a.names == rule_b.names == ():

        def backward(node: Any, g: Any) -> Any:
            ea, eb = node.next
            return None if ea is None else fa(g), None if eb is None else fb(g)

        return backward

    wants_a, wants_b = rule_a.names, rule_b.names
    # As in a product.
    crossed = wants_a == (second, first_shape) and wants_b == (first, second_shape)

    def backward(node: Any, g: Any) -> Any:
        saved = node.saved
        if saved.__class__ is not tuple:
            return _backward(node, g)
        a, b, out = saved
        if a.__class__ in TENSORS:
            if a._versions[TICK] > node.seq:
                fail_modified(node, first, a)
            a = a._array
        if b.__class__ is float or b.__class__ is int:
            b = number_array(b, node.out_dtype)
        elif b.__class__ in TENSORS:
            if b._versions[TICK] > node.seq:
                fail_modified(node, second, b)
            b = b._array
        ea, eb = node.next
        fix = node.fix
        if fix is None:
            shape_a = shape_b = node.out_shape
        else:
            shape_a, shape_b = fix[0][0], fix[1][0]
        if crossed:
            return (None if ea is None else fa(g, b, shape_a),
                    None if eb is None else fb(g, a, shape_b))  # fmt: skip
        if out is not None:
            if out[1][TICK] > out[2]:
                fail_modified(node, "out", out)
            out = out[0]
        values = {first: a, second: b, "out": out, first_shape: shape_a, second_shape: shape_b}
        return (
            None if ea is None else fa(g, *[values[n] for n in wants_a]),
            None if eb is None else fb(g, *[values[n] for n in wants_b]),
        )

    return backward


# The usual way: any tensors and parameters, one result


def _usual(made: Op) -> Any:
    """What `apply` does where nothing is out of the ordinary: tensors of one float dtype (or, of an
    operator that takes dtypes as they are, of any), one result, no modes."""
    forward, cls, check = made.forward, made.node, made.check
    noisy = getattr(forward, "noisy", None)  # for float32 and float64
    general = _general(made)
    count, arity = len(made.tensors), len(made.tensors) + len(made.params)
    promotes, ruled = made.promote is not None, made.ruled
    differentiable = several = False
    dense = made.dense
    plans: dict[int, Any] = {}

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        nonlocal several
        mode = current()
        if (
            len(args) != arity or kwargs or out is not None or several
            or (mode is not ON and mode is not OFF)
        ):  # fmt: skip
            return general(*args, out=out, **kwargs)
        recording = mode is ON and differentiable
        tensors = args if arity == count else args[:count]
        arrays: list[Any] = []
        edges: list[Any] = []
        fix: Any = []
        need, bit, kind, marked = 0, 1, None, False
        for value, able in zip(tensors, ruled):  # noqa: B905 - a checked `zip` is slower
            if value.__class__ in TENSORS:
                x = value._array
                if promotes:
                    if kind is None:
                        kind = x.dtype
                        if kind is not F32 and kind is not F64:
                            return general(*args)
                    elif x.dtype is not kind:
                        return general(*args)
                arrays.append(x)
                edge = value._edge
                if edge is not None:
                    marked = True
                    if not able or not recording:
                        edge = None
                    elif not edge.plain:
                        edge = edge.resolve(value)
                        if edge is NOWHERE:
                            return general(*args)
                if edge is not None:
                    need |= bit
                    fix.append((x.shape, x.dtype))
                else:
                    fix.append(None)
                edges.append(edge)
            elif value is None:
                arrays.append(None)
                edges.append(None)
                fix.append(None)
            else:
                return general(*args)
            bit += bit
        if check is not None:
            check(*arrays)
        try:
            if noisy is not None and ((k := arrays[0].dtype) is F32 or k is F64):
                token = enter()  # `quietly`, without its call
                try:
                    r = noisy(*arrays, *args[count:])
                finally:
                    leave(token)
            else:
                r = forward(*arrays, *args[count:])
        except Opaque:
            return general(*args)
        except Exception as error:
            raise explained(made, tensors, error) from None
        if r.__class__ is not _ndarray:
            if r.__class__ is tuple:
                several = True  # once and for all: the general way has such operators
                return general(*args)
            r = _as_result(r, dense)
        elif dense and r.ndim > 1 and not r.flags.c_contiguous:
            r = np.ascontiguousarray(r)
        t = _new(Tensor)
        t._array = r
        t._base = t._edge = None
        t._versions = versions = [0, 0, None, None]
        dtype = r.dtype
        if not need or (dtype is not F32 and dtype is not F64 and not is_differentiable(dtype)):
            if marked:
                t._edge = lost(tensors, mode, "dtype" if need else "rule")
            return t
        t._edge = node = cls()
        node.next = tuple(edges)
        node.seq = seq = clock()
        node.out_shape = r.shape
        node.out_dtype = dtype
        node.fix = fix
        node.extra = None
        plan = plans.get(need)
        if plan is None:
            plans[need] = plan = made.plan(need)
        node.saved = None
        if plan:
            saved: dict[str, Any] = {}
            freeable = False
            for name, what, index in plan:
                if what == "param":
                    saved[name] = args[count + index]
                elif what == "tensor":
                    saved[name] = value = args[index]
                    if value is not None:
                        freeable = True
                        if value._inference:
                            check_inference(value)
                elif what == "out":
                    saved[name] = (r, versions, seq)
                    freeable = True
                else:
                    saved[name] = arrays[index].shape
            node.saved = saved if freeable else Numbers(saved)
        frame = _frame(1)
        code = frame.f_code
        if INTERNAL[code.co_filename]:
            frame = user_frame(frame)
            code = frame.f_code
        node.code = code
        node.offset = frame.f_lasti
        return t

    def prepare() -> None:
        nonlocal differentiable
        differentiable = bool(made.rules)

    call.prepare = prepare  # type: ignore[attr-defined]
    return call


# The general way


def _general(made: Op, dunder: bool = False) -> Any:
    count, arity = len(made.tensors), len(made.tensors) + len(made.params)
    variadic = made.variadic

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if out is not None:
            return write_out(made.name, out, call, args, kwargs)
        if variadic:
            tensors, params = args, tuple(kwargs[name] for name in made.params)
        else:
            if kwargs or len(args) != arity:
                bound = made.signature.bind(*args, **kwargs)
                bound.apply_defaults()
                args = tuple(bound.arguments.values())
            tensors, params = args[:count], args[count:]
        for value in tensors:
            if value.__class__ not in TENSORS and (value is not None or dunder):
                if not any(isinstance(t, Tensor) for t in tensors):
                    numbers = [t for t in tensors if t.__class__ in NUMBERS]
                    if len(tensors) == len(numbers) == 2:  # torch.mul(2, 3) is a tensor
                        first = wrap(np.asarray(tensors[0], of_scalar(tensors[0]).numpy))
                        return apply(made, (first, tensors[1]), params, None)
                    # A function on arrays: rules call operators so.
                    if variadic:
                        named = dict(zip(made.params, params, strict=True))
                        return computed(made.forward, *tensors, **named)
                    return computed(made.forward, *tensors, *params)
                tensors = lifted(made, tensors, dunder)
                if tensors is NotImplemented:
                    return NotImplemented
                break
        return apply(made, tensors, params, None)

    return call


def lifted(made: Op, values: tuple[Any, ...], dunder: bool = False) -> Any:
    """Arguments among which are tensors: numbers stay, arrays become tensors."""
    found = []
    for value in values:
        kind = value.__class__
        if kind in NUMBERS or isinstance(value, Tensor) or (value is None and not dunder):
            found.append(value)
        elif isinstance(value, np.generic):
            found.append(value.item() if value.dtype.kind != "V" else wrap(np.asarray(value)))
        elif hasattr(kind, "__array_ufunc__"):
            found.append(wrap(value))
        elif dunder:
            return NotImplemented
        elif isinstance(value, NUMBERS):
            found.append(value)
        else:
            position = len(found)
            fail(
                TypeError,
                f"{made.name}(): argument '{(made.tensors * (position + 1))[position]}' "
                f"(position {position + 1}) must be Tensor, not {kind.__name__}",
            )
    return tuple(found)


# Operators whose `out=` must have the dtype of the result, and PyTorch's sentence if it has not.
EXACT_OUT: dict[str, str] = {}


def write_out(name: str, out: Any, call: Any, args: Any, kwargs: Any) -> Any:
    """A call with `out=`: the result is written there, and nothing is recorded."""
    outs = out if isinstance(out, (tuple, list)) else (out,)
    given = [*args, *kwargs.values(), *outs]
    if current().grad and any(isinstance(t, Tensor) and t.requires_grad for t in given):
        fail(RuntimeError, f"{name}(): functions with out=... arguments don't support automatic "
                           "differentiation, but one of the arguments requires grad.")  # fmt: skip
    for target in outs:
        if isinstance(target, Tensor) and target._array.__class__ is _ndarray:
            if name in APART:  # the others look after an output of another shape was made anew
                check_expanded(target._array, name)
            for value in args[0] if args and args[0].__class__ in (tuple, list) else args:
                if isinstance(value, Tensor) and value._array.__class__ is _ndarray:
                    check_overlap(target._array, value._array, name)
    results = call(*args, **kwargs)
    for target, result in zip(outs, results if isinstance(results, tuple) else (results,),
                              strict=True):  # fmt: skip
        if name in EXACT_OUT and target._array.dtype != result._array.dtype:
            have, want = target.dtype.legacy, result.dtype.legacy
            fail(RuntimeError, EXACT_OUT[name].format(have=have, want=want))
        if target._array.shape != result._array.shape:
            target._array = np.empty(result._array.shape, target._array.dtype)
        elif target._array.__class__ is _ndarray:
            check_expanded(target._array, name)
        store(target, result._array)
        bump(target, here())
    return out


def apply(made: Op, tensors: tuple[Any, ...], params: tuple[Any, ...], into: Any) -> Any:
    """Compute an operator and record it. With `into`, write the result there (`graph/inplace`)."""
    mode = current()
    if mode.transforms is not None:
        return transformed(mode, made, tensors, params, into)
    recording = mode.grad and made.rules
    arrays: list[Any] = []
    edges: list[Any] = []
    need = hollow = 0
    marked = False
    for t, ruled in zip(tensors, made.ruled):  # noqa: B905 - a variadic operator's `ruled` is endless
        if t.__class__ in TENSORS or isinstance(t, Tensor):
            arrays.append(t._array)
            edge = t._edge
            if edge is not None:
                marked = True
                if not ruled or not recording:
                    edge = None
                elif not edge.plain:
                    edge = edge.resolve(t)
                if edge is not None:
                    need |= 1 << len(edges)
                    if edge is NOWHERE:
                        hollow |= 1 << len(edges)
                        edge = None
            edges.append(edge)
        else:
            arrays.append(t)
            edges.append(None)
    given = arrays
    if made.check is not None:
        made.check(*arrays)
    if made.promote is not None:
        arrays = promoted(made, arrays)
    try:
        if made.variadic:
            r = made.forward(*arrays, **dict(zip(made.params, params, strict=True)))
        else:
            r = made.forward(*arrays, *params)
    except Exception as error:
        if not refused(error):
            raise explained(made, tensors, error) from None
        named = dict(zip(made.params, params, strict=True))
        r = computed(made.forward, *arrays, **named) if made.variadic \
            else computed(made.forward, *arrays, *params)  # fmt: skip
    several = r.__class__ is tuple
    if several:
        r = tuple(as_array(x) for x in r)
    elif r.__class__ is not _ndarray:
        r = _as_result(r, made.dense)
    elif made.dense and r.ndim > 1 and not r.flags.c_contiguous:
        r = np.ascontiguousarray(r)
    node = None
    if need and (several or r.dtype is F32 or is_differentiable(r.dtype)):
        node = made.node()
        node.seq = clock()
        node.next = tuple(edges)
        node.extra = None
        if several:
            node.out_shape, node.out_dtype = shape_dtype(r)
        else:
            node.out_shape, node.out_dtype = r.shape, r.dtype
        node.fix = tuple(
            [None if e is None else (x.shape, x.dtype) for e, x in zip(edges, given)]  # noqa: B905
        )
        frame = _frame(1)
        code = frame.f_code
        if INTERNAL[code.co_filename]:
            frame = user_frame(frame)
            code = frame.f_code
        node.code, node.offset = code, frame.f_lasti
    if into is not None:
        outs = into(r, node)
    elif several:
        outs = tuple(wrap(x) for x in r)
    else:
        outs = wrap(r)
    if into is None:
        if made.view:
            outs = view_of(tensors[0], outs, node, mode)
        elif node is not None and not several:
            outs._edge = node
        elif several:
            _label_outputs(made, node, outs)
        elif marked:
            outs._edge = lost(tensors, mode, "dtype" if need else "rule")
        if mode.inference and not made.view:
            for t in outs if several else (outs,):
                t._inference = True
    if node is not None:
        wanted = 1 if made.variadic else need & ~hollow if len(made.rules) > 1 else need
        _save(made, node, wanted, tensors, params, outs, mode)
    return outs


def _as_result(r: Any, dense: bool) -> Any:
    """A result that is no array of NumPy's, or a scalar of its: as an array, in C's order where
    results are. (A batch keeps the order of its examples.)"""
    if isinstance(r, np.generic):
        return np.asarray(r)
    if dense and not getattr(r, "rank", 1) and r.ndim > 1 and not r.flags.c_contiguous:
        return np.copy(r, order="C")
    return r


def transformed(mode: Any, made: Op, tensors: Any, params: Any, into: Any) -> Any:
    """The call of an operator under function transforms: the innermost has it first."""
    *outer, innermost = mode.transforms
    switch(mode.but(transforms=tuple(outer) or None))
    try:
        return innermost.call(made, tensors, params, into)
    finally:
        switch(mode)


def _label_outputs(made: Op, node: Any, outs: tuple[Any, ...]) -> None:
    """The edges of several outputs, of those that carry gradients."""
    if node is not None:
        for number, t in enumerate(outs):
            carries = made.differentiable is None or number in made.differentiable
            if carries and is_differentiable(t._array.dtype):
                t._edge = Output(node, number)


def _save(made: Op, node: Any, need: int, tensors: Any, params: Any, outs: Any,
          mode: Any) -> None:  # fmt: skip
    """Keep what the rules of the arguments of the bits in `need` name."""
    plan = made.plan(need)
    saved: dict[str, Any] = {}
    holds_tensor = False
    for name, kind, index in plan:
        if kind == "param":
            saved[name] = params[index]
        elif kind == "tensor" and not made.variadic:
            saved[name] = t = tensors[index]
            holds_tensor = True  # a number counts as one, as in PyTorch
            if (t.__class__ in TENSORS or isinstance(t, Tensor)) and t._inference:
                check_inference(t)
        elif kind == "out":
            holds_tensor = True
            if outs.__class__ is tuple:
                saved[name] = tuple((t._array, t._versions, t._versions[TICK]) for t in outs)
            else:
                versions = outs._versions
                saved[name] = (outs._array, versions, versions[TICK])
        elif kind == "tensor":
            holds_tensor = True
            saved[name] = tuple(tensors)
            for t in tensors:
                check_inference(t)
        elif made.variadic:
            saved[name] = tuple(t._array.shape for t in tensors)
        else:
            t = tensors[index]
            saved[name] = t._array.shape if isinstance(t, Tensor) else np.shape(t)
    if not saved:
        node.saved = None
    elif not holds_tensor:
        node.saved = Numbers(saved)
    else:
        node.saved = saved if mode.hooks is None else Packs.of(node, saved, mode.hooks)
    if mode.anomaly is not None:
        anomaly.remember(node)


def _values(node: Any, recorded: bool) -> dict[str, Any]:
    """What a node saved, checked to be unchanged: arrays, or tensors when `recorded`."""
    saved = node.saved
    kind = saved.__class__
    if kind is Numbers:
        return saved
    if kind is not dict:
        if saved is None:
            return {}
        if kind is Freed:
            fail_freed(node)
        if kind is Packs:
            return saved.opened(node, recorded)
        saved = named(node)
    return checked(node, saved, recorded)


def named(node: Any) -> dict[str, Any]:
    """What a node saved, by name."""
    saved = node.saved
    if saved.__class__ is not tuple:
        return dict(saved.items())
    found = dict(zip((*node.op.tensors, "out"), saved, strict=True))  # of a fast way
    for index, name in enumerate(node.op.tensors):
        fix = node.fix
        found[f"{name}_shape"] = node.out_shape if fix is None else fix[index][0]
    return found


def checked(node: Any, saved: dict[str, Any], recorded: bool) -> dict[str, Any]:
    """Saved values, once it is sure that nobody wrote to them: arrays, or tensors when
    `recorded`."""
    values: dict[str, Any] = {}
    for name, value in saved.items():
        if value.__class__ in TENSORS or isinstance(value, Tensor):
            values[name] = _input(node, name, value, recorded)
        elif name == "out" and value is not None:
            if value[0].__class__ is tuple:
                values[name] = tuple(_out(node, v, i, recorded) for i, v in enumerate(value))
            else:
                values[name] = _out(node, value, 0, recorded)
        elif value.__class__ is tuple and value and isinstance(value[0], Tensor):
            values[name] = tuple(_input(node, name, v, recorded) for v in value)
        else:
            values[name] = value
    return values


def _input(node: Any, name: str, tensor: Any, recorded: bool) -> Any:
    if tensor._versions[TICK] > node.seq:
        fail_modified(node, name, tensor)
        if recorded and not has_edge(tensor):  # it was detached in place since
            edge = node.next[node.op.tensors.index(name)]
            if edge is not None and edge._kind != TENSOR:
                was = wrap(tensor._array)
                was._edge, was._versions = Fixed(edge), tensor._versions
                return was
    return tensor if recorded else tensor._array


def _out(node: Any, kept: Any, number: int, recorded: bool) -> Any:
    array, versions, tick = kept[:3]
    if versions[TICK] > tick:
        fail_modified(node, "out", kept, number)
    if not recorded:
        return array
    t = wrap(array)
    t._versions = versions
    if len(kept) > 3:
        t._tangents = kept[3]
    several = isinstance(node.out_dtype, tuple)
    if is_differentiable(array.dtype):
        t._edge = Output(node, number) if several else node
    return t


def _differentiate(node: Any, g: Any, needs: Any, recorded: bool) -> tuple[Any, ...]:
    return ruled(node.op, g, _values(node, recorded), needs)


def ruled(made: Op, g: Any, values: dict[str, Any], needs: Any) -> tuple[Any, ...]:
    """The rules of an operator, for the arguments that `needs` names."""
    joint = made.rules.get(JOINT)
    if joint is not None:
        return tuple(computed(joint.function, g, *[values[n] for n in joint.names]))
    if made.variadic:
        rule = made.rules[made.tensors[0]]
        return tuple(computed(rule.function, g, *[values[n] for n in rule.names]))
    rules = made.rules
    if len(made.tensors) == 1:
        rule = rules[made.tensors[0]]
        return (computed(rule.function, g, *[values[n] for n in rule.names]),)
    found = []
    for name, needed in zip(made.tensors, needs):  # noqa: B905
        each = rules.get(name) if needed else None
        found.append(each and computed(each.function, g, *[values[n] for n in each.names]))
    return tuple(found)


def _backward(node: Any, g: Any) -> tuple[Any, ...]:
    return _differentiate(node, g, [e is not None for e in node.next], False)


# Dtypes


def result_dtype(values: Any) -> dtype:
    """PyTorch's result type: tensors with dimensions, then 0-dim ones, then Python numbers."""
    dims = zeros = numbers = None
    for value in values:
        if value is None:
            continue
        if isinstance(value, NUMBERS):
            found = of_scalar(value)
            numbers = found if numbers is None else promote_types(numbers, found)
        elif value.ndim:
            found = from_numpy_dtype(value.dtype)
            dims = found if dims is None else promote_types(dims, found)
        else:
            found = from_numpy_dtype(value.dtype)
            zeros = found if zeros is None else promote_types(zeros, found)
    result = dims
    for lower in (zeros, numbers):
        if result is None:
            result = lower
        elif lower is not None and lower.category > result.category:
            if lower is numbers:  # a number takes the width of what it meets
                result = _number_meets(result, lower)
            else:
                result = promote_types(result, lower)
    return result or get_default_dtype()


def _number_meets(tensor: dtype, number: dtype) -> dtype:
    if number.category == 3 and tensor.category == 2:
        return tensor.to_complex()
    return number


def promoted(made: Op, arrays: list[Any]) -> list[Any]:
    """The operands in their common dtype (of "float" operators: a floating one)."""
    kind = arrays[0].dtype if arrays[0].__class__ is _ndarray else None
    if kind is F32 or kind is F64:  # nothing to do where all are the same
        for value in arrays:
            sort = value.__class__
            if sort is not float and sort is not int and getattr(value, "dtype", None) is not kind:
                break
        else:
            return arrays
    wanted = result_dtype(arrays)
    if made.promote == "float" and wanted.category < 2:
        wanted = get_default_dtype()
    kind = wanted.numpy
    cast: list[Any] = []
    for value in arrays:
        if value is None:
            cast.append(None)
        elif isinstance(value, NUMBERS):
            cast.append(np.asarray(value).astype(kind))
        else:
            cast.append(value if value.dtype is kind else value.astype(kind))
    return cast


# Errors: a failed forward is explained afterwards, in PyTorch's words


def explained(made: Op, tensors: Any, error: Exception) -> Exception:
    """The exception to raise for what a forward raised."""
    shapes = [t._array.shape for t in tensors if isinstance(t, Tensor)]
    if made.check is not None:  # a fast way does without it
        try:
            made.check(*[t._array if isinstance(t, Tensor) else t for t in tensors])
        except Exception as refusal:
            return refusal
    if isinstance(error, ValueError) and "could not be broadcast" in str(error):
        for one, other in itertools.pairwise(shapes):
            for back in range(1, min(len(one), len(other)) + 1):
                m, n = one[-back], other[-back]
                if m != n and m != 1 and n != 1:
                    dim = max(len(one), len(other)) - back
                    return failure(
                        RuntimeError,
                        f"The size of tensor a ({m}) must match the size of tensor b ({n}) at "
                        f"non-singleton dimension {dim}",
                        f"the shapes are {list(one)} and {list(other)}; they broadcast from the "
                        "right, where sizes are equal or 1",
                        "to do: .unsqueeze(dim) for a dimension of size 1, or bring them to one "
                        "shape",
                    )
    if type(error) in (RuntimeError, IndexError, TypeError, ValueError, NotImplementedError):
        return failure(type(error), str(error)) if "\n  here: " not in str(error) else error
    return error


__all__ = ["OPS", "apply", "dunder", "op", "promoted", "result_dtype"]
