"""How it was made: models, versions, figures that gates see, and the recipe."""

from __future__ import annotations

from html import escape

from pipeline.report.facts import Facts
from pipeline.report.html import Part, details, number, section, table
from pipeline.report.text import coded, name, visible
from schemas.figures import meaning

_KEY, _TITLE = "making", "How it was made"
_MEANING = "As the dataset's own manifest says. The card beside the dataset says what columns mean."


def making_part(facts: Facts) -> Part | None:
    """What the manifest says; None if there is no dataset yet."""
    if facts.dataset is None:
        return None
    content = []
    models = [
        [name(model[key] or "–") for key in ("role", "model", "engine", "revision")]
        for model in facts.made_by.get("models", ())
    ]
    if models:
        content.append(table(("role", "model", "engine", "revision"), models, "Models"))
    versions = [(name(k), name(v)) for k, v in facts.made_by.get("versions", {}).items()]
    if versions:
        content.append(details("Versions", table(("package", "version"), versions, "Versions")))
    if figures := facts.dataset.figures:
        rows = [
            (name(key), number(value), coded(meaning(key)))
            for key, value in sorted(figures.items())
        ]
        told = table(("figure", "value", "meaning"), rows, "Figures")
        content.append(details("Figures by name, as gates take them", told))
    if recipe := facts.made_by.get("recipe"):
        content.append(details("The recipe", f"<pre>{escape(visible(recipe))}</pre>"))
    return section(_KEY, _TITLE, _MEANING, *content)
