"""torch.masked: the functions of what a mask chooses against those of the chosen elements."""

import math

import numpy as np
import pytest

import leafgrad as torch
from ops.helpers import check_gradients

masked = torch.masked
generator = np.random.default_rng(12)
X = generator.standard_normal((4, 5))
MASK = generator.random((4, 5)) < 0.6
MASK[2] = False
MASK[:, 1] = [True, False, False, True]
WHOLE = generator.integers(-9, 9, (4, 5))


def numpy(t):
    return t.detach().numpy()


def rows(function, empty):
    """A function of the chosen elements of each row."""
    return np.array([function(x[m]) if m.any() else empty for x, m in zip(X, MASK, strict=True)])


REDUCTIONS = {
    "sum": (np.sum, 0.0),
    "prod": (np.prod, 1.0),
    "mean": (np.mean, math.nan),
    "amax": (np.max, -math.inf),
    "amin": (np.min, math.inf),
    "logsumexp": (lambda x: np.log(np.sum(np.exp(x))), -math.inf),
    "norm": (np.linalg.norm, 0.0),
    "median": (lambda x: np.sort(x)[(len(x) - 1) // 2], math.nan),
    "var": (lambda x: np.var(x, ddof=1), math.nan),
    "std": (lambda x: np.std(x, ddof=1), math.nan),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    function, empty = REDUCTIONS[name]
    call = getattr(masked, name)
    x, mask = torch.tensor(X), torch.tensor(MASK)
    found = call(x, dim=1, mask=mask)
    np.testing.assert_allclose(numpy(found), rows(function, empty), rtol=1e-12)
    kept = call(x, dim=-1, keepdim=True, mask=mask)
    np.testing.assert_array_equal(numpy(kept), numpy(found)[:, None])
    if name != "median":
        chosen = function(X[MASK])
        np.testing.assert_allclose(call(x, mask=mask).item(), chosen, rtol=1e-12)
        np.testing.assert_allclose(call(x).item(), function(X), rtol=1e-12)
    single = call(x.float(), dim=1, mask=mask)
    assert single.dtype is torch.float32
    some = torch.tensor(np.delete(MASK, 2, 0))
    check_gradients(lambda x: call(x, dim=1, mask=some), np.delete(X, 2, 0))


def test_dtypes_of_integers():
    x, mask = torch.tensor(WHOLE, dtype=torch.int32), torch.tensor(MASK)
    assert masked.sum(x, mask=mask).dtype is masked.prod(x, 0, mask=mask).dtype is torch.int64
    assert masked.sum(x, 0, mask=mask).tolist() == (WHOLE * MASK).sum(0).tolist()
    assert masked.amax(x, 0, mask=mask).dtype is masked.cumsum(x, 0).dtype is torch.int32
    least, greatest = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    assert masked.amax(x, 1, mask=mask)[2].item() == least
    assert masked.amin(x, 1, mask=mask)[2].item() == greatest
    assert masked.argmax(x.float(), 1, mask=mask).dtype is torch.float32
    assert masked.var(x, 0).dtype is torch.float32
    assert masked.median(x[:2], 1, mask=mask[:2]).dtype is torch.int32


def test_places_and_scans():
    x, mask = torch.tensor(X), torch.tensor(MASK)
    for name, worst in (("argmax", -math.inf), ("argmin", math.inf)):
        found = getattr(masked, name)(x, 1, mask=mask, dtype=torch.int64)
        expected = getattr(np, name)(np.where(MASK, X, worst), 1)
        assert found.tolist() == expected.tolist()
    np.testing.assert_allclose(numpy(masked.cumsum(x, 1, mask=mask)), np.cumsum(X * MASK, 1))
    ones = np.where(MASK, X, 1)
    np.testing.assert_allclose(numpy(masked.cumprod(x, 0, mask=mask)), np.cumprod(ones, 0))
    check_gradients(lambda x: masked.cumprod(x, 0, mask=mask), X)


def test_normalisations():
    x, mask = torch.tensor(X), torch.tensor(MASK)
    some = MASK.any(1)
    weights = (np.exp(X) * MASK)[some]
    found = numpy(masked.softmax(x, 1, mask=mask))
    np.testing.assert_allclose(found[some], weights / weights.sum(1, keepdims=True))
    assert np.isnan(found[2]).all()
    logs = numpy(masked.log_softmax(x, 1, mask=mask))
    np.testing.assert_allclose(np.exp(logs)[some], found[some])
    other = numpy(masked.softmin(-x, 1, mask=mask))
    np.testing.assert_allclose(other[some], found[some])
    size = np.linalg.norm(X * MASK, axis=1, keepdims=True)
    np.testing.assert_allclose(numpy(masked.normalize(x, 2.0, 1, mask=mask)),
                               X * MASK / np.maximum(size, 1e-12))  # fmt: skip
    for call in (masked.softmax, masked.softmin, masked.log_softmax):
        check_gradients(lambda x, call=call: call(x, 1, mask=mask[:2])[mask[:2]], X[:2])
    check_gradients(lambda x: masked.normalize(x, 3.0, 1, mask=mask[:2]), X[:2])


def test_logaddexp():
    x, y, mask = torch.tensor(X), torch.tensor(X[::-1].copy()), torch.tensor(MASK)
    found = masked.logaddexp(x, y, input_mask=mask)
    expected = np.where(MASK, np.logaddexp(X, X[::-1]), X[::-1])
    np.testing.assert_allclose(numpy(found), expected, rtol=1e-12)
    check_gradients(
        lambda x, y: masked.logaddexp(x, y, other_mask=mask), X, X[::-1].copy(), order=1
    )


def test_what_is_masked_out_gets_no_gradient():
    x = torch.tensor([1.0, math.nan, math.inf, 2.0], requires_grad=True)
    mask = torch.tensor([True, False, False, True])
    found = masked.sum(x * x, mask=mask)
    assert found.item() == 5
    found.backward()
    assert x.grad[0].item() == 2 and x.grad[3].item() == 4


def test_masks_broadcast():
    x = torch.tensor(X)
    few = torch.tensor(MASK[:, :1])
    np.testing.assert_allclose(
        numpy(masked.sum(x, 0, mask=few)), (X * MASK[:, :1]).sum(0), rtol=1e-12
    )
    with pytest.raises(IndexError, match="_input_mask expected broadcastable mask"):
        masked.sum(x, mask=torch.tensor(MASK)[None])


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda x, m: masked.sum(x, (0, 0), mask=m), RuntimeError, "dim=0 appears multiple times"),
        (lambda x, m: masked.sum(x, 2, mask=m), IndexError, "Dimension out of range (expected to"),
        (lambda x, m: masked.mean(x.long(), mask=m), ValueError, "mean(): Could not infer output "),
        (lambda x, m: masked.median(x.long(), 1, mask=m), ValueError, "masked median expects no f"),
        (lambda x, m: masked.amax(x > 0, mask=m), NotImplementedError, "identity of amax on torch"),
    ],
)  # fmt: skip
def test_errors(call, kind, sentence):
    with pytest.raises(kind) as error:
        call(torch.tensor(X), torch.tensor(MASK))
    assert str(error.value).startswith(sentence)
