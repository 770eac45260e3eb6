"""Values of the command line, each with one clear error."""

from __future__ import annotations

import argparse

_LAST_PORT = 65_535
_LONGEST_WATCH_S = 86_400


def count(text: str) -> int:
    """A whole number from 1 up."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return value


def port(text: str) -> int:
    """A port; 0 stands for any that is free."""
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to {_LAST_PORT}")
    return int(text)


def seed(text: str) -> int:
    """A whole number from 0 up."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def points(text: str) -> float:
    """A number of percentage points."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 100")
    return value


def seconds(text: str) -> float:
    """Seconds to wait."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST_WATCH_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds above 0 and up to {_LONGEST_WATCH_S}"
        )
    return value
