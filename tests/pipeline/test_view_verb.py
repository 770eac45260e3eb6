"""`prefmill view` as it is typed: in a process of its own, ended by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.pipeline.browse.made import answer_row, make_dataset, pair_row, request
from tests.support import run_recipe


@contextmanager
def viewing(out: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "pipeline.cli.main", "view", str(out), "--no-open"]
    with subprocess.Popen(
        [*command, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(out)},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://127.0.0.1:" in line, process.stderr and process.stderr.read()
            yield process, int(line.split("127.0.0.1:")[1].split("/")[0])
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(tmp_path: Path, ending: signal.Signals) -> None:
    make_dataset(tmp_path, {"dpo": [pair_row(1)]})
    with viewing(tmp_path) as (process, port):
        assert request(port, "GET", "/api/rows")[2]["total"] == 1
        assert list(tmp_path.glob("prefmill-view-*"))
        process.send_signal(ending)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"], "nothing stays behind"


def test_what_is_marked_is_read_by_an_audit_and_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [pair_row(n) for n in range(12)]
    make_dataset(tmp_path, {"dpo": rows, "kto": [answer_row(1)]})
    with viewing(tmp_path, "--annotate") as (process, port):
        token = request(port, "GET", "/api/start")[2]["marking"]["token"]
        for number, row in enumerate(rows):
            path = f"/api/row?inConfig=dpo&id={row['row_id']}"
            record = request(port, "GET", path)[2]["record"]
            shown = [answer["text"] for answer in record["answers"]]
            is_first = shown[0] == row["chosen"][0]["content"]
            # People agree with the label three times out of four.
            verdict = "a" if is_first == (number % 4 > 0) else "b"
            said = {"config": "dpo", "id": row["row_id"], "verdict": verdict, "comment": ""}
            answer = request(
                port, "POST", "/api/marks", json.dumps(said).encode(), X_Prefmill_Token=token
            )
            assert answer[0] == 200
        process.kill()  # nothing is lost
    labels = tmp_path / "dataset.labels.jsonl"
    with viewing(tmp_path, "--annotate") as (_, port):
        started = request(port, "GET", "/api/start")[2]["marking"]["progress"]
        assert (started["marked"], started["good"], started["bad"]) == (12, 9, 3)
        assert request(port, "GET", "/api/rows?config=dpo&marks=todo")[2]["total"] == 0
    page = ["--page", str(tmp_path / "audit.html")]
    capsys.readouterr()
    audited = ["audit", str(tmp_path / "dataset"), "--human", str(labels), "--json", *page]
    assert main(audited) == 0
    said = json.loads(capsys.readouterr().out)
    agree = said["sections"]["human"]["lines"]["label"]["agree"]
    assert (agree["value"], agree["n"]) == (pytest.approx(0.75), 12)


def test_the_judges_words_are_found_in_the_work_of_the_run(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "configs" / "scripted.yaml"
    run_recipe(recipe, tmp_path, "--limit", "4")
    with viewing(tmp_path) as (_, port):
        assert request(port, "GET", "/api/start")[2]["isJudged"]
        for line in request(port, "GET", "/api/rows?config=dpo")[2]["rows"]:
            named = f"inConfig=dpo&id={line['id']}"
            record = request(port, "GET", f"/api/row?{named}")[2]["record"]
            said = request(port, "GET", f"/api/judgements?{named}")[2]["judgements"]
            assert len(said) == 2  # in both orders
            assert all(one["labeller"].startswith("judge (") for one in said)
            assert sum(one["p"] for one in said) / 2 == pytest.approx(record["p_chosen"])
        answer = request(port, "GET", "/api/rows?config=kto")[2]["rows"][0]
        named = f"inConfig=kto&id={answer['id']}"
        assert request(port, "GET", f"/api/judgements?{named}")[2] == {"judgements": []}
    with viewing(tmp_path, "--annotate") as (_, port):
        named = f"inConfig=dpo&id={record['id']}"
        status, _, refused = request(port, "GET", f"/api/judgements?{named}")
        assert (status, "when the row is marked" in refused["error"]) == (400, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere"], "no such folder"),
        (["."], "neither a run nor a dataset"),
        (["out", "--labels", "x.jsonl"], "go with --annotate"),
        (["out", "--show-labels"], "go with --annotate"),
        (["out", "--annotate", "--labels", "out/dataset/x.jsonl"], "lies in the dataset"),
        (["out", "--annotate", "--labels", "gone/x.jsonl"], "there is no folder"),
    ],
)
def test_what_cannot_be_viewed_is_one_clear_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    make_dataset(tmp_path / "out", {"dpo": [pair_row(1)]})
    monkeypatch.chdir(tmp_path)
    assert main(["view", *options, "--no-open", "--port", "0"]) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(tmp_path, {"dpo": [pair_row(1)]})
    with viewing(tmp_path) as (_, port):
        assert main(["view", str(tmp_path), "--no-open", "--port", str(port)]) == 2
    assert f"--port {port}: cannot be used: Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["view", "out", f"--port={port}"])
    assert stop.value.code == 2
    assert "is not a port" in capsys.readouterr().err
