"""What the runner and the engines say to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from schemas.models import (
    Capability,
    ChatFormat,
    Embedder,
    Generator,
    HiddenReader,
    Model,
    Rewarder,
)
from schemas.recipe import ConcreteEngine, ModelEntry, ModelPlacement

ProgressHook = Callable[[int, int], None]
"""Called with (requests finished, tokens sampled) since the last call."""


def no_progress(requests: int, tokens: int) -> None:
    """A hook that tells nobody."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model of the recipe after resolution: which engine, which files, which identity.

    Light enough to make for `prefmill plan`; picklable, so that it can travel to workers. Holds
    no secret: keys are named, and read from the environment where the engine is opened.

    Attributes:
        role: its name in the recipe.
        entry: as the recipe says.
        placement: how to run it.
        engine: the engine chosen.
        path: the local folder, hub id, script or server model name to open.
        revision: the commit that `path` was resolved to; None for local files.
        capabilities: what can be asked of it.
        fingerprint: identity of everything that decides its answers.
        notes: what the user should be told, e.g. why `auto` did not take another engine.
        tokenizer_path: folder or hub id of a tokenizer other than the model's own; else empty.
        tokenizer_revision: the commit that a hub id of a tokenizer was resolved to.
        origin_path: folder or hub id of the model that this one is extrapolated from; else empty.
        origin_revision: the commit that a hub id of it was resolved to.
        continuous: serves many requests at once, so that it is worth feeding from several parts.
    """

    role: str
    entry: ModelEntry
    placement: ModelPlacement
    engine: ConcreteEngine
    path: str
    revision: str | None
    capabilities: frozenset[Capability]
    fingerprint: str
    notes: tuple[str, ...] = field(default=())
    tokenizer_path: str = ""
    tokenizer_revision: str | None = None
    origin_path: str = ""
    origin_revision: str | None = None
    continuous: bool = False

    @property
    def is_local(self) -> bool:
        """Whether it runs inside the worker, where models take turns; a server does not."""
        return self.engine != "openai"

    @property
    def has_weights(self) -> bool:
        """Whether it takes memory of a device, or of the host where there is none."""
        return self.engine in ("vllm", "transformers")

    @property
    def name(self) -> str:
        """Short name for lineage and reports."""
        return f"{self.role}:{self.entry.model}"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An open engine with the way its conversations are written."""

    spec: ModelSpec
    model: Model
    chat: ChatFormat

    @property
    def generator(self) -> Generator:
        """The model as one that writes; whether it does was checked with the recipe."""
        return cast(Generator, self.model)

    @property
    def hidden_reader(self) -> HiddenReader:
        """The model as one that shows its states; whether it does was checked with the recipe."""
        return cast(HiddenReader, self.model)

    @property
    def rewarder(self) -> Rewarder:
        """The model as one that rewards; whether it does was checked with the recipe."""
        return cast(Rewarder, self.model)

    @property
    def embedder(self) -> Embedder:
        """The model as one that embeds; whether it does was checked with the recipe."""
        return cast(Embedder, self.model)
