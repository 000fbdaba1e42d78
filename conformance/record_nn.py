"""Record what small programs on nn, optim and utils.data give in PyTorch, for tests/test_nn.py and
tests/test_optim.py.

    python conformance/record_nn.py

writes tests/data/nn.json. Needs torch. A program calls `show(value)` for what is to be compared, to
within rounding, `exact(value)` for what must be the same to the last bit, and `attempt(function)`
for a result, an error or a warning. The tests run the same programs with leafgrad as `torch`.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
OUT = ROOT / "tests" / "data" / "nn.json"
sys.path.insert(0, str(ROOT / "tests"))

from programs import run  # noqa: E402 - stands beside the tests, which use it too


def recorder(out: Path) -> tuple[Any, Any]:
    """(program, save): the first adds a program under a name, the second runs and writes all."""
    programs: dict[str, str] = {}

    def program(name: str, text: str) -> None:
        assert name not in programs, name
        programs[name] = textwrap.dedent(text).strip()

    def save() -> None:
        recorded = {}
        for name, text in programs.items():
            try:
                recorded[name] = {"program": text, "shown": run(text, torch)}
            except Exception as error:
                raise RuntimeError(f"the program {name!r} failed") from error
        out.write_text(json.dumps(recorded, separators=(",", ":")).replace('},"', '},\n"') + "\n")
        shown = sum(len(r["shown"]) for r in recorded.values())
        print(f"{len(recorded)} programs, {shown} values: {out}")

    return program, save


program, save = recorder(OUT)


# Modules: their first parameters for a seed, their outputs, their gradients.

MODULE = """
torch.manual_seed(3)
m = {make}
m.train({train})
exact({{k: v for k, v in m.state_dict().items()}})
exact(repr(m))
inputs = [{inputs}]
for x in inputs[:{differentiable}]:
    if x.is_floating_point():
        x.requires_grad_()
for _ in range({calls}):
    y = m(*inputs)
show(y)
if y.requires_grad:
    torch.manual_seed(5)
    (y * torch.rand_like(y)).sum().backward()
    show([x.grad for x in inputs])
    show({{k: p.grad for k, p in m.named_parameters()}})
if {train} and {calls} > 1:
    show(m.state_dict())
"""


def module(make: str, inputs: str = "torch.randn(4, 6)", *, train: bool = True,
           calls: int = 1) -> None:  # fmt: skip
    name = f"{make} {'train' if train else 'eval'}"
    # Most losses have no gradient for their target.
    differentiable = 1 if "Loss" in make and "Triplet" not in make else 3
    program(name, MODULE.format(make=make, inputs=inputs, train=train, calls=calls,
                                differentiable=differentiable))  # fmt: skip


module("nn.Linear(6, 3)")
module("nn.Linear(6, 3, bias=False)", "torch.randn(2, 3, 6)")
module("nn.Linear(6, 4, dtype=torch.float64)", "torch.randn(6, dtype=torch.float64)")
module("nn.Bilinear(6, 5, 3)", "torch.randn(4, 6), torch.randn(4, 5)")
module("nn.Bilinear(6, 5, 3, bias=False)", "torch.randn(4, 6), torch.randn(4, 5)")
module("nn.Identity(3, a=4)")
module("nn.Flatten()", "torch.randn(2, 3, 2)")
module("nn.Flatten(0, 1)", "torch.randn(2, 3, 2)")
module("nn.Unflatten(1, (2, 3))")
module("nn.Unflatten(-1, [3, 2])")
for text in (
    "CELU(0.7) ELU(2.0) GELU() GELU('tanh') GLU() GLU(0) Hardshrink() Hardsigmoid() Hardswish() "
    "Hardtanh() Hardtanh(-0.2,0.3) LeakyReLU() LeakyReLU(0.2) LogSigmoid() Mish() PReLU() "
    "PReLU(6,0.1) ReLU() ReLU6() SELU() SiLU() Sigmoid() Softplus() Softplus(2,0.5) Softshrink() "
    "Softsign() Tanh() Tanhshrink() Threshold(0.1,20) Softmax(1) Softmax(0) LogSoftmax(-1) "
    "Softmin(0) Dropout() Dropout(0.1) AlphaDropout(0.3) RReLU()"
).split():
    module(f"nn.{text}")
for text in ("Dropout()", "AlphaDropout(0.3)", "RReLU()", "FeatureAlphaDropout()"):
    module(f"nn.{text}", train=False)
module("nn.Softmax2d()", "torch.randn(2, 3, 2, 2)")
module("nn.Dropout1d(0.4)", "torch.randn(2, 3, 4)")
module("nn.Dropout2d(0.4)", "torch.randn(2, 3, 2, 2)")
module("nn.Dropout3d(0.4)", "torch.randn(2, 3, 1, 2, 2)")
module("nn.FeatureAlphaDropout(0.4)", "torch.randn(2, 3, 2, 2)")
module("nn.LayerNorm(6)")
module("nn.LayerNorm((3, 2), elementwise_affine=False)", "torch.randn(4, 3, 2)")
module("nn.LayerNorm([3, 2], eps=0.1, bias=False)", "torch.randn(4, 3, 2)")
module("nn.RMSNorm(6)")
module("nn.RMSNorm((3, 2), eps=0.1, elementwise_affine=False)", "torch.randn(4, 3, 2)")
module("nn.GroupNorm(3, 6)")
module("nn.GroupNorm(2, 4, affine=False)", "torch.randn(2, 4, 3)")
module("nn.GroupNorm(2, 4, bias=False)", "torch.randn(2, 4, 2, 2)")
module("nn.LocalResponseNorm(3, 0.5)", "torch.randn(2, 5, 3)")
for train in (True, False):
    module("nn.BatchNorm1d(6)", train=train, calls=2)
    module("nn.BatchNorm1d(3, momentum=None)", "torch.randn(4, 3, 5)", train=train, calls=3)
    module("nn.BatchNorm2d(3, eps=0.1, momentum=0.3)", "torch.randn(2, 3, 2, 2)", train=train,
           calls=2)  # fmt: skip
    module("nn.BatchNorm2d(3, affine=False, track_running_stats=False)", "torch.randn(2, 3, 2, 2)",
           train=train)  # fmt: skip
    module("nn.BatchNorm3d(2, bias=False)", "torch.randn(2, 2, 2, 1, 2)", train=train)
    module("nn.InstanceNorm1d(3)", "torch.randn(2, 3, 5)", train=train)
    module("nn.InstanceNorm2d(3, affine=True, track_running_stats=True)",
           "torch.randn(2, 3, 2, 2)", train=train, calls=2)  # fmt: skip
    module("nn.InstanceNorm3d(2, bias=False, affine=True)", "torch.randn(2, 1, 2, 2)", train=train)
module("nn.Embedding(7, 3)", "torch.randint(0, 7, (2, 4))")
module("nn.Embedding(7, 3, padding_idx=-2)", "torch.tensor([[5, 1], [5, 0]])")
module("nn.Embedding(7, 3, max_norm=0.5)", "torch.tensor([5, 1, 5])")
module("nn.Embedding(7, 3, scale_grad_by_freq=True)", "torch.tensor([5, 1, 5])")
module("nn.Embedding.from_pretrained(torch.ones(3, 2), freeze=False)", "torch.tensor([0, 2])")
module("nn.CosineSimilarity()", "torch.randn(4, 6), torch.randn(4, 6)")
module("nn.CosineSimilarity(0, 0.1)", "torch.randn(4, 6), torch.randn(4, 6)")
module("nn.PairwiseDistance()", "torch.randn(4, 6), torch.randn(4, 6)")
module("nn.PairwiseDistance(1.0, 0.1, True)", "torch.randn(4, 6), torch.randn(4, 6)")
module("nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))")

PAIR = "torch.randn(4, 6), torch.randn(4, 6)"
UNIT = "torch.rand(4, 6), torch.rand(4, 6)"
SIGNS = "torch.randn(4, 6), torch.tensor([1, -1, 1, -1, -1, 1]).expand(4, 6).float()"
CLASSES = "torch.randn(4, 6), torch.tensor([1, 0, 5, 1])"
for text, inputs in (
    ("L1Loss", PAIR), ("MSELoss", PAIR), ("SmoothL1Loss", PAIR), ("HuberLoss", PAIR),
    ("BCELoss", UNIT), ("BCEWithLogitsLoss", UNIT), ("NLLLoss", CLASSES),
    ("CrossEntropyLoss", CLASSES), ("KLDivLoss", UNIT), ("PoissonNLLLoss", UNIT),
    ("GaussianNLLLoss", UNIT + ", torch.rand(4, 6)"), ("HingeEmbeddingLoss", SIGNS),
    ("MultiLabelMarginLoss", "torch.randn(2, 4), torch.tensor([[3, 0, -1, 1], [0, -1, 1, 2]])"),
    ("MultiLabelSoftMarginLoss", UNIT), ("SoftMarginLoss", SIGNS), ("MultiMarginLoss", CLASSES),
    ("CosineEmbeddingLoss", PAIR + ", torch.tensor([1, -1, 1, -1])"),
    ("MarginRankingLoss", PAIR + ", torch.tensor([[1], [-1], [1], [-1]])"),
    ("TripletMarginLoss", PAIR + ", torch.randn(4, 6)"),
    ("TripletMarginWithDistanceLoss", PAIR + ", torch.randn(4, 6)"),
):  # fmt: skip
    for reduction in ("mean", "sum", "none"):
        module(f"nn.{text}(reduction='{reduction}')", inputs)
module("nn.SmoothL1Loss(beta=0.3)", PAIR)
module("nn.HuberLoss('sum', 0.3)", PAIR)
module("nn.BCELoss(torch.tensor([1.0, 2, 3, 4, 5, 6]))", UNIT)
module("nn.BCEWithLogitsLoss(torch.rand(6), pos_weight=torch.rand(6))", UNIT)
module("nn.CrossEntropyLoss(torch.rand(6), ignore_index=1, label_smoothing=0.2)", CLASSES)
module("nn.CrossEntropyLoss(label_smoothing=0.1)", "torch.randn(4, 6), torch.rand(4, 6)")
module("nn.NLLLoss(torch.rand(6), ignore_index=0)", CLASSES)
module("nn.KLDivLoss(reduction='batchmean', log_target=True)", UNIT)
module("nn.PoissonNLLLoss(False, True)", UNIT)
module("nn.GaussianNLLLoss(full=True, eps=0.5)", UNIT + ", torch.rand(4, 1)")
module("nn.MultiMarginLoss(2, 0.5, torch.rand(6))", CLASSES)
module("nn.TripletMarginLoss(0.5, 1.0, swap=True)", PAIR + ", torch.randn(4, 6)")

# What modules print, and what they say when made or called wrongly.

REPRS = """
nn.Module() | nn.Linear(2, 3, bias=False) | nn.Flatten() | nn.Unflatten(1, (2, 3))
nn.CELU(inplace=True) | nn.ELU(2., True) | nn.GELU('tanh') | nn.GLU() | nn.Hardshrink()
nn.Hardsigmoid(True) | nn.Hardswish(True) | nn.Hardtanh(-2, 2, True) | nn.LeakyReLU(.2, True)
nn.Mish(True) | nn.PReLU(3, .1) | nn.ReLU(True) | nn.ReLU6(True) | nn.RReLU(.1, .2, True)
nn.SELU(True) | nn.SiLU(True) | nn.Softplus() | nn.Softshrink() | nn.Threshold(.1, 20, True)
nn.Softmax() | nn.Softmax2d() | nn.Dropout(.2, True) | nn.MSELoss() | nn.CrossEntropyLoss()
nn.Embedding(3, 4, 0, 1., 1., True, True) | nn.ParameterList([torch.ones(2, 3), 'x'])
nn.ParameterDict({'a': torch.ones(2), 'b': nn.ReLU(), 'c': 3}) | nn.ModuleList() | nn.ModuleDict()
nn.ModuleList([nn.Linear(2, 2) for _ in range(3)] + [nn.ReLU()])
nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU()), nn.ELU()])
nn.ModuleDict({'a': nn.ReLU(), 'b': nn.Sequential(nn.Linear(1, 1), nn.ModuleList([nn.ELU()]))})
nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Linear(1, 1))) | nn.Sequential()
nn.Sequential(nn.ParameterList([torch.ones(2)]), nn.Identity())
nn.Parameter(torch.ones(2)) | nn.Parameter() | nn.Buffer(torch.ones(2))
nn.Parameter(torch.ones(2, dtype=torch.int64), requires_grad=False)
"""
WRONG = """
nn.Module(3) | nn.Module(a=3) | nn.Module()(1) | nn.Module().foo | nn.Sigmoid(3) | nn.Linear(0, 3)
nn.Bilinear(0, 3, 4) | nn.Unflatten(1, 'a') | nn.Unflatten(1, (2.,)) | nn.Hardtanh(2, 1)
nn.Hardtanh(min_value=-3, max_value=4) | nn.Dropout(2) | nn.Dropout(-1) | nn.MSELoss('sum')
nn.MSELoss(size_average=False) | nn.MSELoss(reduction='x')(torch.ones(1), torch.ones(1))
nn.TripletMarginLoss(margin=-1) | nn.TripletMarginWithDistanceLoss(margin=0)
nn.MultiMarginLoss(p=3) | nn.MultiMarginLoss(weight=torch.ones(1, 1)) | nn.GroupNorm(3, 4)
nn.Embedding(3, 4, padding_idx=5) | nn.Embedding(3, 4, padding_idx=-5)
nn.Embedding(3, 4, _weight=torch.ones(2, 2)) | nn.Embedding.from_pretrained(torch.ones(2))
nn.BatchNorm1d(3)(torch.ones(2, 3, 4, 5)) | nn.BatchNorm2d(3)(torch.ones(2, 3))
nn.BatchNorm3d(3)(torch.ones(2, 3)) | nn.BatchNorm1d(3)(torch.ones(1, 3))
nn.InstanceNorm1d(3)(torch.ones(2)) | nn.InstanceNorm2d(3)(torch.ones(2))
nn.InstanceNorm1d(3, affine=True)(torch.ones(2, 4, 5)) | nn.Softmax2d()(torch.ones(2))
nn.Linear(2, 3)(torch.ones(4)) | nn.Linear(2, 3)(torch.ones(2, dtype=torch.float64))
nn.Parameter([1.]) | nn.Parameter(torch.ones(2, dtype=torch.int64)) | nn.Sequential(3)
nn.Sequential()[0] | nn.Sequential(nn.ReLU())['a'] | nn.Sequential() + 3 | nn.Sequential() * 0
nn.Sequential() * 1.5 | nn.Sequential().insert(3, nn.ReLU()) | nn.ModuleList()[0]
nn.ModuleList().extend(3) | nn.ModuleList([3]) | nn.ModuleList()(1) | nn.ModuleDict()['q']
nn.ModuleDict().update(3) | nn.ModuleDict().update([3]) | nn.ModuleDict().update([(1, 2, 3)])
nn.ModuleDict({'keys': nn.ReLU()}) | nn.ModuleDict({3: nn.ReLU()}) | nn.ParameterList()[0]
nn.ParameterList()(1) | nn.ParameterList().extend(3) | nn.ParameterDict()(1)
nn.ParameterDict({3: nn.ReLU()}) | nn.ParameterDict({'keys': torch.ones(1)})
nn.ParameterDict().update(3) | nn.ParameterDict()['a']
init.calculate_gain('x') | init.calculate_gain('leaky_relu', 'x') | init.eye_(torch.ones(2))
init.dirac_(torch.ones(2)) | init.dirac_(torch.ones(3, 2, 2), 2) | init.sparse_(torch.ones(2), 1)
init.xavier_uniform_(torch.ones(2)) | init.kaiming_normal_(torch.ones(2, 2), mode='x')
init.orthogonal_(torch.ones(2)) | init.kaiming_uniform_(torch.ones(0, 2))
init.uniform(torch.ones(2))
"""
for title, table in (("reprs", REPRS), ("wrong", WRONG)):
    cases = [part.strip() for part in table.replace("\n", "|").split("|") if part.strip()]
    calls = "exact(repr({}))" if title == "reprs" else "attempt(lambda: {})"
    for start in range(0, len(cases), 10):
        lines = "\n".join(calls.format(case) for case in cases[start : start + 10])
        program(f"{title} {start // 10}", "from collections import OrderedDict\n" + lines)

program(
    "activations in place",
    """
    for make in (nn.CELU, nn.ELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU, nn.Mish,
                 nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU):
        x = torch.linspace(-4, 4, 9)
        y = make(inplace=True)(x)
        show([y is x, x, x._version])
    x = torch.linspace(-4, 4, 9)
    show([nn.Threshold(1, 9, True)(x) is x, x])
    x = torch.linspace(-4, 4, 9)
    torch.manual_seed(0)
    show([nn.Dropout(0.5, True)(x) is x, x])
    """,
)
program(
    "calling a module before its __init__",
    """
    class Net(nn.Module):
        def __init__(self, value):
            self.x = value
        def forward(self, x):
            return x
    for value in (nn.Parameter(torch.ones(2)), nn.Linear(2, 2), nn.Buffer(torch.ones(2))):
        attempt(lambda: Net(value))
    net = Net(3)
    attempt(lambda: net.register_parameter("p", None))
    attempt(lambda: net.register_buffer("p", None))
    """,
)
program(
    "attributes of a module",
    """
    class Net(nn.Module):
        pass
    m = Net()
    m.a = nn.Parameter(torch.ones(1))
    m.b = nn.Linear(1, 1)
    m.register_buffer("c", torch.ones(1))
    for call in (
        lambda: setattr(m, "a", torch.ones(1)), lambda: setattr(m, "b", 3),
        lambda: setattr(m, "c", 3), lambda: m.register_parameter("c", None),
        lambda: m.register_parameter("x.y", None), lambda: m.register_parameter("", None),
        lambda: m.register_parameter(3, None), lambda: m.register_parameter("z", torch.ones(1)),
        lambda: m.register_buffer("a", None), lambda: m.register_buffer("x.y", None),
        lambda: m.register_buffer("", None), lambda: m.register_buffer(3, None),
        lambda: m.register_buffer("z", 3), lambda: m.add_module("z", 3),
        lambda: m.add_module(3, m), lambda: m.add_module("a", m.b),
        lambda: m.add_module("x.y", m.b), lambda: m.add_module("", m.b),
        lambda: m.get_submodule("q"), lambda: m.get_submodule("a"),
        lambda: m.get_submodule("b.weight"), lambda: m.get_parameter("q.w"),
        lambda: m.get_parameter("c"), lambda: m.get_parameter("zz"), lambda: m.get_buffer("a"),
        lambda: m.get_buffer("zz"), lambda: m.get_submodule("") is m, lambda: m.train(3),
        lambda: delattr(m, "zzz"), lambda: m.to(torch.int64), lambda: m.apply(3),
        lambda: m.set_submodule("", m.b), lambda: m.set_submodule("q.r", m.b),
        lambda: m.set_submodule("a", m.b), lambda: m.set_submodule("b", 3),
        lambda: m.register_parameter("train", None),
    ):
        attempt(call)
    m.z = None
    exact(hasattr(m, "z"))
    m.z = nn.Parameter(torch.ones(1))     # from an attribute to a parameter
    exact([list(dict(m.named_parameters())), "z" in m.__dict__])
    m.z = None
    exact([list(dict(m.named_parameters())), m.z])
    attempt(lambda: setattr(m, "a", nn.Linear(1, 2)))
    m.y = 3
    m.y = nn.Linear(1, 2)                 # from an attribute to a module
    exact([list(dict(m.named_parameters())), [n for n, _ in m.named_children()]])
    m.c = None
    exact(list(m.state_dict()))
    m.n = nn.Buffer(torch.ones(2), persistent=False)
    exact([list(m.state_dict()), [n for n, _ in m.named_buffers()]])
    del m.b
    del m.n
    exact(repr(m))
    attempt(lambda: m.b)
    exact([name for name in ("a", "z", "forward", "training") if name in dir(m)])
    """,
)
program(
    "walking through a module",
    """
    shared = nn.Linear(1, 1)
    m = nn.Sequential(shared, nn.Sequential(shared, nn.BatchNorm1d(1)), nn.ReLU())
    m.own = nn.Parameter(torch.ones(2))
    m.tied = m.own
    for duplicates in (True, False):
        exact([n for n, _ in m.named_parameters(remove_duplicate=duplicates)])
        exact([n for n, _ in m.named_modules(remove_duplicate=duplicates)])
        exact([n for n, _ in m.named_buffers(remove_duplicate=duplicates)])
    exact([n for n, _ in m.named_parameters("net", recurse=False)])
    exact([n for n, _ in m.named_modules(prefix="net")])
    exact([n for n, _ in m.named_children()])
    exact([len(list(m.parameters())), len(list(m.buffers())), len(list(m.modules()))])
    order = []
    m.apply(lambda part: order.append(type(part).__name__))
    exact(order)
    exact(list(m.state_dict()))
    exact(list(m.state_dict(prefix="a.")))
    m.eval()
    exact([part.training for part in m.modules()])
    m.requires_grad_(False)
    exact([p.requires_grad for p in m.parameters()])
    """,
)
program(
    "casting a module",
    """
    m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    kept = m[0].weight
    m(torch.randn(3, 2)).sum().backward()
    for call in (lambda: m.double(), lambda: m.half(), lambda: m.bfloat16(), lambda: m.float(),
                 lambda: m.to(torch.float64), lambda: m.to("cpu"), lambda: m.to("cpu", torch.half),
                 lambda: m.to(torch.ones(1)), lambda: m.to(dtype=torch.float64), lambda: m.cpu(),
                 lambda: m.type(torch.float32)):
        same = call() is m
        exact([same, m[0].weight is kept, str(kept.dtype), str(kept.grad.dtype),
               str(m[1].running_mean.dtype), str(m[1].num_batches_tracked.dtype)])
    m.zero_grad(set_to_none=False)
    show(kept.grad)
    m.zero_grad()
    exact(kept.grad)
    """,
)
program(
    "loading",
    """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.zeros(1))
            self.b = nn.Linear(1, 1)
            self.register_buffer("c", torch.zeros(1))
            nn.init.zeros_(self.b.weight)
            nn.init.zeros_(self.b.bias)
    for strict in (True, False):
        for state in (
            3, {}, {"a": torch.ones(2), "q": torch.ones(1), "b.weight": 3, "b.bias": torch.ones(2, 2)},
            {"a": torch.ones(1), "b": torch.ones(1)}, {"a": torch.ones(1, 1)},
            {"a": torch.ones(1), "b.weight": torch.ones(1, 1), "b.bias": torch.ones(1),
             "c": torch.ones(1)},
            {"a": torch.ones(()), "b.weight": torch.ones(1, 1, dtype=torch.float64)},
        ):
            m = Net()
            attempt(lambda: repr(m.load_state_dict(state, strict=strict)))
    m = Net()
    given = {k: v + 1 for k, v in m.state_dict().items()}
    given["b.weight"].requires_grad_()
    m.load_state_dict(given, assign=True)
    exact([m.a.data_ptr() == given["a"].data_ptr() if hasattr(m.a, "data_ptr") else True,
           type(m.a).__name__, m.b.weight.requires_grad, m.c is given["c"]])
    state = m.state_dict()
    exact([k for k in state._metadata])
    exact([type(state["a"]).__name__, state["a"].requires_grad])
    exact([type(v).__name__ for v in m.state_dict(keep_vars=True).values()])
    attempt(lambda: list(m.state_dict({}, "x")))
    bn = nn.BatchNorm1d(2)
    old = {k: v for k, v in bn.state_dict().items() if k != "num_batches_tracked"}
    attempt(lambda: repr(bn.load_state_dict(old)))

    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"seen": 3}
        def set_extra_state(self, state):
            self.seen = state["seen"]
    e = Extra(1, 1)
    exact(list(e.state_dict()))
    exact([repr(e.load_state_dict(e.state_dict())), e.seen])
    attempt(lambda: e.load_state_dict(nn.Linear(1, 1).state_dict()))
    attempt(lambda: nn.Linear(1, 1).load_state_dict(e.state_dict()))
    """,
)
program(
    "hooks of state_dict",
    """
    m = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    seen = []
    m.register_state_dict_pre_hook(lambda mod, prefix, keep: seen.append(["pre", prefix, keep]))
    m[0].register_state_dict_post_hook(
        lambda mod, state, prefix, local: seen.append(["post", list(state), prefix, local]))
    m._register_state_dict_hook(lambda mod, state, prefix, local: {"only": len(state)})
    exact(m.state_dict())
    exact(seen)
    wrong = nn.ReLU()
    wrong.register_state_dict_post_hook(lambda *args: 3)
    attempt(lambda: wrong.state_dict())
    m = nn.Sequential(nn.Linear(1, 1))
    seen = []
    def rename(mod, state, prefix, local, strict, missing, unexpected, errors):
        seen.append([type(mod).__name__, prefix, strict])
        state[prefix + "weight"] = state.pop(prefix + "w")
    m[0].register_load_state_dict_pre_hook(rename)
    def forgive(mod, keys):
        seen.append([list(keys.missing_keys), list(keys.unexpected_keys)])
        keys.missing_keys.clear()
        keys.unexpected_keys.clear()
    m.register_load_state_dict_post_hook(forgive)
    attempt(lambda: repr(m.load_state_dict({"0.w": torch.ones(1, 1)})))
    show(m[0].weight)
    exact(seen)
    """,
)
program(
    "forward hooks",
    """
    m = nn.Linear(1, 1)
    with torch.no_grad():
        m.weight.fill_(2)
        m.bias.fill_(1)
    seen = []
    h = [
        m.register_forward_pre_hook(lambda mod, args: seen.append(["a", args[0].item()])),
        m.register_forward_pre_hook(lambda mod, args: args[0] * 10),
        m.register_forward_pre_hook(lambda mod, args: seen.append(["first", args[0].item()]),
                                    prepend=True),
        m.register_forward_pre_hook(lambda mod, args, kwargs: (args, kwargs), with_kwargs=True),
        m.register_forward_hook(lambda mod, args, out: out + 1000),
        m.register_forward_hook(lambda mod, args, kwargs, out: seen.append(
            [args[0].item(), kwargs, out.item()]), with_kwargs=True),
        m.register_forward_hook(lambda mod, args, out: seen.append(["early", out.item()]),
                                prepend=True),
    ]
    show(m(torch.ones(1)))
    exact(seen)
    for handle in h:
        handle.remove()
        handle.remove()
    show(m(torch.ones(1)))
    with m.register_forward_hook(lambda *args: torch.zeros(1)):
        show(m(torch.ones(1)))
    show(m(torch.ones(1)))
    bad = m.register_forward_pre_hook(lambda *args: 3, with_kwargs=True)
    attempt(lambda: m(torch.ones(1)))
    bad.remove()
    seen = []
    m.register_forward_hook(lambda mod, args, out: seen.append(out), always_call=True)
    m.register_forward_hook(lambda mod, args, out: 1 / 0, always_call=True)
    attempt(lambda: m(torch.ones(5)))
    exact(seen)
    """,
)
program(
    "backward hooks",
    """
    class Two(nn.Module):
        def forward(self, x, n, y):
            return x * n, y * x
    for needs in ((True, True), (True, False), (False, True), (False, False)):
        m = Two()
        seen = []
        m.register_full_backward_pre_hook(lambda mod, out: seen.append(["pre", out]))
        m.register_full_backward_hook(lambda mod, i, o: seen.append(["hook", i, o]))
        x = torch.tensor([1.0, 2.0]).requires_grad_(needs[0])
        y = torch.tensor([3.0, 4.0]).requires_grad_(needs[1])
        a, b = m(x, 5, y)
        exact([type(a.grad_fn).__name__, type(b.grad_fn).__name__])
        if any(needs):
            (a.sum() + 2 * b.sum()).backward()
        show(seen)
        show([x.grad, y.grad])
    m = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        m.weight.fill_(3)
    m.register_full_backward_pre_hook(lambda mod, out: (out[0] * 10,))
    m.register_full_backward_hook(lambda mod, i, o: (i[0] * 100,))
    x = torch.ones(1, 2, requires_grad=True)
    m(x).sum().backward()
    show([x.grad, m.weight.grad])
    y = m(x)
    attempt(lambda: y.add_(1))
    attempt(lambda: m.register_backward_hook(lambda *args: None))
    bad = nn.Linear(2, 1)
    bad.register_full_backward_hook(lambda mod, i, o: (i[0], i[0]))
    attempt(lambda: bad(x).sum().backward())
    bad = nn.Linear(2, 1)
    bad.register_full_backward_pre_hook(lambda mod, o: (o[0], o[0]))
    attempt(lambda: bad(x).sum().backward())
    bad = nn.Linear(2, 1)
    bad.register_full_backward_hook(lambda mod, i, o: (torch.ones(1),))
    attempt(lambda: bad(torch.ones(1, 2)).sum().backward())

    class Through(nn.Module):
        def forward(self, x):
            self.kept = x
            return x.detach() * torch.ones(1, requires_grad=True)
    t = Through()
    t.register_full_backward_hook(lambda mod, i, o: None)
    t(x)
    attempt(lambda: t.kept.sum().backward())

    class Listed(nn.Module):
        def forward(self, x):
            return [x * 2]
    odd = Listed()
    odd.register_full_backward_hook(lambda mod, i, o: None)
    attempt(lambda: odd(x)[0])
    with torch.no_grad():
        show(m(x))
    seen = []
    old = nn.Tanh()
    old.register_backward_hook(lambda mod, i, o: seen.append([len(i), o]))
    old(x).sum().backward()
    show(seen)
    """,
)
program(
    "hooks of all modules",
    """
    from torch.nn.modules import module as where
    seen = []
    h = [
        where.register_module_forward_pre_hook(lambda mod, args: seen.append("pre")),
        where.register_module_forward_hook(lambda mod, args, out: seen.append("post")),
        where.register_module_full_backward_pre_hook(lambda mod, o: seen.append("back pre")),
        where.register_module_full_backward_hook(lambda mod, i, o: seen.append("back")),
    ]
    x = torch.ones(1, requires_grad=True)
    nn.Tanh()(x).sum().backward()
    exact(seen)
    for handle in h:
        handle.remove()
    nn.Tanh()(x).sum().backward()
    exact(seen)
    """,
)
program(
    "copies of modules and parameters",
    """
    import copy, pickle
    torch.manual_seed(0)
    m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.1))
    m[0].note = [1, 2]
    m(torch.randn(3, 2)).sum().backward()
    for other in (copy.deepcopy(m), pickle.loads(pickle.dumps(m)), copy.copy(m)):
        exact([repr(other), other[0].weight is m[0].weight, type(other[0].weight).__name__,
               other[0].weight.grad is None, other[0].note, other[0].note is m[0].note])
        show(other.state_dict())
        show(other.eval()(torch.ones(1, 2)))
    p = nn.Parameter(torch.ones(2))
    p.note = 3
    for other in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        exact([repr(other), getattr(other, "note", None), other.is_leaf, other.grad])
    tied = nn.ParameterList([p, p])
    other = copy.deepcopy(tied)
    exact(other[0] is other[1])
    """,
)
program(
    "parameters",
    """
    t = torch.ones(2)
    p = nn.Parameter(t)
    t.add_(1)
    exact([p, p._version, t._version])
    for value in (p.data, p.detach(), p * 2, p.clone(), p.view(2), p.t(), p.to(torch.float64),
                  p.to(torch.float32), p.requires_grad_()):
        exact(type(value).__name__)
    exact(isinstance(torch.ones(2), nn.Parameter))
    b = nn.Buffer(torch.ones(2), persistent=False)
    exact([type(b).__name__, isinstance(b, nn.Buffer), isinstance(t, nn.Buffer), b.persistent])
    with torch.no_grad():
        exact(nn.Parameter(torch.ones(1)).requires_grad)
        exact(type(p.add_(1)).__name__)
    exact(nn.Parameter(p * 3).is_leaf)
    """,
)
program(
    "containers",
    """
    s = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3))
    for call in (
        lambda: s[1:], lambda: s[-1], lambda: s.append(nn.Tanh()), lambda: s.insert(1, nn.Tanh()),
        lambda: s.insert(-1, nn.SiLU()), lambda: s.extend([nn.ELU()]), lambda: s.pop(0),
        lambda: s.pop(slice(0, 1)), lambda: s.__delitem__(slice(0, 2)),
        lambda: s + nn.Sequential(nn.ELU()), lambda: s * 2, lambda: 2 * s, lambda: len(s),
        lambda: s.__setitem__(0, nn.CELU()), lambda: s.__iadd__(nn.Sequential(nn.GELU())),
        lambda: s.__imul__(2), lambda: list(s)[0], lambda: s,
    ):
        attempt(lambda: repr(call()))
    l = nn.ModuleList([nn.Linear(1, 1), nn.ReLU()])
    for call in (
        lambda: l[0:1], lambda: l[-1], lambda: l.append(nn.ELU()), lambda: l.insert(0, nn.ELU()),
        lambda: l.extend([nn.ReLU()]), lambda: l.pop(1), lambda: l + [nn.ELU()],
        lambda: l.__delitem__(0), lambda: l.__delitem__(slice(0, 1)),
        lambda: l.__iadd__([nn.SELU()]), lambda: l.__setitem__(0, 3),
        lambda: l.__setitem__(-1, nn.Tanh()), lambda: list(l), lambda: nn.ReLU() in l, lambda: l,
    ):
        attempt(lambda: repr(call()))
    d = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(1, 1)})
    for call in (
        lambda: d["a"], lambda: d.pop("a"), lambda: d.pop("zz"), lambda: d.update({"x": nn.ELU()}),
        lambda: d.update([("y", nn.ELU()), ["z", nn.ReLU()]]), lambda: list(d.keys()),
        lambda: list(d.items()), lambda: list(d.values()), lambda: "x" in d, lambda: len(d),
        lambda: list(d), lambda: d.__delitem__("x"), lambda: d.clear(), lambda: d,
        lambda: d.update(nn.ModuleDict({"k": nn.ELU()})), lambda: d,
    ):
        attempt(lambda: repr(call()))
    p = nn.ParameterList([nn.Parameter(torch.ones(2)), torch.zeros(2, 3), "x"])
    for call in (
        lambda: p[0], lambda: type(p[1]).__name__, lambda: p[-1], lambda: p[0:2], lambda: len(p),
        lambda: p.append(torch.ones(1)), lambda: p.extend([4]), lambda: list(p.state_dict()),
        lambda: p.__setitem__(0, torch.ones(7)), lambda: p, lambda: list(p)[1:3],
    ):
        attempt(lambda: repr(call()))
    q = nn.ParameterDict({"a": nn.Parameter(torch.ones(2)), "b": torch.ones(3), "c": "x"})
    for call in (
        lambda: q["a"], lambda: q.get("zz", 3), lambda: q.pop("a"), lambda: q.popitem(),
        lambda: q.setdefault("n", torch.ones(1)), lambda: q.update({"r": torch.ones(2)}),
        lambda: list(q.keys()), lambda: list(q.items()), lambda: list(q.values()),
        lambda: q.copy(), lambda: q.fromkeys(["a", "b"]),
        lambda: q | nn.ParameterDict({"zz": torch.ones(1)}), lambda: "n" in q, lambda: len(q),
        lambda: list(reversed(q)), lambda: q.__delitem__("n"), lambda: list(q.state_dict()),
        lambda: q.clear(), lambda: q,
    ):
        attempt(lambda: repr(call()))
    """,
)
program(
    "initial values",
    """
    def make(*size):
        torch.manual_seed(11)
        return torch.zeros(*size)
    for size in ((3, 5), (6, 3), (2, 3, 3)):
        for fill in (
            init.uniform_, init.normal_, init.ones_, init.zeros_, init.xavier_uniform_,
            init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_,
            lambda t: init.uniform_(t, -2.0, 5.0), lambda t: init.normal_(t, 3.0, 0.5),
            lambda t: init.constant_(t, 0.3), lambda t: init.xavier_uniform_(t, 2.0),
            lambda t: init.kaiming_uniform_(t, 0.2, "fan_out"),
            lambda t: init.kaiming_normal_(t, nonlinearity="relu"),
            lambda t: init.kaiming_normal_(t, 0.0, "fan_out", "tanh"),
        ):
            t = make(*size)
            exact(fill(t) is t)
            exact(t)
        for fill in (init.trunc_normal_, lambda t: init.trunc_normal_(t, 1.0, 2.0, -1.0, 2.0),
                     init.orthogonal_, lambda t: init.orthogonal_(t, 2.0)):
            show(fill(make(*size)))
    for bounds in ((0.0, 1.0, -0.3, 0.3), (0.0, 1.0, 3.0, 4.0), (9.0, 1.0, -2.0, 2.0),
                   (0.2, 3.0, 0.0, 0.7)):
        attempt(lambda: init.trunc_normal_(make(40), *bounds))
    exact(init.eye_(make(3, 5)))
    exact(init.sparse_(make(6, 4), 0.4))
    exact(init.sparse_(make(6, 4), 0.4, 2.0))
    for size in ((4, 2, 3), (4, 2, 3, 3), (6, 2, 1, 3, 2)):
        exact(init.dirac_(make(*size)))
        exact(init.dirac_(make(*size), 2))
    g = torch.Generator().manual_seed(5)
    exact([init.uniform_(make(3, 2), generator=g), init.kaiming_normal_(make(3, 2), generator=g)])
    exact([init.calculate_gain(n) for n in ("linear", "conv2d", "conv_transpose3d", "sigmoid",
           "tanh", "relu", "leaky_relu", "selu")] + [init.calculate_gain("leaky_relu", 0.5)])
    w = nn.Parameter(torch.zeros(2))
    exact([init.ones_(w) is w, w.requires_grad, w.grad_fn, w._version])
    """,
)
program(
    "clipping gradients",
    """
    from torch.nn import utils
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    show([utils.clip_grad_norm_([a, b], 1.0), utils.clip_grad_norm_([], 1.0)])
    def reset():
        a.grad = torch.tensor([3.0, 4.0])
        b.grad = torch.tensor([0.0, -5.0, 12.0])
    for norm in (2, 1, 0, 3, 1.5, float("inf"), float("-inf")):
        for largest in (130.0, 1.0):
            reset()
            show([utils.clip_grad_norm_(iter([a, b]), largest, norm), a.grad, b.grad,
                  a.grad._version])
    reset()
    show([utils.clip_grad_norm_(a, 0.1), a.grad])
    show([utils.get_total_norm([a.grad, b.grad]), utils.get_total_norm([])])
    a.grad = torch.tensor([float("nan"), 1.0])
    attempt(lambda: utils.clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True))
    show(b.grad)
    show([utils.clip_grad_norm_([a, b], 1.0), b.grad])
    reset()
    show([utils.clip_grad_value_([a, b], 3.5), a.grad, b.grad])
    utils.clip_grads_with_norm_([a, b], 1.0, torch.tensor(2.0))
    show([a.grad, b.grad])
    c = nn.Parameter(torch.ones(2, dtype=torch.float64))
    c.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    show([utils.clip_grad_norm_([a, c], 1.0), c.grad])
    attempt(lambda: utils.clip_grad_norm_((p for p in []), 1.0))
    """,
)
program(
    "parameters as a vector",
    """
    from torch.nn import utils
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(1, 3))
    show(utils.parameters_to_vector([a, b]))
    exact(type(utils.parameters_to_vector([a, b]).grad_fn).__name__)
    vector = torch.arange(5.0)
    utils.vector_to_parameters(vector, [a, b])
    vector.add_(1)
    show([a, b])
    attempt(lambda: utils.vector_to_parameters(3, [a, b]))
    attempt(lambda: utils.vector_to_parameters(torch.ones(3), [a, b]))
    show(b)
    """,
)

# Optimizers: 20 steps of each, by all options.

OPTIMIZER = """
torch.manual_seed(7)
params = [nn.Parameter(torch.randn(4, 3, dtype=torch.{dtype})),
          nn.Parameter(torch.randn(5, dtype=torch.{dtype}))]
o = optim.{name}(params, **{options})
exact(repr(o))
for step in range(20):
    for p in params:
        p.grad = torch.randn_like(p) * (1 + step % 3)
    o.step()
    if step in (0, 19):
        show(params)
show(o.state_dict())
exact([p._version > 0 for p in params])
"""
OPTIONS = {
    "SGD": [{"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.1, "maximize": True},
            {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
            {"momentum": 0.9, "nesterov": True},
            {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True}],
    "Adam": [{}, {"amsgrad": True}, {"weight_decay": 0.1}, {"maximize": True},
             {"weight_decay": 0.1, "decoupled_weight_decay": True},
             {"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-3}],
    "AdamW": [{}, {"amsgrad": True, "maximize": True}, {"lr": 0.1, "weight_decay": 0.3}],
    "RMSprop": [{}, {"momentum": 0.9}, {"centered": True}, {"alpha": 0.5, "eps": 1e-3},
                {"momentum": 0.9, "centered": True, "weight_decay": 0.1, "maximize": True}],
    "Adagrad": [{}, {"lr_decay": 0.1, "weight_decay": 0.1},
                {"initial_accumulator_value": 0.3, "maximize": True}],
    "Adadelta": [{}, {"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}],
    "Adamax": [{}, {"betas": (0.5, 0.7), "weight_decay": 0.1, "maximize": True}],
    "NAdam": [{}, {"momentum_decay": 0.1, "weight_decay": 0.1},
              {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True}],
    "RAdam": [{}, {"weight_decay": 0.1},
              {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True}],
    "ASGD": [{}, {"t0": 5, "lambd": 0.1, "weight_decay": 0.1}, {"maximize": True, "alpha": 0.3}],
    "Rprop": [{}, {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.05), "maximize": True}],
}  # fmt: skip
for name, table in OPTIONS.items():
    for options in table:
        program(f"{name} {options}", OPTIMIZER.format(name=name, options=options, dtype="float32"))
    for dtype in ("float64", "complex64"):
        text = OPTIMIZER.format(name=name, options=table[-1], dtype=dtype)
        program(f"{name} {table[-1]} {dtype}", text)

for options in ({}, {"lr": 0.1, "max_iter": 7, "history_size": 3},
                {"line_search_fn": "strong_wolfe"},
                {"line_search_fn": "strong_wolfe", "max_iter": 9, "history_size": 2,
                 "max_eval": 12}):  # fmt: skip
    program(
        f"LBFGS {options}",
        f"""
        p = torch.tensor([0.3, -1.2, 0.7, 1.9], dtype=torch.float64, requires_grad=True)
        q = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
        o = optim.LBFGS([p, q], **{options})
        exact(repr(o))
        def closure():
            o.zero_grad()
            loss = 3 * (p * p).sum() + ((q - p.sum()) ** 2).sum() + p[0] * q[1]
            loss.backward()
            return loss
        for _ in range(3):
            show(o.step(closure))
            show([p, q, o.state[p]["func_evals"], o.state[p]["n_iter"]])
        """,
    )

program(
    "optimizers: wrong options",
    """
    p, q = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
    for call in (
        lambda: optim.SGD([]), lambda: optim.SGD(p), lambda: optim.SGD([3]),
        lambda: optim.SGD([p * 2]), lambda: optim.SGD([p, p]) and None,
        lambda: optim.SGD([{"params": p}, {"params": p}]), lambda: optim.SGD([{"params": {p}}]),
        lambda: optim.SGD([{"lr": 1}]), lambda: optim.SGD([("a", p), q]),
        lambda: optim.SGD([p], lr=-1), lambda: optim.SGD([p], momentum=-1),
        lambda: optim.SGD([p], weight_decay=-1), lambda: optim.SGD([p], nesterov=True),
        lambda: optim.SGD([p], momentum=0.9, nesterov=True, dampening=0.1),
        lambda: optim.SGD([p], lr=torch.tensor([0.1, 0.2])),
        lambda: optim.SGD([p], foreach=True, fused=True),
        lambda: optim.SGD([p], differentiable=True, fused=True), lambda: optim.SGD({"a": p}),
        lambda: optim.SGD(None), lambda: optim.Adam([p], lr=-1), lambda: optim.Adam([p], eps=-1),
        lambda: optim.Adam([p], betas=(2, 0.9)), lambda: optim.Adam([p], betas=(0.9, 1.0)),
        lambda: optim.Adam([p], weight_decay=-1), lambda: optim.Adam([p], betas=0.9),
        lambda: optim.Adam([p], lr=torch.tensor(0.1), foreach=True),
        lambda: optim.RMSprop([p], alpha=-1), lambda: optim.RMSprop([p], momentum=-1),
        lambda: optim.RMSprop([p], eps=-1), lambda: optim.Adagrad([p], lr_decay=-1),
        lambda: optim.Adagrad([p], initial_accumulator_value=-1),
        lambda: optim.Adadelta([p], rho=2), lambda: optim.Adadelta([p], eps=-1),
        lambda: optim.Adamax([p], betas=(-1, 2)), lambda: optim.NAdam([p], momentum_decay=-1),
        lambda: optim.Rprop([p], etas=(2, 3)), lambda: optim.ASGD([p], weight_decay=-1),
        lambda: optim.LBFGS([{"params": p}, {"params": q}]),
        lambda: optim.Optimizer([p], {}).step(), lambda: optim.SGD([p]).step(3),
        lambda: optim.SGD([p]).add_param_group(3),
        lambda: optim.SGD([p]).add_param_group({"params": p}),
        lambda: optim.SGD([p]).add_param_group({"params": [3]}),
        lambda: optim.SGD([p]).add_param_group({"params": [("a", q)]}),
        lambda: optim.SGD([("a", p)]).add_param_group({"params": [q]}),
        lambda: optim.SGD([p]).load_state_dict({}),
        lambda: optim.SGD([p]).load_state_dict(optim.SGD([p, q]).state_dict()),
        lambda: optim.SGD([p]).load_state_dict(
            optim.SGD([{"params": p}, {"params": q}]).state_dict()),
    ):
        attempt(call)
    for make in (optim.SGD, optim.Adam):
        p.data = torch.ones(3)
        p.grad = torch.ones(3)
        p.data = torch.ones(2)
        attempt(make([p]).step)
        show(p)
    """,
)
program(
    "optimizers: groups, state and closures",
    """
    import copy, pickle
    p, q = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
    p.grad, q.grad = torch.ones(3), torch.ones(2)
    o = optim.Adam([{"params": [p]}, {"params": q, "lr": 0.2, "foo": 3}], amsgrad=True)
    exact(repr(o))
    exact(o.state_dict())
    o.step()
    exact(list(o.state_dict()["state"]))
    show(o.state_dict())
    exact(optim.SGD([("a", p), ("b", q)]).state_dict())
    exact(optim.Adagrad([p]).state_dict())
    o = optim.SGD(iter([p]), lr=torch.tensor(0.5))
    exact(repr(o))
    exact(o.step(lambda: 4))
    show([p, p.grad])
    exact(o.state_dict()["state"])
    o.zero_grad(set_to_none=False)
    show(p.grad)
    o.zero_grad()
    exact(p.grad)
    exact(o.step())
    show(p)
    seen = []
    def closure():
        seen.append(torch.is_grad_enabled())
        return 3
    with torch.no_grad():
        exact(optim.SGD([p]).step(closure))
    exact(seen)
    # a state goes to another optimizer, and to another dtype
    p.grad = torch.ones(3)
    o = optim.Adam([p], lr=0.3)
    o.step()
    other = nn.Parameter(torch.ones(3, dtype=torch.float64))
    other.grad = torch.ones(3, dtype=torch.float64)
    o2 = optim.Adam([other])
    o2.load_state_dict(o.state_dict())
    o2.step()
    show([other, o2.state_dict()])
    old = {"state": {0: {"step": 3, "exp_avg": torch.ones(3), "exp_avg_sq": torch.ones(3)}},
           "param_groups": [{**o.state_dict()["param_groups"][0]}]}
    o2.load_state_dict(old)
    show(o2.state_dict()["state"][0])
    for copied in (pickle.loads(pickle.dumps(o)), copy.deepcopy(o)):
        mine = copied.param_groups[0]["params"][0]
        mine.grad = torch.ones(3)
        copied.step()
        show([mine, copied.state[mine]["step"]])
    show([p, o.state[p]["step"]])
    """,
)
program(
    "optimizers: hooks",
    """
    p = nn.Parameter(torch.ones(1))
    p.grad = torch.ones(1)
    o = optim.SGD([p], lr=1.0)
    seen = []
    def note(name):
        return lambda *args: seen.append(
            [name, [type(a).__name__ for a in args], len(args[1]) if len(args) == 3 else 0])
    h = [o.register_step_pre_hook(note("pre")), o.register_step_post_hook(note("post")),
         o.register_state_dict_pre_hook(note("state pre")),
         o.register_state_dict_post_hook(note("state post")),
         o.register_state_dict_post_hook(note("first"), prepend=True),
         o.register_load_state_dict_pre_hook(note("load pre")),
         o.register_load_state_dict_post_hook(note("load post"))]
    o.step()
    exact(o.step(lambda: 5))
    o.load_state_dict(o.state_dict())
    exact(seen)
    for handle in h:
        handle.remove()
    o.step()
    exact(len(seen))
    show(p)

    class Mine(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.5})
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad, alpha=-group["lr"])
                    self.state[p]["n"] = self.state[p].get("n", 0) + 1
    mine = Mine([p])
    mine.register_step_post_hook(lambda *args: seen.append("mine"))
    mine.step()
    show([p, mine.state_dict(), seen[-1]])
    exact(repr(mine))
    """,
)

# Schedules: the rates of 14 epochs.

SCHEDULE = """
def make(S, o):
    return {make}
def optimizer():
    return optim.{name}([{{"params": [nn.Parameter(torch.ones(1))], "lr": 0.1}},
                        {{"params": [nn.Parameter(torch.ones(1))], "lr": 0.4}}], **{options})
def groups(o):
    return [{{k: v for k, v in g.items() if k != "params"}} for g in o.param_groups]
o = optimizer()
s = make(lr_scheduler, o)
for epoch in range({epochs}):
    if epoch in (0, {epochs} - 1):
        show([groups(o), s.state_dict(), s.get_last_lr()])
    show([[g["lr"], g.get("momentum"), g.get("betas")] for g in o.param_groups])
    o.step()
    {step}
if {reload}:
    o2 = optimizer()
    s2 = make(lr_scheduler, o2)
    o2.load_state_dict(o.state_dict())
    s2.load_state_dict(s.state_dict())
    o.step()
    o2.step()
    s.step()
    s2.step()
    show([groups(o), groups(o2)])
"""


def schedule(make: str, name: str = "SGD", *, step: str = "s.step()", epochs: int = 14,
             reload: bool = True, **options: float) -> None:  # fmt: skip
    text = SCHEDULE.format(make=make, name=name, step=step, epochs=epochs, options=options,
                           reload=reload)  # fmt: skip
    program(f"{name} {make}", text)


for text in (
    "S.StepLR(o, 3, 0.5)", "S.MultiStepLR(o, [3, 3, 5], 0.5)", "S.ExponentialLR(o, 0.9)",
    "S.ConstantLR(o, 0.5, 3)", "S.LinearLR(o, 0.5, 0.9, 4)", "S.PolynomialLR(o, 4, 2.0)",
    "S.CosineAnnealingLR(o, 4, 0.01)", "S.CosineAnnealingWarmRestarts(o, 3, 2, 0.01)",
    "S.CosineAnnealingWarmRestarts(o, 3)", "S.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (1 + e)])",
    "S.MultiplicativeLR(o, lambda e: 0.9)",
    "S.SequentialLR(o, [S.ConstantLR(o, 0.5, 2), S.ExponentialLR(o, 0.9)], [3])",
    "S.SequentialLR(o, [S.LinearLR(o, 0.1), S.CosineAnnealingWarmRestarts(o, 3, 2)], [5])",
    "S.ChainedScheduler([S.ConstantLR(o, 0.5, 4), S.ExponentialLR(o, 0.9)])",
):  # fmt: skip
    schedule(text)
for text in ("total_steps=30", "epochs=4, steps_per_epoch=5", "total_steps=24, three_phase=True",
             "total_steps=20, anneal_strategy='linear', pct_start=0.5"):  # fmt: skip
    schedule(f"S.OneCycleLR(o, [0.5, 1.0], {text})", momentum=0.9)
    schedule(f"S.OneCycleLR(o, 0.5, {text})", "Adam")
for text in ("", ", mode='triangular2'", ", mode='exp_range', gamma=0.9", ", step_size_down=3",
             ", scale_fn=lambda x: 1 / x", ", cycle_momentum=False"):  # fmt: skip
    schedule(f"S.CyclicLR(o, 0.1, [0.5, 1.0], 4{text})", momentum=0.9)
schedule("S.CyclicLR(o, 0.1, 1.0, 4)", "AdamW")
for text in ("factor=0.5, patience=1", "mode='max', patience=0", "min_lr=[0.02, 0.2], patience=0",
             "threshold_mode='abs', threshold=0.3, patience=1, cooldown=2",
             "mode='max', threshold_mode='abs', threshold=0.2, patience=0"):  # fmt: skip
    schedule(f"S.ReduceLROnPlateau(o, {text})", reload=False,
             step="s.step([3, 2, 2.5, 2, 1, 1.2, 1.1, 1.3, 1, 0.5, 3, 3, 3, 3][epoch])")  # fmt: skip
program(
    "schedules: resuming and steps to an epoch",
    """
    S = lr_scheduler
    for make in (
        lambda o, e: S.StepLR(o, 3, 0.5, e), lambda o, e: S.MultiStepLR(o, [3, 4], 0.5, e),
        lambda o, e: S.ExponentialLR(o, 0.9, e), lambda o, e: S.ConstantLR(o, 0.5, 3, e),
        lambda o, e: S.LinearLR(o, 0.5, 1.0, 4, e), lambda o, e: S.PolynomialLR(o, 4, 2.0, e),
        lambda o, e: S.CosineAnnealingLR(o, 4, 0.01, e), lambda o, e: S.LambdaLR(o, lambda k: 0.9**k, e),
        lambda o, e: S.MultiplicativeLR(o, lambda k: 0.9, e),
        lambda o, e: S.CosineAnnealingWarmRestarts(o, 3, 2, last_epoch=e),
    ):
        for last in (-1, 0, 2, 5):
            o = optim.SGD([{"params": [nn.Parameter(torch.ones(1))], "lr": 0.07, "initial_lr": 0.1}])
            s = make(o, last)
            rates = [o.param_groups[0]["lr"]]
            o.step()
            for _ in range(5):
                s.step()
                rates.append(o.param_groups[0]["lr"])
            show(rates)
        o = optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
        s = make(o, -1)
        rates = []
        for epoch in (0, 3, 4, 9):
            s.step(epoch)
            rates.append([o.param_groups[0]["lr"], s.last_epoch])
        show(rates)
    o = optim.SGD([nn.Parameter(torch.ones(1))], lr=torch.tensor(0.1))
    s = S.ExponentialLR(o, 0.5)
    rate = o.param_groups[0]["lr"]
    o.step()
    s.step()
    show([rate, rate is o.param_groups[0]["lr"], s.get_last_lr(), s.base_lrs])
    """,
)
program(
    "schedules: wrong options",
    """
    S = lr_scheduler
    o = optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    o2 = optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    bare = optim.Adagrad([nn.Parameter(torch.ones(1))])
    late = S.StepLR(optim.SGD([nn.Parameter(torch.ones(1))]), 3)
    for call in (
        lambda: S.StepLR(3, 1), lambda: S.StepLR(o, 3, last_epoch=4),
        lambda: S.LambdaLR(o, [len, len]), lambda: S.MultiplicativeLR(o, []),
        lambda: S.LinearLR(o, 2.0), lambda: S.LinearLR(o, 0), lambda: S.LinearLR(o, end_factor=-1),
        lambda: S.ConstantLR(o, 2.0), lambda: S.CosineAnnealingWarmRestarts(o, 0),
        lambda: S.CosineAnnealingWarmRestarts(o, 3, 1.5), lambda: S.OneCycleLR(o, 1.0),
        lambda: S.CosineAnnealingWarmRestarts(o, 3).step(-1),
        lambda: S.OneCycleLR(o, 1.0, total_steps=-1), lambda: S.OneCycleLR(o, 1.0, epochs=1),
        lambda: S.OneCycleLR(o, 1.0, epochs=0, steps_per_epoch=1),
        lambda: S.OneCycleLR(o, 1.0, epochs=1, steps_per_epoch=0),
        lambda: S.OneCycleLR(o, 1.0, total_steps=9, pct_start=2.0),
        lambda: S.OneCycleLR(o, 1.0, total_steps=9, anneal_strategy="x"),
        lambda: S.OneCycleLR(bare, 1.0, total_steps=9), lambda: S.CyclicLR(bare, 0.1, 1.0),
        lambda: S.CyclicLR(o, 0.1, 1.0, mode="q"), lambda: S.CyclicLR(o, [0.1, 0.2], 1.0),
        lambda: S.ReduceLROnPlateau(o, factor=1.0), lambda: S.ReduceLROnPlateau(3),
        lambda: S.ReduceLROnPlateau(o, mode="q"), lambda: S.ReduceLROnPlateau(o, min_lr=[1, 2]),
        lambda: S.ReduceLROnPlateau(o, threshold_mode="q"), lambda: S.SequentialLR(o, [], []),
        lambda: S.SequentialLR(o, [S.StepLR(o, 1)], [1]),
        lambda: S.SequentialLR(o, [S.StepLR(o, 1), S.ReduceLROnPlateau(o)], [1]),
        lambda: S.SequentialLR(o, [S.StepLR(o2, 1), S.StepLR(o, 1)], [1]),
        lambda: S.ChainedScheduler([]),
        lambda: S.ChainedScheduler([S.StepLR(o, 1), S.StepLR(o2, 1)]),
        lambda: late.step(), lambda: late.get_lr(), lambda: late.step(5),
        lambda: S.LRScheduler(o), lambda: S.StepLR(o, 0),
    ):
        attempt(call, plain=True)
    s = S.OneCycleLR(o, 1.0, total_steps=2)
    o.step()
    s.step()
    s.step()
    attempt(s.step)
    """,
)

# Data

program(
    "datasets",
    """
    ds = data.TensorDataset(torch.arange(10), torch.arange(10) * 2.0)
    class Steps(data.IterableDataset):
        def __iter__(self):
            return iter(range(5))
    class Bare(data.Dataset):
        pass
    joined = ds + data.Subset(ds, [1])
    for call in (
        lambda: data.TensorDataset(torch.ones(2), torch.ones(3)), lambda: ds[0], lambda: ds[2:4],
        lambda: len(ds), lambda: data.Subset(ds, [1, 3])[0], lambda: data.Subset(ds, [1, 3])[[0, 1]],
        lambda: data.ConcatDataset([]), lambda: data.ConcatDataset([Steps()]),
        lambda: joined[10], lambda: joined[-1], lambda: joined[11], lambda: joined[-12],
        lambda: [len(joined), joined.cumulative_sizes], lambda: Bare()[0], lambda: len(Bare()),
        lambda: data.StackDataset(range(3), range(3))[1], lambda: data.StackDataset(a=range(3))[1],
        lambda: data.StackDataset(), lambda: data.StackDataset(range(2), range(3)),
        lambda: data.StackDataset(range(2), a=range(2)),
        lambda: list(data.ChainDataset([Steps(), Steps()])), lambda: list(Steps() + Steps()),
        lambda: list(data.ChainDataset([ds])), lambda: data.IterableDataset(),
        lambda: [x.indices for x in data.random_split(
            ds, [7, 3], generator=torch.Generator().manual_seed(0))],
        lambda: [len(x) for x in data.random_split(ds, [0.5, 0.3, 0.2])],
        lambda: [len(x) for x in data.random_split(range(3), [0.2, 0.1, 0.7])],
        lambda: data.random_split(ds, [0.5, 0.6]), lambda: data.random_split(ds, [5, 6]),
        lambda: data.random_split(ds, [-0.5, 1.5]),
    ):
        attempt(call)
    torch.manual_seed(1)
    exact([x.indices for x in data.random_split(ds, [0.6, 0.4])])
    """,
)
program(
    "samplers",
    """
    g = torch.Generator().manual_seed(1)
    few = range(10)
    for call in (
        lambda: list(data.RandomSampler(few, generator=g)),
        lambda: list(data.RandomSampler(few, True, 40, g)),
        lambda: list(data.RandomSampler(few, num_samples=25, generator=g)),
        lambda: list(data.RandomSampler(few, num_samples=4, generator=g)),
        lambda: list(data.SubsetRandomSampler([3, 5, 7], g)),
        lambda: list(data.WeightedRandomSampler([0.1, 0.9, 0.5], 5, generator=g)),
        lambda: list(data.WeightedRandomSampler([0.1, 0.9, 0.5], 3, False, g)),
        lambda: list(data.BatchSampler(data.SequentialSampler(range(5)), 2, True)),
        lambda: list(data.BatchSampler(data.SequentialSampler(range(5)), 2, False)),
        lambda: [len(data.BatchSampler(data.SequentialSampler(range(5)), 2, d)) for d in (True, False)],
        lambda: data.RandomSampler([]), lambda: data.RandomSampler(few, replacement=3),
        lambda: data.RandomSampler(few, num_samples=0),
        lambda: data.WeightedRandomSampler([[0.1]], 3), lambda: data.WeightedRandomSampler([0.1], 0),
        lambda: data.WeightedRandomSampler([0.1], 1, 3),
        lambda: data.BatchSampler(data.SequentialSampler(few), 0, False),
        lambda: data.BatchSampler(data.SequentialSampler(few), 2, 3),
    ):
        attempt(call)
    exact(torch.rand(3, generator=g))
    torch.manual_seed(4)
    exact([list(data.RandomSampler(few)), torch.rand(2)])
    """,
)
program(
    "batches",
    """
    from collections import namedtuple
    import numpy as np
    P = namedtuple("P", "a b")
    for batch in (
        [1, 2], [1.0, 2.0], ["a", "b"], [b"a"], [np.float64(1), np.float64(2)], [np.float32(1)],
        [np.array([1, 2]), np.array([3, 4])], [torch.ones(2), torch.zeros(2)], [(1, 2.0), (3, 4.0)],
        [[1, 2], [3, 4]], [{"a": 1}, {"a": 2}], [P(1, 2), P(3, 4)], [None], [True, False],
        [(1, 2), (3,)], [np.array(["a"])], [{"a": 1, "b": torch.ones(1)}], [np.array(3), np.array(4)],
        [torch.ones(2), torch.ones(3)], [1 + 2j], [np.int32(3)], [np.True_], [(1, "a"), (2, "b")], [],
    ):
        attempt(lambda: data.default_collate(batch))
    for value in ([1, 2], np.ones(2), "a", (1, np.ones(2)), {"a": np.ones(1)}, P(np.ones(1), 2), 3,
                  np.float32(1)):
        attempt(lambda: data.default_convert(value))
    """,
)
program(
    "loaders",
    """
    ds = data.TensorDataset(torch.arange(10), torch.arange(10) * 2.0)
    class Steps(data.IterableDataset):
        def __iter__(self):
            return iter(range(5))
    class Sized(Steps):
        def __len__(self):
            return 3
    class Many(data.Dataset):
        def __len__(self):
            return 5
        def __getitems__(self, numbers):
            return [n * 10 for n in numbers]
    torch.manual_seed(0)
    for _ in range(2):
        exact([b for b in data.DataLoader(ds, 4, shuffle=True)])
    halves = data.random_split(ds, [6, 4])
    exact([b for b in data.DataLoader(halves[0], 4, shuffle=True)])
    exact(torch.rand(2))
    g = torch.Generator().manual_seed(3)
    for call in (
        lambda: list(data.DataLoader(range(6), 4, shuffle=True, generator=g)),
        lambda: list(data.DataLoader(ds, 3, drop_last=True)), lambda: list(data.DataLoader(range(3))),
        lambda: list(data.DataLoader(range(3), batch_size=None)),
        lambda: list(data.DataLoader(range(4), batch_sampler=[[0, 1], [3]])),
        lambda: list(data.DataLoader(range(4), sampler=[3, 1])), lambda: list(data.DataLoader([])),
        lambda: list(data.DataLoader(Steps(), 2)), lambda: list(data.DataLoader(Steps(), 2, drop_last=True)),
        lambda: list(data.DataLoader(Steps(), None)), lambda: len(data.DataLoader(Sized(), 2)),
        lambda: len(data.DataLoader(Steps())), lambda: list(data.DataLoader(Many(), 2)),
        lambda: next(iter(data.DataLoader(ds, 2, collate_fn=lambda b: b))),
        lambda: [len(data.DataLoader(ds, 3, drop_last=d)) for d in (True, False)],
        lambda: len(iter(data.DataLoader(range(3)))), lambda: data.get_worker_info(),
        lambda: data.DataLoader(ds, shuffle=True, sampler=data.SequentialSampler(ds)),
        lambda: data.DataLoader(ds, 0), lambda: data.DataLoader(ds, None, drop_last=True),
        lambda: data.DataLoader(ds, 2, batch_sampler=[[1]]), lambda: data.DataLoader(ds, num_workers=-1),
        lambda: data.DataLoader(ds, timeout=-1), lambda: data.DataLoader(ds, prefetch_factor=2),
        lambda: data.DataLoader(ds, persistent_workers=True), lambda: data.DataLoader(ds, True),
        lambda: data.DataLoader(ds, multiprocessing_context="fork"),
        lambda: data.DataLoader(Steps(), shuffle=True), lambda: data.DataLoader(Steps(), sampler=[1]),
        lambda: data.DataLoader(Steps(), batch_sampler=[[1]]), lambda: data.DataLoader([], shuffle=True),
        lambda: setattr(data.DataLoader(ds), "batch_size", 3),
    ):
        attempt(call)
    exact([torch.rand(1, generator=g), torch.rand(1)])
    """,
)

# All of it together

TRAINING = """
torch.manual_seed(1)
x = torch.randn(40, 5, dtype=torch.{dtype})
target = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 0.5).long()
loader = data.DataLoader(data.TensorDataset(x, target), 8, shuffle=True)
model = nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2),
                      nn.Linear(16, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)).to(torch.{dtype})
loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = {optimizer}
schedule = {schedule}
for epoch in range({epochs}):
    losses = []
    for batch, wanted in loader:
        optimizer.zero_grad()
        loss = loss_of(model(batch), wanted)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
    schedule.step()
    show(losses)
show(model.eval()(x[:5]))
"""
for optimizer in ("optim.SGD(model.parameters(), 0.3, 0.9, nesterov=True)",
                  "optim.AdamW(model.parameters(), 0.02)", "optim.RMSprop(model.parameters())"):  # fmt: skip
    for dtype, epochs in (("float64", 6), ("float32", 1)):
        if dtype == "float32" and "SGD" not in optimizer:
            continue  # the others blow up the rounding errors of gradients that are zero
        program(
            f"training by {optimizer} in {dtype}",
            TRAINING.format(
                optimizer=optimizer,
                dtype=dtype,
                epochs=epochs,
                schedule="lr_scheduler.CosineAnnealingLR(optimizer, 6)",
            ),
        )

if __name__ == "__main__":
    save()
