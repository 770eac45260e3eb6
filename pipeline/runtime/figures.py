"""What can be measured of a run: numbers by name, for gates, card and report."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.runtime.keyed import KeyedStep


def collect_figures(steps: Iterable[KeyedStep]) -> dict[str, float]:
    """Figures of a run whose steps are complete, e.g. `dpo.rows`."""
    figures: dict[str, float] = {}
    for step in steps:
        report = step.folder.report()
        if step.is_export and report is not None:
            figures[f"{step.config_name}.rows"] = report.rows_out
    return figures
