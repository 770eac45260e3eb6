from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from pipeline.recipe.capabilities import declared_capabilities, why_unable
from schemas.models import Capability
from schemas.recipe import EngineName, ModelEntry

REWARD: frozenset[Capability] = frozenset(("reward",))
EMBED: frozenset[Capability] = frozenset(("embed",))
EVERYTHING = frozenset(get_args(Capability)) - REWARD - EMBED


def entry(engine: str, **rest: Any) -> ModelEntry:
    return ModelEntry.model_validate({"engine": engine, "model": "m", **rest})


@pytest.mark.parametrize(
    ("model", "lacks"),
    [
        (entry("auto"), {"hidden_states"}),
        (entry("vllm"), {"hidden_states"}),
        (entry("scripted"), set()),
        (entry("transformers"), {"structured"}),
        (entry("openai", tokenizer="t"), {"hidden_states"}),
        (entry("openai", tokenizer="t", api="completions"), {"hidden_states"}),
        (entry("openai"), {"raw_prompt", "score", "logprobs", "hidden_states"}),
        (
            entry("openai", api="chat", tokenizer="t"),
            {"raw_prompt", "score", "logprobs", "hidden_states"},
        ),
    ],
)
def test_what_models_cannot_do_for_certain(model: ModelEntry, lacks: set[str]) -> None:
    assert EVERYTHING - declared_capabilities(model) == lacks
    for capability in EVERYTHING - declared_capabilities(model):
        reason, advice = why_unable(model, capability)
        assert reason and advice


def test_every_engine_is_known() -> None:
    for engine in get_args(EngineName):
        assert "generate" in declared_capabilities(entry(engine))
        reward = declared_capabilities(entry(engine, kind="reward"))
        assert reward == (REWARD if engine != "openai" else set())
        embeds = declared_capabilities(entry(engine, kind="embedding"))
        assert embeds == (EMBED if engine != "vllm" else set())


def test_a_model_is_of_one_kind() -> None:
    assert why_unable(entry("auto"), "reward") == (
        "it is declared as `kind: text`",
        "name a model with `kind: reward`",
    )
    assert "`kind: text`" in why_unable(entry("auto", kind="reward"), "generate")[1]
    reason, advice = why_unable(entry("openai", kind="reward"), "reward")
    assert "`engine: openai`" in reason
    assert advice == "use one of auto, vllm, transformers, scripted"


def test_embeddings_are_a_kind_of_their_own() -> None:
    assert why_unable(entry("auto"), "embed") == (
        "it is declared as `kind: text`",
        "name a model with `kind: embedding`",
    )
    assert why_unable(entry("vllm", kind="embedding"), "embed") == (
        "`engine: vllm` has no such call",
        "use one of auto, transformers, openai, scripted",
    )
    assert "`kind: reward`" in why_unable(entry("auto", kind="embedding"), "reward")[1]
    assert entry("auto", kind="embedding", pooling="last").pooling == "last"
    for kind in ("text", "reward"):
        with pytest.raises(ValidationError, match="`pooling` needs `kind: embedding`"):
            entry("auto", kind=kind, pooling="mean")


def test_auto_may_take_an_engine_that_hides_its_states() -> None:
    assert why_unable(entry("auto"), "hidden_states") == (
        "`engine: auto` may take vLLM, which has no such call",
        "use one of transformers, scripted",
    )


def test_what_is_extrapolated_only_weighs_texts() -> None:
    moved = entry("transformers", extrapolate_from="base")
    assert declared_capabilities(moved) == {"score", "label_probs"}
    assert "weighs texts" in why_unable(moved, "generate")[0]
    for engine, kind in (("auto", "text"), ("vllm", "text"), ("transformers", "reward")):
        with pytest.raises(ValidationError, match="needs `engine: transformers`"):
            entry(engine, kind=kind, extrapolate_from="base")


def test_advice_fits_the_lack() -> None:
    assert why_unable(entry("openai"), "raw_prompt")[1] == "name the model's `tokenizer`"
    assert "vllm" in why_unable(entry("transformers"), "structured")[1]
    assert "`api: completions`" in why_unable(entry("openai", api="chat"), "score")[1]
