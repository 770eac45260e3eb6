"""What the prompts are about."""

from __future__ import annotations

from html import escape

from pipeline.report.coverage import LEAST, Cluster, Coverage
from pipeline.report.html import Part, missing, section
from pipeline.report.text import label, quote

_KEY, _TITLE = "coverage", "What the prompts are about"
_MEANING = (
    "{sampled} different prompts, grouped {method}, k-means, seeded. Each group is named by the "
    "words that stand out in it and shown by the prompts nearest to its middle. Groups help to see "
    "what is there and what is missing; where one ends is a matter of taste."
)
_CHARACTERS = 220


def coverage_part(coverage: Coverage | None) -> Part:
    """The groups, the largest first."""
    if coverage is None:
        return missing(
            _KEY, _TITLE, f"fewer than {LEAST} different prompts have words to group them by"
        )
    meaning = _MEANING.format(sampled=f"{coverage.sampled:,}", method=coverage.method)
    items = "".join(_item(cluster) for cluster in coverage.clusters)
    return section(_KEY, _TITLE, meaning, f'<ul class="clusters">{items}</ul>')


def _item(cluster: Cluster) -> str:
    words = escape(", ".join(label(term, 24) for term in cluster.terms)) or "no words in common"
    head = f"<h3><b>{100 * cluster.share:.0f} %</b> <bdi>{words}</bdi></h3>"
    return f"<li>{head}{''.join(quote(text, _CHARACTERS) for text in cluster.examples)}</li>"
