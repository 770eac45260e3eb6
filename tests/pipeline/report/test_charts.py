"""Charts: drawn without a browser, in the page's colours, with words and numbers beside them."""

import re
from xml.etree import ElementTree

import pytest

from pipeline.report.charts import Chart, bars, figure, histogram
from tests.hostile import TEXTS
from tests.pipeline.report.page_reader import PageReader


def drawing(chart: Chart) -> ElementTree.Element:
    found = re.search(r"<svg.*</svg>", figure(chart), re.DOTALL)
    assert found is not None
    return ElementTree.fromstring(found[0])


def colours(root: ElementTree.Element) -> set[str]:
    paints = (element.get(which) for element in root.iter() for which in ("fill", "stroke"))
    return {paint for paint in paints if paint}


def scores() -> Chart:
    counts = {"chosen": [1, 4, 9], "rejected": [6, 2, 0]}
    return histogram("Scores", "score", [0, 1, 2, 3], counts)


def test_all_colours_are_the_pages() -> None:
    for chart in (scores(), bars("Rows", "rows", {"a": {"rows": 3}, "b": {"rows": 1}})):
        found = colours(drawing(chart))
        assert "var(--fill)" in found
        assert {c for c in found if not c.startswith("var(")} <= {"none", "transparent"}


def test_two_series_have_two_colours_and_a_key() -> None:
    assert {"var(--fill)", "var(--against)"} <= colours(drawing(scores()))
    assert '<span class="key against">rejected</span>' in figure(scores())


def test_axes_say_what_they_count() -> None:
    texts = [element.text for element in drawing(scores()).iter() if element.tag.endswith("text")]
    assert {"score", "rows"} <= set(texts)


def test_numbers_and_words_stand_beside_it() -> None:
    told = PageReader(figure(scores())).parts[""]
    assert "0 to 1" in told
    assert "9" in told
    label = drawing(scores()).get("aria-label") or ""
    assert label.startswith("Scores. Histogram of score from 0 to 3.")
    assert "chosen: most rows, 9, at 2 to 3" in label


@pytest.mark.parametrize("text", TEXTS)
def test_names_are_text_and_nothing_else(text: str) -> None:
    chart = bars(text, "rows", {text: {"rows": 2}, text + " again": {"rows": 1}})
    read = PageReader(figure(chart))
    plain = PageReader(figure(bars("t", "rows", {"a": {"rows": 2}, "b": {"rows": 1}})))
    assert read.names == plain.names
    assert {name for name, _ in read.attributes} == {name for name, _ in plain.attributes}
    drawing(chart)


def test_bars_with_the_same_name_stay_apart() -> None:
    long = "x" * 100
    chart = bars("Rows", "rows", {long + "a": {"rows": 2}, long + "b": {"rows": 1}})
    paths = [e for e in drawing(chart).iter() if e.get("fill") == "var(--fill)"]
    assert len(paths) == 2
