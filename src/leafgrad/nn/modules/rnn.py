"""Recurrent layers and their cells."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ...ops import recurrent as _ops
from ...ops.creation import empty, zeros
from ...tensor import Tensor
from .. import init
from ..module import Module
from ..parameter import Parameter
from ..utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What RNN, LSTM and GRU have in common: layers, each in one direction or both.

    weight_ih_l[k]: f[gates · hidden_size, inputs of the layer]; weight_hh_l[k]: f[gates ·
    hidden_size, hidden_size]; bias_ih_l[k], bias_hh_l[k]: f[gates · hidden_size]; with a suffix
    `_reverse` for the second direction. All start uniform within ±1 / sqrt(hidden_size).
    """

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
                 bidirectional: bool = False, proj_size: int = 0, device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        number = isinstance(dropout, (int, float)) and not isinstance(dropout, bool)
        if not number or not 0 <= dropout <= 1:
            raise ValueError("dropout should be a number in range [0, 1] representing the "
                             "probability of an element being zeroed")  # fmt: skip
        self.dropout, self.bidirectional = float(dropout), bidirectional
        self.proj_size = proj_size
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}",
                stacklevel=2,
            )
        for name, value, kind in (("bias", bias, bool), ("batch_first", batch_first, bool),
                                  ("input_size", input_size, int),
                                  ("hidden_size", hidden_size, int)):  # fmt: skip
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: "
                                f"{type(value).__name__}")  # fmt: skip
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size),
                           ("num_layers", num_layers)):  # fmt: skip
            if size <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable "
                             "projections")  # fmt: skip
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        rows = _GATES[mode] * hidden_size
        self._flat_weights_names: list[str] = []
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(self._directions):
                inputs = self._out_size * self._directions if layer else input_size
                suffix = f"_l{layer}" + "_reverse" * direction
                sizes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs),
                                                     "weight_hh": (rows, self._out_size)}  # fmt: skip
                if bias:
                    sizes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    sizes["weight_hr"] = (proj_size, hidden_size)
                for name, size_of in sizes.items():
                    made = Parameter(empty(size_of, device=device, dtype=dtype))
                    setattr(self, name + suffix, made)
                self._all_weights.append([name + suffix for name in sizes])
                self._flat_weights_names += self._all_weights[-1]
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _out_size(self) -> int:
        return self.proj_size or self.hidden_size

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Accepted for compatibility: nothing has to be done on the CPU."""

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def check_input(self, input: Any, batch_sizes: Any) -> None:
        """PyTorch's errors for an input that does not fit."""
        kind = self._flat_weights[0].dtype
        if input.dtype is not kind:
            raise ValueError(f"RNN input dtype ({input.dtype}) does not match weight dtype "
                             f"({kind}). Convert input: input.to({kind}), or convert model: "
                             f"model.to({input.dtype})")  # fmt: skip
        dims = 3 if batch_sizes is None else 2
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError("input.size(-1) must be equal to input_size. Expected "
                               f"{self.input_size}, got {input.size(-1)}")  # fmt: skip

    def _state_size(self, input: Any, batch_sizes: Any, size: int) -> tuple[int, int, int]:
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0 if self.batch_first else 1)
        return self.num_layers * self._directions, batch, size

    def get_expected_hidden_size(self, input: Any, batch_sizes: Any) -> tuple[int, int, int]:
        """The shape that the hidden state must have."""
        return self._state_size(input, batch_sizes, self._out_size)

    def check_hidden_size(self, hx: Any, expected_hidden_size: tuple[int, int, int],
                          msg: str = "Expected hidden size {}, got {}") -> None:  # fmt: skip
        """PyTorch's error for a state of another shape."""
        if hx.size() != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Any, hidden: Any, batch_sizes: Any) -> None:
        """PyTorch's errors for an input or a state that does not fit."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    # States are a tensor; an LSTM's are two.

    def _no_state(self, input: Any, batch: int) -> Any:
        layers = self.num_layers * self._directions
        return zeros((layers, batch, self.hidden_size), dtype=input.dtype)

    def _each(self, hx: Any, function: Any) -> Any:
        return function(hx)

    def permute_hidden(self, hx: Any, permutation: Any) -> Any:
        """The states with the sequences in another order."""
        if permutation is None:
            return hx
        return self._each(hx, lambda t: t.index_select(1, permutation))

    def _check_state_dims(self, hx: Any, batched: bool) -> None:
        dims = 3 if batched else 2
        if hx.dim() != dims:
            words = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(f"For {words} input, hx should also be {dims}-D but got "
                               f"{hx.dim()}-D tensor")  # fmt: skip

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """(output, states): the last layer's output at each time step, and every layer's states
        after the last.

        input: f[t, n, input_size], f[n, t, input_size] with batch_first, f[t, input_size], or a
        PackedSequence; hx: the states before the first step, zeros if None
        """
        run = getattr(_ops, self.mode.lower())
        options = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        if isinstance(input, PackedSequence):
            data, batch_sizes, order, back = input
            if hx is None:
                hx = self._no_state(data, int(batch_sizes[0]))
            else:
                hx = self.permute_hidden(hx, order)
            self.check_forward_args(data, hx, batch_sizes)
            found = run(data, batch_sizes, hx, self._flat_weights, *options)
            packed = PackedSequence(found[0], batch_sizes, order, back)
            return packed, self.permute_hidden(self._states(found), back)
        if input.dim() not in (2, 3):
            word = " tensor" * (self.mode != "LSTM")
            raise ValueError(f"{self._name()}: Expected input to be 2D or 3D, got {input.dim()}D"
                             f"{word} instead")  # fmt: skip
        batched = input.dim() == 3
        axis = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(axis)
        if hx is None:
            hx = self._no_state(input, input.size(axis))
        else:
            self._check_state_dims(hx, batched)
            if not batched:
                hx = self._each(hx, lambda t: t.unsqueeze(1))
        self.check_forward_args(input, hx, None)
        found = run(input, hx, self._flat_weights, *options, self.batch_first)
        states = self._states(found)
        if batched:
            return found[0], states
        return found[0].squeeze(axis), self._each(states, lambda t: t.squeeze(1))

    def _states(self, found: Any) -> Any:
        return found[1]

    def _name(self) -> str:
        return self.mode.partition("_")[0]

    def extra_repr(self) -> str:
        """The sizes, and the options that are set."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (("proj_size", 0), ("num_layers", 1), ("bias", True),
                            ("batch_first", False), ("dropout", 0), ("bidirectional", False)):  # fmt: skip
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """h' = tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh), or relu, over time.

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
    dropout=0.0, bidirectional=False); dropout: between layers
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or "
                             "'relu'.")  # fmt: skip
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber), over time. The states are (h, c).

    i, f, o = sigmoid of their gates, g = tanh of its gate: c' = f · c + i · g, h' = o · tanh(c')

    LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0); dropout: between layers; proj_size: h is projected to this
    size by weight_hr_l[k]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def _no_state(self, input: Any, batch: int) -> Any:
        layers = self.num_layers * self._directions
        return tuple(zeros((layers, batch, size), dtype=input.dtype)
                     for size in (self._out_size, self.hidden_size))  # fmt: skip

    def _each(self, hx: Any, function: Any) -> Any:
        return function(hx[0]), function(hx[1])

    def _states(self, found: Any) -> Any:
        return found[1:]

    def get_expected_cell_size(self, input: Any, batch_sizes: Any) -> tuple[int, int, int]:
        """The shape that the cell state must have."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Any, hidden: Any, batch_sizes: Any) -> None:
        """PyTorch's errors for an input or a state that does not fit."""
        self.check_input(input, batch_sizes)
        for number, size in enumerate((self.get_expected_hidden_size(input, batch_sizes),
                                       self.get_expected_cell_size(input, batch_sizes))):  # fmt: skip
            self.check_hidden_size(hidden[number], size,
                                   f"Expected hidden[{number}] size {{}}, got {{}}")  # fmt: skip

    def _check_state_dims(self, hx: Any, batched: bool) -> None:
        dims = 3 if batched else 2
        if any(t.dim() != dims for t in hx):
            words = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(f"For {words} input, hx and cx should also be {dims}-D but got "
                               f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors")  # fmt: skip


class GRU(RNNBase):
    """Gated recurrent units (Cho et al.), over time.

    r, z = sigmoid of their gates: n = tanh(x_n + r · h_n), h' = (1 - z) · n + z · h

    GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False); dropout: between layers
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells have in common.

    weight_ih: f[gates · hidden_size, input_size]; weight_hh: f[gates · hidden_size, hidden_size];
    bias_ih, bias_hh: f[gates · hidden_size]. All start uniform within ±1 / sqrt(hidden_size).
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
                 device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        sizes: dict[str, Any] = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        sizes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        for name, size in sizes.items():
            wanted = bias or name.startswith("weight")
            made = Parameter(empty(size, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _parameters_in_order(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _check(self, input: Any, states: Any, names: tuple[str, ...]) -> None:
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for label, state in zip(names, states, strict=False):
            if state.dim() not in (1, 2):
                raise ValueError(f"{name}: Expected {label} to be 1D or 2D, got {state.dim()}D "
                                 "instead")  # fmt: skip

    def _stepped(self, step: Any, input: Any, hx: Any) -> Any:
        """One state after the step, of a batch or of one example."""
        self._check(input, () if hx is None else (hx,), ("hidden",))
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        if hx is None:
            hx = zeros((x.size(0), self.hidden_size), dtype=x.dtype)
        elif not batched:
            hx = hx.unsqueeze(0)
        found = step(x, hx, *self._parameters_in_order())
        return found if batched else found.squeeze(0)

    def extra_repr(self) -> str:
        """The sizes, and the options that are set."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


class RNNCell(RNNCellBase):
    """One step of an RNN: f[n, input_size], f[n, hidden_size] -> f[n, hidden_size]."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True,
                 nonlinearity: str = "tanh", device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Any = None) -> Tensor:
        """The next hidden state; from zeros if `hx` is None."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        step = getattr(_ops, f"rnn_{self.nonlinearity}_cell")
        return self._stepped(step, input, hx)  # type: ignore[no-any-return]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: f[n, input_size], (h, c) -> (h, c), each f[n, hidden_size]."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The next states; from zeros if `hx` is None."""
        self._check(input, hx or (), ("hx[0]", "hx[1]"))
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        if hx is None:
            nothing = zeros((x.size(0), self.hidden_size), dtype=x.dtype)
            hx = (nothing, nothing)
        elif not batched:
            hx = tuple(t.unsqueeze(0) for t in hx)
        h, c = _ops.lstm_cell(x, hx, *self._parameters_in_order())
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of a GRU: f[n, input_size], f[n, hidden_size] -> f[n, hidden_size]."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Tensor:
        """The next hidden state; from zeros if `hx` is None."""
        return self._stepped(_ops.gru_cell, input, hx)  # type: ignore[no-any-return]
