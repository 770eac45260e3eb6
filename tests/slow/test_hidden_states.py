"""Summed hidden states against plain forward passes of the same small random model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.engines.base import LoadedModel
from pipeline.engines.open import open_model
from pipeline.engines.resolve import resolve_model
from pipeline.engines.tokenizer import encode_pair, tokenizer_of
from schemas.models import Failure, HiddenRequest, HiddenSum, Message
from schemas.recipe import ModelEntry, ModelPlacement
from stages.ches import ches, mean
from tests.tiny_models import WINDOW, WORDS, save_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LENGTHS = (1, 2, 3, 8, 21, 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("lm"), seed=3)


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Iterator[LoadedModel]:
    entry = ModelEntry(model=str(folder), engine="transformers", dtype="float32")
    model = open_model(resolve_model("policy", entry, ModelPlacement(batch_size=8), Path()))
    yield model
    model.model.close()


def request(loaded: LoadedModel, n_words: int) -> HiddenRequest:
    prompt = loaded.chat.render([Message("user", " ".join(WORDS[:n_words]))])
    return HiddenRequest(f"{n_words}", prompt, " ".join(WORDS[-n_words:]))


def sums(loaded: LoadedModel, requests: list[HiddenRequest]) -> list[HiddenSum]:
    found = loaded.hidden_reader.hidden_sums(requests)
    assert not [one for one in found if isinstance(one, Failure)]
    return [one for one in found if isinstance(one, HiddenSum)]


def test_the_states_are_those_that_predict_the_completion(
    loaded: LoadedModel, folder: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    requests = [request(loaded, n) for n in LENGTHS if n < 30]
    for asked, found in zip(requests, sums(loaded, requests), strict=True):
        text = asked.prompt.text or ""
        prompt, completion = encode_pair(tokenizer_of(loaded.spec), text, asked.completion)
        with torch.inference_mode():
            output = model(torch.tensor([prompt + completion]), output_hidden_states=True)
            states = output.hidden_states[-1][0]
            assert torch.allclose(model.lm_head(states), output.logits[0], atol=1e-5)
        # From the prompt's last token to the last but one of all.
        by_hand = states[len(prompt) - 1 : -1].sum(dim=0).tolist()
        assert found.vector == pytest.approx(by_hand, abs=1e-3)
        assert (found.n_tokens, found.n_prompt_tokens) == (len(completion), len(prompt))
        assert found.n_tokens == len(states[len(prompt) - 1 : -1])


def test_a_batch_of_one_equals_a_batch_of_many(loaded: LoadedModel) -> None:
    """Rows are padded on the left here; what pads them plays no part in sums or lengths."""
    requests = [request(loaded, n) for n in LENGTHS if n < 30]
    together = sums(loaded, requests)
    alone = [sums(loaded, [one])[0] for one in requests]
    for one, many in zip(alone, together, strict=True):
        assert (one.request_id, one.n_tokens) == (many.request_id, many.n_tokens)
        assert one.vector == pytest.approx(many.vector, abs=1e-4)
    for first in range(len(requests)):
        for second in range(len(requests)):
            for form in (lambda states: states.vector, mean):
                single = ches(form(alone[first]), form(alone[second]))
                batched = ches(form(together[first]), form(together[second]))
                assert single == pytest.approx(batched, rel=1e-4, abs=1e-2)


def test_what_does_not_fit_fails_in_its_place(loaded: LoadedModel) -> None:
    found = loaded.hidden_reader.hidden_sums([request(loaded, 40), request(loaded, 2)])
    assert isinstance(found[0], Failure)
    assert found[0].kind == "context_length"
    assert f"{WINDOW}" in found[0].message
    assert isinstance(found[1], HiddenSum)


def test_an_empty_completion_has_no_states(loaded: LoadedModel) -> None:
    empty = HiddenRequest("e", loaded.chat.render([Message("user", "w1")]), "")
    (found,) = sums(loaded, [empty])
    assert found.n_tokens == 0
    assert set(found.vector) == {0.0}
