"""`prefmill refresh` into a folder: the last release and what is new become the next."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli.main import main
from pipeline.dataset.facts import RunFacts
from pipeline.dataset.read import open_dataset
from pipeline.dataset.write import ConfigRows, Release, write_dataset
from schemas.columns import LABEL_SMOOTHING, Column
from schemas.layouts import ORDER
from schemas.recipe import Splits
from stages import export_dpo, export_kto, export_signatures
from tests.pipeline.release.nights import RECIPE, Nights, prompt, requests


@pytest.fixture
def nights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Nights:
    nights = Nights(tmp_path, capsys)
    nights.prompts(range(8))
    return nights


def test_the_first_release_holds_what_a_plain_run_makes(nights: Nights, tmp_path: Path) -> None:
    told = nights.told()
    assert (told["release"], told["published"]) == (1, True)
    assert told["rows"] == told["added"] == {"dpo": 8, "kto": 16, "signatures": 8}
    assert main(["run", str(nights.recipe), "--out", str(tmp_path / "plain"), "--quiet"]) == 0
    plain = open_dataset(tmp_path / "plain")
    for path in plain.path.rglob("*.parquet"):
        assert nights.files()[str(path.relative_to(plain.path))] == path.read_bytes()


def test_a_plain_run_is_the_first_release(nights: Nights) -> None:
    assert main(["run", str(nights.recipe), "--out", str(nights.home), "--quiet"]) == 0
    nights.prompts(range(10))
    told = nights.told()
    assert (told["release"], told["added"]) == (2, {"dpo": 2, "kto": 4, "signatures": 2})


def test_only_new_work_is_generated_and_old_rows_come_first(nights: Nights) -> None:
    first = nights.told()
    before = {split: nights.asked(split=split) for split in nights.dataset.splits("dpo")}
    nights.prompts(range(11))
    second = nights.told()
    assert second["added"] == {"dpo": 3, "kto": 6, "signatures": 3}
    per_prompt = requests(first, "respond") // 8
    assert requests(second, "respond") == 3 * per_prompt
    assert requests(second, "judge") == requests(first, "judge") // 8 * 3
    assert second["run"]["steps"][1]["rejects"] == {"in_index": 8}
    for split, asked in before.items():
        assert nights.asked(split=split)[: len(asked)] == asked
    assert sorted(nights.asked()) == sorted(map(prompt, range(11)))
    assert nights.dataset.manifest["release"] == 2


def test_new_prompts_of_a_model_come_of_a_seed_of_the_release(nights: Nights) -> None:
    source = "{stage: load_prompts, path: prompts.jsonl, prompt: prompt}"
    nights.replace(source, "{stage: magpie, model: policy, rows: 6}")
    nights.told()
    first = nights.asked()
    told = nights.told()
    assert told["added"]["dpo"] == 6
    assert nights.asked(split="train")[: len(first)] != nights.asked(split="train")
    assert len(set(nights.asked())) == 12
    ids = [row_id for table in nights.dataset.tables("dpo") for row_id in table["row_id"]]
    assert len(set(ids)) == 12


def test_with_nothing_new_there_is_no_release(
    nights: Nights, capsys: pytest.CaptureFixture[str]
) -> None:
    nights.told()
    before = nights.files()
    told = nights.told()
    assert (told["release"], told["published"]) == (1, False)
    assert told["added"] == {"dpo": 0, "kto": 0, "signatures": 0}
    assert requests(told, "respond") == 0
    assert nights.files() == before
    assert main(["refresh", str(nights.recipe), "--into", str(nights.home), "--quiet"]) == 0
    assert "Nothing new: release 1 stays." in capsys.readouterr().out


def test_what_was_turned_away_is_not_paid_for_again(nights: Nights) -> None:
    """Of every other prompt the answers are the same, which makes no pair."""
    rules = [{"match": prompt(n), "answer": ["The same."]} for n in (1, 3, 9)]
    (nights.folder / "script.yaml").write_text(json.dumps({"rules": rules}))
    nights.replace("model: echo", "model: script.yaml")
    first = nights.told()
    assert first["rows"]["dpo"] == 6
    assert first["rows"]["signatures"] == 8
    nights.prompts(range(10))
    second = nights.told()
    assert second["added"]["dpo"] == 1
    assert requests(second, "respond") == requests(first, "respond") // 8 * 2
    nights.replace(", after: dedup", "")
    nights.replace("placement:", "limits: {max_unlabelled_share: 1.0}\nplacement:")
    shutil.rmtree(nights.home)
    assert nights.told()["rows"]["signatures"] == nights.told()["rows"]["dpo"] == 7


@given(
    growth=st.lists(st.integers(0, 5), min_size=2, max_size=4),
    shares=st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.2, 0.3)]),
)
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_prompt_ever_moves_or_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, growth: list[int], shares: tuple[float, float]
) -> None:
    nights = Nights(tmp_path_factory.mktemp("law"))
    validation, test = shares
    nights.replace("validation: 0.2, test: 0.2", f"validation: {validation}, test: {test}")
    total, place = 0, dict[str, str]()
    for step in (2, *growth):
        total += step
        nights.prompts(range(total))
        assert nights.refresh() == 0
        found = {
            asked: split
            for split in nights.dataset.splits("dpo")
            for asked in nights.asked(split=split)
        }
        assert place.items() <= found.items()
        assert sorted(found) == sorted(nights.asked()) == sorted(map(prompt, range(total)))
        kto = {s: set(nights.asked("kto", s)) for s in nights.dataset.splits("kto")}
        assert all(found[asked] == split for split, asks in kto.items() for asked in asks)
        place = found


def test_a_failed_gate_leaves_the_last_release_and_a_mended_recipe_goes_on(nights: Nights) -> None:
    nights.told()
    before = nights.files()
    nights.prompts(range(10))
    nights.write(RECIPE + "gates: {min_rows: 1000}\n")
    assert "min_rows" in nights.refused(3)
    assert nights.files() == before
    assert (nights.home / "releases" / "0002" / "work").is_dir()
    assert not (nights.home / "releases" / "0002" / "dataset").exists()
    nights.write(RECIPE)
    told = nights.told()
    assert (told["release"], told["added"]["dpo"]) == (2, 2)
    assert all(line["reused"] for line in told["run"]["steps"])


def test_a_gate_may_be_relative_to_the_last_release_and_more_rows_mend_it(nights: Nights) -> None:
    nights.write(RECIPE + "gates: {rules: [{figure: dpo.new_rows, max_drop: 0.5}]}\n")
    nights.told()
    nights.prompts(range(11))
    said = nights.refused(3)
    assert "dpo.new_rows: 3 is below 4" in said and "the last release had 8" in said
    assert nights.dataset.release == 1
    nights.prompts(range(12))
    told = nights.told()
    assert (told["release"], told["added"]["dpo"]) == (2, 4)


def test_work_of_a_release_takes_the_place_of_the_last_ones(
    nights: Nights, capsys: pytest.CaptureFixture[str]
) -> None:
    nights.told()
    nights.prompts(range(9))
    nights.told()
    assert not list((nights.home / "releases").iterdir())
    assert len(list((nights.home / "work").glob("02-respond-*"))) == 1
    assert main(["status", str(nights.home)]) == 0
    assert "finished" in capsys.readouterr().out


def test_a_work_folder_elsewhere_holds_the_work_of_the_current_release(
    nights: Nights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nights.replace("{workers: 0,", f"{{workers: 0, work: {tmp_path / 'work'},")
    nights.told()
    nights.prompts(range(9))
    assert nights.told()["release"] == 2
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["0002"]
    assert main(["status", str(nights.home)]) == 0
    assert "finished" in capsys.readouterr().out


def test_the_ledger_tells_what_each_release_added(nights: Nights) -> None:
    for total in (8, 9, 12):
        nights.prompts(range(total))
        nights.told()
    ledger = json.loads((nights.home / "releases.json").read_text())["releases"]
    assert [entry["number"] for entry in ledger] == [1, 2, 3]
    assert [entry["added"]["dpo"] for entry in ledger] == [8, 1, 3]
    assert [entry["rows"]["dpo"] for entry in ledger] == [8, 9, 12]
    assert ledger[-1]["figures"] == nights.dataset.figures


def test_two_at_once_are_refused_with_the_first_ones_process(nights: Nights) -> None:
    nights.told()
    with FileLock(nights.home / ".prefmill.lock"):
        (nights.home / "work" / "holder").write_text(f"pid {os.getpid()} on {socket.gethostname()}")
        said = nights.refused(2)
    assert f"pid {os.getpid()} on {socket.gethostname()}" in said


def test_a_run_over_releases_is_refused(nights: Nights, capsys: pytest.CaptureFixture[str]) -> None:
    nights.told()
    before = nights.files()
    assert main(["run", str(nights.recipe), "--out", str(nights.home)]) == 2
    assert "prefmill refresh RECIPE --into" in capsys.readouterr().err
    assert nights.files() == before


REFUSED = {
    "no signatures": (
        ("  - {config: signatures, after: dedup}\n", ""),
        "add to `export`: - {config: signatures, after: dedup}",
    ),
    "neither": (
        ("  - {stage: dedup}\n", ""),
        "have before the stages that cost most: - {stage: dedup}",
    ),
    "another dedup": (
        ("  - {stage: dedup}\n", "  - {stage: dedup, ngram: 3}\n"),
        "no `dedup` with the texts and signature settings",
    ),
    "unknown step": (("after: dedup", "after: dedupe"), "did you mean `dedup`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_recipe_that_cannot_grow_is_refused_with_what_to_add(nights: Nights, case: str) -> None:
    change, said = REFUSED[case]
    nights.replace(*change)
    if case == "neither":
        nights.replace(", after: dedup", "")
    assert said in nights.refused(2)
    assert not (nights.home / "dataset").exists()


def test_the_advised_line_has_the_settings_of_the_dedup_that_is_there(nights: Nights) -> None:
    nights.replace("{stage: dedup}", "{stage: dedup, name: once, ngram: 3, text: [conversation]}")
    nights.replace("  - {config: signatures, after: dedup}\n", "")
    line = '- {config: signatures, text: ["conversation"], ngram: 3, after: once}'
    assert line in nights.refused(2)
    nights.replace("  - {config: kto}\n", f"  - {{config: kto}}\n  {line}\n")
    assert nights.told()["release"] == 1


OTHER_FORM = {
    "splits": (("validation: 0.2", "validation: 0.3"), "validation 0.3 and test 0.2 instead of"),
    "a config less": (("  - {config: kto}\n", ""), "without `kto`"),
    "a config more": (("config: kto}\n", "config: kto}\n  - {config: sppo}\n"), "`sppo`, which"),
    "scheme": (("{stage: dedup}", "{stage: dedup, ngram: 3}"), "made with"),
}


@pytest.mark.parametrize("case", OTHER_FORM)
def test_another_form_than_the_last_releases_is_refused(nights: Nights, case: str) -> None:
    nights.told()
    before = nights.files()
    change, said = OTHER_FORM[case]
    nights.replace(*change)
    if case == "scheme":
        nights.replace("signatures, after", "signatures, ngram: 3, after")
    refused = nights.refused(2)
    assert said in refused and "another --into" in refused
    assert nights.files() == before


def test_columns_of_another_version_are_refused(nights: Nights) -> None:
    nights.told()
    made = nights.dataset

    def rows(config: str, columns: tuple[Column, ...]) -> ConfigRows:
        kept = tuple(column for column in columns if column not in (ORDER, LABEL_SMOOTHING))
        return ConfigRows(kept, lambda: made.tables(config))

    stages = (export_dpo.STAGE, export_kto.STAGE, export_signatures.STAGE)
    names = [stage.name.removeprefix("export_") for stage in stages]
    configs = {name: rows(name, one.writes) for name, one in zip(names, stages, strict=True)}
    facts = RunFacts(name="older", recipe="name: older", versions={})
    splits = Splits(validation=0.2, test=0.2)
    older = write_dataset(nights.folder / "older", configs, facts, Release(splits))
    shutil.rmtree(nights.home)
    shutil.copytree(older, nights.home / "dataset")
    said = nights.refused(2)
    assert "export `dpo`: column `label_smoothing` is double instead of missing" in said


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda shard: shard.unlink(),
    "checksum": lambda shard: shard.write_bytes(shard.read_bytes()[:-9] + b"x" * 9),
    "not in manifest.json": lambda shard: shard.with_name("notes.txt").write_text("mine"),
}


@pytest.mark.parametrize("said", DAMAGE)
def test_a_release_that_was_damaged_is_refused_before_anything_is_done(
    nights: Nights, said: str
) -> None:
    nights.told()
    nights.prompts(range(10))
    DAMAGE[said](next((nights.home / "dataset" / "dpo").iterdir()))
    before = nights.files()
    refused = nights.refused(2)
    assert said in refused and "is not as release 1 was written" in refused
    assert nights.files() == before
    assert not any((nights.home / "releases").iterdir())


def test_what_is_no_dataset_of_ours_is_left_alone(nights: Nights) -> None:
    nights.home.mkdir()
    (nights.home / "thesis.txt").write_text("mine")
    assert "holds something else (thesis.txt)" in nights.refused(2)
    assert [path.name for path in nights.home.iterdir()] == ["thesis.txt"]


def test_an_unfinished_plain_run_is_no_release(nights: Nights) -> None:
    nights.write(RECIPE + "gates: {min_rows: 1000}\n")
    assert main(["run", str(nights.recipe), "--out", str(nights.home), "--quiet"]) == 3
    assert "has written no dataset yet" in nights.refused(2)
