"""Traces: one captured run of a function, and the Python that replays it.

All that a replay does stands in one generated function: it checks that the facts hold, enters
addresses and numbers, calls machine code, and does to tensors what the step does. If anything does
not hold it returns MISS, and nothing has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import get_default_dtype
from ..graph.modes import OFF, ON, current
from ..graph.source import Source
from ..tensor import Tensor
from . import llvm
from .backward import Split, hang, split
from .capture import Recorder
from .effects import Effects
from .guards import Fact, Reach, shown
from .passes import simplified
from .plan import NativePlan, NumPyPlan
from .program import Output, Program
from .watch import get_state, set_state

__all__ = ["MISS", "Trace"]

MISS = object()
_ERRORS = (AttributeError, LookupError, TypeError, ValueError)  # of a check whose object is gone


class Trace:
    """One captured run.

    step(args, kwargs): replay it, or MISS; values(args, kwargs): what its program gives, without
    effects; arrays(args, kwargs): the inputs of the program, to keep; back(seeds, held): the
    gradients of what its results can still be differentiated by; checked: whether it was compared
    with a run for real; reason: why it did not hold the last time
    """

    step: Callable[[Any, Any], Any]
    values: Callable[[Any, Any], Any]
    arrays: Callable[[Any, Any], Any]
    back: Callable[[Any, Any], Any]
    parts: Split

    def __init__(self, recorder: Recorder, reach: Reach, effects: Effects, native: bool,
                 tell: Any = None) -> None:  # fmt: skip
        self.program = program = recorder.program
        self.reach, self.effects, self.space = reach, effects, reach.space
        self.count = len(program.outputs)  # those of the forward part
        if effects.backward is not None:
            program.outputs += [Output(v, "a gradient") for v in effects.backward.values]
        self.native, self.tell = native and llvm.available(), tell
        self.mode, self.dtype = current(), get_default_dtype()
        self.generators = [g for g, _ in recorder.generators.values()]
        self.checked = False
        self.reason = ""
        self.facts: list[Fact] = [*reach.facts, *reach.options.values(), *effects.checks]
        self.plans: list[Any] = []

    # The generated functions

    def build(self) -> None:
        """Make the functions that replay the trace."""
        space, effects = self.space, self.effects
        program = simplified(self.program, tell=self.tell)
        parts: Split | None = None
        if effects.backward is not None:
            self.parts = parts = split(program, self.count, effects.backward.seeds)
            program = parts.forward
        plan = self._plan(program, effects.inputs, "p")
        lock = threading.Lock()  # the memory of a plan serves one call at a time
        space.update(MISS=MISS, current=current, mode=self.mode, dtype=self.dtype, trace=self,
                     default=get_default_dtype, get_state=get_state, set_state=set_state,
                     ERRORS=_ERRORS, array=np.array, asarray=np.asarray, copyto=np.copyto,
                     acquire=lock.acquire, release=lock.release)  # fmt: skip
        checks, run, undo = self._checks(), self._run(program, plan), self._undo()
        commit = [*effects.commit, *self._hung(parts)]
        self.step = self._function("step", "args, kwargs", [
            *checks, "halted = None", "acquire()", "try:", *indented(effects.counts),
            *indented(run), *indented(held_up(plan.write)),
            *indented(repeated([*plan.commit, *commit, f"result = {effects.result}"])),
            "finally: release()", "if halted is not None: raise halted", "return result",
        ])  # fmt: skip
        # The same without effects: what is written to is put back.
        written = {n: effects.inputs[o.target] for n, o in enumerate(program.outputs) if o.target}
        outs = [f"array({written.get(n, f'r{n}')})" for n in range(len(program.outputs))]
        given = [
            f"array({code})" if value in {o.target for o in program.outputs} else f"asarray({code})"
            for value, code in ((v, effects.inputs[v]) for v in program.inputs)
        ]
        arrays = f"return [{', '.join(given)}]"
        self.arrays = self._function("arrays", "args, kwargs", [*checks, arrays])
        self.values = self._function("values", "args, kwargs", [
            *checks, *[f"k{n} = array({code})" for n, code in written.items()], "acquire()", "try:",
            *indented([*run, *plan.write, *plan.commit]), f"    return [{', '.join(outs)}]", "finally:",
            "    release()", *indented(undo),
            *[f"    copyto({code}, k{n})" for n, code in written.items()],
        ])  # fmt: skip

    def _plan(self, program: Program, inputs: Any, name: str, pooled: bool = True) -> Any:
        kind = NativePlan if self.native else NumPyPlan
        plan = kind(program, inputs, self.space, name, pooled)
        self.plans.append(plan)
        return plan

    def _checks(self) -> list[str]:
        """Lines that return MISS where a fact does not hold."""
        lines = [f"if {' or '.join(self._unlike_mode())}: return MISS", "try:"]
        base = [*self.reach.facts, *self.reach.options.values()]
        for some in (base[i : i + 40] for i in range(0, len(base), 40)):
            lines.append(f"    if {' or '.join(_wrapped(f.fails) for f in some)}: return MISS")
        lines += indented(self.effects.before)
        checks = self.effects.checks
        for some in (checks[i : i + 40] for i in range(0, len(checks), 40)):
            lines.append(f"    if {' or '.join(_wrapped(f.fails) for f in some)}: return MISS")
        return [*lines, "    pass", "except ERRORS: return MISS"]

    def _unlike_mode(self) -> list[str]:
        if self.mode is ON or self.mode is OFF:
            return ["default() is not dtype", "current() is not mode"]
        return ["default() is not dtype", "(m := current()).grad is not mode.grad",
                "m.inference is not mode.inference"]  # fmt: skip

    def _undo(self) -> list[str]:
        names = [self.reach.bind(g) for g in self.generators]
        return [f"set_state({name}, s{name})" for name in names]

    def _run(self, program: Program, plan: Any) -> list[str]:
        """Lines that compute, and return MISS if that fails or a guard does not hold."""
        lines = []
        for generator in self.generators:
            name = self.reach.bind(generator)
            lines.append(f"s{name} = get_state({name})")
        undo = indented(self._undo())
        lines += ["try:", *indented(plan.run or ["pass"])]
        lines += ["except Exception as error:", *undo,
                  "    trace.reason = f'a computation failed: {error}'", "    return MISS"]  # fmt: skip
        for n, guard in enumerate(program.guards):
            name = self.reach.bind(guard)
            quick = guard.kind == "bool" and guard.value.dtype.kind == "b" and guard.value.size == 1
            test = f"g{n}.item() is not {guard.expected}" if quick else f"not {name}.holds(g{n})"
            lines += [f"if {test}:", *undo, f"    trace.reason = {name}.told(g{n})",
                      "    return MISS"]  # fmt: skip
        return lines

    def _hung(self, parts: Split | None) -> list[str]:
        """Lines that give results that can be differentiated their node."""
        if parts is None:
            return []
        effects, backward = self.effects, self.effects.backward
        assert backward is not None
        bind, space = self.reach.bind, self.space
        codes: dict[Any, str] = {}
        for n, value in enumerate(parts.given):
            seeds = len(backward.seeds)
            codes[value] = f"s{n}" if n < seeds else f"h{n - seeds}"
        plan = self._plan(parts.backward, codes, "q", pooled=False)
        given = ", ".join(f"s{n}" for n in range(len(backward.seeds)))
        held = ", ".join(f"h{n}" for n in range(len(parts.given) - len(backward.seeds)))
        outs = ", ".join(f"r{n}" for n in range(len(parts.backward.outputs)))
        lock = threading.Lock()
        space.update(hang=hang, acquire_back=lock.acquire, release_back=lock.release)
        self.back = self._function("back", "seeds, held", [
            f"[{given}] = seeds", f"[{held}] = held", "acquire_back()", "try:",
            *indented([*plan.run, *plan.write, "pass"]), "finally: release_back()",
            f"return ({outs},)",
        ])  # fmt: skip
        saved = [f"r{n}" for n in parts.saved] + [effects.inputs[v] for v in parts.inputs]
        versions = [
            f"(r{n}, {effects.holders[n]}._versions)" for n in parts.saved if n in effects.holders
        ] + [f"({effects.inputs[v]}, {effects.versions[v]})" for v in parts.inputs]
        results = backward.results
        shapes = bind(tuple(t._array.shape for t in results))
        kinds = bind(tuple(t._array.dtype for t in results))
        code = getattr(self.reach.function, "__code__", None) or Trace.build.__code__
        names = [effects._names[id(t)] for t in results]
        return [
            f"edges = hang(back, ({_joined(effects.targets)}), ({_joined(saved)}), "
            f"({_joined(versions)}), {shapes}, {kinds}, {bind((code, -1))})",
            *[f"{name}._edge = edges[{n}]" for n, name in enumerate(names)],
        ]

    def _function(self, name: str, arguments: str, lines: list[str]) -> Any:
        text = "\n".join([f"def {name}({arguments}):", *indented(lines)])
        exec(compile(text, f"<{self.program.name}: {name}>", "exec"), self.space)
        return self.space[name]

    def gradients(self, outs: list[Any], arrays: list[Any]) -> list[Any]:
        """The gradients for ones, from the outputs and inputs of a run: to be compared."""
        backward = self.effects.backward
        assert backward is not None
        seeds = [np.ones(v.shape, v.dtype) for v in backward.seeds]
        parts = self.parts
        given = dict(zip(parts.forward.inputs, arrays, strict=True))
        held = [*(outs[n] for n in parts.saved), *(given[v] for v in parts.inputs)]
        return list(self.back(seeds, held))

    # Why it does not hold, and tensors that took the place of others

    def fits(self, args: Any, kwargs: Any) -> bool:
        """Whether all facts hold; tensors like those that were there before are taken in."""
        here = current()
        if (here.grad, here.inference) != (self.mode.grad, self.mode.inference):
            self.reason = "the grad mode is another"
            return False
        if get_default_dtype() is not self.dtype:
            self.reason = "the default dtype is another"
            return False
        for _ in range(len(self.facts) + 1):
            fact = self._broken(args, kwargs)
            if fact is None:
                return True
            if not self._taken_in(fact, args, kwargs):
                self.reason = self._told(fact, args, kwargs)
                return False
        return False

    def _locals(self, args: Any, kwargs: Any) -> dict[str, Any]:
        """What the checks of tensors use, as far as it can be found."""
        here = {"args": args, "kwargs": kwargs}
        for line in self.effects.before:
            try:
                exec(line, self.space, here)
            except Exception:
                break
        return here

    def _broken(self, args: Any, kwargs: Any) -> Fact | None:
        here = self._locals(args, kwargs)
        for fact in self.facts:
            try:
                if eval(fact.fails, self.space, here):
                    return fact
            except Exception:
                return fact
        return None

    def _taken_in(self, fact: Fact, args: Any, kwargs: Any) -> bool:
        """Bind another tensor or array in the place of one that was there, if it is alike."""
        place = fact.place
        if place is None or place.name is None:
            return False
        try:
            now = eval(fact.code, self.space, self._locals(args, kwargs))
        except Exception:
            return False
        if isinstance(now, Tensor):
            old = self.space[place.name]
            if type(now) is not type(old) or any(v is now for v in self.space.values()):
                return False
            self.space[place.name] = place.tensor = now
            return True
        if not isinstance(now, np.ndarray):
            return False
        name = fact.fails.rpartition(" ")[2]
        old = self.space[name]
        if (old.dtype, old.shape, old.strides) != (now.dtype, now.shape, now.strides):
            return False
        self.space[name] = now
        for plan in self.plans:
            plan.rebind()
        return not self._overlaps(name)

    def _overlaps(self, name: str) -> bool:
        """Whether a new array shares memory with another one, where the program writes."""
        codes = self.effects.inputs
        written = {codes[o.target] for o in self.program.outputs if o.target is not None}
        mine = self.space[name]
        return any(
            code != name and (code in written or name in written)
            and np.may_share_memory(mine, self.space[code])
            for code in codes.values() if isinstance(self.space.get(code), np.ndarray)
        )  # fmt: skip

    def _told(self, fact: Fact, args: Any, kwargs: Any) -> str:
        try:
            now = eval(fact.code, self.space, self._locals(args, kwargs))
            ending = f", now it is {shown(now)}"
        except Exception:
            ending = ", now it is gone"
        where = "" if not fact.mark else f" (read by {Source(*fact.mark)})"
        return f"{fact}{ending}{where}"


def indented(lines: list[str]) -> list[str]:
    return [f"    {part}" for line in lines for part in line.split("\n")]


def _joined(parts: list[str]) -> str:
    return ", ".join(parts) + ("," if len(parts) == 1 else "")


def _wrapped(condition: str) -> str:
    return f"({condition})" if " and " in condition or " or " in condition else condition


def held_up(lines: list[str]) -> list[str]:
    """A line that writes to memory: an interrupt, which comes when the machine code has returned,
    waits until all is done."""
    return [f"try: {line}\nexcept KeyboardInterrupt as stop: halted = stop" for line in lines]


def repeated(lines: list[str]) -> list[str]:
    """Lines that come out the same however often they run, done once in spite of interrupts."""
    return ["while True:", "    try:", *indented(indented([*lines, "break"])),
            "    except KeyboardInterrupt as stop: halted = stop"]  # fmt: skip
