"""Fourier transforms: values by the definition, gradients, sizes, norms, errors; stft and istft."""

import itertools
import warnings

import numpy as np
import pytest

import leafgrad as torch
from ops.helpers import check_gradients

fft = torch.fft
generator = np.random.default_rng(11)
REAL = generator.standard_normal((3, 6))
COMPLEX = REAL + 1j * generator.standard_normal((3, 6))
ODD = generator.standard_normal((2, 5))
CUBE = generator.standard_normal((2, 3, 4)) + 1j * generator.standard_normal((2, 3, 4))
STRIDED = generator.standard_normal((8, 6))[::2, ::2].T
NORMS = [None, "backward", "ortho", "forward"]


def numpy(t):
    return t.detach().numpy()


def dft(x, axis, sign=-1):
    """The sums of the definition, nothing divided."""
    n = x.shape[axis]
    kernel = np.exp(sign * 2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    return np.moveaxis(np.moveaxis(x, axis, -1) @ kernel, -1, axis)


def divisor(n, norm, forward):
    if norm == "ortho":
        return np.sqrt(n)
    return n if (norm == "forward") == forward else 1


def resized(x, n, axis):
    widths = [
        (0, max(n - x.shape[axis], 0)) if d == axis % x.ndim else (0, 0) for d in range(x.ndim)
    ]
    return np.take(np.pad(x, widths), np.arange(n), axis)


@pytest.mark.parametrize(
    "array", [REAL, COMPLEX, ODD, STRIDED], ids=["real", "complex", "odd", "strided"]
)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dim", [0, -1])
def test_one_dimension_by_the_definition(array, norm, dim):
    n = array.shape[dim]
    x = torch.from_numpy(array)
    expected = dft(array, dim) / divisor(n, norm, True)
    np.testing.assert_allclose(numpy(fft.fft(x, dim=dim, norm=norm)), expected, atol=1e-12)
    inverse = dft(array, dim, +1) / divisor(n, norm, False)
    np.testing.assert_allclose(numpy(fft.ifft(x, dim=dim, norm=norm)), inverse, atol=1e-12)
    if array.dtype.kind == "f":
        half = np.take(expected, np.arange(n // 2 + 1), dim)
        one_sided = fft.rfft(x, dim=dim, norm=norm)
        np.testing.assert_allclose(numpy(one_sided), half, atol=1e-12)
        back = fft.irfft(one_sided, n=n, dim=dim, norm=norm)
        np.testing.assert_allclose(numpy(back), array, atol=1e-12)
        mirrored = np.take(inverse, np.arange(n // 2 + 1), dim)
        halves = fft.ihfft(x, dim=dim, norm=norm)
        np.testing.assert_allclose(numpy(halves), mirrored, atol=1e-12)
        again = fft.hfft(halves, n=n, dim=dim, norm=norm)
        np.testing.assert_allclose(numpy(again), array, atol=1e-12)


@pytest.mark.parametrize("n", [3, 5, 6, 9])
def test_sizes_cut_off_or_filled_up(n):
    for array in (REAL, COMPLEX):
        x = torch.tensor(array)
        np.testing.assert_allclose(numpy(fft.fft(x, n)), dft(resized(array, n, -1), -1), atol=1e-12)
    found = fft.irfft(torch.tensor(COMPLEX), n)
    half = resized(COMPLEX, n // 2 + 1, -1)
    half[:, 0] = half[:, 0].real  # what no real signal has is not looked at
    if n % 2 == 0:
        half[:, -1] = half[:, -1].real
    rest = np.conj(half[:, 1 : (n + 1) // 2][:, ::-1])
    expected = dft(np.concatenate([half, rest], 1), 1, +1) / n
    np.testing.assert_allclose(numpy(found), expected.real, atol=1e-12)
    assert np.abs(expected.imag).max() < 1e-12


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dims", [None, (0, 2), (2, 0), (1,)])
def test_several_dimensions(norm, dims):
    x = torch.tensor(CUBE)
    expected = CUBE
    for d in dims or range(3):
        expected = dft(expected, d) / divisor(CUBE.shape[d], norm, True)
    found = fft.fftn(x, dim=dims, norm=norm)
    np.testing.assert_allclose(numpy(found), expected, atol=1e-12)
    np.testing.assert_allclose(numpy(fft.ifftn(found, dim=dims, norm=norm)), CUBE, atol=1e-12)
    real = torch.tensor(CUBE.real)
    last = (dims or (0, 1, 2))[-1]
    half = np.take(
        numpy(fft.fftn(real, dim=dims, norm=norm)), np.arange(CUBE.shape[last] // 2 + 1), last
    )
    one_sided = fft.rfftn(real, dim=dims, norm=norm)
    np.testing.assert_allclose(numpy(one_sided), half, atol=1e-12)
    sizes = [CUBE.shape[d] for d in dims or range(3)]
    back = fft.irfftn(one_sided, s=sizes, dim=dims, norm=norm)
    np.testing.assert_allclose(numpy(back), CUBE.real, atol=1e-12)
    halves = fft.ihfftn(real, s=sizes, dim=dims, norm=norm)
    again = fft.hfftn(halves, s=sizes, dim=dims, norm=norm)
    np.testing.assert_allclose(numpy(again), CUBE.real, atol=1e-12)


def test_two_dimensions_are_the_last_ones():
    x = torch.tensor(CUBE)
    for name in ("fft", "ifft", "irfft", "hfft"):
        two, several = getattr(fft, name + "2"), getattr(fft, name + "n")
        np.testing.assert_array_equal(numpy(two(x)), numpy(several(x, dim=(-2, -1))))
        np.testing.assert_array_equal(numpy(two(x, (4, 4))), numpy(several(x, (4, 4))))
    for name in ("rfft", "ihfft"):
        two, several = getattr(fft, name + "2"), getattr(fft, name + "n")
        np.testing.assert_array_equal(numpy(two(x.real)), numpy(several(x.real, dim=(1, 2))))


CALLS = {
    "fft": lambda x: fft.fft(x, dim=0, norm="ortho"),
    "fft n": lambda x: fft.fft(x, 8),
    "ifft": lambda x: fft.ifft(x, 4),
    "fftn": lambda x: fft.fftn(x, (4, 4)),
    "ifft2": fft.ifft2,
    "fftshift": lambda x: fft.ifftshift(fft.fftshift(x) * x),
}
OF_REAL = {
    "rfft": lambda x: fft.rfft(x, 5, norm="forward"),
    "rfft even": fft.rfft,
    "ihfft": fft.ihfft,
    "rfft2": fft.rfft2,
    "ihfftn": lambda x: fft.ihfftn(x, norm="ortho"),
}
OF_COMPLEX = {
    "irfft": lambda x: fft.irfft(x, 7),
    "irfft even": lambda x: fft.irfft(x, dim=0),
    "hfft": lambda x: fft.hfft(x, 8, norm="ortho"),
    "irfftn": lambda x: fft.irfftn(x, (4, 5)),
    "hfft2": fft.hfft2,
}


@pytest.mark.parametrize("name", [*CALLS, *OF_REAL, *OF_COMPLEX])
def test_gradients(name):
    call = {**CALLS, **OF_REAL, **OF_COMPLEX}[name]
    if name not in OF_COMPLEX:
        check_gradients(lambda x: call(x) * call(x), REAL)
    if name not in OF_REAL:
        check_gradients(lambda x: call(x) * call(x), COMPLEX)


def test_dtypes_nodes_and_numpys_names():
    for made, kind in ((torch.float32, torch.complex64), (torch.float64, torch.complex128),
                       (torch.int64, torch.complex64), (torch.bool, torch.complex64)):  # fmt: skip
        x = torch.ones(2, 4, dtype=made)
        assert fft.fft(x).dtype is fft.rfftn(x).dtype is fft.fft2(x).dtype is kind
        assert fft.irfft(x).dtype is fft.hfft2(x).dtype is kind.to_real()
    x = torch.tensor(REAL, requires_grad=True)
    names = [fft.fft(x), fft.fftn(x), fft.rfft(x), fft.irfft(x), fft.ihfft(x)]
    assert [t.grad_fn.name() for t in names] == [
        "FftR2CBackward0", "FftC2CBackward0", "FftR2CBackward0", "FftC2RBackward0",
        "ConjBackward0",
    ]  # fmt: skip
    found = np.fft.rfft(x, 5)
    assert found.grad_fn is not None
    np.testing.assert_array_equal(numpy(found), np.fft.rfft(REAL, 5))
    np.testing.assert_array_equal(numpy(np.fft.fftshift(x, axes=1)), np.fft.fftshift(REAL, 1))


def test_out_and_empty():
    out = torch.empty(3, 6, dtype=torch.complex128)
    x = torch.tensor(REAL)
    assert fft.fft(x, out=out) is out
    np.testing.assert_array_equal(numpy(out), numpy(fft.fft(x)))
    with pytest.raises(RuntimeError, match="rfft expects a complex output tensor, but got Double"):
        fft.rfft(x, out=torch.empty(3, 4, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="irfftn expects a floating point output tensor, but g"):
        fft.irfftn(x, out=out)
    assert fft.fft(torch.ones(0, 3)).shape == (0, 3)
    assert torch.equal(fft.fftn(x, dim=()), x.to(torch.complex128))


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda x: fft.fft(x.half()), RuntimeError, "Unsupported dtype Half"),
        (lambda x: fft.fft(x, 0), RuntimeError, "Invalid number of data points (0) specified"),
        (lambda x: fft.irfft(x[:, :1]), RuntimeError, "Invalid number of data points (0) specif"),
        (lambda x: fft.fft(x, dim=2), IndexError, "Dimension out of range (expected to be in ra"),
        (lambda x: fft.fft(x[0, 0]), IndexError, "Dimension specified as -1 but tensor has no d"),
        (lambda x: fft.fft(x, norm="x"), RuntimeError, 'Invalid normalization mode: "x"'),
        (lambda x: fft.rfft(x + 0j), RuntimeError, "rfft expects a real input tensor, but got Co"),
        (lambda x: fft.rfftn(x + 0j), RuntimeError, "rfftn expects a real-valued input tensor, b"),
        (lambda x: fft.rfftn(x, dim=()), RuntimeError, "rfftn must transform at least one axis"),
        (lambda x: fft.fftn(x, (2, 2, 2)), RuntimeError, "Got shape with 3 values but input tens"),
        (lambda x: fft.fftn(x, (2,), (0, 1)), RuntimeError, "When given, dim and shape arguments"),
        (lambda x: fft.fftn(x, dim=(0, 0)), RuntimeError, "FFT dims must be unique"),
        (lambda x: fft.fft([1, 2]), TypeError, "fft_fft(): argument 'input' (position 1) must be"),
        (lambda x: fft.fft(x, 2.5), TypeError, "fft_fft(): argument 'n' must be int, not float"),
        (lambda x: fft.fftfreq(5, dtype=torch.int64), RuntimeError, "fftfreq requires a floating"),
        (lambda x: fft.fftshift(x[0, 0]), RuntimeError, "`shifts` required"),
    ],
)
def test_errors(call, kind, sentence):
    with pytest.raises(kind) as error:
        call(torch.tensor(REAL))
    assert str(error.value).startswith(sentence)


def test_frequencies():
    for n, d in itertools.product((1, 2, 5, 8), (1.0, 0.25)):
        np.testing.assert_allclose(numpy(fft.fftfreq(n, d, dtype=torch.float64)),
                                   np.fft.fftfreq(n, d), rtol=1e-15)  # fmt: skip
        np.testing.assert_allclose(numpy(fft.rfftfreq(n, d, dtype=torch.float64)),
                                   np.fft.rfftfreq(n, d), rtol=1e-15)  # fmt: skip
    assert fft.fftfreq(4, requires_grad=True).is_leaf and fft.fftfreq(0).shape == (0,)
    ascending = fft.fftshift(fft.fftfreq(5))
    assert torch.equal(ascending, ascending.sort().values)
    assert torch.equal(fft.ifftshift(ascending), fft.fftfreq(5))


# Short-time transforms

SIGNAL = generator.standard_normal((2, 40))
WINDOW = np.hanning(9)[:8] + 0.1


def frames(signal, size, hop):
    return np.stack(
        [signal[..., i : i + size] for i in range(0, signal.shape[-1] - size + 1, hop)], -1
    )


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("normalized", [True, False])
def test_stft_by_the_definition(center, normalized):
    window = torch.tensor(WINDOW)
    found = torch.tensor(SIGNAL).stft(
        8, 3, window=window, center=center, normalized=normalized, return_complex=True
    )
    padded = np.pad(SIGNAL, ((0, 0), (4, 4)), "reflect") if center else SIGNAL
    expected = dft(frames(padded, 8, 3) * WINDOW[:, None], 1)[:, :5]
    np.testing.assert_allclose(
        numpy(found), expected / (np.sqrt(8) if normalized else 1), atol=1e-12
    )
    both = torch.stft(torch.tensor(SIGNAL), 8, 3, window=window, center=center, onesided=False,
                      normalized=normalized, return_complex=True)  # fmt: skip
    assert both.shape[1] == 8
    np.testing.assert_allclose(numpy(both)[:, :5], numpy(found), atol=1e-12)


def test_stft_of_a_short_window_and_of_one_signal():
    window = np.array([1.0, 2, 3, 1])
    call = dict(hop_length=2, win_length=4, window=torch.tensor(window), center=False)
    found = torch.stft(torch.tensor(SIGNAL[0]), 8, **call, return_complex=True)
    full = np.pad(window, 2)
    np.testing.assert_allclose(
        numpy(found), dft(frames(SIGNAL[0], 8, 2) * full[:, None], 0)[:5], atol=1e-12
    )
    parts = torch.stft(torch.tensor(SIGNAL[0]), 8, **call, return_complex=False)
    np.testing.assert_array_equal(numpy(parts)[..., 1], numpy(found).imag)
    aligned = torch.stft(
        torch.tensor(SIGNAL[0]), 8, **call, align_to_window=True, return_complex=True
    )
    assert aligned.shape[1] == (40 - 4) // 2 + 1


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("center", [True, False])
def test_istft_inverts_stft(whole, center):
    signal = SIGNAL + 1j * SIGNAL[::-1] if whole else SIGNAL
    call = dict(n_fft=8, hop_length=2, window=torch.tensor(WINDOW), center=center)
    spectra = torch.stft(torch.tensor(signal), **call, return_complex=True)
    back = torch.istft(spectra, **call, return_complex=whole, length=40)
    np.testing.assert_allclose(numpy(back), signal, atol=1e-12)
    assert spectra[0].istft(**call, return_complex=whole).shape == (40,)
    with pytest.warns(UserWarning, match="The length of signal is shorter than the length param"):
        longer = torch.istft(spectra, **call, return_complex=whole, length=60)
    assert longer.shape == (2, 60) and numpy(longer)[:, 50:].any() == False  # noqa: E712


def test_gradients_of_short_time_transforms():
    check_gradients(
        lambda x, w: torch.stft(x, 8, 3, window=w, return_complex=True).abs() ** 2, SIGNAL, WINDOW
    )
    spectra = numpy(torch.stft(torch.tensor(SIGNAL[0]), 8, 3, window=torch.tensor(WINDOW),
                               return_complex=True))  # fmt: skip
    check_gradients(lambda z, w: torch.istft(z, 8, 3, window=w) ** 2, spectra, WINDOW)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x, w: torch.stft(x, 8, window=w), "stft requires the return_complex parameter be "),
        (lambda x, w: torch.stft(x + 0j, 8, window=w, onesided=True), "Cannot have onesided outpu"),
        (lambda x, w: x.stft(8, window=w, center=True, align_to_window=True), "stft align_to_wind"),
        (lambda x, w: x.stft(50, center=False, return_complex=True, window=torch.ones(50)),
         "stft(torch.DoubleTensor[2, 40], n_fft=50, hop_length=12, win_length=50, window=torch."
         "FloatTensor{[50]}, normalized=0, onesided=None, return_complex=1, align_to_window=None) :"
         " expected 0 < n_fft < 40, but got n_fft=50"),
        (lambda x, w: torch.istft(x[None], 8, window=w), "istft requires a complex-valued input"),
        (lambda x, w: torch.istft(x[None] + 0j, 8, window=w),
         "istft(CPUComplexDoubleType[1, 2, 40], n_fft=8, hop_length=2, win_length=8, window=torch."
         "DoubleTensor{[8]}, center=1, normalized=0, onesided=None, length=None, return_complex=0)"
         " : expected the frequency dimension (3rd to the last) of the input tensor to match "
         "n_fft / 2 + 1 when onesided=True, but got 2"),
        (lambda x, w: torch.istft(torch.ones(5, 9) + 0j, 8, window=w * 0),
         "istft(CPUComplexFloatType[5, 9], n_fft=8"),
    ],
)  # fmt: skip
def test_errors_of_short_time_transforms(call, sentence):
    with pytest.raises(RuntimeError) as error:
        call(torch.tensor(SIGNAL), torch.tensor(WINDOW))
    assert str(error.value).startswith(sentence)


def test_a_missing_window_warns():
    x = torch.tensor(SIGNAL)
    with pytest.warns(UserWarning, match="A window was not provided"):
        spectra = torch.stft(x, 8, return_complex=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(spectra, torch.stft(x, 8, window=torch.ones(8), return_complex=True))
