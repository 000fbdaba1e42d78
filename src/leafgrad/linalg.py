"""torch.linalg: decompositions, eigenvalues, systems of equations, norms.

All functions work on batches: on the matrices of the last two dimensions. They are differentiable
to any order, where PyTorch's are, and take `out=`. `ops/` has what they compute.
"""

from __future__ import annotations

from .ops.decompositions import cholesky_ex, ldl_factor, ldl_factor_ex, ldl_solve
from .ops.decompositions import linalg_cholesky as cholesky
from .ops.eigen import eig, eigh, eigvals, eigvalsh, svdvals
from .ops.eigen import linalg_svd as svd
from .ops.lu import linalg_lu as lu
from .ops.lu import linalg_lu_solve as lu_solve
from .ops.lu import lu_factor, lu_factor_ex
from .ops.matrices import LinAlgError
from .ops.matrix_functions import cond, matrix_exp, vander
from .ops.matrix_functions import linalg_matrix_power as matrix_power
from .ops.norms import linalg_norm as norm
from .ops.norms import matrix_norm, vector_norm
from .ops.orthogonal import householder_product
from .ops.orthogonal import linalg_qr as qr
from .ops.products import linalg_cross as cross
from .ops.products import linalg_diagonal as diagonal
from .ops.products import matmul, multi_dot, vecdot
from .ops.solving import (
    inv,
    inv_ex,
    lstsq,
    matrix_rank,
    pinv,
    solve,
    solve_ex,
    tensorinv,
    tensorsolve,
)
from .ops.solving import linalg_det as det
from .ops.solving import linalg_slogdet as slogdet
from .ops.triangular import solve_triangular

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex",
    "ldl_solve", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander",
    "vecdot", "vector_norm",
]  # fmt: skip
