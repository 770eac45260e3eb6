from __future__ import annotations

from dataclasses import replace

from pipeline.recipe.flow import Columns, column_shape, writers_of
from schemas.columns import CHOSEN, JUDGEMENTS, LINEAGE, MESSAGES, RESPONSES, ROW_ID, SCORES, Column
from schemas.types import FLOAT, STRING, Field, ListOf, Struct
from tests.pipeline.fakes import ANSWER, COUNT, MAKE, PAIR, SCORE, WRONG_RESPONSES


def names(columns: Columns) -> set[str]:
    return set(columns.present)


def test_columns_come_and_go() -> None:
    made = Columns().after(MAKE, "make")
    assert names(made) == {"row_id", "lineage", "messages"}
    answered = made.after(ANSWER, "answer")
    assert names(answered) == names(made) | {"responses"}
    scored = answered.after(SCORE, "score")
    assert names(scored) == names(answered) | {"scores"}
    paired = scored.after(PAIR, "pair")
    assert names(paired) == {"row_id", "lineage", "messages", "chosen", "rejected"}
    assert paired.dropped == {"responses": "pair", "scores": "pair"}


def test_what_is_made_again_is_not_missing() -> None:
    paired = Columns().after(MAKE, "m").after(ANSWER, "a").after(SCORE, "s").after(PAIR, "p")
    assert paired.after(ANSWER, "again").dropped == {"scores": "p"}


def test_row_id_and_lineage_are_always_there() -> None:
    assert Columns().after(MAKE, "make").present.keys() >= {ROW_ID.name, LINEAGE.name}


def test_missing_is_what_is_read_and_not_there() -> None:
    made = Columns().after(MAKE, "make")
    assert [column.name for column in made.missing(PAIR)] == ["responses", "scores"]
    assert made.missing(ANSWER) == []
    assert made.after_unknown().missing(PAIR) == []


def test_optional_and_extended_columns_are_never_missing() -> None:
    answered = Columns().after(MAKE, "make").after(ANSWER, "answer")
    assert answered.missing(SCORE) == []
    assert JUDGEMENTS.name not in answered.after(SCORE, "score").present
    assert answered.after(SCORE, "score").missing(PAIR) == []


def test_another_type_clashes() -> None:
    counted = Columns().after(MAKE, "make").after(COUNT, "count")
    assert counted.clashes(SCORE) == [(WRONG_RESPONSES, RESPONSES)]
    assert counted.missing(SCORE) == []


def test_a_reader_that_allows_null_takes_a_column_without_any() -> None:
    strict, loose = Column("c", STRING, ""), Column("c", STRING, "", nullable=True)
    for found, wanted, suits in ((strict, loose, True), (loose, strict, False)):
        reader = replace(SCORE, reads=(wanted,), optional=(), extends=())
        clashes = Columns({"c": found}).clashes(reader)
        assert clashes == ([] if suits else [(found, wanted)])


def test_shapes_see_null_and_depth_but_not_words() -> None:
    def column(nullable: bool, kind: Struct, doc: str = "") -> Column:
        return Column("c", ListOf(kind), doc, nullable)

    text = Struct((Field("x", STRING, "one thing"),))
    base = column_shape(column(False, text))
    assert (
        column_shape(column(False, Struct((Field("x", STRING, "said otherwise"),)), "doc")) == base
    )
    assert column_shape(column(True, text)) != base
    assert column_shape(column(False, Struct((Field("x", STRING, "", nullable=True),)))) != base
    assert column_shape(column(False, Struct((Field("x", FLOAT, ""),)))) != base


def test_writers() -> None:
    stages = (MAKE, ANSWER, SCORE, PAIR)
    found = {c.name: writers_of(c, stages) for c in (MESSAGES, SCORES, CHOSEN, JUDGEMENTS)}
    assert found == {
        "messages": ["make"],
        "scores": ["score"],
        "chosen": ["pair"],
        "judgements": [],
    }
