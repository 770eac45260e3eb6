"""Embedding models through transformers: against plain forward passes, and in a whole run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.engines.base import LoadedModel
from pipeline.engines.open import open_model
from pipeline.engines.resolve import resolve_model
from schemas.errors import EngineUnavailable, InputError
from schemas.models import Embedding, EmbedRequest, Failure
from schemas.recipe import ModelEntry, ModelPlacement, Pooling
from tests.support import run_recipe
from tests.tiny_models import WINDOW, WORDS, save_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MINILM = "all-minilm-l6-v2"
LENGTHS = (1, 2, 5, 9, 17, 30, 60)
"""Words of the texts: together they need padding, alone they do not."""


@contextmanager
def opened(
    model: Path | str, pooling: Pooling = "auto", batch_size: int = 4
) -> Iterator[LoadedModel]:
    entry = ModelEntry(model=str(model), kind="embedding", pooling=pooling)
    spec = resolve_model("emb", entry, ModelPlacement(batch_size=batch_size), Path())
    assert spec.engine == "transformers" and spec.notes == ()
    loaded = open_model(spec)
    yield loaded
    loaded.model.close()


def ask(loaded: LoadedModel, texts: Sequence[str]) -> list[Embedding | Failure]:
    return loaded.embedder.embed([EmbedRequest(f"{i}", text) for i, text in enumerate(texts)])


def vectors(results: Sequence[Embedding | Failure]) -> Any:
    assert all(isinstance(result, Embedding) for result in results), results
    return np.array([result.vector for result in results if isinstance(result, Embedding)])


def words(n: int, start: int = 0) -> str:
    return " ".join(WORDS[(start + 7 * i) % len(WORDS)] for i in range(n))


TEXTS = [words(n, start=n) for n in LENGTHS]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def states(llama: Path) -> Callable[[str], Any]:
    """The last layer's states of one text, positions x width, without padding."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(llama)

    def found(text: str) -> Any:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            return model(ids, output_hidden_states=True).hidden_states[-1][0].numpy()

    return found


POOLED: dict[Pooling, Callable[[Any], Any]] = {
    "mean": lambda states: states.mean(0),
    "cls": lambda states: states[0],
    "last": lambda states: states[-1],
}


@pytest.mark.parametrize("pooling", POOLED)
def test_a_chat_models_states_are_pooled_as_the_recipe_says(
    llama: Path, states: Callable[[str], Any], pooling: Pooling
) -> None:
    with opened(llama, pooling) as loaded:
        together = vectors(ask(loaded, TEXTS))
        alone = np.vstack([vectors(ask(loaded, [text])) for text in TEXTS])
    by_hand = np.stack([POOLED[pooling](states(text)) for text in TEXTS])
    assert together == pytest.approx(by_hand, abs=1e-4)
    assert alone == pytest.approx(together, abs=1e-5)
    assert np.ptp(together, axis=0).max() > 0.1, "or agreement would mean nothing"


def test_what_does_not_fit_is_cut_off_and_counted(llama: Path, states: Any) -> None:
    long = words(WINDOW + 20)
    with opened(llama, "last") as loaded:
        whole, cut, empty = ask(loaded, [words(WINDOW), long, " "])
    assert isinstance(whole, Embedding) and isinstance(cut, Embedding)
    assert (whole.n_prompt_tokens, whole.n_truncated) == (WINDOW, 0)
    assert (cut.n_prompt_tokens, cut.n_truncated) == (WINDOW, 20)
    assert list(cut.vector) == pytest.approx(states(words(WINDOW))[-1], abs=1e-4)
    assert isinstance(empty, Failure) and empty.kind == "empty_prompt"


def test_a_chat_model_does_not_say_how_its_states_are_pooled(llama: Path) -> None:
    with pytest.raises(InputError, match="set `pooling` to mean, cls or last"):
        opened(llama).__enter__()


def test_a_folder_without_its_weights(llama: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((llama / name).read_bytes())
    with pytest.raises(EngineUnavailable, match="cannot load"):
        opened(tmp_path, "mean").__enter__()


@pytest.fixture(scope="module")
def minilm() -> Iterator[LoadedModel]:
    with opened(MINILM) as loaded:
        yield loaded


def test_the_bundled_encoder_knows_a_kitten_from_a_stock_market(minilm: LoadedModel) -> None:
    found = vectors(ask(minilm, ["cat", "kitten", "stock market"]))
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    near, far = found[0] @ found[1], found[0] @ found[2]
    assert near == pytest.approx(0.788, abs=0.005)
    assert far == pytest.approx(0.190, abs=0.005)


def test_the_bundled_encoder_by_hand(minilm: LoadedModel) -> None:
    """Mean over all tokens, special ones included, then length 1: what its files say."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    path = open_path(minilm)
    model, tokenizer = AutoModel.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    texts = ["A short one.", "Another text, which is longer, and says nothing more.", "word " * 300]
    results = ask(minilm, texts)
    for text, result in zip(texts, results, strict=True):
        assert isinstance(result, Embedding)
        ids = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**ids).last_hidden_state[0].mean(0)
        assert list(result.vector) == pytest.approx((mean / mean.norm()).tolist(), abs=1e-5)
    assert [getattr(result, "n_truncated", None) for result in results] == [0, 0, 302 - 256]


def open_path(loaded: LoadedModel) -> str:
    from pipeline.engines.open import with_files

    return with_files(loaded.spec).path


RECIPE = """
name: embedded
models:
  emb: {{kind: embedding, model: {model}, max_model_len: 16}}
stages:
  - {{stage: load_prompts, path: prompts.jsonl}}
  - {{stage: embed, model: emb}}
  - {{stage: respond, model: policy, n: 2}}
  - {{stage: judge, model: policy}}
  - {{stage: pair}}
export: [{{config: dpo}}]
placement: {{workers: 0}}
"""


def test_a_second_recipe_finds_the_vectors_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFMILL_CACHE", str(tmp_path / "cache"))
    prompts = [f"What is the number {i} good for" + " and why" * 10 + "?" for i in range(6)]
    lines = [json.dumps({"prompt": prompt}) + "\n" for prompt in prompts]
    (tmp_path / "prompts.jsonl").write_text("".join(lines))
    recipe = RECIPE.format(model=MINILM).replace(
        "models:\n", "models:\n  policy: {engine: scripted, model: echo}\n"
    )
    (tmp_path / "recipe.yaml").write_text(recipe)
    usages = []
    for out in ("first", "second"):
        summary, said = run_recipe(tmp_path / "recipe.yaml", tmp_path / out)
        assert "warning" not in said
        (step,) = (step for step in summary["steps"] if step["step"] == "embed")
        assert (step["rows_in"], step["rows_out"]) == (6, 6)
        usages.append(step["usage"])
    first, second = usages
    assert (first["requests"], first["prompt_tokens"], first["cached_tokens"]) == (6, 6 * 16, 0)
    assert (second["prompt_tokens"], second["cached_tokens"]) == (6 * 16, 6 * 16)
    assert second["engine_s"] == 0


SELECTION = """
name: like-the-target
models:
  emb: {{kind: embedding, model: {model}}}
stages:
  - {{stage: load_pairs, path: pairs.jsonl}}
  - {{stage: similarity, model: emb, target: target.jsonl, over_targets: max}}
  - {{stage: quality_mix, by: target_similarity, keep: 4}}
export: [{{config: dpo}}]
placement: {{workers: 1, part_rows: 3}}
"""
COOKING = [
    "How long should I boil an egg so that the yolk stays soft?",
    "Which herbs go well with roasted carrots?",
    "Why did my bread not rise in the oven?",
    "What can I use in place of butter when I bake a cake?",
]
CODING = [
    "How do I sort a list of tuples by the second item in Python?",
    "Why does my recursive function raise a stack overflow?",
    "Write a SQL query that counts orders for each customer.",
    "How can I read a large JSON file line by line?",
]


def test_the_rows_most_like_a_target_stay(tmp_path: Path) -> None:
    asked = [question for both in zip(COOKING, CODING, strict=True) for question in both]
    pairs = [{"prompt": one, "chosen": "Like this.", "rejected": "No idea."} for one in asked]
    targets = [{"text": text} for text in ("Python code that parses a file", "SQL", "recursion")]
    for name, records in {"pairs": pairs, "target": targets}.items():
        text = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"{name}.jsonl").write_text(text)
    (tmp_path / "recipe.yaml").write_text(SELECTION.format(model=MINILM))
    summary, _ = run_recipe(tmp_path / "recipe.yaml", tmp_path / "out")
    assert summary["rows"] == {"dpo": 4}
    kept = pq.read_table(tmp_path / "out" / "dataset" / "dpo").to_pylist()
    assert {row["prompt"][0]["content"] for row in kept} == set(CODING)
