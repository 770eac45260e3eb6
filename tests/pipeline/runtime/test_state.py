"""The run's state machine, event by event."""

import random as randomness
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.moves import (
    Broken,
    Close,
    Closed,
    Decided,
    Died,
    Done,
    End,
    Event,
    Failed,
    GiveUp,
    Instruction,
    Open,
    Opened,
    Pack,
    Packing,
    Staff,
    Started,
    StopAsked,
    Submit,
    Workers,
)
from pipeline.runtime.state import RunState, Shape

ALONE = Shape()


def chain(*shapes: Shape) -> list[Shape]:
    """Each step takes the rows of the one before."""
    linked = [replace(s, parent=number - 1 if number else None) for number, s in enumerate(shapes)]
    return linked


def opened(shapes: Sequence[Shape], *found: Opened, workers: int = 1) -> list[Instruction]:
    """A machine with its folders looked at and its workers there, and what it says then."""
    global run
    run = RunState(shapes)
    assert run.handle(Started()) == [Open(0)]
    for event in found[:-1]:
        assert run.handle(event) == [Open(event.step + 1)]
    assert run.handle(found[-1]) == [Staff()]
    for group in sorted({shape.group for shape in shapes})[:-1]:
        run.handle(Workers(group, workers))
    return run.handle(Workers(sorted({shape.group for shape in shapes})[-1], workers))


run = RunState([ALONE])


def test_a_step_is_opened_worked_on_packed_and_closed() -> None:
    assert opened([Shape(lanes=2)], Opened(0, parts=3)) == [
        Submit(0, "run", 0),
        Submit(0, "run", 1),
    ]
    assert run.handle(Done(0, "run", 1)) == [Submit(0, "run", 2)]
    assert run.handle(Done(0, "run", 0)) == []
    assert run.handle(Done(0, "run", 2)) == [Pack(0)]
    assert run.handle(Packing(0, segments=1)) == [Submit(0, "pack", 0)]
    assert run.handle(Done(0, "pack", 0)) == [Close(0)]
    assert run.handle(Closed(0)) == [End("finished")]


def test_nobody_is_called_to_work_when_there_is_none() -> None:
    machine = RunState(chain(ALONE, ALONE))
    machine.handle(Started())
    assert machine.handle(Opened(0, parts=2, complete=True)) == [Open(1)]
    assert machine.handle(Opened(1, parts=2, complete=True)) == [End("finished")]


def test_a_part_goes_on_to_the_next_step_before_the_others_are_through_the_first() -> None:
    assert opened(chain(Shape(lanes=2), Shape(lanes=2)), Opened(0, 3), Opened(1, 3)) == [
        Submit(0, "run", 0),
        Submit(0, "run", 1),
    ]
    assert run.handle(Done(0, "run", 1)) == [Submit(1, "run", 1)], "later steps first"
    assert run.handle(Done(1, "run", 1)) == [Submit(0, "run", 2)]


def test_a_model_waits_for_its_turn_on_the_same_workers() -> None:
    shapes = chain(Shape(turn=0), Shape(turn=1))
    assert opened(shapes, Opened(0, 2), Opened(1, 2)) == [Submit(0, "run", 0)]
    assert run.handle(Done(0, "run", 0)) == [Submit(0, "run", 1)]
    assert run.handle(Done(0, "run", 1)) == [Pack(0)]
    run.handle(Packing(0, 1))
    assert run.handle(Done(0, "pack", 0)) == [Close(0)]
    assert run.handle(Closed(0)) == [Submit(1, "run", 0)]


def test_a_model_with_workers_of_its_own_waits_for_nobody() -> None:
    shapes = chain(Shape(group="policy"), Shape(group="judge"))
    assert opened(shapes, Opened(0, 2), Opened(1, 2)) == [Submit(0, "run", 0)]
    assert run.handle(Done(0, "run", 0)) == [Submit(1, "run", 0), Submit(0, "run", 1)]


def test_a_step_is_closed_only_after_the_one_before() -> None:
    shapes = chain(Shape(lanes=3), Shape(lanes=3))
    opened(shapes, Opened(0, 1), Opened(1, 1))
    assert run.handle(Done(0, "run", 0)) == [Submit(1, "run", 0), Pack(0)]
    assert run.handle(Done(1, "run", 0)) == [], "rows of step 0 may still be taken back"
    run.handle(Packing(0, 1))
    run.handle(Done(0, "pack", 0))
    assert run.handle(Closed(0)) == [Pack(1)]


def test_committed_parts_are_not_done_again() -> None:
    shapes = chain(ALONE, Shape(lanes=4))
    found = Opened(1, parts=3, done=frozenset({0, 2}))
    assert opened(shapes, Opened(0, parts=3, complete=True), found) == [Submit(1, "run", 1)]


def test_a_dataset_pass_goes_through_its_parts_three_times() -> None:
    assert opened([Shape(decides=True)], Opened(0, parts=1)) == [Submit(0, "run", 0)]
    assert run.handle(Done(0, "run", 0)) == [Submit(0, "sketch", 0)]
    assert run.handle(Done(0, "sketch", 0)) == [Submit(0, "decide", 0)]
    assert run.handle(Decided(0)) == [Submit(0, "apply", 0)]
    assert run.handle(Done(0, "apply", 0)) == [Pack(0)]


def test_a_dataset_pass_may_go_in_rounds() -> None:
    opened([Shape(decides=True)], Opened(0, parts=1))
    run.handle(Done(0, "run", 0))
    run.handle(Done(0, "sketch", 0))
    assert run.handle(Decided(0, again=True)) == [Submit(0, "sketch", 0)]
    assert run.handle(Done(0, "sketch", 0)) == [Submit(0, "decide", 0)]
    assert run.handle(Decided(0)) == [Submit(0, "apply", 0)]


def test_a_stage_that_only_decides_sketches_parts_as_they_come() -> None:
    shapes = chain(Shape(), Shape(decides=True, runs=False))
    opened(shapes, Opened(0, parts=2), Opened(1, parts=2))
    assert run.handle(Done(0, "run", 0)) == [Submit(1, "sketch", 0)]
    assert run.handle(Done(1, "sketch", 0)) == [Submit(0, "run", 1)]
    assert run.handle(Done(0, "run", 1)) == [Submit(1, "sketch", 1), Pack(0)]
    assert run.handle(Done(1, "sketch", 1)) == [], "rows of step 0 may still be taken back"
    run.handle(Packing(0, 1))
    run.handle(Done(0, "pack", 0))
    assert run.handle(Closed(0)) == [Submit(1, "decide", 0)]


def test_a_dataset_pass_resumes_from_its_drafts() -> None:
    found = Opened(0, parts=2, drafted=frozenset({0, 1}), sketched=frozenset({1}))
    assert opened([Shape(decides=True, lanes=9)], found) == [Submit(0, "sketch", 0)]
    assert run.handle(Done(0, "sketch", 0)) == [Submit(0, "decide", 0)]


def test_a_dataset_pass_resumes_from_its_decision() -> None:
    found = Opened(0, parts=2, decided="final", done=frozenset({1}))
    assert opened([Shape(decides=True)], found) == [Submit(0, "apply", 0)]


def test_a_dataset_pass_resumes_in_the_middle_of_a_round() -> None:
    found = Opened(0, parts=2, decided="again", sketched=frozenset({1}))
    assert opened([Shape(decides=True)], found) == [Submit(0, "sketch", 0)]
    assert run.handle(Done(0, "sketch", 0)) == [Submit(0, "decide", 0)]


def test_a_part_that_kills_its_worker_is_tried_once_more_alone_then_set_aside() -> None:
    opened([ALONE], Opened(0, parts=2))
    assert run.handle(Died(0, "run", 0)) == [Submit(0, "run", 0, alone=True)]
    assert run.handle(Died(0, "run", 0)) == [Submit(0, "run", 1)], "the others go on"
    assert run.handle(Done(0, "run", 1)) == [End("quarantined", ((0, 0),))]


def test_the_recipe_may_allow_a_part_to_be_given_up() -> None:
    opened([ALONE], Opened(0, parts=1))
    run._may_give_up = 1
    run.handle(Died(0, "run", 0))
    assert run.handle(Died(0, "run", 0)) == [GiveUp(0, 0)]
    assert run.handle(Done(0, "run", 0)) == [Pack(0)]


def test_all_that_does_not_depend_on_a_part_set_aside_is_done_though_it_is_not_its_turn() -> None:
    opened(chain(Shape(turn=0), Shape(turn=1)), Opened(0, 2), Opened(1, 2))
    run.handle(Died(0, "run", 0))
    run.handle(Died(0, "run", 0))
    assert run.handle(Done(0, "run", 1)) == [Submit(1, "run", 1)]
    assert run.handle(Done(1, "run", 1)) == [End("quarantined", ((0, 0),))]


def test_stopping_waits_for_what_is_in_flight_and_begins_nothing() -> None:
    opened([Shape(lanes=2)], Opened(0, parts=4))
    assert run.handle(StopAsked()) == []
    assert run.handle(Done(0, "run", 0)) == []
    assert run.handle(Done(0, "run", 1)) == [End("interrupted")]


def test_a_failure_ends_the_run_after_what_is_in_flight() -> None:
    opened([Shape(lanes=2)], Opened(0, parts=4))
    assert run.handle(Failed(0, "run", 0)) == []
    assert run.handle(Done(0, "run", 1)) == [End("failed")]


def test_losses_end_the_run_before_anything_is_packed() -> None:
    opened([ALONE], Opened(0, parts=1))
    assert run.handle(Done(0, "run", 0)) == [Pack(0)]
    assert run.handle(Broken(0)) == [End("failed")]


def test_more_workers_get_more_to_do() -> None:
    opened([ALONE], Opened(0, parts=5))
    assert run.handle(Workers("", 3)) == [Submit(0, "run", 1), Submit(0, "run", 2)]
    assert run.handle(Workers("", 1)) == []


def test_a_step_without_parts_is_closed() -> None:
    assert opened([Shape(decides=True)], Opened(0, parts=0)) == [Pack(0)]
    assert run.handle(Packing(0, 0)) == [Close(0)]


@dataclass
class World:
    """Answers a machine in any order, killing parts as it likes, and keeps the books."""

    shapes: list[Shape]
    parts: int
    workers: int
    random: randomness.Random
    queue: int = 0
    may_give_up: int = 0
    flights: list[Submit] = field(default_factory=list)
    answers: list[Event] = field(default_factory=list)
    done: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    deaths: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    given_up: int = 0

    def play(self) -> End:
        machine = RunState(self.shapes, self.may_give_up)
        instructions = machine.handle(Started())
        while True:
            for instruction in instructions:
                if isinstance(instruction, End):
                    assert not self.flights
                    return instruction
                self.take(instruction)
            self.check_room()
            instructions = machine.handle(self.next_event())

    def take(self, instruction: Instruction) -> None:
        match instruction:
            case Open(step):
                self.answers.append(Opened(step, self.parts))
            case Staff():
                groups = {shape.group for shape in self.shapes}
                self.answers += [Workers(group, self.workers) for group in sorted(groups)]
            case Submit(step, phase, part):
                parent = self.shapes[step].parent
                first = "run" if self.shapes[step].runs else "sketch"
                if phase == first and parent is not None:
                    last = "apply" if self.shapes[parent].decides else "run"
                    assert self.done[parent, last, part], "its rows are not there yet"
                self.flights.append(instruction)
            case GiveUp(step, part):
                self.given_up += 1
                self.done[step, "run", part] += 1
                self.answers.append(Done(step, "run", part))
            case Pack(step):
                self.answers.append(Packing(step, min(1, self.parts)))
            case Close(step):
                self.answers.append(Closed(step))

    def check_room(self) -> None:
        for group in {shape.group for shape in self.shapes}:
            members = [shape for shape in self.shapes if shape.group == group]
            here = [f for f in self.flights if self.shapes[f.step].group == group]
            most = max(shape.lanes for shape in members) + self.queue
            assert len(here) <= self.workers * most
            assert len({self.shapes[f.step].turn for f in here}) <= 1, "models take turns"

    def next_event(self) -> Event:
        if self.answers:
            return self.answers.pop(0)
        flight = self.flights.pop(self.random.randrange(len(self.flights)))
        where = (flight.step, flight.phase, flight.part)
        if flight.phase != "pack" and self.random.random() < 0.1 and not self.deaths[where]:
            self.deaths[where] += 1
            return Died(*where)
        assert flight.alone == bool(self.deaths[where])
        self.done[where] += 1
        if flight.phase == "decide":
            return Decided(flight.step)
        return Done(*where, self.queue)


def test_short_parts_are_submitted_ahead_until_the_phase_ends() -> None:
    machine = RunState([Shape(decides=True)])
    for event in (Started(), Opened(0, parts=6), Workers("", 1)):
        todo = machine.handle(event)
    assert todo == [Submit(0, "run", 0)]
    todo = machine.handle(Done(0, "run", 0, queue=2))
    assert todo == [Submit(0, "run", part) for part in (1, 2, 3)]
    assert machine.handle(Done(0, "run", 1)) == [], "longer than it seemed"
    for part in (2, 3, 4):
        machine.handle(Done(0, "run", part))
    assert machine.handle(Done(0, "run", 5, queue=9)) == [Submit(0, "sketch", 0)]


@given(
    st.lists(
        st.builds(
            Shape,
            decides=st.booleans(),
            group=st.sampled_from(("", "judge")),
            lanes=st.integers(1, 3),
        ).flatmap(
            lambda shape: st.builds(
                replace, st.just(shape), runs=st.booleans() if shape.decides else st.just(True)
            )
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 5),
    st.integers(1, 3),
    st.integers(0, 2),
    st.randoms(use_true_random=False),
)
def test_whatever_the_order_each_part_is_done_exactly_once(
    shapes: list[Shape], parts: int, workers: int, queue: int, random: randomness.Random
) -> None:
    shapes = [
        replace(s, turn=sum(o.group == s.group for o in shapes[:n]))
        for n, s in enumerate(chain(*shapes))
    ]
    world = World(shapes, parts, workers, random, queue)
    assert world.play() == End("finished")
    expected = {
        (step, phase, part): 1
        for step, shape in enumerate(shapes)
        for phase in ("run",) * shape.runs + ("sketch", "apply") * shape.decides
        for part in range(parts)
    }
    decided = {(step, "decide", 0): 1 for step, s in enumerate(shapes) if s.decides and parts}
    packed = {(step, "pack", 0): 1 for step in range(len(shapes)) if parts}
    assert world.done == expected | decided | packed
