"""The page: one file that opens from disk, loads nothing, and runs one script of our own.

Its Content-Security-Policy allows that script and this style by their hashes, and nothing else: no
image, no font, no connection. Whatever a model wrote could do nothing even if it were markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from pipeline.browse.assets import browser_css, browser_js
from pipeline.report.html import Part
from pipeline.report.parts.browser import BOOT
from pipeline.report.style import REPORT_STYLE
from pipeline.report.text import name

MARK = '<meta name="generator" content="prefmill report">'
_END = (
    "Written by prefmill. A dash is a figure that cannot be had. Nothing on this page is filled "
    "in, and nothing is loaded from anywhere."
)


def render_page(title: str, headline: str, parts: Sequence[Part]) -> str:
    """The whole page.

    Args:
        title: in plain text.
        headline: HTML of its top.
        parts: what follows, in order.
    """
    style = browser_css() + REPORT_STYLE
    script = browser_js() + BOOT if any(part.key == "browse" for part in parts) else ""
    links = "".join(f'<a href="#{part.key}">{escape(part.title)}</a>' for part in parts)
    body = "".join(part.html for part in parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"{_policy(style, script)}{MARK}"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name(title)}</title><style>{style}</style></head><body>"
        f'<a class="skip" href="#main">To the content</a><main id="main">{headline}'
        f'<nav aria-label="Parts of this page">{links}</nav>{body}'
        f"<footer>{_END}</footer></main>{_script(script)}</body></html>\n"
    )


def _script(script: str) -> str:
    return f"<script>{script}</script>" if script else ""


def _policy(style: str, script: str) -> str:
    allowed = {"default-src": "'none'", "style-src": _hash(style), "script-src": _hash(script)}
    allowed |= {"base-uri": "'none'", "form-action": "'none'"}
    content = "; ".join(f"{what} {which}" for what, which in allowed.items())
    return f'<meta http-equiv="Content-Security-Policy" content="{content}">'


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
