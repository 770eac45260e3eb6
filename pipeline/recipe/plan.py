"""A compiled recipe: names resolved, settings validated, columns checked. Nothing loaded yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.recipe import Recipe
from schemas.stage import Need, Stage, StageConfig


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a plan.

    Attributes:
        index: position in the recipe, from 0.
        name: the step's name in this recipe, unique.
        stage: the stage's record.
        config: its validated settings.
        needs: the models it will use.
        after: of an export, the name of the step whose rows it takes; None for the last.
    """

    index: int
    name: str
    stage: Stage[Any]
    config: StageConfig
    needs: tuple[Need, ...]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    Attributes:
        recipe: the recipe as read, after `--set` and `--limit`.
        base: folder that relative paths in the recipe start from.
        steps: the stages, first to last.
        exports: export stages; each takes rows of a step, but for `Step.after` of the last.
        views: dataset configs, each with a consumer's layout that it is wanted in as well.
    """

    recipe: Recipe
    base: Path
    steps: tuple[Step, ...]
    exports: tuple[Step, ...]
    views: tuple[tuple[str, str], ...] = ()

    @property
    def preload(self) -> tuple[str, ...]:
        """What its workers are to import before there are any, see `Stage.preload`."""
        named = (name for step in (*self.steps, *self.exports) for name in step.stage.preload)
        return tuple(dict.fromkeys(named))
