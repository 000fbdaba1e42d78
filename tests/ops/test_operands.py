"""Which operands may be Python numbers, and how exactly the gradients of broadcast ones add up."""

import numpy as np
import pytest

import leafgrad as torch


@pytest.mark.parametrize("name", ["maximum", "fmin", "atan2", "logical_and", "gcd", "logaddexp"])
def test_tensors_only(name: str) -> None:
    x = torch.tensor([1, 2]) if name == "gcd" else torch.tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=rf"^{name}\(\): argument 'other' \(position 2\) must be "
                                        "Tensor, not int"):  # fmt: skip
        getattr(torch, name)(x, 2)
    with pytest.raises(TypeError, match=rf"^{name}\(\): argument 'input' \(position 1\)"):
        getattr(torch, name)(2, x)
    with pytest.raises(TypeError, match=rf"^{name}\(\): argument 'other' \(position 1\)"):
        getattr(x, name)(2)
    getattr(torch, name)(x, x)


def test_a_number_second_or_one_number() -> None:
    x = torch.tensor([1.0, 2.0])
    assert torch.eq(x, 2).tolist() == [False, True]
    with pytest.raises(TypeError, match=r"^eq\(\) received an invalid combination of arguments - "
                                        r"got \(int, Tensor\)"):  # fmt: skip
        torch.eq(2, x)
    assert (2 == x).tolist() == [False, True]  # noqa: SIM300
    assert torch.xlogy(0, x).tolist() == [0.0, 0.0] == torch.xlogy(x, 1).tolist()
    with pytest.raises(TypeError, match=r"^xlogy\(\) received .* got \(int, float\)"):
        torch.xlogy(2, 3.0)


def test_numpy_functions_take_numbers_all_the_same() -> None:
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    np.maximum(x, 0.0).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_gradients_of_broadcast_operands_keep_their_digits() -> None:
    """A tall float32 gradient is summed in blocks: row after row would leave four digits."""
    rows = np.random.default_rng(0).uniform(0.9, 1.1, (1_000_000, 2)).astype(np.float32)
    b = torch.zeros(2, requires_grad=True)
    (torch.tensor(rows) * (torch.zeros(1_000_000, 2) + b)).sum().backward()
    exact = rows.sum(0, dtype=np.float64)
    np.testing.assert_allclose(b.grad.numpy(), exact, rtol=5e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_in_16_bits_add_up_in_32(dtype: torch.dtype) -> None:
    b = torch.zeros(4, dtype=dtype, requires_grad=True)
    (torch.ones(1000, 4, dtype=dtype) + b).sum().backward()
    assert b.grad.tolist() == [1000.0] * 4  # 256 in bfloat16's own arithmetic


def test_a_number_times_a_vector_adds_up_in_one_pass() -> None:
    theta = torch.tensor([0.5, 2.0], requires_grad=True)
    x = torch.linspace(-1, 1, 1001, dtype=torch.float64)
    (theta[0] * x * x + x * theta[1]).sum().backward()
    exact = [float((x * x).sum()), 0.0]
    np.testing.assert_allclose(theta.grad.numpy(), exact, rtol=1e-6, atol=1e-7)
    assert theta.grad.dtype is torch.float32


def test_real_gradients_of_complex_leaves_have_no_negative_zero() -> None:
    z = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    z.real.sum().backward()
    assert not np.signbit(z.grad.numpy().imag).any()
    w = torch.tensor(3 - 1j, requires_grad=True)
    (g,) = torch.autograd.grad(w.real * w.real, w)
    assert g.item() == 6 and not np.signbit(g.item().imag)
