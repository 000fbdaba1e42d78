"""What an operator keeps for its derivative: seen by changing an operand or the result in place.

Each case makes copies of the leaves, applies the operator, and then, once per operand and once for
the result, adds one to it in place before the backward pass. The outcome is the gradients, or the
error that names what was saved.
"""

# name: (operand shapes, expression over a, b, c; r is the result)
TABLE = {
    "add": ("aa", "a + b"),
    "sub": ("aa", "a - b"),
    "mul": ("aa", "a * b"),
    "div": ("aa", "a / b"),
    "mul_scalar": ("a", "a * 3"),
    "div_scalar": ("a", "a / 3"),
    "rdiv": ("a", "3 / a"),
    "rsub": ("a", "3 - a"),
    "pow": ("a", "a ** 3"),
    "pow_tensor": ("aa", "a ** b"),
    "rpow": ("a", "2 ** a"),
    "neg": ("a", "-a"),
    "abs": ("a", "a.abs()"),
    "dot": ("aa", "torch.dot(a, b)"),
    "mm": ("mm", "a @ b"),
    "mv": ("ma", "a @ b"),
    "bmm": ("bb", "torch.bmm(a, b)"),
    "addmm": ("mmm", "torch.addmm(a, b, c)"),
    "linear": ("mma", "F.linear(a, b, c)"),
    "sum": ("a", "a.sum()"),
    "sum_dim": ("m", "a.sum(0)"),
    "mean": ("a", "a.mean()"),
    "mean_dim": ("m", "a.mean(1)"),
    "index": ("m", "a[0]"),
    "slice": ("a", "a[1:]"),
    "advanced": ("a", "a[k]"),
    "unsqueeze": ("a", "a.unsqueeze(0)"),
    "t": ("m", "a.t()"),
    "view": ("m", "a.view(9)"),
    "reshape_copy": ("m", "a.t().reshape(9)"),
    "expand": ("a", "a.expand(2, 3)"),
    "cat": ("aa", "torch.cat([a, b])"),
    "stack": ("aa", "torch.stack([a, b])"),
    "split": ("a", "a.split(2)[0]"),
    "clone": ("a", "a.clone()"),
    "exp": ("a", "a.exp()"),
    "log": ("a", "a.log()"),
    "relu": ("a", "a.relu()"),
    "sigmoid": ("a", "a.sigmoid()"),
    "tanh": ("a", "a.tanh()"),
    "softmax": ("a", "a.softmax(0)"),
    "log_softmax": ("a", "a.log_softmax(0)"),
    "max": ("a", "a.max()"),
    "max_dim": ("m", "a.max(1)[0]"),
    "min": ("a", "a.min()"),
    "amax": ("m", "a.amax(1)"),
    "norm": ("a", "a.norm()"),
    "norm_dim": ("m", "a.norm(dim=1)"),
    "std": ("a", "a.std()"),
    "var": ("a", "a.var()"),
    "where": ("aa", "torch.where(a > b, a, b)"),
    "clamp": ("a", "a.clamp(0.2, 0.8)"),
    "double": ("a", "a.double()"),
    "mse": ("aa", "F.mse_loss(a, b)"),
    "nll": ("m", "F.nll_loss(a, k)"),
    "cross_entropy": ("m", "F.cross_entropy(a, k)"),
    "bce": ("aa", "F.binary_cross_entropy(a, b)"),
    "bce_logits": ("aa", "F.binary_cross_entropy_with_logits(a, b)"),
    "layer_norm": ("maa", "F.layer_norm(a, (3,), b, c)"),
    "batch_norm": ("maa", "F.batch_norm(a, None, None, b, c, training=True)"),
    "group_norm": ("i", "F.group_norm(a, 1)"),
    "conv": ("iw", "F.conv2d(a, b)"),
    "max_pool": ("i", "F.max_pool2d(a, 2)"),
    "avg_pool": ("i", "F.avg_pool2d(a, 2)"),
    "embedding": ("m", "F.embedding(k, a)"),
    "gelu": ("a", "F.gelu(a)"),
    "silu": ("a", "F.silu(a)"),
    "gather": ("a", "a.gather(0, k)"),
    "masked_select": ("a", "a.masked_select(q)"),
    "masked_fill": ("a", "a.masked_fill(q, 1)"),
    "cumsum": ("a", "a.cumsum(0)"),
    "cumprod": ("a", "a.cumprod(0)"),
    "sort": ("a", "a.sort()[0]"),
    "topk": ("a", "a.topk(2)[0]"),
    "prod": ("a", "a.prod()"),
    "det": ("m", "torch.det(a)"),
    "inv": ("m", "torch.linalg.inv(a)"),
    "pad": ("a", "F.pad(a, (1, 1))"),
    "repeat": ("a", "a.repeat(2)"),
    "roll": ("a", "a.roll(1)"),
    "flip": ("a", "a.flip(0)"),
    "tril": ("m", "a.tril()"),
    "diag": ("a", "torch.diag(a)"),
    "trace": ("m", "a.trace()"),
    "attention": ("bbb", "F.scaled_dot_product_attention(a, b, c)"),
    "floor": ("a", "a.floor()"),
    "remainder": ("aa", "a % b"),
    "fmod": ("aa", "torch.fmod(a, b)"),
    "logsumexp": ("a", "a.logsumexp(0)"),
    "huber": ("aa", "F.huber_loss(a, b)"),
    "smooth_l1": ("aa", "F.smooth_l1_loss(a, b)"),
    "l1": ("aa", "F.l1_loss(a, b)"),
    "kl": ("aa", "F.kl_div(a, b, reduction='sum')"),
    "elu": ("a", "F.elu(a)"),
    "leaky": ("a", "F.leaky_relu(a)"),
    "softplus": ("a", "F.softplus(a)"),
    "mish": ("a", "F.mish(a)"),
    "hardtanh": ("a", "F.hardtanh(a)"),
    "hardswish": ("a", "F.hardswish(a)"),
    "interpolate": ("i", "F.interpolate(a, scale_factor=2)"),
    "sqrt": ("a", "a.sqrt()"),
    "rsqrt": ("a", "a.rsqrt()"),
    "square": ("a", "a.square()"),
    "reciprocal": ("a", "a.reciprocal()"),
    "sin": ("a", "a.sin()"),
    "cos": ("a", "a.cos()"),
    "tan": ("a", "a.tan()"),
    "asin": ("a", "a.asin()"),
    "atan": ("a", "a.atan()"),
    "sinh": ("a", "a.sinh()"),
    "log1p": ("a", "a.log1p()"),
    "expm1": ("a", "a.expm1()"),
    "erf": ("a", "a.erf()"),
    "lgamma": ("a", "a.lgamma()"),
    "atan2": ("aa", "torch.atan2(a, b)"),
    "minimum": ("aa", "torch.minimum(a, b)"),
    "maximum": ("aa", "torch.maximum(a, b)"),
    "lerp": ("aa", "torch.lerp(a, b, 0.3)"),
    "lerp_tensor": ("aaa", "torch.lerp(a, b, c)"),
    "addcmul": ("aaa", "torch.addcmul(a, b, c)"),
    "addcdiv": ("aaa", "torch.addcdiv(a, b, c)"),
    "index_add": ("aa", "a.index_add(0, k, b)"),
    "scatter": ("aa", "a.scatter(0, k, b)"),
    "index_put": ("aa", "a.index_put((k,), b)"),
    "take": ("a", "a.take(k)"),
    "cdist": ("mm", "torch.cdist(a, b)"),
    "dist": ("aa", "torch.dist(a, b)"),
    "glu": ("i", "F.glu(a)"),
    "svdvals": ("m", "torch.linalg.svdvals(a)"),
    "solve": ("mm", "torch.linalg.solve(a, b)"),
    "as_strided": ("m", "a.as_strided((2,), (1,))"),
    "unfold": ("a", "a.unfold(0, 2, 1)"),
    "complex": ("aa", "torch.complex(a, b).abs()"),
    "fft": ("a", "torch.fft.rfft(a).abs()"),
    "outer": ("aa", "torch.outer(a, b)"),
    "einsum": ("mm", "torch.einsum('ij,jk->ik', a, b)"),
    "cosine": ("aa", "F.cosine_similarity(a, b, dim=0)"),
    "normalize": ("a", "F.normalize(a, dim=0)"),
    "sinc": ("a", "a.sinc()"),
    "logaddexp": ("aa", "torch.logaddexp(a, b)"),
    "xlogy": ("aa", "torch.xlogy(a, b)"),
    "copysign": ("aa", "torch.copysign(a, b)"),
    "hypot": ("aa", "torch.hypot(a, b)"),
    "cumlogsumexp": ("a", "a.logcumsumexp(0)"),
    "median": ("a", "a.median()"),
    "nansum": ("a", "a.nansum()"),
    "renorm": ("m", "a.renorm(2, 0, 1.0)"),
    "prelu": ("aa", "F.prelu(a, b[:1])"),
    "dropout": ("a", "F.dropout(a, 0.5)"),
    "in_place_exp": ("a", "a.clone().exp_()"),
    "in_place_mul": ("aa", "a.clone().mul_(b)"),
}

SHAPES = {"a": (3,), "m": (3, 3), "b": (2, 3, 3), "i": (1, 2, 4, 4), "w": (2, 2, 2, 2)}


def _attempt(torch, shapes, expression, change, requires=None):
    torch.manual_seed(3)
    leaves = [
        torch.rand(SHAPES[s], requires_grad=requires is None or i in requires)
        for i, s in enumerate(shapes)
    ]
    operands = [leaf + 0.5 if leaf.requires_grad else leaf for leaf in leaves]
    if "binary_cross_entropy(" in expression or "erfinv" in expression:
        operands = [operand / 2 for operand in operands]
    space = dict(zip("abc", operands, strict=False))
    space |= {
        "torch": torch,
        "F": torch.nn.functional,
        "k": torch.tensor([0, 2, 1]),
        "q": torch.tensor([True, False, True]),
    }
    result = eval(expression, space)
    target = result if change == "result" else operands[change]
    try:
        target.add_(1)
        result.sum().backward()
    except (AttributeError, ImportError):
        raise
    except RuntimeError as error:
        return type(error).__name__, str(error).split(" instead.")[0]
    return [leaf.grad for leaf in leaves]


def _case(shapes, expression):
    def run(torch):
        found = {}
        for change in [*range(len(shapes)), "result"]:
            found[str(change)] = _attempt(torch, shapes, expression, change)
        if len(shapes) > 1:
            # With one side constant, only what that side's derivative needs is saved.
            for only in range(len(shapes)):
                for change in range(len(shapes)):
                    found[f"{change}, grad of {only}"] = _attempt(
                        torch, shapes, expression, change, {only}
                    )
        return found

    return run


CASES = {name: _case(shapes, expression) for name, (shapes, expression) in TABLE.items()}
