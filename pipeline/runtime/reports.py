"""What parts and steps came to: counts, losses, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """What the models did for a part or a step.

    Attributes:
        cached_tokens: those of `prompt_tokens` that an engine's prefix cache had, or that are of
            texts whose embedding was kept.
        cut_texts: texts that did not fit a model's window, of which it saw a part.
    """

    requests: int = 0
    prompt_tokens: int = 0
    sampled_tokens: int = 0
    engine_s: float = 0.0
    cached_tokens: int = 0
    cut_texts: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.sampled_tokens + other.sampled_tokens,
            self.engine_s + other.engine_s,
            self.cached_tokens + other.cached_tokens,
            self.cut_texts + other.cut_texts,
        )


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one finished part came to.

    Attributes:
        rows_in, rows_out: rows before and after.
        lost: rows turned away whole (not counting single answers).
        rejects: every rejection by reason.
        failed: rows lost because an engine could not serve them.
        seconds: wall time of the work.
        nbytes: size on disk; 0 before it is there.
    """

    part: int
    rows_in: int
    rows_out: int
    lost: int = 0
    failed: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    usage: Usage = Usage()
    seconds: float = 0.0
    nbytes: int = 0

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PartReport:
        """Read back what `asdict` wrote."""
        return cls(**{**value, "usage": Usage(**value["usage"])})


@dataclass(frozen=True, slots=True)
class StepReport:
    """What the parts of a step came to, summed."""

    rows_in: int = 0
    rows_out: int = 0
    lost: int = 0
    failed: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    usage: Usage = Usage()
    seconds: float = 0.0

    def plus(self, part: PartReport) -> StepReport:
        """With one part more."""
        return StepReport(
            rows_in=self.rows_in + part.rows_in,
            rows_out=self.rows_out + part.rows_out,
            lost=self.lost + part.lost,
            failed=self.failed + part.failed,
            rejects=dict(sorted((Counter(self.rejects) + Counter(part.rejects)).items())),
            usage=self.usage + part.usage,
            seconds=self.seconds + part.seconds,
        )

    @classmethod
    def of_parts(cls, parts: Iterable[PartReport]) -> StepReport:
        """Sum the parts' reports."""
        total = cls()
        for part in parts:
            total = total.plus(part)
        return total

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> StepReport:
        """Read back what `asdict` wrote."""
        return cls(**{**value, "usage": Usage(**value["usage"])})
