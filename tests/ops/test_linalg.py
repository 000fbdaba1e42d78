"""Linear algebra: what the factors, solutions and norms must satisfy, and PyTorch's errors."""

import math
import sys

import numpy as np
import pytest

import leafgrad as torch
import leafgrad.linalg as la

pytestmark = pytest.mark.filterwarnings("ignore:torch.*deprecated")
rng = np.random.default_rng(7)
DTYPES = ["float32", "float64", "complex64", "complex128"]
SHAPES = [(3, 3), (5, 3), (3, 5), (2, 4, 4), (2, 1, 4, 2), (0, 3, 3), (0, 0), (4, 0), (0, 4)]
SQUARE = [(1, 1), (3, 3), (2, 4, 4), (2, 3, 2, 2), (0, 3, 3), (0, 0), (70, 70)]


def some(*shape, dtype="float64"):
    values = rng.standard_normal(shape)
    if dtype.startswith("complex"):
        values = values + 1j * rng.standard_normal(shape)
    return torch.tensor(values.astype(dtype))


def hermitian(*shape, dtype="float64"):
    a = some(*shape, dtype=dtype)
    return a + a.mH


def positive(*shape, dtype="float64"):
    a = some(*shape, dtype=dtype)
    return a @ a.mH + shape[-1] * torch.eye(shape[-1], dtype=a.dtype)


def close(a, b, scale=None):
    """Equal within rounding errors, of numbers of a size (by default the largest of b)."""
    a, b = (x.numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (a, b))
    assert a.shape == b.shape
    if scale is None:
        scale = max(1.0, float(np.max(np.abs(b), initial=0)))
    eps = max((np.finfo(x.dtype).eps for x in (a, b) if x.dtype.kind in "fc"), default=0)
    np.testing.assert_allclose(a, b, rtol=0, atol=2000 * eps * scale)


def solves(a, x, b, left=True):
    """Whether ax = b (or xa = b), as exactly as can be asked: by the sizes of a and x."""
    largest = [float(np.max(np.abs(y.numpy()), initial=1)) for y in (a, x)]
    close(a @ x if left else x @ a, b, a.shape[-1] * largest[0] * largest[1])


def eye(n, like):
    return torch.eye(n, dtype=like.dtype).expand(*like.shape[:-2], n, n)


def diag(values, like):
    return torch.diag_embed(values).to(like.dtype)


# Factors


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARE)
def test_cholesky(shape, dtype):
    a = positive(*shape, dtype=dtype)
    lower, upper = la.cholesky(a), la.cholesky(a, upper=True)
    assert lower.dtype is a.dtype
    close(lower @ lower.mH, a)
    close(lower, lower.tril())
    close(upper, lower.mH)
    close(la.cholesky(a.tril()), lower)  # the other triangle is not read
    b = some(*shape[:-1], 2, dtype=dtype)
    solves(a, torch.cholesky_solve(b, lower), b)
    solves(a, torch.cholesky_solve(b, upper, upper=True), b)
    close(a @ torch.cholesky_inverse(lower), eye(shape[-1], a))
    close(a @ torch.cholesky_inverse(upper, upper=True), eye(shape[-1], a))
    assert not la.cholesky_ex(a).info.any()


def test_cholesky_of_what_is_not_positive():
    a = torch.tensor([[4.0, 2, 3], [2, -4, 5], [3, 5, 1]])
    factor, info = la.cholesky_ex(torch.stack([a, positive(3, 3).float()]))
    assert info.tolist() == [2, 0]
    close(factor[0], torch.tensor([[2.0, 0, 0], [1, -5, 0], [1.5, 5, 1]]))
    assert la.cholesky_ex(torch.full((2, 2), math.nan)).info.item() == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, (70, 90), (90, 70)])
def test_lu(shape, dtype):
    a = some(*shape, dtype=dtype)
    p, lower, upper = la.lu(a)
    close(p @ lower @ upper, a)
    close(lower, lower.tril())
    close(upper, upper.triu())
    assert (lower.abs() <= 1.5).all()  # pivots are the largest, by |re| + |im|
    packed, pivots, info = la.lu_factor_ex(a)
    assert pivots.dtype is torch.int32 and info.dtype is torch.int32
    assert pivots.shape == (*shape[:-2], min(shape[-2:])) and info.shape == shape[:-2]
    for found, wanted in zip(torch.lu_unpack(packed, pivots), (p, lower, upper), strict=True):
        close(found, wanted)
    assert torch.lu_unpack(packed, pivots, unpack_data=False).L.shape == (0,)
    assert torch.lu_unpack(packed, pivots, unpack_pivots=False).P.shape == (0,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARE)
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_lu_solve(shape, dtype, left, adjoint):
    a = some(*shape, dtype=dtype) + 2 * torch.eye(shape[-1])
    n = shape[-1]
    b = some(*((n, 2) if left else (2, n)), dtype=dtype)
    factors = la.lu_factor(a)
    x = la.lu_solve(*factors, b, left=left, adjoint=adjoint)
    matrix = a.mH if adjoint else a
    solves(matrix, x, b.expand_as(x), left)


def test_lu_of_singular_matrices():
    a = torch.tensor([[[1.0, 2], [2, 4]], [[0, 1], [1, 0]], [[0, 0], [0, 0]]])
    packed, pivots, info = la.lu_factor_ex(a)
    assert info.tolist() == [2, 0, 1]
    assert pivots.tolist() == [[2, 2], [2, 2], [1, 2]]
    close(packed[0], torch.tensor([[2.0, 4], [0.5, 0]]))
    p, lower, upper = la.lu(a)
    close(p @ lower @ upper, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARE)
@pytest.mark.parametrize("conjugate", [True, False])
def test_ldl(shape, dtype, conjugate):
    pytest.importorskip("scipy")
    a = some(*shape, dtype=dtype)
    a = a + (a.mH if conjugate else a.mT)
    a.diagonal(dim1=-2, dim2=-1).mul_(0.01)  # makes blocks of two
    factors, pivots, info = la.ldl_factor_ex(a, hermitian=conjugate)
    assert not info.any()
    close(factors, factors.tril())
    b = some(*shape[:-1], 2, dtype=dtype)
    solves(a, la.ldl_solve(factors, pivots, b, hermitian=conjugate), b)
    if shape == (4, 4):
        assert (pivots < 0).any()


def test_ldl_solve_needs_no_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    with pytest.raises(ModuleNotFoundError, match=r"leafgrad\[special\]"):
        la.ldl_factor(hermitian(3, 3))
    # [[0, 2], [2, 0]] as one block of D.
    factors, pivots = torch.tensor([[0.0, 0], [2, 0]]), torch.tensor([-2, -2], dtype=torch.int32)
    close(la.ldl_solve(factors, pivots, torch.tensor([[2.0], [6]])), torch.tensor([[3.0], [1]]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_qr(shape, dtype):
    a = some(*shape, dtype=dtype)
    rows, columns = shape[-2:]
    for mode, k in (("reduced", min(rows, columns)), ("complete", rows)):
        q, r = la.qr(a, mode)
        assert q.shape == (*shape[:-1], k) and r.shape == (*shape[:-2], k, columns)
        close(q @ r, a)
        close(q.mH @ q, eye(k, q))
        close(r, r.triu())
    q, r = la.qr(a, "r")
    assert q.shape == (0,)
    close(r, la.qr(a).R)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (2, 4, 2), (0, 3, 3), (3, 0)])
def test_reflections(shape, dtype):
    a = some(*shape, dtype=dtype)
    packed, tau = torch.geqrf(a)
    q, r = la.qr(a)
    close(packed.triu()[..., : shape[-1], :], r)
    close(la.householder_product(packed, tau), q)
    close(torch.orgqr(packed, tau), q)
    whole = la.qr(a, "complete").Q if shape[-1] else eye(shape[-2], a)
    for left in (True, False):
        c = (
            some(*shape[:-1], 2, dtype=dtype)
            if left
            else some(*shape[:-2], 2, shape[-2], dtype=dtype)
        )
        for transpose in (True, False):
            matrix = whole.mH if transpose else whole
            found = torch.ormqr(packed, tau, c, left=left, transpose=transpose)
            close(found, matrix @ c if left else c @ matrix)


# Eigenvalues and singular values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARE)
def test_eig(shape, dtype):
    a = some(*shape, dtype=dtype)
    values, vectors = la.eig(a)
    assert values.is_complex() and vectors.is_complex()
    assert values.itemsize == (8 if "32" in dtype or dtype == "complex64" else 16)
    close(a.to(values.dtype) @ vectors, vectors * values.unsqueeze(-2))
    found = la.eigvals(a)
    order = [np.argsort(np.round(x.numpy(), 2), -1) for x in (values, found)]
    one, two = (
        np.take_along_axis(x.numpy(), o, -1) for x, o in zip((values, found), order, strict=True)
    )
    np.testing.assert_allclose(one.sum(-1), two.sum(-1), atol=1e-3)
    w, v = la.eigh(h := a + a.mH)
    assert not w.is_complex()
    close(h @ v, v * w.unsqueeze(-2))
    close(v.mH @ v, eye(shape[-1], v))
    close(la.eigvalsh(h), w)
    close(la.eigvalsh(h.triu(), UPLO="u"), w)
    close(la.eigvalsh(h.tril()), w)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_svd(shape, dtype):
    a = some(*shape, dtype=dtype)
    k = min(shape[-2:])
    u, s, vh = la.svd(a, full_matrices=False)
    close(u @ diag(s, a) @ vh, a)
    assert u.shape[-1] == vh.shape[-2] == k and not s.is_complex()
    u, s, vh = la.svd(a)
    assert u.shape == (*shape[:-1], shape[-2]) and vh.shape == (*shape[:-2], shape[-1], shape[-1])
    close(u.mH @ u, eye(shape[-2], u))
    close(vh @ vh.mH, eye(shape[-1], vh))
    close(u[..., :k] @ diag(s, a) @ vh[..., :k, :], a)
    close(la.svdvals(a), s)
    old = torch.svd(a)
    close(old.U @ diag(old.S, a) @ old.V.mH, a)
    old = torch.svd(a, some=False, compute_uv=False)
    assert not old.U.any() and old.V.shape == vh.shape
    close(old.S, s)


def test_low_rank():
    a = some(2, 9, 3) @ some(2, 3, 7)
    for matrix in (a, a.mT):
        u, s, v = torch.svd_lowrank(matrix, q=4)
        close(u @ diag(s, u) @ v.mT, matrix)
        close(s[..., :3], la.svdvals(matrix)[..., :3])
    m = some(7)
    u, s, v = torch.svd_lowrank(a + m, q=4, M=m)
    close(u @ diag(s, u) @ v.mT, a)
    u, s, v = torch.pca_lowrank(a, q=3)
    close(u @ diag(s, u) @ v.mT, a - a.mean(-2, keepdim=True))


# Systems


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SQUARE, (150, 150)])
def test_solve_triangular(shape, dtype):
    n = shape[-1]
    a = some(*shape, dtype=dtype) / n + 2 * torch.eye(n)
    ones = a - diag(a.diagonal(dim1=-2, dim2=-1), a) + torch.eye(n)
    for upper in (True, False):
        for unit in (True, False):
            matrix = ones if unit else a
            matrix = matrix.triu() if upper else matrix.tril()
            b = some(*shape[:-1], 2, dtype=dtype)
            x = la.solve_triangular(a, b, upper=upper, unitriangular=unit)
            solves(matrix, x, b)
            x = la.solve_triangular(a, b.mT, upper=upper, unitriangular=unit, left=False)
            solves(matrix, x, b.mT, left=False)
            x, copy = torch.triangular_solve(b, a, upper, True, unit)
            solves(matrix.mT, x, b)
            close(copy, a)


def test_substitution_divides_by_zero():
    a, b = torch.tensor([[1.0, 2], [2, 0]]), torch.ones(2, 2)
    found = la.solve_triangular(a, b, upper=True)
    assert found.tolist() == [[-math.inf, -math.inf], [math.inf, math.inf]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARE)
def test_solve_and_inv(shape, dtype):
    n = shape[-1]
    a = some(*shape, dtype=dtype) + 2 * torch.eye(n)
    b = some(*shape[:-1], 2, dtype=dtype)
    solves(a, la.solve(a, b), b)
    solves(a, la.solve(a, b.mT, left=False), b.mT, left=False)
    solves(a, la.inv(a), eye(n, a))
    close(la.inv(a), a.inverse())
    vectors = b[..., 0]
    solves(a, la.solve(a, vectors).unsqueeze(-1), vectors.unsqueeze(-1))
    one = some(n, dtype=dtype)
    solves(a, la.solve(a, one).unsqueeze(-1), one.expand(shape[:-1]).unsqueeze(-1))
    result, info = la.solve_ex(a, b)
    close(result, la.solve(a, b))
    assert info.shape == shape[:-2] and not info.any()


def test_singular_systems():
    a = torch.tensor([[[1.0, 2], [2, 4]], [[2, 0], [0, 2]]])
    inverse, info = la.inv_ex(a)
    assert info.tolist() == [2, 0]
    assert inverse[0].tolist() == [[-math.inf, math.inf], [math.inf, -math.inf]]
    close(inverse[1], torch.eye(2) / 2)
    assert la.solve_ex(a, torch.ones(2)).info.tolist() == [2, 0]


def test_tensor_equations():
    a = some(2, 3, 6)
    close(la.tensorinv(a), np.linalg.tensorinv(a.numpy(), 2))
    b = some(2, 3)
    close(la.tensorsolve(a, b), np.linalg.tensorsolve(a.numpy(), b.numpy()))
    a = some(2, 6, 3)
    close(la.tensorsolve(a, b, dims=(1,)), np.linalg.tensorsolve(a.numpy(), b.numpy(), (1,)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARE)
def test_determinants(shape, dtype):
    a = some(*shape, dtype=dtype) / max(1, shape[-1]) ** 0.5
    det = la.det(a)
    assert det.shape == shape[:-2] and det.dtype is a.dtype
    product = np.prod(np.linalg.eigvals(a.numpy()), -1)
    close(det, (product if "complex" in dtype else product.real).astype(dtype))
    sign, log = la.slogdet(a)
    close(sign * log.exp(), det)
    close(sign.abs(), torch.ones(shape[:-2], dtype=log.dtype))
    p = positive(*shape, dtype=dtype)
    logdet = torch.logdet(p)
    close(logdet.real if p.is_complex() else logdet, la.slogdet(p).logabsdet)


def test_logdet_of_a_negative_determinant():
    assert torch.logdet(torch.tensor([[0.0, 1], [1, 0]])).isnan()
    assert torch.logdet(torch.zeros(2, 2)).item() == -math.inf
    assert torch.logdet(torch.zeros(0, 0)).item() == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_pinv(shape, dtype):
    a = some(*shape, dtype=dtype)
    if min(shape) > 2:
        a = a[..., :, :1] @ a[..., :1, :]  # of rank 1
    p = la.pinv(a)
    assert p.shape == (*shape[:-2], shape[-1], shape[-2])
    for x, y in ((a @ p @ a, a), (p @ a @ p, p), ((a @ p).mH, a @ p), ((p @ a).mH, p @ a)):
        close(x, y)
    h = hermitian(3, 3, dtype=dtype)
    close(la.pinv(h, hermitian=True), la.pinv(h))
    close(torch.pinverse(h), la.pinv(h))


def test_tolerances():
    a = torch.diag_embed(torch.tensor([[3.0, 1, 0.2, 0.01], [3, 1, 0.2, 0.35]]))
    for options, ranks in (
        ({}, [4, 4]),
        ({"rtol": 0.1}, [2, 3]),
        ({"atol": 0.5}, [2, 2]),
        ({"atol": 0.5, "rtol": 0.5}, [1, 1]),
        ({"atol": torch.tensor([0.5, 0.1])}, [2, 4]),
    ):
        assert la.matrix_rank(a, **options).tolist() == ranks
        assert la.matrix_rank(a, hermitian=True, **options).tolist() == ranks
        inverse = la.pinv(a, **options).diagonal(dim1=-2, dim2=-1)
        assert (inverse != 0).sum(-1).tolist() == ranks
    assert la.matrix_rank(a, 0.5).tolist() == [2, 2]
    assert la.matrix_rank(torch.zeros(2, 0, 3)).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (3, 3), (2, 4, 2)])
def test_lstsq(shape, driver, dtype):
    a = some(*shape, dtype=dtype)
    b = some(*shape[:-1], 2, dtype=dtype)
    found = la.lstsq(a, b, driver=driver)
    x = found.solution
    close(x, torch.tensor(np.linalg.pinv(a.numpy())) @ b)
    tall = shape[-2] > shape[-1] and driver not in (None, "gelsy")
    assert found.residuals.shape == ((*shape[:-2], 2) if tall else (0,))
    if tall:
        close(found.residuals, ((a @ x - b).abs() ** 2).sum(-2))
    if driver == "gels":
        assert found.rank.shape == (0,)
    else:
        assert (found.rank == min(shape[-2:])).all() and found.rank.dtype is torch.int64
    if driver in ("gelsd", "gelss"):
        close(found.singular_values, la.svdvals(a))
    else:
        assert found.singular_values.shape == (0,)
    close(la.lstsq(a, b[..., 0], driver=driver).solution, x[..., 0])


def test_lstsq_of_deficient_rank():
    found = la.lstsq(torch.ones(4, 3, dtype=torch.float64), torch.ones(4, 1, dtype=torch.float64))
    assert found.rank.item() == 1
    close(found.solution, np.full((3, 1), 1 / 3))


# Functions of matrices


def test_matrix_exp():
    turn = torch.tensor([[0.0, -0.7], [0.7, 0.0]], dtype=torch.float64)
    cos, sin = math.cos(0.7), math.sin(0.7)
    close(torch.matrix_exp(turn), np.array([[cos, -sin], [sin, cos]]))
    nilpotent = torch.tensor([[0.0, 2, 3], [0, 0, 4], [0, 0, 0]], dtype=torch.float64)
    close(la.matrix_exp(nilpotent), torch.eye(3) + nilpotent + nilpotent @ nilpotent / 2)
    assert torch.matrix_exp(torch.zeros(2, 2)).tolist() == [[1, 0], [0, 1]]
    assert torch.matrix_exp(torch.zeros(0, 3, 3)).shape == (0, 3, 3)
    a = some(3, 4, 4, dtype="complex128") * torch.tensor([1e-3, 1.0, 30.0])[:, None, None]
    values, vectors = np.linalg.eig(a.numpy())
    wanted = vectors * np.exp(values)[:, None] @ np.linalg.inv(vectors)
    found = la.matrix_exp(a).numpy()
    for x, y in zip(found, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-10 * np.abs(y).max())
    half = torch.matrix_exp(torch.eye(2, dtype=torch.float16))
    assert half.dtype is torch.float16 and abs(half[0, 0].item() - math.e) < 2e-3
    assert torch.matrix_exp(torch.full((2, 2), math.nan)).isnan().all()


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 3, 4, 5, 13])
def test_matrix_power(n):
    a = some(2, 3, 3)
    close(torch.matrix_power(a, n), np.linalg.matrix_power(a.numpy(), n))
    if n >= 0:
        whole = torch.tensor([[1, 2], [0, 1]])
        assert la.matrix_power(whole, n).tolist() == [[1, 2 * n], [0, 1]]


ORDERS = ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]


@pytest.mark.parametrize("ord", ORDERS)
def test_matrix_norms(ord):
    a = some(3, 4)
    close(la.matrix_norm(a, ord), np.linalg.norm(a.numpy(), ord))
    close(la.norm(a, ord), np.linalg.norm(a.numpy(), ord))
    close(la.matrix_norm(a, ord, keepdim=True), np.linalg.norm(a.numpy(), ord, keepdims=True))
    a = some(2, 3, 4, 5, dtype="complex128")
    for dim in ((-2, -1), (0, 2), (3, 1)):
        for keepdim in (False, True):
            found = la.matrix_norm(a, ord, dim, keepdim)
            wanted = np.linalg.norm(a.numpy(), ord, dim, keepdim)
            assert found.dtype is torch.float64
            close(found, wanted)
    assert la.matrix_norm(a.to(torch.complex64), ord, dtype=torch.complex128).dtype is torch.float64


def test_norms_of_vectors_and_names_of_dimensions():
    a = some(3, 4)
    close(la.norm(a), np.linalg.norm(a.numpy()))
    close(la.norm(a, dim=1), np.linalg.norm(a.numpy(), axis=1))
    close(la.norm(a, 3, axis=1, keepdims=True), np.linalg.norm(a.numpy(), 3, 1, True))
    close(torch.norm(a, "nuc"), np.linalg.norm(a.numpy(), "nuc"))
    close(torch.norm(a, "nuc", dim=(1, 0), keepdim=True), [[np.linalg.norm(a.numpy(), "nuc")]])
    close(torch.nuclear_norm(a), np.linalg.norm(a.numpy(), "nuc"))
    close(torch.frobenius_norm(a, (0, 1)), np.linalg.norm(a.numpy()))


@pytest.mark.parametrize("p", [None, *ORDERS])
def test_cond(p):
    a = some(2, 3, 3)
    close(la.cond(a, p), [np.linalg.cond(x, p) for x in a.numpy()])
    assert la.cond(torch.zeros(2, 0, 0), p).tolist() == [0, 0]
    if p not in (None, 2, -2, "nuc"):
        assert la.cond(torch.ones(2, 2), p).item() == math.inf


def test_patterns_and_products():
    x = some(2, 3)
    close(la.vander(x), np.stack([np.vander(row, increasing=True) for row in x.numpy()]))
    assert la.vander(torch.tensor([1, 2, 3]), N=4)[2].tolist() == [1, 3, 9, 27]
    close(la.vander(torch.tensor(2.0), N=3), [[1, 2, 4]])
    x, y = some(2, 3, dtype="complex128"), some(3, dtype="complex128")
    close(la.vecdot(x, y), np.sum(np.conj(x.numpy()) * y.numpy(), -1))
    close(la.vecdot(y, y), np.vdot(y.numpy(), y.numpy()))
    close(la.cross(x, x.flip(0)), np.cross(x.numpy(), x.numpy()[::-1]))
    a, b, c = some(3), some(3, 5), some(5)
    close(la.multi_dot([a, b, c]), a.numpy() @ b.numpy() @ c.numpy())
    a = some(2, 3, 4)
    view = la.diagonal(a, offset=1)
    view.zero_()
    assert a[1, 1, 2].item() == 0


def test_covariance():
    x = some(3, 8)
    f, a = torch.tensor([1, 2, 3, 1, 1, 4, 2, 1]), torch.tensor(rng.random(8))
    for options in (
        {}, {"correction": 0}, {"fweights": f}, {"aweights": a},
        {"fweights": f, "aweights": a, "correction": 2},
    ):  # fmt: skip
        ours = dict(options)
        theirs = {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in options.items()}
        close(
            torch.cov(x, **ours), np.cov(x.numpy(), ddof=theirs.pop("correction", None), **theirs)
        )
    close(torch.cov(x[0]), np.cov(x[0].numpy()))
    close(torch.corrcoef(x), np.corrcoef(x.numpy()))
    z = some(3, 8, dtype="complex128")
    close(z.cov(), np.cov(z.numpy()))
    close(z.corrcoef(), np.corrcoef(z.numpy()))
    assert torch.cov(torch.tensor([[1, 2, 4], [2, 0, 1]])).dtype is torch.float32
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        assert torch.cov(torch.ones(1, 1)).isnan()


# The face


def test_named_results():
    a = positive(2, 2)
    for found, parts in (
        (la.cholesky_ex(a), "L info"), (la.eig(a), "eigenvalues eigenvectors"),
        (la.eigh(a), "eigenvalues eigenvectors"), (la.svd(a), "U S Vh"), (torch.svd(a), "U S V"),
        (la.qr(a), "Q R"), (la.lu(a), "P L U"), (la.lu_factor(a), "LU pivots"),
        (la.slogdet(a), "sign logabsdet"), (la.inv_ex(a), "inverse info"),
        (la.solve_ex(a, a), "result info"), (torch.geqrf(a), "a tau"),
        (torch.lu(a, get_infos=True), "LU pivots info"),
        (la.lstsq(a, a), "solution residuals rank singular_values"),
        (torch.triangular_solve(a, a), "solution cloned_coefficient"),
    ):  # fmt: skip
        assert type(found).__match_args__ == tuple(parts.split())
        for name, part in zip(parts.split(), found, strict=True):
            assert getattr(found, name) is part


def test_out():
    a = positive(3, 3)
    out = torch.empty(0, dtype=torch.float64)
    assert la.inv(a, out=out) is out
    close(a @ out, torch.eye(3, dtype=torch.float64))
    values, vectors = torch.empty(3, dtype=torch.float64), torch.empty(3, 3, dtype=torch.float64)
    found = la.eigh(a, out=(values, vectors))
    assert found.eigenvalues is values
    close(a @ vectors, vectors * values)
    wide = torch.empty(3, 3, dtype=torch.complex128)
    close(torch.cholesky(a, out=wide).real, la.cholesky(a))
    for call, sentence in (
        (lambda o: la.det(a, out=o), "Expected out tensor to have dtype double, but got long int"),
        (lambda o: torch.cholesky(a, out=o),
         "cholesky: Expected result to be safely castable from Double dtype, but got result with "
         "dtype Long"),
        (lambda o: la.norm(a, out=o), "linalg.norm expected out tensor dtype Double but got: Long"),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=f"^{sentence}"):
            call(torch.empty(3, 3, dtype=torch.int64))


def test_numpy_functions_take_tensors():
    a = positive(3, 3).requires_grad_()
    for found in (
        np.linalg.inv(a), np.linalg.det(a), np.linalg.solve(a, a[0]), np.linalg.cholesky(a),
        np.linalg.norm(a), np.linalg.pinv(a), np.linalg.eigvalsh(a), np.linalg.svd(a)[1],
        np.linalg.qr(a)[1], np.linalg.slogdet(a)[1], np.linalg.matrix_power(a, 2),
        np.linalg.cond(a), np.linalg.svd(a, compute_uv=False), np.linalg.lstsq(a, a[:, :1])[0],
    ):  # fmt: skip
        assert isinstance(found, torch.Tensor) and found.requires_grad
    assert np.linalg.matrix_rank(a.detach()).item() == 3


# Errors: PyTorch 2.13's type and first sentence


SINGULAR = [[1.0, 2], [2, 4]]
REAL = torch.eye(3)
INT = torch.ones(3, 3, dtype=torch.int64)
HALF = torch.ones(3, 3, dtype=torch.float16)
FLAT = torch.ones(3)
WIDE = torch.ones(2, 3)
BATCH = torch.tensor([[[1.0, 0], [0, 1]], SINGULAR])
PIVOTS = torch.tensor([1, 2, 3], dtype=torch.int32)
MINOR = ("The factorization could not be completed because the input is not positive-definite (the "
         "leading minor of order 2 is not positive-definite).")  # fmt: skip
ZERO = ("The diagonal element 2 is zero, the inversion could not be completed because the input "
        "matrix is singular.")  # fmt: skip
DIMENSIONS = "The input tensor A must have at least 2 dimensions."
SIDES = "A must be batches of square matrices, but they are 2 by 3 matrices"
ERRORS = [
    (lambda: la.cholesky(BATCH), la.LinAlgError, f"linalg.cholesky: (Batch element 1): {MINOR}"),
    (lambda: torch.cholesky(BATCH[1]), la.LinAlgError, f"cholesky: {MINOR}"),
    (lambda: la.cholesky_ex(BATCH[1], check_errors=True), la.LinAlgError,
     f"linalg.cholesky_ex: {MINOR}"),
    (lambda: la.inv(BATCH), la.LinAlgError, f"linalg.inv: (Batch element 1): {ZERO}"),
    (lambda: BATCH[1].inverse(), la.LinAlgError, f"linalg.inv: {ZERO}"),
    (lambda: la.inv_ex(BATCH[1], check_errors=True), la.LinAlgError, f"linalg.inv_ex: {ZERO}"),
    (lambda: la.tensorinv(BATCH[1], 1), la.LinAlgError, f"inv: {ZERO}"),
    (lambda: la.matrix_power(BATCH, -2), la.LinAlgError, f"linalg.inv: (Batch element 1): {ZERO}"),
    (lambda: torch.cholesky_inverse(torch.tensor([[1.0, 0], [2, 0]])), la.LinAlgError,
     f"cholesky_inverse: {ZERO}"),
    (lambda: la.solve(BATCH, BATCH), la.LinAlgError,
     "torch.linalg.solve: (Batch element 1): The solver failed because the input matrix is "
     "singular."),
    (lambda: la.lu_factor(BATCH), RuntimeError,
     "torch.linalg.lu_factor: (Batch element 1): U[2,2] is zero and using it on lu_solve would "
     "result in a division by zero."),
    (lambda: la.lstsq(torch.diag(torch.tensor([1.0, 0])), FLAT[:2], driver="gels"), la.LinAlgError,
     "torch.linalg.lstsq: The least squares solution could not be computed because the input "
     "matrix does not have full rank (error code: 2)."),
    (lambda: la.svd(torch.full((2, 2), math.nan)), la.LinAlgError,
     "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite "
     "values."),
    (lambda: la.pinv(torch.full((2, 2), math.nan)), la.LinAlgError,
     "linalg.svd: The algorithm failed to converge because"),
    (lambda: la.eigh(torch.full((2, 3, 3), math.nan)), la.LinAlgError,
     "linalg.eigh: (Batch element 0): The algorithm failed to converge because"),
    (lambda: la.eig(torch.full((2, 2), math.nan)), RuntimeError,
     "torch.linalg.eig: input tensor should not contain infs or NaNs."),
    # Shapes
    *((lambda f=f: f(FLAT), RuntimeError, f"{name}: {DIMENSIONS}") for f, name in (
        (la.cholesky, "linalg.cholesky"), (la.det, "linalg.det"), (la.eig, "linalg.eig"),
        (la.eigvals, "linalg.eigvals"), (la.eigh, "linalg.eigh"), (la.inv, "linalg.inv"),
        (la.matrix_exp, "linalg.matrix_exp"), (la.matrix_norm, "linalg.matrix_norm"),
        (la.qr, "linalg.qr"), (la.slogdet, "linalg.slogdet"), (la.svd, "linalg.svd"),
        (torch.logdet, "logdet"), (la.ldl_factor, "torch.linalg.ldl_factor_ex"),
    )),
    *((lambda f=f: f(WIDE), RuntimeError, f"{name}: {SIDES}") for f, name in (
        (la.cholesky, "linalg.cholesky"), (la.det, "linalg.det"), (la.eig, "linalg.eig"),
        (la.eigvalsh, "linalg.eigh"), (la.inv, "linalg.inv"), (torch.logdet, "logdet"),
        (torch.cholesky, "cholesky"), (lambda a: la.cond(a, 1), "linalg.cond(ord=1)"),
        (lambda a: la.matrix_power(a, 2), "linalg.matrix_power"),
        (lambda a: la.solve(a, a), "linalg.solve"),
    )),
    (lambda: la.lu(FLAT), RuntimeError,
     "linalg.lu: Expected tensor with 2 or more dimensions. Got size: [3] instead"),
    (lambda: la.cond(FLAT), RuntimeError,
     "linalg.cond: The input tensor must have at least 2 dimensions."),
    (lambda: la.pinv(FLAT), RuntimeError, "linalg.pinv(Float{[3]}): expected a tensor with 2 or "
     "more dimensions of float, double, cfloat or cdouble types"),
    (lambda: la.solve(REAL, WIDE), RuntimeError, "linalg.solve: Incompatible shapes of A and B for "
     "the equation AX = B (3x3 and 2x3)"),
    (lambda: la.solve(REAL, WIDE.mT, left=False), RuntimeError, "linalg.solve: Incompatible shapes "
     "of A and B for the equation XA = B (3x3 and 3x2)"),
    (lambda: la.solve(REAL.expand(2, 3, 3), REAL.expand(5, 3, 3)), RuntimeError,
     "The size of tensor a (5) must match the size of tensor b (2) at non-singleton dimension 0"),
    (lambda: la.solve(REAL, REAL.double()), RuntimeError, "linalg.solve: Expected A and B to have "
     "the same dtype, but found A of type Float and B of type Double instead"),
    (lambda: torch.triangular_solve(WIDE, REAL), RuntimeError, "Incompatible matrix sizes for "
     "triangular_solve: each A matrix is 3 by 3 but each b matrix is 2 by 3"),
    (lambda: torch.cholesky_solve(FLAT, REAL), RuntimeError,
     "b should have at least 2 dimensions, but has 1 dimensions instead"),
    (lambda: la.lu_solve(REAL, PIVOTS.long(), REAL), RuntimeError,
     "linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32"),
    (lambda: la.lu_solve(REAL, PIVOTS[:2], REAL), RuntimeError,
     "linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix"),
    (lambda: torch.lu_unpack(REAL, PIVOTS + 3), RuntimeError,
     "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive."),
    (lambda: la.householder_product(WIDE, FLAT), RuntimeError, "torch.linalg.householder_product: "
     "input.shape[-2] must be greater than or equal to input.shape[-1]"),
    (lambda: torch.ormqr(REAL, FLAT[:2], REAL), RuntimeError, "torch.ormqr: tau.shape[-1] must be "
     "equal to min(other.shape[-2], input.shape[-1])"),
    (lambda: la.lstsq(REAL, WIDE), RuntimeError,
     "torch.linalg.lstsq: input.size(-2) should match other.size(-2)"),
    (lambda: la.tensorinv(torch.ones(2, 3, 4, 5)), RuntimeError, "Expected self to satisfy the "
     "requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got 20 != 6"),
    (lambda: la.cross(WIDE, torch.ones(2, 1)), RuntimeError,
     "linalg.cross: inputs dimension -1 must have length 3. Got 3 and 1"),
    (lambda: torch.cov(torch.ones(2, 2, 2)), RuntimeError, "cov(): expected input to have two or "
     "fewer dimensions but got an input with 3 dimensions"),
    # Dtypes
    *((lambda f=f: f(INT), RuntimeError,
       f"{name}: Expected a floating point or complex tensor as input. Got Long") for f, name in (
        (la.cholesky, "linalg.cholesky"), (la.det, "linalg.det"), (la.inv, "linalg.inv"),
        (la.svd, "linalg.svd"), (la.qr, "linalg.qr"), (la.matrix_exp, "linalg.matrix_exp"),
        (la.matrix_norm, "linalg.matrix_norm"), (lambda a: la.solve(a, a), "linalg.solve"),
        (lambda a: la.vecdot(a, a), "linalg.vecdot"),
    )),
    (lambda: la.eig(INT), RuntimeError, "Unknown Complex ScalarType for Long"),
    *((lambda f=f: f(HALF), NotImplementedError, f"\"{name}\" not implemented for 'Half'")
      for f, name in (
        (la.cholesky, "cholesky_cpu"), (la.det, "lu_cpu"), (la.eig, "linalg_eig_out_cpu"),
        (la.eigh, "linalg_eigh_cpu"), (la.svd, "linalg_svd_cpu"), (la.qr, "geqrf_cpu"),
        (la.lu, "lu_cpu"), (lambda a: la.solve(a, a), "lu_cpu"),
    )),
    (lambda: la.inv(HALF), RuntimeError, "linalg.inv: Low precision dtypes not supported. Got Half"),
    (lambda: la.lstsq(HALF, HALF), RuntimeError,
     "This function doesn't handle types other than float and double"),
    # Options
    (lambda: la.eigh(REAL, "X"), RuntimeError,
     "Expected UPLO argument to be 'L' or 'U', but got X"),
    (lambda: la.qr(REAL, "full"), RuntimeError, "qr received unrecognized mode 'full' but expected "
     "one of 'reduced' (default), 'r', or 'complete'"),
    (lambda: la.lu(REAL, pivot=False), RuntimeError,
     "linalg.lu_factor: LU without pivoting is not implemented on the CPU"),
    (lambda: la.lstsq(REAL, REAL, driver="qr"), RuntimeError, "torch.linalg.lstsq: parameter "
     "`driver` should be one of (gels, gelsy, gelsd, gelss)"),
    (lambda: la.matrix_norm(REAL, 3), RuntimeError, "linalg.matrix_norm: Order 3 not supported."),
    (lambda: la.matrix_norm(REAL, dim=(0,)), RuntimeError,
     "linalg.matrix_norm: dim must be a 2-tuple. Got 0"),
    (lambda: la.matrix_norm(REAL, dim=(0, -2)), RuntimeError,
     "linalg.matrix_norm: dims must be different. Got (0, 0)"),
    (lambda: la.norm(torch.ones(1, 2, 3), 2), RuntimeError, "linalg.norm: If dim is not specified "
     "but ord is, the input must be 1D or 2D. Got 3D."),
    (lambda: la.norm(torch.ones(1, 2, 3), dim=(0, 1, 2)), RuntimeError,
     "linalg.norm: If dim is specified, it must be of length 1 or 2. Got [0, 1, 2]"),
    (lambda: la.cond(REAL, 3), RuntimeError, "linalg.cond got an invalid norm type: 3"),
    (lambda: la.vander(FLAT, N=1), RuntimeError, "N must be greater than 1."),
    (lambda: la.matrix_power(REAL, 2.5), TypeError,
     "linalg_matrix_power(): argument 'n' (position 2) must be int, not float"),
    (lambda: la.det([1.0]), TypeError,
     "linalg_det(): argument 'A' (position 1) must be Tensor, not list"),
    (lambda: la.solve(REAL, 1.0), TypeError,
     "linalg_solve(): argument 'B' (position 2) must be Tensor, not float"),
    (lambda: torch.pca_lowrank(WIDE, q=9), ValueError,
     "q(=9) must be non-negative integer and not greater than min(m, n)=2"),
    (lambda: torch.cov(FLAT, fweights=FLAT), RuntimeError,
     "cov(): expected fweights to have integral dtype but got fweights with Float dtype"),
]  # fmt: skip


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case[2][:60])
def test_errors(case):
    call, kind, sentence = case
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value).startswith(sentence)


def test_the_error_is_a_runtime_error():
    assert issubclass(la.LinAlgError, RuntimeError)
    assert la.LinAlgError.__name__ == "_LinAlgError"


@pytest.mark.parametrize("name", ["cholesky", "qr", "lu", "triangular_solve"])
def test_older_functions_say_what_took_their_place(name):
    a = positive(2, 2)
    arguments = (a, a) if name == "triangular_solve" else (a,)
    with pytest.warns(UserWarning, match=rf"torch\.{name} is deprecated in favor of torch\.linalg"):
        getattr(torch, name)(*arguments)


def test_the_namespace_is_complete():
    assert sorted(la.__all__) == la.__all__
    assert all(hasattr(la, name) for name in la.__all__)
    assert len(la.__all__) == 42
