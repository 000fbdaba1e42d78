"""Modules under function transforms: functional_call, ensembles, per-sample gradients."""

import warnings


def _linear(torch):
    model = torch.nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        model.bias.zero_()
    return model


def _network(torch, seed=0):
    torch.manual_seed(seed)
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(0),
                         nn.Linear(8, 3)).double()  # fmt: skip


def _images(torch):
    torch.manual_seed(5)
    return torch.randn(4, 1, 5, 5, dtype=torch.float64), torch.tensor([0, 2, 1, 0])


def per_sample_gradients(torch):
    model, (x, y) = _network(torch), _images(torch)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters, x, y):
        out = torch.func.functional_call(model, parameters, (x,))
        return torch.nn.functional.cross_entropy(out, y)

    return torch.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)


def per_sample_gradients_of_what_is_trained(torch):
    model, (x, y) = _network(torch), _images(torch)

    def loss(parameters, x, y):
        out = torch.func.functional_call(model, parameters, (x,))
        return torch.nn.functional.cross_entropy(out, y)

    found = torch.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(
        dict(model.named_parameters()), x, y)  # fmt: skip
    sum(g.pow(2).sum() for g in found.values()).backward()
    return [p.grad for p in model.parameters()]


def ensemble(torch):
    models, (x, _) = [_network(torch, n) for n in range(3)], _images(torch)
    parameters, buffers = torch.func.stack_module_state(models)

    def call(parameters, buffers, x):
        return torch.func.functional_call(models[0], (parameters, buffers), (x,))

    both = torch.vmap(torch.vmap(call, (None, None, 0)), (0, 0, None))(parameters, buffers, x)
    both.pow(2).sum().backward()
    return both.detach(), {name: p.grad for name, p in parameters.items()}, buffers


def neural_tangent_kernel(torch):
    model, (x, _) = _network(torch), _images(torch)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def call(parameters, x):
        return torch.func.functional_call(model, parameters, (x,))

    jacobians = torch.vmap(torch.func.jacrev(call), (None, 0))(parameters, x)
    return sum(
        torch.einsum("naf,mbf->nmab", j.flatten(2), j.flatten(2)) for j in jacobians.values()
    )


def attention_per_sample(torch):
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True).double()
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(layer, parameters, (x[None],)).pow(2).sum()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's attention runs without a batching rule
        return torch.vmap(torch.func.grad(loss), (None, 0))(parameters, x)


def dropout(torch):
    layer = torch.nn.Dropout(0.5)
    torch.manual_seed(0)
    x = torch.ones(3, 6)
    return [torch.vmap(layer, randomness=r)(x) for r in ("same", "different")]


def dropout_is_random(torch):
    torch.vmap(torch.nn.Dropout(0.5))(torch.ones(3, 6))


def batch_norm_of_batches(torch):
    torch.vmap(torch.nn.BatchNorm1d(3))(torch.ones(2, 4, 3))


def batch_norm_without_statistics(torch):
    torch.manual_seed(0)
    layer = torch.nn.BatchNorm1d(3, track_running_stats=False)
    return torch.vmap(layer)(torch.randn(2, 4, 3))


def layer_norm(torch):
    torch.manual_seed(0)
    return torch.vmap(torch.nn.LayerNorm(3))(torch.randn(2, 4, 3))


def embedding(torch):
    torch.manual_seed(0)
    return torch.vmap(torch.nn.Embedding(5, 3))(torch.tensor([[0, 1], [4, 4]]))


def call_dictionaries(torch):
    model, x = _linear(torch), torch.ones(2)
    call = torch.func.functional_call
    return (
        call(model, {}, x),
        call(model, {"weight": torch.zeros(2, 2)}, x),
        call(model, ({"weight": torch.zeros(2, 2)}, {"bias": torch.ones(2)}), kwargs={"input": x}),
        model.weight,
    )


def call_twice_named(torch):
    weight = {"weight": torch.ones(2, 2)}
    torch.func.functional_call(_linear(torch), (weight, weight), torch.ones(2))


def call_number(torch):
    torch.func.functional_call(_linear(torch), 3, torch.ones(2))


def call_list_of_number(torch):
    torch.func.functional_call(_linear(torch), [{}, 3], torch.ones(2))


def call_strict(torch):
    torch.func.functional_call(_linear(torch), {"more": torch.ones(2)}, torch.ones(2), strict=True)


def call_unknown(torch):
    torch.func.functional_call(_linear(torch), {"more": torch.ones(2)}, torch.ones(2))


def call_not_a_tensor(torch):
    torch.func.functional_call(_linear(torch), {"weight": 3}, torch.ones(2))


def _tied(torch):
    model = torch.nn.Sequential(_linear(torch), _linear(torch))
    model[1].weight = model[0].weight
    return model


def tied(torch):
    model, x, new = _tied(torch), torch.ones(2), torch.eye(2) * 3
    call = torch.func.functional_call
    return (
        call(model, {"0.weight": new}, x),
        call(model, {"1.weight": new}, x),
        call(model, {"0.weight": new}, x, tie_weights=False),
    )


def tied_values_differ(torch):
    torch.func.functional_call(
        _tied(torch), {"0.weight": torch.eye(2), "1.weight": torch.ones(2, 2)}, torch.ones(2)
    )


def buffers_that_change(torch):
    model = torch.nn.BatchNorm1d(2)
    state = {name: b.clone() for name, b in model.named_buffers()}
    torch.func.functional_call(model, state, torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    return state, dict(model.named_buffers())


def stack_nothing(torch):
    torch.func.stack_module_state([])


def stack_of_two_kinds(torch):
    torch.func.stack_module_state([torch.nn.Linear(2, 2), torch.nn.Bilinear(2, 2, 2)])


def stack_of_two_modes(torch):
    torch.func.stack_module_state([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2).eval()])


def stack_frozen(torch):
    frozen = torch.nn.Linear(2, 2).requires_grad_(False)
    torch.func.stack_module_state([torch.nn.Linear(2, 2), frozen])


def stack_all_frozen(torch):
    layers = [_linear(torch).requires_grad_(False) for _ in range(2)]
    return torch.func.stack_module_state(layers)
