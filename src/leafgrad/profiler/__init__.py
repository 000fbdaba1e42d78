"""torch.profiler: where the time of operators goes, forward and backward, by line of the program.

events     what is recorded: events, their averages, the table, the trace
recorder   the transform that operators and the engine report to while a profile runs
session    profile, schedule, record_function
"""

from __future__ import annotations

from .session import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)

__all__ = ["ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule",
           "supported_activities", "tensorboard_trace_handler"]  # fmt: skip
