from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch
from schemas.errors import RecipeError
from schemas.stage import Decision
from stages.quality_mix import STAGE, Config
from tests.support import FakeContext, run_pass


def mix(parts: list[list[dict[str, Any]]], **settings: Any) -> tuple[list[Batch], Decision]:
    config = Config(text=("answer",), **settings)
    return run_pass(STAGE.fit(config), config, [table(rows) for rows in parts], FakeContext())


def table(rows: list[dict[str, Any]]) -> pa.Table:
    columns: dict[str, Any] = {"row_id": pa.string(), "answer": pa.string()}
    columns |= {"good": pa.float64(), "topic": pa.string()}
    return pa.table({name: pa.array([row[name] for row in rows], t) for name, t in columns.items()})


def row(
    row_id: str, good: float | None, topic: str | None = "a", text: str = "x"
) -> dict[str, Any]:
    return {"row_id": row_id, "good": good, "topic": topic, "answer": text}


def kept(batches: list[Batch]) -> list[str]:
    return [one["row_id"] for batch in batches for one in batch.rows]


def rejected(batches: list[Batch]) -> dict[str, tuple[str, str]]:
    return {r.row_id: (r.code, r.message) for batch in batches for r in batch.rejects}


def test_the_best_by_the_expression_stay_with_their_score_and_place() -> None:
    rows = [row("a", 1.0, text="xxx"), row("b", 2.0), row("c", 3.0), row("d", 2.5)]
    (batch,), decision = mix([rows], by="good * len(answer)", keep=2)
    assert batch.rows == [
        {"row_id": "a", "quality_score": 3.0, "quality_rank": 1},
        {"row_id": "c", "quality_score": 3.0, "quality_rank": 2},
    ]
    assert rejected([batch]) == {
        "b": ("not_kept", "quality_score 2 is place 4; the first 2 stay"),
        "d": ("not_kept", "quality_score 2.5 is place 3; the first 2 stay"),
    }
    assert batch.rejects[0].raw == "x"
    assert decision.notes == ()


def test_a_share_is_of_the_rows_with_a_score() -> None:
    rows = [row(f"{i}", float(i)) for i in range(5)] + [row("z", None)]
    assert len(kept(mix([rows], by="good", keep=0.6)[0])) == 3


def test_rows_without_a_score_go_with_the_reason() -> None:
    rows = [row("a", None), row("b", math.nan), row("c", math.inf), row("d", 0.0), row("e", 1.0)]
    batches, _ = mix([rows], by="log(good)", keep=3)
    assert kept(batches) == ["e"]
    assert rejected(batches) == {
        "a": ("no_score", "`log(good)` has no value: good = null"),
        "b": ("no_score", "`log(good)` has no value: good = null"),
        "c": ("no_score", "`log(good)` has no value: good = null"),
        "d": ("no_score", "`log(good)` has no value: good = 0"),
    }
    batches, _ = mix([rows], by="1 / 0", keep=3)
    assert rejected(batches)["a"] == ("no_score", "`1 / 0` has no value")


ROWS = [row(f"{i}", float(i), "abb"[i % 3] if i < 9 else "c") for i in range(10)]
"""Three of topic `a`, six of `b`, one of `c`; the later the better."""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"keep": 4}, "6789"),
        ({"keep": 4, "stratify": "topic"}, "5678"),
        ({"keep": 5, "stratify": "topic", "mix": "equal"}, "36789"),
        ({"stratify": "topic", "quotas": {"a": 1, "c": 1}}, "69"),
        ({"keep": 10, "stratify": "topic", "quotas": {"a": 0.2, "b": 0.2}}, "3678"),
    ],
)
def test_mixes_by_hand(settings: dict[str, Any], expected: str) -> None:
    assert "".join(kept(mix([ROWS], by="good", **settings)[0])) == expected


def test_strata_are_named_in_rejects_figures_and_notes() -> None:
    rows = [*ROWS, row("n", 5.0, None)]
    batches, decision = mix(
        [rows], by="good", stratify="topic", quotas={"b": 2, "c": 3, "no such": 1}
    )
    assert kept(batches) == ["7", "8", "9"]
    said = rejected(batches)
    assert said["6"] == ("no_quota", "there is no quota for `a`; quality_score 6")
    assert said["5"] == ("not_kept", "quality_score 5 is place 3 of `b`; the first 2 stay")
    assert said["n"] == ("no_stratum", "`topic` is null; quality_score 5")
    assert decision.figures["strata"] == {
        "b": {"rows": 6, "kept": 2},
        "a": {"rows": 3, "kept": 0},
        "c": {"rows": 1, "kept": 1},
    }
    assert [note.split(":")[0] for note in decision.notes] == [
        "the quota of `c` asks for 3 rows and 1 came",
        "the quota of `no such` asks for 1 rows and 0 came",
    ]


def test_more_than_there_are_are_all_kept_and_it_is_said() -> None:
    batches, decision = mix([ROWS], by="good", keep=50)
    assert len(kept(batches)) == 10
    assert decision.notes == ("`keep` asks for 50 rows and 10 came: all are kept",)


def test_the_correlation_with_length_is_always_told() -> None:
    longer = [row(f"{i}", float(i), text="x" * (i + 1)) for i in range(5)]
    assert mix([longer], by="good", keep=2)[1].figures["length_rank_correlation"] == pytest.approx(
        1
    )
    assert mix([longer], by="-good", keep=2)[1].figures["length_rank_correlation"] == pytest.approx(
        -1
    )
    alike = [row(f"{i}", 1.0) for i in range(5)]
    batches, decision = mix([alike], by="good", keep=2)
    assert decision.figures["length_rank_correlation"] is None
    assert kept(batches) == ["0", "1"], "ties go by row_id"


def test_one_row_and_none() -> None:
    assert kept(mix([[row("a", 1.0)]], by="good", keep=0.5)[0]) == ["a"]
    batches, decision = mix([[]], by="good", keep=0.5, stratify="topic")
    assert kept(batches) == []
    assert decision.figures["kept"] == 0


ANY_ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-2, 2).map(float)), st.sampled_from(["a", "b", None])
    ),
    max_size=12,
).map(lambda pairs: [row(f"{i:02}", *pair) for i, pair in enumerate(pairs)])
SETTINGS = st.sampled_from(
    [
        {"keep": 3},
        {"keep": 0.4, "stratify": "topic"},
        {"keep": 4, "stratify": "topic", "mix": "equal"},
        {"stratify": "topic", "quotas": {"a": 2, "b": 1}},
    ]
)


@given(st.data(), ANY_ROWS, SETTINGS)
def test_neither_order_nor_parts_matter_and_nothing_is_lost(
    data: st.DataObject, rows: list[dict[str, Any]], settings: dict[str, Any]
) -> None:
    whole, decision = mix([rows], by="good", **settings)
    mixed = data.draw(st.permutations(rows))
    at = data.draw(st.integers(0, len(rows)))
    parts, other = mix([mixed[:at], mixed[at:]], by="good", **settings)
    assert sorted(kept(parts)) == sorted(kept(whole))
    assert rejected(parts) == rejected(whole)
    assert (other.figures, other.notes) == (decision.figures, decision.notes)
    assert sorted([*kept(whole), *rejected(whole)]) == [one["row_id"] for one in rows]
    assert len(kept(whole)) == decision.figures["kept"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"by": "good"}, "set `keep`"),
        ({"by": "good", "keep": 2, "stratify": "t", "quotas": {"a": 1}}, "leave `keep` out"),
        ({"by": "good", "keep": 2, "quotas": {"a": 0.5}}, "name it in `stratify`"),
        ({"by": "good", "keep": 2, "mix": "equal"}, "`mix` is for `stratify`"),
        ({"by": "good", "keep": 2, "stratify": "t", "quotas": {"a": 0.5, "b": 2}}, "all counts"),
        ({"by": "good", "keep": 2, "stratify": "t", "quotas": {"a": 0.5, "b": 0.6}}, "come to 1.1"),
        ({"by": "good > 1", "keep": 2}, "must be a number and is a truth"),
        ({"by": "chosen", "keep": 2}, "must be a number and is a text"),
        ({"by": "good", "keep": 1.5}, "keep"),
        ({"by": "good", "keep": 0}, "keep"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Config(**settings)


def test_columns_of_the_wrong_type_are_an_error_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"stages.test.by.*`\+` works on must be a number"):
        mix([ROWS], by="topic + 1", keep=2)
    config = Config(by="good", keep=2, stratify="tags", text=("answer",))
    tagged = table(ROWS).append_column("tags", pa.array([["a"]] * len(ROWS)))
    with pytest.raises(RecipeError, match="a column of list"):
        run_pass(STAGE.fit(config), config, [tagged], FakeContext())


def test_what_it_reads_goes_by_its_settings() -> None:
    config = Config(by="margin * len(chosen)", keep=2, stratify="source", text=("rejected",))
    assert [c.name for c in STAGE.fit(config).reads] == ["rejected", "margin", "chosen", "source"]
