"""The dataset card: README.md, with the YAML that the Hugging Face Hub and `datasets` read.

Text out of facts; no clock, no file, no network. Every section stands between marks
(`card_marks`), so that what a person changes in a card can be told from what prefmill wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dataset.card_figures import figures_section
from pipeline.dataset.card_head import front_matter, head_text, memory_of
from pipeline.dataset.card_loading import loading_section
from pipeline.dataset.card_making import counts_section, limits_section, making_section
from pipeline.dataset.card_marks import GUIDE, mark_section
from pipeline.dataset.facts import ConfigFacts, ReleaseFacts, RunFacts
from pipeline.tables import markdown_table
from stages.export_kto import desirable_weight_range

_SINGLE = ReleaseFacts()
_LABELLERS = {
    "judge": "language models",
    "logit": "language models",
    "reward": "reward models",
    "verify": "programs",
}
"""Who labels, by stage; of a stage that is not ours nobody knows."""
_OF_FILES = (
    "Answers, and labels if they came along, are those of the files that were read: who made them, "
    "and how, is not known here."
)


def render_card(
    run: RunFacts, configs: Sequence[ConfigFacts], release: ReleaseFacts = _SINGLE
) -> str:
    """The whole README.md."""
    head = head_text(front_matter(run, configs))
    labellers = _labellers(run)
    of_files = _OF_FILES if run.is_given else None
    sections = {
        "title": f"# {run.pretty_name or run.name}\n\n{_made(run, labellers)}",
        "rows": _rows(configs, release),
        "licence": f"Licence: {run.license}." if run.license else _unlicensed(run),
        "loading": loading_section(configs),
        "making": making_section(run),
        "counts": counts_section(run.steps),
        "figures": figures_section(release.figures),
        **{f"config-{config.name}": _config(config) for config in configs},
        "limits": limits_section(labellers, of_files),
    }
    marked = [mark_section(name, text) for name, text in sections.items() if text]
    return f"---\n{head}---\n\n" + "\n\n".join([f"{GUIDE}\n{memory_of(head)}", *marked]) + "\n"


def _made(run: RunFacts, labellers: Sequence[str]) -> str:
    if run.is_given:
        return f"Data selected with prefmill. {_OF_FILES}"
    return (
        f"Preference data made with prefmill: language models wrote the answers"
        f"{_by_whom(labellers)}; no human judged them."
    )


def _labellers(run: RunFacts) -> list[str]:
    """Who labelled, in the order of the steps, each once."""
    found = (_LABELLERS.get(step.stage) for step in run.steps)
    return list(dict.fromkeys(who for who in found if who is not None))


def _by_whom(labellers: Sequence[str]) -> str:
    if labellers == ["language models"]:
        return " and labelled them"
    if not labellers:
        return ", the steps below chose them"
    return f", {' and '.join(labellers)} labelled them"


def _rows(configs: Sequence[ConfigFacts], release: ReleaseFacts) -> str:
    lines = [f"- `{config.name}`: {_splits(config)}{_new(config, release)}" for config in configs]
    if release.number is not None:
        lines = [f"Release {release.number}.", "", *lines]
    return "\n".join(lines)


def _splits(config: ConfigFacts) -> str:
    if len(config.splits) == 1:
        return f"{config.rows:,} rows"
    listed = ", ".join(f"{split.name} {split.rows:,}" for split in config.splits)
    return f"{config.rows:,} rows ({listed}; no prompt is in two of them)"


def _new(config: ConfigFacts, release: ReleaseFacts) -> str:
    if release.earlier is None:
        return ""
    return f", {config.rows - release.earlier.get(config.name, 0):,} more than the release before"


def _unlicensed(run: RunFacts) -> str:
    whose = "Look at those of the files." if run.is_given else _OF_ANSWERS
    return f"No licence is stated by the recipe that made this. {whose}"


_OF_ANSWERS = "The models' own terms may bind what they wrote."


def _config(config: ConfigFacts) -> str:
    columns = markdown_table(
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
