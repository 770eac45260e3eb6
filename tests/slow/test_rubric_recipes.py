"""The recipes that grade answers by a rubric, run small with the real model."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support import QUICKSTART, run_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("name", ["helpsteer", "ultrafeedback"])
def test_rubrics_make_pairs(tmp_path: Path, name: str) -> None:
    recipe = QUICKSTART.parent / f"{name}.yaml"
    summary, _ = run_recipe(
        recipe, tmp_path / "out", "--limit", "3", "--set", "placement.workers=0"
    )
    steps = {step["step"]: step for step in summary["steps"]}
    assert steps["judge"]["rows_out"] > 0
    for pair in pq.read_table(tmp_path / "out" / "dataset" / "dpo").to_pylist():
        assert pair["score_chosen"] > pair["score_rejected"]
