"""torch.func: derivatives as functions of functions, nested in every order; modules; Functions."""

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafgrad as torch
import leafgrad.nn.functional as F
from doc_pages import blocks, run
from leafgrad.autograd import forward_ad
from leafgrad.func import (
    debug_unwrap,
    functional_call,
    functionalize,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    vjp,
    vmap,
)

RNG = np.random.default_rng(11)


def numbers(*shape: int, requires_grad: bool = False) -> Any:
    return torch.tensor(RNG.standard_normal(shape), requires_grad=requires_grad)


def same(found: Any, want: Any, rtol: float = 1e-10) -> None:
    if isinstance(found, (tuple, list)):
        assert len(found) == len(want)
        for a, b in zip(found, want, strict=True):
            same(a, b, rtol)
        return
    np.testing.assert_allclose(found.detach().numpy(), want.detach().numpy(), rtol, atol=1e-10)


def refused(sentence: str, kind: Any = RuntimeError) -> Any:
    return pytest.raises(kind, match="^" + re.escape(sentence))


# ---- grad


def test_grad() -> None:
    x = torch.arange(3.0)
    found = grad(lambda x: (x**2).sum())(x)
    assert found.tolist() == [0, 2, 4]
    assert not found.requires_grad and found.grad_fn is None and not x.requires_grad
    assert grad(grad(grad(lambda x: x**3)))(torch.tensor(2.0)).item() == 6
    assert grad(lambda x: torch.tensor(1.0))(x).tolist() == [0, 0, 0]


def test_the_function_sees_its_inputs() -> None:
    x = torch.arange(3.0, requires_grad=True)
    seen = []

    def f(y: Any) -> Any:
        seen.append((y is x, y.requires_grad, y.shape))
        return y.sum()

    grad(f)(x)
    assert seen == [(False, True, (3,))]


def test_arguments() -> None:
    x, y, z = numbers(3), numbers(3), numbers(3)

    def f(x: Any, y: Any, *, z: Any) -> Any:
        return (x * y**2 * z).sum()

    same(grad(f)(x, y, z=z), y**2 * z)
    same(grad(f, argnums=1)(x, y, z=z), 2 * x * y * z)
    same(grad(f, argnums=-1)(x, y, z=z), 2 * x * y * z)
    found = grad(f, argnums=(1, 0))(x, y, z=z)
    assert isinstance(found, tuple)
    same(found, (2 * x * y * z, y**2 * z))
    found = grad(lambda d, k: (d["a"] * d["b"][0] * k).sum())({"a": x, "b": [y]}, 3)
    same(found["a"], 3 * y)
    same(found["b"][0], 3 * x)


def test_values_and_more() -> None:
    x = numbers(3)
    g, value = grad_and_value(lambda x: x.sin().sum())(x)
    same((g, value), (x.cos(), x.sin().sum()))
    assert not value.requires_grad

    def f(x: Any) -> Any:
        y = x.exp()
        return y.sum(), {"y": y}

    g, aux = grad(f, has_aux=True)(x)
    same((g, aux["y"]), (x.exp(), x.exp()))
    assert not aux["y"].requires_grad
    g, (value, aux) = grad_and_value(f, has_aux=True)(x)
    same((g, value, aux["y"]), (x.exp(), x.exp().sum(), x.exp()))
    with refused("Expected tensors, got unsupported type <class 'str'>"):
        grad(lambda x: (x.sum(), "words"), has_aux=True)(x)


WRONG: dict[str, tuple[Any, str]] = {
    "a vector": (lambda x: grad(lambda x: x * 2)(x), (
        "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with 1 "
        "dims. Maybe you wanted to use the vjp or jacrev APIs instead?")),
    "no tensor": (lambda x: grad(lambda x: 1.0)(x), (
        "grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got <class 'float'>")),
    "argnums beyond": (lambda x: grad(torch.sum, argnums=3)(x), (
        "Got argnum=3, but only 1 positional inputs")),
    "argnums twice": (lambda x: grad(torch.sum, argnums=(0, -1))(x), (
        "argnums elements must be unique, got ")),
    "no argnums": (lambda x: grad(torch.sum, argnums=())(x), "argnums must be non-empty"),
    "argnums of a kind": (lambda x: grad(torch.sum, argnums=1.5)(x), (
        "argnums must be int or Tuple[int, ...], got: <class 'float'>")),
    "backward": (lambda x: grad(lambda x: (x.sum().backward(), x.sum())[1])(x), (
        "backward() called inside a functorch transform. This is not supported, please use "
        "functorch.grad or functorch.vjp instead or call backward() outside of functorch")),
    "requires_grad_": (lambda x: grad(lambda x: x.sum() * torch.ones(()).requires_grad_())(x), (
        "You are attempting to call Tensor.requires_grad_() (or perhaps using "
        "torch.autograd.functional.* APIs) inside of a function being transformed")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_of_grad(name: str) -> None:
    call, sentence = WRONG[name]
    with pytest.raises(RuntimeError) as caught:
        call(torch.ones(2))
    assert str(caught.value).startswith(sentence)


# ---- nesting


def test_no_confusion_of_perturbations() -> None:
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    assert grad(lambda x: x * grad(lambda y: x + y)(one))(two).item() == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(one))(two).item() == 4
    ones = (one,)
    assert jvp(lambda x: x * jvp(lambda y: x + y, ones, ones)[1], (two,), ones)[1].item() == 1
    assert jvp(lambda x: x * jvp(lambda y: x * y, ones, ones)[1], (two,), ones)[1].item() == 4
    assert grad(lambda x: x * jvp(lambda y: x * y, ones, (x,))[1])(two).item() == 12
    assert jvp(lambda x: x * grad(lambda y: x * y * y)(x), (two,), ones)[1].item() == 24


def test_what_requires_grad() -> None:
    """A result is recorded where something outside may ask for its derivative, and only there."""
    x, w = torch.ones(3), torch.ones(3, requires_grad=True)
    assert not grad(lambda x: (x * x).sum())(x).requires_grad
    found = grad(lambda x: (x * x * w).sum())(x)
    assert found.requires_grad
    found.sum().backward()
    assert w.grad.tolist() == [2, 2, 2]
    found = grad(lambda x: (x**3).sum())(w)
    assert found.requires_grad
    same(torch.autograd.grad(found.sum(), w)[0], torch.full((3,), 6.0))
    with torch.no_grad():
        assert not grad(lambda x: (x * x * w).sum())(x).requires_grad
        assert grad(lambda x: (x * x).sum())(x).tolist() == [2, 2, 2]
        assert vjp(lambda x: x * x, x)[1](x)[0].tolist() == [2, 2, 2]
    value = grad_and_value(lambda x: (x * w).sum())(x)[1]
    assert value.requires_grad


def test_no_grad_inside() -> None:
    """What a function does without gradients has none, as far as it is concerned."""
    x = torch.tensor(3.0)

    def f(x: Any) -> Any:
        with torch.no_grad():
            shift = x**2
        return x**2 - shift

    assert grad(f)(x).item() == 6
    assert grad(lambda x: x.detach() * x)(x).item() == 3


def both(w: Any, x: Any) -> Any:
    return ((w * x).sin() * w.exp()).sum() * (w @ x)


def several(w: Any, x: Any) -> Any:
    return torch.outer(w, x).tanh().sum(0) * w.flip(0)


W0, X0, V0 = numbers(3), numbers(4, 3), numbers(3)


def by_rows(f: Any) -> Any:
    return torch.stack([f(row) for row in X0])


def differences(f: Any, x: Any, h: float = 1e-5) -> Any:
    """The Jacobian of f by central differences."""
    columns = []
    for n in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[n] = h
        step = step.reshape(x.shape)
        columns.append((f(x + step) - f(x - step)) / (2 * h))
    return torch.stack(columns, -1)


@pytest.mark.parametrize("f", [both, several])
def test_jacobians(f: Any) -> None:
    x = X0[0]
    want = differences(lambda w: f(w, x), W0)
    for how in (jacrev, jacfwd):
        same(how(f)(W0, x), want, 1e-6)
        found = how(f, argnums=(1, 0))(W0, x)
        same(found[1], want, 1e-6)
        same(found[0], differences(lambda x: f(W0, x), x), 1e-6)
    for size in (1, 2):
        same(jacrev(f, chunk_size=size)(W0, x), want, 1e-6)


@pytest.mark.parametrize("f", [both, several])
def test_hessians_in_all_orders(f: Any) -> None:
    x = X0[0]
    want = differences(lambda w: jacrev(f)(w, x), W0)
    for outer, inner in itertools.product((jacrev, jacfwd), repeat=2):
        same(outer(inner(f))(W0, x), want, 1e-6)
    same(hessian(f)(W0, x), want, 1e-6)
    mixed = hessian(f, argnums=(0, 1))(W0, x)
    same(mixed[0][0], want, 1e-6)
    same(mixed[0][1], differences(lambda x: jacrev(f)(W0, x), x), 1e-6)


def test_third_derivatives() -> None:
    x = X0[0]
    want = differences(lambda w: hessian(both)(w, x), W0)
    for how in itertools.product((jacrev, jacfwd), repeat=3):
        found = both
        for each in how:
            found = each(found)
        same(found(W0, x), want, 1e-6)


def test_structures_of_jacobians() -> None:
    x, y = numbers(2), numbers(3)

    def f(d: Any) -> Any:
        return {"sum": d["x"].sum() * d["y"], "list": [d["x"] * 2]}

    for how in (jacrev, jacfwd):
        found = how(f)({"x": x, "y": y})
        assert list(found) == ["sum", "list"] and list(found["sum"]) == ["x", "y"]
        same(found["sum"]["x"], y[:, None].expand(3, 2))
        same(found["sum"]["y"], x.sum() * torch.eye(3, dtype=torch.float64))
        same(found["list"][0]["y"], torch.zeros(2, 3, dtype=torch.float64))
        found, aux = how(lambda x: (x**2, (x.sum(),)), has_aux=True)(x)
        same(found, torch.diag(2 * x))
        same(aux[0], x.sum())


COMPOSED: dict[str, tuple[Any, Any]] = {
    "per-sample gradients": (
        lambda f: vmap(grad(f), (None, 0))(W0, X0), lambda f: by_rows(lambda x: grad(f)(W0, x))),
    "per-sample Hessians": (
        lambda f: vmap(hessian(f), (None, 0))(W0, X0),
        lambda f: by_rows(lambda x: hessian(f)(W0, x))),
    "per-sample jacfwd of jacfwd": (
        lambda f: vmap(jacfwd(jacfwd(f)), (None, 0))(W0, X0),
        lambda f: by_rows(lambda x: hessian(f)(W0, x))),
    "a gradient of per-sample gradients": (
        lambda f: grad(lambda w: vmap(grad(f), (None, 0))(w, X0).pow(2).sum())(W0),
        lambda f: grad(lambda w: by_rows(lambda x: grad(f)(w, x)).pow(2).sum())(W0)),
    "jacfwd of per-sample gradients": (
        lambda f: jacfwd(lambda w: vmap(grad(f), (None, 0))(w, X0))(W0),
        lambda f: by_rows(lambda x: hessian(f)(W0, x))),
    "jvp of per-sample gradients": (
        lambda f: jvp(lambda w: vmap(grad(f), (None, 0))(w, X0), (W0,), (V0,)),
        lambda f: (by_rows(lambda x: grad(f)(W0, x)),
                   by_rows(lambda x: hessian(f)(W0, x) @ V0))),
    "per-sample Hessian products": (
        lambda f: vmap(lambda x: jvp(lambda w: grad(f)(w, x), (W0,), (V0,))[1])(X0),
        lambda f: by_rows(lambda x: hessian(f)(W0, x) @ V0)),
    "vmap of grad of vmap": (
        lambda f: vmap(grad(lambda w: vmap(f, (None, 0))(w, X0).sum()))(X0),
        lambda f: by_rows(lambda w: grad(lambda w: by_rows(lambda x: f(w, x)).sum())(w))),
    "two levels": (
        lambda f: vmap(vmap(grad(f), (None, 0)), (0, None))(X0, X0),
        lambda f: by_rows(lambda w: by_rows(lambda x: grad(f)(w, x)))),
    "two levels, the other way": (
        lambda f: vmap(vmap(grad(f), (0, None)), (None, 0))(X0, X0),
        lambda f: by_rows(lambda x: by_rows(lambda w: grad(f)(w, x)))),
    "the Hessian of a mean": (
        lambda f: hessian(lambda w: vmap(f, (None, 0))(w, X0).mean())(W0),
        lambda f: by_rows(lambda x: hessian(f)(W0, x)).mean(0)),
    "vjp inside": (
        lambda f: vmap(lambda x: vjp(lambda w: f(w, x), W0)[1](x.sum())[0])(X0),
        lambda f: by_rows(lambda x: grad(f)(W0, x) * x.sum())),
    "linearize inside": (
        lambda f: vmap(lambda x: linearize(lambda w: f(w, x), W0)[1](V0))(X0),
        lambda f: by_rows(lambda x: grad(f)(W0, x) @ V0)),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSED)
def test_compositions(name: str) -> None:
    found, want = COMPOSED[name]
    same(found(both), want(both))


def test_gradients_of_what_a_function_captured() -> None:
    """autograd.grad after a transform reaches parameters that the function used."""
    w = numbers(3, 3, requires_grad=True)

    def f(x: Any) -> Any:
        return (w @ x).tanh() * x

    def found(y: Any) -> Any:
        return torch.autograd.grad(y.pow(2).sum(), w)[0]

    same(found(vmap(jacrev(f))(X0)), found(by_rows(jacrev(f))))
    same(found(vmap(jacfwd(f))(X0)), found(by_rows(jacrev(f))))
    same(found(vmap(lambda x: jvp(f, (x,), (V0,))[1])(X0)),
         found(by_rows(lambda x: jacrev(f)(x) @ V0)))  # fmt: skip
    same(found(jvp(vmap(f), (X0,), (X0,))[1]), found(by_rows(lambda x: jacrev(f)(x) @ x)))


# ---- vjp, jvp, linearize


def test_vjp() -> None:
    x, y = numbers(3), numbers(3)
    out, back = vjp(lambda x, y: {"p": x * y, "s": x.sum()}, x, y)
    same(out["p"], x * y)
    assert not out["p"].requires_grad
    for _ in range(2):  # as often as wanted
        gx, gy = back({"p": x, "s": torch.tensor(2.0, dtype=torch.float64)})
        same((gx, gy), (x * y + 2, x * x))
    (value, back, aux) = vjp(lambda x: (x.exp(), x.sin()), x, has_aux=True)
    same((value, aux, back(y)[0]), (x.exp(), x.sin(), y * x.exp()))
    # Derivatives of derivatives: the pullback is linear in its argument.
    same(jacrev(lambda v: vjp(torch.exp, x)[1](v)[0])(y), torch.diag(x.exp()))
    same(vmap(vjp(torch.exp, x)[1])(torch.eye(3, dtype=torch.float64))[0], torch.diag(x.exp()))


def test_wrong_calls_of_vjp() -> None:
    x = torch.ones(2)
    with refused("Expected pytree structure of cotangents to be the same as pytree structure of "
                 "outputs to the function."):  # fmt: skip
        vjp(lambda x: (x, x), x)[1](x)
    with refused("vjp(f, *primals): Expected f to be a function that has non-empty output "
                 "(got output = [None])"):  # fmt: skip
        vjp(lambda x: None, x)
    with refused("vjp(f, *primals): expected f(*primals) to return only tensors, got unsupported "
                 "type <class 'int'>"):  # fmt: skip
        vjp(lambda x: 3, x)


def test_jvp() -> None:
    x, y, v, u = (numbers(3) for _ in range(4))
    out, tangent = jvp(lambda x, d: (x * d["y"], x.sum()), (x, {"y": y}), (v, {"y": u}))
    same(out, (x * y, x.sum()))
    same(tangent, (v * y + x * u, v.sum()))
    assert not tangent[0].requires_grad
    out, tangent, aux = jvp(lambda x: (x.exp(), x.sin()), (x,), (v,), has_aux=True)
    same((out, tangent, aux), (x.exp(), v * x.exp(), x.sin()))
    with forward_ad.dual_level():  # nothing is left of the other level
        assert forward_ad.unpack_dual(aux).tangent is None
    assert jvp(lambda x: torch.ones(2), (x,), (v,))[1].tolist() == [0, 0]


def test_wrong_calls_of_jvp() -> None:
    x = torch.ones(2)
    api = "jvp(f, primals, tangents): "
    for call, sentence in [
        (lambda: jvp(torch.sin, x, x), api + "Expected primals to be a tuple. E.g. it should be "
         "valid to call f(*primals)."),
        (lambda: jvp(torch.sin, (x,), (x, x)), api + "Expected primals and tangents to have the "
         "same python structure. For example, if primals is a tuple of 3 tensors, tangents also "
         "must be. Got primals with structure TreeSpec(tuple, None, [*]) and tangents with "
         "structure TreeSpec(tuple, None, [*,\n  *])"),
        (lambda: jvp(torch.sin, (), ()), api + "Expected primals to contain at least one Tensor."),
        (lambda: jvp(torch.sin, (3.0,), (x,)), api + "Expected primals to only contain Tensors, "
         "got <class 'float'>"),
        (lambda: jvp(lambda x: torch.ones(2), (x,), (x,), strict=True), "jvp(f, primals, tangents, "
         "strict=True): The output of f is independent of the inputs. This is not allowed with "
         "strict=True."),
    ]:  # fmt: skip
        with refused(sentence):
            call()


def test_linearize() -> None:
    x, y, v, u = (numbers(3) for _ in range(4))
    calls = []

    def f(x: Any, d: Any) -> Any:
        calls.append(1)
        return {"a": (x * d["y"]).sin(), "b": [x.sum(), torch.ones(2, dtype=torch.float64)]}

    out, push = linearize(f, x, {"y": y})
    for _ in range(2):
        found = push(v, {"y": u})
        want = jvp(f, (x, {"y": y}), (v, {"y": u}))
        same((out["a"], found["a"]), (want[0]["a"], want[1]["a"]))
        same(found["b"], [v.sum(), torch.zeros(2, dtype=torch.float64)])
    assert len(calls) == 3
    same(vmap(linearize(torch.exp, x)[1])(torch.eye(3, dtype=torch.float64)), torch.diag(x.exp()))
    same(jacrev(linearize(torch.exp, x)[1])(v), torch.diag(x.exp()))
    with refused("Expected the tangents"):
        push(v)
    with refused("tangent:0 with shape torch.Size([2]) in flattened pytree doesn't match the shape "
                 "torch.Size([3]) of the corresponding primal."):  # fmt: skip
        push(v[:2], {"y": u})


def test_complex_inputs() -> None:
    z = torch.tensor([1 + 2j, 3 - 1j])
    same(grad(lambda z: z.abs().pow(2).sum())(z), 2 * z)
    for how, name in ((jacrev, "jacrev"), (jacfwd, "jacfwd")):
        with refused(f"{name}: Expected all inputs to be real but received complex tensor at "
                     "flattened input idx: 0"):  # fmt: skip
            how(lambda z: z)(z)
        with refused(f"{name}: Expected all outputs to be real but received complex tensor at "
                     "flattened input idx: 0"):  # fmt: skip
            how(lambda x: x * 1j)(torch.ones(2))


def test_integers() -> None:
    with pytest.raises(RuntimeError, match="floating point"):
        grad(torch.sum)(torch.ones(2, dtype=torch.int64))


def test_functionalize() -> None:
    def f(x: Any) -> Any:
        y = x.clone()
        y.add_(1)
        return y

    assert functionalize(f)(torch.ones(2)).tolist() == [2, 2]
    assert functionalize(f, remove="mutations_and_views").__name__ == "f"
    with refused("functionalize(f, remove='mutations'): received invalid argument for remove=a."):
        functionalize(f, remove="a")
    assert debug_unwrap(torch.ones(2)).tolist() == [1, 1]


# ---- modules


def network() -> Any:
    torch.manual_seed(2)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()  # fmt: skip


def test_functional_call() -> None:
    model, x = network(), numbers(4, 3)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    new = {name: numbers(*p.shape) for name, p in model.named_parameters()}
    found = functional_call(model, new, (x,))
    same(found, torch.tanh(x @ new["0.weight"].t() + new["0.bias"]) @ new["2.weight"].t()
         + new["2.bias"])  # fmt: skip
    same(functional_call(model, ({"0.bias": new["0.bias"]}, {"2.bias": new["2.bias"]}), x),
         functional_call(model, {**before, "0.bias": new["0.bias"], "2.bias": new["2.bias"]},
                         kwargs={"input": x}))  # fmt: skip
    for name, p in model.named_parameters():
        assert isinstance(p, torch.nn.Parameter)
        same(p, before[name])
    with refused("['0.bias'] appeared in multiple dictionaries; behavior of functional call is "
                 "ambiguous", ValueError):  # fmt: skip
        functional_call(model, (new, {"0.bias": new["0.bias"]}), x)
    with refused("Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but "
                 "got <class 'int'>", ValueError):  # fmt: skip
        functional_call(model, 3, x)


def test_functional_call_puts_back_what_was_there() -> None:
    model = network()
    weight = model[0].weight
    with pytest.raises(RuntimeError):
        functional_call(model, {"0.weight": numbers(7, 7)}, numbers(4, 3))
    assert model[0].weight is weight


def test_strict() -> None:
    model, x = network(), numbers(4, 3)
    new = dict(model.named_parameters())
    same(functional_call(model, new, x, strict=True), model(x))
    del new["0.bias"]
    new["more"] = numbers(1)
    with refused("Error(s) in reparametrizing for Sequential:\n\tUnexpected key(s): 'more'.\n\t"
                 "Missing key(s): '0.bias'."):  # fmt: skip
        functional_call(model, new, x, strict=True)


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Linear(2, 2, bias=False)
        self.b = torch.nn.Linear(2, 2, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x: Any) -> Any:
        return self.a(x) - self.b(x)


def test_tied_weights() -> None:
    model, x, new = Tied(), torch.ones(1, 2), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert functional_call(model, {"a.weight": new}, x).tolist() == [[0, 0]]
    assert functional_call(model, {"b.weight": new}, x).tolist() == [[0, 0]]
    alone = functional_call(model, {"a.weight": new}, x, tie_weights=False)
    same(alone, x @ (new - model.a.weight).t(), 1e-5)
    with refused("functional_call got multiple values for keys ['a.weight', 'b.weight'], which are "
                 "tied. Consider using tie_weights=False", ValueError):  # fmt: skip
        functional_call(model, {"a.weight": new, "b.weight": new * 2}, x)


def test_buffers_that_change() -> None:
    model = torch.nn.BatchNorm1d(2)
    state = {name: b.detach().clone() for name, b in model.named_buffers()}
    functional_call(model, state, torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert model.running_mean.tolist() == [0, 0] and model.num_batches_tracked.item() == 0
    same(state["running_mean"], torch.tensor([0.2, 0.4]), 1e-6)
    assert state["num_batches_tracked"].item() == 1


def test_per_sample_gradients_of_a_module() -> None:
    model, x, y = network(), numbers(6, 3), numbers(6, 2)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return F.mse_loss(functional_call(model, parameters, x), y)

    found = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for n in range(6):
        model.zero_grad()
        F.mse_loss(model(x[n]), y[n]).backward()
        for name, p in model.named_parameters():
            same(found[name][n], p.grad)


def test_an_ensemble() -> None:
    models = [network().requires_grad_() for _ in range(3)]
    for n, model in enumerate(models):
        for p in model.parameters():
            p.data.add_(0.1 * n)
    parameters, buffers = stack_module_state(models)
    assert buffers == {} and parameters["0.weight"].shape == (3, 5, 3)
    assert all(p.is_leaf and p.requires_grad for p in parameters.values())
    x = numbers(4, 3)

    def call(parameters: Any, buffers: Any, x: Any) -> Any:
        return functional_call(models[0], (parameters, buffers), x)

    found = vmap(call, in_dims=(0, 0, None))(parameters, buffers, x)
    same(found, torch.stack([model(x) for model in models]))
    found.pow(2).sum().backward()
    for n, model in enumerate(models):
        model(x).pow(2).sum().backward()
        same(parameters["2.weight"].grad[n], model[2].weight.grad)
    with refused("stack_module_state: Expected at least one model, got 0."):
        stack_module_state([])
    with refused("stack_module_state: Expected all models to be of the same class."):
        stack_module_state([models[0], torch.nn.Linear(2, 2)])
    models[1].eval()
    with refused("stack_module_state: Expected all models to have the same training/eval mode."):
        stack_module_state(models)


# ---- functions of the user's own


class Rule(torch.autograd.Function):
    """sin(x) * w, whose rules work on batches as they are."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Any, w: Any) -> Any:
        return x.sin() * w

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, w = ctx.saved_tensors
        return g * w * x.cos(), g * x.sin()

    @staticmethod
    def jvp(ctx: Any, tx: Any, tw: Any) -> Any:
        x, w = ctx.saved_tensors
        return tx * w * x.cos() + tw * x.sin()


class Own(torch.autograd.Function):
    """(x ** k, x * k), with a rule of its own for batches."""

    seen: list[Any]

    @staticmethod
    def forward(x: Any, k: Any) -> Any:
        return x**k, x * k

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, ctx.k = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * ctx.k * x ** (ctx.k - 1) + h * ctx.k, None

    @staticmethod
    def jvp(ctx: Any, t: Any, _: Any) -> Any:
        (x,) = ctx.saved_tensors
        return t * ctx.k * x ** (ctx.k - 1), t * ctx.k

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Any, k: Any) -> Any:
        Own.seen.append((info.batch_size, info.randomness, in_dims, tuple(x.shape), k))
        return Own.apply(x, k), (in_dims[0], in_dims[0])


class Plain(torch.autograd.Function):
    """Neither rule."""

    @staticmethod
    def forward(x: Any) -> Any:
        return x * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


class OneStep(torch.autograd.Function):
    """A forward that takes the context itself."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


def sine(x: Any, w: Any) -> Any:
    return x.sin() * w


FORMS: dict[str, Any] = {
    "vmap": lambda f: vmap(f, (0, None))(X0, V0),
    "vmap, another dimension": lambda f: vmap(f, (1, None))(X0, V0[0]),
    "grad": lambda f: grad(lambda x: f(x, V0).sum())(V0),
    "grad of vmap": lambda f: grad(lambda w: vmap(f, (0, None))(X0, w).pow(2).sum())(V0),
    "per-sample": lambda f: vmap(grad(lambda w, x: f(x, w).sum()), (None, 0))(V0, X0),
    "jacrev": lambda f: jacrev(f)(V0, W0),
    "jacfwd": lambda f: jacfwd(f)(V0, W0),
    "hessian": lambda f: hessian(lambda x: f(x, W0).sum())(V0),
    "jvp": lambda f: jvp(f, (V0, W0), (W0, V0)),
    "jvp in vmap": lambda f: vmap(lambda x: jvp(lambda x: f(x, W0), (x,), (V0,))[1])(X0),
    "vmap in jvp": lambda f: jvp(lambda x: vmap(f, (0, None))(x, W0), (X0,), (X0,)),
    "grad of grad": lambda f: grad(grad(lambda x: f(x, W0[0])))(V0[0]),
    "vmap of vmap": lambda f: vmap(vmap(f, (0, None)), (0, None))(X0, V0[0]),
}


@pytest.mark.parametrize("name", FORMS)
def test_functions_with_a_generated_rule(name: str) -> None:
    same(FORMS[name](Rule.apply), FORMS[name](sine))


@pytest.mark.parametrize("name", FORMS)
def test_functions_with_their_own_rule(name: str) -> None:
    Own.seen = []
    same(
        FORMS[name](lambda x, w: sum(Own.apply(x * w, 3))),
        FORMS[name](lambda x, w: (x * w) ** 3 + x * w * 3),
    )


def test_what_a_rule_is_told() -> None:
    Own.seen = []
    vmap(lambda x: Own.apply(x, 3), randomness="same")(X0)
    assert Own.seen == [(4, "same", (0, None), (4, 3), 3)]


def test_functions_without_rules() -> None:
    x = torch.ones(2, 3)
    assert grad(lambda x: Plain.apply(x).sum())(x).tolist() == [[2, 2, 2]] * 2
    with refused("You tried to vmap over Plain, but it does not have vmap support. Please override "
                 "and implement the vmap staticmethod or set generate_vmap_rule=True."):  # fmt: skip
        vmap(Plain.apply)(x)
    with pytest.raises(RuntimeError, match="jvp"):
        jvp(Plain.apply, (x,), (x,))
    for call in (lambda: vmap(OneStep.apply)(x), lambda: grad(OneStep.apply)(x)):
        with refused("In order to use an autograd.Function with functorch transforms (vmap, grad, "
                     "jvp, jacrev, ...), it must override the setup_context "
                     "staticmethod."):  # fmt: skip
            call()


def test_wrong_rules() -> None:
    class Both(Rule):
        vmap = Own.vmap

    class One(Plain):
        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any) -> Any:
            return x

    class Two(Plain):
        @staticmethod
        def jvp(ctx: Any, t: Any) -> Any:
            return t, t

    x = torch.ones(2, 3)
    with refused("You tried to vmap over Both, but it has both generate_vmap_rule=True and an "
                 "overridden vmap staticmethod."):  # fmt: skip
        vmap(Both.apply)(x, x)
    with refused("Expected the vmap staticmethod to have two returns, an output and out_dims with "
                 "pytree structure compatible with the output. Got a "):  # fmt: skip
        vmap(One.apply)(x)
    with refused("Function's jvp returned an invalid number of forward gradients (expected 1 but "
                 "got 2)"):  # fmt: skip
        jvp(Two.apply, (x,), (x,))


def test_the_page_prints_what_it_says(tmp_path: Path) -> None:
    page = Path(__file__).parent.parent / "docs" / "func.md"
    found = blocks(page.read_text(), "python", "text")
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert len(pairs) >= 7
    for number, ((kind, program), (other, text)) in enumerate(pairs):
        assert (kind, other) == ("python", "text")
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run(program, folder) == (text, "")
