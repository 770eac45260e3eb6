from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import make_batch
from schemas.columns import ANSWER, CHOSEN, MESSAGES, REJECTED, ROW_ID
from stages._texts import text_columns, texts_of

turn = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(("system", "user", "assistant")),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
rows = st.lists(
    st.builds(
        lambda turns, chosen: {"messages": turns, "chosen": chosen, "rejected": "", "answer": "é"},
        st.lists(turn, min_size=1, max_size=4),
        st.sampled_from(("", "x\ny", "ü")),
    ),
    max_size=5,
)


def table(listed: list[dict[str, Any]]) -> pa.Table:
    numbered = [{"row_id": str(n), **row} for n, row in enumerate(listed)]
    return make_batch((ROW_ID, MESSAGES, CHOSEN, REJECTED, ANSWER), numbered).table


@given(rows, st.integers(0, 3))
def test_the_texts_of_a_row_are_what_its_columns_say(listed: list[dict[str, Any]], at: int) -> None:
    def wanted(row: dict[str, Any]) -> list[str]:
        turns = row["messages"]
        system = "\n".join(t["content"] for t in turns if t["role"] == "system")
        whole = "\n".join(t["content"] for t in turns)
        return [turns[-1]["content"], whole, system, row["chosen"], row["rejected"], row["answer"]]

    names = ("prompt", "conversation", "system", "chosen", "rejected", "answer")
    # Cut and put together again: slices and chunks must not shift anything.
    whole = pa.concat_tables([table(listed).slice(0, at), table(listed).slice(at)])
    for part in (whole, whole.slice(1)):
        expected = [wanted(row) for row in part.to_pylist()]
        for place, name in enumerate(names):
            assert texts_of(part, (name,)).to_pylist() == [texts[place] for texts in expected]
        both = texts_of(part, ("prompt", "chosen")).to_pylist()
        assert both == [f"{texts[0]}\n{texts[3]}" for texts in expected]


def test_each_column_is_read_once() -> None:
    assert text_columns(("prompt", "conversation", "chosen")) == (MESSAGES, CHOSEN)


def test_a_type_is_always_the_same() -> None:
    for listed in ([], [{"messages": [], "chosen": "", "rejected": "", "answer": ""}]):
        for names in (("answer",), ("conversation",), ("system", "answer")):
            found = texts_of(table(listed), names)
            assert isinstance(found, pa.LargeStringArray)
            assert found.null_count == 0


def test_a_prompt_without_turns_is_said() -> None:
    empty = table([{"messages": [], "chosen": "", "rejected": "", "answer": ""}])
    with pytest.raises(ValueError, match="row 0 has a prompt without turns"):
        texts_of(empty, ("prompt",))
