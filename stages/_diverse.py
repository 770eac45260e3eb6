"""The choice that `diversity` makes among all rows, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.ids import row_seed
from schemas.stage import PassContext

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages._diversity_config import Config

_EDGES = 4_000_000
"""Similarities of neighbours to hold by default: some 150 MB while the graph is made of them. Up to
2,000 rows that is all there are."""
_FEWEST_NEIGHBOURS = 32


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows chosen among n, by their places.

    Attributes:
        order: the places of those that stay, in the order taken.
        gains: what each of them added to the objective when it was taken.
        nearest: for each of the n rows, the place of the row that stays and is most like it.
        similarity: how alike those two are.
        figures: of the choice, for the report.
        notes: sentences for the user.
    """

    order: NDArray[np.int32]
    gains: NDArray[np.float64]
    nearest: NDArray[np.int32]
    similarity: NDArray[np.float32]
    figures: Mapping[str, Any]
    notes: tuple[str, ...]


def choose(
    x: NDArray[np.float32],
    weights: NDArray[np.float64],
    lengths: NDArray[np.int64],
    n_kept: int,
    config: Config,
    context: PassContext,
) -> Choice:
    """Choose `n_kept` of the rows.

    Args:
        x: their embeddings, of length one [n, d].
        weights: of each [n].
        lengths: of their texts [n].
        n_kept: from 1 to n.
        config: the stage's settings.
        context: for the seed of a stochastic choice.
    """
    from stages.kernels.coverage import nearest_kept
    from stages.kernels.k_center import farthest_first
    from stages.kernels.log_det import greedy_map

    notes: tuple[str, ...] = ()
    figures: dict[str, Any] = {"rows": len(x), "kept": n_kept}
    if config.method == "facility_location":
        order, gains, more, notes = _facility_location(x, weights, n_kept, config, context)
        figures |= more
    elif config.method == "k_center":
        order, gains = farthest_first(x, n_kept)
    else:
        z = x if config.weight is None else x * weights.astype(x.dtype)[:, None]
        order, gains = greedy_map(z, config.ridge, n_kept)
    nearest, similarity = nearest_kept(x, order)
    figures |= _reached(config, weights, gains, similarity) | _lengths(order, lengths)
    return Choice(order, gains, nearest, similarity, figures, notes)


def _facility_location(
    x: NDArray[np.float32],
    weights: NDArray[np.float64],
    n_kept: int,
    config: Config,
    context: PassContext,
) -> tuple[NDArray[np.int32], NDArray[np.float64], dict[str, Any], tuple[str, ...]]:
    from stages.kernels.facility_location import (
        lazy_greedy,
        n_uncovered,
        neighbour_graph,
        stochastic_greedy,
    )
    from stages.kernels.neighbours import nearest

    index, similarity = nearest(x, config.neighbours or default_neighbours(len(x)))
    graph = neighbour_graph(index, similarity)
    if config.greedy == "lazy":
        order, gains = lazy_greedy(graph, weights, n_kept)
    else:
        seed = row_seed(str(context.recipe_seed), context.stage, "stochastic greedy")
        order, gains = stochastic_greedy(graph, weights, n_kept, seed)
    uncovered, neighbours = n_uncovered(graph, order), index.shape[1]
    notes = (_uncovered(uncovered, len(x), neighbours),) if uncovered else ()
    return order, gains, {"neighbours": neighbours, "uncovered": uncovered}, notes


def default_neighbours(n_rows: int) -> int:
    """How many neighbours of each row count if the recipe does not say."""
    return max(_FEWEST_NEIGHBOURS, _EDGES // n_rows)


def _uncovered(uncovered: int, n_rows: int, neighbours: int) -> str:
    return (
        f"{uncovered} of {n_rows} rows have no row that stays among their {neighbours} neighbours: "
        "the choice was made as if nothing stood for them, though rows further off may. More "
        "`neighbours`, or a higher `keep`, leave fewer"
    )


def _reached(
    config: Config,
    weights: NDArray[np.float64],
    gains: NDArray[np.float64],
    similarity: NDArray[np.float32],
) -> dict[str, float]:
    """The objective over all rows, and how alike rows are to those that stay."""
    objective = {
        "facility_location": float((weights * similarity.clip(min=0)).sum()),
        "k_center": float(1 - similarity.min()),
        "log_det": float(gains.sum()),
    }
    return {
        "objective": objective[config.method],
        "coverage": float(similarity.mean(dtype="float64")),
        "least_coverage": float(similarity.min()),
    }


def _lengths(order: NDArray[np.int32], lengths: NDArray[np.int64]) -> dict[str, float | None]:
    """Whether long texts are taken first, and are taken at all."""
    import numpy as np

    from stages.kernels.rank_correlation import rank_correlation

    return {
        "length_rank_correlation": rank_correlation(-np.arange(len(order)), lengths[order]),
        "mean_length": float(lengths.mean()),
        "mean_length_kept": float(lengths[order].mean()),
    }
