"""Matrix products: values against NumPy, derivatives, names of nodes, dtypes, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.nn.functional import bilinear, linear
from leafgrad.ops.products import multi_dot
from ops.helpers import check_gradients

rng = np.random.default_rng(1)


def normal(*shape, dtype=np.float64):
    values = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def leaf(array):
    return torch.tensor(array, requires_grad=True)


# matmul, whose node tells what it did

RANKS = [
    ((4,), (4,), "DotBackward0"), ((3, 4), (4,), "MvBackward0"),
    ((4,), (4, 5), "SqueezeBackward4"), ((3, 4), (4, 5), "MmBackward0"),
    ((2, 3, 4), (4,), "UnsafeViewBackward0"), ((2, 3, 4), (4, 5), "UnsafeViewBackward0"),
    ((4,), (2, 4, 5), "UnsafeViewBackward0"), ((3, 4), (2, 4, 5), "CloneBackward0"),
    ((2, 3, 4), (2, 4, 5), "UnsafeViewBackward0"),
    ((2, 1, 3, 4), (5, 4, 2), "UnsafeViewBackward0"),
    ((2, 2, 3, 4), (4, 5), "UnsafeViewBackward0"), ((1, 1), (1, 1), "MmBackward0"),
    ((0, 4), (4, 5), "MmBackward0"), ((3, 0), (0, 5), "MmBackward0"), ((0,), (0,), "DotBackward0"),
    ((2, 3, 0), (0, 5), "UnsafeViewBackward0"), ((2, 0, 4), (2, 4, 5), "UnsafeViewBackward0"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "node"), RANKS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128, np.int64])
def test_matmul_of_all_ranks(left, right, node, dtype):
    a, b = (3 * normal(*shape, dtype=dtype) for shape in (left, right))
    found = torch.matmul(torch.tensor(a), torch.tensor(b))
    assert found._array.dtype == dtype
    np.testing.assert_allclose(found.numpy(), np.matmul(a, b), rtol=1e-5)
    if dtype is not np.int64:
        assert type((leaf(a) @ leaf(b)).grad_fn).__name__ == node
    if dtype in (np.float64, np.complex128) and a.size and b.size:
        check_gradients(torch.matmul, a, b)


def test_matmul_of_one_that_needs_no_gradient_saves_half():
    a, b = leaf(normal(2, 3)), torch.tensor(normal(3, 2))
    node = (a @ b).grad_fn
    assert node._saved_mat2 is b
    assert node._saved_self is None
    assert node.next_functions[1] == (None, 0)


def test_matmul_operator_and_numpy():
    a, b = leaf(normal(2, 3)), normal(3, 4)
    for made in (a @ b, np.matmul(a, b), np.dot(a, b), torch.matmul(a, b), b.T @ a.mT):
        assert isinstance(made, torch.Tensor)
        assert made.requires_grad
    with pytest.raises(TypeError, match="unsupported operand"):
        a @ 2
    with pytest.raises(TypeError, match="unsupported operand"):
        [1.0] @ a
    with pytest.raises(TypeError, match=r"matmul\(\): argument 'other' \(position 2\) must be"):
        torch.matmul(a, 2)


def test_products_of_transposed_and_broadcast_operands():
    a, b = normal(4, 3), normal(5, 4)
    check_gradients(lambda x, y: x.T @ y.T, a, b)
    check_gradients(lambda x, y: torch.matmul(x.expand(6, 3), y), normal(1, 3), normal(3, 2))
    check_gradients(lambda x, y: x[:, ::2] @ y[::2], normal(3, 6), normal(6, 2))
    check_gradients(lambda x: (x @ x.transpose(-2, -1)).sum(), normal(2, 3, 4))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_products_sum_in_float32(name):
    if name == "bfloat16":
        pytest.importorskip("ml_dtypes")
    dtype = getattr(torch, name)
    ones = torch.ones(1, 4096, dtype=dtype)
    assert (ones @ ones.T).item() == 4096  # half stops at 2048 when it counts by ones
    x, w = ones.clone().requires_grad_(), torch.ones(2, 4096, dtype=dtype, requires_grad=True)
    out = linear(x, w, torch.ones(2, dtype=dtype))
    assert out.dtype is dtype
    out.sum().backward()
    assert x.grad.dtype is w.grad.dtype is dtype


# Single products

CALLS = {
    "mm": (torch.mm, [(3, 4), (4, 5)], "ij,jk->ik", "MmBackward0"),
    "mv": (torch.mv, [(3, 4), (4,)], "ij,j->i", "MvBackward0"),
    "bmm": (torch.bmm, [(2, 3, 4), (2, 4, 5)], "bij,bjk->bik", "BmmBackward0"),
    "dot": (torch.dot, [(4,), (4,)], "i,i->", "DotBackward0"),
    "outer": (torch.outer, [(3,), (4,)], "i,j->ij", "MulBackward0"),
    "ger": (torch.ger, [(3,), (4,)], "i,j->ij", "MulBackward0"),
    "inner": (torch.inner, [(2, 3, 4), (5, 4)], "ijk,lk->ijl", "ViewBackward0"),
    "linear": (linear, [(3, 4), (5, 4)], "ij,kj->ik", "MmBackward0"),
    "linear of a batch": (linear, [(2, 3, 4), (5, 4)], "bij,kj->bik", "UnsafeViewBackward0"),
    "linear of a vector": (linear, [(4,), (5, 4)], "j,kj->k", "SqueezeBackward4"),
    "linear to a number": (linear, [(3, 4), (4,)], "ij,j->i", "MvBackward0"),
    "bilinear": (bilinear, [(6, 3), (6, 4), (5, 3, 4)], "ni,nj,oij->no", "ViewBackward0"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_product(name, dtype):
    call, shapes, equation, node = CALLS[name]
    arrays = [normal(*shape, dtype=dtype) for shape in shapes]
    made = call(*map(leaf, arrays))
    np.testing.assert_allclose(made.detach().numpy(), np.einsum(equation, *arrays))
    assert type(made.grad_fn).__name__ == node
    check_gradients(call, *arrays)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_vdot_conjugates_its_first_argument(dtype):
    a, b = normal(4, dtype=dtype), normal(4, dtype=dtype)
    np.testing.assert_allclose(torch.vdot(torch.tensor(a), torch.tensor(b)).item(), np.vdot(a, b))
    check_gradients(torch.vdot, a, b)


def test_outer_promotes():
    made = torch.outer(torch.tensor([1, 2]), torch.tensor([0.5, 1.5, 2.5]))
    assert made.tolist() == [[0.5, 1.5, 2.5], [1.0, 3.0, 5.0]]


SUMS = {
    "addmm": (torch.addmm, [(3, 5), (3, 4), (4, 5)], "ij,jk->ik"),
    "addmm of a row": (torch.addmm, [(5,), (3, 4), (4, 5)], "ij,jk->ik"),
    "addmm of a number": (torch.addmm, [(), (3, 4), (4, 5)], "ij,jk->ik"),
    "addmv": (torch.addmv, [(3,), (3, 4), (4,)], "ij,j->i"),
    "addbmm": (torch.addbmm, [(3, 5), (2, 3, 4), (2, 4, 5)], "bij,bjk->ik"),
    "baddbmm": (torch.baddbmm, [(2, 3, 5), (2, 3, 4), (2, 4, 5)], "bij,bjk->bik"),
    "baddbmm of a matrix": (torch.baddbmm, [(3, 5), (2, 3, 4), (2, 4, 5)], "bij,bjk->bik"),
    "addr": (torch.addr, [(3, 4), (3,), (4,)], "i,j->ij"),
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize(("beta", "alpha"), [(1, 1), (0.5, -2.0), (0, 1), (2, 0)])
def test_product_and_sum(name, beta, alpha):
    call, shapes, equation = SUMS[name]
    arrays = [normal(*shape) for shape in shapes]
    wanted = beta * arrays[0] + alpha * np.einsum(equation, *arrays[1:])
    made = call(*map(torch.tensor, arrays), beta=beta, alpha=alpha)
    np.testing.assert_allclose(made.numpy(), wanted)
    check_gradients(lambda *xs: call(*xs, beta=beta, alpha=alpha), *arrays)


def test_no_nan_of_what_counts_zero_times():
    nan = torch.full((2, 2), float("nan"))
    one = torch.ones(2, 2)
    assert torch.addmm(nan, one, one, beta=0).tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_sums_in_place():
    a, m, n = normal(3, 2), normal(3, 4), normal(4, 2)
    x = torch.tensor(a)
    assert x.addmm_(torch.tensor(m), torch.tensor(n), alpha=2) is x
    np.testing.assert_allclose(x.numpy(), a + 2 * m @ n)
    check_gradients(lambda x, y, z: (x * 1).addmm_(y, z, beta=0.5), a, m, n)
    check_gradients(lambda x, y, z: (x * 1).addr_(y, z), normal(3, 4), normal(3), normal(4))
    check_gradients(lambda x, y, z: (x * 1).addmv_(y, z), normal(3), normal(3, 4), normal(4))


def test_integer_products_cut_their_factors():
    two = torch.full((2, 2), 2)
    assert torch.addmm(two, two, two, beta=1.5, alpha=2.5).tolist() == [[18, 18], [18, 18]]


def test_linear_with_bias():
    x, w, b = normal(3, 4), normal(5, 4), normal(5)
    for shape, node in (((3, 4), "AddmmBackward0"), ((2, 3, 4), "ViewBackward0"),
                        ((4,), "ViewBackward0")):  # fmt: skip
        x = normal(*shape)
        made = linear(leaf(x), leaf(w), leaf(b))
        np.testing.assert_allclose(made.detach().numpy(), x @ w.T + b)
        assert type(made.grad_fn).__name__ == node
        check_gradients(linear, x, w, b)
    check_gradients(linear, normal(2, 4), w, normal(2, 5))
    check_gradients(linear, normal(2, 4), w, normal(1))
    check_gradients(linear, normal(2, 3, 4), normal(4), normal())


def test_linear_gives_contiguous_gradients():
    x, w = leaf(normal(3, 4)), leaf(normal(5, 4))
    linear(x, w).sum().backward()
    assert w.grad.is_contiguous()
    assert w.grad.shape == w.shape


# Labelled dimensions

EQUATIONS = [
    ("ij,jk->ik", (3, 4), (4, 5)), ("ij,jk", (3, 4), (4, 5)), ("ij->", (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ij->ji", (3, 4)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij,jk->ik", (3, 3, 2), (2, 4)),
    ("iii->i", (2, 2, 2)), ("ij->j", (3, 4)), ("i,j->ij", (3,), (4,)),
    ("ij,ij->ij", (3, 4), (3, 4)), ("ij,ij->", (3, 4), (3, 4)), ("ij,kj->", (3, 4), (5, 4)),
    ("...ij,...jk->...ik", (2, 3, 4), (4, 5)), ("...ij,jk", (2, 2, 3, 4), (4, 5)),
    ("ijk,il->l", (3, 4, 5), (3, 2)), ("ij,jk,kl->il", (3, 4), (4, 5), (5, 2)),
    ("bn,anm,bm->ba", (2, 3), (5, 3, 4), (2, 4)), ("i...->...", (2, 3, 4)), (",ij->ij", (), (2, 3)),
    ("...a,...a->...", (2, 3, 4), (3, 4)), ("iji,jkj->ik", (2, 3, 2), (3, 4, 3)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)), ("Ab,bA->bA", (2, 3), (3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("case", EQUATIONS, ids=lambda case: case[0])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_einsum(case, dtype):
    equation, *shapes = case
    arrays = [normal(*shape, dtype=dtype) for shape in shapes]
    made = torch.einsum(equation, *map(torch.tensor, arrays))
    np.testing.assert_allclose(made.numpy(), np.einsum(equation, *arrays))
    check_gradients(lambda *xs: torch.einsum(equation, *xs), *arrays)


@pytest.mark.parametrize("shapes", [((3, 1), (3, 4)), ((3, 4), (1, 4)), ((1, 4), (3, 1))])
@pytest.mark.parametrize("equation", ["ij,ij->ij", "ij,ij->i", "ij,ij->j", "ij,ij->"])
def test_einsum_broadcasts_what_has_size_one(equation, shapes):
    a, b = (normal(*shape) for shape in shapes)
    full = np.broadcast_arrays(a, b)
    made = torch.einsum(equation, torch.tensor(a), torch.tensor(b))
    np.testing.assert_allclose(made.numpy(), np.einsum(equation, *full))
    check_gradients(lambda x, y: torch.einsum(equation, x, y), a, b)


def test_einsum_with_lists_of_labels():
    a, b = torch.tensor(normal(2, 3)), torch.tensor(normal(3, 4))
    wanted = (a @ b).numpy()
    for args in ((a, [0, 1], b, [1, 2], [0, 2]), (a, [..., 1], b, [1, 2]), ("ij,jk", [a, b])):
        np.testing.assert_allclose(torch.einsum(*args).numpy(), wanted)


def test_einsum_gives_memory_of_its_own():
    a = torch.zeros(2, 2)
    torch.einsum("ij->ji", a)[0, 0] = 1
    torch.einsum("ii->i", a)[0] = 1
    assert a.sum() == 0


def test_tensordot():
    a, b = normal(2, 3, 4), normal(3, 4, 5)
    np.testing.assert_allclose(torch.tensordot(torch.tensor(a), torch.tensor(b)).numpy(),
                               np.tensordot(a, b))  # fmt: skip
    check_gradients(torch.tensordot, a, b)
    check_gradients(lambda x, y: torch.tensordot(x, y, ([0, 2], [2, 1])), a, normal(5, 4, 2))
    check_gradients(lambda x, y: torch.tensordot(x, y, 0), normal(2), normal(2, 3))
    one, two = normal(1, 1, 1), normal(2, 1, 2)
    made = torch.tensordot(torch.tensor(one), torch.tensor(two), ([0, 1], [2, 0]))
    np.testing.assert_allclose(made.numpy(), one.item() * two.sum((0, 2))[None])


@pytest.mark.parametrize(
    "shapes", [((2, 3), (4, 5)), ((2,), (4, 5)), ((2, 3, 2), (3,)), ((), (2,))]
)
def test_kron(shapes):
    a, b = (normal(*shape) for shape in shapes)
    made = torch.kron(torch.tensor(a), torch.tensor(b))
    np.testing.assert_allclose(made.numpy(), np.kron(a, b))
    check_gradients(torch.kron, a, b)


def test_cross():
    a, b = normal(2, 3), normal(1, 3)
    made = torch.cross(torch.tensor(a), torch.tensor(b), dim=1)
    np.testing.assert_allclose(made.numpy(), np.cross(a, b))
    check_gradients(lambda x, y: torch.cross(x, y, dim=-1), a, b)
    check_gradients(lambda x, y: torch.cross(x, y, dim=0), normal(3, 2), normal(3, 2))
    with pytest.warns(UserWarning, match=r"torch\.cross without specifying the dim arg"):
        torch.cross(torch.tensor(a.T), torch.tensor(a.T))


@pytest.mark.parametrize("shapes", [
    ((2, 3), (3, 4), (4, 5), (5, 1)), ((3,), (3, 4), (4,)), ((3,), (3,)), ((7, 2), (2, 9), (9, 3)),
])  # fmt: skip
def test_multi_dot(shapes):
    arrays = [normal(*shape) for shape in shapes]
    wanted = np.linalg.multi_dot(arrays)
    np.testing.assert_allclose(multi_dot([torch.tensor(a) for a in arrays]).numpy(), wanted)
    check_gradients(lambda *xs: multi_dot(xs), *arrays)


def test_numpy_functions_record():
    a, b, m = normal(3), normal(3), normal(3, 3)
    pairs = {
        np.dot: (a, b), np.inner: (m, a), np.outer: (a, b), np.vdot: (a, b), np.kron: (m, a),
        np.tensordot: (m, m), np.cross: (a, b), np.matmul: (m, m),
    }  # fmt: skip
    for function, (x, y) in pairs.items():
        made = function(leaf(x), leaf(y))
        np.testing.assert_allclose(made.detach().numpy(), function(x, y), err_msg=str(function))
        assert made.requires_grad
    made = np.einsum("ij,j->i", leaf(m), leaf(a))
    np.testing.assert_allclose(made.detach().numpy(), m @ a)


def test_nothing_warns_of_infinities():
    inf = torch.full((2, 2), float("inf"))
    zero = torch.zeros(2, 2)
    for made in (inf @ zero, torch.dot(inf[0], zero[0]), linear(inf, zero, zero[0])):
        assert torch.isnan(made).all()


# Errors

F, D, L = torch.ones, lambda *s: torch.ones(*s, dtype=torch.float64), lambda *s: torch.full(s, 1)
ERRORS = [
    (lambda: torch.mm(F(2, 3), F(2, 3)), "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
    (lambda: torch.mm(F(2, 3), D(3, 2)),
     "expected m1 and m2 to have the same dtype, but got: float != double"),
    (lambda: torch.mm(F(2, 3), L(3, 2)),
     "expected m1 and m2 to have the same dtype, but got: float != long int"),
    (lambda: torch.mm(F(2), F(2, 3)), "self must be a matrix"),
    (lambda: F(2) @ F(3, 2), "mat1 and mat2 shapes cannot be multiplied (1x2 and 3x2)"),
    (lambda: F(2, 3, 4) @ F(5, 4), "mat1 and mat2 shapes cannot be multiplied (6x4 and 5x4)"),
    (lambda: F(2, 3, 4) @ F(3), "size mismatch, got input (6), mat (6x4), vec (3)"),
    (lambda: F(2, 2) @ F(3), "size mismatch, got input (2), mat (2x2), vec (3)"),
    (lambda: F(2) @ F(3), "inconsistent tensor size, expected tensor [2] and src [3] to have the "
     "same number of elements, but got 2 and 3 elements respectively"),
    (lambda: F(2) @ D(2), "dot : expected both vectors to have same dtype, but found Float and "
     "Double"),
    (lambda: F(2, 3, 4) @ F(2, 5, 4), "Expected size for first two dimensions of batch2 tensor to "
     "be: [2, 4] but got: [2, 5]."),
    (lambda: F(2, 3, 4) @ F(3, 4, 5), "The size of tensor a (2) must match the size of tensor b (3)"
     " at non-singleton dimension 0"),
    (lambda: F(3) @ F(2, 4, 5), "Expected size for first two dimensions of batch2 tensor to be: "
     "[2, 3] but got: [2, 4]."),
    (lambda: F(2, 3, 4) @ D(2, 4, 5), "expected scalar type Float but found Double"),
    (lambda: torch.tensor(1.0) @ F(2), "both arguments to matmul need to be at least 1D, but they "
     "are 0D and 1D"),
    (lambda: torch.dot(F(2, 2), F(2)), "1D tensors expected, but got 2D and 1D tensors"),
    (lambda: torch.bmm(F(2, 3), F(2, 3, 4)), "batch1 must be a 3D tensor"),
    (lambda: torch.addmm(D(2, 2), F(2, 3), F(3, 2)),
     "self and mat2 must have the same dtype, but got Double and Float"),
    (lambda: torch.addmm(F(3, 2), F(2, 3), F(3, 2)),
     "The expanded size of the tensor (2) must match the existing size (3) at non-singleton "
     "dimension 0.  Target sizes: [2, 2].  Tensor sizes: [3, 2]"),
    (lambda: torch.outer(F(2), F(3, 1)), "outer: Expected 1-D argument vec2, but got 2-D"),
    (lambda: torch.inner(F(2), F(3)), "inner() the last dimension must match on both input tensors "
     "but got shapes [2] and [3]"),
    (lambda: torch.tensordot(F(2, 3), F(2, 3), dims=1), "contracted dimensions need to match, but "
     "first has size 3 in dim -1 and second has size 2 in dim 0"),
    (lambda: torch.einsum("ij,jk->ik", F(2, 3), F(2, 3)), "einsum(): subscript j has size 2 for "
     "operand 1 which does not broadcast with previously seen size 3"),
    (lambda: torch.einsum("ij->ijk", F(2, 3)), "einsum(): output subscript k does not appear in "
     "the equation for any input operand"),
    (lambda: torch.einsum("ij->ii", F(2, 3)), "einsum(): output subscript i appears more than once "
     "in the output"),
    (lambda: torch.einsum("ijk", F(2, 3)), "einsum(): the number of subscripts in the equation (3) "
     "does not match the number of dimensions (2) for operand 0 and no ellipsis was given"),
    (lambda: torch.einsum("ij,jk->ik", F(2, 3)), "einsum(): fewer operands were provided than "
     "specified in the equation"),
    (lambda: torch.einsum("i1", F(2, 3)), "einsum(): invalid subscript given at index 1 in the "
     "equation string, subscripts must be in [a-zA-Z]"),
    (lambda: torch.einsum("i.j", F(2, 3)), "einsum(): found '.' for operand 0 that is not part of "
     "any ellipsis"),
    (lambda: torch.einsum("ii", F(2, 3)), "einsum(): subscript i is repeated for operand 0 but the "
     "sizes don't match, 3 != 2"),
    (lambda: torch.cross(F(3), F(4), dim=0), "linalg.cross: inputs dimension 0 must have length 3. "
     "Got 3 and 4"),
    (lambda: multi_dot([F(2, 3)]), "multi_dot(): expected at least 2 tensors but got 1"),
    (lambda: multi_dot([F(2, 3), F(2, 3)]), "multi_dot(): tensors 0 and 1 with shapes [2, 3] and "
     "[2, 3] cannot be multiplied"),
    (lambda: linear(F(2, 4), F(2, 3)), "mat1 and mat2 shapes cannot be multiplied (2x4 and 3x2)"),
    (lambda: linear(D(2, 3), F(2, 3), F(2)),
     "mat1 and mat2 must have the same dtype, but got Double and Float"),
    (lambda: linear(F(2, 3), F(2, 3), F(3)), "The expanded size of the tensor (2) must match the "
     "existing size (3) at non-singleton dimension 1.  Target sizes: [2, 2].  Tensor sizes: [3]"),
    (lambda: bilinear(F(2, 3), F(2, 4), F(5, 3, 3)), "bilinear(): input2 size does not match "
     "weight size: got 4 but expected 3"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_errors_are_pytorchs(case):
    call, sentence = ERRORS[case]
    with pytest.raises(RuntimeError) as caught:
        call()
    lines = str(caught.value).split("\n")
    assert lines[0] == sentence
    assert lines[1].startswith("  here: `")


def test_bool_products_are_refused():
    yes = torch.ones(2, 2, dtype=torch.bool)
    for call, kernel in ((torch.mm, "addmm_impl_cpu_"), (torch.mv, "addmv_impl_cpu")):
        with pytest.raises(NotImplementedError, match=f"\"{kernel}\" not implemented for 'Bool'"):
            call(yes, yes if call is torch.mm else yes[0])


def test_saved_operands_may_not_change():
    a, b = leaf(normal(2, 3)), torch.tensor(normal(3, 2))
    out = a @ b
    b += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_second_order_mixes_all_operands():
    shapes = [(2, 3), (3, 4), (4,)]
    for order in itertools.permutations(range(3)):
        arrays = [normal(*shapes[i]) for i in order]

        def product(*xs, order=order):
            a, b, c = (xs[order.index(i)] for i in range(3))
            return torch.tanh(a @ b) @ c

        check_gradients(product, *arrays)
