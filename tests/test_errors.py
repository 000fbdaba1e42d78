"""Wrong calls: PyTorch's exception and first sentence, the expression, what to do, nothing changed."""

import numpy as np
import pytest

import leafgrad as torch


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def overwrite_leaf():
    x = leaf(1.0, 2.0)
    x += 1.0


def overwrite_view_of_leaf():
    x = leaf(1.0, 2.0)
    x[0] = 5.0


def backward_of_nothing():
    (torch.ones(2) * 2.0).sum().backward()


def backward_of_many():
    (leaf(1.0, 2.0) * 2.0).backward()


def backward_with_wrong_shape():
    (leaf(1.0, 2.0) * 2.0).backward(torch.ones(3))


def modified_after_save():
    y = torch.exp(leaf(1.0, 2.0) * 1.0)
    y.mul_(2.0)
    y.sum().backward()


CASES = {
    overwrite_leaf: (
        RuntimeError,
        "a leaf Variable that requires grad is being used in an in-place operation.",
        "`x += 1.0` (test_errors.py",
        "no_grad()",
    ),
    overwrite_view_of_leaf: (
        RuntimeError,
        "a view of a leaf Variable that requires grad is being used in an in-place operation.",
        "`x[0]`",
        "to do:",
    ),
    backward_of_nothing: (
        RuntimeError,
        "element 0 of tensors does not require grad and does not have a grad_fn",
        "(torch.ones(2) * 2.0).sum().backward()",
        "requires_grad=True",
    ),
    backward_of_many: (
        RuntimeError,
        "grad can be implicitly created only for scalar outputs",
        "shape [2]",
        ".sum()",
    ),
    backward_with_wrong_shape: (
        RuntimeError,
        "Mismatch in shape: grad_output[0] has a shape of torch.Size([3]) and output[0] has a "
        "shape of torch.Size([2]).",
        "here:",
        "",
    ),
    modified_after_save: (
        RuntimeError,
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [torch.FloatTensor [2]], which is output 0 of Exp, is at version 1; expected "
        "version 0 instead.",
        "needed by: `torch.exp(leaf(1.0, 2.0) * 1.0)`",
        "written by: `y.mul_(2.0)`",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_message_says_what_where_and_what_to_do(case):
    kind, sentence, *parts = CASES[case]
    with pytest.raises(kind) as error:
        case()
    message = str(error.value)
    assert message.startswith(sentence)
    for part in parts:
        assert part in message


SIMPLE = {
    "numpy of a tensor that requires grad": (
        lambda: leaf(1.0).numpy(), RuntimeError,
        "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."),
    "np.asarray of such a tensor": (
        lambda: np.asarray(leaf(1.0)), RuntimeError, "Can't call numpy() on Tensor that requires"),
    "shapes that do not broadcast": (
        lambda: torch.ones(2) + torch.ones(3), RuntimeError,
        "The size of tensor a (2) must match the size of tensor b (3) at non-singleton "
        "dimension 0"),
    "in place with a larger operand": (
        lambda: torch.ones(2).add_(torch.ones(3, 2)), RuntimeError,
        "output with shape [2] doesn't match the broadcast shape [3, 2]"),
    "in place with a type that does not fit": (
        lambda: torch.tensor([1, 2]).add_(1.5), RuntimeError,
        "result type Float can't be cast to the desired output type Long"),
    "matrices that do not fit": (
        lambda: torch.ones(2, 3) @ torch.ones(2, 3), RuntimeError,
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
    "matrices of two dtypes": (
        lambda: torch.mm(torch.ones(2, 2), torch.ones(2, 2).double()), RuntimeError,
        "expected m1 and m2 to have the same dtype, but got: float != double"),
    "integers that should require grad": (
        lambda: torch.tensor([1], requires_grad=True), RuntimeError,
        "Only Tensors of floating point and complex dtype can require gradients"),
    "a device that is not there": (
        lambda: torch.ones(2, device="cuda"), AssertionError, "Torch not compiled with CUDA"),
    "to such a device": (
        lambda: torch.ones(2).to("cuda:0"), AssertionError, "Torch not compiled with CUDA enabled"),
    "a device that does not exist": (
        lambda: torch.device("toaster"), RuntimeError, "Expected one of cpu, cuda, ipu, xpu"),
    "an unknown argument": (
        lambda: torch.ones(2, colour="red"), TypeError, "colour"),
    "item of many": (
        lambda: torch.ones(2).item(), RuntimeError,
        "a Tensor with 2 elements cannot be converted to Scalar"),
    "truth of many": (
        lambda: bool(torch.ones(2)), RuntimeError,
        "Boolean value of Tensor with more than one value is ambiguous"),
    "index out of range": (
        lambda: torch.ones(2)[2], IndexError,
        "index 2 is out of bounds for dimension 0 with size 2"),
    "dimension out of range": (
        lambda: torch.ones(2).sum(2), IndexError,
        "Dimension out of range (expected to be in range of [-1, 0], but got 2)"),
    "mean of integers": (
        lambda: torch.tensor([1, 2]).mean(), RuntimeError,
        "mean(): could not infer output dtype. Input dtype must be either a floating point or "
        "complex dtype. Got: Long"),
    "view that does not fit": (
        lambda: torch.ones(2, 3).t().view(6), RuntimeError,
        "view size is not compatible with input tensor's size and stride"),
    "gradient of a wrong shape": (
        lambda: setattr(leaf(1.0, 2.0), "grad", torch.ones(3)), RuntimeError,
        "attempting to assign a gradient of size '[3]' to a tensor of size '[2]'"),
    "requires_grad of an inner value": (
        lambda: (leaf(1.0) * 2.0).requires_grad_(False), RuntimeError,
        "you can only change requires_grad flags of leaf variables."),
    "hook on a tensor without gradient": (
        lambda: torch.ones(2).register_hook(print), RuntimeError,
        "cannot register a hook on a tensor that doesn't require gradient"),
    "optimizing an inner value": (
        lambda: torch.optim.SGD([leaf(1.0) * 2.0], lr=0.1), ValueError,
        "can't optimize a non-leaf Tensor"),
    "a negative learning rate": (
        lambda: torch.optim.SGD([leaf(1.0)], lr=-1), ValueError, "Invalid learning rate: -1"),
    "ragged data": (
        lambda: torch.tensor([[1, 2], [3]]), ValueError,
        "expected sequence of length 2 at dim 1 (got 1)"),
    "writing to an expanded tensor": (
        lambda: torch.ones(1).expand(3).add_(1), RuntimeError,
        "unsupported operation: more than one element of the written-to tensor refers to a single"),
    "out= with a tensor that requires grad": (
        lambda: torch.add(leaf(1.0), 1.0, out=torch.empty(1)), RuntimeError,
        "add(): functions with out=... arguments don't support automatic differentiation"),
    "copying an inner value": (
        lambda: __import__("copy").deepcopy(leaf(1.0) * 2.0), RuntimeError,
        "Only Tensors created explicitly by the user (graph leaves) support the deepcopy"),
}  # fmt: skip


@pytest.mark.parametrize("name", SIMPLE)
def test_pytorchs_exception_and_sentence(name):
    call, kind, sentence = SIMPLE[name]
    with pytest.raises(kind) as error:
        call()
    assert sentence in str(error.value).split("\n")[0]


def test_nothing_is_half_changed():
    x = torch.ones(3)
    before = x._version
    for bad in (
        lambda: x.add_(torch.ones(4)),
        lambda: x.mul_(1j),
        lambda: x.add_(torch.ones(2, 3)),
    ):
        with pytest.raises(RuntimeError):
            bad()
    assert x._version == before and x.tolist() == [1.0, 1.0, 1.0]


def test_warning_for_the_grad_of_an_inner_value():
    y = leaf(1.0) * 2.0
    with pytest.warns(UserWarning, match="The .grad attribute of a Tensor that is not a leaf"):
        assert y.grad is None


def test_view_errors_name_the_expression_that_took_the_view():
    x = leaf(1.0, 2.0) * 1.0
    first, second = x.unbind(0)
    with pytest.raises(RuntimeError) as error:
        first.mul_(2.0)
    assert str(error.value).startswith("Output 0 of Unbind is a view and is being modified inplace")
    assert "`x.unbind(0)`" in str(error.value)
    del second
    with torch.no_grad():
        view = x[0:1]
    with pytest.raises(RuntimeError, match="A view was created in no_grad mode and is being"):
        view.mul_(2.0)
