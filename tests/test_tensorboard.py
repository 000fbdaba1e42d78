"""SummaryWriter: tensors become arrays, and without tensorboardX the error says what to install."""

import importlib
import sys

import pytest

import leafgrad as torch


@pytest.fixture
def fresh():
    """The module as when first imported."""
    names = ["leafgrad.utils.tensorboard", "leafgrad.utils.tensorboard.writer"]
    before = {n: sys.modules.pop(n) for n in names if n in sys.modules}
    yield
    for n in names:
        sys.modules.pop(n, None)
    sys.modules.update(before)


def test_what_is_missing_is_named(fresh, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    module = importlib.import_module("leafgrad.utils.tensorboard")
    with pytest.raises(ModuleNotFoundError, match="pip install tensorboardX"):
        module.SummaryWriter


def test_scalars_and_histograms_are_written(fresh, tmp_path):
    pytest.importorskip("tensorboardX")
    from leafgrad.utils.tensorboard import SummaryWriter

    x = torch.ones(3, requires_grad=True)
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", x.sum(), 1)
        writer.add_scalars("both", {"a": x.sum(), "b": 2.0}, 1)
        writer.add_histogram("x", x.bfloat16(), 1)
        with pytest.raises(NotImplementedError, match=r"leafgrad\.graph"):
            writer.add_graph(None)
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert any(b"loss" in f.read_bytes() for f in files)
