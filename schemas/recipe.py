"""A recipe as its author writes it; `pipeline.recipe` reads and checks it.

`Placement` says where and how fast, never what: nothing in it may change a row, and nothing in it
enters a key.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

ClusterKind = Literal[
    "local",
    "slurm",
    "pbs",
    "lsf",
    "sge",
    "htcondor",
    "oar",
    "kubernetes",
    "ec2",
    "fargate",
    "azurevm",
    "gcpvm",
]
EngineName = Literal["auto", "vllm", "transformers", "openai", "scripted"]
ConcreteEngine = Literal["vllm", "transformers", "openai", "scripted"]
ModelKind = Literal["text", "reward", "embedding"]
Pooling = Literal["auto", "mean", "cls", "last"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ModelEntry(_Strict):
    """A model that stages refer to by the name of its entry."""

    model: str = Field(
        description="Hub id, local folder, or an alias of what needs no network: "
        "`smollm2-135m-instruct`, and `all-minilm-l6-v2` with `kind: embedding`. For "
        "`engine: scripted`: `echo` or a script file.",
        min_length=1,
    )
    kind: ModelKind = Field(
        "text",
        description="`text` writes and weighs texts; `reward` is a sequence-classification model "
        "that scores answers; `embedding` turns texts into vectors.",
    )
    engine: EngineName = Field(
        "auto", description="Who runs it; `auto` takes the first of vllm, transformers that can."
    )
    revision: str | None = Field(
        None, description="Hub revision; the commit it resolves to is pinned in the manifest."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Number format of the weights; `auto` is float32 on a CPU, and everywhere for "
        "`kind: embedding`.",
    )
    max_model_len: int | None = Field(
        None, ge=16, description="Tokens in the model's window, prompt and answer; None: its own."
    )
    tokenizer: str | None = Field(
        None,
        description="Hub id or folder of the tokenizer, if not the model's. With `engine: openai` "
        "it gives the chat template, which raw prompts (Magpie) need.",
    )
    chat_template: str | None = Field(
        None, description="A Jinja chat template that replaces the tokenizer's own."
    )
    api: Literal["auto", "completions", "chat"] = Field(
        "auto",
        description="For `engine: openai`: which endpoint; `auto` is completions with a "
        "`tokenizer` and chat without.",
    )
    pooling: Pooling = Field(
        "auto",
        description="For `kind: embedding`: what becomes of the last layer's states: their "
        "`mean`, that of the first token (`cls`) or of the `last`, as it is. `auto` does as the "
        "model's own sentence-transformers files say; one without, e.g. a chat model, needs this.",
    )
    trust_remote_code: bool = Field(
        False, description="Run Python code that comes with the model. Said aloud at run time."
    )
    extrapolate_from: str | None = Field(
        None,
        description="Hub id or folder of a model with the same vocabulary. The logits are then "
        "(1 + extrapolation) times the model's own less `extrapolation` times those of that model: "
        "what the model would be like, had it been trained further away from it. Only to weigh "
        "texts, and with `engine: transformers`.",
        min_length=1,
    )
    extrapolation: float = Field(
        0.5, ge=0, description="With `extrapolate_from`: how far; 0 is the model itself."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.extrapolate_from and (self.engine, self.kind) != ("transformers", "text"):
            raise ValueError("`extrapolate_from` needs `engine: transformers` and a text model")
        if self.pooling != "auto" and self.kind != "embedding":
            raise ValueError("`pooling` needs `kind: embedding`")
        return self


class Price(_Strict):
    """What a model costs, for `prefmill plan`."""

    per_gpu_hour: float | None = Field(
        None,
        ge=0,
        description="Of one device, for as long as the run has it; without GPUs, of one worker.",
    )
    per_million_read: float | None = Field(
        None, ge=0, description="Of a million tokens of prompts, cached ones included."
    )
    per_million_sampled: float | None = Field(
        None, ge=0, description="Of a million tokens that the model writes."
    )
    currency: str = Field("USD", min_length=1, description="In what, e.g. `EUR`.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.per_gpu_hour, self.per_million_read, self.per_million_sampled) == (None,) * 3:
            raise ValueError("a price is `per_gpu_hour`, or by token: `per_million_read` and so on")
        return self


class ModelPlacement(_Strict):
    """How one model is run. Changes speed, not rows."""

    base_url: str | None = Field(
        None, description="For `engine: openai`: the server, up to and including `/v1`."
    )
    api_key_env: str | None = Field(
        None, description="Name of the environment variable that holds the server's key."
    )
    max_num_seqs: int = Field(64, ge=1, description="Requests in flight at once.")
    kv_cache_mb: int | None = Field(
        None, ge=64, description="KV cache in MiB on a CPU; None: 1024. GPUs use gpu_memory_share."
    )
    gpu_memory_share: float = Field(
        0.9, gt=0, le=1, description="Share of a GPU's memory that vLLM may take."
    )
    batch_size: int = Field(8, ge=1, description="For `engine: transformers`: rows per forward.")
    workers: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Worker processes of its own, apart from the recipe's; None: it shares those, "
        "and takes turns with the other models there.",
    )
    devices: list[Annotated[int, Field(ge=0)]] | None = Field(
        None,
        description="GPUs of its own workers, `tensor_parallel` of them each, as `nvidia-smi` "
        "numbers them.",
    )
    tensor_parallel: int = Field(
        1, ge=1, le=64, description="For vLLM: over how many devices each copy is split."
    )
    hang_timeout_s: float = Field(
        300.0,
        gt=0,
        description="Seconds without any progress of a local engine after which its worker is "
        "killed and the work done again. Loading does not count.",
    )
    timeout_s: float = Field(
        120.0, gt=0, description="For `engine: openai`: seconds to wait for one answer."
    )
    max_retries: int = Field(5, ge=0, description="For `engine: openai`: retries of a request.")
    price: Price | None = Field(None, description="What it costs; `prefmill plan` adds it up.")


class Cluster(_Strict):
    """A Dask cluster that the run starts for itself and closes at its end."""

    kind: ClusterKind = Field(
        description="Who provides the workers. Batch systems need `dask-jobqueue`, `kubernetes` "
        "needs `dask-kubernetes`, clouds need `dask-cloudprovider`."
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Passed to Dask's cluster class as they are, e.g. `queue`, `cores`, `memory`.",
    )


class Placement(_Strict):
    """Where the work runs."""

    workers: int = Field(
        1,
        ge=0,
        le=4096,
        description="Dask worker processes; 0 runs in this process, one part at a time.",
    )
    devices: list[Annotated[int, Field(ge=0)]] | None = Field(
        None,
        description="GPUs for the workers on this machine; None: all that no model has to itself.",
    )
    part_rows: int = Field(
        256,
        ge=1,
        le=10**6,
        description="Rows per part: the unit that is committed, retried and resumed.",
    )
    parts_in_flight: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Parts that a worker has in hand at once, so that its engine never waits for "
        "the last answers of one; None: as many as its engine can use.",
    )
    scheduler: str | None = Field(
        None,
        description="Address of a running Dask scheduler, e.g. `tcp://10.0.0.1:8786`, whose "
        "workers do the work.",
    )
    cluster: Cluster | None = Field(None, description="A Dask cluster to start for this run.")
    work: str | None = Field(
        None,
        description="Folder of the work in progress, any fsspec URL that all workers reach, e.g. "
        "`s3://bucket/run`; None: `work` in the output folder.",
    )
    models: dict[str, ModelPlacement] = Field(
        default_factory=dict, description="By the names used in the recipe's `models`."
    )

    @property
    def starts_workers_here(self) -> bool:
        """True if the workers are processes of this machine that the run starts itself."""
        elsewhere = self.cluster is not None and self.cluster.kind != "local"
        return self.workers > 0 and self.scheduler is None and not elsewhere


class StageEntry(BaseModel):
    """One step: which stage, under which name, and the stage's own settings beside them."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    stage: str = Field(description="Which stage, see `prefmill stages`.", min_length=1)
    name: str | None = Field(
        None,
        description="Name of this step; needed when a stage is used twice. Default: the stage's.",
        pattern=r"^[a-z][a-z0-9_]*$",
    )

    @property
    def settings(self) -> dict[str, Any]:
        """The stage's own Config, not yet validated."""
        return dict(self.model_extra or {})


class ExportEntry(BaseModel):
    """One dataset config to write; further keys are the exporter's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    config: str = Field(
        description="Which dataset config, e.g. `dpo` or `kto`; also its folder.", min_length=1
    )
    layout: str = Field(
        "trl",
        description="Whose column layout. The first is the exporter's own; others are views of it, "
        "written to `exports/<layout>` beside the dataset.",
        min_length=1,
    )
    after: str | None = Field(
        None,
        min_length=1,
        description="Name of a step: take the rows as they are after it, before those that follow; "
        "None: after the last.",
    )

    @property
    def settings(self) -> dict[str, Any]:
        """The exporter's own Config, not yet validated."""
        return dict(self.model_extra or {})


class Splits(_Strict):
    """Which shares of the prompts are held out. All rows of a prompt are in the same split."""

    validation: float = Field(0.0, ge=0, lt=1, description="Share of the prompts, about.")
    test: float = Field(0.0, ge=0, lt=1, description="Share of the prompts, about.")

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("`validation` and `test` together leave nothing to train on")
        return self


class GateRule(_Strict):
    """Bounds of one figure, absolute or relative to the last release; one of them at least."""

    figure: str = Field(
        min_length=1,
        description="Name of a figure, as a dataset's `manifest.json` and `run --json` list them.",
    )
    min: float | None = Field(None, allow_inf_nan=False, description="Least value.")
    max: float | None = Field(None, allow_inf_nan=False, description="Greatest value.")
    max_drop: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="By what share of the last release's figure it may be below that, e.g. 0.1.",
    )
    max_rise: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="By what share of the last release's figure it may be above that.",
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if {self.min, self.max, self.max_drop, self.max_rise} == {None}:
            raise ValueError("no bound: give `min`, `max`, `max_drop` or `max_rise`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min:g} is above `max` {self.max:g}: nothing passes")
        return self


class Gates(_Strict):
    """What must hold before a dataset is written; otherwise exit code 3 and no dataset."""

    min_rows: int = Field(1, ge=1, description="Least number of rows in every exported config.")
    rules: list[GateRule] = Field(
        default_factory=list,
        description="Bounds of figures. A figure that cannot be had fails its rule.",
    )


class Limits(_Strict):
    """How much may be lost; more than that ends the run with exit code 4."""

    max_failed_share: float = Field(
        0.1, ge=0, le=1, description="Share of a stage's rows that may be lost to engine failures."
    )
    max_unlabelled_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of a labeller's rows of which it may be unable to label anything: no "
        "verdict that can be read, no answer that can be checked.",
    )
    max_quarantined_parts: int = Field(
        0,
        ge=0,
        description="Parts that may be given up because they killed their worker twice; their "
        "rows become rejects.",
    )


class Card(_Strict):
    """What the dataset card says beyond what the run knows."""

    pretty_name: str | None = Field(None, description="Title of the dataset card.")
    license: str | None = Field(
        None, description="Licence id for the card, e.g. `apache-2.0`. Never guessed."
    )
    language: list[str] = Field(default_factory=list, description="ISO 639-1 codes, e.g. `[en]`.")
    tags: list[str] = Field(default_factory=list, description="Further tags.")


class Recipe(_Strict):
    """From models and stages to a dataset."""

    name: str = Field(description="Name of the dataset.", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(0, ge=0, lt=2**63, description="Decides every random choice of the run.")
    models: dict[str, ModelEntry] = Field(
        default_factory=dict, description="Models by the names that stages use."
    )
    stages: list[StageEntry] = Field(min_length=1, description="Steps, first to last.")
    export: list[ExportEntry] = Field(min_length=1, description="Dataset configs to write.")
    splits: Splits = Field(default_factory=Splits, description="Prompts to hold out.")
    gates: Gates = Field(default_factory=Gates, description="Quality gates.")
    limits: Limits = Field(default_factory=Limits, description="Tolerated losses.")
    card: Card = Field(default_factory=Card, description="Facts for the dataset card.")
    placement: Placement = Field(default_factory=Placement, description="Where the work runs.")
