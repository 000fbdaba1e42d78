"""Ducks: arrays that are not NumPy's, on which the operators run all the same.

A tensor usually holds a `numpy.ndarray`. Under `func.vmap` it holds a batch that shows the shape of
one example; under `compile` a value that notes down what is done with it. Such an array says what
a NumPy function does to it in one method, `call`; NumPy's protocols (NEP 13, NEP 18) bring every
function, ufunc, operator and the usual methods there.

What needs the numbers themselves (`np.asarray`, LAPACK, an index that is an array, a branch) raises
`Opaque`. Operators catch it and hand the whole computation to the duck (`computed`), to be done
on the arrays below. So every operator works on every duck; what is written with NumPy functions
alone works well.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np


class Opaque(TypeError, AttributeError):
    """A duck was asked for something that only a real array can give."""


class Duck(np.lib.mixins.NDArrayOperatorsMixin):
    """The base of the other kinds of array. Subclasses have `shape`, `dtype`, `call`, `opaque`.

    Of two ducks in one call, the one of the higher `rank` gets it: a duck made of others ranks
    above them.
    """

    __slots__ = ()
    rank: Any = 0
    shape: tuple[int, ...]
    dtype: Any

    def call(self, function: Callable[..., Any], args: tuple[Any, ...],
             kwargs: dict[str, Any]) -> Any:  # fmt: skip
        """A NumPy function among whose arguments is this duck; `Opaque` if it knows no way."""
        raise NotImplementedError

    def opaque(self, function: Callable[..., Any], args: tuple[Any, ...],
               kwargs: dict[str, Any]) -> Any:  # fmt: skip
        """Any pure function of arrays, called on the arrays below: an operator's forward or rule."""
        raise NotImplementedError

    def refuse(self, what: str) -> None:
        """Raise the error for a user who wants what only values tell: an "item", a "bool", the
        "memory", a "mask", or the shape that the operator of this name gives."""
        raise Opaque(f"a duck has no {what}")

    def printed(self, show: Callable[[Any], str]) -> str:
        """How a tensor that holds this is printed; `show` prints one that holds another array."""
        return repr(self)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return leader(inputs, kwargs).call(function, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return leader(args, kwargs).call(function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise Opaque("a duck is not a NumPy array")

    # The rest of an array's face

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize  # type: ignore[no-any-return]

    @property
    def T(self) -> Any:
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Any:
        return np.real(self)  # type: ignore[call-overload]

    @property
    def imag(self) -> Any:
        return np.imag(self)  # type: ignore[call-overload]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        return leader((self, index), {}).call(operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.call(operator.setitem, (self, index, value), {})

    def reshape(self, *shape: Any, order: Any = "C") -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        if not axes:
            return np.transpose(self)
        return np.transpose(self, axes[0] if len(axes) == 1 else axes)

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        return operator.index(self.item())

    def __getattr__(self, name: str) -> Any:
        raise Opaque(f"a duck has no {name}")

    def item(self, *place: Any) -> Any:
        raise Opaque("a duck has no one value")

    def tolist(self) -> Any:
        raise Opaque("a duck has no one value")

    __hash__ = object.__hash__


def _method(name: str) -> Any:
    function = getattr(np.ndarray, name)

    def method(self: Duck, *args: Any, **kwargs: Any) -> Any:
        return leader((self, *args), kwargs).call(function, (self, *args), kwargs)

    method.__name__ = name
    return method


# As functions of the array they are NumPy's own descriptors: `np.ndarray.astype(x, kind)`.
for _name in ("all", "any", "argmax", "argmin", "argsort", "astype", "clip", "conj", "conjugate",
              "copy", "cumprod", "cumsum", "diagonal", "dot", "fill", "flatten", "max", "mean",
              "min", "nonzero", "prod", "ravel", "repeat", "round", "squeeze", "std", "sum",
              "swapaxes", "take", "trace", "var", "view"):  # fmt: skip
    setattr(Duck, _name, _method(_name))


def ducks(value: Any) -> Any:
    """The ducks among arguments, also in sequences and dictionaries."""
    if isinstance(value, Duck):
        yield value
    elif value.__class__ in (tuple, list):
        for each in value:
            yield from ducks(each)
    elif value.__class__ is dict:
        yield from ducks(list(value.values()))


def leader(args: Any, kwargs: Any) -> Any:
    """The duck that a call with these arguments is brought to; None if there is none."""
    return max(ducks([*args, *kwargs.values()]), key=lambda duck: duck.rank, default=None)


def item(array: Any, key: Any) -> Any:
    """`array[key]`, where the array, the key or parts of it may be ducks."""
    if array.__class__ is np.ndarray:
        for part in key if key.__class__ is tuple else (key,):
            if isinstance(part, Duck):
                return leader((key,), {}).call(operator.getitem, (array, key), {})
    return array[key]


def take(array: Any, indices: Any, axis: int | None = None) -> Any:
    """`np.take`, where the indices may be a duck: NumPy asks the array alone."""
    if isinstance(indices, Duck):
        array = np.asarray(array) if isinstance(array, (list, tuple)) else array
        return leader((array, indices), {}).call(np.take, (array, indices, axis), {})
    return np.take(array, indices, axis=axis)


def zeros(like: Any, shape: Any, dtype: Any = None) -> Any:
    """Zeros of a shape to write into, of the kind of array (and the dtype) that `like` is; of
    several arrays the first duck, and the first's dtype."""
    if like.__class__ is tuple:
        dtype = dtype or like[0].dtype
        first = leader(like, {})
        like = like[0] if first is None else first
    if like.__class__ is np.ndarray:
        return np.zeros(shape, dtype or like.dtype)
    return np.zeros_like(like, dtype=dtype, order="C", shape=shape)


def copied(array: Any, *others: Any) -> Any:
    """A copy of an array to write others into: a duck, if one of them is."""
    if array.__class__ is np.ndarray:
        first = leader(others, {})
        if first is None:
            return np.copy(array)
        made = zeros((array, first), array.shape)
        made[...] = array
        return made
    return np.copy(array)


def refuse(array: Any, what: str) -> None:
    """Raise an error if an array is a duck, of which a user wants what only values tell."""
    if isinstance(array, Duck):
        array.refuse(what)


def whole(array: Any) -> Any:
    """The NumPy array of all that a duck stands for, to be looked over: every example's values.
    Also of a tensor that holds one."""
    array = getattr(array, "_array", array)
    return array.whole if isinstance(array, Duck) else array


def address(array: Any) -> int:
    """Where an array's first element lies in memory; of a batch, the first example's."""
    if isinstance(array, Duck):
        return array.address  # type: ignore[no-any-return]
    return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


def strided(array: Any, shape: Any, strides: Any, start: int = 0) -> Any:
    """A window on an array's memory: in bytes, its strides and where it begins, counted from the
    array's first element."""
    if isinstance(array, Duck):
        return array.strided(shape, strides, start)
    if start:
        item = array.itemsize
        reach = (start // item + 1,) if array.size else (0,)
        array = np.lib.stride_tricks.as_strided(array, reach, (item,))[start // item :]
    return np.lib.stride_tricks.as_strided(array, shape, strides)


def computed(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A forward or a rule on arrays that may be ducks: as it is written, else as a whole."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        first = leader(args, kwargs) if refused(error) else None
        if first is None:
            raise
        return first.opaque(function, args, kwargs)


def refused(error: Exception) -> bool:
    """Whether a function failed because an argument was a duck, as far as the error tells.

    NumPy says so itself where it cannot convert one, or wraps what a duck said.
    """
    return isinstance(error, TypeError) or isinstance(error.__cause__, Opaque)


# Of functions that are not NumPy's, what they do to a batch: function -> rule(level, *args), as in
# `graph/batching.py`.
BATCH_RULES: dict[Any, Callable[..., Any]] = {}

__all__ = ["BATCH_RULES", "Duck", "Opaque", "address", "computed", "copied", "ducks", "item", "leader",
           "refuse", "refused", "strided", "take", "whole", "zeros"]  # fmt: skip
