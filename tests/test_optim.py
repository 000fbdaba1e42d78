"""Optimizers and schedules, as PyTorch has them (tests/data/nn.json)."""

import json
from pathlib import Path

import numpy as np
import pytest

import leafgrad as torch
from leafgrad import nn, optim
from leafgrad.optim import optimizer as optimizer_module
from programs import check
from test_nn import OURS, RECORDED

DATA = Path(__file__).parent / "data"
THEIRS = {n: r for n, r in RECORDED.items() if n not in OURS}
THEIRS |= json.loads((DATA / "optim.json").read_text())


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    check(THEIRS[name], torch)


ALL = {
    "SGD": {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Adagrad": {"lr_decay": 0.1},
    "Adadelta": {"lr": 0.5},
    "Adamax": {"maximize": True},
    "NAdam": {"weight_decay": 0.1},
    "RAdam": {"weight_decay": 0.1},
    "ASGD": {"t0": 1},
    "Rprop": {},
}


def trained(name, start, grads, **more):
    p = nn.Parameter(torch.from_numpy(start.copy()))
    o = getattr(optim, name)([p], **{**ALL[name], **more})
    for g in grads:
        p.grad = torch.from_numpy(g).to(p.dtype)
        o.step()
    return p.detach()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ALL)
def test_large_arrays_are_updated_as_small_ones(name, threads, monkeypatch):
    """Piece by piece, and by several threads: element for element the same numbers."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((11, 500)).astype(np.float32)
    grads = [rng.standard_normal(start.shape).astype(np.float32) for _ in range(8)]
    wanted = trained(name, start, grads).numpy()
    monkeypatch.setattr(optimizer_module, "BLOCK", 300)
    monkeypatch.setattr(optimizer_module, "SHARED", 1000)
    monkeypatch.setattr(optimizer_module.parallel, "_threads", threads)
    monkeypatch.setattr(optimizer_module.parallel, "_pool", None)
    assert np.array_equal(trained(name, start, grads).numpy(), wanted)


@pytest.mark.parametrize("name", ALL)
def test_any_memory_order(name):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 6)).astype(np.float32)
    grads = [rng.standard_normal((4, 6)).astype(np.float32) for _ in range(8)]
    wanted = trained(name, start, grads).numpy()
    for order in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2]):
        assert np.array_equal(trained(name, order(start), grads).numpy(), wanted)
        assert np.array_equal(trained(name, start, map(order, grads)).numpy(), wanted)


@pytest.mark.parametrize("block", [4, 1 << 16])
def test_any_memory_order_in_pieces(block, monkeypatch):
    monkeypatch.setattr(optimizer_module, "BLOCK", block)
    start = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
    p = nn.Parameter(torch.from_numpy(start.transpose(2, 0, 1)))
    p.grad = torch.ones(3, 5, 4)
    optim.SGD([p], lr=1.0).step()
    assert np.array_equal(p.detach().numpy(), np.arange(60).reshape(5, 4, 3).transpose(2, 0, 1) - 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ALL)
def test_16_bits_are_updated_in_32(name, dtype):
    rng = np.random.default_rng(0)
    start = rng.standard_normal(50).astype(np.float32)
    grad = rng.standard_normal(50).astype(np.float32)
    p = nn.Parameter(torch.from_numpy(start).to(dtype))
    o = getattr(optim, name)([p], **{**ALL[name], "lr": 0.125})
    p.grad = torch.from_numpy(grad).to(dtype)
    wanted = trained(name, p.detach().float().numpy(), [p.grad.float().numpy()], lr=0.125)
    o.step()
    assert p.dtype is dtype
    assert p.detach().float().tolist() == wanted.to(dtype).float().tolist()


@pytest.mark.parametrize("name", ALL)
def test_a_parameter_without_dimensions_and_one_without_elements(name):
    scalar, empty = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.ones(0, 3))
    scalar.grad, empty.grad = torch.tensor(2.0), torch.ones(0, 3)
    before = scalar._array
    o = getattr(optim, name)([scalar, empty], **ALL[name])
    o.step()
    o.step()
    assert scalar._array is before and scalar.item() != 1 and scalar.shape == ()


@pytest.mark.parametrize("name", ALL)
def test_a_step_that_fails_changes_nothing(name):
    a, b = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
    o = getattr(optim, name)([a, b], **ALL[name])
    a.grad, b.grad = torch.ones(3), torch.ones(2)
    o.step()
    before = [a.tolist(), b.tolist(), str(o.state_dict()), a._version, b._version]
    b.data = torch.ones(4)
    with pytest.raises(RuntimeError, match=r"size of tensor a .4. must match the size of tensor b"):
        o.step()
    b.data = torch.tensor(before[1])
    assert before == [a.tolist(), b.tolist(), str(o.state_dict()), a._version, b._version]


def test_a_step_counts_one_write_and_leaves_its_mark():
    w = nn.Parameter(torch.ones(2))
    o = optim.Adam([w])
    loss = (w * w).sum()
    w.grad = torch.ones(2)
    o.step()
    assert w._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        loss.backward()
    assert "written by: `o.step()`" in str(caught.value)


def test_a_training_that_diverges_does_not_warn():
    for name in ALL:
        p = nn.Parameter(torch.full((2,), 3e38))
        o = getattr(optim, name)([p], **ALL[name])
        p.grad = torch.full((2,), -3e38)
        for _ in range(3):
            o.step()


def test_differentiable_updates_are_refused():
    with pytest.raises(NotImplementedError, match="differentiable=True"):
        optim.SGD([nn.Parameter(torch.ones(1))], differentiable=True)


def test_the_error_for_a_parameter_that_is_no_leaf_says_what_made_it():
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=r"can't optimize a non-leaf Tensor") as caught:
        optim.SGD([w * 2])
    assert "`w * 2`" in str(caught.value)


def test_momentum_of_a_checkpoint_may_be_none():
    p = nn.Parameter(torch.ones(2))
    o = optim.SGD([p], lr=1.0, momentum=0.5)
    state = o.state_dict()
    state["state"] = {0: {"momentum_buffer": None}}
    o.load_state_dict(state)
    p.grad = torch.ones(2)
    o.step()
    o.step()
    assert p.tolist() == [-1.5, -1.5]


def test_closures_run_in_every_optimizer():
    for name in [*ALL, "LBFGS"]:
        p = nn.Parameter(torch.tensor([3.0, -2.0]))
        o = getattr(optim, name)([p], **{**ALL.get(name, {}), "lr": 0.1, "maximize": False}
                                 if name != "LBFGS" else {})  # fmt: skip

        def closure(p=p, o=o):
            o.zero_grad()
            loss = (p**2).sum()
            loss.backward()
            return loss

        first = o.step(closure).item()
        for _ in range(10):
            last = o.step(closure).item()
        assert first == 13 and last < 13, name


def test_muon_takes_bfloat16_and_any_memory_order():
    rng = np.random.default_rng(0)
    start, grad = rng.standard_normal((2, 3, 5)).astype(np.float32)
    steps = []
    for order in ("C", "F"):
        p = nn.Parameter(torch.from_numpy(np.array(start, order=order)))
        p.grad = torch.from_numpy(grad)
        optim.Muon([p], 0.1, weight_decay=0).step()
        steps.append(start - p.detach().numpy())
    assert np.allclose(steps[0], steps[1], rtol=0, atol=1e-3)  # bfloat16's products, summed anew
    singular = np.linalg.svd(steps[0] / 0.1, compute_uv=False)
    assert np.all((singular > 0.6) & (singular < 1.3))
    p = nn.Parameter(torch.zeros(3, 5, dtype=torch.bfloat16))
    p.grad = torch.from_numpy(grad).bfloat16()
    optim.Muon([p], 0.1, weight_decay=0).step()
    assert np.allclose(-p.detach().float().numpy(), steps[0], rtol=0, atol=4e-3)


def test_adafactor_keeps_rows_and_columns_only():
    p = nn.Parameter(torch.ones(2, 3, 4))
    p.grad = torch.randn(2, 3, 4)
    o = optim.Adafactor([p])
    o.step()
    kept = {k: tuple(v.shape) for k, v in o.state[p].items()}
    assert kept == {"step": (), "row_var": (2, 3, 1), "col_var": (2, 1, 4)}
    half = nn.Parameter(torch.ones(2, 3, 4, dtype=torch.float16))
    half.grad = p.grad.half()
    optim.Adafactor([half]).step()
    assert half.dtype is torch.float16
    assert np.allclose(half.detach().float().numpy(), p.detach().numpy(), rtol=0, atol=1e-3)
