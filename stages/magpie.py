"""Let an aligned model write the prompts that it expects: Magpie (Xu et al., arXiv 2406.08464).

The model gets its own chat template up to where a user's text would start, and continues; what it
writes until the end of the turn is an instruction. Later turns work alike on the conversation so
far, with a system prompt that announces follow-up questions, while the answers between them are
greedy and do not see it, as in the authors' `gen_mt.py`. That prompt, and `system`, steer what is
asked; they are no part of the row.

Unlike the authors' code this never stops at the word "assistant", which would cut "write a virtual
assistant"; it takes no instruction that ran into `max_tokens`; and its seeds come from row_id.
An instruction that fails the checks is sampled again with another seed, up to `attempts` times.

Reads: numbered rows.
Writes: messages, ending on a user turn; source, step and model; lineage, empty.
Drops: for the last attempt's reason, `empty`, `truncated`, `too_short`, `too_long`, `markup`,
    `fragment`, `salutation` or `assistant_voice` (`prompts.clean_instruction` has the rules);
    `engine_<kind>`; for an answer between turns, `truncated` or `empty_answer`; and `repeated`,
    if the same first instruction, case and spacing aside, came in several rows: the one with the
    smallest row_id stays.
Cost: per row at least one request of up to `max_tokens` a turn, and an answer between turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from prompts import clean_instruction
from prompts.render import render
from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import LINEAGE, MESSAGES, ROW_ID, SOURCE
from schemas.ids import digest, row_seed
from schemas.models import Failure, GenerateRequest, Generation, Message, Prompt, Sampling
from schemas.rejects import engine_code
from schemas.stage import (
    Context,
    DatasetPass,
    Decision,
    ModelRole,
    Need,
    PassContext,
    Positions,
    Stage,
    StageConfig,
)

if TYPE_CHECKING:
    import pyarrow as pa


FOLLOW_UP_PROMPT = "magpie_follow_up"


class Config(StageConfig):
    """Settings of `magpie`."""

    model: ModelRole = Field(description="Whose prompts to extract; it must take raw prompts.")
    rows: int = Field(ge=1, description="Rows to sample; rejects are not made up for.")
    turns: int = Field(1, ge=1, le=16, description="User turns in each conversation.")
    temperature: float = Field(
        1.0, ge=0, le=10, description="The authors use 1; 0.6 to 0.9 for some models."
    )
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus mass.")
    top_k: int = Field(0, ge=0, description="Sample from that many tokens; 0: from all.")
    min_p: float = Field(
        0.0, ge=0, le=1, description="Least probability relative to the likeliest token's."
    )
    max_tokens: int = Field(512, ge=1, description="Longest instruction, in tokens.")
    answer_max_tokens: int = Field(
        1024, ge=1, description="Longest answer between two user turns, in tokens."
    )
    single_line: bool = Field(
        True,
        description="End an instruction at its first line break, as the authors do by default.",
    )
    min_chars: int = Field(10, ge=1, description="Shortest instruction, in characters.")
    max_chars: int = Field(4000, ge=1, description="Longest instruction, in characters.")
    attempts: int = Field(
        3, ge=1, le=100, description="How often a turn is sampled until it passes the checks."
    )
    system: str | None = Field(
        None, min_length=1, description="System prompt that steers the topic, e.g. to mathematics."
    )
    keep_default_system: bool = Field(
        True,
        description="Keep the system turn that the model's template puts in by itself. Qwen2.5 "
        "writes headless fragments without it.",
    )
    follow_up_system: bool = Field(
        True, description="From the second turn on, announce follow-up questions to the model."
    )

    @model_validator(mode="after")
    def _lengths_in_order(self) -> Config:
        if self.min_chars > self.max_chars:
            raise ValueError(f"min_chars {self.min_chars} exceeds max_chars {self.max_chars}")
        return self


@dataclass(frozen=True, slots=True)
class Draft:
    """A row in the making: the conversation as far as it goes."""

    row_id: str
    messages: tuple[Message, ...] = ()

    def plus(self, role: Literal["user", "assistant"], content: str) -> Draft:
        """The draft with one turn more."""
        return replace(self, messages=(*self.messages, Message(role, content)))


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Sample a conversation for each row; see the module's text."""
    drafts = [Draft(row[ROW_ID.name]) for row in batch.rows]
    rejects: list[Reject] = []
    for turn in range(1, config.turns + 1):
        if turn > 1:
            drafts, lost = _answer(drafts, turn, config, context)
            rejects += lost
        drafts, lost = _ask(drafts, turn, config, context)
        rejects += lost
    source = f"{context.stage}: {context.model_name(config.model)}"
    return make_batch(
        (ROW_ID, MESSAGES, SOURCE, LINEAGE), [_row(draft, source) for draft in drafts], rejects
    )


def _row(draft: Draft, source: str) -> Row:
    return {
        ROW_ID.name: draft.row_id,
        MESSAGES.name: [{"role": m.role, "content": m.content} for m in draft.messages],
        SOURCE.name: source,
        LINEAGE.name: [],
    }


def _ask(
    drafts: Sequence[Draft], turn: int, config: Config, context: Context
) -> tuple[list[Draft], list[Reject]]:
    """Add a user turn to each draft, or say why there is none."""
    asked: dict[str, Draft] = {}
    failed: dict[str, Reject] = {}
    pending = list(drafts)
    sampling = _instruction_sampling(config, context)
    for attempt in range(config.attempts):
        prompts = [_left_hand_prompt(draft, turn, config, context) for draft in pending]
        results = _generate(pending, prompts, sampling, (attempt, turn), config, context)
        again = []
        for draft, result in zip(pending, results, strict=True):
            outcome = _instruction(draft, result, config)
            if isinstance(outcome, Draft):
                asked[draft.row_id] = outcome
                continue
            failed[draft.row_id] = outcome
            if isinstance(result, Generation):  # an engine has retried what can be retried
                again.append(draft)
        pending = again
    kept = [asked[draft.row_id] for draft in drafts if draft.row_id in asked]
    return kept, [failed[draft.row_id] for draft in drafts if draft.row_id not in asked]


def _instruction_sampling(config: Config, context: Context) -> Sampling:
    end = context.chat(config.model).user_stop
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        min_p=config.min_p,
        max_tokens=config.max_tokens,
        stop=(*end.texts, *(("\n",) if config.single_line else ())),
        stop_token_ids=end.token_ids,
    )


def _left_hand_prompt(draft: Draft, turn: int, config: Config, context: Context) -> Prompt:
    parts = [config.system or ""]
    if turn > 1 and config.follow_up_system:
        parts.append(render(FOLLOW_UP_PROMPT))
    system = "\n\n".join(filter(None, parts)) or None
    return context.chat(config.model).user_turn_prefix(
        system=system, keep_default_system=config.keep_default_system, history=draft.messages
    )


def _generate(
    drafts: Sequence[Draft],
    prompts: Sequence[Prompt],
    sampling: Sampling,
    which: tuple[int | str, int],
    config: Config,
    context: Context,
) -> list[Generation | Failure]:
    requests = [
        GenerateRequest(
            draft.row_id, prompt, sampling, row_seed(draft.row_id, context.stage, *which)
        )
        for draft, prompt in zip(drafts, prompts, strict=True)
    ]
    return context.model(config.model).generate(requests) if requests else []


def _instruction(draft: Draft, result: Generation | Failure, config: Config) -> Draft | Reject:
    if isinstance(result, Failure):
        return Reject(draft.row_id, engine_code(result), result.message, result.raw)
    text = clean_instruction.normalise(result.text)
    problem = clean_instruction.problem_with(
        text, result.finish_reason, min_chars=config.min_chars, max_chars=config.max_chars
    )
    if problem is None:
        return draft.plus("user", text)
    return Reject(draft.row_id, problem.code, problem.message, result.text)


def _answer(
    drafts: Sequence[Draft], turn: int, config: Config, context: Context
) -> tuple[list[Draft], list[Reject]]:
    """Let the model answer each draft's last turn greedily, so that turn `turn` can follow."""
    sampling = Sampling(temperature=0.0, max_tokens=config.answer_max_tokens)
    chat = context.chat(config.model)
    prompts = [chat.render(draft.messages) for draft in drafts]
    results = _generate(drafts, prompts, sampling, ("answer", turn), config, context)
    outcomes = [_answered(draft, r) for draft, r in zip(drafts, results, strict=True)]
    kept = [outcome for outcome in outcomes if isinstance(outcome, Draft)]
    return kept, [outcome for outcome in outcomes if isinstance(outcome, Reject)]


def _answered(draft: Draft, result: Generation | Failure) -> Draft | Reject:
    if isinstance(result, Failure):
        return Reject(draft.row_id, engine_code(result), result.message, result.raw)
    if result.finish_reason == "length":
        message = f"an answer between the turns was cut off after {result.n_tokens} tokens"
        return Reject(draft.row_id, "truncated", message, result.text)
    if not result.text.strip():
        return Reject(draft.row_id, "empty_answer", "an answer between the turns is empty")
    return draft.plus("assistant", result.text)


_INSTRUCTION = "instruction"
_FIRST = "first"


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """What tells repeated instructions."""
    import pyarrow as pa

    digests = pa.array([digest(_sameness(row)) for row in batch.rows], type=pa.string())
    return batch.table.select([ROW_ID.name]).append_column(_INSTRUCTION, digests)


def _sameness(row: Row) -> str:
    return " ".join(row[MESSAGES.name][0]["content"].casefold().split())


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Of the rows with one instruction, the one with the smallest row_id."""
    import pyarrow as pa

    row_ids = sketches.column(ROW_ID.name).to_pylist()
    instructions = sketches.column(_INSTRUCTION).to_pylist()
    first: dict[str, str] = {}
    for row_id, instruction in zip(row_ids, instructions, strict=True):
        first[instruction] = min(row_id, first.get(instruction, row_id))
    firsts = pa.array([first[text] for text in instructions], type=pa.string())
    return Decision(sketches.select([ROW_ID.name]).append_column(_FIRST, firsts))


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Drop what another row says."""
    import pyarrow as pa

    first = decision.column(_FIRST).to_pylist()
    pairs = list(zip(batch.rows, first, strict=True))
    keep = [row[ROW_ID.name] == kept for row, kept in pairs]
    rejects = (
        Reject(
            row[ROW_ID.name],
            "repeated",
            f"the same instruction as row {kept}, which stays",
            row[MESSAGES.name][0]["content"],
        )
        for row, kept in pairs
        if row[ROW_ID.name] != kept
    )
    return Batch(batch.table.filter(pa.array(keep, type=pa.bool_())), tuple(rejects))


def _needs(config: Config) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("generate", "raw_prompt"))),)


def _feed(config: Config) -> Positions:
    return Positions(config.rows)


def _prompts(config: Config) -> tuple[str, ...]:
    return (FOLLOW_UP_PROMPT,) if config.turns > 1 and config.follow_up_system else ()


STAGE = Stage(
    name="magpie",
    version=1,
    summary="Extract prompts from an aligned model (Magpie)",
    config=Config,
    run=run,
    effect="source",
    writes=(MESSAGES, SOURCE, LINEAGE),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    feed=_feed,
    needs=_needs,
    prompts=_prompts,
)
