"""Random training steps, compiled and eager: results, parameters, gradients, versions, state of the
optimizer, random numbers and exceptions must agree at every call.

A program is Python text: tensors, modules and an optimizer, a step, and what happens between its
calls (another learning rate, another batch, `eval()`, data written into a tensor...). It is
made while leafgrad runs its statements, so that operands fit.

    python conformance/fuzz_compile.py --count 500 --seed 1
    python conformance/fuzz_compile.py --seed 1 --only 17 -v      # one program again
"""

from __future__ import annotations

import argparse
import linecache
import random
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent / "src"))

import numpy as np

import leafgrad
from leafgrad.compile import CompileWarning

CALLS = 8
UNARY = ("sin", "cos", "tanh", "sigmoid", "relu", "abs", "neg", "exp", "square", "atan")
INPLACE = ("sin_", "tanh_", "sigmoid_", "relu_", "neg_", "zero_", "abs_")
OPTIMIZERS = (
    "SGD({}, lr=0.05)", "SGD({}, lr=0.05, momentum=0.9)",
    "SGD({}, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)", "Adam({}, lr=0.02)",
    "Adam({}, lr=0.02, amsgrad=True, weight_decay=0.1)", "AdamW({}, lr=0.02)",
    "RMSprop({}, lr=0.01, momentum=0.5, centered=True)", "Adagrad({}, lr=0.05)",
    "Adadelta({}, lr=0.5)", "Adamax({}, lr=0.02)", "NAdam({}, lr=0.02)", "RAdam({}, lr=0.02)",
    "ASGD({}, lr=0.05)", "Rprop({}, lr=0.01)",
)  # fmt: skip


class Writer:
    """Writes one program, running the body of its step along to know the shapes."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.setup: list[str] = []
        self.body: list[str] = []
        self.between: list[str] = []
        self.space: dict[str, Any] = {"torch": leafgrad, "np": np}
        self.params: list[str] = []
        self.count = 0

    def pick(self, *options: Any) -> Any:
        return self.rng.choice(options)

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def run(self, line: str) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(line, self.space)
        except Exception:
            return False
        return True

    def make(self, line: str) -> bool:
        if self.run(line):
            self.setup.append(line)
            return True
        return False

    def do(self, line: str) -> bool:
        if self.run(line):
            self.body += line.split("\n")
            return True
        return False

    def tensors(self, grad: bool | None = None, least: int = 0) -> list[str]:
        return [
            n for n, t in self.space.items()
            if isinstance(t, leafgrad.Tensor) and t.dtype.is_floating_point and t.ndim >= least
            and n not in self.params[self.shown:] and (grad is None or t.requires_grad is grad)
        ]  # fmt: skip

    shown = 99

    # The parts

    def write(self) -> str:
        rng = self.rng
        double = rng.random() < 0.5
        kind = "torch.float64" if double else "torch.float32"
        self.run("torch.manual_seed(3)")
        self.make("box = type('Box', (), {})()")
        self.make("box.scale, box.flag, box.shift = 1.5, True, 2")
        batch = rng.randint(2, 4)
        width = rng.randint(1, 4)
        self.make(f"x0 = torch.randn({batch}, {width}, dtype={kind})")
        self.make(f"x1 = torch.randn({width}, {batch}, dtype={kind}).t()")
        self.make(f"x2 = torch.randn({width}, dtype=torch.float64)")
        self.make(f"b0 = torch.zeros({width}, dtype={kind})")
        self.make(f"b1 = torch.ones((), dtype={kind})")
        for n in range(rng.randint(1, 3)):
            shape = self.pick(f"{width}", f"{batch}, {width}", f"{width}, {width}", "1", "()")
            if self.make(f"w{n} = torch.randn({shape}, dtype={kind}, requires_grad=True)"):
                self.params.append(f"w{n}")
        self.module(width, kind)
        if rng.random() < 0.85:
            listed = f"[{', '.join(self.params)}]"
            if "net" in self.space:
                listed = f"[*net.parameters(), {', '.join(self.params)}]"
            self.make(f"opt = torch.optim.{rng.choice(OPTIMIZERS).format(listed)}")
        start = rng.random()
        if "opt" in self.space:
            if start < 0.4:
                self.body.append("opt.zero_grad()")
            elif start < 0.5:
                self.body.append("opt.zero_grad(set_to_none=False)")
        shape = f"{batch}, {width}"
        self.space["a"] = leafgrad.randn(batch, width, dtype=eval(kind, {"torch": leafgrad}))
        for _ in range(rng.randint(3, 14)):
            self.statement()
        self.finish(start)
        self.actions(shape, kind)
        return self.text(shape, kind)

    def module(self, width: int, kind: str) -> None:
        if self.rng.random() < 0.5:
            return
        parts = [f"torch.nn.Linear({width}, 5)"]
        parts.append(self.pick("torch.nn.ReLU()", "torch.nn.Tanh()", "torch.nn.GELU()",
                               "torch.nn.Dropout(0.3)", "torch.nn.LayerNorm(5)",
                               "torch.nn.BatchNorm1d(5)"))  # fmt: skip
        parts.append(f"torch.nn.Linear(5, {width})")
        if "Norm" in parts[1]:  # what comes before has a bias of no effect
            parts[0] = parts[0][:-1] + ", bias=False)"
        self.make(f"net = torch.nn.Sequential({', '.join(parts)}).to({kind})")

    def statement(self) -> None:
        rng, new = self.rng, self.name()
        names = self.tensors()
        one, two = rng.choice(names), rng.choice(names)
        choice = rng.random()
        if choice < 0.2:
            self.do(f"{new} = torch.{rng.choice(UNARY)}({one})")
        elif choice < 0.4:
            op = self.pick("+", "-", "*", "*", "/ (1.5 +")
            self.do(f"{new} = {one} {op} {two}" + (".abs())" if "(" in op else ""))
        elif choice < 0.47:
            number = self.pick("2", "0.5", "box.scale", "-1", "box.shift")
            self.do(f"{new} = {one} {self.pick('+', '*', '-')} {number}")
        elif choice < 0.53:
            self.do(f"{new} = {one} @ {two}{self.pick('', '.t()', '.mT')}")
        elif choice < 0.63:
            view = self.pick("[0]", "[..., 0]", "[1:]", "[:, None]", ".t()", ".reshape(-1)",
                             "[::2]", ".unsqueeze(0)", ".flatten()", "[..., -1:]",
                             f".expand(2, *{one}.shape)", "[torch.tensor([0, 1, 0])]",
                             "[[0, 1]]", ".diagonal()", ".flip(0)")  # fmt: skip
            self.do(f"{new} = {one}{view}")
        elif choice < 0.7:
            call = self.pick(".sum()", ".mean()", ".sum(0)", ".mean(-1)", ".amax()", ".var()",
                             ".norm()", ".softmax(-1)", ".cumsum(0)", ".logsumexp(0)",
                             ".max(0).values", ".sum(-1, keepdim=True)")  # fmt: skip
            self.do(f"{new} = {one}{call}")
        elif choice < 0.8:
            self.in_place(one, two)
        elif choice < 0.84:
            self.do(f"{new} = torch.where({one} > {self.pick('0', '0.3', 'box.scale')}, {one}, "
                    f"{self.pick('0.0', two, '-' + one)})")  # fmt: skip
        elif choice < 0.88:
            self.random(new, one)
        elif choice < 0.93:
            self.branch(new, one)
        elif choice < 0.95:
            self.do(f"{new} = {one}.detach()")
        elif "net" in self.space:
            self.do(f"{new} = net({self.pick('a', 'x0', 'x1', one)})")
        else:
            self.do(f"{new} = torch.cat([{one}, {two}], {self.pick(0, -1)})")

    def in_place(self, one: str, two: str) -> None:
        made = [n for n in self.tensors() if n.startswith("v")]
        target = (
            self.rng.choice(made) if made and self.rng.random() < 0.7 else self.pick("b0", "b1")
        )
        choice = self.rng.random()
        if target.startswith("b"):
            value = self.pick(f"{one}.detach().mean()", "0.5", f"{one}.detach().sum()")
            self.do(f"{target}.mul_(0.9).add_({value})")
        elif choice < 0.3:
            self.do(f"{target}.{self.rng.choice(INPLACE)}()")
        elif choice < 0.5:
            self.do(f"{target} {self.pick('+=', '*=', '-=')} {self.pick('2', one, '0.5')}")
        elif choice < 0.75:
            place = self.pick("[0]", "[..., 0]", "[1:]", "[:1]", "[...]", "[[0]]")
            self.do(f"{target}{place} = {self.pick('0.5', one, two + '.sum()', '1')}")
        elif choice < 0.85:
            self.do(f"{target}[{one} > 0] = {self.pick('0.25', '-1.0')}")
        else:
            self.do(f"{target}.copy_({one})")

    def random(self, new: str, one: str) -> None:
        self.do(self.pick(
            f"{new} = torch.nn.functional.dropout({one}, 0.4, training=True)",
            f"{new} = {one} + 0.1 * torch.randn_like({one})",
            f"{new} = {one} * torch.rand({one}.shape, dtype={one}.dtype)",
            f"{new} = {one} * torch.bernoulli(torch.full_like({one}, 0.5))",
            f"{new} = {one} + torch.randint(0, 3, ())",
        ))  # fmt: skip

    def branch(self, new: str, one: str) -> None:
        condition = self.pick(
            f"{one}.sum() > 0", f"{one}.mean().item() > 0.1", "box.flag", "box.shift > 2",
            f"({one} > 0).any()", f"float({one}.detach().amax()) < 1", f"{one}.requires_grad",
            f"{one}.shape[0] > 2" if self.space[one].ndim else "True",
        )  # fmt: skip
        left, right = f"{one} * 2", self.pick(f"{one} - 1", f"torch.sin({one})")
        if not self.do(f"if {condition}:\n    {new} = {left}\nelse:\n    {new} = {right}"):
            self.do(f"{new} = {left}")

    def finish(self, start: float) -> None:
        rng = self.rng
        rooted = self.tensors(grad=True)
        chosen = rng.sample(rooted, min(len(rooted), rng.randint(1, 3)))
        total = " + ".join(f"({n}.double() ** 2).mean()" for n in chosen)
        self.do(f"loss = {total}")
        choice = rng.random()
        if choice < 0.75:
            again = rng.random() < 0.1
            self.do(f"loss.backward({'retain_graph=True' if again else ''})")
            if again:
                self.do("loss.backward()")
        elif choice < 0.85 and self.params:
            self.do(f"grads = torch.autograd.grad(loss, [{', '.join(self.params)}], "
                    "allow_unused=True, create_graph=True)")  # fmt: skip
            self.do("loss = loss + 0.1 * sum((g ** 2).sum() for g in grads if g is not None)")
            self.do("loss.backward()")
        else:
            self.do("loss = loss.detach()")
        if "opt" in self.space:
            if rng.random() < 0.2:
                listed = ", ".join(self.params)
                self.do(f"torch.nn.utils.clip_grad_norm_([{listed}], 1.0)")
            self.body.append("opt.step()")
            if start > 0.7:
                self.body.append("opt.zero_grad()")
        elif rng.random() < 0.8:
            lines = ["with torch.no_grad():"]
            for w in self.params:
                how = self.pick(f"{w} -= 0.05 * {w}.grad", f"{w}.add_({w}.grad, alpha=-0.05)",
                                f"{w}.data -= 0.05 * {w}.grad")  # fmt: skip
                lines.append(f"    if {w}.grad is not None:")
                lines.append(f"        {how}")
                lines.append(f"        {self.pick(f'{w}.grad = None', f'{w}.grad.zero_()')}")
            self.body += lines
        made = [n for n in self.tensors() if n.startswith("v")]
        result = self.pick("loss", "loss.detach()", "(loss.detach(), {0}.detach())",
                           "{{'loss': loss.detach(), 'x': [{0}.detach()]}}", "None")  # fmt: skip
        self.body.append(f"return {result.format(rng.choice(made) if made else 'loss')}")

    def actions(self, shape: str, kind: str) -> None:
        options = [
            "box.scale = 0.5", "box.flag = not box.flag", "box.shift += 1",
            "x0.copy_(torch.randn_like(x0))", "x0.mul_(1.5)", "torch.manual_seed(k)",
            "b0.zero_()", "x2[0] = 3.0", "x0.data = torch.randn_like(x0)",
        ]  # fmt: skip
        if "opt" in self.space:
            options += ["opt.param_groups[0]['lr'] *= 0.5", "opt.zero_grad()",
                        "sched.step()", "sched.step()"]  # fmt: skip
            self.make("sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.9)")
        if "net" in self.space:
            options += ["net.eval()", "net.train()"]
        for _ in range(self.rng.randint(0, 3)):
            k = self.rng.randint(1, CALLS - 2)
            self.between.append(f"if k == {k}: {self.rng.choice(options)}")

    def text(self, shape: str, kind: str) -> str:
        other = self.rng.random() < 0.2
        sizes = f"[{shape}] if k < 4 else [{shape.split(',')[0]} + 1,{shape.split(',')[1]}]" \
            if other else f"[{shape}]"  # fmt: skip
        looked = [n for n in self.space if n[0] in "xwb" and n != "box" and n[1:].isdigit()]
        lines = ["def make(torch, np):", "    torch.manual_seed(3)"]
        lines += [f"    {line}" for line in self.setup]
        lines += ["    def step(a):"]
        nonlocal_ = []
        for name in looked:  # in-place operators assign
            if any(line.strip().startswith(f"{name} ") for line in self.body):
                nonlocal_.append(name)
        if nonlocal_:
            lines.append(f"        nonlocal {', '.join(nonlocal_)}")
        lines += [f"        {line}" for line in self.body]
        lines += ["    def between(k):", "        pass"]
        lines += [f"        {line}" for line in self.between]
        lines += ["    def batch(k):", f"        return torch.randn({sizes}, dtype={kind})"]
        lines += [
            "    def look():",
            f"        return {{{', '.join(f'{n!r}: {n}' for n in looked)}}}",
        ]
        net = "net" if "net" in self.space else "None"
        opt = "opt" if "opt" in self.space else "None"
        lines += [f"    return step, between, batch, look, {net}, {opt}"]
        return "\n".join(lines) + "\n"


# Running


def plain(value: Any) -> Any:
    """A value as it can be compared: tensors with what can be seen of them."""
    if isinstance(value, leafgrad.Tensor):
        return ("tensor", np.array(value.detach()._array), str(value.dtype), value.requires_grad,
                value._version, value.is_leaf, value.stride(),
                None if value.is_leaf else value.grad_fn.name())  # fmt: skip
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return value


def observed(text: str, name: str, compiled: bool) -> tuple[list[Any], Any]:
    """What can be seen after every call."""
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), space)
    seen: list[Any] = []
    step, between, batch, look, net, opt = space["make"](leafgrad, np)
    if compiled:
        step = leafgrad.compile(step)
    for k in range(CALLS):
        between(k)
        a = batch(k)
        try:
            result = plain(step(a))
        except Exception as error:
            result = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        tensors = look()
        state = {n: plain(t) for n, t in tensors.items()}
        state |= {f"{n}.grad": plain(t._grad) for n, t in tensors.items()}
        if net is not None:
            state |= {n: plain(t) for n, t in net.state_dict().items()}
            state |= {f"{n}.grad": plain(t._grad) for n, t in net.named_parameters()}
        if opt is not None:
            state["opt"] = plain(opt.state_dict())
        state["random"] = plain(leafgrad.get_rng_state())
        seen.append((result, state))
    return seen, step


def differs(a: Any, b: Any, tolerance: float, where: str = "") -> str | None:
    """Where two observations differ, None if nowhere."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.shape != b.shape:
            return f"{where}: {a} and {b}"
        exact = a.dtype.kind not in "fc"
        tolerance = 0 if exact else tolerance if a.dtype == np.float64 else 3e-4
        if a.size and not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=not exact):
            return f"{where}: {a} and {b}"
        return None
    if type(a) is not type(b):
        return f"{where}: {a} and {b}"
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return f"{where}: {a} and {b}"
        for n, (x, y) in enumerate(zip(a, b, strict=True)):
            found = differs(x, y, tolerance, f"{where}[{n}]")
            if found:
                return found
        return None
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return f"{where}: {list(a)} and {list(b)}"
        for key in a:
            found = differs(a[key], b[key], tolerance, f"{where}.{key}")
            if found:
                return found
        return None
    same = a == b or (a != a and b != b)
    return None if same else f"{where}: {a!r} and {b!r}"


def check(text: str, name: str, counts: Counter[str], verbose: bool) -> str | None:
    """Run a program both ways; what differs, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, _ = observed(text, name, False)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found, step = observed(text, name, True)
        except Exception:
            return traceback.format_exc()
    eager = [str(w.message) for w in warned if issubclass(w.category, CompileWarning)]
    for message in eager:
        if "other numbers" in message:
            return message
        counts["eager: " + message.partition(": ")[2][:120]] += 1
    counts["compiled" if not eager else "eager"] += 1
    if verbose:
        print(step.why())
        print(*eager, sep="\n")
        print(step.program)
    tolerance = 1e-9 if "float32" not in text else 3e-4
    for k, (one, two) in enumerate(zip(expected, found, strict=True)):
        if isinstance(one[0], str):  # an exception, which leaves compiled steps as they were
            return None if one[0] == two[0] else f"call {k}: {one[0]} and {two[0]}"
        difference = differs(one, two, tolerance)
        if difference:
            return f"call {k}: {difference}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("-v", "--verbose", action="store_true")
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    wrong = 0
    numbers = range(given.count) if given.only is None else [given.only]
    for number in numbers:
        rng = random.Random(f"{given.seed}.{number}")
        text = Writer(rng).write()
        if given.verbose:
            print(text)
        difference = check(text, f"<program {number}>", counts, given.verbose)
        if difference:
            wrong += 1
            print(f"--- program {given.seed}.{number}: {difference}\n{text}")
    print(f"{len(list(numbers))} programs, {wrong} differ")
    for what, count in counts.most_common():
        print(f"{count:6} {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
