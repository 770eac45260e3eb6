"""`prefmill diff` between what a hub has and what is here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.pipeline.hub.conftest import Push
from tests.pipeline.hub.published import small_dataset


def test_releases_of_a_repo_are_compared_with_each_other_and_with_a_folder(
    push: Push, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = small_dataset(tmp_path / "one", range(40), release=1)
    second = small_dataset(tmp_path / "two", range(10, 60), release=2)
    for dataset in (first, second):
        push(dataset)
    for new in ("me/data", str(second.path)):
        assert main(["diff", "me/data@v1", new, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["old"]["place"], told["new"]["place"]) == ("me/data@v1", new)
        assert (told["old"]["release"], told["new"]["release"]) == (1, 2)
        assert [(c["added"], c["dropped"], c["changed"]) for c in told["configs"]] == [
            (20, 10, 0),
            (20, 10, 0),
        ]
