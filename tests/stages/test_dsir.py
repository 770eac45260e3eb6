from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import kstest

from schemas.arrow import arrow_schema
from schemas.columns import ANSWER, MESSAGES, ROW_ID
from schemas.errors import InputError
from schemas.ids import digest
from schemas.stage import Decision
from stages._importance import gumbel_noise
from stages.dsir import STAGE, Config
from tests.support import FakeContext, given_table, run_pass

TARGET = ("solve the sum", "solve for x")


def settings(**values: Any) -> Config:
    keep = values.pop("keep", 0.5)
    return Config.model_validate_json(json.dumps({"target": "t.jsonl", "keep": keep, **values}))


def table_of(texts: Sequence[str]) -> pa.Table:
    rows = [
        {"row_id": digest("row", i), "messages": [{"role": "user", "content": text}]}
        for i, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema((ROW_ID, MESSAGES)))


def selected(
    texts: Sequence[str], target: Sequence[Any] = TARGET, *, seed: int = 7, **values: Any
) -> tuple[dict[int, dict[str, Any]], dict[int, tuple[str, str]], Decision]:
    """Rows that stay and rejects, by the number of the text, and the decision."""
    batches, decision = run_pass(
        STAGE,
        settings(**values),
        [table_of(texts)],
        FakeContext(given={"target": given_table([{"text": t} for t in target])}, recipe_seed=seed),
    )
    numbers = {digest("row", i): i for i in range(len(texts))}
    kept = {numbers[row["row_id"]]: row for row in batches[0].rows}
    gone = {numbers[r.row_id]: (r.code, r.message) for r in batches[0].rejects}
    assert kept.keys().isdisjoint(gone) and len(kept) + len(gone) == len(texts)
    return kept, gone, decision


def tokens_of(text: str) -> list[str]:
    """As NLTK's WordPunctTokenizer on lower case, for texts without accents."""
    return re.findall(r"\w+|[^\w\s]+", text.lower())


def ngrams_of(text: str) -> list[tuple[str, ...]]:
    tokens = tokens_of(text)
    return [(t,) for t in tokens] + list(pairwise(tokens))


def by_hand(texts: Sequence[str], target: Sequence[str], smoothing: float) -> list[float]:
    """Log weights with a bucket for each n-gram."""
    p, q = (Counter(n for text in side for n in ngrams_of(text)) for side in (target, texts))
    return [
        math.fsum(
            math.log(p[n] / p.total() + smoothing) - math.log(q[n] / q.total() + smoothing)
            for n in ngrams_of(text)
        )
        for text in texts
    ]


def test_log_weights_are_those_of_the_formula() -> None:
    # Target: solve 2, the, sum, for, x, "solve the", "the sum", "solve for", "for x": 10 in all.
    # Rows: solve 1, the 1, sky 1, "solve the", "the sky" (5) and sum (1): 6 in all.
    _, _, decision = selected(["Solve the sky", "sum"], noise=False, smoothing=0.01, buckets=60_000)
    first = (
        math.log(0.21 / (1 / 6 + 0.01))  # solve
        + 2 * math.log(0.11 / (1 / 6 + 0.01))  # the, solve the
        + 2 * math.log(0.01 / (1 / 6 + 0.01))  # sky, the sky
    )
    second = math.log(0.11 / (1 / 6 + 0.01))
    weights = decision.rows.column("dsir_logratio").to_pylist()
    assert weights == pytest.approx([first, second], rel=1e-12)
    assert weights == pytest.approx([-6.518085141, -0.473784352], rel=1e-8)


WORDS = st.sampled_from(["solve", "the", "sum", "x", "=", "?!", "it's", "snake_case", "9"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=8)


@settings_of_hypothesis(max_examples=40)
@given(TEXTS, TEXTS)
def test_weights_are_those_of_counting_every_ngram(texts: list[str], target: list[str]) -> None:
    _, _, decision = selected(texts, target, noise=False, buckets=1 << 16)
    weights = decision.rows.column("dsir_logratio").to_pylist()
    assert weights == pytest.approx(by_hand(texts, target, 1e-8), rel=1e-9, abs=1e-9)


def test_the_likeliest_rows_stay_and_the_others_say_why() -> None:
    texts = ["Solve the sum", "Write a poem", "solve for x", "Sing"]
    kept, gone, decision = selected(texts, noise=False, keep=2)
    assert sorted(kept) == [0, 2]
    assert sorted(row["dsir_rank"] for row in kept.values()) == [1, 2]
    code, message = gone[1]
    assert code == "not_selected"
    assert re.fullmatch(
        r"its log importance weight -\d+\.\d+ has rank [34], and `keep` takes 2", message
    )
    assert decision.figures["rows"] == 4 and decision.figures["kept"] == 2


def test_what_is_kept_is_nearer_to_the_target() -> None:
    figures = selected(["solve the sum", "a poem", "for x", "a song"], noise=False)[2].figures
    assert figures["kl_reduction"] == pytest.approx(
        figures["kl_all_rows"] - figures["kl_kept_rows"]
    )
    assert figures["kl_reduction"] > 0


def test_a_choice_that_leads_away_from_the_target_is_said() -> None:
    _, _, decision = selected([*TARGET, "x"], keep=1, noise=False)
    assert decision.figures["kl_reduction"] < 0
    assert "further from the target than all rows together" in decision.notes[0]


def test_the_divergence_of_the_target_from_itself_is_zero() -> None:
    figures = selected(list(TARGET), keep=2)[2].figures
    assert (figures["kl_all_rows"], figures["kl_kept_rows"]) == (0, 0)


def test_divergence_in_numbers() -> None:
    # p: a 1/2, b 1/2. q: a 3/4, b 1/4. KL = 1/2 log(2/3) + 1/2 log 2.
    figures = selected(["a", "a", "a", "b"], ["a", "b"], keep=4, smoothing=1e-12)[2].figures
    assert figures["kl_all_rows"] == pytest.approx(0.5 * math.log(2 / 3) + 0.5 * math.log(2))


def test_length_is_reported_and_taken_out() -> None:
    # Rows of words that the target has not: the longer, the worse.
    texts = [" ".join(["poem"] * n) for n in range(1, 30)] + ["x"]
    _, _, plain = selected(texts, noise=False)
    assert plain.figures["length_rank_correlation"] < -0.9
    _, _, mean = selected(texts, noise=False, normalise="length")
    assert abs(mean.figures["length_rank_correlation"]) < 0.9
    weights = mean.rows.column("dsir_logratio").to_pylist()
    assert weights[5] == pytest.approx(plain.rows.column("dsir_logratio")[5].as_py() / 11)


def test_noise_is_gumbel_and_goes_by_row_and_seed() -> None:
    ids = pa.array([digest("row", i) for i in range(20_000)], type=pa.large_string())
    noise = gumbel_noise(ids, 7)
    assert kstest(noise, "gumbel_r").pvalue > 0.01
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.03
    other = gumbel_noise(ids, 8)
    assert abs(np.corrcoef(noise, other)[0, 1]) < 0.03
    assert (gumbel_noise(ids[100:300], 7) == noise[100:300]).all()


def test_the_highest_of_log_weight_and_noise_is_drawn_in_proportion_to_the_weight() -> None:
    log_weights = np.log([0.5, 0.3, 0.2])
    ids = pa.array([digest("row", i) for i in range(3)], type=pa.large_string())
    draws = Counter(int((log_weights + gumbel_noise(ids, n)).argmax()) for n in range(4_000))
    for row, share in enumerate((0.5, 0.3, 0.2)):
        assert abs(draws[row] / 4_000 - share) < 4 * math.sqrt(share * (1 - share) / 4_000)


def test_rows_are_ranked_by_log_weight_and_noise() -> None:
    texts = ["solve", "x", "the", "sum", "for"] * 4
    _, _, decision = selected(texts, seed=3)
    ids = decision.rows.column("row_id").combine_chunks().cast(pa.large_string())
    noise = gumbel_noise(ids, int(digest("dsir", 3, "test")[:16], 16))
    keys = decision.rows.column("dsir_logratio").to_numpy() + noise
    ranks = decision.rows.column("dsir_rank").to_numpy()
    assert (np.argsort(-keys) == np.argsort(ranks)).all()
    assert (ranks != selected(texts, seed=4)[2].rows.column("dsir_rank").to_numpy()).any()


@settings_of_hypothesis(max_examples=20)
@given(st.permutations(range(9)), st.sets(st.integers(1, 8)), st.booleans())
def test_neither_order_nor_parts_matter(order: list[int], cuts: set[int], noise: bool) -> None:
    texts = ["solve x", "solve x", "", "a poem", "the sum?", "a", "日本 x", "b c", "?"]
    table, config = table_of(texts), settings(keep=4, noise=noise)
    context = FakeContext(given={"target": given_table([{"text": t} for t in TARGET])})
    mixed = table.take(pa.array(order))
    parts = [mixed.slice(a, b - a) for a, b in pairwise([0, *sorted(cuts), 9])]
    (whole,), decided = run_pass(STAGE, config, [table], context)
    batches, again = run_pass(STAGE, config, parts, context)
    key = "row_id"
    assert sorted((row for b in batches for row in b.rows), key=lambda r: str(r[key])) == sorted(
        whole.rows, key=lambda r: str(r[key])
    )
    rejects = sorted((r for b in batches for r in b.rejects), key=lambda r: r.row_id)
    assert rejects == sorted(whole.rejects, key=lambda r: r.row_id)
    assert again.figures == decided.figures


def test_equal_rows_are_told_apart_by_their_identity() -> None:
    kept, _, _ = selected(["x"] * 6, noise=False, keep=2)
    first = sorted(range(6), key=lambda i: digest("row", i))[:2]
    assert sorted(kept) == sorted(first)


def test_a_row_without_words_is_turned_away_and_counts_for_nothing() -> None:
    kept, gone, decision = selected(["", "x", " \n", "sum"], keep=0.5)
    assert {number: code for number, (code, _) in gone.items() if number in (0, 2)} == {
        0: "no_text",
        2: "no_text",
    }
    assert len(kept) == 1 and decision.figures["kept"] == 1


def test_more_rows_asked_for_than_came_are_all_kept_and_that_is_said() -> None:
    kept, gone, decision = selected(["x", "y"], keep=5)
    assert (len(kept), gone) == (2, {})
    assert "asks for 5 rows and 2 came" in decision.notes[0]


def test_one_row_and_none() -> None:
    kept, _, decision = selected(["x"], keep=0.1)
    assert list(kept) == [0]
    assert decision.figures["length_rank_correlation"] is None
    assert selected([])[0] == {}


def test_other_texts_of_a_row() -> None:
    config = settings(text=["answer"], keep=1, noise=False)
    stage = STAGE.fit(config)
    assert stage.reads == (ANSWER,)
    rows = [{"row_id": "0", "answer": "poem " * 9}, {"row_id": "1", "answer": "solve the sum"}]
    table = pa.Table.from_pylist(rows, schema=arrow_schema((ROW_ID, ANSWER)))
    context = FakeContext(given={"target": given_table([{"text": TARGET[0]}])})
    (batch,), _ = run_pass(stage, config, [table], context)
    assert [row["row_id"] for row in batch.rows] == ["1"]


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([{"body": "x"}], r"a\.jsonl:1: none of the fields text, prompt.* which has `body`: say"),
        ([{"text": "x"}, {"texts": "x"}], r"a\.jsonl:2: no field `text`: .* mean `texts`"),
        ([{"text": None}, {"text": " "}], "no text: `text` has no word in any record"),
        ([], "The target file has no records"),
    ],
)
def test_a_target_of_no_use_is_refused(records: list[Any], says: str) -> None:
    context = FakeContext(given={"target": given_table(records)})
    with pytest.raises(InputError, match=says):
        run_pass(STAGE, settings(), [table_of(["x"])], context)


def test_the_targets_field_is_found_or_named() -> None:
    given = {"target": given_table([{"question": TARGET[0], "body": "a poem"}])}
    table = table_of(["a poem", TARGET[0]])
    for field, chosen in ((None, 1), ("body", 0)):
        config = settings(keep=1, noise=False, target_field=field)
        (batch,), _ = run_pass(STAGE, config, [table], FakeContext(given=given))
        assert [row["row_id"] for row in batch.rows] == [digest("row", chosen)]


def test_a_row_of_ten_megabytes_and_a_surrogate_in_the_target() -> None:
    kept, _, _ = selected(["poem " * 2_000_000, "solve"], ["solve \ud800"], keep=1, noise=False)
    assert list(kept) == [1]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"keep": 0}, "greater than"),
        ({"keep": 1.5}, "less than 1"),
        ({"buckets": 1}, "greater than or equal to 2"),
        ({"buckets": 65_537}, "less than or equal to 65536"),
        ({"smoothing": 0}, "greater than 0"),
        ({"normalise": "length"}, "set `noise: false`"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**values)
