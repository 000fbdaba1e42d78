"""Teams of native threads that share the loops of compiled code.

`team(n)` is a team of n threads, the caller's included: a structure whose address stands in slot 0
of a table. Its helpers are Python threads that wait inside one native function, without the
interpreter lock, so handing them work takes no Python. A loop that is shared calls `fork` (through
the first word of the structure): it publishes the work, wakes the helpers, takes parts itself, and
returns when all parts are done and no helper is at work. Parts are taken from an atomic counter,
so a thread that is late or busy elsewhere takes fewer. Two callers cannot share one team at once:
the second works alone.

Where there are no POSIX threads `team` gives None: compiled code then runs in the caller's thread.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Any

# What the words of the structure are
_FORK, _MUTEX, _WORK, _DONE, _EPOCH, _OPEN, _CHUNK, _TABLE, _FRAME, _STEPS, _GRAIN = range(11)
_BUSY, _LOCK, _UNLOCK, _WAIT, _WAKE = range(11, 16)
_NEXT, _ACTIVE = 24, 32  # on cache lines of their own
_WORDS = 40

_SPIN = 4000  # looks at the epoch before a helper goes to sleep (some 20 µs)

_IR = """\
target triple = "TRIPLE"
declare void @PAUSE

; Takes parts until none is left.
define internal void @work(ptr %team) noinline nounwind {
entry:
  %next = getelementptr i64, ptr %team, i64 NEXT
  %p.chunk = getelementptr i64, ptr %team, i64 CHUNK
  %chunk = load ptr, ptr %p.chunk
  %p.table = getelementptr i64, ptr %team, i64 TABLE
  %table = load ptr, ptr %p.table
  %p.frame = getelementptr i64, ptr %team, i64 FRAME
  %frame = load ptr, ptr %p.frame
  %p.n = getelementptr i64, ptr %team, i64 STEPS
  %n = load i64, ptr %p.n
  %p.grain = getelementptr i64, ptr %team, i64 GRAIN
  %grain = load i64, ptr %p.grain
  br label %take
take:
  %part = atomicrmw add ptr %next, i64 1 seq_cst
  %from = mul i64 %part, %grain
  %some = icmp ult i64 %from, %n
  br i1 %some, label %run, label %done
run:
  %to = add i64 %from, %grain
  %within = icmp ult i64 %to, %n
  %end = select i1 %within, i64 %to, i64 %n
  call void %chunk(ptr %table, ptr %frame, i64 %from, i64 %end, i64 %part)
  br label %take
done:
  ret void
}

define void @fork(ptr %team, ptr %chunk, ptr %table, ptr %frame, i64 %n, i64 %grain) nounwind {
entry:
  %p.busy = getelementptr i64, ptr %team, i64 BUSY
  %p.mutex = getelementptr i64, ptr %team, i64 MUTEX
  %mutex = load ptr, ptr %p.mutex
  %p.work = getelementptr i64, ptr %team, i64 WORK
  %cond = load ptr, ptr %p.work
  %p.done = getelementptr i64, ptr %team, i64 DONE
  %ended = load ptr, ptr %p.done
  %p.lock = getelementptr i64, ptr %team, i64 LOCK
  %lock = load ptr, ptr %p.lock
  %p.unlock = getelementptr i64, ptr %team, i64 UNLOCK
  %unlock = load ptr, ptr %p.unlock
  %p.wait = getelementptr i64, ptr %team, i64 WAIT
  %wait = load ptr, ptr %p.wait
  %p.wake = getelementptr i64, ptr %team, i64 WAKE
  %wake = load ptr, ptr %p.wake
  %p.epoch = getelementptr i64, ptr %team, i64 EPOCH
  %p.open = getelementptr i64, ptr %team, i64 OPEN
  %p.active = getelementptr i64, ptr %team, i64 ACTIVE
  %was = atomicrmw xchg ptr %p.busy, i64 1 seq_cst
  %taken = icmp ne i64 %was, 0
  br i1 %taken, label %alone, label %publish
alone:
  %part = phi i64 [0, %entry], [%next, %alone]
  %from = mul i64 %part, %grain
  %to = add i64 %from, %grain
  %within = icmp ult i64 %to, %n
  %end = select i1 %within, i64 %to, i64 %n
  call void %chunk(ptr %table, ptr %frame, i64 %from, i64 %end, i64 %part)
  %next = add i64 %part, 1
  br i1 %within, label %alone, label %out
publish:
  call i32 %lock(ptr %mutex)
  %p.chunk = getelementptr i64, ptr %team, i64 CHUNK
  store ptr %chunk, ptr %p.chunk
  %p.table = getelementptr i64, ptr %team, i64 TABLE
  store ptr %table, ptr %p.table
  %p.frame = getelementptr i64, ptr %team, i64 FRAME
  store ptr %frame, ptr %p.frame
  %p.n = getelementptr i64, ptr %team, i64 STEPS
  store i64 %n, ptr %p.n
  %p.grain = getelementptr i64, ptr %team, i64 GRAIN
  store i64 %grain, ptr %p.grain
  %p.next = getelementptr i64, ptr %team, i64 NEXT
  store atomic i64 0, ptr %p.next seq_cst, align 8
  store i64 1, ptr %p.open
  %epoch = load atomic i64, ptr %p.epoch monotonic, align 8
  %later = add i64 %epoch, 1
  store atomic i64 %later, ptr %p.epoch seq_cst, align 8
  call i32 %wake(ptr %cond)
  call i32 %unlock(ptr %mutex)
  call void @work(ptr %team)
  call i32 %lock(ptr %mutex)
  store i64 0, ptr %p.open
  %first = load atomic i64, ptr %p.active monotonic, align 8
  %all = icmp eq i64 %first, 0
  call i32 %unlock(ptr %mutex)
  br i1 %all, label %free, label %spin
spin:
  %looks = phi i64 [0, %publish], [%looked, %still]
  %running = load atomic i64, ptr %p.active acquire, align 8
  %none = icmp eq i64 %running, 0
  br i1 %none, label %free, label %still
still:
  call void @PAUSE_CALL
  %looked = add i64 %looks, 1
  %enough = icmp ugt i64 %looked, SPIN
  br i1 %enough, label %sleep, label %spin
sleep:
  call i32 %lock(ptr %mutex)
  br label %check
check:
  %others = load atomic i64, ptr %p.active monotonic, align 8
  %over = icmp eq i64 %others, 0
  br i1 %over, label %awake, label %waiting
waiting:
  call i32 %wait(ptr %ended, ptr %mutex)
  br label %check
awake:
  call i32 %unlock(ptr %mutex)
  br label %free
free:
  store atomic i64 0, ptr %p.busy seq_cst, align 8
  br label %out
out:
  ret void
}

; Where a helper spends its life.
define void @help(ptr %team) nounwind {
entry:
  %p.mutex = getelementptr i64, ptr %team, i64 MUTEX
  %mutex = load ptr, ptr %p.mutex
  %p.work = getelementptr i64, ptr %team, i64 WORK
  %cond = load ptr, ptr %p.work
  %p.done = getelementptr i64, ptr %team, i64 DONE
  %ended = load ptr, ptr %p.done
  %p.lock = getelementptr i64, ptr %team, i64 LOCK
  %lock = load ptr, ptr %p.lock
  %p.unlock = getelementptr i64, ptr %team, i64 UNLOCK
  %unlock = load ptr, ptr %p.unlock
  %p.wait = getelementptr i64, ptr %team, i64 WAIT
  %wait = load ptr, ptr %p.wait
  %p.wake = getelementptr i64, ptr %team, i64 WAKE
  %wake = load ptr, ptr %p.wake
  %p.epoch = getelementptr i64, ptr %team, i64 EPOCH
  %p.open = getelementptr i64, ptr %team, i64 OPEN
  %p.active = getelementptr i64, ptr %team, i64 ACTIVE
  br label %rest
rest:
  %seen = phi i64 [0, %entry], [%now, %missed], [%now, %finish]
  br label %look
look:
  %looks = phi i64 [0, %rest], [%looked, %pause]
  %epoch = load atomic i64, ptr %p.epoch acquire, align 8
  %fresh = icmp ne i64 %epoch, %seen
  br i1 %fresh, label %enter, label %pause
pause:
  call void @PAUSE_CALL
  %looked = add i64 %looks, 1
  %enough = icmp ugt i64 %looked, SPIN
  br i1 %enough, label %enter, label %look
enter:
  call i32 %lock(ptr %mutex)
  br label %check
check:
  %now = load atomic i64, ptr %p.epoch monotonic, align 8
  %same = icmp eq i64 %now, %seen
  br i1 %same, label %sleep, label %up
sleep:
  call i32 %wait(ptr %cond, ptr %mutex)
  br label %check
up:
  %open = load i64, ptr %p.open
  %late = icmp eq i64 %open, 0
  br i1 %late, label %missed, label %join
missed:
  call i32 %unlock(ptr %mutex)
  br label %rest
join:
  %plus = atomicrmw add ptr %p.active, i64 1 seq_cst
  call i32 %unlock(ptr %mutex)
  call void @work(ptr %team)
  call i32 %lock(ptr %mutex)
  %minus = atomicrmw sub ptr %p.active, i64 1 seq_cst
  %last = icmp eq i64 %minus, 1
  br i1 %last, label %tell, label %finish
tell:
  call i32 %wake(ptr %ended)
  br label %finish
finish:
  call i32 %unlock(ptr %mutex)
  br label %rest
}
"""


def _text(triple: str) -> str:
    x86 = triple.startswith(("x86_64", "i386", "i686"))
    arm = triple.startswith(("aarch64", "arm64"))
    text = _IR
    if x86:
        text = text.replace("@PAUSE_CALL", "@llvm.x86.sse2.pause()")
        text = text.replace("@PAUSE", "@llvm.x86.sse2.pause()")
    elif arm:
        text = text.replace("@PAUSE_CALL", "@llvm.aarch64.hint(i32 1)")
        text = text.replace("@PAUSE", "@llvm.aarch64.hint(i32)")
    else:
        text = text.replace("  call void @PAUSE_CALL\n", "").replace("declare void @PAUSE\n", "")
    words = {
        "CHUNK": _CHUNK, "TABLE": _TABLE, "FRAME": _FRAME, "STEPS": _STEPS, "GRAIN": _GRAIN,
        "NEXT": _NEXT, "BUSY": _BUSY, "MUTEX": _MUTEX, "WORK": _WORK, "DONE": _DONE,
        "LOCK": _LOCK, "UNLOCK": _UNLOCK, "WAIT": _WAIT, "WAKE": _WAKE, "EPOCH": _EPOCH,
        "OPEN": _OPEN, "ACTIVE": _ACTIVE,
    }  # fmt: skip
    for name, index in words.items():
        text = text.replace(f"i64 {name}\n", f"i64 {index}\n")
    return text.replace("SPIN", str(_SPIN)).replace("TRIPLE", triple)


@functools.cache
def _library() -> tuple[Any, int, int]:
    """What keeps the code in memory; the addresses of fork and help."""
    from . import llvm

    target = llvm.host()
    code = llvm.machine_code(_text(target.triple), target)
    tracker, (fork, help) = llvm.link(code, ["fork", "help"], {})
    return tracker, fork, help


class Team:
    """Threads that wait for work in native code."""

    def __init__(self, threads: int) -> None:
        system = ctypes.CDLL(None)
        _, fork, help = _library()
        self._words = (ctypes.c_int64 * (_WORDS + 8))()
        start = ctypes.addressof(self._words)
        self.address = start + -start % 64
        words = (ctypes.c_int64 * _WORDS).from_address(self.address)
        # More than a mutex or a condition variable takes anywhere
        self._locks = [ctypes.create_string_buffer(256) for _ in range(3)]
        for word, lock, kind in zip(
            (_MUTEX, _WORK, _DONE), self._locks, ("mutex", "cond", "cond"), strict=True
        ):
            if getattr(system, f"pthread_{kind}_init")(lock, None):
                raise OSError("no memory for a lock")
            words[word] = ctypes.addressof(lock)
        for word, name in (
            (_LOCK, "mutex_lock"), (_UNLOCK, "mutex_unlock"),
            (_WAIT, "cond_wait"), (_WAKE, "cond_broadcast"),
        ):  # fmt: skip
            function = getattr(system, f"pthread_{name}")
            words[word] = ctypes.cast(function, ctypes.c_void_p).value or 0
        words[_FORK] = fork
        self.threads = threads
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(help)
        for i in range(threads - 1):
            # Daemons: they never return, and hold no lock of the interpreter's.
            threading.Thread(
                target=function, args=(self.address,), daemon=True, name=f"leafgrad-{i + 1}"
            ).start()


_teams: dict[int, Team] = {}
_making = threading.Lock()


def team(threads: int) -> Team | None:
    """The team of so many threads; None for one, and where the system has no such threads."""
    if threads < 2 or os.name != "posix":
        return None
    found = _teams.get(threads)
    if found is None:
        with _making:
            found = _teams.get(threads)
            if found is None:
                found = _teams[threads] = Team(threads)
    return found


def address(threads: int) -> int:
    """What slot 0 of a table holds, for code that may use so many threads."""
    found = team(threads)
    return 0 if found is None else found.address


def _forget() -> None:
    """After fork(): the child has none of its parent's threads."""
    global _making
    _teams.clear()
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
