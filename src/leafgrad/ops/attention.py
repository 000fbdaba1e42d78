"""Attention with several heads (Vaswani et al.), its projections included."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..graph.source import fail
from ..tensor import Tensor
from .activations import softmax
from .creation import zeros
from .joining import cat
from .layers import dropped, scaled_dot_product_attention
from .matrix_products import bmm
from .products import baddbmm, linear
from .shape import constant_pad_nd


def canonical_mask(mask: Any, name: str, target: Any, other: Any = None, other_name: str = "",
                   check_other: bool = True) -> Any:  # fmt: skip
    """A mask as numbers to add: minus infinity where a bool mask is True."""
    if mask is None:
        return None
    floating = mask.dtype.is_floating_point
    if not floating and mask.dtype.category:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if check_other and other is not None and mask.dtype is not other.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both "
            "instead.",
            stacklevel=3,
        )
    if floating:
        return mask
    return zeros(tuple(mask.shape), dtype=target).masked_fill(mask, -math.inf)


def _check_shapes(query: Any, key: Any, value: Any, padding: Any, mask: Any, heads: int) -> bool:
    """Whether there is a batch dimension; PyTorch's errors for what does not fit together."""
    dims = query.dim()
    if dims not in (2, 3):
        raise AssertionError("query should be unbatched 2D or batched 3D tensor but received "
                             f"{dims}-D query tensor")  # fmt: skip
    given = f"For {'batched (3-D)' if dims == 3 else 'unbatched (2-D)'} `query`, expected"
    if key.dim() != dims or value.dim() != dims:
        raise AssertionError(f"{given} `key` and `value` to be {dims}-D but found {key.dim()}-D "
                             f"and {value.dim()}-D tensors respectively")  # fmt: skip
    if padding is not None and padding.dim() != dims - 1:
        raise AssertionError(f"{given} `key_padding_mask` to be `None` or {dims - 1}-D but found "
                             f"{padding.dim()}-D tensor instead")  # fmt: skip
    if mask is not None and mask.dim() not in (2, 3):
        raise AssertionError(f"{given} `attn_mask` to be `None`, 2-D or 3-D but found "
                             f"{mask.dim()}-D tensor instead")  # fmt: skip
    if mask is not None and dims == 2 and mask.dim() == 3:
        wanted = (heads, query.shape[0], key.shape[0])
        if tuple(mask.shape) != wanted:
            raise AssertionError(f"Expected `attn_mask` shape to be {wanted} but got {mask.shape}")
    return dims == 3  # type: ignore[no-any-return]


def _packed_projections(query: Any, key: Any, value: Any, weight: Any, bias: Any) -> list[Any]:
    """Query, key and value projected by one matrix f[3 e, e]: in one product where they are one."""
    size = query.shape[-1]
    if query is key is value:
        projected: Any = linear(query, weight, bias)
        return list(projected.chunk(3, -1))
    if key is value:
        weights = weight.split((size, 2 * size))
        biases = (None, None) if bias is None else bias.split((size, 2 * size))
        both: Any = linear(key, weights[1], biases[1])
        return [linear(query, weights[0], biases[0]), *both.chunk(2, -1)]
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    each = zip((query, key, value), weight.chunk(3), biases, strict=True)
    return [linear(*operands) for operands in each]


def _check_projections(query: Any, key: Any, value: Any, embed_dim: int, heads: int,
                       separate: bool, weights: Any) -> None:  # fmt: skip
    size = query.shape[-1]
    if size != embed_dim:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim}, but got {size}")
    if size % heads:
        raise AssertionError(f"embed_dim {size} not divisible by num_heads {heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's "
                             f"{value.shape[:2]}")  # fmt: skip
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    for name, weight in weights.items():
        if weight is None:
            raise AssertionError(f"use_separate_proj_weight is {separate} but {name} is None")


def _check_mask(mask: Any, batch: int, heads: int, target: int, source: int) -> Any:
    """A mask in three dimensions."""
    wanted: tuple[int, ...] = (target, source)
    if mask.dim() == 3:
        wanted = (batch * heads, target, source)
    if tuple(mask.shape) != wanted:
        fail(RuntimeError, f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should "
                           f"be {wanted}.")  # fmt: skip
    return mask if mask.dim() == 3 else mask.unsqueeze(0)


def _by_head(x: Any, batch: int, heads: int) -> Any:
    """The parts for each head: f[l, n, e] -> f[n · heads, l, e / heads]."""
    return x.reshape(x.shape[0], batch * heads, x.shape[2] // heads).transpose(0, 1)


def _static(name: str, given: Any, x: Any, batch: int, heads: int) -> Any:
    """A key or value by head; or the one given for it."""
    if given is None:
        return _by_head(x, batch, heads)
    size = x.shape[2] // heads
    for axis, wanted in ((0, batch * heads), (2, size)):
        if given.size(axis) != wanted:
            raise AssertionError(f"expecting {name}.size({axis}) of {wanted}, but got "
                                 f"{given.size(axis)}")  # fmt: skip
    return given


def multi_head_attention_forward(
    query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any,
    in_proj_bias: Any, bias_k: Any, bias_v: Any, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Tensor, out_proj_bias: Any, training: bool = True,
    key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Any = None, k_proj_weight: Any = None,
    v_proj_weight: Any = None, static_k: Any = None, static_v: Any = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Any]:  # fmt: skip
    """Projections, attention of each head, and the projection of all: f[l, n, e], f[s, n, e],
    f[s, n, e] -> f[l, n, e], and the weights f[n, l, s] if `need_weights`. The batch may lack.

    in_proj_weight: of query, key and value, f[3 e, e]; or one for each. key_padding_mask: keys
    that are not seen, [n, s]; attn_mask: for each query the keys that it does not see, [l, s] or
    [n · heads, l, s]: True, or numbers to add; is_causal: a hint that attn_mask is causal
    bias_k, bias_v: one more key and value; add_zero_attn: one more of zeros; static_k, static_v:
    keys and values by head, in place of the projected ones
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        if query is key is value:
            query = key = value = query.unsqueeze(1)
        else:
            same = key is value
            query, key = query.unsqueeze(1), key.unsqueeze(1)
            value = key if same else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    target, batch, size = query.shape
    source = key.shape[0]
    padding = canonical_mask(key_padding_mask, "key_padding_mask", query.dtype, attn_mask,
                             "attn_mask")  # fmt: skip
    if is_causal and attn_mask is None:
        fail(RuntimeError, "Need attn_mask if specifying the is_causal hint. You may use the "
                           "Transformer module method `generate_square_subsequent_mask` to create "
                           "this mask.")  # fmt: skip
    if is_causal and padding is None and not need_weights:
        mask = None  # the hint says it all
    else:
        mask = canonical_mask(attn_mask, "attn_mask", query.dtype, check_other=False)
        is_causal = is_causal and padding is None
    if use_separate_proj_weight:
        weights = {"q_proj_weight": q_proj_weight, "k_proj_weight": k_proj_weight,
                   "v_proj_weight": v_proj_weight}  # fmt: skip
    else:
        weights = {"in_proj_weight": in_proj_weight}
    _check_projections(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight,
                       weights)  # fmt: skip
    if use_separate_proj_weight:
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        operands = zip((query, key, value), weights.values(), biases, strict=True)
        q, k, v = (linear(*each) for each in operands)
    else:
        q, k, v = _packed_projections(query, key, value, in_proj_weight, in_proj_bias)
    if mask is not None:
        mask = _check_mask(mask, batch, num_heads, target, source)
    more = 0
    if bias_k is not None and bias_v is not None:
        for name, given in (("key", static_k), ("value", static_v)):
            if given is not None:
                raise AssertionError(f"bias cannot be added to static {name}.")
        k = cat([k, bias_k.repeat(1, batch, 1)])
        v = cat([v, bias_v.repeat(1, batch, 1)])
        more += 1
    elif bias_k is not None or bias_v is not None:
        names = ("bias_k", "bias_v") if bias_v is None else ("bias_v", "bias_k")
        raise AssertionError(f"{names[0]} is set but {names[1]} is None")
    q = _by_head(q, batch, num_heads)
    k, v = (
        _static("static_k", static_k, k, batch, num_heads),
        _static("static_v", static_v, v, batch, num_heads),
    )
    if add_zero_attn:
        nothing = zeros((batch * num_heads, 1, size // num_heads), dtype=k.dtype)
        k, v = cat([k, nothing], 1), cat([v, nothing], 1)
        more += 1
    if more:
        mask = None if mask is None else constant_pad_nd(mask, (0, more))
        padding = None if padding is None else constant_pad_nd(padding, (0, more))
    source = k.shape[1]
    if padding is not None:
        for axis, wanted, word in ((0, batch, "batch"), (1, source, "source")):
            if padding.shape[axis] != wanted:
                raise AssertionError(
                    f"Expected key_padded_mask.shape[{axis}] to be {wanted}, but got "
                    f"{padding.shape[axis]}", f"which is the {word} size"
                )  # fmt: skip
        wide = padding.reshape(batch, 1, 1, source).expand(-1, num_heads, -1, -1)
        wide = wide.reshape(batch * num_heads, 1, source)
        mask = wide if mask is None else mask + wide
    found, seen = _attended(q, k, v, mask, dropout_p if training else 0.0, is_causal, batch,
                            need_weights)  # fmt: skip
    flat = found.transpose(0, 1).reshape(target * batch, size)
    out: Any = linear(flat, out_proj_weight, out_proj_bias)
    out = out.view(target, batch, out.shape[1])
    if need_weights:
        seen = seen.view(batch, num_heads, target, source)
        seen = seen.mean(dim=1) if average_attn_weights else seen
        seen = seen if batched else seen.squeeze(0)
    return out if batched else out.squeeze(1), seen


def _attended(q: Any, k: Any, v: Any, mask: Any, dropout_p: float, is_causal: bool, batch: int,
              need_weights: bool) -> tuple[Any, Any]:  # fmt: skip
    """Attention by head, f[n · heads, l, e], and its weights if they are needed."""
    if need_weights:
        scaled = q * math.sqrt(1.0 / q.shape[2])
        turned = k.transpose(-2, -1)
        scores = bmm(scaled, turned) if mask is None else baddbmm(mask, scaled, turned)
        weights = dropped(softmax(scores, -1), dropout_p, True, False)
        return bmm(weights, v), weights
    heads = q.shape[0] // batch
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.shape[0] == 1 else mask.view(batch, heads, -1, k.shape[1])
    parts = [x.reshape(batch, heads, *x.shape[1:]) for x in (q, k, v)]
    found: Any = scaled_dot_product_attention(*parts, mask, dropout_p, is_causal)
    return found.reshape(q.shape), None
