"""What can be said of a folder from outside: of a run that goes on, died, or is done."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.files import write_json
from pipeline.runtime.event_log import EventLog
from pipeline.runtime.events import Events
from pipeline.runtime.history import history_path
from pipeline.runtime.in_flight import in_flight_path
from pipeline.runtime.reports import StepReport
from pipeline.runtime.status import RunState, RunStatus, read_status
from pipeline.runtime.status_text import status_json, status_text
from pipeline.runtime.tally import Tally
from schemas.errors import InputError
from tests.pipeline.runtime.seen import commit, keyed, part


class Folder:
    """An output folder as a run leaves it: step `magpie` is complete, `respond` half done."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.steps = [keyed(name, out, n) for n, name in enumerate(("magpie", "respond", "pair"))]
        magpie, respond, _ = (step.folder for step in self.steps)
        for folder, sizes in ((magpie, [8]), (respond, [8, 8, 8])):
            folder.write_layout(sizes)
            commit(folder, 0)
        magpie.complete(StepReport.of_parts([part(0)]), [magpie.pack(0, range(1))], {})
        commit(respond.drafts(), 2)
        write_json(
            out / "run.json", {"name": "demo", "steps": [_entry(s, out) for s in self.steps]}
        )

    def hold(self, pid: int, host: str | None = None) -> None:
        text = f"pid {pid} on {host or socket.gethostname()}"
        (self.out / "work" / "holder").write_text(text)

    def history(self, code: int | None = None, error: str | None = None) -> None:
        """A run that lost a part and set one aside; it has ended if there is a code."""
        log = EventLog(history_path(self.out), pytest.fail)
        events = Events(Tally(), log, None)
        events.started("demo", self.out, ["run", "demo.yaml", "--out", str(self.out)])
        respond = self.steps[1]
        events.opened(respond, 3, 0, None)
        events.warn("careful")
        events.part_lost(respond, 1, "its worker process died", True)
        events.part_lost(respond, 1, "its worker process died", False)
        if code is not None:
            events.ended(code, error, 5, None)
        log.close()

    def status(self) -> RunStatus:
        return read_status(self.out)


def _entry(step: Any, out: Path) -> dict[str, str]:
    folder = Path(step.folder.folder.url).relative_to(out)
    return {"step": step.step.name, "folder": str(folder), "key": step.key}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no run \(no run.json\)"):
        read_status(tmp_path)


def test_steps_are_told_by_what_is_committed(folder: Folder) -> None:
    steps = [(s.state, s.parts, s.parts_done, s.parts_drafted) for s in folder.status().steps]
    assert steps == [("complete", 1, 1, 0), ("partial", 3, 1, 1), ("waiting", None, 0, 0)]
    assert folder.status().steps[1].report.usage.sampled_tokens == 100


@pytest.mark.parametrize(
    ("code", "state"),
    [(None, "killed"), (0, "finished"), (4, "failed"), (130, "interrupted")],
)
def test_how_a_run_ended(folder: Folder, code: int | None, state: RunState) -> None:
    folder.history(code, None if not code else "why")
    status = folder.status()
    assert status.state == state
    assert status.error == ("why" if code else None)
    assert not status.goes_on
    assert (status.resume is None) == (code == 0)


def test_a_run_that_goes_on(folder: Folder) -> None:
    folder.history(0)  # an earlier one
    folder.hold(os.getpid())
    status = folder.status()
    assert (status.state, status.goes_on, status.resume) == ("running", True, None)
    assert f"running (pid {os.getpid()} on " in status_text(status)


def test_a_run_whose_process_is_gone(folder: Folder, dead_pid: int) -> None:
    folder.history()
    folder.hold(dead_pid)
    status = folder.status()
    assert status.state == "killed"
    text = status_text(status)
    assert "its process is gone" in text
    assert f"prefmill run demo.yaml --out {folder.out}" in text


def test_a_run_on_another_machine_cannot_be_seen(folder: Folder) -> None:
    folder.history()
    folder.hold(os.getpid(), host="elsewhere")
    status = folder.status()
    assert (status.state, status.goes_on) == ("unknown", True)
    assert f"perhaps running (pid {os.getpid()} on elsewhere" in status_text(status)


def test_a_process_of_another_user_lives(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    folder.hold(1)
    assert folder.status().state == "running"


def test_a_folder_without_a_history_is_no_trouble(folder: Folder) -> None:
    status = folder.status()
    assert (status.state, status.resume, status.runs) == ("unknown", None, 0)
    assert status_text(status).startswith("run demo: not running\n")


def test_losses_warnings_and_the_way_on_are_told(folder: Folder) -> None:
    folder.history(4, "too much was lost")
    text = status_text(folder.status())
    assert "ended with exit code 4: too much was lost" in text
    assert "lost: respond, part 1: its worker process died" in text
    assert "set aside: respond, part 1: its worker process died" in text
    assert "about 5 tokens sampled for parts that were lost" in text
    value = status_json(folder.status())
    assert (value["state"], value["exit_code"], value["runs"]) == ("failed", 4, 1)
    assert value["warnings"] == ["careful"]
    assert [loss["again"] for loss in value["parts_lost"]] == [True, False]
    assert value["steps"][1]["parts_drafted"] == 1


def test_tokens_in_hand_are_lost_only_if_the_run_is(folder: Folder, dead_pid: int) -> None:
    tasks = {"respond/run/0": 1000, "respond/run/1": 20, "respond/run/2": 300, "gone/run/0": 4}
    write_json(in_flight_path(folder.out), {"tasks": tasks, "repeated_tokens": 7})
    folder.history()
    folder.hold(os.getpid())
    assert folder.status().repeated_tokens == 7
    folder.hold(dead_pid)
    assert folder.status().repeated_tokens == 7 + 20 + 4, "0 and 2 are committed"
