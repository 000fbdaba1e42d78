"""The report of a training run: one HTML file that needs nothing else, and no network.

The page (`report.html`, beside this file) is a template with a script of its own; this module
brings the data into a form that is small and safe to embed.
"""

from __future__ import annotations

import base64
import io
import keyword
import math
import os
import re
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from .page import both, embedded, framed
from .snapshot import Graph, base_name
from .svg import DARK, LIGHT, STYLE, to_svg

# What is embedded at most. More would not be visible, and the page is to stay small.
_POINTS = 3000
_CURVE_POINTS = 500
_FIT_VALUES = 240_000
_HISTORY = 2000
_PARAMETERS = 12
_LINES = 8
_DRAWN = 80  # nodes; larger graphs come as a page of their own, folded


@dataclass(frozen=True)
class Moment:
    """The model after one epoch: its output at every x (or None), the loss, the parameters."""

    epoch: int
    fit: Any
    loss: float
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """A plot of lines over epochs; `log` begins with a logarithmic scale."""

    title: str
    epochs: Sequence[int]
    lines: Mapping[str, Sequence[float]]
    log: bool = False


@dataclass(frozen=True)
class TrainingRun:
    """What a report shows of a training; of fitting a curve to data also the fit.

    `x`, `y` and `truth` (the curve without noise, if known) are one-dimensional and of one length.
    `losses` has an entry an epoch, `parameters` an array for each name whose first axis is the
    epochs; `epochs` numbers them (0, 1, 2... if not given). `moments` are the epochs the slider
    stops at. `true_parameters` are drawn as dashed lines. `graph` is the recorded graph of one
    step, `source` the program's text, whose file name must be the one in the graph's nodes for the
    two to be linked. Without `x`, there is no plot of a fit. `steps` numbers the entries of
    `parameters` where there is not one an epoch; `unit` is what an epoch is called; `series` are
    more plots.
    """

    title: str
    x: Any
    y: Any
    moments: Sequence[Moment]
    losses: Sequence[float]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    true_parameters: Mapping[str, Any] = field(default_factory=dict)
    truth: Any = None
    epochs: Sequence[int] | None = None
    graph: Graph | None = None
    source: str = ""
    filename: str = ""
    steps: Sequence[int] | None = None
    unit: str = "epoch"
    series: Sequence[Series] = ()


def write_report(path: str | os.PathLike[str], run: TrainingRun, *, refresh: float = 0.0) -> Path:
    """Write the report of `run` to `path`, and return the path.

    `refresh` lets a browser load it anew after so many seconds. Raises ValueError for arrays whose
    lengths do not fit together.
    """
    path = Path(path)
    text = to_html(run)
    if refresh:
        again = f'<meta http-equiv="refresh" content="{max(math.ceil(refresh), 1)}">'
        text = text.replace("<title>", again + "<title>", 1)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def to_html(run: TrainingRun) -> str:
    """The report as the text of one HTML file."""
    template = resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    graph = ""
    if run.graph and len(run.graph.nodes) > _DRAWN:
        graph = framed(run.graph)
    elif run.graph:
        graph = to_svg(run.graph, values=True, theme="inherit", interactive=True)
    parts = {
        "title": escape(run.title),
        "style": f"/* the graph */\n:root{{{both(LIGHT, DARK)}}}\n{STYLE}",
        "graph": graph,
        "data": embedded(_payload(run)),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _payload(run: TrainingRun) -> dict[str, Any]:
    if not run.moments:
        raise ValueError("a report needs at least one moment")
    fit = None if run.x is None else _fit(run)
    epochs = list(range(len(run.losses))) if run.epochs is None else [int(e) for e in run.epochs]
    if len(epochs) != len(run.losses):
        raise ValueError(f"there are {len(epochs)} epochs but {len(run.losses)} losses")

    large = run.graph is not None and len(run.graph.nodes) > _DRAWN
    most = max(2, _FIT_VALUES // min(len(run.x), _CURVE_POINTS)) if fit else _HISTORY
    moments = _spread(len(run.moments), most)
    names, histories = _flatten(run.parameters, leading=True)
    true = dict(zip(*_flatten(run.true_parameters), strict=True))
    shown = names[:_PARAMETERS]
    times = _thin(np.asarray(run.losses, np.float64), _HISTORY)
    steps = _spread(len(histories[0]), _HISTORY) if histories else np.zeros(0, int)
    at = epochs if run.steps is None else [int(s) for s in run.steps]
    if histories and len(histories[0]) != len(at):
        raise ValueError(f"there are {len(at)} epochs but {len(histories[0])} values of {names[0]}")
    return {
        "title": run.title,
        "unit": run.unit,
        **(fit(moments) if fit else {}),
        "moments": [_moment(run.moments[i], shown) for i in moments],
        "losses": {
            "epoch": [epochs[i] for i in times],
            "value": _numbers(np.asarray(run.losses, np.float64)[times], 7),
        },
        "epochs": len(epochs),
        "steps": [at[i] for i in steps],
        "parameters": [
            {"name": name, "true": true.get(name), "values": _numbers(history[steps])}
            for name, history in zip(shown, histories, strict=False)
        ],
        "hidden": len(names) - len(shown),
        "series": [_plot(series) for series in run.series],
        "graph": _graph(run.graph) if run.graph and not large else None,
        "framed": large,
        "source": [] if not run.source else _highlighted(run.source),
        "filename": base_name(run.filename),
    }


def _fit(run: TrainingRun) -> Callable[[np.ndarray], dict[str, Any]]:
    """What draws the fit, as a function of the moments that are kept."""
    x, y = _vector("x", run.x), _vector("y", run.y)
    truth = None if run.truth is None else _vector("truth", run.truth)
    fits = [_vector(f"the fit of {run.unit} {m.epoch}", m.fit) for m in run.moments]
    for name, values in [("y", y), ("truth", truth), *(("a fit", fit) for fit in fits)]:
        if values is not None and len(values) != len(x):
            raise ValueError(f"x has {len(x)} elements but {name} has {len(values)}")
    order = np.argsort(x, kind="stable")
    points, line = _spread(len(x), _POINTS), order[_spread(len(x), _CURVE_POINTS)]
    return lambda moments: {
        "points": {"x": _numbers(x[points]), "y": _numbers(y[points]), "total": len(x)},
        "line": _numbers(x[line]),
        "truth": None if truth is None else _numbers(truth[line]),
        "fits": _quantised(np.stack([fits[i][line] for i in moments]), y, truth),
    }


def _plot(series: Series) -> dict[str, Any]:
    """A plot's lines, as many of them, and as many of their points, as can be told apart."""
    lines = {name: np.asarray(values, np.float64) for name, values in series.lines.items()}
    first = next(iter(lines.values()))
    kept = _thin(first, _HISTORY // 2)
    return {
        "title": series.title, "log": series.log, "hidden": max(len(lines) - _LINES, 0),
        "epoch": [int(series.epochs[i]) for i in kept],
        "lines": [
            {"name": name, "values": _numbers(values[kept], 6)}
            for name, values in list(lines.items())[:_LINES]
        ],
    }  # fmt: skip


def _graph(graph: Graph) -> dict[str, Any]:
    """The graph's data, without the folders of the machine it was made on."""
    data = graph.to_dict()
    for node in data["nodes"]:
        if "file" in node.get("source", ()):
            node["source"]["file"] = base_name(node["source"]["file"])
    return data


def _vector(name: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or not array.size:
        raise ValueError(
            f"{name} must be one-dimensional and not empty, not of shape {array.shape}"
        )
    return array.astype(np.float64)


def _spread(count: int, limit: int) -> np.ndarray:
    """At most `limit` of `count` indices, evenly spread, the first and the last among them."""
    if count <= limit:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, limit).round().astype(int))


def _thin(values: np.ndarray, limit: int) -> np.ndarray:
    """At most about `limit` indices that keep every peak: each stretch's lowest and highest."""
    if len(values) <= limit:
        return np.arange(len(values))
    kept = {0, len(values) - 1}
    for part in np.array_split(np.arange(len(values)), limit // 2):
        known = part[np.isfinite(values[part])]
        if known.size:
            kept |= {int(known[values[known].argmin()]), int(known[values[known].argmax()])}
        if known.size < part.size:  # keep the gap, too
            kept.add(int(part[~np.isfinite(values[part])][0]))
    return np.array(sorted(kept))


def _numbers(values: np.ndarray, digits: int = 5) -> list[float | None]:
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values.tolist()]


def _number(value: Any) -> float | None:
    value = float(value)
    return value if math.isfinite(value) else None


def _flatten(values: Mapping[str, Any], leading: bool = False) -> tuple[list[str], list[Any]]:
    """An entry an element: theta -> theta[0], theta[1]... `leading`: the first axis stays whole."""
    names: list[str] = []
    entries: list[Any] = []
    for name, value in values.items():
        array = np.asarray(value, np.float64)
        shape = array.shape[1:] if leading else array.shape
        for index in np.ndindex(*shape):
            names.append(f"{name}[{', '.join(map(str, index))}]" if index else name)
            entries.append(array[(slice(None), *index)] if leading else _number(array[index]))
    return names, entries


def _moment(moment: Moment, shown: list[str]) -> dict[str, Any]:
    values = dict(zip(*_flatten(moment.parameters), strict=True))
    return {
        "epoch": int(moment.epoch),
        "loss": _number(moment.loss),
        "parameters": [values.get(name) for name in shown],
    }


def _quantised(fits: np.ndarray, y: np.ndarray, truth: np.ndarray | None) -> dict[str, Any]:
    """The fits as 16-bit integers, −32768 for what is not finite, and the range worth drawing."""
    known = y if truth is None else np.concatenate([y, truth])
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = (high - low) or abs(high) or 1.0
    finite = fits[np.isfinite(fits)]
    if finite.size:
        low = max(low - 0.6 * room, min(low, float(finite.min())))
        high = min(high + 0.6 * room, max(high, float(finite.max())))
    # Lines that leave this range are cut off far beyond its edges, so that their way out is right.
    margin = 4 * ((high - low) or room)
    scaled = (np.clip(fits, low - margin, high + margin) - (low + high) / 2) / margin
    codes = np.where(np.isfinite(fits), np.round(scaled * 28_000), -32_768).astype("<i2")
    return {
        "low": low,
        "high": high,
        "middle": (low + high) / 2,
        "unit": margin / 28_000,
        "data": base64.b64encode(codes.tobytes()).decode(),
    }


_SOFT = frozenset(
    ["print", "range", "len", "zip", "enumerate", "float", "int", "str", "list", "super"]
)


def _highlighted(source: str) -> list[list[tuple[str, str]]]:
    """The program's lines as (class, text) pieces: keyword, string, number, comment, built-in."""
    lines = source.replace("\r\n", "\n").rstrip("\n").split("\n")
    marks: list[list[tuple[int, int, str]]] = [[] for _ in lines]
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
            kind = _kind(token)
            (first, start), (last, end) = token.start, token.end
            for row in range(first, last + 1) if kind else ():
                if row <= len(lines):
                    left = start if row == first else 0
                    marks[row - 1].append((left, end if row == last else len(lines[row - 1]), kind))
    except (tokenize.TokenError, SyntaxError):
        pass  # not Python to its end: what came before stays coloured
    result = []
    for text, spans in zip(lines, marks, strict=True):
        pieces, at = [], 0
        for left, right, kind in sorted(spans):
            if left < at:
                continue
            pieces += [("", text[at:left]), (kind, text[left:right])]
            at = right
        result.append([piece for piece in [*pieces, ("", text[at:])] if piece[1]])
    return result


def _kind(token: tokenize.TokenInfo) -> str:
    name = tokenize.tok_name[token.type]
    if name == "NAME":
        return "k" if keyword.iskeyword(token.string) else "b" if token.string in _SOFT else ""
    if name == "STRING" or name.startswith("FSTRING"):
        return "s"
    return {"NUMBER": "n", "COMMENT": "c"}.get(name, "")
