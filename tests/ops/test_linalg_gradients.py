"""Derivatives of linear algebra, of first and second order, and where PyTorch has none."""

import math

import numpy as np
import pytest

import leafgrad as torch
import leafgrad.linalg as la
from ops.helpers import check_gradients

pytestmark = pytest.mark.filterwarnings("ignore:torch.*deprecated")
rng = np.random.default_rng(11)


def some(*shape, dtype="float64"):
    values = rng.standard_normal(shape)
    if dtype == "complex128":
        values = values + 1j * rng.standard_normal(shape)
    return values


def regular(*shape, dtype="float64"):
    """Matrices that are far from singular, with singular values apart."""
    u, _, vh = np.linalg.svd(some(*shape, dtype=dtype), full_matrices=False)
    return u * np.arange(1.0, u.shape[-1] + 1) @ vh


def hermitian(a):
    return (a + a.mH) / 2


def positive(a):
    return a @ a.mH + torch.eye(a.shape[-1], dtype=a.dtype)


def joined(*tensors):
    """All elements of tensors as one vector."""
    return torch.cat([t.reshape(-1).to(torch.complex128) for t in tensors])


# name: (function of tensors, its arguments' shapes). Square matrices are regular.
CALLS = {
    "cholesky": (lambda a: la.cholesky(positive(a)), (3, 3)),
    "cholesky upper": (lambda a: la.cholesky(positive(a), upper=True), (2, 3, 3)),
    "old cholesky": (lambda a: torch.cholesky(positive(a)), (3, 3)),
    "cholesky_ex": (lambda a: la.cholesky_ex(positive(a)).L, (3, 3)),
    "cholesky_solve": (lambda b, a: torch.cholesky_solve(b, a.tril()), (2, 3, 2), (3, 3)),
    "cholesky_solve upper": (lambda b, a: torch.cholesky_solve(b, a.triu(), True), (3, 2), (3, 3)),
    "cholesky_inverse": (lambda a: torch.cholesky_inverse(a.tril()), (2, 3, 3)),
    "cholesky_inverse upper": (lambda a: torch.cholesky_inverse(a.triu(), upper=True), (3, 3)),
    "lu": (lambda a: joined(*la.lu(a)[1:]), (2, 3, 3)),
    "lu tall": (lambda a: joined(*la.lu(a)[1:]), (4, 2)),
    "lu wide": (lambda a: joined(*la.lu(a)[1:]), (2, 4)),
    "L alone": (lambda a: la.lu(a).L, (4, 2)),
    "U alone": (lambda a: la.lu(a).U, (2, 4)),
    "L alone, wide": (lambda a: la.lu(a).L, (2, 4)),
    "lu_factor": (lambda a: la.lu_factor(a).LU, (2, 3, 3)),
    "lu_factor tall": (lambda a: la.lu_factor(a).LU, (4, 2)),
    "lu_factor wide": (lambda a: la.lu_factor(a).LU, (2, 4)),
    "lu_unpack": (lambda a: joined(*torch.lu_unpack(*la.lu_factor(a))[1:]), (4, 2)),
    "lu_unpack wide": (lambda a: joined(*torch.lu_unpack(*la.lu_factor(a))[1:]), (2, 4)),
    "lu_solve": (lambda a, b: la.lu_solve(*la.lu_factor(a), b), (3, 3), (2, 3, 2)),
    "lu_solve right": (
        lambda a, b: la.lu_solve(*la.lu_factor(a), b, left=False), (2, 3, 3), (2, 3)),
    "lu_solve adjoint": (
        lambda a, b: la.lu_solve(*la.lu_factor(a), b, adjoint=True), (3, 3), (3, 2)),
    "lu_solve right, adjoint": (
        lambda a, b: la.lu_solve(*la.lu_factor(a), b, left=False, adjoint=True), (3, 3), (2, 3)),
    "qr": (lambda a: joined(*la.qr(a)), (2, 3, 3)),
    "qr tall": (lambda a: joined(*la.qr(a)), (4, 2)),
    "qr wide": (lambda a: joined(*la.qr(a)), (2, 4)),
    "qr wide complete": (lambda a: joined(*la.qr(a, "complete")), (2, 4)),
    "Q alone": (lambda a: la.qr(a).Q, (4, 3)),
    "R alone": (lambda a: la.qr(a).R, (3, 4)),
    "Q alone, wide": (lambda a: la.qr(a).Q, (2, 4)),
    "householder_product": (la.householder_product, (4, 3), (2,)),
    "householder_product batch": (la.householder_product, (2, 3, 3), (2, 3)),
    "ormqr": (torch.ormqr, (4, 2), (2,), (4, 3)),
    "ormqr right": (lambda a, t, c: torch.ormqr(a, t, c, left=False), (4, 2), (2,), (3, 4)),
    "ormqr transposed": (lambda a, t, c: torch.ormqr(a, t, c, transpose=True), (4, 2), (2,), (4, 3)),
    "ormqr right, transposed": (
        lambda a, t, c: torch.ormqr(a, t, c, False, True), (2, 3, 4), (2, 3), (2, 2, 3)),
    "eigvals": (lambda a: joined(la.eigvals(a).abs().sort(-1)[0]), (3, 3)),
    "eig": (lambda a: joined(la.eig(a)[1].abs().sum(), la.eig(a)[0].abs().sum()), (3, 3)),
    "eigvalsh": (lambda a: la.eigvalsh(hermitian(a)), (2, 3, 3)),
    "eigh": (lambda a: la.eigh(hermitian(a))[1].abs(), (3, 3)),
    "eigh both": (lambda a: joined(la.eigh(hermitian(a))[0], la.eigh(hermitian(a))[1].abs()), (3, 3)),
    "svdvals": (la.svdvals, (2, 3, 4)),
    "svd U": (lambda a: la.svd(a, False).U.abs(), (4, 3)),
    "svd V": (lambda a: la.svd(a, False).Vh.abs(), (3, 4)),
    "svd all": (lambda a: (lambda u, s, v: (u * s.exp().unsqueeze(-2)) @ v)(*la.svd(a, False)), (2, 4, 3)),
    "svd all, wide": (lambda a: (lambda u, s, v: (u * s.exp().unsqueeze(-2)) @ v)(*la.svd(a, False)), (3, 4)),
    "svd full": (lambda a: la.svd(a).U[..., :3].abs(), (4, 3)),
    "old svd": (lambda a: (lambda u, s, v: (u * s * s) @ v.mH)(*torch.svd(a)), (3, 3)),
    "solve_triangular": (
        lambda a, b: la.solve_triangular(a, b, upper=True), (3, 3), (2, 3, 2)),
    "solve_triangular right": (
        lambda a, b: la.solve_triangular(a, b, upper=False, left=False), (2, 3, 3), (2, 3)),
    "solve_triangular of ones": (
        lambda a, b: la.solve_triangular(a, b, upper=False, unitriangular=True), (3, 3), (3, 2)),
    "triangular_solve": (
        lambda b, a: joined(*torch.triangular_solve(b, a)), (3, 2), (3, 3)),
    "triangular_solve transposed": (
        lambda b, a: torch.triangular_solve(b, a, False, True)[0], (2, 3, 2), (3, 3)),
    "solve": (la.solve, (2, 3, 3), (3, 2)),
    "solve vector": (la.solve, (2, 3, 3), (3,)),
    "solve right": (lambda a, b: la.solve(a, b, left=False), (3, 3), (2, 3)),
    "inv": (la.inv, (2, 3, 3)),
    "tensorinv": (lambda a: la.tensorinv(a.reshape(2, 2, 4)), (4, 4)),
    "tensorsolve": (lambda a, b: la.tensorsolve(a.reshape(2, 2, 4), b), (4, 4), (2, 2)),
    "det": (la.det, (2, 3, 3)),
    "det of one": (la.det, (1, 1)),
    "slogdet": (lambda a: joined(*la.slogdet(a)), (2, 3, 3)),
    "logdet": (lambda a: torch.logdet(positive(a)), (3, 3)),
    "pinv": (la.pinv, (2, 4, 3)),
    "pinv wide": (la.pinv, (3, 4)),
    "pinv hermitian": (lambda a: la.pinv(hermitian(a), hermitian=True), (3, 3)),
    "lstsq": (lambda a, b: la.lstsq(a, b).solution, (4, 3), (4, 2)),
    "lstsq residuals": (
        lambda a, b: joined(*la.lstsq(a, b, driver="gelsd")[:2]), (2, 4, 3), (2, 4, 2)),
    "lstsq vector": (lambda a, b: joined(*la.lstsq(a, b, driver="gels")[:2]), (4, 3), (4,)),
    "matrix_exp": (torch.matrix_exp, (2, 3, 3)),
    "matrix_power": (lambda a: torch.matrix_power(a, 3), (3, 3)),
    "matrix_power negative": (lambda a: torch.matrix_power(a, -2), (3, 3)),
    "cond": (la.cond, (3, 3)),
    "cond fro": (lambda a: la.cond(a, "fro"), (3, 3)),
    "norm nuc": (lambda a: la.matrix_norm(a, "nuc"), (2, 3, 4)),
    "norm 2": (lambda a: la.matrix_norm(a, 2, dim=(0, 2)), (3, 2, 4)),
    "norm -1": (lambda a: la.matrix_norm(a, -1, keepdim=True), (3, 4)),
    "norm inf": (lambda a: la.norm(a, math.inf), (3, 4)),
    "vecdot": (la.vecdot, (2, 3), (3,)),
    "vander": (lambda x: la.vander(x, N=4), (3,)),
    "cov": (torch.cov, (3, 5)),
    "corrcoef": (torch.corrcoef, (2, 5)),
    "multi_dot": (lambda a, b, c: la.multi_dot([a, b, c]), (2, 3), (3, 4), (4, 2)),
    "cross": (la.cross, (2, 3), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", CALLS)
def test_derivatives(name, dtype):
    call, *shapes = CALLS[name]

    def point(shape):
        square = len(shape) > 1 and shape[-1] == shape[-2]
        return regular(*shape, dtype=dtype) if square else some(*shape, dtype=dtype)

    check_gradients(call, *[point(shape) for shape in shapes])


def test_covariance_with_weights():
    f = np.array([1, 2, 3, 1, 2])
    check_gradients(
        lambda x, a: torch.cov(x, fweights=torch.tensor(f), aweights=a), some(3, 5), rng.random(5)
    )


def test_low_rank():
    def call(a, b):
        u, s, v = torch.svd_lowrank(a @ b, q=2)
        return (u * s * s) @ v.mT

    check_gradients(call, some(5, 2), some(2, 4))


# Points where formulas divide by zero


def cofactors(a):
    n = len(a)
    return np.array([[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
                      for j in range(n)] for i in range(n)])  # fmt: skip


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_det_of_singular_matrices(rank):
    a = some(3, rank) @ some(rank, 3)
    leaf = torch.tensor(a, requires_grad=True)
    for create_graph in (False, True):
        (g,) = torch.autograd.grad(la.det(leaf), leaf, create_graph=create_graph)
        np.testing.assert_allclose(g.detach().numpy(), cofactors(a), atol=1e-10)
    if rank == 2:  # elsewhere the second derivative is that of singular vectors that are not unique
        one, two = some(3, 3), some(3, 3)
        (second,) = torch.autograd.grad((g * torch.tensor(one)).sum(), leaf)
        change = (
            cofactors(a + 1e-4 * two) - cofactors(a - 1e-4 * two)
        ) / 2e-4  # exact: of degree 2
        np.testing.assert_allclose((second.numpy() * two).sum(), (change * one).sum(), rtol=1e-8)


def test_det_of_singular_and_regular_matrices_together():
    a = np.stack([some(3, 2) @ some(2, 3), some(3, 3)])
    check_gradients(la.det, a)
    a = np.stack([np.zeros((2, 2)), np.eye(2)])
    leaf = torch.tensor(a, requires_grad=True)
    la.det(leaf).sum().backward()
    assert leaf.grad.tolist() == [[[0, 0], [0, 0]], [[1, 0], [0, 1]]]


def test_repeated_values():
    """Eigenvalues and singular values have derivatives where they repeat, vectors have none."""
    for values in (la.svdvals, la.eigvalsh):
        leaf = torch.eye(2, requires_grad=True)
        values(leaf).sum().backward()
        np.testing.assert_allclose(leaf.grad.numpy(), np.eye(2), atol=1e-6)
    leaf = torch.eye(2, requires_grad=True)
    la.eigh(leaf)[1].sum().backward()
    assert leaf.grad.isnan().all()


def test_slogdet_of_a_singular_matrix():
    leaf = torch.tensor([[1.0, 2], [2, 4]], requires_grad=True)
    la.slogdet(leaf)[1].backward()
    assert leaf.grad.tolist() == [[-math.inf, math.inf], [math.inf, -math.inf]]


@pytest.mark.parametrize("call", [la.det, torch.logdet, lambda a: la.inv(a).sum(),
                                  lambda a: la.cholesky(a).sum(), lambda a: la.svdvals(a).sum(),
                                  lambda a: torch.matrix_exp(a).sum()])  # fmt: skip
@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0)])
def test_nothing_at_all(call, shape):
    leaf = torch.empty(shape, requires_grad=True)
    (g,) = torch.autograd.grad(call(leaf).sum(), leaf)
    assert g.shape == shape


# Gradients of functions of Hermitian matrices


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradient_of_eigh_is_hermitian(dtype):
    leaf = torch.tensor(some(3, 3, dtype=dtype), requires_grad=True)
    values, vectors = la.eigh(leaf)
    (values.sum() + vectors.abs().pow(3).sum()).backward()
    np.testing.assert_allclose(leaf.grad.mH.numpy(), leaf.grad.numpy(), atol=1e-12)


# What has no derivative, in PyTorch's words

PHASE = ("The eigenvectors in the complex case are specified up to multiplication by e^{i phi}. The "
         "specified loss function depends on this quantity, so it is ill-defined.")  # fmt: skip
REFUSED = [
    (lambda a: la.svd(a).U.sum(), "complex128", (3, 3), RuntimeError,
     "svd_backward: The singular vectors in the complex case are specified up to multiplication by "
     "e^{i phi}. The specified loss function depends on this phase term, making it ill-defined."),
    (lambda a: la.svd(a).Vh.sum(), "complex128", (3, 3), RuntimeError, "svd_backward: The singular"),
    (lambda a: la.eigh(a)[1].sum(), "complex128", (3, 3), RuntimeError,
     f"linalg_eigh_backward: {PHASE}"),
    (lambda a: la.eig(a)[1].sum(), "complex128", (3, 3), RuntimeError,
     f"linalg_eig_backward: {PHASE}"),
    (lambda a: la.eig(a)[1].sum(), "float64", (3, 3), RuntimeError, f"linalg_eig_backward: {PHASE}"),
    (lambda a: la.qr(a, "complete").R.sum(), "float64", (4, 3), RuntimeError,
     "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."),
    (lambda a: la.qr(a, "r").R.sum(), "float64", (3, 3), RuntimeError,
     "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
     "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."),
    (lambda a: torch.geqrf(a)[0].sum(), "float64", (3, 3), NotImplementedError,
     "the derivative for 'geqrf' is not implemented."),
    (lambda a: la.ldl_solve(a, torch.ones(3, dtype=torch.int32), a).sum(), "float64", (3, 3),
     RuntimeError, "derivative for aten::linalg_ldl_solve is not implemented"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[4][:40])
def test_refused(case):
    call, dtype, shape, kind, sentence = case
    a = some(*shape, dtype=dtype)
    if dtype == "float64" and "eig" in sentence:
        a = np.array([[0.0, 1, 0.3], [-1, 0.2, 0], [0, 0.5, 1]])  # with complex eigenvalues
    out = call(torch.tensor(a, requires_grad=True))
    with pytest.raises(kind) as caught:
        (out.real if out.is_complex() else out).backward()
    assert str(caught.value).startswith(sentence)


def test_ldl_factor_has_no_derivative():
    pytest.importorskip("scipy")
    factors = la.ldl_factor(torch.ones(2, 2).requires_grad_() + torch.eye(2)).LD
    assert factors.grad_fn.name() == "torch::autograd::NotImplemented"
    with pytest.raises(RuntimeError, match="derivative for aten::linalg_ldl_factor_ex"):
        factors.sum().backward()


# The graph: names of nodes, and what changes in place raise

NODES = {
    "CholeskyBackward0": torch.cholesky, "CholeskyInverseBackward0": torch.cholesky_inverse,
    "LinalgCholeskyExBackward0": la.cholesky, "LinalgDetBackward0": la.det,
    "LinalgEigBackward0": la.eigvals, "LinalgEighBackward0": la.eigvalsh,
    "LinalgInvExBackward0": torch.inverse, "LinalgLuBackward0": lambda a: la.lu(a).U,
    "LinalgLuFactorExBackward0": lambda a: torch.lu(a)[0],
    "LinalgMatrixExpBackward0": torch.matrix_exp, "LinalgPinvBackward0": torch.pinverse,
    "LinalgQrBackward0": lambda a: torch.qr(a).R, "LinalgSlogdetBackward0": lambda a: a.slogdet()[1],
    "LinalgSolveExBackward0": lambda a: la.solve(a, a), "LinalgSvdBackward0": la.svdvals,
    "LinalgSolveTriangularBackward0": lambda a: la.solve_triangular(a, a, upper=True),
    "LinalgLstsqBackward0": lambda a: la.lstsq(a, a).solution,
    "LinalgHouseholderProductBackward0": lambda a: la.householder_product(a, a[0]),
    "OrmqrBackward0": lambda a: torch.ormqr(a, a[0], a), "WhereBackward0": torch.logdet,
    "TriangularSolveBackward0": lambda a: torch.triangular_solve(a, a)[0],
    "AmaxBackward0": lambda a: la.norm(a, 2), "SumBackward1": lambda a: torch.norm(a, "nuc"),
    "LinalgVectorNormBackward0": la.matrix_norm, "SqueezeBackward1": la.cond,
    "NanToNumBackward0": lambda a: la.cond(a, 1), "MmBackward0": lambda a: a.matrix_power(3),
    "CloneBackward0": lambda a: a.matrix_power(1), "CatBackward0": lambda a: la.vander(a[0]),
    "SqueezeBackward0": torch.cov, "ClampBackward1": torch.corrcoef,
    "LinalgCrossBackward0": lambda a: la.cross(a, a), "DiagonalBackward0": la.diagonal,
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_names_of_nodes(name):
    a = torch.tensor(np.diag([1.0, 2, 3]) + 0.1).requires_grad_()
    assert NODES[name](a).grad_fn.name() == name


def test_results_that_are_saved_may_not_change():
    leaf = torch.tensor(regular(3, 3), requires_grad=True)
    out = la.inv(leaf)
    out.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()
    a = leaf * 1
    out = la.svdvals(a)
    a.zero_()  # not saved
    out.sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy(), _polar(leaf.detach().numpy()), atol=1e-12)


def _polar(a):
    u, _, vh = np.linalg.svd(a)
    return u @ vh
