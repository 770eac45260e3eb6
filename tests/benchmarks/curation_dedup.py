"""Fuzzy deduplication beside its peers: cost, and who is right."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tests.benchmarks.corpora import corpus
from tests.benchmarks.curves import exponent, log_log
from tests.benchmarks.environments import python_of, version_in
from tests.benchmarks.exact_jaccard import exact_pairs
from tests.benchmarks.pinned import PEERS, Cost, in_turn, median, ratio, run_pinned

REQUIREMENTS = {
    "gaoya": ("gaoya==0.2.2", "pyarrow", "numpy"),
    "rensa": ("rensa==0.5.0", "pyarrow", "numpy"),
    "datasketch": ("datasketch==2.0.0", "xxhash", "pyarrow"),
}
THRESHOLD, NGRAM = 0.8, 5
_ON = ", cores: "
AS_PEERS = {
    "method": "minhash",
    "text": ["answer"],
    "threshold": THRESHOLD,
    "ngram": NGRAM,
    "num_perm": 128,
    "unicode": "none",
    "lowercase": False,
}
WAYS = {
    "prefmill": AS_PEERS,
    "prefmill, NFC and lower case": AS_PEERS | {"unicode": "NFC", "lowercase": True},
}
"""Peers compare words as they stand; the second way is what the stage does by default."""


@dataclass(frozen=True)
class Truth:
    """What is right for a corpus.

    Attributes:
        pairs: i * rows + j of the pairs i < j that are alike.
        dropped: rows that go if each goes that is like an earlier one that stays.
    """

    rows: int
    pairs: np.ndarray[Any, Any]
    dropped: set[int]


def truth_of(file: Path) -> Truth:
    """Exact pairs, kept beside the corpus."""
    known = file.with_suffix(".pairs.npy")
    if not known.exists():
        texts = pq.read_table(file, columns=["text"])["text"].combine_chunks()
        np.save(known, exact_pairs(texts, NGRAM, THRESHOLD))
    pairs = np.load(known)
    rows = pq.read_metadata(file).num_rows
    dropped: set[int] = set()
    for first, second in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
        if first not in dropped:
            dropped.add(second)
    return Truth(rows, pairs[:, 0] * rows + pairs[:, 1], dropped)


def commands(file: Path, scratch: Path, only: list[str]) -> dict[str, list[str]]:
    """What is timed, by name."""
    found = {}
    for way, settings in WAYS.items():
        out = scratch / f"{way}.parquet"
        script = str(PEERS / "prefmill_pass.py")
        found[way] = [sys.executable, script, "dedup", json.dumps(settings), str(file), str(out)]
    for name, requirements in REQUIREMENTS.items():
        if (not only or name in only) and (python := python_of(name, *requirements)):
            script, out = str(PEERS / f"dedup_{name}.py"), str(scratch / f"{name}.npy")
            found[f"{name} {version_in(python, name)}"] = [python, script, str(file), out]
    return found


def compare(
    data: Path, scratch: Path, rows: int, repeats: int, counts: list[int], peers: list[str]
) -> None:
    """Time all in turn, each on so many cores and so many, and print a table for each count."""
    file = corpus(data, scratch, rows)
    truth = truth_of(file)
    size = pq.read_table(file, columns=["text"]).nbytes / 1e6
    print(
        f"\n{rows:,} documents, {size:.1f} MB, {len(truth.pairs):,} pairs alike, "
        f"{rows - len(truth.dropped):,} stay; {repeats} rounds in turn"
    )
    tools = commands(file, scratch, peers)
    runs = {
        f"{name}{_ON}{count}": partial(run_pinned, command, list(range(count)))
        for name, command in tools.items()
        for count in counts
    }
    costs = in_turn(runs, repeats)
    for count in counts:
        print(
            f"\n{count} core(s)\n\n"
            "| tool | documents per CPU-second | ratio to gaoya | documents/s "
            f"| times those on {counts[0]} | peak MB | whole process, CPU s | pair precision "
            "| pair recall | stay |\n|" + "---|" * 10
        )
        found = {name: costs[on] for name in tools if (on := f"{name}{_ON}{count}") in costs}
        gaoya = next((got for name, got in found.items() if name.startswith("gaoya")), [])
        for name, got in found.items():
            against = ratio(got, gaoya, Cost.work_s.fget) if gaoya and got is not gaoya else "-"
            line = [
                f"{rows / median(got, lambda c: c.work_s):,.0f}",
                against,
                f"{rows / median(got, _seconds):,.0f}",
                ratio(got, costs[f"{name}{_ON}{counts[0]}"], _seconds),
                f"{median(got, lambda c: c.peak_mb):,.0f}",
                f"{median(got, lambda c: c.cpu_s):.1f}",
                *judged(name, file, scratch, truth),
                f"{got[-1].said.get('kept', '-'):,}" if "kept" in got[-1].said else "-",
            ]
            print(f"| {name} | " + " | ".join(line) + " |", flush=True)


def _seconds(cost: Cost) -> float:
    return float(cost.said["wall_s"])


def judged(name: str, file: Path, scratch: Path, truth: Truth) -> tuple[str, str]:
    """Precision and recall of the pairs that a tool found."""
    if name in WAYS:
        exact = WAYS[name] is AS_PEERS  # the truth is of words as they stand
        return _judged_ours(name, file, scratch, truth) if exact else ("-", "-")
    out = np.load(scratch / f"{name.split()[0]}.npy")
    if out.dtype == bool:
        alike = np.zeros(truth.rows, bool)
        alike[np.concatenate([truth.pairs // truth.rows, truth.pairs % truth.rows])] = True
        precision, recall = (out & alike).sum() / out.sum(), (out & alike).sum() / alike.sum()
        return f"{precision:.3f} of rows", f"{recall:.3f} of rows"
    low, high = np.sort(out, axis=1).T
    pairs = np.unique(low * truth.rows + high)
    right = np.isin(pairs, truth.pairs).sum()
    return f"{right / len(pairs):.4f}", f"{right / len(truth.pairs):.4f}"


def _judged_ours(name: str, file: Path, scratch: Path, truth: Truth) -> tuple[str, str]:
    """Of ours: (dropped row, the row named) that are alike; alike pairs that meet in a band.

    Not every pair is looked at in a run: what can no longer change the outcome is left out.
    """
    from stages._signatures import signatures_of
    from stages.dedup import Config
    from stages.kernels.minhash import band_hashes

    told = json.loads((scratch / f"{name}.json").read_text())["rejects"]
    number = {f"row-{n:08d}": n for n in range(truth.rows)}
    named = [(number[row], number[_row_in(message)]) for row, message in told.items()]
    pairs = np.array([min(p) * truth.rows + max(p) for p in named])
    precision = np.isin(pairs, truth.pairs).mean()
    config = Config.model_validate_json(json.dumps(WAYS[name]))
    texts = pq.read_table(file, columns=["text"])["text"].combine_chunks()
    assert config.bands is not None, "minhash has bands"
    hashes = band_hashes(signatures_of(texts, config).signed, *config.bands)
    met = (hashes[:, truth.pairs // truth.rows] == hashes[:, truth.pairs % truth.rows]).any(axis=0)
    return f"{precision:.4f}", f"{met.mean():.4f}"


def _row_in(message: str) -> str:
    """The row that a message names."""
    start = message.index("row-")
    return message[start : start + 12]


def curve(
    data: Path, scratch: Path, sizes: list[int], repeats: int, cores: list[int], picture: Path
) -> None:
    """CPU seconds over rows for ours and gaoya, the exponents, and an SVG."""
    lines: dict[str, list[tuple[float, float]]] = {}
    print("\n| rows | tool | CPU s | documents per CPU-second | wall s | peak MB |\n|" + "---|" * 6)
    for rows in sizes:
        file = corpus(data, scratch, rows)
        chosen = commands(file, scratch, ["gaoya"])
        runs = {
            name: partial(run_pinned, command, cores)
            for name, command in chosen.items()
            if name == "prefmill" or name.startswith("gaoya")
        }
        for name, got in in_turn(runs, repeats).items():
            seconds = median(got, lambda c: c.work_s)
            lines.setdefault(name, []).append((rows, seconds))
            wall = median(got, lambda c: float(c.said["wall_s"]))
            print(
                f"| {rows:,} | {name} | {seconds:.2f} | {rows / seconds:,.0f} | {wall:.2f} "
                f"| {median(got, lambda c: c.peak_mb):,.0f} |",
                flush=True,
            )
    for name, points in lines.items():
        if len(points) > 1:
            print(f"{name}: CPU seconds grow as rows to the power of {exponent(points):.3f}")
    if len(sizes) > 2:
        picture.write_text(log_log(lines, "documents", "CPU seconds"))
