"""The transformers engine against plain forward passes of the same model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.engines.open import with_files
from pipeline.engines.tokenizer import encode_pair, encode_prompt, tokenizer_of
from pipeline.engines.transformers_engine import open_transformers
from schemas.errors import EngineDied
from schemas.models import (
    Failure,
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Message,
    Prompt,
    Sampling,
    Score,
    ScoreRequest,
    Structure,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUESTIONS = (
    "Hi",
    "Name three colours.",
    "Why is the sky blue? Explain it in two sentences to a child of seven years.",
    "What is 2 + 2?",
    "Write a haiku about rain.",
)


@pytest.fixture(scope="module")
def spec(smol_transformers):
    return with_files(smol_transformers.spec)


@pytest.fixture(scope="module")
def tokenizer(spec):
    return tokenizer_of(spec)


@pytest.fixture(scope="module")
def reference(spec):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(spec.path, dtype=torch.float32).eval()

    def logprobs(ids: list[int]):
        with torch.inference_mode():
            return model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)

    return logprobs


def rendered(loaded, question: str) -> Prompt:
    return loaded.chat.render([Message("user", question)])


def asked(loaded, sampling: Sampling) -> list[GenerateRequest]:
    return [
        GenerateRequest(f"q{number}", rendered(loaded, question), sampling, seed=100 + number)
        for number, question in enumerate(QUESTIONS)
    ]


def only(results):
    (result,) = results
    return result


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_tokens=24),
        Sampling(
            max_tokens=24, temperature=0.7, top_p=0.9, top_k=40, min_p=0.02, repetition_penalty=1.1
        ),
    ],
)
def test_a_row_is_the_same_alone_in_a_batch_and_in_any_order(smol_transformers, sampling):
    engine = smol_transformers.generator
    requests = asked(smol_transformers, sampling)
    together = engine.generate(requests)
    assert [answer.request_id for answer in together] == [r.request_id for r in requests]
    alone = [only(engine.generate([request])) for request in requests]
    turned = engine.generate(requests[::-1])[::-1]
    for one, two, three in zip(together, alone, turned, strict=True):
        assert (one.text, one.n_tokens) == (two.text, two.n_tokens) == (three.text, three.n_tokens)
        assert one.logprob_sum == pytest.approx(two.logprob_sum, abs=1e-2)
    other = engine.generate([replace(request, seed=request.seed + 1) for request in requests])
    assert [a.text for a in other] != [a.text for a in together]


def test_greedy_follows_the_argmax_of_plain_forward_passes(smol_transformers, tokenizer, reference):
    request = asked(smol_transformers, Sampling(temperature=0, max_tokens=12))[3]
    ids = encode_prompt(tokenizer, request.prompt.text)
    total, sampled = 0.0, []
    for _ in range(12):
        last = reference(ids + sampled)[-1]
        sampled.append(int(last.argmax()))
        total += float(last[sampled[-1]])
        if sampled[-1] == tokenizer.eos_token_id:
            break
    answer = smol_transformers.generator.generate(
        asked(smol_transformers, Sampling(temperature=0, max_tokens=12))
    )[3]
    assert answer.text == tokenizer.decode(sampled, skip_special_tokens=True)
    assert (answer.n_tokens, answer.n_prompt_tokens) == (len(sampled), len(ids))
    assert answer.logprob_sum == pytest.approx(total, abs=1e-3)


def test_logprobs_are_the_models_own_before_temperature_and_filters(smol_transformers):
    engine = smol_transformers.generator
    prompt = rendered(smol_transformers, QUESTIONS[2])
    sampling = Sampling(temperature=0.3, top_k=5, repetition_penalty=1.2, max_tokens=10)
    answer = only(engine.generate([GenerateRequest("a", prompt, sampling, seed=1)]))
    score = only(engine.score([ScoreRequest("a", prompt, answer.text)]))
    assert (answer.finish_reason, score.n_tokens) == ("length", answer.n_tokens)
    assert answer.logprob_sum == pytest.approx(score.logprob_sum, abs=1e-2)


def test_score_is_the_hand_made_sum_in_any_batch(smol_transformers, tokenizer, reference):
    completions = ["Hello! How can I help?", "Red, green and blue.", "Air.", "4", ""]
    requests = [
        ScoreRequest(f"s{number}", rendered(smol_transformers, question), completion)
        for number, (question, completion) in enumerate(zip(QUESTIONS, completions, strict=True))
    ]
    engine = smol_transformers.generator
    scores = engine.score(requests)
    assert scores[4] == Score("s4", 0.0, 0, scores[4].n_prompt_tokens)
    for request, score in zip(requests, scores, strict=True):
        prompt, completion = encode_pair(tokenizer, request.prompt.text, request.completion)
        logprobs = reference(prompt + completion)
        by_hand = sum(
            float(logprobs[len(prompt) - 1 + offset, token])
            for offset, token in enumerate(completion)
        )
        assert score.logprob_sum == pytest.approx(by_hand, abs=1e-3)
        assert (score.n_tokens, score.n_prompt_tokens) == (len(completion), len(prompt))
        assert only(engine.score([request])).logprob_sum == pytest.approx(by_hand, abs=1e-3)


def test_label_probs_are_the_softmax_after_the_prompt(smol_transformers, tokenizer, reference):
    requests = [
        LabelRequest(f"l{number}", rendered(smol_transformers, question), ("A", "B", "C"))
        for number, question in enumerate(QUESTIONS)
    ]
    for request, result in zip(
        requests, smol_transformers.generator.label_probs(requests), strict=True
    ):
        ids = encode_prompt(tokenizer, request.prompt.text)
        softmax = reference(ids)[-1].exp()
        expected = [
            float(softmax[only(tokenizer.encode(label, add_special_tokens=False))])
            for label in request.labels
        ]
        assert isinstance(result, LabelProbs)
        assert result.probs == pytest.approx(expected, rel=1e-3, abs=1e-9)
        assert (result.request_id, result.n_prompt_tokens) == (request.request_id, len(ids))
        assert 0 < result.mass <= 1


def test_a_long_label_has_the_probability_of_its_text(smol_transformers):
    import math

    prompt = rendered(smol_transformers, QUESTIONS[3])
    label = "The answer is 4"
    engine = smol_transformers.generator
    found = only(engine.label_probs([LabelRequest("l", prompt, (label, "A"))]))
    score = only(engine.score([ScoreRequest("l", prompt, label)]))
    assert score.n_tokens > 1
    assert found.probs[0] == pytest.approx(math.exp(score.logprob_sum), rel=1e-3)


def test_stop_texts_and_stop_tokens_end_the_answer_and_are_not_part_of_it(
    smol_transformers, tokenizer
):
    engine = smol_transformers.generator
    prompt = Prompt("1 2 3 4 5 6 7 8 9")
    greedy = Sampling(temperature=0, max_tokens=24)

    def answer(sampling: Sampling) -> Generation:
        return only(engine.generate([GenerateRequest("a", prompt, sampling, seed=1)]))

    full = answer(greedy)
    assert (full.finish_reason, full.n_tokens) == ("length", 24)
    stop = full.text[10:14]
    cut = answer(replace(greedy, stop=("never in it", stop)))
    assert (cut.text, cut.finish_reason) == (full.text[: full.text.index(stop)], "stop")
    assert (cut.text_logprob_sum, full.text_logprob_sum) == (None, full.logprob_sum)
    assert cut.n_tokens < 24

    sampled = tokenizer.encode(full.text, add_special_tokens=False)
    at = sampled.index(sampled[6])
    ended = answer(replace(greedy, stop_token_ids=(sampled[6],)))
    assert (ended.text, ended.finish_reason) == (tokenizer.decode(sampled[:at]), "stop")
    assert ended.n_tokens == at + 1


def test_the_models_end_of_turn_ends_an_answer_without_a_trace(smol_transformers):
    prompt = rendered(smol_transformers, "Answer with one word: what is the capital of France?")
    sampling = Sampling(temperature=0, max_tokens=200)
    request = GenerateRequest("a", prompt, sampling, seed=1)
    answer = only(smol_transformers.generator.generate([request]))
    assert answer.finish_reason == "stop"
    assert "<|" not in answer.text
    assert answer.n_tokens < 200
    score = only(smol_transformers.generator.score([ScoreRequest("a", prompt, answer.text)]))
    assert score.n_tokens == answer.n_tokens - 1
    assert answer.text_logprob_sum == pytest.approx(score.logprob_sum, abs=1e-2)
    assert answer.logprob_sum < answer.text_logprob_sum


def test_bad_requests_fail_in_their_place(smol_transformers):
    good = asked(smol_transformers, Sampling(max_tokens=2))[0]
    structured = replace(good.sampling, structure=Structure(choices=("a", "b")))
    results = smol_transformers.generator.generate(
        [
            replace(good, request_id="empty", prompt=Prompt("")),
            good,
            replace(good, request_id="structured", sampling=structured),
        ]
    )
    kinds = [result.kind if isinstance(result, Failure) else "fine" for result in results]
    assert kinds == ["empty_prompt", "fine", "bad_request"]
    assert [result.request_id for result in results] == ["empty", "q0", "structured"]
    assert "structured" not in smol_transformers.generator.capabilities


def test_the_window_bounds_prompts_and_answers_and_every_request_is_reported(spec):
    reports: list[tuple[int, int]] = []
    narrow = replace(spec, entry=spec.entry.model_copy(update={"max_model_len": 16}))
    engine = open_transformers(narrow, lambda *report: reports.append(report)).generator
    sampling = Sampling(max_tokens=50)

    def request(name: str, words: int) -> GenerateRequest:
        return GenerateRequest(name, Prompt(" a" * words), sampling, seed=1)

    def fits(words: int, completion: str) -> bool:
        score = only(engine.score([ScoreRequest("s", Prompt(" a" * words), completion)]))
        return isinstance(score, Score)

    full, last, some = engine.generate([request("full", 16), request("last", 15), request("b", 12)])
    assert (full.kind, full.request_id) == ("context_length", "full")
    assert (last.n_tokens, last.finish_reason) == (1, "length")
    assert some.n_prompt_tokens + some.n_tokens <= 16
    assert sum(requests for requests, _ in reports) == 3
    assert sum(tokens for _, tokens in reports) == last.n_tokens + some.n_tokens
    assert fits(14, " a a")
    assert not fits(14, " a a a")
    labels = only(engine.label_probs([LabelRequest("l", Prompt(" a" * 16), (" a", " b"))]))
    assert labels.kind == "context_length"
    engine.close()
    engine.close()


def test_a_broken_device_is_a_dead_engine(spec, monkeypatch):
    loaded = open_transformers(spec, lambda requests, tokens: None)

    def out_of_memory(*_args, **_kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("torch.nn.functional.embedding", out_of_memory)
    with pytest.raises(EngineDied, match=r"out of memory.*batch_size"):
        loaded.generator.generate(asked(loaded, Sampling(max_tokens=2)))
    loaded.generator.close()
