"""Ties, counted by hand."""

from pipeline.audit.ties import ties
from tests.pipeline.audit.samples import labels, pair, value


def test_ties_are_counted_by_labeller() -> None:
    pairs = [pair(1.0, verdicts={"scores": 0.5}), pair(0.5, verdicts={"scores": 0.5}), pair(0.0)]
    section = ties(labels(pairs))
    label, scores = (value(section, name, "ties") for name in ("label", "scores"))
    assert (label.n, scores.n, scores.value) == (3, 2, 1.0)
    assert label.value == 1 / 3
    assert label.low is not None and label.high is not None
    assert label.low < 1 / 3 < label.high
