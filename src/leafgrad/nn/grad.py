"""The gradients of convolutions as functions."""

from __future__ import annotations

from typing import Any

from ..ops.convolution import input_gradient, weight_gradient
from ..tensor import Tensor

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input",
           "conv3d_weight"]  # fmt: skip


def _input(dims: int) -> Any:
    def gradient(input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:  # fmt: skip
        return input_gradient(dims, tuple(input_size), weight, grad_output, stride, padding,
                              dilation, groups)  # fmt: skip

    gradient.__name__ = gradient.__qualname__ = f"conv{dims}d_input"
    gradient.__doc__ = f"The gradient of conv{dims}d by its input, of shape `input_size`."
    return gradient


def _weight(dims: int) -> Any:
    def gradient(input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:  # fmt: skip
        return weight_gradient(dims, input, tuple(weight_size), grad_output, stride, padding,
                               dilation, groups)  # fmt: skip

    gradient.__name__ = gradient.__qualname__ = f"conv{dims}d_weight"
    gradient.__doc__ = f"The gradient of conv{dims}d by its weights, of shape `weight_size`."
    return gradient


conv1d_input, conv2d_input, conv3d_input = _input(1), _input(2), _input(3)
conv1d_weight, conv2d_weight, conv3d_weight = _weight(1), _weight(2), _weight(3)
