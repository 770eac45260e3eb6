"""The key of a step: equal keys, equal rows, so work is done once.

A key hashes what decides the rows and nothing else: step and stage names, version, the whole
Config, the columns it reads and writes, the models' fingerprints, the prompt texts, the input and
the key before it. Config fields typed `Location` say where, not what, and are left out. Model
roles enter by name and by fingerprint: rows name the role that wrote an answer, and response ids
derive from it.

Values are encoded with type and length, floats exactly; a type without one certain encoding (a
set, an object) is an error, never a guess.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.recipe.flow import column_shape
from pipeline.recipe.plan import Step
from schemas.stage import LocationMark

_FORMAT = 2
"""Raised when the encoding itself changes, so that no old key is taken for a new one."""


def stage_key(
    step: Step,
    *,
    model_fingerprints: Mapping[str, str],
    prompt_hashes: Mapping[str, str],
    input_digests: Mapping[str, str],
    upstream: str | None,
    recipe_seed: int,
) -> str:
    """Return the key of a step as 32 hex digits.

    Args:
        step: the step; placement is no part of it.
        model_fingerprints: by role, for every model the step needs.
        prompt_hashes: by name, for every prompt text it uses.
        input_digests: identities of the files that it reads: a source's own under `feed`, others
            under their names in `Stage.given`.
        upstream: key of the step whose rows it takes; None for a source.
        recipe_seed: the recipe's `seed`.

    Raises:
        TypeError: the Config holds a value that has no certain encoding.
    """
    stage = step.stage
    columns = (stage.reads, stage.writes, stage.extends, stage.optional, stage.drops)
    content = {
        "format": _FORMAT,
        "step": step.name,
        "stage": stage.name,
        "version": stage.version,
        "config": step.config,
        "columns": [[column_shape(column) for column in group] for group in columns],
        "models": dict(model_fingerprints),
        "prompts": dict(prompt_hashes),
        "inputs": dict(input_digests),
        "upstream": upstream,
        "seed": recipe_seed,
    }
    return hashlib.blake2b(encode(content), digest_size=16).hexdigest()


def encode(value: object) -> bytes:
    """Encode a value so that two encodings are equal just when type and value are.

    A list and a tuple count as the same type, since YAML has only one of them; the order of a
    mapping's keys does not count.

    Raises:
        TypeError: a type outside None, bool, int, float, str, list, tuple, mappings with text
            keys, and pydantic models of these.
    """
    if value is None:
        return _tagged(b"n", b"")
    if isinstance(value, bool):
        return _tagged(b"b", b"1" if value else b"0")
    if isinstance(value, int):
        return _tagged(b"i", str(value).encode())
    if isinstance(value, float):
        return _tagged(b"f", value.hex().encode())
    if isinstance(value, str):
        return _tagged(b"s", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, (list, tuple)):
        return _tagged(b"l", b"".join(map(encode, value)))
    if isinstance(value, BaseModel):
        return encode(semantic_fields(value))
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        items = (encode(key) + encode(value[key]) for key in sorted(value))
        return _tagged(b"m", b"".join(items))
    raise TypeError(f"a {type(value).__name__} cannot be part of a key: {value!r}")


def _tagged(tag: bytes, content: bytes) -> bytes:
    return tag + len(content).to_bytes(8, "little") + content


def semantic_fields(config: BaseModel) -> dict[str, Any]:
    """The fields of a Config that decide rows: all but those that say where something is."""
    fields = type(config).model_fields
    return {name: getattr(config, name) for name, info in fields.items() if not is_location(info)}


def is_location(info: FieldInfo) -> bool:
    """True for a field typed `Location`, also within `Location | None` or a tuple."""
    return _has_mark(info.metadata) or _marked(info.annotation)


def _marked(annotation: Any) -> bool:
    metadata = getattr(annotation, "__metadata__", ())
    return _has_mark(metadata) or any(_marked(arg) for arg in get_args(annotation))


def _has_mark(metadata: Any) -> bool:
    return any(isinstance(item, LocationMark) for item in metadata)
