"""Anomaly detection: PyTorch's warnings and errors, then what made the NaN."""

import warnings

import pytest

import leafgrad as torch
from leafgrad.graph import modes

STARTS = "Anomaly Detection has been enabled. This mode will increase the runtime and should only"


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def caught(program):
    """What a program raises under anomaly detection, and the warnings on the way."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with torch.autograd.detect_anomaly(), pytest.raises(RuntimeError) as error:
            program()
    return str(error.value).splitlines(), [str(w.message) for w in told]


def test_pytorchs_sentence_and_warnings_come_first():
    def program():
        x = leaf(0.0)
        y = torch.sqrt(x) * 0.0
        y.sum().backward()

    lines, told = caught(program)
    assert lines[0] == "Function 'SqrtBackward0' returned nan values in its 0th output."
    assert lines[1].startswith("  here: `y.sum().backward()` (test_anomaly.py")
    assert told[0].startswith(STARTS)
    assert told[1].startswith(
        "Error detected in SqrtBackward0. Traceback of forward call that caused the error:\n  File"
    )
    assert told[1].endswith("y = torch.sqrt(x) * 0.0\n")
    assert len(told) == 2


def test_a_forward_pass_that_was_not_watched():
    x = leaf(0.0)
    y = torch.sqrt(x) * 0.0
    with (
        torch.autograd.set_detect_anomaly(True),
        pytest.warns(UserWarning, match="Error detected in SqrtBackward0. No forward pass"),
        pytest.raises(RuntimeError) as error,
    ):
        y.backward()
    assert "every value of the forward pass" not in str(error.value)


def test_the_dead_branch_of_where():
    def program():
        x = leaf(0.0, 1.0, 4.0)
        y = torch.where(x > 0.5, torch.sqrt(x), 0.0)
        (y * 2.0).sum().backward()

    lines, _ = caught(program)
    text = "\n".join(lines)
    assert "  that gradient is [nan, 1, 0.5]" in lines
    assert "0 · inf = nan: the gradient that arrives is 0 where the derivative is infinite" in text
    assert "not selected by: `torch.where(x > 0.5, torch.sqrt(x), 0.0)`" in text
    assert "every value of the forward pass up to there is finite" in text
    assert lines[-1].startswith("  to do: gradients flow through both branches")


def test_a_factor_of_zero_and_an_index_that_leaves_it_out():
    def masked():
        x = leaf(0.0, 4.0)
        mask = torch.tensor([0.0, 1.0])
        (mask * torch.sqrt(x)).sum().backward()

    assert any("the zeros come from the factor 0 in: `mask * " in s for s in caught(masked)[0])

    def sliced():
        x = leaf(0.0, 4.0)
        torch.sqrt(x)[1:].sum().backward()

    assert any("the zeros come from the derivative of: `torch.sqrt(x)[1:]`" in s
               for s in caught(sliced)[0])  # fmt: skip


def test_norm_of_zero_and_a_power():
    def program():
        x = leaf(0.0, 0.0)
        (((x * x).sum() ** 0.5) * 0.0).backward()

    lines, _ = caught(program)
    assert lines[0] == "Function 'PowBackward0' returned nan values in its 0th output."
    assert any("0 · inf = nan" in s and "(input is 0 there)" in s for s in lines)


def test_the_first_nan_of_the_forward_pass_with_small_inputs():
    def program():
        x = leaf(4.0, 1.0)
        a = x - 2.0
        b = torch.log(a)
        loss = (b * x + 1.0).sum()
        loss.backward()

    lines, _ = caught(program)
    assert lines[0] == "Function 'MulBackward0' returned nan values in its 1th output."
    first = next(i for i, s in enumerate(lines) if "the first of the forward pass" in s)
    assert "was made by: `torch.log(a)` (test_anomaly.py" in lines[first]
    assert lines[first + 1 : first + 3] == [
        "    from input = [2, -1]", "    result = [0.69315, nan]"]  # fmt: skip


def test_large_inputs_by_statistics_and_what_came_from_outside():
    data = torch.linspace(-1.0, 1.0, 50)

    def program():
        w = leaf(2.0)
        h = torch.sqrt(data * w)
        (h * w).sum().backward()

    lines, _ = caught(program)
    text = "\n".join(lines)
    assert "was made by: `torch.sqrt(data * w)`" in text
    assert "from input = float32[50] from -2 to 2, mean" in text and "25 nan of 50" in text

    def given():
        w = leaf(2.0, 3.0)
        h = w * torch.tensor([1.0, float("nan")])
        h.pow(2.0).sum().backward()

    text = "\n".join(caught(given)[0])
    assert "was brought in by an operand of: `w * torch.tensor(" in text


def test_infinities_on_the_way_back():
    def program():
        x = leaf(0.0, 1.0)
        y = torch.sqrt(x)
        z = y * torch.tensor([0.0, 1.0])
        torch.sqrt(z).sum().backward()

    lines, _ = caught(program)
    text = "\n".join(lines)
    assert "inf · 0 = nan: the gradient that arrives is infinite" in text
    assert "the gradient became infinite in the derivative of: `torch.sqrt(z)`" in text


def test_in_place_values_that_became_finite_again_are_forgotten():
    def program():
        x = leaf(1.0, 0.0)
        bad = torch.log(x * 1.0)
        bad[1] = 0.0
        bad.clamp_(min=0.0)
        w = torch.sqrt(bad * 0.0)
        (w * 0.0).sum().backward()

    lines, _ = caught(program)
    assert lines[0].startswith("Function 'SqrtBackward0' returned nan")


def test_nodes_made_in_backward_name_their_parent():
    class Inner(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            raise ValueError("boom")

    class Outer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.exp()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return Inner.apply(g * x)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with torch.autograd.detect_anomaly(), pytest.raises(ValueError, match="boom"):
            x = leaf(1.0, 2.0)
            y = Outer.apply(x)
            (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
            g.sum().backward()
    first, second = [str(w.message) for w in told[1:]]
    assert first.startswith("Error detected in InnerBackward. Traceback of forward call that ")
    assert second.startswith(
        "\n\nPrevious calculation was induced by OuterBackward. Traceback of forward call that "
        "induced the previous calculation:\n"
    )
    assert second.endswith("y = Outer.apply(x)\n")


def test_double_backward_is_watched():
    def program():
        x = leaf(0.0)
        (g,) = torch.autograd.grad((x**1.5).sum(), x, create_graph=True)
        (g * 0.0).backward()

    lines, told = caught(program)
    assert lines[0].startswith("Function 'PowBackward0' returned nan")
    assert any("Previous calculation was induced by PowBackward0" in s for s in told)


def test_without_check_nan_only_failures_are_told():
    x = leaf(0.0)
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        (torch.sqrt(x) * 0.0).backward()
        assert x.grad.isnan().all()
        y = x.exp()
        y.detach().add_(1.0)
        with (
            pytest.warns(UserWarning, match="Error detected in ExpBackward0. Traceback"),
            pytest.raises(RuntimeError, match="Hint: the backtrace further above"),
        ):
            y.sum().backward()


def test_modes_and_queries():
    assert not torch.is_anomaly_enabled() and torch.is_anomaly_check_nan_enabled()
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        assert torch.is_anomaly_enabled() and not torch.is_anomaly_check_nan_enabled()
        with torch.autograd.set_detect_anomaly(False):
            assert not torch.is_anomaly_enabled() and modes.current() is modes.ON
        assert torch.is_anomaly_enabled()
    assert modes.current() is modes.ON
    torch.autograd.set_detect_anomaly(True)
    with torch.no_grad():
        assert torch.is_anomaly_enabled()
    torch.autograd.set_detect_anomaly(False)
    assert modes.current() is modes.ON

    with pytest.warns(UserWarning, match=STARTS):
        detect = torch.autograd.detect_anomaly()

    @detect
    def watched():
        return torch.is_anomaly_enabled()

    assert watched() and not torch.is_anomaly_enabled()


def test_results_are_the_same_while_it_is_on():
    def program():
        x = torch.arange(6.0).reshape(2, 3).requires_grad_()
        y = x * 1.0
        y[0] = y[1].exp()
        values, _ = torch.softmax(y @ y.t(), 1).max(1)
        loss = values.sum() + y.pow(2).mean()
        loss.backward()
        return loss.item(), x.grad.tolist()

    plain = program()
    with torch.autograd.set_detect_anomaly(True):
        assert program() == plain
