"""Names of models, and what they stand for."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.engines.locate import folder_digest, locate
from schemas.errors import InputError


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFMILL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "recipes" / "my-model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"hidden_size": 8}')
    (folder / "model.safetensors").write_bytes(b"\0" * (5 * 2**20))
    (folder / "notes.md").write_text("not part of the model")
    return folder


def test_a_folder_is_found_from_the_recipes_folder(model: Path) -> None:
    found = locate("my-model", None, model.parent)
    assert found.path == str(model)
    assert found.revision is None


def test_the_digest_is_of_what_decides_the_answers(model: Path) -> None:
    before = folder_digest(model)
    (model / "notes.md").write_text("changed")
    (model / "config.json").touch()
    assert folder_digest(model) == before
    (model / "config.json").write_text('{"hidden_size": 9}')
    changed_config = folder_digest(model)
    assert changed_config != before
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[100] = 1
    (model / "model.safetensors").write_bytes(weights)
    assert folder_digest(model) != changed_config


@pytest.mark.parametrize("name", ["./gone", "/gone/model", "a/b/c", "justname"])
def test_a_path_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"`{name}` is not a folder here.*smollm2-135m-instruct"):
        locate(name, None, tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no model"):
        locate("empty", None, tmp_path)


class Hub:
    """Stands for `huggingface_hub`: a commit, or trouble."""

    def __init__(self, commit: str | None, cached: str | None) -> None:
        self.commit, self.cached = commit, cached
        self.trouble: Exception = RuntimeError("any transport's own error")

    def model_info(self, name: str, revision: str | None) -> SimpleNamespace:
        if self.commit is None:
            raise self.trouble
        return SimpleNamespace(sha=self.commit)

    def snapshot_download(self, name: str, revision: str | None, local_files_only: bool) -> str:
        assert local_files_only, "locating must not download"
        if self.cached is None:
            raise FileNotFoundError("not in the cache")
        return f"/cache/snapshots/{self.cached}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    fake = Hub(commit="c0ffee", cached="cac4ed")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.snapshot_download)
    monkeypatch.setattr(huggingface_hub.constants, "is_offline_mode", lambda: False)
    return fake


def test_a_hub_id_is_pinned_to_its_commit(hub: Hub, tmp_path: Path) -> None:
    found = locate("org/name", "main", tmp_path)
    assert (found.path, found.revision) == ("org/name", "c0ffee")
    hub.commit = "0ther"
    assert locate("org/name", "main", tmp_path).fingerprint != found.fingerprint


def test_an_unreachable_hub_leaves_the_local_cache(hub: Hub, tmp_path: Path) -> None:
    hub.commit = None
    assert locate("org/name", None, tmp_path).revision == "cac4ed"


def test_a_model_that_is_nowhere_is_one_clear_error(hub: Hub, tmp_path: Path) -> None:
    hub.commit = hub.cached = None
    with pytest.raises(InputError, match=r"`org/name` \(revision v1\) is not in the local cache"):
        locate("org/name", "v1", tmp_path)


def test_a_model_that_the_hub_refuses_is_not_taken_from_the_cache(hub: Hub, tmp_path: Path) -> None:
    from huggingface_hub.errors import RepositoryNotFoundError

    hub.commit = None
    hub.trouble = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    with pytest.raises(InputError, match="does not give model `org/name`"):
        locate("org/name", None, tmp_path)
