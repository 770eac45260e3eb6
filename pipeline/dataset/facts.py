"""What a dataset's card and manifest state, gathered by whoever made the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.columns import Column

_GIVEN = frozenset(("load_answers", "load_pairs"))
"""Stages with whose rows answers come along, and labels if there are any."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model that took part.

    Attributes:
        revision: the commit used; None for local files.
    """

    role: str
    model: str
    engine: str
    revision: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What one step did: rows in and out, rejects by reason, figures of a decision over all."""

    name: str
    stage: str
    rows_in: int
    rows_out: int
    rejects: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What made the dataset. Ends up in the card and in manifest.json: no secret may be in it.

    Attributes:
        name: the recipe's name.
        recipe: the recipe as YAML, without `placement`.
        versions: of prefmill and of the packages that decide the rows.
        keys: by dataset config, the key of the step that exported it.
        prompts: by name, the hash of each prompt text that a step used.
        pretty_name, license, language, tags: as in the recipe's `card`.
    """

    name: str
    recipe: str
    versions: Mapping[str, str]
    keys: Mapping[str, str] = field(default_factory=dict)
    models: tuple[ModelFacts, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    pretty_name: str | None = None
    license: str | None = None
    language: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def is_given(self) -> bool:
        """Whether answers came in files, and nobody knows who wrote them."""
        return any(step.stage in _GIVEN for step in self.steps)


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One split of a config as written.

    Attributes:
        num_bytes: size of the rows before compression.
        download_size: size of the files.
        n_desirable: rows with label true; None where rows have no label.
    """

    name: str
    rows: int
    num_bytes: int
    download_size: int
    n_desirable: int | None = None


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """One dataset config as written."""

    name: str
    columns: tuple[Column, ...]
    splits: tuple[SplitFacts, ...]

    @property
    def rows(self) -> int:
        """Of all splits."""
        return sum(split.rows for split in self.splits)

    @property
    def n_desirable(self) -> int | None:
        """Rows with label true, of all splits; None where rows have no label."""
        known = [split.n_desirable for split in self.splits if split.n_desirable is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What the card says of a dataset beyond its run.

    Attributes:
        figures: what was measured, by name.
        number: which release it is; None if it is none, but a single run.
        earlier: by config, the rows of the release before; None if there is none before.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    number: int | None = None
    earlier: Mapping[str, int] | None = None
