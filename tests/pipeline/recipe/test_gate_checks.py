"""Rules of gates that no run of a recipe could ever meet are refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.main import main

RECIPE = """
name: gated
models: {{policy: {{engine: scripted, model: echo}}}}
stages:
  - {{stage: magpie, model: policy, rows: 12}}
  - {{stage: respond, model: policy, n: 3}}
{judge}
export: [{{config: {config}}}]
gates: {{rules: [{rule}]}}
"""
PAIRS = "  - {stage: judge, model: policy}\n  - {stage: pair, name: pairs}"


def check(folder: Path, rule: str, judge: str = PAIRS, config: str = "dpo") -> int:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(rule=rule, judge=judge, config=config))
    return main(["check", str(path)])


@pytest.mark.parametrize(
    "figure",
    [
        "dpo.rows",
        "dpo.margin.median",
        "dpo.chosen.characters.mean",
        "steps.judge.unlabelled",
        "steps.pairs.rejects.tie",
        "steps.pairs.figures.anything",
        "steps.export_dpo.rows_out",
        "tokens.sampled",
        "audit.position_bias.judge.flips",
        "audit.ratings.judge_policy_echo.Elo",
    ],
)
def test_figures_that_a_run_may_have_are_taken(tmp_path: Path, figure: str) -> None:
    assert check(tmp_path, f"{{figure: {figure}, min: 0}}") == 0


@pytest.mark.parametrize(
    ("figure", "near"),
    [
        ("dpo.margn.mean", "dpo.margin.mean"),
        ("kto.rows", "dpo.rows"),
        ("dpo.desirable", ""),
        ("steps.pair.rejects.tie", "steps.pairs.lost"),
        ("steps.judge.unlabeled", "steps.judge.unlabelled"),
        ("audit.position_bias.judge.flip", "audit.position_bias.judge.flips"),
        ("audit.ties.ties", "audit.ties.<subject>.ties"),
    ],
)
def test_a_figure_that_no_run_can_have_is_refused_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], figure: str, near: str
) -> None:
    assert check(tmp_path, f"{{figure: {figure}, min: 0}}") == 2
    said = capsys.readouterr().err
    assert (
        f"recipe.yaml:10: gates.rules[0].figure: no run of this recipe has a figure `{figure}`"
        in said
    )
    assert near in said


def test_without_labels_there_is_no_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: t\nstages: [{stage: load_answers, path: texts.jsonl}]\nexport: [{config: sft}]\n"
        "gates: {rules: [{figure: audit.ties.label.ties, max: 1}]}\n"
    )
    assert main(["check", str(path)]) == 2
    assert "no run of this recipe has a figure `audit.ties.label.ties`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{figure: dpo.rows}", "no bound: give `min`, `max`, `max_drop` or `max_rise`"),
        ("{figure: dpo.rows, min: 3, max: 2}", "`min` 3 is above `max` 2"),
        ("{figure: dpo.rows, max_drop: -1}", "gates.rules[0].max_drop"),
        ("{figure: dpo.rows, least: 1}", "unknown key `least`"),
        ("{min: 1}", "gates.rules[0].figure: missing"),
    ],
)
def test_a_rule_that_binds_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: str, said: str
) -> None:
    assert check(tmp_path, rule) == 2
    assert said in capsys.readouterr().err


def test_where_a_stage_is_unknown_its_figures_are_not_complained_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, "{figure: dpo.other.mean, min: 0}", judge="  - {stage: nobody}") == 2
    assert "dpo.other.mean" not in capsys.readouterr().err
