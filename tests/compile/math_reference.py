"""What compile.math is held against: NumPy in longdouble where that is wider, else mpmath."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

WIDE = np.finfo(np.longdouble).nmant >= 63  # else everything is computed by mpmath

# The interval where most of a function happens, for samples that lie dense there
RANGES = {
    "exp": (-750, 715), "exp2": (-1080, 1030), "expm1": (-45, 715), "log": (0, 4), "log2": (0, 4),
    "log10": (0, 4), "log1p": (-1, 3), "sin": (-100, 100), "cos": (-100, 100), "tan": (-100, 100),
    "sinh": (-715, 715), "cosh": (-715, 715), "tanh": (-23, 23), "arcsin": (-1, 1),
    "arccos": (-1, 1), "arctan": (-8, 8), "arcsinh": (-8, 8), "arccosh": (1, 9),
    "arctanh": (-1, 1), "sigmoid": (-750, 45), "logsigmoid": (-50, 750), "softplus": (-750, 45),
    "silu": (-750, 45), "erf": (-6.5, 6.5), "erfc": (-6.5, 28), "gelu": (-39, 9),
    "gelu_tanh": (-25, 9), "cbrt": (-9, 9),
}  # fmt: skip
TWO = {"power", "arctan2", "hypot", "logaddexp"}
_BY_MPMATH = {"erf", "erfc", "gelu", "gelu_tanh"}


def _stable(name: str) -> Callable[..., np.ndarray] | None:
    """In terms of NumPy's functions, in a form that loses nothing."""
    if name == "sigmoid":
        return lambda x: np.where(x < 0, np.exp(x) / (1 + np.exp(-abs(x))), 1 / (1 + np.exp(-x)))
    if name == "silu":
        return lambda x: x * _stable("sigmoid")(x)
    if name == "logsigmoid":
        return lambda x: np.minimum(x, 0) - np.log1p(np.exp(-abs(x)))
    if name == "softplus":
        return lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
    return getattr(np, name, None)


def exact(name: str, *x: np.ndarray) -> np.ndarray:
    """The function in longdouble (float64 for float32 arguments, which is as good)."""
    with np.errstate(all="ignore"):
        if name in _BY_MPMATH:
            if x[0].dtype == np.float32 and name in ("erf", "erfc"):
                import scipy.special

                return getattr(scipy.special, name)(x[0].astype(np.float64))
            return _by_mpmath(name, *x)
        single = x[0].dtype == np.float32
        wide = np.float64 if single and name not in ("power",) else np.longdouble
        if not single and not WIDE:
            return _by_mpmath(name, *x)
        return _stable(name)(*(a.astype(wide) for a in x))


def _by_mpmath(name: str, *x: np.ndarray) -> np.ndarray:
    from mpmath import mp, mpf

    mp.prec = 200
    half = mpf(1) / 2
    formulas = {
        "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
        "silu": lambda a: a / (1 + mp.exp(-a)),
        "logsigmoid": lambda a: -mp.log1p(mp.exp(-a)),
        "softplus": lambda a: mp.log1p(mp.exp(a)),
        "gelu": lambda a: a * half * mp.erfc(-a / mp.sqrt(2)),
        "gelu_tanh": lambda a: a
        / (1 + mp.exp(-2 * mp.sqrt(2 / mp.pi) * (a + mpf("0.044715") * a**3))),
        "exp2": lambda a: mpf(2) ** a, "log2": lambda a: mp.log(a, 2), "log10": mp.log10,
        "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan, "arctan2": mp.atan2,
        "power": mp.power, "arcsinh": mp.asinh, "arccosh": mp.acosh, "arctanh": mp.atanh,
    }  # fmt: skip
    f = formulas.get(name) or getattr(mp, name)

    def one(*a: float) -> np.longdouble:
        if not all(np.isfinite(a)):
            with np.errstate(all="ignore"):
                return np.longdouble(np.nan)
        if name in _BY_MPMATH:  # mpmath cannot do with larger ones
            a = tuple(max(-1e3, v) for v in a)
            if a[0] > 1e3:
                return np.longdouble(0 if name == "erfc" else 1 if name == "erf" else a[0])
        y = f(*(mpf(float(v)) for v in a))
        if isinstance(y, mp.mpc):
            return np.longdouble(np.nan)
        if abs(y) < mpf(2) ** -1022:  # float() would round to a subnormal number
            scaled = float(y * mpf(2) ** 200)
            return np.longdouble(scaled) * np.longdouble(2.0) ** -200
        high = float(y)
        if not np.isfinite(high):
            return np.longdouble(high)
        return np.longdouble(high) + np.longdouble(float(y - mpf(high)))

    shape = np.broadcast(*x).shape
    flat = [np.broadcast_to(a, shape).reshape(-1) for a in x]
    return np.array([one(*v) for v in zip(*flat, strict=True)], np.longdouble).reshape(shape)


def ulps(got: np.ndarray, true: np.ndarray) -> np.ndarray:
    """How far off, in units of the last place of the true result; 0 where both are NaN, or inf."""
    dtype = got.dtype
    with np.errstate(all="ignore"):
        near = true.astype(dtype)
        spacing = np.spacing(np.abs(near)).astype(true.dtype)
        top = np.isinf(near) & np.isfinite(true)
        spacing = np.where(np.isinf(near), np.spacing(np.finfo(dtype).max), spacing)
        off = np.abs(got.astype(true.dtype) - true) / spacing
        off = np.where((got == near) & (np.isinf(near) | (near == 0)) & ~top, 0, off)
        off = np.where(got == near, np.where(np.isnan(off) | np.isinf(off), 0, off), off)
    off = np.where(np.isnan(got) & np.isnan(true), 0.0, off)
    return np.where(np.isnan(off), np.inf, off).astype(np.float64)


def samples(name: str, dtype: str, count: int, seed: int = 0) -> np.ndarray:
    """Arguments of all magnitudes, dense where the function happens, and around special points."""
    rng = np.random.default_rng(seed)
    d = np.dtype(dtype)
    integer = np.dtype(f"u{d.itemsize}")
    bits = rng.integers(0, np.iinfo(integer).max, count // 4, dtype=integer, endpoint=True)
    low, high = RANGES.get(name, (-10, 10))
    parts = [
        bits.view(d),
        rng.uniform(low, high, count // 4),
        rng.uniform(-1, 1, count // 8) * 2.0 ** rng.integers(-30, 4, count // 8),
        rng.normal(size=count // 8),
        np.exp(rng.uniform(-3, 30, count // 8)),  # what range reduction has to work on
    ]
    half = 60 if dtype == "float64" else 20
    points = np.concatenate(
        [
            2.0 ** np.arange(-half, half, 0.5),
            np.arange(0, 64) * (np.pi / 4),
            np.arange(0, 64) * (np.log(2) / 2),
            [0.5, 0.92, 1, 2, 4, 7, 28, 40, 0.3, 22, 50],
        ]
    ).astype(d)
    points = np.concatenate([points, -points])
    near = points
    for _ in range(3):
        near = np.nextafter(near, d.type(np.inf))
        parts.append(near)
    near = points
    for _ in range(3):
        near = np.nextafter(near, d.type(-np.inf))
        parts.append(near)
    parts.append(points)
    with np.errstate(all="ignore"):
        x = np.concatenate([np.asarray(p).astype(d) for p in parts])
        if name in ("log", "log2", "log10", "arccosh"):
            x = np.abs(x)
        if name in ("arcsin", "arccos", "arctanh"):
            x = np.where(np.abs(x) > 1, d.type(1) / x, x)
        if name == "log1p":
            x = np.where(x < -1, -d.type(1) / x, x)
        if name == "arccosh":
            x = np.where(x < 1, d.type(1) / x, x)
    return x[np.isfinite(x)]
