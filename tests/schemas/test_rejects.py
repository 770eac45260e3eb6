"""Codes of failures, and rows that nothing could be had for."""

import pytest

from schemas.batch import Reject
from schemas.models import Failure, FailureKind
from schemas.rejects import engine_code, is_engine_code, is_engine_failure, lost_row


@pytest.mark.parametrize(
    ("kind", "counts"),
    [("timeout", True), ("server", True), ("context_length", False), ("bad_request", False)],
)
def test_an_engines_fault_is_told_from_the_rows_own(kind: FailureKind, counts: bool) -> None:
    code = engine_code(Failure("r", kind, "m"))
    assert code == f"engine_{kind}"
    assert is_engine_code(code)
    assert is_engine_failure(Reject("r", code, "m")) == counts


def lost(*codes: str) -> Reject:
    causes = [Reject("r", code, "m", response_id="a") for code in codes]
    return lost_row("r", causes, code="no_score", what="parts held", nothing="none", raw="text")


def test_a_lost_row_has_the_code_of_an_engine_failure_if_there_is_one() -> None:
    assert lost("same_text", "engine_timeout").code == "engine_timeout"
    assert lost("same_text", "low_mass").code == "no_score"


def test_a_lost_row_says_why() -> None:
    assert lost("b", "a", "b").message == "none of its 3 parts held: a, b"
    assert lost().message == "none of its 0 parts held: none"
