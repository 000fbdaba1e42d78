"""Convolutions and their transposes: values against loops, derivatives, parts, unfold and fold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.nn import functional as F
from leafgrad.ops import convolution
from ops.helpers import check_gradients

rng = np.random.default_rng(2)
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def normal(*shape):
    return rng.standard_normal(shape)


def by_loops(x, w, stride, padding, dilation, groups):
    """A convolution, element by element."""
    dims = w.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(padding, padding)] * dims)
    spans = [dilation * (k - 1) + 1 for k in w.shape[2:]]
    size = [(n - s) // stride + 1 for n, s in zip(x.shape[2:], spans, strict=True)]
    made = np.zeros((x.shape[0], w.shape[0], *size), x.dtype)
    each, per = w.shape[1], w.shape[0] // groups
    for at in itertools.product(*map(range, size)):
        window = x[(..., *(slice(stride * a, stride * a + s, dilation)
                           for a, s in zip(at, spans, strict=True)))]  # fmt: skip
        for out in range(w.shape[0]):
            first = out // per * each
            seen = window[:, first : first + each] * w[out]
            made[(slice(None), out, *at)] = seen.reshape(len(x), -1).sum(1)
    return made


CASES = [  # dims, in, out, kernel, size, stride, padding, dilation, groups
    (1, 3, 4, (3,), (9,), 1, 0, 1, 1), (1, 4, 6, (2,), (8,), 2, 1, 2, 2),
    (1, 2, 2, (5,), (5,), 1, 0, 1, 1), (2, 3, 4, (3, 2), (7, 6), 1, 0, 1, 1),
    (2, 3, 5, (3, 3), (6, 7), 1, 2, 1, 1), (2, 4, 6, (2, 3), (9, 8), 2, 1, 2, 2),
    (2, 4, 8, (3, 3), (6, 6), 1, 1, 1, 4), (2, 3, 4, (1, 1), (5, 4), 1, 0, 1, 1),
    (2, 3, 4, (2, 2), (6, 6), 2, 0, 1, 1), (2, 2, 3, (2, 2), (7, 7), 3, 0, 1, 1),
    (2, 1, 2, (4, 4), (4, 4), 1, 0, 1, 1), (2, 12, 2, (3, 3), (3, 3), 1, 1, 1, 1),
    (3, 2, 3, (2, 2, 2), (4, 4, 3), 1, 1, 1, 1), (3, 2, 4, (2, 1, 2), (5, 4, 5), 2, 1, 2, 2),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("room", [1 << 20, 40, 1])
def test_convolution_and_transpose(case, room, monkeypatch):
    monkeypatch.setattr(convolution, "_ROOM", room)  # a little: batches and lines in parts
    dims, channels, out, kernel, size, stride, padding, dilation, groups = case
    x, w, b = normal(3, channels, *size), normal(out, channels // groups, *kernel), normal(out)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    wanted = by_loops(x, w, **options)
    found = CONV[dims](*map(torch.tensor, (x, w, b)), **options)
    shift = b.reshape(-1, *(1,) * dims)
    np.testing.assert_allclose(found.numpy(), wanted + shift, rtol=1e-12, atol=1e-12)
    assert found.is_contiguous()
    # The transpose: <conv(x), y> = <x, transpose(y)>, and what the kernel leaves over is padding.
    y = normal(*wanted.shape)
    left = [(n + 2 * padding - dilation * (k - 1) - 1) % stride
            for n, k in zip(size, kernel, strict=True)]  # fmt: skip
    back = TRANSPOSE[dims](*map(torch.tensor, (y, w)), output_padding=tuple(left), **options)
    assert back.shape == x.shape
    np.testing.assert_allclose((back.numpy() * x).sum(), (wanted * y).sum(), rtol=1e-10)


@pytest.mark.parametrize("case", CASES[1:2] + CASES[3:7] + CASES[8:10] + CASES[-1:], ids=str)
def test_derivatives(case):
    dims, channels, out, kernel, size, stride, padding, dilation, groups = case
    x, w, b = normal(2, channels, *size), normal(out, channels // groups, *kernel), normal(out)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    check_gradients(lambda *args: CONV[dims](*args, **options), x, w, b)
    y = normal(2, out, *(3,) * dims)
    shift = normal(channels)
    check_gradients(lambda *args: TRANSPOSE[dims](*args, **options), y, w, shift)


def test_output_padding_beyond_the_stride():
    x, w = normal(1, 2, 3, 3), normal(2, 1, 2, 2)
    options = {"stride": 1, "dilation": 3, "output_padding": 2}
    found = F.conv_transpose2d(torch.tensor(x), torch.tensor(w), **options)
    assert found.shape == (1, 1, 8, 8) and not found[..., 6:, :].any()
    check_gradients(lambda a, b: F.conv_transpose2d(a, b, **options), x, w)


def test_complex():
    x = normal(2, 2, 5) + 1j * normal(2, 2, 5)
    w = normal(3, 2, 3) + 1j * normal(3, 2, 3)
    found = F.conv1d(torch.tensor(x), torch.tensor(w), padding=1).numpy()
    np.testing.assert_allclose(found, by_loops(x, w, 1, 1, 1, 1), rtol=1e-12)
    check_gradients(lambda a, b: F.conv1d(a, b, stride=2), x, w)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16, torch.float32])
def test_dtypes(dtype):
    x, w = (torch.tensor(np.rint(4 * normal(*shape))).to(dtype)
            for shape in ((2, 3, 4, 4), (2, 3, 2, 2)))  # fmt: skip
    found = F.conv2d(x, w)
    assert found.dtype is dtype
    wanted = by_loops(x.double().numpy(), w.double().numpy(), 1, 0, 1, 1)
    rounded = torch.tensor(wanted).to(dtype).double().numpy()
    np.testing.assert_array_equal(found.double().numpy(), rounded)


def test_strange_memory():
    x = torch.tensor(normal(5, 3, 6, 2)).permute(3, 1, 0, 2)
    w = torch.tensor(normal(8, 3, 3, 2)).transpose(2, 3)[::2]
    wanted = by_loops(x.numpy(), w.numpy(), 1, 1, 1, 1)
    np.testing.assert_allclose(F.conv2d(x, w, padding=1).numpy(), wanted, rtol=1e-12, atol=1e-12)


def test_padding_by_name():
    x, w = torch.tensor(normal(2, 3, 5, 6)), torch.tensor(normal(4, 3, 2, 3))
    found = F.conv2d(x, w, padding="same")
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (0, 1), (1, 1)))
    np.testing.assert_allclose(found.numpy(), by_loops(padded, w.numpy(), 1, 0, 1, 1), rtol=1e-10)
    valid = F.conv2d(x, w, padding="valid")
    np.testing.assert_array_equal(valid.numpy(), F.conv2d(x, w).numpy())


def test_nodes_and_what_they_keep():
    x, w, b = (torch.tensor(normal(*s), requires_grad=True) for s in ((1, 2, 5), (3, 2, 2), (3,)))
    node = F.conv1d(x, w, b).grad_fn
    assert type(node).__name__ == "ConvolutionBackward0" and len(node.next_functions) == 3
    assert node._saved_weight is w
    assert type(F.conv1d(x[0], w).grad_fn).__name__ == "SqueezeBackward1"
    first = F.conv1d(x.detach(), w)
    with torch.no_grad():
        x += 1  # not x.detach(): but they share memory
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        first.sum().backward()


def test_empty_batches():
    x, w = torch.zeros(0, 2, 4, 4, requires_grad=True), torch.ones(3, 2, 3, 3, requires_grad=True)
    found = F.conv2d(x, w, padding=1)
    assert found.shape == (0, 3, 4, 4)
    found.sum().backward()
    assert x.grad.shape == x.shape and not w.grad.any()


def test_time_batch_channels():
    x, w, b = torch.tensor(normal(6, 2, 3)), torch.tensor(normal(3, 3, 4)), torch.tensor(normal(4))
    found = torch.conv_tbc(x, w, b, 1)
    wanted = F.conv1d(x.permute(1, 2, 0), w.permute(2, 1, 0), b, padding=1).permute(2, 0, 1)
    np.testing.assert_allclose(found.numpy(), wanted.numpy())


def test_gradients_as_functions():
    x, w, g = (torch.tensor(normal(*s)) for s in ((2, 3, 6, 5), (4, 3, 2, 2), (2, 4, 3, 2)))
    x.requires_grad_()
    w.requires_grad_()
    (F.conv2d(x, w, stride=2) * g).sum().backward()
    by_input = torch.nn.grad.conv2d_input(x.shape, w, g, stride=2)
    by_weight = torch.nn.grad.conv2d_weight(x, w.shape, g, stride=2)
    np.testing.assert_allclose(by_input.detach().numpy(), x.grad.numpy())
    np.testing.assert_allclose(by_weight.detach().numpy(), w.grad.numpy())


# Unfold and fold

BLOCKS = [{"kernel_size": 2}, {"kernel_size": (2, 3), "padding": 1, "stride": 2},
          {"kernel_size": 2, "dilation": 2}, {"kernel_size": 3, "stride": 3},
          {"kernel_size": 1}]  # fmt: skip


@pytest.mark.parametrize("options", BLOCKS, ids=str)
def test_unfold_and_fold(options):
    x = normal(2, 3, 6, 7)
    cols = F.unfold(torch.tensor(x), **options)
    kernel = options["kernel_size"]
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    # Columns times the weights are the convolution.
    w = normal(4, 3, *kernel)
    rest = {k: v for k, v in options.items() if k != "kernel_size"}
    wanted = F.conv2d(torch.tensor(x), torch.tensor(w), **rest).numpy()
    np.testing.assert_allclose((w.reshape(4, -1) @ cols.numpy()).reshape(wanted.shape), wanted)
    y = normal(*cols.shape)
    back = F.fold(torch.tensor(y), (6, 7), **options)
    np.testing.assert_allclose((back.numpy() * x).sum(), (cols.numpy() * y).sum())
    check_gradients(lambda a: F.unfold(a, **options), x)
    check_gradients(lambda a: F.fold(a, (6, 7), **options), y)
    assert not np.shares_memory(cols.numpy(), x)


def test_fold_of_unfold_counts_how_often_each_is_seen():
    ones = torch.ones(1, 1, 4, 4)
    seen = F.fold(F.unfold(ones, 2), 4, 2)
    edge = [1, 2, 2, 1]
    assert seen[0, 0].tolist() == np.outer(edge, edge).tolist()
    assert F.unfold(torch.ones(2, 4, 4), 3).shape == (18, 4)
