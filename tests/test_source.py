"""Every node knows the very expression that made it."""

import textwrap

import leafgrad as torch


def sources(tensor):
    """The expressions of a chain of nodes, newest first."""
    found, node = [], tensor.grad_fn
    while node is not None and node.source() is not None:
        found.append(node.source().expression)
        node = next((f for f, _ in node.next_functions if f is not None), None)
    return found


def test_sub_expressions_of_one_line():
    x = torch.ones(2, requires_grad=True)
    y = torch.sin(x * 2.0) + 1.0
    assert sources(y) == ["torch.sin(x * 2.0) + 1.0", "torch.sin(x * 2.0)", "x * 2.0"]


def test_methods_unicode_and_line_breaks():
    größe = torch.ones(2, requires_grad=True)
    y = (größe * 2.0).exp(
    ).sum()  # fmt: skip
    assert sources(y) == ["(größe * 2.0).exp( ).sum()", "(größe * 2.0).exp( )", "größe * 2.0"]
    source = y.grad_fn.source()
    assert source.function.endswith("test_methods_unicode_and_line_breaks")
    assert source.line.strip() == "y = (größe * 2.0).exp("


def test_inside_leafgrads_own_code_the_users_call_counts():
    x = torch.ones(2, requires_grad=True)
    loss = torch.nn.functional.mse_loss(x, torch.zeros(2))
    assert loss.grad_fn.source().expression == "torch.nn.functional.mse_loss(x, torch.zeros(2))"


def test_targets_are_the_assigned_names():
    x = torch.ones(2, requires_grad=True)
    hidden = x * 2.0
    assert hidden.grad_fn.source().targets == ("hidden",)
    assert (hidden + 1.0).grad_fn.source().targets == ()


def test_without_a_source_file():
    names = {"torch": torch}
    exec(textwrap.dedent("""
        x = torch.ones(2, requires_grad=True)
        y = x * 3.0
    """), names)  # fmt: skip
    source = names["y"].grad_fn.source()
    assert source.expression is None and source.lineno == 3
    assert str(source) == "<string>, line 3"


def test_a_comprehension_and_a_lambda():
    double = lambda t: t * 2.0  # noqa: E731
    made = [double(t) for t in (torch.ones(1, requires_grad=True),)]
    assert made[0].grad_fn.source().expression == "t * 2.0"
