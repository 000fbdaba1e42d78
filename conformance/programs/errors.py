"""Wrong calls, and calls that look wrong: PyTorch's exception type and its first sentence."""

import copy
import io
import pickle
import warnings

import numpy as np

# ---- backward


def backward_without_requires_grad(torch):
    torch.ones(1).backward()


def backward_nonscalar(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).backward()


def backward_complex_scalar_implicit(torch):
    x = torch.ones(1, dtype=torch.complex64, requires_grad=True)
    (x * 2).sum().backward()


def backward_gradient_of_other_shape(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).backward(torch.ones(3))


def backward_complex_gradient_for_real(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).backward(torch.ones(2, dtype=torch.complex64))


def backward_double_gradient_for_float(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).backward(torch.ones(2, dtype=torch.float64))
    return x.grad


def backward_gradient_of_wrong_type(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.backward([x * 2], [3])


def backward_gradient_python_float(torch):
    x = torch.ones(1, requires_grad=True)
    (x * 2).backward(2.0)


def backward_twice(torch):
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


def backward_twice_nothing_saved(torch):
    x = torch.ones(2, requires_grad=True)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


def backward_twice_retained(torch):
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def backward_twice_shared_subgraph(torch):
    x = torch.ones(2, requires_grad=True)
    shared = x.exp()
    shared.sum().backward()
    (shared * 2).sum().backward()


def access_saved_after_backward(torch):
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    node = y.grad_fn
    y.sum().backward()
    return node._saved_result


def backward_inputs_empty(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward(inputs=[])


def backward_inputs_not_requiring_grad(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward(inputs=[torch.ones(2)])


def backward_inputs_unreachable(torch):
    x = torch.ones(2, requires_grad=True)
    other = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward(inputs=[other])
    return other.grad, x.grad


def backward_inputs_nonleaf(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    (y * 2).sum().backward(inputs=[y])
    return y.grad, x.grad


def backward_int_output(torch):
    torch.ones(1, dtype=torch.int64).backward()


# ---- grad


def grad_unused(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * 2).sum(), [torch.ones(2, requires_grad=True)])


def grad_unused_second(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * 2).sum(), [x, torch.ones(2, requires_grad=True)])


def grad_unused_allowed(torch):
    x = torch.ones(2, requires_grad=True)
    return torch.autograd.grad(
        (x * 2).sum(), [x, torch.ones(2, requires_grad=True)], allow_unused=True
    )


def grad_materialized(torch):
    x = torch.ones(2, requires_grad=True)
    return torch.autograd.grad(
        (x * 2).sum(), [x, torch.ones(2, requires_grad=True)], materialize_grads=True
    )


def grad_input_not_requiring_grad(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * 2).sum(), [torch.ones(2)])


def grad_inputs_empty(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * 2).sum(), [])


def grad_materialize_and_not_allow_unused(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * 2).sum(), [x], allow_unused=False, materialize_grads=True)


def grad_output_not_requiring_grad(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad(torch.ones(1), [x])


def grad_second_output_not_requiring_grad(torch):
    x = torch.ones(1, requires_grad=True)
    torch.autograd.grad([x * 2, torch.ones(1)], [x])


def grad_of_different_lengths(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad([x * 2, x * 3], [x], [torch.ones(2)])


def grad_only_inputs_false(torch):
    x = torch.ones(2, requires_grad=True)
    return torch.autograd.grad((x * 2).sum(), [x], only_inputs=False)


def grad_inputs_list_with_none(torch):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * 2).sum(), [None])


def grad_duplicate_inputs(torch):
    x = torch.ones(2, requires_grad=True)
    return torch.autograd.grad((x * 2).sum(), [x, x])


def grad_is_batched(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * torch.tensor([2.0, 3.0])
    return torch.autograd.grad(y, x, torch.eye(2), is_grads_batched=True)


# ---- in place


def leaf_inplace(torch):
    torch.ones(2, requires_grad=True).add_(1)


def leaf_inplace_iadd(torch):
    x = torch.ones(2, requires_grad=True)
    x += 1


def view_of_leaf_inplace(torch):
    x = torch.ones(2, requires_grad=True)
    x[0] = 5


def view_of_leaf_inplace_2(torch):
    x = torch.ones(2, requires_grad=True)
    x.view(2).mul_(2)


def leaf_inplace_under_no_grad(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        x.copy_(torch.full((2,), 2.0))
    return x, x._version


def saved_modified_inplace(torch):
    x = torch.ones(2, requires_grad=True)
    y = (x * 1).exp()
    y.add_(1)
    y.sum().backward()


def saved_modified_inplace_mul(torch):
    x = torch.ones(2, 3, requires_grad=True)
    a = x + 1
    y = a * a
    a.add_(1)
    y.sum().backward()


def saved_leaf_modified(torch):
    x = torch.ones(2, requires_grad=True)
    w = torch.ones(2, requires_grad=True)
    y = x * w
    with torch.no_grad():
        w.add_(1)
    y.sum().backward()


def saved_modified_anomaly(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            x = torch.ones(2, requires_grad=True)
            y = (x * 1).exp()
            y.add_(1)
            y.sum().backward()


def no_grad_view_modified_in_grad_mode(torch):
    x = torch.ones(2, requires_grad=True) * 1
    with torch.no_grad():
        v = x.view(2)
    v.mul_(2)


def no_grad_view_of_leaf(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        v = x.view(2)
    v.mul_(2)


def multi_output_view_unbind(torch):
    x = torch.ones(2, 2, requires_grad=True) * 1
    x.unbind()[0].mul_(2)


def multi_output_view_split(torch):
    x = torch.ones(4, requires_grad=True) * 1
    x.split(2)[0].mul_(2)


def multi_output_view_chunk(torch):
    x = torch.ones(4, requires_grad=True) * 1
    x.chunk(2)[0].mul_(2)


def multi_output_view_iterated(torch):
    x = torch.ones(2, 2, requires_grad=True) * 1
    for row in x:
        row.mul_(2)


def multi_output_view_under_no_grad(torch):
    x = torch.ones(4)
    with torch.no_grad():
        a, _ = x.split(2)
    a.mul_(torch.ones(2, requires_grad=True))


def base_of_multi_output_view_modified(torch):
    x = torch.ones(4, requires_grad=True) * 1
    a, _ = x.split(2)
    x.mul_(2)
    return a.grad_fn


def expand_inplace(torch):
    torch.ones(1).expand(3).add_(1)


def detach_inplace_then_backward(torch):
    x = torch.ones(2, requires_grad=True)
    y = (x * 1).exp()
    y.detach().add_(1)
    y.sum().backward()


def data_inplace_is_not_seen(torch):
    x = torch.ones(2, requires_grad=True)
    y = (x * 1).exp()
    y.data.add_(1)
    y.sum().backward()
    return x.grad, y._version


def detach__of_view(torch):
    x = torch.ones(2, requires_grad=True) * 1
    x.view(2).detach_()


def detach__of_leaf(torch):
    x = torch.ones(2, requires_grad=True)
    x.detach_()
    return x.requires_grad


def resize__detached(torch):
    x = torch.ones(2, requires_grad=True)
    x.detach().resize_(3)
    return None


def resize__requiring_grad(torch):
    torch.ones(2, requires_grad=True).resize_(3)


def set__on_detached(torch):
    x = torch.ones(2, requires_grad=True)
    x.detach().set_(torch.zeros(3))
    return None


# ---- requires_grad, grad_fn, grad


def requires_grad_int_factory(torch):
    torch.ones(2, dtype=torch.int64, requires_grad=True)


def requires_grad__int(torch):
    torch.ones(2, dtype=torch.int64).requires_grad_()


def requires_grad_attribute_int(torch):
    x = torch.ones(2, dtype=torch.int64)
    x.requires_grad = True


def tensor_int_requires_grad(torch):
    torch.tensor([1, 2], requires_grad=True)


def requires_grad_false_on_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.requires_grad = False


def requires_grad__false_on_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.requires_grad_(False)


def requires_grad_true_on_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.requires_grad = True
    return y.is_leaf


def requires_grad_not_a_bool(torch):
    x = torch.ones(2)
    x.requires_grad = "yes"


def requires_grad_one(torch):
    x = torch.ones(2)
    x.requires_grad = 1


def grad_fn_is_not_writable(torch):
    x = torch.ones(2)
    x.grad_fn = None


def is_leaf_is_not_writable(torch):
    x = torch.ones(2)
    x.is_leaf = False


def grad_assign_wrong_shape(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(3)


def grad_assign_wrong_dtype(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(2, dtype=torch.float64)


def grad_assign_wrong_type(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = 3


def grad_assign_self(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = x


def grad_assign_not_requiring_grad(torch):
    x = torch.ones(2)
    x.grad = torch.ones(2)
    return x.grad


def grad_assign_tensor_with_history(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(2, requires_grad=True) * 2
    return x.grad


def grad_delete(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(2)
    del x.grad
    return x.grad


def grad_of_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    return y.grad


def retain_grad_not_requiring_grad(torch):
    torch.ones(2).retain_grad()


def retain_grad_leaf(torch):
    x = torch.ones(2, requires_grad=True)
    x.retain_grad()
    return x.retains_grad


def retain_grad_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.retain_grad()
    y.sum().backward()
    return y.retains_grad, y.grad


def grad_dtype_on_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.grad_dtype = torch.float64


def grad_dtype_with_other_grad(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(2)
    x.grad_dtype = torch.float64


# ---- hooks


def register_hook_not_requiring_grad(torch):
    torch.ones(2).register_hook(lambda g: g)


def register_hook_not_callable(torch):
    torch.ones(2, requires_grad=True).register_hook(3)
    return None


def hook_returns_wrong_shape(torch):
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda g: torch.ones(3))
    (x * 2).sum().backward()


def hook_returns_wrong_dtype(torch):
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda g: g.double())
    (x * 2).sum().backward()


def hook_returns_complex(torch):
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda g: g.to(torch.complex64))
    (x * 2).sum().backward()


def hook_returns_no_tensor(torch):
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda g: 3)
    (x * 2).sum().backward()


def hook_raises(torch):
    def hook(g):
        raise ValueError("boom")

    x = torch.ones(2, requires_grad=True)
    x.register_hook(hook)
    (x * 2).sum().backward()


def post_accumulate_hook_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.register_post_accumulate_grad_hook(lambda p: None)


def post_accumulate_hook_not_requiring_grad(torch):
    torch.ones(2).register_post_accumulate_grad_hook(lambda p: None)


def post_accumulate_hook_returns_int(torch):
    x = torch.ones(2, requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda p: 3)
    (x * 2).sum().backward()


def post_accumulate_hook_returns_tensor(torch):
    x = torch.ones(2, requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda p: p)
    (x * 2).sum().backward()


def node_hook_returns_wrong_count(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: (gi[0], gi[0], gi[0]))
    y.sum().backward()


def node_hook_returns_no_tuple(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: 3)
    y.sum().backward()


def node_prehook(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.grad_fn.register_prehook(lambda go: (go[0] * 3,))
    y.sum().backward()
    return x.grad


# ---- NumPy, scalars


def numpy_requiring_grad(torch):
    torch.ones(2, requires_grad=True).numpy()


def numpy_of_nonleaf(torch):
    (torch.ones(2, requires_grad=True) * 2).numpy()


def asarray_requiring_grad(torch):
    np.asarray(torch.ones(2, requires_grad=True))


def numpy_force(torch):
    return torch.ones(2, requires_grad=True).numpy(force=True)


def numpy_conj(torch):
    torch.ones(2, dtype=torch.complex64).conj().numpy()


def numpy_bfloat16(torch):
    torch.ones(2, dtype=torch.bfloat16).numpy()


def from_numpy_not_writable(torch):
    array = np.ones(2)
    array.flags.writeable = False
    return torch.from_numpy(array)


def from_numpy_negative_stride(torch):
    torch.from_numpy(np.arange(3.0)[::-1])


def from_numpy_list(torch):
    torch.from_numpy([1, 2])


def from_numpy_object(torch):
    torch.from_numpy(np.array([object()]))


def from_numpy_uint16(torch):
    return torch.from_numpy(np.ones(2, np.uint16))


def tensor_from_tensor_requiring_grad(torch):
    return torch.tensor(torch.ones(2, requires_grad=True))


def tensor_ragged(torch):
    torch.tensor([[1, 2], [3]])


def tensor_strings(torch):
    torch.tensor(["a", "b"])


def tensor_none(torch):
    torch.tensor(None)


def tensor_big_int(torch):
    torch.tensor(2**70)


def tensor_list_of_0d(torch):
    return torch.tensor([torch.tensor(1.0), torch.tensor(1.0)])


def tensor_list_of_1d(torch):
    torch.tensor([torch.ones(2), torch.ones(2)])


def item_of_many(torch):
    torch.ones(2).item()


def float_requiring_grad(torch):
    return float(torch.ones(1, requires_grad=True))


def float_of_many(torch):
    float(torch.ones(2))


def int_of_many(torch):
    int(torch.ones(2))


def bool_of_many(torch):
    bool(torch.ones(2))


def bool_of_empty(torch):
    bool(torch.ones(0))


def index_of_float_tensor(torch):
    return [1, 2, 3][torch.tensor(1.0)]


def index_of_int_tensor(torch):
    return [1, 2, 3][torch.tensor(1)]


def len_of_0d(torch):
    len(torch.tensor(1.0))


def iter_of_0d(torch):
    iter(torch.tensor(1.0))


def compare_with_none(torch):
    return (torch.ones(2) == None, torch.ones(2) == "a")  # noqa: E711


def less_than_none(torch):
    torch.ones(2) < None  # noqa: B015


def add_list(torch):
    torch.ones(2) + [1, 2]  # noqa: RUF005


# ---- out=, copies


def out_requiring_grad(torch):
    torch.add(torch.ones(2), 1, out=torch.ones(2, requires_grad=True))


def out_arguments_requiring_grad(torch):
    torch.add(torch.ones(2, requires_grad=True), 1, out=torch.ones(2))


def deepcopy_nonleaf(torch):
    copy.deepcopy(torch.ones(2, requires_grad=True) * 2)


def deepcopy_leaf(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 1).sum().backward()
    y = copy.deepcopy(x)
    return y, y.grad, y is x


def pickle_nonleaf(torch):
    y = torch.ones(2, requires_grad=True) * 2
    z = pickle.loads(pickle.dumps(y))
    return z, z.is_leaf


def save_and_load(torch):
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(3), "b": [1, "two"]}, buffer)
    buffer.seek(0)
    return torch.load(buffer)


# ---- parameters, optimizers


def parameter_from_int(torch):
    torch.nn.Parameter(torch.ones(2, dtype=torch.int64))


def optimizer_nonleaf(torch):
    torch.optim.SGD([torch.ones(2, requires_grad=True) * 2], lr=0.1)


def optimizer_empty(torch):
    torch.optim.SGD([], lr=0.1)


def optimizer_tensor(torch):
    torch.optim.SGD(torch.ones(2, requires_grad=True), lr=0.1)


def optimizer_ints(torch):
    torch.optim.SGD([1, 2], lr=0.1)


def optimizer_duplicate_parameters(torch):
    x = torch.ones(2, requires_grad=True)
    torch.optim.SGD([x, x], lr=0.1)
    return None


def optimizer_duplicate_in_groups(torch):
    x = torch.ones(2, requires_grad=True)
    torch.optim.SGD([{"params": [x]}, {"params": [x]}], lr=0.1)


def optimizer_bad_lr(torch):
    torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=-1)


def optimizer_bad_momentum(torch):
    torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=1, momentum=-1)


def optimizer_bad_nesterov(torch):
    torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=1, nesterov=True)


def adam_bad_betas(torch):
    torch.optim.Adam([torch.ones(2, requires_grad=True)], betas=(1.0, 0.9))


def zero_grad_sets_none(torch):
    x = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=0.1)
    (x * 2).sum().backward()
    optimizer.zero_grad()
    return x.grad


def data_of_another_dtype(torch):
    x = torch.ones(2)
    x.data = torch.ones(3, dtype=torch.float64)
    return x.dtype, x.shape


def apply__requiring_grad(torch):
    torch.ones(2, requires_grad=True).apply_(lambda v: v)


# ---- shapes and dtypes


def matmul_mismatch(torch):
    torch.ones(2, 3) @ torch.ones(2, 3)


def matmul_vector_mismatch(torch):
    torch.ones(2, 2) @ torch.ones(3)


def dot_mismatch(torch):
    torch.dot(torch.ones(2), torch.ones(3))


def bmm_of_matrices(torch):
    torch.bmm(torch.ones(2, 2), torch.ones(2, 2))


def mm_of_vector(torch):
    torch.mm(torch.ones(2), torch.ones(2, 2))


def matmul_of_0d(torch):
    torch.matmul(torch.tensor(1.0), torch.ones(2))


def broadcast_mismatch(torch):
    torch.ones(2) + torch.ones(3)


def broadcast_mismatch_2d(torch):
    torch.ones(4, 2) * torch.ones(3, 1)


def dtype_mismatch_mm(torch):
    torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.float64)


def inplace_result_type(torch):
    torch.ones(2, dtype=torch.int64).add_(1.5)


def inplace_result_type_bool(torch):
    torch.ones(2, dtype=torch.bool).add_(1)


def inplace_result_type_complex(torch):
    torch.ones(2).add_(1j)


def inplace_broadcast(torch):
    torch.ones(2).add_(torch.ones(3, 2))


def mean_of_int(torch):
    torch.ones(2, dtype=torch.int64).mean()


def view_noncontiguous(torch):
    torch.ones(2, 3).t().view(6)


def reshape_bad(torch):
    torch.ones(6).reshape(4)


def view_two_inferred(torch):
    torch.ones(6).view(-1, -1)


def view_of_empty_inferred(torch):
    torch.ones(0).view(-1, 0)


def cat_of_nothing(torch):
    torch.cat([])


def cat_mismatched(torch):
    torch.cat([torch.ones(2, 2), torch.ones(3, 3)])


def stack_of_nothing(torch):
    torch.stack([])


def stack_mismatched(torch):
    torch.stack([torch.ones(2), torch.ones(3)])


def index_out_of_range(torch):
    torch.ones(2)[2]


def index_negative_out_of_range(torch):
    torch.ones(2, 3)[1, -4]


def too_many_indices(torch):
    torch.ones(2)[0, 0]


def dimension_out_of_range(torch):
    torch.ones(2).sum(2)


def dimension_repeated(torch):
    torch.ones(2, 2).sum((0, 0))


def unsqueeze_out_of_range(torch):
    torch.ones(2).unsqueeze(3)


def transpose_out_of_range(torch):
    torch.ones(2).transpose(0, 1)


def permute_wrong_count(torch):
    torch.ones(2, 3).permute(0)


def expand_bad(torch):
    torch.ones(2).expand(3)


def negative_step(torch):
    torch.ones(3)[::-1]


def bool_mask_mismatch(torch):
    torch.ones(3)[torch.tensor([True, False])]


def float_index(torch):
    torch.ones(3)[torch.ones(2)]


def index_tensor_out_of_range(torch):
    torch.ones(3)[torch.tensor([5])]


def gather_out_of_range(torch):
    torch.gather(torch.ones(3), 0, torch.tensor([3]))


def subtract_bool(torch):
    torch.ones(2, dtype=torch.bool) - torch.ones(2, dtype=torch.bool)


def negate_bool(torch):
    -torch.ones(2, dtype=torch.bool)


def integer_power_negative(torch):
    torch.ones(2, dtype=torch.int64) ** -1


def divide_int_by_zero(torch):
    torch.ones(2, dtype=torch.int64) // 0


def remainder_int_by_zero(torch):
    torch.ones(2, dtype=torch.int64) % 0


def softmax_of_int(torch):
    torch.ones(2, dtype=torch.int64).softmax(0)


def squeeze_out_of_range(torch):
    torch.ones(2).squeeze(1)


def max_of_empty(torch):
    torch.ones(0).max()


def argmax_of_empty(torch):
    torch.ones(0).argmax()


def unknown_argument(torch):
    torch.ones(2).sum(dims=0)


def unknown_function_argument(torch):
    torch.sum(torch.ones(2), foo=1)


def exp_of_a_list(torch):
    torch.exp([1.0])


def clamp_without_bounds(torch):
    torch.ones(2).clamp()


def chunk_zero(torch):
    torch.ones(2).chunk(0)


def split_wrong_sizes(torch):
    torch.ones(5).split([2, 2])


def arange_wrong_sign(torch):
    torch.arange(1, 5, -1)


def arange_zero_step(torch):
    torch.arange(1, 5, 0)


def linspace_negative_steps(torch):
    torch.linspace(0, 1, -1)


def zeros_negative(torch):
    torch.zeros(-1)


def eye_negative(torch):
    torch.eye(-1)


def copy__mismatch(torch):
    torch.ones(2).copy_(torch.ones(3))


def setitem_mismatch(torch):
    x = torch.ones(2, 2)
    x[0] = torch.ones(3)


def masked_fill_of_float_mask(torch):
    torch.ones(2).masked_fill(torch.ones(2), 0.0)


def where_of_float_condition(torch):
    torch.where(torch.ones(2), torch.ones(2), torch.ones(2))


def default_dtype_int(torch):
    torch.set_default_dtype(torch.int64)


def promote_uint16(torch):
    torch.ones(2, dtype=torch.uint16) + torch.ones(2, dtype=torch.int32)


# ---- devices


def device_cuda(torch):
    torch.ones(2, device="cuda")


def to_cuda(torch):
    torch.ones(2).to("cuda")


def cuda_method(torch):
    torch.ones(2).cuda()


def device_unknown(torch):
    torch.device("nonsense")


def device_bad_index(torch):
    torch.device("cpu:x")


def cuda_available(torch):
    return torch.cuda.is_available(), torch.cuda.device_count()


# ---- nn


def cross_entropy_float_target(torch):
    torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.ones(2))


def nll_target_out_of_bounds(torch):
    torch.nn.functional.nll_loss(torch.ones(1, 3), torch.tensor([3]))


def linear_mismatch(torch):
    torch.nn.Linear(3, 2)(torch.ones(2, 4))


def linear_dtype(torch):
    torch.nn.Linear(3, 2)(torch.ones(2, 3, dtype=torch.float64))


def bce_range(torch):
    torch.nn.functional.binary_cross_entropy(torch.tensor([1.5]), torch.ones(1))


def bce_size(torch):
    torch.nn.functional.binary_cross_entropy(torch.tensor([0.5]), torch.ones(2))


def bce_logits_size(torch):
    torch.nn.functional.binary_cross_entropy_with_logits(torch.ones(2), torch.ones(3))


def mse_size_warning(torch):
    return torch.nn.functional.mse_loss(torch.ones(2, 1), torch.ones(2))


def dropout_bad_probability(torch):
    torch.nn.functional.dropout(torch.ones(2), p=1.5)


def dropout_module_bad_probability(torch):
    torch.nn.Dropout(-0.1)


def conv_channels(torch):
    torch.nn.functional.conv2d(torch.ones(1, 2, 3, 3), torch.ones(1, 1, 2, 2))


def embedding_out_of_range(torch):
    torch.nn.functional.embedding(torch.tensor([3]), torch.ones(2, 2))


def module_without_forward(torch):
    torch.nn.Module()(1)


def module_without_init(torch):
    class Model(torch.nn.Module):
        def __init__(self):
            self.layer = torch.nn.Linear(1, 1)

    Model()


def module_missing_attribute(torch):
    torch.nn.Linear(1, 1).foo


def load_state_dict_missing(torch):
    torch.nn.Linear(2, 2).load_state_dict({"weight": torch.ones(2, 2)})


def load_state_dict_unexpected(torch):
    model = torch.nn.Linear(2, 2)
    model.load_state_dict({**model.state_dict(), "x": torch.ones(1)})


def load_state_dict_size(torch):
    model = torch.nn.Linear(2, 2)
    model.load_state_dict({**model.state_dict(), "weight": torch.ones(2, 3)})


# ---- inference mode


def inference_requires_grad_(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    x.requires_grad_()


def inference_used_in_autograd(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    torch.ones(2, requires_grad=True) * x


def inference_added(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    return torch.ones(2, requires_grad=True) + x


def inference_inplace_outside(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    x.add_(1)


def inference_inplace_outside_with_grad(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    x.add_(torch.ones(2, requires_grad=True))


def inference_version(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    return x._version


def inference_views(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    return x.is_inference(), x.view(2).is_inference(), (x + 1).is_inference(), x.requires_grad


def inference_of_normal_tensor(torch):
    x = torch.ones(2)
    with torch.inference_mode():
        x.add_(1)
        y = x + 1
        v = x.view(2)
        return x._version, x.is_inference(), y.is_inference(), v.is_inference(), y.requires_grad


def inference_view_of_normal_then_inplace(torch):
    x = torch.ones(2, requires_grad=True) * 1
    with torch.inference_mode():
        v = x.view(2)
    v.add_(1)


def inference_saved(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    w = torch.ones(2, requires_grad=True)
    (w.exp() * x).sum().backward()


def inference_factory_requires_grad(torch):
    with torch.inference_mode():
        x = torch.ones(2, requires_grad=True)
        return x.requires_grad, (x * 2).requires_grad


# ---- create_graph, anomaly


def backward_create_graph_warns(torch):
    x = torch.ones(2, requires_grad=True)
    (x * x).sum().backward(create_graph=True)
    grad = x.grad
    x.grad = None
    return grad


def anomaly_nan(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            x = torch.zeros(1, requires_grad=True)
            torch.sqrt(x * 0).mul(0).sum().backward()


def anomaly_nan_unchecked(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly(check_nan=False):
            x = torch.zeros(1, requires_grad=True)
            torch.sqrt(x * 0).mul(0).sum().backward()
    return x.grad


def anomaly_warns(torch):
    with torch.autograd.detect_anomaly():
        return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def derivative_not_implemented(torch):
    x = torch.ones(2, requires_grad=True)
    y = torch.floor_divide(x, 2)
    y.sum().backward()


def heaviside_not_implemented(torch):
    x = torch.zeros(2, requires_grad=True)
    torch.heaviside(x, torch.ones(2)).sum().backward()


def grads_of_nondifferentiable(torch):
    x = torch.ones(2, requires_grad=True)
    return x.argmax().requires_grad, x.round(), x > 0, x.sign(), x.floor()


def no_grad_decorated_class(torch):
    @torch.no_grad()
    class Model:
        pass

    return callable(Model)


def inference_deepcopy(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    return copy.deepcopy(x)


def dlpack_requiring_grad(torch):
    torch.ones(2, requires_grad=True).__dlpack__()


def variable_function(torch):
    return torch.autograd.Variable(torch.ones(2), requires_grad=True)


def legacy_constructor(torch):
    return torch.Tensor([1, 2]), torch.Tensor(2, 3).shape, torch.Tensor([[1.5]])


def storage_of_tensor(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch deprecates it, once a process
        return torch.arange(3).storage().tolist()
