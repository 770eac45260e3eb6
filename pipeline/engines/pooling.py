"""How a model's states become one vector: as its sentence-transformers files say, or the recipe.

modules.json                        the steps: Transformer, Pooling, perhaps Normalize
1_Pooling/config.json               which states count
sentence_bert_config.json           max_seq_length, do_lower_case
config_sentence_transformers.json   prompts, one of which may stand before every text
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.engines.base import ModelSpec
from pipeline.files import read_json
from schemas.errors import InputError

States = Literal["mean", "cls", "last"]

_BY_FLAG: dict[str, States] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
_BY_NAME: dict[str, States] = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
_ORDERS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])

FILES = ("modules.json", "*config*.json", "*/config.json")
"""Patterns of what is read here, of a model on the hub."""


@dataclass(frozen=True, slots=True)
class Method:
    """How a text is read, and what is made of its states.

    Attributes:
        states: which of the last layer's states count.
        is_unit: the vectors are scaled to length 1.
        max_tokens: as many as the model was made for, special ones included; None: not said.
        is_lower: texts are made lower case.
        prefix: stands before every text.
    """

    states: States
    is_unit: bool = False
    max_tokens: int | None = None
    is_lower: bool = False
    prefix: str = ""


def method_of(spec: ModelSpec, folder: Path) -> Method:
    """What the recipe says, else the model's own files in `folder`.

    Raises:
        InputError: neither says it, or the files ask for something that is not known here.
    """
    if spec.entry.pooling != "auto":
        return Method(spec.entry.pooling)
    modules = _modules(folder)
    if not modules:
        raise InputError(
            f"model `{spec.role}` ({spec.entry.model}) has no sentence-transformers files that "
            "say how its states become one vector; set `pooling` to mean, cls or last"
        )
    steps = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if steps not in _ORDERS or modules[0].get("path"):
        raise _unknown(spec, f"the steps {', '.join(steps)}")
    pooling = read_json(folder / str(modules[1].get("path")) / "config.json") or {}
    reads = read_json(folder / "sentence_bert_config.json") or {}
    prefix = _prefix(folder)
    if prefix and pooling.get("include_prompt") is False:
        raise _unknown(spec, "a prompt whose states do not count")
    return Method(
        states=_states(spec, pooling),
        is_unit=steps[-1] == "Normalize",
        max_tokens=reads.get("max_seq_length"),
        is_lower=bool(reads.get("do_lower_case")),
        prefix=prefix,
    )


def _modules(folder: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads((folder / "modules.json").read_bytes())
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _states(spec: ModelSpec, config: dict[str, Any]) -> States:
    name = config.get("pooling_mode")  # in newer files; older ones have a flag for each way
    flags = [key for key in config if key.startswith("pooling_mode_") and config[key] is True]
    asked = [name] if isinstance(name, str) else flags
    found = [_BY_NAME.get(one) or _BY_FLAG.get(one) for one in asked]
    if len(found) != 1 or found[0] is None:
        raise _unknown(spec, f"pooling by {' and '.join(asked) or 'nothing'}")
    return found[0]


def _prefix(folder: Path) -> str:
    config = read_json(folder / "config_sentence_transformers.json") or {}
    name = config.get("default_prompt_name")
    return str((config.get("prompts") or {}).get(name, "")) if name else ""


def _unknown(spec: ModelSpec, what: str) -> InputError:
    return InputError(
        f"model `{spec.role}` ({spec.entry.model}): its sentence-transformers files ask for "
        f"{what}. Known here are a Transformer, then Pooling by mean, cls or last token, then "
        "perhaps Normalize; take another model, or set `pooling` to go without those files"
    )
