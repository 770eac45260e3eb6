"""Clusters of prompts: found where there are some, the same each time."""

import pyarrow as pa

from pipeline.report.coverage import LEAST, SAMPLE, Coverage, coverage_of
from pipeline.report.facts import Facts
from pipeline.report.rows import RowSet

NOWHERE = Facts("none", None, None, None, ())
BREAD = [f"How do I bake bread with {n} grams of rye flour?" for n in range(30)]
CODE = [f"Why does my Python function raise error {n} in a loop?" for n in range(20)]


def coverage(prompts: list[str]) -> Coverage | None:
    turns = [[{"role": "user", "content": text}] for text in prompts]
    kind = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    table = pa.table({"prompt": pa.array(turns, kind)})
    rows = RowSet("c", "pair", {"": len(prompts)}, frozenset(["prompt"]), lambda *_: iter([table]))
    return coverage_of(NOWHERE, rows)


def test_two_subjects_are_told_apart() -> None:
    found = coverage(BREAD + CODE)
    assert found is not None
    assert found.sampled == 50
    assert sum(cluster.share for cluster in found.clusters) == 1
    for cluster in found.clusters:
        assert len({text.split()[0] for text in cluster.examples}) == 1
        assert cluster.terms


def test_the_same_prompts_give_the_same_clusters_in_any_order() -> None:
    assert coverage(BREAD + CODE) == coverage(CODE + BREAD)


def test_a_prompt_that_is_there_twice_counts_once() -> None:
    assert coverage(BREAD + BREAD + CODE) == coverage(BREAD + CODE)


def test_few_prompts_or_none_with_words_are_no_clusters() -> None:
    assert coverage(BREAD[: LEAST - 1]) is None
    assert coverage(["!?" + "." * n for n in range(20)]) is None
    assert coverage([]) is None


def test_of_many_a_sample_is_clustered() -> None:
    found = coverage([f"{text} {n}" for n in range(400) for text in BREAD])
    assert found is not None
    assert found.sampled == SAMPLE
