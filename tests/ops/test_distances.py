"""Distances of rows, differences on a grid, reductions of runs: values and gradients."""

import math

import numpy as np
import pytest

import leafgrad as torch
from ops.helpers import check_gradients

F64 = torch.float64
generator = np.random.default_rng(14)
A, B = generator.standard_normal((4, 3)), generator.standard_normal((5, 3))
BATCH = generator.standard_normal((2, 1, 4, 3))


def numpy(t):
    return t.detach().numpy()


ORDERS = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, math.inf]


def norms(difference, p):
    return np.linalg.norm(difference, p, -1) if p else (difference != 0).sum(-1).astype(float)


@pytest.mark.parametrize("p", ORDERS)
def test_cdist(p):
    found = torch.cdist(torch.tensor(A), torch.tensor(B), p)
    np.testing.assert_allclose(numpy(found), norms(A[:, None] - B, p), rtol=1e-13)
    batched = torch.cdist(torch.tensor(BATCH), torch.tensor(np.stack([B, B])), p)
    assert batched.shape == (2, 2, 4, 5)
    np.testing.assert_allclose(numpy(batched)[1, 0], norms(BATCH[1, 0][:, None] - B, p), rtol=1e-13)
    if p:
        check_gradients(lambda a, b: torch.cdist(a, b, p), A, B)
        check_gradients(lambda a: torch.cdist(a, torch.tensor(B), p), BATCH)


@pytest.mark.parametrize("p", ORDERS)
def test_pdist(p):
    pairs = np.triu_indices(5, 1)
    found = torch.pdist(torch.tensor(B), p)
    np.testing.assert_allclose(numpy(found), norms(B[pairs[0]] - B[pairs[1]], p), rtol=1e-13)
    if p:
        check_gradients(lambda b: torch.nn.functional.pdist(b, p), B)


def test_many_rows():
    a, b = generator.standard_normal((300, 20)), generator.standard_normal((200, 20))
    exact = norms(a[:, None] - b, 2)
    for mode in ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
                 "donot_use_mm_for_euclid_dist"):  # fmt: skip
        x = torch.tensor(a, requires_grad=True)
        found = torch.cdist(x, torch.tensor(b), compute_mode=mode)
        np.testing.assert_allclose(numpy(found), exact, rtol=1e-12)
        found.sum().backward()
        slopes = ((a[:, None] - b) / exact[..., None]).sum(1)
        np.testing.assert_allclose(numpy(x.grad), slopes, atol=1e-11)
    rows = generator.standard_normal((900, 1500))
    np.testing.assert_allclose(numpy(torch.cdist(torch.tensor(rows[:3]), torch.tensor(rows), 1.0)),
                               np.abs(rows[:3, None] - rows).sum(-1))  # fmt: skip


@pytest.mark.parametrize("p", [0.0, 1.0, 1.5, 2.0, 3.0, math.inf])
def test_equal_rows_give_no_gradient(p):
    x = torch.tensor([[1.0, 2.0], [1.0, 2.0]], requires_grad=True)
    torch.pdist(x, p).sum().backward()
    y = torch.tensor([[1.0, 2.0]], requires_grad=True)
    torch.cdist(y, x.detach(), p).sum().backward()
    for grad in (x.grad, y.grad):
        assert grad is None or not grad.any()


def test_nothing_to_compare():
    assert torch.cdist(torch.ones(0, 3), torch.ones(2, 3)).shape == (0, 2)
    assert torch.cdist(torch.ones(2, 0), torch.ones(3, 0)).tolist() == [[0.0] * 3] * 2
    assert torch.pdist(torch.ones(1, 3)).shape == (0,)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda x: torch.cdist(x, x[:, :2]), RuntimeError, "X1 and X2 must have the same number o"),
        (lambda x: torch.cdist(x[0], x), RuntimeError, "cdist only supports at least 2D tensors, "),
        (lambda x: torch.cdist(x, x, -1.0), RuntimeError, "cdist only supports non-negative p val"),
        (lambda x: torch.cdist(x, x, 2, "a"), ValueError, "a is not a valid value for compute_mod"),
        (lambda x: torch.cdist(x.long(), x), RuntimeError, "cdist only supports floating-point dt"),
        (lambda x: torch.cdist(x, x.float()), RuntimeError, "expected scalar type Double but foun"),
        (lambda x: torch.cdist(x.half(), x.half()), NotImplementedError, '"cdist" not implemented'),
        (lambda x: torch.pdist(x[0]), RuntimeError, "pdist only supports 2D tensors, got: 1D"),
        (lambda x: torch.pdist(x.long()), RuntimeError, "pdist only supports floating-point dtype"),
    ],
)  # fmt: skip
def test_errors_of_distances(call, kind, sentence):
    with pytest.raises(kind) as error:
        call(torch.tensor(A))
    assert str(error.value).startswith(sentence)


# gradient

GRID = generator.standard_normal((4, 5))
TIMES = np.cumsum(generator.uniform(0.5, 2, 4))
PLACES = np.cumsum(generator.uniform(0.5, 2, 5))


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient(edge_order):
    x = torch.tensor(GRID)
    for spacing, distances in (
        (None, ()), (0.5, (0.5,)), ([0.5, 2.0], (0.5, 2.0)),
        ((torch.tensor(TIMES), torch.tensor(PLACES)), (TIMES, PLACES)),
    ):  # fmt: skip
        found = torch.gradient(x, spacing=spacing, edge_order=edge_order)
        for ours, theirs in zip(found, np.gradient(GRID, *distances, edge_order=edge_order),
                                strict=True):  # fmt: skip
            np.testing.assert_allclose(numpy(ours), theirs, rtol=1e-12)
    (one,) = torch.gradient(x, dim=-1, spacing=2.0, edge_order=edge_order)
    np.testing.assert_allclose(numpy(one), np.gradient(GRID, 2.0, axis=1, edge_order=edge_order))
    check_gradients(lambda x: torch.gradient(x, edge_order=edge_order)[0], GRID)
    check_gradients(
        lambda x, t: torch.gradient(x, spacing=(t,), dim=0, edge_order=edge_order)[0], GRID, TIMES
    )


def test_gradient_of_few_points_and_of_integers():
    assert torch.gradient(torch.tensor([1, 4]))[0].tolist() == [3.0, 3.0]
    assert torch.gradient(torch.tensor([1, 4, 9]))[0].dtype is torch.float32
    x = torch.tensor([0.0, 1.0, 4.0, 9.0], dtype=F64)
    (parabola,) = torch.gradient(x, edge_order=2)
    np.testing.assert_allclose(numpy(parabola), [0, 2, 4, 6], atol=1e-15)
    assert torch.gradient(x, dim=()) == ()


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ({"spacing": [0.1], "dim": (1, 0)}, RuntimeError, "torch.gradient expected spacing to be "),
        ({"spacing": [0.1]}, RuntimeError, "torch.gradient expected spacing to be unspecified, a "),
        ({"edge_order": 3}, RuntimeError, "torch.gradient only supports edge_order=1 and edge_ord"),
        ({"dim": (1, 1)}, RuntimeError, "dim 1 appears multiple times in the list of dims"),
        ({"dim": 3}, IndexError, "Dimension out of range (expected to be in range of [-2, 1], but"),
        ({"spacing": (torch.ones(1, 4),), "dim": 0}, RuntimeError, "torch.gradient expected each "),
        ({"spacing": (torch.ones(3),), "dim": 0}, RuntimeError, "torch.gradient expected each ele"),
    ],
)  # fmt: skip
def test_errors_of_gradient(arguments, kind, sentence):
    with pytest.raises(kind) as error:
        torch.gradient(torch.tensor(GRID), **arguments)
    assert str(error.value).startswith(sentence)
    with pytest.raises(
        RuntimeError, match="expected each dimension size to be at least edge_order"
    ):
        torch.gradient(torch.ones(3, 1))


# segment_reduce

LENGTHS = [2, 0, 3, 1]
RUNS = generator.standard_normal((6, 2))
REDUCTIONS = {
    "sum": (np.sum, 0.0), "prod": (np.prod, 1.0), "mean": (np.mean, math.nan),
    "max": (np.max, -math.inf), "min": (np.min, math.inf),
}  # fmt: skip


def pieces(function, empty):
    runs = np.split(RUNS, np.cumsum(LENGTHS)[:-1])
    return np.array([function(r, 0) if len(r) else np.full(2, empty) for r in runs])


@pytest.mark.parametrize("name", REDUCTIONS)
def test_segment_reduce(name):
    function, empty = REDUCTIONS[name]
    lengths, offsets = torch.tensor(LENGTHS), torch.tensor([0, *np.cumsum(LENGTHS)])
    x = torch.tensor(RUNS)
    found = torch.segment_reduce(x, name, lengths=lengths)
    np.testing.assert_allclose(numpy(found), pieces(function, empty), rtol=1e-13)
    assert torch.equal(
        torch.segment_reduce(x, name, offsets=offsets).nan_to_num(), found.nan_to_num()
    )
    rows = torch.segment_reduce(x.T, name, lengths=torch.tensor([LENGTHS, LENGTHS]), axis=1)
    np.testing.assert_allclose(numpy(rows), numpy(found).T, rtol=1e-13)
    check_gradients(
        lambda x: torch.segment_reduce(x, name, lengths=lengths, initial=0.5), RUNS, order=1
    )
    assert torch.segment_reduce(x.half(), name, lengths=lengths).dtype is torch.float16


def test_segments_with_ties_and_zeros():
    x = torch.tensor([1.0, 5, 5, 2, 0, 4], requires_grad=True)
    lengths = torch.tensor([3, 3])
    (tied,) = torch.autograd.grad(torch.segment_reduce(x, "max", lengths=lengths).sum(), x)
    assert tied.tolist() == [0, 0.5, 0.5, 0, 0, 1]
    (others,) = torch.autograd.grad(torch.segment_reduce(x, "prod", lengths=lengths).sum(), x)
    assert others.tolist() == [25, 5, 5, 0, 8, 0]
    (g,) = torch.autograd.grad(
        torch.segment_reduce(x, "sum", lengths=lengths).sum(), x, create_graph=True
    )
    with pytest.raises(
        RuntimeError, match="derivative for aten::_segment_reduce_backward is not i"
    ):
        g.sum().backward()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"lengths": torch.tensor([1, 2])}, "segment_reduce(): Expected all rows of lengths along"),
        ({"lengths": torch.tensor([-1, 7])}, "lengths contains negative value!"),
        ({}, "segment_reduce(): Either lengths or offsets must be defined."),
        ({"indices": torch.tensor([0])}, "segment_reduce(): indices based reduction is not suppor"),
        (
            {"lengths": torch.tensor([6]), "axis": 1},
            "segment_reduce(): Expected axis to be the las",
        ),
    ],
)
def test_errors_of_segments(arguments, sentence):
    with pytest.raises(RuntimeError) as error:
        torch.segment_reduce(torch.tensor(RUNS), "sum", **arguments)
    assert str(error.value).startswith(sentence)
    with pytest.raises(
        RuntimeError, match="reduce argument must be either sum, prod, mean, amax or"
    ):
        torch.segment_reduce(torch.tensor(RUNS), "all", lengths=torch.tensor([6]))
    with pytest.raises(IndexError, match="offsets reach beyond the 6 elements"):
        torch.segment_reduce(torch.tensor(RUNS), "sum", offsets=torch.tensor([0, 9]))
