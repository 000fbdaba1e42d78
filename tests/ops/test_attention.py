"""Attention with several heads, embedding bags and CTC, against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn import functional as F
from ops.helpers import check_gradients

rng = np.random.default_rng(6)
DOUBLE = {"dtype": torch.float64}


def normal(*shape):
    return rng.standard_normal(shape)


# Attention


def attended(m, q, k, v, mask=None):
    """What a MultiheadAttention gives for one example, head by head."""
    size, heads = m.embed_dim, m.num_heads
    weights = [w.detach().numpy() for w in m.in_proj_weight.chunk(3)]
    biases = [b.detach().numpy() for b in m.in_proj_bias.chunk(3)]
    q, k, v = (x @ w.T + b for x, w, b in zip((q, k, v), weights, biases, strict=True))
    outs, seen = [], []
    for h in range(heads):
        part = slice(h * size // heads, (h + 1) * size // heads)
        scores = q[:, part] @ k[:, part].T / math.sqrt(size // heads)
        if mask is not None:
            scores = np.where(mask, -np.inf, scores)
        power = np.exp(scores - scores.max(1, keepdims=True))
        seen.append(power / power.sum(1, keepdims=True))
        outs.append(seen[-1] @ v[:, part])
    last = m.out_proj
    out = np.concatenate(outs, 1) @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    return out, np.stack(seen)


@pytest.mark.parametrize("self_attention", [True, False])
@pytest.mark.parametrize("mask", [None, "causal", "padding"])
def test_multihead_attention(self_attention, mask):
    m = nn.MultiheadAttention(6, 3, batch_first=True, **DOUBLE)
    with torch.no_grad():
        m.in_proj_bias.normal_()
        m.out_proj.bias.normal_()
    q = normal(2, 4, 6)
    k, v = (q, q) if self_attention else (normal(2, 5, 6), normal(2, 5, 6))
    x = torch.tensor(q)
    given = (x, x, x) if self_attention else (x, torch.tensor(k), torch.tensor(v))
    hidden = padding = None
    masks = [None, None]
    if mask == "causal":
        hidden = torch.ones(4, k.shape[1]).triu(1).bool()
        masks = [hidden.numpy()] * 2
    elif mask == "padding":
        padding = torch.zeros(2, k.shape[1]).bool()
        padding[1, -2:] = True
        masks = list(padding.numpy()[:, None])
    for need in (True, False):
        out, weights = m(*given, padding, need, hidden, average_attn_weights=False)
        for i in range(2):
            wanted, seen = attended(m, q[i], k[i], v[i], masks[i])
            np.testing.assert_allclose(out[i].detach().numpy(), wanted)
            if need:
                np.testing.assert_allclose(weights[i].detach().numpy(), seen)
    assert weights is None


def test_derivatives_of_attention():
    weight, bias, last = normal(12, 4), normal(12), normal(4, 4)

    def run(q, k, w, b, o):
        return F.multi_head_attention_forward(q, k, k, 4, 2, w, b, None, None, False, 0.0, o, None)[
            0
        ]

    check_gradients(run, normal(3, 2, 4), normal(2, 2, 4), weight, bias, last)


def test_an_encoder_leaves_padding_out_when_it_only_predicts():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2).eval()
    x, padding = torch.randn(2, 3, 4), torch.tensor([[False] * 3, [False, True, True]])
    recorded = encoder(x, src_key_padding_mask=padding)
    assert recorded[1, 1:].all()
    with torch.no_grad():
        found = encoder(x, src_key_padding_mask=padding)
    assert not found[1, 1:].any()
    np.testing.assert_allclose(found[0].numpy(), recorded[0].detach().numpy())


# Bags


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2])
def test_embedding_bag(mode, padding):
    table = normal(6, 3)
    indices, offsets = np.array([1, 2, 5, 2, 0, 5]), np.array([0, 3, 3, 5])
    bags = [indices[a:b] for a, b in zip(offsets, [3, 3, 5, 6], strict=True)]

    def run(weight):
        return F.embedding_bag(torch.tensor(indices), weight, torch.tensor(offsets), mode=mode,
                               padding_idx=padding)  # fmt: skip

    found = run(torch.tensor(table)).numpy()
    for row, bag in zip(found, bags, strict=True):
        rows = table[[i for i in bag if i != padding]]
        put = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
        np.testing.assert_allclose(row, put(rows, 0) if len(rows) else np.zeros(3))
    check_gradients(run, table)
    with_last = F.embedding_bag(torch.tensor(indices), torch.tensor(table),
                                torch.tensor([*offsets, 6]), mode=mode, padding_idx=padding,
                                include_last_offset=True)  # fmt: skip
    np.testing.assert_array_equal(with_last.numpy(), found)


def test_weighted_bags_and_counts():
    table, factors = normal(5, 2), normal(2, 3)
    indices = torch.tensor([[0, 3, 3], [4, 0, 1]])

    def run(weight, per_sample):
        return F.embedding_bag(indices, weight, mode="sum", per_sample_weights=per_sample)

    found = run(torch.tensor(table), torch.tensor(factors)).numpy()
    np.testing.assert_allclose(found, (table[indices.numpy()] * factors[..., None]).sum(1))
    check_gradients(run, table, factors)
    leaf = torch.tensor(table, requires_grad=True)
    F.embedding_bag(indices, leaf, mode="sum", scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy()[:, 0], [1, 1, 0, 1, 1])


# Alignments


def spelt(way, blank):
    """What a way through the classes spells: repeats and blanks taken out."""
    return [c for c, _ in itertools.groupby(way) if c != blank]


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", [[1], [1, 1], [1, 3, 1], []])
def test_ctc_sums_over_all_alignments(blank, target):
    time, classes = 5, 4
    scores = normal(time, 1, classes)
    logs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    total = sum(
        math.exp(sum(logs[t, 0, c] for t, c in enumerate(way)))
        for way in itertools.product(range(classes), repeat=time)
        if spelt(way, blank) == target
    )
    targets = torch.tensor([target or [1]])
    given = (targets, (time,), (len(target),), blank, "sum")
    assert F.ctc_loss(torch.tensor(logs), *given).item() == pytest.approx(-math.log(total))
    check_gradients(lambda x: F.ctc_loss(x.log_softmax(-1), *given), scores, order=1)


def test_ctc_of_several_lengths():
    scores = torch.tensor(normal(6, 3, 5), requires_grad=True)
    logs = scores.log_softmax(-1)
    padded = torch.tensor([[1, 2, 3], [4, 4, 0], [2, 0, 0]])
    frames, lengths = (6, 4, 5), (3, 2, 1)
    each = F.ctc_loss(logs, padded, frames, lengths, reduction="none")
    flat = F.ctc_loss(logs, torch.tensor([1, 2, 3, 4, 4, 2]), torch.tensor(frames),
                      torch.tensor(lengths), reduction="none")  # fmt: skip
    np.testing.assert_array_equal(each.detach().numpy(), flat.detach().numpy())
    for i in range(3):
        one = F.ctc_loss(logs[: frames[i], i], padded[i, : lengths[i]], (frames[i],), (lengths[i],),
                         reduction="none")  # fmt: skip
        assert one.item() == pytest.approx(each[i].item())
    mean = F.ctc_loss(logs, padded, frames, lengths).item()
    assert mean == pytest.approx((each / torch.tensor(lengths)).mean().item())
    each.sum().backward()
    assert not scores.grad[4:, 1].any() and scores.grad[:4, 1].all()


def test_an_impossible_target():
    logs = torch.zeros(2, 1, 3, requires_grad=True)
    given = (torch.tensor([[1, 1]]), (2,), (2,))
    loss = F.ctc_loss(logs, *given)
    assert loss.item() == math.inf
    F.ctc_loss(logs, *given, zero_infinity=True).backward()
    assert not logs.grad.any()
