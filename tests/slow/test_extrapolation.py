"""An extrapolated model against two plain forward passes; the models are small and random."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engines.base import LoadedModel, ModelSpec
from pipeline.engines.open import open_model
from pipeline.engines.resolve import resolve_model
from pipeline.engines.tokenizer import encode_pair, tokenizer_of
from schemas.models import LabelRequest, Message, Score, ScoreRequest
from schemas.recipe import ModelEntry, ModelPlacement
from tests.tiny_models import save_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ANSWERS = ("w1", "w2 w3 w4", "w5 w6 w7 w8 w9 w10")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [save_llama(tmp_path_factory.mktemp("lm"), seed=seed) for seed in (1, 2)]


def resolved(folders: list[Path], **settings: float | str) -> ModelSpec:
    entry = ModelEntry.model_validate(
        {"model": str(folders[0]), "engine": "transformers", "dtype": "float32", **settings}
    )
    return resolve_model("policy", entry, ModelPlacement(batch_size=2), Path())


def opened(folders: list[Path], **settings: float | str) -> LoadedModel:
    return open_model(resolved(folders, **settings))


def sums(loaded: LoadedModel) -> list[float]:
    prompt = loaded.chat.render([Message("user", "w0 w1")])
    found = loaded.generator.score([ScoreRequest(text, prompt, text) for text in ANSWERS])
    assert [one.n_tokens for one in found if isinstance(one, Score)] == [1, 3, 6]
    return [one.logprob_sum for one in found if isinstance(one, Score)]


def by_hand(folders: list[Path], loaded: LoadedModel, strength: float) -> list[float]:
    import torch
    from transformers import AutoModelForCausalLM

    own, origin = (AutoModelForCausalLM.from_pretrained(f).eval() for f in folders)
    prompt = loaded.chat.render([Message("user", "w0 w1")]).text or ""
    totals = []
    for text in ANSWERS:
        before, after = encode_pair(tokenizer_of(loaded.spec), prompt, text)
        with torch.inference_mode():
            ids = torch.tensor([before + after])
            moved = (1 + strength) * own(ids).logits[0] - strength * origin(ids).logits[0]
        logprobs = moved.log_softmax(-1)
        places = range(len(before) - 1, len(before) + len(after) - 1)
        totals.append(sum(float(logprobs[i, t]) for i, t in zip(places, after, strict=True)))
    return totals


@pytest.mark.parametrize("strength", [0.5, 0.125])
def test_scores_are_those_of_the_moved_logits(folders: list[Path], strength: float) -> None:
    loaded = opened(folders, extrapolate_from=str(folders[1]), extrapolation=strength)
    expected = by_hand(folders, loaded, strength)
    assert sums(loaded) == pytest.approx(expected, abs=1e-3)
    assert expected != pytest.approx(sums(opened(folders)), abs=0.1), "or there is nothing to see"
    labels = LabelRequest("l", loaded.chat.render([Message("user", "w0")]), ("w1", "w2"))
    (probs,) = loaded.generator.label_probs([labels])
    assert 0 < probs.mass < 1  # type: ignore[union-attr]  # a Failure has none and fails
    assert loaded.generator.capabilities == {"score", "label_probs"}


def test_without_extrapolation_it_is_the_model_itself(folders: list[Path]) -> None:
    still = opened(folders, extrapolate_from=str(folders[1]), extrapolation=0.0)
    assert sums(still) == pytest.approx(sums(opened(folders)), abs=1e-4)


def test_what_it_is_made_of_is_its_identity(folders: list[Path]) -> None:
    plain = resolved(folders).fingerprint
    half = resolved(folders, extrapolate_from=str(folders[1])).fingerprint
    less = resolved(folders, extrapolate_from=str(folders[1]), extrapolation=0.25).fingerprint
    other = resolved(folders, extrapolate_from=str(folders[0])).fingerprint
    assert len({plain, half, less, other}) == 4
