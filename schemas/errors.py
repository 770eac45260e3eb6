"""Every error that prefmill raises on purpose.

    PrefmillError                 exit code 2 unless a subclass says otherwise
    ├── RecipeError               the recipe or the arguments are wrong: all problems at once
    ├── DatasetError              a dataset folder is not what it should be: all problems at once
    ├── InputError                a file, folder or model that the user named cannot be used
    ├── EngineUnavailable         no engine can serve a model on this machine
    ├── EngineDied                a running engine is gone; the part in hand must be redone
    ├── ContractError             a stage broke its promise: a bug in the stage (exit 1)
    ├── ExportRefused             the rows would silently train nothing (exit 3)
    ├── GateFailed                a quality gate of the recipe failed (exit 3)
    ├── TooManyLosses             more rows or parts were lost than the recipe allows (exit 4)
    └── Interrupted               stopped by the user; the run can be resumed (exit 130)

A message says what failed and where, the value seen, the values allowed, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PrefmillError(Exception):
    """Base of all errors shown to the user without a traceback."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a recipe, or with a dataset.

    Attributes:
        key: dotted path inside the recipe, e.g. ``stages[1].rows``; in a dataset what of the file;
            empty for the whole file.
        seen: what was found, already formatted.
        allowed: what would have been accepted.
        advice: what to do; names the nearest valid name where there is one.
        file: path of the recipe, or a label such as ``--set``.
        line: 1-based line in the file, or None when the problem has no place in it.
    """

    key: str
    seen: str
    allowed: str = ""
    advice: str = ""
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.line is not None else "")
        head = ": ".join(part for part in (place, self.key, self.seen) if part)
        allowed = f"\n    allowed: {self.allowed}" if self.allowed else ""
        advice = f"\n    {self.advice}" if self.advice else ""
        return head + allowed + advice


class RecipeError(PrefmillError):
    """The recipe cannot be compiled; carries every problem found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_listed(self.problems, "recipe"))

    def __reduce__(self) -> tuple[type[RecipeError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class DatasetError(PrefmillError):
    """A dataset folder is not what it should be; carries every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_listed(self.problems, "dataset"))

    def __reduce__(self) -> tuple[type[DatasetError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


def _listed(problems: Sequence[Problem], where: str) -> str:
    title = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{title} in the {where}", *map(str, problems)])


class InputError(PrefmillError):
    """A file, folder or model that the user named cannot be used."""


class EngineUnavailable(PrefmillError):
    """No engine can serve a model here; the message says why for each engine tried."""


class EngineDied(PrefmillError):
    """An engine stopped answering. Nothing it had in hand was committed."""

    exit_code = 1


class ContractError(PrefmillError):
    """A stage returned what it never declared, or lost rows. A bug, not bad input."""

    exit_code = 1


class ExportRefused(PrefmillError):
    """A trainer would accept these rows and learn nothing from them."""

    exit_code = 3


class GateFailed(PrefmillError):
    """A quality gate of the recipe failed; nothing was published."""

    exit_code = 3


class TooManyLosses(PrefmillError):
    """More was lost than the recipe allows."""

    exit_code = 4


class Interrupted(PrefmillError):
    """The user stopped the run; what was committed stays and the run can be resumed."""

    exit_code = 130
