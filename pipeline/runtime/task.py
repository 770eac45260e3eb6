"""What a worker is asked to do with one part of one step."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.engines.base import ModelSpec
from pipeline.runtime.moves import Phase
from pipeline.runtime.store import StepFolder
from schemas.stage import StageConfig


@dataclass(frozen=True, slots=True)
class PartTask:
    """One part of one step, ready to travel. May be performed beside others in one process.

    Attributes:
        input: folder the rows come from; None for a source fed by position.
        start, size: for a source fed by position, the positions it covers.
        turn: for a dataset pass, which round it is.
        parts: for `pack`, the parts that go into file number `part`; for `decide`, all.
        group: the workers that may do it, see `pipeline.runtime.fleet`.
    """

    step: str
    stage: str
    config: StageConfig
    phase: Phase
    part: int
    recipe_seed: int
    folder: StepFolder
    input: StepFolder | None
    start: int = 0
    size: int = 0
    specs: dict[str, ModelSpec] = field(default_factory=dict)
    turn: int = 0
    parts: range = range(0)
    group: str = ""

    @property
    def id(self) -> str:
        """Name for people and for Dask."""
        return f"{self.step}/{self.phase}/{self.part}"
