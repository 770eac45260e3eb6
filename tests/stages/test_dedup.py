"""`dedup`: what is dropped, for which row, and that neither order nor parts matter."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch, Reject
from schemas.errors import InputError
from schemas.stage import Decision
from stages.dedup import STAGE, Config
from tests.support import FakeContext, run_pass

WORDS = [f"word{i}" for i in range(12)]


def table(texts: list[str], **columns: Any) -> pa.Table:
    ids = [f"{row:02}" for row in range(len(texts))]
    return pa.table({"row_id": ids, "answer": pa.array(texts, pa.string()), **columns})


def config(**settings_: Any) -> Config:
    return Config.model_validate({"text": ("answer",), **settings_})


def run(
    parts: pa.Table | list[pa.Table], conf: Config, context: FakeContext | None = None
) -> tuple[list[str], list[Reject], Decision]:
    tables = parts if isinstance(parts, list) else [parts]
    batches, decision = run_pass(STAGE.fit(conf), conf, tables, context)
    kept = [row_id for batch in batches for row_id in batch.table.column("row_id").to_pylist()]
    rejects = [reject for batch in batches for reject in batch.rejects]
    assert sorted([*kept, *(r.row_id for r in rejects)]) == sorted(
        row_id for part in tables for row_id in part.column("row_id").to_pylist()
    )
    return kept, rejects, decision


def chain() -> pa.Table:
    """A like B and B like C by 8 of 10 words and more, and A not like C."""
    texts = [" ".join(WORDS[start : start + 10]) for start in (0, 1, 2)]
    return table(texts)


CHAIN = {"ngram": 1, "threshold": 0.8}


def test_greedy_keeps_the_end_of_a_chain() -> None:
    kept, (reject,), _ = run(chain(), config(**CHAIN))
    assert kept == ["00", "02"]
    assert (reject.row_id, reject.code) == ("01", "duplicate")
    assert reject.message == "duplicate of row 00: Jaccard similarity 0.8182, threshold 0.8"
    assert reject.raw == " ".join(WORDS[1:11])


def test_component_keeps_the_best_of_a_chain() -> None:
    kept, rejects, _ = run(chain(), config(mode="component", **CHAIN))
    assert kept == ["00"]
    assert [reject.message for reject in rejects] == [
        "duplicate of row 00: Jaccard similarity 0.8182, threshold 0.8",
        "duplicate of row 00: Jaccard similarity 0.6667, linked with it through other rows",
    ]


def test_a_pair_at_the_threshold_itself_is_alike() -> None:
    """8 of 10 words: J is 0.8, and 128 permutations cannot miss a pair of such small sets often."""
    rows = table(["a b c d e f g h i", "a b c d e f g h x"])
    alike = config(ngram=1, threshold=0.8)
    assert len(run(rows, alike)[0]) == 1
    assert len(run(rows, config(ngram=1, threshold=0.801))[0]) == 2


@pytest.mark.parametrize(
    ("priority", "kept"),
    [
        ([1, 2, 3], ["02"]),
        ([1.0, None, float("nan")], ["00"]),
        ([None, None, None], ["00"]),
        ([2, 3, 3], ["01"]),
        (["old", "new", "older"], ["02"]),
        ([False, True, True], ["01"]),
    ],
)
def test_the_highest_priority_stays_then_the_smallest_id(
    priority: list[Any], kept: list[str]
) -> None:
    rows = table(["same text"] * 3, score=priority)
    for method in ("exact", "minhash"):
        assert run(rows, config(method=method, priority="score"))[0] == kept


def test_a_priority_without_an_order_is_refused() -> None:
    rows = table(["a", "b"], score=[[1], [2]])
    with pytest.raises(InputError, match=r"`priority` names a column of type list"):
        run(rows, config(priority="score"))


def test_exact_folds_case_form_and_white_space() -> None:
    texts = ["Caf\u00e9 au  lait", " cafe\u0301\u2003AU lait\n", "caf\u00e9 aulait", "cafe au lait"]
    kept, (reject,), _ = run(table(texts), config(method="exact"))
    assert kept == ["00", "02", "03"]
    assert reject.message == "duplicate of row 00: has the same text"
    plain = config(method="exact", lowercase=False, unicode="none")
    assert run(table(texts), plain)[0] == ["00", "01", "02", "03"]


def test_characters_compare_texts_without_spaces() -> None:
    text = "\u4eca\u65e5\u306f\u3068\u3066\u3082\u3044\u3044\u5929\u6c17\u3067\u3059\u306d"
    rows = table([text, text + "\u3002", text[::-1]])
    assert run(rows, config(shingle="character", ngram=2))[0] == ["00", "02"]
    assert run(rows, config())[0] == ["00", "01", "02"]


def test_short_and_empty_texts_are_texts() -> None:
    rows = table(["", " \n", "a", "A", "b", "a b"])
    for method in ("exact", "minhash"):
        assert run(rows, config(method=method))[0] == ["00", "02", "04", "05"]


def test_a_prompt_is_compared_by_its_last_turn() -> None:
    turns = [[("user", "Hi"), ("assistant", "Yes?"), ("user", "Sing.")], [("user", "Sing.")]]
    messages = [[{"role": role, "content": text} for role, text in row] for row in turns]
    rows = pa.table({"row_id": ["00", "01"], "messages": messages})
    assert run(rows, Config())[0] == ["00"]
    assert run(rows, Config(text=("conversation",)))[0] == ["00", "01"]


# Bad and odd input


@pytest.mark.parametrize("method", ["exact", "minhash"])
@pytest.mark.parametrize("mode", ["greedy", "component"])
def test_equal_rows_are_no_pairs(method: str, mode: str) -> None:
    rows = pa.table(
        {"row_id": [f"{i:05}" for i in range(20_000)], "answer": ["text " * 9] * 20_000}
    )
    kept, rejects, decision = run(rows, config(method=method, mode=mode))
    assert kept == ["00000"]
    assert {reject.message.split(":")[0] for reject in rejects} == {"duplicate of row 00000"}
    assert decision.figures["compared"] == 0


@pytest.mark.parametrize("mode", ["greedy", "component"])
def test_a_template_is_not_compared_pair_by_pair(mode: str) -> None:
    common = " ".join(f"word{i}" for i in range(60))
    rows = table([f"{common} name{i}" for i in range(100)])
    kept, _, decision = run(rows, config(mode=mode))
    assert kept == ["00"]
    assert decision.figures["compared"] <= 2 * len(rows)


@pytest.mark.parametrize("method", ["exact", "minhash", "semantic"])
def test_one_row_and_none(method: str) -> None:
    vectors = pa.array([[1.0, 0.0]], pa.list_(pa.float64()))
    rows = table(["a"], embedding=vectors)
    assert run(rows, config(method=method))[0] == ["00"]
    kept, _, decision = run(rows.slice(0, 0), config(method=method))
    assert kept == []
    assert decision.figures["rows"] == 0


def test_a_row_of_ten_megabytes() -> None:
    text = " ".join(f"word{i}" for i in range(1_100_000))
    assert len(text) > 10**7
    kept, (reject,), _ = run(table([text, text + " end", "x"]), config())
    assert (kept, len(reject.raw)) == (["00", "02"], len(text) + 4)


def test_bytes_that_are_no_utf8_end_nothing() -> None:
    data = pa.array([b"\xff\xfe a", b"\xff\xfe a", b"b"], pa.binary())
    answers = pa.StringArray.from_buffers(3, *data.buffers()[1:])
    rows = pa.table({"row_id": ["00", "01", "02"], "answer": answers})
    conf = config(unicode="none", lowercase=False)
    pass_ = STAGE.fit(conf).dataset_pass
    assert pass_ is not None
    context = FakeContext()
    decision = pass_.decide(pass_.sketch(Batch(rows), conf, context), conf, context)
    assert decision.rows.column("duplicate_of").to_pylist() == [None, "00", None]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"threshold": 0.0}, "greater than 0"),
        ({"threshold": 1.01}, "less than or equal to 1"),
        ({"threshold": float("nan")}, "finite"),
        ({"ngram": 0}, "greater than or equal to 1"),
        ({"text": ()}, "at least 1"),
        ({"method": "exact", "threshold": 0.9}, "`threshold` is not for `method: exact`"),
        ({"method": "semantic", "index": ("a",)}, "`index` holds no embeddings"),
        ({"threshold": 0.02, "num_perm": 64}, "num_perm 64 finds fewer than 98%"),
    ],
)
def test_settings_that_cannot_be(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**settings_)


def test_a_threshold_of_one_drops_equal_sets_alone() -> None:
    rows = table(["a b c d e f", "A b c  d e f", "a b c d e g"])
    assert run(rows, config(threshold=1.0))[0] == ["00", "02"]


# Embeddings


def semantic(vectors: list[list[float]], **settings_: Any) -> tuple[list[str], list[Reject]]:
    embedding = pa.array(vectors, pa.list_(pa.float64()))
    rows = table([f"text {i}" for i in range(len(vectors))], embedding=embedding)
    return run(rows, config(method="semantic", **settings_))[:2]


def on_a_circle(*squared_steps: float) -> list[list[float]]:
    """Unit vectors, each that squared distance from the one before: d² = 2 - 2 cos."""
    angles = [0.0]
    for step in squared_steps:
        angles.append(angles[-1] + math.acos(1 - step / 2))
    return [[math.cos(angle), math.sin(angle)] for angle in angles]


def test_magpies_chain_of_neighbours() -> None:
    """At a squared distance of 0.05, a cosine of 0.975; Magpie's rule drops the third row too."""
    vectors = on_a_circle(0.04, 0.04)
    kept, (reject,) = semantic(vectors, threshold=0.975)
    assert kept == ["00", "02"]
    assert reject.message == "duplicate of row 00: cosine 0.9800, threshold 0.975"
    kept, rejects = semantic(vectors, threshold=0.975, mode="component")
    assert kept == ["00"]
    assert rejects[1].message.startswith("duplicate of row 00: cosine 0.92")
    assert rejects[1].message.endswith(", linked with it through other rows")


def test_equal_embeddings_and_other_lengths_of_one_direction() -> None:
    assert semantic([[1, 0], [1, 0], [3, 0], [0, 1], [-1, 0]])[0] == ["00", "03", "04"]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1, 0], [1]], "row 01: its embedding has 1 dimensions, others have 2"),
        ([[1, 0], [0, 0]], "row 01: its embedding is zero or not finite"),
        ([[1, 0], [1, float("inf")]], "row 01: its embedding is zero or not finite"),
        ([[], []], "row 00: its embedding is zero"),
    ],
)
def test_embeddings_that_cannot_be_compared(vectors: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        semantic(vectors)


def test_embeddings_of_two_lengths_in_two_parts() -> None:
    parts = [
        table(["a"], embedding=pa.array([vector], pa.list_(pa.float64())))
        for vector in ([1.0, 0.0], [1.0])
    ]
    with pytest.raises(InputError, match="its embedding has 1 dimensions, others have 2"):
        run(parts, config(method="semantic"))


# Laws

TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6).map(" ".join),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40)
@given(
    texts=TEXTS,
    method=st.sampled_from(["exact", "minhash", "semantic"]),
    mode=st.sampled_from(["greedy", "component"]),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    random=st.randoms(use_true_random=False),
)
def test_neither_order_nor_parts_matter(
    texts: list[str], method: str, mode: str, cuts: list[int], random: Any
) -> None:
    vectors = [[1.0 + text.count(letter) for letter in "abcd"] for text in texts]
    rows = table(
        texts,
        embedding=pa.array(vectors, pa.list_(pa.float64())),
        score=[len(text) % 3 for text in texts],
    )
    conf = config(method=method, mode=mode, priority="score", ngram=2)
    if method == "minhash":
        conf = conf.model_copy(update={"threshold": 0.5})
    order = list(range(len(texts)))
    random.shuffle(order)
    mixed = rows.take(pa.array(order))
    places = sorted({0, len(texts), *(min(cut, len(texts)) for cut in cuts)})
    parts = [mixed.slice(a, b - a) for a, b in pairwise(places)]
    whole, other = run(rows, conf), run(parts, conf)
    assert sorted(other[0]) == sorted(whole[0])
    assert sorted(other[1], key=lambda r: r.row_id) == sorted(whole[1], key=lambda r: r.row_id)
    assert other[2].figures == whole[2].figures


@settings(max_examples=40)
@given(TEXTS)
def test_nothing_kept_is_like_another_that_is_kept(texts: list[str]) -> None:
    """At 0.2 a band is one row, and not one pair in 10**12 is missed."""
    conf = config(ngram=1, threshold=0.2)
    assert conf.bands == (128, 1)
    kept, rejects, _ = run(table(texts), conf)
    sets = {f"{i:02}": frozenset(text.split()) or frozenset([""]) for i, text in enumerate(texts)}

    def similarity(first: str, second: str) -> float:
        return len(sets[first] & sets[second]) / len(sets[first] | sets[second])

    assert all(similarity(a, b) < 0.2 for a, b in combinations(kept, 2))
    for reject in rejects:
        other = reject.message.split()[3].rstrip(":")
        assert other in kept
        assert similarity(reject.row_id, other) >= 0.2
