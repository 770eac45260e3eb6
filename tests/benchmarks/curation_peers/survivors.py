"""Who stays when pairs of likes are known."""

from __future__ import annotations


def kept_greedily(rows: int, pairs: list[tuple[int, int]]) -> int:
    """How many rows stay if each goes that is like an earlier one that stays."""
    earlier: dict[int, list[int]] = {}
    for first, second in pairs:
        earlier.setdefault(second, []).append(first)
    dropped: set[int] = set()
    for row in sorted(earlier):
        if any(other not in dropped for other in earlier[row]):
            dropped.add(row)
    return rows - len(dropped)
