"""autograd.functional: Jacobians, Hessians and products, by every strategy; strict mode; errors."""

import re
from typing import Any

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.autograd import functional

RNG = np.random.default_rng(17)


def numbers(*shape: int, requires_grad: bool = False) -> Any:
    return torch.tensor(RNG.standard_normal(shape), requires_grad=requires_grad)


def same(found: Any, want: Any) -> None:
    if isinstance(found, (tuple, list)):  # forward mode returns lists, as PyTorch's does
        assert isinstance(want, tuple) and len(found) == len(want)
        for a, b in zip(found, want, strict=True):
            same(a, b)
        return
    assert found.shape == want.shape
    np.testing.assert_allclose(found.detach().numpy(), want.detach().numpy(), 1e-10, atol=1e-12)


X, Y = numbers(3), numbers(2, 2)
U, V = numbers(3), numbers(2, 2)
WAYS: list[dict[str, Any]] = [
    {}, {"vectorize": True}, {"create_graph": True}, {"create_graph": True, "vectorize": True},
    {"vectorize": True, "strategy": "forward-mode"}, {"strict": True},
]  # fmt: skip


def vector(x: Any) -> Any:
    return x**2 * x.sum()


def pair(x: Any, y: Any) -> Any:
    return x.sum() * y, x * y.sum(), x.sum() + y.prod()


def scalar(x: Any) -> Any:
    return (x**3).sum() * x[0]


def scalar_of_two(x: Any, y: Any) -> Any:
    return (x**2).sum() * (y**3).sum() + y[0, 0] * x[0]


def by_rows(f: Any, *inputs: Any) -> Any:
    """Jacobians of one output, row after row, from gradients."""
    inputs = tuple(x.detach().requires_grad_() for x in inputs)
    out = f(*inputs)
    rows = [
        torch.autograd.grad(o, inputs, retain_graph=True, allow_unused=True, materialize_grads=True)
        for o in out.reshape(-1)
    ]
    return tuple(
        torch.stack([r[i] for r in rows]).reshape((*out.shape, *x.shape))
        for i, x in enumerate(inputs)
    )


# ---- values


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_jacobian(way: dict[str, Any]) -> None:
    same(functional.jacobian(vector, X, **way), by_rows(vector, X)[0])
    want = tuple(by_rows(lambda x, y, n=n: pair(x, y)[n], X, Y) for n in range(3))
    same(functional.jacobian(pair, (X, Y), **way), want)
    assert len(functional.jacobian(vector, (X,), **way)) == 1
    same(functional.jacobian(scalar, X, **way), by_rows(scalar, X)[0])


@pytest.mark.parametrize("way", [w for w in WAYS if "strict" not in w], ids=str)
def test_jacobian_of_what_does_not_depend(way: dict[str, Any]) -> None:
    found = functional.jacobian(lambda x, y: (x * 2, torch.ones(2)), (X, Y), **way)
    same(found[0][0], 2 * torch.eye(3, dtype=torch.float64))
    assert [t.shape for t in (found[0][1], *found[1])] == [(3, 2, 2), (2, 3), (2, 2, 2)]
    assert not any(t.any() for t in (found[0][1], *found[1]))


@pytest.mark.parametrize("way", [
    {}, {"vectorize": True}, {"create_graph": True}, {"strict": True},
    {"vectorize": True, "outer_jacobian_strategy": "forward-mode"},
], ids=str)  # fmt: skip
def test_hessian(way: dict[str, Any]) -> None:
    def gradient(n: int, *inputs: Any) -> Any:
        return torch.autograd.grad(scalar_of_two(*inputs), inputs, create_graph=True)[n]

    want = tuple(by_rows(lambda x, y, n=n: gradient(n, x, y), X, Y) for n in range(2))
    same(functional.hessian(scalar_of_two, (X, Y), **way), want)
    want = by_rows(lambda x: torch.autograd.grad(scalar(x), x, create_graph=True)[0], X)[0]
    same(functional.hessian(scalar, X, **way), want)


@pytest.mark.parametrize("way", [{}, {"create_graph": True}, {"strict": True}], ids=str)
def test_products(way: dict[str, Any]) -> None:
    jacobian = by_rows(vector, X)[0]
    same(functional.vjp(vector, X, U, **way), (vector(X), U @ jacobian))
    same(functional.jvp(vector, X, U, **way), (vector(X), jacobian @ U))
    outs = pair(X, Y)
    one = torch.ones((), dtype=torch.float64)
    rows = [by_rows(lambda x, y, n=n: pair(x, y)[n], X, Y) for n in range(3)]
    out, found = functional.vjp(pair, (X, Y), (V, U, one), **way)
    same(out, outs)
    same(found[0], torch.einsum("ij,ijk", V, rows[0][0]) + U @ rows[1][0] + rows[2][0])
    out, found = functional.jvp(pair, (X, Y), (U, V), **way)
    same(found[1], rows[1][0] @ U + torch.einsum("kij,ij", rows[1][1], V))
    hessian = functional.hessian(scalar, X)
    same(functional.vhp(scalar, X, U, **way), (scalar(X), U @ hessian))
    same(functional.hvp(scalar, X, U, **way), (scalar(X), hessian @ U))
    parts = functional.hessian(scalar_of_two, (X, Y))
    want = (parts[0][0] @ U + torch.einsum("kij,ij", parts[0][1], V),
            torch.einsum("ijk,k", parts[1][0], U) + torch.einsum("abij,ij", parts[1][1], V))  # fmt: skip
    for product in (functional.hvp, functional.vhp):
        out, found = product(scalar_of_two, (X, Y), (U, V), **way)
        same(out, scalar_of_two(X, Y))
        same(found, want)


def test_no_vector_for_a_number() -> None:
    same(functional.vjp(scalar, X)[1], by_rows(scalar, X)[0])
    z = torch.tensor(2.0)
    assert functional.jvp(lambda z: z**3, z)[1].item() == 12
    assert functional.hvp(lambda z: z**3, z)[1].item() == 12
    assert functional.vhp(lambda z: z**3, z)[1].item() == 12


# ---- the graph


def test_create_graph() -> None:
    """Results can be differentiated by the inputs, and only then are they recorded."""
    x = X.detach().requires_grad_()
    for f in (functional.jacobian, lambda *a, **k: functional.vjp(*a, U, **k)[1],
              lambda *a, **k: functional.jvp(*a, U, **k)[1]):  # fmt: skip
        assert not f(vector, x).requires_grad
        (g,) = torch.autograd.grad(f(vector, x, create_graph=True).sum(), x)
        h = 1e-6
        step = torch.tensor([h, 0, 0], dtype=torch.float64)
        slope = (f(vector, X + step).sum() - f(vector, X - step).sum()) / (2 * h)
        np.testing.assert_allclose(g[0].item(), slope.item(), rtol=1e-6)
    third = functional.jacobian(lambda x: functional.hessian(scalar, x, create_graph=True), x)
    assert third.shape == (3, 3, 3)
    np.testing.assert_allclose(third[1, 1, 1].item(), 6 * X[0].item())
    products = functional.jacobian(lambda x: functional.hvp(scalar, x, U, create_graph=True)[1], x)
    same(products, third @ U)


def test_what_a_function_captured() -> None:
    w = numbers(3, requires_grad=True)
    assert not functional.jacobian(lambda x: w * x**2, X).requires_grad
    found = functional.jacobian(lambda x: w * x**2, X, create_graph=True)
    same(torch.autograd.grad(found.sum(), w)[0], 2 * X)


def test_the_inputs_are_left_alone() -> None:
    x = X.detach().requires_grad_()
    functional.jacobian(vector, x)
    functional.hvp(scalar, x, U)
    assert x.grad is None
    seen: list[Any] = []
    functional.vjp(lambda y: (seen.append((y is x, y.requires_grad)), y)[1], X, U)
    assert seen == [(False, True)]


def test_no_grad_does_not_matter() -> None:
    with torch.no_grad():
        same(functional.jacobian(vector, X), by_rows_with_grad(vector, X))
        same(functional.hvp(scalar, X, U)[1], functional.hessian(scalar, X) @ U)
        assert functional.jacobian(vector, X, create_graph=True).requires_grad


def by_rows_with_grad(f: Any, x: Any) -> Any:
    with torch.enable_grad():
        return by_rows(f, x)[0]


# ---- strict mode and errors

ONE = torch.ones((), dtype=torch.float64)
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "a list": (lambda: functional.vjp(scalar, [X]), TypeError, (
        "The inputs given to vjp must be either a Tensor or a tuple of Tensors but the given "
        "inputs has type <class 'list'>.")),
    "a number inside": (lambda: functional.hvp(scalar, (X, 3), U), TypeError, (
        "The inputs given to hvp must be either a Tensor or a tuple of Tensors but the value at "
        "index 1 has type <class 'int'>.")),
    "a number returned": (lambda: functional.jacobian(lambda x: 3, X), TypeError, (
        "The outputs of the user-provided function given to jacobian must be either a Tensor or a "
        "tuple of Tensors but the given outputs of the user-provided function has type <class "
        "'int'>.")),
    "no vector": (lambda: functional.vjp(vector, X), RuntimeError, (
        "The vector v can only be None if the user-provided function returns a single Tensor with "
        "a single element.")),
    "no direction": (lambda: functional.jvp(vector, X), RuntimeError, (
        "The vector v can only be None if the input to the user-provided function is a single "
        "Tensor with a single element.")),
    "a vector's size": (lambda: functional.vjp(vector, X, U[:2]), RuntimeError, (
        "v has invalid size: should be torch.Size([3]) but got torch.Size([2]).")),
    "two vectors": (lambda: functional.vjp(vector, X, (U, U)), RuntimeError, (
        "The given v should contain a single Tensor.")),
    "one vector of two": (lambda: functional.jvp(pair, (X, Y), U), RuntimeError, (
        "v is a tuple of invalid length: should be 2 but got 1.")),
    "the second size": (lambda: functional.jvp(pair, (X, Y), (U, U)), RuntimeError, (
        "Entry 1 in v has invalid size: should be torch.Size([2, 2]) but got torch.Size([3]).")),
    "a Hessian of several": (
        lambda: functional.hessian(lambda x: (x.sum(), x.sum()), X), RuntimeError, (
            "The function given to hessian should return a single Tensor")),
    "a Hessian of a vector": (lambda: functional.hessian(vector, X), RuntimeError, (
        "The Tensor returned by the function given to hessian should contain a single element")),
    "a product of a vector": (lambda: functional.hvp(vector, X, U), RuntimeError, (
        "The Tensor returned by the function given to hvp should contain a single element")),
    "forward mode, one by one": (
        lambda: functional.jacobian(vector, X, strategy="forward-mode"), NotImplementedError, (
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly "
            "implemented for `vectorize=True`.")),
    "a strategy": (lambda: functional.jacobian(vector, X, strategy="sideways"), AssertionError, (
        'Expected strategy to be either "forward-mode" or "reverse-mode".')),
    "an outer strategy": (
        lambda: functional.hessian(scalar, X, outer_jacobian_strategy="sideways"),
        AssertionError, 'Expected strategy to be either "forward-mode" or "reverse-mode".'),
    "strict, vectorized": (
        lambda: functional.jacobian(vector, X, strict=True, vectorize=True), RuntimeError, (
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together.")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name: str) -> None:
    call, kind, sentence = WRONG[name]
    with pytest.raises(kind, match="^" + re.escape(sentence)):
        call()


def constant(*inputs: Any) -> Any:
    return torch.ones((), dtype=torch.float64)


def first(x: Any, y: Any) -> Any:
    return (x**3).sum()


LINEAR = "While computing the hessian, found that the jacobian of the user-provided function with "
STRICT: dict[str, tuple[Any, str]] = {
    "jacobian": (lambda **k: functional.jacobian(first, (X, Y), **k), (
        "Output 0 of the user-provided function is independent of input 1. This is not allowed in "
        "strict mode.")),
    "vjp": (lambda **k: functional.vjp(first, (X, Y), ONE, **k), (
        "The output of the user-provided function is independent of input 1. This is not allowed "
        "in strict mode.")),
    "vjp of a constant": (lambda **k: functional.vjp(constant, X, ONE, **k), (
        "Output 0 of the user-provided function does not require gradients. The outputs must be "
        "computed in a differentiable manner from the input when running in strict mode.")),
    "jvp of a constant": (lambda **k: functional.jvp(constant, X, U, **k), (
        "Output 0 of the user-provided function does not require gradients.")),
    "hessian": (lambda **k: functional.hessian(torch.sum, X, **k), LINEAR),
    "hvp": (lambda **k: functional.hvp(torch.sum, X, U, **k), LINEAR),
    "vhp": (lambda **k: functional.vhp(torch.sum, X, U, **k), LINEAR),
}  # fmt: skip


@pytest.mark.parametrize("name", STRICT)
def test_strict(name: str) -> None:
    """What does not depend on an input has derivatives of zeros, or is an error."""
    call, sentence = STRICT[name]
    with pytest.raises(RuntimeError, match="^" + re.escape(sentence)):
        call(strict=True)
    found = call()
    while isinstance(found, tuple):
        found = found[-1]
    assert not found.any()


def test_strict_with_a_graph() -> None:
    with pytest.raises(RuntimeError, match=re.escape(
            "The jacobian of the user-provided function is independent of input 0. This is not "
            "allowed in strict mode when create_graph=True.")):  # fmt: skip
        functional.jacobian(lambda x: x * 2, X, strict=True, create_graph=True)


def test_directions_run_at_once() -> None:
    """Vectorized, a function runs once, and the backward pass once for all rows."""
    forward, backward = [], []

    class Counted(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Any) -> Any:
            forward.append(1)
            return x * x

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            backward.append(1)
            return 2 * ctx.saved_tensors[0] * g

    same(functional.jacobian(Counted.apply, X, vectorize=True), torch.diag(2 * X))
    assert len(forward) == len(backward) == 1
    same(functional.jacobian(Counted.apply, X), torch.diag(2 * X))
    assert len(forward) == 2 and len(backward) == 4
