"""Random tensors: PyTorch's names over the generator in `leafgrad.generator`.

The numbers, and the order in which they are drawn, are PyTorch's for the same seed: in the order of
the memory of what is filled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..device import CPU, require_cpu
from ..dtypes import dtype, from_numpy_dtype, get_default_dtype, int64
from ..duck import Duck, whole
from ..generator import Generator, default_generator
from ..graph.inplace import check_writable, write
from ..graph.modes import current
from ..graph.operator import op, write_out
from ..graph.source import fail
from ..tensor import Tensor, wrap
from .arithmetic import _NAMES_IN_C
from .casting import cast
from .creation import _given_size, _sizes, made
from .shape import broadcast_tensors

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


# Under `func.vmap` numbers are drawn for all examples, as its `randomness` says: the array to draw
# for is then a batch (`template`), and is drawn for in one go (`per_example`).


def template(array: Any, fresh: bool = True, values: bool = False) -> Any:
    """The array to draw numbers for in place of `array`.

    fresh: they make a new tensor; else they are written into one; values: they depend on the array
    """
    if current().transforms is None:
        return array
    from ..graph.vmap import sampled

    return sampled(array, fresh, values)


def per_example(draw: Any, array: Any) -> Any:
    """`draw(array)`, on the data of a batch."""
    if isinstance(array, Duck) and array.rank:
        from ..graph.vmap import fill

        return fill(draw, array)
    return draw(array)


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
    if isinstance(array, Duck) and array.rank:
        return per_example(lambda a: _reals(draw, a), array)
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


def _fill_reals(self: Tensor, draw: Any, name: str) -> Tensor:
    return _filled(self, _reals(draw, template(self._array, False)), name)


def _source(generator: Any) -> Generator:
    return generator or default_generator


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None,
             **kwargs: Any) -> Tensor:  # fmt: skip
    """Fill with uniform samples from [from, to)."""
    _check_floating(self.dtype, "check_uniform_bounds")
    low, high = float(kwargs.pop("from", from_)), float(to)
    if low > high:
        fail(RuntimeError, f"uniform_ expects to return a [from, to) range, but found from={low:g}"
                           f" > to={high:g}")  # fmt: skip
    source = _source(generator)
    return _fill_reals(self, lambda n, kind: source.uniform(n, kind, low, high), "Uniform")


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with normal samples."""
    _check_floating(self.dtype, "normal_kernel_cpu")
    _check_deviation(std)
    values = _normals(template(self._array, False), mean, std, generator)
    return _filled(self, values, "Normal")


def _check_floating(kind: dtype, kernel: str) -> None:
    if kind.category < 2:
        fail(NotImplementedError, f"\"{kernel}\" not implemented for '{kind.legacy}'")


def _check_continuous(kind: dtype, name: str, called: str) -> None:
    if not kind.is_floating_point:
        fail(RuntimeError, f"{name} distribution is a continuous probability distribution. dtype "
                           f"must be a floating point but you specified {called}")  # fmt: skip


def _check_deviation(std: float) -> None:
    if std < 0:
        fail(RuntimeError, f"normal expects std >= 0.0, but found std {std:g}")


def _normals(array: Any, mean: Any, std: Any, generator: Any) -> Any:
    if isinstance(array, Duck) and array.rank:
        return per_example(lambda a: _normals(a, mean, std, generator), array)
    source = _source(generator)
    dense = array.flags.c_contiguous
    if array.dtype.kind == "c":  # the mean is that of both parts
        std = std * math.sqrt(0.5)
    return _reals(lambda n, kind: source.normal(n, kind, mean, std, dense), array)


def random_(self: Tensor, *args: Any, generator: Any = None, **kwargs: Any) -> Tensor:
    """Fill with integers: `random_()`, `random_(to)`, `random_(from, to)`."""
    source = _source(generator)
    low, high = {0: (None, None), 1: (0, args[0] if args else None)}.get(len(args), args[:2])
    low, high = kwargs.get("from", low), kwargs.get("to", high)
    array = template(self._array, False)
    if low is not None and high is not None and low >= high:
        fail(RuntimeError, f"random_ expects 'from' to be less than 'to', but got from={low} >= "
                           f"to={high}")  # fmt: skip

    def draw(a: Any) -> Any:
        if low is None:
            return _placed(source.random(a.size, a.dtype), a)
        return _placed(source.integers(a.size, low, high, a.dtype), a)

    return _filled(self, per_example(draw, array), "Random")


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with ones of probability p (a number, or a tensor that broadcasts), else zeros."""
    source, array = _source(generator), template(self._array, False)
    if isinstance(p, Tensor):
        _check_probability(whole(p._array))
        chances = template(p._array, values=True)
        if array.__class__ is np.ndarray and chances.__class__ is np.ndarray:
            chances = np.broadcast_to(chances, array.shape)
        else:  # as many numbers as the tensor has examples
            chances = chances + np.zeros_like(array, dtype=chances.dtype)
        values = per_example(source.bernoulli_tensor, _kept_precision(chances))
    else:
        _check_probability(np.asarray(p))
        values = per_example(lambda a: _placed(source.bernoulli(a.size, float(p)), a), array)
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
        check_writable(out, False)
        drawn = bernoulli(input.detach(), p, generator=generator)
        return write_out("bernoulli", out, lambda: cast(drawn, out.dtype), (), {})
    if p is not None:
        return wrap(np.empty_like(input._array)).bernoulli_(p, generator=generator)  # type: ignore[attr-defined,no-any-return]
    array = input._array
    if array.dtype.kind not in "fV":
        fail(RuntimeError, "\"bernoulli_tensor_cpu_p_\" not implemented for "
                           f"'{input.dtype.legacy}'")  # fmt: skip
    _check_probability(whole(array))
    order = np.copy(_kept_precision(template(array, values=True)), order="C")
    values = per_example(_source(generator).bernoulli_tensor, order)
    return _drawn(input, values.astype(array.dtype))  # type: ignore[no-any-return]


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with exponential samples of rate lambd."""
    _check_continuous(self.dtype, "Exponential", self.dtype.legacy)
    if lambd <= 0:
        fail(RuntimeError, f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    source = _source(generator)
    return _fill_reals(self, lambda n, kind: source.exponential(n, kind, lambd), "Exponential")


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *,
            generator: Any = None) -> Tensor:  # fmt: skip
    """Fill with Cauchy samples."""
    called = _NAMES_IN_C.get(self.dtype.name, self.dtype.name)
    _check_continuous(self.dtype, "Cauchy", called)
    if sigma <= 0:
        fail(RuntimeError, f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    source = _source(generator)
    return _fill_reals(self, lambda n, kind: source.cauchy(n, kind, median, sigma), "Cauchy")


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *,
                generator: Any = None) -> Tensor:  # fmt: skip
    """Fill with e to the power of normal samples."""
    if not self.dtype.is_floating_point:
        fail(NotImplementedError, f"\"log_normal_cpu\" not implemented for '{self.dtype.legacy}'")
    if std <= 0:
        fail(RuntimeError, f"log_normal_ expects std > 0.0, but found std={std:g}")
    source = _source(generator)
    return _fill_reals(self, lambda n, kind: source.log_normal(n, kind, mean, std), "LogNormal")


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with the number of trials until the first success of probability p."""
    if self.dtype.category in (0, 3):
        fail(NotImplementedError, f"\"geometric_cpu\" not implemented for '{self.dtype.legacy}'")
    if not 0 < p < 1:
        fail(RuntimeError, f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    source = _source(generator)
    values = per_example(
        lambda a: _placed(source.geometric(a.size, a.dtype, p), a), template(self._array, False)
    )
    return _filled(self, values, "Geometric")


# New tensors


def _new(values: Any, requires_grad: bool, out: Any) -> Tensor:
    if out is not None:
        return write_out("out", out, lambda: wrap(values), (), {})  # type: ignore[no-any-return]
    return made(values, requires_grad)


def _kind(dtype: Any, out: Any, default: Any) -> Any:
    """The dtype of a new tensor, or of that to write to."""
    if out is None:
        return dtype or default
    if dtype is not None and dtype is not out.dtype:
        fail(RuntimeError, f"dtype {dtype.legacy} does not match dtype of out parameter "
                           f"({out.dtype.legacy})")  # fmt: skip
    return out.dtype


def _target(size: Any, dtype: Any, out: Any, kernel: str) -> Any:
    """The array to draw for: that of `out`, if it has the size, for the order in memory counts.

    kernel: the name of PyTorch's, which takes no integers
    """
    kind = _kind(dtype, out, get_default_dtype())
    _check_floating(kind, kernel)
    if out is not None and out._array.shape == tuple(size):
        return template(out._array)
    return template(np.empty(size, kind.numpy))


def rand(*size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
         device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
         **kwargs: Any) -> Tensor:  # fmt: skip
    """Uniform samples from [0, 1)."""
    require_cpu(device)
    array = _target(_given_size(size, kwargs), dtype, out, "check_uniform_bounds")
    return _new(_reals(_source(generator).uniform, array), requires_grad, out)


def randn(*size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
          device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
          **kwargs: Any) -> Tensor:  # fmt: skip
    """Normal samples of mean 0 and variance 1."""
    require_cpu(device)
    array = _target(_given_size(size, kwargs), dtype, out, "normal_kernel_cpu")
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
    kind = _kind(dtype, out, int64).numpy
    source = _source(generator)
    values = per_example(
        lambda a: source.integers(a.size, low, high, kind).reshape(a.shape),
        template(np.empty(size, kind)),
    )
    return _new(values, requires_grad, out)


def randperm(n: int, *, generator: Any = None, out: Any = None, dtype: Any = None,
             layout: Any = None, device: Any = None, requires_grad: bool = False,
             pin_memory: bool = False) -> Tensor:  # fmt: skip
    """The integers 0 to n - 1 in random order."""
    require_cpu(device)
    if n < 0:
        fail(RuntimeError, f"n must be non-negative, got {n}")
    source = _source(generator)

    def draw(a: Any) -> Any:
        rows = [source.permutation(n) for _ in range(math.prod(a.shape[:-1]))]
        return np.reshape(rows, a.shape)

    kind = _kind(dtype, out, int64).numpy
    values = per_example(draw, template(np.empty(n, np.int64))).astype(kind)
    return _new(values, requires_grad, out)


def rand_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None,
              generator: Any = None) -> Tensor:  # fmt: skip
    """Uniform samples in the shape, dtype and memory order of `input`."""
    require_cpu(device)
    array = template(np.empty_like(input._array, dtype=dtype.numpy if dtype else None))
    return made(_reals(_source(generator).uniform, array), requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None,
               generator: Any = None) -> Tensor:  # fmt: skip
    """Normal samples in the shape, dtype and memory order of `input`."""
    require_cpu(device)
    array = template(np.empty_like(input._array, dtype=dtype.numpy if dtype else None))
    return made(_normals(array, 0.0, 1.0, generator), requires_grad)


def randint_like(input: Tensor, *args: Any, dtype: Any = None, layout: Any = None,
                 device: Any = None, requires_grad: bool = False, memory_format: Any = None,
                 generator: Any = None, **kwargs: Any) -> Tensor:  # fmt: skip
    """Integers in the shape, dtype and memory order of `input`."""
    require_cpu(device)
    low, high = (0, args[0]) if len(args) == 1 else args or (0, None)
    low, high = int(kwargs.get("low", low)), int(kwargs.get("high", high))
    array = template(np.empty_like(input._array, dtype=dtype.numpy if dtype else None))
    source = _source(generator)
    values = per_example(lambda a: _placed(source.integers(a.size, low, high, a.dtype), a), array)
    return made(values, requires_grad)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None,
           out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Normal samples: of numbers mean and std in a size, or elementwise of tensors."""
    require_cpu(device)
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise TypeError("normal() received an invalid combination of arguments: numbers for "
                            "mean and std need a size")  # fmt: skip
        array = _target(_sizes((size,)), dtype, out, "normal_kernel_cpu")
        _check_deviation(std)
        return _new(_normals(array, mean, std, generator), requires_grad, out)
    of_mean, of_std = isinstance(mean, Tensor), isinstance(std, Tensor)
    if not of_std:
        _check_deviation(std)
    elif np.any(whole(std._array) < 0):
        fail(RuntimeError, "normal expects all elements of std >= 0.0")
    tensors = [t for t in (mean, std) if isinstance(t, Tensor)]
    for t in tensors:
        template(t._array, values=True)  # refuses what is batched where all draw the same
    shape = tensors[0]._array.shape
    if of_mean and of_std:
        shape = broadcast_tensors(*tensors)[0].shape
    elif out is not None and out._array.shape != shape:
        broadcast_tensors(*tensors, out)  # PyTorch does not resize `out` here
    array = _target(shape, None if out is not None else tensors[0].dtype, out, "normal_kernel_cpu")
    values = _normals(array, 0.0, 1.0 if of_std else std, generator)
    if of_std:
        values = (values * std._array).astype(array.dtype)
    values = (values + _value(mean, array.dtype)).astype(array.dtype)
    if out is not None:
        return write_out("normal", out, lambda: wrap(values), (), {})  # type: ignore[no-any-return]
    return _NORMALS[of_mean, of_std](*tensors, values)  # type: ignore[no-any-return]


@op(name="normal", node="NormalBackward1")
def _about_means(mean, /, values):
    """`values`, of which the gradient for the means is zero."""
    return values


@op(name="normal", node="NormalBackward2")
def _with_deviations(std, /, values):
    """`values`, of which the gradient for the deviations is zero."""
    return values


@op(name="normal", node="NormalBackward3")
def _normally(mean, std, /, values):
    """`values`, of which the gradients for means and deviations are zero."""
    return values


_about_means.vjp(mean=lambda g: np.zeros_like(g))
_with_deviations.vjp(std=lambda g: np.zeros_like(g))
_normally.vjp(mean=lambda g: np.zeros_like(g), std=lambda g: np.zeros_like(g))
# By whether the means and whether the deviations are a tensor.
_NORMALS = {
    (True, False): _about_means, (False, True): _with_deviations, (True, True): _normally,
}  # fmt: skip


def _value(x: Any, kind: Any) -> Any:
    return x._array if isinstance(x, Tensor) else np.asarray(x).astype(kind)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *,
                generator: Any = None, out: Any = None) -> Tensor:  # fmt: skip
    """Indices drawn with the weights in each row: f[n] -> i[samples], f[m, n] -> i[m, samples]."""
    if out is not None:
        if out.dtype is not int64:
            fail(RuntimeError, f"multinomial expects Long tensor out, got: {out.dtype.legacy}")
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
    every = whole(p)
    if replacement and num_samples > 1:
        what = "= infinity or NaN" if np.any(every == math.inf) else ""
        what = what if np.all(every >= 0) else "< 0"
        if what:
            fail(RuntimeError, "invalid multinomial distribution (encountering probability entry "
                               f"{what})")  # fmt: skip
    if not np.all(np.isfinite(every)) or np.any(every < 0):
        fail(RuntimeError, "probability tensor contains either `inf`, `nan` or element < 0")
    if np.any(every.sum(-1) == 0):
        fail(RuntimeError, "invalid multinomial distribution (sum of probabilities <= 0)")
    source = _source(generator)

    def draw(a: Any) -> Any:
        rows = a.reshape((math.prod(a.shape[:-1]), a.shape[-1]))
        return source.multinomial(rows, num_samples, replacement).reshape((*a.shape[:-1], -1))

    return wrap(per_example(draw, template(p, values=True)))


def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Poisson samples of the rates in `input`. The numbers for a seed are not PyTorch's."""
    source = _source(generator)
    random = np.random.Generator(np.random.PCG64(int(source.words64(1)[0])))
    rates = template(input._array, values=True)
    values = per_example(random.poisson, rates).astype(rates.dtype)
    return _drawn(input, values)  # type: ignore[no-any-return]
