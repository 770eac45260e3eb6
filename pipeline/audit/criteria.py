"""How well each criterion tells the answers that people find bad, as EvalGen measures it.

Shankar et al., 2024, "Who Validates the Validators?" (arXiv 2404.12272): a criterion passes or
fails an answer. Coverage is the share of bad answers that it fails, the false failure rate (FFR)
the share of good answers that it fails, and alignment the harmonic mean of coverage and 1 - FFR.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipeline.audit.factors import is_refusal, is_unfinished, repeated_words
from pipeline.audit.figures import Line, Section, Value, share, unknown
from pipeline.audit.human import NO_FILE, HumanLabels
from pipeline.audit.pairs import Key, Labels

_MEANING = (
    "A labeller fails an answer that it never prefers to another and that loses once; the other "
    "criteria are rules. Good and bad is what people graded; where they compared, an answer that "
    "only won is good and one that only lost is bad. `coverage`: the share of bad answers that "
    "fail. `false failures`: the share of good answers that fail. `alignment`: the harmonic mean "
    "of coverage and 1 - false failures (EvalGen)."
)

Answer = tuple[str, str]
"""Prompt and answer, without the white space around them."""

RULES: dict[str, Callable[[str], bool]] = {
    "rule: does not refuse": is_refusal,
    "rule: is finished": is_unfinished,
    "rule: does not repeat itself": lambda text: repeated_words(text) > _REPEATED,
}
"""By name, what an answer must not be."""
_REPEATED = 0.6


@dataclass(slots=True)
class _Record:
    won: int = 0
    lost: int = 0

    @property
    def passed(self) -> bool | None:
        """Whether it did well; None if that is not clear."""
        if bool(self.won) == bool(self.lost):
            return None
        return bool(self.won)


def criteria(labels: Labels, human: HumanLabels | None) -> Section:
    """Coverage, false failures and alignment of every labeller and rule."""
    title = "Criteria against people"
    if human is None:
        return Section("criteria", title, _MEANING, unknown=NO_FILE)
    good = _good(labels, human)
    if not good:
        reason = "people have found none of these answers good or bad"
        return Section("criteria", title, _MEANING, unknown=reason)
    lines = []
    for name in labels.labellers:
        records = _records(
            (pair.key, verdict)
            for pair in labels.pairs
            if (verdict := pair.neutral(name)) is not None
        )
        failed = {
            answer: not record.won and bool(record.lost) for answer, record in records.items()
        }
        lines.append(Line(name, _figures(failed, good)))
    for name, is_bad in RULES.items():
        failed = {answer: is_bad(answer[1]) for answer in good}
        lines.append(Line(name, _figures(failed, good)))
    return Section("criteria", title, _MEANING, tuple(lines))


def _good(labels: Labels, human: HumanLabels) -> dict[Answer, bool]:
    """By answer of the dataset, what people find of it; unclear ones are left out."""
    ours = {
        (pair.prompt.strip(), text.strip())
        for pair in labels.pairs
        for text in (pair.first, pair.second)
    }
    records = _records(human.verdicts(labels.pairs).items())
    good = {
        answer: record.passed
        for answer, record in records.items()
        if answer in ours and record.passed is not None
    }
    grades = {(g.prompt.strip(), g.answer.strip()): g.is_good for g in human.grades}
    return {**good, **{answer: grades[answer] for answer in ours & grades.keys()}}


def _records(verdicts: Iterable[tuple[Key, float]]) -> dict[Answer, _Record]:
    records: defaultdict[Answer, _Record] = defaultdict(_Record)
    for (prompt, first, second), verdict in verdicts:
        for answer, result in ((first, verdict), (second, 1 - verdict)):
            records[prompt, answer].won += result == 1
            records[prompt, answer].lost += result == 0
    return records


def _figures(failed: Mapping[Answer, bool], good: Mapping[Answer, bool]) -> dict[str, Value]:
    """Of the answers that both the criterion and people have looked at."""
    of_bad = [
        failed[answer] for answer, is_good in good.items() if answer in failed and not is_good
    ]
    of_good = [failed[answer] for answer, is_good in good.items() if answer in failed and is_good]
    coverage = share(sum(of_bad), len(of_bad), "people find none of its answers bad")
    false = share(sum(of_good), len(of_good), "people find none of its answers good")
    return {
        "coverage": coverage,
        "false failures": false,
        "alignment": _alignment(coverage, false),
    }


def _alignment(coverage: Value, false: Value) -> Value:
    if coverage.value is None or false.value is None:
        return unknown(coverage.unknown or false.unknown)
    right = coverage.value, 1 - false.value
    mean = 2 * right[0] * right[1] / sum(right) if sum(right) else 0.0
    return Value(mean, coverage.n + false.n, kind="share")
