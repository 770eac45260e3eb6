"""Reward models in both engines, against plain forward passes of the same small random model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines.base import LoadedModel
from pipeline.engines.open import open_model
from pipeline.engines.resolve import resolve_model
from pipeline.engines.tokenizer import encode_prompt, tokenizer_of
from schemas.errors import EngineUnavailable
from schemas.models import Failure, Message, Reward, RewardRequest
from schemas.recipe import ConcreteEngine, ModelEntry, ModelPlacement
from tests.support import run_recipe
from tests.tiny_models import WINDOW, WORDS, save_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENGINES: tuple[ConcreteEngine, ...] = ("transformers", "vllm")
ONE, TWO = ("score",), ("helpfulness", "verbosity")
LENGTHS = (1, 2, 5, 9, 17, 30, 44)
"""Words of the answers: together they need padding, alone they do not."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Path]:
    made = {outputs: tmp_path_factory.mktemp("rm") for outputs in (ONE, TWO, ())}
    return {outputs: save_llama(folder, outputs=outputs) for outputs, folder in made.items()}


@contextmanager
def opened(folder: Path, engine: ConcreteEngine) -> Iterator[LoadedModel]:
    entry = ModelEntry(model=str(folder), engine=engine, kind="reward", dtype="float32")
    placement = ModelPlacement(batch_size=4, kv_cache_mb=64)
    loaded = open_model(resolve_model("rm", entry, placement, Path()))
    yield loaded
    loaded.model.close()


def words(n: int, start: int = 0) -> str:
    return " ".join(WORDS[(start + 7 * i) % len(WORDS)] for i in range(n))


def request(loaded: LoadedModel, answer: str, question: str = "w1 w2 w3") -> RewardRequest:
    messages = [Message("user", question)]
    whole = [*messages, Message("assistant", answer)]
    return RewardRequest(answer, loaded.chat.render(messages), loaded.chat.render_answered(whole))


def answers(loaded: LoadedModel) -> list[RewardRequest]:
    return [request(loaded, words(n, start=n)) for n in LENGTHS]


def rewards(results: Sequence[Reward | Failure]) -> list[Reward]:
    assert all(isinstance(result, Reward) for result in results), results
    return [result for result in results if isinstance(result, Reward)]


@pytest.fixture(scope="module")
def by_hand(
    folders: dict[tuple[str, ...], Path],
) -> Callable[[tuple[str, ...], list[int]], list[float]]:
    """The classifier's own head at the last token, one row at a time, no padding."""
    import torch
    from transformers import AutoModelForSequenceClassification

    models = {
        outputs: AutoModelForSequenceClassification.from_pretrained(
            folders[outputs], dtype=torch.float32
        ).eval()
        for outputs in (ONE, TWO)
    }

    def values(outputs: tuple[str, ...], ids: list[int]) -> list[float]:
        model = models[outputs]
        with torch.inference_mode():
            hidden = model.model(torch.tensor([ids])).last_hidden_state[0, -1]
            return model.score(hidden).tolist()

    return values


@pytest.mark.parametrize("outputs", [ONE, TWO])
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_give_the_raw_head_at_the_last_token(folders, by_hand, engine, outputs) -> None:
    with opened(folders[outputs], engine) as loaded:
        tokenizer = tokenizer_of(loaded.spec)
        requests = answers(loaded)
        results = rewards(loaded.rewarder.reward(requests))
        for one, result in zip(requests, results, strict=True):
            ids = encode_prompt(tokenizer, one.conversation.text)
            assert tokenizer.decode(ids[-1:]) == "<end>", "the pad token ends the conversation"
            assert (result.request_id, result.attributes) == (one.request_id, outputs)
            assert (result.n_prompt_tokens, result.n_truncated) == (len(ids), 0)
            assert result.values == pytest.approx(by_hand(outputs, ids), abs=1e-3)
            (alone,) = rewards(loaded.rewarder.reward([one]))
            assert alone.values == pytest.approx(result.values, abs=1e-4)
        spread = [result.values[0] for result in results]
        assert max(spread) - min(spread) > 0.1, "or agreement would mean nothing"


@pytest.mark.parametrize("engine", ENGINES)
def test_what_does_not_fit_is_cut_off_on_the_right_and_counted(folders, by_hand, engine) -> None:
    with opened(folders[ONE], engine) as loaded:
        tokenizer = tokenizer_of(loaded.spec)
        full = request(loaded, words(WINDOW - 7))  # <s> <user> 3 <end> <assistant>, answer, <end>
        long = request(loaded, words(WINDOW + 20))
        lost = request(loaded, "w5", question=words(WINDOW))
        empty = replace(full, conversation=replace(full.conversation, text=""))
        results = loaded.rewarder.reward([full, long, lost, empty])
    ids = encode_prompt(tokenizer, long.conversation.text)
    assert len(ids) == WINDOW + 28
    whole, cut = rewards(results[:2])
    assert (whole.n_prompt_tokens, whole.n_truncated) == (WINDOW, 1)
    assert (cut.n_prompt_tokens, cut.n_truncated) == (WINDOW, 28)
    assert cut.values == pytest.approx(by_hand(ONE, ids[:WINDOW]), abs=1e-3)
    kinds = [result.kind for result in results[2:] if isinstance(result, Failure)]
    assert kinds == ["context_length", "empty_prompt"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_text_model_has_no_head_to_score_with(folders, engine) -> None:
    loading = opened(folders[()], engine)
    with pytest.raises(EngineUnavailable, match="no sequence-classification model"):
        loading.__enter__()


RECIPE = """
name: rewarded
models:
  policy: {{engine: scripted, model: echo}}
  rm: {{kind: reward, engine: {engine}, model: {folder}, dtype: float32}}
stages:
  - {{stage: magpie, model: policy, rows: 6}}
  - {{stage: respond, model: policy, n: 3}}
  - {{stage: reward, model: rm}}
  - {{stage: pair, labeller: reward}}
export: [{{config: dpo}}]
placement: {{workers: 0, models: {{rm: {{kv_cache_mb: 64}}}}}}
"""


def test_a_run_labels_with_a_reward_model(folders, tmp_path: Path) -> None:
    recipe = tmp_path / "rewarded.yaml"
    recipe.write_text(RECIPE.format(engine="transformers", folder=folders[TWO]))
    summary, _ = run_recipe(recipe, tmp_path / "out")
    steps = {step["step"]: step for step in summary["steps"]}
    assert steps["reward"]["usage"]["requests"] == 18
    assert steps["reward"]["usage"]["prompt_tokens"] > 18 * 8
    assert summary["rows"]["dpo"] > 0
