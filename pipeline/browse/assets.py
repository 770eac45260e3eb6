"""The row browser as text, to be put into a page or served: plain JavaScript, no build step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_SCRIPTS = ("words", "safe_text", "row", "filters", "list", "records", "marking", "help", "browser")
"""In the order in which they stand on each other."""


def browser_js() -> str:
    """One classic script that defines `prefmillBrowser`, and nothing else, for the page.

    It holds no `</script`, so it may stand in a page as it is.
    """
    body = "\n".join(asset(f"{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{body}}})();\n'


def browser_css() -> str:
    """Its style sheet: all under `.pf-browser`, light and dark."""
    return asset("browser.css")


def asset(name: str) -> str:
    """A file of this folder."""
    return (_HERE / name).read_text(encoding="utf-8")


def island(value: Any) -> str:
    """JSON to stand in a page's `<script type="application/json">`, whatever texts are in it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("utf-8", "backslashreplace").decode()
