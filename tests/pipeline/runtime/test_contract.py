"""Stages are held to what they declare."""

from typing import Any

import pyarrow as pa
import pytest

from pipeline.runtime.contract import check_survivors, project, settle
from schemas.batch import Batch, Reject, make_batch
from schemas.columns import LINEAGE, MESSAGES, RESPONSES, ROW_ID, SCORES, SOURCE, Column
from schemas.errors import ContractError
from schemas.stage import Stage, StageConfig
from schemas.types import INT

SIZE = Column("size", INT, "for tests")


def stage(**changes: Any) -> Stage[StageConfig]:
    record: dict[str, Any] = {
        "name": "tested",
        "version": 1,
        "summary": "s",
        "config": StageConfig,
        "run": lambda batch, config, context: batch,
        "effect": "map",
        "reads": (SOURCE,),
        "writes": (SIZE,),
    }
    return Stage(**{**record, **changes})


def incoming(n: int = 2) -> pa.Table:
    rows = [{"row_id": f"r{i}", "lineage": [], "source": f"s{i}"} for i in range(n)]
    return make_batch([ROW_ID, LINEAGE, SOURCE], rows).table


def sized(*rows: tuple[str, int], rejects: tuple[Reject, ...] = ()) -> Batch:
    listed = [{"row_id": row_id, "size": size} for row_id, size in rows]
    return make_batch([ROW_ID, SIZE], listed, rejects)


def test_a_stage_sees_what_it_declares_and_nothing_else() -> None:
    seen = project(incoming(), stage(extends=(SCORES,)))
    assert seen.column_names == ["row_id", "source", "scores"]
    assert seen["scores"].to_pylist() == [[], []]


def test_what_is_optional_and_was_not_made_comes_as_nulls() -> None:
    maybe = Column("maybe", INT, "for tests", nullable=True)
    seen = project(incoming(), stage(optional=(maybe,)))
    assert seen["maybe"].to_pylist() == [None, None]
    assert seen.schema.field("maybe").type == pa.int64()
    made = incoming().append_column("maybe", pa.array([1, None]))
    assert project(made, stage(optional=(maybe,)))["maybe"].to_pylist() == [1, None]


def test_reading_a_column_that_is_not_there_names_it() -> None:
    with pytest.raises(ContractError, match="`messages`"):
        project(incoming(), stage(reads=(MESSAGES,)))


def test_rows_are_joined_by_id_not_by_position() -> None:
    joined = settle(incoming(), sized(("r1", 11), ("r0", 10)), stage())
    assert joined.select(["row_id", "size", "source"]).to_pylist() == [
        {"row_id": "r1", "size": 11, "source": "s1"},
        {"row_id": "r0", "size": 10, "source": "s0"},
    ]


def test_a_rejected_row_is_accounted_for() -> None:
    batch = sized(("r0", 1), rejects=(Reject("r1", "bad", "m"),))
    assert settle(incoming(), batch, stage()).num_rows == 1


def test_rejecting_one_answer_keeps_the_row() -> None:
    batch = sized(("r0", 1), ("r1", 1), rejects=(Reject("r1", "bad", "m", "", "x"),))
    assert settle(incoming(), batch, stage()).num_rows == 2


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (sized(("r0", 1)), "lost 1 of 2 rows"),
        (sized(("r0", 1), ("r1", 1), ("r9", 1)), "r9, which never came"),
        (sized(("r0", 1), ("r0", 2), ("r1", 1)), "more than once"),
        (sized(("r0", 1), ("r1", 1), rejects=(Reject("r1", "bad", "m"),)), "kept and rejected"),
        (Batch(pa.table({"row_id": ["r0", "r1"]})), "returned columns"),
        (Batch(pa.table({"row_id": ["r0", "r1"], "size": ["1", "2"]})), "string instead of int64"),
        (
            Batch(pa.table({"row_id": ["r0", "r1"], "size": pa.array([1, None], pa.int64())})),
            "nulls",
        ),
    ],
)
def test_a_broken_promise_is_named(batch: Batch, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        settle(incoming(), batch, stage())


def test_nulls_are_found_inside_lists_and_structs() -> None:
    table = make_batch([ROW_ID, LINEAGE], [{"row_id": "r0", "lineage": []}]).table
    broken = pa.array([[{"stage": None, "row_id": "x"}]], type=table["lineage"].type)
    table = table.set_column(1, table.schema.field("lineage"), broken)
    with pytest.raises(ContractError, match=r"lineage.*stage.*nulls"):
        settle(incoming(1), Batch(table), stage(writes=(LINEAGE,)))


def test_children_carry_their_parents_columns() -> None:
    children = [
        {"row_id": f"c{i}", "size": i, "lineage": [{"stage": "tested", "row_id": "r1"}]}
        for i in range(2)
    ]
    batch = make_batch([ROW_ID, SIZE, LINEAGE], children, [Reject("r0", "none", "m")])
    joined = settle(incoming(), batch, stage(effect="expand", writes=(SIZE, LINEAGE)))
    assert joined["source"].to_pylist() == ["s1", "s1"]


def test_dropped_columns_do_not_pass_by() -> None:
    joined = settle(incoming(), sized(("r0", 1), ("r1", 1)), stage(drops=(SOURCE, RESPONSES)))
    assert joined.column_names == ["row_id", "size", "lineage"]


def test_a_dataset_pass_may_only_drop_rows() -> None:
    table = incoming()
    kept = Batch(table.slice(0, 1), (Reject("r1", "repeated", "same as r0"),))
    check_survivors(table, kept, stage())
    with pytest.raises(ContractError, match="lost 1"):
        check_survivors(table, Batch(table.slice(0, 1)), stage())
