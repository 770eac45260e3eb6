"""The valid name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(seen: str, valid: Iterable[str]) -> str:
    """``did you mean `x`?`` for the valid name nearest to `seen`; empty if none is near."""
    near = difflib.get_close_matches(seen, list(valid), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""
