"""PyTorch's own OpInfo records, run on both libraries.

For every operator record and dtype that PyTorch supports, the record's samples are carried over and
each check below compares the outcomes. An entry is (operator, dtype, check); it passes when every
sample does.

    python conformance/opinfo.py -k '^nn.functional' --checks value,grad --dtype float64 -v
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import harness
import numpy as np
import torch
from carry import Absent, Carrier, Different, Skip, lacking, load, rebind, resolve
from harness import Result, compare
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import BinaryUfuncInfo, ReductionOpInfo, UnaryUfuncInfo

DTYPES = ("float32", "float64", "complex128", "int64", "bool", "bfloat16")
QUICK_DTYPES = ("float64", "int64")
# Derivatives of derivatives are compared where rounding does not drown them.
DOUBLE = ("float64", "complex128")

SAMPLES = {"float64": 10_000}  # at most so many samples a check; others:
SAMPLES_ELSEWHERE = 80
QUICK_SAMPLES = 4
ELEMENTS = 1_000_000  # samples with more elements run in float64 "value" alone
SECONDS = 120.0  # a dtype of an operator, all checks

# Their values are whatever memory held.
UNINITIALISED = (
    *("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided"),
    *("resize_", "resize_as_"),
)
# Which of several equal elements they choose is not specified: an index counts by what stands there.
CHOICE = {"topk": 1, "kthvalue": 1, "mode": 0}  # and where the dimension stands in their arguments
# What they compute depends on strides.
MEMORY = re.compile("as_strided|view_as_complex")
# Sparse layouts, the CUDA-only, and records that run on no CPU dtype are left out.
LEFT_OUT = re.compile(
    r"sparse|jiterator|_scaled_mm|_(flash|efficient)_attention_forward|without_cudnn"
)


# --------------------------------------------------------------------------------------- families

_WORDS = {
    "reductions, order": """
        all amax amin aminmax any argmax argmin argsort bincount count_nonzero cummax cummin cumprod
        cumsum cumulative_trapezoid dist hash_tensor histc histogram histogramdd kthvalue
        logcumsumexp logsumexp mean median mode msort nanmean nanmedian nanquantile nansum norm prod
        quantile renorm sort std std_mean sum sum_to_size topk trapezoid trapz unique
        unique_consecutive var var_mean""",
    "matmul, linalg": """
        __rmatmul__ addbmm addmm addmv addr baddbmm block_diag bmm cdist cholesky cholesky_inverse
        cholesky_solve corrcoef cov cross dot einsum geqrf inner kron logdet lu lu_solve lu_unpack
        matmul matrix_exp mm mv ormqr outer pca_lowrank pinverse qr svd svd_lowrank tensordot trace
        triangular_solve vdot""",
    "creation, random": """
        arange bernoulli cauchy empty empty_like empty_permuted empty_strided exponential eye full
        full_like geometric linspace log_normal logspace multinomial new_empty new_empty_strided
        new_full new_ones new_zeros normal ones ones_like rand_like randint randint_like randn
        randn_like scalar_tensor tril_indices triu_indices uniform zeros zeros_like""",
    "elementwise binary": "complex polar ldexp isclose lcm gcd float_power",
    "fft, spectral": "stft istft",
}
_BY_NAME = {name: title for title, names in _WORDS.items() for name in names.split()}
_PREFIXES = {
    "nn.functional.": "nn.functional",
    "linalg.": "linalg",
    "fft.": "fft, spectral",
    "special.": "special",
    "masked.": "masked",
    "signal.windows.": "windows",
}


def family(op: Any) -> str:
    name = op.name
    for prefix, title in _PREFIXES.items():
        if name.startswith(prefix):
            return title
    if name.startswith(("native_", "torch.", "max_pool2d_with")) or re.match(r"_[a-z]", name):
        return "internal"
    if name in ("max", "min") and "reduction" in op.variant_test_name:
        return "reductions, order"
    if name in _BY_NAME:
        return _BY_NAME[name]
    if isinstance(op, UnaryUfuncInfo):
        return "elementwise unary"
    if isinstance(op, BinaryUfuncInfo):
        return "elementwise binary"
    return "reductions, order" if isinstance(op, ReductionOpInfo) else "shape, indexing"


# ----------------------------------------------------------------------------------- one operator


class Call(NamedTuple):
    """The arguments of one sample, for one library."""

    input: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    # Makes outputs comparable that are unique only up to a sign or phase.
    process: Callable[[Any], Any]

    def leaves(self) -> list[Any]:
        return [t for t in flatten((self.input, self.args, self.kwargs)) if t.requires_grad]

    def of(self, function: Callable[..., Any], **more: Any) -> Any:
        return function(self.input, *self.args, **{**self.kwargs, **more})


def flatten(value: Any) -> list[Any]:
    """The tensors in a value, in order."""
    if harness.is_tensor(value):
        return [value]
    if isinstance(value, tuple | list):
        return [t for item in value for t in flatten(item)]
    if isinstance(value, dict):
        return [t for item in value.values() for t in flatten(item)]
    return []


class Trial:
    """One operator record and dtype, with the counterpart of its function in leafgrad."""

    def __init__(self, op: Any, dtype: str, library: types.ModuleType, quick: bool) -> None:
        self.op = op
        self.dtype = dtype
        self.library = library
        self.quick = quick
        self.complete = True
        self.notes: set[str] = set()
        self.seed = 1
        torch_dtype = getattr(torch, dtype) if dtype != "-" else None
        self.torch_dtype = torch_dtype
        self.differentiable = (
            torch_dtype is not None
            and op.supports_autograd
            and (torch_dtype.is_floating_point or torch_dtype.is_complex)
            and torch_dtype in op.supported_backward_dtypes("cpu")
        )
        self._function: Any = None
        self._samples: dict[str, list[Any]] = {}

    # ---- both functions

    @property
    def function(self) -> Any:
        """leafgrad's function for this record, or Absent."""
        if self._function is None:
            self._function = self._resolve()
        return self._function

    def _resolve(self) -> Any:
        op, function = self.op, self.op.op
        if isinstance(function, types.FunctionType) and function.__module__.startswith(
            "torch.testing"
        ):
            return rebind(function, self.library)
        name = op.name
        if name.startswith("__") or isinstance(function, types.MethodDescriptorType):
            return resolve(self.library, "Tensor." + name)
        if isinstance(function, torch._ops.OpOverload):
            packet, overload = function._schema.name.replace("::", "."), function._overloadname
            return resolve(self.library, f"ops.{packet}.{overload}")
        if isinstance(function, torch._ops.OpOverloadPacket):
            return resolve(self.library, "ops.aten." + function.__name__)
        if name == "_segment_reduce":
            name = function.__name__
        return resolve(self.library, name)

    def expected(self, call: Call, function: Any = None, **more: Any) -> Any:
        torch.default_generator.manual_seed(self.seed)
        try:
            return call.of(function or self.op.op, **more)
        except Exception as error:
            raise Skip(f"PyTorch: {error}") from None

    def actual(self, call: Call, function: Any = None, **more: Any) -> Any:
        function = function or self.function
        self.library.manual_seed(self.seed)
        return self.guard(lambda: call.of(function, **more))

    def guard(self, function: Callable[[], Any]) -> Any:
        """leafgrad's outcome; what it raises is a difference, or says what is absent."""
        try:
            return function()
        except (Different, Absent, Skip):
            raise
        except Exception as error:
            if name := lacking(error, self.library):
                raise Absent(name) from None
            raise Different("raised " + harness.describe(error)) from error

    def outcomes(self, expected: Callable[[], Any], actual: Callable[[], Any]) -> tuple[Any, Any]:
        """Both values; where PyTorch raises, leafgrad must raise the same, and that is all."""
        torch.default_generator.manual_seed(self.seed)
        try:
            wanted = expected()
        except Exception as error:
            self.same_error(error, actual)
            raise Done from None
        self.library.manual_seed(self.seed)
        return wanted, self.guard(actual)

    def same_error(self, error: Exception, actual: Callable[[], Any]) -> None:
        self.library.manual_seed(self.seed)
        try:
            value = actual()
        except (Absent, Skip):
            raise
        except Exception as got:
            if name := lacking(got, self.library):
                raise Absent(name) from None
            harness.compare_errors(error, got, self.library)
        else:
            raise Different(
                f"{type(error).__name__}: {harness.first_sentence(str(error))}\n  expected, "
                f"got no error but {harness.short(value)}"
            )

    # ---- samples

    def samples(self, check: str) -> list[Any]:
        """The record's samples, chosen evenly when there are more than the cap."""
        kind = {"edges": "reference", "errors": "errors"}.get(check, "plain")
        if kind not in self._samples:
            seed_everything(1)
            self._samples[kind] = list(self._generate(kind))
        found = self._samples[kind]
        cap = SAMPLES.get(self.dtype, SAMPLES_ELSEWHERE)
        if kind == "reference" or check == "vmap":
            cap = 40
        if self.quick and kind != "errors":
            cap = QUICK_SAMPLES
            self.complete = self.complete and len(found) <= cap
        if len(found) <= cap:
            return found
        return [found[round(i * (len(found) - 1) / (cap - 1))] for i in range(cap)]

    def _generate(self, kind: str) -> Iterator[Any]:
        if kind == "errors":
            yield from self.op.error_inputs("cpu")
        elif kind == "reference":
            yield from self.op.reference_inputs("cpu", self.torch_dtype, requires_grad=False)
        else:
            yield from self.op.sample_inputs(
                "cpu", self.torch_dtype, requires_grad=self.differentiable
            )

    def carry(self, sample: Any, requires_grad: bool = True) -> tuple[Call, Call]:
        """The sample as fresh leaves for PyTorch and for leafgrad."""
        try:
            carrier = Carrier(self.library, requires_grad and self.differentiable)
            theirs, ours = carrier.both((sample.input, tuple(sample.args), dict(sample.kwargs)))
        except AttributeError as error:
            if name := lacking(error, self.library):
                raise Absent(name) from None
            raise
        process = sample.output_process_fn_grad
        return Call(*theirs, process), Call(*ours, rebind(process, self.library))

    def compare(self, expected: Any, actual: Any, calls: tuple[Call, Call], **options: Any) -> None:
        """Outputs as they are; or, where the record says how to make them unique, after that."""
        if self.op.name in UNINITIALISED:
            options["values"] = False
        if self.op.name in CHOICE:
            compare(expected, actual, self.library, values=False)
            place = CHOICE[self.op.name]
            expected, actual = (
                _chosen(r, c, place) for r, c in zip((expected, actual), calls, strict=True)
            )
        try:
            compare(expected, actual, self.library, **options)
        except Different:
            processed = _try(calls[0].process, expected), _try(calls[1].process, actual)
            if processed[0] is expected or processed[0] is None:
                raise
            compare(expected, actual, self.library, values=False)
            options["where"] = "processed output"
            compare(processed[0], processed[1], self.library, **options)


def _chosen(result: Any, call: Call, place: int) -> tuple[Any, np.ndarray]:
    """(values, indices) with the indices replaced by the elements that they point to."""
    values, indices = result
    dim = call.kwargs.get("dim", call.args[place] if len(call.args) > place else -1)
    source, at = np.atleast_1d(harness.array(call.input)), harness.array(indices)
    if at.ndim < source.ndim:
        at = np.expand_dims(at, dim)
    return values, np.take_along_axis(source, at, dim)


def _try(function: Callable[[Any], Any], value: Any) -> Any:
    try:
        return function(value)
    except Exception:
        return None


class Done(Exception):
    """The sample passed, and no more is to be compared."""


def seed_everything(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


# ------------------------------------------------------------------------------------- the checks


def check_value(trial: Trial, sample: Any) -> None:
    """Values, dtypes, shapes."""
    calls = trial.carry(sample)
    expected = trial.expected(calls[0])
    trial.compare(expected, trial.actual(calls[1]), calls)


def check_edges(trial: Trial, sample: Any) -> None:
    """Values of elementwise operators at the reference inputs: large, tiny, infinite, NaN."""
    check_value(trial, sample)


def check_view(trial: Trial, sample: Any) -> None:
    """An output shares the first input's memory exactly where PyTorch's does, and its strides."""
    theirs, ours = trial.carry(sample, requires_grad=False)
    if (
        not harness.is_tensor(theirs.input)
        or theirs.input.numel() == 0
        or trial.dtype == "bfloat16"
    ):
        raise Skip("nothing to share")
    outputs = flatten(trial.expected(theirs)), flatten(trial.actual(ours))
    for index, (expected, actual) in enumerate(zip(*outputs, strict=False)):
        shares = _share(theirs.input, expected)
        if expected.numel() == 0 or expected.is_conj() or expected.is_neg():
            continue
        if shares != _share(ours.input, actual):
            raise Different(
                f"output {index}: shares the input's memory: {shares} expected, got {not shares}"
            )
        strides = [(n, s) for n, s in zip(expected.shape, expected.stride(), strict=True) if n > 1]
        got = [(n, s) for n, s in zip(actual.shape, actual.stride(), strict=True) if n > 1]
        if shares and strides != got:
            raise Different(
                f"output {index}: strides {expected.stride()} expected, got {actual.stride()}"
            )
        if (
            shares
            and expected.storage_offset() != actual.storage_offset()
            and theirs.input.is_contiguous()
        ):
            raise Different(
                f"output {index}: storage offset {expected.storage_offset()} expected, "
                f"got {actual.storage_offset()}"
            )


def _share(one: Any, two: Any) -> bool:
    """Whether two tensors lie in the same storage."""
    if isinstance(one, torch.Tensor):
        return one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()
    arrays = [harness.array(one), harness.array(two)]
    for index, found in enumerate(arrays):
        base: Any = found
        while base is not None:  # not always an array: NumPy's as_strided puts a holder between
            found = base if isinstance(base, np.ndarray) else found
            base = getattr(base, "base", None)
        arrays[index] = found
    return np.may_share_memory(*arrays)


def check_noncontig(trial: Trial, sample: Any) -> None:
    """Values and gradients with every tensor argument laid out with gaps."""
    sample = sample.noncontiguous()
    check_value(trial, sample)
    if trial.differentiable:
        with contextlib.suppress(Skip):
            check_grad(trial, sample)


def check_method(trial: Trial, sample: Any) -> None:
    """`input.op(...)`, and the operator where there is one (`input + other`)."""
    ran = False
    for variant, where in (
        (trial.op.method_variant, "method"),
        (trial.op.operator_variant, "operator"),
    ):
        theirs, ours = trial.carry(sample)
        plain = not theirs.kwargs and len(theirs.args) <= 1
        if (
            variant is None
            or not harness.is_tensor(theirs.input)
            or (where == "operator" and not plain)
        ):
            continue
        expected = trial.expected(theirs, variant)
        actual = trial.actual(ours, rebind(variant, trial.library))
        trial.compare(expected, actual, (theirs, ours), where=where)
        ran = True
    if not ran:
        raise Skip("no method")


def check_alias(trial: Trial, sample: Any) -> None:
    """The other names of the operator."""
    for alias in trial.op.aliases:
        calls = trial.carry(sample, requires_grad=False)
        if alias.op is None:
            continue
        expected = trial.expected(calls[0], alias.op)
        name = alias.name.removeprefix("torch.")
        if not hasattr(torch, name.split(".")[0]):
            continue
        function = resolve(trial.library, name)
        trial.compare(expected, trial.actual(calls[1], function), calls, where=name)


def check_inplace(trial: Trial, sample: Any) -> None:
    """`input.op_(...)`, `input += other`: result, identity, version, gradient, or the error."""
    if sample.broadcasts_input or not isinstance(sample.input, torch.Tensor):
        raise Skip("not in place")
    variants = (
        (trial.op.inplace_variant, "in place"),
        (trial.op.inplace_operator_variant, "in-place operator"),
    )
    ran = False
    done = False
    for variant, where in variants:
        theirs, ours = trial.carry(sample, requires_grad=trial.op.supports_inplace_autograd)
        plain = not theirs.kwargs and len(theirs.args) <= 1
        if variant is None or (where == "in-place operator" and not plain):
            continue
        function = rebind(variant, trial.library)
        for call in (theirs, ours):
            if any(t is call.input for t in flatten((call.args, call.kwargs))):
                raise Skip("the input is also another argument")
        copies = theirs.input.clone(), trial.guard(ours.input.clone)
        versions = copies[0]._version, copies[1]._version
        ran = True
        try:
            expected, actual = trial.outcomes(
                lambda f=variant, c=theirs, x=copies[0]: f(x, *c.args, **c.kwargs),
                lambda f=function, c=ours, x=copies[1]: f(x, *c.args, **c.kwargs),
            )
        except Done:
            done = True
            continue
        trial.compare(expected, actual, (theirs, ours), where=where)
        trial.compare(copies[0], copies[1], (theirs, ours), where=where + ", the tensor itself")
        if (expected is copies[0]) != (actual is copies[1]):
            raise Different(f"{where}: returns the tensor itself: {expected is copies[0]} expected")
        bumps = copies[0]._version - versions[0], copies[1]._version - versions[1]
        if bumps[0] != bumps[1]:
            raise Different(f"{where}: version + {bumps[0]} expected, got + {bumps[1]}")
        if trial.differentiable:
            with contextlib.suppress(Skip):
                compare_gradients(trial, theirs, ours, expected, actual)
    if not ran:
        raise Skip("no in-place variant")
    if done:
        raise Done


def check_out(trial: Trial, sample: Any) -> None:
    """`out=`: of the right shape, with gaps, empty, and of another dtype; or PyTorch's error."""
    theirs, ours = trial.carry(sample, requires_grad=False)
    result = trial.expected(theirs)
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    if not outputs or not all(isinstance(t, torch.Tensor) for t in outputs):
        raise Skip("no tensors to write")
    if isinstance(result, list):
        raise Skip("a list of outputs")
    trial.function
    for kind, make in _OUTS.items():
        if trial.quick and kind == "other dtype":
            continue
        carrier = Carrier(trial.library)
        pairs = [carrier.both(make(t)) for t in outputs]
        single = isinstance(result, torch.Tensor)
        theirs_out, ours_out = pairs[0] if single else zip(*pairs, strict=True)
        try:
            expected, actual = trial.outcomes(
                lambda out=theirs_out: theirs.of(trial.op.op, out=out),
                lambda out=ours_out: ours.of(trial.function, out=out),
            )
            trial.compare(expected, actual, (theirs, ours))
            trial.compare(theirs_out, ours_out, (theirs, ours))
            if single and (expected is theirs_out) != (actual is ours_out):
                raise Different(f"returns out itself: {expected is theirs_out} expected")
            for a, b in pairs:
                if kind != "empty" and a.numel() and tuple(a.stride()) != tuple(b.stride()):
                    raise Different(f"strides {a.stride()} expected, got {b.stride()}")
        except Done:
            pass
        except Different as difference:
            raise Different(f"out= {kind}: {difference}") from difference.__cause__


def _gaps(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.ndim == 0:
        return _garbage(torch.empty(2, dtype=tensor.dtype))[0]
    *front, last = tensor.shape
    return _garbage(torch.empty(*front, 2 * last, dtype=tensor.dtype))[..., ::2]


def _garbage(tensor: torch.Tensor) -> torch.Tensor:
    """Filled with what no result should keep."""
    return tensor.fill_(1 if tensor.dtype is torch.bool else 77)


def _other(tensor: torch.Tensor) -> torch.Tensor:
    inexact = tensor.is_floating_point() or tensor.is_complex()
    return _garbage(torch.empty(tensor.shape, dtype=torch.int64 if inexact else torch.float64))


_OUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "as the result": lambda t: _garbage(torch.empty_like(t)),
    "with gaps": _gaps,
    "empty": lambda t: torch.empty(0, dtype=t.dtype),
    "other dtype": _other,
}


def check_grad(trial: Trial, sample: Any) -> None:
    """Gradients of every differentiable input, with random cotangents."""
    theirs, ours = trial.carry(sample)
    if not theirs.leaves():
        raise Skip("no input to differentiate")
    expected = trial.expected(theirs)
    compare_gradients(trial, theirs, ours, expected, trial.actual(ours))


def check_gradgrad(trial: Trial, sample: Any) -> None:
    """Gradients of the gradients, by the inputs and by the cotangents."""
    theirs, ours = trial.carry(sample)
    if not theirs.leaves():
        raise Skip("no input to differentiate")
    expected = trial.expected(theirs)
    compare_gradients(trial, theirs, ours, expected, trial.actual(ours), again=True)


def compare_gradients(
    trial: Trial, theirs: Call, ours: Call, expected: Any, actual: Any, again: bool = False
) -> None:
    ours_out = flatten(trial.guard(lambda: ours.process(actual)))
    theirs_out = flatten(theirs.process(expected))
    flags = [t.requires_grad for t in theirs_out], [t.requires_grad for t in ours_out]
    if flags[0] != flags[1]:
        raise Different(f"outputs that require grad: {flags[0]} expected, got {flags[1]}")
    theirs_out = [t for t in theirs_out if t.requires_grad]
    ours_out = [t for t in ours_out if t.requires_grad]
    leaves = theirs.leaves(), ours.leaves()
    if not theirs_out or not leaves[0]:
        raise Skip("no output to differentiate")
    carrier = Carrier(trial.library)
    cotangents = [carrier.both(_random_like(t, 10 + i, again)) for i, t in enumerate(theirs_out)]
    firsts = [a for a, _ in cotangents], [b for _, b in cotangents]
    try:
        expected = torch.autograd.grad(
            theirs_out, leaves[0], firsts[0], allow_unused=True, create_graph=again
        )
    except Exception as error:
        raise Skip(f"PyTorch's gradient: {error}") from None
    actual = trial.guard(
        lambda: trial.library.autograd.grad(
            ours_out, leaves[1], firsts[1], allow_unused=True, create_graph=again
        )
    )
    if not again:
        _compare_lists(trial, expected, actual, "gradient of input")
        return
    # What has no further derivative counts as a constant: its second derivative is None, or zero.
    seconds = [
        (None, None) if g is None else carrier.both(_random_like(g, 50 + i, False))
        for i, g in enumerate(expected)
    ]
    chosen = [i for i, g in enumerate(expected) if g is not None and g.requires_grad]
    if not chosen:
        raise Skip("the gradient is constant")
    try:
        second_expected = torch.autograd.grad(
            [expected[i] for i in chosen],
            leaves[0] + firsts[0],
            [seconds[i][0] for i in chosen],
            allow_unused=True,
        )
    except Exception as error:
        raise Skip(f"PyTorch's second gradient: {error}") from None
    chosen = [
        i
        for i, g in enumerate(actual)
        if g is not None and g.requires_grad and expected[i] is not None
    ]
    second_actual = [None] * len(second_expected)
    if chosen:
        second_actual = trial.guard(
            lambda: trial.library.autograd.grad(
                [actual[i] for i in chosen],
                leaves[1] + firsts[1],
                [seconds[i][1] for i in chosen],
                allow_unused=True,
            )
        )
    _compare_lists(trial, second_expected, second_actual, "second gradient of input or cotangent")


def _random_like(tensor: torch.Tensor, seed: int, requires_grad: bool) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(tuple(tensor.shape))
    if tensor.is_complex():
        values = values + 1j * generator.standard_normal(tuple(tensor.shape))
    return torch.from_numpy(np.asarray(values)).to(tensor.dtype).requires_grad_(requires_grad)


def _compare_lists(trial: Trial, expected: Sequence[Any], actual: Sequence[Any], what: str) -> None:
    if len(expected) != len(actual):
        raise Different(f"{len(expected)} gradients expected, got {len(actual)}")
    for index, (one, two) in enumerate(zip(expected, actual, strict=True)):
        if one is None or two is None:
            rest = one if two is None else two
            if rest is not None:
                if np.any(harness.array(rest) != 0):
                    side = "zeros or None" if one is None else "a gradient"
                    raise Different(
                        f"{what} {index}: {side} expected, got {two if one is not None else rest}"
                    )
                trial.notes.add("a gradient None where PyTorch has zeros (or zeros for None)")
            continue
        compare(one, two, trial.library, f"{what} {index}")


def check_errors(trial: Trial, sample: Any) -> None:
    """The record's wrong calls: PyTorch's exception type and first sentence."""
    trial.function
    theirs, ours = trial.carry(sample.sample_input, requires_grad=False)
    if trial.op.name.startswith("__") and not harness.is_tensor(theirs.input):
        raise Skip("a method of another type")
    torch.default_generator.manual_seed(trial.seed)
    try:
        theirs.of(trial.op.op)
    except Exception as error:
        trial.same_error(error, lambda: ours.of(trial.function))
    else:
        raise Skip("PyTorch raises nothing")


def check_jvp(trial: Trial, sample: Any) -> None:
    """Forward mode: the tangents of the outputs."""
    calls = trial.carry(sample)
    count = len(calls[0].leaves())
    if not count:
        raise Skip("no input to differentiate")
    outputs = []
    for which, library, function in ((0, torch, trial.op.op), (1, trial.library, trial.function)):
        forward = resolve(library, "autograd.forward_ad")

        def run(
            call: Call = calls[which], forward: Any = forward, function: Any = function
        ) -> list[Any]:
            with forward.dual_level():
                duals: dict[int, Any] = {}
                for index, leaf in enumerate(call.leaves()):
                    tangent = Carrier(trial.library).both(
                        _random_like(calls[0].leaves()[index], 30 + index, False)
                    )
                    pick = tangent[0 if forward is torch.autograd.forward_ad else 1]
                    duals[id(leaf)] = forward.make_dual(leaf.detach(), pick)
                dual = _replace(call, duals)
                found = []
                for tensor in flatten(call.process(dual.of(function))):
                    tangent_of = forward.unpack_dual(tensor).tangent
                    found.append(None if tangent_of is None else tangent_of.clone())
                return found

        if which == 0:
            torch.default_generator.manual_seed(trial.seed)
            try:
                outputs.append(run())
            except Exception as error:
                raise Skip(f"PyTorch: {error}") from None
        else:
            trial.library.manual_seed(trial.seed)
            outputs.append(trial.guard(run))
    _compare_lists(trial, outputs[0], outputs[1], "tangent of output")


def _replace(value: Any, by_id: dict[int, Any]) -> Any:
    if id(value) in by_id:
        return by_id[id(value)]
    if isinstance(value, Call):
        return Call(*(_replace(part, by_id) for part in value[:3]), value.process)
    if isinstance(value, dict):
        return {key: _replace(item, by_id) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_replace(item, by_id) for item in value)
    return value


def check_vmap(trial: Trial, sample: Any) -> None:
    """`vmap` over two examples: as PyTorch's, and as a loop over the examples, gradients too."""
    theirs, ours = trial.carry(sample, requires_grad=False)
    tensors = [t for t in flatten((ours.input, ours.args, ours.kwargs)) if t.numel()]
    if not tensors:
        raise Skip("no tensor to batch")
    try:
        compare_mapped(trial, theirs, ours, tensors)
    finally:
        batched = sys.modules.get(trial.library.__name__ + ".graph.batched")
        if batched is not None and batched.told:
            trial.notes.add("examples one by one under vmap")
            batched.told.clear()


def compare_mapped(trial: Trial, theirs: Call, ours: Call, tensors: Sequence[Any]) -> None:
    seen = vmap_of_first(trial, torch, theirs, trial.op.op)
    wanted = None if isinstance(seen, Exception) else seen
    if wanted is not None:
        found = trial.guard(lambda: _raised(vmap_of_first(trial, trial.library, ours, None)))
        try:
            if trial.op.name in CHOICE:
                compare(wanted, found, trial.library, values=False)
            else:
                trial.compare(wanted, found, (theirs, ours))
        except Different:
            if not examples_differ(trial, theirs, ours):
                raise
    state = trial.library.get_rng_state()
    trial.guard(lambda: ours.of(trial.function))
    if not trial.library.equal(state, trial.library.get_rng_state()):
        return  # random: the loop draws other numbers
    for axis, chosen in ((0, tensors[:1]), (0, tensors[-1:]), (-1, tensors)):
        if axis and MEMORY.match(trial.op.name):
            continue  # it shows how examples lie in memory, which a loop's copies do otherwise
        try:
            compare_with_loop(trial, ours, axis, chosen)
        except Different:
            places = [any(t is c for c in chosen) for t in tensors]
            if not refused(trial, theirs, axis, places):
                raise


def vmap_of_first(trial: Trial, library: Any, call: Call, function: Any) -> Any:
    """The operator over a stack of the first input and of it reversed; or what that raised."""
    if not harness.is_tensor(call.input) or not call.input.numel():
        return Skip("the first input is no tensor")
    function = function or trial.function
    library.manual_seed(
        trial.seed
    ) if library is not torch else torch.default_generator.manual_seed(trial.seed)
    try:
        batch = library.stack([call.input, flipped(call.input)])
        vmap = resolve(library, "func.vmap")
        return vmap(lambda x: function(x, *call.args, **call.kwargs), randomness="different")(batch)
    except Exception as error:
        return error


def refused(trial: Trial, call: Call, axis: int, places: Sequence[bool]) -> bool:
    """Whether PyTorch refuses to map the operator: over a shape that depends on values, say."""
    tensors = [t for t in flatten((call.input, call.args, call.kwargs)) if t.numel()]
    chosen = [t for t, place in zip(tensors, places, strict=True) if place]

    def one(*examples: Any) -> Any:
        by_id = {id(t): x for t, x in zip(chosen, examples, strict=True)}
        return flatten(_replace(call, by_id).of(trial.op.op))

    try:
        torch.vmap(one, axis, axis)(*[torch.stack([t, flipped(t)], axis) for t in chosen])
    except Exception:
        return True
    return False


def examples_differ(trial: Trial, theirs: Call, ours: Call) -> bool:
    """Whether an example by itself has another result in PyTorch: then vmap has no part in that."""
    for change in (lambda t: t, flipped):
        calls = theirs._replace(input=change(theirs.input)), ours._replace(input=change(ours.input))
        try:
            trial.compare(trial.expected(calls[0]), trial.actual(calls[1]), calls)
        except (Different, Skip):
            return True
    return False


def _raised(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def flipped(tensor: Any) -> Any:
    return tensor.flip(0) if tensor.ndim else tensor


def compare_with_loop(trial: Trial, call: Call, axis: int, chosen: Sequence[Any]) -> None:
    """The operator under `vmap` over some of its tensors, examples along an axis, against the same
    calls one by one: outputs, and their gradients for all floating inputs."""
    library = trial.library
    others = [
        t for t in flatten((call.input, call.args, call.kwargs)) if not any(t is c for c in chosen)
    ]
    floating = [t for t in (*chosen, *others) if t.is_floating_point() or t.is_complex()]
    results = []
    for mapped in (False, True):
        batches = [library.stack([t, flipped(t)], axis) for t in chosen]
        leaves = {id(t): t.clone() for t in others}
        for t, copy in zip((*chosen, *others), (*batches, *leaves.values()), strict=True):
            if trial.differentiable and any(t is f for f in floating):
                copy.requires_grad_()

        def one(*examples: Any, leaves: Any = leaves) -> Any:
            by_id = {**leaves, **{id(t): x for t, x in zip(chosen, examples, strict=True)}}
            given = _replace(call, by_id)
            return given.process(given.of(trial.function))

        try:
            if mapped:
                outs = trial.guard(lambda: flatten(library.vmap(one, axis, axis)(*batches)))
            else:
                rows = [
                    flatten(one(*[b.select(axis, i).clone() for b in batches])) for i in range(2)
                ]
                outs = [library.stack(column, axis) for column in zip(*rows, strict=True)]
        except (Different, Absent):
            raise
        except Exception as error:  # the examples do not fit together
            raise Skip(f"the loop: {error}") from None
        grads: list[Any] = []
        wants = [o for o in outs if o.requires_grad]
        if wants:
            cotangents = [library.ones_like(o) * (0.5 + i) for i, o in enumerate(wants)]
            inputs = [x for x in (*batches, *leaves.values()) if x.requires_grad]
            grads = trial.guard(
                lambda: list(library.autograd.grad(wants, inputs, cotangents, allow_unused=True))
            )
        results.append((outs, grads))
    for what, expected, actual in zip(("output", "gradient"), *results, strict=True):
        if len(expected) != len(actual):
            raise Different(f"{what}s: {len(expected)} by the loop, {len(actual)} by vmap")
        for index, (one_by_one, at_once) in enumerate(zip(expected, actual, strict=True)):
            if (one_by_one is None) != (at_once is None):
                rest = one_by_one if at_once is None else at_once
                if np.any(harness.array(rest) != 0):
                    raise Different(f"{what} {index}: None on one side")
                continue
            if one_by_one is None:
                continue
            kinds = [(str(t.dtype), tuple(t.shape)) for t in (one_by_one, at_once)]
            if kinds[0] != kinds[1]:
                raise Different(f"{what} {index}: {kinds[0]} by the loop, {kinds[1]} by vmap")
            arrays = harness.array(one_by_one), harness.array(at_once)
            try:
                harness.compare_arrays(*arrays, kinds[0][0].removeprefix("torch."))
            except Different as difference:
                raise Different(f"{what} {index}, vmap over {len(chosen)} along {axis}: "
                                f"{difference}") from None  # fmt: skip


CHECKS: dict[str, Callable[[Trial, Any], None]] = {
    "value": check_value,
    "edges": check_edges,
    "view": check_view,
    "noncontig": check_noncontig,
    "method": check_method,
    "alias": check_alias,
    "inplace": check_inplace,
    "out": check_out,
    "grad": check_grad,
    "gradgrad": check_gradgrad,
    "errors": check_errors,
    "jvp": check_jvp,
    "vmap": check_vmap,
}
QUICK_CHECKS = tuple(check for check in CHECKS if check not in ("edges", "alias", "jvp", "vmap"))


def applies(check: str, trial: Trial) -> bool:
    op, dtype = trial.op, trial.dtype
    if (check == "errors") != (dtype == "-"):
        return False
    if check == "errors":
        return op.error_inputs_func is not None
    return {
        "edges": isinstance(op, UnaryUfuncInfo | BinaryUfuncInfo),
        "method": op.method_variant is not None or op.operator_variant is not None,
        "alias": bool(op.aliases) and dtype == "float64",
        "inplace": op.inplace_variant is not None or op.inplace_operator_variant is not None,
        "out": op.supports_out,
        "grad": trial.differentiable,
        "gradgrad": trial.differentiable and op.supports_gradgrad and dtype in DOUBLE,
        "jvp": trial.differentiable and op.supports_forward_ad and dtype in DOUBLE,
        "vmap": dtype == "float64" and op.name not in UNINITIALISED,
    }.get(check, True)


def run_check(trial: Trial, check: str) -> Result | None:
    """One entry: the check over all samples; None when no sample says anything."""
    body = CHECKS[check]
    ran, bad, details, missing = 0, 0, "", ""
    trial.notes.clear()
    trial.complete = True
    try:
        samples = trial.samples(check)
    except Exception as error:
        return Result(
            trial.op.full_name, trial.dtype, check, "failed", f"samples: {harness.describe(error)}"
        )
    for index, sample in enumerate(samples):
        inner = sample.sample_input if check == "errors" else sample
        big = sum(t.numel() for t in flatten((inner.input, inner.args, inner.kwargs))) > ELEMENTS
        if big and (check, trial.dtype) != ("value", "float64"):
            continue
        trial.seed = 1 + index
        try:
            body(trial, sample)
            ran += 1
        except Done:
            ran += 1
        except Skip:
            continue
        except Absent as name:
            missing = str(name)
            if not ran and index == 0:
                break
        except Exception as difference:
            if not isinstance(difference, Different):
                if name := lacking(difference, trial.library):
                    missing = name
                    continue
                difference = Different(f"in the harness: {harness.describe(difference)}")
            ran += 1
            bad += 1
            if not details:
                details = f"{difference}\n  sample {index}: {_sample_text(inner)}"
    if not ran and not missing:
        return None
    status = "failed" if bad else "absent" if missing else "passed"
    noted = ", ".join(sorted(trial.notes))
    return Result(
        trial.op.full_name,
        trial.dtype,
        check,
        status,
        details or missing,
        ran,
        bad,
        noted,
        trial.complete,
    )


def _sample_text(sample: Any) -> str:
    parts = [harness.short(sample.input, 200)] + [harness.short(a, 200) for a in sample.args]
    parts += [f"{key}={harness.short(value, 200)}" for key, value in sample.kwargs.items()]
    return "(" + ", ".join(parts) + ")"


def run_operator(op: Any, library: types.ModuleType, options: argparse.Namespace) -> list[Result]:
    """Every entry of one operator record."""
    results = []
    supported = op.supported_dtypes("cpu")
    for dtype in (*options.dtypes, "-"):
        if dtype != "-" and getattr(torch, dtype) not in supported:
            continue
        trial = Trial(op, dtype, library, options.quick)
        checks = [check for check in options.chosen if applies(check, trial)]
        done: list[str] = []
        try:
            with harness.time_limit(SECONDS):
                for check in checks:
                    result = run_check(trial, check)
                    done.append(check)
                    if result is not None:
                        results.append(result)
        except harness.TimeLimit as limit:
            late = next(check for check in checks if check not in done)
            results.append(Result(op.full_name, dtype, late, "failed", str(limit)))
    return results


# ------------------------------------------------------------------------------------ the summary


def summary(results: Sequence[Result], families: dict[str, str]) -> None:
    """Counts by family: passed of all entries that leafgrad has, and the absent ones."""
    checks = [check for check in CHECKS if any(r.check == check for r in results)]
    titles = sorted(set(families.values()))
    print(f"{'passed/run':20}" + "".join(f"{check:>11}" for check in checks) + f"{'absent':>9}")
    for title in [*titles, "all"]:
        row = [r for r in results if title == "all" or families.get(r.name) == title]
        if not row:
            continue
        cells = []
        for check in checks:
            present = [r for r in row if r.check == check and r.status != "absent"]
            passed = sum(r.status == "passed" for r in present)
            cells.append(f"{passed}/{len(present)}" if present else "-")
        absent = sum(r.status == "absent" for r in row)
        print(f"{title:20}" + "".join(f"{cell:>11}" for cell in cells) + f"{absent:>9}")
    for check in ("value", "grad", "gradgrad"):
        of = [r for r in results if r.dtype == "float64" and r.check == check]
        if of:
            passed = sum(r.status == "passed" for r in of)
            print(f"float64 {check}: {passed} of {len(of)} entries of the database pass")


def arguments(parser: argparse.ArgumentParser) -> None:
    harness.common_options(parser)
    parser.add_argument("--dtype", default="", help="comma-separated; all six by default")
    parser.add_argument("--checks", default="", help="comma-separated; " + ",".join(CHECKS))
    parser.add_argument("--quick", action="store_true", help="float64 and int64, few samples")


def run(options: argparse.Namespace) -> list[Result]:
    """Run what the options choose, print the summary, give the results."""
    library = load(options.self_test)
    options.dtypes = (
        tuple(options.dtype.split(","))
        if options.dtype
        else (QUICK_DTYPES if options.quick else DTYPES)
    )
    options.chosen = (
        tuple(options.checks.split(","))
        if options.checks
        else (QUICK_CHECKS if options.quick else tuple(CHECKS))
    )
    if unknown := set(options.chosen) - set(CHECKS):
        raise SystemExit(f"no such check: {', '.join(sorted(unknown))}")
    pattern = re.compile(options.k)
    ops = [op for op in op_db if pattern.search(op.full_name) and not LEFT_OUT.search(op.full_name)]
    began = time.monotonic()
    results: list[Result] = []
    batches = harness.in_parallel(
        lambda index: run_operator(ops[index], library, options),
        [op.full_name for op in ops],
        options.jobs,
        8 * SECONDS,
    )
    for done, found in enumerate(batches, 1):
        results.extend(found)
        if sys.stderr.isatty():
            print(f"\r{done} of {len(ops)} operators", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    results.sort(key=lambda r: r.key)
    summary(results, {op.full_name: family(op) for op in ops})
    print(f"{len(ops)} operators, {len(results)} entries, {time.monotonic() - began:.0f} s")
    return results


def covers(options: argparse.Namespace) -> harness.Covers:
    """Whether a run with these options runs every entry of a name."""
    part = options.k or options.quick or options.dtype or options.checks
    return lambda name: not part and "/" not in name


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments(parser)
    options = parser.parse_args(argv)
    return harness.finish(run(options), options, covers(options))


if __name__ == "__main__":
    raise SystemExit(main())
