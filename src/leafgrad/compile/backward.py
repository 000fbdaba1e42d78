"""Gradients outside: a compiled function whose results can still be differentiated.

While such a function is captured, the backward pass from its results to what it read is captured
too, with gradients as inputs. The program is then split: the forward part also gives what the
backward part needs, and the results hang on one node, which runs the backward part.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ..graph.node import Freed, Node, Output, clock, edge_of, fail_freed
from ..graph.saved import fail_modified
from ..graph.source import fail
from ..tensor import TICK, wrap
from .captured import Captured, Storage
from .loops import is_view
from .program import Const, Input, Program, Value, replaced
from .program import Output as Result

__all__ = ["Backward", "CompiledBackward", "Split", "split"]


class Backward:
    """A backward pass as it was captured. results: the tensors it begins with; seeds: inputs for
    their gradients; targets: the tensors that get gradients; values: those; finals: the real ones
    """

    def __init__(self, recorder: Any, results: list[Any]) -> None:
        from ..graph.engine import grad

        self.results = results
        self.seeds: list[Input] = []
        begun = []
        for number, tensor in enumerate(results):
            array = np.ones(tensor._array.shape, tensor._array.dtype)
            value = Input(array, f"gradient of result {number}")
            recorder.program.inputs.append(value)
            self.seeds.append(value)
            begun.append(wrap(Captured(recorder, array, Storage(array, value))))
        places = [s.tensor for s in recorder.seen.values()
                  if s.tensor.requires_grad and s.tensor._array.dtype.kind == "f"]  # fmt: skip
        try:
            found: Any = grad(results, places, begun, retain_graph=True, allow_unused=True) \
                if places else ()  # fmt: skip
        except Exception as error:  # as it would be raised outside, when it comes to that
            recorder.fail(f"a backward pass from its result fails: {str(error).splitlines()[0]}")
            found = (None,) * len(places)
        self.targets, self.values, self.finals = [], [], []
        for tensor, g in zip(places, found, strict=True):
            if g is not None:
                array = g._array
                self.targets.append(tensor)
                self.values.append(recorder.read(array))
                self.finals.append(array.held if array.__class__ is Captured else array)


class Split:
    """The two parts of a program, and what passes between them.

    saved: the outputs of the forward part that the backward part reads, by number; inputs: the
    inputs of the forward part that it reads again; given: its inputs, in the order seeds, saved,
    inputs
    """

    def __init__(self, forward: Program, backward: Program, saved: list[int],
                 inputs: list[Input], given: list[Input]) -> None:  # fmt: skip
        self.forward, self.backward, self.saved = forward, backward, saved
        self.inputs, self.given = inputs, given


def split(program: Program, count: int, seeds: list[Input]) -> Split:
    """Split a program after its first `count` outputs: the others depend on `seeds` too."""
    makers = program.makers()
    targets = {o.target for o in program.outputs if o.target is not None}

    def slice_of(values: Any, stop: Any) -> set[Any]:
        found: set[Any] = set()
        stack = list(values)
        while stack:
            instr = makers.get(stack.pop())
            if instr is not None and instr not in found and instr not in stop:
                found.add(instr)
                stack.extend(instr.values())
        return found

    wanted = [o.value for o in program.outputs[:count]] + [g.value for g in program.guards]
    early = slice_of(wanted, ())
    early |= {i for i in program.instrs if i.effect}
    for instr in list(early):
        early |= slice_of(instr.values(), ())
    late = slice_of([o.value for o in program.outputs[count:]], early)
    while True:  # views of what passes are taken anew
        crossing: dict[Value, None] = {}
        used = [v for i in program.instrs if i in late for v in i.values()]
        used += [o.value for o in program.outputs[count:]]
        for value in used:
            maker = makers.get(value)
            if (maker is not None and maker not in late) or value in targets or (
                isinstance(value, Input) and value not in seeds and not value.shape
            ):  # fmt: skip
                crossing[value] = None
        again = {makers[v] for v in crossing if v in makers and is_view(makers[v])}
        if not again:
            break
        late |= again
    outputs = list(program.outputs[:count])
    known = {
        o.value: n for n, o in enumerate(outputs)
        if o.target is None and _in_order(o.value.shape, o.strides, o.value.dtype)
    }  # fmt: skip
    names: dict[Value, Input] = {}
    saved: list[int] = []
    for value in crossing:
        if value not in known:
            known[value] = len(outputs)
            outputs.append(Result(value, "for the backward pass", None, _ordered(value)))
        saved.append(known[value])
        shape = SimpleNamespace(shape=value.shape, dtype=value.dtype, strides=_ordered(value))
        names[value] = Input(shape, "saved")
    inputs = [v for v in program.inputs if v not in seeds and v not in names and v in set(used)]
    given = [*seeds, *names.values(), *inputs]

    def now(value: Value) -> Value:
        return names.get(value, value)

    forward = program.but([i for i in program.instrs if i in early], outputs)
    forward.inputs = [i for i in program.inputs if i not in seeds]
    backward = Program(f"{program.name}_backward")
    backward.inputs = given
    backward.instrs = [
        i.again(replaced(i.args, now), replaced(i.kwargs, now)) for i in program.instrs if i in late
    ]
    backward.outputs = [o.of(now(o.value)) for o in program.outputs[count:]]
    return Split(forward, backward, saved, inputs, given)


def _ordered(value: Value) -> tuple[int, ...]:
    """The strides of C's order, in bytes."""
    strides, step = [], value.dtype.itemsize
    for n in reversed(value.shape):
        strides.append(step)
        step *= n
    return tuple(strides[::-1])


def _in_order(shape: Any, strides: Any, dtype: Any) -> bool:
    packed = _ordered(SimpleNamespace(shape=shape, dtype=dtype))  # type: ignore[arg-type]
    return all(n == 1 or s == t for n, s, t in zip(shape, strides, packed, strict=True))


class CompiledBackward(Node):
    """The node of all results of a compiled function: its backward pass is compiled too.

    saved: the arrays that it needs; versions: of those that a user can write to, with the tick up
    to which they may have been written
    """

    __slots__ = ("run", "versions")

    def name(self) -> str:
        return "CompiledFunctionBackward"

    @staticmethod
    def backward(node: Any, g: Any) -> tuple[Any, ...]:
        return node.differentiate(g, (), False)  # type: ignore[no-any-return]

    def differentiate(self, g: Any, needs: Any, recorded: bool) -> tuple[Any, ...]:
        if recorded:
            fail(RuntimeError, "torch.compile with aot_autograd does not currently support double "
                               "backward", "to do: call the function that was compiled")  # fmt: skip
        if self.saved.__class__ is Freed:
            fail_freed(self)
        for array, versions in self.versions:
            if versions[TICK] > self.seq:
                fail_modified(self, "out", (array, versions, self.seq))
        several = isinstance(self.out_dtype, tuple)
        shapes, kinds = (self.out_shape, self.out_dtype) if several else (
            (self.out_shape,), (self.out_dtype,))  # fmt: skip
        seeds = []
        for x, shape, kind in zip(g if several else (g,), shapes, kinds, strict=True):
            if x is None:
                x = np.zeros(shape, kind)
            elif not x.flags.c_contiguous or x.__class__ is not np.ndarray:
                x = np.array(x, kind, order="C")
            seeds.append(x)
        return self.run(seeds, self.saved)  # type: ignore[no-any-return]


def hang(run: Any, tensors: Any, saved: Any, versions: Any, shapes: Any, kinds: Any,
         mark: Any) -> Any:  # fmt: skip
    """The node for the results of one call, and the edges that they get."""
    node: Any = CompiledBackward()
    node.next = tuple([edge_of(t) for t in tensors])
    node.fix = tuple([(t._array.shape, t._array.dtype) for t in tensors])
    node.seq, node.extra, node.saved = clock(), None, saved
    node.run, node.versions = run, versions
    node.code, node.offset = mark
    if len(shapes) == 1:
        node.out_shape, node.out_dtype = shapes[0], kinds[0]
        return [node]
    node.out_shape, node.out_dtype = shapes, kinds
    return [Output(node, n) for n in range(len(shapes))]


_ = Const
