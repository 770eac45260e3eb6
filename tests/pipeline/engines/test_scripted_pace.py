"""Continuous batching, slept: slots are shared fairly, never idle while someone waits, and counted.

Laws are checked on the plan, which knows no clock; with a clock only what can't be too early is.
"""

import json
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.base import LoadedModel, no_progress
from pipeline.engines.scripted import open_scripted, resolve_scripted
from pipeline.engines.scripted_faults import Health
from pipeline.engines.scripted_pace import Lengths, Pace, Pacer, Slots, Timetable
from schemas.errors import EngineDied
from schemas.models import GenerateRequest, Generation, LabelRequest, Prompt, Sampling
from schemas.recipe import ModelEntry, ModelPlacement

Calls = list[tuple[float, list[float]]]
"""Per call: seconds since the one before, and the durations of its requests."""

# Whole numbers add up without rounding, so that laws hold exactly.
calls = st.lists(
    st.tuples(st.integers(0, 20).map(float), st.lists(st.integers(0, 9).map(float), max_size=12)),
    max_size=6,
)
slots = st.integers(1, 5)


def planned(n: int, calls: Calls) -> tuple[Slots, list[tuple[float, float, float]]]:
    """The slots, and (arrival, start, end) of each request; ends by its own duration."""
    plan, now, requests = Slots(n), 0.0, []
    for wait_s, durations_s in calls:
        now += wait_s
        table = plan.plan(durations_s, now)
        ends = [start + d for start, d in zip(table.starts, durations_s, strict=True)]
        assert table.ends == sorted(ends)
        requests += [(now, start, end) for start, end in zip(table.starts, ends, strict=True)]
    return plan, requests


def running(requests: Sequence[tuple[float, float, float]], at: float) -> int:
    return sum(start <= at < end for _, start, end in requests)


@given(slots, calls)
def test_no_more_run_than_there_are_slots(n: int, calls: Calls) -> None:
    _, requests = planned(n, calls)
    assert all(running(requests, start) <= n for _, start, _ in requests)


@given(slots, calls)
def test_requests_start_in_the_order_of_arrival(n: int, calls: Calls) -> None:
    _, requests = planned(n, calls)
    assert all(before[1] <= after[1] for before, after in pairwise(requests))


@given(slots, calls)
def test_nobody_waits_while_a_slot_is_free(n: int, calls: Calls) -> None:
    _, requests = planned(n, calls)
    for arrival, start, _ in requests:
        assert start >= arrival
        if start > arrival:
            assert running(requests, start - 0.5) == n


@given(slots, calls, st.integers(0, 200).map(lambda n: n / 2))
def test_busy_time_is_that_of_the_requests(n: int, calls: Calls, later: float) -> None:
    plan, requests = planned(n, calls)
    now = sum(wait_s for wait_s, _ in calls) + later
    assert plan.busy_s(now) == sum(min(end, now) - min(start, now) for _, start, end in requests)
    assert plan.busy_s(max(now, plan.idle_since())) == sum(
        end - start for _, start, end in requests
    )


@given(slots, st.lists(st.integers(0, 9).map(float), max_size=12), st.integers(0, 100))
def test_a_call_knows_how_far_it_is(n: int, durations_s: list[float], half_s: int) -> None:
    table, now = Slots(n).plan(durations_s, 3.0), half_s / 2
    spans = [(start, start + d) for start, d in zip(table.starts, durations_s, strict=True)]
    assert table.ended(now) == sum(end <= now for _, end in spans)
    assert table.busy_s(now) == sum(min(end, now) - min(start, now) for start, end in spans)


def test_a_planned_batch_reads_as_expected() -> None:
    assert Slots(2).plan([3.0, 1.0, 1.0, 4.0], 0.0) == Timetable(
        starts=[0.0, 0.0, 1.0, 2.0], ends=[1.0, 2.0, 3.0, 6.0]
    )


# -- with a clock


def test_all_requests_and_tokens_are_told() -> None:
    told: list[tuple[int, int]] = []
    pacer = Pacer(Pace(tokens_per_s=10_000, max_num_seqs=4), Health())
    pacer.serve([20, 10, 30, 5, 5], lambda n, t: told.append((n, t)), sampling=True)
    pacer.serve([1, 1, 0], lambda n, t: told.append((n, t)), sampling=False)
    assert tuple(map(sum, zip(*told, strict=True))) == (8, 70)
    pacer.serve([], lambda n, t: pytest.fail("nothing to tell"), sampling=True)


def test_threads_share_the_slots() -> None:
    pacer = Pacer(Pace(tokens_per_s=5_000, max_num_seqs=2), Health())
    calls = [
        threading.Thread(
            target=pacer.serve, args=([10] * 5, no_progress), kwargs={"sampling": True}
        )
        for _ in range(4)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join(timeout=30)
    assert pacer.busy_slot_s == pytest.approx(200 * 2 / 5_000)
    assert pacer.up_s >= 200 / 5_000
    assert 0 < pacer.utilisation <= 1
    pacer.close()
    up_s = pacer.up_s
    pacer.close()
    assert pacer.up_s == up_s


def test_waiting_ends_when_the_engine_dies() -> None:
    health, raised = Health(), threading.Event()
    pacer = Pacer(Pace(tokens_per_s=1), health)

    def call() -> None:
        with pytest.raises(EngineDied, match="struck by lightning"):
            pacer.serve([1000], no_progress, sampling=True)
        raised.set()

    threading.Thread(target=call, daemon=True).start()
    health.die("struck by lightning")
    assert raised.wait(30)


# -- in a script


def opened(folder: Path, text: str) -> LoadedModel:
    (folder / "script.yaml").write_text(text, encoding="utf-8")
    entry = ModelEntry(model="script.yaml", engine="scripted")
    return open_scripted(resolve_scripted("policy", entry, ModelPlacement(), folder), no_progress)


def ask(seed: int, max_tokens: int = 512) -> GenerateRequest:
    return GenerateRequest(f"r{seed}", Prompt("Hello"), Sampling(max_tokens=max_tokens), seed)


def test_a_paced_model_takes_its_time_and_says_what_echo_says(tmp_path: Path) -> None:
    started = time.monotonic()
    model = opened(tmp_path, "pace: {startup_s: 0.02, tokens_per_s: 4000, max_num_seqs: 8}")
    assert time.monotonic() - started >= 0.02
    generator = model.generator
    assert model.spec.continuous
    results = generator.generate([ask(seed) for seed in range(20)])
    labels = generator.label_probs([LabelRequest("l", Prompt("Hello"), ("A", "B"))])
    echo = opened(tmp_path, "{}").generator
    assert results == echo.generate([ask(seed) for seed in range(20)])
    assert labels == echo.label_probs([LabelRequest("l", Prompt("Hello"), ("A", "B"))])
    tokens = sum(result.n_tokens for result in results if isinstance(result, Generation))
    assert generator.pacer.busy_slot_s == pytest.approx((tokens + 1) * 8 / 4000)  # type: ignore[attr-defined]


def test_failed_requests_hold_no_slot(tmp_path: Path) -> None:
    model = opened(tmp_path, "{pace: {tokens_per_s: 10_000}, rules: [{fail: server}]}")
    model.generator.generate([ask(seed) for seed in range(100)])
    assert model.generator.pacer.busy_slot_s == 0  # type: ignore[attr-defined]


def test_answers_have_the_length_that_is_drawn(tmp_path: Path) -> None:
    generator = opened(tmp_path, "answer_tokens: {min: 4, max: 400}").generator
    requests = [ask(n * 2**63 // 50, max_tokens=100) for n in range(50)]
    results = generator.generate(requests)
    assert all(isinstance(result, Generation) for result in results)
    drawn = [Lengths(min=4, max=400).draw(request.seed) for request in requests]
    found = [(r.n_tokens, r.finish_reason) for r in results if isinstance(r, Generation)]
    assert found == [(n, "stop") if n <= 100 else (100, "length") for n in drawn]
    assert min(drawn) < 100 < max(drawn)
    assert results == generator.generate(requests)


@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(0, 2**63 - 1))
def test_lengths_stay_within_their_bounds(least: int, more: int, seed: int) -> None:
    assert least <= Lengths(min=least, max=least + more).draw(seed) <= least + more


def test_lengths_spread_over_the_logarithm() -> None:
    seeds = [n * 2**63 // 1000 for n in range(1000)]
    drawn = [Lengths(min=10, max=1000).draw(seed) for seed in seeds]
    assert (drawn[0], drawn[500], max(drawn)) == (10, 100, 995)
    assert drawn == sorted(drawn)


def test_a_record_tells_what_each_engine_did(tmp_path: Path) -> None:
    script = """
        answer_tokens: {min: 10, max: 10}
        pace: {tokens_per_s: 4000, max_num_seqs: 4, record: true}
        """
    for _ in range(2):
        generator = opened(tmp_path, script).generator
        generator.generate([ask(seed) for seed in range(8)])
        generator.close()
    with (tmp_path / "script.marks" / "engines.jsonl").open() as file:
        lines = [json.loads(line) for line in file]
    last = {line["opened"]: line for line in lines}
    assert len(last) == 2
    for line in last.values():
        assert line["closed"]
        assert line["busy_slot_s"] == pytest.approx(80 * 4 / 4000)
        assert line["opened"] + 80 / 4000 <= line["busy_until"] <= line["seen"]
    assert not next(line for line in lines)["closed"]
