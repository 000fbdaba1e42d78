"""Views and rearrangement: a tensor's elements in another shape, order or number.

Views share their tensor's memory; what a write to one means for the others is `graph/inplace.py`.
Here is what each view looks like, and how its gradient goes back.
"""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import can_cast, dtype, from_numpy_dtype
from ..duck import zeros
from ..graph.inplace import NO_GRAD, NORMAL, ViewEdge, check_writable, rebase, write
from ..graph.modes import OFF, ON, current
from ..graph.node import clock
from ..graph.operator import Op, apply, op, write_out
from ..graph.saved import bump
from ..graph.source import INTERNAL, fail, here, user_frame
from ..tensor import COUNT, TENSORS, Size, Tensor, normal_dim, wrap

__all__ = [
    "adjoint", "alias_copy", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_shapes",
    "broadcast_tensors", "broadcast_to", "clone", "constant_pad_nd", "detach_copy", "diag",
    "diag_embed", "diagflat", "diagonal", "diagonal_copy", "diagonal_scatter", "expand_copy",
    "flatten", "flip", "fliplr", "flipud", "movedim", "permute", "permute_copy", "ravel",
    "repeat_interleave", "reshape", "roll", "rot90", "squeeze", "squeeze_copy", "swapaxes",
    "t", "t_copy", "tile", "trace", "transpose", "transpose_copy", "tril", "triu", "unflatten",
    "unfold_copy", "unsqueeze", "unsqueeze_copy", "view_copy",
]  # fmt: skip
METHODS = (
    "adjoint", "broadcast_to", "clone", "contiguous", "diag", "diag_embed", "diagflat", "diagonal",
    "diagonal_scatter", "expand", "expand_as", "flatten", "flip", "fliplr", "flipud", "movedim",
    "permute", "ravel", "repeat", "repeat_interleave", "reshape", "reshape_as", "roll", "rot90",
    "squeeze", "squeeze_", "swapaxes", "swapaxes_", "t", "t_", "tile", "trace", "transpose",
    "transpose_", "tril", "tril_", "triu", "triu_", "unflatten", "unfold", "unsqueeze", "unsqueeze_", "view",
    "view_as",
)  # fmt: skip
ALIASES = {"moveaxis": "movedim", "swapdims": "transpose", "swapdims_": "transpose_"}

_new = object.__new__
_frame = sys._getframe
_ALL = slice(None)


# Views, and how they are recorded


class Seen(tuple[Any, ...]):
    """What the node of a view saves: the operator, the input's shape, and the parameters."""

    __slots__ = ()

    def items(self) -> Any:
        """Pairs of name and value, as of a dictionary."""
        yield "input_shape", self[1]
        yield from zip(self[0].params, self[2:], strict=True)


def viewed(made: Op, source: Any, *params: Any) -> Any:
    """The result of a view operator of one output: `operator.apply`, quicker, for common cases.

    The operator's rule must give a gradient of the input's very shape and dtype, so that the engine
    need not look after that.
    """
    mode = current()
    if source.__class__ not in TENSORS or (mode is not ON and mode is not OFF) or source._inference:
        if isinstance(source, Tensor):
            return apply(made, (source,), params, None)
        return made.forward(source, *params)
    x = source._array
    r = made.forward(x, *params)
    view = _new(Tensor)
    view._array = r
    base = source._base
    view._base = base = source if base is None else base
    view._versions = versions = base._versions
    view._edge = edge = _new(ViewEdge)
    edge.count = versions[COUNT]
    below = source._edge
    edge.origin = below.origin if below.__class__ is ViewEdge else NORMAL
    frame = _frame(1)
    code = frame.f_code
    if INTERNAL[code.co_filename]:
        frame = user_frame(frame)
        code = frame.f_code
    if below is not None and mode is ON and not below.plain:
        below = below.resolve(source)
    if below is not None and mode is ON:
        edge.node = node = made.node()
        node.next = (below,)
        node.seq = clock()
        node.out_shape = r.shape
        node.out_dtype = r.dtype
        node.fix = node.extra = None
        node.saved = Seen((made, x.shape, *params))
        node.code = code
        node.offset = frame.f_lasti
        edge.mark = None
        return view
    edge.node = None
    edge.mark = (code, frame.f_lasti)
    if mode is OFF:
        edge.origin = NO_GRAD
    return view


def view_op(**options: Any) -> Any:
    """Make a view operator of one output. Its node has a quick way through `backward`."""

    def make(forward: Any) -> Any:
        call = op(forward, view=True, **options)
        register = call.vjp

        def vjp(input: Any) -> Any:
            register(input=input)
            made = call.op
            wanted = [("input_shape", *made.params).index(name) + 1
                      for name in made.rules["input"].names]  # fmt: skip

            def backward(node: Any, g: Any) -> tuple[Any, ...]:
                saved = node.saved
                if saved.__class__ is not Seen:  # recorded on the general way
                    return node.differentiate(g, (True,), False)  # type: ignore[no-any-return]
                return (input(g, *[saved[place] for place in wanted]),)

            call.op.node.backward = staticmethod(backward)
            return call

        call.vjp = vjp
        return call

    return make


def copying(find: Callable[..., Any], doc: str, node: str | None = None) -> Any:
    """The function `<view>_copy`: the elements of a view, in memory of their own.

    find: gives the view operator, the input and the operator's parameters for a user's call
    node: PyTorch's name of the graph node where it is not that of the view and "_copy"
    """
    copies: dict[Op, Op] = {}

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        made, source, *rest = find(*args, **kwargs)
        copy = copies.get(made)
        if copy is None:
            copy = copies[made] = _copy_op(made, node)
        params = tuple(rest)
        if out is not None:
            for target in out if isinstance(out, (tuple, list)) else (out,):
                expect_out(target, source._array.dtype)
            write_out(copy.name, out, lambda x: apply(copy, (x,), params, None), (source,), {})
            return out if isinstance(out, Tensor) else None
        return apply(copy, (source,), params, None)

    call.__doc__ = doc
    return call


def _copy_op(made: Op, node: str | None) -> Op:
    @functools.wraps(made.forward)
    def forward(*args: Any) -> Any:
        r = made.forward(*args)
        return tuple(map(np.copy, r)) if r.__class__ is tuple else np.copy(r)

    call = op(forward, name=f"{made.name}_copy", node=node or f"{made.node.__name__}_copy")
    call.vjp(input=made.rules["input"].function)
    return call.op


def reshaping(find: Callable[..., Any], doc: str) -> Any:
    """The in-place method of a view: the tensor itself gets the view's shape and strides.

    find: as in `copying`
    """
    nodes: dict[Op, Any] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        made, self, *rest = find(*args, **kwargs)
        recording = current().grad and self.requires_grad
        if recording or self._inference:
            check_writable(self, recording)
        before = self._array
        after = made.forward(before, *rest)
        if not recording:
            self._array = after
            bump(self, here())
            return self
        cls = nodes.get(made)
        if cls is None:
            cls = nodes[made] = _in_place_node(made)
        node = cls()
        node.next = (self._edge if self._edge.plain else self._edge.resolve(self),)
        node.seq, node.extra = clock(), None
        node.out_shape, node.out_dtype = after.shape, after.dtype
        node.fix = ((before.shape, before.dtype),)
        node.saved = Seen((made, before.shape, *rest))
        node.code, node.offset = here()
        self._array = after
        bump(self, node.mark)
        if self._base is None:
            rebase(self, node)
        else:
            self._edge.node, self._edge.count = node, self._versions[COUNT]
        return self

    call.__doc__ = doc
    return call


def _in_place_node(made: Op) -> Any:
    """The node class of an in-place view: PyTorch counts on after those of the views."""
    stem, number = made.node.__name__[:-1], int(made.node.__name__[-1])
    several = 3 if stem == "SqueezeBackward" else 1
    return type(f"{stem}{number + several}", (made.node,), {"__slots__": ()})


def ints(args: tuple[Any, ...], kwargs: dict[str, Any], name: str, call: str) -> Any:
    """Sizes or dimensions given one by one, as a sequence, or by name."""
    if not args:
        if name not in kwargs:
            raise TypeError(f'{call}() missing 1 required positional arguments: "{name}"')
        args = (kwargs.pop(name),)
    if kwargs:
        raise TypeError(f"{call}() got an unexpected keyword argument '{next(iter(kwargs))}'")
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = tuple(args[0])
    return args


def normal_dims(dims: Any, ndim: int) -> tuple[int, ...]:
    """Dimensions counted from the front, each at most once."""
    if not isinstance(dims, (tuple, list)):
        dims = (dims,)
    found = tuple([normal_dim(d, ndim) for d in dims])
    if len(set(found)) < len(found):
        twice = next(d for d in found if found.count(d) > 1)
        fail(RuntimeError, f"dim {twice} appears multiple times in the list of dims")
    return found


def type_name(array: Any) -> str:
    """PyTorch's old name of a tensor's type, as some messages have it: torch.FloatTensor."""
    name = from_numpy_dtype(array.dtype).legacy
    plain = name in ("Float", "Double", "Half", "Byte", "Char", "Short", "Int", "Long")
    return f"torch.{name}Tensor" if plain else f"CPU{name}Type"


# Another shape


@view_op(name="alias")
def _alias(input, /):
    """The same elements: another tensor on the same memory."""
    return input[...]


_alias.vjp(input=lambda g: g)


@view_op(name="view")
def _view(input, /, size):
    """The elements in another shape."""
    return np.reshape(input, size)


@view_op(name="reshape_alias")
def _reshape_alias(input, /, size):
    """As `view`, of elements that do not lie in one piece."""
    return np.reshape(input, size)


@op(name="unsafe_view", linear=True)
def _unsafe_view(input, /, size):
    """The elements of a fresh copy in another shape."""
    return np.reshape(input, size)


for _each in (_view, _reshape_alias, _unsafe_view):
    _each.vjp(input=lambda g, input_shape: np.reshape(g, input_shape))


def _check_size(array: Any, size: Any) -> None:
    """Raise PyTorch's error unless `size` is a shape for an array's elements."""
    size = [int(n) for n in size]
    for index, n in enumerate(size):
        if n < -1:
            fail(RuntimeError, f"invalid shape dimension {n} at index {index} of shape {size}")
    if size.count(-1) > 1:
        fail(RuntimeError, "only one dimension can be inferred")
    if -1 in size and 0 in size and array.size == 0:
        fail(RuntimeError, f"cannot reshape tensor of 0 elements into shape {size} because the "
                           "unspecified dimension size -1 can be any value and is ambiguous")  # fmt: skip
    known = abs(math.prod(size))
    if array.size != known if -1 not in size else known == 0 or array.size % known:
        fail(RuntimeError, f"shape '{size}' is invalid for input of size {array.size}",
             f"the tensor's shape is {list(array.shape)}: {array.size} elements; the wanted one has "
             + (f"{known}" if -1 not in size else f"a multiple of {known}"),
             "to do: leave one size to be found out: -1")  # fmt: skip


def _full_size(array: Any, size: Any) -> tuple[int, ...]:
    """A size with its -1 filled in."""
    _check_size(array, size)
    known = -math.prod(size)
    return tuple([array.size // known if n == -1 else n for n in size])


def _viewable(array: Any, size: Any) -> bool:
    """Whether an array can be seen in another shape without a copy.

    Its dimensions fall into runs of evenly spaced elements; each new dimension must lie within
    one.
    """
    if not array.size:
        return True
    runs: list[int] = []
    space = None
    for n, stride in zip(array.shape, array.strides, strict=True):
        if n == 1:
            continue
        if runs and space == n * stride:
            runs[-1] *= n
        else:
            runs.append(n)
        space = stride
    left = 1
    for n in size:
        if n == 1:
            continue
        if left == 1:
            left = runs.pop(0)
        if left % n:
            return False
        left //= n
    return True


def _view_params(input: Tensor, *shape: Any, **kwargs: Any) -> tuple[Any, ...]:
    size = ints(shape, kwargs, "size", "view")
    array = input._array
    if size and min(size) < -1:
        _check_size(array, size)
    if not array.flags.c_contiguous:
        size = _full_size(array, size)
        if not _viewable(array, size):
            fail(
                RuntimeError,
                "view size is not compatible with input tensor's size and stride (at least one "
                "dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
                f"its shape is {list(array.shape)}, its strides in bytes {list(array.strides)}: its "
                "elements do not lie in the order of its dimensions, as after transpose()",
                "to do: .reshape(...), which copies where it must, or .contiguous().view(...)",
            )
    return _view.op, input, size


def view(input: Tensor, *shape: Any, **kwargs: Any) -> Tensor:
    """The tensor in another shape: `view(3, 4)`, `view((3, -1))`; or, given a dtype, its memory
    read as elements of that dtype. RuntimeError where this needs a copy: see `reshape`."""
    wanted = kwargs.get("dtype") or (shape[0] if shape else None)
    if isinstance(wanted, dtype):
        return _view_dtype(input, wanted)
    try:
        return viewed(*_view_params(input, *shape, **kwargs))
    except ValueError:
        _check_size(input._array, ints(shape, kwargs, "size", "view"))
        raise


def _view_dtype(input: Tensor, wanted: dtype) -> Tensor:
    """The memory read as elements of another dtype, outside every graph."""
    array, kind = input._array, wanted.numpy
    have, want = array.dtype.itemsize, kind.itemsize
    if have != want:
        how = f"to view {input.dtype.legacy} as {wanted.legacy} (different element sizes)"
        if not array.ndim:
            fail(RuntimeError, f"self.dim() cannot be 0 {how}")
        if have < want and array.shape[-1] % (want // have):
            fail(RuntimeError, f"self.size(-1) must be divisible by {want // have} {how}, but got "
                               f"{array.shape[-1]}")  # fmt: skip
        if array.shape[-1] > 1 and array.strides[-1] != have:
            fail(RuntimeError, f"self.stride(-1) must be 1 {how}, but got "
                               f"{array.strides[-1] // have}")  # fmt: skip
    made = wrap(array.view(kind))
    made._versions = input._versions
    return made


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor in the shape of another, in the same memory."""
    return view(input, other._array.shape)


def reshape(input: Tensor, *shape: Any, **kwargs: Any) -> Tensor:
    """The tensor in another shape: a view where its memory allows, else a copy."""
    size = ints(shape, kwargs, "shape", "reshape")
    array = input._array
    if array.flags.c_contiguous and not (size and min(size) < -1):
        try:
            return viewed(_view.op, input, size)
        except ValueError:
            _check_size(array, size)
            raise
    size = _full_size(array, size)
    if _viewable(array, size):
        return viewed(_reshape_alias.op, input, size)
    return _unsafe_view(_clone(input, "C"), size)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor in the shape of another."""
    return reshape(input, other._array.shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` made one; the tensor itself if they are one."""
    size = input._array.shape
    start, end = normal_dim(start_dim, len(size)), normal_dim(end_dim, len(size))
    if start > end:
        fail(RuntimeError, "flatten() has invalid args: start_dim cannot come after end_dim")
    if not size:
        return reshape(input, 1)
    if start == end:
        return input
    return reshape(input, (*size[:start], math.prod(size[start : end + 1]), *size[end + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """The elements in one dimension: a view where the memory allows, else a copy."""
    return view(contiguous(input), -1)


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension made several, of `sizes`, one of which may be -1."""
    have = input._array.shape
    dim = normal_dim(dim, len(have))
    sizes = tuple(sizes)
    if not sizes:
        fail(RuntimeError, "unflatten: sizes must be non-empty")
    if sizes.count(-1) > 1:
        fail(RuntimeError, "unflatten got an unexpected error:\nonly one dimension can be inferred")
    known = abs(math.prod(sizes))
    if have[dim] != known if -1 not in sizes else known == 0 or have[dim] % known:
        fail(RuntimeError, f"unflatten: Provided sizes {list(sizes)} don't multiply up to the "
                           f"size of dim {dim} ({have[dim]}) in the input tensor")  # fmt: skip
    sizes = tuple(have[dim] // known if n == -1 else n for n in sizes)
    return view(input, (*have[:dim], *sizes, *have[dim + 1 :]))


# Dimensions of size one


@view_op(name="squeeze")
def _squeeze(input, /):
    """Without the dimensions of size 1."""
    return np.squeeze(input)


@view_op(name="squeeze_dim", node="SqueezeBackward1")
def _squeeze_dim(input, /, dim):
    """Without one dimension, if its size is 1."""
    return np.squeeze(input, axis=dim) if input.ndim and input.shape[dim] == 1 else input[...]


@view_op(name="squeeze_dims", node="SqueezeBackward2")
def _squeeze_dims(input, /, dim):
    """Without those of the named dimensions whose size is 1."""
    return np.squeeze(input, axis=tuple(d for d in dim if input.ndim and input.shape[d] == 1))


for _each in (_squeeze, _squeeze_dim, _squeeze_dims):
    _each.vjp(input=lambda g, input_shape: np.reshape(g, input_shape))


def _squeeze_params(input: Tensor, dim: Any = None) -> tuple[Any, ...]:
    if dim is None:
        return _squeeze.op, input
    if isinstance(dim, (tuple, list)):
        return _squeeze_dims.op, input, normal_dims(dim, input._array.ndim)
    return _squeeze_dim.op, input, normal_dim(dim, input._array.ndim)


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1: all of them, or of those named."""
    return viewed(*_squeeze_params(input, dim))


@view_op(name="unsqueeze")
def _unsqueeze(input, /, dim):
    """With a dimension of size 1 before dimension `dim`."""
    return input[(*(_ALL,) * dim, None, ...)]


_unsqueeze.vjp(input=lambda g, input_shape: np.reshape(g, input_shape))


def _unsqueeze_params(input: Tensor, dim: int) -> tuple[Any, ...]:
    return _unsqueeze.op, input, normal_dim(dim, input._array.ndim + 1)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 inserted at `dim`."""
    return viewed(*_unsqueeze_params(input, dim))


def _each_of(tensors: tuple[Any, ...], lift: Callable[[Any], Any]) -> Any:
    if len(tensors) == 1:
        if not isinstance(tensors[0], (tuple, list)):
            return lift(tensors[0])
        tensors = tuple(tensors[0])
    return tuple(map(lift, tensors))


def atleast_1d(*tensors: Any) -> Any:
    """The tensor with at least one dimension; of several tensors, a tuple."""
    return _each_of(tensors, lambda x: x if x.ndim else reshape(x, 1))


def atleast_2d(*tensors: Any) -> Any:
    """The tensor with at least two dimensions, f[n] -> f[1, n]; of several tensors, a tuple."""

    def lift(x: Tensor) -> Tensor:
        return x if x.ndim >= 2 else unsqueeze(x, 0) if x.ndim else reshape(x, 1, 1)

    return _each_of(tensors, lift)


def atleast_3d(*tensors: Any) -> Any:
    """The tensor with at least three dimensions, f[n] -> f[1, n, 1] and f[n, m] -> f[n, m, 1];
    of several tensors, a tuple."""

    def lift(x: Tensor) -> Tensor:
        if x.ndim >= 2:
            return x if x.ndim >= 3 else unsqueeze(x, -1)
        return unsqueeze(unsqueeze(x, 0), -1) if x.ndim else reshape(x, 1, 1, 1)

    return _each_of(tensors, lift)


# Another order of dimensions


@view_op(name="transpose")
def _transpose(input, /, dim0, dim1):
    """Two dimensions swapped."""
    return np.swapaxes(input, dim0, dim1) if input.ndim else input[...]


_transpose.vjp(
    input=lambda g, dim0, dim1, input_shape: np.swapaxes(g, dim0, dim1) if input_shape else g
)


@view_op(name="t")
def _t(input, /):
    """The dimensions of a matrix swapped."""
    return np.transpose(input)


_t.vjp(input=lambda g: np.transpose(g))


@view_op(name="permute")
def _permute(input, /, dims):
    """The dimensions in another order: dimension dims[i] comes to place i."""
    return np.transpose(input, dims)


_permute.vjp(
    input=lambda g, dims: np.transpose(g, tuple([dims.index(d) for d in range(len(dims))]))
)


def _transpose_params(input: Tensor, dim0: int, dim1: int) -> tuple[Any, ...]:
    ndim = input._array.ndim
    return _transpose.op, input, normal_dim(dim0, ndim), normal_dim(dim1, ndim)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions swapped."""
    return viewed(*_transpose_params(input, dim0, dim1))


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two dimensions swapped: `transpose` with NumPy's names."""
    return transpose(input, axis0, axis1)


def _t_params(input: Tensor) -> tuple[Any, ...]:
    if input._array.ndim > 2:
        fail(RuntimeError, "t() expects a tensor with <= 2 dimensions, but self is "
                           f"{input._array.ndim}D", "to do: x.mT, or x.transpose(dim0, dim1)")  # fmt: skip
    return _t.op, input


def t(input: Tensor) -> Tensor:
    """The dimensions of a matrix swapped; a vector or a number as it is."""
    return viewed(*_t_params(input))


def _permute_params(input: Tensor, *dims: Any, **kwargs: Any) -> tuple[Any, ...]:
    dims = ints(dims, kwargs, "dims", "permute")
    ndim = input._array.ndim
    if len(dims) != ndim:
        fail(
            RuntimeError,
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(dims)}",
        )
    found = tuple([normal_dim(d, ndim) for d in dims])
    if len(set(found)) < ndim:
        fail(RuntimeError, "permute(): duplicate dims are not allowed.")
    return _permute.op, input, found


def permute(input: Tensor, *dims: Any, **kwargs: Any) -> Tensor:
    """The dimensions in another order: dimension dims[i] comes to place i."""
    return viewed(*_permute_params(input, *dims, **kwargs))


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places; the rest keep their order."""
    ndim = input._array.ndim
    froms, tos = (list(d) if isinstance(d, (tuple, list)) else [d] for d in (source, destination))
    if len(froms) != len(tos):
        fail(
            RuntimeError,
            f"movedim: Invalid source or destination dims: source ({froms} dims) should contain "
            f"the same number of dims as destination ({tos} dims)",
        )
    places = [[normal_dim(d, ndim) for d in dims] for dims in (froms, tos)]
    for dims, given, name in zip(places, (froms, tos), ("source", "destination"), strict=True):
        if len(set(dims)) < len(dims):
            fail(RuntimeError, f"movedim: repeated dim in `{name}` ({given})")
    if not ndim:
        return viewed(_alias.op, input)
    rest = [d for d in range(ndim) if d not in places[0]]
    moved = dict(zip(places[1], places[0], strict=True))
    order = [moved[d] if d in moved else rest.pop(0) for d in range(ndim)]
    return viewed(_permute.op, input, tuple(order))


def _reversed(self: Tensor) -> Tensor:
    """The dimensions in reverse order."""
    ndim = self._array.ndim
    if ndim == 0:
        warnings.warn("Tensor.T is deprecated on 0-D tensors. This function is the identity in "
                      "these cases.", stacklevel=2)  # fmt: skip
    elif ndim != 2:
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and it will throw an error in a future release. Consider `x.mT` to "
            "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to "
            "reverse the dimensions of a tensor.",
            stacklevel=2,
        )
    return viewed(_permute.op, self, tuple(range(ndim - 1, -1, -1)))


def _matrix_transpose(self: Tensor, name: str = "mT") -> Tensor:
    """The last two dimensions swapped."""
    ndim = self._array.ndim
    if ndim == 1:
        fail(RuntimeError, f"tensor.{name} is only supported on matrices or batches of matrices. "
                           "Got 1-D tensor.")  # fmt: skip
    if ndim == 0:
        warnings.warn(f"Tensor.{name} is deprecated on 0-D tensors. This function is the identity "
                      "in these cases.", stacklevel=3)  # fmt: skip
    return transpose(self, -2 if ndim else 0, -1 if ndim else 0)


def _conjugated(transposed: Tensor) -> Tensor:
    return transposed.conj() if transposed._array.dtype.kind == "c" else transposed


def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions swapped, complex elements conjugated."""
    if input._array.ndim == 0:
        warnings.warn("adjoint() is deprecated on 0-D tensors. Consider using x.conj().",
                      stacklevel=2)  # fmt: skip
        return _conjugated(transpose(input, 0, 0))
    return _conjugated(_matrix_transpose(input, "mH"))


def _hermitian(self: Tensor) -> Tensor:
    """A matrix transposed, complex elements conjugated."""
    ndim = self._array.ndim
    if ndim == 0:
        warnings.warn("Tensor.H is deprecated on 0-D tensors. Consider using x.conj().",
                      stacklevel=2)  # fmt: skip
    elif ndim != 2:
        more = " For batches of matrices, consider using tensor.mH" if ndim > 2 else ""
        fail(RuntimeError, "tensor.H is only supported on matrices (2-D tensors). Got "
                           f"{ndim}-D tensor.{more}")  # fmt: skip
    return _conjugated(transpose(self, 0, -1 if ndim else 0))


Tensor.T = property(_reversed)
Tensor.mT = property(_matrix_transpose)
Tensor.H = property(_hermitian)
Tensor.mH = property(adjoint)


# Broadcasting


@view_op(name="expand")
def _expand(input, /, size):
    """Dimensions of size 1, and new ones in front, repeated without copying: f[...] -> f[size]."""
    r = np.broadcast_to(input, size)
    if r.__class__ is np.ndarray and input.flags.writeable:
        r.flags.writeable = True  # what may be written is for `check_writable` to say
    return r


_expand.vjp(input=lambda g: g)  # the engine sums, see `expand`


def _expand_params(input: Tensor, *size: Any, **kwargs: Any) -> tuple[Any, ...]:
    kwargs.pop("implicit", None)
    size = ints(size, kwargs, "size", "expand")
    have = input._array.shape
    new = len(size) - len(have)
    if new < 0:
        fail(
            RuntimeError,
            f"expand({type_name(input._array)}{{{list(have)}}}, size={list(size)}): the number of "
            f"sizes provided ({len(size)}) must be greater or equal to the number of dimensions "
            f"in the tensor ({len(have)})",
        )
    full = []
    for dim, want in enumerate(size):
        n = have[dim - new] if dim >= new else None
        if want == -1 and n is not None:
            want = n
        elif n is None and want < 0:
            fail(RuntimeError, f"The expanded size of the tensor ({want}) isn't allowed in a "
                               f"leading, non-existing dimension {dim}")  # fmt: skip
        elif n is not None and n != want and (n != 1 or want < 0):
            fail(
                RuntimeError,
                f"The expanded size of the tensor ({want}) must match the existing size ({n}) at "
                f"non-singleton dimension {dim}.  Target sizes: {list(size)}.  Tensor sizes: "
                f"{list(have)}",
            )
        full.append(want)
    return _expand.op, input, tuple(full)


def expand(input: Tensor, *size: Any, **kwargs: Any) -> Tensor:
    """Dimensions of size 1, and new ones in front, repeated without copying; -1 keeps a size."""
    view = viewed(*_expand_params(input, *size, **kwargs))
    node = view.grad_fn
    if node is not None:
        node.fix = ((input._array.shape, input._array.dtype),)
    return view


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor expanded to the shape of another."""
    return expand(input, other._array.shape)


def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """The tensor expanded to a shape."""
    return expand(input, tuple(size))


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Tensors expanded to their common shape."""
    shapes = [x._array.shape for x in tensors]
    try:
        size = np.broadcast_shapes(*shapes)
    except ValueError:
        # The elementwise operators tell which sizes differ.
        from .arithmetic import add

        total = tensors[0]
        for x in tensors[1:]:
            total = add(total, x)
        raise
    return tuple([x if x._array.shape == size else expand(x, size) for x in tensors])


def broadcast_shapes(*shapes: Any) -> Size:
    """The common shape of tensors of these shapes."""
    full = [tuple(s) if isinstance(s, (tuple, list)) else (s,) for s in shapes]
    size = [1] * max(map(len, full), default=0)
    for index, shape in enumerate(full):
        for back in range(-1, -len(shape) - 1, -1):
            n = shape[back]
            if n < 0:
                fail(ValueError, "Attempting to broadcast a dimension with negative length!")
            if n not in (1, size[back]):
                if size[back] != 1:
                    fail(
                        RuntimeError,
                        f"Attempting to broadcast a dimension of length {n} at {back}! Mismatching "
                        f"argument at index {index} had {shape}; but expected shape should be "
                        f"broadcastable to {size}",
                    )
                size[back] = n
    return Size(size)


# Copies


@op(name="clone", linear=True)
def _clone(input, /, order):
    """A copy, with its dimensions in memory in an order: "C", "K" (as they are), or a permutation,
    slowest first."""
    if order.__class__ is tuple:
        back = tuple(order.index(d) for d in range(len(order)))
        return np.transpose(np.copy(np.transpose(input, order), order="C"), back)
    return np.copy(input, order=order)


_clone.vjp(input=lambda g: g)

_LAST = {"channels_last": (0, 2, 3, 1), "channels_last_3d": (0, 2, 3, 4, 1)}


def _order(input: Tensor, memory_format: Any) -> Any:
    """The order of dimensions in memory for a copy in a memory format."""
    name = getattr(memory_format, "name", "preserve_format")
    if name in _LAST:
        if input._array.ndim != len(_LAST[name]):
            fail(RuntimeError, f"required rank {len(_LAST[name])} tensor to use {name} format")
        return _LAST[name]
    return "C" if name == "contiguous_format" or 0 in input._array.strides else "K"


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy, through which gradients flow."""
    array = input._array
    quick = memory_format is None and array.flags.c_contiguous
    return _clone(input, "C" if quick else _order(input, memory_format))


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if its elements lie in order in memory, else a copy in which they do."""
    if memory_format is None:
        return input if input._array.flags.c_contiguous else _clone(input, "C")
    order = _order(input, memory_format)
    if order == "K":
        fail(RuntimeError, "preserve memory format is unsupported by the contiguous operator")
    array = input._array if order == "C" else np.transpose(input._array, order)
    return input if array.flags.c_contiguous else _clone(input, order)


@op(name="repeat")
def _repeat(input, /, repeats):
    """The tensor repeated along each dimension: f[n, ...] -> f[repeats[0] · n, ...]."""
    return np.tile(input, repeats)


def _repeat_vjp(g: Any, repeats: Any, input_shape: Any) -> Any:
    sizes = (1,) * (len(repeats) - len(input_shape)) + input_shape
    pairs = [n for pair in zip(repeats, sizes, strict=True) for n in pair]
    return np.sum(np.reshape(g, pairs), axis=tuple(range(0, len(pairs), 2)))


_repeat.vjp(input=_repeat_vjp)


def repeat(input: Tensor, *repeats: Any, **kwargs: Any) -> Tensor:
    """The tensor repeated along each dimension; more repeats than dimensions add some in front."""
    counts = tuple([int(n) for n in ints(repeats, kwargs, "repeats", "repeat")])
    have = input._array.shape
    if len(counts) < len(have):
        fail(RuntimeError, "Number of dimensions of repeat dims can not be smaller than number of "
                           "dimensions of tensor")  # fmt: skip
    if counts and min(counts) < 0:
        sizes = (1,) * (len(counts) - len(have)) + have
        full = [n * r for n, r in zip(sizes, counts, strict=True)]
        fail(RuntimeError, "Trying to create tensor with negative dimension "
                           f"{next(n for n in full if n < 0)}: {full}")  # fmt: skip
    return _repeat(input, counts)


def tile(input: Tensor, *dims: Any, **kwargs: Any) -> Tensor:
    """The tensor repeated along its last dimensions, as np.tile does."""
    counts = ints(dims, kwargs, "dims", "tile")
    return repeat(input, (1,) * (input._array.ndim - len(counts)) + tuple(counts))


def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *,
                      output_size: int | None = None) -> Tensor:  # fmt: skip
    """Each element (or each slice along `dim`) repeated, next to itself. Given counts alone: the
    indices 0, 1, ..., each as often as its count says."""
    if repeats is None:
        return _interleaved(input, output_size)
    if not isinstance(repeats, Tensor):
        if isinstance(repeats, (tuple, list)):
            repeats = wrap(np.array(repeats, dtype=np.int64))
        elif repeats < 0:
            fail(RuntimeError, "Repeats must be non-negative")
    if dim is None:
        input, dim = flatten(input), 0
    size = input._array.shape
    dim = normal_dim(dim, len(size))
    if not isinstance(repeats, Tensor):
        sizes = (*size[: dim + 1], repeats, *size[dim + 1 :])
        copy = _clone(expand(unsqueeze(input, dim + 1), sizes), "C")
        return view(copy, (*size[:dim], size[dim] * repeats, *size[dim + 1 :]))
    counts = repeats._array
    if counts.ndim > 1:
        fail(RuntimeError, "repeats must be 0-dim or 1-dim tensor")
    if counts.size == 1:
        repeats = wrap(np.broadcast_to(counts.reshape(()), (size[dim],)))
    elif counts.size != size[dim]:
        fail(RuntimeError, "repeats must have the same size as input along dim, but got "
                           f"repeats.size(0) = {counts.size} and input.size({dim}) = {size[dim]}")  # fmt: skip
    from .scattering import index_select

    return index_select(input, dim, _interleaved(repeats, output_size))


def _interleaved(repeats: Tensor, output_size: int | None) -> Tensor:
    """The indices 0, 1, ..., each as often as `repeats` says."""
    counts = repeats._array
    if counts.dtype.kind != "i" or counts.itemsize < 4:
        fail(NotImplementedError, f'"repeat_interleave_cpu" not implemented for '
                                  f"'{repeats.dtype.legacy}'")  # fmt: skip
    if counts.size and counts.min() < 0:
        fail(RuntimeError, "repeats can not be negative")
    found = np.repeat(np.arange(counts.size, dtype=counts.dtype), counts)
    if output_size is not None and output_size != found.size:
        fail(RuntimeError, "allocated size does not match required size")
    return wrap(found)


@op(name="constant_pad_nd")
def _constant_pad_nd(input, /, pad, value):
    """The tensor with `value` around it: pad is (before, after) of the last dimension, of the one
    before it, and so on; negative counts cut away."""
    places, sizes, parts = [], [], []
    for dim, n in enumerate(input.shape):
        back = 2 * (input.ndim - 1 - dim)
        before, after = pad[back : back + 2] if back < len(pad) else (0, 0)
        sizes.append(n + before + after)
        parts.append(slice(max(-before, 0), n - max(-after, 0)))
        places.append(slice(max(before, 0), n + before + min(after, 0)))
    made = zeros(input, sizes)
    if value:
        made[...] = value
    made[tuple(places)] = input[tuple(parts)]
    return made


_constant_pad_nd.vjp(input=lambda g, pad: _constant_pad_nd(g, tuple([-n for n in pad]), 0))


def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Tensor:
    """The tensor with a value around it: pad is (before, after) of the last dimension, of the one
    before it, and so on; negative counts cut away."""
    size = input._array.shape
    pad = tuple(int(n) for n in pad)
    if len(pad) % 2:
        fail(RuntimeError, f"Length of pad must be even but instead it equals {len(pad)}")
    if len(pad) > 2 * len(size):
        fail(
            RuntimeError,
            "Length of pad should be no more than twice the number of dimensions of the input. "
            f"Pad length is {len(pad)}while the input has {len(size)}dimensions.",
        )
    for back in range(len(pad) // 2):
        n, (before, after) = size[-1 - back], pad[2 * back : 2 * back + 2]
        if min(before, 0) + min(after, 0) < -n:
            fail(RuntimeError, "narrow(): length must be non-negative.")
        if n + before + after < 0:
            fail(
                RuntimeError,
                f"The input size {n}, plus negative padding {before} and {after} resulted in a "
                f"negative output size, which is invalid. Check dimension {len(size) - 1 - back} "
                "of your input.",
            )
    return _constant_pad_nd(input, pad, value)


# Mirrored, turned


@op(name="flip")
def _flip(input, /, dims):
    """The order of the elements along some dimensions reversed."""
    return np.copy(np.flip(input, dims), order="K" if dims else "C")


_flip.vjp(input=lambda g, dims: _flip(g, dims))


def flip(input: Tensor, *dims: Any, **kwargs: Any) -> Tensor:
    """The order of the elements along some dimensions reversed (a copy)."""
    found = normal_dims(ints(dims, kwargs, "dims", "flip"), input._array.ndim)
    return _flip(input, found if input._array.ndim else ())


def fliplr(input: Tensor) -> Tensor:
    """The order of columns reversed."""
    if input._array.ndim < 2:
        fail(RuntimeError, "Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """The order of rows reversed."""
    if input._array.ndim < 1:
        fail(RuntimeError, "Input must be >= 1-d.")
    return flip(input, 0)


@op(name="roll")
def _roll(input, /, shifts, dims):
    """The elements moved along some dimensions, those that fall out coming in at the other end;
    without dimensions, along all of them as one."""
    return np.roll(input, shifts, dims) if dims else np.roll(input, shifts[0])


_roll.vjp(input=lambda g, shifts, dims: _roll(g, tuple([-n for n in shifts]), dims))


def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """The elements moved along some dimensions, those that fall out coming in at the other end;
    without dimensions, along all of them as one."""
    shifts, dims = (tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in (shifts, dims))
    if not shifts:
        fail(RuntimeError, "`shifts` required")
    if len(shifts) != len(dims) and (dims or len(shifts) != 1):
        fail(RuntimeError, f"shifts and dimensions must align. shifts: {len(shifts)}, "
                           f"dims:{len(dims)}")  # fmt: skip
    ndim = input._array.ndim
    if dims and not ndim:
        fail(IndexError, f"Dimension specified as {dims[0]} but tensor has no dimensions")
    found = tuple([normal_dim(d, ndim) for d in dims])
    return _roll(input, tuple([int(n) for n in shifts]), found)


@op(name="rot90")
def _rot90(input, /, k, dims):
    """The plane of two dimensions turned by k right angles."""
    return np.copy(np.rot90(input, k, dims))


_rot90.vjp(input=lambda g, k, dims: _rot90(g, -k, dims))


def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """The plane of two dimensions turned by k right angles, from the first towards the second."""
    ndim = input._array.ndim
    if len(dims) != 2:
        fail(RuntimeError, f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        fail(RuntimeError, f"expected total dims >= 2, but got total dims = {ndim}")
    found = tuple([normal_dim(d, ndim) for d in dims])
    if found[0] == found[1]:
        fail(RuntimeError, "expected rotation dims to be different, but got dim0 = "
                           f"{dims[0]} and dim1 = {dims[1]}")  # fmt: skip
    return _rot90(input, k, found)


# Diagonals and triangles


def _check_triangle(call: str, input: Any, diagonal: Any) -> None:
    if input.ndim < 2:
        fail(RuntimeError, f"{call}: input tensor must have at least 2 dimensions")
    if not hasattr(diagonal, "__index__"):
        raise TypeError(f"{call}(): argument 'diagonal' (position 1) must be int, not "
                        f"{type(diagonal).__name__}")  # fmt: skip


@op(name="tril", linear=True)
def _tril(input, /, diagonal):
    """The lower triangle of each matrix, zeros above the diagonal: f[..., n, m]."""
    _check_triangle("tril", input, diagonal)
    return np.tril(input, diagonal)


@op(name="triu", linear=True)
def _triu(input, /, diagonal):
    """The upper triangle of each matrix, zeros below the diagonal: f[..., n, m]."""
    _check_triangle("triu", input, diagonal)
    return np.triu(input, diagonal)


_tril.vjp(input=lambda g, diagonal: _tril(g, diagonal))
_triu.vjp(input=lambda g, diagonal: _triu(g, diagonal))


def tril(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """The lower triangle of each matrix, zeros above the given diagonal."""
    expect_out(out, input._array.dtype)
    return _tril(input, diagonal, out=out)


def triu(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """The upper triangle of each matrix, zeros below the given diagonal."""
    expect_out(out, input._array.dtype)
    return _triu(input, diagonal, out=out)


def tril_(self: Tensor, diagonal: int = 0) -> Tensor:
    """In-place `tril`."""
    return write(_tril.op, self, (), (diagonal,))


def triu_(self: Tensor, diagonal: int = 0) -> Tensor:
    """In-place `triu`."""
    return write(_triu.op, self, (), (diagonal,))


@view_op(name="diagonal")
def _diagonal(input, /, offset, dim1, dim2):
    """The diagonals of the planes of two dimensions, as the last dimension."""
    r = np.diagonal(input, offset, dim1, dim2)
    if r.__class__ is np.ndarray and input.flags.writeable:
        r.flags.writeable = True
    return r


@op
def diagonal_backward(g, /, input_shape, offset, dim1, dim2):
    """Zeros whose diagonals are `g`."""
    whole = zeros(g, input_shape)
    _diagonal(whole, offset, dim1, dim2)[...] = g
    return whole


_diagonal.vjp(
    input=lambda g, input_shape, offset, dim1, dim2: diagonal_backward(
        g, tuple(input_shape), offset, dim1, dim2
    )
)
diagonal_backward.vjp(g=lambda g, offset, dim1, dim2: np.diagonal(g, offset, dim1, dim2))


def _diagonal_params(input: Tensor, offset: int = 0, dim1: int = 0,
                     dim2: int = 1) -> tuple[Any, ...]:  # fmt: skip
    ndim = input._array.ndim
    first, second = normal_dim(dim1, ndim), normal_dim(dim2, ndim)
    if first == second:
        fail(RuntimeError, f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diagonal.op, input, offset, first, second


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonals of the planes of two dimensions, as the last dimension."""
    return viewed(*_diagonal_params(input, offset, dim1, dim2))


@op(name="diag_embed")
def _diag_embed(input, /, offset, dim1, dim2):
    """Zeros with the last dimension on the diagonals of the planes of two new dimensions."""
    n = input.shape[-1] + abs(offset)
    size = list(input.shape[:-1])
    for dim in sorted((dim1, dim2)):
        size.insert(dim, n)
    return diagonal_backward(input, tuple(size), offset, dim1, dim2)


_diag_embed.vjp(input=lambda g, offset, dim1, dim2: np.diagonal(g, offset, dim1, dim2))


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last dimension on the diagonals of the planes of two new dimensions."""
    reach = input._array.ndim + 1
    if not input._array.ndim:
        normal_dim(dim1, 0), normal_dim(dim2, 0)
    first, second = normal_dim(dim1, reach), normal_dim(dim2, reach)
    if first == second:
        fail(RuntimeError, f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diag_embed(input, offset, first, second)


def diag(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    ndim = input._array.ndim
    if ndim not in (1, 2):
        fail(RuntimeError, f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    if out is not None and ndim == 1 and not can_cast(input.dtype, out.dtype):
        fail(RuntimeError, f"diag: result type {input.dtype.legacy} can't be cast to the desired "
                           f"out= type {out.dtype.legacy}")  # fmt: skip
    if ndim == 2:
        return diagonal_copy(input, diagonal, out=out)
    return _diag_embed(input, diagonal, 0, 1, out=out)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of the input on its diagonal."""
    return _diag_embed(view(contiguous(input), -1), offset, 0, 1)


@op
def diagonal_scatter(input, src, /, offset=0, dim1=0, dim2=1):
    """A copy of `input` whose diagonals are `src`."""
    made = np.copy(input)
    place = _diagonal(made, offset, dim1, dim2)
    check_part(place, src)
    place[...] = src
    return made


diagonal_scatter.vjp(
    input=lambda g, offset, dim1, dim2: diagonal_scatter(g, 0, offset, dim1, dim2),
    src=lambda g, offset, dim1, dim2: np.diagonal(g, offset, dim1, dim2),
)


def expect_out(out: Any, kind: Any) -> None:
    """Raise PyTorch's error if `out=` has another dtype than the result."""
    if out is not None and out._array.dtype != kind:
        from .reductions import _expect

        _expect(out, from_numpy_dtype(kind))


def check_part(place: Any, src: Any) -> None:
    """Raise PyTorch's error if `src` does not have the shape of the place where it goes."""
    if isinstance(src, np.ndarray) and src.shape != place.shape:
        fail(RuntimeError, "expected src to have a size equal to the slice of self. src size = "
                           f"{list(src.shape)}, slice size = {list(place.shape)}")  # fmt: skip


@op(name="trace", linear=True)
def trace(input):
    """The sum of the elements on the diagonal of a matrix: f[n, m] -> f[]."""
    if input.ndim != 2:
        fail(RuntimeError, f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    if input.dtype.kind == "b":
        fail(NotImplementedError, "\"trace\" not implemented for 'Bool'")
    return np.trace(input, dtype=np.int64 if input.dtype.kind in "iu" else input.dtype)


trace.vjp(
    input=lambda g, input_shape: diagonal_backward(
        np.broadcast_to(g, (min(input_shape),)), tuple(input_shape), 0, 0, 1
    )
)


# Sliding windows


@view_op(name="unfold")
def _unfold(input, /, dimension, size, step):
    """Windows of `size` elements along a dimension, `step` apart: their elements become the last
    dimension, their number that dimension's size."""
    if not input.ndim:
        return input[None] if size else input[None][:0]
    if not size:
        count = input.shape[dimension] // step + 1
        return np.empty((*input.shape[:dimension], count, *input.shape[dimension + 1 :], 0),
                        input.dtype)  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(input, size, dimension, writeable=True)
    return windows[(*(_ALL,) * dimension, slice(None, None, step))]


@op
def unfold_backward(g, /, input_shape, dimension, size, step):
    """Zeros with windows added where `unfold` took them."""
    whole = zeros(g, input_shape)
    if not whole.ndim:
        return whole + g.sum(dtype=g.dtype)
    before = (_ALL,) * dimension
    for i in range(size):
        place = slice(i, i + step * (g.shape[dimension] - 1) + 1, step)
        whole[(*before, place)] += g[..., i]
    return whole


_unfold.vjp(
    input=lambda g, input_shape, dimension, size, step: unfold_backward(
        g, tuple(input_shape), dimension, size, step
    )
)
unfold_backward.vjp(g=lambda g, dimension, size, step: _unfold(g, dimension, size, step))


def _unfold_params(input: Tensor, dimension: int, size: int, step: int) -> tuple[Any, ...]:
    shape = input._array.shape
    dimension = normal_dim(dimension, len(shape))
    have = shape[dimension] if shape else 1
    if size < 0:
        fail(RuntimeError, f"size is {size} but must be >= 0")
    if size > have:
        fail(RuntimeError, f"maximum size for tensor at dimension {dimension} is {have} but size "
                           f"is {size}")  # fmt: skip
    if step <= 0:
        fail(RuntimeError, f"step is {step} but must be > 0")
    return _unfold.op, input, dimension, size, step


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """A view of windows of `size` elements along a dimension, `step` apart, their elements as the
    last dimension."""
    return viewed(*_unfold_params(input, dimension, size, step))


# Copies of views, and views in place


def _alias_params(input: Tensor) -> tuple[Any, ...]:
    return _alias.op, input


alias_copy = copying(_alias_params, "A copy of the tensor.")
diagonal_copy = copying(_diagonal_params, "`diagonal` as a copy.")
expand_copy = copying(_expand_params, "`expand` as a copy.")
permute_copy = copying(_permute_params, "`permute` as a copy.")
squeeze_copy = copying(_squeeze_params, "`squeeze` as a copy.")
t_copy = copying(_t_params, "`t` as a copy.")
transpose_copy = copying(_transpose_params, "`transpose` as a copy.")
unfold_copy = copying(_unfold_params, "`unfold` as a copy.")
unsqueeze_copy = copying(_unsqueeze_params, "`unsqueeze` as a copy.")
_view_copy = copying(_view_params, "`view` as a copy.")

squeeze_ = reshaping(_squeeze_params, "In-place `squeeze`.")
t_ = reshaping(_t_params, "In-place `t`.")
transpose_ = reshaping(_transpose_params, "In-place `transpose`.")
unsqueeze_ = reshaping(_unsqueeze_params, "In-place `unsqueeze`.")


def swapaxes_(self: Tensor, axis0: int, axis1: int) -> Tensor:
    """In-place `swapaxes`."""
    return transpose_(self, axis0, axis1)


def view_copy(input: Tensor, *size: Any, **kwargs: Any) -> Tensor:
    """`view` as a copy."""
    wanted = kwargs.get("dtype") or (size[0] if size else None)
    if isinstance(wanted, dtype):
        return clone(_view_dtype(input, wanted))
    try:
        return _view_copy(input, *size, **kwargs)
    except ValueError:
        kwargs.pop("out", None)
        _check_size(input._array, ints(size, kwargs, "size", "view"))
        raise


def detach_copy(input: Tensor) -> Tensor:
    """A copy outside every graph."""
    return clone(input.detach())


# NumPy's functions on tensors


def _numpy_flip(m: Any, axis: Any = None) -> Any:
    return flip(m, tuple(range(m.ndim)) if axis is None else axis)


def _numpy_roll(a: Any, shift: Any, axis: Any = None) -> Any:
    return roll(a, shift, () if axis is None else axis)


def _numpy_expand_dims(a: Any, axis: Any) -> Any:
    if not isinstance(axis, (tuple, list)):
        return unsqueeze(a, axis)
    for place in sorted(d % (a.ndim + len(axis)) for d in axis):
        a = unsqueeze(a, place)
    return a


def _numpy_pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    if mode != "constant" or np.ndim(constant_values):
        raise NotImplementedError("np.pad of a tensor takes mode='constant' and one value")
    width = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    return constant_pad_nd(array, width[::-1].ravel().tolist(), constant_values)


NUMPY = {
    np.atleast_1d: atleast_1d,
    np.atleast_2d: atleast_2d,
    np.broadcast_to: lambda array, shape, subok=False: broadcast_to(
        array, shape if isinstance(shape, (tuple, list)) else (shape,)
    ),
    np.copy: lambda a, order="K", subok=False: clone(a),
    np.diag: lambda v, k=0: diag(v, k),
    np.diagflat: lambda v, k=0: diagflat(v, k),
    np.diagonal: lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2),
    np.expand_dims: _numpy_expand_dims,
    np.flip: _numpy_flip,
    np.fliplr: lambda m: fliplr(m),
    np.flipud: lambda m: flipud(m),
    np.matrix_transpose: lambda x: _matrix_transpose(x),
    np.moveaxis: lambda a, source, destination: movedim(a, source, destination),
    np.ndim: lambda a: a.ndim,
    np.pad: _numpy_pad,
    np.ravel: lambda a, order="C": ravel(a),
    np.repeat: lambda a, repeats, axis=None: repeat_interleave(a, repeats, axis),
    np.reshape: lambda a, /, shape=None, order="C", *, copy=None: reshape(
        a, shape if isinstance(shape, (tuple, list)) else (shape,)
    ),
    np.roll: _numpy_roll,
    np.rot90: lambda m, k=1, axes=(0, 1): rot90(m, k, axes),
    np.shape: lambda a: tuple(a._array.shape),
    np.size: lambda a, axis=None: a.numel() if axis is None else a.size(axis),
    np.squeeze: lambda a, axis=None: squeeze(a, axis),
    np.swapaxes: lambda a, axis1, axis2: transpose(a, axis1, axis2),
    np.tile: lambda A, reps: tile(A, reps if isinstance(reps, (tuple, list)) else (reps,)),
    np.trace: lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2).sum(-1),
    np.transpose: lambda a, axes=None: permute(
        a, tuple(range(a.ndim - 1, -1, -1)) if axes is None else tuple(axes)
    ),
    np.tril: lambda m, k=0: tril(m, k),
    np.triu: lambda m, k=0: triu(m, k),
}
