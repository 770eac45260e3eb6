"""The same folder behaviour on disk and at a URL."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.folders import Folder, open_folder, read_folder_json, write_folder_json
from schemas.errors import InputError


@pytest.fixture(params=["path", "file URL", "memory URL"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Folder]:
    urls = {
        "path": str(tmp_path / "work"),
        "file URL": f"file://{tmp_path}/work",
        "memory URL": f"memory://{uuid4().hex}/work/",
    }
    made = open_folder(urls[request.param])
    yield made
    made.clear()


def test_what_was_written_is_read_back_in_stretches(folder: Folder) -> None:
    folder.write("a", [b"0123", memoryview(b"456789")])
    assert folder.size("a") == 10
    assert bytes(folder.read("a")) == b"0123456789"
    assert bytes(folder.read("a", 3, 4)) == b"3456"
    assert bytes(folder.read("a", 8, 100)) == b"89"
    assert bytes(folder.read("a", 10, 1)) == b""
    folder.write("a", [])
    assert bytes(folder.read("a")) == b""


def test_what_is_not_there(folder: Folder) -> None:
    assert not folder.exists()
    assert folder.names() == []
    for read in (folder.size, folder.read):
        with pytest.raises(FileNotFoundError):
            read("nothing")
    folder.delete(["nothing"])
    folder.clear()
    assert read_folder_json(folder, "nothing") is None


def test_names_deleting_and_clearing(folder: Folder) -> None:
    folder.write("b", [b"1"])
    folder.write("a", [b"2"])
    folder.child("deeper").write("c", [b"3"])
    assert folder.names() == ["a", "b", "deeper"]
    folder.delete(["a", "gone"])
    assert folder.names() == ["b", "deeper"]
    folder.child("deeper").clear()
    assert folder.names() == ["b"]
    folder.clear()
    assert not folder.exists()


def test_json_is_whole_or_not_there(folder: Folder) -> None:
    write_folder_json(folder, "j", {"text": "é \ud800"})
    assert read_folder_json(folder, "j") == {"text": "é \ud800"}
    folder.write("j", [bytes(folder.read("j"))[:-4]])
    assert read_folder_json(folder, "j") is None


def test_a_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    folder.write("a", [b"old"])
    with pytest.raises(TypeError):
        folder.write("a", [b"new", "no bytes"])
    assert bytes(folder.read("a")) == b"old"
    assert folder.names() == ["a"]


def test_a_url_that_nothing_can_open() -> None:
    with pytest.raises(InputError, match=r"placement\.work: nowhere://x/y cannot be opened"):
        open_folder("nowhere://x/y")
