"""Marks on disk: kept at once, replaced by later ones, read by an audit, whole after a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.human import HumanLabels
from pipeline.audit.pairs import Pair, answer_digest
from pipeline.audit.reading import read_human
from pipeline.browse.blind import hide_label, is_turned, unblinded
from pipeline.browse.desk import Desk
from pipeline.browse.marks import MarksFile, wilson
from pipeline.browse.records import record_of
from schemas.errors import InputError
from tests.pipeline.browse.made import (
    HOSTILE,
    answer_row,
    assistant,
    make_dataset,
    pair_row,
    ranking_row,
)

PAIR = record_of(pair_row(1), "dpo", "train")
ANSWER = record_of(answer_row(1), "kto", "train")


def verdict_on(human: HumanLabels, record: dict[str, Any]) -> float | None:
    """What people say of a pair, 1 if chosen is better."""
    pair = Pair(record["prompt"][-1]["content"], record["chosen"], record["rejected"])
    votes = human.votes.get(pair.key)
    if votes is None:
        return None
    ((verdict, n),) = votes.items()
    assert n == 1, "a mark counts once"
    return 1 - verdict if pair.is_turned else verdict


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["good", "bad", "tie", "skip", "none"]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_an_audit_reads_the_last_mark_of_each_row(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, str, bool]]
) -> None:
    path = tmp_path_factory.mktemp("marks") / "labels.jsonl"
    marks, last = MarksFile(path), {}
    for number, verdict, turned in said:
        record = record_of(pair_row(number), "dpo", "train")
        marks.add(record, verdict, "", turned, is_blind=True)
        last[number] = verdict
    values = {"good": 1.0, "bad": 0.0, "tie": 0.5}
    expected = {number: values[v] for number, v in last.items() if v in values}
    again = MarksFile(path)
    assert again.marks == marks.marks
    assert {key[1] for key in again.marks} == {
        pair_row(number)["row_id"] for number, v in last.items() if v != "none"
    }
    if expected:
        human = read_human(path)
        for number in range(3):
            record = record_of(pair_row(number), "dpo", "train")
            assert verdict_on(human, record) == expected.get(number)


def test_answers_and_pairs_are_read_from_one_file(tmp_path: Path) -> None:
    marks = MarksFile(tmp_path / "labels.jsonl")
    marks.add(PAIR, "bad", "not so", turned=True, is_blind=True)
    marks.add(ANSWER, "good", "", turned=False, is_blind=True)
    marks.add(ANSWER, "bad", "", turned=False, is_blind=False)
    human = read_human(tmp_path / "labels.jsonl")
    assert verdict_on(human, PAIR) == 0.0
    assert human.grades == {answer_digest("Question 1?", "Answer 1."): -1}


def test_several_people_mark_in_a_file_each(tmp_path: Path) -> None:
    for person, verdict in (("ann", "good"), ("bob", "good"), ("cy", "bad")):
        MarksFile(tmp_path / f"{person}.jsonl").add(PAIR, verdict, "", False, True)
    human = read_human(tmp_path)
    ((votes),) = human.votes.values()
    assert sorted(votes.values()) == [1, 2]


def test_a_line_says_what_was_shown_and_said(tmp_path: Path) -> None:
    marks = MarksFile(tmp_path / "labels.jsonl")
    marks.add(PAIR, "good", "clearer", turned=True, is_blind=True)
    line = json.loads((tmp_path / "labels.jsonl").read_text())
    assert line["response_1"] == PAIR["rejected"]
    assert line["response_2"] == PAIR["chosen"]
    assert (line["preference_strength"], line["verdict"], line["agrees"]) == (1, "good", True)
    assert (line["comment"], line["is_blind"]) == ("clearer", True)


def test_a_line_that_was_cut_off_costs_one_mark(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    MarksFile(path).add(PAIR, "good", "", turned=False, is_blind=True)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    marks = MarksFile(path)
    assert len(marks.marks) == 1
    marks.add(record_of(pair_row(2), "dpo", "train"), "bad", "", turned=False, is_blind=True)
    marks.add(record_of(pair_row(3), "dpo", "train"), "tie", "", turned=False, is_blind=True)
    human = read_human(path)
    assert human.n_pairs == 3
    assert human.skipped == {}
    assert len(MarksFile(path).marks) == 3


def test_hostile_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    marks = MarksFile(tmp_path / "labels.jsonl")
    row = pair_row(1, chosen=assistant(HOSTILE + "\u2028\n"))
    record = record_of(row, "dpo", "train")
    marks.add(record, "good", HOSTILE, turned=False, is_blind=False)
    assert verdict_on(read_human(tmp_path / "labels.jsonl"), record) == 1.0
    assert MarksFile(tmp_path / "labels.jsonl").marks[("dpo", record["id"])].comment == HOSTILE


def test_a_last_line_without_an_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    MarksFile(path).add(PAIR, "good", "", turned=False, is_blind=True)
    path.write_bytes(path.read_bytes().rstrip())
    MarksFile(path).add(ANSWER, "good", "", turned=False, is_blind=True)
    assert len(MarksFile(path).marks) == 2


@pytest.mark.parametrize(
    "content",
    [b'{"prompt": "a"}', b'{"prompt": "a", "chosen": "b"}\nx\n', b"a,b\n1,2\n", b"[1]\n[2]\n"],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no mark that `prefmill view` made"):
        MarksFile(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        MarksFile(tmp_path / "nowhere" / "labels.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        MarksFile(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_told_and_no_mark_is_counted(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").symlink_to("/dev/full")
    marks = MarksFile.__new__(MarksFile)
    with pytest.raises(InputError, match="could not be written: No space left"):
        _unread(marks, tmp_path / "labels.jsonl").add(PAIR, "good", "", False, True)
    assert marks.marks == {}


def _unread(marks: MarksFile, path: Path) -> MarksFile:
    """Reading /dev/full never ends."""
    from threading import Lock

    marks.path, marks.marks, marks._lock = path, {}, Lock()
    marks._end, marks._joint = None, b""
    return marks


def test_agreement_is_with_the_labels(tmp_path: Path) -> None:
    marks = MarksFile(tmp_path / "labels.jsonl")
    for number, verdict in enumerate(["good", "good", "good", "bad", "tie", "skip"]):
        record = record_of(pair_row(number), "dpo", "train")
        marks.add(record, verdict, "", turned=False, is_blind=True)
    progress = marks.progress()
    assert (progress["marked"], progress["skipped"]) == (5, 1)
    assert (progress["good"], progress["bad"], progress["tie"]) == (3, 1, 1)
    assert progress["agreement"] == pytest.approx((0.75, 0.3006, 0.9544), abs=1e-4)
    # Answer 1 is labelled undesirable: to find it bad is to agree.
    marks.add(ANSWER, "bad", "", turned=False, is_blind=True)
    assert marks.progress()["agreement"][0] == pytest.approx(4 / 5)


@given(st.integers(1, 300), st.data())
def test_an_interval_holds_its_share(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    share, low, high = wilson(hits, n)
    assert 0 <= low <= share + 1e-9
    assert share <= high + 1e-9 <= 1 + 2e-9


def test_a_hidden_row_says_nothing_of_its_label() -> None:
    sides = set()
    for number in range(40):
        record = record_of(pair_row(number), "dpo", "train")
        seen = hide_label(record, seed=3)
        texts = [answer["text"] for answer in seen["answers"]]
        turned = is_turned(record, seed=3)
        sides.add(turned)
        assert texts == [record["chosen"], record["rejected"]][:: -1 if turned else 1]
        told = json.dumps({**seen, "answers": [], "prompt": []})
        assert not {"chosen", "rejected", "margin", "score"} & set(json.loads(told))
        better = "b" if turned else "a"
        assert unblinded(better, record, seed=3) == "good"
        assert unblinded("a" if turned else "b", record, seed=3) == "bad"
        assert unblinded("tie", record, seed=3) == "tie"
    assert sides == {True, False}
    answer = hide_label(ANSWER, seed=3)
    assert answer["answers"] == [{"text": "Answer 1."}]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    rows = {
        "dpo": [pair_row(n) for n in range(5)],
        "kto": [answer_row(n) for n in range(2)],
        "ranking": [ranking_row(1)],
    }
    make_dataset(tmp_path, rows)
    desk = Desk(tmp_path, MarksFile(tmp_path / "labels.jsonl"), is_blind=True, seed=1)
    yield desk
    desk.close()


def mark(desk: Desk, number: int, verdict: str, comment: str = "") -> dict[str, Any]:
    said = {"config": "dpo", "id": pair_row(number)["row_id"], "verdict": verdict}
    return desk.mark({**said, "comment": comment})


def test_a_row_is_hidden_until_it_is_marked(desk: Desk, tmp_path: Path) -> None:
    row_id = pair_row(2)["row_id"]
    before = desk.row("dpo", row_id)["record"]
    assert before["isBlind"]
    assert "margin" not in before
    assert all(line["margin"] is None for line in desk.rows({"config": "dpo"})["rows"])
    shown = [answer["text"] for answer in before["answers"]]
    first_is_chosen = shown[0].startswith("The mill grinds corn")
    after = mark(desk, 2, "a", "a comment")["record"]
    assert after["verdict"] == ("good" if first_is_chosen else "bad")
    assert (after["margin"], after["comment"]) == (2.0, "a comment")
    line = json.loads((tmp_path / "labels.jsonl").read_text())
    assert [line["response_1"], line["response_2"]] == shown
    assert line["preference_strength"] == -1
    margins = {line["id"]: line["margin"] for line in desk.rows({"config": "dpo"})["rows"]}
    assert [row for row, margin in margins.items() if margin is not None] == [row_id]


def test_what_is_marked_can_be_asked_for_and_withdrawn(desk: Desk) -> None:
    mark(desk, 1, "tie")
    mark(desk, 3, "skip")
    todo = desk.rows({"config": "dpo", "marks": "todo"})
    done = desk.rows({"config": "dpo", "marks": "done"})
    assert [row["margin"] for row in done["rows"]] == [1.0, None]  # a skipped row stays hidden
    assert (todo["total"], done["total"]) == (3, 2)
    assert mark(desk, 1, "none")["progress"]["marked"] == 0
    assert desk.rows({"config": "dpo", "marks": "todo"})["total"] == 4
    assert "verdict" not in desk.row("dpo", pair_row(1)["row_id"])["record"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"config": "ranking", "id": ranking_row(1)["row_id"], "verdict": "good"}, "cannot be"),
        ({"config": "dpo", "id": pair_row(1)["row_id"], "verdict": "great"}, "cannot be marked"),
        ({"config": "kto", "id": answer_row(1)["row_id"], "verdict": "tie"}, "cannot be marked"),
        ({"config": "dpo", "id": "gone", "verdict": "good"}, "there is no row 'gone'"),
        ({"config": "dpo", "id": 7, "verdict": "good"}, "are texts"),
        ({}, "there is no row"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(
    desk: Desk, tmp_path: Path, said: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        desk.mark(said)
    assert not (tmp_path / "labels.jsonl").exists()


def test_marks_are_on_disk_when_they_are_told(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), real(file))[1])
    mark(desk, 1, "tie")
    assert len(synced) == 2  # the file, and the folder that it is new in
    mark(desk, 2, "tie")
    assert len(synced) == 3
