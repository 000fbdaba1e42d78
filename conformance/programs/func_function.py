"""Functions of the user's own under function transforms: their vmap and jvp staticmethods."""


def _made(torch):
    """The Functions, by name."""

    class Generated(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, w):
            return x.sin() * w

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            return g * w * x.cos(), g * x.sin()

        @staticmethod
        def jvp(ctx, tx, tw):
            x, w = ctx.saved_tensors
            return tx * w * x.cos() + tw * x.sin()

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(x, k):
            return x**k, x * k

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.k = inputs
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)

        @staticmethod
        def backward(ctx, g, h):
            (x,) = ctx.saved_tensors
            return g * ctx.k * x ** (ctx.k - 1) + h * ctx.k, None

        @staticmethod
        def jvp(ctx, t, _):
            (x,) = ctx.saved_tensors
            return t * ctx.k * x ** (ctx.k - 1), t * ctx.k

        @staticmethod
        def vmap(info, in_dims, x, k):
            print(info, in_dims, tuple(x.shape), k)
            return Own.apply(x, k), (in_dims[0], in_dims[0])

    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

        @staticmethod
        def jvp(ctx, t):
            (x,) = ctx.saved_tensors
            return 2 * x * t

    class Both(Generated):
        @staticmethod
        def vmap(info, in_dims, x, k):
            pass

    class Plain(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class TwoTangents(Plain):
        @staticmethod
        def jvp(ctx, t):
            return t, t

    class OneReturn(Plain):
        @staticmethod
        def vmap(info, in_dims, x):
            return x

    return {k: v.apply for k, v in locals().items() if k != "torch"}


def _gradients(f, x, w):
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    f(x, w).sum().backward()
    return x.grad, w.grad


def _case(call):
    def case(torch):
        x = torch.arange(6.0, dtype=torch.float64).reshape(2, 3) / 3
        w, v = torch.full((3,), 2.0, dtype=torch.float64), torch.ones_like(x)
        return call(torch, torch.func, _made(torch), x, w, v)

    return case


def _dual(torch, f, x, v):
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        return forward.unpack_dual(f(forward.make_dual(x, v))).tangent


CASES = {name: _case(call) for name, call in {
    "generated": lambda T, F, A, x, w, v: F.vmap(A["Generated"], (0, None))(x, w),
    "generated_dim_1": lambda T, F, A, x, w, v: F.vmap(A["Generated"], (1, None))(x, w[0]),
    "generated_backward": lambda T, F, A, x, w, v: _gradients(
        lambda x, w: F.vmap(A["Generated"], (0, None))(x, w), x, w),
    "generated_per_sample": lambda T, F, A, x, w, v: F.vmap(
        F.grad(lambda w, x: A["Generated"](x, w).sum()), (None, 0))(w, x),
    "generated_jacrev": lambda T, F, A, x, w, v: F.jacrev(lambda x: A["Generated"](x, w))(x[0]),
    "generated_jacfwd": lambda T, F, A, x, w, v: F.jacfwd(lambda x: A["Generated"](x, w))(x[0]),
    "generated_hessian": lambda T, F, A, x, w, v: F.hessian(
        lambda x: A["Generated"](x, w).sum())(x[0]),
    "generated_jvp": lambda T, F, A, x, w, v: F.jvp(
        lambda x: A["Generated"](x, w), (x[0],), (v[0],)),
    "generated_vmap_jvp": lambda T, F, A, x, w, v: F.vmap(
        lambda x, v: F.jvp(lambda x: A["Generated"](x, w), (x,), (v,)))(x, v),
    "generated_jvp_vmap": lambda T, F, A, x, w, v: F.jvp(
        lambda x: F.vmap(A["Generated"], (0, None))(x, w), (x,), (v,)),
    "generated_grad_grad": lambda T, F, A, x, w, v: F.grad(
        F.grad(lambda x: A["Generated"](x, w[0])))(x[0, 1]),
    "own": lambda T, F, A, x, w, v: F.vmap(lambda x: A["Own"](x, 3))(x),
    "own_backward": lambda T, F, A, x, w, v: _gradients(
        lambda x, w: sum(F.vmap(lambda x: A["Own"](x * w, 3))(x)), x, w),
    "own_per_sample": lambda T, F, A, x, w, v: F.vmap(
        F.grad(lambda x: sum(A["Own"](x, 3)).sum()))(x),
    "own_jacrev": lambda T, F, A, x, w, v: F.jacrev(lambda x: A["Own"](x, 3))(x[0]),
    "own_jvp_vmap": lambda T, F, A, x, w, v: F.jvp(
        lambda x: F.vmap(lambda x: A["Own"](x, 3))(x), (x,), (v,)),
    "own_vmap_jvp": lambda T, F, A, x, w, v: F.vmap(
        lambda x, v: F.jvp(lambda x: A["Own"](x, 3), (x,), (v,)))(x, v),
    "own_two_levels": lambda T, F, A, x, w, v: F.vmap(F.vmap(lambda x: A["Own"](x, 3)))(x),
    "own_same": lambda T, F, A, x, w, v: F.vmap(
        lambda x: A["Own"](x, 3), randomness="same")(x),
    "old_vmap": lambda T, F, A, x, w, v: F.vmap(A["Old"])(x),
    "old_grad": lambda T, F, A, x, w, v: F.grad(lambda x: A["Old"](x).sum())(x),
    "old_jvp": lambda T, F, A, x, w, v: F.jvp(A["Old"], (x,), (v,)),
    "old_dual": lambda T, F, A, x, w, v: _dual(T, A["Old"], x, v),
    "old_vectorized": lambda T, F, A, x, w, v: T.autograd.functional.jacobian(
        A["Old"], x[0], vectorize=True),
    "both": lambda T, F, A, x, w, v: F.vmap(A["Both"], (0, None))(x, w),
    "plain": lambda T, F, A, x, w, v: F.vmap(A["Plain"])(x),
    "plain_of_one": lambda T, F, A, x, w, v: F.vmap(lambda x: x + A["Plain"](w))(x),
    "plain_grad": lambda T, F, A, x, w, v: F.grad(lambda x: A["Plain"](x).sum())(x),
    "plain_jvp": lambda T, F, A, x, w, v: F.jvp(A["Plain"], (x,), (v,)),
    "plain_dual": lambda T, F, A, x, w, v: _dual(T, A["Plain"], x, v),
    "plain_vectorized": lambda T, F, A, x, w, v: T.autograd.functional.jacobian(
        A["Plain"], x[0], vectorize=True),
    "two_tangents": lambda T, F, A, x, w, v: F.jvp(A["TwoTangents"], (x,), (v,)),
    "generated_dual": lambda T, F, A, x, w, v: _dual(T, lambda x: A["Generated"](x, w), x, v),
}.items()}  # fmt: skip
