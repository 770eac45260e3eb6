"""`run`, `status` and `preview` end to end, with a scripted model in this process."""

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.main import main
from tests.support import run_recipe

SCRIPTED = Path(__file__).parents[2] / "configs" / "scripted.yaml"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run_json(
    capsys: pytest.CaptureFixture[str], out: Path, *options: str, recipe: Path = SCRIPTED
) -> dict[str, Any]:
    code = main(["run", str(recipe), "--out", str(out), "--json", *options])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    summary: dict[str, Any] = json.loads(captured.out)
    return summary


def files_of(out: Path) -> dict[str, bytes]:
    """The dataset's rows, byte for byte."""
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.glob("dataset/*/*"))}


def test_a_run_ends_with_a_table_on_standard_output_and_progress_elsewhere(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(SCRIPTED), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("step ")
    assert f"{out / 'dataset' / 'dpo'}" in captured.out
    assert "\x1b" not in captured.out + captured.err
    assert "magpie: 24 -> " in captured.err


def test_a_second_run_does_nothing(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run_json(capsys, out)
    before = {path: path.stat().st_mtime_ns for path in out.glob("dataset/**/*")}
    again = run_json(capsys, out)
    assert all(step["reused"] for step in again["steps"])
    assert again["rows"] == first["rows"]
    assert {path: path.stat().st_mtime_ns for path in out.glob("dataset/**/*")} == before


def test_changing_a_late_step_keeps_the_earlier(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_json(capsys, out)
    changed = run_json(capsys, out, "--set", "stages.pair.min_margin=0.01")
    reused = {step["step"]: step["reused"] for step in changed["steps"]}
    assert reused["judge"]
    assert not reused["pair"]
    assert not reused["export_dpo"]


def test_the_dataset_does_not_depend_on_the_size_of_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = []
    for part_rows in (5, 24, 1000):
        folder = tmp_path / str(part_rows)
        run_json(capsys, folder, "--set", f"placement.part_rows={part_rows}")
        datasets.append(files_of(folder))
    assert datasets[0] == datasets[1] == datasets[2]


def test_the_dataset_does_not_depend_on_the_order_of_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def turned(value: Any) -> Any:
        """The same mappings, their keys last to first; the order of lists has a meaning."""
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    recipe = tmp_path / "turned.yaml"
    content = yaml.safe_load(SCRIPTED.read_text(encoding="utf-8"))
    recipe.write_text(yaml.safe_dump(turned(content), sort_keys=False), encoding="utf-8")
    assert recipe.read_text(encoding="utf-8").startswith("placement:")
    run_json(capsys, tmp_path / "as-written")
    run_json(capsys, tmp_path / "turned", recipe=recipe)
    assert files_of(tmp_path / "turned") == files_of(tmp_path / "as-written") != {}


@pytest.mark.faults
def test_workers_say_nothing_of_their_own(out: Path) -> None:
    """Nor where another run is going on: Dask's usual port is taken.

    In a process of its own: what Dask logs goes around pytest's capture.
    """
    with socket.socket() as taken:
        with suppress(OSError):  # then somebody else holds it, which is as good
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        summary, said = run_recipe(SCRIPTED, out, "--set", "placement.workers=1")
    assert [line.split(":")[0] for line in said.splitlines()] == [
        step["step"] for step in summary["steps"]
    ]


@pytest.mark.faults
def test_the_dataset_does_not_depend_on_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = []
    for workers in (0, 2):
        folder = tmp_path / str(workers)
        settings = (f"placement.workers={workers}", "placement.part_rows=7")
        run_json(capsys, folder, *(word for s in settings for word in ("--set", s)))
        datasets.append(files_of(folder))
    assert datasets[0] == datasets[1]


def test_limit_takes_fewer_rows(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run_json(capsys, out, "--limit", "5")
    assert summary["steps"][0]["rows_in"] == 5


def test_resume_always_needs_something_to_resume(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(SCRIPTED), "--out", str(out), "--resume", "always"]) == 2
    assert "no work of this recipe to resume" in capsys.readouterr().err
    run_json(capsys, out)
    assert run_json(capsys, out, "--resume", "always")["steps"][0]["reused"]


def test_resume_never_starts_afresh(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_json(capsys, out)
    before = files_of(out)
    assert main(["run", str(SCRIPTED), "--out", str(out), "--resume", "never"]) == 2
    assert "Add --overwrite" in capsys.readouterr().err
    assert all(step["reused"] for step in run_json(capsys, out)["steps"]), "nothing was lost"
    again = run_json(capsys, out, "--resume", "never", "--overwrite")
    assert not any(step["reused"] for step in again["steps"])
    assert files_of(out) == before


def test_work_of_a_newer_prefmill_is_left_alone(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_json(capsys, out)
    content = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(content | {"format": 99}))
    assert main(["run", str(SCRIPTED), "--out", str(out)]) == 2
    assert "written by a newer prefmill (work format 99" in capsys.readouterr().err


def test_a_failed_gate_writes_no_dataset_and_keeps_the_last(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_json(capsys, out)
    before = files_of(out)
    code = main(["run", str(SCRIPTED), "--out", str(out), "--set", "gates.min_rows=9999"])
    assert code == 3
    assert "gate min_rows" in capsys.readouterr().err
    assert files_of(out) == before


def test_too_many_engine_failures_end_with_four(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("rules:\n  - {match: '', fail: timeout}\n")
    recipe = tmp_path / "recipe.yaml"
    text = SCRIPTED.read_text().replace("model: echo", f"model: {script}")
    recipe.write_text(text)
    assert main(["run", str(recipe), "--out", str(out)]) == 4
    assert "limits.max_failed_share" in capsys.readouterr().err
    assert not (out / "dataset").exists()


LABELLING = """
name: labelled
models:
  policy: {{engine: scripted, model: echo}}
  judge: {{engine: scripted, model: {script}{kind}}}
stages:
  - {{stage: load_prompts, path: prompts.jsonl, prompt: q, answer: a}}
  - {{stage: respond, model: policy, n: 2}}
  - {step}
  - {{stage: pair, labeller: {name}}}
export: [{{config: dpo}}]
limits: {{max_unlabelled_share: {allowed}}}
placement: {{workers: 0}}
"""
STEPS = {
    "judge": "{stage: judge, model: judge}",
    "reward": "{stage: reward, model: judge}",
    "logit": "{stage: logit, model: judge, reference: policy}",
    "verify": "{stage: verify, mode: answer, pattern: '=> (.+)'}",
}


def labelling(folder: Path, name: str, script: str, allowed: float) -> list[str]:
    """Arguments of a run in which a labeller has to do with a script."""
    questions = [{"q": f"{i} or {i + 1}?", "a": str(i)} for i in range(4)]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (folder / "prompts.jsonl").write_text(lines)
    (folder / "script.yaml").write_text(f"rules: [{script}]\n")
    kind = ", kind: reward" if name == "reward" else ""
    recipe = folder / "recipe.yaml"
    what = {"step": STEPS[name], "name": name, "allowed": allowed, "kind": kind}
    recipe.write_text(LABELLING.format(script=folder / "script.yaml", **what))
    return ["run", str(recipe), "--out", str(folder / "out")]


@pytest.mark.parametrize("name", ["judge", "reward", "logit"])
def test_a_labeller_whose_engine_fails_ends_the_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = labelling(tmp_path, name, "{match: '', fail: server}", 1)
    assert main(arguments) == 4
    told = capsys.readouterr().err
    assert f"step `{name}` lost 4 of 4 rows to engine failures ({{'engine_server'" in told


@pytest.mark.parametrize(
    ("name", "reason"), [("judge", "judge_low_mass"), ("verify", "unparsed_answer")]
)
def test_a_labeller_that_finds_no_label_ends_the_run(
    name: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = "{match: '', labels: {A: 0.0, B: 0.0}}"
    assert main(labelling(tmp_path, name, nothing, 0.5)) == 4
    told = capsys.readouterr().err
    assert f"step `{name}` found no label for 4 of 4 rows" in told
    assert f"'{reason}'" in told and "limits.max_unlabelled_share" in told
    assert main(["status", str(tmp_path / "out"), "--rejects"]) == 0
    rejects = capsys.readouterr().out
    assert f"{name}: {reason}" in rejects and "Scripted answer" in rejects, "with its raw text"
    assert main(labelling(tmp_path, name, nothing, 1)) == 3, "allowed; but nothing is left"


def test_status_tells_how_far_and_what_was_turned_away(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_json(capsys, out, "--set", "stages.pair.min_margin=0.3")
    assert main(["status", str(out), "--json"]) == 0
    steps = {step["step"]: step for step in json.loads(capsys.readouterr().out)["steps"]}
    assert {step["state"] for step in steps.values()} == {"complete"}
    rejected = steps["pair"]["rejects"]["small_margin"]
    assert rejected > 0
    chosen = ["--stage", "pair", "--reason", "small_margin"]
    assert main(["status", str(out), "--rejects", "--json", *chosen]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == rejected
    assert {(line["step"], line["code"]) for line in lines} == {("pair", "small_margin")}
    assert main(["status", str(out), "--rejects", "--reason", "small_margin"]) == 0
    assert ": the scores differ by" in capsys.readouterr().out


def test_status_of_a_folder_without_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err


def test_preview_shows_rows_step_by_step_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["preview", str(SCRIPTED), "-n", "2"]) == 0
    shown = capsys.readouterr().out
    assert "row 1 of 2 ─" in shown and "row 2 of 2 ─" in shown
    assert "  magpie\n    messages      user: " in shown
    assert "  export_kto  2 rows of it\n" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_source_is_mended_as_it_was_cut(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = [{"prompt": f"What is {n} times {n}?"} for n in range(9)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    recipe = tmp_path / "recipe.yaml"
    text = SCRIPTED.read_text()
    recipe.write_text(
        text.replace(
            "{stage: magpie, model: policy, rows: 24}", "{stage: load_prompts, path: prompts.jsonl}"
        )
    )
    run_json(capsys, out, "--set", "placement.part_rows=4", recipe=recipe)
    before = files_of(out)
    (packed,) = out.glob("work/00-load_prompts-*/segment-00000.parts")
    content = packed.read_bytes()
    packed.write_bytes(content[: len(content) // 2])
    run_json(capsys, out, "--set", "placement.part_rows=100", recipe=recipe)
    assert files_of(out) == before
    assert packed.stat().st_size > len(content) // 2
