"""One run at a time, and never in somebody else's folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.lock import output_folder
from schemas.errors import InputError


def test_the_folder_is_made_and_free_afterwards(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for _ in range(2):
        with output_folder(out):
            assert (out / "work" / "holder").read_text().startswith("pid ")
        assert not (out / "work" / "holder").exists()


def test_a_second_run_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with (
        output_folder(tmp_path),
        pytest.raises(InputError, match=r"another run is working here \(pid \d+ on "),
        output_folder(tmp_path),
    ):
        raise AssertionError("two runs at once")


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from pipeline.runtime.lock import output_folder\n"
        "with output_folder(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -9
    with output_folder(tmp_path):
        pass


def test_a_run_that_was_killed_in_the_middle_of_a_write_is_no_stranger(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from pipeline.files import write_json\n"
        "os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_json(Path(sys.argv[1]), {})\n"
    )
    for name in ("figures.json", "report.html"):
        command = [sys.executable, "-c", script, str(tmp_path / name)]
        assert subprocess.run(command, check=False).returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    with output_folder(tmp_path):
        left = [path.name for path in tmp_path.glob(".*.tmp")]
    assert len(left) == 1
    assert left[0].startswith(".report.html."), "somebody else may be writing it"


@pytest.mark.parametrize("name", [".thesis.tex.abcd1234.tmp", ".run.json.tmp"])
def test_other_temporary_files_are_somebody_elses(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="holds something else"), output_folder(tmp_path):
        raise AssertionError("took a foreign folder")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.tex"), output_folder(tmp_path):
        raise AssertionError("took a foreign folder")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("")
    with pytest.raises(InputError, match="is a file"), output_folder(path):
        raise AssertionError


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, data: bytes) -> int:
        raise PermissionError(13, "Permission denied")

    # Permission bits do not stop root, who runs many a CI.
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(InputError, match="cannot be written to: Permission denied"):  # noqa: SIM117
        with output_folder(tmp_path / "out"):
            raise AssertionError


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"), output_folder(tmp_path / "file" / "x"):
        raise AssertionError
