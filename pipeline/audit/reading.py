"""Reads a dataset to be audited, and human labels: a file, or a folder of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pipeline.audit.human import Grade, HumanLabels
from pipeline.audit.labels import Labels
from pipeline.audit.layouts import LAYOUTS, RATED, layout_of, read_pair, read_rated
from pipeline.audit.marks import is_mark, settled
from pipeline.audit.pairs import Pair
from pipeline.audit.table import PairTable
from pipeline.audit.turns import answer_of, last_user_turn
from pipeline.inputs.readers import data_files, read_file
from pipeline.inputs.records.base import Record
from schemas.errors import InputError

Fields = dict[str, Any]

_NO_LAYOUT = "no_known_layout"
_COLUMNAR = frozenset((".parquet", ".arrow"))
_MOST_RATED = 8
"""Answers in a row to one prompt that are set against each other; HelpSteer has four at most."""


def read_labels(path: Path, factors: Collection[str] | None = None) -> Labels:
    """The pairs of a dataset, whatever files and layouts it is in, and those factors of answers.

    Files of a folder that hold something else, e.g. prompts, are passed over.

    Raises:
        InputError: nothing there, a file cannot be read, or there are no pairs in it.
    """
    # The bytes of a file's name need not be text.
    name = str(path).encode("utf-8", "backslashreplace").decode()
    labels = Labels(name, pairs=PairTable(factors))
    for pair in read_pairs(path, labels.layouts, labels.skipped):
        labels.pairs.add(pair)
    return labels


def read_pairs(path: Path, layouts: Counter[str], skipped: Counter[str]) -> Iterator[Pair]:
    """The pairs of a dataset one by one; the counters are filled on the way.

    Raises:
        InputError: as `read_labels`.
    """
    found = 0
    for file in _files(path):
        passed_over: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        for layout, outcome in _outcomes(_readable(file, passed_over)):
            seen[layout or ""] += 1
            if isinstance(outcome, str):
                passed_over[outcome] += 1
            else:
                found += 1
                yield outcome
        if set(seen) == {""}:  # a file of something else
            del passed_over[_NO_LAYOUT]
        del seen[""]
        layouts += seen
        skipped += passed_over
    if not found:
        raise InputError(_no_pairs(path, skipped))


def read_human(path: Path) -> HumanLabels:
    """Human labels: pairs in any layout, graded answers (prompt, completion, label), or marks.

    Raises:
        InputError: as `read_labels`.
    """
    skipped: Counter[str] = Counter()
    grades: list[Grade] = []
    for file in _files(path):
        for outcome in _grades(file, skipped):
            if isinstance(outcome, Grade):
                grades.append(outcome)
            else:
                skipped[outcome] += 1
    if grades and not _marks_pairs(path):
        return HumanLabels(grades=grades, skipped=skipped)
    skipped.clear()
    human = HumanLabels(read_pairs(path, Counter(), skipped), grades)
    human.skipped = dict(skipped)
    return human


def _marks_pairs(path: Path) -> bool:
    """Whether pairs were marked, not only answers."""
    records = (record for file in _files(path) for record in _readable(file, Counter()))
    return any(is_mark(record.fields) and layout_of(record.fields) for record in records)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    files = data_files(path)
    # JSON beside Parquet or Arrow describes the dataset; it is not data.
    files = [file for file in files if file.suffix in _COLUMNAR] or files
    if not files:
        raise InputError(f"{path}: no data files in it; JSON, JSON lines, CSV, Parquet or Arrow")
    return files


def _readable(file: Path, skipped: Counter[str]) -> Iterator[Record]:
    """The records without those that could not be read, which are counted."""
    for record in settled(read_file(file)):
        if record.problem is None:
            yield record
        else:
            skipped[record.problem.partition(":")[0]] += 1


def _outcomes(records: Iterator[Record]) -> Iterator[tuple[str | None, Pair | str]]:
    """Each record's layout, and its pair or why it holds none.

    Answers that were rated one by one stand below each other, all to one prompt together.
    """
    rated: list[Fields] = []
    for record in records:
        fields = record.fields
        layout = layout_of(fields)
        is_next = layout == RATED and rated and rated[0]["prompt"] == fields["prompt"]
        if rated and (not is_next or len(rated) == _MOST_RATED):
            yield from _rated(rated)
            rated = []
        if layout == RATED:
            rated.append(fields)
        elif layout is None:
            yield None, _NO_LAYOUT
        else:
            yield layout, read_pair(layout, fields)
    if rated:
        yield from _rated(rated)


def _rated(answers: Sequence[Fields]) -> Iterator[tuple[str, Pair | str]]:
    if len(answers) == 1:
        yield RATED, "no_partner"
    for first, second in combinations(answers, 2):
        yield RATED, read_rated(first, second)


def _grades(file: Path, skipped: Counter[str]) -> Iterator[Grade | str]:
    """The grades in a file, or why a record holds none; nothing if it is no file of grades."""
    for record in _readable(file, skipped):
        if not {"completion", "label"} <= record.fields.keys():
            if layout_of(record.fields) and not is_mark(record.fields):
                return
            if is_mark(record.fields):
                continue
            yield "no_grade"
            continue
        answer, label = answer_of(record.fields["completion"]), record.fields["label"]
        is_grade = isinstance(label, bool) and answer is not None
        prompt = last_user_turn(record.fields.get("prompt"))
        yield Grade(prompt, answer or "", label) if is_grade else "no_grade"


def _no_pairs(path: Path, skipped: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {n}" for reason, n in skipped.most_common())
    seen = f"all its records were skipped: {reasons}" if reasons else "none of a known layout"
    return f"{path}: no pairs of answers in it; {seen}. Known layouts: {', '.join(LAYOUTS)}."
