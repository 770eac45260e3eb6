"""The figures of a run's audit, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.measured import Measured
from pipeline.runtime.run_labels import read_run_labels
from schemas.figures import AUDIT, audit_name

if TYPE_CHECKING:
    from pipeline.audit.figures import Section

_SEED = 0
"""Of the bootstrap, as `prefmill audit` has it unless told otherwise."""
_DIGITS = 6
"""Of a figure: a fit may differ in the last ones from one processor to another."""


def add_audit(measured: Measured, out: Path) -> None:
    """Add all figures that `prefmill audit` has of the labels in a run's work."""
    from pipeline.audit.report import make_audit

    labels = read_run_labels(out, published=False)
    if not len(labels.pairs):
        measured.missing[AUDIT] = "the run has labelled no pair of answers"
        return
    for section in make_audit(labels, None, _SEED).sections:
        _add_section(measured, section)


def _add_section(measured: Measured, section: Section) -> None:
    if section.unknown:
        measured.missing[f"{AUDIT}.{section.key}"] = section.unknown
    for line in section.lines:
        for measure, value in line.values.items():
            name = audit_name(section.key, line.name, measure)
            if value.value is None:
                measured.missing[name] = value.unknown
            else:
                measured.values.setdefault(name, float(f"{value.value:.{_DIGITS}g}"))
