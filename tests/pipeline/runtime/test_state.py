"""The run's state machine, event by event."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.state import (
    Close,
    Closed,
    Decide,
    Decided,
    Died,
    Done,
    End,
    Failed,
    Open,
    Opened,
    RunState,
    Shape,
    Started,
    StopAsked,
    Submit,
)

ONE_PASS = Shape(two_pass=False)
TWO_PASS = Shape(two_pass=True)


def test_a_step_is_opened_worked_on_and_closed() -> None:
    run = RunState([ONE_PASS], slots=2)
    assert run.handle(Started()) == [Open(0)]
    assert run.handle(Opened(0, parts=3)) == [Submit(0, "run", 0), Submit(0, "run", 1)]
    assert run.handle(Done(0, "run", 1)) == [Submit(0, "run", 2)]
    assert run.handle(Done(0, "run", 0)) == []
    assert run.handle(Done(0, "run", 2)) == [Close(0)]
    assert run.handle(Closed(0)) == [End("finished")]


def test_complete_steps_and_committed_parts_are_not_done_again() -> None:
    run = RunState([ONE_PASS, ONE_PASS], slots=4)
    run.handle(Started())
    assert run.handle(Opened(0, parts=0, complete=True)) == [Open(1)]
    assert run.handle(Opened(1, parts=3, done=frozenset({0, 2}))) == [Submit(1, "run", 1)]


def test_a_step_with_every_part_committed_is_closed_at_once() -> None:
    run = RunState([ONE_PASS], slots=1)
    run.handle(Started())
    assert run.handle(Opened(0, parts=2, done=frozenset({0, 1}))) == [Close(0)]


def test_a_dataset_pass_goes_through_its_parts_three_times() -> None:
    run = RunState([TWO_PASS], slots=9)
    run.handle(Started())
    assert run.handle(Opened(0, parts=1)) == [Submit(0, "run", 0)]
    assert run.handle(Done(0, "run", 0)) == [Submit(0, "sketch", 0)]
    assert run.handle(Done(0, "sketch", 0)) == [Decide(0)]
    assert run.handle(Decided(0)) == [Submit(0, "apply", 0)]
    assert run.handle(Done(0, "apply", 0)) == [Close(0)]


def test_a_dataset_pass_resumes_from_its_drafts() -> None:
    run = RunState([TWO_PASS], slots=9)
    run.handle(Started())
    opened = Opened(0, parts=2, drafted=frozenset({0, 1}), done=frozenset({1}))
    assert run.handle(opened) == [Submit(0, "sketch", 0), Submit(0, "sketch", 1)]
    run.handle(Done(0, "sketch", 0))
    assert run.handle(Done(0, "sketch", 1)) == [Decide(0)]
    assert run.handle(Decided(0)) == [Submit(0, "apply", 0)]


def test_a_part_that_kills_its_worker_is_tried_once_more_then_set_aside() -> None:
    run = RunState([ONE_PASS], slots=1)
    run.handle(Started())
    run.handle(Opened(0, parts=2))
    assert run.handle(Died(0, "run", 0)) == [Submit(0, "run", 0)]
    assert run.handle(Died(0, "run", 0)) == [Submit(0, "run", 1)], "the others go on"
    assert run.handle(Done(0, "run", 1)) == [End("quarantined", ((0, 0),))]


def test_stopping_waits_for_what_is_in_flight_and_begins_nothing() -> None:
    run = RunState([ONE_PASS], slots=2)
    run.handle(Started())
    run.handle(Opened(0, parts=4))
    assert run.handle(StopAsked()) == []
    assert run.handle(Done(0, "run", 0)) == []
    assert run.handle(Done(0, "run", 1)) == [End("interrupted")]


def test_a_failure_ends_the_run_after_what_is_in_flight() -> None:
    run = RunState([ONE_PASS], slots=2)
    run.handle(Started())
    run.handle(Opened(0, parts=4))
    assert run.handle(Failed(0, "run", 0)) == []
    assert run.handle(Done(0, "run", 1)) == [End("failed")]


def test_a_step_without_parts_is_closed() -> None:
    run = RunState([TWO_PASS], slots=1)
    run.handle(Started())
    assert run.handle(Opened(0, parts=0)) == [Decide(0)]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=3),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_whatever_the_order_each_part_is_done_exactly_once_and_no_slot_is_overbooked(
    steps: list[tuple[int, bool]], slots: int, random: object
) -> None:
    run = RunState([Shape(two_pass) for _, two_pass in steps], slots)
    instructions = run.handle(Started())
    in_flight: list[Submit] = []
    finished: list[Submit] = []
    while True:
        event: object = None
        for instruction in instructions:
            match instruction:
                case Open(step):
                    event = Opened(step, steps[step][0])
                case Submit():
                    in_flight.append(instruction)
                case Decide(step):
                    event = Decided(step)
                case Close(step):
                    event = Closed(step)
                case End(reason):
                    assert reason == "finished"
                    phases = {True: ("run", "sketch", "apply"), False: ("run",)}
                    expected = [
                        Submit(step, phase, part)
                        for step, (parts, two_pass) in enumerate(steps)
                        for phase in phases[two_pass]
                        for part in range(parts)
                    ]
                    assert sorted(map(str, finished)) == sorted(map(str, expected))
                    return
        assert len(in_flight) <= slots
        if event is None:
            done = in_flight.pop(random.randrange(len(in_flight)))  # type: ignore[attr-defined]
            finished.append(done)
            event = Done(done.step, done.phase, done.part)
        instructions = run.handle(event)  # type: ignore[arg-type]
