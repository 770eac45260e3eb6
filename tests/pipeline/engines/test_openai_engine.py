"""The engine against a server on loopback that misbehaves on demand."""

from __future__ import annotations

import logging
import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines import openai_engine
from pipeline.engines.base import LoadedModel, ModelSpec
from pipeline.engines.locate import Located, locate
from pipeline.engines.openai_engine import CHAT, COMPLETIONS, open_openai, resolve_openai
from pipeline.engines.plain_chat import PlainChat
from schemas.errors import EngineDied, EngineUnavailable, InputError
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
)
from schemas.recipe import ModelEntry, ModelPlacement
from tests.pipeline.engines.fault_server import FaultServer, Json, Plan, chat, completion, models

BOS = 1


class Letters:
    """A tokenizer with one token per character; `^` is BOS."""

    bos_token_id = BOS

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        ids = [BOS if letter == "^" else ord(letter) for letter in text]
        return [BOS, *ids] if add_special_tokens else ids


def found(name: str, revision: str | None, base: Path) -> Located:
    """Any name is a tokenizer on the hub, a folder is itself."""
    folder = (base / name).is_dir()
    return locate(name, revision, base) if folder else Located(name, f"commit-of-{name}", name)


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_engine, "locate", found)
    monkeypatch.setattr(openai_engine, "tokenizer_of", lambda spec: Letters())
    monkeypatch.setattr(openai_engine, "chat_format", lambda spec, tokenizer: PlainChat())


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def resolved(base_url: str | None, *, entry: Json | None = None, **placement: Any) -> ModelSpec:
    made = ModelEntry.model_validate({"model": "m", "engine": "openai", **(entry or {})})
    where = ModelPlacement(base_url=base_url, **placement)
    return resolve_openai("policy", made, where, Path("nowhere"))


async def no_sleep(seconds: float) -> None:
    pass


@pytest.fixture
def opened(server: FaultServer) -> Iterator[Any]:
    """Open the server's model with (progress, entry, placement); closed at the end."""
    loaded: list[LoadedModel] = []

    def open_(
        entry: Json | None = None,
        told: list[tuple[int, int]] | None = None,
        **placement: Any,
    ) -> LoadedModel:
        spec = resolved(server.base_url, entry=entry or {"tokenizer": "t"}, **placement)
        log = [] if told is None else told
        model = open_openai(spec, lambda n, t: log.append((n, t)), sleep=no_sleep)
        loaded.append(model)
        server.asked.clear()
        return model

    yield open_
    for model in loaded:
        model.generator.close()
        model.generator.close()


def ask(name: str, text: str = "^Hi", **sampling: Any) -> GenerateRequest:
    messages = (Message("user", text),)
    return GenerateRequest(name, Prompt(text, messages), Sampling(**sampling), seed=3)


def kinds(results: list[Any]) -> list[str]:
    return [r.kind if isinstance(r, Failure) else type(r).__name__ for r in results]


# -- resolving


def test_a_server_is_needed() -> None:
    with pytest.raises(InputError, match="base_url"):
        resolved(None)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InputError, match="no http"):
        resolved(url)


@pytest.mark.parametrize("url", ["http://me:hunter2@host/v1", "http://host/v1?key=hunter2"])
def test_a_secret_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="api_key_env") as caught:
        resolved(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "capabilities"),
    [
        ({}, CHAT),
        ({"api": "chat", "tokenizer": "t"}, CHAT),
        ({"tokenizer": "t"}, COMPLETIONS),
        ({"api": "completions", "tokenizer": "t"}, COMPLETIONS),
    ],
)
def test_a_tokenizer_decides_the_endpoint(entry: Json, capabilities: frozenset[str]) -> None:
    spec = resolved("http://host/v1", entry=entry)
    assert spec.capabilities == capabilities
    assert spec.continuous
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_the_tokenizer_is_pinned_to_its_commit() -> None:
    spec = resolved("http://127.0.0.1:1/v1", entry={"tokenizer": "t"})
    assert (spec.tokenizer_path, spec.tokenizer_revision) == ("t", "commit-of-t")


def test_completions_need_a_tokenizer() -> None:
    with pytest.raises(InputError, match="needs `tokenizer`"):
        resolved("http://host/v1", entry={"api": "completions"})


def test_the_fingerprint_follows_the_model_not_the_place(tmp_path: Path) -> None:
    def fingerprint(url: str = "http://a/v1", **entry: Any) -> str:
        return resolved(url, entry=entry).fingerprint

    assert fingerprint() == fingerprint("http://b/v1")
    others = [
        fingerprint(),
        fingerprint(model="other"),
        fingerprint(revision="v2"),
        fingerprint(tokenizer="t"),
        fingerprint(tokenizer="u"),
        fingerprint(tokenizer="t", chat_template="{{ messages }}"),
    ]
    for content in ("{}", "[]"):
        (tmp_path / "tokenizer.json").write_text(content)
        others.append(fingerprint(tokenizer=str(tmp_path)))
    assert len(set(others)) == len(others)


def test_a_chat_endpoint_gives_no_raw_prompts(opened: Any) -> None:
    chat_format = opened({"api": "chat"}).chat
    messages = [Message("user", "Hi")]
    assert chat_format.render(messages) == Prompt(None, tuple(messages))
    with pytest.raises(InputError, match=r"Magpie needs raw prompts; set .* `tokenizer`"):
        chat_format.user_turn_prefix()
    with pytest.raises(InputError, match="Magpie"):
        _ = chat_format.user_stop


# -- opening


def test_a_model_that_is_not_served(server: FaultServer) -> None:
    server.answers["/v1/models"] = lambda body: models("llama", "qwen")
    with pytest.raises(EngineUnavailable, match="`m` is not served; the server has: llama, qwen"):
        open_openai(resolved(server.base_url), print)


def test_an_endpoint_that_is_not_there(server: FaultServer) -> None:
    del server.answers["/v1/completions"]
    with pytest.raises(EngineUnavailable, match=r"model `policy`.*raw_prompt.*404"):
        open_openai(resolved(server.base_url, entry={"tokenizer": "t"}), print)


def test_promised_logprobs_that_are_not_there(server: FaultServer) -> None:
    server.answers["/v1/completions"] = lambda body: completion(body, logprobs=None)
    with pytest.raises(EngineUnavailable, match="left out log-probabilities"):
        open_openai(resolved(server.base_url, entry={"tokenizer": "t"}), print)


def test_no_server(server: FaultServer) -> None:
    url = server.base_url
    server.stop()
    with pytest.raises(EngineUnavailable, match="cannot connect"):
        open_openai(resolved(url, max_retries=1), print, sleep=no_sleep)


def test_a_key_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(EngineUnavailable, match="MY_KEY"):
        open_openai(resolved("http://host/v1", api_key_env="MY_KEY"), print)


def test_the_key_is_sent_and_shown_nowhere(
    server: FaultServer,
    opened: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    caplog.set_level(logging.DEBUG)
    model = opened(api_key_env="MY_KEY")
    server.plan("/completions", Plan(400, "header was Bearer sk-very-secret"))
    (failed,) = model.generator.generate([ask("a")])
    assert server.headers[-1]["Authorization"] == "Bearer sk-very-secret"
    shown = [repr(failed), repr(model), repr(vars(model.generator)), caplog.text]
    assert all("secret" not in text for text in shown)
    assert "Bearer ***" in failed.raw


# -- completions


def test_a_prompt_goes_as_tokens_with_one_bos(server: FaultServer, opened: Any) -> None:
    opened().generator.generate([ask("a", "Hi"), ask("b", "^Hi"), ask("c", "^^Hi")])
    assert [body["prompt"] for body in server.bodies("/completions")] == [[BOS, 72, 105]] * 3
    assert "n" not in server.bodies("/completions")[0]


def test_a_generation_is_read_whole(server: FaultServer, opened: Any) -> None:
    told: list[tuple[int, int]] = []
    (result,) = opened(told=told).generator.generate([ask("a", max_tokens=9)])
    # One token of nine, and yet `length`: the server shortened max_tokens to its window.
    assert result == Generation("a", " ok", "length", 1, 3, -0.5)
    assert told == [(1, 1)]


def test_results_keep_their_order_and_requests_their_limit(
    server: FaultServer, opened: Any
) -> None:
    server.answers["/v1/completions"] = lambda body: completion(body, chr(body["prompt"][-1]))
    model = opened(max_num_seqs=3)
    names = "abcdefghijklmnopqrst"
    results = model.generator.generate([ask(name, f"^{name}") for name in names])
    assert [(r.request_id, r.text) for r in results] == [(name, name) for name in names]
    assert 1 <= server.max_in_flight <= 3


def test_one_failure_leaves_the_others_alone(server: FaultServer, opened: Any) -> None:
    def answer(body: Json) -> Json | Plan:
        return Plan(500, "poison") if body["prompt"][-1] == ord("x") else completion(body)

    server.answers["/v1/completions"] = answer
    model = opened(max_retries=2)
    results = model.generator.generate(
        [ask("a", "^a"), ask("x", "^x"), ask("b", "^b"), ask("e", "")]
    )
    assert kinds(results) == ["Generation", "server", "Generation", "empty_prompt"]
    assert results[1].raw == "poison"
    assert [body["prompt"][-1] for body in server.bodies("/completions")].count(ord("x")) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"finish_reason": "content_filter"}, "malformed"),
        ({"index": 1}, "malformed"),
        ({"logprobs": None}, "no_logprobs"),
        ({"logprobs": {"token_logprobs": [None]}}, "no_logprobs"),
    ],
)
def test_an_answer_that_cannot_be_trusted(
    server: FaultServer, opened: Any, answer: Json, kind: str
) -> None:
    model = opened(max_retries=0)
    server.answers["/v1/completions"] = lambda body: completion(body, **answer)
    assert kinds(model.generator.generate([ask("a")])) == [kind]


def test_a_server_that_adds_tokens_to_the_prompt_is_found_out(
    server: FaultServer, opened: Any
) -> None:
    model = opened()
    server.plan("/completions", Plan(body=completion({"prompt": [BOS, BOS, 72, 105]})))
    (result,) = model.generator.generate([ask("a")])
    assert result.kind == "malformed"
    assert "read 4 prompt tokens where 3 were sent" in result.message


def test_a_prompt_that_is_too_long(server: FaultServer, opened: Any) -> None:
    model = opened()
    server.plan("/completions", Plan(400, "maximum context length is 8 tokens"))
    assert kinds(model.generator.generate([ask("a")])) == ["context_length"]


def test_a_key_that_is_refused_ends_the_call(server: FaultServer, opened: Any) -> None:
    model = opened()
    server.answers["/v1/completions"] = lambda body: Plan(401, "no")
    with pytest.raises(EngineUnavailable, match="api_key_env"):
        model.generator.generate([ask("a"), ask("b")])


def test_a_server_that_is_gone_is_a_dead_engine(server: FaultServer, opened: Any) -> None:
    model = opened(max_retries=1)
    server.stop()
    with pytest.raises(EngineDied, match="still running"):
        model.generator.generate([ask("a"), ask("b")])


def test_only_the_completion_is_scored(opened: Any) -> None:
    (score,) = opened().generator.score([ScoreRequest("s", Prompt("^Hi"), " you")])
    assert score == Score("s", -2.0, 4, 3)


def test_scores_from_prompt_logprobs(server: FaultServer, opened: Any) -> None:
    def answer(body: Json) -> Json | Plan:
        if body.get("echo"):
            return Plan(400, "echo is not supported")
        given = [None, *({str(t): {"logprob": -0.25}} for t in body["prompt"][1:])]
        return completion(body, prompt_logprobs=given)

    server.answers["/v1/completions"] = answer
    (score,) = opened().generator.score([ScoreRequest("s", Prompt("^Hi"), " you")])
    assert score == Score("s", -1.0, 4, 3)
    assert server.bodies("/completions")[0]["prompt_logprobs"] == 0


def test_a_server_that_cannot_score_says_so_when_asked(server: FaultServer, opened: Any) -> None:
    def answer(body: Json) -> Json | Plan:
        return Plan(400, "no echo") if body.get("echo") else completion(body)

    server.answers["/v1/completions"] = answer
    model = opened()
    assert kinds(model.generator.generate([ask("a")])) == ["Generation"]
    with pytest.raises(EngineUnavailable, match="neither by `echo` nor by `prompt_logprobs`"):
        model.generator.score([ScoreRequest("s", Prompt("^Hi"), " you")])


def top(**tokens: float) -> Json:
    listed = {token: math.log(p) for token, p in tokens.items()}
    return {"token_logprobs": [-0.1], "top_logprobs": [listed]}


def labels(model: LoadedModel, *names: str) -> LabelProbs | Failure:
    prompt = Prompt("^Hi", (Message("user", "Hi"),))
    (result,) = model.generator.label_probs([LabelRequest("l", prompt, names)])
    return result


def test_labels_by_text(server: FaultServer, opened: Any) -> None:
    model = opened()
    server.answers["/v1/completions"] = lambda body: completion(body, logprobs=top(A=0.7, B=0.2))
    result = labels(model, "B", "A")
    assert isinstance(result, LabelProbs)
    assert result.probs == pytest.approx((0.2, 0.7))
    absent = labels(model, "A", "C")
    assert isinstance(absent, Failure)
    assert absent.kind == "no_logprobs"
    assert "label 'C' is not among the 2 likeliest" in absent.message
    assert "top_logprobs" in absent.raw


def test_labels_by_token_id_where_the_server_is_vllm(server: FaultServer, opened: Any) -> None:
    server.answers["/v1/models"] = lambda body: models("m", owned_by="vllm")
    model = opened()
    by_id = top(**{"token_id:65": 0.5, "token_id:66": 0.3})
    server.answers["/v1/completions"] = lambda body: completion(body, logprobs=by_id)
    result = labels(model, "A", "B")
    assert isinstance(result, LabelProbs)
    assert result.probs == pytest.approx((0.5, 0.3))
    assert server.bodies("/completions")[0]["return_tokens_as_token_ids"] is True


def test_a_label_of_many_tokens_is_refused(opened: Any) -> None:
    result = labels(opened(), "yes")
    assert isinstance(result, Failure)
    assert (result.kind, result.message) == ("bad_request", "label 'yes' is 3 tokens, not one")


@pytest.mark.parametrize("logprobs", [None, {"token_logprobs": [-0.5], "top_logprobs": None}])
def test_labels_without_logprobs(server: FaultServer, opened: Any, logprobs: Json | None) -> None:
    model = opened()
    server.answers["/v1/completions"] = lambda body: completion(body, logprobs=logprobs)
    assert kinds([labels(model, "A", "B")]) == ["no_logprobs"]


# -- chat


def test_chat_sends_messages(server: FaultServer, opened: Any) -> None:
    model = opened({"api": "chat"})
    (result,) = model.generator.generate([ask("a", "Hi", temperature=0.25)])
    assert result == Generation("a", "ok", "stop", 2, 5)
    (body,) = server.bodies("/chat/completions")
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert (body["temperature"], body["seed"]) == (0.25, 3)


def test_chat_labels(server: FaultServer, opened: Any) -> None:
    model = opened({"api": "chat"})
    tokens = [("A", 0.8), ("B", 0.1), ("B", 0.05)]
    step = {"top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in tokens]}
    server.answers["/v1/chat/completions"] = lambda body: chat(body, logprobs={"content": [step]})
    result = labels(model, "A", "B")
    assert isinstance(result, LabelProbs)
    assert result.probs == pytest.approx((0.8, 0.15))
    assert server.bodies("/chat/completions")[0]["top_logprobs"] == 20


def test_chat_labels_without_logprobs(opened: Any) -> None:
    assert kinds([labels(opened({"api": "chat"}), "A", "B")]) == ["no_logprobs"]


def test_chat_cannot_score_or_continue(server: FaultServer, opened: Any) -> None:
    model = opened({"api": "chat"})
    with pytest.raises(EngineUnavailable, match="cannot score"):
        model.generator.score([ScoreRequest("s", Prompt(None, (Message("user", "Hi"),)), "y")])
    raw = GenerateRequest("a", Prompt("^Hi"), Sampling(), seed=1)
    assert kinds(model.generator.generate([raw])) == ["empty_prompt"]


def test_a_chat_answer_without_content(server: FaultServer, opened: Any) -> None:
    model = opened({"api": "chat"})
    server.answers["/v1/chat/completions"] = lambda body: chat(body, None)
    assert kinds(model.generator.generate([ask("a")])) == ["malformed"]
