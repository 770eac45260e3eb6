"""Parts are whole or not there."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.folders import LocalFolder
from pipeline.runtime import partfile, store
from pipeline.runtime.partfile import reject_table
from pipeline.runtime.reports import PartReport, StepReport, Usage
from pipeline.runtime.store import StepFolder, packing
from schemas.batch import Reject
from schemas.errors import InputError

ROWS = pa.table({"row_id": ["a", "b"]})


def folder(tmp_path: Path, key: str = "k" * 32) -> StepFolder:
    return StepFolder.at(LocalFolder(tmp_path), 2, "respond", key)


def path_of(where: StepFolder, name: str) -> Path:
    return Path(where.folder.url) / name


def commit(where: StepFolder, part: int = 0, rows: pa.Table = ROWS) -> PartReport:
    report = PartReport(part, rows_in=3, rows_out=2, lost=1, rejects={"too_long": 1})
    return where.commit(report, rows, reject_table([Reject("c", "too_long", "9 > 8", "text")]))


def completed(where: StepFolder, parts: int, segments: list[range]) -> StepReport:
    total = StepReport.of_parts([commit(where, part) for part in range(parts)])
    lengths = [where.pack(number, run) for number, run in enumerate(segments)]
    where.complete(total, lengths, {"step": "respond"})
    return total


def test_the_folder_is_named_after_number_step_and_key(tmp_path: Path) -> None:
    url = folder(tmp_path, "0123456789abcdef").folder.url
    assert url == str(tmp_path / "02-respond-0123456789ab")


def test_a_committed_part_reads_back(tmp_path: Path) -> None:
    where = folder(tmp_path)
    report = commit(where)
    assert where.verified(0) == where.committed(0) == report
    assert report.nbytes == path_of(where, "00000.part").stat().st_size
    assert where.read_rows(0).to_pydict() == {"row_id": ["a", "b"]}
    assert where.read_rejects(0).to_pylist() == [
        {
            "row_id": "c",
            "code": "too_long",
            "message": "9 > 8",
            "raw": "text",
            "response_id": None,
        }
    ]


def test_a_part_that_was_discarded_is_gone(tmp_path: Path) -> None:
    where = folder(tmp_path)
    commit(where)
    where.discard(0)
    where.discard(0)
    assert where.verified(0) is None
    with pytest.raises(FileNotFoundError):
        where.read_rows(0)


def test_a_part_cut_anywhere_is_no_part(tmp_path: Path) -> None:
    where = folder(tmp_path)
    size = commit(where).nbytes
    path = path_of(where, "00000.part")
    content = path.read_bytes()
    for length in range(size):
        path.write_bytes(content[:length])
        assert where.verified(0) is None, length


def test_a_part_with_any_bit_flipped_is_no_part(tmp_path: Path) -> None:
    where = folder(tmp_path)
    size = commit(where).nbytes
    path = path_of(where, "00000.part")
    content = path.read_bytes()
    for place in random.Random(1).sample(range(size), 200):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        assert where.verified(0) is None, place


def test_a_part_of_an_older_prefmill_is_held_to_the_checksum_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blake2b(pieces: Sequence[memoryview]) -> str:
        return hashlib.blake2b(b"".join(pieces), digest_size=16).hexdigest()

    where = folder(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(partfile, "_checksum", blake2b)
        report = commit(where)
    assert where.verified(0) == report
    path = path_of(where, "00000.part")
    path.write_bytes(path.read_bytes().replace(b"row_id", b"row_ix", 1))
    assert where.committed(0) == report
    assert where.verified(0) is None


def test_reading_a_damaged_part_says_what_to_do(tmp_path: Path) -> None:
    where = folder(tmp_path)
    commit(where)
    path = path_of(where, "00000.part")
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    with pytest.raises(InputError, match=r"part 0 is damaged\. Run the same command again"):
        where.read_rows(0)


def test_a_part_of_another_key_counts_as_missing(tmp_path: Path) -> None:
    where = folder(tmp_path)
    commit(where)
    assert StepFolder(where.folder, "other").verified(0) is None


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    where = folder(tmp_path)
    with pytest.raises(AttributeError):
        where.commit(PartReport(0, 1, 1), "not a table", reject_table(()))
    assert where.folder.names() == []


def test_rejects_keep_text_that_utf8_cannot_hold(tmp_path: Path) -> None:
    where = folder(tmp_path)
    rejects = reject_table([Reject("c", "lone_surrogate", "m", "a\ud800b")])
    where.commit(PartReport(0, 1, 0, 1), ROWS, rejects)
    assert where.read_rejects(0)["raw"].to_pylist() == ["a\\ud800b"]


def test_step_reports_add_up() -> None:
    parts = [
        PartReport(0, 4, 3, 1, 0, {"x": 1, "y": 2}, Usage(5, 10, 20, 1.0), 2.0),
        PartReport(1, 2, 2, 0, 0, {"y": 1}, Usage(1, 1, 1, 0.5), 1.0),
    ]
    total = StepReport.of_parts(parts)
    assert total == StepReport(6, 5, 1, 0, {"x": 1, "y": 3}, Usage(6, 11, 21, 1.5), 3.0)


def test_a_complete_step_is_a_few_files_that_read_like_its_parts(tmp_path: Path) -> None:
    where = folder(tmp_path)
    assert where.report() is None
    report = completed(where, 5, [range(0, 3), range(3, 5)])
    assert where.report() == report
    assert where.intact()
    assert where.folder.names() == [
        "index", "manifest.json", "segment-00000.parts", "segment-00001.parts",
    ]  # fmt: skip
    assert [table.num_rows for table in where.tables()] == [2] * 5
    assert [table.num_rows for table in where.rejects()] == [1] * 5
    with pytest.raises(FileNotFoundError):
        where.read_rows(5)


def test_a_damaged_step_is_reopened_with_the_parts_that_are_whole(tmp_path: Path) -> None:
    where = folder(tmp_path)
    completed(where, 3, [range(0, 3)])
    path = path_of(where, "segment-00000.parts")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # in the second of three parts of one size
    path.write_bytes(content)
    assert not where.intact()
    assert where.reopen() == 1
    assert where.report() is None
    assert where.parts_there() == [0, 2]
    assert where.verified(0)
    assert where.verified(1) is None


def test_a_part_may_be_packed_while_it_is_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = folder(tmp_path)
    report = StepReport.of_parts([commit(where)])
    look = LocalFolder.size

    def pack_behind_its_back(self: LocalFolder, name: str) -> int:
        size = look(self, name)
        if name.endswith(".part"):
            monkeypatch.setattr(LocalFolder, "size", look)
            where.complete(report, [where.pack(0, range(1))], {})
        return size

    monkeypatch.setattr(LocalFolder, "size", pack_behind_its_back)
    assert where.read_rows(0).num_rows == 2


@given(st.lists(st.integers(1, 100)))
def test_packing_keeps_the_order_and_the_size(sizes: list[int]) -> None:
    limit, store.SEGMENT_BYTES = store.SEGMENT_BYTES, 64
    try:
        runs = packing(sizes)
    finally:
        store.SEGMENT_BYTES = limit
    assert [part for run in runs for part in run] == list(range(len(sizes)))
    totals = [sum(sizes[part] for part in run) for run in runs]
    assert all(total <= 64 or len(run) == 1 for total, run in zip(totals, runs, strict=True))
    joined = [first + sizes[run.start] for first, run in zip(totals, runs[1:], strict=False)]
    assert all(total > 64 for total in joined), "no file is smaller than it need be"
