"""The recipe that curates, with its example pairs: what was planted goes, each for its reason."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support import run_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RECIPE = Path(__file__).parents[2] / "configs" / "curate.yaml"


def test_what_was_planted_goes_and_the_rest_is_chosen_from(tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary, errors = run_recipe(RECIPE, out, "--set", "placement.workers=0")
    assert "Traceback" not in errors
    rejects = {step["step"]: step["rejects"] for step in summary["steps"]}
    assert rejects["load_pairs"] == {}
    assert rejects["filter"] == {"refusal": 1, "repetitive": 1, "too_many_urls": 1}
    assert rejects["dedup"] == {"duplicate": 6}
    assert rejects["decontaminate"] == {"long_match": 1}
    assert rejects["zipfit"] == {"not_selected": 9}
    assert rejects["diversity"] == {"not_selected": 5}
    for step in summary["steps"]:
        assert step["rows_in"] == step["rows_out"] + step["lost"], step
    rows = pq.read_table(out / "dataset" / "dpo").to_pylist()
    prompts = [row["prompt"][-1]["content"] for row in rows]
    assert len(prompts) == len({*prompts}) == summary["rows"]["dpo"] == 16
    assert not any("apple trees" in prompt or "pen" in prompt.split() for prompt in prompts)
    for row in rows:
        assert row["score_chosen"] - row["score_rejected"] == row["margin"] >= 1
    card = (out / "dataset" / "README.md").read_text(encoding="utf-8")
    assert "Data selected with prefmill" in card and "language models wrote" not in card
