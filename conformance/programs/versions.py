"""Version counters: what counts as a change, and what shares a counter."""

# Statements on x (4 floats), m (a 2x3 matrix) and i (4 integers): the outcome is by how much each
# of their counters grew.
STATEMENTS = {
    "add_": "x.add_(1)",
    "mul_": "x.mul_(2)",
    "sub_": "x.sub_(1)",
    "div_": "x.div_(2)",
    "pow_": "x.pow_(2)",
    "copy_": "x.copy_(torch.zeros(4))",
    "zero_": "x.zero_()",
    "fill_": "x.fill_(1)",
    "clamp_": "x.clamp_(0, 1)",
    "clamp_min_": "x.clamp_min_(0)",
    "uniform_": "x.uniform_()",
    "normal_": "x.normal_()",
    "bernoulli_": "x.bernoulli_()",
    "random_": "x.random_()",
    "relu_": "x.relu_()",
    "sigmoid_": "x.sigmoid_()",
    "relu_inplace": "F.relu(x, inplace=True)",
    "dropout_inplace": "F.dropout(x, inplace=True)",
    "setitem_int": "x[0] = 1",
    "setitem_slice": "x[:2] = 1",
    "setitem_mask": "x[x > 0] = 1",
    "setitem_list": "x[[0, 1]] = 1",
    "setitem_tensor": "x[torch.tensor([0])] = 1",
    "setitem_all": "x[:] = 1",
    "setitem_ellipsis": "x[...] = 1",
    "setitem_tensor_value": "x[:2] = torch.ones(2)",
    "setitem_2d": "m[0, 1] = 1",
    "item_iadd": "x[0] += 1",
    "slice_iadd": "x[:2] += 1",
    "iadd": "x += 1",
    "imul": "x *= 2",
    "scatter_": "x.scatter_(0, torch.tensor([0]), 1.0)",
    "scatter_add_": "x.scatter_add_(0, torch.tensor([0]), torch.ones(1))",
    "index_put_": "x.index_put_((torch.tensor([0]),), torch.ones(1))",
    "index_add_": "x.index_add_(0, torch.tensor([0]), torch.ones(1))",
    "index_fill_": "x.index_fill_(0, torch.tensor([0]), 1.0)",
    "index_copy_": "x.index_copy_(0, torch.tensor([0]), torch.ones(1))",
    "masked_fill_": "x.masked_fill_(x > 0, 1)",
    "out": "torch.add(torch.ones(4), 1, out=x)",
    "out_sin": "torch.sin(torch.ones(4), out=x)",
    "t_": "m.t_()",
    "transpose_": "m.transpose_(0, 1)",
    "unsqueeze_": "x.unsqueeze_(0)",
    "squeeze_": "x.squeeze_()",
    "set_": "x.set_(torch.zeros(2))",
    "resize_other": "x.resize_(6)",
    "resize_same": "x.resize_(4)",
    "detach_": "x.detach_()",
    "requires_grad_": "x.requires_grad_()",
    "data_assign": "x.data = torch.zeros(4)",
    "through_data": "x.data.add_(1)",
    "through_view": "x.view(4).add_(1)",
    "through_detach": "x.detach().add_(1)",
    "through_slice": "x[:2].mul_(2)",
    "through_expand": "x.expand(1, 4)[0].add_(1)",
    "through_numpy": "x.numpy()[0] = 1",
    "zero_size_view": "x[:0].add_(1)",
    "foreach": "torch._foreach_add_([x], 1)",
    "fill_diagonal_": "m.fill_diagonal_(1)",
    "tril_": "m.tril_()",
    "sort_out": "torch.sort(torch.ones(4), out=(x, i))",
    "swap": "x.swapaxes_(0, 0)",
    "lerp_": "x.lerp_(torch.ones(4), 0.5)",
    "addcmul_": "x.addcmul_(torch.ones(4), torch.ones(4))",
    "addmm_": "m.addmm_(torch.ones(2, 2), torch.ones(2, 3))",
    "exp_": "x.exp_()",
    "neg_": "x.neg_()",
    "abs_": "x.abs_()",
    "round_": "x.round_()",
    "int_add_": "i.add_(1)",
    "bitwise": "i &= 1",
    "cumsum_": "x.cumsum_(0)",
    "nothing": "x.add(1)",
    "clone": "x.clone().add_(1)",
    "contiguous": "x.contiguous().add_(1)",
    "reshape": "x.reshape(2, 2).add_(1)",
    "flatten_copy": "m.t().flatten().add_(1)",
    "to_same": "x.to(torch.float32).add_(1)",
    "to_other": "x.to(torch.float64).add_(1)",
    "real": "x.real.add_(1)",
    "nested_view": "x.view(2, 2)[0].add_(1)",
    "no_grad": "exec('with torch.no_grad(): x.add_(1)')",
    "inference_mode": "exec('with torch.inference_mode(): x.add_(1)')",
    "clip_grad": "torch.nn.utils.clip_grad_norm_([x], 1.0)",
    "map_": "x.map_(x, lambda a, b: a)",
    "apply_": "x.apply_(lambda a: a)",
    "put_": "x.put_(torch.tensor([0]), torch.ones(1))",
    "renorm_": "m.renorm_(2, 0, 1.0)",
    "unsafe": "x.data[0] = 1",
    "geometric_": "x.geometric_(0.5)",
    "exponential_": "x.exponential_()",
    "log_normal_": "x.log_normal_()",
    "cauchy_": "x.cauchy_()",
    "index_reduce_": "x.index_reduce_(0, torch.tensor([0]), torch.ones(1), 'mean')",
    "scatter_reduce_": "x.scatter_reduce_(0, torch.tensor([0]), torch.ones(1), 'sum')",
    "masked_scatter_": "x.masked_scatter_(x > 0, torch.ones(4))",
    "squeeze_dim_": "x.squeeze_(0)",
    "resize_as_": "x.resize_as_(torch.ones(4))",
    "swap_value": "x.copy_(x)",
    "logical": "x.logical_not_()",
}


def _case(statement):
    def run(torch):
        space = {
            "torch": torch,
            "F": torch.nn.functional,
            "x": torch.rand(4),
            "m": torch.rand(2, 3),
            "i": torch.arange(4),
        }
        before = {name: (space[name], space[name]._version) for name in "xmi"}
        exec(statement, space)
        return {name: tensor._version - version for name, (tensor, version) in before.items()}

    return run


CASES = {name: _case(statement) for name, statement in STATEMENTS.items()}


def views_share(torch):
    x = torch.zeros(4)
    v, d = x.view(2, 2), x.detach()
    x.add_(1)
    v.add_(1)
    d.add_(1)
    return x._version, v._version, d._version, v[0]._version, x.clone()._version, x.data._version


def factories_start_at_zero(torch):
    x = torch.ones(2)
    return [
        t._version
        for t in (
            x,
            torch.zeros(1),
            torch.rand(2),
            torch.arange(3),
            torch.full((2,), 1.0),
            x + 1,
            torch.eye(2),
            x.clone(),
            torch.tensor([1]),
            torch.linspace(0, 1, 3),
            torch.randperm(3),
            torch.randn(2),
            torch.empty(2),
            torch.cat([x, x]),
            torch.nn.Parameter(x),
            x.to(torch.float64),
        )
    ]


def optimizers_bump_once(torch):
    found = {}
    for name, options in (
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
        ("Adam", {}),
        ("AdamW", {}),
    ):
        x = torch.ones(2, requires_grad=True)
        optimizer = getattr(torch.optim, name)([x], **options)
        for _ in range(2):
            optimizer.zero_grad()
            (x * x).sum().backward()
            optimizer.step()
        found[f"{name} {options}"] = x._version
    return found


def gradient_accumulation_bumps_grad(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    grad, before = x.grad, x.grad._version
    (x * 2).sum().backward()
    return x.grad is grad, before, grad._version, x._version


def clip_grad_bumps_grad(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 9).sum().backward()
    before = x.grad._version
    total = torch.nn.utils.clip_grad_norm_([x], 1.0)
    return x.grad, total, x.grad._version - before


def zero_grad_without_none(torch):
    x = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=0.1)
    (x * 9).sum().backward()
    before = x.grad._version
    optimizer.zero_grad(set_to_none=False)
    return x.grad, x.grad._version - before


def preserved(torch):
    x = torch.ones(2)
    with torch.autograd._unsafe_preserve_version_counter(x):
        x.add_(1)
    return x._version, x
