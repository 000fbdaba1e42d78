"""What operators look like: a symbol, and the local derivative by each operand as a short text.

Operators go by their own names in words: PyTorch's node names are coarser, `outer` records a
`MulBackward0`. In a derivative {0}, {1}... stand for the texts of the operands, {out} for the
result's, {n} for how many elements of operand 0 make one of the result, {place} for a subscript.
These texts label drawings; the derivatives that are computed are the operators' own.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

_SYMBOLS = {
    "add": "+", "sub": "−", "rsub": "−", "mul": "×", "div": "÷", "neg": "−x", "pow": "xⁿ",
    "pow tensor": "xⁿ", "matmul": "@", "mm": "@", "mv": "@", "bmm": "@", "dot": "@", "outer": "⊗",
    "addmm": "@+", "addmv": "@+", "baddbmm": "@+", "linear": "@+", "sum": "Σ", "prod": "Π",
    "sqrt": "√", "reciprocal": "1/x", "abs": "|x|", "sigmoid": "σ", "t": "ᵀ",
    "transpose": "ᵀ", "permute": "ᵀ", "select": "[ ]", "slice": "[ ]", "index": "[ ]",
    "mse loss": "mse", "l1 loss": "L1", "nll loss": "nll", "cross entropy": "ce",
    "binary cross entropy with logits": "bce", "binary cross entropy": "bce",
    "native dropout": "dropout", "to copy": "to", "norm": "‖x‖", "linalg vector norm": "‖x‖",
}  # fmt: skip

_DERIVATIVES: dict[str, tuple[str, ...]] = {
    "add": ("1", "1"),
    "sub": ("1", "−1"),
    "rsub": ("−1", "1"),
    "mul": ("{1}", "{0}"),
    "div": ("1/{1}", "−{0}/{1}²"),
    "neg": ("−1",),
    "reciprocal": ("−1/{0}²",),
    "pow": ("{1}·{0}^({1}−1)",),
    "pow tensor": ("{1}·{0}^({1}−1)", "{out}·log {0}"),
    "pow base": ("{out}·log {1}",),
    "matmul": ("·{1}ᵀ", "{0}ᵀ·"),
    "vector matmul": ("·{1}ᵀ", "{0} ⊗"),
    "mm": ("·{1}ᵀ", "{0}ᵀ·"),
    "bmm": ("·{1}ᵀ", "{0}ᵀ·"),
    "mv": ("⊗ {1}", "{0}ᵀ·"),
    "dot": ("{1}", "{0}"),
    "linear": ("·{1}", "ᵀ·{0}", "1"),
    "linear alone": ("·{1}", "ᵀ·{0}"),
    "exp": ("{out}",),
    "log": ("1/{0}",),
    "sqrt": ("1/(2·√{0})",),
    "sin": ("cos {0}",),
    "cos": ("−sin {0}",),
    "sinh": ("cosh {0}",),
    "cosh": ("sinh {0}",),
    "log1p": ("1/(1 + {0})",),
    "tan": ("1 + {out}²",),
    "tanh": ("1 − {out}²",),
    "sigmoid": ("{out}·(1 − {out})",),
    "relu": ("1 where {0} > 0",),
    "abs": ("sign {0}",),
    "sum": ("1",),
    "mean": ("1/{n}",),
    "select": ("1 at {place}",),
    "slice": ("1 at {place}",),
    "index": ("1 at {place}",),
    "view": ("1",),
    "unsafe view": ("1",),
    "reshape alias": ("1",),
    "squeeze": ("1",),
    "squeeze dim": ("1",),
    "squeeze dims": ("1",),
    "unsqueeze": ("1",),
    "expand": ("1",),
    "t": ("ᵀ",),
    "transpose": ("ᵀ",),
    "permute": ("ᵀ",),
    "clone": ("1",),
    "to copy": ("1",),
    "sum dim": ("1",),
    "log sigmoid": ("1/(1 + exp({0}))",),
    "softplus": ("1/(1 + exp(−{0}))",),
    "expm1": ("exp {0}",),
    "rsqrt": ("−{out}³/2",),
    "mse loss": ("2·({0} − {1})/{n}", "2·({1} − {0})/{n}"),
    "binary cross entropy with logits": ("(σ({0}) − {1})/{n}",),
}

# What an operator computes, in the same notation.
_FORMULAS = {
    "add": "{0} + {1}", "sub": "{0} − {1}", "rsub": "{1} − {0}", "mul": "{0}·{1}",
    "div": "{0}/{1}", "neg": "−{0}", "reciprocal": "1/{0}", "pow": "{0}^{1}",
    "vector matmul": "{0} @ {1}",
    "pow tensor": "{0}^{1}", "pow base": "{1}^{0}", "matmul": "{0} @ {1}", "mm": "{0} @ {1}",
    "bmm": "{0} @ {1}", "mv": "{0} @ {1}", "dot": "{0}ᵀ @ {1}", "outer": "{0} ⊗ {1}",
    "linear": "{0} @ {1}ᵀ + {2}",
    "linear alone": "{0} @ {1}ᵀ", "addmm": "{0} + {1} @ {2}", "exp": "exp({0})",
    "log": "log({0})", "sqrt": "√({0})", "rsqrt": "1/√({0})", "sin": "sin({0})",
    "cos": "cos({0})", "tan": "tan({0})", "sinh": "sinh({0})", "cosh": "cosh({0})",
    "tanh": "tanh({0})", "log1p": "log(1 + {0})", "expm1": "exp({0}) − 1",
    "sigmoid": "1/(1 + exp(−{0}))", "relu": "max(0, {0})", "abs": "|{0}|", "sum": "Σ({0})",
    "sum dim": "Σ({0})", "mean": "Σ({0})/{n}", "mean dim": "mean({0})", "prod": "prod({0})",
    "silu": "{0}/(1 + exp(−{0}))", "gelu": "{0}·(1 + erf({0}/√(2)))/2",
    "softplus": "log(1 + exp({0}))", "log sigmoid": "−log(1 + exp(−{0}))",
    "softmax": "exp({0})/Σ(exp({0}))", "log softmax": "{0} − log(Σ(exp({0})))",
    "logsumexp": "log(Σ(exp({0})))", "mse loss": "Σ(({0} − {1})²)/{n}",
    "l1 loss": "Σ(|{0} − {1}|)/{n}", "clone": "{0}", "to copy": "{0}", "view": "{0}",
    "reshape alias": "{0}", "unsafe view": "{0}", "t": "{0}ᵀ", "transpose": "{0}ᵀ",
    "maximum": "max({0}, {1})", "minimum": "min({0}, {1})",
    "native layer norm": "({0} − mean({0}))/√(var({0}) + ε)·{1} + {2}",
    "native batch norm": "({0} − mean({0}))/√(var({0}) + ε)·{1} + {2}",
    "native layer norm alone": "({0} − mean({0}))/√(var({0}) + ε)",
    "native batch norm alone": "({0} − mean({0}))/√(var({0}) + ε)",
    "nll loss": "−Σ({0}[{1}])/{n}", "embedding": "{0}[{1}]", "index": "{0}[{1}]",
    "square": "{0}²", "erf": "erf({0})", "hypot": "√({0}² + {1}²)",
    "binary cross entropy with logits": "Σ(log(1 + exp({0})) − {0}·{1})/{n}",
}  # fmt: skip

_LONGEST = 26
_MODULES = frozenset({"torch", "nn", "F", "np", "numpy", "math", "functional", "leafgrad"})


def words(op: str) -> str:
    """A name of an operator or a node as words: `LeakyReluBackward0` -> `leaky relu`."""
    name = re.sub(r"Backward\d*$", "", op.rsplit("::", 1)[-1])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").strip().lower()


def rule(op: str, given: list[bool]) -> str:
    """The name under which an operator's short forms stand, by which operands it was given."""
    name = words(op)
    if f"{name} alone" in _FORMULAS and not (all(given) and len(given) >= arity(op)):
        return f"{name} alone"
    # What the short form does not mention (the weights of a loss, say) must not be there.
    return "" if any(given[arity(op) :]) else op


def symbol(op: str, node: str = "") -> str:
    """The sign of an operator, `mul` -> `×`, or of its node; else its name in words."""
    return _SYMBOLS.get(words(op)) or _SYMBOLS.get(words(node)) or words(op)


def arity(op: str) -> int:
    """How many operands the short forms of an operator know of."""
    forms = _DERIVATIVES.get(words(op), ())
    known = [
        int(i) + 1
        for form in (*forms, _FORMULAS.get(words(op), ""))
        for i in re.findall(r"{(\d)}", form)
    ]
    return max([len(forms), *known])


def derivative(
    op: str, argument: int, operands: list[str], out: str, count: int | None
) -> str | None:
    """The derivative of `op` by an operand, written with the operands' own texts.

    Where that gets long, a, b stand for the operands. None if there is no short form.
    """
    forms = _DERIVATIVES.get(words(op), ())
    if argument >= len(forms):
        return None
    form = forms[argument]
    if words(op) == "pow" and (power := number(operands[1])) is not None:
        rest = "" if power == 2 else f"^{power - 1}"
        form = f"{power}·{{0}}{rest}"
    if "{place}" in form:
        place = re.fullmatch(r".*?(\[[^\]]*\])", out)
        form = form.replace("{place}", place[1] if place else "its place")
    if "{n}" in form:
        if count is None:
            return None
        form = form.replace("/{n}", "" if count == 1 else f"/{count}")
    needed = max((int(i) for i in re.findall(r"{(\d)}", form)), default=-1)
    if form in ("{0}", "{1}", "{out}"):
        texts = [short(text) for text in operands]
    else:
        texts = [_atom(short(text)) for text in operands]
    generic = [*"abcd"]
    for values, result in ((texts, _atom(short(out))), (generic, "out")):
        if len(values) > needed and all(values[: needed + 1]):
            text = form.format(*values, out=result)
            if len(text) <= _LONGEST:
                return text
    return None


def formula(op: str, operands: list[str], count: int | None) -> str | None:
    """What `op` computes, written with the texts of its operands; where they are long, a, b, c.

    None if there is no short form.
    """
    form = _FORMULAS.get(words(op))
    if form is None or ("{n}" in form and count is None):
        return None
    form = form.replace("/{n}", "" if count == 1 else f"/{count}")
    needed = {int(i) for i in re.findall(r"{(\d)}", form)}
    if max(needed, default=-1) >= len(operands):
        return None
    texts = [_atom(short(text)) for text in operands]
    if any(not texts[i] or len(texts[i]) > _LONGEST or "\n" in texts[i] for i in needed):
        texts = [*"abcd"][: len(operands)]
    return form.format(*texts)


def short(expression: str) -> str:
    """An expression without the names of modules in front of functions: `torch.sin(X)` ->
    `sin(X)`."""
    return re.sub(
        r"\b(?:(?:torch|nn|F|np|numpy|math|functional|leafgrad)\.)+(?=\w)", "", expression
    )


@lru_cache(4096)
def _atom(text: str) -> str:
    """In parentheses if it is more than a name, a number, a call or a subscript."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"({text})" if text else ""
    simple = (ast.Name, ast.Constant, ast.Attribute, ast.Call, ast.Subscript)
    return text if isinstance(tree, simple) else f"({text})"


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand's text, and its columns in the expression, in characters."""

    text: str
    column: int
    end_column: int


def operands(
    expression: str, count: int, methods: object = None, names: tuple[str, ...] = ()
) -> list[Operand]:
    """An expression's `count` tensor operands, read from its syntax; [] if it has not so many.

    `methods` is the class whose methods count as `receiver.method(...)`; other calls are functions.
    `names` are the arguments' names, for calls with keywords.
    """
    try:
        statement = ast.parse(expression).body[0]
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return []
    tree: ast.AST = statement.value if isinstance(statement, ast.Expr) else statement
    parts: list[ast.expr]
    match tree:
        case ast.BinOp():
            parts = [tree.left, tree.right]
        case ast.UnaryOp():
            parts = [tree.operand]
        case ast.AugAssign():
            parts = [tree.target, tree.value]
        case ast.Subscript():
            parts = [tree.value]
        case ast.Call():
            parts = [a for a in tree.args if not _is_literal(a)]
            method = isinstance(tree.func, ast.Attribute) and _is_method(tree.func, methods)
            if method and isinstance(tree.func, ast.Attribute):
                parts = [tree.func.value, *parts]
            for keyword in tree.keywords:
                if not _is_literal(keyword.value) and (keyword.arg in names or not names):
                    parts.append(keyword.value)
                    if names and names.index(keyword.arg or "") != len(parts) - 1:
                        return []
            if method:
                parts = parts[:count]  # what follows is no tensor: x.view(n, -1)
        case _:
            return []
    if len(parts) > count and isinstance(tree, ast.BinOp):
        # x ** 2, x / 4: a plain number need not be an operand of the recorded node.
        parts = [p for p in parts if not _is_literal(p)]
    if len(parts) != count or "\n" in expression:
        return []
    line = expression.encode()
    return [
        Operand(
            line[p.col_offset : p.end_col_offset].decode(),
            len(line[: p.col_offset].decode()),
            len(line[: p.end_col_offset].decode()),
        )
        for p in parts
    ]


def called(expression: str, methods: object = None) -> str:
    """The name of the library's function or method that an expression calls.

    "" if it calls no function, or some other object: a module, say.
    """
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
        function = ast.unparse(tree.func)
        if short(function) != function or _is_method(tree.func, methods):
            return tree.func.attr
    return ""


@lru_cache(4096)
def syntax(expression: str) -> str:
    """What kind of expression it is, by the name of its class in `ast`; "" if it is none."""
    try:
        return type(ast.parse(expression, mode="eval").body).__name__
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


@lru_cache(4096)
def number(text: str) -> bool | int | float | complex | None:
    """The number that is written there, None if it is something else."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, bool | int | float | complex) else None


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _is_method(func: ast.Attribute, methods: object) -> bool:
    root: ast.expr = func
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and root.id in _MODULES:
        return False
    return methods is None or hasattr(methods, func.attr)
