from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.scripted import ScriptedGenerator
from pipeline.runtime.contract import settle
from schemas.batch import Batch, Row
from schemas.models import Failure, HiddenRequest, HiddenSum
from schemas.stage import Need
from stages.ches import STAGE, Config, ches, mean, run
from tests.preference_rows import batch_for, pair_row
from tests.support import FakeContext, run_pass

VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))
PAIRS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8)


def settings(**values: Any) -> Config:
    return Config.model_validate({"model": "policy", **values})


def vectors(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [one for one, _ in pairs], [other for _, other in pairs]


def states(vector: Sequence[float], n_tokens: int) -> HiddenSum:
    return HiddenSum("h", tuple(vector), n_tokens, 1)


@given(PAIRS)
def test_an_answer_against_itself_is_zero_exactly(pairs: list[tuple[float, float]]) -> None:
    vector, _ = vectors(pairs)
    assert ches(vector, vector) == 0.0


def test_orthogonal_sums_leave_the_square_of_the_chosen_one() -> None:
    assert ches([3.0, 4.0, 0.0], [0.0, 0.0, 7.0]) == -25.0


def test_it_is_not_symmetric() -> None:
    # <(1, 2), (3, 1)> = 5, ||(1, 2)||^2 = 5, ||(3, 1)||^2 = 10.
    assert (ches([1.0, 2.0], [3.0, 1.0]), ches([3.0, 1.0], [1.0, 2.0])) == (0.0, -5.0)


@given(PAIRS)
def test_states_twice_as_long_count_four_times(pairs: list[tuple[float, float]]) -> None:
    chosen, rejected = vectors(pairs)
    double = ches([2 * value for value in chosen], [2 * value for value in rejected])
    assert double == pytest.approx(4 * ches(chosen, rejected), abs=1e-9)


@given(PAIRS, st.integers(1, 50), st.integers(1, 50))
def test_repeating_a_constant_state_leaves_the_normalised_one(
    pairs: list[tuple[float, float]], n_chosen: int, n_rejected: int
) -> None:
    chosen, rejected = vectors(pairs)
    once = ches(mean(states(chosen, 1)), mean(states(rejected, 1)))
    often = ches(
        mean(states([n_chosen * value for value in chosen], n_chosen)),
        mean(states([n_rejected * value for value in rejected], n_rejected)),
    )
    assert often == pytest.approx(once, abs=1e-6)


def measured(
    rows: Sequence[Row], sums: Mapping[str, Sequence[float] | Failure], config: Config
) -> Batch:
    """Measure with a model that knows the sum of states of each answer."""

    def hidden(request: HiddenRequest) -> Sequence[float] | Failure:
        return sums[request.completion]

    context = FakeContext({"policy": ScriptedGenerator(hidden=hidden)})
    return run(batch_for(STAGE, rows), config, context)


def draft(
    rows: Sequence[Row], sums: Mapping[str, Sequence[float] | Failure], config: Config
) -> Batch:
    """The measured pairs with the columns that pass the stage by, as its second pass sees them."""
    incoming = batch_for(STAGE, rows)
    return Batch(settle(incoming.table, measured(rows, sums, config), STAGE))


def filtered(parts: Sequence[Batch], config: Config) -> tuple[set[str], list[tuple[str, str]]]:
    after, _ = run_pass(STAGE, config, [part.table for part in parts])
    kept = {row["row_id"] for part in after for row in part.rows}
    return kept, sorted((r.row_id, r.code) for part in after for r in part.rejects)


def test_both_forms_and_the_lengths_are_kept() -> None:
    sums = {"two words": [2.0, 4.0], "and three words": [6.0, 3.0]}
    (row,) = measured([pair_row("a", *sums)], sums, settings()).rows
    assert row == {
        "row_id": "a",
        "ches": 12 + 12 - 4 - 16,
        "ln_ches": pytest.approx(24 / 6 - 20 / 4),
        "chosen_n_tokens": 2,
        "rejected_n_tokens": 3,
    }


def made(similarities: Sequence[float]) -> tuple[list[Row], dict[str, list[float]]]:
    """Pairs with these values of CHES; all answers are one word."""
    rows = [pair_row(f"{i:03}", f"c{i}", f"r{i}") for i in range(len(similarities))]
    sums = {f"c{i}": [1.0] for i in range(len(similarities))}
    sums |= {f"r{i}": [value + 1.0] for i, value in enumerate(similarities)}
    return rows, sums


def test_the_lowest_share_stays_and_the_rest_says_why() -> None:
    rows, sums = made([float(100 - i) for i in range(100)])
    config = settings()
    kept, gone = filtered([draft(rows, sums, config)], config)
    assert kept == {"095", "096", "097", "098", "099"}
    assert gone == [(f"{i:03}", "ches_too_high") for i in range(95)]
    (after,), _ = run_pass(STAGE, config, [draft(rows, sums, config).table])
    first = after.rejects[0]
    assert first.message == "ln_ches is 100, above 5, the highest of the lowest 0.05"
    assert first.raw == "c0\n\nr0"


@pytest.mark.parametrize(
    ("share", "n_pairs", "n_kept"), [(0.07, 100, 7), (0.05, 3, 1), (1.0, 9, 9), (0.5, 0, 0)]
)
def test_the_share_is_rounded_up(share: float, n_pairs: int, n_kept: int) -> None:
    rows, sums = made([float(i) for i in range(n_pairs)])
    config = settings(keep=share)
    kept, gone = filtered([draft(rows, sums, config)], config)
    assert (len(kept), len(gone)) == (n_kept, n_pairs - n_kept)


def test_raw_ches_goes_with_the_length_and_the_normalised_one_does_not() -> None:
    # States of 1 for the chosen, of 1.1 for the rejected answer, whatever their length.
    texts = [(" ".join(["c"] * n), " ".join(["r"] * n)) for n in (1, 10)]
    rows = [pair_row(f"{len(chosen)}", chosen, rejected) for chosen, rejected in texts]
    sums = {chosen: [float(len(chosen.split()))] for chosen, _ in texts}
    sums |= {rejected: [1.1 * len(rejected.split())] for _, rejected in texts}
    short, long = measured(rows, sums, settings()).rows
    assert long["ches"] == pytest.approx(100 * short["ches"])
    assert long["ln_ches"] == pytest.approx(short["ln_ches"])
    raw = settings(keep=0.5, normalised=False)
    assert filtered([draft(rows, sums, raw)], raw)[0] == {"1"}


@given(st.lists(VALUES, min_size=1, max_size=12), st.integers(1, 11), st.floats(0.01, 1))
def test_which_stay_does_not_depend_on_parts(
    similarities: list[float], cut: int, share: float
) -> None:
    rows, sums = made(similarities)
    config = settings(keep=share)
    whole = filtered([draft(rows, sums, config)], config)
    parts = [draft(part, sums, config) for part in (rows[cut:], rows[:cut])]
    assert filtered(parts, config) == whole


def test_a_pair_that_cannot_be_measured_is_turned_away() -> None:
    failure = Failure("x", "context_length", "too long", "raw bytes")
    sums: dict[str, Sequence[float] | Failure] = {
        "fine": [1.0],
        "long": failure,
        "": [0.0],
        "odd": [math.nan],
        "x": [2.0],
    }
    rows = [pair_row(text or "none", "fine", text) for text in ("long", "", "odd", "x")]
    result = measured(rows, sums, settings())
    assert [row["row_id"] for row in result.rows] == ["x"]
    assert [(r.row_id, r.code, r.raw) for r in result.rejects] == [
        ("long", "engine_context_length", "raw bytes"),
        ("none", "empty_text", "fine\n\n"),
        ("odd", "not_finite", "fine\n\nodd"),
    ]


def test_it_needs_a_model_that_shows_its_states() -> None:
    assert STAGE.needs(settings()) == (Need("model", "policy", frozenset(("hidden_states",))),)
