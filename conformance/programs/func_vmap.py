"""vmap: dimensions, containers, errors, what an example has not, printing."""

from collections import OrderedDict, namedtuple

Pair = namedtuple("Pair", "a b")


def _x(torch):
    return torch.arange(6.0).reshape(2, 3)


def _f(x, *more):
    return x


def _case(function, *args, **options):
    """vmap(function, **options) on a 2 x 3 tensor, and on more arguments."""

    def case(torch):
        def called(*inputs):
            return function(torch, *inputs)

        return torch.vmap(called, **options)(_x(torch), *args)

    return case


def in_dims(torch):
    x = torch.arange(24.0).reshape(2, 3, 4)
    return [torch.vmap(lambda x: x.cumsum(0), d, o)(x) for d in (0, 1, -1) for o in (0, 1, -1)]


def strides(torch):
    x = torch.arange(24.0).reshape(2, 3, 4)
    outs = [torch.vmap(lambda x: x, d, o)(x) for d in (0, 1, 2) for o in (0, 1, 2)]
    outs.append(torch.vmap(lambda x: torch.ones(3))(x))
    return [(tuple(o.shape), o.stride(), o.is_contiguous()) for o in outs]


def containers(torch):
    x, y = _x(torch), torch.ones(3)

    def f(d, pair, k):
        return {"p": pair.a * k, "q": [d["a"] + d["b"], (pair.b,)]}

    return torch.vmap(f, in_dims=({"a": 0, "b": None}, Pair(1, None), None))(
        {"a": x, "b": y}, Pair(x.t(), y), 3
    )


def containers_out(torch):
    return torch.vmap(
        lambda x: OrderedDict(a=x, b=(x * 2, [x.sum()])), out_dims=OrderedDict(a=1, b=(0, [0]))
    )(_x(torch))


def keywords(torch):
    return torch.vmap(lambda x, *, k: x * k, in_dims=0)(_x(torch), k=3)


def nested(torch):
    x = torch.arange(24.0).reshape(2, 3, 4)
    f = torch.vmap(torch.vmap(lambda a, b: a.outer(b).sum(0), (0, None)), (None, 1))
    return f(x[0], x[1].t()), torch.vmap(torch.vmap(torch.vmap(lambda x: x * 2), 1, 1), -1, 1)(x)


def same_tensor_twice(torch):
    a, b = torch.vmap(lambda x: (x, x), out_dims=(0, 1))(_x(torch))
    a.mul_(2)
    return b, b.stride()


def chunks(torch):
    x = torch.arange(10.0).reshape(5, 2)
    return [
        torch.vmap(lambda x: (x.flip(0), x.sum()), 0, (1, 0), chunk_size=n)(x) for n in (1, 2, 9)
    ]


def shown(torch):
    torch.vmap(lambda x: print(x) or x)(_x(torch))
    torch.vmap(torch.vmap(lambda x: print(x) or x))(_x(torch))


def unwrapped(torch):
    seen = []
    x = _x(torch)
    torch.vmap(lambda x: (seen.append(torch.func.debug_unwrap(x)), x)[1])(x)
    torch.vmap(torch.vmap(
        lambda x: (seen.append(torch.func.debug_unwrap(x, recurse=True)), x)[1]))(x)  # fmt: skip
    return seen


def out_dim_too_large(torch):
    torch.vmap(_f, out_dims=5)(_x(torch))


CASES = {
    "out_dims_none": lambda torch: torch.vmap(lambda x: 3, out_dims=None)(_x(torch)),
    "unbatched_output": _case(lambda torch, x: torch.ones(3)),
    "no_inputs": lambda torch: torch.vmap(_f)(),
    "in_dims_list": lambda torch: torch.vmap(_f, in_dims=[0])(_x(torch)),
    "in_dims_text": lambda torch: torch.vmap(_f, in_dims="a")(_x(torch)),
    "in_dims_float": lambda torch: torch.vmap(_f, in_dims=(0.5,))(_x(torch)),
    "in_dims_none": lambda torch: torch.vmap(_f, in_dims=None)(_x(torch)),
    "in_dims_all_none": lambda torch: torch.vmap(_f, in_dims=(None,))(_x(torch)),
    "in_dims_for_a_number": lambda torch: torch.vmap(_f)(_x(torch), 3),
    "in_dims_too_large": lambda torch: torch.vmap(_f, in_dims=2)(_x(torch)),
    "sizes": lambda torch: torch.vmap(_f)(_x(torch), torch.ones(4)),
    "out_dims_text": lambda torch: torch.vmap(_f, out_dims="a")(_x(torch)),
    "out_dims_structure": _case(lambda torch, x: (x, x), out_dims=(0,)),
    "out_dims_none_of_a_batch": lambda torch: torch.vmap(_f, out_dims=None)(_x(torch)),
    "no_tensor_returned": _case(lambda torch, x: (x, None)),
    "chunk_size_0": lambda torch: torch.vmap(_f, chunk_size=0),
    "item": _case(lambda torch, x: x[0].item()),
    "float": _case(lambda torch, x: float(x[0])),
    "tolist": _case(lambda torch, x: x.tolist()),
    "branch": _case(lambda torch, x: x if (x > 0).all() else -x),
    "mask": _case(lambda torch, x: x[x > 1]),
    "mask_for_all": _case(lambda torch, x: x[torch.tensor([True, False, True])]),
    "masked_select": _case(lambda torch, x: x.masked_select(x > 1)),
    "nonzero": _case(lambda torch, x: x.nonzero()),
    "where": _case(lambda torch, x: torch.where(x > 0)),
    "unique": _case(lambda torch, x: x.unique()),
    "unique_consecutive": _case(lambda torch, x: x.unique_consecutive()),
    "bincount": _case(lambda torch, x: torch.bincount(x.long())),
    "equal": _case(lambda torch, x: torch.equal(x, x)),
    "allclose": _case(lambda torch, x: torch.allclose(x, x)),
    "write_by_mask": lambda torch: torch.vmap(lambda x: _written(x, x > 1, 0.0))(_x(torch)),
    "write_number_by_mask": lambda torch: torch.vmap(lambda x: _written(x, x > 1, x[1]))(_x(torch)),
    "index": lambda torch: torch.vmap(lambda x, i: x[i])(_x(torch), torch.tensor([0, 2])),
    "index_of_one_tensor": lambda torch: torch.vmap(lambda x, i: x[i], (None, 0))(
        _x(torch), torch.tensor([[0, 1], [1, 1]])),
    "masked_scatter": _case(lambda torch, x: x.masked_scatter(x > 1, x)),
    "argwhere": _case(lambda torch, x: torch.argwhere(x + 1)),
    "histc": _case(lambda torch, x: torch.histc(x, 3)),
    "contains": _case(lambda torch, x: 3 in x),
    "length": _case(lambda torch, x: x * len(x)),
    "iteration": _case(lambda torch, x: sum(x)),
    "singular": _case(lambda torch, x: torch.linalg.inv(torch.zeros(2, 2) * x[0])),
    "new_tensors": _case(lambda torch, x: (x.new_zeros(2), x.new_full((2,), 3), torch.ones_like(x))),
}  # fmt: skip


def _written(x, mask, value):
    y = x.clone()
    y[mask] = value
    return y
