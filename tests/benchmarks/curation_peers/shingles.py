"""Word 5-grams in Python, for peers that take tokens."""

from __future__ import annotations


def shingles(text: str, n: int = 5) -> set[str]:
    """The different runs of `n` words; all words where there are fewer."""
    words = text.split()
    return {" ".join(words[i : i + n]) for i in range(max(1, len(words) - n + 1))}
