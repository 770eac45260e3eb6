"""Whether the figures that gates name can be figures of the recipe."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.recipe.catalog import EXPORT_PREFIX
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.resolve_steps import Resolved
from schemas.columns import CHOSEN, JUDGEMENTS, SCORES
from schemas.errors import Problem
from schemas.figures import (
    AUDIT,
    audit_figures,
    config_figures,
    is_step_detail,
    step_figures,
    token_figures,
)

_SHOWN = 4


def gate_problems(
    source: RecipeSource, steps: Sequence[Resolved], exports: Sequence[Resolved]
) -> Iterator[Problem]:
    """Rules about figures that no run of this recipe can have."""
    gates = source.data.get("gates")
    rules: Any = gates.get("rules") if isinstance(gates, dict) else None
    is_known = all(step.stage is not None for step in (*steps, *exports))
    if not isinstance(rules, list) or not is_known:  # what is wrong there is told on its own
        return
    for index, rule in enumerate(rules):
        name = rule.get("figure") if isinstance(rule, dict) else None
        if isinstance(name, str) and name:
            valid = _figures(name, steps, exports)
            is_detail = any(is_step_detail(name, step.name) for step in (*steps, *exports))
            if name not in valid and not is_detail:
                near = difflib.get_close_matches(name, valid, n=_SHOWN, cutoff=0.5)
                yield source.problem(
                    ("gates", "rules", index, "figure"),
                    f"no run of this recipe has a figure `{name}`",
                    ", ".join(near) or "figures as `prefmill run --json` lists them",
                )


def _figures(name: str, steps: Sequence[Resolved], exports: Sequence[Resolved]) -> list[str]:
    """All figures that the recipe may have; of an audit those of the subject that `name` has."""
    found = token_figures()
    for step in exports:
        assert step.stage is not None, "callers pass resolved steps"
        found += config_figures(step.name.removeprefix(EXPORT_PREFIX), step.stage.writes)
    for step in (*steps, *exports):
        found += step_figures(step.name)
    parts = name.split(".")
    if _has_labels(steps):
        is_whole = len(parts) == 4 and parts[0] == AUDIT and parts[2]
        found += audit_figures(parts[2]) if is_whole else audit_figures()
    return found


def _has_labels(steps: Sequence[Resolved]) -> bool:
    """Whether some step makes what an audit is of: labels of answers, or pairs."""
    made = {
        column.name
        for step in steps
        if step.stage
        for column in (*step.stage.writes, *step.stage.extends)
    }
    return bool(made & {SCORES.name, JUDGEMENTS.name, CHOSEN.name})
