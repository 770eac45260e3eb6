"""Signs of life."""

import time
from contextvars import copy_context
from pathlib import Path
from threading import Thread

from pipeline.engines.base import ModelSpec
from pipeline.engines.resolve import resolve_model
from pipeline.runtime.watchdog import Pulse
from schemas.recipe import ModelEntry, ModelPlacement


def spec(hang_timeout_s: float, engine: str = "scripted") -> ModelSpec:
    entry = ModelEntry(model="echo", engine=engine)  # type: ignore[arg-type]
    placement = ModelPlacement(hang_timeout_s=hang_timeout_s, base_url="http://127.0.0.1:9/v1")
    return resolve_model("policy", entry, placement, Path())


def test_only_a_call_that_waits_without_a_sign_of_life_hangs() -> None:
    pulse = Pulse()
    assert not pulse.hung(time.monotonic() + 1000), "nobody waits"
    with pulse.watch(spec(60), print, print):
        assert not pulse.hung(time.monotonic() + 59)
        assert pulse.hung(time.monotonic() + 61)
    assert not pulse.hung(time.monotonic() + 61)


def test_the_most_impatient_call_decides() -> None:
    pulse = Pulse()
    with pulse.watch(spec(60), print, print), pulse.watch(spec(10), print, print):
        assert pulse.hung(time.monotonic() + 11)
    with pulse.watch(spec(60), print, print):
        assert not pulse.hung(time.monotonic() + 11)


def test_a_server_has_time_limits_of_its_own() -> None:
    pulse = Pulse()
    with pulse.watch(spec(1, engine="openai"), print, print):
        assert not pulse.hung(time.monotonic() + 1000)


def test_progress_goes_to_the_call_that_it_belongs_to() -> None:
    pulse = Pulse()
    first: list[tuple[int, int]] = []
    second: list[tuple[int, int]] = []

    def serve(into: list[tuple[int, int]], tokens: int) -> None:
        with pulse.watch(spec(60), lambda *told: into.append(told), print):
            pulse.beat(0, 0)
            context = copy_context()  # as an engine does that works in another thread
            helper = Thread(target=lambda: context.run(pulse.beat, 1, tokens))
            helper.start()
            helper.join()

    threads = [Thread(target=serve, args=(first, 5)), Thread(target=serve, args=(second, 7))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (first, second) == ([(1, 5)], [(1, 7)])
