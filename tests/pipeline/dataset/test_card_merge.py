from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset.card import render_card
from pipeline.dataset.card_head import head_values
from pipeline.dataset.card_merge import card_notes, merge_card
from pipeline.dataset.facts import ConfigFacts, RunFacts, SplitFacts, StepFacts
from schemas.columns import ROW_ID
from schemas.errors import InputError
from schemas.layouts import PROMPT

RUN = RunFacts(
    "nightly",
    "name: nightly\n",
    {"prefmill": "0.1.0"},
    steps=(StepFacts("pair", "pair", 40, 30),),
    license="mit",
    tags=("blue",),
)
LATER = replace(RUN, steps=(StepFacts("pair", "pair", 80, 60),), tags=("green",))


def config(name: str, rows: int) -> ConfigFacts:
    return ConfigFacts(name, (ROW_ID, PROMPT), (SplitFacts("train", rows, rows * 100, rows * 30),))


OLD = render_card(RUN, [config("dpo", 30), config("kto", 60)])
NEW = render_card(LATER, [config("dpo", 60), config("sft", 60)])


def front(card: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(card.split("---\n", 2)[1])
    return values


def test_a_card_that_nobody_touched_is_renewed_as_a_whole() -> None:
    assert merge_card(None, NEW) == merge_card("", NEW) == merge_card(NEW, NEW) == NEW
    merged = merge_card(OLD, NEW)
    assert front(merged) == front(NEW)
    assert sorted(merged.split("\n")) == sorted(NEW.split("\n"))
    assert card_notes(merged, "README.md") == []


def test_text_outside_the_sections_stays_where_it_is() -> None:
    edited = OLD.replace("## How to load it", "## How to load it").replace(
        "\n<!-- prefmill:counts", "\n## Whom to thank\n\nThe night shift.\n\n<!-- prefmill:counts"
    )
    merged = merge_card(edited + "\nThe end.\n", NEW)
    assert "## Whom to thank\n\nThe night shift.\n\n<!-- prefmill:counts" in merged
    assert merged.endswith("\nThe end.\n")
    assert "| pair | pair | 80 | 60 | none |" in merged and "| 40 | 30 |" not in merged


def test_a_section_that_was_changed_stays_and_is_said() -> None:
    edited = OLD.replace("- Labels are opinions of models", "- The judge likes rhymes")
    merged = merge_card(edited, NEW)
    assert "- The judge likes rhymes" in merged
    assert merged.count("## Known limits") == 1
    (note,) = card_notes(merged, "README.md")
    assert "section `limits` changed by hand" in note


def test_line_ends_and_blanks_at_line_ends_are_no_change() -> None:
    merged = merge_card(OLD.replace("\n", " \r\n").replace("--- \r\n", "---\r\n"), NEW)
    assert "| 40 | 30 |" not in merged and "\r" not in merged


def test_a_section_that_was_deleted_comes_back_in_its_place() -> None:
    gone = re.sub(r"<!-- prefmill:counts.*<!-- /prefmill:counts \w+ -->\n", "", OLD, flags=re.S)
    merged = merge_card(gone, OLD)
    assert [line for line in merged.split("\n") if line] == [
        line for line in OLD.split("\n") if line
    ]


def test_what_is_between_the_marks_may_be_deleted_for_good() -> None:
    empty = re.sub(
        r"(<!-- prefmill:counts \w+ -->\n).*(<!-- /prefmill:counts)", r"\1\2", OLD, flags=re.S
    )
    assert "What became of the rows" not in merge_card(empty, NEW)


def test_a_card_that_prefmill_did_not_write_is_kept_and_added_to() -> None:
    theirs = "---\nlicense: cc0-1.0\npretty_name: Ours\n---\n# Ours\n\nBy hand.\n"
    merged = merge_card(theirs, NEW)
    assert (front(merged)["license"], front(merged)["pretty_name"]) == ("cc0-1.0", "Ours")
    assert front(merged)["configs"] == front(NEW)["configs"]
    assert "# Ours\n\nBy hand.\n\n<!-- prefmill:title" in merged
    assert merge_card("By hand.", NEW).index("By hand.") < merge_card("By hand.", NEW).index("# ni")


def test_keys_of_the_head_are_merged_one_by_one() -> None:
    edited = (
        OLD.replace("license: mit", "# asked Bob\nlicense: apache-2.0 # for now")
        .replace("pretty_name: nightly", "pretty_name: nightly # ours")
        .replace("task_categories:", "doi: 10.1/x\n# what it is for\ntask_categories:")
        .replace("- blue\n", "- blue\n# more to come\n")
    )
    merged = merge_card(edited, NEW)
    values = front(merged)
    assert (values["license"], values["doi"]) == ("apache-2.0", "10.1/x")
    assert values["tags"] == front(NEW)["tags"]
    assert values["dataset_info"] == front(NEW)["dataset_info"]
    for line in ("# asked Bob", "license: apache-2.0 # for now", "pretty_name: nightly # ours"):
        assert line in merged
    for line in ("# what it is for", "# more to come"):
        assert merged.count(line) == 1
    (note,) = card_notes(merged, "README.md")
    assert "`license` changed by hand" in note


def test_what_the_files_hold_is_never_a_persons() -> None:
    edited = OLD.replace("num_examples: 30", "num_examples: 31").replace("n<1K", "n>1T")
    values = front(merge_card(edited, NEW))
    assert values["dataset_info"] == front(NEW)["dataset_info"]
    assert values["size_categories"] == ["n<1K"]


def test_a_key_that_is_no_longer_written_goes_unless_a_person_gave_it() -> None:
    bare = render_card(replace(RUN, license=None), [config("dpo", 30)])
    assert "license" not in front(merge_card(OLD, bare))
    stated = bare.replace("pretty_name:", "license: cc0-1.0\npretty_name:")
    merged = merge_card(stated, bare)
    assert front(merged)["license"] == "cc0-1.0"
    assert card_notes(merged, "README.md") == []
    (note,) = card_notes(bare, "README.md")
    assert "no licence is stated" in note and "card.license" in note


def test_a_head_that_another_tool_wrote_anew_is_known_by_its_values() -> None:
    _, head, rest = OLD.split("---\n", 2)
    flow = yaml.safe_dump(yaml.safe_load(head), default_flow_style=True, width=10**6)
    for dumped in (yaml.safe_dump(yaml.safe_load(head)), flow):
        assert front(merge_card(f"---\n{dumped}---\n{rest}", NEW)) == front(NEW)


@pytest.mark.parametrize(
    ("head", "line", "said"),
    [
        ("license: mit\ntags: [a\nx: 1", 4, "YAML"),
        ("license: mit\n\tx: 1", 3, "YAML"),
        ("- a\n- b", 1, "list instead of keys"),
        ("license: mit\nlicense: apache-2.0", 3, "`license` is given twice"),
        ("a: &a [1]\nb: *a", 3, "alias"),
        ("a: 1\nb: \x07", 3, "character"),
        ("x: 2024-99-99", 1, "month"),
    ],
)
def test_a_broken_head_is_an_error_that_names_its_line(head: str, line: int, said: str) -> None:
    with pytest.raises(InputError) as caught:
        merge_card(f"---\n{head}\n---\n# Mine\n", NEW, "runs/x/dataset/README.md")
    assert f"runs/x/dataset/README.md:{line}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_head_without_an_end_is_an_error() -> None:
    with pytest.raises(InputError, match=r"README\.md:1: .*no closing"):
        merge_card("---\nlicense: mit\n# Mine\n", NEW)


MARKS = [line for line in (OLD + NEW).split("\n") if line.startswith("<!--")]
LINES = st.one_of(
    st.sampled_from([*MARKS, "", "---", "# Title", "```", "license: mit"]),
    st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20),
)


@st.composite
def edited_cards(draw: st.DrawFn) -> str:
    """A card of ours in which lines were deleted, repeated, moved and written."""
    head, body = OLD.split("\n---\n", 1)
    lines = body.split("\n")
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(lines)))
        until = draw(st.integers(at, len(lines)))
        lines[at:until] = draw(st.one_of(st.lists(LINES, max_size=4), st.just(lines[at:until] * 2)))
    keys = draw(st.lists(st.sampled_from(["mine: 1", "# a note", "more: [a, b]"]), unique=True))
    return "\n".join([head, *keys, "---", *lines])


@settings(max_examples=40)
@given(edited_cards())
def test_merging_twice_is_merging_once(old: str) -> None:
    once = merge_card(old, NEW)
    assert merge_card(once, NEW) == once
    assert front(once)["configs"] == front(NEW)["configs"]
    assert head_values(once, "card") == front(once)


@settings(max_examples=40)
@given(edited_cards())
def test_no_line_of_a_person_is_lost(old: str) -> None:
    generated = {line.strip() for line in OLD.split("\n")}
    theirs = [line for line in old.split("\n") if line.strip() and line.strip() not in generated]
    merged = merge_card(old, NEW).split("\n")
    for line in theirs:
        is_mark = re.fullmatch(r"<!-- /?prefmill[:-].* -->", line.strip())
        assert is_mark or merged.count(line) >= theirs.count(line), line
