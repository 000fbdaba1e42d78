"""Random small programs on both libraries: every value, gradient, version and exception must agree.

A program is a list of Python statements. It is made while PyTorch runs it, so that operands fit;
then both libraries run it, statement by statement, each statement's exception being part of the
outcome. A program that differs is shrunk by dropping statements while it still differs, and printed
as Python.

    python conformance/fuzz_graphs.py --count 2000 --seed 1
    python conformance/fuzz_graphs.py --seed 1 --only 17 -v      # one program again
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
import types
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import harness
import torch
from carry import Absent, Different, lacking, load

SECONDS = 10.0  # one program on one library

_UNARY = (
    "sin cos tanh sigmoid relu abs neg square exp atan softplus sqrt_abs log_abs rsqrt_abs erf "
    "sign floor clone"
)
UNARY = _UNARY.split()
_INPLACE_UNARY = "sin_ cos_ tanh_ sigmoid_ relu_ abs_ neg_ square_ zero_ exp_"
INPLACE_UNARY = _INPLACE_UNARY.split()
# Errors that a program may have. What a kernel does for which dtype is compared elsewhere.
ABOUT_GRAPHS = re.compile(
    r"in-?place|backward|requires? grad|graph|detach|differentia|memory location|hook|leaf|"
    r"size of tensor|can't be cast|out=|gradient"
)
SHAPES = ((), (1,), (3,), (2, 3), (3, 2), (2, 1, 3), (2, 3, 2), (4,), (1, 3), (0,), (2, 0))


# What every program finds: where hooks write down what they see, and Functions of all kinds.
PRELUDE = """
seen = []

def note(name, value):
    if isinstance(value, (tuple, list)):
        value = [None if g is None else g.detach().clone() for g in value]
    seen.append((name, value if value is None or isinstance(value, list) else value.detach().clone()))

Function = torch.autograd.Function

class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x

class Growth(Function):
    @staticmethod
    def forward(x):
        return x.clamp(-2, 2).exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]

class Pair(Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y, x + y

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return (g * y + h).sum_to_size(x.shape), (g * x + h).sum_to_size(y.shape)

class Scaled(Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        ctx.mark_dirty(x)
        return x.mul_(factor)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None

class Same(Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        return g * 2

class Row(Function):
    @staticmethod
    def forward(ctx, x):
        return x.view(-1)

    @staticmethod
    def backward(ctx, g):
        return None

class Signed(Function):
    @staticmethod
    def forward(ctx, x):
        positive = x > 0
        ctx.mark_non_differentiable(positive)
        ctx.set_materialize_grads(False)
        return x.abs(), positive, "kept"

    @staticmethod
    def backward(ctx, g, *rest):
        return None if g is None else g * 0.5

class Once(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()
"""


class Writer:
    """Writes one random program, with PyTorch running along to know shapes and dtypes."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.lines: list[str] = []
        self.space: dict[str, Any] = {"torch": torch}
        exec(PRELUDE, self.space)
        self.count = 0

    def write(self) -> list[str]:
        rng = self.rng
        for _ in range(rng.randint(1, 3)):
            self.emit(self.leaf())
        for _ in range(rng.randint(3, 22)):
            self.statement()
        roots = [
            n
            for n in self.names(
                lambda t: t.requires_grad and t.numel() > 0 and t.dtype.is_floating_point
            )
        ]
        if roots:
            chosen = rng.sample(roots, min(len(roots), rng.randint(1, 3)))
            self.emit(f"({' + '.join(f'{name}.sum()' for name in chosen)}).backward()")
        return self.lines

    def emit(self, line: str) -> None:
        if "inference_mode" in line and re.search(r"requires_grad|\.data =|set_", line):
            return  # what is recorded of such a tensor depends on its company
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(line, self.space)
            except Exception as error:
                # PyTorch notices an inference tensor only after it has written to it.
                if not ABOUT_GRAPHS.search(str(error)) or "inference tensor" in str(error):
                    return
        self.lines.append(line)

    def odd(self) -> bool:
        """Whether PyTorch came to something that is no model: an integer that requires grad."""
        return any(t.requires_grad and not t.dtype.is_floating_point for t in self.tensors())

    def tensors(self) -> list[torch.Tensor]:
        return [value for value in self.space.values() if isinstance(value, torch.Tensor)]

    # ---- choosing

    def names(self, fits: Callable[[torch.Tensor], bool] = lambda t: True) -> list[str]:
        return [
            name
            for name, value in self.space.items()
            if isinstance(value, torch.Tensor) and attempt(lambda t=value: fits(t)) is True
        ]

    def some(self, fits: Callable[[torch.Tensor], bool] = lambda t: True) -> str | None:
        """A variable that fits, a recent one more likely."""
        found = self.names(fits)
        if not found:
            return None
        return found[-1 - min(int(self.rng.expovariate(0.4)), len(found) - 1)]

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def leaf(self) -> str:
        rng = self.rng
        shape = rng.choice(SHAPES)
        count = 1
        for n in shape:
            count *= n
        kind = rng.choices(["float64", "float32", "int64"], [8, 2, 1])[0]
        values = [
            rng.randint(-3, 3) if kind == "int64" else round(rng.uniform(-2, 2), 2)
            for _ in range(count)
        ]
        text = f"torch.tensor({values}, dtype=torch.{kind}"
        text += (
            ", requires_grad=True)"
            if kind != "int64" and rng.random() < 0.8 and len(shape) == 1
            else ")"
        )
        if len(shape) != 1:
            text += f".reshape({shape}).clone()"
            if kind != "int64" and rng.random() < 0.8:
                text += ".requires_grad_()"
        return f"{self.fresh()} = {text}"

    # ---- statements

    def statement(self) -> None:
        kinds = [
            (self.unary, 8),
            (self.binary, 14),
            (self.scalar, 6),
            (self.reduction, 6),
            (self.view, 12),
            (self.several_views, 2),
            (self.inplace, 14),
            (self.setitem, 8),
            (self.matmul, 3),
            (self.select, 3),
            (self.cast, 2),
            (self.detaching, 3),
            (self.backward, 5),
            (self.grad, 4),
            (self.new_leaf, 1),
            (self.reuse, 2),
            (self.indexing, 4),
            (self.joining, 3),
            (self.second, 2),
            (self.function, 4),
            (self.watching, 4),
            (self.node_hook, 2),
            (self.edge, 2),
            (self.storage, 3),
            (self.written_out, 1),
            (self.putting, 2),
        ]
        make = self.rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
        line = make()
        if line is None:
            return
        if self.rng.random() < 0.08 and "backward" not in line:
            mode = self.rng.choice(["no_grad", "no_grad", "enable_grad", "inference_mode"])
            if mode != "inference_mode" or self.rng.random() < 0.3:
                line = f"with torch.{mode}(): {line}"
        self.emit(line)

    def function(self) -> str | None:
        """A Function of the prelude."""
        a = self.some(lambda t: t.dtype.is_floating_point)
        if a is None:
            return None
        b = self.some(lambda t: t.shape == self.space[a].shape and t.dtype.is_floating_point)
        return self.rng.choice(
            [
                f"{self.fresh()} = Cube.apply({a})",
                f"{self.fresh()} = Growth.apply({a})",
                f"{self.fresh()}, {self.fresh()} = Pair.apply({a}, {b or a})",
                f"{self.fresh()} = Scaled.apply({a}, 3)",
                f"{self.fresh()} = Same.apply({a})",
                f"{self.fresh()} = Row.apply({a}.contiguous())",
                f"{self.fresh()}, {self.fresh()}, _ = Signed.apply({a})",
                f"{self.fresh()} = Once.apply({a})",
            ]
        )

    def watching(self) -> str | None:
        """A hook of a tensor."""
        a = self.some(lambda t: t.requires_grad)
        if a is None:
            return None
        self.count += 1
        note = f"note('{a} {self.count}', "
        # PyTorch 2.13 crashes at a hook on a view whose history is not up to date: so it is read.
        return f"{a}.grad_fn; " + self.rng.choice(
            [
                f"{a}.register_hook(lambda g: {note}g))",
                f"{a}.register_hook(lambda g: g if g is None else g * 0.5 + 1)",
                f"{a}.register_hook(lambda g: {note}g)).remove()",
                f"{a}.register_post_accumulate_grad_hook(lambda p: {note}p.grad))",
                f"{a}.retain_grad()",
            ]
        )

    def node_hook(self) -> str | None:
        a = self.some(lambda t: t.grad_fn is not None)
        if a is None:
            return None
        self.count += 1
        note = f"note('{a} {self.count}', "
        return self.rng.choice(
            [
                f"{a}.grad_fn.register_prehook(lambda grads: {note}grads))",
                f"{a}.grad_fn.register_hook(lambda found, given: {note}given))",
                f"{a}.grad_fn.register_prehook(lambda grads: "
                "tuple(g if g is None else g * 2 for g in grads))",
                f"{a}.grad_fn.register_hook(lambda found, given: "
                "tuple(g if g is None else g * 0.5 for g in found))",
                f"{a}.grad_fn.metadata['{a}'] = {self.count}",
            ]
        )

    def edge(self) -> str | None:
        """A gradient edge is taken, or used."""
        edges = [n for n, value in self.space.items() if type(value).__name__ == "GradientEdge"]
        root = self.root()
        if not edges or root is None or self.rng.random() < 0.4:
            a = self.some(lambda t: t.requires_grad)
            return f"e{self.fresh()} = torch.autograd.graph.get_gradient_edge({a})" if a else None
        e = self.rng.choice(edges)
        keep = self.rng.choice(["", ", retain_graph=True"])
        if self.rng.random() < 0.4:
            return f"{root}.backward(inputs=[{e}]{keep})"
        grads = f"torch.autograd.grad({root}, [{e}], allow_unused=True{keep})"
        return f"{self.fresh()}, = (g if g is None else g.clone() for g in {grads})"

    def storage(self) -> str | None:
        """Memory that changes behind the graph's back."""
        a = self.some()
        if a is None:
            return None
        t = self.space[a]
        b = self.some(lambda u: u.shape == t.shape and u.dtype == t.dtype and not u._is_view())
        leaf = t.requires_grad and attempt(lambda: t.grad_fn) is None  # `set_` makes it two
        # What was saved and is changed by way of `.data` is another for every formula.
        data = f"{self.fresh()} = {a}.data" + ".clone()" * t.requires_grad
        return self.rng.choice(
            [
                data,
                f"{a}.data = {b or a}.detach().clone()" if not t.requires_grad else data,
                f"{a}.grad = None"
                if leaf or t._is_view()
                else f"{a}.set_({b or a}.detach().clone())",
                f"{a}.requires_grad_(False)",
                f"{a}.requires_grad_()",
                f"torch.autograd.graph.increment_version({a})",
                f"{a}.grad = None",
            ]
        )

    def written_out(self) -> str | None:
        a = self.some(lambda t: t.dtype.is_floating_point)
        c = a and self.some(lambda t: t.shape == self.space[a].shape and t.is_contiguous())
        if not a or not c or self.shares(a, c):
            return None
        form = self.rng.choice(["torch.add({a}, 1, out={c})", "torch.mul({a}, {a}, out={c})",
                                "torch.sin({a}, out={c})"])  # fmt: skip
        return form.format(a=a, c=c)

    def putting(self) -> str | None:
        a = self.target()
        if a is None or self.space[a].ndim == 0 or self.space[a].shape[0] == 0:
            return None
        t = self.space[a]
        if spacing(t) != spacing(t.contiguous()):
            return None
        n = t.shape[0]
        picks = [self.rng.randrange(n) for _ in range(self.rng.randint(1, 2))]
        index = f"torch.tensor({picks})"
        rest = t.shape[1:]
        value = self.some(
            lambda u: u.shape == rest and u.dtype == t.dtype and not self.shares(u, t)
        )
        value = value or f"torch.tensor(0.5, dtype={t.dtype})"
        source = f"{value}.expand({(len(picks), *rest)})"
        return self.rng.choice(
            [
                f"{a}.index_put_(({index},), {value})",
                f"{a}.index_put_(({index},), {value}, accumulate=True)",
                f"{a}.index_add_(0, {index}, {source})",
                f"{a}.index_fill_(0, {index}, 0.5)",
                f"{a}.masked_fill_({a} > 0, 0.25)",
                f"{a}.index_copy_(0, torch.tensor([{picks[0]}]), {value}.expand({(1, *rest)}))",
            ]
        )

    def apart(self, a: Any, b: Any) -> bool:
        """Whether writing to one tensor cannot change what is read of another on the way.

        Where both are dense PyTorch sees it, and raises; else the result is an accident.
        """
        same = a.data_ptr() == b.data_ptr() and spacing(a) == spacing(b)
        if same and a.ndim == b.ndim:
            return a.stride() == b.stride()
        return not self.shares(a, b) or (dense(a) and dense(b))

    def shares(self, a: Any, b: Any) -> bool:
        """Whether two tensors, or the variables of these names, share memory."""
        one, other = (self.space[n] if isinstance(n, str) else n for n in (a, b))
        return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()

    def number(self) -> str:
        return self.rng.choice(["2", "0.5", "-1", "1.5", "3", "True", "0"])

    def unary(self) -> str | None:
        a = self.some()
        if a is None:
            return None
        name = self.rng.choice(UNARY)
        if name.endswith("_abs"):
            return f"{self.fresh()} = ({a}.abs() + 0.5).{name[:-4]}()"
        if name == "softplus":
            return f"{self.fresh()} = torch.nn.functional.softplus({a})"
        if name == "erf":  # leafgrad's has its result in order, whatever its input's
            return f"{self.fresh()} = {a}.contiguous().erf()"
        if name == "exp":
            return f"{self.fresh()} = {a}.clamp(-2, 2).exp()"
        return f"{self.fresh()} = {a}.{name}()"

    def partner(self, a: str) -> str | None:
        """A variable that broadcasts with a."""
        shape = self.space[a].shape

        def fits(t: torch.Tensor) -> bool:
            try:
                torch.broadcast_shapes(shape, t.shape)
            except RuntimeError:
                return False
            return True

        if sound(self.space[a]) and self.rng.random() < 0.02:
            fits = sound
        return self.some(fits)

    def binary(self) -> str | None:
        a = self.some()
        b = a and self.partner(a)
        if not a or not b:
            return None
        one, other = self.space[a], self.space[b]
        if spacing(one) != spacing(other):  # which order in memory the result has is an accident
            a = a if one.is_contiguous() else f"{a}.contiguous()"
            b = b if other.is_contiguous() else f"{b}.contiguous()"
        form = self.rng.choice(
            [
                "{a} + {b}",
                "{a} - {b}",
                "{a} * {b}",
                "{a} * {b}",
                "{a} / ({b} * {b} + 1)",
                "torch.maximum({a}, {b})",
                "torch.minimum({a}, {b})",
                "torch.where({a} > {b}, {a}, {b})",
                "torch.lerp({a}.double(), {b}.double(), 0.25)",
                "torch.atan2({a}, {b})",
                "torch.add({a}, {b}, alpha=2)",
                "torch.addcmul({a}, {a}, {b}, value=0.5)",
                "torch.hypot({a}, {b})",
                "torch.sub({a}.double(), {b}.double(), alpha=0.5)",
            ]
        )
        return f"{self.fresh()} = {form.format(a=a, b=b)}"

    def scalar(self) -> str | None:
        a = self.some()
        if a is None:
            return None
        form = self.rng.choice(
            [
                "{a} * {s}",
                "{a} + {s}",
                "{s} - {a}",
                "{a} - {s}",
                "{a} / 2",
                "{s} / ({a} * {a} + 1)",
                "{a} ** 2",
                "{a} ** 3",
                "{a}.clamp(-1, 1)",
                "{a}.clamp(min=0)",
                "{a} % 2",
                "{a} > {s}",
                "{a} == {a}",
                "-{a}",
                "2 ** {a}.contiguous().clamp(-2, 2)",
                "{a}.masked_fill({a} > 0.5, {s})",
            ]
        )
        return f"{self.fresh()} = {form.format(a=a, s=self.number())}"

    def reduction(self) -> str | None:
        a = self.some(lambda t: t.numel() > 0)
        if a is None:
            return None
        ndim = self.space[a].ndim
        forms = [
            "{a}.sum()",
            "{a}.mean()",
            "{a}.max()",
            "{a}.norm()",
            "{a}.amin()",
            "{a}.var(correction=0)",
        ]
        if ndim:
            forms += [
                "{a}.sum({d})",
                "{a}.mean({d}, keepdim=True)",
                "{a}.max({d})[0]",
                "{a}.cumsum({d})",
                "{a}.amax({d})",
                "{a}.logsumexp({d})",
                "{a}.softmax({d})",
                "{a}.min({d})[0]",
                "{a}.sum({d}, keepdim=True)",
                "{a}.log_softmax({d})",
                "{a}.flip({d})",
                "{a}.cumprod({d})",
                "{a}.sort({d})[0]",
                "{a}.argmax({d})",
                "{a}.std({d})",
            ]
        d = self.rng.randrange(-ndim, ndim) if ndim else 0
        return f"{self.fresh()} = {self.rng.choice(forms).format(a=a, d=d)}"

    def slicing(self, a: str) -> str:
        """An index that makes a view."""
        rng = self.rng
        t = self.space[a]
        forms = ["...", "None", ":"] if t.ndim else ["...", "None"]
        for axis, n in enumerate(t.shape[:2]):
            if n:
                lead = ":, " * axis
                start = rng.randrange(n)
                forms += [
                    f"{lead}{rng.randrange(-n, n)}",
                    f"{lead}{start}:",
                    f"{lead}:{start + 1}",
                    f"{lead}::2" if n > 1 else f"{lead}:",
                ]
        if t.ndim:
            forms.append("..., :1")
        return rng.choice(forms)

    def view(self) -> str | None:
        a = self.some()
        if a is None:
            return None
        rng = self.rng
        t = self.space[a]
        forms = [
            f"{a}[{self.slicing(a)}]",
            f"{a}[{self.slicing(a)}]",
            f"{a}.unsqueeze(0)",
            f"{a}.squeeze()",
            f"{a}.reshape(-1)",
            f"{a}.view({tuple(t.shape)})",
            f"{a}.detach()",
            f"{a}.flatten()",
            f"{a}.view_as({a})",
            f"{a}.expand({(2, *t.shape)})",
            f"{a}.contiguous()",
        ]
        if t.ndim >= 2:
            forms += [
                f"{a}.transpose(0, 1)",
                f"{a}.transpose(-1, -2)",
                f"{a}.movedim(0, -1)",
                f"{a}.diagonal()",
                f"{a}.flatten(0, 1)",
                f"{a}.mT",
            ]
        if t.ndim == 2:
            forms += [f"{a}.t()", f"{a}.T"]
        if t.ndim and t.shape[0] > 1:
            forms += [f"{a}.narrow(0, 0, 1)", f"{a}.select(0, -1)", f"{a}.unfold(0, 2, 2)"]
        if t.numel() and t.numel() % 2 == 0:
            forms += [f"{a}.reshape(2, -1)", f"{a}.view(2, -1)"]
        return f"{self.fresh()} = {rng.choice(forms)}"

    def several_views(self) -> str | None:
        a = self.some(lambda t: t.ndim > 0 and t.shape[0] == 2)
        if a is None:
            return None
        form = self.rng.choice(
            [f"{a}.unbind()", f"{a}.chunk(2)", f"{a}.split(1)", f"{a}.tensor_split(2)", a]
        )
        return f"{self.fresh()}, {self.fresh()} = {form}"

    def target(self) -> str | None:
        """What to change in place: mostly no leaf that requires grad, for that is an error."""

        def fits(t: torch.Tensor) -> bool:  # of two errors at once, which is raised is an accident
            return t.dtype.is_floating_point or (dense(t) and not t.is_inference())

        if self.rng.random() < 0.95:
            return self.some(lambda t: fits(t) and not (t.requires_grad and t.is_leaf))
        return self.some(fits)

    def inplace(self) -> str | None:
        a = self.target()
        if a is None:
            return None
        rng = self.rng
        shape = self.space[a].shape

        def fits(t: torch.Tensor) -> bool:
            try:
                return torch.broadcast_shapes(shape, t.shape) == shape
            except RuntimeError:
                return False

        b = self.some(lambda t: fits(t) and self.apart(self.space[a], t)) or a
        return rng.choice(
            [
                f"{a}.add_({b})",
                f"{a}.mul_({b})",
                f"{a}.sub_({b})",
                f"{a}.mul_({self.number()})",
                f"{a}.add_(1)",
                f"{a} += {b}",
                f"{a} *= 0.5",
                f"{a} -= 1",
                f"{a}.copy_({b})",
                f"{a}.fill_({self.number()})",
                f"{a}.clamp_(-1, 1)",
                f"{a}.div_({b}.abs().detach() + 1)",
                f"{a}.{rng.choice(INPLACE_UNARY)}()",
                f"{a}.detach().add_(1)",
                f"{a}.lerp_({b}, 0.5)",
                f"{a}.pow_(2)",
                f"{a}.view({tuple(shape)}).mul_(2)",
                f"{a}.addcmul_({b}, {b})",
                f"{a}.clone().mul_({b})",
            ]
        )

    def setitem(self) -> str | None:
        a = self.target()
        if a is None:
            return None
        index = self.slicing(a)
        rng = self.rng
        try:
            shape = eval(f"{a}[{index}]", self.space).shape
        except Exception:
            return None
        part = eval(f"{a}[{index}]", self.space)
        value = None
        if rng.random() < 0.6:
            value = self.some(lambda t: t.shape == shape and self.apart(part, t))
        value = value or self.some(lambda t: t.ndim == 0 and self.apart(part, t)) or self.number()
        forms = [
            f"{a}[{index}] = {value}",
            f"{a}[{index}] = {self.number()}",
            f"{a}[{index}] += {value}",
            f"{a}[{index}] *= 2",
            f"{a}[{index}].add_(1)",
        ]
        if dense(self.space[a]):
            forms.append(f"{a}[{a} > 0] = {self.number()}")
        return rng.choice(forms)

    def indexing(self) -> str | None:
        a = self.some(lambda t: t.ndim > 0 and t.shape[0] > 0)
        if a is None:
            return None
        n = self.space[a].shape[0]
        picks = [self.rng.randrange(-n, n) for _ in range(self.rng.randint(1, 3))]
        index = f"torch.tensor({[p % n for p in picks]})"
        form = self.rng.choice(
            [
                "{a}[{picks}]",
                "{a}[{index}]",
                "{a}[{a} > 0]",
                "{a}.index_select(0, {index})",
                "{a}.masked_select({a} > 0)",
                "{a}.index_add(0, {index}, {a}[{index}])",
                "{a}.index_fill(0, {index}, 0.5)",
                "{a}.repeat_interleave(2, 0)",
                "{a}.roll(1, 0)",
            ]
        )
        return f"{self.fresh()} = {form.format(a=a, picks=picks, index=index)}"

    def joining(self) -> str | None:
        a = self.some(lambda t: t.ndim > 0)
        if a is None:
            return None
        shape = self.space[a].shape
        b = self.some(lambda t: t.shape == shape) or a
        form = self.rng.choice(
            ["torch.cat([{a}, {b}])", "torch.stack([{a}, {b}])", "torch.cat([{a}, {b}], -1)"]
        )
        return f"{self.fresh()} = {form.format(a=a, b=b)}"

    def matmul(self) -> str | None:
        a = self.some(lambda t: t.ndim > 0 and t.dtype.is_floating_point)
        if a is None:
            return None
        t = self.space[a]
        b = self.some(
            lambda u: (
                u.ndim > 0
                and u.dtype == t.dtype
                and u.shape[-2 if u.ndim > 1 else -1] == t.shape[-1]
                and (u.ndim < 3 or t.ndim < 3)
            )
        )
        return f"{self.fresh()} = {a} @ {b}" if b else None

    def select(self) -> str | None:
        a = self.some(lambda t: t.ndim > 0 and t.shape[-1] > 0)
        if a is None:
            return None
        several = self.space[a].shape[-1] > 1
        index = self.rng.choice(["0", "-1", ":1", "::2" if several else ":", "[0, 0]"])
        dense = ".contiguous()" if "[" in index else ""
        return f"{self.fresh()} = {a}[..., {index}]{dense}"

    def cast(self) -> str | None:
        a = self.some()
        if a is None:
            return None
        kind = self.rng.choice(["double", "float", "round().long", "bool", "double"])
        return f"{self.fresh()} = {a}.{kind}()"

    def detaching(self) -> str | None:
        a = self.some()
        if a is None:
            return None
        forms = [
            f"{self.fresh()} = {a}.detach().clone().requires_grad_()",
            f"{a}.detach_()",
            f"{a}.requires_grad_()",
        ]
        if self.rng.random() < 0.3:
            forms.append(f"{self.fresh()} = {a}.data.clone()")
        return self.rng.choice(forms)

    def root(self) -> str | None:
        a = self.some(lambda t: t.requires_grad and t.numel() > 0)
        if a is None:
            return None
        return self.rng.choice([f"{a}.sum()", f"({a} * {a}).sum()", f"{a}.mean()"])

    def backward(self) -> str | None:
        root = self.root()
        if root is None:
            return None
        keep = self.rng.choice(["", "retain_graph=True", "retain_graph=True", "create_graph=True"])
        if self.rng.random() < 0.1:
            a = self.some(lambda t: t.requires_grad)
            return f"{a}.backward(torch.ones_like({a}))" if a else None
        if self.rng.random() < 0.25:
            inputs = self.names(lambda t: t.requires_grad)
            chosen = self.rng.sample(inputs, min(len(inputs), self.rng.randint(1, 2)))
            return f"{root}.backward(inputs=[{', '.join(chosen)}], {keep})".replace(", )", ")")
        return f"{root}.backward({keep})"

    def grad(self) -> str | None:
        root = self.root()
        inputs = self.names(lambda t: t.requires_grad)
        if root is None or not inputs:
            return None
        chosen = self.rng.sample(inputs, min(len(inputs), self.rng.randint(1, 2)))
        more = self.rng.choice(
            [", retain_graph=True", ", retain_graph=True", ", create_graph=True", ""]
        )
        unused = ", allow_unused=True" if self.rng.random() < 0.9 else ""
        # Copies: whether a gradient is a view of something is an accident.
        left = ", ".join(self.fresh() for _ in chosen) + ","
        grads = f"torch.autograd.grad({root}, [{', '.join(chosen)}]{more}{unused})"
        return f"{left} = (g if g is None else g.clone() for g in {grads})"

    def second(self) -> str | None:
        """A gradient of a gradient, in one statement."""
        a = self.some(lambda t: t.requires_grad and t.dtype.is_floating_point)
        root = self.root()
        if a is None or root is None:
            return None
        first = f"torch.autograd.grad({root}, {a}, create_graph=True, allow_unused=True)[0]"
        if not isinstance(attempt(lambda: eval(first, self.space)), torch.Tensor):
            return None
        again = f"torch.autograd.grad(({first} ** 2).sum(), {a}, allow_unused=True)"
        return f"{self.fresh()}, = (g if g is None else g.clone() for g in {again})"

    def new_leaf(self) -> str:
        return self.leaf()

    def reuse(self) -> str | None:
        """The same name for another tensor; or a name less, and its graph perhaps freed."""
        a, b = self.some(), self.some()
        if a is None or b is None or a == b:
            return None
        return f"{a} = {b} * 1" if self.rng.random() < 0.7 else f"del {a}"


def random_program(seed: str) -> list[str]:
    """A program that PyTorch itself runs sensibly."""
    for again in itertools.count():
        writer = Writer(random.Random(f"{seed}:{again}" if again else seed))
        lines = writer.write()
        if not writer.odd():
            return lines
    raise AssertionError("the loop has no end")


# ---------------------------------------------------------------------------------------- running


def sound(tensor: torch.Tensor) -> bool:
    """Whether nothing is wrong with an operand but perhaps its shape."""
    return tensor.dtype.is_floating_point and not tensor.is_inference()


def dense(tensor: torch.Tensor) -> bool:
    """Whether a tensor's elements fill a piece of memory, in any order."""
    step = 1
    for stride, n in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if n > 1 and stride != step:
            return False
        step *= n
    return True


class State:
    """What a program came to on one library."""

    def __init__(self, program: Sequence[str], library: types.ModuleType) -> None:
        self.errors: list[BaseException | None] = []
        space: dict[str, Any] = {"torch": library}
        exec(PRELUDE, space)
        # How often an operator writes to its own fresh result is its own affair: versions are
        # counted from the statement that made the tensor. (They are kept: no id comes back.)
        born: dict[int, tuple[Any, Any]] = {}
        broken = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for line in program:
                try:
                    exec(line, space)
                except Exception as error:
                    if library is not torch and (name := lacking(error, library)):
                        raise Absent(name) from None
                    self.errors.append(error)
                    # What a backward pass leaves behind when it fails half-way is another matter.
                    broken = ".backward(" in line or "grad(" in line
                else:
                    self.errors.append(None)
                for value in space.values():
                    if harness.is_tensor(value) and id(value) not in born:
                        born[id(value)] = value, attempt(lambda t=value: t._version)
                if broken:
                    break
            self.single = any(str(t.dtype) == "torch.float32" for t, _ in born.values())
            self.tensors = {n: t for n, t in space.items() if harness.is_tensor(t)}
            self.seen = {n: observe(t, born[id(t)][1]) for n, t in self.tensors.items()}
        self.events = [] if broken else space["seen"]
        if broken:
            for seen in self.seen.values():
                del seen["grad"], seen["grad_fn of grad"]


def observe(tensor: Any, first_version: Any) -> dict[str, Any]:
    """Everything about a tensor that a program can see."""
    found: dict[str, Any] = {
        "value": tensor.detach(),
        "grad": attempt(lambda: tensor.grad),
        "grad_fn of grad": attempt(lambda: tensor.grad is not None and node_name(tensor.grad)),
        "grad_fn": attempt(lambda: node_name(tensor)),
    }
    for name in ("requires_grad", "is_leaf", "output_nr", "retains_grad"):
        found[name] = attempt(lambda n=name: getattr(tensor, n))
    version = attempt(lambda: tensor._version)
    found["version"] = version - first_version if isinstance(version, int) else version
    if attempt(lambda: tensor._is_view() and tensor.numel() > 0) is True:
        # The layout of a result is its operator's choice; that of a view of it is not.
        found["strides"] = spacing(tensor)
        found["base strides"] = spacing(tensor._base)
    return found


def node_name(tensor: Any) -> str | None:
    return tensor.grad_fn and type(tensor.grad_fn).__name__


def spacing(tensor: Any) -> list[int]:
    """The strides of dimensions of more than one element."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return [step for size, step in steps if size > 1]


def attempt(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        return f"{type(error).__name__}: {harness.first_sentence(str(error))}"


_OVERWRITTEN = re.compile(
    r"modified by an inplace operation|its base or another view of its base|detached in-place"
)


def compare_errors(expected: Exception, actual: Exception, library: types.ModuleType) -> None:
    """As everywhere; but where a saved tensor was changed, not which of them.

    An operator may look at its saved tensors in any order. How the sentence goes on is compared in
    `programs/saved.py`.
    """
    if _OVERWRITTEN.search(str(expected)) and _OVERWRITTEN.search(str(actual)):
        return
    harness.compare_errors(expected, actual, library)


def difference(program: Sequence[str], library: types.ModuleType) -> str | None:
    """The first thing in which the libraries differ on a program, or None."""
    with harness.time_limit(SECONDS):
        theirs = State(program, torch)
    try:
        with harness.time_limit(SECONDS):
            ours = State(program, library)
    except harness.TimeLimit as limit:
        return f"leafgrad: {limit}"
    for number, (line, expected, actual) in enumerate(
        zip(program, theirs.errors, ours.errors, strict=False)
    ):
        where = f"statement {number + 1}, {line}: "
        if expected is None and actual is None:
            continue
        if expected is None:
            return where + "raised " + harness.describe(actual)
        if actual is None:
            return (
                where
                + f"{type(expected).__name__}: {harness.first_sentence(str(expected))}\n"
                + "  expected, got no error"
            )
        try:
            compare_errors(expected, actual, library)
        except Different as wrong:
            return where + str(wrong)
    coarse = "float32" if theirs.single else ""
    try:
        harness.compare(theirs.events, ours.events, library, "seen", as_dtype=coarse)
    except Different as wrong:
        return str(wrong)
    for name, expected in theirs.seen.items():
        if name not in ours.seen:
            return f"{name}: a tensor expected, got {type(ours.tensors.get(name)).__name__}"
        if expected.get("base strides") != ours.seen[name].get("base strides"):
            for key in ("strides", "base strides"):
                expected.pop(key, None)
                ours.seen[name].pop(key, None)
        try:
            harness.compare(expected, ours.seen[name], library, name, as_dtype=coarse)
        except Different as wrong:
            return str(wrong)
    return None


def shrink(program: list[str], library: types.ModuleType) -> list[str]:
    """Drop statements, last first, while the libraries still differ."""
    again = True
    while again:
        again = False
        for index in reversed(range(len(program))):
            shorter = program[:index] + program[index + 1 :]
            try:
                still = difference(shorter, library)
            except (Absent, harness.TimeLimit):
                still = None
            if still is not None and "NameError" not in still:
                program, again = shorter, True
    return program


def show(number: int, seed: int, program: Sequence[str], library: types.ModuleType) -> None:
    """The program as Python, with what each library raised beside the statement."""
    print(f"# program {number} of seed {seed}: {difference(program, library)}")
    theirs, ours = State(program, torch), State(program, library)
    print(f"import {library.__name__} as torch  # and PRELUDE")
    outcomes = itertools.zip_longest(program, theirs.errors, ours.errors)
    for line, expected, actual in outcomes:
        print(line)
        for name, error in (("PyTorch", expected), (library.__name__, actual)):
            if error is not None:
                print(f"# {name}: {harness.describe(error)}")
    print()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this program alone, unshrunk")
    parser.add_argument(
        "--most", type=int, default=5, help="failing programs to shrink and show (5)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="print every program")
    parser.add_argument("--self-test", action="store_true", help="PyTorch against itself")
    options = parser.parse_args(argv)
    library = load(options.self_test)
    numbers = range(options.count) if options.only is None else [options.only]
    passed = failed = 0
    absent: Counter[str] = Counter()
    for number in numbers:
        program = random_program(f"{options.seed}:{number}")
        if options.verbose:
            print(f"# program {number}", *program, "", sep="\n")
        try:
            wrong = difference(program, library)
        except Absent as name:
            absent[str(name)] += 1
            continue
        except harness.TimeLimit:
            continue  # PyTorch itself took too long
        if wrong is None:
            passed += 1
            continue
        failed += 1
        if failed <= options.most:
            show(
                number,
                options.seed,
                program if options.only is not None else shrink(program, library),
                library,
            )
    if absent:
        print(f"{absent.total()} programs use a name that is absent: {', '.join(sorted(absent))}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
