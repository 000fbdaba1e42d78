"""PyTorch's CPU random numbers, bit for bit, as NumPy arrays.

A :class:`Generator` holds the Mersenne twister MT19937 and one spare normal sample, as PyTorch's
does. Every method hands out a new array of the values that PyTorch would write, in the order of
the memory it writes to, and uses up as many words of the stream.

Three things make the difference between the same distribution and the same bits:

- PyTorch's kernels are compiled with fused multiply-add: ``x * y + z`` is rounded once.
- They call the C library's ``log``, ``sin``, ... for doubles. So does :mod:`math`, while NumPy
  brings its own on some processors, which differ in the last bit.
- Sixteen or more float32 normals come from Cephes' single precision polynomials.

Arguments are taken as valid: who calls has checked them.
"""

from __future__ import annotations

import cmath
import math
import operator
import os
import sys
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]

__all__ = ["Generator", "default_generator"]

_DEFAULT_SEED = 67280421310721
_BLOCK = 624  # the words that MT19937 makes at a time
_STATE_BYTES = 5056
# Where the state's parts stand in its bytes, each counted in items of its own size.
_STATE_LEFT, _STATE_SEEDED, _STATE_SPARE_VALID = 2, 3, 1260  # int32
_STATE_NEXT, _STATE_WORDS = 2, 3  # uint64
_STATE_SPARE = 628  # float64
_STATE_FLOAT_SPARE = 5048  # bytes: a float and its flag, which no CPU kernel uses

# Bits of the significand, the leading one counted.
_DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
_UNIT = 2.0**-53
_LOW_21 = (1 << 21) - 1
_LOW_24 = np.uint32((1 << 24) - 1)
_LOW_53 = np.uint64((1 << 53) - 1)
_WIDE_RANGE = 1 << 28  # from here on, integers are drawn from 64 bits
_WIDE_PERMUTATION = (2**32 - 1) // 20  # and so are the steps of a permutation
_EXP_MAX = math.log(sys.float_info.max)
_CHUNK = 1 << 11  # rows of 16 normal samples that are made at a time, to stay in the cache


# ---- arithmetic with one rounding ----------------------------------------------------------------


def _odd(total: Array, error: Array) -> Array:
    """Round ``total + error`` to odd: what was lost shows in the last bit of a double.

    A later rounding to fewer bits then comes out as if it had seen the exact sum.
    """
    bits = total.view(np.int64)
    nudge = (error != 0) & (bits & 1 == 0) & np.isfinite(total)
    # The next double towards the error is one bit pattern up or down, depending on the signs.
    step = np.where((error > 0) == (total > 0), 1, -1)
    odd: Array = (bits + nudge * step).view(np.float64)
    return odd


def _two_sum(a: Array, b: Array | float) -> tuple[Array, Array]:
    """The rounded sum and its exact error (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _split(a: Array) -> tuple[Array, Array]:
    """Two halves of 26 bits that add up to ``a`` (Veltkamp)."""
    big = a * 134217729.0
    high = big - (big - a)
    return high, a - high


def _fma64(a: Array, b: float, c: float) -> Array:
    """``a * b + c`` for doubles, rounded once (Boldo and Melquiond's way)."""
    if c == 0 or b in (1, -1):
        return a * b + c  # one of the two roundings does nothing
    # b and c near 1: what is split off must neither overflow nor vanish.
    _, exponent = math.frexp(max(abs(b), abs(c)))
    b, c = math.ldexp(b, -exponent), math.ldexp(c, -exponent)
    product = a * b
    a1, a2 = _split(a)
    b1, b2 = _split(np.asarray(b))
    rest = ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2
    high, low = _two_sum(rest, c)
    total, error = _two_sum(product, high)
    scaled: Array = np.ldexp(total + _odd(*_two_sum(low, error)), exponent)
    return scaled


def _scale32(a: Array, b: float, c: float) -> Array:
    """``a * b + c`` for float32 values in doubles, rounded once to float32.

    The product is exact. The sum may not be; that matters only where it then looks like a tie
    between two float32 values.
    """
    product = a * b
    total = product + c
    if c != 0:
        tie = total.view(np.int64) & 0x1FFFFFFF == 0x10000000
        if tie.any():
            total = np.where(tie, _odd(*_two_sum(product, c)), total)
    with np.errstate(over="ignore"):
        return total.astype(np.float32)


# ---- single precision: Cephes' logarithm, sine and cosine, with fused steps ----------------------
#
# The arguments and results are float32 values in arrays of doubles, and _single rounds to such
# values. A product of two is exact, so that _single(a * b + c) is a fused multiply-add but for
# ties (see _scale32). They never happen here: all 2**24 arguments that a uniform sample can give
# these functions have been tried.


def _single(x: Array) -> Array:
    return x.astype(np.float32).astype(np.float64)


def _constants(*values: float) -> tuple[float, ...]:
    return tuple(float(np.float32(value)) for value in values)


_LOG = _constants(
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_SIN = _constants(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = _constants(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_LN2_HIGH, _LN2_LOW = _constants(0.693359375, -2.12194440e-4)
_QUARTER_PI = _constants(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
_SQRT_HALF, _FOUR_OVER_PI, _TWO_PI = _constants(math.sqrt(0.5), 4 / math.pi, math.tau)


def _polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """Horner's scheme, from the highest power down."""
    y = _single(coefficients[0] * x + coefficients[1])
    for coefficient in coefficients[2:]:
        y = _single(y * x + coefficient)
    return y


def _log32(x: Array) -> Array:
    """The natural logarithm of positive numbers."""
    m, e = np.frexp(x)
    small = m < _SQRT_HALF
    e = e - small
    m = m * (1 + small) - 1  # from sqrt(1/2) - 1 to sqrt(2) - 1
    z = _single(m * m)
    y = _single(_polynomial(m, _LOG) * m)
    y = _single(y * z + _single(e * _LN2_LOW))
    y = _single(y - 0.5 * z)
    return _single(e * _LN2_HIGH + _single(m + y))


def _sincos32(x: Array) -> tuple[Array, Array]:
    """Sine and cosine of numbers from 0 to 2 pi."""
    # The nearest multiple of pi / 2, of which what is left is taken.
    quarter = np.floor((_single(x * _FOUR_OVER_PI) + 1) * 0.5)
    for part in _QUARTER_PI:
        x = _single(quarter * (2 * part) + x)
    z = _single(x * x)
    cos = _single(_polynomial(z, _COS) * z)
    cos = _single(_single(cos * z - 0.5 * z) + 1)
    sin = _single(_polynomial(z, _SIN) * z)
    sin = _single(sin * x + x)
    # Turn back: a and b are the cosine and the sine of 0 to 4 quarter turns.
    turn = 2 - quarter
    a = np.abs(turn) - 1
    b = turn - turn * np.abs(a)
    return sin * a + cos * b, cos * a - sin * b


def _normal32(uniform: Array, mean: float, std: float) -> Array:
    """Box and Muller's transform: rows of 16 uniform samples to rows of 16 normal ones."""
    result = np.empty_like(uniform)
    for start in range(0, len(uniform), _CHUNK):
        rows = uniform[start : start + _CHUNK].astype(np.float64)
        radius = _single(np.sqrt(-2.0 * _log32(1.0 - rows[:, :8])))
        sin, cos = _sincos32(_single(_TWO_PI * rows[:, 8:]))
        result[start : start + _CHUNK, :8] = _scale32(_single(radius * cos), std, mean)
        result[start : start + _CHUNK, 8:] = _scale32(_single(radius * sin), std, mean)
    return result


# ---- doubles -------------------------------------------------------------------------------------


def _libm(function: Callable[[float], float], values: Array) -> Array:
    """Apply the C library's function, one element after the other."""
    result = np.fromiter(map(function, values.ravel().tolist()), np.float64, values.size)
    return result.reshape(values.shape)


def _normal64(uniform: Array, mean: float, std: float) -> Array:
    """Box and Muller's transform: rows of 16 uniform samples to rows of 16 normal ones."""
    result = np.empty_like(uniform)
    radius = np.sqrt(-2.0 * _libm(math.log, 1.0 - uniform[:, :8]))
    theta = math.tau * uniform[:, 8:]
    points = map(cmath.rect, radius.ravel().tolist(), theta.ravel().tolist())
    pairs = np.fromiter(points, np.complex128, radius.size).reshape(radius.shape)
    result[:, :8] = _fma64(pairs.real, std, mean)
    result[:, 8:] = _fma64(pairs.imag, std, mean)
    return result


def _cast(values: Array, dtype: np.dtype[Any]) -> Array:
    """Convert as C++ does, where a number on its way to 16 bits passes through float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype.itemsize == 2 and dtype.kind not in "iu":
            values = values.astype(np.float32, copy=False)
        return values.astype(dtype, copy=False)


def _round_trip(value: int, dtype: np.dtype[Any]) -> int:
    """``value`` as a floating type holds it, as a 64-bit integer again."""
    held = float(_cast(np.array(value, np.int64), dtype))
    # What does not fit becomes the lowest integer, as x86 processors have it.
    return int(held) if -(2.0**63) <= held < 2.0**63 else -(2**63)


def _integer_bounds(low: int, high: int | None, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The bounds between which integers are drawn for a dtype, the upper one excluded."""
    if dtype.kind in "iub":
        if high is None:
            high = 2 if dtype == np.bool_ else int(np.iinfo(dtype).max) + 1
        return low, high
    digits = _DIGITS[dtype.name]
    # A bound next to which the dtype has gaps moves inwards, so that no sample rounds onto or
    # over it.
    held = _round_trip(low + 1, dtype)
    if held < low:
        low = held + (1 << abs(low + 1).bit_length() - digits)
    if high is None:
        return low, (1 << digits) + 1
    held = _round_trip(high - 1, dtype)
    if held >= high:
        high = held - (1 << abs(high - 1).bit_length() - digits)
    return low, high


class Generator:
    """A stream of random numbers, the same as that of ``torch.Generator`` for the same seed.

    A new generator has PyTorch's default seed, 67280421310721. It can be copied and pickled.

    >>> Generator().manual_seed(0).uniform(3, np.float32)
    array([0.4962566 , 0.7682218 , 0.08847743], dtype=float32)
    """

    __slots__ = (
        "_block",
        "_float_spare",
        "_lock",
        "_next",
        "_seed",
        "_source",
        "_spare",
        "_unused",
    )

    def __init__(self) -> None:
        self._lock = Lock()
        self._source: np.random.RandomState | None = None
        self.manual_seed(_DEFAULT_SEED)

    # -- the state --

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream anew. Seeds that are equal modulo 2**64 are the same; negative ones
        count from there.

        Raises RuntimeError for what is no integer, ValueError for one of more than 64 bits.
        """
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        seed = operator.index(seed)
        if not -(2**63) <= seed < 2**64:
            raise ValueError(
                f"Overflow when unpacking long long: the seed {seed} is not in [-2**63, 2**64)"
            )
        self._seed = seed % 2**64
        if self._source is not None:
            self._source.seed(self._seed & 0xFFFFFFFF)
        self._block = np.zeros(_BLOCK, np.uint32)  # 624 words, of which those at _next and
        self._next = _BLOCK  # after it are still to be used
        self._unused = True  # no word was drawn since the seed
        self._spare: float | None = None  # the second normal sample of a pair
        self._float_spare = bytes(8)
        return self

    def seed(self) -> int:
        """Seed with a number from the operating system, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed that the stream began with, from 0 to 2**64 - 1."""
        return self._seed

    def _twister(self) -> np.random.RandomState:
        """NumPy's engine, which always stands at the end of the block in use.

        It is made with the first word: importing ``numpy.random`` takes time.
        """
        if self._source is None:
            self._source = np.random.RandomState(self._seed & 0xFFFFFFFF)
        return self._source

    def get_state_bytes(self) -> NDArray[np.uint8]:
        """All of the state: 5056 bytes, laid out as in ``torch.Generator.get_state``."""
        state = np.zeros(_STATE_BYTES, np.uint8)
        ints, longs, doubles = state.view(np.int32), state.view(np.uint64), state.view(np.float64)
        longs[0] = self._seed
        ints[_STATE_LEFT] = _BLOCK + 1 - self._next
        ints[_STATE_SEEDED] = 1
        longs[_STATE_NEXT] = 0 if self._unused else self._next
        engine: Any = self._twister().get_state(legacy=False)
        longs[_STATE_WORDS : _STATE_WORDS + _BLOCK] = engine["state"]["key"]
        if self._spare is not None:
            doubles[_STATE_SPARE] = self._spare
            ints[_STATE_SPARE_VALID] = 1
        state[_STATE_FLOAT_SPARE:] = np.frombuffer(self._float_spare, np.uint8)
        return state

    def set_state_bytes(self, state: NDArray[np.uint8]) -> Generator:
        """Go on from a state of :meth:`get_state_bytes` or of PyTorch.

        Raises TypeError unless it is an array of uint8, RuntimeError for a state of another size
        or one that the engine cannot have been in.
        """
        if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if state.size != _STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE_BYTES} "
                f"but found the input RNG state size to be {state.size}"
            )
        state = state.reshape(-1).copy()
        ints, longs, doubles = state.view(np.int32), state.view(np.uint64), state.view(np.float64)
        left, following = int(ints[_STATE_LEFT]), int(longs[_STATE_NEXT]) & 0xFFFFFFFF
        if ints[_STATE_SEEDED] == 0 or not 1 <= left <= _BLOCK or following > _BLOCK:
            raise RuntimeError("Invalid mt19937 state")
        self.manual_seed(int(longs[0]))
        source = self._twister()
        self._next = _BLOCK + 1 - left
        self._unused = left == 1 and following == 0
        key = longs[_STATE_WORDS : _STATE_WORDS + _BLOCK].astype(np.uint32)
        source.set_state({"bit_generator": "MT19937", "state": {"key": key, "pos": self._next}})
        self._block[self._next :] = source.randint(0, 2**32, left - 1, np.uint32)
        if ints[_STATE_SPARE_VALID]:
            self._spare = float(doubles[_STATE_SPARE])
        self._float_spare = state[_STATE_FLOAT_SPARE:].tobytes()
        return self

    def clone_state(self) -> Generator:
        """Another generator, at the same place in the same stream."""
        return Generator().set_state_bytes(self.get_state_bytes())

    def __getstate__(self) -> NDArray[np.uint8]:
        return self.get_state_bytes()

    def __setstate__(self, state: NDArray[np.uint8]) -> None:
        Generator.__init__(self)
        self.set_state_bytes(state)

    # -- words --

    def words(self, n: int) -> NDArray[np.uint32]:
        """The next ``n`` words of 32 bits."""
        with self._lock:
            start = self._next
            end = start + n
            if end <= _BLOCK:
                # No word is read twice, so that a part of the block can be handed out.
                self._next = end
                return self._block[start:end]
            missing = end - _BLOCK
            blocks = -(-missing // _BLOCK)
            fresh = self._twister().randint(0, 2**32, blocks * _BLOCK, np.uint32)
            rest = self._block[start:]
            # A copy, lest the last words keep all of them in memory.
            self._block = fresh if blocks == 1 else fresh[-_BLOCK:].copy()
            self._next = missing - (blocks - 1) * _BLOCK
            self._unused = False
        fresh = fresh[:missing]
        return np.concatenate((rest, fresh)) if len(rest) else fresh

    def words64(self, n: int) -> NDArray[np.uint64]:
        """The next ``n`` words of 64 bits, the high half drawn first."""
        words = self.words(2 * n)
        return (words[0::2].astype(np.uint64) << np.uint64(32)) | words[1::2]

    # -- uniform and normal --

    def _uniform32(self, n: int) -> NDArray[np.float32]:
        values = (self.words(n) & _LOW_24).astype(np.float32)
        values *= np.float32(2.0**-24)
        return values

    def _uniform64(self, n: int) -> NDArray[np.float64]:
        values = (self.words64(n) & _LOW_53).astype(np.float64)
        values *= _UNIT
        return values

    def uniform(
        self, n: int, dtype: DTypeLike, low: float = 0.0, high: float = 1.0
    ) -> NDArray[Any]:
        """Uniform samples from [low, high): a word each, two for float64."""
        dtype = np.dtype(dtype)
        standard = low == 0 and high == 1
        values: Array
        if dtype == np.float64:
            values = self._uniform64(n)
            if standard:
                return values
            values = _fma64(values, high - low, low)
        else:
            values = self._uniform32(n)
            if not standard:
                low32, high32 = np.float32(low), np.float32(high)
                values = _scale32(values.astype(np.float64), float(high32 - low32), float(low32))
            elif dtype == np.float32:
                return values
        values = _cast(values, dtype)
        # A sample that was rounded up to the bound that is excluded becomes the other one.
        values[values == _cast(np.array(high), dtype)] = _cast(np.array(low), dtype)
        return values

    def normal(
        self,
        n: int,
        dtype: DTypeLike,
        mean: float = 0.0,
        std: float = 1.0,
        contiguous: bool = True,
    ) -> NDArray[Any]:
        """Normal samples.

        ``contiguous`` says whether they are for contiguous memory: then 16 and more are made in
        blocks of 16. Otherwise they are made in pairs, of which a spare one waits for the next
        call.
        """
        dtype = np.dtype(dtype)
        if n < 16 or not contiguous:
            return _cast(self._gaussian(n, mean, std), dtype)
        whole = n - n % 16
        draw: Callable[[int], Array] = self._uniform64
        transform = _normal64
        if dtype != np.float64:
            draw, transform = self._uniform32, _normal32
            mean, std = float(np.float32(mean)), float(np.float32(std))
        # The types of 16 bits draw block by block; the others draw for the incomplete one too.
        uniform = draw(n if dtype.itemsize > 2 else whole)
        values = transform(uniform[:whole].reshape(-1, 16), mean, std).reshape(-1)
        if n > whole:
            # The last 16 samples are made anew.
            last = transform(draw(16).reshape(-1, 16), mean, std).reshape(-1)
            values = np.concatenate((values[: n - 16], last))
        return _cast(values, dtype)

    def _gaussian(self, n: int, mean: float, std: float) -> NDArray[np.float64]:
        """Normal samples as doubles, made in pairs by Box and Muller's transform."""
        values = []
        if n and self._spare is not None:
            values.append(self._spare)
            self._spare = None
        pairs = (n - len(values) + 1) // 2
        words = iter(self.words(4 * pairs).tolist())
        for a, b, c, d in zip(words, words, words, words, strict=True):
            radius = math.sqrt(-2.0 * math.log1p(-((c & _LOW_21) << 32 | d) * _UNIT))
            theta = math.tau * (((a & _LOW_21) << 32 | b) * _UNIT)
            values += (radius * math.cos(theta), radius * math.sin(theta))
        if len(values) > n:
            self._spare = values.pop()
        return _fma64(np.array(values, np.float64), std, mean)

    def log_normal(
        self, n: int, dtype: DTypeLike, mean: float = 1.0, std: float = 2.0
    ) -> NDArray[Any]:
        """e to the power of normal samples, which are made in pairs."""
        exponent = self._gaussian(n, mean, std)
        exponent[exponent > _EXP_MAX] = math.inf  # math.exp does not overflow, it raises
        return _cast(_libm(math.exp, exponent), np.dtype(dtype))

    # -- integers --

    def integers(self, n: int, low: int, high: int | None, dtype: DTypeLike) -> NDArray[Any]:
        """Integers from ``low`` to ``high - 1``, to the greatest one of the dtype for None.

        That is 2**digits for a floating dtype, as many as its significand has bits.
        """
        dtype = np.dtype(dtype)
        if high is None and low == -(2**63):
            return _cast(self.words64(n).view(np.int64), dtype)
        low, high = _integer_bounds(low, high, dtype)
        if high - low >= _WIDE_RANGE:
            values = self.words64(n) % np.uint64(high - low)
        else:
            values = (self.words(n) % np.uint32(high - low)).astype(np.uint64)
        values += np.uint64(low % 2**64)
        return _cast(values.view(np.int64), dtype)

    def random(self, n: int, dtype: DTypeLike) -> NDArray[Any]:
        """Integers from 0 to the greatest one of the dtype, as :meth:`integers` has it."""
        dtype = np.dtype(dtype)
        _, end = _integer_bounds(0, None, dtype)
        if dtype.name in ("int64", "float64"):
            return (self.words64(n) % np.uint64(end)).astype(dtype)
        return _cast(self.words(n) % np.uint32(end), dtype)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """The numbers from 0 to ``n - 1`` in random order (``randperm``)."""
        places = np.arange(max(n - 1, 0))
        words = self.words64 if n >= _WIDE_PERMUTATION else self.words
        swaps = words(len(places)) % (n - places).astype(np.uint64)
        order = list(range(n))
        for i, j in enumerate((swaps.astype(np.int64) + places).tolist()):
            order[i], order[j] = order[j], order[i]
        return np.array(order, np.int64)

    def bernoulli(self, n: int, p: float) -> NDArray[np.bool_]:
        """True with probability ``p``: two words each, as for any one probability."""
        return self._uniform64(n) < p

    def bernoulli_tensor(self, p: ArrayLike) -> NDArray[np.bool_]:
        """True with the probabilities ``p``, in their shape: a word each, two for float64."""
        p = np.asarray(p)
        if p.dtype == np.float64:
            return self._uniform64(p.size).reshape(p.shape) < p
        return self._uniform32(p.size).reshape(p.shape) < p.astype(np.float32)

    # -- other distributions, computed in float64 --

    def exponential(self, n: int, dtype: DTypeLike, lambd: float = 1.0) -> NDArray[Any]:
        """Exponential samples of the rate ``lambd``."""
        values = -1.0 / lambd * _libm(math.log1p, -self._uniform64(n))
        return _cast(values, np.dtype(dtype))

    def cauchy(
        self, n: int, dtype: DTypeLike, median: float = 0.0, sigma: float = 1.0
    ) -> NDArray[Any]:
        """Cauchy samples."""
        values = _libm(math.tan, math.pi * (self._uniform64(n) - 0.5))
        return _cast(_fma64(values, sigma, median), np.dtype(dtype))

    def geometric(self, n: int, dtype: DTypeLike, p: float) -> NDArray[Any]:
        """How many trials it takes until one succeeds, each with probability ``p``."""
        values = np.ceil(_libm(math.log, self._uniform64(n)) / math.log1p(-p))
        return _cast(values, np.dtype(dtype))

    def multinomial(self, p: Array, num_samples: int, replacement: bool) -> NDArray[np.int64]:
        """Draw ``num_samples`` columns of each row of ``p`` with the weights that stand there.

        Without replacement, columns that come out equal are taken from the left. PyTorch's
        order may differ then, as it does for rows with fewer weights than samples.
        """
        result = np.empty((len(p), num_samples), np.int64)
        if replacement and num_samples > 1:
            for weights, row in zip(p, result, strict=True):
                ends: Array = weights.astype(np.result_type(p.dtype, np.float32))
                ends = np.cumsum(ends)
                ends /= ends[-1]
                ends[-1] = 1
                row[:] = np.searchsorted(ends.astype(np.float64), self._uniform64(num_samples))
            return result
        # The greatest ratios of weight to exponential sample. The samples are made in the order
        # of the memory of p.
        samples = self.exponential(p.size, p.dtype)
        samples = samples.reshape(p.shape, order="F" if p.flags.fnc else "C")
        with np.errstate(all="ignore"):
            ratio: Array = p / samples
        if p.dtype.itemsize == 2:
            ratio = ratio.astype(np.float32)
        if num_samples == 1:
            ratio.argmax(axis=1, keepdims=True, out=result)
        else:
            result[:] = np.argsort(-ratio, axis=1, kind="stable")[:, :num_samples]
        return result


default_generator = Generator()
