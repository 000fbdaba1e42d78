"""The command line: unmodified PyTorch scripts, the demo, drawings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def leafgrad(*args, cwd=None):
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}
    return subprocess.run([sys.executable, "-m", "leafgrad", *args], cwd=cwd, env=env,
                          capture_output=True, text=True, timeout=300)  # fmt: skip


def script(tmp_path, text, name="script.py"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_the_linear_neuron_gives_pytorchs_numbers():
    done = leafgrad("run", str(ROOT / "examples" / "linear_neuron.py"))
    assert done.returncode == 0, done.stderr
    expected = (ROOT / "tests" / "data" / "linear_neuron.txt").read_text()
    import re

    hide = re.compile(r" object at 0x[0-9a-f]+")
    assert hide.sub("", done.stdout) == hide.sub("", expected)


def test_the_curve_fit_gives_pytorchs_numbers(tmp_path):
    pytest.importorskip("plotly")
    done = leafgrad("run", str(ROOT / "examples" / "curve_fit.py"), "500", "--no-html",
                    cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "tests" / "data" / "curve_fit.txt").read_text()


def test_torch_means_leafgrad_in_every_form(tmp_path):
    path = script(
        tmp_path,
        """
import sys
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.utils.data
from torch import nn as nn2, optim
from torch.autograd import Function, Variable
from torch.nn.functional import relu
from torch.utils.data import DataLoader
import leafgrad
assert torch is leafgrad and nn is nn2 is leafgrad.nn and F is leafgrad.nn.functional
assert torch.nn.functional.relu is relu
assert sys.argv[1:] == ["--epochs", "3"] and __name__ == "__main__"
assert not any("site-packages/torch/" in (getattr(m, "__file__", "") or "")
               for m in sys.modules.values())
print("fine")
""",
    )
    done = leafgrad("run", path, "--epochs", "3")
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


def test_a_missing_name_is_named(tmp_path):
    done = leafgrad("run", script(tmp_path, "import torch\ntorch.flux_capacitor(3)\n"))
    assert done.returncode == 1
    assert "module 'torch' has no attribute 'flux_capacitor'" in done.stderr
    assert 'script.py", line 2' in done.stderr
    assert "runpy" not in done.stderr
    done = leafgrad("run", script(tmp_path, "import torch.flux\n"))
    assert "No module named 'torch.flux'" in done.stderr


def test_exit_status_and_missing_file(tmp_path):
    assert leafgrad("run", script(tmp_path, "raise SystemExit(7)\n")).returncode == 7
    assert leafgrad("run", str(tmp_path / "nowhere.py")).returncode == 2


def test_demo_writes_a_report(tmp_path):
    done = leafgrad("demo", "--epochs", "40", "-o", "r.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "theta = [" in done.stdout and str(tmp_path / "r.html") in done.stdout
    page = (tmp_path / "r.html").read_text()
    assert len(page) < 1_500_000
    assert "theta[0] * X" in page and "<script" in page


def test_graph_draws_a_scripts_tensor(tmp_path):
    path = script(
        tmp_path,
        """
import torch
w = torch.ones(3, requires_grad=True)
loss = (w * 2.0).sum()
""",
    )
    done = leafgrad("graph", path)
    assert done.returncode == 0, done.stderr
    assert "w * 2.0" in done.stdout
    done = leafgrad("graph", path, cwd=tmp_path)
    assert leafgrad("graph", "-o", "g.svg", path, cwd=tmp_path).returncode == 0
    assert (tmp_path / "g.svg").read_text().lstrip().startswith("<svg")
    wrong = leafgrad("graph", "-t", "nothing", path)
    assert wrong.returncode == 1 and "it has loss, w" in wrong.stderr
