"""torch.distributions: random numbers with densities, gradients through samples, and divergences.

Samples of the same seed are PyTorch's, but for Binomial, Poisson, NegativeBinomial and batches of
Wishart matrices. Dirichlet's and Beta's gradients are those of gamma samples over their sum.
"""

from __future__ import annotations

import sys as _sys

from . import (
    choices,
    combined,
    constraint_registry,
    constraints,
    counts,
    distribution,
    kl,
    multivariate,
    positive,
    real_line,
    transforms,
    unit,
)
from .choices import (
    Categorical,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    RelaxedOneHotCategorical,
)
from .combined import Independent, MixtureSameFamily, TransformedDistribution
from .constraint_registry import biject_to, transform_to
from .counts import Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson, RelaxedBernoulli
from .distribution import Distribution, ExponentialFamily
from .kl import kl_divergence, register_kl
from .multivariate import LKJCholesky, LowRankMultivariateNormal, MultivariateNormal, Wishart
from .positive import (
    Chi2,
    Exponential,
    FisherSnedecor,
    Gamma,
    GeneralizedPareto,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    LogNormal,
    Pareto,
    Weibull,
)
from .real_line import Cauchy, Gumbel, Laplace, Normal, StudentT, Uniform, VonMises
from .transforms import *  # noqa: F403
from .transforms import __all__ as _transforms
from .unit import Beta, ContinuousBernoulli, Dirichlet, Kumaraswamy, LogisticNormal

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "ContinuousBernoulli",
    "Dirichlet", "Distribution", "Exponential", "ExponentialFamily", "FisherSnedecor", "Gamma",
    "GeneralizedPareto", "Geometric", "Gumbel", "HalfCauchy", "HalfNormal", "Independent",
    "InverseGamma", "Kumaraswamy", "LKJCholesky", "Laplace", "LogNormal", "LogisticNormal",
    "LowRankMultivariateNormal", "MixtureSameFamily", "Multinomial", "MultivariateNormal",
    "NegativeBinomial", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough",
    "Pareto", "Poisson", "RelaxedBernoulli", "RelaxedOneHotCategorical", "StudentT",
    "TransformedDistribution", "Uniform", "VonMises", "Weibull", "Wishart", "biject_to",
    "constraint_registry", "constraints", "kl", "kl_divergence", "register_kl", "transform_to",
    "transforms",
]  # fmt: skip
__all__ += _transforms

# PyTorch has a module for each: `from torch.distributions.normal import Normal` works here too.
_MODULES = {
    choices: "categorical multinomial one_hot_categorical relaxed_categorical",
    combined: "independent mixture_same_family transformed_distribution",
    counts: "bernoulli binomial geometric negative_binomial poisson relaxed_bernoulli",
    distribution: "exp_family utils",
    multivariate: "lkj_cholesky lowrank_multivariate_normal multivariate_normal wishart",
    positive: "chi2 exponential fishersnedecor gamma generalized_pareto half_cauchy half_normal "
              "inverse_gamma log_normal pareto weibull",
    real_line: "cauchy gumbel laplace normal studentT uniform von_mises",
    unit: "beta continuous_bernoulli dirichlet kumaraswamy logistic_normal",
}  # fmt: skip
for _module, _names in _MODULES.items():
    for _name in _names.split():
        globals()[_name] = _sys.modules[f"{__name__}.{_name}"] = _module
