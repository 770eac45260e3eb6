"""An engine with processes of its own: vLLM's, one for each device that a model is split over.

On a CPU the devices are processes, too, so all of this is real but the devices.
"""

import time
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tests.faults.processes import assert_gone, family_of, running, said, workers_of

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1500)]

RECIPE = """
name: split
seed: 5
models:
  policy: {engine: vllm, model: smollm2-135m-instruct, max_model_len: 512}
stages:
  - {stage: magpie, model: policy, rows: 6, max_tokens: 32}
  - {stage: respond, model: policy, n: 2, max_tokens: 48}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, require_consistent: false}
export: [{config: dpo}]
placement:
  workers: 1
  part_rows: 2
  models: {policy: {kv_cache_mb: 256, tensor_parallel: 3, hang_timeout_s: 120}}
"""


def ranks(family: list[psutil.Process]) -> list[psutil.Process]:
    """vLLM's processes that live; they name themselves."""
    found = []
    for member in family:
        with suppress(psutil.NoSuchProcess):
            if "VLLM::Worker" in " ".join(member.cmdline()):
                found.append(member)
    return found


def committed(out: Path) -> int:
    """Parts that an engine worked on, committed so far; packed ones count as they did."""
    packed = sum(1 for _ in out.glob("work/*/index"))
    parts = [path.parent.name for path in out.glob("work/*/**/*.part")]
    return 3 * packed + sum(not name.startswith(("sketches", "decisions")) for name in parts)


def wait_for(out: Path, parts: int, process: object) -> list[psutil.Process]:
    """Until so many parts are committed and the engine's processes are there again."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        family = family_of(process)  # type: ignore[arg-type]
        if committed(out) >= parts and len(ranks(family)) == 3:
            return family
        time.sleep(0.1)
    raise AssertionError(said(out))


def test_what_an_engine_started_dies_with_it_and_nothing_is_lost(tmp_path: Path) -> None:
    recipe, out = tmp_path / "split.yaml", tmp_path / "out"
    recipe.write_text(RECIPE)
    with running(recipe, out) as process:
        family = wait_for(out, 1, process)
        engine = ranks(family)
        engine[1].kill()  # one of the engine's processes
        assert_gone(engine)
        family = wait_for(out, 4, process)
        engine = ranks(family)
        workers_of(process)[0].kill()  # the worker, whose engine cannot know
        assert_gone(engine)
        family = wait_for(out, 7, process)
        process.kill()  # the whole run
        assert_gone(family)
    assert "engine failed" in said(out)
    assert "its worker process died" in said(out)
    with running(recipe, out) as process:
        assert process.wait(timeout=600) == 0, said(out)
    rows = pq.read_table(out / "dataset" / "dpo").to_pylist()
    assert len({row["row_id"] for row in rows}) == len(rows) > 0
    assert "Traceback" not in said(out)
