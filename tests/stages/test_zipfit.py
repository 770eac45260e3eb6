from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch
from schemas.errors import InputError
from schemas.stage import Decision
from stages.zipfit import STAGE, Config
from tests.stages.kernels.deflate_texts import uses_classic_zlib
from tests.support import FakeContext, given_table, run_pass

CODE = [
    "def add(first, second):\n    return first + second",
    "def largest(numbers):\n    return max(numbers)",
    "for number in numbers:\n    if number > 0:\n        print(number)",
    "import math\n\ndef root(number):\n    return math.sqrt(number)",
]
TALK = [
    "The weather has been lovely all week, has it not?",
    "My grandmother bakes bread on Sundays.",
    "Trains to the coast leave every hour from here.",
    "Could you recommend a quiet place for dinner?",
]


def configured(**values: Any) -> Config:
    text = {"target": "target.jsonl", "text": ["answer"], **values}
    return Config.model_validate_json(json.dumps(text))


def table(texts: Sequence[str], ids: Sequence[str] | None = None) -> pa.Table:
    ids = ids or [f"{i:04}" for i in range(len(texts))]
    return pa.table({"row_id": pa.array(ids, pa.string()), "answer": pa.array(texts, pa.string())})


def over(
    parts: Sequence[pa.Table], targets: Sequence[Any], seed: int = 7, **values: Any
) -> tuple[list[Batch], Decision]:
    config = configured(**values)
    records = [t if isinstance(t, dict) else {"text": t} for t in targets]
    context = FakeContext(given={"target": given_table(records)}, recipe_seed=seed)
    return run_pass(STAGE.fit(config), config, parts, context)


def rows(batches: Sequence[Batch]) -> dict[str, dict[str, Any]]:
    return {row["row_id"]: row for batch in batches for row in batch.rows}


def by_hand(text: str, targets: Sequence[str]) -> list[float]:
    """Alignments from Python's own gzip."""

    def size(value: str) -> int:
        return len(gzip.compress(value.encode(), 9))

    a = size(text)
    sizes = [(size(t), size(text + t)) for t in targets]
    return [1 - (both - min(a, b)) / max(a, b) for b, both in sizes]


@pytest.mark.skipif(not uses_classic_zlib(), reason="the sizes are those of classic zlib")
def test_the_score_is_one_minus_the_mean_distance() -> None:
    batches, decision = over([table(CODE + TALK)], CODE[:3])
    found = rows(batches)
    for i, text in enumerate(CODE + TALK):
        mean = sum(by_hand(text, CODE[:3])) / 3
        assert found[f"{i:04}"]["zipfit_score"] == pytest.approx(mean, abs=1e-11)
    assert sorted(row["zipfit_rank"] for row in found.values()) == [*range(1, 9)]
    assert decision.figures["rows"] == decision.figures["kept"] == 8
    assert (decision.figures["compressor"], decision.figures["level"]) == ("gzip", 9)


@pytest.mark.skipif(not uses_classic_zlib(), reason="the sizes are those of classic zlib")
@pytest.mark.parametrize(("how", "m"), [({"over_targets": "max"}, 1), ({"top_m": 2}, 2)])
def test_the_highest_alignments_may_count(how: dict[str, Any], m: int) -> None:
    values = {"over_targets": "top_m", **how}
    found = rows(over([table(TALK)], CODE, **values)[0])
    for i, text in enumerate(TALK):
        best = sorted(by_hand(text, CODE))[-m:]
        assert found[f"{i:04}"]["zipfit_score"] == pytest.approx(sum(best) / m, abs=1e-11)


def test_a_text_among_the_targets_is_near_one_and_an_unrelated_one_is_not() -> None:
    line = "the same line of thirty-two byte" * 5
    other = "Quartz jugs vex my powdered folk, by which an elf could hike ten miles"
    found = rows(over([table([line, other])], [line])[0])
    # gzip takes one byte more for the line twice.
    assert found["0000"]["zipfit_score"] > 0.95
    assert found["0001"]["zipfit_score"] < 0.4


def test_the_best_stay_and_the_rest_says_why() -> None:
    (batch,), decision = over([table(CODE + TALK)], CODE, keep=0.5)
    assert {row["row_id"] for row in batch.rows} == {"0000", "0001", "0002", "0003"}
    assert decision.figures["kept"] == 4
    assert {r.code for r in batch.rejects} == {"not_selected"}
    last = min(row["zipfit_score"] for row in batch.rows)
    assert all(f"the last that stays has {last:.6g}" in r.message for r in batch.rejects)
    assert [r.raw for r in batch.rejects] == TALK


def test_a_threshold_keeps_what_reaches_it() -> None:
    scores = {
        i: row["zipfit_score"] for i, row in rows(over([table(CODE + TALK)], CODE)[0]).items()
    }
    limit = sorted(scores.values())[5]
    for mode in ("exact", "elimination"):
        batches, _ = over([table(CODE + TALK)], CODE, threshold=limit, mode=mode)
        assert set(rows(batches)) == {i for i, score in scores.items() if score >= limit}
        assert {r.code for r in batches[0].rejects} == {"below_threshold"}


def test_equal_texts_go_by_row_id() -> None:
    texts, ids = ["all the same"] * 6, ["f", "b", "e", "a", "d", "c"]
    batches, decision = over([table(texts, ids)], CODE, keep=3)
    assert {i: row["zipfit_rank"] for i, row in rows(batches).items()} == {"a": 1, "b": 2, "c": 3}
    assert decision.figures["length_rank_correlation"] is None


def test_more_rows_than_there_are() -> None:
    batches, decision = over([table(TALK)], CODE, keep=50)
    assert len(rows(batches)) == 4
    assert decision.notes == ("`keep` asks for 50 rows and 4 came: all are kept",)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.text(max_size=60), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
    st.sampled_from([{}, {"mode": "elimination"}, {"normalise": "length"}]),
)
def test_neither_order_nor_parts_nor_the_order_of_targets_matter(
    texts: list[str], rng: random.Random, how: dict[str, Any]
) -> None:
    targets = [f"{text} and {i}" for i, text in enumerate(TALK * 3)]
    whole = table(texts)
    batches, decision = over([whole], targets, keep=0.4, **how)
    order = [*range(len(texts))]
    rng.shuffle(order)
    rng.shuffle(targets)
    mixed, cut = whole.take(pa.array(order)), rng.randrange(len(texts) + 1)
    parts = [mixed.slice(0, cut), mixed.slice(cut)]
    others, other = over(parts, targets, keep=0.4, **how)
    assert rows(others) == rows(batches)
    assert other.figures == decision.figures
    rejects = sorted((r.row_id, r.code, r.message) for b in batches for r in b.rejects)
    assert sorted((r.row_id, r.code, r.message) for b in others for r in b.rejects) == rejects


def corpus(seed: int, n: int = 400) -> tuple[list[str], list[str], list[int]]:
    """Texts of all lengths, targets, and which texts are made of the targets' phrases.

    The others are made the same way, of as many words, from a vocabulary of their own.
    """
    rng = random.Random(seed)

    def phrases() -> list[str]:
        words = [
            "".join(rng.choices("abcdefghijklmnoprstuvw", k=rng.randint(2, 9))) for _ in range(250)
        ]
        return [" ".join(rng.choices(words, k=4)) for _ in range(120)]

    near, far = phrases(), phrases()
    targets = [", ".join(rng.choices(near, k=8)) for _ in range(12)]
    planted = sorted(rng.sample(range(n), n // 20))
    texts = []
    for i in range(n):
        pieces = rng.choices(far, k=rng.randint(2, 40))
        if i in planted:
            pieces[::2] = rng.choices(near, k=len(pieces[::2]))
        texts.append(", ".join(pieces))
    return texts, targets, planted


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_length_matched_scores_find_near_targets_of_any_length(seed: int) -> None:
    texts, targets, planted = corpus(seed)
    precision = {}
    for how in ("none", "length"):
        batches, decision = over([table(texts)], targets, keep=len(planted), normalise=how)
        found = {int(row_id) for row_id in rows(batches)}
        precision[how] = len(found & set(planted)) / len(planted)
    assert decision.figures["length_rank_correlation"] < -0.7
    assert abs(decision.figures["normalised_length_rank_correlation"]) < 0.15
    assert precision["length"] >= 0.7
    assert precision["length"] >= precision["none"] + 0.4


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_elimination_keeps_the_same_rows_in_the_same_order(seed: int) -> None:
    texts, targets, _ = corpus(seed)
    targets = [f"{t} {i}" for i, t in enumerate(targets * 4)]
    whole = table(texts)
    exact, _ = over([whole], targets, keep=0.1)
    parts = [whole.slice(0, 150), whole.slice(150, 1), whole.slice(151)]
    kept, decision = over(parts, targets, keep=0.1, mode="elimination")
    assert rows(kept) == rows(exact)
    assert decision.figures["pairs_share"] < 0.6
    assert (decision.figures["z"], decision.figures["confidence"]) == (3.0, 0.9973)
    left = [r for batch in kept for r in batch.rejects if r.code == "eliminated"]
    assert left and "it scores at most" in left[0].message and "z = 3" in left[0].message


def test_a_row_without_text_is_the_size_of_nothing() -> None:
    found = rows(over([table(["", "x"])], CODE)[0])
    assert np.isfinite([row["zipfit_score"] for row in found.values()]).all()


def test_a_row_of_ten_megabytes() -> None:
    found = rows(over([table(["abc " * 2_500_000, *TALK])], CODE[:2])[0])
    assert found["0000"]["zipfit_rank"] == 5


def test_the_fields_of_the_target() -> None:
    named = [{"question": t, "answer": "x"} for t in CODE]
    plain = over([table(TALK)], CODE)[0]
    assert rows(over([table(TALK)], named)[0]) == rows(plain)
    odd = [{"body": t, "text": "x"} for t in CODE]
    assert rows(over([table(TALK)], odd, target_field="body")[0]) == rows(plain)
    # An empty example is none.
    assert rows(over([table(TALK)], [*CODE, ""])[0]) == rows(plain)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([], "has no records"),
        ([""], "`text` is empty in every record"),
        ([{"txt": "x"}], "none of the fields text, prompt, .*has `txt`: .*`target_field`"),
        ([{"text": "x"}, {"txt": "y"}], "a.jsonl:2: no field `text`: .*did you mean `txt`"),
        ([{"text": 5}], "field `text` holds int"),
        ([{"text": "a\ud800"}], "a.jsonl:1: half of a surrogate pair at character 1"),
    ],
)
def test_a_target_that_cannot_be_used(targets: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        over([table(TALK)], targets)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"level": 0},
            "stores and does not compress, so that rows would be ranked by their length",
        ),
        ({"level": 10}, "`level` of gzip is 1 to 9, not 10"),
        ({"compressor": "zlib-ng", "level": 0}, "ranked by their length only"),
        ({"threshold": 0}, "greater than 0"),
        ({"threshold": 1.5}, "less than or equal to 1"),
        ({"keep": 0}, "greater than"),
        ({"keep": 1.5}, "valid integer|less than 1"),
        ({"keep": 5, "threshold": 0.5}, "a row stays by one of them"),
        ({"over_targets": "top_m"}, "go together"),
        ({"top_m": 3}, "go together"),
        ({"normalise": "length", "threshold": 0.5}, "use `keep`"),
        ({"mode": "elimination"}, "without `keep` or `threshold`"),
        ({"mode": "elimination", "keep": 2, "over_targets": "max"}, "bounds of a mean"),
        ({"mode": "elimination", "keep": 2, "normalise": "length"}, "use `mode: exact`"),
    ],
)
def test_settings_that_make_no_sense(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        configured(**values)


def test_another_level_is_compressed_as_it_is() -> None:
    found = rows(over([table(TALK)], CODE[:1], level=1)[0])
    size = {t: len(gzip.compress(t.encode(), 1)) for t in (*TALK, CODE[0])}
    for i, text in enumerate(TALK):
        both = len(gzip.compress((text + CODE[0]).encode(), 1))
        a, b = size[text], size[CODE[0]]
        expected = 1 - (both - min(a, b)) / max(a, b)
        assert found[f"{i:04}"]["zipfit_score"] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(("compressor", "module"), [("lz4", "lz4.frame"), ("zlib-ng", "zlib_ng")])
def test_other_compressors_need_their_packages(
    compressor: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"needs the package `{compressor}`"):
        over([table(TALK)], CODE, compressor=compressor, level=6)


@pytest.mark.parametrize(("compressor", "module"), [("lz4", "lz4"), ("zlib-ng", "zlib_ng")])
def test_other_compressors_find_the_likest_text(compressor: str, module: str) -> None:
    pytest.importorskip(module)
    text = CODE[0] * 5
    found = rows(over([table([*TALK, text])], [text], compressor=compressor, level=6)[0])
    assert found["0004"]["zipfit_rank"] == 1


def test_columns_follow_the_settings() -> None:
    plain, matched = (STAGE.fit(configured(normalise=how)) for how in ("none", "length"))
    assert [c.name for c in plain.reads] == ["answer"]
    assert [c.name for c in plain.writes] == ["zipfit_score", "zipfit_rank"]
    assert [c.name for c in matched.writes][-1] == "zipfit_normalised"
