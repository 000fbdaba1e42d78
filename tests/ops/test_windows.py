"""Window functions, periodic and symmetric: values by their formulas, dtypes, errors."""

import math

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.signal import windows

F64 = torch.float64


def numpy(t):
    return t.detach().numpy()


def phases(n, span):
    return 2 * np.pi * np.arange(n) / span


def kaiser(n, span, beta):
    x = 2 * np.arange(n) / span - 1
    return np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta)


# Name, arguments, and the window of n points, of which the last or the next is the end.
TOP = [
    ("hann_window", {}, lambda n, s: 0.5 - 0.5 * np.cos(phases(n, s))),
    ("hamming_window", {}, lambda n, s: 0.54 - 0.46 * np.cos(phases(n, s))),
    ("hamming_window", {"alpha": 0.6, "beta": 0.3}, lambda n, s: 0.6 - 0.3 * np.cos(phases(n, s))),
    ("blackman_window", {},
     lambda n, s: 0.42 - 0.5 * np.cos(phases(n, s)) + 0.08 * np.cos(2 * phases(n, s))),
    ("bartlett_window", {}, lambda n, s: 1 - np.abs(2 * np.arange(n) / s - 1)),
    ("kaiser_window", {}, lambda n, s: kaiser(n, s, 12.0)),
    ("kaiser_window", {"beta": 3.0}, lambda n, s: kaiser(n, s, 3.0)),
]  # fmt: skip
SIGNAL = [
    ("hann", {}, lambda n, s: 0.5 - 0.5 * np.cos(phases(n, s))),
    ("hamming", {}, lambda n, s: 0.54 - 0.46 * np.cos(phases(n, s))),
    ("general_hamming", {"alpha": 0.7}, lambda n, s: 0.7 - 0.3 * np.cos(phases(n, s))),
    ("general_cosine", {"a": [0.5, 0.3, 0.2]},
     lambda n, s: 0.5 - 0.3 * np.cos(phases(n, s)) + 0.2 * np.cos(2 * phases(n, s))),
    ("nuttall", {}, lambda n, s: sum(
        (-1) ** k * a * np.cos(k * phases(n, s))
        for k, a in enumerate((0.3635819, 0.4891775, 0.1365995, 0.0106411)))),
    ("blackman", {},
     lambda n, s: 0.42 - 0.5 * np.cos(phases(n, s)) + 0.08 * np.cos(2 * phases(n, s))),
    ("bartlett", {}, lambda n, s: 1 - np.abs(2 * np.arange(n) / s - 1)),
    ("kaiser", {"beta": 5.0}, lambda n, s: kaiser(n, s, 5.0)),
    ("gaussian", {"std": 2.0}, lambda n, s: np.exp(-((np.arange(n) - s / 2) ** 2) / 8)),
    ("exponential", {"tau": 3.0}, lambda n, s: np.exp(-np.abs(np.arange(n) - s / 2) / 3)),
    ("cosine", {}, lambda n, s: np.sin(np.pi * (np.arange(n) + 0.5) / (s + 1))),
]  # fmt: skip


@pytest.mark.parametrize("n", [2, 7, 8])
@pytest.mark.parametrize("case", TOP, ids=lambda case: case[0])
def test_top_level(case, n):
    name, arguments, formula = case
    window = getattr(torch, name)
    periodic = window(n, **arguments, dtype=F64)
    np.testing.assert_allclose(numpy(periodic), formula(n, n), atol=1e-14)
    symmetric = window(n, False, **arguments, dtype=F64)
    np.testing.assert_allclose(numpy(symmetric), formula(n, n - 1), atol=1e-14)
    np.testing.assert_allclose(numpy(window(n + 1, False, **arguments, dtype=F64))[:-1],
                               numpy(periodic), atol=1e-14)  # fmt: skip
    single = window(n, **arguments)
    assert single.dtype is torch.float32
    np.testing.assert_allclose(numpy(single), formula(n, n), atol=1e-6)


@pytest.mark.parametrize("n", [2, 7, 8])
@pytest.mark.parametrize("case", SIGNAL, ids=lambda case: case[0])
def test_signal_windows(case, n):
    name, arguments, formula = case
    window = getattr(windows, name)
    np.testing.assert_allclose(
        numpy(window(n, **arguments, dtype=F64)), formula(n, n - 1), atol=1e-14
    )
    periodic = window(n, **arguments, sym=False, dtype=F64)
    np.testing.assert_allclose(numpy(periodic), formula(n, n), atol=1e-14)
    assert window(n, **arguments).dtype is torch.float32
    for few in (0, 1):
        assert torch.equal(window(few, **arguments), torch.ones(few))
    assert window(n, **arguments, requires_grad=True).is_leaf


@pytest.mark.parametrize("name", [case[0] for case in TOP])
def test_edges_of_the_top_level(name):
    window = getattr(torch, name)
    for few in (0, 1):
        assert torch.equal(window(few), torch.ones(few))
    assert window(4, requires_grad=True).requires_grad
    assert window(4, dtype=torch.float16).dtype is torch.float16
    with pytest.raises(RuntimeError, match=f"{name} requires non-negative window_length, got wind"):
        window(-1)
    with pytest.raises(RuntimeError, match=f"{name} expects floating point dtypes, got: "):
        window(3, dtype=torch.int64)


def test_a_large_beta_does_not_overflow():
    assert math.isclose(windows.kaiser(5, beta=1000.0, dtype=F64)[2].item(), 1.0)


def test_exponential_about_another_centre():
    found = windows.exponential(4, center=1, sym=False, dtype=F64)
    np.testing.assert_allclose(numpy(found), np.exp(-np.abs(np.arange(4) - 1.0)), rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: windows.hann(-1), "general_cosine requires non-negative window length, got M=-1"),
        (lambda: windows.cosine(3, dtype=torch.float16), "cosine expects float32 or float64 dtype"),
        (lambda: windows.exponential(3, tau=0), "Tau must be positive, got: 0 instead."),
        (lambda: windows.exponential(3, center=1), "Center must be None for symmetric windows"),
        (lambda: windows.gaussian(3, std=-1), "Standard deviation must be positive, got: -1 inste"),
        (lambda: windows.kaiser(3, beta=-1), "beta must be non-negative, got: -1 instead."),
        (lambda: windows.general_cosine(3, a=[]), "Coefficients cannot be empty"),
    ],
)  # fmt: skip
def test_errors(call, sentence):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value).startswith(sentence)
    with pytest.raises(TypeError, match="Coefficients must be a list/tuple"):
        windows.general_cosine(3, a=1.0)
