"""Modules, their initial values and their protocol, as PyTorch has them (tests/data/nn.json)."""

import json
from pathlib import Path

import pytest

import leafgrad as torch
from programs import check

RECORDED = json.loads((Path(__file__).parent / "data" / "nn.json").read_text())
OPTIMIZERS = ("optim", "lr_scheduler", "S.")
OURS = {n: r for n, r in RECORDED.items() if not any(w in r["program"] for w in OPTIMIZERS)}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    check(OURS[name], torch)
