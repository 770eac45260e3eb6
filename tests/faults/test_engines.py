"""Engines that die, hang, or take their process with them, in real Dask workers."""

import json
from pathlib import Path

import pytest

from tests.faults.processes import dataset_files, finish, running, said

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RECIPE = """
name: faults
seed: 3
models:
  policy: {{engine: scripted, model: script.yaml}}
stages:
  - {{stage: load_prompts, path: prompts.jsonl}}
  - {{stage: respond, model: policy, n: 3}}
  - {{stage: judge, model: policy, mode: pairwise}}
  - {{stage: pair, strategy: best_worst}}
export: [{{config: dpo, layout: trl}}, {{config: kto, layout: trl}}]
placement:
  workers: 2
  part_rows: 4
  parts_in_flight: 3
  models: {{policy: {{hang_timeout_s: 2}}}}
limits: {{max_quarantined_parts: {allowed}}}
"""
PROMPTS = [f"What is {n} times {n}?" for n in range(60)]
POISON = "What is 17 times 17?"
PACE = "pace: {tokens_per_s: 5000, max_num_seqs: 16}"

Files = dict[str, bytes]


def recipe_in(folder: Path, script: str, allowed: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    lines = (json.dumps({"prompt": prompt}) for prompt in PROMPTS)
    (folder / "prompts.jsonl").write_text("\n".join(lines))
    (folder / "script.yaml").write_text(f"{PACE}\n{script}\n")
    (folder / "faults.yaml").write_text(RECIPE.format(allowed=allowed))
    return folder / "faults.yaml"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("undisturbed")
    return finish(recipe_in(folder, ""), folder / "out")


@pytest.mark.parametrize(
    ("effect", "told"),
    [
        ("die", "the scripted engine died, as planned"),
        ("kill", "its worker process died"),
        ("hang", "its engine did nothing for 2 s and was killed"),
    ],
)
def test_one_fault_costs_what_was_in_hand_and_no_row(
    tmp_path: Path, undisturbed: Files, effect: str, told: str
) -> None:
    faults = f'faults: [{{match: "{POISON}", effect: {effect}, times: 1}}]'
    assert finish(recipe_in(tmp_path, faults), tmp_path / "out") == undisturbed
    assert told in said(tmp_path / "out")


def test_a_part_that_kills_its_worker_twice_is_set_aside_and_the_others_are_done(
    tmp_path: Path, undisturbed: Files
) -> None:
    out = tmp_path / "out"
    recipe = recipe_in(tmp_path, f'faults: [{{match: "{POISON}", effect: kill}}]')
    assert finish(recipe, out, code=4) == {}
    assert "set aside: respond/4" in said(out)
    assert "limits.max_quarantined_parts" in said(out)
    (judged,) = out.glob("work/02-judge-*")
    done = {int(path.stem) for path in judged.glob("*.part")}
    assert done == set(range(15)) - {4}, "all that does not depend on it"
    recipe_in(tmp_path, "")  # what killed it is mended
    assert finish(recipe, out) == undisturbed


def test_the_recipe_may_allow_a_part_to_be_given_up(tmp_path: Path, undisturbed: Files) -> None:
    out = tmp_path / "out"
    faults = f'faults: [{{match: "{POISON}", effect: kill}}]'
    files = finish(recipe_in(tmp_path, faults, allowed=1), out)
    assert set(files) == set(undisturbed)
    with running(tmp_path / "faults.yaml", out) as again:
        assert again.wait(timeout=60) == 0, "nothing is left to do"
    assert dataset_files(out) == files
    manifest = json.loads(next(out.glob("work/01-respond-*/manifest.json")).read_text())
    report = manifest["report"]
    assert (report["rows_in"], report["rows_out"]) == (60, 56)
    assert report["rejects"] == {"quarantined": 4}


def test_tokens_that_were_sampled_twice_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = f'answer_tokens: {{min: 50, max: 100}}\nfaults: [{{match: "{POISON}", effect: die}}]'
    slow = recipe_in(tmp_path, script.replace(POISON, "no such prompt"))
    with running(slow, out, "--set", "placement.part_rows=60") as process:
        note = out / "work" / "inflight.json"
        while not note.exists():
            assert process.poll() is None, said(out)
        process.kill()
    finish(slow, out)
    assert "tokens of the killed run will be sampled again" in said(out)
