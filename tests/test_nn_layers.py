"""Convolutions, pooling, recurrent layers, attention and so on, as PyTorch has them
(tests/data/layers.json)."""

import json
from pathlib import Path

import pytest

import leafgrad as torch
from layer_programs import program_of
from programs import check

RECORDED = json.loads((Path(__file__).parent / "data" / "layers.json").read_text())


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    entry = RECORDED[name]
    check({"program": program_of(entry), "shown": entry["shown"]}, torch)
