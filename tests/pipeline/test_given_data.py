"""Data that users already have, through whole runs: loaded, embedded, exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.cli.main import main
from schemas.batch import Row

Json = dict[str, Any]
RECIPE = """
name: given
models:
  encoder: {{kind: embedding, engine: scripted, model: echo}}
stages:
  - {load}
  - {{stage: embed, model: encoder, text: [{text}]}}
export: [{export}]
placement: {{workers: 0}}
"""
TURN = [{"role": "user", "content": "Why?"}]


def exported(folder: Path, records: list[Json], load: str, text: str, export: str) -> list[Row]:
    """The rows of the one dataset config of a run over the records."""
    (folder / "data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(load=load, text=text, export=export))
    assert main(["run", str(recipe), "--out", str(folder / "out"), "--quiet"]) == 0
    (config,) = (path for path in (folder / "out" / "dataset").iterdir() if path.is_dir())
    rows: list[Row] = pq.read_table(config).to_pylist()
    return rows


def test_pairs_without_scores_become_dpo_and_kto_rows(tmp_path: Path) -> None:
    records = [{"prompt": "Why?", "chosen": f"Good {i}.", "rejected": f"Bad {i}."} for i in "abc"]
    load = "{stage: load_pairs, path: data.jsonl}"
    for config in ("dpo", "kto"):
        folder = tmp_path / config
        folder.mkdir()
        rows = exported(folder, records, load, "chosen, rejected", f"{{config: {config}}}")
        assert all(row["prompt"] == TURN and row["labeller"] == "load_pairs" for row in rows)
        if config == "dpo":
            assert [row["margin"] for row in rows] == [None] * 3
        else:
            assert sorted(row["label"] for row in rows) == [False] * 3 + [True] * 3
            assert {row["score"] for row in rows} == {None}


def test_labelled_answers_become_kto_rows(tmp_path: Path) -> None:
    records = [{"prompt": "Why?", "completion": f"Answer {i}.", "label": bool(i)} for i in range(2)]
    load = "{stage: load_answers, path: data.jsonl, desirable: label}"
    rows = exported(tmp_path, records, load, "answer", "{config: unpaired}")
    found = {row["completion"][0]["content"]: row["label"] for row in rows}
    assert found == {"Answer 0.": False, "Answer 1.": True}


@pytest.mark.parametrize(
    ("record", "load", "export", "wanted"),
    [
        (
            {"messages": [*TURN, {"role": "assistant", "content": "Because."}]},
            "{stage: load_answers, path: data.jsonl}",
            "{config: sft}",
            {"prompt": TURN, "completion": [{"role": "assistant", "content": "Because."}]},
        ),
        (
            {"text": "Once upon a time."},
            "{stage: load_answers, path: data.jsonl, text: text}",
            "{config: sft, plain: true}",
            {"text": "Once upon a time."},
        ),
    ],
)
def test_answers_and_plain_texts_to_fine_tune_on(
    tmp_path: Path, record: Json, load: str, export: str, wanted: Json
) -> None:
    (row,) = exported(tmp_path, [record], load, "answer", export)
    assert {name: row[name] for name in wanted} == wanted


def test_a_text_that_is_not_there_is_found_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    load = "{stage: load_answers, path: data.jsonl, text: text}"
    recipe.write_text(RECIPE.format(load=load, text="prompt", export="{config: sft}"))
    assert main(["check", str(recipe)]) == 2
    told = capsys.readouterr()
    assert "messages" in told.out + told.err
