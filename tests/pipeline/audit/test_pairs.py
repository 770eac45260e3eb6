"""The same pair is the same from wherever it comes."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.pairs import merge
from tests.pipeline.audit.samples import pair


def test_what_others_say_is_turned_to_the_pairs_own_order() -> None:
    ours = pair(1.0, models=("a", None))
    theirs = pair(None, first="two ", second=" one", verdicts={"judge": 1.0}, models=("b", "c"))
    (merged,) = merge([ours], [theirs])
    assert merged.verdicts == {"label": 1.0, "judge": 0.0}
    assert merged.models == ("a", "b")
    assert (merged.first, merged.second) == ("one", "two")


def test_other_pairs_stand_behind_and_repeated_ones_stay() -> None:
    other = pair(None, prompt="Who?", verdicts={"judge": 0.5})
    merged = merge([pair(), pair()], [other, pair(None, verdicts={"judge": 1.0})])
    assert [(p.prompt, dict(p.verdicts)) for p in merged] == [
        ("Why?", {"label": 1.0, "judge": 1.0}),
        ("Why?", {"label": 1.0, "judge": 1.0}),
        ("Who?", {"judge": 0.5}),
    ]


@given(st.text(), st.text(), st.sampled_from((0.0, 0.5, 1.0)))
def test_a_neutral_verdict_does_not_depend_on_the_order(one: str, two: str, verdict: float) -> None:
    forth = pair(verdict, first=one, second=two)
    back = pair(1 - verdict, first=two, second=one)
    assert forth.key == back.key
    if one.strip() != two.strip():
        assert forth.neutral("label") == back.neutral("label")
    assert forth.neutral("nobody") is None
