"""How tensors are made: inferred dtypes, what shares memory, what returns the very same object."""

import numpy as np


def inferred_from_numbers(torch):
    return [
        torch.tensor(data)
        for data in (
            1,
            1.5,
            True,
            1j,
            [1, 2],
            [1, 2.5],
            [True, False],
            [True, 2],
            [1j, 2],
            [[1, 2], [3, 4]],
            (1, 2),
            range(3),
            [],
            [[]],
            [[], []],
            [[[1]]],
            [True, 2.5],
            [1, 2.0, 3j],
        )
    ]


def inferred_from_numpy(torch):
    arrays = [
        np.ones(2),
        np.ones(2, np.float32),
        np.ones(2, np.int32),
        np.ones(2, bool),
        np.ones(2, np.complex64),
        np.float64(1.5),
        np.float32(1.5),
        np.int64(3),
        np.bool_(True),
        [np.float32(1)],
        [np.float64(1)],
        [np.int32(1), np.int64(2)],
        [np.ones(2), np.zeros(2)],
        np.ones((2, 0)),
        np.ones((), np.float16),
    ]
    return [torch.tensor(array) for array in arrays]


def with_dtype(torch):
    return (
        torch.tensor([1, 2], dtype=torch.float64),
        torch.tensor([1.7, -1.7], dtype=torch.int64),
        torch.tensor([0, 2], dtype=torch.bool),
        torch.tensor([1.5], dtype=torch.complex64),
        torch.tensor([1.5], dtype=torch.bfloat16),
        torch.tensor([1, 2], dtype=torch.uint8),
    )


def tensor_copies(torch):
    array = np.zeros(2)
    t = torch.tensor(array)
    t[0] = 5
    return array, t


def as_tensor_shares(torch):
    array = np.zeros(2)
    t = torch.as_tensor(array)
    t[0] = 5
    u = torch.as_tensor(array, dtype=torch.float32)
    u[0] = 7
    return array, torch.as_tensor(t) is t, torch.as_tensor([1, 2])


def asarray(torch):
    array = np.zeros(2)
    t = torch.asarray(array)
    t[0] = 5
    x = torch.ones(2)
    return array, torch.asarray(x) is x, torch.asarray(x, copy=True) is x, torch.asarray([1.5])


def from_numpy_shares(torch):
    array = np.zeros((2, 3))
    t = torch.from_numpy(array)
    t[0, 0] = 5
    array[1, 1] = 6
    return t, array, torch.from_numpy(array.T).stride(), torch.from_numpy(array[:, ::2]).stride()


def frombuffer(torch):
    return torch.frombuffer(bytearray(b"\x01\x02\x03"), dtype=torch.uint8)


def legacy_constructors(torch):
    return (
        torch.Tensor([1, 2, 3]),
        torch.FloatTensor([1, 2]),
        torch.LongTensor([1, 2]),
        torch.DoubleTensor([1]),
        torch.Tensor(2, 0),
        torch.IntTensor([[1], [2]]),
        torch.ByteTensor([1]),
        torch.BoolTensor([True]),
        torch.HalfTensor([1.5]),
        torch.Tensor(),
        torch.Tensor([1.5]).type(),
        torch.ones(1).type(torch.int64),
    )


def arange_dtypes(torch):
    return (
        torch.arange(3),
        torch.arange(3.0),
        torch.arange(1, 4),
        torch.arange(0, 1, 0.25),
        torch.arange(5, 0, -2),
        torch.arange(0),
        torch.arange(3, dtype=torch.float64),
        torch.arange(1, 2.5, 0.5),
    )


def linspace_and_logspace(torch):
    return (
        torch.linspace(0, 1, 5),
        torch.linspace(0, 10, 4, dtype=torch.int64),
        torch.linspace(1, 1, 1),
        torch.linspace(0, 1, 0),
        torch.logspace(0, 2, 3),
        torch.logspace(0, 3, 4, base=2),
        torch.linspace(-10, 10, 7, dtype=torch.float64),
        torch.linspace(3, -3, 6),
    )


def full_infers(torch):
    return (
        torch.full((2,), 1),
        torch.full((2,), 1.5),
        torch.full((2,), True),
        torch.full((2,), 1j),
        torch.full((2, 0), 3),
        torch.full((), 3),
        torch.full((2,), 1, dtype=torch.float32),
    )


def sizes(torch):
    return (
        torch.zeros(2, 3),
        torch.zeros((2, 3)),
        torch.zeros([2]),
        torch.zeros(torch.Size([1])),
        torch.zeros(()),
        torch.ones(2, dtype=torch.int32),
        torch.eye(2, 3),
        torch.eye(2, dtype=torch.bool),
        torch.zeros(0),
    )


def like(torch):
    x = torch.ones(2, 3, dtype=torch.float64).t()
    outs = [torch.zeros_like(x), torch.ones_like(x), torch.full_like(x, 2), torch.empty_like(x)]
    return [(t.dtype, t.shape, t.stride()) for t in outs], torch.zeros_like(x, dtype=torch.int64)


def like_of_strided(torch):
    base = torch.ones(4, 6)
    views = [base[:, ::2], base[::2], base.expand(2, 4, 6), base.permute(1, 0), base[0, 0]]
    return [torch.empty_like(v).stride() for v in views]


def new_methods(torch):
    x = torch.ones(2, dtype=torch.float64)
    return (
        x.new_zeros(2),
        x.new_ones(1, 2),
        x.new_full((2,), 3),
        x.new_tensor([1, 2]),
        x.new_empty(2, 3).shape,
    )


def same_object(torch):
    x = torch.ones(3)
    m = torch.ones(2, 3)
    return {
        "float": x.float() is x,
        "to dtype": x.to(torch.float32) is x,
        "to device": x.to("cpu") is x,
        "to tensor": x.to(x) is x,
        "contiguous": x.contiguous() is x,
        "cpu": x.cpu() is x,
        "type": x.type(torch.float32) is x,
        "requires_grad_": x.requires_grad_(False) is x,
        "flatten": x.flatten() is x,
        "ravel": x.ravel() is x,
        "flatten matrix": m.flatten() is m,
        "reshape": x.reshape(3) is x,
        "view": x.view(3) is x,
        "view_as": x.view_as(x) is x,
        "expand": x.expand(3) is x,
        "squeeze": x.squeeze() is x,
        "t": x.t() is x,
        "T": m.T is m,
        "detach": x.detach() is x,
        "data": x.data is x,
        "clone": x.clone() is x,
        "real": x.real is x,
        "conj": x.conj() is x,
        "resolve_conj": x.resolve_conj() is x,
        "positive": (+x) is x,
        "abs_": x.abs_() is x,
        "double": x.double() is x,
        "type_as": x.type_as(x) is x,
        "expand_as": x.expand_as(x) is x,
        "broadcast_to": x.broadcast_to(3) is x,
        "atleast_1d": torch.atleast_1d(x) is x,
        "index all": x[:] is x,
        "index ellipsis": x[...] is x,
        "long": x.long() is x,
        "permute": m.permute(0, 1) is m,
        "transpose": m.transpose(0, 0) is m,
        "movedim": m.movedim(0, 0) is m,
        "round of int": torch.ones(2, dtype=torch.int64).round() is x,
    }


def shares_memory(torch):
    x = torch.arange(6.0).reshape(2, 3)

    def shares(y):
        return y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()

    return {
        "reshape": shares(x.reshape(3, 2)),
        "reshape of transposed": shares(x.t().reshape(6)),
        "view": shares(x.view(-1)),
        "flatten": shares(x.flatten()),
        "flatten transposed": shares(x.t().flatten()),
        "t": shares(x.t()),
        "slice": shares(x[:, 1:]),
        "int": shares(x[0]),
        "advanced": shares(x[[0, 1]]),
        "mask": shares(x[x > 0]),
        "expand": shares(x.expand(2, 2, 3)),
        "contiguous": shares(x.t().contiguous()),
        "clone": shares(x.clone()),
        "detach": shares(x.detach()),
        "chunk": [shares(c) for c in x.chunk(2)],
        "unbind": [shares(c) for c in x.unbind(1)],
        "diagonal": shares(x.diagonal()),
        "diag": shares(torch.diag(x)),
        "narrow": shares(x.narrow(0, 0, 1)),
        "unfold": shares(x.unfold(1, 2, 1)),
        "squeeze": shares(x.squeeze()),
        "unsqueeze": shares(x.unsqueeze(0)),
        "repeat": shares(x.repeat(1, 1)),
        "tile": shares(x.tile(1)),
        "to": shares(x.to(torch.float64)),
        "real": shares(x.real),
        "roll": shares(x.roll(1)),
        "flip": shares(x.flip(0)),
        "masked_select": shares(x.masked_select(x > 2)),
        "as_strided": shares(x.as_strided((2,), (1,))),
        "unflatten": shares(x.unflatten(1, (3, 1))),
        "broadcast_to": shares(torch.broadcast_to(x, (2, 2, 3))),
        "meshgrid": shares(torch.meshgrid(x[0], x[1], indexing="ij")[0]),
        "atleast_3d": shares(torch.atleast_3d(x)),
        "movedim": shares(x.movedim(0, 1)),
        "tensor_split": [shares(c) for c in x.tensor_split(2, dim=1)],
        "item access": shares(x[0, 0]),
    }


def strides_of_results(torch):
    x = torch.ones(2, 3, 4)
    p = x.permute(2, 0, 1)
    y = x[:, ::2]
    return {
        "clone permuted": p.clone().stride(),
        "clone sliced": y.clone().stride(),
        "add permuted": (p + 1).stride(),
        "add two": (p + p).stride(),
        "add mixed": (p + torch.ones(4, 2, 3)).stride(),
        "exp permuted": p.exp().stride(),
        "contiguous": p.contiguous().stride(),
        "double": p.double().stride(),
        "sum": p.sum(0).stride(),
        "cat": torch.cat([p, p]).stride(),
        "stack": torch.stack([p, p]).stride(),
        "matmul": torch.matmul(torch.ones(3, 2).t(), torch.ones(3, 4)).stride(),
        "reshape": p.reshape(8, 3).stride(),
        "view of expanded": torch.ones(1, 3).expand(2, 3).stride(),
        "unsqueeze": x.unsqueeze(1).stride(),
        "unsqueeze last": x.unsqueeze(-1).stride(),
        "squeeze": torch.ones(2, 1, 3).squeeze(1).stride(),
        "slice": y.stride(),
        "zero size": torch.ones(0, 3).stride(),
        "transpose": x.transpose(0, 2).stride(),
    }


def queries(torch):
    x = torch.ones(2, 3, 4)
    t = x.transpose(0, 1)
    return {
        "numel": x.numel(),
        "dim": x.dim(),
        "ndim": x.ndim,
        "size": x.size(),
        "size(1)": x.size(1),
        "size(-1)": x.size(-1),
        "shape": x.shape,
        "stride": t.stride(),
        "stride(0)": t.stride(0),
        "storage_offset": x[1, 1].storage_offset(),
        "is_contiguous": [
            x.is_contiguous(),
            t.is_contiguous(),
            x[:1].is_contiguous(),
            x[:, :1].is_contiguous(),
        ],
        "element_size": x.element_size(),
        "nbytes": x.nbytes,
        "itemsize": x.itemsize,
        "is_floating_point": x.is_floating_point(),
        "is_complex": x.is_complex(),
        "is_signed": x.is_signed(),
        "nelement": x.nelement(),
        "data_ptr equal": x.data_ptr() == x.view(-1).data_ptr(),
        "len": len(x),
        "device": x.device,
        "dtype": x.dtype,
        "layout": x.layout,
        "is_cuda": x.is_cuda,
        "is_sparse": x.is_sparse,
        "type": x.type(),
        "names": x[0].shape == torch.Size([3, 4]),
        "is_same_size": x.is_same_size(x),
        "untyped_storage": x.untyped_storage().nbytes(),
        "is_tensor": torch.is_tensor(x),
        "size arithmetic": torch.Size([1, 2]) + torch.Size([3]),
        "size slice": x.shape[1:],
        "size numel": x.shape.numel(),
    }


def factories_under_no_grad(torch):
    with torch.no_grad():
        x = torch.ones(2, requires_grad=True)
        p = torch.nn.Parameter(torch.ones(1))
        y = x * 2
    return x.requires_grad, p.requires_grad, y.requires_grad, x.is_leaf, y.is_leaf


def out_argument(torch):
    out = torch.zeros(3)
    same = torch.add(torch.ones(3), 1, out=out)
    empty = torch.empty(0)
    torch.ones(2, out=empty)
    arange = torch.empty(0, dtype=torch.int64)
    torch.arange(3, out=arange)
    return same is out, out, empty, arange


def default_device(torch):
    before = torch.get_default_device()
    torch.set_default_device("cpu")
    return (
        before,
        torch.get_default_device(),
        torch.ones(1).device,
        torch.device("cpu") == torch.ones(1).device,
    )


def device_objects(torch):
    d = torch.device("cpu", 0)
    return (
        repr(torch.device("cpu")),
        repr(d),
        str(d),
        d.type,
        d.index,
        torch.device("cpu").index,
        torch.device("cpu") == "cpu",
        hash(torch.device("cpu")) == hash(torch.device("cpu")),
        torch.ones(1, device="cpu").to(torch.device("cpu")).device,
    )


def dtype_objects(torch):
    return (
        repr(torch.float32),
        str(torch.int64),
        torch.float is torch.float32,
        torch.long is torch.int64,
        torch.half is torch.float16,
        torch.double is torch.float64,
        torch.get_default_dtype(),
        torch.float32.to_complex(),
        torch.complex128.to_real(),
    )


def size_object(torch):
    s = torch.Size([2, 3])
    return (
        repr(s),
        s == (2, 3),
        s.numel(),
        list(s),
        isinstance(s, tuple),
        s[1],
        hash(s) == hash((2, 3)),
    )


def complex_construction(torch):
    z = torch.complex(torch.tensor([1.0]), torch.tensor([2.0]))
    return (
        z,
        torch.polar(torch.tensor([1.0]), torch.tensor([0.0])),
        torch.view_as_real(z),
        z.real,
        z.imag,
        z.conj(),
        torch.view_as_complex(torch.tensor([[1.0, 2.0]])),
        z.abs(),
        z.angle(),
        z.is_complex(),
    )


def complex_views_write_through(torch):
    z = torch.zeros(2, dtype=torch.complex64)
    z.real.fill_(3)
    torch.view_as_real(z)[..., 1] = 4
    z.imag[0] = 5
    return z


def indices(torch):
    return (
        torch.tril_indices(3, 3),
        torch.triu_indices(2, 3, 1),
        torch.combinations(torch.arange(3)),
        torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4])),
        torch.meshgrid(torch.arange(2), torch.arange(3), indexing="xy"),
    )
