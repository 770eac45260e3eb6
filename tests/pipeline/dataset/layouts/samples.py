"""A small dataset with conversations of every shape, for tests of layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.dataset.card import RunFacts
from pipeline.dataset.read import DatasetFolder, open_dataset
from pipeline.dataset.write import ConfigRows, Release, write_dataset
from schemas.arrow import arrow_schema
from schemas.columns import ROW_ID
from schemas.recipe import Splits
from stages import export_dpo, export_kto, export_ranking, export_sft

Row = dict[str, Any]

PROMPTS: Sequence[Sequence[tuple[str, str]]] = (
    (("user", "Why is the sky blue?"),),
    (("system", "Be brief."), ("user", "Wie heißt das?\nBitte mit „Anführung“ 🌧")),
    (
        ("system", "You add."),
        ("user", "1 + 1"),
        ("assistant", "2"),
        ("user", "and {one} more <image>?"),
    ),
    (("user", "2024-01-01"),),
)
"""One turn; with a system prompt; several turns with one; one that looks like a date."""

_STAGES = {
    "dpo": export_dpo.STAGE,
    "kto": export_kto.STAGE,
    "ranking": export_ranking.STAGE,
    "sft": export_sft.STAGE,
}


def turns(*said: tuple[str, str]) -> list[Row]:
    return [{"role": role, "content": text} for role, text in said]


def answer(text: str) -> list[Row]:
    return turns(("assistant", text))


def pair(number: int, **changes: Any) -> Row:
    """A row of `dpo`; prompts of one user turn, unless changed."""
    row = {
        "row_id": f"{number:032x}",
        "prompt": turns(("user", f"Question {number}?")),
        "chosen": answer(f"Good answer {number}."),
        "rejected": answer(f"Bad answer {number}."),
        "score_chosen": 4.0,
        "score_rejected": 1.5,
        "margin": 2.5,
        "p_chosen": 0.9,
        "labeller": "judge",
        "chosen_model": "m",
        "rejected_model": "m",
        "source": "test",
        "lineage": [],
        "label_smoothing": None,
    }
    return row | changes


def labelled(number: int, **changes: Any) -> Row:
    """A row of `kto`."""
    row = {
        "row_id": f"{number:032x}",
        "prompt": turns(("user", f"Question {number}?")),
        "completion": answer(f"Answer {number}."),
        "label": number % 2 == 0,
        "score": 1.0,
        "labeller": "judge",
        "response_id": "r",
        "model": "m",
        "source": "test",
        "lineage": [],
        "order": number,
    }
    return row | changes


def ranking(number: int, **changes: Any) -> Row:
    """A row of `ranking`."""
    row = {
        "row_id": f"{number:032x}",
        "prompt": turns(("user", f"Question {number}?")),
        "completions": ["best", "middling", "worst"],
        "scores": [3.0, 2.0, 1.0],
        "response_ids": ["a", "b", "c"],
        "models": ["m", "m", "m"],
        "labeller": "judge",
        "source": "test",
        "lineage": [],
    }
    return row | changes


def gold(number: int, **changes: Any) -> Row:
    """A row of `sft`."""
    row = {
        "row_id": f"{number:032x}",
        "prompt": turns(("user", f"Question {number}?")),
        "completion": answer(f"Answer {number}."),
        "source": "test",
        "lineage": [],
    }
    return row | changes


def make_dataset(
    out: Path, configs: Mapping[str, Sequence[Row]], splits: Splits | None = None
) -> DatasetFolder:
    """A dataset folder with these rows."""
    rows = {}
    for name, records in configs.items():
        writes = _STAGES[name].writes
        table = pa.Table.from_pylist(list(records), schema=arrow_schema((ROW_ID, *writes)))
        rows[name] = ConfigRows(writes, lambda table=table: [table])  # type: ignore[misc]
    run = RunFacts(name="test", recipe="name: test", versions={"prefmill": "1"})
    write_dataset(out, rows, run, Release(splits=splits or Splits()))
    return open_dataset(out)


def every_shape(out: Path, *, single_turn: bool = False) -> DatasetFolder:
    """All configs, over `PROMPTS` or those of one user turn, in three splits."""
    prompts = [turns(*said) for said in PROMPTS if not single_turn or len(said) == 1]
    prompts += [turns(("user", f"Question {n}?")) for n in range(36)]
    return make_dataset(
        out,
        {
            "dpo": [pair(n, prompt=prompt) for n, prompt in enumerate(prompts)],
            "kto": [labelled(n, prompt=prompt) for n, prompt in enumerate(prompts)],
            "ranking": [ranking(n, prompt=prompt) for n, prompt in enumerate(prompts)],
            "sft": [gold(n, prompt=prompt) for n, prompt in enumerate(prompts)],
        },
        Splits(validation=0.2, test=0.2),
    )
