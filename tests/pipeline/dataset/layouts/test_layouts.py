"""Each layout's rows, as its consumer documents them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.dataset.layouts.choose import Wish
from pipeline.dataset.layouts.helpsteer import strength_of
from pipeline.dataset.layouts.record import CannotHold, Made
from pipeline.dataset.layouts.table import LAYOUTS
from pipeline.dataset.layouts.write import write_export
from pipeline.dataset.read import DatasetFolder
from schemas.errors import ExportRefused
from schemas.layouts import same_text
from tests.pipeline.dataset.layouts.samples import (
    Row,
    answer,
    every_shape,
    gold,
    labelled,
    make_dataset,
    pair,
    ranking,
    turns,
)

Q = ("user", "Q")
TALK = turns(("system", "S"), ("user", "Q1"), ("assistant", "A1"), ("user", "Q2"))


def export(dataset: DatasetFolder, layout: str, folder: Path, **wish: Any) -> list[Made]:
    return write_export(dataset, LAYOUTS[layout], [Wish(**wish)], folder)


def rows_of(folder: Path, split: str = "train") -> list[Row]:
    if lines := list(folder.rglob(f"{split}*.jsonl")):
        return [json.loads(line) for line in lines[0].read_text("utf-8").splitlines()]
    return [row for path in folder.rglob(f"{split}*.parquet") for row in _parquet(path)]


def _parquet(path: Path) -> list[Row]:
    rows: list[Row] = pq.read_table(path).to_pylist()
    return rows


def one(tmp_path: Path, layout: str, config: str, row: Row, **wish: Any) -> Row:
    """A row of a config as a layout has it."""
    dataset = make_dataset(tmp_path / "run", {config: [row]})
    export(dataset, layout, tmp_path / "export", **wish)
    (made,) = rows_of(tmp_path / "export")
    return made


def refusal(tmp_path: Path, layout: str, config: str, row: Row, **wish: Any) -> str:
    """What is said of a row that a layout refuses; nothing is left behind."""
    dataset = make_dataset(tmp_path / "run", {config: [row]})
    with pytest.raises(ExportRefused) as error:
        export(dataset, layout, tmp_path / "export", **wish)
    assert not list(tmp_path.glob("*export*"))
    assert str(error.value).startswith(
        f"row {row['row_id']} of `{config}` cannot be written in layout `{layout}`: "
    )
    return str(error.value)


QA = pair(1, prompt=turns(Q), chosen=answer("A"), rejected=answer("B"))
LONG = pair(1, prompt=TALK, chosen=answer("A"), rejected=answer("B"))
KTO = labelled(2, prompt=turns(Q), completion=answer("A"))
LONG_KTO = labelled(1, prompt=TALK, completion=answer("A"))
SFT = gold(1, prompt=turns(Q), completion=answer("A"))
LONG_SFT = gold(1, prompt=TALK, completion=answer("A"))
RANKING = ranking(1, prompt=turns(Q), completions=["A", "B"], scores=[2.0, 1.0])
A, B = answer("A"), answer("B")
STRINGS = {"form": "standard"}
REWARD = {"task": "reward"}

EXPECTED: list[tuple[str, str, Row, dict[str, str], Row]] = [
    ("trl", "dpo", LONG, {}, {"prompt": TALK, "chosen": A, "rejected": B}),
    ("trl", "dpo", QA, STRINGS, {"prompt": "Q\n", "chosen": "A", "rejected": "B"}),
    (
        "trl",
        "dpo",
        LONG,
        REWARD,
        {"chosen": [*TALK, *A], "rejected": [*TALK, *B], "margin": 2.5},
    ),
    ("trl", "dpo", QA, REWARD | STRINGS, {"chosen": "Q\nA", "rejected": "Q\nB", "margin": 2.5}),
    ("trl", "dpo", LONG, {"task": "prompts"}, {"prompt": TALK}),
    ("trl", "ranking", RANKING, {"task": "prompts"} | STRINGS, {"prompt": "Q\n"}),
    ("trl", "kto", LONG_KTO, {}, {"prompt": TALK, "completion": A, "label": False}),
    ("trl", "kto", KTO, STRINGS, {"prompt": "Q\n", "completion": "A", "label": True}),
    ("trl", "sft", LONG_SFT, {}, {"prompt": TALK, "completion": A}),
    ("trl", "sft", SFT, STRINGS, {"prompt": "Q\n", "completion": "A"}),
    ("openrlhf", "dpo", LONG, {}, {"prompt": TALK, "chosen": A, "rejected": B, "margin": 2.5}),
    (
        "openrlhf",
        "dpo",
        QA,
        STRINGS,
        {"prompt": "Q", "chosen": "A", "rejected": "B", "margin": 2.5},
    ),
    ("openrlhf", "sft", LONG_SFT, {}, {"prompt": TALK, "completion": A}),
    ("openrlhf", "sft", SFT, STRINGS, {"prompt": "Q", "completion": "A"}),
    (
        "llama_factory",
        "dpo",
        QA,
        {},
        {
            "conversations": [{"from": "human", "value": "Q"}],
            "chosen": {"from": "gpt", "value": "A"},
            "rejected": {"from": "gpt", "value": "B"},
        },
    ),
    (
        "llama_factory",
        "dpo",
        LONG,
        STRINGS,
        {
            "instruction": "Q2",
            "input": "",
            "chosen": "A",
            "rejected": "B",
            "system": "S",
            "history": [["Q1", "A1"]],
        },
    ),
    (
        "llama_factory",
        "kto",
        LONG_KTO,
        {},
        {
            "conversations": [
                {"from": "system", "value": "S"},
                {"from": "human", "value": "Q1"},
                {"from": "gpt", "value": "A1"},
                {"from": "human", "value": "Q2"},
                {"from": "gpt", "value": "A"},
            ],
            "kto_tag": False,
        },
    ),
    (
        "llama_factory",
        "kto",
        KTO,
        STRINGS,
        {
            "instruction": "Q",
            "input": "",
            "output": "A",
            "kto_tag": True,
            "system": "",
            "history": [],
        },
    ),
    (
        "llama_factory",
        "sft",
        SFT,
        {},
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
    ),
    (
        "llama_factory",
        "sft",
        LONG_SFT,
        STRINGS,
        {
            "instruction": "Q2",
            "input": "",
            "output": "A",
            "system": "S",
            "history": [["Q1", "A1"]],
        },
    ),
    ("axolotl", "dpo", LONG, {}, {"messages": TALK, "chosen": A[0], "rejected": B[0]}),
    (
        "axolotl",
        "dpo",
        QA,
        STRINGS,
        {"system": "", "prompt": "Q", "chosen": "A", "rejected": "B"},
    ),
    ("axolotl", "dpo", QA, REWARD, {"system": "", "input": "Q", "chosen": "A", "rejected": "B"}),
    ("axolotl", "kto", KTO, {}, {"system": "", "prompt": "Q", "completion": "A", "label": True}),
    ("axolotl", "sft", LONG_SFT, {}, {"messages": [*TALK, *A]}),
    ("ms_swift", "dpo", LONG, {}, {"messages": [*TALK, *A], "rejected_response": "B"}),
    (
        "ms_swift",
        "dpo",
        LONG,
        REWARD,
        {"messages": [*TALK, *A], "rejected_response": "B", "margin": 2.5},
    ),
    ("ms_swift", "kto", LONG_KTO, {}, {"messages": [*TALK, *A], "label": False}),
    ("ms_swift", "sft", LONG_SFT, {}, {"messages": [*TALK, *A]}),
    (
        "nemo_rl",
        "dpo",
        LONG,
        {},
        {
            "context": TALK,
            "completions": [{"rank": 0, "completion": A}, {"rank": 1, "completion": B}],
        },
    ),
    ("nemo_rl", "dpo", QA, STRINGS, {"prompt": "Q", "chosen": "A", "rejected": "B"}),
    (
        "ultrafeedback_binarized",
        "dpo",
        QA,
        {},
        {
            "prompt": "Q",
            "prompt_id": sha256(b"Q").hexdigest(),
            "chosen": [*turns(Q), *A],
            "rejected": [*turns(Q), *B],
            "messages": [*turns(Q), *A],
            "score_chosen": 4.0,
            "score_rejected": 1.5,
        },
    ),
    (
        "sharegpt",
        "dpo",
        QA,
        {},
        {
            "conversations": [{"from": "human", "value": "Q"}],
            "chosen": {"from": "gpt", "value": "A"},
            "rejected": {"from": "gpt", "value": "B"},
        },
    ),
    (
        "sharegpt",
        "kto",
        KTO,
        {},
        {
            "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}],
            "label": True,
        },
    ),
    (
        "sharegpt",
        "sft",
        SFT,
        {},
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
    ),
    (
        "ranking",
        "ranking",
        RANKING,
        {},
        {"prompt": turns(Q), "completions": ["A", "B"], "scores": [2.0, 1.0]},
    ),
    (
        "ranking",
        "ranking",
        RANKING,
        STRINGS,
        {"prompt": "Q", "completions": ["A", "B"], "scores": [2.0, 1.0]},
    ),
]


def _named(value: object) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("layout", "config", "row", "wish", "expected"), EXPECTED, ids=_named)
def test_rows(
    layout: str, config: str, row: Row, wish: dict[str, str], expected: Row, tmp_path: Path
) -> None:
    made = one(tmp_path, layout, config, row, **wish)
    assert made == expected
    assert list(made) == list(expected), "the order of the columns"


def test_every_layout_is_tried() -> None:
    assert {case[0] for case in EXPECTED} | {"helpsteer"} == set(LAYOUTS)


def test_helpsteer_puts_either_answer_first(tmp_path: Path) -> None:
    pairs = [pair(n, p_chosen=0.6) for n in range(64)]
    export(make_dataset(tmp_path / "run", {"dpo": pairs}), "helpsteer", tmp_path / "export")
    made = rows_of(tmp_path / "export")
    assert 16 < sum(row["overall_preference"] < 0 for row in made) < 48
    for row, ours in zip(made, pairs, strict=True):
        first = "response1" if row["overall_preference"] < 0 else "response2"
        assert row[first] == ours["chosen"][0]["content"]
        assert {row["response1"], row["response2"]} == {
            ours[side][0]["content"] for side in ("chosen", "rejected")
        }
        assert row["context"] == ours["prompt"]


def test_the_strength_of_a_preference() -> None:
    assert [strength_of(p) for p in (0.5, 0.66, 0.67, 0.83, 0.84, 1.0)] == [1, 1, 2, 2, 3, 3]
    with pytest.raises(CannotHold, match="which does not say that `chosen` is better"):
        strength_of(0.49)


SPACED = answer(" A\n")
THOUGHT = answer("<think>hm</think>A")
SYSTEM_LAST = turns(("user", "Q1"), ("user", "Q2"))

REFUSED: list[tuple[str, str, Row, dict[str, str], str]] = [
    ("trl", "dpo", LONG, STRINGS, "holds one user turn, and the prompt has the turns system, user"),
    ("trl", "kto", KTO | {"completion": SPACED}, STRINGS, "`completion` begins with white space"),
    ("axolotl", "dpo", QA | {"chosen": SPACED}, {}, "`chosen` begins or ends with white space"),
    ("axolotl", "dpo", QA | {"rejected": THOUGHT}, {}, "`rejected` has <think> or </think> in it"),
    ("axolotl", "dpo", LONG, REWARD, "the prompt has 3 turns"),
    ("axolotl", "kto", LONG_KTO, {}, "the prompt has 3 turns"),
    ("llama_factory", "dpo", QA | {"prompt": SYSTEM_LAST}, {}, "where one of `assistant` is due"),
    ("llama_factory", "sft", SFT | {"prompt": SYSTEM_LAST}, STRINGS, "there is one of `user`"),
    ("helpsteer", "dpo", QA | {"p_chosen": None}, {}, "there is no `p_chosen`"),
    (
        "ultrafeedback_binarized",
        "dpo",
        QA | {"score_rejected": None},
        {},
        "came without scores",
    ),
    ("ms_swift", "dpo", QA | {"rejected": answer("A ")}, {}, "are the same text"),
    ("nemo_rl", "dpo", QA | {"chosen": answer(" ")}, {}, "`chosen` is empty"),
    ("sharegpt", "dpo", QA | {"chosen": [*A, *A]}, {}, "has the turns assistant, assistant"),
    ("sharegpt", "dpo", QA | {"rejected": []}, {}, "must be one turn of `assistant`"),
    ("sharegpt", "kto", KTO | {"prompt": turns(("bot", "B"), Q)}, {}, "a turn is of `bot`"),
    ("openrlhf", "dpo", QA | {"prompt": A}, {}, "ends on a turn of `assistant`"),
    ("ranking", "ranking", RANKING | {"completions": ["A", ""]}, {}, "`completions[1]` is empty"),
]


@pytest.mark.parametrize(("layout", "config", "row", "wish", "rule"), REFUSED, ids=_named)
def test_rules(
    layout: str, config: str, row: Row, wish: dict[str, str], rule: str, tmp_path: Path
) -> None:
    assert rule in refusal(tmp_path, layout, config, row, **wish)


def test_axolotls_strings_may_have_what_its_templates_lose(tmp_path: Path) -> None:
    row = QA | {"chosen": SPACED, "rejected": THOUGHT}
    made = one(tmp_path, "axolotl", "dpo", row, form="standard")
    assert (made["chosen"], made["rejected"]) == (" A\n", "<think>hm</think>A")


@pytest.mark.parametrize(("layout", "config"), [(name, "dpo") for name in ("trl", "ms_swift")])
def test_margins_are_all_there_or_not_at_all(layout: str, config: str, tmp_path: Path) -> None:
    """A reward trainer that finds a null among the margins fails, or takes it for 0."""
    dataset = make_dataset(tmp_path / "run", {config: [pair(1), pair(2, margin=None)]})
    (made,) = export(dataset, layout, tmp_path / "export", task="reward")
    assert "margin" not in made.columns
    assert all("margin" not in row for row in rows_of(tmp_path / "export"))


def test_prompts_come_once(tmp_path: Path) -> None:
    prompts: Sequence[list[Row]] = [turns(Q), TALK, turns(Q), turns(("user", "Q "))]
    rows = [labelled(n, prompt=prompt) for n, prompt in enumerate(prompts)]
    dataset = make_dataset(tmp_path / "run", {"kto": rows})
    (made,) = export(dataset, "trl", tmp_path / "export", task="prompts")
    assert [row["prompt"] for row in rows_of(tmp_path / "export")] == [
        prompts[i] for i in (0, 1, 3)
    ]
    assert (made.name, made.rows) == ("kto_prompts", {"train": 3})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_stay_as_they_are(layout: str, tmp_path: Path) -> None:
    dataset = every_shape(tmp_path / "run", single_turn=True)
    for made in export(dataset, layout, tmp_path / "export"):
        suffix = LAYOUTS[layout].split_suffix
        assert list(made.rows) == [s + suffix for s in ("train", "validation", "test")]
        assert {s.removesuffix(suffix): n for s, n in made.rows.items()} == dataset.splits(
            made.config
        )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
def test_lines_hold_any_text(said: list[tuple[str, str, str]]) -> None:
    """Line separators, controls and bidi marks in texts are neither ends of lines nor lost."""
    rows = [
        pair(n, prompt=turns(("user", asked)), chosen=answer(one), rejected=answer(other))
        for n, (asked, one, other) in enumerate(said)
        if not same_text(one, other)
    ]
    assume(rows)
    with TemporaryDirectory() as folder:
        dataset = make_dataset(Path(folder) / "run", {"dpo": rows})
        (made,) = export(dataset, "nemo_rl", Path(folder) / "export", form="standard")
        lines = Path(made.lines_file("train")).read_bytes().removesuffix(b"\n").split(b"\n")
    assert [json.loads(line) for line in lines] == [
        {"prompt": row["prompt"][0]["content"]}
        | {side: row[side][0]["content"] for side in ("chosen", "rejected")}
        for row in rows
    ]
