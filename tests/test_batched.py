"""Batched arrays: every NumPy rule against the loop over the examples, and what no rule covers."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leafgrad.duck import BATCH_RULES, Opaque, computed, item, take
from leafgrad.graph import batched
from leafgrad.graph.batched import Batched, Level, enter, is_batched, leave, lift, peeled, unlift

SIZE = 3
Case = tuple[Callable[..., Any], list[Any]]


def numbers(*shape: int) -> Any:
    return lambda rng, n: rng.standard_normal((n, *shape))


def places(high: int, *shape: int) -> Any:
    return lambda rng, n: rng.integers(-high, high, (n, *shape))


def masks(*shape: int) -> Any:
    return lambda rng, n: rng.integers(0, 2, (n, *shape)).astype(bool)


def square(rng: Any, n: int) -> Any:
    return rng.standard_normal((n, 3, 3)) + 4 * np.eye(3)


def at(*key: Any) -> Callable[..., Any]:
    """Indexing where `"i"` and `"j"` stand for the second and the third argument."""

    def get(x: Any, *index: Any) -> Any:
        named = dict(zip("ij", index, strict=False))
        return item(x, tuple(named[k] if isinstance(k, str) else k for k in key))

    return get


def put(*key: Any) -> Callable[..., Any]:
    """Writing into a copy, likewise: the last argument is the value."""

    def write(x: Any, *index: Any) -> Any:
        x = np.copy(x)
        named = dict(zip("ij", index[:-1], strict=False))
        x[tuple(named[k] if isinstance(k, str) else k for k in key)] = index[-1]
        return x

    return write


def put_along(x: Any, i: Any, v: Any) -> Any:
    x = np.copy(x)
    np.put_along_axis(x, i, v, 0)
    return x


def add_at(x: Any, i: Any, v: Any) -> Any:
    x = np.copy(x)
    np.add.at(x, (slice(None), i), v)
    return x


def by_mask(x: Any, m: Any, v: Any) -> Any:
    x = np.copy(x)
    x[m] = v
    return x


def in_place(x: Any, y: Any) -> Any:
    x = np.copy(x)
    x += y
    np.multiply(x, y, out=x)
    return x


CASES: dict[str, Case] = {
    "ufuncs broadcast": (lambda x, y: x + y * 2 - np.exp(x), [numbers(3), numbers(2, 3)]),
    "a comparison": (lambda x, y: (x > y) | (x < 0), [numbers(3), numbers(2, 1)]),
    "out": (in_place, [numbers(2, 3), numbers(3)]),
    "outer": (lambda x, y: np.multiply.outer(x, y), [numbers(2, 3), numbers(3)]),
    "add.reduce": (lambda x: np.add.reduce(x, axis=None), [numbers(2, 3)]),
    "accumulate": (lambda x: np.maximum.accumulate(x, axis=1), [numbers(2, 3)]),
    "add.at": (add_at, [numbers(3, 4), places(4, 5), numbers(3, 5)]),
    "where": (lambda x, y, z: np.where(x > 0, y, z), [numbers(3, 4), numbers(4), numbers()]),
    "clip": (lambda x, y: np.clip(x, y, None), [numbers(3, 4), numbers(4)]),
    "isclose": (lambda x: np.isclose(x, x[0]), [numbers(5)]),
    # Products
    "vector by vector": (lambda x, y: x @ y, [numbers(3), numbers(3)]),
    "matrix by vector": (lambda x, y: x @ y, [numbers(2, 3), numbers(3)]),
    "vector by matrix": (lambda x, y: x @ y, [numbers(3), numbers(3, 2)]),
    "matrix by matrix": (lambda x, y: x @ y, [numbers(5, 3), numbers(3, 2)]),
    "matrices by matrix": (lambda x, y: x @ y, [numbers(2, 5, 3), numbers(3, 2)]),
    "matrix by matrices": (lambda x, y: x @ y, [numbers(5, 3), numbers(2, 3, 2)]),
    "vector by matrices": (lambda x, y: x @ y, [numbers(3), numbers(2, 3, 2)]),
    "matrices by vector": (lambda x, y: x @ y, [numbers(2, 3, 2), numbers(2)]),
    "dot": (lambda x, y: np.dot(x, y), [numbers(2, 3), numbers(3, 2)]),
    "inner": (lambda x, y: np.inner(x, y), [numbers(2, 3), numbers(3)]),
    "vdot": (lambda x, y: np.vdot(x, y), [numbers(3), numbers(3)]),
    "np.outer": (lambda x, y: np.outer(x, y), [numbers(3), numbers(2)]),
    "einsum": (lambda x, y: np.einsum("ij,jk->ik", x, y), [numbers(3, 4), numbers(4, 2)]),
    "einsum, dots": (
        lambda x, y: np.einsum("...j,jk->...k", x, y), [numbers(3, 4), numbers(4, 2)]),
    "tensordot": (lambda x, y: np.tensordot(x, y, ([0], [1])), [numbers(3, 4), numbers(4, 3)]),
    "kron": (lambda x, y: np.kron(x, y), [numbers(3, 4), numbers(2, 3)]),
    "cross": (lambda x, y: np.cross(x, y), [numbers(3), numbers(2, 3)]),
    # Reductions and scans
    "sum": (lambda x: np.sum(x), [numbers(3, 4)]),
    "sum, kept": (lambda x: np.sum(x, axis=-1, keepdims=True), [numbers(3, 4)]),
    "sum, two axes": (lambda x: x.sum((0, -1)), [numbers(3, 4, 2)]),
    "mean": (lambda x: x.mean(0), [numbers(3, 4)]),
    "argmax": (lambda x: np.argmax(x), [numbers(3, 4)]),
    "argmax, axis": (lambda x: x.argmax(1), [numbers(3, 4)]),
    "sort": (lambda x: np.sort(x, 0), [numbers(3, 4)]),
    "lexsort": (lambda x, y: np.lexsort((x, y)), [numbers(5), numbers(5)]),
    "cumsum, flat": (lambda x: np.cumsum(x), [numbers(3, 4)]),
    "trace": (lambda x: np.trace(x), [numbers(3, 3)]),
    # Shapes
    "reshape": (lambda x: np.reshape(x, (2, -1)), [numbers(3, 4)]),
    "squeeze": (lambda x: np.squeeze(x), [numbers(3, 1, 4)]),
    "expand_dims": (lambda x: np.expand_dims(x, (0, -1)), [numbers(3, 4)]),
    "transpose": (lambda x: np.transpose(x), [numbers(3, 4, 2)]),
    "T": (lambda x: x.T, [numbers(3, 4)]),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), [numbers(3, 4, 2)]),
    "diagonal": (lambda x: np.diagonal(x, 0, 0, 2), [numbers(3, 4, 3)]),
    "diag": (lambda x: np.diag(x), [numbers(3)]),
    "diag of": (lambda x: np.diag(x, 1), [numbers(3, 3)]),
    "tril": (lambda x: np.tril(x), [numbers(3, 3)]),
    "tile": (lambda x: np.tile(x, (2, 1, 2)), [numbers(3, 4)]),
    "repeat": (lambda x: np.repeat(x, 2), [numbers(3, 4)]),
    "roll": (lambda x: np.roll(x, 1), [numbers(3, 4)]),
    "flip": (lambda x: np.flip(x, 0), [numbers(3, 4)]),
    "rot90": (lambda x: np.rot90(x), [numbers(3, 4)]),
    "pad": (lambda x: np.pad(x, ((1, 0), (0, 2))), [numbers(3, 4)]),
    "windows": (
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, 1), [numbers(3, 4)]),
    "likes": (
        lambda x: np.zeros_like(x) + np.ones_like(x, shape=(2,)).sum() + np.full_like(x, 3.0),
        [numbers(3, 4)]),
    # Several arrays
    "concatenate": (lambda x, y: np.concatenate([x, y], 1), [numbers(3, 4), numbers(3, 2)]),
    "stack": (lambda x, y: np.stack([x, y], -1), [numbers(3, 4), numbers(3, 4)]),
    "hstack": (lambda x: np.hstack([x, x]), [numbers(3)]),
    "vstack": (lambda x: np.vstack([x, x]), [numbers(3)]),
    "meshgrid": (lambda x, y: sum(np.meshgrid(x, y)), [numbers(5), numbers(3)]),
    # Linear algebra and transforms
    "inv": (np.linalg.inv, [square]),
    "solve, vector": (np.linalg.solve, [square, numbers(3)]),
    "solve, matrix": (np.linalg.solve, [square, numbers(3, 2)]),
    "norm": (np.linalg.norm, [numbers(3, 3)]),
    "norm of vectors": (lambda x: np.linalg.norm(x, axis=0), [numbers(3, 4)]),
    "fft": (lambda x: np.fft.fft(x), [numbers(3, 4)]),
    "fftn": (lambda x: np.fft.fftn(x), [numbers(3, 4)]),
    # Indices
    "an integer": (lambda x: x[1], [numbers(3, 4)]),
    "slices": (lambda x: x[..., ::-2, None], [numbers(3, 4)]),
    "an index array": (at("i"), [numbers(3, 4), places(3, 5)]),
    "an index": (at(..., "i"), [numbers(3, 4, 2), places(2)]),
    "behind a slice": (at(slice(None), "i"), [numbers(3, 4), places(4, 5)]),
    "two": (at(slice(None), "i", "j"), [numbers(3, 4, 2), places(4, 5), places(2, 5)]),
    "two apart": (at("i", slice(None), "j"), [numbers(3, 4, 2), places(3, 5), places(2, 2, 5)]),
    "two apart, None": (
        at("i", slice(1, 2), None, "j"), [numbers(3, 4, 2), places(3, 5), places(2, 2, 5)]),
    "an integer beside": (at(1, slice(1, 2), None, "i"), [numbers(3, 4, 2), places(2, 5)]),
    "an integer, adjacent": (at(1, "i", ...), [numbers(3, 4), places(4, 5)]),
    "a mask for all": (
        lambda x: x[np.array([True, False, True])], [numbers(3, 4)]),
    "take": (lambda x, i: take(x, i, axis=1), [numbers(3, 4), places(4, 5, 2)]),
    "take_along_axis": (
        lambda x, i: np.take_along_axis(x, i, 1), [numbers(3, 4), places(4, 3, 6)]),
    "put_along_axis": (put_along, [numbers(3, 4), places(3, 1, 4), numbers(1, 4)]),
    "write": (put(slice(None), "i"), [numbers(3, 4), places(4, 1), numbers(3, 1)]),
    "write, apart": (put("i", slice(None), 0), [numbers(3, 4, 2), places(3, 1), numbers(4)]),
    "write, beside": (put(0, slice(None), "i"), [numbers(3, 4, 2), places(2, 1), numbers(1, 4)]),
    "write a slice": (put(slice(1, None)), [numbers(3, 4), numbers(4)]),
    "write by a mask": (by_mask, [numbers(3, 4), masks(3), numbers()]),
}  # fmt: skip


def data_of(made: list[Any]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [make(rng, SIZE) for make in made]


@pytest.mark.parametrize("name", CASES)
def test_as_the_loop(name: str) -> None:
    """With every operand batched or the same for all examples; results keep their dtypes."""
    function, made = CASES[name]
    arrays = data_of(made)
    writes = name.startswith(("write", "put_", "add.at", "out"))
    for flags in itertools.product((True, False), repeat=len(arrays)):
        if not any(flags) or (writes and not flags[0]):
            continue
        level = Level(SIZE)
        args = [
            Batched(a.copy(), level) if flag else a[0].copy()
            for a, flag in zip(arrays, flags, strict=True)
        ]
        rows = [
            function(*[a[n if flag else 0] for a, flag in zip(arrays, flags, strict=True)])
            for n in range(SIZE)
        ]
        found = function(*args)
        assert found.shape == rows[0].shape
        np.testing.assert_allclose(leave(found, level, 0), np.stack(rows), rtol=1e-12)
        assert found.dtype == rows[0].dtype


@pytest.mark.parametrize("name", CASES)
def test_levels_nest(name: str) -> None:
    """The first operand batched by an outer level and an inner one, the others by one of them."""
    function, made = CASES[name]
    rng = np.random.default_rng(1)
    outer, inner = Level(2), Level(SIZE)
    shapes = [make(rng, 1)[0].shape for make in made]
    pools = [make(rng, 2 * SIZE).reshape(2, SIZE, *s) for make, s in zip(made, shapes, strict=True)]
    kinds = ["both", *("inner", "outer")][: len(pools)]
    args: list[Any] = []
    for pool, kind in zip(pools, kinds, strict=True):
        if kind == "both":
            args.append(Batched(Batched(pool.copy(), outer), inner))
        elif kind == "inner":
            args.append(Batched(pool[0].copy(), inner))
        else:
            args.append(Batched(pool[:, 0].copy(), outer))
    found = function(*args)
    whole = leave(leave(found, inner, 0), outer, 0)
    for i, j in itertools.product(range(2), range(SIZE)):
        want = function(*[
            pool[i, j] if kind == "both" else pool[0, j] if kind == "inner" else pool[i, 0]
            for pool, kind in zip(pools, kinds, strict=True)
        ])  # fmt: skip
        np.testing.assert_allclose(whole[i, j], want, rtol=1e-12)


def test_entering_and_leaving() -> None:
    level = Level(4)
    x = np.arange(24.0).reshape(2, 4, 3)
    found = enter(x, level, 1)
    assert found.shape == (2, 3) and found.ndim == 2 and found.size == 6 and len(found) == 2
    assert found.dtype == np.float64 and np.may_share_memory(found.data, x)
    np.testing.assert_array_equal(leave(found, level, -1 % 3), np.moveaxis(x, 1, -1))
    np.testing.assert_array_equal(leave(found, level, 1), x)


def test_an_inner_level_stands_outside() -> None:
    """Whatever the order of entering, the data of an inner level's array is of the outer level."""
    outer, inner = Level(2), Level(3)
    x = np.arange(6.0).reshape(2, 3)
    for found in (
        enter(enter(x, outer, 0), inner, 0),
        enter(enter(x, inner, 1), outer, 0),
    ):
        assert found.level is inner and found.data.level is outer
        np.testing.assert_array_equal(found.data.data, x)
        assert is_batched(found, outer) and is_batched(found, inner)
    both = Batched(x, outer) * Batched(np.ones(3), inner)
    assert both.level is inner and both.data.level is outer


def test_lifting_copies_nothing() -> None:
    level = Level(5)
    x = np.arange(3.0)
    found = lift(x, level)
    assert found.data.shape == (1, 3) and np.may_share_memory(found.data, x)
    assert (found + 1).data.shape == (1, 3)
    assert (found + Batched(np.ones((5, 3)), level)).data.shape == (5, 3)
    np.testing.assert_array_equal(leave(found, level, 0), np.broadcast_to(x, (5, 3)))
    np.testing.assert_array_equal(unlift(found, level), 5 * x)
    np.testing.assert_array_equal(unlift(x, level), 5 * x)
    np.testing.assert_array_equal(unlift(Batched(np.ones((5, 3)), level), level), [5, 5, 5])


def test_peeling() -> None:
    outer, inner = Level(2), Level(3)
    x = np.ones((2, 3, 4))
    nested = Batched(Batched(x, outer), inner)
    array, levels = peeled(nested, np.ones(4))
    assert array is x and levels == [inner, outer]
    array, levels = peeled(nested, Batched(np.ones((2, 4)), outer))
    assert array is nested.data and levels == [inner]


def test_writes_beyond_one_example_are_refused() -> None:
    level = Level(2)
    values = Batched(np.ones((2, 3)), level)
    for target in (np.zeros(3), lift(np.zeros(3), level)):
        with pytest.raises(Opaque):
            target[...] = values
        with pytest.raises(Opaque):
            np.add(target, values, out=target)
        with pytest.raises(Opaque):
            np.copyto(target, values)
    same = lift(np.zeros(3), level)
    same[1:] = lift(np.ones(1), level)
    np.testing.assert_array_equal(same.data, [[0, 1, 1]])


UNKNOWN: dict[str, Callable[[Any], Any]] = {
    "its own numbers": np.asarray,
    "a value": lambda x: x.item(),
    "a truth": lambda x: bool(x[0] > 0),
    "a number": lambda x: float(x[0]),
    "an index": lambda x: [1, 2, 3][x.astype(int)[0]],
    "its elements": lambda x: x[x > 0],
    "nonzero": np.nonzero,
    "unique": np.unique,
    "where": lambda x: np.where(x > 0),
    "an unknown function": lambda x: np.apply_along_axis(sum, 0, x),
    "a method": lambda x: x.tobytes(),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_opaque(name: str) -> None:
    with pytest.raises(Opaque):
        UNKNOWN[name](Batched(np.array([[1.0, 2.0], [0.0, 3.0]]), Level(2)))


def spread(x: Any, factor: float = 1.0) -> tuple[Any, Any]:
    """A function that wants the numbers themselves."""
    numbers = np.array([float(v) for v in np.asarray(x)])
    return (numbers.max() - numbers.min()) * factor, numbers * 2


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched, "told", set())


def test_the_loop(fresh: None) -> None:
    """What raises Opaque runs on one example after the other; the warning comes once."""
    x = np.arange(12.0).reshape(2, 2, 3)
    outer, inner = Level(2), Level(2)
    with pytest.warns(UserWarning, match=r"batching rule for aten::spread\. It runs") as seen:
        found, doubled = computed(spread, Batched(Batched(x, outer), inner), factor=3.0)
    assert len(seen) == 1
    np.testing.assert_array_equal(leave(leave(found, inner, 0), outer, 0), np.full((2, 2), 6.0))
    np.testing.assert_array_equal(leave(leave(doubled, inner, 0), outer, 0), x * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        computed(spread, Batched(x[0], outer))


def test_the_loop_needs_one_shape(fresh: None) -> None:
    def positive(x: Any) -> Any:
        return np.asarray(x)[np.asarray(x) > 0]

    with (
        pytest.warns(UserWarning, match="aten::positive"),
        pytest.raises(RuntimeError, match=r"(?s)dynamic shape.*shapes \[1\], \[2\]"),
    ):
        computed(positive, Batched(np.array([[1.0, -1.0], [1.0, 1.0]]), Level(2)))


def test_a_rule_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function with a rule for batches is neither looped nor warned about."""

    def rule(level: Level, x: Any, factor: float = 1.0) -> Any:
        return Batched(x.data.max(1) - x.data.min(1), level) * factor, x * 2

    monkeypatch.setitem(BATCH_RULES, spread, rule)
    x = np.arange(6.0).reshape(2, 3)
    found, _ = computed(spread, Batched(x, Level(2)), 2.0)
    np.testing.assert_array_equal(found.data, [4.0, 4.0])


def test_shown() -> None:
    text = repr(Batched(np.array([1.0, 2.0]), Level(2)))
    assert text == "Batched(array([1., 2.]))"
