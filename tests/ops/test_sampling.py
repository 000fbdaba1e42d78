"""Random functions: the order of memory, gradients, errors. The numbers are PyTorch's own for seed
0; test_generator.py has more of them."""

import numpy as np
import pytest

import leafgrad as torch


def numpy(t):
    return t.detach().numpy()


def test_out_is_filled_in_the_order_of_its_memory():
    torch.manual_seed(0)
    gaps = torch.empty(40)[::2]
    assert torch.randn(20, out=gaps) is gaps
    np.testing.assert_array_equal(
        numpy(gaps)[:3], np.float32([1.5409960746765137, -0.293428897857666, -2.1787893772125244])
    )
    torch.manual_seed(0)
    whole = torch.randn(20)
    torch.manual_seed(0)
    assert torch.equal(torch.randn(20, out=torch.empty(0)), whole)
    assert not torch.equal(gaps, whole)


def test_the_mean_of_complex_numbers_is_that_of_both_parts():
    torch.manual_seed(0)
    found = torch.empty(2, dtype=torch.complex64).normal_(1.0, 2.0)
    np.testing.assert_array_equal(
        numpy(found),
        np.complex64(
            [(3.179297685623169 + 0.585028886795044j), (-2.0812735557556152 + 1.8038831949234009j)]
        ),
    )


def test_normal_of_tensors():
    torch.manual_seed(0)
    found = torch.normal(torch.tensor([1.0, 2.0, 3.0]), 0.5)
    np.testing.assert_array_equal(
        numpy(found), np.float32([1.7704980373382568, 1.853285551071167, 1.9106053113937378])
    )
    torch.manual_seed(0)
    mean = torch.zeros(2, 1, requires_grad=True)
    std = torch.tensor([1.0, 2.0], requires_grad=True)
    found = torch.normal(mean, std)
    np.testing.assert_array_equal(
        numpy(found),
        np.float32(
            [[1.5409960746765137, -0.586857795715332], [-2.1787893772125244, 1.1368625164031982]]
        ),
    )
    found.sum().backward()
    assert mean.grad.tolist() == [[0.0], [0.0]] and std.grad.tolist() == [0.0, 0.0]
    names = [torch.normal(mean, 1.0), torch.normal(1.0, std), found]
    assert [t.grad_fn.name() for t in names] == [f"NormalBackward{k}" for k in (1, 2, 3)]


def test_bernoulli_into_integers():
    torch.manual_seed(0)
    out = torch.empty(4, dtype=torch.int64)
    torch.bernoulli(torch.tensor([0.5, 0.9, 0.1, 0.5]), out=out)
    assert out.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: torch.empty(3, dtype=torch.int64).exponential_(), RuntimeError,
         "Exponential distribution is a continuous probability distribution. dtype must be a floa"),
        (lambda: torch.empty(3, dtype=torch.int64).cauchy_(), RuntimeError,
         "Cauchy distribution is a continuous probability distribution. dtype must be a floating "
         "point but you specified long int"),
        (lambda: torch.empty(3, dtype=torch.int64).log_normal_(), NotImplementedError,
         "\"log_normal_cpu\" not implemented for 'Long'"),
        (lambda: torch.empty(3, dtype=torch.int64).normal_(), NotImplementedError,
         "\"normal_kernel_cpu\" not implemented for 'Long'"),
        (lambda: torch.empty(3, dtype=torch.bool).geometric_(0.5), NotImplementedError,
         "\"geometric_cpu\" not implemented for 'Bool'"),
        (lambda: torch.randn(3, dtype=torch.float64, out=torch.empty(3)), RuntimeError,
         "dtype Double does not match dtype of out parameter (Float)"),
        (lambda: torch.randn(3, out=torch.empty(3, dtype=torch.int64)), NotImplementedError,
         "\"normal_kernel_cpu\" not implemented for 'Long'"),
        (lambda: torch.normal(torch.ones(3), -1.0), RuntimeError, "normal expects std >= 0.0, but"),
        (lambda: torch.normal(torch.ones(3), -torch.ones(3)), RuntimeError,
         "normal expects all elements of std >= 0.0"),
        (lambda: torch.normal(torch.ones(3), torch.ones(2)), RuntimeError,
         "The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension"),
        (lambda: torch.multinomial(torch.ones(3), 2, out=torch.ones(2)), RuntimeError,
         "multinomial expects Long tensor out, got: Float"),
        (lambda: torch.multinomial(torch.tensor([1.0, -1.0]), 2, True), RuntimeError,
         "invalid multinomial distribution (encountering probability entry < 0)"),
        (lambda: torch.bernoulli(torch.ones(6), out=torch.ones(1).expand(6)), RuntimeError,
         "unsupported operation: more than one element of the written-to tensor refers to a singl"),
    ],
)  # fmt: skip
def test_errors(call, kind, sentence):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(sentence)
