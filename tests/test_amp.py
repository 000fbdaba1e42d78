"""autocast and GradScaler, as PyTorch has them on a CPU (tests/data/amp.json)."""

import json
import threading
from pathlib import Path

import pytest

import leafgrad as torch
from leafgrad import nn
from programs import check

RECORDED = json.loads((Path(__file__).parent / "data" / "amp.json").read_text())


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    check(RECORDED[name], torch)


def product():
    a = torch.ones(2, 2)
    return (a @ a).dtype


def test_a_thread_does_not_see_the_autocast_of_another():
    found = []
    with torch.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append(product()))
        thread.start()
        thread.join()
        assert product() is torch.bfloat16
    assert found == [torch.float32]


def test_vmap_and_grad_inside():
    w = torch.randn(3, 3)
    with torch.autocast("cpu"):
        rows = torch.func.vmap(lambda x: w @ x)(torch.randn(4, 3))
        slope = torch.func.grad(lambda w: (w @ w).float().sum())(w)
    assert rows.dtype is torch.bfloat16 and slope.dtype is torch.float32


def test_a_weight_is_converted_once():
    w = nn.Parameter(torch.randn(4, 4))
    x = torch.randn(2, 4)
    with torch.autocast("cpu"):
        a, b = nn.functional.linear(x, w), nn.functional.linear(x, w)
    casts = {id(n) for y in (a, b) for n, _ in y.grad_fn.next_functions if n is not None}
    assert len(casts) == 1
    with torch.autocast("cpu"):
        first = nn.functional.linear(x, w)
        with torch.no_grad():
            w.mul_(2)
        second = nn.functional.linear(x, w)
    assert not torch.equal(first, second)


def test_a_weight_converted_without_grad_is_converted_anew():
    w = nn.Parameter(torch.randn(4, 4))
    x = torch.randn(2, 4)
    with torch.autocast("cpu"):
        with torch.no_grad():
            nn.functional.linear(x, w)
        nn.functional.linear(x, w).sum().backward()
    assert w.grad is not None and w.grad.dtype is torch.float32
