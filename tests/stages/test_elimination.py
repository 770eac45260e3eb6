from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages import _elimination as elimination
from stages.kernels.ncd import UNIT

IDS = pa.chunked_array([[f"{i:04}" for i in range(500)]])


def rounds(alignments: np.ndarray, wanted: int, z: float, cuts: int = 1) -> elimination.Field:
    """All rounds over a matrix of alignments, its sketches in so many chunks."""
    n_rows, n_targets = alignments.shape
    whole = np.rint(alignments * UNIT).astype(np.int64)
    table = None
    while True:
        field = elimination.after(table, n_rows, n_targets)
        (done, goal), alive = field.span, field.alive
        watched = len(elimination.watched(done, goal, n_targets))
        part = whole[:, done:goal]
        totals = pa.array(part.sum(axis=1), mask=~alive)
        lists = pa.array(
            [row[:watched].tolist() if a else None for row, a in zip(part, alive, strict=True)],
            pa.large_list(pa.int64()),
        )
        sketch = pa.table({elimination.TOTAL: totals, elimination.WATCHED: lists})
        places = np.array_split(np.arange(n_rows), cuts)
        chunks = [sketch.slice(p[0], len(p)) for p in places if len(p)]
        elimination.add_round(field, pa.concat_tables(chunks), n_targets)
        elimination.eliminate(field, n_targets, wanted, None, z)
        if field.span[0] == n_targets:
            return field
        table = field.to_table(IDS.slice(0, n_rows))


def drawn(seed: int, n_rows: int = 500, n_targets: int = 100) -> np.ndarray:
    """Row effects, larger target effects, and noise, as alignments have them."""
    rng = np.random.default_rng(seed)
    base = 0.1 + 0.03 * rng.normal(size=(n_rows, 1)) + 0.2 * rng.normal(size=(1, n_targets))
    return base + 0.02 * rng.normal(size=(n_rows, n_targets))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_are_never_left_behind_and_most_others_soon_are(seed: int) -> None:
    alignments = drawn(seed)
    field = rounds(alignments, wanted=50, z=3.0)
    best = np.argsort(-alignments.mean(axis=1))[:50]
    assert field.alive[best].all()
    assert (field.seen[field.alive] == 100).all()
    exact = np.rint(alignments * UNIT).astype(np.int64).sum(axis=1)
    assert (field.total[field.alive] == exact[field.alive]).all()
    assert field.seen.sum() < 0.4 * 500 * 100


def test_what_was_seen_of_a_row_that_is_out_stands() -> None:
    field = rounds(drawn(1), wanted=5, z=3.0)
    gone = ~field.alive
    assert (field.upper[gone] < field.bar[gone]).all()
    assert (field.seen[gone] < 100).all()


def test_a_narrower_bound_compares_fewer_pairs() -> None:
    pairs = [rounds(drawn(2), wanted=50, z=z).seen.sum() for z in (1.0, 2.0, 3.0, 6.0)]
    assert pairs == sorted(pairs) and pairs[0] < pairs[-1]


def test_what_a_target_does_to_all_rows_alike_plays_no_part() -> None:
    alignments = drawn(3)
    shifted = alignments + np.linspace(-5, 5, 100)[None, :]
    plain, other = (rounds(a, wanted=50, z=3.0) for a in (alignments, shifted))
    assert (plain.alive == other.alive).all()


def test_chunks_play_no_part() -> None:
    one, many = (rounds(drawn(4), wanted=20, z=3.0, cuts=cuts) for cuts in (1, 7))
    assert (one.seen == many.seen).all() and (one.upper == many.upper).all()


@pytest.mark.parametrize("n_targets", [1, 7, 8, 9, 61, 200])
def test_any_number_of_targets_is_seen_to_the_end(n_targets: int) -> None:
    field = rounds(drawn(5, n_rows=20, n_targets=n_targets), wanted=20, z=3.0)
    assert field.alive.all() and (field.seen == n_targets).all()
    field = rounds(drawn(5, n_rows=40, n_targets=n_targets), wanted=3, z=3.0)
    assert field.alive.sum() >= 3


def test_the_order_of_targets_goes_by_what_they_hold() -> None:
    texts = [f"{i}".encode() for i in range(30)]
    first = elimination.shuffled(texts, 7, "zipfit")
    assert elimination.shuffled(texts[::-1], 7, "zipfit") == first
    assert first != texts
    assert elimination.shuffled(texts, 8, "zipfit") != first
