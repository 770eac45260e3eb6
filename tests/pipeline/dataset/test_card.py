from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.card import render_card
from pipeline.dataset.facts import (
    ConfigFacts,
    ModelFacts,
    ReleaseFacts,
    RunFacts,
    SplitFacts,
    StepFacts,
)
from schemas.columns import LINEAGE, MARGIN, P_CHOSEN, ROW_ID
from schemas.layouts import LABEL, PROMPT

MODEL = ModelFacts("policy", "org/model", "vllm", "abc123", "f00d")
STEPS = (
    StepFacts("magpie", "magpie", 48, 40, {"too_short": 6, "engine_timeout": 2}),
    StepFacts("pair", "pair", 40, 1200),
)
RUN = RunFacts(
    "quickstart", "name: quickstart\nseed: 7\n", {"prefmill": "0.1.0"}, {}, (MODEL,), STEPS
)
DPO = ConfigFacts(
    "dpo", (ROW_ID, PROMPT, P_CHOSEN, MARGIN), (SplitFacts("train", 1200, 5000, 900),)
)
KTO = ConfigFacts(
    "kto", (ROW_ID, PROMPT, LABEL, LINEAGE), (SplitFacts("train", 90, 4000, 800, n_desirable=30),)
)


def front(card: str) -> dict[str, Any]:
    _, head, _ = card.split("---\n", 2)
    values: dict[str, Any] = yaml.safe_load(head)
    return values


def test_the_front_matter_is_what_the_hub_reads() -> None:
    values = front(render_card(RUN, [DPO, KTO]))
    assert values["configs"] == [
        {
            "config_name": name,
            "data_files": [{"split": "train", "path": f"{name}/train-*.parquet"}],
        }
        for name in ("dpo", "kto")
    ]
    assert values["size_categories"] == ["1K<n<10K"]
    assert values["tags"] == ["synthetic", "preference", "dpo", "kto", "prefmill"]
    assert values["dataset_info"][1] == {
        "config_name": "kto",
        "features": [
            {"name": "row_id", "dtype": "string"},
            {
                "name": "prompt",
                "list": [
                    {"name": "role", "dtype": "string"},
                    {"name": "content", "dtype": "string"},
                ],
            },
            {"name": "label", "dtype": "bool"},
            {
                "name": "lineage",
                "list": [
                    {"name": "stage", "dtype": "string"},
                    {"name": "row_id", "dtype": "string"},
                ],
            },
        ],
        "splits": [{"name": "train", "num_bytes": 4000, "num_examples": 90}],
        "download_size": 800,
        "dataset_size": 4000,
    }


def test_configs_that_no_trainer_reads_are_no_tags() -> None:
    values = front(render_card(RUN, [DPO, replace(DPO, name="lineage")]))
    assert "lineage" not in values["tags"] and len(values["configs"]) == 2


def test_a_licence_is_stated_or_said_to_be_missing() -> None:
    silent = render_card(RUN, [DPO])
    assert "license" not in front(silent) and "language" not in front(silent)
    assert "No licence is stated" in silent
    stated = RunFacts("n", "", {}, license="apache-2.0", language=("en",), tags=("dpo", "blue"))
    card = render_card(stated, [DPO])
    values = front(card)
    assert (values["license"], values["language"]) == ("apache-2.0", ["en"])
    assert values["tags"] == ["synthetic", "preference", "dpo", "prefmill", "blue"]
    assert "No licence" not in card and "Licence: apache-2.0." in card


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**9, "n>1B")],
)
def test_size_categories(rows: int, size: str) -> None:
    card = render_card(RUN, [ConfigFacts("dpo", (ROW_ID,), (SplitFacts("train", rows, 0, 0),))])
    assert front(card)["size_categories"] == [size]


def test_the_body_says_how_it_was_made() -> None:
    card = render_card(RUN, [DPO, KTO])
    assert "| policy | org/model | vllm | abc123 | f00d |" in card
    assert "| magpie | magpie | 48 | 40 | engine_timeout 2, too_short 6 |" in card
    assert "| pair | pair | 40 | 1,200 | none |" in card
    assert "```yaml\nname: quickstart\nseed: 7\n```" in card
    assert "| `p_chosen` | `float64`, may be null | P(chosen beats rejected)" in card
    assert "prompt text" not in card
    judged = render_card(replace(RUN, prompts={"judge_pairwise": "3d3d21"}), [DPO])
    assert "| `judge_pairwise` | `3d3d21` |" in judged


def test_the_body_says_how_to_load_it_and_who_reads_it() -> None:
    card = render_card(RUN, [DPO, KTO])
    assert 'load_dataset("PATH", "dpo", split="train")' in card
    assert "| `kto` | `train` | TRL `KTOTrainer`, in the order of the file |" in card


def test_a_release_has_a_number_and_says_what_is_new() -> None:
    assert "Release" not in render_card(RUN, [DPO])
    first = render_card(RUN, [DPO], ReleaseFacts(number=1))
    assert "Release 1.\n\n- `dpo`: 1,200 rows\n" in first
    third = render_card(RUN, [DPO, KTO], ReleaseFacts(number=3, earlier={"dpo": 1000}))
    assert "- `dpo`: 1,200 rows, 200 more than the release before\n" in third
    assert "- `kto`: 90 rows, 90 more than the release before\n" in third


def test_the_main_figures_come_with_their_meaning() -> None:
    flips = "audit.position_bias.judge.flips"
    figures = {flips: 0.125, "dpo.margin.mean": 1.23456, "dpo.rows": 9.0, "x.y": 1.0}
    card = render_card(RUN, [DPO], ReleaseFacts(figures))
    assert "| `dpo.margin.mean` | 1.235 | mean of `margin` over the new rows |" in card
    assert f"| `{flips}` | 0.125 | judge: share of the pairs on which the judge preferred" in card
    assert card.index("dpo.margin.mean") < card.index(flips)
    assert "`x.y`" not in card and "`dpo.rows`" not in card
    assert "## Figures" not in render_card(RUN, [DPO], ReleaseFacts({"x.y": 1.0}))


@pytest.mark.parametrize(
    ("stages", "said", "limits"),
    [
        (("judge", "pair"), " and labelled them", ["opinions of models"]),
        (("verify", "pair"), ", programs labelled them", ["passed its checks"]),
        (
            ("logit", "judge", "verify", "consensus"),
            ", language models and programs labelled them",
            ["opinions of models", "passed its checks"],
        ),
        (("reward",), ", reward models labelled them", ["opinions of models"]),
        (("a_plugin",), ", the steps below chose them", ["opinions of models"]),
    ],
)
def test_the_card_says_who_labelled(stages: tuple[str, ...], said: str, limits: list[str]) -> None:
    steps = tuple(StepFacts(name, name, 1, 1) for name in stages)
    card = render_card(replace(RUN, steps=steps), [DPO])
    assert f"language models wrote the answers{said}; no human judged them." in card
    known = ("opinions of models", "passed its checks")
    assert [limit for limit in known if limit in card] == limits


@pytest.mark.parametrize(
    ("stages", "limits"),
    [
        (("load_pairs", "dedup"), ["those of the files"]),
        (("load_answers", "reward"), ["those of the files", "opinions of models"]),
    ],
)
def test_the_card_claims_nothing_of_rows_that_came_in_files(
    stages: tuple[str, ...], limits: list[str]
) -> None:
    steps = tuple(StepFacts(name, name, 1, 1) for name in stages)
    card = render_card(replace(RUN, steps=steps, license=None), [DPO])
    assert "Data selected with prefmill. Answers, and labels" in card
    assert "language models wrote" not in card and "models' own terms" not in card
    assert front(card)["annotations_creators"] == ["found"]
    assert "synthetic" not in front(card)["tags"]
    _, _, ending = card.partition("## Known limits")
    known = ("those of the files", "opinions of models", "passed its checks")
    assert [limit for limit in known if limit in ending] == limits


def test_kto_balance_and_the_weights_that_trl_advises() -> None:
    # 30 good, 60 bad: 60 / 30 = 2 up to 2 * 1.33 = 2.66.
    card = render_card(RUN, [KTO])
    assert "30 desirable and 60 undesirable answers" in card
    assert "`desirable_weight` from 2.00 to 2.66" in card


def test_one_class_has_no_weights_to_advise() -> None:
    one_class = ConfigFacts("kto", (ROW_ID, LABEL), (SplitFacts("train", 5, 0, 0, n_desirable=0),))
    card = render_card(RUN, [one_class])
    assert "0 desirable and 5 undesirable answers" in card
    assert "desirable_weight" not in card


@given(st.text(), st.text(), st.text(min_size=1))
def test_no_text_of_the_user_breaks_out_of_its_place(recipe: str, name: str, code: str) -> None:
    run = RunFacts(
        "n",
        recipe,
        {},
        {},
        (ModelFacts("policy", name, "vllm", None, "f"),),
        (StepFacts("s", "s", 1, 0, {code: 1}),),
        pretty_name=name or None,
    )
    card = render_card(run, [DPO])
    assert front(card)["pretty_name"] == (name or "n")
    assert front(card)["configs"][0]["config_name"] == "dpo"
    assert recipe.strip() in card


def test_what_a_step_says_of_its_choice_stands_below_the_counts() -> None:
    steps = (*STEPS, StepFacts("zipfit", "zipfit", 9, 3, {}, {"length_rank_correlation": -0.947}))
    text = render_card(replace(RUN, steps=steps), [DPO])
    assert "* `zipfit`: length rank correlation -0.947\n" in text
    assert "choice among all rows" not in render_card(RUN, [DPO])
