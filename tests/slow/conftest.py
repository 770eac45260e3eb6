"""The bundled model in real engines, opened once and shared by the slow tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import LoadedModel, ModelSpec
from pipeline.engines.bundled import ALIASES, bundled_folder
from pipeline.engines.open import open_model
from pipeline.engines.resolve import resolve_model
from schemas.recipe import ConcreteEngine, ModelEntry, ModelPlacement
from tests.support import QUICKSTART, run_recipe

ALIAS = "smollm2-135m-instruct"

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub: no test needs a network


def spec_for(engine: ConcreteEngine, **placement: int) -> ModelSpec:
    entry = ModelEntry(model=ALIAS, engine=engine, dtype="float32", max_model_len=2048)
    return resolve_model("policy", entry, ModelPlacement(**placement), Path())


@pytest.fixture(scope="session")
def smol_path() -> Path:
    """The bundled model as a Hugging Face folder."""
    return bundled_folder(ALIASES[ALIAS])


@pytest.fixture(scope="session")
def smol_spec() -> ModelSpec:
    return spec_for("vllm", kv_cache_mb=512)


@pytest.fixture(scope="module")
def smol_vllm(smol_spec: ModelSpec) -> Iterator[LoadedModel]:
    """Open for one module at a time: two engines would fight for the cores."""
    loaded = open_model(smol_spec)
    yield loaded
    loaded.generator.close()


@pytest.fixture(scope="module")
def smol_transformers() -> Iterator[LoadedModel]:
    loaded = open_model(spec_for("transformers", batch_size=4))
    yield loaded
    loaded.generator.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What torch, vLLM and TRL warn about is theirs to mend; our own tests keep warnings errors."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"), append=False)


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """Output folder, summary and standard error of one real run of the quickstart recipe."""
    out = tmp_path_factory.mktemp("quickstart") / "out"
    return (out, *run_recipe(QUICKSTART, out))


@pytest.fixture(scope="session")
def quickstart_dataset(quickstart: tuple[Path, dict[str, Any], str]) -> Path:
    """The dataset folder that quickstart wrote."""
    return quickstart[0] / "dataset"
