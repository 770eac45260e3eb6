"""Faults strike when and as often as the script says, and take the whole engine with them."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.engines.base import LoadedModel, no_progress
from pipeline.engines.scripted import ScriptedGenerator, open_scripted, resolve_scripted
from schemas.errors import EngineDied, InputError
from schemas.models import Failure, GenerateRequest, Prompt, Sampling, ScoreRequest
from schemas.recipe import ModelEntry, ModelPlacement


def ask(text: str) -> GenerateRequest:
    return GenerateRequest("r", Prompt(text), Sampling(), seed=1)


def opened(folder: Path, text: str) -> LoadedModel:
    (folder / "script.yaml").write_text(text, encoding="utf-8")
    entry = ModelEntry(model="script.yaml", engine="scripted")
    return open_scripted(resolve_scripted("policy", entry, ModelPlacement(), folder), no_progress)


def kinds(model: LoadedModel, *texts: str) -> list[str | None]:
    results = model.generator.generate([ask(text) for text in texts])
    return [result.kind if isinstance(result, Failure) else None for result in results]


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns at nearly every step, so that what is not guarded breaks."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_background(work: Callable[[], object]) -> tuple[threading.Event, list[BaseException]]:
    """Do something that may never end; an event for its end, and what it raised."""
    ended, raised = threading.Event(), []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    return ended, raised


def test_requests_with_the_prompt_fail(tmp_path: Path) -> None:
    model = opened(
        tmp_path,
        """
        faults:
          - {match: poison, fail: server}
          - {regex: "^topic [78]$", fail: timeout}
        """,
    )
    texts = ("poison", "topic 6", "topic 7", "poison")
    assert kinds(model, *texts) == ["server", None, "timeout", "server"]
    (score,) = model.generator.score([ScoreRequest("s", Prompt("poison"), "d")])
    assert isinstance(score, Failure)


def test_occurrences_are_counted_over_all_engines(tmp_path: Path) -> None:
    script = "faults: [{match: a, fail: server, times: 3}, {match: b, fail: server, times: 1}]"
    one, other = opened(tmp_path, script), opened(tmp_path, script)
    assert kinds(one, "a", "c", "a") == ["server", None, "server"]
    assert kinds(other, "a", "a", "b") == ["server", None, "server"]
    assert kinds(opened(tmp_path, script), "a", "b") == [None, None]


@pytest.mark.usefixtures("hasty_threads")
def test_threads_share_the_occurrences(tmp_path: Path) -> None:
    model = opened(tmp_path, "faults: [{fail: server, times: 1000}]")
    everyone = threading.Barrier(4)
    found: list[str | None] = []

    def call() -> None:
        everyone.wait()
        found.extend(kinds(model, *["a"] * 400))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (found.count("server"), found.count(None)) == (1000, 600)


def test_a_dead_engine_is_dead_for_everyone_and_a_new_one_works(tmp_path: Path) -> None:
    script = "{pace: {tokens_per_s: 1}, faults: [{match: poison, effect: die, times: 1}]}"
    model = opened(tmp_path, script)
    ended, raised = in_background(lambda: kinds(model, "waits for minutes"))
    with pytest.raises(EngineDied, match="as planned: fault-0"):
        kinds(model, "poison")
    assert ended.wait(30)
    assert isinstance(raised[0], EngineDied)
    assert kinds(opened(tmp_path, script.replace("1}, faults", "10_000}, faults")), "poison") == [
        None
    ]


def test_a_hanging_engine_hangs_for_everyone_once(tmp_path: Path) -> None:
    script = "faults: [{match: poison, effect: hang, times: 1}]"
    model = opened(tmp_path, script)
    struck, _ = in_background(lambda: kinds(model, "poison"))
    while not (tmp_path / "script.marks" / "fault-0.0").exists():
        assert not struck.wait(0.005)
    other, _ = in_background(lambda: [kinds(model, "harmless") for _ in range(10**6)])
    assert not other.wait(0.02)
    assert not struck.is_set()
    assert kinds(opened(tmp_path, script), "poison") == [None]


def test_a_random_fault_needs_no_request(tmp_path: Path) -> None:
    model = opened(tmp_path, "faults: [{every_s: 0.005, effect: die}]")
    ended, raised = in_background(lambda: [kinds(model, "a") for _ in iter(int, 1)])
    assert ended.wait(30)
    assert isinstance(raised[0], EngineDied)


def test_random_faults_are_counted_too(tmp_path: Path) -> None:
    script = "faults: [{every_s: 0.001, effect: die, times: 1}]"
    model = opened(tmp_path, script)
    ended, _ = in_background(lambda: [kinds(model, "a") for _ in iter(int, 1)])
    assert ended.wait(30)
    another = opened(tmp_path, script)
    time.sleep(0.02)  # twenty times as long as it would take on average
    assert kinds(another, "a") == [None]


def test_a_random_failure_fails_single_requests(tmp_path: Path) -> None:
    model = opened(tmp_path, "faults: [{every_s: 0.005, fail: connection, times: 2}]")
    found: list[str | None] = []
    while found.count("connection") < 2:
        found += kinds(model, "a")
    found += kinds(model, *["a"] * 1000)
    assert found.count("connection") == 2
    assert None in found


def test_faults_and_pace_leave_the_fingerprint_alone(tmp_path: Path) -> None:
    plain = opened(tmp_path, "rules: [{answer: [x]}]").spec.fingerprint
    faulty = opened(tmp_path, "{rules: [{answer: [x]}], faults: [{match: y, effect: die}]}")
    assert faulty.spec.fingerprint == plain == faulty.generator.fingerprint


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "script.marks").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot make the folder .*script\.marks"):
        opened(tmp_path, "faults: [{effect: die, times: 1}]")


def test_a_closed_engine_answers_no_more() -> None:
    generator = ScriptedGenerator()
    generator.close()
    generator.close()
    with pytest.raises(EngineDied, match="closed"):
        generator.generate([ask("a")])
