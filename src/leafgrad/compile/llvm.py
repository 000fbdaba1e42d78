"""From loop descriptions to machine code.

A `Kernel` describes loops over arrays; a list of kernels and calls becomes one native function.

    k = Kernel("mse")                                  # mean of (x - y)**2, and 2 (x - y) / n
    x, y = k.array(1, "float64"), k.array(2, "float64")
    gradient, loss = k.array(3, "float64"), k.array(4, "float64")
    with k.loop(1000) as i:
        d = k.op("subtract", k.load(x, {i: 1}), k.load(y, {i: 1}))
        k.store(gradient, k.op("multiply", d, k.const(2 / 1000, "float64")), {i: 1})
        total = k.reduce("sum", k.op("multiply", d, d))
    k.store(loss, k.op("divide", total, k.const(1000.0, "float64")))

    step = build([k])                                  # optimised, or taken from the disk cache
    table = np.zeros(step.slots, np.uint64)
    table[1:5] = [a.ctypes.data for a in (X, Y, G, L)]
    step(table.ctypes.data)                            # releases the interpreter lock

**The table.** A native function has one argument, the address of a table of 8-byte slots. A slot
holds the address of an array's first element (`array`), a number (`scalar`: float64 for floating
dtypes, int64 for the others; it is cast to the dtype asked for), or the address of a function
(`Call`). Slot 0 is `threads.address(n)`, the team of n threads that may share the work, or 0 for
the calling thread alone. Rebinding an input is a write to a slot; the code stays. No address is
ever part of the code, so it can be cached on disk. Arrays of different slots must not overlap, if
one of them is written.

**Loops.** `with k.loop(n) as i:` opens a loop inside the one that is open; n is a number or an
int64 `Value` (`k.scalar(slot, "int64")`). Loops may follow one another inside a loop: a softmax is
a loop over rows that holds three loops over columns. Everything written inside a loop is computed
for each step of it; what does not depend on the loop is moved out of it on its own. A value can be
used in its loop and in loops inside it. Only reductions leave a loop.

**Vectors.** One loop of every nest runs over vector lanes: the innermost one, or the loop that says
`vector=True`; then the loops inside it run step by step on whole vectors. That is how columns are
summed: `with k.loop(columns, vector=True) as j: with k.loop(rows) as i: k.reduce("sum", ...)`, and
how a small matrix product is written. Strides of 1 and 0 along the vector loop are plain
loads and broadcasts; others are gathered, which is slower. The caller chooses the order of loops
and merges axes where the memory allows; a short innermost loop wastes lanes.

**Addresses.** `k.load(array, {i: 16, j: 1}, offset=0, at=None, where=None)` reads element `offset
+ 16 i + j + at`. Strides count elements. `at` is an int64 `Value` for what is not affine (rows of
an embedding); `where` a bool `Value`: other elements are not touched and read as zero.
`k.store(array, value, strides, offset, at, where, add=False)`; with `add` it adds to what is
there. An array that is also written in the kernel must be read at the same element that is
written, or in an earlier loop: lanes do not see each other's stores.

**Values.** `op` names are NumPy's names of ufuncs (`OPS` holds them all), plus

    where(c, a, b)   fma(a, b, c)   clip(x, low, high)   rsqrt   relu   sigmoid   logsigmoid
    softplus   silu   gelu   gelu_tanh   erf   erfc

Operands of one op have one dtype (`cast` where they differ); `where` takes a bool first.
Comparisons give bool. The dtypes are NumPy's: bool, int8 to int64, uint8 to uint64, float16,
bfloat16, float32, float64; float16 and bfloat16 compute in float32 and round after each op.
Results of everything but the functions of `compile.math` are NumPy's, bit for bit: nothing is
contracted or reassociated (`fma` is for those who ask). `index(loop)` is the loop's counter as
int64. `supported(name, dtype)` says whether `op` takes it.

**Reductions.** `k.reduce(kind, value, over=None)` with sum, prod, max, min (NaN wins, as in NumPy),
any, all, over the innermost open loop or over all loops up to `over`; the result can be used
after that loop. Sums keep several vectors of partial sums, in three or more levels: as accurate as
pairwise sums. The result depends on the extents and the width of the machine's vectors, not on the
number of threads.

**Threads.** The outermost loops of large kernels are split into chunks that a team of native
threads takes; small kernels are not split. Each chunk leaves its partial results, which are joined
in the order of the chunks.

**Calls.** `Call(slot, *arguments, check=False)` calls the function whose address is in a slot. An
argument is `Slot(n)` (the 8 bytes of a slot, as pointer or int64), `Ref(n)` (the address of a
slot), a `Const(dtype, value)` (the address of a constant: what Fortran wants), or `Number(dtype,
value)` (by value). With `check` the function returns an int; a value other than 0 ends the step,
which returns it.

    gemm = Call(7, Const("int8", ord("N")), ..., Slot(1), Const("int32", 64), ...)

`build(steps)` returns a `Native`: `native(address_of_table) -> int` (0 when all went well),
`.slots`, `.ir` (the text that was compiled), `.assembly()`. `available()` says whether llvmlite
can be imported.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import cache, support
from .instructions import DTYPES, OPS, supported
from .ir import Block, Module, Type, V, literal
from .kernel import Array, Kernel, Loop, Value
from .writer import Writer

__all__ = [
    "DTYPES", "OPS", "Array", "Call", "Const", "Kernel", "Loop", "Native", "Number", "Ref", "Slot",
    "Target", "Value", "available", "build", "host", "supported",
]  # fmt: skip


# Calls of functions whose addresses are in the table


class Slot(NamedTuple):
    """An argument of a call: the 8 bytes in a slot, an address or an int64."""

    slot: int


class Ref(NamedTuple):
    """An argument of a call: the address of a slot."""

    slot: int


class Const(NamedTuple):
    """An argument of a call: the address of a constant."""

    dtype: str
    value: float | int


class Number(NamedTuple):
    """An argument of a call: a number by value."""

    dtype: str
    value: float | int


class Call:
    """A call of the function whose address is in a slot."""

    def __init__(
        self, slot: int, *arguments: Slot | Ref | Const | Number, check: bool = False
    ) -> None:
        self.slot, self.arguments, self.check = slot, arguments, check

    def __str__(self) -> str:
        return f"@{self.slot}({', '.join(map(str, self.arguments))})"

    def slots(self) -> int:
        """How many slots a table must have for this."""
        used = [a.slot for a in self.arguments if isinstance(a, Slot | Ref)]
        return max(self.slot, *used) + 1 if used else self.slot + 1

    def write(self, out: Block, constants: dict[str, str]) -> None:
        """The call; its constants are entered into `constants`: definition -> name."""
        texts = []
        for a in self.arguments:
            if isinstance(a, Slot | Ref):
                address = _slot_address(out, a.slot)
                if isinstance(a, Slot):
                    address = out.value(Type("ptr"), f"load ptr, ptr {address.text}")
                texts.append(f"ptr {address.text}")
                continue
            memory = DTYPES[a.dtype].memory
            one = f"{memory} {literal(Type(memory), a.value)}"
            if isinstance(a, Const):
                name = constants.setdefault(one, f"@const.{len(constants)}")
                texts.append(f"ptr {name}")
            else:
                texts.append(one)
        slot = _slot_address(out, self.slot)
        function = out.value(Type("ptr"), f"load ptr, ptr {slot.text}")
        arguments = ", ".join(texts)
        if not self.check:
            out.line(f"call void {function.text}({arguments})")
            return
        status = out.value(Type("i32"), f"call i32 {function.text}({arguments})")
        fine, stop = out.new_label("fine"), out.new_label("stop")
        out.line(f"br i1 {status.same(0).text}, label %{fine}, label %{stop}")
        out.start(stop)
        out.line(f"ret i64 {status.convert('sext', 'i64').text}")
        out.start(fine)


def _slot_address(out: Block, slot: int) -> V:
    return out.value(Type("ptr"), f"getelementptr inbounds i64, ptr %table, i64 {slot}")


# Machine code

_OLDEST = (0, 45)  # llvmlite, with LLVM 20: older ones do not know constants of equal lanes


class Target(NamedTuple):
    """A processor: what code is made for."""

    triple: str
    cpu: str
    features: str
    vector_bits: int
    fma: bool
    half: bool  # whether it converts float16
    masks: str  # which loads and stores can leave out lanes: all, wide (4 and 8 bytes), none


@functools.cache
def host() -> Target:
    """The processor this runs on."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features()
    return target_of(
        llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten(), features
    )


def target_of(triple: str, cpu: str, features: str, has: Mapping[str, bool]) -> Target:
    """The target with these features (a feature that is not named is not there)."""
    wide = all(has.get(f"avx512{part}") for part in ("f", "vl", "bw", "dq"))
    arm = triple.startswith(("aarch64", "arm64"))
    return Target(
        triple,
        cpu,
        features,
        512 if wide else 256 if has.get("avx") else 128,
        arm or bool(has.get("fma")),
        arm or bool(has.get("f16c")),
        "all" if wide else "wide" if has.get("avx2") else "none",
    )


@functools.cache
def available() -> bool:
    """Whether llvmlite is installed, and new enough (it is not imported here)."""
    from importlib import metadata

    try:
        numbers = metadata.version("llvmlite").split(".")
        return (int(numbers[0]), int(numbers[1])) >= _OLDEST
    except (metadata.PackageNotFoundError, ValueError, IndexError):
        return False


@functools.cache
def _llvm() -> Any:
    """llvmlite's binding, made ready on first use."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def _machine(target: Target) -> Any:
    llvm = _llvm()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="small"
    )


@functools.cache
def _jit() -> Any:
    return _llvm().create_lljit_compiler(_machine(host()))


def write(steps: Sequence[Kernel | Call], target: Target) -> tuple[str, set[str]]:
    """The LLVM IR of `@run`, and the functions of `support` that it calls."""
    module = Module(target)
    out = Block(module)
    kernels: list[str] = []
    constants: dict[str, str] = {}
    for step in steps:
        if isinstance(step, Call):
            step.write(out, constants)
        else:
            symbol = f"kernel.{len(kernels)}"
            kernels.append(Writer(module, step, symbol).write())
            out.line(f"call void @{symbol}(ptr %table)")
    text = "\n".join(
        [
            module.text(),
            *(f"{name} = internal constant {one}" for one, name in constants.items()),
            *kernels,
            "define i64 @run(ptr noundef %table) nounwind {",
            "entry:",
            *out.lines,
            "  ret i64 0",
            "}",
            "",
        ]
    )
    return text, module.used


def machine_code(text: str, target: Target) -> bytes:
    """The object file of a module: from the disk cache, or made (and put there)."""
    key = cache.key(text, target, _versions())
    found = cache.get(key)
    if found is None:
        found = _machine(target).emit_object(_optimised(text, target))
        cache.put(key, found)
    return found


def llvm_version() -> tuple[int, ...]:
    """LLVM's own version."""
    return _llvm().llvm_version_info


def _versions() -> str:
    import llvmlite

    return f"{llvmlite.__version__} {llvm_version()}"


def _optimised(text: str, target: Target) -> Any:
    """The module after LLVM's passes: only functions inlined, for loops are written as vectors."""
    llvm = _llvm()
    module = llvm.parse_assembly(text)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_instruction_combine_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    passes.run(module, llvm.create_pass_builder(_machine(target), options))
    return module


class Native:
    """A native function of one argument, the address of its table.

    `call(address)` is the bare ctypes function, which releases the interpreter lock."""

    def __init__(
        self, text: str, slots: int, target: Target, code: bytes, needs: Mapping[str, int]
    ) -> None:
        self.ir, self.slots, self.target = text, slots, target
        # The code lives as long as its tracker.
        self._tracker, (self.address,) = link(code, ["run"], needs)
        self.call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self.address)

    def __call__(self, table: int) -> int:
        return self.call(table)

    def assembly(self) -> str:
        """What the processor runs, for reading."""
        return _machine(self.target).emit_assembly(_optimised(self.ir, self.target))


_linked = itertools.count()


def link(code: bytes, symbols: list[str], needs: Mapping[str, int]) -> tuple[Any, list[int]]:
    """Puts an object file into memory: what keeps it there, and the addresses of symbols."""
    builder = _llvm().JITLibraryBuilder().add_object_img(code).add_current_process()
    for name in symbols:
        builder.export_symbol(name)
    for name, address in needs.items():
        builder.import_symbol(name, address)
    tracker = builder.link(_jit(), f"leafgrad.{next(_linked)}")
    return tracker, [tracker[name] for name in symbols]


def build(steps: Sequence[Kernel | Call], target: Target | None = None) -> Native:
    """Kernels and calls, in order, as one native function."""
    target = target or host()
    text, needs = write(steps, target)
    slots = 1 + max(
        (step.slots() - 1 if isinstance(step, Call) else step.highest_slot() for step in steps),
        default=0,
    )
    return Native(text, slots, target, machine_code(text, target), support.addresses(needs))
