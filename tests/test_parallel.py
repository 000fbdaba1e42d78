"""Work over several threads gives the same as over one."""

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.parallel import SPLIT, spread


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [SPLIT, SPLIT + 1, 3 * SPLIT - 7])
def test_spread_is_the_function_itself(three_threads, size):
    x = np.linspace(-3, 3, size)
    assert np.array_equal(spread(np.sin, x), np.sin(x))
    assert np.array_equal(spread(np.less, x, -x), x < -x)


def test_shapes_and_layouts_that_cannot_be_cut(three_threads):
    x = np.linspace(-3, 3, 4 * SPLIT).reshape(4, SPLIT)
    assert np.array_equal(spread(np.exp, x), np.exp(x))
    assert np.array_equal(spread(np.exp, x.T), np.exp(x.T))


def test_large_tensors_forward_and_backward(three_threads):
    values = np.linspace(0.1, 3, 2 * SPLIT)
    x = torch.from_numpy(values.copy()).requires_grad_()
    torch.log(torch.sin(x) + 2.0).sum().backward()
    assert np.allclose(x.grad.numpy(), np.cos(values) / (np.sin(values) + 2), rtol=1e-13)


def test_errors_and_warnings_stay_inside(three_threads):
    x = torch.zeros(2 * SPLIT)
    assert torch.log(x)[0].item() == -np.inf  # a warning would be an error here


def test_number_of_threads_is_checked():
    with pytest.raises(RuntimeError, match="expects a positive integer"):
        torch.set_num_threads(0)
