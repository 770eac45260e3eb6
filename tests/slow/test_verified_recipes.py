"""The recipes whose labels come from programs, small, with the bundled model."""

from pathlib import Path

import pytest

from tests.support import run_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = ("--limit", "8", "--set", "placement.workers=0", "--set", "stages.respond.max_tokens=96")


@pytest.mark.parametrize("name", ["answers", "constraints"])
def test_answers_are_scored_and_every_row_is_accounted_for(name: str, tmp_path: Path) -> None:
    summary, errors = run_recipe(CONFIGS / f"{name}.yaml", tmp_path / "out", *SMALL)
    steps = {step["step"]: step for step in summary["steps"]}
    assert steps["verify"]["rows_in"] == 8
    assert steps["verify"]["rows_out"] >= 6
    assert summary["rows"]["dpo"] >= 1
    for step in summary["steps"]:
        assert step["rows_in"] == step["rows_out"] + step["lost"], step
    assert "Traceback" not in errors
