"""A log loses nothing but what the disk will not take."""

import json
from pathlib import Path

import pytest

from pipeline.runtime.event_log import EventLog, read_log


def test_records_are_lines_and_stay_from_run_to_run(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for number in range(2):
        log = EventLog(path, pytest.fail)
        log.write({"n": number, "text": "模型 \udcff\n"})
        log.close()
    assert read_log(path) == [{"n": n, "text": "模型 \udcff\n"} for n in range(2)]
    assert len(path.read_text().splitlines()) == 2


def test_a_record_after_half_a_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"n": 0}\n{"n": 1, "te')
    log = EventLog(path, pytest.fail)
    log.write({"n": 2})
    log.write({"n": 3})
    log.close()
    assert [record["n"] for record in read_log(path)] == [0, 2, 3]


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'\n[1]\n\xff\xfe\n{"n": 1}\n')
    assert read_log(path) == [{"n": 1}]
    assert read_log(tmp_path / "none") == []


def test_a_full_disk_is_warned_of_once() -> None:
    warnings: list[str] = []
    log = EventLog(Path("/dev/full"), warnings.append)
    for number in range(3):
        log.write({"n": number})
    log.close()
    (said,) = warnings
    assert "/dev/full: No space left on device; the run goes on" in said


def test_a_disk_that_has_space_again_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    warnings: list[str] = []
    log = EventLog(path, warnings.append)
    log.write({"n": 0})
    file = log._file
    assert file is not None

    class HalfFull:
        """Takes half of what it is given, then nothing."""

        taken = 0

        def write(self, data: bytes) -> int:
            if self.taken:
                raise OSError(28, "No space left on device")
            self.taken = file.write(data[: len(data) // 2]) or 0
            return self.taken

    monkeypatch.setattr(log, "_file", HalfFull())
    log.write({"n": 1})
    log.write({"n": 2})
    monkeypatch.setattr(log, "_file", file)
    log.write({"n": 3})
    log.close()
    assert [record["n"] for record in read_log(path)] == [0, 3]
    assert len(warnings) == 1


def test_without_a_path_it_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog(None, pytest.fail).write({"n": 1})
    assert json.loads(capsys.readouterr().out) == {"n": 1}
