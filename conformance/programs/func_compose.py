"""Function transforms in each other: values, and which results require grad."""


def _both(w, x):
    return ((w * x).sin() * w.exp()).sum() * (w @ x)


def _case(compose):
    def case(torch):
        torch.manual_seed(0)
        w, x, v = (torch.randn(*s, dtype=torch.float64) for s in ((3,), (4, 3), (3,)))
        matrix = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)

        def captured(w, x):
            return (matrix @ (w * x)).tanh() * w

        return compose(torch, w, x, v, captured, matrix)

    return case


def _gradient(torch, out, matrix):
    return torch.autograd.grad(out.pow(2).sum(), matrix)[0]


# Of tensors w [3], x [4, 3] and v [3], a function that uses a matrix which requires grad, and that.
_COMPOSITIONS = {
    "vmap_hessian": lambda T, w, x, v, g, m: T.vmap(T.func.hessian(_both), (None, 0))(w, x),
    "vmap_jacfwd_jacfwd": lambda T, w, x, v, g, m: T.vmap(
        T.func.jacfwd(T.func.jacfwd(_both)), (None, 0))(w, x),
    "vmap_jacrev_jacrev": lambda T, w, x, v, g, m: T.vmap(
        T.func.jacrev(T.func.jacrev(_both)), (None, 0))(w, x),
    "vmap_jacrev_jacfwd": lambda T, w, x, v, g, m: T.vmap(
        T.func.jacrev(T.func.jacfwd(_both)), (None, 0))(w, x),
    "vmap_hessian_of_the_second": lambda T, w, x, v, g, m: T.vmap(
        T.func.hessian(_both, argnums=1), (None, 0))(w, x),
    "vmap_jacfwd_captured": lambda T, w, x, v, g, m: T.vmap(T.func.jacfwd(g), (None, 0))(w, x),
    "vmap_jacrev_captured": lambda T, w, x, v, g, m: T.vmap(T.func.jacrev(g), (None, 0))(w, x),
    "vmap_grad_captured": lambda T, w, x, v, g, m: T.vmap(
        T.func.grad(lambda w, x: g(w, x).sum()), (None, 0))(w, x),
    "grad_of_per_sample": lambda T, w, x, v, g, m: T.func.grad(
        lambda w: T.vmap(T.func.grad(_both), (None, 0))(w, x).pow(2).sum())(w),
    "jacfwd_of_per_sample": lambda T, w, x, v, g, m: T.func.jacfwd(
        lambda w: T.vmap(T.func.grad(_both), (None, 0))(w, x))(w),
    "jacrev_of_vmap_jacfwd": lambda T, w, x, v, g, m: T.func.jacrev(
        lambda w: T.vmap(T.func.jacfwd(_both), (None, 0))(w, x))(w),
    "jvp_of_per_sample": lambda T, w, x, v, g, m: T.func.jvp(
        lambda w: T.vmap(T.func.grad(_both), (None, 0))(w, x), (w,), (v,)),
    "jvp_of_vmap_jvp": lambda T, w, x, v, g, m: T.func.jvp(
        lambda w: T.vmap(lambda x: T.func.jvp(lambda w: _both(w, x), (w,), (v,))[1])(x),
        (w,), (v,)),
    "vmap_jvp_of_grad": lambda T, w, x, v, g, m: T.vmap(
        lambda x: T.func.jvp(lambda w: T.func.grad(_both)(w, x), (w,), (v,))[1])(x),
    "to_captured_by_jacfwd": lambda T, w, x, v, g, m: _gradient(
        T, T.vmap(T.func.jacfwd(g), (None, 0))(w, x), m),
    "to_captured_by_jacrev": lambda T, w, x, v, g, m: _gradient(
        T, T.vmap(T.func.jacrev(g), (None, 0))(w, x), m),
    "to_captured_by_jvp": lambda T, w, x, v, g, m: _gradient(
        T, T.vmap(lambda x: T.func.jvp(lambda w: g(w, x), (w,), (v,))[1])(x), m),
    "to_captured_by_jvp_of_vmap": lambda T, w, x, v, g, m: _gradient(
        T, T.func.jvp(lambda w: T.vmap(g, (None, 0))(w, x), (w,), (v,))[1], m),
    "two_levels": lambda T, w, x, v, g, m: T.vmap(
        T.vmap(T.func.grad(_both), (None, 0)), (0, None))(x * 2, x),
    "two_levels_other_way": lambda T, w, x, v, g, m: T.vmap(
        T.vmap(T.func.grad(_both), (0, None)), (None, 0))(x * 2, x),
    "vmap_of_vmap_hessian": lambda T, w, x, v, g, m: T.vmap(
        lambda one: T.vmap(T.func.hessian(_both), (0, None))(x * 2, one))(x),
    "hessian_of_vmap": lambda T, w, x, v, g, m: T.func.hessian(
        lambda w: T.vmap(_both, (None, 0))(w, x).sum())(w),
    "hessian_of_vmap_jacrev": lambda T, w, x, v, g, m: T.func.hessian(
        lambda w: T.vmap(lambda x: T.func.jacrev(_both)(w, x).sum())(x).sum())(w),
    "jacfwd_of_jacrev_of_vmap": lambda T, w, x, v, g, m: T.func.jacfwd(
        lambda w: T.func.jacrev(lambda u: T.vmap(_both, (None, 0))(u * w, x))(w))(w),
    "vjp_of_vmap_jacrev": lambda T, w, x, v, g, m: T.func.vjp(
        lambda w: T.vmap(T.func.jacrev(_both), (None, 0))(w, x), w)[1](x)[0],
    "per_sample_and_values": lambda T, w, x, v, g, m: T.vmap(
        T.func.grad_and_value(_both), (None, 0))(w, x),
    "functional_hessian": lambda T, w, x, v, g, m: T.autograd.functional.hessian(
        lambda w: T.vmap(_both, (None, 0))(w, x).sum(), w, vectorize=True),
    "jacrev_of_both": lambda T, w, x, v, g, m: T.func.jacrev(_both, argnums=(0, 1))(w, x[0]),
    "jacrev_in_chunks": lambda T, w, x, v, g, m: [
        T.func.jacrev(lambda w: T.vmap(g, (None, 0))(w, x), chunk_size=n)(w) for n in (1, 2, 50)],
    "vmap_jacrev_in_chunks": lambda T, w, x, v, g, m: T.vmap(
        T.func.jacrev(g, chunk_size=2), (None, 0))(w, x),
    "three_levels_of_grad": lambda T, w, x, v, g, m: T.func.grad(lambda w: T.func.grad(
        lambda u: T.func.grad(lambda z: _both(z * u, x[0]) * w.sum())(w).sum())(w * 2).sum())(w),
    "grad_of_a_sort": lambda T, w, x, v, g, m: T.vmap(lambda x: T.func.grad(
        lambda w: (w[T.argsort(x)] * x).cumsum(0).prod())(w))(x),
}  # fmt: skip
CASES = {name: _case(compose) for name, compose in _COMPOSITIONS.items()}


def no_confusion(torch):
    grad, jvp = torch.func.grad, torch.func.jvp
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    return (
        grad(lambda x: x * grad(lambda y: x + y)(one))(two),
        jvp(lambda x: x * jvp(lambda y: x + y, (one,), (one,))[1], (two,), (one,)),
        grad(lambda x: x * jvp(lambda y: x * y, (one,), (x,))[1])(two),
        jvp(lambda x: x * grad(lambda y: x * y * y)(x), (two,), (one,)),
    )


def no_grad_inside(torch):
    def f(x):
        with torch.no_grad():
            shift = x**2
        return x**2 - shift

    return torch.func.grad(f)(torch.tensor(3.0))


def no_grad_outside(torch):
    w = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        return torch.func.grad(lambda x: (x * x * w).sum())(torch.ones(3))


def what_requires_grad(torch):
    w = torch.ones(3, requires_grad=True)
    x = torch.ones(3)
    func = torch.func
    return (
        func.grad(lambda x: (x * x).sum())(x),
        func.grad(lambda x: (x * x * w).sum())(x).sum(),
        func.grad(lambda x: (x**3).sum())(w).sum(),
        func.grad_and_value(lambda x: (x * w).sum())(x)[1],
        func.jvp(lambda x: x * x, (x,), (w,))[1].sum(),
        func.jvp(lambda x: x * x, (w,), (x,))[1].sum(),
        func.vjp(lambda x: x * x, x)[1](w)[0].sum(),
        func.jacfwd(lambda x: x * w)(x).sum(),
        torch.vmap(lambda x: x * 2)(w).sum(),
    )
