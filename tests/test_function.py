"""torch.autograd.Function: operators of the user's own."""

import pytest

import leafgrad as torch
from leafgrad.autograd import Function
from leafgrad.autograd.function import once_differentiable


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3.0 * x * x


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_forward_backward_and_double_backward():
    x = leaf(2.0, 3.0)
    y = Cube.apply(x)
    assert type(y.grad_fn).__name__ == "CubeBackward"
    y.sum().backward()
    assert x.grad.tolist() == [12.0, 27.0]
    assert torch.autograd.gradcheck(Cube.apply, (x,))
    assert torch.autograd.gradgradcheck(Cube.apply, (x,))


def test_setup_context_and_defaults():
    class Scale(Function):
        @staticmethod
        def forward(x, factor=2.0):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    x = leaf(1.0)
    Scale.apply(x).backward()
    Scale.apply(x, 5.0).backward()
    assert x.grad.item() == 7.0


def test_saved_output_makes_no_cycle_and_is_checked():
    import gc

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.exp(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            assert y.grad_fn is ctx
            return g * y

    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0)
        y = Exp.apply(x)
        y.backward(retain_graph=True)
        assert x.grad.item() == pytest.approx(2.718281828459045)
        y.add_(1.0)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()
        del y
        gc_found = gc.collect()
    finally:
        gc.enable()
    assert gc_found < 60  # the exception's frames, not the graph


def test_several_outputs_and_materialized_gradients():
    seen = []

    class Both(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2.0, x * 3.0

        @staticmethod
        def backward(ctx, a, b):
            seen.append(b.tolist())
            return a * 2.0 + b * 3.0

    x = leaf(1.0, 1.0)
    first, second = Both.apply(x)
    first.sum().backward()
    assert seen == [[0.0, 0.0]] and x.grad.tolist() == [2.0, 2.0]
    assert second.output_nr == 1


def test_none_instead_of_zeros():
    class Both(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2.0, x * 3.0

        @staticmethod
        def backward(ctx, a, b):
            assert b is None
            return a * 2.0

    x = leaf(1.0)
    Both.apply(x)[0].backward()
    assert x.grad.item() == 2.0


def test_mark_dirty_returns_the_same_tensor():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2.0)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2.0

    x = leaf(1.0)
    h = x * 1.0
    y = Double.apply(h)
    assert y is h and type(h.grad_fn).__name__ == "DoubleBackward"
    y.backward()
    assert x.grad.item() == 2.0
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Double.apply(x)


def test_mark_non_differentiable():
    class Split(Function):
        @staticmethod
        def forward(ctx, x):
            index = x.argmax()
            ctx.mark_non_differentiable(index)
            return x * 2.0, index

        @staticmethod
        def backward(ctx, g, unused):
            return g * 2.0

    x = leaf(1.0, 5.0)
    y, index = Split.apply(x)
    assert index.item() == 1 and not index.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    "result, kind, message",
    [
        (lambda g: (g,), RuntimeError,
         r"function WrongBackward returned an incorrect number of gradients \(expected 2, got 1\)"),
        (lambda g: (g, g), RuntimeError,
         "function WrongBackward returned a gradient different than None at position 2"),
        (lambda g: (3, None), RuntimeError, r"expected Variable or None \(got int\)"),
        (lambda g: (torch.ones(3), None), RuntimeError,
         r"Function WrongBackward returned an invalid gradient at index 0 - got \[3\] but expected "
         r"shape compatible with \[2\]"),
    ],
)  # fmt: skip
def test_wrong_gradients_are_told(result, kind, message):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, factor):
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return result(g)

    x = leaf(1.0, 2.0)
    with pytest.raises(kind, match=message):
        Wrong.apply(x, 2.0).sum().backward()
    assert x.grad is None


def test_what_is_missing_is_named():
    class Empty(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2.0

    with pytest.raises(NotImplementedError, match="must implement either the backward or vjp"):
        Empty.apply(leaf(1.0)).backward()
    with pytest.raises(NotImplementedError, match="must implement the forward function"):
        Function.apply(leaf(1.0))
    with pytest.raises(TypeError, match="save_for_backward can only save variables"):

        class Bad(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(3)

        Bad.apply(leaf(1.0))


def test_once_differentiable():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2.0 * x

    x = leaf(3.0)
    Square.apply(x).backward()
    assert x.grad.item() == 6.0
    y = Square.apply(x) * x
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="trying to differentiate twice a function"):
        g.sum().backward()


def test_returning_an_input_gives_a_view_with_the_custom_history():
    class Pass(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 5.0

    x = leaf(1.0)
    y = Pass.apply(x)
    assert y is not x
    y.sum().backward()
    assert x.grad.item() == 5.0
    with pytest.raises(RuntimeError, match="This view was created inside a custom Function"):
        Pass.apply(x * 1.0).add_(1.0)


def test_nothing_is_recorded_without_need():
    assert Cube.apply(torch.ones(2)).grad_fn is None
    with torch.no_grad():
        assert Cube.apply(leaf(1.0)).grad_fn is None
