"""Discrete Fourier transforms, over one dimension and several, and short-time transforms.

Three primitives do all of it: complex to complex, real to complex, and complex to real. Transforms
are symmetric, so that of the first the rule is itself; the other two are each other's. What stands
in `leafgrad.fft` is here; the namespace itself only lists it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..device import require_cpu
from ..dtypes import BY_NAME, from_numpy_dtype, get_default_dtype
from ..graph.operator import op, write_out
from ..graph.source import fail
from ..tensor import Tensor, normal_dim, wrap
from .casting import cast
from .creation import made
from .elementwise import conj, view_as_real
from .indexing import slice_dim
from .layers import pad
from .shape import constant_pad_nd, roll, unfold_backward

__all__ = ["istft", "stft"]
METHODS = ("istft", "stft")


# The primitives. norm: what divides the sums, 1 ("none"), √n ("ortho") or n ("n")


_FORWARD = {"none": "backward", "ortho": "ortho", "n": "forward"}  # NumPy's words for it
_INVERSE = {"none": "forward", "ortho": "ortho", "n": "backward"}


def _check_width(input: Any) -> None:
    if input.dtype.itemsize == 2:
        fail(RuntimeError, "MKL FFT doesn't support tensors of type: "
                           f"{from_numpy_dtype(input.dtype).legacy}")  # fmt: skip


@op(node="FftC2CBackward0", linear=True)
def fft_c2c(input, /, dim, norm, forward):
    """Σ x[j] exp(∓2πi jk/n) of complex numbers over the dimensions `dim` (- if `forward`)."""
    if not dim:
        return input.copy()
    if len(dim) == 1:
        if forward:
            return np.fft.fft(input, axis=dim[0], norm=_FORWARD[norm])
        return np.fft.ifft(input, axis=dim[0], norm=_INVERSE[norm])
    if forward:
        return np.fft.fftn(input, axes=dim, norm=_FORWARD[norm])
    return np.fft.ifftn(input, axes=dim, norm=_INVERSE[norm])


@op(node="FftR2CBackward0", linear=True, check=_check_width)
def fft_r2c(input, /, dim, norm, onesided):
    """The forward transform of real numbers. onesided: of the last one of `dim` only the first
    n // 2 + 1 frequencies; the others are the conjugates of those."""
    if onesided:
        return np.fft.rfftn(input, axes=dim, norm=_FORWARD[norm])
    return np.fft.fftn(input, axes=dim, norm=_FORWARD[norm])


@op(node="FftC2RBackward0", linear=True)
def fft_c2r(input, /, dim, norm, size):
    """The inverse transform of one-sided frequencies to real numbers, of which there are `size`
    along the last one of `dim`."""
    sizes = [input.shape[d] for d in dim]
    return np.fft.irfftn(input, s=[*sizes[:-1], size], axes=dim, norm=_INVERSE[norm])


def _scaled_inside(x: Any, dim: int, size: int, factor: float) -> Any:
    """One-sided frequencies, times `factor` where a frequency stands for its conjugate, too."""
    inside = np.arange(size // 2 + 1) % size != 0
    if size % 2 == 0:
        inside[-1] = False
    shape = [1] * x.ndim
    shape[dim] = len(inside)
    return np.where(np.reshape(inside, shape), x * factor, x)


def _r2c_vjp_input(g: Any, input_shape: Any, dim: Any, norm: str, onesided: bool) -> Any:
    if not onesided:
        return fft_c2c(g, dim, norm, True)
    size = input_shape[dim[-1]]
    return fft_c2r(_scaled_inside(np.conj(g), dim[-1], size, 0.5), dim, norm, size)


def _c2r_vjp_input(g: Any, dim: Any, norm: str, size: int) -> Any:
    return _scaled_inside(np.conj(fft_r2c(g, dim, norm, True)), dim[-1], size, 2.0)


fft_c2c.vjp(input=lambda g, dim, norm, forward: fft_c2c(g, dim, norm, forward))
fft_r2c.vjp(input=_r2c_vjp_input)
fft_c2r.vjp(input=_c2r_vjp_input)


# Arguments


_IS = {"complex": "is_complex", "floating point": "is_floating_point"}


def _fft_function(kind: str = "") -> Any:
    """A public transform: `input` must be a tensor; `out=` takes tensors of this kind."""

    def public(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        called = "fftn" if name == "ifftn" else name  # as PyTorch's message has it

        @functools.wraps(function)
        def call(input: Any, *args: Any, out: Any = None, **kwargs: Any) -> Any:
            if not isinstance(input, Tensor):
                fail(TypeError, f"fft_{name}(): argument 'input' (position 1) must be Tensor, not "
                                f"{type(input).__name__}")  # fmt: skip
            if out is None:
                return function(input, *args, **kwargs)
            if kind and not getattr(out.dtype, _IS[kind]):
                fail(RuntimeError, f"{called} expects a {kind} output tensor, but got "
                                   f"{out.dtype.legacy}")  # fmt: skip
            return write_out(f"fft_{name}", out, function, (input, *args), kwargs)

        return call

    return public


def _index(value: Any, name: str, argument: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        fail(TypeError, f"fft_{name}(): argument '{argument}' must be int, not "
                        f"{type(value).__name__}")  # fmt: skip
    return int(value)


def _normalised(norm: str | None, forward: bool) -> str:
    """The primitives' `norm`."""
    if norm is None or norm == "backward":
        return "none" if forward else "n"
    if norm == "forward":
        return "n" if forward else "none"
    if norm != "ortho":
        fail(RuntimeError, f'Invalid normalization mode: "{norm}"')
    return norm


def _check_points(n: int) -> None:
    if n < 1:
        fail(RuntimeError, f"Invalid number of data points ({n}) specified")


def _dim(dim: int, ndim: int) -> int:
    if not ndim:
        fail(IndexError, f"Dimension specified as {dim} but tensor has no dimensions")
    return normal_dim(dim, ndim)


def _one(input: Tensor, n: Any, dim: Any, name: str, half: bool = False) -> tuple[int, int]:
    """The dimension, counted from 0, and the size of the signal of a transform along one.

    half: the input has one-sided frequencies
    """
    d = _dim(_index(dim, name, "dim"), input._array.ndim)
    if n is None:
        n = 2 * (input.shape[d] - 1) if half else input.shape[d]
    else:
        n = _index(n, name, "n")
    _check_points(n)
    return d, n


def _several(input: Tensor, s: Any, dim: Any, half: str = "") -> tuple[tuple[int, ...], list[int]]:
    """The dimensions, counted from 0, and the signal's sizes of a transform along several.

    half: the name of a transform whose input has one-sided frequencies
    """
    shape = input._array.shape
    if isinstance(dim, int):
        dim = (dim,)
    if isinstance(s, int):
        s = (s,)
    if dim is not None:
        dims = tuple(_dim(_index(d, "fftn", "dim"), len(shape)) for d in dim)
        if len(set(dims)) < len(dims):
            fail(RuntimeError, "FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            fail(RuntimeError, "When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > len(shape):
            fail(RuntimeError, f"Got shape with {len(s)} values but input tensor only has "
                               f"{len(shape)} dimensions.")  # fmt: skip
        dims = tuple(range(len(shape) - len(s), len(shape)))
    else:
        dims = tuple(range(len(shape)))
    given = [-1] * len(dims) if s is None else [_index(n, "fftn", "s") for n in s]
    sizes = [shape[d] if n == -1 else n for n, d in zip(given, dims, strict=True)]
    if half:
        if not dims:
            fail(RuntimeError, f"{half} must transform at least one axis")
        if given[-1] == -1:
            sizes[-1] = 2 * (shape[dims[-1]] - 1)
    for n in sizes:
        _check_points(n)
    return dims, sizes


def _resized(input: Tensor, dims: tuple[int, ...], sizes: list[int]) -> Tensor:
    """The input cut off, or with zeros after it, to sizes along dimensions."""
    shape = input._array.shape
    more = [0] * (2 * len(shape))
    for d, n in zip(dims, sizes, strict=True):
        if n < shape[d]:
            input = slice_dim(input, d, 0, n, 1)
        elif n > shape[d]:
            more[2 * (len(shape) - 1 - d) + 1] = n - shape[d]
    return constant_pad_nd(input, more) if any(more) else input


def _floating(input: Tensor) -> Tensor:
    """The input in a dtype that can be transformed: integers in the default one."""
    kind = input.dtype
    if kind.category < 2:
        return cast(input, get_default_dtype())
    if kind.itemsize < 4:
        fail(RuntimeError, f"Unsupported dtype {kind.legacy}")
    return input


def _complex(input: Tensor) -> Tensor:
    """The input as complex numbers."""
    floating = _floating(input)
    return cast(floating, floating.dtype.to_complex())


def _check_real(input: Tensor, name: str) -> None:
    if input.dtype.is_complex:
        fail(RuntimeError, f"{name} expects a real input tensor, but got {input.dtype.legacy}")


# Along one dimension


def _of_real(input: Tensor, n: Any, dim: Any, norm: Any, name: str, forward: bool,
             onesided: bool) -> Tensor:  # fmt: skip
    _check_real(input, name)
    input = _floating(input)
    d, n = _one(input, n, dim, name)
    found = fft_r2c(_resized(input, (d,), [n]), (d,), _normalised(norm, forward), onesided)
    return found if forward else conj(found)


def _of_any(input: Tensor, n: Any, dim: Any, norm: Any, name: str, forward: bool) -> Tensor:
    if not input.dtype.is_complex:
        return _of_real(input, n, dim, norm, name, forward, False)
    d, n = _one(input, n, dim, name)
    return fft_c2c(_resized(input, (d,), [n]), (d,), _normalised(norm, forward), forward)


@_fft_function("complex")
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The discrete Fourier transform along a dimension: Σ x[j] exp(-2πi jk/n).

    n: how many points are transformed; the input is cut off there, or zeros are added
    norm: "backward" (None) divides nothing, "ortho" by √n, "forward" by n
    """
    return _of_any(input, n, dim, norm, "fft", True)


@_fft_function("complex")
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `fft`: Σ x[k] exp(2πi jk/n) / n."""
    return _of_any(input, n, dim, norm, "ifft", False)


@_fft_function("complex")
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform of real numbers: the first n // 2 + 1 frequencies of `fft`. f[n] -> c[n//2+1].

    The others are the conjugates of those.
    """
    return _of_real(input, n, dim, norm, "rfft", True, True)


@_fft_function("floating point")
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `rfft`: c[m] -> f[n], where n is 2(m - 1) unless given."""
    return _to_real(input, n, dim, norm, "irfft", False)


@_fft_function("floating point")
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform of a signal with x[-j] = conj(x[j]), given by its first half: a real one."""
    return _to_real(input, n, dim, norm, "hfft", True)


def _to_real(input: Tensor, n: Any, dim: Any, norm: Any, name: str, forward: bool) -> Tensor:
    input = _complex(input)
    given = n is not None
    d, n = _one(input, n, dim, name, half=True)
    if given:
        input = _resized(input, (d,), [n // 2 + 1])
    return fft_c2r(conj(input) if forward else input, (d,), _normalised(norm, forward), n)


@_fft_function("complex")
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`."""
    return _of_real(input, n, dim, norm, "ihfft", False, True)


# Along several dimensions


def _along(input: Tensor, s: Any, dim: Any, norm: Any, forward: bool) -> Tensor:
    input = _complex(input)
    dims, sizes = _several(input, s, dim)
    return fft_c2c(_resized(input, dims, sizes), dims, _normalised(norm, forward), forward)


@_fft_function("complex")
def fftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fft` along several dimensions (all, or as many as `s` has); s: how many points of each."""
    return _along(input, s, dim, norm, True)


@_fft_function("complex")
def ifftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`ifft` along several dimensions; see `fftn`."""
    return _along(input, s, dim, norm, False)


@_fft_function("complex")
def rfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`rfft` along the last one of several dimensions, `fft` along the others; see `fftn`."""
    if input.dtype.is_complex:
        fail(RuntimeError, "rfftn expects a real-valued input tensor, but got "
                           f"{input.dtype.legacy}")  # fmt: skip
    input = _floating(input)
    dims, sizes = _several(input, s, dim)
    if not dims:
        fail(RuntimeError, "rfftn must transform at least one axis")
    return fft_r2c(_resized(input, dims, sizes), dims, _normalised(norm, True), True)


@_fft_function("floating point")
def irfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`; its last size is 2(m - 1) unless `s` says otherwise."""
    input = _complex(input)
    dims, sizes = _several(input, s, dim, "irfftn")
    input = _resized(input, dims, [*sizes[:-1], sizes[-1] // 2 + 1])
    return fft_c2r(input, dims, _normalised(norm, False), sizes[-1])


@_fft_function("floating point")
def hfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`hfft` along the last one of several dimensions, `fft` along the others; see `fftn`."""
    input = _complex(input)
    dims, sizes = _several(input, s, dim, "hfftn")
    input = _resized(input, dims, [*sizes[:-1], sizes[-1] // 2 + 1])
    mode = _normalised(norm, True)
    if len(dims) > 1:
        input = fft_c2c(input, dims[:-1], mode, True)
    return fft_c2r(conj(input), dims[-1:], mode, sizes[-1])


@_fft_function("complex")
def ihfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`."""
    if input.dtype.is_complex:
        fail(RuntimeError, "Only supports floating-point dtypes, but found: "
                           f"{input.dtype.legacy}")  # fmt: skip
    input = _floating(input)
    dims, sizes = _several(input, s, dim)
    if not dims:
        fail(RuntimeError, "ihfftn must transform at least one axis")
    mode = _normalised(norm, False)
    found = conj(fft_r2c(_resized(input, dims, sizes), dims[-1:], mode, True))
    return fft_c2c(found, dims[:-1], mode, False) if len(dims) > 1 else found


def _over_two(function: Any) -> Any:
    """A transform along several dimensions, for the last two."""
    name = function.__name__.replace("n", "2")

    def transform(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
                  out: Tensor | None = None) -> Tensor:  # fmt: skip
        return function(input, s, dim, norm, out=out)

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"`{function.__name__}` along two dimensions, the last ones."
    return transform


fft2, ifft2, rfft2, irfft2, hfft2, ihfft2 = map(
    _over_two, (fftn, ifftn, rfftn, irfftn, hfftn, ihfftn)
)


# Frequencies, and their order


def _frequencies(name: str, n: int, d: float, out: Any, dtype: Any, device: Any,
                 requires_grad: bool, steps: Any) -> Tensor:  # fmt: skip
    require_cpu(device)
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        fail(TypeError, f"fft_{name}(): argument 'n' (position 1) must be int, not "
                        f"{type(n).__name__}")  # fmt: skip
    kind = dtype or (get_default_dtype() if out is None else out.dtype)
    if out is not None and kind is not out.dtype:
        fail(RuntimeError, f"dtype {kind.legacy} does not match dtype of out parameter "
                           f"({out.dtype.legacy})")  # fmt: skip
    if kind.category < 2:
        fail(RuntimeError, f"{name} requires a floating point or complex dtype")
    if kind.is_complex:
        fail(NotImplementedError, f"\"arange_cpu\" not implemented for '{kind.legacy}'")
    if n < 0:
        fail(RuntimeError, f"Trying to create tensor with negative dimension {n}: [{n}]")
    # float32 suffices for 16 bits; the reciprocal is PyTorch's: it differs in the last digit.
    wide = BY_NAME["float32"].numpy if kind.itemsize < 4 else kind.numpy
    values = (steps.astype(wide) * (1.0 / (n * d) if n else 0.0)).astype(kind.numpy)
    if out is not None:
        return write_out(f"fft_{name}", out, lambda: wrap(values), (), {})
    return made(values, requires_grad)


def fftfreq(n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
            device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The frequencies of `fft` of n points at a distance d: 0, 1, ..., -2, -1 over n·d."""
    half = (n + 1) // 2
    steps = np.concatenate([np.arange(half), np.arange(half - n, 0)]) if n > 0 else np.zeros(0)
    return _frequencies("fftfreq", n, d, out, dtype, device, requires_grad, steps)


def rfftfreq(n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
             device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The frequencies of `rfft` of n points at a distance d: 0, 1, ..., n // 2 over n·d."""
    steps = np.arange(max(n // 2 + 1, 0))
    return _frequencies("rfftfreq", n, d, out, dtype, device, requires_grad, steps)


def _shifted(input: Tensor, dim: Any, up: int) -> Tensor:
    shape = input._array.shape
    if dim is None:
        dim = range(len(shape))
    dims = tuple(normal_dim(d, len(shape)) for d in ((dim,) if isinstance(dim, int) else dim))
    return roll(input, tuple((shape[d] + up) // 2 for d in dims), dims)


@_fft_function()
def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Frequencies in the order of `fft` put in ascending order, along some dimensions (all)."""
    return _shifted(input, dim, 0)


@_fft_function()
def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _shifted(input, dim, 1)


# Short-time transforms


def _described(name: str, input: Tensor, kind: str, window: Any, **values: Any) -> str:
    """A call as PyTorch's messages repeat it."""
    values = {key: int(value) if isinstance(value, bool) else value for key, value in
              values.items()}  # fmt: skip
    shown = "None"
    if window is not None:
        shown = f"torch.{window.dtype.legacy}Tensor{{{list(window.shape)}}}"
    first = {key: values.pop(key) for key in ("n_fft", "hop_length", "win_length")}
    parts = [f"{key}={value}" for key, value in {**first, "window": shown, **values}.items()]
    return f"{name}({kind}{list(input.shape)}, {', '.join(parts)}) "


def _centred(window: Tensor | None, length: int, n_fft: int, like: Tensor) -> Tensor:
    """A window (ones) of some length in the middle of zeros."""
    if window is None:
        window = wrap(np.ones(length, np.real(like._array).dtype))
    left = (n_fft - length) // 2
    return constant_pad_nd(window, (left, n_fft - length - left)) if length < n_fft else window


def _one_sided(onesided: bool | None, whole: bool) -> bool:
    """Whether only half of the frequencies are there; `whole`: of complex numbers, all are."""
    if onesided and whole:
        fail(RuntimeError, "Cannot have onesided output if window or input is complex")
    return not whole if onesided is None else onesided


def stft(input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
         window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect",
         normalized: bool = False, onesided: bool | None = None,
         return_complex: bool | None = None,
         align_to_window: bool | None = None) -> Tensor:  # fmt: skip
    """Fourier transforms of overlapping parts: f[batch, time] -> c[batch, frequency, frame].

    n_fft: points of a transform; hop_length: from one frame to the next (n_fft // 4)
    win_length, window: size and weights of a frame; zeros on both sides fill it up to n_fft
    center: frame t is centred at t · hop_length, the signal padded by `pad_mode`; else it begins
    there
    normalized: divide by √n_fft; onesided: only the first n_fft // 2 + 1 frequencies (of real ones)
    return_complex: False gives the parts in one more dimension, as PyTorch did before 1.8
    align_to_window: without `center`, as many frames as `win_length` allows, not n_fft
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if window is None:
        warnings.warn(
            "A window was not provided. A rectangular window will be applied,which is known to "
            "cause spectral leakage. Other windows such as torch.hann_window or "
            "torch.hamming_window are recommended to reduce spectral leakage.To suppress this "
            "warning and use a rectangular window, explicitly set `window=torch.ones(n_fft, "
            "device=<device>)`.", stacklevel=2,
        )  # fmt: skip
    whole = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if center and align_to_window:
        fail(RuntimeError, "stft align_to_window should only be set when center = false")
    signal = input
    if center:
        many = (1,) * max(0, 3 - input.ndim) + tuple(input.shape)
        padded = pad(input.reshape(many), (n_fft // 2, n_fft // 2), pad_mode)
        signal = padded.reshape(tuple(padded.shape)[3 - max(3, input.ndim) - input.ndim :])
    if return_complex is None and not whole:
        fail(RuntimeError, "stft requires the return_complex parameter be given for real inputs, "
                           "and will further require that return_complex=True in a future PyTorch "
                           "release.")  # fmt: skip
    if return_complex is None:
        return_complex = True

    def check(good: bool, sentence: str) -> None:
        if not good:
            fail(RuntimeError, _described(
                "stft", signal, f"torch.{signal.dtype.legacy}Tensor", window, n_fft=n_fft,
                hop_length=hop, win_length=length, normalized=normalized, onesided=onesided,
                return_complex=return_complex, align_to_window=align_to_window,
            ) + sentence)  # fmt: skip

    check(signal.dtype.category >= 2, ": expected a tensor of floating point or complex values")
    check(1 <= signal.ndim <= 2, ": expected a 1D or 2D tensor")
    if signal.ndim == 1:
        signal = signal.unsqueeze(0)
    size = signal.shape[1]
    check(0 < n_fft <= size, f": expected 0 < n_fft < {size}, but got n_fft={n_fft}")
    check(hop > 0, f": expected hop_length > 0, but got hop_length={hop}")
    check(0 < length <= n_fft,
          f": expected 0 < win_length <= n_fft, but got win_length={length}")  # fmt: skip
    if window is not None:
        check(tuple(window.shape) == (length,), ": expected a 1D window tensor of size equal to "
              f"win_length={length}, but got window with size {list(window.shape)}")  # fmt: skip
    onesided = _one_sided(onesided, whole)
    if align_to_window:
        left = (n_fft - length) // 2
        signal = constant_pad_nd(signal, (left, n_fft - length - left))
    frames = signal.unfold(1, n_fft, hop)
    if window is not None or length < n_fft:
        frames = frames * _centred(window, length, n_fft, signal)
    norm = "ortho" if normalized else "none"
    if frames.dtype.is_complex:
        found = fft_c2c(frames, (2,), norm, True)
    else:
        found = fft_r2c(frames, (2,), norm, onesided)
    found = found.transpose(1, 2)
    if input.ndim == 1:
        found = found.squeeze(0)
    return found if return_complex else view_as_real(found)


def istft(input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
          window: Tensor | None = None, center: bool = True, normalized: bool = False,
          onesided: bool | None = None, length: int | None = None,
          return_complex: bool = False) -> Tensor:  # fmt: skip
    """The signal whose `stft`, with these arguments, comes nearest: c[batch, frequency, frame] ->
    f[batch, time]. length: how much of it, with zeros after its end."""
    hop = n_fft // 4 if hop_length is None else hop_length
    window_length = n_fft if win_length is None else win_length
    if window is None:
        warnings.warn(
            "A window was not provided. A rectangular window will be applied.Please provide the "
            "same window used by stft to make the inversion lossless.To suppress this warning and "
            "use a rectangular window, explicitly set `window=torch.ones(n_fft, "
            "device=<device>)`.", stacklevel=2,
        )  # fmt: skip

    def check(good: Any, sentence: str) -> None:
        if not good:
            fail(RuntimeError, _described(
                "istft", input, f"CPU{input.dtype.legacy}Type", window, n_fft=n_fft,
                hop_length=hop, win_length=window_length, center=center, normalized=normalized,
                onesided=onesided, length=length, return_complex=return_complex,
            ) + sentence)  # fmt: skip

    if not input.dtype.is_complex:
        fail(RuntimeError, "istft requires a complex-valued input tensor matching the output from "
                           "stft with return_complex=True.")  # fmt: skip
    check(input.numel(), ": input tensor cannot be empty.")
    check(2 <= input.ndim <= 3,
          f": expected a tensor with 3 or 4 dimensions, but got {input.ndim + 1}")  # fmt: skip
    rows, frames = input.shape[-2:]
    half = rows != n_fft if onesided is None else onesided
    start = ": expected the frequency dimension (3rd to the last) of the input tensor to match"
    check(not half or rows == n_fft // 2 + 1,
          f"{start} n_fft / 2 + 1 when onesided=True, but got {rows}")  # fmt: skip
    check(half or rows == n_fft, f"{start} n_fft when onesided=False, but got {rows}")
    check(0 < hop <= window_length, ": expected 0 < hop_length <= win_length")
    check(0 < window_length <= n_fft, ": expected 0 < win_length <= n_fft")
    if window is not None:
        check(tuple(window.shape) == (window_length,),
              ": Invalid window shape. window has to be 1D and length of `win_length`")  # fmt: skip
        if window.dtype.is_complex and not return_complex:
            fail(RuntimeError, "Complex windows are incompatible with return_complex=False")
    if return_complex:
        _one_sided(half, True)
    weights = _centred(window, window_length, n_fft, input)
    spectra = (input if input.ndim == 3 else input.unsqueeze(0)).transpose(1, 2)
    norm = "ortho" if normalized else "n"
    if return_complex:
        parts = fft_c2c(spectra, (2,), norm, False)
    else:
        spectra = spectra if half else spectra[:, :, : n_fft // 2 + 1]
        parts = fft_c2r(spectra, (2,), norm, n_fft)
    size = n_fft + hop * (frames - 1)
    signal = unfold_backward(parts * weights, (parts.shape[0], size), 1, n_fft, hop)
    squares = (weights * weights).expand(1, frames, n_fft)
    overlap = unfold_backward(squares, (1, size), 1, n_fft, hop)
    first = n_fft // 2 if center else 0
    if length is not None:
        last = first + length
    else:
        last = size - n_fft // 2 if center else size
    signal, overlap = (x[:, first : max(first, last)] for x in (signal, overlap))
    least = overlap.abs().min()
    check(not least < 1e-11, "window overlap add min: 1\n[ CPUBoolType{} ]")
    found = signal / overlap
    if last > size:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded "
            "with zeros in the tail. Please check your center and hop_length settings.",
            stacklevel=2,
        )  # fmt: skip
        found = constant_pad_nd(found, (0, last - size))
    return found if input.ndim == 3 else found.squeeze(0)
