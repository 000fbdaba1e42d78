"""Random tensors: PyTorch's names over the generator in `leafgrad.generator`.

The numbers, and the order in which they are drawn, are PyTorch's for the same seed: in the order of
the memory of what is filled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..device import CPU, require_cpu
from ..dtypes import from_numpy_dtype, get_default_dtype, int64
from ..generator import Generator, default_generator
from ..graph.inplace import write
from ..graph.operator import op, write_out
from ..graph.source import fail
from ..tensor import Tensor, wrap
from .creation import _given_size, _sizes, made

__all__ = [
    "bernoulli", "get_rng_state", "initial_seed", "manual_seed", "multinomial", "normal",
    "poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm",
    "seed", "set_rng_state",
]  # fmt: skip
METHODS = (
    "bernoulli", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_",
    "multinomial", "normal_", "random_", "uniform_",
)  # fmt: skip


# The generator's state


def manual_seed(seed: Any) -> Generator:
    """Start the default generator anew from a seed; returns it."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the default generator from a seed that is different each time; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed from which the default generator started."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, a tensor of 5056 bytes."""
    return _get_state(default_generator)


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state that `get_rng_state` gave."""
    _set_state(default_generator, new_state)


def _get_state(self: Generator) -> Tensor:
    """The state, a tensor of 5056 bytes."""
    return wrap(self.get_state_bytes())


def _set_state(self: Generator, new_state: Tensor) -> Generator:
    """Put the generator into a state that `get_state` gave."""
    if not isinstance(new_state, Tensor):
        raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
    return self.set_state_bytes(new_state._array)


Generator.get_state = _get_state  # type: ignore[attr-defined]
Generator.set_state = _set_state  # type: ignore[attr-defined]
Generator.device = CPU  # type: ignore[attr-defined]


# Filling


def _placed(values: Any, like: Any) -> Any:
    """Values drawn in the order of `like`'s memory, as an array of its shape."""
    if like.flags.c_contiguous:
        return values.reshape(like.shape)
    order = sorted(range(like.ndim), key=lambda d: -like.strides[d])
    shape = tuple(like.shape[d] for d in order)
    return np.transpose(values.reshape(shape), np.argsort(order))


def _reals(draw: Any, array: Any) -> Any:
    """Draw for an array; complex ones as twice as many reals, interleaved."""
    if array.dtype.kind != "c":
        return _placed(draw(array.size, array.dtype), array)
    real = np.dtype("float64") if array.dtype.itemsize == 16 else np.dtype("float32")
    return _placed(draw(2 * array.size, real).view(array.dtype), array)


def _fill_op(node: str) -> Any:
    @op(name=node.removesuffix("Backward0").lower(), node=node)
    def fill(input, /, values):
        """`values`, of which the gradient for `input` is zero."""
        return values

    return fill.vjp(input=lambda g: np.zeros_like(g))


_FILLS = {name: _fill_op(f"{name}Backward0")
          for name in ("Bernoulli", "Cauchy", "Exponential", "Geometric", "LogNormal", "Normal",
                       "Random", "Uniform")}  # fmt: skip


def _filled(self: Tensor, values: Any, name: str) -> Tensor:
    return write(_FILLS[name].op, self, (), (values,))  # type: ignore[no-any-return]


def _source(generator: Any) -> Generator:
    return generator or default_generator


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None,
             **kwargs: Any) -> Tensor:  # fmt: skip
    """Fill with uniform samples from [from, to)."""
    low, high = float(kwargs.pop("from", from_)), float(to)
    if low > high:
        fail(RuntimeError, f"uniform_ expects to return a [from, to) range, but found from={low:g}"
                           f" > to={high:g}")  # fmt: skip
    source = _source(generator)
    values = _reals(lambda n, kind: source.uniform(n, kind, low, high), self._array)
    return _filled(self, values, "Uniform")


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with normal samples."""
    if std < 0:
        fail(RuntimeError, f"normal expects std >= 0.0, but found std {std:g}")
    return _filled(self, _normals(self._array, mean, std, generator), "Normal")


def _normals(array: Any, mean: Any, std: Any, generator: Any) -> Any:
    source = _source(generator)
    whole = array.flags.c_contiguous
    if array.dtype.kind == "c":
        values = _reals(lambda n, kind: source.normal(n, kind, 0.0, std * math.sqrt(0.5), whole),
                        array)  # fmt: skip
        return values + mean if mean else values
    return _reals(lambda n, kind: source.normal(n, kind, mean, std, whole), array)


def random_(self: Tensor, *args: Any, generator: Any = None, **kwargs: Any) -> Tensor:
    """Fill with integers: `random_()`, `random_(to)`, `random_(from, to)`."""
    source = _source(generator)
    low, high = {0: (None, None), 1: (0, args[0] if args else None)}.get(len(args), args[:2])
    low, high = kwargs.get("from", low), kwargs.get("to", high)
    array = self._array
    if low is None:
        values = source.random(array.size, array.dtype)
    else:
        if high is not None and low >= high:
            fail(RuntimeError, f"random_ expects 'from' to be less than 'to', but got from={low} "
                               f">= to={high}")  # fmt: skip
        values = source.integers(array.size, low, high, array.dtype)
    return _filled(self, _placed(values, array), "Random")


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with ones of probability p (a number, or a tensor that broadcasts), else zeros."""
    source, array = _source(generator), self._array
    if isinstance(p, Tensor):
        _check_probability(p._array)
        chances = np.broadcast_to(p._array, array.shape)
        values = source.bernoulli_tensor(_kept_precision(chances))
    else:
        _check_probability(np.asarray(p))
        values = _placed(source.bernoulli(array.size, float(p)), array)
    return _filled(self, values.astype(array.dtype), "Bernoulli")


def _kept_precision(p: Any) -> Any:
    return p if p.dtype == np.float64 else p.astype(np.float32)


def _check_probability(p: Any) -> None:
    if not np.all((p >= 0) & (p <= 1)):
        if p.ndim == 0:
            fail(RuntimeError, f"bernoulli_ expects p to be in [0, 1], but got p={float(p):g}")
        fail(RuntimeError, "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could "
                           "this error message be improved?  If so, please report an enhancement "
                           "request to PyTorch.)")  # fmt: skip


@op(name="bernoulli", node="BernoulliBackward0")
def _drawn(input, /, values):
    """`values`, of which the gradient for `input` is zero."""
    return values


_drawn.vjp(input=lambda g: np.zeros_like(g))


def bernoulli(input: Tensor, p: Any = None, *, generator: Any = None, out: Any = None) -> Tensor:
    """Ones with the probabilities in `input` (or p), else zeros."""
    if out is not None:
        return write_out("bernoulli", out, bernoulli, (input, p), {"generator": generator})  # type: ignore[no-any-return]
    if p is not None:
        return wrap(np.empty_like(input._array)).bernoulli_(p, generator=generator)  # type: ignore[attr-defined,no-any-return]
    array = input._array
    if array.dtype.kind not in "fV":
        fail(RuntimeError, "\"bernoulli_tensor_cpu_p_\" not implemented for "
                           f"'{input.dtype.legacy}'")  # fmt: skip
    _check_probability(array)
    order = np.asarray(_kept_precision(array), order="C")
    values = _source(generator).bernoulli_tensor(order)
    return _drawn(input, values.astype(array.dtype))  # type: ignore[no-any-return]


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with exponential samples of rate lambd."""
    if lambd <= 0:
        fail(RuntimeError, f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    source = _source(generator)
    values = _reals(lambda n, kind: source.exponential(n, kind, lambd), self._array)
    return _filled(self, values, "Exponential")


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *,
            generator: Any = None) -> Tensor:  # fmt: skip
    """Fill with Cauchy samples."""
    if sigma <= 0:
        fail(RuntimeError, f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    source = _source(generator)
    values = _reals(lambda n, kind: source.cauchy(n, kind, median, sigma), self._array)
    return _filled(self, values, "Cauchy")


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *,
                generator: Any = None) -> Tensor:  # fmt: skip
    """Fill with e to the power of normal samples."""
    if std <= 0:
        fail(RuntimeError, f"log_normal_ expects std > 0.0, but found std={std:g}")
    source = _source(generator)
    values = _reals(lambda n, kind: source.log_normal(n, kind, mean, std), self._array)
    return _filled(self, values, "LogNormal")


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with the number of trials until the first success of probability p."""
    if not 0 < p < 1:
        fail(RuntimeError, f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    source, array = _source(generator), self._array
    return _filled(self, _placed(source.geometric(array.size, array.dtype, p), array), "Geometric")


# New tensors


def _new(values: Any, requires_grad: bool, out: Any) -> Tensor:
    if out is not None:
        return write_out("out", out, lambda: wrap(values), (), {})  # type: ignore[no-any-return]
    return made(values, requires_grad)


def _float_kind(dtype: Any, out: Any, name: str) -> Any:
    kind = dtype or (out.dtype if out is not None else get_default_dtype())
    if kind.category < 2:
        fail(NotImplementedError, f"\"{name}\" not implemented for '{kind.legacy}'")
    return kind.numpy


def rand(*size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
         device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
         **kwargs: Any) -> Tensor:  # fmt: skip
    """Uniform samples from [0, 1)."""
    require_cpu(device)
    array = np.empty(_given_size(size, kwargs), _float_kind(dtype, out, "check_uniform_bounds"))
    return _new(_reals(_source(generator).uniform, array), requires_grad, out)


def randn(*size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
          device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
          **kwargs: Any) -> Tensor:  # fmt: skip
    """Normal samples of mean 0 and variance 1."""
    require_cpu(device)
    array = np.empty(_given_size(size, kwargs), _float_kind(dtype, out, "normal_kernel_cpu"))
    return _new(_normals(array, 0.0, 1.0, generator), requires_grad, out)


def randint(*args: Any, generator: Any = None, out: Any = None, dtype: Any = None,
            layout: Any = None, device: Any = None, requires_grad: bool = False,
            pin_memory: bool = False, **kwargs: Any) -> Tensor:  # fmt: skip
    """Integers from low (0) to high, exclusive: `randint(high, size)`, `randint(low, high, size)`."""
    require_cpu(device)
    names = ("high", "size") if len(args) + len(kwargs) < 3 else ("low", "high", "size")
    if "low" in kwargs and "high" not in kwargs:
        names = ("high", "size")
    free = [n for n in names if n not in kwargs]
    given = {**dict(zip(free, args, strict=False)), **kwargs}
    low, high = int(given.get("low", 0)), int(given["high"])
    if low >= high:
        fail(RuntimeError, f"random_ expects 'from' to be less than 'to', but got from={low} >= "
                           f"to={high}")  # fmt: skip
    size = _sizes((given["size"],))
    kind = (dtype or (out.dtype if out is not None else int64)).numpy
    count = math.prod(size)
    values = _source(generator).integers(count, low, high, kind).reshape(size)
    return _new(values, requires_grad, out)


def randperm(n: int, *, generator: Any = None, out: Any = None, dtype: Any = int64,
             layout: Any = None, device: Any = None, requires_grad: bool = False,
             pin_memory: bool = False) -> Tensor:  # fmt: skip
    """The integers 0 to n - 1 in random order."""
    require_cpu(device)
    if n < 0:
        fail(RuntimeError, f"n must be non-negative, got {n}")
    values = _source(generator).permutation(n).astype(dtype.numpy)
    return _new(values, requires_grad, out)


def rand_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None,
              generator: Any = None) -> Tensor:  # fmt: skip
    """Uniform samples in the shape, dtype and memory order of `input`."""
    require_cpu(device)
    array = np.empty_like(input._array, dtype=dtype.numpy if dtype else None)
    return made(_reals(_source(generator).uniform, array), requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None,
               generator: Any = None) -> Tensor:  # fmt: skip
    """Normal samples in the shape, dtype and memory order of `input`."""
    require_cpu(device)
    array = np.empty_like(input._array, dtype=dtype.numpy if dtype else None)
    return made(_normals(array, 0.0, 1.0, generator), requires_grad)


def randint_like(input: Tensor, *args: Any, dtype: Any = None, layout: Any = None,
                 device: Any = None, requires_grad: bool = False, memory_format: Any = None,
                 generator: Any = None, **kwargs: Any) -> Tensor:  # fmt: skip
    """Integers in the shape, dtype and memory order of `input`."""
    require_cpu(device)
    low, high = (0, args[0]) if len(args) == 1 else args or (0, None)
    low, high = int(kwargs.get("low", low)), int(kwargs.get("high", high))
    array = np.empty_like(input._array, dtype=dtype.numpy if dtype else None)
    values = _source(generator).integers(array.size, low, high, array.dtype)
    return made(_placed(values, array), requires_grad)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None,
           out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Normal samples: of numbers mean and std in a size, or elementwise of tensors."""
    require_cpu(device)
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise TypeError("normal() received an invalid combination of arguments: numbers for "
                            "mean and std need a size")  # fmt: skip
        kind = (dtype or (out.dtype if out is not None else get_default_dtype())).numpy
        array = np.empty(_sizes((size,)), kind)
        if std < 0:
            fail(RuntimeError, f"normal expects std >= 0.0, but found std {std:g}")
        return _new(_normals(array, mean, std, generator), requires_grad, out)
    first = mean if isinstance(mean, Tensor) else std
    shape = np.broadcast_shapes(*(t._array.shape for t in (mean, std) if isinstance(t, Tensor)))
    if isinstance(std, Tensor) and np.any(std._array < 0):
        fail(RuntimeError, "normal expects all elements of std >= 0.0")
    array = np.empty(shape, first._array.dtype)
    base = _normals(array, 0.0, 1.0, generator)
    values = base * _value(std, array.dtype) + _value(mean, array.dtype)
    result = _drawn(first, values.astype(array.dtype)) if shape == first._array.shape else \
        wrap(values.astype(array.dtype))  # fmt: skip
    if out is not None:
        return write_out("normal", out, lambda: result, (), {})  # type: ignore[no-any-return]
    return result


def _value(x: Any, kind: Any) -> Any:
    return x._array if isinstance(x, Tensor) else np.asarray(x).astype(kind)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *,
                generator: Any = None, out: Any = None) -> Tensor:  # fmt: skip
    """Indices drawn with the weights in each row: f[n] -> i[samples], f[m, n] -> i[m, samples]."""
    if out is not None:
        return write_out("multinomial", out, multinomial, (input, num_samples, replacement),
                         {"generator": generator})  # type: ignore[no-any-return]  # fmt: skip
    p = input._array
    if p.ndim not in (1, 2):
        fail(RuntimeError, "prob_dist must be 1 or 2 dim")
    if p.dtype.kind not in "fV":
        fail(RuntimeError, "multinomial only supports floating-point dtypes for input, got: "
                           f"{from_numpy_dtype(p.dtype).legacy}")  # fmt: skip
    if num_samples <= 0:
        fail(RuntimeError, "cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > p.shape[-1]:
        fail(
            RuntimeError, "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if not np.all(np.isfinite(p)) or np.any(p < 0):
        fail(RuntimeError, "probability tensor contains either `inf`, `nan` or element < 0")
    if np.any(p.sum(-1) == 0):
        fail(RuntimeError, "invalid multinomial distribution (sum of probabilities <= 0)")
    found = _source(generator).multinomial(np.atleast_2d(p), num_samples, replacement)
    return wrap(found if p.ndim == 2 else found[0])


def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Poisson samples of the rates in `input`. The numbers for a seed are not PyTorch's."""
    source = _source(generator)
    random = np.random.Generator(np.random.PCG64(int(source.words64(1)[0])))
    values = random.poisson(input._array).astype(input._array.dtype)
    return _drawn(input, values)  # type: ignore[no-any-return]
