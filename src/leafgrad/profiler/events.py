"""Events of a profile, their averages, the table and the trace."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from ..graph.source import Source

OPERATOR, NODE, RANGE = "cpu_op", "cpu_op_backward", "user_annotation"


class Interval:
    """Start and end of an event, in microseconds from the beginning of the profile."""

    __slots__ = ("end", "start")

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def elapsed_us(self) -> float:
        return self.end - self.start


class _Times:
    """What a single event and an average have in common: times in microseconds, as PyTorch's."""

    cpu_time_total: float
    self_cpu_time_total: float
    count: int

    @property
    def cpu_time(self) -> float:
        """Microseconds of one call, on average."""
        return self.cpu_time_total / self.count if self.count else 0.0

    cpu_time_str = property(lambda self: time_text(self.cpu_time))
    cpu_time_total_str = property(lambda self: time_text(self.cpu_time_total))
    self_cpu_time_total_str = property(lambda self: time_text(self.self_cpu_time_total))
    # Nothing runs elsewhere than on the CPU.
    device_time = device_time_total = self_device_time_total = 0.0
    cuda_time = cuda_time_total = 0.0
    device_memory_usage = self_device_memory_usage = 0


class FunctionEvent(_Times):
    """One call: of an operator ("aten::mul"), of a node's derivative ("MulBackward0"), or a range
    named with `record_function`.

    start_ns, end_ns: from the beginning of the profile; mark: the expression of the program, that
    of the forward pass for a derivative; input_shapes: a list per tensor argument; memory: bytes
    of its results; cpu_parent, cpu_children: events around it and inside it
    """

    count = 1
    is_async = is_remote = is_legacy = False

    def __init__(self, id: int, name: str, kind: str, start_ns: int, mark: Any,
                 parent: FunctionEvent | None) -> None:  # fmt: skip
        self.id, self.name, self.kind = id, name, kind
        self.start_ns, self.end_ns, self.mark, self.cpu_parent = start_ns, start_ns, mark, parent
        self.cpu_children: list[FunctionEvent] = []
        self.input_shapes: list[Any] = []
        self.memory = 0
        self.sequence_nr = -1
        self.thread = 1

    @property
    def key(self) -> str:
        return "ProfilerStep*" if self.name.startswith("ProfilerStep#") else self.name

    @property
    def time_range(self) -> Interval:
        return Interval(self.start_ns / 1e3, self.end_ns / 1e3)

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        return (self.end_ns - self.start_ns) / 1e3

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        return self.cpu_time_total - sum(c.cpu_time_total for c in self.cpu_children)

    @property
    def cpu_memory_usage(self) -> int:
        return self.memory + sum(c.cpu_memory_usage for c in self.cpu_children)

    @property
    def self_cpu_memory_usage(self) -> int:
        return self.memory

    @property
    def is_user_annotation(self) -> bool:
        return self.kind == RANGE

    @property
    def source(self) -> Source | None:
        """The expression of the program, if known."""
        return None if self.mark is None else Source(*self.mark)

    @property
    def stack(self) -> list[str]:
        return [] if self.mark is None else [_line(self.mark)]

    def __repr__(self) -> str:
        return (f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time_str} "
                f"start_us={self.time_range.start:.3f} end_us={self.time_range.end:.3f} "
                f"cpu_children={[c.id for c in self.cpu_children]} "
                f"input_shapes={self.input_shapes}>")  # fmt: skip


class FunctionEventAvg(_Times):
    """Events of one name (and shapes, and place, if asked for) added up."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.input_shapes: Any = ""
        self.stack: list[str] = []
        self.is_user_annotation = False

    def add(self, event: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        """Add an event, or another average."""
        self.count += event.count
        self.cpu_time_total += event.cpu_time_total
        self.self_cpu_time_total += event.self_cpu_time_total
        self.cpu_memory_usage += event.cpu_memory_usage
        self.self_cpu_memory_usage += event.self_cpu_memory_usage
        return self

    def __repr__(self) -> str:
        return (f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
                f"cpu_time={self.cpu_time_str}  count={self.count} "
                f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage}>")  # fmt: skip


class EventList(list[Any]):
    """Events, or averages of them."""

    def __init__(self, events: Iterable[Any] = (), memory: bool = False) -> None:
        super().__init__(events)
        self.memory = memory

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all: every one is counted once."""
        return sum(e.self_cpu_time_total for e in self)

    def key_averages(self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0,
                     group_by_overload_name: bool = False) -> EventList:  # fmt: skip
        """Events of one name added up; those of other shapes or places apart, if asked for."""
        found: dict[Any, FunctionEventAvg] = {}
        for event in self:
            shapes = str(event.input_shapes) if group_by_input_shapes else ""
            stack = tuple(event.stack) if group_by_stack_n > 0 else ()
            key = event.key, shapes, stack
            if key not in found:
                found[key] = made = FunctionEventAvg(event.key)
                made.input_shapes = event.input_shapes if group_by_input_shapes else ""
                made.stack = list(stack)
                made.is_user_annotation = event.is_user_annotation
            found[key].add(event)
        return EventList(found.values(), self.memory)

    def total_average(self) -> FunctionEventAvg:
        """All added up."""
        total = FunctionEventAvg("Total")
        for event in self:
            total.add(event)
        return total

    def table(self, sort_by: str | None = None, row_limit: int = 100,
              max_src_column_width: int = 75, max_name_column_width: int = 55,
              max_shapes_column_width: int = 80, header: str | None = None,
              top_level_events_only: bool = False,
              time_unit: str | None = None) -> str:  # fmt: skip
        """The events as a text table.

        sort_by: "cpu_time", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage",
        "self_cpu_memory_usage" or "count", largest first
        """
        rows = [e for e in self if not top_level_events_only or e.cpu_parent is None]
        if sort_by is not None:
            rows.sort(key=lambda e: getattr(e, sort_by), reverse=True)
        total = self.self_cpu_time_total
        columns: list[tuple[str, Callable[[Any], str], int]] = [
            ("Name", lambda e: e.key, max_name_column_width),
            ("Self CPU %", lambda e: _share(e.self_cpu_time_total, total), 0),
            ("Self CPU", lambda e: time_text(e.self_cpu_time_total, time_unit), 0),
            ("CPU total %", lambda e: _share(e.cpu_time_total, total), 0),
            ("CPU total", lambda e: time_text(e.cpu_time_total, time_unit), 0),
            ("CPU time avg", lambda e: time_text(e.cpu_time, time_unit), 0),
        ]
        if self.memory:
            columns += [("CPU Mem", lambda e: _bytes(e.cpu_memory_usage), 0),
                        ("Self CPU Mem", lambda e: _bytes(e.self_cpu_memory_usage), 0)]  # fmt: skip
        columns.append(("# of Calls", lambda e: str(e.count), 0))
        if any(e.input_shapes for e in rows):
            columns.append(("Input Shapes", lambda e: str(e.input_shapes),
                            max_shapes_column_width))  # fmt: skip
        if any(e.stack for e in rows):
            columns.append(("Source Location", lambda e: "".join(e.stack[:1]),
                            max_src_column_width))  # fmt: skip
        return _drawn(columns, rows[: row_limit if row_limit >= 0 else None], header) + (
            f"\nSelf CPU time total: {time_text(total, time_unit)}\n"
        )

    def export_chrome_trace(self, path: str) -> None:
        """Write the events as a trace for chrome://tracing or Perfetto; zipped if `path` ends in
        .gz."""
        process = os.getpid()
        written = []
        for event in self:
            about: dict[str, Any] = {"External id": event.id}
            if event.sequence_nr >= 0:
                about["Sequence number"] = event.sequence_nr
            if event.input_shapes:
                about["Input Dims"] = event.input_shapes
            if event.mark is not None:
                about["Source"] = str(event.source)
            written.append(
                {"ph": "X", "cat": RANGE if event.kind == RANGE else OPERATOR, "name": event.name,
                 "pid": process, "tid": event.thread, "ts": event.start_ns / 1e3,
                 "dur": (event.end_ns - event.start_ns) / 1e3, "args": about}
            )  # fmt: skip
        trace = {"schemaVersion": 1, "displayTimeUnit": "ms", "traceEvents": written,
                 "traceName": str(path)}  # fmt: skip
        text = json.dumps(trace)
        if str(path).endswith(".gz"):
            with gzip.open(path, "wt", encoding="utf-8") as out:
                out.write(text)
        else:
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write a line a place for a flame graph: function and expression, and microseconds."""
        sums: dict[str, float] = {}
        for event in self:
            source = event.source
            if source is not None:
                place = f"{source.function};{_line(event.mark)}"
                sums[place] = sums.get(place, 0.0) + getattr(event, metric)
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(f"{place} {int(time)}\n" for place, time in sums.items() if time >= 1)


def _line(mark: Any) -> str:
    source = Source(*mark)
    text = f"{os.path.basename(source.filename)}({source.lineno})"
    return f"{text}: {source.expression}" if source.expression else text


def time_text(microseconds: float, unit: str | None = None) -> str:
    """A time as PyTorch's tables have it: "1.234ms"."""
    for name, size in (("s", 1e6), ("ms", 1e3)):
        if unit == name or (unit is None and microseconds >= size):
            return f"{microseconds / size:.3f}{name}"
    return f"{microseconds:.3f}us"


def _share(part: float, whole: float) -> str:
    return f"{part * 100 / whole if whole else 0.0:.2f}%"


def _bytes(count: int) -> str:
    for name, size in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if abs(count) >= size:
            return f"{count / size:.2f} {name}"
    return f"{count} B"


def _drawn(columns: Any, rows: list[Any], header: str | None) -> str:
    cells = [[c[0] for c in columns]]
    for row in rows:
        cells.append([_cut(text(row), width) for _, text, width in columns])
    widths = [max(12, *(len(line[i]) for line in cells)) for i in range(len(columns))]
    rule = "  ".join("-" * w for w in widths)
    lines = ["  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in cells]
    if header is not None:
        lines[:0] = ["=" * len(rule), header]
        return "\n".join([*lines[:2], rule, lines[2], rule, *lines[3:], rule])
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _cut(text: str, width: int) -> str:
    return text if not width or len(text) <= width else text[: width - 3] + "..."
