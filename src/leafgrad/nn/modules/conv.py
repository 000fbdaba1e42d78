"""Convolutions and their transposes."""

from __future__ import annotations

import math
from typing import Any

from ...ops.convolution import listed
from ...ops.creation import empty
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_PADDING_MODES = {"zeros", "reflect", "replicate", "circular"}


class _ConvNd(Module):
    _dims = 0
    transposed = False

    weight: Any
    bias: Any

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any,
                 padding: Any, output_padding: Any, dilation: Any, groups: int, bias: bool,
                 padding_mode: str, device: Any, dtype: Any) -> None:  # fmt: skip
        super().__init__()
        dims = self._dims
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        stride = listed(stride, dims)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of "
                                 f"{ {'same', 'valid'} }")  # fmt: skip
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        else:
            padding = listed(padding, dims)
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {_PADDING_MODES}, but got "
                             f"padding_mode='{padding_mode}'")  # fmt: skip
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = listed(kernel_size, dims), stride, padding
        self.dilation, self.output_padding = listed(dilation, dims), listed(output_padding, dims)
        self.groups, self.padding_mode = groups, padding_mode
        self._reversed_padding_repeated_twice = self._around()
        ins, outs = in_channels, out_channels
        sizes = (ins, outs // groups) if self.transposed else (outs, ins // groups)
        self._make_parameters((*sizes, *self.kernel_size), bias, device, dtype)
        self.reset_parameters()

    def _make_parameters(self, shape: tuple[int, ...], bias: bool, device: Any,
                         dtype: Any) -> None:  # fmt: skip
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(self.out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)

    def _around(self) -> list[int]:
        """The padding as `F.pad` takes it: before and after, the last dimension first."""
        if not isinstance(self.padding, str):
            return [p for p in reversed(self.padding) for _ in range(2)]
        if self.padding == "valid":
            return [0] * (2 * self._dims)
        wide = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [n for w in reversed(wide) for n in (w // 2, w - w // 2)]

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the usual ones."""
        dims = self._dims
        text = (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}")  # fmt: skip
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            if getattr(self, name) != (usual,) * dims:
                text += f", {name}={getattr(self, name)}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, dilation,
                         groups, bias, padding_mode, device, dtype)  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """The convolution plus the bias."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        convolve: Any = (F.conv1d, F.conv2d, F.conv3d)[self._dims - 1]
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, self.padding_mode)
            padding = 0
        return convolve(  # type: ignore[no-any-return]
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Conv):
    """A convolution: f[n, in_channels, l] -> f[n, out_channels, *]; the batch may lack.

    weight: f[out_channels, in_channels / groups, kernel_size]; bias: f[out_channels]. Both start
    uniform within ±1 / sqrt(in_channels / groups · kernel_size).
    padding: on both sides, or "same" or "valid"; padding_mode: zeros, reflect, replicate, circular
    """

    _dims = 1


class Conv2d(_Conv):
    """A convolution: f[n, in_channels, h, w] -> f[n, out_channels, *, *]; the batch may lack.

    weight: f[out_channels, in_channels / groups, *kernel_size]; bias: f[out_channels]. Both start
    uniform within ±1 / sqrt(in_channels / groups · kernel size).
    padding: on both sides, or "same" or "valid"; padding_mode: zeros, reflect, replicate, circular
    """

    _dims = 2


class Conv3d(_Conv):
    """A convolution: f[n, in_channels, d, h, w] -> f[n, out_channels, *, *, *]; the batch may lack.

    weight: f[out_channels, in_channels / groups, *kernel_size]; bias: f[out_channels]. Both start
    uniform within ±1 / sqrt(in_channels / groups · kernel size).
    padding: on both sides, or "same" or "valid"; padding_mode: zeros, reflect, replicate, circular
    """

    _dims = 3


class _ConvTransposeNd(_ConvNd):
    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
                 dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError('Only "zeros" padding mode is supported for '
                             f"{type(self).__name__}")  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, output_padding,
                         dilation, groups, bias, padding_mode, device, dtype)  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """The transposed convolution plus the bias, of the size asked for."""
        convolve: Any = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self._dims - 1]
        return convolve(  # type: ignore[no-any-return]
            input, self.weight, self.bias, self.stride, self.padding,
            self._output_padding(input, output_size), self.groups, self.dilation,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """What to add at the end of each dimension to get the size asked for."""
        if output_size is None:
            return self.output_padding
        dims = self._dims
        first = 2 if input.dim() == dims + 2 else 1
        sizes = tuple(output_size)
        if len(sizes) == first + dims:
            sizes = sizes[first:]
        if len(sizes) != dims:
            raise ValueError(f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must "
                             f"have {dims} or {first + dims} elements (got {len(sizes)})")  # fmt: skip
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(input.shape[first:], self.stride, self.padding, self.dilation,
                                     self.kernel_size, strict=True)
        ]  # fmt: skip
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        if any(not a <= n <= b for a, n, b in zip(least, sizes, most, strict=True)):
            shown = output_size if len(output_size) == dims else output_size[first:]
            raise ValueError(f"requested an output size of {shown}, but valid sizes range from "
                             f"{least} to {most} (for an input of {input.size()[2:]})")  # fmt: skip
        return tuple(n - a for n, a in zip(sizes, least, strict=True))


class ConvTranspose1d(_ConvTransposeNd):
    """The gradient of a Conv1d as a layer: f[n, in_channels, l] -> f[n, out_channels, *].

    weight: f[in_channels, out_channels / groups, kernel_size]. `forward` takes an `output_size`,
    where stride leaves it open; output_padding says the same in advance.
    """

    _dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """The gradient of a Conv2d as a layer: f[n, in_channels, h, w] -> f[n, out_channels, *, *].

    weight: f[in_channels, out_channels / groups, *kernel_size]. `forward` takes an `output_size`,
    where stride leaves it open; output_padding says the same in advance.
    """

    _dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """The gradient of a Conv3d as a layer: f[n, in_channels, d, h, w] -> f[n, out_channels, *, *,
    *].

    weight: f[in_channels, out_channels / groups, *kernel_size]. `forward` takes an `output_size`,
    where stride leaves it open; output_padding says the same in advance.
    """

    _dims = 3
