"""SummaryWriter: tensorboardX's, which gets the arrays of tensors. It writes event files that
TensorBoard reads."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor

try:
    import tensorboardX as _tensorboardX
except ModuleNotFoundError as missing:
    if missing.name != "tensorboardX":
        raise
    raise ModuleNotFoundError(
        "torch.utils.tensorboard needs the package tensorboardX: pip install tensorboardX",
        name="tensorboardX",
    ) from None

__all__ = ["SummaryWriter"]


def _plain(value: Any) -> Any:
    """Tensors as arrays, in containers too."""
    if isinstance(value, Tensor):
        wide = value.detach().float() if value.dtype.itemsize == 2 else value.detach()
        return wide.numpy()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(v) for v in value)
    return value


class SummaryWriter(_tensorboardX.SummaryWriter):  # type: ignore[misc]
    """Writes scalars, histograms, images... to a directory for TensorBoard.

        with SummaryWriter("runs/first") as writer:
            writer.add_scalar("loss", loss, step)

    All of tensorboardX's methods; tensors may stand wherever arrays may. `add_graph` is not among
    them: `leafgrad.graph(loss)` draws graphs.
    """

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("add_") or not callable(found):
            return found

        def add(*args: Any, **kwargs: Any) -> Any:
            return found(*map(_plain, args), **_plain(kwargs))

        return add

    def add_graph(self, *args: Any, **kwargs: Any) -> None:
        """NotImplementedError: use `leafgrad.graph`."""
        raise NotImplementedError(
            "SummaryWriter.add_graph: leafgrad does not write graphs for TensorBoard\n"
            "  to do: print(leafgrad.graph(loss)) or leafgrad.graph(loss).to_html('graph.html')"
        )
