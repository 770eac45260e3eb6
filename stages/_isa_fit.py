"""The fits of `isa`: with the seed that counts, with others, and what is to be told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.ids import row_seed
from schemas.stage import PassContext

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages._isa_config import Config
    from stages.kernels.entropy import Scores
    from stages.kernels.mixture import Mixture
    from stages.kernels.vectors import Places, Vectors

STABLE = 0.8
"""Overlap with other seeds below which a choice of rows is largely one of the seed."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A mixture, the rows that it was fitted to, and what it says of all rows."""

    mixture: Mixture
    fit_rows: int
    scores: Scores


def fits(
    columns: Sequence[Vectors], places: Places, config: Config, context: PassContext
) -> list[Fit]:
    """The fit with the seed that counts, then those with the others.

    Args:
        places: of the rows in the columns, in an order that is always the same.
    """
    from stages.kernels.mixture import begin_scoring, one_core_each

    numbers = range(config.stability_seeds + 1)
    seeds = [row_seed(str(context.recipe_seed), context.stage, "mixture", n) for n in numbers]
    # What scikit-learn takes for a seed has 32 bits.
    with one_core_each() as pool:
        fitting = [pool.submit(_fit, columns, places, config, seed % 2**32) for seed in seeds]
        # By blocks of rows: no core waits while others have a whole fit to score.
        scoring = [
            (mixture, n, begin_scoring(pool, mixture, columns, places))
            for mixture, n in (job.result() for job in fitting)
        ]
        return [
            Fit(mixture, n, _scores(likelihoods(), config)) for mixture, n, likelihoods in scoring
        ]


def _scores(likelihoods: NDArray[np.float64], config: Config) -> Scores:
    from stages.kernels.entropy import score_rows

    return score_rows(likelihoods, config.mode, "mean" if config.pair == "mean" else "max")


def _fit(
    columns: Sequence[Vectors], places: Places, config: Config, seed: int
) -> tuple[Mixture, int]:
    """A mixture, and the number of rows that it was fitted to."""
    import numpy as np

    from stages.kernels.mixture import Settings, drawn, fit_mixture

    sample = drawn(places, config.fit_rows, seed)
    points = np.concatenate([vectors.take(sample) for vectors in columns])
    settings = Settings(
        config.components, config.covariance, config.pca, config.regularisation, config.starts
    )
    return fit_mixture(points, settings, seed), len(sample)


def report(
    found: Sequence[Fit], lengths: NDArray[np.int64], kept: int, config: Config
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Figures and notes on the first of the fits, the others being for comparison.

    Args:
        lengths: of the rows' texts, in the order of the scores.
    """
    from stages.kernels.rank_correlation import rank_correlation

    mixture, scores = found[0].mixture, found[0].scores
    figures = {
        "rows": len(lengths),
        "kept": kept,
        "fit_rows": found[0].fit_rows,
        "components": mixture.components,
        "dimensions": mixture.dimensions,
        "iterations": mixture.iterations,
        "mean_log_likelihood": float(scores.log_likelihoods.mean()),
        **_stability(scores, [fit.scores for fit in found[1:]], kept),
        "length_rank_correlation": rank_correlation(scores.deltas, lengths),
    }
    return figures, tuple(_notes(mixture, scores, config, figures))


def _stability(scores: Scores, others: Sequence[Scores], kept: int) -> dict[str, float | None]:
    """Means over the other seeds; None if there are none."""
    import numpy as np

    from stages.kernels.entropy import top_overlap
    from stages.kernels.rank_correlation import rank_correlation

    overlaps = [top_overlap(scores, other, kept) for other in others]
    alike = [rank_correlation(scores.deltas, other.deltas) for other in others]
    known = [value for value in alike if value is not None]
    return {
        "top_overlap_between_seeds": float(np.mean(overlaps)) if overlaps else None,
        "rank_correlation_between_seeds": float(np.mean(known)) if known else None,
    }


def _notes(
    mixture: Mixture, scores: Scores, config: Config, figures: Mapping[str, Any]
) -> Iterator[str]:
    if config.mode == "paper":
        yield (
            "mode `paper` keeps the least likely rows; `normalised` would keep the likeliest, the "
            "opposite ones"
        )
    else:
        yield (
            "mode `normalised` keeps the likeliest rows; `paper` would keep the least likely, the "
            "opposite ones"
        )
    if mixture.components < config.components:
        yield (
            f"a mixture of {config.components} Gaussians needs as many different embeddings; there "
            f"are {mixture.components}, and as many Gaussians were fitted"
        )
    if scores.log_likelihoods.min() == scores.log_likelihoods.max():
        yield "all rows are equally likely: which of them stay goes by row_id alone"
    if not mixture.converged:
        yield f"the fit was cut off after {mixture.iterations} iterations"
    overlap = figures["top_overlap_between_seeds"]
    if overlap is not None and overlap < STABLE:
        yield (
            f"fits with other seeds keep only {overlap:.0%} of the same rows: the choice is one of "
            "the seed; try more `starts`, another `covariance`, or `pca`"
        )
