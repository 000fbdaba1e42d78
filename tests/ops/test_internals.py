"""Functions that PyTorch has for its own use, and uninitialised memory in a given order."""

import numpy as np
import pytest

import leafgrad as torch
from ops.helpers import check_gradients

generator = np.random.default_rng(15)
X = generator.standard_normal((3, 4))


def numpy(t):
    return t.detach().numpy()


def test_hash_tensor():
    x = torch.tensor([1.5, -2.0, 3.25])
    bits = np.array(x.tolist()).view(np.uint64)
    assert torch.hash_tensor(x).item() == int(np.bitwise_xor.reduce(bits))
    assert torch.hash_tensor(x).dtype is torch.uint64
    assert torch.equal(torch.hash_tensor(x.flip(0)), x.double().hash_tensor())
    rows = torch.tensor([[1, 2], [4, 8]])
    assert torch.hash_tensor(rows, 0).tolist() == [5, 10]
    assert torch.hash_tensor(rows, 1, keepdim=True).tolist() == [[3], [12]]
    assert torch.hash_tensor(torch.tensor([True])).item() == 1
    with pytest.raises(RuntimeError, match="Unknown hash_tensor mode: 1"):
        torch.hash_tensor(x, mode=1)
    with pytest.raises(IndexError, match="Expected reduction dim 1 to have non-zero size"):
        torch.hash_tensor(torch.ones(2, 0), 1)


def test_chunk_cat():
    found = torch._chunk_cat([torch.arange(5.0), torch.arange(3.0)], 0, 2)
    assert found.tolist() == [[0, 1, 2, 0, 1], [3, 4, 0, 2, 0]]
    wide = torch._chunk_cat([torch.ones(2, 3, 2), torch.ones(2, 4)], 1, 2)
    assert wide.shape == (2, 2, 6)
    for tensors, chunks, sentence in (
        ([], 1, "expects a non-empty input tensor list"),
        ([torch.ones(2)], 0, "expects positive num_chunks"),
        ([torch.ones(0)], 1, "expects non-empty tensor"),
        ([torch.ones(2), torch.ones(2).long()], 1, "expects all input tensors with the same dtype"),
    ):
        with pytest.raises(RuntimeError, match=f"_chunk_cat {sentence}"):
            torch._chunk_cat(tensors, 0, chunks)


def test_masked_indexing():
    x, rows, columns = torch.tensor(X), torch.tensor([0, 9, 2]), torch.tensor([-1, 1, 9])
    mask = torch.tensor([True, False, True])
    found = torch._unsafe_masked_index(x, mask, [rows, columns], 7.0)
    assert found.tolist() == [X[0, 3], 7.0, X[2, 3]]
    values = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    put = torch._unsafe_masked_index_put_accumulate(x, mask, [rows, columns], values)
    expected = X.copy()
    expected[[0, 2], 3] += [1, 4]
    np.testing.assert_allclose(numpy(put), expected)
    check_gradients(lambda x: torch._unsafe_masked_index(x, mask, [rows, columns], 7.0), X)
    check_gradients(
        lambda x, v: torch._unsafe_masked_index_put_accumulate(x, mask, [rows, columns], v),
        X, np.ones(3),
    )  # fmt: skip


def test_gradient_of_softmax():
    x = torch.tensor(X, requires_grad=True)
    g = torch.tensor(generator.standard_normal(X.shape))
    out = x.softmax(1)
    (expected,) = torch.autograd.grad(out, x, g)
    found = torch._softmax_backward_data(g, out, 1, torch.float64)
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-15)
    with pytest.raises(RuntimeError, match="expected scalar type Half but found Double"):
        torch._softmax_backward_data(g, out, 1, torch.float16)


def test_memory_in_a_given_order():
    assert torch.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)
    assert torch.empty_permuted((), ()).shape == ()
    made = torch.ones(2, dtype=torch.int16).new_empty_strided((2, 3), (1, 2))
    assert made.stride() == (1, 2) and made.dtype is torch.int16
    for size, order, sentence in (
        ((2,), (0, 1), "Number of dimensions in size does not match the length of the physical_l"),
        ((2,), (3,), "Dimension out of range"),
        ((2, 3), (0, 0), "Duplicate dim not allowed"),
    ):
        with pytest.raises(RuntimeError, match=sentence):
            torch.empty_permuted(size, order)
