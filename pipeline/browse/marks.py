"""What a person says of rows: a labels file, one JSON object a line, that `audit --human` reads.

    of a pair     prompt, response_1, response_2 in the order in which they were shown,
                  preference_strength: -1 the first is better, 1 the second, 0 a tie, null skipped
    of an answer  prompt, completion, label: true good, false bad, null skipped
    of both       config, split, row_id; verdict; agrees (with the dataset's label); comment;
                  is_blind (the label was hidden); marked_at

Lines are only ever added, each flushed to disk before it counts; a later line on a row replaces the
earlier ones, and the verdict `none` withdraws them.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.browse.records import Record
from schemas.errors import InputError

DECIDED = ("good", "bad", "tie")
VERDICTS = {"pair": (*DECIDED, "skip", "none"), "answer": ("good", "bad", "skip", "none")}
"""By kind of row. Of a pair, good is that chosen is better; of an answer, that it is good."""
_STRENGTHS = {"good": -1, "bad": 1, "tie": 0}
"""Signed as NVIDIA's HelpSteer2 has it: below zero the first answer, here chosen, is better."""
_NORMAL_95 = 1.959964
_START = b'{"config": '
"""How a line starts."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """What was said last of a row."""

    verdict: str
    agrees: bool | None
    comment: str


class MarksFile:
    """A labels file; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Read what is in it; it is made with its first mark.

        Raises:
            InputError: it holds something else, or cannot be read or written.
        """
        self.path = path
        self.marks: dict[Key, Mark] = {}
        self._lock = Lock()
        try:
            self._end, self._joint = self._read()
        except OSError as error:
            raise InputError(f"--labels {path}: cannot be read: {error.strerror}") from None
        if not path.parent.is_dir():
            raise InputError(f"--labels {path}: there is no folder {path.parent}")

    def _read(self) -> tuple[int | None, bytes]:
        """Where the next line goes, None for the end of the file; and what must stand before it."""
        if not self.path.exists():
            return None, b""
        content = self.path.read_bytes()
        *lines, last = content.split(b"\n")
        is_cut_off = last.startswith(_START) and _parsed(last) is None
        for number, line in enumerate(lines if is_cut_off else [*lines, last], 1):
            found = _parsed(line)
            if found is not None:
                self._count(*found)
            elif line.strip():
                raise InputError(
                    f"--labels {self.path}:{number}: is no mark that `prefmill view` made; the "
                    "file is left alone. Name another, or one that does not exist yet."
                )
        # A mark that was cut off, as when the machine stops at once, was never told to be kept.
        return (len(content) - len(last), b"") if is_cut_off else (None, b"\n" if last else b"")

    def add(self, record: Record, verdict: str, comment: str, turned: bool, is_blind: bool) -> Mark:
        """Keep what was said of a row; on disk when this returns.

        Args:
            record: the row.
            verdict: one of `VERDICTS` of its kind.
            comment: a few words, or none.
            turned: the rejected answer was shown first.
            is_blind: the label was hidden.

        Raises:
            InputError: the disk does not take it; the file is as it was.
        """
        mark = Mark(verdict, _agrees(record, verdict), comment)
        line = {
            **{name: record[name] for name in ("config", "split")},
            "row_id": record["id"],
            "prompt": record["prompt"],
            **_label(record, verdict, turned),
            "verdict": verdict,
            "agrees": mark.agrees,
            "comment": comment,
            "is_blind": is_blind,
            "marked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        text = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            self._append(self._joint + text)
            self._end, self._joint = None, b""
            self._count((record["config"], record["id"]), mark)
        return mark

    def _append(self, content: bytes) -> None:
        try:
            is_new = not self.path.exists()
            with self.path.open("ab", buffering=0) as file:
                end = file.seek(0, os.SEEK_END) if self._end is None else self._end
                try:
                    if self._end is not None:
                        file.truncate(end)
                    if file.write(content) != len(content):
                        raise OSError("the disk is full")
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        file.truncate(end)
                    raise
            if is_new:
                _sync_folder(self.path.parent)
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{self.path}: the mark could not be written: {reason}") from None

    def _count(self, key: Key, mark: Mark) -> None:
        self.marks.pop(key, None)
        if mark.verdict != "none":
            self.marks[key] = mark

    def progress(self) -> dict[str, Any]:
        """How many marks of which kind, and how often people agree with the dataset's labels."""
        with self._lock:
            marks = list(self.marks.values())
        counts = Counter(mark.verdict for mark in marks)
        said = [mark.agrees for mark in marks if mark.agrees is not None]
        return {
            "marked": sum(counts[verdict] for verdict in DECIDED),
            "skipped": counts["skip"],
            **{verdict: counts[verdict] for verdict in DECIDED},
            "agreement": wilson(sum(said), len(said)) if said else None,
        }


def wilson(hits: int, n: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Wilson, 1927)."""
    share, square = hits / n, _NORMAL_95**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    reach = (share * (1 - share) / n + square / (4 * n * n)) ** 0.5 * _NORMAL_95 / (1 + square / n)
    return share, max(0.0, centre - reach), min(1.0, centre + reach)


def _parsed(line: bytes) -> tuple[Key, Mark] | None:
    try:
        fields = json.loads(line)
        key = (fields["config"], fields["row_id"])
        mark = Mark(fields["verdict"], fields["agrees"], fields["comment"])
        is_ours = "marked_at" in fields and all(isinstance(part, str) for part in key)
    except (ValueError, KeyError, TypeError):
        return None
    return (key, mark) if is_ours else None


def _agrees(record: Record, verdict: str) -> bool | None:
    """Whether the dataset says the same; None for ties, and where one of the two says nothing."""
    if verdict not in ("good", "bad"):
        return None
    if record["kind"] == "pair":
        return verdict == "good"
    return None if record["label"] is None else (verdict == "good") == record["label"]


def _label(record: Record, verdict: str, turned: bool) -> dict[str, Any]:
    if record["kind"] == "answer":
        label = {"good": True, "bad": False}.get(verdict)
        return {"completion": record["answers"][0]["text"], "label": label}
    answers = (record["chosen"], record["rejected"])
    strength = _STRENGTHS.get(verdict)
    if turned:
        answers = answers[::-1]
        strength = None if strength is None else -strength
    return {
        "response_1": answers[0],
        "response_2": answers[1],
        "preference_strength": strength,
    }


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
