"""Agreement with people, and how well each criterion tells what people find bad.

Intervals are percentile bootstrap over prompts, since pairs of one prompt are not independent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from pipeline.audit.figures import CONFIDENCE, Line, Section, Value, unknown
from pipeline.audit.kappa import cohen_kappa
from pipeline.audit.pairs import LABEL, Key, Labels, Pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

_MEANING = (
    "Over pairs that a labeller and people have both labelled. `agree`: the share of equal "
    "verdicts. `decided agree`: the same where neither says tie; one half is chance. `kappa`: "
    "Cohen's. The intervals are a percentile bootstrap over prompts."
)
_VERDICTS = (1.0, 0.5, 0.0)
_RESAMPLES = 1000
NO_FILE = "no human labels were given; name a file of them with --human"
"""Why there is no figure that needs people."""
_NO_MATCH = "no pair of the human labels is among its pairs: prompt and both answers must be equal"


@dataclass(frozen=True, slots=True)
class Grade:
    """What people find of one answer."""

    prompt: str
    answer: str
    is_good: bool


@dataclass(frozen=True, slots=True)
class HumanLabels:
    """What people said of pairs, of single answers, or of both.

    Attributes:
        skipped: records that say nothing, by reason.
    """

    pairs: Sequence[Pair] = ()
    grades: Sequence[Grade] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)

    def verdicts(self, pairs: Sequence[Pair]) -> dict[Key, float]:
        """By key and seen from its first answer, what people prefer among these pairs.

        A pair of which just one answer is graded good counts as well. Of several labels of a pair
        the most frequent counts; if there are two such, it is a tie.
        """
        said: defaultdict[Key, list[float]] = defaultdict(list)
        for pair in self.pairs:
            if (verdict := pair.neutral(LABEL)) is not None:
                said[pair.key].append(verdict)
        verdicts = {key: _majority(votes) for key, votes in said.items()}
        good = {(g.prompt.strip(), g.answer.strip()): g.is_good for g in self.grades}
        for key in {pair.key for pair in pairs} - verdicts.keys():
            grades = good.get(key[:2]), good.get((key[0], key[2]))
            if None not in grades and grades[0] != grades[1]:
                verdicts[key] = float(bool(grades[0]))
        return verdicts


def _majority(votes: Sequence[float]) -> float:
    counts = sorted(((votes.count(verdict), verdict) for verdict in set(votes)), reverse=True)
    return 0.5 if len(counts) > 1 and counts[0][0] == counts[1][0] else counts[0][1]


def human_agreement(labels: Labels, human: HumanLabels | None, seed: int) -> Section:
    """Agreement of every labeller with people, with bootstrap intervals."""
    title = "Agreement with people"
    if human is None:
        return Section("human", title, _MEANING, unknown=NO_FILE)
    people = human.verdicts(labels.pairs)
    lines = []
    for name in labels.labellers:
        both: dict[Key, tuple[str, float, float]] = {}
        for pair in labels.pairs:
            verdict = pair.neutral(name)
            if verdict is not None and pair.key in people:
                both[pair.key] = (pair.prompt, verdict, people[pair.key])
        lines.append(Line(name, _figures(list(both.values()), seed)))
    unknown = "" if lines else "there are no labels"
    return Section("human", title, _MEANING, tuple(lines), unknown)


def _figures(both: Sequence[tuple[str, float, float]], seed: int) -> dict[str, Value]:
    names = ("agree", "decided agree", "kappa")
    if not both:
        return dict.fromkeys(names, unknown(_NO_MATCH))
    import numpy as np

    prompts = {prompt: i for i, prompt in enumerate(dict.fromkeys(p for p, _, _ in both))}
    counts = np.zeros((len(prompts), 3, 3))
    for prompt, verdict, person in both:
        counts[prompts[prompt], _VERDICTS.index(verdict), _VERDICTS.index(person)] += 1
    # Draws of whole prompts with replacement, as how often each of them is drawn.
    draws = np.random.default_rng(seed).multinomial(
        len(prompts), np.full(len(prompts), 1 / len(prompts)), size=_RESAMPLES
    )
    resampled = np.tensordot(draws, counts, axes=1)
    figures = (_agree, _decided_agree, _kappa)
    return {
        name: _interval(figure(counts.sum(axis=0)), [figure(sample) for sample in resampled])
        for name, figure in zip(names, figures, strict=True)
    }


def _interval(value: Value, resampled: Sequence[Value]) -> Value:
    """The value with the interval of the resamples in which it is defined."""
    import numpy as np

    values = [sample.value for sample in resampled if sample.value is not None]
    if value.value is None or not values:
        return value
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Value(value.value, value.n, float(low), float(high), value.kind)


def _agree(counts: Counts) -> Value:
    n = int(counts.sum())
    return Value(float(counts.trace() / n), n, kind="share")


def _decided_agree(counts: Counts) -> Value:
    decided = counts[::2, ::2]
    n = int(decided.sum())
    if not n:
        return unknown("one of the two always says tie")
    return Value(float(decided.trace() / n), n, kind="share")


def _kappa(counts: Counts) -> Value:
    cells = [
        (a, b, counts[i, j])
        for (i, a), (j, b) in product(enumerate(_VERDICTS), repeat=2)
        if counts[i, j]
    ]
    kappa = cohen_kappa(*([cell[k] for cell in cells] for k in range(3)))
    return Value(kappa.value, int(counts.sum()), unknown=kappa.unknown)
