from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.recipe import compile as compiler
from pipeline.recipe.catalog import load_catalog
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.plan import Plan
from pipeline.recipe.recipe_io import read_recipe
from schemas.errors import Problem, RecipeError
from tests.pipeline.fakes import CATALOG, GOOD, MakeConfig, ReadConfig, write


@pytest.fixture(autouse=True)
def made_up_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "load_catalog", lambda: CATALOG)


def compiled(folder: Path, text: str, *overrides: str, limit: int | None = None) -> Plan:
    return compile_recipe(read_recipe(write(folder, text), overrides, limit))


def problems(folder: Path, text: str, *overrides: str) -> list[Problem]:
    with pytest.raises(RecipeError) as caught:
        compiled(folder, text, *overrides)
    return list(caught.value.problems)


def only(folder: Path, text: str, *overrides: str) -> Problem:
    (problem,) = problems(folder, text, *overrides)
    return problem


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_recipe_becomes_a_plan(tmp_path: Path) -> None:
    plan = compiled(tmp_path, GOOD)
    assert [step.name for step in plan.steps] == ["make", "answer", "score", "pair"]
    assert [(step.index, step.name) for step in plan.exports] == [(4, "export_dpo")]
    assert plan.steps[0].config == MakeConfig(rows=8)
    assert plan.steps[0].needs[0].role == "policy"
    assert plan.base == tmp_path


def test_unknown_key_names_line_and_nearest(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("rows: 8", "rows: 8, temprature: 1.0"))
    assert problem.key == "stages[0].temprature"
    assert problem.line == 6
    assert problem.seen == "unknown key `temprature`"
    assert problem.advice == "did you mean `temperature`?"
    assert problem.allowed == "model, rows, temperature"


def test_unknown_key_of_the_recipe_itself(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD + "placment: {workers: 2}\n")
    assert (problem.key, problem.line) == ("placment", 12)
    assert problem.advice == "did you mean `placement`?"


def test_unknown_key_of_a_model_offers_the_models_keys(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("model: echo", "model: echo, revison: main"))
    assert problem.key == "models.policy.revison"
    assert problem.advice == "did you mean `revision`?"


@pytest.mark.parametrize(
    ("old", "new", "key", "seen", "allowed"),
    [
        ("rows: 8", "rows: '8'", "stages[0].rows", '"8" (text)', "a valid integer"),
        ("rows: 8", "rows: 8.0", "stages[0].rows", "8.0", "a valid integer"),
        ("rows: 8", "rows: 0", "stages[0].rows", "0", "greater than or equal to 1"),
        ("rows: 8", "rows:", "stages[0].rows", "nothing (null)", "a valid integer"),
        ("n: 4", "greedy: yes", "stages[1].greedy", '"yes" (text)', "a valid boolean"),
        ("seed: 7", "seed: -1", "seed", "-1", "greater than or equal to 0"),
        ("seed: 7", "seed: true", "seed", "true", "a valid integer"),
        (
            "  policy: {engine: scripted, model: echo}",
            "  - a",
            "models",
            '["a"] (a list)',
            "a mapping",
        ),
    ],
)
def test_wrong_values(
    tmp_path: Path, old: str, new: str, key: str, seen: str, allowed: str
) -> None:
    found = [p for p in problems(tmp_path, changed(old, new)) if p.key == key]
    assert [p.seen for p in found] == [seen]
    assert allowed in found[0].allowed
    assert found[0].line is not None


@pytest.mark.parametrize(
    ("value", "key", "seen", "allowed"),
    [
        ("3", "stages[1].models", "3", "a valid string or a list"),
        ("[policy, 3]", "stages[1].models[1]", "3", "a valid string"),
        ("{a: b}", "stages[1].models", '{"a": "b"} (a mapping)', "a valid string or a list"),
    ],
)
def test_a_setting_with_two_forms_gives_one_problem(
    tmp_path: Path, value: str, key: str, seen: str, allowed: str
) -> None:
    problem = only(tmp_path, changed("n: 4", f"models: {value}"))
    assert (problem.key, problem.seen, problem.allowed) == (key, seen, allowed)


def test_yes_is_explained(tmp_path: Path) -> None:
    assert "true or false" in only(tmp_path, changed("n: 4", "greedy: yes")).advice


def test_unknown_choice_names_the_nearest(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("{stage: pair}", "{stage: pair, strategy: best_wurst}"))
    assert problem.advice == "did you mean `best_worst`?"
    assert problem.allowed == "best_worst or random"


def test_problem_from_set_says_so(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD, "stages.make.rows=none")
    assert (problem.file, problem.key, problem.line) == ("--set", "stages[0].rows", None)


def test_unknown_stage(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("{stage: answer, n: 4}", "{stage: anwser, n: 4}"))
    assert problem.key == "stages[1].stage"
    assert problem.advice == "did you mean `answer`?"
    assert "make, read, answer" in problem.allowed


def test_broken_plugin_says_why(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("{stage: score}", "{stage: torn}"))
    assert "ImportError" in problem.seen


def test_exporter_is_no_step(tmp_path: Path) -> None:
    problem = only(
        tmp_path, changed("  - {stage: pair}", "  - {stage: pair}\n  - {stage: export_dpo}")
    )
    assert "move it to `export` as {config: dpo}" in problem.advice


def test_two_steps_of_one_name(tmp_path: Path) -> None:
    problem = only(
        tmp_path, changed("  - {stage: score}", "  - {stage: score}\n  - {stage: score}")
    )
    assert "two steps are called `score`" in problem.seen and "stages[2]" in problem.seen
    assert problem.line == 9
    assert "`name`" in problem.advice


def test_a_name_of_its_own_settles_it(tmp_path: Path) -> None:
    twice = "  - {stage: score}\n  - {stage: score, name: again}"
    pair = changed("  - {stage: score}", twice).replace(
        "{stage: pair}", "{stage: pair, labeller: again}"
    )
    assert [step.name for step in compiled(tmp_path, pair).steps][3] == "again"


def test_first_stage_must_be_a_source(tmp_path: Path) -> None:
    found = problems(tmp_path, changed("  - {stage: make, rows: 8}\n", ""))
    assert [p.key for p in found] == ["stages[0].stage"]
    assert found[0].allowed == "make, read"


def test_only_the_first_stage_is_a_source(tmp_path: Path) -> None:
    text = changed("  - {stage: answer, n: 4}", "  - {stage: read, path: x}\n  - {stage: answer}")
    assert only(tmp_path, text).key == "stages[1].stage"


def test_column_made_later(tmp_path: Path) -> None:
    text = changed(
        "  - {stage: answer, n: 4}\n  - {stage: score}", "  - {stage: score}\n  - {stage: answer}"
    )
    problem = only(tmp_path, text)
    assert problem.key == "stages[1]"
    assert "`score` reads column `responses`" in problem.seen
    assert "step `answer` (stages[2]) makes it" in problem.advice


def test_column_nobody_makes_here(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("  - {stage: score}\n", ""))
    assert "column `scores`" in problem.seen
    assert problem.advice == "made by: score; put one before this step"


def test_column_dropped_before(tmp_path: Path) -> None:
    text = changed("  - {stage: pair}", "  - {stage: pair}\n  - {stage: score, name: late}")
    problem = only(tmp_path, text)
    assert problem.key == "stages[4]"
    assert "step `pair` dropped it" in problem.advice


def test_column_of_another_type(tmp_path: Path) -> None:
    problem = only(
        tmp_path,
        changed(
            "  - {stage: score}",
            "  - {stage: count}\n  - {stage: score}\n  - {stage: answer, name: b}",
        ),
    )
    assert "column `responses` comes as int64" in problem.seen
    assert "list[{response_id: string" in problem.allowed


def test_export_without_its_columns(tmp_path: Path) -> None:
    found = problems(tmp_path, changed("  - {stage: pair}\n", ""))
    assert {p.key for p in found} == {"export[0]"}
    assert "add one to `stages`" in found[0].advice


def test_after_an_unknown_stage_no_column_is_missed(tmp_path: Path) -> None:
    assert only(tmp_path, changed("{stage: answer, n: 4}", "{stage: zzz}")).key == "stages[1].stage"


def test_unknown_role(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("rows: 8", "rows: 8, model: polcy"))
    assert (problem.key, problem.line) == ("stages[0].model", 6)
    assert problem.advice == "did you mean `policy`?"


def test_unknown_role_in_a_list(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("n: 4", "models: [policy, judge]"))
    assert problem.key == "stages[1].models[1]"
    assert problem.seen == "no model is called `judge`"


def test_no_models_at_all(tmp_path: Path) -> None:
    text = changed("models:\n  policy: {engine: scripted, model: echo}\n", "")
    found = problems(tmp_path, text)
    assert all("models: {policy:" in problem.advice for problem in found)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("entry", "advice"),
    [
        ("{engine: openai, model: m, api: chat, tokenizer: t}", "`api: completions`"),
        ("{engine: openai, model: m}", "`tokenizer`"),
    ],
)
def test_raw_prompts_a_server_cannot_take(tmp_path: Path, entry: str, advice: str) -> None:
    problem = only(tmp_path, changed("{engine: scripted, model: echo}", entry))
    assert problem.key == "stages[0].model"
    assert "needs `raw_prompt` of model `policy`" in problem.seen
    assert advice in problem.advice


def test_raw_prompts_a_server_can_take(tmp_path: Path) -> None:
    entry = "{engine: openai, model: m, tokenizer: t}"
    assert compiled(tmp_path, changed("{engine: scripted, model: echo}", entry)).steps


def test_placement_of_an_unknown_model(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD + "placement:\n  models:\n    polcy: {batch_size: 2}\n")
    assert (problem.key, problem.line) == ("placement.models.polcy", 14)
    assert problem.advice == "did you mean `policy`?"


def test_labeller_must_have_scored_before(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("{stage: pair}", "{stage: pair, labeller: scor}"))
    assert problem.key == "stages[3].labeller"
    assert problem.advice == "did you mean `score`?"


def test_an_attribute_belongs_to_the_step_that_scores_it(tmp_path: Path) -> None:
    assert compiled(tmp_path, changed("{stage: pair}", "{stage: pair, labeller: score/help}")).steps
    problem = only(tmp_path, changed("{stage: pair}", "{stage: pair, labeller: scor/help}"))
    assert problem.seen == "no step `scor` scored before"


def test_each_of_several_labellers_must_have_scored_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "load_catalog", load_catalog)
    text = (
        "name: t\nmodels: {policy: {engine: scripted, model: echo}}\nstages:\n"
        "  - {stage: magpie, model: policy, rows: 2}\n  - {stage: respond, model: policy}\n"
        "  - {stage: judge, model: policy}\n"
        "  - {stage: calibrate, labellers: [judge, jugde]}\n"
        "  - {stage: pair, labeller: calibrate}\nexport: [{config: dpo}]\n"
    )
    problem = only(tmp_path, text)
    assert problem.key == "stages[3].labellers[1]"
    assert problem.advice == "did you mean `judge`?"
    assert compiled(tmp_path, text.replace("jugde", "judge/honesty")).steps


def test_two_labellers_leave_no_default(tmp_path: Path) -> None:
    text = changed("  - {stage: score}", "  - {stage: score}\n  - {stage: score, name: again}")
    problem = only(tmp_path, text)
    assert (problem.key, problem.allowed) == ("stages[4].labeller", "score, again")


def test_no_export(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("export:\n  - {config: dpo}\n", ""))
    assert (problem.key, problem.seen) == ("export", "missing")


def test_unknown_export(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("config: dpo", "config: dop"))
    assert (problem.key, problem.allowed) == ("export[0].config", "dpo")
    assert problem.advice == "did you mean `dpo`?"


def test_unknown_layout(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("config: dpo", "config: dpo, layout: tlr"))
    assert (problem.key, problem.allowed) == ("export[0].layout", "trl")


def test_same_config_twice(tmp_path: Path) -> None:
    problem = only(tmp_path, changed("  - {config: dpo}", "  - {config: dpo}\n  - {config: dpo}"))
    assert problem.line == 12
    assert "exported twice" in problem.seen


def test_all_problems_at_once_in_file_order(tmp_path: Path) -> None:
    text = """\
name: bad name
seed: 7
seed: 8
models: {policy: {engine: vlm, model: m}}
stages:
  - {stage: make, rows: many}
  - {stage: answer, modle: policy}
  - {stage: pair}
export:
  - {config: dop}
"""
    found = problems(tmp_path, text, "gates.min_rows=x")
    assert [(p.line, p.key) for p in found] == [
        (1, "name"),
        (3, "seed"),
        (4, "models.policy.engine"),
        (6, "stages[0].rows"),
        (7, "stages[1].modle"),
        (8, "stages[2]"),
        (10, "export[0].config"),
        (None, "gates.min_rows"),
    ]


@pytest.mark.parametrize(
    "text",
    ["{}", "stages: 3", "stages: [3, {}]", "stages: [{stage: 1}]", "export: {a: 1}\nmodels: 1"],
)
def test_shapeless_recipes_are_problems_too(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)


@pytest.mark.parametrize(("rows", "limit", "left"), [(8, 3, 3), (2, 3, 2)])
def test_limit_caps_the_source(tmp_path: Path, rows: int, limit: int, left: int) -> None:
    plan = compiled(tmp_path, changed("rows: 8", f"rows: {rows}"), limit=limit)
    assert plan.steps[0].config == MakeConfig(rows=left)
    assert plan.recipe.stages[0].settings["rows"] == left


def test_limit_fills_an_open_limit(tmp_path: Path) -> None:
    plan = compiled(tmp_path, changed("make, rows: 8", "read, path: p"), limit=3)
    assert plan.steps[0].config == ReadConfig(path="p", limit=3)


def test_limit_leaves_wrong_values_to_be_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"stages\[0\].rows"):
        compiled(tmp_path, changed("rows: 8", "rows: many"), limit=3)


@pytest.mark.parametrize(
    ("price", "key", "said"),
    [
        ("{}", "placement.models.policy.price", "per_gpu_hour"),
        ("{currency: EUR}", "placement.models.policy.price", "per_gpu_hour"),
        ("{per_gpu_hour: -1}", "placement.models.policy.price.per_gpu_hour", "-1"),
        ("{per_gpu_huor: 1}", "placement.models.policy.price.per_gpu_huor", "per_gpu_huor"),
    ],
)
def test_a_price_says_what_of(tmp_path: Path, price: str, key: str, said: str) -> None:
    placed = f"placement:\n  models:\n    policy:\n      price: {price}\n"
    problem = only(tmp_path, GOOD + placed)
    assert problem.key == key and said in problem.seen + problem.allowed
