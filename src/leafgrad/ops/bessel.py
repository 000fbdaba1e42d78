"""Bessel and Airy functions, which NumPy has not: of the kinds and orders that PyTorch has.

Each is a Chebyshev series on a few intervals, of what is left when the singular or oscillating
factor is taken out. The tables were fitted at 50 digits. All is computed in float64; errors are a
few units in the last place, of the amplitude where a function oscillates.

For x > 8, J and Y of order n are sqrt(2/πx) times the real and the imaginary part of
(p + iq) exp(i(x - nπ/2 - π/4)), where p and xq are smooth in 1/x².
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph.operator import op, result_dtype
from ..graph.quiet import quietly
from ..graph.source import fail
from .series import chebyshev, in_double, power_series

__all__: list[str] = []

# Coefficients of Chebyshev series. Of x up to 8, in x²/32 - 1: J0, J1 / x, Y0 - 2/π log(x) J0,
# (Y1 - 2/π (log(x) J1 - 1/x)) / x; above, in 128/x² - 1: p and xq. Of x up to 8, in x/4 - 1:
# exp(-x) I0, exp(-x) I1 / x; above, in 16/x - 1: these times sqrt(x), and x sqrt(x). Of x up to 2,
# in x²/2 - 1: K0 + log(x/2) I0, x (K1 - log(x/2) I1); above, in 4/x - 1: exp(x) sqrt(x) K.
_TABLES = {
    "j0": (
        0.15772797147489012, -0.008723442352852221, 0.2651786132033368, -0.37009499387264977,
        0.15806710233209725, -0.034893769411408884, 0.004819180069467605, -0.00046062616620627504,
        3.246032882100508e-05, -1.7619469077621507e-06, 7.608163592418782e-08,
        -2.679253530557673e-09, 7.848696314479465e-11, -1.9438346867370164e-12,
        4.125320595634374e-14, -7.588508125447546e-16, 1.2218515873961411e-17,
    ),
    "j1": (
        0.08104484632565812, -0.1489751450676521, 0.1609992623572097, -0.08268049176681791,
        0.022213639654966037, -0.003646940600769276, 0.0004050337728354822, -3.255554866857259e-05,
        1.9858774049915165e-06, -9.521984756750436e-08, 3.687133759097148e-09,
        -1.178026622695885e-10, 3.160154580348003e-12, -7.221755239651773e-14,
        1.4232144003513942e-15, -2.4441972916190464e-17,
    ),
    "y0": (
        -0.03314611320328494, -0.2744743055297453, 0.17903431407718265, 0.26156734625504663,
        -0.17730201278114358, 0.04719668959576339, -0.007287962479552079, 0.0007531135932577742,
        -5.632079141056987e-05, 3.206532537654801e-06, -1.44072332740187e-07, 5.248794787330516e-09,
        -1.5837552541812015e-10, 4.02633081830612e-12, -8.747341203310769e-14,
        1.6434898714919468e-15, -2.6977881152566837e-17,
    ),
    "y1": (
        0.0025380132357417816, -0.01608717304766875, -0.09591204536083074, 0.08445197259652346,
        -0.028328123944594365, 0.005289897544167113, -0.0006414551451326356, 5.505982873338744e-05,
        -3.53808001868935e-06, 1.7707804556154404e-07, -7.11055004989928e-09, 2.344337905911516e-10,
        -6.4651518414115946e-12, 1.51429151205002e-13, -3.0511859694473254e-15,
        5.34668038572867e-17,
    ),
    "p0": (
        0.9994603493475187, -0.0005365220468132117, 3.0751847875194745e-06, -5.1705945376060975e-08,
        1.6306464635151382e-09, -7.86409137723707e-11, 5.168262387349193e-12,
        -4.3045788699253914e-13, 4.3265957431549404e-14, -5.069034095935236e-15,
        6.748072215733873e-16, -1.0011513723467786e-16,
    ),
    "q0": (
        -0.12444683684269607, 0.0005470815954089319, -5.9315987288485175e-06,
        1.4377965798375193e-07, -5.817532749493056e-09, 3.376097523734991e-10,
        -2.565397936797308e-11, 2.404916100281365e-12, -2.6690625482579414e-13,
        3.4041800321963686e-14, -4.87994410531204e-15, 7.729703176242605e-16,
        -1.3348852171502517e-16, 2.4865952389390515e-17, -4.952892629886516e-18,
    ),
    "p1": (
        1.0009030408600137, 0.0008989898330859408, -3.987284300488908e-06, 6.177633960644299e-08,
        -1.8718907491063067e-09, 8.816898659582339e-11, -5.704863640395645e-12,
        4.699195515230542e-13, -4.6842237839904895e-14, 5.452674896044717e-15,
        -7.221180842274018e-16, 1.0667689114335412e-16,
    ),
    "q1": (
        0.3742222965562826, -0.0007702178839325664, 7.3108922063643636e-06, -1.676782510726674e-07,
        6.583354662120443e-09, -3.749090950541556e-10, 2.8121750359748866e-11,
        -2.61145253946232e-12, 2.8774212663332235e-13, -3.649001916061838e-14,
        5.206626366226707e-15, -8.215318025458595e-16, 1.4141084390211833e-16,
        -2.626761589838529e-17,
    ),
    "i0": (
        0.33839763720473803, -0.3046826723431984, 0.17162090152220877, -0.09490109704804764,
        0.04930528423967071, -0.02373741480589947, 0.010546460394594998, -0.004324309995050576,
        0.0016394756169413357, -0.0005763755745385824, 0.00018850288509584165,
        -5.754195010082104e-05, 1.6448448070728896e-05, -4.4167383584587505e-06,
        1.1173875391201037e-06, -2.670793853940612e-07, 6.046995022541919e-08,
        -1.300025009986248e-08, 2.6598237246823866e-09, -5.189795601635263e-10,
        9.675809035373237e-11, -1.726826291441556e-11, 2.95505266312964e-12, -4.856446783111929e-13,
        7.676185498604936e-14, -1.1685332877993451e-14, 1.715391285555133e-15,
        -2.431279846547955e-16, 3.3307945188222384e-17,
    ),
    "i1": (
        0.12629359322181682, -0.17641651835783406, 0.1026436586898471, -0.05294598120809499,
        0.024726449030626516, -0.010564084894626197, 0.004156422944312888, -0.0015135724506312532,
        0.0005122859561685758, -0.00016176081582589674, 4.781565107550054e-05,
        -1.3273163656039436e-05, 3.4702513081376785e-06, -8.568720264695455e-07,
        2.0032947535521353e-07, -4.445059128796328e-08, 9.381537386495773e-09,
        -1.8872497517228294e-09, 3.625590281552117e-10, -6.663489723502027e-11,
        1.1736186298890901e-11, -1.9839743977649436e-12, 3.223793365945575e-13,
        -5.042185504727912e-14, 7.600684294735408e-15, -1.1055969477353862e-15,
        1.5536319577362005e-16, -2.111421214358166e-17,
    ),
    "i0_far": (
        0.4022452055070544, 0.0033691164782556943, 6.889758346916825e-05, 2.8913705208347567e-06,
        2.0489185894690638e-07, 2.266668990498178e-08, 3.3962320257083865e-09, 4.94060238822497e-10,
        1.1889147107846439e-11, -3.1499165279632416e-11, -1.3215811840447713e-11,
        -1.7941785315068062e-12, 7.180124451383666e-13, 3.8527783827421426e-13,
        1.54008621752141e-14, -4.150569347287222e-14, -9.554846698828307e-15,
        3.8116806693526224e-15, 1.7725601330565263e-15, -3.425485619677219e-16,
        -2.8276239805165836e-16, 3.461222867697461e-17, 4.46562142029676e-17,
    ),
    "i1_far": (
        0.38928811750914005, -0.009761097491361469, -0.00011058893876262371, -3.882564808877691e-06,
        -2.512236237870209e-07, -2.6314688468895196e-08, -3.835380385964237e-09,
        -5.589743462196584e-10, -1.8974958123505413e-11, 3.2526035830154884e-11,
        1.4125807436613782e-11, 2.0356285441470896e-12, -7.198551776245908e-13,
        -4.0835511110921974e-13, -2.1015418427726643e-14, 4.272440016711951e-14,
        1.0420276984128802e-14, -3.8144030724370075e-15, -1.8803547755107825e-15,
        3.3082023109209285e-16, 2.96262899764595e-16, -3.209525921993424e-17,
        -4.650305368489358e-17,
    ),
    "k0": (
        -0.2676636966169514, 0.3442898999246285, 0.0359799365153615, 0.001264615411446926,
        2.286212103119452e-05, 2.5347910790261494e-07, 1.904516377220209e-09,
        1.0349695257633625e-11, 4.2598161427910826e-14, 1.3744654358807508e-16,
    ),
    "k1": (
        0.7626501136694739, -0.3531559607765449, -0.12261118082265715, -0.006975723859639864,
        -0.0001730288957513052, -2.4334061415659684e-06, -2.213387630734726e-08,
        -1.4114883926335278e-10, -6.666901694199329e-13, -2.427449850519366e-15,
    ),
    "k0_far": (
        1.2201515410329777, -0.0314481013119645, 0.0015698838857300533, -0.00012849549581627802,
        1.39498137188765e-05, -1.8317555227191195e-06, 2.766813639445015e-07,
        -4.660489897687948e-08, 8.574034017414225e-09, -1.6975345093890614e-09,
        3.5773972814003283e-10, -7.957489244477396e-11, 1.8559491149549264e-11,
        -4.514597883374519e-12, 1.1403405882073441e-12, -2.9800969231481784e-13,
        8.032890775068375e-14, -2.2275133267462965e-14, 6.340076476276646e-15,
        -1.848593377920907e-15, 5.5120559994043335e-16, -1.6782311257549006e-16,
        5.2103917776435543e-17,
    ),
    "k1_far": (
        1.3603130952422213, 0.10392373657681724, -0.002857816859622779, 0.00019521551847135162,
        -1.936197974166083e-05, 2.406484947837217e-06, -3.5019606030878126e-07,
        5.7410841254500495e-08, -1.0345762465678097e-08, 2.0150497551970347e-09,
        -4.1903547593419254e-10, 9.218315187605315e-11, -2.129967838427791e-11,
        5.139639673482343e-12, -1.2891739609498229e-12, 3.348419666052243e-13,
        -8.976705182010146e-14, 2.4771544242195988e-14, -7.0198370892147685e-15,
        2.038703166239861e-15, -6.057047270643018e-16, 1.8380935752430455e-16,
        -5.689462849193648e-17,
    ),
}  # fmt: skip
# Ai and its derivative at -9, -8, ..., 9.
_AIRY = np.array([
    -0.022133721547341403, -0.0527050503563862, 0.18428083525050565, -0.3291451736298231,
    0.35076100902411433, -0.07026553294928951, -0.37881429367765806, 0.22740742820168558,
    0.5355608832923521, 0.3550280538878172, 0.13529241631288141, 0.03492413042327438,
    0.006591139357460719, 0.0009515638512048018, 0.00010834442813607442, 9.947694360252889e-06,
    7.492128863997167e-07, 4.6922076160992316e-08, 2.47116843087249e-09,
])  # fmt: skip
_AIRY_SLOPE = np.array([
    -0.9756639809263316, 0.9355609381983065, -0.7710081684101265, 0.3459354872813429,
    0.32719281855444315, -0.7906285753685813, 0.3145837692165988, 0.618259020741691,
    -0.01016056711664521, -0.2588194037928068, -0.1591474412967932, -0.05309038443365363,
    -0.011912976705951319, -0.001958640950204179, -0.0002474138908684625, -2.4765200397034955e-05,
    -2.008150894738792e-06, -1.3414392979067865e-07, -7.480641389658946e-09,
])  # fmt: skip


def _series(name: str, t: Any) -> Any:
    return chebyshev(_TABLES[name], t)


# J and Y


def _near(x: Any) -> Any:
    """x up to 8, as the series' variable."""
    near = np.minimum(np.abs(x), 8.0)
    return near * near / 32 - 1


def _far(x: Any, order: int) -> tuple[Any, Any]:
    """p cos χ - q sin χ and p sin χ + q cos χ, times sqrt(2/πx), of x above 8: J and Y."""
    far = np.maximum(np.abs(x), 8.0)
    inverse = 8.0 / far
    t = 2 * inverse * inverse - 1
    p, q = _series(f"p{order}", t), _series(f"q{order}", t) / far
    sine, cosine = np.sin(far), np.cos(far)
    total, difference = sine + cosine, sine - cosine
    scale = 1 / np.sqrt(math.pi * far)
    if order == 0:  # χ = x - π/4
        return scale * (p * total - q * difference), scale * (p * difference + q * total)
    return scale * (p * difference + q * total), scale * (q * difference - p * total)


_TWO_OVER_PI = 2 / math.pi


@in_double
def j0_of(x: Any) -> Any:
    """J0 of an array."""
    return np.where(np.abs(x) <= 8, _series("j0", _near(x)), _far(x, 0)[0])


@in_double
def j1_of(x: Any) -> Any:
    """J1 of an array."""
    return np.where(np.abs(x) <= 8, x * _series("j1", _near(x)), np.sign(x) * _far(x, 1)[0])


@in_double
def y0_of(x: Any) -> Any:
    """Y0 of an array."""
    near = _near(x)
    small = _series("y0", near) + _TWO_OVER_PI * np.log(x) * _series("j0", near)
    return np.where(x <= 8, small, _far(x, 0)[1])


@in_double
def y1_of(x: Any) -> Any:
    """Y1 of an array."""
    near = _near(x)
    small = x * (_series("y1", near) + _TWO_OVER_PI * np.log(x) * _series("j1", near))
    small = np.where(x == 0, -math.inf, small - _TWO_OVER_PI / x)
    return np.where(x <= 8, small, _far(x, 1)[1])


# I and K


@in_double
def i0e_of(x: Any) -> Any:
    """exp(-|x|) I0(x) of an array."""
    size = np.abs(x)
    near, far = np.minimum(size, 8.0), np.maximum(size, 8.0)
    return np.where(size <= 8, _series("i0", near / 4 - 1),
                    _series("i0_far", 16 / far - 1) / np.sqrt(far))  # fmt: skip


@in_double
def i1e_of(x: Any) -> Any:
    """exp(-|x|) I1(x) of an array."""
    size = np.abs(x)
    near, far = np.minimum(size, 8.0), np.maximum(size, 8.0)
    above = np.copysign(_series("i1_far", 16 / far - 1) / np.sqrt(far), x)
    return np.where(size <= 8, x * _series("i1", near / 4 - 1), above)


@in_double
def i0_of(x: Any) -> Any:
    """I0 of an array."""
    return np.exp(np.abs(x)) * i0e_of(x)


@in_double
def i1_of(x: Any) -> Any:
    """I1 of an array."""
    return np.exp(np.abs(x)) * i1e_of(x)


def _k(x: Any, order: int, scaled: bool) -> Any:
    """K0 or K1, times exp(x) if `scaled`; NaN left of zero."""
    near, far = np.minimum(x, 2.0), np.maximum(x, 2.0)
    t = near * near / 2 - 1
    log = np.log(near / 2)
    if order == 0:
        small = _series("k0", t) - log * np.exp(near) * _series("i0", near / 4 - 1)
    else:
        small = log * near * np.exp(near) * _series("i1", near / 4 - 1) + _series("k1", t) / near
        small = np.where(x == 0, math.inf, small)
    large = _series(f"k{order}_far", 4 / far - 1) / np.sqrt(far)
    if scaled:
        return np.where(x <= 2, small * np.exp(near), large)
    return np.where(x <= 2, small, large * np.exp(-far))


@in_double
def k0_of(x: Any) -> Any:
    """K0 of an array."""
    return _k(x, 0, False)


@in_double
def k1_of(x: Any) -> Any:
    """K1 of an array."""
    return _k(x, 1, False)


@in_double
def k0e_of(x: Any) -> Any:
    """exp(x) K0(x) of an array."""
    return _k(x, 0, True)


@in_double
def k1e_of(x: Any) -> Any:
    """exp(x) K1(x) of an array."""
    return _k(x, 1, True)


@in_double
def spherical_j0_of(x: Any) -> Any:
    """sin(x) / x of an array; 0 at infinity."""
    quotient = np.where(x == 0, 1, np.sin(x) / np.where(x == 0, 1, x))
    return np.where(np.isinf(x), 0, quotient)


# Ai


def _airy_terms(count: int) -> tuple[float, ...]:
    """The coefficients u[k] of the expansion of Ai for large arguments."""
    terms = [1.0]
    for k in range(1, count):
        terms.append(terms[-1] * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)))
    return tuple(terms)


_AIRY_TERMS = _airy_terms(24)
_AIRY_EVEN, _AIRY_ODD = _AIRY_TERMS[::2], _AIRY_TERMS[1::2]
_DEGREE = 23


@functools.cache
def _airy_taylor() -> list[Any]:
    """The coefficients of Ai's Taylor series about -9, -8, ..., 9, a column each: they follow from
    Ai'' = x Ai."""
    centre = np.arange(-9, 10)
    rows = [_AIRY, _AIRY_SLOPE, centre * _AIRY / 2]
    for n in range(3, _DEGREE + 1):
        rows.append((centre * rows[n - 2] + rows[n - 3]) / (n * (n - 1)))
    return rows


def _airy_near(x: Any) -> Any:
    """Ai between -9.5 and 9.5: its Taylor series about the nearest integer."""
    centre = np.rint(np.where(np.abs(x) < 9.5, x, 0.0))
    h, place = x - centre, centre.astype(np.int64) + 9
    value: Any = 0.0
    for row in reversed(_airy_taylor()):
        value = value * h + np.take(row, place)
    return value


def _airy_far(x: Any) -> Any:
    """Ai beyond ±9, where the error of its asymptotic series is below that of float64."""
    size = np.maximum(np.abs(x), 9.0)
    root = np.sqrt(size)
    zeta = size * root * (2 / 3)
    inverse = 1 / zeta
    decay = np.exp(-zeta) * power_series(_AIRY_TERMS, -inverse) / 2
    even = power_series(_AIRY_EVEN, -inverse * inverse)
    odd = power_series(_AIRY_ODD, -inverse * inverse) * inverse
    sine, cosine = np.sin(zeta), np.cos(zeta)  # of zeta - π/4, in the next line
    waves = ((sine + cosine) * even + (sine - cosine) * odd) * math.sqrt(0.5)
    return np.where(x > 0, decay, waves) / (math.sqrt(math.pi) * np.sqrt(root))


@in_double
def airy_ai_of(x: Any) -> Any:
    """Ai of an array; NaN at infinity, as PyTorch has it."""
    found = np.where(np.abs(x) < 9.25, _airy_near(x), _airy_far(x))
    return np.where(np.isinf(x), math.nan, found)


# The operators. PyTorch differentiates only i0e and i1e of these (and i0, i1: elementwise.py).


def refuse_narrow(name: str) -> Callable[..., None]:
    """A check for `op`: no operands of 16 bits, and no complex ones."""

    def check(*operands: Any) -> None:
        kind = result_dtype(operands)
        if kind.is_complex or (kind.is_floating_point and kind.itemsize == 2):
            fail(NotImplementedError, f"\"{name}_cpu\" not implemented for '{kind.legacy}'")

    return check


def refuse_complex(name: str) -> Callable[..., None]:
    """A check for `op`: no complex operands."""

    def check(*operands: Any) -> None:
        kind = result_dtype(operands)
        if kind.is_complex:
            fail(NotImplementedError, f"\"{name}_cpu\" not implemented for '{kind.legacy}'")

    return check


def no_tensor(name: str, *given: Any) -> None:
    """PyTorch's error for a call with numbers alone."""
    kinds = ", ".join(type(value).__name__ for value in given)
    fail(TypeError, f"{name}() received an invalid combination of arguments - got ({kinds}), but "
                    "one of them must be a Tensor")  # fmt: skip


def _operator(name: str, values: Callable[[Any], Any], doc: str) -> Any:
    def forward(x):
        return values(x)

    forward.__doc__ = doc
    return op(quietly(forward), name=f"special_{name}", promote="float", check=refuse_narrow(name))


airy_ai = _operator("airy_ai", airy_ai_of, "The Airy function Ai.")
bessel_j0 = _operator("bessel_j0", j0_of, "The Bessel function of the first kind of order 0.")
bessel_j1 = _operator("bessel_j1", j1_of, "The Bessel function of the first kind of order 1.")
bessel_y0 = _operator("bessel_y0", y0_of, "The Bessel function of the second kind of order 0.")
bessel_y1 = _operator("bessel_y1", y1_of, "The Bessel function of the second kind of order 1.")
modified_bessel_i0 = _operator(
    "modified_bessel_i0", i0_of, "The modified Bessel function of the first kind of order 0."
)
modified_bessel_i1 = _operator(
    "modified_bessel_i1", i1_of, "The modified Bessel function of the first kind of order 1."
)
modified_bessel_k0 = _operator(
    "modified_bessel_k0", k0_of, "The modified Bessel function of the second kind of order 0."
)
modified_bessel_k1 = _operator(
    "modified_bessel_k1", k1_of, "The modified Bessel function of the second kind of order 1."
)
scaled_modified_bessel_k0 = _operator(
    "scaled_modified_bessel_k0", k0e_of, "exp(x) times `modified_bessel_k0`."
)
scaled_modified_bessel_k1 = _operator(
    "scaled_modified_bessel_k1", k1e_of, "exp(x) times `modified_bessel_k1`."
)
spherical_bessel_j0 = _operator(
    "spherical_bessel_j0", spherical_j0_of, "The spherical Bessel function sin(x) / x."
)


@op(name="special_i0e", node="SpecialI0EBackward0", promote="float", check=refuse_complex("i0e"))
@quietly
def i0e(input):
    """exp(-|x|) times the modified Bessel function of the first kind of order 0."""
    return i0e_of(input)


@op(name="special_i1e", node="SpecialI1EBackward0", promote="float", check=refuse_complex("i1e"))
@quietly
def i1e(input):
    """exp(-|x|) times the modified Bessel function of the first kind of order 1."""
    return i1e_of(input)


def _i1e_vjp_input(g: Any, input: Any, out: Any) -> Any:
    # At zero i1e(x) / x is 1/2; the inner `where` keeps the quotient finite there.
    zero = input == 0
    ratio = out / np.where(zero, 1, input)
    return g * np.where(zero, 0.5, i0e(input) - np.sign(input) * out - ratio)


i0e.vjp(input=lambda g, input, out: g * (i1e(input) - np.sign(input) * out))
i1e.vjp(input=_i1e_vjp_input)
