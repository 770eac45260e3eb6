"""Drop answers and prompts by rules that anyone can check by eye.

For rows with several answers, before they are labelled or paired: an answer that breaks a rule goes
and its row lives on. `filter` is for whole rows, such as pairs, has more rules, and takes any
condition over columns. Repetition is measured by Gopher's limits: `stages._repetition`.

Reads: messages, responses. Scores of dropped answers stay behind, so filter before labelling.
Writes: responses, those that passed.
Drops: of a row's candidates, `truncated`, `response_too_short`, `response_too_long`, `refusal`,
    `repetitive`; of rows, `prompt_too_short`, `prompt_too_long`, `too_few_responses`.
Cost: linear in the text, no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import MESSAGES, RESPONSES, ROW_ID
from schemas.stage import Context, Stage, StageConfig
from stages._refusals import REFUSALS, refusal_opening
from stages._repetition import repetitions


class Config(StageConfig):
    """Settings of `filter_rules`."""

    prompt_min_chars: int = Field(1, ge=0, description="Shortest last user turn, in characters.")
    prompt_max_chars: int | None = Field(None, ge=1, description="Longest last user turn.")
    response_min_chars: int = Field(1, ge=0, description="Shortest answer, in characters.")
    response_max_chars: int | None = Field(None, ge=1, description="Longest answer.")
    allow_truncated: bool = Field(
        False, description="Keep answers that ran into `max_tokens` before they ended."
    )
    refusal_openings: tuple[str, ...] = Field(
        REFUSALS,
        description="An answer that opens with one of these is dropped, whatever its case and kind "
        "of apostrophe; `[]` keeps refusals.",
    )
    repetition: bool = Field(
        True, description="Drop answers that exceed Gopher's limits on repetition."
    )
    repetition_min_words: int = Field(
        50, ge=1, description="Answers of fewer words are not measured for repetition."
    )
    min_responses: int = Field(
        2, ge=1, description="A row with fewer answers left is dropped; a pair needs two."
    )


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Apply the rules to every row; see the module's text."""
    kept: list[Row] = []
    rejects: list[Reject] = []
    rows = batch.rows
    repetitive = _repetitive(rows, config) if config.repetition else {}
    for row in rows:
        if reject := _check_prompt(row, config):
            rejects.append(reject)
            continue
        dropped = [
            _check_response(row, response, config, repetitive) for response in row[RESPONSES.name]
        ]
        rejects += [reject for reject in dropped if reject]
        pairs = zip(row[RESPONSES.name], dropped, strict=True)
        passed = [response for response, reject in pairs if not reject]
        if len(passed) < config.min_responses:
            rejects.append(_too_few(row, len(passed), config))
        else:
            kept.append({ROW_ID.name: row[ROW_ID.name], RESPONSES.name: passed})
    return make_batch((ROW_ID, RESPONSES), kept, rejects)


def _repetitive(rows: Sequence[Row], config: Config) -> dict[str, str]:
    """What is wrong with the answers that repeat themselves, by response_id."""
    import pyarrow as pa

    least = config.repetition_min_words
    responses = [response for row in rows for response in row[RESPONSES.name]]
    # No text has more words than characters; where none is long enough, nothing is loaded.
    measured = [response for response in responses if len(response["text"]) >= least]
    if not measured:
        return {}
    texts = pa.array([response["text"] for response in measured], type=pa.large_string())
    found = repetitions(texts, least)
    return {measured[place]["response_id"]: what for place, what in found.items()}


def _check_prompt(row: Row, config: Config) -> Reject | None:
    text = row[MESSAGES.name][-1]["content"]
    problem = _length_problem(text, config.prompt_min_chars, config.prompt_max_chars)
    if problem is None:
        return None
    which, message = problem
    return Reject(row[ROW_ID.name], f"prompt_{which}", f"the prompt has {message}", text)


def _check_response(
    row: Row, response: Row, config: Config, repetitive: Mapping[str, str]
) -> Reject | None:
    problem = next(_problems(response, config, repetitive), None)
    if problem is None:
        return None
    code, message = problem
    return Reject(
        row[ROW_ID.name], code, message, response["text"], response_id=response["response_id"]
    )


def _problems(
    response: Row, config: Config, repetitive: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The rules that an answer breaks, in the order in which they are told."""
    text: str = response["text"]
    if response["finish_reason"] != "stop" and not config.allow_truncated:
        n_tokens, reason = response["n_tokens"], response["finish_reason"]
        yield "truncated", f"cut off after {n_tokens} tokens: finish_reason is `{reason}`"
    length = _length_problem(text.strip(), config.response_min_chars, config.response_max_chars)
    if length:
        yield f"response_{length[0]}", f"the answer has {length[1]}"
    if opening := refusal_opening(text, config.refusal_openings):
        yield "refusal", f"opens with `{opening}`"
    if repeated := repetitive.get(response["response_id"]):
        yield "repetitive", repeated


def _length_problem(text: str, least: int, most: int | None) -> tuple[str, str] | None:
    if len(text) < least:
        return "too_short", f"{len(text)} characters, fewer than {least}"
    if most is not None and len(text) > most:
        return "too_long", f"{len(text)} characters, more than {most}"
    return None


def _too_few(row: Row, left: int, config: Config) -> Reject:
    had = len(row[RESPONSES.name])
    message = f"{left} of {had} answers left, fewer than min_responses {config.min_responses}"
    return Reject(row[ROW_ID.name], "too_few_responses", message, row[MESSAGES.name][-1]["content"])


STAGE = Stage(
    name="filter_rules",
    version=2,
    summary="Drop answers and prompts by length, truncation, refusal and repetition",
    config=Config,
    run=run,
    effect="filter",
    reads=(MESSAGES, RESPONSES),
    writes=(RESPONSES,),
)
