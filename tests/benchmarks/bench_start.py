"""What the command line costs before it does anything: `python -m tests.benchmarks.bench_start`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.timing import in_turn, show

PREFMILL = str(Path(sys.executable).with_name("prefmill"))


def large_recipe(folder: Path, steps: int) -> Path:
    """A valid recipe with that many steps, all filters but the first and last three."""
    lines = [
        "name: large",
        "models: {policy: {engine: scripted, model: echo}}",
        "stages:",
        "  - {stage: magpie, model: policy, rows: 10}",
        "  - {stage: respond, model: policy, n: 4}",
        *(f"  - {{stage: filter_rules, name: filter_{n}}}" for n in range(steps - 4)),
        "  - {stage: judge, model: policy, mode: pairwise}",
        "  - {stage: pair, strategy: best_worst}",
        "export: [{config: dpo}, {config: kto}]",
    ]
    path = folder / "large.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        large = large_recipe(Path(folder), steps=200)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "prefmill --help": [PREFMILL, "--help"],
            "prefmill check quickstart.yaml": [PREFMILL, "check", "configs/quickstart.yaml"],
            "prefmill check, 200 steps": [PREFMILL, "check", str(large)],
        }
        show(in_turn(commands), base="python -c pass")


if __name__ == "__main__":
    main()
