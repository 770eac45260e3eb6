"""Bodies and label probabilities, without a server."""

from __future__ import annotations

import math

import pytest

from pipeline.engines.openai_calls import check_structure, finished, label_probs, sampling_body
from pipeline.engines.openai_http import RequestFailed
from schemas.models import GenerateRequest, Prompt, Sampling, Structure


def request(**sampling: object) -> GenerateRequest:
    return GenerateRequest("r", Prompt("p"), Sampling(**sampling), seed=11)  # type: ignore[arg-type]


def test_a_plain_server_gets_plain_fields_only() -> None:
    body = sampling_body(request(temperature=0.5, max_tokens=3), extended=False)
    assert body == {"temperature": 0.5, "top_p": 1.0, "max_tokens": 3, "seed": 11}


def test_vllm_gets_every_field_so_that_the_models_defaults_stay_out() -> None:
    body = sampling_body(request(), extended=True)
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (0, 0.0, 1.0)


def test_an_extension_that_changes_the_text_is_sent_to_anyone() -> None:
    body = sampling_body(request(top_k=5, stop=("\n",), stop_token_ids=(2,)), extended=False)
    assert (body["top_k"], body["stop"], body["stop_token_ids"]) == (5, ["\n"], [2])
    assert "min_p" not in body


@pytest.mark.parametrize(
    ("structure", "field"),
    [
        (Structure(choices=("a", "b")), {"structured_outputs": {"choice": ["a", "b"]}}),
        (Structure(regex="a+"), {"structured_outputs": {"regex": "a+"}}),
    ],
)
def test_structure_is_asked_for(structure: Structure, field: dict[str, object]) -> None:
    assert sampling_body(request(structure=structure), extended=False).items() >= field.items()


def test_a_schema_that_is_no_json_is_refused_here() -> None:
    with pytest.raises(RequestFailed, match="is no JSON"):
        sampling_body(request(structure=Structure(json_schema="{")), extended=False)


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        ("c", Structure(choices=("a", "b"))),
        ("aab", Structure(regex="a+")),
        ("{", Structure(json_schema='{"type": "object"}')),
    ],
)
def test_a_server_that_ignores_structure_is_found_out(text: str, structure: Structure) -> None:
    with pytest.raises(RequestFailed, match="breaks the structure"):
        check_structure(text, "stop", structure)
    check_structure(text, "length", structure)  # cut short: no fault of the server


def test_kept_structure_passes() -> None:
    check_structure("b", "stop", Structure(choices=("a", "b")))
    check_structure("aaa", "stop", Structure(regex="a+"))
    check_structure("{}", "stop", Structure(json_schema='{"type": "object"}'))


def test_only_two_ways_of_finishing_are_known() -> None:
    assert (finished("stop"), finished("length")) == ("stop", "length")
    with pytest.raises(RequestFailed, match="content_filter"):
        finished("content_filter")


TOP = [("A", math.log(0.6)), (" A", math.log(0.1)), ("B", math.log(0.25))]
AB = {"A": "A", "B": "B"}


def test_labels_are_looked_up_exactly() -> None:
    assert label_probs(AB, TOP) == pytest.approx((0.6, 0.25))


def test_a_token_listed_twice_counts_twice() -> None:
    assert label_probs(AB, [*TOP, ("B", math.log(0.05))]) == pytest.approx((0.6, 0.3))


def test_an_absent_label_is_no_zero() -> None:
    # 0.05 is left over, and the least listed token has 0.1: C may have up to 0.05.
    with pytest.raises(RequestFailed, match=r"'C' .* up to 0\.05") as caught:
        label_probs({**AB, "C": "C"}, TOP)
    assert caught.value.kind == "no_logprobs"


@pytest.mark.parametrize(
    "top",
    [
        [("A", math.log(0.7)), ("B", math.log(0.29995))],  # the rest is 0.00005
        [("A", math.log(0.3)), ("x", math.log(0.00009))],  # each further token has less
    ],
)
def test_an_absent_label_that_can_have_next_to_nothing_is_zero(
    top: list[tuple[str, float]],
) -> None:
    assert label_probs({"A": "A", "C": "C"}, top)[1] == 0.0


def test_no_list_is_no_label() -> None:
    with pytest.raises(RequestFailed, match="no log-probabilities") as caught:
        label_probs(AB, [])
    assert caught.value.kind == "no_logprobs"


def test_rounding_never_carries_the_sum_above_one() -> None:
    assert sum(label_probs(AB, [("A", 1e-6), ("B", math.log(0.01))])) <= 1.0
