"""Custom autograd Functions: what goes and what does not, and in which words."""

import warnings


def _function(torch, forward, backward=None, **more):
    space = {"forward": staticmethod(forward)}
    if backward is not None:
        space["backward"] = staticmethod(backward)
    space.update({name: staticmethod(body) for name, body in more.items()})
    return type("MyFn", (torch.autograd.Function,), space)


def _leaf(torch, n=2):
    return torch.ones(n, requires_grad=True)


def double(torch):
    f = _function(torch, lambda ctx, x: x * 2, lambda ctx, g: g * 2)
    x = _leaf(torch)
    y = f.apply(x)
    y.sum().backward()
    return y, x.grad, y.grad_fn.name(), type(y.grad_fn).__name__


def saved_for_backward(torch):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x.exp()

    x = _leaf(torch)
    f = _function(torch, forward, backward)
    y = f.apply(x)
    return torch.autograd.grad(y.sum(), x)


def setup_context(torch):
    class MyFn(torch.autograd.Function):
        @staticmethod
        def forward(x, scale):
            return x * scale

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.scale = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.scale, None

    x = _leaf(torch)
    MyFn.apply(x, 3).sum().backward()
    return x.grad


def too_few_grads(torch):
    f = _function(torch, lambda ctx, x, y: x * y, lambda ctx, g: g)
    f.apply(_leaf(torch), _leaf(torch)).sum().backward()


def trailing_none_is_fine(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: (g, None))
    x = _leaf(torch)
    f.apply(x).sum().backward()
    return x.grad


def too_many_grads(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: (g, g))
    f.apply(_leaf(torch)).sum().backward()


def grad_for_non_tensor(torch):
    f = _function(torch, lambda ctx, x, n: x * n, lambda ctx, g: (g, g))
    f.apply(_leaf(torch), 2).sum().backward()


def grad_for_tensor_not_requiring_it(torch):
    f = _function(torch, lambda ctx, x, y: x * y, lambda ctx, g: (g, g))
    x = _leaf(torch)
    f.apply(x, torch.ones(2)).sum().backward()
    return x.grad


def grad_of_bad_shape(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: torch.ones(3))
    f.apply(_leaf(torch)).sum().backward()


def grad_is_summed_to_size(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: torch.ones(3, 2))
    x = _leaf(torch)
    f.apply(x).sum().backward()
    return x.grad


def grad_is_cast(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: g.double())
    x = _leaf(torch)
    f.apply(x).sum().backward()
    return x.grad.dtype


def complex_grad_for_real(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: g.to(torch.complex64))
    f.apply(_leaf(torch)).sum().backward()


def grad_is_no_tensor(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: 3)
    f.apply(_leaf(torch)).sum().backward()


def no_backward(torch):
    f = _function(torch, lambda ctx, x: x * 1)
    f.apply(_leaf(torch)).sum().backward()


def no_forward(torch):
    class MyFn(torch.autograd.Function):
        pass

    MyFn.apply(_leaf(torch))


def no_jvp(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: g)
    with torch.autograd.forward_ad.dual_level():
        f.apply(torch.autograd.forward_ad.make_dual(torch.ones(2), torch.ones(2)))


def vjp_and_backward(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: g, vjp=lambda ctx, g: g)
    f.apply(_leaf(torch)).sum().backward()


def vjp_alone(torch):
    f = _function(torch, lambda ctx, x: x * 1, vjp=lambda ctx, g: g * 5)
    x = _leaf(torch)
    f.apply(x).sum().backward()
    return x.grad


def save_no_tensor(torch):
    def forward(ctx, x):
        ctx.save_for_backward(3)
        return x * 1

    _function(torch, forward, lambda ctx, g: g).apply(_leaf(torch))


def save_none(torch):
    def forward(ctx, x):
        ctx.save_for_backward(None, x)
        return x * 1

    def backward(ctx, g):
        seen.append([t is None for t in ctx.saved_tensors])
        return g

    seen = []
    _function(torch, forward, backward).apply(_leaf(torch)).sum().backward()
    return seen


def saved_tensors_in_forward(torch):
    seen = []

    def forward(ctx, x):
        ctx.save_for_backward(x)
        seen.append(ctx.saved_tensors)
        return x * 1

    _function(torch, forward, lambda ctx, g: g).apply(_leaf(torch))
    return seen


def backward_twice(torch):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 1

    y = _function(torch, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(_leaf(torch)).sum()
    y.backward()
    y.backward()


def saved_variables_is_deprecated(torch):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 1

    x = _leaf(torch)
    _function(torch, forward, lambda ctx, g: g * ctx.saved_variables[0]).apply(x).sum().backward()
    return x.grad


def saved_input_modified(torch):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 1

    a = _leaf(torch) * 1
    y = _function(torch, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(a)
    a.add_(1)
    y.sum().backward()


def forward_returns_number(torch):
    return _function(torch, lambda ctx, x: 3, lambda ctx, g: g).apply(_leaf(torch))


def forward_returns_none(torch):
    return _function(torch, lambda ctx, x: None, lambda ctx, g: g).apply(_leaf(torch))


def forward_returns_list(torch):
    return _function(torch, lambda ctx, x: [x * 2, x * 3], lambda ctx, g, h: g).apply(_leaf(torch))


def forward_returns_tuple_of_one(torch):
    return _function(torch, lambda ctx, x: (x * 2,), lambda ctx, g: g).apply(_leaf(torch))


def forward_returns_tensor_and_number(torch):
    f = _function(torch, lambda ctx, x: (x * 2, 7), lambda ctx, g, n: (seen.append(n), g)[1])
    seen = []
    x = _leaf(torch)
    y, n = f.apply(x)
    y.sum().backward()
    return y, n, seen, x.grad


def mark_dirty_of_no_input(torch):
    def forward(ctx, x):
        y = x * 2
        ctx.mark_dirty(y)
        return y

    return _function(torch, forward, lambda ctx, g: g).apply(_leaf(torch))


def _doubled_in_place(ctx, x):
    x.mul_(2)
    ctx.mark_dirty(x)
    return x


def mark_dirty_leaf(torch):
    _function(torch, _doubled_in_place, lambda ctx, g: g * 2).apply(_leaf(torch))


def mark_dirty_not_returned(torch):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x * 2

    _function(torch, forward, lambda ctx, g: g).apply(_leaf(torch) * 1)


def mark_dirty(torch):
    a = _leaf(torch) * 1
    y = _function(torch, _doubled_in_place, lambda ctx, g: g * 2).apply(a)
    return y is a, y, a._version


def mark_dirty_multi_output_view(torch):
    a, _ = (_leaf(torch, 4) * 1).split(2)
    _function(torch, _doubled_in_place, lambda ctx, g: g * 2).apply(a)


def mark_dirty_view_with_two_outputs(torch):
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x, x * 1

    base = _leaf(torch, 4) * 1
    _function(torch, forward, lambda ctx, g, h: g).apply(base[:2])


def returns_input_as_is(torch):
    x = _leaf(torch)
    y = _function(torch, lambda ctx, x: x, lambda ctx, g: g * 5).apply(x)
    y.sum().backward()
    return y is x, y, y.requires_grad, x.grad


def returns_view_then_inplace(torch):
    x = _leaf(torch) * 1
    y = _function(torch, lambda ctx, x: x.view(2), lambda ctx, g: g).apply(x)
    y.mul_(2)


def returns_input_then_inplace(torch):
    x = _leaf(torch) * 1
    y = _function(torch, lambda ctx, x: x, lambda ctx, g: g).apply(x)
    y.mul_(2)


def returns_two_views_then_inplace(torch):
    x = _leaf(torch, 4) * 1
    y, _ = _function(
        torch, lambda ctx, x: (x[:2], x[2:]), lambda ctx, g, h: torch.cat([g, h])
    ).apply(x)
    y.mul_(2)


def mark_non_differentiable(torch):
    def forward(ctx, x):
        a, b = x * 2, x > 0
        ctx.mark_non_differentiable(b)
        return a, b

    y, b = _function(torch, forward, lambda ctx, g, h: (seen.append(h), g)[1]).apply(_leaf(torch))
    seen = []
    y.sum().backward()
    return y, b, seen


def int_output_is_not_differentiable(torch):
    def forward(ctx, x):
        return x * 1, x.long()

    seen = []
    x = _leaf(torch)
    y, n = _function(torch, forward, lambda ctx, g, h: (seen.append((g, h)), g)[1]).apply(x)
    y.sum().backward()
    return n, n.requires_grad, seen


def unused_output_is_materialized(torch):
    seen = []
    f = _function(
        torch, lambda ctx, x: (x * 1, x * 2), lambda ctx, g, h: (seen.append((g, h)), g)[1]
    )
    y, _ = f.apply(_leaf(torch))
    y.sum().backward()
    return seen


def set_materialize_grads_false(torch):
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 1, x * 2

    f = _function(torch, forward, lambda ctx, g, h: (seen.append((g, h)), g)[1])
    y, _ = f.apply(_leaf(torch))
    y.sum().backward()
    return seen


def needs_input_grad(torch):
    seen = []

    def forward(ctx, x, y, n):
        seen.append(ctx.needs_input_grad)
        return x * y

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g, g, None

    f = _function(torch, forward, backward)
    x, y = _leaf(torch), _leaf(torch)
    f.apply(x, torch.ones(2), 3)
    torch.autograd.grad(f.apply(x, y, 3).sum(), x)
    return seen


def ctx_attributes(torch):
    def forward(ctx, x):
        ctx.n = 3
        return x * 1

    y = _function(torch, forward, lambda ctx, g: g).apply(_leaf(torch))
    node = y.grad_fn
    return node.n, node.name(), [base.__name__ for base in type(node).__mro__[:2]]


def instantiate(torch):
    _function(torch, lambda ctx, x: x)()
    return None


def call_instance(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _function(torch, lambda ctx, x: x)()(torch.ones(2))


def once_differentiable(torch):
    once = torch.autograd.function.once_differentiable
    f = _function(torch, lambda ctx, x: x * x, once(lambda ctx, g: g * 2))
    x = _leaf(torch)
    (g,) = torch.autograd.grad((f.apply(x) * x).sum(), x, create_graph=True)
    g.sum().backward()


def once_differentiable_plain(torch):
    once = torch.autograd.function.once_differentiable
    f = _function(torch, lambda ctx, x: x * 3, once(lambda ctx, g: g * 3))
    x = _leaf(torch)
    f.apply(x).sum().backward()
    return x.grad


def double_backward(torch):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    f = _function(torch, forward, lambda ctx, g: g * 3 * ctx.saved_tensors[0] ** 2)
    x = torch.tensor([2.0], requires_grad=True)
    (g,) = torch.autograd.grad(f.apply(x), x, create_graph=True)
    return g, torch.autograd.grad(g, x)


def grad_mode_inside(torch):
    seen = []

    def forward(ctx, x):
        seen.append(torch.is_grad_enabled())
        return x * 1

    def backward(ctx, g):
        seen.append(torch.is_grad_enabled())
        return g

    f = _function(torch, forward, backward)
    x = _leaf(torch)
    f.apply(x).sum().backward()
    torch.autograd.grad(f.apply(x).sum(), x, create_graph=True)
    return seen


def backward_inside_backward(torch):
    def backward(ctx, g):
        with torch.enable_grad():
            y = torch.ones(2, requires_grad=True)
            (inner,) = torch.autograd.grad((y * y).sum(), y)
        return g * inner

    f = _function(torch, lambda ctx, x: x * 1, backward)
    x = _leaf(torch)
    f.apply(x).sum().backward()
    return x.grad


def returns_none_gradient(torch):
    f = _function(torch, lambda ctx, x: x * 1, lambda ctx, g: None)
    x = _leaf(torch)
    f.apply(x).sum().backward()
    return x.grad


def exception_in_backward(torch):
    def backward(ctx, g):
        raise KeyError("lost")

    x = _leaf(torch)
    _function(torch, lambda ctx, x: x * 1, backward).apply(x).sum().backward()


def functorch_needs_setup_context(torch):
    f = _function(torch, lambda ctx, x: x.sum(), lambda ctx, g: g)
    torch.func.grad(f.apply)(torch.ones(2))


def vmap_needs_a_rule(torch):
    class MyFn(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

    torch.func.vmap(MyFn.apply)(torch.ones(2))


def jvp_wrong_count(torch):
    f = _function(torch, lambda ctx, x: x * 1, jvp=lambda ctx, t: (t, t))
    with torch.autograd.forward_ad.dual_level():
        f.apply(torch.autograd.forward_ad.make_dual(torch.ones(2), torch.ones(2)))


def jvp_tangents(torch):
    f = _function(torch, lambda ctx, x: x * 4, jvp=lambda ctx, t: t * 4)
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        y = f.apply(forward.make_dual(torch.ones(2), torch.ones(2)))
        return forward.unpack_dual(y).tangent.clone()


def kwargs_pass_through(torch):
    f = _function(torch, lambda ctx, x, scale=1: x * scale, lambda ctx, g: (g, None))
    return f.apply(_leaf(torch), scale=3)
