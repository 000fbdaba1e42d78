"""Pooling, and the way back."""

from __future__ import annotations

from typing import Any

from ...ops.convolution import listed
from ...tensor import Tensor
from .. import functional as F
from ..module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d",
    "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _MaxPoolNd(Module):
    _pool: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 return_indices: bool = False, ceil_mode: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """The largest element of each window; with `return_indices`, also where it lies."""
        return self._pool(input, self.kernel_size, self.stride, self.padding, self.dilation,
                          self.ceil_mode, self.return_indices)  # fmt: skip

    def extra_repr(self) -> str:
        """The options."""
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")  # fmt: skip


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window: f[n, c, l] or f[c, l].

    stride: of the kernel's size if None; ceil_mode: also windows that reach over the end
    """

    _pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd):
    """The largest element of each window: f[n, c, h, w] or f[c, h, w].

    stride: of the kernel's size if None; ceil_mode: also windows that reach over the end
    """

    _pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """The largest element of each window: f[n, c, d, h, w] or f[c, d, h, w].

    stride: of the kernel's size if None; ceil_mode: also windows that reach over the end
    """

    _pool = staticmethod(F.max_pool3d)


class _MaxUnpoolNd(Module):
    _dims = 0
    _unpool: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = listed(kernel_size, self._dims)
        self.stride = listed(kernel_size if stride is None else stride, self._dims)
        self.padding = listed(padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """The elements at their places, among zeros."""
        return self._unpool(input, indices, self.kernel_size, self.stride, self.padding,
                            output_size)  # type: ignore[no-any-return] # fmt: skip

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """The elements back at the places that MaxPool1d(return_indices=True) took them from."""

    _dims = 1
    _unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """The elements back at the places that MaxPool2d(return_indices=True) took them from."""

    _dims = 2
    _unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """The elements back at the places that MaxPool3d(return_indices=True) took them from."""

    _dims = 3
    _unpool = staticmethod(F.max_unpool3d)


class _AvgPoolNd(Module):
    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The mean of each window: f[n, c, l] or f[c, l].

    ceil_mode: also windows that reach over the end; count_include_pad: the zeros around count
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, count_include_pad: bool = True) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = listed(kernel_size, 1)
        self.stride = listed(kernel_size if stride is None else stride, 1)
        self.padding = listed(padding, 1)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                            self.count_include_pad)  # fmt: skip


class _PlaneAvgPool(_AvgPoolNd):
    _pool: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, count_include_pad: bool = True,
                 divisor_override: int | None = None) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self._pool(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                          self.count_include_pad, self.divisor_override)  # type: ignore # fmt: skip


class AvgPool2d(_PlaneAvgPool):
    """The mean of each window: f[n, c, h, w] or f[c, h, w].

    ceil_mode: also windows that reach over the end; count_include_pad: the zeros around count;
    divisor_override: what to divide by
    """

    _pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_PlaneAvgPool):
    """The mean of each window: f[n, c, d, h, w] or f[c, d, h, w].

    ceil_mode: also windows that reach over the end; count_include_pad: the zeros around count;
    divisor_override: what to divide by
    """

    _pool = staticmethod(F.avg_pool3d)


class _FractionalMaxPool(Module):
    _dims = 0
    _pool: Any

    def __init__(self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                 return_indices: bool = False, _random_samples: Any = None) -> None:  # fmt: skip
        super().__init__()
        name, dims = type(self).__name__, self._dims
        if isinstance(kernel_size, int):
            sizes = (kernel_size,)
        else:
            sizes = tuple(kernel_size)
        if dims == 3 and any(k <= 0 for k in sizes):
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.kernel_size = listed(kernel_size, dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else listed(output_size, dims)
        self.output_ratio = None if output_ratio is None else _ratios(output_ratio, dims)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling "
                             "ratio")  # fmt: skip
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        """The largest element of each window; with `return_indices`, also where it lies."""
        return self._pool(input, self.kernel_size, self.output_size, self.output_ratio,
                          self.return_indices, self._random_samples)  # fmt: skip


def _ratios(value: Any, dims: int) -> tuple[float, ...]:
    return (value,) * dims if isinstance(value, (int, float)) else tuple(value)


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest elements of windows at random starts: f[n, c, h, w] or f[c, h, w]."""

    _dims = 2
    _pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest elements of windows at random starts: f[n, c, d, h, w] or f[c, d, h, w]."""

    _dims = 3
    _pool = staticmethod(F.fractional_max_pool3d)


class _LPPoolNd(Module):
    _pool: Any

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None,
                 ceil_mode: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        return self._pool(input, float(self.norm_type), self.kernel_size, self.stride,
                          self.ceil_mode)  # type: ignore[no-any-return] # fmt: skip

    def extra_repr(self) -> str:
        """The options."""
        return (f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}, ceil_mode={self.ceil_mode}")  # fmt: skip


class LPPool1d(_LPPoolNd):
    """The p-norm of each window, p being `norm_type`: f[n, c, l] or f[c, l]."""

    _pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """The p-norm of each window, p being `norm_type`: f[n, c, h, w] or f[c, h, w]."""

    _pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """The p-norm of each window, p being `norm_type`: f[n, c, d, h, w] or f[c, d, h, w]."""

    _pool = staticmethod(F.lp_pool3d)


class _AdaptiveMaxPoolNd(Module):
    _pool: Any

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        """The largest element of each window; with `return_indices`, also where it lies."""
        return self._pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """How many windows."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The largest elements of as many windows as asked for: f[n, c, l] or f[c, l]."""

    _pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The largest elements of as many windows as asked for: f[n, c, h, w] or f[c, h, w]."""

    _pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The largest elements of as many windows as asked for: f[n, c, d, h, w] or f[c, d, h, w]."""

    _pool = staticmethod(F.adaptive_max_pool3d)


class _AdaptiveAvgPoolNd(Module):
    _pool: Any

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self._pool(input, self.output_size)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """How many windows."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The means of as many windows as asked for: f[n, c, l] or f[c, l]."""

    _pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The means of as many windows as asked for: f[n, c, h, w] or f[c, h, w]."""

    _pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The means of as many windows as asked for: f[n, c, d, h, w] or f[c, d, h, w]."""

    _pool = staticmethod(F.adaptive_avg_pool3d)
