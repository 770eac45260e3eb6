"""What is counted, and when a guess has ground."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.tally import COMPILING, StepTally, Tally
from tests.pipeline.runtime.seen import TOTAL, Clock, keyed, part


def opened(clock: Clock, *names: str, parts: int = 10, done: int = 0) -> Tally:
    tally = Tally(clock)
    for number, name in enumerate(names):
        tally.opened(keyed(name, number=number), parts, done, None)
    return tally


def test_a_step_is_active_from_its_first_sign_of_work_to_its_end() -> None:
    tally = opened(Clock(), "respond", "judge")
    assert [step.active for step in tally.steps] == [False, False]
    tally.tell({"task": "respond/run/0", "loading": "policy:smol"})
    tally.part_done(keyed("judge"), part(0))
    assert [step.active for step in tally.steps] == [True, True]
    tally.closed(keyed("judge"), TOTAL)
    assert [step.active for step in tally.steps] == [True, False]


def test_a_step_says_that_its_kernels_are_compiled_until_they_are() -> None:
    tally = opened(Clock(), "zipfit")
    step = tally.step("zipfit")
    tally.tell({"task": "zipfit/sketch/0", "compiling": True})
    assert (step.active, step.doing) == (True, COMPILING)
    tally.tell({"task": "zipfit/sketch/0", "compiling": False})
    assert (step.active, step.doing) == (True, "")


def test_a_dataset_pass_says_where_it_is_and_begins_with_its_first_sketch() -> None:
    clock = Clock()
    tally = opened(clock, "dedup", parts=4)
    step, key = tally.step("dedup"), keyed("dedup")
    assert step.progress == "0/4 parts"
    clock.now += 3
    tally.passed(key, "sketch", 1, 2.0)
    assert (step.active, step.progress) == (True, "1/4 parts sketched")
    tally.passed(key, "sketch", 4, 0.5)
    assert step.progress == "deciding on 4 parts"
    clock.now += 50
    tally.passed(key, "decide", 4, 49.0)
    assert step.progress == "0/4 parts"
    clock.now += 1
    tally.part_done(key, part(0, s=0.5))
    assert step.progress == "1/4 parts"
    assert step.left_s(clock()) == 3.0, "at the pace since the decision"
    assert step.wall_s(clock()) == 53.0


def test_another_round_of_a_dataset_pass_sketches_again() -> None:
    clock = Clock()
    tally = opened(clock, "zipfit", parts=2)
    step, key = tally.step("zipfit"), keyed("zipfit")
    tally.passed(key, "sketch", 2, 1.0)
    tally.passed(key, "decide", 2, 1.0)
    tally.passed(key, "sketch", 0, None)
    assert step.progress == "0/2 parts sketched"
    tally.passed(key, "sketch", 2, 1.0)
    assert step.progress == "deciding on 2 parts"


def test_what_an_earlier_run_did_of_a_dataset_pass_takes_no_time() -> None:
    tally = opened(Clock(), "deita", parts=3)
    step, key = tally.step("deita"), keyed("deita")
    tally.passed(key, "run", 2, None)
    assert (step.active, step.progress) == (False, "2/3 parts drafted")
    tally.passed(key, "sketch", 1, None)
    assert (step.active, step.progress) == (False, "1/3 parts sketched")


def test_wall_time_begins_with_a_part_that_nobody_told_of() -> None:
    clock = Clock()
    tally = opened(clock, "pair")
    clock.now += 60  # waits for the steps before it
    tally.part_done(keyed("pair"), part(0, s=2.0))
    clock.now += 3
    tally.closed(keyed("pair"), TOTAL)
    clock.now += 100
    assert tally.step("pair").wall_s(clock()) == 5.0


def test_steps_that_are_worked_on_together_are_counted_apart() -> None:
    tally = opened(Clock(), "respond", "judge")
    tally.tell({"task": "respond/run/0", "expect": 40})
    tally.tell({"task": "judge/run/0", "expect": 4})
    tally.tell({"task": "respond/run/0", "requests": 10, "tokens": 500})
    respond, judge = tally.steps
    assert (respond.expected, respond.served, respond.told_tokens) == (40, 10, 500)
    assert (judge.expected, judge.served, judge.told_tokens) == (4, 0, 0)


def test_no_guess_without_ground() -> None:
    clock = Clock()
    tally = opened(clock, "respond", parts=10)
    step = tally.step("respond")
    assert step.left_s(clock()) is None
    for number in range(2):
        tally.tell({"task": f"respond/run/{number}", "expect": 50})
    clock.now += 10
    tally.tell({"task": "respond/run/0", "requests": 9})
    assert step.left_s(clock()) is None, "the first to end say little"
    tally.tell({"task": "respond/run/1", "requests": 16})
    # A quarter of two of ten parts took 10 s: 20 times that is all of it.
    assert step.left_s(clock()) == pytest.approx(190)


def test_parts_that_were_done_before_are_not_part_of_the_pace() -> None:
    clock = Clock()
    tally = opened(clock, "pair", parts=10, done=5)
    clock.now += 4
    tally.part_done(keyed("pair"), part(5, s=4.0))
    assert tally.step("pair").left_s(clock()) == pytest.approx(16)


def test_a_lost_part_asks_again() -> None:
    tally = opened(Clock(), "respond")
    tally.tell({"task": "respond/run/3", "expect": 20})
    tally.tell({"task": "respond/run/3", "requests": 15, "tokens": 300})
    tally.part_lost(keyed("respond"), 3, "died", True)
    step = tally.step("respond")
    assert (step.expected, step.served, step.parts_lost) == (0, 0, 1)
    assert (step.told_requests, step.told_tokens) == (15, 300), "it was served all the same"
    tally.tell({"task": "respond/run/3", "expect": 20})
    assert step.expected == 20


def test_what_is_told_of_unknown_steps_is_let_go() -> None:
    tally = opened(Clock(), "respond")
    tally.tell({"task": "other/run/0", "expect": 20})
    assert [step.expected for step in tally.steps] == [0]


what = st.sampled_from(["expect", "requests", "done", "lost"])
messages = st.lists(st.tuples(st.integers(0, 3), what, st.integers(1, 9)), max_size=40)


@given(messages)
def test_whatever_happens_counts_stay_sane(story: list[tuple[int, str, int]]) -> None:
    clock = Clock()
    step = StepTally("respond", parts=4)
    for number, what, n in story:
        clock.now += 1
        if what == "done":
            step.done(part(number), clock())
        elif what == "lost":
            step.lost(number)
        else:
            step.take(number, {what: n}, clock())
        left = step.left_s(clock())
        assert left is None or left >= 0
        assert step.expected >= 0
        assert step.wall_s(clock()) >= 0
