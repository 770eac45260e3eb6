"""What holds for every stage. The folder is the table: a new stage is covered by being there."""

from __future__ import annotations

import importlib
import pickle
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.recipe.catalog import builtin_names
from pipeline.runtime.contract import FED, check_survivors, project, settle
from schemas.arrow import arrow_schema
from schemas.batch import Batch, Reject
from schemas.columns import LINEAGE, ROW_ID
from schemas.stage import Stage, StageConfig
from tests.rows import GIVEN, example_config, example_table, varied_model
from tests.support import FakeContext, run_pass

NAMES = builtin_names()


@pytest.fixture(params=NAMES)
def record(request: pytest.FixtureRequest) -> Stage[Any]:
    found = importlib.import_module(f"stages.{request.param}").STAGE
    assert isinstance(found, Stage)
    return found


@pytest.fixture
def config(record: Stage[Any]) -> StageConfig:
    return example_config(record)


@pytest.fixture
def stage(record: Stage[Any], config: StageConfig) -> Stage[Any]:
    return record.fit(config)


def context() -> FakeContext:
    models = {"policy": varied_model(), "reference": varied_model()}
    return FakeContext(models, stage="step", given=GIVEN)


@dataclass
class Outcome:
    """All that a stage made of some rows, whatever the parts."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    rejects: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, table: pa.Table, rejects: tuple[Reject, ...]) -> None:
        for row in table.to_pylist():
            assert row["row_id"] not in self.kept, "one id for two rows"
            self.kept[row["row_id"]] = row
        parts = ((r.row_id, r.response_id or "", r.code, r.message, r.raw) for r in rejects)
        self.rejects = sorted([*self.rejects, *parts])


def outcome(stage: Stage[Any], config: StageConfig, parts: list[pa.Table]) -> Outcome:
    """Run a stage over parts as the runner does, with its checks."""
    drafts, result = [], Outcome()
    for part in parts:
        if stage.run is None:
            drafts.append(project(part, stage))
            continue
        batch = stage.run(Batch(project(part, stage)), config, context())
        drafts.append(settle(part, batch, stage))
        result.add(drafts[-1].slice(0, 0), batch.rejects)
    if stage.dataset_pass is None:
        for draft in drafts:
            result.add(draft, ())
        return result
    batches, _ = run_pass(stage, config, drafts, context())
    for part, draft, after in zip(parts, drafts, batches, strict=True):
        table = after.table
        if stage.run is None:
            table = settle(part, after, stage)
        else:
            check_survivors(draft, after, stage)
        result.add(table, after.rejects)
    return result


def written(stage: Stage[Any]) -> list[str]:
    columns = [ROW_ID, *stage.writes, *stage.extends]
    if stage.effect == "expand" and LINEAGE not in columns:
        columns.append(LINEAGE)
    return arrow_schema(columns).names


def test_the_record_is_named_like_its_file(record: Stage[Any]) -> None:
    stage, module = record, importlib.import_module(f"stages.{record.name}")
    assert module.STAGE is stage
    assert stage.version >= 1
    assert stage.config is module.Config
    assert stage.summary
    assert "\n" not in stage.summary
    assert stage.summary[0].isupper() and not stage.summary.endswith(".")
    assert (stage.effect == "source") == (stage.feed is not None)


def test_the_config_is_strict_and_described(stage: Stage[Any], config: StageConfig) -> None:
    assert issubclass(stage.config, StageConfig)
    for name, setting in stage.config.model_fields.items():
        assert setting.description, f"{stage.name}.{name} has no description"
        with pytest.raises(ValidationError, match="frozen"):
            setattr(config, name, None)
    with pytest.raises(ValidationError, match="no_such_setting"):
        stage.config.model_validate({**config.model_dump(), "no_such_setting": 1})
    assert stage.config.model_validate_json(config.model_dump_json()) == config


def test_the_module_tells_what_it_does(stage: Stage[Any]) -> None:
    text = importlib.import_module(f"stages.{stage.name}").__doc__ or ""
    for section in ("Reads", "Writes|Extends", "Drops", "Cost"):
        assert re.search(rf"^({section}):", text, re.MULTILINE), f"no section {section}"


def test_record_and_config_travel(stage: Stage[Any], config: StageConfig) -> None:
    assert pickle.loads(pickle.dumps(stage)) == stage
    assert pickle.loads(pickle.dumps(config)) == config


def test_it_has_tests_of_its_own(stage: Stage[Any]) -> None:
    assert (Path(__file__).parent / f"test_{stage.name}.py").is_file()


def test_needs_name_their_setting(stage: Stage[Any], config: StageConfig) -> None:
    for need in stage.needs(config):
        assert need.key in stage.config.model_fields
        assert need.capabilities


def test_what_it_has_workers_import_is_there(stage: Stage[Any]) -> None:
    for name in stage.preload:
        importlib.import_module(name)


def test_no_rows_make_no_rows(stage: Stage[Any], config: StageConfig) -> None:
    table = project(example_table(stage, config, rows=0), stage)
    if stage.run is None:
        (batch,), _ = run_pass(stage, config, [table], context())
    else:
        batch = stage.run(Batch(table), config, context())
    assert len(batch) == 0
    assert batch.rejects == ()
    assert sorted(batch.table.schema.names) == sorted(written(stage))


def test_every_row_is_accounted_for(stage: Stage[Any], config: StageConfig) -> None:
    """`settle` and `check_survivors` do the counting; here it is that something comes of it."""
    table = example_table(stage, config)
    result = outcome(stage, config, [table])
    assert result.kept, "the examples must show the stage at work"
    assert all(code and message for _, _, code, message, _ in result.rejects)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for _, _, code, _, _ in result.rejects)


def test_columns_it_did_not_declare_play_no_part(stage: Stage[Any], config: StageConfig) -> None:
    table = example_table(stage, config)
    more = table.append_column("bystander", pa.array([f"{i}" for i in range(len(table))]))
    plain, crowded = (outcome(stage, config, [t]) for t in (table, more))
    assert crowded.rejects == plain.rejects
    for row in crowded.kept.values():
        if stage.effect != "source":
            assert row.pop("bystander")
    assert crowded.kept == plain.kept


@pytest.mark.parametrize("cuts", [(0, 8), (0, 3, 8), (0, 1, 2, 3, 4, 5, 6, 7, 8)])
def test_neither_order_nor_parts_matter(
    stage: Stage[Any], config: StageConfig, cuts: tuple[int, ...]
) -> None:
    table = example_table(stage, config)
    mixed = table.take(pa.array([5, 2, 7, 0, 3, 6, 1, 4]))
    parts = [mixed.slice(a, b - a) for a, b in pairwise(cuts)]
    whole, other = outcome(stage, config, [table]), outcome(stage, config, parts)
    assert other.kept == whole.kept
    assert other.rejects == whole.rejects


def test_a_source_keeps_none_of_what_it_was_fed(stage: Stage[Any]) -> None:
    assert not FED & set(written(stage))
