"""Random numbers under vmap: "error", "same" and "different", to the last bit."""


def _x(torch):
    return torch.arange(6.0).reshape(2, 3) / 6


def _case(draw, randomness, **options):
    def case(torch):
        torch.manual_seed(0)
        return torch.vmap(lambda x: draw(torch, x), randomness=randomness, **options)(_x(torch))

    return case


DRAWS = {
    "rand": lambda torch, x: torch.rand(2) + 0 * x[0],
    "normal_": lambda torch, x: x.clone().normal_(),
    "rand_like": lambda torch, x: torch.rand_like(x),
    "randint": lambda torch, x: torch.randint(10, (2,)) + 0 * x[0],
    "randperm": lambda torch, x: torch.randperm(4) + 0 * x[0],
    "dropout": lambda torch, x: torch.dropout(x, 0.5, True),
    "dropout_of_one": lambda torch, x: torch.dropout(torch.ones(3), 0.5, True) + 0 * x,
    "feature_dropout": lambda torch, x: torch.feature_dropout(x[None, :, None], 0.5, True),
    "normal_means_and_deviations": lambda torch, x: torch.normal(x, torch.ones(3)),
    "normal_means": lambda torch, x: torch.normal(x, 1.0),
    "normal_of_one": lambda torch, x: torch.normal(torch.zeros(3), 1.0) + 0 * x,
    "bernoulli": lambda torch, x: torch.bernoulli(x),
    "bernoulli_of_one": lambda torch, x: torch.bernoulli(torch.ones(3) / 2) + 0 * x,
    "bernoulli_": lambda torch, x: x.clone().bernoulli_(x),
    "bernoulli_by_one": lambda torch, x: x.clone().bernoulli_(torch.ones(3) / 2),
    "bernoulli_by_number": lambda torch, x: x.clone().bernoulli_(0.5),
    "multinomial": lambda torch, x: torch.multinomial(x + 1, 2),
    "multinomial_of_one": lambda torch, x: torch.multinomial(torch.ones(3), 2) + 0 * x[0],
    "multinomial_rows": lambda torch, x: torch.multinomial(torch.stack([x + 1, x]), 2),
    "gumbel_softmax": lambda torch, x: torch.nn.functional.gumbel_softmax(x),
    "exponential_": lambda torch, x: x.clone().exponential_(),
    "random_": lambda torch, x: x.clone().random_(10),
    "randn_like_one": lambda torch, x: torch.randn_like(torch.ones(3)) + 0 * x,
    "write_one": lambda torch, x: torch.zeros(3).normal_() + x,
}
CASES = {
    f"{name}_{randomness}": _case(draw, randomness)
    for randomness in ("same", "different")
    for name, draw in DRAWS.items()
} | {
    f"{name}_error": _case(DRAWS[name], "error")
    for name in ("rand", "normal_", "dropout", "bernoulli", "multinomial", "randperm")
} | {
    f"{name}_dim_1_{randomness}": _case(DRAWS[name], randomness, in_dims=1)
    for randomness in ("same", "different")
    for name in ("normal_", "rand_like")
} | {"unknown": _case(DRAWS["rand"], "foo")}  # fmt: skip


def nested(torch):
    def draw(outer, inner):
        torch.manual_seed(0)
        f = torch.vmap(lambda x: torch.randn(2) + 0 * x, randomness=inner)
        return torch.vmap(f, randomness=outer)(_x(torch))

    kinds = ("same", "different")
    return [draw(outer, inner) for outer in kinds for inner in kinds]


def evaluation_mode(torch):
    return torch.vmap(lambda x: torch.nn.functional.dropout(x, training=False))(_x(torch))
