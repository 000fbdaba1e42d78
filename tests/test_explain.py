"""Explanations: why a gradient is None, zero, NaN or huge; which paths made it; what is kept."""

import gc
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import leafgrad as torch
from doc_pages import blocks, run
from leafgrad import nn
from leafgrad.explaining.walk import BEAM, Walk
from leafgrad.graph import cut
from leafgrad.graph.engine import edge_of

PAGE = Path(__file__).parent.parent / "docs" / "explain.md"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def said(explanation) -> str:
    return "\n".join((*explanation.reasons, *explanation.advice))


# ---- the page


def test_the_page_prints_what_it_says(tmp_path):
    found = blocks(PAGE.read_text(), "python", "text")
    assert len(found) >= 14
    pairs = zip(found[::2], found[1::2], strict=True)
    for number, ((kind, program), (other, text)) in enumerate(pairs):
        assert (kind, other) == ("python", "text")
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run(program, folder) == (text, "")


# ---- None


def test_backward_not_called_yet():
    w = leaf(1.0, 2.0)
    loss = (w * w).sum()
    for found in (torch.explain(w), torch.explain(w, loss=loss)):
        assert found.cause == "not called" and found.gradient == "None"
    assert "`(w * w).sum()` (test_explain.py" in torch.explain(w).reasons[0]
    assert found.subject == "w, a leaf, float32[2]"


def test_unknown_whether_backward_was_called_where_nothing_is_freed():
    w = leaf(1.0)
    loss = w + 1.0
    assert torch.explain(w, loss=loss).cause == "unknown"


def test_not_a_leaf_names_the_leaves():
    w, b = leaf(1.0), leaf(2.0)
    y = w * b
    found = torch.explain(y)
    assert found.cause == "not leaf"
    assert set(found.reasons[1].partition(": ")[2].split(", ")) == {"w", "b"}
    assert "call y.retain_grad()" in found.advice[0]


def test_cleared_by_whom():
    w = leaf(1.0, 2.0)
    optimizer = torch.optim.SGD([w], lr=0.1)
    (w * w).sum().backward()
    optimizer.zero_grad()
    optimizer.zero_grad()  # the first one did it
    found = torch.explain(w)
    assert found.cause == "cleared" and "`optimizer.zero_grad()`" in found.reasons[0]
    module = nn.Linear(2, 1)
    module(torch.ones(2)).sum().backward()
    module.zero_grad()
    assert "`module.zero_grad()`" in said(torch.explain(module.weight))
    w.grad = torch.ones(2)
    w.grad = None
    assert "`w.grad = None`" in said(torch.explain(w))


def test_a_graph_that_was_walked_without_filling_grad():
    w = leaf(1.0, 2.0)
    loss = (w * w).sum()
    torch.autograd.grad(loss, w)
    found = torch.explain(w, loss=loss)
    assert found.cause == "not filled" and "`torch.autograd.grad(loss, w)`" in said(found)


def test_detached_with_the_line_and_the_use():
    w, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    h = w * 2.0
    frozen = h.detach()
    loss = (frozen * b).sum()
    found = torch.explain(w, loss=loss)
    assert found.cause == "detach"
    text = said(found)
    assert "`w * 2.0`" in text and "`h.detach()`" in text and "`frozen * b`" in text
    inner = torch.explain(frozen)
    assert inner.cause == "detach" and "which depends on w" in said(inner)


def test_what_was_cut_off_is_handed_on():
    w = leaf(1.0, 2.0)
    d = w.detach()
    for value in (d * 2.0, 2.0 - d, d.exp(), d.view(2, 1) + 1.0, d.sum(), torch.cat([d, d]), d @ d):
        assert torch.explain(value).cause == "detach"
        assert "`w.detach()`" in said(torch.explain(value))
    assert torch.explain(w.data * 1.0).cause == "data"
    assert torch.explain(w.argmax()).cause == "dtype"
    found = torch.explain((w > 1.0).float())
    assert found.cause == "rule" and "`w > 1.0`" in said(found)
    assert torch.explain(w.long().float()).cause == "dtype"


def test_made_while_recording_was_off():
    w = leaf(1.0, 2.0)
    with torch.no_grad():
        y = (w * 2.0).sum() * 3.0
    found = torch.explain(y)
    assert found.cause == "no_grad" and "`with torch.no_grad():`" in said(found)
    assert "y = (w" not in said(found)  # the head of the block, not the block

    @torch.no_grad()
    def decorated():
        return w.exp()

    assert "`decorated()`" in said(torch.explain(decorated()))
    torch.set_grad_enabled(False)
    z = w * 1.0
    torch.set_grad_enabled(True)
    assert "`torch.set_grad_enabled(False)`" in said(torch.explain(z))
    with torch.inference_mode():
        i = w * 2.0
    assert torch.explain(i).cause == "inference"
    with torch.no_grad(), torch.enable_grad():
        assert (w * 2.0).requires_grad
    with torch.no_grad():
        view = w[:1]
    assert torch.explain(view).cause == "no_grad"


def test_recording_off_inside_a_hook_is_not_blamed_on_an_older_block():
    w = leaf(1.0, 2.0)
    with torch.no_grad():
        pass
    seen = []
    y = w * w
    y.register_hook(lambda g: seen.append(w * 1.0))
    y.sum().backward()
    found = torch.explain(seen[0])
    assert found.cause == "no_grad" and "unknown" in said(found)


def test_constants_and_integers_say_so():
    assert torch.explain(torch.ones(2)).cause == "constant"
    found = torch.explain(torch.tensor([1, 2]))
    assert found.cause == "dtype" and "torch.int64" in said(found)
    assert cut.cut_of(torch.ones(2).detach()) is None  # there was no graph to lose
    assert cut.cut_of(torch.ones(2)[0] * torch.ones(2)[1]) is None


def test_a_loss_without_a_graph():
    w = leaf(1.0)
    y = (w * 2.0).detach()
    found = torch.explain(w, loss=y.sum())
    assert found.cause == "no graph" and "`(w * 2.0).detach()`" in said(found)


def test_numbers_that_left_the_graph():
    w = leaf(1.0, 2.0)
    y = (w * w).sum()
    rebuilt = torch.tensor(y.item(), requires_grad=True) * 2.0
    found = torch.explain(w, loss=rebuilt)
    assert found.cause == "not reached" and "left the graph at `y.item()`" in said(found)


def test_a_detached_leaf_remembers_where_it_came_from():
    w = leaf(1.0)
    x = (w * 2.0).detach().requires_grad_()
    assert "`(w * 2.0).detach()`" in said(torch.explain(x))


def test_marks_hold_no_graph_alive():
    w = leaf(1.0, 2.0)
    y = w * w
    d = y.detach()
    y.sum().item()
    node = y.grad_fn
    import weakref

    gone = weakref.ref(node)
    del y, node
    gc.collect()
    assert gone() is None
    found = torch.explain(d)
    assert "gone" in said(found) and "`w * w`" in said(found)


# ---- parameters that a loss does not depend on


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 1)
        self.aux, self.never = nn.Linear(4, 2), nn.Linear(2, 2)
        self.never.bias.requires_grad_(False)

    def forward(self, x):
        hidden = torch.relu(self.body(x))
        self.extra = self.aux(hidden)
        return self.head(hidden.detach())


def test_unused_parameters_by_name_with_reasons():
    net = Net()
    loss = net(torch.ones(2, 3)).sum()
    found = torch.unused(loss, net)
    assert list(found) == ["body.weight", "body.bias", "aux.weight", "aux.bias", "never.weight"]
    assert "`hidden.detach()`" in found["body.weight"]
    assert "used by `self.aux(hidden)`" in found["aux.bias"]
    assert "no recorded operation that still lives uses it" in found["never.weight"]
    assert str(found).count("\n") == 4
    whole = nn.Linear(3, 1)
    assert not torch.unused(whole(torch.ones(3)).sum(), whole)
    assert str(torch.unused(whole(torch.ones(3)).sum(), whole)).endswith("every parameter")
    assert set(torch.unused(torch.ones(1), dict(whole.named_parameters()))) == {"weight", "bias"}


def test_unused_after_what_was_detached_is_gone():
    net = Net()

    def forward(x):
        hidden = torch.relu(net.body(x))
        return net.head(hidden.detach())

    loss = forward(torch.ones(2, 3)).sum()
    loss.backward()
    found = torch.unused(loss, net)
    assert "seems to use it" in found["body.weight"]
    assert "seems" not in found["never.weight"]


# ---- what made a gradient


def test_contributions_of_all_paths_add_up_to_the_gradient():
    x = leaf(0.3, -0.7, 1.1)
    m = torch.tensor([[1.0, 2.0, 0.5], [0.1, -1.0, 3.0], [0.0, 1.0, 1.0]])
    a = x * x
    b = torch.tanh(m @ x)
    first, second, third = torch.stack([a, b, a * b]).unbind(0)
    loss = (first + second * third).sum() + x.prod()
    loss.backward(retain_graph=True)
    walk = Walk(edge_of(loss), x)
    found = walk.paths()
    # `stack` is one node with three inputs, each on a path from each of its three parts: 3 · (2 + 1 +
    # 3) paths, of which those to another part carry nothing; and one through `prod`.
    assert walk.count == 19 and len(found) == BEAM
    assert sum(norm > 0 for norm, _, _ in found) == 2 + 1 + 3 + 1
    assert np.allclose(sum(g for _, _, g in found), x.grad.numpy(), rtol=1e-5)
    norms = [norm for norm, _, _ in found]
    assert norms == sorted(norms, reverse=True)
    explained = torch.explain(x, loss=loss)
    assert explained.path_count == 19 and explained.left_out == 15
    assert [p.norm for p in explained.paths] == norms[:4]
    assert explained.paths[0].steps[-1].name == "x" and explained.cause == "fine"


def test_many_paths_are_counted_and_the_strongest_shown():
    x = leaf(1.0)
    y = x
    for _ in range(40):
        y = y * 1.5 + y * 0.001
    y.backward(retain_graph=True)
    found = torch.explain(x, loss=y)
    assert found.path_count == 2**40 and found.left_out == 2**40 - 4
    assert found.paths[0].norm == pytest.approx(1.5**40, rel=1e-4)
    assert found.paths[0].share == pytest.approx((1.5 / 1.501) ** 40, rel=1e-4)
    assert "1,099,511,627,776" in str(found)


def test_a_chain_of_many_nodes_is_no_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    y.backward(retain_graph=True)
    found = torch.explain(x, loss=y)
    assert found.path_count == 1 and len(found.paths[0].steps) == 20_001
    assert str(found).count("\n") < 16


def test_complex_views_in_place_and_functions_on_the_way():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    x = leaf(1.0, 2.0, 3.0)
    y = x * 1.0
    y[0] = y[1] * 2.0
    z = torch.complex(Cube.apply(y), y)
    loss = (z * z.conj()).real.sum()
    loss.backward(retain_graph=True)
    walk = Walk(edge_of(loss), x)
    found = walk.paths()
    assert walk.count == len(found)
    assert np.allclose(sum(g for _, _, g in found), x.grad.numpy(), rtol=1e-5)
    assert torch.explain(x, loss=loss).cause == "fine"


def test_explaining_changes_nothing():
    x = leaf(1.0, 2.0)
    calls = []
    h = x * x
    h.register_hook(calls.append)
    loss = h.sum()
    x.grad = torch.zeros(2)
    torch.explain(x, loss=loss)
    torch.explain(loss)
    assert calls == [] and x.grad.tolist() == [0.0, 0.0] and torch.is_grad_enabled()
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_nan_is_traced_to_the_branch_that_was_not_selected():
    x = leaf(0.0, 4.0)
    loss = torch.where(x > 0, torch.sqrt(x), 0.0).sum()
    loss.backward(retain_graph=True)
    found = torch.explain(x, loss=loss)
    assert found.cause == "nan" and found.gradient == "[nan, 0.25]"
    assert "`torch.sqrt(x)`" in said(found)
    assert "not selected by: `torch.where(x > 0, torch.sqrt(x), 0.0)`" in said(found)
    assert "choose a harmless input first" in found.advice[0]
    assert math.isnan(found.paths[0].share)


def test_infinity_zero_and_size():
    x = leaf(0.0)
    y = torch.sqrt(x)
    y.backward(retain_graph=True)
    found = torch.explain(x, loss=y)
    assert found.cause == "inf" and "derivative of `torch.sqrt(x)`" in said(found)
    w = leaf(-1.0, -2.0)
    loss = torch.relu(w).sum()
    loss.backward(retain_graph=True)
    found = torch.explain(w, loss=loss)
    assert found.cause == "zero" and "derivative of `torch.relu(w)`" in said(found)
    c = leaf(2.0)
    loss = c - c
    loss.backward(retain_graph=True)
    assert "cancel" in said(torch.explain(c, loss=loss))
    v = leaf(9.0)
    loss = torch.exp(v * 2.0)
    loss.backward(retain_graph=True)
    found = torch.explain(v, loss=loss)
    assert found.cause == "huge" and "derivative of `torch.exp(v * 2.0)`" in said(found)


def test_zeroed_by_whom():
    x = leaf(1.0)
    loss = x * x
    loss.backward(retain_graph=True)
    x.grad.zero_()
    found = torch.explain(x, loss=loss)
    assert found.cause == "zero" and "`x.grad.zero_()`" in said(found)


def test_several_passes_and_other_changes():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    for _ in range(3):
        loss.backward(retain_graph=True)
    assert "3 times the gradient of this loss" in said(torch.explain(x, loss=loss))
    with torch.no_grad():
        x.grad.clamp_(max=5.0)
    assert "not the gradient of this loss alone" in said(torch.explain(x, loss=loss))
    other = leaf(1.0)
    (other * 2.0).backward()
    assert "another loss made it" in said(torch.explain(other, loss=loss))


def test_a_freed_graph_says_who_freed_it():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    loss.backward()
    found = torch.explain(x, loss=loss)
    assert found.path_count == 0 and found.paths == ()
    assert "freed by `loss.backward()`" in said(found)


# ---- what is kept


def test_kept_bytes_are_counted_once():
    x = torch.ones(1000, requires_grad=True)
    y = x * x
    z = torch.exp(y) * y
    found = torch.explain(z.sum())
    # x (a leaf, twice), y and exp(y) are held; the product's own result is not.
    assert found.kept_bytes == 3 * 4000
    assert sum(row.leaves for row in found.kept) == 4000
    assert found.kept[0].source.startswith("`torch.exp(y) * y`")
    assert "kept for backward: 12 kB in 3 nodes (4 kB of it in leaves" in str(found)
    loss = z.sum()
    loss.backward()
    after = torch.explain(loss)
    assert after.kept == () and "was freed by `loss.backward()`" in said(after)


def test_names_of_a_model():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    loss = net(torch.ones(4, 2)).sum()
    loss.backward(retain_graph=True)
    assert "2.bias, 2.weight, 0.bias, 0.weight" in said(torch.explain(loss, names=net))
    found = torch.explain(net[0].weight, loss=loss, names=net)
    assert found.subject.startswith("0.weight, a leaf")


def test_wrong_arguments():
    with pytest.raises(TypeError, match="explain\\(\\) takes a tensor, not int"):
        torch.explain(3)
    with pytest.raises(TypeError, match="unused\\(\\) takes a Module"):
        torch.unused(torch.ones(1), [torch.ones(1)])


# ---- the command line


def command(*args):
    root = Path(__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONWARNINGS": "error"}
    return subprocess.run([sys.executable, "-m", "leafgrad", "explain", *args], env=env,
                          capture_output=True, text=True, timeout=300)  # fmt: skip


def test_explain_a_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(
        """
import torch

net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
hidden = net[0](torch.ones(4, 2))
loss = net[1](hidden.detach()).sum()
loss.backward()
"""
    )
    done = command(str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("its .grad is None") == 2
    assert "net.0.weight, a leaf" in done.stdout and "`hidden.detach()`" in done.stdout
    done = command(str(path), "net.1.bias")
    assert done.stdout.startswith("net.1.bias, a leaf, float32[1]: its .grad is [4]")
    assert "the path to it" in done.stdout  # graphs are kept for it
    done = command("-l", "hidden", str(path), "net.0.bias")
    assert "hidden depends on it" in done.stdout
    done = command(str(path), "nothing")
    assert done.returncode == 1 and "it has hidden, loss, net.0.bias" in done.stderr
    path.write_text("import torch\n")
    assert command(str(path)).stdout == "every leaf that requires grad has a gradient\n"
