"""How often Python looks for reference cycles."""

from __future__ import annotations

import gc


def relax_collector() -> None:
    """Look for cycles less often.

    A part is many thousand rows of small objects, none of them in a cycle: by default Python goes
    through them again and again, which takes a fifth of the time of a run without a model.
    """
    gc.set_threshold(100_000, 50, 100)
