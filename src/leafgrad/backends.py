"""torch.backends: none but NumPy's BLAS; what asks for others hears no."""

from __future__ import annotations

from types import SimpleNamespace

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]


def _absent(**settings: object) -> SimpleNamespace:
    return SimpleNamespace(is_available=lambda: False, is_built=lambda: False, **settings)


cudnn = _absent(enabled=False, benchmark=False, deterministic=False, allow_tf32=False,
                version=lambda: None)  # fmt: skip
cuda = _absent(matmul=SimpleNamespace(allow_tf32=False))
mps, mkl, mkldnn, openmp = _absent(), _absent(), _absent(), _absent()
