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
(`Call`). Slot 0 is the team of worker threads, `threads.team(n).address`, or 0 for the calling
thread alone. Rebinding an input is a write to a slot; the code stays. No address is ever part of
the code, so it can be cached on disk.

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

**Addresses.** `k.load(array, {i: 16, j: 1}, offset=0, at=None, where=None)` reads element
`offset + 16 i + j + at`. Strides count elements. `at` is an int64 `Value` for what is not affine (rows of
an embedding); `where` a bool `Value`: other elements are not touched and read as zero.
`k.store(array, value, strides, offset, at, where, add=False)`; with `add` it adds to what is there.
An array that is also written in the kernel must be read at the same element that is written, or in
an earlier loop: lanes do not see each other's stores.

**Values.** `op` names are NumPy's names of ufuncs (`OPS` holds them all), plus

    where(c, a, b)   fma(a, b, c)   clip(x, low, high)   rsqrt   sigmoid   logsigmoid   softplus
    silu   gelu   gelu_tanh   erf   erfc   square   relu

Operands of one op have one dtype (`cast` where they differ; `where` takes a bool first, `power` and
the shifts also take an integer second). Comparisons give bool. The dtypes are NumPy's: bool, int8 to
int64, uint8 to uint64, float16, bfloat16, float32, float64; float16 and bfloat16 compute in float32
and round after each op. Results of everything but the functions of `compile.math` are NumPy's, bit
for bit: nothing is contracted or reassociated. `index(loop)` is the loop's counter as int64.
`supported(name, dtype)` says whether `op` takes it.

**Reductions.** `k.reduce(kind, value, over=None)` with sum, prod, max, min (NaN wins, as in NumPy),
any, all, over the innermost open loop or over all loops up to `over`; the result can be used
after that loop. Sums keep several vectors of partial sums, in three or more levels: as accurate as
pairwise sums. The result depends on the extents and the width of the machine's vectors, not on the
number of threads.

**Threads.** The outermost loops of large kernels are split into chunks that a team of native threads
takes; small kernels are not split. Each chunk leaves its partial results, which are joined in the
order of the chunks.

**Calls.** `Call(slot, *arguments, check=False)` calls the function whose address is in a slot. An
argument is `Slot(n)` (the 8 bytes of a slot, as pointer or int64), `Ref(n)` (the address of a slot),
a `Const(dtype, value)` (the address of a constant: what Fortran wants), or `Number(dtype, value)` (by
value). With `check` the function returns an int; a value other than 0 ends the step, which returns it.

    gemm = Call(7, Const("int8", ord("N")), ..., Slot(1), Const("int32", 64), ...)

`build(steps)` returns a `Native`: `native(address_of_table) -> int` (0 when all went well), `.slots`,
`.ir` (the text that was compiled), `.assembly()`. `available()` says whether llvmlite can be imported.
"""
