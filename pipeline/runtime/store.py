"""The work folder of one step: parts, their rejects, and manifests that say what is complete.

    <out>/work/02-respond-1f2e3d4c5b6a/
        layout.json             how the rows are cut into parts; decides what resuming means
        part-00000.arrow        rows (Arrow IPC, zstd)
        part-00000.rejects.arrow
        part-00000.json         written last: rows, rejects, checksums. No manifest, no part.
        manifest.json           written when every part is there

A part whose files do not match its manifest is as good as missing and is made again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files import file_digest, read_json, write_atomic, write_json
from schemas.batch import Reject

if TYPE_CHECKING:
    import pyarrow as pa

_SHORT_KEY = 12


@dataclass(frozen=True, slots=True)
class Usage:
    """What the models did for a part or a step."""

    requests: int = 0
    prompt_tokens: int = 0
    sampled_tokens: int = 0
    engine_s: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.sampled_tokens + other.sampled_tokens,
            self.engine_s + other.engine_s,
        )


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one finished part came to.

    Attributes:
        rows_in, rows_out: rows before and after.
        lost: rows turned away whole (not counting single answers).
        rejects: every rejection by reason.
        failed: rows lost because an engine could not serve them.
    """

    part: int
    rows_in: int
    rows_out: int
    lost: int = 0
    failed: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    usage: Usage = Usage()
    seconds: float = 0.0
    checksums: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PartReport:
        """Read back what `asdict` wrote."""
        return cls(**{**value, "usage": Usage(**value["usage"])})


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one finished step came to: its parts, summed."""

    rows_in: int
    rows_out: int
    lost: int
    failed: int
    rejects: dict[str, int]
    usage: Usage
    seconds: float

    @classmethod
    def of_parts(cls, parts: Sequence[PartReport]) -> StepReport:
        """Sum the parts' reports."""
        rejects: Counter[str] = Counter()
        for part in parts:
            rejects.update(part.rejects)
        return cls(
            rows_in=sum(part.rows_in for part in parts),
            rows_out=sum(part.rows_out for part in parts),
            lost=sum(part.lost for part in parts),
            failed=sum(part.failed for part in parts),
            rejects=dict(sorted(rejects.items())),
            usage=sum((part.usage for part in parts), Usage()),
            seconds=sum(part.seconds for part in parts),
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> StepReport:
        """Read back what `asdict` wrote."""
        return cls(**{**value, "usage": Usage(**value["usage"])})


@dataclass(frozen=True, slots=True)
class StepFolder:
    """The folder of one step, for one key. Picklable; opens files only when asked to."""

    path: Path
    key: str

    @classmethod
    def at(cls, out: Path, index: int, name: str, key: str) -> StepFolder:
        """The folder of step `name` with identity `key` in an output folder."""
        return cls(out / "work" / f"{index:02d}-{name}-{key[:_SHORT_KEY]}", key)

    def drafts(self) -> StepFolder:
        """Where a dataset-scope step keeps its parts before the decision over all of them."""
        return StepFolder(self.path / "drafts", self.key)

    def rows_path(self, part: int) -> Path:
        """File of a part's rows."""
        return self.path / f"part-{part:05d}.arrow"

    def rejects_path(self, part: int) -> Path:
        """File of a part's rejects."""
        return self.path / f"part-{part:05d}.rejects.arrow"

    def input_path(self, part: int) -> Path:
        """File of a source's raw records, kept until the step is complete."""
        return self.path / f"input-{part:05d}.arrow"

    def _part_manifest(self, part: int) -> Path:
        return self.path / f"part-{part:05d}.json"

    def commit(
        self, report: PartReport, table: pa.Table, rejects: Sequence[Reject] | pa.Table
    ) -> PartReport:
        """Write a part, its manifest last; return the report with checksums."""
        self.path.mkdir(parents=True, exist_ok=True)
        listed = reject_table(rejects) if isinstance(rejects, (list, tuple)) else rejects
        paths = (self.rows_path(report.part), self.rejects_path(report.part))
        for path, content in zip(paths, (table, listed), strict=True):
            write_table(path, content)
        checksums = {path.name: file_digest(path) for path in paths}
        done = PartReport(**{**_fields(report), "checksums": checksums})
        write_json(self._part_manifest(report.part), {"key": self.key, **asdict(done)})
        return done

    def committed(self, part: int) -> PartReport | None:
        """The report of a part as it was committed; None if it never was. Reads no rows."""
        manifest = read_json(self._part_manifest(part))
        if manifest is None or manifest.pop("key", None) != self.key:
            return None
        return PartReport.from_json(manifest)

    def part_report(self, part: int) -> PartReport | None:
        """The report of a committed part; None if it is missing or its files changed since."""
        report = self.committed(part)
        if report is None:
            return None
        for name, checksum in report.checksums.items():
            path = self.path / name
            if not path.exists() or file_digest(path) != checksum:
                return None
        return report

    def discard(self, part: int) -> None:
        """Forget a part, so that it will be made again."""
        self._part_manifest(part).unlink(missing_ok=True)

    def write_layout(self, sizes: Sequence[int]) -> None:
        """Record how many rows each part takes in. Written once every input is in place."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / "layout.json", {"key": self.key, "sizes": list(sizes)})

    def layout(self) -> list[int] | None:
        """Rows that each part takes in; None if the step was never opened."""
        value = read_json(self.path / "layout.json")
        return value["sizes"] if value and value.get("key") == self.key else None

    def write_manifest(self, report: StepReport, parts: int, facts: dict[str, Any]) -> None:
        """Declare the step complete."""
        content = {"key": self.key, "parts": parts, "report": asdict(report), **facts}
        write_json(self.path / "manifest.json", content)

    def manifest(self) -> dict[str, Any] | None:
        """The manifest of a complete step with this key, else None."""
        value = read_json(self.path / "manifest.json")
        return value if value and value.get("key") == self.key else None

    def report(self) -> StepReport | None:
        """What the complete step came to; None if it is not complete."""
        manifest = self.manifest()
        return StepReport.from_json(manifest["report"]) if manifest else None

    def intact(self) -> bool:
        """True if the step is complete and every part still matches its checksums."""
        return self.manifest() is not None and all(
            self.part_report(part) for part in range(self._parts())
        )

    def tables(self) -> Iterator[pa.Table]:
        """The rows of a complete step, part by part, in order."""
        for part in range(self._parts()):
            yield read_table(self.rows_path(part))

    def rejects(self) -> Iterator[pa.Table]:
        """The rejects of a complete step, part by part, in order."""
        for part in range(self._parts()):
            yield read_table(self.rejects_path(part))

    def _parts(self) -> int:
        manifest = self.manifest()
        return int(manifest["parts"]) if manifest else 0


def _fields(report: PartReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in PartReport.__slots__}


def reject_table(rejects: Sequence[Reject]) -> pa.Table:
    """Rejects as an Arrow table; text that UTF-8 cannot hold is kept in escaped form."""
    import pyarrow as pa

    names = ("row_id", "code", "message", "raw", "response_id")
    values = {name: [_storable(getattr(reject, name)) for reject in rejects] for name in names}
    return pa.table(values, schema=pa.schema([(name, pa.string()) for name in names]))


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as one Arrow IPC file, atomically."""
    import pyarrow as pa

    def write(file: Any) -> None:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_file(file, table.schema, options=options) as writer:
            writer.write_table(table)

    write_atomic(path, write)


def read_table(path: Path) -> pa.Table:
    """Read a table back."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
