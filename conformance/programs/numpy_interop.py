"""Tensors and NumPy, tensors and Python's own numbers."""

import math
import warnings

import numpy as np


def numpy_shares_memory(torch):
    x = torch.zeros(3)
    array = x.numpy()
    array[0] = 5
    x[1] = 6
    return x, array, array.flags.writeable, x._version


def numpy_of_view(torch):
    x = torch.arange(6.0).reshape(2, 3)
    return x.t().numpy(), x[:, 1].numpy(), x.t().numpy().strides


def numpy_dtypes(torch):
    names = "bool uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128"
    return [str(torch.ones(1).to(getattr(torch, name)).numpy().dtype) for name in names.split()]


def numpy_detached(torch):
    x = torch.ones(2, requires_grad=True)
    return x.detach().numpy(), x.data.numpy(), x.numpy(force=True)


def numpy_under_no_grad(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        return (x * 2).numpy()


def asarray(torch):
    x = torch.arange(3.0)
    shared = np.asarray(x)
    shared[0] = 9
    return x, np.array(x), np.asarray(x, dtype=np.float64), np.asarray(torch.tensor(5))


def tensor_times_array(torch):
    x = torch.ones(2)
    return (
        x * np.array([2.0, 3.0]),
        x + np.float64(2),
        x * np.float32(2),
        x / np.int64(2),
        x ** np.array([1, 2]),
    )


def array_times_tensor(torch):
    return np.array([2.0, 3.0]) * torch.ones(2)


def scalar_times_tensor(torch):
    return np.float64(2) * torch.ones(2), np.int64(2) + torch.ones(2), np.float32(2) - torch.ones(2)


def noise_added(torch):
    y = torch.sin(torch.tensor(np.linspace(0, 1, 4)))
    return y + np.array([0.1, 0.2, 0.3, 0.4])


def ufunc_of_tensor(torch):
    return np.sin(torch.arange(3.0)), np.exp(torch.zeros(2))


def comparison_with_array(torch):
    return torch.arange(3) == np.array([0, 1, 5])


def order_comparison_with_array(torch):
    return torch.arange(3.0) > np.array([1.0, 0.0, 5.0])


def index_with_array(torch):
    x = torch.arange(5.0)
    return x[np.array([0, 2])], x[np.array([True, False, True, False, False])], x[np.int64(3)]


def array_indexed_by_tensor(torch):
    return np.arange(5.0)[torch.tensor([0, 2])], np.arange(5)[torch.tensor(3)]


def setitem_from_array(torch):
    x = torch.zeros(3)
    x[:2] = torch.tensor(np.array([1.0, 2.0]))
    x[2] = np.float64(5)
    return x


def stack_of_arrays(torch):
    return np.stack([torch.ones(2), torch.zeros(2)]), np.concatenate(
        [torch.ones(2), torch.zeros(1)]
    )


def python_numbers(torch):
    t = torch.tensor
    return (
        float(t(1.5)),
        int(t(1.9)),
        int(t(-1.9)),
        bool(t(0)),
        complex(t(1 + 2j)),
        t(3).__index__(),
        t([2.5]).item(),
        t(True).item(),
        t(3).item(),
        t(1 + 2j).item(),
        float(t([[2.0]])),
        abs(t(-2)),
        divmod(7, 2),
        math.sqrt(t(4.0)),
        math.floor(t(2.5)),
        range(t(3)),
    )


def tolist(torch):
    return (
        torch.arange(4).reshape(2, 2).tolist(),
        torch.tensor(1.5).tolist(),
        torch.ones(0).tolist(),
        torch.ones(2, requires_grad=True).tolist(),
        torch.tensor([True]).tolist(),
        torch.ones(1, 0).tolist(),
    )


def truth(torch):
    return (
        bool(torch.tensor([1.0])),
        bool(torch.tensor(0.0)),
        not torch.tensor([[0]]),
        bool(torch.tensor(-1)),
    )


def iteration(torch):
    x = torch.arange(4).reshape(2, 2)
    a, b = x
    return list(x), [t.item() for t in x[0]], a, b, [i for i, _ in enumerate(x)]


def contains(torch):
    x = torch.tensor([1, 2])
    return 2 in x, 5 in x, torch.tensor(1) in x


def equality_and_hash(torch):
    x = torch.ones(2)
    y = x.view(2)
    return x == y, hash(x) == hash(y), {x: 1}[x], torch.equal(x, y), x.eq(1).all(), (x != None)  # noqa: E711


def reflected_operators(torch):
    x = torch.tensor([2.0, 4.0])
    i = torch.tensor([2, 3])
    return (
        1 - x,
        1 / x,
        2**x,
        7 // i,
        7 % i,
        1 + x,
        2 * x,
        True & (i > 2),
        5 - i,
        2**i,
        1 << i,
        8 >> i,
    )


def unary_operators(torch):
    x, i, b = torch.tensor([-1.5, 2.0]), torch.tensor([1, -2]), torch.tensor([True, False])
    return -x, +x, abs(x), ~i, ~b, -i, abs(i)


def inplace_operators(torch):
    x = torch.tensor([7.0, -7.0])
    same = x
    x += 1
    x -= 2
    x *= 3
    x /= 2
    x //= 2
    x %= 5
    x **= 2
    i = torch.tensor([6, 3])
    i &= 2
    i |= 8
    i ^= 1
    i <<= 1
    i >>= 2
    return x, x is same, i


def integer_arithmetic(torch):
    i = torch.tensor([-7, -3, 3, 7])
    return (
        i // 2,
        i % 3,
        i % -3,
        i / 2,
        torch.fmod(i, 3),
        i**2,
        torch.div(i, 2, rounding_mode="trunc"),
        -i,
        i >> 1,
    )


def float_floor_division(torch):
    x = torch.tensor([-7.5, 7.5, 0.0, float("inf")])
    return x // 2, x % 2, x // -2, x % -2, torch.fmod(x, 2), x // 0.0


def int_overflow_wraps(torch):
    return (
        torch.tensor([127], dtype=torch.int8) + 1,
        torch.tensor([255], dtype=torch.uint8) + 1,
        torch.tensor([2**62]) * 4,
        -torch.tensor([-128], dtype=torch.int8),
        torch.tensor([0], dtype=torch.uint8) - 1,
    )


def casts(torch):
    x = torch.tensor([1.9, -1.9, 0.0, 100.5])
    return (
        x.int(),
        x.long(),
        x.bool(),
        x.to(torch.uint8)[:1],
        x.half(),
        x.bfloat16(),
        x.double(),
        x.to(torch.complex64),
        torch.tensor([1.5 + 2j]).real,
        torch.tensor([300]).to(torch.uint8),
        torch.tensor([True]).float(),
        x.to(torch.int8),
        torch.tensor([0.1]).double(),
        torch.tensor([1e10]).half(),
    )


def complex_to_real_warns(torch):
    return torch.tensor([1.5 + 2j]).to(torch.float32)


def format_of_tensors(torch):
    x = torch.tensor(3.14159)
    return (
        f"{x:.2f}",
        f"{x}",
        f"{x:>10.3f}",
        f"{torch.tensor(3)}",
        f"{torch.tensor([1, 2])}",
        f"{x.item():>7f}",
    )


def format_of_many_with_spec(torch):
    return f"{torch.ones(2):.2f}"


def float_of_requiring_grad(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(torch.ones(1, requires_grad=True)), int(torch.ones((), requires_grad=True))


def dlpack_roundtrip(torch):
    array = np.arange(3.0)
    x = torch.from_dlpack(array)
    x[0] = 7
    return x, array, np.from_dlpack(torch.arange(3))


def array_interface(torch):
    x = torch.ones(2, 3)
    return np.shape(x), np.ndim(x), np.asarray(x).dtype.name, np.isscalar(x)


def numpy_functions(torch):
    x = torch.arange(4.0)
    return np.allclose(x, x), np.array_equal(x, x), np.maximum(x, 2), np.add(x, x)


def builtin_sum_and_max(torch):
    x = torch.tensor([1.0, 3.0, 2.0])
    return sum(x), max(x), min(x), sorted(x), sum([x, x])


def zip_and_unpack(torch):
    first, *rest = torch.arange(4)
    return first, rest, [a + b for a, b in zip(torch.ones(2), torch.zeros(2), strict=True)]


def print_basics(torch):
    print(torch.tensor([1.0, 2.5]), torch.tensor(3), torch.ones(2, requires_grad=True))
    print(
        torch.ones(2, requires_grad=True) * 2, torch.Size([2]), torch.float32, torch.device("cpu")
    )
    print(torch.nn.Linear(2, 3))
