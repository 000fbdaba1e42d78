"""Distributions, constraints, transforms and divergences, as PyTorch has them
(tests/data/distributions.json)."""

import json
from pathlib import Path

import numpy as np
import pytest

import leafgrad as torch
from leafgrad import distributions as D
from programs import check

RECORDED = json.loads((Path(__file__).parent / "data" / "distributions.json").read_text())


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    check(RECORDED[name], torch)


@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.0, 2.5, 40.0, 3000.0])
def test_gamma_samples_move_with_their_concentration(alpha):
    """The quantile stays: compared with the derivative of SciPy's quantiles."""
    special = pytest.importorskip("scipy.special")
    torch.manual_seed(0)
    c = torch.full((200,), alpha, dtype=torch.float64, requires_grad=True)
    x = D.Gamma(c, 1.0).rsample()
    x.sum().backward()
    quantile = special.gammainc(alpha, x.detach().numpy())
    step = alpha * 1e-5
    wanted = (special.gammaincinv(alpha + step, quantile)
              - special.gammaincinv(alpha - step, quantile)) / (2 * step)  # fmt: skip
    inner = (quantile > 1e-6) & (quantile < 1 - 1e-6)
    found = c.grad.numpy()
    assert inner.sum() > 50
    assert np.allclose(found[inner], wanted[inner], rtol=1e-5, atol=1e-9)


def test_samples_follow_their_distributions():
    torch.manual_seed(0)
    for d in (D.Binomial(7, torch.tensor(0.3)), D.Poisson(torch.tensor(4.0)),
              D.NegativeBinomial(3, torch.tensor(0.4)), D.Gamma(2.0, 3.0), D.Beta(2.0, 3.0)):  # fmt: skip
        x = d.sample((4000,))
        sigma = (d.variance / 4000).sqrt()
        assert abs(x.mean() - d.mean) < 5 * sigma
        assert abs(x.var() / d.variance - 1) < 0.15


def test_a_distribution_learns():
    torch.manual_seed(0)
    data = D.Gamma(3.0, 2.0).sample((500,))
    raw = torch.zeros(2, requires_grad=True)
    o = torch.optim.Adam([raw], 0.05)
    for _ in range(300):
        o.zero_grad()
        (-D.Gamma(raw[0].exp(), raw[1].exp()).log_prob(data).mean()).backward()
        o.step()
    a, b = raw.detach().exp().tolist()
    assert abs(a / b - data.mean().item()) < 0.01 and 2 < a < 4


def test_modules_of_old_names():
    from leafgrad.distributions.categorical import Categorical
    from leafgrad.distributions.normal import Normal

    assert Categorical is D.Categorical and Normal is D.Normal


def test_copies_and_pickles():
    import copy
    import pickle

    for d in (D.Gumbel(torch.zeros(2), 1.0), D.Normal(0.0, 1.0), D.Categorical(torch.ones(3)),
              D.MultivariateNormal(torch.zeros(2), torch.eye(2))):  # fmt: skip
        for other in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
            torch.manual_seed(0)
            x = d.sample((2,))
            torch.manual_seed(0)
            assert torch.equal(other.sample((2,)), x)
            assert torch.equal(other.log_prob(x), d.log_prob(x))
