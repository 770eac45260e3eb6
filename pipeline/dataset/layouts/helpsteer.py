"""HelpSteer3's preferences: two responses, and which is better by how much, from -3 to 3.

Below 0 `response1` is better. Which of our answers stands first is decided by the row's id, as by a
coin flip. The strength comes from `p_chosen`, in three equal steps from 1/2 to 1; a pair without it
has no strength and is refused, since a made-up one could not be told from a measured one.
"""

from __future__ import annotations

from hashlib import blake2b

from pipeline.dataset.layouts.record import CannotHold, Layout, Made, Row, View
from pipeline.dataset.layouts.turns import answer_of, only_user
from schemas.columns import MESSAGE, P_CHOSEN, Column
from schemas.types import INT, STRING, ListOf

_CONTEXT = Column("context", ListOf(MESSAGE), "the conversation so far")
_CONTEXT_TEXT = Column("context", STRING, "the user's turn")
_REST = (
    Column("response1", STRING, "an answer"),
    Column("response2", STRING, "another"),
    Column("overall_preference", INT, "from -3, `response1` is much better, to 3; never 0"),
)
_STRONGEST = 3


def _rest(row: Row) -> Row:
    chosen, rejected = (answer_of(row, side) for side in ("chosen", "rejected"))
    strength = strength_of(row["p_chosen"])
    if blake2b(row["row_id"].encode(), digest_size=1, person=b"helpsteer").digest()[0] % 2:
        return {"response1": chosen, "response2": rejected, "overall_preference": -strength}
    return {"response1": rejected, "response2": chosen, "overall_preference": strength}


def strength_of(p_chosen: float | None) -> int:
    """1 (slightly better), 2 or 3 (much better) for a probability from 1/2 up, or CannotHold."""
    if p_chosen is None:
        raise CannotHold(
            "there is no `p_chosen`, from which the strength of the preference is made: label with "
            "`judge` in mode pairwise"
        )
    if not 0.5 <= p_chosen <= 1:
        raise CannotHold(
            f"`p_chosen` is {p_chosen:.3g}, which does not say that `chosen` is better"
        )
    return min(_STRONGEST, 1 + int((p_chosen - 0.5) * 2 * _STRONGEST))


def _pair(row: Row) -> Row:
    return {"context": row["prompt"], **_rest(row)}


def _string_pair(row: Row) -> Row:
    return {"context": only_user(row["prompt"]), **_rest(row)}


def _how(made: Made) -> str:
    first = next(iter(made.rows))
    return f"""\
from datasets import load_dataset

rows = load_dataset("{made.folder}", split="{first}")  # columns of nvidia/HelpSteer3, preference"""


LAYOUT = Layout(
    name="helpsteer",
    consumer="whatever reads HelpSteer3's preferences",
    files="jsonl",
    views=(
        View(
            "pairs",
            ("dpo", "reward"),
            "conversational",
            (_CONTEXT, *_REST),
            _pair,
            reads=(P_CHOSEN,),
        ),
        View(
            "pairs",
            ("dpo", "reward"),
            "standard",
            (_CONTEXT_TEXT, *_REST),
            _string_pair,
            reads=(P_CHOSEN,),
        ),
    ),
    how=_how,
)
