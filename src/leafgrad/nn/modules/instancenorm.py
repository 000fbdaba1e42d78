"""Instance normalisation: each channel of each sample by itself."""

from __future__ import annotations

import warnings
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .batchnorm import _NormBase

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(_NormBase):
    _alone = 0  # the dimensions of a sample without a batch

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 affine: bool = False, track_running_stats: bool = False, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias=bias)  # fmt: skip

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (self._alone, self._alone + 1):
            raise ValueError(f"expected {self._alone}D or {self._alone + 1}D input "
                             f"(got {input.dim()}D input)")  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        self._check_input_dim(input)
        dim = input.dim() - self._alone
        if input.shape[dim] != self.num_features:
            if self.affine:
                raise ValueError(f"expected input's size at dim={dim} to match num_features "
                                 f"({self.num_features}), but got: {input.shape[dim]}.")  # fmt: skip
            warnings.warn(
                f"input's size at dim={dim} does not match num_features. You can silence this "
                "warning by not passing in num_features, which is not used because affine=False",
                stacklevel=3,
            )
        batched: Any = input if dim else input.unsqueeze(0)
        out = F.instance_norm(
            batched, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps,
        )  # fmt: skip
        return out if dim else out.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) over each channel: f[n, c, l] or f[c, l]."""

    _alone = 2


class InstanceNorm2d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) over each channel: f[n, c, h, w] or f[c, h, w]."""

    _alone = 3


class InstanceNorm3d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) over each channel: f[n, c, d, h, w] or f[c, d, h, w]."""

    _alone = 4
