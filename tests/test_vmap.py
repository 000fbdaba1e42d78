"""vmap: batches in and out, errors, randomness, in-place changes and gradients through it."""

import re
import warnings
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import leafgrad as torch
import leafgrad.nn.functional as F
from leafgrad.func import debug_unwrap, grad, jvp, vmap
from leafgrad.graph import batched
from leafgrad.graph.vmap import Vmap

Pair = namedtuple("Pair", "a b")
RNG = np.random.default_rng(3)


def numbers(*shape: int, requires_grad: bool = False) -> Any:
    return torch.tensor(RNG.standard_normal(shape), requires_grad=requires_grad)


def looped(f: Any, *batches: Any, **kwargs: Any) -> Any:
    return torch.stack([f(*rows, **kwargs) for rows in zip(*batches, strict=True)])


def same(found: Any, want: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(found.detach().numpy(), want.detach().numpy(), rtol, atol=1e-12)


# ---- what goes in and comes out


def test_torch_has_it() -> None:
    assert torch.vmap is torch.func.vmap is vmap


def test_a_batch() -> None:
    x, y = numbers(3, 2, 4), numbers(3, 4)
    same(vmap(torch.mv)(x, y), looped(torch.mv, x, y))
    shapes = []
    vmap(lambda x: (shapes.append((x.shape, x.ndim, len(x), x.numel())), x)[1])(x)
    assert shapes == [((2, 4), 2, 2, 8)]


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_in_dims(dim: int) -> None:
    x, y = numbers(3, 3, 3), numbers(3)
    want = torch.stack([row @ y for row in x.unbind(dim)])
    same(vmap(lambda x: x @ y, in_dims=dim)(x), want)
    same(vmap(torch.matmul, in_dims=(dim, None))(x, y), want)


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2])
def test_out_dims(dim: int) -> None:
    x = numbers(3, 2, 4)
    same(vmap(torch.exp, out_dims=dim)(x), x.exp().movedim(0, dim))
    a, b = vmap(lambda x: (x, x + 1), out_dims=(dim, 0))(x)
    same(a, x.movedim(0, dim))
    same(b, x + 1)


def test_nested_containers() -> None:
    x, y = numbers(3, 2), numbers(2, 3)

    def f(d: Any, pair: Any, k: int, *, times: float) -> Any:
        return {"sum": [d["x"] + pair.a, pair.b], "k": d["n"] * times}, Pair(d["x"], d["x"] * k)

    out = vmap(f, in_dims=({"x": 0, "n": None}, Pair(-1, None), None))(
        {"x": x, "n": y}, Pair(y, 3.0 * y), 2, times=5.0
    )
    assert isinstance(out, tuple) and list(out[0]) == ["sum", "k"] and type(out[1]) is Pair
    same(out[0]["sum"][0], x + y.t())
    same(out[0]["sum"][1], (3 * y).expand(3, 2, 3))
    same(out[0]["k"], (y * 5).expand(3, 2, 3))
    same(out[1].b, x * 2)
    dims = vmap(f, in_dims=({"x": 0, "n": None}, (-1, None), None),
                out_dims=({"sum": 1, "k": -1}, 1))  # fmt: skip
    with pytest.raises(ValueError, match="in_dims is not compatible with the structure"):
        dims({"x": x, "n": y}, Pair(y, y), 2, times=1.0)
    out = vmap(f, in_dims=({"x": 0, "n": None}, Pair(-1, None), None),
               out_dims=({"sum": 1, "k": -1}, 1))(
        {"x": x, "n": y}, Pair(y, y), 2, times=1.0)  # fmt: skip
    assert out[0]["sum"][1].shape == (2, 3, 3) and out[0]["k"].shape == (2, 3, 3)
    same(out[1].a, x.t())


def test_tensors_that_are_not_batched() -> None:
    """What is the same for all examples comes out expanded, or as it is with out_dims=None."""
    y = numbers(3)
    out = vmap(lambda x: y)(numbers(5, 2))
    assert out.shape == (5, 3) and out.stride() == (0, 1)
    assert vmap(lambda x: y, out_dims=None)(numbers(5)) is y
    assert vmap(lambda x: 3, out_dims=None)(numbers(5)) == 3
    a, n = vmap(lambda x: (x, [4]), out_dims=(0, [None]))(numbers(5))
    assert a.shape == (5,) and n == [4]


def test_the_same_tensor_twice() -> None:
    """Returned twice, a tensor shares its memory, as it does without vmap."""
    a, b = vmap(lambda x: (x, x), out_dims=(0, 1))(numbers(3, 2))
    a.mul_(2)
    same(b, a.t())


def test_views_stay_views() -> None:
    x = torch.tensor([[0.0, 1, 2], [3, 4, 5]])
    part = vmap(lambda x: x[1:])(x)
    part.zero_()
    assert x.tolist() == [[0, 0, 0], [3, 0, 0]]
    assert part._base is x


def test_examples_of_none() -> None:
    assert vmap(lambda x: x.sum(0) + 1)(torch.zeros(0, 3, 2)).shape == (0, 2)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_chunks(size: int) -> None:
    x, y = numbers(5, 3), numbers(3, 5)
    seen = []

    def f(x: Any, y: Any) -> Any:
        seen.append(len(debug_unwrap(x)))
        return x * y, x.sum()

    a, b = vmap(f, in_dims=(0, 1), out_dims=(1, 0), chunk_size=size)(x, y)
    same(a, x.t() * y)
    same(b, x.sum(1))
    assert seen == [min(size, 5 - start) for start in range(0, 5, size)]
    with pytest.raises(ValueError, match=re.escape("vmap: chunk_size should be None or greater "
                                                   "than 0. (got 0)")):  # fmt: skip
        vmap(f, chunk_size=0)


def test_levels_nest() -> None:
    x, y = numbers(2, 4), numbers(3, 4)
    table = vmap(lambda a: vmap(lambda b: (a * b).sum())(y))(x)
    same(table, x @ y.t())
    cube = vmap(vmap(lambda a, b: torch.outer(a, b), (0, None)), (None, 0))(x, y)
    same(cube, torch.einsum("ia,jb->jiab", x, y))
    same(vmap(vmap(torch.sum, out_dims=0), in_dims=2)(numbers(2, 3, 4) * 0 + 1),
         torch.full((4, 2), 3.0, dtype=torch.float64))  # fmt: skip
    same(vmap(vmap(vmap(lambda x: x * 2, 0, 0), 1, 1), -1, 2)(x.reshape(2, 2, 2)),
         2 * x.reshape(2, 2, 2))  # fmt: skip


def test_modules_and_losses() -> None:
    """Layers see examples without a batch dimension."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 2), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(0),
        torch.nn.Linear(12, 5),
    ).double()  # fmt: skip
    x, target = numbers(4, 2, 5, 5), torch.tensor([0, 4, 2, 1])

    def loss(x: Any, t: Any) -> Any:
        return F.cross_entropy(model(x), t)

    same(vmap(loss)(x, target), looped(loss, x, target))


def test_shown() -> None:
    texts = []
    x = torch.arange(4.0).reshape(2, 2)
    vmap(lambda x: (texts.append(repr(x)), x)[1])(x)
    vmap(vmap(lambda x: (texts.append(repr(x)), x)[1]), in_dims=1)(x)
    assert texts[0] == (
        "BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[0., 1.],\n            [2., 3.]])\n)"
    )
    assert texts[1] == (
        "BatchedTensor(lvl=2, bdim=0, value=\n    BatchedTensor(lvl=1, bdim=0, value=\n"
        "        tensor([[0., 2.],\n                [1., 3.]])\n    )\n)"
    )


def test_unwrapping() -> None:
    x = numbers(2, 3)
    seen: list[Any] = []
    vmap(vmap(lambda x: (seen.append((debug_unwrap(x), debug_unwrap(x, recurse=False))), x)[1]))(x)
    ((whole, outer),) = seen
    assert whole is not x and outer.shape == (3,)
    same(whole, x)
    assert debug_unwrap(x) is x


# ---- errors


def f(x: Any, *more: Any) -> Any:
    return x


def g(x: Any, *more: Any) -> Any:
    return x


X = torch.arange(6.0).reshape(2, 3)
CALLS: dict[str, tuple[Any, str]] = {
    "no inputs": (lambda: vmap(f)(), (
        "vmap(f)(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to "
        "vmap over a function with no inputs. The latter is unsupported.")),
    "in_dims of another kind": (lambda: vmap(f, in_dims="a")(X), (
        "vmap(f, in_dims=a, ...)(<inputs>): expected `in_dims` to be int or a (potentially nested) "
        "tuple matching the structure of inputs, got: <class 'str'>.")),
    "in_dims of another structure": (lambda: vmap(f, in_dims=(0,))(X, X), (
        "vmap(f, in_dims=(0,), ...)(<inputs>): in_dims is not compatible with the structure of "
        "`inputs`. in_dims has structure TreeSpec(tuple, None, [*]) but inputs has structure "
        "TreeSpec(tuple, None, [*,\n  *]).")),
    "a float in in_dims": (lambda: vmap(f, in_dims=(0.5,))(X), (
        "vmap(f, in_dims=(0.5,), ...)(<inputs>): Got in_dim=0.5 for an input but in_dim must be "
        "either an integer dimension or None.")),
    "an input that is no tensor": (lambda: vmap(f)(X, 3), (
        "vmap(f, in_dims=0, ...)(<inputs>): Got in_dim=0 for an input but the input is of type "
        "<class 'int'>. We cannot vmap over non-Tensor arguments, please use None as the "
        "respective in_dim")),
    "a dimension too many": (lambda: vmap(f, in_dims=2)(X), (
        "vmap(f, in_dims=2, ...)(<inputs>): Got in_dim=2 for some input, but that input is a "
        "Tensor of dimensionality 2 so expected in_dim to satisfy -2 <= in_dim < 2.")),
    "a number": (lambda: vmap(f)(torch.tensor(1.0)), (
        "vmap(f, in_dims=0, ...)(<inputs>): Got in_dim=0 for some input, but that input is a "
        "Tensor of dimensionality 0 so expected in_dim to satisfy -0 <= in_dim < 0.")),
    "sizes": (lambda: vmap(f)(X, X.t()), (
        "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
        "[2, 3] for the mapped dimension")),
    "nothing to map": (lambda: vmap(f, in_dims=None)(X), (
        "vmap(f, in_dims=None, ...)(<inputs>): expected `in_dims` to be int or a (potentially "
        "nested) tuple matching the structure of inputs, got: <class 'NoneType'>.")),
    "nothing mapped": (lambda: vmap(f, in_dims=(None,))(X), (
        "vmap: Expected at least one Tensor to vmap over")),
    "out_dims of another kind": (lambda: vmap(f, out_dims="a")(X), (
        "vmap(f, ..., out_dims=a): `out_dims` must be an int, None or a python collection of ints "
        "representing where in the outputs the vmapped dimension should appear.")),
    "out_dims of another structure": (lambda: vmap(lambda x: (x, x), out_dims=(0,))(X), (
        "vmap(<lambda>, ..., out_dims=(0,))(<inputs>): out_dims is not compatible with the "
        "structure of `outputs`. out_dims has structure TreeSpec(tuple, None, [*]) but outputs has "
        "structure TreeSpec(tuple, None, [*,\n  *]).")),
    "a number returned": (lambda: vmap(lambda x: 3)(X), (
        "vmap(<lambda>, ...): `<lambda>` must only return Tensors, got type <class 'int'>. Did you "
        "mean to set out_dims= to None for output?")),
    "a batch for out_dims=None": (lambda: vmap(f, out_dims=None)(X), (
        "vmap(f, ...): `f` can not return a BatchedTensor when out_dim is None")),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_wrong_calls(name: str) -> None:
    call, sentence = CALLS[name]
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value).split("\n  here:")[0] == sentence


def test_wrong_out_dim() -> None:
    with pytest.raises(IndexError, match=r"Dimension out of range \(expected to be in range of"):
        vmap(f, out_dims=2)(X)


ITEM = "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over"
BRANCH = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow."
)
SHAPE = (
    "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap "
)
REFUSED: dict[str, tuple[Any, str]] = {
    "item": (lambda x: x.sum().item(), ITEM),
    "float": (lambda x: float(x[0]), ITEM),
    "int": (lambda x: int(x[0]), ITEM),
    "if": (lambda x: x if x.sum() > 0 else -x, BRANCH),
    "all": (lambda x: bool((x > 0).all()), BRANCH),
    "a mask": (lambda x: x[x > 1], (
        "vmap: We do not support batching operators that can support dynamic shape. Attempting to "
        "batch over indexing with a boolean mask.")),
    "masked_select": (lambda x: x.masked_select(x > 1), (
        "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask)")),
    "nonzero": (lambda x: x.nonzero(), SHAPE + "over aten::nonzero."),
    "unique": (lambda x: x.unique(), SHAPE + "over aten::_unique2."),
    "equal": (lambda x: torch.equal(x, x), "Batching rule not implemented for aten::equal."),
    "allclose": (lambda x: torch.allclose(x, x), "vmap over torch.allclose isn't supported yet."),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_example_has_not(name: str) -> None:
    function, sentence = REFUSED[name]
    with pytest.raises(RuntimeError) as caught:
        vmap(function)(X)
    assert str(caught.value).startswith(sentence)


# ---- operators without a rule


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched, "told", set())


def test_the_loop_where_there_is_no_rule(fresh: None) -> None:
    x = numbers(3, 8)
    with pytest.warns(UserWarning, match="the batching rule for aten::histc") as seen:
        found = vmap(lambda x: torch.histc(x, 4) * x[:4])(x)
    assert len(seen) == 1 and seen[0].filename == __file__
    same(found, looped(lambda x: torch.histc(x, 4) * x[:4], x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vmap(vmap(lambda x: torch.histc(x, 4)))(x.reshape(3, 2, 4))


def test_the_whole_function_where_an_operator_is_a_program(fresh: None) -> None:
    """What asks for numbers in the middle of its work runs for one example after the other."""
    x = torch.tensor([[1.0, 0, 2], [0, 3, 4]], requires_grad=True)
    with pytest.warns(UserWarning, match="batching rule for aten::argwhere"):
        places, squares = vmap(lambda x: (torch.argwhere(x)[:, 0], x * x))(x)
    assert places.tolist() == [[0, 2], [1, 2]]
    squares.sum().backward()
    same(x.grad, 2 * x)


# ---- random numbers


def test_randomness_is_an_error() -> None:
    sentence = re.escape(
        "vmap: called random operation while in randomness error mode. Please either use the "
        "'same' or 'different' randomness flags on vmap or perform the randomness operation out of "
        "vmap"
    )
    x = torch.ones(2, 3)
    for function in (
        lambda x: torch.rand(3), torch.randn_like, torch.bernoulli, lambda x: x.normal_(),
        lambda x: F.dropout(x), lambda x: torch.randperm(4), lambda x: torch.multinomial(x, 1),
        lambda x: torch.normal(x, 1.0), lambda x: torch.randint(3, (2,)),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=sentence):
            vmap(function)(x)
    same(vmap(lambda x: F.dropout(x, training=False))(x), x)
    with pytest.raises(
        RuntimeError,
        match=re.escape(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got foo"
        ),
    ):
        vmap(torch.rand_like, randomness="foo")(x)


DRAWS: dict[str, Any] = {
    "rand": lambda x: torch.rand(4) + 0 * x[0],
    "randn_like": lambda x: torch.randn_like(x),
    "normal_": lambda x: x.clone().normal_(),
    "dropout": lambda x: F.dropout(torch.ones_like(x), 0.5),
    "randint": lambda x: torch.randint(1000, (5,)) + 0 * x[0],
    "randperm": lambda x: torch.randperm(9) + 0 * x[0],
    "feature_dropout": lambda x: F.dropout1d(torch.ones_like(x).reshape(1, 4, 1), 0.5),
}


@pytest.mark.parametrize("name", DRAWS)
def test_same_and_different(name: str) -> None:
    x = torch.zeros(6, 4)
    torch.manual_seed(7)
    found = vmap(DRAWS[name], randomness="same")(x)
    same(found, found[:1].expand_as(found))
    torch.manual_seed(7)
    same(found[0], DRAWS[name](x[0]))
    torch.manual_seed(7)
    found = vmap(DRAWS[name], randomness="different")(x)
    assert not any(bool((found[0] == row).all()) for row in found[1:])


def test_different_numbers_are_those_of_one_large_draw() -> None:
    torch.manual_seed(1)
    found = vmap(lambda x: torch.rand(3) + x, randomness="different")(torch.zeros(2))
    torch.manual_seed(1)
    same(found, torch.rand(2, 3))


def test_nested_randomness() -> None:
    """Each level decides for itself."""
    x = torch.zeros(3, 4)
    found = vmap(vmap(torch.rand_like, randomness="same"), randomness="different")(x)
    same(found, found[:, :1].expand(3, 4))
    assert len(found[:, 0].unique()) == 3
    found = vmap(vmap(torch.rand_like, randomness="different"), randomness="same")(x)
    same(found, found[:1].expand(3, 4))
    assert len(found[0].unique()) == 4


def test_random_refusals() -> None:
    x = torch.rand(2, 3)
    with pytest.raises(RuntimeError, match="Vmap does not currently support same randomness with"):
        vmap(torch.bernoulli, randomness="same")(x)
    with pytest.raises(RuntimeError, match="Cannot ask for different inplace randomness on an unb"):
        vmap(lambda x: torch.zeros(3).normal_() + x, randomness="different")(x)
    y = vmap(lambda x: torch.zeros(3).normal_() + 0 * x, randomness="same")(x)
    same(y[0], y[1])


def test_chunks_and_randomness() -> None:
    x = torch.zeros(4, 3)
    found = vmap(torch.rand_like, randomness="same", chunk_size=2)(x)
    same(found, found[:1].expand(4, 3))
    found = vmap(torch.rand_like, randomness="different", chunk_size=2)(x)
    assert len(found.unique()) == 12


# ---- in place


def test_changes_of_a_batched_input_reach_it() -> None:
    x = torch.ones(2, 3)
    found = vmap(lambda x: x.add_(1))(x)
    assert x.tolist() == [[2, 2, 2], [2, 2, 2]] and x._version == 1
    assert found.data_ptr() == x.data_ptr()
    vmap(lambda x: x[0].mul_(x[1]))(x)
    assert x[:, 0].tolist() == [4, 4]


INPLACE: dict[str, tuple[Any, str]] = {
    "add_": (lambda x, y: y.add_(x), (
        "output with shape [3] doesn't match the broadcast shape [2, 3]")),
    "mul_": (lambda x, y: y.mul_(x), "vmap: inplace arithmetic(self, *extra_args) is not possible"),
    "copy_": (lambda x, y: y.copy_(x), "vmap: inplace arithmetic(self, *extra_args) is not possi"),
    "an element": (lambda x, y: y.__setitem__(0, x[0]), "vmap: inplace arithmetic(self, *extra_a"),
}  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_a_batch_into_one_tensor(name: str) -> None:
    function, sentence = INPLACE[name]
    y = torch.ones(3)
    with pytest.raises(RuntimeError) as caught:
        vmap(function, in_dims=(0, None))(X, y)
    assert str(caught.value).startswith(sentence)
    assert "write to a tensor made inside of it, as by x.new_zeros(...)" in str(caught.value)
    assert y.tolist() == [1, 1, 1]


def test_tensors_made_of_a_batched_one_are_batched() -> None:
    def f(x: Any) -> Any:
        y, z = x.new_zeros(2, 3), torch.zeros_like(x)
        y[1] = x
        z[0] = x[2]
        return y, z

    y, z = vmap(f)(X)
    assert y.tolist() == [[[0, 0, 0], [0, 1, 2]], [[0, 0, 0], [3, 4, 5]]]
    assert z.tolist() == [[2, 0, 0], [5, 0, 0]]


def set_elements(x: Any) -> Any:
    y = x * 2
    y[0] = 5
    return y


def multiply_a_view(x: Any) -> Any:
    y = x.clone()
    y[0] += x[1]
    y[1:].mul_(3)
    return y * y


def overlapping(x: Any) -> Any:
    y = x * 1
    y[:2].copy_(x[1:])
    return y.exp()


def into_new(x: Any) -> Any:
    y = x.new_zeros(2, 3)
    y[1] = x
    return y.sin() + y


def by_index(x: Any) -> Any:
    y = torch.zeros_like(x)
    y[torch.tensor([0, 2])] = x[:2]
    return y.index_add_(0, torch.tensor([0, 0, 1]), x * x)


def the_input(x: Any) -> Any:
    return x.mul_(2)


CHANGES = [set_elements, multiply_a_view, overlapping, into_new, by_index, the_input]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dim", [0, 1])
def test_gradients_of_changes_in_place(change: Any, dim: int) -> None:
    """As those of the loop: gradients outside, inside, and forward mode on either side."""
    x, weight = numbers(3, 3, requires_grad=True), numbers(3, *change(torch.zeros(3)).shape)
    y = x * 1
    (vmap(change, dim)(y) * weight).sum().backward()
    z = x.detach().requires_grad_()
    (torch.stack([change(row * 1) for row in z.unbind(dim)]) * weight).sum().backward()
    same(x.grad, z.grad)
    w = weight[0]
    each = vmap(grad(lambda x: (change(x * 1) * w).sum()))(x.detach())
    same(each, looped(grad(lambda x: (change(x * 1) * w).sum()), x.detach()))
    data, t = x.detach(), numbers(3, 3)
    whole = jvp(lambda x: vmap(change)(x * 1), (data,), (t,))
    inner = vmap(lambda x, t: jvp(lambda x: change(x * 1), (x,), (t,)))(data, t)
    for n in range(2):
        same(whole[n], inner[n])
        same(whole[n][1], jvp(lambda x: change(x * 1), (data[1],), (t[1],))[n])


def test_changes_after_a_vmap() -> None:
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    y = vmap(lambda x: x * 3)(x)
    y.mul_(2)
    y[0].zero_()
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0, 0], [6, 6, 6]]


def test_changes_of_a_view_that_came_out() -> None:
    """A view that leaves a vmap is one of what went in: the base hears of changes."""
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    y = x * 1
    vmap(lambda x: x[1:])(y).mul_(2)
    assert y.tolist() == [[0, 2, 4], [3, 8, 10]]
    (g,) = torch.autograd.grad(y.sum(), x)
    assert g.tolist() == [[1, 2, 2], [1, 2, 2]]


def test_saved_values_are_guarded() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    y = vmap(torch.exp)(x)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
        y.sum().backward()


# ---- gradients


def test_gradients_through() -> None:
    x, w = numbers(4, 3, requires_grad=True), numbers(3, 2, requires_grad=True)
    y = vmap(lambda x: torch.tanh(x @ w).sum() * x)(x)
    assert y.requires_grad and not y.is_leaf
    y.pow(2).sum().backward()
    found = x.grad, w.grad
    x.grad = w.grad = None
    looped(lambda x: torch.tanh(x @ w).sum() * x, x).pow(2).sum().backward()
    same(found[0], x.grad)
    same(found[1], w.grad)


@pytest.mark.parametrize("in_dims, out_dims", [(0, 1), (1, 0), (-1, -1), (2, 1)])
def test_gradients_through_dimensions(in_dims: int, out_dims: int) -> None:
    x = numbers(3, 3, 3, requires_grad=True)
    w = numbers(3, 3, 3)

    def total(f: Any) -> Any:
        (g,) = torch.autograd.grad((f(x) * w).sum(), x, create_graph=True)
        (h,) = torch.autograd.grad((g * w).sum(), x)
        return g, h

    found = total(vmap(lambda x: x.exp().cumsum(0) * x, in_dims, out_dims))
    want = total(lambda x: torch.stack(
        [r.exp().cumsum(0) * r for r in x.unbind(in_dims)], out_dims))  # fmt: skip
    same(found[0], want[0])
    same(found[1], want[1])


def test_one_for_all_examples_counts_for_each() -> None:
    """The gradient of what is not batched is the sum, also where it is the same for all."""
    w = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    x = numbers(5, 2)
    same(torch.autograd.grad(vmap(lambda x: (w * x).sum())(x).sum(), w)[0], x.sum(0))
    same(torch.autograd.grad(vmap(lambda x: w.sum() + x.sum())(x).sum(), w)[0],
         torch.full((2,), 5.0, dtype=torch.float64))  # fmt: skip
    same(torch.autograd.grad(vmap(lambda x: w * w)(x).sum(), w)[0], 10 * w)
    nested = vmap(lambda x: vmap(lambda y: (w * y).sum())(x.expand(3, 2)))(x)
    same(torch.autograd.grad(nested.sum(), w)[0], 3 * x.sum(0))
    inside = vmap(lambda x: torch.cat([w, x]) * torch.stack([w.sum(), x.sum()]).sum())(x)
    loop = looped(lambda x: torch.cat([w, x]) * torch.stack([w.sum(), x.sum()]).sum(), x)
    same(*(torch.autograd.grad(y.pow(2).sum(), w)[0] for y in (inside, loop)))


def test_higher_derivatives_of_what_is_lifted() -> None:
    w = numbers(3, requires_grad=True)
    x = numbers(4, 3)

    def second(f: Any) -> Any:
        (g,) = torch.autograd.grad(f().sum(), w, create_graph=True)
        return torch.autograd.grad((g * g).sum(), w)[0]

    same(second(lambda: vmap(lambda x: (w * x).exp().sum())(x)),
         second(lambda: looped(lambda x: (w * x).exp().sum(), x)))  # fmt: skip


def test_batches_of_gradients() -> None:
    x, w = numbers(3, requires_grad=True), numbers(2, 3, requires_grad=True)
    y = torch.tanh(w @ x) * x[:2].exp()
    basis = torch.eye(2, dtype=torch.float64)
    gx, gw = torch.autograd.grad(y, (x, w), basis, is_grads_batched=True, retain_graph=True)
    assert gx.shape == (2, 3) and gw.shape == (2, 2, 3)
    for row, ax, aw in zip(basis, gx, gw, strict=True):
        bx, bw = torch.autograd.grad(y, (x, w), row, retain_graph=True)
        same(ax, bx)
        same(aw, bw)


def test_batches_of_gradients_through_views_and_changes() -> None:
    x = numbers(2, 3, requires_grad=True)
    y = (x * 1).t()
    y[0] *= 2
    y[1:].copy_(x.exp().t()[:2])
    z = torch.cat([y, y.sum(1, keepdim=True).expand(3, 1)], 1)
    basis = numbers(4, 3, 3)
    (found,) = torch.autograd.grad(z, x, basis, is_grads_batched=True, retain_graph=True)
    for row, g in zip(basis, found, strict=True):
        same(g, torch.autograd.grad(z, x, row, retain_graph=True)[0])


def test_a_graph_of_ones_own_inside() -> None:
    """A backward pass inside of a vmap is one for each example."""
    x = numbers(3, 4)

    def slope(x: Any) -> Any:
        z = torch.ones(4, dtype=torch.float64, requires_grad=True)
        (g,) = torch.autograd.grad((x * z**3).sum(), z)
        return g

    same(vmap(slope)(x), 3 * x)


def test_inference_and_no_grad() -> None:
    w = numbers(3, requires_grad=True)
    with torch.no_grad():
        assert not vmap(lambda x: x * w)(numbers(2, 3)).requires_grad
    with torch.inference_mode():
        assert vmap(lambda x: x * w)(numbers(2, 3)).is_inference()


def test_a_level_ends_with_its_call() -> None:
    """Also where the function raises an error."""
    with pytest.raises(ZeroDivisionError):
        vmap(lambda x: 1 / 0)(X)
    from leafgrad.graph.modes import current

    assert current().transforms is None
    with Vmap(2) as level:
        inside = level.into(X)
    assert level.out_of(inside + 1).tolist() == (X + 1).tolist()
