"""What a captured step leaves behind, and the Python that does it again.

After a capture, the tensors that were there before are compared with what they were: memory that
was written, other arrays, gradients, versions. With the results they make the outputs of the program
and the lines of code that a replay runs before it (checks) and after it (commit, results). All
that a step changes is changed at the end, so a replay that fails changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.cut import Cut
from ..graph.inplace import ViewEdge
from ..graph.node import LEAF, Freed, Output
from ..tensor import COUNT, MARK, Tensor, known_edge
from .backward import Backward
from .capture import Recorder, Seen
from .captured import Captured, Storage
from .guards import Fact, Place, Reach
from .program import Const, Input, place, values_in
from .program import Output as Result
from .watch import get

__all__ = ["Effects"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype)


class Effects:
    """The effects of one captured step. Call it while the recorder still holds its tensors.

    checks: facts about tensors, to be looked at after those of the reach; before: lines that name
    what they look at; inputs: per input of the program the expression that gives its array (or
    number); commit: lines that do what the step did, given the program's outputs `r0`, `r1`...,
    but for memory that it wrote; result: the expression of what it returned
    """

    def __init__(self, recorder: Recorder, reach: Reach, result: Any) -> None:
        self.recorder, self.reach = recorder, reach
        self.checks: list[Fact] = []
        self.before: list[str] = []  # lines that name what the checks and the commit use
        self.commit: list[str] = []
        self.counts: list[str] = []  # lines that find out the new version numbers
        self.versions: dict[Input, str] = {}  # the version counters of inputs
        self.inputs: dict[Input, str] = {}
        self.bound: dict[str, Place] = {}  # names of arrays that belong to bound tensors
        self.finals: list[Any] = []  # per output, the real array that it became in the capture
        self.live: list[Any] = []  # results that can still be differentiated
        self.holders: dict[int, str] = {}  # output -> the new tensor whose array it becomes
        self.backward: Backward | None = None
        self._names: dict[int, str] = {}  # tensor -> the expression or local name for it
        self._roots: dict[int, str] = {}  # storage -> the expression for its array, after the run
        self._versions: dict[int, str] = {}  # version counter -> the expression for it
        self._new = 0
        self.space = space = reach.space
        space.update(LEAF=LEAF, Tensor=Tensor, ViewEdge=ViewEdge, new=object.__new__, place=place)
        seen = list(recorder.seen.values())
        for each in seen:
            self._locate(each)
        for each in seen:
            if id(each.tensor) in self._names:
                self._check(each)
        self._scalars()
        self._stores()
        for each in seen:
            if id(each.tensor) in self._names:
                self._changes(each)
        self.result = self._tree(result)
        self._overlaps()
        if self.live and recorder.failed is None:
            self.backward = Backward(recorder, self.live)
            self.targets = [self._names[id(t)] for t in self.backward.targets]

    def _fail(self, reason: str) -> None:
        self.recorder.fail(reason, ())

    # Where tensors are found

    def _locate(self, seen: Seen) -> None:
        """Give a tensor of before a name: that it is bound to, or a local one."""
        key = id(seen.tensor)
        place = self.reach.tensors.get(key)
        if place is None:
            place = self._as_gradient(seen)
            if place is None:
                return
        if place.name is not None:
            self._names[key] = place.name
        else:
            name = self._names[key] = f"t{len(self._names)}"
            self.before.append(f"{name} = {place.code}")

    def _as_gradient(self, seen: Seen) -> Place | None:
        """The place of a tensor that is another's gradient."""
        for other in self.recorder.seen.values():
            if other.grad is seen.tensor:
                if id(other.tensor) not in self._names:
                    self._locate(other)
                owner = self._names.get(id(other.tensor))
                if owner is not None:
                    known = self.reach.tensors.get(id(other.tensor))
                    label = f"{known.label}.grad" if known else "a gradient"
                    made = Place(seen.tensor, f"{owner}._grad", label, None, None)
                    self.reach.tensors[id(seen.tensor)] = made
                    return made
        self._fail("it reads a tensor whose origin cannot be told")
        return None

    def _place(self, seen: Seen) -> Place:
        return self.reach.tensors[id(seen.tensor)]

    # Checks

    def _check(self, seen: Seen) -> None:
        """The facts about a tensor: its array, whether it requires grad, its gradient."""
        name, place = self._names[id(seen.tensor)], self._place(seen)
        bind = self.reach.bind
        label = place.label
        captured = self.recorder.arrays.get(id(seen.array))
        if place.name is None:
            self._fact(f"{name}.__class__ is not {bind(type(seen.tensor))}", name,
                       f"the type of {label}", seen.tensor, place)  # fmt: skip
        if captured is not None:
            value = captured._storage.input
            array = seen.array
            if place.name is None:
                code = f"{name}._array"
                self._fact(
                    f"(x := {code}).dtype is not {bind(array.dtype)} or x.shape != {array.shape} "
                    f"or x.strides != {array.strides}",
                    f"({code}.dtype.name, {code}.shape, {code}.strides)",
                    f"dtype, shape and strides of {label}",
                    (array.dtype.name, array.shape, array.strides), place,
                )  # fmt: skip
            else:
                code = bind(array)
                self.bound[code] = place
                self._fact(f"{name}._array is not {code}", f"{name}._array", f"{label}.data",
                           array, place, True)  # fmt: skip
            if value is not None and value not in self.inputs:
                self.inputs[value] = code
                self.versions[value] = f"{name}._versions"
                value.label = label
        edge = seen.edge
        if edge is LEAF:
            fails = f"{name}._edge is not LEAF"
        elif edge is None or isinstance(edge, Cut):
            fails = f"{name}._edge is not None and {name}.requires_grad"
        else:
            wanted = edge.plain or edge.peek(seen.tensor) is not None
            fails = f"{name}.requires_grad is not {wanted}"
        self._fact(fails, f"{name}.requires_grad", f"{label}.requires_grad",
                   seen.tensor.requires_grad, place)  # fmt: skip
        if edge is LEAF or seen.grad is not None:
            test = "is not" if seen.grad is None else "is"
            self._fact(f"{name}._grad {test} None", f"{name}._grad is None",
                       f"{label}.grad is None", seen.grad is None, place)  # fmt: skip

    def _fact(self, fails: str, code: str, label: str, old: Any, place: Place,
              array: bool = False) -> None:  # fmt: skip
        self.checks.append(Fact(fails, code, label, old, place.mark, place if array else None))

    def _scalars(self) -> None:
        """Numbers that are read at each run."""
        for owner, key, value in self.recorder.scalars:
            name = self.reach.bind(owner)
            code = f"{name}[{key!r}]" if not isinstance(key, tuple) else \
                f"{name}[{key[0]!r}][{key[1]}]"  # fmt: skip
            self.space["float64"] = np.float64
            self.inputs[value] = f"float64({code})"
            value.label = key if isinstance(key, str) else f"{key[0]}_{key[1]}"
            fact = self.reach.options.pop(
                (id(owner), key if isinstance(key, str) else key[0]), None
            )
            if fact is not None:
                kind = f"type({code}) is not float"
                self.checks.append(Fact(kind, code, fact.label, fact.old, fact.mark))

    # Memory that was written

    def _stores(self) -> None:
        """Memory of before that has another value now."""
        for captured in self.recorder.arrays.values():
            storage = captured._storage
            value = storage.input
            if value is None:
                continue
            if value not in self.inputs:
                self._fail("it reads memory whose origin cannot be told")
                continue
            code = self.inputs[value]
            if storage.epoch and storage.value is not value:
                self._output(storage, value.label, value)
            self._roots[id(storage)] = code

    def _output(self, storage: Storage, label: str, target: Any = None) -> int:
        outputs = self.recorder.program.outputs
        outputs.append(Result(storage.value, label, target, storage.array.strides))
        self.finals.append(storage.array)
        return len(outputs) - 1

    def _overlaps(self) -> None:
        """Fail if memory was written that overlaps other memory which the program has apart."""
        storages = {id(c._storage): c._storage for c in self.recorder.arrays.values()}
        for storage in storages.values():
            if storage.epoch:
                for other in storages.values():
                    if other is not storage and np.may_share_memory(storage.array, other.array):
                        self.recorder.overlap = True
                        self._fail("tensors share memory that the step writes to")

    # Changes to tensors of before

    def _changes(self, seen: Seen) -> None:
        name, tensor = self._names[id(seen.tensor)], seen.tensor
        array = get(tensor)
        held = array.held if array.__class__ is Captured else array
        if held is not seen.array:
            self.commit.append(f"{name}._array = {self._array(tensor)}")
        versions = tensor._versions
        if versions is not seen.versions:
            self._fail("a tensor is set to other memory")
        elif versions[COUNT] != seen.count and id(versions) not in self._versions:
            self._versions[id(versions)] = f"{name}._versions"
            self._bump(f"{name}._versions", versions[COUNT] - seen.count, versions[MARK])
        grad = tensor.__dict__.get("_grad")
        if grad is not seen.grad:
            self.commit.append(f"{name}._grad = {self._tensor(grad)}")
            if grad is None:
                mark = self.reach.bind(tensor.__dict__.get("_cleared"))
                self.commit.append(f"{name}._cleared = {mark}")
        edge = tensor._edge
        if edge is not seen.edge and not isinstance(edge, ViewEdge):
            if edge is None or edge is LEAF or isinstance(edge, Cut):
                self.commit.append(f"{name}._edge = {self._constant(edge)}")
            else:
                self._fail("a tensor of before the step has a history in it afterwards")
        if seen.changed():
            self._fail("hooks or the like are put on a tensor")

    def _bump(self, versions: str, count: int, mark: Any) -> None:
        """Count writes, as `saved.bump` does."""
        space = self.reach.space
        if "clock" not in space:
            from ..graph.node import clock

            space["clock"] = clock
        if "tick = clock()" not in self.commit:
            self.commit.append("tick = clock()")
        # The new count is found out before anything is written, so that these lines may run again.
        number = f"c{len(self.counts)}" if versions.startswith(("o", "t")) else str(count)
        if number != str(count):
            self.counts.append(f"{number} = {versions}[0] + {count}")
        self.commit += [
            f"v = {versions}; v[0] = {number}; v[1] = tick; v[3] = {self.reach.bind(mark)}",
            f"if (r := v[2]) is None: v[2] = [tick] * {count}",
            "elif len(r) > 127: v[2] = r[-64:]",
            "else: r.append(tick)" if count == 1 else f"else: r.extend([tick] * {count})",
        ]

    # New tensors

    def _constant(self, thing: Any) -> str:
        if thing is None or thing is True or thing is False:
            return repr(thing)
        return "LEAF" if thing is LEAF else self.reach.bind(thing)

    def _tensor(self, tensor: Any) -> str:
        """The expression for a tensor: one of before by its name, a new one is made anew."""
        if tensor is None:
            return "None"
        known = self._names.get(id(tensor))
        if known is not None:
            return known
        if not self.recorder.is_new(tensor):
            place = self.reach.tensors.get(id(tensor))
            if place is None:
                self._fail("it returns a tensor whose origin cannot be told")
                return "None"
            return place.name or place.code
        live = self._is_live(tensor)
        base = "None" if live else self._tensor(tensor._base)
        array = self._array(tensor, live)
        name = self._names[id(tensor)] = f"n{self._new}"
        self._new += 1
        versions = tensor._versions
        key = id(versions)
        if key not in self._versions:
            shared = next((s for s in self.recorder.seen.values() if s.versions is versions), None)
            if shared is not None and id(shared.tensor) in self._names:
                self._versions[key] = f"{self._names[id(shared.tensor)]}._versions"
        known = self._versions.get(key)
        self.commit += [f"{name} = new({self.reach.bind(type(tensor))})",
                        f"{name}._array = {array}", f"{name}._base = {base}"]  # fmt: skip
        if live or known is None:
            self.commit.append(f"{name}._versions = [0, 0, None, None]")
            if versions[COUNT] and not live:
                self._bump(f"{name}._versions", versions[COUNT], versions[MARK])
        else:
            self.commit.append(f"{name}._versions = {known}")
        self._versions.setdefault(key, f"{name}._versions")
        if array.startswith("r"):
            self.holders[int(array[1:])] = name
        if live:
            self.live.append(tensor)  # its edge comes when all results are there
        else:
            self.commit.append(f"{name}._edge = {self._edge(tensor, name)}")
        for attribute, value in tensor.__dict__.items():
            if attribute == "_grad":
                if value is not None:
                    self.commit.append(f"{name}._grad = {self._tensor(value)}")
            elif isinstance(value, (*_PLAIN, Cut)) or attribute == "_cleared":
                self.commit.append(f"{name}.{attribute} = {self._constant(value)}")
            else:
                self._fail("hooks or the like are on a tensor that it returns")
        return name

    def _edge(self, tensor: Any, name: str) -> str:
        edge = tensor._edge
        if isinstance(edge, ViewEdge):
            return (f"ViewEdge({self._constant(edge.node)}, {name}._versions[0], "
                    f"{edge.origin!r}, {self._constant(edge.mark)})")  # fmt: skip
        return self._constant(edge)

    def _is_live(self, tensor: Any) -> bool:
        """Whether a result has a history that can still be walked: it needs a backward pass of its
        own. One that was freed is kept as it is: a walk through it raises."""
        edge = known_edge(tensor)
        if edge is None or edge is tensor:
            return False
        stack, known = [edge], set()
        while stack:
            node = stack.pop()
            node = node.node if node.__class__ is Output else node
            if node is None or id(node) in known or isinstance(node, Tensor):
                continue
            known.add(id(node))
            if node.saved.__class__ is Freed:
                return False
            if node.extra is not None:
                self._fail("its result has a history with hooks")
            stack.extend(node.next)
        if tensor._array.dtype.kind != "f":
            self._fail("its complex result can still be differentiated")
        return True

    def _array(self, tensor: Any, live: bool = False) -> str:
        """The expression for the array of a tensor that has another one than before the step. A
        live result has an array of its own."""
        array = get(tensor)
        if array.__class__ is not Captured:
            array = self.recorder.tensor_read(tensor, array)
            if array.__class__ is not Captured:
                self._fail("a tensor holds an unknown kind of array")
                return "None"
        storage: Storage = array._storage
        if live:
            if id(storage) in self._roots:
                self._fail("two of its results, or a result and an argument, share memory")
            self._roots[id(storage)] = "None"
            recorded = Storage(array.held, array.value())
            return f"r{self._output(recorded, 'result')}"
        root = self._roots.get(id(storage))
        if root is None:
            number = self._output(storage, "result")
            root = self._roots[id(storage)] = f"r{number}"
        path: list[Any] = []
        while array._parent is not None:
            path.append(array._link)
            array = array._parent
        if not path:
            return root
        for function, args, kwargs in path:
            for value in values_in((args, kwargs)):
                if not isinstance(value, Const):
                    self._fail(f"a result is a view that {function.__name__} takes")
        return f"place({root}, {self.reach.bind(tuple(path[::-1]))})"

    # Results

    def _tree(self, thing: Any) -> str:
        """The expression for a result: tensors, plain values, and containers of them."""
        if isinstance(thing, Tensor):
            return self._tensor(thing)
        if isinstance(thing, _PLAIN):
            return self._constant(thing)
        kind = type(thing)
        if kind in (tuple, list):
            inner = ", ".join(map(self._tree, thing))
            if kind is list:
                return f"[{inner}]"
            return f"({inner}{',' if len(thing) == 1 else ''})"
        if kind is dict:
            return "{" + ", ".join(
                f"{self._constant(k)}: {self._tree(v)}" for k, v in thing.items()) + "}"  # fmt: skip
        if isinstance(thing, tuple):
            inner = ", ".join(map(self._tree, thing))
            made = self.reach.bind(kind)
            return f"{made}({inner})" if hasattr(kind, "_fields") else f"{made}(({inner},))"
        if id(thing) in self.reach._seen:
            return self.reach.bind(thing)
        self._fail(f"it returns a {kind.__name__}")
        return "None"
