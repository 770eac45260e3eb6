"""A model is timed as full as a run keeps it, and answers twice for the price of once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.engines.scripted import ScriptedGenerator
from pipeline.estimate.full_model import Calls, FullModel, MeasuringPool, at_once
from schemas.models import GenerateRequest, Generation, Prompt, Sampling, ScoreRequest
from schemas.recipe import ModelPlacement
from tests.pipeline.rigs import spec


class Asked(ScriptedGenerator):
    """The scripted model; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[GenerateRequest]] = []
        self.scored = 0

    def generate(self, requests):  # type: ignore[no-untyped-def] # as the parent's
        self.calls.append(list(requests))
        return super().generate(requests)

    def score(self, requests):  # type: ignore[no-untyped-def] # as the parent's
        self.scored += 1
        return super().score(requests)


def requests(count: int) -> list[GenerateRequest]:
    sampling = Sampling(max_tokens=40)
    return [GenerateRequest(f"r{n}", Prompt(f"Say {n}"), sampling, n) for n in range(count)]


def full(fill: int) -> tuple[FullModel, Asked, Calls]:
    model, calls = Asked(), Calls()
    return FullModel(model, lambda asked: fill, lambda: calls), model, calls


def test_the_engine_is_filled_with_other_samples_and_the_answers_are_as_without() -> None:
    found, model, calls = full(10)
    answers = found.generate(requests(4))
    (sent,) = model.calls
    assert answers == ScriptedGenerator().generate(requests(4))
    assert len(sent) == 10 and len({one.request_id for one in sent}) == 10
    assert len({(one.prompt, one.seed) for one in sent}) == 10
    assert (calls.asked, calls.in_flight, len(calls.tokens)) == (4, 10, 10)
    own = sum(one.n_tokens for one in answers if isinstance(one, Generation))
    share = calls.seconds / (calls.seconds + calls.copies_s)
    assert share == pytest.approx(own / sum(calls.tokens))


def test_a_full_engine_gets_no_copies() -> None:
    found, model, calls = full(2)
    found.generate(requests(4))
    assert [len(sent) for sent in model.calls] == [4]
    assert calls.copies_s == 0


def test_what_was_answered_is_not_asked_again() -> None:
    found, model, _ = full(6)
    first = found.generate(requests(4))
    assert found.generate(requests(4)[:1]) == first[:1]
    assert found.generate(list(reversed(requests(4)))) == first[::-1]
    assert len(model.calls) == 1
    more = found.generate(requests(5))
    assert more[:4] == first and [one.request_id for one in model.calls[1][:1]] == ["r4"]
    asked = [ScoreRequest("s", Prompt("a"), "b")]
    assert found.score(asked) == found.score(asked) == ScriptedGenerator().score(asked)
    assert model.scored == 1
    assert found.generate([]) == []


def test_an_engine_is_as_full_as_in_the_run_and_a_server_gets_no_copies() -> None:
    pool = MeasuringPool(growth=3.0)
    placed = ModelPlacement(max_num_seqs=64, batch_size=8)
    local = replace(spec("policy", "vllm"), placement=placed)
    assert at_once(local) == 64
    assert [pool._fill(local, asked) for asked in (8, 32)] == [24, 64]
    assert pool._fill(replace(local, engine="openai"), 8) == 8
    slow = replace(local, engine="transformers")
    assert (at_once(slow), pool._fill(slow, 4)) == (8, 8)
    assert MeasuringPool()._fill(local, 8) == 64, "a source of unknown length is long"
