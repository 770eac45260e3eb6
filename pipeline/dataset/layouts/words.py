"""What an export says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.dataset.layouts.record import Layout, Made


def export_text(layout: Layout, made: Sequence[Made], folder: Path) -> str:
    """What was written, and the lines that make the consumer read it."""
    parts = [f"{layout.name}, for {layout.consumer}: {folder}"]
    for one in made:
        rows = ", ".join(f"{split} {count:,}" for split, count in one.rows.items())
        parts.append(f"  {one.name}: {', '.join(one.columns)}; rows: {rows}")
        left_out = [c.name for c in one.view.columns if c.name not in one.columns]
        parts += [f"  {one.name}: without `{name}`, which not every row has" for name in left_out]
    parts += [f"  {name}" for name in layout.companions(made)]
    return "\n".join(parts) + "".join(f"\n\n{layout.how(one)}" for one in made)
