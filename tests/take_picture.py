"""Take the README's picture of a report: `python -m tests.take_picture runs/quickstart PICTURE`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1280, 1500


def take_picture(page: Path, picture: Path) -> None:
    """The top of a report, by day, as a PNG file."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector(".pf-list [role=option]")
        tab.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    run, target = map(Path, sys.argv[1:3])
    take_picture(run / "report.html", target)
