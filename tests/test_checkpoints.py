"""Checkpoints: round trips, PyTorch's format to the byte, hostile and damaged files."""

import contextlib
import io
import os
import pickle
import random
import zipfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.io import safetensors
from leafgrad.io.pickles import Table, read

DTYPES = [torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16,
          torch.int8, torch.uint8, torch.bool, torch.complex64, torch.complex128, torch.uint16,
          torch.uint32, torch.uint64]  # fmt: skip
DATA = Path(__file__).parent / "data"


def saved(value: Any) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def again(value: Any, **options: Any) -> Any:
    return torch.load(io.BytesIO(saved(value)), **options)


@pytest.mark.parametrize("kind", DTYPES, ids=str)
def test_every_dtype(kind: Any) -> None:
    x = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(kind)
    found = again(x)
    assert found.dtype is kind
    np.testing.assert_array_equal(found.numpy(), x.numpy(), strict=True)


def test_containers_and_values() -> None:
    value = {
        "numbers": [1, -5, 255, 256, 70_000, 2**40, -(2**100), 1.5, float("inf"), True, None],
        "text": "é\n", "bytes": b"\x00\xff", "complex": 1 - 2j, "set": {1, 2}, 3: (1, (2,), ()),
        "dtype": torch.float32, "device": torch.device("cpu"), "size": torch.Size([2, 3]),
        "ordered": OrderedDict(a=1), "default": defaultdict(list, a=[1]), "counter": Counter("aab"),
    }  # fmt: skip
    found = again(value)
    assert found == value
    assert type(found["size"]) is torch.Size and type(found["ordered"]) is OrderedDict
    assert found["default"].default_factory is list


def test_tensors_keep_their_kind() -> None:
    parameter = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    found = again(
        [torch.ones(2, requires_grad=True), parameter, torch.zeros(0, 3), torch.tensor(1)]
    )
    assert found[0].requires_grad and found[0].is_leaf
    assert type(found[1]) is torch.nn.Parameter and not found[1].requires_grad
    assert found[2].shape == (0, 3) and found[3].shape == ()


def test_shared_memory_is_shared_again() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    found = again({"base": base, "row": base[1], "turned": base.t(), "same": base})
    assert found["same"] is found["base"] and found["turned"].stride() == (1, 4)
    found["base"][1, 2] = 99
    assert found["row"][2] == 99 and found["turned"][2, 1] == 99
    data = saved({"base": base, "row": base[1]})
    stored = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert [n for n in stored if "/data/" in n] == ["archive/data/0"]


def test_one_memory_under_two_dtypes_is_refused() -> None:
    z = torch.ones(2, dtype=torch.complex64)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        saved([z, torch.view_as_real(z)])


def test_models_and_optimizers_go_on_as_if_never_stopped() -> None:
    def build() -> Any:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
        return model, torch.optim.Adam(model.parameters(), lr=0.1)

    x = torch.arange(12.0).reshape(4, 3)

    def train(model: Any, optimizer: Any) -> Any:
        for _ in range(3):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
        return loss.item()

    model, optimizer = build()
    train(model, optimizer)
    state = again({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    other, its_optimizer = build()
    other.load_state_dict(state["model"])
    its_optimizer.load_state_dict(state["optimizer"])
    assert train(other, its_optimizer) == train(model, optimizer)


def test_the_layout_of_the_archive() -> None:
    data = saved({"w": torch.ones(3), "b": torch.ones(5, dtype=torch.float64)})
    archive = zipfile.ZipFile(io.BytesIO(data))
    for member in archive.infolist():
        assert member.compress_type == zipfile.ZIP_STORED
        begin = member.header_offset + 30 + len(member.filename) + len(member.extra)
        assert begin % 64 == 0
    assert archive.read("archive/version") == b"3\n"
    assert archive.read("archive/data/0") == np.ones(3, np.float32).tobytes()
    assert b"ctorch._utils\n_rebuild_tensor_v2\n" in archive.read("archive/data.pkl")


def test_paths_mapping_and_positions(tmp_path: Path) -> None:
    x = torch.arange(1000.0)
    torch.save({"x": x}, tmp_path / "model.pt")
    assert zipfile.ZipFile(tmp_path / "model.pt").namelist()[0] == "model/data.pkl"
    mapped = torch.load(tmp_path / "model.pt", mmap=True)["x"]
    mapped[0] = 5
    assert mapped.sum() == x.sum() + 5
    assert torch.load(str(tmp_path / "model.pt"))["x"][0] == 0
    file = io.BytesIO(b"before" + saved(x))
    file.seek(6)
    assert torch.load(file).sum() == x.sum()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(torch.ones(2), path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="pickle"):
        torch.save({"x": torch.ones(2), "f": lambda: 0}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.pt"]
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        torch.save(1, tmp_path / "nowhere" / "x.pt")


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


class Settings:
    def __init__(self) -> None:
        self.rate = 0.5


def test_whole_modules_only_when_asked_for() -> None:
    net, x = Net(), torch.ones(1, 2)
    with pytest.raises(pickle.UnpicklingError, match=r"Unsupported global: GLOBAL .*Net"):
        again(net)
    assert again(net, weights_only=False)(x) == net(x)
    with torch.serialization.safe_globals([Net, torch.nn.Linear]):
        data = saved(net)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(data))


def test_safe_globals() -> None:
    data = saved(Settings())
    for options in ({}, {"weights_only": False}):
        with pytest.raises(pickle.UnpicklingError, match=r"add_safe_globals\(\[Settings\]\)"):
            torch.load(io.BytesIO(data), **options)
    with torch.serialization.safe_globals([Settings]):
        assert torch.load(io.BytesIO(data)).rate == 0.5
        assert torch.serialization.get_safe_globals() == [Settings]
    assert torch.serialization.get_safe_globals() == []


# Hostile and damaged files


def forged(program: bytes, storages: dict[str, bytes] | None = None) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", b"3\n")
        for key, content in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", content)
    out.seek(0)
    return out


class Touch:
    """Unpickled by Python's own machine, this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    target = tmp_path / "made"
    program = pickle.dumps({"x": Touch(target)}, protocol=2)
    for options in ({}, {"weights_only": False}):
        with pytest.raises(pickle.UnpicklingError, match="Unsupported global"):
            torch.load(forged(program), **options)
    assert not target.exists()
    pickle.loads(program)  # what would have happened
    assert target.exists()


HOSTILE = {
    "eval": b"cbuiltins\neval\n(X\x01\x00\x00\x001tR.",
    "getattr": b"cbuiltins\ngetattr\n.",
    "a function of an attribute": b"cleafgrad.io.checkpoint\nos.system\n.",
    "a type called": b"cbuiltins\nlist\n)R.",
    "text called": b"X\x01\x00\x00\x00a)R.",
    "attributes of a function": b"ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.",
    "attributes of a class": b"ctorch\nTensor\n}X\x01\x00\x00\x00aK\x01sb.",
    "attributes of a list": b"]}b.",
    "INST": b"(ios\nsystem\n.",
    "OBJ": b"(cos\nsystem\no.",
    "an extension": b"\x82\x01.",
    "text persistent id": b"Pabc\n.",
    "another persistent id": b"(X\x06\x00\x00\x00modulectorch\nFloatStorage\nX\x01\x00\x00\x000X"
                             b"\x03\x00\x00\x00cpuK\x01tQ.",
    "a defaultdict that calls": b"ccollections\ndefaultdict\ncos\nsystem\n\x85R.",
    "Parameter of text": b"ctorch._utils\n_rebuild_parameter\nX\x01\x00\x00\x00a\x88}\x87R.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles(name: str) -> None:
    for options in ({}, {"weights_only": False}):
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
            torch.load(forged(HOSTILE[name]), **options)


def placed(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A pickle of a float32 tensor at a place in a storage of 4 elements."""
    storage = (b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00"
               b"cpuK\x04tQ")  # fmt: skip

    def body(value: Any) -> bytes:
        return pickle.dumps(value, protocol=2)[2:-1]

    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + body(offset) + body(size)
            + body(stride) + b"\x89}tR.")  # fmt: skip


def test_places_in_a_storage() -> None:
    memory = {"0": np.arange(4, dtype=np.float32).tobytes()}
    found = torch.load(forged(placed(1, (2,), (2,)), memory))
    assert found.tolist() == [1.0, 3.0]
    for place in [(0, (5,), (1,)), (2, (2,), (2,)), (-1, (2,), (1,)), (3, (2,), (-1,)),
                  (0, (2, 2), (1,)), (0, (2**62, 4), (2**62, 1)), (4, (), ())]:  # fmt: skip
        with pytest.raises(pickle.UnpicklingError):
            torch.load(forged(placed(*place), memory))
    with pytest.raises(pickle.UnpicklingError, match="has 8 bytes, not 16"):
        torch.load(forged(placed(0, (1,), (1,)), {"0": bytes(8)}))
    with pytest.raises(RuntimeError, match="failed locating file data/0"):
        torch.load(forged(placed(0, (1,), (1,))))


def test_damaged_files_give_clear_errors() -> None:
    whole = saved({"w": torch.arange(100.0), "names": ["a", "b"], "n": 5})
    with pytest.raises(EOFError, match="Ran out of input"):
        torch.load(io.BytesIO(b""))
    with pytest.raises(RuntimeError, match="PytorchStreamReader failed reading zip archive"):
        torch.load(io.BytesIO(b"not a checkpoint"))
    rng = random.Random(0)
    outcomes = Counter()
    for _ in range(400):
        data = bytearray(whole)
        if rng.random() < 0.5:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            torch.load(io.BytesIO(bytes(data)))
            outcomes["read"] += 1  # what was hit is padding, or a date
        except (RuntimeError, pickle.UnpicklingError, EOFError):
            outcomes["refused"] += 1
    assert outcomes["refused"] > 250, outcomes


def test_random_pickles_are_refused_or_harmless() -> None:
    """Mutations of a real pickle and random programs: an UnpicklingError, or plain values."""
    start = zipfile.ZipFile(io.BytesIO(saved(OrderedDict(w=1, s={1}, b=b"ab", d=torch.float32))))
    program = start.read("archive/data.pkl")
    rng = random.Random(1)
    called: list[Any] = []

    def find(module: str, name: str) -> Any:
        return lambda *args: called.append(name)

    table = Table(find, lambda value: False, lambda value: None)
    for _ in range(3000):
        data = bytearray(program)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(pickle.UnpicklingError):
            read(bytes(data), table, lambda id: None)
    assert not called


def test_other_devices() -> None:
    program = placed(0, (4,), (1,)).replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    memory = {"0": bytes(16)}
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        torch.load(forged(program, memory))
    for where in ("cpu", torch.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage):
        assert torch.load(forged(program, memory), map_location=where).shape == (4,)


# Files that PyTorch wrote


def test_a_file_of_pytorch() -> None:
    """tests/data/checkpoint.pt was written by PyTorch 2.13 (conformance/record_checkpoint.py)."""
    found = torch.load(DATA / "checkpoint.pt")
    x = torch.arange(6.0).reshape(2, 3)
    assert found["base"].tolist() == x.tolist() and found["turned"].tolist() == x.t().tolist()
    found["base"][0, 1] = 7
    assert found["turned"][1, 0] == 7
    for name, value in found["dtypes"].items():
        assert str(value.dtype) == name
        assert value.to(torch.float64).tolist() == [1.0, 0.0, 1.0]
    model = torch.nn.Linear(3, 2)
    model.load_state_dict(found["model"])
    torch.manual_seed(7)
    same = torch.nn.Linear(3, 2)
    assert model.weight.tolist() == same.weight.tolist()
    optimizer = torch.optim.Adam(model.parameters())
    optimizer.load_state_dict(found["optimizer"])
    assert optimizer.state[model.bias]["step"].item() == 1
    assert found["values"] == [1, 2.5, "text", None, (True, b"ab"), {1}, torch.Size([2])]


# safetensors


def test_safetensors_round_trip(tmp_path: Path) -> None:
    x = torch.arange(6.0).reshape(2, 3)
    tensors = {
        "turned": x.t(),
        "part": x[:, 1],
        "empty": torch.zeros(0, 2),
        "one": torch.tensor(2),
        "yes": torch.tensor([True, False]),
        "half": torch.ones(3, dtype=torch.float16),
    }
    safetensors.save_file(tensors, tmp_path / "a.safetensors", {"made by": "a test"})
    found = safetensors.load_file(tmp_path / "a.safetensors")
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        assert found[name].dtype is value.dtype and found[name].tolist() == value.tolist()
    assert safetensors.metadata_of(tmp_path / "a.safetensors") == {"made by": "a test"}
    found["turned"][0, 0] = 9
    assert safetensors.load_file(tmp_path / "a.safetensors")["turned"][0, 0] == 0


def test_safetensors_tied_weights_are_written_once() -> None:
    w = torch.ones(10, 10)
    data = safetensors.save({"a": w, "b": w})
    assert len(data) < 2 * w.nbytes
    found = safetensors.load(data)
    assert found["a"] is found["b"]


def header(text: str, body: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text.encode() + body


@pytest.mark.parametrize("data", [
    b"", b"abc", (2**40).to_bytes(8, "little"), header("{"), header("[]"), header('{"a": 1}'),
    header('{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}', bytes(8)),
    header('{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', bytes(3)),
    header('{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}', bytes(8)),
    header('{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}'),
    header('{"a": {"dtype": "X", "shape": [], "data_offsets": [0, 0]}}'),
    header('{"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]},'
           ' "a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}'),
    header("{}", b"more"), header("[" * 100_000),
])  # fmt: skip
def test_safetensors_damaged(data: bytes) -> None:
    with pytest.raises(safetensors.SafetensorError, match="Error while deserializing header"):
        safetensors.load(data)
