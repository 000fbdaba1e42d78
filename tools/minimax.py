"""Derives the polynomials of leafgrad.compile.math and writes compile/coefficients.py.

    python tools/minimax.py            # writes the file, and prints each polynomial's largest error
    python tools/minimax.py --check    # fails if the file is not what this script derives

Each polynomial is a weighted minimax fit by the exchange method of Remez, in multiprecision. Its
coefficients are then rounded one after the other, the rest fitted again after each: what rounding
one coefficient costs, the later ones take up (from the lowest where 0 ends the interval, else from
the highest: powers from 1 on are no basis around 0). The degree is the lowest that reaches the aim.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from mpmath import mp, mpf

TARGET = Path(__file__).parent.parent / "src" / "leafgrad" / "compile" / "coefficients.py"
Real = Callable[[mpf], mpf]


def rounded(x: mpf, bits: int) -> mpf:
    """x to the nearest number of `bits` bits."""
    with mp.workprec(bits):
        return +x


def value(coefficients: dict[int, mpf], x: mpf) -> mpf:
    return mp.fsum(c * x**k for k, c in coefficients.items())


class Fit:
    """A function and a weight on an interval, ready to be fitted by polynomials."""

    def __init__(self, f: Real, weight: Real, low: mpf, high: mpf, points: int = 400) -> None:
        # Chebyshev nodes: dense at the ends, and never on 0, where the formulas are 0/0.
        self.x = [
            (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * points))
            for i in range(points)
        ]
        self.f = [f(x) for x in self.x]
        self.w = [weight(x) for x in self.x]

    def error(self, coefficients: dict[int, mpf]) -> mpf:
        return max(
            abs(w * (f - value(coefficients, x)))
            for x, f, w in zip(self.x, self.f, self.w, strict=True)
        )

    def remez(self, fixed: dict[int, mpf], degree: int) -> dict[int, mpf]:
        """The best polynomial with these coefficients fixed: power -> coefficient."""
        free = [k for k in range(degree + 1) if k not in fixed]
        count = len(free)
        rest = [f - value(fixed, x) for x, f in zip(self.x, self.f, strict=True)]
        n = len(self.x)
        at = [round(i * (n - 1) / count) for i in range(count + 1)]
        found: dict[int, mpf] = {}
        for _ in range(12):
            a = mp.matrix(count + 1, count + 1)
            b = mp.matrix(count + 1, 1)
            for row, i in enumerate(at):
                for column, k in enumerate(free):
                    a[row, column] = self.w[i] * self.x[i] ** k
                a[row, count] = (-1) ** row
                b[row] = self.w[i] * rest[i]
            solution = mp.lu_solve(a, b)
            found = dict(zip(free, solution, strict=False))
            error = [
                w * (f - value(found, x)) for x, f, w in zip(self.x, rest, self.w, strict=True)
            ]
            extremes = [0]
            for i in range(1, n):  # the largest error of every stretch of one sign
                if (error[i] > 0) == (error[extremes[-1]] > 0):
                    if abs(error[i]) > abs(error[extremes[-1]]):
                        extremes[-1] = i
                else:
                    extremes.append(i)
            while len(extremes) > count + 1:
                extremes.pop(0 if abs(error[extremes[0]]) < abs(error[extremes[-1]]) else -1)
            if len(extremes) < count + 1 or extremes == at:
                break
            at = extremes
        return fixed | found

    def rounded(self, degree: int, bits: int) -> dict[int, mpf]:
        fixed: dict[int, mpf] = {}
        for i in range(degree + 1):
            k = i if self.x[0] > 0 else degree - i
            fixed[k] = rounded(self.remez(fixed, degree)[k], bits)
        return fixed


ERFCX_CENTRE = mpf("3.625"), mpf("2.25")  # for double and float: the middle of what is fitted


def polynomials() -> dict[str, tuple[Fit | dict[str, Fit], float]]:
    """Name -> what is fitted, and bits to reach beyond those of the type (float, double)."""
    ln2, quarter = mp.ln2 / 2 + mpf("1e-3"), mp.pi / 4 + mpf("1e-4")
    low = -ln2

    def half_atanh(z: mpf) -> mpf:
        s = mp.sqrt(z)
        return (mp.log((1 + s) / (1 - s)) - 2 * s) / s**3

    def half_atanh_more(z: mpf) -> mpf:
        s = mp.sqrt(z)
        return (mp.log((1 + s) / (1 - s)) - 2 * s - 2 * s**3 / 3) / s**5

    edge = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.001")

    def erfcx(centre: mpf, largest: float) -> Fit:
        def f(t: mpf) -> mpf:
            x = centre * (1 + t) / (1 - t)
            return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x) - 1

        first, last = ((x - centre) / (x + centre) for x in (mpf("0.48"), mpf(largest)))
        return Fit(f, lambda t: 1 / (1 + f(t)), first, last, points=600)

    def sinh(z: mpf) -> mpf:
        return (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z

    def erf(z: mpf) -> mpf:
        x = mp.sqrt(z)
        return mp.erf(x) / x - 1

    return {
        # e**r = 1 + r + r**2 P(r)
        "EXP": (
            Fit(lambda r: (mp.expm1(r) - r) / r**2, lambda r: r**2 / abs(mp.expm1(r)), low, ln2),
            4,
        ),
        # log((1 + s) / (1 - s)) = 2 s + s**3 P(s**2)
        "LOG": (Fit(half_atanh, lambda z: z / 2, mpf(0), edge), 4),
        # the same, two terms in: for the logarithm in twice the precision that pow needs
        "LOG_MORE": (Fit(half_atanh_more, lambda z: z * z / 2, mpf(0), edge), 15),
        # sin(r) = r + r**3 P(r**2), cos(r) = 1 - r**2 / 2 + r**4 P(r**2)
        "SIN": (
            Fit(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z, mpf(0),
                quarter**2),
            4,
        ),
        "COS": (
            Fit(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: z**2, mpf(0),
                quarter**2),
            4,
        ),
        # atan(r) = r + r**3 P(r**2)
        "ATAN": (
            Fit(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z, mpf(0),
                mp.tan(mp.pi / 8) ** 2 * mpf("1.001")),
            4,
        ),
        # asin(r) = r + r**3 P(r**2)
        "ASIN": (
            Fit(lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z, mpf(0),
                mpf("0.2501")),
            4,
        ),
        # erf(x) = x + x P(x**2)
        "ERF": (Fit(erf, lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)), mpf(0), mpf("0.26")), 4),
        # exp(x**2) erfc(x) = (1 + P((x - c) / (x + c))) / (1 + 2 x)
        "ERFCX": (
            {"double": erfcx(ERFCX_CENTRE[0], 28.0), "float": erfcx(ERFCX_CENTRE[1], 10.5)},
            4,
        ),
        # sinh(x) = x + x**3 P(x**2)
        "SINH": (Fit(sinh, lambda z: z, mpf(0), mpf("1.001")), 4),
    }  # fmt: skip


def parts(x: mpf, *bits: int) -> list[mpf]:
    """x as a sum of numbers of so many bits each."""
    found = []
    for n in bits:
        found.append(rounded(x, n))
        x -= found[-1]
    return found


def constants() -> dict[str, list[mpf]]:
    """Constants in several parts. Those that end in _SHORT have leading parts so short that their
    product with a small integer is exact, for processors without fused multiply-add."""
    found = {}
    for kind, bits, short in (("DOUBLE", 53, 32), ("FLOAT", 24, 14)):
        found[f"LN2_{kind}"] = parts(mp.ln2, short, bits)
        found[f"INV_LN2_{kind}"] = parts(1 / mp.ln2, bits - short, bits)
        found[f"INV_LN10_{kind}"] = parts(1 / mp.ln10, bits - short, bits)
        found[f"LOG10_2_{kind}"] = parts(mp.log10(2), short, bits)
        found[f"GELU_TANH_A_{kind}"] = parts(mp.sqrt(8 / mp.pi), bits, bits)
        found[f"GELU_TANH_B_{kind}"] = parts(mp.sqrt(8 / mp.pi) * mpf("0.044715"), bits, bits)
        found[f"ROOT_HALF_{kind}"] = parts(mp.sqrt(mpf(1) / 2), bits, bits)
        found[f"HALF_PI_{kind}"] = parts(mp.pi / 2, bits, bits, bits)
    found["HALF_PI_DOUBLE_SHORT"] = parts(mp.pi / 2, 27, 27, 27, 53)
    found["HALF_PI_FLOAT_SHORT"] = parts(mp.pi / 2, 12, 12, 12, 24)
    found["ERFCX_CENTRE_DOUBLE"], found["ERFCX_CENTRE_FLOAT"] = [ERFCX_CENTRE[0]], [ERFCX_CENTRE[1]]
    return found


def derive() -> str:
    """The text of compile/coefficients.py."""
    mp.dps = 45
    lines = [
        '"""Minimax polynomials, lowest coefficient first: written by tools/minimax.py."""',
        "",
        "from __future__ import annotations",
        "",
    ]
    for name, (fits, margin) in polynomials().items():
        for kind, bits in (("double", 53), ("float", 24)):
            if kind == "float" and name == "LOG_MORE":
                continue  # float32's pow is computed in float64
            fit = fits[kind] if isinstance(fits, dict) else fits
            aim = mpf(2) ** -(bits + margin)
            degree = next(d for d in range(2, 40) if fit.error(fit.remez({}, d)) < aim)
            while fit.error(fit.rounded(degree, bits)) > 2 * aim:
                if (
                    fit.error(fit.rounded(degree + 1, bits))
                    > fit.error(fit.rounded(degree, bits)) / 2
                ):
                    break  # the rounding of the coefficients is what is left
                degree += 1
            coefficients = fit.rounded(degree, bits)
            error = mp.log(fit.error(coefficients), 2)
            print(f"{name:10}{kind:8}degree {degree:2}, relative error 2**{float(error):.1f}")
            lines.append(f"{name}_{kind.upper()} = (  # relative error 2**{float(error):.1f}")
            lines += [
                f'    float.fromhex("{float(c).hex()}"),' for _, c in sorted(coefficients.items())
            ]
            lines += [")", ""]
    for name, values in constants().items():
        texts = [f'float.fromhex("{float(c).hex()}"),' for c in values]
        if len(texts) == 1:
            lines += [f"{name} = ({texts[0]})", ""]
        else:
            lines += [f"{name} = (", *(f"    {text}" for text in texts), ")", ""]
    with mp.workprec(1500):  # enough bits of 2 / pi for the largest float64
        lines += ["# floor(2**1280 * 2 / pi)", "TWO_OVER_PI = int("]
        digits = f"{int(mp.floor(mp.ldexp(2 / mp.pi, 1280))):x}"
        lines += [f'    "{digits[i : i + 80]}"' for i in range(0, len(digits), 80)]
        lines += ["    , 16,", ")  # fmt: skip", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    text = derive()
    if "--check" in sys.argv:
        same = TARGET.read_text() == text
        print("as derived" if same else f"{TARGET.name} differs from what is derived")
        sys.exit(not same)
    TARGET.write_text(text)
