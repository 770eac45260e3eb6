"""Choosing by diversity: which rows stay, with what figures, whatever their order and parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.runtime.contract import project, settle
from schemas.batch import Batch, Reject, Row
from schemas.errors import InputError
from schemas.ids import digest
from schemas.stage import Decision
from stages._diverse import default_neighbours
from stages.diversity import STAGE, Config
from tests.rows import table_of
from tests.support import FakeContext, run_pass

METHODS = ("facility_location", "k_center", "log_det")
CENTRES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SIZES = (12, 6, 3)


def config(**values: Any) -> Config:
    return Config.model_validate({"keep": 3, **values})


def row(number: int, embedding: Sequence[float] | None, text: str = "a text", **more: Any) -> Row:
    messages = [{"role": "user", "content": text}]
    return {
        "row_id": digest("row", number),
        "messages": messages,
        "embedding": embedding and list(embedding),
        "score": 1.0,
        **more,
    }


def clusters() -> list[Row]:
    """Rows near three axes: twelve, six and three of them; the later, the longer their text."""
    rng = np.random.default_rng(0)
    points = np.repeat(CENTRES, SIZES, axis=0) + rng.normal(size=(sum(SIZES), 3)) * 0.05
    return [row(i, point, "x" * (i + 1)) for i, point in enumerate((points * 7).tolist())]


def axis(one: Row) -> int:
    return int(np.argmax(one["embedding"]))


def selected(
    rows: Sequence[Row], wanted: Config, cuts: Sequence[int] = (), seed: int = 7
) -> tuple[dict[str, Row], dict[str, Reject], Decision]:
    """The rows that stay, the rejects of the others, and the decision."""
    stage = STAGE.fit(wanted)
    table = table_of(STAGE, wanted, rows)
    if wanted.weight is not None:
        weights = [r[wanted.weight] for r in rows]
        table = table.append_column(wanted.weight, pa.array(weights))
    ends = [0, *sorted(cuts), len(rows)]
    parts = [table.slice(start, end - start) for start, end in pairwise(ends)]
    seen = [project(part, stage) for part in parts]
    context = FakeContext(stage="diversity", recipe_seed=seed)
    batches, decision = run_pass(stage, wanted, seen, context)
    kept: dict[str, Row] = {}
    rejects: dict[str, Reject] = {}
    for part, batch in zip(parts, batches, strict=True):
        kept |= {r["row_id"]: r for r in Batch(settle(part, batch, stage)).rows}
        rejects |= {reject.row_id: reject for reject in batch.rejects}
    return kept, rejects, decision


@pytest.mark.parametrize("method", METHODS)
def test_one_of_each_kind_stays(method: str) -> None:
    kept, rejects, decision = selected(clusters(), config(method=method))
    assert {axis(r) for r in kept.values()} == {0, 1, 2}
    assert sorted(r["diversity_rank"] for r in kept.values()) == [1, 2, 3]
    assert len(rejects) == 18
    assert {reject.code for reject in rejects.values()} == {"not_selected"}
    assert decision.figures["kept"] == 3
    assert decision.figures["rows"] == 21
    assert decision.figures["coverage"] > 0.97
    assert decision.notes == ()


def test_facility_location_takes_the_largest_group_first() -> None:
    kept, _, decision = selected(clusters(), config())
    by_rank = sorted(kept.values(), key=lambda r: r["diversity_rank"])
    assert [axis(r) for r in by_rank] == [0, 1, 2]
    gains = [r["diversity_gain"] for r in by_rank]
    assert gains == sorted(gains, reverse=True)
    # All similarities count here, so what was gained is what was reached.
    assert decision.figures["neighbours"] == 20
    assert decision.figures["objective"] == pytest.approx(sum(gains), rel=1e-5)


def test_a_reject_names_the_kept_row_that_is_most_like_it() -> None:
    rows = clusters()
    kept, rejects, _ = selected(rows, config())
    of = {r["row_id"]: r for r in rows}
    for row_id, reject in rejects.items():
        (nearest,) = [other for other in kept if other in reject.message]
        assert axis(of[nearest]) == axis(of[row_id])
        assert reject.message.startswith("not among the 3 rows that stay; its similarity to ")
        assert 0.9 < float(reject.message.rsplit(" ", 1)[1]) <= 1
        assert reject.raw == of[row_id]["messages"][0]["content"]


@settings(max_examples=15, deadline=None)
@given(
    st.permutations(range(21)),
    st.lists(st.integers(0, 21), max_size=3),
    st.sampled_from(METHODS),
    st.booleans(),
)
def test_neither_order_nor_parts_matter(
    order: list[int], cuts: list[int], method: str, is_random: bool
) -> None:
    rows = [*clusters()[:19], row(98, None), row(99, (0.0, 0.0, 0.0))]
    more = {"greedy": "stochastic"} if is_random and method == "facility_location" else {}
    wanted = config(method=method, keep=0.3, **more)
    whole = selected(rows, wanted)
    mixed = selected([rows[i] for i in order], wanted, cuts)
    assert mixed[0] == whole[0]
    assert mixed[1] == whole[1]
    assert mixed[2].figures == whole[2].figures


@pytest.mark.parametrize("method", METHODS)
def test_equal_rows_go_by_row_id(method: str) -> None:
    rows = [row(i, (0.0, 2.0)) for i in range(20)]
    kept, _, decision = selected(rows, config(method=method, keep=4))
    assert sorted(kept) == sorted(r["row_id"] for r in rows)[:4]
    assert decision.figures["coverage"] == decision.figures["least_coverage"] == 1
    assert decision.figures["length_rank_correlation"] is None


def test_the_length_of_an_embedding_plays_no_part() -> None:
    rows = clusters()
    scaled = [{**r, "embedding": [v * (i + 1) for v in r["embedding"]]} for i, r in enumerate(rows)]
    for method in METHODS:
        wanted = config(method=method, keep=5)
        assert list(selected(scaled, wanted)[0]) == list(selected(rows, wanted)[0])


def test_weights_say_which_rows_are_to_be_stood_for() -> None:
    rows = [r | {"score": 100.0 if axis(r) == 2 else 1.0} for r in clusters()]
    kept, _, decision = selected(rows, config(keep=1, weight="score"))
    assert [axis(r) for r in kept.values()] == [2]
    assert decision.figures["objective"] == pytest.approx(300, rel=0.05)


def test_weights_say_which_rows_span_more() -> None:
    rows = [r | {"score": 1.0 + (i == 4)} for i, r in enumerate(clusters())]
    kept, _, _ = selected(rows, config(keep=1, method="log_det", weight="score"))
    assert [r["row_id"] for r in kept.values()] == [digest("row", 4)]
    (gain,) = (r["diversity_gain"] for r in kept.values())
    assert gain == pytest.approx(math.log(4 + 0.1), abs=1e-6)


def test_a_seed_makes_a_stochastic_choice() -> None:
    wanted = config(greedy="stochastic", keep=8)
    same, again, other = (set(selected(clusters(), wanted, seed=s)[0]) for s in (7, 7, 8))
    assert same == again
    assert len(same) == len(other) == 8
    assert same != other


def test_rows_that_nothing_stands_for_are_told() -> None:
    decision = selected(clusters(), config(keep=1, neighbours=2))[2]
    assert decision.figures["neighbours"] == 2
    uncovered = decision.figures["uncovered"]
    assert uncovered >= 9
    assert decision.notes[0].startswith(f"{uncovered} of 21 rows have no row that stays among")


def test_length_is_compared_with_the_choice() -> None:
    # Copies are taken last; here they are the short texts.
    rows = [row(i, CENTRES[i], "x" * (30 - i)) for i in range(3)]
    rows += [row(10 + i, CENTRES[0], "x") for i in range(3)]
    figures = selected(rows, config(keep=4, method="log_det"))[2].figures
    assert figures["mean_length"] == pytest.approx((30 + 29 + 28 + 3) / 6)
    assert figures["mean_length_kept"] < 30
    assert -1 <= figures["length_rank_correlation"] <= 1
    named = selected(rows, config(keep=4, text=("prompt", "prompt")))[2].figures
    assert named["mean_length"] == pytest.approx(2 * figures["mean_length"] + 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows(method: str, n: int) -> None:
    kept, rejects, decision = selected(clusters()[:n], config(method=method, keep=5))
    assert (len(kept), rejects) == (n, {})
    assert decision.figures.get("kept", 0) == n
    assert decision.notes == ((f"`keep` asks for 5 rows and {n} came: all are kept",))


def test_a_share_is_rounded_up() -> None:
    assert len(selected(clusters(), config(keep=0.05))[0]) == 2


NAN, HUGE = math.nan, 1e300


def test_rows_that_have_no_direction_or_no_weight_are_turned_away() -> None:
    odd = [None, [], [0.0, 0.0, 0.0], [NAN, 1.0, 1.0], [HUGE, 1.0, 1.0], [math.inf, 1.0, 1.0]]
    rows = clusters() + [row(100 + i, embedding, "odd") for i, embedding in enumerate(odd)]
    weights = [None, NAN, math.inf, -0.5]
    rows += [row(200 + i, CENTRES[0], "odd", score=weight) for i, weight in enumerate(weights)]
    kept, rejects, decision = selected(rows, config(weight="score"))
    assert {axis(r) for r in kept.values()} == {0, 1, 2}
    assert decision.figures["rows"] == 21
    codes = [rejects[digest("row", 100 + i)].code for i in range(len(odd))]
    assert codes == ["no_embedding"] * 2 + ["zero_embedding"] + ["not_finite"] * 3
    unweighted = [rejects[digest("row", 200 + i)] for i in range(len(weights))]
    assert {reject.code for reject in unweighted} == {"no_weight"}
    assert unweighted[3].message == "`score` is -0.5; a weight is a number from 0"
    assert unweighted[3].raw == "odd"


def test_no_row_has_an_embedding() -> None:
    rows = [row(i, None) for i in range(4)]
    kept, rejects, _ = selected(rows, config())
    assert (kept, len(rejects)) == ({}, 4)


def test_embeddings_of_two_models_are_refused() -> None:
    with pytest.raises(InputError, match=r"vectors of 2 and of 3 numbers.*by one model"):
        selected([*clusters(), row(99, [1.0, 2.0])], config())


def test_a_weight_that_is_text_is_refused() -> None:
    rows = [r | {"score": "good"} for r in clusters()]
    with pytest.raises(InputError, match=r"column `score` holds string.*column of numbers"):
        selected(rows, config(weight="score"))


def test_a_row_of_ten_megabytes() -> None:
    rows = [*clusters(), row(50, CENTRES[1], "y" * 10_000_000)]
    kept, rejects, decision = selected(rows, config(keep=21))
    assert len(kept) == 21
    assert len(rejects) == 1
    assert decision.figures["mean_length"] > 1e4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "k_center", "weight": "score"}, "`weight` belongs to"),
        ({"method": "k_center", "neighbours": 5}, "belong to method `facility_location`"),
        ({"method": "log_det", "greedy": "stochastic"}, "belong to method `facility_location`"),
        ({"ridge": 0.5}, "`ridge` belongs to method `log_det`"),
        ({"method": "log_det", "ridge": 0.0}, "greater than 0"),
        ({"neighbours": 0}, "greater than or equal to 1"),
        ({"keep": 0}, "greater than or equal to 1"),
        ({"keep": 1.0}, "less than 1"),
        ({"method": "mmr"}, "facility_location"),
    ],
)
def test_settings_that_do_not_go(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**values)


def test_the_columns_that_it_reads_are_those_named() -> None:
    wanted = config(weight="score", text=("chosen", "rejected"))
    names = [column.name for column in STAGE.fit(wanted).reads]
    assert names == ["embedding", "chosen", "rejected", "score"]


def test_all_neighbours_count_where_they_are_few() -> None:
    assert default_neighbours(2000) >= 1999
    assert default_neighbours(50_000) == 80
    assert default_neighbours(10_000_000) == 32
