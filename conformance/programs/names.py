"""The names of nodes: `grad_fn` of every way to make a tensor, and what a node shows."""

# name, expression over the operands below.
EXPRESSIONS = {
    "add": "x + y",
    "sub": "x - y",
    "mul": "x * y",
    "div": "x / y",
    "pow": "x ** 2",
    "pow_tensor": "x ** y",
    "rpow": "2 ** x",
    "neg": "-x",
    "abs": "x.abs()",
    "dot": "torch.matmul(v, v)",
    "mm": "m @ m",
    "mv": "m @ v",
    "bmm": "b @ b",
    "matmul_broadcast": "b @ m",
    "vm": "v @ m",
    "bmm_function": "torch.bmm(b, b)",
    "sum": "x.sum()",
    "sum_dim": "x.sum(0)",
    "mean": "x.mean()",
    "mean_dim": "x.mean(0)",
    "index_int": "m[0]",
    "index_slice": "m[:1]",
    "index_both": "m[0, 1:]",
    "index_advanced": "m[[0, 1]]",
    "index_mask": "m[m > 0]",
    "index_none": "m[None]",
    "index_ellipsis": "m[...]",
    "index_all": "m[:]",
    "t": "m.t()",
    "T": "m.T",
    "transpose": "m.transpose(0, 1)",
    "permute": "m.permute(1, 0)",
    "view": "m.view(-1)",
    "reshape": "m.reshape(-1)",
    "reshape_copy": "m.t().reshape(-1)",
    "flatten": "m.flatten()",
    "ravel": "m.ravel()",
    "expand": "v.expand(2, 3)",
    "expand_as": "v.expand_as(m)",
    "squeeze": "m.squeeze()",
    "squeeze_dim": "m.squeeze(0)",
    "unsqueeze": "m.unsqueeze(0)",
    "cat": "torch.cat([x, y])",
    "stack": "torch.stack([x, y])",
    "hstack": "torch.hstack([x, y])",
    "vstack": "torch.vstack([x, y])",
    "split": "x.split(2)[0]",
    "split_sizes": "x.split([1, 2])[0]",
    "chunk": "x.chunk(2)[0]",
    "unbind": "m.unbind()[0]",
    "tensor_split": "x.tensor_split(2)[0]",
    "clone": "x.clone()",
    "exp": "x.exp()",
    "log": "x.log()",
    "relu": "x.relu()",
    "sigmoid": "x.sigmoid()",
    "tanh": "x.tanh()",
    "softmax": "x.softmax(0)",
    "log_softmax": "x.log_softmax(0)",
    "max": "x.max()",
    "max_dim": "x.max(0)[0]",
    "min": "x.min()",
    "min_dim": "x.min(0).values",
    "amax": "x.amax()",
    "amin": "x.amin(0)",
    "norm": "x.norm()",
    "norm_p": "x.norm(3)",
    "norm_dim": "m.norm(dim=1)",
    "linalg_norm": "torch.linalg.norm(x)",
    "std": "x.std()",
    "var": "x.var()",
    "var_mean": "torch.var_mean(x)[0]",
    "std_mean": "torch.std_mean(x)[1]",
    "where": "torch.where(x > 0, x, y)",
    "clamp": "x.clamp(0, 1)",
    "clamp_min": "x.clamp(min=0)",
    "clamp_min_function": "torch.clamp_min(x, 0)",
    "clamp_tensor": "x.clamp(y, y)",
    "double": "x.double()",
    "to": "x.to(torch.float64)",
    "half": "x.half()",
    "contiguous": "m.t().contiguous()",
    "linear": "F.linear(m, m)",
    "linear_bias": "F.linear(m, m, v)",
    "linear_vector": "F.linear(v, m, v)",
    "linear_3d": "F.linear(b, m, v)",
    "linear_3d_no_bias": "F.linear(b, m)",
    "conv1d": "F.conv1d(b, w1)",
    "conv2d": "F.conv2d(i, w2)",
    "conv_transpose": "F.conv_transpose2d(i, w2)",
    "mse": "F.mse_loss(x, y)",
    "cross_entropy": "F.cross_entropy(m, k)",
    "nll": "F.nll_loss(m, k)",
    "bce": "F.binary_cross_entropy(x.sigmoid(), y.detach().sigmoid())",
    "bce_logits": "F.binary_cross_entropy_with_logits(x, y.detach())",
    "dropout": "F.dropout(x, 0.5)",
    "dropout_eval": "F.dropout(x, 0.5, training=False)",
    "layer_norm": "F.layer_norm(m, (3,))",
    "batch_norm": "F.batch_norm(m, None, None, training=True)",
    "group_norm": "F.group_norm(i, 1)",
    "instance_norm": "F.instance_norm(i)",
    "rms_norm": "F.rms_norm(m, (3,))",
    "max_pool": "F.max_pool2d(i, 2)",
    "max_pool1d": "F.max_pool1d(b, 2)",
    "avg_pool": "F.avg_pool2d(i, 2)",
    "adaptive_avg": "F.adaptive_avg_pool2d(i, 1)",
    "embedding": "F.embedding(k, m)",
    "gelu": "F.gelu(x)",
    "silu": "F.silu(x)",
    "einsum": "torch.einsum('ij,jk->ik', m, m)",
    "einsum_sum": "torch.einsum('ij->j', m)",
    "outer": "torch.outer(v, v)",
    "inner": "torch.inner(v, v)",
    "gather": "x.gather(0, k)",
    "masked_select": "x.masked_select(x > 0)",
    "masked_fill": "x.masked_fill(x > 0, 1)",
    "cumsum": "x.cumsum(0)",
    "cumprod": "x.cumprod(0)",
    "sort": "x.sort()[0]",
    "topk": "x.topk(2)[0]",
    "kthvalue": "x.kthvalue(1)[0]",
    "median": "x.median()",
    "median_dim": "x.median(0)[0]",
    "mode": "x.mode()[0]",
    "prod": "x.prod()",
    "prod_dim": "x.prod(0)",
    "det": "torch.det(m)",
    "inverse": "torch.inverse(s)",
    "inv": "torch.linalg.inv(s)",
    "slogdet": "torch.slogdet(s)[1]",
    "radd": "1 + x",
    "rsub": "1 - x",
    "rdiv": "1 / x",
    "rmul": "2 * x",
    "iadd": "iadd(x.clone(), 1)",
    "pad": "F.pad(x, (1, 1))",
    "repeat": "x.repeat(2)",
    "tile": "x.tile(2)",
    "roll": "x.roll(1)",
    "flip": "x.flip(0)",
    "tril": "m.tril()",
    "triu": "m.triu()",
    "diag": "torch.diag(x)",
    "diag_matrix": "torch.diag(m)",
    "diagonal": "m.diagonal()",
    "diag_embed": "torch.diag_embed(x)",
    "trace": "m.trace()",
    "attention": "F.scaled_dot_product_attention(b, b, b)",
    "detach": "x.detach()",
    "floor": "x.floor()",
    "ceil": "x.ceil()",
    "round": "x.round()",
    "trunc": "x.trunc()",
    "frac": "x.frac()",
    "sign": "x.sign()",
    "mod": "x % 2",
    "fmod": "torch.fmod(x, 2)",
    "floordiv": "x // 2",
    "div_scalar": "x / 2",
    "div_trunc": "torch.div(x, 2, rounding_mode='trunc')",
    "true_divide": "torch.true_divide(x, y)",
    "complex": "torch.complex(x, y)",
    "real": "z.real",
    "imag": "z.imag",
    "conj": "z.conj()",
    "complex_abs": "z.abs()",
    "view_as_real": "torch.view_as_real(z)",
    "angle": "z.angle()",
    "movedim": "m.movedim(0, 1)",
    "narrow": "m.narrow(0, 0, 1)",
    "select": "m.select(0, 0)",
    "as_strided": "m.as_strided((2,), (1,))",
    "unfold": "x.unfold(0, 2, 1)",
    "view_as": "x.view_as(x)",
    "broadcast_to": "torch.broadcast_to(v, (2, 3))",
    "mul_scalar": "x * 2",
    "add_scalar": "x + 2",
    "logsumexp": "x.logsumexp(0)",
    "huber": "F.huber_loss(x, y)",
    "l1": "F.l1_loss(x, y)",
    "smooth_l1": "F.smooth_l1_loss(x, y)",
    "kl": "F.kl_div(x, y)",
    "elu": "F.elu(x)",
    "selu": "F.selu(x)",
    "celu": "F.celu(x)",
    "leaky": "F.leaky_relu(x)",
    "softplus": "F.softplus(x)",
    "softsign": "F.softsign(x)",
    "mish": "F.mish(x)",
    "hardswish": "F.hardswish(x)",
    "hardsigmoid": "F.hardsigmoid(x)",
    "logsigmoid": "F.logsigmoid(x)",
    "tanhshrink": "F.tanhshrink(x)",
    "softshrink": "F.softshrink(x)",
    "hardshrink": "F.hardshrink(x)",
    "prelu": "F.prelu(x, v[:1])",
    "threshold": "F.threshold(x, 0.5, 0)",
    "interpolate": "F.interpolate(i, scale_factor=2)",
    "sqrt": "x.sqrt()",
    "square": "x.square()",
    "rsqrt": "x.rsqrt()",
    "reciprocal": "x.reciprocal()",
    "atan2": "torch.atan2(x, y)",
    "minimum": "torch.minimum(x, y)",
    "maximum": "torch.maximum(x, y)",
    "max_other": "torch.max(x, y)",
    "fmax": "torch.fmax(x, y)",
    "lerp": "torch.lerp(x, y, 0.5)",
    "lerp_tensor": "torch.lerp(x, y, y)",
    "addmm": "torch.addmm(m, m, m)",
    "addmv": "torch.addmv(v, m, v)",
    "baddbmm": "torch.baddbmm(b, b, b)",
    "addcmul": "torch.addcmul(x, x, y)",
    "addcdiv": "torch.addcdiv(x, x, y)",
    "copy_": "torch.zeros(3).copy_(x)",
    "setitem": "setitem(x.clone(), 0, 5.0)",
    "setitem_slice": "setitem(x.clone(), slice(2), y[:2])",
    "setitem_mask": "setitem(x.clone(), x > 0, 5.0)",
    "setitem_list": "setitem(x.clone(), [0, 1], 5.0)",
    "index_add": "x.index_add(0, k, y)",
    "index_select": "x.index_select(0, k)",
    "index_fill": "x.index_fill(0, k, 1.0)",
    "index_put": "x.index_put((k,), y)",
    "index_copy": "x.index_copy(0, k, y)",
    "scatter": "x.scatter(0, k, y)",
    "scatter_value": "x.scatter(0, k, 1.0)",
    "scatter_add": "x.scatter_add(0, k, y)",
    "take": "x.take(k)",
    "take_along_dim": "m.take_along_dim(k[None], 1)",
    "tensordot": "torch.tensordot(m, m, 1)",
    "kron": "torch.kron(m, m)",
    "cdist": "torch.cdist(m, m)",
    "cosine": "F.cosine_similarity(m, m)",
    "normalize": "F.normalize(m)",
    "pairwise_distance": "F.pairwise_distance(m, m)",
    "float": "x.float()",
    "swapaxes": "m.swapaxes(0, 1)",
    "mH": "m.mH",
    "mT": "m.mT",
    "dist": "torch.dist(x, y)",
    "glu": "F.glu(x4)",
    "hardtanh": "F.hardtanh(x)",
    "relu6": "F.relu6(x)",
    "unflatten": "x.unflatten(0, (3, 1))",
    "meshgrid": "torch.meshgrid(x, y, indexing='ij')[0]",
    "svd": "torch.linalg.svd(m)[1]",
    "svdvals": "torch.linalg.svdvals(m)",
    "eigh": "torch.linalg.eigh(s)[0]",
    "eigvalsh": "torch.linalg.eigvalsh(s)",
    "qr": "torch.linalg.qr(s)[0]",
    "solve": "torch.linalg.solve(s, m)",
    "cholesky": "torch.linalg.cholesky(s)",
    "triangular": "torch.linalg.solve_triangular(s, m, upper=False)",
    "lstsq": "torch.linalg.lstsq(s, m)[0]",
    "pinv": "torch.linalg.pinv(s)",
    "matrix_exp": "torch.matrix_exp(s)",
    "matrix_power": "torch.linalg.matrix_power(s, 2)",
    "multi_dot": "torch.linalg.multi_dot([m, m, m])",
    "fft": "torch.fft.fft(x)",
    "rfft": "torch.fft.rfft(x)",
    "ifft": "torch.fft.ifft(z)",
    "irfft": "torch.fft.irfft(z)",
    "fftshift": "torch.fft.fftshift(x)",
    "erf": "x.erf()",
    "lgamma": "x.lgamma()",
    "digamma": "x.digamma()",
    "logit": "x.sigmoid().logit()",
    "log1p": "x.log1p()",
    "expm1": "x.expm1()",
    "log2": "x.log2()",
    "sin": "x.sin()",
    "atan": "x.atan()",
    "sinc": "x.sinc()",
    "exp2": "x.exp2()",
    "hypot": "torch.hypot(x, y)",
    "logaddexp": "torch.logaddexp(x, y)",
    "xlogy": "torch.xlogy(x, y)",
    "nan_to_num": "x.nan_to_num()",
    "cross": "torch.cross(v, v, dim=0)",
    "diff": "x.diff()",
    "nansum": "x.nansum()",
    "nanmean": "x.nanmean()",
    "quantile": "x.quantile(0.5)",
    "cummax": "x.cummax(0)[0]",
    "logcumsumexp": "x.logcumsumexp(0)",
    "renorm": "m.renorm(2, 0, 1.0)",
    "trapezoid": "torch.trapezoid(x)",
    "rot90": "m.rot90()",
    "fliplr": "m.fliplr()",
    "repeat_interleave": "x.repeat_interleave(2)",
    "block_diag": "torch.block_diag(m, m)",
    "broadcast_tensors": "torch.broadcast_tensors(v, m)[0]",
    "atleast_2d": "torch.atleast_2d(x)",
    "heaviside": "torch.heaviside(x, y)",
    "bernoulli": "torch.bernoulli(x.sigmoid())",
    "mul_int": "x * k",
    "pixel_shuffle": "F.pixel_shuffle(i.expand(1, 4, 4, 4), 2)",
    "unfold_function": "F.unfold(i, 2)",
    "affine": "F.softmin(x, 0)",
    "relu_": "x.clone().relu_()",
    "exp_": "x.clone().exp_()",
    "zero_": "x.clone().zero_()",
    "fill_": "x.clone().fill_(2)",
    "fill_tensor": "x.clone().fill_(y[0])",
    "mul_": "x.clone().mul_(y)",
    "sub_": "x.clone().sub_(1)",
    "div_": "x.clone().div_(y)",
    "pow_": "x.clone().pow_(2)",
    "clamp_": "x.clone().clamp_(0, 1)",
    "masked_fill_": "x.clone().masked_fill_(x > 0, 1)",
    "t_": "m.clone().t_()",
    "unsqueeze_": "x.clone().unsqueeze_(0)",
    "squeeze_": "x.clone().squeeze_()",
    "gru": "torch.nn.GRU(3, 2)(b)[0]",
    "lstm": "torch.nn.LSTM(3, 2)(b)[0]",
    "rnn": "torch.nn.RNN(3, 2)(b)[0]",
    "mha": "torch.nn.MultiheadAttention(3, 1)(b, b, b)[0]",
}


def _operands(torch):
    def leaf(*shape):
        return torch.rand(*shape, requires_grad=True)

    x, y, m, v, b = leaf(3), leaf(3), leaf(3, 3), leaf(3), leaf(2, 3, 3)

    def iadd(a, c):
        a += c
        return a

    def setitem(a, key, value):
        a[key] = value
        return a

    return {
        "torch": torch,
        "F": torch.nn.functional,
        "x": x,
        "y": y,
        "m": m,
        "v": v,
        "b": b,
        "x4": leaf(4),
        "i": leaf(1, 1, 4, 4),
        "w1": leaf(2, 3, 2),
        "w2": leaf(1, 1, 2, 2),
        "s": (m @ m.t() + torch.eye(3)).detach().requires_grad_(),
        "k": torch.tensor([0, 1, 2]),
        "z": torch.rand(3, dtype=torch.complex64, requires_grad=True),
        "iadd": iadd,
        "setitem": setitem,
    }


def _case(expression):
    def run(torch):
        result = eval(expression, _operands(torch))
        node = result.grad_fn
        if node is None:
            return None
        parents = [
            (parent and type(parent).__name__, number) for parent, number in node.next_functions
        ]
        return type(node).__name__, node.name(), parents, result.output_nr

    return run


CASES = {name: _case(expression) for name, expression in EXPRESSIONS.items()}


def accumulate_grad(torch):
    x = torch.ones(2, requires_grad=True)
    node = (x * 2).grad_fn.next_functions[0][0]
    return type(node).__name__, node.name(), node.variable is x, node.next_functions


def same_node_object(torch):
    y = torch.ones(2, requires_grad=True) * 2
    return y.grad_fn is y.grad_fn, y.grad_fn == y.grad_fn, len({y.grad_fn, y.grad_fn})


def same_accumulate_grad(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * x
    (a, _), (b, _) = y.grad_fn.next_functions
    return a is b


def node_is_a_node(torch):
    y = torch.ones(2, requires_grad=True) * 2
    return isinstance(y.grad_fn, torch.autograd.graph.Node)


def node_called(torch):
    x = torch.ones(2, requires_grad=True)
    return (x * 3).grad_fn(torch.ones(2))


def node_metadata(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.grad_fn.metadata["note"] = 5
    return y.grad_fn.metadata


def saved_attributes(torch):
    x, y = torch.ones(2, requires_grad=True), torch.full((2,), 3.0)
    node = (x * y).grad_fn
    power = (x**2).grad_fn
    return node._saved_self, node._saved_other is y, power._saved_exponent, power._saved_self is x


def saved_result_has_grad_fn(torch):
    y = torch.ones(2, requires_grad=True).exp()
    saved = y.grad_fn._saved_result
    return saved is y, saved.grad_fn is y.grad_fn, saved


def output_numbers(torch):
    m = torch.ones(3, 2, requires_grad=True)
    return [t.output_nr for t in m.unbind()], [t.output_nr for t in m.max(0)]


def sequence_numbers_grow(torch):
    x = torch.ones(2, requires_grad=True)
    a = x * 2
    b = a * 2
    leaf = a.grad_fn.next_functions[0][0]
    return b.grad_fn._sequence_nr() - a.grad_fn._sequence_nr(), leaf._sequence_nr()


def input_metadata(torch):
    y = torch.ones(2, 3, requires_grad=True) * 2
    (meta,) = y.grad_fn._input_metadata
    return meta.shape, meta.dtype, meta.device


def attribute_on_node(torch):
    y = torch.ones(2, requires_grad=True) * 2
    y.grad_fn.foo = 3
