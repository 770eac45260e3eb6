from __future__ import annotations

import pytest

from pipeline.audit.report import make_audit
from schemas.figures import (
    audit_figures,
    audit_name,
    config_figures,
    main_figures,
    meaning,
    slug,
    step_figures,
)
from stages.export_dpo import STAGE as DPO
from stages.export_kto import STAGE as KTO
from stages.export_ranking import STAGE as RANKING
from stages.export_signatures import STAGE as SIGNATURES
from tests.pipeline.audit.samples import labels, pair

NAMES = [
    *(name for s in (DPO, KTO, RANKING) for name in config_figures(s.name[7:], s.writes)),
    *step_figures("judge"),
    *audit_figures("judge"),
    *("steps.dedup.rejects.duplicate", "steps.dedup.figures.in_index", "tokens.sampled"),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_meaning(name: str) -> None:
    assert meaning(name)
    assert "does not know" not in meaning(name)


@pytest.mark.parametrize("name", ["dpo", "dpo.x.y", "steps.a", "audit.ties.x.y", "tokens", ""])
def test_what_is_no_figure_is_said_to_be_none(name: str) -> None:
    assert "does not know" in meaning(name)


def test_figures_follow_from_columns() -> None:
    of_pairs = config_figures("dpo", DPO.writes)
    assert {"dpo.margin.mean", "dpo.ties", "dpo.chosen.words.median"} <= set(of_pairs)
    assert "kto.desirable" in config_figures("kto", KTO.writes)
    assert "kto.ties" not in config_figures("kto", KTO.writes)
    assert config_figures("signatures", SIGNATURES.writes) == [
        "signatures.rows",
        "signatures.new_rows",
    ]


def test_every_measure_of_an_audit_that_needs_no_people_is_in_the_vocabulary() -> None:
    audit = make_audit(labels([pair(), pair(0.5, "Who?")]), None, 0)
    for section in audit.sections:
        for line in section.lines:
            for measure in line.values:
                assert audit_name(section.key, "x", measure) in audit_figures("x")


def test_names_have_no_dots_or_spaces_of_their_own() -> None:
    assert slug("label / judge") == "label_judge"
    assert slug("judge: org/Model-1.5") == "judge_org_Model-1_5"
    assert slug("…") == "_"


def test_main_figures_are_few_and_each_once() -> None:
    found = main_figures(NAMES)
    assert {"dpo.margin.mean", "audit.position_bias.judge.flips", "kto.desirable"} <= set(found)
    assert len(found) == len(set(found)) < len(NAMES) / 3
    assert main_figures(["dpo.rows", "tokens.sampled"]) == []
