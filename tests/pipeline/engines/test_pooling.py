"""What a model's own files say of how its states become one vector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import ModelSpec
from pipeline.engines.locate import folder_digest
from pipeline.engines.pooling import Method, method_of
from schemas.errors import InputError
from tests.pipeline.rigs import spec

STEPS = ("Transformer", "Pooling")
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}


def entry(pooling: str = "auto") -> ModelSpec:
    return spec("emb", "transformers", kind="embedding", pooling=pooling)


def write(folder: Path, name: str, value: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def encoder(folder: Path, *steps: str, pooling: Any = MEAN, **files: Any) -> Path:
    """The files of a sentence encoder, without its weights."""
    modules = [
        {
            "idx": i,
            "path": f"{i}_{step}" if i else "",
            "type": f"sentence_transformers.models.{step}",
        }
        for i, step in enumerate(steps or STEPS)
    ]
    write(folder, "modules.json", modules)
    write(folder, "1_Pooling/config.json", pooling)
    for name, value in files.items():
        write(folder, f"{name}.json", value)
    return folder


@pytest.mark.parametrize(
    ("pooling", "states"),
    [
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True, "word_embedding_dimension": 8}, "last"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": "mean"}, "mean"),
    ],
)
def test_the_states_that_count(tmp_path: Path, pooling: Any, states: str) -> None:
    folder = encoder(tmp_path, pooling=pooling)
    assert method_of(entry(), folder) == Method(states)  # type: ignore[arg-type] # one of three


def test_all_that_the_files_say(tmp_path: Path) -> None:
    folder = encoder(
        tmp_path,
        *STEPS,
        "Normalize",
        sentence_bert_config={"max_seq_length": 256, "do_lower_case": True},
        config_sentence_transformers={
            "prompts": {"query": "query: ", "document": ""},
            "default_prompt_name": "query",
        },
    )
    assert method_of(entry(), folder) == Method("mean", True, 256, True, "query: ")


def test_the_recipe_goes_before_the_files(tmp_path: Path) -> None:
    folder = encoder(tmp_path, *STEPS, "Normalize")
    assert method_of(entry("last"), folder) == Method("last")


@pytest.mark.parametrize(
    ("steps", "pooling", "said"),
    [
        (("Transformer", "Pooling", "Dense"), MEAN, "the steps Transformer, Pooling, Dense"),
        (("WordEmbeddings", "Pooling"), MEAN, "WordEmbeddings"),
        (STEPS, {"pooling_mode_max_tokens": True}, "pooling by pooling_mode_max_tokens"),
        (STEPS, {**MEAN, "pooling_mode_cls_token": True}, "pooling_mode_mean_tokens and"),
        (STEPS, {"pooling_mode": "weightedmean"}, "pooling by weightedmean"),
        (STEPS, {}, "pooling by nothing"),
    ],
)
def test_what_is_not_known_is_refused_by_name(
    tmp_path: Path, steps: tuple[str, ...], pooling: Any, said: str
) -> None:
    folder = encoder(tmp_path, *steps, pooling=pooling)
    with pytest.raises(InputError, match="Known here are") as caught:
        method_of(entry(), folder)
    assert said in str(caught.value)


def test_a_prompt_whose_states_do_not_count_is_refused(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    pooling = {**MEAN, "include_prompt": False}
    folder = encoder(tmp_path, pooling=pooling, config_sentence_transformers=prompts)
    with pytest.raises(InputError, match="a prompt whose states do not count"):
        method_of(entry(), folder)


def test_a_model_without_such_files_needs_the_recipe_to_say(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set `pooling` to mean, cls or last"):
        method_of(entry(), tmp_path)
    assert method_of(entry("last"), tmp_path).states == "last"
    (tmp_path / "modules.json").write_text("{")
    with pytest.raises(InputError, match="set `pooling`"):
        method_of(entry(), tmp_path)


def test_how_states_are_pooled_is_part_of_the_models_identity(tmp_path: Path) -> None:
    folder = encoder(tmp_path, config={"hidden_size": 8})
    before = folder_digest(folder)
    write(folder, "1_Pooling/config.json", {"pooling_mode_cls_token": True})
    assert folder_digest(folder) != before
