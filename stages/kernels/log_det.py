"""Keep the rows that span most: the greedy MAP of a determinantal point process.

The kernel is L_ij = q_i s_ij q_j, plus `ridge` where i = j. Each time the row is taken that raises
log det L of those taken most, by the logarithm of its variance given them (Chen, Zhang and Zhou,
2018, arXiv 1709.05135). They follow the variances by a Cholesky factor, which takes n numbers for
every row kept. With s_ij the product of two rows of d numbers the same variances come from a d x d
matrix: ridge + z_i' P z_i with z_i = q_i x_i and P = (I + Z'Z / ridge)^-1 over the rows taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.falling_gains import take_greedily


def greedy_map(
    z: NDArray[np.float32], ridge: float, n_kept: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Take the row of highest variance given those taken; of equal ones that which stands first.

    Args:
        z: rows of length one times their quality [n, d].
        ridge: above 0: the variance that is left of a row when it repeats others.
        n_kept: at most n.

    Returns:
        Places in the order taken, int32, and by how much each raised log det L.
    """
    left = np.identity(z.shape[1])

    def direction(place: int, variance: float) -> NDArray[np.float64]:
        new: NDArray[np.float64] = left @ z[place].astype(np.float64) / np.sqrt(variance)
        np.subtract(left, np.outer(new, new), out=left)
        return new

    variances = np.einsum("nd,nd->n", z, z, dtype=np.float64) + ridge
    order, taken = take_greedily(z, variances, n_kept, direction, _less_variance)
    return order, np.log(taken)


def _less_variance(
    variances: NDArray[np.float64], products: NDArray[np.float64]
) -> NDArray[np.float64]:
    less: NDArray[np.float64] = variances - np.einsum("mt,mt->m", products, products)
    return less
