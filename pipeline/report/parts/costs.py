"""What it took: tokens and time by step and by model, and what became of the runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add

from pipeline.report.charts import bars, figure
from pipeline.report.facts import Facts, StepLine
from pipeline.report.html import Part, details, grid, missing, number, section, table
from pipeline.report.text import name, quote
from pipeline.runtime.console import duration
from pipeline.runtime.history import read_history
from pipeline.runtime.reports import Usage

_KEY, _TITLE = "costs", "What it took"
_MEANING = (
    "Tokens that models read and sampled, for the parts that are kept. `from cache` is what an "
    "engine had read before and did not read again. Time is summed over parts, which may have gone "
    "side by side: it is work, not waiting."
)


def costs_part(facts: Facts) -> Part:
    """Charts and tables by step, by model and by run."""
    steps = [step for step in facts.steps if step.usage is not None and step.state != "waiting"]
    if facts.out is None or not steps:
        return missing(_KEY, _TITLE, "only the work folder of the run knows, and it is not here")
    asked = {step.name: step.usage for step in steps if step.usage and step.usage.requests}
    charts = []
    if asked:
        tokens = {step: _tokens(usage) for step, usage in asked.items()}
        charts.append(figure(bars("Tokens by step", "tokens", tokens)))
    seconds = {step.name: {"seconds": round(step.seconds or 0.0, 2)} for step in steps}
    charts.append(figure(bars("Time by step", "seconds", seconds)))
    return section(_KEY, _TITLE, _MEANING, grid(charts), _by_model(steps), _runs(facts))


def sampled_tokens(facts: Facts) -> int:
    """By all steps together."""
    return sum(step.usage.sampled_tokens for step in facts.steps if step.usage)


def spent_seconds(facts: Facts) -> float:
    """On the clock, by all runs that ended with a word."""
    runs = read_history(facts.out) if facts.out else []
    return sum(float(run.end["seconds"]) for run in runs if run.end)


def _tokens(usage: Usage) -> Mapping[str, float]:
    return {
        "sampled": float(usage.sampled_tokens),
        "read": float(usage.prompt_tokens - usage.cached_tokens),
        "from cache": float(usage.cached_tokens),
    }


def _by_model(steps: list[StepLine]) -> str:
    models: dict[str, list[Usage]] = {}
    for step in steps:
        if step.models and step.usage and step.usage.requests:
            models.setdefault(" and ".join(sorted(set(step.models))), []).append(step.usage)
    if not models:
        return "<p>No model was asked.</p>"
    head = ("model", "requests", "tokens sampled", "tokens read", "from cache", "time in it")
    rows = []
    for model, usages in models.items():
        total = reduce(add, usages)
        counts = (total.requests, total.sampled_tokens, total.prompt_tokens, total.cached_tokens)
        rows.append((name(model), *map(number, counts), duration(total.engine_s)))
    return table(head, rows, "By model", "numbers")


def _runs(facts: Facts) -> str:
    runs = read_history(facts.out) if facts.out else []
    rows = []
    for run in runs:
        end = run.end
        ended = "no word of its end" if end is None else f"exit code {end['exit_code']}"
        spent = "–" if end is None else duration(end["seconds"])
        again = "–" if end is None else number(end["repeated_tokens"])
        why = quote(end["error"]) if end and end["error"] else ""
        rows.append(
            (
                name(run.started[:19].replace("T", " ")),
                ended + why,
                spent,
                number(len(run.lost)),
                again,
            )
        )
    if not rows:
        return ""
    head = ("started (UTC)", "end", "on the clock", "parts lost", "tokens sampled twice")
    warnings = "".join(f"<li>{quote(text)}</li>" for run in runs for text in run.warnings)
    notes = f"<h3>Warnings</h3><ul>{warnings}</ul>" if warnings else ""
    return details(f"Runs into this folder: {len(runs)}", table(head, rows, "Runs") + notes)
