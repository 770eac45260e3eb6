"""Consumers' own readers on the files that are made for them.

They are no dependencies: a test is skipped where its consumer is not installed. Their readers need
little of what they ask for, so that they can lie in a folder of their own:

    pip install --no-deps --target READERS llamafactory openrlhf axolotl ms-swift peft colorama \
        addict modelscope modelscope_hub json_repair pylatexenc axolotl-contribs-lgpl \
        axolotl-contribs-mit fire omegaconf av
    PYTHONPATH=READERS pytest -m slow tests/slow/test_consumers.py

Tried with LLaMA-Factory 0.9.5, OpenRLHF 0.11.2, axolotl 0.19.0 and ms-swift 4.6.0. NeMo-RL is not
on PyPI; its rows are held to its documentation in `tests/pipeline/dataset/layouts`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from pipeline.dataset.layouts.choose import Wish
from pipeline.dataset.layouts.record import Made
from pipeline.dataset.layouts.table import LAYOUTS
from pipeline.dataset.layouts.write import write_export
from tests.pipeline.dataset.layouts.samples import every_shape

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # of other people's code
]


def reader(name: str) -> Any:
    """A consumer's module, or the test is skipped."""
    return pytest.importorskip(name, exc_type=ImportError)


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tokenizer(smol_path: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smol_path)


Export = Callable[..., tuple[Made, list[dict[str, Any]]]]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Writes a config in a layout; gives what was made, and the training rows of the config."""

    def exported(layout: str, config: str, *, single_turn: bool = False, **wish: Any) -> Any:
        dataset = every_shape(tmp_path / "run", single_turn=single_turn)
        wishes = [Wish(config, **wish)]
        (made,) = write_export(dataset, LAYOUTS[layout], wishes, tmp_path / "export")
        (table,) = dataset.tables(config, "train")
        return made, table.to_pylist()

    return exported


def texts(row: dict[str, Any], *sides: str) -> list[str]:
    return [row[side][0]["content"] for side in sides]


@pytest.mark.parametrize("form", ["conversational", "standard"])
@pytest.mark.parametrize("config", ["dpo", "kto", "sft"])
def test_llama_factory(
    config: str, form: str, export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It skips what it does not like with a warning: every row must come out, and as it was."""
    sounds = ModuleType("torchaudio")  # imported by its plugin for sounds, and not used here
    sounds.__spec__ = ModuleSpec("torchaudio", None)
    monkeypatch.setitem(sys.modules, "torchaudio", sounds)
    loader, parser = reader("llamafactory.data.loader"), reader("llamafactory.data.parser")
    made, rows = export("llama_factory", config, form=form)
    (entry,) = parser.get_dataset_list([f"{config}_train"], made.at)
    read = loader._load_single_dataset(
        entry,
        SimpleNamespace(cache_dir=str(tmp_path / "cache"), hf_hub_token=None),
        SimpleNamespace(
            dataset_dir=made.at,
            media_dir=made.at,
            preprocessing_num_workers=None,
            streaming=False,
            max_samples=None,
            overwrite_cache=True,
        ),
        SimpleNamespace(local_process_index=0, dataloader_num_workers=0),
    )
    assert len(read) == len(rows)
    for ours, theirs in zip(rows, read, strict=True):
        system = [{"role": "system", "content": theirs["_system"]}] if theirs["_system"] else []
        assert [*system, *theirs["_prompt"]] == ours["prompt"]
        said = [turn["content"] for turn in theirs["_response"]]
        if config == "dpo":
            assert said == texts(ours, "chosen", "rejected")
        elif config == "sft":
            assert said == texts(ours, "completion")
        else:
            (text,) = texts(ours, "completion")
            assert said == ([text, ""] if ours["label"] else ["", text])


@pytest.mark.parametrize("is_dpo", [True, False])
@pytest.mark.parametrize("form", ["conversational", "standard"])
def test_openrlhf(form: str, is_dpo: bool, export: Export, tokenizer: Any) -> None:
    rewards, utils = reader("openrlhf.datasets.reward_dataset"), reader("openrlhf.datasets.utils")
    made, rows = export("openrlhf", "dpo", form=form, single_turn=form == "standard")
    settings = SimpleNamespace(
        prompt_key="prompt",
        chosen_key="chosen",
        rejected_key="rejected",
        apply_chat_template=form == "conversational",
        tokenizer_chat_template=None,
    )
    args = SimpleNamespace(data=settings, use_ms=False)
    strategy = SimpleNamespace(args=args, print=print, is_rank_0=lambda: True)
    given = utils.blending_datasets(made.folder, None, strategy, dataset_split="train")
    template = None if form == "conversational" else "User: {}\nAssistant: "
    read = rewards.RewardDataset(given, tokenizer, 512, strategy, template, is_dpo, 1)
    assert len(read) == len(rows)
    for number, ours in enumerate(rows):
        assert ours["prompt"][-1]["content"] in read.prompts[number]
        chosen, rejected = texts(ours, "chosen", "rejected")
        assert read.chosens[number].startswith(chosen)
        assert read.rejects[number].startswith(rejected)
        assert is_dpo or read.extras[number] == ours["margin"]


@pytest.mark.parametrize(
    ("config", "form", "sides"),
    [
        ("dpo", "conversational", ("chosen", "rejected")),
        ("dpo", "standard", ("chosen", "rejected")),
        ("kto", "standard", ("completion",)),
    ],
)
def test_axolotl(
    config: str, form: str, sides: tuple[str, ...], export: Export, tokenizer: Any
) -> None:
    """By the lines that are printed; every answer must come out whole."""
    from datasets import load_dataset

    strategies = reader(f"axolotl.prompt_strategies.{config}")
    settings = reader("axolotl.utils.dict").DictDefault
    made, rows = export("axolotl", config, form=form, single_turn=form == "standard")
    recipe = settings(yaml.safe_load(LAYOUTS["axolotl"].how(made)))
    assert recipe.rl == config
    entry = recipe.datasets[0]
    loaded = strategies.load(entry.type, recipe, dataset_idx=0)
    transform = loaded[0] if isinstance(loaded, tuple) else loaded
    extra = {"tokenizer": tokenizer} if form == "conversational" else {}
    given = load_dataset(entry.ds_type, data_files=entry.path, split=entry.split)
    assert len(given) == len(rows)
    for ours, row in zip(rows, given, strict=True):
        theirs = transform(dict(row), **extra)
        assert ours["prompt"][-1]["content"] in theirs["prompt"]
        for side in sides:
            assert theirs[side] == f"{ours[side][0]['content']}<|im_end|>"
        assert config != "kto" or theirs["label"] is ours["label"]


def test_axolotl_reward(export: Export, tokenizer: Any) -> None:
    strategy = reader("axolotl.prompt_strategies.bradley_terry.chat_template")
    settings = reader("axolotl.utils.dict").DictDefault
    made, rows = export("axolotl", "dpo", task="reward", single_turn=True)
    recipe = settings(yaml.safe_load(LAYOUTS["axolotl"].how(made)))
    recipe.sequence_len, recipe.train_on_inputs = 512, False
    loaded = strategy.load(tokenizer, recipe, recipe.datasets[0])
    lines = Path(recipe.datasets[0].path).read_text(encoding="utf-8").splitlines()
    for ours, line in zip(rows, lines, strict=True):
        theirs = loaded._tokenize_single_prompt(json.loads(line))
        for side in ("chosen", "rejected"):
            (text,) = texts(ours, side)
            assert f"{text}<|im_end|>" in tokenizer.decode(theirs[f"{side}_ids"])


@pytest.mark.parametrize(
    ("config", "task"), [("dpo", "dpo"), ("dpo", "reward"), ("kto", "kto"), ("sft", "sft")]
)
def test_ms_swift(config: str, task: str, export: Export) -> None:
    """`strict`: a row that it would leave out raises."""
    swift = reader("swift.dataset")
    inputs = reader("swift.template.template_inputs").TemplateInputs
    made, rows = export("ms_swift", config, task=task)
    read, _ = swift.load_dataset([made.lines_file("train")], num_proc=1, strict=True)
    assert len(read) == len(rows)
    for ours, row in zip(rows, read, strict=True):
        theirs = inputs.from_dict({key: value for key, value in row.items() if value is not None})
        side = "chosen" if config == "dpo" else "completion"
        system = [{"role": "system", "content": theirs.chosen.system}]
        turns = [*(system if theirs.chosen.system else []), *theirs.chosen.messages]
        assert turns == [*ours["prompt"], *ours[side]]
        if config == "dpo":
            assert theirs.rejected.messages[-1:] == ours["rejected"]
            assert theirs.rejected.messages[:-1] == theirs.chosen.messages[:-1]
        assert theirs.chosen.margin == (2.5 if task == "reward" else None)
        assert config != "kto" or bool(theirs.chosen.label) is ours["label"]
