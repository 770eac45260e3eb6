"""All layouts by name, and which of them can hold what."""

from __future__ import annotations

from pipeline.dataset.layouts import (
    axolotl,
    helpsteer,
    llama_factory,
    ms_swift,
    nemo_rl,
    openrlhf,
    ranking,
    sharegpt,
    trl,
    ultrafeedback_binarized,
)
from pipeline.dataset.layouts.record import MADE_BY, Kind, Layout

LAYOUTS: dict[str, Layout] = {
    module.LAYOUT.name: module.LAYOUT
    for module in (
        trl,
        openrlhf,
        llama_factory,
        axolotl,
        ms_swift,
        nemo_rl,
        helpsteer,
        ultrafeedback_binarized,
        sharegpt,
        ranking,
    )
}


def layouts_for(kind: Kind | None) -> tuple[str, ...]:
    """Names of the layouts that can hold configs of a kind."""
    return tuple(name for name, layout in LAYOUTS.items() if kind in layout.kinds)


def what_makes(layout: Layout) -> str:
    """What a layout holds, and what in a recipe makes that."""
    held = (f"{kind}, made by {MADE_BY[kind]}" for kind in layout.kinds)
    return f"layout `{layout.name}` holds " + "; ".join(held)
