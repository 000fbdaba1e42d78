"""torch.special: special functions, elementwise. They are in ops/: bessel, polynomials, special,
elementwise, activations and reductions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .graph.source import fail
from .ops import bessel as _bessel
from .ops import elementwise as _elementwise
from .ops import special as _special
from .ops.activations import log_softmax, softmax
from .ops.elementwise import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    log1p,
    logit,
    polygamma,
    round,
    sinc,
    xlogy,
)
from .ops.elementwise import digamma as psi
from .ops.elementwise import igamma as gammainc
from .ops.elementwise import igammac as gammaincc
from .ops.elementwise import lgamma as gammaln
from .ops.elementwise import mvlgamma as multigammaln
from .ops.elementwise import sigmoid as expit
from .ops.polynomials import (
    chebyshev_polynomial_t,
    chebyshev_polynomial_u,
    chebyshev_polynomial_v,
    chebyshev_polynomial_w,
    hermite_polynomial_h,
    hermite_polynomial_he,
    laguerre_polynomial_l,
    legendre_polynomial_p,
    shifted_chebyshev_polynomial_t,
    shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v,
    shifted_chebyshev_polynomial_w,
)
from .ops.reductions import logsumexp
from .ops.special import ndtr, xlog1py, zeta
from .tensor import Tensor

__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma",
    "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc",
    "gammaln", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1", "i1e",
    "laguerre_polynomial_l", "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit",
    "logsumexp", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0",
    "modified_bessel_k1", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round",
    "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "sinc", "softmax", "spherical_bessel_j0", "xlog1py",
    "xlogy", "zeta",
]  # fmt: skip


def _of_tensor(call: Callable[..., Any], argument: str) -> Callable[..., Tensor]:
    """An operator that takes nothing but a tensor."""
    name = call.__name__

    @functools.wraps(call)
    def function(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if not isinstance(input, Tensor):
            fail(TypeError, f"{name}(): argument '{argument}' (position 1) must be Tensor, not "
                            f"{type(input).__name__}")  # fmt: skip
        return call(input, out=out)

    return function


airy_ai = _of_tensor(_bessel.airy_ai, "x")
bessel_j0 = _of_tensor(_bessel.bessel_j0, "input")
bessel_j1 = _of_tensor(_bessel.bessel_j1, "input")
bessel_y0 = _of_tensor(_bessel.bessel_y0, "input")
bessel_y1 = _of_tensor(_bessel.bessel_y1, "input")
modified_bessel_i0 = _of_tensor(_bessel.modified_bessel_i0, "input")
modified_bessel_i1 = _of_tensor(_bessel.modified_bessel_i1, "input")
modified_bessel_k0 = _of_tensor(_bessel.modified_bessel_k0, "input")
modified_bessel_k1 = _of_tensor(_bessel.modified_bessel_k1, "input")
scaled_modified_bessel_k0 = _of_tensor(_bessel.scaled_modified_bessel_k0, "x")
scaled_modified_bessel_k1 = _of_tensor(_bessel.scaled_modified_bessel_k1, "x")
spherical_bessel_j0 = _of_tensor(_bessel.spherical_bessel_j0, "x")
i0e = _of_tensor(_bessel.i0e, "input")
i1 = _of_tensor(_elementwise.i1, "input")
i1e = _of_tensor(_bessel.i1e, "input")
entr = _of_tensor(_special.entr, "input")
erfcx = _of_tensor(_special.erfcx, "input")
log_ndtr = _of_tensor(_special.log_ndtr, "input")
ndtri = _of_tensor(_special.ndtri, "input")
