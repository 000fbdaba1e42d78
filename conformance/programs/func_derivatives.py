"""grad, vjp, jvp, jacrev, jacfwd, linearize: structures, errors; autograd.functional."""

import warnings


def _x(torch):
    return torch.ones(2)


def _error(call):
    return lambda torch: call(torch.func, _x(torch), torch)


CASES = {name: _error(call) for name, call in {
    "vjp_structure": lambda F, x, torch: F.vjp(lambda x: (x, x), x)[1](x),
    "vjp_shape": lambda F, x, torch: F.vjp(lambda x: x, x)[1](torch.ones(3)),
    "vjp_none": lambda F, x, torch: F.vjp(lambda x: None, x),
    "vjp_number": lambda F, x, torch: F.vjp(lambda x: x, 3.0),
    "vjp_nothing": lambda F, x, torch: F.vjp(lambda x: (), x),
    "vjp_of_integers": lambda F, x, torch: F.vjp(lambda x: x, x.int()),
    "vjp_to_integers": lambda F, x, torch: F.vjp(lambda x: x.int(), x),
    "vjp_aux_missing": lambda F, x, torch: F.vjp(lambda x: x, x, has_aux=True),
    "vjp_aux": lambda F, x, torch: F.vjp(lambda x: (x, {"a": x * 2}), x, has_aux=True)[2],
    "jvp_structure": lambda F, x, torch: F.jvp(lambda x: x, (x,), (x, x)),
    "jvp_nothing": lambda F, x, torch: F.jvp(lambda x: x, (), ()),
    "jvp_integers": lambda F, x, torch: F.jvp(lambda x: x, (x.int(),), (x.int(),)),
    "jvp_number_out": lambda F, x, torch: F.jvp(lambda x: 3, (x,), (x,)),
    "jvp_none_out": lambda F, x, torch: F.jvp(lambda x: None, (x,), (x,)),
    "jvp_strict": lambda F, x, torch: F.jvp(lambda x: torch.ones(2), (x,), (x,), strict=True),
    "jvp_constant": lambda F, x, torch: F.jvp(lambda x: torch.ones(2), (x,), (x,)),
    "jvp_aux": lambda F, x, torch: F.jvp(lambda x: (x, x * 2), (x,), (x,), has_aux=True),
    "grad_tuple_out": lambda F, x, torch: F.grad(lambda x: (x.sum(), 1))(x),
    "grad_aux_missing": lambda F, x, torch: F.grad(lambda x: x.sum(), has_aux=True)(x),
    "grad_aux_text": lambda F, x, torch: F.grad(lambda x: (x.sum(), "a"), has_aux=True)(x),
    "grad_argnums_twice": lambda F, x, torch: F.grad(lambda x: x.sum(), argnums=(0, 0))(x),
    "grad_argnums_empty": lambda F, x, torch: F.grad(lambda x: x.sum(), argnums=())(x),
    "grad_argnums_float": lambda F, x, torch: F.grad(lambda x: x.sum(), argnums=1.5)(x),
    "grad_argnums_below": lambda F, x, torch: F.grad(lambda x: x.sum(), argnums=-2)(x),
    "grad_argnums": lambda F, x, torch: F.grad(
        lambda x, y: (x * y**2).sum(), argnums=(1, 0))(x, x * 3),
    "grad_complex_out": lambda F, x, torch: F.grad(lambda x: (x * 1j).sum())(x),
    "grad_of_complex": lambda F, x, torch: F.grad(lambda x: x.abs().sum())(x * 1j),
    "jacrev_chunk_size_0": lambda F, x, torch: F.jacrev(lambda x: x, chunk_size=0),
    "jacrev_complex": lambda F, x, torch: F.jacrev(lambda x: x)(x + 1j),
    "jacrev_complex_out": lambda F, x, torch: F.jacrev(lambda x: x * 1j)(x),
    "jacfwd_complex": lambda F, x, torch: F.jacfwd(lambda x: x)(x + 1j),
    "jacobians": lambda F, x, torch: [how(lambda d: {"a": d["x"] * d["y"].sum(), "b": (d["x"],)})(
        {"x": x, "y": torch.ones(3)}) for how in (F.jacrev, F.jacfwd)],
    "jacobians_aux": lambda F, x, torch: [how(lambda x: (x**2, [x.sum()]), has_aux=True)(x)
                                          for how in (F.jacrev, F.jacfwd)],
    "hessian_of_two": lambda F, x, torch: F.hessian(
        lambda x, y: (x**2).sum() * (y**3).sum(), argnums=(0, 1))(x, x * 2),
    "linearize_structure": lambda F, x, torch: F.linearize(lambda x: x.sin(), x)[1](x, x),
    "linearize_shape": lambda F, x, torch: F.linearize(lambda x: x.sin(), x)[1](torch.ones(3)),
    "linearize_dtype": lambda F, x, torch: F.linearize(lambda x: x.sin(), x)[1](x.double()),
    "functionalize_remove": lambda F, x, torch: F.functionalize(lambda x: x, remove="a"),
    "functionalize": lambda F, x, torch: F.functionalize(lambda x: x.clone().add_(1))(x),
}.items()}  # fmt: skip


def linearize(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's tracer warns of itself
        out, push = torch.func.linearize(lambda x: (x.sin(), x.sum()), _x(torch))
        return out, push(_x(torch) * 2)


# ---- autograd.functional


def _cube(x):
    return (x**3).sum()


def _two(x, y):
    return (x**2).sum() * (y**3).sum()


_WAYS = {
    "plain": {},
    "graph": {"create_graph": True},
    "strict": {"strict": True},
    "strict_graph": {"strict": True, "create_graph": True},
}
_JACOBIAN_WAYS = _WAYS | {
    "vectorized": {"vectorize": True},
    "vectorized_graph": {"vectorize": True, "create_graph": True},
    "forward": {"vectorize": True, "strategy": "forward-mode"},
    "forward_not_vectorized": {"strategy": "forward-mode"},
}
_HESSIAN_WAYS = _WAYS | {
    "vectorized": {"vectorize": True},
    "outer_forward": {"vectorize": True, "outer_jacobian_strategy": "forward-mode"},
    "outer_unknown": {"outer_jacobian_strategy": "x"},
}


def _functional(call, way):
    def case(torch):
        x, y = torch.arange(3.0) + 1, torch.arange(2.0) + 1
        return call(torch.autograd.functional, way, x, y, x.clone().requires_grad_(), torch)

    return case


for _way, _options in _JACOBIAN_WAYS.items():
    for _name, _call in {
        "jacobian": lambda F, k, x, y, w, torch: F.jacobian(lambda a: a**2 * a.sum(), x, **k),
        "jacobian_of_two": lambda F, k, x, y, w, torch: F.jacobian(
            lambda a, b: (a.sum() * b, a * b.sum()), (x, y), **k),
        "jacobian_of_leaf": lambda F, k, x, y, w, torch: F.jacobian(lambda a: a**2, w, **k),
        "jacobian_unused": lambda F, k, x, y, w, torch: F.jacobian(lambda a, b: a * 2, (x, y), **k),
        "jacobian_constant": lambda F, k, x, y, w, torch: F.jacobian(
            lambda a: torch.ones(2), x, **k),
        "jacobian_scalar": lambda F, k, x, y, w, torch: F.jacobian(_cube, x, **k),
    }.items():  # fmt: skip
        CASES[f"{_name}_{_way}"] = _functional(_call, _options)
for _way, _options in _HESSIAN_WAYS.items():
    for _name, _call in {
        "hessian": lambda F, k, x, y, w, torch: F.hessian(_cube, x, **k),
        "hessian_two": lambda F, k, x, y, w, torch: F.hessian(_two, (x, y), **k),
        "hessian_of_leaf": lambda F, k, x, y, w, torch: F.hessian(_cube, w, **k),
        "hessian_linear": lambda F, k, x, y, w, torch: F.hessian(lambda a: a.sum(), x, **k),
        "hessian_tuple": lambda F, k, x, y, w, torch: F.hessian(lambda a: (a.sum(),), x, **k),
        "hessian_vector": lambda F, k, x, y, w, torch: F.hessian(lambda a: a, x, **k),
    }.items():
        CASES[f"{_name}_{_way}"] = _functional(_call, _options)
for _product in ("vjp", "jvp", "vhp", "hvp"):
    for _way, _options in _WAYS.items():
        for _name, _call in {
            "": lambda F, x, y, w, v: F(_cube, x, v),
            "_of_leaf": lambda F, x, y, w, v: F(_cube, w, v),
            "_no_vector": lambda F, x, y, w, v: F(_cube, x),
            "_size": lambda F, x, y, w, v: F(_cube, x, y),
            "_two_vectors": lambda F, x, y, w, v: F(_cube, x, (v, v)),
            "_constant": lambda F, x, y, w, v: F(lambda a: x.sum(), x * 1, v),
            "_linear": lambda F, x, y, w, v: F(lambda a: a.sum(), x, v),
            "_unused": lambda F, x, y, w, v: F(
                lambda a, b: _cube(a), (x, y), v if v.ndim == 0 else (x, y)),
            "_list": lambda F, x, y, w, v: F(_cube, [x]),
            "_number": lambda F, x, y, w, v: F(_cube, (x, 3), v),
            "_returns": lambda F, x, y, w, v: F(lambda a: (a.sum(), 3), x, v),
        }.items():  # fmt: skip

            def _case(torch, call=_call, product=_product, options=_options):
                x, y = torch.arange(3.0) + 1, torch.arange(2.0) + 1
                v = torch.ones(()) if product == "vjp" else x * 2
                function = getattr(torch.autograd.functional, product)
                return call(
                    lambda *args: function(*args, **options), x, y, x.clone().requires_grad_(), v
                )

            CASES[f"{_product}{_name}_{_way}"] = _case


def without_grad(torch):
    w, f = torch.arange(3.0).requires_grad_(), torch.autograd.functional
    with torch.no_grad():
        return (
            f.jacobian(lambda a: a**2, w),
            f.jacobian(lambda a: a**2, w, create_graph=True).sum(),
            f.hvp(_cube, w, torch.ones(3)),
            f.jvp(_cube, w, torch.ones(3)),
        )
