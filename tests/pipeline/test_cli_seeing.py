"""What `run` tells programs, and what `status` makes of it afterwards."""

import argparse
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.runtime.event_log import read_log

SCRIPTED = Path(__file__).parents[2] / "configs" / "scripted.yaml"
STEPS = ["magpie", "respond", "filter_rules", "judge", "pair", "export_dpo", "export_kto"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(out: Path, *options: str) -> int:
    return main(["run", str(SCRIPTED), "--out", str(out), *options])


def status(capsys: pytest.CaptureFixture[str], out: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["status", str(out), "--json"]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_events_tell_the_run_from_its_start_to_its_summary(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    assert run(out, "--json", "--events", str(log)) == 0
    summary = json.loads(capsys.readouterr().out)
    told = read_log(log)
    assert (told[0]["event"], told[-1]["event"]) == ("run_started", "run_ended")
    for name in ("step_opened", "part_done", "step_closed"):
        assert [event["step"] for event in told if event["event"] == name] == STEPS
    assert told[-1]["summary"] == summary
    assert (told[-1]["exit_code"], told[-1]["error"]) == (0, None)
    assert len({event["run"] for event in told}) == 1


def test_the_summary_has_the_pace_of_every_step(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    steps = {step["step"]: step for step in summary["steps"]}
    assert steps["respond"]["tokens_per_s"] > 0
    assert steps["pair"]["tokens_per_s"] is None
    assert all(step["wall_s"] >= 0 for step in steps.values())
    assert summary["repeated_tokens"] == 0
    assert not (out / "work" / "inflight.json").exists()


def test_with_events_on_standard_output_there_is_nothing_else(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out, "--events", "-") == 0
    captured = capsys.readouterr()
    assert events(captured.out)[-1]["event"] == "run_ended"
    assert "tokens sampled" in captured.err, "the table goes where the progress goes"


def test_two_things_cannot_both_have_standard_output(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out, "--events", "-", "--json") == 2
    assert "--json and --events - both write to standard output" in capsys.readouterr().err
    assert not out.exists()


def test_events_do_not_go_into_the_output_folder(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out, "--events", str(out / "events.jsonl")) == 2
    assert "lies in the output folder" in capsys.readouterr().err
    assert not out.exists()


def test_a_file_for_events_that_cannot_be_opened(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out, "--events", str(tmp_path / "none" / "log")) == 2
    assert "cannot be opened: No such file or directory" in capsys.readouterr().err


def test_a_full_disk_for_events_does_not_end_the_run(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out, "--quiet", "--events", "/dev/full") == 0
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("warning: events cannot be written to /dev/full: No space left")
    assert (out / "dataset").exists()


def test_metrics_are_served_where_the_run_says(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out, "--metrics", "0") == 0
    assert capsys.readouterr().err.startswith("metrics: http://127.0.0.1:")


def test_a_port_in_use_ends_it_before_it_begins(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(out, "--metrics", str(taken.getsockname()[1])) == 2
    assert "Address already in use" in capsys.readouterr().err
    assert not out.exists()


def test_quiet_prints_the_summary_only(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(out, "--quiet") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("step ")


def test_the_history_grows_from_run_to_run_and_status_tells_the_last(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(out) == 0
    assert status(capsys, out)["state"] == "finished"
    assert run(out, "--set", "gates.min_rows=9999") == 3
    told = status(capsys, out)
    assert (told["state"], told["exit_code"], told["runs"]) == ("failed", 3, 2)
    assert told["error"].startswith("gate min_rows")
    assert told["resume"].startswith(f"prefmill run {SCRIPTED} --out {out} --set gates")
    kept = [event["event"] for event in read_log(out / "history.jsonl")]
    assert [name for name in kept if name != "step_closed"] == ["run_started", "run_ended"] * 2
    assert kept.count("step_closed") == 7, "the second run did no step"


def test_no_secret_is_kept(tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "events.jsonl"
    url = "placement.models.policy.base_url=http://me:sk-1234@localhost/v1"
    assert run(out, "--events", str(log), "--set", url, "--set", "gates.min_rows=9999") == 3
    kept = (out / "history.jsonl").read_text() + log.read_text()
    assert "sk-1234" not in kept
    assert "***" in status(capsys, out)["resume"]


def test_a_run_that_is_refused_leaves_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert run(tmp_path) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_bug_is_told_in_the_history(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("pipeline.runtime.job.publish_dataset", fail)
    assert run(out) == 1
    told = status(capsys, out)
    assert (told["exit_code"], told["error"]) == (1, "ZeroDivisionError: oh")


def test_watching_ends_with_the_run(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(out) == 0
    holder = out / "work" / "holder"
    holder.write_text(f"pid 1 on {socket.gethostname()}")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            holder.unlink()

    monkeypatch.setattr(time, "sleep", sleep)
    capsys.readouterr()
    assert main(["status", str(out), "--watch", "0.5", "--json"]) == 0
    states = [line["state"] for line in events(capsys.readouterr().out)]
    assert states == ["running", "running", "finished"]
    assert slept == [0.5, 0.5]


@pytest.mark.parametrize("seconds", ["0", "-1", "often", "nan", "inf"])
def test_how_often_to_watch(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["status", "out", "--watch", seconds])
    assert "is not a number of seconds" in capsys.readouterr().err


def test_the_words_of_the_command_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr("pipeline.cli.run.handle", lambda args: seen.append(args) or 0)
    words = ["run", "r.yaml", "--set", "a=1", "--limit", "8"]
    assert main(words) == 0
    assert seen[0].argv == words
