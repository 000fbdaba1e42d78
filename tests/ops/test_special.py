"""torch.special: values at points found with 40 digits, edges, gradients, polynomials, errors."""

import math

import numpy as np
import pytest

import leafgrad as torch
from ops.helpers import check_gradients

special = torch.special
INF, NAN = math.inf, math.nan
F64 = torch.float64
generator = np.random.default_rng(13)


def numpy(t):
    return t.detach().numpy()


POINTS = [0.1, 0.9, 2.5, 5.0, 7.9, 8.1, 20.0, 100.0]
VALUES = {
    "bessel_j0": (
        0.99750156206604, 0.8075237981225448, -0.048383776468198, -0.1775967713143383,
        0.19436184484127825, 0.14751745404437766, 0.16702466434058316, 0.019985850304223122,
    ),
    "bessel_j1": (
        0.049937526036242, 0.4059495460788057, 0.49709410246427405, -0.32757913759146523,
        0.2191793999217512, 0.24760776698159287, 0.06683312417585005, -0.07714535201411216,
    ),
    "bessel_y0": (
        -1.5342386513503667, 0.005628306635205559, 0.4980703596152319, -0.30851762524903376,
        0.20652094814437577, 0.23809132870223482, 0.06264059680938383, -0.07724431336508315,
    ),
    "bessel_y1": (
        -6.4589510947020266, -0.8731265824563288, 0.1459181379667858, 0.14786314339122683,
        -0.18172107728057313, -0.13314879595249593, -0.1655116143625213, -0.020372312002759792,
    ),
    "i0": (
        1.0025015629340956, 1.2129851657286843, 3.289839144050123, 27.239871823604446,
        389.406283282158, 469.5006067101215, 43558282.559553534, 1.0737517071310738e42,
    ),
    "i1": (
        0.050062526047092694, 0.4971264481609643, 2.5167162452886984, 24.335642142450528,
        363.8539440845084, 439.48430891035844, 42454973.38512777, 1.0683693903381625e42,
    ),
    "i0e": (
        0.9071009257823011, 0.4931629661007054, 0.27004644161220276, 0.18354081260932836,
        0.14436986414104191, 0.14251180948829528, 0.08978031188482602, 0.03994437929909668,
    ),
    "i1e": (
        0.045298446808809324, 0.20211653087685583, 0.20658464953126657, 0.16397226694454237,
        0.13489649943989376, 0.13340068832583662, 0.08750622218328867, 0.03974415302513025,
    ),
    "modified_bessel_i0": (
        1.0025015629340956, 1.2129851657286843, 3.289839144050123, 27.239871823604446,
        389.406283282158, 469.5006067101215, 43558282.559553534, 1.0737517071310738e42,
    ),
    "modified_bessel_i1": (
        0.050062526047092694, 0.4971264481609643, 2.5167162452886984, 24.335642142450528,
        363.8539440845084, 439.48430891035844, 42454973.38512777, 1.0683693903381625e42,
    ),
    "modified_bessel_k0": (
        2.4270690247020164, 0.4867303081629005, 0.06234755320036619, 0.0036910983340425942,
        0.0001628676676876532, 0.00013173427864935836, 5.741237815336525e-10,
        4.656628229175902e-45,
    ),
    "modified_bessel_k1": (
        9.853844780870606, 0.7165335787760191, 0.07389081634774707, 0.004044613445452165,
        0.00017288430649238984, 0.00013964122894503082, 5.883057969557038e-10,
        4.6798537356369095e-45,
    ),
    "scaled_modified_bessel_k0": (
        2.6823261022628944, 1.1971633802518509, 0.7595486903280996, 0.547807564313519,
        0.4393000819002152, 0.4339943754308567, 0.27854487665718225, 0.12517562165912657,
    ),
    "scaled_modified_bessel_k1": (
        10.890182683049696, 1.7623882196059197, 0.900174423907878, 0.6002738587883126,
        0.4663177847368799, 0.4600435707528057, 0.28542549694072644, 0.12579995047957854,
    ),
    "spherical_bessel_j0": (
        0.9983341664682815, 0.870363232919426, 0.2393888576415826, -0.1917848549326277,
        0.12644827111895848, 0.11973948282038104, 0.045647262536381385, -0.005063656411097588,
    ),
    "airy_ai": (
        0.3292031299435381, 0.15188680364054435, 0.01572592338047049, 0.00010834442813607442,
        6.239640097283934e-08, 3.5224356235735714e-08, 1.6916728686705404e-27,
        2.6344821520881846e-291,
    ),
    "gammaln": (
        2.252712651734206, 0.06637623973474295, 0.2846828704729192, 3.1780538303479458,
        8.32426586800881, 8.72738826343204, 39.339884187199495, 359.1342053695754,
    ),
    "digamma": (
        -10.423754940411076, -0.7549269499470513, 0.7031566406452432, 1.5061176684318005,
        2.002238487563571, 2.0288674570805814, 2.970523992242149, 4.600161852738087,
    ),
    "erfcx": (
        0.8964569799691267, 0.456531651323117, 0.2108063640611436, 0.11070463773306863,
        0.07085747736739713, 0.06913392017734316, 0.02817434874105132, 0.005641613782989433,
    ),
    "ndtr": (
        0.539827837277029, 0.8159398746532405, 0.9937903346742238, 0.9999997133484281,
        0.9999999999999986, 0.9999999999999998, 1.0, 1.0,
    ),
    "log_ndtr": (
        -0.6165050101150263, -0.2034146097557469, -0.006229025485860002, -2.866516129637636e-07,
        -1.3945171466592653e-15, -2.747959392398229e-16, -2.7536241186062337e-89, 0.0,
    ),
    "entr": (
        0.23025850929940458, 0.09482446409204365, -2.2907268296853878, -8.047189562170502,
        -16.32821579983651, -16.944098899594984, -59.91464547107982, -460.51701859880916,
    ),
}  # fmt: skip
LEFT = [-0.3, -1.5, -4.7]
LEFT_VALUES = {
    "airy_ai": (0.43090309528558085, 0.4642565777488694, 0.36736748287733134),
    "gammaln": (1.4648400508576025, 0.860047015376481, -2.9273024136818373),
    "digamma": (2.113309779635399, 0.7031566406452432, -0.6323109014236109),
    "erfcx": (1.4537492328427655, 18.653886256262734, 7845038891.005806),
    "log_ndtr": (-0.9621028181688507, -2.7059444008238898, -13.55252536791307),
    "ndtr": (0.3820885778110474, 0.06680720126885807, 1.300807453917281e-06),
}
# Of the size of what oscillates or cancels, otherwise of the value.
ABSOLUTE = {"bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "digamma"}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    call = getattr(special, name)
    atol = 4e-16 if name in ABSOLUTE else 0
    rtol = {"airy_ai": 1e-13, "ndtr": 1e-14, "log_ndtr": 2e-14}.get(name, 3e-15)
    np.testing.assert_allclose(
        numpy(call(torch.tensor(POINTS, dtype=F64))), VALUES[name], rtol=rtol, atol=atol
    )
    single = call(torch.tensor(POINTS))
    assert single.dtype is torch.float32
    np.testing.assert_allclose(numpy(single)[:6], VALUES[name][:6], rtol=2e-5, atol=1e-7)
    assert call(torch.tensor([1, 2])).dtype is torch.float32
    if name in LEFT_VALUES:
        left = numpy(call(torch.tensor(LEFT, dtype=F64)))
        np.testing.assert_allclose(left, LEFT_VALUES[name], rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", VALUES)
def test_long_arrays_are_computed_alike(name):
    x = generator.uniform(0.01, 12, (3, 7000))
    call = getattr(special, name)
    whole = numpy(call(torch.tensor(x)))
    assert whole.shape == x.shape
    np.testing.assert_allclose(whole[1, ::500], numpy(call(torch.tensor(x[1, ::500].copy()))),
                               rtol=1e-14, atol=1e-16)  # fmt: skip


def test_parity_and_recurrences():
    x = torch.tensor(generator.uniform(0.05, 40, 2000))
    wronskian = special.bessel_j1(x) * special.bessel_y0(x)
    wronskian = wronskian - special.bessel_j0(x) * special.bessel_y1(x)
    np.testing.assert_allclose(numpy(wronskian * x), 2 / math.pi, rtol=1e-13)
    mixed = special.i0e(x) * special.scaled_modified_bessel_k1(x)
    mixed = mixed + special.i1e(x) * special.scaled_modified_bessel_k0(x)
    np.testing.assert_allclose(numpy(mixed * x), 1, rtol=1e-14)
    for even in (special.bessel_j0, special.i0, special.i0e, special.spherical_bessel_j0):
        assert torch.equal(even(-x), even(x))
    for odd in (special.bessel_j1, special.i1, special.i1e, special.modified_bessel_i1):
        assert torch.equal(odd(-x), -odd(x))


def test_airy_is_continuous_where_its_formulas_meet():
    for point in (-9.25, -8.5, 0.5, 9.25):
        around = torch.tensor([point - 1e-9, point, point + 1e-9], dtype=F64)
        values = numpy(special.airy_ai(around))
        np.testing.assert_allclose(values, values[1], rtol=2e-8)
        curve = (values[0] + values[2]) / 2
        np.testing.assert_allclose(curve, values[1], rtol=1e-13)


EDGES = {
    "bessel_j0": {0.0: 1, INF: NAN, 1e300: -7.860673062724093e-151},
    "bessel_j1": {0.0: 0, 1e-30: 5e-31},
    "bessel_y0": {0.0: -INF, -1.0: NAN},
    "bessel_y1": {-0.0: -INF, -1.0: NAN, 1e-320: -INF},
    "i0": {0.0: 1, 1e5: INF, NAN: NAN},
    "i1": {-1e5: -INF, 1e-30: 5e-31},
    "i0e": {INF: 0, 1e300: 3.989422804014327e-151},
    "i1e": {-INF: 0, 1e300: 3.989422804014327e-151},
    "modified_bessel_k0": {0.0: INF, -1.0: NAN, INF: 0},
    "modified_bessel_k1": {-0.0: INF, -1.0: NAN, 1e3: 0},
    "scaled_modified_bessel_k0": {0.0: INF, INF: 0},
    "spherical_bessel_j0": {0.0: 1, INF: 0, NAN: NAN},
    "airy_ai": {200.0: 0, NAN: NAN, 0.0: 0.355028053887817239},
    "gammaln": {0.0: INF, -1.0: INF, 1.0: 0, 2.0: 0, -INF: INF, INF: INF,
                1e300: 6.897755278982137e302},
    "digamma": {0.0: -INF, -3.0: NAN, INF: INF, -INF: NAN},
    "erfcx": {-INF: INF, INF: 0, -30.0: INF, 0.0: 1, 1e-17: 1},
    "ndtr": {-INF: 0, INF: 1, 0.0: 0.5, -38.0: 2.8854e-316},
    "log_ndtr": {-1e5: -5000000012.431865, INF: 0, -INF: -INF, 1e5: 0},
    "ndtri": {0.0: -INF, 1.0: INF, 0.5: 0, -0.1: NAN, 1.1: NAN, 1e-300: -37.0470962993612},
    "erfinv": {1.0: INF, -1.0: -INF, 1.5: NAN, 1e-300: 8.86226925452758e-301},
    "entr": {0.0: 0, -1.0: -INF, INF: -INF, NAN: NAN},
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    for x, expected in EDGES[name].items():
        found = getattr(special, name)(torch.tensor(x, dtype=F64)).item()
        np.testing.assert_allclose(
            found, expected, rtol=1e-4 if 0 < abs(expected) < 1e-310 else 1e-13
        )


def test_near_a_zero_lgamma_keeps_its_digits():
    h = 1e-9
    for at, slope in ((1.0, -0.5772156649015329), (2.0, 0.42278433509846713)):
        found = special.gammaln(torch.tensor([at - h, at + h], dtype=F64))
        distances = np.array([at - h, at + h]) - at
        np.testing.assert_allclose(numpy(found) / distances, slope, rtol=1e-8)


def test_inverses():
    p = np.concatenate([np.linspace(1e-3, 0.999, 301), 10.0 ** -np.arange(4, 300, 17)])
    x = special.ndtri(torch.tensor(p))
    np.testing.assert_allclose(np.exp(numpy(special.log_ndtr(x))), p, rtol=1e-11)
    np.testing.assert_allclose(x[150].item(), 0, atol=1e-15)
    known = {1e-10: -6.361340902404057, 0.02: -2.053748910631823, 0.76: 0.7063025628400875,
             0.999: 3.090232306167813}  # fmt: skip
    found = numpy(special.ndtri(torch.tensor(list(known), dtype=F64)))
    np.testing.assert_allclose(found, list(known.values()), rtol=1e-15)
    y = np.linspace(-0.9999, 0.9999, 501)
    np.testing.assert_allclose(numpy(special.erf(special.erfinv(torch.tensor(y)))), y, atol=1e-15)
    known = {1e-10: 8.862269254527581e-11, 0.3: 0.2724627147267543, 0.999: 2.3267537655135246}
    found = numpy(special.erfinv(torch.tensor(list(known), dtype=F64)))
    np.testing.assert_allclose(found, list(known.values()), rtol=2e-15)


def test_zeta_and_polygamma():
    known = {(1.5, 0.3): 8.237761671459724, (2, 7.5): 0.1426158966967038,
             (3, -2.25): -61.94847488703008, (2, -0.5): 8.934802200544679,
             (30, 4): 8.684400483856269e-19, (1.001, 1): 1000.5772884760116}  # fmt: skip
    x, q = torch.tensor(list(known), dtype=F64).unbind(1)
    np.testing.assert_allclose(numpy(special.zeta(x, q)), list(known.values()), rtol=2e-14)
    assert special.zeta(2, torch.tensor([1.0])).item() == pytest.approx(math.pi**2 / 6)
    assert special.zeta(torch.tensor([4.0]), 1).item() == pytest.approx(math.pi**4 / 90)
    odd = special.zeta(torch.tensor([1.0, 0.5, 2.5, 2.0, 3.0]), torch.tensor([2.0, 2, -0.5, 0, -4]))
    np.testing.assert_array_equal(numpy(odd), [INF, NAN, NAN, INF, INF])
    known = {(1, 0.7): 2.834049156694611, (2, 3.5): -0.1082040516417274,
             (3, 0.01): 600000006.2510618, (1, -1.3): 14.53687624413708}  # fmt: skip
    for (n, x), value in known.items():
        found = special.polygamma(n, torch.tensor(x, dtype=F64)).item()
        assert found == pytest.approx(value, rel=1e-13)


def test_gradients():
    x = generator.uniform(0.2, 3, 7)
    both = np.concatenate([x, -x - 0.05])
    for name in ("i0", "i1", "i0e", "i1e", "erfcx", "log_ndtr", "ndtr"):
        check_gradients(getattr(special, name), both)
    for name in ("entr", "gammaln", "digamma"):
        check_gradients(getattr(special, name), x)
    check_gradients(special.ndtri, x / 4)
    check_gradients(special.erfinv, both / 4)
    check_gradients(special.xlog1py, x, x[::-1].copy())
    check_gradients(lambda x: special.xlog1py(x, 2.5) * special.xlog1py(1.5, x), x)
    check_gradients(lambda q: special.zeta(2.5, q) * special.zeta(torch.tensor(3.0), q), x)
    check_gradients(lambda x: special.multigammaln(x + 2, 3), x)


def test_gradients_at_special_points():
    for name, x, slope in (
        ("i1", 0.0, 0.5), ("i1e", 0.0, 0.5), ("i0e", 0.0, 0.0), ("entr", 0.0, INF),
        ("entr", 1.0, -1.0),
    ):  # fmt: skip
        point = torch.tensor(x, dtype=F64, requires_grad=True)
        getattr(special, name)(point).backward()
        assert point.grad.item() == slope, name
    x, y = (torch.tensor([v], requires_grad=True) for v in (0.0, -1.0))
    special.xlog1py(x, y).backward()
    assert x.grad.item() == 0 and math.isnan(y.grad.item())


def test_xlog1py_of_zero_and_nan():
    found = special.xlog1py(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([-1.0, NAN, 1.0]))
    np.testing.assert_allclose(numpy(found), [0, NAN, 2 * math.log(2)], rtol=1e-6)


def test_what_has_no_derivative():
    x = torch.tensor([0.5], requires_grad=True)
    for name in ("airy_ai", "bessel_j0", "modified_bessel_k1", "spherical_bessel_j0"):
        assert not getattr(special, name)(x).requires_grad
    assert not special.legendre_polynomial_p(x, 3).requires_grad
    with pytest.raises(NotImplementedError, match="the derivative for 'zeta' is not implemented"):
        special.zeta(x + 1, 2).backward()


# Polynomials

ARGUMENTS = np.array([-2.5, -1.0, -0.7, 0.0, 0.3, 1.0, 1.7])
POLYNOMIALS = {
    "chebyshev_polynomial_t": lambda n, x: np.polynomial.chebyshev.chebval(x, [0] * n + [1]),
    "hermite_polynomial_h": lambda n, x: np.polynomial.hermite.hermval(x, [0] * n + [1]),
    "hermite_polynomial_he": lambda n, x: np.polynomial.hermite_e.hermeval(x, [0] * n + [1]),
    "laguerre_polynomial_l": lambda n, x: np.polynomial.laguerre.lagval(x, [0] * n + [1]),
    "legendre_polynomial_p": lambda n, x: np.polynomial.legendre.legval(x, [0] * n + [1]),
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials(name):
    call = getattr(special, name)
    x = torch.tensor(ARGUMENTS)
    for n in (0, 1, 2, 5, 12):
        expected = POLYNOMIALS[name](n, ARGUMENTS)
        np.testing.assert_allclose(numpy(call(x, n)), expected, rtol=1e-11, atol=1e-12)
    degrees = torch.tensor([0, 1, 2, 3, 4, 5, 6])
    expected = [POLYNOMIALS[name](n, v) for n, v in enumerate(ARGUMENTS)]
    np.testing.assert_allclose(numpy(call(x, degrees)), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(numpy(call(x, -1)), 0)
    assert torch.equal(call(x, 3.9), call(x, 3))
    assert call(0.5, torch.tensor([2, 3])).dtype is torch.float32
    assert call(x[:, None], degrees).shape == (7, 7)


@pytest.mark.parametrize("n", [0, 1, 4, 7, 9, 30])
def test_chebyshev_kinds_by_angles(n):
    angle = np.linspace(0.1, 3.0, 12)
    x = torch.tensor(np.cos(angle))
    by_angle = {
        "t": np.cos(n * angle),
        "u": np.sin((n + 1) * angle) / np.sin(angle),
        "v": np.cos((n + 0.5) * angle) / np.cos(angle / 2),
        "w": np.sin((n + 0.5) * angle) / np.sin(angle / 2),
    }
    ends = {"t": (1, 1), "u": (n + 1, n + 1), "v": (1, 2 * n + 1), "w": (2 * n + 1, 1)}
    for kind, expected in by_angle.items():
        call = getattr(special, f"chebyshev_polynomial_{kind}")
        np.testing.assert_allclose(numpy(call(x, n)), expected, rtol=1e-10, atol=1e-11)
        shifted = getattr(special, f"shifted_chebyshev_polynomial_{kind}")
        np.testing.assert_allclose(numpy(shifted((x + 1) / 2, n)), expected, rtol=1e-10, atol=1e-10)
        right, left = ends[kind]
        found = call(torch.tensor([1.0, -1.0], dtype=F64), n)
        assert found.tolist() == [right, left * (-1) ** n]


def test_polynomials_that_overflow():
    assert math.isnan(special.hermite_polynomial_h(torch.tensor(2.0), 200).item())
    assert math.isnan(special.chebyshev_polynomial_t(torch.tensor(50.0), 10**6).item())
    assert special.chebyshev_polynomial_t(torch.tensor(50.0), INF).item() == 0


# The rest of the namespace


def test_other_names_for_functions_of_the_top_level():
    x = torch.tensor([0.2, 0.7], dtype=F64)
    for name, other in {"expit": "sigmoid", "psi": "digamma", "gammaln": "lgamma"}.items():
        assert getattr(special, name) is getattr(torch, other)
    assert torch.equal(special.multigammaln(x + 1, 2), torch.mvlgamma(x + 1, 2))
    assert torch.equal(special.softmax(x, 0, dtype=torch.float32), x.float().softmax(0))
    assert torch.equal(special.logsumexp(x, 0), x.logsumexp(0))
    assert torch.equal(special.round(x * 3, decimals=1), (x * 3).round(decimals=1))
    assert all(callable(getattr(special, name)) for name in special.__all__)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda x: special.airy_ai(x.half()), NotImplementedError, '"airy_ai_cpu" not implemented'),
        (lambda x: special.i0e(x + 0j), NotImplementedError, '"i0e_cpu" not implemented for \'Com'),
        (lambda x: special.airy_ai(3), TypeError, "special_airy_ai(): argument 'x' (position 1) m"),
        (lambda x: special.ndtr(3), TypeError, "special_ndtr(): argument 'input' (position 1) mus"),
        (lambda x: special.zeta(2, 3), TypeError, "special_zeta() received an invalid combination"),
        (lambda x: special.hermite_polynomial_h(2, 3), TypeError, "special_hermite_polynomial_h()"),
        (lambda x: special.polygamma(-1, x), RuntimeError, "polygamma(n, x) does not support nega"),
        (lambda x: special.multigammaln(x, 0), RuntimeError, "p has to be greater than or equal t"),
    ],
)  # fmt: skip
def test_errors(call, kind, sentence):
    with pytest.raises(kind) as error:
        call(torch.tensor([1.5, 2.5]))
    assert str(error.value).startswith(sentence)


def test_out_and_half():
    out = torch.empty(2, dtype=F64)
    assert special.i0e(torch.tensor([1.0, 2.0]), out=out) is out
    np.testing.assert_allclose(numpy(out), [0.46575960, 0.30850832], rtol=1e-6)
    half = special.i0e(torch.tensor([1.0, 2.0], dtype=torch.float16))
    assert half.dtype is torch.float16
    np.testing.assert_allclose(numpy(half), [0.46575960, 0.30850832], rtol=1e-3)
