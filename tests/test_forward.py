"""Forward mode: tangents by every way there is, through views, writes and backward passes."""

from typing import Any

import numpy as np
import pytest

import leafgrad as torch
import leafgrad.autograd.forward_ad as forward
import leafgrad.nn.functional as F
from leafgrad.graph.forward import Dual, dual, tangent_of

RNG = np.random.default_rng(5)
X, T = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
W = RNG.normal(size=(4, 2))
INDEX = np.array([[0, 2], [1, 1], [3, 0]])


def tangent(f: Any, x: Any, t: Any) -> Any:
    with forward.dual_level():
        return forward.unpack_dual(f(forward.make_dual(torch.tensor(x), torch.tensor(t)))).tangent


def slope(f: Any, x: Any, t: Any, h: float = 1e-6) -> Any:
    high, low = f(torch.tensor(x + h * t)), f(torch.tensor(x - h * t))
    return (high - low).numpy() / (2 * h)


FUNCTIONS = {
    "elementwise": lambda x: torch.exp(x) * x / (2 + torch.sin(x)),
    "elementwise, broadcast": lambda x: x * x[0] - x[:, :1],
    "linear": lambda x: x.sum(0) + x.mean() + torch.cat([x, x]).cumsum(0)[-1],
    "views": lambda x: x.t().reshape(2, 6).unsqueeze(1).expand(2, 3, 6).transpose(0, 2),
    "matrix products": lambda x: (x @ torch.tensor(W)) @ (torch.tensor(W).t() @ x.t()),
    "a layer": lambda x: F.linear(x, x * 2, x[:, 0]),
    "the transposed rule": lambda x: torch.softmax(x, 1).logsumexp(0) + x.var(0) + x.prod(0),
    "several outputs": lambda x: x.max(1)[0] + x.sort(1)[0][:, 0] + torch.stack(x.unbind(1)).sum(0),
    "indices": lambda x: x.gather(1, torch.tensor(INDEX)) * x[[2, 0, 1], :2],
    "losses": lambda x: F.mse_loss(x, x**2) + F.huber_loss(x, -x) + F.cross_entropy(
        x, torch.tensor([1, 0, 3])),
    "normalisation": lambda x: F.layer_norm(x, (4,)) * x,
    "norms": lambda x: torch.outer(x[0], x[1]) * torch.dist(x, x * x) + x.norm(),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tangents_are_directional_derivatives(name: str) -> None:
    f = FUNCTIONS[name]
    np.testing.assert_allclose(tangent(f, X, T).numpy(), slope(f, X, T), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_orders_of_modes_agree(name: str) -> None:
    """The derivative along t of the gradient is the gradient of the derivative along t."""

    def f(x: Any) -> Any:
        return (FUNCTIONS[name](x) ** 2).sum()

    with forward.dual_level():
        x = forward.make_dual(torch.tensor(X, requires_grad=True), torch.tensor(T))
        (g,) = torch.autograd.grad(f(x), x)
        over_reverse = forward.unpack_dual(g).tangent
    leaf = torch.tensor(X, requires_grad=True)
    with forward.dual_level():
        along = forward.unpack_dual(f(forward.make_dual(leaf, torch.tensor(T)))).tangent
    (over_forward,) = torch.autograd.grad(along, leaf)
    np.testing.assert_allclose(over_reverse.numpy(), over_forward.numpy(), rtol=1e-9, atol=1e-9)


def test_complex_tangents() -> None:
    z, t = X + 1j * T, T - 0.5j * X

    def f(z: Any) -> Any:
        return torch.exp(z) * z.conj() + z.abs() * z.real

    np.testing.assert_allclose(tangent(f, z, t).numpy(), slope(f, z, t), rtol=1e-6, atol=1e-7)


def test_writes_reach_the_tangents_of_bases_and_views() -> None:
    def f(x: Any) -> Any:
        y = torch.zeros(3, 4, dtype=torch.float64)
        row = y[1]
        row.copy_(x[0] * x[1])  # the base gets a tangent through its view
        y[0, 1:3] = x[2, 1:3].exp()
        y.mul_(x)
        return torch.cat([y, row[None], y[:1] * 2])

    np.testing.assert_allclose(tangent(f, X, T).numpy(), slope(f, X, T), rtol=1e-6, atol=1e-7)


def test_a_view_and_its_tangent() -> None:
    with forward.dual_level():
        x = forward.make_dual(torch.tensor(X), torch.tensor(T))
        view = x[1:]
        x[2].zero_()
        np.testing.assert_array_equal(forward.unpack_dual(view).tangent[1], np.zeros(4))
        np.testing.assert_array_equal(forward.unpack_dual(view).tangent[0], T[1])


def test_levels_nest_without_confusion() -> None:
    """d/dx [x · d/dy (x + y)] is 1: the inner derivative with respect to y knows nothing of x."""
    one = torch.tensor(1.0, dtype=torch.float64)
    with Dual() as outer:
        x = dual(torch.tensor(3.0, dtype=torch.float64), one, outer)
        with Dual() as inner:
            y = dual(torch.tensor(2.0, dtype=torch.float64), one, inner)
            slope = tangent_of(x + y, inner.level)
        assert tangent_of(x * slope, outer.level).item() == 1.0
        with Dual() as inner:
            y = dual(x * 1, one, inner)
            slope = tangent_of(y**3, inner.level)
        assert slope.item() == 27.0
        assert tangent_of(slope, outer.level).item() == 18.0


def test_tangents_end_with_their_level() -> None:
    with forward.dual_level():
        x = forward.make_dual(torch.tensor(X), torch.tensor(T))
        assert forward.unpack_dual(x.detach()).tangent is None
        with torch.no_grad():
            assert forward.unpack_dual(x * 2).tangent is not None
        assert forward.unpack_dual(torch.tensor(X)).tangent is None
        assert forward.unpack_dual(x > 0).tangent is None
    with forward.dual_level():
        assert forward.unpack_dual(x).tangent is None
    assert forward.unpack_dual(x).tangent is None


def test_errors() -> None:
    x, t = torch.tensor(X), torch.tensor(T)
    with pytest.raises(RuntimeError, match="no level exists, make sure to enter_dual_level"):
        forward.make_dual(x, t)
    with pytest.raises(RuntimeError, match="exit a forward AD level"):
        forward.exit_dual_level()
    with forward.dual_level():
        with pytest.raises(RuntimeError, match="Nested forward mode AD is not supported"):
            forward.enter_dual_level()
        with pytest.raises(RuntimeError, match=r"Tensor is of size \[3, 4\] while the given "
                                               r"forward gradient is of size \[4\]"):  # fmt: skip
            forward.make_dual(x, t[0])
        with pytest.raises(ValueError, match="Expected primal to be floating point or complex"):
            forward.make_dual(torch.arange(3), torch.arange(3))
