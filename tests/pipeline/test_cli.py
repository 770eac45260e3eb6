"""The command line from outside: what is printed where, and the exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import check, init
from pipeline.cli.main import main
from pipeline.cli.verbs import build_parser
from pipeline.recipe import compile as compiler
from pipeline.recipe.catalog import load_catalog
from tests.pipeline.fakes import CATALOG, GOOD, write

ROOT = Path(__file__).parents[2]
VERBS = ("init", "check", "plan", "preview", "run", "status", "stages", "schema")


@pytest.fixture(autouse=True)
def made_up_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "load_catalog", lambda: CATALOG)


def code_of(*arguments: str) -> int:
    """The exit code, whether returned or raised by argparse."""
    try:
        return main(arguments)
    except SystemExit as stop:
        assert isinstance(stop.code, int)
        return stop.code


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `check` says about a recipe that it must refuse with exit code 2."""
    assert main(["check", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("--help") == 0
    out = capsys.readouterr().out
    assert all(f"\n    {verb} " in out for verb in VERBS)
    assert "exit codes" in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(verb, "--help") == 0
    assert f"examples:\n  prefmill {verb}" in capsys.readouterr().out


def test_no_verb_shows_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of() == 2
    assert "start here" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("chekc", "x.yaml"),
        ("check",),
        ("run", "x.yaml", "--limit", "0"),
        ("run", "x.yaml", "--resume", "maybe"),
        ("preview", "x.yaml", "-n", "two"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(*arguments) == 2
    assert "usage: prefmill" in capsys.readouterr().err


def test_what_run_preview_and_status_are_given() -> None:
    parse = build_parser().parse_args
    run = parse(["run", "r.yaml", "--set", "a=1", "--set", "b=2", "--limit", "8"])
    assert (run.set, run.limit, run.out, run.resume) == (["a=1", "b=2"], 8, None, "if_possible")
    assert parse(["preview", "r.yaml"]).rows == 5
    plan = parse(["plan", "r.yaml"])
    assert plan.probe is None and parse(["plan", "r.yaml", "--probe"]).probe == 8
    assert parse(["plan", "r.yaml", "--probe", "3"]).probe == 3
    status = parse(["status", "d", "--rejects", "--stage", "s", "--reason", "r"])
    assert (status.dir, status.rejects, status.stage, status.reason) == ("d", True, "s", "r")


def test_a_good_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, GOOD)
    assert main(["check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}: ok\n")
    assert "make > answer > score > pair" in out
    assert err == ""


def test_missing_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = refused(tmp_path / "none.yaml", capsys)
    assert "none.yaml: no such file" in err and "prefmill init" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["recipe.yaml: the file is empty", "`stages`"]),
        ("a: [1\n", ["not YAML"]),
        ("name: x\nstages:\n\t- {stage: make}\n", ["recipe.yaml:3", "a tab", "spaces only"]),
        ("- 1\n", ["holds a list"]),
        (GOOD + "seed: 8\n", [":12: seed", "given twice, first in line 2"]),
        (GOOD + "sede: 8\n", ["unknown key `sede`", "did you mean `seed`?"]),
        (GOOD.replace("rows: 8", "rows: lots"), [":6: stages[0].rows", '"lots"', "integer"]),
        (
            GOOD.replace("  - {stage: answer, n: 4}\n", ""),
            ["`score` reads column `responses`", "made by: answer"],
        ),
        (
            GOOD.replace("{stage: score}", "{stage: score}\n  - {stage: score}"),
            ["two steps are called `score`", "`name`"],
        ),
        (GOOD.replace("export:\n  - {config: dpo}\n", ""), ["export: missing"]),
        (GOOD.replace("export:\n  - {config: dpo}\n", "export: []\n"), ["export", "at least 1"]),
    ],
    ids=[
        "empty",
        "not YAML",
        "tab",
        "no mapping",
        "duplicate key",
        "unknown key",
        "wrong type",
        "stage before its input",
        "two of one name",
        "no export",
        "empty export",
    ],
)
def test_bad_recipes(
    text: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    err = refused(write(tmp_path, text), capsys)
    assert err.startswith("prefmill: 1 problem in the recipe\n") or "problems in the recipe" in err
    for word in words:
        assert word in err


def test_not_utf8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"name: \xff\n")
    assert "0xff is not UTF-8" in refused(path, capsys)


def test_problems_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, GOOD.replace("n: 4", "m: 4"))
    assert main(["check", str(path), "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "ok": False,
        "problems": [
            {
                "key": "stages[1].m",
                "seen": "unknown key `m`",
                "allowed": "models, n, greedy",
                "advice": "",
                "file": str(path),
                "line": 7,
            }
        ],
    }
    assert main(["check", str(path), "--json", "--set", "stages[1]={stage: answer}"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "problems": []}


def raiser(error: BaseException) -> Any:
    def handle(args: Any) -> int:
        raise error

    return handle


def test_bugs_are_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "handle", raiser(ZeroDivisionError("oops")))
    assert main(["check", "x"]) == 1
    err = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: oops" in err
    assert "Traceback" not in err
    assert main(["check", "x", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(check, "handle", raiser(KeyboardInterrupt()))
    assert main(["check", "x"]) == 130
    assert capsys.readouterr().err == "prefmill: interrupted\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli.main", "schema"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_stages_lists_and_explains(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages"]) == 0
    assert "pair " in capsys.readouterr().out
    assert main(["stages", "pair"]) == 0
    page = capsys.readouterr().out
    assert "min_margin" in page and "number >= 0" in page and "chosen" in page
    assert main(["stages", "--json"]) == 0
    assert "pair" in [stage["name"] for stage in json.loads(capsys.readouterr().out)]
    assert main(["stages", "--markdown"]) == 0
    assert "| `pair` | expand | row |" in capsys.readouterr().out


def test_stages_knows_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "piar"]) == 2
    assert "did you mean `pair`?" in capsys.readouterr().err


def test_init_writes_a_recipe_that_its_schema_line_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    assert main(["init", str(folder)]) == 0
    text = (folder / "quickstart.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    assert "prefmill run quickstart.yaml" in text and "configs/" not in text
    assert json.loads((folder / "recipe.schema.json").read_text(encoding="utf-8"))["$defs"]
    assert "prefmill check" in capsys.readouterr().out


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quickstart.yaml").write_text("mine", encoding="utf-8")
    assert main(["init", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "quickstart.yaml").read_text(encoding="utf-8") == "mine"


def test_init_knows_its_templates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "--template", "quikstart"]) == 2
    err = capsys.readouterr().err
    assert "known: answers, constraints" in err and "did you mean `quickstart`?" in err


def test_init_lists_its_templates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "scripted          The whole pipeline in seconds, with a script in place" in listed
    assert all(f"\n{path.stem} " in listed for path in (ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "configs").glob("*.yaml")))
def test_each_template_stands_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiler, "load_catalog", load_catalog)
    assert main(["init", str(tmp_path), "--template", name]) == 0
    recipe = tmp_path / f"{name}.yaml"
    text = recipe.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    assert "configs/" not in text and re.search(rf"prefmill (run|refresh) {name}.yaml", text)
    assert main(["check", str(recipe)]) == 0
    capsys.readouterr()
    named = set(re.findall(r"[\w-]+/[\w-]+\.(?:jsonl|yaml)", text))
    assert {value for value in named if not (tmp_path / value).is_file()} == set()


def test_init_keeps_data_that_was_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path), "--template", "selfie"]) == 0
    assert main(["init", str(tmp_path), "--template", "kto"]) == 0, "it reads the same file"
    (tmp_path / "data" / "prompts.jsonl").write_text("mine")
    assert main(["init", str(tmp_path), "--template", "spa"]) == 2
    assert "prompts.jsonl is there already" in capsys.readouterr().err
    assert not (tmp_path / "spa.yaml").exists(), "nothing is half-written"


def test_init_finds_installed_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = tmp_path / "share" / "prefmill" / "configs"
    installed.mkdir(parents=True)
    (installed / "other.yaml").write_text("name: x\n", encoding="utf-8")
    monkeypatch.setattr(init, "__file__", str(tmp_path / "lib" / "pipeline" / "cli" / "init.py"))
    monkeypatch.setattr(init.sysconfig, "get_path", lambda name: str(tmp_path))
    assert main(["init", str(tmp_path / "new"), "--template", "other"]) == 0
    assert (tmp_path / "new" / "other.yaml").exists()
    capsys.readouterr()
