from __future__ import annotations

import json
from pathlib import Path

from pipeline.cli.main import main
from pipeline.dataset.read import open_dataset

RECIPE = """
name: t
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 6}
  - {stage: respond, model: policy, n: 3}
  - {stage: judge, model: policy}
  - {stage: pair}
export: [{config: dpo}, {config: kto}, {config: lineage}]
placement: {workers: 0}
"""
ANSWERS = """
name: t
stages:
  - {stage: load_answers, path: answers.jsonl}
export: [{config: sft}, {config: lineage}]
placement: {workers: 0}
"""


def rows_of(recipe: str, folder: Path) -> dict[str, list[dict[str, object]]]:
    (folder / "t.yaml").write_text(recipe)
    assert main(["run", str(folder / "t.yaml"), "--out", str(folder / "out"), "--quiet"]) == 0
    assert main(["check", str(folder / "out")]) == 0
    dataset = open_dataset(folder / "out")
    return {
        config: [row for table in dataset.tables(config) for row in table.to_pylist()]
        for config in dataset.configs
    }


def test_every_row_of_dpo_and_kto_can_be_joined(tmp_path: Path) -> None:
    configs = rows_of(RECIPE, tmp_path)
    known = {row["row_id"]: row for row in configs["lineage"]}
    assert len(known) == len(configs["dpo"]) == 6
    for pair in configs["dpo"]:
        found = known[pair["row_id"]]
        for name in ("source", "lineage", "labeller", "chosen_model", "margin", "p_chosen"):
            assert found[name] == pair[name]
        assert found["chosen_id"] != found["rejected_id"]
        assert found["goals"] == [] and found["label_smoothing"] is None
    for row in configs["kto"]:
        lineage = row["lineage"]
        assert isinstance(lineage, list)
        parent = known[lineage[-1]["row_id"]]
        assert row["response_id"] == parent["chosen_id" if row["label"] else "rejected_id"]


def test_of_rows_that_are_no_pairs_less_is_known(tmp_path: Path) -> None:
    lines = (json.dumps({"prompt": "Say.", "completion": text}) for text in ("a b c", "d e f"))
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    for row in rows_of(ANSWERS, tmp_path)["lineage"]:
        assert row["source"] and row["labeller"] is None and row["score_chosen"] is None
