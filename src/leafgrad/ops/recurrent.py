"""Recurrent layers: RNN, LSTM and GRU, over whole sequences; their cells; packed sequences.

A layer runs on packed data: the rows of all sequences, time step after time step, with the number
of sequences that are still going at each. Sequences of one length are the case where that number
stays. One operator runs a layer in one direction: forward through time, and backward through it
from what it kept. Where the backward pass is itself recorded, it goes through the cells instead.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dtypes import F32
from ..graph.engine import grad
from ..graph.modes import enable_grad
from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor, wrap
from .joining import cat, stack
from .layers import dropped
from .products import linear

__all__ = [
    "gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh",
    "rnn_tanh_cell",
]  # fmt: skip


# Cells, on tensors: (input, states, weights) -> states


def _lstm_step(x: Any, state: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any) -> Any:
    h, c = state
    gates: Any = linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)
    i, f, g, o = gates.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h if w_hr is None else linear(h, w_hr), c


def _gru_step(x: Any, state: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any) -> Any:
    (h,) = state
    new: Any = linear(x, w_ih, b_ih)
    old: Any = linear(h, w_hh, b_hh)
    (r_new, z_new, n_new), (r_old, z_old, n_old) = new.chunk(3, 1), old.chunk(3, 1)
    r, z = (r_old + r_new).sigmoid(), (z_old + z_new).sigmoid()
    n = (n_new + r * n_old).tanh()
    return ((h - n) * z + n,)


def _tanh_step(x: Any, state: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any) -> Any:
    total: Any = linear(x, w_ih, b_ih) + linear(state[0], w_hh, b_hh)
    return (total.tanh(),)


def _relu_step(x: Any, state: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any) -> Any:
    total: Any = linear(x, w_ih, b_ih) + linear(state[0], w_hh, b_hh)
    return (total.relu(),)


_STEPS: dict[str, Callable[..., Any]] = {
    "lstm": _lstm_step, "gru": _gru_step, "rnn_tanh": _tanh_step, "rnn_relu": _relu_step,
}  # fmt: skip


# Layers, on arrays. `steps` are the (first row, number of rows) of each time step, in the order in
# which the layer goes through them.


def _steps(sizes: Sequence[int], reverse: bool) -> list[tuple[int, int]]:
    starts = itertools.accumulate(sizes, initial=0)
    found = list(zip(starts, sizes, strict=False))
    return found[::-1] if reverse else found


def _squash(x: Any) -> None:
    """The sigmoid, in place."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)


def _lstm_forward(x: Any, h: Any, c: Any, weights: Any, steps: Any) -> Any:
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    size, rows = c.shape[1], len(x)
    gates = x @ w_ih.T
    if b_ih is not None:
        gates += b_ih + b_hh
    out, before = (np.empty_like(x, shape=(rows, h.shape[1])) for _ in range(2))
    cells, hidden, squashed = (np.empty_like(x, shape=(rows, size)) for _ in range(3))
    h, c, turned = h.copy(), c.copy(), np.ascontiguousarray(w_hh.T)
    for start, n in steps:
        part = slice(start, start + n)
        gate = gates[part]
        gate += h[:n] @ turned
        new = np.tanh(gate[:, 2 * size : 3 * size])
        _squash(gate)
        gate[:, 2 * size : 3 * size] = new
        before[part], cells[part] = h[:n], c[:n]
        cell = gate[:, size : 2 * size] * c[:n]
        cell += gate[:, :size] * new
        c[:n] = cell
        wide = np.tanh(cell, out=squashed[part])
        now = np.multiply(gate[:, 3 * size :], wide, out=hidden[part])
        if w_hr is not None:
            now = now @ w_hr.T
        h[:n] = out[part] = now
    return out, h, c, gates, before, cells, hidden, squashed


def _lstm_backward(g: Any, states: Any, x: Any, weights: Any, kept: Any, steps: Any) -> Any:
    w_ih, w_hh, b_ih, _, w_hr = weights
    g_h, g_c = states
    gates, before, cells, hidden, squashed = kept
    size = cells.shape[1]
    i, f, new, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
    # What does not depend on the way back, for all steps at once.
    slopes = gates * (1 - gates)
    slopes[:, 2 * size : 3 * size] = 1 - new * new
    slopes[:, :size] *= new
    slopes[:, size : 2 * size] *= cells
    slopes[:, 2 * size : 3 * size] *= i
    slopes[:, 3 * size :] *= squashed
    through = o * (1 - squashed * squashed)
    for start, n in reversed(steps):
        part = slice(start, start + n)
        to_h = g[part]
        to_h += g_h[:n]
        if w_hr is not None:
            to_h = to_h @ w_hr
        to_c = to_h * through[part]
        to_c += g_c[:n]
        slope = slopes[part]
        for k in range(3):
            slope[:, k * size : (k + 1) * size] *= to_c
        slope[:, 3 * size :] *= to_h
        g_c[:n] = to_c * f[part]
        g_h[:n] = slope @ w_hh
    to_bias = None if b_ih is None else slopes.sum(0)
    to_hr = None if w_hr is None else g.T @ hidden
    return slopes @ w_ih, (g_h, g_c), (slopes.T @ x, slopes.T @ before, to_bias, to_bias, to_hr)


def _gru_forward(x: Any, h: Any, c: Any, weights: Any, steps: Any) -> Any:
    w_ih, w_hh, b_ih, b_hh, _ = weights
    size, rows = h.shape[1], len(x)
    gates = x @ w_ih.T
    if b_ih is not None:
        gates += b_ih
    out, before, memory = (np.empty_like(x, shape=(rows, size)) for _ in range(3))
    h, turned = h.copy(), np.ascontiguousarray(w_hh.T)
    for start, n in steps:
        part = slice(start, start + n)
        gate, last = gates[part], h[:n]
        before[part] = last
        old = last @ turned
        if b_hh is not None:
            old += b_hh
        both = gate[:, : 2 * size]
        both += old[:, : 2 * size]
        _squash(both)
        memory[part] = old[:, 2 * size :]
        new = gate[:, 2 * size :]
        new += both[:, :size] * old[:, 2 * size :]
        np.tanh(new, out=new)
        now = last - new
        now *= both[:, size:]
        now += new
        h[:n] = out[part] = now
    return out, h, gates, before, memory


def _gru_backward(g: Any, states: Any, x: Any, weights: Any, kept: Any, steps: Any) -> Any:
    w_ih, w_hh, b_ih, _, _ = weights
    (g_h,) = states
    gates, before, memory = kept
    size = memory.shape[1]
    r, z, new = (gates[:, k * size : (k + 1) * size] for k in range(3))
    to_z = (before - new) * z * (1 - z)
    to_new = (1 - z) * (1 - new * new)
    to_r = memory * r * (1 - r)
    inner, outer = np.empty_like(gates), np.empty_like(gates)
    for start, n in reversed(steps):
        part = slice(start, start + n)
        to_h = g[part] + g_h[:n]
        one, two = inner[part], outer[part]
        at_new = np.multiply(to_h, to_new[part], out=one[:, 2 * size :])
        np.multiply(at_new, to_r[part], out=one[:, :size])
        np.multiply(to_h, to_z[part], out=one[:, size : 2 * size])
        two[:, : 2 * size] = one[:, : 2 * size]
        np.multiply(at_new, r[part], out=two[:, 2 * size :])
        g_h[:n] = to_h * z[part] + two @ w_hh
    biases = (None, None) if b_ih is None else (inner.sum(0), outer.sum(0))
    return inner @ w_ih, (g_h,), (inner.T @ x, outer.T @ before, *biases, None)


def _rnn_forward(tanh: bool, x: Any, h: Any, c: Any, weights: Any, steps: Any) -> Any:
    w_ih, w_hh, b_ih, b_hh, _ = weights
    out = x @ w_ih.T
    if b_ih is not None:
        out += b_ih + b_hh
    before, h = np.empty_like(out), h.copy()
    turned = np.ascontiguousarray(w_hh.T)
    for start, n in steps:
        part = slice(start, start + n)
        before[part] = h[:n]
        now = out[part]
        now += h[:n] @ turned
        np.tanh(now, out=now) if tanh else np.maximum(now, 0, out=now)
        h[:n] = now
    return out, h, out.copy(), before


def _rnn_backward(tanh: bool, g: Any, states: Any, x: Any, weights: Any, kept: Any,
                  steps: Any) -> Any:  # fmt: skip
    w_ih, w_hh, b_ih, _, _ = weights
    (g_h,) = states
    out, before = kept
    slopes = 1 - out * out if tanh else (out > 0).astype(out.dtype)
    for start, n in reversed(steps):
        slope = slopes[start : start + n]
        slope *= g[start : start + n] + g_h[:n]
        g_h[:n] = slope @ w_hh
    to_bias = None if b_ih is None else slopes.sum(0)
    return slopes @ w_ih, (g_h,), (slopes.T @ x, slopes.T @ before, to_bias, to_bias, None)


_FORWARD: dict[str, Callable[..., Any]] = {
    "lstm": _lstm_forward, "gru": _gru_forward,
    "rnn_tanh": functools.partial(_rnn_forward, True),
    "rnn_relu": functools.partial(_rnn_forward, False),
}  # fmt: skip
_BACKWARD: dict[str, Callable[..., Any]] = {
    "lstm": _lstm_backward, "gru": _gru_backward,
    "rnn_tanh": functools.partial(_rnn_backward, True),
    "rnn_relu": functools.partial(_rnn_backward, False),
}  # fmt: skip


def _on_tensors(kind: str, x: Any, states: Any, weights: Any, steps: Any) -> Any:
    """The layer, cell by cell: its rows in time, and the last states."""
    step = _STEPS[kind]
    rows: dict[int, Any] = {}
    for start, n in steps:
        going = step(x[start : start + n], tuple(s[:n] for s in states), *weights)
        rows[start] = going[0]
        if n < states[0].shape[0]:
            going = tuple(cat([new, s[n:]]) for new, s in zip(going, states, strict=True))
        states = going
    return cat([rows[start] for start in sorted(rows)]), *states


def _layer(kind: str, node: str) -> Any:
    """The operator of one layer in one direction."""
    count = 3 if kind == "lstm" else 2  # the rows and the states; more is kept for the way back

    @op(name=kind, node=node, differentiable=tuple(range(count)))
    @quietly
    def layer(input, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, /, sizes, reverse):
        """A layer in one direction: f[rows, in], f[n, hidden], ... -> f[rows, hidden], the last
        states, and what the backward pass needs."""
        x, h, c, *weights = map(_wide, (input, h, c, w_ih, w_hh, b_ih, b_hh, w_hr))
        found = _FORWARD[kind](x, h, c, weights, _steps(sizes, reverse))
        return tuple(a.astype(input.dtype, copy=False) for a in found)

    def rule(g, input, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, out, sizes, reverse):
        steps, weights = _steps(sizes, reverse), (w_ih, w_hh, b_ih, b_hh, w_hr)
        if isinstance(input, Tensor):
            return _retraced(kind, g[:count], input, h, c, weights, steps)
        to_rows, *to_states = (
            np.zeros_like(_wide(o)) if d is None else np.array(_wide(d))
            for d, o in zip(g[:count], out, strict=False)
        )
        kept = [_wide(o) for o in out[count:]]
        to_input, to_states, to_weights = _BACKWARD[kind](
            to_rows, to_states, _wide(input), [_wide(w) for w in weights], kept, steps
        )
        return to_input, *to_states, *(None,) * (3 - count), *to_weights

    return layer.vjp(rule)


def _wide(x: Any) -> Any:
    """An array as it is computed with: 16-bit floats in float32."""
    return x.astype(F32) if x is not None and x.dtype.itemsize == 2 else x


def _retraced(kind: str, g: Any, x: Any, h: Any, c: Any, weights: Any, steps: Any) -> Any:
    """The gradients, by recording the layer cell by cell: so they can be differentiated again."""
    operands = [x, h, c, *weights]
    with enable_grad():
        outs = _on_tensors(kind, x, (h,) if c is None else (h, c), weights, steps)
        wanted = [(o, d) for o, d in zip(outs, g, strict=True) if d is not None and o.requires_grad]
        wanting = [isinstance(t, Tensor) and t.requires_grad for t in operands]
        found = iter(grad(
            [o for o, _ in wanted], [t for t, w in zip(operands, wanting, strict=True) if w],
            [d for _, d in wanted], create_graph=True, allow_unused=True,
        ))  # fmt: skip
    return [next(found) if w else None for w in wanting]


_LAYERS = {
    "lstm": _layer("lstm", "MkldnnRnnLayerBackward0"),
    "gru": _layer("gru", "GruBackward0"),
    "rnn_tanh": _layer("rnn_tanh", "RnnTanhBackward0"),
    "rnn_relu": _layer("rnn_relu", "RnnReluBackward0"),
}


def _stacked_layers(kind: str, data: Any, sizes: tuple[int, ...], states: Sequence[Any],
                    params: Sequence[Any], has_biases: bool, num_layers: int, dropout: float,
                    train: bool, bidirectional: bool) -> tuple[Any, ...]:  # fmt: skip
    """Layer upon layer, each in one direction or both: the last one's rows, and all last states."""
    directions = 2 if bidirectional else 1
    count = len(params) // (num_layers * directions)
    layer, last = _LAYERS[kind], []
    for level in range(num_layers):
        outs = []
        for direction in range(directions):
            at = level * directions + direction
            weights = list(params[at * count : (at + 1) * count])
            w_hr = weights.pop() if count % 2 else None
            if not has_biases:
                weights += [None, None]
            own = [s[at] for s in states] + [None] * (2 - len(states))
            found = layer(data, *own, *weights, w_hr, sizes, bool(direction))
            outs.append(found[0])
            last.append(found[1 : 1 + len(states)])
        data = cat(outs, 1) if bidirectional else outs[0]
        if dropout and train and level < num_layers - 1:
            data = dropped(data, dropout, True, False)
    # What the layer keeps is not what users may write to.
    data = data if bidirectional else data.clone()
    return data, *(stack(each) for each in zip(*last, strict=True))


def _recurrent(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Both overloads of PyTorch's functions: of packed data, or of sequences of one length."""
    if len(args) > 1 and isinstance(args[1], Tensor) and args[1].ndim == 1:
        data, sizes, states, *rest = args
        states = states if isinstance(states, (tuple, list)) else (states,)
        return _stacked_layers(kind, data, tuple(sizes.tolist()), states, *rest, **kwargs)
    input, states, *rest = args
    states = states if isinstance(states, (tuple, list)) else (states,)
    batch_first = kwargs.pop("batch_first") if "batch_first" in kwargs else rest.pop()
    if batch_first:
        input = input.transpose(0, 1)
    time, batch, features = input.shape
    if not time:
        fail(RuntimeError, "Expected sequence length to be larger than 0 in RNN")
    data = input.reshape(time * batch, features)
    rows, *last = _stacked_layers(kind, data, (batch,) * time, states, *rest, **kwargs)
    out = rows.reshape(time, batch, rows.shape[1])
    return out.transpose(0, 1) if batch_first else out, *last


def lstm(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """`nn.LSTM` as a function: (output, h, c).

    lstm(input, (h, c), params, has_biases, num_layers, dropout, train, bidirectional, batch_first),
    or of packed data lstm(data, batch_sizes, (h, c), params, has_biases, ..., bidirectional)
    """
    return _recurrent("lstm", args, kwargs)


def gru(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """`nn.GRU` as a function: (output, h). Arguments as of `lstm`, with one state."""
    return _recurrent("gru", args, kwargs)


def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """`nn.RNN` as a function: (output, h). Arguments as of `lstm`, with one state."""
    return _recurrent("rnn_tanh", args, kwargs)


def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """`nn.RNN(nonlinearity="relu")` as a function: (output, h). Arguments as of `lstm`, with one
    state."""
    return _recurrent("rnn_relu", args, kwargs)


def _check_cell(input: Any, states: Sequence[Any], w_ih: Any, w_hh: Any) -> None:
    if input.shape[1] != w_ih.shape[1]:
        fail(RuntimeError, f"input has inconsistent input_size: got {input.shape[1]} expected "
                           f"{w_ih.shape[1]}")  # fmt: skip
    for number, state in enumerate(states):
        if input.shape[0] != state.shape[0]:
            fail(RuntimeError, f"Input batch size {input.shape[0]} doesn't match hidden{number} "
                               f"batch size {state.shape[0]}")  # fmt: skip
        if state.shape[1] != w_hh.shape[1]:
            fail(RuntimeError, f"hidden{number} has inconsistent hidden_size: got "
                               f"{state.shape[1]}, expected {w_hh.shape[1]}")  # fmt: skip


def lstm_cell(input: Any, hx: Sequence[Any], w_ih: Any, w_hh: Any, b_ih: Any = None,
              b_hh: Any = None) -> tuple[Any, Any]:  # fmt: skip
    """One step of an LSTM: f[n, in], (f[n, hidden], f[n, hidden]) -> both states."""
    _check_cell(input, hx, w_ih, w_hh)
    return _lstm_step(input, tuple(hx), w_ih, w_hh, b_ih, b_hh, None)  # type: ignore


def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of a GRU: f[n, in], f[n, hidden] -> f[n, hidden]."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return _gru_step(input, (hx,), w_ih, w_hh, b_ih, b_hh, None)[0]


def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
                  b_hh: Any = None) -> Any:  # fmt: skip
    """One step of an RNN: tanh(x @ w_ih.T + h @ w_hh.T + biases)."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return _tanh_step(input, (hx,), w_ih, w_hh, b_ih, b_hh, None)[0]


def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
                  b_hh: Any = None) -> Any:  # fmt: skip
    """One step of an RNN: relu(x @ w_ih.T + h @ w_hh.T + biases)."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return _relu_step(input, (hx,), w_ih, w_hh, b_ih, b_hh, None)[0]


# Packed sequences


@op(name="_pack_padded_sequence", linear=True)
def _packed(input, /, rows):
    """The rows that are no padding: f[n, ...] -> f[rows, ...]."""
    return np.take(input, rows, axis=0)


@op(name="_pad_packed_sequence", linear=False)
def _padded(input, /, rows, count, value):
    """The rows at their places, `value` elsewhere: f[rows, ...] -> f[count, ...]."""
    made = np.full_like(input, value, shape=(count, *input.shape[1:]), order="C")
    made[rows] = input
    return made


_packed.vjp(input=lambda g, input_shape, rows: _padded(g, rows, input_shape[0], 0))
_padded.vjp(input=lambda g, rows: _packed(g, rows))


def pack(input: Any, lengths: Any, batch_first: bool) -> tuple[Tensor, Tensor]:
    """The rows of sequences, time step after time step, without padding; how many at each step."""
    sizes = lengths._array.astype(np.int64)
    if batch_first:
        input = input.transpose(0, 1)
    time, batch = input.shape[:2]
    if sizes.ndim != 1 or len(sizes) != batch:
        fail(RuntimeError, "Expected `len(lengths)` to be equal to batch_size, but got "
                           f"{len(sizes)} (batch_size={batch})")  # fmt: skip
    if not input.numel():
        fail(RuntimeError, "Cannot pack empty tensors.")
    if (sizes <= 0).any():
        fail(RuntimeError, "Length of all samples has to be greater than 0, but found an element "
                           "in 'lengths' that is <= 0")  # fmt: skip
    if (sizes[1:] > sizes[:-1]).any():
        fail(RuntimeError, "`lengths` array must be sorted in decreasing order when "
                           "`enforce_sorted` is True. You can pass `enforce_sorted=False` to "
                           "pack_padded_sequence and/or pack_sequence to sidestep this "
                           "requirement if you do not need ONNX exportability.")  # fmt: skip
    if sizes[0] > time:
        fail(RuntimeError, f"start (0) + length ({sizes[0]}) exceeds dimension size ({time}).")
    counts = (sizes > np.arange(sizes[0])[:, None]).sum(1)
    rows = np.flatnonzero(np.arange(batch) < counts[:, None])
    data = _packed(input.reshape(time * batch, *input.shape[2:]), rows)
    return data, wrap(counts)


def unpack(data: Any, batch_sizes: Any, batch_first: bool, padding_value: float,
           total_length: int) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Packed rows as padded sequences, and their lengths."""
    counts = batch_sizes._array
    batch = int(counts[0])
    rows = np.flatnonzero(np.arange(batch) < counts[:, None])
    made: Any = _padded(data, rows, total_length * batch, padding_value)
    made = made.reshape(total_length, batch, *data.shape[1:])
    lengths = (counts > np.arange(batch)[:, None]).sum(1)
    return made.transpose(0, 1) if batch_first else made, wrap(lengths)
