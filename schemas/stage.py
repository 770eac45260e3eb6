"""What a stage is: a record, a Config and pure functions. No base class, no registration.

A stage module holds a frozen pydantic `Config`, a function `run(batch, config, context)` and one
constant `STAGE`. The folder `stages/` is the table of stages; other packages add theirs with the
entry-point group `prefmill.stages`, each entry naming such a record.

Contract, enforced by the runner on every part:
  * a stage sees `row_id`, the columns it reads, looks at or extends, and nothing else;
  * it returns `row_id` and exactly the columns it writes and extends (an `expand` or `source`
    stage also `lineage` where it makes children);
  * every row that came in is in the output or in the rejects (map, filter, source), or has a
    child there or a reject (expand); no row is both kept and rejected;
  * what it returns for a row depends on that row, the Config and the models, and on nothing else:
    not on other rows of the batch, the worker, the order, the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from schemas.batch import Batch
from schemas.columns import Column
from schemas.models import Capability, ChatFormat, Embedder, Generator, HiddenReader, Rewarder

if TYPE_CHECKING:
    import pyarrow as pa


class StageConfig(BaseModel):
    """Base of every stage's Config: frozen, no unknown keys, defaults checked too.

    Every field is part of the stage's key, but for those typed `Location`. How a stage is run
    (batch sizes, URLs, devices) belongs to the recipe's `placement`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False
    )


T = TypeVar("T")


class LocationMark:
    """Marks a Config field that says where, not what."""


Location = Annotated[str, LocationMark()]
"""A path or dataset id. Not part of the key: what is found there is hashed instead, so moving a
file regenerates nothing. Relative paths are taken from the recipe's folder."""

SETTING_FILES = (".yaml", ".yml", ".json", ".jsonl")
"""Endings by which a text in the place of a setting is taken for a file that holds it."""


class OrFileMark:
    """Marks a Config field whose value a recipe may keep in a file, and name that instead."""

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        value = handler(core_schema)
        path = {
            "type": "string",
            "format": "path",
            "pattern": "|".join(rf"\{ending}$" for ending in SETTING_FILES),
        }
        return {"anyOf": [*value.get("anyOf", [value]), path]}


OrFile = Annotated[T, OrFileMark()]
"""A value, or in a recipe the path of a YAML or JSON file that holds it, JSON lines for a list.

The file is read with the recipe, from whose folder relative paths start. A stage only ever sees
the value, and so do keys, manifests and the recipe that a run keeps.
"""

ModelRole = Annotated[str, Field(min_length=1)]
"""The name of an entry in the recipe's `models`. The key holds it, since rows name the role that
wrote an answer, and the model's fingerprint beside it."""


C = TypeVar("C", bound=StageConfig)

Scope = Literal["row", "dataset"]
Effect = Literal["source", "map", "filter", "expand"]


@dataclass(frozen=True, slots=True)
class Need:
    """A model that a stage uses.

    Attributes:
        key: the Config field that names the role, e.g. `model`; used in messages.
        role: the role's name in the recipe.
        capabilities: what the stage will ask of it.
    """

    key: str
    role: str
    capabilities: frozenset[Capability]


@dataclass(frozen=True, slots=True)
class Positions:
    """Feed of a source that makes rows out of nothing: `count` numbered rows.

    The runner gives the stage a batch with `row_id` alone.
    """

    count: int


@dataclass(frozen=True, slots=True)
class Records:
    """Feed of a source that reads files: one row per record.

    The runner reads the files and gives the stage `row_id`, `RAW_RECORD`, `RAW_PLACE` and
    `RAW_PROBLEM`. `row_id` comes from the record's selected fields and from how many equal
    records stood before it, so adding a line to a file moves no other row's identity.

    Attributes:
        path: a file, a glob, a folder, or a Hugging Face dataset id with `format="hf"`.
        format: `auto` goes by the ending.
        fields: the record's fields that are wanted; empty means all.
        options: further reader options (`split`, `config`, `revision`), as sorted pairs.
        limit: at most this many records; None means all.
    """

    path: str
    format: str = "auto"
    fields: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    limit: int | None = None


Feed = Positions | Records


@dataclass(frozen=True, slots=True)
class Tables:
    """Parquet or Arrow files that are handed over as the table that they hold.

    Attributes:
        path: a file, a glob or a folder.
    """

    path: str


Given = Records | Tables
"""A file that a stage needs beside its rows: a benchmark, a target, an index."""


class Surroundings(Protocol):
    """What the runner hands to every function of a stage that asks for it."""

    @property
    def stage(self) -> str:
        """The stage's name in this recipe: its `name`, or the stage's own."""
        ...

    @property
    def recipe_seed(self) -> int:
        """The recipe's seed."""
        ...

    def given(self, name: str) -> pa.Table:
        """A file of `Stage.given`: for `Records` RAW_RECORD, RAW_PLACE and RAW_PROBLEM."""
        ...

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` makes, made once in a process for all parts of the step."""
        ...


class Context(Surroundings, Protocol):
    """What the runner hands to `run`. Every method is deterministic in its arguments."""

    def model(self, role: str) -> Generator:
        """The loaded model of a role that the stage declared in `needs`."""
        ...

    def hidden_reader(self, role: str) -> HiddenReader:
        """The same for a role of which `hidden_states` are needed."""
        ...

    def rewarder(self, role: str) -> Rewarder:
        """The same for a role of which `reward` is needed."""
        ...

    def embedder(self, role: str) -> Embedder:
        """The same for a role of which `embed` is needed."""
        ...

    def chat(self, role: str) -> ChatFormat:
        """How that model's conversations are written."""
        ...

    def model_name(self, role: str) -> str:
        """A short name for lineage, e.g. `policy:smollm2-135m-instruct`."""
        ...


class PassContext(Surroundings, Protocol):
    """What the runner hands to the functions of a dataset pass."""

    @property
    def before(self) -> pa.Table | None:
        """The rows of the decision before, in a pass that decides in rounds; None in the first.

        To `sketch` those of its part, to `decide` all.
        """
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What a dataset pass makes of all sketches together.

    Attributes:
        rows: one row for each row of the sketches, in their order: `row_id`, and what `apply` or
            the next round's `sketch` must know of it.
        again: sketch and decide once more, each part with its rows of this decision.
        figures: what manifest and report say of it: short names, JSON values.
        notes: sentences for the user, such as that fewer rows came than were asked for.
    """

    rows: pa.Table
    again: bool = False
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetPass(Generic[C]):
    """The part of a stage that must see the whole dataset, in a form that streams.

    `sketch` makes of each row of a part one small row, in the same order and with its `row_id`;
    `decide` sees those of all parts as one table, which may be larger than memory (it is mapped
    from disk); `apply` carries the decision out on one part and accounts for each row like `run`.
    The decision on a row must be the same for any order of the rows and any split into parts: a
    total tie-break, and seeds from the recipe's.
    """

    sketch: Callable[[Batch, C, PassContext], pa.Table]
    decide: Callable[[pa.Table, C, PassContext], Decision]
    apply: Callable[[Batch, pa.Table, C], Batch]


def no_needs(config: Any) -> tuple[Need, ...]:
    """A stage that uses no model."""
    return ()


def nothing_given(config: Any) -> Mapping[str, Given]:
    """A stage that needs no files beside its rows."""
    return {}


def no_prompts(config: Any) -> tuple[str, ...]:
    """A stage that uses no prompt text."""
    return ()


@dataclass(frozen=True, slots=True)
class Stage(Generic[C]):
    """The record of a stage.

    Attributes:
        name: as in recipes; equal to the module's name.
        version: raised when the same Config would give other rows; part of the key.
        summary: one line for the table of stages.
        config: the Config class.
        run: rows in, rows and rejects out; None for a stage that has a dataset pass alone. Of that
            one `apply` does what `run` does: it sees the columns that the stage reads and returns
            `row_id` and those that it writes.
        effect: what it does to the set of rows.
        reads: columns it needs.
        writes: columns it makes.
        extends: list columns it adds entries to; the runner supplies an empty list if no stage
            before made the column.
        optional: list or nullable columns it looks at if some stage before made them; else the
            runner supplies empty lists or nulls.
        drops: columns of the input that its output no longer has.
        dataset_pass: a pass over all parts, after `run` if there is one, whose columns `apply`
            then may change but not add to; its presence makes the stage's scope `dataset`.
        feed: for sources, what the runner must supply.
        given: the files it needs beside its rows, by a name of its own, given its Config.
        needs: the models it uses, given its Config.
        prompts: names of the prompt texts it uses (`prompts/text/<name>.j2`); hashed in the key.
        preload: modules that take long to import. The workers of a machine are forked from one
            process that has imported them; so they may start no threads and touch no devices.
        fitted: this record as it is for a Config, where its columns depend on that.
    """

    name: str
    version: int
    summary: str
    config: type[C]
    run: Callable[[Batch, C, Context], Batch] | None
    effect: Effect
    reads: tuple[Column, ...] = ()
    writes: tuple[Column, ...] = ()
    extends: tuple[Column, ...] = ()
    optional: tuple[Column, ...] = ()
    drops: tuple[Column, ...] = ()
    dataset_pass: DatasetPass[C] | None = None
    feed: Callable[[C], Feed] | None = None
    given: Callable[[C], Mapping[str, Given]] = field(default=nothing_given)
    needs: Callable[[C], tuple[Need, ...]] = field(default=no_needs)
    prompts: Callable[[C], tuple[str, ...]] = field(default=no_prompts)
    preload: tuple[str, ...] = ()
    fitted: Callable[[C], Stage[C]] | None = None

    @property
    def scope(self) -> Scope:
        """`dataset` if some result depends on other rows, else `row`."""
        return "row" if self.dataset_pass is None else "dataset"

    def fit(self, config: C) -> Stage[C]:
        """The record for a Config."""
        return self if self.fitted is None else self.fitted(config)
