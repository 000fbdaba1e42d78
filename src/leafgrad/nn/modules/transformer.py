"""The Transformer of "Attention Is All You Need" (Vaswani et al.), its parts and their layers."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

from ...graph.modes import is_grad_enabled
from ...ops.attention import canonical_mask
from ...ops.creation import full
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from .activation import GELU, MultiheadAttention, ReLU
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .normalization import LayerNorm

__all__ = [
    "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer",
]  # fmt: skip

Activation = str | Callable[[Any], Any]


def _causal_mask(size: int, dtype: Any = None) -> Any:
    return full((size, size), -math.inf, dtype=dtype).triu(1)  # type: ignore[attr-defined]


def _is_causal(mask: Any, hint: bool | None, size: int) -> bool:
    """Whether a mask hides exactly what comes after each place; unless the hint says it."""
    if hint is not None or mask is None:
        return hint is True
    wanted = _causal_mask(size, mask.dtype)
    return tuple(mask.shape) == (size, size) and bool((mask == wanted).all())


def _length(x: Any, batch_first: bool) -> int:
    return x.size(1 if batch_first and x.dim() == 3 else 0)  # type: ignore[no-any-return]


def _function(activation: Activation) -> Any:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return getattr(F, activation)


class _Layer(Module):
    """What the layers of encoder and decoder have in common: the feed-forward block."""

    def _make_feedforward(self, d_model: int, dim_feedforward: int, dropout: float,
                          norms: int, layer_norm_eps: float, norm_first: bool, bias: bool,
                          options: dict[str, Any]) -> None:  # fmt: skip
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        for number in range(1, norms + 1):
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
            setattr(self, f"norm{number}", norm)
        for number in range(1, norms + 1):
            setattr(self, f"dropout{number}", Dropout(dropout))

    def _feedforward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _attend(self, attention: Any, x: Any, memory: Any, mask: Any, padding: Any,
                is_causal: bool) -> Any:  # fmt: skip
        return attention(x, memory, memory, attn_mask=mask, key_padding_mask=padding,
                         need_weights=False, is_causal=is_causal)[0]  # fmt: skip


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward block, each with a residual connection and a LayerNorm,
    which comes after, or before with norm_first: f[s, n, d_model], f[n, s, d_model] with
    batch_first, or f[s, d_model]."""

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: Activation = F.relu, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        options = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout=dropout, bias=bias,
                                            batch_first=batch_first, **options)  # fmt: skip
        self._make_feedforward(d_model, dim_feedforward, dropout, 2, layer_norm_eps, norm_first,
                               bias, options)  # fmt: skip
        self.activation = _function(activation)
        kinds = ((F.relu, ReLU), (F.gelu, GELU))
        self.activation_relu_or_gelu = next(
            (number for number, (function, module) in enumerate(kinds, 1)
             if self.activation is function or isinstance(self.activation, module)), 0
        )  # fmt: skip

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None,
                is_causal: bool = False) -> Any:  # fmt: skip
        """The output of the layer.

        src_mask, src_key_padding_mask: see MultiheadAttention; is_causal: a hint that src_mask is
        """
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", src.dtype, src_mask,
                                 "src_mask")  # fmt: skip
        mask = canonical_mask(src_mask, "src_mask", src.dtype, check_other=False)

        def attend(x: Any) -> Any:
            return self.dropout1(self._attend(self.self_attn, x, x, mask, padding, is_causal))

        def feed(x: Any) -> Any:
            return self.dropout2(self._feedforward(x))

        if self.norm_first:
            x = src + attend(self.norm1(src))
            return x + feed(self.norm2(x))
        x = self.norm1(src + attend(src))
        return self.norm2(x + feed(x))


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output and a feed-forward block, each with a
    residual connection and a LayerNorm, which comes after, or before with norm_first."""

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: Activation = F.relu, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        options = {"device": device, "dtype": dtype}
        for name in ("self_attn", "multihead_attn"):
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout=dropout, bias=bias,
                                                   batch_first=batch_first, **options))  # fmt: skip
        self._make_feedforward(d_model, dim_feedforward, dropout, 3, layer_norm_eps, norm_first,
                               bias, options)  # fmt: skip
        self.activation = _function(activation)

    def forward(self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
                tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
                tgt_is_causal: bool = False, memory_is_causal: bool = False) -> Any:  # fmt: skip
        """The output of the layer for `tgt`, given `memory`, the encoder's output."""

        def attend(x: Any) -> Any:
            return self.dropout1(self._attend(self.self_attn, x, x, tgt_mask, tgt_key_padding_mask,
                                              tgt_is_causal))  # fmt: skip

        def look(x: Any) -> Any:
            return self.dropout2(self._attend(self.multihead_attn, x, memory, memory_mask,
                                              memory_key_padding_mask, memory_is_causal))  # fmt: skip

        def feed(x: Any) -> Any:
            return self.dropout3(self._feedforward(x))

        if self.norm_first:
            x = tgt + attend(self.norm1(tgt))
            x = x + look(self.norm2(x))
            return x + feed(self.norm3(x))
        x = self.norm1(tgt + attend(tgt))
        x = self.norm2(x + look(x))
        return self.norm3(x + feed(x))


def _clones(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


class TransformerEncoder(Module):
    """Copies of a TransformerEncoderLayer, one after the other, and a norm at the end.

    enable_nested_tensor: in evaluation without gradients the output at padded places is zero
    (before the norm), as in PyTorch, which leaves them out of the computation
    """

    def __init__(self, encoder_layer: Any, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:  # fmt: skip
        super().__init__()
        self.layers = _clones(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check
        why_not = self._why_not_nested(encoder_layer)
        self.use_nested_tensor = enable_nested_tensor and not why_not
        if enable_nested_tensor and why_not:
            warnings.warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                f"{why_not}",
                stacklevel=2,
            )

    @staticmethod
    def _why_not_nested(layer: Any) -> str:
        """Why PyTorch could not leave out padded places, in its words; "" if it can."""
        name = "encoder_layer"
        if not isinstance(layer, TransformerEncoderLayer):
            return f"{name} was not TransformerEncoderLayer"
        if layer.norm_first:
            return f"{name}.norm_first was True"
        attention = layer.self_attn
        if not attention.batch_first:
            return (f"{name}.self_attn.batch_first was not True(use batch_first for better "
                    "inference performance)")  # fmt: skip
        if attention.in_proj_bias is None:
            return f"{name}.self_attn was passed bias=False"
        if not layer.activation_relu_or_gelu:
            return f"{name}.activation_relu_or_gelu was not True"
        if layer.norm1.eps != layer.norm2.eps:
            return f"{name}.norm1.eps was not equal to {name}.norm2.eps"
        return f"{name}.self_attn.num_heads is odd" if attention.num_heads % 2 else ""

    def _leaves_out(self, src: Any, mask: Any, padding: Any) -> bool:
        """Whether PyTorch would leave out the padded places here."""
        if not self.use_nested_tensor or src.dim() != 3 or padding is None or mask is not None:
            return False
        first: Any = self.layers[0]
        values = (src, *first.parameters())
        if first.training or (is_grad_enabled() and any(t.requires_grad for t in values)):
            return False
        seen = padding._array == 0  # all at the start of each sequence
        return bool((seen[:, 1:] <= seen[:, :-1]).all())

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None,
                is_causal: bool | None = None) -> Any:  # fmt: skip
        """The output of the last layer, after the norm."""
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", src.dtype, mask,
                                 "mask")  # fmt: skip
        mask = canonical_mask(mask, "mask", src.dtype, check_other=False)
        first: Any = self.layers[0]
        size = _length(src, first.self_attn.batch_first)
        is_causal = _is_causal(mask, is_causal, size)
        out = src
        for layer in self.layers:
            out = layer(out, src_mask=mask, is_causal=is_causal, src_key_padding_mask=padding)
        if self._leaves_out(src, mask, padding):
            out = out.masked_fill((padding != 0).unsqueeze(-1), 0.0)
        return out if self.norm is None else self.norm(out)


class TransformerDecoder(Module):
    """Copies of a TransformerDecoderLayer, one after the other, and a norm at the end."""

    def __init__(self, decoder_layer: Any, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _clones(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
                tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
                tgt_is_causal: bool | None = None,
                memory_is_causal: bool = False) -> Any:  # fmt: skip
        """The output of the last layer for `tgt`, given `memory`, the encoder's output."""
        first: Any = self.layers[0]
        causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, first.self_attn.batch_first))
        out = tgt
        for layer in self.layers:
            out = layer(out, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
                        memory_key_padding_mask, causal, memory_is_causal)  # fmt: skip
        return out if self.norm is None else self.norm(out)


class Transformer(Module):
    """An encoder and a decoder: src f[s, n, d_model], tgt f[t, n, d_model] -> f[t, n, d_model];
    batch_first: f[n, s, d_model]; the batch may lack. The weights start by xavier_uniform_."""

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
                 num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: Activation = F.relu, custom_encoder: Any = None,
                 custom_decoder: Any = None, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                   batch_first, norm_first, bias, device, dtype)  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*options), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*options), num_decoder_layers, norm()
        )
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(self, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None,
                memory_mask: Any = None, src_key_padding_mask: Any = None,
                tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
                src_is_causal: bool | None = None, tgt_is_causal: bool | None = None,
                memory_is_causal: bool = False) -> Any:  # fmt: skip
        """The decoder's output. The masks: see MultiheadAttention."""
        axis = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(axis) != tgt.size(axis):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
                            memory_key_padding_mask, tgt_is_causal, memory_is_causal)  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """A mask that hides from each place what comes after it: f[sz, sz]."""
        return _causal_mask(sz, dtype)  # type: ignore[no-any-return]

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)
