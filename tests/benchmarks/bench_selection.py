"""Does selection select: `python -m tests.benchmarks.bench_selection --data FOLDER`.

Rows of a target set are hidden among instructions and answers of other kinds, one in twenty; the
targets that a method is given are other rows of that set. For each method: how many of the rows
that it puts first are hidden ones. Noise is as it comes, or cut to the lengths of the hidden rows.
Then the bundled model is fine-tuned on what each method chose, and the loss on rows of the set that
nobody has seen is told as it learns.

    --only precision --target GSM8K HumanEval
    --only tuning --target GSM8K --steps 60 --seeds 1
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.engines.bundled import ALIASES, bundled_folder
from tests.benchmarks.pinned import machine
from tests.benchmarks.real_text import data_option
from tests.benchmarks.selectors import Pool, named, orders
from tests.benchmarks.target_sets import instructions, target_set
from tests.benchmarks.tuning import Schedule, loss_curve

SEED, SHARE = 11, 0.05
HIDDEN, TARGETS, UNSEEN = 100, 100, 24
MODEL = "smollm2-135m-instruct"
EVERY_HIDDEN = "all hidden rows"


@dataclass(frozen=True)
class Trial:
    """A pool with hidden rows, and rows of the same set that are in no pool."""

    pool: Pool
    unseen: list[str]


def trial(data: Path, name: str, matched: bool) -> Trial:
    """Hide rows of a target set, in an order that says nothing."""
    dice = random.Random(SEED)
    known = target_set(data, name)
    hidden_from = target_set(data, "GSM8K train") if name == "GSM8K" else []
    dice.shuffle(known)
    if hidden_from:
        hidden = dice.sample(hidden_from, HIDDEN)
        targets, unseen = known[:TARGETS], known[TARGETS : TARGETS + UNSEEN]
    else:  # a small set: three parts of it
        third = len(known) // 3
        hidden, targets, unseen = known[:third], known[third : 2 * third], known[2 * third :]
    wanted = round(len(hidden) * (1 / SHARE - 1))
    noise = instructions(data, shortest=100)[:wanted]
    if matched:
        noise = cut_to([len(text) for text in hidden], instructions(data, 1000), wanted, dice)
    rows = [(text, True) for text in hidden] + [(text, False) for text in noise]
    dice.shuffle(rows)
    return Trial(Pool([t for t, _ in rows], [h for _, h in rows], targets), unseen[:UNSEEN])


def cut_to(
    lengths: Sequence[int], texts: Sequence[str], wanted: int, dice: random.Random
) -> list[str]:
    """Texts cut after a word, so that they are about as long as those with these lengths."""
    cut = []
    for text in texts[:wanted]:
        length = dice.choice(lengths)
        end = text.find(" ", length)
        cut.append(text[: end if end > 0 else length])
    return cut


def precision(data: Path, names: Sequence[str], scratch: Path, wanted: Sequence[str]) -> None:
    """Print, for each method, the share of hidden rows among the first k."""
    for name in names:
        for matched in (False, True):
            found = trial(data, name, matched)
            k = sum(found.pool.hidden)
            kind = "cut to the lengths of the hidden rows" if matched else "as it comes"
            print(
                f"\n{name}: {k} of {len(found.pool.texts):,} rows hidden, "
                f"{len(found.pool.targets)} targets, noise {kind}\n\n"
                f"| method | precision at {k // 2} | precision at {k} | recall at {2 * k} "
                "| seconds | rank correlation with length |\n|" + "---|" * 6
            )
            for method, order, seconds in orders(found.pool, scratch, wanted):
                half, even, double = (found.pool.found(order, n) for n in (k // 2, k, 2 * k))
                listed = f"{half / (k // 2):.2f} | {even / k:.2f} | {double / k:.2f}"
                longest = found.pool.length_correlation(order)
                print(f"| {method} | {listed} | {seconds:.1f} | {longest:+.2f} |", flush=True)


def tuning(
    data: Path,
    names: Sequence[str],
    scratch: Path,
    wanted: Sequence[str],
    schedule: Schedule,
    seeds: Sequence[int],
) -> None:
    """Print, for each method, the loss on unseen rows of the target set as the model learns."""
    folder = bundled_folder(ALIASES[MODEL])
    for name in names:
        found = trial(data, name, matched=False)
        k = sum(found.pool.hidden)
        chosen = {
            method: [found.pool.texts[i] for i in order[:k]]
            for method, order, _ in orders(found.pool, scratch, wanted)
        }
        if named(EVERY_HIDDEN, wanted):
            of_set = zip(found.pool.texts, found.pool.hidden, strict=True)
            chosen[EVERY_HIDDEN] = [text for text, hidden in of_set if hidden]
        print(
            f"\n{name}: {MODEL} on {k} rows of each selection, {schedule.steps} steps of "
            f"{schedule.batch} x {schedule.block} tokens, {len(found.unseen)} unseen rows, "
            f"seeds {', '.join(map(str, seeds))}\n"
        )
        for number, (method, texts) in enumerate(chosen.items()):
            started = time.perf_counter()
            curves = [
                loss_curve(folder, texts, found.unseen, replace(schedule, seed=seed))
                for seed in seeds
            ]
            if not number:
                steps = " | ".join(str(step) for step, _ in curves[0])
                print(f"| rows chosen by | loss at step {steps} | seconds |")
                print("|" + "---|" * (len(curves[0]) + 2))
            means = [sum(loss for _, loss in at) / len(seeds) for at in zip(*curves, strict=True)]
            listed = " | ".join(f"{loss:.3f}" for loss in means)
            print(f"| {method} | {listed} | {time.perf_counter() - started:.0f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data_option(parser)
    parser.add_argument("--only", choices=("precision", "tuning"))
    parser.add_argument("--target", nargs="*", default=["GSM8K", "HumanEval"])
    parser.add_argument(
        "--methods", nargs="*", default=[], help="words that their names begin with"
    )
    parser.add_argument("--steps", type=int, default=Schedule().steps)
    parser.add_argument("--batch", type=int, default=Schedule().batch)
    parser.add_argument("--every", type=int, default=Schedule().every)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    schedule = Schedule(chosen.steps, chosen.batch, every=chosen.every, device=chosen.device)
    given = (chosen.data, chosen.target)
    print(machine())
    with tempfile.TemporaryDirectory() as scratch:
        if chosen.only != "tuning":
            precision(*given, Path(scratch), chosen.methods)
        if chosen.only != "precision":
            tuning(*given, Path(scratch), chosen.methods, schedule, chosen.seeds)


if __name__ == "__main__":
    main()
