"""nn.functional: recorded values, derivatives, special points, random masks, names, errors."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

import leafgrad as torch
import leafgrad.nn.functional as F
from ops.helpers import check_gradients

INF, NAN = math.inf, math.nan
rng = np.random.default_rng(2)


def normal(*shape):
    return rng.standard_normal(shape)


def t(values, dtype=torch.float64, grad=False):
    made = torch.tensor(values, dtype=dtype)
    return made.requires_grad_() if grad else made


def gradients(f, *values):
    """The result of f on float64 leaves, and the gradients of its sum."""
    leaves = [t(v, grad=True) for v in values]
    out = f(*leaves)
    found = torch.autograd.grad(out, leaves, torch.ones_like(out), materialize_grads=True)
    return out.tolist(), [g.tolist() for g in found]


def name_of(tensor):
    return type(tensor.grad_fn).__name__


# Activations: PyTorch's values at -3, -2, ... 3

WHOLE = np.linspace(-3, 3, 7)
VALUES = {
    "elu": (lambda x: F.elu(x, 0.7), "EluBackward0",
            [-0.6651491, -0.6052653, -0.4424844, 0, 1, 2, 3]),
    "celu": (lambda x: F.celu(x, 0.7), "CeluBackward0",
             [-0.6903653, -0.6597972, -0.5322443, 0, 1, 2, 3]),
    "selu": (F.selu, "EluBackward0",
             [-1.6705687, -1.5201665, -1.1113307, 0, 1.050701, 2.101402, 3.152103]),
    "softplus": (lambda x: F.softplus(x, 2.0, 3.0), "SoftplusBackward0",
                 [0.0012378, 0.009075, 0.063464, 0.3465736, 1.063464, 2, 3]),
    "gelu": (F.gelu, "GeluBackward0",
             [-0.0040497, -0.0455003, -0.1586553, 0, 0.8413447, 1.9544997, 2.9959503]),
    "gelu by tanh": (lambda x: F.gelu(x, approximate="tanh"), "GeluBackward0",
                     [-0.0036374, -0.0454023, -0.158808, 0, 0.841192, 1.9545977, 2.9963626]),
    "mish": (F.mish, "MishBackward0",
             [-0.1456475, -0.2525015, -0.3034015, 0, 0.8650984, 1.943959, 2.986535]),
    "silu": (F.silu, "SiluBackward0",
             [-0.1422776, -0.2384058, -0.2689414, 0, 0.7310586, 1.7615942, 2.8577224]),
    "hardswish": (F.hardswish, "HardswishBackward0", [0, -1 / 3, -1 / 3, 0, 2 / 3, 5 / 3, 3]),
    "hardsigmoid": (F.hardsigmoid, "HardsigmoidBackward0",
                    [0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1]),
    "logsigmoid": (F.logsigmoid, "LogSigmoidBackward0",
                   [-3.0485874, -2.126928, -1.3132617, -0.6931472, -0.3132617, -0.126928,
                    -0.0485874]),
    "softsign": (F.softsign, "DivBackward0", [-0.75, -2 / 3, -0.5, 0, 0.5, 2 / 3, 0.75]),
    "tanhshrink": (F.tanhshrink, "SubBackward0",
                   [-2.0049452, -1.0359724, -0.2384058, 0, 0.2384058, 1.0359724, 2.0049452]),
    "softmax": (lambda x: F.softmax(x, 0), "SoftmaxBackward0",
                [0.0015683, 0.0042631, 0.0115883, 0.0315002, 0.0856263, 0.2327564, 0.6326975]),
    "log_softmax": (lambda x: F.log_softmax(x, 0), "LogSoftmaxBackward0",
                    [-6.4577628, -5.4577628, -4.4577628, -3.4577628, -2.4577628, -1.4577628,
                     -0.4577628]),
    "softmin": (lambda x: F.softmin(-x, 0), "SoftmaxBackward0",
                [0.0015683, 0.0042631, 0.0115883, 0.0315002, 0.0856263, 0.2327564, 0.6326975]),
    "relu": (F.relu, "ReluBackward0", [0, 0, 0, 0, 1, 2, 3]),
    "relu6": (lambda x: F.relu6(x * 3), "HardtanhBackward0", [0, 0, 0, 0, 3, 6, 6]),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), "LeakyReluBackward0",
                   [-0.3, -0.2, -0.1, 0, 1, 2, 3]),
    "rrelu": (lambda x: F.rrelu(x, 0.1, 0.3), "RreluWithNoiseBackward0",
              [-0.6, -0.4, -0.2, 0, 1, 2, 3]),
    "hardtanh": (F.hardtanh, "HardtanhBackward0", [-1, -1, -1, 0, 1, 1, 1]),
    "threshold": (lambda x: F.threshold(x, 1.0, 9.0), "ThresholdBackward0", [9, 9, 9, 9, 9, 2, 3]),
    "softshrink": (lambda x: F.softshrink(x, 1.0), "SoftshrinkBackward0", [-2, -1, 0, 0, 0, 1, 2]),
    "hardshrink": (lambda x: F.hardshrink(x, 1.0), "HardshrinkBackward0", [-3, -2, 0, 0, 0, 2, 3]),
    "prelu": (lambda x: F.prelu(x, t([0.5])), "PreluKernelBackward0",
              [-1.5, -1, -0.5, 0, 1, 2, 3]),
    "sigmoid": (F.sigmoid, "SigmoidBackward0",
                [0.0474259, 0.1192029, 0.2689414, 0.5, 0.7310586, 0.8807971, 0.9525741]),
    "tanh": (F.tanh, "TanhBackward0",
             [-0.9950548, -0.9640276, -0.7615942, 0, 0.7615942, 0.9640276, 0.9950548]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_activation(name):
    call, node, values = VALUES[name]
    made = call(t(WHOLE, grad=True))
    np.testing.assert_allclose(made.detach().numpy(), values, atol=6e-8)
    assert name_of(made) == node
    single = call(t(WHOLE, torch.float32)) if name != "prelu" else None
    if single is not None:
        assert single.dtype is torch.float32
        np.testing.assert_allclose(single.numpy(), values, atol=6e-7)
    check_gradients(call, normal(3, 4) * 2 + 0.013)
    for shape in ((), (0, 3), (1,)):
        assert call(t(np.zeros(shape))).shape == shape


@pytest.mark.parametrize("name", [n for n in VALUES if "softm" not in n])
def test_activation_of_large_arrays_is_that_of_their_parts(name):
    call = VALUES[name][0]
    for dtype in (torch.float64, torch.float32):
        x = t(normal(130, 40) * 3, torch.float64).to(dtype).requires_grad_()
        if name == "prelu":
            x = x.double().detach().requires_grad_()
        out = call(x)
        out.sum().backward()
        for row in (0, 64, 129):
            part = x.detach()[row].requires_grad_()
            small = call(part)
            small.sum().backward()
            tight = {"rtol": 1e-6, "atol": 1e-7}
            np.testing.assert_allclose(out.detach()[row].numpy(), small.detach().numpy(), **tight)
            np.testing.assert_allclose(x.grad[row].numpy(), part.grad.numpy(), **tight)


def test_large_arrays_keep_what_is_infinite_out():
    x = t(np.tile([-1.0, 1.0], 2000), grad=True)
    for call in (F.relu6, F.hardtanh, F.hardshrink, lambda x: F.threshold(x, 0.0, 0.0)):
        out = call(x * 0.75)
        g = torch.full_like(out, INF)
        found = torch.autograd.grad(out, x, g)[0]
        assert not torch.isnan(found).any()


def test_gelu_of_float32_is_accurate():
    x = np.linspace(-6, 6, 20001)
    exact = np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x])
    slope = [0.5 * math.erfc(-v / math.sqrt(2)) + v * math.exp(-v * v / 2) / math.sqrt(math.tau)
             for v in x]  # fmt: skip
    single = t(x, torch.float32, grad=True)
    made = F.gelu(single)
    made.sum().backward()
    np.testing.assert_allclose(made.detach().numpy(), exact, rtol=3e-6, atol=1e-7)
    np.testing.assert_allclose(single.grad.numpy(), slope, atol=5e-7)


@pytest.mark.parametrize("name", [
    "celu", "elu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "relu6",
    "selu", "silu",
])  # fmt: skip
def test_activation_in_place(name):
    call = getattr(F, name)
    x = t(WHOLE)
    wanted = call(x).tolist()
    y = x.clone()
    assert call(y, inplace=True) is y
    assert y.tolist() == wanted
    if hasattr(F, f"{name}_"):
        assert getattr(F, f"{name}_")(x.clone()).tolist() == wanted
    check_gradients(lambda x: call(x * 1, inplace=True), normal(5))


# Special points, as PyTorch has them

POINTS = {
    "relu": (F.relu, [0.0, -0.0, NAN, 1.0], [0.0, -0.0, NAN, 1.0], [0.0, 0.0, 1.0, 1.0]),
    "relu6": (F.relu6, [0.0, 6.0, 7.0], [0.0, 6.0, 6.0], [0.0, 0.0, 0.0]),
    "leaky_relu": (F.leaky_relu, [0.0], [0.0], [0.01]),
    "elu": (F.elu, [0.0, -INF], [0.0, -1.0], [1.0, 0.0]),
    "celu": (F.celu, [0.0], [0.0], [1.0]),
    "selu": (F.selu, [0.0], [0.0], [1.7580993408473766]),
    "prelu": (lambda x: F.prelu(x, t([0.25])), [0.0], [0.0], [0.25]),
    "hardtanh": (F.hardtanh, [-1.0, 1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
    "hardsigmoid": (F.hardsigmoid, [-3.0, 3.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 1 / 6]),
    "hardswish": (F.hardswish, [-3.0, 3.0, 0.0], [-0.0, 3.0, 0.0], [0.0, 1.0, 0.5]),
    "softshrink": (F.softshrink, [0.5, -0.5, 0.0, 0.6], [0.0, -0.0, 0.0, 0.1], [0.0, 0.0, 0.0, 1]),
    "hardshrink": (F.hardshrink, [0.5, -0.5, 0.0, 0.6], [0.0, 0.0, 0.0, 0.6], [0.0, 0.0, 0.0, 1]),
    "tanhshrink": (F.tanhshrink, [0.0], [0.0], [0.0]),
    "threshold": (lambda x: F.threshold(x, 0.5, 9.0), [0.5, 0.6, 0.4], [9.0, 0.6, 9.0],
                  [0.0, 1.0, 0.0]),
    "softsign": (F.softsign, [0.0], [0.0], [1.0]),
    "softplus": (F.softplus, [20.0, 21.0, -50.0], [20.000000002061153, 21.0, 1.9287498479639e-22],
                 [0.9999999979388464, 1.0, 1.9287498479639e-22]),
    "logsigmoid": (F.logsigmoid, [0.0, -1000.0, 1000.0], [-math.log(2), -1000.0, 0.0],
                   [0.5, 1.0, 0.0]),
    "gelu": (F.gelu, [0.0], [0.0], [0.5]),
    "gelu by tanh": (lambda x: F.gelu(x, approximate="tanh"), [0.0], [0.0], [0.5]),
    "mish": (F.mish, [0.0, -1000.0], [0.0, -0.0], [0.6, 0.0]),
    "silu": (F.silu, [0.0, -1000.0, 1000.0], [0.0, -0.0, 1000.0], [0.5, 0.0, 1.0]),
    "glu": (F.glu, [0.0, 1.0], [0.0], [0.7310585786300049, 0.0]),
    "softmax": (lambda x: F.softmax(x, 0), [INF, 1.0], [NAN, NAN], [NAN, NAN]),
}  # fmt: skip


@pytest.mark.parametrize("name", POINTS)
def test_special_points(name):
    call, x, values, slopes = POINTS[name]
    out, (g,) = gradients(call, x)
    np.testing.assert_allclose(out, values, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(g, slopes, rtol=1e-7, atol=1e-15)
    zero = np.equal(values, 0)
    assert (np.signbit(out) == np.signbit(values))[zero].all()


LOSS_POINTS = {
    "kl_div": (lambda x, y: F.kl_div(x, y, reduction="sum"), [[0.0], [0.0]], 0.0, [[0.0], [NAN]]),
    "bce": (lambda x: F.binary_cross_entropy(x, t([0.0, 1.0]), reduction="sum"), [[0.0, 1.0]], 0.0,
            [[0.0, 0.0]]),
    "bce wrong": (lambda x: F.binary_cross_entropy(x, t([1.0, 0.0]), reduction="sum"), [[0.0, 1.0]],
                  200.0, [[-1000000003995.8029, 1000000003995.8029]]),
    "l1": (lambda x: F.l1_loss(x, t([0.0, 0.0]), reduction="sum"), [[0.0, 1.0]], 1.0, [[0.0, 1.0]]),
    "smooth_l1": (lambda x: F.smooth_l1_loss(x, t([0.0] * 3), reduction="sum"), [[1.0, -1.0, 0.0]],
                  1.0, [[1.0, -1.0, 0.0]]),
    "huber": (lambda x: F.huber_loss(x, t([0.0] * 3), reduction="sum"), [[1.0, -1.0, 0.0]], 1.0,
              [[1.0, -1.0, 0.0]]),
    "hinge": (lambda x: F.hinge_embedding_loss(x, t([-1.0, -1.0]), reduction="sum"), [[1.0, 0.5]],
              0.5, [[-1.0, -1.0]]),
    "margin": (lambda x, y: F.margin_ranking_loss(x, y, t([1.0]), reduction="sum"), [[1.0], [1.0]],
               0.0, [[-1.0], [1.0]]),
    "all ignored": (lambda x: F.cross_entropy(x[None], torch.tensor([-100]), reduction="sum"),
                    [[1.0, 2.0]], 0.0, [[0.0, 0.0]]),
    "mean of none": (lambda x: F.cross_entropy(x[None], torch.tensor([-100])), [[1.0, 2.0]], NAN,
                     [[0.0, 0.0]]),
    "nll -inf": (lambda x: F.nll_loss(x[None], torch.tensor([0]), reduction="sum"), [[-INF, 0.0]],
                 INF, [[-1.0, 0.0]]),
    "-inf ignored": (lambda x: F.nll_loss(x[None], torch.tensor([0]), ignore_index=0,
                                          reduction="sum"), [[-INF, 0.0]], 0.0, [[0.0, 0.0]]),
    "large logits": (lambda x: F.binary_cross_entropy_with_logits(x, t([0.0, 1.0]),
                                                                  reduction="sum"),
                     [[1000.0, -1000.0]], 2000.0, [[1.0, -1.0]]),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y, dim=0), [[0.0, 0.0], [1.0, 1.0]],
                          0.0, [[70710678.118654] * 2, [0.0, 0.0]]),
    "normalize": (lambda x: F.normalize(x, dim=0)[0], [[0.0, 0.0]], 0.0, [[1e12, 0.0]]),
    "pairwise_distance": (F.pairwise_distance, [[1.0, 1.0], [1.0, 1.0]], 1.4142135623e-06,
                          [[0.7071067811] * 2, [-0.7071067811] * 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSS_POINTS)
def test_special_points_of_losses(name):
    call, xs, value, slopes = LOSS_POINTS[name]
    out, found = gradients(call, *xs)
    np.testing.assert_allclose(out, value, rtol=1e-9, atol=1e-12)
    for g, slope in zip(found, slopes, strict=True):
        np.testing.assert_allclose(g, slope, rtol=1e-9, atol=1e-15)


# Losses: PyTorch's values

A = [[-1.0, -0.6, -0.2], [0.2, 0.6, 1.0]]
B = [[0.3, -0.2, 0.9], [0.0, 1.0, -1.0]]
SIGNS = [[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]]
W = [1.0, 2.0, 3.0]
LONG = torch.tensor([2, 0])
LOSSES = {
    "mse": (F.mse_loss, "MseLossBackward0", 1.21),
    "mse weighted": (lambda a, b: F.mse_loss(a, b, weight=t([W, W])), "DivBackward0",
                     (1.69 + 0.32 + 3.63 + 0.04 + 0.32 + 12.0) / 12),
    "l1": (F.l1_loss, "MeanBackward0", 0.9),
    "smooth_l1": (lambda a, b: F.smooth_l1_loss(a, b, beta=0.5), "SmoothL1LossBackward0",
                  0.6683333333),
    "huber": (lambda a, b: F.huber_loss(a, b, delta=0.5), "HuberLossBackward0", 0.3341666667),
    "bce": (lambda a, b: F.binary_cross_entropy(a.sigmoid(), b.sigmoid()),
            "BinaryCrossEntropyBackward0", 0.7794887442),
    "bce weighted": (lambda a, b: F.binary_cross_entropy(a.sigmoid(), b.sigmoid(), weight=t(W)),
                     "BinaryCrossEntropyBackward0", 1.5921118154),
    "bce of logits": (lambda a, b: F.binary_cross_entropy_with_logits(a, b.sigmoid()),
                      "BinaryCrossEntropyWithLogitsBackward0", 0.7794887442),
    "bce of logits, positive weighted": (
        lambda a, b: F.binary_cross_entropy_with_logits(a, b.sigmoid(), pos_weight=t(W)),
        "BinaryCrossEntropyWithLogitsBackward0", 1.1278624232),
    "cross_entropy": (lambda a: F.cross_entropy(a, LONG), "NllLossBackward0", 1.1512505137),
    "cross_entropy weighted": (lambda a: F.cross_entropy(a, LONG, weight=t(W)), "NllLossBackward0",
                               0.9512505137),
    "cross_entropy smoothed": (
        lambda a: F.cross_entropy(a, torch.tensor([2, -100]), label_smoothing=0.2),
        "AddBackward0", 0.8312505137),
    "cross_entropy of probabilities": (
        lambda a, b: F.cross_entropy(a, b.softmax(1), label_smoothing=0.1), "DivBackward0",
        1.1359358806),
    "nll": (lambda a: F.nll_loss(a, torch.tensor([1, 1]), ignore_index=0), "NllLossBackward0", 0.0),
    "kl_div": (lambda a, b: F.kl_div(a, b.sigmoid(), reduction="batchmean"), "DivBackward0",
               -0.8349523163),
    "kl_div of logs": (lambda a, b: F.kl_div(a, b, reduction="batchmean", log_target=True),
                       "DivBackward0", 2.4697130112),
    "gaussian_nll": (lambda a, b: F.gaussian_nll_loss(a, b, b.sigmoid(), full=True),
                     "MeanBackward0", 2.2654407001),
    "poisson_nll": (lambda a, b: F.poisson_nll_loss(a, b.sigmoid() * 3, full=True),
                    "MeanBackward0", 1.7359853719),
    "hinge": (lambda a: F.hinge_embedding_loss(a, t(SIGNS)), "MeanBackward0", 0.3),
    "margin_ranking": (lambda a, b: F.margin_ranking_loss(a, b, t(SIGNS), 0.3), "MeanBackward0",
                       1.0833333333),
    "cosine_embedding": (lambda a, b: F.cosine_embedding_loss(a, b, t([1.0, -1.0]), 0.1),
                         "MeanBackward0", 0.6569078098),
    "triplet": (lambda a, b: F.triplet_margin_loss(a, b, b.flip(1)), "MeanBackward0",
                1.0906149821),
    "triplet swapped": (lambda a, b: F.triplet_margin_loss(a, b, b.flip(1), swap=True, p=1),
                        "MeanBackward0", 2.099998),
    "triplet by a distance": (
        lambda a, b: F.triplet_margin_with_distance_loss(
            a, b, b.flip(1), distance_function=lambda x, y: F.pairwise_distance(x, y, 1),
            swap=True),
        "MeanBackward0", 2.099998),
    "soft_margin": (lambda a: F.soft_margin_loss(a, t(SIGNS)), "SoftMarginLossBackward0",
                    0.8496295025),
    "multilabel_soft_margin": (
        lambda a: F.multilabel_soft_margin_loss(a, (t(SIGNS) + 1) / 2), "MeanBackward0",
        0.8496295025),
    "multi_margin": (lambda a: F.multi_margin_loss(a, torch.tensor([0, 1]), p=2, margin=0.8),
                     "MultiMarginLossBackward0", 0.9333333333),
    "multilabel_margin": (
        lambda a: F.multilabel_margin_loss(a, torch.tensor([[0, 2, -1], [1, -1, 0]])),
        "MultilabelMarginLossBackward0", 2 / 3),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    call, node, value = LOSSES[name]
    wanted = [p for p in inspect.signature(call).parameters.values() if p.default is p.empty]
    inputs = [A, B][: len(wanted)]
    made = call(*(t(x, grad=True) for x in inputs))
    np.testing.assert_allclose(made.item(), value, atol=1e-9)
    assert name_of(made) == node
    check_gradients(call, *(np.array(x) + 0.013 for x in inputs))  # not at a kink


REDUCED = {
    "mse_loss": lambda a, b, r: F.mse_loss(a, b, reduction=r),
    "l1_loss": lambda a, b, r: F.l1_loss(a, b, reduction=r),
    "smooth_l1_loss": lambda a, b, r: F.smooth_l1_loss(a, b, reduction=r),
    "huber_loss": lambda a, b, r: F.huber_loss(a, b, reduction=r),
    "binary_cross_entropy_with_logits": lambda a, b, r: F.binary_cross_entropy_with_logits(
        a, b.sigmoid(), reduction=r),
    "binary_cross_entropy": lambda a, b, r: F.binary_cross_entropy(a.sigmoid(), b.sigmoid(),
                                                                   reduction=r),
    "cross_entropy": lambda a, b, r: F.cross_entropy(a, LONG, reduction=r),
    "nll_loss": lambda a, b, r: F.nll_loss(a, LONG, reduction=r),
    "multi_margin_loss": lambda a, b, r: F.multi_margin_loss(a, LONG, reduction=r),
    "soft_margin_loss": lambda a, b, r: F.soft_margin_loss(a, t(SIGNS), reduction=r),
    "multilabel_margin_loss": lambda a, b, r: F.multilabel_margin_loss(
        a, torch.tensor([[0, 2, -1], [1, -1, 0]]), reduction=r),
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCED)
def test_reductions_agree(name):
    call = REDUCED[name]
    each = call(t(A), t(B), "none").numpy()
    np.testing.assert_allclose(call(t(A), t(B), "sum").item(), each.sum(), rtol=1e-12)
    np.testing.assert_allclose(call(t(A), t(B), "mean").item(), each.mean(), rtol=1e-12)
    for reduction in ("none", "sum", "mean"):
        check_gradients(lambda a, b, r=reduction: call(a, b, r), np.array(A), np.array(B))
    with pytest.raises(ValueError, match="foo is not a valid value for reduction"):
        call(t(A), t(B), "foo")


@pytest.mark.parametrize("shape", [(3,), (5, 3), (5, 3, 2), (5, 3, 2, 4), (2, 3, 2, 2, 2)])
@pytest.mark.parametrize("ignored", [-100, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_losses_of_all_ranks(shape, ignored, weighted):
    target = rng.integers(0, 3, shape[:1] + shape[2:] if len(shape) > 1 else ())
    if target.size > 1:
        target.flat[0] = ignored
    weight = np.array([0.5, 1.0, 2.0]) if weighted else np.ones(3)
    x = normal(*shape)
    axis = 1 if len(shape) > 1 else 0
    logs = x - np.log(np.exp(x).sum(axis, keepdims=True))
    kept = target != ignored
    place = np.where(kept, target, 0)
    share = np.where(kept, weight[place], 0.0)
    each = -np.take_along_axis(logs, np.expand_dims(place, axis), axis).squeeze(axis) * share
    options = {"ignore_index": ignored, "weight": t(weight) if weighted else None}
    for reduction, wanted in (("none", each), ("sum", each.sum()),
                              ("mean", each.sum() / (share.sum() or NAN))):  # fmt: skip

        def loss(x, reduction=reduction):
            return F.cross_entropy(x, torch.tensor(target), reduction=reduction, **options)

        np.testing.assert_allclose(loss(t(x)).numpy(), wanted)
        if not np.isnan(wanted).any():
            check_gradients(loss, x)
            check_gradients(
                lambda x, r=reduction: F.nll_loss(x, torch.tensor(target), reduction=r, **options),
                x,
            )


def test_cross_entropy_nodes():
    loss = F.cross_entropy(t(A, grad=True), LONG)
    inner = loss.grad_fn.next_functions[0][0]
    assert (name_of(loss), type(inner).__name__) == ("NllLossBackward0", "LogSoftmaxBackward0")
    flat = F.cross_entropy(t(normal(2, 3, 4), grad=True), torch.zeros(2, 4, dtype=torch.int64))
    assert name_of(flat) == "NllLoss2DBackward0"


def test_losses_of_broadcast_targets_warn_and_sum_gradients():
    with pytest.warns(UserWarning, match=r"Using a target size \(torch.Size\(\[2\]\)\)"):
        check_gradients(F.mse_loss, normal(3, 1), normal(2))


def test_older_arguments_of_losses():
    a, b = t(A), t(B)
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert F.mse_loss(a, b, size_average=False) == F.mse_loss(a, b, reduction="sum")
    with pytest.warns(UserWarning, match="please use reduction='none' instead"):
        assert F.l1_loss(a, b, reduce=False).shape == (2, 3)
    with pytest.warns(UserWarning, match="'batchmean' divides only by the batch size"):
        F.kl_div(a, b)


def test_losses_of_mixed_dtypes_promote():
    a, b = t(A, torch.float32), t(B)
    for call in (F.mse_loss, F.l1_loss, F.smooth_l1_loss):
        assert call(a, b).dtype is torch.float64
    assert F.huber_loss(a, b).dtype is torch.float32


# Random masks: PyTorch's, by the seed

LINE = torch.linspace(-2, 2, 8)
RANDOM = {
    "dropout": (lambda: F.dropout(LINE, 0.5),
                [0, 0, -1.7142856, 0, 0, 0, 2.8571429, 4]),
    "dropout in memory order": (lambda: F.dropout(LINE.view(2, 4).t(), 0.2),
                                [0, 0.3571427, -1.7857144, 1.0714285, -1.0714285, 1.7857144, 0,
                                 2.5]),
    "alpha_dropout": (lambda: F.alpha_dropout(LINE, 0.4, True),
                      [-0.910642, -0.910642, -0.1328619, -0.910642, -0.910642, -0.910642,
                       1.8403555, 2.3336599]),
    "dropout1d": (lambda: F.dropout1d(torch.ones(2, 3, 2), 0.5),
                  [0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0]),
    "dropout3d": (lambda: F.dropout3d(torch.ones(4, 2, 1, 1), 0.5), [0, 0, 0, 0, 2, 2, 0, 0]),
    "feature_alpha_dropout": (
        lambda: F.feature_alpha_dropout(torch.ones(2, 3, 2), 0.5, True),
        [-0.7791939] * 4 + [1.6655989] * 2 + [-0.7791939] * 6),
    "rrelu": (lambda: F.rrelu(LINE, 0.1, 0.4, training=True),
              [-0.7820318, -0.4462085, -0.2038413, -0.1074926, 0.2857142, 0.8571428, 1.4285715,
               2]),
    "gumbel_softmax": (lambda: F.gumbel_softmax(LINE.double().view(2, 4), tau=0.5),
                       [0.0024662, 0.0628763, 0.7890292, 0.1456282, 0.0022141, 0.0030363,
                        0.603253, 0.3914966]),
    "gumbel_softmax, hard": (lambda: F.gumbel_softmax(LINE.view(2, 4), hard=True),
                             [0, 0, 1, 0, 0, 0, 1, 0]),
    "attention": (
        lambda: F.scaled_dot_product_attention(
            *[torch.arange(12, dtype=torch.float64).view(1, 3, 4) / 12] * 3, dropout_p=0.5),
        [0.4819522, 0.5421962, 0.6024402, 0.6626843, 0, 0, 0, 0, 0.202938, 0.2836015, 0.364265,
         0.4449285]),
}  # fmt: skip


@pytest.mark.parametrize("name", RANDOM)
def test_random_masks(name):
    call, values = RANDOM[name]
    torch.manual_seed(0)
    np.testing.assert_allclose(call().numpy().ravel(), values, rtol=2e-6, atol=6e-8)


def test_dropout_gradient_is_its_mask():
    x = torch.ones(50, requires_grad=True)
    out = F.dropout(x, 0.3)
    assert name_of(out) == "MulBackward0"
    out.sum().backward()
    assert torch.equal(x.grad, out)


def test_dropout_that_drops_nothing_is_the_input():
    x = torch.ones(3)
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 0.9, training=False) is x
    assert F.dropout(x, 1.0).tolist() == [0, 0, 0]
    assert F.dropout(x, 0.5, inplace=True) is x
    for call in (F.dropout, F.alpha_dropout, F.dropout2d):
        with pytest.raises(
            ValueError, match=r"probability has to be between 0 and 1, but got 1\.5"
        ):
            call(x, 1.5)


def test_gumbel_softmax_has_the_gradient_of_the_soft_one():
    found = []
    for hard in (False, True):
        x = t(normal(2, 4) * 0 + [[0.1, 0.2, 0.3, 0.4]] * 2, grad=True)
        torch.manual_seed(1)
        (F.gumbel_softmax(x, hard=hard) * t([1.0, 2.0, 3.0, 4.0])).sum().backward()
        found.append(x.grad.tolist())
    np.testing.assert_allclose(found[0], found[1])


# Normalisation


def standardised(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@pytest.mark.parametrize(("shape", "last"), [((4, 3), (3,)), ((2, 3, 4), (3, 4)), ((5,), (5,))])
def test_layer_norm(shape, last):
    x, w, b = normal(*shape), normal(*last), normal(*last)
    axes = tuple(range(-len(last), 0))
    made = F.layer_norm(t(x, grad=True), last, t(w), t(b))
    np.testing.assert_allclose(made.detach().numpy(), standardised(x, axes) * w + b)
    assert name_of(made) == "NativeLayerNormBackward0"
    check_gradients(lambda *xs: F.layer_norm(xs[0], last, *xs[1:]), x, w, b)
    check_gradients(lambda x, w: F.layer_norm(x, last, w), x, w)
    check_gradients(lambda x: F.layer_norm(x, last), x)


def test_layer_norm_of_many_rows_is_that_of_each():
    x, w = normal(300, 16), normal(16)
    check_gradients(lambda x, w: F.layer_norm(x, (16,), w), x, w)
    made = F.layer_norm(t(x, torch.float32), (16,), t(w, torch.float32))
    np.testing.assert_allclose(made.numpy(), standardised(x, -1) * w, rtol=1e-4, atol=1e-5)


def test_rms_norm():
    x, w = normal(4, 3), normal(3)
    made = F.rms_norm(t(x, grad=True), (3,), t(w), eps=0.1)
    wanted = x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.1) * w
    np.testing.assert_allclose(made.detach().numpy(), wanted)
    assert name_of(made) == "MulBackward0"
    check_gradients(lambda x, w: F.rms_norm(x, (3,), w), x, w)
    check_gradients(lambda x: F.rms_norm(x, (4, 3), eps=0.1), x)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4), (2, 3, 4, 2)])
def test_batch_norm(shape):
    x, w, b = normal(*shape), normal(3), normal(3)
    axes = (0, *range(2, len(shape)))
    along = (1, 3) + (1,) * (len(shape) - 2)
    mean, var = t(np.zeros(3)), t(np.ones(3))
    made = F.batch_norm(t(x, grad=True), mean, var, t(w), t(b), training=True, momentum=0.2)
    wanted = standardised(x, axes) * w.reshape(along) + b.reshape(along)
    np.testing.assert_allclose(made.detach().numpy(), wanted)
    assert name_of(made) == "NativeBatchNormBackward0"
    np.testing.assert_allclose(mean.numpy(), 0.2 * x.mean(axes))
    np.testing.assert_allclose(var.numpy(), 0.8 + 0.2 * x.var(axes, ddof=1))
    assert mean._version == 1
    quiet = F.batch_norm(t(x), mean, var, t(w), t(b))
    normed = (x - mean.numpy().reshape(along)) / np.sqrt(var.numpy().reshape(along) + 1e-5)
    np.testing.assert_allclose(quiet.numpy(), normed * w.reshape(along) + b.reshape(along))
    for training in (True, False):
        check_gradients(lambda *xs, on=training: F.batch_norm(
            xs[0], t(np.zeros(3)), t(np.ones(3)), *xs[1:], training=on), x, w, b)  # fmt: skip
    check_gradients(lambda x: F.batch_norm(x, None, None, training=True), x)


def test_batch_norm_result_may_be_changed_in_place():
    check_gradients(
        lambda x: F.relu(F.batch_norm(x, None, None, training=True), inplace=True), normal(4, 3)
    )


def test_running_statistics_that_move_later_do_not_change_a_gradient():
    x = t(normal(4, 3), grad=True)
    mean, var = t(np.zeros(3)), t(np.ones(3))
    out = F.batch_norm(x, mean, var)
    before = torch.autograd.grad(out.sum(), x, retain_graph=True)[0]
    var *= 100
    assert torch.equal(torch.autograd.grad(out.sum(), x)[0], before)


@pytest.mark.parametrize(("shape", "groups"), [((2, 4, 3), 2), ((3, 6), 2), ((2, 4, 2, 2), 4)])
def test_group_norm(shape, groups):
    x, w, b = normal(*shape), normal(shape[1]), normal(shape[1])
    along = (1, shape[1]) + (1,) * (len(shape) - 2)
    made = F.group_norm(t(x, grad=True), groups, t(w), t(b))
    normed = standardised(x.reshape(shape[0], groups, -1), -1).reshape(shape)
    np.testing.assert_allclose(made.detach().numpy(), normed * w.reshape(along) + b.reshape(along))
    assert name_of(made) == "NativeGroupNormBackward0"
    check_gradients(lambda *xs: F.group_norm(xs[0], groups, *xs[1:]), x, w, b)
    check_gradients(lambda x: F.group_norm(x, groups), x)


def test_instance_norm():
    x, w, b = normal(2, 3, 5), normal(3), normal(3)
    mean, var = t(np.zeros(3)), t(np.ones(3))
    made = F.instance_norm(t(x), mean, var, t(w), t(b))
    np.testing.assert_allclose(made.numpy(), standardised(x, 2) * w[:, None] + b[:, None])
    np.testing.assert_allclose(mean.numpy(), 0.1 * x.mean(2).mean(0))
    np.testing.assert_allclose(var.numpy(), 0.9 + 0.1 * x.var(2, ddof=1).mean(0))
    check_gradients(lambda *xs: F.instance_norm(xs[0], None, None, *xs[1:]), x, w, b)


def test_local_response_norm_and_normalize():
    x = normal(2, 5, 3)
    squares = np.pad(x * x, ((0, 0), (1, 1), (0, 0)))
    around = sum(squares[:, i : i + 5] for i in range(3)) / 3
    made = F.local_response_norm(t(x), 3, alpha=0.1, beta=0.6, k=1.5)
    np.testing.assert_allclose(made.numpy(), x / (around * 0.1 + 1.5) ** 0.6)
    check_gradients(lambda x: F.local_response_norm(x, 3, alpha=0.1), x)
    np.testing.assert_allclose(F.normalize(t(x), dim=2).numpy(),
                               x / np.linalg.norm(x, axis=2, keepdims=True))  # fmt: skip
    check_gradients(lambda x: F.normalize(x, p=3.0), x)


# Padding

PADS = [
    ((3, 4), (1, 2)), ((3, 4), (0, 1, 2, 1)), ((2, 3, 4), (3, 3)), ((2, 3, 4), (1, 1, 2, 2)),
    ((2, 2, 3, 4), (1, 0, 2, 1)), ((1, 2, 3, 3, 3), (1, 1, 0, 2, 2, 1)), ((2, 3, 4), (-1, 2)),
    ((2, 3, 4), (-1, -2)),
]  # fmt: skip


MODES = ["constant", "reflect", "replicate", "circular"]


@pytest.mark.parametrize(("shape", "pad", "mode"), [
    (shape, pad, mode) for shape, pad in PADS for mode in MODES
    if mode == "constant" or len(shape) > len(pad) // 2
])  # fmt: skip
def test_pad(shape, pad, mode):
    x = normal(*shape)
    widths = [(0, 0)] * (len(shape) - len(pad) // 2)
    widths += list(reversed(list(zip(pad[::2], pad[1::2], strict=True))))
    cut = tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, shape, strict=True))
    wide = [(max(a, 0), max(b, 0)) for a, b in widths]
    numpy_mode = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    options = {"constant_values": 2.5} if mode == "constant" else {}
    value = 2.5 if mode == "constant" else None
    made = F.pad(t(x, grad=True), pad, mode, value)
    if min(pad) >= 0 or mode in ("constant", "circular"):
        np.testing.assert_allclose(made.detach().numpy(),
                                   np.pad(x[cut], wide, mode=numpy_mode, **options))  # fmt: skip
    names = {"constant": "ConstantPadNdBackward0", "reflect": f"ReflectionPad{len(pad) // 2}D"
             "Backward0", "replicate": f"ReplicationPad{len(pad) // 2}DBackward0"}  # fmt: skip
    assert name_of(made) == names.get(mode, name_of(made))
    check_gradients(lambda x: F.pad(x, pad, mode, value), x)


def test_pad_beyond_what_is_cut_off():
    x = t([[0.0, 1.0, 2.0, 3.0]])
    assert F.pad(x, (-4, 3), "replicate").tolist() == [[3.0, 3.0, 3.0]]
    assert F.pad(x, (-1, 1), "reflect").tolist() == [[1.0, 2.0, 3.0, 2.0]]
    check_gradients(lambda x: F.pad(x, (-4, 3), "replicate"), normal(2, 4))
    assert F.pad(torch.tensor([1, 2]), (1, 0), value=2.7).tolist() == [2, 1, 2]


# Embedding

INDICES = torch.tensor([[0, 2], [2, 1]])


@pytest.mark.parametrize("options", [
    {}, {"padding_idx": 2}, {"padding_idx": -3}, {"scale_grad_by_freq": True},
    {"scale_grad_by_freq": True, "padding_idx": 0},
], ids=str)  # fmt: skip
def test_embedding(options):
    table = normal(3, 4)
    made = F.embedding(INDICES, t(table, grad=True), **options)
    np.testing.assert_allclose(made.detach().numpy(), table[INDICES.numpy()])
    assert name_of(made) == "EmbeddingBackward0"
    leaf = t(table, grad=True)
    F.embedding(INDICES, leaf, **options).sum().backward()
    counts = np.array([1.0, 1.0, 1.0 if "scale_grad_by_freq" in options else 2.0])
    if "padding_idx" in options:
        counts[options["padding_idx"]] = 0
    assert leaf.grad.tolist() == np.repeat(counts[:, None], 4, 1).tolist()
    if not options:
        check_gradients(lambda w: F.embedding(INDICES, w), table)
        check_gradients(lambda w: F.embedding(INDICES, w) ** 3, table)


def test_embedding_that_limits_norms_writes_to_its_table():
    table = t([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    made = F.embedding(torch.tensor([0, 1]), table, max_norm=1.0)
    np.testing.assert_allclose(made.numpy(), [[0.6, 0.8], [0.3, 0.4]])
    np.testing.assert_allclose(table.numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]])
    assert table._version > 0


def test_one_hot():
    assert F.one_hot(torch.tensor([[1, 2], [0, 1]])).tolist() == [
        [[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0]]]  # fmt: skip
    assert F.one_hot(torch.tensor(1), 3).tolist() == [0, 1, 0]


# Distances, attention


def test_distances():
    x, y = normal(3, 4), normal(3, 4)
    inner = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    np.testing.assert_allclose(F.cosine_similarity(t(x), t(y)).numpy(), inner)
    check_gradients(lambda x, y: F.cosine_similarity(x, y, dim=0), x, y[0])
    away = np.linalg.norm(x - y + 1e-6, axis=1)
    np.testing.assert_allclose(F.pairwise_distance(t(x), t(y)).numpy(), away)
    check_gradients(lambda x, y: F.pairwise_distance(x, y, 3, keepdim=True), x, y)


@pytest.mark.parametrize("kind", ["plain", "causal", "numbers", "seen"])
def test_attention(kind):
    q, k, v = normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6)
    added = np.zeros((3, 5))
    options = {}
    if kind == "causal":
        added[~np.tri(3, 5, dtype=bool)] = -INF
        options = {"is_causal": True}
    elif kind == "numbers":
        added = normal(3, 5)
        options = {"attn_mask": t(added)}
    elif kind == "seen":
        seen = rng.random((3, 5)) < 0.5
        seen[0], seen[1] = False, True
        added[~seen] = -INF
        options = {"attn_mask": torch.tensor(seen)}
    scores = q @ k.swapaxes(1, 2) / 2 + added
    top = np.maximum(scores.max(-1, keepdims=True), -1e9)
    powers = np.exp(scores - top)
    weights = powers / np.maximum(powers.sum(-1, keepdims=True), 1e-300)
    made = F.scaled_dot_product_attention(t(q), t(k), t(v), **options)
    np.testing.assert_allclose(made.numpy(), weights @ v)
    check_gradients(lambda *xs: F.scaled_dot_product_attention(*xs, **options), q, k, v)


def test_attention_with_shared_heads():
    q, k, v = normal(1, 4, 3, 2), normal(1, 2, 3, 2), normal(1, 2, 3, 2)
    made = F.scaled_dot_product_attention(t(q), t(k), t(v), scale=0.3, enable_gqa=True)
    whole = F.scaled_dot_product_attention(t(q), t(k.repeat(2, 1)), t(v.repeat(2, 1)), scale=0.3)
    np.testing.assert_allclose(made.numpy(), whole.numpy())


# More of softmax, glu and prelu


def test_softmax_of_all_dimensions_and_dtypes():
    x = normal(2, 3, 4)
    for dim in (0, 1, -1):
        powers = np.exp(x)
        wanted = powers / powers.sum(dim, keepdims=True)
        for made in (F.softmax(t(x), dim), torch.softmax(t(x), dim), t(x).softmax(dim)):
            np.testing.assert_allclose(made.numpy(), wanted)
        np.testing.assert_allclose(F.log_softmax(t(x), dim).numpy(), np.log(wanted))
        check_gradients(lambda x, d=dim: F.softmax(x, d), x)
        check_gradients(lambda x, d=dim: F.log_softmax(x, d), x)
    assert F.softmax(torch.tensor([1, 2]), 0, dtype=torch.float64).dtype is torch.float64
    assert F.softmax(t(1.0), 0).item() == 1
    assert F.softmax(torch.zeros(2, 0), 1).shape == (2, 0)
    check_gradients(lambda x: F.softmax(x, 1), normal(300, 9))
    check_gradients(lambda x: F.log_softmax(x, 1), normal(300, 9))


def test_softmax_without_a_dimension_warns():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        assert F.softmax(torch.zeros(1, 4)).tolist() == [[0.25] * 4]


def test_glu_and_prelu():
    x = normal(4, 6)
    made = F.glu(t(x, grad=True), 0)
    np.testing.assert_allclose(made.detach().numpy(), x[:2] / (1 + np.exp(-x[2:])))
    assert name_of(made) == "GluBackward0"
    check_gradients(F.glu, x)
    check_gradients(lambda x: F.glu(x, 0), x)
    for shape, count in (((2, 3), 3), ((2, 3, 4), 3), ((5,), 1), ((2, 3), 1)):
        check_gradients(F.prelu, normal(*shape), normal(count))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision(name):
    if name == "bfloat16":
        pytest.importorskip("ml_dtypes")
    dtype = getattr(torch, name)
    a, b, w = t(A).to(dtype), t(B).to(dtype), torch.ones(3, dtype=dtype)
    calls = [
        lambda x: F.softmax(x, 1), lambda x: F.log_softmax(x, 1), F.gelu, F.silu, F.elu,
        lambda x: F.layer_norm(x, (3,), w), lambda x: F.rms_norm(x, (3,), w, eps=0.1),
        lambda x: F.batch_norm(x, None, None, w, training=True), lambda x: F.cross_entropy(x, LONG),
        lambda x: F.mse_loss(x, b), lambda x: F.binary_cross_entropy_with_logits(x, b.sigmoid()),
        lambda x: F.smooth_l1_loss(x, b), lambda x: F.pad(x, (1, 1), "replicate"),
        lambda x: F.group_norm(x, 1, w), F.softplus, F.hardtanh, lambda x: F.dropout(x, 0.1),
        lambda x: F.multi_margin_loss(x, LONG), lambda x: F.embedding(LONG.remainder(2), x),
    ]  # fmt: skip
    for call in calls:
        torch.manual_seed(0)
        x, exact = a.clone().requires_grad_(), a.double().requires_grad_()
        made = call(x)
        assert made.dtype is dtype
        made.sum().backward()
        assert x.grad.dtype is dtype
        b, w = b.double(), w.double()
        torch.manual_seed(0)
        wanted = call(exact)
        wanted.sum().backward()
        b, w = b.to(dtype), w.to(dtype)
        close = {"rtol": 0.03, "atol": 0.02}
        np.testing.assert_allclose(made.detach().double().numpy(), wanted.detach().numpy(), **close)
        np.testing.assert_allclose(x.grad.double().numpy(), exact.grad.numpy(), **close)


# Errors

X, D = torch.ones, lambda *s: torch.ones(*s, dtype=torch.float64)
LONGS = lambda *s: torch.full(s, 1)  # noqa: E731
ERRORS = [
    (lambda: F.leaky_relu(LONGS(3)), NotImplementedError,
     "\"leaky_relu_cpu\" not implemented for 'Long'"),
    (lambda: F.gelu(LONGS(3)), NotImplementedError,
     "\"GeluKernelImpl\" not implemented for 'Long'"),
    (lambda: F.gelu(X(3), approximate="x"), RuntimeError,
     "approximate argument must be either none or tanh."),
    (lambda: F.softmax(LONGS(3), 0), NotImplementedError,
     "\"softmax_lastdim_kernel_impl\" not implemented for 'Long'"),
    (lambda: F.log_softmax(LONGS(3, 2), 0), NotImplementedError,
     "\"log_softmax_kernel_impl\" not implemented for 'Long'"),
    (lambda: F.softmax(X(3), 2), IndexError,
     "Dimension out of range (expected to be in range of [-1, 0], but got 2)"),
    (lambda: F.glu(X(3)), RuntimeError,
     "Halving dimension must be even, but dimension 0 is size 3"),
    (lambda: F.hardtanh(X(3), 2.0, 1.0), ValueError, "min_val cannot be greater than max_val"),
    (lambda: F.celu(X(3), 0.0), RuntimeError, "ZeroDivisionError: alpha cannot be 0 for CELU"),
    (lambda: F.softshrink(X(3), -1.0), RuntimeError,
     "lambda must be in range [0, 3.40282e+38] for input dtype Float, but found -1"),
    (lambda: F.prelu(X(2, 3), X(2)), RuntimeError,
     "Mismatch of parameter numbers and input channel size. Found parameter numbers = 2 and "
     "channel size = 3."),
    (lambda: F.rrelu(X(3), 0.5, 0.1), RuntimeError,
     "Lower bound should be less than or equal to the upper bound"),
    (lambda: F.dropout(LONGS(3)), RuntimeError,
     "result type Float can't be cast to the desired output type Long"),
    (lambda: F.feature_alpha_dropout(X(3), training=True), RuntimeError,
     "Feature dropout requires at least 2 dimensions in the input"),
    (lambda: F.layer_norm(X(2, 3), (4,)), RuntimeError,
     "Given normalized_shape=[4], expected input with shape [*, 4], but got input of size[2, 3]"),
    (lambda: F.layer_norm(X(2, 3), (3,), X(2)), RuntimeError,
     "Expected weight to be of same shape as normalized_shape, but got weight of shape [2] and "
     "normalized_shape = [3]"),
    (lambda: F.layer_norm(X(2, 3), (3,), D(3)), RuntimeError,
     "mixed dtype (CPU): expect parameter to have scalar type of Float"),
    (lambda: F.batch_norm(X(2, 3), None, None), RuntimeError,
     "running_mean must be defined in evaluation mode"),
    (lambda: F.batch_norm(X(1, 3), None, None, training=True), ValueError,
     "Expected more than 1 value per channel when training, got input size torch.Size([1, 3])"),
    (lambda: F.batch_norm(X(2, 3), X(2), X(3)), RuntimeError,
     "running_mean should contain 3 elements not 2"),
    (lambda: F.group_norm(X(2, 3), 2), RuntimeError,
     "Expected number of channels in input to be divisible by num_groups, but got input of shape "
     "[2, 3] and num_groups=2"),
    (lambda: F.group_norm(X(1, 3), 3), ValueError,
     "Expected more than 1 value per channel when training, got input size [1, 3]"),
    (lambda: F.instance_norm(X(2, 3, 1)), ValueError,
     "Expected more than 1 spatial element when training, got input size torch.Size([2, 3, 1])"),
    (lambda: F.pad(X(2, 3), (1,)), RuntimeError, "Padding length must be divisible by 2"),
    (lambda: F.pad(X(2, 2, 3), (3, 1), "reflect"), RuntimeError,
     "Argument #4: Padding size should be less than the corresponding input dimension, but got: "
     "padding (3, 1) at dimension 2 of input [2, 2, 3]"),
    (lambda: F.pad(X(2, 2, 3), (4, 1), "circular"), RuntimeError,
     "Padding value causes wrapping around more than once."),
    (lambda: F.pad(X(2, 3), (1, 1), "foo"), NotImplementedError, "Unrecognised padding mode foo"),
    (lambda: F.embedding(torch.tensor([1, 5]), X(3, 2)), IndexError, "index out of range in self"),
    (lambda: F.embedding(torch.tensor([-1]), X(3, 2)), IndexError, "index out of range in self"),
    (lambda: F.embedding(torch.tensor([1]), X(3, 2), padding_idx=3), AssertionError,
     "Padding_idx must be within num_embeddings"),
    (lambda: F.one_hot(torch.tensor([1, 2]), 2), RuntimeError,
     "Class values must be smaller than num_classes."),
    (lambda: F.one_hot(torch.tensor([-1, 2])), RuntimeError, "Class values must be non-negative."),
    (lambda: F.binary_cross_entropy(X(2) * 2, X(2)), RuntimeError,
     "all elements of input should be between 0 and 1"),
    (lambda: F.binary_cross_entropy(X(2), X(3)), ValueError,
     "Using a target size (torch.Size([3])) that is different to the input size (torch.Size([2])) "
     "is deprecated. Please ensure they have the same size."),
    (lambda: F.binary_cross_entropy(X(2), D(2)), RuntimeError,
     "Found dtype Double but expected Float"),
    (lambda: F.binary_cross_entropy_with_logits(X(2), X(3)), ValueError,
     "Target size (torch.Size([3])) must be the same as input size (torch.Size([2]))"),
    (lambda: F.cross_entropy(X(2, 3), X(2)), RuntimeError,
     "expected target dtype to be Long or Byte, but got Float"),
    (lambda: F.cross_entropy(X(2, 3), torch.tensor([0, 3])), IndexError,
     "Target 3 is out of bounds."),
    (lambda: F.cross_entropy(X(2, 3), torch.tensor([0, -1])), IndexError,
     "Target -1 is out of bounds."),
    (lambda: F.cross_entropy(X(2, 3), LONGS(3)), ValueError,
     "Expected input batch_size (2) to match target batch_size (3)."),
    (lambda: F.cross_entropy(X(2, 3), LONGS(2), weight=X(2)), RuntimeError,
     "weight tensor should be defined either for all 3 classes or no classes but got weight tensor "
     "of shape: [2]"),
    (lambda: F.cross_entropy(X(2, 3, 4), LONGS(2, 5)), RuntimeError,
     "Expected target size [2, 4], got [2, 5]"),
    (lambda: F.mse_loss(LONGS(2), LONGS(2)), NotImplementedError,
     "\"mse_cpu\" not implemented for 'Long'"),
    (lambda: F.mse_loss(X(2), X(2), weight=X(1)), ValueError,
     "Weights and input must have the same size."),
    (lambda: F.smooth_l1_loss(X(2), X(2), beta=-1.0), RuntimeError,
     "smooth_l1_loss does not support negative values for beta."),
    (lambda: F.huber_loss(X(2), X(2), delta=0.0), RuntimeError,
     "huber_loss does not support non-positive values for delta."),
    (lambda: F.gaussian_nll_loss(X(2, 3), X(2, 3), X(3)), ValueError, "var is of incorrect size"),
    (lambda: F.gaussian_nll_loss(X(2), X(2), -X(2)), ValueError, "var has negative entry/entries"),
    (lambda: F.cosine_embedding_loss(X(2, 3), X(3), X(2)), RuntimeError,
     "1D target tensor expects 2D input tensors, but found inputs with sizes [2, 3] and [3]."),
    (lambda: F.triplet_margin_loss(X(2), X(2), X(2), margin=-1.0), ValueError,
     "margin must be greater than 0, got -1.0"),
    (lambda: F.multi_margin_loss(X(2, 3), LONGS(2), p=3), ValueError,
     "only p == 1 and p == 2 supported"),
    (lambda: F.multi_margin_loss(X(2, 3), LONGS(2) * 3), RuntimeError, "target out of range"),
    (lambda: F.scaled_dot_product_attention(X(2, 3), X(2, 3), D(2, 3)), RuntimeError,
     "Expected query, key, and value to have the same dtype, but got query.dtype: float key.dtype: "
     "float and value.dtype: double instead."),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(ERRORS)))
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_errors_are_pytorchs(case):
    call, kind, sentence = ERRORS[case]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).split("\n")[0] == sentence


def test_what_activations_save_decides_which_writes_raise():
    x = t(WHOLE, grad=True)
    y = F.softmax(x * 1, 0)
    y += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    before = x * 1
    out = F.gelu(before)
    before += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()
    out = F.gelu(x * 1)
    out += 1
    out.sum().backward()
