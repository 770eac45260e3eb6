"""Runs to report on, made once."""

import shutil
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.hostile import hostile_recipe

CONFIGS = Path(__file__).parents[3] / "configs"
SCRIPTED, CURATE = CONFIGS / "scripted.yaml", CONFIGS / "curate.yaml"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run with a judge, with its report. Not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "out"
    assert main(["run", str(SCRIPTED), "--out", str(out), "--quiet"]) == 0
    return out


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run over hostile texts, with duplicates. Not to be changed."""
    folder = tmp_path_factory.mktemp("hostile")
    recipe = hostile_recipe(folder)
    assert main(["run", str(recipe), "--out", str(folder / "out"), "--quiet"]) == 0
    return folder / "out"


@pytest.fixture(scope="session")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run that embeds and selects. Not to be changed."""
    out = tmp_path_factory.mktemp("curated") / "out"
    settings = ("models.encoder.engine=scripted", "models.encoder.model=echo")
    options = [word for one in (*settings, "placement.workers=0") for word in ("--set", one)]
    assert main(["run", str(CURATE), "--out", str(out), "--quiet", *options]) == 0
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run's output folder."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"
