"""exp, log, sin, tanh, erf... as straight-line formulas over vectors, written as LLVM IR.

    call("exp", x)        # x: ir.V, double or float, any number of lanes -> a V of the same type

A function is a Python function over `ir.V` values (`FUNCTIONS` maps names, as NumPy and DESIGN have
them, to them): range reduction, a polynomial of `coefficients`, reconstruction. There are no
branches and no tables, so all lanes go the same way; lanes that need something else (an argument of
sin beyond 10**8) take a rare scalar path of `support`. Every function is within 2 ulp over
the whole range, and takes infinities, NaN, -0 and subnormals as C99 says. docs/math.md has what was
measured.

A function becomes one internal LLVM function per type and module. Loops have it inlined, unless
they are short and it is called in many places (`ir.Block.inline`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import coefficients
from .ir import Block, Module, Type, V, absolute, any_of, copysign, fma, is_nan, sqrt, where

FUNCTIONS: dict[str, Callable[..., V]] = {}
_IN_DOUBLE: set[str] = set()  # for float lanes, computed in double

INF, NAN = math.inf, math.nan


def function(f: Callable[..., V]) -> Callable[..., V]:
    FUNCTIONS[f.__name__] = f
    return f


def in_double(f: Callable[..., V]) -> Callable[..., V]:
    """A function whose float version is its double version, rounded once."""
    _IN_DOUBLE.add(f.__name__)
    return function(f)


def call(name: str, *operands: V) -> V:
    """The function of these operands, which are of one type."""
    type, out = operands[0].type, operands[0].out
    module, symbol = out.module, f"lg.{name}.{type.mark}"
    if symbol not in module.functions:
        module.functions[symbol] = ""  # reserves its place before the functions that it calls
        module.functions[symbol] = _definition(module, name, symbol, type, len(operands))
    how = "alwaysinline" if out.inline(name) else "noinline"
    arguments = ", ".join(f"{type.text} {v.text}" for v in operands)
    return out.value(type, f"call {type.text} @{symbol}({arguments}) {how}")


def _definition(module: Module, name: str, symbol: str, type: Type, arity: int) -> str:
    out = Block(module)
    operands = [V(f"%a{i}", type, out) for i in range(arity)]
    if type.kind == "float" and name in _IN_DOUBLE:
        wide = [v.convert("fpext", "double") for v in operands]
        result = FUNCTIONS[name](*wide).convert("fptrunc", "float")
    else:
        result = FUNCTIONS[name](*operands)
    arguments = ", ".join(f"{type.text} {v.text}" for v in operands)
    return "\n".join(
        [
            f"define internal {type.text} @{symbol}({arguments}) "
            "nounwind willreturn memory(none) {",
            "entry:",
            *out.lines,
            f"  ret {type.text} {result.text}",
            "}",
        ]
    )


# What the functions are made of


def constant(x: V, name: str) -> Any:
    """A table of `coefficients` in the precision of x."""
    return getattr(coefficients, f"{name}_{x.type.kind.upper()}")


def polynomial(x: V, name: str) -> V:
    """A polynomial of `coefficients` at x."""
    *rest, last = constant(x, name)
    y: Any = x.like(last)
    for c in reversed(rest):
        y = fma(y, x, c)
    return y


def mantissa_bits(x: V) -> int:
    return 52 if x.type.kind == "double" else 23


def bias(x: V) -> int:
    return 1023 if x.type.kind == "double" else 127


def magic(x: V) -> float:
    """Added to a number, this leaves the nearest integer in its lowest bits."""
    return 1.5 * 2.0 ** mantissa_bits(x)


def nearest(x: V, times: float = 1.0) -> tuple[V, V]:
    """The integer nearest to x * times, as a float; and in the lowest bits of an integer."""
    shifted = fma(x, times, magic(x)) if times != 1.0 else x + magic(x)
    return shifted - magic(x), shifted.bits()


def to_float(k: V, x: V) -> V:
    """Small integers as floats of x's kind, without the conversion that old processors lack."""
    return (k + _bits_of(x, magic(x))).floating() - magic(x)


def _bits_of(x: V, value: float) -> int:
    import struct

    double = x.type.kind == "double"
    return struct.unpack("<q" if double else "<i", struct.pack("<d" if double else "<f", value))[0]


def scaled(x: V, shifted: V) -> V:
    """x times 2**k, k in the lowest bits of an integer: in two steps, for subnormal results."""
    m, b = mantissa_bits(x), bias(x)
    k = shifted - _bits_of(x, magic(x))
    half = k >> 1
    return x * ((half + b) << m).floating() * ((k - half + b) << m).floating()


def clipped(x: V, low: float, high: float) -> V:
    """x between two numbers; NaN stays."""
    x = where(x > high, high, x)
    return where(x < low, low, x)


def product(a: V, b: V) -> tuple[V, V]:
    """a * b exactly, as a sum of two."""
    high = a * b
    if a.out.module.target.fma:
        return high, fma(a, b, -high)
    a1, b1 = _upper_half(a), _upper_half(b)
    a2, b2 = a - a1, b - b1
    return high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2


def _upper_half(x: V) -> V:
    """x without the lower half of its mantissa."""
    return (x.bits() & (-1 << (27 if x.type.kind == "double" else 12))).floating()


def total(a: V | float, b: V) -> tuple[V, V]:
    """a + b exactly, as a sum of two, where |a| >= |b|."""
    high = a + b
    return high, b - (high - a)


def total_any(a: V, b: V) -> tuple[V, V]:
    """a + b exactly, as a sum of two."""
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


def quotient(a: V, a_low: V, b: V, b_low: V) -> tuple[V, V]:
    """(a + a_low) / (b + b_low): the quotient, and what rounding it lost."""
    inverse = 1.0 / b
    y = a * inverse
    if a.out.module.target.fma:
        left = fma(-y, b, a)
    else:
        high, low = product(y, b)
        left = (a - high) - low
    return total(y, (fma(-y, b_low, a_low) + left) * inverse)


# Exponentials


def _exponential(r: V) -> V:
    """e**r for small r."""
    return fma(r * r, polynomial(r, "EXP"), r) + 1.0


def _reduced(x: V) -> tuple[V, V]:
    """x = k log 2 + r: r, and k in the lowest bits of an integer."""
    high, low = constant(x, "LN2")
    n, k = nearest(x, 1 / math.log(2))
    return fma(n, -low, fma(n, -high, x)), k


def _range(x: V) -> tuple[float, float]:
    """Below and above these, exp is 0 (also multiplied by the argument), and infinite."""
    return (-760.0, 710.0) if x.type.kind == "double" else (-115.0, 89.0)


@function
def exp(x: V) -> V:
    r, k = _reduced(clipped(x, *_range(x)))
    return scaled(_exponential(r), k)


@function
def exp2(x: V) -> V:
    low, high = (-1076.0, 1025.0) if x.type.kind == "double" else (-151.0, 129.0)
    x = clipped(x, low, high)
    n, k = nearest(x)
    return scaled(_exponential((x - n) * math.log(2)), k)


def _reduced_twice(x: V, x_low: V | None = None) -> tuple[V, V, V]:
    """x + x_low = k log 2 + r: e**r - 1 as a sum of two, and k in the lowest bits of an integer."""
    high, low = constant(x, "LN2")
    n, k = nearest(x, 1 / math.log(2))
    whole = fma(n, -high, x)
    r = fma(n, -low, whole)
    rest = fma(n, -low, whole - r)  # what the sum above lost
    if x_low is not None:
        r, more = total_any(r, x_low)
        rest = rest + more
    return (*total(r, fma(r * r, polynomial(r, "EXP"), rest)), k)


def _expm1(x: V) -> tuple[V, V]:
    """e**x - 1, for x that is not below -50, as a sum of two."""
    m, b = mantissa_bits(x), bias(x)
    e, e_low, k = _reduced_twice(x)
    half = ((k - (_bits_of(x, magic(x)) + 1 - b)) << m).floating()  # 2**(k - 1)
    y, low = total_any(half - 0.5, half * e)
    return 2.0 * y, 2.0 * fma(half, e_low, low)


@function
def expm1(x: V) -> V:
    y, low = _expm1(clipped(x, -50.0, _range(x)[1]))
    return copysign(where(x > _range(x)[1] - 1.0, y, y + low), x)


@function
def tanh(x: V) -> V:
    t, low = _expm1(2.0 * clipped(absolute(x), 0.0, 22.0))
    u, u_low = total_any(t, t.like(2.0))
    y, rest = quotient(t, low, u, u_low + low)
    return copysign(y + rest, x)


@function
def sinh(x: V) -> V:
    a = absolute(x)
    z = a * a
    small = fma(a * z, polynomial(z, "SINH"), a)
    big = _half_exp(a)
    return copysign(where(a < 1.0, small, big - 0.25 / big), x)


@function
def cosh(x: V) -> V:
    big = _half_exp(absolute(x))
    return big + 0.25 / big


def _half_exp(x: V) -> V:
    """e**x / 2 for x >= 0, also where e**x is infinite."""
    m, b = mantissa_bits(x), bias(x)
    r, k = _reduced(clipped(x, 0.0, _range(x)[1] + 1.0))
    half = ((k - (_bits_of(x, magic(x)) + 2 - b)) << m).floating()  # 2**(k - 2)
    return _exponential(r) * half * 2.0


def _logistic(slope: V, rest: V | None = None) -> tuple[V, V, V, V]:
    """1 / (1 + e**-(slope + rest)) as a sum of two, to be scaled by 2**k where slope is negative:
    the sum, whether slope is negative, k."""
    negative = slope < 0.0
    e, e_low, k = _reduced_twice(clipped(-absolute(slope), _range(slope)[0], 0.0))
    p, p_low = total(e.like(1.0), e)
    p_low = p_low + e_low
    if rest is not None:
        p_low = fma(p, where(negative, rest, -rest), p_low)
    z, z_low = scaled(p, k), scaled(p_low, k)
    u, u_low = total(z.like(1.0), z)
    above, above_low = where(negative, p, 1.0), where(negative, p_low, 0.0)
    return (*quotient(above, above_low, u, u_low + z_low), negative, k)


@function
def sigmoid(x: V) -> V:
    y, low, negative, k = _logistic(x)
    return where(negative, scaled(y + low, k), y + low)


def _times(x: V, y: V, low: V, negative: V, k: V) -> V:
    """x (y + low), the exponent last: where y 2**k is subnormal, the product needs more digits."""
    bounded = where(x < -1e3, x.like(-1e3), x)
    v = fma(bounded, y, bounded * low)
    v = where(negative, scaled(v, k), where(x > 1e3, x, v))
    return where(x.same(-INF), NAN, v)


@function
def silu(x: V) -> V:
    return _times(x, *_logistic(x))


@function
def gelu_tanh(x: V) -> V:
    # 2 sqrt(2 / pi) (x + 0.044715 x**3), in twice the precision: its exponential is taken
    (a, a_low), (b, b_low) = constant(x, "GELU_TANH_A"), constant(x, "GELU_TANH_B")
    c = clipped(x, -60.0, 60.0)
    square, square_low = product(c, c)
    f, f_low = product(square, square.like(b))
    f_low = f_low + fma(square, b_low, square_low * b)
    g, g_low = total_any(f.like(a), f)
    g_low = g_low + (f_low + a_low)
    slope, rest = product(g, c)
    return _times(x, *_logistic(slope, fma(c, g_low, rest)))


# Logarithms


def _split(x: V) -> tuple[V, V]:
    """x = 2**k m, m from sqrt(1/2) to sqrt(2), for normal positive x: m - 1, k as an integer."""
    m = mantissa_bits(x)
    bits = x.bits()
    k = (bits - _bits_of(x, math.sqrt(0.5))) >> m
    return (bits - (k << m)).floating() - 1.0, k


def _normal(x: V) -> tuple[V, V]:
    """As `_split`, for subnormal x as well."""
    m = mantissa_bits(x)
    tiny = x < 2.0 ** (2 - bias(x))
    f, k = _split(where(tiny, x * 2.0 ** (m + 2), x))
    return f, k - where(tiny, k.like(m + 2), 0)


def _of_logarithm(x: V, y: V) -> V:
    """y with what a logarithm is at 0, below, at infinity and at NaN."""
    y = where(x.compare("ule", 0.0), where(x.same(0.0), x.like(-INF), NAN), y)
    return where(x.same(INF), x, y)


def _log1p(f: V, k: V, c: V | None = None) -> V:
    """log(1 + f) + k log 2 + c, for small f."""
    high, low = constant(f, "LN2")
    n = to_float(k, f)
    s = f / (f + 2.0)
    z = s * s
    half = 0.5 * f * f
    rest = s * fma(z, polynomial(z, "LOG"), half)
    rest = fma(n, low, rest)
    if c is not None:
        rest = rest + c
    return fma(n, high, f - (half - rest))


@function
def log(x: V) -> V:
    return _of_logarithm(x, _log1p(*_normal(x)))


def _log1p_twice(x: V, x_low: V | None = None, large: V | None = None) -> V:
    """log(1 + x + x_low); where something is large (beyond 2**60), the logarithm of twice that."""
    u, c = total_any(x.like(1.0), x)
    c = c if x_low is None else c + x_low
    if large is None:
        return _log1p(*_split(u), c / u)
    huge = large > 2.0**60
    f, k = _split(where(huge, large, u))
    return _log1p(f, where(huge, k + 1, k), where(huge, 0.0, c / u))


@function
def log1p(x: V) -> V:
    y = _log1p_twice(x)
    y = where(x.compare("ule", -1.0), where(x.same(-1.0), x.like(-INF), NAN), y)
    return copysign(where(x.same(INF), x, y), x)


def _other_base(x: V, inverse: tuple[float, float], of2: tuple[float, float]) -> V:
    """The logarithm times a constant, given in two parts; log 2 times it, as well."""
    f, k = _normal(x)
    n = to_float(k, x)
    s = f / (f + 2.0)
    z = s * s
    half = 0.5 * f * f
    r = s * fma(z, polynomial(z, "LOG"), half)
    high = ((f - half).bits() & (-1 << (32 if x.type.kind == "double" else 14))).floating()
    low = (f - high) - half + r
    whole = n * of2[0]
    first = high * inverse[0]
    last = fma(low + high, inverse[1], low * inverse[0]) + n * of2[1]
    y, rest = total_any(whole, first)
    return _of_logarithm(x, y + (last + rest))


@function
def log2(x: V) -> V:
    return _other_base(x, constant(x, "INV_LN2"), (1.0, 0.0))


@function
def log10(x: V) -> V:
    return _other_base(x, constant(x, "INV_LN10"), constant(x, "LOG10_2"))


@function
def logsigmoid(x: V) -> V:
    z = call("log1p", call("exp", -absolute(x)))
    return where(x < 0.0, x, 0.0) - z


@function
def softplus(x: V) -> V:
    return where(x < 0.0, 0.0, x) + call("log1p", call("exp", -absolute(x)))


def _root(x: V, x_low: V) -> tuple[V, V]:
    """The square root of x + x_low, as a sum of two."""
    r = sqrt(x)
    square, rest = product(r, r)
    low = (((x - square) - rest) + x_low) / (r + r)
    return total(r, where(x > 0.0, low, 0.0))


@function
def arcsinh(x: V) -> V:
    # log(1 + a + a**2 / (1 + sqrt(1 + a**2))), the sum in twice the precision
    a = absolute(x)
    b = where(a > 2.0**60, x.like(2.0**60), a)
    square, square_low = product(b, b)
    u, u_low = total_any(x.like(1.0), square)
    root, root_low = _root(u, u_low + square_low)
    d, d_low = total_any(x.like(1.0), root)
    q, q_low = quotient(square, square_low, d, d_low + root_low)
    t, t_low = total_any(b, q)
    y = _log1p_twice(t, t_low + q_low, a)
    return copysign(where(a < INF, y, a), x)


@function
def arccosh(x: V) -> V:
    # log(1 + t + sqrt(t (t + 2))), t = x - 1
    t, t_low = total_any(where(x > 2.0**60, x.like(2.0**60), x), x.like(-1.0))
    u, u_low = total_any(t, t.like(2.0))
    p, p_low = product(t, u)
    root, root_low = _root(p, fma(t, u_low + t_low, fma(t_low, u, p_low)))
    s, s_low = total_any(t, root)
    y = _log1p_twice(s, s_low + (root_low + t_low), x)
    return where(x < INF, where(x < 1.0, NAN, y), x)


@function
def arctanh(x: V) -> V:
    a = absolute(x)
    d, d_low = total_any(x.like(1.0), -a)
    y = 0.5 * _log1p_twice(*quotient(2.0 * a, x.like(0.0), d, d_low))
    y = where(a < 1.0, y, where(a.same(1.0), x.like(INF), NAN))
    return copysign(y, x)


@function
def hypot(x: V, y: V) -> V:
    a, b = absolute(x), absolute(y)
    large, small = where(a > b, a, b), where(a > b, b, a)
    limit, step = 2.0 ** (bias(x) // 2 - 2), 2.0 ** (bias(x) // 2 + 60)
    up, down = large < 1.0 / limit, large > limit
    scale = where(up, step, where(down, x.like(1.0 / step), 1.0))
    back = where(up, 1.0 / step, where(down, x.like(step), 1.0))
    large, small = large * scale, small * scale
    h = sqrt(fma(large, large, small * small)) * back
    return where(a.same(INF) | b.same(INF), INF, where(is_nan(x) | is_nan(y), x + y, h))


# Trigonometry


def _quadrant(x: V) -> tuple[V, V]:
    """x >= 0 less a multiple k of pi / 2: what is left, and k in the lowest bits of an integer.

    Right up to `_limit(x)`."""
    n, k = nearest(x, 2 / math.pi)
    for part in constant(x, "HALF_PI"):
        x = fma(n, -part, x)
    return x, k


def _quadrant_and_rest(x: V) -> tuple[V, V, V]:
    """As `_quadrant`, the remainder as a sum of two."""
    n, k = nearest(x, 2 / math.pi)
    *first, second, third = (
        constant(x, "HALF_PI")
        if x.out.module.target.fma
        else getattr(coefficients, f"HALF_PI_{x.type.kind.upper()}_SHORT")
    )
    for part in first:
        x = fma(n, -part, x)
    p, lost = product(n, n.like(second))
    r = x - p
    return *total(r, fma(n, -third, ((x - r) - p) - lost)), k


def _limit(x: V) -> float:
    return 1e8 if x.type.kind == "double" else 6e3


def _sin_cos(r: V, rest: V | None) -> tuple[V, V]:
    """sin and cos of r + rest, between -pi / 4 and pi / 4."""
    z = r * r
    if rest is None:
        s = fma(r * z, polynomial(z, "SIN"), r)
        return s, fma(z, fma(z, polynomial(z, "COS"), -0.5), 1.0)
    s, s_low, c, c_low = _sin_cos_twice(r, rest)
    return s + s_low, c + c_low


def _sin_cos_twice(r: V, rest: V) -> tuple[V, V, V, V]:
    """sin and cos of r + rest, as sums of two each."""
    z = r * r
    half = 0.5 * z
    w, w_low = total(r.like(1.0), -half)
    return (
        *total(r, fma(r * z, polynomial(z, "SIN"), rest)),
        *total(w, w_low + fma(-r, rest, z * z * polynomial(z, "COS"))),
    )


def _signed(y: V, flip: V) -> V:
    """y with its sign turned where the highest bit of an integer is set."""
    m = 63 if y.type.kind == "double" else 31
    return (y.bits() ^ (flip & (-1 << m))).floating()


def _odd(k: V) -> V:
    return (k & 1).differs(0)


def sin_of(r: V, rest: V | None, k: V) -> V:
    """The sine of r + rest and k quadrants."""
    s, c = _sin_cos(r, rest)
    top = 62 if r.type.kind == "double" else 30
    return _signed(where(_odd(k), c, s), k << top)


def cos_of(r: V, rest: V | None, k: V) -> V:
    return sin_of(r, rest, k + 1)


def tan_of(r: V, rest: V, k: V) -> V:
    s, s_low, c, c_low = _sin_cos_twice(r, rest)
    odd = _odd(k)
    y, low = quotient(
        where(odd, c, s), where(odd, c_low, s_low), where(odd, -s, c), where(odd, -s_low, c_low)
    )
    return y + low


def _rarely(name: str, x: V, y: V) -> V:
    """y, but where |x| is beyond `_limit` what the function `name` of `support` gives."""
    out = x.out
    if out.module.is_support:  # x is in range
        return y
    big = any_of(absolute(x) > _limit(x))
    slow, done, before = out.new_label("slow"), out.new_label("done"), out.label
    out.line(f"br i1 {big.text}, label %{slow}, label %{done}, !prof !0")
    out.start(slow)
    fixed = V(out.name(), x.type, out)
    out.module.use(f"lg_{name}", "double", "double")
    symbol = f"lg.slow.{x.type.mark}"
    if symbol not in out.module.functions:
        out.module.functions[symbol] = _lane_by_lane(out.module, symbol, x)
    arguments = f"{x.type.text} {x.text}, {x.type.text} {y.text}, ptr @lg_{name}"
    out.line(f"{fixed.text} = call {x.type.text} @{symbol}({arguments})")
    out.line(f"br label %{done}")
    out.start(done)
    return out.value(x.type, f"phi {x.type.text} [{y.text}, %{before}], [{fixed.text}, %{slow}]")


def _lane_by_lane(module: Module, symbol: str, like: V) -> str:
    """A function that computes the lanes of y where |x| is large, by one of doubles."""
    type, one = like.type, Type(like.type.kind)
    out = Block(module)
    x, y = V("%x", type, out), V("%y", type, out)
    if type.lanes == 1:
        lane, so_far = x, y
    else:
        out.line("br label %loop")
        out.start("loop")
        out.line("%lane = phi i32 [0, %entry], [%next, %joined]")
        out.line(f"%so.far = phi {type.text} [%y, %entry], [%now, %joined]")
        lane = out.value(one, f"extractelement {type.text} {x.text}, i32 %lane")
        so_far = V("%so.far", type, out)
    out.line(f"br i1 {(absolute(lane) > _limit(like)).text}, label %replace, label %joined")
    before = out.label
    out.start("replace")
    wide = lane if type.kind == "double" else lane.convert("fpext", "double")
    exact = out.value(wide.type, f"call double %f(double {wide.text})")
    result = exact if type.kind == "double" else exact.convert("fptrunc", "float")
    if type.lanes > 1:
        result = out.value(
            type, f"insertelement {type.text} %so.far, {type.kind} {result.text}, i32 %lane"
        )
    out.line("br label %joined")
    out.start("joined")
    out.line(f"%now = phi {type.text} [{so_far.text}, %{before}], [{result.text}, %replace]")
    if type.lanes > 1:
        out.line("%next = add i32 %lane, 1")
        out.line(f"%more = icmp ult i32 %next, {type.lanes}")
        out.line("br i1 %more, label %loop, label %end")
        out.start("end")
    head = f"define internal {type.text} @{symbol}({type.text} %x, {type.text} %y, ptr %f)"
    head += " noinline cold nounwind willreturn memory(none) {"
    return "\n".join([head, "entry:", *out.lines, f"  ret {type.text} %now", "}"])


@function
def sin(x: V) -> V:
    return _rarely("sin", x, _signed(sin_of(*_remainder(x)), x.bits()))


@function
def cos(x: V) -> V:
    return _rarely("cos", x, cos_of(*_remainder(x)))


def _remainder(x: V) -> tuple[V, V | None, V]:
    """|x| less quadrants. One number will do where products are exact in `fma`."""
    if not x.out.module.target.fma:
        return _quadrant_and_rest(absolute(x))
    r, k = _quadrant(absolute(x))
    return r, None, k


@function
def tan(x: V) -> V:
    r, rest, k = _quadrant_and_rest(absolute(x))
    return _rarely("tan", x, _signed(tan_of(r, rest, k), x.bits()))


def _half_pi(x: V) -> tuple[float, float]:
    high, low, *_ = constant(x, "HALF_PI")
    return high, low


@function
def arcsin(x: V) -> V:
    return copysign(_arc(x)[0], x)


@function
def arccos(x: V) -> V:
    return _arc(x)[1]


def _arc(x: V) -> tuple[V, V]:
    """arcsin |x| and arccos x."""
    a = absolute(x)
    high, low = _half_pi(x)
    big = a > 0.5
    z = where(big, fma(a, -0.5, 0.5), a * a)
    s = where(big, sqrt(z), a)
    p = s * z * polynomial(z, "ASIN")
    # where |x| > 1/2: s is rounded, c makes up for it
    c = (
        where(z > 0.0, fma(-s, s, z) / (s + s), 0.0)
        if x.out.module.target.fma
        else _root_rest(s, z)
    )
    near = 2.0 * (s + (p + c))  # arccos |x|
    sin_small = s + p
    arc_sin = where(big, high - (2.0 * s - (low - 2.0 * (p + c))), sin_small)
    negative = x < 0.0
    signed = where(negative, -sin_small, sin_small)
    arc_cos = where(
        big,
        where(negative, 2.0 * high - (near - 2.0 * low), near),
        high - (signed - low),
    )
    return arc_sin, arc_cos


def _root_rest(s: V, z: V) -> V:
    square, rest = product(s, s)
    return where(z > 0.0, ((z - square) - rest) / (s + s), 0.0)


def _arctan(y: V, x: V) -> V:
    """The angle of (x, y), both >= 0 and finite, not both 0."""
    high, low = _half_pi(x)
    steep = y > x
    small, large = where(steep, x, y), where(steep, y, x)
    # the angle from the axis, or from the diagonal: at most pi / 8
    middle = small > large * math.tan(math.pi / 8)
    top, top_low = total_any(small, where(middle, -large, 0.0))
    bottom, bottom_low = total(large, where(middle, small, 0.0))
    r, rest = quotient(top, top_low, bottom, bottom_low)
    z = r * r
    rest = fma(r * z, polynomial(z, "ATAN"), rest)
    first, more = total(where(middle, x.like(0.5 * high), 0.0), r)
    first = where(middle, first, r)
    rest = rest + where(middle, more + 0.5 * low, 0.0)
    turned = high - (first - (low - rest))
    return where(steep, turned, first + rest)


@function
def arctan(x: V) -> V:
    a = absolute(x)
    y = _arctan(where(a > 2.0**60, x.like(2.0**60), a), x.like(1.0))
    return copysign(where(is_nan(x), x, y), x)


@function
def arctan2(y: V, x: V) -> V:
    big = 2.0 ** (bias(x) - 23)
    a, b = absolute(y), absolute(x)
    # infinities as the direction they stand for
    far_a, far_b = a.same(INF), b.same(INF)
    a, b = (
        where(far_a, 1.0, where(far_b, 0.0, a)),
        where(far_b, 1.0, where(far_a, 0.0, b)),
    )
    large = where(a > b, a, b)
    # away from overflow, and from numbers of few digits
    scale = where(large < 1.0, x.like(2.0 ** (bias(x) * 3 // 5)), 1.0)
    scale = where(large > big, 1.0 / 16.0, scale)
    a, b = a * scale, b * scale
    b = where(large.same(0.0), 1.0, b)  # the angle of (0, 0) is that of (1, 0)
    turn, turn_low = _half_pi(x)
    angle = _arctan(a, b)
    behind = x.bits() < 0
    angle = where(behind, 2.0 * turn - (angle - 2.0 * turn_low), angle)
    return copysign(where(is_nan(x) | is_nan(y), x + y, angle), y)


# Powers


@function
def power(x: V, y: V) -> V:
    if x.type.kind == "float":
        wide = power_of(
            absolute(x).convert("fpext", "double"), y.convert("fpext", "double"), exact=False
        )
        z = wide.convert("fptrunc", "float")
    else:
        z = power_of(absolute(x), y, exact=True)
    z = where(x.same(0.0), where(y < 0.0, z.like(INF), 0.0), z)
    z = where(absolute(x).same(INF), where(y < 0.0, z.like(0.0), INF), z)
    floor = y.out.intrinsic("floor", y)
    half = 0.5 * y
    even = half.out.intrinsic("floor", half).same(half)
    whole = floor.same(y)
    negative = x.bits() < 0
    z = where(negative & whole & ~even, -z, z)
    z = where((x < 0.0) & (x > -INF) & ~whole, NAN, z)
    z = where(is_nan(x) | is_nan(y), x + y, z)
    unit = y.same(0.0) | x.same(1.0) | (x.same(-1.0) & absolute(y).same(INF))
    return where(unit, 1.0, z)


def power_of(x: V, y: V, exact: bool) -> V:
    """x**y for finite positive doubles x; exact: the logarithm to twice the precision."""
    y = clipped(y, -(2.0**80), 2.0**80)
    f, k = _normal(x)
    high, low = coefficients.LN2_DOUBLE
    n = to_float(k, x)
    if not exact:
        log, log_low = _log1p(f, k), x.like(0.0)
    else:
        d, d_low = total(x.like(2.0), f)
        s, s_low = quotient(f, f.like(0.0), d, d_low)
        z, z_low = product(s, s)
        z_low = fma(2.0 * s, s_low, z_low)
        # 2 s + s**3 (2 / 3 + z P(z)), the sums in pairs
        third = 2.0 / 3.0
        w, w_low = total(x.like(third), z * polynomial(z, "LOG_MORE"))
        w_low = w_low + 2.0**-53 / 3.0  # what 2 / 3 lost
        cube, cube_low = product(z, s)
        cube_low = cube_low + fma(z, s_low, z_low * s)
        t, t_low = product(cube, w)
        t_low = t_low + fma(cube, w_low, cube_low * w)
        a, a_low = total(n * high, 2.0 * s)
        log, log_low = total(a, t)
        log_low = log_low + (a_low + (fma(n, low, 2.0 * s_low) + t_low))
        log, log_low = total(log, log_low)
    p, p_low = product(y, log)
    p_low = fma(y, log_low, p_low)
    inside = clipped(p, *_range(p))
    e, e_low, k = _reduced_twice(inside, where(inside.same(p), p_low, 0.0))
    return scaled(1.0 + (e + e_low), k)


# The error function


def _erf(x: V) -> V:
    """erf up to 1/2."""
    return fma(x, polynomial(x * x, "ERF"), x)


def _tail(x: V, half: float) -> tuple[V, V, V]:
    """erfc(x sqrt(half)) from about 1/2 on as a sum of two, to be scaled by 2**k; half is 1 or
    1/2."""
    square, square_low = product(x, x)
    e, e_low, k = _reduced_twice(clipped(-half * square, _range(x)[0], 0.0))
    p, p_low = total(e.like(1.0), e)
    p_low = fma(p, -half * square_low, p_low + e_low)
    z, z_low = x, x.like(0.0)
    if half != 1.0:
        high, low = constant(x, "ROOT_HALF")
        z, z_low = product(x, x.like(high))
        z_low = fma(x, low, z_low)
    (centre,) = constant(x, "ERFCX_CENTRE")
    q, q_low = total(x.like(1.0), polynomial((z - centre) / (z + centre), "ERFCX"))
    d, d_low = total_any(x.like(1.0), 2.0 * z)
    y, low = quotient(q, q_low, d, fma(z_low, 2.0, d_low))
    t, t_low = product(p, y)
    return t, t_low + fma(p, low, p_low * y), k


@function
def erfc(x: V) -> V:
    a = absolute(x)
    t, low, k = _tail(where(a > 28.0, x.like(28.0), a), 1.0)
    far = scaled(t + low, k)
    y = where(a < 0.5, 1.0 - _erf(x), where(x < 0.0, 2.0 - far, far))
    return where(is_nan(x), x, y)


@function
def erf(x: V) -> V:
    a = absolute(x)
    t, low, k = _tail(where(a > 7.0, x.like(7.0), a), 1.0)
    y = where(a < 0.5, _erf(a), 1.0 - scaled(t + low, k))
    return where(is_nan(x), x, copysign(y, x))


@function
def gelu(x: V) -> V:
    a = absolute(x)
    t, low, k = _tail(where(a > 40.0, x.like(40.0), a), 0.5)
    half = 0.5 * where(x < -40.0, x.like(-40.0), x)
    left = scaled(fma(half, t, half * low), k)
    right = x * (1.0 - scaled(0.5 * (t + low), k))
    near, near_low = total(x.like(0.5), 0.5 * _erf(x * math.sqrt(0.5)))
    y = where(a < 0.7, fma(x, near, x * near_low), where(x < 0.0, left, right))
    return where(x.same(-INF), NAN, where(is_nan(x) | x.same(0.0), x, y))
