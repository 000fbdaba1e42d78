"""Formulas: from a line of text, Python's or that of `symbols`, to MathML and LaTeX.

The text may have Python's operators, calls and subscripts, and also `·`, `²`, `ᵀ`, `√x`, `cos x`,
`|x|`. An operator without its left or right operand, such as `·xᵀ`, stands for what is done to a
gradient; that goes into the gap. What cannot be read stays text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import Any

from .symbols import short

# A tree is a tuple: ("name", text), ("num", text), ("text", text), ("gap",), ("call", name, args),
# ("sub", tree, text), ("neg", tree), ("pow", a, b), ("T", tree), ("abs", tree), ("sqrt", tree),
# ("group", tree) or (operator, a, b).
Tree = tuple[Any, ...]

_TOKEN = re.compile(
    r"\s*(?:(?P<num>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|∞)"
    r"|(?P<op>\*\*|[-−+*·×/@⊗⊙^(),|²³ᵀ√=<>≥≤Σ])"
    r"|(?P<sub>\[[^\[\]]*\])"
    r"|(?P<name>[^\W\d²³ᵀ][^\W²³ᵀ]*(?:\.[^\W\d²³ᵀ][^\W²³ᵀ]*)*))"
)
_BINARY = {"=": 1, "<": 2, ">": 2, "≥": 2, "≤": 2, "+": 3, "-": 3, "·": 4, "/": 4, "@": 4, "⊗": 4,
           "⊙": 4}  # fmt: skip
_SAME = {"*": "·", "×": "·", "−": "-", "**": "^"}
_PREFIX = frozenset(("sin", "cos", "tan", "sinh", "cosh", "log", "sign", "σ", "Σ", "exp", "tanh"))
_NEG, _POW = 5, 6
_DEEPEST = 40


class _Unreadable(Exception):
    pass


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise _Unreadable
            kind = str(match.lastgroup)
            value = match[kind]
            self.tokens.append((kind, _SAME.get(value, value)))
            at = match.end()
        self.at = self.depth = 0

    def parse(self) -> Tree:
        tree = self.expression(0)
        if self.at < len(self.tokens):
            raise _Unreadable
        return tree

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *wanted: str) -> bool:
        if self.peek()[1] in wanted and self.peek()[0] == "op":
            self.at += 1
            return True
        return False

    def expression(self, least: int) -> Tree:
        """What stands here, up to an operator that binds no more than `least`."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Unreadable
        left = self.prefix()
        while True:
            kind, value = self.peek()
            if kind == "sub":
                self.at += 1
                left = ("sub", left, value[1:-1])
                continue
            if kind != "op":
                break
            if value in ("²", "³"):
                self.at += 1
                left = ("pow", left, ("num", "2" if value == "²" else "3"))
            elif value == "ᵀ":
                self.at += 1
                left = ("T", left)
            elif value == "^":
                self.at += 1
                left = ("pow", left, self.expression(_NEG))
            elif value in _BINARY and _BINARY[value] > least:
                self.at += 1
                gap = self.peek()[0] == "end"
                left = (value, left, ("gap",) if gap else self.expression(_BINARY[value]))
            else:
                break
        self.depth -= 1
        return left

    def prefix(self) -> Tree:
        kind, value = self.peek()
        if kind == "op" and value in ("·", "⊗", "ᵀ", "@") and self.at == 0:
            return ("gap",)
        self.at += 1
        if kind == "sub":
            return ("text", value)
        if kind == "num":
            return ("num", value)
        if kind == "name":
            if self.peek() == ("op", "("):
                return ("call", value, self.arguments())
            if value in _PREFIX and self.peek()[0] in ("name", "num"):
                return ("call", value, (self.expression(_NEG),))
            return ("name", value)
        if value == "-":
            return ("neg", self.expression(_NEG))
        if value == "+":
            return self.expression(_NEG)
        if value in ("√", "Σ"):
            inner = self.expression(_NEG)
            inner = inner[1] if inner[0] == "group" else inner
            return ("sqrt", inner) if value == "√" else ("call", "Σ", (inner,))
        if value == "(":
            inner = self.expression(0)
            if not self.take(")"):
                raise _Unreadable
            return inner if inner[0] == "group" else ("group", inner)
        if value == "|":
            inner = self.expression(0)
            if not self.take("|"):
                raise _Unreadable
            return ("abs", inner)
        raise _Unreadable

    def arguments(self) -> tuple[Tree, ...]:
        self.at += 1
        found: list[Tree] = []
        while not self.take(")"):
            found.append(self.expression(0))
            if not self.take(","):
                if not self.take(")"):
                    raise _Unreadable
                break
        return tuple(bare(argument) for argument in found)


@lru_cache(8192)
def parse(text: str) -> Tree:
    """The tree of a formula; ("text", text) if it cannot be read."""
    text = short(text)
    if " at " in text:
        left, _, place = text.partition(" at ")
        return ("at", parse(left), ("text", place))
    if " where " in text:
        left, _, condition = text.partition(" where ")
        return ("where", parse(left), parse(condition))
    try:
        return _Parser(text).parse()
    except (_Unreadable, IndexError):
        return ("text", text)


def chained(factor: Tree, gradient: Tree) -> Tree:
    """What a local derivative makes of the gradient that arrives."""
    if factor == ("num", "1"):
        return gradient
    filled, found = _filled(factor, gradient)
    return filled if found else ("·", gradient, _grouped(factor))


def _filled(tree: Tree, gradient: Tree) -> tuple[Tree, bool]:
    if tree == ("gap",):
        return gradient, True
    if tree[0] in ("at", "where") and tree[1] == ("num", "1"):
        return (tree[0], gradient, tree[2]), True
    if tree[0] in ("·", "⊗", "@", "⊙", "T"):
        parts = [_filled(part, gradient) for part in tree[1:]]
        return (tree[0], *(p for p, _ in parts)), any(found for _, found in parts)
    return tree, False


def _grouped(tree: Tree) -> Tree:
    return ("group", tree) if tree[0] in ("+", "-", "neg") else tree


# ---- MathML

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eps": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "lamda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω",
}  # fmt: skip
_SIGNS = {"·": "·", "-": "−", "@": "", "⊗": "⊗", "⊙": "⊙", "+": "+", "=": "=", "<": "<", ">": ">",
          "≥": "≥", "≤": "≤"}  # fmt: skip


def mathml(tree: Tree, display: bool = True) -> str:
    """A formula as a MathML element."""
    style = ' display="block"' if display else ""
    return f"<math{style}>{_ml(tree)}</math>"


def _ml(tree: Tree) -> str:
    kind = tree[0]
    if kind == "name":
        return _ml_name(tree[1])
    if kind == "num":
        return f"<mn>{escape(tree[1])}</mn>"
    if kind == "text":
        return f"<mtext>{escape(tree[1])}</mtext>"
    if kind == "gap":
        return "<mo>□</mo>"
    if kind == "group":
        return f"<mrow><mo>(</mo>{_ml(tree[1])}<mo>)</mo></mrow>"
    if kind == "neg":
        return f"<mrow><mo>−</mo>{_ml(tree[1])}</mrow>"
    if kind == "abs":
        return f"<mrow><mo>|</mo>{_ml(tree[1])}<mo>|</mo></mrow>"
    if kind == "sqrt":
        return f"<msqrt>{_ml(tree[1])}</msqrt>"
    if kind == "T":
        return f"<msup>{_ml(_atom(tree[1]))}<mo>⊤</mo></msup>"
    if kind == "pow":
        return f"<msup>{_ml(_atom(tree[1]))}{_ml(bare(tree[2]))}</msup>"
    if kind == "/":
        return f"<mfrac>{_ml(bare(tree[1]))}{_ml(bare(tree[2]))}</mfrac>"
    if kind == "sub":
        return f"<msub>{_ml(_atom(tree[1]))}<mtext>{escape(tree[2])}</mtext></msub>"
    if kind == "d":
        above, below = (f"<mrow><mi>∂</mi>{_ml(t)}</mrow>" for t in tree[1:])
        return f"<mfrac>{above}{below}</mfrac>"
    if kind == "at":
        return f"<mrow>{_ml(tree[1])}<mtext> at </mtext>{_ml(tree[2])}</mrow>"
    if kind == "where":
        condition = f"<mtext> where </mtext>{_ml(tree[2])}<mtext>, else 0</mtext>"
        return f"<mrow>{_ml(tree[1])}{condition}</mrow>"
    if kind == "call":
        if tree[1] in ("sqrt", "abs") and len(tree[2]) == 1:
            return _ml((tree[1], tree[2][0]))
        args = "<mo>,</mo>".join(_ml(a) for a in tree[2])
        return f"<mrow>{_ml_name(tree[1])}<mo>(</mo>{args}<mo>)</mo></mrow>"
    sign = f"<mo>{escape(_SIGNS[kind])}</mo>" if _SIGNS[kind] else '<mspace width="0.25em"/>'
    return f"<mrow>{_ml(tree[1])}{sign}{_ml(tree[2])}</mrow>"


def _ml_name(name: str) -> str:
    if name == "Σ":
        return "<mo>Σ</mo>"
    base, _, index = name.partition("_") if re.fullmatch(r"[^\W\d_]_\d+", name) else (name, "", "")
    mark = f"<mi>{escape(_GREEK.get(base, base))}</mi>"
    return f"<msub>{mark}<mn>{index}</mn></msub>" if index else mark


def _atom(tree: Tree) -> Tree:
    simple = ("name", "num", "text", "group", "gap", "call", "sub", "abs", "sqrt", "T")
    return tree if tree[0] in simple else ("group", tree)


def bare(tree: Tree) -> Tree:
    """Without parentheses that a fraction, an exponent or an argument does not need."""
    return tree[1] if tree[0] == "group" else tree


# ---- LaTeX

_TEX_SIGNS = {"·": r" \cdot ", "-": " - ", "@": r" \, ", "⊗": r" \otimes ", "⊙": r" \odot ",
              "+": " + ", "=": " = ", "<": " < ", ">": " > ", "≥": r" \ge ", "≤": r" \le "}  # fmt: skip
_TEX_FUNCTIONS = frozenset(
    ("sin", "cos", "tan", "sinh", "cosh", "tanh", "log", "exp", "max", "min", "arcsin", "arccos",
     "arctan")
)  # fmt: skip


def latex(tree: Tree) -> str:
    """A formula in LaTeX's mathematics."""
    kind = tree[0]
    if kind == "name":
        return _tex_name(tree[1])
    if kind == "num":
        return _tex_number(tree[1])
    if kind == "text":
        return rf"\text{{{_tex_text(tree[1])}}}"
    if kind == "gap":
        return r"\square"
    if kind == "group":
        return rf"\left({latex(tree[1])}\right)"
    if kind == "neg":
        return f"-{latex(tree[1])}"
    if kind == "abs":
        return rf"\left|{latex(tree[1])}\right|"
    if kind == "sqrt":
        return rf"\sqrt{{{latex(tree[1])}}}"
    if kind == "T":
        return rf"{{{latex(_atom(tree[1]))}}}^{{\top}}"
    if kind == "pow":
        return f"{{{latex(_atom(tree[1]))}}}^{{{latex(bare(tree[2]))}}}"
    if kind == "/":
        return rf"\frac{{{latex(bare(tree[1]))}}}{{{latex(bare(tree[2]))}}}"
    if kind == "sub":
        return rf"{{{latex(_atom(tree[1]))}}}_{{{_tex_text(tree[2])}}}"
    if kind == "d":
        return rf"\frac{{\partial {latex(tree[1])}}}{{\partial {latex(tree[2])}}}"
    if kind == "at":
        return rf"{latex(tree[1])} \text{{ at }} {latex(tree[2])}"
    if kind == "where":
        return rf"{latex(tree[1])} \text{{ where }} {latex(tree[2])}"
    if kind == "call":
        if tree[1] in ("sqrt", "abs") and len(tree[2]) == 1:
            return latex((tree[1], tree[2][0]))
        name = tree[1]
        head = {"σ": r"\sigma", "Σ": r"\sum"}.get(name)
        head = head or (rf"\{name}" if name in _TEX_FUNCTIONS else
                        rf"\operatorname{{{_tex_text(name)}}}")  # fmt: skip
        return rf"{head}\left({', '.join(latex(a) for a in tree[2])}\right)"
    return f"{latex(tree[1])}{_TEX_SIGNS[kind]}{latex(tree[2])}"


def _tex_name(name: str) -> str:
    base, _, index = name.partition("_")
    if index.isalnum() and (base in _GREEK or len(base) == 1):
        below = index if index.isdigit() or len(index) == 1 else rf"\mathrm{{{index}}}"
        return f"{_tex_name(base)}_{{{below}}}"
    if name in _GREEK and name not in ("eps", "lamda"):
        return rf"\{name}"
    if len(name) == 1 and name.isascii():
        return name
    return rf"\mathrm{{{_tex_text(name)}}}"


def _tex_number(text: str) -> str:
    mantissa, _, exponent = text.lower().partition("e")
    text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else text
    return text.replace("∞", r"\infty")


def _tex_text(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c) or ("\\" + c if c in "#$%&_{}" else c) for c in text)
