"""Self-consistency: a labeller says the same of the same, and its verdicts fit together."""

from __future__ import annotations

from collections import defaultdict

from pipeline.audit.figures import Line, Section, Value, share
from pipeline.audit.pairs import Key, Labels

_MEANING = (
    "`repeats agree`: of the pairs that are labelled more than once, in either order, the share on "
    "which all labels are the same. `no cycles`: of the triples of answers that a judge decided "
    "all three ways, the share that it does not put in a circle (a over b, b over c, c over a)."
)
_NO_REPEATS = "no pair is labelled twice"
_NO_TRIPLES = "no judge decided between three answers all three ways"


def self_consistency(labels: Labels) -> Section:
    """Agreement of each labeller with itself."""
    lines = []
    for name in sorted({*labels.labellers, *labels.cycles}):
        values = {"repeats agree": _repeats(labels, name), "no cycles": _no_cycles(labels, name)}
        if any(value.value is not None for value in values.values()):
            lines.append(Line(name, values))
    unknown = "" if lines else f"{_NO_REPEATS}, and {_NO_TRIPLES}"
    return Section("self_consistency", "Self-consistency", _MEANING, tuple(lines), unknown)


def _repeats(labels: Labels, labeller: str) -> Value:
    said: defaultdict[Key, list[float]] = defaultdict(list)
    for pair in labels.pairs:
        if (verdict := pair.neutral(labeller)) is not None:
            said[pair.key].append(verdict)
    repeated = [verdicts for verdicts in said.values() if len(verdicts) > 1]
    return share(sum(len(set(v)) == 1 for v in repeated), len(repeated), _NO_REPEATS)


def _no_cycles(labels: Labels, labeller: str) -> Value:
    cycle = labels.cycles.get(labeller)
    triples = cycle.triples if cycle else 0
    return share(triples - cycle.cyclic if cycle else 0, triples, _NO_TRIPLES)
