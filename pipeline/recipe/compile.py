"""Recipe to Plan, or every problem at once. No I/O, no model, no Arrow.

Each check goes as far as it can: a stage whose settings are wrong still provides its columns, and
after a stage that nobody knows no column counts as missing, so that one mistake is one problem.
"""

from __future__ import annotations

from pipeline.recipe.catalog import EXPORT_PREFIX, load_catalog
from pipeline.recipe.gate_checks import gate_problems
from pipeline.recipe.placement_checks import placement_problems
from pipeline.recipe.plan import Plan, Step
from pipeline.recipe.problems import validate
from pipeline.recipe.recipe_checks import (
    column_problems,
    labeller_problems,
    order_problems,
    role_problems,
)
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.resolve_exports import resolve_exports
from pipeline.recipe.resolve_steps import Resolved, apply_limit, resolve_stages
from schemas.errors import Problem, RecipeError
from schemas.recipe import Recipe


def compile_recipe(source: RecipeSource) -> Plan:
    """Turn a recipe into a Plan.

    Raises:
        RecipeError: with every problem of the recipe, in file order.
    """
    catalog = load_catalog()
    source = apply_limit(source, catalog)
    recipe, recipe_problems = validate(Recipe, source.data, source, ())
    stages, stage_problems = resolve_stages(source, catalog)
    exports, export_problems = resolve_exports(source, catalog, offset=len(stages))
    problems = [
        *source.problems,
        *recipe_problems,
        *stage_problems,
        *export_problems,
        *order_problems(source, catalog, stages),
        *column_problems(source, catalog, stages, exports),
        *labeller_problems(source, stages),
        *role_problems(source, [*stages, *exports]),
        *placement_problems(source, stages),
        *gate_problems(source, stages, exports),
    ]
    if problems or recipe is None:
        raise RecipeError(sorted(problems, key=lambda problem: _place(problem, source)))
    return Plan(
        recipe=recipe,
        base=source.path.parent,
        steps=tuple(_step(resolved) for resolved in stages),
        exports=tuple(_step(resolved) for resolved in exports),
        views=tuple(
            (resolved.name.removeprefix(EXPORT_PREFIX), layout)
            for resolved in exports
            for layout in resolved.views
        ),
    )


def _place(problem: Problem, source: RecipeSource) -> tuple[bool, bool, int]:
    """In file order; then what is in files of its settings, then what the command line says."""
    is_option, is_elsewhere = problem.file.startswith("--"), problem.file != str(source.path)
    return is_option, is_elsewhere, problem.line or 0


def _step(resolved: Resolved) -> Step:
    assert resolved.stage is not None and resolved.config is not None, "no problem was found"
    needs = resolved.stage.needs(resolved.config)
    return Step(
        resolved.index, resolved.name, resolved.stage, resolved.config, needs, resolved.after
    )
