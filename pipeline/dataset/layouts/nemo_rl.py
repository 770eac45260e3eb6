"""NeMo-RL (`docs/guides/dpo.md`): ranked completions, rank 0 the best, exactly two; or strings."""

from __future__ import annotations

from pipeline.dataset.layouts.record import Layout, Made, Row, View
from pipeline.dataset.layouts.strings import CHOSEN_TEXT, PROMPT_TEXT, REJECTED_TEXT
from pipeline.dataset.layouts.turns import answer_of, only_user
from schemas.columns import MESSAGE, Column
from schemas.types import INT, Field, ListOf, Struct

_CONTEXT = Column("context", ListOf(MESSAGE), "the conversation so far")
_COMPLETIONS = Column(
    "completions",
    ListOf(
        Struct(
            (
                Field("rank", INT, "0 is the preferred one"),
                Field("completion", ListOf(MESSAGE), "one assistant turn"),
            )
        )
    ),
    "the two answers",
)


def _pair(row: Row) -> Row:
    sides = enumerate(("chosen", "rejected"))
    completions = [{"rank": rank, "completion": row[side]} for rank, side in sides]
    return {"context": row["prompt"], "completions": completions}


def _string_pair(row: Row) -> Row:
    sides = {side: answer_of(row, side) for side in ("chosen", "rejected")}
    return {"prompt": only_user(row["prompt"]), **sides}


def _how(made: Made) -> str:
    is_ranked = made.view.form == "conversational"
    first, *others = made.rows
    held_out = f"\n  validation:\n    data_path: {made.lines_file(others[0])}" if others else ""
    return f"""\
# in the YAML config of `uv run examples/run_dpo.py`, or run_rm.py
data:
  train:
    data_path: {made.lines_file(first)}{held_out}
  default:
    dataset_name: {"PreferenceDataset" if is_ranked else "BinaryPreferenceDataset"}"""


LAYOUT = Layout(
    name="nemo_rl",
    consumer="NeMo-RL",
    files="jsonl",
    views=(
        View("pairs", ("dpo", "reward"), "conversational", (_CONTEXT, _COMPLETIONS), _pair),
        View(
            "pairs",
            ("dpo", "reward"),
            "standard",
            (PROMPT_TEXT, CHOSEN_TEXT, REJECTED_TEXT),
            _string_pair,
        ),
    ),
    how=_how,
)
