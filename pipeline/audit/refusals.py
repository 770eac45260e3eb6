"""Refusals: of answers to answer, and of labellers to label."""

from __future__ import annotations

from pipeline.audit.factors import is_refusal
from pipeline.audit.figures import Line, Section, count, share
from pipeline.audit.pairs import ALL_TIES, Labels, decided

_ANSWERS = (
    "By the opening words of an answer. `refusal wins`: of the pairs in which one answer refuses, "
    "the share in which the refusal is preferred; much more than the prompts deserve teaches a "
    "model to refuse."
)
_NONE_REFUSES = "in no pair does just one answer refuse"
_LOST = (
    "Labels that could not be had, by the reason code of the reject: they are no part of the "
    "labels, and no figure here counts them as one."
)


def refusals(labels: Labels) -> Section:
    """How often preferred and other answers refuse, by labeller."""
    lines = []
    for name in labels.labellers:
        refused = [
            (is_refusal(winner), is_refusal(loser))
            for pair, verdict in decided(labels.of(name))
            for winner, loser in [_by_rank(pair.first, pair.second, verdict)]
        ]
        n = len(refused)
        one = [winner for winner, loser in refused if winner != loser]
        values = {
            "of preferred": share(sum(winner for winner, _ in refused), n, ALL_TIES),
            "of others": share(sum(loser for _, loser in refused), n, ALL_TIES),
            "refusal wins": share(sum(one), len(one), _NONE_REFUSES if n else ALL_TIES),
        }
        lines.append(Line(name, values))
    unknown = "" if lines else "there are no labels"
    return Section("refusals", "Refusals to answer", _ANSWERS, tuple(lines), unknown)


def _by_rank(first: str, second: str, verdict: float) -> tuple[str, str]:
    return (first, second) if verdict > 0.5 else (second, first)


def lost_labels(labels: Labels) -> Section:
    """What labellers turned away."""
    title = "Labels that could not be had"
    if labels.losses is None:
        unknown = "a dataset does not say what was turned away; the work folder of a run does"
        return Section("lost_labels", title, _LOST, unknown=unknown)
    lines = [
        Line(code, {"rejects": count(n), "rows in": count(loss.rows_in)}, group=loss.labeller)
        for loss in labels.losses
        for code, n in sorted(loss.reasons.items())
    ]
    unknown = "" if lines else "no labeller of the run turned anything away"
    return Section("lost_labels", title, _LOST, tuple(lines), unknown)
