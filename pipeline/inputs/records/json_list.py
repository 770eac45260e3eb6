"""Cuts a JSON list into its elements, holding one element at a time and not the file."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO

from pipeline.inputs.records.base import Record, from_json
from schemas.errors import InputError

_CHUNK = 1 << 16
_SPACE = re.compile(r"\s*")


def read_list(file: IO[bytes], name: str) -> Iterator[Record]:
    """The elements of a file that is one JSON list, each with the line it starts on.

    Raises:
        InputError: the file is no such list; there is no telling where the next element starts.
    """
    text = _Window(file, name)
    text.expect("[")
    if text.peek() == "]":
        text.expect("]")
    else:
        yield text.element()
        while text.expect(",]") == ",":
            yield text.element()
    if char := text.peek():
        raise text.error(f"{char!r} after the end of the list")


class _Window:
    """The part of the file that is being looked at."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._line = 1
        self._offset = 0
        self._read(_CHUNK)
        self._text = self._text.removeprefix("\ufeff")

    def peek(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._move(space.end() if space else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read(_CHUNK):
                return ""

    def expect(self, chars: str) -> str:
        """Pass over the next character, which must be one of `chars`."""
        char = self.peek()
        if not char or char not in chars:
            seen = repr(char) if char else "the end of the file"
            raise self.error(f"{seen} where one of {chars!r} should be")
        self._move(self._at + 1)
        return char

    def element(self) -> Record:
        """Pass over the next value."""
        self.peek()
        place, wanted = f"{self._name}:{self._line}", _CHUNK
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                if end < len(self._text):  # else a number may go on beyond what was read
                    break
                problem = "the list is not closed"
            except json.JSONDecodeError as error:
                problem = error.msg  # its line and column count from the window's start
            except (ValueError, RecursionError) as error:
                problem = str(error)
            if not self._read(wanted):
                raise self.error(problem)
            wanted *= 2  # so that all tries together cost little more than the last
        source = self._text[self._at : end]
        self._move(end)
        return from_json(place, value, source)

    def error(self, problem: str) -> InputError:
        """What to raise when the text is no JSON list."""
        return InputError(
            f"{self._name}:{self._line}: not a JSON list of records: {problem}. Mend the file, or "
            "write one record a line as `.jsonl`, where a bad record does not spoil the rest."
        )

    def _read(self, size: int) -> bool:
        """Forget what was passed and read `size` bytes more; False at the end of the file."""
        chunk = self._file.read(size)
        pending = len(self._utf8.getstate()[0])
        try:
            added = self._utf8.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = self._offset - pending + error.start
            raise self.error(f"the byte at offset {at} of the file is not UTF-8") from error
        self._offset += len(chunk)
        self._text = self._text[self._at :] + added
        self._at = 0
        return bool(chunk)

    def _move(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end
