"""Values of one row as lines for a terminal: what matters first, long texts folded.

Texts come from models and from files of others: what would move the cursor, change colours or turn
the direction of writing is shown as its code.
"""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from string import ascii_uppercase
from typing import Any

from schemas.columns import JUDGEMENTS, PREFERENCES, RESPONSES, SCORES, VERDICTS

_ENTRIES = 4
_NUMBERS = 8
_HIDDEN = ("seed", "response_id")
_TURN = {"role", "content"}

Entry = dict[str, Any]


class Letters(dict[str, str]):
    """Short names for the answers of a row: A, B, C, in the order in which they are met."""

    def __missing__(self, response_id: str) -> str:
        number = len(self)
        last = len(ascii_uppercase)
        letter = ascii_uppercase[number] if number < last else f"Z{number - last + 1}"
        return self.setdefault(response_id, letter)


def visible(text: str) -> str:
    """The text without characters that would do something to a terminal; line ends stay."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == "\t":
        return "    "
    if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return f"\\u{ord(character):04x}"


def folded(text: str, width: int, lines: int | None) -> list[str]:
    """The text in lines of `width` columns; of a long one the beginning, and how much follows.

    Args:
        lines: how many lines at most; None for all of them.
    """
    from rich.cells import cell_len, set_cell_size

    wrapped = [line for part in visible(text).strip().split("\n") for line in _wrap(part, width)]
    if lines is None or len(wrapped) <= lines:
        return wrapped
    more = f" … {sum(map(len, wrapped[lines:])):,} characters more"
    more = more if cell_len(more) < width else " …"
    last = wrapped[lines - 1]
    if cell_len(last) + cell_len(more) > width:
        last = set_cell_size(last, max(width - cell_len(more), 0))
    return [*wrapped[: lines - 1], last.rstrip() + more]


def _wrap(paragraph: str, width: int) -> list[str]:
    """Rich knows how many columns a character takes."""
    from rich.console import Console
    from rich.text import Text

    found = Text(paragraph).wrap(Console(width=width), width)
    return [line.plain.rstrip() for line in found] or [""]


def value_lines(
    name: str, value: Any, width: int, lines: int | None, letters: Letters
) -> list[str]:
    """A column's value in lines of `width` columns.

    Args:
        lines: of a text, and some entries of a list; None for everything.
        letters: names of the answers so far; new ones get the next.
    """
    if isinstance(value, list) and value and isinstance(value[0], dict):
        render = _RENDERERS.get(name, _entries)
        found = list(render(value, letters))
        shown = found if lines is None else found[:_ENTRIES]
        told = [line for text in shown for line in _hanging(text, width, lines)]
        rest = len(found) - len(shown)
        return told + ([f"… {rest} more"] if rest else [])
    if isinstance(value, list) and len(value) > _NUMBERS and isinstance(value[0], int | float):
        return [f"{len(value)} numbers: {', '.join(map(short, value[:3]))}, …"]
    return folded(short(value), width, lines)


def _hanging(text: str, width: int, lines: int | None) -> Iterator[str]:
    """Folded, all but the first line set in."""
    first, *others = folded(text, width - 2, lines)
    yield first
    yield from (f"  {other}" for other in others)


def _responses(entries: Sequence[Entry], letters: Letters) -> Iterator[str]:
    for entry in entries:
        facts = [f"{entry['n_tokens']} tokens"] if entry.get("n_tokens") is not None else []
        facts += [entry["finish_reason"]] if entry.get("finish_reason", "stop") != "stop" else []
        facts += [entry["model"]] if entry.get("model") else []
        yield f"{letters[entry['response_id']]}  [{', '.join(facts)}] {entry['text']}"


def _scores(entries: Sequence[Entry], letters: Letters) -> Iterator[str]:
    by_labeller: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        named = f"{letters[entry['response_id']]} {short(entry['score'])}"
        by_labeller[entry["labeller"]].append(named)
    for labeller, scores in by_labeller.items():
        yield f"{labeller}: {'   '.join(scores)}"


def _pairs(entries: Sequence[Entry], letters: Letters) -> Iterator[str]:
    """P(the first answer wins), one line a labeller; `?` where the orders or the votes differ."""
    by_labeller: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        a, b = letters[entry["response_a"]], letters[entry["response_b"]]
        agree = entry.get("consistent", entry.get("agree", True))
        said = "-" if entry["p_a"] is None else f"{entry['p_a']:.2f}"
        by_labeller[entry["labeller"]].append(f"{a}>{b} {said}{'' if agree else '?'}")
    for labeller, pairs in by_labeller.items():
        yield f"{labeller}: {'   '.join(pairs)}"


def _verdicts(entries: Sequence[Entry], letters: Letters) -> Iterator[str]:
    for entry in entries:
        shown = " ".join(letters[response_id] for response_id in entry["shown"])
        said = _said(entry["raw"])
        reasons = f" because {entry['rationale']}" if entry.get("rationale") else ""
        yield f"{entry['topic']} {shown}: {said}{reasons}"


def _said(raw: str) -> str:
    """A judge's words on one line, or its probabilities if that is what it gave."""
    with suppress(ValueError):
        found = json.loads(raw)
        if isinstance(found, dict) and all(isinstance(p, float) for p in found.values()):
            return "   ".join(f"P({label}) {p:.2f}" for label, p in found.items())
    return " ".join(raw.split())


def _entries(entries: Sequence[Entry], letters: Letters) -> Iterator[str]:
    """Any other list: turns of a conversation, or fields without ids and what is not known."""
    for number, entry in enumerate(entries, 1):
        if entry.keys() == _TURN:
            yield f"{entry['role']}: {entry['content']}"
            continue
        named = f"{letters[entry['response_id']]}" if entry.get("response_id") else f"{number}."
        kept = {n: v for n, v in entry.items() if v not in (None, []) and n not in _HIDDEN}
        yield f"{named}  " + "   ".join(f"{n} {short(v)}" for n, v in kept.items())


_RENDERERS: dict[str, Callable[[Sequence[Entry], Letters], Iterator[str]]] = {
    RESPONSES.name: _responses,
    SCORES.name: _scores,
    JUDGEMENTS.name: _pairs,
    PREFERENCES.name: _pairs,
    VERDICTS.name: _verdicts,
}


def short(value: Any) -> str:
    """A value in few characters: numbers by four digits."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "[" + ", ".join(map(short, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {short(each)}" for name, each in value.items()) + "}"
    return str(value)
