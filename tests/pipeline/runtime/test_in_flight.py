"""Tokens that were sampled for nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime.in_flight import InFlight, in_flight_path
from tests.pipeline.runtime.seen import TOTAL, Clock, commit, keyed, part


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path


class Run:
    def __init__(self, out: Path) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.warned: list[str] = []
        self.step = keyed("respond", out)
        self.watch = InFlight(in_flight_path(out), self.said.append, self.warned.append, self.clock)
        self.watch.opened(self.step, 9, 0, None)
        self.tick()

    def sample(self, task: str, tokens: int) -> None:
        self.watch.tell({"task": task, "requests": 1, "tokens": tokens})

    def tick(self) -> None:
        self.clock.now += 1
        self.watch.tick()


def note(out: Path) -> Any:
    return json.loads(in_flight_path(out).read_text())


def test_the_note_holds_what_is_in_hand_and_is_gone_at_a_clean_end(out: Path) -> None:
    run = Run(out)
    assert not in_flight_path(out).exists(), "nothing to note"
    run.sample("respond/run/0", 100)
    run.sample("respond/run/0", 50)
    run.sample("respond/run/1", 30)
    run.tick()
    assert note(out) == {
        "tasks": {"respond/run/0": 150, "respond/run/1": 30},
        "repeated_tokens": 0,
    }
    run.watch.part_done(run.step, part(0))
    run.tick()
    assert note(out)["tasks"] == {"respond/run/1": 30}
    run.watch.close(finished=True)
    assert not in_flight_path(out).exists()
    assert run.watch.repeated_tokens == 0


def test_it_is_written_once_a_second_at_most_and_only_if_it_changed(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    monkeypatch.setattr(
        "pipeline.runtime.in_flight.write_json", lambda path, value: written.append(value)
    )
    run = Run(out)
    for _ in range(20):
        run.clock.now += 0.2
        run.sample("respond/run/0", 1)
        run.watch.tick()
    assert 3 <= len(written) <= 4
    for _ in range(5):
        run.tick()
    assert written[-1]["tasks"] == {"respond/run/0": 20}
    assert len(written) <= 5


def test_tokens_of_a_part_whose_worker_died_are_sampled_twice(out: Path) -> None:
    run = Run(out)
    run.sample("respond/run/0", 100)
    run.sample("respond/run/1", 30)
    run.watch.part_lost(run.step, 0, "died", True)
    run.tick()
    assert note(out) == {"tasks": {"respond/run/1": 30}, "repeated_tokens": 100}
    assert run.watch.repeated_tokens == 100


def test_the_second_pass_loses_nothing_of_the_first(out: Path) -> None:
    run = Run(out)
    run.sample("respond/run/0", 100)
    commit(run.step.folder.drafts(), 0)
    run.watch.part_lost(run.step, 0, "died in its second pass", True)
    assert run.watch.repeated_tokens == 0


def test_what_a_killed_run_had_in_hand_is_told_once_and_carried_on(out: Path) -> None:
    killed = Run(out)
    killed.sample("respond/run/0", 100)
    killed.watch.part_lost(killed.step, 0, "died", True)
    killed.sample("respond/run/0", 40)
    killed.tick()
    after = Run(out)
    assert after.said == ["about 40 tokens of the killed run will be sampled again"]
    after.tick()
    assert len(after.said) == 1
    assert note(out) == {"tasks": {}, "repeated_tokens": 140}
    after.sample("respond/run/0", 7)
    after.tick()
    assert Run(out).watch.repeated_tokens == 147


def test_what_was_committed_after_the_last_note_was_not_lost(out: Path) -> None:
    killed = Run(out)
    for number, tokens in enumerate((100, 20, 3)):
        killed.sample(f"respond/run/{number}", tokens)
    killed.tick()
    commit(killed.step.folder, 0)
    commit(killed.step.folder.drafts(), 1)
    assert Run(out).watch.repeated_tokens == 3


def test_a_run_that_stops_leaves_its_note_to_the_next(out: Path) -> None:
    run = Run(out)
    run.sample("respond/run/0", 100)
    run.watch.part_lost(run.step, 0, "died", True)
    run.watch.close(finished=False)
    after = Run(out)
    assert after.watch.repeated_tokens == 100
    assert after.said == [], "nothing was in hand"


def test_a_run_that_never_had_the_folder_leaves_it_alone(out: Path) -> None:
    Run(out).sample("respond/run/0", 1)
    in_flight_path(out).write_text("another run's")
    refused = InFlight(in_flight_path(out), pytest.fail, pytest.fail, Clock())
    refused.close(finished=False)
    assert in_flight_path(out).read_text() == "another run's"


def test_a_full_disk_is_warned_of_once(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.runtime.in_flight.write_json", full)
    run = Run(out)
    for _ in range(3):
        run.sample("respond/run/0", 1)
        run.tick()
    assert len(run.warned) == 1
    assert "No space left" in run.warned[0]


def test_a_step_that_is_complete_has_nothing_in_hand(out: Path) -> None:
    run = Run(out)
    run.watch.opened(keyed("magpie", out), 0, 0, TOTAL)
    run.watch.close(finished=True)
    assert not in_flight_path(out).exists()
