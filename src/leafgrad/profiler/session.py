"""profile, schedule, record_function: PyTorch's ways to say what is recorded, and when."""

from __future__ import annotations

import enum
import functools
import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from .events import EventList
from .recorder import Recorder, recorders


class ProfilerActivity(enum.Enum):
    """What can be recorded. Here everything is on the CPU; the others are accepted."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(enum.Enum):
    """What a profile does during a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    """What is recorded: the CPU."""
    return {ProfilerActivity.CPU}


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
             skip_first_wait: int = 0) -> Callable[[int], ProfilerAction]:  # fmt: skip
    """A plan by steps: after `skip_first` of them, `wait` idle, `warmup` not kept, `active`
    recorded; again and again, or `repeat` times. `skip_first_wait=1` leaves out the first wait."""
    if wait < 0 or warmup < 0 or active <= 0 or repeat < 0 or skip_first < 0:
        raise AssertionError("Invalid profiler schedule arguments")
    if warmup == 0:
        warnings.warn("Profiler won't be using warmup, this can skew profiler results",
                      stacklevel=2)  # fmt: skip
    length = wait + warmup + active

    def plan(step: int) -> ProfilerAction:
        assert step >= 0
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        if repeat and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return plan


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None,
                              use_gzip: bool = False) -> Callable[[Any], None]:  # fmt: skip
    """For `on_trace_ready`: write every trace to a file of its own in a folder."""

    def handler(prof: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handler


class record_function:
    """A named range of a profile: for a `with` block, or a decorated function."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args
        self._ends: list[Any] = []

    def __enter__(self) -> record_function:
        self._ends = [r.range(self.name) for r in recorders()]
        return self

    def __exit__(self, *exc: object) -> None:
        for end in self._ends:
            end()

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return function(*args, **kwargs)

        return wrapped


class profile:
    """Record operators, derivatives and named ranges, with times; also their shapes
    (`record_shapes`), memory (`profile_memory`), and places in the program (`with_stack`).

    with profile(record_shapes=True) as prof:
        model(x).sum().backward()
    print(prof.key_averages().table(sort_by="self_cpu_time_total"))

    schedule: what to do at every step, told by `prof.step()` (see `schedule`); without one all is
    recorded; on_trace_ready: called with the profile when a recording is complete
    Arguments for other devices, and what is not recorded here (flops, modules), are accepted.
    """

    def __init__(self, *, activities: Iterable[ProfilerActivity] | None = None,
                 schedule: Callable[[int], ProfilerAction] | None = None,
                 on_trace_ready: Callable[[Any], Any] | None = None, record_shapes: bool = False,
                 profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
                 with_modules: bool = False, experimental_config: Any = None,
                 execution_trace_observer: Any = None, acc_events: bool = False,
                 use_cuda: bool | None = None,
                 custom_trace_id_callback: Any = None) -> None:  # fmt: skip
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self._scheduled = schedule is not None
        self.on_trace_ready = on_trace_ready
        self.record_shapes, self.profile_memory = record_shapes, profile_memory
        self.with_stack = with_stack
        self.step_num = 0
        self.current_action = self.schedule(0)
        self._recorder: Recorder | None = None
        self._step: Any = None
        self._events: EventList | None = None
        self._notes: dict[str, Any] = {}

    # When

    def start(self) -> None:
        """Begin; the same as entering a `with` block."""
        self._act(self.current_action)

    def stop(self) -> None:
        """End: what was recorded is complete."""
        if self._recorder is not None:
            self._finish()

    def step(self) -> None:
        """The next step of the schedule begins."""
        before = self.current_action
        self.step_num += 1
        self.current_action = after = self.schedule(self.step_num)
        if self._step is not None and self._recorder is not None:
            self._recorder.close(self._step)
        if before is ProfilerAction.RECORD_AND_SAVE:
            self._finish()
        elif before is ProfilerAction.RECORD and after not in _RECORDING:
            warnings.warn(f"Incorrect schedule: RECORD followed by {after.name}", stacklevel=2)
            self._finish()
        self._act(after)

    def _act(self, action: ProfilerAction) -> None:
        if action in _RECORDING and self._recorder is None:
            self._recorder = Recorder(self.record_shapes, self.profile_memory)
            self._recorder.start()
        if self._recorder is not None and self._scheduled:
            self._step = self._recorder.open(f"ProfilerStep#{self.step_num}")

    def _finish(self) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        recorder.stop()
        self._recorder = self._step = None
        self._events = EventList(recorder.events, self.profile_memory)
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # What

    def events(self) -> EventList:
        """All events, in the order in which they began."""
        if self._events is None:
            raise AssertionError("Profiler is not initialized: nothing has been recorded yet")
        return self._events

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0,
                     group_by_overload_name: bool = False) -> EventList:  # fmt: skip
        """Events of one name added up; those of other shapes, or at other places in the program
        (`group_by_stack_n=1`), apart if asked for."""
        return self.events().key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path: str) -> None:
        """Write a trace for chrome://tracing or Perfetto."""
        self.events().export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write places and times for a flame graph."""
        self.events().export_stacks(path, metric)

    def add_metadata(self, key: str, value: str) -> None:
        """Keep a note with the profile."""
        self._notes[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Keep a note that is JSON with the profile."""
        self._notes[key] = json.loads(value)


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
