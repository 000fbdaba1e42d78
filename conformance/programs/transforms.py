"""torch.func, forward mode, autograd.functional, gradcheck, saved tensors, checkpoint."""


# ---- saved tensors


def unpack_returns_no_tensor(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x * x
    y.sum().backward()


def pack_modifies_in_place(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t):
        (x * 1).exp()


def hooks_disabled(torch):
    graph = torch.autograd.graph
    with (
        graph.disable_saved_tensors_hooks("nope"),
        graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    ):
        pass


def hooks_pack_and_unpack(torch):
    seen = []
    x = torch.arange(3.0, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: (seen.append(("pack", tuple(t.shape))), t * 2)[1],
        lambda t: (seen.append(("unpack", tuple(t.shape))), t)[1],
    ):
        y = x * x
    y.sum().backward()
    return seen, x.grad


def raw_hooks_twice(torch):
    x = torch.ones(2, requires_grad=True)
    saved = (x * x).grad_fn._raw_saved_self
    saved.register_hooks(lambda t: t, lambda t: t)
    saved.register_hooks(lambda t: t, lambda t: t)


def raw_hooks_after_free(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * x
    saved = y.grad_fn._raw_saved_self
    y.sum().backward()
    saved.register_hooks(lambda t: t, lambda t: t)


def saved_tensor_from_python(torch):
    x = torch.ones(2, requires_grad=True)
    type((x * x).grad_fn._raw_saved_self)()


def what_is_packed(torch):
    shapes = []
    x = torch.ones(2, 3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: (shapes.append(tuple(t.shape)), t)[1], lambda t: t
    ):
        y = (x * x + x.exp()).sigmoid()
        y = y / (x + 2)
        (y @ torch.ones(3, 2)).tanh().sum()
        (x + 1, x.sum(), x.t(), x * 2, -x, x.log())
    return shapes


def mutation_nested(torch):
    allow = torch.autograd.graph.allow_mutation_on_saved_tensors
    with allow(), allow():
        pass


def mutation_backward_outside(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        y = (x * 1).exp()
        z = y * y
        y.add_(1)
    z.sum().backward()


def mutation_allowed(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        y = x * 2
        z = y * y
        y.add_(1)
        z.sum().backward()
    return x.grad


# ---- gradient edges


def gradient_edge_not_requiring_grad(torch):
    torch.autograd.graph.get_gradient_edge(torch.ones(2))


def gradient_edge(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    edges = [torch.autograd.graph.get_gradient_edge(t) for t in (y, x)]
    return [(e.node.name(), e.output_nr) for e in edges]


def gradient_edge_in_grad(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    edge = torch.autograd.graph.get_gradient_edge(y)
    return torch.autograd.grad((y * 3).sum(), edge)


def gradient_edge_materialized(torch):
    x = torch.ones(2, requires_grad=True)
    edge = torch.autograd.graph.get_gradient_edge(torch.ones(2, requires_grad=True))
    torch.autograd.grad((x * 2).sum(), edge, materialize_grads=True)


def multi_grad_hook_bad_mode(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.graph.register_multi_grad_hook([x], lambda g: None, mode="foo")


def multi_grad_hook(torch):
    seen = []
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    torch.autograd.graph.register_multi_grad_hook([x, y], lambda g: seen.append(list(g)))
    (x * 2 + y * 3).sum().backward()
    return seen


def increment_version(torch):
    x = torch.ones(2)
    torch.autograd.graph.increment_version(x)
    return x._version


# ---- forward mode


def forward_nested_level(torch):
    level = torch.autograd.forward_ad.dual_level
    with level(), level():
        pass


def forward_make_dual_without_level(torch):
    torch.autograd.forward_ad.make_dual(torch.ones(2), torch.ones(2))


def forward_make_dual_sizes(torch):
    with torch.autograd.forward_ad.dual_level():
        torch.autograd.forward_ad.make_dual(torch.ones(2), torch.ones(3))


def forward_make_dual_int(torch):
    with torch.autograd.forward_ad.dual_level():
        torch.autograd.forward_ad.make_dual(
            torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
        )


def forward_product(torch):
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        x = forward.make_dual(torch.tensor([2.0]), torch.tensor([3.0]))
        y = forward.unpack_dual(x * x)
        return y.primal.clone(), y.tangent.clone()


def forward_unpack_outside(torch):
    dual = torch.autograd.forward_ad.unpack_dual(torch.ones(2))
    return dual.tangent


def forward_exit_wrong(torch):
    torch.autograd.forward_ad.exit_dual_level(level=5)


# ---- torch.func


def func_grad(torch):
    return torch.func.grad(lambda x: (x**2).sum())(torch.arange(3.0))


def func_grad_nested(torch):
    return torch.func.grad(torch.func.grad(lambda x: x**3))(torch.tensor(2.0))


def func_grad_nonscalar(torch):
    torch.func.grad(lambda x: x * 2)(torch.ones(2))


def func_grad_int(torch):
    torch.func.grad(lambda x: x.sum())(torch.ones(2, dtype=torch.int64))


def func_grad_no_tensor(torch):
    torch.func.grad(lambda x: 1.0)(torch.ones(2))


def func_grad_no_dependence(torch):
    return torch.func.grad(lambda x: torch.tensor(1.0))(torch.ones(2))


def func_grad_argnums_out_of_bounds(torch):
    torch.func.grad(lambda x: x.sum(), argnums=3)(torch.ones(2))


def func_backward_inside(torch):
    def f(x):
        x.sum().backward()
        return x.sum()

    torch.func.grad(f)(torch.ones(2))


def func_requires_grad_inside(torch):
    torch.func.grad(lambda x: x.sum() + torch.ones(2).requires_grad_().sum())(torch.ones(2))


def func_vjp(torch):
    y, back = torch.func.vjp(lambda x: x.sin(), torch.arange(3.0))
    return y, back(torch.ones(3))


def func_jvp(torch):
    return torch.func.jvp(lambda x: x.sin(), (torch.arange(3.0),), (torch.ones(3),))


def func_jvp_tangent_size(torch):
    torch.func.jvp(lambda x: x, (torch.ones(2),), (torch.ones(3),))


def func_jvp_not_a_tuple(torch):
    torch.func.jvp(lambda x: x, torch.ones(2), torch.ones(2))


def func_jacrev(torch):
    return torch.func.jacrev(lambda x: x**2)(torch.arange(3.0))


def func_jacfwd(torch):
    return torch.func.jacfwd(lambda x: x**2)(torch.arange(3.0))


def func_hessian(torch):
    return torch.func.hessian(lambda x: (x**3).sum())(torch.arange(3.0))


def vmap_sizes_differ(torch):
    torch.func.vmap(torch.add)(torch.ones(2), torch.ones(3))


def vmap_scalar(torch):
    torch.func.vmap(lambda x: x)(torch.tensor(1.0))


def vmap_returns_int(torch):
    torch.func.vmap(lambda x: 3)(torch.ones(2))


def vmap_item(torch):
    torch.func.vmap(lambda x: x.item())(torch.ones(2))


def vmap_if(torch):
    torch.func.vmap(lambda x: x if x > 0 else -x)(torch.ones(2))


def vmap_random_error(torch):
    torch.func.vmap(lambda x: x + torch.rand(()))(torch.ones(2))


def vmap_inplace_unbatched(torch):
    y = torch.ones(3)
    torch.func.vmap(lambda x: y.add_(x))(torch.ones(2, 3))


def vmap_no_inputs(torch):
    torch.func.vmap(lambda: torch.ones(2))()


def vmap_matvec(torch):
    return torch.func.vmap(torch.mv)(torch.ones(2, 3, 4), torch.arange(8.0).reshape(2, 4))


def functional_call(torch):
    model = torch.nn.Linear(1, 1)
    return torch.func.functional_call(
        model, {"weight": torch.tensor([[2.0]]), "bias": torch.tensor([1.0])}, (torch.ones(1),)
    )


# ---- autograd.functional, gradcheck, checkpoint


def jacobian(torch):
    return torch.autograd.functional.jacobian(lambda x: x**2, torch.arange(3.0))


def jacobian_strict(torch):
    torch.autograd.functional.jacobian(lambda x: torch.ones(2), torch.ones(2), strict=True)


def jacobian_of_number(torch):
    torch.autograd.functional.jacobian(lambda x: x, 3.0)


def jacobian_strict_vectorized(torch):
    torch.autograd.functional.jacobian(
        lambda x: x, torch.ones(2), strict=True, vectorize=True, strategy="forward-mode"
    )


def hessian(torch):
    return torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.arange(3.0))


def hessian_nonscalar(torch):
    torch.autograd.functional.hessian(lambda x: x, torch.ones(2))


def vjp_without_v(torch):
    torch.autograd.functional.vjp(lambda x: x, torch.ones(2))


def jvp_without_v(torch):
    torch.autograd.functional.jvp(lambda x: x.sum(), torch.ones(2))


def hvp(torch):
    return torch.autograd.functional.hvp(lambda x: (x**3).sum(), torch.arange(3.0), torch.ones(3))


def gradcheck_passes(torch):
    x = torch.arange(3.0, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradcheck(torch.sin, (x,))


def gradcheck_float_warns(torch):
    x = torch.arange(3.0, requires_grad=True)
    return torch.autograd.gradcheck(torch.sin, (x,), raise_exception=False, atol=1, rtol=1)


def gradcheck_no_inputs(torch):
    torch.autograd.gradcheck(torch.sin, (torch.ones(2),))


def _wrong(torch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    return Wrong.apply


def gradcheck_wrong(torch):
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(_wrong(torch), (x,))


def gradcheck_fast_wrong(torch):
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(_wrong(torch), (x,), fast_mode=True)


def gradgradcheck_passes(torch):
    x = torch.arange(3.0, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradgradcheck(torch.sin, (x,))


def checkpoint_without_use_reentrant(torch):
    x = torch.ones(2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(lambda t: t * 2, x).sum().backward()
    return x.grad


def checkpoint_reentrant_no_inputs(torch):
    y = torch.utils.checkpoint.checkpoint(lambda t: t * 2, torch.ones(2), use_reentrant=True)
    return y.requires_grad


def checkpoint_reentrant_grad(torch):
    x = torch.ones(2, requires_grad=True)
    y = torch.utils.checkpoint.checkpoint(lambda t: t.exp(), x, use_reentrant=True)
    torch.autograd.grad(y.sum(), x)


def checkpoint_nonreentrant(torch):
    calls = []

    def f(t):
        calls.append(1)
        return (t * t).exp()

    x = torch.ones(2, requires_grad=True)
    y = torch.utils.checkpoint.checkpoint(f, x, use_reentrant=False)
    y.sum().backward()
    return x.grad, len(calls)


def checkpoint_twice(torch):
    x = torch.ones(2, requires_grad=True)
    y = torch.utils.checkpoint.checkpoint(lambda t: t.exp(), x, use_reentrant=False).sum()
    y.backward()
    y.backward()


def callback_outside_backward(torch):
    torch.autograd.Variable._execution_engine.queue_callback(lambda: None)
