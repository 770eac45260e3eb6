"""A dataset folder that somebody had their hands in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli.main import main
from pipeline.dataset.check import check_dataset
from pipeline.dataset.facts import RunFacts
from pipeline.dataset.read import open_dataset
from pipeline.dataset.write import ConfigRows, Release, write_dataset
from pipeline.files import file_digest, write_json
from schemas.arrow import arrow_schema
from schemas.columns import ROW_ID, SCORE_CHOSEN
from schemas.errors import InputError
from schemas.layouts import CHOSEN_TURN, PROMPT, REJECTED_TURN
from schemas.recipe import Splits

RUN = RunFacts(name="test", recipe="name: test", versions={"prefmill": "1"})
COLUMNS = (PROMPT, CHOSEN_TURN, REJECTED_TURN, SCORE_CHOSEN)
TRAIN = "dpo/train-00000-of-00001.parquet"


def turn(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def pair(number: int) -> dict[str, Any]:
    return {
        "row_id": f"{number:032x}",
        "prompt": turn("user", f"What is {number}?"),
        "chosen": turn("assistant", "A number."),
        "rejected": turn("assistant", "Who knows."),
        "score_chosen": None if number % 3 else 1.0,
    }


def pairs(count: int) -> pa.Table:
    rows = [pair(number) for number in range(count)]
    return pa.Table.from_pylist(rows, schema=arrow_schema((ROW_ID, *COLUMNS)))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = ConfigRows(COLUMNS, lambda: [pairs(200)])
    release = Release(Splits(validation=0.2, test=0.1))
    return write_dataset(tmp_path_factory.mktemp("out"), {"dpo": rows}, RUN, release)


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "dataset"))


def problems(folder: Path) -> list[str]:
    return [str(problem) for problem in check_dataset(open_dataset(folder))]


def rewrite(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the rows of a shard, and its size and checksum in the manifest with them."""
    table = pq.read_table(folder / name)
    rows = table.to_pylist()
    change(rows)
    # Any tool that rewrites a file may forget which columns allow no null.
    schema = pa.schema([field.with_nullable(True) for field in table.schema])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / name)
    manifest = json.loads((folder / "manifest.json").read_text())
    size = (folder / name).stat().st_size
    manifest["files"][name] = {"bytes": size, "blake2b_128": file_digest(folder / name)}
    write_json(folder / "manifest.json", manifest)


def test_a_dataset_as_it_was_written_is_fine(folder: Path) -> None:
    assert problems(folder) == []


def test_a_card_that_people_edited_is_fine(folder: Path) -> None:
    with (folder / "README.md").open("a") as card:
        card.write("\nA word from us.\n")
    (folder / ".gitattributes").write_text("*.parquet filter=lfs\n")
    assert problems(folder) == []


def missing(folder: Path) -> None:
    (folder / TRAIN).unlink()


def foreign(folder: Path) -> None:
    (folder / "dpo" / "notes.txt").write_text("mine")


def truncated(folder: Path) -> None:
    content = (folder / TRAIN).read_bytes()
    (folder / TRAIN).write_bytes(content[: len(content) // 2])


def flipped(folder: Path) -> None:
    content = bytearray((folder / TRAIN).read_bytes())
    content[len(content) // 2] ^= 4
    (folder / TRAIN).write_bytes(content)


def another_count(folder: Path) -> None:
    shutil.copy(folder / TRAIN, folder / "dpo" / "train-00001-of-00002.parquet")


def fewer(folder: Path) -> None:
    rewrite(folder, TRAIN, lambda rows: rows.pop())


def repeated(folder: Path) -> None:
    rewrite(folder, TRAIN, lambda rows: rows[0].update(row_id=rows[1]["row_id"]))


def equal(folder: Path) -> None:
    rewrite(folder, TRAIN, lambda rows: rows[7].update(chosen=turn("assistant", " Who knows.\r\n")))


def null(folder: Path) -> None:
    rewrite(folder, TRAIN, lambda rows: rows[7].update(chosen=None))


def leaked(folder: Path) -> None:
    held_out = "dpo/test-00000-of-00001.parquet"
    prompt = pq.read_table(folder / held_out).to_pylist()[0]["prompt"]
    system = {"role": "system", "content": "Be brief."}
    rewrite(folder, TRAIN, lambda rows: rows[7].update(prompt=[system, *prompt]))


def renamed_column(folder: Path) -> None:
    table = pq.read_table(folder / TRAIN)
    pq.write_table(table.rename_columns([*table.column_names[:-1], "mine"]), folder / TRAIN)


def recounted_card(folder: Path) -> None:
    card = folder / "README.md"
    rows = open_dataset(folder).splits("dpo")["train"]
    card.write_text(card.read_text().replace(f"num_examples: {rows}", "num_examples: 7"))


def another_glob(folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text().replace("dpo/train-*.parquet", "data/train-*.parquet"))


def broken_card(folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text().replace("pretty_name: test", "pretty_name: [test"))


def older(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    write_json(folder / "manifest.json", {**manifest, "format": "prefmill-dataset-1"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (missing, [f"{TRAIN}: missing", "no file of the split `train`"]),
        (foreign, ["dpo/notes.txt: not in manifest.json"]),
        (truncated, ["bytes\n    allowed: ", "unreadable"]),
        (flipped, ["checksum "]),
        (another_count, ["train-00001-of-00002.parquet: not in manifest.json", "names that agree"]),
        (fewer, ["train: 1", " rows\n    allowed: 1"]),
        (repeated, ["1 row_ids stand in more than one row, the first is 0000"]),
        (equal, ["chosen is rejected in 1 rows, first in row 0000"]),
        (null, ["column `chosen` holds 1 nulls"]),
        (leaked, ["1 prompts are in `train` and in `test`"]),
        (renamed_column, ["bytes\n    allowed: ", "score_chosen", "mine"]),
        (recounted_card, ["README.md: dataset_info: dpo: test: 20, train: 7"]),
        (
            another_glob,
            ["configs: dpo: test: dpo/test-*.parquet, train: data/train-*.parquet"],
        ),
        (broken_card, ["README.md:3: the YAML at the head of the card cannot be used"]),
        (older, ["format prefmill-dataset-1"]),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path, damage: Callable[[Path], None], said: list[str]
) -> None:
    damage(folder)
    found = problems(folder)
    assert found
    for words in said:
        assert any(words in problem for problem in found), found


def test_everything_is_said_at_once(folder: Path) -> None:
    foreign(folder)
    recounted_card(folder)
    repeated(folder)
    equal(folder)
    assert len(problems(folder)) == 4


def test_shards_that_are_not_complete_are_named(tmp_path: Path, written: Path) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "dataset"))
    (folder / TRAIN).rename(folder / "dpo" / "train-00000-of-00002.parquet")
    (problem,) = (p for p in problems(folder) if "shard missing" in p)
    assert "dpo/train-00001-of-00002.parquet: shard missing" in problem


def test_a_dataset_without_rows_is_no_dataset(tmp_path: Path) -> None:
    rows = ConfigRows(COLUMNS, lambda: [pairs(0)])
    folder = write_dataset(tmp_path, {"dpo": rows}, RUN)
    assert ["no rows" in problem for problem in problems(folder)] == [True]


def test_a_manifest_that_somebody_broke_is_an_error(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["configs"]["dpo"] = {"rows": "many"}
    write_json(folder / "manifest.json", manifest)
    with pytest.raises(InputError, match=r"manifest\.json is damaged.*configs\.dpo\.rows"):
        open_dataset(folder)


def test_the_verb_takes_a_run_or_a_dataset(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (folder, folder.parent):
        assert main(["check", str(path)]) == 0
        assert ": ok\n  dpo: train 137, validation 43, test 20\n" in capsys.readouterr().out
    foreign(folder)
    assert main(["check", str(folder)]) == 2
    assert "1 problem in the dataset\n" in capsys.readouterr().err
    assert main(["check", str(folder), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    (problem,) = told["problems"]
    assert problem["file"] == str(folder / "dpo" / "notes.txt")
    assert problem["seen"] and problem["allowed"] and problem["advice"]


def test_a_folder_that_is_no_dataset_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "neither a run nor a dataset" in capsys.readouterr().err
    assert main(["check", str(tmp_path), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False
    assert main(["check", str(tmp_path), "--set", "seed=1"]) == 2
    assert "--set changes a recipe" in capsys.readouterr().err
