"""Data types: PyTorch's names and promotion rules over NumPy's dtypes.

A `dtype` wraps the NumPy dtype that stores it. Inside leafgrad, code compares NumPy dtypes
(`array.dtype`); `torch.float32` and its siblings are the public names.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "can_cast",
    "dtype",
    "finfo",
    "get_default_dtype",
    "iinfo",
    "promote_types",
    "set_default_dtype",
]


class dtype:
    """A data type, such as `leafgrad.float32`. `repr` is PyTorch's: `torch.float32`."""

    __slots__ = (
        "_numpy",
        "category",
        "is_complex",
        "is_floating_point",
        "is_signed",
        "itemsize",
        "legacy",
        "name",
    )

    def __init__(self, name: str, category: int, legacy: str, numpy: Any, itemsize: int) -> None:
        self.name = name
        self.category = category  # 0 bool, 1 integer, 2 floating, 3 complex
        self.legacy = legacy  # as in torch.FloatTensor; PyTorch's messages use it
        self._numpy = numpy
        self.itemsize = itemsize
        self.is_floating_point = category == 2
        self.is_complex = category == 3
        self.is_signed = category >= 2 or (category == 1 and not name.startswith("u"))

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype that stores this type (bfloat16 and float8 need `ml_dtypes`)."""
        found = self._numpy
        if found is None:
            found = self._numpy = _extension(self)
            _FROM_NUMPY[found] = self
        return found

    def to_complex(self) -> dtype:
        """The complex type of the same width."""
        return {"float64": complex128, "float32": complex64}.get(
            self.name, self if self.is_complex else complex64
        )

    def to_real(self) -> dtype:
        """The real type of the same width."""
        return {"complex128": float64, "complex64": float32}.get(self.name, self)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return (_by_name, (self.name,))


def _by_name(name: str) -> dtype:
    return BY_NAME[name]


def _extension(wanted: dtype) -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError:
        raise ModuleNotFoundError(
            f"{wanted!r} needs the package ml_dtypes: pip install ml_dtypes"
        ) from None
    return np.dtype(getattr(ml_dtypes, wanted.name))


def _make(name: str, category: int, legacy: str, numpy: Any = "same") -> dtype:
    stored = None if numpy is None else np.dtype(name)
    size = stored.itemsize if stored is not None else (2 if name == "bfloat16" else 1)
    return dtype(name, category, legacy, stored, size)


bool_ = _make("bool", 0, "Bool")
uint8 = _make("uint8", 1, "Byte")
int8 = _make("int8", 1, "Char")
int16 = _make("int16", 1, "Short")
int32 = _make("int32", 1, "Int")
int64 = _make("int64", 1, "Long")
uint16 = _make("uint16", 1, "UInt16")
uint32 = _make("uint32", 1, "UInt32")
uint64 = _make("uint64", 1, "UInt64")
float16 = _make("float16", 2, "Half")
bfloat16 = _make("bfloat16", 2, "BFloat16", None)
float32 = _make("float32", 2, "Float")
float64 = _make("float64", 2, "Double")
complex64 = _make("complex64", 3, "ComplexFloat")
complex128 = _make("complex128", 3, "ComplexDouble")
float8_e4m3fn = _make("float8_e4m3fn", 2, "Float8_e4m3fn", None)
float8_e5m2 = _make("float8_e5m2", 2, "Float8_e5m2", None)

ALL = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64,
    float16, bfloat16, float32, float64, complex64, complex128, float8_e4m3fn, float8_e5m2,
)  # fmt: skip
BY_NAME = {d.name: d for d in ALL}
_FROM_NUMPY: dict[np.dtype[Any], dtype] = {d._numpy: d for d in ALL if d._numpy is not None}

# The two dtypes of nearly all differentiable work: the operators' fast paths test for them by
# identity, which costs a tenth of a comparison.
F32 = np.dtype("float32")
F64 = np.dtype("float64")


def from_numpy_dtype(stored: np.dtype[Any]) -> dtype:
    """The public type that a NumPy dtype stores. TypeError for one that PyTorch has not."""
    found = _FROM_NUMPY.get(stored)
    if found is not None:
        return found
    extension = BY_NAME.get(stored.name)  # bfloat16 and float8 register when first met
    if extension is not None:
        extension._numpy = extension._numpy or stored
        _FROM_NUMPY[stored] = extension
        return extension
    raise TypeError(
        f"can't convert np.ndarray of type {stored.type.__module__}.{stored.type.__name__}. "
        "The only supported types are: float64, float32, float16, complex64, complex128, int64, "
        "int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
    )


def is_differentiable(stored: np.dtype[Any]) -> bool:
    """Whether values of this NumPy dtype can carry a gradient (floating or complex)."""
    return stored is F32 or stored is F64 or from_numpy_dtype(stored).category >= 2


# The default dtype: one per process, as in PyTorch.
_default = float32


def get_default_dtype() -> dtype:
    """The floating type that Python floats become (float32 unless set otherwise)."""
    return _default


def set_default_dtype(d: dtype, /) -> None:
    """Set the floating type that Python floats become. TypeError for any other kind of type."""
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _default = d


def default_complex() -> dtype:
    """The type that Python complex numbers become: as wide as two of the default type."""
    return complex128 if _default is float64 else complex64


def of_scalar(value: Any) -> dtype:
    """The type that a Python number has before it meets a tensor."""
    kind = type(value)
    if kind is bool:
        return bool_
    if kind is int:
        return int64
    if kind is float:
        return _default
    if kind is complex:
        return default_complex()
    if isinstance(value, np.generic):
        return from_numpy_dtype(value.dtype)
    raise TypeError(f"unsupported operand type: '{kind.__name__}'")


_UNSIGNED_WIDE = {uint16, uint32, uint64}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest type that holds both, by PyTorch's table (int64 with float16 is float16)."""
    if type1 is type2:
        return type1
    low, high = (type1, type2) if type1.category <= type2.category else (type2, type1)
    if low.category == high.category == 1:
        return _promote_integers(low, high)
    if high.category == 2 and low.category == 2:
        if {low.name, high.name} == {"float16", "bfloat16"}:
            return float32
        if low.itemsize == 1 or high.itemsize == 1:
            raise RuntimeError("Promotion for Float8 Types is not supported, attempted to promote "
                               f"{low.legacy} and {high.legacy}")  # fmt: skip
        return low if low.itemsize > high.itemsize else high
    if high.category == 3 and low.category >= 2:
        return complex128 if float64 in (low, high) or complex128 in (low, high) else complex64
    return high


def _promote_integers(a: dtype, b: dtype) -> dtype:
    if a in _UNSIGNED_WIDE or b in _UNSIGNED_WIDE:
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{a.legacy} and {b.legacy}"
        )
    if a.is_signed == b.is_signed:
        return a if a.itemsize > b.itemsize else b
    signed = b if b.is_signed else a
    return int16 if signed is int8 else signed


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether an in-place result of type `from_` may be stored as `to`: kinds only go up."""
    return from_.category <= to.category and not (to is bool_ and from_ is not bool_)


class finfo:
    """Limits of a floating type: bits, eps, max, min, tiny, smallest_normal, resolution."""

    def __init__(self, type: dtype | None = None) -> None:
        kind = type or _default
        if kind.category < 2:
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo "
                            f"to handle '{kind.name}'")  # fmt: skip
        real = kind.to_real()
        if real.numpy.kind == "f":
            limits: Any = np.finfo(real.numpy)
        else:
            import ml_dtypes

            limits = ml_dtypes.finfo(real.numpy)
        self.dtype, self.bits = real.name, real.itemsize * 8
        self.eps, self.max, self.min = float(limits.eps), float(limits.max), float(limits.min)
        self.tiny = self.smallest_normal = float(limits.tiny)
        self.resolution = float(limits.resolution)

    def __repr__(self) -> str:
        return (f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
                f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, "
                f"tiny={self.tiny:g}, dtype={self.dtype})")  # fmt: skip


class iinfo:
    """Limits of an integer type: bits, min, max."""

    def __init__(self, type: dtype) -> None:
        if type.category != 1:
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo to "
                            f"handle '{type.name}'")  # fmt: skip
        limits = np.iinfo(type.numpy)
        self.dtype, self.bits = type.name, limits.bits
        self.min, self.max = int(limits.min), int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
