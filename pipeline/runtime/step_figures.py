"""Figures of what a step did, from its report."""

from __future__ import annotations

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.labelled import is_labeller
from pipeline.runtime.measured import Measured
from pipeline.runtime.reports import StepReport
from schemas.figures import DECIDED, REJECTS, STEPS, TOKENS, UNLABELLED
from schemas.rejects import NO_LABEL_CODES


def add_step(measured: Measured, step: KeyedStep, report: StepReport) -> None:
    """Add the figures of one complete step."""
    name, values = f"{STEPS}.{step.step.name}", measured.values
    values[f"{name}.rows_in"], values[f"{name}.rows_out"] = report.rows_in, report.rows_out
    if report.rows_in:
        _add_shares(values, name, report)
        if is_labeller(step.step.stage):
            none = sum(report.rejects.get(code, 0) for code in NO_LABEL_CODES)
            values[f"{name}.{UNLABELLED}"] = none / report.rows_in
    else:
        measured.missing[name] = "no row came into the step"
    if report.usage.requests:
        for kind in ("prompt", "sampled"):
            tokens, total = getattr(report.usage, f"{kind}_tokens"), f"{TOKENS}.{kind}"
            values[f"{name}.{kind}_tokens"] = tokens
            values[total] = values.get(total, 0) + tokens
    for figure, value in step.folder.figures().items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            values[f"{name}.{DECIDED}.{figure}"] = value


def _add_shares(values: dict[str, float], name: str, report: StepReport) -> None:
    values[f"{name}.lost"] = report.lost / report.rows_in
    values[f"{name}.failed"] = report.failed / report.rows_in
    for code, count in report.rejects.items():
        values[f"{name}.{REJECTS}.{code}"] = count / report.rows_in
