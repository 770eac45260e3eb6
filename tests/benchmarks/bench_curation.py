"""Curation beside its peers: `python -m tests.benchmarks.bench_curation --data FOLDER`.

FOLDER holds real text, see `real_text`; corpora are made of it in the scratch folder and kept.
Each tool runs in an environment of its own, in turn, pinned to the same cores. Figures are CPU
seconds of the work, from the opened file to the result, without imports; whole processes beside.

    --only dedup --rows 50000 200000 --cores 1 2 --repeats 5
    --only curve --rows 25000 50000 100000 200000 400000 800000 1600000 --repeats 3
    --only zipfit --cores 1 2 --repeats 5
    --only stages --repeats 5
    --only dask --repeats 3
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import curation_dedup, curation_runs, curation_stages, curation_zipfit
from tests.benchmarks.pinned import machine
from tests.benchmarks.real_text import data_option

CURVE = [25_000 * 2**power for power in range(7)]
SECTIONS = ("dedup", "curve", "zipfit", "stages", "dask")


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data_option(parser)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "curation")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rows", type=int, nargs="*", help="documents, one or several sizes")
    parser.add_argument("--cores", type=int, nargs="*", default=[1, 2], help="how many, in turn")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=[], help="of dedup; all if none is named")
    parser.add_argument("--sources", type=int, default=2500, help="of zipfit")
    parser.add_argument("--targets", type=int, default=100, help="of zipfit")
    names = "of stages and dask; all if none is named; `graded` is deita by the bundled model"
    parser.add_argument("--stages", nargs="*", default=[], help=names)
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for, and print tables."""
    chosen = options()
    sections: dict[str, Callable[[argparse.Namespace, list[int]], None]] = {
        "curve": _curve,
        "zipfit": _zipfit,
        "stages": _stages,
        "dask": _dask,
    }
    for name in chosen.only:
        print(f"\n## {name}\n\n{machine()}", flush=True)
        if name == "dedup":  # whose gain by a second core is measured in turn
            _dedup(chosen)
            continue
        for count in chosen.cores:
            sections[name](chosen, list(range(count)))


def _dedup(chosen: argparse.Namespace) -> None:
    for rows in chosen.rows or [50_000, 200_000]:
        curation_dedup.compare(
            chosen.data, chosen.scratch, rows, chosen.repeats, chosen.cores, chosen.peers
        )


def _curve(chosen: argparse.Namespace, cores: list[int]) -> None:
    picture = Path(__file__).parent / "dedup.svg"
    sizes = chosen.rows or CURVE
    curation_dedup.curve(chosen.data, chosen.scratch, sizes, chosen.repeats, cores, picture)


def _zipfit(chosen: argparse.Namespace, cores: list[int]) -> None:
    curation_zipfit.compare(
        chosen.data, chosen.scratch, chosen.sources, chosen.targets, chosen.repeats, cores
    )


def _stages(chosen: argparse.Namespace, cores: list[int]) -> None:
    for rows in chosen.rows or [50_000]:
        curation_stages.compare(
            chosen.data, chosen.scratch, rows, chosen.repeats, cores, chosen.stages
        )


def _dask(chosen: argparse.Namespace, cores: list[int]) -> None:
    if len(cores) > 1:
        for rows in chosen.rows or [50_000]:
            curation_runs.compare(
                chosen.data, chosen.scratch, rows, chosen.repeats, cores, chosen.stages
            )


if __name__ == "__main__":
    main()
