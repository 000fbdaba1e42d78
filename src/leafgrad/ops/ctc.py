"""Connectionist temporal classification (Graves et al.): the probability that frames spell a
sequence of labels, summed over all alignments, with blanks between and repeats allowed.

The sums run over the labels with a blank before and after each. `forward` sums over what comes up
to a frame, `backward` over what comes from it on; all in logarithms, over the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.operator import op
from ..graph.quiet import quietly
from ..graph.source import fail
from ..tensor import Tensor
from .activations import floating
from .arithmetic import without_derivative

__all__ = ["ctc_loss"]


def _expanded(targets: Any, blank: int) -> tuple[Any, Any]:
    """The labels with blanks around: i[n, s] -> i[n, 2 s + 1]; and where a blank may be skipped."""
    n, s = targets.shape
    labels = np.full((n, 2 * s + 1), blank, np.int64)
    labels[:, 1::2] = targets
    skip = np.zeros(labels.shape, bool)
    skip[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    return labels, skip


def _at_labels(log_probs: Any, labels: Any) -> Any:
    """The log-probability of each label in each frame: f[t, n, c], i[n, l] -> f[t, n, l]. In double
    precision: the sums over many frames lose half the digits."""
    places = np.broadcast_to(labels, (log_probs.shape[0], *labels.shape))
    return np.take_along_axis(log_probs, places, 2).astype(np.float64)


def _shifted(x: Any, by: int) -> Any:
    """What stands `by` places before; nothing (log 0) where there is none."""
    made = np.full_like(x, -np.inf)
    if by > 0:
        made[:, by:] = x[:, :-by]
    else:
        made[:, :by] = x[:, -by:]
    return made


def _sums_before(at: Any, skip: Any) -> Any:
    """Over all ways to be at a label in a frame: f[t, n, l]."""
    sums = np.full_like(at, -np.inf)
    sums[0, :, :2] = at[0, :, :2]
    for t in range(1, len(at)):
        last = sums[t - 1]
        jumped = np.where(skip, _shifted(last, 2), -np.inf)
        sums[t] = np.logaddexp(np.logaddexp(last, _shifted(last, 1)), jumped) + at[t]
    return sums


def _sums_after(at: Any, skip: Any, frames: Any, ends: Any) -> Any:
    """Over all ways to go on from a label in a frame to the end: f[t, n, l]."""
    sums = np.full_like(at, -np.inf)
    later = np.full_like(at[0], -np.inf)
    ahead = np.zeros_like(skip)
    ahead[:, :-2] = skip[:, 2:]
    for t in range(len(at) - 1, -1, -1):
        jumped = np.where(ahead, _shifted(later, -2), -np.inf)
        going = np.logaddexp(np.logaddexp(later, _shifted(later, -1)), jumped)
        last = (frames == t + 1)[:, None]
        later = np.where(last, np.where(ends, 0, -np.inf), going) + at[t]
        sums[t] = later
    return sums


def _ends(labels: Any, lengths: Any) -> Any:
    """Where a way may end: at the last label, or the blank after it."""
    places = np.arange(labels.shape[1])
    return (places == 2 * lengths[:, None]) | (places == 2 * lengths[:, None] - 1)


def _losses(before: Any, frames: Any, ends: Any) -> Any:
    """Minus the log-probability of each sequence."""
    last = np.take_along_axis(before, np.maximum(frames - 1, 0)[None, :, None], 0)[0]
    found = np.logaddexp.reduce(np.where(ends, last, -np.inf), axis=1)
    return -found


def _check_kind(log_probs: Any) -> None:
    floating("ctc_loss_cpu", "f" if log_probs.dtype.itemsize > 2 else "")(log_probs)


@op(name="ctc_loss", node="CtcLossBackward0", check=_check_kind)
@quietly
def _ctc_loss(log_probs, /, targets, frames, lengths, blank, zero_infinity):
    """The negative log-likelihood of each sequence: f[t, n, c] -> f[n].

    targets: i[n, s]; frames, lengths: how many of the input and of the targets count
    """
    labels, skip = _expanded(targets, blank)
    ends = _ends(labels, lengths)
    found = _losses(_sums_before(_at_labels(log_probs, labels), skip), frames, ends)
    # No frames spell no labels, for certain.
    found = np.where(frames == 0, np.where(lengths == 0, 0, np.inf), found)
    found = found.astype(log_probs.dtype)
    return np.where(found == np.inf, 0, found).astype(found.dtype) if zero_infinity else found


@op(name="_ctc_loss_backward")
@quietly
def _ctc_gradient(grad, log_probs, /, targets, frames, lengths, blank, zero_infinity):
    """PyTorch's gradient: that of the log-probabilities if they come from `log_softmax`."""
    labels, skip = _expanded(targets, blank)
    ends = _ends(labels, lengths)
    at = _at_labels(log_probs, labels)
    before = _sums_before(at, skip)
    losses = _losses(before, frames, ends)
    joint = before + _sums_after(at, skip, frames, ends) - at + losses[:, None]
    shares = np.where(np.isnan(joint) & np.isfinite(losses)[:, None], 0, np.exp(joint))
    t, n, c = log_probs.shape
    places = (np.arange(t * n) * c).reshape(t, n, 1) + labels
    taken = np.bincount(places.ravel(), shares.ravel(), t * n * c).reshape(t, n, c)
    found = (np.exp(log_probs.astype(np.float64)) - taken) * grad[:, None]
    impossible = np.isinf(losses)
    found[:, impossible] = 0 if zero_infinity else np.nan
    counted = np.arange(t)[:, None] < frames
    return np.where(counted[..., None], found, 0).astype(grad.dtype)


without_derivative(_ctc_gradient)
_ctc_loss.vjp(
    log_probs=lambda g, log_probs, targets, frames, lengths, blank, zero_infinity: _ctc_gradient(
        g, log_probs, targets, frames, lengths, blank, zero_infinity
    )
)


def _lengths(name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        if value.dtype.category != 1:
            fail(RuntimeError, f"{name} must be integral")
        return value._array.reshape(-1).astype(np.int64)
    if not all(isinstance(n, int) for n in value):
        fail(TypeError, "ctc_loss() received an invalid combination of arguments - got (Tensor, "
                        "Tensor, tuple, tuple, int, int, bool), but expected one of:\n * (Tensor "
                        "log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, "
                        "...)")  # fmt: skip
    return np.array(value, np.int64).reshape(-1)


_WHILE = "(while checking arguments for ctc_loss_allocate_outputs)"


def _padded_targets(targets: Any, lengths: Any, classes: int) -> Any:
    """The targets as i[n, s], whether given so or one after the other."""
    array = targets._array.astype(np.int64)
    longest = int(lengths.max(initial=0))
    if array.ndim not in (1, 2):
        fail(RuntimeError, f"Expected 1 to 2 dimensions, but got {array.ndim}-dimensional tensor "
                           f"for argument #2 'targets' {_WHILE}")  # fmt: skip
    if array.ndim == 1:
        if array.size != lengths.sum():
            fail(RuntimeError, f"Expected tensor to have size {lengths.sum()} at dimension 0, but "
                               f"got size {array.size} for argument #2 'targets' "
                               f"{_WHILE}")  # fmt: skip
        made = np.zeros((len(lengths), longest), np.int64)
        made[np.arange(longest) < lengths[:, None]] = array
        array = made
    elif array.shape[1] < longest:
        fail(RuntimeError, f"Expected tensor to have size at least {longest} at dimension 1, but "
                           f"got size {array.shape[1]} for argument #2 'targets' "
                           f"{_WHILE}")  # fmt: skip
    counted = np.arange(array.shape[1]) < lengths[:, None]
    if (counted & ((array < 0) | (array >= classes))).any():
        fail(RuntimeError, "targets must be in label range", f"which is 0 to {classes - 1}")
    return np.where(counted, array, 0)[:, :longest]


def ctc_loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: int = 0, zero_infinity: bool = False) -> Any:  # fmt: skip
    """The negative log-likelihood of labels given frames; see `nn.functional.ctc_loss`.

    reduction: 0 for none, 1 for the mean, 2 for the sum
    """
    frames = _lengths("input_lengths", input_lengths)
    lengths = _lengths("target_lengths", target_lengths)
    batched = log_probs.ndim == 3 or targets.ndim > 1
    scores = log_probs if log_probs.ndim != 2 else log_probs.unsqueeze(1)
    if scores.ndim != 3:
        fail(RuntimeError, "Expected 3-dimensional tensor, but got "
                           f"{scores.ndim + (not batched) + batched}-dimensional tensor for "
                           f"argument #1 'log_probs' {_WHILE}")  # fmt: skip
    time, batch, classes = scores.shape
    if not scores.numel():
        fail(RuntimeError, "log_probs tensor must not be empty")
    if not 0 <= blank < classes:
        fail(RuntimeError, "blank must be in label range")
    for name, values in (("input_lengths", frames), ("target_lengths", lengths)):
        if len(values) != batch:
            fail(RuntimeError, f"{name} must be of size batch_size")
    for name, values in (("input_lengths", frames), ("target_lengths", lengths)):
        if (values < 0).any():
            least = values[values < 0][0]
            fail(RuntimeError, f"Expected {name} to have value at least 0, but got value {least} "
                               f"{_WHILE}")  # fmt: skip
    if (frames > time).any():
        most = frames[frames > time][0]
        fail(RuntimeError, f"Expected input_lengths to have value at most {time}, but got value "
                           f"{most} {_WHILE}")  # fmt: skip
    table = _padded_targets(targets, lengths, classes)
    found = _ctc_loss(scores, table, frames, lengths, blank, bool(zero_infinity))
    if reduction == 1:
        counts = scores.new_tensor(np.maximum(lengths, 1).tolist())
        return (found / counts).mean()
    if reduction == 2:
        return found.sum()
    return found.squeeze(0) if log_probs.ndim == 2 else found


def reduced(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int,
            reduction: str, zero_infinity: bool) -> Any:  # fmt: skip
    """`nn.functional.ctc_loss`."""
    kinds: Sequence[str] = ("none", "mean", "sum")
    if reduction not in kinds:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return ctc_loss(log_probs, targets, input_lengths, target_lengths, blank,
                    kinds.index(reduction), zero_infinity)  # fmt: skip
