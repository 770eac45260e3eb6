"""The work folder of one step: its parts, and the manifest that says that all are there.

    <work>/02-respond-1f2e3d4c5b6a/
        layout.json             how a source's rows are cut into parts; decides what resuming means
        inputs/                 a source's raw records, until the step is complete
        drafts/                 parts of a dataset-scope step before its decision
        sketches-0/             of its first round, what it decides on: a plain part for each part
        decisions-0/            what was decided, a plain part for each part
        decision.json           the last round that was decided
        given/                  the files that a step needs beside its rows
        00000.part              a part, see `pipeline.runtime.partfile`; its existence commits it
        manifest.json           written when every part is there
        segment-00000.parts     the parts of a complete step, many to a file, one after another
        index                   where each part is: segment, offset, length (little-endian int64)

A part that is not whole is as good as missing and is made again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.folders import Folder, read_folder_json, write_folder_json
from pipeline.runtime.partfile import (
    TRAILER_BYTES,
    Footer,
    decode_footer,
    encode_part,
    footer_length,
    is_whole,
    reject_table,
    rejects_of,
    rows_of,
)
from pipeline.runtime.reports import PartReport, StepReport
from schemas.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

SEGMENT_BYTES = 64 * 2**20
"""Parts are packed into files of up to this size; a larger part has a file of its own."""

_SHORT_KEY = 12
_PART = ".part"
_PLACE = struct.Struct("<qqq")


@dataclass(frozen=True, slots=True)
class StepFolder:
    """The folder of one step, for one key. Picklable; opens files only when asked to."""

    folder: Folder
    key: str

    @classmethod
    def at(cls, work: Folder, index: int, name: str, key: str) -> StepFolder:
        """The folder of step `name` with identity `key` in a work folder."""
        return cls(work.child(f"{index:02d}-{name}-{key[:_SHORT_KEY]}"), key)

    def drafts(self) -> StepFolder:
        """Where a dataset-scope step keeps its parts before the decision over all of them."""
        return StepFolder(self.folder.child("drafts"), self.key)

    def inputs(self) -> StepFolder:
        """Where a source keeps the raw records of its parts."""
        return StepFolder(self.folder.child("inputs"), self.key)

    def given(self) -> StepFolder:
        """Where a step keeps the files that it needs beside its rows."""
        return StepFolder(self.folder.child("given"), self.key)

    def sketches(self, turn: int) -> StepFolder:
        """Where a dataset-scope step keeps what it decides on in a round, from 0."""
        return StepFolder(self.folder.child(f"sketches-{turn}"), self.key)

    def decisions(self, turn: int) -> StepFolder:
        """Where it keeps what it decided in that round."""
        return StepFolder(self.folder.child(f"decisions-{turn}"), self.key)

    # -- parts ------------------------------------------------------------------------------

    def parts_there(self) -> list[int]:
        """Parts that have a file of their own, whole or not."""
        names = self.folder.names()
        return sorted(int(name[: -len(_PART)]) for name in names if name.endswith(_PART))

    def commit(self, report: PartReport, rows: pa.Table, rejects: pa.Table) -> PartReport:
        """Write a part; returns its report with the size on disk."""
        pieces, nbytes = encode_part(self.key, report, rows, rejects)
        self.folder.write(_part_name(report.part), pieces)
        return replace(report, nbytes=nbytes)

    def commit_plain(self, part: int, rows: pa.Table) -> None:
        """Write a part of rows alone, so that reading it later maps the file into memory.

        It is soon made again from what is durable, should a power cut take it: its checksum tells.
        """
        report = PartReport(part, rows.num_rows, rows.num_rows)
        pieces, _ = encode_part(self.key, report, rows, reject_table(()), plain=True)
        self.folder.write(_part_name(part), pieces, durable=False)

    def checksum(self, part: int) -> str | None:
        """What identifies a part's content; None if the part is not there."""
        found = self._footer(part)
        return found[1].checksum if found else None

    def committed(self, part: int) -> PartReport | None:
        """The report of a part as it was committed; None if it never was. Reads no rows."""
        found = self._footer(part)
        return found[1].report if found else None

    def verified(self, part: int) -> PartReport | None:
        """The report of a committed part; None if it is missing or no longer as it was written."""
        found = self._footer(part)
        if found is None:
            return None
        place, footer = found
        return footer.report if is_whole(footer, self._body(place, footer)) else None

    def read_rows(self, part: int) -> pa.Table:
        """The rows of a part. Raises FileNotFoundError, or InputError if they are damaged."""
        return rows_of(*self._checked(part))

    def read_rejects(self, part: int) -> pa.Table:
        """The rejects of a part. Raises FileNotFoundError, or InputError if they are damaged."""
        return rejects_of(*self._checked(part))

    def discard(self, part: int) -> None:
        """Forget a part that is not packed yet, so that it will be made again."""
        self.folder.delete([_part_name(part)])

    def _checked(self, part: int) -> tuple[Footer, memoryview]:
        try:
            found = self._read(part)
        except FileNotFoundError:  # packed and deleted between two looks: now it is in a segment
            found = self._read(part)
        if found is None or not is_whole(*found):
            raise InputError(
                f"{self.folder.url}: part {part} is damaged. Run the same command again: it is "
                "made anew."
            )
        return found

    def _read(self, part: int) -> tuple[Footer, memoryview] | None:
        found = self._read_footer(self._place(part))
        return (found[1], self._body(*found)) if found else None

    def _body(self, place: Place, footer: Footer) -> memoryview:
        return self.folder.read(place.file, place.start, footer.body_bytes)

    def _footer(self, part: int) -> tuple[Place, Footer] | None:
        try:
            return self._read_footer(self._place(part))
        except FileNotFoundError:
            return None

    def _read_footer(self, place: Place) -> tuple[Place, Footer] | None:
        end = place.start + place.length
        if place.length < TRAILER_BYTES:
            return None
        length = footer_length(self.folder.read(place.file, end - TRAILER_BYTES, TRAILER_BYTES))
        if length is None or length + TRAILER_BYTES > place.length:
            return None
        size = length + TRAILER_BYTES
        footer = decode_footer(self.folder.read(place.file, end - size, size))
        if footer is None or footer.key != self.key:
            return None
        report = replace(footer.report, nbytes=place.length)
        return place, replace(footer, report=report)

    def _place(self, part: int) -> Place:
        """Where a part is: in a file of its own, or in a segment. Raises FileNotFoundError."""
        name = _part_name(part)
        try:
            return Place(name, 0, self.folder.size(name))
        except FileNotFoundError:
            entry = self.folder.read("index", part * _PLACE.size, _PLACE.size)
        if len(entry) != _PLACE.size:
            raise FileNotFoundError(name)
        segment, start, length = _PLACE.unpack(entry)
        return Place(_segment_name(segment), start, length)

    # -- the step ---------------------------------------------------------------------------

    def write_layout(self, sizes: Sequence[int]) -> None:
        """Record how many rows each part takes in. Written once every input is in place."""
        write_folder_json(self.folder, "layout.json", {"key": self.key, "sizes": list(sizes)})

    def layout(self) -> list[int] | None:
        """Rows that each part of a source takes in; None if it was never cut."""
        value = read_folder_json(self.folder, "layout.json")
        return value["sizes"] if value and value.get("key") == self.key else None

    def pack(self, segment: int, parts: range) -> list[int]:
        """Write a segment with these parts; returns their lengths. The parts stay where they are.

        Raises:
            InputError: a part is damaged.
        """
        pieces = []
        for part in parts:
            self._checked(part)
            pieces.append(self.folder.read(_part_name(part)))
        self.folder.write(_segment_name(segment), pieces)
        return [len(piece) for piece in pieces]

    def complete(
        self, report: StepReport, segments: Sequence[Sequence[int]], facts: dict[str, Any]
    ) -> None:
        """Declare the step complete, its parts packed; delete what is no longer needed.

        Args:
            report: what the step came to.
            segments: for each segment, the lengths of the parts in it, in order.
            facts: what else the manifest is to say.
        """
        self.folder.write("index", [_PLACE.pack(*entry) for entry in _index(segments)])
        parts = sum(map(len, segments))
        content = {"key": self.key, "parts": parts, "report": asdict(report), **facts}
        write_folder_json(self.folder, "manifest.json", content)
        self.sweep()

    def sweep(self) -> None:
        """Delete what a complete step no longer needs; also what a killed run left of it."""
        names = self.folder.names()
        doomed = (_PART, ".tmp", "decision.json")
        self.folder.delete(name for name in names if name.endswith(doomed))
        for name in names:
            if name.startswith(("drafts", "inputs", "given", "sketches-", "decisions-")):
                self.folder.child(name).clear()

    def reopen(self) -> int:
        """Take the step for incomplete, keeping the parts that are whole; counts the others."""
        parts = range(self.n_parts())
        whole = [part for part in parts if self.verified(part)]
        for part in whole:
            place = self._place(part)
            self.folder.write(
                _part_name(part), [self.folder.read(place.file, place.start, place.length)]
            )
        names = [name for name in self.folder.names() if name.startswith("segment-")]
        self.folder.delete(["manifest.json", "index", *names])
        return len(parts) - len(whole)

    def manifest(self) -> dict[str, Any] | None:
        """The manifest of a complete step with this key, else None."""
        value = read_folder_json(self.folder, "manifest.json")
        return value if value and value.get("key") == self.key else None

    def report(self) -> StepReport | None:
        """What the complete step came to; None if it is not complete."""
        manifest = self.manifest()
        return StepReport.from_json(manifest["report"]) if manifest else None

    def figures(self) -> dict[str, Any]:
        """What a complete step says of its decision over all rows; empty if it made none."""
        manifest = self.manifest()
        return dict(manifest.get("figures", {})) if manifest else {}

    def intact(self) -> bool:
        """True if the step is complete and every part is as it was written."""
        return self.manifest() is not None and all(
            self.verified(part) for part in range(self.n_parts())
        )

    def tables(self) -> Iterator[pa.Table]:
        """The rows of a complete step, part by part, in order."""
        return (self.read_rows(part) for part in range(self.n_parts()))

    def rejects(self) -> Iterator[pa.Table]:
        """The rejects of a complete step, part by part, in order."""
        return (self.read_rejects(part) for part in range(self.n_parts()))

    def n_parts(self) -> int:
        """Parts of a complete step; 0 if it is not complete."""
        manifest = self.manifest()
        return int(manifest["parts"]) if manifest else 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part is: `length` bytes of `file` from `start` on."""

    file: str
    start: int
    length: int


def packing(sizes: Sequence[int]) -> list[range]:
    """Parts of these sizes in bytes, cut into runs of up to SEGMENT_BYTES, none of them empty."""
    runs: list[range] = []
    start, total = 0, 0
    for part, size in enumerate(sizes):
        if total and total + size > SEGMENT_BYTES:
            runs.append(range(start, part))
            start, total = part, 0
        total += size
    if sizes:
        runs.append(range(start, len(sizes)))
    return runs


def _index(segments: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    for number, lengths in enumerate(segments):
        start = 0
        for length in lengths:
            yield number, start, length
            start += length


def _part_name(part: int) -> str:
    return f"{part:05d}{_PART}"


def _segment_name(segment: int) -> str:
    return f"segment-{segment:05d}.parts"
