"""Parametrizations, normalised weights, pruning and fusion, as PyTorch has them
(tests/data/nn_utils.json)."""

import json
from pathlib import Path

import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn.utils import parametrizations, parametrize, prune
from programs import check

RECORDED = json.loads((Path(__file__).parent / "data" / "nn_utils.json").read_text())


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    check(RECORDED[name], torch)


def test_a_cache_ends_with_the_outermost_block():
    m = parametrizations.weight_norm(nn.Linear(2, 2))
    with parametrize.cached():
        with parametrize.cached():
            first = m.weight
        assert m.weight is first
    assert m.weight is not first


def test_a_cache_is_forgotten_when_a_block_fails():
    m = parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(ZeroDivisionError), parametrize.cached():
        assert m.weight is m.weight
        raise ZeroDivisionError
    assert m.weight is not m.weight


def test_other_modules_of_the_class_are_as_before():
    parametrizations.orthogonal(nn.Linear(3, 3))
    plain = nn.Linear(3, 3)
    assert type(plain) is nn.Linear and isinstance(plain.weight, nn.Parameter)


def test_an_orthogonal_matrix_stays_orthogonal_while_it_learns():
    torch.manual_seed(0)
    m = parametrizations.orthogonal(nn.Linear(4, 6, dtype=torch.float64))
    o = torch.optim.Adam(m.parameters(), 0.1)
    for _ in range(20):
        o.zero_grad()
        m(torch.ones(4, dtype=torch.float64)).square().sum().backward()
        o.step()
    left = (m.weight.mT @ m.weight - torch.eye(4, dtype=torch.float64)).abs().max().item()
    assert left < 1e-12


def test_pruned_elements_do_not_learn():
    m = prune.l1_unstructured(nn.Linear(3, 1, bias=False), "weight", 2)
    before = m.weight_orig.detach().clone()
    o = torch.optim.SGD(m.parameters(), 1.0)
    m(torch.ones(3)).sum().backward()
    o.step()
    assert ((m.weight_orig != before) == (m.weight_mask == 1)).all()
