"""Standard gamma samples with gradients: the numbers of Marsaglia and Tsang's method in the order
of PyTorch's, and the derivative by implicit reparametrisation (Figurnov, Mohamed and Mnih)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..generator import default_generator
from ..graph.operator import op
from ..ops.gamma import digamma_of
from ..ops.sampling import per_example, template

__all__ = ["standard_gamma"]

_UNIT = 2.0**-53


def standard_gamma(concentration: Any) -> Any:
    """A gamma sample of rate one for each concentration."""
    array = template(concentration._array, values=True)
    return _standard_gamma(concentration, per_example(_draw, array))


def _draw(alphas: Any) -> Any:
    tiny = np.finfo(alphas.dtype).tiny
    values = np.array([_one(a) for a in alphas.ravel().tolist()], np.float64)
    return np.maximum(values.astype(alphas.dtype), tiny).reshape(alphas.shape)


def _uniform() -> float:
    return int(default_generator.words64(1)[0] & np.uint64(2**53 - 1)) * _UNIT


def _one(alpha: float) -> float:
    """One sample, in float64: a cubed normal one, accepted or not by a uniform one."""
    scale = 1.0
    if alpha < 1.0:
        if alpha == 0.0:
            return 0.0
        scale = (1.0 - _uniform()) ** (1.0 / alpha)
        alpha += 1.0
    d = alpha - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        y = -1.0
        while y <= 0.0:
            x = float(default_generator._gaussian(1, 0.0, 1.0)[0])
            y = 1.0 + c * x
        v = y * y * y
        u = 1.0 - _uniform()
        square = x * x
        if u < 1.0 - 0.0331 * square * square:
            return scale * d * v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v


@op(name="_standard_gamma", node="StandardGammaBackward0")
def _standard_gamma(input, /, values):
    """`values`, samples of the concentrations in `input`."""
    return values


_standard_gamma.vjp(input=lambda g, input, out: g * _standard_gamma_grad(input, out))


@op(name="_standard_gamma_grad", node="StandardGammaGradBackward0")
def _standard_gamma_grad(input, sample):
    """How a sample moves with its concentration: minus the derivative of its distribution function
    by the concentration, over its density."""
    a, x = np.broadcast_arrays(np.asarray(input, np.float64), np.asarray(sample, np.float64))
    # The distribution function is a sum of x^(a+n) exp(-x) / Γ(a+n+1) over n. Over the density, the
    # terms are c_n = x^(n+1) / (a (a+1) ... (a+n)), times their logarithmic slopes.
    with np.errstate(all="ignore"):
        log_x = np.log(x)
        total, c, n = np.zeros(a.shape), x / a, 0
        slope = digamma_of(a + 1.0)
        while True:
            term = c * (log_x - slope)
            total = total + term
            n += 1
            slope = slope + 1.0 / (a + n)
            c = c * x / (a + n)
            small = np.abs(c) * (np.abs(log_x - slope) + 1.0) < 1e-17 * np.abs(total)
            falling = a + n > x
            if np.all((small & falling) | ~np.isfinite(c) | (c == 0)):
                break
    return (-total).astype(np.result_type(input.dtype, sample.dtype))
