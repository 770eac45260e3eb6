"""The README says what is so: its table, its recipe, its commands, its example of a stage."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.cli.main import main
from pipeline.cli.stages import stage_table
from pipeline.cli.verbs import build_parser
from pipeline.dataset.layouts.table import LAYOUTS
from pipeline.recipe.catalog import load_catalog
from pipeline.runtime.contract import project, settle
from schemas.batch import make_batch
from schemas.columns import LINEAGE, MESSAGES, ROW_ID
from schemas.errors import GateFailed, InputError, TooManyLosses
from tests.support import FakeContext

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def between(start: str, end: str) -> str:
    return README.split(start, 1)[1].split(end, 1)[0].strip()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_table_of_stages_is_the_stages_own() -> None:
    shown = between("<!-- stages -->", "<!-- /stages -->")
    assert shown == stage_table(load_catalog()).strip()


def test_the_recipe_explained_is_quickstart() -> None:
    lines = (ROOT / "configs" / "quickstart.yaml").read_text().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("name:"))
    assert "".join(lines[start:]) in blocks("yaml")


def test_every_make_target_and_file_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`?make ([a-z]+)", README)) <= set(targets)
    named = re.findall(r"`((?:configs|tests|schemas|\.ci)/[\w./-]+\w)`", README)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


COMMANDS = re.findall(r"^\| `prefmill ([^`]+)`", README, re.MULTILINE)


def test_every_verb_is_in_the_table() -> None:
    verbs = {command.split()[0] for command in COMMANDS}
    assert verbs == {
        "init",
        "check",
        "plan",
        "preview",
        "run",
        "status",
        "audit",
        "export",
        "push",
        "report",
        "diff",
        "view",
        "refresh",
        "stages",
        "schema",
    }


def test_every_layout_is_in_the_table() -> None:
    shown = between("| `--layout` |", "Rows are messages;")
    rows = [line.split(" | ") for line in shown.splitlines() if line.startswith("| `")]
    assert [row[0].strip("| `") for row in rows] == list(LAYOUTS)
    of_kind = {"pairs": "dpo", "labelled answers": "kto", "rankings": "ranking", "answers": "sft"}
    for name, row in zip(LAYOUTS, rows, strict=True):
        for kind, config in of_kind.items():
            assert (f"`{config}`" in row[2]) == (kind in LAYOUTS[name].kinds)


_ELSEWHERE = ("view", "refresh")
"""Tried in tests of their own: what does not end, and what needs another recipe."""


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith(_ELSEWHERE)])
def test_every_command_runs(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    out = str(tmp_path / "out")
    recipe = str(ROOT / "configs/scripted.yaml")
    if command.startswith(("check DIR", "status", "audit", "export", "push", "report", "diff")):
        assert main(["run", recipe, "--out", out, "--set", "card.license=cc0-1.0"]) == 0
    places = {"RECIPE": recipe, "[NAME]": "magpie", "PLACE": str(tmp_path / "published")}
    places |= dict.fromkeys(("DIR", "OLD", "NEW"), out)
    assert main([places.get(word, word) for word in command.split()]) == 0, capsys.readouterr().err


def refreshes() -> Iterator[list[str]]:
    """The arguments of each `prefmill refresh` in a block, also where YAML has them as a list."""
    for command in re.findall(r"prefmill, (refresh, [^]]*)", README):
        yield [word.strip() for word in command.split(",")]
    for command in re.findall(r"^.*prefmill (refresh [^>|#\n]*)", "".join(BLOCKS), re.MULTILINE):
        yield command.split()


BLOCKS = re.findall(r"^```(?:sh|crontab|ini|yaml)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_every_scheduler_is_given_a_command_that_can_be_typed() -> None:
    commands = list(refreshes())
    assert len(commands) == 7
    for words in commands:
        assert build_parser().parse_args(words).verb == "refresh"


def test_schedulers_know_the_exit_codes_that_another_try_does_not_mend() -> None:
    (job,) = (yaml.safe_load(block) for block in blocks("yaml") if "CronJob" in block)
    policy = job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]
    (rule,) = policy["rules"]
    (unit,) = re.findall(r"^RestartPreventExitStatus=(.*)$", README, re.MULTILINE)
    final = sorted({one.exit_code for one in (InputError, GateFailed, TooManyLosses)})
    assert rule["onExitCodes"]["values"] == [int(code) for code in unit.split()] == final


def test_the_example_of_a_stage_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = (block for block in blocks("python") if "STAGE = Stage(" in block)
    (tmp_path / "only_questions.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_questions  # type: ignore[import-not-found]

    stage = only_questions.STAGE
    rows = [
        {"row_id": str(i), "lineage": [], "messages": [{"role": "user", "content": text}]}
        for i, text in enumerate(("Why?", "Because."))
    ]
    incoming = make_batch([ROW_ID, LINEAGE, MESSAGES], rows)
    asked = type(incoming)(project(incoming.table, stage))
    result = stage.run(asked, stage.config(), FakeContext())
    assert settle(incoming.table, result, stage).column("row_id").to_pylist() == ["0"]
    assert [(reject.row_id, reject.code) for reject in result.rejects] == [("1", "no_question")]


def test_the_models_block_is_a_valid_part_of_a_recipe(tmp_path: Path) -> None:
    (models,) = (block for block in blocks("yaml") if block.startswith("models:"))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        models + "name: t\nstages:\n  - {stage: magpie, model: remote, rows: 1}\n"
        "  - {stage: respond, model: policy}\n  - {stage: judge, model: judge}\n"
        "  - {stage: pair}\nexport: [{config: dpo}]\n"
    )
    command = [sys.executable, "-m", "pipeline.cli.main", "check", str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
