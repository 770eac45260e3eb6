"""What a card says of how the dataset came about: models, prompts, recipe, counts, limits."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.dataset.facts import RunFacts, StepFacts
from pipeline.dataset.figure_words import figures_text
from pipeline.tables import markdown_table

_OF_MODELS = "Labels are opinions of models, with their biases: length, style, their own writing."
_OF_PROGRAMS = "A program's label says that an answer passed its checks, and nothing more."
_OF_ALL = (
    "Scores compare answers to one prompt; across prompts they say something only if a step above "
    "made them comparable.",
    "Prompts and answers may be wrong, offensive or repeat what the models were trained on.",
    "Nothing was checked against the test sets of benchmarks unless a step above says so.",
)


def making_section(run: RunFacts) -> str:
    """Models with their revisions, prompt texts with their hashes, versions, the recipe."""
    models = [
        (m.role, m.model, m.engine, m.revision or "local files", m.fingerprint) for m in run.models
    ]
    parts = [markdown_table(("role", "model", "engine", "revision", "fingerprint"), models)]
    if run.prompts:
        texts = [(f"`{name}`", f"`{found}`") for name, found in sorted(run.prompts.items())]
        parts.append(markdown_table(("prompt text", "hash"), texts))
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    fence = "`" * max(3, _longest_run(run.recipe, "`") + 1)
    parts.append(f"Versions: {versions}. The recipe:")
    parts.append(f"{fence}yaml\n{run.recipe.strip()}\n{fence}")
    return "## How it was made\n\n" + "\n\n".join(parts)


def _longest_run(text: str, mark: str) -> int:
    length = 0
    while mark * (length + 1) in text:
        length += 1
    return length


def counts_section(steps: Sequence[StepFacts]) -> str:
    """Rows and rejects, step by step."""
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
    counts = markdown_table(("step", "stage", "rows in", "rows out", "rejects by reason"), rows)
    decided = "".join(
        f"\n* `{step.name}`: {figures_text(step.figures)}" for step in steps if step.figures
    )
    return (
        f"## What became of the rows\n\n{counts}\n\nA reject is a row or a single answer, so there "
        "may be more rejects than rows lost; a step that makes or splits pairs changes the count."
        + (f"\n\nWhat steps say of their choice among all rows:\n{decided}" if decided else "")
    )


def limits_section(labellers: Collection[str], of_files: str | None) -> str:
    """What the rows cannot say.

    Args:
        labellers: who labelled.
        of_files: what holds of answers that came in files; None if none did.
    """
    is_silent = set(labellers) == {"programs"} or (of_files and not labellers)
    found = [
        *([of_files] if of_files else []),
        *([] if is_silent else [_OF_MODELS]),
        *([_OF_PROGRAMS] if "programs" in labellers else []),
        *_OF_ALL,
    ]
    return "## Known limits\n\n" + "\n".join(f"- {limit}" for limit in found)
