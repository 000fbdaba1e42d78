"""What an explanation is: plain, frozen values that print as a few lines."""

from __future__ import annotations

from dataclasses import dataclass

_STEPS = 8
"""A path of more steps is printed by its ends."""

_ROWS = 6
"""So many nodes of a table of saved values are printed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One place on a path from the loss to a tensor.

    name: what the program calls it, or its expression; op: the operation that made it ("" for the
    tensor at the end); place: file and line; norm: of the path's gradient when it arrives there
    """

    name: str
    op: str
    place: str
    norm: float


@dataclass(frozen=True, slots=True)
class Path:
    """One chain of local derivatives from the loss to a tensor, and what it contributes.

    norm: of its contribution to the gradient; share: that norm over the norm of the whole gradient
    (above 1 where contributions cancel; NaN where the whole is not finite)
    """

    steps: tuple[Step, ...]
    norm: float
    share: float

    def __str__(self) -> str:
        names = [s.name for s in self.steps]
        if len(names) > _STEPS:
            hidden = len(names) - _STEPS + 1
            names[4 : 4 + hidden] = [f"({hidden} more)"]
        return f"{number(self.norm)}  {' ← '.join(names)}"

    def table(self) -> list[str]:
        """A line a step: the norm of the gradient there, the operation, name and place."""
        steps: list[Step | None] = list(self.steps)
        if len(steps) > _STEPS:
            hidden = len(steps) - _STEPS + 1
            steps[4 : 4 + hidden] = [None]
        rows = [
            ("", "", f"({len(self.steps) - len(steps) + 1} more)", "")
            if s is None else (number(s.norm), s.op, s.name, s.place)
            for s in steps
        ]  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return ["  ".join(c.ljust(w) for c, w in zip(row, (*widths, 0), strict=True)).rstrip()
                for row in rows]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """What one node keeps for the backward pass.

    node: the operation; source: its expression and place; values: (name, type) of each tensor;
    bytes: of memory that nothing counted before it holds; leaves: those of them that are leaves or
    constants of the program, so would live without the graph
    """

    node: str
    source: str
    values: tuple[tuple[str, str], ...]
    bytes: int
    leaves: int

    def __str__(self) -> str:
        values = ", ".join(f"{name} {kind}" for name, kind in self.values)
        return f"{size(self.bytes)}  {self.source}: {values}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `leafgrad.explain` found out about a tensor.

    subject: which tensor; gradient: its gradient as a short text, or "None"
    cause: one word for the answer: "not leaf", "constant", "dtype", "detach", "data", "no_grad",
        "inference", "rule", "cleared", "not reached", "no graph", "not called", "not filled",
        "unused", "unknown"; of a gradient that is there: "zero", "nan", "inf", "huge", "fine"
    reasons: the answer, a line each; advice: what to do
    paths: the strongest paths from the loss, `path_count` of them in all
    kept: what the graph behind the tensor keeps for backward, newest first; `kept_bytes` in all
    """

    subject: str
    gradient: str
    cause: str
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    path_count: int = 0
    kept: tuple[Kept, ...] = ()

    @property
    def kept_bytes(self) -> int:
        """Bytes that the graph behind the tensor keeps."""
        return sum(row.bytes for row in self.kept)

    @property
    def left_out(self) -> int:
        """How many paths are not in `paths`."""
        return self.path_count - len(self.paths)

    def __str__(self) -> str:
        lines = [f"{self.subject}: its .grad is {self.gradient}"]
        lines += [f"  {line}" for line in self.reasons]
        lines += [f"  to do: {line}" for line in self.advice]
        if self.paths:
            first, *others = self.paths
            many = "" if self.path_count == 1 else f", the strongest of {self.path_count:,}"
            lines.append(f"  the path to it{many} (norm of the gradient, operation, result):")
            lines += [f"    {row}" for row in first.table()]
            lines += [f"  also {path}" for path in others]
            if self.left_out:
                lines.append(f"  {plural(self.left_out, 'path')} left out")
        if self.kept:
            leaves = sum(row.leaves for row in self.kept)
            own = f" ({size(leaves)} of it in leaves and constants)" if leaves else ""
            lines.append(f"  kept for backward: {size(self.kept_bytes)} in "
                         f"{plural(len(self.kept), 'node')}{own}")  # fmt: skip
            rows = sorted(self.kept, key=lambda row: -row.bytes)
            lines += [f"    {row}" for row in rows[:_ROWS]]
            if len(rows) > _ROWS:
                rest = sum(row.bytes for row in rows[_ROWS:])
                lines.append(f"    {size(rest)}  in {plural(len(rows) - _ROWS, 'more node')}")
        return "\n".join(lines)


class Unused(dict[str, str]):
    """The parameters that a loss does not depend on: name -> reason."""

    def __str__(self) -> str:
        if not self:
            return "the loss depends on every parameter"
        width = max(map(len, self))
        return "\n".join(f"{name.ljust(width)}  {reason}" for name, reason in self.items())


def number(value: float) -> str:
    """A norm in few characters."""
    return f"{value:.3g}"


def size(count: int) -> str:
    """Bytes for a reader."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.3g} {unit}"
    return f"{count} bytes"


def plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
