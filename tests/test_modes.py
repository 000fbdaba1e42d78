"""Grad modes, inference mode, anomaly mode."""

import warnings

import pytest

import leafgrad as torch


def test_no_grad_as_context_and_decorator():
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        assert not (x * 2.0).requires_grad

    @torch.no_grad()
    def once(t):
        return t * 2.0

    @torch.no_grad
    def bare(t):
        return t * 2.0

    assert not once(x).requires_grad and not bare(x).requires_grad
    assert (x * 2.0).requires_grad


def test_modes_nest_and_come_back():
    with torch.no_grad():
        with torch.enable_grad():
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    with pytest.raises(ValueError), torch.no_grad():
        raise ValueError
    assert torch.is_grad_enabled()


def test_one_context_object_can_be_entered_again():
    off = torch.no_grad()
    with off:
        with off:
            assert not torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_set_grad_enabled_acts_at_once():
    torch.set_grad_enabled(False)
    try:
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert repr(torch.set_grad_enabled(True)) == (
        "torch.autograd.grad_mode.set_grad_enabled(mode=True)"
    )


def test_generators_keep_the_mode_to_themselves():
    @torch.no_grad()
    def numbers():
        for _ in range(2):
            yield torch.is_grad_enabled()

    g = numbers()
    assert next(g) is False
    assert torch.is_grad_enabled()
    assert list(g) == [False]


def test_factories_with_requires_grad_are_honoured_in_no_grad():
    with torch.no_grad():
        assert torch.ones(2, requires_grad=True).requires_grad


def test_inference_mode():
    x = torch.ones(2, requires_grad=True)
    with torch.inference_mode():
        y = x * 2.0
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
    assert y.is_inference() and not y.requires_grad
    assert not torch.is_inference_mode_enabled()
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside"):
        y.add_(1.0)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        x * y
    assert (x + y).requires_grad  # nothing saved, so allowed
    with pytest.raises(RuntimeError, match="Inference tensors do not track version counter"):
        y._version
    with pytest.raises(RuntimeError, match="Setting requires_grad=True on inference tensor"):
        y.requires_grad_()


def test_inference_mode_as_decorator():
    @torch.inference_mode()
    def f(t):
        return t * 2.0

    assert f(torch.ones(2)).is_inference()


def test_anomaly_mode_names_the_expression():
    x = torch.zeros(1, requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mode = torch.autograd.detect_anomaly()
    assert "Anomaly Detection has been enabled" in str(caught[0].message)
    with warnings.catch_warnings(record=True) as caught, mode:
        warnings.simplefilter("always")
        y = torch.sqrt(x)
        with pytest.raises(RuntimeError) as error:
            (y * 0.0).backward()
    assert str(error.value).startswith("Function 'SqrtBackward0' returned nan values in its 0th")
    assert "`torch.sqrt(x)`" in str(error.value)
    assert any("Error detected in SqrtBackward0" in str(w.message) for w in caught)
    assert not torch.is_anomaly_enabled()


def test_saved_tensor_hooks_pack_and_unpack():
    packed = []

    def pack(t):
        packed.append(t)
        return t.tolist()

    def unpack(values):
        return torch.tensor(values, dtype=torch.float64)

    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = torch.exp(x) * x
    y.sum().backward()
    assert len(packed) == 3
    expected = (1 + x) * torch.exp(x)
    assert torch.allclose(x.grad, expected.detach())


def test_saved_tensor_hooks_can_be_refused():
    graph = torch.autograd.graph
    with graph.disable_saved_tensors_hooks("nope"), pytest.raises(RuntimeError, match="nope"):
        graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()
