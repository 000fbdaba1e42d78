"""Changes in place under function transforms: values, versions, gradients, refusals."""


def _leaf(torch):
    return torch.arange(6.0).reshape(2, 3).requires_grad_()


def _element(torch, x):
    y = x * 2
    y[0] = 5
    return y


def _row(torch, x):
    y = x * 2
    y[1].mul_(x[0])
    return y


def _views(torch, x):
    y = x.clone()
    y[0] += x[1]
    y[1:].mul_(3)
    return y * y


def _input(torch, x):
    return x.mul_(2)


def _part_of_input(torch, x):
    x[0].mul_(x[1])
    return x * 1


def _input_then(torch, x):
    x.mul_(2)
    return x * 1


def _fill(torch, x):
    y = x * 2
    y.fill_(x[0])
    return y


def _overlap(torch, x):
    y = x * 1
    y[:2].copy_(x[1:])
    return y


def _index(torch, x):
    y = torch.zeros_like(x)
    y[torch.tensor([0, 2])] = x[:2]
    return y


def _new(torch, x):
    y = x.new_zeros(2, len(x))
    y[1] = x
    return y


def _saved(torch, x):
    y = x.exp()
    y.add_(1)
    return y


def _index_add(torch, x):
    y = x * 1
    y.index_add_(0, torch.tensor([0, 0, 1]), x)
    return y


def _run(change, in_dims, out_dims):
    def case(torch):
        x = _leaf(torch)
        y = x * 1
        out = torch.vmap(lambda x: change(torch, x), in_dims, out_dims)(y)
        (out * torch.arange(out.numel()).reshape(out.shape)).sum().backward()
        return out.detach(), x.grad, y._version

    return case


CHANGES = [_element, _row, _views, _input, _part_of_input, _input_then, _fill, _overlap, _index,
           _new, _saved, _index_add]  # fmt: skip
CASES = {
    f"{change.__name__[1:]}_{in_dims}_{out_dims}": _run(change, in_dims, out_dims)
    for change in CHANGES
    for in_dims, out_dims in ((0, 0), (1, 0), (0, 1))
    if not in_dims or change in (_element, _input, _input_then, _fill, _new)
}


def _composed(compose):
    def case(torch):
        x = torch.arange(6.0).reshape(2, 3)
        return compose(torch.func, x, lambda x: _views(torch, x), lambda x: _new(torch, x))

    return case


CASES |= {name: _composed(compose) for name, compose in {
    "grad_of_vmap": lambda F, x, f, g: F.grad(lambda x: F.vmap(f)(x).sum())(x),
    "vmap_of_grad": lambda F, x, f, g: F.vmap(F.grad(lambda x: f(x).sum()))(x),
    "jvp_of_vmap": lambda F, x, f, g: F.jvp(lambda x: F.vmap(f)(x), (x,), (x,)),
    "vmap_of_jvp": lambda F, x, f, g: F.vmap(lambda x, v: F.jvp(f, (x,), (v,)))(x, x),
    "jacfwd": lambda F, x, f, g: F.jacfwd(f)(x[0]),
    "jacfwd_into_new": lambda F, x, f, g: F.jacfwd(g)(x[0]),
    "jacrev": lambda F, x, f, g: F.jacrev(f)(x[0]),
    "jacrev_into_new": lambda F, x, f, g: F.jacrev(g)(x[0]),
    "hessian": lambda F, x, f, g: F.hessian(lambda x: f(x).prod())(x[0] + 1),
    "jacrev_of_jacfwd": lambda F, x, f, g: F.jacrev(F.jacfwd(lambda x: f(x).prod()))(x[0] + 1),
}.items()}  # fmt: skip


def _into_one(write):
    def case(torch):
        y = torch.ones(3)
        return torch.vmap(lambda x: write(torch, x, y))(torch.arange(6.0).reshape(2, 3))

    return case


CASES |= {f"into_one_{name}": _into_one(write) for name, write in {
    "add": lambda torch, x, y: y.add_(x),
    "mul": lambda torch, x, y: y.mul_(x),
    "copy": lambda torch, x, y: y.copy_(x),
    "element": lambda torch, x, y: y.__setitem__(0, x[0]),
}.items()}  # fmt: skip


def after(torch):
    x = _leaf(torch)
    y = torch.vmap(lambda x: x * 3)(x)
    y.mul_(2)
    y[0].zero_()
    y.sum().backward()
    return x.grad


def after_exp(torch):
    x = _leaf(torch)
    y = torch.vmap(torch.exp)(x)
    y.mul_(2)
    y.sum().backward()


def view_that_came_out(torch):
    x = _leaf(torch)
    y = x * 1
    torch.vmap(lambda x: x[1:])(y).mul_(2)
    return y.detach(), torch.autograd.grad(y.sum(), x)


def two_that_came_out(torch):
    x = _leaf(torch)
    y = x * 1
    a, b = torch.vmap(lambda x: (x, x))(y)
    a.mul_(2)
    return y.detach(), b.detach(), torch.autograd.grad(b.sum(), x)


def input_of_the_user(torch):
    x = torch.ones(2, 3)
    y = torch.vmap(lambda x: x.add_(1))(x)
    return x, y, y.data_ptr() == x.data_ptr(), x._version


def input_of_grad(torch):
    x = torch.ones(3)
    return torch.func.grad(lambda x: (x.add_(1) ** 2).sum())(x), x
