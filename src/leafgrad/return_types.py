"""What functions with several results return: tuples whose parts have names, as PyTorch's.

>>> tensor([3.0, 7.0]).max(dim=0)
torch.return_types.max(
values=tensor(7.),
indices=tensor(1))
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

_PARTS = {
    "_lu_with_info": "LU pivots info",
    "aminmax": "min max",
    "cummax": "values indices",
    "cummin": "values indices",
    "frexp": "mantissa exponent",
    "geqrf": "a tau",
    "histogram": "hist bin_edges",
    "histogramdd": "hist bin_edges",
    "kthvalue": "values indices",
    "linalg_cholesky_ex": "L info",
    "linalg_eig": "eigenvalues eigenvectors",
    "linalg_eigh": "eigenvalues eigenvectors",
    "linalg_inv_ex": "inverse info",
    "linalg_ldl_factor": "LD pivots",
    "linalg_ldl_factor_ex": "LD pivots info",
    "linalg_lstsq": "solution residuals rank singular_values",
    "linalg_lu": "P L U",
    "linalg_lu_factor": "LU pivots",
    "linalg_lu_factor_ex": "LU pivots info",
    "linalg_qr": "Q R",
    "linalg_slogdet": "sign logabsdet",
    "linalg_solve_ex": "result info",
    "linalg_svd": "U S Vh",
    "lu_unpack": "P L U",
    "max": "values indices",
    "median": "values indices",
    "min": "values indices",
    "mode": "values indices",
    "nanmedian": "values indices",
    "qr": "Q R",
    "slogdet": "sign logabsdet",
    "sort": "values indices",
    "svd": "U S V",
    "topk": "values indices",
    "triangular_solve": "solution cloned_coefficient",
}

__all__ = list(_PARTS)


class _Named(tuple[Any, ...]):
    """A tuple made of a sequence of its parts, each of which is an attribute too."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def __new__(cls, parts: Iterable[Any]) -> Any:
        made = tuple.__new__(cls, parts)
        if len(made) != len(cls.__match_args__):
            raise TypeError(
                f"torch.return_types.{cls.__name__}() takes a {len(cls.__match_args__)}-sequence "
                f"({len(made)}-sequence given)"
            )
        return made

    def __repr__(self) -> str:
        parts = zip(self.__match_args__, self, strict=True)
        lines = ",\n".join(f"{name}={part!r}" for name, part in parts)
        return f"torch.return_types.{type(self).__name__}(\n{lines})"

    def __reduce__(self) -> Any:
        return _remade, (type(self).__name__, tuple(self))


def _remade(name: str, parts: tuple[Any, ...]) -> Any:
    return (globals().get(name) or __getattr__(name))(parts)


def _make(name: str, parts: tuple[str, ...]) -> type[_Named]:
    body: dict[str, Any] = {part: property(itemgetter(i)) for i, part in enumerate(parts)}
    body.update(
        __slots__=(), __module__="torch.return_types", __match_args__=parts,
        n_fields=len(parts), n_sequence_fields=len(parts), n_unnamed_fields=0,
    )  # fmt: skip
    return type(name, (_Named,), body)


def __getattr__(name: str) -> Any:
    """A type is made when first met; that of a call with `out=` is `max_out` and so on."""
    parts = _PARTS.get(name.removesuffix("_out"))
    if parts is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = _make(name, tuple(parts.split()))
    return made


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS})
