"""Passes: programs made smaller, with the same results bit for bit.

Each is a function from Program to Program. `simplified` runs them in order; any can be left out.
None changes the order in which numbers are added, or what a NaN, an infinity or a signed zero gives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from ..graph import quiet
from .program import (
    STEADY,
    Const,
    Guard,
    Input,
    Instr,
    Program,
    Value,
    assign,
    changed,
    gathered,
    replaced,
    restrided,
    scattered,
    ufunc_of,
)

__all__ = ["PASSES", "algebra", "common", "constants", "dead", "hoisted", "simplified"]

_SMALL = 1 << 16  # bytes of constants that folding may make


Makers = dict[Value, Instr]


def rewritten(program: Program, rule: Callable[[Instr, Makers], Any]) -> Program:
    """The program with results replaced: `rule(instr, makers)` gives a Value in the place of an
    instruction's only result, a tuple of them for all, another instruction for the same results, or
    None to keep it. The instruction, and those that made its operands, are given as they are now.
    """
    names: dict[Value, Value] = {}
    makers: Makers = {}

    def now(value: Value) -> Value:
        return names.get(value, value)

    kept: list[Instr] = []
    for instr in program.instrs:
        if any(v in names for v in instr.values()):
            instr = instr.again(replaced(instr.args, now), replaced(instr.kwargs, now))
        found = rule(instr, makers)
        if found is None or isinstance(found, Instr):
            kept.append(found or instr)
            makers.update((r, kept[-1]) for r in instr.results if r is not None)
        elif isinstance(found, Value):
            names[instr.results[0]] = found
        else:
            names.update((r, f) for r, f in zip(instr.results, found, strict=True) if r is not None)
    outputs = [o.of(now(o.value)) for o in program.outputs]
    guards = [Guard(now(g.value), g.kind, g.expected, g.mark) for g in program.guards]
    return program.but(kept, outputs, [g for g in guards if not isinstance(g.value, Const)])


def dead(program: Program) -> Program:
    """Without the instructions whose results nothing uses, and that draw no random numbers."""
    used = set(program.wanted())
    kept: list[Instr] = []
    for instr in reversed(program.instrs):
        if instr.effect or any(r in used for r in instr.results):
            kept.append(instr)
            used.update(instr.values())
    return program.but(reversed(kept))


def common(program: Program) -> Program:
    """The same call of the same values only once."""
    known: dict[Any, tuple[Any, ...]] = {}

    def rule(instr: Instr, makers: Makers) -> Any:
        if instr.effect:
            return None
        try:
            key = _key((instr.function, instr.args, instr.kwargs))
            found = known.setdefault(key, instr.results)
        except TypeError:  # not hashable: such as an unusual option
            return None
        return None if found is instr.results else found

    return rewritten(program, rule)


def _key(tree: Any) -> Any:
    """Arguments as something that is equal for the same arguments only."""
    kind = tree.__class__
    if isinstance(tree, Const) and tree.nbytes <= _SMALL:
        return "const", tree.dtype.str, tree.dtype.name, tree.shape, tree.array.tobytes()
    if isinstance(tree, Value):
        return tree
    if kind is tuple or kind is list:
        return kind, tuple(map(_key, tree))
    if kind is dict:
        return kind, tuple((k, _key(v)) for k, v in tree.items())
    if kind is slice:
        return kind, _key((tree.start, tree.stop, tree.step))
    if kind is float or kind is complex:
        return kind, str(tree)  # 0.0 and -0.0 differ
    ufunc, method = ufunc_of(tree)
    return (ufunc, method) if ufunc is not None else (kind, tree)


def constants(program: Program) -> Program:
    """Calls of constants alone computed now, if the results are small."""

    def rule(instr: Instr, makers: Makers) -> Any:
        if instr.effect or (instr.function not in STEADY and ufunc_of(instr.function)[0] is None):
            return None
        if instr.function is np.empty_like or not all(isinstance(v, Const) for v in instr.values()):
            return None
        if any(r is None or r.nbytes > _SMALL for r in instr.results):
            return None

        def array(value: Any) -> Any:
            return value.array

        token = quiet.enter()
        try:
            found = instr.function(*replaced(instr.args, array), **replaced(instr.kwargs, array))
        finally:
            quiet.leave(token)
        parts = found if instr.several else (found,)
        return tuple(Const(np.array(f)) for f in parts)

    return rewritten(program, rule)


# Algebra


def algebra(program: Program) -> Program:
    """Without calls that give back an operand: casts to the same dtype, products with 1, two
    transposes or signs, reshapes to the same shape, copies; divisions by powers of two as products.
    """
    return rewritten(program, _simpler)


def _number(tree: Any) -> Any:
    """The number of a 0-dim constant or a literal, None for anything else."""
    if isinstance(tree, Const) and not tree.shape:
        return tree.array.item()
    return tree if tree.__class__ in (int, float) else None


def _is(tree: Any, number: float) -> bool:
    """Whether an operand is this number, with its sign."""
    found = _number(tree)
    return found.__class__ in (int, float) and found == number and (
        number != 0 or str(float(found)) == str(float(number))
    )  # fmt: skip


def _like(value: Any, result: Value) -> bool:
    return isinstance(value, Value) and value.shape == result.shape and value.dtype == result.dtype


def _simpler(instr: Instr, makers: Makers) -> Any:
    function, args, kwargs = instr.function, instr.args, instr.kwargs
    if instr.several or instr.effect or not args:
        return None
    result, first = instr.results[0], args[0]
    if function in _COPIES or function is np.ndarray.astype:
        return first if _like(first, result) else None
    if function in _SHAPES:
        return _moved(instr, result, first, makers)
    if function is operator.getitem:
        if _like(first, result) and _whole(args[1], first):
            return first
        return _part_of_assigned(instr, makers)
    if function is np.negative and not kwargs and isinstance(first, Value):
        maker = makers.get(first)
        if maker is not None and maker.function is np.negative and _like(maker.args[0], result):
            return maker.args[0]
        return None
    if function in (np.multiply, np.divide, np.add, np.subtract) and not kwargs:
        return _arithmetic(instr, result, *args)
    if function is np.where and len(args) == 3:
        return _chosen(args, result)
    return None


_COPIES = {np.copy, np.ndarray.copy, np.positive}
_SHAPES = {np.reshape, np.transpose, np.broadcast_to, np.swapaxes}


def _moved(instr: Instr, result: Value, first: Any, makers: Makers) -> Any:
    """A reshape or transpose that does nothing, or undoes the one before."""
    function = instr.function
    if not isinstance(first, Value):
        return None
    if function is np.reshape or function is np.broadcast_to:
        if _like(first, result):
            return first
        maker = makers.get(first)
        if maker is not None and maker.function is function and function is np.reshape:
            if _like(maker.args[0], result):
                return maker.args[0]
            made = Instr(np.reshape, (maker.args[0], result.shape), {}, instr.mark, instr.backward)
            made.results = instr.results
            return made
        return None
    order = _order(instr)
    if order == tuple(range(len(order))):
        return first
    maker = makers.get(first)
    if maker is not None and maker.function in (np.transpose, np.swapaxes):
        before = _order(maker)
        if tuple(before[d] for d in order) == tuple(range(len(order))):
            return maker.args[0]
    return None


def _order(instr: Instr) -> tuple[int, ...]:
    """The axes that a transpose or a swap puts in order."""
    first, *rest = instr.args
    n = first.ndim
    axes = rest[0] if rest else instr.kwargs.get("axes")
    if instr.function is np.swapaxes:
        order = list(range(n))
        a, b = rest
        order[a], order[b] = order[b], order[a]
        return tuple(order)
    return tuple(range(n))[::-1] if axes is None else tuple(a % n for a in axes)


def _whole(index: Any, value: Value) -> bool:
    """Whether an index names all of an array, in order."""
    parts = index if index.__class__ is tuple else (index,)
    return all(p is Ellipsis or p == slice(None) for p in parts if not isinstance(p, Value)) and (
        not any(isinstance(p, Value) for p in parts)
    )


def _part_of_assigned(instr: Instr, makers: Makers) -> Any:
    """The part of an array that was just written there."""
    whole, index = instr.args
    maker = makers.get(whole)
    if maker is None or maker.function is not assign:
        return None
    path, value = maker.args[1], maker.args[3]
    same = len(path) == 1 and path[0][0] is operator.getitem and _key(path[0][1]) == _key((index,))
    return value if same and _like(value, instr.results[0]) else None


def _arithmetic(instr: Instr, result: Value, a: Any, b: Any) -> Any:
    """Products with 1, quotients by it, and sums with the zero that changes nothing."""
    function = instr.function
    if result.dtype.kind not in "fiuc":
        return None
    if function is np.multiply:
        if _is(b, 1) and _like(a, result):
            return a
        if _is(a, 1) and _like(b, result):
            return b
    elif function is np.divide and _like(a, result):
        if _is(b, 1):
            return a
        number = _number(b)
        if result.dtype.kind == "f" and number and _power_of_two(number):
            factor = np.array(1 / number, result.dtype)
            made = Instr(np.multiply, (a, Const(factor)), {}, instr.mark, instr.backward)
            made.results = instr.results
            return made
    elif function is np.subtract and _is(b, 0.0) and _like(a, result):
        return a
    elif function is np.add and result.dtype.kind == "f":
        if _is(b, -0.0) and _like(a, result):
            return a
        if _is(a, -0.0) and _like(b, result):
            return b
    return None


def _power_of_two(number: float) -> bool:
    mantissa, exponent = np.frexp(abs(float(number)))
    return mantissa == 0.5 and -100 < exponent < 100


def _chosen(args: Any, result: Value) -> Any:
    condition, x, y = args
    if isinstance(condition, Const) and condition.array.dtype.kind == "b":
        if condition.array.all() and _like(x, result):
            return x
        if not condition.array.any() and _like(y, result):
            return y
    return None


# Indices


def indexed(program: Program) -> Program:
    """Reads and sums at index arrays as `gathered` and `scattered`, which loops can do. That no
    index is out of bounds becomes a guard; if it does not hold, the step raises as ever."""
    guards: list[Guard] = []
    kept: list[Instr] = []
    checked: set[Any] = set()

    def emit(function: Any, args: Any, like: Any, of: Instr) -> Value:
        made = Instr(function, args, {}, of.mark, of.backward)
        kept.append(made)
        return made.returns(like)  # type: ignore[no-any-return]

    def check(index: Value, size: int, of: Instr) -> bool:
        """Guard that an index is within bounds; False if a constant one is not."""
        if isinstance(index, Const):
            inside = (index.array >= -size) & (index.array < size)
            return bool(inside.all())
        if (index, size) in checked:
            return True
        checked.add((index, size))
        flags = np.empty(index.shape, bool)
        low, high = emit(np.greater_equal, (index, -size), flags, of), \
            emit(np.less, (index, size), flags, of)  # fmt: skip
        both = emit(np.logical_and, (low, high), flags, of)
        all_ = emit(np.logical_and.reduce, (both, None), np.empty((), bool), of)
        guards.append(Guard(all_, "bool", True, of.mark))
        return True

    def placed(index: Value, front: int, count: int, ndim: int, of: Instr) -> Value:
        """An index as it broadcasts to a result: its dimensions begin at `front`."""
        shape = (1,) * (count - index.ndim) + index.shape + (1,) * (ndim - front - count)
        if shape == index.shape:
            return index
        if isinstance(index, Const):
            return Const(index.array.reshape(shape))
        return emit(np.reshape, (index, shape), np.empty(shape, index.dtype), of)

    def plan(array: Value, key: Any, of: Instr) -> Any:
        """(places, indices) of a key of index arrays and full slices; None for any other."""
        parts = list(key) if key.__class__ is tuple else [key]
        if sum(p is Ellipsis for p in parts if not isinstance(p, Value)) > 1:
            return None
        named = sum(p is not Ellipsis for p in parts)
        for n, p in enumerate(parts):
            if p is Ellipsis:
                parts[n : n + 1] = [slice(None)] * (array.ndim - named)
                break
        parts += [slice(None)] * (array.ndim - len(parts))
        arrays = [n for n, p in enumerate(parts) if isinstance(p, Value)]
        if len(parts) != array.ndim or not arrays or any(
            parts[n].dtype.kind not in "iu" or parts[n].size == 0 for n in arrays
        ):  # fmt: skip
            return None
        if any(not isinstance(p, Value) and p != slice(None) for p in parts):
            return None
        shape = np.broadcast_shapes(*(parts[n].shape for n in arrays))
        beside = arrays == list(range(arrays[0], arrays[0] + len(arrays)))
        front = arrays[0] if beside else 0
        ndim = len(shape) + array.ndim - len(arrays)
        rest = iter([*range(front), *range(front + len(shape), ndim)])
        places, indices = [], []  # type: ignore[var-annotated]
        for n, p in enumerate(parts):
            if isinstance(p, Value):
                if not check(p, array.shape[n], of):
                    return None
                places.append(("index", len(indices)))
                indices.append(placed(p, front, len(shape), ndim, of))
            else:
                places.append(("axis", next(rest)))
        return tuple(places), indices

    for instr in program.instrs:
        made = _gather_of(instr, plan)
        kept.append(instr if made is None else made)
    return program.but(kept, guards=[*guards, *program.guards])


def _gather_of(instr: Instr, plan: Any) -> Instr | None:
    """An instruction in the words of `gathered` and `scattered`, if it can be said so."""
    function, args, kwargs = instr.function, instr.args, instr.kwargs
    if instr.several or instr.effect or not args:
        return None
    result = instr.results[0]
    key: Any = None
    if function is operator.getitem:
        array, key = args
    elif function is np.take and len(args) in (2, 3) and set(kwargs) <= {"axis"}:
        array, index = args[:2]
        axis = kwargs.get("axis", args[2] if len(args) == 3 else None)
        if axis is None and array.ndim != 1:
            return None
        axis = (axis or 0) % array.ndim
        key = (*(slice(None),) * axis, index)
    elif function is changed and args[0] == np.add.at and len(args) == 4 and not kwargs:
        _, array, key, values = args
    else:
        return None
    if (
        result is None
        or not isinstance(array, Value)
        or not any(isinstance(p, Value) for p in (key if key.__class__ is tuple else (key,)))
    ):
        return None
    found = plan(array, key, instr)
    if found is None:
        return None
    places, indices = found
    if function is changed:
        if not isinstance(values, Value) or values.dtype != array.dtype:
            return None
        shape = np.broadcast_shapes(*(i.shape for i in indices), values.shape)
        if values.shape != shape:
            return None
        again = (array, places, values, *indices)
    else:
        again = (array, result.shape, places, *indices)
    made = Instr(scattered if function is changed else gathered, again, {}, instr.mark,
                 instr.backward)  # fmt: skip
    made.results = instr.results
    return made


# What need not be computed at every run


def hoisted(program: Program, steady: Collection[Input]) -> set[Value]:
    """The values that depend on constants and on inputs in `steady` alone, which rarely change."""
    fixed: set[Value] = set(steady)
    found: set[Value] = set()
    for instr in program.instrs:
        if instr.effect:
            continue
        values = list(instr.values())
        if values and all(v in fixed or isinstance(v, Const) for v in values):
            results = [r for r in instr.results if r is not None]
            fixed.update(results)
            found.update(results)
    return found


def cheap(instr: Instr) -> bool:
    """Whether an instruction only looks at its argument in another way."""
    return instr.function in _VIEWS


_VIEWS = {np.transpose, np.reshape, np.broadcast_to, np.swapaxes, np.expand_dims, np.squeeze,
          np.moveaxis, operator.getitem, restrided}  # fmt: skip

PASSES: dict[str, Callable[[Program], Program]] = {
    "constant folding": constants,
    "algebra": algebra,
    "common subexpressions": common,
    "dead code": dead,
}
# Once, at the end: for loops.
LAST: dict[str, Callable[[Program], Program]] = {"indices": indexed}


def simplified(program: Program, leave_out: Iterable[str] = (), tell: Any = None) -> Program:
    """All passes, in order, until nothing changes. tell: called with a line on what each did."""
    out = set(leave_out)
    for _ in range(4):
        before = len(program.instrs)
        for name, function in PASSES.items():
            if name in out:
                continue
            count = len(program.instrs)
            program = function(program)
            if tell is not None and len(program.instrs) != count:
                tell(f"{name}: {count} instructions, now {len(program.instrs)}")
        if len(program.instrs) == before:
            break
    for name, function in LAST.items():
        if name not in out:
            program = function(program)
    return program
