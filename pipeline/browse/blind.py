"""Rows without what would tell a person how they are labelled, until they are marked.

A label that can be seen is agreed with too often. The answers of a pair are shown as A and B, which
is which by the row and a seed; scores, models and where the row comes from are left out.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from pipeline.browse.records import Record

_TELLING = ("margin", "score", "label")


def is_turned(record: Record, seed: int) -> bool:
    """Whether A is the rejected answer of a pair."""
    name = f"{seed}:{record['config']}:{record['id']}".encode("utf-8", "surrogatepass")
    return bool(blake2b(name, digest_size=1).digest()[0] & 1)


def hide_label(record: Record, seed: int) -> Record:
    """A whole row as one may see it before it is marked."""
    kept = {name: record[name] for name in ("id", "config", "split", "kind", "prompt")}
    return {**kept, "isBlind": True, "answers": [{"text": text} for text in _texts(record, seed)]}


def hide_facts(line: Record) -> Record:
    """A line of the list as one may see it before the row is marked."""
    return {**line, **dict.fromkeys(_TELLING)}


def unblinded(verdict: str, record: Record, seed: int) -> str:
    """What `a` and `b` say of the label; other verdicts are as they are."""
    if verdict not in ("a", "b"):
        return verdict
    return "good" if (verdict == "b") == is_turned(record, seed) else "bad"


def _texts(record: Record, seed: int) -> list[Any]:
    if record["kind"] != "pair":
        return [answer["text"] for answer in record["answers"]]
    texts = [record["chosen"], record["rejected"]]
    return texts[::-1] if is_turned(record, seed) else texts
