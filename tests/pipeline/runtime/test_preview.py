"""Rows followed through a recipe, by lineage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.preview import Preview, preview_json, preview_rows
from pipeline.runtime.progress import Progress

SCRIPTED = Path(__file__).parents[3] / "configs" / "scripted.yaml"
PAIRS = [
    {"prompt": "Why?", "chosen": "Because it is so.", "rejected": "No."},
    {"prompt": "How?", "chosen": "In this way, slowly.", "rejected": "So."},
    {"prompt": "How?", "chosen": "In this way, slowly.", "rejected": "Nohow."},
    {"prompt": "Who?", "chosen": "", "rejected": "Me."},
]
CURATING = """
name: curating
stages:
  - {stage: load_pairs, path: pairs.jsonl, on_bad_record: reject}
  - {stage: dedup, text: [prompt, chosen], method: exact}
export: [{config: dpo}, {config: kto}]
"""


def preview(recipe: Path, folder: Path, *settings: str, rows: int = 4) -> Preview:
    plan = compile_recipe(read_recipe(recipe, settings, rows))
    return preview_rows(plan, folder / "work", Progress(quiet=True))


@pytest.fixture
def curating(tmp_path: Path) -> Path:
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)))
    path = tmp_path / "recipe.yaml"
    path.write_text(CURATING)
    return path


def stops(found: Preview, number: int) -> list[tuple[str, int, list[str]]]:
    """Of a source row: step, rows left, reasons."""
    journey = found.journeys[number]
    return [(s.step, len(s.rows), [r["code"] for r in s.rejects]) for s in journey.stops]


def test_each_source_row_has_its_own_way(tmp_path: Path) -> None:
    found = preview(SCRIPTED, tmp_path, rows=3)
    assert len(found.journeys) == 3 and found.error is None and found.waiting == ()
    for number in range(3):
        assert stops(found, number) == [
            ("magpie", 1, []),
            ("respond", 1, []),
            ("filter_rules", 1, []),
            ("judge", 1, []),
            ("pair", 1, []),
            ("export_dpo", 1, []),
            ("export_kto", 2, []),
        ]
    made = found.journeys[0].stops[4].rows[0]
    assert {"chosen", "rejected", "margin"} <= made.added.keys()
    assert "responses" in made.dropped and "messages" not in made.added
    exported = found.journeys[0].stops[5]
    assert exported.is_export and exported.rows[0].added["prompt"]


def test_a_row_ends_where_it_was_turned_away(curating: Path, tmp_path: Path) -> None:
    found = preview(curating, tmp_path)
    by_end = {journey.lost_at: n for n, journey in enumerate(found.journeys)}
    assert set(by_end) == {None, "dedup", "load_pairs"}
    assert [step for step, *_ in stops(found, by_end["dedup"])] == ["load_pairs", "dedup"]
    (reject,) = found.journeys[by_end["dedup"]].stops[1].rejects
    assert reject["code"] == "duplicate"
    assert [(each.step, each.rows_in, each.rows_out) for each in found.steps] == [
        ("load_pairs", 4, 3),
        ("dedup", 3, 2),
        ("export_dpo", 2, 2),
        ("export_kto", 2, 4),
    ]
    assert json.loads(json.dumps(preview_json(found)))["journeys"][0]["row_id"]


def test_exports_are_shown_in_the_layouts_that_are_asked_for(tmp_path: Path) -> None:
    views = "export=[{config: dpo, layout: openrlhf}, {config: dpo, layout: axolotl}]"
    found = preview(SCRIPTED, tmp_path, views, rows=1)
    steps = [stop.step for stop in found.journeys[0].stops]
    assert steps[-3:] == ["export_dpo", "openrlhf: dpo", "axolotl: dpo"]
    row = found.journeys[0].stops[-2].rows[0].added
    assert row["chosen"] == found.journeys[0].stops[-3].rows[0].changed["chosen"][1]


def test_only_as_many_records_are_read(curating: Path, tmp_path: Path) -> None:
    with (tmp_path / "pairs.jsonl").open("a") as file:
        file.write("\nthis is no JSON")
    assert len(preview(curating, tmp_path, rows=2).journeys) == 2


def test_a_step_that_fails_shows_what_came_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("rules: []\nfaults: [{effect: die, match: Scripted answer}]\n")
    judge = f"models.judge={{engine: scripted, model: {script}}}"
    settings = ["--set", judge, "--set", "stages.judge.model=judge"]
    code = main(["preview", str(SCRIPTED), "-n", "2", *settings])
    captured = capsys.readouterr()
    assert code != 0 and "killed their worker twice" in captured.err
    assert "came to filter_rules" in captured.out
    assert "not reached: judge, pair, export_dpo, export_kto\n" in captured.out
    assert "filter_rules   2    2  -" in captured.out


def test_losses_and_gates_do_not_stop_a_preview(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("rules: [{match: '', labels: {A: 0.0, B: 0.0}}]\n")
    found = preview(SCRIPTED, tmp_path, f"models.policy.model={script}", "gates.min_rows=99")
    assert {journey.lost_at for journey in found.journeys} == {"judge"}


def test_devices_of_the_recipe_play_no_part(tmp_path: Path) -> None:
    placed = ("placement.workers=2", "placement.models={policy: {devices: [0, 1]}}")
    assert preview(SCRIPTED, tmp_path, *placed, rows=1).error is None


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["preview", str(SCRIPTED), *options]) == 0
    return capsys.readouterr().out


def test_texts_are_folded_to_the_terminal_unless_all_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    brief = shown(capsys, "-n", "2")
    assert max(map(len, brief.splitlines())) <= 70
    assert "… 8 more" in brief and "\x1b" not in brief
    full = shown(capsys, "-n", "2", "--full")
    assert "more" not in full and len(full) > len(brief)
    assert "A>B" in brief and "P(A) " in brief


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(shown(capsys, "-n", "1", "--json"))
    assert found.keys() == {"name", "journeys", "steps", "error", "not_reached"}
    last = found["journeys"][0]["steps"][-1]
    assert last["step"] == "export_kto" and last["rows"][0]["added"]["completion"]
