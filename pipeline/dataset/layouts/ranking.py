"""Plain rankings: a prompt, its answers best first, and their scores, as listwise losses read."""

from __future__ import annotations

from pipeline.dataset.layouts.record import Layout, Made, Row, View
from pipeline.dataset.layouts.strings import PROMPT_TEXT
from pipeline.dataset.layouts.turns import only_user
from schemas.layouts import COMPLETIONS, PROMPT, RANKING_SCORES


def _ranking(row: Row) -> Row:
    return {name: row[name] for name in ("prompt", "completions", "scores")}


def _string_ranking(row: Row) -> Row:
    return {**_ranking(row), "prompt": only_user(row["prompt"])}


def _how(made: Made) -> str:
    first = next(iter(made.rows))
    return f"""\
from datasets import load_dataset

rows = load_dataset("{made.folder}", split="{first}")  # prompt, completions best first, scores"""


LAYOUT = Layout(
    name="ranking",
    consumer="listwise trainers (PRO, LiPO)",
    files="parquet",
    views=(
        View(
            "rankings",
            ("ranking",),
            "conversational",
            (PROMPT, COMPLETIONS, RANKING_SCORES),
            _ranking,
        ),
        View(
            "rankings",
            ("ranking",),
            "standard",
            (PROMPT_TEXT, COMPLETIONS, RANKING_SCORES),
            _string_ranking,
        ),
    ),
    how=_how,
)
