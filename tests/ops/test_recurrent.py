"""Recurrent layers: against their cells, packed, what a backward pass through time gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn.utils import rnn
from ops.helpers import check_gradients

rng = np.random.default_rng(5)
KINDS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {}),
         ("LSTM", {"proj_size": 2})]  # fmt: skip
DOUBLE = {"dtype": torch.float64}


def normal(*shape):
    return rng.standard_normal(shape)


def made(kind, options, **more):
    torch.manual_seed(0)
    return getattr(nn, kind)(3, 4, **options, **more, **DOUBLE)


def states_of(found):
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize(("kind", "options"), KINDS[:4], ids=str)
def test_a_layer_is_its_cell_again_and_again(kind, options):
    layer = made(kind, options)
    cell = getattr(nn, f"{kind}Cell")(3, 4, **options, **DOUBLE)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(cell, name, getattr(layer, f"{name}_l0"))
    x = torch.tensor(normal(5, 2, 3), requires_grad=True)
    out, last = layer(x)
    state, rows = None, []
    for step in x:
        state = cell(step, state)
        rows.append(states_of(state)[0])
    np.testing.assert_allclose(out.detach().numpy(), torch.stack(rows).detach().numpy())
    for mine, other in zip(states_of(last), states_of(state), strict=True):
        np.testing.assert_allclose(mine[0].detach().numpy(), other.detach().numpy())
    # A backward pass through the layer is one through all its cells.
    weights = torch.tensor(normal(5, 2, 4))
    leaves = [x, *layer.parameters()]
    ours = torch.autograd.grad((out * weights).sum() + states_of(last)[-1].sum(), leaves)
    theirs = torch.autograd.grad(
        (torch.stack(rows) * weights).sum() + states_of(state)[-1].sum(), leaves
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
@pytest.mark.parametrize("both", [False, True])
def test_derivatives_of_both_orders(kind, options, both):
    layer = made(kind, options, num_layers=2, bidirectional=both)
    names = [name for name, _ in layer.named_parameters()]
    chosen = [n for n in names if n.endswith(("_l0", "_l1_reverse"))]
    values = [getattr(layer, n).detach().numpy() for n in chosen]

    def run(x, *weights):
        given = dict(zip(chosen, weights, strict=True))
        flat = [given.get(n, getattr(layer, n).detach()) for n in names]
        count = 4 if both else 2
        size = options.get("proj_size", 4)
        states = [torch.zeros(count, 2, size, **DOUBLE), torch.zeros(count, 2, 4, **DOUBLE)]
        called = layer.mode.lower()
        states = states if called == "lstm" else states[0]
        found = getattr(torch, called)(x, states, flat, True, 2, 0.0, False, both, False)
        return torch.cat([part.reshape(-1) for part in found])

    check_gradients(run, normal(4, 2, 3), *values)


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed_sequences_are_like_those_alone(kind, options, batch_first):
    layer = made(kind, options, bidirectional=True, batch_first=batch_first)
    lengths = [2, 5, 3]
    alone = [torch.tensor(normal(n, 3), requires_grad=True) for n in lengths]
    padded = rnn.pad_sequence(alone, batch_first)
    packed = rnn.pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    out, last = layer(packed)
    rows, sizes = rnn.pad_packed_sequence(out, batch_first=True, padding_value=-1.0)
    assert sizes.tolist() == lengths and (rows[0, 2:] == -1).all()
    for i, x in enumerate(alone):
        one, state = layer(x)
        np.testing.assert_allclose(rows[i, : len(x)].detach().numpy(), one.detach().numpy())
        for mine, other in zip(states_of(last), states_of(state), strict=True):
            np.testing.assert_allclose(mine[:, i].detach().numpy(), other.detach().numpy())
    weights = [torch.tensor(normal(n, out.data.shape[1])) for n in lengths]
    total = sum((rows[i, :n] * w).sum() for i, (n, w) in enumerate(zip(lengths, weights,
                                                                       strict=True)))  # fmt: skip
    ours = torch.autograd.grad(total, [*alone, *layer.parameters()])
    single = sum((layer(x)[0] * w).sum() for x, w in zip(alone, weights, strict=True))
    theirs = torch.autograd.grad(single, [*alone, *layer.parameters()])
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_the_output_may_be_written_to(kind):
    layer = made(kind, {})
    x = torch.tensor(normal(4, 2, 3), requires_grad=True)
    wanted = torch.autograd.grad((layer(x)[0] * 2).sum(), x)[0]
    out, _ = layer(x)
    out.mul_(2)
    np.testing.assert_array_equal(torch.autograd.grad(out.sum(), x)[0].numpy(), wanted.numpy())


def test_one_output_alone():
    layer = made("LSTM", {})
    x = torch.tensor(normal(4, 2, 3), requires_grad=True)
    for pick in (lambda found: found[0][0], lambda found: found[1][0], lambda found: found[1][1]):
        (first,) = torch.autograd.grad(pick(layer(x)).sum(), x)
        assert first.any()
    (first,) = torch.autograd.grad(layer(x)[0][1].sum(), x)
    assert not first[2:].any() and first[:2].all()  # what comes later does not count


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits(dtype):
    layer = made("LSTM", {})
    x = normal(4, 2, 3)
    wanted = layer(torch.tensor(x))[0]
    layer.to(dtype)
    leaf = torch.tensor(x).to(dtype).requires_grad_()
    found = layer(leaf)[0]
    assert found.dtype is dtype
    np.testing.assert_allclose(found.detach().double().numpy(), wanted.detach().numpy(), atol=0.02)
    found.sum().backward()
    assert leaf.grad.dtype is dtype and layer.weight_hh_l0.grad.dtype is dtype


def test_dropout_between_layers_only():
    layer = made("GRU", {}, num_layers=2, dropout=1.0)
    out, last = layer(torch.tensor(normal(3, 2, 3)))
    assert last[0].any()
    alone = nn.GRU(4, 4, **DOUBLE)
    for name, parameter in alone.named_parameters():
        parameter.data = getattr(layer, name.replace("l0", "l1")).data
    np.testing.assert_allclose(
        out.detach().numpy(), alone(torch.zeros(3, 2, 4, **DOUBLE))[0].detach().numpy()
    )


def test_weights_are_found_anew():
    layer = made("RNN", {})
    x = torch.tensor(normal(2, 1, 3))
    before = layer(x)[0]
    layer.weight_ih_l0 = nn.Parameter(torch.zeros(4, 3, **DOUBLE))
    assert not (layer(x)[0] == before).all()
    assert layer.all_weights[0][0] is layer.weight_ih_l0 is layer._flat_weights[0]


def test_lengths_and_orders():
    for lengths in itertools.permutations([1, 2, 4]):
        given = [torch.tensor(normal(n, 2)) for n in lengths]
        back = rnn.unpack_sequence(rnn.pack_sequence(given, enforce_sorted=False))
        for mine, other in zip(back, given, strict=True):
            np.testing.assert_array_equal(mine.numpy(), other.numpy())


def test_derivatives_of_packing():
    def there_and_back(x):
        packed = rnn.pack_padded_sequence(x, [3, 1], enforce_sorted=True)
        return rnn.pad_packed_sequence(rnn.PackedSequence(packed.data**3, *packed[1:]))[0]

    check_gradients(there_and_back, normal(3, 2, 2))
