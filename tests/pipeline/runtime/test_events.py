"""Events for programs, and the few that are kept."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime.event_log import EventLog, read_log
from pipeline.runtime.events import Events
from pipeline.runtime.history import history_path, read_history
from pipeline.runtime.listener import Fanout
from pipeline.runtime.tally import Tally
from tests.pipeline.runtime.seen import TOTAL, Clock, keyed, part


class Run:
    """A run that is told to events, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        tally = Tally(self.clock)
        self._logs = [EventLog(folder / name, pytest.fail) for name in ("history.jsonl", "log")]
        self.events = Events(tally, *self._logs)
        self.told = Fanout([tally, self.events])
        self.events.started("demo", folder, ["run", "demo.yaml"])

    def open(self) -> None:
        self.told.opened(keyed("respond"), 4, 1, None)

    def records(self) -> list[dict[str, Any]]:
        return read_log(self.folder / "log")

    def names(self) -> list[str]:
        return [record["event"] for record in self.records()]

    def kept(self) -> list[str]:
        return [record["event"] for record in read_log(history_path(self.folder))]

    def close(self) -> None:
        for log in self._logs:
            log.close()


@pytest.fixture
def run(tmp_path: Path) -> Any:
    run = Run(tmp_path)
    yield run
    run.close()


def test_everything_that_happens_is_an_event(run: Run) -> None:
    run.open()
    run.told.workers(2, None)
    run.told.part_done(keyed("respond"), part(1))
    run.told.passed(keyed("respond"), "sketch", 2, 0.5)
    run.told.passed(keyed("respond"), "decide", 2, 1.5)
    run.told.part_lost(keyed("respond"), 2, "its worker process died", True)
    run.told.tell({"warning": "low memory"})
    run.told.closed(keyed("respond"), TOTAL)
    run.events.ended(0, None, 7, {"rows": {"dpo": 4}})
    assert run.names() == [
        "run_started",
        "step_opened",
        "workers",
        "part_done",
        "decided",
        "part_lost",
        "warning",
        "step_closed",
        "run_ended",
    ]
    records = {record["event"]: record for record in run.records()}
    assert records["run_started"]["command"] == ["run", "demo.yaml"]
    assert records["step_opened"]["parts_done"] == 1
    assert records["part_done"]["tokens"] == 100
    assert (records["decided"]["parts"], records["decided"]["seconds"]) == (2, 1.5)
    assert records["part_lost"]["again"] is True
    assert records["step_closed"]["usage"]["sampled_tokens"] == 900
    assert records["run_ended"]["summary"] == {"rows": {"dpo": 4}}
    for record in records.values():
        assert record["run"] == run.events.run
        assert datetime.fromisoformat(record["time"]).utcoffset() is not None


def test_the_history_keeps_what_matters_later(run: Run) -> None:
    run.open()
    run.told.part_done(keyed("respond"), part(1))
    run.told.part_lost(keyed("respond"), 2, "its worker process died", False)
    run.told.warn("careful")
    run.events.ended(4, "too much was lost", 7, None)
    assert run.kept() == ["run_started", "part_lost", "warning", "run_ended"]
    (seen,) = read_history(run.folder)
    assert (seen.command, seen.warnings) == (["run", "demo.yaml"], ["careful"])
    assert [event["part"] for event in seen.lost] == [2]
    assert seen.end is not None
    assert (seen.end["exit_code"], seen.end["error"]) == (4, "too much was lost")
    assert "summary" not in seen.end


def test_a_run_that_never_had_the_folder_is_not_in_its_history(run: Run) -> None:
    run.told.warn("this model runs remote code")
    run.events.ended(2, "another run is working here", 0, None)
    assert run.names() == ["run_started", "warning", "run_ended"]
    assert not history_path(run.folder).exists()


def test_what_was_said_before_the_first_step_is_kept_in_order(run: Run) -> None:
    run.told.warn("this model runs remote code")
    run.open()
    run.told.warn("careful")
    assert run.kept() == ["run_started", "warning", "warning"]


def test_progress_comes_every_two_seconds_with_the_rate_since_the_last(run: Run) -> None:
    run.open()
    run.told.tell({"task": "respond/run/2", "expect": 40})
    for _ in range(3):
        run.clock.now += 1
        run.told.tell({"task": "respond/run/2", "requests": 5, "tokens": 150})
        run.told.tick()
    run.clock.now += 1
    run.told.tick()
    first, second = (record for record in run.records() if record["event"] == "progress")
    assert (first["tokens_per_s"], second["tokens_per_s"]) == (150.0, 75.0)
    (step,) = second["steps"]
    assert step == {
        "step": "respond",
        "parts": 4,
        "parts_done": 1,
        "rows_in": 0,
        "rows_out": 0,
        "rejects": 0,
        "requests": 15,
        "requests_expected": 40,
        "tokens": 450,
        "tokens_per_s": 112.5,
        "left_s": 28.0,
    }


def test_a_history_that_lost_the_start_of_a_run_can_be_read(tmp_path: Path) -> None:
    lines = [
        '{"time": "t", "event": "warning", "run": "a", "message": "m"}',
        '{"time": "t", "event": "run_started", "run": "b", "command": ["run"], "cwd": "/"}',
    ]
    history_path(tmp_path).write_text("\n".join(lines))
    assert [run.id for run in read_history(tmp_path)] == ["b"]
