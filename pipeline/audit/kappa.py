"""Agreement beyond chance, by the libraries, with a reason where it is not defined."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.audit.figures import Value, unknown

_NAMES = {1.0: "first", 0.5: "tie", 0.0: "second"}


def cohen_kappa(
    one: Sequence[float], other: Sequence[float], weights: Sequence[float] | None = None
) -> Value:
    """Cohen's kappa of two labellers' verdicts on the same pairs, which may have weights."""
    n = len(one)
    if not n:
        return unknown("they have labelled no pair in common")
    if len({*one, *other}) == 1:
        return unknown(f"both always said {_NAMES[one[0]]}, which chance would do as well", n)
    from sklearn.metrics import cohen_kappa_score

    names = [_NAMES[v] for v in one], [_NAMES[v] for v in other]
    return Value(float(cohen_kappa_score(*names, sample_weight=weights)), n)


def krippendorff_alpha(verdicts: Sequence[Sequence[float | None]]) -> Value:
    """Krippendorff's nominal alpha: one sequence a labeller, None where it said nothing."""
    units = [[v for v in unit if v is not None] for unit in zip(*verdicts, strict=True)]
    pairable = [unit for unit in units if len(unit) > 1]
    if not pairable:
        return unknown("no pair was labelled by two of them")
    if len({verdict for unit in pairable for verdict in unit}) == 1:
        return unknown("all of them always said the same", len(pairable))
    import krippendorff
    import numpy as np

    data = np.array([[np.nan if v is None else v for v in line] for line in verdicts])
    alpha = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    return Value(float(alpha), len(pairable))
