"""torch.autograd.functional: Jacobians, Hessians and products with them, of functions of tensors.

Inputs and outputs are tensors or tuples of tensors; results are nested like these. With
`create_graph` results can be differentiated further; with `strict` an output that does not depend
on an input is an error, rather than a derivative of zeros. `leafgrad.func` has the same, composable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import engine
from ..graph.forward import Dual, tangent_of
from ..graph.modes import current, enable_grad, set_grad_enabled
from ..graph.source import fail
from ..graph.vmap import Vmap
from ..tensor import Tensor, wrap
from .forward_ad import checked_dual

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


# Arguments and results


def _tensors(value: Any, what: str, call: str) -> tuple[bool, tuple[Any, ...]]:
    """A tensor or a tuple of tensors as a tuple, and whether it was one."""
    several = isinstance(value, tuple)
    found = value if several else (value,)
    for i, each in enumerate(found):
        if not isinstance(each, Tensor):
            which = f"value at index {i}" if several else f"given {what}"
            fail(TypeError, f"The {what} given to {call} must be either a Tensor or a tuple of "
                            f"Tensors but the {which} has type {type(each)}.")  # fmt: skip
    return several, found


def _ours(tensors: Any, create_graph: bool, requires_grad: bool) -> tuple[Tensor, ...]:
    """The tensors as new objects, so that what the function itself holds is not mistaken for its
    arguments: linked to the user's if `create_graph`, else leaves."""
    return tuple(
        t.view_as(t) if create_graph and t.requires_grad
        else t.detach().requires_grad_(requires_grad)
        for t in tensors
    )  # fmt: skip


def _released(results: Any, create_graph: bool) -> Any:
    """Results without history, unless it is wanted."""
    if isinstance(results, Tensor):
        return results if create_graph else results.detach()
    return tuple(_released(each, create_graph) for each in results)


def _as_given(results: Any, several: bool) -> Any:
    return results if several else results[0]


def _check_v(v: Any, like: Any, several: bool) -> None:
    """Raise PyTorch's error unless `v` has the sizes of the tensors that it multiplies."""
    if len(v) != len(like):
        fail(RuntimeError, f"v is a tuple of invalid length: should be {len(like)} but got "
                           f"{len(v)}." if several else
                           "The given v should contain a single Tensor.")  # fmt: skip
    for i, (mine, other) in enumerate(zip(v, like, strict=True)):
        if mine.shape != other.shape:
            entry = f"Entry {i} in " if several else ""
            fail(RuntimeError, f"{entry}v has invalid size: should be {other.shape} but got "
                               f"{mine.shape}.")  # fmt: skip


def _given_v(v: Any, call: str, create_graph: bool, like: Any, several: bool, whose: str) -> Any:
    """The vector of a product; None, which stands for 1, only where a single number will do."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            fail(RuntimeError, f"The vector v can only be None if the {whose} a single Tensor with "
                               "a single element.")  # fmt: skip
        return None
    found = _ours(_tensors(v, "v", call)[1], create_graph, False)
    _check_v(found, like, several)
    return found


_INDEPENDENT = {
    "outputs": "Output {} of the user-provided function does not require gradients. The outputs "
    "must be computed in a differentiable manner from the input when running in strict mode.",
    "grad_inputs": "The gradient with respect to input {} is independent of the inputs of the "
    "user-provided function. This is not allowed in strict mode.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided function "
    "with respect to input {} is independent of the input. This is not allowed in strict mode. You "
    "should ensure that your function is twice differentiable and that the jacobian depends on the "
    "inputs (this would be violated by a linear function for example).",
    "hessian": "The hessian of the user-provided function with respect to input {} is independent "
    "of the input. This is not allowed in strict mode. You should ensure that your function is "
    "thrice differentiable and that the hessian depends on the inputs.",
}


def _check_depends(tensors: Any, what: str, strict: bool) -> None:
    """In strict mode: raise PyTorch's error for what does not require grad."""
    for i, t in enumerate(tensors if strict else ()):
        if t is None:
            fail(RuntimeError, "The output of the user-provided function is independent of input "
                               f"{i}. This is not allowed in strict mode.")  # fmt: skip
        if not t.requires_grad:
            fail(RuntimeError, _INDEPENDENT[what].format(i))


def _gradients(outs: Any, inputs: Any, grads: Any = None, **options: Any) -> tuple[Any, ...]:
    """`autograd.grad`; None also where no output requires grad."""
    given = (None,) * len(outs) if grads is None else grads
    pairs = [(o, g) for o, g in zip(outs, given, strict=True) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    found = engine.grad([o for o, _ in pairs], inputs, [g for _, g in pairs], allow_unused=True,
                        **options)  # fmt: skip
    return found  # type: ignore[no-any-return]


_MISSING = {
    "back": "The output of the user-provided function is independent of input {}. This is not "
    "allowed in strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {} in the "
    "grad_outputs when using the double backward trick to compute forward mode gradients. This is "
    "not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {}. This is "
    "not allowed in strict mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {} in "
    "the grad_jacobian. This is not allowed in strict mode as it prevents from using the double "
    "backward trick to replace forward mode AD.",
}


def _filled(grads: Any, like: Any, strict: bool, create_graph: bool, stage: str) -> tuple[Any, ...]:
    """Gradients with zeros for None; in strict mode an error instead."""
    filled = []
    for i, (g, x) in enumerate(zip(grads, like, strict=True)):
        if g is None:
            if strict:
                fail(RuntimeError, _MISSING[stage].format(i))
            g = wrap(np.zeros_like(x._array))
        elif strict and create_graph and not g.requires_grad:
            what = "hessian" if "double" in stage else "jacobian"
            fail(RuntimeError, f"The {what} of the user-provided function is independent of input "
                               f"{i}. This is not allowed in strict mode when "
                               "create_graph=True.")  # fmt: skip
        filled.append(g)
    return tuple(filled)


def _called(func: Any, inputs: Any, call: str, strict: bool) -> tuple[bool, tuple[Any, ...]]:
    several, outs = _tensors(func(*inputs), "outputs of the user-provided function", call)
    _check_depends(outs, "outputs", strict)
    return several, outs


def _recording(create_graph: bool) -> Any:
    return set_grad_enabled(True if create_graph else current().grad)


# Products with the Jacobian


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:  # fmt: skip
    """`func(*inputs)`, and v times its Jacobian: one tensor for each input."""
    with enable_grad():
        several, given = _tensors(inputs, "inputs", "vjp")
        given = _ours(given, create_graph, True)
        several_outs, outs = _called(func, given, "vjp", strict)
        v = _given_v(v, "vjp", create_graph, outs, several_outs,
                     "user-provided function returns")  # fmt: skip
    with _recording(create_graph):
        found = _gradients(outs, given, v, create_graph=create_graph)
        products = _filled(found, given, strict, create_graph, "back")
    return (_as_given(_released(outs, create_graph), several_outs),
            _as_given(_released(products, create_graph), several))  # fmt: skip


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:  # fmt: skip
    """`func(*inputs)`, and its Jacobian times v: one tensor for each output.

    It is the transpose of a recorded backward pass; `leafgrad.func.jvp` uses forward mode.
    """
    with enable_grad():
        several, given = _tensors(inputs, "inputs", "jvp")
        given = _ours(given, create_graph, True)
        v = _given_v(v, "jvp", create_graph, given, several,
                     "input to the user-provided function is")  # fmt: skip
        several_outs, outs = _called(func, given, "jvp", strict)
        # The backward pass is linear in these, whatever they are.
        seeds = tuple(wrap(np.zeros_like(o._array)).requires_grad_() for o in outs)
        pulled = _gradients(outs, given, seeds, create_graph=True)
        _check_depends(pulled, "grad_inputs", strict)
    with _recording(create_graph):
        found = _gradients(pulled, seeds, v, create_graph=create_graph)
        products = _filled(found, outs, strict, create_graph, "back_trick")
    return (_as_given(_released(outs, create_graph), several_outs),
            _as_given(_released(products, create_graph), several_outs))  # fmt: skip


# Jacobians


def jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool = False,
             strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode") -> Any:  # fmt: skip
    """The Jacobian of `func`: for each output and input a tensor of shape output + input.

    vectorize: all rows at once, by `vmap`; strategy: "reverse-mode", or with `vectorize`
    "forward-mode", which pays where there are fewer inputs than outputs
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                "torch.autograd.functional.jacobian: `create_graph=True` and "
                '`strategy="forward-mode"` are not supported together (yet). Please either set '
                '`create_graph=False` or `strategy="reverse-mode"`.'
            )
        return _forward_jacobian(func, inputs, strict, vectorize)
    with enable_grad():
        several, given = _tensors(inputs, "inputs", "jacobian")
        given = _ours(given, create_graph, True)
        several_outs, outs = _called(func, given, "jacobian", strict)
        if vectorize and strict:
            fail(RuntimeError, "torch.autograd.functional.jacobian: `strict=True` and "
                 "`vectorized=True` are not supported together. Please either set `strict=False` "
                 "or `vectorize=False`.")  # fmt: skip
        rows = _all_rows if vectorize else _each_row
        found = _released(rows(outs, given, create_graph, strict), create_graph)
    return _as_given(tuple(_as_given(each, several) for each in found), several_outs)


def _each_row(outs: Any, inputs: Any, create_graph: bool, strict: bool) -> Any:
    """The Jacobian, a backward pass for each element of the outputs."""
    from ..ops.joining import stack

    blocks = []
    for i, out in enumerate(outs):
        columns: list[list[Any]] = [[] for _ in inputs]
        for element in out.reshape(-1):
            grads = _gradients((element,), inputs, retain_graph=True, create_graph=create_graph)
            for n, (g, x) in enumerate(zip(grads, inputs, strict=True)):
                if strict and g is None:
                    fail(RuntimeError, f"Output {i} of the user-provided function is independent "
                                       f"of input {n}. This is not allowed in strict "
                                       "mode.")  # fmt: skip
                if strict and create_graph and not g.requires_grad:
                    fail(RuntimeError, "The jacobian of the user-provided function is independent "
                                       f"of input {i}. This is not allowed in strict mode when "
                                       "create_graph=True.")  # fmt: skip
                columns[n].append(wrap(np.zeros_like(x._array)) if g is None else g)
        blocks.append(tuple(
            stack(column).reshape((*out.shape, *x.shape)) if column
            else wrap(np.zeros((*out.shape, *x.shape), x._array.dtype))
            for column, x in zip(columns, inputs, strict=True)
        ))  # fmt: skip
    return tuple(blocks)


def _all_rows(outs: Any, inputs: Any, create_graph: bool, strict: bool) -> Any:
    """The Jacobian by one backward pass with a batch of gradients."""
    total = sum(out.numel() for out in outs)
    grads = _gradients([out.reshape(-1) for out in outs], inputs, _basis(outs),
                       create_graph=create_graph, is_grads_batched=True)  # fmt: skip
    whole = [
        wrap(np.zeros((total, *x.shape), x._array.dtype)) if g is None else g
        for g, x in zip(grads, inputs, strict=True)
    ]
    blocks, start = [], 0
    for out in outs:
        stop = start + out.numel()
        blocks.append(tuple(g[start:stop].reshape((*out.shape, *x.shape))
                            for g, x in zip(whole, inputs, strict=True)))  # fmt: skip
        start = stop
    return tuple(blocks)


def _basis(tensors: Sequence[Tensor]) -> list[Any]:
    """The standard basis of the space of these tensors, in rows: for each tensor its columns."""
    total, start, parts = sum(t.numel() for t in tensors), 0, []
    for t in tensors:
        part = np.zeros((total, t.numel()), t._array.dtype)
        np.fill_diagonal(part[start:], 1)
        parts.append(wrap(part))
        start += t.numel()
    return parts


def _forward_jacobian(func: Any, inputs: Any, strict: bool, vectorize: bool) -> Any:
    """The Jacobian by one pass with a batch of tangents."""
    if strict:
        fail(RuntimeError, "torch.autograd.functional.jacobian: `strict=True` and "
             '`strategy="forward-mode"` are not supported together (yet). Please either set '
             '`strict=False` or `strategy="reverse-mode"`.')  # fmt: skip
    several, given = _tensors(inputs, "inputs", "jacobian")
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly "
            "implemented for `vectorize=True`."
        )
    sizes = [x.numel() for x in given]
    examples, level = Vmap(sum(sizes)), Dual()
    tangents = [
        examples.into(part.reshape((-1, *x.shape)))
        for part, x in zip(_basis(given), given, strict=True)
    ]
    with examples, level:
        duals = [checked_dual(x, t, level) for x, t in zip(given, tangents, strict=True)]
        several_outs, outs = _tensors(func(*duals), "outputs", "jacobian")
        found = [tangent_of(out, level.level) for out in outs]
    blocks = []
    for out, t in zip(outs, found, strict=True):
        pushed = examples.out_of(wrap(np.zeros_like(out._array)) if t is None else t)
        shape = tuple(pushed.shape[1:])
        columns = pushed.movedim(0, -1).split(sizes, dim=-1)
        parts = [c.reshape((*shape, *x.shape)) for c, x in zip(columns, given, strict=True)]
        blocks.append(_as_given(parts, several))
    return _as_given(blocks if several else tuple(blocks), several_outs)  # lists, as PyTorch's


# Hessians


def hessian(func: Callable[..., Any], inputs: Any, create_graph: bool = False,
            strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode") -> Any:  # fmt: skip
    """The Hessian of a function of one number: for each pair of inputs their shapes together.

    vectorize, outer_jacobian_strategy: of the outer of the two derivatives, as in `jacobian`
    """
    several, given = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def first(*args: Any) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            for x in args:
                x.requires_grad_()
        found = jacobian(lambda *xs: _single(func, xs, "hessian", strict)[0].squeeze(), args,
                         create_graph=True)  # fmt: skip
        _check_depends(found, "jacobian", strict)
        return found

    found = jacobian(first, given, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found if several else found[0][0]


def _single(func: Any, inputs: Any, call: str, strict: bool) -> tuple[Any, ...]:
    """The one element that a function returns, in a tuple."""
    several, outs = _called(func, inputs, call, strict)
    if several:
        fail(RuntimeError, f"The function given to {call} should return a single Tensor")
    if outs[0].numel() != 1:
        fail(RuntimeError, f"The Tensor returned by the function given to {call} should contain a "
                           "single element")  # fmt: skip
    return outs


def _prepared(call: str, func: Any, inputs: Any, v: Any, create_graph: bool,
              strict: bool) -> Any:  # fmt: skip
    """What both products with the Hessian begin with: inputs, v, output and its gradient."""
    several, given = _tensors(inputs, "inputs", call)
    given = _ours(given, create_graph, True)
    v = _given_v(v, call, create_graph, given, several,
                 "input to the user-provided function is")  # fmt: skip
    outs = _single(func, given, call, strict)
    first = _gradients(outs, given, create_graph=True)
    _check_depends(first, "jacobian", strict)
    return several, given, v, outs, first


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:  # fmt: skip
    """`func(*inputs)`, and v times its Hessian: one tensor for each input."""
    with enable_grad():
        several, given, v, outs, first = _prepared("vhp", func, inputs, v, create_graph, strict)
    with _recording(create_graph):
        found = _gradients(first, given, v, create_graph=create_graph)
        products = _filled(found, given, strict, create_graph, "double_back")
    return (_released(outs, create_graph)[0],
            _as_given(_released(products, create_graph), several))  # fmt: skip


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:  # fmt: skip
    """`func(*inputs)`, and its Hessian times v: one tensor for each input.

    `vhp` is quicker, and the same where the Hessian is symmetric.
    """
    with enable_grad():
        several, given, v, outs, first = _prepared("hvp", func, inputs, v, create_graph, strict)
        seeds = tuple(wrap(np.zeros_like(x._array)).requires_grad_() for x in given)
        second = _gradients(first, given, seeds, create_graph=True)
        _check_depends(first, "hessian", strict)
    with _recording(create_graph):
        found = _gradients(second, seeds, v, create_graph=create_graph)
        products = _filled(found, given, strict, create_graph, "double_back_trick")
    return (_released(outs, create_graph)[0],
            _as_given(_released(products, create_graph), several))  # fmt: skip
