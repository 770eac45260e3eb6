"""The report in a real browser: hostile texts do nothing, and people of all kinds can use it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.cli.main import main
from tests.hostile import hostile_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SCHEMES = ("light", "dark")
GRAVE = {"serious", "critical"}


@dataclass
class Seen:
    """A page, and what it did beside being shown."""

    page: Page
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no browser here: neither chromium nor google-chrome is on the path")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run over hostile texts."""
    folder = tmp_path_factory.mktemp("hostile")
    recipe = hostile_recipe(folder)
    assert main(["run", str(recipe), "--out", str(folder / "out"), "--quiet"]) == 0
    return folder / "out" / "report.html"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with judges."""
    out = tmp_path_factory.mktemp("judged") / "out"
    recipe = str(ROOT / "configs" / "scripted.yaml")
    assert main(["run", recipe, "--out", str(out), "--quiet"]) == 0
    return out / "report.html"


@pytest.fixture
def opened(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Opens a page at a width and in a scheme, and listens to it."""
    contexts = []

    def show(file: Path, width: int = 1280, scheme: str = "light") -> Seen:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.on("request", lambda one: seen.requests.append(one.url))
        seen.page.on("console", lambda one: seen.said.append(one.text))
        seen.page.on("pageerror", lambda one: seen.said.append(str(one)))
        seen.page.goto(file.as_uri())
        seen.page.wait_for_selector(".pf-list [role=option]")
        return seen

    yield show
    for context in contexts:
        context.close()


def every_row(page: Page) -> Iterator[str]:
    """Go through the rows of the browser by the keyboard; the text of each in full."""
    page.focus(".pf-list")
    for _ in range(page.locator(".pf-list [role=option]").count()):
        yield page.inner_text(".pf-detail")
        page.keyboard.press("j")


def test_hostile_texts_do_nothing(hostile: Path, opened: Any) -> None:
    seen = opened(hostile)
    page = seen.page
    for summary in page.locator("section > details > summary").all():
        summary.click()
    texts = "\n".join(every_row(page))
    assert all(text in texts for text in ("<script>window.__ran", 'onload="window.__ran'))
    assert "U+202E" in texts
    assert "more characters" in texts
    page.mouse.move(300, 300)
    assert page.evaluate("window.__ran") is None
    assert page.locator("main img, main iframe, main a[onclick], main style").count() == 0
    assert seen.requests == [hostile.as_uri()]
    assert seen.said == []


def test_it_opens_at_its_top(judged: Path, opened: Any) -> None:
    page = opened(judged).page
    page.wait_for_timeout(300)
    assert page.evaluate("window.scrollY") == 0


def test_rejected_texts_are_shown_with_what_is_unseen(hostile: Path, opened: Any) -> None:
    page = opened(hostile).page
    page.get_by_text("All reasons, with an example each").click()
    reasons = page.inner_text("#rows")
    assert "nul_character" in reasons
    assert "lone_surrogate" in reasons
    assert not set(reasons) & {"\x00", "\x1b", "\u202e"}


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_nothing_stands_out_of_the_page(hostile: Path, opened: Any, width: int) -> None:
    page = opened(hostile, width).page
    page.get_by_text("All reasons, with an example each").click()
    wide, window = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide == window


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("file", ["judged", "hostile"])
def test_it_is_accessible(
    request: pytest.FixtureRequest, opened: Any, file: str, scheme: str, width: int
) -> None:
    page = opened(request.getfixturevalue(file), width, scheme).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page)["violations"]
    grave = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in GRAVE]
    assert grave == []


def test_every_chart_has_words_and_numbers(judged: Path, opened: Any) -> None:
    page = opened(judged).page
    charts = page.locator("figure").all()
    assert len(charts) >= 6
    for chart in charts:
        drawing = chart.locator("svg")
        title = chart.locator("figcaption").evaluate("(one) => one.firstChild.textContent")
        assert (drawing.get_attribute("aria-label") or "").startswith(f"{title}. ")
        assert chart.locator("table tbody tr").count() > 0
        drawn = drawing.locator("text").all_text_contents()
        assert [text for text in drawn if text.isalpha()], "no axis says what it counts"


def test_day_and_night_have_colours_of_their_own(judged: Path, opened: Any) -> None:
    ask = "getComputedStyle(document.querySelector('figure svg path[fill^=var]')).fill"
    colours = {scheme: opened(judged, scheme=scheme).page.evaluate(ask) for scheme in SCHEMES}
    assert colours["light"] != colours["dark"]
    assert "none" not in colours.values()


def test_it_is_used_by_keyboard(judged: Path, opened: Any) -> None:
    page = opened(judged).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    first, second, *_ = every_row(page)
    assert first != second
    page.keyboard.press("/")
    page.keyboard.type("chess")
    expect(page.locator(".pf-list [role=option]")).not_to_have_count(24)
    lines = page.locator(".pf-list .pf-line").all_inner_texts()
    assert lines
    assert all("chess" in line for line in lines)


def test_what_the_judges_said_is_beside_the_pair(judged: Path, opened: Any) -> None:
    page = opened(judged).page
    said = page.inner_text(".pf-detail")
    assert "What the judges said" in said
    assert "P(chosen wins)" in said


def test_paper_has_all_of_it(judged: Path, opened: Any) -> None:
    page = opened(judged, scheme="dark").page
    titles = page.locator("main > section > h2").all_inner_texts()
    page.emulate_media(media="print", color_scheme="dark")
    ink, paper = page.evaluate(
        "[document.body, document.querySelector('main')].map((one) => getComputedStyle(one).color)"
    )
    assert ink == paper == "rgb(0, 0, 0)"
    assert page.locator("main > section > h2").all_inner_texts() == titles
    shown = "getComputedStyle(document.querySelector('#making pre')).contentVisibility"
    assert page.evaluate(shown) == "visible"
    assert page.locator("#making pre").bounding_box()["height"] > 100
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_records_are_those_of_the_dataset(judged: Path, opened: Any) -> None:
    records = json.loads(opened(judged).page.text_content("#records") or "")
    assert {record["config"] for record in records} == {"dpo", "kto"}
    assert len(records) == 72
