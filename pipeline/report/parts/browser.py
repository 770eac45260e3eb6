"""The browser of sampled rows, and its records as data in the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipeline.report.html import Part, missing, section
from pipeline.report.sample import SEED

BOOT = """
prefmillBrowser.mount(document.getElementById("browser"), prefmillBrowser.fromRecords(
  JSON.parse(document.getElementById("records").textContent)));
"""
"""What starts it: after `browser.js`, in the same script."""
_KEY, _TITLE = "browse", "Rows"
_MEANING = (
    "{n} of {all} rows, drawn at random (seed {seed}), in the order of the dataset. What is cut says "
    "so. `prefmill view` shows all rows in the same way."
)
_DANGEROUS = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""What could end the data's element or be read as markup."""


def browser_part(records: Sequence[dict[str, Any]], all_rows: int) -> Part:
    """The place where the browser is mounted, and its records."""
    if not records:
        return missing(_KEY, _TITLE, "there are no rows to look at")
    meaning = _MEANING.format(n=f"{len(records):,}", all=f"{all_rows:,}", seed=SEED)
    return section(
        _KEY,
        _TITLE,
        meaning,
        '<div id="browser" class="screen"><noscript>The rows are shown by a script.</noscript></div>',
        '<p class="paper">The rows are to be browsed on screen.</p>',
        f'<script type="application/json" id="records">{_island(records)}</script>',
    )


def _island(records: Sequence[dict[str, Any]]) -> str:
    """JSON that is whole inside an HTML element, whatever stands in the records."""
    text = json.dumps(list(records), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_DANGEROUS)
