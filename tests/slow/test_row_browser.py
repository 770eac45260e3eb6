"""The row browser in real Chromium: in a page from disk, and over the server of `view`."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.audit.page_style import STYLE
from pipeline.audit.reading import read_human
from pipeline.browse.assets import asset, browser_css, browser_js, island
from pipeline.browse.desk import Desk
from pipeline.browse.marks import MarksFile
from pipeline.browse.records import record_of
from tests.pipeline.browse.made import (
    HOSTILE,
    answer_row,
    assistant,
    make_dataset,
    pair_row,
    ranking_row,
    running,
    text_row,
    user,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HUGE = "x" * 40_000
PAIRS = [pair_row(n) for n in range(120)]
PAIRS[1] = pair_row(
    1,
    prompt=[{"role": "system", "content": "Be brief."}, *user(HOSTILE)],
    chosen=assistant(HOSTILE + " One."),
    rejected=assistant(HOSTILE + " Two. " + HUGE),
    source=HOSTILE,
    labeller=HOSTILE,
)
ROWS = {
    "dpo": PAIRS,
    "kto": [answer_row(n) for n in range(4)],
    "ranking": [ranking_row(1)],
    "sft": [text_row(1)],
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no browser here: neither chromium nor google-chrome is on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; at the end nothing was said on their consoles and no script had run."""
    said: list[str] = []
    pages: list[Page] = []

    def start(url: str, **settings: Any) -> Page:
        page = chromium.new_page(**{"viewport": {"width": 1280, "height": 900}, **settings})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.goto(url)
        page.wait_for_selector(".pf-row")
        pages.append(page)
        return page

    yield start
    for page in pages:
        assert page.evaluate("window.hacked") is None
        page.close()
    assert said == []


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page that holds its rows, as a report does."""
    records = [
        {**record_of(row, config, "train"), **JUDGED}
        if config == "dpo"
        else record_of(row, config, "train")
        for config, rows in ROWS.items()
        for row in rows
    ]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Rows</title>"
        '<meta name=viewport content="width=device-width"><meta name=color-scheme '
        'content="light dark">'
        f"<style>{STYLE}{browser_css()}</style><main><h1>Rows</h1><div id=rows></div></main>"
        f'<script id=data type="application/json">{island(records)}</script>'
        f"<script>{browser_js()}</script><script>const data = JSON.parse("
        "document.getElementById('data').textContent); prefmillBrowser.mount("
        "document.getElementById('rows'), prefmillBrowser.fromRecords(data));</script>"
    )
    return path.as_uri()


JUDGED = {"judgements": [{"labeller": "judge", "words": f"Because {HOSTILE}", "p": 0.75}]}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    make_dataset(out, ROWS)
    return out


@contextmanager
def viewing(out: Path, **settings: Any) -> Iterator[str]:
    desk = Desk(out, **settings)
    with running(desk) as port:
        yield f"http://127.0.0.1:{port}/"
    desk.close()


@pytest.fixture(scope="module")
def site(out: Path) -> Iterator[str]:
    with viewing(out) as url:
        yield url


def rows_shown(page: Page) -> int:
    return page.locator("[role=option]").count()


def status(page: Page, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('.pf-status').textContent.includes(words)", arg=words
    )


def picked(page: Page, words: str) -> None:
    """Wait until the row with these words is shown in full."""
    page.wait_for_function(
        "words => document.querySelector('.pf-row').textContent.includes(words)", arg=words
    )


PLACES = ["file", "site"]


@pytest.mark.parametrize("place", PLACES)
def test_rows_are_shown_and_moved_through_by_keys(
    place: str, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(place))
    status(page, "1 to 50 of 120 rows")
    picked(page, "corn 0 between")
    page.locator(".pf-list").focus()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    picked(page, "corn 2 between")
    selected = page.locator("[aria-selected=true]")
    assert selected.get_attribute("id") == page.locator(".pf-list").get_attribute(
        "aria-activedescendant"
    )
    assert (selected.get_attribute("aria-posinset"), selected.get_attribute("aria-setsize")) == (
        "3",
        "120",
    )
    page.keyboard.press("k")
    picked(page, "Be brief.")
    page.keyboard.press("End")
    page.keyboard.press("j")
    status(page, "51 to 100 of 120")
    picked(page, "corn 50 between")
    page.keyboard.press("k")
    picked(page, "corn 49 between")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "pf-detail"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "pf-list"
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.get_by_label("Go to row number").fill("118")
    page.get_by_label("Go to row number").press("Enter")
    picked(page, "corn 117 between")


def test_a_row_is_read_from_its_top(site: str, open_page: Callable[..., Page]) -> None:
    page = open_page(site, viewport={"width": 700, "height": 400})
    page.locator(".pf-list").press("j")
    picked(page, "Be brief.")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.keyboard.press("j")
    picked(page, "corn 2 between")
    assert page.evaluate("document.querySelector('.pf-where').getBoundingClientRect().top") >= 0


@pytest.mark.parametrize("place", PLACES)
def test_filters(
    place: str, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(place))
    page.locator(".pf-list").focus()
    page.keyboard.press("/")
    page.keyboard.type("GRINDS wheat 77 ")
    status(page, "1 to 1 of 1 rows")
    picked(page, "corn 77 between")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear").click()
    status(page, "126 rows")
    page.get_by_label("Config").select_option("dpo")
    page.get_by_label("Margin from").fill("110")
    page.get_by_label("Margin to").fill("115")
    status(page, "of 6 rows")
    page.get_by_label("Order").select_option("-margin")
    picked(page, "corn 115 between")
    page.get_by_label("Source").select_option("source 0")
    status(page, "of 2 rows")
    page.get_by_label("Margin from").fill("116")
    status(page, "No row fits.")
    assert rows_shown(page) == 0


@pytest.mark.parametrize("place", PLACES)
def test_the_address_remembers(
    place: str, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(place))
    page.get_by_label("Order").select_option("-margin")
    picked(page, "corn 119 between")
    page.locator(".pf-list").press("PageDown")
    status(page, "51 to 100")
    page.locator(".pf-list").press("j")
    picked(page, "corn 68 between")
    page.reload()
    page.wait_for_selector(".pf-row")
    picked(page, "corn 68 between")
    status(page, "51 to 100")
    assert page.get_by_label("Order").input_value() == "-margin"


@pytest.mark.parametrize("place", PLACES)
def test_what_differs_is_marked(
    place: str, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(place))
    picked(page, "corn 0 between")
    marks = page.locator(".pf-answer mark")
    assert marks.all_text_contents() == ["corn", "heavy", "wheat"]
    page.locator(".pf-list").press("d")
    assert marks.count() == 0
    page.locator(".pf-list").press("d")
    assert marks.count() == 3


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("kto", ["Desirable", "Answer 0."]),
        ("ranking", ["1.", "best", "2.", "middle", "3.", "worst"]),
        ("sft", ["Text", "A text 1."]),
    ],
)
def test_every_kind_of_row_is_shown(
    place: str,
    config: str,
    words: list[str],
    open_page: Callable[..., Page],
    request: pytest.FixtureRequest,
) -> None:
    page = open_page(request.getfixturevalue(place))
    page.get_by_label("Config").select_option(config)
    picked(page, words[-1])
    shown = page.locator(".pf-answer").all_inner_texts()
    assert re.search(".*".join(map(re.escape, words)), " ".join(shown), re.DOTALL)


@pytest.mark.parametrize("place", PLACES)
def test_hostile_texts_are_shown_and_do_nothing(
    place: str, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(place))
    page.locator(".pf-list").press("j")
    picked(page, "Be brief.")
    row = page.locator(".pf-row")
    assert "<script>window.hacked = 1</script>" in row.inner_text()
    assert row.locator("script, img, textarea, iframe, a, style").count() == 0
    unseen = row.locator(".pf-turn .pf-unseen").all_text_contents()
    assert unseen == ["U+202E", "U+202C", "U+0000", "U+001B", "U+200B"]
    titles = row.locator(".pf-unseen").first.get_attribute("title")
    assert titles == "U+202E right-to-left override"
    bare = page.evaluate("document.body.innerText")
    assert not set(bare) & {"\u202e", "\u202c", "\x00", "\x1b", "\u200b"}
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert family in row.inner_text(), "a joiner that makes one sign of three is no trick"
    # A line without an end wraps, and what is huge is folded.
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert row.inner_text().count("x") < 10_000
    page.get_by_role("button", name="Show all 40,").click()
    assert row.inner_text().count("x") >= 40_000
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("place", [*PLACES, "marking"])
def test_it_is_accessible_and_fits(
    place: str,
    scheme: str,
    width: int,
    open_page: Callable[..., Page],
    request: pytest.FixtureRequest,
    out: Path,
    tmp_path: Path,
) -> None:
    if place == "marking":
        with viewing(out, labels=MarksFile(tmp_path / "labels.jsonl"), is_blind=True) as url:
            _check(open_page, url, scheme, width)
    else:
        _check(open_page, request.getfixturevalue(place), scheme, width)


def _check(open_page: Callable[..., Page], url: str, scheme: str, width: int) -> None:
    page = open_page(url, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.locator(".pf-list").press("j")
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for _ in range(2):
        found = Axe().run(page)["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        assert grave == [], json.dumps(grave, indent=1)[:3000]
        page.locator(".pf-list").press("?")


def test_a_person_marks_rows_by_keys(
    open_page: Callable[..., Page], out: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.jsonl"
    with viewing(out, labels=MarksFile(labels), is_blind=True, seed=4) as url:
        page = open_page(url)
        status(page, "1 to 50 of 120 rows")
        assert page.locator(".pf-answer h4").all_inner_texts()[0].startswith("Answer A")
        assert "argin" not in page.locator(".pf-row").inner_text()
        first = page.locator(".pf-where code").inner_text()
        answers = page.locator(".pf-answer .pf-text").all_text_contents()
        page.locator(".pf-list").press("c")
        page.keyboard.type("heavier; g b t")
        page.keyboard.press("Enter")
        press(page, "1", "1 marked")
        press(page, "t", "2 marked")
        press(page, "s", "1 skipped")
        page.keyboard.press("g")  # means nothing while labels are hidden
        press(page, "2", "3 marked")
        press(page, "u", "2 marked")
        lines = [json.loads(line) for line in labels.read_text().splitlines()]
        assert [line["verdict"] for line in lines][1:3] == ["tie", "skip"]
        assert (lines[0]["row_id"], lines[0]["comment"]) == (first, "heavier; g b t")
        assert [lines[0]["response_1"], lines[0]["response_2"]] == answers
        assert lines[0]["preference_strength"] == -1
        assert lines[-1]["verdict"] == "none"
        assert lines[-1]["row_id"] == lines[-2]["row_id"]
        # Undone, it is before one again, and hidden.
        assert page.locator(".pf-where code").inner_text() == lines[-1]["row_id"]
        page.get_by_label("Marks").select_option("done")
        status(page, "of 3 rows")
        assert page.locator(".pf-mark").count() == 3
    with viewing(out, labels=MarksFile(labels), is_blind=True, seed=4) as url:
        again = open_page(url)
        status(again, "1 to 50 of 117 rows")
        _told(again, "2 marked")
        assert again.locator(".pf-where code").inner_text() == lines[-1]["row_id"]
    assert read_human(labels).n_pairs == 2


def press(page: Page, key: str, words: str) -> None:
    """Press a key that marks, and wait until the next row is there."""
    before = page.locator(".pf-where code").inner_text()
    page.keyboard.press(key)
    _told(page, words)
    page.wait_for_function(
        "before => document.querySelector('.pf-where code').textContent !== before", arg=before
    )


def test_with_labels_shown_rows_are_good_or_bad(
    open_page: Callable[..., Page], out: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.jsonl"
    with viewing(out, labels=MarksFile(labels)) as url:
        page = open_page(url)
        page.locator(".pf-list").focus()
        press(page, "g", "1 good, 0 bad")
        page.get_by_role("button", name="Bad: rejected is better").click()
        _told(page, "1 good, 1 bad")
        page.get_by_label("Config").select_option("ranking")
        picked(page, "worst")
        assert "cannot be marked" in page.locator(".pf-marking").inner_text()
        page.locator(".pf-list").press("g")
        page.wait_for_timeout(200)
        assert len(labels.read_text().splitlines()) == 2


def test_the_judges_are_asked_when_somebody_wants_to_know(
    open_page: Callable[..., Page], out: Path
) -> None:
    def judged(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if row["margin"] else JUDGED["judgements"]

    with viewing(out, judged=judged) as url:
        page = open_page(url)
        page.get_by_text("What the judges said").click()
        picked(page, "Because <script>")
        assert "P(chosen wins) 0.75" in page.locator(".pf-row").inner_text()
        page.locator(".pf-list").press("j")
        picked(page, "Be brief.")
        page.get_by_text("What the judges said").click()
        picked(page, "The run keeps nothing of it.")


def test_a_replaced_dataset_is_told(open_page: Callable[..., Page], tmp_path: Path) -> None:
    make_dataset(tmp_path, {"dpo": PAIRS[:3]})
    with viewing(tmp_path) as url:
        page = open_page(url)
        status(page, "of 3 rows")
        make_dataset(tmp_path, {"dpo": PAIRS[:5]})
        page.get_by_label("Order").select_option("margin")
        status(page, "of 5 rows")
        assert "was replaced" in page.locator("#notice").inner_text()


def _told(page: Page, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('.pf-progress').textContent.includes(words)", arg=words
    )


def test_differences_are_a_longest_common_subsequence(chromium: Browser) -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices("abcd", k=rng.randrange(14))) for _ in range(600)]
    cases = list(zip(texts[::2], texts[1::2], strict=True))
    page = chromium.new_page()
    page.add_script_tag(content=asset("words.js"))
    found = page.evaluate("cases => cases.map(([a, b]) => wordDifference(a, b))", cases)
    page.close()
    for (first, second), difference in zip(cases, found, strict=True):
        assert "".join(run["text"] for run in difference["first"]) == first
        assert "".join(run["text"] for run in difference["second"]) == second
        a, b = first.split(), second.split()
        kept = [
            [word for run in difference[side] if not run["isOnly"] for word in run["text"].split()]
            for side in ("first", "second")
        ]
        assert kept[0] == kept[1]
        assert len(kept[0]) == common(a, b)
        assert difference["alike"] == pytest.approx(
            2 * len(kept[0]) / max(1, len(a) + len(b)), abs=1e-9
        )


def common(a: list[str], b: list[str]) -> int:
    """Length of a longest common subsequence, by the textbook's table."""
    row = [0] * (len(b) + 1)
    for word in a:
        last = row
        row = [0]
        for place, other in enumerate(b, 1):
            row.append(last[place - 1] + 1 if word == other else max(last[place], row[-1]))
    return row[-1]


def test_texts_too_long_or_too_different_are_not_compared(chromium: Browser) -> None:
    page = chromium.new_page()
    page.add_script_tag(content=asset("words.js"))
    differ = "n => wordDifference('a '.repeat(n), 'b '.repeat(n))"
    assert page.evaluate(differ, 1000) is not None
    assert page.evaluate(differ, 30_000) is None
    assert page.evaluate("wordDifference('a '.repeat(1e6), 'a '.repeat(1e6))") is None
    page.close()
