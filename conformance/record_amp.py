"""Record what autocast and GradScaler do in PyTorch on a CPU, for tests/test_amp.py.

    python conformance/record_amp.py

writes tests/data/amp.json. Needs torch. See record_nn.py for how programs show values.
"""

from __future__ import annotations

from record_nn import ROOT, recorder

program, save = recorder(ROOT / "tests" / "data" / "amp.json")

program(
    "which operators convert",
    """
    F = nn.functional
    a, b, v = torch.randn(3, 3), torch.randn(3, 3), torch.randn(3)
    x3, w3 = torch.randn(2, 3, 5), torch.randn(4, 3, 2)
    target = torch.tensor([0, 2, 1])
    calls = {
        'linear': lambda t: F.linear(t(a), t(b)), 'bias': lambda t: F.linear(t(a), t(b), t(v)),
        '@': lambda t: t(a) @ t(b), 'matmul': lambda t: torch.matmul(t(a), t(v)),
        'method': lambda t: t(a).matmul(t(b)), 'mm': lambda t: t(a).mm(t(b)),
        'vector @': lambda t: t(v) @ t(v), 'mv': lambda t: t(a).mv(t(v)),
        'dot': lambda t: t(v).dot(t(v)), 'outer': lambda t: torch.outer(t(v), t(v)),
        'einsum': lambda t: torch.einsum('ij,jk', t(a), t(b)),
        'addmm': lambda t: torch.addmm(t(v), t(a), t(b)),
        'bmm': lambda t: torch.bmm(t(a)[None], t(b)[None]),
        'conv': lambda t: F.conv1d(t(x3), t(w3)), 'sdpa': lambda t: F.scaled_dot_product_attention(
            t(a)[None], t(b)[None], t(a)[None]),
        'add': lambda t: t(a) + t(b), 'softmax': lambda t: t(a).softmax(0),
        'layer_norm': lambda t: F.layer_norm(t(a), (3,)), 'sum': lambda t: t(a).sum(),
        'exp': lambda t: t(a).exp(), 'gelu': lambda t: F.gelu(t(a)), 'prod': lambda t: t(a).prod(),
        'mse': lambda t: F.mse_loss(t(a), t(b)), 'l1': lambda t: F.l1_loss(t(a), t(b)),
        'ce': lambda t: F.cross_entropy(t(a), target), 'nll': lambda t: F.nll_loss(t(a), target),
        'bce': lambda t: F.binary_cross_entropy_with_logits(t(a), t(b).sigmoid()),
        'kl': lambda t: F.kl_div(t(a), t(b).sigmoid()), 'cdist': lambda t: torch.cdist(t(a), t(b)),
        'trace': lambda t: t(a).trace(), 'inv': lambda t: torch.linalg.inv(t(a)),
        'triplet': lambda t: F.triplet_margin_loss(t(a), t(b), t(a)),
        'cat': lambda t: torch.cat([t(a), b]), 'stack': lambda t: torch.stack([t(a), b]),
        'reflect': lambda t: F.pad(t(a), (1, 1), mode='reflect'),
        'pad': lambda t: F.pad(t(a), (1, 1)), 'in place': lambda t: t(a).addmm_(t(b), t(b)),
    }
    kinds = {'float32': lambda t: t.clone(), 'bfloat16': lambda t: t.bfloat16(),
             'float64': lambda t: t.double()}
    for dtype in (torch.bfloat16, torch.float16):
        for name, call in calls.items():
            found = []
            for kind, t in kinds.items():
                if name in ('cat', 'stack') and (kind == 'float64' or dtype is torch.float16):
                    continue
                with torch.autocast('cpu', dtype=dtype):
                    found.append(str(call(t).dtype))
            exact([name, found])
    def cross(t):
        with torch.autocast('cpu'):
            return F.cross_entropy(t, target, label_smoothing=0.1)
    show(cross(a.bfloat16()))
    show(nn.CrossEntropyLoss()(a.bfloat16().float(), target))
    """,
)
program(
    "what is set",
    """
    def state():
        return [torch.is_autocast_enabled('cpu'), torch.is_autocast_enabled(),
                str(torch.get_autocast_dtype('cpu')), str(torch.get_autocast_dtype('cuda')),
                torch.is_autocast_cache_enabled()]
    a = torch.ones(2, 2)
    def kind():
        return str((a @ a).dtype)
    exact([state(), kind()])
    with torch.autocast('cpu') as outer:
        exact([type(outer).__name__, state(), kind()])
        with torch.autocast('cpu', enabled=False):
            exact([state(), kind()])
            with torch.amp.autocast('cpu', torch.float16, cache_enabled=False):
                exact([state(), kind()])
        exact([state(), kind()])
        with torch.autocast('cpu', dtype=torch.float16):
            exact([state(), kind()])
        with torch.no_grad():
            exact(kind())
    exact([state(), kind()])
    @torch.autocast('cpu')
    def decorated():
        return state(), kind()
    exact([decorated(), state()])
    try:
        with torch.autocast('cpu'):
            raise ValueError
    except ValueError:
        exact(state())
    torch.set_autocast_enabled('cpu', True)
    exact([state(), kind()])
    torch.set_autocast_dtype('cpu', torch.float16)
    exact([state(), kind()])
    torch.set_autocast_enabled('cpu', False)
    exact([state(), kind()])
    torch.set_autocast_dtype('cpu', torch.bfloat16)
    for call in (
        lambda: torch.autocast('cuda')._enabled, lambda: torch.autocast('cpu', torch.float32)._enabled,
        lambda: torch.autocast('foo'), lambda: torch.autocast(3), lambda: torch.cuda.amp.autocast()._enabled,
        lambda: torch.cpu.amp.autocast().fast_dtype, lambda: torch.cuda.amp.GradScaler().is_enabled(),
        lambda: torch.amp.GradScaler().is_enabled(), lambda: torch.cpu.amp.GradScaler().is_enabled(),
        lambda: torch.amp.is_autocast_available('cpu'), lambda: torch.amp.is_autocast_available('cuda'),
        lambda: torch.amp.is_autocast_available('foo'), lambda: torch.is_autocast_enabled('foo'),
        lambda: torch.amp.custom_fwd(device_type=3), lambda: torch.amp.custom_bwd(device_type=3),
    ):
        attempt(call)
    """,
)
program(
    "a training under autocast",
    """
    m = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))
    tied = m[0].weight
    o = optim.SGD(m.parameters(), 0.1)
    x, y = torch.randn(5, 6), torch.tensor([0, 1, 2, 1, 0])
    kinds = []
    for step in range(3):
        o.zero_grad()
        with torch.autocast('cpu'):
            out = m(x)
            loss = nn.functional.cross_entropy(out, y) + (x @ tied.t()).float().square().mean()
        loss.backward()
        kinds.append([str(out.dtype), str(loss.dtype), [str(p.grad.dtype) for p in m.parameters()]])
        o.step()
    exact(kinds)
    close = [round(v, 2) for v in m[3].bias.tolist()]
    exact(close)
    """,
)
program(
    "functions of one's own under autocast",
    """
    seen = []
    class Product(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type='cpu', cast_inputs=torch.float32)
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            seen.append(['forward', str(a.dtype), torch.is_autocast_enabled('cpu')])
            return a @ b
        @staticmethod
        @torch.amp.custom_bwd(device_type='cpu')
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            seen.append(['backward', str(g.dtype), torch.is_autocast_enabled('cpu')])
            return g @ b.t(), a.t() @ g
    class Plain(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type='cpu')
        def forward(ctx, a):
            seen.append(['plain', torch.is_autocast_enabled('cpu')])
            return a * 2
        @staticmethod
        @torch.amp.custom_bwd(device_type='cpu')
        def backward(ctx, g):
            seen.append(['plain backward', torch.is_autocast_enabled('cpu')])
            return g * 2
    a = torch.eye(2).requires_grad_()
    for on in (True, False):
        with torch.autocast('cpu', enabled=on):
            y = Product.apply(a, a.detach()) + Plain.apply(a)
        y.sum().backward()
    exact(seen)
    show(a.grad)
    """,
)
program(
    "GradScaler",
    """
    s = torch.amp.GradScaler('cpu', growth_interval=2)
    p = nn.Parameter(torch.ones(2))
    o = optim.SGD([p], 0.1)
    exact([s.state_dict(), s.is_enabled(), s.get_scale(), s.get_growth_factor(),
           s.get_backoff_factor(), s.get_growth_interval()])
    attempt(lambda: s.step(o))
    attempt(lambda: s.update())
    attempt(lambda: s.unscale_(o))
    attempt(lambda: s.scale(3))
    one = torch.ones(1)
    exact([s.scale(one), s.scale([one, (one, one)]), type(s.scale(iter([one]))).__name__])
    exact(str(s.scale(torch.ones(1).bfloat16()).dtype))
    attempt(lambda: s.step(o))
    for scale in (1.0, float('inf'), 2.0, 3.0, 4.0, float('nan'), 0.5):
        s = s if scale != 1.0 else torch.amp.GradScaler('cpu', growth_interval=2)
        o.zero_grad()
        s.scale((p * scale).sum()).backward()
        s.step(o)
        exact([p, p.grad, s.get_scale()])
        attempt(lambda: s.step(o))
        attempt(lambda: s.unscale_(o))
        s.update()
        exact([s.get_scale(), s.state_dict()])
    s.scale((p * 1.0).sum()).backward()
    s.unscale_(o)
    exact(p.grad)
    attempt(lambda: s.unscale_(o))
    import pickle
    attempt(lambda: pickle.dumps(s))
    s.step(o)
    s.update(4.0)
    exact(s.get_scale())
    s.update(torch.tensor(8.0))
    exact(s.get_scale())
    attempt(lambda: s.update(torch.ones(2)))
    attempt(lambda: s.update())
    attempt(lambda: s.step(o, closure=lambda: 1))
    exact(pickle.loads(pickle.dumps(s)).state_dict())
    half = nn.Parameter(torch.ones(2).half())
    half.grad = torch.ones(2).half()
    attempt(lambda: s.unscale_(optim.SGD([half], 0.1)))
    attempt(lambda: s.load_state_dict({}))
    s.load_state_dict({'scale': 4.0, 'growth_factor': 3.0, 'backoff_factor': 0.1, 'growth_interval': 1,
                       '_growth_tracker': 0})
    exact([s.state_dict(), s.get_scale()])
    s.set_growth_factor(5.0), s.set_backoff_factor(0.2), s.set_growth_interval(7)
    exact(s.state_dict())
    for options in ({'growth_factor': 0.5}, {'backoff_factor': 1.0}):
        attempt(lambda: torch.amp.GradScaler('cpu', **options))
    off = torch.amp.GradScaler('cpu', enabled=False)
    exact([off.scale(one) is one, off.state_dict(), off.get_scale(), off.is_enabled()])
    exact([off.unscale_(o), off.step(o), off.update(), off.load_state_dict({})])
    big = torch.amp.GradScaler('cpu', init_scale=3e38, growth_interval=1)
    o.zero_grad()
    big.scale((p * 0.5).sum()).backward()
    big.step(o)
    big.update()
    exact(big.state_dict())
    """,
)

if __name__ == "__main__":
    save()
