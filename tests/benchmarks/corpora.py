"""Corpora with planted, known edits: `python -m tests.benchmarks.corpora OUT ROWS [--data FOLDER]`.

A fifth of the rows are copies of an earlier row: a fifth of these to the letter, the others with
words replaced, deleted and inserted at rates that leave a Jaccard similarity of about 0.65 to 0.95
over word 5-grams. The other rows are the texts of the folder, each once, in random order; when
they are used up, spans of one to three sentences of random texts, as many as a random text has.
A smaller corpus is the beginning of a larger one.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.real_text import data_option, documents

SEED, BLOCK, ROW_GROUP = 5, 25_000, 5000
PLANTED, EXACT = 0.2, 0.2
RATES = (0.004, 0.04)
"""Share of the words that is edited. An edit of one word in 45 leaves a similarity of 0.8."""
SCHEMA = pa.schema([("row_id", pa.string()), ("text", pa.large_string()), ("copy_of", pa.int64())])
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")


def corpus(data: Path, out: Path, rows: int) -> Path:
    """The corpus of so many rows as a Parquet file in `out`, made if it is not there."""
    path = out / f"corpus-{rows}.parquet"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".fresh")
        with pq.ParquetWriter(fresh, SCHEMA, compression="zstd") as writer:
            for table in blocks(documents(data), rows):
                writer.write_table(table, row_group_size=ROW_GROUP)
        fresh.rename(path)
    return path


def blocks(texts: list[str], rows: int) -> Iterator[pa.Table]:
    """The rows, BLOCK at a time. A copy and what it copies are of one block."""
    order = list(range(len(texts)))
    random.Random(SEED).shuffle(order)
    whole = (texts[i] for i in order)
    sentences = [_SENTENCE.split(text) for text in texts]
    vocabulary = sorted({word for text in texts[::10] for word in text.split()})
    for start in range(0, rows, BLOCK):
        dice = random.Random(SEED * 1_000_003 + start)
        made: list[str] = []
        origins: list[int | None] = []
        for _ in range(min(BLOCK, rows - start)):
            if made and dice.random() < PLANTED:
                origin = dice.randrange(len(made))
                made.append(edited(made[origin], dice, vocabulary))
                origins.append(start + origin)
            else:
                made.append(next(whole, None) or recombined(sentences, dice))
                origins.append(None)
        ids = [f"row-{n:08d}" for n in range(start, start + len(made))]
        yield pa.table([ids, made, origins], schema=SCHEMA)


def recombined(sentences: list[list[str]], dice: random.Random) -> str:
    """As many sentences as a random text has, in spans of one to three from random texts."""
    length = len(dice.choice(sentences))
    picked: list[str] = []
    while len(picked) < length or sum(s.count(" ") for s in picked) < 12:
        text = dice.choice(sentences)
        first = dice.randrange(len(text))
        picked += text[first : first + dice.randint(1, 3)]
    return " ".join(picked)


def edited(text: str, dice: random.Random, vocabulary: list[str]) -> str:
    """A copy with at least one edit, or none at all for a share EXACT of the copies."""
    if dice.random() < EXACT:
        return text
    words = text.split()
    for _ in range(max(1, round(dice.uniform(*RATES) * len(words)))):
        place = dice.randrange(len(words))
        kind = dice.choice(("replace", "delete", "insert"))
        new = [] if kind == "delete" else [dice.choice(vocabulary)]
        words[place : place + (kind != "insert")] = new
    return " ".join(words)


def main() -> None:
    """Make a corpus and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("rows", type=int)
    data_option(parser)
    chosen = parser.parse_args()
    path = corpus(chosen.data, chosen.out, chosen.rows)
    copies = pq.read_table(path, columns=["copy_of"])["copy_of"]
    print(f"{path}: {len(copies):,} rows, {len(copies) - copies.null_count:,} of them copies")


if __name__ == "__main__":
    main()
