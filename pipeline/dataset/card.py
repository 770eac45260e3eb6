"""The dataset card: README.md with the YAML that the Hugging Face Hub and `datasets` read.

Text out of facts; no clock, no file, no network. A licence is stated if the recipe states one and
never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.columns import Column
from schemas.types import ListOf, Scalar, Struct, Type
from stages.export_kto import desirable_weight_range

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
)


_LABELLERS = {
    "judge": "language models",
    "logit": "language models",
    "reward": "reward models",
    "verify": "programs",
}
"""Who labels, by stage; of a stage that is not ours nobody knows."""
_GIVEN = frozenset(("load_answers", "load_pairs"))
"""Stages with whose rows answers come along, and labels if there are any."""
_OF_FILES = (
    "Answers, and labels if they came along, are those of the files that were read: who made them, "
    "and how, is not known here."
)
_OF_MODELS = "Labels are opinions of models, with their biases: length, style, their own writing."
_OF_PROGRAMS = "A program's label says that an answer passed its checks, and nothing more."
_OF_ALL = (
    "Scores compare answers to one prompt; across prompts they say something only if a step above "
    "made them comparable.",
    "Prompts and answers may be wrong, offensive or repeat what the models were trained on.",
    "Nothing was checked against the test sets of benchmarks unless a step above says so.",
)


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
        pretty_name, license, language, tags: as in the recipe's `card`.
    """

    name: str
    recipe: str
    versions: Mapping[str, str]
    keys: Mapping[str, str] = field(default_factory=dict)
    models: tuple[ModelFacts, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    pretty_name: str | None = None
    license: str | None = None
    language: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


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


def render_card(run: RunFacts, configs: Sequence[ConfigFacts]) -> str:
    """The whole README.md."""
    import yaml

    # Escaped, not as Unicode: PyYAML writes some line breaks (U+0085) so that it misreads them.
    head = yaml.safe_dump(front_matter(run, configs), sort_keys=False)
    sections = [
        _intro(run, configs),
        _making(run),
        _counts(run.steps),
        *(_config(config) for config in configs),
        _limits(run),
    ]
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


def front_matter(run: RunFacts, configs: Sequence[ConfigFacts]) -> dict[str, Any]:
    """The card's YAML. Tags say `prefmill`, so that sets made with it can be found."""
    names = [config.name for config in configs]
    optional: dict[str, Any] = {"license": run.license, "language": list(run.language)}
    is_given = _is_given(run)
    own = [*([] if is_given else ["synthetic"]), "preference", *names, "prefmill"]
    return {
        "pretty_name": run.pretty_name or run.name,
        **{key: value for key, value in optional.items() if value},
        "task_categories": ["text-generation"],
        "size_categories": [_size(max((config.rows for config in configs), default=0))],
        "annotations_creators": ["found" if is_given else "machine-generated"],
        # A dict keeps the order and drops repeats.
        "tags": list(dict.fromkeys([*own, *run.tags])),
        "configs": [
            {
                "config_name": config.name,
                "data_files": [
                    {"split": split.name, "path": f"{config.name}/{split.name}-*.parquet"}
                    for split in config.splits
                ],
            }
            for config in configs
        ],
        "dataset_info": [_dataset_info(config) for config in configs],
    }


def _size(rows: int) -> str:
    return next((label for limit, label in _SIZES if rows < limit), "n>1B")


def _dataset_info(config: ConfigFacts) -> dict[str, Any]:
    return {
        "config_name": config.name,
        "features": [{"name": c.name, **_feature(c.type)} for c in config.columns],
        "splits": [
            {"name": split.name, "num_bytes": split.num_bytes, "num_examples": split.rows}
            for split in config.splits
        ],
        "download_size": sum(split.download_size for split in config.splits),
        "dataset_size": sum(split.num_bytes for split in config.splits),
    }


def _feature(kind: Type) -> dict[str, Any]:
    """A column type the way `datasets` writes it in a card."""
    if isinstance(kind, Scalar):
        return {"dtype": kind.name}
    if isinstance(kind, Struct):
        return {"struct": [{"name": each.name, **_feature(each.type)} for each in kind.fields]}
    inner = _feature(kind.item)
    return {"list": inner if isinstance(kind.item, ListOf) else next(iter(inner.values()))}


def _intro(run: RunFacts, configs: Sequence[ConfigFacts]) -> str:
    listed = "\n".join(f"- `{config.name}`: {_rows(config)}" for config in configs)
    licence = (
        f"Licence: {run.license}." if run.license else f"No licence is stated. {_whose_terms(run)}"
    )
    return f"# {run.pretty_name or run.name}\n\n{_made(run)}\n\n{listed}\n\n{licence}"


def _rows(config: ConfigFacts) -> str:
    if len(config.splits) == 1:
        return f"{config.rows:,} rows"
    listed = ", ".join(f"{split.name} {split.rows:,}" for split in config.splits)
    return f"{config.rows:,} rows ({listed}; no prompt is in two of them)"


def _is_given(run: RunFacts) -> bool:
    return any(step.stage in _GIVEN for step in run.steps)


def _whose_terms(run: RunFacts) -> str:
    if _is_given(run):
        return "Look at those of the files."
    return "The models' own terms may bind what they wrote."


def _made(run: RunFacts) -> str:
    if _is_given(run):
        return f"Data selected with prefmill. {_OF_FILES}"
    return (
        f"Preference data made with prefmill: language models wrote the answers{_by_whom(run)}; "
        "no human judged them."
    )


def _labellers(run: RunFacts) -> list[str]:
    """Who labelled, in the order of the steps, each once."""
    found = (_LABELLERS.get(step.stage) for step in run.steps)
    return list(dict.fromkeys(who for who in found if who is not None))


def _by_whom(run: RunFacts) -> str:
    labellers = _labellers(run)
    if labellers == ["language models"]:
        return " and labelled them"
    if not labellers:
        return ", the steps below chose them"
    return f", {' and '.join(labellers)} labelled them"


def _making(run: RunFacts) -> str:
    models = _table(
        ("role", "model", "engine", "revision", "fingerprint"),
        [
            (m.role, m.model, m.engine, m.revision or "local files", m.fingerprint)
            for m in run.models
        ],
    )
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    fence = "`" * max(3, _longest_run(run.recipe, "`") + 1)
    return (
        f"## How it was made\n\n{models}\n\nVersions: {versions}. The recipe:\n\n"
        f"{fence}yaml\n{run.recipe.strip()}\n{fence}"
    )


def _longest_run(text: str, mark: str) -> int:
    length = 0
    while mark * (length + 1) in text:
        length += 1
    return length


def _counts(steps: Sequence[StepFacts]) -> str:
    rows = [
        (
            step.name,
            step.stage,
            f"{step.rows_in:,}",
            f"{step.rows_out:,}",
            ", ".join(f"{code} {n:,}" for code, n in sorted(step.rejects.items())) or "none",
        )
        for step in steps
    ]
    table = _table(("step", "stage", "rows in", "rows out", "rejects by reason"), rows)
    decided = "".join(
        f"\n* `{step.name}`: {figures_text(step.figures)}" for step in steps if step.figures
    )
    return (
        f"## What became of the rows\n\n{table}\n\nA reject is a row or a single answer, so there "
        "may be more rejects than rows lost; a step that makes or splits pairs changes the count."
        + (f"\n\nWhat steps say of their choice among all rows:\n{decided}" if decided else "")
    )


def figures_text(figures: Mapping[str, Any]) -> str:
    """Figures in one line, as a person reads them."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_figure(value)}" for name, value in figures.items()
    )


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _config(config: ConfigFacts) -> str:
    columns = _table(
        ("column", "type", "meaning"),
        [
            (f"`{c.name}`", f"`{c.type}`" + (", may be null" if c.nullable else ""), c.doc)
            for c in config.columns
        ],
    )
    parts = [f"## Config `{config.name}`", columns]
    if config.n_desirable is not None:
        parts.append(_balance(config.n_desirable, config.rows - config.n_desirable))
    return "\n\n".join(parts)


def _balance(n_desirable: int, n_undesirable: int) -> str:
    counts = f"{n_desirable:,} desirable and {n_undesirable:,} undesirable answers."
    if not (n_desirable and n_undesirable):
        return f"{counts} A KTO trainer learns nothing from one class."
    low, high = desirable_weight_range(n_desirable, n_undesirable)
    return (
        f"{counts} With `undesirable_weight=1.0`, TRL advises a `desirable_weight` from {low:.2f} "
        f"to {high:.2f}. Rows are mixed so that neighbours hardly ever share a prompt: read the "
        'file in its order (`train_sampling_strategy="sequential"`) and with more than one row per '
        "device, because the KL term pairs each prompt with the answer of the row before."
    )


def _limits(run: RunFacts) -> str:
    labellers = set(_labellers(run))
    of_programs = [_OF_PROGRAMS] if "programs" in labellers else []
    of_files = [_OF_FILES] if _is_given(run) else []
    is_silent = labellers == {"programs"} or (of_files and not labellers)
    of_models = [] if is_silent else [_OF_MODELS]
    found = (*of_files, *of_models, *of_programs, *_OF_ALL)
    listed = "\n".join(f"- {limit}" for limit in found)
    return f"## Known limits\n\n{listed}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
