"""A file is written whole or not at all."""

from pathlib import Path
from typing import IO

import pytest

from pipeline.files import file_digest, read_json, write_atomic, write_json


def test_what_is_written_is_read_back_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, "é"]})
    assert read_json(tmp_path / "a.json") == {"b": [1, "é"]}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": True})

    def fail(file: IO[bytes]) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, fail)
    assert read_json(path) == {"old": True}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": '])
def test_json_that_is_not_a_whole_object_reads_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    assert read_json(tmp_path / "a.json") is None
    assert read_json(tmp_path / "missing.json") is None


def test_digests_tell_files_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    assert file_digest(tmp_path / "a") != file_digest(tmp_path / "b")
    assert len(file_digest(tmp_path / "a")) == 32
