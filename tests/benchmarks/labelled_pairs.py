"""Pairs that people have labelled, in the form that stages take them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.audit.turns import split_transcript
from pipeline.inputs.readers import read_file
from schemas.batch import Row
from schemas.layouts import same_text
from schemas.models import ChatFormat
from schemas.stage import Stage, StageConfig
from stages._transcripts import ASSISTANT, HUMAN
from tests.preference_rows import batch_for
from tests.support import FakeContext

SEED, LONGEST = 11, 2000


@dataclass(frozen=True)
class Labelled:
    """A pair as people labelled it; answer `a` is shown first."""

    row: Row
    a_is_chosen: bool

    @property
    def texts(self) -> tuple[str, str]:
        first, second = self.row["responses"]
        return first["text"], second["text"]


def sample(file: Path, count: int) -> list[Labelled]:
    """Pairs that are not too long for the model, shuffled."""
    dice = random.Random(SEED)
    found = [pair for record in read_file(file) if (pair := _pair(record.fields, dice))]
    dice.shuffle(found)
    return found[:count]


def _pair(fields: dict[str, Any], dice: random.Random) -> Labelled | None:
    chosen, rejected = split_transcript(fields["chosen"]), split_transcript(fields["rejected"])
    if not chosen or not rejected or chosen[0] != rejected[0]:
        return None
    texts = [chosen[1], rejected[1]]
    whole = len(chosen[0]) + sum(map(len, texts))
    if not all(texts) or same_text(*texts) or whole > LONGEST:
        return None
    a_is_chosen = dice.random() < 0.5
    row = {
        "row_id": f"{dice.getrandbits(64):016x}",
        "messages": _turns(chosen[0]),
        "responses": [
            {"response_id": name, "text": text, "model": "given"}
            for name, text in zip("ab", texts if a_is_chosen else texts[::-1], strict=True)
        ],
    }
    return Labelled(row, a_is_chosen)


def _turns(transcript: str) -> list[dict[str, str]]:
    turns = []
    for exchange in transcript.split(HUMAN)[1:]:
        asked, *answered = exchange.split(ASSISTANT)
        turns.append({"role": "user", "content": asked.strip()})
        turns += [{"role": "assistant", "content": text.strip()} for text in answered]
    return turns


def run_stage(
    stage: Stage[Any],
    config: dict[str, Any],
    pairs: Sequence[Labelled],
    model: Any,
    chat: ChatFormat,
) -> list[Row]:
    """Label the pairs; rows that come without a label are left out."""
    settings: StageConfig = stage.config(**{"model": "policy"} | config)
    context = FakeContext({"policy": model}, stage=stage.name, chat=chat)
    done = stage.run(batch_for(stage, [pair.row for pair in pairs]), settings, context)
    return done.rows
