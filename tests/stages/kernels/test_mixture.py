"""The mixture behind ISA, against densities computed by hand."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import multivariate_normal

from stages.kernels.mixture import (
    Covariance,
    Settings,
    begin_scoring,
    count_different,
    drawn,
    fit_mixture,
    one_core_each,
)
from stages.kernels.vectors import Vectors, usable_vectors


def settings(**changed: object) -> Settings:
    values = {"components": 2, "covariance": "diag", "pca": None, "regularisation": 1e-6}
    return Settings(**{**values, "starts": 1, **changed})  # type: ignore[arg-type] # by name


def two_clouds(n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(5)
    far = np.where(np.arange(n)[:, None] < n // 4, 6.0, 0.0)
    return (rng.normal(size=(n, 3)) * [1, 2, 0.5] + far).astype(np.float32)


@pytest.mark.parametrize("covariance", ["diag", "full", "tied", "spherical"])
def test_the_likelihood_is_that_of_the_mixture(covariance: Covariance) -> None:
    points = two_clouds()
    mixture = fit_mixture(points, settings(covariance=covariance), seed=1)
    model = mixture.gaussians
    shapes = {
        "diag": lambda c: np.diag(model.covariances_[c]),
        "full": lambda c: model.covariances_[c],
        "tied": lambda c: model.covariances_,
        "spherical": lambda c: np.eye(3) * model.covariances_[c],
    }
    densities = [
        weight * multivariate_normal(mean, shapes[covariance](c)).pdf(points - mixture.centre)
        for c, (weight, mean) in enumerate(zip(model.weights_, model.means_, strict=True))
    ]
    assert mixture.log_likelihoods(points) == pytest.approx(np.log(np.sum(densities, axis=0)))
    assert sorted(model.weights_) == pytest.approx([0.25, 0.75], abs=0.02)


def test_one_gaussian_has_mean_and_variance_of_the_points() -> None:
    points = two_clouds()
    mixture = fit_mixture(points, settings(components=1), seed=1)
    assert mixture.gaussians.covariances_[0] == pytest.approx(points.var(axis=0), rel=1e-4)


def test_principal_directions_are_scaled_to_variance_one() -> None:
    points = two_clouds()
    mixture = fit_mixture(points, settings(components=1, pca=2), seed=1)
    assert mixture.dimensions == 2
    projected = (points - mixture.centre) @ mixture.axes
    assert np.cov(projected.T, bias=True) == pytest.approx(np.eye(2), abs=1e-5)


def test_directions_without_variance_are_left_out() -> None:
    flat = np.hstack([two_clouds(), np.ones((200, 4), np.float32)])
    assert fit_mixture(flat, settings(pca=6), seed=1).dimensions == 3


@pytest.mark.parametrize("pca", [None, 2])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_points_make_one_gaussian(n: int, pca: int | None) -> None:
    points = np.full((n, 3), 0.5, np.float32)
    mixture = fit_mixture(points, settings(pca=pca), seed=1)
    assert mixture.components == 1
    likelihoods = mixture.log_likelihoods(points)
    assert np.isfinite(likelihoods).all()
    assert len(set(likelihoods)) == 1


def test_fewer_points_than_gaussians_make_fewer_of_them() -> None:
    mixture = fit_mixture(two_clouds(3), settings(components=5), seed=1)
    assert mixture.components == 3


def test_different_rows_are_counted_up_to_a_limit() -> None:
    points = np.array([[1.0, 2], [1, 2], [3, 4], [1, 5]])
    assert [count_different(points, most) for most in (1, 2, 3, 4, 9)] == [1, 2, 3, 3, 3]


def test_side_by_side_the_same_seed_makes_the_same_mixture() -> None:
    points = np.random.default_rng(0).normal(size=(3000, 40))

    def likelihoods(seed: int) -> np.ndarray:
        return fit_mixture(points, settings(), seed).log_likelihoods(points)

    with one_core_each() as pool:
        alone = pool.submit(likelihoods, 3).result()
        several = list(pool.map(likelihoods, (3, 4, 3, 3)))
    assert [(found == alone).all() for found in several] == [True, False, True, True]


def test_rows_are_scored_where_they_lie() -> None:
    points = two_clouds(50)
    halves = [pa.array(part.tolist(), pa.list_(pa.float64())) for part in (points[:9], points[9:])]
    vectors = Vectors(usable_vectors(pa.chunked_array(halves)))
    mixture = fit_mixture(points, settings(), seed=3)
    places = np.array([40, 3, 12])
    with one_core_each() as pool:
        found = begin_scoring(pool, mixture, [vectors, vectors], places)()
    assert found == pytest.approx(np.stack([mixture.log_likelihoods(points[places])] * 2, axis=1))


def test_rows_are_scored_block_by_block_in_their_order() -> None:
    points = np.random.default_rng(1).normal(size=(10_000, 3)).astype(np.float32)
    vectors = Vectors(usable_vectors(pa.chunked_array([pa.array(list(points))])))
    mixture = fit_mixture(points[:100], settings(), seed=3)
    places = np.random.default_rng(2).permutation(len(points))
    with one_core_each() as pool:
        (found,) = begin_scoring(pool, mixture, [vectors], places)().T
    assert found == pytest.approx(mixture.log_likelihoods(points[places]))


def test_a_sample_is_drawn_by_the_seed_and_keeps_the_order() -> None:
    places = np.arange(100)[::-1].copy()
    assert drawn(places, 100, 1) is places
    first, again, other = (drawn(places, 10, seed) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() == sorted(set(first), reverse=True)
    assert len(first) == 10
    assert first.tolist() != other.tolist()
