"""What a layout is: which of our configs it can hold, and how a row of them looks in it.

The dataset's configs are the one canonical table; a layout is a view of it, made row by row. Which
configs a layout can hold goes by their columns, so that configs of third-party exporters with the
same columns can be had in all layouts too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.columns import Column
from schemas.layouts import (
    CHOSEN_TURN,
    COMPLETION,
    COMPLETIONS,
    LABEL,
    PROMPT,
    RANKING_SCORES,
    REJECTED_TURN,
)

Row = dict[str, Any]
Kind = Literal["pairs", "labelled answers", "rankings", "answers"]
Task = Literal["dpo", "kto", "reward", "prompts", "sft", "ranking"]
Form = Literal["conversational", "standard"]

TASKS: tuple[Task, ...] = ("dpo", "kto", "reward", "prompts", "sft", "ranking")
FORMS: tuple[Form, ...] = ("conversational", "standard")

KINDS: Mapping[Kind, tuple[Column, ...]] = {
    "pairs": (PROMPT, CHOSEN_TURN, REJECTED_TURN),
    "labelled answers": (PROMPT, COMPLETION, LABEL),
    "rankings": (PROMPT, COMPLETIONS, RANKING_SCORES),
    "answers": (PROMPT, COMPLETION),
}
"""By kind, the columns by which a config is known to be of it; the first that fits counts."""

MADE_BY: Mapping[Kind, str] = {
    "pairs": "the step `pair` (`strategy: best_worst`, ...) and `export: [{config: dpo}]`",
    "labelled answers": "the step `pair` and `export: [{config: kto}]`, or the step `unpair` and "
    "`export: [{config: unpaired}]`",
    "rankings": "the step `rank` and `export: [{config: ranking}]`",
    "answers": "`export: [{config: sft}]`",
}
"""By kind, what in a recipe makes it."""


class CannotHold(Exception):
    """A layout's rule that a row breaks. Becomes an error that names the row."""


@dataclass(frozen=True, slots=True)
class View:
    """How configs of one kind look in a layout.

    Attributes:
        kind: of the configs.
        tasks: what the rows are for; the first gives the folder its name.
        form: messages, or plain strings.
        columns: of the view. A nullable one is left out if any row has no value for it.
        make: a row of the view from a row of the config, or CannotHold.
        reads: columns of the config that `make` needs beyond those of its kind.
        once: equal rows of a split are written once.
    """

    kind: Kind
    tasks: tuple[Task, ...]
    form: Form
    columns: tuple[Column, ...]
    make: Callable[[Row], Row]
    reads: tuple[Column, ...] = ()
    once: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A config as it was written.

    Attributes:
        name: of its folder in the export.
        config: which config of the dataset.
        view: how it was written.
        columns: the names that the files have.
        rows: by split, as the layout calls it.
        at: the export's folder, as a path to put before others; empty: relative to it.
    """

    name: str
    config: str
    view: View
    columns: tuple[str, ...]
    rows: Mapping[str, int]
    at: str = ""

    @property
    def folder(self) -> str:
        """Where its files are."""
        return f"{self.at}/{self.name}" if self.at else self.name

    def lines_file(self, split: str) -> str:
        """The JSON lines of a split."""
        return f"{self.folder}/{split}.jsonl"


def _no_files(made: Sequence[Made]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Layout:
    """A consumer's layout.

    Attributes:
        name: what recipes and the command line call it.
        consumer: who reads it.
        files: `parquet`, or `jsonl` for JSON lines.
        views: of each kind the usual one first.
        how: the lines that make the consumer read what was written.
        companions: further files, by name, which the consumer wants beside the rows.
        split_suffix: what the consumer puts after a split's name.
        inside: the folder below a config's in which its files are.
    """

    name: str
    consumer: str
    files: Literal["parquet", "jsonl"]
    views: tuple[View, ...]
    how: Callable[[Made], str]
    companions: Callable[[Sequence[Made]], Mapping[str, str]] = _no_files
    split_suffix: str = ""
    inside: str = ""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it can hold; prompts alone can be had of anything, but have to be asked for."""
        return tuple(dict.fromkeys(v.kind for v in self.views if "prompts" not in v.tasks))


def kind_of(columns: Collection[str]) -> Kind | None:
    """Of which kind a config with these columns is; None: it is for its own trainer alone."""
    for kind, needed in KINDS.items():
        if all(column.name in columns for column in needed):
            return kind
    return None
