"""Are two expressions equal? Decided by sympy in a process of its own, under hard limits.

Where sympy finds the difference to be a rational number, that number decides. Otherwise two
expressions count as equal if they agree, to 40 of 60 digits, wherever both are real and finite, at
fixed points: `(x^2 - 1)/(x - 1)` is `x + 1`, and `sqrt(x^2)` is not `x`. With fewer than three such
points (one, if there is no variable) nothing is decided. One point where they differ is a proof;
agreement at several is none, but chance does not reach that far.

Sympy can run for ever on a line of text, and threads cannot be stopped. The process is killed by
the kernel when it has used its processor time, which, unlike a clock, does not depend on what
else runs on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from stages._expression import Tree

MAX_BYTES = 4 << 30
"""Address space of the process."""
Verdict = Literal["equal", "different", "undecided", "out_of_time"]

_DIGITS = 60
_AGREEING = 40
_USABLE = 3
_POSITIVE = ((7, 5), (3, 10), (29, 17), (41, 23), (5, 19), (2, 31), (1, 9), (3, 37))
_MIXED = ((-13, 11), (7, 16), (-5, 19), (31, 12), (-37, 16), (-2, 29))
"""Values for variables: with the first all are positive, with the second the signs differ."""


class Comparer:
    """Compares expressions in one process at a time; started when first asked, ended on exit."""

    def __init__(self, cpu_seconds: float) -> None:
        self._cpu_seconds = cpu_seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def compare(self, first: Tree, second: Tree) -> Verdict:
        """Whether two expressions of `stages._expression` are equal."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        try:
            process.stdin.write(json.dumps([first, second]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            verdict: Verdict = json.loads(line)
            return verdict
        self._stop()
        return "out_of_time"

    def _start(self) -> subprocess.Popen[str]:
        root = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stages._equivalence", str(self._cpu_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
            encoding="utf-8",
        )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def decide(first: Tree, second: Tree) -> Verdict:
    """As `Comparer.compare`, in this process and without a limit."""
    import sympy

    expressions = [_built(tree, sympy) for tree in (first, second)]
    difference = expressions[0] - expressions[1]
    if difference.is_Rational:
        return "equal" if difference == 0 else "different"
    names = sorted({symbol for e in expressions for symbol in e.free_symbols}, key=str)
    usable = 0
    for point in _points(names, sympy):
        one, other = (_real(expression, point, sympy) for expression in expressions)
        if one is None or other is None:
            continue
        usable += 1
        scale = max(1, abs(one), abs(other))
        if abs(one - other) > scale * sympy.Float(10) ** -_AGREEING:
            return "different"
    return "equal" if usable >= (_USABLE if names else 1) else "undecided"


def _built(tree: Tree, sympy: Any) -> Any:
    kind, *parts = tree
    if kind == "number":
        return sympy.Rational(parts[0])
    if kind == "variable":
        return sympy.Symbol(parts[0])
    if kind == "constant":
        return sympy.E if parts[0] == "e" else sympy.pi
    if kind == "call":
        name = {"ln": "log", "abs": "Abs"}.get(parts[0], str(parts[0]))
        return getattr(sympy, name)(_built(parts[1], sympy))
    values = [_built(part, sympy) for part in parts]
    return _combined(kind, values)


def _combined(kind: str, values: list[Any]) -> Any:
    if kind == "negative":
        return -values[0]
    first, second = values
    if kind == "+":
        return first + second
    if kind == "-":
        return first - second
    if kind == "*":
        return first * second
    return first / second if kind == "/" else first**second


def _points(names: list[Any], sympy: Any) -> Iterator[dict[Any, Any]]:
    """Values for the variables; one empty point if there are none."""
    if not names:
        yield {}
        return
    for values in (_POSITIVE, _MIXED):
        for start in range(len(values)):
            yield {
                name: sympy.Rational(*values[(start + i) % len(values)])
                * (1 + sympy.Rational(i, 97))
                for i, name in enumerate(names)
            }


def _real(expression: Any, point: dict[Any, Any], sympy: Any) -> Any:
    """The value at a point, None if it is not a finite real number."""
    value = expression.evalf(_DIGITS, subs=point, chop=True)
    return value if value.is_Float or value.is_Rational else None


def _serve(cpu_seconds: float) -> None:
    """Answer each line of standard input with a verdict."""
    import resource
    import signal

    import sympy  # noqa: F401 - loading it does not count against the first pair

    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # no handler: SIGPROF ends the process
        try:
            verdict = decide(*json.loads(line))
        except Exception:  # sympy raises many kinds on odd input; none of them is a verdict
            verdict = "undecided"
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(verdict), flush=True)


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
