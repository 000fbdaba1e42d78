"""Every configuration of every optimizer that PyTorch's own tests list, for 20 steps in both
libraries: parameters and states equal to 1e-6.

    python conformance/optimizers.py

In float64 both train the same small network. In float32 both get the gradients that PyTorch
computed, for an optimizer that divides by a difference of nearly equal numbers enlarges the
rounding of its gradients; LBFGS, which decides by comparing them, is compared in float64 only.

The exit code is the number of configurations that differ. Needs torch.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch.testing._internal.common_optimizers import optim_db

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import leafgrad

STEPS, TOLERANCE = 20, 1e-6
# Switches of how a step is computed; `differentiable` is refused, see docs/differences.md.
SWITCHES: tuple[dict[str, Any], ...] = ({}, {"foreach": False}, {"foreach": True}, {"fused": True})


def problem(library: Any, dtype: str, matrices: bool) -> tuple[Any, Any]:
    """Parameters, and their loss: a small network on fixed data, smooth and not convex."""
    kind = getattr(library, dtype)

    def made(*shape: int) -> Any:
        size = 1
        for n in shape:
            size *= n
        numbers = [((7 * i * i + 3 * i) % 23 - 11) / 11 for i in range(1, size + 1)]
        return library.tensor(numbers, dtype=kind).reshape(shape)

    shapes = [(5, 3), (2, 5)] if matrices else [(5, 3), (5,), (2, 5), (2,), ()]
    params = [library.nn.Parameter(made(*shape)) for shape in shapes]
    x, y = made(6, 3), made(6, 2).flip(0)

    def loss() -> Any:
        if matrices:
            out = library.tanh(x @ params[0].T) @ params[1].T
        else:
            out = library.tanh(x @ params[0].T + params[1]) @ params[2].T + params[3] * params[4]
        return ((out - y) ** 2).mean()

    return params, loss


def trained(library: Any, name: str, kwargs: dict[str, Any], dtype: str,
            gradients: list[Any] | None) -> tuple[Any, Any]:  # fmt: skip
    """The parameters and the states after 20 steps, as float64 lists.

    gradients: of each step, those to use; or PyTorch's, to be noted
    """
    params, loss = problem(library, dtype, name == "Muon")
    given = {k: library.tensor(v.item()) if isinstance(v, torch.Tensor) else v
             for k, v in kwargs.items()}  # fmt: skip
    optimizer = getattr(library.optim, name)(params, **given)

    def closure() -> Any:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for step in range(STEPS):
        if gradients is None:
            optimizer.step(closure)
            continue
        if library is torch:
            closure()
            gradients.append([p.grad.tolist() for p in params])
        for p, g in zip(params, gradients[step], strict=True):
            p.grad = library.tensor(g, dtype=p.dtype)
        optimizer.step()
    states = []
    for key, state in optimizer.state_dict()["state"].items():
        for part, value in sorted(state.items()):
            if isinstance(value, (library.Tensor, int, float)):
                states.append(((key, part), numbers_of(value)))
    return [numbers_of(p) for p in params], states


def numbers_of(value: Any) -> list[float]:
    if isinstance(value, (int, float)):
        return [float(value)]
    return [float(v) for v in value.detach().double().flatten().tolist()]


def differ(ours: list[float], theirs: list[float]) -> float:
    """The largest difference, relative where numbers are larger than one."""
    if len(ours) != len(theirs):
        return float("inf")
    return max((abs(a - b) / max(1.0, abs(b)) for a, b in zip(ours, theirs, strict=True)),
               default=0.0)  # fmt: skip


def outcome(*args: Any) -> Any:
    """What training came to, or the error, its sentence only."""
    try:
        return trained(*args)
    except (RuntimeError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def main() -> int:
    failures = total = raised = 0
    worst: dict[str, float] = {}
    for info in optim_db:
        name = info.optim_cls.__name__
        for item in info.optim_inputs_func(device="cpu"):
            for switch in SWITCHES:
                kind = next(iter(switch), None)
                if kind is not None and kind not in info.supported_impls:
                    continue
                kwargs = {**item.kwargs, **switch}
                for dtype in ("float64", "float32"):
                    if dtype == "float32" and name == "LBFGS":
                        continue
                    total += 1
                    gradients: list[Any] | None = [] if dtype == "float32" else None
                    theirs = outcome(torch, name, kwargs, dtype, gradients)
                    ours = outcome(leafgrad, name, kwargs, dtype, gradients)
                    where = f"{name} {kwargs} {dtype}"
                    if isinstance(theirs, str) or isinstance(ours, str):
                        raised += 1
                        if ours != theirs:
                            failures += 1
                            print(f"{where}\n    ours   {ours}\n    theirs {theirs}")
                        continue
                    wrong = max(map(differ, ours[0], theirs[0]))
                    keys = [key for key, _ in ours[1]] != [key for key, _ in theirs[1]]
                    if not keys:
                        wrong = max([wrong, *(differ(a, b) for (_, a), (_, b)
                                              in zip(ours[1], theirs[1], strict=True))])  # fmt: skip
                    worst[name] = max(worst.get(name, 0.0), wrong)
                    if keys or not wrong <= TOLERANCE:
                        failures += 1
                        print(f"{where}: {'other states' if keys else f'differs by {wrong:.2g}'}")
    for name, wrong in sorted(worst.items()):
        print(f"{name:12} largest difference {wrong:.1e}")
    print(f"{total} configurations of {len(optim_db)} optimizers, {raised} that raise in both or "
          f"either, {failures} that differ")  # fmt: skip
    return failures


if __name__ == "__main__":
    sys.exit(main())
