"""The engine: order, accumulation, freeing, requested inputs, second derivatives, threads."""

import gc
import threading
import weakref

import numpy as np
import pytest

import leafgrad as torch


def leaf(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def test_gradient_of_a_product_and_a_sum():
    x, y = leaf(2.0, 3.0), leaf(5.0, 7.0)
    (x * y + x).sum().backward()
    assert x.grad.tolist() == [6.0, 8.0]
    assert y.grad.tolist() == [2.0, 3.0]


def test_gradients_accumulate_until_set_to_none():
    x = leaf(3.0)
    for times in (1, 2, 3):
        (x * x).sum().backward()
        assert x.grad.item() == 6.0 * times
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.item() == 6.0


def test_accumulation_adds_in_place_to_the_same_tensor():
    x = leaf(3.0)
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert first._version == 1


def test_a_value_used_many_times():
    x = leaf(1.5)
    y = x * x
    z = y
    for _ in range(5):
        z = z + y
    z.sum().backward()
    assert x.grad.item() == 6 * 2 * 1.5


def test_two_leaves_never_share_a_gradient():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    g = torch.ones(2, dtype=torch.float64)
    (x + y).backward(g)
    x.grad.mul_(10.0)
    assert y.grad.tolist() == [1.0, 1.0]
    assert g.tolist() == [1.0, 1.0]


def test_a_chain_of_100_000_nodes():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    del y  # freeing it must not recurse either


def test_a_diamond_ladder_is_walked_once_per_node():
    x = leaf(1.0)
    y = x
    for _ in range(200):  # 2**200 paths
        y = (y + y) * 0.5
    y.backward()
    assert x.grad.item() == 1.0


def test_order_is_reverse_creation():
    order = []
    a = leaf(2.0)
    b = a * 2.0
    c = a * 3.0
    d = b + c
    for name, t in zip("abcd", (a, b, c, d), strict=True):
        t.register_hook(lambda g, name=name: order.append(name))
    d.backward()
    assert order == ["d", "c", "b", "a"]


def test_a_leaf_with_a_hook_is_finished_when_its_last_gradient_came():
    order = []
    early, late = leaf(1.0), leaf(1.0)
    h = early * 2.0
    y = h * late
    late.register_hook(lambda g: order.append("late"))
    h.register_hook(lambda g: order.append("h"))
    early.register_hook(lambda g: order.append("early"))
    y.sum().backward()
    assert order == ["late", "h", "early"]


def test_freed_graph_cannot_be_walked_again():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    assert x.grad.item() == 6.0


def test_graph_that_saved_nothing_can_be_walked_again():
    x = leaf(3.0)
    y = (x + 1.0).sum()
    y.backward()
    y.backward()
    assert x.grad.item() == 2.0
    y = x * 2.0  # saves the number
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_retain_graph():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0


def test_saved_values_are_freed_as_the_walk_passes():
    x = leaf(1.0, 2.0)
    y = torch.exp(x)
    held = weakref.ref(y)
    z = (y * y).sum()
    del y
    assert held() is not None  # kept for the derivative of the product
    z.backward()
    assert held() is None


def test_steps_leave_no_cycles():
    gc.collect()
    gc.disable()
    try:
        w = leaf(1.0, 2.0)
        for _ in range(3):
            h = torch.tanh(w * 2.0)
            h = h * h + w
            (h.exp().sum() / 3.0).backward()
            w.grad = None
        del h
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_grad_leaves_no_grad_behind():
    x, y = leaf(2.0), leaf(5.0)
    gx, gy = torch.autograd.grad((x * y).sum(), (x, y))
    assert (gx.item(), gy.item()) == (5.0, 2.0)
    assert x.grad is None and y.grad is None


def test_grad_with_respect_to_an_inner_value():
    x = leaf(2.0)
    h = x * 3.0
    (g,) = torch.autograd.grad((h * h).sum(), h)
    assert g.item() == 12.0


def test_grad_unused():
    x, y = leaf(2.0), leaf(5.0)
    z = (x * x).sum()
    with pytest.raises(RuntimeError, match="The differentiated Tensor at index 1 appears to not"):
        torch.autograd.grad(z, (x, y), retain_graph=True)
    gx, gy = torch.autograd.grad(z, (x, y), allow_unused=True, retain_graph=True)
    assert gx.item() == 4.0 and gy is None
    gx, gy = torch.autograd.grad(z, (x, y), materialize_grads=True)
    assert gy.item() == 0.0


def test_grad_of_several_outputs_sums():
    x = leaf(2.0)
    (g,) = torch.autograd.grad([(x * x).sum(), (x * 3.0).sum()], x)
    assert g.item() == 7.0


def test_is_grads_batched():
    x = leaf(1.0, 2.0)
    y = x * x
    (g,) = torch.autograd.grad(y, x, torch.eye(2, dtype=torch.float64), is_grads_batched=True)
    assert g.tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_dictionary_of_inputs():
    x = leaf(2.0)
    assert torch.autograd.grad((x * x).sum(), {"x": x})["x"].item() == 4.0


def test_backward_with_inputs():
    x, y = leaf(2.0), leaf(5.0)
    h = x * y
    (h * h).sum().backward(inputs=[x, h])
    assert x.grad.item() == 2 * 10 * 5
    assert h.grad.item() == 20.0
    assert y.grad is None


def test_second_and_third_derivative():
    x = leaf(2.0)
    y = (x**4).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (ggg,) = torch.autograd.grad(gg.sum(), x)
    assert [t.item() for t in (g, gg, ggg)] == [32.0, 48.0, 48.0]


def test_backward_through_a_gradient():
    x = leaf(3.0)
    (g,) = torch.autograd.grad((x * x * x).sum(), x, create_graph=True)
    (g * g).sum().backward()
    assert x.grad.item() == pytest.approx(2 * 27 * 18)


def test_broadcast_axes_are_summed():
    x, y = leaf(1.0, 2.0), torch.ones(3, 1, dtype=torch.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert y.grad.tolist() == [[3.0], [3.0], [3.0]]


def test_gradients_have_the_dtype_of_their_input():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = leaf(3.0, 4.0)
    (x * y).sum().backward()
    assert x.grad.dtype is torch.float32
    assert y.grad.dtype is torch.float64


def test_a_failed_walk_changes_nothing():
    x, y = leaf(2.0), leaf(3.0)
    a = x * 2.0
    b = torch.exp(y * 1.0)
    z = (a + b).sum()
    with torch.no_grad():
        b.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()
    assert x.grad is None and y.grad is None


def test_exception_from_a_hook_leaves_the_engine_usable():
    x = leaf(2.0)
    h = x * 3.0

    def bad(g):
        raise ValueError("boom")

    handle = h.register_hook(bad)
    y = (h * h).sum()
    with pytest.raises(ValueError, match="boom"):
        y.backward(retain_graph=True)
    assert torch.is_grad_enabled()
    handle.remove()
    y.backward()
    assert x.grad.item() == 36.0


def test_reentrant_backward_from_a_hook():
    x = leaf(2.0)
    h = x * 3.0
    inner = []

    def hook(g):
        with torch.enable_grad():
            y = leaf(5.0)
            (y * y).sum().backward()
            inner.append(y.grad.item())

    h.register_hook(hook)
    (h * h).sum().backward()
    assert inner == [10.0] and x.grad.item() == 36.0


def test_threads_on_separate_and_on_shared_graphs():
    x = leaf(2.0)
    h = x * 3.0
    shared = (h * h).sum()
    results, errors = [], []

    def work(k):
        try:
            for _ in range(50):
                own = leaf(float(k))
                (own * own * own).sum().backward()
                assert own.grad.item() == pytest.approx(3.0 * k * k)
                (g,) = torch.autograd.grad(shared, x, retain_graph=True)
                results.append(g.item())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 7)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert results == [36.0] * 300


def test_grad_mode_is_a_threads_own():
    seen = []
    with torch.no_grad():
        t = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        t.start()
        t.join()
    assert seen == [True]


def test_retain_grad_and_hooks_change_gradients():
    x = leaf(2.0)
    h = x * 3.0
    h.retain_grad()
    h.register_hook(lambda g: g * 10.0)
    (h * h).sum().backward()
    assert h.grad.item() == 120.0
    assert x.grad.item() == 360.0


def test_hook_results_are_checked():
    x = leaf(2.0)
    h = x * 1.0
    h.register_hook(lambda g: torch.ones(3, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="hook '<lambda>' has changed the size of value"):
        h.backward()
    h = x * 1.0
    h.register_hook(lambda g: g.float())
    with pytest.raises(RuntimeError, match=r"has changed the type of value \(was torch.Double"):
        h.backward()
    h = x * 1.0
    h.register_hook(lambda g: 3)
    with pytest.raises(TypeError, match="expected Variable, but hook returned 'int'"):
        h.backward()


def test_post_accumulate_grad_hook_sees_the_updated_gradient():
    x = leaf(2.0)
    seen = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.item()))
    (x * x).sum().backward()
    torch.autograd.grad((x * x).sum(), x)
    assert seen == [4.0]


def test_complex_gradients_have_pytorchs_convention():
    z = torch.tensor([1 + 2j], dtype=torch.complex128, requires_grad=True)
    w = z * z
    w.backward(torch.ones(1, dtype=torch.complex128))
    assert z.grad.tolist() == [2 - 4j]


def test_gradient_of_a_leaf_itself():
    x = leaf(2.0)
    x.backward()
    assert x.grad.item() == 1.0


def test_peak_of_saved_memory_is_what_the_rules_name():
    x = torch.ones(1000, requires_grad=True)
    y = torch.exp(x)
    assert y.grad_fn._saved_result.data_ptr() == y.data_ptr()
    s = torch.sin(x)
    assert s.grad_fn._saved_self is x
    assert (x + x).grad_fn.saved is None


def test_numpy_input_and_gradient_share_no_memory():
    data = np.ones(3)
    x = torch.from_numpy(data).requires_grad_()
    (x * 2.0).sum().backward()
    x.grad.zero_()
    assert data.tolist() == [1.0, 1.0, 1.0]
