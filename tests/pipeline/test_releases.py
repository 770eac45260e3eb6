"""A release that keeps its signatures, and the next one that knows it by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.runtime.status import read_rejects, read_status

RECIPE = """
name: release
seed: 1
stages:
  - {{stage: load_answers, path: {path}}}
  - {{stage: dedup, text: [answer], ngram: 2, threshold: 0.6, {more}}}
export:
  - {{config: sft}}
  - {{config: signatures, text: [answer], ngram: 2}}
placement: {{workers: 0, part_rows: 2}}
"""

FIRST = ("The tide comes in twice a day.", "Bees dance to tell the way.", "Salt melts ice.")
SECOND = ("Bees dance to tell the way!", "Rain falls on the hills.", "salt melts ICE.")


def released(folder: Path, name: str, answers: tuple[str, ...], more: str = "seed: 1") -> int:
    rows = ({"prompt": "Tell me something.", "completion": answer} for answer in answers)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = folder / f"{name}.yaml"
    recipe.write_text(RECIPE.format(path=f"{name}.jsonl", more=more))
    return main(["run", str(recipe), "--out", str(folder / name), "--quiet"])


def rejected(out: Path) -> list[dict[str, Any]]:
    return list(read_rejects(read_status(out).steps))


def test_what_an_earlier_release_has_is_dropped_and_named(tmp_path: Path) -> None:
    assert released(tmp_path, "v1", FIRST) == 0
    assert rejected(tmp_path / "v1") == []
    more = "index: [v1/dataset/signatures]"
    assert released(tmp_path, "v2", SECOND, more) == 0
    gone = rejected(tmp_path / "v2")
    assert {(row["code"], row["raw"]) for row in gone} == {
        ("in_index", "Bees dance to tell the way!"),
        ("in_index", "salt melts ICE."),
    }
    assert all("of the index" in row["message"] for row in gone)


def test_an_index_made_with_another_seed_is_refused_and_both_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert released(tmp_path, "v1", FIRST) == 0
    assert released(tmp_path, "v2", SECOND, "seed: 2, index: [v1/dataset/signatures]") == 2
    said = capsys.readouterr().err
    assert "v1/dataset/signatures" in said
    assert "seed" in said and "1" in said and "2" in said
    assert not (tmp_path / "v2" / "dataset").exists()
