"""The graph and its walk: accumulation, hooks, modes, views and in-place history."""

import contextlib
import gc
import threading
import weakref


def _leaf(torch, n=3):
    return torch.arange(1.0, n + 1, requires_grad=True)


# ---- accumulation


def accumulates(torch):
    x = _leaf(torch)
    (x * 2).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    return x.grad, x.grad is first


def accumulates_new_object_with_create_graph(torch):
    import warnings

    x = _leaf(torch)
    (x * 2).sum().backward()
    first = x.grad
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (x * x).sum().backward(create_graph=True)
    second = x.grad
    x.grad = None
    return first, second, second is first


def user_gradient_is_not_aliased(torch):
    x = _leaf(torch)
    g = torch.ones(3)
    x.backward(g)
    return x.grad is g, x.grad.data_ptr() == g.data_ptr(), x.grad


def user_gradient_through_op_is_not_aliased(torch):
    x = _leaf(torch)
    g = torch.ones(3)
    (x + 0).backward(g)
    g.add_(1)
    return x.grad


def two_leaves_do_not_share_gradients(torch):
    x, y = _leaf(torch), _leaf(torch)
    (x + y).backward(torch.ones(3))
    x.grad.add_(5)
    return x.grad, y.grad


def gradient_strides(torch):
    x = torch.ones(3, 2).t().requires_grad_()
    y = torch.ones(2, 3, requires_grad=True)
    (x * y).sum().backward()
    z = torch.ones(2, 3, requires_grad=True)
    z.t().backward(torch.arange(6.0).reshape(3, 2))
    w = torch.ones(2, 3, requires_grad=True)
    w.sum().backward()
    return x.grad.stride(), y.grad.stride(), z.grad, z.grad.stride(), w.grad.stride()


def hidden_expand_is_made_dense(torch):
    x = torch.ones(2, 3, requires_grad=True)
    x.sum(0).sum().backward()
    x.grad.add_(1)
    return x.grad, x.grad.is_contiguous()


def gradient_of_many_uses(torch):
    x = _leaf(torch)
    y = x * x + x.exp() + x
    z = y * x + y
    z.sum().backward()
    return x.grad


def duplicate_roots(torch):
    x = _leaf(torch)
    y = x * 2
    torch.autograd.backward([y.sum(), y.sum()])
    return x.grad


def several_roots(torch):
    x = _leaf(torch)
    torch.autograd.backward([x * 2, x * 3], [torch.ones(3), torch.full((3,), 2.0)])
    return x.grad


def root_is_a_leaf(torch):
    x = torch.ones(1, requires_grad=True)
    x.backward()
    return x.grad


def grad_of_root_itself(torch):
    x = _leaf(torch)
    y = (x * 2).sum()
    return torch.autograd.grad(y, [y, x])


def grad_leaves_grad_untouched(torch):
    x = _leaf(torch)
    return torch.autograd.grad((x * 2).sum(), x), x.grad


def grad_of_nonleaf(torch):
    x = _leaf(torch)
    y = x * 2
    z = (y * y).sum()
    return torch.autograd.grad(z, [y, x])


def backward_of_wide_gradient_dtype(torch):
    x = _leaf(torch)
    (x.double() * 2).sum().backward()
    return x.grad


def backward_broadcast(torch):
    x, y = torch.ones(3, 1, requires_grad=True), torch.ones(1, 4, requires_grad=True)
    z = torch.tensor(2.0, requires_grad=True)
    (x * y * z).sum().backward()
    return x.grad, y.grad, z.grad


def zero_dim_and_one_element(torch):
    x = torch.ones(1, requires_grad=True)
    y = torch.tensor(3.0, requires_grad=True)
    (x * y).backward()
    return x.grad, y.grad


def complex_gradients(torch):
    z = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    found = []
    for f in (
        lambda z: (z.abs() ** 2).sum(),
        lambda z: (z * z).real.sum(),
        lambda z: z.imag.sum(),
        lambda z: z.angle().sum(),
        lambda z: (z.conj() * z).real.sum(),
        lambda z: z.exp().abs().sum(),
        lambda z: torch.view_as_real(z).sum(),
    ):
        found += torch.autograd.grad(f(z), z)
    return found


def complex_holomorphic(torch):
    z = torch.tensor([1 + 2j], requires_grad=True)
    return torch.autograd.grad(z**2, z, torch.ones(1, dtype=torch.complex64))


def real_leaf_complex_path(torch):
    x = _leaf(torch)
    ((x * (1 + 1j)).abs() ** 2).sum().backward()
    return x.grad


def second_derivatives(torch):
    x = torch.tensor([0.5, 2.0], requires_grad=True)
    found = []
    for f in (
        torch.exp,
        torch.sin,
        torch.tanh,
        torch.sigmoid,
        torch.log,
        lambda t: t**3,
        lambda t: 1 / t,
    ):
        (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x, create_graph=True)
        found += [g.detach(), h.detach(), *torch.autograd.grad(h.sum(), x)]
    return found


def create_graph_requires_grad(torch):
    x = _leaf(torch)
    (g,) = torch.autograd.grad((x**2).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad((x**2).sum(), x)
    (c,) = torch.autograd.grad((x * 2).sum(), x, create_graph=True)
    return g.requires_grad, h.requires_grad, c.requires_grad


def long_chain(torch):
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 0.0
    y.backward()
    return x.grad


def long_chain_freed(torch):
    y = torch.ones(1, requires_grad=True)
    for _ in range(50_000):
        y = y * 1.0
    del y
    return True


# ---- hooks


def hook_changes_gradient(torch):
    x = _leaf(torch)
    x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: g + 1)
    (x * 2).sum().backward()
    return x.grad


def hook_removed(torch):
    x = _leaf(torch)
    handle = x.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    return x.grad


def hook_on_nonleaf(torch):
    seen = []
    x = _leaf(torch)
    y = x * 2
    y.register_hook(lambda g: seen.append(g.clone()))
    (y * 3).sum().backward()
    return seen, x.grad


def hook_runs_for_grad(torch):
    seen = []
    x = _leaf(torch)
    x.register_hook(lambda g: seen.append(g.clone()) or g * 10)
    return torch.autograd.grad((x * 2).sum(), x), seen


def hook_order(torch):
    seen = []
    x = _leaf(torch)
    b, c = x * 2, x * 3
    d = b + c
    for name, t in (("d", d), ("c", c), ("b", b), ("x", x)):
        t.register_hook(lambda g, name=name: seen.append(name))
    d.sum().backward()
    return seen


def hook_kinds_order_at_leaf(torch):
    seen = []
    x = _leaf(torch)
    y = x * 2
    node = y.grad_fn.next_functions[0][0]
    node.register_hook(lambda gi, go: seen.append(("post", len(gi), len(go))))
    node.register_prehook(lambda go: seen.append("pre"))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(("accumulated", p.grad.clone())))
    x.register_hook(lambda g: seen.append("tensor"))
    y.sum().backward()
    return seen


def hook_kinds_order_at_node(torch):
    seen = []
    x = _leaf(torch)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: seen.append("post"))
    y.grad_fn.register_prehook(lambda go: seen.append("pre"))
    y.register_hook(lambda g: seen.append("tensor"))
    y.retain_grad()
    y.sum().backward()
    return seen, y.grad


def node_hook_replaces(torch):
    x = _leaf(torch)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 10, None))
    y.sum().backward()
    return x.grad


def hook_on_old_value_after_inplace(torch):
    seen = []
    x = _leaf(torch)
    y = x * 2
    y.register_hook(lambda g: seen.append(g.clone()))
    y.mul_(3)
    y.sum().backward()
    return seen, x.grad


def retain_grad_follows_inplace(torch):
    x = _leaf(torch)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    y.sum().backward()
    return y.grad, x.grad


def retain_grad_after_hooks(torch):
    x = _leaf(torch)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    y.sum().backward()
    return y.grad, x.grad


def retain_grad_twice_accumulates(torch):
    x = _leaf(torch)
    y = x * 2
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    return y.grad


def post_accumulate_hook_for_inputs(torch):
    seen = []
    x = _leaf(torch)
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
    y = (x * 2).sum()
    torch.autograd.grad(y, x, retain_graph=True)
    y.backward(inputs=[x])
    return seen


def hook_as_context(torch):
    x = _leaf(torch)
    with x.register_hook(lambda g: g * 2):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    return x.grad


def module_hooks(torch):
    seen = []
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.fill_(1)
        model.bias.fill_(0)
    model.register_forward_pre_hook(lambda m, args: seen.append("pre"))
    model.register_forward_hook(lambda m, args, out: seen.append("forward"))
    model.register_full_backward_pre_hook(lambda m, go: seen.append("backward pre"))
    model.register_full_backward_hook(lambda m, gi, go: seen.append(("backward", gi[0], go[0])))
    model(torch.ones(1, 2, requires_grad=True)).sum().backward()
    return seen


def exception_leaves_others_accumulated(torch):
    def boom(g):
        raise ValueError("boom")

    x, y = _leaf(torch), _leaf(torch)
    a = x * 2
    a.register_hook(boom)
    z = a.sum() + (y * 3).sum()
    with contextlib.suppress(ValueError):
        z.backward()
    return x.grad, y.grad


# ---- modes


def no_grad_results(torch):
    x = _leaf(torch)
    with torch.no_grad():
        y = x * 2
        v = x.view(3)
        inner = torch.is_grad_enabled()
        with torch.enable_grad():
            z = x * 2
    return y, v.requires_grad, v.is_leaf, v.grad_fn, inner, z.requires_grad, torch.is_grad_enabled()


def no_grad_decorator(torch):
    @torch.no_grad()
    def one(x):
        return x * 2

    @torch.no_grad
    def two(x):
        return x * 2

    @torch.enable_grad()
    def three(x):
        return x * 2

    x = _leaf(torch)
    with torch.no_grad():
        inside = three(x)
    return one(x).requires_grad, two(x).requires_grad, inside.requires_grad


def no_grad_generator(torch):
    @torch.no_grad()
    def numbers():
        yield torch.is_grad_enabled()
        yield torch.is_grad_enabled()

    outside = []
    inside = []
    for value in numbers():
        inside.append(value)
        outside.append(torch.is_grad_enabled())
    return inside, outside


def set_grad_enabled_as_function(torch):
    torch.set_grad_enabled(False)
    off = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        inner = torch.is_grad_enabled()
    return off, inner, torch.is_grad_enabled(), repr(torch.set_grad_enabled(True))


def backward_under_no_grad(torch):
    x = _leaf(torch)
    y = (x * 2).sum()
    with torch.no_grad():
        y.backward()
    return x.grad


def mode_is_per_thread(torch):
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
        seen.append(torch.is_grad_enabled())
    return seen


def exception_restores_mode(torch):
    try:
        with torch.no_grad():
            raise ValueError
    except ValueError:
        pass
    return torch.is_grad_enabled()


def training_step_in_threads(torch):
    x = torch.ones(4, requires_grad=True)

    def work():
        for _ in range(20):
            (x * 2).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return x.grad


# ---- tensors and history


def integer_results_do_not_require_grad(torch):
    x = _leaf(torch)
    return (
        (x > 1).requires_grad,
        x.argmax().requires_grad,
        x.long().requires_grad,
        x.sort()[1].requires_grad,
    )


def detach_and_data(torch):
    x = _leaf(torch)
    y = x * 2
    d, t = y.detach(), y.data
    return (
        d.requires_grad,
        d._is_view(),
        d._base,
        t.requires_grad,
        d.data_ptr() == y.data_ptr(),
        d.is_leaf,
    )


def is_leaf(torch):
    x = _leaf(torch)
    return (
        x.is_leaf,
        (x * 2).is_leaf,
        torch.ones(1).is_leaf,
        x.detach().is_leaf,
        x.view(3).is_leaf,
        x.clone().is_leaf,
        (torch.ones(1) * 2).is_leaf,
    )


def views_and_bases(torch):
    x = torch.arange(6.0)
    v = x.view(2, 3)
    w = v[0]
    return (
        x._base,
        v._base is x,
        w._base is x,
        x._is_view(),
        v._is_view(),
        w._is_view(),
        x.clone()._is_view(),
    )


def parameter_behaviour(torch):
    p = torch.nn.Parameter(torch.ones(2))
    return (
        type(p * 2).__name__,
        type(p).__name__,
        type(p.data).__name__,
        type(p.detach()).__name__,
        p.requires_grad,
        isinstance(p, torch.Tensor),
        p.is_leaf,
    )


def inplace_keeps_object(torch):
    x = torch.ones(2) * 1
    w = _leaf(torch, 2)
    same = x.mul_(w)
    same.sum().backward()
    return same is x, x.requires_grad, type(x.grad_fn).__name__, w.grad


def inplace_on_view_changes_base(torch):
    x = _leaf(torch)
    y = x * 1
    y[0].mul_(5)
    node = y.grad_fn
    y.sum().backward()
    return y, type(node).__name__, [type(n).__name__ for n, _ in node.next_functions if n], x.grad


def inplace_on_view_with_operand(torch):
    x, w = _leaf(torch), torch.tensor([2.0, 3.0], requires_grad=True)
    y = x * 1
    v = y[:2]
    v.mul_(w)
    name = type(v.grad_fn).__name__
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    return x.grad, w.grad, name


def base_changed_view_regenerated(torch):
    x = _leaf(torch)
    y = x * 1
    v = y[1:]
    y.mul_(2)
    name = type(v.grad_fn).__name__
    v.sum().backward()
    return name, x.grad, v


def view_of_view_inplace(torch):
    x = torch.arange(6.0, requires_grad=True)
    y = (x * 1).view(2, 3)
    y[0][1].mul_(7)
    y.t()[2].add_(1)
    (y * y).sum().backward()
    return x.grad, y


def inplace_makes_base_require_grad(torch):
    base = torch.zeros(3)
    w = _leaf(torch, 2)
    base[:2].add_(w)
    (base * 3).sum().backward()
    return base.requires_grad, base.is_leaf, w.grad


def copy_into_slice(torch):
    w = _leaf(torch, 2)
    out = torch.zeros(2, 2)
    out[0] = w
    out[1] = w * 2
    out.sum().backward()
    return out, w.grad, type(out.grad_fn).__name__


def setitem_forms(torch):
    found = []
    for key in (
        0,
        slice(1, None),
        [0, 2],
        torch.tensor([True, False, True]),
        Ellipsis,
        None,
        (slice(None),),
    ):
        x = _leaf(torch)
        v = torch.tensor(5.0, requires_grad=True)
        y = x * 1
        y[key] = v
        (y * torch.tensor([1.0, 2.0, 4.0])).sum().backward()
        found.append([y.detach(), x.grad, v.grad])
    return found


def mutate_after_use_of_unsaved(torch):
    x = _leaf(torch)
    y = x * 1
    z = y + 1
    y.add_(1)
    z.sum().backward()
    return x.grad, y


def inplace_relu_then_mul(torch):
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = (x * 1).relu_()
    y.mul_(2)
    y.sum().backward()
    return x.grad


def zero_then_fill(torch):
    x = _leaf(torch)
    y = x * 1
    y.zero_()
    y.add_(x)
    y.sum().backward()
    return x.grad, y


def detach_in_place(torch):
    x = _leaf(torch)
    y = x * 2
    y.detach_()
    return y.requires_grad, y.grad_fn, y.is_leaf


def requires_grad_after_change(torch):
    x = torch.ones(2)
    x.add_(1)
    x.requires_grad_()
    (x * 2).sum().backward()
    return x.grad, x.is_leaf, x._version


def no_grad_view_without_change(torch):
    x = _leaf(torch)
    with torch.no_grad():
        v = x[1:]
        v.zero_()
    return x, x._version


def split_views_used_out_of_place(torch):
    x = torch.arange(4.0, requires_grad=True)
    a, b = (x * 1).split(2)
    (a * b).sum().backward()
    return x.grad


def unused_output_of_many(torch):
    x = torch.arange(4.0, requires_grad=True)
    a, _ = x.chunk(2)
    a.sum().backward()
    return x.grad


def deep_copy_of_module(torch):
    import copy

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    other = copy.deepcopy(model)
    return torch.equal(model[0].weight, other[0].weight), model[0].weight is other[0].weight


def graph_is_freed_with_its_root(torch):
    x = _leaf(torch)
    y = x * 2
    z = y.exp()
    alive = weakref.ref(y)
    del y
    gc.collect()
    kept = alive() is not None
    del z
    gc.collect()
    return kept, alive() is not None


def accumulate_grad_order(torch):
    seen = []
    x, y = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    x.register_hook(lambda g: seen.append("x"))
    y.register_hook(lambda g: seen.append("y"))
    (x * 2 + y * 3).backward()
    return seen


def needs_inputs_only(torch):
    seen = []
    x, y = _leaf(torch), _leaf(torch)
    a, b = x * 2, y * 3
    b.register_hook(lambda g: seen.append("b"))
    z = (a + b).sum()
    return torch.autograd.grad(z, x), seen


# ---- whole small programs


def linear_neuron(torch):
    torch.manual_seed(0)
    x, y = torch.ones(5), torch.zeros(3)
    w = torch.randn(5, 3, requires_grad=True)
    b = torch.randn(3, requires_grad=True)
    z = torch.matmul(x, w) + b
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
    loss.backward()
    print(w.grad)
    print(b.grad)
    return loss, w, b, w.grad, b.grad


def curve_fit(torch):
    import numpy as np

    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    x = torch.tensor(np.linspace(-10, 10, 100))
    y = 1.5 * torch.sin(x) + 1.2 * torch.cos(x / 4)
    y_noise = y + rng.normal(0, 1, 100)
    theta = torch.randn(3, requires_grad=True)
    loss_fn = torch.nn.MSELoss()
    optimizer = torch.optim.SGD([theta], lr=0.01)
    losses = []
    for _ in range(20):
        pred = theta[0] * x + theta[1] * torch.sin(x) + theta[2] * torch.cos(x / 4)
        loss = loss_fn(pred, y_noise)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(f"{loss.item():>7f}")
    return losses, theta, theta.detach().numpy().round(3)


def small_network(torch):
    torch.manual_seed(1)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3), torch.nn.Dropout(0.2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x, target = torch.randn(16, 2), torch.randint(0, 3, (16,))
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses, list(model.parameters()), list(model.state_dict())


def dropout_changes_the_graph(torch):
    torch.manual_seed(2)
    x = torch.ones(8, requires_grad=True)
    found = []
    for _ in range(3):
        torch.nn.functional.dropout(x, 0.5).sum().backward()
        found.append(x.grad.clone())
        x.grad = None
    return found


def random_numbers(torch):
    torch.manual_seed(5)
    return (
        torch.rand(3),
        torch.randn(20),
        torch.randint(0, 10, (4,)),
        torch.randperm(6),
        torch.normal(0.0, 1.0, (2,)),
        torch.bernoulli(torch.full((5,), 0.5)),
        torch.empty(3).uniform_(2, 3),
        torch.empty(17).normal_(1, 2),
        torch.rand(2, dtype=torch.float64),
        torch.randn(3, dtype=torch.complex64),
        torch.rand_like(torch.ones(2, 2).t()),
    )
