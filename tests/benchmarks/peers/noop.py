"""The generator that every peer calls once per row: no latency, an answer of a few words."""

from __future__ import annotations

import hashlib


def answer(row_id: str) -> str:
    """A text that depends on the row alone."""
    number = int(hashlib.blake2b(row_id.encode(), digest_size=8).hexdigest(), 16)
    return f"Scripted answer {number % 100_000} to: Say something.{' And so on.' * (number % 4)}"


def part(number: int, rows: int) -> list[dict[str, str]]:
    """One part: rows with an id, what the generator said, and where they come from."""
    ids = [f"row-{number * rows + offset:08d}" for offset in range(rows)]
    return [{"row_id": i, "text": answer(i), "source": "noop"} for i in ids]
