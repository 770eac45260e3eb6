"""The browser of sampled rows, and its records as data in the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.browse.assets import island
from pipeline.report.html import Part, missing, section
from pipeline.report.sample import SEED

BOOT = """
prefmillBrowser.mount(document.getElementById("browser"), prefmillBrowser.fromRecords(
  JSON.parse(document.getElementById("records").textContent)));
"""
"""What starts it: after `browser.js`, in the same script."""
_KEY, _TITLE = "browse", "Rows"
_MEANING = (
    "{n} of {all} rows, drawn at random (seed {seed}), in the order of the dataset. What is cut "
    "says so. `prefmill view` shows all rows in the same way."
)


def browser_part(records: Sequence[dict[str, Any]], all_rows: int) -> Part:
    """The place where the browser is mounted, and its records."""
    if not records:
        return missing(_KEY, _TITLE, "there are no rows to look at")
    meaning = _MEANING.format(n=f"{len(records):,}", all=f"{all_rows:,}", seed=SEED)
    return section(
        _KEY,
        _TITLE,
        meaning,
        '<div id="browser"><noscript>The rows are shown by a script.</noscript></div>',
        '<p class="paper">On paper, one of them.</p>',
        f'<script type="application/json" id="records">{island(list(records))}</script>',
    )
