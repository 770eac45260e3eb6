"""Length: how far labels follow it, and who wins when it is taken out.

The length-controlled win rate is the idea of AlpacaEval 2 (Dubois et al., 2024, arXiv 2404.04475):
fit logit P(model wins) = a + b tanh(gap / sd), where gap is by how many characters its answer is
longer and sd the gaps' standard deviation, and report the prediction at gap zero, sigmoid(a).
Theirs has a difficulty for each of its 805 instructions besides, which no other dataset has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from pipeline.audit.figures import CONFIDENCE, Line, Section, Value, share, unknown
from pipeline.audit.logistic import fit_logistic
from pipeline.audit.pairs import ALL_TIES, LABEL, Labels, Pair, decided

_CORRELATION = (
    "`longer preferred`: the share of pairs whose longer answer is preferred; one half is no "
    "preference. `correlation`: Pearson's, of the label with the difference in characters, each "
    "pair seen from both sides."
)
_CONTROLLED = (
    "`win rate`: how often a model's answers are preferred to other models', ties half. "
    "`length-controlled`: what a logistic fit predicts if both answers were equally long. A model "
    "that wins by length alone falls back to one half. Where the models are not known but the "
    "order of the answers is, the same of the answer shown first."
)
_SHOWN_FIRST = "the answer shown first"
_MIN_PAIRS = 10
_SAME = "no two answers differ in length"
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def length_correlation(labels: Labels) -> Section:
    """How labels go with length, by labeller."""
    lines = []
    for name in labels.labellers:
        won = [(pair.length_gap, verdict) for pair, verdict in decided(labels.of(name))]
        uneven = [(gap > 0) == (verdict == 1) for gap, verdict in won if gap]
        values = {
            "longer preferred": share(sum(uneven), len(uneven), _SAME if won else ALL_TIES),
            "correlation": _correlation([gap for gap, _ in won], [v for _, v in won]),
        }
        lines.append(Line(name, values))
    unknown = "" if lines else "there are no labels"
    return Section("length", "Length", _CORRELATION, tuple(lines), unknown)


def _correlation(gaps: Sequence[int], verdicts: Sequence[float]) -> Value:
    if not any(gaps):
        return unknown(_SAME if gaps else ALL_TIES, len(gaps))
    import numpy as np

    gap = np.array([*gaps, *(-gap for gap in gaps)], dtype=float)
    label = np.array([*verdicts, *(1 - verdict for verdict in verdicts)])
    return Value(float(np.corrcoef(gap, label)[0, 1]), len(gaps))


def length_controlled(labels: Labels) -> Section:
    """Win rates of models, or of what is shown first, raw and length-controlled, by labeller."""
    lines = []
    for name in labels.labellers:
        verdicts = labels.of(name)
        for model in sorted({m for pair, _ in verdicts for m in pair.models if m}):
            games = [_game(pair, verdict, model) for pair, verdict in verdicts if _met(pair, model)]
            if games:
                lines.append(Line(model, _win_rates(games), group=name))
    shown = [(v, pair.length_gap) for pair, v in labels.of(LABEL) if pair.is_shown_order]
    if shown:
        lines.append(Line(_SHOWN_FIRST, _win_rates(shown), group=LABEL))
    title = "Length-controlled win rate"
    return Section(
        "length_controlled",
        title,
        _CONTROLLED,
        tuple(lines),
        "" if lines else _no_models(labels.pairs),
    )


def _no_models(pairs: Sequence[Pair]) -> str:
    models = {model for pair in pairs for model in pair.models if model}
    if len(models) == 1:
        return f"all answers are by one model, {models.pop()}, and a win rate needs two"
    return "the dataset says neither which model wrote an answer nor which was shown first"


def _met(pair: Pair, model: str) -> bool:
    """Whether the model met another one."""
    first, second = pair.models
    return model in pair.models and first is not None and second is not None and first != second


def _game(pair: Pair, verdict: float, model: str) -> tuple[float, int]:
    """The model's result, and by how many characters its answer is longer."""
    if pair.models[0] == model:
        return verdict, pair.length_gap
    return 1 - verdict, -pair.length_gap


def _win_rates(games: Sequence[tuple[float, int]]) -> dict[str, Value]:
    results = [result for result, _ in games]
    rate = Value(sum(results) / len(results), len(results), kind="share")
    return {"win rate": rate, "length-controlled": _controlled(games)}


def _controlled(games: Sequence[tuple[float, int]]) -> Value:
    import numpy as np

    results = np.array([result for result, _ in games])
    gaps = np.array([gap for _, gap in games], dtype=float)
    n = len(games)
    if n < _MIN_PAIRS:
        return unknown(f"{n} pairs; a fit needs at least {_MIN_PAIRS}", n)
    if results.max() == 0 or results.min() == 1:
        return unknown("all of its pairs are won, or all lost: length explains nothing", n)
    spread = gaps.std()
    if not spread:
        return unknown("its answers all differ by the same length from the others", n)
    fit = fit_logistic(np.tanh(gaps / spread)[:, None], results, with_intercept=True)
    ends = (fit.weights[0] + sign * _Z * fit.errors[0] for sign in (0, -1, 1))
    value, low, high = (1 / (1 + math.exp(-end)) for end in ends)
    return Value(value, n, low, high, "share")
