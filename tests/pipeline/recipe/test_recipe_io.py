from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.recipe.recipe_io import RecipeSource, read_recipe
from schemas.errors import Problem, RecipeError
from tests.pipeline.fakes import GOOD, write


def refused(path: Path) -> Problem:
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    return problem


def read(folder: Path, *overrides: str) -> RecipeSource:
    return read_recipe(write(folder, GOOD), overrides)


def only_problem(source: RecipeSource) -> Problem:
    (problem,) = source.problems
    assert problem.file == "--set"
    return problem


def test_reads_values_and_lines(tmp_path: Path) -> None:
    source = read(tmp_path)
    assert source.data["stages"][0] == {"stage": "make", "rows": 8}
    assert source.lines[("stages", 1, "n")] == 7
    assert not source.problems


def test_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_recipe(path).data == {"name": "x"}


def test_missing_file(tmp_path: Path) -> None:
    problem = refused(tmp_path / "no.yaml")
    assert problem.seen == "no such file"
    assert "prefmill init" in problem.advice


def test_folder(tmp_path: Path) -> None:
    assert "folder" in refused(tmp_path).seen


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_empty_file(tmp_path: Path, text: str) -> None:
    assert refused(write(tmp_path, text)).seen == "the file is empty"


@pytest.mark.parametrize(("text", "kind"), [("- a\n", "list"), ("just words\n", "single value")])
def test_not_a_mapping(tmp_path: Path, text: str, kind: str) -> None:
    problem = refused(write(tmp_path, text))
    assert kind in problem.seen
    assert "`stages`" in problem.allowed


def test_not_utf8_names_byte_and_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"name: x\ncard: {license: caf\xe9}\n")
    problem = refused(path)
    assert problem.line == 2
    assert "0xe9" in problem.seen


def test_huge_file(tmp_path: Path) -> None:
    assert "bytes" in refused(write(tmp_path, "#" * (1 << 20) + "\nname: x\n")).seen


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("stages.make.rows=3", ("stages", 0, "rows")),
        ("stages[0].rows=3", ("stages", 0, "rows")),
        ("models.policy.dtype=3", ("models", "policy", "dtype")),
        ("export.dpo.layout=3", ("export", 0, "layout")),
        ("placement.models.policy.batch_size=3", ("placement", "models", "policy", "batch_size")),
        ("seed=3", ("seed",)),
    ],
)
def test_set_changes_one_value(tmp_path: Path, override: str, path: tuple[str | int, ...]) -> None:
    source = read(tmp_path, override)
    assert source.overridden == (path,)
    value: object = source.data
    for step in path:
        value = value[step]  # type: ignore[index]  # nested dicts and lists of a recipe
    assert value == 3


def test_set_parses_its_value_as_yaml(tmp_path: Path) -> None:
    source = read(tmp_path, "stages.answer.models=[a, b]", "card.license=a=b", "card.tags=")
    assert source.data["stages"][1]["models"] == ["a", "b"]
    assert source.data["card"] == {"license": "a=b", "tags": None}


def test_set_prefers_a_steps_own_name(tmp_path: Path) -> None:
    text = GOOD.replace("- {stage: score}", "- {stage: score, name: first}\n  - {stage: score}")
    path = write(tmp_path, text)
    source = read_recipe(path, ["stages.first.x=1", "stages.score.x=2"])
    assert [stage.get("x") for stage in source.data["stages"]] == [None, None, 1, 2, None]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rows", "not an assignment"),
        ("=3", "not an assignment"),
        ("a..b=3", "not an assignment"),
        ("stages.mak.rows=3", "no item is called `mak`"),
        ("stages[9].rows=3", "there is no item 9"),
        ("seed.deep=3", "single value"),
        ("seed=[1", "not YAML"),
    ],
)
def test_bad_set_is_a_problem(tmp_path: Path, override: str, words: str) -> None:
    assert words in only_problem(read(tmp_path, override)).seen


def test_bad_set_names_the_nearest_step(tmp_path: Path) -> None:
    problem = only_problem(read(tmp_path, "stages.mak.rows=3"))
    assert problem.advice == "did you mean `make`?"
    assert problem.allowed == "make, answer, score, pair"


def test_set_refuses_an_ambiguous_name(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("stage: score", "stage: answer"))
    problem = only_problem(read_recipe(path, ["stages.answer.n=3"]))
    assert "several" in problem.seen


def test_limit_must_be_positive(tmp_path: Path) -> None:
    (problem,) = read_recipe(write(tmp_path, GOOD), limit=0).problems
    assert problem.file == "--limit"


def test_problem_takes_the_nearest_known_line(tmp_path: Path) -> None:
    source = read(tmp_path, "stages.make.rows=3")
    assert source.problem(("stages", 1, "absent", "deep"), "x").line == 7
    assert source.problem(("absent",), "x").line is None
    assert source.problem(("stages", 0, "rows"), "x").file == "--set"
