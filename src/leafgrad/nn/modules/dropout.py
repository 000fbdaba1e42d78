"""Dropout: zeros at random while training, so that no unit can rely on another."""

from __future__ import annotations

from ...tensor import Tensor
from .. import functional as F
from ..module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    """p: the probability that a value is dropped; inplace: whether to write into the input."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        """The probability and whether it works in place."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training, zeros each element with probability `p` and divides the rest by 1 - p."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with zeros."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Drops whole channels: f[n, c, l] or f[c, l]."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with zeros."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Drops whole channels: f[n, c, h, w] or f[n, c, l]."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with zeros."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Drops whole channels: f[n, c, d, h, w] or f[c, d, h, w]."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with zeros."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean and variance after SELU."""

    def forward(self, input: Tensor) -> Tensor:
        """The input, in part replaced by SELU's lower limit."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """The input, in part replaced by SELU's lower limit."""
        return F.feature_alpha_dropout(input, self.p, self.training)
