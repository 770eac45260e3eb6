"""Targets for selection: HumanEval's problems and GSM8K's, from the user's folder of real text."""

from __future__ import annotations

import random
from pathlib import Path

from pipeline.inputs.readers import read_file
from tests.benchmarks.real_text import documents

SETS = {
    "HumanEval": ("HumanEval.jsonl.gz", ("prompt", "canonical_solution"), ""),
    "GSM8K": ("gsm8k_test.jsonl", ("question", "answer"), "\n"),
    "GSM8K train": ("gsm8k_train.jsonl", ("question", "answer"), "\n"),
}
"""By name: the file, the fields that make a text, and what stands between them."""


def target_set(folder: Path, name: str) -> list[str]:
    """Problems with their solutions, in the order of the file."""
    file, fields, between = SETS[name]
    records = [record.fields for record in read_file(folder / file)]
    return [between.join(fields_of[field] for field in fields) for fields_of in records]


def instructions(folder: Path, shortest: int = 400, longest: int = 6000) -> list[str]:
    """Texts of the folder's other files, in random order, of so many characters."""
    found = documents(folder, without=[file for file, _, _ in SETS.values()])
    fitting = [text for text in found if shortest <= len(text) <= longest]
    random.Random(3).shuffle(fitting)
    return fitting
