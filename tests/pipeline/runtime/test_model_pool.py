"""Models take turns, stay warm, and are paid for."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook
from pipeline.engines.scripted import EVERYTHING, ScriptedGenerator
from pipeline.folders import LocalFolder
from pipeline.runtime.model_pool import Meter, ModelPool, PooledModel, RunContext
from pipeline.runtime.reports import Usage
from pipeline.runtime.store import StepFolder
from pipeline.runtime.surroundings import StepSurroundings
from schemas.errors import EngineDied
from schemas.models import (
    Embedding,
    EmbedRequest,
    Failure,
    GenerateRequest,
    Generation,
    HiddenRequest,
    LabelProbs,
    LabelRequest,
    Prompt,
    Reward,
    RewardRequest,
    Sampling,
    ScoreRequest,
)
from schemas.recipe import ModelEntry, ModelPlacement
from tests.support import PlainChat

ASK = GenerateRequest("a", Prompt("one two three"), Sampling(), seed=1)


def spec(role: str) -> ModelSpec:
    entry = ModelEntry(model="echo", engine="scripted")
    return ModelSpec(role, entry, ModelPlacement(), "scripted", "echo", None, EVERYTHING, role)


class Recorder(ScriptedGenerator):
    """Remembers what was done to it."""

    def __init__(self, role: str, log: list[str], **parts: Any) -> None:
        super().__init__(**parts)
        self.role, self.log = role, log
        log.append(f"open {role}")

    def close(self) -> None:
        self.log.append(f"close {self.role}")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def open_model(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
        def answer(request: GenerateRequest) -> str:
            if spec.role == "mortal":
                raise EngineDied("gone")
            progress(1, 4)
            return "three more words"

        return LoadedModel(spec, Recorder(spec.role, lines, answer=answer), PlainChat())

    monkeypatch.setattr("pipeline.engines.open.open_model", open_model)
    return lines


def test_a_model_stays_open_until_another_needs_its_place(log: list[str]) -> None:
    pool = ModelPool()
    policy, judge = (PooledModel(spec(role), pool, Meter()) for role in ("policy", "judge"))
    policy.generate([ASK])
    policy.generate([ASK])
    judge.generate([ASK])
    policy.generate([ASK])
    pool.close()
    pool.close()
    assert log == [
        "open policy", "close policy", "open judge", "close judge", "open policy", "close policy",
    ]  # fmt: skip


def test_tokens_and_requests_are_counted(log: list[str]) -> None:
    meter = Meter()
    model = PooledModel(spec("policy"), ModelPool(), meter)
    model.generate([ASK])
    model.score([ScoreRequest("s", Prompt("one two"), "three")])
    model.label_probs([LabelRequest("l", Prompt("one"), ("A", "B"))])
    usage = meter.usage
    assert (usage.requests, usage.prompt_tokens, usage.sampled_tokens) == (3, 6, 4)
    assert usage.engine_s > 0


def test_progress_is_told_and_adds_up(log: list[str]) -> None:
    told: list[dict[str, Any]] = []
    PooledModel(spec("policy"), ModelPool(), Meter(told.append)).generate([ASK] * 5)
    assert told[:2] == [{"loading": "policy:echo"}, {"expect": 5}]
    assert sum(message.get("requests", 0) for message in told) == 5
    assert sum(message.get("tokens", 0) for message in told) == 20


def test_a_dead_engine_is_closed_so_that_the_next_try_gets_a_new_one(log: list[str]) -> None:
    pool = ModelPool()
    with pytest.raises(EngineDied):
        PooledModel(spec("mortal"), pool, Meter()).generate([ASK])
    assert log == ["open mortal", "close mortal"]


def test_what_a_prefix_cache_had_is_counted() -> None:
    meter = Meter()
    meter.add([LabelProbs("a", (0.5,), 64, 32), LabelProbs("b", (0.5,), 64)], 1.0)
    assert (meter.usage.prompt_tokens, meter.usage.cached_tokens) == (128, 32)


def test_texts_that_were_cut_are_counted() -> None:
    meter = Meter()
    meter.add([Reward("a", ("r",), (1.0,), 64, n_truncated=n) for n in (0, 1, 9)], 1.0)
    assert meter.usage.cut_texts == 2


def test_failures_cost_a_request_and_no_tokens() -> None:
    meter = Meter()
    results: list[Generation | Failure] = [Failure("a", "timeout", "m")]
    meter.add(results, 2.0)
    assert meter.usage == Usage(1, 0, 0, 2.0)


def around(stage: str) -> StepSurroundings:
    return StepSurroundings(stage, 7, StepFolder(LocalFolder(Path("nowhere")), "key"))


def test_rewards_and_states_go_through_the_pool_and_are_paid_for(log: list[str]) -> None:
    meter = Meter()
    context = RunContext(around("reward"), {"rm": spec("rm")}, ModelPool(), meter)
    asked = [RewardRequest(f"{i}", Prompt("one two"), Prompt("one two three")) for i in range(2)]
    results = context.rewarder("rm").reward(asked)
    assert [result.request_id for result in results] == ["0", "1"]
    assert (meter.usage.requests, meter.usage.prompt_tokens) == (2, 6)
    (states,) = context.hidden_reader("rm").hidden_sums([HiddenRequest("h", ASK.prompt, "a b")])
    assert (states.request_id, meter.usage.requests) == ("h", 3)
    assert log == ["open rm"]


def test_known_embeddings_are_paid_for_once_and_open_no_model(
    log: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFMILL_CACHE", str(tmp_path))
    emb = replace(spec("emb"), engine="transformers")
    asked = [EmbedRequest(f"{i}", "one two") for i in range(2)]
    for usage in (Usage(2, 4, 0, ANY, 2), Usage(2, 4, 0, 0.0, 4)):
        meter = Meter()
        context = RunContext(around("embed"), {"emb": emb}, ModelPool(), meter)
        results = context.embedder("emb").embed(asked)
        assert [result.request_id for result in results] == ["0", "1"]
        assert meter.usage == usage
    assert log == ["open emb"]


def test_a_damaged_cache_is_told(
    log: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFMILL_CACHE", str(tmp_path))
    (tmp_path / "embeddings").write_text("no folder")
    told: list[dict[str, Any]] = []
    emb = replace(spec("emb"), engine="transformers")
    model = PooledModel(emb, ModelPool(), Meter(told.append))
    (result,) = model.embed([EmbedRequest("a", "one two")])
    assert isinstance(result, Embedding)
    assert any("cannot be used" in message.get("warning", "") for message in told)


def test_scripted_embeddings_are_not_kept(log: list[str], tmp_path: Path) -> None:
    model = PooledModel(spec("emb"), ModelPool(), Meter())
    (result,) = model.embed([EmbedRequest("a", "one two")])
    assert isinstance(result, Embedding) and result.n_cached_tokens == 0


def test_the_context_gives_a_stage_its_roles(log: list[str], tmp_path: Path) -> None:
    context = RunContext(around("judge"), {"policy": spec("policy")}, ModelPool())
    assert context.model_name("policy") == "policy:echo"
    assert context.model("policy").capabilities == EVERYTHING
    assert context.chat("policy").render([]).text == "<assistant>"
    with pytest.raises(KeyError):
        context.model("stranger")
