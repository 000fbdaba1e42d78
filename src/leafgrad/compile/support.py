"""What compiled code calls: libraries made when first needed and kept in the disk cache, so that the
loops that use them do not pay for their compilation.

    lg_sin, lg_cos, lg_tan    of huge arguments, one number at a time
    lg_parts                  runs the chunks of a loop, alone or with a team of threads
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from . import coefficients
from . import math as functions
from .ir import Block, Module, Type, V, where

_HUGE = ("sin", "cos", "tan")
_RESULT = "{double, double, i64}"
_WORDS = 1280 // 32  # 2 / pi in 32-bit words, the highest first


def huge_text(target: object) -> str:
    """IR of lg_sin, lg_cos and lg_tan: double -> double, right for every argument."""
    module = Module(target)
    module.is_support = True
    bits = coefficients.TWO_OVER_PI
    words = [bits >> (32 * (_WORDS - 1 - i)) & 0xFFFFFFFF for i in range(_WORDS)] + [0] * 8
    table = ", ".join(f"i32 {w}" for w in words)
    parts = [
        f"@two.over.pi = internal constant [{len(words)} x i32] [{table}]",
        _reduce(module, len(words)),
    ]
    for name in _HUGE:
        out = Block(module)
        x = V("%x", Type("double"), out)
        out.line(f"%all = call {_RESULT} @reduce(double %x)")
        r, rest, k = (
            out.value(Type(kind), f"extractvalue {_RESULT} %all, {i}")
            for i, kind in enumerate(("double", "double", "i64"))
        )
        y = getattr(functions, f"{name}_of")(r, rest, k)
        if name != "cos":
            y = (y.bits() ^ (x.bits() & -(1 << 63))).floating()
        y = where(functions.absolute(x) < math.inf, y, math.nan)
        parts.append(
            "\n".join(
                [
                    f"define double @lg_{name}(double %x) nounwind {{",
                    "entry:",
                    *out.lines,
                    f"  ret double {y.text}",
                    "}",
                ]
            )
        )
    return module.text() + "\n".join(parts) + "\n"


def _reduce(module: Module, words: int) -> str:
    """|x| less a multiple k of pi / 2 (Payne and Hanek): the remainder as a sum of two, k.

    x = m 2**e, m an integer of 53 bits. Of m 2**e (2 / pi) only the two bits above the point and
    some 170 below matter: those are in m times a window of 256 bits of 2 / pi.
    """
    out = Block(module)
    x = V("%x", Type("double"), out)
    bits = x.bits()
    exponent = (bits.shifted_down(52) & 2047) - 1075
    mantissa = (bits & ((1 << 52) - 1)) | (1 << 52)
    # Bits before the window are worth multiples of 4: they do not change the quadrant.
    position = exponent - 2
    position = where(position < 0, position.like(0), position)
    first = position.shifted_down(5)
    window: V | None = None
    for i in range(8):
        at = first + i
        address = out.value(
            Type("ptr"),
            f"getelementptr inbounds [{words} x i32], ptr @two.over.pi, i64 0, i64 {at.text}",
        )
        word = out.value(Type("i32"), f"load i32, ptr {address.text}").convert("zext", "i256")
        window = word if window is None else (window << 32) | word
    assert window is not None
    # window = floor(2**(32 first + 256) * 2 / pi) mod 2**256, so m window 2**(e - 32 first - 256)
    # is x * 2 / pi, but for multiples of 4. Its point is brought to bit 254.
    left = (exponent - (first << 5) - 2).convert("sext", "i256")
    none = left.like(0)
    window = window.shifted_down(where(left < 0, -left, none))
    fixed = (window * mantissa.convert("zext", "i256")) << where(left < 0, none, left)
    k = fixed.shifted_down(254).convert("trunc", "i64")
    # The distance from the nearest integer, its point above the highest bit
    fraction = fixed << 2
    negative = fraction < 0
    k = k + negative.convert("zext", "i64")
    size = where(negative, 0 - fraction, fraction)
    zeros = out.intrinsic("ctlz", size, V("false", Type("i1"), out), type=Type("i256"))
    size = size << where(zeros > 255, zeros.like(255), zeros)
    top = size.shifted_down(203).convert("trunc", "i64")  # 53 bits
    low = size.shifted_down(150).convert("trunc", "i64") & ((1 << 53) - 1)
    scale = ((1023 - 53 - zeros.convert("trunc", "i64")) << 52).floating()
    high_part = top.convert("uitofp", "double") * scale
    low_part = low.convert("uitofp", "double") * (scale * 2.0**-53)
    a, b, _ = coefficients.HALF_PI_DOUBLE
    product, rest = functions.product(high_part, high_part.like(a))
    r, r_low = functions.total(product, rest + (high_part * b + low_part * a))
    r, r_low = where(negative, -r, r), where(negative, -r_low, r_low)
    out.line(f"%one = insertvalue {_RESULT} poison, double {r.text}, 0")
    out.line(f"%two = insertvalue {_RESULT} %one, double {r_low.text}, 1")
    out.line(f"%all = insertvalue {_RESULT} %two, i64 {k.text}, 2")
    return "\n".join(
        [
            f"define internal {_RESULT} @reduce(double %x) noinline nounwind {{",
            "entry:",
            *out.lines,
            f"  ret {_RESULT} %all",
            "}",
        ]
    )


# Calls the function of a loop's chunk for every part of the loop, through the team of threads in
# slot 0 of the table if there is one. A chunk has at least `least` steps, a loop at most 256
# chunks: their number does not depend on that of the threads. Gives the number of chunks.
_PARTS = """\
define i64 @lg_parts(ptr %table, ptr %chunk, ptr %frame, i64 %n, i64 %least) nounwind {
entry:
  %up = add i64 %n, 65535
  %share = lshr i64 %up, 16
  %even = shl i64 %share, 8
  %large = icmp ugt i64 %even, %least
  %grain = select i1 %large, i64 %even, i64 %least
  %almost = add i64 %n, %grain
  %last = sub i64 %almost, 1
  %parts = udiv i64 %last, %grain
  %team = load ptr, ptr %table
  %none = icmp eq ptr %team, null
  %single = icmp ult i64 %parts, 2
  %alone = or i1 %none, %single
  br i1 %alone, label %begin, label %together
begin:
  %some = icmp ugt i64 %parts, 0
  br i1 %some, label %loop, label %done
loop:
  %part = phi i64 [0, %begin], [%next, %loop]
  %from = mul i64 %part, %grain
  %to = add i64 %from, %grain
  %within = icmp ult i64 %to, %n
  %end = select i1 %within, i64 %to, i64 %n
  call void %chunk(ptr %table, ptr %frame, i64 %from, i64 %end, i64 %part)
  %next = add i64 %part, 1
  %more = icmp ult i64 %next, %parts
  br i1 %more, label %loop, label %done
together:
  %share.out = load ptr, ptr %team
  call void %share.out(ptr %team, ptr %chunk, ptr %table, ptr %frame, i64 %n, i64 %grain)
  br label %done
done:
  ret i64 %parts
}
"""


def parts_text(target: Any) -> str:
    return f'target triple = "{target.triple}"\n{_PARTS}'


@functools.cache
def _library(text: Callable[[Any], str], names: tuple[str, ...]) -> tuple[Any, dict[str, int]]:
    """What keeps the functions in memory, and their addresses."""
    from . import llvm

    target = llvm.host()
    tracker, addresses = llvm.link(llvm.machine_code(text(target), target), list(names), {})
    return tracker, dict(zip(names, addresses, strict=True))


def addresses(names: set[str]) -> dict[str, int]:
    """Where these functions are."""
    found = {}
    for text, library in ((huge_text, ("lg_sin", "lg_cos", "lg_tan")), (parts_text, ("lg_parts",))):
        wanted = names.intersection(library)
        if wanted:
            known = _library(text, library)[1]
            found.update({name: known[name] for name in wanted})
    return found
