"""Record what parametrizations, normalised weights, pruning and fusion give in PyTorch, for
tests/test_nn_utils.py.

    python conformance/record_utils.py

writes tests/data/nn_utils.json. Needs torch. See record_nn.py for how programs show values.
"""

from __future__ import annotations

import re

from record_nn import ROOT, recorder

program, save = recorder(ROOT / "tests" / "data" / "nn_utils.json")

CLASSES = """
from torch.nn.utils import parametrize as P
class Symmetric(nn.Module):
    def forward(self, X):
        return X.triu() + X.triu(1).T
class First(nn.Module):
    def forward(self, X):
        return X[:1]
class Doubled(nn.Module):
    def forward(self, X):
        return X.double()
class Three(nn.Module):
    def forward(self, *X):
        return 3
class Back(nn.Module):
    def __init__(self, back):
        super().__init__()
        self.back = back
    def forward(self, *X):
        return X[0] * 2
    def right_inverse(self, A):
        return self.back(A)
class Sum(nn.Module):
    def forward(self, x, y):
        return x + y
    def right_inverse(self, A):
        return A - 1, A * 0 + 1
class Twice(nn.Module):
    def forward(self, x):
        return 2 * x
    def right_inverse(self, x):
        return x / 2
class Plus(nn.Module):
    def forward(self, x):
        return x + 1
    def right_inverse(self, x):
        return x - 1
R = P.register_parametrization
def layer():
    return nn.Linear(3, 3)
def two(a, b, **options):
    m = R(layer(), 'weight', a)
    return R(m, 'weight', b, **options)
"""

program(
    "parametrize: errors",
    CLASSES
    + """
for call in (
    lambda: R(layer(), 'x', Symmetric()), lambda: R(layer(), 'in_features', Symmetric()),
    lambda: R(layer(), 'weight', First()), lambda: R(layer(), 'weight', Doubled()),
    lambda: R(layer(), 'weight', Three()), lambda: R(layer(), 'weight', Back(lambda a: 3)),
    lambda: R(layer(), 'weight', Back(lambda a: a[:1])),
    lambda: R(layer(), 'weight', Back(lambda a: a.double())),
    lambda: R(layer(), 'weight', Back(lambda a: [])), lambda: R(layer(), 'weight', Back(lambda a: [3])),
    lambda: R(layer(), 'weight', Back(lambda a: (a, 3))), lambda: two(Symmetric(), Symmetric()),
    lambda: two(Symmetric(), First()), lambda: two(Symmetric(), Doubled()), lambda: two(Symmetric(), Three()),
    lambda: two(Symmetric(), Back(lambda a: a.double())), lambda: two(Symmetric(), Back(lambda a: a[:1])),
    lambda: two(Symmetric(), Back(lambda a: 3)), lambda: two(Sum(), Symmetric()),
    lambda: two(Symmetric(), Plus()),
    lambda: setattr(two(Symmetric(), Symmetric()), 'weight', torch.ones(3, 3)),
    lambda: setattr(R(layer(), 'weight', Sum()), 'weight', torch.ones(3, 3).double()),
    lambda: setattr(R(layer(), 'weight', Twice()), 'weight', torch.ones(3, 3).double()),
    lambda: setattr(R(layer(), 'weight', Twice()), 'weight', nn.Parameter(torch.ones(3, 3))),
    lambda: P.remove_parametrizations(layer(), 'weight'),
    lambda: P.remove_parametrizations(R(layer(), 'weight', Sum()), 'weight', False),
    lambda: P.remove_parametrizations(R(layer(), 'weight', Sum()), 'bias'),
    lambda: P.ParametrizationList([], nn.Parameter(torch.ones(3, 3))),
    lambda: delattr(R(layer(), 'weight', Sum()), 'weight'),
    lambda: P.remove_parametrizations(R(layer(), 'weight', First(), unsafe=True), 'weight').weight,
):
    attempt(call)
import pickle
attempt(lambda: pickle.dumps(R(layer(), 'weight', Sum())))
""",
)
program(
    "parametrize: values and names",
    CLASSES
    + """
import copy
for make in (Symmetric, Sum, Twice):
    m = layer()
    weight = m.weight
    R(m, 'weight', make())
    exact([repr(m), type(m).__name__, list(m.state_dict()), [n for n, _ in m.named_modules()]])
    exact([P.is_parametrized(m), P.is_parametrized(m, 'weight'), P.is_parametrized(m, 'bias')])
    exact([P.type_before_parametrizations(m) is nn.Linear, 'weight' in dir(m)])
    show([m.weight, m.parametrizations.weight.original0 is weight if make is Sum
          else m.parametrizations.weight.original is weight])
    (m(torch.ones(2, 3)) ** 2).sum().backward()
    show([p.grad for p in m.parameters()])
    other = copy.deepcopy(m)
    exact([type(other) is type(m), repr(other)])
    show(other.weight)
    with P.cached():
        exact(m.weight is m.weight)
    exact(m.weight is m.weight)
    show(m.state_dict())
    other.load_state_dict(m.state_dict())
    show(other.weight)
    if make is not Symmetric:
        m.weight = torch.arange(9.0).view(3, 3)
        show(m.state_dict())
    before = m.weight
    P.remove_parametrizations(m, 'weight')
    exact([repr(m), type(m).__name__, list(m.state_dict()), isinstance(m.weight, nn.Parameter),
           m.weight is weight, P.is_parametrized(m)])
    show([m.weight, before])
m = two(Twice(), Plus())
R(m, 'bias', Plus())
exact(repr(m))
show(m.state_dict())
m.weight = torch.zeros(3, 3)
show([m.weight, m.parametrizations.weight.original])
P.remove_parametrizations(m, 'weight', leave_parametrized=False)
show([m.weight, m.bias])
exact(repr(m))
m.register_buffer('b', torch.ones(2, 2))
R(m, 'b', Symmetric(), unsafe=True)
exact([list(m.state_dict()), list(m.buffers())[0].tolist()])
P.remove_parametrizations(m, 'b')
exact([list(m._buffers), list(m.state_dict())])
m = layer().eval()
part = R(nn.Linear(2, 2), 'weight', Plus())
R(m, 'weight', part.parametrizations.weight[0])
exact([part.parametrizations.weight[0].training, m.parametrizations.training])
a, b = R(layer(), 'weight', Sum()), layer()
P.transfer_parametrizations_and_params(a, b)
exact([repr(b), b.parametrizations.weight.original0 is a.parametrizations.weight.original0])
a, b = R(layer(), 'weight', Twice()), nn.Module()
P.transfer_parametrizations_and_params(a, b, 'weight')
show(b.weight)
exact(b.parametrizations.weight.original is a.parametrizations.weight.original)
""",
)

NORMALISED = """
from torch.nn.utils import parametrizations as Z, parametrize as P
torch.manual_seed(2)
m = {make}
exact(repr(m))
show(m.state_dict())
x = {x}
for step in range(3):
    m.zero_grad()
    (m(x) ** 2).sum().backward()
    show([m.weight, [p.grad for p in m.parameters()]])
    with torch.no_grad():
        for p in m.parameters():
            p -= 0.05 * p.grad
m.eval()
show([m(x), m.state_dict()])
{end}
show(m.state_dict())
exact(repr(m))
show(m(x))
"""


def wide(text: str) -> str:
    """A call, its innermost one with dtype=float64."""
    return re.sub(r"(\([^()]*)\)", r"\1, dtype=torch.float64)", text, count=1)


LINEAR, CONV = "torch.randn(2, 4)", "torch.randn(2, 3, 5)"
for text, x in (
    ("Z.weight_norm(nn.Linear(4, 3))", LINEAR), ("Z.weight_norm(nn.Linear(4, 3), dim=None)", LINEAR),
    ("Z.weight_norm(nn.Linear(4, 3), dim=1)", LINEAR), ("Z.weight_norm(nn.Conv1d(3, 2, 3))", CONV),
    ("Z.weight_norm(nn.ConvTranspose1d(3, 2, 3), dim=1)", CONV),
    ("Z.spectral_norm(nn.Linear(4, 3))", LINEAR), ("Z.spectral_norm(nn.Linear(4, 3), dim=1)", LINEAR),
    ("Z.spectral_norm(nn.Conv1d(3, 2, 3), n_power_iterations=3)", CONV),
    ("Z.spectral_norm(nn.ConvTranspose1d(3, 2, 3))", CONV),
    ("Z.orthogonal(nn.Linear(4, 3))", LINEAR), ("Z.orthogonal(nn.Linear(4, 4))", LINEAR),
    ("Z.orthogonal(nn.Linear(4, 6))", LINEAR),
    ("Z.orthogonal(nn.Linear(4, 3), orthogonal_map='matrix_exp')", LINEAR),
    ("Z.orthogonal(nn.Linear(4, 6), orthogonal_map='cayley')", LINEAR),
    ("Z.orthogonal(nn.Linear(4, 6), use_trivialization=False)", LINEAR),
    ("Z.orthogonal(nn.Linear(4, 4), orthogonal_map='cayley', use_trivialization=False)", LINEAR),
):  # fmt: skip
    program(text, NORMALISED.format(make=wide(text), x=wide(x),
                                    end="P.remove_parametrizations(m, 'weight')"))  # fmt: skip
for text, x in (("weight_norm(nn.Linear(4, 3))", LINEAR), ("weight_norm(nn.Linear(4, 3), dim=None)", LINEAR),
                ("weight_norm(nn.Conv1d(3, 2, 3), dim=2)", CONV), ("spectral_norm(nn.Linear(4, 3))", LINEAR),
                ("spectral_norm(nn.Conv1d(3, 2, 3), n_power_iterations=2)", CONV),
                ("spectral_norm(nn.ConvTranspose1d(3, 2, 3))", CONV)):  # fmt: skip
    name = text.partition("(")[0]
    program("older " + text, NORMALISED.format(make="nn.utils." + wide(text), x=wide(x),
                                               end=f"nn.utils.remove_{name}(m)"))  # fmt: skip

program(
    "normalised weights: errors and checkpoints",
    """
    from torch.nn.utils import parametrizations as Z, parametrize as P
    def layer():
        torch.manual_seed(0)
        return nn.Linear(4, 3, dtype=torch.float64)
    ones = torch.ones(4, dtype=torch.float64)
    for call in (
        lambda: Z.orthogonal(layer(), 'x'), lambda: Z.orthogonal(layer(), 'bias'),
        lambda: Z.orthogonal(layer(), orthogonal_map='x'), lambda: Z.spectral_norm(layer(), 'x'),
        lambda: Z.spectral_norm(layer(), dim=2), lambda: Z.spectral_norm(layer(), dim=-3),
        lambda: Z.spectral_norm(layer(), n_power_iterations=0),
        lambda: nn.utils.spectral_norm(layer(), n_power_iterations=0),
        lambda: nn.utils.spectral_norm(nn.utils.spectral_norm(layer())),
        lambda: nn.utils.weight_norm(nn.utils.weight_norm(layer())),
        lambda: nn.utils.remove_weight_norm(layer()), lambda: nn.utils.remove_spectral_norm(layer()),
        lambda: setattr(Z.orthogonal(layer()), 'weight', torch.ones(2, 2)),
        lambda: setattr(Z.orthogonal(layer(), orthogonal_map='cayley', use_trivialization=False), 'weight',
                        torch.eye(3, 4, dtype=torch.float64)),
        lambda: Z.orthogonal(nn.Linear(4, 3, dtype=torch.complex64), orthogonal_map='householder'),
    ):
        attempt(call)
    show(Z.spectral_norm(layer(), 'bias').bias)
    old, new = nn.utils.weight_norm(layer()), Z.weight_norm(layer())
    new.load_state_dict(old.state_dict())
    show(new.state_dict())
    for make in (nn.utils.spectral_norm, Z.spectral_norm, Z.orthogonal):
        a, b = make(layer()), make(layer())
        a(ones)
        b.load_state_dict(a.state_dict())
        show(b.eval()(ones))
    exact(nn.utils.spectral_norm(layer()).state_dict()._metadata)
    m = Z.orthogonal(nn.Linear(3, 3))
    m.weight = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    show([m.weight, m.state_dict()])
    m = Z.orthogonal(nn.Linear(3, 2, dtype=torch.complex128))
    show((m.weight @ m.weight.mH).real)
    """,
)

program(
    "fusion, skip_init, functional_call",
    """
    from torch.nn.utils import fusion, stateless
    def randomised(bn):
        for t in (bn.running_mean, bn.bias, bn.weight):
            if t is not None:
                t.data.normal_()
        bn.running_var.uniform_(0.5, 2)
        return bn.eval()
    for conv, bn, x in (
        (nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), torch.randn(2, 3, 5, 5)),
        (nn.Conv1d(3, 4, 2, bias=False), nn.BatchNorm1d(4, affine=False), torch.randn(2, 3, 5)),
        (nn.ConvTranspose1d(3, 4, 2), nn.BatchNorm1d(4), torch.randn(2, 3, 5)),
    ):
        randomised(bn)
        transpose = isinstance(conv, nn.ConvTranspose1d)
        fused = fusion.fuse_conv_bn_eval(conv.eval(), bn, transpose)
        exact([repr(fused), fused.weight.requires_grad, fused.bias.requires_grad])
        show([fused(x), bn(conv(x)), fused.state_dict()])
    linear, bn = nn.Linear(3, 4).eval(), randomised(nn.BatchNorm1d(4))
    fused = nn.utils.fuse_linear_bn_eval(linear, bn)
    x = torch.randn(2, 3)
    show([fused(x), bn(linear(x))])
    show(nn.utils.fuse_linear_bn_eval(linear, randomised(nn.BatchNorm1d(1))).state_dict())
    attempt(lambda: nn.utils.fuse_linear_bn_eval(linear, randomised(nn.BatchNorm1d(3))))
    attempt(lambda: nn.utils.fuse_linear_bn_eval(linear.train(), bn))
    attempt(lambda: nn.utils.fuse_conv_bn_eval(conv, bn.train()))
    before = torch.get_rng_state()
    m = nn.utils.skip_init(nn.Linear, 3, out_features=2, dtype=torch.float64)
    exact([repr(m), str(m.weight.dtype), m.weight.requires_grad, torch.equal(before, torch.get_rng_state())])
    attempt(lambda: nn.utils.skip_init(nn.ReLU))
    attempt(lambda: nn.utils.skip_init(int))
    other = {'weight': torch.ones(1, 1), 'bias': torch.ones(1)}
    attempt(lambda: stateless.functional_call(nn.Linear(1, 1), other, torch.ones(1)))
    exact(nn.utils.convert_conv2d_weight_memory_format(conv, torch.channels_last) is conv)
    """,
)

PRUNED = """
from torch.nn.utils import prune
torch.manual_seed(1)
m = nn.Sequential(nn.Linear(4, 3), nn.Conv1d(2, 3, 2))
def pruned(part, name, how, *args, **kwargs):
    exact(getattr(prune, how)(part, name, *args, **kwargs) is part)
    exact([list(part.state_dict()), [n for n, _ in part.named_parameters()], prune.is_pruned(m)])
    show([getattr(part, name), getattr(part, name + '_mask')])
    exact([type(h).__name__ for h in part._forward_pre_hooks.values()])
{body}
x = torch.randn(2, 4)
(m[0](x) ** 2).sum().backward()
show([(n, p.grad) for n, p in m[0].named_parameters()])
for part in m:
    for name in ('weight', 'bias'):
        if hasattr(part, name + '_mask'):
            prune.remove(part, name)
show(m.state_dict())
exact([prune.is_pruned(m), isinstance(m[0].weight, nn.Parameter), list(m[0].state_dict())])
"""
for body in (
    "pruned(m[0], 'weight', 'identity')",
    "pruned(m[0], 'weight', 'random_unstructured', amount=0.3)\npruned(m[0], 'bias', 'random_unstructured', 1)",
    "pruned(m[0], 'weight', 'l1_unstructured', amount=5)\npruned(m[1], 'weight', 'l1_unstructured', 0.5)",
    "pruned(m[0], 'weight', 'random_structured', amount=2, dim=1)\n"
    "pruned(m[1], 'weight', 'random_structured', 0.3, -1)",
    "pruned(m[0], 'weight', 'ln_structured', amount=1, n=2, dim=0)\n"
    "pruned(m[1], 'weight', 'ln_structured', 0.5, 1, dim=1)",
    "pruned(m[0], 'weight', 'ln_structured', 0.5, n=float('inf'), dim=-1)",
    "pruned(m[0], 'bias', 'custom_from_mask', mask=torch.tensor([0, 1, 0]))",
    "pruned(m[0], 'weight', 'l1_unstructured', 3)\npruned(m[0], 'weight', 'ln_structured', 1, 2, 0)\n"
    "pruned(m[0], 'weight', 'random_unstructured', 2)\n"
    "pruned(m[0], 'weight', 'custom_from_mask', torch.ones(3, 4))",
    "pruned(m[0], 'weight', 'l1_unstructured', 3, importance_scores=torch.arange(12.0).view(3, 4))",
    "pruned(m[0], 'weight', 'l1_unstructured', 0)\npruned(m[0], 'bias', 'l1_unstructured', 1.0)",
):
    program(f"prune: {body}", PRUNED.format(body=body))
program(
    "prune: together, classes and errors",
    """
    from torch.nn.utils import prune
    torch.manual_seed(1)
    m = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    pairs = [(m[0], 'weight'), (m[2], 'weight'), (m[0], 'bias')]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.4)
    show([getattr(p, n + '_mask') for p, n in pairs])
    prune.global_unstructured(pairs[:2], prune.RandomUnstructured, amount=3)
    show([getattr(p, n + '_mask') for p, n in pairs])
    prune.global_unstructured(pairs[1:2], prune.L1Unstructured, amount=1,
                              importance_scores={(m[2], 'weight'): torch.arange(6.0).view(2, 3)})
    show([getattr(p, n) for p, n in pairs])
    show(m(torch.ones(1, 4)))
    method = prune.L1Unstructured(amount=2)
    show([method.prune(torch.arange(4.0) - 1.2),
          method.prune(torch.ones(3), importance_scores=torch.tensor([3.0, 1, 2]))])
    def layer():
        return nn.Linear(4, 3)
    class Strange(prune.BasePruningMethod):
        PRUNING_TYPE = 'strange'
        def compute_mask(self, t, default_mask):
            return default_mask
    class Failing(prune.BasePruningMethod):
        def compute_mask(self, t, default_mask):
            raise ValueError('no')
    failing = layer()
    for call in (
        lambda: prune.l1_unstructured(layer(), 'weight', -1),
        lambda: prune.l1_unstructured(layer(), 'weight', 1.5),
        lambda: prune.l1_unstructured(layer(), 'weight', 'all'),
        lambda: prune.l1_unstructured(layer(), 'weight', 99),
        lambda: prune.L1Unstructured(1).prune(torch.ones(3), importance_scores=torch.ones(2)),
        lambda: prune.ln_structured(layer(), 'bias', 1, 2, 0),
        lambda: prune.ln_structured(layer(), 'weight', 1, 2, 2),
        lambda: prune.random_structured(layer(), 'weight', 5, 0), lambda: prune.remove(layer(), 'weight'),
        lambda: prune.custom_from_mask(layer(), 'weight', torch.ones(2, 2)),
        lambda: prune.l1_unstructured(layer(), 'weight', 1, importance_scores=torch.ones(2)),
        lambda: Strange.apply(prune.identity(layer(), 'weight'), 'weight'),
        lambda: Failing.apply(failing, 'weight'), lambda: list(failing.state_dict()),
        lambda: prune.PruningContainer().add_pruning_method(3),
        lambda: prune.global_unstructured(3, prune.L1Unstructured),
        lambda: prune.global_unstructured(pairs, prune.L1Unstructured, 3),
        lambda: prune.global_unstructured([(layer(), 'weight')], prune.LnStructured, amount=1, n=1),
        lambda: prune.BasePruningMethod(), lambda: prune.l1_unstructured(layer(), 'none', 1),
    ):
        try:
            call()
            exact('fine')
        except Exception as error:
            exact([type(error).__name__, str(error).replace('leafgrad.', 'torch.').splitlines()[:1]])
    """,
)

if __name__ == "__main__":
    save()
