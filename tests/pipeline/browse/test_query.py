import pytest

from pipeline.browse.query import Query, query_of, whole_number
from schemas.errors import InputError


def test_what_an_address_asks_for() -> None:
    asked = {
        "text": "stone",
        "config": "dpo",
        "minMargin": "0.5",
        "maxScore": "-1e3",
        "order": "-margin",
        "unknown": "x",
        "split": "",
    }
    assert query_of(asked) == Query(
        text="stone", config="dpo", min_margin=0.5, max_score=-1000.0, order="-margin"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"minMargin": "much"}, "minMargin: 'much' is not a number"),
        ({"minMargin": "nan"}, "is not a number"),
        ({"order": "place; DROP TABLE rows"}, "order: .* is none of"),
        ({"marks": "some"}, "marks: 'some' is none of"),
        ({"text": "x" * 1001}, "1,001 characters"),
    ],
)
def test_a_wrong_value_is_refused(asked: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        query_of(asked)


def test_values_are_bound() -> None:
    evil = "' OR 1=1 --"
    sql, values = Query(source=evil, config=evil, min_margin=0.5).sql()
    assert evil not in sql
    assert values == [evil, evil, 0.5]


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "11", "9" * 40, "²"])
def test_a_count_is_a_whole_number_in_its_bounds(text: str) -> None:
    assert whole_number({}, "limit", 5, 10) == 5
    assert whole_number({"limit": "10"}, "limit", 5, 10) == 10
    with pytest.raises(InputError, match="not a whole number from 0 to 10"):
        whole_number({"limit": text}, "limit", 5, 10)
