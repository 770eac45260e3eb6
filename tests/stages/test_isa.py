"""ISA as a stage: which rows stay, with what figures, whatever their order and parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.runtime.contract import project, settle
from schemas.batch import Batch, Row
from schemas.errors import InputError
from schemas.ids import digest
from schemas.stage import Decision
from stages.isa import STAGE, Config
from tests.preference_rows import pair_row
from tests.rows import table_of
from tests.support import FakeContext, run_pass


def config(**values: Any) -> Config:
    return Config.model_validate({"keep": 3, **values})


def row(number: int, embedding: Sequence[float], **columns: Any) -> Row:
    texts = pair_row(digest("row", number), f"yes {'x' * number}", "no")
    return {**texts, "embedding": list(embedding), **columns}


def cloud(n: int = 40, outliers: int = 3) -> list[Row]:
    """Rows of two dense clouds, the first of them far from both."""
    rng = np.random.default_rng(2)
    points = rng.normal(size=(n, 4)) + np.where(np.arange(n)[:, None] % 2, 8, -8)
    points[:outliers] = rng.normal(size=(outliers, 4)) * 0.1 + [30, -30, 30, -30]
    points[:outliers] *= 1 + np.arange(outliers)[:, None]
    return [row(i, point) for i, point in enumerate(points.tolist())]


def selected(
    rows: Sequence[Row], settings: Config, cuts: Sequence[int] = ()
) -> tuple[dict[str, Row], dict[str, str], Decision]:
    """The rows that stay, the codes of the others, and the decision."""
    stage = STAGE.fit(settings)
    table = table_of(stage, settings, rows)
    ends = [0, *sorted(cuts), len(rows)]
    parts = [table.slice(start, end - start) for start, end in pairwise(ends)]
    seen = [project(part, stage) for part in parts]
    batches, decision = run_pass(stage, settings, seen, FakeContext(stage="isa"))
    kept: dict[str, Row] = {}
    codes: dict[str, str] = {}
    for part, batch in zip(parts, batches, strict=True):
        kept |= {r["row_id"]: r for r in Batch(settle(part, batch, stage)).rows}
        codes |= {reject.row_id: reject.code for reject in batch.rejects}
    return kept, codes, decision


def numbers(rows: Sequence[Row], ids: Any) -> set[int]:
    return {i for i, r in enumerate(rows) if r["row_id"] in ids}


def test_what_stands_out_stays() -> None:
    rows = cloud()
    kept, codes, decision = selected(rows, config(components=2))
    assert numbers(rows, kept) == {0, 1, 2}
    assert set(codes.values()) == {"not_selected"}
    assert len(codes) == 37
    by_rank = sorted(kept.values(), key=lambda r: r["isa_rank"])
    assert [r["isa_rank"] for r in by_rank] == [1, 2, 3]
    assert (by_rank[0]["isa_p"], by_rank[0]["isa_delta"]) == (1, 0)
    for r in kept.values():
        assert r["isa_delta"] == pytest.approx(-r["isa_p"] * math.log(r["isa_p"]), abs=1e-12)
    assert decision.figures["kept"] == 3
    assert any("opposite" in note for note in decision.notes)


def test_normalised_keeps_the_others() -> None:
    rows = cloud()
    paper, _, _ = selected(rows, config(keep=10))
    kept, _, decision = selected(rows, config(keep=10, mode="normalised"))
    assert not set(kept) & set(paper)
    likeliest = min(kept.values(), key=lambda r: r["isa_rank"])
    assert likeliest["isa_loglik"] == max(r["isa_loglik"] for r in kept.values())
    assert "`paper` would keep the least likely" in decision.notes[0]


@settings(max_examples=25)
@given(st.permutations(range(40)), st.lists(st.integers(0, 40), max_size=3), st.booleans())
def test_neither_order_nor_parts_matter(
    order: list[int], cuts: list[int], is_sampled: bool
) -> None:
    rows, wanted = cloud(), config(keep=0.25, fit_rows=20 if is_sampled else 99)
    whole = selected(rows, wanted)
    mixed = selected([rows[i] for i in order], wanted, cuts)
    assert mixed[0] == whole[0]
    assert mixed[1] == whole[1]
    assert mixed[2].figures == whole[2].figures


def test_a_sample_is_fitted_and_all_are_scored() -> None:
    kept, _, decision = selected(cloud(), config(keep=40, fit_rows=10))
    assert decision.figures["fit_rows"] == 10
    assert sorted(r["isa_rank"] for r in kept.values()) == list(range(1, 41))


def test_what_is_reported_of_a_choice() -> None:
    figures = selected(cloud(), config())[2].figures
    assert figures["components"] == 2
    assert figures["dimensions"] == 4
    assert figures["rows"] == 40
    assert 0 <= figures["top_overlap_between_seeds"] <= 1
    assert figures["rank_correlation_between_seeds"] == pytest.approx(1, abs=0.2)
    assert -1 <= figures["length_rank_correlation"] <= 1


def test_length_is_held_against_the_ranking() -> None:
    # The further out, the less likely and here the longer.
    rows = [row(i, [float(i * i), 0.0, 1.0]) for i in range(12)]
    figures = selected(rows, config(components=1))[2].figures
    by_delta = selected(rows, config(components=1, keep=12))[0]
    ranks = [by_delta[r["row_id"]]["isa_rank"] for r in rows]
    expected = 1 - 6 * sum((12 - i - rank) ** 2 for i, rank in enumerate(ranks)) / (12 * 143)
    assert figures["length_rank_correlation"] == pytest.approx(expected)


def test_a_choice_that_hangs_on_the_seed_is_told() -> None:
    noise = np.random.default_rng(0).normal(size=(60, 6)).tolist()
    _, _, decision = selected(
        [row(i, point) for i, point in enumerate(noise)],
        config(keep=6, components=20, covariance="full", stability_seeds=3),
    )
    assert decision.figures["top_overlap_between_seeds"] < 0.8
    assert any("one of the seed" in note for note in decision.notes)


def test_no_further_seeds_no_stability() -> None:
    figures = selected(cloud(), config(stability_seeds=0))[2].figures
    assert figures["top_overlap_between_seeds"] is None
    assert figures["rank_correlation_between_seeds"] is None


@pytest.mark.parametrize("pca", [None, 2])
def test_equal_rows_go_by_their_ids(pca: int | None) -> None:
    rows = [row(i, [1.0, 2.0, 3.0]) for i in range(8)]
    kept, _, decision = selected(rows, config(pca=pca))
    assert sorted(kept) == sorted(r["row_id"] for r in rows)[:3]
    assert all((r["isa_p"], r["isa_delta"]) == (1, 0) for r in kept.values())
    assert any("by row_id alone" in note for note in decision.notes)
    assert decision.figures["length_rank_correlation"] is None


@pytest.mark.parametrize("keep", [1, 0.5, 5])
def test_one_row_stays(keep: float) -> None:
    kept, codes, decision = selected([row(0, [1.0, 2.0])], config(keep=keep))
    assert [r["isa_rank"] for r in kept.values()] == [1]
    assert codes == {}
    assert any("1, and as many Gaussians" in note for note in decision.notes)


def test_more_than_there_are_are_all_kept_and_that_is_said() -> None:
    kept, codes, decision = selected(cloud(), config(keep=50))
    assert (len(kept), codes) == (40, {})
    assert any("50" in note and "40" in note for note in decision.notes)


def test_rows_without_an_embedding_are_told_apart() -> None:
    rows = [*cloud(), row(98, []), row(99, [1.0, math.nan, 1.0, 1.0]), row(97, [1e300, 1, 1, 1])]
    kept, codes, decision = selected(rows, config(), cuts=(5, 41))
    assert numbers(rows, kept) == {0, 1, 2}
    assert [codes[r["row_id"]] for r in rows[40:]] == ["no_embedding", "not_finite", "not_finite"]
    assert decision.figures["rows"] == 40


def test_no_row_with_an_embedding() -> None:
    kept, codes, _ = selected([row(0, []), row(1, [])], config())
    assert (kept, set(codes.values())) == ({}, {"no_embedding"})


def test_embeddings_of_two_models_are_refused() -> None:
    with pytest.raises(InputError, match=r"vectors of 2 and of 4 numbers[^.]*[.] Embed all"):
        selected([*cloud(), row(99, [1.0, 2.0])], config())


def pairs() -> list[Row]:
    rows = cloud()
    return [{**r, "embedding_rejected": rows[-1 - i]["embedding"]} for i, r in enumerate(rows)]


def test_a_pair_has_the_delta_of_its_answer_that_stands_out_more() -> None:
    rows = pairs()
    kept, _, _ = selected(rows, config(keep=6, pair="max"))
    assert numbers(rows, kept) == {0, 1, 2, 37, 38, 39}
    assert [r["isa_delta"] for r in kept.values()].count(0) == 2, "of either pair with that answer"


def test_a_pair_has_the_mean_delta_of_its_answers() -> None:
    rows = pairs()
    rows[0]["embedding_rejected"] = rows[0]["embedding"]
    kept, _, _ = selected(rows, config(keep=1, pair="mean"))
    assert numbers(rows, kept) == {0}


def test_a_pair_needs_both_embeddings() -> None:
    rows = pairs()
    rows[0]["embedding_rejected"] = []
    _, codes, _ = selected(rows, config(pair="max"))
    assert codes[rows[0]["row_id"]] == "no_embedding"


@pytest.mark.parametrize(
    ("pair", "text", "reads"),
    [
        ("whole", ["prompt", "chosen"], ["embedding", "messages", "chosen"]),
        ("max", ["answer"], ["embedding", "embedding_rejected", "answer"]),
    ],
)
def test_it_reads_what_it_needs(pair: str, text: list[str], reads: list[str]) -> None:
    fitted = STAGE.fit(config(pair=pair, text=tuple(text)))
    assert [column.name for column in fitted.reads] == reads


@pytest.mark.parametrize(
    "wrong", [{"keep": 0}, {"keep": 1.5}, {"keep": 0.0}, {"components": 0}, {"regularisation": 0}]
)
def test_settings_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)


def test_a_reject_tells_rank_and_limit_and_keeps_the_text() -> None:
    settings, rows = config(), cloud()
    stage = STAGE.fit(settings)
    table = project(table_of(stage, settings, rows), stage)
    (batch,), _ = run_pass(stage, settings, [table])
    last = next(r for r in batch.rejects if r.message.startswith("rank 40 "))
    assert last.message.endswith("the first 3 stay")
    assert last.raw.startswith("Why is the sky blue?\nyes")


def test_a_row_of_ten_megabytes_is_a_row() -> None:
    rows = cloud()
    rows[7] = {**rows[7], "chosen": "x" * 10_000_000}
    kept, _, decision = selected(rows, config())
    assert numbers(rows, kept) == {0, 1, 2}
    assert decision.figures["length_rank_correlation"] is not None
