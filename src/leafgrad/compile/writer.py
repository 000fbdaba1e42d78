"""From the description of a kernel to LLVM IR: loops, vectors, addresses, sums, chunks for threads.

Vectors are written as such: LLVM is not asked to find them. So it can be left at inlining and code
generation, a loop compiles in milliseconds, and sums have the order that is written here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .instructions import DTYPES, OPS, REDUCTIONS, SIZES, cast, from_memory, rounded, to_memory
from .ir import Block, Module, Type, V, literal, where
from .kernel import Access, Kernel, Loop, Value, home, nodes
from .math import FUNCTIONS

if TYPE_CHECKING:
    from .llvm import Target

_WORTH_SHARING = 30_000.0  # estimated ns from which on a loop is cut into chunks for threads
_CHUNK = 15_000.0  # and how long a chunk shall take
_MOST_PARTS = 256
_LONG = 0.8  # ns of a body from which on it is not written twice
_LONG_LOOP = 2048  # steps from which on a call in each matters
_COPIES = 6  # of a function that are inlined
_BLOCK = 32  # steps of a sum that are added up on their own


def _arrange(kernel: Kernel) -> None:
    """Moves loads of what the kernel does not write, and all that follows, out of loops."""

    def place(body: list[Value | Loop], here: Loop | None, bodies: dict[Any, list[Any]]) -> None:
        new: list[Value | Loop] = []
        bodies[here] = new
        for node in body:
            if isinstance(node, Loop):
                place(node.body, node, bodies)
                new.append(node)
                continue
            if node.op in ("store", "reduce"):
                new.append(node)
                continue
            where_to: Loop | None = None
            if node.op == "index":
                where_to = node.extra[0]
            elif node.op == "load":
                access: Access = node.extra
                if access.array.written or access.where is not None:
                    where_to = here
                for loop, _ in access.strides:
                    where_to = loop if where_to is None or loop.depth > where_to.depth else where_to
            for v in node.operands:
                theirs = home(v)
                if theirs is not None and (where_to is None or theirs.depth > where_to.depth):
                    where_to = theirs
            node.loop = where_to
            bodies[where_to].append(node)
        if here is None:
            kernel.body = new
        else:
            here.body = new

    place(kernel.body, None, {})


def _independent(loop: Loop) -> bool:
    """Whether neighbouring steps of a loop are independent of each other."""
    if loop.extent == 1:
        return False
    for node in nodes(loop.body):
        if node.op == "store":
            access: Access = node.extra
            if loop not in dict(access.strides) or (access.add and access.at is not None):
                return False
    return True


def _choose_vectors(body: list[Value | Loop], chosen: set[Loop]) -> None:
    for node in body:
        if not isinstance(node, Loop):
            continue
        if node.vector and _independent(node):
            chosen.add(node)
        elif any(isinstance(inner, Loop) for inner in node.body):
            _choose_vectors(node.body, chosen)
        elif node.vector is not False and _independent(node):
            chosen.add(node)


class Writer:
    """Writes the function of one kernel."""

    def __init__(self, module: Module, kernel: Kernel, symbol: str) -> None:
        self.module, self.kernel, self.symbol = module, kernel, symbol
        self.target: Target = module.target
        self.out = Block(module)
        self.lanes = 1
        self.mask: V | None = None
        self.env: dict[Value, V] = {}
        self.counters: dict[Loop, V | int] = {}
        self.caches: list[dict[Any, V]] = [{}]
        self.vectors: set[Loop] = set()
        self.width: dict[Loop, int] = {}
        self.one: dict[Loop, int] = {}  # lanes of one register
        self.over: dict[Value, Loop | None] = {}  # reduction -> the vector loop around its values
        self.entry: list[str] = []  # what stands first in the function: memory on the stack
        self.others: list[str] = []  # the functions of loops that threads share
        self.grain = 0  # steps of the shared loop in one chunk, while its function is written
        self.active: dict[Loop, list[Value]] = {}

    # Before writing

    def prepare(self) -> None:
        _arrange(self.kernel)
        _choose_vectors(self.kernel.body, self.vectors)
        self._spread(self.kernel.body, None)
        for loop in self.vectors:
            self.width[loop] = self._choose_width(loop)

    def _spread(self, body: list[Value | Loop], vector: Loop | None) -> None:
        """Which values vary between lanes; which reductions pass through which loop."""
        for node in body:
            if isinstance(node, Loop):
                self.active.setdefault(node, [])
                self._spread(node.body, node if node in self.vectors else vector)
                continue
            varies = any(v.varies for v in node.operands)
            if node.op == "index":
                varies = node.extra[0] is vector
            elif node.op in ("load", "store"):
                varies = varies or vector in dict(node.extra.strides)
            elif node.op == "reduce":
                over: Loop = node.extra[1]
                self.over[node] = vector
                inside = vector is not None and over.depth > vector.depth
                varies = varies and inside
                at: Loop | None = node.loop
                while at is not None:
                    self.active.setdefault(at, []).append(node)
                    if at is over:
                        break
                    at = at.parent
            node.varies = varies

    def _choose_width(self, loop: Loop) -> int:
        """Lanes of a vector loop: several registers where the body is short."""
        sizes, work, sums = [4], 0.0, False
        for node in nodes(loop.body):
            kind = DTYPES[node.dtype].kind
            if kind != "i1":
                sizes.append(SIZES[kind] if node.op != "index" else 8)
            work += _cost(node)
            sums = sums or node.op == "reduce"
        one = self.one[loop] = self.target.vector_bits // 8 // max(sizes)
        most = 1 if work > 1.5 else 4 if sums and work < 0.6 else 2
        n = loop.extent
        if not isinstance(n, int):
            return one * most
        if n <= one:
            return max(2, 1 << (n - 1).bit_length())
        best, cheapest = one, float("inf")
        for times in (1, 2, 4):
            if times > most:
                break
            steps = n // (one * times) * times + (times if n % (one * times) else 0)
            cost = steps + n // (one * times) * 0.3
            if cost < cheapest:
                best, cheapest = one * times, cost
        return best

    # Functions

    def write(self) -> str:
        """The kernel as a function of the table."""
        self.prepare()
        self.body(self.kernel.body, {})
        return "\n".join(
            [
                *self.others,
                f"define internal void @{self.symbol}(ptr noundef %table) noinline nounwind {{",
                "entry:",
                *self.entry,
                *self._heads(),
                *self.out.lines,
                "  ret void",
                "}",
            ]
        )

    def _heads(self) -> list[str]:
        """The addresses of the arrays, read from the table."""
        lines = []
        for array in self.kernel.arrays:
            n = array.number
            lines += [
                f"  %slot.{n} = getelementptr inbounds i64, ptr %table, i64 {array.slot}",
                f"  %a.{n} = load ptr, ptr %slot.{n}, !invariant.load !1",
            ]
        return lines

    # Values

    def cached(self, key: Any, make: Callable[[], V]) -> V:
        for known in self.caches:
            if key in known:
                return known[key]
        found = self.caches[-1][key] = make()
        return found

    def wide(self, value: V) -> V:
        """A value with all the lanes of the current vector."""
        if value.type.lanes == self.lanes:
            return value
        type = value.type.of(value.type.kind)._replace(lanes=self.lanes)
        return self.cached((value.text, type), lambda: _splat(value, type))

    def get(self, v: Value, wide: bool = False) -> V:
        if v.op == "const":
            lanes = self.lanes if wide else 1
            return self.out.const(Type(DTYPES[v.dtype].kind, lanes), v.extra[1])
        found = self.env[v]
        return self.wide(found) if wide else found

    def body(self, nodes: list[Value | Loop], sums: dict[Value, V]) -> dict[Value, V]:
        """Everything in a body, in order; `sums` are the reductions that pass through."""
        for node in nodes:
            if isinstance(node, Loop):
                for r, total in self.loop(node).items():
                    if r.extra[1] is node:
                        self.env[r] = self.finished(r, total)
                    else:
                        sums[r] = self.join(r, sums[r], total)
            elif node.op == "reduce":
                sums[node] = self.join(node, sums[node], self.reduced(node))
            elif node.op == "load":
                self.env[node] = self.load(node)
            elif node.op == "store":
                self.store(node)
            elif node.op != "const":
                self.env[node] = self.compute(node)
        return sums

    def compute(self, node: Value) -> V:
        d = DTYPES[node.dtype]
        if node.op == "scalar":
            return self.scalar(node)
        if node.op == "index":
            at = self.number(self.counters[node.extra[0]])
            if not node.varies or self.lanes == 1:
                return at
            return self.wide(at) + self.steps()
        operands = [self.get(v) for v in node.operands]
        if any(v.type.lanes > 1 for v in operands):
            operands = [self.get(v, wide=True) for v in node.operands]
        if node.op == "cast":
            return cast(operands[0], node.operands[0].dtype, node.dtype)
        first = DTYPES[node.operands[-1].dtype]
        self.out.inline = partial(self.worth_a_copy, node)
        result = OPS[node.op].write(first, *operands)
        return rounded(result, node.dtype) if d.is_float else result

    def worth_a_copy(self, node: Value, function: str) -> bool:
        """Whether a function is inlined: in long loops, and elsewhere a few times a module."""
        inlined = self.module.inlined
        inlined[function, self.kernel] += 1
        steps, loop = 1, node.loop
        while loop is not None:
            steps *= loop.extent if isinstance(loop.extent, int) else _LONG_LOOP
            loop = loop.parent
        if steps >= _LONG_LOOP:
            return inlined[function, self.kernel] <= _COPIES
        inlined[function, None] += 1
        return inlined[function, None] <= _COPIES

    def scalar(self, node: Value) -> V:
        d = DTYPES[node.dtype]
        slot = self.out.value(
            Type("ptr"), f"getelementptr inbounds i64, ptr %table, i64 {node.extra[0]}"
        )
        source = "float64" if d.is_float else "int64"
        kind = DTYPES[source].kind
        loaded = self.out.value(Type(kind), f"load {kind}, ptr {slot.text}")
        return cast(loaded, source, node.dtype)

    def number(self, value: V | int) -> V:
        return value if isinstance(value, V) else self.out.const(Type("i64"), value)

    def steps(self) -> V:
        """0, 1, 2... in the lanes, as int64."""
        lanes = ", ".join(f"i64 {i}" for i in range(self.lanes))
        return V(f"<{lanes}>", Type("i64", self.lanes), self.out)

    # Memory

    def address(self, access: Access) -> tuple[V, str]:
        """The address of an element; and how lanes go on: same, next or each (its own address)."""
        out, lanes = self.out, self.lanes
        index: V | int = access.offset
        step = 0
        for loop, stride in access.strides:
            if lanes > 1 and loop in self.vectors:
                step = stride
            at = self.counters[loop]
            if isinstance(at, int):
                part: V | int = at * stride
            elif stride == 1:
                part = at
            else:
                part = self.cached(("x", at.text, stride), partial(V.__mul__, at, stride))
            if isinstance(index, int) and isinstance(part, int):
                index += part
            elif index == 0 and isinstance(index, int):
                index = part
            else:
                index = self.number(part) + index if isinstance(index, int) else index + part
        at_lanes: V | None = None
        if access.at is not None:
            at_value = self.get(access.at)
            if at_value.type.lanes > 1:
                at_lanes = at_value
            else:
                index = at_value + index
        base = f"%a.{access.array.number}"
        memory = DTYPES[access.array.dtype].memory
        index = self.number(index)
        if step in (0, 1) and at_lanes is None:
            pointer = out.value(
                Type("ptr"), f"getelementptr inbounds {memory}, ptr {base}, i64 {index.text}"
            )
            return pointer, "next" if step else "same"
        where_to = self.wide(index)
        if step:
            offsets = ", ".join(f"i64 {i * step}" for i in range(lanes))
            where_to = where_to + V(f"<{offsets}>", Type("i64", lanes), out)
        if at_lanes is not None:
            where_to = where_to + at_lanes
        pointer = out.value(
            Type("ptr", lanes),
            f"getelementptr inbounds {memory}, ptr {base}, {where_to.type.text} {where_to.text}",
        )
        return pointer, "each"

    def guard(self, access: Access) -> V | None:
        """Which lanes may touch memory."""
        if access.where is None:
            return self.mask if self.lanes > 1 else None
        condition = self.get(access.where)
        if self.lanes > 1 and condition.type.lanes == 1:
            condition = self.wide(condition)
        return condition & self.mask if self.mask is not None and self.lanes > 1 else condition

    def load(self, node: Value) -> V:
        access: Access = node.extra
        pointer, how = self.address(access)
        memory = DTYPES[access.array.dtype].memory
        guard = self.guard(access)
        if how == "same" and (access.where is None or self.get(access.where).type.lanes == 1):
            guard = None if access.where is None else self.get(access.where)
            return from_memory(self.load_one(pointer, memory, guard), access.array.dtype)
        if self.lanes == 1:
            return from_memory(self.load_one(pointer, memory, guard), access.array.dtype)
        if how == "same":
            pointer, how = self.wide(pointer), "each"
        type = Type(memory, self.lanes)
        return from_memory(self.read(pointer, how, type, guard), access.array.dtype)

    def load_one(self, pointer: V, memory: str, guard: V | None) -> V:
        type = Type(memory)
        text = f"load {memory}, ptr {pointer.text}, align {SIZES[memory]}"
        if guard is None:
            return self.out.value(type, text)
        out = self.out
        yes, done, before = out.new_label("read"), out.new_label("done"), out.label
        out.line(f"br i1 {guard.text}, label %{yes}, label %{done}")
        out.start(yes)
        loaded = out.value(type, text)
        out.line(f"br label %{done}")
        out.start(done)
        zero = literal(type, 0)
        return out.value(type, f"phi {memory} [{loaded.text}, %{yes}], [{zero}, %{before}]")

    def read(self, pointer: V, how: str, type: Type, guard: V | None) -> V:
        out, align = self.out, SIZES[type.kind]
        if how == "next" and guard is None:
            return out.value(type, f"load {type.text}, ptr {pointer.text}, align {align}")
        mask = Type("i1", type.lanes)
        guard_text = literal(mask, True) if guard is None else guard.text
        if how == "next":
            name, place = f"llvm.masked.load.{type.mark}.p0", "ptr"
        else:
            name, place = f"llvm.masked.gather.{type.mark}.v{type.lanes}p0", f"<{type.lanes} x ptr>"
        self.module.declare(f"declare {type.text} @{name}({place}, i32, {mask.text}, {type.text})")
        return out.value(
            type,
            f"call {type.text} @{name}({place} {pointer.text}, i32 {align}, "
            f"{mask.text} {guard_text}, {type.text} zeroinitializer)",
        )

    def store(self, node: Value) -> None:
        access: Access = node.extra
        dtype = access.array.dtype
        pointer, how = self.address(access)
        memory, guard = DTYPES[dtype].memory, self.guard(access)
        out, align = self.out, SIZES[memory]
        lanes = self.lanes if how != "same" else 1
        value = self.get(node.operands[0], wide=lanes > 1)
        if lanes == 1:
            skip = ""
            if access.where is not None:
                condition = self.get(access.where)
                do, skip = out.new_label("write"), out.new_label("done")
                out.line(f"br i1 {condition.text}, label %{do}, label %{skip}")
                out.start(do)
            if access.add:
                old = from_memory(self.load_one(pointer, memory, None), dtype)
                value = rounded(_plus(old, value), dtype)
            stored = to_memory(value, dtype)
            out.line(f"store {memory} {stored.text}, ptr {pointer.text}, align {align}")
            if skip:
                out.line(f"br label %{skip}")
                out.start(skip)
            return
        type = Type(memory, lanes)
        if access.add:
            old = from_memory(self.read(pointer, how, type, guard), dtype)
            value = rounded(_plus(old, value), dtype)
        stored = to_memory(value, dtype)
        if how == "next" and guard is None:
            out.line(f"store {type.text} {stored.text}, ptr {pointer.text}, align {align}")
            return
        mask = Type("i1", lanes)
        guard_text = literal(mask, True) if guard is None else guard.text
        if how == "next":
            name, place = f"llvm.masked.store.{type.mark}.p0", "ptr"
        else:
            name, place = f"llvm.masked.scatter.{type.mark}.v{lanes}p0", f"<{lanes} x ptr>"
        self.module.declare(f"declare void @{name}({type.text}, {place}, i32, {mask.text})")
        out.line(
            f"call void @{name}({type.text} {stored.text}, {place} {pointer.text}, "
            f"i32 {align}, {mask.text} {guard_text})"
        )

    # Reductions

    def sum_type(self, r: Value, inside: bool) -> Type:
        """The type of the running total of a reduction; inside: in its vector loop."""
        kind = DTYPES[r.dtype].kind
        vector = self.over[r]
        if vector is None:
            return Type(kind)
        if r.extra[1].depth > vector.depth:  # ends inside the vector loop: one total a lane
            return Type(kind, self.lanes if r.operands[0].varies else 1)
        return Type(kind, self.lanes if inside else self.width[vector])

    def start_of(self, r: Value, type: Type) -> V:
        return self.out.const(type, REDUCTIONS[r.extra[0]].start(DTYPES[r.dtype], r.dtype))

    def join(self, r: Value, a: V, b: V) -> V:
        return REDUCTIONS[r.extra[0]].join(DTYPES[r.dtype], a, b)

    def reduced(self, r: Value) -> V:
        """What this step adds to a reduction."""
        type = self.sum_type(r, True)
        value = self.get(r.operands[0], wide=type.lanes > 1)
        vector = self.over[r]
        if self.mask is not None and vector is not None and r.extra[1].depth <= vector.depth:
            value = where(self.mask, value, self.start_of(r, type))
        return value

    def finished(self, r: Value, total: V) -> V:
        """The result of a reduction: its lanes joined, halves on halves."""
        vector = self.over[r]
        if vector is not None and r.extra[1].depth <= vector.depth:
            total = self.across(r, total)
        return rounded(total, r.dtype)

    def across(self, r: Value, total: V) -> V:
        while total.type.lanes > 1:
            half = total.type.lanes // 2
            total = self.join(r, _lanes(total, 0, half), _lanes(total, half, half))
        return total

    # Loops

    def loop(self, node: Loop) -> dict[Value, V]:
        """A whole loop; the totals of the reductions that pass through it."""
        extent = node.extent if isinstance(node.extent, int) else self.get(node.extent)
        if node.parent is None and _independent(node):
            time = _time(node)
            if not isinstance(extent, int) or time * extent > _WORTH_SHARING:
                return self.shared(node, extent, time)
        return self.range(node, 0, extent)

    def shared(self, node: Loop, extent: int | V, time: float) -> dict[Value, V]:
        """A loop that threads share: its steps become a function of a range of them."""
        active = self.active[node]
        width = self.width.get(node, 1)
        grain = max(1, round(_CHUNK / time / width)) * width
        used = {
            v: None
            for n in nodes(node.body)
            for v in n.operands
            if home(v) is None and v.op != "const"
        }
        if isinstance(node.extent, Value):
            used.pop(node.extent, None)
        symbol = f"{self.symbol}.{node.number}"
        table = {v: i for i, v in enumerate(used)}
        self.others.append(self.chunk(node, symbol, table, grain))

        out = self.out
        size = len(used) + 1 + _MOST_PARTS * len(active)
        frame = V(f"%frame.{node.number}", Type("ptr"), out)
        self.entry.append(f"  {frame.text} = alloca [{size} x i64], align 64")
        for v, i in table.items():
            stored = to_memory(self.get(v), v.dtype)
            memory = DTYPES[v.dtype].memory
            out.line(f"store {memory} {stored.text}, ptr {self.word(frame, i).text}")
        totals = [self.word(frame, len(used) + 1 + _MOST_PARTS * i) for i in range(len(active))]
        for r, first in zip(active, totals, strict=True):
            kind = DTYPES[r.dtype].kind
            start = self.start_of(r, Type(kind))
            out.line(f"store {kind} {start.text}, ptr {first.text}")
        self.module.use("lg_parts", "i64", "ptr", "ptr", "ptr", "i64", "i64")
        n = self.number(extent)
        parts = out.value(
            Type("i64"),
            f"call i64 @lg_parts(ptr %table, ptr @{symbol}, ptr {frame.text}, i64 {n.text}, "
            f"i64 {grain})",
        )
        results = {}
        for r, first in zip(active, totals, strict=True):
            results[r] = self.joined(r, first, parts)
        return results

    def chunk(self, node: Loop, symbol: str, table: dict[Value, int], grain: int) -> str:
        """The function of some steps of a loop; `table` says where in the frame values are."""
        before = self.out, self.env, self.caches, self.counters
        self.out, self.env, self.caches, self.counters = Block(self.module), {}, [{}], {}
        out, frame = self.out, V("%frame", Type("ptr"), self.out)
        for v, i in table.items():
            memory = DTYPES[v.dtype].memory
            word = self.word(frame, i)
            loaded = out.value(Type(memory), f"load {memory}, ptr {word.text}")
            self.env[v] = from_memory(loaded, v.dtype)
        begin, end, part = (V(f"%{name}", Type("i64"), out) for name in ("begin", "end", "part"))
        self.grain = grain
        totals = self.range(node, begin, end)
        self.grain = 0
        for i, (r, total) in enumerate(totals.items()):
            done = self.finished(r, total)
            index = part + (len(table) + 1 + _MOST_PARTS * i)
            kind = done.type.kind
            place = out.value(
                Type("ptr"), f"getelementptr inbounds i64, ptr %frame, i64 {index.text}"
            )
            out.line(f"store {kind} {done.text}, ptr {place.text}")
        text = "\n".join(
            [
                f"define internal void @{symbol}(ptr noundef %table, ptr noundef %frame, "
                "i64 noundef %begin, i64 noundef %end, i64 noundef %part) noinline nounwind {",
                "entry:",
                *self._heads(),
                *out.lines,
                "  ret void",
                "}",
            ]
        )
        self.out, self.env, self.caches, self.counters = before
        return text

    def word(self, frame: V, i: int) -> V:
        return self.out.value(Type("ptr"), f"getelementptr inbounds i64, ptr {frame.text}, i64 {i}")

    def joined(self, r: Value, first: V, parts: V) -> V:
        """What the chunks left behind, joined: half with half, again and again."""
        kind = DTYPES[r.dtype].kind
        name = f"lg.join.{r.extra[0]}.{r.dtype}"
        if name not in self.module.functions:
            out = Block(self.module)
            a, b = (
                out.value(Type(kind), f"load {kind}, ptr %{which}") for which in ("left", "right")
            )
            total = REDUCTIONS[r.extra[0]].join(DTYPES[r.dtype], a, b)
            self.module.functions[name] = (
                _JOIN.replace("NAME", name)
                .replace("KIND", kind)
                .replace("  BODY", "\n".join(out.lines))
                .replace("TOTAL", total.text)
            )
        return self.out.value(
            Type(kind), f"call {kind} @{name}(ptr {first.text}, i64 {parts.text})"
        )

    def range(self, node: Loop, begin: int | V, end: int | V) -> dict[Value, V]:
        """The steps of a loop from begin to end."""
        inside = node in self.vectors
        if not inside:
            within = self.inside(node)
            start = {r: self.start_of(r, self.sum_type(r, within)) for r in self.active[node]}
            return self.counted(node, begin, end, 1, start)
        width = self.width[node]
        self.lanes = width
        start = {r: self.start_of(r, self.sum_type(r, True)) for r in self.active[node]}
        known = isinstance(node.extent, int) and node.extent % width == 0
        if not known and self.can_mask(node) and _time(node) > _LONG:
            # one copy of a long body: every step under a mask
            sums = self.counted(node, begin, end, width, start, self.under_mask)
            self.lanes = 1
            return sums
        if isinstance(begin, int) and isinstance(end, int):
            whole = begin + (end - begin) // width * width
            sums = self.counted(node, begin, whole, width, start)
            if whole < end:
                short = self.can_mask(node) or end - whole == 1
                sums = (self.short_tail if short else self.scalar_tail)(node, whole, end, sums)
        elif known:
            sums = self.counted(node, begin, end, width, start)
        else:
            low, high = self.number(begin), self.number(end)
            last = low + ((high - low) & -width)
            sums = self.counted(node, begin, last, width, start)
            tail = self.masked_tail if self.can_mask(node) else self.scalar_tail
            sums = self.branch(last < high, sums, lambda s: tail(node, last, end, s))
        self.lanes = 1
        return sums

    def inside(self, node: Loop) -> bool:
        """Whether a loop lies inside a vector loop."""
        at = node.parent
        while at is not None:
            if at in self.vectors:
                return True
            at = at.parent
        return False

    def can_mask(self, node: Loop) -> bool:
        if self.target.masks == "all":
            return True
        return self.target.masks == "wide" and all(
            SIZES[DTYPES[v.extra.array.dtype].memory] >= 4
            for v in nodes(node.body)
            if v.op in ("load", "store")
        )

    def under_mask(
        self, node: Loop, begin: int | V, end: int | V, sums: dict[Value, V]
    ) -> dict[Value, V]:
        """One step of a vector loop, of the lanes before the end."""
        left = self.number(end) - self.number(begin)
        self.mask = self.steps() < self.wide(left)
        sums = self.step(node, begin, sums)
        self.mask = None
        return sums

    def short_tail(self, node: Loop, begin: int, end: int, sums: dict[Value, V]) -> dict[Value, V]:
        """The last steps, their number known: a shorter vector, under a mask if need be.

        A single lane is not masked: LLVM 22 writes too many bytes for a mask of one lane."""
        left = end - begin
        lanes = 1 << (left - 1).bit_length()

        def one(start: dict[Value, V]) -> dict[Value, V]:
            if left < lanes:
                bits = ", ".join(f"i1 {str(i < left).lower()}" for i in range(lanes))
                self.mask = V(f"<{bits}>", Type("i1", lanes), self.out)
            rest = self.step(node, begin, start)
            self.mask = None
            return rest

        return self.tail(sums, lanes, one)

    def masked_tail(
        self, node: Loop, begin: int | V, end: int | V, sums: dict[Value, V]
    ) -> dict[Value, V]:
        """The last steps, one register at a time."""
        lanes = self.one[node]

        def steps(start: dict[Value, V]) -> dict[Value, V]:
            return self.simple(
                begin, end, lanes, start, lambda i, s: self.under_mask(node, i, end, s)
            )

        return self.tail(sums, lanes, steps)

    def scalar_tail(
        self, node: Loop, begin: int | V, end: int | V, sums: dict[Value, V]
    ) -> dict[Value, V]:
        """The last steps, one by one."""
        return self.tail(sums, 1, lambda start: self.counted(node, begin, end, 1, start))

    def tail(
        self,
        sums: dict[Value, V],
        lanes: int,
        do: Callable[[dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        """Last steps in fewer lanes: their totals join the first lanes."""
        width, self.lanes = self.lanes, lanes
        rest = do({r: self.start_of(r, self.sum_type(r, True)) for r in sums})
        self.lanes = width
        joined = {}
        for r, total in sums.items():
            few, type = rest[r], total.type
            if few.type.lanes < type.lanes:
                empty = self.start_of(r, few.type)
                if few.type.lanes == 1:
                    few = self.out.value(
                        type,
                        f"insertelement {type.text} {self.start_of(r, type).text}, "
                        f"{type.kind} {few.text}, i32 0",
                    )
                else:
                    order = ", ".join(f"i32 {min(i, lanes)}" for i in range(type.lanes))
                    few = self.out.value(
                        type,
                        f"shufflevector {few.type.text} {few.text}, "
                        f"{few.type.text} {empty.text}, <{type.lanes} x i32> <{order}>",
                    )
            joined[r] = self.join(r, total, few)
        return joined

    def step(self, node: Loop, at: int | V, sums: dict[Value, V]) -> dict[Value, V]:
        """One step of a loop (of all lanes, if it is the vector loop)."""
        self.counters[node] = at
        self.caches.append({})
        sums = self.body(node.body, dict(sums))
        self.caches.pop()
        return sums

    def counted(
        self,
        node: Loop,
        begin: int | V,
        end: int | V,
        step: int,
        start: dict[Value, V],
        last: Callable[[Loop, int | V, int | V, dict[Value, V]], dict[Value, V]] | None = None,
    ) -> dict[Value, V]:
        """Steps from begin to end, long sums in blocks of blocks. `last` takes all the steps, if
        any may be the last and have fewer lanes than the others."""
        blocked = [r for r in start if r.extra[0] == "sum" and DTYPES[r.dtype].is_float]
        levels = 0
        if blocked:
            trips = _BLOCK**3
            if isinstance(begin, int) and isinstance(end, int):
                trips = -(-(end - begin) // step)
            elif self.grain and node.parent is None:
                trips = self.grain // step
            while trips > 2 * _BLOCK:
                trips = -(-trips // _BLOCK)
                levels += 1

        def go(level: int, low: int | V, high: int | V, sums: dict[Value, V]) -> dict[Value, V]:
            if level == 0:
                if last is not None:
                    return self.simple(low, high, step, sums, lambda i, s: last(node, i, end, s))
                return self.simple(low, high, step, sums, lambda i, s: self.step(node, i, s))
            size = step * _BLOCK**level

            def block(i: int | V, s: dict[Value, V]) -> dict[Value, V]:
                stop: int | V
                if isinstance(i, int) and isinstance(high, int):
                    stop = min(i + size, high)
                else:
                    stop = self.number(i) + size
                    if not (
                        isinstance(low, int) and isinstance(high, int) and (high - low) % size == 0
                    ):
                        most = self.number(high)
                        stop = where(stop < most, stop, most)
                inner = {r: self.start_of(r, v.type) if r in blocked else v for r, v in s.items()}
                inner = go(level - 1, i, stop, inner)
                return {r: self.join(r, s[r], v) if r in blocked else v for r, v in inner.items()}

            return self.simple(low, high, size, sums, block)

        return go(levels, begin, end, start)

    def simple(
        self,
        begin: int | V,
        end: int | V,
        step: int,
        sums: dict[Value, V],
        one: Callable[[int | V, dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        """`one` for begin, begin + step... below end."""
        if isinstance(begin, int) and isinstance(end, int):
            if begin >= end:
                return sums
            if begin + step >= end:
                return one(begin, sums)
        else:
            some = self.number(begin) < self.number(end)
            return self.branch(some, sums, lambda s: self._repeat(begin, end, step, s, one))
        return self._repeat(begin, end, step, sums, one)

    def _repeat(
        self,
        begin: int | V,
        end: int | V,
        step: int,
        sums: dict[Value, V],
        one: Callable[[int | V, dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        out = self.out
        head, before = out.new_label("loop"), out.label
        out.line(f"br label %{head}")
        out.start(head)
        at = V(out.name(), Type("i64"), out)
        names = {r: V(out.name(), v.type, out) for r, v in sums.items()}
        place = len(out.lines)
        out.lines += [""] * (1 + len(sums))
        self.caches.append({})
        after = one(at, dict(names))
        self.caches.pop()
        following = out.value(Type("i64"), f"add nuw nsw i64 {at.text}, {step}")
        last = self.number(end)
        more = following < last
        latch = out.label
        end_label = out.new_label("end")
        out.line(f"br i1 {more.text}, label %{head}, label %{end_label}")
        first = self.number(begin).text
        out.lines[place] = (
            f"  {at.text} = phi i64 [{first}, %{before}], [{following.text}, %{latch}]"
        )
        for i, (r, v) in enumerate(names.items()):
            out.lines[place + 1 + i] = (
                f"  {v.text} = phi {v.type.text} [{sums[r].text}, %{before}], "
                f"[{after[r].text}, %{latch}]"
            )
        out.start(end_label)
        return after

    def branch(
        self,
        condition: V,
        sums: dict[Value, V],
        then: Callable[[dict[Value, V]], dict[Value, V]],
    ) -> dict[Value, V]:
        """`then` if the condition holds."""
        out = self.out
        yes, done, before = out.new_label("then"), out.new_label("else"), out.label
        out.line(f"br i1 {condition.text}, label %{yes}, label %{done}")
        out.start(yes)
        self.caches.append({})
        after = then(sums)
        self.caches.pop()
        last = out.label
        out.line(f"br label %{done}")
        out.start(done)
        return {
            r: out.value(
                v.type,
                f"phi {v.type.text} [{after[r].text}, %{last}], [{v.text}, %{before}]",
            )
            for r, v in sums.items()
        }


def _splat(value: V, type: Type) -> V:
    out = value.out
    if value.text[0] != "%":
        return V(f"splat ({value.type.kind} {value.text})", type, out)
    one = out.value(
        type, f"insertelement {type.text} poison, {value.type.text} {value.text}, i32 0"
    )
    return out.value(
        type,
        f"shufflevector {type.text} {one.text}, {type.text} poison, "
        f"<{type.lanes} x i32> zeroinitializer",
    )


def _lanes(value: V, first: int, count: int) -> V:
    """Some neighbouring lanes of a vector."""
    type = Type(value.type.kind, count)
    if count == 1:
        right = f"extractelement {value.type.text} {value.text}, i32 {first}"
    else:
        order = ", ".join(f"i32 {first + i}" for i in range(count))
        right = (
            f"shufflevector {value.type.text} {value.text}, {value.type.text} poison, "
            f"<{count} x i32> <{order}>"
        )
    return value.out.value(type, right)


def _plus(a: V, b: V) -> V:
    return a | b if a.type.kind == "i1" else a + b


_JOIN = """\
define internal KIND @NAME(ptr %first, i64 %parts) noinline {
entry:
  br label %round
round:
  %count = phi i64 [%parts, %entry], [%half, %ended]
  %odd = add i64 %count, 1
  %half = lshr i64 %odd, 1
  %more = icmp ugt i64 %count, 1
  br i1 %more, label %pairs, label %done
pairs:
  %i = phi i64 [0, %round], [%next, %pairs]
  %other = add i64 %i, %half
  %left = getelementptr i64, ptr %first, i64 %i
  %right = getelementptr i64, ptr %first, i64 %other
  BODY
  store KIND TOTAL, ptr %left
  %next = add i64 %i, 1
  %after = add i64 %other, 1
  %again = icmp ult i64 %after, %count
  br i1 %again, label %pairs, label %ended
ended:
  br label %round
done:
  %result = load KIND, ptr %first
  ret KIND %result
}"""

_CHEAP = 0.03


def _time(loop: Loop) -> float:
    """About how many ns a step of a loop takes."""
    total = 0.0
    for node in loop.body:
        if isinstance(node, Loop):
            steps = node.extent if isinstance(node.extent, int) else 64
            total += _time(node) * steps
        else:
            total += _cost(node)
    return total


def _cost(node: Value) -> float:
    """About how many ns one element of a node takes."""
    if node.op in FUNCTIONS:
        return 1.0 if node.dtype == "float64" else 0.5
    if node.op in ("divide", "sqrt", "remainder", "floor_divide", "reciprocal", "rsqrt"):
        return 0.3
    if node.op in ("const", "scalar"):
        return 0.0
    return 0.1 if node.op in ("load", "store") else _CHEAP
