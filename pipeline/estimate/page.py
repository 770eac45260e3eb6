"""An estimate as a table for people and as plain values for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.estimate.estimate import Estimate
from pipeline.estimate.forecast import StepForecast
from pipeline.estimate.spread import Spread, total
from pipeline.runtime.console import duration
from pipeline.runtime.summary import align

_HEAD = ("step", "rows in", "rows out", "tokens read", "sampled", "time", "disk")


def estimate_json(found: Estimate) -> dict[str, Any]:
    """For `--json`.

    `from` says what it goes by (`bounds`: the recipe alone; all numbers are upper bounds). Numbers
    are {value, low, high}, or null where `why` says why they cannot be had: rows, requests, tokens,
    `seconds` where the step runs, `disk_bytes`. `measured` is its speed in words; `done_rows` are
    in the output folder already. `models` have `start_s`, `cost` and `currency`; `total` has the
    run's `seconds`, with `starts_s` to open models, and `money` by currency.
    """
    return {
        "from": found.measured.source if found.measured else "bounds",
        "source_rows": found.source_rows,
        "source_rows_assumed": found.assumed,
        "steps": [_step_json(step, found) for step in found.steps],
        "models": [_model_json(role, found) for role in sorted(found.specs)],
        "total": {
            "tokens_read": _json(_sum([step.read for step in found.steps])),
            "tokens_sampled": _json(_sum([step.sampled for step in found.steps])),
            "seconds": _json(found.cost.seconds),
            "starts_s": round(found.cost.starts_s, 3),
            "disk_bytes": _json(_disk(found)),
            "money": {name: _json(money) for name, money in _money(found).items()},
        },
        "notes": list(found.notes),
    }


def estimate_text(found: Estimate) -> str:
    """The table, what it costs, and what it does not say."""
    what = f"{found.source_rows:,} source rows"
    if found.assumed:
        what = f"each {what}, as the length of the source is not known before it is read"
    if found.measured is None:
        head = (
            f"at most, for {what}; speed is not known before something ran: --probe runs a few rows"
        )
    else:
        head = f"estimate for {what}, from {found.measured.source}; in brackets 95 % intervals"
    rows = [_row(step, found) for step in found.steps]
    rows.append(_total_row(found))
    lines = [head, *align(_HEAD, rows)]
    lines += [f"{step.name}: {step.why}" for step in found.steps if step.why]
    lines += _model_lines(found)
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines)


def _row(step: StepForecast, found: Estimate) -> tuple[str, ...]:
    seconds = found.cost.steps.get(step.name)
    silent = step.requests is not None and not step.requests.high
    return (
        step.name,
        _count(step.rows_in, step.bound),
        _count(step.rows_out, step.bound),
        "-" if silent else _count(step.read, step.bound, wide=False),
        "-" if silent else _count(step.sampled, step.bound, wide=False),
        "?" if seconds is None else _around(seconds, duration),
        "?" if step.nbytes is None else size(step.nbytes.value),
    )


def _total_row(found: Estimate) -> tuple[str, ...]:
    seconds, disk = found.cost.seconds, _disk(found)
    bound = found.measured is None
    return (
        "in all",
        "",
        "",
        _count(_sum([step.read for step in found.steps]), bound, wide=False),
        _count(_sum([step.sampled for step in found.steps]), bound, wide=False),
        "?" if seconds is None else _around(seconds, duration),
        "?" if disk is None else size(disk.value),
    )


def _model_lines(found: Estimate) -> list[str]:
    speeds = [speed for step in found.steps if (speed := _speed(step.name, found))]
    lines = [f"measured: {'; '.join(speeds)}"] if speeds else []
    if found.cost.starts_s:
        starts = ", ".join(
            f"{role} {duration(found.measured.starts[role])}"
            for role in sorted(found.specs)
            if found.measured and role in found.measured.starts
        )
        lines.append(f"of the time, opening models: {duration(found.cost.starts_s)} ({starts})")
    for role, money in sorted(found.cost.models.items()):
        price = found.specs[role].placement.price
        currency = price.currency if price else ""
        lines.append(f"{role} costs {'?' if money is None else _around(money, _amount)} {currency}")
    totals = _money(found)
    if len(found.cost.models) > 1:
        lines += [
            f"in all {'?' if money is None else _around(money, _amount)} {name}"
            for name, money in totals.items()
        ]
    if (left := _left(found)) is not None:
        lines.append(f"of it {duration(left)} are left: the rest is done")
    return lines


def _speed(name: str, found: Estimate) -> str:
    """E.g. `respond 350 tokens/s sampled, 64 at once`; empty without a model or a clock."""
    evidence = found.measured.steps.get(name) if found.measured else None
    pace = evidence.pace if evidence else None
    rate = pace.tokens_per_s(evidence.report.usage) if evidence and pace else None
    if pace is None or rate is None or not rate[0]:
        return ""
    at_once = f", {pace.in_flight} at once" if pace.in_flight else ""
    return f"{name} {rate[0]:,.0f} tokens/s {rate[1]}{at_once}"


def _left(found: Estimate) -> float | None:
    """Seconds for what is not in the output folder yet; None if nothing is, or unknown."""
    if found.cost.seconds is None or not any(found.done.values()):
        return None
    everything = left = 0.0
    for step in found.steps:
        seconds, rows = found.cost.steps[step.name], step.rows_in
        if seconds is None or rows is None:
            return None
        everything += seconds.value
        left += seconds.value * max(1 - found.done[step.name] / max(rows.value, 1), 0.0)
    working = found.cost.seconds.value - found.cost.starts_s
    opening = found.cost.starts_s if left else 0.0
    return opening + (working * left / everything if everything else 0.0)


def _money(found: Estimate) -> dict[str, Spread | None]:
    by_currency: defaultdict[str, list[Spread | None]] = defaultdict(list)
    for role, money in found.cost.models.items():
        price = found.specs[role].placement.price
        if price is not None:
            by_currency[price.currency].append(money)
    return {name: _sum(parts) for name, parts in by_currency.items()}


def _disk(found: Estimate) -> Spread | None:
    """Of work and dataset: an export's rows are kept in both."""
    return _sum([step.nbytes for step in found.steps])


def _sum(parts: Sequence[Spread | None]) -> Spread | None:
    known = [part for part in parts if part is not None]
    return total(known) if known and len(known) == len(parts) else None


def _count(value: Spread | None, bound: bool, wide: bool = True) -> str:
    if value is None:
        return "?"
    if bound:
        return f"<= {value.high:,.0f}"
    return _around(value, lambda number: f"{number:,.0f}") if wide else f"{value.value:,.0f}"


def _around(value: Spread, show: Callable[[float], str]) -> str:
    low, middle, high = show(value.low), show(value.value), show(value.high)
    return middle if low == high else f"{middle} ({low} to {high})"


def _amount(value: float) -> str:
    return f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}"


def size(nbytes: float) -> str:
    """Bytes as a person says them: `640 KB`, `1.2 GB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if nbytes < 999.5:
            return f"{nbytes:.0f} {unit}" if nbytes >= 10 or unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:,.1f} TB"


def _step_json(step: StepForecast, found: Estimate) -> dict[str, Any]:
    return {
        "step": step.name,
        "rows_in": _json(step.rows_in),
        "rows_out": _json(step.rows_out),
        "requests": _json(step.requests),
        "tokens_read": _json(step.read),
        "tokens_sampled": _json(step.sampled),
        "seconds": _json(found.cost.steps.get(step.name)),
        "disk_bytes": _json(step.nbytes),
        "measured": _speed(step.name, found) or None,
        "done_rows": found.done[step.name],
        "why": step.why,
    }


def _model_json(role: str, found: Estimate) -> dict[str, Any]:
    price = found.specs[role].placement.price
    start = found.measured.starts.get(role) if found.measured else None
    return {
        "role": role,
        "start_s": None if start is None else round(start, 3),
        "cost": _json(found.cost.models.get(role)),
        "currency": price.currency if price else None,
    }


def _json(value: Spread | None) -> dict[str, float] | None:
    if value is None:
        return None
    return {name: round(getattr(value, name), 6) for name in ("value", "low", "high")}
