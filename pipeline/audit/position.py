"""Position bias: a judge prefers an answer for where it is shown."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.audit.figures import Line, Section, share
from pipeline.audit.pairs import ALL_TIES, LABEL, Judgement, Labels, decided

_MEANING = (
    "A judge that saw both orders of a pair and preferred another answer each time was moved by "
    "the position: that is a flip. `first when it flips` says which position it favours; one half "
    "is no favour. Where each pair was shown in one order only, flips cannot be seen, but `first "
    "preferred` should be one half if the answers were shown in random order."
)
_ONE_ORDER = "each pair was shown in one order only"
_NO_ORDER = (
    "each pair has one label, and which answer was shown first is not recorded; the work folder of "
    "a run with a pairwise judge has both orders"
)


def position_bias(labels: Labels) -> Section:
    """Flips by labeller where both orders are kept; else how often the first answer wins."""
    judgements = labels.judgements or []
    names = sorted({judgement.labeller for judgement in judgements})
    lines = [_flips(name, [item for item in judgements if item.labeller == name]) for name in names]
    shown = [(pair, verdict) for pair, verdict in labels.of(LABEL) if pair.is_shown_order]
    if shown:
        winners = [verdict for _, verdict in decided(shown)]
        preferred = share(winners.count(1.0), len(winners), ALL_TIES)
        never = share(0, 0, _ONE_ORDER)
        values = {"flips": never, "first when it flips": never, "first preferred": preferred}
        lines.append(Line(LABEL, values))
    unknown = "" if lines else _NO_ORDER
    return Section("position_bias", "Position bias", _MEANING, tuple(lines), unknown)


def _flips(name: str, judgements: Sequence[Judgement]) -> Line:
    flips = [item for item in judgements if _flipped(item)]
    first = sum(item.p_shown_first > item.p_shown_second for item in flips)
    shown_first = sum(
        (item.p_shown_first > 0.5) + (item.p_shown_second < 0.5) for item in judgements
    )
    undecided = sum(
        (item.p_shown_first == 0.5) + (item.p_shown_second == 0.5) for item in judgements
    )
    asked = 2 * len(judgements) - undecided
    return Line(
        name,
        {
            "flips": share(len(flips), len(judgements), "no judgements"),
            "first when it flips": share(first, len(flips), "it never flips"),
            "first preferred": share(shown_first, asked, "every answer was a tie"),
        },
    )


def _flipped(judgement: Judgement) -> bool:
    """One order prefers the one answer, the other order the other; a tie is no preference."""
    return (judgement.p_shown_first - 0.5) * (judgement.p_shown_second - 0.5) < 0
