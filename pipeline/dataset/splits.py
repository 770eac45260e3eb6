"""Which split a row belongs to: by its prompt alone, so that no prompt is in two.

A prompt is what its turns say, without system turns: the same question under another system prompt
stays in the same split, and so do the rows that `reward_augment` makes of one pair. Its hash
decides, so the answer is the same on any machine, in any order and in every later release.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from schemas.layouts import PROMPT, TEXT, seen_text
from schemas.recipe import Splits

if TYPE_CHECKING:
    import pyarrow as pa

TRAIN = "train"
SPLITS = (TRAIN, "validation", "test")
"""In the order of the Hub."""

_DIGEST_BYTES = 8
_CONVERSATION = "chosen"  # a whole one, in configs without a prompt of its own


def split_names(splits: Splits) -> tuple[str, ...]:
    """The splits that may have rows."""
    held_out = {"validation": splits.validation, "test": splits.test}
    return (TRAIN, *(name for name, share in held_out.items() if share))


def splits_of(rows: pa.Table, splits: Splits) -> list[str]:
    """The split of each row; all are `train` in rows that have no prompt."""
    prompts = None if len(split_names(splits)) == 1 else prompts_of(rows)
    if prompts is None:
        return [TRAIN] * rows.num_rows
    return [split_of(prompt, splits) for prompt in prompts]


def prompts_of(rows: pa.Table) -> list[Sequence[dict[str, Any]]] | None:
    """The conversation that each row's answers are to; None for rows that have none."""
    for name, turns_of in (
        (PROMPT.name, lambda turns: turns),
        (_CONVERSATION, lambda turns: turns[:-1]),
        (TEXT.name, lambda text: [{"role": "user", "content": text}]),
    ):
        if name in rows.column_names:
            return [turns_of(value) for value in rows.column(name).to_pylist()]
    return None


def split_of(prompt: Sequence[dict[str, Any]], splits: Splits) -> str:
    """The split of a conversation's rows."""
    place = _place(prompt)
    if place < splits.test:
        return "test"
    return "validation" if place < splits.test + splits.validation else TRAIN


def _place(prompt: Sequence[dict[str, Any]]) -> float:
    """Evenly spread over 0 <= place < 1."""
    text = split_text(prompt).encode("utf-8", "surrogatepass")
    digest = blake2b(text, digest_size=_DIGEST_BYTES, person=b"prefmill-split").digest()
    return int.from_bytes(digest, "big") / float(1 << 8 * _DIGEST_BYTES)


def split_text(prompt: Sequence[dict[str, Any]]) -> str:
    """What of a prompt decides its split: prompts with the same text are in the same."""
    turns = (turn for turn in prompt if turn["role"] != "system")
    return "".join(f"{turn['role']}\x1f{seen_text(turn['content'])}\x1e" for turn in turns)
