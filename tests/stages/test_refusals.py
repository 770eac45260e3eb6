from __future__ import annotations

import pytest

from stages._refusals import REFUSALS, refusal_opening


@pytest.mark.parametrize("opening", REFUSALS)
def test_every_opening_is_found_in_any_case(opening: str) -> None:
    assert refusal_opening(f"  {opening.upper()} x", REFUSALS) is not None


def test_a_mention_is_no_refusal() -> None:
    assert refusal_opening("He said: I'm sorry, but I can't.", REFUSALS) is None
