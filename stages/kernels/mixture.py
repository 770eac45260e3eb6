"""How likely rows are under a mixture of Gaussians that is fitted to all of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from stages.kernels.neighbours import threads
from stages.kernels.vectors import Places, Vectors

Doubles = NDArray[np.float64]
Covariance = Literal["diag", "full", "tied", "spherical"]

_BLOCK = 4096
_MAX_ITERATIONS = 300
_LEAST_VARIANCE = 1e-12
"""Of the largest: directions with less are rounding."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of a fit.

    Attributes:
        components: Gaussians; of fewer different rows, as many as there are.
        pca: project on so many principal directions first, each scaled to variance one.
        regularisation: added to every variance, in squared units of what is fitted.
        starts: fits from so many starts by k-means; the likeliest is kept.
    """

    components: int
    covariance: Covariance
    pca: int | None
    regularisation: float
    starts: int


@dataclass(frozen=True, slots=True)
class Mixture:
    """A fitted mixture.

    Attributes:
        centre, axes: of the projection: (x - centre) @ axes is what the Gaussians are over.
    """

    centre: Doubles
    axes: Doubles | None
    gaussians: GaussianMixture

    @property
    def components(self) -> int:
        """How many Gaussians."""
        return int(self.gaussians.n_components)

    @property
    def dimensions(self) -> int:
        """Of the space that they are over."""
        return int(self.gaussians.means_.shape[1])

    @property
    def iterations(self) -> int:
        """Of the fit."""
        return int(self.gaussians.n_iter_)

    @property
    def converged(self) -> bool:
        """False if the fit was cut off."""
        return bool(self.gaussians.converged_)

    def log_likelihoods(self, points: NDArray[np.floating]) -> Doubles:
        """Log density in nats of points [n, d]: [n]."""
        found: Doubles = self.gaussians.score_samples(self._projected(points))
        return found

    def _projected(self, points: NDArray[np.floating]) -> Doubles:
        centred = points.astype(np.float64) - self.centre
        return centred if self.axes is None else centred @ self.axes


def fit_mixture(points: NDArray[np.floating], settings: Settings, seed: int) -> Mixture:
    """Fit a mixture to points [n, d], n at least 1; their order plays a part."""
    centre = points.mean(axis=0, dtype=np.float64)
    centred = points - centre
    axes = None if settings.pca is None else _principal(centred, settings.pca)
    projected = centred if axes is None else centred @ axes
    gaussians = GaussianMixture(
        count_different(projected, settings.components),
        covariance_type=settings.covariance,
        reg_covar=settings.regularisation,
        n_init=settings.starts,
        max_iter=_MAX_ITERATIONS,
        random_state=seed,
    )
    # One point is given twice, as scikit-learn fits nothing to one: the mixture is the same.
    gaussians.fit(projected if len(projected) > 1 else np.repeat(projected, 2, axis=0))
    return Mixture(centre, axes, gaussians)


@contextmanager
def one_core_each() -> Iterator[ThreadPoolExecutor]:
    """A pool for jobs that fit and score: as many at a time as there are cores, each on one.

    Threads that share a sum make it in another order each time, and so another mixture.
    """
    with (
        threadpool_limits(1, user_api="blas"),
        warnings.catch_warnings(),
        # BLAS has one limit for all; of OpenMP's each thread has its own.
        ThreadPoolExecutor(
            threads(), initializer=threadpool_limits, initargs=(1, "openmp")
        ) as pool,
    ):
        warnings.simplefilter("ignore", ConvergenceWarning)  # `Mixture.converged` says it
        yield pool


def _principal(centred: Doubles, wanted: int) -> Doubles:
    """Directions of most variance [d, <= wanted], scaled so that the variance along each is 1."""
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    best = np.argsort(variances)[::-1][:wanted]
    best = best[variances[best] > _LEAST_VARIANCE * max(variances[-1], 1e-300)]
    if not len(best):  # all points are one
        return np.eye(centred.shape[1], 1)
    scaled: Doubles = directions[:, best] / np.sqrt(variances[best])
    return scaled


def count_different(points: NDArray[np.floating], most: int) -> int:
    """How many different rows there are, counted up to `most`."""
    others = np.ones(len(points), dtype=bool)
    for found in range(most):
        if not others.any():
            return found
        others &= (points != points[np.argmax(others)]).any(axis=1)
    return most


def begin_scoring(
    pool: Executor, mixture: Mixture, columns: Sequence[Vectors], places: Places
) -> Callable[[], Doubles]:
    """Have a pool find how likely rows are that have a vector in each of some columns.

    Returns:
        What waits for their log-likelihoods: [places, columns].
    """
    # Always the same blocks: in another one, BLAS may round a row in another way.
    blocks = (places[start : start + _BLOCK] for start in range(0, len(places), _BLOCK))
    jobs = [pool.submit(_unit_likelihoods, mixture, columns, block) for block in blocks]
    return lambda: np.concatenate([job.result() for job in jobs])


def _unit_likelihoods(mixture: Mixture, columns: Sequence[Vectors], places: Places) -> Doubles:
    return np.stack([mixture.log_likelihoods(of.take(places)) for of in columns], axis=1)


def drawn(places: Places, most: int, seed: int) -> Places:
    """At most so many places, drawn by the seed, in the order that they had."""
    if len(places) <= most:
        return places
    chosen = np.random.default_rng(seed).choice(len(places), most, replace=False, shuffle=False)
    return places[np.sort(chosen)]
