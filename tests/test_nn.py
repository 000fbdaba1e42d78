"""Modules, their initial values and their protocol, as PyTorch has them (tests/data/nn.json)."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn.module import dotted_names
from leafgrad.utils import data
from programs import check

RECORDED = json.loads((Path(__file__).parent / "data" / "nn.json").read_text())
OPTIMIZERS = ("optim", "lr_scheduler", "S.")
OURS = {n: r for n, r in RECORDED.items() if not any(w in r["program"] for w in OPTIMIZERS)}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.filterwarnings("ignore")
def test_as_recorded(name):
    check(OURS[name], torch)


class Net(nn.Module):
    def __init__(self, bias=True):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        if bias:
            self.shift = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return self.norm(self.first(x)) + self.shift


def test_dotted_names():
    net = Net()
    names = dotted_names(net)
    assert names[id(net.first.weight)] == "first.weight"
    assert names[id(net.norm.running_mean)] == "norm.running_mean"
    assert set(names.values()) == set(net.state_dict())


@pytest.mark.parametrize("strict", [True, False])
def test_a_load_that_fails_changes_nothing(strict):
    net = Net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    versions = [p._version for p in net.parameters()]
    wrong = {k: v + 1 for k, v in before.items()}
    wrong["shift"] = torch.ones(4)
    with pytest.raises(RuntimeError, match="size mismatch for shift"):
        net.load_state_dict(wrong, strict=strict)
    if strict:
        with pytest.raises(RuntimeError, match=r'Missing key.*"first.weight"'):
            net.load_state_dict({"shift": torch.ones(3)})
    for name, value in net.state_dict().items():
        assert np.array_equal(value.numpy(), before[name].numpy()), name
    assert versions == [p._version for p in net.parameters()]


def test_parts_that_load_in_their_own_way_see_what_they_loaded():
    class Own(nn.Linear):
        def _load_from_state_dict(self, *args):
            super()._load_from_state_dict(*args)
            self.total = self.weight.sum().item()

    net = Own(2, 1)
    net.load_state_dict({"weight": torch.ones(1, 2), "bias": torch.ones(1)})
    assert net.total == 2


def test_a_forgotten_init_is_named():
    class Forgetful(nn.Module):
        def __init__(self):
            self.size = 3

        def forward(self, x):
            return x

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\)"):
        Forgetful()(1)


# Registered attributes are found through the class, see `_Registered`


def test_an_attribute_of_one_instance_is_not_one_of_another():
    Net(bias=True)
    other = Net(bias=False)
    assert not hasattr(other, "shift")
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'shift'"):
        other(torch.ones(2, 2))
    other.shift = 5.0  # an attribute of its own, in the place of a parameter of the others
    assert other.shift == 5.0 and "shift" not in dict(other.named_parameters())


def test_a_plain_attribute_takes_the_place_of_a_parameter_taken_out():
    layer = nn.Linear(2, 2)
    weight = layer.weight
    del layer._parameters["weight"]
    layer.weight = weight.detach() * 0
    assert layer(torch.ones(2)).tolist() == layer.bias.tolist()
    layer._parameters["weight"] = weight  # the attribute of the instance comes first
    assert layer.weight is not weight
    del layer.weight
    assert "weight" not in layer._parameters


def test_a_name_can_change_its_kind():
    net = nn.Module()
    for value in (nn.Parameter(torch.ones(1)), nn.Buffer(torch.ones(1)), nn.ReLU(), None):
        if hasattr(net, "x"):
            del net.x
        net.x = value
        assert net.x is value or isinstance(value, nn.Buffer)


def test_hooks_go_with_a_copy():
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    net[1].register_forward_hook(_plus_one)
    net[0].register_load_state_dict_pre_hook(_rename)
    net.register_state_dict_post_hook(_note)
    x = torch.ones(1, 1)
    wanted = net(x).item()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other(x).item() == wanted
        state = other.state_dict()
        assert state.pop("note").item() == 7
        state["0.w"] = state.pop("0.weight")
        assert not any(other.load_state_dict(state))


def _plus_one(module, args, out):
    return out + 1


def _rename(module, state_dict, prefix, *rest):
    state_dict[prefix + "weight"] = state_dict.pop(prefix + "w", module.weight)


def _note(module, state_dict, prefix, local_metadata):
    state_dict["note"] = torch.tensor(7)


def test_state_dict_shares_memory():
    net = Net()
    net.state_dict()["shift"].fill_(3)
    assert net.shift.tolist() == [3, 3, 3]


def test_operations_on_parameters_give_plain_tensors():
    p = nn.Parameter(torch.ones(2))
    for made in (
        p + 1,
        1 - p,
        p[0],
        p.exp(),
        p.view(2, 1),
        torch.stack([p, p]),
        np.exp(p.detach()),
    ):
        assert type(made) is torch.Tensor
    (p * p).sum().backward()
    assert type(p.grad) is torch.Tensor
    with torch.no_grad():
        p -= 0.5 * p.grad
    assert type(p) is nn.Parameter and p.is_leaf and p.tolist() == [0, 0]


def test_numbers_of_a_seed_do_not_depend_on_what_runs_in_between():
    torch.manual_seed(0)
    first = nn.Linear(3, 3)
    first(torch.ones(3)).sum().backward()
    second = nn.Linear(3, 3)
    torch.manual_seed(0)
    assert nn.Linear(3, 3).weight.tolist() == first.weight.tolist()
    assert nn.Linear(3, 3).weight.tolist() == second.weight.tolist()


def test_batches_taken_at_once_are_those_taken_one_by_one():
    rows = data.TensorDataset(torch.randn(7, 2), torch.arange(7))
    some = data.Subset(data.Subset(rows, [5, 3, 1, 0]), [2, 1, 0])
    for dataset in (rows, some):
        whole = list(data.DataLoader(dataset, 3))
        single = list(data.DataLoader(dataset, 3, collate_fn=lambda b: data.default_collate(b)))
        assert len(whole) == len(single)
        for a, b in zip(whole, single, strict=True):
            assert type(a) is type(b)
            for mine, other in zip(a, b, strict=True):
                assert mine.dtype is other.dtype and mine.tolist() == other.tolist()


def test_batches_of_tensors_that_require_grad_are_recorded():
    x = torch.ones(3, 2, requires_grad=True)
    ((batch,),) = data.DataLoader(data.TensorDataset(x), 3)
    batch.sum().backward()
    assert x.grad.tolist() == [[1, 1]] * 3


def test_a_batch_is_a_copy():
    x = torch.zeros(4, 1)
    for (batch,) in data.DataLoader(data.TensorDataset(x), 2):
        batch += 1
    assert x.sum().item() == 0
