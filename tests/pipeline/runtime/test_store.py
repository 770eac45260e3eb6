"""Parts are whole or not there."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.runtime.store import PartReport, StepFolder, StepReport, Usage, read_table
from schemas.batch import Reject

ROWS = pa.table({"row_id": ["a", "b"]})


def folder(tmp_path: Path, key: str = "k" * 32) -> StepFolder:
    return StepFolder.at(tmp_path, 2, "respond", key)


def committed(where: StepFolder, part: int = 0) -> PartReport:
    report = PartReport(part, rows_in=3, rows_out=2, lost=1, rejects={"too_long": 1})
    return where.commit(report, ROWS, [Reject("c", "too_long", "9 > 8", "text")])


def test_the_folder_is_named_after_number_step_and_key(tmp_path: Path) -> None:
    assert folder(tmp_path, "0123456789abcdef").path == tmp_path / "work/02-respond-0123456789ab"


def test_a_committed_part_reads_back(tmp_path: Path) -> None:
    where = folder(tmp_path)
    report = committed(where)
    assert where.part_report(0) == report
    assert read_table(where.rows_path(0)).to_pydict() == {"row_id": ["a", "b"]}
    rejects = read_table(where.rejects_path(0)).to_pylist()
    assert rejects[0] == {
        "row_id": "c",
        "code": "too_long",
        "message": "9 > 8",
        "raw": "text",
        "response_id": None,
    }


def test_no_part_without_its_manifest(tmp_path: Path) -> None:
    where = folder(tmp_path)
    committed(where)
    where.discard(0)
    assert where.part_report(0) is None


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
def test_a_damaged_part_counts_as_missing(tmp_path: Path, damage: str) -> None:
    where = folder(tmp_path)
    committed(where)
    path = where.rows_path(0)
    content = bytearray(path.read_bytes())
    if damage == "delete":
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert where.part_report(0) is None


def test_a_part_of_another_key_counts_as_missing(tmp_path: Path) -> None:
    where = folder(tmp_path)
    committed(where)
    assert StepFolder(where.path, "other").part_report(0) is None


def test_a_half_written_manifest_counts_as_missing(tmp_path: Path) -> None:
    where = folder(tmp_path)
    committed(where)
    manifest = where.path / "part-00000.json"
    manifest.write_text(manifest.read_text()[:40])
    assert where.part_report(0) is None


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    where = folder(tmp_path)
    with pytest.raises(AttributeError):
        where.commit(PartReport(0, 1, 1), "not a table", [])
    assert list(where.path.iterdir()) == []


def test_rejects_keep_text_that_utf8_cannot_hold(tmp_path: Path) -> None:
    where = folder(tmp_path)
    where.commit(PartReport(0, 1, 0, 1), ROWS, [Reject("c", "lone_surrogate", "m", "a\ud800b")])
    assert read_table(where.rejects_path(0))["raw"].to_pylist() == ["a\\ud800b"]


def test_step_reports_add_up(tmp_path: Path) -> None:
    parts = [
        PartReport(0, 4, 3, 1, 0, {"x": 1, "y": 2}, Usage(5, 10, 20, 1.0), 2.0),
        PartReport(1, 2, 2, 0, 0, {"y": 1}, Usage(1, 1, 1, 0.5), 1.0),
    ]
    total = StepReport.of_parts(parts)
    assert total == StepReport(6, 5, 1, 0, {"x": 1, "y": 3}, Usage(6, 11, 21, 1.5), 3.0)


def test_a_complete_step_knows_its_report_and_notices_damage(tmp_path: Path) -> None:
    where = folder(tmp_path)
    report = StepReport.of_parts([committed(where)])
    assert where.report() is None
    where.write_manifest(report, 1, {"step": "respond"})
    assert where.report() == report
    assert where.intact()
    assert [table.num_rows for table in where.tables()] == [2]
    where.rows_path(0).write_bytes(b"")
    assert not where.intact()
