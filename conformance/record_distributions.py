"""Record what distributions, constraints, transforms and divergences give in PyTorch, for
tests/test_distributions.py.

    python conformance/record_distributions.py

writes tests/data/distributions.json. Needs torch. See record_nn.py for how programs show values.
"""

from __future__ import annotations

from record_nn import ROOT, recorder

program, save = recorder(ROOT / "tests" / "data" / "distributions.json")

ONE = """
D = torch.distributions
torch.manual_seed(3)
def t(*values):
    return torch.tensor(values, dtype=torch.float64)
def number(value):
    return torch.tensor(value, dtype=torch.float64)
p = {{name: torch.tensor(value, dtype=torch.float64).requires_grad_() for name, value in {params}.items()}}
def made():
    return D.{make}
d = made()
exact([repr(d), d.batch_shape, d.event_shape, repr(d.support), d.has_rsample, d.has_enumerate_support,
       sorted((k, repr(v).split('bound')[0]) for k, v in d.arg_constraints.items())])
def tried(call):
    try:
        show(call())
    except NotImplementedError:
        exact('not implemented')
def gradients(value):
    if isinstance(value, torch.Tensor) and value.requires_grad:
        g = torch.autograd.grad(value.sum(), list(p.values()), allow_unused=True)
        return [None if x is None else x.masked_fill(x.isnan(), 7.0) for x in g]
value = {value}
for ask in (lambda: d.mean, lambda: d.variance, lambda: d.stddev, lambda: d.mode, lambda: d.entropy(),
            lambda: d.perplexity(), lambda: d.log_prob(value), lambda: d.cdf(value),
            lambda: d.icdf(torch.full(d.batch_shape, 0.3, dtype=torch.float64)),
            lambda: d.enumerate_support(), lambda: d.enumerate_support(False)):
    tried(ask)
for ask in (lambda: made().entropy(), lambda: made().log_prob(value), lambda: made().cdf(value)):
    tried(lambda: gradients(ask()))
e = d.expand((2, *d.batch_shape))
exact([e.batch_shape, e.event_shape])
tried(lambda: e.log_prob(value))
if {same}:
    for shape in ((), (2,), (17, 2)):
        torch.manual_seed(5)
        show(d.sample(shape))
        show(torch.rand(1))
    if d.has_rsample:
        torch.manual_seed(5)
        x = made().rsample((3,))
        show(x)
        if {smooth}:
            tried(lambda: gradients(x))
    torch.manual_seed(6)
    show(e.sample((2,)))
else:
    exact([d.sample((3,)).shape, str(d.sample().dtype), e.sample((2,)).shape])
"""


def one(make: str, value: str, same: bool = True, smooth: bool = True, kind: str = "float64",
        **params: object) -> None:  # fmt: skip
    text = ONE.format(make=make, value=value, params=params, same=same, smooth=smooth)
    program(make, text.replace("float64", kind))


LOC_SCALE = {"loc": [0.5, -1.0], "scale": [0.7, 2.0]}
for name in ("Normal", "Laplace", "Cauchy", "Gumbel"):
    one(f"{name}(p['loc'], p['scale'])", "t(0.3, -4.0)", **LOC_SCALE)
one("LogNormal(p['loc'], p['scale'])", "t(0.3, 4.0)", **LOC_SCALE)
one(
    "StudentT(p['df'], p['loc'], p['scale'])",
    "t(0.3, -4.0)",
    df=[1.5, 4.0],
    smooth=False,
    **LOC_SCALE,
)
one("Uniform(p['low'], p['high'])", "t(0.3, 3.0)", low=[0.0, 1.0], high=[1.0, 3.5])
one(
    "VonMises(p['loc'], p['concentration'])",
    "t(0.3, -2.0)",
    loc=[0.5, -1.0],
    concentration=[0.3, 9.0],
)
one("Exponential(p['rate'])", "t(0.3, 4.0)", rate=[0.5, 3.0])
one(
    "Gamma(p['concentration'], p['rate'])",
    "t(0.3, 4.0)",
    concentration=[0.5, 3.0],
    rate=[2.0, 0.7],
    smooth=False,
)
one("Chi2(p['df'])", "t(0.3, 4.0)", df=[0.5, 3.0], smooth=False)
one(
    "InverseGamma(p['concentration'], p['rate'])",
    "t(0.3, 4.0)",
    concentration=[2.5, 3.0],
    rate=[2.0, 0.7],
    smooth=False,
)
one(
    "FisherSnedecor(p['df1'], p['df2'])",
    "t(0.3, 4.0)",
    df1=[1.5, 3.0],
    df2=[5.0, 3.5],
    smooth=False,
)
one("HalfNormal(p['scale'])", "t(0.3, 4.0)", scale=[0.7, 2.0])
one("HalfCauchy(p['scale'])", "t(0.3, 4.0)", scale=[0.7, 2.0])
one(
    "Weibull(p['scale'], p['concentration'])",
    "t(0.3, 4.0)",
    scale=[0.7, 2.0],
    concentration=[1.5, 3.0],
)
one("Pareto(p['scale'], p['alpha'])", "t(0.8, 4.0)", scale=[0.7, 2.0], alpha=[1.5, 3.0])
one(
    "GeneralizedPareto(p['loc'], p['scale'], p['concentration'])",
    "t(0.8, 2.5, 0.9)",
    loc=[0.5, 2.0, 0.1],
    scale=[0.7, 2.0, 1.0],
    concentration=[0.3, -0.4, 0.0],
    kind="float32",
)
one("Beta(p['a'], p['b'])", "t(0.3, 0.9)", a=[0.5, 3.0], b=[2.0, 1.5], smooth=False)
one("Dirichlet(p['a'])", "t(0.2, 0.3, 0.5)", a=[[0.5, 3.0, 2.0], [1.5, 1.5, 4.0]], smooth=False)
one("Kumaraswamy(p['a'], p['b'])", "t(0.3, 0.9)", a=[0.5, 0.8], b=[2.0, 1.5])
one("LogisticNormal(p['loc'], p['scale'])", "t(0.2, 0.3, 0.5)", **LOC_SCALE)
for name in ("probs", "logits"):
    some = [0.3, 0.8] if name == "probs" else [-0.3, 1.2]
    three = (
        [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]
        if name == "probs"
        else [[0.2, -0.3, 0.5], [1.0, 0.0, -2.0]]
    )
    one(f"Bernoulli({name}=p['x'])", "t(0, 1)", x=some)
    one(f"Geometric({name}=p['x'])", "t(0, 3)", x=some)
    one(f"ContinuousBernoulli({name}=p['x'])", "t(0.3, 0.9)", x=some)
    one(f"RelaxedBernoulli(number(0.7), {name}=p['x'])", "t(0.3, 0.9)", x=some)
    one(f"Binomial(5, {name}=p['x'])", "t(0, 3)", same=False, x=some)
    one(f"NegativeBinomial(5, {name}=p['x'])", "t(0, 3)", same=False, x=some)
    one(f"Categorical({name}=p['x'])", "torch.tensor([0, 2])", x=three)
    one(f"OneHotCategorical({name}=p['x'])", "t(0, 1, 0)", x=three)
    one(f"OneHotCategoricalStraightThrough({name}=p['x'])", "t(0, 1, 0)", x=three)
    one(f"Multinomial(4, {name}=p['x'])", "t(2, 1, 1)", x=three)
    one(f"RelaxedOneHotCategorical(number(0.7), {name}=p['x'])", "t(0.2, 0.3, 0.5)", x=three)
one("ContinuousBernoulli(p['x'])", "t(0.3, 0.9)", x=[0.5, 0.4995])
one("Poisson(p['rate'])", "t(0, 3)", same=False, rate=[0.5, 3.0])
MATRIX = [[2.0, 0.5, 0.1], [0.5, 1.0, -0.2], [0.1, -0.2, 0.7]]
TRIL = [[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [-0.3, 0.1, 0.7]]
for name, matrix in (
    ("covariance_matrix", MATRIX),
    ("precision_matrix", MATRIX),
    ("scale_tril", TRIL),
):
    one(
        f"MultivariateNormal(p['loc'], {name}=p['m'])",
        "t(0.2, 0.3, 0.5)",
        loc=[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
        m=matrix,
    )
    one(
        f"Wishart(number(4.5), {name}=p['m'])",
        f"torch.tensor({MATRIX}, dtype=torch.float64)",
        m=matrix,
        smooth=False,
    )
one(
    "LowRankMultivariateNormal(p['loc'], p['w'], p['d'])",
    "t(0.2, 0.3, 0.5)",
    loc=[0.0, 1.0, 2.0],
    w=[[1.0, 0.5], [0.3, 2.0], [-1.0, 0.2]],
    d=[0.5, 1.5, 0.3],
)
one(
    "LKJCholesky(3, p['c'])",
    "torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0.6, 0.8]], dtype=torch.float64)",
    c=[0.7, 2.0],
)
one("Independent(D.Normal(p['loc'], p['scale']), 1)", "t(0.3, -4.0)", **LOC_SCALE)
one(
    "MixtureSameFamily(D.Categorical(t(0.3, 0.7)), D.Normal(p['loc'], p['scale']))",
    "number(0.3)",
    **LOC_SCALE,
)
one(
    "MixtureSameFamily(D.Categorical(t(0.3, 0.7)), D.Independent(D.Normal(p['m'], 1.0), 1))",
    "t(0.3, 0.1)",
    m=[[0.0, 1.0], [2.0, 3.0]],
)
one(
    "TransformedDistribution(D.Normal(p['loc'], p['scale']), [D.AffineTransform(1.0, -2.0), D.SigmoidTransform()])",
    "t(0.3, 0.4)",
    **LOC_SCALE,
)
one(
    "TransformedDistribution(D.Normal(p['loc'], p['scale']), D.StickBreakingTransform())",
    "t(0.2, 0.3, 0.5)",
    **LOC_SCALE,
)

program(
    "float32 samples of a seed",
    """
    D = torch.distributions
    o = torch.ones(5)
    for d in (D.Normal(0.0, o), D.Uniform(0.0, o), D.Exponential(o), D.Laplace(0.0, o), D.Cauchy(0.0, o), D.Gumbel(0.0, o),
              D.Gamma(o * 2, o), D.Beta(o, o * 0.5), D.Dirichlet(o), D.StudentT(o * 3), D.Bernoulli(o * 0.3),
              D.Categorical(o), D.Multinomial(7, o), D.Geometric(o * 0.2), D.Weibull(o, o), D.Pareto(o, o),
              D.HalfNormal(o), D.LogNormal(0.0, o), D.Chi2(o), D.VonMises(o, o), D.Kumaraswamy(o, o * 2),
              D.RelaxedBernoulli(torch.tensor(0.5), o * 0.5), D.ContinuousBernoulli(o * 0.3), D.OneHotCategorical(o),
              D.RelaxedOneHotCategorical(torch.tensor(0.5), o), D.MultivariateNormal(o, torch.eye(5)),
              D.LKJCholesky(3, o), D.Wishart(torch.tensor(6.0), torch.eye(5)), D.FisherSnedecor(o, o)):
        torch.manual_seed(1)
        show(d.sample((4,)))
        show(torch.rand(1))
    """,
)
KL = """
D = torch.distributions
def t(*values):
    return torch.tensor(values, dtype=torch.float64)
some = {
    'Bernoulli': [D.Bernoulli(t(0.2, 0.7)), D.Bernoulli(t(0.5, 1.0))],
    'Beta': [D.Beta(t(0.5, 2), t(2, 3)), D.Beta(t(1, 1.5), t(1, 4))],
    'Binomial': [D.Binomial(5, t(0.2, 0.7)), D.Binomial(5, t(0.5, 0.4))],
    'Categorical': [D.Categorical(t(0.2, 0.8)), D.Categorical(t(0.5, 0.5))],
    'Cauchy': [D.Cauchy(t(0, 1), t(1, 2)), D.Cauchy(t(1, 1), t(2, 0.5))],
    'ContinuousBernoulli': [D.ContinuousBernoulli(t(0.2, 0.7)), D.ContinuousBernoulli(t(0.5, 0.4))],
    'Dirichlet': [D.Dirichlet(t(0.5, 2)), D.Dirichlet(t(1, 3))],
    'Exponential': [D.Exponential(t(0.5, 2)), D.Exponential(t(1, 3))],
    'Gamma': [D.Gamma(t(0.5, 2), t(1, 3)), D.Gamma(t(1.5, 1), t(2, 0.5))],
    'Geometric': [D.Geometric(t(0.2, 0.7)), D.Geometric(t(0.5, 0.4))],
    'Gumbel': [D.Gumbel(t(0, 1), t(1, 2)), D.Gumbel(t(1, 1), t(2, 0.5))],
    'HalfNormal': [D.HalfNormal(t(1, 2)), D.HalfNormal(t(2, 0.5))],
    'Laplace': [D.Laplace(t(0, 1), t(1, 2)), D.Laplace(t(1, 1), t(2, 0.5))],
    'LowRank': [D.LowRankMultivariateNormal(t(0, 1), t(1, 2).view(2, 1), t(1, 0.5)),
                D.LowRankMultivariateNormal(t(1, 1), t(2, 0.5).view(2, 1), t(2, 1))],
    'MultivariateNormal': [D.MultivariateNormal(t(0, 1), torch.eye(2).double() * 2),
                           D.MultivariateNormal(t(1, 1), t(2, 0.5, 0.5, 1).view(2, 2))],
    'Normal': [D.Normal(t(0, 1), t(1, 2)), D.Normal(t(1, 1), t(2, 0.5))],
    'OneHotCategorical': [D.OneHotCategorical(t(0.2, 0.8)), D.OneHotCategorical(t(0.5, 0.5))],
    'Pareto': [D.Pareto(t(1, 2), t(3, 2.5)), D.Pareto(t(0.5, 2), t(2, 4))],
    'Poisson': [D.Poisson(t(1, 2)), D.Poisson(t(2, 0.5))],
    'Uniform': [D.Uniform(t(0.1, 0.2), t(0.5, 0.9)), D.Uniform(t(0, 0.3), t(1, 0.8))],
    'LogNormal': [D.LogNormal(t(0, 1), t(1, 2)), D.LogNormal(t(1, 1), t(2, 0.5))],
    'Independent': [D.Independent(D.Normal(t(0, 1), t(1, 2)), 1), D.Independent(D.Normal(t(1, 1), t(2, 0.5)), 1)],
    'Chi2': [D.Chi2(t(1, 2)), D.Chi2(t(2, 0.5))],
}
for a, (p, _) in some.items():
    for b, (_, q) in some.items():
        try:
            found = D.kl_divergence(p, q)
        except NotImplementedError as error:
            exact([a, b, str(error)[:40]])
        else:
            exact([a, b])
            show(found)
m = t(0.5, 1.5).requires_grad_()
D.kl_divergence(D.Normal(m, 1.0), D.Normal(0.0, 2.0)).sum().backward()
show(m.grad)
class Mine(D.Normal):
    pass
@D.register_kl(Mine, D.Normal)
def mine(p, q):
    return 'mine'
exact(D.kl_divergence(Mine(0.0, 1.0), D.Normal(0.0, 1.0)))
"""
program("divergences", KL)
program(
    "transforms",
    """
    D = torch.distributions
    from torch.distributions import constraints as C, transforms as T
    torch.manual_seed(0)
    def shown(f, x):
        y = f(x)
        back = f.inv(y)
        exact([repr(f), repr(f.inv), f.bijective, f.domain.event_dim, f.codomain.event_dim,
               f.forward_shape(x.shape), f.inverse_shape(y.shape), f == f, f.inv.inv == f])
        show([y, back])
        try:
            show(f.log_abs_det_jacobian(x, y))
        except NotImplementedError:
            exact('no Jacobian')
        try:
            exact(f.sign if isinstance(f.sign, int) else f.sign.tolist())
        except NotImplementedError:
            exact('no sign')
        exact(f.with_cache()(x).shape)
    x = torch.randn(2, 3, dtype=torch.float64)
    for f in (T.ExpTransform(), T.SigmoidTransform(), T.TanhTransform(), T.SoftplusTransform(), T.AffineTransform(1.0, -2.0),
              T.AffineTransform(x[0], x[1], event_dim=1), T.SoftmaxTransform(), T.StickBreakingTransform(),
              T.CorrCholeskyTransform(), T.ReshapeTransform((3,), (3, 1)), T.identity_transform,
              T.ComposeTransform([T.ExpTransform(), T.AffineTransform(1.0, 2.0)]),
              T.ComposeTransform([T.AffineTransform(1.0, 2.0), T.StickBreakingTransform()]),
              T.IndependentTransform(T.ExpTransform(), 1), T.StackTransform([T.ExpTransform(), T.SigmoidTransform()]),
              T.CatTransform([T.ExpTransform(), T.TanhTransform()], dim=1, lengths=[1, 2]),
              T.CumulativeDistributionTransform(D.Normal(0.0, 1.0))):
        shown(f, x)
    for f in (T.PowerTransform(torch.tensor(2.5).double()), T.AbsTransform()):
        shown(f, x.abs())
    square = torch.randn(3, 3, dtype=torch.float64)
    for f in (T.LowerCholeskyTransform(), T.PositiveDefiniteTransform()):
        show([f(square), f.inv(f(square))])
    cached = T.ExpTransform(cache_size=1)
    y = cached(x)
    exact([cached.inv(y) is x, cached(x) is y])
    for c in (C.real, C.positive, C.greater_than(2.0), C.greater_than_eq(2.0), C.less_than(3.0), C.unit_interval,
              C.interval(-1.0, 3.0), C.half_open_interval(0.0, 2.0), C.simplex, C.real_vector, C.corr_cholesky,
              C.independent(C.positive, 1), C.lower_cholesky, C.positive_definite, C.boolean, C.nonnegative,
              C.cat([C.positive, C.real], -1, [1, 2]), C.stack([C.positive, C.unit_interval], 0)):
        for to in (D.biject_to, D.transform_to):
            try:
                exact([repr(c) if 'at 0x' not in repr(c) else '', repr(to(c))])
                v = square if c.event_dim == 2 and c is not C.corr_cholesky else x
                y = to(c)(v)
                show(y)
                exact(c.check(y))
            except NotImplementedError as error:
                exact(str(error))
    for call in (lambda: T.ExpTransform(cache_size=3), lambda: T.ReshapeTransform((2,), (3,)),
                 lambda: T.ComposeTransform([T.SoftmaxTransform(), T.ExpTransform()]).forward_shape(()),
                 lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), 3),
                 lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), [3]),
                 lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), T.SoftmaxTransform())):
        attempt(call)
    """,
)
program(
    "constraints and errors",
    """
    D = torch.distributions
    from torch.distributions import constraints as C
    values = torch.tensor([[-1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [2.0, float('nan')]])
    for c in (C.boolean, C.one_hot, C.nonnegative_integer, C.positive_integer, C.integer_interval(0, 1), C.real, C.real_vector,
              C.positive, C.nonnegative, C.greater_than(0.5), C.greater_than_eq(0.5), C.less_than(0.5), C.multinomial(1),
              C.unit_interval, C.interval(-1, 0.5), C.half_open_interval(0, 1), C.simplex, C.independent(C.positive, 1),
              C.cat([C.positive, C.real], 1), C.stack([C.positive, C.real], 1)):
        exact([repr(c) if 'at 0x' not in repr(c) else '', c.is_discrete, c.event_dim, c.check(values)])
    for m in (torch.eye(2), torch.eye(2) * 2, -torch.eye(2), torch.ones(2, 2), torch.tensor([[1.0, 0], [0.6, 0.8]]),
              torch.ones(2, 3)):
        exact([c.check(m) for c in ([C.square, C.symmetric, C.positive_definite, C.positive_semidefinite]
                                    + [C.lower_triangular, C.lower_cholesky, C.corr_cholesky] * (m.shape[1] == 2))])
    exact([C.is_dependent(C.dependent), C.is_dependent(C.real), C.is_dependent(D.Uniform.support)])
    one, two = torch.tensor(1.0), torch.zeros(2)
    for call in (
        lambda: D.Normal(0.0, -1.0), lambda: D.Normal(0.0, -1.0, validate_args=False).mean, lambda: D.Normal(two, -1.0),
        lambda: D.Normal(two, 1.0).log_prob(torch.tensor(float('nan'))), lambda: D.Bernoulli(0.5).log_prob(torch.tensor(2.0)),
        lambda: D.Bernoulli(0.5, 0.5), lambda: D.Categorical(), lambda: D.Normal(two, 1.0).log_prob(torch.zeros(3)),
        lambda: D.Normal(0.0, 1.0).log_prob(3.0), lambda: D.Dirichlet(one), lambda: D.Uniform(2.0, 1.0),
        lambda: D.Normal('a', 1), lambda: D.Normal(0.0, 1.0).enumerate_support(), lambda: D.Bernoulli(0.5).rsample(),
        lambda: D.Bernoulli(0.5).icdf(one), lambda: D.Normal(0.0, 1.0).sample_n(2).shape,
        lambda: D.Distribution.set_default_validate_args(3), lambda: D.MultivariateNormal(two, -torch.eye(2)),
        lambda: D.MultivariateNormal(two), lambda: D.MultivariateNormal(one, torch.eye(2)),
        lambda: D.MultivariateNormal(two, torch.ones(2)), lambda: D.Poisson(-1.0), lambda: D.Gamma(1.0, -1.0),
        lambda: D.Independent(D.Normal(two, 1.0), 2), lambda: D.Multinomial(torch.ones(2), torch.ones(2)),
        lambda: D.OneHotCategorical(torch.ones(3)).log_prob(torch.ones(3)), lambda: D.LKJCholesky(1),
        lambda: D.Wishart(one, torch.eye(3)), lambda: D.MixtureSameFamily(3, 3),
        lambda: D.MixtureSameFamily(D.Categorical(torch.ones(2)), 3), lambda: D.Categorical(one),
        lambda: D.MixtureSameFamily(D.Categorical(torch.ones(2)), D.Normal(torch.zeros(3), 1.0)),
        lambda: D.Geometric(0.0), lambda: D.Categorical(torch.tensor([-1.0, 2.0])),
        lambda: D.kl_divergence(D.Normal(0.0, 1.0), D.Poisson(1.0)), lambda: D.Binomial(torch.tensor([1, 2]), 0.5 * torch.ones(2)).entropy(),
        lambda: D.kl_divergence(D.Cauchy(0.0, 1.0), D.StudentT(1.0)),
        lambda: D.LowRankMultivariateNormal(two, torch.ones(3, 1), torch.ones(2)),
    ):
        attempt(call)
    """,
)

if __name__ == "__main__":
    save()
