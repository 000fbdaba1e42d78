"""The profiler: which events there are, how they nest and add up, tables and traces. No times."""

import gzip
import json

import pytest

import leafgrad as torch
from leafgrad import nn
from leafgrad.graph import modes
from leafgrad.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)


def step():
    x = torch.ones(4, 3)
    w = torch.ones(3, 2, requires_grad=True)
    with record_function("forward"):
        loss = torch.tanh(x @ w).sum()
    loss.backward()
    return w


def names(prof):
    return [e.name for e in prof.events()]


def test_operators_derivatives_and_ranges_are_recorded_in_order():
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        w = step()
    assert names(prof) == [
        "forward", "aten::mm", "aten::tanh", "aten::sum", "SumBackward0", "TanhBackward0",
        "MmBackward0", "torch::autograd::AccumulateGrad",
    ]  # fmt: skip
    by_name = {e.name: e for e in prof.events()}
    inside = by_name["forward"]
    assert [e.name for e in inside.cpu_children] == ["aten::mm", "aten::tanh", "aten::sum"]
    assert by_name["aten::mm"].cpu_parent is inside
    assert by_name["aten::mm"].input_shapes == [[4, 3], [3, 2]]
    assert by_name["MmBackward0"].input_shapes == [[4, 2]]
    assert str(by_name["MmBackward0"].source).startswith("`x @ w` (test_profiler.py")
    assert w.grad is not None and modes.current() is modes.ON


def test_leaves_with_hooks_are_recorded_too():
    w = torch.ones(2, requires_grad=True)
    seen = []
    handle = w.register_hook(seen.append)
    with profile() as prof:
        (w * 2.0).sum().backward()
    handle.remove()
    assert len(seen) == 1
    assert names(prof)[-1] == "torch::autograd::AccumulateGrad"


def test_results_are_those_without_a_profile():
    plain = step().grad.tolist()
    with profile():
        assert step().grad.tolist() == plain


def test_times_nest_and_add_up():
    with profile() as prof:
        step()
        step()
    for event in prof.events():
        assert 0 <= event.time_range.start <= event.time_range.end
        for child in event.cpu_children:
            assert event.time_range.start <= child.time_range.start
            assert child.time_range.end <= event.time_range.end
    averages = prof.key_averages()
    counts = {e.key: e.count for e in averages}
    assert counts["aten::tanh"] == counts["forward"] == counts["SumBackward0"] == 2
    top = sum(e.cpu_time_total for e in prof.events() if e.cpu_parent is None)
    assert averages.self_cpu_time_total == pytest.approx(top)
    assert averages.total_average().count == len(prof.events())
    one = next(e for e in averages if e.key == "aten::tanh")
    assert one.cpu_time == pytest.approx(one.cpu_time_total / 2)


def test_grouping_by_shape_and_by_place():
    with profile(record_shapes=True) as prof:
        a, b = torch.ones(2), torch.ones(3)
        a * a
        b * b
        b * b
    by_shape = prof.key_averages(group_by_input_shape=True)
    counts = {str(e.input_shapes): e.count for e in by_shape if e.key == "aten::mul"}
    assert counts == {"[[2], [2]]": 1, "[[3], [3]]": 2}
    by_place = [e for e in prof.key_averages(group_by_stack_n=1) if e.key == "aten::mul"]
    assert [e.count for e in by_place] == [1, 1, 1]
    assert by_place[0].stack[0].endswith(": a * a")
    assert [e.count for e in prof.key_averages() if e.key == "aten::mul"] == [3]


def test_the_table():
    with profile(record_shapes=True, profile_memory=True) as prof:
        step()
        step()
    lines = prof.key_averages().table(sort_by="count", row_limit=3).splitlines()
    assert lines[1].split("  ")[-1].strip() == "# of Calls"
    for column in ("Name", "Self CPU %", "CPU total %", "CPU time avg", "CPU Mem"):
        assert column in lines[1]
    assert set(lines[0]) == {"-", " "} == set(lines[2]) == set(lines[6])
    assert lines[7].startswith("Self CPU time total: ")
    assert len(lines) == 8
    shares = prof.key_averages().table().splitlines()[3:-2]
    total = sum(float(line.split("%")[0].split()[-1]) for line in shares)
    assert total == pytest.approx(100.0, abs=0.2)
    assert "Input Shapes" in prof.key_averages(group_by_input_shape=True).table()
    assert "Source Location" in prof.key_averages(group_by_stack_n=1).table()
    with pytest.raises(AttributeError):
        prof.key_averages().table(sort_by="beauty")


def test_memory_is_that_of_results():
    with profile(profile_memory=True) as prof:
        x = torch.ones(1000)
        x * 2.0
        x.view(10, 100)
    memory = {e.key: e.self_cpu_memory_usage for e in prof.key_averages()}
    assert memory["aten::mul"] == 4000 and memory["aten::view"] == 0


def test_chrome_trace(tmp_path):
    with profile(record_shapes=True) as prof:
        step()
    path = tmp_path / "trace.json"
    prof.export_chrome_trace(str(path))
    trace = json.loads(path.read_text())
    assert [e["name"] for e in trace["traceEvents"]] == names(prof)
    matrix = next(e for e in trace["traceEvents"] if e["name"] == "aten::mm")
    assert matrix["ph"] == "X" and matrix["cat"] == "cpu_op" and matrix["dur"] >= 0
    assert matrix["args"]["Input Dims"] == [[4, 3], [3, 2]]
    assert matrix["args"]["Source"].startswith("`x @ w`")
    assert {e["cat"] for e in trace["traceEvents"]} == {"cpu_op", "user_annotation"}
    prof.export_chrome_trace(str(tmp_path / "trace.json.gz"))
    with gzip.open(tmp_path / "trace.json.gz", "rt") as zipped:
        assert json.load(zipped)["traceEvents"] == trace["traceEvents"]
    prof.export_stacks(str(tmp_path / "stacks.txt"))
    assert "step;test_profiler.py(" in (tmp_path / "stacks.txt").read_text()


def test_the_schedule_is_pytorchs():
    plan = schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
    short = {ProfilerAction.NONE: ".", ProfilerAction.WARMUP: "w", ProfilerAction.RECORD: "r",
             ProfilerAction.RECORD_AND_SAVE: "s"}  # fmt: skip
    assert "".join(short[plan(i)] for i in range(12)) == "..wrs.wrs..."
    plan = schedule(wait=2, warmup=1, active=1, skip_first=1, skip_first_wait=1)
    assert "".join(short[plan(i)] for i in range(8)) == ".ws..ws."
    with pytest.warns(UserWarning, match="won't be using warmup"):
        schedule(wait=1, warmup=0, active=1)
    with pytest.raises(AssertionError, match="Invalid profiler schedule"):
        schedule(wait=1, warmup=1, active=0)


def test_steps_of_a_schedule_are_handed_over_when_complete(tmp_path):
    ready = []
    with profile(
        schedule=schedule(wait=1, warmup=1, active=2, repeat=2),
        on_trace_ready=lambda prof: ready.append((prof.step_num, names(prof))),
    ) as prof:
        for _ in range(10):
            step()
            prof.step()
    assert [number for number, _ in ready] == [4, 8]
    for number, found in ready:
        steps = [n for n in found if n.startswith("ProfilerStep")]
        assert steps == [f"ProfilerStep#{number - 2}", f"ProfilerStep#{number - 1}"]
        assert found.count("aten::tanh") == 2
    assert next(e for e in prof.key_averages() if e.key == "ProfilerStep*").count == 2
    with profile(on_trace_ready=tensorboard_trace_handler(str(tmp_path / "log"), "me")):
        step()
    (written,) = (tmp_path / "log").iterdir()
    assert written.name.startswith("me.") and written.name.endswith(".pt.trace.json")
    assert supported_activities() == {ProfilerActivity.CPU}


def test_optimizers_modules_and_higher_derivatives():
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with profile() as prof:
        net(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    assert "Optimizer.step#SGD.step" in names(prof) and "aten::linear" in names(prof)
    x = torch.ones(2, requires_grad=True)
    with profile() as prof:
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        g.sum().backward()
    first = next(e for e in prof.events() if e.name == "PowBackward0")
    assert any(e.name == "aten::mul" for e in first.cpu_children)


def test_record_function_as_a_decorator_and_when_nothing_records():
    @record_function("named")
    def double(x):
        return x * 2.0

    x = torch.ones(2)
    assert double(x).tolist() == [2.0, 2.0]
    with profile() as prof:
        double(x)
    assert names(prof)[:2] == ["named", "aten::mul"]


def test_an_error_inside_ends_the_events():
    outer = record_function("outer")
    with pytest.raises(RuntimeError, match="must match"), profile() as prof, outer:
        torch.ones(2) * torch.ones(3)
    assert [e.name for e in prof.events()][-2:] == ["outer", "aten::mul"]
    assert modes.current() is modes.ON
    prof = profile()
    with pytest.raises(AssertionError, match="not initialized"):
        prof.events()


def test_the_older_face(tmp_path):
    with torch.autograd.profiler.profile(record_shapes=True) as prof:
        step()
    assert "aten::mm" in prof.table(sort_by="self_cpu_time_total")
    assert prof.total_average().count == len(prof.function_events)
    assert prof.self_cpu_time_total > 0
    assert "aten::tanh" in str(prof)
    prof.export_chrome_trace(str(tmp_path / "t.json"))
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    with torch.autograd.profiler.profile(enabled=False) as off:
        step()
    assert off is None
    unfinished = torch.autograd.profiler.profile()
    with pytest.raises(RuntimeError, match="Profiler didn't finish running"):
        unfinished.key_averages()
    with torch.autograd.profiler.emit_nvtx():
        step()
    assert torch.autograd.profiler.record_function is record_function
