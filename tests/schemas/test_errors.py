"""What errors say, their exit codes, and that they survive the way from a worker process."""

import pickle

import pytest

from schemas import errors
from schemas.errors import DatasetError, PrefmillError, Problem, RecipeError

FULL = Problem("stages[0].rows", '"lots"', "integer >= 1", "write a number", "r.yaml", 6)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            FULL,
            'r.yaml:6: stages[0].rows: "lots"\n    allowed: integer >= 1\n    write a number',
        ),
        (Problem("seed", "missing", file="r.yaml"), "r.yaml: seed: missing"),
        (Problem("", "the file is empty", file="r.yaml"), "r.yaml: the file is empty"),
        (Problem("seed", "-1", allowed="0 or more"), "seed: -1\n    allowed: 0 or more"),
    ],
    ids=["all of it", "no line", "no key", "no file"],
)
def test_a_problem_says_what_it_knows(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_recipe_error_counts_and_lists_its_problems() -> None:
    other = Problem("seed", "missing")
    assert str(RecipeError([FULL])) == f"1 problem in the recipe\n{FULL}"
    assert str(RecipeError([FULL, other])) == f"2 problems in the recipe\n{FULL}\n{other}"


@pytest.mark.parametrize("kind", [RecipeError, DatasetError])
def test_a_list_of_problems_comes_through_pickle_whole(
    kind: type[RecipeError | DatasetError],
) -> None:
    error = kind([FULL, Problem("seed", "missing")])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert copy.problems == error.problems
    assert str(copy) == str(error)


CODES = {
    "RecipeError": 2,
    "DatasetError": 2,
    "InputError": 2,
    "EngineUnavailable": 2,
    "EngineDied": 1,
    "ContractError": 1,
    "ExportRefused": 3,
    "GateFailed": 3,
    "TooManyLosses": 4,
    "Interrupted": 130,
}


def test_exit_codes_are_the_documented_ones() -> None:
    kinds = {kind.__name__: kind.exit_code for kind in PrefmillError.__subclasses__()}
    assert kinds == CODES
    assert all(name in (errors.__doc__ or "") for name in CODES)


@pytest.mark.parametrize("name", sorted(CODES.keys() - {"RecipeError", "DatasetError"}))
def test_every_error_comes_through_pickle(name: str) -> None:
    error = getattr(errors, name)("what failed, and where")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), "what failed, and where")
