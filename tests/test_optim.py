"""Optimizers and schedules, as PyTorch has them (tests/data/nn.json)."""

import pytest

import leafgrad as torch
from programs import check
from test_nn import OURS, RECORDED

THEIRS = {n: r for n, r in RECORDED.items() if n not in OURS}


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    check(THEIRS[name], torch)
