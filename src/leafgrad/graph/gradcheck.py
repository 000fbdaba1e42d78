"""gradcheck: derivatives by rule against derivatives by finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from .engine import grad
from .source import fail

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """The two derivatives disagree."""


def _checked(inputs: Any) -> tuple[tuple[Any, ...], list[Tensor]]:
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    wanted = [t for t in given if isinstance(t, Tensor) and t.requires_grad]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    for index, t in enumerate(given):
        if isinstance(t, Tensor) and t.requires_grad and t.dtype.name not in (
            "float64", "complex128"):  # fmt: skip
            warnings.warn(
                f"Input #{index} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=3,
            )
        if isinstance(t, Tensor) and t.requires_grad and any(
            s == 0 and n > 1 for s, n in zip(t._array.strides, t._array.shape, strict=True)):  # fmt: skip
            fail(RuntimeError, f"The {index}th input has a dimension with stride 0. gradcheck only "
                               "supports inputs that are non-overlapping to be able to compute "
                               "the numerical gradients correctly. You should call .contiguous "
                               "on the input before passing it to gradcheck.")  # fmt: skip
    return given, wanted


def _outputs(function: Callable[..., Any], given: Any) -> list[Tensor]:
    found = function(*given)
    outs = (found,) if isinstance(found, Tensor) else tuple(found)
    return [o for o in outs if isinstance(o, Tensor) and o.dtype.category >= 2]


def numerical_jacobian(function: Any, given: Any, x: Tensor, eps: float) -> list[Any]:
    """d out / d x by central differences: an array [x.numel, out.numel] per output."""
    rows: list[list[Any]] = []
    # A fresh contiguous copy takes x's place: every element is one entry of its flat memory.
    # Complex x: the gradient convention d/dRe + i d/dIm of a real loss, with the vjp applied later.
    array = np.ascontiguousarray(x._array)
    for i in range(array.size):
        row = []
        for step in (eps, eps * 1j) if array.dtype.kind == "c" else (eps,):
            sides = []
            for sign in (1, -1):
                moved = array.copy()
                moved.reshape(-1)[i] += sign * step
                stand_in = wrap(moved).requires_grad_()
                args = [stand_in if t is x else t for t in given]
                sides.append([o._array.copy().reshape(-1) for o in _outputs(function, args)])
            row.append([(p - m) / (2 * eps) for p, m in zip(*sides, strict=True)])
        rows.append(row)
    count = len(rows[0][0]) if rows else len(_outputs(function, given))
    found: list[Any] = []
    for k in range(count):
        real = np.array([r[0][k] for r in rows])
        if array.dtype.kind == "c":
            imag = np.array([r[1][k] for r in rows])
            found.append((real, imag))
        else:
            found.append((real, None))
    return found


def _numerical_vjp(parts: Any, v: Any, complex_input: bool) -> Any:
    """The gradient that the finite differences give for the cotangent v, in PyTorch's
    convention: of Re<conj(v), out>."""
    real, imag = parts
    first = np.real(real @ np.conj(v))
    if not complex_input:
        return first
    return first + 1j * np.real(imag @ np.conj(v))


def gradcheck(func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
              rtol: float = 1e-3, raise_exception: bool = True, nondet_tol: float = 0.0,
              check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
              check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
              check_forward_ad: bool = False, check_backward_ad: bool = True,
              fast_mode: bool = False, masked: bool | None = None) -> bool:  # fmt: skip
    """Compare the gradients of `func(*inputs)` with finite differences.

    True if they agree within atol and rtol; else GradcheckError, or False without
    `raise_exception`. Every input that requires grad is checked against every output; inputs
    should be float64 or complex128.
    """
    given, wanted = _checked(inputs)
    try:
        for number, out in enumerate(_outputs(func, given)):
            if not out.requires_grad:
                continue
            for index, x in enumerate(wanted):
                _compare(func, given, x, number, index, eps, atol, rtol, nondet_tol)
        if check_undefined_grad:
            _undefined(func, given, wanted)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _compare(func: Any, given: Any, x: Tensor, number: int, index: int, eps: float, atol: float,
             rtol: float, nondet_tol: float) -> None:  # fmt: skip
    parts = numerical_jacobian(func, given, x, eps)[number]
    out = _outputs(func, given)[number]
    size, is_complex = out.numel(), out.dtype.is_complex
    directions = [1.0, 1j] if is_complex else [1.0]
    for unit in directions:
        analytical, numerical = [], []
        for j in range(size):
            v = np.zeros(size, out._array.dtype)
            v[j] = unit
            cotangent = wrap(v.reshape(out._array.shape))
            runs = [
                grad(out, x, cotangent, retain_graph=True, allow_unused=True)[0] for _ in range(2)
            ]
            zeros = np.zeros(x._array.shape, x._array.dtype)
            values = [zeros if g is None else g._array for g in runs]
            if not np.allclose(values[0], values[1], rtol=0, atol=nondet_tol, equal_nan=True):
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and "
                    "grad_output multiple times gives different values, although analytical "
                    "gradient matches numerical gradient."
                    f"The tolerance for nondeterminism was {nondet_tol}."
                )
            analytical.append(values[0].reshape(-1))
            numerical.append(_numerical_vjp(parts, v, x.dtype.is_complex))
        a, n = np.array(analytical).T, np.array(numerical).T
        if a.size and not np.allclose(n, a, rtol=rtol, atol=atol, equal_nan=True):
            raise GradcheckError(
                f"Jacobian mismatch for output {number} with respect to input {index},\n"
                f"numerical:{wrap(n)!r}\nanalytical:{wrap(a)!r}\n"
            )


def _undefined(func: Any, given: Any, wanted: Sequence[Tensor]) -> None:
    """Gradients of zero must come back as zeros, not as anything else."""
    outs = [o for o in _outputs(func, given) if o.requires_grad]
    if not outs:
        return
    zeros = [wrap(np.zeros_like(o._array)) for o in outs]
    for g in grad(outs, list(wanted), zeros, allow_unused=True):
        if g is not None and not np.all(g._array == 0):
            raise GradcheckError("backward not multiplied by grad_output")


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *,
                  eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
                  gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True,
                  nondet_tol: float = 0.0, check_undefined_grad: bool = True,
                  check_grad_dtypes: bool = False, check_batched_grad: bool = False,
                  check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True,
                  fast_mode: bool = False, masked: bool = False) -> bool:  # fmt: skip
    """Compare second derivatives with finite differences of the first. See `gradcheck`."""
    given, _ = _checked(inputs)
    outs = _outputs(func, given)
    if grad_outputs is None:
        rng = np.random.RandomState(0)
        cotangents = []
        for o in outs:
            v = rng.uniform(-1, 1, o._array.shape)
            if o.dtype.is_complex:
                v = v + 1j * rng.uniform(-1, 1, o._array.shape)
            if gen_non_contig_grad_outputs and v.ndim:
                v = np.repeat(v, 2, axis=-1)[..., ::2]
            cotangents.append(wrap(np.asarray(v, o._array.dtype)).requires_grad_())
    else:
        cotangents = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    places = [i for i, t in enumerate(given) if isinstance(t, Tensor) and t.requires_grad]

    def first(*args: Any) -> Any:
        mine, vs = args[: len(given)], args[len(given) :]
        found = _outputs(func, mine)
        pairs = [(o, v) for o, v in zip(found, vs, strict=True) if o.requires_grad]
        grads = grad([o for o, _ in pairs], [mine[i] for i in places], [v for _, v in pairs],
                     create_graph=True, allow_unused=True)  # fmt: skip
        return tuple(g for g in grads if g is not None)

    return gradcheck(first, (*given, *cotangents), eps=eps, atol=atol, rtol=rtol,
                     raise_exception=raise_exception, nondet_tol=nondet_tol,
                     check_undefined_grad=check_undefined_grad)  # fmt: skip


def get_numerical_jacobian(fn: Any, inputs: Any, target: Any = None, eps: float = 1e-3,
                           grad_out: float = 1.0) -> Any:  # fmt: skip
    raise NotImplementedError


get_analytical_jacobian = get_numerical_jacobian_wrt_specific_input = get_numerical_jacobian
