"""Write tests/data/examples.json: what the examples print, in a short form, under PyTorch."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ARGUMENTS = {
    "char_gpt": "5", "custom_function": "20", "digits": "1", "gan": "20", "gaussian_process": "10",
    "hamiltonian": "20", "lstm": "10", "maml": "10", "neural_ode": "10", "pinn": "20",
    "reinforce": "20", "vae": "1",
}  # fmt: skip


def main() -> None:
    """Run each example with PyTorch."""
    found = {}
    for name, argument in ARGUMENTS.items():
        command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), argument]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[name] = (argument, done.stdout)
    path = ROOT / "tests" / "data" / "examples.json"
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
