"""The loop, the worker and the store together, on small stages that need no model."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.folders import LocalFolder
from pipeline.recipe.plan import Plan, Step
from pipeline.runtime.executors import InlineExecutor, Outcome
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener
from pipeline.runtime.moves import Phase
from pipeline.runtime.reports import PartReport, StepReport
from pipeline.runtime.run import Runner
from pipeline.runtime.shapes import plain_shape
from pipeline.runtime.store import StepFolder
from schemas.batch import Batch, Reject, make_batch
from schemas.columns import LINEAGE, ROW_ID, SOURCE, Column
from schemas.errors import ContractError, Interrupted, TooManyLosses
from schemas.ids import digest
from schemas.recipe import Recipe
from schemas.stage import (
    Context,
    DatasetPass,
    Decision,
    PassContext,
    Positions,
    Records,
    Stage,
    StageConfig,
)
from schemas.types import INT

SIZE = Column("size", INT, "for tests")


class Config(StageConfig):
    rows: int = 10
    reject_code: str = ""
    raises: str = ""


def number_rows(batch: Batch, config: Config, context: Context) -> Batch:
    rows = [
        {"row_id": r["row_id"], "source": f"s{int(r['row_id'], 16) % 3}", "lineage": []}
        for r in batch.rows
    ]
    return make_batch([ROW_ID, SOURCE, LINEAGE], rows)


def measure(batch: Batch, config: Config, context: Context) -> Batch:
    CALLS.append(len(batch))
    if config.raises:
        raise ZeroDivisionError(config.raises)
    bad = {r["row_id"] for r in batch.rows if config.reject_code and r["source"] == "s0"}
    rows = [
        {"row_id": r["row_id"], "size": len(r["source"])}
        for r in batch.rows
        if r["row_id"] not in bad
    ]
    return make_batch([ROW_ID, SIZE], rows, [Reject(r, config.reject_code, "m") for r in bad])


def sources(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    SKETCHED.append(len(batch))
    return batch.table.select(["row_id", "source"])


def smallest(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    rows = sketches.to_pylist()
    firsts = {
        r["source"]: min(o["row_id"] for o in rows if o["source"] == r["source"]) for r in rows
    }
    stays = [firsts[r["source"]] == r["row_id"] for r in rows]
    table = sketches.select(["row_id"]).append_column("stays", [stays])
    return Decision(table, figures={"kept": sum(stays)}, notes=("said",))


def first_of_each(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    stays = decision.column("stays").to_pylist()
    ids = batch.table.column("row_id").to_pylist()
    rejects = [Reject(i, "repeated", "m") for i, stay in zip(ids, stays, strict=True) if not stay]
    return Batch(batch.table.filter(pa.array(stays, pa.bool_())), tuple(rejects))


def names_in_file(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    known = context.once("known", lambda: names_of(context))
    SKETCHED.append(len(batch))
    listed = [source in known for source in batch.table.column("source").to_pylist()]
    return batch.table.select(["row_id"]).append_column("listed", [listed])


def names_of(context: PassContext) -> set[str]:
    MADE.append(context.stage)
    return {json.loads(r)["name"] for r in context.given("names").column("raw_record").to_pylist()}


def three_rounds(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    before = context.before.column("n").to_pylist() if context.before else [0] * len(sketches)
    counts = [
        n + seen for n, seen in zip(before, sketches.column("listed").to_pylist(), strict=True)
    ]
    rows = sketches.select(["row_id"]).append_column("n", pa.array(counts, pa.int64()))
    TURNS.append(max(before, default=0))
    return Decision(rows, again=len(TURNS) % 3 != 0)


def counted(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    size = decision.column("n")
    rejects = tuple(
        Reject(i, "unlisted", "m")
        for i, n in zip(batch.table.column("row_id").to_pylist(), size.to_pylist(), strict=True)
        if not n
    )
    table = batch.table.select(["row_id"]).append_column("size", size)
    return Batch(table.filter(pc.greater(size, 0)), rejects)


CALLS: list[int] = []
SKETCHED: list[int] = []
MADE: list[str] = []
TURNS: list[int] = []
NUMBERS = Stage(
    "numbers", 1, "s", Config, number_rows, "source", writes=(SOURCE, LINEAGE),
    feed=lambda config: Positions(config.rows),
)  # fmt: skip
UNIQUE = Stage(
    "unique", 1, "s", Config, number_rows, "source", writes=(SOURCE, LINEAGE),
    feed=lambda config: Positions(config.rows),
    dataset_pass=DatasetPass(sources, smallest, first_of_each),
)  # fmt: skip
LISTED = Stage(
    "listed", 1, "s", Config, None, "filter", reads=(SOURCE,), writes=(SIZE,),
    dataset_pass=DatasetPass(names_in_file, three_rounds, counted),
    given=lambda config: {"names": Records("names.jsonl")},
)  # fmt: skip
SIZES = Stage("sizes", 1, "s", Config, measure, "filter", reads=(SOURCE,), writes=(SIZE,))
STAGES = {stage.name: stage for stage in (NUMBERS, UNIQUE, SIZES, LISTED)}


@dataclass
class Heard(Listener):
    """A listener that remembers."""

    lines: list[str] = field(default_factory=list)
    reports: dict[str, StepReport] = field(default_factory=dict)
    passes: list[tuple[str, int]] = field(default_factory=list)
    found: list[tuple[str, int]] = field(default_factory=list)

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        self.lines.append(f"{step.step.name} {'reused' if reused else f'{done}/{parts}'}")
        if reused:
            self.reports[step.step.name] = reused

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        pass

    def passed(self, step: KeyedStep, phase: Phase, parts: int, seconds: float | None) -> None:
        (self.found if seconds is None else self.passes).append((phase, parts))

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        self.lines.append(f"lost {step.step.name}/{part} {cause} {again}")

    def workers(self, live: int, dashboard: str | None) -> None:
        pass

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        self.reports[step.step.name] = report

    def warn(self, message: str) -> None:
        self.lines.append(f"warning {message}")

    def tick(self) -> None:
        pass


@pytest.fixture(autouse=True)
def stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtime.worker.find_stage", STAGES.__getitem__)
    for calls in (CALLS, SKETCHED, MADE, TURNS):
        calls.clear()


def recipe(part_rows: int) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "t",
            "seed": 7,
            "stages": [{"stage": "numbers"}],
            "export": [{"config": "dpo"}],
            "placement": {"workers": 0, "part_rows": part_rows},
        }
    )


def run(
    tmp_path: Path,
    *chain: tuple[Stage[Config], Config],
    part_rows: int = 4,
    stop_asked: Callable[[], bool] = lambda: False,
) -> tuple[Heard, list[KeyedStep]]:
    keyed: list[KeyedStep] = []
    for number, (stage, config) in enumerate(chain):
        key = digest(*(k.key for k in keyed), stage.name, config.model_dump_json())
        step = Step(number, stage.name, stage, config, ())
        feed = stage.feed(config) if stage.feed else None
        parent = number - 1 if number else None
        folder = StepFolder.at(LocalFolder(tmp_path), number, stage.name, key)
        keyed.append(KeyedStep(number, step, key, folder, parent, {}, feed, stage.given(config)))
    heard = Heard()
    plan = Plan(recipe(part_rows), tmp_path, (), ())
    shapes = [plain_shape(k) for k in keyed]
    Runner(plan, keyed, shapes, InlineExecutor, heard, stop_asked).run()
    return heard, keyed


def rows_of(step: KeyedStep) -> list[dict[str, Any]]:
    return [row for table in step.folder.tables() for row in table.to_pylist()]


def test_rows_flow_through_parts_and_are_accounted_for(tmp_path: Path) -> None:
    heard, steps = run(tmp_path, (NUMBERS, Config()), (SIZES, Config(reject_code="short")))
    sizes = heard.reports["sizes"]
    rejected = sum(int(row["row_id"], 16) % 3 == 0 for row in rows_of(steps[0]))
    assert 0 < rejected < 10
    assert (sizes.rows_in, sizes.rows_out, sizes.lost) == (10, 10 - rejected, rejected)
    assert sizes.rejects == {"short": rejected}
    assert CALLS == [4, 4, 2]


def test_the_rows_do_not_depend_on_the_size_of_parts(tmp_path: Path) -> None:
    chain = ((UNIQUE, Config()), (SIZES, Config()))
    _, small = run(tmp_path / "small", *chain, part_rows=3)
    _, large = run(tmp_path / "large", *chain, part_rows=100)
    assert rows_of(small[1]) == rows_of(large[1])


def test_a_dataset_pass_sees_all_parts(tmp_path: Path) -> None:
    heard, steps = run(tmp_path, (UNIQUE, Config()), part_rows=3)
    assert sorted(row["source"] for row in rows_of(steps[0])) == ["s0", "s1", "s2"]
    assert heard.reports["unique"].rejects == {"repeated": 7}
    assert steps[0].folder.manifest()["figures"] == {"kept": 3}
    assert "warning unique: said" in heard.lines
    assert sorted(heard.passes) == [
        ("decide", 4),
        *(("run", n) for n in range(1, 5)),
        *(("sketch", n) for n in range(1, 5)),
    ]
    left = {path.name for path in Path(steps[0].folder.folder.url).iterdir()}
    assert left == {"index", "layout.json", "manifest.json", "segment-00000.parts"}


LISTING = ((NUMBERS, Config()), (LISTED, Config()))


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.jsonl"
    path.write_text('{"name": "s0"}\n{"name": "s2"}\n')
    return path


def test_a_stage_that_only_decides_goes_in_rounds_with_its_file(
    tmp_path: Path, names: Path
) -> None:
    heard, steps = run(tmp_path, *LISTING)
    kept = {(row["source"], row["size"]) for row in rows_of(steps[1])}
    assert kept == {("s0", 3), ("s2", 3)}, "each of three rounds knows of the one before"
    assert heard.reports["listed"].rejects.keys() == {"unlisted"}
    assert SKETCHED == [4, 4, 2] * 3
    assert heard.passes == [("sketch", 1), ("sketch", 2), ("sketch", 3), ("decide", 3)] * 3
    assert heard.found == [("sketch", 0)] * 2, "before each of the rounds that follow"
    assert MADE == ["listed"], "made once for all parts and rounds"
    assert TURNS == [0, 1, 2]


@pytest.mark.parametrize("after", range(1, 12))
def test_a_dataset_pass_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, names: Path, after: int
) -> None:
    def asked() -> bool:
        return len(SKETCHED) + len(TURNS) >= after

    with pytest.raises(Interrupted):
        run(tmp_path, *LISTING, stop_asked=asked)
    names.unlink()  # what was given to the step is kept in its folder
    heard, steps = run(tmp_path, *LISTING)
    sketched = after % 4  # a round is three sketches and a decision
    assert heard.passes[0] == (("sketch", sketched + 1) if sketched < 3 else ("decide", 3))
    assert {(row["source"], row["size"]) for row in rows_of(steps[1])} == {("s0", 3), ("s2", 3)}
    assert sum(SKETCHED) == 30, "no part is sketched twice in a round"
    assert TURNS == [0, 1, 2], "nothing is decided twice"


def test_a_worker_that_dies_after_its_decision_costs_nothing(
    tmp_path: Path, names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sketches are gone by then."""
    died: list[str] = []

    class Dying(InlineExecutor):
        def wait(self, timeout_s: float) -> Outcome | None:
            outcome = super().wait(timeout_s)
            if outcome and outcome.task.phase == "decide" and len(died) < 1:
                died.append(outcome.task.id)
                return Outcome(outcome.task, died=True)
            return outcome

    monkeypatch.setitem(globals(), "InlineExecutor", Dying)
    _, steps = run(tmp_path, *LISTING)
    assert died == ["listed/decide/0"]
    assert TURNS == [0, 1, 2], "nothing is decided twice"
    assert {row["source"] for row in rows_of(steps[1])} == {"s0", "s2"}


def test_a_decision_on_rows_that_changed_is_made_again(tmp_path: Path, names: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, *LISTING, stop_asked=lambda: len(TURNS) == 1)
    folder = next(tmp_path.glob("01-listed-*"))
    assert (folder / "decision.json").exists()
    part = next((folder / "decisions-0").glob("*.part"))
    part.write_bytes(part.read_bytes()[:-1])
    _, steps = run(tmp_path, *LISTING)
    assert TURNS == [0, 0, 1], "the first round once more"
    assert {row["source"] for row in rows_of(steps[1])} == {"s0", "s2"}


def test_what_a_power_cut_took_of_a_dataset_pass_is_made_again(tmp_path: Path, names: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, *LISTING, stop_asked=lambda: len(SKETCHED) == 2)
    folder = next(tmp_path.glob("01-listed-*"))
    taken = [*(folder / "sketches-0").glob("*.part"), *(folder / "given").glob("*.part")]
    for file in taken:
        file.write_bytes(b"")
    assert len(taken) == 3
    rows = sum(SKETCHED)
    _, steps = run(tmp_path, *LISTING)
    assert sum(SKETCHED) == rows + 30, "both sketches once more"
    assert {row["source"] for row in rows_of(steps[1])} == {"s0", "s2"}


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    chain = ((NUMBERS, Config()), (SIZES, Config()))
    run(tmp_path, *chain)
    CALLS.clear()
    heard, _ = run(tmp_path, *chain)
    assert heard.lines == ["numbers reused", "sizes reused"]
    assert CALLS == []


def test_changing_the_last_stage_runs_only_the_last_stage(tmp_path: Path) -> None:
    run(tmp_path, (NUMBERS, Config()), (SIZES, Config()))
    heard, _ = run(tmp_path, (NUMBERS, Config()), (SIZES, Config(reject_code="short")))
    assert heard.lines == ["numbers reused", "sizes 0/3"]


def test_stopping_keeps_what_is_done_and_resuming_does_the_rest(tmp_path: Path) -> None:
    chain = ((NUMBERS, Config()), (SIZES, Config()))
    with pytest.raises(Interrupted):
        run(tmp_path, *chain, stop_asked=lambda: len(CALLS) == 1)
    assert CALLS == [4]
    heard, steps = run(tmp_path, *chain)
    assert heard.lines == ["numbers 1/3", "sizes 1/3"], "a part goes on as soon as it is made"
    assert CALLS == [4, 4, 2]
    _, fresh = run(tmp_path / "fresh", *chain)
    assert rows_of(steps[1]) == rows_of(fresh[1])


def test_a_damaged_part_is_noticed_and_made_again(tmp_path: Path) -> None:
    chain = ((NUMBERS, Config()), (SIZES, Config()))
    _, steps = run(tmp_path, *chain)
    before = rows_of(steps[1])
    path = Path(steps[1].folder.folder.url) / "segment-00000.parts"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    CALLS.clear()
    heard, steps = run(tmp_path, *chain)
    assert heard.lines[1].startswith("warning sizes: 1 parts are not as they were written")
    assert CALLS == [4]
    assert rows_of(steps[1]) == before


def test_an_error_in_a_stage_names_the_stage_and_the_part(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"`sizes`.*part 0.*ZeroDivisionError: oh"):
        run(tmp_path, (NUMBERS, Config()), (SIZES, Config(raises="oh")))


def test_too_many_engine_failures_end_the_run_and_are_tried_again(tmp_path: Path) -> None:
    chain = ((NUMBERS, Config()), (SIZES, Config(reject_code="engine_timeout")))
    with pytest.raises(TooManyLosses, match=r"`sizes` lost \d of 10 rows.*allows 10%"):
        run(tmp_path, *chain)
    CALLS.clear()
    with pytest.raises(TooManyLosses):
        run(tmp_path, *chain)
    assert CALLS, "parts with failures are made again"


def test_no_rows_are_no_trouble(tmp_path: Path) -> None:
    heard, _ = run(tmp_path, (UNIQUE, Config(rows=0)), (SIZES, Config()))
    assert heard.reports["sizes"].rows_out == 0
