"""The columns that trainers read, and what no trainer notices to be wrong.

Layout `trl`: conversational rows with an explicit prompt, as TRL's DPO and KTO trainers take them
(TRL 1.16, `docs/source/dataset_formats.md`). Columns beyond those a trainer knows are ignored by
it; none here has a name that TRL reserves (`ref_chosen_logps`, `ref_rejected_logps`, `tools`,
`images`, `chat_template_kwargs`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from schemas.columns import MESSAGE, Column
from schemas.errors import ExportRefused
from schemas.types import BOOL, FLOAT, INT, STRING, ListOf

PROMPT = Column("prompt", ListOf(MESSAGE), "the conversation so far, ending on a user turn")
CHOSEN_TURN = Column("chosen", ListOf(MESSAGE), "the preferred answer: one assistant turn")
REJECTED_TURN = Column("rejected", ListOf(MESSAGE), "the other answer: one assistant turn")

COMPLETION = Column("completion", ListOf(MESSAGE), "an answer: one assistant turn")
TEXT = Column("text", STRING, "a text without a prompt")
LABEL = Column("label", BOOL, "true if the answer is desirable")
RESPONSE_ID = Column("response_id", STRING, "identity of the answer")
MODEL = Column("model", STRING, "the model that wrote the answer")
SCORE = Column(
    "score", FLOAT, "score of the answer by the labeller; null if it came without", nullable=True
)

COMPLETIONS = Column("completions", ListOf(STRING), "answers, best first")
RANKING_SCORES = Column("scores", ListOf(FLOAT), "their scores, in the same order")
RESPONSE_IDS = Column("response_ids", ListOf(STRING), "their identities, in the same order")
MODELS = Column("models", ListOf(STRING), "the models that wrote them, in the same order")

SELF_COMPLETIONS = Column(
    "self_samples",
    ListOf(ListOf(MESSAGE)),
    "the model's own answers to set against `rejected`: one assistant turn each",
)

CHOSEN_CONVERSATION = Column(
    "chosen", ListOf(MESSAGE), "the prompt and the preferred answer, a whole conversation"
)
REJECTED_CONVERSATION = Column(
    "rejected", ListOf(MESSAGE), "the prompt and the other answer, a whole conversation"
)
CHOSEN_PROBS = Column("chosen_probs", FLOAT, "P(chosen beats rejected)")
CHOSEN_PROBS_WIN = Column("chosen_probs_win", FLOAT, "mean P(chosen beats an answer of its prompt)")
CHOSEN_PROBS_LOSE = Column(
    "chosen_probs_lose", FLOAT, "mean P(rejected beats an answer of its prompt)"
)

# No trainer reads these, but `dedup` does: what a release keeps to be known by.
SIGNATURES = "signatures"
"""The dataset config with these columns."""
FINGERPRINT = Column("fingerprint", ListOf(INT), "XXH64 of the normalised text under two seeds")
SIGNATURE = Column("signature", ListOf(INT), "the MinHash signature of the text's n-grams")
SHINGLES = Column("shingles", ListOf(INT), "hashes of the text's n-grams, as unsigned ascending")
SCHEME = Column("scheme", STRING, "how fingerprint, signature and shingles were made, as JSON")

ORDER = Column("order", INT, "rows are sorted by it when the dataset is written; then it is gone")
ORDER_BITS = 62
"""`order` is spread evenly over 0 <= order < 2**62."""


def prompt_fault(messages: Sequence[dict[str, Any]]) -> str | None:
    """Why a trainer could not learn an answer to this conversation; None if it could."""
    if not messages:
        return "the prompt has no messages"
    last = messages[-1]
    if last["role"] != "user":
        return f"the prompt ends on a turn of `{last['role']}`, not of `user`"
    if is_blank(last["content"]):
        return "the prompt's last turn is empty"
    return None


def answer_fault(name: str, text: str | None) -> str | None:
    """Why a trainer would learn nothing from this answer; None if there is something to learn."""
    if text is None:
        return f"`{name}` is null"
    return f"`{name}` is empty" if is_blank(text) else None


def refuse(row_id: str, fault: str) -> ExportRefused:
    """The error for a row from which nothing can be learnt."""
    return ExportRefused(
        f"row {row_id}: {fault}. A trainer would take it and learn nothing; no dataset is "
        "written. Reject such rows in a stage before the export."
    )


def is_blank(text: str) -> bool:
    """True for a text with nothing but white space."""
    return not text.strip()


def same_text(first: str, second: str) -> bool:
    """True if nobody could see a difference between two answers: no preference to learn."""
    return seen_text(first) == seen_text(second)


def seen_text(text: str) -> str:
    """A text without what cannot be seen of it: how line ends and accents are coded (Unicode NFC
    makes them one), white space around it and at the ends of lines.
    """
    lines = unicodedata.normalize("NFC", text.strip()).splitlines()
    return "\n".join(line.rstrip() for line in lines)
