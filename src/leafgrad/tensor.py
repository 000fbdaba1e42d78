"""Tensor: an array, its gradient, and the node that made it.

This file has the data model and what reads it. The operators attach themselves as methods
(`ops/`), and so do `backward` and the in-place operations (`graph/`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .device import CPU, device
from .dtypes import BY_NAME, dtype, from_numpy_dtype, is_differentiable
from .duck import Duck, Opaque
from .graph import modes
from .graph.cut import Cut, cut_by, note_exit
from .graph.node import (
    LEAF,
    NOWHERE,
    OUTPUT,
    TENSOR,
    clock,
    edge_of,
    function_of,
    has_edge,
    leaf_extra,
)
from .graph.source import fail, here

# An inference tensor seen through `detach()` or `.data` counts its versions, as in PyTorch.
COUNTED = "counted"

# A version counter: how often the memory was written, the tick of the last write, the ticks of
# recent writes and the mark of the last one. One list is shared by all views of the memory. A bare
# list, because one is made with every tensor and costs a third of an object.
COUNT, TICK, RECENT, MARK = 0, 1, 2, 3


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that prints as PyTorch's does."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        count = 1
        for n in self:
            count *= n
        return count

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __getitem__(self, item: Any) -> Any:
        found = tuple.__getitem__(self, item)
        return Size(found) if isinstance(item, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: Any) -> Any:
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times: Any) -> Any:
        return Size(tuple.__mul__(self, times))


class Tensor:
    """An n-dimensional array that knows how it was computed.

    `Tensor(data)` is PyTorch's legacy constructor (ops/creation.py): float32 from a sequence, or
    uninitialised from sizes. Use `leafgrad.tensor(data)`.
    """

    # _array: the values; _edge: where its gradient goes (graph/node.py); _versions: the version
    # counter of its memory; _base: the tensor that this is a view of. What few tensors have
    # (a gradient, hooks) lives in the instance dictionary, over the defaults below.
    __slots__ = ("__dict__", "__weakref__", "_array", "_base", "_edge", "_versions")
    _kind = TENSOR
    _grad: Any = None
    _extra: Any = None
    _retains = False
    _inference: Any = False  # True, or COUNTED
    _accumulator: Any = None
    _grad_dtype: Any = None
    _nonfinite: Any = None  # which NaN or infinity its own go back to (graph/anomaly.py)
    _cleared: Any = None  # the mark of what set `.grad` to None
    _cut: Any = None  # of a leaf that was made of a detached tensor: what cut that one off
    _tangents: Any = None  # of forward mode: level -> tensor (graph/forward.py)

    _array: Any
    _edge: Any
    _versions: list[Any]
    _base: Any

    # What it is

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        if dim is None:
            return Size(self._array.shape)
        return self._array.shape[normal_dim(dim, self._array.ndim)]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim  # type: ignore[no-any-return]

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim  # type: ignore[no-any-return]

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size  # type: ignore[no-any-return]

    nelement = numel

    @property
    def dtype(self) -> dtype:
        """The type of the elements."""
        return from_numpy_dtype(self._array.dtype)

    @property
    def device(self) -> device:
        """Where the elements are: the CPU."""
        return CPU

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self._array.itemsize  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes  # type: ignore[no-any-return]

    def element_size(self) -> int:
        """Bytes per element."""
        return self._array.itemsize  # type: ignore[no-any-return]

    def is_floating_point(self) -> bool:
        """Whether the dtype is floating (not complex)."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the dtype has negative values."""
        return self.dtype.is_signed

    is_sparse = is_cuda = is_quantized = is_meta = is_mkldnn = is_mps = is_xla = is_nested = False

    # How it takes part in a graph

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor. Only a leaf's can be set to False."""
        edge = self._edge
        return edge is not None and (edge.plain or edge.peek(self) is not None)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not isinstance(value, bool):
            fail(RuntimeError, "requires_grad must be a bool")
        edge = known_edge(self)
        if value and edge is not None and edge is not self and edge is not NOWHERE:
            fail(RuntimeError, "you can only change requires_grad flags of leaf variables.",
                 f"this tensor is {describe(self)}")  # fmt: skip
        set_requires_grad(self, value, "floating point and complex")

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` in place; returns the tensor."""
        if requires_grad and modes.functional.get():
            refuse_transformed("requires_grad_()", " (or perhaps using "
                               "torch.autograd.functional.* APIs)")  # fmt: skip
        set_requires_grad(self, requires_grad, "floating point")
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it: it is the user's own, or requires no grad."""
        edge = edge_of(self)
        return edge is None or edge._kind == TENSOR or edge is NOWHERE

    @property
    def grad_fn(self) -> Any:
        """The node of the operation that made this tensor; None for a leaf."""
        edge = edge_of(self)
        return None if edge is None or edge._kind == TENSOR else function_of(edge)[0]

    @property
    def output_nr(self) -> int:
        """Which output of `grad_fn` this tensor is."""
        edge = known_edge(self)
        return edge.number if edge is not None and edge._kind == OUTPUT else 0

    @property
    def grad(self) -> Any:
        """The gradient accumulated by `backward()`; None before, and for tensors not a leaf."""
        edge = None if self._grad is not None or self._retains else known_edge(self)
        if edge is not None and edge is not self and edge is not NOWHERE:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed want "
                "the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the "
                "non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you "
                "access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for "
                f"more information.\n  this tensor was made by: {function_of(edge)[0].source()}"
                "\n  to do: call .retain_grad() on it before backward(), or make a leaf of the "
                "result: x = (...).detach().requires_grad_()",
                stacklevel=2,
            )
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self._grad, self._cleared = None, here()
            return
        if not isinstance(value, Tensor):
            fail(TypeError, "assigned grad expected to be a Tensor or None but got grad of type "
                            f"{type(value).__name__}")  # fmt: skip
        if value is self:
            fail(RuntimeError, "can't assign Variable as its own grad")
        if value._array.dtype != self._array.dtype:
            fail(
                RuntimeError,
                f"attempting to assign a gradient with dtype '{value.dtype.legacy.lower()}' to a "
                f"tensor with grad_dtype '{self.dtype.legacy}'. The gradient must match the "
                "tensor's grad_dtype (defaults to the tensor's dtype). You can set the tensor's "
                "grad_dtype attribute with a specific dtype, or None to allow any dtype. Set "
                "grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may "
                "break downstream systems that assume they match.",
            )
        if value._array.shape != self._array.shape:
            fail(
                RuntimeError,
                f"attempting to assign a gradient of size '{list(value._array.shape)}' to a "
                f"tensor of size '{list(self._array.shape)}'. Please ensure that the gradient "
                "and the tensor are the same size",
            )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad, self._cleared = None, here()

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad()` was called on this tensor, which is not a leaf."""
        return self._retains

    @property
    def _version(self) -> int:
        if self._inference is True:
            fail(RuntimeError, "Inference tensors do not track version counter.")
        return self._versions[COUNT]  # type: ignore[no-any-return]

    def _is_view(self) -> bool:
        return self._base is not None

    def is_inference(self) -> bool:
        """Whether the tensor was made in inference mode."""
        return bool(self._inference)

    def detach(self) -> Tensor:
        """The same memory, outside every graph. Writes to either are seen by both."""
        made = wrap(self._array)
        if self._edge is not None:
            made._edge = cut_by("detach", self)
        if self._inference:
            made._inference = COUNTED
        else:
            made._versions = self._versions
        return made

    def detach_(self) -> Tensor:
        """Take this tensor out of its graph, in place. RuntimeError for a view."""
        if modes.current().inference:
            return self
        if self._base is not None:
            fail(
                RuntimeError,
                "Can't detach views in-place. Use detach() instead. If you are using "
                "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
                "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
                "these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
                "function in torch/optim/optimizer.py as the solution.",
            )
        if has_edge(self):
            self._edge = cut_by("detach", self)
            self._versions[TICK] = clock()  # a node that saved this tensor looks more closely
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, outside every graph and without a check of writes: prefer detach."""
        made = wrap(self._array)
        if self._edge is not None:
            made._edge = cut_by("data", self)
        if self._inference:
            made._inference = COUNTED
        return made

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            fail(TypeError, f"Variable data has to be a tensor, but got {type(value).__name__}")
        self._array = value._array

    # As Python and NumPy see it

    def item(self) -> Any:
        """The one element as a Python number."""
        array = self._array
        if array.size != 1:
            fail(RuntimeError, f"a Tensor with {array.size} elements cannot be converted to Scalar",
                 f"this one has shape {list(array.shape)}",
                 "to do: reduce it first (.mean().item()), take one element (x[0].item()), or use "
                 ".tolist()")  # fmt: skip
        if self._edge is not None:
            note_exit(self)
        found = one_value(array, "item")
        return found if type(found) in _PYTHON_NUMBERS else float(found)

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        if self._edge is not None:
            note_exit(self)
        if self._array.dtype.kind == "V":
            return self._array.astype(np.float64).tolist()
        if self._array.__class__ is not np.ndarray:
            self._array.refuse("memory")
        return self._array.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """The elements as a NumPy array that shares this tensor's memory.

        `force=True` also takes tensors that require grad. RuntimeError for those otherwise,
        TypeError for dtypes that NumPy has not (bfloat16).
        """
        if not force and self.requires_grad:
            fail(
                RuntimeError,
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead.",
                f"this tensor is {describe(self)}",
                "to do: .detach().numpy() for its values; gradients do not flow back from there",
            )
        if self._array.dtype.kind == "V":
            fail(TypeError, f"Got unsupported ScalarType {self.dtype.legacy}",
                 "to do: tensor.float().numpy()")  # fmt: skip
        if self._edge is not None:
            note_exit(self)
        if self._array.__class__ is not np.ndarray:
            self._array.refuse("memory")
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        return array if dtype is None and not copy else np.array(array, dtype=dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self._array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        array = self._array
        if array.size != 1:
            many = "more than one value" if array.size else "no values"
            fail(RuntimeError, f"Boolean value of Tensor with {many} is ambiguous",
                 f"this one has shape {list(array.shape)}",
                 "to do: use .any() or .all(); to choose element by element, torch.where(...); "
                 "& and | in place of `and` and `or`")  # fmt: skip
        return bool(one_value(array, "bool"))

    def _number(self, kind: Callable[[Any], Any]) -> Any:
        array = self._array
        if array.size != 1:
            fail(ValueError, "only one element tensors can be converted to Python scalars")
        if self.requires_grad:
            warnings.warn(
                "Converting a tensor with requires_grad=True to a scalar may lead to unexpected "
                "behavior.\nConsider using tensor.detach() first.",
                stacklevel=3,
            )
        return kind(one_value(array, "item"))

    def __float__(self) -> float:
        return self._number(float)  # type: ignore[no-any-return]

    def __int__(self) -> int:
        return self._number(int)  # type: ignore[no-any-return]

    def __complex__(self) -> complex:
        return self._number(complex)  # type: ignore[no-any-return]

    def __index__(self) -> int:
        array = self._array
        if array.size != 1 or array.dtype.kind not in "iub":
            fail(TypeError, "only integer tensors of a single element can be converted to an index")
        return int(one_value(array, "item"))

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]  # type: ignore[no-any-return]

    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        if self._array.ndim == 0:
            return self.item().__format__(spec)  # type: ignore[no-any-return]
        return object.__format__(self, spec)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        from .printing import format_array

        return format_tensor(self, format_array)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            fail(
                RuntimeError,
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
                "because of a torch.nn.utils.weight_norm usage, see "
                "https://github.com/pytorch/pytorch/pull/103001",
                f"this tensor is {describe(self)}",
                "to do: copy before computing, or copy the values: x.detach().clone()",
            )
        if id(self) in memo:
            return memo[id(self)]  # type: ignore[no-any-return]
        import copy

        made: Any = _new(type(self))
        made._array, made._base = self._array.copy(order="K"), None
        made._versions = [0, 0, None, None]
        made._edge = LEAF if self.requires_grad else None
        memo[id(self)] = made
        if self._grad is not None:
            made._grad = copy.deepcopy(self._grad, memo)
        for name, value in self.__dict__.items():
            if name not in _OWN_ATTRIBUTES:
                made.__dict__[name] = copy.deepcopy(value, memo)
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        kept = {k: v for k, v in self.__dict__.items() if k not in _OWN_ATTRIBUTES}
        return _rebuild, (type(self), self._array, self.requires_grad, self.dtype.name, kept)

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if not name.startswith("_array")]


_new = object.__new__
_PYTHON_NUMBERS = {int, float, bool, complex}
_OWN_ATTRIBUTES = {"_grad", "_extra", "_retains", "_inference", "_accumulator", "_grad_dtype",
                   "_cleared", "_cut", "_nonfinite"}  # fmt: skip

# Classes whose instances the operators' fast paths take as tensors without another question.
TENSORS: set[type] = {Tensor}


def wrap(array: Any) -> Tensor:
    """A new tensor around an array, outside every graph."""
    made = _new(Tensor)
    made._array = array
    made._edge = made._base = None
    made._versions = [0, 0, None, None]
    return made


def one_value(array: Any, what: str) -> Any:
    """The one value of an array; what a duck says to that, asked for as an "item" or a "bool"."""
    try:
        return array.item()
    except Opaque:
        array.refuse(what)
        raise


def as_array(value: Any) -> Any:
    """A NumPy scalar as a 0-dim array; anything else as it is."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def normal_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front; 0-dim tensors have one dimension here, as in PyTorch."""
    reach = ndim or 1
    if not -reach <= dim < reach:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-reach}, {reach - 1}], "
            f"but got {dim})"
        )
    return dim + reach if dim < 0 else dim


def set_requires_grad(tensor: Tensor, value: bool, kinds: str) -> None:
    """Make a leaf require grad, or not. PyTorch's errors for what cannot."""
    edge = known_edge(tensor)
    if edge is not None and edge is not tensor and edge is not NOWHERE:
        if value:
            return
        fail(
            RuntimeError,
            "you can only change requires_grad flags of leaf variables. If you want to use a "
            "computed variable in a subgraph that doesn't require differentiation use "
            "var_no_grad = var.detach().",
            f"this tensor is {describe(tensor)}",
            "to do: detach it, compute it under torch.no_grad(), or set the flag on the leaf",
        )
    if value:
        if not is_differentiable(tensor._array.dtype):
            fail(RuntimeError, f"only Tensors of {kinds} dtype can require gradients",
                 f"this one has dtype {tensor.dtype}: make it from floats, or call .float()")  # fmt: skip
        if tensor._inference and not modes.current().inference:
            fail(RuntimeError, "Setting requires_grad=True on inference tensor outside "
                               "InferenceMode is not allowed.")  # fmt: skip
        if edge is not tensor:
            if tensor._edge.__class__ is Cut:
                tensor._cut = tensor._edge
            set_leaf(tensor, LEAF)
    elif edge is tensor:
        set_leaf(tensor, None)


def refuse_transformed(method: str, more: str = "") -> None:
    """Raise PyTorch's error for a method that is not for use inside of a transform of `func`."""
    fail(
        RuntimeError,
        f"You are attempting to call Tensor.{method}{more} inside of a function being transformed "
        "by a functorch transform. This is unsupported, please attempt to use the functorch "
        f"transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call {method} outside of a "
        "function being transformed instead.",
    )


def set_leaf(tensor: Tensor, edge: Any) -> None:
    """Make a tensor without history a leaf that requires grad (LEAF), or not (None)."""
    if tensor._base is None:
        tensor._edge = edge
    else:
        tensor._edge.node = edge  # a ViewEdge


def known_edge(tensor: Tensor) -> Any:
    """`edge_of`, without the error for a view whose history cannot be told."""
    edge = tensor._edge
    return edge if edge is None or edge.plain else edge.peek(tensor)


def describe(tensor: Tensor) -> str:
    """What a tensor is, for messages: a leaf, or the expression that made it."""
    edge = known_edge(tensor)
    size = list(tensor._array.shape)
    if edge is None or edge is NOWHERE or edge._kind == TENSOR:
        return f"a leaf of shape {size}"
    return f"the result of {function_of(edge)[0].source()}, of shape {size}"


def format_tensor(tensor: Tensor, format_array: Callable[..., str], prefix: str = "tensor(") -> str:
    """The printed form, by `printing.format_array`."""
    from .dtypes import default_complex, get_default_dtype

    if isinstance(tensor._array, Duck):
        return tensor._array.printed(lambda array: format_tensor(wrap(array), format_array))
    try:
        node = tensor.grad_fn
        name = None if node is None else node.name().rpartition("::")[2]
    except RuntimeError:  # a view whose history cannot be told
        name = "Invalid"
    return format_array(
        tensor._array,
        tensor.dtype.name,
        prefix=prefix,
        default_dtype_names=(get_default_dtype().name, default_complex().name),
        requires_grad=tensor.requires_grad if name is None else False,
        grad_fn_name=name,
    )


def _rebuild(cls: type, array: Any, requires_grad: bool, name: str, kept: dict[str, Any]) -> Any:
    made: Any = _new(cls)
    made._array = np.asarray(array, dtype=BY_NAME[name].numpy)
    made._base = None
    made._versions = [0, 0, None, None]
    made._edge = LEAF if requires_grad else None
    made.__dict__.update(kept)
    return made


def tensor_extra(tensor: Tensor) -> Any:
    """The `Extra` that keeps a tensor's hooks: its node's, or a leaf's own."""
    edge = edge_of(tensor)
    if edge is None or edge is tensor or edge is NOWHERE:
        return leaf_extra(tensor), 0
    node, number = function_of(edge)
    return node.more(), number
