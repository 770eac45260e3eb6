"""Reads a dataset to be audited, and human labels: a file, or a folder of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.audit.human import Grade, HumanLabels
from pipeline.audit.layouts import LAYOUTS, RATED, layout_of, read_pair, read_rated
from pipeline.audit.pairs import Labels, Pair
from pipeline.audit.turns import answer_of, last_user_turn
from pipeline.inputs.readers import data_files, read_file
from pipeline.inputs.records.base import Record
from schemas.errors import InputError

Fields = dict[str, Any]

_NO_LAYOUT = "no_known_layout"
_COLUMNAR = frozenset((".parquet", ".arrow"))


def read_labels(path: Path) -> Labels:
    """The pairs of a dataset, whatever files and layouts it is in.

    Files of a folder that hold something else, e.g. prompts, are passed over.

    Raises:
        InputError: nothing there, a file cannot be read, or there are no pairs in it.
    """
    labels = Labels(str(path))
    for file in _files(path):
        skipped: Counter[str] = Counter()
        layouts: Counter[str] = Counter()
        for layout, outcome in _outcomes(_readable(file, skipped)):
            layouts[layout or ""] += 1
            if isinstance(outcome, str):
                skipped[outcome] += 1
            else:
                labels.pairs.append(outcome)
        if set(layouts) == {""}:  # a file of something else
            del skipped[_NO_LAYOUT]
        labels.layouts += layouts
        labels.skipped += skipped
    del labels.layouts[""]
    if not labels.pairs:
        raise InputError(_no_pairs(path, labels.skipped))
    return labels


def read_human(path: Path) -> HumanLabels:
    """Human labels: pairs in any layout, or graded answers (prompt, completion, label).

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
    if grades:
        return HumanLabels(grades=grades, skipped=skipped)
    labels = read_labels(path)
    return HumanLabels(pairs=labels.pairs, skipped=labels.skipped)


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
    for record in read_file(file):
        if record.problem is None:
            yield record
        else:
            skipped[record.problem.partition(":")[0]] += 1


def _outcomes(records: Iterator[Record]) -> Iterator[tuple[str | None, Pair | str]]:
    """Each record's layout, and its pair or why it holds none.

    Answers that were rated one by one stand below each other, two to a prompt.
    """
    waiting: Fields | None = None
    for record in records:
        fields = record.fields
        layout = layout_of(fields)
        if layout is None:
            yield None, _NO_LAYOUT
        elif layout != RATED:
            yield layout, read_pair(layout, fields)
        elif waiting is None:
            waiting = fields
        elif waiting["prompt"] == fields["prompt"]:
            yield layout, read_rated(waiting, fields)
            waiting = None
        else:
            yield layout, "no_partner"
            waiting = fields
    if waiting is not None:
        yield RATED, "no_partner"


def _grades(file: Path, skipped: Counter[str]) -> Iterator[Grade | str]:
    """The grades in a file, or why a record holds none; nothing if it is no file of grades."""
    for record in _readable(file, skipped):
        if not {"completion", "label"} <= record.fields.keys():
            if layout_of(record.fields):
                return
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
