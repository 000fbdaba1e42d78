"""A recorded graph as plain, frozen values: what every drawing is made from.

`capture.capture` walks the graph behind a tensor once; text, SVG and the report only ever read the
`Graph` it returns. A `Graph` holds no tensors: it can be compared, kept, and written to JSON and
read back.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

Number = bool | int | float | str
"""An element of a summarised array. What JSON has no number for ("nan", "inf", "1+2j") is text."""

FULL = 64
"""Arrays of at most this many elements are kept whole."""

BINS = 24


@dataclass(frozen=True, slots=True)
class Source:
    """Where in a program something was made, or first used if nothing recorded its making.

    Lines count from 1, columns are characters and count from 0; -1 is unknown.
    """

    expression: str
    file: str = ""
    line: int = 0
    function: str = ""
    column: int = -1
    end_line: int = 0
    end_column: int = -1

    @property
    def place(self) -> str:
        """File and line for a reader: `fit.py:12`. Folders stay out of drawings that get shared."""
        return f"{base_name(self.file)}:{self.line}" if self.file else ""


def base_name(path: str) -> str:
    """The last part of a path of any system."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Saved:
    """A value that a node keeps for the backward pass."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """An array, small enough to draw: whole up to 64 elements, else statistics and a histogram.

    `values` is a nested tuple (a bare number for a 0-d array) or None. The statistics are over the
    finite elements, of the magnitude if the array is complex; `nonfinite` counts the others.
    """

    shape: tuple[int, ...]
    dtype: str
    values: Any = None
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    nonfinite: int = 0
    histogram: tuple[int, ...] = ()

    @classmethod
    def of(cls, array: Any) -> Summary:
        """Summarise anything that NumPy can read as an array."""
        a = np.asarray(array)
        dtype = str(a.dtype)
        if a.size <= FULL:
            return cls(a.shape, dtype, _nested(a))
        flat = np.abs(a) if a.dtype.kind == "c" else a
        flat = flat.astype(np.float64).ravel()
        finite = flat[np.isfinite(flat)]
        if not finite.size:
            return cls(a.shape, dtype, nonfinite=flat.size)
        low, high = float(finite.min()), float(finite.max())
        scale = max(abs(low), abs(high))
        # Bins narrower than rounding are one bin. Dividing first keeps huge ranges finite.
        if high / 2 - low / 2 > 1e-12 * scale:
            counts = np.histogram(finite / scale, BINS, (low / scale, high / scale))[0]
        else:
            counts = np.array([finite.size])
        scaled = finite / scale if scale else finite
        return cls(
            a.shape,
            dtype,
            None,
            low,
            high,
            float(scaled.mean()) * (scale or 1.0),
            float(scaled.std()) * (scale or 1.0),
            int(flat.size - finite.size),
            tuple(int(c) for c in counts),
        )


def _nested(a: np.ndarray) -> Any:
    """The elements as nested tuples of plain numbers."""
    if a.ndim:
        return tuple(_nested(row) for row in a)
    if a.dtype.kind in "bui":
        return a.item()
    if a.dtype.kind == "c":
        return str(a[()]).strip("()")
    number = float(str(a[()]))  # through the shortest text: float32 0.1 stays 0.1
    return number if math.isfinite(number) else str(number)


@dataclass(frozen=True, slots=True)
class GNode:
    """A value in the graph, and how it came to be.

    `kind` is "parameter" (an nn.Parameter), "leaf" (any other tensor whose gradient is wanted),
    "input" (a constant of the graph: no gradient goes there), "op", or "root" (the op whose output
    was captured). `name` is the variable's name, empty if the source does not give it one. `module`
    is the dotted path of the module that recorded it, `formula` what the operator computes, as
    `symbols` writes it.
    """

    id: int
    kind: str
    name: str = ""
    op: str = ""
    symbol: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    source: Source | None = None
    seq: int = -1
    saved: tuple[Saved, ...] = ()
    value: Summary | None = None
    grad: Summary | None = None
    module: str = ""
    formula: str = ""

    @property
    def label(self) -> str:
        """The variable's name if known, else the operator's symbol."""
        return self.name or self.symbol or self.kind

    @property
    def is_op(self) -> bool:
        return bool(self.op)

    @property
    def type(self) -> str:
        """Element type and shape in one word: `float32[5, 3]`."""
        if self.shape is None:
            return self.dtype
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class GEdge:
    """The value of node `src` is an operand of node `dst`, as argument `label`.

    `factor` is the text of the local derivative of `dst` by this operand; None if no gradient goes
    this way or the rule has no short form (`differentiable` tells which).
    """

    src: int
    dst: int
    label: str = ""
    factor: str | None = None
    differentiable: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in the order of computation, operands before what uses them, and edges between them.

    An edge's `src` and `dst` are node ids; a node's id is its index in `nodes`. The edges into a
    node come in the order of its arguments. `modules` has the path and class of the modules around.
    """

    nodes: tuple[GNode, ...]
    edges: tuple[GEdge, ...]
    modules: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The graph as text for a terminal."""
        from .text import to_text

        return to_text(self)

    def _repr_svg_(self) -> str:
        """The picture that notebooks show: folded, if the graph is large."""
        from .folding import SMALL

        return (self if len(self.nodes) <= SMALL else self.folded()).to_svg()

    def _repr_html_(self) -> str:
        """The interactive page in a frame of its own, for notebooks."""
        from .page import framed

        return framed(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Every form that a notebook may choose from; the picture stays where scripts do not run."""
        forms = {"text/plain": str(self), "text/html": self._repr_html_(),
                 "image/svg+xml": self._repr_svg_()}  # fmt: skip
        return {
            kind: text
            for kind, text in forms.items()
            if (not include or kind in include) and kind not in (exclude or ())
        }

    def to_text(self) -> str:
        """The graph from its root to its leaves, a line a value, for a terminal."""
        return str(self)

    def to_svg(self, **options: Any) -> str:
        """A picture; the options are those of `leafgrad.see.svg.to_svg`."""
        from .svg import to_svg

        return to_svg(self, **options)

    def to_dot(self) -> str:
        """The graph in Graphviz's language."""
        from .text import to_dot

        return to_dot(self)

    def to_mermaid(self) -> str:
        """The graph in Mermaid's language; ValueError if it is larger than Mermaid takes."""
        from .text import to_mermaid

        return to_mermaid(self)

    def to_html(self, path: str | os.PathLike[str] | None = None, *, title: str = "") -> str:
        """The interactive page, one file that needs no network; also written to `path` if given."""
        from .page import to_html

        text = to_html(self, title=title)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8", newline="\n")
        return text

    def folded(self, depth: int = 0) -> Graph:
        """The graph with modules, loops and sections as single nodes; `depth` levels stay open.

        A smaller graph, for pictures and text of large models.
        """
        from .folding import folded

        return folded(self, depth)

    def without_views(self) -> Graph:
        """The graph without the operators that only change shape, layout or dtype."""
        from .simpler import without_views

        return without_views(self)[0]

    def to_dict(self) -> dict[str, Any]:
        """As dictionaries, lists, texts and numbers; what has its default value is left out."""
        return _plain(self) | {"nodes": _plain(self.nodes), "edges": _plain(self.edges)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Graph:
        """The graph that `to_dict` was called on."""
        nodes = []
        for entry in data["nodes"]:
            entry = {key: _tuples(value) for key, value in entry.items()}
            for key, kind in (("source", Source), ("value", Summary), ("grad", Summary)):
                if key in entry:
                    entry[key] = kind(**{k: _tuples(v) for k, v in entry[key].items()})
            if "saved" in entry:
                entry["saved"] = tuple(
                    Saved(**{k: _tuples(v) for k, v in saved.items()}) for saved in entry["saved"]
                )
            nodes.append(GNode(**entry))
        edges = tuple(GEdge(**edge) for edge in data["edges"])
        return cls(tuple(nodes), edges, _tuples(data.get("modules", [])))

    def to_json(self) -> str:
        return json.dumps(
            self.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )

    @classmethod
    def from_json(cls, text: str) -> Graph:
        return cls.from_dict(json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "__dataclass_fields__"):
        return {
            f.name: _plain(v) for f in fields(value) if (v := getattr(value, f.name)) != f.default
        }
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
