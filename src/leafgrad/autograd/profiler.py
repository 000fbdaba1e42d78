"""torch.autograd.profiler: the older face of `torch.profiler`."""

from __future__ import annotations

from typing import Any

from ..profiler.events import EventList, FunctionEvent, FunctionEventAvg
from ..profiler.recorder import Recorder
from ..profiler.session import record_function

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "emit_itt", "emit_nvtx", "profile",
           "record_function"]  # fmt: skip


class profile:
    """Record operators and derivatives in a `with` block; then ask for `key_averages()`, `table()`,
    `export_chrome_trace(path)`. Arguments for other devices are accepted."""

    def __init__(self, enabled: bool = True, *, use_cuda: bool = False, use_device: Any = None,
                 record_shapes: bool = False, with_flops: bool = False,
                 profile_memory: bool = False, with_stack: bool = False,
                 with_modules: bool = False, use_kineto: bool = False, use_cpu: bool = True,
                 experimental_config: Any = None, acc_events: bool = False,
                 custom_trace_id_callback: Any = None) -> None:  # fmt: skip
        self.enabled, self.record_shapes = enabled, record_shapes
        self.profile_memory, self.with_stack = profile_memory, with_stack
        self.function_events: EventList | None = None
        self._recorder: Recorder | None = None
        self.entered = False

    def __enter__(self) -> profile | None:
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self.entered = True
        self._recorder = Recorder(self.record_shapes, self.profile_memory)
        self._recorder.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._recorder is not None:
            self._recorder.stop()
            self.function_events = EventList(self._recorder.events, self.profile_memory)

    def _found(self) -> EventList:
        if self.function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self.function_events

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all."""
        return self._found().self_cpu_time_total

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0,
                     group_by_overload_name: bool = False) -> EventList:  # fmt: skip
        """Events of one name added up."""
        return self._found().key_averages(group_by_input_shape, group_by_stack_n)

    def total_average(self) -> FunctionEventAvg:
        """All events added up."""
        return self._found().total_average()

    def table(self, *args: Any, **kwargs: Any) -> str:
        """The events as a text table."""
        return self._found().table(*args, **kwargs)

    def export_chrome_trace(self, path: str) -> None:
        """Write a trace for chrome://tracing or Perfetto."""
        self._found().export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write places and times for a flame graph."""
        self._found().export_stacks(path, metric)

    def __repr__(self) -> str:
        if self.function_events is None:
            return "<unfinished torch.autograd.profile>"
        return repr(self.function_events)

    def __str__(self) -> str:
        if self.function_events is None:
            return "<unfinished torch.autograd.profile>"
        return self.function_events.table()


class _Emit:
    """A `with` block in which nothing more happens: there is no such tracer on the CPU."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled

    def __enter__(self) -> _Emit:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


class emit_nvtx(_Emit):
    """Accepted: marks for NVIDIA's profiler."""


class emit_itt(_Emit):
    """Accepted: marks for Intel's profiler."""
