"""How much of the data is needed: what `prefmill audit --scaling` reads, finds and says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.audit.plateau import N_PARAMETERS, Estimate, Plateau, Point, fit_plateau
from pipeline.inputs.readers import read_file
from pipeline.inputs.records.base import Record
from schemas.errors import InputError

SHARE, WIN_RATE, ERROR = "share", "win_rate", "standard_error"
_COLUMNS = f"`{SHARE}` and `{WIN_RATE}`, both in per cent, and perhaps `{ERROR}`, in points"
_MOST_SCATTER = 2.0
"""Scatter in standard errors from which these are too small to be believed."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """What the points say.

    Attributes:
        name: of the file.
        points: in order of their shares.
        fit: None if `unknown` says why there is no curve.
        notes: what to beware of.
    """

    name: str
    points: tuple[Point, ...]
    fit: Plateau | None
    unknown: str = ""
    notes: tuple[str, ...] = ()


def read_points(path: Path) -> list[Point]:
    """The points of a JSON lines, JSON, CSV, Parquet or Arrow file.

    Raises:
        InputError: no such file, no points in it, a column that is missing, or a value that is no
            per cent.
    """
    if not path.is_file():
        raise InputError(f"--scaling {path}: no such file; it needs columns {_COLUMNS}")
    points = [_point(record) for record in read_file(path)]
    if not points:
        raise InputError(f"--scaling {path}: no points in it; it needs columns {_COLUMNS}")
    known = sum(point.error is not None for point in points)
    if known not in (0, len(points)):
        raise InputError(
            f"--scaling {path}: {known} of {len(points)} points have a `{ERROR}`; give it for all "
            "or for none, else there is no telling what each of them weighs"
        )
    if max(point.win_rate for point in points) <= 1 and any(point.win_rate for point in points):
        raise InputError(
            f"--scaling {path}: no win rate is above 1; they are read in per cent, so write 43.5 "
            "for 0.435"
        )
    return points


def _point(record: Record) -> Point:
    if record.problem is not None:
        raise InputError(f"{record.place}: {record.problem}")
    fields = record.fields
    error = fields.get(ERROR)
    has_error = error is not None and error != ""
    return Point(
        _number(record.place, fields, SHARE, 100),
        _number(record.place, fields, WIN_RATE, 100),
        _number(record.place, fields, ERROR, 100, is_positive=True) if has_error else None,
    )


def _number(
    place: str, fields: Mapping[str, Any], name: str, highest: float, *, is_positive: bool = False
) -> float:
    if name not in fields:
        listed = ", ".join(f"`{field}`" for field in fields)
        raise InputError(f"{place}: no `{name}` among {listed}; a point needs {_COLUMNS}")
    value = fields[name]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= highest or (is_positive and number == 0):
        allowed = f"a number {'above' if is_positive else 'from'} 0 up to {highest:g}"
        raise InputError(f"{place}: `{name}` is {value!r}; allowed is {allowed}")
    return number


def make_scaling(name: str, points: list[Point], loss: float) -> Scaling:
    """Fit the plateau to points; `loss` is how far below it one may stay, in points."""
    ordered = tuple(sorted(points, key=lambda point: (point.share, point.win_rate)))
    n_shares = len({point.share for point in ordered})
    if n_shares <= N_PARAMETERS:
        unknown = (
            f"a curve of {N_PARAMETERS} parameters needs points at {N_PARAMETERS + 1} different "
            f"shares at the least, and there are {n_shares}"
        )
        return Scaling(name, ordered, None, unknown)
    if len({point.win_rate for point in ordered}) == 1:
        rate = ordered[0].win_rate
        unknown = f"the win rate is {rate:g} % at every share: a flat line has no rate"
        return Scaling(name, ordered, None, unknown)
    fit = fit_plateau(ordered, loss)
    return Scaling(name, ordered, fit, "", tuple(_notes(ordered, fit)))


def _notes(points: tuple[Point, ...], fit: Plateau) -> Iterator[str]:
    largest = points[-1].share
    if largest <= 1:
        yield f"shares are read in per cent: the largest is {largest:g} % of the data"
    yield from _fall(points)
    if fit.rate.low is None and fit.rate.high is None:
        yield (
            "from a straight line to a sudden step every curve agrees with these points: neither "
            "a plateau nor a rate can be told from them"
        )
    elif fit.rate.low is None:
        yield (
            "a straight line agrees with these points as well: they do not show where the win rate "
            "ends; points at larger shares would"
        )
    elif fit.rate.high is None:
        yield (
            "a sudden step agrees with these points as well: how fast the win rate rises needs "
            "points at smaller shares"
        )
    yield from _about_needed(fit)
    if points[0].error is not None and fit.scatter > _MOST_SCATTER:
        yield (
            f"the points are off the curve by {fit.scatter:.1f} of their standard errors: it is "
            "not their curve, or the errors are too small, and so are the intervals"
        )


def _fall(points: tuple[Point, ...]) -> Iterator[str]:
    """The largest fall between neighbouring shares, of their mean win rates."""
    rates: dict[float, list[float]] = {}
    for point in points:
        rates.setdefault(point.share, []).append(point.win_rate)
    means = [(share, math.fsum(at) / len(at)) for share, at in rates.items()]
    falls = [(a[1] - b[1], a, b) for a, b in pairwise(means) if b[1] < a[1]]
    if falls:
        _, before, after = max(falls)
        yield (
            f"not monotone: {before[1]:.4g} % at a share of {before[0]:g} % and {after[1]:.4g} % "
            f"at {after[0]:g} %; the curve takes that for chance"
        )


def _about_needed(fit: Plateau) -> Iterator[str]:
    distance = f"within {fit.loss:g} points of its plateau"
    if fit.plateau.low is not None and fit.plateau.low > 100:
        yield "the plateau would lie above 100 %, which no win rate reaches"
    if fit.needed is None:
        yield "the win rate falls as the share grows: there is no plateau to come near to"
    elif not fit.needed.is_bounded:
        return
    elif fit.needed.value > 100:
        yield f"all of the data is not enough to come {distance}, as far as this curve can tell"
    elif fit.needed.high is not None and fit.needed.high > 100:
        yield f"it may be that all of the data is not enough to come {distance}"


_NAMES = {
    "plateau": ("plateau", " %"),
    "start": ("at a share of 0", " %"),
    "rate": ("rate", " per % of the data"),
    "needed": ("share needed", " %"),
}


def _estimates(fit: Plateau) -> Iterator[tuple[str, Estimate | None]]:
    yield from ((name, getattr(fit, name)) for name in _NAMES)


def scaling_json(scaling: Scaling) -> dict[str, Any]:
    """For `--json`; a value that the points do not bound on both sides is null."""
    fit = scaling.fit
    return {
        "name": scaling.name,
        "points": [asdict(point) for point in scaling.points],
        "unknown": scaling.unknown or None,
        "loss": fit and fit.loss,
        "scatter": fit and fit.scatter,
        "fit": fit and {name: _json(estimate) for name, estimate in _estimates(fit)},
        "notes": list(scaling.notes),
    }


def _json(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    value = estimate.value if estimate.is_bounded else None
    return {"value": value, "low": estimate.low, "high": estimate.high}


def scaling_text(scaling: Scaling) -> str:
    """For a terminal."""
    n = len(scaling.points)
    lines = [f"{scaling.name}: {n} points", "", "WIN RATE BY SHARE OF THE DATA"]
    fit = scaling.fit
    if fit is None:
        return "\n".join([*lines, f"  cannot be had: {scaling.unknown}"])
    width = max(len(label) for label, _ in _NAMES.values())
    for name, estimate in _estimates(fit):
        label, unit = _NAMES[name]
        lines.append(f"  {label:<{width}}  {_told(estimate, unit)}")
    lines.append(f"  (needed to stay within {fit.loss:g} points of the plateau; intervals of 95 %)")
    return "\n".join([*lines, *(f"  ! {note}" for note in scaling.notes)])


def _told(estimate: Estimate | None, unit: str) -> str:
    if estimate is None:
        return "–"
    low, high = estimate.low, estimate.high
    if low is not None and high is not None:
        return f"{estimate.value:.4g}{unit} ({low:.4g} to {high:.4g})"
    if low is not None:
        return f"at least {low:.4g}{unit}"
    return "–" if high is None else f"at most {high:.4g}{unit}"
