from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.engines.scripted import ScriptedGenerator
from schemas.batch import Batch, make_batch
from schemas.columns import MESSAGES, RESPONSES, ROW_ID
from schemas.ids import child_id, row_seed
from schemas.models import Failure, GenerateRequest, Generation
from stages.respond import STAGE, Config
from tests.support import FakeContext


class Recorder(ScriptedGenerator):
    """Keeps what it was asked, call by call."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__(answer or (lambda request: "yes"))
        self.calls: list[list[GenerateRequest]] = []

    def generate(self, requests: Any) -> list[Generation | Failure]:
        self.calls.append(list(requests))
        return super().generate(requests)


def prompts(*ids: str, responses: Any = ()) -> Batch:
    talk = [{"role": "system", "content": "old"}, {"role": "user", "content": "hi"}]
    rows = [{"row_id": i, "messages": talk, "responses": list(responses)} for i in ids]
    return make_batch((ROW_ID, MESSAGES, RESPONSES), rows)


def settings(**values: Any) -> Config:
    return Config.model_validate({"model": "policy", **values})


def run(batch: Batch, models: dict[str, ScriptedGenerator], **values: Any) -> Batch:
    return STAGE.run(batch, settings(**values), FakeContext(models, stage="answers"))


def test_an_answer_says_how_it_was_sampled() -> None:
    model = Recorder(lambda r: Generation(r.request_id, "Paris.", "length", 3, 9, -1.5, -1.5))
    batch = run(prompts("r"), {"policy": model}, n=1, temperature=0.7, top_p=0.9, max_tokens=3)
    assert batch.rows == [
        {
            "row_id": "r",
            "responses": [
                {
                    "response_id": child_id("r", "answers", "policy", 0),
                    "text": "Paris.",
                    "model": "policy:scripted",
                    "system": None,
                    "finish_reason": "length",
                    "n_tokens": 3,
                    "logprob_sum": -1.5,
                    "temperature": 0.7,
                    "top_p": 0.9,
                    "seed": row_seed("r", "answers", "policy", 0),
                    "is_baseline": False,
                    "text_logprob_sum": -1.5,
                }
            ],
        }
    ]
    ((request,),) = model.calls
    assert request.prompt.text == "<system>old</system><user>hi</user><assistant>"
    assert (request.sampling.max_tokens, request.sampling.top_p) == (3, 0.9)


def test_samples_go_through_the_grid() -> None:
    """System x temperature x top_p, the last fastest; sample 4 starts anew."""
    model = Recorder()
    batch = run(
        prompts("r"),
        {"policy": model},
        n=5,
        system=(None, "Be brief."),
        temperature=(0.5, 1.0),
    )
    points = [(r["system"], r["temperature"]) for r in batch.rows[0]["responses"]]
    assert points == [(None, 0.5), (None, 1.0), ("Be brief.", 0.5), ("Be brief.", 1.0), (None, 0.5)]
    shown = [request.prompt.text or "" for request in model.calls[0]]
    assert shown[0].startswith("<system>old</system><user>")
    assert shown[2].startswith("<system>Be brief.</system><user>"), "replaces the prompt's own"


def test_the_baseline_is_greedy_and_moves_no_other_answer() -> None:
    model = Recorder()
    batch = run(prompts("r"), {"policy": model}, n=2, top_k=5, min_p=0.1, baseline=True)
    *samples, greedy = batch.rows[0]["responses"]
    assert (greedy["is_baseline"], greedy["temperature"], greedy["top_p"]) == (True, 0, 1)
    sampling = model.calls[0][-1].sampling
    assert (sampling.temperature, sampling.top_k, sampling.min_p) == (0, 0, 0)
    alone = run(prompts("r"), {"policy": Recorder()}, n=2, top_k=5, min_p=0.1)
    assert samples == alone.rows[0]["responses"]


def test_each_model_is_called_once_for_the_whole_batch() -> None:
    models = {"small": Recorder(), "large": Recorder(lambda r: "no")}
    batch = run(prompts("r", "s"), models, model=("small", "large"), n=3)
    assert [len(call) for model in models.values() for call in model.calls] == [6, 6]
    for row in batch.rows:
        names = [response["model"] for response in row["responses"]]
        assert names == ["small:scripted"] * 3 + ["large:scripted"] * 3
        assert len({response["response_id"] for response in row["responses"]}) == 6
        assert len({response["seed"] for response in row["responses"]}) == 6


def test_answers_that_are_there_stay() -> None:
    first = run(prompts("r"), {"policy": Recorder()}, n=1).rows[0]["responses"]
    batch = run(prompts("r", responses=first), {"other": Recorder()}, model="other", n=1)
    assert [r["model"] for r in batch.rows[0]["responses"]] == ["policy:scripted", "other:scripted"]


def fail_for(*response_ids: str) -> Any:
    def answer(request: GenerateRequest) -> str | Failure:
        if request.request_id in response_ids:
            return Failure(request.request_id, "timeout", "no answer in 1 s", "partial")
        return "yes"

    return answer


def test_a_failed_candidate_is_a_reject_and_the_row_lives_on() -> None:
    lost = child_id("r", "answers", "policy", 1)
    batch = run(prompts("r"), {"policy": Recorder(fail_for(lost))}, n=2)
    (reject,) = batch.rejects
    assert (reject.row_id, reject.response_id, reject.code) == ("r", lost, "engine_timeout")
    assert (reject.message, reject.raw) == ("policy: no answer in 1 s", "partial")
    assert len(batch.rows[0]["responses"]) == 1


def test_a_row_without_any_answer_goes_with_its_first_failure() -> None:
    lost = [child_id("r", "answers", "policy", k) for k in (0, 1)]
    batch = run(prompts("r", "s"), {"policy": Recorder(fail_for(*lost))}, n=2)
    assert [row["row_id"] for row in batch.rows] == ["s"]
    *candidates, whole = batch.rejects
    assert [reject.response_id for reject in candidates] == lost
    assert (whole.row_id, whole.response_id, whole.code) == ("r", None, "engine_timeout")
    assert whole.message.startswith("none of 2 answers could be had")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n": 2, "temperature": 0.0}, "2 of the 2 samples are greedy"),
        ({"n": 2, "temperature": (0.0,), "top_p": (0.5, 1.0)}, "samples are greedy"),
        ({"model": ("a", "a")}, "names a model twice"),
        ({"model": ()}, "at least 1 item"),
        ({"temperature": (-1.0,)}, "greater than or equal to 0"),
        ({"top_p": 0.0}, "greater than 0"),
    ],
)
def test_settings_that_make_no_sense(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**values)


def test_one_greedy_sample_per_system_prompt_is_fine() -> None:
    assert len(settings(n=2, temperature=0.0, system=(None, "x")).grid) == 2


def test_lists_of_a_recipe_are_read() -> None:
    text = '{"model": ["a", "b"], "temperature": [0.5, 1], "system": [null, "x"], "stop": ["#"]}'
    config = Config.model_validate_json(text)
    assert config.roles == ("a", "b")
    assert [point.temperature for point in config.grid] == [0.5, 1, 0.5, 1]


@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 4))
def test_neither_order_nor_batch_matters(order: list[str], cut: int) -> None:
    model = {"policy": ScriptedGenerator()}
    whole = {row["row_id"]: row for row in run(prompts("a", "b", "c", "d"), model).rows}
    parts = [run(prompts(*ids), model) for ids in (order[:cut], order[cut:])]
    assert {row["row_id"]: row for part in parts for row in part.rows} == whole
