"""Record what optimizers of matrices, averages of weights and hooks give in PyTorch, for
tests/test_optim.py.

    python conformance/record_optim.py

writes tests/data/optim.json. Needs torch. See record_nn.py for how programs show values.
"""

from __future__ import annotations

from record_nn import ROOT, recorder

program, save = recorder(ROOT / "tests" / "data" / "optim.json")

TRAINED = """
torch.manual_seed(0)
m = nn.Sequential(nn.Linear(4, 6, bias={bias}), nn.Tanh(), nn.Linear(6, 2, bias={bias})).to({kind})
x, y = torch.randn(7, 4, dtype={kind}), torch.randn(7, 2, dtype={kind})
o = optim.{make}
for _ in range({steps}):
    o.zero_grad()
    ((m(x) - y) ** 2).mean().backward()
    o.step()
show(m.state_dict())
show(o.state_dict())
exact(repr(o))
"""
for make in ("Adafactor(m.parameters())",
             "Adafactor(m.parameters(), lr=0.1, weight_decay=0.3, maximize=True)",
             "Adafactor(m.parameters(), lr=torch.tensor(0.5), beta2_decay=-1.0, d=1.5)",
             "Adafactor(m.parameters(), 1.0, -0.5, (0.3, 0.01))"):  # fmt: skip
    program(make, TRAINED.format(make=make, bias=True, steps=8, kind="torch.float64"))
for make in ("Muon(m.parameters())", "Muon(m.parameters(), nesterov=False, momentum=0.5)",
             "Muon(m.parameters(), lr=0.01, adjust_lr_fn='match_rms_adamw', ns_steps=3)",
             "Muon(m.parameters(), lr=torch.tensor(0.01), weight_decay=0, eps=100.0)"):  # fmt: skip
    program(make, TRAINED.format(make=make, bias=False, steps=4, kind="torch.float32"))

program(
    "errors of options",
    """
    matrix, vector = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(3))
    complex_ = nn.Parameter(torch.ones(2, 2, dtype=torch.complex64))
    def stepped(o):
        for group in o.param_groups:
            for p in group['params']:
                p.grad = torch.ones_like(p)
        o.step()
    two = torch.tensor([0.1, 0.2])
    for call in (
        lambda: optim.Muon([vector]), lambda: optim.Muon([matrix], lr=-1),
        lambda: optim.Muon([matrix], weight_decay=-1), lambda: optim.Muon([matrix], momentum=-1),
        lambda: optim.Muon([matrix], adjust_lr_fn='other'), lambda: optim.Muon([matrix], lr=two),
        lambda: stepped(optim.Muon([matrix], ns_steps=100)),
        lambda: stepped(optim.Muon([matrix], ns_coefficients=(1, 2))),
        lambda: stepped(optim.Muon([complex_])),
        lambda: optim.Adafactor([vector], lr=-1), lambda: optim.Adafactor([vector], beta2_decay=1),
        lambda: optim.Adafactor([vector], eps=(-1, 1)), lambda: optim.Adafactor([vector], d=0.5),
        lambda: optim.Adafactor([vector], eps=(None, -1)), lambda: optim.Adafactor([vector], two),
        lambda: optim.Adafactor([vector], weight_decay=-1),
        lambda: stepped(optim.Adafactor([complex_])),
        lambda: optim.SparseAdam([vector], lr=0), lambda: optim.SparseAdam([vector], eps=0),
        lambda: optim.SparseAdam([vector], betas=(0.1, 1)), lambda: optim.SparseAdam([vector], two),
        lambda: optim.SparseAdam([vector, complex_]), lambda: stepped(optim.SparseAdam([vector])),
        lambda: optim.SparseAdam([vector]).step(),
        lambda: optim.Adam([vector], torch.tensor(0.1), foreach=True),
        lambda: optim.SGD([vector], torch.tensor(0.1), foreach=True).step(),
    ):
        attempt(call)
    """,
)

# Averages

AVERAGED = """
from torch.optim.swa_utils import *
from torch.optim import swa_utils
torch.manual_seed(1)
m = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
o = optim.SGD(m.parameters(), 0.1)
a = swa_utils.AveragedModel(m, {options})
x = torch.randn(8, 3)
for _ in range(5):
    o.zero_grad()
    m(x).square().mean().backward()
    o.step()
    a.update_parameters(m)
    show(a.state_dict())
exact(repr(a))
exact([p.requires_grad for p in a.parameters()])
show(a(x))
swa_utils.update_bn({loader}, a)
show(a.state_dict())
exact([a.training, a.module[1].momentum])
show(a.eval()(x))
"""
for options in ("", "use_buffers=True", "avg_fn=swa_utils.get_ema_avg_fn(0.7)",
                "multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True",
                "multi_avg_fn=swa_utils.get_swa_multi_avg_fn()", "'cpu', swa_utils.get_swa_avg_fn()",
                "avg_fn=lambda old, new, n: old * 0.5 + new"):  # fmt: skip
    loader = "[x[:3], x[3:]]" if "ema" in options else "[(x[:3], 1), [x[3:], 2]]"
    program(f"AveragedModel({options})", AVERAGED.format(options=options, loader=loader))
program(
    "averages: errors",
    """
    from torch.optim import swa_utils
    m = nn.Linear(1, 1)
    attempt(lambda: swa_utils.AveragedModel(m, avg_fn=max, multi_avg_fn=max))
    attempt(lambda: swa_utils.get_ema_avg_fn(2))
    attempt(lambda: swa_utils.get_ema_multi_avg_fn(-0.1))
    o = optim.SGD(m.parameters(), 0.1)
    attempt(lambda: swa_utils.SWALR(o, [0.1, 0.2]))
    attempt(lambda: swa_utils.SWALR(o, 0.1, anneal_strategy='other'))
    attempt(lambda: swa_utils.SWALR(o, 0.1, -1))
    attempt(lambda: swa_utils.SWALR(o, 0.1, 0.5))
    attempt(lambda: swa_utils.SWALR(o, 0.1).get_lr())
    attempt(lambda: swa_utils.update_bn([torch.ones(1, 1)], m))
    """,
)
for anneal in ("", ", 3", ", 0", ", 1, 'linear'", ", 4, 'linear'", ", anneal_epochs=2"):
    program(
        f"SWALR(o, 0.05{anneal})",
        f"""
        from torch.optim.swa_utils import SWALR
        a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
        o = optim.SGD([{{'params': [a]}}, {{'params': [b], 'lr': 0.02}}], 0.1)
        s = SWALR(o, 0.05{anneal})
        other = lr_scheduler.ExponentialLR(o, 0.9)
        for epoch in range(7):
            show([s.get_last_lr(), [g['swa_lr'] for g in o.param_groups]])
            o.step()
            s.step()
            if epoch == 2:
                other.step()
        show(s.state_dict())
        state = s.state_dict()
        s = SWALR(o, [0.01, 0.02]{anneal})
        s.load_state_dict(state)
        s.step()
        show([s.get_last_lr(), s.last_epoch])
        """,
    )
program(
    "swap in parameters and state",
    """
    from torch.optim import swap_in_optimizer_params_and_state as swap
    m = nn.Linear(2, 1)
    o = optim.Adam(m.parameters(), 0.1)
    def swapped(params, state):
        with swap(o, params, state):
            for p in params.values():
                p.grad = torch.ones_like(p)
            o.step()
            return [p.detach().clone() for p in params.values()]
    attempt(lambda: swapped(dict(m.named_parameters()), o.state_dict()))
    for p in m.parameters():
        p.grad = torch.ones_like(p)
    o.step()
    other = {'weight': torch.zeros(1, 2), 'bias': torch.ones(1)}
    import copy
    state = copy.deepcopy(o.state_dict())
    attempt(lambda: swapped(other, state))
    show(state)
    show(o.state_dict())
    show(m.state_dict())
    exact(o.param_groups[0]['params'][0] is m.weight)
    attempt(lambda: swapped({'weight': m.weight}, state))
    """,
)
program(
    "hooks of an optimizer and of all",
    """
    from torch.optim.optimizer import (register_optimizer_step_post_hook,
                                       register_optimizer_step_pre_hook)
    seen = []
    def note(word):
        return lambda o, args, kwargs: seen.append([word, type(o).__name__, len(args), sorted(kwargs)])
    p = nn.Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    before = optim.SGD([p], 0.1)
    handles = [register_optimizer_step_pre_hook(note('all before')),
               register_optimizer_step_post_hook(note('all after'))]
    after = optim.Adam([p], 0.1)
    handles += [after.register_step_pre_hook(note('before')),
                after.register_step_post_hook(note('after'))]
    before.step()
    after.step()
    after.step(closure=lambda: 1.0)
    exact(seen)
    for h in handles:
        h.remove()
    after.step()
    exact(len(seen))
    after.register_step_pre_hook(lambda o, args, kwargs: (args, {'closure': lambda: 5.0}))
    exact(after.step())
    after.register_step_pre_hook(lambda o, args, kwargs: 3)
    try:
        after.step()
    except RuntimeError as error:
        exact(str(error).split('must')[1])
    o = optim.SGD([p], 0.5)
    o.register_state_dict_pre_hook(lambda o: seen.append('pre'))
    o.register_state_dict_post_hook(lambda o, s: {**s, 'more': 1})
    o.register_state_dict_post_hook(lambda o, s: seen.append(sorted(s)), prepend=True)
    o.register_load_state_dict_pre_hook(lambda o, s: {k: v for k, v in s.items() if k != 'more'})
    o.register_load_state_dict_post_hook(lambda o: seen.append('loaded'))
    o.load_state_dict(o.state_dict())
    exact(seen[-3:])
    """,
)

if __name__ == "__main__":
    save()
