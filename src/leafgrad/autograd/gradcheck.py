"""gradcheck: derivatives by rule against derivatives by finite differences.

A Jacobian is a matrix [elements of the input, elements of the output]. Of a complex input, an entry
is PyTorch's gradient of a real output: d/d(real part) + i d/d(imaginary part). Complex outputs are
checked as two functions, of their real and of their imaginary part.

The slow mode compares whole Jacobians; the fast one a single number v^T J u for random u and v.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph.engine import grad
from ..graph.node import Node, clock, edge_of
from ..graph.source import fail, here
from ..tensor import Tensor, wrap

__all__ = ["GradcheckError", "get_analytical_jacobian", "get_numerical_jacobian",
           "get_numerical_jacobian_wrt_specific_input", "gradcheck", "gradgradcheck"]  # fmt: skip


class GradcheckError(RuntimeError):
    """The two derivatives disagree."""


# Inputs and outputs


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _wants(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype.category >= 2


def _differentiable(value: Any) -> list[Tensor]:
    return [o for o in _as_tuple(value) if o.requires_grad]


def _check_inputs(given: tuple[Any, ...]) -> None:
    for index, t in enumerate(given):
        if not _wants(t):
            continue
        if t.dtype.name not in ("float64", "complex128"):
            warnings.warn(
                f"Input #{index} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=4,
            )
        if any(s == 0 and n > 1 for s, n in zip(t._array.strides, t._array.shape, strict=True)):
            fail(RuntimeError, f"The {index}th input has a dimension with stride 0. gradcheck only "
                               "supports inputs that are non-overlapping to be able to compute "
                               "the numerical gradients correctly. You should call .contiguous "
                               "on the input before passing it to gradcheck.")  # fmt: skip
    if not any(map(_wants, given)):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )


# Finite differences


def _moved(func: Any, given: Any, x: Tensor, step: Any, eps: float, index: Any) -> list[Any]:
    """(f(x + step) - f(x - step)) / 2 eps, for each floating output.

    x itself is changed meanwhile, as the function may reach it otherwise than by its arguments.
    """
    before = x._array.copy()
    sides = []
    try:
        for sign in (1, -1):
            x._array[...] = before + sign * step
            sides.append([o._array.copy() for o in _as_tuple(func(*given)) if _floating(o)])
    finally:
        x._array[...] = before
    at = "" if index is None else f"at index {index} "
    for after, other in zip(*sides, strict=True):
        for what, one, two in (("shape", after.shape, other.shape),
                               ("dtype", after.dtype, other.dtype)):  # fmt: skip
            if one != two:
                raise AssertionError(
                    f"Expected `func` to return outputs with the same {what} when inputs are "
                    f"perturbed {at}by {eps}, but got: {what}s {other!r} and {after!r}."
                )
    return [np.ravel((p - m) / (2 * eps)) for p, m in zip(*sides, strict=True)]


def _numerical_jacobian(func: Any, given: Any, x: Tensor, eps: float) -> list[Any]:
    """d output / d x by central differences, for each floating output."""
    rows: list[list[Any]] = []
    is_complex = x.dtype.is_complex
    for index in np.ndindex(*x._array.shape):
        step = np.zeros_like(x._array)
        step[index] = eps
        row = _moved(func, given, x, step, eps, index)
        if is_complex:
            imaginary = _moved(func, given, x, step * 1j, eps, index)
            row = [a + 1j * b for a, b in zip(row, imaginary, strict=True)]
        rows.append(row)
    if not rows:
        outs = [o for o in _as_tuple(func(*given)) if _floating(o)]
        return [np.zeros((0, o.numel())) for o in outs]
    return [np.array(column) for column in zip(*rows, strict=True)]


# Derivatives by rule


def _vjp(out: Tensor, wanted: Sequence[Tensor], v: Any) -> list[Any]:
    """The gradients of one output for a cotangent, as tensors; None where there is none."""
    cotangent = wrap(np.asarray(v, out._array.dtype).reshape(out._array.shape))
    return list(grad(out, list(wanted), cotangent, retain_graph=True, allow_unused=True))


def _checked_vjp(out: Tensor, wanted: Sequence[Tensor], v: Any, options: Any) -> list[Any]:
    """`_vjp` twice, checked to be the same both times, as flat arrays."""
    found = [_vjp(out, wanted, v) for _ in range(2)]
    arrays = []
    for x, one, two in zip(wanted, *found, strict=True):
        if one is not None and options.dtypes and one.dtype != x.dtype:
            raise GradcheckError("Gradient has dtype mismatch")
        first, second = (np.zeros_like(x._array) if g is None else g._array for g in (one, two))
        if not np.allclose(first, second, rtol=0, atol=options.nondet_tol, equal_nan=True):
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output "
                "multiple times gives different values, although analytical gradient matches "
                f"numerical gradient.The tolerance for nondeterminism was {options.nondet_tol}."
                "\n\nA function that is not deterministic on purpose can be given a nondet_tol."
            )
        arrays.append(first.reshape(-1))
    return arrays


def _analytical_jacobian(out: Tensor, wanted: Sequence[Tensor], options: Any) -> list[Any]:
    """d out / d input by the rules, for each input."""
    size = out.numel()
    columns = [_checked_vjp(out, wanted, row, options) for row in np.eye(size)]
    if not columns:
        return [np.zeros((x.numel(), 0)) for x in wanted]
    return [np.array(found).T for found in zip(*columns, strict=True)]


def _forward(func: Any, given: Any, x: Tensor, tangent: Any) -> list[Any]:
    """The tangents of the floating outputs for a tangent of one input, as flat arrays."""
    from . import forward_ad

    with forward_ad.dual_level():
        moved = forward_ad.make_dual(x.detach(), wrap(tangent))
        args = [moved if t is x else t.detach() if isinstance(t, Tensor) else t for t in given]
        found = []
        for out in _as_tuple(func(*args)):
            if _floating(out):
                pair = forward_ad.unpack_dual(out)
                value = np.zeros_like(out._array) if pair[1] is None else pair[1]._array
                found.append(np.array(value).reshape(-1))
        return found


# Comparing


def _message(analytical: Any, numerical: Any, output: int, index: int, options: Any) -> str:
    part, what = options.part, "inputs" if options.forward else "outputs"
    prefix = f"While considering the {part} part of complex {what} only, " if part else ""
    mode = "computed with forward mode " if options.forward else ""
    return (
        f"{prefix}Jacobian {mode}mismatch for output {output} with respect to input {index},\n"
        f"numerical:{_shown(numerical)}\nanalytical:{_shown(analytical)}\n"
    )


def _shown(value: Any) -> Any:
    return wrap(value) if isinstance(value, np.ndarray) and value.ndim else value


def _close(a: Any, b: Any, rtol: float, atol: float) -> bool:
    # A derivative that the rule has in float32 is compared as it is.
    return bool(np.allclose(a, b, rtol=rtol, atol=atol))


class _Options:
    """What a check compares, and how."""

    def __init__(self, eps: float, atol: float, rtol: float, nondet_tol: float, dtypes: bool,
                 fast: bool) -> None:  # fmt: skip
        self.eps, self.atol, self.rtol, self.nondet_tol = eps, atol, rtol, nondet_tol
        self.dtypes, self.fast = dtypes, fast
        self.forward = False
        self.part = ""  # "real" or "imaginary", of complex outputs or inputs


def _compare(func: Any, given: tuple[Any, ...], options: _Options) -> None:
    """The derivatives of a function with real outputs (or, forward, with real inputs)."""
    found = _as_tuple(func(*given))
    floating = [o for o in found if _floating(o)]
    wanted = [t for t in given if _wants(t)]
    if not any(o.requires_grad for o in floating) and not options.forward:
        for x in wanted:
            if any(np.any(jacobian != 0) for jacobian in _numerical_jacobian(
                    func, given, x, options.eps)):  # fmt: skip
                raise GradcheckError("Numerical gradient for function expected to be zero")
        return
    (_compare_fast if options.fast else _compare_slow)(func, given, wanted, floating, options)


def _compare_slow(func: Any, given: Any, wanted: list[Tensor], floating: list[Tensor],
                  options: _Options) -> None:  # fmt: skip
    numerical = [_numerical_jacobian(func, given, x, options.eps) for x in wanted]
    number = -1
    for place, out in enumerate(floating):
        if not out.requires_grad:
            continue
        number += 1
        if options.forward:
            analytical = [_forward_jacobian(func, given, x)[place] for x in wanted]
        else:
            analytical = _analytical_jacobian(out, wanted, options)
        for index, (a, columns) in enumerate(zip(analytical, numerical, strict=True)):
            if not _close(a, columns[place], options.rtol, options.atol):
                raise GradcheckError(_message(a, columns[place], number, index, options))


def _forward_jacobian(func: Any, given: Any, x: Tensor) -> list[Any]:
    rows = []
    for index in np.ndindex(*x._array.shape):
        tangent = np.zeros_like(x._array)
        tangent[index] = 1
        rows.append(_forward(func, given, x, tangent))
    if not rows:
        outs = [o for o in _as_tuple(func(*given)) if _floating(o)]
        return [np.zeros((0, o.numel())) for o in outs]
    return [np.array(column) for column in zip(*rows, strict=True)]


def _compare_fast(func: Any, given: Any, wanted: list[Tensor], floating: list[Tensor],
                  options: _Options) -> None:  # fmt: skip
    from ..generator import Generator
    from ..ops.creation import rand

    generator = Generator()

    def direction(count: int) -> Any:
        v = rand(count, generator=generator)._array.astype(np.float64)
        return v / np.sqrt(np.sum(v * v)) if count else v

    us = []
    for x in wanted:
        real = direction(x.numel())
        us.append((real, direction(x.numel()) if x.dtype.is_complex else None))
    carrying = [o for o in floating if o.requires_grad]
    vs = [None if options.forward else direction(o.numel()) for o in carrying]
    for number, (out, v) in enumerate(zip(carrying, vs, strict=True)):
        place = next(n for n, o in enumerate(floating) if o is out)
        rows = [] if options.forward else _checked_vjp(out, wanted, v, options)
        for index, (x, (ur, ui)) in enumerate(zip(wanted, us, strict=True)):
            moved = _moved_along(func, given, x, ur, ui, options.eps)[place]
            scale = float(ur.sum() + (0 if ui is None else ui.sum()))
            if options.forward:
                a, n = _forward(func, given, x, ur.reshape(x._array.shape))[place], moved
            else:
                row = rows[index]
                a = row @ ur if ui is None else row.real @ ur + 1j * (row.imag @ ui)
                n = v @ moved
                scale *= float(v.sum())
            if _close(a, n, options.rtol, options.atol * scale):
                continue
            jacobian = _numerical_jacobian(func, given, x, options.eps)[place]
            rule = (_forward_jacobian(func, given, x)[place] if options.forward
                    else _analytical_jacobian(out, wanted, options)[index])  # fmt: skip
            raise GradcheckError(
                _message(_number(a), _number(n), number, index, options)
                + "\nThese were computed in fast mode. The whole Jacobians, of the slow mode, are\n"
                f"Numerical:\n {wrap(jacobian)!r}\nAnalytical:\n{wrap(rule)!r}\n\n"
                "The max per-element difference (slow mode) is: "
                f"{np.abs(jacobian - rule).max()}.\n"
            )


def _number(value: Any) -> Any:
    return value.item() if np.ndim(value) == 0 else value


def _moved_along(func: Any, given: Any, x: Tensor, ur: Any, ui: Any, eps: float) -> list[Any]:
    step = (ur * eps).reshape(x._array.shape)
    found = _moved(func, given, x, step, eps, None)
    if ui is not None:
        step = (ui * eps * 1j).reshape(x._array.shape)
        other = _moved(func, given, x, step, eps, None)
        found = [a + 1j * b for a, b in zip(found, other, strict=True)]
    return found


def _parts(func: Any, part: str) -> Any:
    """A function that gives one part of its complex outputs."""

    def real_or_imaginary(*args: Any) -> Any:
        return tuple(getattr(o, part) if _floating(o) and o.dtype.is_complex else o
                     for o in _as_tuple(func(*args)))  # fmt: skip

    return real_or_imaginary


def _by_part(func: Any, given: tuple[Any, ...], part: str) -> tuple[Any, tuple[Any, ...]]:
    """A function of one part of its complex inputs, the other as it is; and these parts."""
    complex_ones = {i for i, t in enumerate(given) if _floating(t) and t.dtype.is_complex}
    fixed = [t.detach() if i in complex_ones else t for i, t in enumerate(given)]

    def whole(*args: Any) -> Any:
        return func(*(
            t if i not in complex_ones
            else t + fixed[i].imag * 1j if part == "real" else fixed[i].real + t * 1j
            for i, t in enumerate(args)
        ))  # fmt: skip

    def one(t: Tensor) -> Tensor:
        return getattr(t.detach(), part).clone().requires_grad_(t.requires_grad)  # type: ignore[no-any-return]

    return whole, tuple(one(t) if i in complex_ones else t for i, t in enumerate(given))


# Further checks


def _check_zeros(outs: list[Tensor], wanted: list[Tensor], masked: bool) -> None:
    """Gradients for cotangents of zero must be zeros, of the inputs' kind."""
    zeros = [wrap(np.zeros_like(o._array)) for o in outs]
    for x, g in zip(wanted, grad(outs, wanted, zeros, retain_graph=True, allow_unused=True),
                    strict=True):  # fmt: skip
        if g is None:
            continue
        if not (np.allclose(g._array, 0) if masked else np.all(g._array == 0)):
            raise GradcheckError("backward not multiplied by grad_output")
        if g.dtype != x.dtype:
            raise GradcheckError("grad is incorrect type")
        if g.shape != x.shape:
            raise GradcheckError("grad is incorrect size")


class UndefinedGrad(Node):
    """A node that passes no gradient on."""

    __slots__ = ()

    @staticmethod
    def backward(node: Any, g: Any) -> tuple[Any, ...]:
        return (None,)

    def differentiate(self, g: Any, needs: Any, recorded: bool) -> tuple[Any, ...]:
        return (None,)


def _undefined(tensor: Tensor) -> Tensor:
    """The tensor, but no gradient comes to it."""
    node = UndefinedGrad()
    node.next, node.seq, node.saved, node.extra, node.fix = (
        (edge_of(tensor),),
        clock(),
        None,
        None,
        None,
    )
    node.out_shape, node.out_dtype = tensor._array.shape, tensor._array.dtype
    node.code, node.offset = here()
    made = wrap(tensor._array)
    made._edge = node
    return made


def _check_undefined(func: Any, given: tuple[Any, ...], count: int) -> None:
    """Where no gradient comes to an output, none (or zeros) must come of it."""
    wanted = [t for t in given if _wants(t)]
    cases = [range(count)] + ([[n] for n in range(count)] if count > 1 else [])
    for absent in cases:
        outs = [_undefined(o) if n in absent else o
                for n, o in enumerate(_differentiable(func(*given)))]  # fmt: skip
        zeros = [wrap(np.zeros_like(o._array)) for o in outs]
        try:
            found = grad(outs, wanted, zeros, allow_unused=True)
        except RuntimeError as error:
            raise GradcheckError(
                "Expected backward function to handle undefined output grads. In `backward` of a "
                "Function, such a gradient is None where materialize_grads is off."
            ) from error
        if any(g is not None and not np.all(g._array == 0) for g in found):
            raise GradcheckError(
                "Expected all input grads to be undefined or zero when all output grads are "
                "undefined or zero."
            )


def _check_batched(out: Tensor, wanted: list[Tensor], number: int) -> None:
    """A batch of cotangents must give what they give one by one."""
    rng = np.random.RandomState(0)
    several = rng.standard_normal((2, *out._array.shape)).astype(out._array.dtype)
    expected = [_vjp(out, wanted, v) for v in several]
    try:
        found = grad(out, wanted, wrap(several), retain_graph=True, allow_unused=True,
                     is_grads_batched=True)  # fmt: skip
    except RuntimeError as error:
        raise GradcheckError(f"While computing batched gradients, got: {error}") from error
    for index, (got, *ones) in enumerate(zip(found, *expected, strict=True)):
        if got is None:
            continue
        whole = np.stack([g._array for g in ones])
        if not np.allclose(got._array, whole):
            raise GradcheckError(
                f"For output {number} and input {index}:\n\nthe gradients of a batch differ from "
                f"those one by one.\n\nGot:\n{got!r}\n\nExpected:\n{wrap(whole)!r}"
            )


def _check_batched_forward(func: Any, given: tuple[Any, ...]) -> None:
    from ..func import jvp, vmap  # type: ignore[attr-defined]

    rng = np.random.RandomState(0)
    for index, x in enumerate(given):
        if not _wants(x):
            continue

        def moved(tangent: Tensor, x: Tensor = x) -> Any:
            def alone(value: Tensor) -> Any:
                found = func(*(value if t is x else t for t in given))
                return tuple(o for o in _as_tuple(found) if _floating(o))

            return jvp(alone, (x.detach(),), (tangent,))[1]

        several = wrap(rng.standard_normal((2, *x._array.shape)).astype(x._array.dtype))
        expected = [moved(v) for v in several]  # type: ignore[attr-defined]
        try:
            found = vmap(moved)(several)
        except RuntimeError as error:
            raise GradcheckError(f"While computing batched gradients, got: {error}") from error
        for got, *ones in zip(found, *expected, strict=True):
            if not np.allclose(got._array, np.stack([g._array for g in ones])):
                raise GradcheckError(f"For input {index}, the tangents of a batch differ from "
                                     "those one by one.")  # fmt: skip


# The checks that users call


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

    eps: the step of the differences; nondet_tol: by how much two runs of one backward pass may
    differ; check_undefined_grad: outputs without a gradient; check_grad_dtypes: gradients have the
    inputs' dtypes; check_batched_grad: batches of gradients; check_forward_ad: forward mode as
    well; fast_mode: one random direction instead of whole Jacobians
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to "
                             "be True")  # fmt: skip
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be "
                             "True")  # fmt: skip
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad "
                             "to be True")  # fmt: skip
    given = _as_tuple(inputs)
    _check_inputs(given)
    options = _Options(eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    try:
        found = _as_tuple(func(*given))
        is_complex = any(_floating(o) and o.dtype.is_complex for o in found)
        if check_backward_ad:
            _check_backward(func, given, is_complex, options)
        if check_forward_ad:
            _check_forward(func, given, options)
        if check_batched_forward_grad:
            _check_batched_forward(func, given)
        if not check_backward_ad:
            return True
        outs, wanted = _differentiable(func(*given)), [t for t in given if _wants(t)]
        if check_batched_grad:
            for number, out in enumerate(outs):
                _check_batched(out, wanted, number)
        _check_zeros(outs, wanted, bool(masked))
        if check_undefined_grad:
            _check_undefined(func, given, len(outs))
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_backward(func: Any, given: Any, is_complex: bool, options: _Options) -> None:
    options.forward = False
    if not is_complex:
        options.part = ""
        _compare(func, given, options)
        return
    for options.part in ("imaginary", "real"):
        _compare(_parts(func, options.part[:4]), given, options)


def _check_forward(func: Any, given: Any, options: _Options) -> None:
    options.forward = True
    if not any(_floating(t) and t.dtype.is_complex for t in given):
        options.part = ""
        _compare(func, given, options)
        return
    for options.part in ("imaginary", "real"):
        _compare(*_by_part(func, given, options.part[:4]), options)


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *,
                  eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
                  gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True,
                  nondet_tol: float = 0.0, check_undefined_grad: bool = True,
                  check_grad_dtypes: bool = False, check_batched_grad: bool = False,
                  check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True,
                  fast_mode: bool = False, masked: bool = False) -> bool:  # fmt: skip
    """Compare second derivatives with finite differences of the first. See `gradcheck`.

    grad_outputs: the gradients of the outputs (random ones), with respect to which the first
    derivatives are checked, too; check_fwd_over_rev, check_rev_over_rev: whether in forward mode,
    and whether in reverse mode
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to "
                             "be True")  # fmt: skip
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_undefined_grad=True requires check_rev_over_rev to be "
                             "True")  # fmt: skip
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_batched_grad=True requires check_rev_over_rev to be "
                             "True")  # fmt: skip
    given = _as_tuple(inputs)
    if grad_outputs is None:
        cotangents = _random_like(_differentiable(func(*given)), gen_non_contig_grad_outputs)
    else:
        cotangents = _as_tuple(grad_outputs)
    places = [i for i, t in enumerate(given) if _wants(t)]
    carrying = [i for i, t in enumerate(cotangents) if t.requires_grad]

    def first(*args: Any) -> Any:
        # Forward mode gives values that do not require grad.
        mine, vs = list(args[: len(given)]), list(args[len(given) :])
        for values, wanted in ((mine, places), (vs, carrying)):
            for i in wanted:
                if not values[i].requires_grad:
                    values[i] = values[i].requires_grad_()
        grads = grad(_differentiable(func(*mine)), [mine[i] for i in places], vs,
                     create_graph=True, allow_unused=True)  # fmt: skip
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        first, (*given, *cotangents), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev, fast_mode=fast_mode, masked=masked,
    )  # fmt: skip


def _random_like(outs: list[Tensor], gaps: bool) -> tuple[Tensor, ...]:
    """Random gradients for outputs; with gaps in memory, if so wanted."""
    rng = np.random.RandomState(0)
    made = []
    for o in outs:
        v = rng.uniform(-1, 1, o._array.shape)
        if o.dtype.is_complex:
            v = v + 1j * rng.uniform(-1, 1, o._array.shape)
        array = np.asarray(v, o._array.dtype)
        if gaps and array.ndim:
            array = np.repeat(array, 2, axis=-1)[..., ::2]
        made.append(wrap(array).requires_grad_())
    return tuple(made)


# What PyTorch has deprecated


def _deprecated(function: Any) -> Any:
    @functools.wraps(function)
    def warned(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"`{function.__name__}` was part of PyTorch's private API and not meant to be "
                      "exposed.", FutureWarning, stacklevel=2)  # fmt: skip
        return function(*args, **kwargs)

    return warned


@_deprecated
def get_numerical_jacobian(fn: Callable[..., Any], inputs: Any, target: Any = None,
                           eps: float = 1e-3, grad_out: float = 1.0) -> Any:  # fmt: skip
    """For each input that requires grad, the Jacobian of `fn(inputs)`'s first output by central
    differences: f[elements of the input, elements of the output]."""
    if grad_out != 1.0:
        raise ValueError("Expected grad_out to be 1.0. get_numerical_jacobian no longer supports "
                         "values of grad_out != 1.0.")  # fmt: skip
    given = _as_tuple(inputs)
    wanted = [t for t in _as_tuple(given if target is None else target) if _wants(t)]
    return tuple(wrap(_numerical_jacobian(lambda *args: fn(args), given, x, eps)[0])
                 for x in wanted)  # fmt: skip


def get_numerical_jacobian_wrt_specific_input(fn: Callable[..., Any], input_idx: int, inputs: Any,
                                              outputs: Any, eps: float, input: Any = None,
                                              is_forward_ad: bool = False) -> Any:  # fmt: skip
    """For each output, its Jacobian for one input by central differences."""
    given = _as_tuple(inputs)
    x = given[input_idx] if input is None else input
    return tuple(wrap(j) for j in _numerical_jacobian(fn, given, x, eps))


@_deprecated
def get_analytical_jacobian(inputs: Any, output: Tensor, nondet_tol: float = 0.0,
                            grad_out: float = 1.0) -> Any:  # fmt: skip
    """The Jacobians of an output by its rules for each input that requires grad; whether repeated
    passes agree; whether sizes and dtypes are right."""
    if grad_out != 1.0:
        raise ValueError("Expected grad_out to be 1.0. get_analytical_jacobian no longer supports "
                         "values of grad_out != 1.0.")  # fmt: skip
    if output.is_complex():
        raise ValueError("Expected output to be non-complex. get_analytical_jacobian no longer "
                         "supports functions that return complex outputs.")  # fmt: skip
    wanted = [t for t in _as_tuple(inputs) if _wants(t)]
    options = _Options(0, 0, 0, nondet_tol, False, False)
    try:
        found, reentrant = _analytical_jacobian(output, wanted, options), True
    except GradcheckError:
        options.nondet_tol = np.inf
        found, reentrant = _analytical_jacobian(output, wanted, options), False
    dtypes = all(j.dtype == x._array.dtype for j, x in zip(found, wanted, strict=True))
    return tuple(map(wrap, found)), reentrant, True, dtypes
