"""The command line: `leafgrad run`, `leafgrad demo`, `leafgrad graph`, `leafgrad explain`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="leafgrad", description="PyTorch's autograd in Python that you can read."
    )
    from . import __version__

    parser.add_argument("--version", action="version", version=f"leafgrad {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run a PyTorch script, unmodified, on leafgrad")
    run.add_argument("-m", dest="module", action="store_true", help="script names a module")
    run.add_argument("script")
    run.add_argument("args", nargs=argparse.REMAINDER)

    demo = commands.add_parser("demo", help="fit a curve and write an HTML report of it")
    demo.add_argument("-o", "--output", default="leafgrad-report.html", type=Path)
    demo.add_argument("--epochs", default=500, type=_positive)
    demo.add_argument("--seed", default=0, type=int)

    graph = commands.add_parser("graph", help="run a script and draw the graph of one tensor")
    graph.add_argument("script")
    graph.add_argument("args", nargs=argparse.REMAINDER)
    graph.add_argument("-t", "--tensor", default="loss", help="its name in the script (loss)")
    graph.add_argument("-o", "--output", type=Path,
                       help="an .html, .svg, .dot, .mmd, .json or .txt file")  # fmt: skip
    graph.add_argument("--depth", type=int,
                       help="show modules and loops below so many levels as one node")  # fmt: skip
    graph.add_argument("--hide-views", action="store_true",
                       help="leave out what only changes shape, layout or dtype")  # fmt: skip

    explain = commands.add_parser(
        "explain", help="run a script and say why a tensor's gradient is as it is, or is not there"
    )
    explain.add_argument("script")
    explain.add_argument("name", nargs="?", help="a tensor: w, model.0.weight (default: every "
                                                 "parameter without a gradient)")  # fmt: skip
    explain.add_argument("args", nargs=argparse.REMAINDER)
    explain.add_argument("-l", "--loss", help="the loss's name in the script (loss, if there)")

    given = parser.parse_args(argv)
    if given.command == "run":
        from .run import run_script

        return run_script(given.script, given.args, given.module)
    if given.command == "graph":
        return _graph(given)
    if given.command == "explain":
        return _explain(given)
    return _demo(given.output, given.epochs, given.seed)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def _progress(items: Iterable[int], count: int) -> Any:
    """The items behind a progress bar, where tqdm is installed."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return items
    return tqdm(items, total=count, desc="training", unit="epoch", file=sys.stderr)


def _demo(output: Path, epochs: int, seed: int) -> int:
    from .programs import curve
    from .see.capture import capture
    from .see.report import Moment, TrainingRun, write_report

    X, truth, y = curve.data(seed)
    every = max(1, epochs // 50)
    moments, losses, path = [], [], []
    recorded: Any = None
    bar = _progress(range(epochs), epochs)
    for epoch, loss, theta, y_pred in curve.train(X, y, bar, seed):
        now = [theta.detach().numpy().copy(), loss.item()]
        losses.append(now[1])
        path.append(now[0])
        if epoch % every == 0 or epoch == epochs - 1:
            moments.append(Moment(epoch, y_pred.detach().numpy(), now[1], {"theta": now[0]}))
            if hasattr(bar, "set_postfix"):
                bar.set_postfix(loss=f"{now[1]:.4f}")
        if epoch == 0:
            recorded = capture(loss, gradients=True)
    import numpy as np

    write_report(
        output,
        TrainingRun(
            title="Fitting a curve by gradient descent",
            x=X.numpy(),
            y=y.numpy(),
            truth=truth.numpy(),
            moments=moments,
            losses=losses,
            parameters={"theta": np.array(path)},
            true_parameters={"theta": np.array(curve.TRUE)},
            graph=recorded,
            source=Path(curve.__file__).read_text(encoding="utf-8"),
            filename=curve.__file__,
        ),
    )
    final = ", ".join(f"{v:.4f}" for v in path[-1])
    print(f"theta = [{final}] (true: {list(curve.TRUE)}), loss {losses[-1]:.4f}")
    print(f"report: {output.resolve()}")
    return 0


def _names_of(given: Any) -> dict[str, Any]:
    """Run a script as `leafgrad run` does; what its names stand for at the end."""
    import runpy

    from .run import as_torch

    as_torch()
    sys.argv = [given.script, *given.args]
    sys.path.insert(0, str(Path(given.script).resolve().parent))
    return runpy.run_path(given.script, run_name="__main__")


def _explain(given: Any) -> int:
    from . import explain
    from .graph.engine import Keeping
    from .tensor import Tensor

    Keeping.always = True  # what a backward pass frees could not be explained
    names = _names_of(given)
    found: dict[str, Tensor] = {}
    for name, value in names.items():
        if isinstance(value, Tensor):
            found[name] = value
        elif hasattr(value, "named_parameters") and not isinstance(value, type):
            found.update((f"{name}.{path}", p) for path, p in value.named_parameters())
    loss = found.get(given.loss or "loss")
    if given.name is None:
        wanted = {n: t for n, t in found.items()
                  if t.requires_grad and t.is_leaf and t.grad is None}  # fmt: skip
        if not wanted:
            print("every leaf that requires grad has a gradient")
            return 0
    else:
        wanted = {given.name: found[given.name]} if given.name in found else {}
    if not wanted or (loss is None and given.loss):
        missing = given.name if not wanted else given.loss
        print(f"leafgrad explain: {given.script} leaves no tensor named {missing!r}; it has "
              f"{', '.join(sorted(found)) or 'none'}", file=sys.stderr)  # fmt: skip
        return 1
    for tensor in wanted.values():
        against = loss if loss is not tensor else None
        print(explain(tensor, loss=against, names=found))
    return 0


def _graph(given: Any) -> int:
    from .see.capture import capture
    from .see.listen import before_backward
    from .see.snapshot import Graph
    from .tensor import Tensor

    # A training goes on to change what its graph was recorded with, and frees it: the graph of the
    # first backward pass is drawn as it was then.
    seen: list[Graph] = []
    tries = iter(range(20))

    def watch(root: Tensor) -> None:
        if not seen and next(tries, None) is not None:
            graph = capture(root, gradients=True)
            if graph.nodes[-1].name == given.tensor:
                seen.append(graph)

    with before_backward(watch):
        names = _names_of(given)
    tensor = names.get(given.tensor)
    if not isinstance(tensor, Tensor):
        have = sorted(n for n, v in names.items() if isinstance(v, Tensor))
        print(f"leafgrad graph: {given.script} leaves no tensor named {given.tensor!r}; it has "
              f"{', '.join(have) or 'none'} (choose one with -t)", file=sys.stderr)  # fmt: skip
        return 1
    graph = seen[0] if seen else capture(tensor, gradients=tensor.requires_grad)
    if given.hide_views:
        graph = graph.without_views()
    if given.depth is not None:
        graph = graph.folded(given.depth)
    if given.output is None:
        print(graph)
        return 0
    writers = {".html": Graph.to_html, ".svg": Graph.to_svg, ".dot": Graph.to_dot,
               ".mmd": Graph.to_mermaid, ".txt": Graph.to_text, ".json": Graph.to_json}  # fmt: skip
    writer = writers.get(given.output.suffix)
    if writer is None:
        print(f"leafgrad graph: cannot write {given.output.suffix or 'a file without suffix'}; "
              f"choose one of {', '.join(writers)}", file=sys.stderr)  # fmt: skip
        return 2
    given.output.write_text(writer(graph), encoding="utf-8")
    print(f"graph: {given.output.resolve()}")
    return 0
